"""A view: every mark drawn by matplotlib and written as JSON, legends, axes, several panels in axes of one's own, and its base."""

from __future__ import annotations

import dataclasses
import io
import json
import re
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

import chainrule as cr
from chainrule.errors import OptionError
from chainrule.views.figures.figure import new_figure
from chainrule.views.figures.marks import DRAW
from chainrule.views.figures.page_svg import figure_svg
from chainrule.views.figures.style import style
from chainrule.views.marks import (
    IN_PANEL,
    Band,
    Bars,
    ErrorBars,
    Image,
    Line,
    Mark,
    Points,
    Rule,
    Scale,
    Text,
    box_around,
    dashes,
    grey,
    look,
    signed,
    staircase,
)
from chainrule.views.packed import VERSION, read_array
from chainrule.views.panels import Axis, Panel, Space, Surface, Table
from chainrule.views.saved import Savable
from chainrule.views.view import View, numbers

X = np.linspace(0, 1, 20)
PIXELS = np.outer(X - 0.4, X)
HOSTILE = "</script><b>$x$"

MARKS: dict[str, Mark] = {
    "line": Line(X, X**2, color=1, dash="dashed", label="line"),
    "lines": Line(np.stack([X, X]), np.stack([X, np.where(X > 0.5, np.nan, X)]), marker="o", label="two"),
    "arrows": Line([[0, 1], [0, 1]], [[0, 1], [1, 0]], arrow=True, color="light", edge="dark"),
    "band": Band(X, X - 0.1, X + 0.1, color=2, label="band"),
    "errors": ErrorBars(X, X - 0.1, X + 0.1, flat=True, color="faint"),
    "points": Points(X, X, size=3 + X, edge="paper", marker="D", label="points"),
    "hollow": Points(X, X, hollow=True, color=3),
    "coloured points": Points(X, X, values=X, scale=Scale.of(X, "value")),
    "ticks": Points(X, np.full(20, 0.02), marker="|", where=("data", "axes")),
    "bars": Bars([0, 1], [2, -1], start=[1, 0], colors=["positive", "negative"], texts=["2", HOSTILE], hatch="//"),
    "coloured bars": Bars([0, 1], [2, 1], flat=True, values=[0, 1], scale=Scale("sequential")),
    "image": Image(
        PIXELS, scale=Scale.of(PIXELS, "height"), box=box_around(X, X), levels=(-0.1, 0.0, 0.3), texts=("a", "0", "b")
    ),
    "colours": Image(np.zeros((4, 5, 3), np.uint8), scale=Scale("grey", 0, 255)),
    "crossed": Image(np.where(PIXELS > 0.3, np.nan, PIXELS), where="axes", box=(0, 0.5, 0, 0.5), crosses=True),
    "logarithmic": Image(PIXELS**2 + 0.01, scale=Scale("sequential", 0.01, 1.0, "size", log=True), smooth=True),
    "text": Text(X[:2], X[:2], [HOSTILE, "b"], colors=[1, "ink"], where=IN_PANEL, framed=True, bold=True),
    "one text": Text(0.5, 0.5, "a\nb", mono=True, offset=(3, 4), across="left", up="top"),
    "rule": Rule(x=0.5, y=0.25, dash="dotted", label="rule"),
    "strip": Rule(y=(0.1, 0.4), alpha=0.3, color=4, label="strip"),
}


def one(*marks: Mark, **options: Any) -> View:
    return View("A title", "It reads so.", [Panel(marks, Axis("x"), Axis("y"), **options)])


def everything() -> View:
    parts = [Panel([mark], Axis("x"), Axis("y"), title=name) for name, mark in MARKS.items()]
    space = Space([Surface(X, X, PIXELS, scale=signed(PIXELS))], Axis("x"), Axis("y"), Axis("z"), title="space")
    table = Table(("name", "value"), ((HOSTILE, 1.5), ("b", float("nan"))), "table")
    return View("Every mark", "One panel to each.", [*parts, space, table], columns=6, size=(18, 10))


# ---- matplotlib


@pytest.mark.parametrize("name", MARKS)
def test_each_mark_is_drawn(name: str) -> None:
    view = one(MARKS[name])
    assert view.svg().count("<") > 30
    ax = view.plot()
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_title("left")) == ("x", "y", "A title")
    named = [MARKS[name].label] if MARKS[name].label else []
    legend = ax.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == named if legend else not named


def test_each_kind_of_mark_has_its_function_and_its_name() -> None:
    kinds = {mark for mark in Mark.__subclasses__() if mark is not Surface}
    assert kinds == set(DRAW)
    assert len({mark.kind for mark in Mark.__subclasses__()}) == len(kinds) + 1


def test_each_mark_lies_over_those_before_it() -> None:
    ax = one(Line(X, X), Band(X, X, X + 1), Points(X, X), Rule(x=0.5), Text(0.5, 0.5, "a")).plot()
    line, band, points = ax.get_lines()[0], ax.collections[0], ax.collections[1]
    above = [line, band, points, ax.get_lines()[1], ax.texts[0]]
    assert [item.get_zorder() for item in above] == sorted(item.get_zorder() for item in above)


def test_axes_are_logarithmic_turned_round_and_have_names() -> None:
    axes = Axis("x", log=True, ends=(1.0, 100.0)), Axis("y", at=[0, 1], texts=["low", "high"], ends=(1.5, -0.5), turn=30)
    ax = View("t", "r", [Panel([Points([1, 100], [0, 1])], *axes)]).plot()
    assert (ax.get_xscale(), ax.get_xlim(), ax.get_ylim()) == ("log", (1.0, 100.0), (1.5, -0.5))
    assert [label.get_text() for label in ax.get_yticklabels()] == ["low", "high"]


def test_an_end_that_is_not_given_is_found() -> None:
    low, high = View("t", "r", [Panel([Line([0, 1], [2, 5])], Axis(), Axis(ends=(0, None)))]).plot().get_ylim()
    assert low == 0
    assert high > 5


@pytest.mark.parametrize("place", ["upper left", "right", "above", "below", "none"])
def test_a_legend_stands_where_it_is_wanted(place: str) -> None:
    legend = one(MARKS["line"], legend=place, legend_title="which").plot().get_legend()
    assert (legend is None) is (place == "none")


def test_several_panels_stand_in_the_place_of_any_axes() -> None:
    figure, ax = new_figure((6, 4))
    everything().plot(ax)
    assert ax.get_title("left") == "Every mark"
    titles = [part.get_title("left") for part in figure.axes]
    assert [title for title in titles if title in MARKS] == list(MARKS)
    bare = figure.add_axes((0.1, 0.1, 0.3, 0.3))
    count = len(figure.axes)
    View("two", "r", [Panel([MARKS["line"]]), Panel([MARKS["band"]])]).plot(bare)
    assert len(figure.axes) == count + 3


def test_a_space_asks_for_axes_of_its_kind() -> None:
    solid = View("t", "r", [Space([Surface(X, X, PIXELS)], Axis("x"), Axis("y"), Axis("z"))])
    assert solid.plot().name == "3d"
    with pytest.raises(OptionError, match="3d"):
        solid.plot(new_figure((3, 3))[1])


def test_one_legend_speaks_for_all_panels() -> None:
    panels = [Panel([MARKS["line"]], legend="none")] * 3
    ax = View("t", "r", panels, legend=True).plot()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["line"]


def test_texts_stay_texts() -> None:
    svg = everything().svg()
    assert "<b>" not in svg
    assert svg.count("&lt;b&gt;$x$") == 3


@pytest.mark.parametrize("given", [{"color": "red"}, {"edge": "#ff0000"}])
def test_a_colour_has_a_meaning_or_is_a_number(given: Any) -> None:
    with pytest.raises(OptionError, match="the number of a series"):
        Points([0], [0], **given)
    with pytest.raises(OptionError, match="did you mean 'positive'"):
        Bars([0], [1], colors=["positve"])  # type: ignore[list-item]


# ---- JSON


def test_the_json_holds_every_mark_and_is_always_the_same() -> None:
    text = everything().json()
    assert text == everything().json()
    assert "<" not in text, "it may stand in a script of a page"
    found = json.loads(text)
    assert found["version"] == VERSION
    assert [part["kind"] for part in found["panels"]] == ["panel"] * len(MARKS) + ["space", "table"]
    kinds = {mark["kind"] for part in found["panels"] for mark in part.get("marks", [])}
    assert kinds == {mark.kind for mark in Mark.__subclasses__()}
    assert found["panels"][0]["marks"][0]["dash"] == "dashed"
    assert set(found["panels"][0]["marks"][0]) == {"kind", *(item.name for item in dataclasses.fields(Line))}


def test_equal_arrays_are_written_once_and_in_the_type_that_shows_the_same() -> None:
    steps, losses = np.arange(20) + 2e7, 1e6 + X
    found = json.loads(one(Line(X, X), Line(X, losses), Line(steps, X), Line(X, np.arange(20))).json())
    assert len(found["arrays"]) == 4
    assert [array["type"] for array in found["arrays"]] == ["float32", "float64", "float64", "int32"]
    np.testing.assert_array_equal(read_array(found["arrays"][1]), losses)
    np.testing.assert_array_equal(read_array(found["arrays"][2]), steps)
    np.testing.assert_allclose(read_array(found["arrays"][0]), X, rtol=1e-7)


def test_numbers_that_are_none_and_very_small_ones_are_kept() -> None:
    gaps = np.where(X > 0.5, np.nan, X)
    found = json.loads(one(Line(X, gaps), Line(X, X * 1e-60), Line([0.0, 1.0], [np.nan, np.inf])).json())
    np.testing.assert_allclose(read_array(found["arrays"][1]), gaps, rtol=1e-7)
    assert found["arrays"][2]["type"] == "float64"
    assert found["panels"][0]["marks"][2]["y"] == [None, None]


def test_images_are_bytes_along_their_scale() -> None:
    found = json.loads(one(Image(PIXELS, scale=Scale("signed", -1, 1)), Image(np.full((3, 4), np.nan))).json())
    image, nothing = found["arrays"]
    assert image["type"] == "uint8"
    np.testing.assert_array_equal(read_array(image), np.round(255 * (PIXELS + 1) / 2))
    assert nothing["type"] == "float32"


def test_nothing_that_is_drawn_is_refused() -> None:
    run = cr.fit("2-3-2 tanh softmax", cr.data.moons(60), epochs=2, batch_size=10, replicas=2)
    for row in cr.pictures.of(run).rows:
        if str(row[1]).endswith("(run)"):
            view = getattr(cr.pictures, str(row[0]))(run)
            assert json.loads(view.json())["title"] == view.title


# ---- what stands around it


def test_views_and_drawings_have_one_base_and_one_save(tmp_path: Any) -> None:
    run = cr.fit("2-3-2 tanh softmax", cr.data.moons(60), epochs=1)
    shown = [
        cr.pictures.learning_curves(run),
        cr.views.networks.draw_network(run),
        cr.views.drawing.draw_graph(run.graph("step")),
    ]
    for view in shown:
        assert isinstance(view, Savable)
        assert type(view).save is Savable.save
        for ending, start in ((".svg", b"<svg"), (".png", b"\x89PNG"), (".pdf", b"%PDF")):
            assert view.save(tmp_path / f"it{ending}").read_bytes().startswith(start)


def test_numbers_are_arrays_and_none_is_left_out() -> None:
    found = numbers(a=[1, 2], b=None, c=0.5, d=("x", "y"))
    assert list(found) == ["a", "c", "d"]
    assert all(isinstance(array, np.ndarray) for array in found.values())


def test_pictures_that_suit_an_object_are_listed_with_their_calls() -> None:
    run = cr.fit("2-3-2 tanh softmax", cr.data.moons(60), epochs=1)
    calls = cr.pictures.of(run).column("how it is asked for")
    assert {"learning_curves(run)", "confusion_picture(run)", "gradient_entries(run.model(), x, y)"} <= set(calls)
    one = {"nudges", "output_nudges", "step_effect", "wishes"}
    asked = dict(zip(cr.pictures.of(run).column("picture"), calls, strict=True))
    for name, call in asked.items():
        assert (name in one) == ("x[0], y[0]" in str(call)), call
    x, y = run.data.test.x, run.data.test.y  # as they are listed, they can be called
    for call in calls:
        if set(re.findall(r"\w+", str(call).partition("(")[2])) <= {"run", "model", "x", "y", "0"}:
            eval(f"cr.pictures.{call}", {"cr": cr, "run": run, "x": x, "y": y})
    assert "ledger_picture" in cr.pictures.of(run.ledger(0, "dense1.W", (0, 0))).column("picture")
    assert "compare_runs" in cr.pictures.of({"a": run}).column("picture")
    assert not cr.pictures.of(3).rows
    assert not cr.pictures.of(np.zeros(3)).rows


def test_series_are_told_apart_by_two_ways() -> None:
    assert len({(number % 8, dashes(number)) for number in range(32)}) == 32
    assert look(9)["color"] == 9
    assert grey(np.zeros(3, np.uint8)).high == 255
    assert Scale.of([1.0, 1.0]).high == 2.0
    x, y = staircase([0, 1, 3], [5, 6, 7], after=True)
    assert (x.tolist(), y.tolist()) == ([0, 1, 1, 3, 3], [5, 5, 6, 6, 7])


def test_marks_are_compared_by_what_they_are() -> None:
    assert dataclasses.replace(MARKS["line"], label="other").label == "other"
    assert MARKS["line"] != Line(X, X**2, color=1, dash="dashed", label="line")


@pytest.mark.parametrize("panels", [Panel([]), "panels", [1.0], None])
def test_what_are_no_panels_is_refused(panels):
    with pytest.raises(cr.errors.OptionTypeError, match=r"write \[Panel\(marks"):
        View("Title", "Reading.", panels)


def test_a_figure_is_laid_out_as_by_matplotlib_and_again_when_it_changes():
    view = cr.pictures.activation_curve("tanh")
    with style():
        theirs = view.plot(Figure(figsize=view.size, layout="constrained").add_subplot()).figure
        theirs.savefig(io.BytesIO())
    ours = view.figure(caption=False)
    for label in ("f(z)", "a label\nof several\nlines"):
        for figure in (ours, theirs):
            figure.axes[0].set_ylabel(label)
            with style():
                figure.savefig(io.BytesIO())
        assert np.allclose(ours.axes[0].get_position().extents, theirs.axes[0].get_position().extents, atol=2e-3)
    canvas, dpi = ours.canvas, ours.dpi
    assert figure_svg(ours).startswith("<svg")
    assert (ours.canvas, ours.dpi) == (canvas, dpi)
    assert ours.patch.get_facecolor() == (1.0, 1.0, 1.0, 1.0)


def test_cells_of_a_wide_table_do_not_overlap():
    heads = tuple(f"a heading {place}" for place in range(14))
    figure = View("Wide", "Read.", [Table(heads, ((-0.08855, *range(12), "class → class"),) * 3)], size=(7.4, 4.2)).figure()
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert len(boxes) == 4 * len(heads)
    for start in range(0, len(boxes), len(heads)):
        row = boxes[start : start + len(heads)]
        assert all(left.x1 < right.x0 for left, right in pairwise(row))
