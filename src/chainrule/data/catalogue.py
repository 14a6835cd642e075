"""Finds a data set by one word, a built-in name or the path of a file: the door that the command line uses."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from chainrule.checks import Portion, Seed, checked
from chainrule.data.archives import read_npz
from chainrule.data.bars_and_stripes import bars_and_stripes
from chainrule.data.csv_file import read_table
from chainrule.data.dataset import Dataset
from chainrule.data.digits import mnist
from chainrule.data.faces import faces
from chainrule.data.form import WORDS
from chainrule.data.frame import as_table
from chainrule.data.frame_files import FRAME_FILES, frame_in, read_frame
from chainrule.data.generators import and_gate, blobs, circles, curve, moons, ring, spirals, xor
from chainrule.data.image_files import holds_images, read_images
from chainrule.data.ising import ising
from chainrule.data.language import next_character, opinions, story
from chainrule.data.materials import materials
from chainrule.data.npy import read_npy
from chainrule.data.oscillators import oscillators
from chainrule.data.pixels import picture
from chainrule.data.reconstructed import PARTS, Noise, reconstruction
from chainrule.data.relabelled import with_random_labels, with_wrong_labels
from chainrule.data.sequences import countdown, recall
from chainrule.data.tables import read_csv
from chainrule.errors import ColumnError, FileFormatError, MissingFileError, OptionError, Remedy
from chainrule.spelling import did_you_mean, listed

Details = Sequence[tuple[str, Any]]


@checked
def random_labels(of: str = "moons", *, fraction: Portion = 1.0, seed: Seed = 0, details: Details = ()) -> Dataset:
    """`with_random_labels` on the data that `load(of, **details)` gives; `details` are pairs of an option and its value.

    >>> random_labels("moons", details=[("n", 40)])
    Dataset('moons': 40 train, 40 test; inputs (2,) float64; 2 classes)
    """
    return with_random_labels(load(of, **dict(details)), fraction, seed=seed)


@checked
def wrong_labels(of: str = "moons", *, fraction: Portion = 0.1, seed: Seed = 0, details: Details = ()) -> Dataset:
    """`with_wrong_labels` on the data that `load(of, **details)` gives, without the word which labels were changed.

    >>> len(wrong_labels("moons").train)
    200
    """
    return with_wrong_labels(load(of, **dict(details)), fraction, seed=seed).data


@checked
def reconstructed(
    of: str = "mnist",
    *,
    noise: Noise = 0.0,
    fraction: Portion = 0.0,
    parts: Sequence[str] = PARTS,
    seed: Seed = 0,
    details: Details = (),
) -> Dataset:
    """`reconstruction` of the data that `load(of, **details)` gives.

    >>> reconstructed("moons")
    Dataset('moons to itself': 200 train, 200 test; inputs (2,) float64; 2 numbers to fit)
    """
    return reconstruction(load(of, **dict(details)), noise, fraction, parts=parts, seed=seed)


KINDS: dict[str, dict[str, Callable[..., Dataset]]] = {
    "pictures": {"mnist": mnist, "faces": faces, "bars_and_stripes": bars_and_stripes, "picture": picture},
    "points in the plane": {
        "and": and_gate, "xor": xor, "blobs": blobs, "circles": circles, "ring": ring, "moons": moons, "spirals": spirals,
    },
    "a function to fit": {"curve": curve},
    "language": {"next_character": next_character, "story": story, "opinions": opinions},
    "sequences": {"recall": recall, "countdown": countdown},
    "physics": {"ising": ising, "materials": materials, "oscillators": oscillators},
    "made from another set": {"random_labels": random_labels, "wrong_labels": wrong_labels, "reconstruction": reconstructed},
}  # fmt: skip
"""The makers of the built-in sets by their names, by what they hold."""
BUILT_IN: dict[str, Callable[..., Dataset]] = {name: maker for made in KINDS.values() for name, maker in made.items()}
_TABLES = (".csv", ".tsv", ".txt", ".dat", ".data", ".tab", ".xlsx")


@checked
def load(name_or_path: str | Path, *, target: str | int | None = None, **options: Any) -> Dataset:
    """The built-in data set of that name; the arrays in an .npz file, an .npy file or a folder of such; or a table in a file.

    A table ends in .csv, .tsv, .txt, .dat, .data or .tab, perhaps with .gz behind; or in .xlsx, .parquet, .feather or .arrow, for which a
    package that reads such must be installed. A folder of folders of images holds pictures of classes, see `read_images`.

    `target` names the column of a table to predict. Options go to the maker: `n`, `noise`, `seed` and so on for built-in sets,
    those of `read_csv` and `read_npz` for files. Raises OptionError for an unknown name or option, ColumnError for a table
    without a target, MissingFileError, FileFormatError, and the errors of the makers.

    >>> load("xor")
    Dataset('xor': 4 train; inputs (2,) float64; 2 classes)
    >>> load("mnits")
    Traceback (most recent call last):
    ...
    chainrule.errors.OptionError: there is no data set 'mnits'
      expected: 'mnist', 'faces', ..., 'reconstruction', or a .csv or .npz file
      fix: check the spelling; did you mean 'mnist'?
    """
    text, path = str(name_or_path), Path(name_or_path)
    settled: dict[str, Any] = options if target is None else {"target": target, **options}
    if text in BUILT_IN:
        _check_options(text, settled)
        return BUILT_IN[text](**settled)
    if path.suffix.lower() == ".npz":
        return read_npz(path, **settled)
    if path.is_dir() and holds_images(path):
        return read_images(path, **settled)
    if path.suffix.lower() == ".npy" or path.is_dir():
        return read_npy(path, **settled)
    if path.suffix.lower() in FRAME_FILES:
        if target is None:
            raise _no_target(path, options)
        return read_frame(path, target=str(target), **options)
    if is_table(path):
        if target is None:
            raise _no_target(path, options)
        return read_csv(path, target=target, **options)
    raise _unknown(text, path)


def _check_options(name: str, options: dict[str, Any]) -> None:
    """OptionError for an option that the maker of the built-in set does not take."""
    known = list(inspect.signature(BUILT_IN[name]).parameters)
    for option in options:
        if option not in known:
            raise OptionError(
                f"{name} takes no option {option!r}",
                expected=f"one of {listed(known)}",
                remedy=f"leave it out;{did_you_mean(option, known) or ' each option is described with its maker'}",
            )


def is_table(path: str | Path) -> bool:
    """Whether the ending of a file's name says that it holds a table.

    >>> is_table("a.csv"), is_table("a.dat.gz"), is_table("a.npz")
    (True, True, False)
    """
    return Path(str(path).lower().removesuffix(".gz")).suffix in _TABLES


def _no_target(path: Path, options: Mapping[str, Any]) -> ColumnError:
    known = {name: options[name] for name in WORDS if name in options}
    table = as_table(frame_in(path)) if path.suffix.lower() in FRAME_FILES else read_table(path, **known)
    names = listed(table.columns)
    return ColumnError(
        f"no target is named for {path}",
        expected=f"the name of the column to predict, one of {names}",
        remedy=Remedy(f"name it: cr.data.load({str(path)!r}, target=...)", "name it: --target COLUMN"),
    )


def _unknown(text: str, path: Path) -> OptionError | FileFormatError | MissingFileError:
    """The error for a word that is neither a built-in name nor a readable file."""
    known = f"{listed(BUILT_IN, most=len(BUILT_IN))}, or a .csv or .npz file"
    if path.exists():
        return FileFormatError(
            f"{text} is neither a table nor an .npz file by its ending",
            expected=f"{known}; tables end in {', '.join(_TABLES)}",
            remedy="rename it, or save the data as CSV or NPZ",
        )
    if path.suffix or len(path.parts) > 1:
        return MissingFileError(
            f"there is no file {text}", expected=known, remedy=f"check the spelling; relative paths start at {Path.cwd()}"
        )
    hint = did_you_mean(text, BUILT_IN) or " for a file, give its full name with the ending"
    return OptionError(f"there is no data set {text!r}", expected=known, remedy=f"check the spelling;{hint}")
