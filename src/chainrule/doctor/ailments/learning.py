"""Whether it learned at all: numbers that went wrong, and a loss that is no better than an answer that ignores the input."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.doctor.ailment import ailment
from chainrule.doctor.chances import LEVEL, around, association, one_sided
from chainrule.doctor.changes import at_rate, changed
from chainrule.doctor.finding import Finding, UntoldError, fine, ill, remark
from chainrule.doctor.patient import Patient
from chainrule.errors import NonFiniteError
from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.train import ClipNorm


@ailment(
    "numbers that are not finite",
    source="I. Goodfellow, Y. Bengio, A. Courville, Deep Learning (2016), section 4.1",
    needs="nothing",
)
def not_finite(patient: Patient) -> Finding:
    """Whether the training was ended by a NaN or an infinity; the step that made it is done again."""
    run = patient.run
    if run.stopped != "not finite":
        losses = [(one.epoch, one.parts.get("training", {}).get("loss")) for one in run.history.epochs]
        lost = [epoch for epoch, loss in losses if loss is not None and not np.isfinite(loss[patient.replica])]
        if not lost:
            return fine("every number of the training was finite")
        return ill(
            f"the training loss after epoch {lost[0]} is not finite: beyond what {run.settings.dtype} holds",
            f"learning rate {patient.rate:g}",
            cures=at_rate(patient, patient.rate / 10, "a tenth of the learning rate"), epoch=lost[0],
        )  # fmt: skip
    patient.require_data()
    step, rate = patient.last_step, patient.rate
    said = ""
    try:
        run.trainer.apart().train_until(step + 1)
    except NonFiniteError as trouble:
        said = trouble.happened.partition("; the state before it")[0]
    before = run.history.steps()[patient.replica][-10:]
    course = ", ".join(numeral(float(loss), 2) for loss in before)
    cures = at_rate(patient, patient.rate / 10, "a tenth of the learning rate")
    cures += changed(patient, "a gradient that is cut to length 1", {"clip": ClipNorm(1.0)})
    return ill(
        f"the training ended at step {step} of {run.trainer.steps}: a number was not finite",
        *([said] if said else []),
        f"the losses of the last steps before: {course or 'none, it was the first'}; learning rate {rate:g}",
        cures=cures, step=step, losses=before,
    )  # fmt: skip


@ailment(
    "not learning",
    source="R. A. Fisher, The Design of Experiments (1935)",
    needs="targets",
)
def not_learning(patient: Patient) -> Finding:
    """Whether the training loss is below that of the best answer that ignores the input, by Student's test over the examples."""
    constant, costs = patient.constant, patient.costs
    if not patient.last_step:
        raise UntoldError("no step was done yet")
    if constant <= 0:
        raise UntoldError("all targets are the same: a constant answer is right")
    less = patient.less_than_constant
    words = f"{around(float(costs.mean()), less.error)} on {patient.train}, {numeral(constant)} for a constant answer"
    numbers: dict[str, Any] = {"loss": float(costs.mean()), "constant": constant, "probability": one_sided(less)}
    if patient.learned:
        return fine(f"it learned: the training loss is {words}", **numbers)
    apart = association(patient.outputs, patient.train.y)
    return ill(
        f"the training loss is no better than an answer that ignores the input: {words}",
        _said_by(patient.outputs.reshape(len(costs), -1), apart),
        **numbers,
        association=apart,
    )  # fmt: skip


def _said_by(outputs: Array, apart: float) -> str:
    """Whether outputs (n, k) say anything at all."""
    spread = float(np.ptp(outputs, axis=0).max())
    if spread <= _ROUNDING * float(np.abs(outputs).max()):
        return "the outputs are the same for every input, so they say nothing of the targets"
    said = f"the outputs differ by {numeral(spread, 2)} at most over the inputs"
    return f"{said}; targets that are shuffled fit them as well with probability {apart:.3f}"


_ROUNDING = 1e-9


@ailment("stopped too early", source="L. Prechelt, Early Stopping – But When? (1998)", needs="nothing")
def unfinished(patient: Patient) -> Finding:
    """Whether the training loss was still falling when the epochs were over: see `Run.unfinished`."""
    if not patient.run.unfinished:
        return fine("the training loss was not still falling when the epochs were over")
    said, _, _ = str(patient.run.unfinished).partition(";")
    epochs = 2 * patient.run.settings.epochs
    return remark(
        said.removeprefix("not converged: "), cures=changed(patient, "twice as many epochs", {"epochs": epochs}, "loss")
    )


def because(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """The findings, where nothing was learned with what may be why; a network that ails accuses no labels by itself."""
    causes = [found.ailment for found in findings if found.stops_learning and found.grade == "ill"]

    def told(found: Finding) -> Finding:
        if found.grade != "ill":
            return found
        if found.ailment == "wrong labels" and causes and found.numbers["neighbours"] > LEVEL:
            return replace(
                found, grade="untold", says=f"labels contradict the network, but it ails itself: {' and '.join(causes)}"
            )
        if found.ailment != "not learning":
            return found
        why = (
            f"why: {' and '.join(causes)}, see there"
            if causes
            else "why cannot be told: nothing else that was looked at explains it"
        )
        return replace(found, evidence=(*found.evidence, why), numbers={**found.numbers, "causes": tuple(causes)})

    return tuple(map(told, findings))
