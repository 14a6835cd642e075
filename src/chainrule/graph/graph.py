"""The graph: a function from named leaves to named outputs, with *the* topological order."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import cast

import numpy as np

from chainrule.checks import checked, scalar
from chainrule.display import Drawn
from chainrule.errors import DtypeError, GraphError, ShapeError
from chainrule.graph.arraylike import Textual
from chainrule.graph.node import CONSTANT, INPUT, NAME, NAME_RULE, PARAMETER, Node, Op
from chainrule.graph.text import format_graph
from chainrule.graph.types import Array, Type, is_plain
from chainrule.spelling import suggest


def topological_order(roots: Iterable[Node], known: Container[Node] = ()) -> tuple[Node, ...]:
    """Every node that the roots are computed from, each after its inputs; iterative, so depth is no limit.

    What lies behind `known` nodes is left out, they themselves are not.

    The sort is what makes reverse mode right when a value is used twice (b = a + a, c = b + b): b's derivative must be
    complete before it is passed on to a. Visiting each edge by recursion, without the order, passes parts on twice.
    """
    order: list[Node] = []
    done: set[Node] = set()
    for root in roots:
        # A node in brackets is one whose inputs stand above it: when it comes up again, they are in the order.
        stack: list[Node | tuple[Node]] = [root]
        while stack:
            top = stack.pop()
            if isinstance(top, tuple):
                order.append(top[0])
            elif top not in done:
                done.add(top)
                if top.inputs and top not in known:
                    stack.append((top,))
                    stack.extend(top.inputs[::-1])
                else:
                    order.append(top)
    return tuple(order)


def descendants(order: Iterable[Node], sources: Iterable[Node]) -> set[Node]:
    """The sources, and all of the order, where a node stands behind its inputs, that is computed from them."""
    reached = set(sources)
    for node in order:
        if not reached.isdisjoint(node.inputs):
            reached.add(node)
    return reached


def rebuilt(root: Node, known: dict[Node, Node]) -> Node:
    """The root on other nodes in the place of those that are `known`; all that is built on the way is known from then on."""
    for node in topological_order([root], known):
        if node not in known:
            known[node] = node.with_inputs(tuple(known[source] for source in node.inputs))
    return known[root]


@checked
class Graph(Textual, Drawn):
    """A function from named leaves to named outputs.

    >>> from chainrule.graph import input_node
    >>> x = input_node("x", (2,))
    >>> print(Graph({"y": x * 2.0}))
    x: float64[2] = input()
    %0: float64[] = constant(value=2.0)
    %1: float64[2] = broadcast_to(%0, shape=(2,))
    %2: float64[2] = multiply(x, %1)
    return y=%2

    `outputs` maps names to nodes. `unused` are further nodes that the graph carries though no output needs them (a text may
    hold such lines); the pass `dead_code` drops them.
    """

    def __init__(self, outputs: Mapping[str, Node], unused: Iterable[Node] = ()) -> None:
        self.outputs: Mapping[str, Node] = MappingProxyType(dict(outputs))
        for name in self.outputs:
            if not NAME.fullmatch(name):
                raise GraphError(f"output name {name!r}", expected=NAME_RULE, remedy="rename the output")
        self.nodes = topological_order((*self.outputs.values(), *unused))
        self.leaves: Mapping[str, Node] = MappingProxyType(self._leaves_by_name())

    def _leaves_by_name(self) -> dict[str, Node]:
        leaves: dict[str, Node] = {}
        for node in self.nodes:
            if node.op in {INPUT, PARAMETER}:
                if leaves.setdefault(node.name, node) is not node:
                    raise GraphError(
                        f"two leaves are called {node.name!r}: {leaves[node.name]!r} and {node!r}",
                        expected="one leaf to a name",
                        remedy="use one leaf node in both places, or give them different names",
                    )
                if not node.name:
                    raise GraphError(f"{node!r} has no name", expected="a name on each leaf", remedy="name it when you make it")
        return leaves

    @cached_property
    def ops(self) -> frozenset[Op]:
        """The ops of its nodes."""
        return frozenset(node.op for node in self.nodes)

    @cached_property
    def inputs(self) -> tuple[Node, ...]:
        """Its input leaves, in topological order."""
        return tuple(node for node in self.nodes if node.op is INPUT)

    @cached_property
    def parameters(self) -> tuple[Node, ...]:
        """Its parameter leaves, in topological order."""
        return tuple(node for node in self.nodes if node.op is PARAMETER)

    @cached_property
    def users(self) -> Mapping[Node, tuple[Node, ...]]:
        """For each node, those computed directly from it (twice if used twice)."""
        users: dict[Node, list[Node]] = {node: [] for node in self.nodes}
        for node in self.nodes:
            for source in node.inputs:
                users[source].append(node)
        return {node: tuple(found) for node, found in users.items()}

    def bind(self, values: Mapping[str, object]) -> dict[Node, Array]:
        """Leaf nodes with their values, each checked against its type."""
        missing = sorted(self.leaves.keys() - values.keys())
        if missing:
            raise GraphError(
                f"no value for {', '.join(missing)}", expected="a value for each leaf", remedy=f"pass {missing[0]}=..."
            )
        unknown = sorted(values.keys() - self.leaves.keys())
        if unknown:
            known = ", ".join(self.leaves) or "none"
            raise GraphError(
                f"the graph has no leaf {', '.join(unknown)}",
                expected=f"some of: {known}",
                remedy=suggest(unknown[0], self.leaves),
            )
        return {node: conform(values[name], node.type, name) for name, node in self.leaves.items()}

    def __str__(self) -> str:
        return format_graph(self.nodes, self.outputs)


def conform(value: object, wanted: Type, name: str) -> Array:
    """The value as an array of exactly this type, or an error that says how it differs; nothing is broadcast.

    Numbers and lists take the type's dtype where it can hold them, arrays where that changes no entry: whole numbers become floats, but a
    float64 array for a float32 leaf is noticed.
    """
    if type(value) is np.ndarray and value.shape == wanted.shape and is_plain(value, wanted.dtype):
        return value
    value = scalar(value)
    array = _converted(cast("Array", value), wanted) if isinstance(value, np.ndarray) else _from_python(value, wanted, name)
    if array.shape != wanted.shape:
        raise ShapeError(
            f"{name} was given an array of shape {array.shape}",
            expected=f"shape {wanted.shape}",
            remedy="reshape the array; nothing is broadcast silently",
        )
    if array.dtype.name != wanted.dtype:
        raise DtypeError(
            f"{name} was given {array.dtype.name} numbers",
            expected=wanted.dtype,
            remedy=f"write array.astype({wanted.dtype!r})",
        )
    # The name is the same for both byte orders: from here on it is the machine's.
    # Numbers that lie in order in memory: NumPy's last digits depend on that.
    return np.asarray(array, dtype=wanted.dtype, order="C")


def _converted(array: Array, wanted: Type) -> Array:
    """An array of whole numbers as what is wanted, if each entry stays what it is; any other as it is."""
    if array.dtype.name == wanted.dtype or array.dtype.kind not in "iu" or wanted.dtype == "bool":
        return array
    with np.errstate(invalid="ignore"):
        found = array.astype(wanted.dtype)
        # There and back: beyond 2⁵³ a whole number may become another one, and still compare equal as a float.
        same = np.array_equal(found.astype(array.dtype), array) and np.array_equal(found < 0, array < 0)
    return found if same else array


def _from_python(value: object, wanted: Type, name: str) -> Array:
    try:
        array: Array = np.array(value, dtype=wanted.dtype)
        # 2.5 cut to 2, or None taken as NaN, is not what was given.
        kept = wanted.is_float or bool(np.all(array == np.array(value)))
    except (TypeError, ValueError, OverflowError):
        array, kept = np.empty(0), False
    if not kept or np.array(value).dtype.kind not in "fiub":
        shown = repr(value)
        raise DtypeError(
            f"{name} was given {shown if len(shown) <= 60 else shown[:57] + '...'}",
            expected=f"{wanted!r}: numbers that {wanted.dtype} can hold, in rows of equal length",
            remedy=f"write np.asarray(value, dtype={wanted.dtype!r})",
        )
    return array


def check(graph: Graph) -> Graph:
    """Derives every type anew and looks at order, leaves and attributes; returns the graph, or says what is wrong.

    Raises: GraphError.
    """
    seen: set[Node] = set()
    for node in graph.nodes:
        derived = node.op.type_rule(*(source.type for source in node.inputs), **node.attributes)
        if derived != node.type:
            raise GraphError(f"{node!r} says it is {node.type!r}", expected=f"{derived!r}", remedy="rebuild the node by its op")
        if not seen.issuperset(node.inputs):
            raise GraphError(f"{node!r} stands before its inputs", expected="inputs first", remedy="build a new Graph")
        if node.op is CONSTANT and node.attributes["value"].flags.writeable:
            raise GraphError(
                f"the constant {node!r} can be written", expected="a frozen array", remedy="make it with constant()"
            )
        seen.add(node)
    return graph
