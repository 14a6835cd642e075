"""A hidden oscillator inferred from the visible one that it is coupled to, by a network and by the best linear answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.data import oscillators
from chainrule.examples.estimates import resampled
from chainrule.examples.example import LectureExample, Outcome, Runs
from chainrule.examples.fact import Fact
from chainrule.graph import Array
from chainrule.nn import Dense, Flatten, Sequential, r_squared
from chainrule.train import Adam, Cosine, Training
from chainrule.views import pictures

NOISE, STEP, MOMENTS = 0.05, 0.3, 40
"""The error of each seen position, and the time between two of them, in the units of the oscillators; how many there are."""


def least_squares(x: Array, y: Array, new: Array) -> Array:
    """The best linear answer with an offset: fitted to x (n, k) and y (n, m), given for new rows (l, k): (l, m)."""

    def rows(table: Array) -> Array:
        return np.column_stack([table, np.ones(len(table))])

    return rows(new) @ np.linalg.lstsq(rows(x), y, rcond=None)[0]


def hidden_modes(visible: float = 1.0, hidden: float = 1.0, coupling: float = 0.5) -> tuple[Array, Array]:
    """What the visible and the hidden path are sums of: (moments, 4) each, cos and sin of both normal modes, exactly.

    The frequencies and shapes are those of the coupled matrix, as in `data.coupled_motion`: the amplitudes are common to both paths.
    """
    squares, modes = np.linalg.eigh(np.array([[visible**2 + coupling, -coupling], [-coupling, hidden**2 + coupling]]))
    phase = STEP * np.arange(MOMENTS)[:, None] * np.sqrt(squares)
    waves = np.concatenate([np.cos(phase), np.sin(phase)], axis=1)
    return waves * np.tile(modes[0], 2), waves * np.tile(modes[1], 2)


def informed(x: Array) -> Array:
    """The answer of someone who knows the equations: amplitudes fitted to the seen positions x (n, moments), then the hidden path."""
    seen, unseen = hidden_modes()
    return np.linalg.lstsq(seen, x.T, rcond=None)[0].T @ unseen.T


def noise_floor() -> float:
    """The expected root mean square error of `informed`: what the noise of the seen positions leaves open, in closed form."""
    seen, unseen = hidden_modes()
    gains: Array = unseen @ np.linalg.pinv(seen)
    return NOISE * float(np.sqrt((gains**2).sum(axis=1).mean()))


def _trainings(seed: int) -> Mapping[str, Training]:
    net = Sequential(Flatten(), Dense(64, "tanh"), Dense(MOMENTS))
    data = oscillators(2000, noise=NOISE, step=STEP, time=MOMENTS, seed=seed)
    options: dict[str, Any] = {
        "seed": seed,
        "optimizer": Adam(Cosine(0.003)),
        "batch_size": 50,
        "epochs": 200,
        "evaluate_every": 20,
    }
    return {"windows": Training(net, data, **options)}


def _conclude(runs: Runs, seed: int) -> Outcome:
    run = runs["windows"]
    test = run.data.part("test")
    seen, hidden = test.x[:, :, 0], test.y
    answers = {
        "network": np.asarray(run.predict(test.x), np.float64),
        "linear": least_squares(run.data.train.x[:, :, 0], run.data.train.y, seen),
        "informed": informed(seen),
    }
    random = np.random.default_rng(seed)
    misses = {name: np.mean((answer - hidden) ** 2, axis=1) for name, answer in answers.items()}
    floor = noise_floor()
    found = {name: _root(squares, random) for name, squares in misses.items()}
    ratio = resampled(np.stack([misses["network"], misses["linear"]], axis=1), _ratio, random)
    facts = (
        Fact("R² of the network", r_squared(hidden, answers["network"]), minimum=0.95),
        Fact("error of the network", *found["network"], maximum=0.15, source="positions have spread 1"),
        Fact("error of the best linear answer", *found["linear"]),
        Fact("error of one who knows the equations", *found["informed"], reference=floor, source="closed form"),
        Fact(
            "network over linear",
            float(_ratio(np.stack([misses["network"], misses["linear"]], axis=1))),
            float(ratio.std(ddof=1)),
        ),
    )
    against = (
        "cannot be told from" if abs(facts[4].value - 1) <= 2 * (facts[4].error or 0)
        else "is worse than" if facts[4].value > 1 else "is better than"
    )  # fmt: skip
    verdict = (
        f"From {MOMENTS} noisy positions of the visible oscillator the network places the hidden one to {facts[1].measured}. The problem "
        f"is linear: the network {against} the best linear answer, {facts[2].measured}; noise alone would leave {floor:.4f}."
    )
    times = STEP * np.arange(MOMENTS)
    path = pictures.hidden_path(times, seen[0], hidden[0], answers["network"][0])
    return Outcome(
        verdict, facts, (path, pictures.errors_in_time(times, _by_time(answers, hidden), floor), pictures.learning_curves(run))
    )


def _root(squares: Array, random: np.random.Generator) -> tuple[float, float]:
    """The root of the mean square and its standard error, of paths drawn anew."""
    spread = resampled(squares, lambda drawn: float(np.sqrt(drawn.mean())), random).std(ddof=1)
    return float(np.sqrt(squares.mean())), float(spread)


def _ratio(pairs: Array) -> float:
    return float(np.sqrt(pairs[:, 0].mean() / pairs[:, 1].mean()))


def _by_time(answers: Mapping[str, Array], hidden: Array) -> dict[str, Array]:
    return {name: np.sqrt(np.mean((answer - hidden) ** 2, axis=0)) for name, answer in answers.items()}


OSCILLATOR = LectureExample(
    "oscillator",
    "A hidden oscillator is inferred from the one that is seen",
    "Two oscillators are coupled by a spring, and only one of them is seen, at 40 moments, each position with an error of 0.05. A network "
    "with one hidden layer learns from 2000 such paths where the other one is. Because the equations are linear, there is a best linear "
    "answer, found by least squares from the same paths; and someone who knows the equations can do better still, limited by noise "
    "alone, to an error that follows in closed form. How close does the network come to both?",
    "137, 139",
    _trainings,
    _conclude,
)
