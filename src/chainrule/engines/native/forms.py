"""The form of a kernel: what its code depends on, but for where its buffers lie, and its numbers: turns of loops, strides, constants.

Kernels of one form with the same numbers are one function. Where code is made quickly those with other numbers are too, which it is given:
those of a step and of the shorter one at the end of an epoch, of training and of evaluation, of one network and of a wider one.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace

from chainrule.engines.native.buffers import BufferPlan
from chainrule.engines.native.builder import ELEMENTS, Value, literal
from chainrule.engines.native.kernels import (
    Affine,
    Buffer,
    Instruction,
    Kernel,
    KernelBody,
    MemoryPlace,
    Product,
    Reduction,
    Scatter,
)
from chainrule.engines.native.tiling import Tiling
from chainrule.graph import frozen
from chainrule.immutable import immutable


@immutable
class KernelForm:
    """Equal for kernels that the same instructions do, with other pointers and other extents."""

    key: Hashable
    """All but the numbers below."""
    extents: tuple[int, ...] = field(compare=False)
    """Of the kernel's own loops, then of those that it reduces, sums or adds over."""
    strides: tuple[int, ...] = field(compare=False)
    """The coefficients of places above 1, each once, but for those of the loop along the lanes: in the key stand their numbers here."""
    constants: tuple[Value, ...] = field(compare=False)
    """The constants of its lines as they are written, those of the inner body first."""
    buffers: tuple[Buffer, ...] = field(compare=False)
    """The kernel's own buffers, in the order in which it names them."""
    memories: tuple[int, ...] = field(compare=False)
    """For each buffer a number that is the same for those that may share bytes."""

    @property
    def exact(self) -> Hashable:
        """Equal for kernels that differ in their buffers only."""
        return self.key, self.extents, self.strides, self.constants, self.memories


def kernel_form(kernel: Kernel, plan: BufferPlan, tiles: Tiling | None) -> KernelForm:
    """The form of a kernel that is no loop over time, with the tiling of its product."""
    reader = _Reader(plan)
    extents = kernel.extents
    inner_lane, lane = lane_loops(kernel, tiles)
    match kernel.core:
        case Product() as core:
            places = reader.place(core.left, inner_lane), reader.place(core.right, inner_lane)
            cut = None if tiles is None else replace(tiles, height=0, width=0)
            inside: Hashable = ("product", core.parts, core.dtype, places, cut)
            extents = (*extents, core.inner)
        case Reduction() as core:
            results = tuple([(result.op, result.value) for result in core.results])
            inside = ("reduction", len(extents), core.along, results, reader.body(core.body, inner_lane))
            extents = (*extents, *core.extents)
        case Scatter() as core:
            inside = ("scatter", core.stride, core.extent, core.position)
        case _:
            inside = ()
    body = reader.body(kernel.body, lane)
    found = tuple(reader.strides), tuple(reader.constants), tuple(reader.buffers), tuple(reader.memories)
    return KernelForm((len(kernel.extents), inside, body), extents, *found)


def lane_loops(kernel: Kernel, tiles: Tiling | None) -> tuple[int | None, int | None]:
    """Which loop runs along the lanes, of what a kernel reduces or sums, and of its body; None where no loop does."""
    loops = len(kernel.extents)
    match kernel.core:
        case Product() if tiles is not None:
            width = loops - 2 if tiles.swapped else loops - 1
            return width, width
        case Reduction() as core if core.along or not loops:
            return loops + len(core.extents) - 1, None
        case _:
            return loops - 1, loops - 1


def with_numbers(
    kernel: Kernel, tiles: Tiling | None, extents: Sequence[int], strides: Mapping[int, int], constants: Iterable[Value]
) -> tuple[Kernel, Tiling | None]:
    """The kernel, and how its product is cut, with other extents, strides and constants, in the order in which its form has them."""
    rest = iter(constants)

    def moved(lane: int | None) -> Callable[[Affine], Affine]:
        return lambda at: (at[0], *[c if loop == lane else strides.get(c, c) for loop, c in enumerate(at[1:])])

    inner_lane, lane = lane_loops(kernel, tiles)
    *inner, own_body = kernel.bodies
    bodies = [_with_constants(body.moved(moved(inner_lane)), rest) for body in inner]
    kernel = replace(kernel, body=_with_constants(own_body.moved(moved(lane)), rest))
    own, inside = tuple(extents[: len(kernel.extents)]), tuple(extents[len(kernel.extents) :])
    match kernel.core:
        case Product() as core:
            assert tiles is not None  # noqa: S101  (a product is cut into tiles)
            left, right = (place.moved(moved(inner_lane)) for place in (core.left, core.right))
            made = replace(kernel, extents=own, core=replace(core, inner=inside[0], left=left, right=right))
            height, width = (own[-1], own[-2]) if tiles.swapped else (own[-2], own[-1])
            return made, replace(tiles, height=height, width=width)
        case Reduction() as core:
            return replace(kernel, extents=own, core=replace(core, extents=inside, body=bodies[0])), tiles
        case _:
            return replace(kernel, extents=own), tiles


def _with_constants(body: KernelBody, constants: Iterator[Value]) -> KernelBody:
    lines = [
        replace(line, attributes={**line.attributes, "value": next(constants)}) if line.op == "constant" else line
        for line in body.lines
    ]
    return KernelBody(lines, body.stores)


def may_differ(kernel: Kernel, tiles: Tiling | None) -> set[int]:
    """The places, among a form's extents, of loops whose code may take the number of turns as an argument."""
    loops = len(kernel.extents)
    match kernel.core:
        case Product() as core if tiles is not None:
            width = loops - 2 if tiles.swapped else loops - 1
            inner = set[int]() if core.parts else {loops}
            return {*range(loops), *inner} - (set[int]() if tiles.panels == 1 else {width})
        case Reduction() as core:
            return {*range(loops + len(core.extents))} if len(core.extents) <= 1 else {*range(loops)}
        case Scatter():
            return set()
        case _:
            return {*range(loops)}


class _Reader:
    """Reads a kernel's parts as keys in which buffers are numbers."""

    def __init__(self, plan: BufferPlan) -> None:
        self.plan = plan
        self.buffers: list[Buffer] = []
        self.memories: list[int] = []
        self.strides: dict[int, str] = {}
        self.constants: list[Value] = []
        self._numbers: dict[int, int] = {}
        self._classes: dict[object, int] = {}

    def at(self, at: Affine, lane: int | None) -> Hashable:
        """Where in a buffer: strides by their numbers among all that the kernel has."""
        known = self.strides
        return at[0], *[
            c if c < 2 or loop == lane else known.setdefault(c, f"stride {len(known)}") for loop, c in enumerate(at[1:])
        ]

    def place(self, place: MemoryPlace, lane: int | None) -> Hashable:
        """A place: which buffer, what of it the code knows, and where in it."""
        buffer = place.buffer
        if id(buffer) not in self._numbers:
            self._numbers[id(buffer)] = len(self.buffers)
            self.buffers.append(buffer)
            self.memories.append(self._classes.setdefault(memory_key(buffer, self.plan), len(self._classes)))
        number = self._numbers[id(buffer)]
        rows = buffer.type.shape[1:] if place.row is not None else None
        row = None if place.row is None else self.at(place.row, lane)
        return number, buffer.type.dtype, buffer.kind == "block", rows, self.at(place.at, lane), row

    def body(self, body: KernelBody, lane: int | None) -> Hashable:
        """All lines and stores, but for the constants."""
        constants = [(ELEMENTS[line.dtype], line.attributes["value"]) for line in body.lines if line.op == "constant"]
        self.constants += [Value(element, 1, literal(element, number)) for element, number in constants]
        lines = [
            (
                line.op,
                line.dtype,
                line.arguments,
                None if line.place is None else self.place(line.place, lane),
                self._attributes(line, lane),
            )
            for line in body.lines
        ]
        return tuple(lines), tuple([(store.value, self.place(store.place, lane)) for store in body.stores])

    def _attributes(self, line: Instruction, lane: int | None) -> Hashable:
        if line.op == "index":
            return self.at(line.attributes["at"], lane)
        return () if line.op == "constant" else tuple([(key, frozen(value)) for key, value in line.attributes.items()])


def memory_key(buffer: Buffer, plan: BufferPlan) -> tuple[str, object]:
    """The same for buffers that may share bytes."""
    memory = buffer.memory
    return (memory.kind, plan.region(memory)) if memory.kind == "arena" else (memory.kind, memory.name)
