"""Steps in pieces that take about PIECE_SECONDS each, and what a training asks for between them, whoever computes it."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping
from functools import cached_property
from typing import Any, TypeAlias

from chainrule.display import Shown
from chainrule.engines import Carried, Engine, all_finite
from chainrule.graph import Array
from chainrule.immutable import immutable

PIECE_SECONDS = 0.05
"""How long a piece of steps should take: progress, callbacks and Ctrl-C wait no longer."""


@immutable
class Piece(Shown):
    """The steps first ... last − 1, done: what they recorded, how long they took, and the state before them."""

    first: int
    last: int
    records: Mapping[str, Array]
    seconds: float
    before: Carried
    is_finite: bool


@immutable
class Steps(Shown):
    """A training asks for a piece of steps, which ends at `until` or before."""

    until: int


@immutable
class ScoresOf(Shown):
    """A training asks for the scores of a part of its data at the present weights."""

    part: str


Course: TypeAlias = "Generator[Steps | ScoresOf, Any, None]"
"""A training from here to its end: what it asks for, one after the other; it is sent a `Piece`, or `Scores`, or thrown an error."""


def answered(course: Course, answer: Callable[[Steps | ScoresOf], Any]) -> None:
    """Goes through a course; an error of an answer is the course's."""
    try:
        wish = next(course)
        while True:
            try:
                found = answer(wish)
            except BaseException as trouble:
                wish = course.throw(trouble)
            else:
                wish = course.send(found)
    except StopIteration:
        return


class InPieces(Shown, ABC):
    """What moves a state forward by a program, in pieces whose length it finds."""

    engine: Engine
    step: int
    _carried: Carried
    _piece: int = 8

    @abstractmethod
    def _longest(self) -> int | None:
        """How many steps the program does in one call, None for any number."""

    @abstractmethod
    def _loaded(self) -> Carried:
        """The state where the program wants it."""

    @abstractmethod
    def _run(self, first: int, last: int) -> Mapping[str, Array]:
        """Does the steps first ... last − 1; their records."""

    def _run_piece(self, until: int) -> Piece:
        """As many steps as take about PIECE_SECONDS, over ends of epochs where nobody wants to look."""
        most = min(self._piece, self._longest() or self._piece)
        first, last = self.step, min(self.step + most, until)
        before = self._loaded().copy()
        try:
            started = time.perf_counter()
            records = self._run(first, last)
            elapsed = time.perf_counter() - started
            is_finite = self._carried.is_finite() and all_finite(records)
        except BaseException:  # a label out of range, a second Ctrl-C: what is half done is taken back
            self._carried = before
            raise
        if is_finite:
            self._piece = self.engine.hosts.largest(self._next_piece(last - first, elapsed))
        return Piece(first, last, records, elapsed, before, is_finite)

    def _next_piece(self, steps: int, seconds: float) -> int:
        """How many steps to do in one call, after so many have taken so long."""
        call = self._call_seconds
        # What a call takes however few its steps, as with many replicas, stays the smaller part of a piece.
        wanted = max(PIECE_SECONDS - call, 3 * call)
        return max(1, int(wanted * steps / max(seconds - call, 0.1 * seconds, 1e-6)))

    @cached_property
    def _call_seconds(self) -> float:
        """How long a call of the program takes that does no step."""
        started = time.perf_counter()
        self._run(self.step, self.step)
        return time.perf_counter() - started
