"""The run folder: configuration, history, snapshots and environment, written so that a crash never loses the last good state.

Who reads writes nothing, and sees what stood there at some save: each snapshot names how much of the history belongs to it.
"""

from __future__ import annotations

import hashlib
import math
import os
import platform
import re
import shutil
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from chainrule.data.files import read_bounded
from chainrule.display import Shown
from chainrule.errors import FileFormatError, MissingFileError, OptionError, UndefinedClassError, UnwritableFileError
from chainrule.files import (
    GrowingFile,
    make_folder_at,
    move,
    named,
    refusals,
    remove,
    remove_leftovers,
    write_whole,
)
from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.train.history import History, history_lines, lines_until, read_history
from chainrule.train.lock import WriterLock
from chainrule.train.sealed import as_written, read_sealed, sealed
from chainrule.version import __version__

VERSION = 1
SNAPSHOTS = 16
"""How many snapshots a folder keeps at most: spread over the training, and the two newest."""
WRITE_SECONDS = 0.2
"""How much work the death of the process may lose where snapshots follow each other faster."""
WAITING_BYTES = 1 << 22
"""How many bytes of snapshots may wait in memory at most."""
SYNC_SECONDS = 5.0
"""How much work a power cut may lose. The death of the process loses nothing that was written, waited for the disk or not."""
_MOST_BYTES, _MOST_HISTORY = 1 << 34, 1 << 32
_OLDER = "take the state of another step"


@immutable
class Snapshot(Shown):
    """The state after a number of steps: arrays by name, and what else is needed to go on."""

    step: int
    state: dict[str, Array]
    extra: dict[str, Any]
    history: Mapping[str, Any] | None = None
    """How much of the history file belongs to it: its number of bytes, and their SHA-256. None in the files of older versions."""


class RunFolder(Shown):
    """Reads and writes a run's folder."""

    _synced_at: ClassVar[float] = time.monotonic()

    def __init__(self, path: Path) -> None:
        self.path = path
        self.allows_older = False
        """Whether to go on from another snapshot than the newest: what is newer is set aside then."""
        self._lock = WriterLock(path / "lock")
        self._history: GrowingFile | None = None
        self._written_at = -math.inf
        self._waiting: dict[int, tuple[Snapshot, Mapping[str, Any]]] = {}
        """Snapshots that are not on the disk yet, by step, and how much of the history belongs to each."""
        self._written: set[int] | None = None
        """The steps of those that are, once somebody has looked, without those that are to go."""
        self._going: set[int] = set()
        """Of the snapshots on the disk those that go when what waits is there."""

    @staticmethod
    def create(parent: str | os.PathLike[str], label: str) -> RunFolder:
        """A new folder in `parent`, named by time and label."""
        stem = f"{datetime.now().astimezone():%Y-%m-%d_%H-%M-%S}_{re.sub(r'[^A-Za-z0-9.]+', '-', label)[:60].strip('-')}"
        parent = named(parent, "folder")
        with refusals(parent):
            make_folder_at(parent, exist_ok=True)
        path = parent / stem
        for number in range(2, 10_000):
            try:
                with refusals(path):
                    make_folder_at(path)
                break
            except UnwritableFileError as trouble:
                if not isinstance(trouble.__cause__, FileExistsError):
                    raise
                path = parent / f"{stem}_{number}"
        folder = RunFolder(path)
        with refusals(path):
            make_folder_at(path / "snapshots")
        folder._history = GrowingFile(path / "history.jsonl")
        return folder

    def discard(self) -> None:
        """Takes away what could not be made whole."""
        shutil.rmtree(self.path, ignore_errors=True)

    def announce(self) -> None:
        """Has "latest" beside the folder name it: to be done once there is something to open."""
        remove_leftovers(self.path.parent, older_than=3600)
        write_whole(self.path.parent / "latest.txt", f"{self.path.name}\n".encode(), sync=False)

    @staticmethod
    def open(path: str | os.PathLike[str]) -> RunFolder:
        """An existing folder; a last part "latest" stands for the newest run beside it."""
        path = named(path, "folder")
        if path.name == "latest" and not path.exists():
            path = newest_beside(path) or path
        if not (path / "config.json").is_file():
            raise MissingFileError(
                f"there is no run in {str(path)!r}",
                expected="a folder with config.json",
                remedy='list the runs with "chainrule runs"',
            )
        return RunFolder(path)

    # ---- one writer

    @contextmanager
    def writer(self) -> Generator[None]:
        """Inside, nobody else writes here. Raises: FolderInUseError, which says who does; UnwritableFileError."""
        with self._lock.held_here():
            yield

    def take_up(self, step: int, rows: Callable[[], Sequence[Mapping[str, Any]]]) -> None:
        """Before the first writing: makes sure that the folder stands at `step`, and cleans up after a writer that died there.

        rows: gives the whole history at any later time, for a file that somebody takes away meanwhile.

        Raises: OptionError if somebody has gone on with it since, FileFormatError for a damaged history.
        """
        self._written, self._going = None, set()
        newest = max(self.snapshot_steps(), default=-1)
        if newest > step and not self.allows_older:
            raise OptionError(
                f"the run in {self.path} has been gone on with: it stands at step {newest}, and was opened at step {step}",
                expected="the newest state",
                remedy="open it again",
            )
        # Where the folder is behind, what is in memory could not be saved.
        content = history_lines(rows()) if newest < step else self._history_of(step, self._noted_history(step))
        if newest > step:
            self._set_aside(step)
        self._history = GrowingFile(self.path / "history.jsonl", content, lambda: history_lines(rows()))
        if not self._history_bytes().startswith(content):  # or lines of older versions, which a crash may have cut anywhere
            self._history.rewrite(content)
        self.allows_older = False
        for place in (self.path, self.path / "snapshots"):
            remove_leftovers(place)

    def _set_aside(self, step: int) -> None:
        """Snapshots after `step`, and the history as it was, go into a folder of their own: nothing that was trained is thrown away."""
        number = 1
        while (aside := self.path / f"aside-{number}").exists():
            number += 1
        with refusals(aside):
            make_folder_at(aside)
            write_whole(aside / "history.jsonl", self._history_bytes())
            for path in sorted((self.path / "snapshots").glob("step-*")):
                found = _STEP.fullmatch(path.stem)
                if found and int(found[1]) > step:
                    move(path, aside / path.name)

    # ---- configuration

    def write_engine(self, report: Mapping[str, Any]) -> None:
        """What the engine compiled for this run, and how long that took."""
        write_whole(self.path / "engine.json", sealed(dict(report)), sync=False)

    def write_config(self, config: Mapping[str, Any]) -> None:
        """The configuration, and the environment that it runs in."""
        write_whole(self.path / "config.json", sealed({"version": VERSION, **config}))
        write_whole(self.path / "environment.json", sealed(environment()), sync=False)

    def write_arrays(self, arrays: Mapping[str, Array]) -> dict[str, Any]:
        """Writes the network's long lists of numbers, if there are any; gives what the configuration says of them."""
        if not arrays:
            return {}
        from safetensors.numpy import save  # third-party, loaded when used: `import chainrule` stays light

        content = save(dict(arrays))
        write_whole(self.path / "network.safetensors", content)
        return {"arrays": hashlib.sha256(content).hexdigest()}

    def read_arrays(self, config: Mapping[str, Any]) -> dict[str, Array]:
        """What `write_arrays` wrote. Raises: FileFormatError, MissingFileError."""
        path = self.path / "network.safetensors"
        with as_written(path):
            return _arrays_of(path, config["arrays"]) if "arrays" in config else {}

    def read_config(self) -> dict[str, Any]:
        """The configuration, of a version that is known."""
        config = read_sealed(self.path / "config.json")
        if config.get("version") != VERSION:
            raise FileFormatError(
                f"{self.path / 'config.json'} has version {str(config.get('version'))[:20]!r}",
                expected=f"version {VERSION}",
                remedy="read it with the version of chainrule that wrote it",
            )
        return config

    @contextmanager
    def naming_its_version(self) -> Generator[None]:
        """What cannot be read inside, in a folder that another version of chainrule wrote, says which version that was."""
        try:
            yield
        except UndefinedClassError:
            raise
        except FileFormatError as error:
            writer, reader = self._written_by(), __version__
            if writer in {"", reader}:
                raise
            raise FileFormatError(
                f"{error.happened}; chainrule {writer} wrote this folder, and this is chainrule {reader}",
                expected=error.expected,
                remedy=f"read it with chainrule {writer}, or a later one that knows how",
            ) from error

    def _written_by(self) -> str:
        with suppress(FileFormatError, MissingFileError):
            return str(read_sealed(self.path / "environment.json").get("chainrule", ""))[:20]
        return ""

    # ---- history

    def append_history(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Rows at the end of the history, one line of JSON each. Raises: UnwritableFileError; they are written with the next ones."""
        if rows and self._history is not None:
            self._history.add(history_lines(rows), wait=self._may_wait)

    def read_history(self, snapshot: Snapshot, replicas: int, dtype: str) -> History:
        """The history that belongs to a snapshot. Raises: FileFormatError where it is damaged."""
        content = self._history_of(snapshot.step, snapshot.history)
        with as_written(self.path / "history.jsonl"):
            return read_history(content, replicas, dtype)

    def _history_of(self, step: int, noted: Mapping[str, Any] | None) -> bytes:
        """The bytes of the history that belong to a snapshot: those that it names, or in older folders the lines up to its step."""
        path, content = self.path / "history.jsonl", self._history_bytes()
        with as_written(path):
            if noted is None:
                return lines_until(content, step)
            if not _begins(content, noted):
                raise FileFormatError(
                    f"{path} is damaged: it does not begin with what was noted at step {step}",
                    expected="the history as it was written",
                    remedy=self._remedy_of_history(step, content),
                )
            return content[: noted["bytes"]]

    def _noted_history(self, step: int) -> Mapping[str, Any] | None:
        return self._read_head(f"step-{step:09d}").get("history")

    def _history_bytes(self) -> bytes:
        path = self.path / "history.jsonl"
        return read_bounded(path, max_bytes=_MOST_HISTORY) if path.exists() else b""

    def _remedy_of_history(self, step: int, content: bytes) -> str:
        """What can still be had: an earlier state whose history is whole, and the network in every case."""
        for earlier in reversed([other for other in self.snapshot_steps() if other < step]):
            with suppress(FileFormatError, MissingFileError):
                noted = self._noted_history(earlier)
                if noted is not None and _begins(content, noted):
                    return f"restore it, or take the state after {earlier} steps, before the damage: step={earlier}"
        return "restore it; to predict and to evaluate, the run needs no history"

    # ---- snapshots

    def save(self, snapshot: Snapshot, *, sync: bool = False) -> None:
        """Writes a snapshot, or has it wait for the next ones; waits for the disk if asked to, or if that was not done for SYNC_SECONDS.

        A small network does thousands of epochs in a second, whose snapshots but 16 would be removed again: these are not written.
        """
        # One clock for all folders that this process writes: a hundred trainings at once wait no more often than one.
        sync = sync or time.monotonic() - RunFolder._synced_at >= SYNC_SECONDS
        self._waiting[snapshot.step] = snapshot, self._noted_so_far()
        self._thin_out()
        if self._may_wait and not sync and self._bytes_waiting() <= WAITING_BYTES:
            return
        if self._history is not None:
            self._history.flush()
            if sync:
                self._history.sync()
        self._write_waiting(sync=sync)
        if sync:
            RunFolder._synced_at = time.monotonic()
        with suppress(UnwritableFileError):  # one snapshot too many does no harm
            self._remove_going()

    @property
    def _may_wait(self) -> bool:
        """Whether something was written a moment ago."""
        return time.monotonic() - self._written_at < WRITE_SECONDS

    def _bytes_waiting(self) -> int:
        return sum(array.nbytes for snapshot, _ in self._waiting.values() for array in snapshot.state.values())

    def catch_up(self) -> None:
        """Writes what waits. Raises: UnwritableFileError; then it waits on."""
        if self._history is not None:
            self._history.flush()
        if self._waiting:
            self._write_waiting(sync=False)
            self._remove_going()

    def _write_waiting(self, *, sync: bool) -> None:
        while self._waiting:
            step, (snapshot, noted) = next(iter(self._waiting.items()))
            self._write_snapshot(snapshot, f"step-{step:09d}", noted, sync=sync and len(self._waiting) == 1)
            del self._waiting[step]
            if self._written is not None:
                self._written.add(step)
        self._written_at = time.monotonic()

    def _noted_so_far(self) -> Mapping[str, Any]:
        return (self._history or GrowingFile(self.path / "history.jsonl")).noted

    def _write_snapshot(self, snapshot: Snapshot, stem: str, noted: Mapping[str, Any], *, sync: bool) -> None:
        """The arrays first, then the JSON that names their hash: a snapshot counts only when both are whole."""
        from safetensors.numpy import save  # third-party, loaded when used: `import chainrule` stays light

        content = save({key: np.ascontiguousarray(array) for key, array in snapshot.state.items()})
        write_whole(self.path / "snapshots" / f"{stem}.safetensors", content, sync=sync)
        head = {
            "version": VERSION,
            "step": snapshot.step,
            "sha256": hashlib.sha256(content).hexdigest(),
            "history": noted,
            "extra": snapshot.extra,
        }
        write_whole(self.path / "snapshots" / f"{stem}.json", sealed(head), sync=sync)

    def write_start(self, snapshot: Snapshot) -> None:
        """The state that the training began with, where it is not the first values that its seeds give."""
        self._write_snapshot(snapshot, "start", self._noted_so_far(), sync=True)

    def _thin_out(self) -> None:
        """Notes which snapshots are to go: those that are missed least, as they have the nearest neighbours; never the two newest.

        That of step 0 is only there so that a run which dies early can be gone on with: the seeds give it too.
        """
        if self._written is None:
            self._written = set(self._steps_on_disk())
        steps = sorted(self._written.union(self._waiting))
        later = [step for step in steps if step]
        first = [0] if later and len(steps) > len(later) else []
        for step in [*first, *missed_least(later, SNAPSHOTS)]:
            if self._waiting.pop(step, None) is None:
                self._written.discard(step)
                self._going.add(step)

    def _remove_going(self) -> None:
        while self._going:
            step = min(self._going)
            # The JSON first: without it the arrays do not count, whenever the run dies.
            for ending in ("json", "safetensors"):
                path = self.path / "snapshots" / f"step-{step:09d}.{ending}"
                with refusals(path):
                    remove(path)
            self._going.discard(step)

    def snapshot_steps(self) -> list[int]:
        """The steps that snapshots are kept of, rising."""
        with suppress(UnwritableFileError):  # what can be read is on the disk
            self.catch_up()
        return self._steps_on_disk()

    def _steps_on_disk(self) -> list[int]:
        found = (_STEP.fullmatch(path.stem) for path in (self.path / "snapshots").glob("step-*.json"))
        return sorted(int(match[1]) for match in found if match)

    def read_snapshot(self, step: int) -> Snapshot:
        """The snapshot of a step. Raises: FileFormatError if it is truncated, altered or not what it should be; MissingFileError."""
        return self._read_snapshot(f"step-{step:09d}")

    def read_start(self) -> Snapshot | None:
        """The state that the training began with; None if that were the first values that its seeds give."""
        return self._read_snapshot("start") if (self.path / "snapshots" / "start.json").is_file() else None

    def _read_head(self, stem: str) -> dict[str, Any]:
        path = self.path / "snapshots" / f"{stem}.json"
        head = read_sealed(path)
        with as_written(path, _OLDER):
            if head["version"] != VERSION:
                raise ValueError(f"its version is {head['version']!r}")
            if stem != "start" and head["step"] != int(stem.removeprefix("step-")):
                raise ValueError(f"it says to be of step {head['step']!r}")
        return head

    def _read_snapshot(self, stem: str) -> Snapshot:
        path = self.path / "snapshots" / f"{stem}.safetensors"
        head = self._read_head(stem)
        with as_written(path, _OLDER):
            return Snapshot(int(head["step"]), _arrays_of(path, head["sha256"]), dict(head["extra"]), head.get("history"))

    def snapshot(self, step: int | None) -> Snapshot:
        """That of a step, or the newest; OptionError for a step of which none is kept."""
        if step is None:
            return self.newest_snapshot()
        if step not in (known := self.snapshot_steps()):
            raise OptionError(
                f"the state after {step} steps, which {self.path} does not keep",
                expected=f"one of {', '.join(map(str, known))}",
                remedy="in Python, run.at(step) computes the steps between again",
            )
        self.allows_older = True
        return self.read_snapshot(step)

    def newest_snapshot(self) -> Snapshot:
        """The newest snapshot. Raises: MissingFileError if there is none, FileFormatError, which names an older one that is whole."""
        steps = self.snapshot_steps()
        while steps:
            try:
                return self.read_snapshot(steps[-1])
            except (FileFormatError, MissingFileError) as trouble:
                before, steps = steps, self.snapshot_steps()
                if steps[-1:] == before[-1:]:  # else somebody writes here, and there is a newer one by now
                    raise self._damaged(steps, trouble) from trouble
        raise MissingFileError(f"{self.path} has no snapshot", expected="one or more", remedy="train anew")

    def _damaged(self, steps: Sequence[int], trouble: FileFormatError | MissingFileError) -> FileFormatError:
        """The error for a damaged newest snapshot: which older one is whole."""
        for step in reversed(steps[:-1]):
            with suppress(FileFormatError, MissingFileError):
                self.read_snapshot(step)
                return FileFormatError(
                    f"the newest state of the run, after {steps[-1]} steps, is damaged: {trouble.happened}",
                    expected="the files as they were written",
                    remedy=f"restore them, or take the state after {step} steps, which is whole: step={step}",
                )
        return FileFormatError(
            trouble.happened, expected="the files as they were written", remedy="restore them, or train anew"
        )


_STEP = re.compile(r"step-(\d{1,18})")


def _arrays_of(path: Path, digest: str) -> dict[str, Array]:
    """The arrays of a file whose SHA-256 is known. Raises: MissingFileError; ValueError for another file than was written."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    content = read_bounded(path, max_bytes=_MOST_BYTES)
    if hashlib.sha256(content).hexdigest() != digest:
        raise ValueError("its SHA-256 is not the one that its JSON file names")
    try:
        return load(content)
    except SafetensorError as error:
        raise ValueError(str(error)) from error


def newest_beside(path: Path) -> Path | None:
    """The run that latest.txt in the folder of `path` names; None where there is no such file, or it names none."""
    with suppress(MissingFileError, FileFormatError, UnicodeDecodeError):
        text = read_bounded(path.parent / "latest.txt", max_bytes=10_000).decode().strip()
        name = Path(text.replace("\0", "�")).name
        return path.parent / name if name else None
    return None


def _begins(content: bytes, noted: Mapping[str, Any]) -> bool:
    """Whether a history begins with the bytes that a snapshot noted."""
    size = int(noted["bytes"])
    return 0 <= size <= len(content) and hashlib.sha256(content[:size]).hexdigest() == noted["sha256"]


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
        "chainrule": __version__,
        "python": sys.version.split()[0],
        "numpy": np.__version__,
        "platform": platform.platform(),
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
    }
