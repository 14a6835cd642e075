"""Numbers with error bars out of measured curves: polynomials, crossings, means, and what resampling says of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.train.replicated import standard_error

SAMPLES = 200
"""How often data are resampled for an error bar: it is then known to 5 %."""


@immutable
class Polynomial:
    """y = Σ_k c_k·x^k fitted to points with errors: `coefficients` (k,), their `covariance` (k, k), χ² and its degrees of freedom."""

    coefficients: Array
    covariance: Array
    chi_squared: float
    freedom: int

    @property
    def errors(self) -> Array:
        """One standard error of each coefficient, (k,)."""
        return np.sqrt(np.diag(self.covariance))

    def __call__(self, x: Array) -> Array:
        """Its values at x (n,): (n,)."""
        return np.vander(x, len(self.coefficients), increasing=True) @ self.coefficients


def weighted_polynomial(x: Array, y: Array, errors: Array, degree: int = 1) -> Polynomial:
    """The polynomial with the least Σ ((y − polynomial)/error)², all (n,), with n above the degree.

    Source: P. R. Bevington, D. K. Robinson, Data Reduction and Error Analysis, chapters 6 and 7.

    >>> line = weighted_polynomial(np.array([0.0, 1.0]), np.array([1.0, 3.0]), np.array([0.1, 0.1]))
    >>> line.coefficients.round(12), float(line.errors.round(12)[0])
    (array([1., 2.]), 0.1)
    """
    rows = np.vander(x, degree + 1, increasing=True) / errors[:, None]
    covariance = np.linalg.inv(rows.T @ rows)
    found = covariance @ (rows.T @ (y / errors))
    misses = y / errors - rows @ found
    return Polynomial(found, covariance, float(misses @ misses), len(x) - degree - 1)


def crossing(x: Array, shares: Array, within: tuple[float, float] = (0.3, 0.7)) -> float:
    """Where shares (n,) between 0 and 1 that fall or rise with x (n,) pass one half: by a straight line through their log-odds.

    Only shares inside `within` take part, and at least the two on either side of one half. Each counts as its distance from 0 and 1
    allows: the error of log(p/(1 − p)) is that of p over p(1 − p). NaN where the shares do not pass one half.

    >>> t = np.linspace(2.0, 2.5, 11)
    >>> round(crossing(t, 1 / (1 + np.exp((t - 2.27) / 0.03))), 6)
    2.27
    """
    above = shares > 0.5
    turns = np.flatnonzero(above[:-1] != above[1:])
    if not len(turns):
        return float("nan")
    place = int(turns[len(turns) // 2])
    taking = (shares > within[0]) & (shares < within[1])
    taking[place : place + 2] = True
    p = np.clip(shares[taking], 1e-3, 1 - 1e-3)
    weight = np.sqrt(p * (1 - p))
    intercept, slope = weighted_polynomial(x[taking], np.log(p / (1 - p)), 1 / weight).coefficients.tolist()
    return -intercept / slope


def mean_with_error(values: Sequence[float] | Array) -> tuple[float, float]:
    """The mean of independent values (n,), n of 2 or more, and its standard error.

    >>> mean_with_error([1.0, 2.0, 6.0, 7.0])[0]
    4.0
    """
    found = np.asarray(values, dtype=np.float64)
    return float(found.mean()), float(standard_error(found))


def resampled(rows: Array, estimate: Callable[[Array], float], random: np.random.Generator, samples: int = SAMPLES) -> Array:
    """What `estimate` makes of rows (n, ...) drawn anew with replacement, `samples` times: (samples,); its spread is an error bar.

    Source: B. Efron, The Annals of Statistics 7, 1 (1979).
    """
    return np.array([estimate(rows[random.integers(len(rows), size=len(rows))]) for _ in range(samples)])


__all__ = ["Polynomial", "crossing", "mean_with_error", "resampled", "weighted_polynomial"]
