"""The gradient checker: a gradient written by hand beside the true one, entry by entry, and the classic mistake that explains it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias, cast

import numpy as np

from chainrule.derivatives import grad
from chainrule.display import Shown
from chainrule.engines import engine_named
from chainrule.errors import DtypeError, GraphError, OptionError, ShapeError
from chainrule.graph import Array, Graph, Node, Shape, topological_order
from chainrule.immutable import immutable
from chainrule.ops import scan
from chainrule.spelling import suggest
from chainrule.trace.gradient_judge import Judge, ParameterCheck, compared, entries, judged, short
from chainrule.trace.gradient_words import diagnosed, explained, unexplained, untold
from chainrule.trace.mistake_search import MistakeSearch
from chainrule.trace.mistakes import Mistake, not_finite
from chainrule.trace.mistakes.whole import gradient_of
from chainrule.trace.network_structure import Structure
from chainrule.trace.planted import BackwardPass
from chainrule.trace.precise import in_float64
from chainrule.trace.rounding import rounding_of
from chainrule.trace.time_steps import step_by_step
from chainrule.trace.tolerance import Tolerance
from chainrule.trace.written_out import written_out

Arrays: TypeAlias = Mapping[str, Array]
_UNIT = float(np.finfo(np.float64).eps)


@immutable
class OtherMode(Shown):
    """The same network as it is in its other mode: the graph of its cost, values for its leaves, and whether it is the training mode."""

    graph: Graph
    values: Mapping[str, object]
    is_training: bool


@immutable
class GradientCheck(Shown):
    """The verdict on a gradient: each parameter, the mistakes that explain what is wrong, and how the judge was judged.

    `explanations`: each is one way to explain all arrays, as one or two mistakes; several where they cannot be told apart with these
    values. None where nothing is wrong or no mistake that is known fits: then `advice` says where to look. `silent` are the parameters
    whose true gradient is 0 in every entry, so that little can be told about yours, and `note` says why.
    """

    parameters: tuple[ParameterCheck, ...]
    judge: Judge
    explanations: tuple[tuple[Mistake, ...], ...] = ()
    advice: str = ""
    silent: tuple[str, ...] = ()
    note: str = ""

    @property
    def ok(self) -> bool:
        """Whether every entry agrees."""
        return all(parameter.verdict == "right" for parameter in self.parameters)

    @property
    def tells(self) -> bool:
        """Whether anything can be told: the true gradient is not 0 everywhere."""
        return len(self.silent) < len(self.parameters)

    @property
    def diagnosis(self) -> list[Mistake]:
        """The mistakes of all explanations, each once."""
        found: list[Mistake] = []
        for explanation in self.explanations:
            found += [mistake for mistake in explanation if mistake not in found]
        return found

    def __getitem__(self, name: str) -> ParameterCheck:
        """The check of one parameter."""
        known = {parameter.name: parameter for parameter in self.parameters}
        if name not in known:
            raise GraphError(f"no parameter {name!r}", expected=", ".join(known), remedy=suggest(name, known))
        return known[name]

    @property
    def _head(self) -> str:
        wrong = sum(parameter.verdict != "right" for parameter in self.parameters)
        if wrong:
            return f"Wrong: {wrong} of {len(self.parameters)} arrays."
        return "Right: every entry agrees." if self.tells else "Nothing can be told: every entry of the true gradient is 0."

    def __repr__(self) -> str:
        width = max(len(short(parameter.name)) for parameter in self.parameters)
        rows = "\n".join(f"  {parameter.line(width)}" for parameter in self.parameters)
        return "\n".join(
            part for part in (self._head, rows, self.note, str(self.judge), explained(self.explanations), self.advice) if part
        )


def check_gradient(
    mine: Mapping[str, object] | Callable[[dict[str, Array]], Mapping[str, object]],
    graph: Graph,
    values: Mapping[str, object],
    cost: str = "",
    tolerance: float | None = None,
    other_mode: OtherMode | None = None,
) -> GradientCheck:
    """Compares a gradient written by hand with the true one, and says which classic mistake was made, in which layers.

    `mine` holds an array for each parameter of the cost by name, of its shape, float64 or float32; or is a function that makes them of the
    values of all leaves (a copy of them, float64). `graph` has the cost as its only scalar output, or under the name `cost`. `values`
    holds a value for each leaf by name. `tolerance` is the relative difference up to which entries agree: without it 1e-7, and sixteen
    units of rounding where an array is float32. Beyond it an entry may differ by what rounding does to the sum that it is, which is
    measured: so an entry that is 0 but for rounding is right when yours is, too. `other_mode`: if yours is right in that, it is said.

    The true gradient comes from `grad` in float64 on the reference engine, and is itself held against finite differences at some
    entries. If yours differs, each mistake that is known is planted in a backward pass of the same graph, in each layer, at each time
    step and in each array; that which gives your numbers to the tolerance is named. The simplest explanation counts: one kind of mistake,
    else two. `chainrule.trace.mistakes.CATALOGUE` lists the kinds.

    >>> from chainrule.graph import input_node, parameter
    >>> from chainrule.ops import mean
    >>> x, y, W = input_node("x", (4, 1)), input_node("y", (4, 1)), parameter("W", (1, 1))
    >>> error = x @ W - y
    >>> def mine(v):
    ...     return {"W": v["x"].T @ (v["x"] @ v["W"] - v["y"])}
    >>> values = {"x": np.array([[1.0], [2.0], [3.0], [4.0]]), "y": np.ones((4, 1)), "W": np.array([[0.3]])}
    >>> check = check_gradient(mine, Graph({"C": mean(error * error) * 0.5}), values)
    >>> check.ok, [mistake.name for mistake in check.diagnosis]
    (False, ['missing 1/B'])

    Raises: GraphError for missing or unknown names; ShapeError, DtypeError for arrays that do not fit; OptionError for a cost that
    cannot be told, and for values at which the true gradient is not finite.
    """
    graph = written_out(in_float64(graph))
    output = _cost(graph, cost)
    bound = {node.name: array for node, array in graph.bind({name: _widened(value) for name, value in values.items()}).items()}
    backward = _backward(output, bound)
    right = _true_gradient(output, backward.parameters, bound)
    given = mine({name: array.copy() for name, array in bound.items()}) if callable(mine) else mine
    twin = None if other_mode is None else partial(_gradient_in, other_mode, cost)
    structure = Structure(backward, twin, twin_is_training=other_mode is None or other_mode.is_training)
    arrays, unit = _arrays(given, right, structure)
    unit = unit if tolerance is None else _UNIT
    near = Tolerance(
        tolerance if tolerance is not None else max(1e-7, 16 * unit), unit, right, partial(_rounding, backward, right, unit)
    )
    rows = tuple(compared(name, structure.layers[name], arrays[name], right[name], near) for name in right)
    silent = {name: not np.any(right[name]) for name in right if near.is_zero(name)}
    judge, note = judged(backward, right), untold(structure, silent)
    if all(row.verdict == "right" for row in rows):
        return GradientCheck(rows, judge, silent=tuple(silent), note=note)
    if any(row.verdict == "not finite" for row in rows):
        return GradientCheck(rows, judge, ((_not_finite(rows),),), silent=tuple(silent), note=note)
    search = MistakeSearch(structure, arrays, right, near)
    explanations = diagnosed(search)
    return GradientCheck(
        rows, judge, explanations, "" if explanations else unexplained(rows, tuple(silent)), tuple(silent), note
    )


def _backward(output: Node, bound: Arrays) -> BackwardPass:
    """The backward pass of the cost, each loop as its turns: mistakes may be made at a time step."""
    if any(node.op is scan for node in topological_order([output])):
        output = step_by_step(Graph({"C": output})).outputs["C"]
    leaves = (node for node in topological_order([output]) if node.is_leaf and node.name in bound)
    return BackwardPass(output, {node: bound[node.name] for node in leaves})


def _rounding(backward: BackwardPass, right: Arrays, unit: float) -> Arrays:
    nodes = grad(backward.cost, [backward.parameters[name] for name in right])
    known = {name: node for name, node in zip(right, nodes, strict=True) if node is not None}
    leaves = {node: value for node, value in backward.values.items() if node.is_leaf}
    moved = rounding_of(list(known.values()), leaves, unit, inputs_too=unit > _UNIT)
    return {name: np.zeros(array.shape) for name, array in right.items()} | dict(zip(known, moved, strict=True))


def _gradient_in(mode: OtherMode, cost: str) -> Arrays:
    graph = in_float64(mode.graph)
    output = _cost(graph, cost)
    values = graph.bind({name: _widened(value) for name, value in mode.values.items()})
    return gradient_of(_backward(output, {node.name: array for node, array in values.items()}))


# ---- what is given


def _cost(graph: Graph, name: str) -> Node:
    scalars = {label: node for label, node in graph.outputs.items() if node.shape == () and node.type.is_float}
    if name in scalars:
        return scalars[name]
    if not name and len(scalars) == 1:
        return next(iter(scalars.values()))
    raise OptionError(
        f"cost {name!r}" if name else f"a graph with {len(scalars)} scalar outputs",
        expected=f"one of {', '.join(scalars)}" if scalars else "a scalar output: the cost",
        remedy='name it, cost="C"' if scalars else "reduce the cost with mean or sum",
    )


def _widened(value: object) -> object:
    if isinstance(value, np.ndarray | np.generic):
        array = cast("Array", value)
        return array.astype(np.float64) if array.dtype.kind == "f" else array
    return value


def _true_gradient(output: Node, parameters: Mapping[str, Node], bound: Arrays) -> dict[str, Array]:
    if not parameters:
        raise GraphError("a cost without parameters", expected="one or more", remedy="make weights with parameter(name, shape)")
    nodes = grad(output, list(parameters.values()))
    wanted = Graph({name: node * 0.0 if g is None else g for (name, node), g in zip(parameters.items(), nodes, strict=True)})
    found = engine_named("reference").compile(wanted)({name: bound[name] for name in wanted.leaves})
    wild = [name for name, array in found.items() if not np.all(np.isfinite(array))]
    if wild:
        raise OptionError(
            f"the true gradient by {', '.join(wild)} is not finite at these values",
            expected="values at which the cost has a finite gradient",
            remedy="take smaller weights or scaled inputs",
        )
    return found


def _arrays(given: Mapping[str, object], right: Arrays, structure: Structure) -> tuple[dict[str, Array], float]:
    """The student's arrays in float64, and the precision of the coarsest of them."""
    if not isinstance(cast("object", given), Mapping):
        raise OptionError(
            f"a gradient of type {type(given).__name__}",
            expected="a dict of arrays by parameter",
            remedy=f"return {_asked(right)}",
        )
    missing, unknown = sorted(right.keys() - given.keys()), sorted(map(str, given.keys() - right.keys()))
    if missing or unknown:
        parts = [f"no gradient for {', '.join(missing)}"] * bool(missing)
        parts += [f"one for {', '.join(map(short, unknown))}, which the cost does not depend on"] * bool(unknown)
        raise GraphError(", and ".join(parts), expected=f"one for each of {', '.join(right)}", remedy=f"return {_asked(right)}")
    arrays = {name: _array(name, given[name], right[name].shape, structure.batch) for name in right}
    unit = max((float(np.finfo(array.dtype).eps) for array in arrays.values()), default=_UNIT)
    return {name: array.astype(np.float64) for name, array in arrays.items()}, max(unit, _UNIT)


def _asked(right: Arrays) -> str:
    return "{" + ", ".join(f'"{name}": ...' for name in right) + "}"


def _array(name: str, value: object, shape: Shape, batch: int) -> Array:
    array: Array = np.asarray(cast("Any", value))
    if array.dtype.kind != "f":
        raise DtypeError(
            f"the gradient for {name} holds {array.dtype.name}",
            expected="float64 or float32",
            remedy="make it of floating-point numbers; np.zeros_like of a whole-number array cuts them off",
        )
    if array.shape != shape:
        drawn = f"      yours  {array.shape}\n      needed {shape}"
        raise ShapeError(
            f"the gradient for {name} has another shape than the parameter\n{drawn}",
            expected=f"shape {shape}",
            remedy=_shape_remedy(array.shape, shape, batch),
        )
    return array


def _shape_remedy(yours: Shape, needed: Shape, batch: int) -> str:
    if yours == needed[::-1]:
        return "return its transpose: ∂C/∂W has the layout of W, xᵀ·δ for z = x·W"
    if yours == (batch, *needed):
        return f"sum over the examples, δ.sum(axis=0): here each of the {batch} has a row of its own"
    if yours == (batch,):
        return f"sum over the examples, δ.sum(axis=0): here the wrong axis was summed, which leaves a number for each of the {batch}"
    if np.prod(yours, dtype=int) == np.prod(needed, dtype=int):
        return f"reshape it to {needed}: it has as many entries as are needed"
    return "check the shapes of both factors in xᵀ·δ"


def _not_finite(rows: tuple[ParameterCheck, ...]) -> Mistake:
    wild = [row for row in rows if row.verdict == "not finite"]
    shown: list[str] = []
    for row in wild:
        places = np.argwhere(~np.isfinite(row.mine)).tolist()
        listed = ", ".join(f"{place}" for place in places[:3]) + (", ..." if len(places) > 3 else "")
        shown.append(f"{row.name}: {entries(len(places))} of {row.mine.size}, at {listed}")
    layers = tuple(dict.fromkeys(row.layer for row in wild))
    return Mistake(not_finite.name, layers, not_finite.explanation, not_finite.remedy, "; ".join(shown))
