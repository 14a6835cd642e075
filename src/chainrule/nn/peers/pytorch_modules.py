"""What all tables for PyTorch write: modules, and those of activation functions."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import cast

from chainrule.nn.formula import Formula
from chainrule.nn.peers.parts import (
    ADDED,
    BENT,
    LOG_SOFTMAX,
    PRELU,
    Folded,
    LackingError,
    LayerStep,
    Moved,
    PeerPart,
    call,
    word_of,
)

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
OWN = {"exp": "Exp()"}
"""Modules of our own making, for functions that PyTorch has no module for."""

FORMULAS = {
    "ReLU6": BENT["relu6"], "Softsign": "x/(1 + abs(x))", "Tanhshrink": "x - tanh(x)", "Mish": "x*tanh(softplus(x))",
    "LogSigmoid": "-softplus(-x)", "Hardsigmoid": BENT["hard sigmoid"], "Hardswish": BENT["hard swish"],
    "Hardtanh": BENT["hard tanh"], "SELU": BENT["selu"], "LogSoftmax": LOG_SOFTMAX,
    "PReLU": PRELU, "Plus": ADDED,
}  # fmt: skip
"""Modules that are none of our layers, and the formulas that compute the same."""


def formula(step: LayerStep) -> Iterator[PeerPart]:
    """The module of a formula."""
    kind, layer = word_of(FORMULAS, step), cast("Formula", step.layer)
    if kind == "PReLU":
        shape = layer.parameters["a"]
        if prod(shape[:-1]) != 1:
            raise LackingError(step, f"slopes of the shape {shape}, more than one to a channel")
        yield PeerPart(
            module("PReLU", shape[-1] if shape else 1),
            (Folded(f"{step.name}.a", "weight", shape, (shape[-1] if shape else 1,)),),
        )
        return
    if kind == "Plus":
        shape = layer.parameters["p"]
        there = (*shape[-1:], *shape[:-1]) if step.channels_first and len(shape) == len(step.input) else shape
        if step.channels_first and there == shape and len(set(shape)) > 1:
            raise LackingError(step, f"numbers of the shape {shape} beside channels first")
        axes = (len(shape) - 1, *range(len(shape) - 1)) if there != shape else None
        yield PeerPart(call("Plus", *there), (Moved(f"{step.name}.p", "p", axes),))
        return
    yield PeerPart(module(kind, dim=(1 if step.channels_first else -1) if kind == "LogSoftmax" else None))


def module(kind: str, *given: object, **named: object) -> str:
    """The code of a module."""
    return call(f"torch.nn.{kind}", *given, **named)


def activated(step: LayerStep, activation: str) -> Iterator[PeerPart]:
    """The module of an activation function; none for a linear one."""
    if activation == "linear":
        return
    if activation in OWN:
        yield PeerPart(OWN[activation])
        return
    if activation not in ACTIVATIONS:
        raise LackingError(step, f'activation "{activation}"')
    code = ACTIVATIONS[activation]
    yield PeerPart(f"torch.nn.{code.replace('-1', '1') if step.channels_first else code}")
