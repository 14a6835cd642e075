"""How gradients go back in time: they add up over the steps, shrink or grow exponentially, and can be clipped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.data import recall
from chainrule.examples.example import LectureExample, Outcome, Runs
from chainrule.examples.fact import Fact
from chainrule.examples.statistics import mean_fact
from chainrule.graph import Array
from chainrule.nn import RNN, Dense, Normal, Sequential
from chainrule.numerals import numeral
from chainrule.train import SGD, ClipNorm, Model, Training
from chainrule.views import pictures
from chainrule.views.view import View

UNITS = 16
STACK = 5
RADII = (0.6, 0.8, 1.0)
DRAWS = 8
EXPLODING = Normal(0.0, 2.5 / np.sqrt(UNITS))
"""A recurrent matrix with a spectral radius near 2.5."""


def _trainings(seed: int) -> Mapping[str, Training]:
    short, long = recall(256, gap=10, noise=0.3, seed=seed), recall(256, gap=20, wait=3, noise=0.3, seed=seed)
    # Small steps: what is looked at is how gradients go back; a linear network would explode with larger ones.
    few: dict[str, Any] = {"seed": seed, "optimizer": SGD(0.001), "batch_size": 32, "epochs": 1}
    steep: dict[str, Any] = {"seed": seed, "optimizer": SGD(1.0), "batch_size": 32, "epochs": 40, "replicas": 6}
    exploding = Sequential(RNN(UNITS, recurrent=EXPLODING), Dense(2, "softmax"))
    stack = Sequential(*[RNN(UNITS, return_sequences=True) for _ in range(STACK - 1)], RNN(UNITS), Dense(2, "softmax"))
    return {
        "linear": Training(Sequential(RNN(UNITS, activation="linear"), Dense(2, "softmax")), short, **few),
        "tanh": Training(Sequential(RNN(UNITS), Dense(2, "softmax")), short, **few),
        "deep": Training(stack, long, **few),
        "as it comes": Training(exploding, long, **steep),
        "clipped": Training(exploding, long, **steep, clip=ClipNorm(0.5)),
    }


def _conclude(runs: Runs, seed: int) -> Outcome:
    x, y = runs["tanh"].data.train.x, runs["tanh"].data.train.y
    model = runs["tanh"].model()
    summed, averaged = _sum_and_average(model, x, y)
    linear = runs["linear"].model()
    turn = _orthogonal(seed, 0)
    rates = {rho: _rate(linear, rho * turn, x, y)[0] for rho in (0.8, 1.25)}
    found = np.array([[_rate(model, rho * _orthogonal(seed, draw), x, y) for draw in range(DRAWS)] for rho in RADII])
    losses = {name: runs[name].history.steps().max(axis=1) for name in ("as it comes", "clipped")}
    facts = (
        Fact("largest |Σ over steps − finite difference|", summed, reference=0.0, tolerance=1e-8, source="the chain rule"),
        Fact("largest |average over steps − finite difference|", averaged, minimum=0.01, source="it is another number"),
        *(
            Fact(f"rate of ln|∂C/∂h| back in time, f linear, ρ = {rho}", rate, reference=float(np.log(rho)), tolerance=1e-9, source="ln ρ")
            for rho, rate in rates.items()
        ),
        *(
            mean_fact(f"the same rate, f tanh, ρ = {rho}, less ln(ρ·s)", gaps, minimum=-0.02, maximum=0.02, source="s: rms slope")
            for rho, gaps in zip(RADII, found[:, :, 0] - found[:, :, 1], strict=True)
        ),
        mean_fact("highest loss of a step, exploding", losses["as it comes"], minimum=5.0),
        mean_fact("highest loss of a step, clipped", losses["clipped"], maximum=3.0),
    )  # fmt: skip
    return Outcome(_verdict(facts), facts, _pictures(runs, seed, x, y))


def _pictures(runs: Runs, seed: int, x: Array, y: Array) -> tuple[View, ...]:
    model, deep = runs["tanh"].model(), runs["deep"]
    turn = _orthogonal(seed, 0)
    by_radius = {f"ρ = {rho}": model.with_parameters({"rnn1.U": rho * turn}) for rho in (0.6, 0.8, 1.0, 1.3)}
    return (
        pictures.step_contributions(model, x, y, "rnn1.U"),
        pictures.gradient_decay(by_radius, x, y),
        pictures.gradients_through_time(deep.model(), deep.data.train.x, deep.data.train.y),
        pictures.compare_runs({name: runs[name] for name in ("as it comes", "clipped")}, "loss"),
    )


def _sum_and_average(model: Model, x: Array, y: Array) -> tuple[float, float]:
    """The largest distance of the sum, and of the average, of the steps' shares from a finite difference, over all shared weights."""
    steps = model.through_time(x, y)
    far: list[tuple[float, float]] = []
    for name in ("rnn1.W", "rnn1.U", "rnn1.b"):
        shares = steps.contributions(name)
        difference = pictures.finite_differences(model, x, y, name)
        far.append(
            (float(np.abs(shares.sum(axis=0) - difference).max()), float(np.abs(shares.mean(axis=0) - difference).max()))
        )
    sums, averages = zip(*far, strict=True)
    return max(sums), max(averages)


def _rate(model: Model, matrix: Array, x: Array, y: Array) -> tuple[float, float]:
    """The rate of ln|∂C/∂h| a step back with this recurrent matrix, and ln(ρ·s)."""
    decay = pictures.gradient_decay({"": model.with_parameters({"rnn1.U": matrix})}, x, y)
    return float(decay.numbers["rates"][0]), float(decay.numbers["predicted"][0])


def _orthogonal(seed: int, draw: int) -> Array:
    """A random rotation: its eigenvalues all have size 1, so that the spectral radius is the whole story."""
    q, _ = np.linalg.qr(np.random.default_rng([seed, draw]).normal(size=(UNITS, UNITS)))
    return q


def _verdict(facts: tuple[Fact, ...]) -> str:
    value = {fact.name: fact.value for fact in facts}
    held = all(fact.agrees is not False for fact in facts)
    whole = "All of it is as calculated." if held else "Not all of it is as calculated: see the table."
    high, low = value["highest loss of a step, exploding"], value["highest loss of a step, clipped"]
    return (
        "The derivative by a shared weight is the sum over the time steps, to "
        f"{numeral(value['largest |Σ over steps − finite difference|'], 1)} of the finite difference; the average misses it by "
        f"{value['largest |average over steps − finite difference|']:.2f}. A step back multiplies the gradient by the spectral radius "
        "of U, exactly so in the linear network; with tanh also by its slope. Clipping holds the highest loss of a step at "
        f"{low:.1f} instead of {high:.1f}. {whole}"
    )


GRADIENTS_IN_TIME = LectureExample(
    "gradients-in-time",
    "Gradients back in time: added up, vanishing, exploding, clipped",
    "A recurrent network uses the same weights at every time step. Is the derivative by them the average or the sum of what the steps ask "
    "for? How fast does a gradient shrink or grow on its way back, and what does that have to do with the recurrent matrix U? "
    "Every step back multiplies by U and by the slope of the activation: with a rotation times ρ for U, exactly by ρ where the network is "
    "linear. Five layers on top of each other show the way down too, and a matrix with ρ near 2.5 what clipping is for.",
    "117, 118, 119, 120, E5",
    _trainings,
    _conclude,
)
