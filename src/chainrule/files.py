"""Files as they are written: whole or not at all; what the system refuses becomes an error of ours.

Every byte that chainrule writes for its user goes through here, so that what holds of one file holds of all: a crash, a full disk or
Ctrl-C leaves the old content or the new one, and nothing half written lies about. All calls that write are made as `os.…`.
"""

from __future__ import annotations

import errno
import hashlib
import itertools
import os
import stat
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from chainrule.checks import shown
from chainrule.errors import (
    ChainruleError,
    MissingFileError,
    OptionError,
    OptionTypeError,
    UnwritableFileError,
)

PARTIAL = ".partial"
"""What the name of a file holds while it is being written: whatever bears it was left behind by a writer that died."""
OF_A_RUN = frozenset({"config.json", "engine.json", "environment.json", "history.jsonl", "lock", "network.safetensors"})
"""The files that a run's folder is made of, beside its snapshots."""
_NUMBERS = itertools.count()
_REMEDIES = {
    errno.ENOSPC: "make room on the disk, or choose another place",
    errno.EDQUOT: "make room on the disk, or choose another place",
    errno.EACCES: "choose a place that you may write to",
    errno.EPERM: "choose a place that you may write to",
    errno.EROFS: "choose a place that may be written to",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EISDIR: "name a file, not a folder",
    errno.EEXIST: "choose another name: what stands there is no folder",
    errno.ENOENT: "make the folder first, or choose another place",
}


# ---- what is refused


@contextmanager
def refusals(place: object) -> Generator[None]:
    """What the system refuses inside becomes an UnwritableFileError that names the place.

    >>> with refusals("the moon"):
    ...     raise OSError(errno.ENOSPC, "No space left on device")
    Traceback (most recent call last):
    ...
    chainrule.errors.UnwritableFileError: the moon cannot be written: No space left on device
      expected: a place that may be written, and room on the disk
      fix: make room on the disk, or choose another place
    """
    try:
        yield
    except OSError as trouble:
        if isinstance(trouble, ChainruleError):
            raise
        raise UnwritableFileError(
            f"{place} cannot be written: {trouble.strerror or trouble}",
            expected="a place that may be written, and room on the disk",
            remedy=_REMEDIES.get(trouble.errno or 0, "choose another place"),
        ) from trouble


def named(path: object, what: str = "path") -> Path:
    r"""The path that a user gave. Raises: OptionTypeError for what is none, OptionError for a name that no system takes.

    >>> named("runs/a\0b")
    Traceback (most recent call last):
    ...
    chainrule.errors.OptionError: path='runs/a\x00b'
      expected: a name without the character NUL
      fix: leave it out
    """
    if not isinstance(path, str | os.PathLike):
        raise OptionTypeError(
            f"{what}={shown(path)}", expected="the name of a file or folder", remedy='write for example "picture.svg"'
        )
    text = os.fspath(cast("str | os.PathLike[str]", path))
    if "\0" in text:
        raise OptionError(f"{what}={shown(text)}", expected="a name without the character NUL", remedy="leave it out")
    return Path(text)


def require_writable(place: Path) -> None:
    """Refuses a file in a folder that is not there, with a MissingFileError, and one of those that a run is made of."""
    folder = place.parent.parent if place.parent.name == "snapshots" else place.parent
    if (
        (folder / "config.json").is_file()
        and (folder / "snapshots").is_dir()
        and (place.name in OF_A_RUN or folder != place.parent)
    ):
        raise OptionError(
            f"{place} would be replaced, of which the run in that folder is made",
            expected="another name, or another folder",
            remedy=f"write {'exported' + place.suffix!r}",
        )
    if not place.parent.is_dir():
        raise MissingFileError(
            f"there is no folder {place.parent} for {place.name}",
            expected="a folder that is there",
            remedy="make the folder first, or choose another one",
        )


# ---- whole files


@contextmanager
def writing(path: object, *endings: str) -> Generator[Path]:
    """Where to write a file that is to be at `path`: its name must end with one of `endings`, its folder must be there.

    What was written takes the place of the old file when all went well, and is thrown away otherwise. Pipes, devices and what
    stands under /dev are written into.

    >>> with writing("no/such/folder.svg", ".svg") as place:
    ...     pass
    Traceback (most recent call last):
    ...
    chainrule.errors.MissingFileError: there is no folder no/such for folder.svg
      expected: a folder that is there
      fix: make the folder first, or choose another one
    """
    place = named(path)
    if endings and place.suffix not in endings:
        listed = " or ".join(endings)
        raise OptionError(
            f"a file {str(place)!r}", expected=f"a name that ends with {listed}", remedy=f"end the name with {endings[0]}"
        )
    with refusals(place):
        require_writable(place)
        if place.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        with staged(place) as partial:
            yield partial


def write_whole(path: Path, content: bytes, *, sync: bool = True) -> None:
    """Writes a file so that either the old or the new content is there, whole; with `sync` also after a power cut."""
    with refusals(path), staged(path, sync=sync) as place:
        handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o666)
        try:
            _write_all(handle, content)
        finally:
            os.close(handle)


@contextmanager
def staged(path: Path, *, sync: bool = True) -> Generator[Path]:
    """A place beside `path` to write to, whose content takes the place of `path` at the end; `path` itself where that is no file."""
    if not _is_replaced(path):
        yield path
        return
    target = Path(os.path.realpath(path))  # a link stays a link: what it names is written
    place = target.with_name(f".{os.getpid()}-{next(_NUMBERS)}{PARTIAL}{target.suffix[:16]}")
    try:
        yield place
        if target.exists():
            os.chmod(place, stat.S_IMODE(target.stat().st_mode))
        if sync:
            _sync(place)
        os.replace(place, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(place)
        raise
    if sync:
        sync_folder(target.parent)  # the new name itself is on disk only when the folder is


def _is_replaced(path: Path) -> bool:
    """Whether a new file takes this one's place: not that of a pipe or a device, nor where only the file itself may be written."""
    if str(path.absolute()).startswith(("/dev/", "/proc/")):
        return False
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return True
    if stat.S_ISREG(mode) and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return stat.S_ISREG(mode) and os.access(Path(os.path.realpath(path)).parent, os.W_OK)


def _write_all(handle: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(handle, left) :]


def _sync(path: Path, how: int = os.O_RDWR) -> None:
    handle = os.open(path, how)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(path: Path) -> None:
    """Sees to it that the names in a folder are on disk, where the system has a call for that."""
    if os.name == "posix":
        _sync(path, os.O_RDONLY)


def make_folder_at(path: Path, *, exist_ok: bool = False) -> None:
    """Makes a folder; with `exist_ok` also those that it stands in, as far as they are not there."""
    if exist_ok:
        os.makedirs(path, exist_ok=True)
    else:
        os.mkdir(path)


def move(path: Path, target: Path) -> None:
    """Gives a file another name on the same disk."""
    os.replace(path, target)


def remove(path: Path) -> None:
    """Removes a file, if it is there."""
    with suppress(FileNotFoundError):
        os.unlink(path)


def remove_leftovers(folder: Path, older_than: float = 0.0) -> None:
    """Removes what writers that died left half written in a folder, if it is so many seconds old."""
    now = datetime.now().timestamp()
    for path in folder.glob(f".*{PARTIAL}*"):
        with suppress(OSError):
            if now - path.stat().st_mtime >= older_than:
                remove(path)


# ---- a file that grows


class GrowingFile:
    """A file that grows by whole pieces. What could not be written waits in memory, and is written with the next piece.

    `size` bytes of it are on disk: what stands behind them was left by a writer that died. `noted` tells all of it, what waits included.
    `anew` gives all of it, what waits included: where somebody has cut the file short, or taken it away, it is written anew.

    >>> file = GrowingFile(getfixture("tmp_path") / "lines")
    >>> file.add(b"one"); file.add(b"two"); file.size, file.path.read_bytes()
    (6, b'onetwo')
    >>> file.add(b"three", wait=True); file.size, file.noted["bytes"]
    (6, 11)
    """

    def __init__(self, path: Path, content: bytes = b"", anew: Callable[[], bytes] | None = None) -> None:
        self.path, self.size, self._digest = path, len(content), hashlib.sha256(content)
        self._anew, self._waiting = anew, list[bytes]()

    @property
    def noted(self) -> dict[str, Any]:
        """The number of its bytes and their SHA-256 in hexadecimal, when all that waits is written."""
        return {"bytes": self.size + sum(map(len, self._waiting)), "sha256": self._digest.hexdigest()}

    def add(self, content: bytes, *, wait: bool = False) -> None:
        """One more piece, which is to wait or not. Raises: UnwritableFileError; the piece waits then."""
        self._waiting.append(content)
        self._digest.update(content)
        if not wait:
            self.flush()

    def flush(self) -> None:
        """Writes what waits. Raises: UnwritableFileError."""
        if not self._waiting:
            return
        content = b"".join(self._waiting)
        with refusals(self.path):
            handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
            try:
                there = os.fstat(handle).st_size
                if there >= self.size:
                    self._append(handle, content, there)
            finally:
                os.close(handle)
            if there < self.size:
                if self._anew is None:
                    raise OSError(f"it has {there} bytes left of {self.size}")
                self.rewrite(self._anew())
                return
        self._waiting.clear()
        self.size += len(content)

    def _append(self, handle: int, content: bytes, there: int) -> None:
        if there > self.size:
            os.ftruncate(handle, self.size)
        os.lseek(handle, self.size, os.SEEK_SET)
        _write_all(handle, content)

    def rewrite(self, content: bytes) -> None:
        """All of it anew."""
        write_whole(self.path, content, sync=False)
        self._waiting.clear()
        self.size, self._digest = len(content), hashlib.sha256(content)

    def sync(self) -> None:
        """Sees to it that all is on disk."""
        if self.size:
            with refusals(self.path):
                _sync(self.path)
