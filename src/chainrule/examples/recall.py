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
    bounds = {("LSTM", GAPS[-1]): (0.9, None), ("RNN", GAPS[-1]): (None, 0.75)} | {
        (kind, GAPS[0]): (0.95, None) for kind in KINDS
    }
    facts = tuple(
        Fact(
            f"accuracy of the {kind}, silence {gap}", means[i, j], errors[i, j],
            least=bounds.get((kind, gap), (None, None))[0], most=bounds.get((kind, gap), (None, None))[1],
            source="asked for" if (kind, gap) in bounds else "",
        )
        for i, kind in enumerate(KINDS) for j, gap in enumerate(GAPS)
    )  # fmt: skip
    longest = {f"{kind}": runs[f"{kind}, silence {GAPS[-1]}"] for kind in KINDS}
    best = int(np.argmax(by_gap.scores[list(KINDS).index("LSTM"), -1]))
    run = longest["LSTM"]
    shown = pictures.memory_over_time(
        run.model(best), run.data.train.x[0], run.data.train.y[0], features=("signal and noise", "question")
    )
    return Outcome(_verdict(by_gap), facts, (by_gap, pictures.compare_runs(longest, "accuracy"), shown))


def _verdict(found: pictures.AccuracyAgainstGap) -> str:
    said: list[str] = []
    for kind, means, errors in zip(found.kinds, found.means, found.errors, strict=True):
        solved = [gap for gap, mean, error in zip(found.gaps, means, errors, strict=True) if mean - error >= 0.9]
        reach = f"up to {max(solved):g} steps of silence" if solved else "at none of these silences"
        said.append(f"the {kind} {reach}")
    means, errors = found.means[:, -1], found.errors[:, -1]
    lstm, rnn = found.kinds.index("LSTM"), found.kinds.index("RNN")
    apart = (means[lstm] - means[rnn]) / max(float(np.hypot(errors[lstm], errors[rnn])), 1e-9)
    compared = (
        f"At {found.gaps[-1]:g} steps the LSTM is right in {means[lstm]:.0%}, the plain RNN in {means[rnn]:.0%}: "
        f"{apart:.0f} standard errors apart."
        if apart >= 2
        else f"At {found.gaps[-1]:g} steps LSTM and RNN cannot be told apart."
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
