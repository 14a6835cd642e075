"""The native engine: graphs and whole loops as machine code; see `module` for what the code looks like."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from chainrule.engines.engine import Loop, Results, check_run
from chainrule.engines.native.cache import default_cache
from chainrule.engines.native.machine import MachineCode, compile_module, host
from chainrule.engines.native.module import ARENA, CONSTANTS, FIRST, ORDER, SIZES, WRONG, Machine, Module
from chainrule.engines.native.pool import default_threads, help_with, run_all
from chainrule.engines.native.shuffle import epoch_order
from chainrule.engines.native.team import HELPERS, TEAM_BYTES
from chainrule.errors import PositionError
from chainrule.graph import Array, Graph, evaluate, run_passes
from chainrule.ops import PASSES

_RUN = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
_WORK = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)


def machine_of_host() -> Machine:
    """What the kernels' form depends on."""
    target = host()
    return Machine(target.vector_bytes, target.registers, target.triple)


def aligned(count: int) -> Array:
    """Bytes that begin at a cache line."""
    memory = np.empty(count + 64, np.uint8)
    start = -memory.__array_interface__["data"][0] % 64
    return memory[start : start + count]


def address(array: Array) -> int:
    """Where an array's numbers begin."""
    return array.__array_interface__["data"][0]


class Code:
    """A module as functions that can be called, with its constants in memory."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.machine_code: MachineCode = compile_module(module.text, host(), default_cache())
        self.run = _RUN(self.machine_code.address("run"))
        self.work = _WORK(self.machine_code.address("work")) if module.is_shared_code else None
        self.constants = aligned(max(module.constant_bytes, 1))
        for step in module.steps.values():
            for buffer in step.plan.constants:
                if buffer.value is not None:
                    stored = np.ascontiguousarray(buffer.value).reshape(-1).view(np.uint8)
                    self.constants[buffer.offset : buffer.offset + buffer.nbytes] = stored


@dataclass
class NativeLoop:
    """A loop as machine code, over its tables; see `LoopProgram`."""

    loop: Loop
    tables: Mapping[str, Array]
    replicas: int
    threads: int
    code: Code

    def __post_init__(self) -> None:
        graphs = [step.graph for step in self.code.module.steps.values()]
        self._types = {name: node.type for graph in graphs for name, node in graph.leaves.items()}
        self._outputs = next(iter(self.loop.graphs.values())).outputs
        self.tables = {
            name: np.ascontiguousarray(self.tables[table], self._types[name].dtype)
            for name, table in self.loop.rows.items()
            if name in self._types
        }
        self.margin = max(self.loop.graphs, default=0)

    @cached_property
    def lanes(self) -> int:
        """How many replicas run at once."""
        return min(self.replicas, self.threads)

    @cached_property
    def helpers(self) -> int:
        """How many threads help inside a step."""
        return self.threads // max(self.lanes, 1) - 1 if self.code.work is not None else 0

    @cached_property
    def arenas(self) -> list[Array]:
        """Memory for each replica that runs at the same time; kept between runs."""
        module = self.code.module
        return [aligned(module.arena_bytes + module.scratch_bytes * (1 + self.helpers) + 64) for _ in range(self.lanes)]

    def run(self, state: Mapping[str, Array], order: Array, sizes: Array, scalars: Mapping[str, Array]) -> Results:
        """See `LoopProgram.run`."""
        check_run(self.loop, self.tables, self.replicas, state, order, sizes, scalars)
        total = order.shape[1]
        steps = len(sizes)
        padded = np.zeros((self.replicas, total + self.margin), np.int64)
        padded[:, :total] = order
        sizes = np.ascontiguousarray(sizes, np.int64)
        given = {name: np.ascontiguousarray(scalars[name], np.float64) for name in self.loop.scalars}
        outputs = self._outputs
        records = {n: np.empty((self.replicas, steps, *outputs[n].shape), outputs[n].dtype) for n in self.loop.records}
        stacked = {n: np.empty((self.replicas, total, *outputs[n].shape[1:]), outputs[n].dtype) for n in self.loop.stacked}
        contexts = [self._context(r, state, padded, sizes, given, records, stacked) for r in range(self.replicas)]
        run_all(lambda worker, replica: self._run_one(contexts[replica], worker, steps), self.replicas, self.lanes)
        for context in contexts:
            context.write_back()
        if any(context.wrong[0] for context in contexts):
            raise PositionError(
                "a position in the data reaches outside the axis that it is read from",
                expected="positions 0 ... n − 1",
                remedy='check the labels and indices; engine="reference" names the numbers',
            )
        return Results(records, stacked)

    def _run_one(self, context: _Context, worker: int, steps: int) -> None:
        arena = self.arenas[worker]
        context.slots[ARENA] = address(arena)
        team = np.zeros(TEAM_BYTES // 8 + 8, np.int64)
        team_start = address(team) + -address(team) % 64
        if self.helpers and self.code.work is not None:
            team[(team_start - address(team) + HELPERS) // 8] = self.helpers
            work, keep = self.code.work, (context, team, arena, self)
            help_with([lambda n=n: _assist(work, context.start, team_start, n, keep) for n in range(1, self.helpers + 1)])
        self.code.run(context.start, team_start, steps)

    def _context(
        self,
        replica: int,
        state: Mapping[str, Array],
        order: Array,
        sizes: Array,
        scalars: Mapping[str, Array],
        records: Mapping[str, Array],
        stacked: Mapping[str, Array],
    ) -> _Context:
        slots = np.zeros(FIRST + len(self.code.module.slots), np.uintp)
        context = _Context(slots, np.zeros(1, np.int64), [order, sizes, scalars, records, stacked, self.code])
        slots[CONSTANTS], slots[ORDER], slots[SIZES] = address(self.code.constants), address(order[replica]), address(sizes)
        slots[WRONG] = address(context.wrong)
        for (kind, name), slot in self.code.module.slots.items():
            match kind:
                case "rows":
                    found = self.tables[name]
                case "scalar":
                    found = scalars[name]
                case "record":
                    found = records[name][replica]
                case "stacked":
                    found = stacked[name][replica]
                case _:
                    found = context.borrow(state[name][replica, ...], self._types[name].dtype)
            slots[slot] = address(found)
        return context


def _assist(work: Any, context: int, team: int, worker: int, keep: object) -> None:
    """What a pool thread does; `keep` holds the memory that the code may still look at."""
    work(context, team, worker)


@dataclass
class _Context:
    """The pointers of one replica's run, and what must live as long as they do."""

    slots: Array
    wrong: Array
    keep: list[object]

    def __post_init__(self) -> None:
        self.start = address(self.slots)
        self._borrowed: list[tuple[Array, Array]] = []

    def borrow(self, array: Array, dtype: str) -> Array:
        """The array itself, or where it cannot be used as it lies, a copy that is written back."""
        usable = np.ascontiguousarray(array, dtype)
        if usable is not array and not np.shares_memory(usable, array):
            self._borrowed.append((array, usable))
        self.keep.append(usable)
        return usable

    def write_back(self) -> None:
        """Brings what was computed in copies home."""
        for array, copy in self._borrowed:
            array[...] = copy


class NativeProgram:
    """A graph as machine code: a loop of one step, whose leaves are state that stays and whose outputs are records."""

    def __init__(self, graph: Graph, threads: int) -> None:
        self.graph = graph
        # Outputs get names that no leaf has: what is called like a state leaf would be its next value.
        self.names = {f"output/{name}": name for name in graph.outputs}
        renamed = Graph({f"output/{name}": node for name, node in graph.outputs.items()})
        self.loop = Loop({1: renamed}, {}, tuple(graph.leaves), (), tuple(renamed.outputs))
        self.program = compile_loop(self.loop, {}, 1, threads)

    def __call__(self, values: Mapping[str, Any]) -> dict[str, Array]:
        """The outputs by name; missing, unknown or misshapen values are errors."""
        bound = self.graph.bind(values)
        state = {node.name: array[None] for node, array in bound.items()}
        try:
            found = self.program.run(state, np.zeros((1, 1), np.int64), np.ones(1, np.int64), {})
        except PositionError:
            evaluate(self.graph.outputs.values(), bound)  # the op itself says which position it was
            raise
        return {name: found.records[inner][0, 0, ...] for inner, name in self.names.items()}


def compile_loop(loop: Loop, tables: Mapping[str, Array], replicas: int, threads: int) -> NativeLoop:
    """Compiles a loop for this machine."""
    graphs = {size: run_passes(graph, PASSES)[0] for size, graph in loop.graphs.items()}
    return NativeLoop(loop, tables, replicas, threads, Code(Module(graphs, loop, machine_of_host())))


class NativeEngine:
    """Runs graphs as machine code made by LLVM for this processor."""

    name = "native"

    def __init__(self, threads: int | None = None) -> None:
        self._threads = threads

    @property
    def threads(self) -> int:
        """How many threads it may use; the numbers do not depend on it."""
        return self._threads or default_threads()

    def compile(self, graph: Graph) -> NativeProgram:
        """A program for single calls."""
        return NativeProgram(graph, self.threads)

    def compile_loop(self, loop: Loop, tables: Mapping[str, Array], replicas: int) -> NativeLoop:
        """A program for many steps."""
        return compile_loop(loop, tables, replicas, self.threads)

    def epoch_order(self, seed: int, epoch: int, count: int) -> Array:
        """The order of the examples in an epoch; see `ops.epoch_order`."""
        order = np.empty(count, np.int64)
        epoch_order(seed, epoch, order)
        return order
