"""Lessons: a step of a lecture at a time: the session that it speaks of, a question, a guess, and then what the library computes."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any

from chainrule.checks import Natural, checked, unknown
from chainrule.errors import DataError, OptionError
from chainrule.lab.lessons import LESSONS, Answer, Lesson, Step
from chainrule.lab.room import Action, Room, Screen
from chainrule.lab.said import said
from chainrule.lab.session import Session

_KNOWN = {lesson.name: lesson for lesson in LESSONS}


class Lessons(Screen):
    """One lesson at a time, beside one's own session, which waits meanwhile. A guess is made once, and before the answer is there."""

    def __init__(self, room: Room) -> None:
        super().__init__(room)
        self.own: Session | None = None
        self.lesson: Lesson | None = None
        self.place = 0
        self.guesses: dict[tuple[str, int], float] = {}
        self._computing = threading.Lock()
        self._answers: dict[tuple[str, int], Answer] = {}

    def actions(self) -> Mapping[str, Action]:
        """Going through a lesson."""
        return {
            "lesson": Action(self.go, "Begin this lesson: your own training waits until you come back."),
            "commit": Action(self.commit, "Commit yourself: then the library computes the answer."),
            "again": Action(self.again, "Begin this lesson anew, for somebody else: all its guesses are forgotten."),
            "leave": Action(self.leave, "Back to your own training, as you left it."),
        }

    def readings(self) -> Mapping[str, Callable[..., Any]]:
        """The answer to the present step, once somebody has guessed."""
        return {"answer": self.told_answer}

    def state(self) -> Mapping[str, Any]:
        """All lessons, how far each was gone, and the present step."""
        told = [
            {**{name: getattr(lesson, name) for name in ("name", "title", "source")}, "steps": self._steps(lesson)}
            for lesson in LESSONS
        ]
        return {"lessons": told, "lesson": None if self.lesson is None else self._told(self.lesson)}

    def _steps(self, lesson: Lesson) -> list[dict[str, Any]]:
        return [
            {"title": step.title, "guessed": (lesson.name, place) in self.guesses} for place, step in enumerate(lesson.steps)
        ]

    def _told(self, lesson: Lesson) -> dict[str, Any]:
        step = lesson.steps[self.place]
        kept = ("title", "text", "question", "choices", "screen", "look")
        return {
            "name": lesson.name,
            "place": self.place,
            "count": len(lesson.steps),
            "guess": self._guess,
            **{name: getattr(step, name) for name in kept},
        }

    @property
    def _key(self) -> tuple[str, int]:
        return ("" if self.lesson is None else self.lesson.name), self.place

    @property
    def _guess(self) -> float | None:
        return self.guesses.get(self._key)

    @checked
    def go(self, name: str, place: Natural = 0) -> None:
        """Takes up a step of a lesson: its session is played from now on."""
        if name not in _KNOWN:
            raise unknown(f"lesson {name!r}", name, _KNOWN)
        steps = _KNOWN[name].steps
        if place >= len(steps):
            raise OptionError(f"step {place} of {name}", expected=f"0 ... {len(steps) - 1}", remedy="choose one that there is")
        session = steps[place].session()
        if self.lesson is None:
            self.own = self.room.session
        self.lesson, self.place = _KNOWN[name], place
        self.room.begin(session)

    def leave(self) -> None:
        """Goes back to the session that was there before."""
        if self.own is None:
            raise OptionError("no lesson", expected="one that was begun", remedy="choose a lesson")
        own, self.own, self.lesson = self.own, None, None
        self.room.begin(own)

    def again(self) -> None:
        """Forgets the guesses of the present lesson, and goes to its first step."""
        self._step()
        name = self._key[0]
        self.guesses = {key: guess for key, guess in self.guesses.items() if key[0] != name}
        self.go(name)

    @checked
    def commit(self, guess: float) -> None:
        """Takes a guess: a number, or the place of a choice. The first one counts."""
        step = self._step()
        if self._guess is not None:
            raise OptionError("a second guess", expected="one to a step", remedy="go on to the next step")
        if not abs(guess) < 1e12 or (step.choices and guess not in range(len(step.choices))):
            raise DataError(f"the guess {guess}", expected="a number, or one of the choices", remedy="guess again")
        self.guesses[self._key] = float(guess)

    def _step(self) -> Step:
        if self.lesson is None:
            raise OptionError("no lesson", expected="one that was begun", remedy="choose a lesson")
        return self.lesson.steps[self.place]

    def told_answer(self) -> dict[str, Any] | None:
        """What the library computes, in a session of its own that stands where the question was asked; None before a guess."""
        with self.room.lock:
            key, guess = self._key, self._guess
            if guess is None:
                return None
            step = self._step()
        with self._computing:  # two pages ask at once: it is computed once
            if key not in self._answers:
                self._answers[key] = step.answer(step.session())
        answer = self._answers[key]
        return {
            "of": list(key), "is_right": step.is_right(guess, answer), "told": said(step.told, **answer.numbers), "verdict": answer.verdict,
            "right": step.choices[int(answer.value)] if step.choices else answer.value,
            "view": None if answer.view is None else json.loads(answer.view.json()),
        }  # fmt: skip
