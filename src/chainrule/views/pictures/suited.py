"""Which pictures suit an object: those whose first argument takes it, found by their annotations, and whose kinds it is of."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

from chainrule.train import Model, Run
from chainrule.views.panels import Table
from chainrule.views.pictures.given import ONE
from chainrule.views.pictures.kinds import Kind, kinds_of
from chainrule.views.view import View


def suited(thing: object, functions: Mapping[str, Callable[..., Any]]) -> Table:
    """The functions that give a view of the object, each with its call and its first sentence."""
    found = [(name, inspect.unwrap(function)) for name, function in functions.items()]

    # Many pictures ask the same of a run: each answer is found once, and so is its model.
    @cache
    def is_of(kind: Kind) -> bool:
        return kind(cast("Run | Model", thing))

    things = (thing, thing.model()) if isinstance(thing, Run) else (thing,)
    rows = [(name, call, _sentence(function)) for name, function in found for call in _calls(things, is_of, name, function)]
    return Table(("picture", "how it is asked for", "what it shows"), tuple(rows))


@cache
def _told(function: Callable[..., Any]) -> tuple[Mapping[str, Any], tuple[inspect.Parameter, ...]]:
    """A function's annotations and parameters."""
    return get_type_hints(function, include_extras=True), tuple(inspect.signature(function).parameters.values())


def _calls(things: tuple[object, ...], is_of: Callable[[Kind], bool], name: str, function: Callable[..., Any]) -> Iterator[str]:
    """The call for an object, or for a run's model behind it; nothing where neither suits."""
    thing, *models = things
    hints, (first, *others) = _told(function)
    if hints.get("return") is not View or (isinstance(thing, Run | Model) and not all(map(is_of, kinds_of(function)))):
        return
    wanted = [f"{other.name}{_one_of(hints[other.name])}" for other in others if other.default is other.empty]
    if _takes(hints[first.name], thing):
        several = isinstance(thing, Mapping | list | tuple)
        yield f"{name}({', '.join([first.name if several else type(thing).__name__.lower(), *wanted])})"
    elif any(_takes(hints[first.name], model) for model in models):
        yield f"{name}({', '.join(['run.model()', *wanted])})"


def _one_of(hint: Any) -> str:
    """What is written behind the name of several, where one of them is asked for."""
    return ONE if ONE in getattr(hint, "__metadata__", ()) else ""


def _takes(hint: Any, thing: object) -> bool:
    """Whether a value of ours is what the annotation asks for; numbers, texts and arrays suit whatever takes any of them, so nothing."""
    kind, parts = get_origin(hint), get_args(hint)
    if kind in (Union, types.UnionType):
        return any(_takes(part, thing) for part in parts)
    if inspect.isclass(kind) and issubclass(kind, Mapping):
        return isinstance(thing, Mapping) and _all(cast("Mapping[object, object]", thing).values(), parts[1])
    if kind is Sequence:
        return isinstance(thing, list | tuple) and _all(cast("Sequence[object]", thing), parts[0])
    return inspect.isclass(hint) and hint.__module__.startswith("chainrule.") and isinstance(thing, hint)


def _all(things: Any, hint: Any) -> bool:
    return bool(things) and all(_takes(hint, thing) for thing in things)


def _sentence(function: Callable[..., Any]) -> str:
    """The first sentence of what is said of a function."""
    return inspect.cleandoc(function.__doc__ or "").split("\n")[0]
