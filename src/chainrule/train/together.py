"""Trainings that differ in numbers only, as one program: their replicas side by side, each with the numbers of its training."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from chainrule.display import Shown
from chainrule.engines import Carried, HostState, all_finite, family_of, joined
from chainrule.errors import NonFiniteError, OptionError
from chainrule.graph import Array
from chainrule.train.evaluated import Evaluation, evaluation_of
from chainrule.train.evaluation import Evaluator, Scores, loop_of
from chainrule.train.interrupts import deferred_interrupts
from chainrule.train.pieces import Course, InPieces, Piece, Steps
from chainrule.train.trainer import Trainer


def alike(trainers: Sequence[Trainer]) -> list[list[int]]:
    """The places of trainings that can be one program from where they stand: those that differ in numbers only.

    Numbers are seeds, learning rates and their schedules, and whatever is a single number of the step's graph: momentum, the strength
    of a penalty, a dropout rate.
    """
    groups: dict[Hashable, list[int]] = {}
    for place, trainer in enumerate(trainers):
        groups.setdefault(_family(trainer) or place, []).append(place)
    return list(groups.values())


def train_together(trainers: Sequence[Trainer]) -> list[NonFiniteError | None]:
    """Trains those that are `alike` to their ends, as one program; what made one of them end early.

    Each comes to the numbers, and leaves the folder, that it would alone, with the native engine to the bit. After Ctrl-C they are
    `stopped` as "interrupted".
    """
    if len(trainers) == 1:
        return [_trouble_of(trainers[0])]
    with deferred_interrupts() as interrupt:
        members = [_Member(trainer, trainer.course(interrupt)) for trainer in trainers]
        try:
            for member in members:
                member.go()
            while left := [member for member in members if member.wish is not None]:
                _joint_of([member for member in left if member.stands == left[0].stands]).go_on()
        except BaseException as trouble:
            for member in members:
                member.end(trouble)
            raise
    return [member.trouble for member in members]


def _trouble_of(trainer: Trainer) -> NonFiniteError | None:
    try:
        trainer.train()
    except NonFiniteError as trouble:
        return trouble
    return None


def evaluated_together(trainers: Sequence[Trainer], part: str) -> list[Evaluation]:
    """How each of those that are `alike` does on a part of the data, with its weights as they are."""
    first, half = trainers[0], len(trainers) // 2
    try:
        evaluator = _evaluator(trainers, part)
    except OptionError:  # too many for the device
        if not half:
            raise
        return [*evaluated_together(trainers[:half], part), *evaluated_together(trainers[half:], part)]
    y, shares = first.data.part(part).y, _shares(evaluator(_beside(trainers)), first.settings.replicas)
    return [evaluation_of(trainer.problem, part, own, y) for trainer, own in zip(trainers, shares, strict=True)]


def _family(trainer: Trainer) -> Hashable | None:
    """Equal for trainings that can be one program from where they stand; None for one that goes alone."""
    settings, problem = trainer.settings, trainer.problem
    if settings.optimizer.search or trainer.engine.hosts.count > 1:
        return None
    parts = problem.dataset_info.parts
    looks = tuple([(part, parts[part], family_of(loop_of(problem, parts[part]))) for part in trainer.watched])
    same = (settings.engine, settings.threads, settings.devices, settings.epochs, settings.evaluate_every, settings.replicas)
    return same, settings.batch_size, trainer.step, problem.dataset_info.hash, family_of(trainer.loop), looks


def _beside(trainers: Sequence[Trainer]) -> dict[str, Array]:
    states = [trainer.state for trainer in trainers]
    return {name: np.concatenate([state[name] for state in states]) for name in states[0]}


def _evaluator(trainers: Sequence[Trainer], part: str) -> Evaluator:
    first, settings = trainers[0], trainers[0].settings
    looks = 1 + (settings.epochs // settings.evaluate_every if settings.evaluate_every else 0)
    problems = [trainer.problem for trainer in trainers]
    return Evaluator(problems, first.engine, first.data.part(part), settings.replicas, looks)


def _shares(scores: Scores, replicas: int) -> Iterator[Scores]:
    """The scores of each training, so many replicas after the other."""
    for start in range(0, len(scores.outputs), replicas):
        rows = slice(start, start + replicas)
        yield Scores(scores.count, {name: values[rows] for name, values in scores.values.items()}, scores.outputs[rows])


class _Member:
    """A training on its way: what it asks for next, None at its end."""

    def __init__(self, trainer: Trainer, course: Course) -> None:
        self.trainer, self.course = trainer, course
        self.wish: Any = None
        self.trouble: NonFiniteError | None = None

    @property
    def stands(self) -> tuple[int, Any]:
        """Where it is: its step, and what it asks for."""
        return self.trainer.step, self.wish

    def go(self, answer: Any = None) -> None:
        """Goes on to the next wish."""
        self.wish = None
        try:
            self.wish = self.course.send(answer)
        except StopIteration:
            self.trainer.state = {name: array.copy() for name, array in self.trainer.state.items()}
        except NonFiniteError as trouble:
            self.trouble = trouble

    def end(self, trouble: BaseException) -> None:
        """Saves what is to be saved."""
        if self.wish is not None:
            with suppress(BaseException):
                self.course.throw(trouble)
            self.trainer.state = {name: array.copy() for name, array in self.trainer.state.items()}


class _Share(Shown):
    """The replicas of one training in a state of several; see `Carried`."""

    def __init__(self, whole: Callable[[], Carried], rows: slice) -> None:
        self.whole, self.rows = whole, rows

    def arrays(self) -> Mapping[str, Array]:
        return {name: array[self.rows] for name, array in self.whole().arrays().items()}

    def copy(self) -> HostState:
        return HostState({name: array.copy() for name, array in self.arrays().items()})

    def is_finite(self) -> bool:
        return all_finite(self.arrays())


def _joint_of(members: Sequence[_Member]) -> _Joint:
    """The program of those, or of as many of them as fit the device; the others wait. Raises: OptionError where not even one does."""
    try:
        return _Joint(members)
    except OptionError:
        if len(members) == 1:
            raise
        return _joint_of(members[: len(members) // 2])


class _Joint(InPieces):
    """The program of several trainings that all ask for the same, one after the other.

    The replicas of one that has ended idle as twins of another's, until more than half do: so the program stays as it is.
    """

    def __init__(self, members: Sequence[_Member]) -> None:
        self.members = list(members)
        self.trainers = [member.trainer for member in members]
        first = self.trainers[0]
        self.engine, self.step, self.replicas = first.engine, first.step, first.settings.replicas
        loop, numbers = joined([trainer.loop for trainer in self.trainers])
        self.numbers = {name: values.copy() for name, values in numbers.items()}
        count = len(self.trainers) * self.replicas
        self._program = self.engine.compile_loop(loop, first.supply.tables, count, first.steps)
        self._carried = self._program.load(_beside(self.trainers))
        self._evaluators: dict[str, Evaluator] = {}
        for place, trainer in enumerate(self.trainers):
            trainer.carry(_Share(lambda: self._carried, self._rows(place)))
            trainer.keeper.note_engine(self._program.report())

    def _longest(self) -> int | None:
        return self._program.longest

    def _loaded(self) -> Carried:
        return self._carried

    def _rows(self, place: int) -> slice:
        return slice(place * self.replicas, (place + 1) * self.replicas)

    @property
    def left(self) -> list[int]:
        """The places of those that go on."""
        return [place for place, member in enumerate(self.members) if member.wish is not None]

    def go_on(self) -> None:
        """Answers what is asked for, until half of the trainings have ended."""
        while 2 * len(left := self.left) > len(self.members):
            wish = self.members[left[0]].wish
            answers = self._pieces(wish.until, left) if isinstance(wish, Steps) else self._scores(wish.part)
            for place in left:
                self.members[place].go(answers[place])
            for place in set(left).difference(stay := self.left):
                if stay:
                    self._idle(place, stay[0])

    def _pieces(self, until: int, left: Sequence[int]) -> dict[int, Piece]:
        whole = self._run_piece(until)
        self.step = whole.last
        found: dict[int, Piece] = {}
        for place in left:
            rows = self._rows(place)
            records = {name: array[rows] for name, array in whole.records.items()}
            is_finite = whole.is_finite or (all_finite(records) and _Share(self._loaded, rows).is_finite())
            before = _Share(lambda: whole.before, rows)
            found[place] = Piece(whole.first, whole.last, records, whole.seconds / len(left), before, is_finite)
        return found

    def _scores(self, part: str) -> list[Scores]:
        if part not in self._evaluators:
            self._evaluators[part] = _evaluator(self.trainers, part)
        return list(_shares(self._evaluators[part](self._carried.arrays()), self.replicas))

    def _idle(self, place: int, twin: int) -> None:
        """From here on the replicas of a training that has ended do what another's do: nothing of theirs can go wrong."""
        self.trainers[place] = self.trainers[twin]
        for values in self.numbers.values():
            values[place] = values[twin]
        state = self._carried.copy().arrays()
        state = {name: array.copy() for name, array in state.items()}
        for array in state.values():
            array[self._rows(place)] = array[self._rows(twin)]
        self._carried = self._program.load(state)

    def _run(self, first: int, last: int) -> Mapping[str, Array]:
        sample, orders = self.trainers[0], dict[Hashable, Array]()
        for trainer in self.trainers:
            if (own := (trainer.settings.seed, trainer.order)) not in orders:
                orders[own] = trainer.rows_of(first, last)
        order = np.concatenate([orders[trainer.settings.seed, trainer.order] for trainer in self.trainers])
        each = [trainer.scalars(first, last) for trainer in self.trainers]
        scalars = {name: self._of_each(np.stack([own[name] for own in each])) for name in each[0]}
        scalars |= {name: self._of_each(values[:, None].repeat(last - first, 1)) for name, values in self.numbers.items()}
        return sample.supply.run(self._program, self._carried, order, sample.sizes_of(first, last), scalars).records

    def _of_each(self, values: Array) -> Array:
        """Numbers of each training for each step, for each replica; or, where all have the same, once."""
        return (
            values[0] if np.array_equal(values, np.broadcast_to(values[0], values.shape)) else values.repeat(self.replicas, 0)
        )
