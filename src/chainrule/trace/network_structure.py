"""What a cost's graph is made of: layers, activations, products with weights, penalties, and the sizes B and k."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from math import isclose

import numpy as np

from chainrule import ops
from chainrule.derivatives import vjp
from chainrule.graph import (
    CONSTANT,
    INPUT,
    PARAMETER,
    Array,
    Node,
    compute,
    constant,
    evaluator,
    input_node,
    topological_order,
)
from chainrule.graph.graph import descendants, rebuilt
from chainrule.immutable import immutable
from chainrule.nn import softmax_input
from chainrule.trace.planted import BackwardPass, Planted, Walk, data_side, shows_whole, weights_of

_AT_STEP = re.compile(r"\.t(\d+)$")
_ACTIVATION = re.compile(r"(.+)\.(?:a|h)((?:\.t\d+)?)")


@immutable
class ActivationRegion:
    """The nodes from a pre-activation z to its activation a, entry by entry."""

    z: Node
    a: Node
    layer: str
    place: str


@immutable
class SoftmaxRegion:
    """Softmax of z, or its logarithm."""

    z: Node
    out: Node
    is_log: bool


class Structure:
    """The parts of the graph of a cost that a mistake may sit in.

    `twin` gives the gradient of the same network in its other mode, where it has two: in training if `twin_is_training`.
    """

    def __init__(
        self, backward: BackwardPass, twin: Callable[[], Mapping[str, Array]] | None = None, *, twin_is_training: bool = True
    ) -> None:
        self.backward = backward
        self.twin, self.twin_is_training = twin, twin_is_training
        self._slopes: dict[Node, tuple[Node, Callable[[Mapping[Node, Array]], list[Array]]] | None] = {}
        self.order = backward.order
        self.depends_on_data = descendants(self.order, [node for node in self.order if _is_data(node)])

    # ---- penalties

    @cached_property
    def penalties(self) -> frozenset[Node]:
        """The cost's terms that look at parameters only; none where the whole cost does."""
        terms = self._terms
        alone = frozenset(node for node in terms if node in self.backward.reaching and node not in self.depends_on_data)
        return alone if any(node in self.depends_on_data for node in terms) else frozenset()

    @cached_property
    def _terms(self) -> list[Node]:
        """What the cost is a sum of, constant factors aside."""
        terms: list[Node] = []
        stack = [self.backward.cost]
        while stack:
            node = stack.pop()
            parts = _summands(node, self.backward.reaching)
            if node in self.depends_on_data and parts:
                stack.extend(parts)
            else:
                terms.append(node)
        return terms

    @cached_property
    def data_nodes(self) -> tuple[Node, ...]:
        """The nodes that lead from parameters to the data's term, in order."""
        wanted: set[Node] = set()
        for node in reversed(self.order):
            if node is self.backward.cost or node in wanted:
                wanted |= {source for source in (node, *node.inputs) if source not in self.penalties}
        return tuple(node for node in self.order if node in wanted and node in self.backward.reaching)

    @cached_property
    def in_data(self) -> frozenset[Node]:
        """The nodes of the data's term that depend on parameters."""
        return frozenset(self.data_nodes)

    @cached_property
    def plain_walk(self) -> Walk:
        """The right way back of the data's term."""
        return self.backward.walk(Planted(), {self.backward.cost: np.ones(())}, self.penalties)

    @cached_property
    def inside_layers(self) -> frozenset[Node]:
        """The nodes that a product, an activation or a normalisation is still computed from: what comes behind is the loss."""
        ends = {region.a for region in self.activations} | {region.out for region in self.softmaxes}
        return frozenset(
            topological_order(node for node in self.data_nodes if node in ends or node.op in {ops.matmul, ops.sqrt})
        )

    @cached_property
    def interior(self) -> frozenset[Node]:
        """The nodes inside of activations and softmaxes, behind their z: they are one step of a backward pass to whoever writes it."""
        ends = [(region.z, region.a) for region in self.activations] + [(region.z, region.out) for region in self.softmaxes]
        found: set[Node] = set()
        for z, a in ends:
            found |= {node for node in topological_order([a], {z}) if node is not z and node in self.in_data}
        return frozenset(found)

    # ---- activations

    @cached_property
    def softmaxes(self) -> tuple[SoftmaxRegion, ...]:
        """Where softmax is taken."""
        found: list[SoftmaxRegion] = []
        for node in self.data_nodes:
            for z, is_log in ((softmax_input(node), False), (log_softmax_input(node), True)):
                if z is not None:
                    found.append(SoftmaxRegion(z, node, is_log))
        return tuple(found)

    @cached_property
    def activations(self) -> tuple[ActivationRegion, ...]:
        """Named activations (layer.z to layer.a), and single ops that no named one holds; those of the loss left out."""
        found: list[tuple[Node, Node]] = []
        inside: set[Node] = {region.out for region in self.softmaxes}
        for node in reversed(self.data_nodes):
            if node in inside or _in_loss(node):
                continue
            region = _named_region(node) if node.name else None
            if region is None and node.op.is_activation and not self._is_loss_of_logits(node):
                region = node.inputs[0], set[Node]()
            if region is not None and region[0] in self.backward.reaching:
                found.append((region[0], node))
                inside |= region[1]
        return tuple(ActivationRegion(z, a, self.layer_at(z), self._place(z, a)) for z, a in reversed(found))

    def slope(self, region: ActivationRegion, value: Array) -> Array | None:
        """σ′ of an activation, entry by entry, at any value of z."""
        if region.a not in self._slopes:
            leaf = input_node("z", region.z.shape, region.z.dtype)
            a = rebuilt(region.a, {region.z: leaf})
            ones = constant(np.ones(())) if a.shape == () else ops.broadcast_to(constant(1.0), shape=a.shape)
            (slope,) = vjp([a], [leaf], [ones])
            self._slopes[region.a] = None if slope is None else (leaf, evaluator([slope], {leaf}))
        found = self._slopes[region.a]
        return None if found is None else np.asarray(found[1]({found[0]: value})[0])

    def _place(self, z: Node, a: Node) -> str:
        """What an activation is called, whatever its time step: its own name, else its op's and that of what it is taken of."""
        if a.name:
            return without_step(a.name)
        if z.name:
            return f"{a.op.name}({without_step(z.name)})"
        return f"{a.op.name} in {self.layer_at(z)}"

    @cached_property
    def binary_logits(self) -> tuple[Node, ...]:
        """The z whose binary cross-entropy log(1 + exp(z)) − y·z is in the cost."""
        return tuple(node.inputs[0] for node in self.data_nodes if self._is_loss_of_logits(node))

    def _is_loss_of_logits(self, node: Node) -> bool:
        if node.op is not ops.softplus:
            return False
        users = [user for user in self.data_nodes if node.inputs[0] in user.inputs and user.op is ops.multiply]
        return bool(users) and any(user.op is ops.subtract and node is user.inputs[0] for user in self.data_nodes)

    # ---- weights and layers

    @cached_property
    def products(self) -> tuple[Node, ...]:
        """Matrix products of data with a parameter."""
        sides = ((node, node.inputs[1 - data_side(node)]) for node in self.data_nodes if node.op is ops.matmul)
        return tuple(node for node, side in sides if weights_of(side) is not None)

    @cached_property
    def layers(self) -> dict[str, str]:
        """For each parameter its layer: what stands before the last dot of its name, else the parameters that meet in one z."""
        joined = {name: {name} for name in self.backward.parameters}
        for group in self._meetings():
            members = set[str]().union(*(joined[name] for name in group))
            joined |= dict.fromkeys(members, members)
        order = list(self.backward.parameters)
        return {
            name: name.rpartition(".")[0] or "+".join(sorted((m for m in joined[name] if "." not in m), key=order.index))
            for name in order
        }

    def _meetings(self) -> Iterable[set[str]]:
        """The sets of parameters that are added up to one pre-activation."""
        boundaries = self._boundaries
        direct: dict[Node, set[str]] = {}
        for node in self.data_nodes:
            if node.op is PARAMETER:
                direct[node] = {node.name}
            elif node in boundaries:
                direct[node] = set()
            else:
                weights = [leaf.name for source in node.inputs if (leaf := weights_of(source)) is not None]
                own = set(weights) if node.op in {ops.matmul, ops.multiply} else set[str]()
                direct[node] = own or set[str]().union(*(direct.get(source, set()) for source in node.inputs))
            if node.op in {ops.add, ops.subtract} and not _in_loss(node):
                yield direct[node]
        self._direct = direct

    @cached_property
    def _boundaries(self) -> set[Node]:
        """Where a layer ends, as far as that can be seen by the ops alone."""
        named = {node for node in self.data_nodes if _named_region(node) is not None}
        single = {node for node in self.data_nodes if node.op.is_activation and not self._is_loss_of_logits(node)}
        return named | single | {region.out for region in self.softmaxes}

    def layer_at(self, node: Node) -> str:
        """The layer whose pre-activation this is; of a node without parameters of its own that which it is computed from."""
        layers = self.layers
        if node.scope and any(layer == node.scope for layer in layers.values()):
            return node.scope
        seen, waiting = set[Node](), [node]
        while waiting:
            current = waiting.pop(0)
            names = [name for name in self.backward.parameters if name in self._direct.get(current, ())]
            if names:
                return layers[names[0]]
            waiting += [source for source in current.inputs if source in self.backward.reaching and source not in seen]
            seen.update(current.inputs)
        return node.scope or without_step(node.name) or "the graph"

    @cached_property
    def _behind(self) -> Mapping[Node, int]:
        bits = {node: 1 << place for place, node in enumerate(self.backward.parameters.values())}
        found: dict[Node, int] = {}
        for node in self.order:
            found[node] = bits.get(node, 0)
            for source in node.inputs:
                found[node] |= found[source]
        return found

    def parameters_behind(self, *nodes: Node) -> frozenset[str]:
        """The parameters that these nodes are computed from."""
        bits = 0
        for node in nodes:
            bits |= self._behind[node]
        return frozenset(name for place, name in enumerate(self.backward.parameters) if bits >> place & 1)

    # ---- time

    @cached_property
    def steps(self) -> Mapping[str, tuple[Node, ...]]:
        """For each parameter that is used again and again, its uses in their order: in a layer with a memory a use is a time step."""
        found: dict[str, tuple[Node, ...]] = {}
        way, position = self.backward.way_to_cost, self.backward.position
        for name, node in self.backward.parameters.items():
            uses = sorted(self._uses(node), key=lambda use: (-way[use], position[use]))
            if len(uses) > 1 and all(way[a] > way[b] for a, b in pairwise(uses)):
                found[name] = tuple(uses)
        return found

    def _uses(self, shown: Node) -> Iterable[Node]:
        for user in dict.fromkeys(user for user, _ in self.backward.users[shown]):
            if user in self.penalties:
                continue
            if shows_whole(user):
                yield from self._uses(user)
            else:
                yield user

    @cached_property
    def recurrent(self) -> tuple[str, ...]:
        """The parameters of which each use needs what came out of the use before: they carry a memory on."""
        found: list[str] = []
        for name, uses in self.steps.items():
            reached = descendants(self.order, [uses[0]])
            if all(any(source in reached for source in use.inputs) for use in uses[1:]):
                found.append(name)
        return tuple(found)

    def memory_edges(self, name: str) -> tuple[tuple[tuple[Node, int], ...], ...]:
        """For each time step but the first the places where it takes what the step before it left.

        A node belongs to the step of the last use of the parameter before it. What a step takes over is what the next use needs, too.
        """
        uses = self.steps[name]
        step: dict[Node, int] = {}
        turn = {use: number for number, use in enumerate(uses)}
        for node in self.order:
            step[node] = max([turn.get(node, -1), *(step[source] for source in node.inputs)])
        needed = [set(topological_order(use.inputs)) for use in uses[1:]]
        edges: list[list[tuple[Node, int]]] = [[] for _ in uses[1:]]
        kinds: set[tuple[str, int, str]] = set()
        for node in self.order:
            number = step[node]
            if number < 1 or node not in self.backward.reaching:
                continue
            for place, source in enumerate(node.inputs):
                # A state is what the turn before it left, be it computed with the parameter or, at first, not yet.
                if not (0 <= step[source] < number and source in needed[number - 1]):
                    continue
                kind = node.op.name, place, without_step(node.name)
                inside = number + 1 < len(uses) and node in needed[number]
                if inside:
                    kinds.add(kind)
                if inside or node is uses[number] or (number + 1 == len(uses) and (len(uses) == 2 or kind in kinds)):
                    edges[number - 1].append((node, place))
        return tuple(map(tuple, edges))

    # ---- rows

    @cached_property
    def rows(self) -> Mapping[Node, int]:
        """The nodes nearest to the cost that have a row to each example, and the axis that the examples lie along."""
        first = self.products[-1] if self.products else None
        columns = first is not None and data_side(first) == 1
        found: dict[Node, int] = {}
        seen, waiting = set[Node](), [self.backward.cost]
        while waiting:
            node = waiting.pop()
            if node in seen or node not in self.in_data:
                continue
            seen.add(node)
            axes = [axis for axis, extent in enumerate(node.shape) if extent == self.batch]
            if axes and self.batch > 1:
                found[node] = axes[-1] if columns else axes[0]
            else:
                waiting += node.inputs
        return found

    # ---- sizes

    @cached_property
    def batch(self) -> int:
        """The number of examples B, 1 where it cannot be seen."""
        # Images, sequences and the like have several rows to an example; the inputs have one.
        extents = {node.shape[0] for node in self.order if node.op is INPUT and node.type.ndim}
        if self.products:
            last = self.products[-1]
            if data_side(last) == 1:
                return last.shape[-1]
            fitting = [extent for extent in extents if extent and last.shape[0] % extent == 0]
            return last.shape[0] if last.type.ndim > 2 or last.shape[0] in extents or len(fitting) != 1 else fitting[0]
        wide = [node.shape[0] for node in self.data_nodes if node.type.ndim >= 1 and node in self.depends_on_data]
        return wide[-1] if wide else 1

    @cached_property
    def outputs(self) -> int:
        """The number of outputs k of an example."""
        if not self.products:
            return 1
        last = self.products[-1]
        return last.shape[-1] if data_side(last) == 0 else last.shape[-2]

    def positions(self, name: str) -> int:
        """At how many positions of each example a parameter is used: 1 where it is weighed once."""
        uses = list(self._uses(self.backward.parameters[name]))
        if len(uses) != 1 or not uses[0].type.ndim or not uses[0].shape[-1] or uses[0].op not in {ops.matmul, ops.broadcast_to}:
            return 1
        rows = uses[0].type.size // uses[0].shape[-1]
        return rows // self.batch if self.batch and rows % self.batch == 0 else 1

    def gates(self, name: str) -> int:
        """Into how many parts of one width the last axis of what a parameter weighs is cut: 4 in an LSTM, 3 in a GRU, else 1."""
        node = self.backward.parameters[name]
        if not node.type.ndim or name not in self.steps:
            return 1
        width = node.shape[-1]
        waiting, seen = list(self._uses(node))[:1], set[Node]()
        for _ in range(24):
            if not waiting:
                break
            current = waiting.pop(0)
            if current.op is ops.slice_axes and current.inputs[0].shape[-1] == width and current.shape[-1] < width:
                return width // current.shape[-1] if current.shape[-1] and width % current.shape[-1] == 0 else 1
            users = [user for user, _ in self.backward.users[current] if user not in seen and user.shape[-1:] != ()]
            seen.update(users)
            waiting += users
        return 1

    # ---- scaling

    @cached_property
    def _scaled(self) -> Mapping[Node, tuple[Node, bool]]:
        """Where data leave a chain of constant shifts and factors: its last node, with its first one, and whether it is an input."""
        found: dict[Node, tuple[Node, bool]] = {}
        for leaf in self.order:
            if leaf.op is not INPUT:
                continue
            first = last = self._cast(leaf)
            while (following := self._affine(last)) is not None:
                last = following
            if last is not first and first.type.is_float:
                found[last] = first, last in self.inside_layers
        return found

    def _cast(self, leaf: Node) -> Node:
        users = [user for user, _ in self.backward.users[leaf]]
        return users[0] if len(users) == 1 and users[0].op is ops.cast else leaf

    def _affine(self, node: Node) -> Node | None:
        """Who computes with the node, if it is one alone, and that by adding or multiplying constants."""
        users = [user for user, _ in self.backward.users[node]]
        if len(users) != 1 or users[0].op not in {ops.add, ops.subtract, ops.multiply, ops.divide}:
            return None
        others = [source for source in users[0].inputs if source is not node]
        while others and (shows_whole(others[0]) or others[0].op is ops.broadcast_to):
            others = list(others[0].inputs)
        return users[0] if len(others) == 1 and others[0].op is CONSTANT else None

    def _raw(self, is_input: bool) -> Mapping[Node, Array]:
        chains = ((last, first) for last, (first, inside) in self._scaled.items() if inside is is_input)
        return {last: np.broadcast_to(self.backward.values[first], last.shape) for last, first in chains}

    @cached_property
    def scaled_inputs(self) -> Mapping[Node, Array]:
        """Where inputs come out of their scaling, and the inputs as they were before it."""
        return self._raw(True)

    @cached_property
    def scaled_targets(self) -> Mapping[Node, Array]:
        """Where targets come out of their scaling, and the targets as they were before it."""
        return self._raw(False)

    @cached_property
    def scaled_again(self) -> dict[Node, Array]:
        """Where inputs come out of their scaling, and what a second scaling makes of them."""
        chains = [(last, first) for last, (first, inside) in self._scaled.items() if inside]
        return {
            last: compute([last], {first: self.backward.values[last]})[0] for last, first in chains if last.shape == first.shape
        }

    @cached_property
    def target_factors(self) -> tuple[tuple[float, str], ...]:
        """The numbers that targets are multiplied with."""
        found: list[tuple[float, str]] = []
        for last, (first, inside) in self._scaled.items():
            if not inside and last.type.size:
                one, nothing = (compute([last], {first: np.full(first.shape, value)})[0].flat[0] for value in (1.0, 0.0))
                found.append((abs(float(one - nothing)), "the factor that targets are scaled with"))
        return tuple(found)

    def moved_value(self, node: Node, source: Node, value: Array) -> Array | None:
        """A node's value for another value of a node that it is only moved about from; None where more is computed."""
        waiting, seen = [node], set[Node]()
        while waiting:
            current = waiting.pop()
            if current is source or current in seen or current.op is CONSTANT:
                continue
            if current.op.kind not in {"view", "placement"} and current.op is not ops.cast:
                return None
            seen.add(current)
            waiting.extend(current.inputs)
        return compute([node], {source: value})[0] if node is source or source in {i for n in seen for i in n.inputs} else None

    def means_over(self, number: int, beside: Sequence[float]) -> int:
        """How many constants of the graph are a mean over so many terms, times one of the factors that may stand beside it."""
        constants = [abs(float(n.attributes["value"].flat[0])) for n in self.order if n.op is CONSTANT and _is_uniform(n)]
        sizes = [max(value, 1 / value) for value in constants if value > 0]
        return sum(any(isclose(size, number * factor, rel_tol=1e-5, abs_tol=1e-8) for factor in beside) for size in sizes)


def _summands(node: Node, reaching: set[Node]) -> list[Node]:
    """The parts that a node is the sum of; one part where it only carries a constant factor."""
    if node.op in {ops.add, ops.subtract}:
        return list(node.inputs)
    if node.op is ops.negative or shows_whole(node):
        return list(node.inputs)
    if node.op in {ops.multiply, ops.divide}:
        moving = [source for source in node.inputs if source in reaching]
        return moving if len(moving) == 1 and (node.op is ops.multiply or moving[0] is node.inputs[0]) else []
    return []


def _is_data(node: Node) -> bool:
    return node.op is INPUT or (node.op is CONSTANT and not _is_uniform(node))


def _is_uniform(node: Node) -> bool:
    value = node.attributes["value"]
    return value.size > 0 and bool(np.all(value == value.flat[0]))


def _in_loss(node: Node) -> bool:
    return node.scope.partition("/")[0] == "loss"


def without_step(name: str) -> str:
    """A name without the time step behind it."""
    return _AT_STEP.sub("", name)


def step_in(name: str) -> int | None:
    """The time step behind a name, counted from 1."""
    found = _AT_STEP.search(name)
    return None if found is None else int(found[1])


def _named_region(a: Node) -> tuple[Node, set[Node]] | None:
    """The z that a layer's named activation is computed from entry by entry, and the nodes between; None if it is not so."""
    called = _ACTIVATION.fullmatch(a.name)
    if called is None:
        return None
    z_name = f"{called[1]}.z{called[2]}"
    ends: set[Node] = set()
    inside: set[Node] = set()
    stack = [a]
    while stack:
        node = stack.pop()
        if node is not a and (node.name == z_name or (node.scope != a.scope and node.op is not CONSTANT)):
            ends.add(node)
        elif node.op is CONSTANT or node in inside:
            continue
        elif node.op.kind == "elementwise" or node.op is ops.broadcast_to:
            inside.add(node)
            stack.extend(node.inputs)
        else:
            return None
    return (next(iter(ends)), inside) if len(ends) == 1 and next(iter(ends)).shape == a.shape else None


def log_softmax_input(node: Node) -> Node | None:
    """The logits z if the node is log softmax(z) over an axis, written z − log Σ exp(z), with or without a shift; else None."""
    if node.op is not ops.subtract:
        return None
    shifted, total = node.inputs
    for op in (ops.log, ops.reduce_sum, ops.exp):
        while total.op in {ops.broadcast_to, ops.reshape}:
            total = total.inputs[0]
        if total.op is not op:
            return None
        total = total.inputs[0]
    if total is not shifted:
        return None
    largest = shifted.inputs[1] if shifted.op is ops.subtract else None
    while largest is not None and largest.op in {ops.broadcast_to, ops.reshape, ops.stop_gradient}:
        largest = largest.inputs[0]
    return shifted.inputs[0] if largest is not None and largest.op is ops.reduce_max else shifted
