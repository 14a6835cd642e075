"""What a cost's graph is made of: layers, activations, products with weights, penalties, and the sizes B and k."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from chainrule import ops
from chainrule.graph import CONSTANT, INPUT, PARAMETER, Node
from chainrule.nn import softmax_input
from chainrule.ops.elementwise import ELEMENTWISE
from chainrule.trace.planted import VIEWS, BackwardPass, data_side, descendants, parameter_of

ACTIVATION_OPS = frozenset({ops.tanh, ops.sigmoid, ops.relu, ops.softplus, ops.erf, ops.sin, ops.cos})
ENTRYWISE = frozenset({*ELEMENTWISE, ops.select, ops.cast, ops.broadcast_to})


@dataclass(frozen=True)
class ActivationRegion:
    """The nodes from a pre-activation z to its activation a, entry by entry."""

    z: Node
    a: Node


@dataclass(frozen=True)
class SoftmaxRegion:
    """Softmax of z, or its logarithm."""

    z: Node
    out: Node
    is_log: bool


class Structure:
    """The parts of the graph of a cost that a mistake may sit in."""

    def __init__(self, backward: BackwardPass) -> None:
        self.backward = backward
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
        found: list[ActivationRegion] = []
        inside: set[Node] = {region.out for region in self.softmaxes}
        for node in reversed(self.data_nodes):
            if node in inside or _in_loss(node):
                continue
            region = _named_region(node) if node.name.endswith(".a") else None
            if region is None and node.op in ACTIVATION_OPS and not self._is_loss_of_logits(node):
                region = node.inputs[0], set[Node]()
            if region is not None and region[0] in self.backward.reaching:
                found.append(ActivationRegion(region[0], node))
                inside |= region[1]
        return tuple(reversed(found))

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
        return tuple(node for node, side in sides if parameter_of(side) is not None)

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
        boundaries = {region.a for region in self.activations} | {region.out for region in self.softmaxes}
        direct: dict[Node, set[str]] = {}
        for node in self.data_nodes:
            if node.op is PARAMETER:
                direct[node] = {node.name}
            elif node in boundaries:
                direct[node] = set()
            else:
                weights = [leaf.name for source in node.inputs if (leaf := parameter_of(source)) is not None]
                own = set(weights) if node.op in {ops.matmul, ops.multiply} else set[str]()
                direct[node] = own or set[str]().union(*(direct.get(source, set()) for source in node.inputs))
            if node.op in {ops.add, ops.subtract} and not _in_loss(node):
                yield direct[node]
        self._direct = direct

    def layer_at(self, z: Node) -> str:
        """The layer whose pre-activation this is."""
        layers = self.layers
        names = [name for name in self.backward.parameters if name in self._direct.get(z, ())]
        return layers[names[0]] if names else z.scope or z.name or "the graph"

    def parameters_behind(self, node: Node) -> frozenset[str]:
        """The parameters that a node is computed from."""
        seen: set[Node] = set()
        stack = [node]
        while stack:
            current = stack.pop()
            if current not in seen:
                seen.add(current)
                stack.extend(current.inputs)
        return frozenset(leaf.name for leaf in seen if leaf.op is PARAMETER)

    # ---- sizes

    @cached_property
    def batch(self) -> int:
        """The number of examples B, 1 where it cannot be seen."""
        if self.products:
            last = self.products[-1]
            return last.shape[0] if data_side(last) == 0 else last.shape[-1]
        wide = [node.shape[0] for node in self.data_nodes if node.type.ndim >= 1 and node in self.depends_on_data]
        return wide[-1] if wide else 1

    @cached_property
    def outputs(self) -> int:
        """The number of outputs k of an example."""
        if not self.products:
            return 1
        last = self.products[-1]
        return last.shape[-1] if data_side(last) == 0 else last.shape[-2]

    def means_over(self, number: int, beside: Sequence[float]) -> int:
        """How many constants of the graph are a mean over so many terms, times one of the factors that may stand beside it."""
        constants = [abs(float(n.attributes["value"].flat[0])) for n in self.order if n.op is CONSTANT and _is_uniform(n)]
        sizes = [max(value, 1 / value) for value in constants if value > 0]
        return sum(any(np.isclose(size, number * factor) for factor in beside) for size in sizes)


def _summands(node: Node, reaching: set[Node]) -> list[Node]:
    """The parts that a node is the sum of; one part where it only carries a constant factor."""
    if node.op in {ops.add, ops.subtract}:
        return list(node.inputs)
    if node.op in {ops.negative, *VIEWS}:
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


def _named_region(a: Node) -> tuple[Node, set[Node]] | None:
    """The z that a layer's named activation is computed from entry by entry, and the nodes between; None if it is not so."""
    z_name = f"{a.name[:-2]}.z"
    ends: set[Node] = set()
    inside: set[Node] = set()
    stack = [a]
    while stack:
        node = stack.pop()
        if node is not a and (node.name == z_name or (node.scope != a.scope and node.op is not CONSTANT)):
            ends.add(node)
        elif node.op is CONSTANT or node in inside:
            continue
        elif node.op in ENTRYWISE:
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
