"""How an op is declared: one decorator for any op, one for those that work entry by entry."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeAlias, cast

import numpy as np

from chainrule.errors import DtypeError, GraphError, ShapeError
from chainrule.graph import Array, Node, Notation, Op, Type

Meaning: TypeAlias = Callable[..., Array]

KINDS = {
    "float": ("float32", "float64"),
    "number": ("float32", "float64", "uint8", "int32", "int64", "uint32"),
    "bool": ("bool",),
    "any": ("float32", "float64", "uint8", "int32", "int64", "uint32", "bool"),
}


def op(
    type_rule: Callable[..., Type], text: str, latex: str, binds: int = 0, *, convention: str = ""
) -> Callable[[Meaning], Op]:
    """Makes an op of the function below, whose body is its meaning in NumPy.

    `type_rule` takes the inputs' types and the attributes, gives the output's type, and refuses what does not fit.
    `convention` says what the derivative is where it does not exist.
    """

    def declare(meaning: Meaning) -> Op:
        made = Op(meaning.__name__, meaning, type_rule, Notation(text, latex, binds))
        made.convention = convention
        return made

    return declare


def elementwise(
    text: str, latex: str, binds: int = 0, *, takes: str = "float", gives: str = "", convention: str = ""
) -> Callable[[Meaning], Op]:
    """Makes an op that works entry by entry on inputs of one shape and dtype; operands of other shapes are broadcast by nodes.

    `takes` is a key of KINDS; `gives` is the output's dtype where it differs.
    """

    def declare(meaning: Meaning) -> Op:
        arity = len(inspect.signature(meaning).parameters)

        def type_rule(*types: Type) -> Type:
            same_types(meaning.__name__, types, arity)
            require_kind(meaning.__name__, types[0], takes)
            return types[0].with_dtype(gives) if gives else types[0]

        return op(type_rule, text, latex, binds, convention=convention)(meaning)

    return declare


def same_types(name: str, types: tuple[Type, ...], arity: int) -> None:
    """Refuses inputs of different shapes or dtypes, or the wrong number of them."""
    if len(types) != arity:
        raise GraphError(f"{name} was given {len(types)} values", expected=str(arity), remedy=f"see help(chainrule.ops.{name})")
    if len({kind.dtype for kind in types}) > 1:
        raise DtypeError(
            f"{name} was given {' and '.join(map(repr, types))}",
            expected="one dtype on all inputs",
            remedy="convert one of them with cast(x, dtype=...)",
        )
    if len({kind.shape for kind in types}) > 1:
        raise ShapeError(
            f"{name} was given {' and '.join(map(repr, types))}",
            expected="one shape on all inputs",
            remedy="reshape or broadcast_to one of them",
        )


def require_kind(name: str, given: Type, kind: str) -> None:
    """Refuses a dtype that is not of the kind."""
    if given.dtype not in KINDS[kind]:
        raise DtypeError(
            f"{name} was given {given!r}", expected=" or ".join(KINDS[kind]), remedy="convert it with cast(x, dtype=...)"
        )


def require_axis(name: str, axis: object, ndim: int) -> int:
    """The axis, if it is one of an array with `ndim` axes."""
    if isinstance(axis, int | np.integer) and 0 <= axis < ndim:
        return int(cast("int", axis))
    raise ShapeError(
        f"{name} was given axis {axis!r}",
        expected=f"0 ... {ndim - 1}" if ndim else "an array with axes",
        remedy="count axes from 0",
    )


def normal_axis(name: str, axis: int, ndim: int) -> int:
    """The axis counted from 0; a negative one counts from the end."""
    return require_axis(name, axis + ndim if axis < 0 else axis, ndim)


Gradients: TypeAlias = "tuple[Node | None, ...]"
Attribute: TypeAlias = Any
