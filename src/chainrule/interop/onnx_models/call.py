"""One operator of a model as it is read: its inputs as nodes, its attributes as arguments; and the table that operators join."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter, signature
from typing import Any, Protocol, TypeAlias, TypeVar, cast

import numpy as np

from chainrule.errors import ChainruleError, DtypeError, FileFormatError, UnsupportedError
from chainrule.graph import Array, Node, constant
from chainrule.graph.types import DTYPES as OURS
from chainrule.immutable import immutable
from chainrule.interop.onnx_models.package import DTYPES, READ, AttributeProto, GraphProto, NodeProto, TensorProto, numpy_helper

Value: TypeAlias = "Node | list[Any] | None"
"""What a name in a model stands for: a node, a sequence of them, or nothing."""
Operator: TypeAlias = "Callable[..., Value | tuple[Value, ...]]"
F = TypeVar("F", bound=Callable[..., Any])


class Source(Protocol):
    """What a call can ask the reader of its model for."""

    own: bool
    """Whether the model was written here: then places count from 0."""

    def known(self, node: Node, what: str) -> Array:
        """The numbers of a node that depends on no input."""
        ...

    def is_known(self, node: Node) -> bool:
        """Whether it depends on no input."""
        ...

    def state(self, node: Node) -> None:
        """Notes that a parameter is a running statistic, which training leaves alone."""
        ...

    def turn(self, graph: GraphProto, given: Mapping[str, Value]) -> list[Value]:
        """The outputs of a graph inside the model, of these inputs, which may read what stands around it."""
        ...

    def kind(self, name: str) -> int | None:
        """Of which kind the model says that a value is, if that is known, and matters."""
        ...


@immutable(eq=False)
class Call:
    """An operator's node: where it stands, which version of its operators the model names, how many outputs it has."""

    source: Source
    node: NodeProto
    version: int

    @property
    def outputs(self) -> int:
        """How many of its outputs have a name."""
        return max((place + 1 for place, name in enumerate(self.node.output) if name), default=0)

    def kind(self, place: int, value: Node) -> int:
        """Of which kind an input is in the model; nodes have wider ones in the place of some."""
        return self.source.kind(self.node.input[place]) or DTYPES[value.dtype]

    def known(self, node: Node, what: str) -> Array:
        """The numbers of an input that shapes go by. Raises: UnsupportedError where it depends on an input of the model."""
        return self.source.known(node, f"{what} of {self.label}")

    def whole(self, node: Node, what: str) -> tuple[int, ...]:
        """The same as a row of whole numbers."""
        found = self.known(node, what)
        if found.dtype.kind not in "iu":
            raise self.wrong(f"{what} are {found.dtype.name} numbers", "whole numbers")
        return tuple(int(value) for value in found.reshape(-1))

    def number(self, node: Node, what: str) -> float:
        """The same as one number."""
        found = self.known(node, what)
        if found.size != 1:
            raise self.wrong(f"{what} is an array of shape {found.shape}", "one number")
        return found.reshape(()).item()

    @property
    def label(self) -> str:
        """How messages call it."""
        name = self.node.name or next(iter(self.node.output), "")
        return f"the node {name!r} ({self.node.op_type})"

    def wrong(self, happened: str, expected: str) -> FileFormatError:
        """An error in the file, at this node."""
        return FileFormatError(
            f"{self.label}: {happened}", expected=expected, remedy="export the model again, and check it with onnx.checker"
        )

    def unsupported(self, what: str, instead: str = "write the model with other operators") -> UnsupportedError:
        """That something is not here."""
        return UnsupportedError(f"{self.label}: {what}", expected="what docs/onnx.md lists", remedy=instead)


OPERATORS: dict[tuple[str, str], Operator] = {}
"""From the domain and the name of an operator to the function that makes its nodes."""


def operator(*names: str, domain: str = "") -> Callable[[F], F]:
    """Enters a function into the table: `function(call, *inputs, **attributes)` gives the output, or a tuple of outputs.

    An input that may be left out has the default None, an attribute its default; one without has to be there.
    """

    def enter(function: F) -> F:
        for name in names:
            OPERATORS[domain, name] = function
        return function

    return enter


def called(function: Operator, call: Call, inputs: Sequence[Value], attributes: Mapping[str, Any]) -> tuple[Value, ...]:
    """The outputs of an operator. Raises: FileFormatError for inputs or attributes that it does not take."""
    found = signature(function)
    try:
        bound = found.bind(call, *inputs, **attributes)
    except TypeError as error:
        told = ", ".join(name for name, part in found.parameters.items() if part.kind is Parameter.KEYWORD_ONLY)
        raise call.wrong(
            f"{error}, version {call.version}", f"{call.node.op_type} with some of the attributes {told or 'none'}"
        ) from error
    for name, value in bound.arguments.items():
        part = found.parameters[name]
        if value is None and part.default is Parameter.empty and part.kind is Parameter.POSITIONAL_OR_KEYWORD:
            raise call.wrong(f"no input {name}", "this input")
    try:
        made = function(*bound.args, **bound.kwargs)
    except (UnsupportedError, FileFormatError):
        raise
    except ChainruleError as error:
        raise _told(call, error) from error
    except (ArithmeticError, AttributeError, IndexError, KeyError, MemoryError, TypeError, ValueError) as error:
        raise call.wrong(f"{error}", "inputs and attributes that fit together") from error
    return made if isinstance(made, tuple) else (made,)


def _told(call: Call, error: ChainruleError) -> ChainruleError:
    if isinstance(error, DtypeError):
        return call.unsupported(error.happened)
    return call.wrong(error.happened, error.expected)


# ---- attributes and arrays


def attribute_of(item: AttributeProto) -> Any:
    """An attribute as Python says it: a number, a text, an array, a graph, or a row of these."""
    kinds = AttributeProto
    plain = {kinds.FLOAT: "f", kinds.INT: "i", kinds.GRAPH: "g"}
    if item.type in plain:
        return getattr(item, plain[item.type])
    if item.type == kinds.STRING:
        return item.s.decode(errors="replace")
    if item.type == kinds.TENSOR:
        return item.t
    if item.type in {kinds.FLOATS, kinds.INTS}:
        return tuple(item.floats if item.type == kinds.FLOATS else item.ints)
    if item.type == kinds.STRINGS:
        return tuple(text.decode(errors="replace") for text in item.strings)
    raise UnsupportedError(
        f"the attribute {item.name!r} of kind {item.type}",
        expected="numbers, texts, a tensor, a graph",
        remedy="use other operators",
    )


def array_of(tensor: TensorProto, what: str) -> Array:
    """A tensor of a file as an array; kinds that nodes cannot have in wider numbers. Raises: UnsupportedError, FileFormatError."""
    if tensor.data_type not in READ:
        raise UnsupportedError(
            f"{what} holds numbers of the kind {_kind_name(tensor.data_type)}",
            expected=", ".join(OURS),
            remedy="convert the model first",
        )
    try:
        return np.asarray(numpy_helper.to_array(tensor)).astype(READ[tensor.data_type], copy=False)
    except (ValueError, TypeError, AttributeError, RuntimeError) as error:
        raise FileFormatError(
            f"{what} cannot be read: {error}", expected="a whole tensor", remedy="export the model again"
        ) from error


def dtype_of(number: int, what: str) -> str:
    """The name of a node's dtype for a kind. Raises: UnsupportedError for one that cannot be read."""
    if number in READ:
        return READ[number]
    raise UnsupportedError(
        f"{what} is of the kind {_kind_name(number)}", expected=", ".join(OURS), remedy="convert the model first"
    )


def _kind_name(number: int) -> str:
    try:
        return TensorProto.DataType.Name(cast("Any", number))
    except ValueError:
        return str(number)


def whole_numbers(values: Sequence[int]) -> Node:
    """A row of int64 as a constant."""
    return constant(np.asarray(values, dtype=np.int64))
