"""Convolutions and pools in PyTorch, which has their channels first: the modules that do the same as a layer of ours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from chainrule.graph import Shape
from chainrule.nn.convolution import Conv1D, Conv2D
from chainrule.nn.padding import Amounts
from chainrule.nn.peers.parts import Arrays, LackingError, LayerStep, Moved, Padded, PeerPart, sized, unless
from chainrule.nn.peers.pytorch_modules import activated, module
from chainrule.nn.peers.windows import Transposed, require_zeros, spread, windows
from chainrule.nn.pooling import AveragePool, GlobalMaxPool, MaxPool, UpSample


def _padded(kind: str, amounts: Amounts, *value: str) -> Iterator[PeerPart]:
    """A module that puts so much around; PyTorch begins with the last axis."""
    if any(map(any, amounts)):
        around = tuple(side for both in reversed(amounts) for side in both)
        yield PeerPart(f"torch.nn.{kind}Pad{len(amounts)}d({', '.join([repr(around), *value])})")


PADS = {"same": "Zero", "periodic": "Circular", "reflect": "Reflection"}


def zeros_around(step: LayerStep) -> Iterator[PeerPart]:
    """Zeros around the axes of space."""
    yield from _padded("Zero", cast("Padded", step.layer).amounts)


def convolution(step: LayerStep) -> Iterator[PeerPart]:
    """A convolution, with a module before it where its own padding does not do."""
    layer = cast("Conv1D | Conv2D", step.layer)
    seen = windows(layer, step)
    space = len(seen.sizes)
    own_padding = layer.padding == "same" and set(seen.strides) == {1}
    if not own_padding:
        yield from _padded(PADS.get(layer.padding, ""), seen.amounts)
    code = module(
        f"Conv{space}d",
        step.input[-1],
        layer.filters,
        sized(seen.sizes),
        stride=unless(sized(seen.strides), 1),
        dilation=unless(sized(seen.dilations), 1),
        groups=unless(layer.groups, 1),
        padding="same" if own_padding else None,
        bias=None if layer.bias else False,
    )
    yield PeerPart(code, _weights(step, (space + 1, space, *range(space)), bias=layer.bias))
    yield from activated(step, layer.activation)


def transposed(step: LayerStep) -> Iterator[PeerPart]:
    """A transposed convolution, and where it makes one more behind than PyTorch can leave out, a module that cuts it off."""
    layer = cast("Transposed", step.layer)
    require_zeros(step, layer)
    seen = windows(layer, step)
    space = len(seen.sizes)
    code = module(
        f"ConvTranspose{space}d",
        step.input[-1],
        layer.filters,
        sized(seen.sizes),
        stride=unless(sized(seen.strides), 1),
        padding=unless(sized(tuple(low for low, _ in seen.amounts)), 0),
        output_padding=unless(sized(seen.unseen), 0) if layer.padding == "same" else None,
        dilation=unless(sized(seen.dilations), 1),
        bias=None if layer.bias else False,
    )
    yield PeerPart(code, _weights(step, (space, space + 1, *range(space)), bias=layer.bias))
    # Fewer than 0 are put there: so many are taken away.
    yield from _padded("Zero", [(0, low - high) for low, high in seen.amounts])
    yield from activated(step, layer.activation)


def _weights(step: LayerStep, axes: Shape, *, bias: bool) -> tuple[Arrays, ...]:
    weight, added = Moved(f"{step.name}.W", "weight", axes), Moved(f"{step.name}.b", "bias")
    return (weight, added) if bias else (weight,)


def pool(step: LayerStep) -> Iterator[PeerPart]:
    """A pool, with a module before it where its own padding does not do."""
    layer = cast("MaxPool | AveragePool", step.layer)
    seen = windows(layer, step)
    inside: dict[str, object] = {}
    if layer.padding != "same":
        yield from _padded(PADS.get(layer.padding, ""), seen.amounts)
    elif isinstance(layer, MaxPool):
        # Around its own padding PyTorch has as much on either side; ours may have one more behind.
        yield from _padded("Constant", seen.amounts, "-torch.inf")
    elif any(low != high for low, high in seen.amounts):
        raise LackingError(step, "an average over the edge with more behind than before")
    elif seen.wider:
        inside = {"padding": sized(tuple(low for low, _ in seen.amounts)), "count_include_pad": False}
    kind = f"{'Max' if isinstance(layer, MaxPool) else 'Avg'}Pool{len(seen.sizes)}d"
    yield PeerPart(module(kind, sized(seen.sizes), unless(sized(seen.strides), sized(seen.sizes)), **inside))


def global_pool(step: LayerStep) -> Iterator[PeerPart]:
    """A pool over all of space, without the axes that it leaves with one number."""
    kind = "Max" if isinstance(step.layer, GlobalMaxPool) else "Avg"
    yield PeerPart(module(f"Adaptive{kind}Pool{len(step.input) - 1}d", 1))
    yield PeerPart(module("Flatten"))


def up_sample(step: LayerStep) -> Iterator[PeerPart]:
    """Numbers repeated along the axes of space."""
    yield PeerPart(module("Upsample", scale_factor=spread(cast("UpSample", step.layer).factor, step)))
