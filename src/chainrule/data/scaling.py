"""Scaling: the affine map between the numbers in the data and the numbers that a network sees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.checks import checked
from chainrule.errors import DataError, FileFormatError, OptionError, ShapeError

Floats = NDArray[np.float64]
ScalingChoice = Literal["standardise", "minmax", "none"]


@dataclass(frozen=True, eq=False, init=False)
@checked
class Scaling:
    """The map x_scaled = (x − offset) · factor, where `offset` and `factor` are float64 and broadcast against one example.

    Raises DataError for a factor that is zero (it could not be undone), and for an offset or factor that is not finite.

    >>> Scaling(0, 1 / 255).apply(np.array([0, 51, 255], np.uint8))
    array([0. , 0.2, 1. ])
    """

    offset: Floats
    factor: Floats

    def __init__(self, offset: float | NDArray[Any], factor: float | NDArray[Any]) -> None:
        for name, values in (("offset", offset), ("factor", factor)):
            array = np.array(values, dtype=np.float64)  # a copy: the caller may go on writing into theirs
            _check_finite(name, array)
            array.flags.writeable = False
            object.__setattr__(self, name, array)

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
    def standardise(cls, x: ArrayLike) -> Scaling:
        """Mean 0 and standard deviation 1 for each feature over the first axis of `x`, which is to be the training part.

        The deviation divides by n. A feature that is constant gets factor 1, so it becomes 0.

        >>> Scaling.standardise([[1.0, 5.0], [3.0, 5.0]]).apply([[1.0, 5.0], [3.0, 5.0]])
        array([[-1.,  0.],
               [ 1.,  0.]])
        """
        low, spread, constant, unit = _unit_range(x)
        deviation = np.where(constant, 1.0, spread * unit.std(axis=0))
        return cls(low + spread * unit.mean(axis=0), _reciprocal(deviation))

    @classmethod
    def minmax(cls, x: ArrayLike) -> Scaling:
        """Least value 0 and largest value 1 for each feature over the first axis of `x`; factor 1 where it is constant.

        >>> Scaling.minmax([[2.0], [4.0], [6.0]]).apply([[3.0]])
        array([[0.25]])
        """
        low, spread, constant, _ = _unit_range(x)
        return cls(low, _reciprocal(np.where(constant, 1.0, spread)))

    @classmethod
    def from_json(cls, content: object) -> Scaling:
        """The scaling that `to_json` described; FileFormatError for anything else."""
        if not isinstance(content, Mapping):
            raise _not_a_scaling(content)
        mapping = cast("Mapping[str, Any]", content)
        try:
            return cls(mapping["offset"], mapping["factor"])
        except (KeyError, TypeError, ValueError) as trouble:
            raise _not_a_scaling(mapping) from trouble

    def to_json(self) -> dict[str, object]:
        """A dictionary of plain numbers and lists that JSON keeps without loss.

        >>> Scaling(0, 0.5).to_json()
        {'offset': 0.0, 'factor': 0.5}
        """
        return {"offset": self.offset.tolist(), "factor": self.factor.tolist()}

    def apply(self, x: ArrayLike) -> NDArray[np.floating[Any]]:
        """(x − offset) · factor for one example or any number of them: float32 if x is, else float64.

        Raises ShapeError if the last axes of x are not those of an example.
        """
        array = np.asarray(x)
        self._check_shape(array.shape)
        return ((array - self.offset) * self.factor).astype(_result_dtype(array), copy=False)

    def undo(self, x: ArrayLike) -> NDArray[np.floating[Any]]:
        """The inverse of `apply`: x / factor + offset, with the same rules.

        >>> Scaling(10.0, 0.5).undo([1.0, 2.0])
        array([12., 14.])
        """
        array = np.asarray(x)
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


def choose_scaling(choice: Scaling | ScalingChoice, x: ArrayLike) -> Scaling:
    """The scaling that a name stands for, learned from `x` (the training part); OptionError for an unknown name.

    >>> choose_scaling("minmax", [[0.0], [4.0]])
    Scaling([0.0], [0.25])
    """
    if isinstance(choice, Scaling):
        return choice
    makers = {"standardise": Scaling.standardise, "minmax": Scaling.minmax}
    if choice in makers:
        return makers[choice](x)
    if choice != "none":
        raise OptionError(
            f"scaling={choice!r}",
            expected="'standardise', 'minmax', 'none' or a Scaling",
            remedy="write scaling='standardise'",
        )
    return Scaling.none()


def _unit_range(x: ArrayLike) -> tuple[Floats, Floats, NDArray[np.bool_], Floats]:
    """Least value, spread and constancy of each feature, and x mapped to 0..1 by them.

    The mean and the deviation are taken in that unit range: squares of very large or very small numbers would leave the range
    of float64, and a constant column such as 0.1, 0.1, 0.1 would get a deviation of one rounding error.
    """
    array = np.asarray(x, dtype=np.float64)
    if array.ndim == 0 or not len(array):
        raise DataError(f"x has shape {array.shape}", expected="at least one example", remedy="give the training part")
    with np.errstate(over="ignore", invalid="ignore"):
        low: Floats = array.min(axis=0)
        spread: Floats = array.max(axis=0) - low
        constant = spread == 0
        return low, spread, constant, (array - low) / np.where(constant, 1.0, spread)


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


def _not_a_scaling(content: object) -> FileFormatError:
    return FileFormatError(
        f"{str(content)[:80]} does not describe a scaling",
        expected='{"offset": numbers, "factor": numbers other than 0}',
        remedy="take the description that Scaling.to_json wrote",
    )
