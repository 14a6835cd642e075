"""Verdicts: each derivative rule at its node, and each parameter's derivative from end to end, beside finite differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from chainrule.errors import OptionError
from chainrule.graph import INPUT, PARAMETER, Array, Node, evaluate, evaluator, topological_order
from chainrule.ops import stop_gradient
from chainrule.trace.differences import AGREEMENT, Slope, relative, slope
from chainrule.trace.quantities import Quantity
from chainrule.trace.trace import Index, Trace, require_index

State: TypeAlias = Literal["agrees", "kink", "differs"]
SMALL, SMALL_WORK = 400, 10_000
"""Networks with up to so many parameters, and so many of them times quantities, have every entry checked."""
LARGEST, SAMPLED = 5, 5
"""Of each parameter of a larger network: so many of the largest entries, and so many drawn at random."""


@dataclass(frozen=True)
class RuleCheck:
    """What a quantity passes back to one of its inputs, held against a finite difference of the quantity's own formula.

    The check is local: it takes what arrives as given, so that a wrong rule shows at its quantity and nowhere else. It goes along one
    random direction of signs, which moves every entry at once: `derivative` and `difference` are slopes along it.
    """

    quantity: Quantity
    place: int
    derivative: float
    difference: float
    error: float
    state: State

    @property
    def input(self) -> Quantity:
        """The input that it is about."""
        return self.quantity.inputs[self.place]


@dataclass(frozen=True)
class EntryCheck:
    """∂C/∂entry of a parameter from the backward pass, and the slope of the whole cost by finite differences.

    Shapes: scalars. `error` is relative to the larger of both, or to a thousandth of the parameter's largest derivative where both
    are smaller.
    """

    name: str
    index: Index
    derivative: float
    difference: float
    error: float
    state: State


def check_rules(trace: Trace, seed: int = 0) -> tuple[RuleCheck, ...]:
    """A verdict for each input of each quantity that passes a derivative back, in the order of the backward pass."""
    found: list[RuleCheck] = []
    for quantity in reversed(trace.quantities):
        arriving = trace.arriving(quantity)
        for place, rule in enumerate(quantity.rules):
            if rule is not None and arriving is not None:
                passed = trace.passed_back(quantity, rule, arriving)
                found.append(_check_rule(trace, quantity, place, (arriving, passed), seed))
    return tuple(found)


def _check_rule(trace: Trace, quantity: Quantity, place: int, derivatives: tuple[Array, Array], seed: int) -> RuleCheck:
    """The verdict on what is passed back: `derivatives` are what arrives at the quantity and what its rule makes of it."""
    arriving, passed = derivatives
    values = [trace.value_of(source) for source in quantity.inputs]
    here = values[place]
    signs = np.random.default_rng([seed, quantity.number, place])

    def verdict(way: Array, at: Array, passed: Array, agreed: State) -> RuleCheck:
        given = dict(zip(quantity.stand_ins, _with(values, place, at), strict=True))
        given |= _held([quantity.definition], given)
        run = evaluator([quantity.definition], given)

        def move(step: float) -> float:
            moved = {**given, quantity.stand_ins[place]: at + step * way}
            return float(np.sum(arriving * run(moved)[0]))

        derivative, found = float(np.sum(passed * way)), slope(move)
        # Products of random signs add up like this; it tells a sum that cancels from one that is small.
        error = relative(derivative, found.value, float(np.sqrt(np.sum((passed * way) ** 2))))
        state = agreed if _agrees(derivative, found, error) else "differs"
        return RuleCheck(quantity, place, derivative, found.value, error, state)

    first = verdict((ways := _directions(here, signs))[0], here, passed, "agrees")
    if first.state == "agrees":
        return first
    second = verdict(ways[1], here, passed, "agrees")
    if second.state == "agrees":
        return second
    # Beside a kink, where two entries are no longer equal and none is exactly 0, a right rule is right.
    beside = here + 0.01 * ways[0] * signs.uniform(0.5, 1.0, here.shape)
    rule = quantity.rules[place]
    there = {**dict(zip(quantity.stand_ins, _with(values, place, beside), strict=True)), quantity.arriving: arriving}
    third = verdict(ways[0], beside, evaluate([rule], there)[0], "kink") if rule is not None else first
    return third if third.state == "kink" else first


def _with(values: list[Array], place: int, value: Array) -> list[Array]:
    return [value if i == place else other for i, other in enumerate(values)]


def _held(roots: Sequence[Node], values: Mapping[Node, Array]) -> dict[Node, Array]:
    """What lets no gradient pass by intention, with its value: a finite difference must hold it still as well."""
    nodes = [node for node in topological_order(roots, values) if node.op is stop_gradient and node not in values]
    return dict(zip(nodes, evaluate(nodes, values), strict=True))


def _directions(here: Array, generator: np.random.Generator) -> tuple[Array, Array]:
    """Two directions of random signs along which every entry moves by 1 at most.

    In the first one no entry moves by so little beside the others that its part is lost in rounding; in the second each moves in
    proportion to its size, so that a small one is not pushed over to the other side of 0.
    """
    signs = generator.choice([-1.0, 1.0], here.shape)
    usual = min(float(np.sqrt(np.mean(here**2))), 1.0) if here.size else 1.0
    sizes = np.where(here == 0, 1.0, np.minimum(np.abs(here), 1.0))
    return signs * np.maximum(sizes, 0.01 * usual), signs * sizes


def _is_at_kink(derivative: float, found: Slope) -> bool:
    if found.jump:
        return True
    low, high = sorted((found.left, found.right))
    room = 1e-3 * max(abs(low), abs(high))
    return found.has_kink and low - room <= derivative <= high + room


def _agrees(derivative: float, found: Slope, error: float) -> bool:
    """Equal to AGREEMENT, or as close as the finite difference can tell."""
    return error <= AGREEMENT or found.tells(derivative)


def check_entries(trace: Trace, entries: Sequence[tuple[str, Index]]) -> tuple[EntryCheck, ...]:
    """A verdict on ∂C/∂entry for each (name, index), from end to end: the whole cost is computed again at moved values."""
    movers: dict[str, _Mover] = {}
    found: list[EntryCheck] = []
    for name, index in entries:
        if name not in movers:
            movers[name] = _Mover(trace, trace.quantity(name))
        found.append(movers[name].check(index))
    return tuple(found)


def entries_of(trace: Trace, seed: int = 0) -> list[tuple[str, Index]]:
    """The entries that are checked unless others are asked for.

    All of a small network; of a larger one, or of one with many time steps, of each parameter the largest derivatives and a sample
    drawn with the seed.
    """
    total = sum(quantity.node.type.size for quantity in trace.parameters)
    everything = total <= SMALL and total * len(trace.quantities) <= SMALL_WORK
    return [(q.name, index) for q in trace.parameters for index in _chosen(trace, q, seed, everything=everything)]


def _chosen(trace: Trace, quantity: Quantity, seed: int, *, everything: bool) -> list[Index]:
    size = quantity.node.type.size
    derivative = trace.arriving(quantity)
    if everything or size <= LARGEST + SAMPLED or derivative is None:
        flat = list(range(size))
    else:
        largest: list[int] = np.argsort(-np.abs(derivative), axis=None, kind="stable")[:LARGEST].tolist()
        rest = np.setdiff1d(np.arange(size), largest)
        drawn: list[int] = np.random.default_rng([seed, quantity.number]).choice(rest, SAMPLED, replace=False).tolist()
        flat = [*largest, *sorted(drawn)]
    return [tuple(map(int, np.unravel_index(place, quantity.node.shape))) for place in flat]


class _Mover:
    """Computes the cost with one entry of one leaf moved; only what depends on the leaf is computed again."""

    def __init__(self, trace: Trace, quantity: Quantity) -> None:
        if quantity.node.op not in {PARAMETER, INPUT} or not quantity.node.type.is_float:
            raise OptionError(
                f"a finite difference by {quantity.name}", expected="a parameter or an input of floats", remedy="name a leaf"
            )
        self.quantity, self.cost = quantity, trace.cost
        self.value = trace.value_of(quantity)
        derivative = trace.arriving(quantity)
        self.derivative = np.zeros(quantity.node.shape) if derivative is None else derivative
        self.scale = 1e-3 * float(np.max(np.abs(self.derivative), initial=0.0))
        order = topological_order([trace.cost])
        moved: set[Node] = {quantity.node}
        for node in order:
            if not moved.isdisjoint(node.inputs) and node.op is not stop_gradient:
                moved.add(node)
        self.fixed = {node: trace.number(node) for node in order if node not in moved}
        self.run = evaluator([self.cost], {*self.fixed, quantity.node})

    def check(self, index: Index) -> EntryCheck:
        """The verdict on one entry."""
        require_index(self.quantity, index)
        here = float(self.value[index])

        def slope_in(unit: float) -> Slope:
            def move(step: float) -> float:
                moved = np.array(self.value)
                moved[index] = here + step * unit
                return float(self.run({**self.fixed, self.quantity.node: moved})[0])

            return slope(move)

        # Weights are of the size 1; where that is too far (a logarithm's argument), in units of the weight itself.
        size = max(abs(here), 1.0)
        found = slope_in(size)
        if not np.isfinite(found.uncertainty) and here:
            size = abs(here)
            found = slope_in(size)
        derivative = float(self.derivative[index])
        error = relative(derivative, found.value / size, self.scale)
        state: State = "agrees" if _agrees(derivative * size, found, error) else "differs"
        if state == "differs" and _is_at_kink(derivative * size, found):
            state = "kink"
        return EntryCheck(self.quantity.name, index, derivative, found.value / size, error, state)
