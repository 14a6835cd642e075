"""The driver's side of worker.py: starts a competitor's process, asks it for its times, and ends it."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from peers import PEERS
from workloads import WORKLOADS

Answer = dict[str, Any]

AVX2 = {
    "CHAINRULE_TARGET_CPU": "haswell",
    "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",
    "ATEN_CPU_CAPABILITY": "avx2",  # PyTorch's own kernels, and the libraries below them
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
    "NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL",
}
"""What keeps each of them from wider instructions, as on most laptops. JAX's products (YNNPACK) ask the processor alone: see narrow.c."""


def cores() -> list[int]:
    """The cores that this process may use."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


class Competitor:
    """One competitor on one workload, NAME or NAME@1; `trouble` says why it cannot take part."""

    def __init__(self, workload: str, name: str, engine: str, limits: Mapping[str, str]) -> None:
        self.workload, self.name, self.engine, self.limits = workload, name, engine, limits
        self.family, _, threads = name.partition("@")
        self.threads = int(threads or len(cores()))
        self.process: subprocess.Popen[str] | None = None
        self.trouble = ""

    def start(self) -> None:
        """Starts it and waits until it is warm."""
        self.process = self._launch({})
        self.trouble = self._read(None).get("trouble", "")

    def ask(self, request: str, seconds: float | None = None) -> Answer:
        """Its answer to "go" or "check"; empty if it took longer than `seconds` or died, in which case it is ended."""
        if self.process is None or self.process.stdin is None:
            return {}
        self.process.stdin.write(request + "\n")
        self.process.stdin.flush()
        answer = self._read(seconds)
        if "trouble" in answer:
            self.trouble = answer["trouble"]
            self.stop()
            return {}
        # OpenBLAS's threads spin for up to 0.07 s after their work; the next competitor is not to feel it.
        time.sleep(0.15)
        return answer

    def stop(self) -> None:
        """Ends it."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None

    @property
    def cpu_seconds(self) -> float:
        """What its process has used of the processor so far; 0 where the system does not say."""
        listing = Path(f"/proc/{self.process.pid}/stat") if self.process else None
        if listing is None or not listing.exists():
            return 0.0
        fields = listing.read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _read(self, seconds: float | None) -> Answer:
        process = self.process
        if process is None or process.stdout is None:
            return {"trouble": "not started"}
        if not select.select([process.stdout], [], [], seconds)[0]:
            return {"trouble": f"over {seconds:g} s"}
        line = process.stdout.readline()
        return json.loads(line) if line else {"trouble": "its process died"}

    def _launch(self, environment: dict[str, str]) -> subprocess.Popen[str]:
        command = [sys.executable, str(Path(__file__).with_name("worker.py"))]
        command += [self.workload, self.name, str(self.threads), self.engine]
        everything = {**os.environ, "JAX_PLATFORMS": "cpu", **environment, **self.limits}
        # Byte code that is never kept would make each start of W10 compile all of Python's text again.
        everything.pop("PYTHONDONTWRITEBYTECODE", None)
        if self.threads == 1:
            everything |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
            flags = ("--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1", self.limits.get("XLA_FLAGS", ""))
            everything["XLA_FLAGS"] = " ".join(flags)
        return subprocess.Popen(
            command,
            env=everything,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            preexec_fn=self._pin if self.threads == 1 and hasattr(os, "sched_setaffinity") else None,
        )

    def _pin(self) -> None:
        os.sched_setaffinity(0, {cores()[-1]})


class WholeProcess(Competitor):
    """A competitor whose every unit is a process of its own: once with empty compile caches, then with what they then hold."""

    def start(self) -> None:
        """Once, so that byte code and files are where they always are."""
        self.ask("go")

    def ask(self, request: str, seconds: float | None = None) -> Answer:
        """The seconds from the start of the process to its end, or for "check" the score."""
        with tempfile.TemporaryDirectory() as folder:
            caches = {
                "CHAINRULE_CACHE": f"{folder}/chainrule",
                "JAX_COMPILATION_CACHE_DIR": f"{folder}/jax",
                "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
                "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
                "TORCHINDUCTOR_CACHE_DIR": f"{folder}/torch",
            }
            for name in ("CHAINRULE_CACHE", "JAX_COMPILATION_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR"):
                Path(caches[name]).mkdir()
            cold, _ = self._once(caches)
            warm, answer = self._once(caches)
        if request == "check" or self.trouble:
            return answer
        return {"cold caches": cold, "warm caches": warm}

    def _once(self, environment: dict[str, str]) -> tuple[float, Answer]:
        started = time.perf_counter()
        self.process = self._launch(environment)
        answer = self._read(None)
        self.process.communicate()
        elapsed, self.process = time.perf_counter() - started, None
        self.trouble = answer.pop("trouble", "")
        return elapsed, answer


class Weather:
    """How much of the processor goes to neither us nor the competitors, from now on until it is asked for as text."""

    def __init__(self, present: list[Competitor]) -> None:
        self.present = present
        self.started, self.foreign = time.perf_counter(), self._foreign_seconds()

    def __str__(self) -> str:
        after = self._foreign_seconds()
        if self.foreign is None or after is None:
            return "an unknown share"
        return f"{max(0.0, after - self.foreign) / (time.perf_counter() - self.started):.0%} of a core"

    def _foreign_seconds(self) -> float | None:
        listing = Path("/proc/stat")
        if not listing.exists():
            return None
        user, nice, system, _, _, *interrupts_and_stolen = map(int, listing.read_text().splitlines()[0].split()[1:9])
        busy = (user + nice + system + sum(interrupts_and_stolen)) / os.sysconf("SC_CLK_TCK")
        # The first four of os.times(): our own and our ended children's, which with W10 is every competitor's.
        return busy - sum(os.times()[:4]) - sum(item.cpu_seconds for item in self.present)


def competitor(workload: str, name: str, engine: str, limits: Mapping[str, str]) -> Competitor:
    """The right kind for the workload; `limits` are variables of its environment."""
    kind = WholeProcess if WORKLOADS[workload].kind == "process" else Competitor
    return kind(workload, name, engine, limits)


def takes_part(workload: str, name: str) -> bool:
    """Whether the competitor does this workload at all; a whole process is not repeated on one core."""
    family, _, threads = name.partition("@")
    return workload in PEERS[family].workloads and not (threads and WORKLOADS[workload].kind == "process")
