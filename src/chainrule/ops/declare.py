"""How an op is declared: one decorator for any op, one for those that work entry by entry."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeAlias, Unpack

import numpy as np

from chainrule.errors import DtypeError, GraphError, ShapeError
from chainrule.graph import REGISTRY, Array, Kind, Node, Notation, Op, Operand, Shape, Traits, Type, as_nodes
from chainrule.graph.node import normal_axis

Meaning: TypeAlias = Callable[..., Array]

DTYPE_KINDS = {
    "float": ("float32", "float64"),
    "number": ("float32", "float64", "uint8", "int32", "int64", "uint32"),
    "bool": ("bool",),
    "any": ("float32", "float64", "uint8", "int32", "int64", "uint32", "bool"),
}

DTYPES_IN_WORDS = {"float": "float32 or float64", "number": "any number", "bool": "bool", "any": "any"}


def op(
    type_rule: Callable[..., Type], text: str, latex: str, binds: int = 0, *, kind: Kind = "other", **traits: Unpack[Traits]
) -> Callable[[Meaning], Op]:
    """Makes an op of the function below, whose body is its meaning in NumPy.

    `type_rule` takes the inputs' types and the attributes, gives the output's type, and refuses what does not fit. `kind` and the traits
    are what rules for many ops at once go by, see `Op`. An op whose rule is not declared below it, by its `vjp`, has to say that there is
    none: differentiable=False. What gives whole numbers or truth values has none by its nature.
    """

    def declare(meaning: Meaning) -> Op:
        return Op(meaning.__name__, meaning, type_rule, Notation(text, latex, binds), kind=kind, **traits)

    return declare


def elementwise(
    text: str, latex: str, binds: int = 0, *, takes: str = "float", gives: str = "", **traits: Unpack[Traits]
) -> Callable[[Meaning], Op]:
    """Makes an op that works entry by entry on inputs of one shape and dtype; operands of other shapes are broadcast by nodes.

    `takes` is a key of DTYPE_KINDS; `gives` is the output's dtype where it differs; the rest as in `op`.
    """

    def declare(meaning: Meaning) -> Op:
        arity = len(inspect.signature(meaning).parameters)

        def type_rule(*types: Type) -> Type:
            same_types(meaning.__name__, types, arity)
            require_kind(meaning.__name__, types[0], takes)
            return types[0].with_dtype(gives) if gives else types[0]

        made = op(type_rule, text, latex, binds, kind="elementwise", **traits)(meaning)
        made.prepare = broadcast_operands
        made.__doc__ = (
            f"{inspect.getdoc(meaning)}\n\n{_shapes_and_dtypes(list(inspect.signature(meaning).parameters), takes, gives)}"
        )
        return made

    return declare


def _shapes_and_dtypes(names: list[str], takes: str, gives: str) -> str:
    """What all elementwise ops say of shapes, dtypes and errors, at the end of their docstrings."""
    shapes = "of one shape, or broadcast to one as in NumPy; result of that shape" if len(names) > 1 else "any; result as it"
    dtypes = f"{DTYPES_IN_WORDS[takes]}{', one for all inputs' * (len(names) > 1)}; result {gives or 'the same'}"
    return f"Shapes: {' and '.join(names)} {shapes}. Dtypes: {dtypes}. Raises: ShapeError, DtypeError."


def common_shape(*shapes: Shape) -> Shape:
    """The shape that NumPy's rule broadcasts all of these to."""
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        width = max(len(str(shape)) for shape in shapes)
        drawn = "\n".join(" " * 6 + str(shape).rjust(width) for shape in shapes)
        raise ShapeError(
            f"shapes that do not fit together, aligned at the last axis:\n{drawn}",
            expected="on each axis equal extents, or an extent of 1",
            remedy="reshape one of them, or reduce the axis that is too much",
        ) from None


def broadcast_operands(*operands: Operand) -> tuple[Node, ...]:
    """Operands as nodes of one shape; where a shape differs a broadcast_to node is put in."""
    nodes = as_nodes(*operands)
    shapes = [node.type.shape for node in nodes]
    if len(set(shapes)) <= 1:
        return nodes
    shape, broadcast_to = common_shape(*shapes), REGISTRY["broadcast_to"]
    return tuple(node if node.shape == shape else broadcast_to(node, shape=shape) for node in nodes)


def same_types(name: str, types: tuple[Type, ...], arity: int) -> None:
    """Refuses inputs of different shapes or dtypes, or the wrong number of them."""
    if len(types) != arity:
        raise GraphError(f"{name} was given {len(types)} values", expected=str(arity), remedy=f"see help(chainrule.ops.{name})")
    same_dtypes(name, types)
    if len({kind.shape for kind in types}) > 1:
        raise ShapeError(
            f"{name} was given {' and '.join(map(repr, types))}",
            expected="one shape on all inputs",
            remedy="reshape or broadcast_to one of them",
        )


def same_dtypes(name: str, types: tuple[Type, ...]) -> None:
    """Refuses inputs of different dtypes."""
    if len({kind.dtype for kind in types}) > 1:
        raise DtypeError(
            f"{name} was given {' and '.join(map(repr, types))}",
            expected="one dtype on all inputs",
            remedy="convert one of them with cast(x, dtype=...); an array beside a node x: array.astype(x.dtype)",
        )


def require_kind(name: str, given: Type, kind: str) -> None:
    """Refuses a dtype that is not of the kind."""
    if given.dtype not in DTYPE_KINDS[kind]:
        raise DtypeError(
            f"{name} was given {given!r}", expected=" or ".join(DTYPE_KINDS[kind]), remedy="convert it with cast(x, dtype=...)"
        )


def require_axis(name: str, axis: int, ndim: int) -> int:
    """The axis, if it is one of an array with `ndim` axes, counted from 0: what stands in a graph."""
    if axis >= 0:
        return normal_axis(name, axis, ndim)
    raise ShapeError(f"{name} was given axis {axis!r}", expected="an axis counted from 0", remedy="count axes from 0")


Gradients: TypeAlias = "tuple[Node | None, ...]"
Attribute: TypeAlias = Any
