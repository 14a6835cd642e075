"""Memory for the debug build: each buffer ends at a forbidden page, and what nobody has written yet is poison.

A read or write one number behind a buffer ends the process at once instead of going unseen; a number read before it was written is
NaN (or the largest whole number), which shows in the results.
"""

from __future__ import annotations

import ctypes
import mmap

import numpy as np

from chainrule.errors import OptionError
from chainrule.graph import Array

PAGE = mmap.PAGESIZE
POISON = 0xFF


def forbid(memory: Array, start: int, count: int) -> None:
    """Makes whole pages of a mapping impossible to read or write."""
    protect = getattr(ctypes.CDLL(None), "mprotect", None)
    if protect is None:
        raise OptionError("guard pages on this system", expected="mprotect, as on Linux and macOS", remedy="leave guarded out")
    begin = memory.__array_interface__["data"][0] + start
    if protect(ctypes.c_void_p(begin), ctypes.c_size_t(count), 0):
        raise OSError(f"mprotect of {count} bytes failed")


def pages(count: int) -> Array:
    """So many bytes, from the start of a page on, full of poison."""
    memory = np.frombuffer(mmap.mmap(-1, max(count, 1)), np.uint8)
    memory[:] = POISON
    return memory


def guarded(array: Array) -> Array:
    """A copy whose last number is followed by a forbidden page."""
    whole = -(-max(array.nbytes, 1) // PAGE) * PAGE
    memory = pages(whole + PAGE)
    start = whole - array.nbytes
    copy = memory[start:whole].view(array.dtype).reshape(array.shape)
    copy[...] = array
    forbid(memory, whole, PAGE)
    return copy


def poisoned(shape: tuple[int, ...], dtype: str) -> Array:
    """The same for numbers that the code is to write."""
    memory = np.empty(shape, dtype)
    memory.reshape(-1).view(np.uint8)[...] = POISON
    return guarded(memory)
