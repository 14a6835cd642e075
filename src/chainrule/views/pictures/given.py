"""Examples that pictures are given, held to the data of the network that they go through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeAlias, cast

from chainrule.data import DatasetInfo
from chainrule.graph import Array
from chainrule.train import Model, Run
from chainrule.train.given import given_examples, given_inputs

ONE = "[0]"
OneExample: TypeAlias = Annotated[Array, ONE]
"""One example, or its target: what stands behind the name of several where a list says how a picture is asked for."""


def read_examples(subject: object, pairs: Mapping[str, str], arguments: dict[str, Any]) -> None:
    """Inputs and their targets, where a picture has them, in the place of what was given; `subject`: what it is a picture of."""
    data = _data_of(subject)
    if data is None:
        return
    for inputs, targets in pairs.items():
        if targets in arguments:
            arguments[inputs], arguments[targets] = given_examples(data, arguments[inputs], arguments[targets])
        else:
            arguments[inputs] = given_inputs(data, arguments[inputs])


def _data_of(subject: object) -> DatasetInfo | None:
    """The data of what a picture is of: a run or a model, or the first of several."""
    if isinstance(subject, Mapping):
        subject = next(iter(cast("Mapping[str, object]", subject).values()), None)
    elif isinstance(subject, Sequence):
        subject = next(iter(cast("Sequence[object]", subject)), None)
    return subject.problem.dataset_info if isinstance(subject, Run | Model) else None
