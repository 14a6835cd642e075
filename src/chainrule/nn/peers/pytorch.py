"""Networks in PyTorch: a Sequential of modules, with the channels where each of them wants them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby, pairwise
from math import prod

import numpy as np

from chainrule.graph import Shape
from chainrule.nn.layers import Activation, Dense, Dropout, Flatten, Reshape
from chainrule.nn.peers.parts import LayerStep, Peer, PeerPart, call, row_of
from chainrule.nn.peers.pytorch_layers import LAYERS, Order

HELPERS = {
    "Frozen": '''class Frozen(torch.nn.Sequential):
    """Modules that keep their weights, and compute in training what they compute at inference."""

    def __init__(self, *modules):
        super().__init__(*modules)
        self.requires_grad_(False)
        self.eval()

    def train(self, mode=True):
        return super().train(False)
''',
    "Scaled": '''class Scaled(torch.nn.Module):
    """(x - offset) * factor, in float64: of a large offset, float32 would lose what stands behind it."""

    def __init__(self, offset, factor):
        super().__init__()
        self.register_buffer("offset", torch.tensor(offset, dtype=torch.float64), persistent=False)
        self.register_buffer("factor", torch.tensor(factor, dtype=torch.float64), persistent=False)

    def forward(self, x):
        return ((x.to(torch.float64) - self.offset) * self.factor).to(torch.get_default_dtype())
''',
    "Unscaled": '''class Unscaled(torch.nn.Module):
    """x / factor + offset, in float64: the units of the targets."""

    def __init__(self, offset, factor):
        super().__init__()
        self.register_buffer("offset", torch.tensor(offset, dtype=torch.float64), persistent=False)
        self.register_buffer("factor", torch.tensor(factor, dtype=torch.float64), persistent=False)

    def forward(self, x):
        return x.to(torch.float64) / self.factor + self.offset
''',
    "Permute": '''class Permute(torch.nn.Module):
    """Axes in another order."""

    def __init__(self, *axes):
        super().__init__()
        self.axes = axes

    def forward(self, x):
        return x.permute(self.axes)
''',
    "Noise": '''class Noise(torch.nn.Module):
    """Normal noise, in training."""

    def __init__(self, deviation):
        super().__init__()
        self.deviation = deviation

    def forward(self, x):
        return x + self.deviation * torch.randn_like(x) if self.training else x
''',
    "Flip": '''class Flip(torch.nn.Module):
    """Time backwards."""

    def forward(self, x):
        return x.flip(1)
''',
    "Last": '''class Last(torch.nn.Module):
    """What a recurrent layer gives at the last time step."""

    def forward(self, found):
        return found[0][:, -1]
''',
    "Every": '''class Every(torch.nn.Module):
    """What a recurrent layer gives at every time step."""

    def forward(self, found):
        return found[0]
''',
    "Ends": '''class Ends(torch.nn.Module):
    """What both directions of a recurrent layer give at the last step that they see."""

    def forward(self, found):
        forward, backward = found[0].chunk(2, dim=2)
        return torch.cat((forward[:, -1], backward[:, 0]), dim=1)
''',
    "Whole": '''class Whole(torch.nn.Module):
    """Numbers as whole numbers."""

    def forward(self, x):
        return x.long()
''',
}
"""Modules that PyTorch does not have; written where they are used."""


def _wish(steps: Sequence[LayerStep]) -> Order:
    """Where the first of these steps that cares wants the channels of its input."""
    wishes: list[Order] = [row_of(LAYERS, step).order for step in steps if len(step.input) > 1]
    wishes = [order for order in wishes if order != "any"]
    return wishes[0] if wishes else "last"


def _orders(steps: Sequence[LayerStep]) -> list[Order]:
    """Where the channels stand in the network's input, and then in each step, before and behind which axes are exchanged."""
    found: list[Order] = [_wish(steps)]
    for number, step in enumerate(steps):
        following, space = steps[number + 1 :], len(step.input) > 1
        wanted: Order = row_of(LAYERS, step).order if space else "last"
        if space and isinstance(step.layer, Flatten) and _met_by_dense(following):
            # Left as they are: the next dense layer's rows take their order.
            wanted = "any"
        if not space and isinstance(step.layer, Reshape) and step.output[-1] == 1:
            # A single channel may stand anywhere.
            wanted = _wish(following)
        found.append(found[-1] if wanted == "any" else wanted)
    return found


def _parts(steps: Sequence[LayerStep]) -> list[PeerPart]:
    """All modules; where channels stand elsewhere than a layer wants them, axes are exchanged before it."""
    found: list[PeerPart] = []
    rows: tuple[int, ...] | None = None
    for step, (before, order) in zip(steps, pairwise(_orders(steps)), strict=True):
        space = len(step.input) - 1
        if space and order != before:
            axes = (space + 1, *range(1, space + 1)) if order == "first" else (*range(2, space + 2), 1)
            found.append(PeerPart(call("Permute", 0, *axes), frozen=step.frozen))
        here = replace(step, channels_first=order == "first")
        if isinstance(step.layer, Dense):
            here, rows = replace(here, rows=rows), None
        elif isinstance(step.layer, Flatten) and here.channels_first:
            rows = places_channels_first(step.input)
        found += [replace(part, frozen=step.frozen) for part in row_of(LAYERS, step).parts(here)]
    return [replace(part, name=place) for part, place in zip(found, _places(found), strict=True)]


def _places(parts: Sequence[PeerPart]) -> Iterator[str]:
    """The number of each module in the Sequential; those that are frozen together have one, and their own number in it."""
    number = -1
    for frozen, together in groupby(parts, lambda part: part.frozen):
        number += frozen
        for inside, _ in enumerate(together):
            number += not frozen
            yield f"{number}.{inside}" if frozen else f"{number}"


def _met_by_dense(steps: Sequence[LayerStep]) -> bool:
    """Whether a dense layer comes before anything that knows one number of an example from another."""
    others = (step.layer for step in steps if not isinstance(step.layer, Dropout | Activation))
    return isinstance(next(others, None), Dense)


def places_channels_first(shape: Shape) -> tuple[int, ...]:
    """The place in ours, channels last, of each number of an example with channels first.

    >>> places_channels_first((1, 2, 3))
    (0, 3, 1, 4, 2, 5)
    """
    return tuple(int(place) for place in np.moveaxis(np.arange(prod(shape)).reshape(shape), -1, 0).reshape(-1))


def _text(steps: Sequence[LayerStep], parts: Sequence[PeerPart]) -> str:
    used = {part.code.partition("(")[0] for part in parts} | {"Frozen" for part in parts if part.frozen}
    helpers = "".join(f"{text}\n\n" for name, text in HELPERS.items() if name in used)
    lines = "".join(_lines(parts))
    room = "\n" if helpers else ""
    return f"import torch\n\n{room}{helpers}{_comment(steps)}network = torch.nn.Sequential(\n{lines})"


def _lines(parts: Sequence[PeerPart]) -> Iterator[str]:
    for frozen, together in groupby(parts, lambda part: part.frozen):
        yield from (
            "    Frozen(\n" * frozen,
            *(f"{'    ' * (1 + frozen)}{part.code},\n" for part in together),
            "    ),\n" * frozen,
        )


def _comment(steps: Sequence[LayerStep]) -> str:
    """What goes in and, where it has axes of space, what comes out: with the axes where PyTorch has them."""
    if not steps:
        return ""
    orders = _orders(steps)
    given = f"; gives {_shown(steps[-1].output, orders[-1])}" if len(steps[-1].output) > 1 else ""
    return f"# takes {_shown(steps[0].input, orders[0])}{given}\n"


def channels_first(steps: Sequence[LayerStep]) -> tuple[bool, bool]:
    """Whether the network that is written takes, and gives, channels before axes of space."""
    orders = _orders(steps)
    ends = ((steps[0].input, orders[0]), (steps[-1].output, orders[-1])) if steps else ()
    found = [len(shape) > 1 and order == "first" for shape, order in ends]
    return (found[0], found[1]) if found else (False, False)


def _shown(shape: Shape, order: Order) -> str:
    first = len(shape) > 1 and order == "first"
    sizes = (*shape[-1:], *shape[:-1]) if first else shape
    return f"({', '.join(map(str, ('batch', *sizes)))}){', channels first' if first else ''}"


PYTORCH = Peer("PyTorch", tuple(LAYERS), _parts, _text, lambda _, part, label: f"{part.name}.{label}")
"""PyTorch: a Sequential of modules; an array is called by the number of its module, as in its state_dict."""
