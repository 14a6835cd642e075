"""How the loops of a map or a reduction are cut: into lanes, and into chains of additions; by their extents alone."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.engines.native.builder import ELEMENTS, bytes_of
from chainrule.engines.native.kernels import Kernel, KernelBody, Product, Reduction, Turns
from chainrule.engines.native.lowering import FUNCTIONS
from chainrule.immutable import immutable

WAYS = 4
"""Over how many accumulators a long sum is dealt out: an addition takes about four cycles until the next can follow."""
MOST_LINES = 16
"""Lines of an inner body up to which it is written once for each of these ways."""


@immutable
class Cut:
    """`lanes`: how many numbers stand in a vector. `ways`: into how many chains the innermost loop of a reduction is dealt."""

    lanes: int = 1
    ways: int = 1


def cut(kernel: Kernel, vector_bytes: int) -> Cut:
    """How a kernel is cut on a machine with vectors of so many bytes; a product has tiles, and turns of a loop cuts of their own."""
    kept, core = kernel.extents, kernel.core
    match core:
        case Product() | Turns():
            return Cut()
        case Reduction() if core.along or not kept:
            last = core.extents[-1] if core.extents else 1
            lanes = lanes_for([core.body], last, vector_bytes)
            return Cut(lanes, ways(core, last // lanes))
        case Reduction():
            lanes = lanes_for([core.body, kernel.body], kept[-1], vector_bytes)
            return Cut(lanes, ways(core, core.extents[-1] if core.extents else 1))
        case _:
            return Cut(lanes_for([kernel.body], kept[-1] if kept else 1, vector_bytes))


def lanes_for(bodies: Sequence[KernelBody], extent: int, vector_bytes: int) -> int:
    """How many lanes: the machine's width for the widest floats, no more than the next power of two that holds the loop."""
    dtypes = [line.dtype for body in bodies for line in body.lines]
    floats = [8 if dtype == "float64" else 4 for dtype in dtypes if dtype.startswith("float")]
    size = max(floats, default=max((bytes_of(ELEMENTS[dtype]) for dtype in dtypes), default=8))
    return min(vector_bytes // size, 1 << max(extent - 1, 0).bit_length())


def ways(core: Reduction, turns: int) -> int:
    """Into how many chains a loop of so many turns is dealt."""
    sums = all(result.op == "reduce_sum" for result in core.results)
    return WAYS if sums and is_simple(core) and turns >= 2 * WAYS else 1


def is_simple(core: Reduction) -> bool:
    """Whether the inner body is short enough to be written several times."""
    return len(core.body.lines) <= MOST_LINES and not any(line.op in FUNCTIONS for line in core.body.lines)
