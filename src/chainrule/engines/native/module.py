"""The module of a loop: for each batch size a step, made of kernels, and around them the loop over steps, all as LLVM text.

    step_32(context, step, position, team)           one step: its kernels, one after the other
    piece_32_1(context, step, position, team)        some kernels of a step that has many
    same_4(context, position, buffers ...)           kernels that differ in their buffers only, wherever they stand
    kernel_0f3a…(context, position, given)           where code is made quickly: a kernel for any numbers, which with its buffers are given
    turn_32_2(context, step, position, team, turn)   one turn of a loop over time
    turn_32_2(context, step, position, turn, worker, task)  the same of a piece of its rows: see `rows`
    piece_of_turn_32_2(context, step, position, 0, worker, task)  all its turns for a piece
    kernel_32_1(context, step, position, turn, worker, task)  a part of a kernel that is worth sharing between threads
    run(context, team, steps)                        the loop over steps
    work(context, team, worker)                      what a helping thread does until the loop ends

The context is a table of pointers: slot 0 the arena, 1 the constants, 2 the order, 3 the sizes, 4 a flag for positions outside their
axes, 5 the table of steps that have no functions of their own (see `tables`); then one for each state leaf, table, scalar, record and
stacked output.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import cached_property
from hashlib import blake2b
from math import prod

from chainrule.engines.engine import Loop
from chainrule.engines.native.addresses import Layout, OwnMemory, StepMemory, Tags
from chainrule.engines.native.buffers import ALIGNMENT, plan_buffers
from chainrule.engines.native.builder import ELEMENTS, Extent, LlvmFunction, Stride, Value, bits, bytes_of
from chainrule.engines.native.collapse import collapsed, in_shares
from chainrule.engines.native.cuts import Cut, cut
from chainrule.engines.native.forms import KernelForm, may_differ, with_numbers
from chainrule.engines.native.kernels import Buffer, Kernel, Product, Reduction, Scatter, Turns
from chainrule.engines.native.loops import Emitter
from chainrule.engines.native.matmul import UNROLLED, ProductWriter
from chainrule.engines.native.nearby import near_by
from chainrule.engines.native.panels import in_panels
from chainrule.engines.native.parts import in_parts
from chainrule.engines.native.reductions import ReductionWriter
from chainrule.engines.native.rows import in_row_pieces
from chainrule.engines.native.schedule import schedule
from chainrule.engines.native.steps import CompiledStep
from chainrule.engines.native.subnormals import flushed
from chainrule.engines.native.tables import (
    ARENA,
    FIRST,
    MOST_ARGUMENTS,
    SIZES,
    Argument,
    Call,
    Calls,
    listed,
    loop_text,
)
from chainrule.engines.native.team import Team
from chainrule.engines.native.tiling import Tiling, scratch_bytes, tiling
from chainrule.graph import Graph
from chainrule.immutable import immutable

WIDE = 32
"""Bytes of a vector from which on the processor has masks."""
PIECE = 16
"""How many kernels are written into one function: what LLVM does with a function takes more than in proportion to its length."""
PARTS = 32
"""Into how many parts at most a shared kernel is cut; fixed, so that no result depends on the number of threads."""
PREFETCHED = 256
"""Bytes of a table's row from which on the next step's rows are asked for while this step computes."""


@immutable
class Machine:
    """What the module must know of the processor."""

    vector_bytes: int
    registers: int
    triple: str
    fused: bool = True
    """Whether x·y + z is one instruction; where it is not, it is a product and a sum, each rounded."""


def _share(memory: StepMemory, part: LlvmFunction, tasks: int, team: Value, calls: list[str]) -> None:
    """Writes that threads share a function's tasks."""
    f = memory.f
    calls.append(part.name)
    which = memory.context, memory.number, memory.position, memory.turn or f.index(0)
    f.call("share", "void", 1, *which, team, f.index(len(calls) - 1), f.index(tasks))


def _in_memory(f: LlvmFunction, given: Sequence[Value]) -> Value:
    """Where values stand one behind the other, as a general kernel wants them."""
    kept = f.stack_memory(f"[{len(given)} x i64]")
    for place, value in enumerate(given):
        f.store(value, f.offset(kept, f.index(place), 8))
    return kept


class _StepFunction:
    """A function that does some kernels of a step, being written."""

    def __init__(self, module: Module, step: CompiledStep, name: str) -> None:
        arguments = [("ptr", "context"), ("i64", "step"), ("i64", "position"), ("ptr", "team")]
        self.step, self.f = step, LlvmFunction(name, arguments, attributes="nounwind")
        self.f.linkage = "internal "
        context, number, position, _ = self.f.arguments
        self.memory = StepMemory(module.layout, module.tags, step, self.f, context, number, position, None)


@immutable
class _Common:
    """A kernel that is done by a function of its own."""

    name: str
    step: CompiledStep
    kernel: Kernel
    form: KernelForm
    places: tuple[int, ...] = ()
    """Of the extents that the function is given."""
    is_general: bool = False
    """Whether it is given extents, strides and constants: then other programs use it too."""

    @property
    def packs(self) -> bool:
        """Whether it wants scratch memory, which it is given behind its buffers if it is general."""
        tiles = self.step.tilings.get(id(self.kernel))
        return tiles is not None and tiles.needs_scratch

    @property
    def numbers(self) -> list[Value]:
        """What it is given beside where its buffers lie."""
        given = [*(self.form.extents[place] for place in self.places), *self.form.strides]
        return [*(Value("i64", 1, str(number)) for number in given), *self.form.constants] if self.is_general else []


class Module:
    """A loop as schedule, buffers and LLVM text; each is made when first asked for."""

    is_quick = False
    """Whether it is made to be compiled quickly: less code for the same numbers, which runs slower."""

    def __init__(self, graphs: Mapping[int, Graph], loop: Loop, machine: Machine, *, guarded: bool = False) -> None:
        self.loop, self.machine, self.guarded = loop, machine, guarded
        self.tags = Tags()
        self.steps: dict[int, CompiledStep] = {}
        constants = arena = 0
        for size, graph in graphs.items():
            found = schedule(graph, loop)
            vectors = machine.vector_bytes, machine.registers
            parts = [in_shares(in_row_pieces(part)) for kernel in found.kernels for part in in_parts(collapsed(kernel))]
            found.kernels = [own for part in near_by(parts, *vectors) for own in in_panels(part, *vectors)]
            step = CompiledStep(
                size, graph, found, plan_buffers(found.kernels, guarded=guarded, arena_from=arena, constants_from=constants)
            )
            constants += step.plan.constant_bytes
            arena = step.plan.arena_bytes if guarded else 0
            for kernel in (inner for outer in found.kernels for inner in outer.all):
                if isinstance(kernel.core, Product):
                    tiles = tiling(kernel, kernel.core, *vectors)
                    step.tilings[id(kernel)] = tiles
                    step.scratch = max(step.scratch, scratch_bytes(tiles, kernel, kernel.core))
                ends = [buffer.offset + buffer.nbytes for buffer in kernel.writes if buffer.kind == "scratch"]
                step.scratch = max(step.scratch, *ends, 0)
            self.steps[size] = step
        self.constant_bytes = constants
        arena = -(-max((s.plan.arena_bytes for s in self.steps.values()), default=0) // ALIGNMENT) * ALIGNMENT
        scratch = -(-max((s.scratch for s in self.steps.values()), default=0) // ALIGNMENT) * ALIGNMENT
        self.layout = Layout(self._slots(), arena, scratch)

    def _slots(self) -> dict[tuple[str, str], int]:
        keys: dict[tuple[str, str], None] = {}
        for step in self.steps.values():
            for buffer in step.schedule.buffers:
                if buffer.kind not in {"arena", "constant", "scratch"}:
                    keys[buffer.kind, buffer.name] = None
        return {key: FIRST + number for number, key in enumerate(keys)}

    def quick(self) -> Module:
        """The same with less code, for LLVM's quickest way: where little is to be done, compiling takes longer than running."""
        made = copy(self)
        made.is_quick, made.tags = True, Tags()
        made.steps = {size: replace(step, tilings=step.quick_tilings) for size, step in self.steps.items()}
        return made

    @property
    def work(self) -> int:
        """About how many operations a step does, the largest if there are several."""
        return max((step.work for step in self.steps.values()), default=0)

    @property
    def is_flushed(self) -> bool:
        """Whether numbers below the smallest normal one count as 0: where steps go on from each other's numbers, as those of a training."""
        return self.loop.carries

    @property
    def looks_ahead(self) -> bool:
        """Whether a step reads the order of the one behind it."""
        return any(self._prefetched(step) for step in self.steps.values())

    @property
    def forbidden(self) -> list[int]:
        """The pages of a guarded arena that nobody may touch, by their offsets."""
        return [offset for step in self.steps.values() for offset in step.plan.forbidden]

    @property
    def is_shared_code(self) -> bool:
        """Whether the text has functions for helping threads."""
        return any(step.shared for step in self.steps.values())

    # ---- what people read

    def schedule_text(self) -> str:
        """The kernels of each step in order, with how products are cut and who shares the work."""
        parts: list[str] = []
        for step in self.steps.values():
            count = len(step.schedule.kernels)
            parts.append(f"# a step of {step.size} row{'s' * (step.size != 1)}: {count} kernel{'s' * (count != 1)}")
            for kernel in step.schedule.kernels:
                notes = [str(step.tilings[id(kernel)])] if id(kernel) in step.tilings else []
                notes += ["shared between threads"] if id(kernel) in step.shared else []
                head, rest = str(kernel).split("\n", 1)
                parts.append(f"{head}{'  # ' if notes else ''}{', '.join(notes)}\n{rest}")
        return "\n".join(parts)

    def buffers_text(self) -> str:
        """The buffer plan of each step, and all the memory that a run takes beside the caller's own."""
        parts = [f"# a step of {step.size} row{'s' * (step.size != 1)}\n{step.plan}" for step in self.steps.values()]
        scratch = f", {self.layout.scratch_bytes:,} of scratch for each thread" if self.layout.scratch_bytes else ""
        return "\n".join([*parts, f"# in all: {self.layout.arena_bytes:,} bytes for each replica at work{scratch}"])

    # ---- text

    @cached_property
    def text(self) -> str:
        """The module as LLVM text, with the tables of steps that have no functions of their own."""
        if self.tables is None:
            return self.text_beside(())
        return "\n".join(
            [self.text_beside(()), loop_text(self.machine.triple, is_flushed=self.is_flushed), listed(self.tables), ""]
        )

    @cached_property
    def tables(self) -> Calls | None:
        """What steps call, where nothing is done beside calls of kernels that are given their numbers; else None."""
        found: dict[int, list[Call]] = {}
        for step in self.steps.values():
            calls = [self.common.get(id(kernel)) for kernel in step.schedule.kernels]
            known = [Call(call.name, self._given(call)) for call in calls if call is not None and call.is_general]
            if len(known) < len(calls) or any(len(call.arguments) > MOST_ARGUMENTS for call in known):
                return None
            found[step.size] = known
        return found

    def _given(self, call: _Common) -> tuple[Argument, ...]:
        """What a general kernel is given: where its buffers lie, and scratch memory if it wants some, then its numbers."""
        places = [self.layout.place(buffer, call.step) for buffer in call.form.buffers]
        scratch = [Argument(ARENA, self.layout.arena_bytes)] if call.packs else []
        return (*places, *scratch, *(Argument(-1, bits(number)) for number in call.numbers))

    def text_beside(self, known: Collection[str]) -> str:
        """What is to be compiled where the process has the general kernels of these names already; nothing, it may be."""
        self.tags = Tags()
        functions: list[LlvmFunction] = []
        calls: list[str] = []
        common = self.common
        if self.tables is None:
            for step in self.steps.values():
                functions += self._step(step, calls, common)
            functions += [*Team(self.tags, self.machine.triple, calls, is_flushed=self.is_flushed).functions(), self._run()]
        shared = {call.name: call for call in common.values() if call.name not in known}
        functions += map(self._function, shared.values())
        if not functions:
            return ""
        declared = sorted({line for function in functions for line in function.declarations})
        defined = {f"@{function.name}(" for function in functions}
        declared = [line for line in declared if not any(name in line for name in defined)]
        return "\n\n".join([*map(str, functions), "\n".join(declared), str(self.tags)]) + "\n"

    @cached_property
    def common(self) -> dict[int, _Common]:
        """The kernels that are done by a function of their own, by their identity.

        Where code is made quickly these are nearly all, in functions for any number of turns, which other programs use too; but not for
        narrow vectors, for which masks are many instructions. Code that is to run fast has its numbers in it.
        """
        found = [
            (step, kernel, form)
            for step in self.steps.values()
            for kernel, form in zip(step.schedule.kernels, step.forms, strict=True)
            if form and id(kernel) not in step.shared
        ]
        general = {id(item[1]): self._general(*item) for item in found if self._is_general(*item)}
        counts = Counter(form.exact for _, kernel, form in found if id(kernel) not in general)
        names = {exact: f"same_{number}" for number, exact in enumerate(exact for exact, count in counts.items() if count > 1)}
        return {
            id(kernel): general.get(id(kernel)) or _Common(names[form.exact], step, kernel, form)
            for step, kernel, form in found
            if id(kernel) in general or form.exact in names
        }

    @property
    def general(self) -> set[str]:
        """The names of its kernels that other programs use too."""
        return {call.name for call in self.common.values() if call.is_general}

    def _is_general(self, step: CompiledStep, kernel: Kernel, form: KernelForm) -> bool:
        tiles = step.tilings.get(id(kernel))
        by_blocks = tiles is not None and tiles.block
        return self.is_quick and self.machine.vector_bytes >= WIDE and all(form.extents) and not by_blocks

    def _general(self, step: CompiledStep, kernel: Kernel, form: KernelForm) -> _Common:
        """The function of a kernel for any numbers; its name says all that its code depends on."""
        places = may_differ(kernel, step.tilings.get(id(kernel)))
        fixed = [None if place in places else extent for place, extent in enumerate(form.extents)]
        depends_on = self.machine, cut(kernel, self.machine.vector_bytes), fixed, form.key
        name = blake2b(repr(depends_on).encode(), digest_size=12).hexdigest()
        # Which buffers share bytes is not among it: code that is made quickly is not put in another order.
        apart = replace(form, memories=(0,) * len(form.buffers))
        return _Common(f"kernel_{name}", step, kernel, apart, tuple(sorted(places)), is_general=True)

    def _step(self, step: CompiledStep, calls: list[str], common: Mapping[int, _Common]) -> list[LlvmFunction]:
        """The function of a step, and those that it calls: pieces, turns, parts of kernels for threads."""
        whole = _StepFunction(self, step, f"step_{step.size}")
        self._prefetch(step, whole.memory)
        count = len(step.schedule.kernels)
        if count <= PIECE:
            return [*self._kernels(whole, range(count), calls, common), whole.f]
        found: list[LlvmFunction] = []
        for number, first in enumerate(range(0, count, PIECE)):
            piece = _StepFunction(self, step, f"piece_{step.size}_{number}")
            found += [*self._kernels(piece, range(first, min(first + PIECE, count)), calls, common), piece.f]
            whole.f.call(piece.f.name, "void", 1, *whole.f.arguments)
        return [*found, whole.f]

    def _kernels(
        self, into: _StepFunction, places: range, calls: list[str], common: Mapping[int, _Common]
    ) -> list[LlvmFunction]:
        """Writes kernels, or calls of them, into a function; the functions that are called."""
        step, f, memory = into.step, into.f, into.memory
        context, _, position, team = f.arguments
        found: list[LlvmFunction] = []
        for place in places:
            kernel = step.schedule.kernels[place]
            f.comment(f"kernel {place}: {kernel.label}")
            if isinstance(kernel.core, Turns):
                found += self._turns(memory, kernel.core, str(place), team, calls)
            elif (call := common.get(id(kernel))) is not None:
                given = [*map(memory.address, call.form.buffers)]
                if call.is_general:
                    scratch = [memory.scratch()] if call.packs else []
                    given = [_in_memory(f, [*given, *scratch, *call.numbers])]
                f.call(call.name, "void", 1, context, position, *given)
            else:
                found += self._here(memory, kernel, f"kernel_{step.size}_{place}", team, calls)
        return found

    def _here(self, memory: StepMemory, kernel: Kernel, name: str, team: Value, calls: list[str]) -> list[LlvmFunction]:
        """Writes a kernel, or that threads share it; the function that does a part of it then."""
        step = memory.step
        if id(kernel) not in step.shared:
            self._kernel(step, kernel, memory, None)
            return []
        part, tasks = self._part(step, kernel, name)
        _share(memory, part, tasks, team, calls)
        return [part]

    def _turns(self, memory: StepMemory, turns: Turns, place: str, team: Value, calls: list[str]) -> list[LlvmFunction]:
        """Writes a loop over time, or that threads share the pieces of its rows; the functions that are called."""
        step, f = memory.step, memory.f
        name = f"turn_{step.size}_{place}"
        if turns.pieces == 1:
            turn, *called = self._turn(step, name, turns, calls)
            with f.loop(0, turns.count) as loop:
                f.call(name, "void", 1, memory.context, memory.number, memory.position, team, loop.index)
            return [turn, *called]
        piece = LlvmFunction(f"piece_of_{name}", Team.PART, attributes="nounwind")
        piece.linkage = "internal "
        context, number, position, _, worker, task = piece.arguments
        with piece.loop(0, turns.count) as loop:
            piece.call(name, "void", 1, context, number, position, loop.index, worker, task)
        _share(memory, piece, turns.pieces, team, calls)
        return [piece, self._turn_of_piece(step, name, turns)]

    def _function(self, call: _Common) -> LlvmFunction:
        """The function that does a kernel."""
        form, kernel, step = call.form, call.kernel, call.step
        own = [("ptr", "given")] if call.is_general else [("ptr", f"buffer{n}") for n in range(len(form.buffers))]
        f = LlvmFunction(call.name, [("ptr", "context"), ("i64", "position"), *own], attributes="nounwind")
        f.linkage, f.shares_memory = "" if call.is_general else "internal ", True
        f.comment(f"as {kernel.label}")
        tiles, how = step.tilings.get(id(kernel)), cut(kernel, self.machine.vector_bytes)
        _, _, *pointers = f.arguments
        if call.is_general:
            kinds = [*["ptr"] * (len(form.buffers) + call.packs), *(number.element for number in call.numbers)]
            with f.at_entry():
                places = [f.offset(pointers[0], f.index(n), 8) for n in range(len(kinds))]
                found = [f.emit(kind, 1, f"load {kind}, {place}, align 8") for kind, place in zip(kinds, places, strict=True)]
            pointers, given = found[: len(form.buffers) + call.packs], found[len(form.buffers) + call.packs :]
            extents = dict(enumerate(form.extents)) | {place: Extent(n) for place, n in zip(call.places, given, strict=False)}
            rest = given[len(call.places) :]
            strides = {known: Stride(n) for known, n in zip(form.strides, rest, strict=False)}
            kernel, tiles = with_numbers(kernel, tiles, list(extents.values()), strides, rest[len(strides) :])
        self._write(kernel, tiles, how, OwnMemory(self.layout, self.tags, step, f, form, pointers), None)
        return f

    def _turn(self, step: CompiledStep, name: str, turns: Turns, calls: list[str]) -> list[LlvmFunction]:
        """A function that does one turn of a loop over time, and those that it shares with threads."""
        names = [("ptr", "context"), ("i64", "step"), ("i64", "position"), ("ptr", "team"), ("i64", "turn")]
        f = LlvmFunction(name, names, attributes="nounwind")
        f.linkage = "internal "
        context, number, position, team, turn = f.arguments
        memory = StepMemory(self.layout, self.tags, step, f, context, number, position, None, turn)
        found = [f]
        for place, kernel in enumerate(turns.kernels):
            f.comment(kernel.label)
            found += self._here(memory, kernel, f"kernel_{name}_{place}", team, calls)
        return found

    def _turn_of_piece(self, step: CompiledStep, name: str, turns: Turns) -> LlvmFunction:
        """A function that does one turn of a loop over time for a piece of its rows."""
        f = LlvmFunction(name, Team.PART, attributes="nounwind")
        f.linkage = "internal "
        context, number, position, turn, worker, piece = f.arguments
        memory = StepMemory(self.layout, self.tags, step, f, context, number, position, worker, turn, piece)
        for kernel in turns.kernels:
            f.comment(kernel.label)
            self._kernel(step, kernel, memory, None)
        return f

    def _prefetch(self, step: CompiledStep, memory: StepMemory) -> None:
        """Asks for the rows that the step after this one will read, so that they are there when it begins."""
        f = memory.f
        for buffer, row_bytes in self._prefetched(step):
            base, order = memory.address(buffer), memory.order()
            with f.loop(0, step.size) as loop:
                # The order has a margin of one largest batch behind its end.
                row = f.load("i64", 1, f.offset(order, f.binary("add", loop.index, f.index(step.size)), 8))
                start = f.offset(base, row, row_bytes)
                f.declarations.add("declare void @llvm.prefetch.p0(ptr, i32, i32, i32)")
                with f.loop(0, row_bytes, ALIGNMENT) as line:
                    f.perform(f"call void @llvm.prefetch.p0({f.offset(start, line.index)}, i32 0, i32 2, i32 1)")

    def _prefetched(self, step: CompiledStep) -> list[tuple[Buffer, int]]:
        """The tables whose rows are asked for ahead, with the bytes of a row; where little is to be done it is not worth its code."""
        if self.is_quick:
            return []
        tables = {buffer.name: buffer for buffer in step.schedule.buffers if buffer.kind == "rows"}
        sized = [(b, prod(b.type.shape[1:]) * bytes_of(ELEMENTS[b.type.dtype])) for b in tables.values()]
        return [(buffer, size) for buffer, size in sized if size >= PREFETCHED]

    def _part(self, step: CompiledStep, kernel: Kernel, name: str) -> tuple[LlvmFunction, int]:
        """A function that does one part of a kernel, and how many parts there are."""
        f = LlvmFunction(name, Team.PART, attributes="nounwind")
        f.linkage = "internal "
        context, number, position, turn, worker, task = f.arguments
        turns = step.shared[id(kernel)]
        each = -(-turns // PARTS)
        tasks = -(-turns // each)
        memory = StepMemory(self.layout, self.tags, step, f, context, number, position, worker, turn)
        start = f.binary("mul", task, f.index(each))
        end = f.intrinsic("smin", f.binary("add", start, f.index(each)), f.index(turns))
        self._kernel(step, kernel, memory, (start, end))
        return f, tasks

    def _kernel(self, step: CompiledStep, kernel: Kernel, memory: StepMemory, first: tuple[Value, Value] | None) -> None:
        self._write(kernel, step.tilings.get(id(kernel)), cut(kernel, self.machine.vector_bytes), memory, first)

    def _write(
        self, kernel: Kernel, tiles: Tiling | None, how: Cut, memory: StepMemory, first: tuple[Value, Value] | None
    ) -> None:
        emitter = Emitter(memory.f, memory, self.machine.vector_bytes, self.machine.fused)
        match kernel.core:
            case Product() if tiles is not None:
                scratch = memory.scratch() if tiles.needs_scratch else None
                unrolled = 0 if self.is_quick else UNROLLED
                ProductWriter(emitter, kernel, kernel.core, tiles, scratch, unrolled).write(first)
            case Reduction():
                ReductionWriter(emitter, kernel, kernel.core, how).write(first)
            case Scatter():
                emitter.scatter(kernel, kernel.core, how, first)
            case _:
                emitter.map(kernel, how, first)

    def _run(self) -> LlvmFunction:
        """The loop over the steps; each takes its batch size from the table of sizes."""
        f = LlvmFunction("run", [("ptr", "context"), ("ptr", "team"), ("i64", "steps")])
        context, team, steps = f.arguments
        sizes = f.emit("ptr", 1, f"load ptr, {f.offset(context, f.index(SIZES), 8)}, align 8")
        some = f.compare("sgt", steps, f.index(0))
        with flushed(f, self.machine.triple, wanted=self.is_flushed), f.when(some), f.loop(0, steps, 1, [f.index(0)]) as loop:
            size = f.load("i64", 1, f.offset(sizes, loop.index, 8))
            for own in self.steps:
                with f.when(f.compare("eq", size, f.index(own))):
                    f.call(f"step_{own}", "void", 1, context, loop.index, loop.carried[0], team)
            loop.following = [f.binary("add", loop.carried[0], size)]
        f.call("dismiss", "void", 1, team)
        return f
