"""Reverse mode on one screen: walk the topological order backwards, add up what arrives at each node, pass it on."""

from __future__ import annotations

import typing
from collections.abc import Iterator, Sequence
from functools import reduce
from operator import add
from typing import Any

from chainrule.checks import checked, shown
from chainrule.errors import GraphError, ShapeError
from chainrule.graph import CONSTANT, Node, Op, constant, input_node, scope_root, topological_order
from chainrule.graph.graph import descendants, rebuilt
from chainrule.ops import broadcast_to, cast, divide, greater, logical_not, multiply, reduce_sum, sum, where  # noqa: A004


@checked
def grad(y: Node, wrt: Sequence[Node]) -> list[Node | None]:
    """The derivative of the scalar y by each node of `wrt`, as nodes; None says that y does not depend on it (differentiably).

    >>> from chainrule.graph import compute, input_node
    >>> import numpy as np
    >>> x = input_node("x")
    >>> (slope,) = grad(x * x * x, [x])
    >>> (curvature,) = grad(slope, [x])
    >>> [float(value) for value in compute([slope, curvature], {x: np.float64(2.0)})]
    [12.0, 12.0]

    Raises: ShapeError if y is not a scalar. Source: S. Linnainmaa (1970); D. E. Rumelhart, G. E. Hinton, R. J. Williams,
    Nature 323, 533 (1986).
    """
    if y.shape != () or not y.type.is_float:
        raise ShapeError(
            f"the gradient of {y!r} was asked for",
            expected="a scalar of float32 or float64",
            remedy="reduce it first, grad(sum(y), ...), or choose what the outputs are weighted with: vjp(y, wrt, g)",
        )
    return vjp([y], wrt, [constant(1.0, y.dtype)])


@checked
def vjp(outputs: Sequence[Node], wrt: Sequence[Node], cotangents: Sequence[Node]) -> list[Node | None]:
    """For each x of `wrt` the vector-Jacobian product Σ_y g_y·∂y/∂x: what reverse mode computes.

    Shapes: each cotangent as its output; each result as its x. None for an x that no output depends on. Raises: ShapeError, DtypeError
    for cotangents that do not fit, GraphError for an op without a derivative.
    """
    _require_pairs("outputs", outputs, "cotangents", cotangents)
    order = topological_order(outputs)
    # No derivative is formed where nobody asks for one.
    wanted = descendants(order, wrt)
    arrived = _Arrived()
    for y, g in zip(outputs, cotangents, strict=True):
        if g.type != y.type:
            raise ShapeError(f"a cotangent {g.type!r} for {y!r}", expected=f"{y.type!r}", remedy="give it the output's type")
        arrived.add(y, g, None)
    for node in reversed(order):
        # Every user of the node stands behind it in the order, so all paths have arrived and their sum is complete.
        if node in arrived.sums and _passes_on(node) and wanted.intersection(node.inputs):
            with scope_root(f"grad/{node.scope}" if node.scope else "grad"):
                for source, g, chosen in _passed_back(node, arrived):
                    if source in wanted:
                        arrived.add(source, g, chosen)
    return [arrived.sums.get(x) for x in wrt]


class _Arrived:
    """What has arrived at each node, added up; and where it can be other than 0 at all, if a choice lies behind it."""

    def __init__(self) -> None:
        self.sums: dict[Node, Node] = {}
        self.chosen: dict[Node, Node | None] = {}

    def add(self, node: Node, g: Node, chosen: Node | None) -> None:
        if node in self.sums:
            self.sums[node] = self.sums[node] + g
            if self.chosen[node] is not chosen:
                self.chosen[node] = None
        else:
            self.sums[node], self.chosen[node] = g, chosen


def _passed_back(node: Node, arrived: _Arrived) -> Iterator[tuple[Node, Node, Node | None]]:
    """What the node passes back to each input, and where that can be other than 0: where the value was chosen, if it was."""
    g, chosen = arrived.sums[node], arrived.chosen[node]
    found = _parts(node, g)
    moved = _parts(node, cast(chosen, dtype=g.dtype)) if chosen is not None and _moves(node.op) else found
    for place, (source, passed) in enumerate(zip(node.inputs, found, strict=True)):
        if passed is None:
            continue
        if node.op is where:
            yield source, passed, _chosen_from(node.inputs[0], place)
        elif chosen is None:
            yield source, passed, None
        elif _moves(node.op):
            kept = moved[place]
            yield source, passed, None if kept is None else greater(kept, 0.0)
        elif node.op.kind != "elementwise":
            # Such an op mixes entries: where it passes something back has little to do with where something arrived.
            yield source, passed, None
        elif node.op.finite_slope or _is_by_a_number(node, place):
            yield source, passed, chosen
        else:
            # 0 times a slope that is infinite would be NaN: what was not chosen leaves no trace in the derivative either.
            yield source, where(chosen, passed, 0.0), chosen


def _moves(op: Op) -> bool:
    """Whether an op moves numbers or adds them up: its rule moves a derivative, and where it can be other than 0, alike."""
    return op.kind in {"view", "placement"} or op is reduce_sum


def _chosen_from(condition: Node, place: int) -> Node:
    """Where a choice takes its second or its third value."""
    while condition.op is logical_not:
        condition, place = condition.inputs[0], 3 - place
    return condition if place == 1 else logical_not(condition)


def _is_by_a_number(node: Node, place: int) -> bool:
    """Whether the node is its input at `place` times a number, or over one."""
    if node.op is not multiply and (node.op is not divide or place == 1):
        return False
    other = node.inputs[1 - place]
    while other.op.kind == "view":
        other = other.inputs[0]
    return other.op is CONSTANT


def _require_pairs(first: str, ones: Sequence[Node], second: str, others: Sequence[Node]) -> None:
    if len(ones) != len(others):
        raise ShapeError(
            f"{len(ones)} {first} and {len(others)} {second}",
            expected="as many of both",
            remedy=f"give one of {second} for each of {first}",
        )


def _passes_on(node: Node) -> bool:
    """Whether a node hands gradients on to its inputs; one that has to and has no rule for it is an error."""
    if not node.op.differentiable or not node.type.is_float:
        return False
    if node.op.vjp_rule is None and any(source.type.is_float for source in node.inputs):
        raise GraphError(
            f"the derivative of {node.op.name} was asked for",
            expected="an op with a rule for its derivative",
            remedy=f"declare it: @{node.op.name}.vjp; or say that there is none: differentiable=False where the op is declared",
        )
    return node.op.vjp_rule is not None


def _parts(node: Node, g: Node) -> tuple[Node | None, ...]:
    """What the node's rule hands on to each of its inputs, held to the types that these have."""
    rule = node.op.vjp_rule
    found: Any = () if rule is None else rule(g, node, *node.inputs, **node.attributes)
    if not isinstance(found, tuple) or len(typing.cast("tuple[Any, ...]", found)) != len(node.inputs):
        raise _broken(
            node,
            f"gives {shown(typing.cast('object', found))}",
            f"a tuple with one gradient, or None, for each of its {len(node.inputs)} inputs",
        )
    parts = typing.cast("tuple[Any, ...]", found)
    for source, part in zip(node.inputs, parts, strict=True):
        if part is not None and (not isinstance(part, Node) or part.type != source.type):
            kind = part.type if isinstance(part, Node) else part
            raise _broken(node, f"gives {shown(kind)} for an input {source.type!r}", "a gradient of the input's own type")
    return parts


def _broken(node: Node, happened: str, expected: str) -> GraphError:
    return GraphError(
        f"the rule of {node.op.name} {happened}", expected=expected, remedy=f"correct the function below @{node.op.name}.vjp"
    )


@checked
def jvp(y: Node, wrt: Sequence[Node], tangents: Sequence[Node]) -> Node | None:
    """The Jacobian-vector product Σ_x ∂y/∂x·t_x: how y moves when each x moves along its tangent.

    Shapes: each tangent as its x; result as y. None where y depends on no x. Raises: ShapeError, DtypeError for tangents that do not fit,
    GraphError for an op without a derivative.

    The reverse product is linear in its cotangent; differentiating it by the cotangent turns it round. None says that y does
    not depend on x.
    """
    cotangent = input_node("cotangent", y.shape, y.dtype)
    products = [
        sum(multiply(g, t))
        for g, t in zip(vjp([y], wrt, [cotangent]), _same_types(wrt, tangents), strict=True)
        if g is not None
    ]
    if not products:
        return None
    (turned,) = grad(reduce(add, products), [cotangent])
    # A linear function has the same slope everywhere; a loop takes all its values along, also those that its slope does not go by.
    return None if turned is None else rebuilt(turned, {cotangent: broadcast_to(constant(0.0, y.dtype), shape=y.shape)})


@checked
def hvp(y: Node, wrt: Sequence[Node], tangents: Sequence[Node]) -> list[Node | None]:
    """The Hessian-vector products Σ_x' ∂²y/∂x∂x'·t_x' of a scalar y: the gradient of (gradient · tangent)."""
    products = [sum(multiply(g, t)) for g, t in zip(grad(y, wrt), _same_types(wrt, tangents), strict=True) if g is not None]
    if not products:
        return [None] * len(wrt)
    return grad(reduce(add, products), wrt)


def require_gradients(y: Node, wrt: Sequence[Node]) -> list[Node]:
    """Like `grad`, but a node that y does not depend on is an error that names it."""
    gradients = grad(y, wrt)
    unused = [x.name or repr(x) for x, g in zip(wrt, gradients, strict=True) if g is None]
    if unused:
        raise GraphError(
            f"no gradient reaches {', '.join(unused)}",
            expected="each of them to influence the result through differentiable ops",
            remedy="leave out what is unused; a step lets no gradient pass: train it with the perceptron rule, or use sigmoid",
        )
    return [g for g in gradients if g is not None]


def _same_types(wrt: Sequence[Node], tangents: Sequence[Node]) -> Sequence[Node]:
    _require_pairs("nodes to go along", wrt, "tangents", tangents)
    for x, t in zip(wrt, tangents, strict=True):
        if x.type != t.type:
            raise ShapeError(
                f"a tangent {t.type!r} for {x!r}", expected=f"{x.type!r}", remedy="give it the type of what it moves"
            )
    return tangents


__all__ = ["grad", "hvp", "jvp", "require_gradients", "vjp"]
