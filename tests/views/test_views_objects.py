"""Every object that a notebook's cell may end with shows itself: all public classes are looked up, and instances of most are drawn."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import typing
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
from IPython.core.formatters import DisplayFormatter

import chainrule as cr
from chainrule.train import Run
from tests.views.browsers import by_browser, needs_browser

PACKAGES = [
    cr,
    *(importlib.import_module(item.name) for item in pkgutil.walk_packages(cr.__path__, "chainrule.") if item.ispkg),
]
SHOWN = ("_repr_html_", "_repr_svg_")


def own(kind: type) -> bool:
    """Whether it is a class of ours that has instances which a cell may end with."""
    is_protocol = getattr(kind, "_is_protocol", False)
    special = issubclass(kind, BaseException) or is_protocol or typing.is_typeddict(kind) or hasattr(kind, "__enter__")
    return kind.__module__.startswith("chainrule") and not kind.__module__.startswith("chainrule.cli") and not special


@cache
def public_classes() -> tuple[type, ...]:
    """What the packages name, and whatever their methods and properties say that they return."""
    found: dict[type, None] = {}
    queue = [
        value
        for package in PACKAGES
        for name in getattr(package, "__all__", ())
        if inspect.isclass(value := getattr(package, name))
    ]
    while queue:
        kind = queue.pop()
        if kind not in found and own(kind):
            found[kind] = None
            queue += _returned(kind)
    return tuple(sorted(found, key=lambda kind: (kind.__module__, kind.__name__)))


def _returned(kind: type) -> Iterator[type]:
    for name, member in inspect.getmembers_static(kind):
        made = getattr(member, "fget", None) or getattr(member, "func", None) or getattr(member, "__func__", None) or member
        if name.startswith("_") or not inspect.isfunction(made):
            continue
        try:
            yield from _classes(typing.get_type_hints(inspect.unwrap(made)).get("return"))
        except NameError:  # matplotlib's names, which are known to type checkers only
            continue


def _classes(hint: Any) -> Iterator[type]:
    if inspect.isclass(hint):
        yield hint
    for part in typing.get_args(hint):
        yield from _classes(part)


def test_the_public_classes_are_found() -> None:
    names = {kind.__name__ for kind in public_classes()}
    assert {
        "Run",
        "Evaluation",
        "ConfusionMatrix",
        "Ledger",
        "Example",
        "History",
        "Dataset",
        "Graph",
        "Node",
        "Dense",
    } <= names
    assert {"Adam", "Fact", "GradientCheck", "DatasetInfo", "Predictor", "Parent", "Model", "View"} <= names
    assert len(names) > 150


@pytest.mark.parametrize("kind", public_classes(), ids=lambda kind: kind.__name__)
def test_each_kind_shows_itself(kind: type) -> None:
    assert any(hasattr(kind, name) for name in SHOWN), (
        f"{kind.__name__} has neither {' nor '.join(SHOWN)}: let it be a display.Shown"
    )


@pytest.fixture(scope="module")
def run() -> Run:
    return cr.fit("2-3-2 tanh softmax", cr.data.moons(60), optimizer=cr.Adam(0.01), epochs=2, batch_size=10, replicas=2)


def things(run: Run) -> Iterator[object]:
    """Objects of as many kinds as come out of a run, and every public thing that can be made of nothing."""
    model, test = run.model(), run.data.test
    assert test is not None
    explanation, evaluation = run.explain(3), run.evaluate("test")
    yield from (
        run,
        run.data,
        test,
        test[0],
        run.dataset_info,
        run.history,
        run.history.epochs[0],
        run.settings,
        run.problem,
        run.trainer,
    )
    yield from (
        evaluation,
        evaluation.confusion(),
        evaluation.accuracy(),
        run.ledger(3, "dense1.W", (0, 0)),
        run.ledger(3, "dense1.W"),
    )
    diagnosis = run.doctor()
    yield from (diagnosis, diagnosis.findings[0], run.why(3))
    yield from (model, run.predictor(), run.graph(), run.graph("step"), cr.input_node("x"), cr.ops.sin(cr.input_node("x")))
    yield from (explanation, explanation.trace, explanation.forward[0], explanation.backward[0], explanation.rules[0])
    yield from (explanation.entries[0], explanation.wording, explanation.trace.quantities[0], explanation.backward[0].path)
    gradient = model.gradient(test.x[:4], test.y[:4])
    yield model.check_gradient(gradient, test.x[:4], test.y[:4])
    yield model.check_gradient({name: 4 * value for name, value in gradient.items()}, test.x[:4], test.y[:4])
    yield from (
        cr.parse_network("2-3-1"),
        cr.nn.summary(cr.parse_network("2-3-1")),
        cr.Sequential(cr.Dense(3)),
        cr.Dense(3, "tanh"),
        cr.L2(0.1),
    )
    yield from (cr.Network(lambda a, b: a + b, inputs={"a": (2,), "b": (2,)}), cr.Formula("z*z"), cr.Conv2D(2, 3), cr.LSTM(3))
    yield from (cr.LBFGS(), cr.Cosine(0.1), cr.ClipNorm(1.0), cr.EarlyStopping(), cr.CrossEntropy() + cr.L1(1e-5), cr.ops.tanh)
    yield from (
        cr.data.xor(),
        cr.data.curve("sin", n=10),
        cr.data.faces(6).train,
        cr.data.faces(6).train[0],
        cr.input_node("x").type,
    )
    yield from (cr.examples.Fact("slope", 1e-7, 2e-9, reference=1.1e-7), *cr.examples.EXAMPLES.values())
    yield cr.pictures.ranked_entries(model, test.x, test.y).top(3)
    for kind in public_classes():
        if kind.__module__.startswith("chainrule.nn") or kind.__module__.startswith("chainrule.train"):
            try:
                yield kind()
            except Exception:
                continue


def test_each_thing_is_whole_markup_and_no_raw_dataclass(run: Run) -> None:
    kinds = set()
    for thing in things(run):
        html: str = thing._repr_html_() if hasattr(thing, "_repr_html_") else thing._repr_svg_()  # type: ignore[attr-defined]
        name = type(thing).__name__
        markup = re.sub(r"&(?!amp;|lt;|gt;|quot;|#)\w+;", "", html)
        bare = re.sub(r"<style>.*?</style>", "", markup).replace("<br>", "<br/>")
        words = "".join(ET.fromstring(bare).itertext())
        assert not re.search(r"&lt;\S+ object at 0x|array\(\[|mappingproxy|=None[,)]", bare), name
        assert f"{name}(" not in words or len(words) < 500 or name in {"Sequential", "Network"}, name
        assert len(words.strip()) > 3, name
        text = DisplayFormatter().format(thing)[0]["text/plain"]
        assert not re.search(r" object at 0x|array\(\[|mappingproxy", text), text
        assert max(map(len, text.splitlines())) < 500, name
        kinds.add(type(thing))
    assert len(kinds) > 70


def test_what_print_shows_is_shown_whole(run: Run) -> None:
    for thing in (run.ledger(3, "dense1.W", (0, 0)), run.evaluate("test"), run):
        words = "".join(ET.fromstring(thing._repr_html_().replace("<br>", "<br/>")).itertext())
        for line in str(thing).splitlines():
            assert line.strip() in words


def test_axes_and_figures_show_themselves_where_they_are_the_last_line(run: Run) -> None:
    picture = cr.pictures.neuron_surface(run, "dense1.a", points=5)
    for shown in (
        run.plot(),
        picture.plot(),
        picture.figure(),
        cr.pictures.neuron_steps(run, "dense1").plot(),
    ):
        assert "<svg" in shown._repr_svg_()  # type: ignore[attr-defined]
        assert "var(--" not in re.sub(r"<style>.*?</style>", "", shown._repr_svg_())  # type: ignore[attr-defined]


def test_hostile_names_stay_text() -> None:
    hostile = '<script>alert("1")</script>'
    data = cr.data.from_arrays(
        np.arange(8.0).reshape(4, 2), np.array([hostile, "b", hostile, "b"]), features=[hostile, "y"], name=hostile
    )
    for thing in (data, data.info, data.train, cr.fit("2-2:softmax", data, epochs=1), cr.parameter("a")):
        assert "<script" not in thing._repr_html_()


NOTEBOOK = """
.jp-RenderedHTMLCommon table{table-layout:fixed;margin-left:auto;margin-right:auto;font-size:12px}
.jp-RenderedHTMLCommon td,.jp-RenderedHTMLCommon th{text-align:right;vertical-align:middle;max-width:30px;overflow:hidden}
.jp-RenderedHTMLCommon:not(.jp-RenderedMarkdown) td{text-align:right}
.jp-RenderedHTMLCommon tbody tr:nth-child(odd){background:#f00}
"""
"""What notebooks do to tables."""


@needs_browser
def test_tables_are_laid_out_by_us_and_not_by_the_notebook(run: Run) -> None:
    html = cr.nn.summary(cr.parse_network("2-3-1"))._repr_html_()
    alone = by_browser(f"<!DOCTYPE html><body style='margin:0'>{html}", 500, 150)
    inside = by_browser(
        f"<!DOCTYPE html><style>{NOTEBOOK}</style><body style='margin:0'><div class='jp-RenderedHTMLCommon'>{html}</div>",
        500,
        150,
    )
    np.testing.assert_array_equal(alone, inside)
