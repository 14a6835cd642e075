"""The door of the pictures: what they are given is held to their annotations, and examples to the data of the network they go through."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from importlib import import_module
from inspect import signature, unwrap
from types import FunctionType
from typing import Any

from chainrule.checks import answering, checked


def answering_picture(name: str, found: Any) -> Any:
    """What the pictures' package offers by a name, answering wrong calls by our errors; a picture reads its arguments first."""
    room: dict[str, Any] = {"__all__": [name], name: found}
    answering(room)
    return held(unwrap(room[name])) if isinstance(room[name], FunctionType) else room[name]


def held(picture: Callable[..., Any]) -> Callable[..., Any]:
    """The picture, whose arguments are read as its annotations say; examples x, with their targets y, as the network's data hold them.

    Examples may be given as to `fit`: tables, lists, labels by name, one number to each example; or one, without the axis of the batch.
    """
    parameters, called = signature(picture), checked(picture)
    pairs = {name: f"y{name[1:]}" for name in parameters.parameters if name == "x" or name.startswith("x_")}
    # Only what takes examples waits for what reads them, and so for all of training.
    read: Any = import_module("chainrule.views.pictures.given").read_examples if pairs else None

    @wraps(picture)
    def call(*given: Any, **named: Any) -> Any:
        try:
            arguments = parameters.bind(*given, **named).arguments
        except TypeError:
            return called(*given, **named)  # which says what is wrong with the call
        if read is not None:
            read(next(iter(arguments.values()), None), pairs, arguments)
        return called(**arguments)

    return call
