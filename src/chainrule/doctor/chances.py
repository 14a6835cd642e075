"""The statistics that ailments are judged by: each says how often chance alone makes what was seen."""

from __future__ import annotations

from math import erfc, exp, lgamma, log, log1p, sqrt

import numpy as np

from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.train.replicated import Comparison, compare, plus_minus

LEVEL = 0.001
"""How often a look that goes by a statistical test may raise an alarm at a run that ails nothing: a dozen together one in eighty runs."""
DRAWS = 999
"""Shuffles of a permutation test: the least probability that it can say is one in a thousand."""
_WIDEST = 16
_LARGE = 1e6


def one_sided(found: Comparison) -> float:
    """How often chance makes the difference as large as this one, or larger; of one below 0 that is more than half the time."""
    return found.probability / 2 if found.difference > 0 else 1 - found.probability / 2


def above(first: Array, second: Array | float, *, paired: bool = True) -> Comparison:
    """The mean of numbers (n,) less that of others: pair by pair, or by Welch's test; a lone number has no error."""
    other = np.broadcast_to(np.asarray(second, dtype=np.float64), np.shape(first)) if np.ndim(second) == 0 else second
    return compare(first, other, paired=paired)


def ranked_above(first: Array, second: Array) -> float:
    """How often chance ranks the first numbers (n,) as far above the second (m,): the rank sum, which no single number can outweigh.

    Source: H. B. Mann, D. R. Whitney, Ann. Math. Stat. 18, 50 (1947), by the normal distribution, corrected for ties.

    >>> round(ranked_above(np.arange(30.0) + 10, np.arange(30.0)), 4), ranked_above(np.ones(9), np.ones(9))
    (0.0001, 1.0)
    """
    values, places, counts = np.unique(np.concatenate([first, second]), return_inverse=True, return_counts=True)
    n, m = len(first), len(second)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    above_middle = float(ranks[:n].sum()) - n * (n + m + 1) / 2 - 0.5
    ties = float((counts**3 - counts).sum()) / ((n + m) * (n + m - 1))
    spread = sqrt(max(0.0, n * m / 12 * (n + m + 1 - ties)))
    return erfc(above_middle / (spread * sqrt(2))) / 2 if spread > 0 and len(values) > 1 else 1.0


def unlike(first: Array, second: Array) -> tuple[float, float]:
    """How far the distributions of two samples (n,), (m,) lie apart at most, and how often chance takes them as far.

    Source: N. V. Smirnov, Ann. Math. Stat. 19, 279 (1948); M. A. Stephens, J. R. Stat. Soc. B 32, 115 (1970), for few numbers.

    >>> unlike(np.arange(40.0), np.arange(40.0) + 20)[0]
    0.5
    """
    both = np.sort(np.concatenate([first, second]))
    shares = [np.searchsorted(np.sort(rows), both, side="right") / len(rows) for rows in (first, second)]
    apart = float(np.abs(shares[0] - shares[1]).max())
    size = sqrt(len(first) * len(second) / (len(first) + len(second)))
    scaled = (size + 0.12 + 0.11 / size) * apart
    terms = [2 * (-1) ** (k - 1) * exp(-2 * k * k * scaled * scaled) for k in range(1, 101)]
    return apart, min(1.0, max(0.0, sum(terms))) if scaled > 0.3 else 1.0


def beyond(first: Array, second: Array) -> float:
    """How often chance puts as many of the first numbers (n,) beyond all of the second (m,), on the side where they are more.

    Source: S. Rosenbaum, Ann. Math. Stat. 25, 146 (1954).

    >>> beyond(np.array([0.0, 9.0, 8.0, 7.0]), np.arange(4.0)), beyond(np.arange(4.0), np.arange(4.0))
    (0.142..., 1.0)
    """
    count, n, both = int(max((first > second.max()).sum(), (first < second.min()).sum())), len(first), len(first) + len(second)
    return min(1.0, 2 * float(np.prod([(n - k) / (both - k) for k in range(count)])))


def around(value: float, error: float) -> str:
    """A number with its error, in powers of ten where it has outgrown every reading.

    >>> around(0.25, 0.01), around(2e9, 1e8)
    ('0.250 ± 0.010', '2×10⁹')
    """
    return plus_minus(value, error) if abs(value) < _LARGE else numeral(value, 3)


def at_least(count: int, among: int, rate: float) -> float:
    """The probability of `count` or more of `among`, where each happens with probability `rate`: the binomial tail.

    >>> round(at_least(1, 10, 0.1), 4), at_least(0, 5, 0.2), round(at_least(5, 5, 0.5), 5)
    (0.6513, 1.0, 0.03125)
    """
    if count <= 0:
        return 1.0
    if rate <= 0 or count > among:
        return 0.0
    if rate >= 1:
        return 1.0
    terms = [
        lgamma(among + 1) - lgamma(k + 1) - lgamma(among - k + 1) + k * log(rate) + (among - k) * log1p(-rate)
        for k in range(count, among + 1)
    ]
    return min(1.0, sum(map(exp, terms)))


def share(count: int, among: int) -> tuple[float, float]:
    """A fraction and its standard error, from the middle of Wilson's interval: neither is 0 or 1 by chance alone.

    Source: E. B. Wilson, J. Am. Stat. Assoc. 22, 209 (1927); A. Agresti, B. A. Coull, Am. Stat. 52, 119 (1998).

    >>> value, error = share(0, 10)
    >>> round(value, 3), round(error, 3)
    (0.143, 0.094)
    """
    middle = (count + 2) / (among + 4)
    return middle, sqrt(middle * (1 - middle) / (among + 4))


def association(outputs: Array, targets: Array, seed: int = 0) -> float:
    """How often outputs (n, ...) that know nothing of the targets (n, ...) go along with them as closely: by shuffling the targets.

    What is compared is the sum of squares of all covariances between the two. Source: R. A. Fisher, The Design of Experiments (1935).

    >>> x = np.arange(20.0)[:, None]
    >>> association(x, 3 * x), association(x * 0, x)
    (0.001, 1.0)
    """
    random = np.random.default_rng(seed)
    one, other = (_narrow(rows, random) for rows in (outputs, targets))

    def strength(order: Array) -> float:
        return float(np.square(one.T @ other[order]).sum())

    seen, count = strength(np.arange(len(one))), len(one)
    # Sums in another order differ in their last digits.
    at_least_as_strong = sum(strength(random.permutation(count)) >= seen * (1 - 1e-9) for _ in range(DRAWS))
    return (1 + at_least_as_strong) / (1 + DRAWS)


def _narrow(rows: Array, random: np.random.Generator) -> Array:
    """Rows less their mean, with so few columns that a thousand shuffles take no time."""
    flat = rows.reshape(len(rows), -1).astype(np.float64)
    flat = flat - flat.mean(axis=0)
    return flat if flat.shape[1] <= _WIDEST else flat @ random.normal(size=(flat.shape[1], _WIDEST))
