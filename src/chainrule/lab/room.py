"""The room of the lab: what its screens share, namely the session, a branch beside it, the player, and what pages show."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeAlias

from chainrule.immutable import immutable
from chainrule.lab.frames import Camera
from chainrule.lab.player import Player
from chainrule.lab.session import Session
from chainrule.train import Model, Run, Trainer

Choice: TypeAlias = str | int | float | None
"""What a page may remember of a screen: which example, which notation."""


@immutable
class Action:
    """Something that a page may do: its function, and a sentence that stands beside its control."""

    function: Callable[..., Any]
    words: str


class Room:
    """One session, and the branch that was made of it if there is one. `shown` is what all pages show of each screen, by name."""

    def __init__(self, session: Session) -> None:
        self.lock = threading.RLock()
        self.session = session
        self.beside: Session | None = None
        self.player = Player(session, self.lock)
        self.camera, self.second_camera = Camera(session), Camera(session)
        self.shown: dict[str, Choice] = {}
        self.acts = 0
        self._run: Run | None = None

    def begin(self, session: Session) -> None:
        """Another session takes the place of all that there is."""
        self.player.pause()
        self.take(session, None)

    def take(self, session: Session, beside: Session | None) -> None:
        """Plays and changes this session from now on; the one beside goes on with it."""
        self.session = self.player.session = self.camera.session = session
        self.beside = self.player.beside = beside
        self.second_camera.session = beside or session

    @property
    def trainer(self) -> Trainer:
        """The trainer of this step: to be read under the lock."""
        return self.session.trainer

    @property
    def run(self) -> Run:
        """The session as a run at this step, for what the library shows of runs: to be read under the lock."""
        if self._run is None or self._run.trainer is not self.trainer:
            self._run = Run(self.trainer)
        return self._run

    def model(self) -> Model:
        """The network with its numbers of this step."""
        with self.session.lock:
            return self.run.model()

    def version(self) -> str:
        """What differs whenever there is something else to be seen."""
        step, applied, kind = self.session.version
        return f"{id(self.session)}.{step}.{applied}.{kind}.{self.player.is_playing:d}.{self.acts}"


class Screen:
    """A part of the lab: what can be done and seen there, each by name, and what pages show of it at first."""

    shows: ClassVar[Mapping[str, Choice]] = {}

    def __init__(self, room: Room) -> None:
        self.room = room

    def actions(self) -> Mapping[str, Action]:
        """What may be done."""
        return {}

    def readings(self) -> Mapping[str, Callable[..., Any]]:
        """What may be asked; nothing changes by it."""
        return {}

    def state(self) -> Mapping[str, Any]:
        """What every page is told whenever something has changed."""
        return {}
