"""Mistakes in a normalisation, batch's or layer's: its mean and its variance depend on what is normalised, too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from chainrule.graph import Node
from chainrule.graph.graph import descendants
from chainrule.immutable import immutable
from chainrule.ops import broadcast_to, divide, log, multiply, power, reduce_sum, reshape, sqrt, subtract
from chainrule.trace.mistakes.kinds import Planting, backward_mistake
from chainrule.trace.network_structure import Structure
from chainrule.trace.planted import Planted

_THROUGH = frozenset({broadcast_to, reshape})


@immutable
class Normalisation:
    """(x − μ)/√(σ² + ε): the nodes x, μ, x − μ, and the places where μ and σ are used."""

    x: Node
    mean: Node
    centred: Node
    mean_use: tuple[Node, int]
    deviation_use: tuple[Node, int]
    layer: str


def normalisations(structure: Structure) -> Iterator[Normalisation]:
    """Where something is divided by, or multiplied with the inverse of, a root of its own mean square."""
    users = structure.backward.users
    for centred in structure.data_nodes:
        if centred.op is not subtract or not _is_mean_of(centred.inputs[1], centred.inputs[0]):
            continue
        behind = descendants(structure.order, [centred])
        for use, place in users[centred]:
            divisor = use.inputs[1 - place] if use.op in {divide, multiply} and len(set(use.inputs)) == 2 else None
            if divisor is not None and divisor in behind and _is_root(divisor):
                layer = centred.scope or structure.layer_at(use)
                mean_use, deviation_use = (centred, 1), (use, 1 - place)
                yield Normalisation(centred.inputs[0], centred.inputs[1], centred, mean_use, deviation_use, layer)


def _is_mean_of(node: Node, x: Node) -> bool:
    """Whether the node is Σ x times a constant, repeated."""
    while node.op in _THROUGH or (node.op in {multiply, divide} and len(node.inputs) == 2):
        moving = [source for source in node.inputs if not _is_fixed(source)]
        if len(moving) != 1:
            return False
        node = moving[0]
    return node.op is reduce_sum and node.inputs[0] is x


def _is_fixed(node: Node) -> bool:
    while node.op in _THROUGH:
        node = node.inputs[0]
    return node.is_leaf


def _is_root(node: Node) -> bool:
    """Whether a root is taken on the way: √(σ² + ε), or a power of −½."""
    for _ in range(6):
        if node.op in {sqrt, power}:
            return True
        if node.op is log or not node.inputs:
            return False
        node = next((source for source in node.inputs if not _is_fixed(source)), node.inputs[0])
    return False


def _planting(found: Normalisation, *uses: tuple[Node, int]) -> Planting:
    return Planting(f"statistics of {found.layer}", found.layer, Planted(cuts=frozenset(uses)), (found.x,))


def _cut_mean(structure: Structure, found: Normalisation) -> list[tuple[Node, int]]:
    """Every place where μ is used: it may stand in the variance by itself, mean(x²) − μ²."""
    return [
        pair
        for node in _aliases(structure, found.mean)
        for pair in structure.backward.users[node]
        if pair[0].op not in _THROUGH
    ]


def _aliases(structure: Structure, node: Node) -> list[Node]:
    """The mean in each of the forms that it is shown in."""
    while node.op in _THROUGH:
        node = node.inputs[0]
    found = [node]
    for alias in found:
        found += [user for user, _ in structure.backward.users[alias] if user.op in _THROUGH and user not in found]
    return found


@backward_mistake(
    "mean taken as a constant",
    "In x̂ = (x − μ)/√(σ² + ε) the mean μ = 1/n·Σ x depends on every x: each ∂C/∂x gets −1/n·Σ ∂C/∂(x − μ) through it. Here that "
    "part is missing.",
    "subtract the mean of the derivative: dx = 1/√(σ² + ε)·(g − mean(g) − x̂·mean(g·x̂)) with g = ∂C/∂x̂",
)
def constant_mean(structure: Structure) -> Iterable[Planting]:
    """Nothing passes through μ."""
    for found in normalisations(structure):
        yield _planting(found, *_cut_mean(structure, found))


@backward_mistake(
    "variance taken as a constant",
    "In x̂ = (x − μ)/√(σ² + ε) the variance σ² = 1/n·Σ (x − μ)² depends on every x: each ∂C/∂x gets −x̂/√(σ² + ε)·mean(g·x̂) through it, "
    "with g = ∂C/∂x̂. Here that part is missing.",
    "use dx = 1/√(σ² + ε)·(g − mean(g) − x̂·mean(g·x̂))",
)
def constant_variance(structure: Structure) -> Iterable[Planting]:
    """Nothing passes through σ²."""
    for found in normalisations(structure):
        yield _planting(found, found.deviation_use)


@backward_mistake(
    "mean and variance taken as constants",
    "In x̂ = (x − μ)/√(σ² + ε) both μ and σ² depend on every x. Here they were taken as constants, so that only dx = g/√(σ² + ε) is left; "
    "that is right where running statistics stand in their place, at inference.",
    "use dx = 1/√(σ² + ε)·(g − mean(g) − x̂·mean(g·x̂)) with g = ∂C/∂x̂",
)
def constant_statistics(structure: Structure) -> Iterable[Planting]:
    """Nothing passes through μ and σ²."""
    for found in normalisations(structure):
        yield _planting(found, *_cut_mean(structure, found), found.deviation_use)
