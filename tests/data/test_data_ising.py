"""Ising lattices against the exact laws: enumeration, Kaufman's torus, Onsager's energy, Yang's magnetisation."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.special import ellipk

from chainrule.data import CRITICAL_TEMPERATURE, ising, ising_temperatures, load
from chainrule.data.spins import SpinLattices, sample_spins
from chainrule.errors import ChainruleError


def observables(spins, size):
    """Energy per site and |m| of lattices of 0 and 1."""
    s = 2.0 * spins.reshape(-1, size, size) - 1
    return -(s * np.roll(s, 1, 1) + s * np.roll(s, 1, 2)).mean((1, 2)), np.abs(s.mean((1, 2)))


def agree(values, exact, sigmas=4.5):
    assert abs(values.mean() - exact) < sigmas * values.std() / np.sqrt(len(values)) + 1e-12


def all_lattices_of_four():
    states = np.arange(2**16)
    return observables((states[:, None] >> np.arange(16)) & 1, 4)


def kaufman(size, temperature):
    """Energy per site of a size × size torus: Kaufman, Phys. Rev. 76 (1949) 1232, eq. 49."""

    def log_z(k):
        index = np.arange(2 * size)
        gamma = np.arccosh(np.cosh(2 * k) / np.tanh(2 * k) - np.cos(index * np.pi / size))
        gamma[0] = 2 * k + np.log(np.tanh(k))
        half = size * gamma / 2
        total = np.float64(0)
        scale = np.abs(half[1::2]).sum()
        for which in (half[1::2], half[0::2]):
            a = np.abs(which)
            total += np.exp(a.sum() - scale) * (
                np.prod(1 + np.exp(-2 * a)) + np.prod(np.sign(which)) * np.prod(1 - np.exp(-2 * a))
            )
        return size**2 / 2 * np.log(2 * np.sinh(2 * k)) - np.log(2) + scale + np.log(total)

    k, h = 1 / temperature, 1e-5
    return -(log_z(k + h) - log_z(k - h)) / (2 * h) / size**2


def onsager_energy(temperature):
    """Onsager, Phys. Rev. 65 (1944) 117: u = −coth 2K [1 + (2/π)(2 tanh² 2K − 1) K₁(κ)], κ = 2 sinh 2K / cosh² 2K."""
    k = 2 / temperature
    return -1 / np.tanh(k) * (1 + 2 / np.pi * (2 * np.tanh(k) ** 2 - 1) * ellipk((2 * np.sinh(k) / np.cosh(k) ** 2) ** 2))


@pytest.mark.parametrize("temperature", [1.5, CRITICAL_TEMPERATURE, 3.5])
def test_the_exact_energy_of_a_torus_is_that_of_all_its_states(temperature):
    energy, _ = all_lattices_of_four()
    weights = np.exp(-(energy - energy.min()) * 16 / temperature)
    assert kaufman(4, temperature) == pytest.approx((energy * weights).sum() / weights.sum(), rel=1e-8)


@pytest.mark.parametrize("temperature", [1.5, CRITICAL_TEMPERATURE, 3.5])
def test_lattices_of_four_follow_the_boltzmann_distribution(temperature):
    energies, magnetisations = all_lattices_of_four()
    weights = np.exp(-(energies - energies.min()) * 16 / temperature)
    weights /= weights.sum()
    energy, magnetisation = observables(sample_spins(4, np.full(20_000, temperature), 20, 1), 4)
    agree(energy, energies @ weights)
    agree(magnetisation, magnetisations @ weights)
    agree(energy**2, energies**2 @ weights)  # with the mean: the heat capacity
    levels = np.unique(energies)
    counts = np.array([(energy == level).sum() for level in levels])
    expected = np.array([weights[energies == level].sum() for level in levels]) * 20_000
    common = expected > 5
    chi2 = ((counts - expected)[common] ** 2 / expected[common]).sum()
    assert chi2 < common.sum() + 5 * np.sqrt(2 * common.sum())


@pytest.mark.parametrize("moves", ["sweep", "step"])
def test_sweeps_alone_and_with_clusters_have_one_law(moves):
    lattices = SpinLattices(4, np.full(10_000, 3.0), np.random.default_rng(3))
    for _ in range(40):
        getattr(lattices, moves)()
    agree(observables(lattices.spins(), 4)[0], kaufman(4, 3.0))


def test_clusters_alone_keep_the_law():
    lattices = SpinLattices(4, np.full(10_000, 2.5), np.random.default_rng(4))
    for _ in range(20):
        lattices.step()
    for _ in range(5):
        lattices.turn_clusters()
    agree(observables(lattices.spins(), 4)[0], kaufman(4, 2.5))


@pytest.mark.parametrize("temperature", [1.8, 2.1, CRITICAL_TEMPERATURE, 2.4, 3.0])
def test_energy_at_size_32_is_kaufmans(temperature):
    energy, _ = observables(sample_spins(32, np.full(512, temperature), 40, 7), 32)
    agree(energy, kaufman(32, temperature))


@pytest.mark.parametrize("temperature", [1.5, 1.9, 2.9, 3.5])
def test_energy_is_onsagers_away_from_the_critical_point(temperature):
    energy, _ = observables(sample_spins(64, np.full(128, temperature), 20, 2), 64)
    agree(energy, onsager_energy(temperature))


@pytest.mark.parametrize("temperature", [1.5, 1.8, 2.0])
def test_magnetisation_is_yangs(temperature):
    # Yang, Phys. Rev. 85 (1952) 808.
    _, magnetisation = observables(sample_spins(64, np.full(128, temperature), 20, 2), 64)
    agree(magnetisation, (1 - np.sinh(2 / temperature) ** -4) ** 0.125)


@pytest.mark.parametrize("temperature", [0.01, 1e9])
def test_chances_of_nearly_one(temperature):
    energy, _ = observables(sample_spins(8, np.full(640, temperature), 5, 1), 8)
    agree(energy, -2.0 if temperature < 1 else 0.0)


def test_up_and_down_are_equal():
    spins = sample_spins(8, np.full(4000, 1.2), 5, 0)
    assert abs((spins.mean(1) > 0.5).mean() - 0.5) < 4 * 0.5 / np.sqrt(4000)


def test_each_lattice_has_its_own_temperature_whatever_its_neighbours_in_a_word():
    temperatures = np.tile([1.5, 2.5, 5.0], 2000)
    energy, _ = observables(sample_spins(8, temperatures, 30, 5), 8)
    for temperature in (1.5, 2.5, 5.0):
        agree(energy[temperatures == temperature], kaufman(8, temperature))


def memory(move):
    """The correlation of |m| before and after 13 moves at size 32 and T_c."""
    lattices = SpinLattices(32, np.full(512, CRITICAL_TEMPERATURE), np.random.default_rng(1))
    for _ in range(30):
        lattices.step()
    _, before = observables(lattices.spins(), 32)
    for _ in range(13):
        getattr(lattices, move)()
    _, after = observables(lattices.spins(), 32)
    return np.corrcoef(before, after)[0, 1]


def test_clusters_forget_the_past_at_the_critical_point_where_sweeps_alone_do_not():
    # The documented τ of |m| is 4.3 at size 32: after 13 steps e⁻³ = 0.05 are left.
    assert memory("step") < 0.05 + 4 / np.sqrt(512)
    assert memory("sweep") > 0.5


def test_the_data_set():
    data = ising(200, size=8, temperatures=4, seed=3)
    assert (len(data.train), len(data.test)) == (160, 40)
    assert data.classes == ("ordered", "disordered")
    assert data.train.x.dtype == np.uint8
    assert set(np.unique(data.scaling.apply(data.train.x))) == {-1.0, 1.0}
    hot = ising_temperatures(data)
    for part, examples in data.parts():
        assert np.array_equal(examples.y, (hot[part] >= CRITICAL_TEMPERATURE).astype(int))
        assert np.unique(hot[part], return_counts=True)[1].tolist() == [len(examples) // 4] * 4
    assert np.unique(hot["training"]).tolist() == [1.5, 2.0, 2.5, 3.0]
    order = np.abs(2.0 * data.train.x - 1).mean(1)
    cold, warm = (np.abs((2.0 * data.train.x[hot["training"] == t] - 1).mean(1)).mean() for t in (1.5, 3.0))
    assert cold > 0.9 > 0.6 > warm
    assert order.min() == 1


def test_targets_and_thresholds_share_the_spins():
    phase = ising(60, size=8, temperatures=[1.0, 2.0, 4.0])
    number = load("ising", n=60, size=8, temperatures=[1.0, 2.0, 4.0], target="temperature")
    confused = ising(60, size=8, temperatures=(1.0, 2.0, 4.0), threshold=1.5)
    assert np.array_equal(phase.train.x, number.train.x)
    assert np.array_equal(phase.train.x, confused.train.x)
    assert np.array_equal(number.train.y[:, 0], ising_temperatures(number)["training"])
    assert np.array_equal(confused.train.y, (number.train.y[:, 0] > 1.5).astype(int))
    assert number.task == "regression"


def test_temperatures_of_examples_that_were_chosen_anew_are_not_guessed():
    data = ising(60, size=4, temperatures=3)
    with pytest.raises(ChainruleError, match="chosen anew"):
        ising_temperatures(dataclasses.replace(data, train=data.train[:10]))


def test_origin_and_seed():
    data = ising(60, size=8, temperatures=np.array([1.0, 4.0]), seed=1)
    assert data.origin["temperatures"] == [1.0, 4.0]
    assert load(**data.origin).hash == data.hash
    assert ising(60, size=8, temperatures=[1.0, 4.0], seed=2).hash != data.hash
    # More than one block of 512 lattices: threads do not change the result.
    assert np.array_equal(sample_spins(4, np.full(1100, 2.0), 3, 9), sample_spins(4, np.full(1100, 2.0), 3, 9))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ising(size=7), "size=7(.|\n)*even"),
        (lambda: ising(size=2), "size=2"),
        (lambda: ising(5), "n=5"),
        (lambda: ising(temperatures=1), "temperatures=1"),
        (lambda: ising(temperatures=[0.0, 1.0]), "above 0"),
        (lambda: ising(temperatures=[1.0, 2.0]), "one side of threshold"),
        (lambda: ising(target="phases"), "target='phases'"),
        (lambda: ising(threshold=-1), "threshold=-1"),
        (lambda: ising(steps=0), "steps=0"),
        (lambda: ising_temperatures(load("moons")), "does not come from ising"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(ChainruleError, match=message):
        make()


@pytest.mark.parametrize("temperature", [2.2, CRITICAL_TEMPERATURE, 2.35])
def test_the_usual_steps_forget_the_start_at_size_64(temperature):
    energy, _ = observables(sample_spins(64, np.full(256, temperature), 50, 11), 64)
    agree(energy, kaufman(64, temperature))
