"""Learning by confusion: the transition is where wrong labels confuse a network least."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.data import CRITICAL_TEMPERATURE, Dataset, ising
from chainrule.examples.estimates import weighted_polynomial
from chainrule.examples.example import LectureExample, Outcome, Runs
from chainrule.examples.fact import Fact
from chainrule.examples.phases import network
from chainrule.graph import Array
from chainrule.nn import L2, BinaryCrossEntropy
from chainrule.train import Adam, Training
from chainrule.views import pictures

EDGE, LATTICES = 40, 100
"""Spins along an edge, and how many lattices there are at each temperature."""
STEP = 0.1
"""The distance of the assumed temperatures: their half is how well the peak can be known."""
TEMPERATURES = np.round(np.arange(1.5, 3.001, STEP / 2), 3)
ASSUMED = np.round(np.arange(1.525, 3.0, STEP), 3)
"""Each lies between two temperatures of the lattices, so that it is clear which are called ordered."""


def labelled(assumed: float, seed: int) -> Dataset:
    """The same lattices for every assumed temperature, called ordered below it."""
    grid = TEMPERATURES.tolist()
    return ising(LATTICES * len(grid), size=EDGE, temperatures=grid, threshold=assumed, seed=seed)


def middle_peak(assumed: Array, accuracies: Array) -> float:
    """Where the accuracies (n,) have their peak between the two valleys: the top of the parabola through the highest three there.

    At the ends nearly all lattices have one label, so that always saying it is right: what counts is inside.
    """
    inside = slice(len(assumed) // 4, len(assumed) - len(assumed) // 4)
    top = int(np.argmax(accuracies[inside])) + inside.start
    near = slice(top - 1, top + 2)
    _, slope, curvature = weighted_polynomial(
        assumed[near] - assumed[top], accuracies[near], np.ones(3), 2
    ).coefficients.tolist()
    return float(assumed[top]) - slope / (2 * curvature)


def _trainings(seed: int) -> Mapping[str, Training]:
    options: dict[str, Any] = {
        "seed": seed, "loss": BinaryCrossEntropy() + L2(0.01), "optimizer": Adam(0.01), "batch_size": 50, "epochs": 12, "evaluate_every": 0,
    }  # fmt: skip
    return {_name(value): Training(network(), labelled(value, seed), **options) for value in ASSUMED.tolist()}


def _name(assumed: float) -> str:
    return f"as if T_c = {assumed:.3f}"


def _conclude(runs: Runs, seed: int) -> Outcome:
    scores = [runs[_name(value)].evaluate("test") for value in ASSUMED.tolist()]
    accuracies = np.array([score.scores.values["accuracy"].mean() for score in scores])
    errors = np.sqrt(accuracies * (1 - accuracies) / scores[0].scores.count)
    peak = middle_peak(ASSUMED, accuracies)
    place = int(np.argmin(np.abs(ASSUMED - peak)))
    left, right = int(np.argmin(accuracies[:place])), place + int(np.argmin(accuracies[place:]))
    facts = (
        Fact("T of the middle peak", peak, STEP / 2, reference=CRITICAL_TEMPERATURE, unit="J/k_B", source="Onsager 1944"),
        *(_height(side, place, valley, accuracies, errors) for side, valley in (("left", left), ("right", right))),
    )
    verdict = (
        f"The accuracy over the assumed transition temperature has the shape of a W. Its middle peak, where the labels confuse networks "
        f"least, is at {peak:.2f} ± {STEP / 2:.2f} J/k_B; Onsager's T_c is {CRITICAL_TEMPERATURE:.3f}."
    )
    drawn = pictures.ConfusionCurve(EDGE, ASSUMED, accuracies, errors, peak, STEP / 2, CRITICAL_TEMPERATURE)
    return Outcome(verdict, facts, (drawn,))


def _height(side: str, peak: int, valley: int, accuracies: Array, errors: Array) -> Fact:
    """How far the peak stands above a valley, by more than counting explains."""
    error = float(np.hypot(errors[peak], errors[valley]))
    return Fact(
        f"peak above the {side} valley", float(accuracies[peak] - accuracies[valley]), error, minimum=3 * error, source="3 σ"
    )


CONFUSION = LectureExample(
    "confusion",
    "Learning by confusion finds a transition that nobody named",
    f"Lattices of {EDGE} × {EDGE} spins at temperatures from 1.5 to 3 J/k_B are labelled as if the transition were at some assumed "
    "temperature, and a network learns these labels. If the assumption is wrong, lattices of one phase bear two labels, which confuses it. "
    "Over the assumed temperature the accuracy on new lattices has the shape of a W: high at both ends, where nearly all labels are equal, "
    "and high in the middle, where the labels are those of the true phases. The peak is known to half the distance of the assumed "
    "temperatures; finite lattices have it a little above T_c. Source: van Nieuwenburg, Liu and Huber, Nature Physics 13, 435 (2017).",
    "137",
    _trainings,
    _conclude,
)
