"""Large arrays between two kernels, some rows at a time: what the one writes the other reads while it is still in the cache.

The gradient of a convolution's inputs is a product, which may have the size of all windows, and its sum window by window. Both go through
the batch together, an example or some at a time, over memory that each thread has of its own. Source of the idea: J. Ragan-Kelley et al.,
"Halide", PLDI 2013, section 3, where it is computing a stage at a loop of its consumer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import gcd, prod

from chainrule.engines.native.buffers import ALIGNMENT
from chainrule.engines.native.kernels import Buffer, Kernel, KernelBody, Product, Turns
from chainrule.engines.native.rows import MOST, are_apart, moving, places_of
from chainrule.engines.native.tiling import scratch_bytes, tiling
from chainrule.graph import Type

FAR_APART = 1024 * 1024
"""Bytes of an array from which on it does not stay in the cache until it is read."""
NEAR = 1024 * 1024
"""Bytes of the rows of a turn, which do."""


def near_by(kernels: Sequence[Kernel], vector_bytes: int, registers: int) -> list[Kernel]:
    """The kernels, in which products with a large result that one kernel reads go through the rows with that kernel."""
    found = list(kernels)
    large = {id(kernel): kernel.writes[0] for kernel in kernels if _is_large(kernel)}
    # Looked for once: of a deep network there are many kernels, and mostly nothing is large.
    users = _users(kernels, {id(buffer) for buffer in large.values()}) if large else {}
    joined = set[int]()
    for place, kernel in enumerate(kernels):
        if id(kernel) not in large or place in joined:
            continue
        reader = _reader(kernels, place, users[id(large[id(kernel)])])
        made = None if reader is None or reader in joined else _joined(kernel, kernels[reader], vector_bytes, registers)
        if reader is not None and made is not None:
            joined |= {place, reader}
            found[reader] = made
    return [own for place, own in enumerate(found) if own is not kernels[place] or place not in joined]


def _is_large(kernel: Kernel) -> bool:
    """Whether a product's result does not stay in the cache."""
    if not isinstance(kernel.core, Product) or len(writes := kernel.writes) != 1:
        return False
    return writes[0].kind == "arena" and writes[0].nbytes >= FAR_APART


def _users(kernels: Sequence[Kernel], wanted: set[int]) -> dict[int, list[tuple[int, bool]]]:
    """Who touches each of these buffers: the places of kernels, and whether they write it."""
    found: dict[int, list[tuple[int, bool]]] = {number: [] for number in wanted}
    for place, kernel in enumerate(kernels):
        for buffers, writes in ((kernel.reads, False), (kernel.writes, True)):
            for number in {id(buffer) for buffer in buffers} & wanted:
                found[number].append((place, writes))
    return found


def _reader(kernels: Sequence[Kernel], place: int, users: Sequence[tuple[int, bool]]) -> int | None:
    """The place of the one kernel that reads a product's large result, if the product may wait for it."""
    kernel, readers = kernels[place], [user for user, writes in users if not writes]
    if len(readers) != 1 or len(users) != 2 or not _reads_whole(kernels[readers[0]], kernel.writes[0]):
        return None
    needed = {id(buffer) for buffer in kernel.reads}
    changed = [buffer for other in kernels[place + 1 : readers[0]] for buffer in other.writes]
    is_free = all(buffer.kind not in {"state", "next"} and id(buffer) not in needed for buffer in changed)
    return readers[0] if is_free else None


def _reads_whole(reader: Kernel, large: Buffer) -> bool:
    """Whether a kernel counts a buffer's entries from its beginning: one in a loop over time reads parts."""
    is_part = any(place.buffer.memory is large and place.buffer is not large for place, _, _ in places_of(reader))
    return not isinstance(reader.core, Turns) and not is_part


def _joined(kernel: Kernel, reader: Kernel, vector_bytes: int, registers: int) -> Kernel | None:
    """Both kernels as a loop over the rows, in pieces for threads; None where rows look at each other, or one alone is large."""
    (large,) = kernel.writes
    rows = gcd(kernel.extents[0], reader.extents[0]) if reader.extents else 1
    each = next((count for count in _divisors(rows) if large.nbytes // rows * count <= NEAR), 0)
    pieces = next((count for count in _divisors(rows // each) if count <= MOST), 1) if each else 1
    if pieces == 1 or not are_apart([kernel, reader], rows):
        return None
    own = Buffer(large.label, Type(large.type.dtype, (prod(large.type.shape) // rows * each,)), "scratch")
    inside = [moving(part, rows, rows // pieces, each, {id(large): own}) for part in (kernel, reader)]
    first = inside[0]
    assert isinstance(first.core, Product)  # noqa: S101  (as `kernel` is)
    own.offset = (
        -(-scratch_bytes(tiling(first, first.core, vector_bytes, registers), first, first.core) // ALIGNMENT) * ALIGNMENT
    )
    return Kernel(f"{kernel.label}, {reader.label}", (), KernelBody(), Turns(rows // pieces // each, inside, pieces))


def _divisors(number: int) -> Iterator[int]:
    """From the largest to the smallest."""
    return (count for count in range(number, 0, -1) if number % count == 0)
