"""The reference engine: NumPy, one node at a time, every value kept; its order and buffers are planned once, not at each step."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import field
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from chainrule.display import Shown
from chainrule.engines.engine import Carried, HostState, Loop, Results, RowFunction, check_run, no_such_stage
from chainrule.engines.hosts import ALONE
from chainrule.engines.kernels import Call, kernel
from chainrule.graph import CONSTANT, Array, Body, Graph, Node, run_passes
from chainrule.immutable import immutable
from chainrule.ops import PASSES, epoch_order, scan, split_values
from chainrule.ops.unrolling import LoopTake, loop_key, loop_take, loop_takes, loop_turn

_simplified: WeakKeyDictionary[Graph, Graph] = WeakKeyDictionary()
"""Graphs after the passes, as long as somebody has them: trainings of equal descriptions have the same graphs."""


def simplified(graph: Graph) -> Graph:
    """The graph as this engine runs it."""
    found = _simplified.get(graph)
    if found is None:
        found = run_passes(graph, PASSES)[0]
        if found is not graph:
            _simplified[graph] = found
    return found


class ExecutionPlan(Shown):
    """A graph bound to memory: a buffer for each node, and the list of calls that fills them.

    Views (reshape, transpose, broadcast, slice) are taken once, here: as long as buffers stay where they are, so do they.
    """

    def __init__(self, graph: Graph, bound: Mapping[str, Array]) -> None:
        self.graph = graph
        self.values: dict[Node, Array] = {}
        self.calls: list[Call] = []
        self.loops: dict[tuple[object, ...], _Turns] = {}
        for node in graph.nodes:
            self.values[node] = self._buffer(node, bound)

    def _buffer(self, node: Node, bound: Mapping[str, Array]) -> Array:
        if node.op is CONSTANT:
            return node.attributes["value"]
        if node.is_leaf:
            return bound[node.name]
        inputs = [self.values[source] for source in node.inputs]
        if node.op is scan:
            return self._taken(node, inputs)
        if node.op.kind == "view":
            # It may be another view of the same memory, looked up once, here, and never run.
            view = np.asarray(node.op.meaning(*inputs, **node.attributes))
            if np.may_share_memory(view, inputs[0]):
                return view
        out = np.empty(node.shape, node.dtype)
        self.calls.append(kernel(node, out, inputs))
        return out

    def _taken(self, node: Node, inputs: list[Array]) -> Array:
        """What is taken from a loop over time, which runs once however much is taken."""
        key = loop_key(node)
        if key not in self.loops:
            self.loops[key] = _Turns(node, loop_takes(self.graph, node), inputs)
            self.calls.append(self.loops[key].run)
        return self.loops[key].found[loop_take(node)]

    def run(self) -> None:
        """Fills every buffer; overflow and NaN show in the values."""
        for call in self.calls:
            call()

    def own_copy(self, node: Node, state: list[Array]) -> Array:
        """The node's buffer; if it is a view of the state, a copy taken after all calls, for then the state is overwritten."""
        value = self.values[node]
        if not any(np.may_share_memory(value, array) for array in state):
            return value
        copy = np.empty(node.shape, node.dtype)
        self.calls.append(lambda: np.copyto(copy, value))
        return copy


class _Turns:
    """A loop over time: one turn as a plan, run again and again; what is taken of each turn is kept in `found`."""

    def __init__(self, node: Node, takes: Collection[LoopTake], inputs: list[Array]) -> None:
        body: Body = node.attributes["body"]
        graph = run_passes(loop_turn(node, takes), PASSES)[0]
        turns: int = node.attributes["length"]
        self.order = range(turns)[::-1] if node.attributes.get("reverse") else range(turns)
        self.first, self.sequences, constants = split_values(body, tuple(inputs))
        self.now = {name: np.empty_like(array) for name, array in self.first.items()}
        self.rows = {name: np.empty_like(array[0]) for name, array in self.sequences.items()}
        plan = self.plan = ExecutionPlan(graph, {**self.now, **self.rows, **constants})
        carried = list(self.now.values())
        self.next = [(self.now[name], plan.own_copy(graph.outputs[name], carried)) for name in body.states]
        kinds = {take: body.graph.outputs[take[0]].type for take in takes}
        self.found = {take: np.empty((turns, *kind.shape), kind.dtype) for take, kind in kinds.items()}
        self.taken = [
            (self.found[take], self.now[take[0]] if take[1] else plan.values[graph.outputs[take[0]]]) for take in self.found
        ]

    def run(self) -> None:
        """All turns."""
        for name, array in self.first.items():
            np.copyto(self.now[name], array)
        for turn in self.order:
            for name, array in self.sequences.items():
                np.copyto(self.rows[name], array[turn])
            # What a turn finds is noted before its next values take their place.
            self.plan.run()
            for found, value in self.taken:
                found[turn] = value
            for now, value in self.next:
                np.copyto(now, value)


KEPT = 4_000_000
"""Bytes of all values of a graph up to which a program keeps its plan for the next call."""


@immutable
class ReferenceProgram(Shown):
    """A graph, run by its plan, which is kept where it is small: to make it takes longer than to run it."""

    graph: Graph
    simplified: Graph
    _kept: list[ExecutionPlan] = field(default_factory=list[ExecutionPlan], repr=False, compare=False)

    def __call__(self, values: Mapping[str, Any]) -> dict[str, Array]:
        """The outputs by name; missing, unknown or misshapen values are errors."""
        bound = {node.name: array for node, array in self.graph.bind(values).items()}
        with np.errstate(all="ignore"):
            plan = self._taken(bound) if self._is_small else ExecutionPlan(self.simplified, bound)
            plan.run()
        found = {name: np.array(plan.values[node]) for name, node in self.simplified.outputs.items()}
        if self._is_small:
            self._kept.append(plan)
        return found

    @cached_property
    def _is_small(self) -> bool:
        return sum(node.type.nbytes for node in self.simplified.nodes) <= KEPT

    def _taken(self, bound: Mapping[str, Array]) -> ExecutionPlan:
        """A plan over leaves of its own that have these values; taken away while it runs, so that another thread makes another."""
        leaves = self.simplified.leaves
        try:
            plan = self._kept.pop()
        except IndexError:
            plan = ExecutionPlan(self.simplified, {name: np.empty(leaf.shape, leaf.dtype) for name, leaf in leaves.items()})
        for name, leaf in leaves.items():
            np.copyto(plan.values[leaf], bound[name])
        return plan


class _Step:
    """One replica's step for one batch size."""

    def __init__(self, graph: Graph, loop: Loop, tables: Mapping[str, Array], state: Mapping[str, Array]) -> None:
        inputs = {name: np.empty(node.shape, node.dtype) for name, node in graph.leaves.items() if name not in state}
        self.plan = ExecutionPlan(graph, {**inputs, **state})
        self.gathers = [(tables[table], inputs[name]) for name, table in loop.rows.items() if name in inputs]
        self.scalars = [(name, inputs[name]) for name in loop.scalars if name in inputs]
        carried = list(state.values())
        self.carry = [
            (state[name], self.plan.own_copy(node, carried))
            for name, node in graph.outputs.items()
            if name in state and self.plan.values[node] is not state[name]
        ]
        self.records = [(name, self.plan.values[graph.outputs[name]]) for name in loop.records]
        self.stacked = [(name, self.plan.values[graph.outputs[name]]) for name in loop.stacked]
        self.calls = tuple(self.plan.calls)

    def run(self, rows: Array, numbers: Mapping[str, Any]) -> None:
        for table, leaf in self.gathers:
            # The rows were checked for the whole run; "clip" spares NumPy a second check and a copy.
            np.take(table, rows, 0, leaf, "clip")
        for name, leaf in self.scalars:
            leaf[...] = numbers[name]
        for call in self.calls:
            call()

    def commit(self) -> None:
        """Writes the new state over the old."""
        for target, value in self.carry:
            np.copyto(target, value)


class ReferenceLoop(Shown):
    """A loop, run step by step and replica by replica."""

    longest: int | None = None

    def __init__(self, loop: Loop, tables: Mapping[str, Array], replicas: int) -> None:
        self.loop, self.tables, self.replicas = loop, dict(tables), replicas
        self.graphs = {size: simplified(graph) for size, graph in loop.graphs.items()}
        self.state: list[dict[str, Array]] = []
        self.steps: dict[tuple[int, int], _Step] = {}

    def load(self, state: Mapping[str, Array]) -> HostState:
        """See `LoopProgram.load`."""
        return HostState(state)

    def run(self, state: Carried, order: Array, sizes: Array, scalars: Mapping[str, Array]) -> Results:
        """See `LoopProgram.run`."""
        carried = state.arrays()
        check_run(self.loop, self.tables, self.replicas, carried, order, sizes, scalars)
        steps, total = len(sizes), int(np.sum(sizes, dtype=np.int64))
        outputs = next(iter(self.graphs.values())).outputs
        records = {n: np.empty((self.replicas, steps, *outputs[n].shape), outputs[n].dtype) for n in self.loop.records}
        stacked = {n: np.empty((self.replicas, total, *outputs[n].shape[1:]), outputs[n].dtype) for n in self.loop.stacked}
        with np.errstate(all="ignore"):
            for replica in range(self.replicas):
                self._take(carried, replica)
                self._run_replica(replica, order[replica], sizes.tolist(), scalars, records, stacked)
                for name, array in self.state[replica].items():
                    carried[name][replica] = array
        return Results(records, stacked)

    def prepared(self, state: Carried, order: Array, sizes: Array, scalars: Mapping[str, Array]) -> Callable[[], Results]:
        """See `LoopProgram.prepared`."""
        return lambda: self.run(state, order, sizes, scalars)

    def over(self, tables: Mapping[str, Array]) -> ReferenceLoop:
        """See `LoopProgram.over`."""
        return ReferenceLoop(self.loop, tables, self.replicas)

    def report(self) -> dict[str, Any]:
        """See `LoopProgram.report`."""
        return {"engine": "reference"}

    def mapping(self, state: Carried, leaf: str, output: str) -> RowFunction:
        """See `LoopProgram.mapping`."""
        first = HostState({name: array[:1].copy() for name, array in state.arrays().items()})

        def function(rows: Array, sizes: Array) -> Array:
            program = ReferenceLoop(self.loop, {self.loop.rows[leaf]: rows}, 1)
            return program.run(first, np.arange(len(rows))[None], sizes, {}).stacked[output][0]

        return function

    def _take(self, state: Mapping[str, Array], replica: int) -> None:
        if len(self.state) == replica:
            self.state.append({name: np.empty_like(state[name][replica]) for name in self.loop.state})
        for name, array in self.state[replica].items():
            np.copyto(array, state[name][replica])

    def _run_replica(
        self,
        replica: int,
        order: Array,
        sizes: list[int],
        scalars: Mapping[str, Array],
        records: dict[str, Array],
        stacked: dict[str, Array],
    ) -> None:
        start, own = 0, {name: part if part.ndim == 1 else part[replica] for name, part in scalars.items()}
        for number, size in enumerate(sizes):
            step = self._step(replica, size)
            step.run(order[start : start + size], {name: part[number] for name, part in own.items()})
            for name, value in step.records:
                records[name][replica, number] = value
            for name, value in step.stacked:
                stacked[name][replica, start : start + size] = value
            step.commit()
            start += size

    def _step(self, replica: int, size: int) -> _Step:
        found = self.steps.get((replica, size))
        if found is None:
            found = self.steps[replica, size] = _Step(self.graphs[size], self.loop, self.tables, self.state[replica])
        return found


class ReferenceEngine(Shown):
    """Runs graphs by NumPy; the definition that every other engine is held to.

    >>> from chainrule.graph import Graph, input_node
    >>> x = input_node("x", (2,))
    >>> program = ReferenceEngine().compile(Graph({"y": x * x}))
    >>> program({"x": np.array([2.0, 3.0])})
    {'y': array([4., 9.])}
    """

    name = "reference"
    stages = ()
    tolerance = 0.0
    hosts = ALONE
    caveat = ""

    def compile(self, graph: Graph, calls: int | None = None) -> ReferenceProgram:
        """A program for single calls."""
        return ReferenceProgram(graph, simplified(graph))

    def compile_loop(self, loop: Loop, tables: Mapping[str, Array], replicas: int, steps: int | None = None) -> ReferenceLoop:
        """A program for many steps."""
        return ReferenceLoop(loop, tables, replicas)

    def lowered(self, loop: Loop, name: str, replicas: int = 1, steps: int | None = None) -> str:
        """There are none."""
        raise no_such_stage(self, name)

    def epoch_orders(self, seeds: Sequence[int], epochs: range, count: int, old: Array | None = None) -> Array:
        """The order of the examples for each seed, in each epoch; see `ops.epoch_order`."""
        return np.array([[epoch_order(seed, epoch, count) for epoch in epochs] for seed in seeds], dtype=np.int64)
