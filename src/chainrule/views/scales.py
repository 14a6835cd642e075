"""Logarithmic axes with plain labels: matplotlib's own are formulas, which our figures do not read, so that names stay names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from chainrule.numerals import numeral, printed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FEW_DECADES = 1.7
"""On an axis shorter than this the numbers between the powers of ten are labelled too."""


def logarithmic(ax: Axes, which: Iterable[str] = ("y",)) -> None:
    """Makes the axes "x", "y" logarithmic; to be called when their limits are set."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    for name in which:
        axis = {"x": ax.xaxis, "y": ax.yaxis}[name]
        ax.set(**{f"{name}scale": "log"})
        low, high = sorted({"x": ax.get_xlim, "y": ax.get_ylim}[name]())
        few = np.log10(high / low) < FEW_DECADES
        axis.set_major_locator(LogLocator(10.0, numticks=8))
        axis.set_major_formatter(FuncFormatter(_label))
        axis.set_minor_locator(LogLocator(10.0, subs=(2.0, 5.0) if few else "auto", numticks=8))
        axis.set_minor_formatter(FuncFormatter(_label) if few else NullFormatter())


def _label(value: float, _position: int | None = None) -> str:
    return decimal(value)


def decimal(value: float) -> str:
    """A tick's number: plain from a hundredth to ten thousand, else with its power of ten in small raised figures.

    >>> decimal(0.05), decimal(10000.0), decimal(1e-7), decimal(2e5)
    ('0.05', '10000', '10⁻⁷', '2×10⁵')
    """
    if value == 0 or 0.00999 < abs(value) < 10001:
        return numeral(value, 6)
    mantissa, _, exponent = f"{value:.2e}".partition("e")
    return printed(f"{mantissa.rstrip('0').rstrip('.')}e{exponent}")


def round_levels(low: float, high: float, count: int = 9) -> list[float]:
    """Round numbers between two, about so many, 0 among them where it lies between.

    >>> round_levels(-0.3, 0.9)
    [-0.2, 0.0, 0.2, 0.4, 0.6, 0.8]
    """
    raw = (high - low) / count
    power = 10.0 ** np.floor(np.log10(raw))
    step = float(power * next(size for size in (1, 2, 2.5, 5, 10) if size * power >= 0.999 * raw))
    return [float(f"{place * step:.12g}") + 0.0 for place in range(int(np.ceil(low / step)), int(np.floor(high / step)) + 1)]
