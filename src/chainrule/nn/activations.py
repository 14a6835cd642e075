"""Activation functions: what a layer does to its pre-activation z, by name."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, TypeAlias

from chainrule import ops
from chainrule.checks import Choice, Interval, Positive, checked
from chainrule.display import Shown
from chainrule.graph import Node, Op
from chainrule.immutable import immutable
from chainrule.ops.declare import normal_axis


@immutable
@checked
class ActivationFunction(Shown):
    """A named function from node to node, with its formula, range, and what its derivative is where there is none."""

    name: str
    function: Callable[[Node], Node]
    formula: str
    lowest: Annotated[float, Interval(infinite=True)] = -math.inf
    highest: Annotated[float, Interval(infinite=True)] = math.inf
    kink: str = ""

    def __call__(self, z: Node) -> Node:
        """The activation a = f(z)."""
        return self.function(z)


def linear(z: Node) -> Node:
    """The identity: a = z."""
    return z


def leaky_relu(z: Node, slope: float = 0.01) -> Node:
    """Z where z > 0, slope·z elsewhere. Source: A. L. Maas, A. Y. Hannun, A. Y. Ng, ICML (2013)."""
    return ops.where(ops.greater(z, 0.0), z, z * slope)


def elu(z: Node) -> Node:
    """Z where z > 0, exp(z) − 1 elsewhere. Source: D.-A. Clevert, T. Unterthiner, S. Hochreiter, ICLR (2016)."""
    return ops.where(ops.greater(z, 0.0), z, ops.expm1(z))


def silu(z: Node) -> Node:
    """z·σ(z), also called swish; NaN at z = −∞. Source: S. Elfwing, E. Uchibe, K. Doya, Neural Networks 107 (2018)."""
    return z * ops.sigmoid(z)


def gelu(z: Node) -> Node:
    """z·Φ(z), Φ the normal distribution function; NaN at z = −∞. Source: D. Hendrycks, K. Gimpel, arXiv:1606.08415."""
    return z * 0.5 * (1.0 + ops.erf(z * math.sqrt(0.5)))


@checked
def softmax(z: Node, axis: int = -1, temperature: Positive = 1.0) -> Node:
    """exp(z_j)/Σ_k exp(z_k) along an axis, of z's shape and dtype; see `ops.softmax`.

    A high `temperature` makes the result even, a low one makes the largest win: z is divided by it first.

    Raises: OptionError for a temperature that is not a number above 0.
    """
    z = z if temperature == 1.0 else z * (1.0 / temperature)
    return ops.softmax(z, axis=normal_axis("softmax", axis, z.type.ndim))


@checked
def log_softmax(z: Node, axis: int = -1) -> Node:
    """Log of softmax(z) without forming the quotient: z − max z − log Σ exp(z − max z); of z's shape and dtype."""
    largest = ops.stop_gradient(ops.max(z, axis, keepdims=True))
    shifted = z - largest
    return shifted - ops.log(ops.sum(ops.exp(shifted), axis, keepdims=True))


@checked
def softmax_input(a: Node) -> Node | None:
    """The logits z if a was computed as softmax(z) over the last axis; else None.

    Written out by hand, exp(z)/Σ exp(z) with or without a shift, it is recognised by its structure.
    """
    if a.op is ops.softmax:
        return a.inputs[0] if a.attributes["axis"] == a.type.ndim - 1 else None
    if a.op is not ops.divide or a.inputs[0].op is not ops.exp:
        return None
    exponential, total = a.inputs
    if _reduced_along_last(total, ops.reduce_sum) is not exponential:
        return None
    logits = exponential.inputs[0]
    if logits.op is ops.subtract and logits.inputs[0] is _reduced_along_last(logits.inputs[1], ops.reduce_max):
        return logits.inputs[0]
    # Whatever else was subtracted may differ from class to class, and belongs to the logits.
    return logits


def _reduced_along_last(node: Node, reduction: Op) -> Node | None:
    """The node whose reduction over the last axis, kept as an axis of 1 and repeated, this one is; else None."""
    shape = node.shape
    node = node.inputs[0] if node.op is ops.broadcast_to else node
    if node.shape != (*shape[:-1], 1):
        return None
    while node.op is ops.reshape or node.op is ops.stop_gradient:
        node = node.inputs[0]
    if node.op is reduction and node.attributes["axes"] == (len(shape) - 1,):
        return node.inputs[0]
    return None


@checked
def sigmoid_input(a: Node) -> Node | None:
    """The pre-activation z if a was computed as σ(z); else None."""
    return a.inputs[0] if a.op is ops.sigmoid else None


@checked
def exp_input(a: Node) -> Node | None:
    """The pre-activation z if a was computed as exp(z); else None."""
    return a.inputs[0] if a.op is ops.exp else None


ACTIVATIONS: dict[str, ActivationFunction] = {
    item.name: item
    for item in (
        ActivationFunction("linear", linear, "z"),
        ActivationFunction("step", ops.heaviside, "1 if z > 0 else 0", 0, 1, "no gradient: 0 almost everywhere"),
        ActivationFunction("sigmoid", ops.sigmoid, "1/(1 + exp(−z))", 0, 1),
        ActivationFunction("tanh", ops.tanh, "tanh(z)", -1, 1),
        ActivationFunction("relu", ops.relu, "max(0, z)", 0, kink="0 at z = 0"),
        ActivationFunction("leaky_relu", leaky_relu, "z if z > 0 else 0.01·z", kink="0.01 at z = 0"),
        ActivationFunction("elu", elu, "z if z > 0 else exp(z) − 1", -1),
        ActivationFunction("exp", ops.exp, "exp(z)", 0),
        ActivationFunction("softplus", ops.softplus, "log(1 + exp(z))", 0),
        ActivationFunction("silu", silu, "z/(1 + exp(−z))", -0.2784645427610738),
        ActivationFunction("gelu", gelu, "z·½·(1 + erf(z/√2))", -0.16997120747990369),
        ActivationFunction("softmax", softmax, "exp(z_j)/Σ_k exp(z_k)", 0, 1),
    )
}
"""Every activation by its name."""

ActivationName: TypeAlias = Annotated[str, Choice(ACTIVATIONS, 'for any other, put Formula("x * exp(-x**2)") behind the layer')]
"""The name of an activation."""
