"""Compiled code kept on disk between runs, signed so that nothing but what this user's own runs wrote is ever loaded.

Loading machine code is running it. So the folder, the key and the entries must belong to the user and be writable by nobody else,
and every entry carries an HMAC-SHA256 over its name and content. Whatever fails a test counts as absent, and so does every error of
the file system: the cache saves time or does nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

FORMAT = 1
"""To be raised when what an entry holds, or what a key is made of, changes."""
MAGIC = b"chainrl" + bytes([FORMAT])
LIMIT = 200_000_000
"""Bytes in all before the entries that were not used for longest are deleted."""

_KEY_FILE = "key"
_SECRET_BYTES, _SIGNATURE_BYTES = 32, 32
_ENTRY, _UNFINISHED = ".code", ".part"
_ABANDONED = 3600.0  # seconds after which an unfinished file is that of a process that died
_BETWEEN_LOOKS = 64
"""Entries that a process puts before it looks again what lies there and how large all are: of thousands that takes tens of milliseconds."""
_left: dict[tuple[Path, int], tuple[int, int]] = {}
"""Of each folder and limit: how many bytes, and how many entries, this process may put before it looks again."""


def key_of(*parts: str) -> str:
    """The name of an entry: a hash of all that the code depends on, and of where one part ends and the next begins.

    >>> key_of("ab", "c") == key_of("a", "bc")
    False
    """
    digest = hashlib.sha256(MAGIC)
    for part in parts:
        raw = part.encode()
        digest.update(len(raw).to_bytes(8, "little") + raw)
    return digest.hexdigest()


def default_cache() -> Cache | None:
    """The cache in the folder CHAINRULE_CACHE, or else in the user's folder for such things; none where that is "off"."""
    wish = os.environ.get("CHAINRULE_CACHE", "")
    if wish == "off":
        return None
    try:
        return Cache(Path(wish).expanduser().absolute() if wish else _usual_folder())
    except (RuntimeError, OSError):  # no home folder, no working folder
        return None


def _usual_folder() -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "chainrule"
    shared = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # A relative path is to be ignored, says the specification of these folders.
    return (shared if shared.is_absolute() else Path.home() / ".cache") / "chainrule"


class Cache:
    """Object code by key, in one folder; many processes may use it at once.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     cache = Cache(Path(folder) / "chainrule")
    ...     cache.put(key_of("text", "target"), b"code")
    ...     cache.get(key_of("text", "target")), cache.get(key_of("another text", "target"))
    (b'code', None)
    """

    def __init__(self, folder: Path, limit: int = LIMIT) -> None:
        self.folder, self.limit = folder, limit

    def get(self, key: str) -> bytes | None:
        """The code that was put under this key, or None: absent, altered, or in a folder that others can write to."""
        path = self._path(key)
        try:
            if not self._is_safe():
                return None
            secret, content = _read(self.folder / _KEY_FILE, private=True), _read(path)
        except OSError:
            return None
        code = _checked(key, secret, content)
        if code is not None:
            with suppress(OSError):  # a folder that can only be read still serves
                os.utime(path)
        return code

    def put(self, key: str, code: bytes) -> None:
        """Keeps the code under this key, or does nothing where that cannot be done safely."""
        if len(code) > self.limit:
            return
        with suppress(OSError):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self._is_safe():
                return
            content = MAGIC + _signature(self._secret(), key, code) + code
            with _Unfinished(self.folder, content) as part:
                part.replace(self._path(key))
            room, count = _left.get((self.folder, self.limit), (0, 0))
            room, count = room - len(content), count - 1
            if room < 0 or count < 0:
                self._tidy()
                room, count = self._trim(), _BETWEEN_LOOKS
            _left[self.folder, self.limit] = room, count

    def _path(self, key: str) -> Path:
        return self.folder / (key + _ENTRY)

    def _is_safe(self) -> bool:
        return _is_own(self.folder.stat(), private=False)

    def _secret(self) -> bytes:
        """The key that entries are signed with, made now if there is none."""
        path = self.folder / _KEY_FILE
        with suppress(FileNotFoundError):
            secret = _read(path, private=True)
            if len(secret) == _SECRET_BYTES:
                return secret
            path.unlink()
        # Written elsewhere and then linked: no process ever sees half a key, and of two that make one the first wins.
        with _Unfinished(self.folder, secrets.token_bytes(_SECRET_BYTES)) as part, suppress(FileExistsError):
            path.hardlink_to(part)
        return _read(path, private=True)

    def _names(self, ending: str) -> list[str]:
        with os.scandir(self.folder) as entries:
            return [entry.name for entry in entries if entry.name.endswith(ending)]

    def _tidy(self) -> None:
        """Deletes what dead processes left behind."""
        for name in self._names(_UNFINISHED):
            path = self.folder / name
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > _ABANDONED:
                    path.unlink()

    def _trim(self) -> int:
        """Deletes what was not used for longest until the rest is within the limit; gives how many bytes there is room for."""
        entries: list[tuple[float, int, Path]] = []
        for name in self._names(_ENTRY):
            path = self.folder / name
            with suppress(OSError):
                status = path.stat()
                entries.append((status.st_mtime, status.st_size, path))
        excess = sum(size for _, size, _ in entries) - self.limit
        for _, size, path in sorted(entries):
            if excess <= 0:
                break
            path.unlink(missing_ok=True)  # another process may have been faster
            excess -= size
        return max(0, -excess)


class _Unfinished:
    """A file of the user alone with this content, gone at the end unless it was renamed."""

    def __init__(self, folder: Path, content: bytes) -> None:
        self.folder, self.content = folder, content

    def __enter__(self) -> Path:
        handle, name = tempfile.mkstemp(suffix=_UNFINISHED, dir=self.folder)
        self.path = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(self.content)
        except OSError:  # the disk is full
            self.__exit__()
            raise
        return self.path

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self.path.unlink(missing_ok=True)


def _is_own(status: os.stat_result, private: bool) -> bool:
    """Whether the user alone can write it (and, of a secret, read it); on systems without such owners the home folder is trusted."""
    if sys.platform == "win32":
        return True
    others = 0o077 if private else 0o022
    return status.st_uid == os.getuid() and not status.st_mode & others


def _read(path: Path, private: bool = False) -> bytes:
    """A plain file's content; the file that is tested is the one that is read, even if it is being exchanged meanwhile."""
    # Without waiting, should somebody have put a pipe there.
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    with os.fdopen(os.open(path, flags), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or not _is_own(status, private):
            raise PermissionError(f"{path} is not a file of this user alone")
        return file.read()


def _signature(secret: bytes, key: str, code: bytes) -> bytes:
    return hmac.digest(secret, MAGIC + key.encode() + b"\n" + code, "sha256")


def _checked(key: str, secret: bytes, content: bytes) -> bytes | None:
    body = len(MAGIC) + _SIGNATURE_BYTES
    if len(secret) != _SECRET_BYTES or not content.startswith(MAGIC):
        return None
    code = content[body:]
    genuine = hmac.compare_digest(content[len(MAGIC) : body], _signature(secret, key, code))
    return code if genuine else None
