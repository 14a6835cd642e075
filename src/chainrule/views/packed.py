"""Views as JSON for pages: parts by their kind, arrays as bytes in base64, each array once."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, cast

import numpy as np

from chainrule.graph import Array
from chainrule.views.marks import Image, Scale
from chainrule.views.panels import Sheet, Table

VERSION = 1
FEW = 8
"""So many numbers are written as they are; more go into an array of bytes."""
PRECISE = 1e4
"""How many times larger than their range numbers may be, to be told apart with 32 bits."""


def sheet_json(sheet: Sheet) -> str:
    """The sheet: its panels, and the `arrays` that they name by their place, as little-endian bytes in base64.

    A number that is none is null. The text may stand in a page's script.
    """
    packing = _Packing()
    told = {name: packing.plain(getattr(sheet, name)) for name in ("title", "reading", "panels", "columns", "size", "legend")}
    text = json.dumps({"version": VERSION, **told, "arrays": packing.arrays}, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")


class _Packing:
    """What is being written, and the arrays met so far."""

    def __init__(self) -> None:
        self.arrays: list[dict[str, Any]] = []
        self._places: dict[tuple[str, tuple[int, ...], bytes], int] = {}

    def plain(self, value: object) -> Any:
        """A value as JSON has it."""
        if isinstance(value, Table):
            return {"kind": "table", "headings": list(value.headings), "rows": value.texts(), "title": value.title}
        if is_dataclass(value) and not isinstance(value, type):
            return self._part(value)
        if isinstance(value, np.ndarray | np.generic):
            return self._array(np.asarray(cast("Any", value)))
        if isinstance(value, float):
            return value if math.isfinite(value) else None
        if value is None or isinstance(value, str | bool | int):
            return value
        items = cast("Sequence[object]", value)
        if len(items) > FEW and not any(isinstance(item, str) or is_dataclass(item) for item in items):
            return self._array(np.asarray(items))
        return [self.plain(item) for item in items]

    def _part(self, part: Any) -> dict[str, Any]:
        told = {item.name: getattr(part, item.name) for item in fields(part)}
        if isinstance(part, Image):
            told["pixels"] = _seen(part)
        named = {"kind": part.kind} if hasattr(part, "kind") else {}
        return {**named, **{name: self.plain(value) for name, value in told.items()}}

    def _array(self, array: Array) -> Any:
        if array.dtype.kind not in "biuf" or (array.size <= FEW and array.ndim <= 1):
            return [self.plain(item) for item in array.tolist()] if array.ndim else self.plain(array.item())
        small = np.ascontiguousarray(_small(array))
        key = small.dtype.name, small.shape, small.tobytes()
        if key not in self._places:
            self._places[key] = len(self.arrays)
            data = base64.b64encode(small.astype(small.dtype.newbyteorder("<")).tobytes()).decode()
            self.arrays.append({"type": small.dtype.name, "shape": list(small.shape), "data": data})
        return {"array": self._places[key]}


def _small(array: Array) -> Array:
    """The numbers in the smallest type that shows the same."""
    if array.dtype.name in {"uint8", "bool"}:
        return array.astype(np.uint8)
    if array.dtype.kind in "iu":
        return array.astype(np.int32) if not array.size or np.abs(array).max() < 2**31 else array.astype(np.float64)
    with np.errstate(over="ignore", under="ignore"):
        short = array.astype(np.float32)
    finite = np.isfinite(array)
    if not np.array_equal(finite, np.isfinite(short)) or np.any((short == 0) != (array == 0)):
        return array.astype(np.float64)
    known = array[finite]
    spread = float(np.ptp(known)) if known.size else 0.0
    return array.astype(np.float64) if spread and float(np.abs(known).max()) > PRECISE * spread else short


def _seen(image: Image) -> Array:
    """The numbers of an image as bytes along its scale, where nothing but their colour is seen."""
    pixels = np.asarray(image.pixels)
    as_bytes = pixels.dtype == np.uint8 and (image.scale.low, image.scale.high) == (0, 255)
    if len(image.levels) or as_bytes or not np.isfinite(pixels).all():
        return pixels.astype(np.float32) if pixels.dtype == np.uint8 and not as_bytes else pixels
    return np.round(255 * np.clip(shares(pixels, image.scale), 0, 1)).astype(np.uint8)


def shares(values: Array, scale: Scale) -> Array:
    """Where numbers lie between the ends of a scale, from 0 to 1."""
    low, high = scale.low, scale.high
    if scale.log:
        with np.errstate(divide="ignore", invalid="ignore"):
            values, low, high = np.log(values), math.log(low), math.log(high)
    return (values - low) / (high - low or 1.0)


def read_array(packed: Mapping[str, Any]) -> Array:
    """An array of a view's JSON, as `json` wrote it."""
    data = np.frombuffer(base64.b64decode(packed["data"]), np.dtype(packed["type"]).newbyteorder("<"))
    return data.reshape(packed["shape"])
