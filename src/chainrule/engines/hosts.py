"""Which hosts compute a training: one, or several, as the environment variable CHAINRULE_HOSTS says."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import TypeVar

from chainrule.display import Shown
from chainrule.errors import OptionError
from chainrule.immutable import immutable

T = TypeVar("T")
VARIABLE = "CHAINRULE_HOSTS"
_ADDRESS = re.compile(r"(?P<coordinator>[^\s,]+:\d{1,5}),(?P<count>\d{1,6}),(?P<number>\d{1,6})")


class Hosts(Shown):
    """The processes that compute one training together, all by the same steps: this one alone, unless an engine knows of others."""

    count: int = 1
    number: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this is the one that writes the run's folder, and speaks."""
        return self.number == 0

    def largest(self, number: int) -> int:
        """The largest of the numbers that the hosts say, on all of them: what depends on a clock is decided together."""
        return number

    def asked(self, call: Callable[[], T]) -> T:
        """What a call that all of them make gives. Raises: HostError where another has gone."""
        return call()


ALONE = Hosts()


@immutable
class HostAddress(Shown):
    """Where the hosts find each other: the first one's address and port, how many there are, and which this is, from 0 on.

    `text` "auto" leaves it to what started the processes: SLURM, Open MPI, Kubernetes, a pod of TPUs.

    >>> HostAddress.parse("10.0.0.1:7000,4,2").count
    4
    >>> HostAddress.parse("auto").is_found
    True
    """

    text: str
    coordinator: str = ""
    count: int = 0
    number: int = 0

    @property
    def is_found(self) -> bool:
        """Whether JAX finds the others by itself."""
        return not self.coordinator

    @staticmethod
    def parse(text: str) -> HostAddress:
        """The address that a text says. Raises: OptionError."""
        if text == "auto":
            return HostAddress(text)
        match = _ADDRESS.fullmatch(text)
        if match is None or not int(match["number"]) < int(match["count"]):
            raise OptionError(
                f"{VARIABLE}={text}",
                expected="auto, or ADDRESS:PORT,COUNT,NUMBER: where the first host is, how many there are, and which this is, from 0 on",
                remedy=f"write for example {VARIABLE}=10.0.0.1:7000,2,0 on the first host and {VARIABLE}=10.0.0.1:7000,2,1 on the second",
            )
        return HostAddress(text, match["coordinator"], int(match["count"]), int(match["number"]))

    @staticmethod
    def wanted() -> HostAddress | None:
        """What the environment says; None where it says nothing."""
        text = os.environ.get(VARIABLE, "")
        return HostAddress.parse(text) if text else None
