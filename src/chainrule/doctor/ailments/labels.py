"""Labels that contradict the network where it is surest, seen before it has learned them by heart."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

import numpy as np

from chainrule.doctor.ailment import ailment
from chainrule.doctor.chances import LEVEL, at_least, share
from chainrule.doctor.changes import by_hand
from chainrule.doctor.finding import Cure, Finding, UntoldError, fine, ill
from chainrule.doctor.patient import Patient, Some
from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.train import Model, Training, class_probabilities

RATE = 0.01
"""The share of contradictions among the surest half of the answers up to which labels count as clean: half of one in fifty."""
MOST = 0.4
"""The share from which on it is the network that is wrong, and not the labels."""
_SHOWN = 10


@ailment(
    "wrong labels",
    source="C. G. Northcutt, L. Jiang, I. L. Chuang, J. Artif. Intell. Res. 70, 1373 (2021); D. Arpit and others, ICML (2017)",
    needs="targets",
)
def wrong_labels(patient: Patient) -> Finding:
    """Whether labels contradict the network in more than 1 % of the half where it is surest, at the epoch of the best held-out loss."""
    problem = patient.problem
    if not problem.classifies or problem.probabilities == "none":
        return fine("the network gives no probabilities of classes to compare labels with")
    if not patient.learned:
        raise UntoldError("nothing was learned that labels could contradict")
    step, model = _before_memory(patient)
    seen = [_contradictions(model, some) for some in (patient.train, patient.held)]
    if max(len(surest) for _, surest, _ in seen) < 50:
        raise UntoldError(f"{len(seen[0][1])} examples among which it is surest are too few to tell")
    lines: list[str] = []
    worst, chances = 0.0, list[float]()
    for some, (wrong, surest, _) in zip((patient.train, patient.held), seen, strict=True):
        count = int(wrong[surest].sum())
        value, error = share(count, len(surest))
        chances.append(at_least(count, len(surest), RATE))
        worst = max(worst, count / len(surest))
        lines.append(
            f"{count} of the {len(surest)} {some.part} labels where it is surest contradict it: {100 * value:.1f} ± {100 * error:.1f} %"
        )
    numbers = {"step": step, "share": worst, "probability": min(chances)}
    wrong, surest, confidence = seen[0]
    suspects = surest[wrong[surest]][np.argsort(-confidence[surest[wrong[surest]]], kind="stable")]
    if worst > MOST:
        raise UntoldError(f"where the network is surest it is wrong too often to judge labels by it: {lines[0]}")
    if 2 * min(chances) > LEVEL:
        return fine(f"labels agree with the network where it is surest: {lines[0]}", **numbers)
    said = patient.problem.dataset_info.classes or ()
    answer = model.decide(patient.train.x)
    listed = ", ".join(
        f"no. {patient.train.numbers[i]} ({said[int(patient.train.y[i])]}, network: {said[int(answer[i])]})"
        for i in suspects[:_SHOWN]
    )
    return ill(
        f"about {100 * worst:.0f} % of the labels are wrong, or these inputs do not determine them",
        *lines,
        f"seen after {step} of {patient.last_step} steps, where the held-out loss was best",
        *([f"most suspected training examples: {listed}{', ...' if len(suspects) > _SHOWN else ''}"] if len(suspects) else []),
        f"where classes only overlap, the surest half has next to none ({numeral(100 * RATE)} % is allowed for)",
        cures=_cures(patient, model), suspects=patient.train.numbers[suspects], **numbers,
    )  # fmt: skip


def _before_memory(patient: Patient) -> tuple[int, Model]:
    """The network at the epoch with the best loss on held-out examples: it has learned what holds, and as little as can be by heart."""
    part = patient.held.part
    found = [epoch for epoch in patient.run.history.epochs if part in epoch.parts and epoch.step <= patient.last_step]
    if not found:
        raise UntoldError(f"the loss of the {part} part was not noted along the training")
    best = min(found, key=lambda epoch: float(epoch.parts[part]["loss"][patient.replica]))
    return best.step, patient.models([best.step])[0][1]


def _contradictions(model: Model, some: Some) -> tuple[Array, Array, Array]:
    """Where labels contradict the network (n,), the numbers of the half where it is surest, and how sure it is (n,)."""
    outputs = model.quantities(some.x, {"output"})["output"]
    probabilities = class_probabilities(outputs, model.problem.probabilities)
    confidence = probabilities.max(axis=-1)
    surest = np.argsort(-confidence, kind="stable")[: max(1, len(some) // 2)]
    return probabilities.argmax(axis=-1) != some.y, surest, confidence


def _cures(patient: Patient, model: Model) -> tuple[Cure, ...]:
    """The training without those training examples whose label contradicts the network with more than half of its belief."""
    data = patient.require_data()

    def without() -> Training:
        outputs = model.quantities(data.train.x, {"output"})["output"]
        probabilities = class_probabilities(outputs, model.problem.probabilities)
        keep = ~((probabilities.argmax(axis=-1) != data.train.y) & (probabilities.max(axis=-1) > 1 / sqrt(2)))
        return patient.training.changed(data=replace(data, train=data.train[np.flatnonzero(keep)], origin=None))

    code = "suspects = run.doctor()['wrong labels'].numbers['suspects']  # look at these first"
    return by_hand(
        "a look at the suspects; tried: the training without those that the network contradicts surely", code, without
    )
