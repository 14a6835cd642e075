"""Splits: which examples train the network, which validate it, and which test it in the end."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.checks import Fraction, Seed
from chainrule.data.cells import MISSING, to_numbers
from chainrule.data.distinct import distinct
from chainrule.data.examples import Array, as_array
from chainrule.descriptions import described
from chainrule.display import Shown
from chainrule.errors import DataError, OptionError
from chainrule.immutable import immutable

Indices = NDArray[np.int64]


@immutable(eq=False)
class SplitIndices(Shown):
    """Three arrays of int64 indices, each in rising order (in order of time for TimeSplit); together, each example once."""

    train: Indices
    validation: Indices
    test: Indices


class Split(Protocol):
    """A rule that splits examples into parts."""

    def parts(self, y: Array) -> SplitIndices:
        """The parts for examples with targets `y`: labels of shape (n,) or numbers of shape (n, k)."""
        ...


@described
class RandomSplit(Shown):
    """Splits at random; `test` and `validation` are fractions of all examples, RandomSplit(test=0) keeps all for training.

    A fraction above 0 gives at least one example. Raises OptionError for fractions that make no sense, DataError if there are
    too few examples for all parts.

    >>> RandomSplit(test=0.4, seed=1).parts(np.zeros((5, 1)))
    SplitIndices(train=array([1, 2, 3]), validation=array([], dtype=int64), test=array([0, 4]))
    """

    test: Fraction = 0.2
    validation: Fraction = 0.0
    seed: Seed = 0

    def __post_init__(self) -> None:
        _check_options(self.test, self.validation)

    def parts(self, y: Array) -> SplitIndices:
        """The parts; of `y` only the length is used.

        Shapes: y (n, ...); the indices of a part (m,). Raises: DataError where a part would be empty.
        """
        tests, validations = _sizes(len(y), self.test, self.validation)
        return _cut(np.random.default_rng(self.seed).permutation(len(y)), tests, validations)


@described
class StratifiedSplit(Shown):
    """Deals out at random, but so that each class has its share in every part, to within one example.

    Each class keeps at least one example for training. Errors as for RandomSplit, and DataError if there are no classes.

    >>> StratifiedSplit(test=0.5).parts(np.array([0, 0, 0, 0, 1, 1])).test
    array([2, 3, 5])
    """

    test: Fraction = 0.2
    validation: Fraction = 0.0
    seed: Seed = 0

    def __post_init__(self) -> None:
        _check_options(self.test, self.validation)

    def parts(self, y: Array) -> SplitIndices:
        """The parts for labels `y`, whole numbers of shape (n,)."""
        if y.ndim != 1 or y.dtype.kind not in "iu":
            raise DataError(
                f"StratifiedSplit was given targets of shape {y.shape} and dtype {y.dtype}",
                expected="class labels, of shape (n,)",
                remedy="use RandomSplit for targets that are numbers",
            )
        tests, validations = _sizes(len(y), self.test, self.validation)
        order = np.random.default_rng(self.seed).permutation(len(y))
        found = distinct(y)
        counts = found.counts
        for_test = _quota(counts, tests, counts - 1)
        for_validation = _quota(counts, validations, counts - 1 - for_test)
        if for_test.sum() < min(tests, 1) or for_validation.sum() < min(validations, 1):
            raise _too_few(len(y), f"{len(counts)} classes and the parts training, validation and test")
        # Class by class, in each of them still at random: its first go to the test part, its next to the validation part.
        by_class = order[np.argsort(found.codes[order], kind="stable")]  # of few classes in linear time
        sizes = np.stack([for_test, for_validation, counts - for_test - for_validation], axis=1)
        part = np.empty(len(y), np.uint8)
        part[by_class] = np.repeat(np.tile(np.array([2, 1, 0], np.uint8), len(counts)), sizes.ravel())
        return _numbered(part)


@described
class GroupSplit(Shown):
    """Keeps each group whole: all examples of a patient, a sample, a run stand in one part.

    `groups` holds one value per example, or is the name of a column of the table (which is then no feature). Groups are split
    among the parts at random until a part holds its fraction of the examples, so parts can be a little larger than asked for.

    >>> GroupSplit(["ann", "ann", "bob", "bob", "eve", "eve"], test=0.3).parts(np.zeros((6, 1))).test
    array([2, 3])
    """

    groups: str | ArrayLike
    test: Fraction = 0.2
    validation: Fraction = 0.0
    seed: Seed = 0

    def __post_init__(self) -> None:
        _check_options(self.test, self.validation)

    def parts(self, y: Array) -> SplitIndices:
        """The parts; of `y` only the length is used.

        Shapes: y (n, ...); the indices of a part (m,). Raises: DataError where a part would be empty.
        """
        names, group = np.unique(_per_example(self.groups, "groups", len(y)), return_inverse=True)
        sizes = np.bincount(group)
        wanted = _sizes(len(y), self.test, self.validation)
        part_of = np.zeros(len(names), np.int64)
        waiting = list(np.random.default_rng(self.seed).permutation(len(names)))
        for part, size in ((2, wanted[0]), (1, wanted[1])):
            while sizes[part_of == part].sum() < size:
                if len(waiting) == 1:
                    raise _too_few(len(y), f"all parts: there are only {len(names)} groups, and each must stay whole")
                part_of[waiting.pop()] = part
        return _numbered(part_of[group])


@described
class TimeSplit(Shown):
    """Trains on the past and tests on the future: the latest examples are the test part, those before them validation.

    `times` holds one value per example (numbers, datetime64 or ISO texts such as 2024-05-31), or is the name of a column of
    the table (which is then no feature). Nothing is shuffled: each part is in order of time. Examples of the same time never
    stand in two parts; a cut moves to the nearest change of time.

    >>> TimeSplit([2020, 2023, 2021, 2022], test=0.25).parts(np.zeros((4, 1)))
    SplitIndices(train=array([0, 2, 3]), validation=array([], dtype=int64), test=array([1]))
    """

    times: str | ArrayLike
    test: Fraction = 0.2
    validation: Fraction = 0.0

    def __post_init__(self) -> None:
        _check_options(self.test, self.validation)

    def parts(self, y: Array) -> SplitIndices:
        """The parts; of `y` only the length is used.

        Shapes: y (n, ...); the indices of a part (m,). Raises: DataError where a part would be empty.
        """
        times = _as_times(_per_example(self.times, "times", len(y)))
        order = np.argsort(times, kind="stable")
        tests, validations = _sizes(len(y), self.test, self.validation)
        last = _change_near(times[order], len(y) - tests, self.test)
        first = _change_near(times[order][:last], last - validations, self.validation)
        return SplitIndices(order[:first], order[first:last], order[last:])


def _check_options(test: float, validation: float) -> None:
    if test + validation >= 1:
        raise OptionError(
            f"test={test}, validation={validation}",
            expected="fractions from 0 up that leave something for training: their sum is below 1",
            remedy="write test=0.2, validation=0.1",
        )


def _sizes(count: int, test: float, validation: float) -> tuple[int, int]:
    """How many examples the test and validation parts get; DataError if none is left for training."""
    tests, validations = (max(1, int(fraction * count + 0.5)) if fraction else 0 for fraction in (test, validation))
    if count < 1 + min(tests, 1) + min(validations, 1):
        raise _too_few(count, "all parts: each needs one at least")
    while tests + validations >= count:  # both were rounded up: the larger gives one back to training
        tests, validations = (tests - 1, validations) if tests > validations else (tests, validations - 1)
    return tests, validations


def _cut(order: Indices, tests: int, validations: int) -> SplitIndices:
    part = np.zeros(len(order), np.uint8)
    part[order[:tests]], part[order[tests : tests + validations]] = 2, 1
    return _numbered(part)


def _numbered(part: Array) -> SplitIndices:
    """The parts of examples of which each has the number of its part: 0 training, 1 validation, 2 test."""
    return SplitIndices(*(np.flatnonzero(part == which) for which in (0, 1, 2)))


def _quota(counts: Indices, total: int, room: Indices) -> Indices:
    """`total` split among classes in proportion to their counts (largest remainders first), never beyond their room."""
    # Python's integers: counts times total could leave int64, and a fraction in floating point could fall just below a whole.
    shares = [divmod(count * total, int(counts.sum())) for count in counts.tolist()]
    quota = np.minimum([whole for whole, _ in shares], room)
    for which in sorted(range(len(shares)), key=lambda index: -shares[index][1]):
        if quota.sum() < total and quota[which] < room[which]:
            quota[which] += 1
    return quota


def _per_example(values: str | ArrayLike, what: str, count: int) -> Array:
    if isinstance(values, str):
        raise DataError(
            f"{what}={values!r} names a column, and these arrays have no named columns",
            expected=f"one value per example in {what}",
            remedy=f"give the values themselves, or read a table that has the column {values!r}",
        )
    array = as_array(values, what)
    if array.shape != (count,):
        raise DataError(
            f"{what} has shape {array.shape} and there are {count} examples",
            expected=f"one value per example: shape ({count},)",
            remedy="for a table, name the column instead: it follows when rows are left out",
        )
    _check_complete(array, what)
    # Objects of mixed kinds have no order; their texts have one, and equal objects have equal texts.
    return array if array.dtype.kind in "biufM" else array.astype(str)


def _check_complete(array: Array, what: str) -> None:
    if array.dtype.kind in "biu" or (array.dtype.kind == "f" and not np.isnan(array).any()):
        return
    values: list[Any] = array.tolist()
    for index, value in enumerate(values):
        # NaN alone differs from itself.
        if value is None or value != value or str(value).casefold() in MISSING:
            raise DataError(
                f"{what} has the missing value {value!r} at example {index}",
                expected="a value for every example",
                remedy="fill it in or leave the example out",
            )


def _as_times(times: Array) -> Array:
    """Times that sort in their order: numbers, or dates from ISO texts."""
    if times.dtype.kind in "biufM":
        return times
    numbers, unreadable = to_numbers(tuple(times.tolist()))
    if not unreadable.size:
        return numbers
    try:
        with warnings.catch_warnings():
            # NumPy keeps no time zone, but goes by it: what it gives are times of UTC.
            warnings.filterwarnings("ignore", "no explicit representation of timezones", UserWarning)
            return times.astype("datetime64[us]")
    except ValueError as trouble:
        raise DataError(
            f"the times cannot be put in order ({trouble})",
            expected="numbers, or ISO texts such as 2024-05-31 or 2024-05-31T12:00",
            remedy="rewrite the dates in ISO form: year, month, day",
        ) from trouble


def _change_near(times: Array, cut: int, fraction: float) -> int:
    """The cut moved to the nearest place where the time changes, so that no time stands on both sides."""
    if not fraction:
        return len(times)
    changes = np.flatnonzero(times[1:] != times[:-1]) + 1
    if not len(changes):
        raise _too_few(len(times), "all parts: they all have the same time, and one time stays in one part")
    return int(changes[np.abs(changes - cut).argmin()])


def _too_few(count: int, purpose: str) -> DataError:
    return DataError(
        f"{count} example{'s are' if count != 1 else ' is'} too few for {purpose}",
        expected="at least one example, or one group or time, in each part that is asked for",
        remedy="give more examples, or keep all for training: split=None",
    )


def split_column(split: Split | str | None) -> str | None:
    """The name of the table's column that a split goes by, or None if it needs none.

    >>> split_column(GroupSplit("patient")), split_column(RandomSplit())
    ('patient', None)
    """
    by: object = split.groups if isinstance(split, GroupSplit) else split.times if isinstance(split, TimeSplit) else None
    return by if isinstance(by, str) else None


def with_values(split: Split, values: Sequence[str | float] | Array) -> Split:
    """The split with the values of its column in place of the column's name; other splits as they are.

    >>> with_values(TimeSplit("year", test=0.5), [2021, 2020])
    TimeSplit([2021, 2020], test=0.5)
    >>> with_values(RandomSplit(), [])
    RandomSplit()
    """
    if isinstance(split, GroupSplit):
        # By their numbers in order: whatever is written in the column, "NA" too, is a group.
        return GroupSplit(distinct(np.asarray(values)).codes, split.test, split.validation, split.seed)
    if isinstance(split, TimeSplit):
        return TimeSplit(values, split.test, split.validation)
    return split
