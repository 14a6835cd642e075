"""Hopfield's memory: a corrupted pattern that falls into a stored one, and how well patterns are kept when they become many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from chainrule.errors import ShapeError
from chainrule.graph import Array, Shape
from chainrule.nn import hebb_weights, hopfield_recall
from chainrule.ops import erf
from chainrule.views.colours import DASHES, SERIES
from chainrule.views.figures.style import FAINT, INK
from chainrule.views.pictures.learning.curves import standard_error
from chainrule.views.pictures.picture import Picture
from chainrule.views.pictures.sheets import MARKERS, draw_image
from chainrule.views.pictures.subplots import subplots

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CAPACITY = 0.1379056
"""The largest load P/N at which infinitely many neurons remember: where the curve of `retrieval_theory` ends."""


def retrieval_theory(count: int = 400) -> tuple[Array, Array]:
    """Load α and overlap m of the states in which stored patterns are remembered, for infinitely many neurons: each (count,).

    The last α is the capacity, α_c = 0.1379: beyond it there is no such state. With y = m/√(2αr) the overlap is m = erf(y) and the load
    √(2α) = erf(y)/y − 2/√π·exp(−y²).

    Source: D. J. Amit, H. Gutfreund, H. Sompolinsky, Phys. Rev. Lett. 55, 1530 (1985), at temperature 0.

    >>> load, overlap = retrieval_theory()
    >>> float(load[-1].round(4)), float(overlap[-1].round(3))
    (0.1379, 0.967)
    """
    y = np.linspace(1.0, 4.0, 30_001)
    m = erf.meaning(y)
    load = 0.5 * (m / y - 2 / np.sqrt(np.pi) * np.exp(-(y**2))) ** 2
    top = int(load.argmax())
    # Below the top two overlaps belong to a load: the larger one is the memory.
    wanted: Array = np.linspace(float(load[-1]), float(load[top]), count)
    return wanted, np.interp(wanted, load[top:][::-1], m[top:][::-1])


@dataclass(frozen=True, eq=False)
class OverlapAgainstLoad(Picture):
    """Overlap of stored patterns with where they fall to, `overlaps` (sizes, loads, sets), at each of `loads`; `neurons` (sizes,).

    `recalled` (sizes, loads, sets): the fraction of the patterns that end with an overlap above 0.9.
    """

    size: ClassVar[tuple[float, float]] = (7.6, 3.8)
    neurons: Array
    loads: Array
    overlaps: Array
    recalled: Array

    @property
    def title(self) -> str:
        """What is seen."""
        return "How well a memory keeps many patterns"

    @property
    def reading(self) -> str:
        """How to read the marks."""
        return (
            f"Marks are means over {self.overlaps.shape[2]} sets of random patterns, with one standard error; up to the dashed line, the "
            "capacity by theory, patterns stay near where they were stored and larger memories lose a smaller fraction of them, beyond it "
            "a larger one."
        )

    def draw(self, ax: Axes) -> None:
        """The overlaps with theory's curve, beside them the shares; both with the capacity."""
        left, right = subplots(ax, 1, 2)
        self._draw_sizes(left, self.overlaps)
        load, overlap = retrieval_theory()
        within = load >= self.loads.min()
        left.plot(load[within], overlap[within], color=INK, linewidth=1.8, label="theory, infinitely many")
        left.set_ylabel("overlap with the pattern (no unit)")
        self._draw_sizes(right, self.recalled)
        right.set_ylabel("patterns kept: overlap above 0.9 (share)")
        left.legend(loc="lower left")

    def _draw_sizes(self, ax: Axes, tables: Array) -> None:
        for i, (count, table) in enumerate(zip(self.neurons.tolist(), tables, strict=True)):
            look: dict[str, Any] = {
                "color": SERIES[i % len(SERIES)],
                "linestyle": DASHES[i % len(DASHES)],
                "marker": MARKERS[i % len(MARKERS)],
            }
            error = standard_error(table)
            ax.errorbar(
                self.loads, table.mean(axis=1), yerr=error, markersize=3.5, linewidth=1.0, label=f"{count} neurons", **look
            )
        ax.axvline(CAPACITY, color=FAINT, linestyle="--", linewidth=0.9, label=f"α_c = {CAPACITY:.4f}")
        ax.set_xlabel("load α = patterns/neurons (no unit)")
        ax.set_ylim(0, 1.03)


def overlap_against_load(neurons: Sequence[int], loads: Sequence[float], *, sets: int = 8, seed: int = 0) -> OverlapAgainstLoad:
    """Random patterns stored by Hebb's rule, each recalled from itself: its overlap with where it comes to rest.

    `sets` sets of patterns are drawn anew for each number of neurons and each load.
    """
    shape = (len(neurons), len(loads), sets)
    overlaps, recalled = np.empty(shape), np.empty(shape)
    for (i, count), (j, load), k in product(enumerate(neurons), enumerate(loads), range(sets)):
        found = _overlaps(count, max(1, round(load * count)), (seed, count, j, k))
        overlaps[i, j, k], recalled[i, j, k] = found.mean(), np.mean(found > 0.9)
    return OverlapAgainstLoad(np.array(neurons), np.array(loads), overlaps, recalled)


def _overlaps(count: int, stored: int, seed: tuple[int, ...]) -> Array:
    patterns = np.where(np.random.default_rng(seed).random((stored, count)) < 0.5, -1.0, 1.0)
    ended = hopfield_recall(hebb_weights(patterns), patterns, seed=seed[-1])
    return np.mean(ended.states * patterns, axis=1)


@dataclass(frozen=True, eq=False)
class Recollection(Picture):
    """Patterns as they were stored, corrupted, and recalled, each (k, height, width) of ±1.

    `energies` (turns + 1, k): after each turn of a neuron, NaN beyond the last; `resting` (k,): of the stored patterns.
    """

    size: ClassVar[tuple[float, float]] = (6.8, 4.6)
    stored: Array
    corrupted: Array
    recalled: Array
    energies: Array
    resting: Array

    @property
    def title(self) -> str:
        """What is seen."""
        return "Corrupted patterns fall into stored ones"

    @property
    def reading(self) -> str:
        """How to read it."""
        return (
            "Above, a column to each pattern: as it was stored, as it was given, and where it came to rest; below, its energy after each "
            "turn of a neuron, which only falls, down to that of the stored pattern (dotted)."
        )

    def draw(self, ax: Axes) -> None:
        """Rows of pictures, and the energies below."""
        upper, lower = subplots(ax, 2, 1)
        self._draw_images(upper)
        for k in range(len(self.stored)):
            colour = SERIES[k % len(SERIES)]
            dashes = DASHES[k % len(DASHES)]
            lower.plot(self.energies[:, k], color=colour, linestyle=dashes, label=f"pattern {k + 1}")
            ends = int(np.isfinite(self.energies[:, k]).sum()) - 1
            lower.plot([ends], self.energies[ends, k : k + 1], MARKERS[k % len(MARKERS)], color=colour, markersize=4)
            lower.axhline(self.resting[k], color=colour, linestyle=":", linewidth=0.7)
        lower.set_xlabel("neurons turned, one after the other")
        lower.set_ylabel("energy (no unit)")
        lower.legend(ncols=2)

    def _draw_images(self, ax: Axes) -> None:
        ax.set_axis_off()
        count = len(self.stored)
        for row, (word, images) in enumerate((("stored", self.stored), ("given", self.corrupted), ("recalled", self.recalled))):
            ax.text(0.0, 0.84 - row / 3, word, transform=ax.transAxes, fontsize=8, va="center")
            for k in range(count):
                panel = ax.inset_axes((0.12 + 0.88 * k / count, 0.68 - row / 3, 0.86 / count, 0.31))
                draw_image(panel, images[k], -1.0, 1.0)
                panel.set_anchor("C")


def recollection(
    weights: Array, patterns: Array, shape: Shape, *, flipped: float = 0.2, sweeps: int = 100, seed: int = 0
) -> Recollection:
    """Patterns (k, neurons) of ±1 with a fraction of their pixels `flipped` by chance, and where they come to rest in a memory.

    Raises: ShapeError where `shape`, (height, width), has another number of pixels than there are neurons.
    """
    patterns = np.asarray(patterns, dtype=np.float64)
    if patterns.ndim != 2 or patterns.shape[1] != np.prod(shape):
        raise ShapeError(
            f"patterns {patterns.shape} as pictures {shape}",
            expected="height × width neurons",
            remedy=f"give a shape with the product {patterns.shape[-1]}",
        )
    noise = np.random.default_rng(seed).random(patterns.shape) < flipped
    given = np.where(noise, -patterns, patterns)
    found = hopfield_recall(weights, given, sweeps=sweeps, seed=seed)
    resting = -0.5 * np.sum(patterns * (patterns @ weights), axis=1)
    stored, shown, ended = (rows.reshape(len(rows), *shape) for rows in (patterns, given, found.states))
    energies = np.full((max(map(len, found.paths)), len(patterns)), np.nan)
    for column, path in zip(energies.T, found.paths, strict=True):
        column[: len(path)] = path
    return Recollection(stored, shown, ended, energies, resting)
