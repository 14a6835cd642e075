"""What callbacks share that write a training's curves where another tool reads them."""

from __future__ import annotations

import atexit
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Mapping
from importlib import import_module
from typing import Any, TypeAlias, cast

from chainrule.display import Shown
from chainrule.errors import MissingPackageError
from chainrule.train import Epoch, Trainer, TrainingProgress
from chainrule.train.replicated import standard_error

Record: TypeAlias = Generator[None, Epoch | None, None]
"""Takes the epochs of one training, then None; it is closed before None where an error ended the training."""


class Records(Shown, ABC):
    """A callback that hands each evaluated epoch of a training to a record of its own.

    A training that goes on after a break is recorded whole. The same callback may be given to several trainings, one after the other.
    """

    _trainer: Trainer | None = None
    _record: Record | None = None
    _written: int = 0

    @abstractmethod
    def record(self, trainer: Trainer) -> Record:
        """The record of a training that begins."""

    def __call__(self, moment: TrainingProgress) -> None:
        """Writes what has come since it was last called."""
        if moment.trainer is None:
            return
        if self._record is None or moment.trainer is not self._trainer:
            self._drop()  # of a training that an error ended
            record = self.record(moment.trainer)
            next(record)
            self._trainer, self._record, self._written = moment.trainer, record, 0
            atexit.register(self._drop)
        try:
            for epoch in moment.trainer.history.epochs[self._written :]:
                self._record.send(epoch)
                self._written += 1
            if moment.kind == "end":
                next(self._record, None)
                self._drop()
        except BaseException:  # the record is closed; who goes on begins another
            self._drop()
            raise

    def __getstate__(self) -> dict[str, Any]:
        # A copy, here or in another process, has its own records to begin.
        return {name: value for name, value in vars(self).items() if name not in {"_trainer", "_record", "_written"}}

    def _drop(self) -> None:
        atexit.unregister(self._drop)
        if self._record is not None:
            self._record.close()
        self._trainer = self._record = None


def required(module: str, extra: str) -> Any:
    """A module of an optional package. Raises: MissingPackageError, which names the extra that installs it."""
    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise MissingPackageError(
            f"{package} is not here", expected=f"the package {package}", remedy=f"pip install 'chainrule[{extra}]'"
        ) from error


def averages(epoch: Epoch) -> dict[str, float]:
    """The scores of an epoch as "part/name"; of several replicas their mean, and beside it "part/name/standard_error".

    >>> import numpy as np
    >>> averages(Epoch(1, 4, 0.1, np.zeros(2), {"test": {"loss": np.array([0.25, 0.75])}}))
    {'test/loss': 0.5, 'test/loss/standard_error': 0.25}
    """
    found: dict[str, float] = {}
    for part, scores in epoch.parts.items():
        for name, values in scores.items():
            found[f"{part}/{name}"] = float(values.mean())
            if len(values) > 1:
                found[f"{part}/{name}/standard_error"] = float(standard_error(values))
    return found


def hyperparameters(trainer: Trainer) -> dict[str, Any]:
    """Data, network, cost and settings by name, parts as "optimizer.learning_rate"; without settings that are None."""
    problem = trainer.problem
    said = {"data": problem.dataset_info.name, "network": str(problem.network), "cost": problem.formula}
    return said | dict(_flat(trainer.settings.to_json()))


def _flat(tree: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(cast("Mapping[str, Any]", value), f"{above}{name}.")
        elif name == "kind":
            yield from [(above[:-1], value)] if above else []
        elif value is not None:
            yield f"{above}{name}", value
