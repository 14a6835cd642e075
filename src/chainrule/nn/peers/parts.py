"""What a network is made of on its way to another library: steps of ours, parts of theirs, and arrays under two names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol, TypeAlias, TypeVar

import numpy as np

from chainrule.display import Shown
from chainrule.graph import Array, Shape
from chainrule.immutable import immutable
from chainrule.nn.recurrent import Recurrent


@immutable
class LayerStep(Shown):
    """One use of a layer; shapes are those of one example. inside: the names of the layers that it is made of.

    frozen: whether its weights are kept, and it computes in training as at inference.

    For a peer: channels_first, whether it has them before the axes of space; rows, where it has the numbers of the input in another
    order, the place of each of them in ours.
    """

    layer: object
    name: str
    input: Shape
    output: Shape
    parameters: tuple[str, ...] = ()
    first: bool = True
    inside: tuple[str, ...] = ()
    channels_first: bool = False
    rows: tuple[int, ...] | None = None
    frozen: bool = False


class LackingError(Exception):
    """The peer has no such layer, or not with this option; `reason` says which."""

    def __init__(self, step: LayerStep, reason: str) -> None:
        super().__init__(reason)
        self.step, self.reason = step, reason


Row = TypeVar("Row")


def row_of(table: Mapping[type, Row], step: LayerStep, *, twice: bool = False) -> Row:
    """What a peer's table says of the step's layer; `twice`: whether the peer can use a layer a second time."""
    if type(step.layer) not in table:
        raise LackingError(step, "no such layer")
    if not step.first and not twice:
        raise LackingError(step, "a layer that is used twice")
    return table[type(step.layer)]


def require_plain(step: LayerStep, layer: Recurrent) -> None:
    """Refuses what only our recurrent layers do."""
    if layer.padding is not None:
        raise LackingError(step, "padding, steps that are passed over")
    if layer.stateful:
        raise LackingError(step, "stateful, a state that batches hand on")


class Arrays(Protocol):
    """Parameters of ours that are arrays of the peer, there and back."""

    def there(self, own: Mapping[str, Array]) -> dict[str, Array]:
        """The peer's arrays, by the peer's labels."""
        ...

    def back(self, found: Mapping[str, Array]) -> dict[str, Array]:
        """Our arrays, by our names."""
        ...


@immutable
class Moved:
    """One array under two names. First entries are picked: the peer's k-th along axis `along` is our picked[k]-th; then axes change.

    >>> w = Moved("dense1.W", "weight", (1, 0), picked=(2, 0, 1), along=0)
    >>> w.there({"dense1.W": np.array([[1.0], [2.0], [3.0]])})["weight"]
    array([[3., 1., 2.]])
    """

    name: str
    label: str
    axes: tuple[int, ...] | None = None
    picked: tuple[int, ...] | None = None
    along: int = -1

    def there(self, own: Mapping[str, Array]) -> dict[str, Array]:
        """The array as the peer has it."""
        array = own[self.name]
        array = array if self.picked is None else np.take(array, self.picked, axis=self.along)
        return {self.label: np.ascontiguousarray(array if self.axes is None else array.transpose(self.axes))}

    def back(self, found: Mapping[str, Array]) -> dict[str, Array]:
        """The array as we have it."""
        array = found[self.label]
        array = array if self.axes is None else array.transpose([int(axis) for axis in np.argsort(self.axes)])
        array = array if self.picked is None else np.take(array, np.argsort(self.picked), axis=self.along)
        return {self.name: np.ascontiguousarray(array)}


@immutable
class SplitBias:
    """Our one bias b is the sum of the peer's two: b and zeros there, their sum back."""

    name: str
    labels: tuple[str, str]

    def there(self, own: Mapping[str, Array]) -> dict[str, Array]:
        """The bias, and zeros."""
        return {self.labels[0]: own[self.name].copy(), self.labels[1]: np.zeros_like(own[self.name])}

    def back(self, found: Mapping[str, Array]) -> dict[str, Array]:
        """The sum of both."""
        return {self.name: found[self.labels[0]] + found[self.labels[1]]}


@immutable
class GatedBias:
    """The biases of a GRU: our b (3·units,) and d (units,) are the peer's b and (0, 0, d).

    order: the places of our gates r, u, g in the peer's order. With two labels they are two arrays, with one the rows of one.
    """

    name: str
    inner: str
    labels: tuple[str, ...]
    order: tuple[int, ...] = (0, 1, 2)

    def there(self, own: Mapping[str, Array]) -> dict[str, Array]:
        """Both as the peer has them."""
        bias, inner = own[self.name].reshape(3, -1), np.zeros_like(own[self.name]).reshape(3, -1)
        inner[2] = own[self.inner]
        rows = [part[list(self.order)].reshape(-1) for part in (bias, inner)]
        return dict(zip(self.labels, rows, strict=True)) if len(self.labels) == 2 else {self.labels[0]: np.stack(rows)}

    def back(self, found: Mapping[str, Array]) -> dict[str, Array]:
        """The biases of r and u are added up; those of g stand apart, for the gate r is between them."""
        rows = [found[label] for label in self.labels] if len(self.labels) == 2 else list(found[self.labels[0]])
        bias, inner = (row.reshape(3, -1)[np.argsort(self.order)] for row in rows)
        bias = bias + np.concatenate([inner[:2], np.zeros_like(inner[2:])])
        return {self.name: bias.reshape(-1), self.inner: inner[2].copy()}


@immutable
class Extra:
    """A whole number that only the peer has: 0 there, nothing back."""

    label: str

    def there(self, own: Mapping[str, Array]) -> dict[str, Array]:
        """The number 0."""
        return {self.label: np.zeros((), np.int64)}

    def back(self, found: Mapping[str, Array]) -> dict[str, Array]:
        """Nothing."""
        return {}


@immutable
class PeerPart:
    """A layer of the peer: the code that makes it, and the arrays that it holds, which are called after `name`.

    frozen: whether it keeps its weights.
    """

    code: str
    arrays: tuple[Arrays, ...] = ()
    name: str = ""
    frozen: bool = False


Parts: TypeAlias = "Callable[[LayerStep], Iterator[PeerPart]]"
"""The parts of the peer that do what a step of ours does."""


@immutable
class Peer:
    """A library that networks are written in: what it is called, the layers that it has, and how its networks are written.

    parts: the parts of a network. text: the code of the whole. key: the name of an array by the number of the part, the part
    and the array's label.
    """

    title: str
    kinds: Sequence[type]
    parts: Callable[[Sequence[LayerStep]], list[PeerPart]]
    text: Callable[[Sequence[LayerStep], Sequence[PeerPart]], str]
    key: Callable[[int, PeerPart, str], str]


def call(kind: str, *given: object, **named: object) -> str:
    """The code of a call; what is None is left out.

    >>> call("torch.nn.Linear", 4, 3, bias=False), call("keras.layers.Dense", 3, activation="relu")
    ('torch.nn.Linear(4, 3, bias=False)', 'keras.layers.Dense(3, activation="relu")')
    """
    arguments = [_plain(value) for value in given if value is not None]
    arguments += [f"{name}={_plain(value)}" for name, value in named.items() if value is not None]
    return f"{kind}({', '.join(arguments)})"


def _plain(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)


def unless(value: object, usual: object) -> object:
    """The value, or None where it is as usual."""
    return None if value == usual else value


def sized(sizes: Shape) -> int | Shape:
    """One number where all are equal."""
    return sizes[0] if len(set(sizes)) == 1 else sizes
