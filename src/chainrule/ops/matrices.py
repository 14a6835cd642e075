"""The matrix product."""

from __future__ import annotations

import numpy as np

from chainrule.errors import ShapeError
from chainrule.graph import Array, Node, Operand, Type, as_nodes
from chainrule.ops.broadcast import broadcast_to
from chainrule.ops.declare import Gradients, common_shape, op, require_kind, same_dtypes
from chainrule.ops.shapes import swap_last


def _matmul_type(x: Type, y: Type) -> Type:
    require_kind("matmul", x, "float")
    same_dtypes("matmul", (x, y))
    if x.ndim < 2 or y.ndim < 2 or x.shape[:-2] != y.shape[:-2] or x.shape[-1] != y.shape[-2]:
        raise ShapeError(
            f"matrix product of {x!r} and {y!r}\n{draw(x, y)}",
            expected="(m, k) times (k, n), with equal axes before them",
            remedy="transpose or reshape one of them so that the inner extents are equal",
        )
    return x.with_shape((*x.shape[:-1], y.shape[-1]))


def draw(x: Type, y: Type) -> str:
    """The two shapes side by side, the inner extents marked.

    >>> print(draw(Type("float64", (32, 784)), Type("float64", (16, 10))))
          (32, 784) @ (16, 10)
               ^^^     ^^   784 is not 16
    """
    if x.ndim < 2 or y.ndim < 2:
        return f"      {x.shape} @ {y.shape}   a matrix has two axes or more"
    left, right = [str(extent) for extent in x.shape], [str(extent) for extent in y.shape]
    head = f"      ({', '.join(left)}) @ ({', '.join(right)})"
    inner = 6 + 1 + len(", ".join(left[:-1])) + 2
    other = 6 + len(f"({', '.join(left)}) @ (") + len(", ".join(right[:-2])) + (2 if right[:-2] else 0)
    marks = " " * inner + "^" * len(left[-1])
    marks += " " * (other - len(marks)) + "^" * len(right[-2])
    if left[-1] == right[-2]:
        return head
    return f"{head}\n{marks}   {left[-1]} is not {right[-2]}"


@op(_matmul_type, "{0} {1}", r"{0}\, {1}", 2, kind="product", rounding="terms")
def matmul(x: Array, y: Array) -> Array:
    """The matrix product over the last two axes; axes before them are a batch of products.

    Shapes: (..., m, k) and (..., k, n) give (..., m, n).
    """
    return np.matmul(x, y)


@matmul.vjp
def matmul_vjp(g: Node, out: Node, x: Node, y: Node) -> Gradients:
    """g·yᵀ and xᵀ·g."""
    return matmul(g, swap_last(y)), matmul(swap_last(x), g)


def _batched(*operands: Operand) -> tuple[Node, ...]:
    """Both as nodes, batch axes broadcast against each other."""
    nodes = as_nodes(*operands)
    if len(nodes) != 2 or any(node.type.ndim < 2 for node in nodes) or nodes[0].shape[:-2] == nodes[1].shape[:-2]:
        return nodes
    batch = common_shape(nodes[0].shape[:-2], nodes[1].shape[:-2])
    shapes = [(*batch, *node.shape[-2:]) for node in nodes]
    return tuple(
        node if node.shape == shape else broadcast_to(node, shape=shape) for node, shape in zip(nodes, shapes, strict=True)
    )


matmul.prepare = _batched
