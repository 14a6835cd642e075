"""What all tables for PyTorch write: modules, and those of activation functions."""

from __future__ import annotations

from collections.abc import Iterator

from chainrule.nn.peers.parts import LackingError, LayerStep, PeerPart, call

ACTIVATIONS = {
    "sigmoid": "Sigmoid()",
    "tanh": "Tanh()",
    "relu": "ReLU()",
    "leaky_relu": "LeakyReLU(0.01)",
    "elu": "ELU()",
    # PyTorch's own takes z itself for log(1 + exp(z)) from 20 on, which is wrong by 2e-9 there; from 40 on no digit is lost.
    "softplus": "Softplus(threshold=40)",
    "silu": "SiLU()",
    "gelu": "GELU()",
    "softmax": "Softmax(dim=-1)",
}
"""The modules of activation functions."""


def module(kind: str, *given: object, **named: object) -> str:
    """The code of a module."""
    return call(f"torch.nn.{kind}", *given, **named)


def activated(step: LayerStep, activation: str) -> Iterator[PeerPart]:
    """The module of an activation function; none for a linear one."""
    if activation == "linear":
        return
    if activation not in ACTIVATIONS:
        raise LackingError(step, f'activation "{activation}"')
    code = ACTIVATIONS[activation]
    yield PeerPart(f"torch.nn.{code.replace('-1', '1') if step.channels_first else code}")
