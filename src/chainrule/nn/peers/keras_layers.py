"""What Keras 3 has: a row to each kind of layer, with the layers that do the same and the arrays that they hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import cast

from chainrule.graph import Shape
from chainrule.nn.augmentation import RandomBrightness, RandomFlip, RandomRotation, RandomShift
from chainrule.nn.convolution import Conv1D, Conv2D
from chainrule.nn.embedding import Embedding
from chainrule.nn.formula import Formula
from chainrule.nn.layers import Activation, Dense, Dropout, Flatten, Reshape
from chainrule.nn.normalisation import BatchNorm, GroupNorm, LayerNorm
from chainrule.nn.peers.export import Scale, numbers
from chainrule.nn.peers.parts import (
    ADDED,
    BENT,
    LOG_SOFTMAX,
    PRELU,
    Arrays,
    Folded,
    GatedBias,
    LackingError,
    LayerStep,
    Moved,
    Padded,
    Parts,
    PeerPart,
    call,
    leaky,
    require_plain,
    scales,
    unless,
    word_of,
)
from chainrule.nn.peers.windows import Transposed, require_zeros, windows
from chainrule.nn.pooling import AveragePool, GlobalAveragePool, GlobalMaxPool, MaxPool, UpSample
from chainrule.nn.recurrent import GRU, LSTM, RNN, Bidirectional, Recurrent
from chainrule.nn.sampling import GaussianNoise
from chainrule.nn.transposed import ConvTranspose1D, ConvTranspose2D

ACTIVATIONS = {name: name for name in ("sigmoid", "tanh", "relu", "elu", "softplus", "silu", "gelu", "softmax")} | {
    "exp": "exponential"
}
"""What Keras calls them; of leaky_relu its slope is another one unless it is written."""


FORMULAS = {
    "relu6": BENT["relu6"], "hard_sigmoid": BENT["hard sigmoid"], "hard_silu": BENT["hard swish"],
    "hard_tanh": BENT["hard tanh"], "softsign": "x/(1 + abs(x))", "mish": "x*tanh(softplus(x))",
    "leaky_relu": leaky(0.2), "log_sigmoid": "-softplus(-x)", "tanh_shrink": "x - tanh(x)",
    "selu": BENT["selu"],
    "log_softmax": LOG_SOFTMAX, "prelu": PRELU,
}  # fmt: skip
"""Activation functions that are none of ours by name."""


def _formula(step: LayerStep) -> Iterator[PeerPart]:
    if (text := cast("Formula", step.layer).text) == PRELU:
        yield _prelu(step)
        return
    if text == ADDED:
        raise LackingError(step, "a parameter that is added")
    yield PeerPart(_layer("Activation", word_of(FORMULAS, step)))


def _prelu(step: LayerStep) -> PeerPart:
    shape, space = cast("Formula", step.layer).parameters["a"], step.input
    there = (*(1,) * (len(space) - len(shape)), *shape)
    if len(there) != len(space) or any(a not in (1, b) for a, b in zip(there, space, strict=True)):
        raise LackingError(step, f"slopes of the shape {shape}")
    shared = [axis for axis, (a, b) in enumerate(zip(there, space, strict=True), 1) if a != b]
    code = _layer("PReLU", shared_axes=shared or None, name=called(step.name))
    return PeerPart(code, (Folded(f"{step.name}.a", "alpha", shape, there),), called(step.name))


def _layer(kind: str, *given: object, **named: object) -> str:
    return call(f"keras.layers.{kind}", *given, **named)


def _argument(step: LayerStep, activation: str) -> str | None:
    """What a layer takes as its activation; None where there is none, or where a layer of its own stands behind."""
    if activation in {"linear", "leaky_relu"}:
        return None
    if activation not in ACTIVATIONS:
        raise LackingError(step, f'activation "{activation}"')
    return ACTIVATIONS[activation]


def _behind(activation: str) -> Iterator[PeerPart]:
    if activation == "leaky_relu":
        yield PeerPart(_layer("LeakyReLU", negative_slope=0.01))


def called(name: str) -> str:
    """A name that Keras takes: it keeps the slash for itself."""
    return name.replace("/", "_")


def _weights(step: LayerStep, *, bias: bool) -> tuple[Arrays, ...]:
    kernel, added = Moved(f"{step.name}.W", "kernel"), Moved(f"{step.name}.b", "bias")
    return (kernel, added) if bias else (kernel,)


def _scale(step: LayerStep) -> Iterator[PeerPart]:
    scale = cast("Scale", step.layer)
    if scale.undo:
        given = {"scale": numbers(1.0 / scale.factor), "offset": numbers(scale.offset)}
    else:
        given = {"scale": numbers(scale.factor), "offset": numbers(-scale.offset * scale.factor)}
    # In float64: of a large offset, float32 would lose what stands behind it.
    yield PeerPart(_layer("Rescaling", **given, dtype="float64"))


def _dense(step: LayerStep) -> Iterator[PeerPart]:
    layer = cast("Dense", step.layer)
    activation, bias = _argument(step, layer.activation), None if layer.bias else False
    code = _layer("Dense", layer.units, activation=activation, use_bias=bias, name=called(step.name))
    yield PeerPart(code, _weights(step, bias=layer.bias), called(step.name))
    yield from _behind(layer.activation)


def _activation(step: LayerStep) -> Iterator[PeerPart]:
    function = cast("Activation", step.layer).function
    name = _argument(step, function)
    if name is not None:
        yield PeerPart(_layer("Activation", name))
    yield from _behind(function)


def _dropout(step: LayerStep) -> Iterator[PeerPart]:
    yield PeerPart(_layer("Dropout", cast("Dropout", step.layer).rate))


def _noise(step: LayerStep) -> Iterator[PeerPart]:
    std = cast("GaussianNoise", step.layer).std
    if std > 1:
        raise LackingError(step, "a std above 1")
    yield PeerPart(_layer("GaussianNoise", std))


def _idle(step: LayerStep) -> Iterator[PeerPart]:
    # Its random numbers would be others; at inference nothing is done.
    yield PeerPart(_layer("Identity"))


def _flatten(_: LayerStep) -> Iterator[PeerPart]:
    yield PeerPart(_layer("Flatten"))


def _reshape(step: LayerStep) -> Iterator[PeerPart]:
    yield PeerPart(_layer("Reshape", step.output))


# ---- windows: channels last, as ours


def _require_padding(step: LayerStep, padding: str) -> str | None:
    if padding not in {"valid", "same"}:
        raise LackingError(step, f'padding="{padding}"')
    return None if padding == "valid" else padding


def _convolution(step: LayerStep) -> Iterator[PeerPart]:
    layer = cast("Conv1D | Conv2D", step.layer)
    if unless(layer.stride, 1) and unless(layer.dilation, 1):
        raise LackingError(step, "stride and dilation, both above 1")
    code = _layer(
        type(layer).__name__,
        layer.filters,
        layer.kernel,
        activation=_argument(step, layer.activation),
        strides=unless(layer.stride, 1),
        dilation_rate=unless(layer.dilation, 1),
        groups=unless(layer.groups, 1),
        padding=_require_padding(step, layer.padding),
        use_bias=None if layer.bias else False,
        name=called(step.name),
    )
    yield PeerPart(code, _weights(step, bias=layer.bias), called(step.name))
    yield from _behind(layer.activation)


def _transposed(step: LayerStep) -> Iterator[PeerPart]:
    layer = cast("Transposed", step.layer)
    require_zeros(step, layer)
    seen = windows(layer, step)
    if set(seen.dilations) != {1}:
        raise LackingError(step, "dilation in a transposed convolution")
    if layer.padding == "valid" and any(seen.unseen):
        raise LackingError(step, "a transposed convolution with a stride above its kernel")
    space = len(seen.sizes)
    code = _layer(
        f"Conv{space}DTranspose",
        layer.filters,
        layer.kernel,
        activation=_argument(step, layer.activation),
        strides=unless(layer.stride, 1),
        padding=unless(layer.padding, "valid"),
        use_bias=None if layer.bias else False,
        name=called(step.name),
    )
    kernel = Moved(f"{step.name}.W", "kernel", (*range(space), space + 1, space))
    yield PeerPart(code, (kernel, *_weights(step, bias=layer.bias)[1:]), called(step.name))
    yield from _behind(layer.activation)


def _pool(step: LayerStep) -> Iterator[PeerPart]:
    layer = cast("MaxPool | AveragePool", step.layer)
    kind = "MaxPooling" if isinstance(layer, MaxPool) else "AveragePooling"
    padding = _require_padding(step, layer.padding)
    code = _layer(f"{kind}{len(step.input) - 1}D", _size(layer.size), strides=_size(layer.stride), padding=padding)
    yield PeerPart(code)


def _size(size: int | Shape | None) -> object:
    return size[0] if isinstance(size, tuple) and len(size) == 1 else size


def _padded(step: LayerStep) -> Iterator[PeerPart]:
    amounts = cast("Padded", step.layer).amounts
    (first, *others) = amounts
    yield PeerPart(_layer(f"ZeroPadding{len(amounts)}D", (first, *others) if others else first))


def _global_pool(step: LayerStep) -> Iterator[PeerPart]:
    kind = "Max" if isinstance(step.layer, GlobalMaxPool) else "Average"
    yield PeerPart(_layer(f"Global{kind}Pooling{len(step.input) - 1}D"))


def _up_sample(step: LayerStep) -> Iterator[PeerPart]:
    yield PeerPart(_layer(f"UpSampling{len(step.input) - 1}D", _size(cast("UpSample", step.layer).factor)))


# ---- norms: the usual epsilon is another one there, so that it is always written


def _norm(step: LayerStep, kind: str, *given: object, **named: object) -> PeerPart:
    layer = cast("LayerNorm | GroupNorm | BatchNorm", step.layer)
    has = {"center": None if layer.bias else False, "scale": None if layer.gain else False}
    code = _layer(kind, *given, **named, epsilon=layer.epsilon, **has, name=called(step.name))
    return PeerPart(code, scales(step, ("gamma", "beta")), called(step.name))


def _layer_norm(step: LayerStep) -> Iterator[PeerPart]:
    yield _norm(step, "LayerNormalization")


def _group_norm(step: LayerStep) -> Iterator[PeerPart]:
    yield _norm(step, "GroupNormalization", cast("GroupNorm", step.layer).groups)


def _batch_norm(step: LayerStep) -> Iterator[PeerPart]:
    running = Moved(f"{step.name}.mean", "moving_mean"), Moved(f"{step.name}.variance", "moving_variance")
    # There the momentum is what is kept, here what is new.
    part = _norm(step, "BatchNormalization", momentum=round(1 - cast("BatchNorm", step.layer).momentum, 12))
    yield replace(part, arrays=(*part.arrays, *running))


# ---- sequences


def _embedding(step: LayerStep) -> Iterator[PeerPart]:
    layer = cast("Embedding", step.layer)
    if layer.padding:
        raise LackingError(step, "padding, an id other than 0 whose vector stays 0")
    masked = None if layer.padding is None else True
    code = _layer("Embedding", layer.vocabulary, layer.units, mask_zero=masked, name=called(step.name))
    yield PeerPart(code, (Moved(f"{step.name}.W", "embeddings"),), called(step.name))


KINDS = {RNN: ("SimpleRNN", "simple_rnn"), LSTM: ("LSTM", "lstm"), GRU: ("GRU", "gru")}
"""What each is called in code, and in the names of its arrays."""


def _recurrent(step: LayerStep) -> Iterator[PeerPart]:
    layer = cast("Recurrent", step.layer)
    name, cell = called(step.name), KINDS[type(layer)][1]
    yield PeerPart(_loop(step, layer, name), _loop_arrays(layer, step.name, f"{cell}_cell"), name)


def _bidirectional(step: LayerStep) -> Iterator[PeerPart]:
    layer = cast("Bidirectional", step.layer).layers[0]
    name, inner = called(step.name), KINDS[type(layer)][1]
    ways = zip(("forward", "backward"), step.inside, strict=True)
    arrays = tuple(
        item for way, ours in ways for item in _loop_arrays(layer, ours, f"{way}_{called(step.inside[0])}/{inner}_cell")
    )
    code = f'keras.layers.Bidirectional({_loop(step, layer, called(step.inside[0]))}, name="{name}")'
    yield PeerPart(code, arrays, name)


def _loop(step: LayerStep, layer: Recurrent, name: str) -> str:
    require_plain(step, layer, padded=True)
    if layer.reverse and layer.return_sequences:
        raise LackingError(step, "reverse with return_sequences=True, in the order of time")
    return _layer(
        KINDS[type(layer)][0],
        layer.units,
        activation=None if not isinstance(layer, RNN) or layer.activation == "tanh" else _recurrent_activation(step, layer),
        return_sequences=True if layer.return_sequences else None,
        go_backwards=True if layer.reverse else None,
        use_bias=None if layer.bias else False,
        name=name,
    )


def _recurrent_activation(step: LayerStep, layer: RNN) -> str:
    if layer.activation == "leaky_relu":
        raise LackingError(step, 'activation "leaky_relu" in a recurrent layer')
    return _argument(step, layer.activation) or layer.activation


def _loop_arrays(layer: Recurrent, name: str, place: str) -> tuple[Arrays, ...]:
    labels = [f"{place}/{label}" for label in ("kernel", "recurrent_kernel", "bias")[: 3 if layer.bias else 2]]
    if not isinstance(layer, GRU):
        return tuple(Moved(f"{name}.{ours}", label) for ours, label in zip("WUb", labels, strict=False))
    units = layer.units
    # Ours stand in the order r, u, g; Keras has u, which it calls z, first.
    picked = (*range(units, 2 * units), *range(units), *range(2 * units, 3 * units))
    weights = (Moved(f"{name}.{ours}", label, picked=picked) for ours, label in zip("WU", labels, strict=False))
    return tuple(weights) if not layer.bias else (*weights, GatedBias(f"{name}.b", f"{name}.d", (labels[2],), (1, 0, 2)))


# ---- the table

LAYERS: dict[type, Parts] = {
    Scale: _scale, Formula: _formula, Dense: _dense, Activation: _activation, Dropout: _dropout, GaussianNoise: _noise,
    **dict.fromkeys((RandomShift, RandomFlip, RandomRotation, RandomBrightness), _idle), Flatten: _flatten, Reshape: _reshape,
    **dict.fromkeys((Conv1D, Conv2D), _convolution), **dict.fromkeys((ConvTranspose1D, ConvTranspose2D), _transposed),
    **dict.fromkeys((MaxPool, AveragePool), _pool), **dict.fromkeys((GlobalMaxPool, GlobalAveragePool), _global_pool),
    Padded: _padded, UpSample: _up_sample, LayerNorm: _layer_norm, GroupNorm: _group_norm, BatchNorm: _batch_norm, Embedding: _embedding,
    **dict.fromkeys((RNN, LSTM, GRU), _recurrent), Bidirectional: _bidirectional,
}  # fmt: skip
"""Every kind of layer that Keras has."""
