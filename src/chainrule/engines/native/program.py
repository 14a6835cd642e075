"""A compiled loop in memory: its code, the arrays that a run of it reads and fills, and the threads that run it."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
from numpy.lib.stride_tricks import as_strided

from chainrule.engines.engine import Carried, HostState, Loop, Results, RowFunction, check_run
from chainrule.engines.native.cache import default_cache
from chainrule.engines.native.guard import PAGE, forbid, guarded, pages, poisoned
from chainrule.engines.native.machine import MachineCode, compile_module, host
from chainrule.engines.native.module import Module
from chainrule.engines.native.pool import help_with, run_all
from chainrule.engines.native.tables import ARENA, CONSTANTS, FIRST, ORDER, SIZES, TABLE, WRONG, filled, loop_through
from chainrule.engines.native.team import HELPERS, TEAM_BYTES
from chainrule.errors import PositionError
from chainrule.graph import Array

PIECES, STEPS_AT_LEAST = 16, 2
"""Into how many pieces at most independent steps are cut for threads, and how many steps a piece has at least."""
APART = 64 * 1024
"""Bytes of a replica's state from which on it stays among its neighbours'."""
KEPT = 1024 * 1024
"""Bytes of the arrays of a call up to which a later one takes them."""
_RUN = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
_WORK = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)


def aligned(count: int) -> Array:
    """Bytes that begin at a cache line."""
    memory = np.empty(count + 64, np.uint8)
    start = -memory.__array_interface__["data"][0] % 64
    return memory[start : start + count]


def address(array: Array) -> int:
    """Where an array's numbers begin."""
    return array.__array_interface__["data"][0]


_kernels: WeakValueDictionary[str, MachineCode] = WeakValueDictionary()
"""The general kernels that are in memory now, by name: what a program needs of them is not made again."""


class Code:
    """A module as functions that can be called, with its constants in memory."""

    def __init__(self, module: Module) -> None:
        self.module = module
        found = {name: _kernels.get(name) for name in module.general}
        self._known = {name: code for name, code in found.items() if code is not None}
        text = module.text_beside(self._known)
        made = compile_module(text, host(), default_cache(), is_quick=module.is_quick, known=self._known) if text else None
        self.machine_code = made
        """What was compiled for it, if the process had not all of it."""
        if made is not None:
            self._known |= dict.fromkeys(found.keys() - self._known.keys(), made)
            _kernels.update(self._known)
        calls = module.tables or {}
        self.table = filled(calls, {name: code.address(name) for name, code in self._known.items()})
        whole = loop_through(is_flushed=module.is_flushed) if made is None or calls else made
        self.run = _RUN(whole.address("run"))
        self.work = _WORK(whole.address("work")) if module.is_shared_code else None
        size = max(module.constant_bytes, 1)
        self.constants = pages(size) if module.guarded else aligned(size)
        for step in module.steps.values():
            for buffer in step.plan.constants:
                if buffer.value is not None:
                    stored = np.ascontiguousarray(buffer.value).reshape(-1).view(np.uint8)
                    self.constants[buffer.offset : buffer.offset + buffer.nbytes] = stored
        if module.guarded:
            for step in module.steps.values():
                for offset in step.plan.forbidden_constants:
                    forbid(self.constants, offset, PAGE)


@dataclass
class NativeLoop:
    """A loop as machine code, over its tables; see `LoopProgram`."""

    loop: Loop
    tables: Mapping[str, Array]
    replicas: int
    threads: int
    code: Code
    longest: int | None = None
    is_single: bool = False
    """Whether a run is one step, in which all threads help."""

    def __post_init__(self) -> None:
        # Runs of one program share its memory: a second thread that calls it waits.
        self._lock = threading.Lock()
        self._last: tuple[_Memory, Callable[[], Results]] | None = None
        graphs = [step.graph for step in self.code.module.steps.values()]
        self.types = {name: node.type for graph in graphs for name, node in graph.leaves.items()}
        self.outputs = next(iter(self.loop.graphs.values())).outputs
        # A new value may be carried out of the loop though no step reads the old one: gradients, for instance.
        self.types |= {name: node.type for name, node in self.outputs.items() if name in self.loop.state}
        self.rows = {
            leaf: np.ascontiguousarray(self.tables[table], self.types[leaf].dtype)
            for leaf, table in self.loop.rows.items()
            if leaf in self.types and table in self.tables
        }

    # ---- threads and memory

    @cached_property
    def is_independent(self) -> bool:
        """Whether no step depends on one before it: evaluation and prediction."""
        return not self.loop.carries

    @cached_property
    def lanes(self) -> int:
        """How many threads run steps at once: of different replicas, or independent ones."""
        return self.threads if self.is_independent and not self.is_single else min(self.replicas, self.threads)

    @cached_property
    def helpers(self) -> int:
        """How many threads help inside a step."""
        return self.threads // self.lanes - 1 if self.code.work is not None else 0

    @cached_property
    def _arenas(self) -> list[Array]:
        """Memory for each replica that runs at the same time; kept between runs."""
        module = self.code.module
        size = module.layout.arena_bytes + module.layout.scratch_bytes * (1 + self.helpers)
        if not module.guarded:
            return [aligned(size + 64) for _ in range(self.lanes)]
        arenas = [guarded(pages(-(-size // PAGE) * PAGE)) for _ in range(self.lanes)]
        for arena in arenas:
            for offset in module.forbidden:
                forbid(arena, offset, PAGE)
        return arenas

    def report(self) -> dict[str, Any]:
        """What was compiled, for how long, and for what machine."""
        code, module, target = self.code.machine_code, self.code.module, host()
        return {
            "engine": "native",
            "processor": target.cpu,
            "vector_bytes": target.vector_bytes,
            "threads": self.threads,
            "code": "made quickly" if module.is_quick else "made to run fast",
            "compile_seconds": 0.0 if code is None else round(code.seconds, 4),
            "from_cache": code is None or code.cached,
            "code_bytes": 0 if code is None else code.size,
            "arena_bytes": module.layout.arena_bytes + module.layout.scratch_bytes * (1 + self.helpers),
            "constant_bytes": module.constant_bytes,
            "kernels": {size: [kernel.label for kernel in step.schedule.kernels] for size, step in module.steps.items()},
        }

    # ---- running

    def load(self, state: Mapping[str, Array]) -> HostState:
        """See `LoopProgram.load`."""
        return HostState(state)

    def run(self, state: Carried, order: Array, sizes: Array, scalars: Mapping[str, Array]) -> Results:
        """See `LoopProgram.run`."""
        arrays = state.arrays()
        with self._lock:
            # Where little is to be done, making the arrays and looking at them takes longest: a call like the last one takes its.
            if self._last is not None and self._last[0].takes(arrays, order, sizes, scalars):
                return self._last[1]().copy()
            check_run(self.loop, self.tables, self.replicas, arrays, order, sizes, scalars, self._limits)
            memory = _Memory(self, arrays, order, sizes, scalars)
            call = self._call(memory)
            self._last = (memory, call) if memory.is_kept else None
            return call().copy() if memory.is_kept else call()

    def prepared(self, state: Carried, order: Array, sizes: Array, scalars: Mapping[str, Array]) -> Callable[[], Results]:
        """See `LoopProgram.prepared`."""
        arrays = state.arrays()
        check_run(self.loop, self.tables, self.replicas, arrays, order, sizes, scalars, self._limits)
        memory = _Memory(self, arrays, order, sizes, scalars)
        call = self._call(memory)

        def again() -> Results:
            with self._lock:
                memory.take_rows()
                memory.take_numbers(scalars)
                return call()

        return again

    def _limits(self, order: Array) -> tuple[int, int]:
        """The lowest and the highest row; the threads look at the replicas' orders, which may be the largest arrays of all."""
        parts = np.array_split(order, min(len(order), 4 * self.lanes))
        found = np.empty((len(parts), 2), np.int64)

        def look(worker: int, part: int) -> None:
            found[part] = parts[part].min(), parts[part].max()

        run_all(look, len(parts), self.lanes)
        return int(found[:, 0].min()), int(found[:, 1].max())

    def _call(self, memory: _Memory) -> Callable[[], Results]:
        pieces = self._pieces(memory.sizes)
        jobs = [(replica, piece) for replica in range(self.replicas) for piece in pieces]
        starts = [piece[:2] for piece in pieces]
        contexts = memory.contexts(self.replicas, starts)
        results = Results(memory.records, memory.stacked)

        def call() -> Results:
            run_all(lambda worker, job: self._run_one(contexts[job], worker, jobs[job][1][2]), len(jobs), self.lanes)
            memory.write_back()
            if memory.wrong[0]:
                memory.wrong[0] = 0
                raise _wrong_position()
            return results

        return call

    def _pieces(self, sizes: Array) -> list[tuple[int, int, int]]:
        """Runs of steps that may go to different threads: first step, first row, number of steps."""
        steps = len(sizes)
        each = max(STEPS_AT_LEAST, -(-steps // PIECES)) if self.is_independent else max(steps, 1)
        starts = np.concatenate([[0], np.cumsum(sizes)]).tolist()
        return [(first, starts[first], min(each, steps - first)) for first in range(0, max(steps, 1), each)]

    def _run_one(self, context: Context, worker: int, steps: int) -> None:
        arena = self._arenas[worker]
        context.slots[ARENA] = address(arena)
        team = aligned(TEAM_BYTES).view(np.int64)
        team[:] = 0
        start = address(team)
        if self.helpers and self.code.work is not None:
            team[HELPERS // 8] = self.helpers
            work, keep = self.code.work, (context, team, arena, self)
            help_with([lambda n=n: _assist(work, context.start, start, n, keep) for n in range(1, self.helpers + 1)])
        self.code.run(context.start, start, steps)

    def over(self, tables: Mapping[str, Array]) -> NativeLoop:
        """See `LoopProgram.over`."""
        return replace(self, tables=tables)

    def mapping(self, state: Carried, leaf: str, output: str) -> RowFunction:
        """See `LoopProgram.mapping`."""
        type_of, slots = self.outputs[output].type, self.code.module.layout.slots
        largest = max(self.loop.graphs)
        order = np.arange(2 * largest, dtype=np.int64)[None]
        blank = {leaf: np.zeros((1, *self.types[leaf].shape[1:]), self.types[leaf].dtype)}
        single = replace(self, tables={self.loop.rows[leaf]: blank[leaf]}, replicas=1)
        memory = _Memory(single, {name: array[:1] for name, array in state.arrays().items()}, order, np.ones(1, np.int64), {})
        (context,) = memory.contexts(1, [(0, 0)])
        arena, team = single._arenas[0], aligned(TEAM_BYTES).view(np.int64)
        team[:] = 0
        context.slots[ARENA], team_start = address(arena), address(team)
        # A network may ignore its inputs; the last slot is nobody's.
        rows_slot, output_slot = slots.get(("block", leaf), len(context.slots) - 1), slots["stacked", output]
        row_shape, dtype, run, start, table = type_of.shape[1:], type_of.dtype, self.code.run, context.start, context.slots
        lock, wrong = single._lock, memory.wrong

        def function(rows: Array, sizes: Array, keep: object = (memory, context, arena, team)) -> Array:
            count = len(rows)
            if count > largest:
                many = single.over({self.loop.rows[leaf]: rows})
                return many.run(HostState(memory.state), np.arange(count)[None], sizes, {}).stacked[output][0]
            found = np.empty((count, *row_shape), dtype)
            with lock:
                table[rows_slot] = rows.__array_interface__["data"][0]
                table[output_slot] = found.__array_interface__["data"][0]
                table[SIZES] = sizes.__array_interface__["data"][0]
                run(start, team_start, len(sizes))
                if wrong[0]:
                    wrong[0] = 0
                    raise _wrong_position()
            return found

        return function


def _wrong_position() -> PositionError:
    return PositionError(
        "a position in the data reaches outside the axis that it is read from",
        expected="positions 0 ... n − 1",
        remedy='check the labels and ids; ids need scaling="none"; engine="reference" names the numbers',
    )


class _Memory:
    """All arrays of one run: what was given, as it can be used, and what will be filled."""

    def __init__(
        self, program: NativeLoop, state: Mapping[str, Array], order: Array, sizes: Array, scalars: Mapping[str, Array]
    ) -> None:
        self.program, self.state = program, state
        steps, replicas, total = len(sizes), program.replicas, order.shape[1]
        # Its own where it is small: a later call writes there.
        margin = np.array(order, np.int64, order="C") if order.nbytes <= KEPT else np.ascontiguousarray(order, np.int64)
        if program.code.module.looks_ahead:
            # Steps ask for the next one's rows before they come: behind the end the order has a margin of one batch.
            margin = np.zeros((replicas, total + max(program.loop.graphs)), np.int64)
            margin[:, :total] = order
        is_guarded = program.code.module.guarded
        own, empty = (guarded, poisoned) if is_guarded else (_same, np.empty)
        self.order, self.sizes = own(margin), own(np.array(sizes, np.int64, order="C"))
        self.scalars = {
            name: own(np.array(scalars[name], program.types[name].dtype, order="C"))
            for name in program.loop.scalars
            if name in program.types
        }
        self.rows = {name: own(table) for name, table in program.rows.items()}
        outputs = program.outputs
        self.records = {n: empty((replicas, steps, *outputs[n].shape), outputs[n].dtype) for n in program.loop.records}
        self.stacked = {n: empty((replicas, total, *outputs[n].shape[1:]), outputs[n].dtype) for n in program.loop.stacked}
        self.wrong = np.zeros(1, np.int64)
        self._given, self._shape = tuple(state.items()), order.shape
        self._count = min((len(table) for table in program.rows.values()), default=0)
        self._lent: list[tuple[Array, Array]] = []
        self._usable = {name: own(_usable(state[name], kind.dtype)) for name, kind in program.types.items() if name in state}

    def contexts(self, replicas: int, starts: Sequence[tuple[int, int]]) -> list[Context]:
        """For each replica, and in it each (step, row), the pointers for the steps from there on."""
        count = FIRST + len(self.program.code.module.layout.slots) + 1
        # The pointers at the beginning, and how many bytes each moves on with a replica, a step and a row.
        slots, by_replica, by_step, by_row = np.zeros((4, count), np.uintp)
        code = self.program.code
        slots[CONSTANTS], slots[WRONG], slots[TABLE] = address(code.constants), address(self.wrong), address(code.table)
        slots[ORDER], by_replica[ORDER], by_row[ORDER] = address(self.order), self.order.strides[0], 8
        slots[SIZES], by_step[SIZES] = address(self.sizes), 8
        for (kind, name), slot in self.program.code.module.layout.slots.items():
            match kind:
                case "rows":
                    found = self.rows[name]
                case "block":
                    found = self.rows[name]
                    by_row[slot] = max(found.strides[0], 0)  # of a single row NumPy keeps any stride, as of x[::-1][:1]
                case "scalar":
                    found = self.scalars[name]
                    by_step[slot], by_replica[slot] = found.strides[-1], found.strides[0] if found.ndim == 2 else 0
                case "record":
                    found = self.records[name]
                    by_replica[slot], by_step[slot] = found.strides[:2]
                case "stacked":
                    found = self.stacked[name]
                    by_replica[slot], by_row[slot] = found.strides[:2]
                case _:
                    found = self._apart(self._usable[name])
                    by_replica[slot] = found.strides[0]
            slots[slot] = address(found)
        numbers = np.arange(replicas, dtype=np.uintp)[:, None, None]
        steps, rows = np.array(starts, np.uintp).T[:, None, :, None]
        made = slots + numbers * by_replica + steps * by_step + rows * by_row
        return [Context(own, self) for own in made.reshape(-1, count)]

    def _apart(self, states: Array) -> Array:
        """The replicas' states, each on cache lines of its own.

        Small states of neighbouring replicas share lines, which two threads that write them would take from each other at every step.
        """
        each = states[0].nbytes
        program = self.program
        if program.lanes == 1 or program.is_independent or each >= APART or program.code.module.guarded or not each:
            return states
        lines = aligned(len(states) * (-(-each // 64) * 64)).reshape(len(states), -1)[:, :each].view(states.dtype)
        own = as_strided(lines, states.shape, (lines.strides[0], *states.strides[1:]))
        own[...] = states
        self._lent.append((states, own))
        return own

    @property
    def is_kept(self) -> bool:
        """Whether it is small enough to be kept for a call like this one."""
        arrays = (self.order, self.sizes, *self.state.values(), *self.records.values(), *self.stacked.values())
        return not self.program.code.module.guarded and sum(array.nbytes for array in arrays) <= KEPT

    def takes(self, state: Mapping[str, Array], order: Array, sizes: Array, scalars: Mapping[str, Array]) -> bool:
        """Whether it serves a run with these arguments, whose order and numbers it then holds."""
        if state is not self.state or any(state[name] is not array for name, array in self._given):
            return False
        if order.shape != self._shape or order.dtype != np.int64 or not np.array_equal(sizes, self.sizes):
            return False
        if any(scalars[name].shape != own.shape for name, own in self.scalars.items()):
            return False
        taken = self.order[:, : order.shape[1]]
        if self.program.loop.in_order:
            return bool((order == taken).all())
        if order.size and not 0 <= order.min() <= order.max() < self._count:
            return False
        taken[...] = order
        self.take_numbers(scalars)
        return True

    def take_rows(self) -> None:
        """Brings the tables, as they are now, into the copies that were made of them."""
        for leaf, own in self.rows.items():
            given = self.program.tables[self.program.loop.rows[leaf]]
            if own is not given:
                own[...] = given

    def take_numbers(self, scalars: Mapping[str, Array]) -> None:
        """Brings scalars and state, as they are now, into the copies that were made of them."""
        for name, own in self.scalars.items():
            own[...] = scalars[name]
        for name, own in self._usable.items():
            if own is not self.state[name]:
                own[...] = self.state[name]
        for state, own in self._lent:
            own[...] = state

    def write_back(self) -> None:
        """Brings what was computed in copies home."""
        for state, own in self._lent:
            state[...] = own
        for name, array in self._usable.items():
            if array is not self.state[name]:
                self.state[name][...] = array


def _same(array: Array) -> Array:
    return array


def _usable(array: Array, dtype: str) -> Array:
    """The array itself, if it lies as the code expects it, else a copy that does."""
    fits = array.dtype == dtype and array.flags.c_contiguous and array.dtype.isnative
    return array if fits else np.array(array, dtype, order="C")


def _assist(work: Any, context: int, team: int, worker: int, keep: object) -> None:
    """What a pool thread does; `keep` holds the memory that the code may still look at."""
    work(context, team, worker)


class Context:
    """The table of pointers that a run of the code gets; `keep` is the memory that they point to."""

    def __init__(self, slots: Array, keep: object) -> None:
        self.slots, self.keep = slots, keep
        self.start = address(slots)
