"""Power laws: measured points with their errors on logarithmic axes, and the law that was fitted to them."""

from __future__ import annotations

import numpy as np

from chainrule.graph import Array
from chainrule.views.marks import ErrorBars, Line, Mark, Points
from chainrule.views.panels import Axis, Panel
from chainrule.views.view import View, chart, numbers


def power_law(
    title: str,
    x: Array,
    y: Array,
    errors: Array,
    law: tuple[float, float, str],
    x_name: str,
    y_name: str,
    *,
    measurements: Array | None = None,
    each: str = "data set",
    points: str = "mean ± standard error",
) -> View:
    """Points `y` (n,) ± `errors` (n,) at `x` (n,), each the mean of `measurements` (n, m), and a fitted power law.

    `law` is its exponent, its factor, and the law in words, as the legend shows it. x_name, y_name: what the axes show, with the unit.
    The numbers: `x`, `y`, `errors`, `measurements`, `exponent` and `factor`.
    """
    exponent, factor, words = law
    several = measurements is not None
    dots = f"Each faint dot is a {each}, " if several else "Each "
    bars = "each marker their mean with its standard error" if several else "marker has its standard error"
    line: Array = np.geomspace(float(x[0]), float(x[-1]), 50)
    marks: list[Mark] = [
        Line(line, factor * line**exponent, color=1, dash="dashed", label=words),
        ErrorBars(x, y - errors, y + errors, color=0, cap=3.0),
        Points(x, y, color=0, label=points),
    ]
    if measurements is not None:
        marks.insert(0, Points(np.repeat(x, measurements.shape[1]), measurements.ravel(), color="faint", alpha=0.6, size=3.0))
    return chart(
        title,
        f"{dots}{bars}; both axes are logarithmic, so that a power law is a straight line: the dashed one was fitted.",
        marks,
        _at_points(x_name, x),
        Axis(y_name, log=True),
        numbers(x=x, y=y, errors=errors, measurements=measurements, exponent=exponent, factor=factor),
        size=(6.4, 4.2),
    )


def losses_against_width(widths: Array, losses: Array, part: str, spread: View) -> View:
    """Final losses (widths, replicas) of networks that differ in their first numbers only, and their `spread`, a view by `power_law`.

    The numbers: `widths`, `losses`, `spread` and `spread_errors`.
    """
    # Dots of a column stand beside each other, so that all are seen.
    aside = np.linspace(0.93, 1.07, losses.shape[1])
    left = Panel(
        [
            Points((widths[:, None] * aside).ravel(), losses.ravel(), color=0, size=3.0),
            Points(widths, losses.mean(axis=1), color=1, marker="_", size=16.0, label="mean"),
        ],
        _at_points("width (neurons of the hidden layer)", widths),
        Axis(f"{part} loss (nats)", log=True),
    )
    return View(
        f"Final losses against width, {part} part",
        "Left every dot is a network, of which those of one column differ in their seeds only, and the bar is their mean; right the "
        "standard deviation of each column with its error, and a fitted power law.",
        [left, *spread.panels],
        numbers(widths=widths, losses=losses, spread=spread.numbers["y"], spread_errors=spread.numbers["errors"]),
        size=(9.4, 4.2),
    )


def _at_points(label: str, x: Array) -> Axis:
    """A logarithmic axis with ticks at the points themselves, as plain numbers."""
    return Axis(label, log=True, at=x, texts=[f"{place:g}" for place in x.tolist()])
