"""Replay: the steps of a training done again, from the nearest snapshot, and held against what was noted when it happened."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping

import numpy as np

from chainrule.errors import FileFormatError, MissingFileError, OptionError, ReplayError
from chainrule.graph import Array
from chainrule.train.folder import Snapshot
from chainrule.train.history import Epoch
from chainrule.train.trainer import Trainer

PIECE_ROWS = 1 << 18
"""How many rows of the data a piece of steps uses: their order is held in memory, and Ctrl-C waits for a piece."""


class Replay:
    """Brings back the state of any step that a training has done.

    Steps are done again by the same engine from the nearest snapshot before, or from the start. Every loss that comes out, and the
    hash of the parameters wherever one was noted, must be that of the training, bit for bit; or, with an engine that states a tolerance,
    each loss within it. The replay keeps its place: steps
    asked for in rising order are done once.
    """

    def __init__(self, origin: Trainer) -> None:
        self.origin = origin
        _ = origin.data  # loaded here, so that all that is made of the origin shares it
        self._beginning = origin.beginning()
        self._twin = origin.apart()
        self._whole = False
        """Whether the twin's state is that of its step: not before it was first loaded, nor after an error or Ctrl-C in between."""
        self._epochs = {epoch.step: epoch for epoch in origin.history.epochs}
        self._marks = sorted(self._epochs)

    @property
    def first(self) -> int:
        """The first step that there is: 0, or where a branch began."""
        return self._beginning.step

    def to(self, step: int) -> Trainer:
        """The training as it was when `step` steps were done, without folder and history; the next call moves it on.

        Raises: OptionError for a step that it has not done, ReplayError where other bits come out.
        """
        self._require(step)
        start = self._nearest(step)
        if start:
            self._load(start)
        self._whole = False
        while self._twin.step < step:
            self._piece(step)
        self._check_hash(self._epochs.get(step))
        self._whole = True
        return self._twin

    def at(self, step: int) -> Trainer:
        """The training as it was when `step` steps were done, with its history so far; it is the caller's to keep."""
        found = self.to(step).apart()
        found.history = self.origin.history.until(step)
        found.seconds = self._seconds(step)
        found.stopped = ""
        return found

    def _seconds(self, step: int) -> float:
        """How long the training had taken by then, as far as its evaluations tell."""
        epochs = self.origin.history.epochs
        steps = [0, *(epoch.step for epoch in epochs), self.origin.step]
        return float(np.interp(step, steps, [0.0, *(epoch.seconds for epoch in epochs), self.origin.seconds]))

    # ---- where to start

    def _require(self, step: int) -> None:
        if not self.first <= step <= self.origin.step:
            raise OptionError(
                f"step {step}",
                expected=f"{self.first} ... {self.origin.step}, the steps that the run has done",
                remedy=f"write {self.origin.step} for the last"
                if step > self.origin.step
                else "ask the run that this one branched from",
            )

    def _nearest(self, step: int) -> Snapshot | None:
        """The newest whole snapshot up to this step; None if the place where the replay stands is as near or nearer."""
        here = self._twin.step if self._whole and self._twin.step <= step else -1
        folder = self.origin.folder
        known = [saved for saved in folder.snapshot_steps() if max(here, self.first) < saved <= step] if folder else []
        for saved in reversed(known):
            try:
                return folder.read_snapshot(saved) if folder else None
            except (FileFormatError, MissingFileError):
                continue
        return None if here >= 0 else self._beginning

    def _load(self, start: Snapshot) -> None:
        self._whole = False
        self._twin.load(start, self._twin.history)
        self._check_hash(self._epochs.get(start.step))

    # ---- going forward

    def _piece(self, step: int) -> None:
        """Does the steps to the next evaluation, as many as have room in a piece, and checks them."""
        twin, first = self._twin, self._twin.step
        if search := self.origin.settings.optimizer.search:
            self._descend(step, search.title)
            return
        place = bisect_right(self._marks, first)
        last = min([step, first + max(1, PIECE_ROWS // twin.settings.batch_size), *self._marks[place : place + 1]])
        self._check_records(first, last, twin.advance(last))
        epoch = self._epochs.get(last)
        self._check_hash(epoch)
        if epoch and twin.stopping:
            twin.stopping.look(epoch.epoch, epoch.parts["validation"], twin.state)

    def _descend(self, step: int, title: str) -> None:
        """A search remembers what no snapshot holds: of its steps only the last is there, as it ended."""
        if step != self.origin.step:
            raise OptionError(
                f"step {step} of a training by {title}, whose search keeps what no snapshot holds",
                expected=f"step {self.first} or {self.origin.step}",
                remedy="train with another optimizer to go through its steps",
            )
        self._twin.state = {name: self.origin.state[name].copy() for name in self._twin.state}
        self._twin.step = step

    # ---- proof

    def _check_records(self, first: int, last: int, found: Mapping[str, Array]) -> None:
        """Every record of every step, losses above all, must be the one that the history holds."""
        for start, known in self.origin.history.pieces(first, last):
            for name, noted in known.items():
                again = found[name][:, start - first : start - first + noted.shape[1]]
                other = ~np.isclose(again, noted, rtol=self.origin.engine.tolerance, atol=0.0, equal_nan=True)
                if other.any():
                    replica, place = (int(number) for number in np.argwhere(other)[0])
                    what = f"{name} {again[replica, place]!r} where the training noted {noted[replica, place]!r}"
                    raise _differs(start + place, f"{what}, replica {replica}")

    def _check_hash(self, epoch: Epoch | None) -> None:
        if epoch and epoch.hash and self.origin.engine.tolerance == 0.0 and self._twin.hash != epoch.hash:
            what = f"parameters {self._twin.hash[:12]} where the training noted {epoch.hash[:12]}"
            raise _differs(epoch.step, what)


def _differs(step: int, what: str) -> ReplayError:
    return ReplayError(
        f"step {step}, computed again, has {what}",
        expected="the same bits: this machine or this engine computes others than the one that trained",
        remedy="replay where it was trained (environment.json and engine.json in the run's folder say what that was)",
    )


def epoch_step(trainer: Trainer, step: int | None, epoch: int | None) -> int:
    """The step that is meant: given itself, or as a number of epochs that are done."""
    if (step is None) == (epoch is None):
        raise OptionError(f"step={step}, epoch={epoch}", expected="one of the two", remedy="write at(1000) or at(epoch=2)")
    return step if step is not None else (epoch or 0) * trainer.steps_per_epoch


def steps_along(first: int, last: int, every: int) -> list[int]:
    """first, first + every, ..., and last.

    >>> steps_along(0, 10, 4)
    [0, 4, 8, 10]
    """
    if every < 1 or first > last:
        raise OptionError(
            f"steps from {first} to {last}, every {every}",
            expected="first <= last, every >= 1",
            remedy=f"write first={min(first, last)}, last={max(first, last)}, every=1",
        )
    return [*range(first, last, every), last]


__all__ = ["Replay", "epoch_step", "steps_along"]
