"""The course of a run: the lengths that it was to have, how its updates are counted, and the run that it branched from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.display import Shown
from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.train.contracts import require_rates
from chainrule.train.schedules import Schedule


@immutable
class Parent(Shown):
    """The run that a branch began at: its folder, if it has one, the step, and the hash of all parameters there."""

    path: str | None
    step: int
    hash: str

    def __str__(self) -> str:
        return f"step {self.step} of {self.path or 'a run without a folder'}, parameters {self.hash[:12]}"


@immutable
class Lineage(Shown):
    """What of a run's past its later steps depend on.

    lengths: pairs (first step, epochs): from this step on the training was to have so many epochs in all. A schedule over the whole
    run goes by the length that was asked for when the step was done.
    shift: what is added to a step's number to give the number that optimizer and dropout see: a branch may begin to count anew.

    >>> Lineage(((0, 2),)).extended(20, 4)
    Lineage(lengths=((0, 2), (20, 4)), shift=0, parent=None)
    """

    lengths: tuple[tuple[int, int], ...]
    shift: int = 0
    parent: Parent | None = None

    def extended(self, step: int, epochs: int) -> Lineage:
        """The course when from `step` on the training is to have `epochs` epochs."""
        kept = tuple(item for item in self.lengths if item[0] < step)
        same = bool(kept) and kept[-1][1] == epochs
        return replace(self, lengths=kept if same else (*kept, (step, epochs)))

    def rates(self, schedule: Schedule, steps: Array, steps_per_epoch: int) -> Array:
        """The learning rates of steps, given by their numbers as float64."""
        found = require_rates(schedule, schedule(steps, self.lengths[0][1] * steps_per_epoch), steps)
        for first, epochs in self.lengths[1:]:
            later = require_rates(schedule, schedule(steps, epochs * steps_per_epoch), steps)
            found = np.where(steps < first, found, later)
        return found

    def to_json(self) -> dict[str, Any]:
        """A description that `from_json` reads back."""
        parent = self.parent and {"path": self.parent.path, "step": self.parent.step, "sha256": self.parent.hash}
        return {"lengths": [list(item) for item in self.lengths], "shift": self.shift, "parent": parent}

    @staticmethod
    def from_json(saved: Mapping[str, Any] | None, epochs: int) -> Lineage:
        """The course that `to_json` described; without one, that of a run which was always to have `epochs` epochs."""
        if saved is None:
            return Lineage(((0, epochs),))
        parent = saved["parent"]
        return Lineage(
            tuple((int(first), int(length)) for first, length in saved["lengths"]),
            int(saved["shift"]),
            parent and Parent(parent["path"], int(parent["step"]), str(parent["sha256"])),
        )
