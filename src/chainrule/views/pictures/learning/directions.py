"""Directions compared: a batch's gradient with that of all examples, Hebb's rule with the way down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.train import Model
from chainrule.views.colours import SERIES
from chainrule.views.pictures.learning.places import angle, cost_at, examples, flat, unit_names
from chainrule.views.pictures.picture import Picture
from chainrule.views.plain import printable, spaced

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class BatchAngles(Picture):
    """The angle in degrees between the gradient of a random batch and that of all examples: `angles` (sizes, draws)."""

    batch_sizes: Array
    angles: Array
    examples: int

    @property
    def title(self) -> str:
        """The angle."""
        return "How far a batch's gradient points from ∇C"

    @property
    def reading(self) -> str:
        """What line and band are, and what 90° means."""
        return (
            f"Line: mean angle over {self.angles.shape[1]} random batches of each size, band: from the 10th to the 90th of 100 "
            f"of them; 0° is the direction of all {spaced(self.examples)} examples, and below 90° a small step along the batch "
            "still lowers the cost of all."
        )

    def draw(self, ax: Axes) -> None:
        """Mean and band over the batch size."""
        low, high = np.nanquantile(self.angles, [0.1, 0.9], axis=1)
        ax.fill_between(self.batch_sizes, low, high, color=SERIES[0], alpha=0.2, linewidth=0)
        ax.plot(self.batch_sizes, np.nanmean(self.angles, axis=1), "-o", color=SERIES[0], markersize=4)
        ax.axhline(90, color="#8a8a8a", linestyle="--", linewidth=0.9)
        ax.annotate(
            "90°: at a right angle",
            (self.batch_sizes[-1], 90),
            xytext=(0, 3),
            textcoords="offset points",
            ha="right",
            fontsize=8,
        )
        ax.set_xscale("log", base=2)
        ax.set_xticks(self.batch_sizes, [str(size) for size in self.batch_sizes])
        ax.minorticks_off()
        ax.set_ylim(0, max(100.0, float(np.nanmax(high)) + 5))
        ax.set_xlabel("batch size (examples)")
        ax.set_ylabel("angle to ∇C of all examples (°)")


def batch_angles(
    model: Model, x: Array, y: Array, batch_sizes: Sequence[int] = (1, 4, 16, 64, 256), draws: int = 20, seed: int = 0
) -> BatchAngles:
    """For each size `draws` batches, drawn from x, y without putting back; the same seed draws the same batches.

    Raises: OptionError for a batch size outside 1 ... n, or no draws.
    """
    x, y = examples(model, x, y)
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
    return BatchAngles(np.array(batch_sizes), angles, len(x))


@dataclass(frozen=True, eq=False)
class Hebb(Picture):
    """For each weight of a layer Hebb's rule, the mean of a_before·a_after, and −∂C/∂w: arrays (inputs, units)."""

    size: ClassVar[tuple[float, float]] = (5.2, 3.8)
    parameter: str
    hebb: Array
    descent: Array
    inputs: tuple[str, ...]

    @property
    def title(self) -> str:
        """The two rules."""
        return f"Hebb's rule beside −∇C, {self.parameter}"

    @property
    def cosine(self) -> float:
        """The cosine of the angle between the two; NaN where one is 0."""
        return float(np.cos(np.radians(angle(self.hebb.ravel(), self.descent.ravel()))))

    @property
    def reading(self) -> str:
        """What agreement would be."""
        return (
            "A mark to a weight: what neurons that fire together would do to it (across), and what lowers the cost (up); if "
            f"both agreed, the marks would lie on a rising line through 0 with cosine 1; here it is {self.cosine:+.2f}. Hebb's "
            "rule knows no target, which is why they differ."
        )

    def draw(self, ax: Axes) -> None:
        """A mark to a weight; the shading says where both agree in sign."""
        same = np.sign(self.hebb) == np.sign(self.descent)
        for chosen, marker, colour, word in ((same, "o", SERIES[2], "same sign"), (~same, "x", SERIES[1], "other sign")):
            label = f"{word}: {spaced(int(chosen.sum()))}"
            ax.scatter(self.hebb[chosen], self.descent[chosen], s=12, marker=marker, color=colour, linewidths=0.9, label=label)
        ax.axhline(0, color="#8a8a8a", linewidth=0.7)
        ax.axvline(0, color="#8a8a8a", linewidth=0.7)
        ax.set_xlabel("Hebb: mean of a_before·a_after")
        ax.set_ylabel("−∂C/∂w")
        ax.set_title(f"cosine {self.cosine:+.3f}", loc="right", fontsize=9, fontweight="normal")
        ax.legend()


def hebb(model: Model, x: Array, y: Array, parameter: str = "dense1.W") -> Hebb:
    """Hebb's rule and the direction of descent for the weights of a Dense layer, on the examples x, y.

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
    return Hebb(parameter, before.T @ after / len(before), -gradient, unit_names(model, place.given))
