"""The data of a training: what the user gave, and for a saved run the same data again, also where their file has moved."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from chainrule.checks import shown
from chainrule.data import BUILT_IN, Dataset, DatasetInfo, from_arrays, is_frame, load
from chainrule.errors import ChainruleError, DataError, FileFormatError, MissingFileError, OptionTypeError, Remedy
from chainrule.train.configuration import Configuration
from chainrule.train.sealed import as_written


def as_dataset(data: Any) -> Dataset:
    """The data set that a user means: itself, a name, a file, what `data.load` takes, or x and y. Raises: OptionTypeError for the rest."""
    if isinstance(data, Dataset):
        return data
    if isinstance(data, str | Path):
        return load(data)
    if isinstance(data, Mapping):
        options = {str(name): value for name, value in cast("Mapping[Any, Any]", data).items()}
        if "name_or_path" in options:
            return load(**options)
        if options.keys() == {"x", "y"}:
            return from_arrays(**options)
    if isinstance(data, tuple) and len(pair := cast("tuple[Any, ...]", data)) == 2:
        return from_arrays(pair[0], pair[1])
    raise OptionTypeError(
        f"data={shown(cast('object', data))}", expected="a Dataset, a name, a file, or (x, y)", remedy=_how_to_give(data)
    )


def _how_to_give(data: Any) -> str:
    """The call that makes a data set of an object of another kind."""
    if isinstance(data, Mapping) and {"data", "target"} <= cast("Mapping[Any, Any]", data).keys():
        return "write (bunch['data'], bunch['target'])"
    if hasattr(cast("object", data), "toarray"):
        return "write (x.toarray(), y)"
    if is_frame(cast("object", data)):
        return "name the column to predict: cr.data.from_dataframe(frame, target='...')"
    return "write (x, y)"


def saved_data(folder: Path, saved: Configuration, given: Any) -> Dataset:
    """The data that a saved run learned from: loaded as they were, or from what is `given`; they must be the same, bit for bit.

    A file that is no longer where it was, or no longer the same, is looked for beside the run and in the folders above it.
    Raises: MissingFileError, DataError.
    """
    with as_written(folder / "config.json"):
        source = saved.source or {}
        file = _file_of(source)
    info = saved.dataset_info
    if given is None and not source:
        raise DataError(
            f"the run's data {info.name!r} were arrays, which the folder does not hold",
            expected="the same data again",
            remedy=Remedy(
                "pass them: data=(x, y)", "keep them in a file, np.savez('data.npz', x=x, y=y), and pass it: --data data.npz"
            ),
        )
    if given is not None:
        named = isinstance(given, str | os.PathLike) and file and str(cast("object", given)) not in BUILT_IN
        dataset = load(**{**source, file: str(cast("object", given))}) if named else as_dataset(given)
        _require_same(dataset, info)
    else:
        dataset = _loaded(source, file, folder, info)
    # What was decided when the training began, and learned from these data then, is kept with the run.
    return dataset.scaled_by(info.scaling, info.target_scaling)


def _file_of(source: Mapping[str, Any]) -> str:
    """The option of `data.load` that names a file; "" where there is none."""
    named = [key for key in ("name_or_path", "of") if isinstance(source.get(key), str) and source[key] not in BUILT_IN]
    return named[0] if named else ""


def _loaded(source: Mapping[str, Any], file: str, folder: Path, saved: DatasetInfo) -> Dataset:
    """The data from where they were, or else from where they are found to be the same."""
    try:
        with as_written(folder / "config.json"):
            dataset = load(**source)
        _require_same(dataset, saved)
        return dataset
    except (MissingFileError, DataError, FileFormatError) as trouble:
        for place in places_beside(Path(source[file]), folder) if file else ():
            try:
                dataset = load(**{**source, file: str(place)})
                _require_same(dataset, saved)
                return dataset
            except ChainruleError:
                continue
        if not file:
            raise
        if not isinstance(trouble, MissingFileError):
            raise DataError(
                f"{source[file]} is no longer what the run learned from: {trouble.happened}",
                expected="the same data, bit for bit",
                remedy="restore the file, say where it is now: data=..., or train anew on the changed data",
            ) from trouble
        raise MissingFileError(
            f"the run's data are no longer at {source[file]}, and not beside the run",
            expected="the file that it learned from, unchanged",
            remedy="say where it is now: data=...",
        ) from trouble


def places_beside(file: Path, folder: Path) -> Iterator[Path]:
    """Where a file may be after it was moved together with a run: at the end of its old path, from any folder above the run on.

    The run of old/fits/runs/a learned from old/fits/data/x.csv: when the folder fits has moved into new, that is new/fits/data/x.csv.
    """
    seen = {file}
    for above in (folder.resolve(), *folder.resolve().parents):
        for parts in range(1, len(file.parts)):
            place = above.joinpath(*file.parts[-parts:])
            if place not in seen and place.is_file():
                seen.add(place)
                yield place


def _require_same(dataset: Dataset, saved: DatasetInfo) -> None:
    if dataset.hash != saved.hash:
        raise DataError(
            f"the data {dataset.name!r} have the hash {dataset.hash[:12]}..., the run learned from {saved.hash[:12]}...",
            expected="the same data, bit for bit",
            remedy="restore the file, or train anew on the changed data",
        )
