"""A sweep: many settings of a training, each with several replicas, compared with error bars; its folder can be gone on with."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from chainrule.checks import Count, checked, shown
from chainrule.descriptions import written
from chainrule.errors import FileFormatError, MissingFileError, OptionError, OptionTypeError
from chainrule.files import make_folder_at, named, refusals, write_whole
from chainrule.immutable import immutable
from chainrule.sweeps.compared import Sweep, ranked
from chainrule.sweeps.space import Grid, Halving, Random, Search, Sobol, settings_of
from chainrule.sweeps.trial import Task, Trial, bare, do, usual_score
from chainrule.train import Training

VERSION = 1
MOST = 200
"""So many trials are done at once at most, where nobody says: each holds files open."""
LITTLE = 20_000_000_000
"""Operations, some seconds of one core, up to which trials are done at once: of so much work the part that is not arithmetic is small."""
PAUSE = 0.2
"""Seconds between looks at what another process is doing."""


class Future(Protocol):
    """What an executor gives for a task: of `concurrent.futures`, Dask and their like."""

    def result(self) -> Any:
        """What the task gave, once it is done; raises what it raised."""
        ...


class Executor(Protocol):
    """Who does tasks: a pool of processes, a cluster."""

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Any:
        """Has the function called somewhere; gives a `Future`."""
        ...


@checked
def sweep(
    training: Training,
    space: Mapping[str, Any],
    *,
    replicas: Count = 8,
    search: Grid | Random | Sobol | Halving | None = None,
    folder: str | os.PathLike[str] | None = None,
    executor: Any = None,
    score: str | None = None,
    watch: Callable[[Trial], object] | None = None,
    together: Count | None = None,
) -> Sweep:
    """Trains each setting of a space with `replicas` seeds, the same for all, and says which are better and which cannot be told apart.

    space: for each field of the training, as `Training.changed` takes it, a list of values, values by their names, or a `Between`.
    search: which settings are tried: `sweeps.Grid()` (None), `sweeps.Random(20)`, `sweeps.Sobol(32)`, `sweeps.Halving((1, 3, 9))`.
    folder: where trials are kept, each with its run; what is there already is not done again, and several sweeps may work there at
    once. None keeps them in a temporary folder. executor: who trains: None is this process; else any object with `submit`, as a
    `concurrent.futures.ProcessPoolExecutor` or the Client of a Dask cluster, whose processes see the folder. score: what is compared:
    "accuracy", "R²" or "loss"; None is the usual one. watch: told each trial when it is done. together: how many trials at most are
    done at once, by one process; those among them that differ in numbers only (learning rates, strengths of penalties, seeds) are one
    program, whose replicas they are. None: many where each is little work, so that others who share it find something to do.

    Trials are compared on the validation part of the data; without one on the test part. Raises: what the settings raise when they do
    not fit, before anything is trained. A setting whose numbers become infinite is a trial that went wrong, and no error.

    >>> import chainrule as cr
    >>> training = cr.Training("2-4-2 tanh softmax", cr.data.moons(60), epochs=3, batch_size=10)
    >>> found = sweep(training, {"optimizer.learning_rate": [0.01, 0.5]}, replicas=4)
    >>> found.best.name, len(found.trials)
    ('optimizer.learning_rate=0.5', 2)
    """
    chosen: Search = Grid() if search is None else search
    if executor is not None and not callable(getattr(executor, "submit", None)):
        raise OptionTypeError(
            f"executor={shown(executor)}",
            expected="an object with submit, as an executor of concurrent.futures or a client of Dask",
            remedy="leave executor out: this process trains",
        )
    base, settings = bare(training.changed(replicas=replicas)), settings_of(space, chosen)
    tried = {name for _, setting in settings for name in setting}
    if "replicas" in tried:
        raise OptionError(
            "replicas in a sweep's space", expected="as many seeds for each setting", remedy="write replicas=8 beside it"
        )
    # Loaded and built once, as far as that is the same for all.
    _ = base.settings if tried & {"network", "data", "loss"} else base.problem
    formulas: set[str] = set()
    for _, setting in settings:
        problem = base.changed(**setting).problem  # what does not fit is found before anything is trained
        usual = usual_score(problem)
        if score not in {None, "loss", usual}:
            raise OptionError(f"score={score!r}", expected=f"{usual} or loss", remedy="leave score out")
        formulas.add(problem.formula)
        if score == "loss" != usual and len(formulas) > 1:
            raise OptionError(
                f"a comparison by the loss of settings with several: {'; '.join(sorted(formulas))}",
                expected="one loss, in one unit",
                remedy=f"leave score out: they are compared by {usual}",
            )
    with _meeting_place(folder, needed=executor is not None or bool(chosen.rungs)) as where:
        place = None if where is None else named(where, "folder")
        if place:
            claim(place, base)
        tasks = [Task(base, labels, setting, place, None, score) for labels, setting in settings]
        trials = _trials(tasks, chosen, _Workers(executor, together, watch))
    kept = None if folder is None else place
    return Sweep(tuple(trials if kept else (replace(trial, run=None) for trial in trials)), replicas, kept)


def _meeting_place(folder: str | os.PathLike[str] | None, *, needed: bool) -> AbstractContextManager[Any]:
    """The folder of the trials; without one a temporary one, where processes, or rungs, find what others left; else none."""
    if folder is not None or not needed:
        return nullcontext(folder)
    return tempfile.TemporaryDirectory(prefix="chainrule-sweep-")


def _trials(tasks: Sequence[Task], search: Search, workers: _Workers) -> list[Trial]:
    """What came of the tasks; where the search has rungs, after as many epochs as each was left in."""
    rungs = search.rungs or (None,)
    left, last = list(tasks), dict[Path, Trial]()
    for number, rung in enumerate(rungs):
        done = {task.place: trial for task, trial in workers.done([replace(task, rung=rung) for task in left])}
        last |= done
        if number + 1 < len(rungs):
            best = ranked(list(done.values()))[: max(1, len(done) // search.keep)]
            left = [task for task in left if any(done[task.place] is trial for trial in best)]
    return [last[task.place] for task in tasks]


@immutable
class _Workers:
    """Who does the tasks, how many at once at most, and who is told."""

    executor: Executor | None
    together: int | None
    watch: Callable[[Trial], object] | None

    def done(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Trial]]:
        """The trials as they are done, in the order of the tasks but for those that another process is at; for these it is waited."""
        left, look = list(tasks), 0
        while left:
            busy: list[Task] = []
            parts = list(self._parts(left))
            # The number of the look goes along, for executors that answer the same question from memory.
            futures = [self.executor.submit(do, part, look) for part in parts] if self.executor else None
            for place, part in enumerate(parts):
                trials = futures[place].result() if futures else do(part, look)
                for task, trial in zip(part, trials, strict=True):
                    if trial is None:
                        busy.append(task)
                        continue
                    if self.watch is not None:
                        self.watch(trial)
                    yield task, trial
            left, look = busy, look + 1
            if left:
                time.sleep(PAUSE)

    def _parts(self, tasks: Sequence[Task]) -> Iterator[list[Task]]:
        """The tasks in lists of those that are done at once."""
        part, work = list[Task](), 0
        for task in tasks:
            own = 0 if self.together else task.work
            if part and (len(part) == (self.together or MOST) or work + own > LITTLE):
                yield part
                part, work = [], 0
            part.append(task)
            work += own
        if part:
            yield part


def claim(folder: Path, training: Training) -> None:
    """Makes the folder one of this training's sweeps. Raises: OptionError where it is another's."""
    mine = {"version": VERSION, **_identity(training)}
    path = folder / "sweep.json"
    with refusals(folder):
        make_folder_at(folder / "trials", exist_ok=True)
    if not path.is_file():
        write_whole(path, json.dumps(mine, indent=1, ensure_ascii=False).encode())
    found = _read(path)
    if found != json.loads(json.dumps(mine)):
        odd = next(name for name in mine if found.get(name) != mine[name])
        raise OptionError(
            f"{folder} holds sweeps of another training: its {odd} is {str(found.get(odd))[:200]}",
            expected=str(mine[odd])[:200],
            remedy="choose another folder, or sweep over what differs",
        )


def _identity(training: Training) -> dict[str, Any]:
    """What makes a training the same: network, data, objective and settings, but for who computes."""
    names = {"network": str(training.network), "data": training.dataset.info.hash, "loss": training.problem.formula}
    return {**names, **written(replace(training.settings, threads=None, devices=None))}


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {**found, "replicas": int(found["replicas"])}
    except (OSError, ValueError, TypeError, KeyError) as trouble:
        raise FileFormatError(
            f"{path} cannot be read: {trouble}", expected="a sweep", remedy="choose another folder"
        ) from trouble


@checked
def open_sweep(folder: str | os.PathLike[str]) -> Sweep:
    """What the sweeps of a folder have done so far, each trial with the most epochs it was trained for; nothing is written.

    Raises: MissingFileError, FileFormatError.
    """
    place = named(folder, "folder")
    if not (place / "sweep.json").is_file():
        raise MissingFileError(
            f"there is no sweep in {str(place)!r}",
            expected="a folder with sweep.json",
            remedy='make one: cr.sweep(..., folder="...")',
        )
    found: list[Trial] = []
    for trial in sorted((place / "trials").glob("*")):
        records = [Trial.read(path) for path in trial.glob("epochs-*.json")]
        found += [max(records, key=lambda record: record.epochs)] if records else []
    return Sweep(tuple(found), _read(place / "sweep.json")["replicas"], place)
