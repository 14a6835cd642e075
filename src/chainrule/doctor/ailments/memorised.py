"""Overfitting: what was learned of the training examples and does not hold for others."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from chainrule.doctor.ailment import ailment
from chainrule.doctor.chances import LEVEL, above, around, one_sided, ranked_above
from chainrule.doctor.changes import changed
from chainrule.doctor.crossed import crossed
from chainrule.doctor.finding import Cure, Finding, UntoldError, fine, ill, remark
from chainrule.doctor.patient import Patient, constant_cost
from chainrule.nn import L2
from chainrule.numerals import numeral

LOST = 0.5
"""The share of what the training took from the loss that is not there on other examples, from which a network counts as overfitted."""
ALSO = 0.3
"""The same, where it is certain by ranks or by examples that a network has not seen, and answers are lost too."""
ANSWERS = 0.2
"""The share of the right answers, beyond those that ignoring the input gives, that is lost then."""
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
    # What there is to be learned differs between the parts where they scatter differently, as few examples do.
    on_held = constant_cost(patient.problem, patient.start, held.x, held.y)
    lost = 1 - (1 - float(patient.held_costs.mean()) / on_held) / patient.fitted if on_held > 0 else 0.0
    losses = [numeral(float(value), 3) for value in (patient.costs.mean(), constant, patient.held_costs.mean(), on_held)]
    words = f"loss {losses[0]} on {train}, {losses[1]} for a constant answer; {losses[2]} on {held}, {losses[3]} for a constant answer"
    rise, best = _risen(patient)
    numbers: dict[str, Any] = {
        "training": float(patient.costs.mean()),
        "held_out": float(patient.held_costs.mean()),
        "constant": constant,
        "held_constant": on_held,
        "lost": lost,
        "best_epoch": best,
    }
    lines = [
        words,
        f"the difference is {around(gap.difference, gap.error)}; {100 * lost:.0f} % of the share that was learned is lost",
    ]
    lines += [rise] if rise else []
    certain = lost > LOST and one_sided(gap) <= LEVEL
    if not certain and lost > ALSO and _lost_answers(patient) > ANSWERS:
        # A single loss may outweigh all others: where answers are lost too, ranks tell, or examples that a network has not seen.
        chance, said = ranked_above(patient.held_costs, patient.costs), ""
        if 2 * chance > LEVEL:
            chance, said = _of_others(patient)
        lines += [said] if said else []
        certain = 2 * chance <= LEVEL
    if certain:
        return ill(
            f"{100 * min(lost, 1):.0f} % of what was learned holds for the training examples only",
            *lines,
            cures=_cures(patient, best),
            **numbers,
        )
    if rise:
        return ill(f"the {held.part} loss has risen again since epoch {best}", *lines, cures=_cures(patient, best), **numbers)
    if lost > LOST:
        return remark(
            f"{held} cost much more than the training examples, but by few of them, and the answers mostly hold",
            *lines,
            **numbers,
        )
    return fine(f"what was learned holds for other examples: {words}", **numbers)


def _lost_answers(patient: Patient) -> float:
    """The share of the right answers, beyond those of the commonest class, that is lost on held-out examples; of numbers infinite."""
    if patient.problem.dataset_info.classes is None or not patient.problem.classifies:
        return inf
    shares: list[float] = []
    for some in (patient.train, patient.held):
        usual = int(np.bincount(some.y).max()) / len(some)
        right = int(np.count_nonzero(patient.end.decide(some.x) == some.y)) / len(some)
        shares.append((right - usual) / max(1 - usual, 1e-12))
    return 1 - shares[1] / shares[0] if shares[0] > 0 else 0.0


def _of_others(patient: Patient) -> tuple[float, str]:
    """How often chance makes the training examples cost as much more than that share, where a network has not seen them; in words."""
    try:
        costs = crossed(patient, patient.run.settings.epochs)[1]
    except UntoldError:
        return 1.0, ""
    # Compared with what would be there if just the allowed share were lost.
    allowed = patient.costs + ALSO * (patient.constant - float(patient.costs.mean()))
    more = above(costs, patient.costs)
    return one_sided(above(costs, allowed)), (
        f"trained on three quarters of the training examples it costs {around(more.difference, more.error)} more on the others "
        f"than these cost now"
    )


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
