"""The Ising examples: T_c out of networks that saw only cold and hot lattices agrees with Onsager's, in a smaller version."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.data import CRITICAL_TEMPERATURE
from chainrule.examples.estimates import crossing, mean_with_error, resampled, weighted_polynomial
from chainrule.examples.phases import ISING, cumulants_meet, judge, main_direction, meeting_errors


@pytest.fixture(scope="module")
def judged():
    trainings = ISING.trainings(0)
    return [
        judge(trainings[f"size {size}"].changed(replicas=2).fit(), size, count, 1) for size, count in ((16, 600), (32, 400))
    ]


def test_the_cumulants_of_the_learned_order_meet_at_onsagers_temperature(judged):
    (found, meeting), (error, _) = cumulants_meet(*judged), meeting_errors(*judged, np.random.default_rng(0))
    assert error < 0.015
    assert abs(found - CRITICAL_TEMPERATURE) < 2 * error
    assert 0.58 < meeting < 0.64


def test_the_networks_weigh_all_spins_alike(judged):
    assert min(each.alignment.min() for each in judged) > 0.95
    weighed = np.abs(judged[1].weighed[0]).ravel()
    assert np.corrcoef(weighed, np.abs(judged[1].magnetisation).ravel())[0, 1] > 0.99


def test_larger_lattices_lose_their_order_closer_to_the_critical_temperature(judged):
    random = np.random.default_rng(0)
    (small, small_error), (large, large_error) = (each.crossing(random) for each in judged)
    assert small - large > 3 * np.hypot(small_error, large_error)
    assert large > CRITICAL_TEMPERATURE


def test_the_weighted_polynomial_is_numpys_and_its_errors_are_true():
    random, x, sigma = np.random.default_rng(0), np.linspace(0, 1, 8), np.linspace(0.1, 0.3, 8)
    truth = 1 + 2 * x - x**2
    fits = [weighted_polynomial(x, truth + sigma * random.standard_normal(8), sigma, 2) for _ in range(2000)]
    found = np.array([fit.coefficients for fit in fits])
    np.testing.assert_allclose(found.std(axis=0), fits[0].errors, rtol=0.06)
    np.testing.assert_allclose(np.mean([fit.chi_squared for fit in fits]), fits[0].freedom, rtol=0.05)
    y = truth + sigma * random.standard_normal(8)
    np.testing.assert_allclose(
        weighted_polynomial(x, y, sigma, 2).coefficients, np.polyfit(x, y, 2, w=1 / sigma)[::-1], rtol=1e-9
    )


def test_crossings_of_curves_that_fall_and_rise_and_of_none():
    t = np.linspace(-1, 1, 9)
    curve = 1 / (1 + np.exp(8 * (t - 0.1)))
    assert crossing(t, curve) == pytest.approx(0.1, abs=1e-9)
    assert crossing(t, 1 - curve) == pytest.approx(0.1, abs=1e-9)
    assert np.isnan(crossing(t, np.full(9, 0.7)))


def test_resampling_gives_the_standard_error_of_a_mean():
    random = np.random.default_rng(0)
    rows = random.standard_normal(400)
    spread = resampled(rows, lambda drawn: float(drawn.mean()), random).std(ddof=1)
    assert spread == pytest.approx(mean_with_error(rows)[1], rel=0.15)


def test_the_main_direction_of_one_pattern_is_that_pattern():
    pattern = np.array([0.6, -0.8, 0.0])
    assert abs(main_direction(np.outer(pattern, [1.0, -2.0])) @ pattern) == pytest.approx(1.0)
