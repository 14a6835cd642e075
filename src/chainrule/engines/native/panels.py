"""Weights that a loop over time multiplies by at every turn, written once, before it, in the order in which tiles read them.

In a matrix whose rows are long each k of a panel lies some lines behind the last, and lines so far apart take each other's places in the
first cache; a large matrix was copied into panels at every turn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from chainrule.engines.native.builder import ELEMENTS, bytes_of
from chainrule.engines.native.kernels import Buffer, Instruction, Kernel, KernelBody, MemoryPlace, Product, Store, Turns
from chainrule.engines.native.tiling import Tiling, tiling
from chainrule.graph import Type

LEAST = 32 * 1024
"""Bytes of a right matrix from which on it is written in panels: a smaller one stays in the first cache as it is."""
LEAST_TURNS = 4


def in_panels(kernel: Kernel, vector_bytes: int, registers: int) -> Iterator[Kernel]:
    """The kernel; before a loop over time those that write the panels which its products read."""
    turns = kernel.core
    if not isinstance(turns, Turns) or turns.count < LEAST_TURNS:
        yield kernel
        return
    written = {id(buffer) for inner in turns.kernels for buffer in inner.writes}
    inside: list[Kernel] = []
    for inner in turns.kernels:
        core = inner.core
        tiles = tiling(inner, core, vector_bytes, registers) if isinstance(core, Product) else None
        if isinstance(core, Product) and tiles is not None and _is_worth_it(inner, core, tiles, written):
            panels = Buffer(f"{core.right.buffer.label} in panels", Type(core.dtype, (tiles.panels, core.inner, tiles.wide)))
            yield from _copies(core, tiles, panels)
            right = MemoryPlace(panels, (0, 0, 1, tiles.wide))
            inner = replace(inner, core=replace(core, right=right, panel=tiles.wide))
        inside.append(inner)
    yield replace(kernel, core=replace(turns, kernels=inside))


def _is_worth_it(kernel: Kernel, core: Product, tiles: Tiling, written: set[int]) -> bool:
    """Whether the right matrix is large, the same at every turn, and read by columns."""
    _, turn, piece = core.right.buffer.shift
    is_steady = id(core.right.buffer.memory) not in written and not turn and not piece
    is_plain = len(kernel.extents) == 2 and not core.parts and not tiles.swapped
    return is_steady and is_plain and core.inner * tiles.width * bytes_of(ELEMENTS[core.dtype]) >= LEAST


def _copies(core: Product, tiles: Tiling, panels: Buffer) -> Iterator[Kernel]:
    """What writes the panels: the full ones, the columns that are left, and zeros behind these."""
    start, _, step, step_k = core.right.at
    full, rest = divmod(tiles.width, tiles.wide)
    behind = full * core.inner * tiles.wide
    source, label = core.right.buffer, panels.label

    def copy(extents: tuple[int, ...], read: tuple[int, ...], write: tuple[int, ...]) -> Kernel:
        line = Instruction("load", core.dtype, place=MemoryPlace(source, read))
        return Kernel(label, extents, KernelBody([line], [Store(0, MemoryPlace(panels, write))]))

    if full:
        read = (start, tiles.wide * step, step_k, step)
        yield copy((full, core.inner, tiles.wide), read, (0, core.inner * tiles.wide, tiles.wide, 1))
    if rest:
        yield copy((core.inner, rest), (start + full * tiles.wide * step, step_k, step), (behind, tiles.wide, 1))
        zero = Instruction("constant", core.dtype, attributes={"value": 0})
        store = Store(0, MemoryPlace(panels, (behind + rest, tiles.wide, 1)))
        yield Kernel(label, (core.inner, tiles.wide - rest), KernelBody([zero], [store]))
