"""Directions compared: a batch's gradient with that of all examples, Hebb's rule with the way down."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.train import Model
from chainrule.views.marks import Band, Line, Points, Rule, Text, ends_of
from chainrule.views.panels import Axis
from chainrule.views.pictures.kinds import learns, suits
from chainrule.views.pictures.learning.places import angle, cost_at, examples, flat
from chainrule.views.plain import printable, spaced
from chainrule.views.view import View, chart, numbers

USUAL_SIZES = (1, 4, 16, 64, 256)


def batch_angles(
    model: Model, x: Array, y: Array, batch_sizes: Sequence[int] | None = None, draws: int = 20, seed: int = 0
) -> View:
    """For each size `draws` batches, drawn from x, y without putting back; the same seed draws the same batches.

    batch_sizes: None for those of 1, 4, 16, 64 and 256 that the examples suffice for.

    The numbers: `angles` (sizes, draws) in degrees between the gradient of a batch and that of all examples, and `batch_sizes`.
    Raises: OptionError for a batch size outside 1 ... n, or no draws.
    """
    x, y = examples(model, x, y)
    if batch_sizes is None:
        batch_sizes = [size for size in USUAL_SIZES if size <= len(x)]
    if not batch_sizes or min(batch_sizes) < 1 or max(batch_sizes) > len(x) or draws < 1:
        raise OptionError(
            f"batches of {', '.join(map(str, batch_sizes)) or 'no size'} from {len(x)} examples, {draws} draws",
            expected=f"sizes of 1 ... {len(x)}, at least 1 draw",
            remedy="choose smaller batches, or give more examples",
        )
    random, full = np.random.default_rng(seed), flat(model.gradient(x, y))
    angles = np.empty((len(batch_sizes), draws))
    for row, size in enumerate(batch_sizes):
        for draw in range(draws):
            rows: Array = random.permutation(len(x))[:size]
            angles[row, draw] = angle(flat(model.gradient(x[rows], y[rows])), full)
    # A gradient that is zero points nowhere.
    known = [row[np.isfinite(row)] for row in angles]
    spread = np.array([(*np.quantile(row, [0.1, 0.9]), row.mean()) if row.size else (np.nan,) * 3 for row in known])
    low, high, middle = spread.T
    return chart(
        "How far a batch's gradient points from ∇C",
        f"Line: mean angle over {draws} random batches of each size, band: from the 10th to the 90th of 100 "
        f"of them; 0° is the direction of all {spaced(len(x))} examples, and below 90° a small step along the batch "
        "still lowers the cost of all.",
        [
            Band(batch_sizes, low, high, color=0),
            Line(batch_sizes, middle, color=0, marker="o", size=4.0),
            Rule(y=90.0, dash="dashed"),
            Text(batch_sizes[-1], 90, "90°: at a right angle", offset=(0, 3), across="right", up="bottom"),
        ],
        Axis("batch size (examples)", log=True, at=batch_sizes, texts=list(map(str, batch_sizes))),
        Axis("angle to ∇C of all examples (°)", ends=(0, max(100.0, ends_of(high)[1] + 5))),
        numbers(batch_sizes=batch_sizes, angles=angles),
    )


@suits(learns("dense1.W"))
def hebb(model: Model, x: Array, y: Array, parameter: str = "dense1.W") -> View:
    """Hebb's rule and the direction of descent for the weights of a Dense layer, on the examples x, y.

    The numbers: for each weight Hebb's rule, the mean of a_before·a_after, `hebb`, and −∂C/∂w, `descent`, both (inputs, units); the
    `cosine` of the angle between them, NaN where one is 0.
    Raises: OptionError for anything but the weights of a Dense layer. Source: D. O. Hebb, The Organization of Behavior (1949).
    """
    layer, _, kind = parameter.rpartition(".")
    if kind != "W" or not layer:
        raise OptionError(
            f"parameter {printable(parameter)!r}", expected="the weights of a Dense layer", remedy='write "dense1.W"'
        )
    here = cost_at(model, x, y)
    place = here.dense(layer)
    before, after = here.values([place.given, place.a])
    (gradient,) = here.derivatives([place.weights])
    rule, descent = before.T @ after / len(before), -gradient
    cosine = float(np.cos(np.radians(angle(rule.ravel(), descent.ravel()))))
    found = "here one of both is 0 everywhere" if np.isnan(cosine) else f"here it is {cosine:+.2f}"
    same = np.sign(rule) == np.sign(descent)
    return chart(
        f"Hebb's rule beside −∇C, {parameter}",
        "A mark to a weight: what neurons that fire together would do to it (across), and what lowers the cost (up); if "
        f"both agreed, the marks would lie on a rising line through 0 with cosine 1; {found}. Hebb's "
        "rule knows no target, which is why they differ.",
        [
            Rule(x=0.0, y=0.0),
            Points(rule[same], descent[same], color=2, label=f"same sign: {spaced(int(same.sum()))}"),
            Points(rule[~same], descent[~same], color=1, marker="x", label=f"other sign: {spaced(int((~same).sum()))}"),
        ],
        Axis("Hebb: mean of a_before·a_after"),
        Axis("−∂C/∂w"),
        numbers(hebb=rule, descent=descent, cosine=cosine),
        size=(5.2, 3.8),
        legend_title="" if np.isnan(cosine) else f"cosine {cosine:+.3f}",
    )
