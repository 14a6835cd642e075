"""Student's t distribution: how likely a deviation is by chance, measured in standard errors that were themselves estimated."""

from __future__ import annotations

from math import erfc, exp, inf, isfinite, isnan, lgamma, log, log1p, sqrt

from chainrule.errors import OptionError

_TINY = 1e-300
_MOST_TERMS = 10_000


def chance(deviation: float, freedom: float) -> float:
    """The probability of |t| ≥ |deviation| for Student's t with so many degrees of freedom: the two-sided p-value.

    Source: Student, Biometrika 6, 1 (1908); as the incomplete beta function I_x(ν/2, ½) at x = ν/(ν + t²).

    >>> round(chance(2.0, 7), 4), round(chance(2.0, float("inf")), 4)
    (0.0856, 0.0455)
    """
    if isnan(deviation) or not freedom > 0:
        raise OptionError(
            f"t = {deviation!r} with {freedom!r} degrees of freedom",
            expected="a number, and more than 0 degrees of freedom",
            remedy="measure at least twice",
        )
    if freedom == inf:
        return erfc(abs(deviation) / sqrt(2))
    squared = deviation * deviation
    if squared == inf:
        return 0.0
    return _incomplete_beta(freedom / 2, 0.5, freedom / (freedom + squared), squared / (freedom + squared))


def quantile(probability: float, freedom: float) -> float:
    """The t that |t| exceeds with this probability: how many estimated standard errors count as a surprise.

    >>> round(quantile(0.05, 7), 3), round(quantile(0.05, float("inf")), 3)
    (2.365, 1.96)
    """
    if not 0 < probability < 1:
        raise OptionError(f"probability {probability!r}", expected="a number between 0 and 1", remedy="write 0.05")
    low, high = 0.0, 1.0
    while chance(high, freedom) > probability:
        low, high = high, 2 * high
        if not isfinite(high * high):
            return high
    middle = (low + high) / 2
    while low < middle < high:
        low, high = (middle, high) if chance(middle, freedom) > probability else (low, middle)
        middle = (low + high) / 2
    return middle


def _incomplete_beta(a: float, b: float, x: float, rest: float) -> float:
    """I_x(a, b), the regularised incomplete beta function; `rest` is 1 − x, given apart since it may be tiny."""
    if x <= 0 or rest <= 0:
        return float(rest <= 0)
    # The continued fraction converges fast only on this side of the mean; on the other the symmetry I_x(a, b) = 1 − I_{1−x}(b, a) helps.
    if x > (a + 1) / (a + b + 2):
        return 1.0 - _incomplete_beta(b, a, rest, x)
    logarithm_of_x = log1p(-rest) if rest < 0.5 else log(x)
    logarithm_of_rest = log1p(-x) if x < 0.5 else log(rest)
    front = a * logarithm_of_x + b * logarithm_of_rest - (lgamma(a) + lgamma(b) - lgamma(a + b))
    return exp(front) / a / _fraction(a, b, x)


def _fraction(a: float, b: float, x: float) -> float:
    """The continued fraction 1 + d₁/(1 + d₂/(1 + ...)) of the incomplete beta function (DLMF 8.17.22), by Lentz's method."""
    value, upper, lower = 1.0, 1.0, 0.0
    for term in range(1, _MOST_TERMS):
        half, odd = divmod(term, 2)
        size = (
            -(a + half) * (a + b + half) * x / ((a + 2 * half) * (a + 2 * half + 1))
            if odd
            else half * (b - half) * x / ((a + 2 * half - 1) * (a + 2 * half))
        )
        lower = 1.0 / (1.0 + size * lower or _TINY)
        upper = 1.0 + size / upper or _TINY
        value *= upper * lower
        if abs(upper * lower - 1.0) < 1e-15:
            break
    return value
