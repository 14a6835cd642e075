"""The doctor of the lab: what is the matter with this training, and cures tried beside it, with error bars."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np

from chainrule.checks import Natural, checked
from chainrule.doctor import Cure, Diagnosis, Finding
from chainrule.doctor.diagnosis import USUAL_SEEDS
from chainrule.doctor.trying import replicated, trial
from chainrule.errors import OptionError
from chainrule.lab.contrast import contrast
from chainrule.lab.room import Action, Room, Screen
from chainrule.lab.said import said
from chainrule.lab.session import Session
from chainrule.train import Run, Training
from chainrule.train.replicated import measured, plus_minus

MOST_EPOCHS = 2000
VERDICTS = {
    "better": "It helps.",
    "worse": "It does harm.",
    "cannot be told apart": "With {count} seeds the two cannot be told apart.",
}


class Doctor(Screen):
    """Looks at the training as it is now set, made anew from its start for as many epochs as were played.

    What takes long is computed when a page asks for it, and not while the room is held: it goes on playing.
    """

    def __init__(self, room: Room) -> None:
        super().__init__(room)
        self.training: Training | None = None
        self.chosen: tuple[str, int] | None = None
        self._looking = threading.Lock()
        self._found: tuple[Training, Diagnosis] | None = None
        self._sick: tuple[Training, list[Run | None]] | None = None
        self._tried: dict[tuple[int, str, int], dict[str, Any]] = {}

    def actions(self) -> Mapping[str, Action]:
        """Looking, and trying."""
        return {
            "examine": Action(self.examine, "Let the doctor look at this training, made anew from its start as far as it was played."),
            "cure": Action(self.cure, "Try this cure: it is trained beside the sick one, and both with eight seeds."),
        }  # fmt: skip

    def readings(self) -> Mapping[str, Callable[..., Any]]:
        """What the doctor says, and what came of the cure."""
        return {"diagnosis": self.diagnosis, "tried": self.tried}

    def examine(self) -> None:
        """Takes the training as it is now."""
        session, trainer = self.room.session, self.room.trainer
        epochs = min(MOST_EPOCHS, max(1, -(-session.step // trainer.steps_per_epoch)))
        self.training, self.chosen = session.training.changed(epochs=epochs, replicas=1), None

    def diagnosis(self) -> dict[str, Any] | None:
        """Every finding, the gravest first; None where nobody was asked."""
        with self.room.lock:
            training = self.training
        if training is None:
            return None
        with self._looking:
            found = self._look(training)
        findings = [_told(one) for one in found.findings]
        return {"of": id(training), "epochs": training.epochs, "healthy": found.healthy, "findings": findings}

    def _look(self, training: Training) -> Diagnosis:
        if self._found is None or self._found[0] is not training:
            self._found = training, cast("Diagnosis", training.doctor())
        return self._found[1]

    @checked
    def cure(self, ailment: str, place: Natural = 0) -> None:
        """Takes a cure: the cured training stands beside the session from now on, at the same step."""
        cured = self._cure(ailment, place).training
        if cured is None:
            raise OptionError("a cure that is no training", expected="one that can be tried", remedy="do it by hand")
        beside = Session(cured)
        beside.forward(self.room.session.step)
        self.chosen = ailment, place
        self.room.take(self.room.session, beside)

    def _cure(self, ailment: str, place: int) -> Cure:
        if self._found is None or self._found[0] is not self.training:
            raise OptionError("a cure", expected="a diagnosis before it", remedy="choose Examine")
        cures = self._found[1][ailment].cures
        if place >= len(cures):
            raise OptionError(f"cure {place} of {ailment}", expected=f"0 ... {len(cures) - 1}", remedy="choose one of those")
        return cures[place]

    def tried(self) -> dict[str, Any] | None:
        """What came of the cure: scores with and without it, of the same seeds, and what may be concluded; None where none was tried."""
        with self.room.lock:
            training, chosen = self.training, self.chosen
            if training is None or chosen is None:
                return None
            cure = self._cure(*chosen)
        key = (id(training), *chosen)
        with self._looking:
            if key not in self._tried:
                self._tried[key] = self._compared(training, cure)
        return {"ailment": chosen[0], "place": chosen[1], **self._tried[key]}

    def _compared(self, training: Training, cure: Cure) -> dict[str, Any]:
        if self._sick is None or self._sick[0] is not training:
            self._sick = training, replicated(training, USUAL_SEEDS)
        found = trial(self._sick[1], replicated(cast("Training", cure.training), USUAL_SEEDS), cure.score, USUAL_SEEDS)
        before, after = np.array(found.before), np.array(found.after)
        verdict = said(VERDICTS[found.verdict], count=len(before))
        if found.comparison is None:
            wrong = [int(np.isnan(values).sum()) for values in (before, after)]
            told = said(
                "Of {count} seeds {before} went wrong without it, {after} with it.",
                count=len(before),
                before=wrong[0],
                after=wrong[1],
            )
            return {"told": told, "verdict": verdict, "view": None}
        difference = plus_minus(found.comparison.difference, found.comparison.error)
        told = said(
            "{part}, {score}: {before} without it, {after} with it. The difference, seed by seed, is {difference}.",
            part=found.part, score=found.score, before=str(measured(before)), after=str(measured(after)), difference=difference,
        )  # fmt: skip
        view = contrast(f"{found.part} {found.score}", {"without": before, "with it": after})
        return {"told": told, "verdict": verdict, "view": json.loads(view.json())}


def _told(finding: Finding) -> dict[str, Any]:
    """A finding for pages."""
    cures = [{"words": cure.words, "can": cure.training is not None} for cure in finding.cures]
    kept = ("grade", "ailment", "says", "evidence", "source")
    return {**{name: getattr(finding, name) for name in kept}, "cures": cures}
