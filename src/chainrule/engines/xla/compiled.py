"""JAX functions, compiled: from this process, from the folder where compiled code is kept, or anew; and whether they fit the device."""

from __future__ import annotations

import os
import pickle
import platform
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
from jax.experimental import serialize_executable

from chainrule.engines.native.cache import default_cache, key_of
from chainrule.engines.xla.layout import memory_of_device
from chainrule.errors import OptionError
from chainrule.immutable import immutable


@immutable
class Compiled:
    """A program that can be called, and how long it took to be had."""

    call: Callable[..., Any]
    seconds: float
    from_cache: bool

    @property
    def scratch(self) -> int:
        """Bytes that it needs beside its arguments and results: activations, above all."""
        found = self.call.memory_analysis()  # pyright: ignore[reportFunctionMemberAccess]
        return 0 if found is None else int(found.temp_size_in_bytes)


_known: dict[str, Compiled] = {}
"""What this process has compiled a moment ago, by key; the oldest goes when there are many."""
MOST = 64


def compiled(function: Callable[..., Any], arguments: tuple[Any, ...], devices: Sequence[Any]) -> Compiled:
    """The function for arguments of these types, on these devices."""
    started = time.perf_counter()
    lowered = function.lower(*arguments)  # pyright: ignore[reportFunctionMemberAccess]
    key = key_of("xla", lowered.as_text(), *_surroundings())
    if key not in _known:
        # A program of several hosts is made on each of them anew.
        call, from_cache = (_loaded(key, devices) if jax.process_count() == 1 else None), True
        if call is None:
            call, from_cache = lowered.compile(), False
            _keep(key, call)
        _known[key] = Compiled(call, time.perf_counter() - started, from_cache)
        if len(_known) > MOST:
            del _known[next(iter(_known))]
    return _known[key]


def _loaded(key: str, devices: Sequence[Any]) -> Callable[..., Any] | None:
    """The program from the folder of compiled code, whose entries are signed: nothing that others wrote is unpickled."""
    cache = default_cache()
    found = cache.get(key) if cache else None
    if found is None:
        return None
    with suppress(Exception):  # another JAX may not read what this one wrote: then it is made again
        return serialize_executable.deserialize_and_load(*pickle.loads(found), execution_devices=devices)  # noqa: S301
    return None


def _keep(key: str, call: Any) -> None:
    cache = default_cache()
    if cache and jax.process_count() == 1:
        with suppress(Exception):  # what cannot be written down is compiled anew each time
            cache.put(key, pickle.dumps(serialize_executable.serialize(call)))


@cache
def _surroundings() -> tuple[str, ...]:
    """What compiled code depends on beside its text."""
    devices = jax.devices()
    client = devices[0].client
    kinds = ",".join(f"{device.id}:{device.device_kind}" for device in devices)
    flags = os.environ.get("XLA_FLAGS", "")
    return (flags, jax.__version__, version("jaxlib"), client.platform, client.platform_version, kinds, _processor())


def _processor() -> str:
    """What the processor can do, as far as the system tells: code for one need not run on another."""
    found = f"{platform.machine()} {platform.processor()}"
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        found += next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return found


def require_room(parts: dict[str, int], scratch: int) -> None:
    """Refuses what does not fit the memory of a device, before it starts. Raises: OptionError, with the bytes of each part."""
    limit = memory_of_device()
    needed = {**parts, "activations": scratch}
    if limit is not None and sum(needed.values()) > limit:
        told = ", ".join(f"{in_bytes(count)} of {name}" for name, count in needed.items() if count)
        raise OptionError(
            f"a training that needs {in_bytes(sum(needed.values()))} on the device ({told})",
            expected=f"at most {in_bytes(limit)}, which it has",
            remedy="take a smaller batch, fewer replicas or a smaller network, or share them out: devices=",
        )


def in_bytes(count: int) -> str:
    """A number of bytes as people write it.

    >>> in_bytes(512), in_bytes(3 * 2**20), in_bytes(150 * 2**30)
    ('512 B', '3.0 MiB', '150.0 GiB')
    """
    size, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if size < 1024:
            break
        size, unit = size / 1024, larger
    return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
