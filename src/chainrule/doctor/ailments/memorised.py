"""Overfitting: what was learned of the training examples and does not hold for others."""

from __future__ import annotations

import numpy as np

from chainrule.doctor.ailment import ailment
from chainrule.doctor.chances import LEVEL, above, around, one_sided
from chainrule.doctor.changes import changed
from chainrule.doctor.finding import Cure, Finding, fine, ill
from chainrule.doctor.patient import Patient
from chainrule.nn import L2
from chainrule.numerals import numeral

LOST = 0.5
"""The share of what the training took from the loss that is not there on other examples, from which a network counts as overfitted."""
RISEN = 0.1
"""The share of the fall of the held-out loss that is lost again, from which on it counts."""


@ailment(
    "overfitting",
    source="S. Geman, E. Bienenstock, R. Doursat, Neural Computation 4, 1 (1992); L. Prechelt, Early Stopping – But When? (1998)",
    needs="targets",
)
def overfitting(patient: Patient) -> Finding:
    """Whether most of what was learned is lost on held-out examples, or their loss has risen again since its best epoch."""
    held, train, constant = patient.held, patient.train, patient.constant
    if patient.fitted <= 0:
        return fine("nothing was learned, so nothing too closely")
    gap = above(patient.held_costs, patient.costs, paired=False)
    fall = constant - float(patient.costs.mean())
    lost = gap.difference / fall
    losses = [numeral(float(value), 3) for value in (patient.costs.mean(), patient.held_costs.mean(), constant)]
    words = f"loss {losses[0]} on {train}, {losses[1]} on {held}, {losses[2]} for a constant answer"
    rise, best = _risen(patient)
    numbers = {
        "training": float(patient.costs.mean()),
        "held_out": float(patient.held_costs.mean()),
        "constant": constant,
        "lost": lost,
        "best_epoch": best,
    }
    lines = [words, f"the difference is {around(gap.difference, gap.error)}: {100 * lost:.0f} % of what the training took away"]
    lines += [rise] if rise else []
    if lost > LOST and one_sided(gap) <= LEVEL:
        return ill(
            f"{100 * min(lost, 1):.0f} % of what was learned holds for the training examples only",
            *lines,
            cures=_cures(patient, best),
            **numbers,
        )
    if rise:
        return ill(f"the {held.part} loss has risen again since epoch {best}", *lines, cures=_cures(patient, best), **numbers)
    return fine(f"what was learned holds for other examples: {words}", **numbers)


def _risen(patient: Patient) -> tuple[str, int]:
    """How far the loss of held-out examples has risen since its best epoch, in words: "" where chance explains it; and that epoch."""
    held, history = patient.held, patient.run.history
    found = [epoch for epoch in history.epochs if held.part in epoch.parts and epoch.step <= patient.last_step]
    if len(found) < 3:
        return "", 0
    losses = [float(epoch.parts[held.part]["loss"][patient.replica]) for epoch in found]
    best = found[int(np.argmin(losses))]
    if best is found[-1] or best.step <= patient.first_step:
        return "", best.epoch
    then = patient.models([best.step])[0][1].costs(held.x, held.y)
    rise = above(patient.held_costs, then)
    fallen = max(patient.constant, losses[0]) - float(then.mean())
    if one_sided(rise) > LEVEL or rise.difference < RISEN * max(fallen, 0.0):
        return "", best.epoch
    return (
        f"since epoch {best.epoch} the {held.part} loss has risen by {around(rise.difference, rise.error)}, the same examples compared, "
        f"to {numeral(float(patient.held_costs.mean()), 3)}"
    ), best.epoch


def _cures(patient: Patient, best: int) -> tuple[Cure, ...]:
    cures: tuple[Cure, ...] = ()
    if 0 < best < patient.run.settings.epochs:
        cures += changed(
            patient, f"an end after {best} epochs, or EarlyStopping() with a validation part", {"epochs": best}, "loss"
        )
    objective = patient.problem.objective
    if not objective.penalties:
        cures += changed(patient, "a penalty on large weights", {"loss": objective + L2(0.001)}, "loss")
    return cures
