"""The buffer plan: which bytes of one arena each buffer of a step has, so that those needed at different times share them.

A buffer lives from the kernel that first writes it to the last that reads it. A result that is written exactly where its kernel has
just read an operand for the last time takes the operand's place. A guarded plan, for the debug build, shares nothing and ends
each buffer at the edge of a page, behind which memory is forbidden.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass, field

from chainrule.engines.native.kernels import Buffer, Kernel, Reduction

ALIGNMENT = 64
"""Bytes: a cache line, and the widest vector."""
PAGE = mmap.PAGESIZE


@dataclass
class BufferPlan:
    """Where the buffers lie: `arena` and `constants` with their sizes in bytes; `regions` are buffers that share no byte with others'."""

    arena: list[Buffer]
    constants: list[Buffer]
    arena_bytes: int
    constant_bytes: int
    forbidden: list[int] = field(default_factory=list[int])
    """Offsets of pages that a guarded arena must not let anybody touch."""
    forbidden_constants: list[int] = field(default_factory=list[int])
    """The same among the constants."""
    shared: dict[int, int] = field(default_factory=dict[int, int])
    alive: dict[int, tuple[int, int]] = field(default_factory=dict[int, tuple[int, int]])

    def region(self, buffer: Buffer) -> int:
        """A number that is the same for buffers of the arena that share bytes."""
        number = id(buffer)
        while self.shared[number] != number:
            number = self.shared[number]
        return number

    def __str__(self) -> str:
        lines = [f"arena {self.arena_bytes:,} bytes, constants {self.constant_bytes:,} bytes"]
        for buffer in sorted(self.arena, key=lambda b: (b.offset, self.alive[id(b)])):
            first, last = self.alive[id(buffer)]
            end = buffer.offset + buffer.nbytes
            lines.append(f"  {buffer.offset:>10,} … {end:>10,}  {buffer.label}: {buffer.type!r}, kernels {first} … {last}")
        lines += [f"  constant at {buffer.offset:,}  {buffer.label}: {buffer.type!r}" for buffer in self.constants]
        return "\n".join(lines)


def plan_buffers(kernels: list[Kernel], *, guarded: bool = False, arena_from: int = 0, constants_from: int = 0) -> BufferPlan:
    """Gives every buffer of kind arena or constant its offset; a guarded arena begins where that of another step ends."""
    alive = _lifetimes(kernels)
    arena = [buffer for buffer, _ in alive.values() if buffer.kind == "arena"]
    constants = [buffer for buffer, _ in alive.values() if buffer.kind == "constant"]
    plan = BufferPlan(arena, constants, 0, 0)
    plan.shared = {id(buffer): id(buffer) for buffer in arena}
    plan.alive = {key: span for key, (_, span) in alive.items()}
    if guarded:
        plan.arena_bytes = arena_from
        for buffer in arena:
            pages = -(-max(buffer.nbytes, 1) // PAGE)
            # The last byte stands at the end of its page; one forbidden page on each side.
            buffer.offset = plan.arena_bytes + (1 + pages) * PAGE - buffer.nbytes
            plan.forbidden += [plan.arena_bytes, plan.arena_bytes + (1 + pages) * PAGE]
            plan.arena_bytes += (2 + pages) * PAGE
    else:
        _pack(plan, _in_place(kernels, plan))
    at = constants_from
    for buffer in constants:
        if guarded:
            end = at + -(-max(buffer.nbytes, 1) // PAGE) * PAGE
            buffer.offset, at = end - buffer.nbytes, end + PAGE
            plan.forbidden_constants.append(end)
        else:
            buffer.offset, at = at, _aligned(at + buffer.nbytes)
    plan.constant_bytes = at - constants_from
    return plan


def _aligned(count: int) -> int:
    return -(-count // ALIGNMENT) * ALIGNMENT


def _lifetimes(kernels: list[Kernel]) -> dict[int, tuple[Buffer, tuple[int, int]]]:
    """Each buffer with the first and the last kernel that touches it."""
    found: dict[int, tuple[Buffer, tuple[int, int]]] = {}
    for number, kernel in enumerate(kernels):
        for buffer in (*kernel.reads, *kernel.writes):
            first = found[id(buffer)][1][0] if id(buffer) in found else number
            found[id(buffer)] = (buffer, (first, number))
    return found


def _in_place(kernels: list[Kernel], plan: BufferPlan) -> dict[int, Buffer]:
    """Results (by id) that may take the place of an operand whose last reader is the kernel that writes them."""
    taken: dict[int, Buffer] = {}
    for number, kernel in enumerate(kernels):
        given: set[int] = set()
        for store in kernel.body.stores:
            target = store.place.buffer
            if target.kind != "arena" or plan.alive[id(target)][0] != number or kernel.writes.count(target) != 1:
                continue
            for line in kernel.body.lines:
                source = line.place.buffer if line.place and line.op == "load" else None
                if source is None or line.place is None or source.kind != "arena" or id(source) in given:
                    continue
                fits = source.nbytes == target.nbytes and source.type.dtype == target.type.dtype and source is not target
                once = kernel.reads.count(source) == 1 and source not in kernel.writes
                plain = line.place.at == store.place.at and not isinstance(kernel.core, Reduction)
                if fits and once and plain and plan.alive[id(source)][1] == number and _moves_everywhere(kernel, line.place.at):
                    taken[id(target)] = source
                    given.add(id(source))
                    break
    return taken


def _moves_everywhere(kernel: Kernel, at: tuple[int, ...]) -> bool:
    """Whether each point of the kernel has an entry of its own."""
    return all(step or extent == 1 for step, extent in zip(at[1:], kernel.extents, strict=False))


def _pack(plan: BufferPlan, in_place: dict[int, Buffer]) -> None:
    """First fit: the largest buffers first, each at the lowest offset where nothing alive at the same time lies."""
    holders: dict[int, list[Buffer]] = {}
    for buffer in plan.arena:
        root = buffer
        while id(root) in in_place:
            root = in_place[id(root)]
        holders.setdefault(id(root), []).append(buffer)
    chains = sorted(holders.values(), key=lambda chain: -chain[0].nbytes)
    placed: list[tuple[int, int, int, int, Buffer]] = []
    for chain in chains:
        spans = [plan.alive[id(buffer)] for buffer in chain]
        first, last, size = min(s[0] for s in spans), max(s[1] for s in spans), _aligned(chain[0].nbytes)
        offset = 0
        for begin, end, since, until, _ in sorted(placed, key=lambda item: item[0]):
            if since <= last and first <= until and begin < offset + size and offset < end:
                offset = end
        placed.append((offset, offset + size, first, last, chain[0]))
        for buffer in chain:
            buffer.offset = offset
            plan.shared[id(buffer)] = id(chain[0])
        plan.arena_bytes = max(plan.arena_bytes, offset + size)
    for number, (begin, end, _, _, buffer) in enumerate(placed):
        for other_begin, other_end, _, _, other in placed[:number]:
            if begin < other_end and other_begin < end:
                plan.shared[plan.region(buffer)] = plan.region(other)
