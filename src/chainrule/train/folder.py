"""The run folder: configuration, history, snapshots and environment, written so that a crash never loses the last good state."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.display import Shown
from chainrule.errors import FileFormatError, MissingFileError, UnwritableFileError
from chainrule.graph import Array

VERSION = 1
SNAPSHOTS = 16
"""How many snapshots a folder keeps at most: spread over the training, and the two newest."""
_MOST_BYTES = 1 << 34


@dataclass(frozen=True)
class Snapshot(Shown):
    """The state after a number of steps: arrays by name, and what else is needed to go on."""

    step: int
    state: dict[str, Array]
    extra: dict[str, Any]


def write_durably(path: Path, content: bytes) -> None:
    """Writes a file so that after a crash either the old or the new content is there, whole."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    if os.name == "posix":  # the rename itself is on disk only when the folder is
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class RunFolder(Shown):
    """Reads and writes a run's folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @staticmethod
    def create(parent: str | os.PathLike[str], label: str) -> RunFolder:
        """A new folder in `parent`, named by time and label; "latest" beside it names the newest."""
        stem = f"{datetime.now().astimezone():%Y-%m-%d_%H-%M-%S}_{re.sub(r'[^A-Za-z0-9.]+', '-', label)[:60].strip('-')}"
        parent = Path(parent)
        try:
            parent.mkdir(parents=True, exist_ok=True)
        except OSError as trouble:
            raise UnwritableFileError(
                f"the folder {parent} cannot be made: {trouble.strerror or trouble}",
                expected="the name of a folder that is there or can be made",
                remedy="choose another folder",
            ) from trouble
        number = 1
        while True:
            path = parent / (stem if number == 1 else f"{stem}_{number}")
            try:
                path.mkdir(parents=True)
                break
            except FileExistsError:
                number += 1
        (path / "snapshots").mkdir()
        write_durably(parent / "latest.txt", f"{path.name}\n".encode())
        return RunFolder(path)

    @staticmethod
    def open(path: str | os.PathLike[str]) -> RunFolder:
        """An existing folder; a last part "latest" stands for the newest run beside it."""
        path = Path(path)
        pointer = path.parent / "latest.txt"
        if path.name == "latest" and not path.exists() and pointer.is_file():
            path = path.parent / Path(pointer.read_text(encoding="utf-8").strip()).name
        if not (path / "config.json").is_file():
            raise MissingFileError(
                f"there is no run in {str(path)!r}",
                expected="a folder with config.json",
                remedy='list the runs with "chainrule runs"',
            )
        return RunFolder(path)

    # ---- configuration

    def write_engine(self, report: Mapping[str, Any]) -> None:
        """What the engine compiled for this run, and how long that took."""
        write_durably(self.path / "engine.json", _json(dict(report)))

    def write_config(self, config: Mapping[str, Any]) -> None:
        """The configuration, and the environment that it runs in."""
        write_durably(self.path / "config.json", _json({"version": VERSION, **config}))
        write_durably(self.path / "environment.json", _json(environment()))

    def read_config(self) -> dict[str, Any]:
        """The configuration, of a version that is known."""
        config = _read_json(self.path / "config.json")
        if config.get("version") != VERSION:
            raise FileFormatError(
                f"{self.path / 'config.json'} has version {config.get('version')!r}",
                expected=f"version {VERSION}",
                remedy="read it with the version of chainrule that wrote it",
            )
        return config

    # ---- history

    def append_history(self, rows: list[dict[str, Any]]) -> None:
        """Rows at the end of the history, one line of JSON each."""
        if rows:
            with (self.path / "history.jsonl").open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(row, allow_nan=False) + "\n" for row in rows)

    def history_lines(self) -> list[str]:
        """The history's lines; none if nothing was written yet."""
        path = self.path / "history.jsonl"
        return path.read_text(encoding="utf-8").splitlines(keepends=True) if path.is_file() else []

    def replace_history(self, lines: list[str]) -> None:
        """The history with just these lines."""
        write_durably(self.path / "history.jsonl", "".join(f"{line}\n" for line in lines).encode())

    # ---- snapshots

    def write_snapshot(self, snapshot: Snapshot, name: str = "") -> Path:
        """The arrays first, then the JSON that names their hash: a snapshot counts only when both are whole."""
        stem = name or f"step-{snapshot.step:09d}"
        from safetensors.numpy import save  # third-party, loaded when used: `import chainrule` stays light

        content = save({key: np.ascontiguousarray(array) for key, array in snapshot.state.items()})
        write_durably(self.path / "snapshots" / f"{stem}.safetensors", content)
        head = {
            "version": VERSION,
            "step": snapshot.step,
            "sha256": hashlib.sha256(content).hexdigest(),
            "extra": snapshot.extra,
        }
        write_durably(self.path / "snapshots" / f"{stem}.json", _json(head))
        self._thin_out()
        return self.path / "snapshots" / f"{stem}.safetensors"

    def write_start(self, snapshot: Snapshot) -> None:
        """The state that the training began with, where it is not the first values that its seeds give."""
        self.write_snapshot(snapshot, "start")

    def _thin_out(self) -> None:
        """Removes the snapshots that are missed least: those with the nearest neighbours, never the two newest."""
        for step in missed_least(self.snapshot_steps(), SNAPSHOTS):
            # The JSON first: without it the arrays do not count, whenever the run dies.
            for ending in ("json", "safetensors"):
                (self.path / "snapshots" / f"step-{step:09d}.{ending}").unlink(missing_ok=True)

    def snapshot_steps(self) -> list[int]:
        """The steps that snapshots were written at, rising."""
        return sorted(int(path.stem.removeprefix("step-")) for path in (self.path / "snapshots").glob("step-*.json"))

    def read_snapshot(self, step: int) -> Snapshot:
        """The snapshot of a step. Raises: FileFormatError if it is truncated, altered or not what it should be."""
        return self._read_snapshot(f"step-{step:09d}")

    def read_start(self) -> Snapshot | None:
        """The state that the training began with; None if that were the first values that its seeds give."""
        return self._read_snapshot("start") if (self.path / "snapshots" / "start.json").is_file() else None

    def _read_snapshot(self, stem: str) -> Snapshot:
        path = self.path / "snapshots" / f"{stem}.json"
        head = _read_json(path)
        content = _read_bytes(path.with_suffix(".safetensors"))
        if head.get("version") != VERSION or hashlib.sha256(content).hexdigest() != head.get("sha256"):
            raise _broken(path.with_suffix(".safetensors"), "its SHA-256 is not the one that its JSON file names")
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            return Snapshot(int(head["step"]), load(content), dict(head["extra"]))
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            raise _broken(path, str(error)) from error

    def newest_snapshot(self) -> Snapshot:
        """The newest snapshot that is whole; a broken newer one is passed over only if there is an older one."""
        steps = self.snapshot_steps()
        if not steps:
            raise MissingFileError(f"{self.path} has no snapshot", expected="one or more", remedy="train anew")
        for step in reversed(steps[1:]):
            try:
                return self.read_snapshot(step)
            except FileFormatError:
                continue
        return self.read_snapshot(steps[0])


def missed_least(steps: Sequence[int], most: int) -> list[int]:
    """Which of these steps (rising) to give up so that `most` are left, as evenly spread between 0 and the last as may be.

    >>> missed_least([10, 20, 30, 40, 50], 4)
    [10]
    """
    kept, gone = [0, *steps], list[int]()
    while len(kept) - 1 > most:
        place = min(range(1, len(kept) - 2), key=lambda i: kept[i + 1] - kept[i - 1])
        gone.append(kept.pop(place))
    return gone


def environment() -> dict[str, Any]:
    """What the numbers may depend on beside the configuration."""
    return {
        "chainrule": metadata.version("chainrule"),
        "python": sys.version.split()[0],
        "numpy": np.__version__,
        "platform": platform.platform(),
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
    }


def _json(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _read_bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise _broken(path, f"it has {path.stat().st_size} bytes")
        return path.read_bytes()
    except FileNotFoundError:
        raise MissingFileError(
            f"{path} is not there", expected="the file", remedy="restore it, or take an older snapshot"
        ) from None


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(_read_bytes(path))
        if not isinstance(found, dict):
            raise TypeError("it is not a JSON object")
        return dict(found)  # pyright: ignore[reportUnknownArgumentType]
    except (ValueError, TypeError, RecursionError) as error:
        raise _broken(path, str(error)) from error


def _broken(path: Path, why: str) -> FileFormatError:
    return FileFormatError(
        f"{path} cannot be read: {why}", expected="the file as it was written", remedy="take another snapshot, or train anew"
    )
