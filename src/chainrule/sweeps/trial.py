"""A trial: one setting of a sweep, trained with all its replicas in a folder of its own, where it goes on after whatever ended it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np

from chainrule.display import Shown
from chainrule.errors import FileFormatError, FolderInUseError, NonFiniteError, OptionError
from chainrule.files import make_folder_at, write_whole
from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.sweeps.space import Setting
from chainrule.train import Run, Training
from chainrule.train.evaluated import Evaluation
from chainrule.train.fit import taken_up
from chainrule.train.folder import RunFolder, newest_beside
from chainrule.train.learning_problem import LearningProblem
from chainrule.train.lock import WriterLock
from chainrule.train.run import told
from chainrule.train.together import alike, evaluated_together, train_together
from chainrule.train.trainer import Trainer

SCORES = {"accuracy": True, "R²": True, "loss": False}
"""What trials are compared by, and whether more is better."""


@immutable(eq=False)
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


@immutable
class Task:
    """What is to be done for a trial, wherever that is: it can be pickled, and done by any process that sees the folder."""

    training: Training
    labels: Mapping[str, str]
    setting: Setting
    folder: Path | None
    """Where sweeps keep their trials; None where this process alone does them all, and nothing is kept."""
    rung: int | None
    """After how many epochs it is looked at; None for those of the training itself."""
    score: str | None

    @property
    def place(self) -> Path:
        """The trial's own folder."""
        named = json.dumps(dict(self.labels), sort_keys=True, ensure_ascii=False)
        return (self.folder or Path()) / "trials" / hashlib.sha256(named.encode()).hexdigest()[:16]

    @property
    def epochs(self) -> int:
        """How many epochs it is trained for."""
        return self.changed.settings.epochs if self.rung is None else self.rung

    @property
    def record(self) -> Path:
        """The file that says what came of it."""
        return self.place / f"epochs-{self.epochs}.json"

    @property
    def work(self) -> int:
        """About how many operations it takes: forward 2, backward 4 for each weight and example."""
        training = self.changed
        sizes = sum(parameter.node.type.size for parameter in training.problem.parameters.values())
        return 6 * sizes * len(training.dataset.train) * self.epochs * training.replicas

    @cached_property
    def changed(self) -> Training:
        """The training that it is."""
        return self.training.changed(**self.setting)

    def done(self) -> Trial | None:
        """What came of it, if it is done, by the score that is asked for."""
        return Trial.read(self.record).by(self.score) if self.folder and self.record.is_file() else None

    def trainer(self) -> Trainer:
        """The run that was begun here before, to be brought to its end; a new one where there is none."""
        training = self.changed
        training = training if training.settings.optimizer.search is not None else training.changed(epochs=self.epochs)
        if self.folder is None or callable(training.order):
            return training.begun()
        runs = self.place / "runs"
        begun = newest_beside(runs / "latest") if runs.is_dir() else None
        if begun is None:
            return training.begun(runs)
        return taken_up(RunFolder.open(begun), training.settings.epochs, training.layer, training.data).trainer

    def __reduce__(self) -> tuple[object, ...]:
        # Without what was loaded and built on the way, which whoever does it makes for himself.
        return Task, (bare(self.training), *(getattr(self, item.name) for item in fields(self)[1:]))


def do(tasks: Sequence[Task], look: int = 0) -> list[Trial | None]:
    """Does what is not done yet, together what differs in numbers only; None for what another process does meanwhile.

    look: how often it was asked for before.
    """
    found: list[Trial | None] = [None] * len(tasks)
    with ExitStack() as held:
        mine: list[int] = []
        for place, task in enumerate(tasks):
            found[place] = task.done()
            if found[place] is None and _is_free(task, held):
                found[place] = task.done()  # meanwhile another one may have been at it
                mine += [] if found[place] else [place]
        for number, trial in _trained([tasks[place] for place in mine]):
            task = tasks[mine[number]]
            if task.folder:
                write_whole(task.record, json.dumps(trial.to_json(), indent=1).encode())
            found[mine[number]] = trial.by(task.score)
    return found


def _is_free(task: Task, held: ExitStack) -> bool:
    """Whether nobody else does it; nobody will, until what is `held` is given back."""
    if task.folder is None:
        return True
    make_folder_at(task.place, exist_ok=True)
    try:
        held.enter_context(WriterLock(task.place / "lock").held_here())
    except FolderInUseError:
        return False
    return True


def _trained(tasks: Sequence[Task]) -> Iterator[tuple[int, Trial]]:
    """What came of each task, by its number, as they are done."""
    trainers = [task.trainer() for task in tasks]
    for places in alike(trainers):
        group = [trainers[place] for place in places]
        troubles = train_together(group)
        if any(trainer.stopped == "interrupted" for trainer in group):
            raise KeyboardInterrupt
        well = [trainer for trainer, trouble in zip(group, troubles, strict=True) if trouble is None]
        part = part_of(group[0].problem)
        evaluations = iter(evaluated_together(well, part) if well else ())
        for place, trouble in zip(places, troubles, strict=True):
            yield place, _trial(tasks[place], trainers[place], part, next(evaluations) if trouble is None else trouble)


def _trial(task: Task, trainer: Trainer, part: str, found: Evaluation | NonFiniteError) -> Trial:
    problem, nothing = trainer.problem, np.empty(0)
    count = sum(parameter.node.type.size for parameter in problem.parameters.values())
    if isinstance(found, NonFiniteError):
        return Trial(
            task.labels, usual_score(problem), part, nothing, nothing, task.epochs, 0, 0.0, count, None, found.happened
        )  # fmt: skip
    run, (name, values) = told(Run(trainer)), found.score
    return Trial(
        task.labels, name, part, values.astype(np.float64), found.loss.astype(np.float64), task.epochs, trainer.step,
        trainer.seconds, count, run.folder,
    )  # fmt: skip


def usual_score(problem: LearningProblem) -> str:
    """What tells most about a training; see `Evaluation.score`."""
    return "accuracy" if problem.classifies else "R²" if problem.compares else "loss"


def part_of(problem: LearningProblem) -> str:
    """The part of the data that trials are compared on: validation; without one test, without that training."""
    parts = problem.dataset_info.parts
    return next(part for part in ("validation", "test", "training") if part in parts)


def bare(training: Training) -> Training:
    """The training without what was loaded and built on the way, which other processes make for themselves."""
    return cast("Training", replace(cast("Any", training)))
