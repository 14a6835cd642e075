"""Mistakes at an activation a = σ(z): another factor than σ′(z) on the way back, of softmax another Jacobian."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import TypeAlias

import numpy as np

from chainrule.graph import Array, Node, Op
from chainrule.ops import cast, greater, log, relu, sigmoid, slice_axes, softplus, tanh, where
from chainrule.trace.mistakes.kinds import Planting, backward_mistake
from chainrule.trace.network_structure import ActivationRegion, SoftmaxRegion, Structure, without_step
from chainrule.trace.planted import Planted


def _slope(structure: Structure, region: ActivationRegion) -> Array | None:
    return structure.slope(region, structure.backward.values[region.z])


def _plantings(structure: Structure, region: ActivationRegion, factor: Array, detail: str = "") -> Iterator[Planting]:
    """The factor in place of σ′, in the whole region, and in each part of it that has a name of its own: a gate."""
    right = _slope(structure, region)
    if right is None or not np.all(np.isfinite(factor)) or np.allclose(factor, right, rtol=1e-9, atol=0):
        return
    z, a = region.z, region.a
    yield Planting(region.place, region.layer, Planted(rules={a: lambda g: [(z, g * factor)]}), (z,), detail, factor=factor)
    gates = [user for user, _ in structure.backward.users[a] if user.op is slice_axes]
    if len(gates) > 1 and len(gates) == len(structure.backward.users[a]) and np.all(right != 0):
        for gate in gates:
            place = without_step(gate.name) or f"{region.place}{list(gate.attributes['starts'])[-1:]}"
            own = gate.op.meaning(factor / right, **gate.attributes)
            yield Planting(place, region.layer, Planted(scalings={gate: own}), (z,), detail, factor=own)


@backward_mistake(
    "missing σ′",
    "Through an activation a = σ(z) the derivative gets the factor σ′(z): δ = ∂C/∂a ⊙ σ′(z). Here ∂C/∂a was taken for δ. (σ stands "
    "for the layer's own activation: for ReLU the factor is 1 where z > 0, else 0; for tanh it is 1 − a²; for sigmoid a·(1 − a).)",
    "multiply by the derivative of the activation before going on to W, b and the layer before",
)
def no_slope(structure: Structure) -> Iterable[Planting]:
    """1 in place of σ′."""
    for region in structure.activations:
        yield from _plantings(structure, region, np.ones(region.z.shape))
    for softmax in structure.softmaxes:
        yield _softmax(structure, softmax, partial(np.multiply, _by_p(structure, softmax)))


@backward_mistake(
    "σ′ taken at a",
    "The derivative of the activation is taken at the pre-activation z: δ = ∂C/∂a ⊙ σ′(z). Here it was taken at a = σ(z), so that σ was "
    "applied once too often.",
    "pass z to σ′; or write it by a, a·(1 − a) for sigmoid and 1 − a² for tanh, and pass a to that",
)
def slope_at_a(structure: Structure) -> Iterable[Planting]:
    """σ′(a)."""
    for region in structure.activations:
        factor = structure.slope(region, structure.backward.values[region.a])
        if factor is not None:
            yield from _plantings(structure, region, factor)


@backward_mistake(
    "σ′ applied twice",
    "δ = ∂C/∂a ⊙ σ′(z) has the derivative of the activation once; here it stands in it squared.",
    "leave one of the two factors out",
)
def slope_twice(structure: Structure) -> Iterable[Planting]:
    """σ′²."""
    for region in structure.activations:
        factor = _slope(structure, region)
        if factor is not None:
            yield from _plantings(structure, region, factor * factor)


@backward_mistake(
    "σ′ of another layer",
    "The factor σ′(z) belongs to the layer whose activation is gone back through: its own z, its own ReLU mask z > 0. Here that of "
    "another layer was used, which the shapes allow because both layers are equally wide.",
    "keep the z of each layer, and use for δ of layer l the z of layer l",
)
def slope_elsewhere(structure: Structure) -> Iterable[Planting]:
    """σ′ at the z of another layer of the same shape, in a layer with a memory at the same time step."""
    by_place: dict[str, list[ActivationRegion]] = {}
    for region in structure.activations:
        by_place.setdefault(region.place, []).append(region)
    for place, regions in by_place.items():
        for other, others in by_place.items():
            if other == place or len(others) != len(regions):
                continue
            for region, beside in zip(regions, others, strict=True):
                same = region.z.shape == beside.z.shape
                factor = structure.slope(region, structure.backward.values[beside.z]) if same else None
                if factor is not None:
                    z = without_step(beside.z.name) or f"the z of {other}"
                    yield from _plantings(structure, region, factor, f"taken at {z}")


Slope: TypeAlias = Callable[[Array, Array], Array]
_SLOPES: Mapping[Op, tuple[str, Slope]] = {
    sigmoid: ("a·(1 − a), that of the sigmoid", lambda z, a: a * (1 - a)),
    tanh: ("1 − a², that of tanh", lambda z, a: 1 - a * a),
    relu: ("z > 0, that of ReLU", lambda z, a: (z > 0) * 1.0),
    softplus: ("σ(z), that of softplus", lambda z, a: 1 / (1 + np.exp(-z))),
}
_AT_Z: Mapping[Op, tuple[str, Slope]] = {
    sigmoid: ("σ(z)·(1 − σ(z)), that of the sigmoid", lambda z, a: np.exp(-np.abs(z)) / (1 + np.exp(-np.abs(z))) ** 2),
    tanh: ("1 − tanh²(z), that of tanh", lambda z, a: 1 - np.tanh(z) ** 2),
}


@backward_mistake(
    "derivative of another activation",
    "Each activation has its own derivative: sigmoid a·(1 − a), tanh 1 − a², ReLU 1 where z > 0 and else 0. Here that of another "
    "activation than the layer's was used.",
    "look up which activation the layer has, and use its derivative",
)
def other_slope(structure: Structure) -> Iterable[Planting]:
    """σ′ of another function, written by a and by z."""
    for region in structure.activations:
        z, a = (structure.backward.values[node] for node in (region.z, region.a))
        for table in (_SLOPES, _AT_Z):
            for op, (words, slope) in table.items():
                if op is not region.a.op:
                    with np.errstate(all="ignore"):
                        factor = np.asarray(slope(z, a))
                    yield from _plantings(structure, region, factor, words)


@backward_mistake(
    "activation in place of its derivative",
    "δ = ∂C/∂a ⊙ σ′(z) has the derivative of the activation; here the activation a = σ(z) itself was multiplied with. For ReLU the mask "
    "is z > 0, a 0 or a 1, not the value.",
    "multiply by σ′(z): for ReLU (z > 0), for tanh 1 − a², for sigmoid a·(1 − a)",
)
def value_for_slope(structure: Structure) -> Iterable[Planting]:
    """A in place of σ′, or z."""
    for region in structure.activations:
        yield from _plantings(structure, region, structure.backward.values[region.a])
        yield from _plantings(structure, region, structure.backward.values[region.z], "z was multiplied with")


@backward_mistake(
    "another derivative at the kink",
    "At z = 0 exactly ReLU has a kink and no derivative. This library takes 0 there, as most do; yours takes 1 (z >= 0 in place of z > 0) "
    "or ½. Both are subgradients: this is a convention, no wrong formula.",
    "write z > 0 to agree with the library, or try values at which no z is exactly 0",
)
def other_kink(structure: Structure) -> Iterable[Planting]:
    """1, or ½, where z is 0."""
    for region in structure.activations:
        at_kink = structure.backward.values[region.z] == 0
        right = _slope(structure, region) if np.any(at_kink) and _has_kink(region) else None
        if right is not None:
            for value, words in ((1.0, "yours takes 1"), (0.5, "yours takes ½")):
                yield from _plantings(structure, region, np.where(at_kink, value, right), words)


def _has_kink(region: ActivationRegion) -> bool:
    inside = {region.a, *region.a.inputs}
    return any(node.op in {relu, where, greater} or (node.op is cast) for node in inside)


# ---- softmax


def _by_p(structure: Structure, softmax: SoftmaxRegion) -> Array:
    """A derivative by log p becomes one by p when divided by p."""
    p = _p(structure, softmax)
    with np.errstate(all="ignore"):
        return 1 / p if softmax.is_log else np.ones_like(p)


def _p(structure: Structure, softmax: SoftmaxRegion) -> Array:
    value = structure.backward.values[softmax.out]
    return np.exp(value) if softmax.is_log else value


def _softmax(structure: Structure, softmax: SoftmaxRegion, change: Callable[[Array], Array]) -> Planting:
    out, z = softmax.out, softmax.z
    layer = structure.layer_at(z)
    return Planting(f"softmax in {layer}", layer, Planted(rules={out: lambda g: [(z, change(g))]}), (z,))


@backward_mistake(
    "softmax Jacobian taken as diagonal",
    "Each output of softmax depends on all z: ∂p_i/∂z_j = p_i·(1 − p_i) for i = j, else −p_i·p_j. Here only p_j·(1 − p_j) was used, as "
    "for a sigmoid.",
    "use the whole Jacobian, δ = p ⊙ (g − Σ_i g_i·p_i) with g = ∂C/∂p; with cross-entropy this is simply p − t",
)
def diagonal(structure: Structure) -> Iterable[Planting]:
    """p·(1 − p) alone."""
    for softmax in structure.softmaxes:
        p = _p(structure, softmax)
        yield _softmax(structure, softmax, partial(np.multiply, _by_p(structure, softmax) * p * (1 - p)))


@backward_mistake(
    "softmax without its normaliser's derivative",
    "p = exp(z)/Σ exp(z): the sum in the denominator depends on all z, too. Here it was taken as a constant, so that δ = p ⊙ g is left.",
    "use the whole Jacobian, δ = p ⊙ (g − Σ_i g_i·p_i) with g = ∂C/∂p",
)
def no_normaliser(structure: Structure) -> Iterable[Planting]:
    """P alone."""
    for softmax in structure.softmaxes:
        yield _softmax(structure, softmax, partial(np.multiply, _by_p(structure, softmax) * _p(structure, softmax)))


@backward_mistake(
    "softmax Jacobian over the wrong axis",
    "δ = p ⊙ (g − Σ_i g_i·p_i): the sum goes over the classes (in attention: over what is attended to), the axis along which p adds up to "
    "1. Here it was taken over another axis, which the shapes allow.",
    "write (g * p).sum(axis=-1, keepdims=True)",
)
def wrong_softmax_axis(structure: Structure) -> Iterable[Planting]:
    """The sum over another axis."""
    for softmax in structure.softmaxes:
        p, by_p = _p(structure, softmax), _by_p(structure, softmax)
        for axis in range(p.ndim - 1):
            yield _softmax(structure, softmax, partial(_jacobian_along, p, by_p, axis))


def _jacobian_along(p: Array, by_p: Array, axis: int, g: Array) -> Array:
    return p * (g * by_p - np.sum(g * by_p * p, axis=axis, keepdims=True))


@backward_mistake(
    "p·(1 − p) on top of p − t",
    "For cross-entropy after softmax or sigmoid δ = p − t is the derivative by z already: the activation's own derivative has cancelled "
    "in it. Here it was multiplied by p·(1 − p) once more.",
    "take δ = p − t (times 1/B) as it is",
)
def on_top(structure: Structure) -> Iterable[Planting]:
    """The factor p·(1 − p) on what arrives at z."""
    for z, p, layer in _outputs(structure):
        yield Planting(f"output of {layer}", layer, Planted(scalings={z: p * (1 - p)}), (z,))


@backward_mistake(
    "target forgotten",
    "For cross-entropy after softmax or sigmoid δ = p − t: what the network says minus what is right. Here p alone was taken, without the "
    "target.",
    "subtract the target, 1 at the right class: δ[range(B), labels] −= 1",
)
def no_target(structure: Structure) -> Iterable[Planting]:
    """P in place of p − t: the factor p/(p − t) on what arrives at z."""
    for z, p, layer in _outputs(structure):
        right = structure.plain_walk.arriving.get(z)
        if right is not None and np.all(right != 0):
            yield Planting(f"output of {layer}", layer, Planted(scalings={z: _weight(right, p) * p / right}), (z,))


def _weight(right: Array, p: Array) -> Array:
    """The w > 0 in δ = w·(p − t), t one-hot: what each row counts for. Where t is 0, δ/p is w; where t is 1 it is below 0."""
    if p.shape[-1] > 1:
        return np.max(right / p, axis=-1, keepdims=True)
    return np.maximum(right / p, right / (p - 1))


def _outputs(structure: Structure) -> Iterator[tuple[Node, Array, str]]:
    """Where δ = p − t is: z, p and the layer."""
    for softmax in structure.softmaxes:
        users = [user for user, _ in structure.backward.users[softmax.out]]
        if softmax.is_log or any(user.op is log for user in users):
            yield softmax.z, _p(structure, softmax), structure.layer_at(softmax.z)
    for z in structure.binary_logits:
        yield z, 1 / (1 + np.exp(-structure.backward.values[z])), structure.layer_at(z)
