"""Suspected wrong labels: planted ones are found among the examples that are learned last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.data import WrongLabels, with_wrong_labels
from chainrule.examples.agreement import area_under_curve
from chainrule.examples.example import LectureExample, Outcome, Runs
from chainrule.examples.fact import Fact
from chainrule.examples.few_digits import few_digits
from chainrule.examples.memorization import steps_to_look_at
from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.train import SGD, PredictionHistory, Run, Training, prediction_history
from chainrule.train.replicated import Comparison, Measured, compare, measured
from chainrule.views import pictures
from chainrule.views.view import View

SHARE = 0.1
CLASSES = 10
ALONG, END, LATE = "mean loss along the training", "loss at the end", "step from which on it is right"
SHOWN = 16
ARPIT = "Arpit and others, ICML 2017"


def planted(seed: int, draw: int, count: int) -> WrongLabels:
    """The digits of a draw, a tenth of them with wrong labels, and which these are."""
    number = 1000 * seed + draw
    return with_wrong_labels(few_digits(count, seed=number), SHARE, seed=number)


def trainings(seed: int, *, draws: int = 8, count: int = 1000, epochs: int = 80) -> Mapping[str, Training]:
    """A training for each draw of digits."""
    options: dict[str, Any] = {"optimizer": SGD(0.1), "batch_size": 25, "replicas": 4, "epochs": epochs, "evaluate_every": 0}
    return {
        f"draw {draw + 1}": Training(
            "196-128-10 relu", planted(seed, draw, count).data, **options, seed=10 * (1000 * seed + draw)
        )
        for draw in range(draws)
    }


@immutable(eq=False)
class LabelErrorSearch:
    """One training's suspicion of each of n examples, by each way of measuring it, and the truth: where labels are wrong, (n,)."""

    answers: PredictionHistory
    suspicion: Mapping[str, Array]
    wrong: Array
    truth: Array

    @property
    def said(self) -> Array:
        """The class that replicas named most often before they began to learn by heart: while fewer were right than labels are, (n,)."""
        early = self.answers.right.mean(axis=(1, 2)) <= 1 - self.wrong.mean()
        named = self.answers.predicted[early if early.any() else slice(1)].reshape(-1, len(self.wrong))
        return np.array([np.bincount(column, minlength=CLASSES).argmax() for column in named.T])

    def precision(self, way: str) -> float:
        """The fraction of wrong labels among as many first suspects as there are wrong labels."""
        first = np.argsort(-self.suspicion[way], kind="stable")[: int(self.wrong.sum())]
        return float(self.wrong[first].mean())


def search(run: Run, labels: WrongLabels) -> LabelErrorSearch:
    """What a training says about its labels: suspicions are means over its replicas."""
    answers = prediction_history(run, steps=steps_to_look_at(run))
    losses = answers.losses.mean(axis=1)
    truth = labels.data.train.y.copy()
    truth[labels.changed] = labels.truth
    suspicion = {ALONG: losses.mean(axis=0), END: losses[-1], LATE: np.log(answers.learned_at_last).mean(axis=0)}
    return LabelErrorSearch(answers, suspicion, truth != labels.data.train.y, truth)


def conclude(runs: Runs, seed: int) -> Outcome:
    """The facts: each draw is one measurement."""
    count = len(next(iter(runs.values())).data.train)
    found = [search(run, planted(seed, draw, count)) for draw, run in enumerate(runs.values())]
    areas = {way: [area_under_curve(one.suspicion[way], one.wrong)[0] for one in found] for way in found[0].suspicion}
    precision = measured([one.precision(ALONG) for one in found])
    named = measured([float((one.said == one.truth)[one.wrong].mean()) for one in found])
    best = {way: compare(areas[ALONG], areas[way], paired=True, among=2) for way in (LATE, END)}
    facts = (
        *(
            Fact(f"AUC, {way}", found_area.value, found_area.widened, minimum=0.5, source="guessing")
            for way, found_area in _means(areas)
        ),
        Fact(
            f"wrong among the first {round(SHARE * count)}",
            precision.value,
            precision.widened,
            minimum=SHARE,
            source="guessing",
        ),
        Fact(
            "true class named before the label is learned", named.value, named.widened, minimum=1 / CLASSES, source="guessing"
        ),
        *(Fact(f"AUC, {ALONG}, less that of {way}", other.difference, other.error) for way, other in best.items()),
    )
    shares = pictures.found_among_first(
        {way: np.array([one.suspicion[way] for one in found]) for way in found[0].suspicion},
        np.array([one.wrong for one in found]),
    )
    first = next(iter(runs.values()))
    return Outcome(verdict_of(measured(areas[ALONG]), precision, named, best), facts, (shares, sheet(first, found[0])))


def verdict_of(area: Measured, precision: Measured, named: Measured, best: Mapping[str, Comparison]) -> str:
    """What follows from the measured numbers."""
    better = compare_with(area, 0.5)
    if better != "larger":
        return (
            f"The mean loss along the training does not find wrong labels: its AUC {area} is not above that of guessing, 0.5."
        )
    ways = "; ".join(_beside(way, found) for way, found in best.items())
    return (
        f"Wrong labels are learned last: of the first suspects, as many as there are wrong labels, {precision} are wrong where looking at "
        f"random finds {SHARE:g}, and before it is learned by heart the network names the true class of {named} of them. {ways}."
    )


def compare_with(found: Measured, value: float) -> str:
    """How a mean stands to a number that is known exactly."""
    return Comparison(found.value - value, found.error, found.freedom).verdict


def _beside(way: str, found: Comparison) -> str:
    how = {
        "larger": f"finds fewer of them than the {ALONG}",
        "smaller": f"finds more of them than the {ALONG}",
        "cannot be told apart": f"cannot be told from the {ALONG}",
    }[found.verdict]
    return f"the {way} {how}" if way != LATE else f"The {way} {how}"


def _means(areas: Mapping[str, Sequence[float]]) -> list[tuple[str, Measured]]:
    return [(way, measured(values)) for way, values in areas.items()]


def sheet(run: Run, found: LabelErrorSearch) -> View:
    """The first suspects of a training."""
    first = np.argsort(-found.suspicion[ALONG], kind="stable")[:SHOWN]
    return pictures.suspect_sheet(
        run.data.train,
        first,
        found.said[first],
        found.suspicion[ALONG][first],
        ALONG,
        run.dataset_info.classes or (),
        truth=found.truth[first],
    )


WRONG_LABELS = LectureExample(
    "wrong-labels",
    "Wrong labels are learned last",
    "Does a network notice that a label is wrong? A tenth of a thousand digits get another label. Networks learn all of them, and every "
    "example is asked for at up to forty steps of the training, evenly spaced in the logarithm. Which are learned last, or have the "
    "largest loss? Eight draws of digits are eight measurements, each a mean over four networks. The AUC is the chance that a wrong "
    "label is suspected more than a right one.",
    "124",
    trainings,
    conclude,
)
