"""What a network is made of on its way to another library: steps of ours, parts of theirs, and arrays under two names."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Protocol, TypeAlias, TypeVar, cast

import numpy as np

from chainrule.display import Shown
from chainrule.graph import Array, Op, Shape
from chainrule.immutable import immutable
from chainrule.nn.formula import Formula
from chainrule.nn.normalisation import BatchNorm, GroupNorm, LayerNorm
from chainrule.nn.recurrent import Recurrent


@immutable
class LayerStep(Shown):
    """One use of a layer; shapes are those of one example. inside: the names of the layers that it is made of.

    sources: the values that it takes, 0 the network's input, k what the k-th step makes.
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
    sources: tuple[int, ...] = (0,)


@immutable
class Joint(Shown):
    """What joins values between layers: an op that takes them in their order, and the numbers among its operands.

    operands: None where a value stands, else the number. taken: of a slice, from where to where on each axis of an example. axes: those
    of a batch in another order, or that are turned round; of what is repeated, how often along each.
    """

    op: Op
    operands: tuple[float | None, ...]
    taken: tuple[tuple[int, int], ...] = ()
    axes: Shape = ()

    def written(self, values: Sequence[str], templates: Mapping[str, str]) -> str | None:
        """The joint in a peer's words, of values with these names; None where it has none. A template `{0}` takes the first operand."""
        given = iter(values)
        operands = [next(given) if number is None else repr(number) for number in self.operands]
        if self.taken:
            return f"{operands[0]}[:, {', '.join(f'{start}:{stop}' for start, stop in self.taken)}]"
        template = templates.get(self.op.name)
        return None if template is None else template.format(*operands, all=", ".join(operands), axes=self.axes)


@immutable
class Padded(Shown):
    """Zeros around the axes of space: how many stand before and behind each."""

    amounts: tuple[tuple[int, int], ...]


ADDED = "x + p"
"""The formula of a parameter that is added, such as one vector to each place of a sequence."""
PRELU = "x if x > 0 else a*x"
"""The formula of a rectifier whose slope below 0 is learned; at 0 that is its slope too, as elsewhere."""
BENT = {
    "relu6": "0 if x <= 0 else (6 if x >= 6 else x)", "hard tanh": "-1 if x <= -1 else (1 if x >= 1 else x)",
    "hard sigmoid": "0 if x <= -3 else (1 if x >= 3 else x/6 + 0.5)",
    "hard swish": "0 if x <= -3 else (x if x >= 3 else x*(x/6 + 0.5))",
    "selu": "1.0507009873554805*(x if x > 0 else 1.6732632423543772*elu(x))",
}  # fmt: skip
"""Formulas of activations with bends, whose slopes there are those of PyTorch and Keras."""
LOG_SOFTMAX = "(x - max(x)) - log(sum(exp(x - max(x))))"
"""The formula of the logarithm of softmax."""
ARITHMETIC = {
    "add": "{0} + {1}", "subtract": "{0} - {1}", "multiply": "{0} * {1}", "divide": "{0} / {1}", "power": "{0} ** {1}",
    "negative": "-{0}", "reshape": "{0}", "matmul": "{0} @ {1}",
}  # fmt: skip
"""Joints that are written alike everywhere; a reshape that is left over changes nothing."""
FUNCTIONS = {
    name: name for name in ("exp", "log", "sin", "cos", "sqrt", "expm1", "log1p", "arctan", "sign", "floor", "erf")
} | {"absolute": "abs"}
"""Functions entry by entry that have a name everywhere."""


class LackingError(Exception):
    """The peer has no such layer, or not with this option; `reason` says which."""

    def __init__(self, step: LayerStep, reason: str) -> None:
        super().__init__(reason)
        self.step, self.reason = step, reason


Row = TypeVar("Row")


def row_of(table: Mapping[type, Row], step: LayerStep) -> Row:
    """What a peer's table says of the step's layer."""
    if type(step.layer) not in table:
        raise LackingError(step, "no such layer")
    return table[type(step.layer)]


def leaky(slope: float) -> str:
    """The formula of a rectifier with a slope below 0, and at it: max(x, 0) and min(x, 0), made of functions that every peer has."""
    return f"relu(x) + {slope!r}*(x - relu(x))"


def stretched_elu(alpha: float) -> str:
    """The formula of an ELU that tends to -alpha, whose slope at 0 is alpha."""
    return f"relu(x) + {alpha!r}*expm1(x - relu(x))"


def stretched_celu(alpha: float) -> str:
    """The formula of an ELU that tends to -alpha, whose slope at 0 is 1."""
    return f"relu(x) + {alpha!r}*expm1((x - relu(x))/{alpha!r})"


def between(low: float | None, high: float | None) -> str:
    """The formula of a number held between two limits.

    The slope is 0 at those of ReLU6 and Hardtanh and at a lower one of 0, at any other half.
    """
    named: dict[tuple[float | None, float | None], str] = {(0, 6): "relu6", (-1, 1): "hard tanh"}
    if (name := named.get((low, high))) is not None:
        return BENT[name]
    text = "x" if low is None else "relu(x)" if low == 0 else f"max(x, {low!r})"
    return text if high is None else f"min({text}, {high!r})"


def word_of(formulas: Mapping[str, str], step: LayerStep) -> str:
    """What a peer calls a formula of ours, by its texts by name."""
    text = cast("Formula", step.layer).text
    found = next((name for name, known in formulas.items() if known == text), None)
    if found is None:
        raise LackingError(step, f"the formula {text}")
    return found


def require_plain(step: LayerStep, layer: Recurrent, *, padded: bool = False) -> None:
    """Refuses what only our recurrent layers do; padded: whether the peer passes over steps too."""
    if layer.padding is not None and not padded:
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
class Folded:
    """One array under two names and in two shapes."""

    name: str
    label: str
    shape: Shape
    there_shape: Shape

    def there(self, own: Mapping[str, Array]) -> dict[str, Array]:
        """The array as the peer has it."""
        return {self.label: own[self.name].reshape(self.there_shape).copy()}

    def back(self, found: Mapping[str, Array]) -> dict[str, Array]:
        """The array as we have it."""
        return {self.name: found[self.label].reshape(self.shape).copy()}


def scales(step: LayerStep, labels: tuple[str, str]) -> tuple[Moved, ...]:
    """The gain and the bias of a norm, those that it has, under the peer's labels."""
    layer = cast("LayerNorm | GroupNorm | BatchNorm", step.layer)
    has = zip((layer.gain, layer.bias), ("gain", "b"), labels, strict=True)
    return tuple(Moved(f"{step.name}.{ours}", theirs) for held, ours, theirs in has if held)


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

    frozen: whether it keeps its weights. step: the place of the step that it is of; -1 for what stands before all.
    """

    code: str
    arrays: tuple[Arrays, ...] = ()
    name: str = ""
    frozen: bool = False
    step: int = -1


Parts: TypeAlias = "Callable[[LayerStep], Iterator[PeerPart]]"
"""The parts of the peer that do what a step of ours does."""


@immutable
class Peer:
    """A library that networks are written in: what it is called, the layers that it has, and how its networks are written.

    formulas: the texts of the formulas that are a layer there; any other is what its graph is made of. parts: the parts of a network.
    text: the code of the whole. key: the name of an array by the number of the part, the part and the array's label.
    """

    title: str
    kinds: Sequence[type]
    formulas: Collection[str]
    parts: Callable[[Sequence[LayerStep]], list[PeerPart]]
    text: Callable[[Sequence[LayerStep], Sequence[PeerPart]], str]
    key: Callable[[int, PeerPart, str], str]

    def has(self, layer: object) -> bool:
        """Whether there is such a layer."""
        return layer.text in self.formulas if isinstance(layer, Formula) else type(layer) in self.kinds


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
