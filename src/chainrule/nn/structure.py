"""A network as JSON and as Python code, through closed lists of the kinds of layers and initialisers, and their fields."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, TypeAlias, cast

from chainrule.checks import checked
from chainrule.errors import ChainruleError, FileFormatError, OptionError
from chainrule.nn.boltzmann import RestrictedBoltzmann
from chainrule.nn.build import Layer
from chainrule.nn.convolution import Conv1D, Conv2D
from chainrule.nn.embedding import Embedding, OneHot
from chainrule.nn.formula import Formula
from chainrule.nn.hopfield import Hopfield
from chainrule.nn.initialisers import (
    Constant,
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LeCunNormal,
    LeCunUniform,
    Normal,
    Uniform,
    Zeros,
)
from chainrule.nn.layers import Activation, Dense, Dropout, Flatten, Reshape, Sequential
from chainrule.nn.normalisation import BatchNorm, GroupNorm, LayerNorm
from chainrule.nn.pooling import AveragePool, GlobalAveragePool, GlobalMaxPool, MaxPool, UpSample
from chainrule.nn.recurrent import GRU, LSTM, RNN, Bidirectional, EachStep
from chainrule.nn.residual import Residual
from chainrule.nn.sampling import GaussianNoise, Latent
from chainrule.nn.transposed import ConvTranspose1D, ConvTranspose2D
from chainrule.spelling import suggest

FORMAT, VERSION = "chainrule network", 1
DEEPEST = 50
"""How many Sequentials may stand inside each other in a file."""
MOST_LAYERS = 2000
"""How many layers a file may hold: a graph of more would take minutes to be built."""

Json: TypeAlias = "dict[str, Any]"


# ---- reading: the closed lists of kinds, and their own checks, refuse everything else


@dataclass
class _Reader:
    """What is known while a file is read: the layers made so far, for those that are shared, and how deep we are."""

    layers: list[object] = field(default_factory=list[object])
    depth: int = 0


def _refuse(value: object, expected: str) -> FileFormatError:
    shown = repr(value)
    return FileFormatError(
        f"the network's file holds {shown if len(shown) < 60 else shown[:57] + '...'}",
        expected=expected,
        remedy="use a file that to_json made, and this version of chainrule or a later one",
    )


def _initialiser(value: object, reader: _Reader) -> object:
    return _read_kind(value, INITIALISERS, "an initialiser", reader)


def _field(kind: type, name: str, value: object, reader: _Reader) -> object:
    """A field as the file holds it, its layers and initialisers made; whether the rest is right the kind itself says, when it is made."""
    if name == "layers":
        return _layers(value, reader)
    if not isinstance(value, dict):
        return tuple(cast("list[object]", value)) if isinstance(value, list) else value
    if kind is not Formula:
        return _initialiser(cast("object", value), reader)
    return {str(key): _entry(item, reader) for key, item in cast("dict[object, object]", value).items()}


def _entry(value: object, reader: _Reader) -> object:
    """What a formula has under one name: a shape, the name of a function, an initialiser."""
    if isinstance(value, dict):
        return _initialiser(cast("object", value), reader)
    return tuple(cast("list[object]", value)) if isinstance(value, list) else value


def _layer(value: object, reader: _Reader) -> object:
    if isinstance(value, dict) and cast("Json", value).get("kind") == SHARED:
        return _shared(cast("Json", value), reader)
    reader.depth += 1
    if reader.depth > DEEPEST:
        raise _refuse("layers inside layers", f"at most {DEEPEST} levels")
    if len(reader.layers) >= MOST_LAYERS:
        raise _refuse("layer after layer", f"at most {MOST_LAYERS} layers")
    # The place is taken before the parts are read: layers are numbered in the order in which they are opened.
    place = len(reader.layers)
    reader.layers.append(None)
    reader.layers[place] = _read_kind(cast("object", value), LAYERS, "a layer", reader)
    reader.depth -= 1
    return reader.layers[place]


def _shared(value: Json, reader: _Reader) -> object:
    number: object = value.get("layer")
    if value.keys() == {"kind", "layer"} and isinstance(number, int) and 0 <= number < len(reader.layers):
        layer = reader.layers[number]
        if layer is not None:
            return layer
    raise _refuse(value, "the number of an earlier layer")


def _layers(value: object, reader: _Reader) -> object:
    if isinstance(value, list):
        return [_layer(item, reader) for item in cast("list[object]", value)]
    raise _refuse(value, "a list of layers")


CONTAINERS = (Sequential, Residual, Bidirectional, EachStep)
"""Layers made of layers, which are their arguments in order."""
SHARED = "Shared"
LAYERS: tuple[type, ...] = (
    Dense, Activation, Dropout, Flatten, Reshape, Conv1D, Conv2D, ConvTranspose1D, ConvTranspose2D, MaxPool, AveragePool,
    GlobalMaxPool, GlobalAveragePool, UpSample, LayerNorm, GroupNorm, BatchNorm, Residual, RNN, LSTM, GRU, Bidirectional, EachStep,
    GaussianNoise, Latent, RestrictedBoltzmann, Hopfield, OneHot, Embedding, Formula, Sequential,
)  # fmt: skip
"""Every kind of layer that a file may hold: the list is closed, nothing is looked up by name elsewhere."""

INITIALISERS: tuple[type, ...] = (
    Zeros, GlorotNormal, GlorotUniform, HeNormal, HeUniform, LeCunNormal, LeCunUniform, Constant, Normal, Uniform,
)  # fmt: skip
"""Every kind of initialiser that a file may hold."""


def _names(kind: type) -> tuple[str, ...]:
    """The fields that a file holds of a kind: all of them."""
    return tuple(part.name for part in fields(kind))


def _read_kind(value: object, kinds: tuple[type, ...], what: str, reader: _Reader) -> object:
    known = {kind.__name__: kind for kind in kinds}
    if not isinstance(value, dict):
        raise _refuse(value, what)
    found = cast("Json", value)
    name: object = found.get("kind")
    if not isinstance(name, str) or name not in known:
        remedy = suggest(str(name), known, "use a version of chainrule that has it; layers of your own must be built in code")
        raise FileFormatError(
            f"{what} of kind {name!r} in the network's file", expected=f"one of {', '.join(known)}", remedy=remedy
        )
    kind, names = known[name], _names(known[name])
    if found.keys() != {"kind", *names}:
        odd = sorted(map(str, found.keys() ^ {"kind", *names}))
        raise FileFormatError(
            f"{name} in the network's file: unknown or missing {', '.join(odd)}",
            expected=f"kind, {', '.join(names)}" if names else "kind alone",
            remedy="use a file that to_json made, and this version of chainrule or a later one",
        )
    values = {key: _field(kind, key, found[key], reader) for key in names}
    try:
        return (
            kind(*cast("list[Layer]", values.pop("layers")), **cast("Any", values))
            if issubclass(kind, CONTAINERS)
            else kind(**values)
        )
    except ChainruleError as error:
        raise FileFormatError(
            f"{name} in the network's file: {error.happened}", expected=error.expected, remedy=error.remedy
        ) from error


@checked
def from_json(document: object) -> Layer:
    """The network that `to_json` wrote down; only the layers and initialisers of `chainrule.nn` are made, no code is run.

    Raises: FileFormatError for an unknown version, layer or field, and for values that no layer takes.
    """
    if not isinstance(document, dict):
        raise _refuse(document, "an object with format, version and network")
    found = cast("Json", document)
    if found.get("format") != FORMAT or found.keys() != {"format", "version", "network"}:
        raise _refuse(sorted(map(str, found)), f'the keys format (which says "{FORMAT}"), version and network')
    version: object = found["version"]
    if version != VERSION or isinstance(version, bool):
        raise FileFormatError(
            f"a network's file of version {version!r}",
            expected=f"version {VERSION}",
            remedy="read it with the version of chainrule that wrote it, or a later one",
        )
    return cast("Layer", _layer(found["network"], _Reader()))


# ---- writing


@checked
def to_json(network: Layer) -> Json:
    """The network's structure as plain data for JSON: no weights, every field written out, so that defaults may change later.

    A layer that is used several times is written once, then referred to by its number, so that its weights stay shared.

    >>> from chainrule.nn import Dense, Sequential
    >>> to_json(Sequential(Dense(3)))["version"]
    1

    Raises: OptionError for layers made of Python functions (Function, Network, layers of your own): code cannot be saved.
    """
    if type(network) not in LAYERS:
        raise _unsaved(network)
    if _depth(network) > DEEPEST:
        raise OptionError(
            f"layers {_depth(network)} levels deep", expected=f"at most {DEEPEST}", remedy="put them in one Sequential"
        )
    if (count := sum(type(item) in LAYERS for item in _all_layers(network))) > MOST_LAYERS:
        raise OptionError(f"a network of {count} layers", expected=f"at most {MOST_LAYERS}", remedy="keep it as Python code")
    return {"format": FORMAT, "version": VERSION, "network": _written(network, {})}


def _depth(item: object) -> int:
    return 1 + (max(map(_depth, item.layers), default=0) if isinstance(item, CONTAINERS) else 0)


def _written(item: object, numbers: dict[int, int]) -> Json:
    if type(item) not in LAYERS and type(item) not in INITIALISERS:
        raise _unsaved(item)
    if id(item) in numbers:
        return {"kind": SHARED, "layer": numbers[id(item)]}
    if type(item) in LAYERS:
        numbers[id(item)] = len(numbers)
    return {"kind": type(item).__name__, **{key: _plain(getattr(item, key), numbers) for key in _names(type(item))}}


def _plain(value: object, numbers: dict[int, int]) -> object:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(part, numbers) for key, part in cast("Mapping[object, object]", value).items()}
    if isinstance(value, Sequence):
        return [_plain(part, numbers) for part in cast("Sequence[object]", value)]
    return _written(value, numbers)


def _unsaved(item: object) -> OptionError:
    return OptionError(
        f"{item!r} cannot be written down: it is made of Python code",
        expected=f"{', '.join(kind.__name__ for kind in LAYERS)}, with the initialisers of chainrule.nn",
        remedy="save the weights alone; to load them, build the network again in code and pass it. A Formula can be saved",
    )


# ---- Python code

_POSITIONAL = {
    "Dense": 2, "Activation": 1, "Dropout": 1, "Formula": 1, "Constant": 1, "Reshape": 1, "Conv1D": 3, "Conv2D": 3,
    "ConvTranspose2D": 3, "MaxPool": 2, "AveragePool": 2, "UpSample": 1, "GroupNorm": 1, "RNN": 1, "LSTM": 1, "GRU": 1,
    "GaussianNoise": 1, "RestrictedBoltzmann": 2, "Hopfield": 1, "ConvTranspose1D": 3, "OneHot": 1, "Embedding": 2,
}  # fmt: skip


def chainrule_code(network: Layer) -> str:
    """Python code that makes an equal network, given `import chainrule as cr`: one expression. See `to_code`.

    Raises: OptionError, as `to_json` does.
    """
    if type(network) not in LAYERS:
        raise _unsaved(network)
    counts = Counter(id(layer) for layer in _all_layers(network))
    return _Writer({key for key, count in counts.items() if count > 1}).code(network, "")


def _all_layers(item: object) -> Iterator[object]:
    yield item
    if isinstance(item, CONTAINERS):
        for layer in item.layers:
            yield from _all_layers(layer)


@dataclass
class _Writer:
    """Writes layers as code; those in `shared` are given a name at their first place and only named at the others."""

    shared: set[int]
    names: dict[int, str] = field(default_factory=dict[int, str])

    def code(self, item: object, indent: str) -> str:
        """The expression for a layer, an initialiser or a plain value."""
        if type(item) not in LAYERS and type(item) not in INITIALISERS:
            return self.plain(item, indent)
        if id(item) in self.names:
            return self.names[id(item)]
        if id(item) not in self.shared:
            return self.call(item, indent)
        name = self.names[id(item)] = f"shared{len(self.names) + 1}"
        return f"({name} := {self.call(item, indent)})"

    def call(self, item: object, indent: str) -> str:
        """The call that makes it; what is as usual is left out."""
        if isinstance(item, CONTAINERS):
            extra = ("input_shape", item.input_shape) if isinstance(item, Sequential) else ("name", item.name or None)
            parts = [self.code(layer, f"{indent}    ") for layer in item.layers]
            parts += [] if extra[1] is None else [f"{extra[0]}={self.plain(extra[1], indent)}"]
            lines = "".join(f"{indent}    {part},\n" for part in parts)
            opened = f"cr.{type(item).__name__}("
            return f"{opened}\n{lines}{indent})" if parts else f"{opened})"
        kind = type(item).__name__
        arguments: list[str] = []
        for number, (key, usual) in enumerate(_usual(item)):
            value: object = getattr(item, key)
            if usual is MISSING or value != usual:
                # A positional one can only stand where none before it was left out.
                head = "" if number < _POSITIONAL.get(kind, 0) and number == len(arguments) else f"{key}="
                arguments.append(f"{head}{self.code(value, indent)}")
        room = "cr" if type(item) in LAYERS else "cr.nn"
        return f"{room}.{kind}({', '.join(arguments)})"

    def plain(self, value: object, indent: str) -> str:
        """A number, text, shape or mapping."""
        if isinstance(value, str):
            return json.dumps(value, ensure_ascii=False)
        if isinstance(value, Mapping):
            pairs = cast("Mapping[str, object]", value).items()
            return "{" + ", ".join(f"{self.plain(key, indent)}: {self.code(part, indent)}" for key, part in pairs) + "}"
        if isinstance(value, float):
            return repr(float(value))
        if value is None or isinstance(value, bool | int | tuple):
            return repr(cast("object", value))
        raise _unsaved(value)


def _usual(item: object) -> Iterator[tuple[str, object]]:
    """The fields with their default values, or MISSING."""
    for part in fields(cast("Any", item)):
        factory = part.default_factory
        yield part.name, factory() if factory is not MISSING else part.default
