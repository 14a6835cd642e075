"""Loops over time by rows: what becomes of a row of the batch depends on no other row, so threads take some each, through all turns.

A loop whose kernels are handed to threads one by one waits for the slowest at each of them, twenty times a turn. Where no row looks at
another, a piece of the rows goes through the whole loop alone: threads meet once, at its end. That rows are apart is read from the
places that the kernels read and write. How many pieces there are follows from the number of rows: never from the number of threads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import gcd

from chainrule.engines.native.builder import ELEMENTS, bytes_of
from chainrule.engines.native.kernels import (
    SHARED_COST,
    Affine,
    Buffer,
    Kernel,
    KernelBody,
    MemoryPlace,
    Product,
    Reduction,
    Scatter,
    Turns,
)
from chainrule.graph import Shape

MOST = 8
"""How many pieces there are at most: each reads the weights anew, at every turn."""
FEWEST_ROWS = 8
"""Rows that a piece has at least; a tile of a product has about as many."""
GOOD_ROWS = 16
"""Rows of a piece from which on more pieces are preferred to larger ones."""
LARGEST_WEIGHTS = 1024 * 1024
"""Bytes of a product's right matrix up to which each piece reads it anew: a processor's second cache has room for it."""


def in_row_pieces(kernel: Kernel) -> Kernel:
    """The kernel; a loop over time whose rows are apart with the kernels of one piece of them, and the number of pieces."""
    turns = kernel.core
    if not isinstance(turns, Turns) or kernel.cost < SHARED_COST:
        return kernel
    rows = gcd(*(inner.extents[0] if inner.extents else 1 for inner in turns.kernels))
    pieces = _pieces(rows)
    if pieces == 1 or not all(map(_is_small, turns.kernels)) or not are_apart(turns.kernels, rows):
        return kernel
    return replace(kernel, core=Turns(turns.count, [moving(inner, rows, rows // pieces) for inner in turns.kernels], pieces))


def _pieces(rows: int) -> int:
    """Into how many equal pieces so many rows are cut: as many as leave GOOD_ROWS to each, else FEWEST_ROWS; 1 if none do."""
    counts = [count for count in range(MOST, 1, -1) if rows % count == 0]
    return next((count for least in (GOOD_ROWS, FEWEST_ROWS) for count in counts if rows // count >= least), 1)


def _is_small(kernel: Kernel) -> bool:
    """Whether a piece of a kernel costs, row for row, what the whole does: a large right matrix serves many rows better."""
    core = kernel.core
    return not isinstance(core, Product) or core.inner * kernel.extents[-1] * bytes_of(ELEMENTS[core.dtype]) <= LARGEST_WEIGHTS


def are_apart(kernels: Sequence[Kernel], rows: int) -> bool:
    """Whether each kernel, at its turns for a row, touches only that row's entries of what the kernels write."""
    written = {id(buffer): buffer for kernel in kernels for buffer in kernel.writes}
    if any(buffer.kind in {"state", "next"} for buffer in written.values()):  # for which another buffer may stand too
        return False
    sizes: dict[int, int] = {}
    for kernel in kernels:
        positions = isinstance(kernel.core, Scatter) and kernel.core.position is not None
        if positions or isinstance(kernel.core, Turns) or any(_knows_its_row(body) for body in kernel.bodies):
            return False
        for place, extents, is_exact in places_of(kernel):
            memory = place.buffer.memory
            if id(memory) not in written:
                continue
            size = _row_size(place, extents, rows)
            if not is_exact or not size or sizes.setdefault(id(memory), size) != size:
                return False
    return True


def _knows_its_row(body: KernelBody) -> bool:
    """Whether a body computes with the number of its row, or reads rows by an order."""
    return any(
        (line.op == "index" and any(line.attributes["at"][1:2])) or (line.place is not None and line.place.row is not None)
        for line in body.lines
    )


def places_of(kernel: Kernel) -> Iterator[tuple[MemoryPlace, Shape, bool]]:
    """Every place that a kernel touches, the extents of the loops that it counts, and whether it is that place and no other."""
    inside = kernel.core.extents if isinstance(kernel.core, Reduction) else ()
    for body in kernel.bodies:
        yield from ((line.place, (*kernel.extents, *inside), line.op == "load") for line in body.lines if line.place)
        yield from ((store.place, (*kernel.extents, *inside), True) for store in body.stores)
    if isinstance(kernel.core, Product):
        loops = (*kernel.extents, *kernel.core.loops)
        yield from ((place, loops, True) for place in (kernel.core.left, kernel.core.right))


def _row_size(place: MemoryPlace, extents: Shape, rows: int) -> int:
    """How many entries of its memory a row has, if turns for row r touch only those of row r; else 0."""
    step, turns_a_row = _coefficient(place.at, 0), extents[0] // rows
    size = step * turns_a_row
    start, turn, _ = place.buffer.shift
    slab = rows * size
    if size <= 0 or turn % slab or any(coefficient < 0 for coefficient in place.at[1:]):
        return 0
    first = (start + place.at[0]) % slab
    others = sum(_coefficient(place.at, loop) * (extent - 1) for loop, extent in enumerate(extents) if loop)
    return size if first + (turns_a_row - 1) * step + others < size else 0


def _coefficient(at: Affine, loop: int) -> int:
    return at[1 + loop] if 1 + loop < len(at) else 0


def moving(kernel: Kernel, rows: int, piece: int, turn: int = 0, own: Mapping[int, Buffer] = {}) -> Kernel:
    """The kernel of `turn` of so many rows, or of a piece of them; its memory moves on from turn to turn and from piece to piece.

    own: memory, by identity, in whose place stands other memory that does not move.
    """
    turns_a_row = kernel.extents[0] // rows
    found: dict[tuple[int, int], Buffer] = {}

    def moved(place: MemoryPlace) -> MemoryPlace:
        whole = place.buffer
        if id(whole.memory) in own:
            return replace(place, buffer=own[id(whole.memory)])
        row = turns_a_row * _coefficient(place.at, 0)
        if not row:
            return place
        key = id(whole), row
        if key not in found:
            found[key] = Buffer(whole.label, whole.type, "part", whole=whole, turn=turn * row, piece=piece * row)
        return replace(place, buffer=found[key])

    def body(given: KernelBody) -> KernelBody:
        lines = [line if line.place is None else replace(line, place=moved(line.place)) for line in given.lines]
        return KernelBody(lines, [replace(store, place=moved(store.place)) for store in given.stores])

    core = kernel.core
    if isinstance(core, Reduction):
        core = replace(core, body=body(core.body))
    elif isinstance(core, Product):
        core = replace(core, left=moved(core.left), right=moved(core.right))
    return replace(kernel, extents=((turn or piece) * turns_a_row, *kernel.extents[1:]), body=body(kernel.body), core=core)
