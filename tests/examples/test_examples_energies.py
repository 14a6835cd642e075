"""The examples with an energy, on smaller versions: likelihoods rise to their bound, a memory holds what theory lets it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from chainrule.data import bars_and_stripes
from chainrule.examples import example
from chainrule.examples.hopfield_memory import capacity_of, drawings
from chainrule.nn import RestrictedBoltzmann
from chainrule.train import SGD, Cosine
from chainrule.views import pictures
from chainrule.views.pictures.applications.energies import exact_machines
from chainrule.views.pictures.applications.memories import CAPACITY, retrieval_theory


@pytest.fixture(scope="module")
def small_runs():
    """The three ways to learn, on pictures of 3 × 3 pixels."""
    changes = {"epochs": 8000, "replicas": 4, "batch_size": 16, "optimizer": SGD(Cosine(0.15))}
    trainings = example("boltzmann").trainings(0)
    small = {
        way: dataclasses.replace(
            one, data=bars_and_stripes(3), network=RestrictedBoltzmann(9, one.network.steps, one.network.chains)
        )
        for way, one in trainings.items()
    }
    return {way: one.changed(seed=0, **changes).fit() for way, one in small.items()}


def test_the_likelihood_rises_in_all_replicas_and_stays_below_its_bound(small_runs):
    curves = pictures.likelihood_curves(small_runs, [0, 2000, 8000])
    assert curves.bound == pytest.approx(-(4 - 0.25) * np.log(2))
    assert np.all(curves.likelihoods[:, -1] - curves.likelihoods[:, 0] > 1.5)
    assert np.all(curves.likelihoods < curves.bound)
    # At the start all 512 states are nearly alike.
    np.testing.assert_allclose(curves.likelihoods[:, 0], -9 * np.log(2), atol=0.01)


def test_a_longer_walk_is_better_than_one_step(small_runs):
    curves = pictures.likelihood_curves(small_runs, [8000])
    one, ten = (curves.likelihoods[curves.names.index(way), 0] for way in ("CD-1", "CD-10"))
    assert ten.mean() - one.mean() > 2 * np.hypot(ten.std(ddof=1), one.std(ddof=1)) / 2


def test_the_probabilities_are_those_of_all_states_enumerated(small_runs):
    states = pictures.state_probabilities(small_runs)
    assert states.true.sum() == pytest.approx(1)
    assert states.true.max() == pytest.approx(1 / 8)
    machine = exact_machines(small_runs["CD-10"])[0]
    assert machine.probabilities.sum() == pytest.approx(1, abs=1e-12)
    place = states.names.index("CD-10")
    everywhere = np.sort(machine.probabilities)[-14:].sum()
    assert states.believed[place, :, 0].sum() <= everywhere + 1e-12
    assert states.elsewhere[place, 0] == pytest.approx(1 - states.believed[place, :, 0].sum())


def test_the_conclusion_holds_on_small_pictures(small_runs):
    outcome = example("boltzmann").conclude(small_runs, 0)
    assert outcome.holds
    assert len(outcome.pictures) == 4
    found = {fact.name: fact for fact in outcome.facts}
    for way in small_runs:
        assert found[f"KL(data ‖ machine), {way}"].value == pytest.approx(
            -(4 - 0.25) * np.log(2) - found[f"log likelihood, {way}"].value
        )


def test_the_theorys_curve_solves_its_equations():
    """m = erf(y) and α·r·2·y² = m² with √r = 1/(1 − C), C = √(2/(π·α·r))·exp(−y²): the three equations at temperature 0."""
    from scipy.special import erf

    load, overlap = retrieval_theory()
    assert load[-1] == pytest.approx(CAPACITY, abs=1e-7)
    for alpha, m in zip(load[::40], overlap[::40], strict=True):
        r = 1.0
        for _ in range(10_000):
            c = np.sqrt(2 / (np.pi * alpha * r)) * np.exp(-(m**2) / (2 * alpha * r))
            r = 1 / (1 - c) ** 2
        assert m == pytest.approx(erf(m / np.sqrt(2 * alpha * r)), abs=2e-4)


def test_a_memory_below_capacity_agrees_with_theory():
    kept = pictures.overlap_against_load([400], [0.1], sets=6)
    values = kept.overlaps[0, 0]
    assert abs(values.mean() - np.interp(0.1, *retrieval_theory())) < 3 * values.std(ddof=1) / np.sqrt(6) + 5e-4


def test_the_capacity_is_where_the_curves_cross():
    kept = pictures.overlap_against_load([100, 400], [0.05, 0.12, 0.13, 0.14, 0.15, 0.16], sets=12, seed=1)
    found, error = capacity_of(kept)
    assert 0.0005 < error < 0.02
    assert abs(found - CAPACITY) < 0.02
    assert np.all(kept.recalled[1, 0] == 1)


def test_drawings_hardly_overlap():
    overlaps = drawings() @ drawings().T / 400
    assert np.abs(overlaps - np.eye(5)).max() < 0.06
    assert np.abs(drawings().mean(axis=1)).max() < 0.06


def test_drawings_come_back():
    training = example("hopfield").trainings(0)["memory"]
    run = training.fit()
    given = np.where(np.random.default_rng(0).random((5, 400)) < 0.25, -drawings(), drawings())
    assert np.array_equal(run.predict(given), drawings())


@pytest.mark.parametrize("name", ["Dreams", "LikelihoodCurves", "StateProbabilities", "OverlapAgainstLoad", "Recollection"])
def test_the_pictures_are_drawn_with_labels(small_runs, name, tmp_path):
    run = small_runs["CD-10"]
    made = {
        "Dreams": lambda: pictures.dreams(run, 12, steps=50),
        "LikelihoodCurves": lambda: pictures.likelihood_curves(small_runs, [0, 8000]),
        "StateProbabilities": lambda: pictures.state_probabilities(small_runs),
        "OverlapAgainstLoad": lambda: pictures.overlap_against_load([50], [0.05, 0.2], sets=2),
        "Recollection": lambda: pictures.recollection(drawings().T @ drawings() * (1 - np.eye(400)), drawings(), (20, 20)),
    }[name]()
    assert type(made).__name__ == name
    assert made.save(tmp_path / "picture.svg").stat().st_size > 1000
    figure = made.figure()
    axes = [ax for ax in figure.axes if ax.axison]
    assert all(ax.get_xlabel() and ax.get_ylabel() for ax in axes)
    assert made.reading.count(". ") == 0
