"""What it was measured on, and what that machine can do at most."""

from __future__ import annotations

import ctypes
import datetime
import os
import platform
import shutil
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
from competitor import cores
from floor import compile_floor, open_floor, pointer


def describe_machine() -> str:
    """Processor, cores, load, and the versions of all that takes part, in Markdown."""
    packages = ("chainrule", "numpy", "jax", "torch", "scikit-learn")
    versions = [f"{name} {version}" for name in packages if (version := _version(name))]
    gcc = [line] if (line := _first_line(["gcc", "--version"])) else []
    load = f", load average {os.getloadavg()[0]:.2f}" if hasattr(os, "getloadavg") else ""
    return (
        f"{datetime.date.today().isoformat()}; {_processor()}, {len(cores())} cores{load}\n\n"
        f"{platform.system()} {platform.release()}, {', '.join([f'Python {platform.python_version()}', *versions, *gcc])}"
    )


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _first_line(command: list[str]) -> str:
    if shutil.which(command[0]) is None:
        return ""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.partition("\n")[0]


def _processor() -> str:
    listing = Path("/proc/cpuinfo")
    text = listing.read_text() if listing.exists() else ""
    names = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    wide = next((f" ({name})" for name in ("AVX512F", "AVX2") if f" {name.lower()} " in text), "")
    return (names[0] if names else platform.processor() or platform.machine()) + wide


def last_level_cache() -> int:
    """Bytes of the largest cache; 32 MiB where the system does not say."""
    texts = [path.read_text().strip() for path in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size")]
    sizes = [int(text[:-1]) << {"K": 10, "M": 20}[text[-1]] for text in texts]
    return max(sizes, default=32 << 20)


@dataclass(frozen=True)
class Peaks:
    """Floating-point operations and bytes read from memory, per second, on so many threads; `how` says what measured them."""

    operations: float
    bytes: float
    threads: int
    how: str


def measure_peaks(folder: Path, threads: int) -> Peaks:
    """The best of several tries: by the loops of floor.c, or where gcc is missing by NumPy's product and sum."""
    made = compile_floor(folder)
    if made is not None:
        return _peaks_of_floor(open_floor(made), threads)
    a = np.ones((2048, 2048), np.float32)
    room, table = np.empty_like(a), np.ones(1 << 26, np.float32)
    products = 2 * 2048**3 / _least_seconds(lambda: np.matmul(a, a, room))
    return Peaks(products, table.nbytes / _least_seconds(lambda: table.max()), len(cores()), "NumPy's product, and its maximum")


def _peaks_of_floor(library: ctypes.CDLL, threads: int) -> Peaks:
    rounds, tables = 1_000_000, [np.ones(1 << 25, np.float32) for _ in range(threads)]
    with ThreadPoolExecutor(threads) as pool:
        # ctypes lets go of Python's lock during a call, so these run side by side.
        arithmetic = _least_seconds(lambda: list(pool.map(library.peak_arithmetic, [ctypes.c_long(rounds)] * threads)))
        sizes, addresses = [ctypes.c_long(table.size) for table in tables], [pointer(table) for table in tables]
        reading = _least_seconds(lambda: list(pool.map(library.peak_reading, addresses, sizes)))
    operations, read = threads * rounds * 16 * 16 * 2, sum(table.nbytes for table in tables)
    return Peaks(operations / arithmetic, read / reading, threads, "the loops of floor.c")


def _least_seconds(work: Callable[[], object], tries: int = 25) -> float:
    taken: list[float] = []
    for _ in range(tries):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return min(taken)
