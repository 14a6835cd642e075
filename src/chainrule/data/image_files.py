"""Pictures in files, read by Pillow: a folder of folders, one to a class, and single ones for a network that learned from such."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from math import isqrt
from pathlib import Path
from typing import Any, Literal, Unpack

import numpy as np

from chainrule.checks import Extents, checked
from chainrule.data.arrays import Options, check_options, from_arrays
from chainrule.data.dataset import Dataset
from chainrule.data.dataset_info import DatasetInfo
from chainrule.data.examples import Array
from chainrule.data.files import regular_file
from chainrule.data.origin import remembered
from chainrule.errors import DataError, FileFormatError, MissingPackageError, ShapeError
from chainrule.numerals import numeral

IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm")
PARTS = {
    "train": "train",
    "training": "train",
    "test": "test",
    "validation": "validation",
    "val": "validation",
    "valid": "validation",
}
"""Folders that hold a part of the data, in their usual names."""
_ORIENTATION = 0x0112
"""The tag by which a camera says how it was held."""
MOST_BYTES = 2**30
MOST_TOGETHER = 2**34
"""How many bytes all pictures of a folder may have together."""


def holds_images(folder: Path) -> bool:
    """Whether there are images in a folder's folders, or in theirs."""
    return any(True for _ in _files(folder, "*")) or any(True for _ in _files(folder, "*/*"))


def _files(folder: Path, inner: str) -> Iterator[Path]:
    """The pictures there; what a system or an editor hides, such as ._1.png and .ipynb_checkpoints, is none."""
    found = (file for file in folder.glob(f"{inner}/*") if file.suffix.lower() in IMAGES and file.is_file())
    return (file for file in found if not any(part.startswith(".") for part in file.relative_to(folder).parts))


def _pillow() -> Any:
    try:
        return import_module("PIL.Image")
    except ImportError:
        raise MissingPackageError(
            "pictures are read by Pillow, which is not here",
            expected="the extra images",
            remedy="pip install 'chainrule[images]'",
        ) from None


@remembered()
@checked
def read_images(
    path: str | Path,
    *,
    size: Extents | None = None,
    colours: Literal["as they are", "grey", "rgb"] = "as they are",
    **options: Unpack[Options],
) -> Dataset:
    """A data set from a folder with one folder of images to each class: folder/cat/1.png, folder/dog/2.png, ...

    Folders called train, test and validation around those are the parts; without them a fifth is the test part. Pictures are bytes
    (n, height, width, channels), one channel for grey ones and three for others, upright as their camera says; 16 bits become 8. size:
    (height, width) that all are brought to; without it they must have one size. colours: "grey" or "rgb" for all. The other options are
    those of `from_arrays`. Raises: MissingPackageError without Pillow; FileFormatError for what is no picture; DataError for pictures of
    several sizes, and for numbers in another unit, as floats are.

        data = cr.data.read_images("shells", size=(32, 32))
    """
    check_options(options, ("size", "colours"))
    folder = Path(path)
    inside = sorted(item for item in folder.iterdir() if item.is_dir() and item.name[0] != ".") if folder.is_dir() else []
    parts = {PARTS[item.name.lower()]: item for item in inside if item.name.lower() in PARTS}
    whole = parts if parts and len(parts) == len(inside) else {"": folder}
    files = {part: sorted(_files(place, "*")) for part, place in whole.items()}
    names = sorted({file.parent.name for found in files.values() for file in found})
    if len(names) < 2 or "train" not in {*files, "train" if "" in files else ""}:
        raise DataError(
            f"{path} holds images of {len(names)} class{'es' * (len(names) != 1)}",
            expected="a folder of images to each of two classes or more, or train/ and test/ with such",
            remedy="sort them into folders by class: shells/round/1.png, shells/long/2.png",
        )
    mode = _mode([file for found in files.values() for file in found], colours)
    read = {part: (_together(found, mode, size), _labels(found, names)) for part, found in files.items()}
    settled: Any = {"name": folder.name, "source": str(path), "classes": names, **options}
    if "" in read:
        return from_arrays(*read[""], **settled)
    return from_arrays(*read["train"], test=read.get("test"), validation=read.get("validation"), **settled)


def _labels(files: list[Path], names: list[str]) -> Array:
    return np.array([names.index(file.parent.name) for file in files], dtype=np.int64)


def _mode(files: list[Path], colours: str) -> str:
    """Grey ("L") where all pictures are, else "RGB"."""
    if colours != "as they are":
        return "L" if colours == "grey" else "RGB"
    grey = {"1", "L", "LA", "I", "I;16", "F"}
    for file in files:
        with _opened(file) as picture:
            if picture.mode not in grey:
                return "RGB"
    return "L"


def _opened(file: Path) -> Any:
    """The picture in a file. Raises: FileFormatError, MissingFileError, MissingPackageError."""
    pillow = _pillow()
    place = regular_file(file, max_bytes=MOST_BYTES)
    try:
        picture = pillow.open(place)
        picture.load()
    except Exception as trouble:
        # Each format has errors of its own for bytes that are not what they should be; a picture that is far too large is one of them.
        raise FileFormatError(
            f"{file} is no picture that can be read: {trouble}",
            expected=f"one of {', '.join(IMAGES)}",
            remedy="save it again as PNG",
        ) from trouble
    return picture


def _bytes(file: Path, mode: str, size: tuple[int, ...] | None) -> Array:
    """The picture in a file, (height, width, channels), in bytes: upright, what is transparent on black."""
    with _opened(file) as picture:
        turns = picture.getexif().get(_ORIENTATION, 1) != 1
        upright: Any = import_module("PIL.ImageOps").exif_transpose(picture) if turns else picture.copy()
        # Pillow 10 gives the 16 bits of a PNG in 32.
        has_16_bits = picture.mode.startswith("I;16") or (picture.mode, picture.format) == ("I", "PNG")
    if upright.mode.startswith(("I", "F")):
        upright = _pillow().fromarray(_from_wide(file, np.asarray(upright, dtype=np.float64), has_16_bits))
    elif upright.mode in {"RGBA", "LA", "P", "PA"}:
        clear = upright.convert("RGBA")
        upright = _pillow().alpha_composite(_pillow().new("RGBA", clear.size, (0, 0, 0, 255)), clear)
    upright = upright.convert(mode)
    if size is not None and upright.size != (size[1], size[0]):
        shrinks = upright.size[0] >= size[1] and upright.size[1] >= size[0]
        ways = _pillow().Resampling
        upright = upright.resize((size[1], size[0]), ways.BOX if shrinks else ways.BICUBIC)
    array = np.asarray(upright, dtype=np.uint8)
    return array if array.ndim == 3 else array[:, :, None]


def _from_wide(file: Path, values: Array, has_16_bits: bool) -> Array:
    """Bytes of numbers of 16 bits, or of bytes that stand in wider ones. Raises: DataError for numbers in any other unit."""
    if has_16_bits:
        return np.rint(values / 257.0).astype(np.uint8)
    wrong = values[~((values >= 0) & (values <= 255) & (values == np.rint(values)))]
    if wrong.size:
        raise DataError(
            f"{file} holds numbers such as {numeral(float(wrong[0]))}, whose unit a picture does not tell",
            expected="bytes, or numbers of 16 bits",
            remedy="save all pictures so, in one unit; or give the numbers as arrays, which keep them: x.npy and y.npy in a folder",
        )
    return values.astype(np.uint8)


def _together(files: list[Path], mode: str, size: tuple[int, ...] | None) -> Array:
    found: list[Array] = []
    for file in files:
        found.append(_bytes(file, mode, size))
        if found[-1].shape != found[0].shape:
            (high, wide, _), (first_high, first_wide, _) = found[-1].shape, found[0].shape
            raise DataError(
                f"{file} has {high} × {wide} pixels, {files[0].name} {first_high} × {first_wide}",
                expected="pictures of one size, or a size to bring them to",
                remedy=f"write size=({first_high}, {first_wide}), or --option size={first_high},{first_wide}",
            )
        if found[0].nbytes * len(files) > MOST_TOGETHER:
            raise DataError(
                f"{len(files)} pictures of {found[0].nbytes:,} bytes",
                expected=f"{MOST_TOGETHER:,} bytes at most",
                remedy="choose a smaller size",
            )
    return np.stack(found)


@checked
def read_image(path: str | Path, info: DatasetInfo, *, invert: bool = False) -> Array:
    """A picture in a file as inputs (1, ...) of a network that learned from pictures, of `run.dataset_info`: its size, channels, numbers.

    It is brought to their size, and to grey where they are. Digits of MNIST are white on black: invert=True turns black on white round.
    Numbers are bytes where the network learned from such, else from 0 to 1.
    Raises: ShapeError for a network that learned from no pictures; FileFormatError, MissingFileError, MissingPackageError.

        run.classify(cr.data.read_image("digit.png", run.dataset_info, invert=True))
    """
    high, wide, channels = size_of(info)
    found = _bytes(Path(path), "L" if channels == 1 else "RGB", (high, wide))
    found = 255 - found if invert else found
    numbers = found if info.input_dtype == "uint8" else found / 255
    return numbers.reshape(1, *info.input_shape).astype(info.input_dtype)


def size_of(info: DatasetInfo) -> tuple[int, int, int]:
    """Height, width and channels of the pictures that a network learned from; a row of a square number of them is taken for a square."""
    shape = info.input_shape
    if len(shape) == 3 and shape[2] in {1, 3}:
        return shape[0], shape[1], shape[2]
    if len(shape) == 2:
        return shape[0], shape[1], 1
    side = isqrt(shape[0]) if len(shape) == 1 else 0
    if side > 1 and side * side == shape[0]:
        return side, side, 1
    raise ShapeError(
        f"a picture for a network with inputs of shape {shape}",
        expected="(height, width), (height, width, 1 or 3), or a square of pixels in a row",
        remedy="give it numbers: an .npz file, or a table",
    )
