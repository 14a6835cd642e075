"""One batch size of a loop: its kernels and buffers, how its products are cut, and what threads share of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

from chainrule.engines.native.buffers import BufferPlan
from chainrule.engines.native.forms import KernelForm, kernel_form
from chainrule.engines.native.kernels import SHARED_COST, Kernel, Product, Reduction, Scatter, Turns
from chainrule.engines.native.schedule import KernelSchedule
from chainrule.engines.native.tiling import Tiling
from chainrule.graph import Graph

QUICK_ROWS = 2
"""Rows of a tile, at most, where code is made quickly."""


@dataclass
class CompiledStep:
    """One batch size: its kernels, buffers, and how its products are cut."""

    size: int
    graph: Graph
    schedule: KernelSchedule
    plan: BufferPlan
    tilings: dict[int, Tiling] = field(default_factory=dict[int, Tiling])
    """How products are cut, by the identity of their kernels."""
    scratch: int = 0

    @cached_property
    def shared(self) -> dict[int, int]:
        """The kernels that threads share, by identity, with the turns of their outermost loop."""
        large = [kernel for outer in self.schedule.kernels for kernel in _apart(outer) if kernel.cost >= SHARED_COST]
        return {id(kernel): turns for kernel in large if (turns := self._turns(kernel)) > 1}

    @property
    def quick_tilings(self) -> dict[int, Tiling]:
        """Tiles of few rows: products of which less code is written."""
        return {key: replace(tiles, rows=min(tiles.rows, QUICK_ROWS)) for key, tiles in self.tilings.items()}

    @cached_property
    def work(self) -> int:
        """About how many operations it does."""
        return sum(kernel.work for kernel in self.schedule.kernels)

    @cached_property
    def forms(self) -> list[KernelForm | None]:
        """The form of each kernel; none of a loop over time, whose turns have a function of their own."""
        kernels = self.schedule.kernels
        return [None if isinstance(k.core, Turns) else kernel_form(k, self.plan, self.tilings.get(id(k))) for k in kernels]

    def _turns(self, kernel: Kernel) -> int:
        """How many turns of a kernel's outermost loop do not depend on each other; 1 where that loop runs along the lanes."""
        outer = kernel.extents[0] if kernel.extents else 1
        match kernel.core:
            case Turns():
                return kernel.core.pieces
            case Product():
                tiles = self.tilings[id(kernel)]
                return outer if len(kernel.extents) > 2 and not tiles.batch_inside else tiles.turns
            case Scatter(position=None):
                return outer if len(kernel.extents) > 1 else 1
            case Scatter():
                return 1
            case Reduction() if kernel.core.along:
                return outer
            case _:
                return outer if len(kernel.extents) > 1 else 1


def _apart(kernel: Kernel) -> Iterator[Kernel]:
    """What threads may share one by one: a kernel, a loop over time in pieces, or the kernels of another such loop."""
    return iter([kernel]) if isinstance(kernel.core, Turns) and kernel.core.pieces > 1 else kernel.all
