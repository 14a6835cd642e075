"""Layers with a memory: at each time step they see the step's input and what they kept of the steps before."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import field, replace
from functools import cached_property, partial
from typing import ClassVar, TypeAlias

from chainrule import ops
from chainrule.checks import Count
from chainrule.descriptions import described
from chainrule.display import Shown
from chainrule.errors import OptionError, OptionTypeError, ShapeError
from chainrule.graph import Node, Shape, constant, scope
from chainrule.immutable import immutable
from chainrule.nn.activations import ActivationName
from chainrule.nn.build import LayerScope, applied, layer_scope
from chainrule.nn.checks import LayerName
from chainrule.nn.initialisers import GlorotUniform, LeCunNormal, Zeros
from chainrule.nn.layers import activation_named, as_layers
from chainrule.nn.parts import Initialiser, Layer
from chainrule.nn.word import Word


@described
class _Recurrent(Shown, ABC):
    """What recurrent layers have in common: one loop over time, whose turn each of them describes."""

    units: Count
    return_sequences: bool = False
    reverse: bool = False
    padding: float | None = None
    stateful: bool = False
    weights: Initialiser = field(default_factory=GlorotUniform)
    recurrent: Initialiser = field(default_factory=LeCunNormal)
    bias: bool = True
    name: LayerName = ""

    kind: ClassVar[str]
    states: ClassVar[tuple[str, ...]] = ("h",)
    gates: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if self.stateful and self.reverse:
            raise OptionError(
                "stateful=True and reverse=True",
                expected="one of the two",
                remedy="leave one of them out: a layer that runs backwards in time cannot know the batches to come",
            )

    @abstractmethod
    def _turn(self, here: LayerScope, x: Node, constants: Mapping[str, Node], **states: Node) -> dict[str, Node]:
        """The next states of one time step; x (batch, gates·units) is the step's input, weighed, with the bias."""

    def _constants(self, here: LayerScope) -> dict[str, Node]:
        """The parameters that every turn uses."""
        return {"U": here.parameter("U", (self.units, self.gates * self.units), self.recurrent)}

    def _bias(self, here: LayerScope) -> Node:
        return here.parameter("b", (self.gates * self.units,), Zeros())

    def __call__(self, x: Node) -> Node:
        """The layer's output at the last time step, or at every one."""
        with layer_scope(self, self.kind, x) as here:
            here.require(
                x.type.ndim == 3,
                expected="(batch, time, features)",
                remedy="put Reshape((time, features)) before it; one number at each step is Reshape((time, 1))",
            )
            batch, turns, features = x.shape
            weight = here.parameter("W", (features, self.gates * self.units), self.weights)
            constants = self._constants(here)
            # Time first, so that each turn's rows lie together; all steps are weighed in one product.
            rows = ops.reshape(ops.transpose(x, axes=(1, 0, 2)), shape=(turns * batch, features))
            moved = rows @ weight + self._bias(here) if self.bias else rows @ weight
            weighed = ops.reshape(moved, shape=(turns, batch, self.gates * self.units))
            loop = ops.recurrence(
                partial(self._step, here),
                {state: self._first(here, state, x) for state in self.states},
                {"x": weighed, **self._present(here, x.dtype)},
                constants,
                reverse=self.reverse,
            )
            for state in self.states if self.stateful else ():
                here.next_state(state, loop.last(state))
            # By the name that it has at each step, under which the way back takes it too: it is kept once.
            h = f"{here.name}.h"
            out = ops.transpose(loop.after(h), axes=(1, 0, 2)) if self.return_sequences else loop.last(h)
            return here.gives(here.label(out, "a"))

    def _first(self, here: LayerScope, state: str, x: Node) -> Node:
        if self.stateful:
            return here.row_state(state, (self.units,))
        return ops.broadcast_to(constant(0.0, x.dtype), shape=(x.shape[0], self.units))

    def _present(self, here: LayerScope, dtype: str) -> dict[str, Node]:
        """Which steps are no padding, (time, batch, 1); nothing where there is no padding."""
        if self.padding is None:
            return {}
        differs = ops.cast(ops.not_equal(here.held(self.padding), self.padding), dtype=dtype)
        return {"present": ops.transpose(ops.greater(ops.max(differs, axis=2, keepdims=True), 0.5), axes=(1, 0, 2))}

    def _step(self, here: LayerScope, x: Node, **leaves: Node) -> dict[str, Node]:
        present = leaves.pop("present", None)
        states = {state: leaves.pop(state) for state in self.states}
        following = self._turn(here, x, leaves, **states)
        if present is not None:
            # At a padded step nothing changes.
            following = {
                state: ops.where(ops.broadcast_to(present, shape=node.shape), node, states[state])
                for state, node in following.items()
            }
        return {**following, "h": here.label(following["h"], "h")}


@described
class RNN(_Recurrent):
    """h_t = f(x_t·W + b + h_{t−1}·U): the plain recurrent layer; its memory is its own activation one step ago, at first 0.

    Shapes: x (batch, time, features), W (features, units), U (units, units), b (units,); result (batch, units), the output at the last time
    step, or with return_sequences=True (batch, time, units). reverse: time runs backwards; the last step is then the first in time.
    padding: steps whose features all are this number, in the data's own units, change nothing, so that sequences may have unequal
    lengths. stateful: the last state of a batch is the initial state of the next, without a gradient between them (truncated
    back-propagation through time); row r of a batch must continue row r of the batch before. U begins with a spectral radius near 1.
    With bias=False there is no b.

    Source: J. L. Elman, Cognitive Science 14, 179 (1990); D. E. Rumelhart, G. E. Hinton, R. J. Williams (1986).

    >>> RNN(32, return_sequences=True)
    RNN(32, return_sequences=True)
    """

    activation: ActivationName = "tanh"

    in_text: ClassVar[Word] = Word("rnn64", ("units",))
    kind: ClassVar[str] = "rnn"

    def _turn(self, here: LayerScope, x: Node, constants: Mapping[str, Node], **states: Node) -> dict[str, Node]:
        z = here.label(x + states["h"] @ constants["U"], "z")
        return {"h": activation_named(self.activation)(z)}


@immutable
class _Parts:
    """Equal parts one behind the other, each with a number of its own: the biases of several gates."""

    numbers: tuple[float, ...]

    def __call__(self, key: Node, shape: Shape) -> Node:
        """Numbers of this shape, (n,)."""
        part = (shape[0] // len(self.numbers),)
        return ops.concatenate(*(ops.broadcast_to(constant(float(number)), shape=part) for number in self.numbers), axis=0)


@described
class LSTM(_Recurrent):
    """A memory cell c behind gates that forget, take in and give out: c_t = f·c_{t−1} + i·g, h_t = o·tanh(c_t).

    The gates i (input), f (forget), o (output) = σ(z) and the candidate g = tanh(z), z = x_t·W + b + h_{t−1}·U in the order i, f, g, o.
    Shapes: x (batch, time, features), W (features, 4·units), U (units, 4·units), b (4·units,); result as for `RNN`, whose other options it
    has too. forget_bias and input_bias: the initial biases of f and i; all others are 0. The memory keeps at first a fraction
    σ(forget_bias) of itself at each step, and takes in σ(input_bias) of g. For a memory of T steps among noise
    take forget_bias = log(T) = −input_bias.

    Source: S. Hochreiter, J. Schmidhuber, Neural Computation 9, 1735 (1997); F. A. Gers, J. Schmidhuber, F. Cummins, Neural
    Computation 12, 2451 (2000) for f; R. Jozefowicz, W. Zaremba, I. Sutskever, ICML (2015) and C. Tallec, Y. Ollivier, ICLR (2018),
    arXiv:1804.11188, eq. 15-16, for the biases.

    >>> LSTM(64)
    LSTM(64)
    """

    forget_bias: float = 1.0
    input_bias: float = 0.0

    in_text: ClassVar[Word] = Word("lstm64", ("units",))
    kind: ClassVar[str] = "lstm"
    states: ClassVar[tuple[str, ...]] = ("h", "c")
    gates: ClassVar[int] = 4

    def _bias(self, here: LayerScope) -> Node:
        return here.parameter("b", (4 * self.units,), _Parts((self.input_bias, self.forget_bias, 0.0, 0.0)))

    def _turn(self, here: LayerScope, x: Node, constants: Mapping[str, Node], **states: Node) -> dict[str, Node]:
        z = here.label(x + states["h"] @ constants["U"], "z")
        i, f, g, o = (ops.slice_axis(z, 1, n * self.units, (n + 1) * self.units) for n in range(4))
        i, f, o = (here.label(ops.sigmoid(gate), name) for gate, name in ((i, "i"), (f, "f"), (o, "o")))
        g = here.label(ops.tanh(g), "g")
        c = here.label(f * states["c"] + i * g, "c")
        return {"h": o * ops.tanh(c), "c": c}


@described
class GRU(_Recurrent):
    """A memory that gates blend with a candidate g: h_t = u·h_{t−1} + (1 − u)·g, g = tanh(x_t·W_g + b_g + r·(h_{t−1}·U_g + d)).

    The gates r (reset) and u (update) = σ(x_t·W + b + h_{t−1}·U). Shapes: W (features, 3·units), U (units, 3·units), b (3·units,) in the
    order r, u, g, and d (units,); result as for `RNN`, whose other options it has too. update_bias: the initial bias of u; all others
    are 0. The memory keeps at first a fraction σ(update_bias) of itself at each step: take about log(T) for a memory of T steps.

    Source: K. Cho et al., EMNLP (2014), arXiv:1406.1078v3, eq. 5-8, with the gate r behind the product, as in
    arXiv:1406.1078v1 and in most libraries; C. Tallec, Y. Ollivier, ICLR (2018), arXiv:1804.11188, for the bias of u.

    >>> GRU(64, return_sequences=True)
    GRU(64, return_sequences=True)
    """

    update_bias: float = 0.0

    in_text: ClassVar[Word] = Word("gru64", ("units",))
    kind: ClassVar[str] = "gru"
    gates: ClassVar[int] = 3

    def _bias(self, here: LayerScope) -> Node:
        return here.parameter("b", (3 * self.units,), _Parts((0.0, self.update_bias, 0.0)))

    def _constants(self, here: LayerScope) -> dict[str, Node]:
        inner = {"d": here.parameter("d", (self.units,), Zeros())} if self.bias else {}
        return {**super()._constants(here), **inner}

    def _turn(self, here: LayerScope, x: Node, constants: Mapping[str, Node], **states: Node) -> dict[str, Node]:
        h, units = states["h"], self.units
        recalled = h @ constants["U"]
        gates = ops.sigmoid(here.label(ops.slice_axis(x, 1, 0, 2 * units) + ops.slice_axis(recalled, 1, 0, 2 * units), "z"))
        r, u = (here.label(ops.slice_axis(gates, 1, n * units, (n + 1) * units), name) for n, name in enumerate("ru"))
        back = ops.slice_axis(recalled, 1, 2 * units, 3 * units)
        proposed = ops.slice_axis(x, 1, 2 * units, 3 * units) + r * (back + constants["d"] if self.bias else back)
        g = here.label(ops.tanh(proposed), "g")
        return {"h": g + u * (h - g)}


Recurrent: TypeAlias = RNN | LSTM | GRU


@described
class Bidirectional(Shown):
    """A recurrent layer and another one like it that runs backwards in time, their outputs side by side: (..., 2·units).

    Source: M. Schuster, K. K. Paliwal, IEEE Transactions on Signal Processing 45, 2673 (1997).

    >>> Bidirectional(LSTM(32))
    Bidirectional(LSTM(32))
    """

    layers: tuple[Recurrent, ...]
    name: str

    def __init__(self, *layers: Layer, name: LayerName = "") -> None:
        if len(layers) != 1 or not isinstance(layers[0], RNN | LSTM | GRU) or layers[0].reverse:
            raise OptionTypeError(
                f"both directions of {', '.join(map(repr, layers)) or 'nothing'}",
                expected="one recurrent layer that runs forwards",
                remedy="write for example Bidirectional(LSTM(32))",
            )
        layer = layers[0]
        fix = object.__setattr__
        fix(self, "layers", (layer,))
        fix(self, "name", name)

    @cached_property
    def backward(self) -> Recurrent:
        """The layer that runs backwards: one object, so that its weights are shared where the whole is used twice."""
        layer = self.layers[0]
        return replace(layer, reverse=True, name=f"{layer.name}.backward" if layer.name else "")

    def __call__(self, x: Node) -> Node:
        """Both outputs, along the last axis."""
        both = [layer(x) for layer in (*self.layers, self.backward)]
        with layer_scope(self, "bidirectional", x) as here:
            return here.gives(here.label(ops.concatenate(*both, axis=both[0].type.ndim - 1), "a"))


@described
class TimeDistributed(Shown):
    """Layers applied to each time step separately, with the same weights: (batch, time, ...) to (batch, time, ...).

    Raises: ShapeError for an input without a time axis.

    >>> from chainrule.nn import Dense
    >>> TimeDistributed(Dense(1))
    TimeDistributed(Dense(1))
    """

    layers: tuple[Layer, ...]
    name: str

    def __init__(self, *layers: Layer, name: LayerName = "") -> None:
        made = as_layers(layers, "TimeDistributed without a layer", "write for example TimeDistributed(Dense(1))")
        object.__setattr__(self, "layers", made)
        object.__setattr__(self, "name", name)

    def __call__(self, x: Node) -> Node:
        """The layers' output at each step."""
        if x.type.ndim < 3:
            raise ShapeError(
                f"TimeDistributed was given {x.type!r}",
                expected="(batch, time, features)",
                remedy="let the layer before give every step: return_sequences=True",
            )
        batch, turns = x.shape[:2]
        with layer_scope(self, "time_distributed", x) as here:
            each = ops.reshape(x, shape=(batch * turns, *x.shape[2:]))
        for layer in self.layers:
            each = applied(layer, each)
        with scope(here.name):
            return here.gives(here.label(ops.reshape(each, shape=(batch, turns, *each.shape[1:])), "a"))
