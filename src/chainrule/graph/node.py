"""Nodes and the ops that make them: one quantity each, immutable, typed at birth, equal only to itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from importlib import import_module
from inspect import Parameter, Signature, signature
from operator import is_
from types import MappingProxyType
from typing import Any, Literal, Self, TypeAlias, TypedDict, Unpack, cast

import numpy as np

from chainrule.checks import anything, checked, read, readers_of, scalar, shown
from chainrule.display import Shown
from chainrule.errors import CallError, DtypeError, GraphError, ShapeError
from chainrule.graph.arraylike import ArrayLike, Symbol
from chainrule.graph.types import FLOATS, Array, Type, require_dtype
from chainrule.spelling import suggest

Operand: TypeAlias = "Node | float | Array"
Attributes: TypeAlias = Mapping[str, Any]
Vjp: TypeAlias = Callable[..., "tuple[Node | None, ...]"]

NAME = re.compile(r"[^\W\d][\w.\-/]*")
NAME_RULE = "a letter, then letters, digits, and any of . _ - /"
_NO_ATTRIBUTES: Attributes = MappingProxyType({})
_scope: ContextVar[str] = ContextVar("scope", default="")


@dataclass(frozen=True, slots=True)
class Notation(Shown):
    """How an op is written: templates in which {0}, {1} stand for the inputs and {name} for attributes.

    `binds` is the usual precedence: 0 for names and functions, 1 powers, 2 products, 3 sums, 4 comparisons. An input that binds
    less tightly than the template wants is put in parentheses. A name alone, `sum`, stands for the call `sum(…)`.
    """

    text: str
    latex: str
    binds: int = 0


Kind: TypeAlias = Literal[
    "leaf", "elementwise", "view", "placement", "reduction", "rowwise", "product", "indexing", "random", "loop", "other"
]
"""How an op's entries come from those of its inputs, which is what rules for many ops at once go by:

leaf: an input, a parameter, a constant. elementwise: each from the entries at the same place, all arrays being of one shape. view: each
is an entry of the one input, which stands elsewhere, or in another shape. placement: inputs, piece by piece, at places in the result,
added up where these overlap. reduction: axes are gone. rowwise: rows from the same rows. product: a matrix product. indexing: at
places that are data. random: bits of a key. loop: turn after turn. other: nothing is known.
"""
Rounding: TypeAlias = Literal["none", "result", "terms"]
"""Whether the result holds numbers that were given, or is rounded to its own size, or, as sums are, to that of its terms."""


class Traits(TypedDict, total=False):
    """What else is declared of an op, where it is not the usual; see `Op`."""

    differentiable: bool
    convention: str
    finite_slope: bool
    rounding: Rounding
    is_activation: bool


def _no_usual(*inputs: Node) -> dict[str, Any]:
    """No attribute has a usual value."""
    return {}


def _first_ndim(*inputs: Node, **attributes: Any) -> int:
    """How many axes there are to be named: those of the first value."""
    return inputs[0].type.ndim if inputs else 0


def _is_ours(meaning: Callable[..., Array]) -> bool:
    return meaning.__module__.startswith("chainrule.")


class _WrittenSignature:
    """What a call of an op takes, for help() and inspect: values as nodes, numbers or arrays, behind them the attributes."""

    def __get__(self, op: Op | None, owner: object = None) -> Signature | None:
        if op is None:
            return None
        behind = Parameter.KEYWORD_ONLY if op.arity is None else Parameter.POSITIONAL_OR_KEYWORD
        parts: list[Parameter] = []
        for part in signature(op.meaning).parameters.values():
            if part.kind is Parameter.KEYWORD_ONLY:
                may_be_left_out = part.name == "axes" and op.usual is not _no_usual
                parts.append(part.replace(kind=behind, default=None if may_be_left_out else part.default))
            else:
                kind = part.kind if op.arity is None else Parameter.POSITIONAL_ONLY
                parts.append(part.replace(kind=kind, annotation="Node | float | Array"))
        return Signature(parts, return_annotation="Node")


class Op(Shown):
    """A primitive: its meaning in NumPy, type rule, notation and derivative, under one name.

    Applied to nodes (and numbers, which become constants) it makes a node. The values come first, as many as its meaning takes; the
    attributes behind them, in their order or as keywords. An attribute `axis` or `axes` may count from the end.

    kind: how its entries come from those of its inputs, see `Kind`. differentiable: False says that it has no derivative, and that none
    is missed: it counts as a constant. convention: what the derivative is where it does not exist. finite_slope: the derivative is finite
    at every number, so that it passes back 0 where 0 arrives. rounding: see `Rounding`; views round nothing. is_activation: it is one of
    the functions that networks bend with.
    """

    def __init__(
        self,
        name: str,
        meaning: Callable[..., Array],
        type_rule: Callable[..., Type],
        notation: Notation,
        *,
        kind: Kind = "other",
        **traits: Unpack[Traits],
    ) -> None:
        self.name, self.meaning, self.type_rule, self.notation, self.kind = name, meaning, type_rule, notation, kind
        self.differentiable = traits.get("differentiable", True)
        self.convention = traits.get("convention", "")
        self.finite_slope = traits.get("finite_slope", False)
        self.rounding: Rounding = traits.get("rounding", "none" if kind == "view" else "result")
        self.is_activation = traits.get("is_activation", False)
        self.vjp_rule: Vjp | None = None
        self.decomposition: Callable[..., Node] | None = None
        self.inner: tuple[Op, Callable[..., Node]] | None = None
        self.prepare: Callable[..., tuple[Node, ...]] = as_nodes
        self.usual: Callable[..., dict[str, Any]] = _no_usual
        self.axes_to_name: Callable[..., int] = _first_ndim
        parts = signature(meaning).parameters.values()
        spread = any(part.kind is Parameter.VAR_POSITIONAL for part in parts)
        self.arity = None if spread else sum(part.kind is Parameter.POSITIONAL_OR_KEYWORD for part in parts)
        self.keywords = {part.name: part.default for part in parts if part.kind is Parameter.KEYWORD_ONLY}
        self.__name__, self.__qualname__, self.__doc__ = name, name, meaning.__doc__
        known = REGISTRY.get(name)
        if known is not None and _is_ours(known.meaning) and not _is_ours(meaning):
            # Engines know ops by their names: another meaning would not be what they compute.
            raise GraphError(f"a second op called {name}", expected="a name of its own", remedy=f"write for example my_{name}")
        REGISTRY[name] = self

    def vjp(self, rule: Vjp) -> Vjp:
        """Declares the derivative: `rule(g, out, *inputs, **attributes)` gives, for each input, g·∂out/∂input or None."""
        self.vjp_rule = rule
        return rule

    def decompose(self, parts: Callable[..., Node]) -> Callable[..., Node]:
        """Declares what the op is made of: `parts(*inputs, **attributes)` gives the same from other ops, for engines to run."""
        self.decomposition = parts
        return parts

    def through(self, inner: Op) -> Callable[[Callable[..., Node]], Callable[..., Node]]:
        """Declares that the op is `outer(inner(x), *others)` by meaning, though it computes it straight from x: for readers."""

        def declare(outer: Callable[..., Node]) -> Callable[..., Node]:
            self.inner = inner, outer
            return outer

        return declare

    def __call__(self, *operands: Any, **attributes: Any) -> Node:
        """The node of this op on these operands."""
        count = len(operands) if self.arity is None else self.arity
        if not (self.keywords or attributes) and len(operands) == count:
            return Node(self, self.prepare(*operands), _NO_ATTRIBUTES)
        behind = operands[count:]
        if len(behind) > len(self.keywords) or not attributes.keys() <= self.keywords.keys():
            raise self._too_much(operands, attributes)
        attributes = {**dict(zip(self.keywords, behind, strict=False)), **attributes}
        if len(operands) < count:
            raise CallError(
                f"{self.name} was given {len(operands)} values",
                expected=f"{count}",
                remedy=f"see help(chainrule.ops.{self.name})",
            )
        nodes = self.prepare(*operands[:count])
        return Node(self, nodes, self._settled(nodes, attributes) if self.keywords else attributes)

    def _too_much(self, operands: tuple[Any, ...], attributes: Mapping[str, Any]) -> CallError:
        odd = [name for name in attributes if name not in self.keywords]
        what = f"the attribute {odd[0]!r}" if odd else f"{len(operands)} values"
        known = ", ".join(self.keywords)
        expected = f"{'any number of values' if self.arity is None else self.arity}{f', and {known}' if known else ''}"
        return CallError(
            f"{self.name} was given {what}",
            expected=expected,
            remedy=suggest(odd[0] if odd else "", self.keywords, f"see help(chainrule.ops.{self.name})"),
        )

    def _settled(self, nodes: tuple[Node, ...], attributes: Mapping[str, Any]) -> dict[str, Any]:
        """The attributes as the type rule takes them: each of its kind, the usual ones where they are left out, axes counted from 0."""
        readers, usual = readers_of(self.meaning), self.usual(*nodes)
        settled: dict[str, Any] = {}
        for name, default in self.keywords.items():
            if name in attributes and not (attributes[name] is None and name in usual):
                settled[name] = read(self.name, name, readers.get(name, anything), attributes[name])
            elif name in usual:
                settled[name] = usual[name]
            elif default is Parameter.empty:
                raise CallError(
                    f"{self.name} was given no {name}",
                    expected=", ".join(self.keywords),
                    remedy=f"write {self.name}(..., {name}=...)",
                )
        ndim = self.axes_to_name(*nodes, **settled) if nodes else None
        if ndim is None:
            return settled
        if "axis" in settled:
            settled["axis"] = normal_axis(self.name, settled["axis"], ndim)
        if "axes" in settled:
            settled["axes"] = tuple(normal_axis(self.name, axis, ndim) for axis in settled["axes"])
        return settled

    __signature__ = _WrittenSignature()

    def __get__(self, instance: object, owner: object = None) -> Op:
        """Itself: in a class, too, it is a function of its values alone. What has this, help() shows as a function."""
        return self

    def __repr__(self) -> str:
        return f"op {self.name}"

    def __reduce__(self) -> tuple[object, ...]:
        return (_op_named, (self.name, self.meaning.__module__))


REGISTRY: dict[str, Op] = {}
"""Every op by name: for reading texts."""


def _op_named(name: str, module: str) -> Op:
    """The op of this name, which its module declares."""
    import_module(module)
    return REGISTRY[name]


class Node(ArrayLike):
    """One quantity in a graph: an op applied to nodes, or a leaf (input, parameter, constant).

    A node is equal only to itself: two nodes that compute the same thing are merged by a pass, never by accident.
    """

    __slots__ = ("__weakref__", "attributes", "inputs", "name", "op", "scope", "type")

    op: Op
    inputs: tuple[Node, ...]
    attributes: Attributes
    type: Type
    name: str
    scope: str

    def __init__(
        self, op: Op, inputs: tuple[Node, ...], attributes: Attributes, name: str = "", *, scope: str | None = None
    ) -> None:
        _require_name(name)
        fix = object.__setattr__
        fix(self, "op", op)
        fix(self, "inputs", inputs)
        if attributes:
            attributes = {key: _plain(value) for key, value in attributes.items()}
            fix(self, "attributes", MappingProxyType(attributes))
        else:
            fix(self, "attributes", _NO_ATTRIBUTES)
        fix(self, "type", op.type_rule(*[node.type for node in inputs], **attributes))
        fix(self, "name", name)
        fix(self, "scope", _scope.get() if scope is None else scope)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a node is immutable: cannot set {name!r}; make a new node instead")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a node is immutable: cannot delete {name!r}")

    @property
    def is_leaf(self) -> bool:
        """Whether it is an input, a parameter or a constant."""
        return self.op.kind == "leaf"

    def named(self, name: str) -> Node:
        """The same quantity under a name (a new node: this one stays as it is)."""
        _require_name(name)
        return self._copy(self.inputs, name)

    def with_inputs(self, inputs: tuple[Node, ...]) -> Node:
        """The same op, name and scope on other inputs; itself if they are the same."""
        if len(inputs) == len(self.inputs):
            if all(map(is_, inputs, self.inputs)):
                return self
            if all(new.type == old.type for new, old in zip(inputs, self.inputs, strict=True)):
                return self._copy(inputs, self.name)
        return Node(self.op, inputs, self.attributes, self.name, scope=self.scope)

    def _copy(self, inputs: tuple[Node, ...], name: str) -> Node:
        """The same node on inputs of the same types; its own type, which follows from these, is not derived again."""
        made = object.__new__(Node)
        fix = object.__setattr__
        fix(made, "op", self.op)
        fix(made, "inputs", inputs)
        fix(made, "attributes", self.attributes)
        fix(made, "type", self.type)
        fix(made, "name", name)
        fix(made, "scope", self.scope)
        return made

    def __repr__(self) -> str:
        attributes = "".join(f", {key}={value!r}" for key, value in self.attributes.items() if key not in {"value", "type"})
        inputs = ", ".join(node.name or f"<{node.op.name}>" for node in self.inputs)
        label = f"{self.name}: " if self.name else ""
        return f"<{label}{self.type!r} = {self.op.name}({(inputs + attributes).removeprefix(', ')})>"


def _require_name(name: str) -> None:
    if name and not NAME.fullmatch(name):
        raise GraphError(f"node name {name!r}", expected=NAME_RULE, remedy="write for example hidden.W")


def _plain(value: Any) -> Any:
    # NumPy's numbers and lists become Python's numbers and tuples: an attribute prints as what the reader takes back.
    if isinstance(value, np.generic):
        return cast("Any", value).item()
    if isinstance(value, list | tuple):
        return tuple(_plain(item) for item in cast("Sequence[Any]", value))
    return value


def normal_axis(name: str, axis: int, ndim: int) -> int:
    """The axis counted from 0, if it is one of an array with `ndim` axes; a negative one counts from the end.

    >>> normal_axis("sum", -1, 3)
    2
    """
    if -ndim <= axis < ndim:
        return axis + ndim if axis < 0 else axis
    raise ShapeError(
        f"{name} was given axis {axis!r}",
        expected=f"0 ... {ndim - 1}, or from the end -1 ... {-ndim}" if ndim else "an array with axes",
        remedy="count axes from 0",
    )


def as_declared(found: Any, node: Node) -> Array:
    """What a meaning gave, if it has the shape that the op's type rule promised: a GraphError names an op that breaks its word."""
    if getattr(found, "shape", None) == node.shape:
        return found
    plain = not isinstance(found, np.ndarray)
    if plain and isinstance(found, float | int) and node.shape == ():
        return np.asarray(found)
    given = shown(cast("object", found)) if plain else f"shape {np.shape(cast('Any', found))}"
    raise GraphError(
        f"the meaning of {node.op.name} gave {given}",
        expected=f"an array of shape {node.shape}, as its type rule says",
        remedy=f"correct the function {node.op.name} or its type rule",
    )


def as_nodes(*operands: Operand) -> tuple[Node, ...]:
    """Nodes as they are; numbers and arrays as constants of the dtype that the first node among them has."""
    nodes = [operand for operand in operands if isinstance(operand, Node)]
    if len(nodes) == len(operands):
        return tuple(nodes)
    dtype = nodes[0].dtype if nodes else None
    return tuple([operand if isinstance(operand, Node) else constant_beside(operand, dtype) for operand in operands])


def constant_beside(operand: float | Array, dtype: str | None) -> Node:
    """A constant for an operand that stands beside a node of this dtype.

    An array keeps its own dtype (so that mixing is noticed); a number, Python's or NumPy's, takes its neighbour's, if it can.
    """
    if isinstance(operand, Symbol):
        return operand.node
    if dtype is not None:
        operand = cast("float | Array", scalar(operand))
    if dtype is None or isinstance(operand, np.ndarray):
        return constant(operand)
    if dtype not in FLOATS and not _fits(operand, dtype):
        raise DtypeError(
            f"{operand!r} stands beside {dtype} numbers",
            expected=f"a number that {dtype} holds without a change",
            remedy='convert the other one first: cast(x, dtype="float64")',
        )
    return constant(operand, dtype)


def _fits(operand: float, dtype: str) -> bool:
    try:
        return bool(np.all(np.array(operand, dtype=dtype) == operand))
    except (OverflowError, TypeError, ValueError):  # out of range; an infinity or NaN; no number
        return False


@contextmanager
def scope(*names: str) -> Generator[str]:
    """Nodes born inside belong to this scope: a layer, a part of a layer, a gradient.

    >>> with scope("dense1"):
    ...     constant(1.0).scope
    'dense1'
    """
    for name in names:
        if name and not NAME.fullmatch(name):
            raise GraphError(f"scope {name!r}", expected=NAME_RULE, remedy="write for example hidden.W")
    path = "/".join(name for name in (_scope.get(), *names) if name)
    token = _scope.set(path)
    try:
        yield path
    finally:
        _scope.reset(token)


class scope_root:  # noqa: N801  (used as a word after `with`, for each node of a graph: a generator takes five times as long)
    """Like `scope`, but from the top: for rules that add nodes on behalf of a layer built earlier."""

    __slots__ = ("_path", "_token")

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> Self:
        self._token = _scope.set(self._path)
        return self

    def to(self, path: str) -> None:
        """Goes on from another scope."""
        _scope.set(path)

    def __exit__(self, *_: object) -> None:
        _scope.reset(self._token)


def _no_meaning(*_: object, **__: object) -> Array:
    raise GraphError("a leaf was evaluated", expected="a value bound to it", remedy="pass the leaf's value by name")


def _given_type(*, type: Type) -> Type:  # noqa: A002  (the attribute's name)
    return type


def _type_of_value(*, value: Array) -> Type:
    return Type.of(value)


def _value(*, value: Array) -> Array:
    """A number or array that is known when the graph is built."""
    return value


INPUT = Op("input", _no_meaning, _given_type, Notation("{name}", "{name}"), kind="leaf")
PARAMETER = Op("parameter", _no_meaning, _given_type, Notation("{name}", "{name}"), kind="leaf")
CONSTANT = Op("constant", _value, _type_of_value, Notation("{value}", "{value}"), kind="leaf")
LEAVES = (INPUT, PARAMETER, CONSTANT)


@checked
def input_node(name: str, shape: tuple[int, ...] = (), dtype: str = "float64") -> Node:
    """A leaf whose value is given when the graph runs: data, a seed, a learning rate.

    shape: any, () for a scalar. Raises: DtypeError, ShapeError, GraphError for a name that cannot be one.
    """
    return Node(INPUT, (), {"type": Type(dtype, tuple(shape))}, name)


@checked
def parameter(name: str, shape: tuple[int, ...] = (), dtype: str = "float64") -> Node:
    """A leaf that training changes.

    shape: any, () for a scalar. Raises: DtypeError, ShapeError, GraphError for a name that cannot be one.
    """
    return Node(PARAMETER, (), {"type": Type(dtype, tuple(shape))}, name)


def _has_node(value: object) -> bool:
    return isinstance(value, list | tuple) and any(isinstance(item, Node) for item in cast("Sequence[object]", value))


def constant(value: float | Array, dtype: str | None = None, name: str = "") -> Node:
    """A leaf whose value never changes; Python floats are float64 unless a dtype is given.

    >>> constant([1, 2, 3], "float32").type
    float32[3]
    """
    if not isinstance(cast("object", name), str):
        raise GraphError(f"node name {shown(name)}", expected=NAME_RULE, remedy="write for example hidden.W")
    if dtype is not None:
        require_dtype(dtype)
    try:
        # A text that reads as a number, and None, which NumPy takes for NaN, are no numbers.
        plain = isinstance(value, bool | int | float) or np.asarray(value).dtype.kind in "biuf"
        # A copy, frozen: the caller may go on writing into their own array.
        array = np.array(value, dtype=dtype if plain else None, order="C")
    except (TypeError, ValueError, OverflowError):
        array = np.empty(0, dtype=object)
    if array.dtype.kind in "OSUVmM":
        raise DtypeError(
            f"a constant of {shown(value)}{f' as {dtype}' if dtype else ''}",
            expected="numbers, in rows of equal length",
            remedy="give nodes one by one, f(x, y) and not f([x, y])"
            if _has_node(value)
            else "give a number, or an array of numbers",
        )
    array.flags.writeable = False
    return Node(CONSTANT, (), {"value": array}, name)
