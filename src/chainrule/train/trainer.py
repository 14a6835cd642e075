"""The trainer: a training from where it stands to its end, in pieces that may be cut anywhere: its history, curves, callbacks, folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from copy import deepcopy
from dataclasses import field, replace
from functools import cached_property
from typing import Any, Literal, TypeAlias, cast

import numpy as np

from chainrule.data import Dataset
from chainrule.descriptions.pickles import require_picklable
from chainrule.display import Shown
from chainrule.engines import LoopProgram, all_finite
from chainrule.errors import NonFiniteError, OptionError
from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.train.configuration import note_progress
from chainrule.train.evaluation import Evaluator, Scores
from chainrule.train.folder import RunFolder, Snapshot
from chainrule.train.full_batch import USED_UP
from chainrule.train.history import Epoch, History
from chainrule.train.interrupts import Interrupt, deferred_interrupts
from chainrule.train.keeper import Keeper
from chainrule.train.learning_problem import LearningProblem
from chainrule.train.lineage import Lineage
from chainrule.train.optimizer import Search
from chainrule.train.orders import Order
from chainrule.train.pieces import Course, Piece, ScoresOf, Steps, answered
from chainrule.train.schedules import MultiStepDecay
from chainrule.train.settings import Settings
from chainrule.train.state_nodes import require_trained
from chainrule.train.stopping import EarlyStoppingState, require_validation
from chainrule.train.training_cost import Searching, TrainingCost
from chainrule.train.training_steps import BEST, TrainingSteps

CALLS_AN_ITERATION = 3
"""About how often a method that takes all examples at once asks for the cost and its gradient, to go one step further."""


@immutable
class TrainingProgress(Shown):
    """What a callback is told. It may return True to end the training there."""

    kind: Literal["steps", "epoch", "end"]
    step: int
    steps: int
    epoch: int
    loss: float
    scores: Mapping[str, Mapping[str, Array]]
    seconds: float
    unsaved: str = ""
    """What the system answered when the run's folder was last to be brought up to date; "" when it is."""
    trainer: Trainer | None = field(default=None, repr=False, compare=False)
    """The training itself, to be read: its `history`, `settings`, `problem`."""


Callback: TypeAlias = Callable[[TrainingProgress], object]
READS_NO_FOLDER = "reads_no_folder"
"""An attribute of callbacks that only look at the moment: who else is told finds it in the folder already."""


class Trainer(TrainingSteps):
    """Trains a problem by its settings: takes its steps, notes what they record, looks at curves, tells callbacks, saves, and ends."""

    def __init__(
        self,
        problem: LearningProblem,
        settings: Settings,
        data: Callable[[], Dataset],
        *,
        folder: RunFolder | None = None,
        order: Order | None = None,
        initial: Mapping[str, Array] | None = None,
        saved: Snapshot | None = None,
    ) -> None:
        super().__init__(problem, settings, data, order=order, initial=initial, saved=saved)
        self.folder = folder
        self.seconds = 0.0
        self._history: History | Callable[[], History] = History(settings.replicas)
        self.stopped = ""
        self.stopping = EarlyStoppingState(settings.early_stopping, settings.replicas) if settings.early_stopping else None
        self.start: Snapshot | None = None
        """Where the training began, if elsewhere than at the first values that its seeds give."""
        self._evaluators: dict[str, Evaluator] = {}
        self._pause: int = 0
        self._ending: Snapshot | None = None
        require_validation(settings.early_stopping, problem.dataset_info.parts)
        if self.stopping and self.stopping.rule.monitor == "accuracy" and not problem.classifies:
            raise OptionError(
                "early stopping by the accuracy of a network that predicts numbers",
                expected='monitor="loss"',
                remedy='write EarlyStopping(monitor="loss")',
            )
        if initial is not None:
            self.start = self.snapshot()

    def __reduce__(self) -> tuple[object, ...]:
        # Whole, with its examples, and without its folder and whatever is compiled.
        require_picklable(settings=self.settings, order=self.order)
        return (_revived, self._parts())

    # A shallow copy is `apart`: what is done with it would change this one else.
    def __copy__(self) -> Trainer:
        return self.apart()

    def __deepcopy__(self, known: dict[int, object]) -> Trainer:
        return _revived(*deepcopy(self._parts(), known))

    def _parts(self) -> tuple[Any, ...]:
        made = (self.problem, self.settings, self.data, self.order, self.start)
        return (*made, self.snapshot(), self._ending, self.history, self.lineage)

    @property
    def folder(self) -> RunFolder | None:
        """Where it is saved, if it is."""
        return self.keeper.folder

    @folder.setter
    def folder(self, folder: RunFolder | None) -> None:
        self.keeper = Keeper(folder, writes=self.engine.hosts.is_first)

    @property
    def history(self) -> History:
        """What happened so far; that of a saved run is read when it is first asked for."""
        if not isinstance(self._history, History):
            self._history = self._history()
        return self._history

    @history.setter
    def history(self, history: History | Callable[[], History]) -> None:
        self._history = history

    @cached_property
    def program(self) -> LoopProgram:
        """The compiled loop of training steps; how it was compiled becomes part of the run's record."""
        program = super().program
        self.keeper.note_engine(program.report())
        return program

    # ---- moving forward

    def train(self, callbacks: tuple[Callback, ...] = ()) -> None:
        """Runs to the end, or until a callback, early stopping or Ctrl-C ends it; what was learned stays in every case.

        Also where an error ends it (a callback's, say), what was learned until then is saved before the error goes on. A callback that
        is a context manager is entered before the first step and left after it was told of the end, or after the error.
        """
        with ExitStack() as entered:
            for callback in callbacks:
                if isinstance(callback, AbstractContextManager):
                    entered.enter_context(cast("AbstractContextManager[object]", callback))
            with deferred_interrupts() as interrupt:
                answered(self.course(interrupt, callbacks), self._answer)
            self._tell(callbacks, "end")

    def course(self, interrupt: Interrupt, callbacks: tuple[Callback, ...] = ()) -> Course:
        """The training from here to its end: it asks for steps and scores, and notes and saves what it is given."""
        self.stopped = "early stopping" if self.stopping and self.stopping.stopped.all() else ""
        with self.keeper.writer(self.step, lambda: self.history.rows()):
            try:
                yield from self._go_on(interrupt, callbacks)
            except BaseException:
                if self.history.end in {0, self.step}:  # else a second Ctrl-C came between a piece and its records
                    self._save(last=True)
                raise
            self._save(last=True)
            self._ending = self.snapshot() if self.stopping else None
            self.take_best()

    def _answer(self, wish: Steps | ScoresOf) -> Piece | Scores:
        """What this training computes for itself."""
        return self._run_piece(wish.until) if isinstance(wish, Steps) else self._scores(wish.part, self.watched)

    def _go_on(self, interrupt: Interrupt, callbacks: tuple[Callback, ...]) -> Course:
        search = self.settings.optimizer.search
        if search and self.step < self.steps:
            yield from self._descend(search, interrupt, callbacks)
        self._pause = self._next_pause()
        while self.step < self.steps and not self.stopped:
            self._take((yield Steps(self._pause)))
            if self.step == self._pause:
                yield from self._evaluate()
                self._save()
                self._pause = self._next_pause()
                self._tell(callbacks, "epoch")
            else:
                self._save_now_and_then()
                self._tell(callbacks, "steps")
            self.stopped = self._ending_of_all("interrupted" if interrupt.requested else self.stopped)

    def _ending_of_all(self, own: str) -> str:
        """Why the training ends here, if it does: of several hosts all end where one does."""
        ends = self.engine.hosts.largest(bool(own))
        return own or "ended by another host" * bool(ends)

    def train_until(self, step: int) -> None:
        """Trains up to `step`, or to the end, and notes what happened; takes no curves and saves nothing."""
        self._pause = min(step, self.steps)
        while self.step < self._pause:
            self._take(self._run_piece(self._pause))

    def take_best(self) -> None:
        """With early stopping, once the training has ended: the best weights take the place of the last ones.

        Snapshots hold both, so that a run that goes on does so from the last ones.
        """
        if self.stopping and (self.step == self.steps or self.stopped == "early stopping"):
            self.state = self.stopping.best_of(self.state)

    def _next_pause(self) -> int:
        """The step at which curves are taken next: after `evaluate_every` epochs, or only at the end."""
        every = self.settings.evaluate_every * self.steps_per_epoch
        return min((self.step // every + 1) * every, self.steps) if every else self.steps

    def _take(self, piece: Piece) -> None:
        """Notes a piece of steps that was done; of one with a number that is not finite, what came before that."""
        if not piece.is_finite:
            self._carried = piece.before
            self._stop_at_nonfinite(piece.last)
        self.step = piece.last
        self._note(piece.first, piece.records)
        self.seconds += piece.seconds

    def _note(self, first: int, records: Mapping[str, Array]) -> None:
        row = self.history.add_steps(first, records)
        self.keeper.note(lambda: [row()])

    def _evaluate(self) -> Course:
        """Takes all curves at the present weights."""
        epoch = -(-self.step // self.steps_per_epoch)
        scores: dict[str, Mapping[str, Array]] = {}
        for part in self.watched:
            found: Scores = yield ScoresOf(part)
            scores[part] = found.values
        running = self.history.running_loss((epoch - 1) * self.steps_per_epoch, self.step, self.sizes)
        row = Epoch(epoch, self.step, self.seconds, running, scores, self.hash)
        self.history.epochs.append(row)
        self.keeper.note(lambda: [row.to_json()])
        if self.stopping and self.stopping.look(epoch, scores["validation"], self.state):
            self.stopped = "early stopping"

    @property
    def watched(self) -> tuple[str, ...]:
        """The parts evaluated after each epoch, all at the same weights: training, and validation, or else test."""
        parts = self.problem.dataset_info.parts
        return tuple(part for part in parts if part != "test" or "validation" not in parts)

    def evaluate(self, part: str) -> Scores:
        """The scores of a part of the data at the present weights."""
        return self._scores(part)

    def _scores(self, part: str, beside: Sequence[str] = ()) -> Scores:
        """The scores of a part, by code that does for those beside it too."""
        if part not in self._evaluators:
            found, settings = self.data.part(part), self.settings
            looks = 1 + (settings.epochs // settings.evaluate_every if settings.evaluate_every else 0)
            counts = [len(self.data.part(name)) for name in beside]
            self._evaluators[part] = Evaluator([self.problem], self.engine, found, settings.replicas, looks, counts)
        return self._evaluators[part](self.state)

    def _tell(self, callbacks: tuple[Callback, ...], kind: Literal["steps", "epoch", "end"]) -> None:
        if not all(hasattr(callback, READS_NO_FOLDER) for callback in callbacks):
            self.keeper.catch_up()
        loss = self.history.chunks[-1][1]["loss"][:, -1].mean() if self.history.chunks else np.nan
        scores: Mapping[str, Mapping[str, Array]] = self.history.epochs[-1].parts if self.history.epochs else {}
        epoch = self.step // self.steps_per_epoch if self.step else 0
        unsaved = self.keeper.trouble.happened if self.keeper.trouble else ""
        moment = TrainingProgress(kind, self.step, self.steps, epoch, float(loss), scores, self.seconds, unsaved, self)
        for callback in callbacks:
            answer = callback(moment)
            # A list of what was appended to, say, is no answer; NumPy's truth is one.
            if isinstance(answer, bool | np.bool_) and answer and kind != "end":
                self.stopped = self.stopped or "stopped by a callback"

    # ---- methods that look at all examples at once

    @property
    def _tables(self) -> dict[str, Array]:
        """All examples, for methods that look at them at once."""
        return {"x": self.data.train.x, "y": self.data.train.y}

    def _descend(self, method: Search, interrupt: Interrupt, callbacks: tuple[Callback, ...]) -> Course:
        """Iterations of a method that takes all examples at once, of all replicas in turn, until each is done."""
        program = self.engine.compile_loop(self.loop, self._tables, 1, CALLS_AN_ITERATION * self.steps)
        searches = [Searching(method, problem) for problem in self._problems(program)]
        while not self.stopped and self.step < self.steps:
            started = time.perf_counter()
            costs = self._advance(searches)
            self.seconds += time.perf_counter() - started
            if all(search.reason and not search.moved for search in searches):
                break
            self._note(self.step, {"loss": np.array(costs)[:, None]})
            self.step += 1
            if self.step % max(self.settings.evaluate_every, 1) == 0 and self.settings.evaluate_every:
                yield from self._evaluate()
            self._save_now_and_then()
            self._tell(callbacks, "steps")
            self.stopped = self._ending_of_all("interrupted" if interrupt.requested else self.stopped)
        reasons = [search.reason for search in searches]
        self.stopped = self.stopped or next((reason for reason in reasons if reason), USED_UP)
        self.settings = replace(self.settings, epochs=self.step)
        if self.step and not (self.history.epochs and self.history.epochs[-1].step == self.step):
            yield from self._evaluate()

    def _advance(self, searches: Sequence[Searching]) -> list[float]:
        """One iteration of each search; what is half done when an error or a second Ctrl-C comes is taken back."""
        before = self._carried.copy()
        try:
            return [search.advance() for search in searches]
        except BaseException:
            self._carried = before
            raise

    def _problems(self, program: LoopProgram) -> list[TrainingCost]:
        """Each replica's training as a function of a vector."""
        # Searches write their points into arrays of their own, wherever the state was before.
        self.state = {name: array.copy() for name, array in self.state.items()}
        state = [
            {name: array[place : place + 1] for name, array in self.state.items()} for place in range(self.settings.replicas)
        ]
        return [TrainingCost(self.problem, self.engine, program, self._tables, arrays) for arrays in state]

    # ---- NaN

    def _stop_at_nonfinite(self, last: int) -> None:
        """Goes again over the piece, step by step, to the one that made a number that is not finite; saves the state before it."""
        for step in range(self.step, last):
            before = self._loaded().copy()
            records = self._run(step, step + 1)
            if not (self._carried.is_finite() and all_finite(records)):
                self._carried = before
                self.step = step
                self.stopped = "not finite"
                self._save(last=True)
                where = self.folder.path if self.folder and not self.keeper.trouble else "the attribute state of this error"
                raise self.explained(step, f"; the state before it is in {where}")
            self._note(step, records)
            self.step = step + 1
        raise NonFiniteError(
            "a number that is not finite, not seen again",
            expected="the same bits",
            remedy="report this as a fault of chainrule",
        )

    # ---- saving

    def _save_now_and_then(self) -> None:
        """Between pauses, a snapshot after every SNAPSHOT_SECONDS: a crash loses no more than that."""
        if self.keeper.is_due:
            self._save()

    def _save(self, *, last: bool = False) -> None:
        if self.folder:
            self.keeper.save(self.snapshot(), last=last)

    def ending(self) -> Snapshot:
        """What is to be saved of the training as it stands: with early stopping its last weights beside the best, which it has now."""
        return self._ending if self._ending and self._ending.step == self.step else self.snapshot()

    def snapshot(self) -> Snapshot:
        """Everything that the steps to come depend on, as copies."""
        extra: dict[str, Any] = {"seconds": self.seconds, "stopped": self.stopped}
        state = {name: array.copy() for name, array in self.state.items()}
        if self.stopping:
            extra["watch"] = self.stopping.to_json()
            state |= {f"{BEST}{name}": array.copy() for name, array in self.stopping.kept.items()}
        return Snapshot(self.step, state, extra)

    def beginning(self) -> Snapshot:
        """The state before the first step: where it was put, or else the first values that the seeds give."""
        if self.start is None and self.folder:
            self.start = self.folder.read_start()
        if self.start:
            return self.start
        watch = {"watch": EarlyStoppingState(self.stopping.rule, self.stopping.replicas).to_json()} if self.stopping else {}
        return Snapshot(0, self._initial_state(None), {"seconds": 0.0, "stopped": "", **watch})

    def extend(self, settings: Settings) -> None:
        """Takes settings with more or fewer epochs; the folder's configuration is brought up to date."""
        if settings.epochs:
            require_trained(self.problem.trained.built)
        self.settings, self.stopped = settings, ""
        self._evaluators.clear()
        vars(self).pop("program", None)  # what is compiled depends on how much is to be done
        self.lineage = self.lineage.extended(self.step, settings.epochs)
        if self.folder:
            note_progress(self.folder, settings, self.lineage)

    def lower_rate(self, factor: float) -> None:
        """Multiplies the learning rate by `factor` from the next step on; the settings say so, as a `MultiStepDecay`."""
        optimizer: Any = self.settings.optimizer
        rate = optimizer.learning_rate
        so_far = rate if isinstance(rate, MultiStepDecay) and rate.factor == factor else MultiStepDecay(rate, (), factor)
        self.settings = replace(self.settings, optimizer=replace(optimizer, learning_rate=so_far.lowered(self.step)))
        if self.folder:
            note_progress(self.folder, self.settings, self.lineage)

    def apart(self) -> Trainer:
        """The same training with a state of its own and no folder: what is done with it changes nothing here."""
        twin = object.__new__(Trainer)
        vars(twin).update(vars(self))
        twin.folder, twin._ending = None, None
        twin._queue = self._queue.apart()
        twin.state = {name: array.copy() for name, array in self.state.items()}
        twin.history = self.history.until(self.step)
        twin.stopping = deepcopy(self.stopping)
        return twin

    def load(self, snapshot: Snapshot, history: History | Callable[[], History]) -> None:
        """Takes up a snapshot: the next step is the one that the uninterrupted run would have done."""
        # Copies, since steps write into what they are given.
        self.state = {name: snapshot.state[name].copy() for name in self.state}
        self.step, self.seconds, self.history = snapshot.step, float(snapshot.extra["seconds"]), history
        if self.stopping:
            best = {name: snapshot.state.get(f"{BEST}{name}") for name in self.state}
            self.stopping.load(
                snapshot.extra["watch"], {name: array.copy() for name, array in best.items() if array is not None}
            )


def _revived(
    problem: LearningProblem,
    settings: Settings,
    data: Dataset,
    order: Order | None,
    start: Snapshot | None,
    snapshot: Snapshot,
    ending: Snapshot | None,
    history: History,
    lineage: Lineage,
) -> Trainer:
    """The training that `Trainer.__reduce__` took apart."""
    trainer = Trainer(problem, settings, lambda: data, order=order, saved=snapshot)
    trainer.load(snapshot, history)
    trainer.start, trainer.lineage, trainer.stopped = start, lineage, str(snapshot.extra["stopped"])
    trainer._ending = ending  # pyright: ignore[reportPrivateUsage]
    return trainer
