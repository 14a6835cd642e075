"""The contracts of what users write themselves: losses, optimizers, initialisers, schedules, clipping; each broken one is named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np

from chainrule.checks import shown, takes
from chainrule.errors import OptionError, OptionTypeError
from chainrule.graph import Array, Node, Shape


def require_node(what: str, found: object, shape: Shape, dtype: str, meaning: str) -> Node:
    """What a user's object gave, if it is a node of this shape and dtype."""
    if not isinstance(found, Node):
        raise OptionTypeError(f"{what} gave {shown(found)}", expected=f"a node {dtype}{list(shape)}: {meaning}", remedy=USE_OPS)
    if found.shape != shape or found.dtype != dtype:
        raise OptionError(
            f"{what} gave {found.type!r}",
            expected=f"{dtype}{list(shape)}: {meaning}",
            remedy="reduce, reshape or cast what it gives",
        )
    return found


USE_OPS = "compute it from what is given with chainrule.ops"


class Declared(dict[str, Node]):
    """The slots that an optimizer declares; another one is named when it is asked for."""

    def __missing__(self, name: str) -> Node:
        raise OptionError(
            f"an update that asks for the slot {shown(name)}",
            expected=f"those that the optimizer declares: {', '.join(self) or 'none'}",
            remedy=f'declare it in the class: slots = ("{name}",)',
        )


def require_update_call(optimizer: Any) -> None:
    """Refuses an optimizer whose `update` takes other arguments, or whose slots are no names."""
    if isinstance(optimizer.slots, str):
        raise OptionTypeError(
            f"slots={optimizer.slots!r} in {shown(optimizer)}",
            expected="names in brackets",
            remedy=f"write slots = ({optimizer.slots!r},)",
        )
    if not takes(optimizer.update, count=5):
        raise OptionTypeError(
            f"the update of {shown(optimizer)}, which takes other arguments",
            expected="def update(self, w, g, slots, rate, step)",
            remedy="take all five, also those that you do not use",
        )


def require_update(optimizer: object, found: object, w: Node, slots: Sequence[str]) -> tuple[Node, Mapping[str, Node]]:
    """What an optimizer's `update` gave, if it is the next weight and the next value of each slot."""
    what = f"the update of {shown(optimizer)}"
    if not isinstance(found, tuple) or len(pair := cast("tuple[Any, ...]", found)) != 2 or not isinstance(pair[1], Mapping):
        raise OptionTypeError(
            f"{what} gave {shown(cast('object', found))}",
            expected="the next weight, and the next value of each slot by its name",
            remedy="write for example: return w - g * rate, {}",
        )
    changed = dict(cast("Mapping[str, Any]", pair[1]))
    if set(changed) != set(slots):
        raise OptionError(
            f"{what} gave the slots {', '.join(map(str, changed)) or 'none'}",
            expected=f"those that it declares: {', '.join(slots) or 'none'}",
            remedy="give the next value of each of its slots",
        )
    next_w = require_node(what, pair[0], w.shape, w.dtype, "the next weight")
    return next_w, {name: require_node(what, node, w.shape, w.dtype, f"the slot {name}") for name, node in changed.items()}


def require_rates(schedule: object, found: Any, steps: Array) -> Array:
    """What a schedule gave for steps, if it is a rate of 0 or more for each of them."""
    try:
        rates = np.asarray(found, dtype=np.float64)
    except (TypeError, ValueError):
        rates = np.empty(0)
    if rates.shape == steps.shape and np.isfinite(rates).all() and (rates >= 0).all():
        return rates
    kind = OptionError if rates.shape == steps.shape else OptionTypeError
    wrong = rates[~(np.isfinite(rates) & (rates >= 0))] if rates.shape == steps.shape else None
    raise kind(
        f"the schedule {shown(schedule)} gave {wrong[0] if wrong is not None else shown(found)}",
        expected=f"a finite rate of 0 or more for each step: an array of shape {steps.shape}",
        remedy="write for example: lambda steps, total: 0.1 / (1 + steps)",
    )


def require_gradients(clip: object, found: object, given: Sequence[Node]) -> list[Node]:
    """What clipping made of gradients, if there is one for each of them."""
    nodes = list(cast("Sequence[Any]", found)) if isinstance(found, list | tuple) else []
    if len(nodes) != len(given):
        raise OptionTypeError(
            f"{shown(clip)} gave {shown(cast('object', found))}", expected=f"a list of {len(given)} gradients", remedy=USE_OPS
        )
    return [require_node(shown(clip), node, g.shape, g.dtype, "a gradient") for node, g in zip(nodes, given, strict=True)]
