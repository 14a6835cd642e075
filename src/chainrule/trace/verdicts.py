"""Verdicts: each derivative rule at its node, and each parameter's derivative from end to end, beside finite differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from chainrule.display import Shown
from chainrule.errors import OptionError
from chainrule.graph import INPUT, PARAMETER, Array, Node, compute, evaluator, topological_order
from chainrule.graph.graph import descendants
from chainrule.immutable import immutable
from chainrule.ops import stop_gradient
from chainrule.trace.differences import EXTENDED, Slope, State, relative, slope
from chainrule.trace.quantities import Quantity
from chainrule.trace.trace import Index, Trace, require_index

SMALL, SMALL_WORK = 400, 10_000
"""Networks with up to so many parameters, and so many of them times quantities, have every entry checked."""
LARGEST, SAMPLED = 5, 5
"""Of each parameter of a larger network: so many of the largest entries, and so many drawn at random."""


PRECISIONS: tuple[tuple[type[np.floating[Any]], int], ...] = ((np.float64, 12), (EXTENDED, 15), (EXTENDED, 24))
"""In what a verdict is tried in turn, until one confirms: a type of numbers, and a number of step sizes."""
_MARGIN = 8 * float(np.finfo(EXTENDED).eps) / float(np.finfo(np.float64).eps)
"""What rounding does in longer numbers, at most, beside what it was seen to do in float64."""


@immutable
class RuleCheck(Shown):
    """What a quantity passes back to one of its inputs, held against a finite difference of the quantity's own formula.

    The check is local: it takes what arrives as given, so that a wrong rule shows at its quantity and nowhere else. It goes along one
    direction, which moves every entry at once: `derivative` and `difference` are slopes along it, the second with its `uncertainty`.
    """

    quantity: Quantity
    place: int
    derivative: float
    difference: float
    error: float
    state: State
    uncertainty: float = 0.0

    @property
    def input(self) -> Quantity:
        """The input that it is about."""
        return self.quantity.inputs[self.place]


@immutable
class EntryCheck(Shown):
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
    uncertainty: float = 0.0


def check_rules(trace: Trace, seed: int = 0) -> tuple[RuleCheck, ...]:
    """A verdict for each input of each quantity that passes a derivative back, in the order of the backward pass."""
    found: list[RuleCheck] = []
    for quantity in reversed(trace.quantities):
        if trace.arriving(quantity) is not None:
            passed = zip(quantity.rules, quantity.inputs, strict=True)
            places = [place for place, (rule, to) in enumerate(passed) if rule is not None and to not in trace.fixed]
            found += [_RuleJudge(trace, quantity, place, seed).check() for place in places]
            found += [_RuleJudge(trace, past, 0, seed).check() for past in trace.past.values() if past.node is quantity.node]
    return tuple(found)


class _RuleJudge:
    """Compares what one rule passes back with the slope of the quantity's own formula, at the values of a trace."""

    def __init__(self, trace: Trace, quantity: Quantity, place: int, seed: int) -> None:
        arriving, rule = trace.arriving(quantity), quantity.rules[place]
        if arriving is None or rule is None:
            raise OptionError(
                f"input {place} of {quantity.name}", expected="one that a derivative is passed to", remedy="ask for another"
            )
        self.quantity, self.place, self.rule, self.arriving = quantity, place, rule, arriving
        self.values = {leaf: trace.value_of(source) for leaf, source in zip(quantity.stand_ins, quantity.inputs, strict=True)}
        self.leaf = quantity.stand_ins[place]
        self.random = np.random.default_rng([seed, quantity.number, place])

    def check(self) -> RuleCheck:
        """The verdict: first in float64; where that does not confirm, with more digits and steps, then a little beside the place."""
        here = self.values[self.leaf]
        ways = self._directions(here)
        found: list[RuleCheck] = []
        for precision, levels in PRECISIONS:
            found = [self._along(way, here, precision, levels) for way in ways[:1]]
            found += [] if found[0].state == "agrees" else [self._along(way, here, precision, levels) for way in ways[1:]]
            agreeing = [check for check in found if check.state == "agrees"]
            if agreeing:
                return agreeing[0]
        # Beside a kink, where two entries are no longer equal and none is exactly 0, a right rule is right.
        beside = here + 0.01 * ways[0] * self.random.uniform(0.5, 1.0, here.shape)
        there = self._along(ways[0], beside, *PRECISIONS[1])
        if there.state == "agrees":
            return replace(there, state="kink")
        return found[0] if there.state == "differs" else replace(found[0], state="unclear")

    def _along(self, way: Array, at: Array, precision: type[np.floating[Any]], levels: int) -> RuleCheck:
        """The verdict along a direction, computed in a precision; what arrives is taken in units of its largest entry."""
        unit = float(np.max(np.abs(self.arriving), initial=0.0)) or 1.0
        values = {leaf: _as(precision, value) for leaf, value in (self.values | {self.leaf: at}).items()}
        arriving, moving, start = _as(precision, self.arriving / unit), _as(precision, way), values[self.leaf]
        definition = self.quantity.definition
        values |= _held([definition], values)
        run = evaluator([definition], values)

        def move(step: Any) -> Any:
            return np.sum(arriving * run({**values, self.leaf: start + step * moving})[0])

        def passed(numbers: Mapping[Node, Array], arriving: Array) -> Array:
            return compute([self.rule], {**numbers, self.quantity.arriving: arriving})[0]

        along = passed(values, arriving) * moving
        derivative, found = float(np.sum(along)), slope(move, precision, levels)
        rounding = 0.0
        if precision is EXTENDED:
            coarse = passed(self.values | {self.leaf: at}, self.arriving / unit) * way
            rounding = _MARGIN * float(np.sum(np.abs(along - coarse)))
        state = found.state(derivative, rounding=rounding, whole=1.0)
        error, unsure = relative(derivative, found.value), unit * (found.uncertainty + rounding)
        return RuleCheck(self.quantity, self.place, unit * derivative, unit * found.value, error, state, unsure)

    def _directions(self, here: Array) -> tuple[Array, Array, Array]:
        """Three directions along which every entry moves by 1 at most, each the way in which its own derivative raises the cost.

        So nothing cancels; an entry without a derivative moves either way. In the first direction no entry moves by so little beside the
        others that its part is lost in rounding; in the second each moves in proportion to its size, so that a small one is not pushed over
        to the other side of 0; in the third each moves by about 1, for where all of them are tiny.
        """
        (passed,) = compute([self.rule], {**self.values, self.quantity.arriving: self.arriving})
        signs = np.where(passed == 0, self.random.choice([-1.0, 1.0], here.shape), np.sign(passed))
        signs = np.where(np.isfinite(signs), signs, 1.0) * self.random.uniform(0.5, 1.0, here.shape)
        with np.errstate(over="ignore"):  # beyond the largest number it is more than 1 all the same
            usual = min(float(np.sqrt(np.mean(here**2))), 1.0) if here.size else 1.0
        sizes = np.where(here == 0, 1.0, np.minimum(np.abs(here), 1.0))
        return signs * np.maximum(sizes, 0.01 * usual), signs * sizes, signs


def _as(precision: type[np.floating[Any]], value: Array) -> Array:
    return value.astype(precision) if value.dtype.kind == "f" else value


def _held(roots: Sequence[Node], values: Mapping[Node, Array]) -> dict[Node, Array]:
    """What lets no gradient pass by intention, with its value: a finite difference must hold it still as well."""
    nodes = [node for node in topological_order(roots, values) if node.op is stop_gradient and node not in values]
    return dict(zip(nodes, compute(nodes, values), strict=True))


def check_entries(trace: Trace, entries: Sequence[tuple[str, Index]], seed: int = 0) -> tuple[EntryCheck, ...]:
    """A verdict on ∂C/∂entry for each (name, index), from end to end: the whole cost is computed again at moved values."""
    movers: dict[str, _Mover] = {}
    found: list[EntryCheck] = []
    for name, index in entries:
        if name not in movers:
            movers[name] = _Mover(trace, trace.quantity(name))
        found.append(movers[name].check(index))
    if any(check.state == "differs" for check in found):
        kinks = [check.quantity for check in check_rules(trace, seed) if check.state == "kink"]
        behind = {name: _lead_to(kinks, mover.quantity.node) for name, mover in movers.items()}
        # Where the way to the cost leads over a kink the derivative is made of conventions, which need not be a slope from any side.
        found = [replace(check, state="kink") if check.state == "differs" and behind[check.name] else check for check in found]
    return tuple(found)


def _lead_to(quantities: Sequence[Quantity], leaf: Node) -> bool:
    return any(leaf in topological_order([quantity.node]) for quantity in quantities)


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
        if quantity in trace.fixed:
            raise OptionError(
                f"the derivative by {quantity.name}, which is frozen: none is asked for",
                expected="a parameter that is trained, or an input",
                remedy="take the layer out of Frozen(...)",
            )
        self.trace, self.quantity, self.cost = trace, quantity, trace.cost
        self.value = trace.value_of(quantity)
        derivative = trace.arriving(quantity)
        self.derivative = np.zeros(quantity.node.shape) if derivative is None else derivative
        self.scale = 1e-3 * float(np.max(np.abs(self.derivative), initial=0.0))
        self.whole = trace.largest_derivative
        order = topological_order([trace.cost])
        moved = descendants((node for node in order if node.op is not stop_gradient), [quantity.node])
        self.still = [node for node in order if node not in moved]
        self.run = evaluator([self.cost], {*self.still, quantity.node})

    def check(self, index: Index) -> EntryCheck:
        """The verdict on one entry: first in float64; where that does not confirm, with as many digits as there are."""
        require_index(self.quantity, index)
        derivative = float(self.derivative[index])
        found = self._moved(index, derivative, *PRECISIONS[0])
        for precision, levels in PRECISIONS[1:]:
            if found.state != "agrees":
                longer = self.trace.extended_arriving(self.quantity)
                precise = 0.0 if longer is None else float(longer[index])
                found = self._moved(index, precise, precision, levels, _MARGIN * abs(precise - derivative))
        return replace(found, derivative=derivative)

    @cached_property
    def _still(self) -> Mapping[Node, Array]:
        """What does not move, with its values."""
        return {node: self.trace.number(node) for node in self.still}

    @cached_property
    def _still_extended(self) -> Mapping[Node, Array]:
        return {node: self.trace.extended[node] for node in self.still}

    def _moved(
        self, index: Index, derivative: float, precision: type[np.floating[Any]], levels: int, rounding: float = 0.0
    ) -> EntryCheck:
        """The verdict on a derivative by one entry that is unsure by `rounding`, computed in a precision."""
        value = _as(precision, self.value)
        still = self._still if precision is np.float64 else self._still_extended

        def slope_in(unit: float) -> Slope:
            def move(step: Any) -> Any:
                moved = np.array(value)
                moved[index] += step * precision(unit)
                return self.run({**still, self.quantity.node: moved})[0]

            return slope(move, precision, levels)

        # Weights are of the size 1; where that is too far (a logarithm's argument), in units of the weight itself.
        here = float(self.value[index])
        size = max(abs(here), 1.0)
        found = slope_in(size)
        if not np.isfinite(found.uncertainty) and here:
            size = abs(here)
            found = slope_in(size)
        error = relative(derivative, found.value / size, self.scale)
        state = found.state(derivative * size, self.scale * size, rounding * size, self.whole * size)
        if state == "differs" and found.has_kink and found.holds(derivative * size, self.scale * size):
            state = "kink"
        return EntryCheck(
            self.quantity.name, index, derivative, found.value / size, error, state, found.uncertainty / size + rounding
        )
