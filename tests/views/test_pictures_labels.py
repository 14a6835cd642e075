"""Words in small pictures: none lies on another, and none is cut off."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

import chainrule as cr
from chainrule import pictures
from chainrule.train import Run
from chainrule.views.plain import told_apart
from chainrule.views.view import View


@pytest.fixture(scope="module")
def run() -> Run:
    return cr.fit("2-4-2 tanh softmax", "xor", optimizer=cr.Adam(0.05), epochs=200, evaluate_every=10)


@pytest.fixture(scope="module")
def curve() -> Run:
    return cr.fit("1-3-1 tanh", cr.data.curve("sin", n=12), optimizer=cr.Adam(0.05), epochs=30)


DRAWN: Mapping[str, Callable[[Run, Run], View]] = {
    "losses": lambda run, _: pictures.learning_curves(run),
    "stand-in": lambda run, _: pictures.loss_against_metric(run),
    "gradient": lambda run, _: pictures.gradient_entries(run.model(), run.data.train.x, run.data.train.y),
    "gradient of a curve": lambda _, curve: pictures.gradient_entries(curve.model(), curve.data.train.x, curve.data.train.y),
    "weights": lambda run, _: pictures.weight_histograms(run.models([0])[0][1], run.model()),
    "weights of a curve": lambda _, curve: pictures.weight_histograms(curve.models([0])[0][1], curve.model()),
    "probes": lambda run, _: pictures.linear_probes(run.model(), *([run.data.train.x, run.data.train.y] * 2)),
    "confusion": lambda run, _: pictures.confusion_picture(run, "training"),
    "dead": lambda run, _: pictures.dead_and_saturated(run.model(), run.data.train.x),
    "fit": lambda _, curve: pictures.fit_1d(curve),
    "contributions": lambda _, curve: pictures.hidden_contributions(curve.model()),
}


@pytest.mark.parametrize("name", DRAWN)
def test_no_word_lies_on_another_or_is_cut_off(name: str, run: Run, curve: Run) -> None:
    figure = DRAWN[name](run, curve).figure()
    FigureCanvasAgg(figure).draw()
    words = [item for item in figure.findobj(Text) if item.get_visible() and item.get_text().strip()]  # type: ignore[attr-defined]
    boxes = {item: item.get_window_extent() for item in words}  # type: ignore[attr-defined]
    seen = [item for item in words if boxes[item].width > 0 and _ticks_in_view(item, figure)]
    for place, one in enumerate(seen):
        a = boxes[one].padded(-1)
        assert figure.bbox.padded(2).containsx(a.x0), one
        assert figure.bbox.padded(2).containsx(a.x1), one
        for other in seen[place + 1 :]:
            b = boxes[other].padded(-1)
            apart = a.x1 <= b.x0 or b.x1 <= a.x0 or a.y1 <= b.y0 or b.y1 <= a.y0
            assert apart, f"{one.get_text()!r} lies on {other.get_text()!r}"  # type: ignore[attr-defined]


def _ticks_in_view(item: object, figure: object) -> bool:
    """Whether a word is drawn: labels of ticks beyond the limits of their axis are kept, but not drawn."""
    x, y = item.get_position()  # type: ignore[attr-defined]
    for ax in figure.axes:  # type: ignore[attr-defined]
        for axis, at, limits in ((ax.xaxis, x, ax.get_xlim()), (ax.yaxis, y, ax.get_ylim())):
            if item in axis.get_ticklabels(which="both"):
                return min(limits) <= at <= max(limits)
    return True


def test_a_gradient_of_zeros_is_said_to_be_one(run: Run) -> None:
    zero = run.model().with_parameters({name: np.zeros_like(value) for name, value in run.model().parameters.items()})
    picture = pictures.gradient_entries(zero, run.data.train.x, run.data.train.y)
    assert "Every entry is exactly 0" in picture.reading
    words = [item.get_text() for item in picture.figure().findobj(Text)]  # type: ignore[attr-defined]
    assert "all 22 entries are exactly 0" in words
    assert "nan" not in " ".join(words)


def test_errors_of_measured_targets_are_drawn() -> None:
    x = np.linspace(0, 1, 8)[:, None]
    data = cr.data.with_errors(cr.data.from_arrays(x, np.sin(x), split=None), np.linspace(0.1, 0.2, 8))
    run = cr.fit("1-2-1", data, loss="chi_squared", epochs=1)
    picture = pictures.fit_1d(run)
    np.testing.assert_array_equal(picture.numbers["errors"], np.linspace(0.1, 0.2, 8))
    assert "bars their standard errors" in picture.reading
    bars = picture.plot().containers[0]
    assert len(bars[2][0].get_segments()) == 8
    with pytest.raises(cr.errors.LossError, match=r"without standard errors[\s\S]*with_errors"):
        cr.fit("1-2-1", (x, np.sin(x)), loss="chi_squared", epochs=1)
    with pytest.raises(cr.errors.LossError, match="targets are classes"):
        cr.fit("2-2", "moons", loss="chi_squared", epochs=1)


MANY: Mapping[str, Callable[[Run], View]] = {
    "pushes": lambda run: pictures.output_nudges(run.model(), run.data.train.x[:1], run.data.train.y[:1]),
    "a step": lambda run: pictures.step_effect(run.model(), run.data.train.x[:1], run.data.train.y[:1]),
    "confusions": lambda run: pictures.confusion_picture(run),
    "shares": lambda run: pictures.class_shares(run.data),
    "probes": lambda run: pictures.linear_probes(run.model(), *([run.data.train.x, run.data.train.y] * 2)),
}


@pytest.fixture(scope="module", params=[15, 40])
def named(request: pytest.FixtureRequest) -> Run:
    x, count = np.random.default_rng(0).normal(size=(240, 2)), request.param
    classes = np.array([f"alloy of the series with the number {place}" for place in range(count)])
    return cr.fit(f"2-8-{count} tanh softmax", cr.data.from_arrays(x, classes[np.arange(240) % count]), epochs=1)


@pytest.mark.parametrize("name", MANY)
def test_many_names_that_begin_alike_have_room_and_are_told_apart(name: str, named: Run) -> None:
    figure = MANY[name](named).figure()
    FigureCanvasAgg(figure).draw()
    for ax in figure.axes:
        for axis, upright in ((ax.xaxis, False), (ax.yaxis, True)):
            labels = [item for item in axis.get_ticklabels() if "…" in item.get_text()]
            assert len({item.get_text() for item in labels}) == len(labels)
            boxes = [item.get_window_extent() for item in labels]
            points = 72 / figure.dpi
            at = np.sort([(box.y0 + box.y1) / 2 if upright else box.x1 for box in boxes]) * points
            for item, gap in zip(labels, np.diff(at), strict=False):
                turn, size = np.deg2rad(item.get_rotation()), item.get_fontsize()
                # How far apart lines of letters are, at right angles to their direction.
                across = gap * (np.cos(turn) if upright else np.sin(turn))
                assert across > 0.8 * size or gap > max(box.width for box in boxes) * points, item.get_text()


@pytest.mark.parametrize("most", [6, 9, 16])
def test_names_that_are_cut_stay_different(most: int) -> None:
    random = np.random.default_rng(most)
    names = ["".join(random.choice(list("ab"), random.integers(1, 30))) for _ in range(60)]
    found = told_apart(names, most)
    assert all(len(text) <= most for text in found)
    assert {(one, other) for one, other in zip(names, found, strict=True)} >= {(one, one) for one in names if len(one) <= most}
    assert len(set(found)) == len(set(names))
