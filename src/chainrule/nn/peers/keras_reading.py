"""Keras' layers as layers of ours: the table of `keras_layers` read the other way, by the layers' names and configurations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import prod
from typing import Any, TypeAlias, cast

import numpy as np

from chainrule.graph import Shape
from chainrule.nn.convolution import Conv1D, Conv2D
from chainrule.nn.embedding import Embedding
from chainrule.nn.formula import Formula
from chainrule.nn.layers import Activation, Dense, Dropout, Flatten, Reshape
from chainrule.nn.normalisation import BatchNorm, GroupNorm, LayerNorm
from chainrule.nn.parts import Layer
from chainrule.nn.peers.export import Scale
from chainrule.nn.peers.keras_layers import FORMULAS
from chainrule.nn.peers.parts import PRELU, between, leaky, sized, stretched_elu, unless
from chainrule.nn.peers.pytorch_reading import Read, UnlikeError, padded
from chainrule.nn.pooling import AveragePool, GlobalAveragePool, GlobalMaxPool, MaxPool, UpSample
from chainrule.nn.recurrent import GRU, LSTM, RNN, Bidirectional, TimeDistributed
from chainrule.nn.sampling import GaussianNoise
from chainrule.nn.transposed import ConvTranspose1D, ConvTranspose2D

Config: TypeAlias = Mapping[str, Any]


Reader: TypeAlias = Callable[[Config, Shape], Read]
"""From a configuration and the shape of one example to layers."""

SAME = {name: name for name in ("sigmoid", "tanh", "relu", "elu", "softplus", "silu", "gelu", "softmax")} | {
    "swish": "silu", "exponential": "exp",
}  # fmt: skip


def activation_of(config: Config) -> tuple[Layer, ...]:
    """The layer of a configuration's activation; none where it is linear."""
    name: Any = config.get("activation") or "linear"
    if name == "linear":
        return ()
    if isinstance(name, str) and name in SAME:
        return (Activation(SAME[name]),)  # pyright: ignore[reportArgumentType]  (a name of the table)
    if isinstance(name, str) and name in FORMULAS:
        return (Formula(FORMULAS[name]),)
    raise UnlikeError(f"the activation {name!r}")


def _dense(config: Config, shape: Shape) -> Read:
    layer, behind = Dense(config["units"], bias=config["use_bias"]), activation_of(config)
    if len(shape) < 3:
        return Read((layer if len(shape) == 1 else TimeDistributed(layer), *behind), 0)
    # Along the last axis, at every place of space.
    rows, back = Reshape((prod(shape[:-1]), shape[-1])), Reshape((*shape[:-1], layer.units))
    return Read((rows, TimeDistributed(layer), back, *behind), 1)


def require_last(config: Config) -> None:
    """Refuses channels first."""
    if config.get("data_format", "channels_last") not in {None, "channels_last"}:
        raise UnlikeError("channels first")


def pairs(value: Any) -> int | Shape:
    """Sizes along the axes of space."""
    whole = tuple(int(each) for each in cast("Iterable[Any]", value)) if isinstance(value, tuple | list) else (int(value),)
    return sized(whole)


def _convolution(kind: Any) -> Reader:
    def read(config: Config, shape: Shape) -> Read:
        require_last(config)
        more = {"groups": config["groups"]} if "groups" in config else {}
        causal = config["padding"] == "causal"
        if config.get("output_padding") is not None or config["padding"] not in {"valid", "same", "causal"}:
            raise UnlikeError(f"padding {config['padding']!r} or output_padding")
        layer = kind(
            config["filters"], pairs(config["kernel_size"]), stride=pairs(config["strides"]), dilation=pairs(config["dilation_rate"]),
            padding="valid" if causal else config["padding"], bias=config["use_bias"], **more,
        )  # fmt: skip
        # So that no step sees one behind it, all zeros stand before the first.
        before = padded(shape, (((layer.kernel - 1) * layer.dilation, 0),)) if causal else ()
        return Read((*before, layer, *activation_of(config)), len(before))

    return read


def _pool(kind: Any) -> Reader:
    def read(config: Config, shape: Shape) -> Read:
        require_last(config)
        size, stride = pairs(config["pool_size"]), pairs(config["strides"] or config["pool_size"])
        return Read((kind(size, unless(stride, size), config["padding"]),))

    return read


def _global_pool(kind: Any) -> Reader:
    def read(config: Config, shape: Shape) -> Read:
        require_last(config)
        kept = (Reshape((*(1,) * (len(shape) - 1), shape[-1])),) if config.get("keepdims") else ()
        return Read((kind(), *kept))

    return read


def _up_sample(config: Config, shape: Shape) -> Read:
    require_last(config)
    if config.get("interpolation", "nearest") != "nearest":
        raise UnlikeError("an interpolation")
    return Read((UpSample(pairs(config["size"])),))


def _zero_pad(config: Config, shape: Shape) -> Read:
    require_last(config)
    given = config["padding"]
    pairs = tuple((int(a), int(b)) for a, b in given) if len(shape) > 2 else ((int(given[0]), int(given[1])),)
    return Read(padded(shape, pairs))


def _require_last_axis(config: Config, shape: Shape) -> None:
    axis = config["axis"]
    axes = list(cast("Iterable[Any]", axis)) if isinstance(axis, tuple | list) else [axis]
    if axes not in ([-1], [len(shape)]):
        raise UnlikeError(f"a norm over the axis {axis}")


def _scaled(config: Config) -> dict[str, Any]:
    """Whether a norm has a gain and a bias."""
    return {"gain": config["scale"], "bias": config["center"]}


def _batch_norm(config: Config, shape: Shape) -> Read:
    _require_last_axis(config, shape)
    if config.get("renorm") or config.get("synchronized"):
        raise UnlikeError("renorm or synchronized")
    return Read((BatchNorm(round(1 - config["momentum"], 12), config["epsilon"], **_scaled(config)),), 0)


def _layer_norm(config: Config, shape: Shape) -> Read:
    _require_last_axis(config, shape)
    if config.get("rms_scaling"):
        raise UnlikeError("rms_scaling")
    return Read((LayerNorm(config["epsilon"], **_scaled(config)),), 0)


def _group_norm(config: Config, shape: Shape) -> Read:
    _require_last_axis(config, shape)
    return Read((GroupNorm(config["groups"], config["epsilon"], **_scaled(config)),), 0)


def _embedding(config: Config, shape: Shape) -> Read:
    if config.get("lora_rank"):
        raise UnlikeError("lora_rank")
    return Read((Embedding(config["input_dim"], config["output_dim"], config.get("padding")),), 0)


def _recurrent(kind: Any) -> Reader:
    def read(config: Config, shape: Shape) -> Read:
        odd = [name for name in ("return_state", "stateful", "dropout", "recurrent_dropout") if config.get(name)]
        if odd or (kind is GRU and not config["reset_after"]):
            raise UnlikeError(", ".join(odd) or "reset_after=False")
        if kind is not RNN and (config["activation"], config["recurrent_activation"]) != ("tanh", "sigmoid"):
            raise UnlikeError(f"the activations {config['activation']}, {config['recurrent_activation']}")
        if config["go_backwards"] and config["return_sequences"]:
            raise UnlikeError("go_backwards with return_sequences: the steps stand in the opposite order")
        name: Any = config["activation"]
        more: dict[str, Any] = {
            "bias": config["use_bias"],
            "padding": config.get("padding"),
            **({"activation": SAME.get(name, name)} if kind is RNN else {}),
        }
        layer = kind(config["units"], return_sequences=config["return_sequences"], reverse=config["go_backwards"], **more)
        return Read((layer,), 0)

    return read


def _bidirectional(config: Config, shape: Shape) -> Read:
    inner = config["layer"]
    if config["merge_mode"] != "concat" or inner["class_name"] not in ("SimpleRNN", "LSTM", "GRU"):
        raise UnlikeError(f"merge_mode {config['merge_mode']!r} of {inner['class_name']}")
    (layer,) = READERS[inner["class_name"]]({**inner["config"], "padding": config.get("padding")}, shape).layers
    return Read((Bidirectional(layer),), 0)


def _time_distributed(config: Config, shape: Shape) -> Read:
    inner = config["layer"]
    if inner["class_name"] not in READERS:
        raise UnlikeError(f"a {inner['class_name']} at each time step")
    read = READERS[inner["class_name"]](inner["config"], shape[1:])
    return Read(tuple(layer if isinstance(layer, Activation) else TimeDistributed(layer) for layer in read.layers), read.holds)


def _normalization(config: Config, shape: Shape) -> Read:
    # What it adapted to stands in no configuration: the door puts it there.
    mean, variance = (np.asarray(config[name], np.float64) for name in ("mean", "variance"))
    if mean.size not in {1, shape[-1]}:
        raise UnlikeError(f"a mean of the shape {mean.shape}")
    deviation = np.maximum(np.sqrt(variance), 1e-7).reshape(-1)
    given = (-mean.reshape(-1) / deviation, deviation) if config.get("invert") else (mean.reshape(-1), 1.0 / deviation)
    return Read((Scale(*given),))


def _rescaling(config: Config, shape: Shape) -> Read:
    scale, offset = config["scale"], config["offset"]
    if not isinstance(scale, int | float) or not isinstance(offset, int | float):
        if not np.all(scale):
            raise UnlikeError("a scale of 0")
        return Read((Scale(offset, 1.0 / np.asarray(scale, dtype=np.float64), undo=True),))
    return Read((Formula(f"x*{float(scale)!r} + {float(offset)!r}"),))


def _leaky(config: Config, shape: Shape) -> Read:
    slope = float(config["negative_slope"])
    return Read((Activation("leaky_relu") if slope == 0.01 else Formula(leaky(slope)),))


def _relu(config: Config, shape: Shape) -> Read:
    most: Any = config["max_value"]
    if config["negative_slope"] or config["threshold"]:
        raise UnlikeError("a negative_slope or threshold")
    return Read((Activation("relu") if most is None else Formula(between(0, float(most))),))


def _prelu(config: Config, shape: Shape) -> Read:
    shared: Any = config["shared_axes"] or ()
    slopes = tuple(1 if axis in shared else extent for axis, extent in enumerate(shape, 1))
    while len(slopes) > 1 and slopes[0] == 1:
        slopes = slopes[1:]  # along the last axes, as numbers are broadcast
    return Read((Formula(PRELU, {"a": slopes}),), 0)


def _elu(config: Config, shape: Shape) -> Read:
    alpha = float(config["alpha"])
    return Read((Activation("elu") if alpha == 1 else Formula(stretched_elu(alpha)),))


def _softmax(config: Config, shape: Shape) -> Read:
    _require_last_axis(config, shape)
    return Read((Activation("softmax"),))


def _noise(config: Config, shape: Shape) -> Read:
    return Read((GaussianNoise(config["stddev"]),))


READERS: dict[str, Reader] = {
    "InputLayer": lambda config, shape: Read(()), "Identity": lambda config, shape: Read(()), "Dense": _dense,
    "Activation": lambda config, shape: Read(activation_of(config)), "ReLU": _relu, "LeakyReLU": _leaky, "PReLU": _prelu, "ELU": _elu,
    "Softmax": _softmax, "Dropout": lambda config, shape: Read((Dropout(config["rate"]),) if config["rate"] else ()),
    "GaussianNoise": _noise, "Flatten": lambda config, shape: Read((Flatten(),)),
    "Reshape": lambda config, shape: Read((Reshape(tuple(config["target_shape"])),)), "Rescaling": _rescaling,
    "Conv1D": _convolution(Conv1D), "Conv2D": _convolution(Conv2D), "Conv1DTranspose": _convolution(ConvTranspose1D),
    "Conv2DTranspose": _convolution(ConvTranspose2D), "MaxPooling1D": _pool(MaxPool), "MaxPooling2D": _pool(MaxPool),
    "AveragePooling1D": _pool(AveragePool), "AveragePooling2D": _pool(AveragePool), "GlobalMaxPooling1D": _global_pool(GlobalMaxPool),
    "GlobalMaxPooling2D": _global_pool(GlobalMaxPool), "GlobalAveragePooling1D": _global_pool(GlobalAveragePool),
    "GlobalAveragePooling2D": _global_pool(GlobalAveragePool), "UpSampling1D": _up_sample, "UpSampling2D": _up_sample,
    "ZeroPadding1D": _zero_pad, "ZeroPadding2D": _zero_pad, "BatchNormalization": _batch_norm, "LayerNormalization": _layer_norm,
    "GroupNormalization": _group_norm, "Embedding": _embedding, "SimpleRNN": _recurrent(RNN), "LSTM": _recurrent(LSTM),
    "GRU": _recurrent(GRU),
    "Bidirectional": _bidirectional, "TimeDistributed": _time_distributed, "Normalization": _normalization,
}  # fmt: skip
"""The layers that are read, by the names of their classes."""
