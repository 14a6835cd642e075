"""A signal, a long silence, a question: the example that asks which memory bridges it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.data import recall
from chainrule.examples.example import LectureExample, Outcome, Runs
from chainrule.examples.fact import Fact
from chainrule.nn import GRU, LSTM, RNN, Dense, Layer, Sequential
from chainrule.train import Adam, ClipNorm, Cosine, Training
from chainrule.train.replicated import standard_error
from chainrule.views import pictures

GAPS = (5, 20, 50, 100)
KINDS = ("RNN", "GRU", "LSTM")
DATA_SETS, REPLICAS = 4, 3


def memory(kind: str, gap: int) -> Layer:
    """Twelve units of a kind; those with gates begin as memories that last for about the gap, with biases of ± its logarithm."""
    lasting = round(float(np.log(gap)), 2)
    return {"RNN": RNN(12), "GRU": GRU(12, update_bias=lasting), "LSTM": LSTM(12, forget_bias=lasting, input_bias=-lasting)}[
        kind
    ]


def _trainings(seed: int) -> Mapping[str, Training]:
    found: dict[str, Training] = {}
    for gap in GAPS:
        for number in range(DATA_SETS):
            data = recall(512, gap=gap, wait=3, noise=0.2, seed=1000 * seed + 10 * gap + number)
            options: dict[str, Any] = {
                "optimizer": Adam(Cosine(0.02)), "clip": ClipNorm(1.0), "batch_size": 32, "epochs": 100, "replicas": REPLICAS,
                "evaluate_every": 5, "seed": 1000 * seed + 100 * number,
            }  # fmt: skip
            for kind in KINDS:
                network = Sequential(memory(kind, gap), Dense(2, "softmax"))
                found[_name(kind, gap, number)] = Training(network, data, **options)
    return found


def _name(kind: str, gap: int, number: int) -> str:
    return f"{kind}, silence {gap}, data {number + 1}"


def _conclude(runs: Runs, seed: int) -> Outcome:
    by_gap = pictures.scores_by_gap(
        {(kind, gap): [runs[_name(kind, gap, number)] for number in range(DATA_SETS)] for gap in GAPS for kind in KINDS}
    )
    means, errors = by_gap.means, by_gap.errors
    accuracies = tuple(
        Fact(f"accuracy of the {kind}, silence {gap}", float(means[i, j]), float(errors[i, j]), minimum=_least(kind, gap))
        for i, kind in enumerate(KINDS)
        for j, gap in enumerate(GAPS)
    )
    lead = Fact(
        f"lead of the LSTM over the RNN, silence {GAPS[-1]}",
        *_lead(by_gap),
        minimum=0.05,
        source="Hochreiter and Schmidhuber 1997",
    )
    facts = (*accuracies, lead)
    longest = {kind: runs[_name(kind, GAPS[-1], 0)] for kind in KINDS}
    best = int(np.argmax(by_gap.scores[KINDS.index("LSTM"), -1, 0]))
    run = longest["LSTM"]
    shown = pictures.memory_over_time(
        run.model(best), run.data.train.x[0], run.data.train.y[0], features=("signal and noise", "question")
    )
    return Outcome(
        _verdict(by_gap), facts, (pictures.accuracy_against_gap(by_gap), pictures.compare_runs(longest, "accuracy"), shown)
    )


def _least(kind: str, gap: int) -> float | None:
    """What is asked: that every network bridges the shortest silence, and one with gates each of them."""
    return 0.95 if kind != "RNN" or gap == GAPS[0] else None


def _lead(found: pictures.GapScores) -> tuple[float, float]:
    """By how much the LSTM is right more often than the RNN at the longest silence, and the standard error of that."""
    of_data_sets = found.scores[:, -1].mean(axis=2)
    leads = of_data_sets[found.kinds.index("LSTM")] - of_data_sets[found.kinds.index("RNN")]
    return float(leads.mean()), float(standard_error(leads))


def _verdict(found: pictures.GapScores) -> str:
    said: list[str] = []
    for kind, means, errors in zip(found.kinds, found.means, found.errors, strict=True):
        solved = [gap for gap, mean, error in zip(found.gaps, means, errors, strict=True) if mean - error >= 0.9]
        reach = f"up to {max(solved):g} steps of silence" if solved else "at none of these silences"
        said.append(f"the {kind} {reach}")
    lead, error = _lead(found)
    means = dict(zip(found.kinds, found.means[:, -1], strict=True))
    compared = (
        f"At {found.gaps[-1]:g} steps the LSTM is right in {means['LSTM']:.1%}, the plain RNN in {means['RNN']:.1%}, "
        + (f"{lead / max(error, 1e-9):.1f} standard errors apart." if lead >= 2 * error else "which cannot be told apart.")
    )
    return f"Nine of ten questions and more are answered rightly by {', '.join(said)}. {compared}"


RECALL = LectureExample(
    "recall",
    "A signal, a long silence, a question",
    "What was the signal, −1 or 1, that came before a silence filled with noise? A plain recurrent network multiplies its memory by the "
    "same matrix at every step, so that its gradient shrinks or grows with each; LSTM and GRU were made to keep it. "
    f"Twelve units each, equally many steps of training, {REPLICAS} networks of a kind on each of {DATA_SETS} data sets; error bars go "
    "from data set to data set. The plain network's matrix begins with a spectral radius near 1, its best; the gates' biases begin at "
    "±log(silence), so that they keep for about that long (Tallec and Ollivier 2018): all this was chosen on other data. Chance is "
    "one half.",
    "112, 116, 120, 135",
    _trainings,
    _conclude,
)
