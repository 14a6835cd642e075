"""Time: play, steps, the past, what was changed, a branch beside the session, and links."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from chainrule.checks import checked, unknown
from chainrule.errors import OptionError
from chainrule.lab.room import Action, Screen
from chainrule.lab.said import LANGUAGES, catalogue, said
from chainrule.lab.session import Session
from chainrule.train import Run
from chainrule.views import pictures


class Timeline(Screen):
    """What moves all panels through the steps."""

    shows: ClassVar = {"screen": "bench", "language": ""}

    def actions(self) -> Mapping[str, Action]:
        """Time, and branches."""
        room = self.room
        return {
            "play": Action(self.play, "Train: so many steps to a picture, thirty pictures a second."),
            "pause": Action(room.player.pause, "Stop between two steps."),
            "forward": Action(self.forward, "Do so many steps."),
            "at": Action(self.at, "Go to a step, back or forward: the same bits as when it was there."),
            "undo": Action(self.undo, "Take the last change back, and go to where it was made."),
            "open": Action(self.open, "The state that a link holds."),
            "branch": Action(self.branch, "A second training that stands where this one does: change one, and see both go on."),
            "exchange": Action(self.exchange, "The other one is played and changed from now on."),
            "unbranch": Action(self.unbranch, "Let the second training go; the first one stays."),
        }

    def readings(self) -> Mapping[str, Callable[..., Any]]:
        """Scores of each part, here and beside; both compared; the link; all texts in another language."""
        return {
            "scores": self.scores,
            "compared": self.compared,
            "link": lambda: {"link": self.room.session.link()},
            "catalogue": self.catalogue,
        }

    def state(self) -> Mapping[str, Any]:
        """Whether it plays, and what was changed, here and beside."""
        room = self.room
        return {
            "playing": room.player.is_playing, "speed": room.player.speed, "error": room.player.error,
            "events": told_events(room.session), "beside": None if room.beside is None else told_events(room.beside),
            "languages": LANGUAGES,
        }  # fmt: skip

    @checked
    def play(self, speed: int | None = 1) -> None:
        """Plays at so many steps to a picture; None is full speed."""
        if speed is not None and not 1 <= speed <= 10**6:
            raise OptionError(
                f"speed={speed}", expected="1 to 1000000, or null for full speed", remedy="choose one of the speeds"
            )
        self.room.player.play(speed)

    @checked
    def forward(self, steps: int = 1) -> None:
        """Does so many steps."""
        if not 0 <= steps <= 10**6:
            raise OptionError(f"steps={steps}", expected="0 to 1000000", remedy="do them in several goes")
        self.room.session.forward(steps)
        self._follow()

    @checked
    def at(self, step: int) -> None:
        """Goes to a step."""
        if not 0 <= step <= max(self.room.session.step + 10**6, 10**6):
            raise OptionError(f"step={step}", expected="a step of this session", remedy="go there in several goes")
        self.room.session.at(step)
        self._follow()

    def undo(self) -> None:
        """Takes the last change back."""
        self.room.session.undo()
        self._follow()

    def _follow(self) -> None:
        """The one beside goes to the same step."""
        if self.room.beside is not None:
            self.room.beside.at(self.room.session.step)

    @checked
    def open(self, link: str) -> None:
        """The session of a link."""
        self.room.begin(Session.opened(link))

    def branch(self) -> None:
        """A second session from here on."""
        self.room.take(self.room.session, self.room.session.branched())

    def exchange(self) -> None:
        """The session and the one beside it change places."""
        self.room.take(self._beside(), self.room.session)

    def unbranch(self) -> None:
        """Lets the one beside go."""
        self._beside()
        self.room.take(self.room.session, None)

    def scores(self) -> dict[str, Any]:
        """Loss and accuracy of each part at this step, here and beside."""
        return {"here": _scores(self.room.session), "beside": None if self.room.beside is None else _scores(self.room.beside)}

    def compared(self) -> dict[str, Any] | None:
        """Both networks on the same examples, in words and as a picture; None where there is one. Raises: where their tasks differ."""
        if self.room.beside is None:
            return None
        with self.room.lock, self.room.session.lock:
            found = self.room.run.compare(Run(self.room.beside.trainer))
        return {"told": str(found), "view": json.loads(pictures.compared(found).json())}

    @checked
    def catalogue(self, language: str = "en") -> dict[str, str]:
        """Every text of the page in a language, by its English."""
        if language not in LANGUAGES:
            raise unknown(f"language {language!r}", language, LANGUAGES)
        return catalogue(language)

    def _beside(self) -> Session:
        if self.room.beside is None:
            raise OptionError("no second training", expected="a branch", remedy="choose Branch here first")
        return self.room.beside


def _scores(session: Session) -> dict[str, dict[str, float]]:
    with session.lock:
        parts = [name for name, _ in session.training.dataset.parts()]
        return {part: {name: float(np.mean(v)) for name, v in session.evaluate(part).values.items()} for part in parts}


CHANGED = {"network": "network", "data": "data", "loss": "loss", "optimizer": "optimizer", "batch_size": "batch size"}
"""What a change is called, where it is not called as the training's field is."""


def told_events(session: Session) -> list[dict[str, Any]]:
    """What was changed in a session, as sentences for pages."""
    return [said("step {step}: {what}", step=event.step, what=_told(event.kind, event.what)) for event in session.events]


def _told(kind: str, what: Mapping[str, Any]) -> object:
    """An event as a sentence, or several."""
    if kind == "set":
        return f"{what['name']}{what['index']} = {what['value']:.4g}"
    if kind == "many":
        return said("{count} weights by hand", count=len(what["values"]))
    if kind == "point":
        return said("a point at {place}: {label}", place=[f"{value:.3g}" for value in what["x"]], label=f"{what['y']:g}")
    words = {"loss": "formula", "data": "name"}
    told = {name: getattr(value, words.get(name, ""), value) for name, value in what.items() if value is not None}
    shown = {name: said("own examples") if isinstance(value, tuple) else str(value) for name, value in told.items()}
    return [said("{name} {value}", name=CHANGED.get(name, name), value=value) for name, value in shown.items()] or said(
        "no penalty"
    )
