"""Examples: inputs and targets that belong together, as two read-only arrays of the same length."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.checks import checked
from chainrule.data.rows import Rows, is_mapped
from chainrule.display import Shown
from chainrule.errors import DataError, DtypeError
from chainrule.immutable import immutable

Array = NDArray[Any]


@immutable(eq=False)
class Example(Shown):
    """One example: its input `x` of shape (features...), and its target `y`: a class label, or numbers of shape (k,)."""

    x: Array
    y: int | Array


@dataclass(frozen=True, eq=False, init=False)
@checked
class Examples(Shown):
    """Inputs `x` of shape (n, features...) and targets `y`: int64 class labels of shape (n,), or numbers of shape (n, k).

    uint8 inputs (images) stay uint8, float32 stays float32, all other numbers become float64. Both arrays are read-only; the
    caller's own arrays stay as they were. An index gives an Example; a slice, a mask or an array of indices gives Examples.
    Raises DataError if lengths or shapes do not fit, DtypeError for what is not a number.

    >>> gate = Examples([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 0, 0, 1])
    >>> len(gate), gate[3]
    (4, Example(x=array([1., 1.]), y=1))
    >>> gate[1:]
    Examples(3 × (2,) float64, labels)
    """

    inputs: Rows
    targets: Rows

    def __init__(self, x: ArrayLike | Rows, y: ArrayLike) -> None:
        inputs, targets = as_inputs(x), Rows(_as_targets(as_array(y, "y")))
        if 0 in (*inputs.shape[1:], *targets.shape[1:]):
            name, rows = ("x", inputs) if 0 in inputs.shape[1:] else ("y", targets)
            raise DataError(
                f"{name} has shape {rows.shape}: no number to an example",
                expected="one or more",
                remedy="give features and targets",
            )
        if len(inputs) != len(targets):
            raise DataError(
                f"x holds {len(inputs)} examples (shape {inputs.shape}) and y holds {len(targets)} (shape {targets.shape})",
                expected="as many targets as inputs: both begin with the axis of the examples",
                remedy="cut both to the same examples, in the same order",
            )
        self._settle(inputs, targets)

    def _settle(self, inputs: Rows, targets: Rows) -> None:
        object.__setattr__(self, "inputs", inputs)
        object.__setattr__(self, "targets", targets)

    @property
    def x(self) -> Array:
        """The inputs as one array, (n, features...)."""
        return self.inputs.array()

    @property
    def y(self) -> Array:
        """The targets as one array: labels (n,) or numbers (n, k)."""
        return self.targets.array()

    def __len__(self) -> int:
        return len(self.inputs)

    def __iter__(self) -> Iterator[Example]:
        return (self[index] for index in range(len(self)))

    @overload
    def __getitem__(self, which: int | np.integer[Any]) -> Example: ...
    @overload
    def __getitem__(self, which: slice | Sequence[int] | Array) -> Examples: ...
    def __getitem__(self, which: int | np.integer[Any] | slice | Sequence[int] | Array) -> Example | Examples:
        try:
            if isinstance(which, (int, np.integer)):
                return self._one(int(which))
            chosen = which if isinstance(which, slice) else _as_index(which)
            return self._of(self.inputs[chosen], chosen)
        except IndexError as trouble:
            raise DataError(
                f"these {len(self)} examples have no example {which!r}",
                expected=f"indices from 0 to {len(self) - 1}, or a mask of {len(self)} truth values",
                remedy="count from 0",
            ) from trouble

    def __repr__(self) -> str:
        targets = "labels" if self.labelled else f"targets {self.targets.shape[1:]} {self.targets.dtype}"
        return f"Examples({len(self)} × {self.inputs.shape[1:]} {self.inputs.dtype}, {targets})"

    @property
    def labelled(self) -> bool:
        """True if `y` holds class labels, False if it holds numbers."""
        return len(self.targets.shape) == 1

    def staying(self, index: Array) -> Examples:
        """The examples at some places, their inputs where they lie."""
        return self._of(self.inputs.staying(index), index)

    def _one(self, index: int) -> Example:
        x, target = self.inputs.row(index), self.targets.row(index)
        return Example(x, int(target) if self.labelled else target)

    def _of(self, inputs: Rows, chosen: slice | Array) -> Examples:
        found = object.__new__(Examples)
        # Inputs that stay where they lie take their targets from the same rows.
        together = inputs.index is not None and self.inputs.index is self.targets.index
        targets = Rows(self.targets.table, inputs.index, self.targets.dtype) if together else self.targets[chosen]
        found._settle(inputs, targets)
        return found


def as_array(values: ArrayLike, what: str) -> Array:
    """The values as a NumPy array with at least one axis; DataError for rows of unequal length or a lone number.

    >>> as_array([[1], [2, 3]], "x")
    Traceback (most recent call last):
    ...
    chainrule.errors.DataError: the rows of x differ in length
      expected: every row of x with the same shape
      fix: cut or fill the rows to one length
    """
    values = plain(values, what)
    try:
        array = np.asarray(values)
    except ValueError as trouble:
        raise DataError(
            f"the rows of {what} differ in length",
            expected=f"every row of {what} with the same shape",
            remedy="cut or fill the rows to one length",
        ) from trouble
    if array.dtype.kind == "U" and not hasattr(values, "dtype") and not _are_texts(values):
        array = np.asarray(values, dtype=object)  # NumPy would make texts of all, and "nan" of what is missing
    if array.ndim == 0:
        raise DataError(
            f"{what} is {values!r}, a single value",
            expected=f"{what} as an array whose first axis counts the examples",
            remedy=f"put it into a list: [{values!r}]",
        )
    return array


def _are_texts(values: Any) -> bool:
    return all(isinstance(value, str) for value in np.asarray(values, dtype=object).flat)


MOST_DENSE = 2**32
"""Up to how many bytes a sparse array is written out with its zeros."""


def plain(values: Any, what: str) -> Any:
    """The values as NumPy takes them: sparse arrays with their zeros, tensors by DLPack from wherever they lie; others as they are.

    Raises: DataError for an array with masked values, or for a sparse one that has no room; DtypeError for a tensor that NumPy cannot read.

    >>> plain(np.ma.array([1.0, 1e20], mask=[False, True]), "x")
    Traceback (most recent call last):
    ...
    chainrule.errors.DataError: 1 of 2 values of x is masked, the first at example 1
      expected: a value everywhere
      fix: leave such examples out, or fill them in: x.filled(...)
    """
    if "numpy.ma" in sys.modules and isinstance(values, np.ma.MaskedArray):  # it is loaded only where somebody has one
        masked = np.ma.getmaskarray(cast("Array", values))
        if masked.any():
            count = int(np.count_nonzero(masked))
            raise DataError(
                f"{count} of {masked.size} values of {what} {'is' if count == 1 else 'are'} masked"
                + (f", the first at example {np.argwhere(masked)[0][0]}" if masked.ndim else ""),
                expected="a value everywhere",
                remedy=f"leave such examples out, or fill them in: {what}.filled(...)",
            )
        return cast("Array", values)
    if hasattr(values, "toarray") and hasattr(values, "nnz"):
        size = int(np.prod(values.shape, dtype=np.int64)) * np.dtype(values.dtype).itemsize
        if size > MOST_DENSE:
            raise DataError(
                f"{what} is a sparse array of shape {values.shape}, with its zeros {size:,} bytes",
                expected=f"{MOST_DENSE:,} bytes at most",
                remedy="choose fewer columns, or reduce them first: sklearn.decomposition.TruncatedSVD",
            )
        return np.ascontiguousarray(values.toarray())  # sums over columns then have the bits of the dense array's
    if hasattr(values, "__dlpack__") and not isinstance(values, np.ndarray | np.generic):
        return _of_tensor(values, what)
    return cast("Any", values)


def _of_tensor(values: Any, what: str) -> Array:
    """A tensor of another library, taken out of its memory: what it is to be differentiated by does not matter here."""
    tensor = values.detach() if hasattr(values, "detach") else values
    try:
        is_near = tensor.__dlpack_device__()[0] == 1
        return np.from_dlpack(tensor if is_near or not hasattr(tensor, "cpu") else tensor.cpu())
    except (BufferError, RuntimeError, TypeError, ValueError, AttributeError):
        try:
            return np.asarray(tensor)
        except Exception as trouble:
            raise DtypeError(
                f"{what} is a {type(values).__name__} that cannot be read: {trouble}",
                expected="numbers of a dtype that NumPy has",
                remedy=f"write {what}.float().cpu().numpy()",
            ) from trouble


def as_inputs(x: ArrayLike | Rows) -> Rows:
    """Inputs as uint8 (images), float32 or float64, without a copy where the dtype already fits; DtypeError for others.

    Numbers of another type that lie in a file are converted as they are read.

    >>> as_inputs([True, False]).dtype, as_inputs(np.zeros(3, np.uint8)).dtype
    (dtype('float64'), dtype('uint8'))
    """
    if isinstance(x, Rows):
        dtype = x.dtype if x.dtype == np.uint8 else np.dtype(_float_of(_real(x.dtype)))
        return x if x.dtype == dtype else Rows(x.table, x.index, dtype)
    array = as_array(x, "x")
    if array.dtype == np.uint8:
        return Rows(array)
    if array.dtype.kind == "O":
        return Rows(_numbers_of_objects(array))
    dtype = _float_of(_real(array.dtype))
    return Rows(array, None, dtype) if is_mapped(array) and array.flags.c_contiguous else Rows(array.astype(dtype, copy=False))


def _real(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The type of real numbers; DtypeError for another one."""
    if dtype.kind not in "biuf":
        raise DtypeError(
            f"x has dtype {dtype}",
            expected="real numbers",
            remedy="encode texts as numbers first, or read a table with its column names: from_dataframe, read_csv",
        )
    return dtype


def _as_targets(y: Array) -> Array:
    if y.ndim == 1 and y.dtype.kind in "iu":
        return y.astype(np.int64, copy=False)
    if y.ndim == 2 and y.dtype.kind == "f":
        return y.astype(_float_of(y.dtype), copy=False)
    raise DataError(
        f"y has shape {y.shape} and dtype {y.dtype}",
        expected="whole numbers of shape (n,) for class labels, or floats of shape (n, k) for numbers",
        remedy="write y[:, None].astype(float) for one number per example, or let from_arrays(x, y) do it",
    )


def _float_of(dtype: np.dtype[Any]) -> type[np.float32 | np.float64]:
    return np.float32 if dtype.kind == "f" and dtype.itemsize <= 4 else np.float64


def _numbers_of_objects(array: Array) -> Array:
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as trouble:
        raise DataError(
            f"x is an array of Python objects that are not all numbers ({trouble})",
            expected="an array of numbers",
            remedy="read a table with its column names: from_dataframe, read_csv",
        ) from trouble


def _as_index(which: Sequence[int] | Array) -> Array:
    index = as_array(which, "the index")
    if index.ndim != 1 or (index.dtype.kind not in "biu" and index.size):
        raise DataError(
            f"the index has shape {index.shape} and dtype {index.dtype}",
            expected="a number, a slice, or whole numbers or truth values of shape (m,)",
            remedy="write examples[[0, 5, 7]]",
        )
    return index if index.size else index.astype(np.int64)
