"""A network as JSON and as Python code: descriptions, in which a layer that is used twice is one layer."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeAlias, cast

from chainrule.checks import checked, takes
from chainrule.descriptions import DEEPEST, MOST_SHARED, code_of, is_described, refused, restored, tree, unwritable, written
from chainrule.errors import FileFormatError, OptionError
from chainrule.nn.parts import Layer

FORMAT, VERSION = "chainrule network", 1
Json: TypeAlias = "dict[str, Any]"


@cache
def is_layer(kind: type[Any]) -> bool:
    """Whether the objects of a class are called with one node, as layers are: two uses of one share its weights."""
    return "__call__" in dir(kind) and takes(cast("Any", kind).__call__, count=2)


@checked
def from_json(document: object) -> Layer:
    """The network that `to_json` wrote down; only descriptions that are defined here are made, no code is run.

    Raises: UndefinedClassError for a class of a user's that is not defined here; FileFormatError for an unknown version, layer or
    field, and for values that no layer takes.
    """
    found: Json = cast("Json", document) if isinstance(document, dict) else {}
    if found.get("format") != FORMAT or found.keys() != {"format", "version", "network"}:
        raise FileFormatError(
            f"the network's file holds {', '.join(sorted(map(str, found))) or 'no such thing'}",
            expected=f'the keys format (which says "{FORMAT}"), version and network',
            remedy="use a file that to_json made",
        )
    version: object = found["version"]
    if version != VERSION or isinstance(version, bool):
        raise FileFormatError(
            f"a network's file of version {version!r}",
            expected=f"version {VERSION}",
            remedy="read it with the version of chainrule that wrote it, or a later one",
        )
    network: Layer = restored(found["network"], is_shared=is_layer)
    if not is_layer(type(network)):
        raise refused(network, "a layer")
    return network


@checked
def to_json(network: Layer) -> Json:
    """The network's structure as plain data for JSON: no weights, every field written out, so that defaults may change later.

    A layer that is used several times is written once, then referred to by its number, so that its weights stay shared. Layers of your
    own are written by their fields, if `described` stands above their classes.

    >>> from chainrule.nn import Dense, Sequential
    >>> to_json(Sequential(Dense(3)))["version"]
    1

    Raises: OptionError for layers made of Python functions (Function, Network): code cannot be saved.
    """
    _require_layer(network)
    found = list(tree(network))
    levels = max(level for _, level in found)
    if levels > DEEPEST:
        raise OptionError(f"layers {levels} levels deep", expected=f"at most {DEEPEST}", remedy="put them in one Sequential")
    count = sum(is_layer(type(item)) for item, _ in found)
    if count > MOST_SHARED:
        raise OptionError(f"a network of {count} layers", expected=f"at most {MOST_SHARED}", remedy="keep it as Python code")
    return {"format": FORMAT, "version": VERSION, "network": written(network, is_layer)}


def chainrule_code(network: Layer) -> str:
    """Python code that makes an equal network, given `import chainrule as cr`: one expression. See `to_code`.

    Raises: OptionError, as `to_json` does.
    """
    _require_layer(network)
    return code_of(network, is_layer)


def _require_layer(network: Layer) -> None:
    if not is_described(type(network)) or not is_layer(type(network)):
        raise unwritable(network)
