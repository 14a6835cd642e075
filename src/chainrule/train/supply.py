"""Supply: how a compiled loop gets the rows of its examples: where they lie, or from a copy of those that come next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from chainrule.data import Examples
from chainrule.display import Shown
from chainrule.engines import Carried, LoopProgram, Results
from chainrule.graph import Array

COPIED = 2**26
"""So many bytes of rows that lie in several files, or in another type, are copied together (64 MiB)."""


class Supply(Shown):
    """The tables that a loop over some examples is compiled for, and runs of it over any of their rows."""

    def __init__(self, examples: Examples) -> None:
        self.examples = examples
        inputs, targets = examples.inputs, examples.targets
        # Inputs and targets of one example stand in the same row.
        self._lie = inputs.lies and targets.lies and inputs.index is targets.index
        self._each = max(1, (inputs.nbytes + targets.nbytes) // max(1, len(examples)))

    @property
    def tables(self) -> dict[str, Array]:
        """The tables by the names of the leaves; of rows that are copied the first one."""
        inputs, targets = self.examples.inputs, self.examples.targets
        if self._lie and isinstance(inputs.table, np.ndarray) and isinstance(targets.table, np.ndarray):
            return {"x": inputs.table, "y": targets.table}
        return {"x": inputs.range(0, 1), "y": targets.range(0, 1)}

    def run(
        self,
        program: LoopProgram,
        state: Carried,
        order: Array,
        sizes: Array,
        scalars: Mapping[str, Array],
        *,
        in_order: bool = False,
    ) -> Results:
        """As `LoopProgram.run`: `order` (replicas, Σ sizes) counts the examples; with `in_order` all replicas take 0, 1, 2, ..."""
        index = self.examples.inputs.index
        if not len(sizes) or (self._lie and (index is None or not in_order)):
            return program.run(state, order if index is None else index[order], sizes, scalars)

        def copied(steps: slice, rows: slice) -> Results:
            # A function of its own: its copy is gone before the next one is made.
            taken = order[:1, rows] if in_order else order[:, rows]
            tables = {"x": self.examples.inputs.at(taken.reshape(-1)), "y": self.examples.targets.at(taken.reshape(-1))}
            places = np.broadcast_to(np.arange(taken.size).reshape(taken.shape), order[:, rows].shape)
            numbers = {name: part[..., steps] for name, part in scalars.items()}
            return program.over(tables).run(state, places, sizes[steps], numbers)

        found = [copied(*stretch) for stretch in self._stretches(sizes, 1 if in_order else len(order))]
        return Results.joined(found)

    def _stretches(self, sizes: Array, replicas: int) -> Iterator[tuple[slice, slice]]:
        """Steps, and their rows in the order, of which one copy is made."""
        ends = np.cumsum(sizes)
        most = COPIED // (self._each * replicas)
        step = row = 0
        while step < len(sizes):
            last = max(step + 1, int(np.searchsorted(ends, row + most, side="right")))
            end = int(ends[last - 1])
            yield slice(step, last), slice(row, end)
            step, row = last, end
