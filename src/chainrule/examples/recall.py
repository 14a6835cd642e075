"""A signal, a long silence, a question: the example that asks which memory bridges it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from chainrule.data import recall
from chainrule.examples.example import Example, Outcome, Runs, Training
from chainrule.examples.fact import Fact
from chainrule.nn import GRU, LSTM, RNN, Dense, Sequential
from chainrule.train import Adam, ClipNorm
from chainrule.views import pictures

GAPS = (5, 20, 50, 100)
KINDS = {"RNN": RNN(12), "GRU": GRU(12), "LSTM": LSTM(12)}
REPLICAS = 6


def _trainings(seed: int) -> Mapping[str, Training]:
    found: dict[str, Training] = {}
    for gap in GAPS:
        data = recall(512, gap=gap, wait=3, noise=0.3, seed=seed)
        for kind, layer in KINDS.items():
            options = {
                "optimizer": Adam(0.01), "clip": ClipNorm(1.0), "batch_size": 32, "epochs": 60, "replicas": REPLICAS, "evaluate_every": 3,
            }  # fmt: skip
            found[f"{kind}, silence {gap}"] = Training(Sequential(layer, Dense(2, "softmax")), data, options)
    return found


def _conclude(runs: Runs, seed: int) -> Outcome:
    by_gap = pictures.accuracy_against_gap({(kind, gap): runs[f"{kind}, silence {gap}"] for gap in GAPS for kind in KINDS})
    means, errors = by_gap.means, by_gap.errors
    least = {("LSTM", GAPS[-1]): 0.9} | {(kind, GAPS[0]): 0.95 for kind in KINDS}
    accuracies = tuple(
        Fact(f"accuracy of the {kind}, silence {gap}", means[i, j], errors[i, j], least=least.get((kind, gap)))
        for i, kind in enumerate(KINDS)
        for j, gap in enumerate(GAPS)
    )
    lead, error = _lead(by_gap)
    facts = (
        *accuracies,
        Fact(
            f"lead of the LSTM over the RNN, silence {GAPS[-1]}",
            lead,
            error,
            least=0.05,
            source="Hochreiter and Schmidhuber 1997",
        ),
    )
    longest = {f"{kind}": runs[f"{kind}, silence {GAPS[-1]}"] for kind in KINDS}
    best = int(np.argmax(by_gap.scores[list(KINDS).index("LSTM"), -1]))
    run = longest["LSTM"]
    shown = pictures.memory_over_time(
        run.model(best), run.data.train.x[0], run.data.train.y[0], features=("signal and noise", "question")
    )
    return Outcome(_verdict(by_gap), facts, (by_gap, pictures.compare_runs(longest, "accuracy"), shown))


def _lead(found: pictures.AccuracyAgainstGap) -> tuple[float, float]:
    """By how much the LSTM is right more often than the RNN at the longest silence, and the standard error of that."""
    lstm, rnn = found.kinds.index("LSTM"), found.kinds.index("RNN")
    errors = found.errors[:, -1]
    return float(found.means[lstm, -1] - found.means[rnn, -1]), float(np.hypot(errors[lstm], errors[rnn]))


def _verdict(found: pictures.AccuracyAgainstGap) -> str:
    said: list[str] = []
    for kind, means, errors in zip(found.kinds, found.means, found.errors, strict=True):
        solved = [gap for gap, mean, error in zip(found.gaps, means, errors, strict=True) if mean - error >= 0.9]
        reach = f"up to {max(solved):g} steps of silence" if solved else "at none of these silences"
        said.append(f"the {kind} {reach}")
    lead, error = _lead(found)
    means = dict(zip(found.kinds, found.means[:, -1], strict=True))
    compared = (
        f"At {found.gaps[-1]:g} steps the LSTM is right in {means['LSTM']:.0%}, the plain RNN in {means['RNN']:.0%}, "
        + (f"{lead / max(error, 1e-9):.1f} standard errors apart." if lead >= 2 * error else "which cannot be told apart.")
    )
    return f"Nine of ten questions and more are answered rightly by {', '.join(said)}. {compared}"


RECALL = Example(
    "recall",
    "A signal, a long silence, a question",
    "What was the signal, −1 or 1, that came before a silence filled with noise? A plain recurrent network multiplies its memory by the "
    "same matrix at every step, and so its gradient shrinks or grows with every step of silence; LSTM and GRU were made to keep it. "
    f"Twelve units each, {REPLICAS} networks of a kind with the same data and equally many steps of training; chance is one half.",
    "112, 116, 120, 135",
    _trainings,
    _conclude,
)
