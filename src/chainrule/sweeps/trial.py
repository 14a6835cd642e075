"""A trial: one setting of a sweep, trained with all its replicas in a folder of its own, where it goes on after whatever ended it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from chainrule.display import Shown
from chainrule.errors import FileFormatError, FolderInUseError, NonFiniteError, OptionError
from chainrule.files import make_folder_at, write_whole
from chainrule.graph import Array
from chainrule.sweeps.space import Setting
from chainrule.train import Run, Training, resume
from chainrule.train.folder import newest_beside
from chainrule.train.lock import WriterLock

SCORES = {"accuracy": True, "R²": True, "loss": False}
"""What trials are compared by, and whether more is better."""


@dataclass(frozen=True, eq=False)
class Trial(Shown):
    """What came of a setting: `scores` and `losses` (replicas,), empty where the training went wrong, and then `trouble` says how.

    setting: what its values are called, by field. epochs, steps, seconds: what was done for it; seconds of all replicas together.
    run: the folder of its run, to be opened with `cr.open_run`.
    """

    setting: Mapping[str, str]
    score: str
    part: str
    scores: Array
    losses: Array
    epochs: int
    steps: int
    seconds: float
    parameters: int
    run: Path | None = None
    trouble: str = ""

    @property
    def name(self) -> str:
        """The setting in one line."""
        return ", ".join(f"{name}={label}" for name, label in self.setting.items())

    @property
    def mean(self) -> float:
        """The mean score; the worst there is where the training went wrong."""
        if self.trouble:
            return -np.inf if SCORES[self.score] else np.inf
        return float(self.scores.mean())

    def by(self, score: str | None) -> Trial:
        """The same, judged by another score: None is the usual one, as it is kept. Raises: OptionError for one that it has not."""
        if score in {None, self.score}:
            return self
        if score != "loss":
            raise OptionError(
                f"the {score} of {self.name}",
                expected=f"{self.score} or loss",
                remedy=f'write score="{self.score}", or leave it out',
            )
        return replace(self, score="loss", scores=self.losses)

    def to_json(self) -> dict[str, Any]:
        """The trial in plain JSON values."""
        found = {item.name: getattr(self, item.name) for item in fields(self)}
        run = None if self.run is None else self.run.name
        return {
            **found,
            "setting": dict(self.setting),
            "scores": self.scores.tolist(),
            "losses": self.losses.tolist(),
            "run": run,
        }

    @staticmethod
    def read(path: Path) -> Trial:
        """The trial that a file tells of. Raises: FileFormatError."""
        try:
            found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            run = None if found["run"] is None else path.parent / "runs" / found["run"]
            given: dict[str, Any] = {**found, "run": run}
            for name in ("scores", "losses"):
                given[name] = np.array(found[name], dtype=np.float64)
            return Trial(**given)
        except (ValueError, TypeError, KeyError) as trouble:
            raise FileFormatError(
                f"{path} cannot be read: {trouble}",
                expected="the result of a trial",
                remedy="delete it: it will be trained again",
            ) from trouble


@dataclass(frozen=True)
class Task:
    """What is to be done for a trial, wherever that is: it can be pickled, and done by any process that sees the folder."""

    training: Training
    labels: Mapping[str, str]
    setting: Setting
    folder: Path
    rung: int | None
    """After how many epochs it is looked at; None for those of the training itself."""
    score: str | None

    @property
    def place(self) -> Path:
        """The trial's own folder."""
        named = json.dumps(dict(self.labels), sort_keys=True, ensure_ascii=False)
        return self.folder / "trials" / hashlib.sha256(named.encode()).hexdigest()[:16]

    @property
    def epochs(self) -> int:
        """How many epochs it is trained for."""
        return self.changed.settings.epochs if self.rung is None else self.rung

    @property
    def record(self) -> Path:
        """The file that says what came of it."""
        return self.place / f"epochs-{self.epochs}.json"

    @property
    def changed(self) -> Training:
        """The training that it is."""
        return self.training.changed(**self.setting)

    def done(self) -> Trial | None:
        """What came of it, if it is done, by the score that is asked for."""
        return Trial.read(self.record).by(self.score) if self.record.is_file() else None

    def __reduce__(self) -> tuple[object, ...]:
        # Without what was loaded and built on the way, which whoever does it makes for himself.
        return Task, (bare(self.training), *(getattr(self, item.name) for item in fields(self)[1:]))


def do(task: Task, look: int = 0) -> Trial | None:
    """Does what is not done yet; None while another process does it. look: how often it was asked for before."""
    make_folder_at(task.place, exist_ok=True)
    if found := task.done():
        return found
    try:
        with WriterLock(task.place / "lock").held_here():
            found = task.done()  # meanwhile another one may have been at it
            if found is None:
                trained = _trained(task)
                write_whole(task.record, json.dumps(trained.to_json(), indent=1).encode())
                found = trained.by(task.score)
            return found
    except FolderInUseError:
        return None


def _trained(task: Task) -> Trial:
    training = task.changed
    searches = training.settings.optimizer.search is not None
    training = training if searches else training.changed(epochs=task.epochs)
    try:
        run = _gone_on(training, task.place / "runs")
    except NonFiniteError as trouble:
        return _failed(task, training, trouble.happened)
    if run.stopped == "interrupted":
        raise KeyboardInterrupt
    part = part_of(training)
    found = run.evaluate(part)
    name, values = found.score
    return Trial(
        task.labels, name, part, values.astype(np.float64), found.loss.astype(np.float64), task.epochs,
        run.trainer.step, run.trainer.seconds, _count(training), run.folder,
    )  # fmt: skip


def _gone_on(training: Training, runs: Path) -> Run:
    """The run that was begun here before, brought to its end; a new one where there is none."""
    begun = newest_beside(runs / "latest") if runs.is_dir() else None
    if begun is not None and not callable(training.order):
        return resume(begun, epochs=training.settings.epochs, net=training.layer, data=training.data)
    return training.fit(folder=None if callable(training.order) else runs)


def _failed(task: Task, training: Training, trouble: str) -> Trial:
    nothing, usual = np.empty(0), usual_score(training)
    return Trial(
        task.labels,
        usual,
        part_of(training),
        nothing,
        nothing,
        task.epochs,
        0,
        0.0,
        _count(training),
        None,
        trouble,
    )


def usual_score(training: Training) -> str:
    """What tells most about a training; see `Evaluation.score`."""
    return "accuracy" if training.problem.classifies else "R²" if training.problem.compares else "loss"


def part_of(training: Training) -> str:
    """The part of the data that trials are compared on: validation; without one test, without that training."""
    parts = training.dataset.info.parts
    return next(part for part in ("validation", "test", "training") if part in parts)


def _count(training: Training) -> int:
    return sum(parameter.node.type.size for parameter in training.problem.parameters.values())


def bare(training: Training) -> Training:
    """The training without what was loaded and built on the way, which other processes make for themselves."""
    return cast("Training", replace(cast("Any", training)))
