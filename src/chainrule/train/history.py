"""The history of a run: losses of every step, scores of every evaluated epoch; as arrays, and as lines of JSON."""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from chainrule.checks import checked, unknown
from chainrule.display import Shown
from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.immutable import equal_by_fields, hash_of_fields, immutable
from chainrule.train.sealed import UNREADABLE


@immutable
class Epoch(Shown):
    """The scores after an epoch, all at the same weights: part → name → one number to a replica, shape (replicas,).

    `running_loss` is the mean of the losses of the epoch's steps, each taken before its update, while the weights still changed.
    `hash` is the SHA-256 of all parameters, as in `Run.hash`; empty in the files of older versions.
    """

    epoch: int
    step: int
    seconds: float
    running_loss: Array
    parts: Mapping[str, Mapping[str, Array]]
    hash: str = ""

    def to_json(self) -> dict[str, Any]:
        """A line of the history file."""
        parts = {part: {name: _numbers(values) for name, values in scores.items()} for part, scores in self.parts.items()}
        head = {"kind": "epoch", "epoch": self.epoch, "step": self.step, "seconds": round(self.seconds, 6)}
        noted = {"sha256": self.hash} if self.hash else {}
        return {**head, "running_loss": _numbers(self.running_loss), **noted, **parts}


@dataclass(eq=False)
class History(Shown):
    """What happened, step by step and epoch by epoch."""

    replicas: int
    epochs: list[Epoch] = field(default_factory=list[Epoch])
    chunks: list[tuple[int, dict[str, Array]]] = field(default_factory=list[tuple[int, dict[str, Array]]])

    __eq__ = equal_by_fields
    __hash__ = hash_of_fields

    @property
    def end(self) -> int:
        """Up to which step records are known; 0 where there are none."""
        if not self.chunks:
            return 0
        first, records = self.chunks[-1]
        return first + next(iter(records.values())).shape[1]

    @checked
    def steps(self, name: str = "loss") -> Array:
        """A record of every step so far, shape (replicas, steps): "loss", "correct", or "term.NAME" where there are several terms."""
        if not self.chunks:
            return np.empty((self.replicas, 0))
        if name not in self.chunks[0][1]:
            known = list(self.chunks[0][1])
            raise unknown(f"no record {name!r}", name, known)
        return np.concatenate([records[name] for _, records in self.chunks], axis=1)

    @checked
    def curve(self, part: str = "training", name: str = "loss") -> tuple[Array, Array]:
        """Epoch numbers (n,) and a score after each of them, shape (n, replicas)."""
        found = [epoch for epoch in self.epochs if name in epoch.parts.get(part, {})]
        if not found:
            known = {p: list(scores) for epoch in self.epochs[:1] for p, scores in epoch.parts.items()}
            raise OptionError(
                f"no curve of {name!r} on {part!r}",
                expected=f"one of {known}",
                remedy="write such a part and such a name, for example curve('training', 'loss')",
            )
        return np.array([epoch.epoch for epoch in found]), np.array([epoch.parts[part][name] for epoch in found])

    def late_fall(self, part: str = "training") -> float:
        """How far the loss of a part fell in the last tenth of the epochs; NaN where fewer than ten were evaluated.

        The means of the last two tenths are compared, so that the noise of single epochs counts little; replicas are averaged.
        """
        losses = np.array([np.mean(epoch.parts[part]["loss"]) for epoch in self.epochs if "loss" in epoch.parts.get(part, {})])
        if (tenth := len(losses) // 10) == 0:
            return math.nan
        return float(losses[-2 * tenth : -tenth].mean() - losses[-tenth:].mean())

    def add_steps(self, first: int, records: Mapping[str, Array]) -> Callable[[], dict[str, Any]]:
        """Notes the records of steps first, first + 1, ...; returns what makes the line for the file."""
        self.chunks.append((first, dict(records)))
        return lambda: _steps_row(first, records)

    def until(self, step: int) -> History:
        """What had happened when `step` steps were done."""
        chunks = [
            (first, {name: array[:, : step - first] for name, array in records.items()}) for first, records in self.chunks
        ]
        kept = [(first, records) for first, records in chunks if first < step]
        return History(self.replicas, [epoch for epoch in self.epochs if epoch.step <= step], kept)

    def pieces(self, first: int, last: int) -> Iterator[tuple[int, dict[str, Array]]]:
        """The records of those of the steps first ... last − 1 that are known: pieces, each with the number of its first step."""
        behind = bisect_right(self.chunks, first, key=lambda chunk: chunk[0])
        for start, records in self.chunks[max(behind - 1, 0) :]:
            if start >= last:
                return
            cut = {name: array[:, max(first - start, 0) : last - start] for name, array in records.items()}
            if next(iter(cut.values())).shape[1]:
                yield max(start, first), cut

    def rows(self) -> list[dict[str, Any]]:
        """All of it as lines of the history file, in the order of the steps."""
        placed = [(first, 1, _steps_row(first, records)) for first, records in self.chunks]
        placed += [(epoch.step, 0, epoch.to_json()) for epoch in self.epochs]
        return [row for _, _, row in sorted(placed, key=lambda item: item[:2])]

    def running_loss(self, first: int, last: int, sizes: Array) -> Array:
        """The mean loss over the examples of steps first ... last − 1, shape (replicas,)."""
        wanted: list[Array] = []
        for start, records in reversed(self.chunks):
            wanted.insert(0, records["loss"][:, max(first - start, 0) : max(last - start, 0)])
            if start <= first:
                break
        return np.concatenate(wanted, axis=1).astype(np.float64) @ sizes / sizes.sum()


def _steps_row(first: int, records: Mapping[str, Array]) -> dict[str, Any]:
    return {"kind": "steps", "first": first, **{name: [_numbers(row) for row in array] for name, array in records.items()}}


def _numbers(values: Array) -> list[float | int | None]:
    # JSON has no NaN: null stands for it, and is read back as NaN.
    return [None if isinstance(item, float) and not math.isfinite(item) else item for item in np.asarray(values).tolist()]


def history_lines(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Rows as lines of the history file."""
    return "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows).encode()


def read_history(content: bytes, replicas: int, dtype: str) -> History:
    """The history that these lines tell. Raises: ValueError and its kin for anything that `history_lines` did not write."""
    history = History(replicas)
    for number, line in enumerate(content.decode().splitlines(), 1):
        try:
            row = _row(line)
            if row.pop("kind") == "steps":
                history.chunks.append(_read_steps(row, history, dtype))
            else:
                history.epochs.append(_read_epoch(row, replicas))
        except UNREADABLE as error:
            raise ValueError(f"line {number}: {error}") from error
    return history


def lines_until(content: bytes, step: int) -> bytes:
    """The lines of a history up to a step, for snapshots of the versions that did not note how far it reached.

    A crash may have written more than the snapshot knows, and may have cut the last line short.
    """
    kept: list[Mapping[str, Any]] = []
    for line in content.decode().splitlines(keepends=True):
        try:
            row = _row(line)
        except UNREADABLE:
            if kept and not line.endswith("\n"):
                break
            raise
        if row["kind"] != "steps":
            kept += [row] if row["step"] <= step else []
        elif (left := step - row["first"]) > 0:
            kept.append({name: [one[:left] for one in row[name]] if name not in _HEAD else row[name] for name in row})
    return history_lines(kept)


_HEAD = {"kind", "first"}


def _row(line: str) -> dict[str, Any]:
    row: object = json.loads(line)
    if not isinstance(row, dict):
        raise TypeError("it is not a JSON object")
    return cast("dict[str, Any]", row)


def _read_steps(row: dict[str, Any], history: History, dtype: str) -> tuple[int, dict[str, Array]]:
    first = row.pop("first")
    with np.errstate(over="raise"):  # a number that the dtype cannot hold was never one of these
        records = {name: np.array(values, dtype="int64" if name == "correct" else dtype) for name, values in row.items()}
    shape = records["loss"].shape
    if (
        len(shape) != 2
        or shape[0] != history.replicas
        or not shape[1]
        or any(array.shape != shape for array in records.values())
    ):
        raise ValueError(f"records of shapes {sorted({array.shape for array in records.values()})}")
    names = history.chunks[-1][1].keys() if history.chunks else records.keys()
    if type(first) is not int or first < history.end or records.keys() != names:
        raise ValueError(f"records {', '.join(records)} from step {first!r} on, behind those up to step {history.end}")
    return first, records


def _read_epoch(row: dict[str, Any], replicas: int) -> Epoch:
    epoch, step, seconds = row.pop("epoch"), row.pop("step"), float(row.pop("seconds"))
    running = np.array(row.pop("running_loss"), dtype=float)
    noted = str(row.pop("sha256", ""))
    parts = {part: {name: np.array(v, dtype=float) for name, v in scores.items()} for part, scores in row.items()}
    arrays = [running, *(array for scores in parts.values() for array in scores.values())]
    if type(epoch) is not int or type(step) is not int or any(array.shape != (replicas,) for array in arrays):
        raise ValueError(
            f"an epoch {epoch!r} at step {step!r}, with scores of shapes {sorted({array.shape for array in arrays})}"
        )
    return Epoch(epoch, step, seconds, running, parts, noted)
