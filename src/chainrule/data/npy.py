"""NPY files, NumPy's own of one array: those of numbers stay where they lie, and a folder of them may hold one array in pieces."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from chainrule.checks import checked
from chainrule.data.archives import BAD_ARCHIVE, data_of, map_of
from chainrule.data.arrays import Options, check_options
from chainrule.data.dataset import Dataset
from chainrule.data.files import regular_file
from chainrule.data.origin import remembered
from chainrule.data.rows import Indices, Rows
from chainrule.errors import FileFormatError, MissingFileError
from chainrule.spelling import listed

_NAME = re.compile(r"([xy](?:_train|_validation|_test)?)(?:[-_]?(\d+))?\.npy", re.IGNORECASE)
_MOST_BYTES = 2**46


@remembered()
@checked
def read_npy(path: str | Path, **options: Unpack[Options]) -> Dataset:
    """A data set from NPY files, which stay where they lie: they may be larger than the memory.

    The path of a folder that holds x.npy and y.npy, or x_train.npy, y_train.npy with x_test.npy, y_test.npy and so on, as the arrays of
    `read_npz`; or of the file of the inputs, whose name begins with x: that of the targets, with y in place of x, lies beside it. An array
    may be cut into pieces, x_0.npy, x_1.npy, ..., which follow one another by their numbers.

    Inputs are read as they are needed, in the same order, and to the same bits, as if they were in memory; numbers that are neither
    bytes, float32 nor float64 become float64 as they are read. Targets are read at once. The options are those of `from_arrays`. Raises
    MissingFileError, FileFormatError, and the errors of `from_arrays`.

    >>> folder = getfixture("tmp_path")
    >>> np.save(folder / "x.npy", np.arange(10.0)), np.save(folder / "y.npy", 2 * np.arange(10.0))
    (None, None)
    >>> read_npy(folder / "x.npy")
    Dataset('x': 8 train, 2 test; inputs (1,) float64; 1 number to fit)
    """
    check_options(options)
    given = Path(path)
    arrays = npy_arrays(given)
    settled: Options = {"name": given.name if given.is_dir() else given.stem, "source": str(path), **options}
    return data_of(arrays, str(path), settled)


def npy_arrays(path: Path) -> dict[str, Rows | NDArray[Any]]:
    """The arrays x... and y... of a folder, or of one file and the one beside it, by their names in small letters."""
    if not path.is_dir():
        return _pair(path)
    pieces: dict[str, dict[int | None, Path]] = {}
    for file in sorted(path.iterdir()):
        found = _NAME.fullmatch(file.name)
        if found:
            number = None if found[2] is None else int(found[2])
            same = pieces.setdefault(found[1].lower(), {})
            if number in same or (same and (number is None) != (None in same)):
                raise FileFormatError(
                    f"{path} holds {next(iter(same.values())).name} and {file.name}",
                    expected="one file of each array, or pieces with a number each",
                    remedy="rename one of them",
                )
            same[number] = file
    return {name: _joined(name, files) for name, files in pieces.items()}


def mapped(path: Path) -> NDArray[Any]:
    """The array in an NPY file, as a map of the file. Raises: MissingFileError, FileFormatError."""
    file = regular_file(path, max_bytes=_MOST_BYTES)
    try:
        with file.open("rb") as stream:
            return map_of(stream, file, path.name, file.stat().st_size)
    except FileFormatError:
        raise
    except BAD_ARCHIVE as trouble:
        raise FileFormatError(
            f"{path} is not a complete NPY file ({type(trouble).__name__}: {trouble})",
            expected="an array of numbers or texts, as np.save writes it",
            remedy="save it again with np.save(path, x), or fetch it again",
        ) from trouble


def _pair(path: Path) -> dict[str, Rows | NDArray[Any]]:
    found = _NAME.fullmatch(path.name)
    if not path.exists():
        raise MissingFileError(
            f"there is no file {path}", expected="an NPY file or a folder of such", remedy="check the spelling"
        )
    if found is None or not path.name.lower().startswith("x"):
        raise FileFormatError(
            f"{path} is no file of inputs by its name",
            expected="x.npy, with y.npy beside it",
            remedy="rename it; or write from_arrays(np.load(path, mmap_mode='r'), y)",
        )
    other = path.with_name(("Y" if path.name[0] == "X" else "y") + path.name[1:])
    return {"x": _joined("x", {None: path}), "y": _joined("y", {None: other})}


def _joined(name: str, files: Mapping[int | None, Path]) -> Rows | NDArray[Any]:
    """The array that some files hold together, by their numbers; targets are read."""
    ordered = [files[number] for number in sorted(files, key=lambda number: -1 if number is None else number)]
    arrays = [mapped(file) for file in ordered]
    for file, array in zip(ordered, arrays, strict=True):
        first = arrays[0]
        if not array.ndim or (array.dtype, array.shape[1:]) != (first.dtype, first.shape[1:]):
            raise FileFormatError(
                f"{file} holds {array.dtype} numbers of shape {array.shape}, {ordered[0].name} {first.dtype} of shape {first.shape}",
                expected="pieces of one array: one type, and one shape but for the number of rows",
                remedy=f"save all with the dtype and the shape of {ordered[0].name}",
            )
    numbers = sorted(number for number in files if number is not None)
    if numbers and numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        raise FileFormatError(
            f"of the pieces of {name} there are those with the numbers {listed([str(number) for number in numbers])}",
            expected="numbers without gaps",
            remedy="look for the pieces that are missing",
        )
    if name.startswith("y"):
        return np.concatenate([np.asarray(array) for array in arrays])
    flat = [array[:, None] if array.ndim == 1 else array for array in arrays]
    return Rows(flat[0] if len(flat) == 1 else Joined(flat))


class Joined:
    """Arrays that follow one another, as one table."""

    def __init__(self, arrays: Sequence[NDArray[Any]]) -> None:
        self.arrays = list(arrays)
        self.ends = np.cumsum([len(array) for array in arrays])
        self.dtype: np.dtype[Any] = arrays[0].dtype
        self.shape: tuple[int, ...] = (int(self.ends[-1]), *arrays[0].shape[1:])

    def take(self, index: Indices | slice) -> NDArray[Any]:
        """Some rows, in the order of the index."""
        places = np.arange(*index.indices(self.shape[0])) if isinstance(index, slice) else index
        found = np.empty((len(places), *self.shape[1:]), self.dtype)
        which = np.searchsorted(self.ends, places, side="right")
        for number in np.unique(which).tolist():
            here = which == number
            found[here] = self.arrays[number][places[here] - (self.ends[number - 1] if number else 0)]
        return found
