"""Long sums in parts: a sum over thousands of rows becomes sums over some hundred each, which threads share, and the sum of these.

Whether a sum is cut, and where, follows from how long it is and, in a product, from how narrow the result is: never from the number of
rows that the result has, so that a row gives the same bits alone and in any batch. Sums along memory stay whole: those of a row's own
entries are among them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import prod

from chainrule.engines.native.kernels import (
    Affine,
    Buffer,
    Instruction,
    Kernel,
    KernelBody,
    MemoryPlace,
    Product,
    Reduction,
    Result,
    Store,
)
from chainrule.engines.native.views import contiguous
from chainrule.graph import Type

LONG = 2048
"""Terms from which on a sum is cut."""
SHORTEST = 256
"""Terms that a part has at least: what a part costs beside its terms is little then."""
MOST = 32
"""How many parts there are at most."""
NARROW = 128
"""Columns up to which a product is cut: a wider one has rows and panels enough to be shared, and its parts would fill memory."""
FEW = 4096
"""Sums over windows that are cut at most: the first cache holds them, and more have tiles enough to be shared."""
EVEN = 64
"""A part has a multiple of so many terms: whole turns of loops that are dealt out or written several times."""


def in_parts(kernel: Kernel) -> Iterator[Kernel]:
    """The kernel, or where its sum is long the kernels of the parts and the one that puts them together."""
    extent = _long_sum(kernel)
    if not extent:
        yield kernel
        return
    inside = prod(kernel.core.parts[1:]) if isinstance(kernel.core, Product) else 1
    each = max(-(-extent // MOST), -(-SHORTEST // inside))
    each = -(-each // EVEN) * EVEN if inside == 1 else each
    full, rest = divmod(extent, each)
    shape = (full + (rest > 0), *kernel.extents)
    sums = [(op, Buffer(f"parts of {kernel.label}", Type(dtype, shape))) for op, dtype in _sums(kernel)]
    buffers = [buffer for _, buffer in sums]
    yield _part(kernel, buffers, 0, each, full)
    if rest:
        yield _part(kernel, buffers, full * each, rest, 1, first=full)
    at = (0, *contiguous(kernel.extents), kernel.points)
    lines = [Instruction("load", buffer.type.dtype, place=MemoryPlace(buffer, at)) for buffer in buffers]
    results = [Result(op, number) for number, (op, _) in enumerate(sums)]
    yield replace(kernel, core=Reduction(shape[:1], KernelBody(lines), results, along=False))


def _sums(kernel: Kernel) -> list[tuple[str, str]]:
    """The op and the dtype of each sum of a kernel that has a core."""
    core = kernel.core
    if isinstance(core, Product):
        return [("reduce_sum", core.dtype)]
    assert isinstance(core, Reduction)  # noqa: S101  (else no sum is long)
    return [(result.op, core.dtype(number)) for number, result in enumerate(core.results)]


def _long_sum(kernel: Kernel) -> int:
    """How many turns the outermost loop of the kernel's sum has, if they are to be cut; or 0."""
    core = kernel.core
    match core:
        case Product() if not core.parts and kernel.extents[-1] <= NARROW and core.left.at[1 + len(kernel.extents)] != 1:
            extent = terms = core.inner
        case Product() if core.over_rows and kernel.points <= FEW:
            extent, terms = core.parts[0], core.inner
        case Reduction() if not core.along and all(result.op != "argmax" for result in core.results):
            extent = terms = core.extents[0] if core.extents else 0
        case _:
            return 0
    return extent if terms >= LONG and extent > 1 else 0


def _part(kernel: Kernel, sums: list[Buffer], start: int, each: int, parts: int, first: int = 0) -> Kernel:
    """The kernel of some parts, as an outermost loop over them: its sums over `each` terms, from the term `start` on."""
    loops = len(kernel.extents)
    points = contiguous(kernel.extents)

    def moved(at: Affine) -> Affine:
        term = at[1 + loops] if len(at) > 1 + loops else 0
        return (at[0] + term * start, term * each, *at[1:])

    core = kernel.core
    if isinstance(core, Product):
        inner, loops_of_sum = each * prod(core.parts[1:]), (each, *core.parts[1:]) if core.parts else ()
        made: Product | Reduction = replace(
            core, inner=inner, parts=loops_of_sum, left=core.left.moved(moved), right=core.right.moved(moved)
        )
    else:
        assert isinstance(core, Reduction)  # noqa: S101  (as above)
        made = replace(core, extents=(each, *core.extents[1:]), body=core.body.moved(moved))
    found = KernelBody()
    for number, buffer in enumerate(sums):
        found.lines.append(Instruction("core", buffer.type.dtype, attributes={"number": number}))
        found.stores.append(Store(number, MemoryPlace(buffer, (first * kernel.points, kernel.points, *points))))
    return Kernel(sums[0].label, (parts, *kernel.extents), found, made)
