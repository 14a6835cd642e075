"""Weighing: the examples of a fit as a data set for a training, where each may count by a weight of its own."""

from __future__ import annotations

import numpy as np

from chainrule.data import Dataset, Scaling, from_arrays
from chainrule.errors import DataError
from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.nn import Objective, Weighted


@immutable(eq=False)
class Sample:
    """Inputs x (n, features), targets y, numbers (n, k) or labels (n,) of `classes`, and a weight for each example, or None.

    Examples of weight 0 are none: they are left out, so that they count neither as examples of a batch nor in a scaling.
    """

    x: Array
    y: Array
    weights: Array | None = None
    classes: tuple[str, ...] | None = None

    def without_zeros(self) -> Sample:
        """The examples that count. Raises: DataError where there is none."""
        if self.weights is None:
            return self
        if not (counts := self.weights > 0).any():
            raise DataError("all sample weights are zero", expected="a weight above 0", remedy="leave sample_weight out")
        return self.taken(np.flatnonzero(counts))

    def taken(self, rows: Array) -> Sample:
        """Some of the examples."""
        return Sample(self.x[rows], self.y[rows], None if self.weights is None else self.weights[rows], self.classes)

    def unweighted(self) -> Sample:
        """The same examples, each counting alike."""
        return Sample(self.x, self.y, None, self.classes)

    @property
    def mean_weight(self) -> float:
        """The mean of the weights: in units of it the cost is as large as without weights."""
        return 1.0 if self.weights is None else float(self.weights.mean())

    def targets(self, unit: float, outputs: int) -> Array:
        """What a training of so many outputs compares with: y, or where there are weights what `Weighted` takes, weights in this unit."""
        if self.weights is None:
            return self.y
        return np.column_stack([self._numbers(outputs), self.weights / unit])

    def _numbers(self, outputs: int) -> Array:
        if self.classes is None:
            return self.y
        # A single output stands for the second of two classes.
        labels = np.arange(len(self.classes))[-outputs:]
        return (self.y[:, None] == labels).astype(self.x.dtype)

    def standardising(self, values: Array) -> Scaling:
        """Mean 0 and standard deviation 1 for each column of values (n, k), in which each example counts by its weight."""
        if self.weights is None:
            return Scaling.standardise(values)
        values = values.astype(np.float64)
        mean = np.average(values, axis=0, weights=self.weights)
        deviation = np.sqrt(np.average((values - mean) ** 2, axis=0, weights=self.weights))
        return Scaling(mean, 1 / np.where(np.ptp(values, axis=0) > 0, deviation, 1.0))


def dataset(
    train: Sample, validation: Sample | None, outputs: int = 0, *, scaling: Scaling | None, target_scaling: Scaling | None
) -> Dataset:
    """The data set of a training part and perhaps a validation part, for a network of so many outputs."""
    unit = train.mean_weight
    apart = None if validation is None else (validation.x, validation.targets(unit, outputs))
    classes = None if train.weights is not None else train.classes
    return from_arrays(
        train.x,
        train.targets(unit, outputs),
        classes=classes,
        validation=apart,
        split=None,
        scaling=scaling,
        target_scaling=target_scaling,
    )


def weighted(objective: Objective) -> Objective:
    """The objective with each of its losses weighted; penalties stay."""
    return Objective((*(Weighted(loss) for loss in objective.losses), *objective.penalties))
