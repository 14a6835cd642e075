"""Numbers as formulas: constants, sums of quantities with factors, and functions of them; so scalings multiply out by themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from typing import Any

import numpy as np

from chainrule.errors import OptionError
from chainrule.graph import CONSTANT, Array, Graph, Node
from chainrule.immutable import immutable

MOST_TERMS = 20_000
"""How many products a formula may be put together from, before anything is written."""
MOVED = {"reshape", "broadcast_to", "transpose", "slice_axes", "flip", "windows", "stop_gradient", "concatenate"}
"""Ops that only put entries elsewhere."""


@immutable(eq=False)
class Atom:
    """A quantity: an input by its name, or a node's op of sums. Equal only to itself."""

    node: Node
    arguments: tuple[Sum, ...] = ()
    name: str = ""


@immutable(eq=False)
class Sum:
    """constant + Σ factor·atom."""

    constant: float = 0.0
    terms: Mapping[Atom, float] = field(default_factory=dict[Atom, float])

    @property
    def is_number(self) -> bool:
        """Whether no quantity is in it."""
        return not self.terms

    def plus(self, other: Sum, factor: float = 1.0) -> Sum:
        """self + factor·other."""
        terms = dict(self.terms)
        for atom, each in other.terms.items():
            terms[atom] = terms.get(atom, 0.0) + factor * each
        return Sum(self.constant + factor * other.constant, {atom: each for atom, each in terms.items() if each})

    def times(self, factor: float) -> Sum:
        """self·factor."""
        return Sum(self.constant * factor, {atom: each * factor for atom, each in self.terms.items() if factor})


def applied(node: Node, *arguments: Sum) -> Sum:
    """A node's op on sums: sums and products with a number stay sums, all else is a quantity of its own."""
    match node.op.name, arguments:
        case "add", (x, y):
            return x.plus(y)
        case "subtract", (x, y):
            return x.plus(y, -1.0)
        case "negative", (x,):
            return x.times(-1.0)
        case "multiply", (x, y) if y.is_number:
            return x.times(y.constant)
        case "multiply", (x, y) if x.is_number:
            return y.times(x.constant)
        case "divide", (x, y) if y.is_number:
            return x.times(1.0 / y.constant)
        case "cast", (x,):
            return x
        case _:
            return Sum(0.0, {Atom(node, arguments): 1.0})


def sums_of(graph: Graph, values: Mapping[Node, Array], names: Mapping[str, list[str]]) -> dict[str, list[Sum]]:
    """The outputs of a graph for one example as sums; `names` are those of the inputs' numbers.

    Raises: OptionError for what is no formula of numbers: loops, places that are data; and for what would be too long.
    """
    found: dict[Node, Any] = {}
    for node in graph.nodes:
        if node in values or node.op is CONSTANT:
            found[node] = _each(_number, values.get(node, node.attributes.get("value")))
        elif node.is_leaf:
            atoms = [Sum(0.0, {Atom(node, name=name): 1.0}) for name in names[node.name]]
            found[node] = _array(atoms).reshape(node.shape)
        else:
            found[node] = _computed(node, [found[source] for source in node.inputs])
    return {name: list(found[node].reshape(-1)) for name, node in graph.outputs.items()}


def _each(function: Callable[..., object], *arrays: Any) -> Any:
    return np.asarray(np.frompyfunc(function, len(arrays), 1)(*arrays), dtype=object)


def _number(value: float) -> Sum:
    return Sum(float(value))


def _array(items: list[Any]) -> Any:
    made = np.empty(len(items), dtype=object)
    made[:] = items
    return made


def _computed(node: Node, inputs: list[Any]) -> Any:
    if node.op.name in MOVED:
        return np.asarray(node.op.meaning(*inputs, **node.attributes), dtype=object)
    if node.op.kind == "elementwise":
        return _each(lambda *sums: applied(node, *sums), *inputs)
    match node.op.name:
        case "matmul":
            x, y = inputs
            if node.type.size * x.shape[-1] > MOST_TERMS:
                raise too_long(f"{node.type.size * x.shape[-1]:,} products")
            return _matmul(x, y)
        case "reduce_sum":
            return _along(node, inputs[0], _added)
        case "softmax":
            return _softmax(node, inputs[0])
        case _:
            raise OptionError(
                f"the op {node.op.name}{f' of the layer {node.scope}' if node.scope else ''} in a formula",
                expected="a network of dense layers and functions of numbers",
                remedy='choose another format, such as to="numpy"',
            )


def _product(x: Sum, y: Sum) -> Sum:
    return x.times(y.constant) if y.is_number else y.times(x.constant)


def _added(sums: Iterable[Sum]) -> Sum:
    total = Sum()
    for item in sums:
        total = total.plus(item)
    return total


def _matmul(x: Any, y: Any) -> Any:
    rows, columns = x.reshape(-1, x.shape[-1]), y.reshape(-1, y.shape[-1])
    if x.ndim != 2 or not all(item.is_number for item in columns.reshape(-1)):
        raise too_long("a product of quantities")
    made = [[_added(_product(a, b) for a, b in zip(row, column, strict=True)) for column in columns.T] for row in rows]
    return _array([item for row in made for item in row]).reshape(len(rows), columns.shape[1])


def _along(node: Node, x: Any, function: Callable[[Iterable[Sum]], Sum]) -> Any:
    axes = node.attributes["axes"]
    kept = [axis for axis in range(x.ndim) if axis not in axes]
    rows = x.transpose([*kept, *axes]).reshape(node.type.size, -1)
    return _array([function(row) for row in rows]).reshape(node.shape)


def _softmax(node: Node, z: Any) -> Any:
    """Shares: each a quantity of all z, which get names of their own."""
    axis = node.attributes["axis"]
    rows = np.moveaxis(z, axis, -1)
    made = np.empty(rows.shape, dtype=object)
    for place in np.ndindex(*rows.shape[:-1]):
        named = [Sum(0.0, {Atom(node, (item,), "z"): 1.0}) for item in rows[place]]
        for at, item in enumerate(named):
            made[(*place, at)] = Sum(0.0, {Atom(node, (item, *named)): 1.0})
    return np.moveaxis(made, -1, axis)


def too_long(what: str) -> OptionError:
    """The error for a formula that nobody would read."""
    return OptionError(
        f"a formula with {what}",
        expected="a small network, such as 1-50-1",
        remedy='write to="numpy" for a file that holds any network',
    )


def value_of(total: Sum, inputs: Mapping[Atom, Array], rounded: Callable[[float], float], known: dict[Atom, Array]) -> Any:
    """What a sum is at given inputs (n,), its constant and its factors rounded. `known` keeps what was computed."""
    found: Any = rounded(total.constant)
    for atom, factor in total.terms.items():
        if atom not in known:
            known[atom] = _value(atom, inputs, rounded, known)
        found = found + (factor if abs(factor) == 1 else rounded(factor)) * known[atom]
    return found


def _value(atom: Atom, inputs: Mapping[Atom, Array], rounded: Callable[[float], float], known: dict[Atom, Array]) -> Array:
    if atom in inputs:
        return inputs[atom]
    given = [np.asarray(value_of(item, inputs, rounded, known)) for item in atom.arguments]
    if atom.name == "z":
        return given[0]
    if atom.node.op.name == "softmax":
        largest = np.max(np.broadcast_arrays(*given), axis=0)
        return np.exp(given[0] - largest) / np.sum([np.exp(z - largest) for z in given[1:]], axis=0)
    with np.errstate(all="ignore"):  # what a condition does not take may be no number
        return np.asarray(atom.node.op.meaning(*given, **atom.node.attributes))
