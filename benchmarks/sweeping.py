"""A sweep of 100 learning rates with 8 seeds each, a small network: one training after the other, and all as one program, in turn.

    python benchmarks/sweeping.py --rounds 3 [--engine xla --rates 10]

"alone" is what a sweep did before: a training, and its folder, for each rate. Seconds are those that pass, and of processor time.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable

import chainrule as cr

warnings.simplefilter("ignore", cr.errors.SlowerEngineWarning)


def timed(function: Callable[[], object]) -> tuple[float, float]:
    """Seconds that pass, and of processor time."""
    wall, cpu = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - wall, time.process_time() - cpu


def main() -> None:
    """Measures both ways in turn, and prints the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rates", type=int, default=100)
    parser.add_argument("--engine", default="native")
    asked = parser.parse_args()
    data = cr.data.moons(200)
    training = cr.Training(
        "2-16-2 tanh softmax", data, optimizer=cr.Adam(0.01), epochs=20, batch_size=20, replicas=8, engine=asked.engine
    )
    rates = cr.sweeps.Between(0.0001, 1.0, points=asked.rates, log=True)
    space = {"optimizer.learning_rate": rates}

    def alone(folder: str | None) -> None:
        for rate in rates.values:
            training.changed(**{"optimizer.learning_rate": rate}).fit(folder=folder).evaluate("test")

    def together(folder: str | None) -> None:
        cr.sweep(training, space, replicas=8, folder=folder)

    ways = {"alone": alone, "together": together}
    found: dict[tuple[str, bool], list[tuple[float, float]]] = {}
    training.fit()  # loaded, and compiled where that is kept
    for _ in range(asked.rounds):
        for kept in (False, True):
            for name, way in ways.items():
                with tempfile.TemporaryDirectory() as folder:
                    found.setdefault((name, kept), []).append(timed(lambda way=way: way(folder if kept else None)))  # noqa: B023
    print(f"{asked.rates} rates, {asked.engine}, medians of {asked.rounds}: seconds, and of processor time")
    for (name, kept), times in found.items():
        wall, cpu = (statistics.median(each) for each in zip(*times, strict=True))
        print(f"{name:9} {'with folders' if kept else 'in memory':13} {wall:7.2f} s {cpu:7.2f} s")


if __name__ == "__main__":
    main()
