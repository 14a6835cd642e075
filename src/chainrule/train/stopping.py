"""Early stopping: each replica keeps the weights that were best on the validation part, and stops when they stay best for long."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from chainrule.checks import Count, NonNegative
from chainrule.descriptions import described
from chainrule.display import Shown
from chainrule.errors import OptionError, Remedy
from chainrule.graph import Array


@described
class EarlyStopping(Shown):
    """Stops when `monitor` on the validation part has not improved by more than `min_delta` for `patience` evaluations.

    The best weights are restored, for each replica apart, so that replica k still equals a single run with seed k.
    """

    patience: Count = 5
    monitor: Literal["loss", "accuracy"] = "loss"
    min_delta: NonNegative = 0.0


def require_validation(rule: EarlyStopping | None, parts: Mapping[str, int]) -> None:
    """Refuses to stop early on data, given by their parts, without one to stop by."""
    if rule is not None and "validation" not in parts:
        raise OptionError(
            "early stopping without a validation part",
            expected="data with a validation part: stopping by the test part would spoil it",
            remedy=Remedy(
                'split one off: mnist(validation=10000), or load("plants.csv", target="species", split=StratifiedSplit(validation=0.1))',
                "add --validation 0.1",
            ),
        )


@dataclass
class EarlyStoppingState:
    """What early stopping has seen so far."""

    rule: EarlyStopping
    replicas: int
    best: Array = field(init=False)
    waited: Array = field(init=False)
    best_epoch: Array = field(init=False)
    kept: dict[str, Array] = field(default_factory=dict[str, Array])

    def __post_init__(self) -> None:
        self.best = np.full(self.replicas, np.inf)
        self.waited = np.zeros(self.replicas, dtype=np.int64)
        self.best_epoch = np.zeros(self.replicas, dtype=np.int64)

    @property
    def stopped(self) -> Array:
        """Which replicas have stopped, shape (replicas,)."""
        return self.waited >= self.rule.patience

    def look(self, epoch: int, scores: Mapping[str, Array], state: Mapping[str, Array]) -> bool:
        """Takes in the scores after an epoch; true when all replicas have stopped."""
        score = scores[self.rule.monitor] * (-1.0 if self.rule.monitor == "accuracy" else 1.0)
        running = ~self.stopped
        better = running & (score < self.best - self.rule.min_delta)
        if not self.kept:
            self.kept = {name: array.copy() for name, array in state.items()}
        for name, array in state.items():
            self.kept[name][better] = array[better]
        self.best[better], self.best_epoch[better] = score[better], epoch
        self.waited[running] = np.where(better, 0, self.waited + 1)[running]
        return bool(self.stopped.all())

    def best_of(self, state: Mapping[str, Array]) -> dict[str, Array]:
        """The state with the best weights, copied, in the place of the last ones."""
        return {name: self.kept[name].copy() if name in self.kept else array for name, array in state.items()}

    def to_json(self) -> dict[str, Any]:
        """What a snapshot must keep beside the weights."""
        best = [None if np.isinf(value) else value for value in self.best.tolist()]
        return {"best": best, "waited": self.waited.tolist(), "best_epoch": self.best_epoch.tolist()}

    def load(self, saved: Mapping[str, Any], kept: dict[str, Array]) -> None:
        """Takes up what `to_json` and the snapshot saved."""
        self.best = np.array([np.inf if value is None else value for value in saved["best"]])
        self.waited, self.best_epoch = np.array(saved["waited"]), np.array(saved["best_epoch"])
        self.kept = kept
