"""Scaling: the affine map between the numbers in the data and the numbers that a network sees."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.checks import read, reader_of
from chainrule.data.rows import Rows, as_rows
from chainrule.data.statistics import UnitRange
from chainrule.descriptions import Written, described
from chainrule.errors import DataError, OptionError, ShapeError
from chainrule.numerals import numeral, printed

Floats = NDArray[np.float64]
ScalingChoice = Literal["auto", "standardise", "minmax", "none"]


def _numbers(x: ArrayLike) -> NDArray[Any]:
    return read("Scaling", "x", _ARRAY, x)


_ARRAY = reader_of(NDArray[Any])


@described
class Scaling(Written):
    """The map x_scaled = (x − offset) · factor, where `offset` and `factor` are float64 and broadcast against one example.

    `usual`: nobody asked for it, so that a training may take another map, which suits its network and its loss better. `reason`: what
    was decided and why, in a few words. Two scalings are equal if their numbers are.
    Raises DataError for a factor that is zero (it could not be undone), and for an offset or factor that is not finite.

    >>> Scaling(0, 1 / 255).apply(np.array([0, 51, 255], np.uint8))
    array([0. , 0.2, 1. ])
    """

    offset: Floats
    factor: Floats
    usual: bool
    reason: str

    def __init__(
        self, offset: float | NDArray[Any], factor: float | NDArray[Any], *, usual: bool = False, reason: str = ""
    ) -> None:
        for name, values in (("offset", offset), ("factor", factor)):
            array = np.array(values, dtype=np.float64)  # a copy: the caller may go on writing into theirs
            _check_finite(name, array)
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        object.__setattr__(self, "usual", usual)
        object.__setattr__(self, "reason", reason)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Scaling):
            return NotImplemented
        return np.array_equal(self.offset, other.offset) and np.array_equal(self.factor, other.factor)

    def __hash__(self) -> int:
        return hash((self.offset.shape, self.offset.tobytes(), self.factor.shape, self.factor.tobytes()))

    def __repr__(self) -> str:
        return f"Scaling({_short(self.offset)}, {_short(self.factor)})"

    @classmethod
    def none(cls) -> Scaling:
        """The scaling that changes nothing: offset 0, factor 1."""
        return cls(0.0, 1.0)

    @classmethod
    def standardise(cls, x: ArrayLike | Rows) -> Scaling:
        """Mean 0 and standard deviation 1 for each feature of `x` (n, ..., features), which is to be the training part.

        A feature is a place on the last axis: the channel of an image (n, height, width, channels) has one scaling at all its pixels,
        a feature of a sequence (n, time, features) one at all times. The deviation divides by the number of values. A feature that is
        constant gets factor 1, so it becomes 0.

        >>> Scaling.standardise([[1.0, 5.0], [3.0, 5.0]]).apply([[1.0, 5.0], [3.0, 5.0]])
        array([[-1.,  0.],
               [ 1.,  0.]])
        """
        found = UnitRange.of(x)
        mean, deviation = found.moments()
        with np.errstate(over="ignore", invalid="ignore"):
            return cls(found.low + found.spread * mean, _reciprocal(np.where(found.constant, 1.0, found.spread * deviation)))

    @classmethod
    def minmax(cls, x: ArrayLike | Rows) -> Scaling:
        """Least value 0 and largest value 1 for each feature of `x` (n, ..., features); factor 1 where it is constant.

        >>> Scaling.minmax([[2.0], [4.0], [6.0]]).apply([[3.0]])
        array([[0.25]])
        """
        found = UnitRange.of(x)
        return cls(found.low, _reciprocal(np.where(found.constant, 1.0, found.spread)))

    @classmethod
    def auto(cls, x: ArrayLike | Rows) -> Scaling:
        """The usual scaling of inputs or targets: bytes are divided by 255, other numbers standardised.

        >>> Scaling.auto(np.array([[1.0], [3.0]])).usual, Scaling.auto(np.zeros((2, 4), np.uint8))
        (True, Scaling(0.0, 0.00392156862745098))
        """
        rows = as_rows(x)
        return (cls(0, 1 / 255) if rows.dtype == np.uint8 else cls.standardise(rows)).described(usual=True)

    def described(self, reason: str = "", *, usual: bool = False) -> Scaling:
        """The same map with other words, and whether a training may choose another one."""
        return Scaling(self.offset, self.factor, usual=usual, reason=reason)

    @property
    def is_none(self) -> bool:
        """Whether it changes nothing."""
        return not self.offset.any() and bool(np.all(self.factor == 1))

    @property
    def words(self) -> str:
        """What it does: the reason that is kept with it, or else the map.

        >>> Scaling(0.5, 2.0).words, Scaling.none().words, Scaling([1.0, 2.0], 1.0).words
        ('(x − 0.5)·2', 'as they are', 'scaled one by one')
        """
        if self.reason:
            return self.reason
        if self.is_none:
            return "as they are"
        if self.offset.size > 1 or self.factor.size > 1:
            return "scaled one by one"
        return self.formula("x")

    def formula(self, x: str) -> str:
        """The map of one number, to four digits of what it tells apart; for the first of several features.

        >>> Scaling(0.5, 2.0).formula("x"), Scaling(-3.0, 1.0).formula("y"), Scaling(0.0, 0.1).formula("y")
        ('(x − 0.5)·2', 'y + 3', 'y/10')
        >>> Scaling(2460000.5, 24.0).formula("t")
        '(t − 2460000.5)·24'
        """
        offset, factor = (float(part.reshape(-1)[0]) for part in (self.offset, self.factor))
        size = to_digits(abs(offset), 1 / abs(factor))
        shifted = f"{x} {'−' if offset > 0 else '+'} {size}" if offset else x
        if factor == 1:
            return shifted
        whole = round(1 / factor)
        by = f"/{whole}" if 1 < whole < 1e6 and abs(whole * factor - 1) < 1e-12 else f"·{numeral(factor)}"
        return f"({shifted}){by}" if offset else f"{x}{by}"

    def apply(self, x: ArrayLike) -> NDArray[np.floating[Any]]:
        """(x − offset) · factor for one example or any number of them: float32 if x is, else float64.

        Raises ShapeError if the last axes of x are not those of an example.
        """
        array = _numbers(x)
        self._check_shape(array.shape)
        return ((array - self.offset) * self.factor).astype(_result_dtype(array), copy=False)

    def undo(self, x: ArrayLike) -> NDArray[np.floating[Any]]:
        """The inverse of `apply`: x / factor + offset, with the same rules.

        Shapes: x (n, ...); result as x.

        >>> Scaling(10.0, 0.5).undo([1.0, 2.0])
        array([12., 14.])
        """
        array = _numbers(x)
        self._check_shape(array.shape)
        return (array / self.factor + self.offset).astype(_result_dtype(array), copy=False)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the example that the scaling is made for; () fits every shape."""
        return np.broadcast_shapes(self.offset.shape, self.factor.shape)

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether arrays whose last axes are `shape` keep their shape under this scaling.

        >>> Scaling([0.0, 1.0], 1.0).fits((2,)), Scaling([0.0, 1.0], 1.0).fits((3,))
        (True, False)
        """
        try:
            return np.broadcast_shapes(shape, self.shape) == shape
        except ValueError:
            return False

    def _check_shape(self, shape: tuple[int, ...]) -> None:
        if not self.fits(shape):
            raise ShapeError(
                f"x has shape {shape} and the scaling was made for examples of shape {self.shape}",
                expected=f"an array whose last axes are {self.shape}",
                remedy="give the features that the scaling was learned from, in the same order",
            )


def choose_scaling(choice: Scaling | ScalingChoice | None, x: ArrayLike | Rows) -> Scaling:
    """The scaling that a name stands for, learned from `x` (the training part); None is none. OptionError for an unknown name.

    >>> choose_scaling("minmax", [[0.0], [4.0]])
    Scaling([0.0], [0.25])
    """
    if isinstance(choice, Scaling):
        return choice
    if choice == "auto":
        return Scaling.auto(x)
    if choice == "standardise":
        return Scaling.standardise(x).described("standardised, as asked")
    if choice == "minmax":
        return Scaling.minmax(x).described("mapped to 0 … 1, as asked")
    if choice not in (None, "none"):
        raise OptionError(
            f"scaling={choice!r}",
            expected="'auto', 'standardise', 'minmax', 'none', None or a Scaling",
            remedy="write scaling='standardise'",
        )
    return Scaling.none()


def to_digits(value: float, unit: float) -> str:
    """The number to four digits, and to more where it is many times as large as the unit in which it matters.

    >>> to_digits(1.23456, 1.0), to_digits(2460000.512345, 0.5)
    ('1.235', '2460000.512')
    """
    ratio = abs(value) / unit if unit > 0 else 1.0
    digits = max(4, 3 + math.ceil(math.log10(ratio))) if 1 < ratio < math.inf else 4
    return printed(f"{value:.{min(digits, 15)}g}")


def _reciprocal(values: Floats) -> Floats:
    # Overflow is reported with its value by Scaling itself.
    with np.errstate(over="ignore"):
        return 1.0 / values


def _check_finite(name: str, array: Floats) -> None:
    # 1/inf is 0: a zero factor from `standardise` means that the spread of a feature left the range of float64.
    wrong = ~np.isfinite(array) | ((array == 0) & (name == "factor"))
    if wrong.any():
        where = np.argwhere(wrong)[0].tolist()
        raise DataError(
            f"the {name} of the scaling is {float(array[wrong][0])}" + (f" at {where}" if array.ndim else ""),
            expected=f"finite {name}s" + (" other than 0" if name == "factor" else ""),
            remedy="look for missing or enormous values in this feature, or use scaling='none'",
        )


def _result_dtype(array: NDArray[Any]) -> type[np.float32 | np.float64]:
    return np.float32 if array.dtype == np.float32 else np.float64


def _short(array: Floats) -> str:
    return str(array.tolist()) if array.size <= 4 else f"<{array.shape}>"
