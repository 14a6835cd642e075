"""PyTorch's modules as layers of ours: the table of `pytorch_layers` read the other way, by the modules' names and attributes."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, TypeAlias, cast

from chainrule.graph import Shape
from chainrule.immutable import immutable
from chainrule.nn.convolution import Conv1D, Conv2D
from chainrule.nn.embedding import Embedding
from chainrule.nn.filters import in_each_axis
from chainrule.nn.formula import Formula
from chainrule.nn.graph_layer import GraphLayer
from chainrule.nn.initialisers import Constant
from chainrule.nn.layers import Activation, Dense, Dropout
from chainrule.nn.normalisation import BatchNorm, GroupNorm, LayerNorm
from chainrule.nn.padding import Amounts, same_amounts
from chainrule.nn.parts import Layer
from chainrule.nn.peers.parts import PRELU, between, leaky, sized, stretched_celu, stretched_elu, unless
from chainrule.nn.peers.pytorch_modules import FORMULAS
from chainrule.nn.pooling import AveragePool, GlobalAveragePool, GlobalMaxPool, MaxPool, UpSample
from chainrule.nn.recurrent import GRU, LSTM, RNN, Bidirectional
from chainrule.nn.transposed import ConvTranspose1D, ConvTranspose2D
from chainrule.ops.windows import spans


class UnlikeError(Exception):
    """A module that no layer of ours computes; the text says why."""


@immutable
class Read:
    """Layers of ours that do in turn what a module does. holds: which of them takes the module's arrays, None where there are none.

    order: where the module wants channels: "first", "last" (behind time, or in rows) or "any". cut: of a transposed convolution, how much
    is added at each side of its answer, most often less than 0.
    """

    layers: tuple[Layer, ...]
    holds: int | None = None
    order: str = "any"
    cut: Amounts = ()


Reader: TypeAlias = Callable[[Any, Shape], Read]
"""From a module and the shape of one example that it is given, in PyTorch's order, to layers."""


@immutable
class Around:
    """What modules before a window put around its input: how it is called there, and how much stands on each side of each axis of space."""

    mode: str
    amounts: Amounts


NOTHING_AROUND = Around("zeros", ())


def _activation(name: str) -> Reader:
    return lambda module, shape: Read((Activation(name),))  # pyright: ignore[reportArgumentType]  (a name of the table)


def _formula(text: Callable[[Any], str]) -> Reader:
    return lambda module, shape: Read((Formula(text(module)),))


def _leaky(module: Any, shape: Shape) -> Read:
    slope = float(module.negative_slope)
    return Read((Activation("leaky_relu") if slope == 0.01 else Formula(leaky(slope)),))


def _elu(module: Any, shape: Shape) -> Read:
    return Read((Activation("elu") if module.alpha == 1 else Formula(stretched_elu(float(module.alpha))),))


def _softplus(module: Any, shape: Shape) -> Read:
    # Beyond its threshold PyTorch takes z itself: from 20 on that is off by 2e-9 at most.
    beta = float(module.beta)
    if module.threshold < 20:
        raise UnlikeError(f"a softplus with the threshold {module.threshold}")
    return Read((Activation("softplus") if beta == 1 else Formula(f"softplus({beta!r}*x)/{beta!r}"),))


def _gelu(module: Any, shape: Shape) -> Read:
    if module.approximate == "none":
        return Read((Activation("gelu"),))
    return Read((Formula("0.5*x*(1 + tanh(0.7978845608028654*(x + 0.044715*x^3)))"),))


def _softmax(module: Any, shape: Shape) -> Read:
    ndim, dim = len(shape) + 1, module.dim
    if dim is None or dim % ndim not in {1, ndim - 1}:
        raise UnlikeError(f"a softmax over axis {dim} of {ndim}")
    return Read((Activation("softmax"),), order="any" if ndim == 2 else "first" if dim % ndim == 1 else "last")


def _log_softmax(module: Any, shape: Shape) -> Read:
    return Read((Formula(FORMULAS["LogSoftmax"]),), order=_softmax(module, shape).order)


def _prelu(module: Any, shape: Shape) -> Read:
    count = module.num_parameters
    layer = Formula(PRELU, {"a": (count,)}, initialisers={"a": Constant(0.25)})
    return Read((layer,), holds=0, order="first" if len(shape) > 1 and count > 1 else "any")


def _linear(module: Any, shape: Shape) -> Read:
    return Read((Dense(module.out_features, bias=module.bias is not None),), holds=0, order="last")


def _dropout(module: Any, shape: Shape) -> Read:
    return Read((Dropout(float(module.p)),) if module.p else ())


# ---- windows


PADDINGS = {"circular": "periodic", "reflect": "reflect"}
PADS = {"Zero": "zeros", "Circular": "circular", "Reflection": "reflect", "Constant": "constant"}
"""The first words of modules that put something around, and what convolutions call it."""


def around_of(module: Any, shape: Shape) -> Around | None:
    """What a module puts around its input, if that is all it does; a shape is that of one example, in PyTorch's order."""
    found = re.fullmatch(r"(\w+)Pad(\d)d", type(module).__name__)
    if found is None or found[1] not in PADS or int(found[2]) != len(shape) - 1:
        return None
    mode = PADS[found[1]]
    if mode == "constant":
        mode = "zeros" if module.value == 0 else "lowest" if module.value == -math.inf else mode
    if mode == "constant":
        raise UnlikeError(f"{module.value} put around")
    numbers = _pairs(module.padding, 2 * (len(shape) - 1))
    # PyTorch begins with the last axis.
    return Around(mode, tuple((numbers[at], numbers[at + 1]) for at in range(len(numbers) - 2, -1, -2)))


def _pairs(value: Any, count: int) -> Shape:
    return (
        tuple(int(each) for each in cast("Iterable[Any]", value)) if isinstance(value, tuple | list) else (int(value),) * count
    )


def padded(shape: Shape, amounts: Amounts) -> tuple[Layer, ...]:
    """A layer that puts zeros around the axes of space of examples (*space, channels), or cuts off where amounts are negative; or none.

    >>> [layer.summary for layer in padded((4, 4, 1), ((1, 1), (0, -1)))]
    ['a graph of 3 nodes']
    """
    if not any(map(any, amounts)):
        return ()
    low, high = ([0, *(max(pair[side], 0) for pair in amounts), 0] for side in (0, 1))
    wide = [extent + before + behind for extent, before, behind in zip(shape, low[1:], high[1:], strict=True)]
    starts = [0, *(max(-pair[0], 0) for pair in amounts), 0]
    stops = [n - max(-pair[1], 0) for n, pair in zip(wide, (*amounts, (0, 0)), strict=True)]
    made = [stop - start for start, stop in zip(starts[1:], stops, strict=True)]
    given, between, after = (",".join(map(str, extents)) for extents in (shape, wide, made))
    zeros, ones = (tuple([number] * len(low)) for number in (0, 1))
    text = f"""x: {{float}}[{{B}},{given}] = input()
%0: {{float}}[{{B}},{between}] = pad(x, low={tuple(low)}, high={tuple(high)}, interior={zeros})
y: {{float}}[{{B}},{after}] = slice_axes(%0, starts={tuple(starts)}, stops=({{B}}, {", ".join(map(str, stops))}), steps={ones})
return y=y"""
    return (GraphLayer(text),)


def _amounts(module: Any, space: Shape, sizes: Shape, strides: Shape, dilations: Shape, before: Around) -> tuple[str, Amounts]:
    """The padding of ours that puts as much around, or "valid" and how much must be put there before; zeros where it says nothing else."""
    reach = spans(sizes, dilations)
    if isinstance(module.padding, str):
        same = tuple(((span - 1) // 2, span - 1 - (span - 1) // 2) for span in reach)
        amounts = same if module.padding == "same" else ((0, 0),) * len(space)
    else:
        amounts = tuple((each, each) for each in _pairs(module.padding, len(space)))
    ours = tuple(same_amounts(space, reach, strides))
    mode = getattr(module, "padding_mode", "zeros")
    if before.amounts:
        if any(map(any, amounts)):
            raise UnlikeError("padding of its own behind a module that pads")
        amounts, mode = tuple(before.amounts), before.mode
    if not any(map(any, amounts)):
        return "valid", ()
    if amounts == ours and mode in {"zeros", "lowest", *PADDINGS}:
        return PADDINGS.get(mode, "same"), ()
    if mode != "zeros":
        raise UnlikeError(f'padding_mode="{mode}" with so much around: {amounts}')
    return "valid", amounts


def _convolution(module: Any, shape: Shape, before: Around = NOTHING_AROUND) -> Read:
    space = shape[1:]
    sizes, strides, dilations = (_pairs(value, len(space)) for value in (module.kernel_size, module.stride, module.dilation))
    if before.mode == "lowest":
        raise UnlikeError("-inf put around")
    padding, around = _amounts(module, space, sizes, strides, dilations, before)
    kind: Any = Conv1D if len(space) == 1 else Conv2D
    layer = kind(
        module.out_channels,
        sizes,
        stride=strides,
        dilation=dilations,
        groups=module.groups,
        padding=padding,
        bias=module.bias is not None,
    )
    wider = padded((*space, shape[0]), around)
    return Read((*wider, layer), holds=len(wider), order="first")


def _transposed(module: Any, shape: Shape) -> Read:
    space = len(shape) - 1
    if module.groups != 1:
        raise UnlikeError("groups in a transposed convolution")
    sizes, strides, dilations = (_pairs(value, space) for value in (module.kernel_size, module.stride, module.dilation))
    kind: Any = ConvTranspose1D if space == 1 else ConvTranspose2D
    layer = kind(
        module.out_channels, sized(sizes), stride=sized(strides), dilation=sized(dilations), bias=module.bias is not None
    )
    # What PyTorch calls padding is cut off here.
    cut = zip(_pairs(module.padding, space), _pairs(module.output_padding, space), strict=True)
    return Read((layer,), holds=0, order="first", cut=tuple((-low, more - low) for low, more in cut))


def cut_off(layer: ConvTranspose1D | ConvTranspose2D, shape: Shape, cut: Amounts) -> tuple[Layer, ...]:
    """A transposed convolution whose answer is cut, or goes on with what no window reached: ours, and what it takes beside it.

    shape: of one example that it is given, in PyTorch's order. Raises: UnlikeError.

    >>> cut_off(ConvTranspose1D(2, 3), (4, 5), ((-1, -1),))
    (ConvTranspose1D(2, 3, padding='same'),)
    """
    space = len(shape) - 1
    sizes, strides, dilations = (in_each_axis(size, space) for size in (layer.kernel, layer.stride, layer.dilation))
    reach = spans(sizes, dilations)
    made = tuple(extent * stride for extent, stride in zip(shape[1:], strides, strict=True))
    unseen = (max(stride - span, 0) for stride, span in zip(strides, reach, strict=True))
    same = tuple((-low, more - high) for (low, high), more in zip(same_amounts(made, reach, strides), unseen, strict=True))
    if tuple(cut) == same and any(map(any, cut)):
        return (replace(layer, padding="same"),)
    if any(high > 0 for _, high in cut):
        raise UnlikeError("output_padding above padding")
    whole = ((extent - 1) * stride + span for extent, span, stride in zip(shape[1:], reach, strides, strict=True))
    return (layer, *padded((*whole, layer.filters), cut))


def _pool(module: Any, shape: Shape, before: Around = NOTHING_AROUND) -> Read:
    space, largest = shape[1:], type(module).__name__.startswith("Max")
    sizes = _pairs(module.kernel_size, len(space))
    strides = sizes if module.stride is None else _pairs(module.stride, len(space))
    dilations = _pairs(getattr(module, "dilation", 1), len(space))
    if (
        module.ceil_mode
        or set(dilations) != {1}
        or getattr(module, "return_indices", False)
        or getattr(module, "divisor_override", None)
    ):
        raise UnlikeError("a pool with ceil_mode, dilation, divisor_override or return_indices")
    if before.mode == ("zeros" if largest else "lowest") and before.amounts:
        raise UnlikeError("a pool of what was put around")
    padding, around = _amounts(module, space, sizes, strides, dilations, before)
    if before.amounts and padding == "same" and not largest:
        raise UnlikeError("an average of zeros put around")
    if (around and largest) or (padding == "same" and not largest and module.count_include_pad):
        around = tuple((each, each) for each in _pairs(module.padding, len(space)))
        if largest:
            raise UnlikeError("a pool of the largest with as much around on either side")
        padding = "valid"
    elif around and not module.count_include_pad:
        raise UnlikeError("an average without its padding, with as much around on either side")
    layer: Layer = (MaxPool if largest else AveragePool)(sized(sizes), unless(sized(strides), sized(sizes)), padding)  # pyright: ignore[reportArgumentType]
    return Read((*padded((*space, shape[0]), around), layer), order="first")


def _global_pool(module: Any, shape: Shape) -> Read:
    largest = "Max" in type(module).__name__
    size: Any = module.output_size
    given = cast("tuple[Any, ...]", size) if isinstance(size, tuple) else (size,) * (len(shape) - 1)
    sizes = tuple(extent if size is None else int(size) for size, extent in zip(given, shape[1:], strict=True))
    if set(sizes) != {1}:
        if any(extent % size for extent, size in zip(shape[1:], sizes, strict=True)):
            raise UnlikeError(f"an adaptive pool to {sizes} of {shape[1:]}, whose windows are not all of one size")
        window = sized(tuple(extent // size for extent, size in zip(shape[1:], sizes, strict=True)))
        return Read((MaxPool(window) if largest else AveragePool(window),) if window != 1 else (), order="first")
    return Read((GlobalMaxPool() if largest else GlobalAveragePool(),), order="first")


def _up_sample(module: Any, shape: Shape) -> Read:
    factors = module.scale_factor
    if module.mode != "nearest" or factors is None or any(each != int(each) for each in _floats(factors)):
        raise UnlikeError("an up-sampling that does not repeat numbers a whole number of times")
    return Read((UpSample(sized(_pairs(factors, len(shape) - 1))),), order="first")


def _floats(value: Any) -> tuple[float, ...]:
    return tuple(float(each) for each in cast("Iterable[Any]", value)) if isinstance(value, tuple | list) else (float(value),)


# ---- norms and sequences


def _scaled(module: Any) -> dict[str, Any]:
    """Whether a norm has a gain and a bias."""
    return {"gain": module.weight is not None, "bias": module.bias is not None}


def _batch_norm(module: Any, shape: Shape) -> Read:
    if not module.track_running_stats or module.momentum is None:
        raise UnlikeError("batch statistics that are not followed by a momentum")
    layer = BatchNorm(float(module.momentum), float(module.eps), **_scaled(module))
    return Read((layer,), holds=0, order="first" if len(shape) > 1 else "any")


def _layer_norm(module: Any, shape: Shape) -> Read:
    if len(module.normalized_shape) != 1:
        raise UnlikeError(f"a norm over the axes {tuple(module.normalized_shape)}")
    layer = LayerNorm(float(module.eps), **_scaled(module))
    return Read((layer,), holds=0, order="last")


def _group_norm(module: Any, shape: Shape) -> Read:
    layer = GroupNorm(module.num_groups, float(module.eps), **_scaled(module))
    return Read((layer,), holds=0, order="first")


def _instance_norm(module: Any, shape: Shape) -> Read:
    if module.track_running_stats:
        raise UnlikeError("instance statistics that are followed")
    layer = GroupNorm(module.num_features, float(module.eps), **_scaled(module))
    return Read((layer,), holds=0, order="first")


def _embedding(module: Any, shape: Shape) -> Read:
    if module.max_norm is not None:
        raise UnlikeError("max_norm")
    idle = module.padding_idx
    # There the row of padding has no gradient, whatever stands in it; ours is 0.
    padding = idle if idle is not None and not module.weight[idle].any() else None
    return Read((Embedding(module.num_embeddings, module.embedding_dim, padding),), holds=0, order="last")


def recurrent(module: Any, *, sequences: bool, reverse: bool = False) -> list[Layer]:
    """The layers of a recurrent module, from the first to the last; `sequences`: whether the last gives every time step."""
    if not module.batch_first:
        raise UnlikeError("batch_first=False")
    if getattr(module, "proj_size", 0):
        raise UnlikeError("proj_size")
    kind: Any = {"RNN": RNN, "LSTM": LSTM, "GRU": GRU}[type(module).__name__]
    more = {"bias": module.bias, **({"activation": module.nonlinearity} if kind is RNN else {})}
    made: list[Layer] = []
    for place in range(module.num_layers):
        every = sequences or place < module.num_layers - 1
        layer = kind(module.hidden_size, return_sequences=every, reverse=reverse, **more)
        made.append(Bidirectional(layer) if module.bidirectional else layer)
        if module.dropout and place < module.num_layers - 1:
            made.append(Dropout(float(module.dropout)))
    return made


def require_space(kind: str, shape: Shape) -> None:
    """Refuses inputs without a batch for modules whose names say over how many axes they go."""
    found = re.search(r"(\d)d$", kind)
    axes = len(shape) - 1
    if found and axes != int(found[1]) and not (kind == "BatchNorm1d" and axes == 0):
        raise UnlikeError(f"an input with {len(shape)} axes behind the batch")


READERS: dict[str, Reader] = {
    "Linear": _linear, "Dropout": _dropout, "Identity": lambda module, shape: Read(()),
    "ReLU": _activation("relu"), "Sigmoid": _activation("sigmoid"), "Tanh": _activation("tanh"), "SiLU": _activation("silu"),
    "LeakyReLU": _leaky, "ELU": _elu, "Softplus": _softplus, "GELU": _gelu, "Softmax": _softmax,
    **{kind: _formula(lambda module, text=text: text) for kind, text in FORMULAS.items()}, "LogSoftmax": _log_softmax,
    "Hardtanh": _formula(lambda module: between(float(module.min_val), float(module.max_val))),
    "CELU": _formula(lambda module: stretched_celu(float(module.alpha))),
    "PReLU": _prelu, "Conv1d": _convolution, "Conv2d": _convolution, "ConvTranspose1d": _transposed, "ConvTranspose2d": _transposed,
    "MaxPool1d": _pool, "MaxPool2d": _pool, "AvgPool1d": _pool, "AvgPool2d": _pool, "AdaptiveAvgPool1d": _global_pool,
    "AdaptiveAvgPool2d": _global_pool, "AdaptiveMaxPool1d": _global_pool, "AdaptiveMaxPool2d": _global_pool, "Upsample": _up_sample,
    "BatchNorm1d": _batch_norm, "BatchNorm2d": _batch_norm, "LayerNorm": _layer_norm,
    "GroupNorm": _group_norm, "InstanceNorm1d": _instance_norm, "InstanceNorm2d": _instance_norm, "Embedding": _embedding,
}  # fmt: skip
"""The modules that are read by themselves; recurrent ones, and what only moves numbers, are read with what follows them."""
WINDOWED: dict[str, Callable[[Any, Shape, Around], Read]] = {
    "Conv1d": _convolution, "Conv2d": _convolution, "MaxPool1d": _pool, "MaxPool2d": _pool, "AvgPool1d": _pool, "AvgPool2d": _pool,
}  # fmt: skip
"""Those that may take what a module before them puts around."""
RECURRENT = ("RNN", "LSTM", "GRU")
