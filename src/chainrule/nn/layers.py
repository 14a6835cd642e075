"""Layers as frozen descriptions: applied to a node, each adds nodes; its parameters are named leaves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from functools import partial
from math import prod
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Annotated, ClassVar, cast

from chainrule import ops
from chainrule.checks import Count, Extents, Fraction, checked, shown, takes
from chainrule.descriptions import Told, described
from chainrule.display import Explained, Shown
from chainrule.errors import OptionError, OptionTypeError, ShapeError
from chainrule.graph import Node, Op, Shape
from chainrule.graph.node import NAME, NAME_RULE
from chainrule.nn.activations import ACTIVATIONS, ActivationFunction, ActivationName
from chainrule.nn.build import Initialiser, Layer, applied, layer_scope
from chainrule.nn.checks import LayerName, another_beginning
from chainrule.nn.initialisers import Zeros, suited_to
from chainrule.nn.word import Word
from chainrule.spelling import suggest


def activation_named(name: object) -> ActivationFunction:
    """The activation of this name, or an error that suggests one."""
    if isinstance(name, str) and name in ACTIVATIONS:
        return ACTIVATIONS[name]
    kind = OptionError if isinstance(name, str) else OptionTypeError
    raise kind(
        f"activation {name!r}",
        expected=f"one of {', '.join(ACTIVATIONS)}",
        remedy=suggest(str(name), ACTIVATIONS, 'for any other, put Formula("x * exp(-x**2)") behind the layer'),
    )


@described
class Dense(Shown):
    """a = f(x·W + b): each of `units` neurons weighs all inputs, adds its bias, and applies the activation f.

    Shapes: x (batch, inputs), W (inputs, units), b (units,), result (batch, units). Without `bias` there is no b. The weights
    start by `weights`, which for ReLU and its kin is HeNormal, otherwise GlorotUniform; the biases by `biases`, at zero.

    >>> Dense(16, "relu")
    Dense(16, 'relu')
    """

    units: Count
    activation: Annotated[ActivationName, Told()] = "linear"
    bias: bool = True
    weights: Initialiser | None = None
    biases: Initialiser = field(default_factory=Zeros)
    name: LayerName = ""

    in_text: ClassVar[Word] = Word("16", ("units",))

    def __call__(self, x: Node) -> Node:
        """The layer's activation for a batch."""
        with layer_scope(self, "dense", x) as here:
            here.require(
                x.type.ndim == 2, expected="(batch, inputs): one row of numbers to an example", remedy="put Flatten() before it"
            )
            z = x @ here.parameter("W", (x.shape[1], self.units), self.weights or suited_to(self.activation))
            if self.bias:
                z = z + here.parameter("b", (self.units,), self.biases)
            z = here.label(z, "z")
            return here.gives(z if self.activation == "linear" else here.label(activation_named(self.activation)(z), "a"))


@described
class Activation(Shown):
    """A function applied to each number (softmax: to each row), by its name.

    >>> Activation("tanh")
    Activation('tanh')
    """

    function: ActivationName
    name: LayerName = ""

    def __call__(self, x: Node) -> Node:
        """The activation for a batch of any shape."""
        with layer_scope(self, "activation", x) as here:
            here.require(
                self.function != "softmax" or x.type.ndim >= 2,
                expected="(batch, classes): softmax compares the numbers of one example",
                remedy="give examples of shape (classes,)",
            )
            return here.gives(here.label(activation_named(self.function)(x), "a"))


@described
class Dropout(Shown):
    """In training sets each number to 0 with probability `rate` and divides the others by 1 − rate; at inference does nothing.

    Shapes: x any, result as x. Which are dropped is a function of seed, step and the layer's name; a Dropout that is used twice
    draws anew for its second use. Source: N. Srivastava, G. Hinton, A. Krizhevsky, I. Sutskever, R. Salakhutdinov, JMLR 15, 1929 (2014).
    """

    rate: Fraction
    name: LayerName = ""

    in_text: ClassVar[Word] = Word("dropout(0.2)", ("rate",))

    def __call__(self, x: Node) -> Node:
        """The thinned batch when built for training, x itself otherwise."""
        with layer_scope(self, "dropout", x) as here:
            if not here.build.training or self.rate == 0:
                return here.gives(x)
            bits = ops.random_bits(here.key(), shape=x.shape)
            kept = here.label(ops.greater_equal(bits, min(round(self.rate * 2**32), 2**32 - 1)), "kept")
            return here.gives(here.label(ops.where(kept, x * (1.0 / (1.0 - self.rate)), 0.0), "a"))


@described
class Flatten(Shown):
    """Each example's numbers in one row: (batch, ...) becomes (batch, product of the rest)."""

    name: LayerName = ""

    in_text: ClassVar[Word] = Word("flatten")

    def __call__(self, x: Node) -> Node:
        """The batch with two axes."""
        with layer_scope(self, "flatten", x) as here:
            return here.gives(ops.reshape(x, shape=(x.shape[0], prod(x.shape[1:]))))


@described
class Reshape(Shown):
    """Each example's numbers, in their order, in another shape: (batch, ...) becomes (batch, *shape).

    >>> Reshape((28, 28, 1))
    Reshape((28, 28, 1))
    """

    shape: Extents
    name: LayerName = ""

    in_text: ClassVar[Word] = Word("28x28", ("shape",), most=99)

    def __call__(self, x: Node) -> Node:
        """The batch in its new shape."""
        with layer_scope(self, "reshape", x) as here:
            here.require(
                prod(x.shape[1:]) == prod(self.shape),
                expected=f"examples of {prod(self.shape)} numbers, for the shape {self.shape}",
                remedy="choose extents whose product is the number of entries",
            )
            return here.gives(ops.reshape(x, shape=(x.shape[0], *self.shape)))


@described
class Function(Shown):
    """Any function from node to node as a layer: "almost anything can be called a layer".

    >>> Function(abs_then_double := lambda x: x * 2.0, name="double").name
    'double'
    """

    function: Callable[[Node], Node]
    name: LayerName = ""

    def __call__(self, x: Node) -> Node:
        """What the function makes of x."""
        with layer_scope(self, _called(self.function), x) as here:
            return here.gives(applied(self.function, x))


def _called(function: object) -> str:
    """What a layer made of this function is called: by the function's own name where that can be part of a node's name."""
    name = function.name if isinstance(function, Op | ActivationFunction) else str(getattr(function, "__name__", ""))
    return name.lower() if name.isidentifier() else "function"


@checked
def as_layer(item: object) -> Layer:
    """Layers as they are, functions and ops wrapped; anything else is refused."""
    if isinstance(item, FunctionType | MethodType | BuiltinFunctionType | partial | Op | ActivationFunction):
        return Function(cast("Callable[[Node], Node]", item))
    if not callable(item) or isinstance(item, type):
        raise OptionTypeError(
            f"{item!r} was given as a layer", expected="a layer, or a function from node to node", remedy="write Dense(16)"
        )
    return cast("Layer", item)


def as_layers(items: tuple[Layer, ...], without: str, remedy: str) -> tuple[Layer, ...]:
    """What a layer is made of, one layer or more; `without` says what it is where there is none."""
    if not items:
        raise OptionTypeError(without, expected="one layer or more", remedy=remedy)
    return tuple(map(as_layer, items))


@described
class Sequential(Explained):
    """Layers one behind the other; any function from node to node is a layer too.

    `input_shape` is the shape of one example where it is known in advance.

    >>> Sequential(Dense(16, "relu"), Dense(10, "softmax"))
    Sequential(Dense(16, 'relu'), Dense(10, 'softmax'))
    """

    layers: tuple[Layer, ...]
    input_shape: Shape | None

    def __init__(self, *layers: Layer, input_shape: Extents | None = None) -> None:
        object.__setattr__(self, "layers", tuple(as_layer(layer) for layer in layers))
        object.__setattr__(self, "input_shape", input_shape)

    def __call__(self, x: Node) -> Node:
        """The last layer's output."""
        if self.input_shape is not None and x.shape[1:] != self.input_shape:
            raise ShapeError(
                f"the network was given examples of shape {x.shape[1:]}",
                expected=f"{self.input_shape}, the first size of its description",
                remedy=another_beginning(x.shape[1:], self.input_shape),
            )
        for layer in self.layers:
            x = applied(layer, x)
        return x


@described
class Network(Explained):
    """Free wiring: a function of named inputs. The columns of the data are split among the inputs in order.

    >>> shared = Dense(8, "tanh")
    >>> two_eyes = Network(lambda left, right: shared(left) + shared(right), inputs={"left": (2,), "right": (2,)})

    Here `shared` is one layer used twice, so its weights are shared; data for this network has 2 + 2 columns.
    """

    wiring: Callable[..., Node]
    inputs: Mapping[str, Extents]
    name: LayerName = ""

    def __post_init__(self) -> None:
        if not self.inputs:
            raise OptionError("a network without inputs", expected="one input or more", remedy='write inputs={"x": (2,)}')
        for name in self.inputs:
            if not NAME.fullmatch(name):
                raise OptionError(
                    f"an input called {name!r}", expected=NAME_RULE, remedy='write for example inputs={"left": (2,)}'
                )
        if not takes(self.wiring, self.inputs):
            raise OptionError(
                f"the wiring {shown(self.wiring)} does not take the inputs {', '.join(self.inputs)}",
                expected="a function with one argument of each input's name",
                remedy=f"write for example Network(lambda {', '.join(self.inputs)}: ..., inputs=...)",
            )

    def __call__(self, x: Node) -> Node:
        """The node that the wiring makes of x (batch, sum of the inputs' sizes)."""
        parts = dealt(x, self.inputs)
        return applied(lambda _: self.wiring(**parts), x)

    @property
    def input_shape(self) -> Shape:
        """The shape of one example."""
        return (sum(prod(shape) for shape in self.inputs.values()),)


def dealt(x: Node, inputs: Mapping[str, Shape]) -> dict[str, Node]:
    """The columns of x (batch, sum of the inputs' sizes), split to the inputs in order, each of which has its own shape."""
    sizes = [prod(shape) for shape in inputs.values()]
    if x.type.ndim != 2 or x.shape[1] != sum(sizes):
        drawn = " + ".join(f"{name} {size}" for name, size in zip(inputs, sizes, strict=True))
        raise ShapeError(
            f"the network was given {x.type!r}",
            expected=f"(batch, {sum(sizes)}): {drawn} columns",
            remedy="give data with as many columns as all inputs together",
        )
    parts: dict[str, Node] = {}
    start = 0
    for (name, shape), size in zip(inputs.items(), sizes, strict=True):
        part = ops.slice_axis(x, 1, start, start + size)
        parts[name] = ops.reshape(part, shape=(x.shape[0], *shape)).named(name)
        start += size
    return parts
