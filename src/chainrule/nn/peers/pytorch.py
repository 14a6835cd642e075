"""Networks in PyTorch: a Sequential of modules, with the channels where each of them wants them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count, groupby
from math import prod
from typing import cast

import numpy as np

from chainrule.graph import Shape
from chainrule.immutable import immutable
from chainrule.nn.layers import Activation, Dense, Dropout, Flatten, Reshape
from chainrule.nn.peers.export import Export
from chainrule.nn.peers.parts import ARITHMETIC, FUNCTIONS, Joint, LackingError, LayerStep, Peer, PeerPart, call, row_of
from chainrule.nn.peers.pytorch_layers import LAYERS, Order
from chainrule.nn.peers.pytorch_modules import FORMULAS
from chainrule.nn.peers.steps import behind, is_chain, lines_of, takers_of

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
    """(x - offset) * factor, in float64: of a large offset, float32 would lose what stands behind it. Given on as the weights are."""

    def __init__(self, offset, factor):
        super().__init__()
        self.register_buffer("offset", torch.tensor(offset, dtype=torch.float64), persistent=False)
        self.register_buffer("factor", torch.tensor(factor, dtype=torch.float64), persistent=False)
        self.register_buffer("made", torch.zeros(()), persistent=False)

    def forward(self, x):
        return ((x.to(torch.float64) - self.offset) * self.factor).to(self.made.dtype)
''',
    "Unscaled": '''class Unscaled(torch.nn.Module):
    """x / factor + offset, in float64: the units of the targets. Inside a network given on as the weights are."""

    def __init__(self, offset, factor, inside=False):
        super().__init__()
        self.register_buffer("offset", torch.tensor(offset, dtype=torch.float64), persistent=False)
        self.register_buffer("factor", torch.tensor(factor, dtype=torch.float64), persistent=False)
        self.register_buffer("made", torch.zeros(()), persistent=False)
        self.inside = inside

    def forward(self, x):
        found = x.to(torch.float64) / self.factor + self.offset
        return found.to(self.made.dtype) if self.inside else found
''',
    "Exp": '''class Exp(torch.nn.Module):
    """exp of each number."""

    def forward(self, x):
        return torch.exp(x)
''',
    "Plus": '''class Plus(torch.nn.Module):
    """x + p, which is learned."""

    def __init__(self, *shape):
        super().__init__()
        self.p = torch.nn.Parameter(torch.zeros(shape))

    def forward(self, x):
        return x + self.p
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
    wishes: list[Order] = [_order(step) for step in steps if len(step.input) > 1]
    wishes = [order for order in wishes if order != "any"]
    return wishes[0] if wishes else "last"


def _order(step: LayerStep) -> Order:
    if isinstance(step.layer, Joint):
        return "last" if step.layer.axes or step.layer.op.kind == "product" else "any"
    return row_of(LAYERS, step).order


def _orders(steps: Sequence[LayerStep]) -> list[Order]:
    """Where the channels of each value stand, the network's input first."""
    found: list[Order] = [_wish(steps)]
    takers = takers_of(steps)
    for number, step in enumerate(steps):
        following, space = _following(steps, takers, number), len(step.input) > 1
        wanted: Order = _order(step) if space else "last"
        if space and isinstance(step.layer, Flatten) and _met_by_dense(following):
            # Left as they are: the next dense layer's rows take their order.
            wanted = "any"
        if not space and isinstance(step.layer, Reshape) and step.output[-1] == 1:
            # A single channel may stand anywhere.
            wanted = _wish(following)
        if not space and isinstance(step.layer, Reshape) and len(step.output) > 2 and prod(step.output[:-1]) == 1:
            # So may space of a single place: it is there to be stretched over that of a picture.
            wanted = "first"
        found.append(found[step.sources[0]] if wanted == "any" else wanted)
    return found


def _following(steps: Sequence[LayerStep], takers: Mapping[int, list[int]], place: int) -> list[LayerStep]:
    """The layers that alone take what the one before them makes."""
    found: list[LayerStep] = []
    following = behind(steps, takers, place)
    while following is not None:
        found.append(steps[following])
        following = behind(steps, takers, following)
    return found


@immutable
class _Written:
    """A step in PyTorch's words: how axes are exchanged in each value that it takes, () for not at all; its modules, or what joins."""

    exchanged: tuple[Shape, ...]
    parts: tuple[PeerPart, ...] = ()


def _written(steps: Sequence[LayerStep]) -> list[_Written]:
    """Every step; where channels stand elsewhere than a layer wants them, axes are exchanged before it."""
    orders, found = _orders(steps), list[_Written]()
    rows: list[tuple[int, ...] | None] = [None]
    for place, step in enumerate(steps):
        order, given = orders[place + 1], rows[step.sources[0]]
        exchanged = tuple(_exchanged(len(step.input) - 1, orders[source], order) for source in step.sources)
        here, rows_behind = replace(step, channels_first=order == "first"), given
        if isinstance(step.layer, Dense):
            here, rows_behind = replace(here, rows=given), None
        elif isinstance(step.layer, Flatten) and here.channels_first:
            rows_behind = places_channels_first(step.input)
        elif given is not None and not isinstance(step.layer, Dropout | Activation):
            raise LackingError(step, "a flattened picture that meets something else than a dense layer")
        rows.append(rows_behind)
        if isinstance(step.layer, Joint):
            _joined(step, ["x"] * len(step.sources), first=here.channels_first)
        parts = () if isinstance(step.layer, Joint) else row_of(LAYERS, step).parts(here)
        found.append(_Written(exchanged, tuple(replace(part, frozen=step.frozen, step=place) for part in parts)))
    return found


def _exchanged(space: int, before: Order, order: Order) -> Shape:
    if not space or order == before:
        return ()
    return (0, space + 1, *range(1, space + 1)) if order == "first" else (0, *range(2, space + 2), 1)


def _parts(steps: Sequence[LayerStep]) -> list[PeerPart]:
    """All modules, by the names that they have in the whole."""
    written, lines = _written(steps), lines_of(steps)
    if is_chain(steps):
        found = _in_line(written, range(len(steps)), whole=True)
        return [replace(part, name=place) for part, place in zip(found, _places(found), strict=True)]
    found = list[PeerPart]()
    for name, line in zip(_names(steps, lines), lines, strict=True):
        first, *others = [_in_line(written, use) for use in line]
        if any([part.code for part in each] != [part.code for part in first] for each in others):
            raise LackingError(steps[line[-1][0]], "a layer that is used twice, on inputs of different kinds")
        alone = len(first) == 1 and not first[0].frozen
        inside = map(str, range(len(first))) if all(part.frozen for part in first) else _places(first)
        found += [replace(part, name=name if alone else f"{name}.{place}") for part, place in zip(first, inside, strict=True)]
    return found


def _in_line(written: Sequence[_Written], places: Iterable[int], *, whole: bool = False) -> list[PeerPart]:
    """The modules of steps that follow each other; whole: with what is done to the first one's input."""
    found = list[PeerPart]()
    for number, place in enumerate(places):
        (axes, *_), parts = written[place].exchanged, written[place].parts
        if axes and (number or whole):
            frozen = bool(parts) and parts[0].frozen
            found.append(PeerPart(call("Permute", *axes), frozen=frozen, step=place))
        found += parts
    return found


def _names(steps: Sequence[LayerStep], lines: Sequence[Sequence[Sequence[int]]]) -> Iterator[str]:
    """What the modules of a class are called: by the first layer with weights; a word without a number might be a method's name."""
    taken = set[str]()
    for line in lines:
        inside = [steps[place] for place in line[0]]
        step = next((each for each in inside if each.parameters), inside[0])
        kind = type(step.layer).__name__.lower()
        own = re.sub(r"\W", "_", step.name)
        base = own if re.search(r"\d", own) else f"{own}_{kind}" if own else kind
        name = next(each for number in count() if (each := f"{base}{f'_{number}' * (number > 0)}") not in taken)
        taken.add(name)
        yield name


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
    is_line = is_chain(steps)
    body = f"network = torch.nn.Sequential(\n{''.join(_lines(parts))})" if is_line else _class(steps, parts, lines_of(steps))
    used = {part.code.partition("(")[0] for part in parts} | {"Frozen" for part in parts if part.frozen}
    helpers = "".join(f"{text}\n\n" for name, text in HELPERS.items() if name in used)
    head = f"import torch\n\n{chr(10) * bool(helpers or not is_line)}{helpers}"
    return f"{head}{_comment(steps)}{body}" if is_line else f"{head}{body}\n\n\n{_comment(steps)}network = Network()"


def _class(steps: Sequence[LayerStep], parts: Sequence[PeerPart], lines: Sequence[Sequence[Sequence[int]]]) -> str:
    """A module whose forward joins others."""
    written = _written(steps)
    calls: dict[int, tuple[str, Sequence[int]]] = {}
    made = list[str]()
    for name, line in zip(_names(steps, lines), lines, strict=True):
        held = [part for part in parts if part.step in line[0]]
        calls |= {use[0]: (name if held else "", use) for use in line}
        made += [f"        self.{name} = {_module(held)}\n"] if held else []
    values, said = {0: "x"}, list[str]()
    for place, step in enumerate(steps):
        given = [
            f"{values.get(source, '')}{f'.permute{axes}' if axes else ''}"
            for source, axes in zip(step.sources, written[place].exchanged, strict=True)
        ]
        if isinstance(step.layer, Joint):
            text, last = _joined(step, given, first=_orders(steps)[place + 1] == "first"), place
        elif place in calls:
            name, use = calls[place]
            text, last = (f"self.{name}({given[0]})" if name else given[0]), use[-1]
        else:
            continue  # inside a line
        values[last + 1] = f"x{len(values)}"
        is_last = last + 1 == len(steps)
        said.append(f"        return {text}\n" if is_last else f"        {values[last + 1]} = {text}\n")
    said = [line for line in said if "return" not in line] + [line for line in said if "return" in line]
    return (
        "class Network(torch.nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        f"{''.join(made)}\n    def forward(self, x):\n{''.join(said)[:-1]}"
    )


def _module(parts: Sequence[PeerPart]) -> str:
    """One module, or several one behind the other."""
    if len(parts) == 1 and not parts[0].frozen:
        return parts[0].code
    if all(part.frozen for part in parts):
        return f"Frozen({', '.join(part.code for part in parts)})"
    inner = "".join(f"        {line}" for line in "".join(_lines(parts)).splitlines(keepends=True))
    return f"torch.nn.Sequential(\n{inner}        )"


FUNCTIONAL = {
    "transpose": "{0}.permute{axes}", "broadcast_to": "{0}.repeat{axes}", "flip": "{0}.flip({axes})", **ARITHMETIC,
    **{name: f"torch.{function}({{0}})" for name, function in FUNCTIONS.items()},
}  # fmt: skip


def _joined(step: LayerStep, given: Sequence[str], *, first: bool) -> str:
    """What joins values, with the axes where PyTorch has them."""
    joint, first = cast("Joint", step.layer), first and len(step.input) > 1
    if joint.op.name == "concatenate":
        return f"torch.cat(({', '.join(given)}), dim={1 if first else len(step.input)})"
    if joint.op.name in {"maximum", "minimum"}:
        limit = next((number for number in joint.operands if number is not None), None)
        side = "min" if joint.op.name == "maximum" else "max"
        return f"torch.{joint.op.name}({', '.join(given)})" if limit is None else f"{given[0]}.clamp({side}={limit!r})"
    taken = (*joint.taken[-1:], *joint.taken[:-1]) if first else joint.taken
    text = replace(joint, taken=taken).written(given, FUNCTIONAL)
    if text is None:
        raise LackingError(step, "no such function")
    return text


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


def channels_first(export: Export) -> tuple[bool, bool]:
    """Whether the network that is written takes, and gives, channels before axes of space."""
    steps = export.steps(PYTORCH.has)
    orders = _orders(steps)
    ends = ((steps[0].input, orders[0]), (steps[-1].output, orders[-1])) if steps else ()
    found = [len(shape) > 1 and order == "first" for shape, order in ends]
    return (found[0], found[1]) if found else (False, False)


def _shown(shape: Shape, order: Order) -> str:
    first = len(shape) > 1 and order == "first"
    sizes = (*shape[-1:], *shape[:-1]) if first else shape
    return f"({', '.join(map(str, ('batch', *sizes)))}){', channels first' if first else ''}"


PYTORCH = Peer("PyTorch", tuple(LAYERS), FORMULAS.values(), _parts, _text, lambda _, part, label: f"{part.name}.{label}")
"""PyTorch: a Sequential of modules; an array is called by the number of its module, as in its state_dict."""
