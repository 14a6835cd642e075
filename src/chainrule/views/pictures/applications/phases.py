"""Phases of a lattice of spins: the lattices themselves, what networks say of them, and where the transition lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.views.colours import DASHES, SERIES
from chainrule.views.figures.style import FAINT, INK
from chainrule.views.pictures.picture import Picture
from chainrule.views.pictures.sheets import MARKERS, draw_images

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SCALE = "temperature T (J/k_B)"
"""What stands at the axis of temperatures: they are measured by the coupling of two spins."""


@dataclass(frozen=True, eq=False)
class LatticeSheet(Picture):
    """Lattices of spins (k, L, L), 0 for down and 1 for up, and their `temperatures` (k,)."""

    size: ClassVar[tuple[float, float]] = (7.4, 2.7)
    lattices: Array
    temperatures: Array

    @property
    def title(self) -> str:
        """How large they are."""
        edge = self.lattices.shape[1]
        return f"Lattices of {edge} × {edge} spins"

    @property
    def reading(self) -> str:
        """What is white and black."""
        return (
            "Each small square is a spin, white for up and black for down, as it is drawn at the temperature above the lattice."
        )

    def draw(self, ax: Axes) -> None:
        """The lattices side by side."""
        captions = [f"T = {numeral(temperature)} J/k_B" for temperature in self.temperatures.tolist()]
        draw_images(ax, 255 * self.lattices.astype(np.uint8), captions, 4, line=0.07)


@dataclass(frozen=True, eq=False)
class PhaseCurves(Picture):
    """How ordered lattices look to a network: `ordered` and its standard `errors` at `temperatures`, all (sizes, t); `known` T_c."""

    size: ClassVar[tuple[float, float]] = (5.8, 3.8)
    sizes: tuple[int, ...]
    temperatures: Array
    ordered: Array
    errors: Array
    known: float

    @property
    def title(self) -> str:
        """What is seen."""
        return "What the networks say between cold and hot"

    @property
    def reading(self) -> str:
        """How to read the curves."""
        return (
            "Each curve is the networks' mean output for one lattice size, with one standard error; where it passes one half, the size "
            "has its transition, which grows sharper and moves to the vertical line, the known T_c, as lattices grow."
        )

    def draw(self, ax: Axes) -> None:
        """A curve for each size."""
        for place, edge in enumerate(self.sizes):
            ax.errorbar(
                self.temperatures[place],
                self.ordered[place],
                self.errors[place],
                color=SERIES[place % len(SERIES)],
                marker=MARKERS[place % len(MARKERS)],
                linestyle=DASHES[place % len(DASHES)],
                markersize=4,
                linewidth=1.2,
                capsize=2,
                label=f"L = {edge}",
            )
        ax.axhline(0.5, color=FAINT, linewidth=0.8)
        ax.axvline(self.known, color=INK, linewidth=1, linestyle=":", label=f"known T_c = {numeral(self.known, 5)}")
        ax.set(xlabel=SCALE, ylabel="mean output: probability of order", ylim=(-0.03, 1.03))
        ax.legend()


@dataclass(frozen=True, eq=False)
class SizeExtrapolation(Picture):
    """T*(L) for `sizes` L, with `errors`, all (sizes,); the fit Σ_k c_k/L^k: `coefficients` (k,), `covariance` (k, k); `known` T_c."""

    sizes: Array
    crossings: Array
    errors: Array
    coefficients: Array
    covariance: Array
    known: float

    @property
    def title(self) -> str:
        """What the fit comes to."""
        error = float(np.sqrt(self.covariance[0, 0]))
        return f"To the infinite lattice: T_c = {self.coefficients[0]:.3f} ± {error:.3f} J/k_B"

    @property
    def reading(self) -> str:
        """How to read the points."""
        return (
            "Each point is the temperature where the mean output passes one half, with one standard error, against one over the lattice "
            "size; the fitted curve, with a band of one standard error, meets the left edge at the T_c of the infinite lattice."
        )

    def draw(self, ax: Axes) -> None:
        """Points, curve with band, known value."""
        x = np.linspace(0, 1.15 / float(self.sizes.min()), 100)
        powers = np.vander(x, len(self.coefficients), increasing=True)
        curve, band = powers @ self.coefficients, np.sqrt(np.sum(powers @ self.covariance * powers, axis=1))
        ax.fill_between(x, curve - band, curve + band, color=SERIES[0], alpha=0.25, linewidth=0)
        ax.plot(x, curve, color=SERIES[0], label="T_c + a/L + b/L²")
        ax.errorbar(1 / self.sizes, self.crossings, self.errors, fmt="o", color=INK, capsize=3, markersize=4, label="T*(L)")
        ax.plot([0], [self.known], "D", color=SERIES[1], clip_on=False, zorder=5, label=f"known T_c = {numeral(self.known, 5)}")
        ax.set(xlabel="1/L (L: spins along an edge)", ylabel="T* (J/k_B)", xlim=(0, float(x[-1])))
        for edge, value in zip(self.sizes.tolist(), self.crossings.tolist(), strict=True):
            ax.annotate(f"L = {numeral(edge, 6)}", (1 / edge, value), (6, -12), textcoords="offset points", fontsize=8)
        ax.legend(loc="upper left")


@dataclass(frozen=True, eq=False)
class CumulantCrossing(Picture):
    """Binder's `cumulants` at `temperatures`, both (sizes, t); `found` T_c with its `error`; `known` T_c."""

    sizes: tuple[int, ...]
    temperatures: Array
    cumulants: Array
    found: float
    error: float
    known: float

    @property
    def title(self) -> str:
        """Where they meet."""
        return f"Cumulants meet at T = {self.found:.4f} ± {self.error:.4f} J/k_B"

    @property
    def reading(self) -> str:
        """How to read the curves."""
        return (
            "Each curve is, for one lattice size, the cumulant of the number by which the networks weigh the spins: larger lattices have "
            "the larger one below T_c and the smaller one above, so that all curves meet at T_c; the band is where the smallest and the "
            "largest size meet, with one standard error."
        )

    def draw(self, ax: Axes) -> None:
        """A curve for each size, the meeting point, the known value."""
        for place, edge in enumerate(self.sizes):
            ax.plot(
                self.temperatures[place],
                self.cumulants[place],
                color=SERIES[place % len(SERIES)],
                marker=MARKERS[place % len(MARKERS)],
                linestyle=DASHES[place % len(DASHES)],
                markersize=4,
                linewidth=1.2,
                label=f"L = {edge}",
            )
        ax.axvspan(
            self.found - self.error, self.found + self.error, color=FAINT, alpha=0.3, linewidth=0, label="where they meet"
        )
        ax.axvline(self.known, color=INK, linewidth=1, linestyle=":", label=f"known T_c = {numeral(self.known, 5)}")
        ax.set(xlabel=SCALE, ylabel="1 − ⟨φ⁴⟩/3⟨φ²⟩² (no unit)")
        ax.legend(loc="lower left")


@dataclass(frozen=True, eq=False)
class ConfusionCurve(Picture):
    """Test `accuracies` with `errors` of networks that learned the `assumed` transition temperatures, all (n,); the `peak`, ± `width`."""

    edge: int
    assumed: Array
    accuracies: Array
    errors: Array
    peak: float
    width: float
    known: float

    @property
    def title(self) -> str:
        """What is seen."""
        return f"Learning by confusion, L = {self.edge}"

    @property
    def reading(self) -> str:
        """How to read the W."""
        return (
            "Each point is how often networks are right that learned labels for an assumed transition temperature, with the error of "
            "counting; the middle peak, in the grey band, is where the labels are least confusing, the dotted line is the known T_c."
        )

    def draw(self, ax: Axes) -> None:
        """The W, its peak, the known value."""
        ax.axvspan(self.peak - self.width, self.peak + self.width, color=FAINT, alpha=0.25, linewidth=0, label="middle peak")
        ax.errorbar(
            self.assumed, self.accuracies, self.errors, fmt="o-", color=SERIES[0], markersize=4, capsize=2, label="accuracy"
        )
        ax.axvline(self.known, color=INK, linewidth=1, linestyle=":", label=f"known T_c = {numeral(self.known, 5)}")
        ax.set(xlabel="assumed transition temperature (J/k_B)", ylabel="fraction of test lattices labelled as assumed")
        ax.legend()


@dataclass(frozen=True, eq=False)
class OrderSeen(Picture):
    """A network's output beside the magnetisation |m| of lattices of one edge length, both (n,): by what it goes."""

    edge: int
    magnetisation: Array
    ordered: Array

    @property
    def title(self) -> str:
        """What is compared."""
        return f"What the networks go by, L = {self.edge}"

    @property
    def reading(self) -> str:
        """How to read the points."""
        return (
            "Each point is a lattice between cold and hot: if the points lie on one rising curve, the output is a function of the "
            "magnetisation, the physicists' own measure of order, which nobody told the networks of."
        )

    def draw(self, ax: Axes) -> None:
        """One point to a lattice, at most 2000 of them."""
        step = -(-len(self.ordered) // 2000)
        ax.plot(self.magnetisation[::step], self.ordered[::step], "o", color=SERIES[0], markersize=2, alpha=0.5)
        ax.axhline(0.5, color=FAINT, linewidth=0.8, linestyle="--")
        ax.set(xlabel="|m|, fraction of spins up less share down", ylabel="output: probability of order", ylim=(-0.03, 1.03))


__all__ = ["ConfusionCurve", "CumulantCrossing", "LatticeSheet", "OrderSeen", "PhaseCurves", "SizeExtrapolation"]
