"""Layers of Keras that are several of ours, with their weights: attention, and convolutions of each channel by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import sqrt
from typing import Any

import keras
import numpy as np

from chainrule import ops
from chainrule.graph import Array, Node, Shape
from chainrule.interop.wiring import Held, Wiring, in_order
from chainrule.nn import Conv1D, Conv2D, Dense, Layer, Reshape, TimeDistributed
from chainrule.nn.peers.keras_reading import activation_of, pairs, require_last
from chainrule.nn.peers.parts import sized
from chainrule.nn.peers.pytorch_reading import UnlikeError

Several = Callable[[Wiring, Any, Mapping[str, Any], Sequence[int], Sequence[Shape]], int]
"""From a layer, the further arguments of its call, the values that it takes and the shapes of their examples to the value that it makes."""


def _numbers(variable: Any) -> Array:
    return np.asarray(keras.ops.convert_to_numpy(variable))


def is_frozen(layer: Any) -> bool:
    """Whether a layer keeps its weights."""
    return bool(layer.weights) and not layer.trainable


def _put(wiring: Wiring, layer: Layer, number: int, arrays: Mapping[str, Any], *, frozen: bool) -> int:
    number = wiring.put(layer, number, frozen=frozen)
    wiring.held.append(Held(number, {label: np.asarray(array) for label, array in arrays.items() if array is not None}))
    return number


def _projected(wiring: Wiring, part: Any, number: int, units: int, *, frozen: bool) -> int:
    """What a linear map of the last axis makes; of several heads side by side."""
    bias = None if part.bias is None else _numbers(part.bias).reshape(-1)
    kernel = _numbers(part.kernel).reshape(-1, units)
    layer = TimeDistributed(Dense(units, bias=bias is not None))
    return _put(wiring, layer, number, {"kernel": kernel, "bias": bias}, frozen=frozen)


def _multi_head(wiring: Wiring, layer: Any, given: Mapping[str, Any], sources: Sequence[int], shapes: Sequence[Shape]) -> int:
    masks = [name for name in ("attention_mask", "query_mask", "value_mask", "key_mask") if given.get(name) is not None]
    if masks or given.get("return_attention_scores") or any(len(shape) != 2 for shape in shapes):
        raise UnlikeError(f"{', '.join(masks) or 'attention scores, or attention over several axes'}")
    config, frozen = layer.get_config(), is_frozen(layer)
    heads, size, wide = config["num_heads"], config["key_dim"], config["value_dim"] or config["key_dim"]
    if config.get("use_gate"):
        raise UnlikeError("use_gate")
    # Keras takes the value before the key, which is the value where it is left out.
    (query, value, *rest), (first, second, *_) = sources, shapes
    key, steps = (rest or [value])[0], (first[0], second[0])

    def split(part: Any, number: int, time: int, extent: int) -> int:
        number = _projected(wiring, part, number, heads * extent, frozen=frozen)
        return wiring.put_all((Reshape((time, heads, extent)), in_order((0, 2, 1, 3), (time, heads, extent))), number)

    causal = np.where(np.tril(np.ones(steps, bool)), 0.0, -np.inf) if given.get("use_causal_mask") else None
    found = wiring.attended(
        split(layer.query_dense, query, steps[0], size),
        split(layer.key_dense, key, steps[1], size),
        split(layer.value_dense, value, steps[1], wide),
        (heads, steps[1], size),
        1 / sqrt(size),
        mask=causal,
        dropout=float(config["dropout"]),
    )
    back = (in_order((0, 2, 1, 3), (heads, steps[0], wide)), Reshape((steps[0], heads * wide)))
    units = _numbers(layer.output_dense.kernel).shape[-1]
    return _projected(wiring, layer.output_dense, wiring.put_all(back, found), units, frozen=frozen)


def _dot_attention(
    wiring: Wiring, layer: Any, given: Mapping[str, Any], sources: Sequence[int], shapes: Sequence[Shape]
) -> int:
    config = layer.get_config()
    if (
        config["score_mode"] != "dot"
        or config["use_scale"]
        or given.get("mask") is not None
        or given.get("return_attention_scores")
    ):
        raise UnlikeError("an attention with use_scale, masks, or other scores than dot")
    (query, value, *rest), (first, second, *others) = sources, shapes
    mask = np.where(np.tril(np.ones((first[0], second[0]), bool)), 0.0, -np.inf) if given.get("use_causal_mask") else None
    return wiring.attended(
        query, (rest or [value])[0], value, (others or [second])[0], 1.0, mask=mask, dropout=float(config["dropout"] or 0.0)
    )


def _by_channel(wiring: Wiring, layer: Any, given: Mapping[str, Any], sources: Sequence[int], shapes: Sequence[Shape]) -> int:
    """A convolution of each channel by itself, and for a separable one a weighing of what they make."""
    config, (shape, *_) = layer.get_config(), shapes
    require_last(config)
    if config["padding"] not in {"valid", "same"}:
        raise UnlikeError(f"padding {config['padding']!r}")
    kind: Any = Conv1D if len(shape) == 2 else Conv2D
    frozen, separable = is_frozen(layer), hasattr(layer, "pointwise_kernel")
    weights = _numbers(layer.depthwise_kernel if separable else layer.kernel)
    made, bias = shape[-1] * config["depth_multiplier"], None if layer.bias is None else _numbers(layer.bias)
    options: dict[str, Any] = {
        "stride": pairs(config["strides"]), "dilation": pairs(config["dilation_rate"]), "padding": config["padding"], "groups": shape[-1]
    }  # fmt: skip
    inner = kind(made, sized(weights.shape[:-2]), **options, bias=not separable and bias is not None)
    held = {"kernel": weights.reshape(*weights.shape[:-2], 1, made), "bias": None if separable else bias}
    number = _put(wiring, inner, sources[0], held, frozen=frozen)
    if separable:
        outer = kind(config["filters"], 1, bias=bias is not None)
        number = _put(wiring, outer, number, {"kernel": _numbers(layer.pointwise_kernel), "bias": bias}, frozen=frozen)
    return wiring.put_all(activation_of(config), number)


SEVERAL: dict[str, Several] = {
    "MultiHeadAttention": _multi_head, "Attention": _dot_attention,
    **dict.fromkeys(("DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D"), _by_channel),
}  # fmt: skip
"""By the names of Keras' classes."""


# ---- masks


class Mask:
    """Which steps are there: those where a value differs from a number, in any feature where it has such."""

    def __init__(self, source: int, number: float) -> None:
        self.source, self.number = source, number

    def kept(self, wiring: Wiring, number: int) -> int:
        """A value with zeros at the steps that are none."""
        return wiring.put(partial(_kept, number=self.number), number, self.source)


def _kept(x: Node, source: Node, *, number: float) -> Node:
    there = ops.cast(ops.not_equal(source, number), dtype=x.dtype)
    there = ops.max(there, axis=2, keepdims=True) if source.type.ndim == 3 else ops.reshape(there, shape=(*source.shape, 1))
    return x * ops.broadcast_to(there, shape=x.shape)
