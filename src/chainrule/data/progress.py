"""Progress: readers of long files say how far they are, to whoever listens."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeAlias

Listener: TypeAlias = Callable[[str, float], object]
"""Is told what is being done, in a few words, and how much of it is done, from 0 to 1."""
_LISTENER: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def listening(listener: Listener) -> Generator[None]:
    """Within, what reads data tells the listener how far it is.

    >>> with listening(lambda words, share: print(words, share)):
    ...     tell("reading", 0.5)
    reading 0.5
    """
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


def tell(words: str, share: float) -> None:
    """Tells whoever listens."""
    listener = _LISTENER.get()
    if listener is not None:
        listener(words, share)
