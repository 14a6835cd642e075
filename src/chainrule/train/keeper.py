"""Keeps a training's folder up to date: what the disk refuses ends no training, is tried again with the next save, and told at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from chainrule.display import Shown
from chainrule.errors import UnwritableFileError
from chainrule.train.folder import RunFolder, Snapshot

SNAPSHOT_SECONDS = 30.0
"""How much work the death of the process may lose where no pause for curves, at which snapshots are written, comes earlier."""

Rows = Sequence[Mapping[str, Any]]


class Keeper(Shown):
    """Writes what a training notes into its folder, if it has one; of several hosts the first `writes`.

    `trouble` is what the system answered when the folder was last to be brought up to date; None when it is.
    """

    def __init__(self, folder: RunFolder | None, *, writes: bool = True) -> None:
        self.folder, self.writes = folder, writes
        self.trouble: UnwritableFileError | None = None
        self._saved_at = time.monotonic()

    @contextmanager
    def writer(self, step: int, history: Callable[[], Rows]) -> Generator[None]:
        """Inside, nobody else writes into the folder, which stands at `step`; `history` gives all that was noted so far."""
        if self.folder is None or not self.writes:
            yield
            return
        with self.folder.writer():
            self.folder.take_up(step, history)
            self._saved_at = time.monotonic()
            yield

    def note(self, rows: Callable[[], Rows]) -> None:
        """Rows of the history, which are made only where there is a folder."""
        with self._trying():
            if self.folder and self.writes:
                self.folder.append_history(rows())

    def note_engine(self, report: Mapping[str, Any]) -> None:
        """What the engine compiled."""
        with self._trying():
            if self.folder and self.writes:
                self.folder.write_engine(report)

    def save(self, snapshot: Snapshot, *, last: bool = False) -> None:
        """A snapshot; the `last` one waits for the disk, and is tried a second time."""
        self._saved_at = time.monotonic()
        for _ in range(2 if last else 1):
            self.trouble = None
            with self._trying():
                if self.folder and self.writes:
                    self.folder.save(snapshot, sync=last)
            if self.trouble is None:
                return

    def catch_up(self) -> None:
        """Writes what waits for later snapshots."""
        with self._trying():
            if self.folder and self.writes:
                self.folder.catch_up()

    @property
    def is_due(self) -> bool:
        """Whether the last snapshot is so old that the next one should not wait for the end of an epoch."""
        return self.folder is not None and time.monotonic() - self._saved_at > SNAPSHOT_SECONDS

    @contextmanager
    def _trying(self) -> Generator[None]:
        try:
            yield
        except UnwritableFileError as trouble:
            self.trouble = trouble
