"""Targets that are measurements: each with a standard error of its own."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import ArrayLike

from chainrule.checks import Numbers, checked
from chainrule.data.dataset import Dataset
from chainrule.data.examples import Array, Examples
from chainrule.errors import DataError, ShapeError


@checked
def with_errors(
    dataset: Dataset, training: Numbers, *, validation: Numbers | None = None, test: Numbers | None = None
) -> Dataset:
    """The data set with the standard error σ of each target beside it, for the loss "chi_squared": y has shape (n, 2k) then.

    Errors have the shape of their part's targets, (n, k), or (n,) for one number, are in the targets' unit, and above 0. A part
    whose errors are not given is left out. The first k numbers of y are the targets, the others their errors, which are scaled with them.

    >>> from chainrule.data.arrays import from_arrays
    >>> data = from_arrays([[1.0], [2.0], [3.0]], [[2.1], [3.9], [6.2]], split=None)
    >>> with_errors(data, [0.1, 0.2, 0.2]).train.y.shape
    (3, 2)

    Raises: DataError for classes, errors that are no errors, or parts that there are not; ShapeError for other shapes.
    """
    if dataset.classes is not None:
        raise DataError("errors beside labels", expected="numbers to fit", remedy="leave the errors out")
    given = {"training": training, "validation": validation, "test": test}
    parts = dict(dataset.parts())
    unknown = [part for part, errors in given.items() if errors is not None and part not in parts]
    if unknown:
        raise DataError(f"errors for {', '.join(unknown)}", expected=f"{', '.join(parts)}", remedy="leave them out")
    made = {part: _beside(part, examples, given[part]) for part, examples in parts.items() if given[part] is not None}
    return dataclasses.replace(
        dataset,
        train=made["training"],
        validation=made.get("validation"),
        test=made.get("test"),
        notes=(*dataset.notes, "behind the targets stand their standard errors"),
        origin=None,
    )


def _beside(part: str, examples: Examples, errors: ArrayLike | None) -> Examples:
    sigma: Array = np.asarray(errors, dtype=examples.y.dtype)
    if sigma.shape == examples.y.shape[:1]:
        sigma = sigma[:, None]
    if sigma.shape != examples.y.shape:
        raise ShapeError(
            f"errors of shape {sigma.shape} for {part} targets of shape {examples.y.shape}",
            expected="one error for each target",
            remedy="give an array of the targets' shape",
        )
    wrong = ~(np.isfinite(sigma) & (sigma > 0))
    if wrong.any():
        raise DataError(
            f"the error {sigma[wrong][0]} at example {int(np.argwhere(wrong)[0, 0])} of the {part} part",
            expected="finite numbers above 0: nothing is known without an error",
            remedy="estimate it, or leave such examples out",
        )
    return Examples(examples.x, np.concatenate([examples.y, sigma], axis=1))
