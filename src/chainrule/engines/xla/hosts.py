"""Several hosts: processes, on one machine or many, that compute one training together, each with the devices that it has."""

from __future__ import annotations

import atexit
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils

from chainrule.engines.hosts import ALONE, VARIABLE, HostAddress, Hosts
from chainrule.errors import HostError

T = TypeVar("T")
CONNECTING = 1.0
"""Seconds for connections that are still being made once the hosts have first heard of each other."""
SILENCE = 60
"""Seconds for which a host may be silent, though its connections stand, before JAX ends the others."""
WAITING = 120
"""Seconds that the first host waits for the others to come."""
_LOST = re.compile("UNKNOWN|UNAVAILABLE|INTERNAL|ABORTED|CANCELLED|DEADLINE_EXCEEDED")
"""What JAX's words for a host that does not answer begin with."""
_lock = threading.Lock()


class JoinedHosts(Hosts):
    """The hosts that JAX has brought together; every one of them runs the same program."""

    def __init__(self) -> None:
        self.count, self.number = jax.process_count(), jax.process_index()

    def largest(self, number: int) -> int:
        """See `Hosts`."""
        return int(np.max(self.asked(lambda: multihost_utils.process_allgather(np.int32(number)))))

    def asked(self, call: Callable[[], T]) -> T:
        """See `Hosts`."""
        try:
            with _aside():
                return jax.block_until_ready(call())
        except (jax.errors.JaxRuntimeError, ValueError) as trouble:  # JAX has both for a connection that is broken
            if not _LOST.match(str(trouble)):  # a device that is full, say
                raise
            atexit.register(_end)
            raise HostError(
                f"another of the {self.count} hosts has gone: {' '.join(str(trouble).split())[:200]}",
                expected=f"{self.count} hosts to the end",
                remedy="start the training again on the hosts that there are; a run that is saved goes on from its last snapshot: "
                "chainrule resume RUN",
            ) from trouble


@contextmanager
def _aside() -> Generator[None]:
    """Inside, what is written to standard output goes to standard error: Gloo tells there, unasked, who is connected to whom."""
    kept = None
    with suppress(OSError):  # one of them may be closed
        kept = os.dup(1)
        os.dup2(2, 1)
    try:
        yield
    finally:
        if kept is not None:
            os.dup2(kept, 1)
            os.close(kept)


def _end() -> None:
    """Ends a process that has lost a host, before JAX waits for that one, and then breaks off with its stack.

    The status is 2, also where a program has caught the error and gone on: what it was started for was not done by all of the hosts,
    and who started it, a scheduler, should know. A program that thinks otherwise ends itself, by `os._exit(0)`.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(2)


def join(address: HostAddress) -> Hosts:
    """The hosts of this training, brought together the first time it is asked for. Raises: HostError where one does not come."""
    with _lock:
        return _joined(address)


@cache
def _joined(address: HostAddress) -> Hosts:
    named: dict[str, Any] = {} if address.is_found else {
        "coordinator_address": address.coordinator, "num_processes": address.count, "process_id": address.number,
    }  # fmt: skip
    try:
        jax.distributed.initialize(
            **named, initialization_timeout=WAITING, heartbeat_timeout_seconds=SILENCE, shutdown_timeout_seconds=SILENCE
        )
    except (RuntimeError, ValueError) as trouble:
        raise HostError(
            f"{VARIABLE}={address.text}: {' '.join(str(trouble).split())[:200]}",
            expected="processes that SLURM, Open MPI or Kubernetes started, or a pod of TPUs"
            if address.is_found
            else f"all {address.count} hosts within {WAITING} seconds",
            remedy="start the same command on each host, with the address of the first and a number of its own: "
            f"{VARIABLE}=ADDRESS:PORT,COUNT,NUMBER",
        ) from trouble
    if jax.process_count() == 1:
        return ALONE
    hosts = JoinedHosts()
    with _aside():
        # Each device's connections tell of themselves as they are made, some after the first answer is there.
        hosts.largest(0)
        time.sleep(CONNECTING)
    return hosts
