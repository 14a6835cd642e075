"""Hopfield's memory: drawings recalled from corrupted ones, and how many random patterns fit into it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data import Dataset, Examples, mnist
from chainrule.examples.example import LectureExample, Outcome, Runs
from chainrule.examples.fact import Fact
from chainrule.examples.statistics import mean_fact
from chainrule.graph import Array
from chainrule.nn import Hopfield, hebb_weights, hopfield_recall
from chainrule.train import SGD, Run, Training
from chainrule.views import pictures
from chainrule.views.pictures.applications.memories import CAPACITY, retrieval_theory
from chainrule.views.view import View

SIDE = 20
NEURONS, SETS = (250, 500, 1000), 12
LOADS = (0.05, 0.1, 0.12, 0.13, 0.135, 0.14, 0.145, 0.15, 0.16, 0.18)
WINDOW = (0.12, 0.16)
"""The loads between which the capacity is looked for."""
FORM = 0.005
"""How far the crossing moves with the pair of sizes, the window and the degree of the polynomial, on a pilot of 30 sets of patterns: the
part of the capacity's error that no resampling of patterns shows."""
JUDGED = 0.1
"""The load at which the overlap is held against theory: well below the capacity, where a finite memory differs little."""
FLIPPED, TRIALS = 0.2, 20


def drawings(side: int = SIDE) -> Array:
    """Five drawings of ±1 that hardly overlap, (5, side²): halves, stripes, a chessboard, a disc and a saltire."""
    y, x = np.meshgrid(*[np.arange(side) - (side - 1) / 2] * 2, indexing="ij")
    block = side // 4
    row, column = np.arange(side)[:, None] // block, np.arange(side)[None, :] // block
    drawn = (
        x > 0,
        (np.arange(side)[:, None] // 2 % 2 == 0) & np.ones((1, side), bool),
        (row + column) % 2 == 0,
        # A disc of half the area: as many pixels inside as outside.
        x**2 + y**2 < side**2 / (2 * math.pi),
        np.abs(x) + 0.1 * np.sign(y) > np.abs(y),
    )
    return np.stack([np.where(picture, 1.0, -1.0).reshape(-1) for picture in drawn])


def _trainings(seed: int) -> Mapping[str, Training]:
    patterns = drawings()
    data = Dataset("drawings", Examples(patterns, patterns), source="drawn by a formula", licence="none needed")
    # The rate at which one step down the energy is Hebb's rule, 1/N Σ ξ ξᵀ.
    rate = 2 * len(patterns) / patterns.shape[1]
    options: dict[str, Any] = {
        "seed": seed,
        "loss": "none",
        "optimizer": SGD(rate),
        "batch_size": len(patterns),
        "epochs": 1,
        "dtype": "float64",
    }
    return {"memory": Training(Hopfield(5), data, **options)}


def _conclude(runs: Runs, seed: int) -> Outcome:
    run = runs["memory"]
    patterns, weights = run.data.train.x, hebb_weights(run.data.train.x)
    shown = pictures.recollection(weights, patterns, (SIDE, SIDE), flipped=FLIPPED, seed=seed)
    kept = pictures.overlap_against_load(NEURONS, LOADS, sets=SETS, seed=seed)
    capacity, error = capacity_of(kept, seed)
    facts = (
        _hebb(run, weights),
        _recalled(run, patterns, seed),
        Fact(
            "largest change of the energy by a turn", float(np.nanmax(np.diff(shown.numbers["energies"], axis=0))), maximum=0.0
        ),
        _overlap(kept),
        Fact(
            f"capacity, where {NEURONS[0]} and {NEURONS[-1]} neurons lose alike",
            capacity,
            float(np.hypot(error, FORM)),
            reference=CAPACITY,
            source="Amit, Gutfreund, Sompolinsky 1985",
        ),
        Fact("digits that stay where they were stored, of ten", float(_digits_kept())),
    )
    return Outcome(_verdict(facts), facts, (shown, kept))


def _hebb(run: Run, weights: Array) -> Fact:
    """Couplings that one step of gradient descent has made beside Hebb's."""
    difference = float(np.abs(run.parameters()["hopfield1.W"] - weights).max())
    return Fact(
        "W after one step down the energy − Hebb's W", difference, reference=0.0, tolerance=1e-12, source="Hopfield 1982"
    )


def _recalled(run: Run, patterns: Array, seed: int) -> Fact:
    """The fraction of the pixels that are right after the network's recall, all neurons at once, from corrupted drawings."""
    random = np.random.default_rng(seed)
    wrong = random.random((TRIALS, *patterns.shape)) < FLIPPED
    right: list[Array] = [run.predict(np.where(wrong[trial], -patterns, patterns)) == patterns for trial in range(TRIALS)]
    shares = [float(np.mean(pixels)) for pixels in right]
    name = f"pixels right after recall, {100 * FLIPPED:.0f} % were wrong"
    return mean_fact(name, np.array(shares), minimum=0.99)


def _overlap(kept: View) -> Fact:
    """The overlap of the largest memory at a load well below capacity."""
    values = kept.numbers["overlaps"][-1, int(np.abs(kept.numbers["loads"] - JUDGED).argmin())]
    known = float(np.interp(JUDGED, *retrieval_theory()))
    name = f"overlap at α = {JUDGED}, {kept.numbers['neurons'][-1]} neurons"
    return mean_fact(name, values, reference=known, source="theory, infinitely many")


def capacity_of(kept: View, seed: int = 0, resamplings: int = 400) -> tuple[float, float]:
    """The load at which the largest memory begins to lose a larger fraction of its patterns than the smallest, and its standard error.

    Below the capacity a larger memory loses less, above it more: the curves of two sizes cross there, up to what the finite sizes do.
    The error is that of sets of patterns drawn again from those there are (bootstrap).
    """
    random = np.random.default_rng(seed)
    all_sets: NDArray[np.int64] = np.arange(int(kept.numbers["recalled"].shape[2]), dtype=np.int64)
    drawn = [_crossing(kept, *(random.choice(all_sets, len(all_sets)) for _ in range(2))) for _ in range(resamplings)]
    return _crossing(kept, all_sets, all_sets), float(np.std(drawn, ddof=1))


def _crossing(kept: View, of_smallest: Array, of_largest: Array) -> float:
    """Where a parabola through the differences of the shares, inside the window, crosses 0 upwards; else where it comes nearest."""
    inside = (kept.numbers["loads"] >= WINDOW[0]) & (kept.numbers["loads"] <= WINDOW[1])
    smallest, largest = kept.numbers["recalled"][0][:, of_smallest], kept.numbers["recalled"][-1][:, of_largest]
    parabola = np.polynomial.Polynomial.fit(
        kept.numbers["loads"][inside], (smallest.mean(axis=1) - largest.mean(axis=1))[inside], 2
    )
    loads = np.linspace(*WINDOW, 2001)
    values = parabola(loads)
    upwards = np.flatnonzero((values[:-1] < 0) & (values[1:] >= 0))
    return float(loads[upwards[-1] if len(upwards) else np.abs(values).argmin()])


def _digits_kept() -> int:
    """How many of ten digits, the first of each class, stay where they were stored together."""
    data = mnist().train
    first = [int(np.flatnonzero(data.y == digit)[0]) for digit in range(10)]
    patterns = np.where(data.x[first] > 127, 1.0, -1.0)
    ended = hopfield_recall(hebb_weights(patterns), patterns)
    return int(np.sum(np.all(ended.states == patterns, axis=1)))


def _verdict(facts: tuple[Fact, ...]) -> str:
    _, recalled, _, _, capacity, digits = facts
    word = "as theory says" if capacity.agrees else "which is not what theory says"
    return (
        f"Five drawings are recalled: {100 * recalled.value:.1f} % of the pixels are right. Random patterns are kept up to "
        f"{capacity.measured} patterns a neuron, {word}. Of ten handwritten digits {digits.value:.0f} stay: Hebb's rule takes patterns "
        "to be unlike each other, and digits, mostly dark, are alike."
    )


HOPFIELD = LectureExample(
    "hopfield",
    "Hopfield's memory recalls patterns, up to a load",
    "Patterns of ±1 are stored in the couplings of all neurons with all others by Hebb's rule, which is one step of gradient descent on "
    "the energy E = −½ s·W·s. A corrupted pattern then falls downhill into a stored one. How many random patterns fit in? Each is "
    "recalled from itself; for infinitely many neurons theory says that up to 0.1379 patterns a neuron are kept nearly without a mistake, "
    "and none beyond. Below that load a larger memory loses a smaller fraction of its patterns, above it a larger one: where the curves of "
    "two sizes cross, the capacity lies. Its error bar holds the patterns drawn and, 0.005, the form of the curves.",
    "134",
    _trainings,
    _conclude,
)
