"""Finds where a NaN or an infinity came from: the first node that made one, and the example."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from chainrule.engines import Plan
from chainrule.graph import Array, Graph, Node


def all_finite(arrays: Mapping[str, Array]) -> bool:
    """Whether no number is NaN or infinite."""
    # One NaN or infinity makes the sum so; a sum of finite numbers that overflows is looked at closely.
    with np.errstate(all="ignore"):
        return all(bool(np.isfinite(a.sum())) or bool(np.isfinite(a).all()) for a in arrays.values() if a.dtype.kind == "f")


def first_nonfinite(graph: Graph, values: Mapping[str, Array]) -> tuple[Node, Array] | None:
    """The first node in topological order whose value is not finite though its inputs are, with its value."""
    plan = Plan(graph, values)
    with np.errstate(all="ignore"):
        plan.run()
    for node in graph.nodes:
        value = plan.values[node]
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            return node, value
    return None


def row_of(value: Array, batch: int) -> int | None:
    """The row of the batch that the first number that is not finite stands in; None where the value has no row for each example."""
    if value.ndim == 0 or value.shape[0] != batch:
        return None
    return int(np.argwhere(~np.isfinite(value))[0][0])
