"""What a build is made of: layers and their uses, parameters and states with their first values, and losses of layers' own."""

from __future__ import annotations

from typing import Protocol

from chainrule.display import Shown
from chainrule.graph import Node, Shape, Type
from chainrule.immutable import immutable


class Initialiser(Protocol):
    """Gives a parameter its first values."""

    def __call__(self, key: Node, shape: Shape) -> Node:
        """Float64 numbers of this shape that depend on the key only."""
        ...


class Layer(Protocol):
    """Anything that, applied to a node, gives a node: the layers of `chainrule.nn`, or a function of your own."""

    def __call__(self, x: Node, /) -> Node:
        """The node that the layer computes from x; the first axis counts the examples."""
        ...


@immutable
class Parameter(Shown):
    """A parameter leaf and how its first values are made."""

    node: Node
    initialiser: Initialiser


@immutable
class State(Shown):
    """A leaf that is carried from one training step to the next, but not trained: a layer says itself what becomes of it.

    `next` is its value after the step, None where nothing changes it. `by_row`: it has a row for each row of a batch, (batch, ...).
    `frozen`: it is a weight of a frozen layer, which nothing changes.
    """

    node: Node
    initialiser: Initialiser
    by_row: bool = False
    next: Node | None = None
    frozen: bool = False


@immutable
class Term:
    """The auxiliary loss of a layer: its numbers (batch,), averaged over the batch in the cost, and their formula."""

    rows: Node
    formula: str


@immutable
class LayerUse(Shown):
    """One application of a layer: what went in, what came out, which parameters and states it used; `first` where it made them.

    ends: the nodes that went in and came out; None where it is only told of. frozen: whether it keeps its weights.
    """

    name: str
    kind: str
    layer: object
    input: Type
    output: Type
    parameters: tuple[str, ...]
    first: bool
    states: tuple[str, ...] = ()
    ends: tuple[Node, Node] | None = None
    frozen: bool = False
