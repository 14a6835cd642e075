"""What a node does as NumPy's arrays do: operators, methods, x[...]; what is behind them, `chainrule.ops` enters by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NoReturn, Self, TypeAlias, cast

from chainrule.display import Shown, first_needed
from chainrule.errors import CallError, GraphError, OptionTypeError
from chainrule.graph.types import Array, Shape, Type


class _Functions(dict[str, Callable[..., Any]]):
    def __missing__(self, name: str) -> Callable[..., Any]:
        first_needed("ops")
        found = self.get(name)
        if found is None:
            raise KeyError(name)
        return found


FUNCTIONS: dict[str, Callable[..., Any]] = _Functions()
"""The functions behind the operators and methods, by name: a node knows no op. They enter when the first one is needed."""
Axis: TypeAlias = int | Shape | None


class Unchanging:
    """What is equal only to itself and never changes: a copy is itself."""

    __slots__ = ()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, known: object) -> Self:
        return self


class Textual(Unchanging):
    """What goes to other processes as its text."""

    __slots__ = ()

    def __reduce__(self) -> NoReturn:
        raise GraphError(
            f"{type(self).__name__} was to be pickled",
            expected="a graph's text, which says all of it",
            remedy="send str(graph), and read it there by chainrule.parse_graph(text)",
        )


class ArrayLike(Textual, Shown):
    """The operators and methods of `Node`: each makes a node, of the ops that do the same to its numbers as NumPy does to an array's."""

    __slots__ = ()
    type: Type

    @property
    def shape(self) -> Shape:
        """The extents of its axes."""
        return self.type.shape

    @property
    def dtype(self) -> str:
        """The kind of its numbers, by NumPy's name."""
        return self.type.dtype

    @property
    def ndim(self) -> int:
        """How many axes."""
        return self.type.ndim

    @property
    def size(self) -> int:
        """How many numbers."""
        return self.type.size

    @property
    def T(self) -> Self:  # noqa: N802  (NumPy's name)
        """Its axes in the opposite order; of a matrix the transpose."""
        return self.transpose()

    @property
    def mT(self) -> Self:  # noqa: N802  (NumPy's name)
        """The matrix transpose: the last two axes exchanged."""
        return FUNCTIONS["swap_last"](self)

    # ---- parts

    def __len__(self) -> int:
        if not self.ndim:
            raise OptionTypeError(f"the length of {self!r}", expected="an array with axes", remedy="take x.size, which is 1")
        return self.shape[0]

    def __getitem__(self, key: Any) -> Self:
        """Entries by whole numbers, slices, ..., None, and one array of positions, all as NumPy has it; see `ops.index`."""
        return FUNCTIONS["index"](self, key)

    def __iter__(self) -> Iterator[Self]:
        raise GraphError(
            f"{self!r} was iterated over",
            expected="an array; a loop over a node's entries would write each of them out",
            remedy="work on all at once, or take parts with x[0], x[i:j], slice_axis(x, axis, i, j)",
        )

    def __setitem__(self, key: Any, value: Any) -> NoReturn:
        raise GraphError(
            f"entries of {self!r} were set",
            expected="a new node; a node is immutable",
            remedy="write where(condition, x, y), concatenate(x, y, axis=...), or scatter_add(x, places, y, axis=...)",
        )

    # ---- numbers, which there are none of yet

    def __bool__(self) -> bool:
        raise self._no_value("the truth of", "write where(condition, x, y) instead of if, and equal(x, y) instead of ==")

    def __float__(self) -> float:
        raise self._no_value("the number in", "compute it first: evaluate([x], {leaf: value})[0]")

    def __int__(self) -> int:
        raise self._no_value("the number in", "compute it first: evaluate([x], {leaf: value})[0]")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        raise self._no_value("an array of", "compute it first: evaluate([x], {leaf: value})[0]")

    def __array_function__(self, function: Callable[..., Any], *_: Any) -> NoReturn:
        name = getattr(function, "__name__", str(function))
        known = f"write ops.{name}(...)" if name in FUNCTIONS else "see help(chainrule.ops) for what there is"
        raise self._no_value(f"numpy.{name} of", f"{known}, or compute the numbers first: evaluate([x], {{leaf: value}})")

    def __array_ufunc__(self, function: Any, way: str, *given: Any, **options: Any) -> Any:
        """NumPy asks before it spreads an operator over the entries of an array: array @ x is x's to answer, numpy.tanh(x) nobody's."""
        name: str = function.__name__
        if name in {"equal", "not_equal"}:
            return name == "not_equal"  # a node is equal to itself alone
        answers = _REFLECTED.get(name)
        if answers and way == "__call__" and not options and given[-1] is self:
            return getattr(self, answers)(given[0])
        raise CallError(
            f"numpy.{name} of the Node {self!r} was asked for",
            expected="an op: a node has no numbers until its graph is run",
            remedy=f"write ops.{name}(...), if help(chainrule.ops) has it, or compute the numbers first: evaluate([x], {{leaf: value}})",
        )

    def _no_value(self, what: str, remedy: str) -> GraphError:
        return GraphError(
            f"{what} {self!r} was asked for", expected="a number; a node has none until its graph is run", remedy=remedy
        )

    # ---- methods

    def sum(self, axis: Axis = None, *, keepdims: bool = False) -> Self:
        """The sum over an axis, several, or all."""
        return FUNCTIONS["sum"](self, axis, keepdims=keepdims)

    def mean(self, axis: Axis = None, *, keepdims: bool = False) -> Self:
        """The mean over an axis, several, or all."""
        return FUNCTIONS["mean"](self, axis, keepdims=keepdims)

    def max(self, axis: Axis = None, *, keepdims: bool = False) -> Self:
        """The largest entry over an axis, several, or all."""
        return FUNCTIONS["max"](self, axis, keepdims=keepdims)

    def min(self, axis: Axis = None, *, keepdims: bool = False) -> Self:
        """The smallest entry over an axis, several, or all."""
        return FUNCTIONS["min"](self, axis, keepdims=keepdims)

    def argmax(self, axis: int | None = None) -> Self:
        """The position of the largest entry on an axis; without one that among all entries, in row-major order."""
        flat = self.reshape(-1) if axis is None else self
        return FUNCTIONS["argmax"](flat, axis=0 if axis is None else axis)

    def reshape(self, *shape: Any) -> Self:
        """The same numbers in another shape: x.reshape(2, 3) or x.reshape((2, 3)); one extent may be −1, what is left."""
        return FUNCTIONS["reshape"](self, shape=_several(shape))

    def flatten(self) -> Self:
        """All numbers in one row."""
        return self.reshape(-1)

    def transpose(self, *axes: Any) -> Self:
        """Its axes in another order: x.transpose(1, 0) or x.transpose((1, 0)); in the opposite order where none is given."""
        return FUNCTIONS["transpose"](self, axes=None if axes in {(), (None,)} else _several(axes))

    def astype(self, dtype: Any) -> Self:
        """The same numbers as another dtype, by NumPy's name or as NumPy's type."""
        return FUNCTIONS["astype"](self, dtype)

    # ---- operators

    def __add__(self, other: Any) -> Self:
        return FUNCTIONS["add"](self, other)

    def __radd__(self, other: Any) -> Self:
        return FUNCTIONS["add"](other, self)

    def __sub__(self, other: Any) -> Self:
        return FUNCTIONS["subtract"](self, other)

    def __rsub__(self, other: Any) -> Self:
        return FUNCTIONS["subtract"](other, self)

    def __mul__(self, other: Any) -> Self:
        return FUNCTIONS["multiply"](self, other)

    def __rmul__(self, other: Any) -> Self:
        return FUNCTIONS["multiply"](other, self)

    def __truediv__(self, other: Any) -> Self:
        return FUNCTIONS["divide"](self, other)

    def __rtruediv__(self, other: Any) -> Self:
        return FUNCTIONS["divide"](other, self)

    def __pow__(self, other: Any) -> Self:
        return FUNCTIONS["power"](self, other)

    def __rpow__(self, other: Any) -> Self:
        return FUNCTIONS["power"](other, self)

    def __matmul__(self, other: Any) -> Self:
        return FUNCTIONS["matmul"](self, other)

    def __rmatmul__(self, other: Any) -> Self:
        return FUNCTIONS["matmul"](other, self)

    def __abs__(self) -> Self:
        return FUNCTIONS["absolute"](self)

    def __and__(self, other: Any) -> Self:
        return FUNCTIONS["logical_and"](self, other)

    def __rand__(self, other: Any) -> Self:
        return FUNCTIONS["logical_and"](other, self)

    def __or__(self, other: Any) -> Self:
        return FUNCTIONS["logical_or"](self, other)

    def __ror__(self, other: Any) -> Self:
        return FUNCTIONS["logical_or"](other, self)

    def __invert__(self) -> Self:
        return FUNCTIONS["logical_not"](self)

    def __neg__(self) -> Self:
        return FUNCTIONS["negative"](self)

    def __pos__(self) -> Self:
        return self

    def __lt__(self, other: Any) -> Self:
        return FUNCTIONS["less"](self, other)

    def __le__(self, other: Any) -> Self:
        return FUNCTIONS["less_equal"](self, other)

    def __gt__(self, other: Any) -> Self:
        return FUNCTIONS["greater"](self, other)

    def __ge__(self, other: Any) -> Self:
        return FUNCTIONS["greater_equal"](self, other)


_REFLECTED = {
    "add": "__radd__", "subtract": "__rsub__", "multiply": "__rmul__", "divide": "__rtruediv__", "power": "__rpow__",
    "matmul": "__rmatmul__", "less": "__gt__", "less_equal": "__ge__", "greater": "__lt__", "greater_equal": "__le__",
    "bitwise_and": "__rand__", "bitwise_or": "__ror__", "remainder": "__rmod__", "floor_divide": "__rfloordiv__",
}  # fmt: skip
"""Where an array, or a number of NumPy's, stands before a node: what the node answers for each of NumPy's operators."""
_REMEDIES = {"%": "x - y * floor(x / y)", "//": "floor(x / y)", "^": "not_equal(x, y)", "round": "floor(x + 0.5)"}


def _refused(sign: str) -> Callable[..., NoReturn]:
    def refuse(self: ArrayLike, *_: Any) -> NoReturn:
        raise GraphError(
            f"{sign} of {self!r} was asked for",
            expected="an op that nodes have",
            remedy=f"write {_REMEDIES[sign]}, with ops.floor and its like",
        )

    return refuse


for _name, _sign in (
    ("mod", "%"),
    ("rmod", "%"),
    ("floordiv", "//"),
    ("rfloordiv", "//"),
    ("xor", "^"),
    ("rxor", "^"),
    ("round", "round"),
):
    setattr(ArrayLike, f"__{_name}__", _refused(_sign))


def _several(given: tuple[Any, ...]) -> Any:
    """Numbers one by one, or a tuple or list of them."""
    first: Any = given[0] if len(given) == 1 else given
    return cast("Any", first) if isinstance(first, tuple | list) else given


class Symbol(float):
    """A number that stands for a node: with numbers it is calculated with as a number, beside nodes the node takes its place.

    So code that is written for numbers makes the graph of a formula with letters.

    >>> from chainrule.graph import formula, input_node
    >>> beta = Symbol(0.5, input_node("β"))
    >>> float(1.0 - beta), formula(input_node("x") * (1.0 - beta))
    (0.5, 'x·(1 − β)')
    """

    node: Any

    def __new__(cls, value: float, node: Any) -> Self:
        """A number and the node that it stands for."""
        made = super().__new__(cls, value)
        made.node = node
        return made


def _symbolic(name: str) -> Callable[..., Any]:
    plain = getattr(float, name)

    def calculate(self: Symbol, *others: Any) -> Any:
        value = plain(self, *others)
        return value if value is NotImplemented else Symbol(value, getattr(self.node, name)(*others))

    return calculate


for _sign in ("add", "radd", "sub", "rsub", "mul", "rmul", "truediv", "rtruediv", "pow", "rpow", "neg", "abs"):
    setattr(Symbol, f"__{_sign}__", _symbolic(f"__{_sign}__"))
