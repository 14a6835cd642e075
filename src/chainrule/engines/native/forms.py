"""The form of a kernel: what its code depends on, but for the addresses of its buffers. Kernels of one form are one function."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

from chainrule.engines.native.buffers import BufferPlan
from chainrule.engines.native.kernels import Buffer, Kernel, KernelBody, MemoryPlace, Product, Reduction, Scatter
from chainrule.engines.native.matmul import Tiling
from chainrule.graph import frozen


@dataclass(frozen=True)
class KernelForm:
    """Equal for kernels that the same instructions do, with other pointers."""

    key: Hashable
    buffers: tuple[Buffer, ...] = field(compare=False)
    """The kernel's own buffers, in the order in which it names them."""
    memories: tuple[int, ...] = field(compare=False)
    """For each buffer a number that is the same for those that may share bytes."""


def kernel_form(kernel: Kernel, plan: BufferPlan, tiles: Tiling | None) -> KernelForm:
    """The form of a kernel that is no loop over time, with the tiling of its product."""
    reader = _Reader(plan)
    match kernel.core:
        case Product() as core:
            places = reader.place(core.left), reader.place(core.right)
            inside: Hashable = ("product", core.inner, core.parts, core.dtype, places, tiles)
        case Reduction() as core:
            results = tuple([(result.op, result.value) for result in core.results])
            inside = ("reduction", core.extents, core.along, results, reader.body(core.body))
        case Scatter() as core:
            inside = ("scatter", core.stride, core.extent, core.position)
        case _:
            inside = ()
    body = reader.body(kernel.body)
    return KernelForm((kernel.extents, inside, body), tuple(reader.buffers), tuple(reader.memories))


class _Reader:
    """Reads a kernel's parts as keys in which buffers are numbers."""

    def __init__(self, plan: BufferPlan) -> None:
        self.plan = plan
        self.buffers: list[Buffer] = []
        self.memories: list[int] = []
        self._numbers: dict[int, int] = {}
        self._classes: dict[object, int] = {}

    def place(self, place: MemoryPlace) -> Hashable:
        """A place: which buffer, what of it the code knows, and where in it."""
        buffer = place.buffer
        if id(buffer) not in self._numbers:
            self._numbers[id(buffer)] = len(self.buffers)
            self.buffers.append(buffer)
            self.memories.append(self._classes.setdefault(memory_key(buffer, self.plan), len(self._classes)))
        number = self._numbers[id(buffer)]
        rows = buffer.type.shape[1:] if place.row is not None else None
        return number, self.memories[number], buffer.type.dtype, buffer.kind == "block", rows, place.at, place.row

    def body(self, body: KernelBody) -> Hashable:
        """All lines and stores."""
        lines = [
            (
                line.op,
                line.dtype,
                line.arguments,
                None if line.place is None else self.place(line.place),
                tuple([(key, frozen(value)) for key, value in line.attributes.items()]),
            )
            for line in body.lines
        ]
        return tuple(lines), tuple([(store.value, self.place(store.place)) for store in body.stores])


def memory_key(buffer: Buffer, plan: BufferPlan) -> tuple[str, object]:
    """The same for buffers that may share bytes."""
    memory = buffer.memory
    return (memory.kind, plan.region(memory)) if memory.kind == "arena" else (memory.kind, memory.name)
