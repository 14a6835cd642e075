"""Where buffers lie: as slots of the context and bytes from there on, and as addresses in the functions that are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chainrule.engines.native.builder import ELEMENTS, LlvmFunction, Value, bytes_of
from chainrule.engines.native.forms import KernelForm, memory_key
from chainrule.engines.native.kernels import Buffer
from chainrule.engines.native.steps import CompiledStep
from chainrule.engines.native.tables import ARENA, CONSTANTS, ORDER, WRONG, Argument
from chainrule.immutable import immutable


class Tags:
    """Names for memory that LLVM may take to be apart: `!tbaa` nodes, one to each key."""

    def __init__(self) -> None:
        self._numbers: dict[object, int] = {}

    def __call__(self, key: object) -> str:
        """The tag of a load or store."""
        return f", !tbaa !{2 * self._numbers.setdefault(key, len(self._numbers)) + 2}"

    def __str__(self) -> str:
        lines = ['!0 = !{!"chainrule"}']
        for number in self._numbers.values():
            lines.append(f'!{2 * number + 1} = !{{!"memory {number}", !0, i64 0}}')
            lines.append(f"!{2 * number + 2} = !{{!{2 * number + 1}, !{2 * number + 1}, i64 0}}")
        return "\n".join(lines)


@immutable
class Layout:
    """Where the memory of a loop lies: which slot of the context each buffer of the caller has, and how large the engine's own is."""

    slots: Mapping[tuple[str, str], int]
    """By kind and name."""
    arena_bytes: int
    scratch_bytes: int
    """Of each thread; they lie behind the arena."""

    def place(self, buffer: Buffer, step: CompiledStep) -> Argument:
        """Where a buffer lies, outside loops over time: from which slot on, and how far it moves with each step and row."""
        start, whole = buffer.shift[0] * bytes_of(ELEMENTS[buffer.type.dtype]), buffer.memory
        match whole.kind:
            case "arena":
                return Argument(ARENA, whole.offset + start)
            case "scratch":
                return Argument(ARENA, self.arena_bytes + whole.offset + start)
            case "constant":
                return Argument(CONSTANTS, whole.offset + start)
            case kind:
                by_step = whole.nbytes if kind in {"scalar", "record"} else 0
                by_row = whole.nbytes // step.size if kind in {"stacked", "block"} else 0
                return Argument(self.slots[kind, whole.name], start, by_step, by_row)


@dataclass
class StepMemory:
    """Where the buffers of one step lie, as addresses made from the context."""

    layout: Layout
    tags: Tags
    step: CompiledStep
    f: LlvmFunction
    context: Value
    number: Value
    position: Value
    worker: Value | None
    turn: Value | None = None
    piece: Value | None = None
    known: dict[object, Value] = field(default_factory=dict[object, Value])

    def slot(self, slot: int) -> Value:
        """A pointer from the context, read once, when the function begins."""
        if slot not in self.known:
            with self.f.at_entry():
                place = self.f.offset(self.context, self.f.index(slot), 8)
                self.known[slot] = self.f.emit("ptr", 1, f"load ptr, {place}, align 8{self.tags('context')}")
        return self.known[slot]

    def address(self, buffer: Buffer) -> Value:
        """See `Memory`."""
        if id(buffer) not in self.known:
            with self.f.at_entry():
                self.known[id(buffer)] = self._address(buffer)
        return self.known[id(buffer)]

    def _address(self, buffer: Buffer) -> Value:
        f = self.f
        if buffer.whole is not None:
            return self._address_of_part(buffer, buffer.whole)
        if buffer.kind == "scratch":
            return f.offset(self.scratch(), f.index(buffer.offset))
        place = self.layout.place(buffer, self.step)
        start = f.offset(self.slot(place.slot), f.index(place.offset))
        return f.offset(f.offset(start, self.number, place.by_step), self.position, place.by_row)

    def _address_of_part(self, buffer: Buffer, whole: Buffer) -> Value:
        f, size = self.f, bytes_of(ELEMENTS[buffer.type.dtype])
        place = f.offset(self.address(whole), f.index(buffer.start * size))
        for number, step in ((self.turn, buffer.turn), (self.piece, buffer.piece)):
            place = f.offset(place, number, step * size) if step and number is not None else place
        return place

    def tag(self, buffer: Buffer) -> str:
        """See `Memory`."""
        key = memory_key(buffer, self.step.plan)
        return self.tags((self.step.size, *key) if key[0] == "arena" else key)

    def scratch_tag(self) -> str:
        """See `Memory`."""
        return self.tags("scratch")

    def scratch(self) -> Value:
        """The worker's own scratch memory."""
        start = self.f.offset(self.slot(ARENA), self.f.index(self.layout.arena_bytes))
        return start if self.worker is None else self.f.offset(start, self.worker, self.layout.scratch_bytes)

    def order(self) -> Value:
        """See `Memory`."""
        if "order" not in self.known:
            with self.f.at_entry():
                self.known["order"] = self.f.offset(self.slot(ORDER), self.position, 8)
        return self.known["order"]

    def report_position(self, f: LlvmFunction, wrong: Value) -> None:
        """See `Memory`."""
        with f.when(wrong):
            f.store(f.index(1), self.slot(WRONG))


class OwnMemory(StepMemory):
    """Where the buffers of a kernel lie whose code is a function of its own: at the pointers that this is given."""

    def __init__(
        self, layout: Layout, tags: Tags, step: CompiledStep, f: LlvmFunction, form: KernelForm, pointers: Sequence[Value]
    ) -> None:
        context, position, *_ = f.arguments
        super().__init__(layout, tags, step, f, context, f.index(0), position, None)
        places = zip(pointers, form.memories, strict=False)
        self._given = {id(buffer): place for buffer, place in zip(form.buffers, places, strict=True)}
        self._packs = pointers[len(form.buffers) :]

    def address(self, buffer: Buffer) -> Value:
        """See `Memory`."""
        return self._given[id(buffer)][0]

    def tag(self, buffer: Buffer) -> str:
        """See `Memory`."""
        return self.tags(("given", self._given[id(buffer)][1]))

    def scratch(self) -> Value:
        """What it is given behind its buffers, or the worker's own."""
        return self._packs[0] if self._packs else super().scratch()
