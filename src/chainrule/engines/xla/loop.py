"""A loop as programs of the xla engine: state and data stay on the device, and every piece of steps is one call."""

from __future__ import annotations

import mmap
import weakref
from collections.abc import Callable, Iterator, Mapping
from copy import copy
from functools import cached_property
from typing import Any

import jax
import numpy as np

from chainrule.display import Shown
from chainrule.engines.engine import Carried, HostState, Loop, Results, RowFunction, check_state, check_steps
from chainrule.engines.reference import ReferenceLoop
from chainrule.engines.xla.compiled import Compiled, compiled, require_room
from chainrule.engines.xla.layout import Layout, memory_of_device
from chainrule.engines.xla.state import DeviceState
from chainrule.engines.xla.steps import FINE, By, Room, Source, Steps, jitted
from chainrule.errors import PositionError
from chainrule.graph import Array, Type

MOST_STEPS = 4096
"""Steps of one call at most."""
MOST_ROWS = 1 << 18
"""Rows of one call at most, where a batch is not larger: their order, and what is kept of each, need memory on the device."""
BLOCK = 1 << 28
"""Bytes of rows that are sent together, where they do not stay on the device (256 MiB)."""
FEW = 1 << 22
"""Bytes of a block of rows, where nobody knows how many there will be (4 MiB): a single one is sent as a block too."""

_residents: weakref.WeakValueDictionary[tuple[int, str], Any] = weakref.WeakValueDictionary()
"""What lies on the device of arrays that programs hold: training and evaluation share one copy of the same examples."""


class XlaLoop(Shown):
    """A loop of steps over tables; see `LoopProgram`."""

    def __init__(
        self,
        loop: Loop,
        tables: Mapping[str, Array],
        replicas: int,
        layout: Layout,
        by: By,
        *,
        steps: int | None = None,
        is_streamed: bool = False,
    ) -> None:
        self.loop, self.tables, self.replicas, self.layout = loop, dict(tables), replicas, layout
        self.by: By = by
        source = "shared" if loop.in_order else "own" if is_streamed or self._is_too_large() else "table"
        self.steps = Steps(
            loop,
            {name: Type.of(table) for name, table in self.tables.items()},
            replicas,
            source,
            self._room(source, steps),
            layout,
            by,
        )
        self._there: dict[str, Any] = {}
        self.longest: int | None = None if loop.in_order else self.steps.room.steps

    # ---- how it is made

    @property
    def _row_bytes(self) -> int:
        return max(1, sum(int(np.prod(table.shape[1:], dtype=np.int64)) * table.itemsize for table in self.tables.values()))

    def _is_too_large(self) -> bool:
        """Whether the tables stay on the host, from where each piece's rows are sent: they are files, or too much for the device."""
        if any(len(table) < max(self.loop.graphs) for table in self.tables.values()):
            return True  # stand-ins for tables that are yet to come
        limit = memory_of_device()
        total = sum(table.nbytes for table in self.tables.values())
        return any(map(_is_on_disk, self.tables.values())) or (limit is not None and total > limit // 2)

    def _room(self, source: Source, steps: int | None) -> Room:
        largest, least = max(self.loop.graphs), min(self.loop.graphs)
        # Of a table on the device only the places of rows are sent, else the rows themselves.
        fit = max(largest, MOST_ROWS if source == "table" else min(MOST_ROWS, BLOCK // self._row_bytes))
        if source == "shared":
            known = max((len(table) for table in self.tables.values()), default=0) or FEW // self._row_bytes
            rows = max(largest, min(known, fit))
            return Room(min(MOST_STEPS, rows // largest + 32, -(-rows // least)), rows)
        if source == "own":
            fit = max(largest, fit // self.replicas)
        most = max(1, min(MOST_STEPS, fit // largest, MOST_STEPS if steps is None else steps))
        count = min(1 << (most - 1).bit_length(), MOST_STEPS)
        return Room(count, count * largest)

    @cached_property
    def program(self) -> Compiled:
        """The compiled program. Raises: OptionError for what does not fit the device."""
        with jax.enable_x64(True), jax.set_mesh(self.layout.mesh):
            made = compiled(jitted(self.steps), self.steps.arguments(), self.layout.devices)
        require_room(self._bytes(), made.scratch)
        return made

    def _bytes(self) -> dict[str, int]:
        """Bytes on one device by what they are for."""
        each = self.layout.padded(self.replicas) // self.layout.apart
        updated, own, shared = self.steps.arguments()
        state = sum(_size(kind) for kind in updated.values()) + sum(_size(kind) for kind in own["held"].values())
        tables = sum(_size(kind) for kind in shared.get("tables", {}).values())
        streamed = sum(_size(kind) for kind in own.get("tables", {}).values()) // (self.layout.apart * self.layout.together)
        # Twice: whoever trains keeps a copy of the state before each piece, to take back what went wrong.
        return {"parameters and state": 2 * state // self.layout.padded(self.replicas) * each, "data": tables + streamed}

    def report(self) -> dict[str, Any]:
        """See `LoopProgram.report`."""
        device = jax.devices()[0]
        return {
            "engine": "xla",
            "jax": jax.__version__,
            "platform": device.platform,
            "device": device.device_kind,
            "devices": self.layout.apart * self.layout.together,
            "replicas_by": self.by,
            "data": {"table": "on the device", "shared": "on the device", "own": "sent piece by piece"}[self.steps.source],
            "compile_seconds": self.program.seconds,
            "from_cache": self.program.from_cache,
            "bytes": {**self._bytes(), "activations": self.program.scratch},
        }

    def over(self, tables: Mapping[str, Array]) -> XlaLoop:
        """See `LoopProgram.over`; rows of other tables are sent, so that one program serves tables of any length."""
        sending = self._streamed if self.steps.source == "table" else self
        _ = sending.program
        other = copy(sending)
        other.tables, other._there = dict(tables), {}
        return other

    @cached_property
    def _streamed(self) -> XlaLoop:
        steps = self.steps.room.steps
        return XlaLoop(self.loop, self.tables, self.replicas, self.layout, self.by, steps=steps, is_streamed=True)

    # ---- running

    def load(self, state: Mapping[str, Array]) -> DeviceState:
        """See `LoopProgram.load`."""
        with jax.enable_x64(True):
            return DeviceState.loaded({name: state[name] for name in self.loop.state}, self.layout)

    def run(self, state: Carried, order: Array, sizes: Array, scalars: Mapping[str, Array]) -> Results:
        """See `LoopProgram.run`."""
        self._check(state, order, sizes, scalars)
        return self._run(_of_device(state), order, sizes, scalars, is_kept=True)

    def prepared(self, state: Carried, order: Array, sizes: Array, scalars: Mapping[str, Array]) -> Callable[[], Results]:
        """See `LoopProgram.prepared`."""
        self._check(state, order, sizes, scalars)
        return lambda: self._run(_of_device(state), order, sizes, scalars, is_kept=False)

    def _check(self, state: Carried, order: Array, sizes: Array, scalars: Mapping[str, Array]) -> None:
        check_steps(self.loop, self.tables, self.replicas, order, sizes, scalars)
        wanted = {**self.steps.updated, **self.steps.held}
        there, count = _of_device(state).there, self.layout.padded(self.replicas)
        if any((there[n].shape, there[n].dtype) != ((count, *kind.shape), kind.dtype) for n, kind in wanted.items()):
            check_state(self.loop, self.replicas, state.arrays())  # says which, and how

    def mapping(self, state: Carried, leaf: str, output: str) -> RowFunction:
        """See `LoopProgram.mapping`."""
        first = {name: array[:1] for name, array in state.arrays().items()}
        blank = np.zeros((0, *self.steps.tables[self.loop.rows[leaf]].shape[1:]), self.steps.tables[self.loop.rows[leaf]].dtype)
        single = XlaLoop(self.loop, {self.loop.rows[leaf]: blank}, 1, Layout(), self.by)
        carried = single.load(first)

        def function(rows: Array, sizes: Array) -> Array:
            program = single.over({self.loop.rows[leaf]: rows})
            return program.run(carried, np.arange(len(rows))[None], sizes, {}).stacked[output][0]

        return function

    def _run(self, state: DeviceState, order: Array, sizes: Array, scalars: Mapping[str, Array], *, is_kept: bool) -> Results:
        found: list[Results] = []
        for steps, rows in self._pieces(sizes):
            numbers = {name: scalars[name][..., steps] for name in self.loop.scalars}
            before = state.copy() if self.steps.can_fail else None
            result, bad = self._call(state, order[:, rows], sizes[steps], numbers, is_kept=is_kept)
            if before is not None and bad != FINE:
                self._explain(before, order[:, rows], sizes[steps], numbers, bad)
            found.append(result)
        return found[0] if len(found) == 1 else Results.joined(found)

    def _pieces(self, sizes: Array) -> Iterator[tuple[slice, slice]]:
        """Steps and their rows, as many as one call has room for; one call without a step where there is none."""
        ends, room = np.cumsum(sizes), self.steps.room
        step = row = 0
        while True:
            last = min(step + room.steps, int(np.searchsorted(ends, row + room.rows, side="right")))
            end = int(ends[last - 1]) if last else 0
            yield slice(step, last), slice(row, end)
            step, row = last, end
            if step == len(sizes):
                return

    def _call(
        self, state: DeviceState, order: Array, sizes: Array, scalars: Mapping[str, Array], *, is_kept: bool
    ) -> tuple[Results, int]:
        """One call; and the number of the first step at which a position lay outside, FINE where there is none.

        is_kept: the tables hold what they held before, so that what lies on the device serves.
        """
        program, steps, room = self.program, self.steps, self.steps.room
        with jax.enable_x64(True):
            counts = _counts(sizes, list(steps.graphs))
            own: dict[str, Any] = {"held": {name: state.there[name] for name in steps.held}}
            shared: dict[str, Any] = {
                "counts": np.pad(counts, ((0, room.steps - len(counts)), (0, 0))),
                "stretches": np.int32(len(counts)),
            }
            own["scalars"] = {name: self._of_each(numbers) for name, numbers in scalars.items()}
            self._add_rows(own, shared, order, sizes, is_kept=is_kept)
            shared |= {name: self._everywhere(shared[name]) for name in ("counts", "stretches")}
            updated = {name: state.there[name] for name in steps.updated}
            after, records, stacked, bad, finite = self.layout.hosts.asked(lambda: program.call(updated, own, shared))
            state.take(after, finite)
            count, rows = len(sizes), order.shape[1]
            results = Results(
                {name: np.asarray(array)[: self.replicas, :count] for name, array in records.items()},
                {name: np.asarray(array)[: self.replicas, :rows] for name, array in stacked.items()},
            )
        return results, int(np.min(np.asarray(bad)))

    def _add_rows(self, own: dict[str, Any], shared: dict[str, Any], order: Array, sizes: Array, *, is_kept: bool) -> None:
        """What the steps take their batches from."""
        steps, room, layout = self.steps, self.steps.room, self.layout
        used = {name: table for name, table in self.tables.items() if name in steps.used_tables}
        if steps.source == "shared":
            start, stop = (int(order[0, 0]), int(order[0, -1]) + 1) if order.size else (0, 0)
            is_all = is_kept and start == 0 and all(len(table) == room.rows for table in used.values())
            shared["tables"] = {
                name: self._resident(name) if is_all else self._everywhere(_filled(table[start:stop], room.rows))
                for name, table in used.items()
            }
        elif steps.source == "own":
            every, places = layout.filled(order), steps.places(sizes)
            own["tables"] = {name: self._rows_of(table, every, places) for name, table in used.items()}
        else:
            every = np.pad(layout.filled(order).astype(np.int32), ((0, 0), (0, room.rows - order.shape[1])))
            own["order"] = layout.put(every.shape, layout.by_replica, every.__getitem__)
            shared["tables"] = {
                name: self._resident(name) if is_kept else self._everywhere(table) for name, table in used.items()
            }

    def _everywhere(self, given: Any) -> Any:
        """An array on all devices."""
        array = np.asarray(given)
        return self.layout.put(array.shape, self.layout.everywhere, array.__getitem__)

    def _of_each(self, numbers: Array) -> Any:
        """A number for each step, with those of each replica, which all may share."""
        room = self.steps.room.steps - numbers.shape[-1]
        every = self.layout.filled(np.broadcast_to(numbers, (self.replicas, numbers.shape[-1])))
        every = np.pad(every.astype(np.float64), ((0, 0), (0, room)))
        return self.layout.put(every.shape, self.layout.by_replica, every.__getitem__)

    def _rows_of(self, table: Array, every: Array, places: Array) -> Any:
        """For each replica its rows, device by device; each host reads those that its devices take."""
        row = table.shape[1:]

        def part(which: Any) -> Array:
            orders, parts = every[which[0]], places[which[1]]
            found = np.zeros((len(orders), *parts.shape, *row), table.dtype)
            for replica, order in enumerate(orders):
                for device, own in enumerate(parts):
                    found[replica, device, own >= 0] = table[order[own[own >= 0]]]
            return found

        return self.layout.put((len(every), *places.shape, *row), self.layout.by_replica_and_row, part)

    def _resident(self, name: str) -> Any:
        """A table on the device, sent once."""
        if name not in self._there:
            table = self.tables[name]
            key = (id(table), str(self.layout))
            found = _residents.get(key)
            if found is None:
                found = _residents[key] = self._everywhere(table)
            self._there[name] = found
        return self._there[name]

    def _explain(self, before: DeviceState, order: Array, sizes: Array, scalars: Mapping[str, Array], bad: int) -> None:
        """Goes up to the bad step again, and does that one on the reference engine, which says what lies where. Raises: PositionError."""
        row = int(sizes[:bad].sum())
        if bad:
            numbers = {name: part[..., :bad] for name, part in scalars.items()}
            self._call(before, order[:, :row], sizes[:bad], numbers, is_kept=False)
        size, rest = int(sizes[bad]), slice(bad, bad + 1)
        rows = order[:, row : row + size]
        taken = {name: table[rows.reshape(-1)] for name, table in self.tables.items()}
        program = ReferenceLoop(_any_order(self.loop), taken, self.replicas)
        state = HostState({name: array.copy() for name, array in before.arrays().items()})
        program.run(
            state, np.arange(rows.size).reshape(rows.shape), sizes[rest], {n: part[..., rest] for n, part in scalars.items()}
        )
        raise PositionError(
            "a position in the data reaches outside the axis that it is read from",
            expected="positions 0 ... n − 1",
            remedy='check the labels and ids; ids need scaling="none"',
        )


def _any_order(loop: Loop) -> Loop:
    return Loop(loop.graphs, loop.rows, loop.state, loop.scalars, loop.records, loop.stacked)


def _of_device(state: Carried) -> DeviceState:
    if not isinstance(state, DeviceState):
        raise TypeError(f"{state!r} was not made by `load` of this engine")
    return state


def _counts(sizes: Array, known: list[int]) -> Array:
    """How many steps of each size, the largest first, in each stretch of falling sizes: (stretches, sizes)."""
    cuts = np.flatnonzero(np.diff(sizes) > 0) + 1
    parts = np.split(sizes, cuts) if len(sizes) else []
    return np.array([[np.count_nonzero(part == size) for size in known] for part in parts], np.int32).reshape(-1, len(known))


def _filled(rows: Array, count: int) -> Array:
    """The rows, and zeros behind them, which no step reads."""
    if len(rows) == count:
        return np.ascontiguousarray(rows)
    found = np.zeros((count, *rows.shape[1:]), rows.dtype)
    found[: len(rows)] = rows
    return found


def _size(kind: Any) -> int:
    return int(np.prod(kind.shape, dtype=np.int64)) * np.dtype(kind.dtype).itemsize


def _is_on_disk(table: Array) -> bool:
    """Whether an array is a file that is read as it is needed."""
    below: Any = table
    while isinstance(below, np.ndarray):
        if isinstance(below, np.memmap):
            return True
        below = below.base
    return isinstance(below, mmap.mmap)
