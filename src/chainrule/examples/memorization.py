"""Random labels against true ones: whether networks fit both, how long it takes, and whether they agree on what is easy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.data import with_random_labels
from chainrule.examples.agreement import agreement, rank_correlation
from chainrule.examples.example import LectureExample, Outcome, Runs
from chainrule.examples.fact import Fact
from chainrule.examples.few_digits import few_digits
from chainrule.train import SGD, PredictionHistory, Run, Training, prediction_history
from chainrule.train.replicated import Comparison, Measured, compare, measured, ratio
from chainrule.views import pictures
from chainrule.views.view import View

CLASSES = 10
FITTED = 0.99
"""From which training accuracy on labels count as fitted."""
LOOKS = 40
"""Steps of a training that are looked at, evenly spaced in the logarithm."""
ZHANG = "Zhang and others, arXiv:1611.03530"
ARPIT = "Arpit and others, ICML 2017"


def trainings(seed: int, *, draws: int = 8, count: int = 500, width: int = 256, epochs: int = 200) -> Mapping[str, Training]:
    """For each draw of digits two trainings: on their labels, for a third of the epochs, and on labels drawn at random."""
    made: dict[str, Training] = {}
    for draw in range(draws):
        number = 1000 * seed + draw
        data = few_digits(count, seed=number)
        options: dict[str, Any] = {"optimizer": SGD(0.1), "batch_size": 25, "replicas": 4, "seed": 10 * number}
        network = f"196-{width}-10 relu"
        made[f"true labels {draw + 1}"] = Training(network, data, **options, epochs=epochs // 3)
        made[f"random labels {draw + 1}"] = Training(
            network, with_random_labels(data, seed=number), **options, epochs=epochs, evaluate_every=2
        )
    return made


def conclude(runs: Runs, seed: int) -> Outcome:
    """The facts: each draw of digits is one measurement, the mean over its replicas."""
    kinds = {kind: [run for name, run in runs.items() if name.startswith(kind)] for kind in ("true labels", "random labels")}
    true, random = kinds.values()
    updates = {kind: [updates_to_fit(run) for run in group] for kind, group in kinds.items()}
    longer = compare(updates["random labels"], updates["true labels"], paired=True)
    times, times_error = ratio(measured(updates["random labels"]), measured(updates["true labels"]))
    fitted = measured([_last(run, "training") for run in random])
    tested = measured([_last(run, "test") for run in random])
    seen = {kind: [prediction_history(run, steps=steps_to_look_at(run)) for run in group] for kind, group in kinds.items()}
    after = true[0].trainer.steps_per_epoch
    easy = {kind: [agreement_after(found, after) for found in group] for kind, group in seen.items()}
    order = {kind: [rank_correlation(found.learned_at_last) for found in group] for kind, group in seen.items()}
    alike = compare(easy["true labels"], easy["random labels"], paired=True, among=2)
    ordered = compare(order["true labels"], order["random labels"], paired=True, among=2)
    facts = (
        Fact("training accuracy, random labels", fitted.value, fitted.widened, minimum=FITTED, source=ZHANG),
        _fact("test accuracy, true labels", [_last(run, "test") for run in true]),
        Fact("test accuracy, random labels", tested.value, tested.widened, reference=1 / CLASSES, source="guessing"),
        _fact("updates to fit true labels", updates["true labels"]),
        _fact("updates to fit random labels", updates["random labels"]),
        Fact("random over true", times, times_error, minimum=1.0, source=ARPIT),
        _fact("agreement after an epoch, true labels", easy["true labels"], least=0.0, source=ARPIT),
        _fact("agreement after an epoch, random labels", easy["random labels"]),
        Fact("difference of the agreements", alike.difference, alike.error, minimum=0.0, source=ARPIT),
        _fact("rank correlation of the order, true labels", order["true labels"], least=0.0, source=ARPIT),
        _fact("rank correlation of the order, random labels", order["random labels"]),
        Fact("difference of the rank correlations", ordered.difference, ordered.error),
    )
    shown = {kind.replace("labels", f"labels, draw 1 of {len(true)}"): group[0] for kind, group in seen.items()}
    return Outcome(
        verdict_of(fitted, longer, (times, times_error), tested, alike, ordered),
        facts,
        (_curves(kinds), pictures.learning_map(shown)),
    )


def verdict_of(
    fitted: Measured,
    longer: Comparison,
    times: tuple[float, float],
    tested: Measured,
    alike: Comparison,
    ordered: Comparison,
) -> str:
    """What follows from the measured numbers."""
    fits = "are learned by heart too" if fitted.value - 2 * fitted.widened >= FITTED else "are not all learned by heart"
    pace = {
        "larger": f"and take {times[0]:.1f} ± {times[1]:.1f} times as many updates as true ones",
        "smaller": f"and take only {times[0]:.2f} ± {times[1]:.2f} times as many updates as true ones",
        "cannot be told apart": "and the number of updates cannot be told from that of true ones",
    }[longer.verdict]
    chance = abs(tested.value - 1 / CLASSES) <= 2 * tested.widened
    use = f"their test accuracy {tested} is {'that of guessing' if chance else 'not that of guessing'}"
    return (
        f"Random labels {fits}, {pace}; {use}. {_said(alike, 'After one epoch, replicas agree on which examples are right')}; "
        f"{_said(ordered, 'over the whole training, the order in which they learn the examples is shared')}."
    )


def _said(found: Comparison, what: str) -> str:
    how = {
        "larger": "more with true labels than with random ones",
        "smaller": "less with true labels than with random ones",
        "cannot be told apart": "as far as can be told no more with one kind of labels than with the other",
    }[found.verdict]
    return f"{what} {how} (difference {measured_text(found)})"


def measured_text(found: Comparison) -> str:
    """The difference with its error."""
    return str(Measured(found.difference, found.error, 2))


def updates_to_fit(run: Run) -> float:
    """The updates until a replica's training accuracy was first 0.99 or more, the mean over replicas.

    One that never came so far counts with all its updates, which is too few.
    """
    at, accuracy = run.history.curve("training", "accuracy")
    reached = accuracy >= FITTED
    epochs = np.where(reached.any(axis=0), at[reached.argmax(axis=0)], at[-1])
    return float(epochs.mean() * run.trainer.steps_per_epoch)


def steps_to_look_at(run: Run, looks: int = LOOKS) -> list[int]:
    """Steps from 1 to the last, evenly spaced in the logarithm, and the end of the first epoch."""
    spaced = np.geomspace(1, run.trainer.step, looks).round().astype(int).tolist()
    return sorted({*spaced, run.trainer.steps_per_epoch})


def agreement_after(answers: PredictionHistory, step: int) -> float:
    """How much the replicas agree on which examples are right when so many steps are done."""
    return agreement(answers.right[int(np.flatnonzero(answers.at == step)[0])])


def _last(run: Run, part: str) -> float:
    return float(run.history.curve(part, "accuracy")[1][-1].mean())


def _fact(name: str, values: Sequence[float], **held: object) -> Fact:
    found = measured(values)
    least, source = held.get("least"), held.get("source", "")
    return Fact(name, found.value, found.widened, minimum=None if least is None else float(str(least)), source=str(source))


def _curves(kinds: Mapping[str, Sequence[Run]]) -> View:
    curves = [
        pictures.curve_over(
            f"{kind}, {part}",
            group[0].history.curve(part, "accuracy")[0] * group[0].trainer.steps_per_epoch,
            [run.history.curve(part, "accuracy")[1].mean(axis=1) for run in group],
        )
        for kind, group in kinds.items()
        for part in ("training", "test")
    ]
    return pictures.against_updates("Random labels are learned by heart", "accuracy (share right)", curves, 1 / CLASSES)


MEMORIZATION = LectureExample(
    "memorization",
    "Random labels are learned by heart",
    "Can a network learn what has no rule? Five hundred digits of 14 × 14 pixels, once with their labels and once with labels drawn at "
    "random, are learned by networks with 256 hidden neurons. Eight draws of digits and labels are eight measurements; in each, four "
    "networks that differ in their seed are asked after up to forty steps about every example. The agreement is the intraclass "
    "correlation of right and wrong between the four: 0 if they agree by chance alone, 1 if the same examples are easy for all.",
    "124",
    trainings,
    conclude,
)
