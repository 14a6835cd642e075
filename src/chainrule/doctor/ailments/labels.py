"""Labels that contradict the network where it is surest, seen before it has learned them by heart."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from math import sqrt

import numpy as np

from chainrule.doctor.ailment import ailment
from chainrule.doctor.chances import LEVEL, at_least, share
from chainrule.doctor.changes import by_hand
from chainrule.doctor.crossed import crossed
from chainrule.doctor.finding import Cure, Finding, UntoldError, fine, ill
from chainrule.doctor.patient import Patient, Some
from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.numerals import numeral
from chainrule.train import Model, Training, class_probabilities

RATE = 0.01
"""The share of contradictions among the surest half of the answers up to which labels count as clean: half of one in fifty."""
OTHERS = 0.05
"""The same for others, that have seen less: they are too sure where classes overlap."""
MOST = 0.4
"""The share from which on it is the network that is wrong, and not the labels."""
_SHOWN = 10
_NEAR = 10
_LEAST = 50
"""Examples among the surest half below which it cannot be told."""


@immutable(eq=False)
class Judged:
    """What somebody says of examples that are looked at: the class of each (n,), and how sure they are (n,)."""

    some: Some
    answer: Array
    confidence: Array
    by: str
    """Who judges, in words."""
    allowed: float
    """The share of contradictions that overlapping classes are granted."""
    model: Model | None = None
    """The judge; None where there is one to each fold."""

    @cached_property
    def wrong(self) -> Array:
        """Where the label is another one than the answer: (n,)."""
        return self.answer != self.some.y

    @cached_property
    def surest(self) -> Array:
        """The places of the half where it is surest."""
        return np.argsort(-self.confidence, kind="stable")[: max(1, len(self.some) // 2)]

    @property
    def count(self) -> int:
        """How many labels among the surest contradict."""
        return int(self.wrong[self.surest].sum())

    @property
    def share(self) -> float:
        """The same as a share."""
        return self.count / len(self.surest)

    @property
    def chance(self) -> float:
        """How often as many contradict where what is granted does."""
        return at_least(self.count, len(self.surest), self.allowed)

    @property
    def suspects(self) -> Array:
        """The places of the labels that contradict, the surest first."""
        return np.array([place for place in self.surest if self.wrong[place]], dtype=np.int64)

    def __str__(self) -> str:
        value, error = share(self.count, len(self.surest))
        told = f"{self.count} of the {len(self.surest)} {self.some.part} labels contradict {self.by}"
        return f"{told}: {100 * value:.1f} ± {100 * error:.1f} %"


@ailment(
    "wrong labels",
    source="C. G. Northcutt, L. Jiang, I. L. Chuang, J. Artif. Intell. Res. 70, 1373 (2021); D. Arpit and others, ICML (2017)",
    needs="targets",
)
def wrong_labels(patient: Patient) -> Finding:
    """Whether labels contradict the network before it knows them by heart; or networks that never saw them, and their neighbours."""
    problem = patient.problem
    if not problem.classifies or problem.probabilities == "none":
        return fine("the network gives no probabilities of classes to compare labels with")
    near = _by_neighbours(patient)
    epoch, seen = _before_memory(patient) if patient.learned else (0, (near,))
    if max(len(patient.train) // 2, *(len(one.surest) for one in seen), 0) < _LEAST:
        raise UntoldError(f"{len(patient.train) // 2} examples among which it is surest are too few to tell")
    # Networks that have not seen an example tell also what is learned by heart at once. They have seen less, and accuse nobody alone.
    sure = any(2 * one.chance <= LEVEL for one in seen)
    doubted = near.chance if near.share <= MOST else 1.0
    asked = patient.learned and not sure and doubted <= LEVEL
    judged = (*seen, _out_of_fold(patient, epoch)) if asked else seen or (near,)
    worst = max(judged, key=lambda one: (one.chance <= LEVEL / 3, one.share))
    lines = [str(one) for one in dict.fromkeys((*judged, near))]
    numbers = {
        "epoch": epoch,
        "share": worst.share,
        "probability": min(one.chance for one in judged),
        "neighbours": doubted,
    }
    if worst.share > MOST:
        raise UntoldError(f"where the network is surest it is wrong too often to judge labels by it: {worst}")
    if len(judged) * numbers["probability"] > LEVEL:
        if not patient.learned:
            raise UntoldError("nothing was learned that labels could contradict, and the nearest neighbours do not")
        return fine(f"labels agree where one can be sure: {judged[-1]}", **numbers)
    by = next((one for one in reversed(judged) if one.some.part == "training"), judged[0])
    # Of training examples those alone that neighbours contradict as well, where these tell anything.
    suspects = by.suspects if doubted > LEVEL or by.some is not near.some else by.suspects[near.wrong[by.suspects]]
    said = problem.dataset_info.classes or ()
    numbered = patient.train.numbers
    listed = ", ".join(
        f"no. {numbered[i]} ({said[int(patient.train.y[i])]}, network: {said[int(by.answer[i])]})" for i in suspects[:_SHOWN]
    )
    return ill(
        f"about {100 * worst.share:.0f} % of the labels are wrong, or these inputs do not determine them",
        *lines,
        *([f"seen after {epoch} of {patient.run.settings.epochs} epochs, where the held-out loss was best"] if epoch and seen else []),
        *([f"most suspected training examples: {listed}{', ...' * (len(suspects) > _SHOWN)}"] if listed else []),
        f"where classes only overlap, the surest half has next to none ({numeral(100 * by.allowed)} % is allowed for)",
        cures=_cures(patient, by), suspects=numbered[suspects], **numbers,
    )  # fmt: skip


def _before_memory(patient: Patient) -> tuple[int, tuple[Judged, ...]]:
    """The epoch with the best held-out loss, when least was known by heart, and what the network then said; without any the last."""
    try:
        held = patient.held
    except UntoldError:
        return patient.run.settings.epochs, ()
    found = [
        epoch
        for epoch in patient.run.history.epochs
        if held.part in epoch.parts and epoch.epoch > 0 and epoch.step <= patient.last_step
    ]
    if not found:
        return patient.run.settings.epochs, ()
    best = min(found, key=lambda epoch: float(epoch.parts[held.part]["loss"][patient.replica]))
    model = patient.models([best.step])[0][1]
    return best.epoch, tuple(
        _judged(patient, some, model.quantities(some.x, {"output"})["output"], "the network where it is surest", model)
        for some in (patient.train, held)
    )


def _out_of_fold(patient: Patient, epoch: int) -> Judged:
    return _judged(
        patient, patient.train, crossed(patient, epoch)[0], "networks that were trained without them, where these are surest"
    )


def _by_neighbours(patient: Patient) -> Judged:
    """What the ten nearest training examples say, whatever the network has learned.

    Source: T. Cover, P. Hart, IEEE Trans. Inf. Theory 13, 21 (1967).
    """
    x, y = patient.seen_inputs, patient.train.y
    if len(x) <= _NEAR:
        raise UntoldError(f"{len(x)} training examples are too few to tell")
    spread = x.std(axis=0)
    rows = (x - x.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    squares = np.square(rows).sum(axis=1)
    distances = squares[:, None] + squares - 2 * rows @ rows.T
    np.fill_diagonal(distances, np.inf)
    near = np.argpartition(distances, _NEAR, axis=1)[:, :_NEAR]
    votes = np.eye(len(patient.problem.dataset_info.classes or ()))[y[near]].mean(axis=1)
    return Judged(patient.train, votes.argmax(axis=1), votes.max(axis=1), "the surest of their nearest neighbours", OTHERS)


def _judged(patient: Patient, some: Some, outputs: Array, by: str, model: Model | None = None) -> Judged:
    probabilities = class_probabilities(outputs, patient.problem.probabilities)
    allowed = OTHERS if model is None else RATE
    return Judged(some, probabilities.argmax(axis=-1), probabilities.max(axis=-1), by, allowed, model)


def _cures(patient: Patient, by: Judged) -> tuple[Cure, ...]:
    """The training without those training examples whose label is contradicted with more than half of the judge's belief."""
    data = patient.require_data()

    def without() -> Training:
        train = data.train
        whole = Some("training", train.x, train.y, np.arange(len(train)), len(train))
        # Networks to each fold know only the examples that were dealt.
        judge = by if by.model is None else _judged(patient, whole, by.model.quantities(train.x, {"output"})["output"], by.by)
        doubted = judge.some.numbers[judge.wrong & (judge.confidence > 1 / sqrt(2))]
        rest = train[np.delete(np.arange(len(train)), doubted)]
        return patient.training.changed(data=replace(data, train=rest, origin=None))

    code = "suspects = run.doctor()['wrong labels'].numbers['suspects']  # look at these first"
    return by_hand("a look at the suspects; tried: the training without those that are contradicted surely", code, without)
