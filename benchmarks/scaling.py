"""Time per training step of ours against width, depth, batch and replicas, beside what the machine allows.

    python benchmarks/scaling.py [--series width,depth,batch,replicas] [--engine native] [--threads N]

Arithmetic floor: the operations of the products (forward, gradients by weights and by inputs, the last not for the first
layer) and of the update, at the measured peak of fused multiply-adds. Memory floor: the batch's rows and the optimizer's
state, each counted where it outgrows the largest cache, at the measured speed of reading. Both peaks are those of N threads,
by default one a core.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from compare import readable
from competitor import Weather, cores
from machine import Peaks, describe_machine, last_level_cache, measure_peaks

import chainrule as cr

LEAST_SECONDS = 0.15
TRIES, MOST_SECONDS = 3, 2.0
"""After so many tries or so many seconds a point is done."""
MOST = 2.0
"""Points above so many times their floor are marked."""


@dataclass(frozen=True)
class Point:
    """A network in training; `at` is its place in the series."""

    series: str
    at: int
    sizes: tuple[int, ...]
    batch: int = 128
    replicas: int = 1

    @property
    def adam(self) -> bool:
        """The curve is learned by Adam, the images by SGD."""
        return self.sizes[0] == 1

    @property
    def parameters(self) -> int:
        """Weights and biases of all replicas."""
        return self.replicas * sum((inputs + 1) * outputs for inputs, outputs in pairwise(self.sizes))

    @property
    def operations(self) -> int:
        """Multiplications and additions of one step."""
        products = [inputs * outputs for inputs, outputs in pairwise(self.sizes)]
        per_example = 2 * (2 * sum(products) + sum(products[1:]))
        return per_example * self.batch * self.replicas + (12 if self.adam else 2) * self.parameters

    def bytes(self, table: int, cached: int) -> int:
        """What one step must move between memory and processor, with a table of that many bytes and a cache of that many."""
        slots = 3 if self.adam else 1
        state = 4 * slots * self.parameters
        rows = 4 * self.sizes[0] * self.batch * self.replicas
        return (rows if table > cached else 0) + (2 * state if state > cached else 0)


def points() -> Iterator[Point]:
    """All points of all series."""
    for width in (16, 32, 64, 128, 256, 512, 1024):
        yield Point("width", width, (784, width, width, 10))
    for depth in range(1, 9):
        yield Point("depth", depth, (784, *[128] * depth, 10))
    for batch in (8, 16, 32, 64, 128, 256, 512, 1024):
        yield Point("batch", batch, (784, 128, 10), batch=batch)
    for replicas in (1, 2, 4, 8, 16, 32):
        yield Point("replicas", replicas, (1, 50, 1), batch=32, replicas=replicas)


TITLES = {
    "width": "784-w-w-10, batch 128",
    "depth": "784, d layers of 128, 10, batch 128",
    "batch": "784-128-10, batch b",
    "replicas": "r replicas of 1-50-1, batch 32, Adam",
}


@cache
def dataset(inputs: int) -> cr.data.Dataset:
    """Random examples: for 784 inputs 63 MB of them, more than most caches hold."""
    random = np.random.default_rng(0)
    count = 20_000 if inputs == 784 else 1024
    x = random.random((count, inputs), dtype=np.float32)
    test = random.random((10, inputs), dtype=np.float32)
    if inputs == 1:
        return cr.data.from_arrays(x, np.sin(3 * x), test=(test, test), scaling="none", target_scaling="none")
    digits = [str(digit) for digit in range(10)]
    y = random.integers(0, 10, count)
    return cr.data.from_arrays(x, y, test=(test, np.arange(10)), classes=digits, scaling="none")


def seconds_per_step(point: Point, engine: str) -> float:
    """The least of some tries, each of so many steps in one call that the clock has something to measure."""
    data = dataset(point.sizes[0])
    problem = cr.train.LearningProblem(cr.parse_network("-".join(map(str, point.sizes)) + " relu"), data.info)
    optimizer = cr.Adam() if point.adam else cr.SGD(0.01)
    settings = cr.train.Settings(optimizer, epochs=10**6, batch_size=point.batch, replicas=point.replicas, engine=engine)
    trainer = cr.train.Trainer(problem, settings, lambda: data)

    def taken(steps: int) -> float:
        started = time.perf_counter()
        trainer._run(trainer.step, trainer.step + steps)
        trainer.step += steps
        return time.perf_counter() - started

    # Whole epochs, so that the shorter last batch and the shuffling have their usual share; the first compiles.
    taken(trainer.steps_per_epoch)
    once = taken(trainer.steps_per_epoch)
    steps = trainer.steps_per_epoch * max(1, round(LEAST_SECONDS / once))
    found = [taken(steps)]
    while len(found) < TRIES and sum(found) < MOST_SECONDS:
        found.append(taken(steps))
    return min(found) / steps


def row(point: Point, seconds: float, peaks: Peaks) -> str:
    """A row of the table."""
    data = dataset(point.sizes[0])
    arithmetic = point.operations / peaks.operations
    memory = point.bytes(data.train.x.nbytes, last_level_cache()) / peaks.bytes
    times = seconds / max(arithmetic, memory)
    cells = (readable(seconds), readable(arithmetic), readable(memory) if memory else "–", f"{times:.1f}")
    return f"| {point.at} | {' | '.join(cells)} | {'over' if times > MOST else ''} |"


def main() -> None:
    """Measures and prints a table for each series."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", default=",".join(TITLES), help=f"of {', '.join(TITLES)}")
    parser.add_argument("--engine", default="native", help="ours: native or reference")
    parser.add_argument("--threads", type=int, default=len(cores()), help="whose peaks are the floor")
    arguments = parser.parse_args()
    chosen = arguments.series.split(",")
    if unknown := [name for name in chosen if name not in TITLES]:
        parser.error(f"--series {', '.join(unknown)}: expected some of {', '.join(TITLES)}")
    weather = Weather([])
    with tempfile.TemporaryDirectory() as folder:
        peaks = measure_peaks(Path(folder), arguments.threads)
    print(f"{describe_machine()}\n\n{arguments.engine} engine; on {peaks.threads} threads, by {peaks.how}:", end=" ")
    print(f"{peaks.operations / 1e9:.0f} GFLOP/s, {peaks.bytes / 1e9:.1f} GB/s")
    for series in chosen:
        print(f"\n## {TITLES[series]}\n")
        print(f"| {series} | step | arithmetic floor | memory floor | step / floor | > {MOST:g} |\n|--:|--:|--:|--:|--:|---|")
        for point in points():
            if point.series == series:
                print(row(point, seconds_per_step(point, arguments.engine), peaks), flush=True)
    print(f"\nOthers on this machine took {weather} meanwhile.")


if __name__ == "__main__":
    main()
