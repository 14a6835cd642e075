"""Replicated measurements: comparisons, laws and rankings against SciPy's, and what is claimed by chance."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from chainrule.errors import DataError, OptionError, ShapeError
from chainrule.examples.agreement import agreement, area_under_curve, rank_correlation, ranks
from chainrule.examples.few_digits import few_digits, halved
from chainrule.train.replicated import (
    Comparison,
    compare,
    compare_spreads,
    deviation,
    fit_power_law,
    listed,
    measured,
    ratio,
)
from chainrule.train.student import chance, quantile


@pytest.mark.parametrize("freedom", [1.0, 1.5, 2.0, 3.3, 7.0, 30.7, 1e4])
def test_students_t_is_scipys(freedom):
    for deviation_of in (0.1, 0.5, 1.0, 2.0, 3.0, 10.0, 1e3):
        expected = 2 * stats.t.sf(deviation_of, freedom)
        assert chance(deviation_of, freedom) == pytest.approx(expected, rel=1e-9)
        assert chance(-deviation_of, freedom) == chance(deviation_of, freedom)
    for probability in (0.9, 0.05, 1e-4):
        assert quantile(probability, freedom) == pytest.approx(stats.t.isf(probability / 2, freedom), rel=1e-9)


def test_students_t_at_its_ends():
    assert chance(0.0, 5) == 1.0
    assert chance(float("inf"), 5) == 0.0
    assert quantile(0.05, float("inf")) == pytest.approx(stats.norm.isf(0.025), rel=1e-12)
    for wrong in (lambda: chance(float("nan"), 5), lambda: chance(1.0, 0), lambda: quantile(0.0, 5)):
        with pytest.raises(OptionError):
            wrong()


@pytest.mark.parametrize("seed", range(5))
def test_a_comparison_is_welchs_test(seed):
    random = np.random.default_rng(seed)
    a, b = random.normal(0.3, 1.0, 7), random.normal(0.0, 3.0, 12)
    judge, found = stats.ttest_ind(a, b, equal_var=False), compare(a, b)
    assert found.probability == pytest.approx(judge.pvalue, rel=1e-9)
    assert found.freedom == pytest.approx(judge.df)
    low, high = judge.confidence_interval(0.95)
    assert (found.difference - found.reach, found.difference + found.reach) == pytest.approx((low, high), rel=1e-9)
    assert found.told_apart is bool(judge.pvalue < 0.05)


def test_a_paired_comparison_is_the_t_test_of_the_differences():
    random = np.random.default_rng(0)
    common = random.normal(0, 10, 8)
    a, b = common + random.normal(1, 0.5, 8), common + random.normal(0, 0.5, 8)
    assert compare(a, b, paired=True).probability == pytest.approx(stats.ttest_rel(a, b).pvalue, rel=1e-9)
    assert compare(a, b, paired=True).verdict == "larger"
    assert compare(b, a, paired=True).verdict == "smaller"
    assert compare(a, b).verdict == "cannot be told apart"


def test_spreads_are_compared_by_distances_from_the_median():
    random = np.random.default_rng(8)
    a, b = random.normal(5, 2, 20), random.normal(0, 1, 20)
    found = compare_spreads(a, b)
    # With equal numbers the statistic is that of the pooled test; only the degrees of freedom differ.
    assert found.sigmas**2 == pytest.approx(stats.levene(a, b, center="median").statistic)
    assert found.probability == pytest.approx(
        stats.ttest_ind(abs(a - np.median(a)), abs(b - np.median(b)), equal_var=False).pvalue
    )


def test_several_comparisons_together_claim_no_more_by_chance_than_one():
    random = np.random.default_rng(1)
    claims = {1: 0, 10: 0}
    for _ in range(300):
        rows = random.normal(0, 1, (11, 6))
        for among in claims:
            claims[among] += any(compare(row, rows[0], paired=False, among=among).told_apart for row in rows[1:])
    # With ten looks at 5 % each nearly a third claim something; shared out, no more than one in twenty (and its chance).
    assert claims[1] > 60
    assert claims[10] < 300 * 0.05 + 3 * np.sqrt(300 * 0.05)


def test_equal_numbers_are_not_told_apart_and_exact_ones_are():
    assert compare([1.0, 1.0], [1.0, 1.0]).verdict == "cannot be told apart"
    assert compare([1.0, 1.0], [2.0, 2.0]).verdict == "smaller"
    assert Comparison(0.0, 0.0, 3).probability == 1.0


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(DataError, match="2 measurements"):
        measured([1.0])
    with pytest.raises(DataError):
        measured([1.0, np.nan])
    with pytest.raises(ShapeError):
        compare([1.0, 2.0], [1.0, 2.0, 3.0], paired=True)
    with pytest.raises(ShapeError):
        measured(np.zeros((2, 2)))
    with pytest.raises(OptionError):
        compare([1.0, 2.0], [1.0, 2.0], among=0)


def test_a_widened_error_covers_the_truth_as_often_as_two_sigmas_do():
    random = np.random.default_rng(2)
    draws = [measured(random.normal(0, 1, 4)) for _ in range(2000)]
    inside = np.mean([abs(found.value) <= 2 * found.widened for found in draws])
    assert inside == pytest.approx(0.9545, abs=4 * np.sqrt(0.9545 * 0.0455 / 2000))
    assert np.mean([abs(found.value) <= 2 * found.error for found in draws]) < 0.9


def test_a_ratio_has_the_scatter_that_it_says():
    random = np.random.default_rng(3)
    values = [ratio(measured(random.normal(4, 0.4, 16)), measured(random.normal(2, 0.1, 16))) for _ in range(500)]
    ratios, errors = np.array(values).T
    assert ratios.std() == pytest.approx(errors.mean(), rel=0.1)


def test_a_power_law_is_the_weighted_straight_line_of_the_logarithms():
    random, x = np.random.default_rng(4), np.array([8.0, 16, 32, 64, 128])
    errors = np.array([0.1, 0.02, 0.03, 0.02, 0.01])
    y = 3 * x**-0.5 + random.normal(0, 1, 5) * errors
    law = fit_power_law(x, y, errors)
    slope, level = np.polyfit(np.log(x), np.log(y), 1, w=y / errors)
    assert law.exponent == pytest.approx(slope)
    assert np.log(law.factor) == pytest.approx(level)
    covariance = np.polyfit(np.log(x), np.log(y), 1, w=y / errors, cov="unscaled")[1]
    assert law.error == pytest.approx(np.sqrt(covariance[0, 0]) * max(1, np.sqrt(law.chi_squared / 3)))
    assert law.holds
    assert law.verdict == "falls"
    np.testing.assert_allclose(law(x), law.factor * x**law.exponent)


def test_a_bent_curve_is_no_power_law_and_a_flat_one_has_no_direction():
    x = np.array([1.0, 10, 100, 1000])
    assert not fit_power_law(x, [1.0, 0.5, 0.4, 0.39], [0.01] * 4).holds
    assert fit_power_law(x, [1.0, 1.1, 0.9, 1.05], [0.1] * 4).verdict == "cannot be told from a constant"
    assert fit_power_law(x, x, 0.1 * x).verdict == "rises"
    with pytest.raises(DataError):
        fit_power_law(x, [1.0, 1.0, 0.0, 1.0], [0.1] * 4)


def test_the_jackknife_gives_the_scatter_of_a_standard_deviation():
    random = np.random.default_rng(5)
    found = np.array([deviation(random.normal(0, 2, 30)) for _ in range(400)])
    assert found[:, 0].std() == pytest.approx(found[:, 1].mean(), rel=0.1)


def test_names_are_listed():
    assert [listed(names) for names in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]


def test_ranks_correlations_and_areas_are_the_judges():
    random = np.random.default_rng(6)
    rows = random.integers(0, 5, (3, 40)).astype(float)
    np.testing.assert_array_equal(ranks(rows[0]), stats.rankdata(rows[0]))
    pairs = [stats.spearmanr(rows[i], rows[j]).statistic for i, j in ((0, 1), (0, 2), (1, 2))]
    assert rank_correlation(rows) == pytest.approx(np.mean(pairs))
    wrong = random.random(40) < 0.3
    assert area_under_curve(rows[0], wrong)[0] == pytest.approx(roc_auc_score(wrong, rows[0]))
    with pytest.raises(DataError):
        area_under_curve(rows[0], np.zeros(40, bool))


def test_agreement_is_nought_by_chance_for_any_share_and_finds_the_easy():
    random = np.random.default_rng(7)
    for share in (0.1, 0.5, 0.9):
        assert agreement(random.random((6, 4000)) < share) == pytest.approx(0.0, abs=0.02)
    easy = random.random(4000) < 0.5
    right = np.where(easy, random.random((6, 4000)) < 0.9, random.random((6, 4000)) < 0.3)
    # Variance between over all variance: (0.3)² / (0.6 · 0.4).
    assert agreement(right) == pytest.approx(0.09 / 0.24, abs=0.03)
    with pytest.raises(DataError):
        agreement(right[:1])


def test_few_digits_are_drawn_by_the_seed_and_halved_by_means():
    first, again, other = few_digits(50, 20, seed=1), few_digits(50, 20, seed=1), few_digits(50, 20, seed=2)
    assert first.hash == again.hash != other.hash
    assert np.array_equal(first.test.x, other.test.x)
    image = np.zeros((1, 784), np.uint8)
    image[0, [0, 1, 28]] = 255, 255, 3
    assert halved(image)[0, 0] == round((255 + 255 + 3) / 4)
    with pytest.raises(OptionError):
        few_digits(0)
