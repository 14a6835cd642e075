"""Mistakes on the way through weights and through what is not weighed: W in place of Wᵀ, a factor or a branch that is left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from chainrule.graph import CONSTANT, Array, Node, compute
from chainrule.numerals import numeral
from chainrule.ops import broadcast_to, divide, matmul, multiply, reshape, where
from chainrule.trace.mistakes.kinds import Planting, backward_mistake
from chainrule.trace.network_structure import Structure, without_step
from chainrule.trace.planted import Planted, data_side, weights_of


def data_passed(structure: Structure, product: Node, matrix: Array) -> Planted:
    """The product's data side gets its derivative through this matrix, (what comes out, what goes in)."""
    side = data_side(product)
    backward = structure.backward

    def rule(g: Array) -> Iterator[tuple[Node, Array | None]]:
        passed = backward.pull(product, g)
        passed[side] = g @ matrix if side == 0 else matrix @ g
        return zip(product.inputs, passed, strict=True)

    return Planted(rules={product: rule})


def weighed(structure: Structure) -> Iterator[tuple[Node, Node, str]]:
    """The products whose data a derivative goes on through, with their weights and their layer."""
    for product in structure.products:
        weights = weights_of(product.inputs[1 - data_side(product)])
        if weights is not None and product.inputs[data_side(product)] in structure.backward.reaching:
            yield product, weights, structure.layers[weights.name]


@backward_mistake(
    "weights not transposed",
    "Forward z = x·W, so backward ∂C/∂x = δ·Wᵀ: the same weights, the other way round. Here δ·W was taken, which the shapes allow "
    "because W is square.",
    "write δ @ W.T",
)
def untransposed(structure: Structure) -> Iterable[Planting]:
    """W in place of Wᵀ."""
    for product, weights, layer in weighed(structure):
        matrix = structure.backward.values[product.inputs[1 - data_side(product)]]
        blocks = matrix.shape[-1] // matrix.shape[-2] if matrix.shape[-2] and matrix.shape[-1] % matrix.shape[-2] == 0 else 0
        data = (product.inputs[data_side(product)],)
        if blocks == 1 and not np.array_equal(matrix, np.swapaxes(matrix, -1, -2)):
            yield Planting(f"{weights.name} backwards", layer, data_passed(structure, product, matrix), data)
        elif blocks > 1 and matrix.ndim == 2 and data_side(product) == 0:
            # The weights of several gates side by side: each of them square.
            turned = np.concatenate([block.T for block in np.split(matrix, blocks, axis=1)], axis=1)
            yield Planting(f"{weights.name} backwards", layer, data_passed(structure, product, turned.T), data, "in each gate")


@backward_mistake(
    "weights updated before use",
    "The derivative of a layer goes back through the weights that it was computed forward with. Here the weights had been changed to "
    "W − η·∂C/∂W before δ·Wᵀ was formed.",
    "compute all gradients first, then update all weights",
)
def updated(structure: Structure) -> Iterable[Planting]:
    """W − η·∂C/∂W, the gradient being the student's own."""
    for product, weights, layer in weighed(structure):

        def changed(rate: float, mine: Mapping[str, Array], product: Node = product, weights: Node = weights) -> Planted:
            value = structure.backward.values[weights] - rate * mine[weights.name]
            (matrix,) = compute([product.inputs[1 - data_side(product)]], {weights: value})
            return data_passed(structure, product, np.swapaxes(matrix, -1, -2))

        data = (product.inputs[data_side(product)],)
        yield Planting(f"{weights.name} backwards", layer, Planted(), data, rate=changed, touched=frozenset({product}))


@backward_mistake(
    "factor of the forward pass forgotten",
    "Where the forward pass multiplies by a constant c (1/√d in attention, the 1/n of a mean), the derivative is multiplied by the same c "
    "on the way back. Here it was left out.",
    "multiply by the constant on the way back too",
)
def forgotten_constant(structure: Structure) -> Iterable[Planting]:
    """A constant factor inside the network left out on the way back."""
    for node, moving, value in _scaled(structure):
        place = without_step(node.name) or f"factor {numeral(value)} in {structure.layer_at(node)}"
        planted = Planted(scalings={node: 1 / value})
        yield Planting(place, structure.layer_at(node), planted, (moving,), f"the factor {numeral(value)}")


@backward_mistake(
    "factor of the forward pass applied twice",
    "Where the forward pass multiplies by a constant c (1/√d in attention, the 1/n of a mean), the derivative is multiplied by c once on "
    "the way back. Here it was multiplied twice.",
    "multiply by the constant once",
)
def doubled_constant(structure: Structure) -> Iterable[Planting]:
    """A constant factor inside the network applied twice on the way back."""
    for node, moving, value in _scaled(structure):
        place = without_step(node.name) or f"factor {numeral(value)} in {structure.layer_at(node)}"
        yield Planting(
            place, structure.layer_at(node), Planted(scalings={node: value}), (moving,), f"the factor {numeral(value)}"
        )


def _scaled(structure: Structure) -> Iterator[tuple[Node, Node, float]]:
    """Where something inside the network is multiplied or divided by one number: the node, what moves, the number."""
    for node in structure.data_nodes:
        if node in structure.inside_layers and node not in structure.interior:
            yield from ((node, moving, value) for moving, value in _constant_factor(node, structure))


def _constant_factor(node: Node, structure: Structure) -> Iterator[tuple[Node, float]]:
    """What a node is a multiple of, and the number."""
    places = {multiply: ((0, 1), (1, 0)), divide: ((0, 1),)}.get(node.op, ())
    for place, other in places:
        value = constant_number(node.inputs[other])
        if value is not None and node.inputs[place] in structure.backward.reaching and abs(value) not in {0.0, 1.0}:
            yield node.inputs[place], value if node.op is multiply else 1 / value


def constant_number(node: Node) -> float | None:
    """The number that a node is, repeated as it may be; None for others."""
    while node.op in {broadcast_to, reshape}:
        node = node.inputs[0]
    return float(node.attributes["value"].flat[0]) if node.op is CONSTANT and node.type.size == 1 else None


@backward_mistake(
    "dropout mask forgotten",
    "What was dropped on the way forward gets no derivative on the way back: δ is multiplied by the same mask, and by the same 1/(1 − p). "
    "Here everything got one.",
    "keep the mask of the forward pass, and multiply by it on the way back",
)
def forgotten_mask(structure: Structure) -> Iterable[Planting]:
    """The derivative passes a dropout whole, with and without its factor."""
    for node in structure.data_nodes:
        if node.op is not where or node.inputs[0] in structure.backward.reaching or constant_number(node.inputs[2]) != 0:
            continue
        inner, scaled = node.inputs[1], list(_constant_factor(node.inputs[1], structure))
        layer = node.scope or structure.layer_at(node)
        yield Planting(f"mask of {layer}", layer, Planted(rules={node: lambda g, inner=inner: [(inner, g)]}), (inner,))
        for source, _ in scaled:
            rule = Planted(rules={node: lambda g, source=source: [(source, g)]})
            yield Planting(f"mask of {layer}", layer, rule, (source,), "and its factor, too")


@backward_mistake(
    "a branch forgotten",
    "What is used in several places gets the sum of what all of them pass back. Here one of them is missing: a residual connection, a "
    "gate, a head of attention, or the way back in time.",
    "add up the derivatives of all places where the quantity is used",
    vague=True,
)
def forgotten_branch(structure: Structure) -> Iterable[Planting]:
    """One of several ways on which a derivative comes back is cut."""
    backward = structure.backward
    inside = structure.inside_layers
    # An activation is one step, whatever it is made of.
    ends = {region.a for region in structure.activations}
    steps = structure.in_data - structure.interior | ends
    for node in structure.data_nodes:
        users = [pair for pair in backward.users[node] if pair[0] in steps]
        if len(users) < 2 or not node.inputs or node not in inside:
            continue
        for user, place in users:
            start = without_step(node.name) or f"{node.op.name} in {structure.layer_at(node)}"
            way = f"what comes back to {start} from {_named_behind(structure, user)}"
            yield Planting(way, structure.layer_at(node), Planted(cuts=frozenset({(user, place)})), (node,), way)


def _named_behind(structure: Structure, node: Node) -> str:
    """The next quantity with a name that a node leads to, and by which op."""
    current = node
    while not current.name:
        users = [user for user, _ in structure.backward.users[current] if user in structure.in_data]
        if not users:
            return f"the {node.op.name} in {structure.layer_at(node)}"
        current = users[0]
    by = "" if current is node else f" through a {node.op.name}"
    return f"{without_step(current.name)}{by}"


@backward_mistake(
    "one product's derivative taken for the other's",
    "For s = q·kᵀ the derivatives are ∂C/∂q = δ·k and ∂C/∂k = δᵀ·q. Here δ was not transposed, which the shapes allow because as many are "
    "asked as are answered.",
    "check the shapes with two different lengths, and transpose δ for the right factor",
)
def product_untransposed(structure: Structure) -> Iterable[Planting]:
    """Δ in place of δᵀ in a product of two quantities of the network."""
    backward = structure.backward
    for node in structure.data_nodes:
        square = node.op is matmul and node not in structure.products and node.shape[-1:] == node.shape[-2:-1]
        if square and all(source in backward.reaching for source in node.inputs):
            layer = structure.layer_at(node)
            for side in (0, 1):

                def rule(g: Array, node: Node = node, side: int = side) -> Iterator[tuple[Node, Array | None]]:
                    passed, turned = backward.pull(node, g), backward.pull(node, np.swapaxes(g, -1, -2))
                    passed[side] = turned[side]
                    return zip(node.inputs, passed, strict=True)

                what = f"{'left' if side == 0 else 'right'} factor"
                yield Planting(f"product in {layer}", layer, Planted(rules={node: rule}), (node.inputs[side],), what)


@backward_mistake(
    "sum over a broadcast forgotten",
    "What is repeated along an axis gets the sum over that axis. Here the mean over the copies was taken.",
    "write .sum(axis=...), not .mean(axis=...), for what was broadcast",
    vague=True,
)
def averaged_broadcast(structure: Structure) -> Iterable[Planting]:
    """The mean over the copies of something inside the network."""
    for node in structure.data_nodes:
        if node.op is broadcast_to and node in structure.inside_layers and weights_of(node) is None:
            copies = node.type.size // max(1, node.inputs[0].type.size)
            if copies > 1 and node.inputs[0].op is not CONSTANT:
                layer = structure.layer_at(node)
                planted = Planted(scalings={node: 1 / copies})
                yield Planting(f"broadcast in {layer}", layer, planted, (node.inputs[0],), f"over {copies} copies")
