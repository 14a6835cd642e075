"""Fits of measurements with error bars: pulls beside the normal density, and a fitted curve with its band beside the law."""

from __future__ import annotations

import numpy as np

from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.views.marks import Band, Bars, ErrorBars, Line, Mark, Points
from chainrule.views.panels import Axis
from chainrule.views.view import View, chart, numbers

FARTHEST = 4.5
"""Pulls beyond this many standard errors are drawn at the edge."""


def pull_histogram(what: str, pulls: Array) -> View:
    """How the `pulls` (n,), differences over their standard errors, are distributed, beside the normal density."""
    mean, spread = numeral(float(pulls.mean()), 2), numeral(float(pulls.std(ddof=1)), 3)
    edges = np.linspace(-FARTHEST, FARTHEST, 31)
    width, middles = float(edges[1] - edges[0]), (edges[1:] + edges[:-1]) / 2
    counts = np.histogram(np.clip(pulls, -FARTHEST, FARTHEST), edges)[0]
    heights, errors = counts / (len(pulls) * width), np.sqrt(counts) / (len(pulls) * width)
    x = np.linspace(-FARTHEST, FARTHEST, 200)
    return chart(
        f"Pulls of {len(pulls)} {what}: mean {mean}, width {spread}",
        "Bars are the fraction of differences, each divided by its standard error, with the error of counting; if the errors are true "
        "they follow the dashed normal density, if the errors are too small the bars are wider than it.",
        [
            Bars(middles, heights, width=width, color=5, edge="light", label="pulls"),
            ErrorBars(middles, heights - errors, heights + errors, cap=1.5, width=0.8),
            Line(x, np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi), color=1, dash="dashed", label="normal density"),
        ],
        Axis("pull: difference / standard error (no unit)"),
        Axis("share per unit of the pull"),
        numbers(pulls=pulls),
    )


def law_and_band(
    names: tuple[str, str],
    x: Array,
    law: Array,
    predicted: Array,
    band: Array,
    measured: Array | None = None,
    sigma: Array | None = None,
) -> View:
    """The fit `predicted` with its standard error `band`, and the `law`, at `x`, all (n,); and what was `measured`, with `sigma`, (n,).

    `names`: what the axes show, with the units.
    """
    seen = measured is not None and sigma is not None
    points: list[Mark] = (
        [
            ErrorBars(x, measured - sigma, measured + sigma, color="faint", cap=1.5),
            Points(x, measured, color="faint", size=3.0, label="measured ± σ"),
        ]
        if measured is not None and sigma is not None
        else []
    )
    return chart(
        "Measurements, law and network" if seen else "The law, and the network with its band",
        f"{'Points are measurements with their standard errors; the' if seen else 'The'} dashed line is the law, the solid one the "
        "network, in a band of one standard error that should hold the law in "
        "68 % of the cases.",
        [
            *points,
            Band(x, predicted - band, predicted + band, color=0, alpha=0.35, label="band"),
            Line(x, predicted, color=0, width=1.3, label="network"),
            Line(x, law, color=1, dash="dashed", width=1.3, label="law"),
        ],
        Axis(names[0]),
        Axis(names[1]),
        numbers(x=x, law=law, predicted=predicted, band=band, measured=measured, sigma=sigma),
    )
