"""Networks with a memory as explanations read them: each time step by itself, its quantities called `rnn1.h.t3`."""

from __future__ import annotations

import re
from functools import cached_property
from math import prod

import numpy as np

from chainrule.display import Shown
from chainrule.errors import OptionError
from chainrule.graph import Array, Graph, Node, PassStep, dead_code, rewrite_nodes, run_passes
from chainrule.immutable import immutable
from chainrule.ops import broadcast_to, concatenate, reshape, simplify_algebra, slice_axes, slice_axis, transpose, unroll
from chainrule.ops.elementwise import add
from chainrule.ops.matrices import matmul
from chainrule.spelling import suggest
from chainrule.trace.quantities import Quantity
from chainrule.trace.trace import Trace

_AT_STEP = re.compile(r"(.+)\.t(\d+)")


def step_by_step(graph: Graph) -> Graph:
    """The graph as a lecture draws it: the same network once per time step, with the same weights; no number changes.

    Loops become their turns, and what was weighed for all time steps in one product is weighed at each step by itself. Products by 1
    and the like, which nobody wrote, are left out.
    """
    return run_passes(graph, (unroll, rows_apart, simplify_algebra, dead_code))[0]


def rows_apart(graph: Graph) -> tuple[Graph, PassStep]:
    """Rows are taken before a product or a sum, not behind it: row t of x·W + b becomes (row t of x)·W + b."""

    def rule(node: Node) -> Node | None:
        if node.op is not slice_axes or set(node.attributes["steps"]) != {1}:
            return None
        cut = [
            (axis, start, stop)
            for axis, (start, stop) in enumerate(zip(node.attributes["starts"], node.attributes["stops"], strict=True))
            if (start, stop) != (0, node.inputs[0].shape[axis])
        ]
        return _taken(node.inputs[0], *cut[0]) if len(cut) == 1 and not node.name else None

    return rewrite_nodes("take rows apart", graph, rule)


def _taken(source: Node, axis: int, start: int, stop: int) -> Node:
    """Entries start ... stop of an axis, taken as early as nothing else is computed."""
    if (start, stop) == (0, source.shape[axis]):
        return source
    early = None if source.is_leaf else _moved(source, axis, start, stop)
    if early is None and not source.name and axis == 0:
        early = _computed(source, start, stop)
    return slice_axis(source, axis, start, stop) if early is None else early


def _moved(source: Node, axis: int, start: int, stop: int) -> Node | None:
    """Taken before the numbers are moved about."""
    before = source.inputs[0]
    if source.op is transpose:
        return _turned(_taken(before, source.attributes["axes"][axis], start, stop), source.attributes["axes"])
    if source.op is reshape and axis == 0 and before.type.ndim:
        row, block = prod(source.shape[1:]), prod(before.shape[1:])
        if row and block and start * row % block == 0 and stop * row % block == 0:
            rows = _taken(before, 0, start * row // block, stop * row // block)
            return reshape(rows, shape=(stop - start, *source.shape[1:]))
    if source.op is concatenate and axis != source.attributes["axis"]:
        return concatenate(*(_taken(piece, axis, start, stop) for piece in source.inputs), axis=source.attributes["axis"])
    if source.op is concatenate:
        low = 0
        for piece in source.inputs:
            if low <= start and stop <= low + piece.shape[axis]:
                return _taken(piece, axis, start - low, stop - low)
            low += piece.shape[axis]
    return None


def _turned(rows: Node, axes: tuple[int, ...]) -> Node:
    """The transpose; where only axes with one entry move, a reshape, which formulas need not mention."""
    moving = [axis for axis in axes if rows.shape[axis] != 1]
    out = transpose(rows, axes=axes)
    return reshape(rows, shape=out.shape) if moving == sorted(moving) else out


def _computed(source: Node, start: int, stop: int) -> Node | None:
    """Taken before the numbers are computed, where each row is computed by itself."""
    if source.op is add:
        return add(*(_taken(part, 0, start, stop) for part in source.inputs))
    if source.op is matmul and source.type.ndim == 2:
        return matmul(_taken(source.inputs[0], 0, start, stop), source.inputs[1])
    if source.op is broadcast_to and source.inputs[0].type.ndim < source.type.ndim:
        return broadcast_to(source.inputs[0], shape=(stop - start, *source.shape[1:]))
    return None


@immutable
class ThroughTime(Shown):
    """A batch's way through a network with memory, and back: values and derivatives at each time step, numbered from 1.

    trace: of the cost graph, step by step; examples: how many are in the batch. What is called `rnn1.h` here are the trace's `rnn1.h.t1`,
    `rnn1.h.t2`, ... together.
    """

    trace: Trace
    examples: int

    @cached_property
    def _found(self) -> dict[str, dict[int, Quantity]]:
        found: dict[str, dict[int, Quantity]] = {}
        for quantity in self.trace.quantities:
            if place := _at_step(quantity):
                found.setdefault(place[0], {})[place[1]] = quantity
        return found

    @property
    def names(self) -> tuple[str, ...]:
        """The quantities that every time step has: rnn1.z, rnn1.h, ...; of an LSTM its gates too."""
        return tuple(self._found)

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers with a memory, from the input on."""
        return tuple(dict.fromkeys(name.rpartition(".")[0] for name in self._found))

    def place_of(self, quantity: Quantity) -> tuple[str, int] | None:
        """A quantity's name without its time step, and the step; None for what belongs to no step."""
        return _at_step(quantity)

    def at_steps(self, name: str) -> dict[int, Quantity]:
        """The quantities that are called `name` at each time step."""
        return dict(zip(sorted(self._found.get(name, {})), self._steps(name), strict=True))

    def values(self, name: str) -> Array:
        """A quantity at every time step: (examples, time, units)."""
        return np.stack([self.trace.value_of(quantity) for quantity in self._steps(name)], axis=1)

    def gradients(self, name: str) -> Array:
        """∂C_i/∂(quantity at step t) for each example's own cost C_i: (examples, time, units); 0 where C_i does not depend on it."""
        found = [(quantity, self.trace.arriving(quantity)) for quantity in self._steps(name)]
        return self.examples * np.stack(
            [np.zeros(quantity.node.shape) if slope is None else slope for quantity, slope in found], axis=1
        )

    def sizes(self, layer: str, state: str = "h") -> Array:
        """|∂C/∂h_t|, the length over the layer's units, its mean over the examples: (time,)."""
        return np.linalg.norm(self.gradients(f"{layer}.{state}"), axis=2).mean(axis=0)

    def contributions(self, parameter: str) -> Array:
        """What each time step adds to ∂C/∂parameter: (time, *shape of the parameter). The derivative is the sum over the time steps.

        Raises: OptionError for a parameter that is not used at time steps, or elsewhere too.
        """
        quantity = self.trace.quantity(parameter)
        terms = [(_at_step(term.user), term.value) for term in self.trace.terms(quantity)]
        if not terms or any(place is None for place, _ in terms):
            raise OptionError(
                f"the contributions of time steps to {parameter}",
                expected="a parameter of a recurrent layer",
                remedy=f"choose one of {', '.join(self._shared())}",
            )
        steps = max(step for found in self._found.values() for step in found)
        total = np.zeros((steps, *quantity.node.shape))
        for place, value in terms:
            total[(place or ("", 1))[1] - 1] += value
        return total

    def _shared(self) -> list[str]:
        return [q.name for q in self.trace.parameters if q.name.rpartition(".")[0] in self.layers]

    def _steps(self, name: str) -> list[Quantity]:
        if name not in self._found:
            raise OptionError(
                f"quantity {name!r} at time steps",
                expected=f"one of {', '.join(self.names)}" if self.names else "a network with a recurrent layer",
                remedy=suggest(name, self.names),
            )
        return [self._found[name][step] for step in sorted(self._found[name])]


def _at_step(quantity: Quantity) -> tuple[str, int] | None:
    """Its name without the time step, and the step; None for what belongs to no step."""
    found = _AT_STEP.fullmatch(quantity.name)
    return (found[1], int(found[2])) if found else None
