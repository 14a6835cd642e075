"""What the arguments of several descriptions have in common: names of layers, and what to write where shapes do not fit."""

from __future__ import annotations

from math import prod
from typing import Annotated, TypeAlias

from chainrule.checks import Constraint
from chainrule.errors import ShapeError
from chainrule.graph import Node, Shape
from chainrule.graph.node import NAME, NAME_RULE


def _is_layer_name(name: str) -> bool:
    return not name or NAME.fullmatch(name) is not None


LayerName: TypeAlias = Annotated[
    str, Constraint(_is_layer_name, f"no name, or {NAME_RULE}", 'write for example {name}="hidden"')
]
"""What a layer is called, and its parameters after it; empty for a name by its kind and number."""


def another_beginning(given: Shape, wanted: Shape) -> str:
    """What to write where examples have another shape than a network's description says."""
    begin = "x".join(map(str, given))
    if prod(given) == prod(wanted) and len(wanted) > 1:
        begin = f"{begin}-{'x'.join(map(str, wanted))}"
    return f"begin the network with {begin}, or give it other data"


def require_groups(layer: str, groups: int, x: Node) -> None:
    """Refuses channels that do not fall into so many groups."""
    if x.shape[-1] % groups:
        raise ShapeError(
            f"layer {layer} has {groups} groups and was given {x.type!r}",
            expected="a number of channels that the groups divide",
            remedy="choose other groups",
        )
