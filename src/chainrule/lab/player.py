"""The player: lets a session run in a thread of its own, so many steps to a picture, thirty pictures a second."""

from __future__ import annotations

import threading
import time

from chainrule.errors import ChainruleError
from chainrule.lab.session import Session

PICTURES_A_SECOND = 30
PIECE_SECONDS = 0.004
"""How long the session is held at full speed before a reader may look."""


class Player:
    """Plays a session, and the one `beside` it as far, under a lock. `speed`: steps to a picture; None for as many as the machine can do.

    An error stops it, and is kept to be shown.
    """

    def __init__(self, session: Session, lock: threading.RLock) -> None:
        self.session, self.lock = session, lock
        self.beside: Session | None = None
        self.speed: int | None = 1
        self.error = ""
        self._playing = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="lab player", daemon=True)
        self._thread.start()

    @property
    def is_playing(self) -> bool:
        """Whether it plays."""
        return self._playing.is_set()

    def play(self, speed: int | None) -> None:
        """Begins to play, or goes on at another speed."""
        self.speed, self.error = speed, ""
        self._playing.set()

    def pause(self) -> None:
        """Stops between two steps."""
        self._playing.clear()

    def close(self) -> None:
        """Ends the thread."""
        self._closed = True
        self._playing.set()
        self._thread.join()

    def _run(self) -> None:
        piece = 8
        while True:
            self._playing.wait()
            if self._closed:
                return
            began = time.perf_counter()
            try:
                with self.lock:
                    if self._playing.is_set():
                        self._forward(piece if self.speed is None else self.speed)
            except ChainruleError as error:
                self.error = str(error)
                self.pause()
            took = time.perf_counter() - began
            if self.speed is None:
                piece = max(1, int(piece * min(2.0, PIECE_SECONDS / max(took, 1e-5))))
                time.sleep(0)  # a reader that waits for the lock gets it
            else:
                time.sleep(max(0.001, 1 / PICTURES_A_SECOND - took))

    def _forward(self, steps: int) -> None:
        self.session.forward(steps)
        if self.beside is not None:
            self.beside.at(self.session.step)
