"""The type of a node: what kind of numbers it holds, and in which shape."""

from __future__ import annotations

import math
import operator
import re
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from chainrule.checks import shown
from chainrule.display import Shown
from chainrule.errors import DtypeError, ShapeError

Array: TypeAlias = NDArray[Any]
Shape: TypeAlias = tuple[int, ...]

FLOATS = ("float32", "float64")
DTYPES = (*FLOATS, "bool", "uint8", "int32", "int64", "uint32")
_NAMES = {np.dtype(name): name for name in DTYPES}
"""NumPy spells a dtype's name anew each time it is asked."""
_TYPE_TEXT = re.compile(r"(\w+)\[([\d,]*)\]")


def dtype_name(array: Array) -> str:
    """The name of an array's dtype, as `array.dtype.name`, faster."""
    return _NAMES.get(array.dtype) or array.dtype.name


def is_plain(array: Array, dtype: str) -> bool:
    """Whether the numbers are of this dtype, in the machine's byte order, and lie in order in memory."""
    return _NAMES.get(array.dtype) == dtype and array.flags.c_contiguous


def require_dtype(dtype: object) -> None:
    """Refuses what is no name of a dtype that nodes may have."""
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise DtypeError(f"dtype {shown(dtype)}", expected=f"one of {', '.join(DTYPES)}", remedy="convert the array first")


@dataclass(frozen=True, slots=True)
class Type(Shown):
    """A dtype name and a shape; both are fixed when a node is born.

    >>> Type("float64", (64, 16))
    float64[64,16]
    >>> Type.parse("float64[64,16]").size
    1024
    """

    dtype: str
    shape: Shape = ()

    def __post_init__(self) -> None:
        require_dtype(self.dtype)
        # Nearly every type is made of one that has been looked at: a tuple of Python's own numbers stays as it is.
        if type(self.shape) is tuple and all(type(extent) is int and extent >= 0 for extent in self.shape):
            return
        try:
            # NumPy's whole numbers are taken as Python's, which print plainly.
            shape = tuple(map(operator.index, self.shape))
        except TypeError:
            raise ShapeError(
                f"shape {self.shape!r}",
                expected="whole numbers, as in (64, 16)",
                remedy="write whole numbers, such as (64, 16)",
            ) from None
        if any(extent < 0 for extent in shape):
            raise ShapeError(f"shape {self.shape}", expected="extents of 0 or more", remedy="write sizes of 0 or more")
        object.__setattr__(self, "shape", shape)

    @staticmethod
    def of(array: Array) -> Type:
        """The type of a NumPy array."""
        return Type(dtype_name(array), array.shape)

    @staticmethod
    def parse(text: str) -> Type:
        """The type that a text such as ``float64[64,16]`` names."""
        match = _TYPE_TEXT.fullmatch(text.strip())
        if match is None:
            raise ShapeError(
                f"type {text!r}",
                expected="a dtype and a shape, as in float64[64,16]",
                remedy="write for example float64[64,16]",
            )
        return Type(match[1], tuple(int(extent) for extent in match[2].split(",") if extent))

    @property
    def ndim(self) -> int:
        """How many axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """How many numbers."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """How many bytes the numbers take."""
        return self.size * np.dtype(self.dtype).itemsize

    @property
    def is_float(self) -> bool:
        """Whether derivatives make sense for it."""
        return self.dtype in FLOATS

    def with_shape(self, shape: Shape) -> Type:
        """The same numbers in another shape."""
        return Type(self.dtype, shape)

    def with_dtype(self, dtype: str) -> Type:
        """The same shape with other numbers."""
        return Type(dtype, self.shape)

    def __repr__(self) -> str:
        return f"{self.dtype}[{','.join(map(str, self.shape))}]"
