"""What the arguments of several descriptions have in common: names of layers, of activations and paddings; how they print."""

from __future__ import annotations

from dataclasses import MISSING, fields
from math import prod
from typing import Annotated, Any, TypeAlias, cast

from chainrule.checks import Rule
from chainrule.graph import Shape
from chainrule.graph.node import NAME, NAME_RULE


def _is_layer_name(name: str) -> bool:
    return not name or NAME.fullmatch(name) is not None


LayerName: TypeAlias = Annotated[str, Rule(_is_layer_name, f"no name, or {NAME_RULE}", 'write for example {name}="hidden"')]
"""What a layer is called, and its parameters after it; empty for a name by its kind and number."""


def short_repr(layer: object, positional: int) -> str:
    """The call that makes a frozen description, what is as usual left out; the first fields without their names."""
    shown: list[str] = []
    for number, item in enumerate(fields(cast("Any", layer))):
        value: object = getattr(layer, item.name)
        usual: object = item.default if item.default_factory is MISSING else item.default_factory()
        if number < positional and number == len(shown) and (usual is MISSING or value != usual):
            shown.append(repr(value))
        elif usual is MISSING or value != usual:
            shown.append(f"{item.name}={value!r}")
    return f"{type(layer).__name__}({', '.join(shown)})"


def another_beginning(given: Shape, wanted: Shape) -> str:
    """What to write where examples have another shape than a network's description says."""
    begin = "x".join(map(str, given))
    if prod(given) == prod(wanted) and len(wanted) > 1:
        begin = f"{begin}-{'x'.join(map(str, wanted))}"
    return f"begin the network with {begin}, or give it other data"
