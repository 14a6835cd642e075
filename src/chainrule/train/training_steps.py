"""The steps of a training: its state, its batches and the numbers that go with them, and the compiled loop that does them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property

import numpy as np

from chainrule import ops
from chainrule.checks import handed_out
from chainrule.data import Dataset
from chainrule.engines import Carried, Engine, HostState, Loop, LoopProgram, engine_named
from chainrule.errors import DataError, FileFormatError, NonFiniteError, OptionError
from chainrule.graph import Array, Graph
from chainrule.train.batches import Queue
from chainrule.train.folder import Snapshot
from chainrule.train.learning_problem import LearningProblem
from chainrule.train.lineage import Lineage
from chainrule.train.nonfinite import Moment, error_of_step
from chainrule.train.orders import ConsecutiveOrder, Order, order_of_epochs
from chainrule.train.pieces import InPieces
from chainrule.train.settings import Settings
from chainrule.train.state_nodes import require_room, require_trained
from chainrule.train.supply import Supply
from chainrule.train.training_cost import require_searchable

BEST = "best/"
"""What the names of the best weights begin with in a snapshot of a run with early stopping."""


class TrainingSteps(InPieces):
    """The steps of a problem by its settings, and the state that they move forward; it knows neither curves nor folders.

    Each step is a function of the state, the seed and its number: how steps are cut into pieces changes nothing.
    """

    def __init__(
        self,
        problem: LearningProblem,
        settings: Settings,
        data: Callable[[], Dataset],
        *,
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
        """The compiled loop of training steps."""
        return handed_out(self.engine.compile_loop(self.loop, self.supply.tables, self.settings.replicas, self.steps))

    @cached_property
    def supply(self) -> Supply:
        """Where the rows of batches come from."""
        return Supply(self.data.train)

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

    # ---- first values, and those of a saved run

    def _initial_state(self, given: Mapping[str, Array] | None) -> dict[str, Array]:
        nodes = self.problem.initial_state(self.settings.optimizer, given)
        require_room(nodes, self.settings.replicas)
        # First values always come from the reference engine, so that they are the same bits whatever engine trains.
        seeded = engine_named("reference").compile(Graph(nodes))
        keys = [ops.key(seed) for seed in self.seeds]
        takes_seed = "seed" in Graph(nodes).leaves
        drawn = [seeded({"seed": key} if takes_seed else {}) for key in keys]
        return {"seed": np.stack(keys), **{name: np.stack([values[name] for values in drawn]) for name in nodes}}

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

    # ---- batches, and the numbers beside them

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

    def rows(self, step: int) -> Array:
        """The rows of the training part that a step takes as its batch, for each replica: (replicas, size); the caller's to keep."""
        return self.rows_of(step, step + 1).copy()

    def rows_of(self, first: int, last: int) -> Array:
        """The rows of steps first ... last − 1 for each replica, one behind the other: (replicas, Σ sizes)."""
        return self._queue.rows(first, last)

    def sizes_of(self, first: int, last: int) -> Array:
        """The sizes of the batches of steps first ... last − 1."""
        return self.sizes[np.arange(first, last) % self.steps_per_epoch]

    def rates(self, steps: Array) -> Array:
        """The learning rate of each of these steps, which are counted from 0."""
        return self.lineage.rates(self.settings.schedule, steps.astype(np.float64), self.steps_per_epoch)

    def scalars(self, first: int, last: int) -> dict[str, Array]:
        """The numbers that steps first ... last − 1 are given beside their batches: see `clock.SCALARS`."""
        numbers = np.arange(first, last, dtype=np.float64)
        batches = numbers % self.steps_per_epoch
        return {"step": numbers + self.lineage.shift, "learning_rate": self.rates(numbers), "batch": batches}

    # ---- moving forward

    def advance(self, last: int) -> Mapping[str, Array]:
        """Does the steps up to `last`, and nothing else: no curves, no history, no snapshot. Gives their records."""
        records = self._run(self.step, last)
        self.step = last
        return records

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

    def explained(self, step: int, saved: str) -> NonFiniteError:
        """The error of a step that made a number that is not finite, the state standing before it; `saved` says where that is kept."""
        epoch, batch = divmod(step, self.steps_per_epoch)
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
