"""First values that another network has: of the layers that both are made of, whatever these are called in each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from chainrule.checks import shown
from chainrule.data import Dataset, Scaling
from chainrule.errors import OptionError, OptionTypeError
from chainrule.nn import Built, Layer, LayerUse, build_network
from chainrule.train.model import Model
from chainrule.train.run import Run


def taken(initial: Any, network: Layer, built: Built) -> Mapping[str, Any] | None:
    """First values by the names of a network, `built` for any size: as they were given by name, or taken from another network.

    initial: values by name; a run, of which the first replica is taken, or its model; or a network with its values, as `from_torch` gives
    it. Of these the layers are taken that both networks are made of, which are the same objects, or all of them where the networks are
    equal; what is the new network's alone starts anew.
    Raises: OptionError where there is no such layer; OptionTypeError.
    """
    if initial is None or isinstance(initial, Mapping):
        return cast("Mapping[str, Any] | None", initial)
    before, was, values = _source(initial)
    if before == network:
        return values
    known = _uses(was)
    found: dict[str, Any] = {}
    for layer, uses in _uses(built).items():
        for old, new in zip(known.get(layer, []), uses, strict=False):
            arrays = {_label(old, name): values[name] for name in _held(old) if name in values}
            found |= {name: arrays[_label(new, name)] for name in _held(new) if _label(new, name) in arrays}
    if not found:
        raise OptionError(
            f"first values from {shown(initial)}, of which no layer with weights is in the network",
            expected="layers of that network: the objects themselves, which carry its weights over",
            remedy="build of its layers, run.problem.network.layers; or give values by name, run.parameters() | run.states()",
        )
    return found


def require_first_values(initial: Any) -> None:
    """Refuses what is no kind of first values. Raises: OptionTypeError."""
    if not (initial is None or isinstance(initial, Mapping | Run | Model) or _is_pair(initial)):
        raise OptionTypeError(
            f"initial={shown(initial)}",
            expected="first values by name, a run, or a network that knows its input_shape with its values",
            remedy="write initial=run, initial=run.parameters(), or initial=cr.from_torch(module, input_shape=...)",
        )


def in_its_units(initial: Any, network: Layer, built: Callable[[], Built], data: Dataset) -> Dataset:
    """Data in the units of the network that first values are taken from, as far as no others were asked for.

    A run's inputs have its scaling, and its targets too where the last layer with weights is its own; a network that was read from another
    library takes inputs and targets as they are. built: the network that the data are for.
    """
    if initial is None or isinstance(initial, Mapping):
        return data
    words = "in the units of the network that layers were taken from"
    before, was, _ = _source(initial)
    inputs, targets = data.scaling, data.target_scaling
    if isinstance(initial, tuple):
        info, known = None, True
    else:
        info = initial.problem.dataset_info
        known = (info.input_shape, info.input_dtype) == (data.input_shape, data.info.input_dtype)
    if inputs.usual and known:
        inputs = (Scaling.none() if info is None else info.scaling).described(words)
    ends = before == network or _last(was) is _last(built())
    if targets is not None and targets.usual and ends:
        kept = Scaling.none() if info is None else info.target_scaling
        targets = kept.described(words) if kept is not None else targets
    return data.scaled_by(inputs, targets)


def _last(built: Built) -> object:
    """The last layer with weights."""
    return next((use.layer for use in reversed(built.uses) if _held(use)), None)


def _is_pair(initial: Any) -> bool:
    if not isinstance(initial, tuple) or len(pair := cast("tuple[Any, ...]", initial)) != 2:
        return False
    return callable(pair[0]) and getattr(pair[0], "input_shape", None) is not None and isinstance(pair[1], Mapping)


def _source(initial: Any) -> tuple[object, Built, Mapping[str, Any]]:
    """The network, its build for one example, and its values."""
    if isinstance(initial, tuple):
        network, values = cast("tuple[Any, Mapping[str, Any]]", initial)
        return network, build_network(network, network.input_shape), values
    model: Model = initial.model() if isinstance(initial, Run) else initial
    return model.problem.network, model.problem.described.built, model.values


def _uses(built: Built) -> dict[int, list[LayerUse]]:
    """The uses that made parameters, by the layer's identity: a layer that stands for several others has several."""
    found: dict[int, list[LayerUse]] = {}
    for use in built.uses:
        if use.first:
            found.setdefault(id(use.layer), []).append(use)
    return found


def _held(use: LayerUse) -> tuple[str, ...]:
    return (*use.parameters, *use.states)


def _label(use: LayerUse, name: str) -> str:
    return name.removeprefix(f"{use.name}.")
