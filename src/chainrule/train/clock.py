"""The clock: the leaves by which a training step knows when it is."""

from __future__ import annotations

from dataclasses import field

from chainrule import ops
from chainrule.graph import Node, input_node, scope
from chainrule.immutable import immutable

SCALARS = ("step", "learning_rate", "batch")
"""The numbers that each training step is given; "batch" only where a layer asks whether an epoch begins."""


CLOCK = "random"
"""The scope of what the clock itself computes."""


@immutable
class Clock:
    """The run's key "seed", the step's number "step", and "batch", its number within its epoch, both counted from 0."""

    seed: Node = field(default_factory=lambda: input_node("seed", (2,), "uint32"))
    step: Node = field(default_factory=lambda: input_node("step", (), "float64"))
    batch: Node = field(default_factory=lambda: input_node("batch", (), "float64"))

    @property
    def key(self) -> Node:
        """The key of the step's random numbers."""
        with scope(CLOCK):
            return ops.random_fold(ops.random_fold(self.seed, ops.stream("step")), ops.cast(self.step, dtype="uint32"))

    @property
    def fresh(self) -> Node:
        """Whether the step is the first of its epoch; a bool."""
        with scope(CLOCK):
            return ops.equal(self.batch, 0.0)
