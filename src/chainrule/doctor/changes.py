"""Changes of a training that cures are made of: each with the code that a user would write for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import Field, replace
from typing import Any, Literal, cast

from chainrule.descriptions.code import code_of
from chainrule.descriptions.kinds import is_description, is_several, values_of
from chainrule.doctor.finding import Cure
from chainrule.doctor.patient import Patient
from chainrule.errors import ChainruleError
from chainrule.nn import Dense, Dropout, Frozen, Layer, Sequential
from chainrule.train import Training


def changed(
    patient: Patient, words: str, changes: Mapping[str, Any], score: Literal["usual", "loss"] = "usual"
) -> tuple[Cure, ...]:
    """The cure that changes these fields of the training; none where it cannot be made so."""
    try:
        training = patient.training.changed(**changes)
        _ = training.problem, training.settings  # what does not fit is no cure
        return (Cure(words, code_for(changes), training, score),)
    except ChainruleError:
        return ()


def with_network(patient: Patient, words: str, network: Layer | None) -> tuple[Cure, ...]:
    """The cure of another network; none where there is no such."""
    return () if network is None else changed(patient, words, {"network": network})


def at_rate(patient: Patient, rate: float, words: str = "") -> tuple[Cure, ...]:
    """The cure of another learning rate; none where the optimizer finds its steps by itself."""
    rounded = float(f"{rate:.2g}")
    return changed(patient, words or f"a learning rate of {rounded:g}", {"optimizer.learning_rate": rounded})


def code_for(changes: Mapping[str, Any]) -> str:
    """The line that makes the changed training of a `run`, and trains it.

    >>> code_for({"optimizer.learning_rate": 0.01}), code_for({"epochs": 20})
    ('cr.Training.of(run).changed(**{"optimizer.learning_rate": 0.01}).fit()', 'cr.Training.of(run).changed(epochs=20).fit()')
    """
    own = [f"{name}={_written(name, value)}" for name, value in changes.items() if "." not in name]
    parts = ", ".join(f'"{name}": {code_of(value)}' for name, value in changes.items() if "." in name)
    return f"cr.Training.of(run).changed({', '.join([*own, *([f'**{{{parts}}}'] if parts else [])])}).fit()"


def _written(name: str, value: Any) -> str:
    if name == "initial" and value:
        return f"{{name: run.parameters()[name] for name in {tuple(value)!r}}}"
    return code_of(value)


def by_hand(words: str, code: str, training: Callable[[], Training] | None = None) -> tuple[Cure, ...]:
    """A cure whose code is written out, since it changes more than fields."""
    try:
        made = None if training is None else training()
        _ = made and (made.problem, made.settings)  # what does not fit is not tried
        return (Cure(words, code, made),)
    except ChainruleError:
        return (Cure(words, code),)


def with_fields(network: Layer, wanted: Mapping[str, Mapping[Any, Any]]) -> Layer | None:
    """The network with other values in the fields of its layers: {"activation": {"relu": "leaky_relu"}}; None where nothing changes.

    >>> from chainrule.nn import Dense
    >>> with_fields(Sequential(Dense(4, "relu"), Dense(2)), {"activation": {"relu": "elu"}})
    Sequential(Dense(4, 'elu'), Dense(2))
    """

    def change(item: Any) -> Mapping[str, Any]:
        given = {name: getattr(item, name, None) for name in wanted}
        return {name: wanted[name][value] for name, value in given.items() if isinstance(value, str) and value in wanted[name]}

    return _rebuilt(network, change)


def initialised_anew(patient: Patient) -> Layer | None:
    """The network whose layers start their weights and biases as usual; None where they do already."""

    def change(item: Any) -> Mapping[str, Any]:
        names = [name for name in ("weights", "recurrent", "biases") if name in item.__dataclass_fields__]
        usual = {name: _usual(item.__dataclass_fields__[name]) for name in names}
        return {name: value for name, value in usual.items() if getattr(item, name) != value}

    return _rebuilt(patient.problem.network, change)


def without_dropout(network: Layer) -> Layer | None:
    """The network with its dropout at 0; None where there is none.

    >>> without_dropout(Sequential(Dense(4, "relu"), Dropout(0.5), Dense(2)))
    Sequential(Dense(4, 'relu'), Dropout(0.0), Dense(2))
    """
    return _rebuilt(network, lambda item: {"rate": 0.0} if isinstance(item, Dropout) and item.rate else {})


_TIMES = {2: "twice", 4: "four times"}


def wider(patient: Patient, times: int = 2, least: int = 1) -> tuple[Cure, ...]:
    """The cure of so many times as many units in each hidden layer, and at least so many; none where layers are no `Dense` in a row."""
    network = patient.problem.network
    if not isinstance(network, Sequential):
        return ()
    *hidden, last = network.layers
    # A frozen layer takes as many inputs as it has weights for.
    free = max((place for place, one in enumerate(network.layers, 1) if isinstance(one, Frozen)), default=0)
    more = [
        replace(one, units=max(least, times * one.units)) if isinstance(one, Dense) and place >= free else one
        for place, one in enumerate(hidden)
    ]
    if more == hidden:
        return ()
    made = Sequential(*more, last, input_shape=network.input_shape)
    words = f"{_TIMES[times]} as many units{f', {least} at least' * (least > 1)}"
    return changed(patient, words, {"network": made, **without_start(patient)})


def unfrozen(patient: Patient) -> Layer | None:
    """The network with its frozen layers trained; None for one that is no Sequential."""
    network = patient.problem.network
    if not isinstance(network, Sequential):
        return None
    layers = [each for one in network.layers for each in (one.layers if isinstance(one, Frozen) else (one,))]
    return Sequential(*layers, input_shape=network.input_shape)


def without_start(patient: Patient) -> dict[str, Any]:
    """The change that takes back first weights that were given, of which frozen layers keep theirs; none where none were given."""
    given: Mapping[str, Any] | None = patient.training.initial
    if given is None:
        return {}
    frozen = {name for name, state in patient.problem.states.items() if state.frozen}
    return {"initial": {name: value for name, value in given.items() if name in frozen} or None}


def _usual(field: Field[Any]) -> Any:
    return field.default_factory() if callable(field.default_factory) else field.default


def _rebuilt(network: Layer, change: Callable[[Any], Mapping[str, Any]]) -> Layer | None:
    """The network with what `change` says of the fields of each description in it; None where it says nothing."""
    found = _changed(network, change)
    return None if found is network else cast("Layer", found)


def _changed(item: Any, change: Callable[[Any], Mapping[str, Any]]) -> Any:
    """The same object where nothing in it changes; what is frozen stays."""
    if is_several(item):
        parts: list[Any] = [_changed(part, change) for part in item]
        same = all(one is other for one, other in zip(parts, item, strict=True))
        return item if same else tuple(parts)
    if not is_description(item) or isinstance(item, Frozen):
        return item
    if isinstance(item, Sequential):
        layers = _changed(item.layers, change)
        return item if layers is item.layers else Sequential(*layers, input_shape=item.input_shape)
    held = dict(values_of(item))
    inner = {name: _changed(value, change) for name, value in held.items() if is_several(value) or is_description(value)}
    found = {name: value for name, value in inner.items() if value is not held[name]} | dict(change(item))
    return replace(item, **found) if found else item
