"""Neighbouring loops as one: what runs through memory without a gap needs no nest; and one long loop as two, where threads share it."""

from __future__ import annotations

from dataclasses import replace

from chainrule.engines.native.kernels import LANES, SHARED_COST, Affine, Kernel, Reduction, Turns

SHARES = 16
"""Into how many pieces a long loop is cut at most."""


def collapsed(kernel: Kernel) -> Kernel:
    """The same kernel with neighbouring loops as one wherever every place runs through both without a gap."""
    if isinstance(kernel.core, Turns):
        return replace(kernel, core=replace(kernel.core, kernels=[collapsed(inner) for inner in kernel.core.kernels]))
    if not isinstance(kernel.core, Reduction | None):
        return kernel
    kept = len(kernel.extents)
    reduced = kernel.core.extents if kernel.core else ()
    argmax = kernel.core is not None and any(result.op == "argmax" for result in kernel.core.results)
    loops = [*kernel.extents, *reduced]
    for first in range(len(loops) - 2, -1, -1):
        second = first + 1
        if second == kept or (argmax and first >= kept):
            continue
        numbers = [at for body in kernel.bodies for at in body.affine]
        if all(_seamless(at, first, loops[second]) for at in numbers):
            loops[first : second + 1] = [loops[first] * loops[second]]
            kernel = _without_loop(kernel, first, second < kept)
            kept -= second < kept
    core = replace(kernel.core, extents=tuple(loops[kept:])) if kernel.core else None
    return replace(kernel, extents=tuple(loops[:kept]), core=core)


def in_shares(kernel: Kernel) -> Kernel:
    """The kernel; one that is a single long loop as a loop over equal pieces, of whole vectors if there are such."""
    if kernel.core is not None or len(kernel.extents) != 1 or kernel.cost < SHARED_COST:
        return kernel
    (extent,) = kernel.extents
    counts = [count for count in range(SHARES, 1, -1) if extent % count == 0]
    pieces = next((count for count in counts if extent // count % LANES == 0), counts[0] if counts else 1)
    each = extent // pieces
    if pieces == 1:
        return kernel
    return replace(kernel, extents=(pieces, each), body=kernel.body.moved(lambda at: (at[0], at[1] * each, at[1])))


def _seamless(at: Affine, first: int, extent: int) -> bool:
    outer = at[1 + first] if 1 + first < len(at) else 0
    inner = at[2 + first] if 2 + first < len(at) else 0
    return outer == inner * extent


def _without_loop(kernel: Kernel, first: int, in_body: bool) -> Kernel:
    """Drops the coefficient of a loop that is now part of the next one."""

    def cut(at: Affine) -> Affine:
        return (*at[: 1 + first], *at[2 + first :])

    body = kernel.body.moved(cut) if in_body else kernel.body
    core = replace(kernel.core, body=kernel.core.body.moved(cut)) if isinstance(kernel.core, Reduction) else None
    return replace(kernel, body=body, core=core)
