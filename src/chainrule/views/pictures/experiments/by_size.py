"""A measure against a size, such as the numbers in a code or the parameters of a fit: a line with error bars to each kind."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from chainrule.errors import OptionError
from chainrule.numerals import numeral
from chainrule.train.replicated import standard_error
from chainrule.views.marks import with_bars
from chainrule.views.panels import Axis
from chainrule.views.plain import printable
from chainrule.views.view import View, chart


def by_size(kinds: Mapping[str, Mapping[float, ArrayLike]], size_label: str, value_label: str, *, power: bool = True) -> View:
    """For each kind its values by size: a number, or one to each replica, as many at each size.

    Labels say what both axes are, with units in brackets; `power`: whether the values stand on a logarithmic axis. The numbers of each
    kind are its values, "kind" (n, repetitions), and "kind, sizes" (n,).
    Raises: OptionError without a kind, or without a size to one.

    >>> by_size({"PCA": {2: 0.05, 8: 0.03}}, "numbers in the code", "error (brightness²)").title
    'Error against numbers in the code'
    """
    if not kinds or not all(kinds.values()):
        raise OptionError("nothing to draw", expected="one kind or more, each with a size", remedy='write {"PCA": {2: 0.05}}')
    sizes = {kind: np.array(list(table)) for kind, table in kinds.items()}
    values = {kind: np.array([np.atleast_1d(value) for value in table.values()], dtype=float) for kind, table in kinds.items()}
    most = max(rows.shape[1] for rows in values.values())
    bars = f", bars one standard error over {most} replicas" if most > 1 else ""
    lines = [
        mark
        for place, (kind, rows) in enumerate(values.items())
        for mark in with_bars(place, sizes[kind], rows.mean(axis=1), standard_error(rows), printable(kind, most=40), width=1.6)
    ]
    every = np.unique(np.concatenate(list(sizes.values())))
    at = every if len(every) <= 8 else next(iter(sizes.values()))
    return chart(
        f"{value_label.partition(' (')[0].capitalize()} against {size_label.partition(' (')[0]}",
        f"A line to each kind{bars}; at one size, kinds whose bars lie apart by more than both differ.",
        lines,
        Axis(size_label, log=True, at=at, texts=[numeral(size, 6) for size in at.tolist()]),
        Axis(value_label, log=power),
        {**{f"{kind}, sizes": array for kind, array in sizes.items()}, **values},
    )
