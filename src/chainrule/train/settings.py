"""How a network is trained: everything that, with network and data, decides the result; and its JSON."""

from __future__ import annotations

from dataclasses import field
from functools import cached_property
from typing import Literal

from chainrule.checks import Count, Natural, Seed, checked, unknown
from chainrule.descriptions import Written, described
from chainrule.errors import OptionError
from chainrule.train.lbfgs import LBFGS
from chainrule.train.levenberg import LevenbergMarquardt
from chainrule.train.optimizer import Optimizer
from chainrule.train.optimizers import OPTIMIZERS, SGD, ClipNorm, ClipValue
from chainrule.train.orders import OrderName
from chainrule.train.schedules import Schedule, as_schedule
from chainrule.train.stopping import EarlyStopping


@described
class Settings(Written):
    """Optimizer, epochs, batch size, seed, replicas, and how often to look."""

    optimizer: Optimizer = field(default_factory=SGD)
    epochs: Natural = 5
    batch_size: Count = 32
    seed: Seed = 0
    replicas: Count = 1
    dtype: Literal["float32", "float64"] = "float32"
    engine: str = "native"
    evaluate_every: Natural = 1
    early_stopping: EarlyStopping | None = None
    clip: ClipNorm | ClipValue | None = None
    order: OrderName = "shuffled"
    threads: Count | None = None
    """How many threads the engine may use, None for as many as there are processors; no result depends on it."""
    devices: Count | None = None
    """On how many devices the engine computes, None for one."""

    def __post_init__(self) -> None:
        _ = self.schedule
        if self.early_stopping and self.evaluate_every != 1:
            raise OptionError(
                f"early stopping with evaluate_every={self.evaluate_every}",
                expected="an evaluation after each epoch",
                remedy="leave evaluate_every at 1",
            )

    @cached_property
    def schedule(self) -> Schedule:
        """The learning rate of each step."""
        return as_schedule(self.optimizer.learning_rate)


@checked
def optimizer_named(name: str) -> Optimizer:
    """The optimizer of this name with its usual settings."""
    known: dict[str, Optimizer] = {**OPTIMIZERS, "lbfgs": LBFGS(), "levenberg_marquardt": LevenbergMarquardt()}
    if name not in known:
        raise unknown(f"optimizer {name!r}", name, known)
    return known[name]
