"""An optimizer's rule, read from the graph of its own `update`: as formulas, and as what each step is the sum of."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import cached_property, reduce
from operator import mul
from typing import ClassVar, Protocol, TypeAlias, cast

import numpy as np

from chainrule import ops
from chainrule.derivatives import vjp
from chainrule.engines import Engine, engine_named
from chainrule.errors import ChainruleError
from chainrule.graph import CONSTANT, Array, Graph, Node, Shape, constant, formula, input_node, rewrite_nodes, topological_order
from chainrule.graph.arraylike import Symbol
from chainrule.graph.notation import FormulaPiece
from chainrule.immutable import immutable
from chainrule.numerals import numeral

DEPTH = 40
"""So many ops deep are formulas written out."""
REST = 1e-9
"""What of a step is no part that is linear in something, is a part of its own from this fraction of all the others on."""


class UpdateRule(Protocol):
    """What is read here of an optimizer; see `Optimizer`."""

    slots: ClassVar[tuple[str, ...]]
    symbols: ClassVar[Mapping[str, str]]
    slot_words: ClassVar[Mapping[str, str]]
    gradient_text: ClassVar[str]

    def update(self, w: Node, g: Node, slots: Mapping[str, Node], rate: Node, step: Node) -> tuple[Node, dict[str, Node]]:
        """The next values."""
        ...


@immutable
class _Written:
    """An update with symbols in the place of its numbers: its leaves by name, the next w, the next slots, and who is written how."""

    leaves: Mapping[str, Node]
    after: Node
    slots: Mapping[str, Node]
    pieces: Mapping[Node, FormulaPiece]


def formulas_of(rule: UpdateRule) -> tuple[str, ...]:
    """The rule as formulas, w's last: η is the learning rate, t the step counted from 1.

    >>> from chainrule.train import SGD, RMSprop
    >>> formulas_of(SGD(momentum=0.9))
    ('v ← μ·v − η·g, where g = ∂C/∂w', 'w ← w + v')
    >>> formulas_of(RMSprop())[-1]
    'w ← w − η·g / (√s + ε)'
    """
    written = _written(rule)
    graph = rewrite_nodes("as written by hand", Graph({"w": written.after, **_prefixed(written.slots)}), _by_hand(written))[0]
    pieces, lines, told = dict(written.pieces), list[str](), False
    # A slot whose next value another one is made of comes first.
    slots = sorted(_prefixed(written.slots), key=lambda output: graph.nodes.index(graph.outputs[output]))
    for output in (*slots, "w"):
        node, name = graph.outputs[output], pieces[written.leaves[output]].text
        line = f"{name} ← {_formula(node, pieces, written)}"
        first = not told and written.leaves["g"] in topological_order([node])
        lines.append(f"{line}, where g = {rule.gradient_text}" if first else line)
        told, pieces[node] = told or first, pieces.get(node, FormulaPiece(name))
    if written.leaves["step"] in topological_order(graph.outputs.values()):
        lines[-1] += ", t the step counted from 1"
    return tuple(lines)


def constants_of(rule: UpdateRule) -> tuple[str, ...]:
    """The numbers that its formulas have letters for, as one line, if there are any."""
    used = set(topological_order([(written := _written(rule)).after, *written.slots.values()]))
    names = {node.name: piece.text for node, piece in written.pieces.items() if node in used and node.name in _numbers(rule)}
    return (", ".join(f"{text} = {numeral(_numbers(rule)[name])}" for name, text in names.items()),) if names else ()


def _numbers(rule: UpdateRule) -> dict[str, float]:
    """The fields that hold a fraction; whole numbers count turns and choose branches, and stay numbers."""
    if not is_dataclass(rule):
        return {}
    found = {item.name: getattr(rule, item.name) for item in fields(rule) if item.name != "learning_rate"}
    return {name: value for name, value in found.items() if type(value) is float}


def _written(rule: UpdateRule) -> _Written:
    """The update of one number; of a matrix, where it is a rule for matrices only."""
    try:
        return _written_for(rule, ())
    except (ChainruleError, IndexError):
        return _written_for(rule, (2, 2))


def _written_for(rule: UpdateRule, shape: Shape) -> _Written:
    symbolic, named = copy.copy(rule), dict[str, Node]()
    for name, value in _numbers(rule).items():
        named[name] = input_node(name)
        object.__setattr__(symbolic, name, Symbol(value, named[name]))
    leaves = {name: input_node(name, shape if name in {"w", "g"} else ()) for name in ("w", "g", "rate", "step")}
    slots = {slot: input_node(f"slot.{slot}", shape) for slot in rule.slots}
    after, changed = symbolic.update(leaves["w"], leaves["g"], slots, leaves["rate"], leaves["step"])
    letters = {"w": "w", "g": "g", "rate": "η", "step": "t"}
    pieces = {leaves[name]: FormulaPiece(letter) for name, letter in letters.items()}
    pieces |= {node: FormulaPiece(rule.symbols.get(slot, slot)) for slot, node in slots.items()}
    pieces |= {node: FormulaPiece(rule.symbols.get(name, name)) for name, node in named.items()}
    return _Written({**leaves, **_prefixed(slots)}, after, {slot: changed[slot] for slot in rule.slots}, pieces)


def _prefixed(slots: Mapping[str, Node]) -> dict[str, Node]:
    return {f"slot.{name}": node for name, node in slots.items()}


def _formula(node: Node, pieces: Mapping[Node, FormulaPiece], written: _Written) -> str:
    """A formula in which a slot's letter is its next value where that is known; where the one before is needed too, it says so."""
    known = {other for other in pieces if other.inputs and other is not node}
    order = topological_order([node], known)
    letters = {piece.text for other, piece in pieces.items() if other in known and other in order}
    old = {
        leaf: FormulaPiece(f"{pieces[leaf].text}₋₁")
        for name, leaf in written.leaves.items()
        if name.startswith("slot.") and leaf in order and pieces[leaf].text in letters
    }
    return formula(node, depth=DEPTH, pieces={**pieces, **old})


def _by_hand(written: _Written) -> Callable[[Node], Node]:
    """How people write it: numbers before arrays, squares as squares, x/y for x·(1/y), and sums without brackets."""
    depends = {leaf for name, leaf in written.leaves.items() if name not in {"rate", "step"}}
    originals = iter(Graph({"w": written.after, **_prefixed(written.slots)}).nodes)
    finished = set[Node]()

    def rule(node: Node) -> Node:
        better = _plainer(node, depends, finished)
        if not depends.isdisjoint((node, *node.inputs)):
            depends.update((node, better))
        if next(originals) in written.slots.values():
            finished.add(better)
        return better

    return rule


def _plainer(node: Node, depends: set[Node], finished: set[Node]) -> Node:
    """The node as people write it; what is `finished`, a slot's next value, has a letter of its own."""
    if node.op is ops.multiply:
        x, y = node.inputs
        if x is y:
            return ops.square(x)
        if _is_one_over(y):
            return x / y.inputs[1]
        return y * x if y not in depends and x in depends else node
    if node.op is ops.add and node.inputs[1].op in (ops.add, ops.subtract) and node.inputs[1] not in finished:
        x, y = node.inputs
        return y.op(x + y.inputs[0], y.inputs[1])
    return node


def _is_one_over(node: Node) -> bool:
    return node.op is ops.divide and node.inputs[0].op is CONSTANT and bool(np.all(node.inputs[0].attributes["value"] == 1))


# ---- what a step is the sum of

Values: TypeAlias = Mapping[str, Array]


@immutable
class UpdateParts:
    """A step as Δw = gain·g + what it remembers + decay + rest; every array has w's shape.

    gain: −η, or −η by the denominator, or what of it falls on the present gradient. denominator: what η·g is divided by, if it is by
    something that changes. others: by name, what comes of earlier gradients, what falls on w itself, and what is linear in neither.
    """

    gain: Array
    denominator: Array | None
    others: Mapping[str, Array]


class Steps:
    """The steps of an optimizer for parameters of one shape, taken apart: programs that are built once.

    The update is linear in the gradient, the slots and w once that is held which it divides by, and which multiplies these as a step size
    does: so its derivative by each of them, times it, is what each of them gives. All in float64, with constants rounded as the run
    has them, and differences such as 1 − βᵗ as the run's engine found them: in float32 these are not close to the exact ones at first.
    """

    def __init__(self, rule: UpdateRule, shape: Shape, dtype: str, engine: Engine) -> None:
        self.rule, self.shape, self.dtype = rule, shape, dtype
        self._slots = [f"slot.{slot}" for slot in rule.slots]
        rounded, single = self._update("float64"), self._update(dtype)
        cut = {place: node for place, node in enumerate(single.nodes) if _is_difference_of_steps(node)}
        self._scalars = engine.compile(Graph({f"scalar.{place}": node for place, node in cut.items()})) if cut else None
        graph = Graph(self._outputs(self._as_run(rounded, cut.keys()).outputs["w"]))
        self._needed, self._program = tuple(graph.leaves), engine_named("reference").compile(graph)

    def parts(self, w: Array, g: Array, slots: Values, rate: float, step: int) -> UpdateParts:
        """The parts of one step: g is the gradient after clipping, `step` the number of the update, 1 at the first."""
        values = {"w": w, "g": g, "rate": np.asarray(rate, np.float64), **{f"slot.{name}": slots[name] for name in slots}}
        if self._scalars:
            values |= {name: np.float64(found) for name, found in self._scalars({"step": np.asarray(step, self.dtype)}).items()}
        values["step"] = np.asarray(step, np.float64)
        found = self._program({name: values[name] for name in self._needed})
        gain = found.get("gain", np.zeros(self.shape))
        others = {self.names[name]: part for name, part in found.items() if name in self.names}
        rest = found["total"] - gain * g - sum(others.values(), np.zeros(self.shape))
        size = np.abs(gain * g) + sum((np.abs(part) for part in others.values()), np.zeros(self.shape))
        if np.max(np.abs(rest), initial=0.0) > REST * max(float(np.max(size, initial=0.0)), np.finfo(float).tiny):
            others["what is linear in no gradient"] = rest
        return UpdateParts(gain, found.get("denominator"), others)

    @cached_property
    def names(self) -> dict[str, str]:
        """What the parts are called."""
        written = _written(self.rule)
        found = {"decay": "weight decay"}
        for slot in self.rule.slots:
            what = self.rule.slot_words.get(slot, "earlier gradients")
            found[f"memory.{slot}"] = f"{what} {_share_of(written, written.leaves[f'slot.{slot}'])}"
        return found

    def _update(self, dtype: str) -> Graph:
        leaves = {name: input_node(name, self.shape, dtype) for name in ("w", "g", *self._slots)}
        rate, step = input_node("rate", (), dtype), input_node("step", (), dtype)
        slots = {slot: leaves[f"slot.{slot}"] for slot in self.rule.slots}
        after, _ = self.rule.update(leaves["w"], leaves["g"], slots, rate, step)
        return Graph({"w": after})

    def _as_run(self, graph: Graph, cut: Container[int]) -> Graph:
        """The graph in float64, with constants as the run has them, and leaves in the place of what its engine is asked for."""
        originals = iter(range(len(graph.nodes)))

        def rule(node: Node) -> Node | None:
            place = next(originals)
            if place in cut:
                return input_node(f"scalar.{place}")
            if node.op is CONSTANT and node.type.is_float:
                return constant(node.attributes["value"].astype(self.dtype).astype(np.float64))
            return None

        return rewrite_nodes("as the run has it", graph, rule)[0]

    def _outputs(self, after: Node) -> dict[str, Node]:
        leaves = {node.name: node for node in topological_order([after]) if node.is_leaf}
        w = leaves.get("w", input_node("w", self.shape))
        moving = ["g", *self._slots, "w"]
        change = held(_change(after, w), [leaves[name] for name in moving if name in leaves], leaves.get("g"))
        wrt = {name: leaves[name] for name in moving if name in leaves}
        slopes = dict(zip(wrt, vjp([change], list(wrt.values()), [constant(np.ones(self.shape))]), strict=True))
        outputs = {"total": change}
        for name, slope in slopes.items():
            if slope is not None:
                what = {"g": "gain", "w": "decay"}.get(name) or name.replace("slot.", "memory.")
                outputs[what] = slope if name == "g" else slope * wrt[name]
        below = _divisors(change, leaves.get("g"))
        if below:
            outputs["denominator"] = reduce(mul, below)
        return outputs


def _is_difference_of_steps(node: Node) -> bool:
    """Whether a node is a sum or difference of numbers that depend on the step's number alone: rounding can be large beside it."""
    if node.shape != () or node.op not in (ops.add, ops.subtract):
        return False
    return {leaf.name for leaf in topological_order([node]) if leaf.is_leaf and leaf.op is not CONSTANT} == {"step"}


def _terms(node: Node, sign: int = 1) -> Iterator[tuple[int, Node]]:
    """The terms that a node is the sum of, with their signs."""
    if node.op is ops.add or node.op is ops.subtract:
        yield from _terms(node.inputs[0], sign)
        yield from _terms(node.inputs[1], sign if node.op is ops.add else -sign)
    elif node.op is ops.negative:
        yield from _terms(node.inputs[0], -sign)
    else:
        yield sign, node


def _change(after: Node, w: Node) -> Node:
    """The next w less w, without taking away what was only added."""
    terms = list(_terms(after))
    if (1, w) in terms:
        terms.remove((1, w))
    else:
        terms.append((-1, w))
    total = w * 0.0 if not terms else None
    for sign, term in terms:
        signed = term if sign > 0 else -term
        total = signed if total is None else total + signed
    return cast("Node", total)


def held(change: Node, moving: list[Node], g: Node | None) -> Node:
    """The change with that held, as by `stop_gradient`, which it divides by, and of a product of two that move the one without g."""
    moves, with_g = set(moving), {g}

    def rule(node: Node) -> Node | None:
        better = node
        if node.op is ops.divide and node.inputs[1] in moves:
            better = node.inputs[0] / ops.stop_gradient(node.inputs[1])
        elif node.op is ops.multiply and all(source in moves for source in node.inputs):
            x, y = node.inputs
            # What is one number for all entries, such as a norm, is a step size too.
            is_size = x.op is ops.broadcast_to and y.op is not ops.broadcast_to
            holds_x = y in with_g if (x in with_g) != (y in with_g) else is_size
            kept, fixed = (y, x) if holds_x else (x, y)
            better = kept * ops.stop_gradient(fixed)
        for known in (moves, with_g):
            if node.op is not ops.stop_gradient and not known.isdisjoint(better.inputs):
                known.add(better)
        return better

    return rewrite_nodes("hold what it divides by", Graph({"change": change}), rule)[0].outputs["change"]


def _divisors(change: Node, g: Node | None) -> list[Node]:
    """What is held below a fraction line over which the gradient stands."""
    fixed = [node for node in topological_order([change]) if node.op is ops.stop_gradient]
    return [
        node.inputs[1].inputs[0]
        for node in topological_order([change], fixed)
        if node.op is ops.divide and node.inputs[1] in fixed and g in topological_order([node.inputs[0]])
    ]


def _share_of(written: _Written, leaf: Node) -> str:
    """What of a slot goes into the step: μ·v, from the factors on its way that are the optimizer's own numbers."""
    factors = Counter[str]()
    outside = {written.leaves[name] for name in ("w", "g", "rate", "step")}
    node: Node = written.after
    while node is not leaf:
        ways: list[Node] = [source for source in node.inputs if leaf in topological_order([source])]
        others: list[Node] = [source for source in node.inputs if source not in ways]
        if node.op is ops.divide and node.inputs[0] in ways:
            ways, others = [node.inputs[0]], []
        if len(ways) != 1:
            return written.pieces[leaf].text
        if node.op is ops.multiply and outside.isdisjoint(topological_order(others)):
            text = formula(others[0], depth=DEPTH, pieces=written.pieces)
            factors[f"({text})" if " " in text else text] += 1
        node = ways[0]
    letters = [text + ("²" if count == 2 else f"^{count}" if count > 2 else "") for text, count in factors.items()]
    return "·".join([*letters, written.pieces[leaf].text])


__all__ = ["UpdateParts", "Steps", "constants_of", "formulas_of", "held"]
