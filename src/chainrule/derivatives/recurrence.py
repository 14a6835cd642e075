"""The derivative of a loop over time is a loop backwards in time, whose body is the gradient of the forward body.

Source: P. J. Werbos, Proceedings of the IEEE 78, 1550 (1990): Backpropagation through time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from chainrule.derivatives.reverse import vjp
from chainrule.graph import CONSTANT, Body, Graph, Node, constant, input_node, topological_order
from chainrule.graph.graph import rebuilt
from chainrule.ops import broadcast_to, concatenate, reduce_sum, reshape, scan, slice_axis, split_values, swap_last
from chainrule.ops.elementwise import add
from chainrule.ops.matrices import matmul
from chainrule.ops.shapes import row, transpose


@scan.vjp
def scan_vjp(
    g: Node, out: Node, *values: Node, body: Body, output: str, length: int, before_step: bool = False, reverse: bool = False
) -> tuple[Node | None, ...]:
    """What each turn passes back to the turn before it, to its rows of the sequences, and to the constants, which get the sum of all."""
    first: Node | None = None
    if before_step:
        # What a turn finds is what the one before it left; the first turn finds the first value.
        first, g = _shifted(g, length, reverse=reverse)
    backward = _Backward(body, output, length, reverse, values)
    gradients = backward.gradients(g)
    if first is not None:
        place = body.states.index(output)
        found = gradients[place]
        gradients[place] = first if found is None else first + found
    return tuple(gradients)


def _shifted(g: Node, length: int, *, reverse: bool) -> tuple[Node, Node]:
    """The cotangents of what turns find, as that of the first value, and those of what turns leave behind."""
    nothing = broadcast_to(constant(0.0, g.dtype), shape=(1, *g.shape[1:]))
    start, rest = (length - 1, (0, length - 1)) if reverse else (0, (1, length))
    others = slice_axis(g, 0, *rest)
    return row(g, start), concatenate(*((nothing, others) if reverse else (others, nothing)), axis=0)


@dataclass
class _Backward:
    """The loop backwards while it is being made: the outputs of its body, and the values of its leaves."""

    body: Body
    output: str
    length: int
    reverse: bool
    values: tuple[Node, ...]
    outputs: dict[str, Node] = field(default_factory=dict[str, Node])
    states: dict[str, Node] = field(default_factory=dict[str, Node])
    sequences: dict[str, Node] = field(default_factory=dict[str, Node])
    constants: dict[str, Node] = field(default_factory=dict[str, Node])
    known: dict[Node, Node] = field(default_factory=dict[Node, Node])
    """Nodes of the body that need not be computed again, with the leaf that brings their value."""

    def gradients(self, g: Node) -> list[Node | None]:
        """The cotangent of each value, in their order."""
        forward, leaves = self.body.graph, self.body.graph.leaves
        carried = {
            name: input_node(self._fresh(f"adjoint.{name}"), forward.outputs[name].shape, node.dtype)
            for name, node in self._floats()
        }
        seed = input_node(self._fresh("cotangent"), g.shape[1:], g.dtype)
        roots = [forward.outputs[self.output], *(forward.outputs[name] for name in carried)]
        wrt = [name for name in self.body.leaves if name in leaves]
        found = dict(zip(wrt, vjp(roots, [leaves[name] for name in wrt], [seed, *carried.values()]), strict=True))
        self.sequences[seed.name] = g
        self.known[seed] = seed
        self._bring_what_is_known()
        self._bring_what_stays(node for node in found.values() if node is not None)
        found = {name: None if node is None else self.rewritten(node) for name, node in found.items()}
        for name, leaf in carried.items():
            back = found.get(name)
            nothing = broadcast_to(constant(0.0, leaf.dtype), shape=leaf.shape)
            self.states[leaf.name], self.outputs[leaf.name] = nothing, nothing if back is None else back
        rows = {name: node for name in self.body.sequences if (node := found.get(name)) is not None}
        self.outputs |= {f"rows.{name}": node for name, node in rows.items()}
        summed = {name: self._summed(node) for name in self.body.constants if (node := found.get(name)) is not None}
        taking = self._loop()
        end = self.length - 1 if self.reverse else 0
        given: dict[str, Node] = {
            name: row(taking(leaf.name), end) for name, leaf in carried.items() if found.get(name) is not None
        }
        given |= {name: taking(f"rows.{name}") for name in rows}
        given |= {name: make(taking) for name, make in summed.items()}
        return [given.get(name) for name in self.body.leaves]

    def _floats(self) -> list[tuple[str, Node]]:
        outputs = self.body.graph.outputs
        return [(name, outputs[name]) for name in self.body.states if outputs[name].type.is_float]

    def _fresh(self, name: str) -> str:
        """The name, or one like it that no leaf of the forward body has: that body may be a backward one itself."""
        while name in self.body.leaves:
            name = f"{name}.next"
        return name

    def _bring_what_is_known(self) -> None:
        """The leaves of the body, its named nodes and its next values: all of them can be taken from the forward loop."""
        _, sequences, constants = split_values(self.body, self.values)
        outputs = self.body.graph.outputs
        for name, node in self.body.graph.leaves.items():
            if name in constants:
                self.constants[name] = constants[name]
            else:
                self.sequences[name] = sequences[name] if name in sequences else self._taken(name, before=True)
            self.known[node] = node
        # A next value is kept by the loop anyway, whatever other name it has.
        for name, node in sorted(outputs.items(), key=lambda item: item[0] not in self.body.states):
            if node.inputs and node not in self.known:
                self.known[node] = input_node(self._fresh(f"known.{name}"), node.shape, node.dtype)
                self.sequences[self.known[node].name] = self._taken(name)

    def _taken(self, name: str, *, before: bool = False) -> Node:
        return scan(*self.values, body=self.body, output=name, length=self.length, before_step=before, reverse=self.reverse)

    def _bring_what_stays(self, roots: Iterable[Node]) -> None:
        """What depends on constants only (a transposed matrix, say) is computed once, outside."""
        outside: dict[Node, Node] = {
            self.body.graph.leaves[name]: node for name, node in self.constants.items() if name in self.body.graph.leaves
        }
        order = [node for node in topological_order(roots, self.known) if node.inputs and node not in self.known]
        for node in order:
            stays = all(source in outside or source.op is CONSTANT for source in node.inputs)
            if stays and any(source in outside for source in node.inputs):
                outside[node] = node.with_inputs(tuple(outside.get(source, source) for source in node.inputs))
        for node in order:
            for source in node.inputs:
                if node not in outside and source in outside and source.inputs and source not in self.known:
                    name = self._fresh(f"constant.{len(self.constants)}")
                    self.known[source] = input_node(name, source.shape, source.dtype)
                    self.constants[name] = outside[source]

    def rewritten(self, root: Node) -> Node:
        """The node in terms of the backward body's leaves."""
        return rebuilt(root, self.known)

    # ---- sums over the turns

    def _summed(self, node: Node) -> Callable[[Callable[[str], Node]], Node]:
        """How the sum over all turns of a node is made outside: from the largest pieces that every turn must compute itself.

        The sum of a matrix product over turns is one product, over turns and rows together.
        """
        if node.op is add:
            left, right = map(self._summed, node.inputs)
            return lambda taking: left(taking) + right(taking)
        if node.op is matmul and node.type.ndim == 2 and node.inputs[0].op is transpose:
            tall, right = self._stacked(node.inputs[0].inputs[0]), self._stacked(node.inputs[1])
            return lambda taking: swap_last(_rows(tall(taking))) @ _rows(right(taking))
        if node.op is transpose:
            inner = self._summed(node.inputs[0])
            return lambda taking: transpose(inner(taking), axes=node.attributes["axes"])
        if node.op is reshape:
            inner = self._summed(node.inputs[0])
            return lambda taking: reshape(inner(taking), shape=node.shape)
        if node.op is reduce_sum:
            stacked = self._stacked(node.inputs[0])
            axes = (0, *(axis + 1 for axis in node.attributes["axes"]))
            return lambda taking: reshape(reduce_sum(stacked(taking), axes=axes), shape=node.shape)
        stacked = self._stacked(node)
        return lambda taking: reduce_sum(stacked(taking), axes=(0,))

    def _stacked(self, node: Node) -> Callable[[Callable[[str], Node]], Node]:
        """A node of the backward body at every turn."""
        if node.is_leaf and node.name in self.sequences:
            return lambda taking: self.sequences[node.name]
        name = next((name for name, out in self.outputs.items() if out is node), f"turn.{len(self.outputs)}")
        self.outputs[name] = node
        return lambda taking: taking(name)

    def _loop(self) -> Callable[[str], Node]:
        """The loop backwards, from which outputs can be taken."""
        graph = Graph(self.outputs)
        used = graph.leaves.keys()
        sequences = {name: node for name, node in self.sequences.items() if name in used}
        constants = {name: node for name, node in self.constants.items() if name in used}
        body = Body(graph, tuple(self.states), tuple(sequences), tuple(constants))
        values = (*self.states.values(), *sequences.values(), *constants.values())
        return lambda name: scan(
            *values, body=body, output=name, length=self.length, before_step=False, reverse=not self.reverse
        )


def _rows(stacked: Node) -> Node:
    return reshape(stacked, shape=(stacked.shape[0] * stacked.shape[1], *stacked.shape[2:]))


__all__ = ["scan_vjp"]
