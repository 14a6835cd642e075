"""The door of the pictures: what they are given is held to their annotations, and examples to the data of the network they go through."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from inspect import signature, unwrap
from types import FunctionType
from typing import Any, cast

from chainrule.checks import answering, checked
from chainrule.data import DatasetInfo
from chainrule.train import Model, Run
from chainrule.train.given import given_examples, given_inputs


def answering_pictures(room: dict[str, Any]) -> None:
    """Has every picture that a room offers read its arguments first; inside the room they are called as they are.

    room: the `globals()` of its `__init__`, which has an `__all__`.
    """
    answering(room)
    for name in room["__all__"]:
        if isinstance(room[name], FunctionType):
            room[name] = held(unwrap(room[name]))


def held(picture: Callable[..., Any]) -> Callable[..., Any]:
    """The picture, whose arguments are read as its annotations say; examples x, with their targets y, as the network's data hold them.

    Examples may be given as to `fit`: tables, lists, labels by name, one number to each example; or one, without the axis of the batch.
    """
    parameters, called = signature(picture), checked(picture)
    pairs = {name: f"y{name[1:]}" for name in parameters.parameters if name == "x" or name.startswith("x_")}

    @wraps(picture)
    def call(*given: Any, **named: Any) -> Any:
        try:
            arguments = parameters.bind(*given, **named).arguments
        except TypeError:
            return called(*given, **named)  # which says what is wrong with the call
        data = _data_of(next(iter(arguments.values()), None))
        if data is not None:
            _read_examples(pairs, data, arguments)
        return called(**arguments)

    return call


def _data_of(subject: object) -> DatasetInfo | None:
    """The data of what a picture is of: a run or a model, or the first of several."""
    if isinstance(subject, Mapping):
        subject = next(iter(cast("Mapping[str, object]", subject).values()), None)
    elif isinstance(subject, Sequence):
        subject = next(iter(cast("Sequence[object]", subject)), None)
    return subject.problem.dataset_info if isinstance(subject, Run | Model) else None


def _read_examples(pairs: Mapping[str, str], data: DatasetInfo, arguments: dict[str, Any]) -> None:
    """Inputs and their targets, where a picture has them, in the place of what was given."""
    for inputs, targets in pairs.items():
        if targets in arguments:
            arguments[inputs], arguments[targets] = given_examples(data, arguments[inputs], arguments[targets])
        else:
            arguments[inputs] = given_inputs(data, arguments[inputs])
