"""How much rounding can move each entry of a result: every number of its graph is moved by its own rounding error, again and again.

Source: D. S. Parker, Monte Carlo Arithmetic, UCLA technical report CSD-970002 (1997).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from chainrule.graph import Array, Node, topological_order
from chainrule.ops.elementwise import add, subtract

SAMPLES = 8
ROUNDING = 64.0
"""So many times the rounding that was measured is allowed: two ways to compute one sum differ by √2 of it, one entry in 10⁹ by six times
that, and another formula for the same gradient rounds a few times as much."""
JUMPS = 8.0
"""As many times where what moves is no rounding but the two sides of a kink: several of them may be taken the other way together."""


def _size(node: Node, value: Array, inputs: Sequence[Array]) -> Array:
    if node.op.rounding != "terms":
        return np.abs(value)
    sizes = [np.abs(array) if array.dtype.kind == "f" else array for array in inputs]
    return (add if node.op is subtract else node.op).meaning(*sizes, **node.attributes)


def rounding_of(nodes: Sequence[Node], values: Mapping[Node, Array], unit: float, inputs_too: bool = False) -> list[Array]:
    """By how much each entry of the nodes may differ when everything that they are computed from is rounded to a relative precision.

    unit: the precision, 2.2e-16 for float64; values: of the leaves. inputs_too: the leaves themselves are rounded as well. A sum moves
    with the sizes of its terms, so an entry that should be 0 moves by what does not cancel. Of several trials the root mean square
    counts, `ROUNDING` times; `JUMPS` times where rounding decides which way a kink is taken.

    >>> from chainrule.graph import input_node
    >>> from chainrule.ops import sum
    >>> x = input_node("x", (3,))
    >>> (moved,) = rounding_of([sum(x)], {x: np.array([1e8, 1.0, -1e8])}, 2.0**-52)
    >>> bool(1e-8 < moved < 1e-5)
    True
    """
    random = np.random.default_rng(0)
    order = topological_order(nodes)
    with np.errstate(all="ignore"):
        exact = _run(order, values, 0.0, False, random)
        trials = [_run(order, values, unit, inputs_too, random) for _ in range(SAMPLES)]
    largest = max((float(np.max(np.abs(exact[node]), initial=0.0)) for node in nodes), default=0.0)
    moved = (np.stack([np.asarray(trial[node]) for trial in trials]) - exact[node] for node in nodes)
    return [_allowed(moves, largest, unit) for moves in moved]


def _allowed(moves: Array, largest: float, unit: float) -> Array:
    """What may differ, from how far each trial moved: by more than rounding does to the largest entry of all, it is a jump."""
    typical = np.sqrt(np.mean(moves * moves, axis=0))
    return np.where(typical > np.sqrt(unit) * largest, JUMPS, ROUNDING) * typical


def _run(
    order: Sequence[Node], values: Mapping[Node, Array], unit: float, inputs_too: bool, random: np.random.Generator
) -> dict[Node, Array]:
    known: dict[Node, Array] = {}
    for node in order:
        given = node in values
        inputs = [] if given else [known[source] for source in node.inputs]
        value = np.asarray(values[node] if given else node.op.meaning(*inputs, **node.attributes))
        rounds = inputs_too if node.is_leaf else node.op.rounding != "none"
        if unit and rounds and value.dtype.kind == "f":
            size = _lost(value, unit) if node.is_leaf else _size(node, value, inputs)
            value = value + unit * size * random.uniform(-1.0, 1.0, value.shape)
        known[node] = value
    return known


def _lost(value: Array, unit: float) -> Array:
    """The sizes of those entries that a coarser precision does not hold: whole numbers and the like stay as they are."""
    coarser = next((dtype for dtype in (np.float32, np.float16) if float(np.finfo(dtype).eps) == unit), np.float64)
    return np.where(value.astype(coarser) == value, 0.0, np.abs(value))
