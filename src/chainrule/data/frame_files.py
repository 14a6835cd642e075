"""Tables in the files of data frames: Parquet, Feather and Arrow, read by whatever is installed that reads them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Unpack

from chainrule.checks import checked
from chainrule.data.dataset import Dataset
from chainrule.data.files import regular_file
from chainrule.data.frame import adopted
from chainrule.data.origin import remembered
from chainrule.data.tables import FrameOptions, Missing, Name, from_dataframe
from chainrule.errors import FileFormatError, MissingPackageError

MOST_BYTES = 2**34
_PARQUET: tuple[tuple[str, Callable[[Any, str], Any]], ...] = (
    ("pyarrow.parquet", lambda module, path: module.read_table(path)),
    ("polars", lambda module, path: module.read_parquet(path)),
    ("duckdb", lambda module, path: module.read_parquet(path).df()),
)
_FEATHER: tuple[tuple[str, Callable[[Any, str], Any]], ...] = (
    ("pyarrow.feather", lambda module, path: module.read_table(path)),
    ("polars", lambda module, path: module.read_ipc(path, memory_map=False)),
)
FRAME_FILES = {".parquet": _PARQUET, ".feather": _FEATHER, ".arrow": _FEATHER}
"""Who reads files with these endings, in the order in which they are tried: a package, and how it does."""


def frame_in(path: str | Path) -> Any:
    """The data frame in a file.

    Raises: MissingFileError, MissingPackageError where nothing is installed that reads it, FileFormatError for a damaged file.
    """
    file = regular_file(path, max_bytes=MOST_BYTES)
    readers = FRAME_FILES[Path(path).suffix.lower()]
    for package, read in readers:
        try:
            module = import_module(package)
        except ImportError:
            continue
        try:
            return adopted(read(module, str(file)))
        except ImportError as trouble:  # pandas asks for newer ones than we do
            raise MissingPackageError(
                f"{path} cannot be read: {trouble}", expected=f"a newer {package}", remedy=f"pip install --upgrade {package}"
            ) from trouble
        except Exception as trouble:
            # Each package has errors of its own for bytes that are not what they should be.
            said = str(trouble).splitlines()[0] if str(trouble) else type(trouble).__name__
            raise FileFormatError(
                f"{path} cannot be read as a {file.suffix} file: {said}",
                expected="a whole table",
                remedy="write it again, or save it as CSV",
            ) from trouble
    names = " or ".join(package.partition(".")[0] for package, _ in readers)
    raise MissingPackageError(
        f"nothing is installed that reads {path}",
        expected=names,
        remedy="pip install 'chainrule[tables]', or save it as CSV",
    )


@remembered()
@checked
def read_frame(
    path: str | Path,
    *,
    target: Name,
    missing: Missing = "refuse",
    categories: Sequence[Name] = (),
    drop: Sequence[Name] = (),
    **options: Unpack[FrameOptions],
) -> Dataset:
    """A data set from a table in a .parquet, .feather or .arrow file. Options as in `from_dataframe`.

    Parquet is read by pyarrow, polars or duckdb, by the first that is installed. Workbooks are for `read_csv`.
    Raises: MissingFileError, MissingPackageError, FileFormatError, and the errors of `from_table`.

        data = cr.data.read_frame("plants.parquet", target="species")
    """
    settled: FrameOptions = {"name": Path(path).stem, "source": str(path), **options}
    return from_dataframe(frame_in(path), target=target, missing=missing, categories=categories, drop=drop, **settled)
