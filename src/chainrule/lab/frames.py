"""Frames: what a page draws of a session at a step, as one block of bytes: a header in JSON, then arrays."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.graph import Array
from chainrule.lab.session import Session
from chainrule.lab.watcher import Watcher
from chainrule.train import Trainer

GRID = 48
"""Points along each side of a heat map."""
MOST_MAPS = 64
"""Of how many neurons a picture is sent; more would find no room on the page."""


def plane(trainer: Trainer) -> tuple[Array, list[list[float]]] | None:
    """The points of the heat maps, (GRID², 2) or (GRID·4, 1), and the ranges of the axes; None for more than two inputs, and for ids."""
    info = trainer.problem.dataset_info
    if info.input_shape not in {(1,), (2,)} or trainer.problem.ids.any():
        return None
    x = np.asarray(trainer.data.train.x, np.float64)
    low, high = x.min(axis=0), x.max(axis=0)
    middle, half = (low + high) / 2, np.maximum((high - low) / 2, 1e-9) * 1.15
    ranges = [[float(m - h), float(m + h)] for m, h in zip(middle, half, strict=True)]
    if len(ranges) == 1:
        return np.linspace(ranges[0][0], ranges[0][1], 4 * GRID)[:, None], ranges
    # Rows from the top downwards, as a picture has them.
    across, down = np.linspace(ranges[0][0], ranges[0][1], GRID), np.linspace(ranges[1][1], ranges[1][0], GRID)
    return np.column_stack([np.tile(across, GRID), np.repeat(down, GRID)]), ranges


class Camera:
    """Makes frames of a session; what it needs compiled is made anew where the network has changed."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._of: Trainer | None = None
        self._watcher: Watcher | None = None

    def ranges(self) -> list[list[float]] | None:
        """The ranges of the axes of the heat maps."""
        found = plane(self.session.trainer)
        return None if found is None else found[1]

    def frame(self) -> bytes:
        """The present step: parameters as float32, the neurons' answers over the plane as int8 with their scale, the curve of the loss."""
        session = self.session
        with session.lock:
            trainer = session.trainer
            if trainer is not self._of:
                points = plane(trainer)
                self._watcher = (
                    None if points is None else Watcher(trainer, points[0].astype(trainer.problem.dataset_info.input_dtype))
                )
                self._of = trainer
            arrays: dict[str, Array] = {f"values/{name}": array.astype(np.float32) for name, array in session.values().items()}
            maps = {} if self._watcher is None else self._watcher(trainer.state)
            head: dict[str, Any] = {
                "step": session.step,
                "version": list(session.version),
                "epoch": trainer.step / trainer.steps_per_epoch,
                "side": GRID,
            }
            arrays["curve"] = session.curves.table().astype(np.float32)
        scales: dict[str, float] = {}
        for name, array in maps.items():
            arrays[f"maps/{name}"], scales[name] = _planes(array)
        return _packed({**head, "scales": scales}, arrays)


def _planes(array: Array) -> tuple[Array, float]:
    """Answers (n, ...) of the first neurons as int8, (neurons, n), in units of scale/127."""
    flat = array.reshape(len(array), -1).T[:MOST_MAPS]
    scale = float(np.abs(flat).max()) or 1.0
    return np.round(flat * (127 / scale)).astype(np.int8), scale


def _packed(head: Mapping[str, Any], arrays: Mapping[str, Array]) -> bytes:
    """The length of the header in four bytes, the header, and the arrays, each from a multiple of four bytes on."""
    told, parts, place = list[dict[str, Any]](), list[bytes](), 0
    for name, array in arrays.items():
        data = np.ascontiguousarray(array).tobytes()
        told.append({"name": name, "shape": list(array.shape), "dtype": array.dtype.name, "offset": place})
        data += b"\0" * (-len(data) % 4)
        parts.append(data)
        place += len(data)
    header = json.dumps({**head, "arrays": told}, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 4)
    return len(header).to_bytes(4, "little") + header + b"".join(parts)
