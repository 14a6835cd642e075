"""A system whose calls fail: stands in for `os` in the modules through which everything is written."""

import errno
import os

from chainrule import files
from chainrule.train import lock

WRITING = ("open", "write", "fsync", "replace", "mkdir", "makedirs", "unlink", "ftruncate", "lseek", "chmod", "close")


class FailingSystem:
    """`os` with a count of the calls that write; call number `at` fails, and with `lasting` all after it."""

    def __init__(self, at=None, trouble=errno.ENOSPC, *, lasting=False):
        self.at, self.trouble, self.lasting, self.calls = at, trouble, lasting, []

    def __getattr__(self, name):
        found = getattr(os, name)
        return self._counted(name, found) if name in WRITING else found

    def _counted(self, name, function):
        def call(*arguments, **named):
            number = len(self.calls)
            self.calls.append(name)
            if self.at is not None and (number >= self.at if self.lasting else number == self.at):
                if name == "close":
                    function(*arguments)  # the system closes it all the same
                if isinstance(self.trouble, BaseException):
                    raise self.trouble
                raise OSError(self.trouble, os.strerror(self.trouble))
            # The disk is not waited for: how busy it is would decide how long the tests take.
            return None if name == "fsync" else function(*arguments, **named)

        return call

    def install(self, monkeypatch):
        monkeypatch.setattr(files, "os", self)
        monkeypatch.setattr(lock, "os", self)
        return self
