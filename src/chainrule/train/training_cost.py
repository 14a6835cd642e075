"""A training as a function of one vector: what methods that look at all examples at once are given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property

import numpy as np

from chainrule import ops
from chainrule.derivatives import jvp
from chainrule.engines import Engine, Loop, LoopProgram
from chainrule.errors import NonFiniteError, OptionError
from chainrule.graph import Array, Graph, compute, input_node, topological_order
from chainrule.train.clock import CLOCK, SCALARS, Clock
from chainrule.train.learning_problem import LearningProblem
from chainrule.train.nonfinite import Found, first_nonfinite, row_of
from chainrule.train.optimizer import Search
from chainrule.train.settings import Settings
from chainrule.train.squares import residuals_of

LARGEST_JACOBIAN = 10**8
"""Least squares keep a matrix of (residuals, parameters): so many numbers at most."""
_USUAL = (0.01, 100.0)
"""Parameters whose sizes lie between these need no units of their own."""


class TrainingCost:
    """The cost of one replica over all examples, as a function of all its parameters, one behind the other.

    `state` holds the replica's arrays, each (1, ...), into which points are written; see `full_batch.Problem`.
    """

    def __init__(
        self,
        problem: LearningProblem,
        engine: Engine,
        program: LoopProgram,
        tables: Mapping[str, Array],
        state: dict[str, Array],
    ) -> None:
        self.problem, self.engine, self.program, self.tables, self.state = problem, engine, program, tables, state
        self.count = len(next(iter(tables.values())))
        self.arrays = [state[name] for name in problem.parameters]
        self.start: Array = np.concatenate([array.ravel() for array in self.arrays])
        self.units: Array = np.concatenate([np.full(array.size, _usual_size(array)) for array in self.arrays])

    def cost_and_gradient(self, point: Array) -> tuple[float, Array]:
        """The cost, and its gradient (n,)."""
        self.write(point)
        scalars = {name: np.ones(1) if name == "learning_rate" else np.zeros(1) for name in SCALARS}
        order, sizes = np.arange(self.count)[None], np.array([self.count])
        carried = self.program.load(self.state)
        records, found = self.program.run(carried, order, sizes, scalars).records, carried.arrays()
        return float(records["loss"][0, 0]), np.concatenate([found[f"{n}.gradient"].ravel() for n in self.problem.parameters])

    def residuals(self, point: Array) -> Array:
        """Numbers (m,) the sum of whose squares is the cost."""
        return self._flat(self._run(self._residuals, point), "r")

    def jacobian(self, point: Array) -> Array:
        """∂residuals/∂point, (m, n): one column to each entry, along which everything is differentiated once."""
        columns: list[Array] = []
        tangents = {
            f"tangent.{name}": np.zeros(array.shape[1:])
            for name, array in zip(self.problem.parameters, self.arrays, strict=True)
        }
        for tangent in tangents.values():
            flat = tangent.reshape(-1)
            for place in range(flat.size):
                flat[place] = 1.0
                columns.append(self._flat(self._run(self._slopes, point, tangents), "j"))
                flat[place] = 0.0
        return np.stack(columns, axis=1)

    def write(self, point: Array) -> None:
        """Makes the replica's parameters those of the point."""
        start = 0
        for array in self.arrays:
            array[...] = point[start : start + array.size].reshape(array.shape)
            start += array.size

    def nonfinite_start(self, error: NonFiniteError) -> Exception:
        """What is to be said of a start without a finite cost: the node that makes it so, or a weight that has no square root."""
        total = Graph({"C": self.problem.cost(self.count, Clock()).total})
        found = first_nonfinite(total, self._values(total, self.start))
        if found is not None:
            what = f"{found.words}, layer {found.node.scope or 'none'}) at the start{self._example(found)}"
            return NonFiniteError(what, expected=error.expected, remedy=found.remedy or error.remedy)
        # The cost is finite, so that what a residual lacks is the square root of a weight.
        graph = self._graphs[0]
        found = first_nonfinite(graph, self._values(graph, self.start))
        if found is None or found.node.op is not ops.sqrt:
            return error
        weight = compute([found.node.inputs[0]], graph.bind(self._values(graph, self.start)))[0]
        return OptionError(
            f"a loss in which a square counts by a number below 0, {weight[weight < 0].flat[0]:g}{self._example(found)}",
            expected="weights of 0 or more: Levenberg-Marquardt takes their square roots",
            remedy="correct the weights, or write optimizer=LBFGS()",
        )

    def _example(self, found: Found) -> str:
        row = row_of(found.value, self.count)
        return "" if row is None else f", example {row} of the training part"

    # ---- least squares

    @cached_property
    def _graphs(self) -> tuple[Graph, Graph]:
        """The residuals, and their derivatives along a tangent of every parameter."""
        cost = self.problem.cost(self.count, Clock())
        wrt = [item.node for item in cost.built.parameters.values()]
        tangents = [input_node(f"tangent.{node.name}", node.shape, node.dtype) for node in wrt]
        found = residuals_of(cost.total)
        size = sum(node.type.size for node in found)
        if size * len(self.start) > LARGEST_JACOBIAN:
            raise OptionError(
                f"Levenberg-Marquardt with {size} residuals and {len(self.start)} parameters",
                expected=f"at most {LARGEST_JACOBIAN} pairs of them, which it keeps the derivatives of",
                remedy="take optimizer=LBFGS(), or a smaller network",
            )
        slopes = {f"j{place}": jvp(node, wrt, tangents) for place, node in enumerate(found)}
        return (
            Graph({f"r{place}": node for place, node in enumerate(found)}),
            Graph({name: node for name, node in slopes.items() if node is not None}),
        )

    @cached_property
    def _residuals(self) -> tuple[Callable[[dict[str, Array]], Mapping[str, Array]], Graph]:
        graph = self._graphs[0]
        return self.engine.compile(graph), graph

    @cached_property
    def _slopes(self) -> tuple[Callable[[dict[str, Array]], Mapping[str, Array]], Graph]:
        graph = self._graphs[1]
        return self.engine.compile(graph), graph

    def _run(
        self,
        compiled: tuple[Callable[[dict[str, Array]], Mapping[str, Array]], Graph],
        point: Array,
        tangents: Mapping[str, Array] | None = None,
    ) -> Mapping[str, Array]:
        program, graph = compiled
        return program(self._values(graph, point, tangents))

    def _values(self, graph: Graph, point: Array, tangents: Mapping[str, Array] | None = None) -> dict[str, Array]:
        """What the leaves of a graph are at a point."""
        self.write(point)
        scalars = {name: np.zeros(()) for name in SCALARS}
        values = {**scalars, **{name: array[0] for name, array in self.state.items()}, **self.tables, **(tangents or {})}
        return {name: values[name] for name in graph.leaves}

    def _flat(self, found: Mapping[str, Array], letter: str) -> Array:
        """The entries one behind the other; what depends on no parameter has the derivative 0."""
        shapes = [node.shape for node in self._graphs[0].outputs.values()]
        parts = [found.get(f"{letter}{place}", np.zeros(shape)).ravel() for place, shape in enumerate(shapes)]
        return np.concatenate(parts).astype(np.float64)


def require_searchable(problem: LearningProblem, settings: Settings, loop: Loop) -> None:
    """Refuses a cost that is another one at each step: a search compares its values and derivatives at several points.

    Such is the cost of layers that draw by chance; and running statistics follow the steps of a training, of which a search has none.
    Raises: OptionError.
    """
    search, clip = settings.optimizer.search, settings.clip
    if search is None:
        return
    if clip is not None:
        raise OptionError(
            f"clip={clip!r} with {search.title}",
            expected=f"the gradient as it is: {search.title} searches for the size of each step",
            remedy="leave clip out",
        )
    nodes = topological_order([graph.outputs["loss"] for graph in loop.graphs.values()])
    draws = [node.scope.replace("/", ".") for node in nodes if node.op.kind == "random" and node.scope != CLOCK]
    moves = [
        name.rpartition(".")[0]
        for name, state in problem.carried(settings.batch_size).items()
        if state.next is not None and not state.by_row
    ]
    for layers, what in ((draws, "draws anew at each step"), (moves, "has a state that follows the steps of a training")):
        if layers:
            raise OptionError(
                f"{search.title} with {layers[0]}, which {what}",
                expected="a cost that is a function of the weights alone, as its search compares points",
                remedy="train with optimizer=Adam(), or leave the layer out; LayerNorm() does without running statistics",
            )


class Searching:
    """A full-batch method at work on one replica."""

    def __init__(self, method: Search, problem: TrainingCost) -> None:
        self.problem = problem
        self.iterations = method.descend(problem, problem.start)
        try:
            self.last = next(self.iterations)
        except NonFiniteError as error:
            raise problem.nonfinite_start(error) from None
        self.reason, self.moved = self.last.reason, False

    def advance(self) -> float:
        """One iteration, unless it is done; the cost there. What was tried last need not be where it is: the point is written again."""
        found = self.last if self.reason else next(self.iterations)
        self.moved = found is not self.last and not (found.reason and np.array_equal(found.point, self.last.point))
        self.last, self.reason = found, found.reason
        self.problem.write(found.point)
        return found.cost


def _usual_size(array: Array) -> float:
    size = float(np.sqrt(np.mean(array**2))) if array.size else 1.0
    return size if size and not _USUAL[0] <= size <= _USUAL[1] else 1.0
