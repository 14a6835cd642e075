"""The desk of the lab: all that a page may do and ask, each by name, as the screens offer it; it knows no web."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from chainrule.checks import checked, unknown
from chainrule.errors import OptionError
from chainrule.lab.room import Action, Choice, Room
from chainrule.lab.screens import SCREENS
from chainrule.lab.session import Session

MOST_LETTERS = 200


class Desk:
    """One session for one page or several: `actions` are all that can be done, `readings` and `frame` all that can be seen."""

    def __init__(self, session: Session) -> None:
        self.room = Room(session)
        self.screens = [screen(self.room) for screen in SCREENS]
        self.room.shown = {name: value for screen in self.screens for name, value in screen.shows.items()}
        self.actions: dict[str, Action] = {
            "show": Action(self.show, "What all pages show: the screen, and what is chosen on it.")
        }
        self.readings: dict[str, Callable[..., Any]] = {"state": self.state}
        for screen in self.screens:
            self.actions |= screen.actions()
            self.readings |= screen.readings()

    @property
    def session(self) -> Session:
        """The session that is played."""
        return self.room.session

    def close(self) -> None:
        """Ends the player."""
        self.room.player.close()

    def act(self, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Does something by its name, and gives the step there is then. Raises: OptionError, and what the action raises."""
        _require(name, self.actions)
        with self.room.lock, self.session.lock:
            self.actions[name].function(**given)
            self.room.acts += 1
            return {"step": self.session.step, "acts": self.room.acts}

    def read(self, name: str, given: Mapping[str, Any]) -> Any:
        """What a reading gives, in JSON's values. Raises: OptionError, and what the reading raises."""
        _require(name, self.readings)
        while True:
            acts = self.room.acts
            try:
                return self.readings[name](**given)
            except Exception:
                # Readings may take long and hold no lock: one that an act has overtaken speaks of two moments, and is asked again.
                with self.room.lock:
                    if acts == self.room.acts:
                        raise

    @checked
    def show(self, name: str, value: Choice) -> None:
        """Remembers what pages show; every page follows."""
        _require(name, self.room.shown)
        if isinstance(value, str) and len(value) > MOST_LETTERS:
            raise OptionError(f"{len(value)} letters", expected=f"at most {MOST_LETTERS}", remedy="write fewer")
        self.room.shown[name] = value

    def frame(self, *, beside: bool = False) -> bytes:
        """What a page draws now, of the session or of the one beside it."""
        with self.room.lock:
            return (self.room.second_camera if beside else self.room.camera).frame()

    def version(self) -> str:
        """What differs whenever there is something else to be drawn."""
        return self.room.version()

    def state(self) -> dict[str, Any]:
        """All that pages show beside numbers that change with each step."""
        with self.room.lock, self.session.lock:
            told: dict[str, Any] = {}
            for screen in self.screens:
                told |= screen.state()
            words = {name: action.words for name, action in self.actions.items()}
            return {**told, "shown": self.room.shown, "words": words, "acts": self.room.acts, "hash": self.session.hash}


def _require(name: str, known: Mapping[str, object]) -> None:
    if name not in known:
        raise unknown(f"{name!r}", name, known)
