"""The learning rate: the last state is trained on with a tenth of it, with it, and with ten times as much, and the losses are compared."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

import numpy as np

from chainrule.doctor.ailment import ailment
from chainrule.doctor.chances import LEVEL, above, one_sided
from chainrule.doctor.changes import at_rate
from chainrule.doctor.finding import Finding, UntoldError, fine, ill
from chainrule.doctor.patient import HALF, Patient
from chainrule.errors import NonFiniteError
from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.numerals import numeral
from chainrule.train import History, Snapshot, Trainer
from chainrule.train.branch import Changes, branched

_LEAST, _MOST = 50, 300
"""Steps that are gone on with at each rate: an epoch, but at least and at most so many."""
SHARE = 0.1
"""A difference of losses counts from this share of what a constant answer costs."""
AWAY = 10.0
"""A loss that grows so many times over, and over that of a constant answer, runs away."""
SCANNED = (0.001, 0.01, 0.1, 10.0, 100.0, 1000.0, 10000.0)
"""What the rate is multiplied by where loss is left."""
_WORK = 1e9
"""Parameters times examples that a scan may go through at each rate, so that it takes no longer than some seconds."""


@immutable
class GoneOn:
    """The costs (n,) of the training examples that are looked at after some more steps at a rate; infinite where numbers went wrong."""

    rate: float
    costs: Array

    @property
    def mean(self) -> float:
        """Their mean."""
        return float(self.costs.mean())


@ailment(
    "learning rate",
    source="Y. LeCun, L. Bottou, G. Orr, K.-R. Müller, Efficient BackProp (1998), section 4.7; L. N. Smith, WACV, 464 (2017)",
    stops_learning=True, needs="targets",
)  # fmt: skip
def learning_rate(patient: Patient) -> Finding:
    """Whether another rate goes much further from the last state on; or, where the fit is bad, from the first."""
    if patient.last_step == patient.first_step:
        raise UntoldError("no step was done yet")
    if not np.isfinite(patient.rate):
        return fine("the optimizer finds the size of its steps by itself")
    if patient.run.stopped == "not finite":
        return ill(
            f"the learning rate {patient.rate:g} is too large, or the weights at the start are: the numbers grew until one was not finite",
            cures=at_rate(patient, patient.rate / 10), rate=patient.rate,
        )  # fmt: skip
    left = 1 - patient.fitted
    return (_scan(patient) if left > SHARE else None) or _compared(patient)


def _compared(patient: Patient) -> Finding:
    rate, constant, now = patient.rate, max(patient.constant, 1e-300), float(patient.costs.mean())
    lower, same, *higher = _gone_on(patient, patient.last_step, (0.1, 1.0, 10.0, 100.0), _more(patient))
    words = f"going on for {_more(patient)} steps from a training loss of {numeral(now, 3)}: {_course((lower, same, *higher))}"
    numbers = {"rate": rate, "now": now, "losses": {one.rate: one.mean for one in (lower, same, *higher)}}
    if not np.isfinite(same.mean) or same.mean > AWAY * max(now, constant):
        return ill(
            f"the learning rate {rate:g} is too large, or the weights at the start are: going on with it the loss grows without end",
            words, cures=at_rate(patient, rate / 10), **numbers,
        )  # fmt: skip
    # What the run has is compared, too: a spike on the way on is no loss that is left.
    left = min(now, same.mean) - lower.mean
    if _is_less(lower, same) and left > max(SHARE * constant, now / 2):
        return ill(
            f"the learning rate {rate:g} is too large: most of the loss that is left comes of the size of the steps",
            words, cures=at_rate(patient, rate / 10), **numbers,
        )  # fmt: skip
    best = min(higher, key=lambda one: one.mean)
    falls = now - same.mean, now - best.mean
    if _is_less(best, same) and same.mean - best.mean > SHARE * constant and falls[1] > 3 * max(falls[0], 0):
        return ill(
            f"the learning rate {rate:g} is too small: at {best.rate:g} the loss falls {_times(falls)} in as many steps",
            words, cures=at_rate(patient, best.rate), **numbers,
        )  # fmt: skip
    return fine(f"the learning rate {rate:g} is in order: {words}", **numbers)


def _course(tried: Sequence[GoneOn]) -> str:
    return ", ".join(f"{numeral(one.mean, 3) if np.isfinite(one.mean) else 'not finite'} at {one.rate:g}" for one in tried)


def _times(falls: tuple[float, float]) -> str:
    return f"{numeral(falls[1] / falls[0], 2)} times as far" if falls[0] > 0 else "and at this one it does not"


def _scan(patient: Patient) -> Finding | None:
    """Where loss is left: whether there is less of it with another rate, from the same start."""
    affordable = _WORK / (patient.run.settings.batch_size * sum(array.size for array in patient.end.parameters.values()))
    steps = min(max(_MOST, int(affordable)), patient.last_step - patient.first_step)
    tried = _gone_on(patient, patient.first_step, SCANNED, steps)
    # A fit that is good but for the rate is much better at quite another one: tens are what anyone would try.
    bad, now = patient.fitted < HALF, float(patient.costs.mean())
    best = min((one for one in tried if bad or not 0.05 < one.rate / patient.rate < 20), key=lambda one: one.mean)
    if not np.isfinite(best.mean) or (not bad and best.mean > now / 2):
        return None
    gained, constant = now - best.mean, patient.constant
    if one_sided(above(patient.costs, best.costs)) * len(SCANNED) > LEVEL or gained < SHARE * constant:
        return None
    # Either it learns something there, or it gets back most of what it lost here.
    if best.mean > (1 - SHARE) * constant and gained < HALF * constant:
        return None
    # What as many steps more bring as well is a matter of patience.
    if not bad and _gone_on(patient, patient.last_step, (1.0,), steps)[0].mean < (now + best.mean) / 2:
        return None
    word = "large" if best.rate < patient.rate else "small"
    return ill(
        f"the learning rate {patient.rate:g} is too {word}: at {best.rate:g} the loss falls to {numeral(best.mean, 3)}, "
        f"here it is {numeral(now, 3)}",
        f"{steps} steps from the same start: {_course(tried)}",
        cures=at_rate(patient, best.rate), rate=patient.rate, rates={one.rate: one.mean for one in tried},
    )  # fmt: skip


def _more(patient: Patient) -> int:
    return int(np.clip(patient.run.trainer.steps_per_epoch, _LEAST, _MOST))


def _gone_on(patient: Patient, step: int, factors: Sequence[float], steps: int) -> list[GoneOn]:
    """Goes on for so many steps from a state of the run, at the rate times each factor; the run stays as it is."""
    there = patient.run.at(step).trainer
    epochs = max(-(-(step + steps) // there.steps_per_epoch), there.settings.epochs)
    trainer = branched(there, None, Changes(learning_rate=patient.rate, epochs=epochs))
    first = trainer.snapshot()
    # Compiled once: the rate is an input of the step.
    return [_at(patient, trainer, first, patient.rate * factor, steps) for factor in factors]


def _at(patient: Patient, trainer: Trainer, first: Snapshot, rate: float, steps: int) -> GoneOn:
    trainer.load(first, History(trainer.settings.replicas))
    trainer.settings = Changes(learning_rate=rate).settings(trainer.settings)
    some, replica = patient.train, patient.replica
    try:
        trainer.train_until(first.step + steps)
    except NonFiniteError:
        return GoneOn(rate, np.full(len(some), inf))
    learned, kept = (
        {name: trainer.state[name][replica] for name in names} for names in (patient.problem.parameters, patient.problem.states)
    )
    return GoneOn(rate, patient.end.with_parameters(learned, kept).costs(some.x, some.y))


def _is_less(one: GoneOn, other: GoneOn) -> bool:
    """Whether the costs of the first are lower than chance explains, example by example."""
    if not np.isfinite(one.mean):
        return False
    return not np.isfinite(other.mean) or one_sided(above(other.costs, one.costs)) <= LEVEL
