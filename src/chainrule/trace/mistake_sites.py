"""The places of a backward pass where a mistake changes what goes on to the layers before, and how each mistake changes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from chainrule.derivatives import vjp
from chainrule.graph import Array, Node, constant, evaluate
from chainrule.ops import broadcast_to, log
from chainrule.trace import mistakes
from chainrule.trace.mistakes import Kind
from chainrule.trace.network_structure import ActivationRegion, SoftmaxRegion, Structure
from chainrule.trace.planted import Planted, data_side, parameter_of


@dataclass(frozen=True)
class Site:
    """One place: its layer, the mistakes that can be made there, and the parameters behind it whose derivatives they change.

    `position` is where it stands in the topological order. `products` are those whose weights may have been updated too early.
    """

    layer: str
    position: int
    behind: frozenset[str]
    options: Mapping[Kind, Planted]
    products: tuple[Node, ...] = ()

    def joined(self, other: Site) -> Site:
        """Both as one place: a layer that is used several times is wrong at each use."""
        options = {
            kind: self.options.get(kind, Planted()) | other.options.get(kind, Planted()) for kind in self.kinds | other.kinds
        }
        position = max(self.position, other.position)
        return Site(self.layer, position, self.behind | other.behind, options, self.products + other.products)

    @property
    def kinds(self) -> frozenset[Kind]:
        """The mistakes that can be made here, updated weights aside."""
        return frozenset(self.options)


def sites_of(structure: Structure) -> tuple[Site, ...]:
    """All sites, from the cost backwards."""
    found: dict[tuple[str, str], Site] = {}
    for what, site in _all(structure):
        key = what, site.layer
        found[key] = found[key].joined(site) if key in found else site
    return tuple(sorted(found.values(), key=lambda site: -site.position))


def _all(structure: Structure) -> Iterator[tuple[str, Site]]:
    for softmax in structure.softmaxes:
        yield "softmax", _site(structure, softmax.z, softmax.out, _softmax_options(structure, softmax))
    for z in structure.binary_logits:
        p = 1 / (1 + np.exp(-structure.backward.values[z]))
        yield "logits", _site(structure, z, z, {mistakes.ON_TOP: Planted(scalings={z: p * (1 - p)})})
    for region in structure.activations:
        yield "activation", _site(structure, region.z, region.a, _activation_options(structure, region))
    for product in structure.products:
        data = product.inputs[data_side(product)]
        if data in structure.backward.reaching:
            weights = parameter_of(product.inputs[1 - data_side(product)])
            layer = structure.layers[weights.name] if weights is not None else ""
            options = _product_options(structure, product)
            behind = structure.parameters_behind(data)
            yield "weights", Site(layer, structure.backward.position[product], behind, options, (product,))


def _site(structure: Structure, z: Node, out: Node, options: Mapping[Kind, Planted]) -> Site:
    return Site(structure.layer_at(z), structure.backward.position[out], structure.parameters_behind(z), options)


def _softmax_options(structure: Structure, softmax: SoftmaxRegion) -> dict[Kind, Planted]:
    out, z = softmax.out, softmax.z
    value = structure.backward.values[out]
    p = np.exp(value) if softmax.is_log else value
    # A derivative by log p becomes one by p when divided by p.
    by_p = 1 / p if softmax.is_log else np.ones_like(p)
    options = {
        mistakes.DIAGONAL: Planted(shortcuts={out: (z, by_p * p * (1 - p))}),
        mistakes.NO_SLOPE: Planted(shortcuts={out: (z, by_p)}),
    }
    if softmax.is_log or any(out in node.inputs and node.op is log for node in structure.data_nodes):
        options[mistakes.ON_TOP] = Planted(scalings={z: p * (1 - p)})
    return options


def _activation_options(structure: Structure, region: ActivationRegion) -> dict[Kind, Planted]:
    z, a = region.z, region.a
    ones = constant(np.ones(())) if a.shape == () else broadcast_to(constant(1.0), shape=a.shape)
    (slope,) = vjp([a], [z], [ones])
    if slope is None:
        return {}
    values = structure.backward.values
    right, at_a = (np.asarray(evaluate([slope], {z: value})[0]) for value in (values[z], values[a]))
    factors = {mistakes.NO_SLOPE: np.ones_like(right), mistakes.SLOPE_AT_A: at_a, mistakes.SLOPE_TWICE: right * right}
    return {
        kind: Planted(shortcuts={a: (z, factor)})
        for kind, factor in factors.items()
        if np.all(np.isfinite(factor)) and not np.allclose(factor, right, rtol=1e-12, atol=0)
    }


def _product_options(structure: Structure, product: Node) -> dict[Kind, Planted]:
    matrix = structure.backward.values[product.inputs[1 - data_side(product)]]
    square = matrix.ndim == 2 and matrix.shape[0] == matrix.shape[1]
    if not square or np.array_equal(matrix, matrix.T):
        return {}
    return {mistakes.UNTRANSPOSED: Planted(matrices={product: matrix})}


def updated_weights(structure: Structure, site: Site, rate: float, gradients: Mapping[str, Array]) -> Planted:
    """The site's products with weights W − rate·∂C/∂W, the gradients being the student's own."""
    matrices: dict[Node, Array] = {}
    for product in site.products:
        shown = product.inputs[1 - data_side(product)]
        leaf = parameter_of(shown)
        if leaf is not None:
            value = structure.backward.values[leaf] - rate * gradients[leaf.name]
            (matrix,) = evaluate([shown], {leaf: value})
            matrices[product] = np.swapaxes(matrix, -1, -2)
    return Planted(matrices=matrices)
