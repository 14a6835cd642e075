"""The lock of a run folder: one process writes at a time, any number may read."""

from __future__ import annotations

import errno
import json
import os
import platform
from collections.abc import Generator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from chainrule.errors import FolderInUseError
from chainrule.files import refusals

try:
    import fcntl
except ImportError:  # a system without these locks
    fcntl = None

_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP}
"""What file systems without locks answer."""


class WriterLock:
    """The right to write a folder, which one process has at a time; the system takes it back from whoever dies.

    It can be taken again by its holder. Where the file system knows no locks, everybody has it.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._handle, self._depth = path, -1, 0

    @contextmanager
    def held_here(self) -> Generator[None]:
        """Inside, nobody else writes. Raises: FolderInUseError, which says who does; UnwritableFileError."""
        if not self._depth:
            self._take()
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if not self._depth:
                self._give_back()

    def _take(self) -> None:
        with refusals(self.path):
            self._handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                self._take_or_say_who()
                self._sign()
            except BaseException:
                self._close()
                raise

    def _take_or_say_who(self) -> None:
        try:
            _lock(self._handle)
        except BlockingIOError:
            said = ""
            with suppress(OSError, ValueError, TypeError, KeyError):
                found = json.loads(os.pread(self._handle, 1000, 0))
                said = f": {found['process']} on {found['computer']}, since {found['since']}"
            raise FolderInUseError(
                f"{self.path.parent} is being written by another process{said}",
                expected="one that writes at a time; any number may read",
                remedy="wait until it is done, or end it",
            ) from None
        except OSError as trouble:
            if trouble.errno not in _NO_LOCKS:
                raise

    def _sign(self) -> None:
        """Says who holds it; that is only told, so a full disk takes nothing from the lock."""
        me = {"process": os.getpid(), "computer": platform.node(), "since": f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S}"}
        with suppress(OSError):
            os.ftruncate(self._handle, 0)
            os.write(self._handle, json.dumps(me).encode())

    def _give_back(self) -> None:
        try:
            with suppress(OSError):
                os.ftruncate(self._handle, 0)
        finally:
            with suppress(OSError):
                _unlock(self._handle)
            self._close()

    def _close(self) -> None:
        handle, self._handle = self._handle, -1
        with suppress(OSError):
            os.close(handle)


def _lock(handle: int) -> None:
    if fcntl is not None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _unlock(handle: int) -> None:
    # Said, and not left to the closing: a child made by fork has the file open too.
    if fcntl is not None:
        fcntl.flock(handle, fcntl.LOCK_UN)
