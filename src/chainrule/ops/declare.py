"""How an op is declared: one decorator for any op, one for those that work entry by entry."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeAlias

from chainrule.errors import DtypeError, GraphError, ShapeError
from chainrule.graph import Array, Node, Notation, Op, Type
from chainrule.graph.node import normal_axis

Meaning: TypeAlias = Callable[..., Array]

KINDS = {
    "float": ("float32", "float64"),
    "number": ("float32", "float64", "uint8", "int32", "int64", "uint32"),
    "bool": ("bool",),
    "any": ("float32", "float64", "uint8", "int32", "int64", "uint32", "bool"),
}


def op(
    type_rule: Callable[..., Type],
    text: str,
    latex: str,
    binds: int = 0,
    *,
    convention: str = "",
    differentiable: bool = True,
) -> Callable[[Meaning], Op]:
    """Makes an op of the function below, whose body is its meaning in NumPy.

    `type_rule` takes the inputs' types and the attributes, gives the output's type, and refuses what does not fit.
    `convention` says what the derivative is where it does not exist. An op whose rule is not declared below it, by its `vjp`, has to
    say that there is none: differentiable=False. What gives whole numbers or truth values has none by its nature.
    """

    def declare(meaning: Meaning) -> Op:
        notation = Notation(text, latex, binds)
        made = Op(meaning.__name__, meaning, type_rule, notation, differentiable=differentiable)
        made.convention = convention
        return made

    return declare


def elementwise(
    text: str,
    latex: str,
    binds: int = 0,
    *,
    takes: str = "float",
    gives: str = "",
    convention: str = "",
    differentiable: bool = True,
) -> Callable[[Meaning], Op]:
    """Makes an op that works entry by entry on inputs of one shape and dtype; operands of other shapes are broadcast by nodes.

    `takes` is a key of KINDS; `gives` is the output's dtype where it differs; the rest as in `op`.
    """

    def declare(meaning: Meaning) -> Op:
        arity = len(inspect.signature(meaning).parameters)

        def type_rule(*types: Type) -> Type:
            same_types(meaning.__name__, types, arity)
            require_kind(meaning.__name__, types[0], takes)
            return types[0].with_dtype(gives) if gives else types[0]

        return op(type_rule, text, latex, binds, convention=convention, differentiable=differentiable)(meaning)

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


def require_axis(name: str, axis: int, ndim: int) -> int:
    """The axis, if it is one of an array with `ndim` axes, counted from 0: what stands in a graph."""
    if axis >= 0:
        return normal_axis(name, axis, ndim)
    raise ShapeError(f"{name} was given axis {axis!r}", expected="an axis counted from 0", remedy="count axes from 0")


Gradients: TypeAlias = "tuple[Node | None, ...]"
Attribute: TypeAlias = Any
