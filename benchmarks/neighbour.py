"""A noisy neighbour: how much slower ours and PyTorch get when a foreign process keeps one of the cores busy.

    python benchmarks/neighbour.py [--rounds 5] [--engine native]

A loop of Python pinned to one core shares it with whatever thread we have there. Threads that spin while they wait for one
that does not run collapse; ours may at most take twice as long. A disturbed unit is given 20 s. Where others already disturb
the undisturbed times, as a column says, the ratio means little.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from compare import readable
from competitor import Competitor, Weather, cores
from machine import describe_machine
from peers import PEERS
from workloads import WORKLOADS

LIMIT_SECONDS = 20.0
MOST = 2.0
"""What ours may take, as a multiple of the undisturbed time."""
# It ends with us even if we are killed.
_BUSY = """
import os
while os.getppid() == {parent}:
    for _ in range(10**6): pass
"""


@contextmanager
def busy_core(core: int) -> Iterator[None]:
    """A foreign process that never sleeps, on that core."""

    def pin() -> None:
        os.sched_setaffinity(0, {core})

    command = [sys.executable, "-c", _BUSY.format(parent=os.getpid())]
    process = subprocess.Popen(command, preexec_fn=pin if hasattr(os, "sched_setaffinity") else None)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def times(item: Competitor, rounds: int, limit: float | None) -> list[float]:
    """Seconds of a unit, as often as asked for or until one takes too long."""
    found: list[float] = []
    for _ in range(rounds):
        answer = item.ask("go", limit)
        if not answer:
            break
        found.append(answer["unit"])
    return found


def measure(workload: str, name: str, rounds: int, engine: str) -> str:
    """A row of the table."""
    item = Competitor(workload, name, engine, {})
    item.start()
    try:
        weather = Weather([item])
        calm = [] if item.trouble else times(item, rounds, None)
        others = str(weather)
        if not calm:
            return f"| {workload} | {PEERS[name].title} | left out: {item.trouble} | | | | |"
        with busy_core(cores()[0]):
            disturbed = times(item, rounds, LIMIT_SECONDS)
    finally:
        item.stop()
    undisturbed = statistics.median(calm)
    # One that was stopped took at least the limit.
    late = len(disturbed) < rounds
    taken = LIMIT_SECONDS if late else statistics.median(disturbed)
    sign, verdict = ("> " if late else ""), ""
    if name == "chainrule":
        verdict = "**no**" if taken > MOST * undisturbed else "not known" if late else "yes"
    cells = (others, readable(undisturbed), sign + readable(taken), f"{sign}{taken / undisturbed:.2f}", verdict)
    return f"| {workload} | {PEERS[name].title} | {' | '.join(cells)} |"


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--engine", default="native", help="ours: native or reference")
    arguments = parser.parse_args()
    print(f"{describe_machine()}\n\nThe neighbour sits on core {cores()[0]}; medians of {arguments.rounds}.\n")
    for workload in ("W1", "W5"):
        print(f"{workload}: {WORKLOADS[workload].description}\n")
    print(
        f"| | | others took | undisturbed | with a neighbour | ratio | ≤ {MOST:g} |\n|---|---|--:|--:|--:|--:|---|", flush=True
    )
    for workload in ("W1", "W5"):
        for name in ("chainrule", "torch"):
            print(measure(workload, name, arguments.rounds, arguments.engine), flush=True)


if __name__ == "__main__":
    main()
