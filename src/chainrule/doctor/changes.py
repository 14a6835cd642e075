"""Changes of a training that cures are made of: each with the code that a user would write for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal, cast

from chainrule.descriptions.code import code_of
from chainrule.descriptions.kinds import is_description, is_several
from chainrule.doctor.finding import Cure
from chainrule.doctor.patient import Patient
from chainrule.errors import ChainruleError
from chainrule.nn import Layer, Sequential
from chainrule.train import Training

LONGEST = 160
"""Letters of a value that is written out in the code of a cure; a longer one is named and stands before it."""


def changed(patient: Patient, words: str, score: Literal["usual", "loss"] = "usual", **changes: Any) -> tuple[Cure, ...]:
    """The cure that changes these fields of the training; none where it cannot be made so."""
    try:
        training = patient.training.changed(**changes)
        _ = training.problem, training.settings  # what does not fit is no cure
        return (Cure(words, code_for(changes), training, score),)
    except ChainruleError:
        return ()


def code_for(changes: Mapping[str, Any]) -> str:
    """The line that makes the changed training of a `run`, and trains it.

    >>> code_for({"optimizer.learning_rate": 0.01}), code_for({"epochs": 20})
    ('cr.Training.of(run).changed(**{"optimizer.learning_rate": 0.01}).fit()', 'cr.Training.of(run).changed(epochs=20).fit()')
    """
    own = [f"{name}={code_of(value)}" for name, value in changes.items() if "." not in name]
    parts = ", ".join(f'"{name}": {code_of(value)}' for name, value in changes.items() if "." in name)
    return f"cr.Training.of(run).changed({', '.join([*own, *([f'**{{{parts}}}'] if parts else [])])}).fit()"


def by_hand(words: str, code: str, training: Callable[[], Training] | None = None) -> tuple[Cure, ...]:
    """A cure whose code is written out, since it changes more than fields."""
    try:
        return (Cure(words, code, None if training is None else training()),)
    except ChainruleError:
        return (Cure(words, code),)


def with_fields(network: Layer, wanted: Mapping[str, Mapping[Any, Any]]) -> Layer | None:
    """The network with other values in the fields of its layers: {"activation": {"relu": "leaky_relu"}}; None where nothing changes.

    >>> from chainrule.nn import Dense
    >>> with_fields(Sequential(Dense(4, "relu"), Dense(2)), {"activation": {"relu": "elu"}})
    Sequential(Dense(4, 'elu'), Dense(2))
    """
    found = _with_fields(network, wanted)
    return None if found is network else cast("Layer", found)


def _with_fields(item: Any, wanted: Mapping[str, Mapping[Any, Any]]) -> Any:
    if isinstance(item, Sequential):
        layers = [_with_fields(layer, wanted) for layer in item.layers]
        same = all(one is other for one, other in zip(layers, item.layers, strict=True))
        return item if same else Sequential(*layers, input_shape=item.input_shape)
    if not is_description(item):
        return item
    changes: dict[str, Any] = {}
    for name, value in vars(item).items():
        if name in wanted and _known(value, wanted[name]):
            changes[name] = wanted[name][value]
        elif is_description(value) or is_several(value):
            made = tuple(_with_fields(part, wanted) for part in value) if is_several(value) else _with_fields(value, wanted)
            if made != value:
                changes[name] = made
    return replace(item, **changes) if changes else item


def _known(value: Any, choices: Mapping[Any, Any]) -> bool:
    try:
        return value in choices
    except TypeError:
        return False


def initialised_anew(patient: Patient) -> Layer | None:
    """The network whose layers start their weights and biases as usual; None where they do already."""
    return _usual_start(patient.problem.network)


def _usual_start(network: Layer) -> Layer | None:
    found = _started(network)
    return None if found is network else cast("Layer", found)


def _started(item: Any) -> Any:
    if isinstance(item, Sequential):
        layers = [_started(layer) for layer in item.layers]
        same = all(one is other for one, other in zip(layers, item.layers, strict=True))
        return item if same else Sequential(*layers, input_shape=item.input_shape)
    if not is_description(item):
        return item
    given = {name: value for name, value in vars(item).items() if name in {"weights", "biases", "recurrent_weights"}}
    kind = type(item)
    usual = {name: _usual_value(kind, name) for name in given}
    changes = {name: usual[name] for name, value in given.items() if value != usual[name]}
    return replace(item, **changes) if changes else item


def _usual_value(kind: type[Any], name: str) -> Any:
    field = kind.__dataclass_fields__[name]
    return field.default_factory() if callable(field.default_factory) else field.default
