"""Phases of a lattice of spins: the lattices themselves, what networks say of them, and where the transition lies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.views.marks import Band, ErrorBars, Line, Points, Rule, Text, look, with_bars
from chainrule.views.panels import Axis
from chainrule.views.pictures.sheets import image_sheet
from chainrule.views.view import View, chart, numbers

SCALE = "temperature T (J/k_B)"
"""What stands at the axis of temperatures: they are measured by the coupling of two spins."""


def lattice_sheet(lattices: Array, temperatures: Array) -> View:
    """Lattices of spins (k, L, L), 0 for down and 1 for up, and their `temperatures` (k,)."""
    edge = lattices.shape[1]
    captions = [f"T = {numeral(temperature)} J/k_B" for temperature in temperatures.tolist()]
    return View(
        f"Lattices of {edge} × {edge} spins",
        "Each small square is a spin, white for up and black for down, as it is drawn at the temperature above the lattice.",
        [image_sheet(list(255 * lattices.astype(np.uint8)), captions, 4, line=0.07)],
        numbers(lattices=lattices, temperatures=temperatures),
        size=(7.4, 2.7),
    )


def phase_curves(sizes: Sequence[int], temperatures: Array, ordered: Array, errors: Array, known: float) -> View:
    """How ordered lattices look to a network: `ordered` and its standard `errors` at `temperatures`, all (sizes, t); `known` T_c."""
    rows = enumerate(zip(sizes, temperatures, ordered, errors, strict=True))
    curves = [mark for i, (edge, at, mean, error) in rows for mark in with_bars(i, at, mean, error, f"L = {edge}")]
    return chart(
        "What the networks say between cold and hot",
        "Each curve is the networks' mean output for one lattice size, with one standard error; where it passes one half, the size "
        "has its transition, which grows sharper and moves to the vertical line, the known T_c, as lattices grow.",
        [Rule(y=0.5), *curves, _known(known)],
        Axis(SCALE),
        Axis("mean output: probability of order", ends=(-0.03, 1.03)),
        numbers(sizes=sizes, temperatures=temperatures, ordered=ordered, errors=errors, known=known),
        size=(5.8, 3.8),
    )


def _known(known: float) -> Rule:
    return Rule(x=known, color="ink", dash="dotted", width=1.0, label=f"known T_c = {numeral(known, 5)}")


def size_extrapolation(
    sizes: Array, crossings: Array, errors: Array, coefficients: Array, covariance: Array, known: float
) -> View:
    """T*(L) for `sizes` L, with `errors`, all (sizes,); the fit Σ_k c_k/L^k: `coefficients` (k,), `covariance` (k, k); `known` T_c."""
    x = np.linspace(0, 1.15 / float(sizes.min()), 100)
    powers = np.vander(x, len(coefficients), increasing=True)
    curve, band = powers @ coefficients, np.sqrt(np.sum(powers @ covariance * powers, axis=1))
    names = [f"L = {numeral(edge, 6)}" for edge in sizes.tolist()]
    return chart(
        f"To the infinite lattice: T_c = {coefficients[0]:.3f} ± {float(np.sqrt(covariance[0, 0])):.3f} J/k_B",
        "Each point is the temperature where the mean output passes one half, with one standard error, against one over the lattice "
        "size; the fitted curve, with a band of one standard error, meets the left edge at the T_c of the infinite lattice.",
        [
            Band(x, curve - band, curve + band, color=0, alpha=0.25),
            Line(x, curve, color=0, label="T_c + a/L + b/L²"),
            ErrorBars(1 / sizes, crossings - errors, crossings + errors, cap=3.0),
            Points(1 / sizes, crossings, label="T*(L)"),
            Points([0.0], [known], color=1, marker="D", size=6.0, label=f"known T_c = {numeral(known, 5)}"),
            Text(1 / sizes, crossings, names, offset=(6, -12), across="left", up="bottom"),
        ],
        Axis("1/L (L: spins along an edge)", ends=(-0.02 * float(x[-1]), float(x[-1]))),
        Axis("T* (J/k_B)"),
        numbers(sizes=sizes, crossings=crossings, errors=errors, coefficients=coefficients, covariance=covariance, known=known),
        legend="upper left",
    )


def cumulant_crossing(
    sizes: Sequence[int], temperatures: Array, cumulants: Array, found: float, error: float, known: float
) -> View:
    """Binder's `cumulants` at `temperatures`, both (sizes, t); `found` T_c with its `error`; `known` T_c."""
    rows = enumerate(zip(sizes, temperatures, cumulants, strict=True))
    curves = [Line(at, row, **look(place), size=4.0, width=1.2, label=f"L = {edge}") for place, (edge, at, row) in rows]
    return chart(
        f"Cumulants meet at T = {found:.4f} ± {error:.4f} J/k_B",
        "Each curve is, for one lattice size, the cumulant of the number by which the networks weigh the spins: larger lattices have "
        "the larger one below T_c and the smaller one above, so that all curves meet at T_c; the band is where the smallest and the "
        "largest size meet, with one standard error.",
        [*curves, Rule(x=(found - error, found + error), alpha=0.3, label="where they meet"), _known(known)],
        Axis(SCALE),
        Axis("1 − ⟨φ⁴⟩/3⟨φ²⟩² (no unit)"),
        numbers(sizes=sizes, temperatures=temperatures, cumulants=cumulants, found=found, error=error, known=known),
        legend="lower left",
    )


def confusion_curve(
    edge: int, assumed: Array, accuracies: Array, errors: Array, peak: tuple[float, float], known: float
) -> View:
    """Test `accuracies` with `errors` of networks that learned the `assumed` transition temperatures, all (n,).

    `peak`: the middle peak and its half width; `known` T_c.
    """
    low, high = peak[0] - peak[1], peak[0] + peak[1]
    return chart(
        f"Learning by confusion, L = {edge}",
        "Each point is how often networks are right that learned labels for an assumed transition temperature, with the error of "
        "counting; the middle peak, in the grey band, is where the labels are least confusing, the dotted line is the known T_c.",
        [
            Rule(x=(low, high), alpha=0.25, label="middle peak"),
            ErrorBars(assumed, accuracies - errors, accuracies + errors, color=0),
            Line(assumed, accuracies, color=0, marker="o", size=4.0, label="accuracy"),
            _known(known),
        ],
        Axis("assumed transition temperature (J/k_B)"),
        Axis("fraction of test lattices labelled as assumed"),
        numbers(assumed=assumed, accuracies=accuracies, errors=errors, peak=peak, known=known),
    )


def order_seen(edge: int, magnetisation: Array, ordered: Array) -> View:
    """A network's output beside the magnetisation |m| of lattices of one edge length, both (n,): by what it goes."""
    some = slice(None, None, -(-len(ordered) // 2000))
    return chart(
        f"What the networks go by, L = {edge}",
        "Each point is a lattice between cold and hot: if the points lie on one rising curve, the output is a function of the "
        "magnetisation, the physicists' own measure of order, which nobody told the networks of.",
        [Rule(y=0.5, dash="dashed"), Points(magnetisation[some], ordered[some], color=0, size=3.0, alpha=0.5)],
        Axis("|m|, fraction of spins up less share down"),
        Axis("output: probability of order", ends=(-0.03, 1.03)),
        numbers(magnetisation=magnetisation, ordered=ordered),
    )
