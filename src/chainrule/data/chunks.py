"""Chunks: long sequences cut into examples that follow one another, for networks that remember from one batch to the next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack, cast

import numpy as np

from chainrule.checks import Fraction, Regular, checked
from chainrule.data.arrays import Options, check_options, from_arrays
from chainrule.data.checks import check_whole
from chainrule.data.dataset import Dataset
from chainrule.data.examples import Array
from chainrule.data.sequences import TargetSteps, check_target_steps
from chainrule.data.splits import SplitIndices
from chainrule.errors import OptionError, ShapeError
from chainrule.immutable import immutable


@checked
def chunks(
    x: Regular,
    y: Regular,
    length: int,
    *,
    target_steps: TargetSteps = "every",
    test: Fraction = 0.2,
    classes: Sequence[str] | None = None,
    **options: Unpack[Options],
) -> Dataset:
    """Sequences x (sequences, time, ...), each cut into chunks of `length` steps; what is left at its end is dropped.

    An example is a chunk, (length, ...), and chunk j + 1 of a sequence stands right behind chunk j: trained with order="consecutive"
    and as many examples to a batch as there are sequences, each row of a batch goes along one sequence. `y` (sequences, time, ...) has a
    target for each step; target_steps="every" keeps all of a chunk's, target_steps="last" that of its last step, which may be a class.
    The last chunks of each sequence, the fraction `test` of them, are the test part. Scaling is "none" unless `options`, those of
    `from_arrays`, say otherwise.

    Raises: ShapeError where x and y do not go together or are too short; OptionError.

    >>> time = np.arange(1.0, 21.0)
    >>> data = chunks([time, -time], [time, -time], 4)
    >>> data
    Dataset('chunks': 8 train, 2 test; inputs (4,) float64; 4 numbers to fit)
    >>> data.train.x[:, 0]
    array([  1.,   5.,   9.,  13.,  -1.,  -5.,  -9., -13.])
    """
    check_options(options, ("target_steps", "test", "classes"))
    check_whole("length", length, least=1)
    check_target_steps(target_steps)
    inputs, targets = np.asarray(x), np.asarray(y)
    if min(inputs.ndim, targets.ndim) < 2 or inputs.shape[:2] != targets.shape[:2] or inputs.shape[1] < length:
        raise ShapeError(
            f"sequences of shape {inputs.shape} with targets of shape {targets.shape}, in chunks of {length} steps",
            expected=f"both (sequences, time, ...), with {length} steps or more",
            remedy="for one long sequence write x[None] and y[None], or reshape it to several: x.reshape(8, -1)",
        )
    if not 0 <= test < 1:
        raise OptionError(f"test={test!r}", expected="a fraction from 0 up, below 1", remedy="write test=0.2")
    if "split" in options:
        raise OptionError("a split of chunks", expected="test=..., the fraction of each sequence", remedy="leave split out")
    rows, wanted = _cut(inputs, length), _cut(targets, length)
    split = _Later(len(inputs), round(test * (len(rows) // len(inputs))))
    usual: Options = {"name": "chunks", "scaling": "none", "target_scaling": "none"}
    chosen = cast("Options", {**usual, **options, "split": split})
    return from_arrays(rows, wanted if target_steps == "every" else wanted[:, -1], classes=classes, **chosen)


@immutable
class _Later:
    """The split that tests by the last `test` chunks of each of several sequences, and keeps the order of the others."""

    sequences: int
    test: int

    def parts(self, y: Array) -> SplitIndices:
        """The indices of both parts, in order."""
        each = len(y) // self.sequences
        later = np.arange(len(y)) % each >= each - self.test
        return SplitIndices(np.flatnonzero(~later), np.arange(0), np.flatnonzero(later))


def _cut(values: Array, length: int) -> Array:
    """(sequences, time, ...) as (sequences · chunks, length, ...)."""
    whole = values.shape[1] // length
    return values[:, : whole * length].reshape(-1, length, *values.shape[2:])
