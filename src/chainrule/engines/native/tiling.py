"""How a matrix product is cut: into tiles of rows and vectors, panels of columns, and blocks of its sum; by its shape alone."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from chainrule.engines.native.builder import ELEMENTS, Extent, bytes_of
from chainrule.engines.native.kernels import Kernel, Product
from chainrule.engines.native.views import contiguous
from chainrule.immutable import immutable

LINE = 64
"""Bytes of a line of a cache."""
LARGE = 64 * 1024
"""Bytes of a right matrix above which it is packed: more than the first cache holds beside the rest."""
FAR = 512 * 1024
"""Bytes of a left matrix, read a line at each k or through windows, above which sums go by blocks."""
BLOCK_BYTES = 256 * 1024
"""Of such a block, and of the sums so far of a group of panels: what the second cache holds beside the rest."""
LEAST_BLOCK, LARGEST_BLOCK = 64, 512
"""Values of k in a block: with fewer, keeping sums takes longer than adding to them."""
BUSY = 8
"""Sums at a time that keep the multipliers busy: two a cycle, four cycles each."""
GROUPS = 8
"""Into how many groups of panels a product by blocks is cut at least, if it has as many panels: what threads can share."""


@immutable
class Tiling:
    """How a product is cut into tiles; `swapped` where the lanes run along the result's rows and not its columns."""

    lanes: int
    rows: int
    vectors: int
    swapped: bool
    packed: bool
    height: int
    width: int
    batch_inside: bool = False
    """Whether the loops before the last two are inside those over tiles: one panel serves them all, and there are more tiles."""
    block: int = 0
    """How many turns of the sum's outermost loop a block has, where the sum goes by blocks."""
    group: int = 1
    """How many panels take their turns at a block."""

    @property
    def narrow(self) -> int:
        """How many tiles have one row less, where the last would else have too few sums to keep the multipliers busy."""
        left = -self.height % self.rows if self.rows > 1 and not isinstance(self.height, Extent) else 0
        few = left and (self.rows - left) * self.vectors < BUSY
        return left if few and left <= self.height // self.rows + 1 else 0

    @property
    def needs_scratch(self) -> bool:
        """Whether panels, or sums so far, stand in scratch memory."""
        return self.packed or self.block > 0

    @property
    def wide(self) -> int:
        """How many columns a panel has."""
        return self.vectors * self.lanes

    @property
    def panels(self) -> int:
        """How many panels of V vectors the width has; a width that is given is one."""
        return 1 if isinstance(self.width, Extent) else -(-self.width // self.wide)

    @property
    def cuts_panels(self) -> bool:
        """Whether the outermost loop is over panels, or groups of them, not over tiles of rows."""
        return self.groups >= 4 or (self.packed and self.groups > 1 and not self.block)

    @property
    def groups(self) -> int:
        """How many groups of panels there are."""
        return -(-self.panels // self.group)

    @property
    def turns(self) -> int:
        """How many turns the outermost loop has: what threads can share."""
        return self.groups if self.cuts_panels else -(-self.height // self.rows)

    def __str__(self) -> str:
        how = ", right matrix packed" * self.packed + f", sums by blocks of {self.block}, {self.group} panels at a time" * bool(
            self.block
        )
        return f"tiles of {self.rows} × {self.vectors} vectors of {self.lanes}{', transposed' if self.swapped else ''}{how}"


def tiling(kernel: Kernel, core: Product, vector_bytes: int, registers: int) -> Tiling:
    """The tiling of a product on a machine with vectors of so many bytes and so many vector registers; by shape alone."""
    m, n = kernel.extents[-2:]
    size = bytes_of(ELEMENTS[core.dtype])
    widest = vector_bytes // size
    loops = len(kernel.extents)
    left_m, right_n = core.left.at[loops - 1], core.right.at[loops]
    swapped = n == 1 and left_m == 1
    height, width, step = (n, m, left_m) if swapped else (m, n, right_n)
    lanes = min(widest, 1 << (width - 1).bit_length())
    budget = 28 if registers >= 32 else 12
    wide = -(-width // lanes)
    # Few rows leave registers for more vectors, and need them: about eight sums at a time keep the multipliers busy.
    widest_panel = 2 if height > 4 else 4 if height > 1 else 8
    vectors = wide if wide <= max(widest_panel, 3) else widest_panel
    most = min(budget // vectors, 16 if registers >= 32 else 8)
    tiles = -(-height // most)
    rows = -(-height // tiles)
    ragged = width % lanes and vector_bytes < 64
    served = prod(kernel.extents[:-1]) if core.parts else height
    large = core.inner * width * size > LARGE and served > 2 * rows
    stands = wide == vectors and not swapped and core.right.at[loops + 1 :] == tuple(width * k for k in contiguous(core.loops))
    packed = not core.panel and bool(step != 1 or ragged or (large and not stands))
    tiling = Tiling(lanes, rows, vectors, swapped, packed=packed, height=height, width=width)
    is_one = not any(core.right.at[1 : loops - 1])
    inside = bool(core.parts) and loops > 2 and is_one and (packed or large or tiling.turns > kernel.extents[0])
    tiling = replace(tiling, batch_inside=inside)
    block = _block(core, tiling, size) if (packed or (large and not core.panel)) and (loops == 2 or inside) else 0
    if core.loops[0] < 2 * block or not block:
        return tiling
    kept = prod(kernel.extents[:-1]) * tiling.wide * size
    return replace(tiling, block=block, group=max(1, min(tiling.panels // GROUPS, BLOCK_BYTES // kept)))


def _block(core: Product, tiles: Tiling, size: int) -> int:
    """How many turns of the sum's outermost loop a block has; 0 where what all turns read is near enough for every tile."""
    tall = (core.right if tiles.swapped else core.left).at[-len(core.loops)]
    if core.parts:
        each = (tall + prod(core.parts[1:]) * tiles.wide) * size
        return max(1, BLOCK_BYTES // each) if core.parts[0] * each > FAR else 0
    if tall * size < LINE or core.inner * tiles.height * size <= FAR:
        return 0
    return max(LEAST_BLOCK, min(LARGEST_BLOCK, BLOCK_BYTES // (tiles.height * size)))


def scratch_bytes(tiles: Tiling, kernel: Kernel, core: Product) -> int:
    """How much memory a panel takes, or that of a block, and the sums so far of a group."""
    panel = (tiles.block * prod(core.loops[1:]) if tiles.block else core.inner) if tiles.packed else 0
    sums = tiles.group * prod(kernel.extents[:-2]) * tiles.height if tiles.block else 0
    return (panel + sums) * tiles.wide * bytes_of(ELEMENTS[core.dtype])
