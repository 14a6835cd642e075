"""A measure against a size, such as the numbers in a code or the parameters of a fit: a line with error bars to each kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.views.colours import DASHES, SERIES
from chainrule.views.pictures.learning.curves import standard_error
from chainrule.views.pictures.picture import Picture
from chainrule.views.pictures.scales import logarithmic
from chainrule.views.pictures.sheets import MARKERS
from chainrule.views.plain import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class BySize(Picture):
    """Values against sizes: for each of `kinds` its `sizes` (n,) and `values` (n, repetitions); what both are, with units."""

    kinds: tuple[str, ...]
    sizes: tuple[Array, ...]
    values: tuple[Array, ...]
    size_label: str
    value_label: str
    power: bool

    @property
    def title(self) -> str:
        """What is shown against what."""
        return f"{self.value_label.partition(' (')[0].capitalize()} against {self.size_label.partition(' (')[0]}"

    @property
    def reading(self) -> str:
        """How to read the lines."""
        most = max(values.shape[1] for values in self.values)
        bars = f", bars one standard error over {most} replicas" if most > 1 else ""
        return f"A line to each kind{bars}; at one size, kinds whose bars lie apart by more than both differ."

    def arrays(self) -> dict[str, Array]:
        """The sizes and the values of each kind."""
        sizes = {f"{kind}, sizes": sizes for kind, sizes in zip(self.kinds, self.sizes, strict=True)}
        return {**sizes, **dict(zip(self.kinds, self.values, strict=True))}

    def draw(self, ax: Axes) -> None:
        """A line to a kind, with error bars; logarithmic upwards where `power`."""
        for i, (kind, sizes, rows) in enumerate(zip(self.kinds, self.sizes, self.values, strict=True)):
            look: dict[str, Any] = {
                "color": SERIES[i % len(SERIES)],
                "linestyle": DASHES[i % len(DASHES)],
                "marker": MARKERS[i % len(MARKERS)],
            }
            error = standard_error(rows) if rows.shape[1] > 1 else np.zeros(len(rows))
            ax.errorbar(sizes, rows.mean(axis=1), yerr=error, label=printable(kind, most=40), capsize=2, markersize=4, **look)
        if self.power:
            logarithmic(ax)
        every = np.unique(np.concatenate(self.sizes))
        ax.set_xscale("log")
        ax.set_xticks([], minor=True)
        shown = every if len(every) <= 8 else self.sizes[0]
        ax.set_xticks(shown, [numeral(size, 6) for size in shown.tolist()])
        ax.set_xlabel(self.size_label)
        ax.set_ylabel(self.value_label)
        ax.legend()


def by_size(kinds: Mapping[str, Mapping[float, ArrayLike]], size_label: str, value_label: str, *, power: bool = True) -> BySize:
    """For each kind its values by size: a number, or one to each replica, as many at each size.

    Labels say what both axes are, with units in brackets; `power`: whether the values stand on a logarithmic axis.
    Raises: OptionError without a kind, or without a size to one.

    >>> picture = by_size({"PCA": {2: 0.05, 8: 0.03}}, "numbers in the code", "error (brightness²)")
    >>> picture.title
    'Error against numbers in the code'
    """
    if not kinds or not all(kinds.values()):
        raise OptionError("nothing to draw", expected="one kind or more, each with a size", remedy='write {"PCA": {2: 0.05}}')
    sizes = tuple(np.array(list(table)) for table in kinds.values())
    values = tuple(np.array([np.atleast_1d(value) for value in table.values()], dtype=float) for table in kinds.values())
    return BySize(tuple(kinds), sizes, values, size_label, value_label, power)
