"""The trainer: state, step count and history of a training, moved forward in pieces that may be cut anywhere."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from copy import deepcopy
from dataclasses import field, replace
from functools import cached_property
from typing import Any, Literal, TypeAlias, cast

import numpy as np

from chainrule import ops
from chainrule.checks import handed_out, unknown
from chainrule.data import Dataset
from chainrule.descriptions.pickles import require_picklable
from chainrule.display import Shown
from chainrule.engines import Carried, Engine, HostState, Loop, LoopProgram, all_finite, engine_named
from chainrule.errors import DataError, FileFormatError, NonFiniteError, OptionError
from chainrule.graph import Array, Graph
from chainrule.immutable import immutable
from chainrule.train.batches import Queue
from chainrule.train.configuration import note_progress
from chainrule.train.evaluation import Evaluator, Scores
from chainrule.train.folder import RunFolder, Snapshot
from chainrule.train.full_batch import USED_UP
from chainrule.train.history import Epoch, History
from chainrule.train.interrupts import Interrupt, deferred_interrupts
from chainrule.train.keeper import Keeper
from chainrule.train.learning_problem import LearningProblem
from chainrule.train.lineage import Lineage
from chainrule.train.nonfinite import Moment, error_of_step
from chainrule.train.optimizer import Search
from chainrule.train.orders import ConsecutiveOrder, Order, order_of_epochs
from chainrule.train.pieces import Course, InPieces, Piece, ScoresOf, Steps, answered
from chainrule.train.schedules import MultiStepDecay
from chainrule.train.settings import Settings
from chainrule.train.state_nodes import require_room, require_trained
from chainrule.train.stopping import EarlyStoppingState, require_validation
from chainrule.train.supply import Supply
from chainrule.train.training_cost import Searching, TrainingCost, require_searchable

BEST = "best/"
"""What the names of the best weights begin with in a snapshot of a run with early stopping."""
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


class Trainer(InPieces):
    """Trains a problem by its settings.

    The result does not depend on how the steps are cut into pieces: each step is a function of the state, the seed and its number.
    """

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
        # What describes a training goes by its batches: a branch may have others than the training it came from.
        same = problem.batch_size == settings.batch_size
        self.problem = problem if same else replace(problem, batch_size=settings.batch_size)
        self.settings = settings
        self._load_data = data
        # A saved run goes on, and is used, where there are fewer devices too.
        self.engine: Engine = engine_named(settings.engine, settings.threads, settings.devices, at_most=saved is not None)
        self.folder = folder
        self.count = problem.dataset_info.parts["training"]
        if settings.batch_size > self.count:
            raise DataError(
                f"a batch of {settings.batch_size} from {self.count} training examples",
                expected=f"a batch size of 1 ... {self.count}",
                remedy=f"write batch_size={self.count} for the whole set in each step",
            )
        self.order = order
        named = ConsecutiveOrder(settings.batch_size) if settings.order == "consecutive" else None
        self._queue = Queue(self.count, settings.batch_size, self.seeds, order or named, self.engine)
        self.sizes = self._queue.sizes
        self.problem.require_one_size(set(self.sizes.tolist()))
        self.states: tuple[str, ...] = tuple(self.problem.carried(settings.batch_size))
        if settings.epochs:
            require_trained(self.problem.trained.built)
        if saved is None:
            self._check_order()
        self.state = self._initial_state(initial) if saved is None else self._saved_state(saved)
        self.lineage = Lineage(((0, settings.epochs),))
        self.step: int = 0
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
    def state(self) -> Mapping[str, Array]:
        """Parameters, states and what the optimizer remembers, by name, each (replicas, ...): to be read; what is assigned is taken."""
        return self._carried.arrays()

    @state.setter
    def state(self, state: Mapping[str, Array]) -> None:
        self._carried: Carried = HostState(state)
        self._home: LoopProgram | None = None

    def carry(self, carried: Carried) -> None:
        """Has its state where others compute, who answer its `course`."""
        self._carried, self._home = carried, None

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
    def data(self) -> Dataset:
        """The examples; a saved run loads them when they are first needed, not to predict."""
        return self._load_data()

    @cached_property
    def loop(self) -> Loop:
        """The steps as graphs, one for each size of batch; built when they are first needed, which a run opened to predict never does.

        Raises: what does not fit of optimizer, clipping and batches.
        """
        loop = self.problem.training_loop(self.settings.optimizer, set(self.sizes.tolist()), self.settings.clip)
        require_searchable(self.problem, self.settings, loop)
        return loop

    @cached_property
    def program(self) -> LoopProgram:
        """The compiled loop of training steps; how it was compiled becomes part of the run's record."""
        program = handed_out(self.engine.compile_loop(self.loop, self.supply.tables, self.settings.replicas, self.steps))
        self.keeper.note_engine(program.report())
        return program

    @cached_property
    def supply(self) -> Supply:
        """Where the rows of batches come from."""
        return Supply(self.data.train)

    @property
    def _tables(self) -> dict[str, Array]:
        """All examples, for methods that look at them at once."""
        return {"x": self.data.train.x, "y": self.data.train.y}

    # ---- what follows from the settings

    @property
    def steps_per_epoch(self) -> int:
        """How many batches an epoch has."""
        return len(self.sizes)

    @property
    def steps(self) -> int:
        """How many steps the whole training has."""
        return self.settings.epochs * self.steps_per_epoch

    @property
    def seeds(self) -> range:
        """The seed of each replica: replica k is the single run with seed + k."""
        return range(self.settings.seed, self.settings.seed + self.settings.replicas)

    @property
    def names(self) -> tuple[str, ...]:
        """What of the state is the network's: parameters and states, without what the optimizer remembers."""
        return (*self.problem.parameters, *self.states)

    @property
    def hash(self) -> str:
        """SHA-256, in hexadecimal, of all parameters and states."""
        digest = hashlib.sha256()
        for name in sorted(self.names):
            array = self.state[name]
            digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def rates(self, steps: Array) -> Array:
        """The learning rate of each of these steps, which are counted from 0."""
        return self.lineage.rates(self.settings.schedule, steps.astype(np.float64), self.steps_per_epoch)

    def rows(self, step: int) -> Array:
        """The rows of the training part that a step takes as its batch, for each replica: (replicas, size); the caller's to keep."""
        return self.rows_of(step, step + 1).copy()

    def _initial_state(self, given: Mapping[str, Array] | None) -> dict[str, Array]:
        nodes = self.problem.initial_state(self.settings.optimizer, given)
        require_room(nodes, self.settings.replicas)
        # First values always come from the reference engine, so that they are the same bits whatever engine trains.
        seeded = engine_named("reference").compile(Graph(nodes))
        keys = [ops.key(seed) for seed in self.seeds]
        takes_seed = "seed" in Graph(nodes).leaves
        drawn = [seeded({"seed": key} if takes_seed else {}) for key in keys]
        return {"seed": np.stack(keys), **{name: np.stack([values[name] for values in drawn]) for name in nodes}}

    def _saved_state(self, saved: Snapshot) -> dict[str, Array]:
        """The arrays of a snapshot, which must be those that this network has: nothing of another size is ever made."""
        nodes = self.problem.initial_state(self.settings.optimizer)
        wanted = {name: (str(node.type.dtype), (self.settings.replicas, *node.shape)) for name, node in nodes.items()}
        wanted["seed"] = ("uint32", (self.settings.replicas, 2))
        # The best weights are there, all of them, from the first look at the curves on.
        has_best = any(name.startswith(BEST) for name in saved.state)
        best = {f"{BEST}{name}": kind for name, kind in wanted.items()} if self.settings.early_stopping and has_best else {}
        found = {name: (str(array.dtype), array.shape) for name, array in saved.state.items()}
        odd = sorted(name for name, kind in (wanted | best).items() if found.get(name) != kind)
        if odd:
            raise FileFormatError(
                f"the state after {saved.step} steps has {odd[0]} as {found.get(odd[0], 'nothing')}",
                expected=f"{(wanted | best)[odd[0]]}, as the network of config.json has it",
                remedy="restore the files of the run",
            )
        return {name: saved.state[name].copy() for name in wanted}

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

    def advance(self, last: int) -> Mapping[str, Array]:
        """Does the steps up to `last`, and nothing else: no curves, no history, no snapshot. Gives their records."""
        records = self._run(self.step, last)
        self.step = last
        return records

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

    def _longest(self) -> int | None:
        return self.program.longest

    def _loaded(self) -> Carried:
        """The state where the program wants it."""
        if self._home is not self.program:
            self._carried, self._home = self.program.load(self.state), self.program
        return self._carried

    def _run(self, first: int, last: int) -> Mapping[str, Array]:
        rows, numbers = self.rows_of(first, last), self.scalars(first, last)
        return self.supply.run(self.program, self._loaded(), rows, self.sizes_of(first, last), numbers).records

    def sizes_of(self, first: int, last: int) -> Array:
        """The sizes of the batches of steps first ... last − 1."""
        return self.sizes[np.arange(first, last) % self.steps_per_epoch]

    def rows_of(self, first: int, last: int) -> Array:
        """The rows of steps first ... last − 1 for each replica, one behind the other: (replicas, Σ sizes)."""
        return self._queue.rows(first, last)

    def scalars(self, first: int, last: int) -> dict[str, Array]:
        """The numbers that steps first ... last − 1 are given beside their batches: see `clock.SCALARS`."""
        numbers = np.arange(first, last, dtype=np.float64)
        batches = numbers % self.steps_per_epoch
        return {"step": numbers + self.lineage.shift, "learning_rate": self.rates(numbers), "batch": batches}

    def _check_order(self) -> None:
        fixed = self._queue.order
        by_row = [name for name, state in self.problem.carried(self.settings.batch_size).items() if state.by_row]
        if by_row and fixed is None and self.steps_per_epoch > 1:
            raise OptionError(
                f"layer {by_row[0].rpartition('.')[0]} carries a row for each example from batch to batch, but examples are shuffled",
                expected="an order in which row r of a batch continues row r of the batch before",
                remedy='write fit(..., order="consecutive"), with data from data.chunks(...)',
            )
        if fixed is not None:
            order_of_epochs(fixed, self.settings.seed, range(1), self.count)

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
        found = dict(self.data.parts())
        if part not in found:
            raise unknown(f"part {part!r}", part, found)
        return self._scores(part)

    def _scores(self, part: str, beside: Sequence[str] = ()) -> Scores:
        """The scores of a part, by code that does for those beside it too."""
        if part not in self._evaluators:
            found, settings = dict(self.data.parts()), self.settings
            looks = 1 + (settings.epochs // settings.evaluate_every if settings.evaluate_every else 0)
            counts = [len(found[name]) for name in beside]
            self._evaluators[part] = Evaluator([self.problem], self.engine, found[part], settings.replicas, looks, counts)
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
                raise self._explain_nonfinite(step)
            self._note(step, records)
            self.step = step + 1
        raise NonFiniteError(
            "a number that is not finite, not seen again",
            expected="the same bits",
            remedy="report this as a fault of chainrule",
        )

    def _explain_nonfinite(self, step: int) -> NonFiniteError:
        epoch, batch = divmod(step, self.steps_per_epoch)
        saved = (
            f"; the state before it is in {self.folder.path}"
            if self.folder and not self.keeper.trouble
            else "; the state before it is in the attribute state of this error"
        )
        rate = float(self.rates(np.array([step]))[0])
        for replica, seed in enumerate(self.seeds):
            rows = self.rows_of(step, step + 1)[replica]
            values = {name: array[replica] for name, array in self.state.items()}
            values |= {"x": self.data.train.inputs.at(rows), "y": self.data.train.targets.at(rows)}
            values |= {name: np.asarray(numbers[0]) for name, numbers in self.scalars(step, step + 1).items()}
            moment = Moment(step, batch, epoch, replica, seed, rate)
            error = error_of_step(self.loop.graphs[len(rows)], values, rows, moment, saved)
            if error is not None:
                error.state = self.state
                return error
        return NonFiniteError(
            f"a number that is not finite at step {step}", expected="finite numbers", remedy="lower the learning rate"
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

    def drawn(self) -> Mapping[str, Array]:
        """The first values that the seeds give, whatever was put in their place: (replicas, ...) by name."""
        return self._initial_state(None)

    @property
    def frozen_at_random(self) -> tuple[str, ...]:
        """The weights of frozen layers that are as the seed drew them: nothing was put in their place."""
        names = self.problem.frozen_at_random()
        if not names:
            return ()
        drawn = self.drawn()
        return tuple(name for name in names if np.array_equal(drawn[name], self.state[name]))

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
