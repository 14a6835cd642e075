"""What is learned when: accuracy against updates, and a map of the examples by the step at which each is learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.train import PredictionHistory
from chainrule.views.marks import Image, Rule, Scale
from chainrule.views.panels import Axis, Panel
from chainrule.views.pictures.learning.curves import LabelledCurve
from chainrule.views.scales import decimal
from chainrule.views.view import View, chart

_ROWS = 400
"""Rows of the map; more examples are drawn as means of neighbours."""
_COLUMNS = 300


def _fewer_rows(shares: Array) -> Array:
    edges = np.linspace(0, len(shares), min(len(shares), _ROWS) + 1).round().astype(int)
    return np.array([shares[first:last].mean(axis=0) for first, last in pairwise(edges.tolist())])


def against_updates(title: str, score: str, curves: Sequence[LabelledCurve], chance: float | None = None) -> View:
    """A score against the number of updates, from 1 on; each curve's values are (m, trainings). `chance`: the score of guessing.

    The numbers of each curve are "label.at" (m,) and "label.values" (m, trainings).
    """
    guess = " The thin grey line is guessing." if chance is not None else ""
    lines = [mark for number, curve in enumerate(curves) for mark in curve.marks(number)]
    ends = float(min(curve.at[0] for curve in curves)), float(max(curve.at[-1] for curve in curves))
    pairs = [(curve.label, name, array) for curve in curves for name, array in (("at", curve.at), ("values", curve.values))]
    return chart(
        title,
        f"Each line is a mean over {curves[0].values.shape[1]} data sets, its band one standard error; updates are "
        f"counted on a logarithmic axis.{guess}",
        [*([] if chance is None else [Rule(y=chance)]), *lines],
        Axis("updates (number of steps)", log=True, ends=ends),
        Axis(score),
        {f"{label}.{name}": array for label, name, array in pairs},
        size=(6.4, 4.0),
    )


def learning_map(answers: Mapping[str, PredictionHistory]) -> View:
    """The map of trainings by their names: when each example is learned; steps before the first update are left out.

    The numbers of each training: "name.shares" (examples, m), the fraction of replicas that are right, the examples sorted by when they
    are learned, and "name.at" (m,), the steps.
    Raises: OptionError without a training, or with fewer than two steps in one.
    """
    if not answers or any((found.at >= 1).sum() < 2 for found in answers.values()):
        raise OptionError(
            "too few answers to draw",
            expected="one training or more, two steps or more",
            remedy='learning_map({"name": answers})',
        )
    kept = {name: _after_the_first_update(found) for name, found in answers.items()}
    last = len(kept) - 1
    return View(
        "When each example is learned",
        "A row to a training example, sorted by the mean step from which on it stays right; bright where all replicas are right, dark "
        "where none is: a sharp edge means that all replicas learn the same examples first.",
        [_map(name, at, shares, named=place == last) for place, (name, (at, shares)) in enumerate(kept.items())],
        {f"{name}.{word}": array for name, (at, shares) in kept.items() for word, array in (("at", at), ("shares", shares))},
        size=(9.0, 4.4),
    )


def _after_the_first_update(found: PredictionHistory) -> tuple[Array, Array]:
    """Steps from 1 on, and the shares (examples, m), sorted."""
    order = np.argsort(np.log(np.maximum(found.learned_at_last, 1)).mean(axis=0), kind="stable")
    steps = found.at >= 1
    return found.at[steps], found.right[steps].mean(axis=1).T[order]


def curve_over(label: str, at: Array, trainings: Sequence[Array]) -> LabelledCurve:
    """A curve from each training's values (m,) at the same steps."""
    return LabelledCurve(label, at, np.stack(list(trainings), axis=1))


def _map(name: str, at: Array, shares: Array, *, named: bool) -> Panel:
    """Shares over the logarithm of the steps; between two steps those of the nearest are shown."""
    logs = np.log10(at.astype(np.float64))
    even: Array = np.linspace(float(logs[0]), float(logs[-1]), _COLUMNS)
    nearest = np.abs(even[:, None] - logs).argmin(axis=1)
    powers = range(int(np.ceil(logs[0])), int(np.floor(logs[-1])) + 1)
    box = (float(logs[0]), float(logs[-1]), float(len(shares)), 0.0)
    scale = Scale("sequential", label="fraction of replicas that are right" if named else "")
    return Panel(
        [Image(_fewer_rows(shares)[::-1][:, nearest], scale=scale, box=box)],
        Axis("updates (number of steps)", at=list(powers), texts=[decimal(10.0**power) for power in powers], ends=box[:2]),
        Axis("training examples, first learned at the top", ends=box[2:]),
        title=name,
    )
