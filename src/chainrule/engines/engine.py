"""What an engine is: it compiles a graph into a program, or a whole loop of steps into one that runs many per call."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol, TypeAlias

import numpy as np

from chainrule.checks import is_finite, unknown
from chainrule.display import Shown
from chainrule.engines.hosts import Hosts
from chainrule.errors import DtypeError, GraphError, OptionError, ShapeError
from chainrule.graph import Array, Body, Graph, Op, conform, dtype_name, form_of
from chainrule.immutable import immutable


@immutable
class Loop(Shown):
    """A graph to be run step after step, and where each of its leaves comes from.

    graphs: for each batch size the graph of one step; a shorter last batch is a second graph.
    rows: input leaf → table; in each step the leaf is the table's rows that the order names.
    state: leaves carried from step to step; a graph output of the same name is the next value, without one it stays.
    scalars: input leaves with one number for each step, of all replicas or of each its own: step count, learning rate.
    records: outputs kept for each step.
    stacked: outputs whose rows are laid one behind the other, step by step: predictions.
    in_order: the order is always 0, 1, 2, ...: rows are read where they lie.
    """

    graphs: Mapping[int, Graph]
    rows: Mapping[str, str]
    state: tuple[str, ...] = ()
    scalars: tuple[str, ...] = ()
    records: tuple[str, ...] = ()
    stacked: tuple[str, ...] = ()
    in_order: bool = False

    def __post_init__(self) -> None:
        known = {*self.rows, *self.state, *self.scalars}
        for size, graph in self.graphs.items():
            unbound = sorted(graph.leaves.keys() - known)
            missing = sorted({*self.records, *self.stacked} - graph.outputs.keys())
            if unbound or missing:
                raise GraphError(
                    f"the step for batches of {size} has leaves {unbound} without a source and lacks outputs {missing}",
                    expected="each leaf among rows, state or scalars, and each record among the outputs",
                    remedy="name them in the Loop",
                )

    @cached_property
    def carries(self) -> bool:
        """Whether a step goes on from what the one before it has made: those of a training do, those of an evaluation do not."""
        return any(name in graph.outputs for graph in self.graphs.values() for name in self.state)

    @cached_property
    def form(self) -> Hashable:
        """A key that loops share if they were built alike, whoever built them; see `graph.form_of`."""
        graphs = tuple((size, form_of(graph)) for size, graph in self.graphs.items())
        return graphs, tuple(self.rows.items()), self.state, self.scalars, self.records, self.stacked, self.in_order


def require_known(engine: str, graph: Graph, is_known: Callable[[Op], bool], table: str) -> None:
    """GraphError for an op that an engine cannot run, wherever it stands: in the graph, or in the body of a loop."""
    for node in graph.nodes:
        if not is_known(node.op) and node.op.decomposition is None:
            raise GraphError(
                f"the {engine} engine was given the op {node.op.name}{f' of layer {node.scope}' if node.scope else ''}",
                expected="ops that it has instructions for",
                remedy='compute with NumPy, which runs any op by its meaning: engine="reference"; '
                f"or say what it is made of: @{node.op.name}.decompose; or give the engine a row: {table}",
            )
        body = node.attributes.get("body")
        if isinstance(body, Body):
            require_known(engine, Graph(body.graph.outputs), is_known, table)


def no_such_stage(engine: Engine, name: str) -> OptionError:
    """The error for a stage that an engine does not have."""
    if engine.stages:
        return unknown(f"stage {name!r}", name, engine.stages)
    return OptionError(
        f"stage {name!r} of the {engine.name} engine",
        expected="an engine that compiles: this one runs the graph as it is",
        remedy='look at the graph, or use engine="native"',
    )


RowFunction: TypeAlias = "Callable[[Array, Array], Array]"
"""Rows, one behind the other in memory, and the batch sizes that they are cut into → rows of the output. It checks nothing."""


@immutable
class Results(Shown):
    """What some steps left behind: `records` (replicas, steps, ...) and `stacked` (replicas, rows, ...), by output name."""

    records: Mapping[str, Array]
    stacked: Mapping[str, Array]

    def copy(self) -> Results:
        """The same in arrays of its own."""
        records = {name: array.copy() for name, array in self.records.items()}
        return Results(records, {name: array.copy() for name, array in self.stacked.items()})

    @staticmethod
    def joined(pieces: Sequence[Results]) -> Results:
        """Those of pieces of steps, one behind the other."""

        def together(parts: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
            return {name: np.concatenate([part[name] for part in parts], axis=1) for name in parts[0]}

        return Results(together([piece.records for piece in pieces]), together([piece.stacked for piece in pieces]))


def check_run(
    loop: Loop,
    tables: Mapping[str, Array],
    replicas: int,
    state: Mapping[str, Array],
    order: Array,
    sizes: Array,
    scalars: Mapping[str, Array],
    limits: Callable[[Array], tuple[int, int]] | None = None,
) -> None:
    """Refuses what does not fit a run of the loop, before its first step: `check_steps` and `check_state`."""
    check_steps(loop, tables, replicas, order, sizes, scalars, limits)
    check_state(loop, replicas, state)


def check_steps(
    loop: Loop,
    tables: Mapping[str, Array],
    replicas: int,
    order: Array,
    sizes: Array,
    scalars: Mapping[str, Array],
    limits: Callable[[Array], tuple[int, int]] | None = None,
) -> None:
    """Refuses steps that there are not, or that find no rows; `limits` finds the lowest and the highest row of an order."""
    wrong = sorted(set(sizes.tolist()) - loop.graphs.keys())
    short = any(scalars[name].shape not in {(len(sizes),), (replicas, len(sizes))} for name in loop.scalars)
    if wrong or short or order.shape != (replicas, int(sizes.sum())):
        raise GraphError(
            f"a run of {len(sizes)} steps with an order of shape {order.shape} and batches of {wrong or sizes.tolist()[:3]}",
            expected=f"an order ({replicas}, Σ sizes), batches of {sorted(loop.graphs)}, a scalar of each name to a step",
            remedy="check the arrays given to run",
        )
    used = {tables[table].shape[0] for leaf, table in loop.rows.items() if any(leaf in g.leaves for g in loop.graphs.values())}
    rows = min(used, default=0)
    if used and order.size:
        lowest, highest = limits(order) if limits else (int(order.min()), int(order.max()))
        if lowest < 0 or highest >= rows:
            raise GraphError(
                f"rows {lowest} ... {highest}",
                expected=f"0 ... {rows - 1}",
                remedy=f"let the order count the rows from 0 to {rows - 1}",
            )
    if loop.in_order and not np.array_equal(order, np.tile(np.arange(int(sizes.sum())), (replicas, 1))):
        raise GraphError(
            "another order in a loop that reads rows as they lie", expected="0, 1, 2, ...", remedy="leave in_order out"
        )
    graph = next(iter(loop.graphs.values()))
    for name in loop.rows.keys() & graph.leaves.keys():
        table, leaf = tables[loop.rows[name]], graph.leaves[name]
        if table.shape[1:] != leaf.shape[1:]:
            raise ShapeError(
                f"a table with rows of shape {table.shape[1:]} for {name}",
                expected=f"rows of shape {leaf.shape[1:]}",
                remedy="reshape the table",
            )
        if dtype_name(table) != leaf.dtype:
            raise DtypeError(f"a table of {table.dtype.name} for {name}", expected=leaf.dtype, remedy="convert it with astype")


def check_state(loop: Loop, replicas: int, state: Mapping[str, Array]) -> None:
    """Refuses a state that is not this loop's, or that steps cannot write."""
    graph = next(iter(loop.graphs.values()))
    for name in loop.state:
        node = graph.leaves.get(name, graph.outputs.get(name))
        if node is not None:
            conform(state[name], node.type.with_shape((replicas, *node.shape)), f"state {name}")
            if name in graph.outputs and not state[name].flags.writeable:
                raise GraphError(
                    f"the state {name} is read-only",
                    expected="an array that new values can be written to",
                    remedy="pass a copy",
                )


class Carried(Protocol):
    """What a loop carries from step to step, where the engine wants it: in NumPy arrays of this process, or on a device."""

    def arrays(self) -> Mapping[str, Array]:
        """All of it by name, each (replicas, ...), to be read and not written; waits for what is still being computed."""
        ...

    def copy(self) -> Carried:
        """The same, which no step changes."""
        ...

    def is_finite(self) -> bool:
        """Whether no number is NaN or infinite."""
        ...


class HostState(Shown):
    """State in NumPy arrays of this process, which steps write into.

    >>> state = HostState({"w": np.array([1.0, np.inf])})
    >>> state.is_finite(), state.copy().arrays()["w"] is state.arrays()["w"]
    (False, False)
    """

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self._arrays = arrays

    def arrays(self) -> Mapping[str, Array]:
        """See `Carried`."""
        return self._arrays

    def copy(self) -> HostState:
        """See `Carried`."""
        return HostState({name: array.copy() for name, array in self._arrays.items()})

    def is_finite(self) -> bool:
        """See `Carried`."""
        return all_finite(self._arrays)


def all_finite(arrays: Mapping[str, Array]) -> bool:
    """Whether no number is NaN or infinite."""
    return all(map(is_finite, arrays.values()))


class Program(Protocol):
    """A compiled graph."""

    def __call__(self, values: Mapping[str, Any]) -> dict[str, Array]:
        """The outputs by name for values of all leaves by name; the arrays are the caller's to keep."""
        ...


class LoopProgram(Protocol):
    """A compiled loop over tables that were given when it was compiled; ready to run when `compile_loop` returns."""

    @property
    def longest(self) -> int | None:
        """How many steps it does in one go, None for any number; longer calls it cuts itself."""
        ...

    def load(self, state: Mapping[str, Array]) -> Carried:
        """The state name → (replicas, ...) where the steps want it. The arrays may be taken as they are, and be written into."""
        ...

    def run(self, state: Carried, order: Array, sizes: Array, scalars: Mapping[str, Array]) -> Results:
        """Runs len(sizes) steps, behind which `state`, made by `load`, is the new one.

        Shapes: order (replicas, Σ sizes) int64, the rows in the order they are used; sizes (steps,) int64, each a batch size of the
        loop; scalars name → (steps,), or (replicas, steps) where each replica has its own. A row outside its table is a GraphError
        before any step. After a PositionError, which the steps themselves may raise, `state` is no particular step's.
        """
        ...

    def prepared(self, state: Carried, order: Array, sizes: Array, scalars: Mapping[str, Array]) -> Callable[[], Results]:
        """A call of `run` that can be made again and again, in microseconds where little is to be done.

        Each time the steps find what tables, scalars and state hold by then, and the results are in the same arrays. What is given is
        checked now, and only now.
        """
        ...

    def report(self) -> dict[str, Any]:
        """What was compiled, for how long, for what machine: numbers and words for a run's record."""
        ...

    def over(self, tables: Mapping[str, Array]) -> LoopProgram:
        """The same program over other tables, of the same dtypes and row shapes; states loaded for one serve the other."""
        ...

    def mapping(self, state: Carried, leaf: str, output: str) -> RowFunction:
        """The way from rows of a leaf to those of a stacked output, at the first replica of a state, without going through tables."""
        ...


class Engine(Protocol):
    """Runs graphs. All engines give the numbers of the reference engine, within stated tolerances."""

    @property
    def name(self) -> str:
        """The word that users choose it by."""
        ...

    @property
    def stages(self) -> tuple[str, ...]:
        """What it can show on the way from the graph to what runs, in order; none, if it runs the graph as it is."""
        ...

    @property
    def tolerance(self) -> float:
        """How far, as a fraction of its size, a number may be another one when the same steps are done again.

        0: the bits of a run follow from its graphs, tables, seed and type of machine, however many threads or devices work.
        """
        ...

    @property
    def hosts(self) -> Hosts:
        """The processes that compute a training together; all of them make the same calls in the same order."""
        ...

    @property
    def caveat(self) -> str:
        """What else it does not promise, and when another engine is the better choice, in one clause; "" where there is nothing."""
        ...

    def compile(self, graph: Graph, calls: int | None = None) -> Program:
        """A program for single calls.

        `calls` is about how many there will be, None for many: where little is to be done an engine may take less care to be fast, and
        be ready earlier. No number depends on it.
        """
        ...

    def compile_loop(self, loop: Loop, tables: Mapping[str, Array], replicas: int, steps: int | None = None) -> LoopProgram:
        """A program for many steps; `tables` maps names to arrays whose first axis is the rows.

        `steps` is about how many a replica will do in all, None for many; see `compile`.
        """
        ...

    def lowered(self, loop: Loop, name: str, replicas: int = 1, steps: int | None = None) -> str:
        """A stage on the way from the loop to what runs, as text; `name` is one of `stages`. OptionError for another."""
        ...

    def epoch_orders(self, seeds: Sequence[int], epochs: range, count: int, old: Array | None = None) -> Array:
        """`ops.epoch_order` for each seed, in each epoch, as fast as the engine can: (seeds, epochs, count).

        `old` is an array that nobody needs any more, whose memory the engine may take.
        """
        ...
