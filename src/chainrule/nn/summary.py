"""A network as a table: a row to each use of a layer, with shapes, numbers of parameters, and the range of its output."""

from __future__ import annotations

import math
from math import prod

from chainrule.checks import Extents, checked
from chainrule.display import Shown
from chainrule.errors import OptionError
from chainrule.graph import Shape
from chainrule.immutable import immutable
from chainrule.nn.activations import ACTIVATIONS, ActivationName
from chainrule.nn.build import Built, Layer, LayerUse, build_network
from chainrule.nn.filters import Filtering
from chainrule.nn.formula import Formula
from chainrule.nn.graph_layer import GraphLayer
from chainrule.nn.layers import Activation, Dense
from chainrule.numerals import numeral, spaced
from chainrule.spelling import aligned

COUNTING = "the input is not counted as a layer"
"""Which of the two habits of counting layers is used here."""


@immutable
class SummaryRow(Shown):
    """One use of a layer; shapes are those of one example, `range` is "[0, 1]" and the like, or "" where it is not known.

    `parameters`: how many numbers training may change; `frozen`: how many weights it leaves as they are.
    """

    name: str
    kind: str
    description: str
    input: Shape
    output: Shape
    parameters: int
    range: str
    shared: bool = False
    frozen: int = 0


@immutable
class Summary(Shown):
    """All rows, and the parameters counted: weights have two axes or more, biases one or none. frozen: those of frozen layers."""

    rows: tuple[SummaryRow, ...]
    weights: int
    biases: int
    frozen: int = 0

    @property
    def total(self) -> int:
        """How many numbers training may change; a shared layer's count once."""
        return self.weights + self.biases

    @property
    def layers(self) -> int:
        """How many layers there are; the input is not one, and a layer used twice is one."""
        return sum(not row.shared for row in self.rows)

    def __str__(self) -> str:
        head = ("layer", "kind", "what it does", "input", "output", "parameters", "range")
        # Texts stand to the left, shapes and numbers to the right.
        lines = aligned([head, *map(_cells, self.rows)], right={3, 4, 5})
        counted = [spaced(row.parameters) for row in self.rows if row.parameters]
        parts = f"{' + '.join(counted)} = " if len(counted) > 1 else ""
        total = f"parameters: {parts}{spaced(self.total)} ({spaced(self.weights)} weights + {spaced(self.biases)} biases)"
        frozen = [f"frozen, not trained: {spaced(self.frozen)}"] if self.frozen else []
        return "\n".join([lines, total, *frozen, f"layers: {self.layers} ({COUNTING})"])


@checked
def summary(network: Layer, input_shape: Extents | None = None) -> Summary:
    """The table of a network; `input_shape` is the shape of one example, where the network does not know it itself.

    >>> from chainrule.nn import parse_network
    >>> print(summary(parse_network("784-16-16-10 relu softmax")))
    layer   kind   what it does      input  output  parameters  range
    dense1  dense  relu(x·W + b)     (784,)  (16,)      12 560  [0, ∞)
    dense2  dense  relu(x·W + b)      (16,)  (16,)         272  [0, ∞)
    dense3  dense  softmax(x·W + b)   (16,)  (10,)         170  [0, 1]
    parameters: 12 560 + 272 + 170 = 13 002 (12 960 weights + 42 biases)
    layers: 3 (the input is not counted as a layer)

    Raises: OptionError where no shape is known, ShapeError where layers do not fit together.
    """
    shape = getattr(network, "input_shape", None) if input_shape is None else input_shape
    if shape is None:
        raise OptionError(
            "a table of a network that does not know its input",
            expected="the shape of one example",
            remedy="write table(network, (784,)), or Sequential(..., input_shape=(784,))",
        )
    return summary_of(build_network(network, shape))


def summary_of(built: Built) -> Summary:
    """The table of a network that is built already, for a batch of any size."""
    counted = [(item.node.type.size, item.node.type.ndim > 1) for item in built.parameters.values()]
    weights = sum(size for size, is_weight in counted if is_weight)
    frozen = sum(state.node.type.size for state in built.states.values() if state.frozen)
    return Summary(tuple(_row(use, built) for use in built.uses), weights, built.parameter_count - weights, frozen)


def _row(use: LayerUse, built: Built) -> SummaryRow:
    own = sum(prod(built.parameters[name].node.shape) for name in use.parameters) if use.first else 0
    kept = [built.states[name] for name in use.states if use.first and name in built.states]
    frozen = sum(state.node.type.size for state in kept if state.frozen)
    return SummaryRow(
        use.name,
        use.kind,
        _description(use),
        use.input.shape[1:],
        use.output.shape[1:],
        own,
        _range(use.layer),
        not use.first,
        frozen,
    )


def _description(use: LayerUse) -> str:
    shared = "" if use.first else "as above: "
    match use.layer:
        case Dense(activation=activation, bias=bias):
            z = f"x·W{' + b' if bias else ''}"
            return shared + (z if activation == "linear" else f"{activation}({z})")
        case Activation(function=function):
            return f"{shared}{function}: {ACTIVATIONS[function].formula}"
        case GraphLayer():
            return shared + use.layer.summary
        case Formula(text=text):
            return shared + text
        case _:
            return shared + repr(use.layer)


def _range(layer: object) -> str:
    match layer:
        case Dense(activation=name) | Filtering(activation=name) | Activation(function=name):
            return range_badge(name)
        case _:
            return ""


@checked
def range_badge(activation: ActivationName) -> str:
    """The interval that an activation's values lie in.

    >>> range_badge("sigmoid"), range_badge("relu"), range_badge("linear")
    ('[0, 1]', '[0, ∞)', '(−∞, ∞)')
    """
    found = ACTIVATIONS[activation]
    low = "(−∞" if math.isinf(found.lowest) else f"[{numeral(found.lowest, 3)}"
    high = "∞)" if math.isinf(found.highest) else f"{numeral(found.highest, 3)}]"
    return f"{low}, {high}"


def told_count(parameters: int, frozen: int) -> str:
    """How many numbers training changes, and how many it leaves as they are.

    >>> told_count(12560, 0), told_count(0, 272)
    ('12 560', '272 frozen')
    """
    said = f"{spaced(frozen)} frozen"
    return said if frozen and not parameters else f"{spaced(parameters)} + {said}" if frozen else spaced(parameters)


def _cells(row: SummaryRow) -> tuple[str, ...]:
    count = "shared" if row.shared and not row.parameters else told_count(row.parameters, row.frozen)
    return row.name, row.kind, row.description, str(row.input), str(row.output), count, row.range
