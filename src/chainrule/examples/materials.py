"""Properties of materials from a table in which each number has an error of its own: a law, found with honest errors."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.data import Dataset, composite_bulk_modulus, materials, materials_table, with_errors
from chainrule.examples.estimates import mean_with_error
from chainrule.examples.example import LectureExample, Outcome, Runs
from chainrule.examples.fact import Fact
from chainrule.graph import Array
from chainrule.nn import Dense, Sequential
from chainrule.numerals import numeral
from chainrule.train import LBFGS, Adam, Cosine, Run, Training, fit
from chainrule.views import pictures

SIGMA, TRUTH, MEASURED = "sigma (GPa)", "truth (GPa)", "composite K (GPa)"
MEASUREMENTS = 2000
"""How many materials the table holds; as many more are kept for judging."""
RESAMPLED = 12
"""How many networks learn from the table drawn anew."""
ONE_SIGMA = 0.6827
"""How much of a normal distribution lies within one standard deviation."""
SLICE = (5.0, 2.5, 100.0)
"""The moduli of the materials along the curve that is drawn, in GPa: matrix K and G, inclusion K."""


def table(seed: int, n: int = MEASUREMENTS) -> Dataset:
    """The composites with the standard error of each measurement beside it."""
    data = materials(n, seed=seed)
    return with_errors(
        data, materials_table(data)[SIGMA], test=materials_table(data, "test")[SIGMA]
    )  # fmt: skip


def drawn_anew(data: Dataset, seed: int) -> Dataset:
    """As many training rows, drawn from the table with replacement: B. Efron, The Annals of Statistics 7, 1 (1979)."""
    chosen = np.random.default_rng(seed).integers(len(data.train), size=len(data.train))
    return dataclasses.replace(data, train=data.train[chosen])


def _trainings(seed: int) -> Mapping[str, Training]:
    net, data = Sequential(Dense(16, "tanh"), Dense(1)), table(seed)
    options: dict[str, Any] = {
        "loss": "chi_squared",
        "optimizer": Adam(Cosine(0.02)),
        "batch_size": 100,
        "epochs": 500,
        "evaluate_every": 0,
    }
    again = {
        f"drawn anew, {number}": Training(net, drawn_anew(data, 1000 * seed + number), **options, seed=1000 * seed + number)
        for number in range(1, RESAMPLED + 1)
    }
    return {"the table": Training(net, data, **options, seed=seed), **again}


def at_the_minimum(run: Run) -> Run:
    """The run's network brought to the least χ² near it: L-BFGS, whose search takes all examples at once, goes on from its weights."""
    found = LBFGS(iterations=800)
    return fit(
        run.problem.network, run.data, loss="chi_squared", optimizer=found, initial=run.parameters(), engine=run.settings.engine
    )


def _conclude(trained: Runs, seed: int) -> Outcome:
    runs = {name: at_the_minimum(run) for name, run in trained.items()}
    run, again = runs["the table"], [runs[name] for name in runs if name != "the table"]
    known = {part: materials_table(materials(MEASUREMENTS, seed=seed), part) for part in ("training", "test")}
    data = dict(run.data.parts())
    predicted = {part: np.asarray(run.predict(data[part].x), np.float64)[:, 0] for part in known}
    others: list[Array] = [each.predict(data["test"].x)[:, 0] for each in again]
    band: Array = np.stack(others).std(axis=0, ddof=1)
    test, sigma = known["test"], known["test"][SIGMA]
    learned = (predicted["training"] - known["training"][MEASURED]) / known["training"][SIGMA]
    parameters = sum(value.size for value in run.parameters().values())
    freedom = len(learned) - parameters
    pulls = (predicted["test"] - test[MEASURED]) / np.hypot(sigma, band)
    mean, mean_error = mean_with_error(pulls)
    width, width_error = float(pulls.std(ddof=1)), float(pulls.std(ddof=1) / np.sqrt(2 * (len(pulls) - 1)))
    inside = float(np.mean(np.abs(predicted["test"] - test[TRUTH]) <= band))
    # All points share one network, which can be off in no more independent ways than it has parameters; and their bands share the
    # few networks that they are the spread of: a width that is off by a fraction s changes the covered part by 2φ(1)·s, at most.
    counting = np.sqrt(ONE_SIGMA * (1 - ONE_SIGMA) / min(parameters, len(pulls)))
    inside_error = float(np.hypot(counting, 0.484 / np.sqrt(2 * (len(again) - 1))))
    covered = Fact("band holds the law", inside, inside_error, reference=ONE_SIGMA, source="one σ of a normal distribution")
    off = np.abs(predicted["test"] / test[TRUTH] - 1)
    facts = (
        Fact(
            "χ²/dof of the fit",
            float(np.sum(learned**2) / freedom),
            float(np.sqrt(2 / freedom)),
            reference=1.0,
            source="true errors",
        ),
        Fact("mean of the test pulls", mean, mean_error, reference=0.0, source="no bias"),
        Fact("width of the test pulls", width, width_error, reference=1.0, source="true errors"),
        covered,
        Fact("median distance from the law", float(100 * np.median(off)), unit="%", maximum=1.0, source="least σ: 1.5 %"),
    )
    judged = (
        "which cannot be told apart from the 68 % of an honest one" if covered.agrees
        else "less than 68 %: it is too narrow" if inside < ONE_SIGMA else "more than 68 %: it is too wide"
    )  # fmt: skip
    verdict = (
        f"The network finds the law behind {len(learned)} measurements to {numeral(100 * np.median(off), 1)} % (median), "
        "closer than any of them "
        f"is precise, with χ²/dof = {facts[0].measured}. Its band of one standard error holds the law for {inside:.0%} of new "
        f"materials, {judged}."
    )
    shown = np.argsort(test["inclusion fraction"])[:: len(pulls) // 40]
    drawn = (
        pictures.PullHistogram("test materials", pulls),
        _along_the_fraction(runs),
        pictures.LawAndBand(
            "inclusion fraction f", "difference from the law (GPa)", test["inclusion fraction"][shown], np.zeros(len(shown)),
            predicted["test"][shown] - test[TRUTH][shown], band[shown], test[MEASURED][shown] - test[TRUTH][shown], sigma[shown],
        ),
    )  # fmt: skip
    return Outcome(verdict, facts, drawn)


def _along_the_fraction(runs: Runs) -> pictures.LawAndBand:
    """Law and networks for one matrix and one inclusion, at every fraction."""
    fraction = np.linspace(0, 0.6, 61)
    moduli = [np.full(len(fraction), value) for value in SLICE]
    x = np.column_stack([*moduli, fraction])
    found: list[Array] = [np.asarray(run.predict(x), np.float64)[:, 0] for run in runs.values()]
    nothing = np.zeros(0)
    return pictures.LawAndBand(
        "inclusion fraction f", "bulk modulus of the composite (GPa)", fraction,
        composite_bulk_modulus(moduli[0], moduli[1], moduli[2], fraction),
        found[0], np.std(found[1:], axis=0, ddof=1), nothing, nothing,
    )  # fmt: skip


MATERIALS = LectureExample(
    "materials",
    "The stiffness of composites from a table with error bars",
    "A composite is as stiff as its matrix, its inclusions and their fraction make it. Here the law is known: the lower bound of "
    "Hashin and Shtrikman (J. Mech. Phys. Solids 11 (1963) 127), to which noise was added, with a standard error σ of its own for each of "
    f"{MEASUREMENTS} materials. A network of 16 neurons is fitted with the loss χ² = Σ ((a − y)/σ)², so that precise measurements count "
    "more. If it has found the law and the errors are true, χ²/dof is 1, and on new materials the pulls, differences over their standard "
    f"errors, have mean 0 and width 1. Its own error is the spread of {RESAMPLED} networks that learned from the table drawn anew, row by "
    "row with replacement: does that band hold the law as often as a standard error should, in 68 % of the cases?",
    "136, 139",
    _trainings,
    _conclude,
)
