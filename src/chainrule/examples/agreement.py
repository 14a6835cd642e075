"""Agreement: whether replicas are right about the same examples, learn them in the same order, and a ranking finds what it should."""

from __future__ import annotations

from math import sqrt

import numpy as np

from chainrule.errors import DataError
from chainrule.graph import Array
from chainrule.views.pictures.ranks import ranks, separation


def agreement(right: Array) -> float:
    """How alike the replicas (r, n), each right or wrong about n examples, are: the intraclass correlation.

    1 if all are right about the same examples, 0 if they agree no more than by chance; NaN where all are right about all or about
    none. Its mean by chance is 0 for any fraction of right answers. Source: R. A. Fisher, Statistical Methods for Research Workers
    (1925), chapter VII, as estimated from an analysis of variance.

    >>> agreement(np.array([[True, True, False, False], [True, True, False, False]]))
    1.0
    """
    replicas, examples = right.shape
    if replicas < 2 or examples < 2:
        raise DataError(
            f"answers of shape {right.shape}",
            expected="two replicas and two examples or more",
            remedy="train with replicas=2 or more",
        )
    shares: Array = right.mean(axis=0)
    between = replicas * float(np.var(shares, ddof=1))
    within = float(shares @ (1 - shares)) / examples * replicas / (replicas - 1)
    total = between + (replicas - 1) * within
    return (between - within) / total if total else float("nan")


def rank_correlation(values: Array) -> float:
    """Spearman's rank correlation of replicas (r, n), the mean over all pairs of them.

    >>> round(rank_correlation(np.array([[1.0, 2.0, 3.0], [10.0, 20.0, 15.0]])), 3)
    0.5
    """
    table = np.corrcoef(np.array([ranks(row) for row in values]))
    return float(table[np.triu_indices(len(values), 1)].mean())


def area_under_curve(suspicion: Array, wrong: Array) -> tuple[float, float]:
    """The chance that a wrong example (of n) is suspected more than a right one, equal ones counted half: the AUC, and its error.

    The standard error is the largest that the two numbers of examples allow for this area (Birnbaum and Klose, Ann. Math. Stat. 28,
    933 (1957)): √(A·(1 − A)/min(wrong, right)).

    >>> area_under_curve(np.array([4.0, 3.0, 2.0, 1.0]), np.array([True, False, True, False]))
    (0.75, 0.306...)
    """
    count, others = int(wrong.sum()), int((~wrong).sum())
    if not (count and others):
        raise DataError(f"{count} wrong and {others} right examples", expected="some of both", remedy="plant some wrong labels")
    area = separation(suspicion, wrong)
    return area, sqrt(area * (1 - area) / min(count, others))
