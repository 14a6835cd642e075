"""Replicated measurements: means with their errors, two of them compared, and power laws through several, each with its verdict."""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot, inf, sqrt
from typing import Literal, TypeAlias

import numpy as np

from chainrule.display import Shown
from chainrule.errors import DataError, OptionError, ShapeError
from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.numerals import numeral
from chainrule.train.student import chance, quantile

LEVEL = 0.05
"""How often a difference is claimed where there is none."""
_TWO_SIGMA = 0.0455
"""How often a normal number lies more than two standard deviations from its mean."""
Verdict: TypeAlias = Literal["larger", "smaller", "cannot be told apart"]


@immutable
class Measured(Shown):
    """A mean of `count` independent measurements, and its standard error.

    >>> print(measured([0.94, 0.95, 0.96]))
    0.9500 ± 0.0058
    """

    value: float
    error: float
    count: int

    @property
    def freedom(self) -> int:
        """The degrees of freedom that the error was estimated with."""
        return self.count - 1

    @property
    def widened(self) -> float:
        """The error, widened as Student's t asks: twice this covers the truth in 95.45 % of cases, however few were measured."""
        return self.error * quantile(_TWO_SIGMA, self.freedom) / 2

    def __str__(self) -> str:
        return plus_minus(self.value, self.error)


def measured(values: object) -> Measured:
    """The mean of independent measurements (n,), n ≥ 2, with its standard error s/√n.

    Raises: ShapeError, DataError for fewer than two, or for numbers that are not finite.
    """
    array = _measurements("values", values)
    return Measured(float(array.mean()), float(array.std(ddof=1) / sqrt(len(array))), len(array))


def standard_error(values: Array) -> Array:
    """The standard error of the mean along the last axis; 0 for a single value, NaN where a value is not finite.

    >>> standard_error(np.array([[1.0, 3.0], [2.0, 2.0]]))
    array([1., 0.])
    """
    count = values.shape[-1]
    values = np.where(np.isfinite(values), values, np.nan)
    return values.std(axis=-1, ddof=1) / np.sqrt(count) if count > 1 else np.zeros(values.shape[:-1])


@immutable
class Comparison(Shown):
    """The difference of two means with its standard error, and whether chance explains it.

    freedom: the degrees of freedom of the error. among: how many comparisons were looked at together; `level` is shared out between
    them (Bonferroni), so that all of them together claim a difference by chance no more often than that.
    """

    difference: float
    error: float
    freedom: float
    among: int = 1
    level: float = LEVEL

    @property
    def sigmas(self) -> float:
        """The difference in standard errors, with its sign; 0 for no difference."""
        if self.difference == 0:
            return 0.0
        return self.difference / self.error if self.error else float(np.copysign(inf, self.difference))

    @property
    def probability(self) -> float:
        """How often chance alone makes as large a difference, had only this comparison been made: the two-sided p-value."""
        return chance(self.sigmas, self.freedom)

    @property
    def reach(self) -> float:
        """Half the width of the confidence interval: the smallest difference that would be told apart."""
        return self.error * quantile(self.level / self.among, self.freedom)

    @property
    def verdict(self) -> Verdict:
        """What the first is beside the second."""
        if self.probability * self.among >= self.level:
            return "cannot be told apart"
        return "larger" if self.difference > 0 else "smaller"

    @property
    def told_apart(self) -> bool:
        """Whether there is a difference that chance does not explain."""
        return self.verdict != "cannot be told apart"

    def __str__(self) -> str:
        return f"{plus_minus(self.difference, self.error)}: {self.verdict}"


def compare(first: object, second: object, *, paired: bool = False, among: int = 1, level: float = LEVEL) -> Comparison:
    """The mean of the first measurements (n,) less that of the second (m,), n, m ≥ 2.

    Unpaired, by Welch's test, which does not suppose that both scatter alike. paired: measurement k of both has something in common,
    such as the seed or the data, and the n = m differences are looked at. among: how many comparisons will be looked at together.
    Raises: ShapeError, DataError, OptionError. Source: B. L. Welch, Biometrika 34, 28 (1947).

    >>> print(compare([1.0, 1.1, 0.9, 1.0], [1.3, 1.2, 1.4, 1.3]))
    −0.300 ± 0.058: smaller
    >>> compare([1.0, 1.1, 0.9, 1.0], [1.3, 0.9, 1.1, 1.0]).verdict
    'cannot be told apart'
    """
    if among < 1 or not 0 < level < 1:
        raise OptionError(
            f"among={among}, level={level}", expected="among of 1 or more, 0 < level < 1", remedy="write among=1, level=0.05"
        )
    one, other = _measurements("first", first), _measurements("second", second)
    if paired:
        if len(one) != len(other):
            raise ShapeError(
                f"{len(one)} measurements paired with {len(other)}", expected="as many", remedy="leave out paired=True"
            )
        found = measured(one - other)
        return Comparison(found.value, found.error, found.freedom, among, level)
    a, b = measured(one), measured(other)
    error = hypot(a.error, b.error)
    shares = [(part.error / error) ** 2 if error else 0.5 for part in (a, b)]
    freedom = 1 / sum(share**2 / part.freedom for share, part in zip(shares, (a, b), strict=True))
    return Comparison(a.value - b.value, error, freedom, among, level)


def holm(probabilities: Sequence[float]) -> list[float]:
    """Probabilities of several comparisons, raised so that all of them together claim a difference by chance no more often than one.

    The least is multiplied by their number, the next by one less, and none is less than the one before. Source: S. Holm, Scand. J.
    Stat. 6, 65 (1979).

    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03, 0.5])]
    [0.04, 0.09, 0.09, 0.5]
    """
    found, least = [1.0] * len(probabilities), 0.0
    for rank, place in enumerate(sorted(range(len(probabilities)), key=probabilities.__getitem__)):
        least = max(least, min(1.0, (len(probabilities) - rank) * probabilities[place]))
        found[place] = least
    return found


def replicas_needed(difference: float, spread: float, level: float = LEVEL, power: float = 0.8) -> float:
    """How many pairs would show a mean difference as large, if pairs scatter by `spread` (a standard deviation): in `power` of all cases.

    level: how often a difference may be claimed where there is none. Infinite for no difference at all.

    >>> replicas_needed(1.0, 1.0), replicas_needed(0.1, 1.0), replicas_needed(0.0, 1.0)
    (10, 787, inf)
    """
    if not difference:
        return inf
    if not spread:
        return 2
    size = (spread / difference) ** 2

    def suffices(count: int) -> bool:
        return count >= size * (quantile(level, count - 1) + quantile(2 * (1 - power), count - 1)) ** 2

    low, high = 1, 2
    while not suffices(high):
        low, high = high, 2 * high
        if high > 10**9:
            return inf
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if suffices(middle) else (middle, high)
    return high


def compare_spreads(first: object, second: object, *, among: int = 1, level: float = LEVEL) -> Comparison:
    """Whether the first measurements (n,) scatter more than the second (m,): their mean distances from the median, compared.

    Source: M. B. Brown, A. B. Forsythe, J. Am. Stat. Assoc. 69, 364 (1974), with Welch's test in the place of the pooled one.

    >>> compare_spreads([0.0, 9.0, -8.0, 7.0, -9.0], [0.0, 0.3, -0.2, 0.1, 0.2]).verdict
    'larger'
    """
    one, other = (np.abs(row - np.median(row)) for row in (_measurements("first", first), _measurements("second", second)))
    return compare(one, other, among=among, level=level)


def ratio(first: Measured, second: Measured) -> tuple[float, float]:
    """first/second of two independent means and its standard error, to first order in the errors.

    >>> ratio(Measured(4.0, 0.2, 8), Measured(2.0, 0.1, 8))
    (2.0, 0.1414...)
    """
    value = first.value / second.value
    return value, abs(value) * hypot(first.error / first.value, second.error / second.value)


@immutable
class PowerLaw:
    """y = `factor`·x^`exponent`, fitted to n points by weighted least squares in the logarithms.

    error: the exponent's standard error, from the points' errors and, where they scatter about the law by more than these explain,
    from their scatter. chi_squared: Σ(distance/error)² with n − 2 degrees of freedom.
    """

    exponent: float
    error: float
    factor: float
    chi_squared: float
    freedom: int

    @property
    def holds(self) -> bool:
        """Whether the points lie on one law within their errors: χ² is no more than two deviations above what is expected."""
        return self.chi_squared <= self.freedom + 2 * sqrt(2 * self.freedom)

    @property
    def verdict(self) -> Literal["rises", "falls", "cannot be told from a constant"]:
        """Which way it goes, as far as chance does not explain it."""
        apart = chance(self.exponent / self.error, self.freedom) < LEVEL if self.error else self.exponent != 0
        if not apart:
            return "cannot be told from a constant"
        return "rises" if self.exponent > 0 else "falls"

    def __call__(self, x: Array) -> Array:
        """The law's y at x."""
        return self.factor * np.asarray(x, dtype=np.float64) ** self.exponent


def fit_power_law(x: object, y: object, errors: object) -> PowerLaw:
    """The power law through y (n,) ± errors (n,), all above 0, at x (n,) above 0; n ≥ 3.

    >>> law = fit_power_law([1, 10, 100], [2.0, 0.2, 0.02], [0.1, 0.01, 0.001])
    >>> round(law.exponent, 6), round(law.factor, 6), law.verdict
    (-1.0, 2.0, 'falls')
    """
    points = np.array([np.asarray(row, dtype=np.float64) for row in (x, y, errors)])
    if points.ndim != 2 or points.shape[1] < 3 or not (np.isfinite(points).all() and (points > 0).all()):
        raise DataError(
            f"points {points.tolist()}",
            expected="x, y and errors of three points or more, all above 0",
            remedy="leave out others",
        )
    log_x, log_y, spread = np.log(points[0]), np.log(points[1]), points[2] / points[1]
    weights = spread**-2 / np.sum(spread**-2)
    middle, level = weights @ log_x, weights @ log_y
    variance = weights @ (log_x - middle) ** 2
    exponent = float(weights @ ((log_x - middle) * (log_y - level)) / variance)
    chi_squared = float(np.sum(((log_y - level - exponent * (log_x - middle)) / spread) ** 2))
    freedom = len(log_x) - 2
    error = sqrt(1 / (np.sum(spread**-2) * variance)) * max(1.0, sqrt(chi_squared / freedom))
    return PowerLaw(exponent, error, float(np.exp(level - exponent * middle)), chi_squared, freedom)


def deviation(values: object) -> tuple[float, float]:
    """The standard deviation of measurements (n,), n ≥ 3, and its own standard error, by the jackknife.

    >>> value, error = deviation(np.arange(8.0))
    >>> round(value, 3), round(error, 3)
    (2.449, 0.483)
    """
    array = _measurements("values", values, least=3)
    without = np.array([np.delete(array, place).std(ddof=1) for place in range(len(array))])
    count = len(array)
    return float(array.std(ddof=1)), float(np.sqrt((count - 1) / count * np.sum((without - without.mean()) ** 2)))


def listed(names: Sequence[str]) -> str:
    """Names in a sentence.

    >>> listed(["1 × 8", "2 × 8", "3 × 8"])
    '1 × 8, 2 × 8 and 3 × 8'
    """
    return " and ".join([*([", ".join(names[:-1])] if names[:-1] else []), *names[-1:]])


def plus_minus(value: float, error: float) -> str:
    """A number with its error to two digits.

    >>> plus_minus(12.3456, 0.0789), plus_minus(0.5, 0.0)
    ('12.346 ± 0.079', '0.5')
    """
    if not (error > 0 and np.isfinite(error)):
        return numeral(value)
    digits = max(0, 1 - int(np.floor(np.log10(error))))
    return f"{value:.{digits}f} ± {error:.{digits}f}".replace("-", "−")


def _measurements(name: str, values: object, least: int = 2) -> Array:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ShapeError(f"{name} of shape {array.shape}", expected="(n,)", remedy="give one number to a replica")
    if len(array) < least or not np.isfinite(array).all():
        raise DataError(
            f"{name} {array.tolist()}",
            expected=f"{least} measurements or more, all finite: the error is estimated from their scatter",
            remedy="train more replicas",
        )
    return array
