"""What PyTorch has: a row to each kind of layer, with the modules that do the same and the arrays that they hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias, cast

import numpy as np

from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.nn.augmentation import RandomBrightness, RandomFlip, RandomRotation, RandomShift
from chainrule.nn.convolution import Conv1D, Conv2D
from chainrule.nn.embedding import Embedding
from chainrule.nn.formula import Formula
from chainrule.nn.layers import Activation, Dense, Dropout, Flatten, Reshape
from chainrule.nn.normalisation import BatchNorm, GroupNorm, LayerNorm
from chainrule.nn.peers.export import UNSCALED, Scale, numbers
from chainrule.nn.peers.parts import (
    Arrays,
    Extra,
    GatedBias,
    LackingError,
    LayerStep,
    Moved,
    Padded,
    Parts,
    PeerPart,
    SplitBias,
    call,
    require_plain,
    scales,
    unless,
)
from chainrule.nn.peers.pytorch_modules import activated, formula, module
from chainrule.nn.peers.pytorch_windows import convolution, global_pool, pool, transposed, up_sample, zeros_around
from chainrule.nn.pooling import AveragePool, GlobalAveragePool, GlobalMaxPool, MaxPool, UpSample
from chainrule.nn.recurrent import GRU, LSTM, RNN, Bidirectional, Recurrent
from chainrule.nn.sampling import GaussianNoise
from chainrule.nn.transposed import ConvTranspose1D, ConvTranspose2D

Order: TypeAlias = Literal["first", "last", "any"]
"""Where the channels of an example stand."""


def _scale(step: LayerStep) -> Iterator[PeerPart]:
    scale = cast("Scale", step.layer)
    given = (numbers(_as_there(step, values)) for values in (scale.offset, scale.factor))
    inside = {"inside": True} if scale.undo and step.name != UNSCALED else {}
    yield PeerPart(call("Unscaled" if scale.undo else "Scaled", *given, **inside))


def _as_there(step: LayerStep, values: Array) -> Array:
    """Numbers that are broadcast against an example, with the channels where PyTorch has them."""
    if not step.channels_first or not values.ndim:
        return values
    return np.moveaxis(values.reshape((1,) * (len(step.input) - values.ndim) + values.shape), -1, 0)


def _dense(step: LayerStep) -> Iterator[PeerPart]:
    layer = cast("Dense", step.layer)
    arrays: tuple[Arrays, ...] = (Moved(f"{step.name}.W", "weight", (1, 0), step.rows, 0),)
    arrays += (Moved(f"{step.name}.b", "bias"),) if layer.bias else ()
    yield PeerPart(module("Linear", step.input[-1], layer.units, bias=None if layer.bias else False), arrays)
    yield from activated(step, layer.activation)


def _activation(step: LayerStep) -> Iterator[PeerPart]:
    yield from activated(step, cast("Activation", step.layer).function)


def _dropout(step: LayerStep) -> Iterator[PeerPart]:
    yield PeerPart(module("Dropout", cast("Dropout", step.layer).rate))


def _noise(step: LayerStep) -> Iterator[PeerPart]:
    yield PeerPart(call("Noise", cast("GaussianNoise", step.layer).std))


def _idle(step: LayerStep) -> Iterator[PeerPart]:
    # Its random numbers would be others; at inference nothing is done.
    yield PeerPart(module("Identity"))


def _flatten(step: LayerStep) -> Iterator[PeerPart]:
    yield PeerPart(module("Flatten"))


def _reshape(step: LayerStep) -> Iterator[PeerPart]:
    if len(step.input) > 1:
        yield PeerPart(module("Flatten"))
    yield PeerPart(module("Unflatten", 1, (*step.output[-1:], *step.output[:-1]) if step.channels_first else step.output))


# ---- norms


LABELS = "weight", "bias"


def _affine(step: LayerStep, affine: str = "affine") -> dict[str, bool | None]:
    """What is said of a norm that lacks gain or bias; one with a bias alone PyTorch lacks."""
    layer = cast("LayerNorm | GroupNorm | BatchNorm", step.layer)
    if layer.bias and not layer.gain:
        raise LackingError(step, "a norm with a bias and no gain")
    return {affine: None if layer.gain else False, "bias": False if layer.gain and not layer.bias else None}


def _layer_norm(step: LayerStep) -> Iterator[PeerPart]:
    epsilon = unless(cast("LayerNorm", step.layer).epsilon, 1e-5)
    code = module("LayerNorm", step.input[-1], eps=epsilon, **_affine(step, "elementwise_affine"))
    yield PeerPart(code, scales(step, LABELS))


def _group_norm(step: LayerStep) -> Iterator[PeerPart]:
    layer = cast("GroupNorm", step.layer)
    code = module("GroupNorm", layer.groups, step.input[-1], eps=unless(layer.epsilon, 1e-5), **_affine(step))
    yield PeerPart(code, scales(step, LABELS))


def _batch_norm(step: LayerStep) -> Iterator[PeerPart]:
    layer = cast("BatchNorm", step.layer)
    running = (
        Moved(f"{step.name}.mean", "running_mean"),
        Moved(f"{step.name}.variance", "running_var"),
        Extra("num_batches_tracked"),
    )
    code = module(
        f"BatchNorm{max(len(step.input) - 1, 1)}d",
        step.input[-1],
        eps=unless(layer.epsilon, 1e-5),
        momentum=unless(layer.momentum, 0.1),
        **_affine(step),
    )
    yield PeerPart(code, (*scales(step, LABELS), *running))


# ---- sequences


def _embedding(step: LayerStep) -> Iterator[PeerPart]:
    layer = cast("Embedding", step.layer)
    yield PeerPart("Whole()")
    code = module("Embedding", layer.vocabulary, layer.units, padding_idx=layer.padding)
    yield PeerPart(code, (Moved(f"{step.name}.W", "weight"),))


KINDS = {RNN: "RNN", LSTM: "LSTM", GRU: "GRU"}


def _recurrent(step: LayerStep) -> Iterator[PeerPart]:
    layer = cast("Recurrent", step.layer)
    code = _loop(step, layer)
    if layer.reverse:
        yield PeerPart("Flip()")
    yield PeerPart(code, _loop_arrays(layer, step.name, "l0"))
    yield PeerPart("Every()" if layer.return_sequences else "Last()")
    if layer.reverse and layer.return_sequences:
        yield PeerPart("Flip()")


def _bidirectional(step: LayerStep) -> Iterator[PeerPart]:
    layer = cast("Bidirectional", step.layer).layers[0]
    forward, backward = step.inside
    arrays = (*_loop_arrays(layer, forward, "l0"), *_loop_arrays(layer, backward, "l0_reverse"))
    yield PeerPart(_loop(step, layer, bidirectional=True), arrays)
    yield PeerPart("Every()" if layer.return_sequences else "Ends()")


def _loop(step: LayerStep, layer: Recurrent, *, bidirectional: bool | None = None) -> str:
    require_plain(step, layer)
    usual = not isinstance(layer, RNN) or layer.activation == "tanh"
    if isinstance(layer, RNN) and layer.activation not in {"tanh", "relu"}:
        raise LackingError(step, f'activation "{layer.activation}" in a recurrent layer')
    activation = None if usual else cast("RNN", layer).activation
    return module(
        KINDS[type(layer)],
        step.input[-1],
        layer.units,
        nonlinearity=activation,
        bias=None if layer.bias else False,
        batch_first=True,
        bidirectional=bidirectional,
    )


def _loop_arrays(layer: Recurrent, name: str, end: str) -> tuple[Arrays, ...]:
    weights = Moved(f"{name}.W", f"weight_ih_{end}", (1, 0)), Moved(f"{name}.U", f"weight_hh_{end}", (1, 0))
    labels = f"bias_ih_{end}", f"bias_hh_{end}"
    both = GatedBias(f"{name}.b", f"{name}.d", labels) if isinstance(layer, GRU) else SplitBias(f"{name}.b", labels)
    return (*weights, both) if layer.bias else weights


# ---- the table, and the network as a whole


@immutable
class ModuleRow:
    """The modules of a kind of layer, and where they want channels: "first", "last", or wherever they are."""

    parts: Parts
    order: Order = "any"


LAYERS: dict[type, ModuleRow] = {
    Scale: ModuleRow(_scale), Formula: ModuleRow(formula),
    Dense: ModuleRow(_dense, "last"), Activation: ModuleRow(_activation), Dropout: ModuleRow(_dropout),
    GaussianNoise: ModuleRow(_noise), **dict.fromkeys((RandomShift, RandomFlip, RandomRotation, RandomBrightness), ModuleRow(_idle)),
    Flatten: ModuleRow(_flatten, "last"), Reshape: ModuleRow(_reshape, "last"),
    **dict.fromkeys((Conv1D, Conv2D), ModuleRow(convolution, "first")),
    **dict.fromkeys((ConvTranspose1D, ConvTranspose2D), ModuleRow(transposed, "first")),
    **dict.fromkeys((MaxPool, AveragePool), ModuleRow(pool, "first")),
    **dict.fromkeys((GlobalMaxPool, GlobalAveragePool), ModuleRow(global_pool, "first")),
    UpSample: ModuleRow(up_sample, "first"), Padded: ModuleRow(zeros_around, "first"),
    LayerNorm: ModuleRow(_layer_norm, "last"), GroupNorm: ModuleRow(_group_norm, "first"), BatchNorm: ModuleRow(_batch_norm, "first"),
    Embedding: ModuleRow(_embedding, "last"), **dict.fromkeys((RNN, LSTM, GRU), ModuleRow(_recurrent, "last")),
    Bidirectional: ModuleRow(_bidirectional, "last"),
}  # fmt: skip
"""Every kind of layer that PyTorch has."""
