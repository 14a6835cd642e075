"""Reading: how long it takes from a file, or from arrays, to a data set, and how much memory at most, beside pandas.read_csv alone.

`python benchmarks/reading.py` makes the files, lets ours and pandas read them in turn, each time in a process of its own, and prints
medians, the ratio within a round, and peak memory beyond what the process had when its packages were loaded.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROWS, COLUMNS = 1_000_000, 21
MIXED = 100_000


def write_numbers(path: Path, form: str) -> None:
    """21 columns of normal numbers, the last one the target."""
    random = np.random.default_rng(0)
    with path.open("w") as file:
        file.write(",".join(f"c{k}" for k in range(COLUMNS)) + "\n")
        for _ in range(20):
            np.savetxt(file, random.normal(size=(ROWS // 20, COLUMNS)), fmt=form, delimiter=",")


def write_mixed(path: Path) -> None:
    """15 columns: numbers, whole numbers, categories, a date, missing cells, and two classes."""
    random = np.random.default_rng(1)
    columns: dict[str, Any] = {f"n{k}": random.normal(size=MIXED).round(4).astype(str) for k in range(9)}
    columns |= {f"i{k}": random.integers(0, 1000, MIXED).astype(str) for k in range(2)}
    columns["colour"] = random.choice(["red", "green", "blue", ""], MIXED)
    columns["town"] = random.choice([f"town {k}" for k in range(12)], MIXED)
    columns["day"] = (np.datetime64("2000-01-01") + random.integers(0, 5000, MIXED)).astype(str)
    columns["y"] = random.choice(["yes", "no"], MIXED)
    columns["n0"][random.random(MIXED) < 0.05] = ""
    rows = zip(*columns.values(), strict=True)
    path.write_text("\n".join([",".join(columns), *map(",".join, rows)]) + "\n")


def pandas_numbers(path: str) -> None:
    """The way of pandas: a frame, and no further."""
    import pandas as pd

    pd.read_csv(path)


def ours_numbers(path: str) -> None:
    """The whole way: read, split, scalings learned, duplicates looked for."""
    import chainrule as cr

    cr.data.read_csv(path, target=f"c{COLUMNS - 1}")


def ours_mixed(path: str) -> None:
    """Categories encoded, gaps filled; the date is left out, as a data set has no use for it."""
    import chainrule as cr

    cr.data.read_csv(path, target="y", missing="mean", drop=["day"])


def ours_arrays(_: str) -> None:
    """A million rows of 100 float32 numbers that stand in memory already."""
    import chainrule as cr

    cr.data.from_arrays(ARRAYS["x"], ARRAYS["y"])


ARRAYS: dict[str, Any] = {}
CASES: dict[str, tuple[Callable[[str], None], Callable[[str], None] | None, str, float]] = {
    # name: ours, theirs, file, MB of the arrays
    "numbers, 4 digits": (ours_numbers, pandas_numbers, "short.csv", ROWS * COLUMNS * 8 / 1e6),
    "numbers, all digits": (ours_numbers, pandas_numbers, "long.csv", ROWS * COLUMNS * 8 / 1e6),
    "mixed": (ours_mixed, pandas_numbers, "mixed.csv", MIXED * 27 * 8 / 1e6),
    "arrays": (ours_arrays, None, "", ROWS * 100 * 4 / 1e6),
}


def resident() -> float:
    """MB of memory in use now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def measure(function: Callable[[str], None], path: str) -> dict[str, float]:
    """Seconds, and MB at most beyond what was in use before, by looking every few milliseconds."""
    import pandas as pd

    import chainrule  # noqa: F401

    pd.DataFrame()
    if function is ours_arrays:
        ARRAYS["x"] = np.random.default_rng(0).normal(size=(ROWS, 100)).astype(np.float32)
        ARRAYS["y"] = np.arange(ROWS) % 10
    before, highest, done = resident(), [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            highest[0] = max(highest[0], resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    function(path)
    seconds = time.perf_counter() - start
    done.set()
    watcher.join()
    return {"seconds": seconds, "megabytes": highest[0] - before}


def in_process(case: str, who: int, path: str) -> dict[str, float]:
    """One measurement in a process of its own."""
    command = [sys.executable, __file__, "--case", case, "--who", str(who), "--path", path]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def compare(folder: Path, rounds: int) -> None:
    """All cases, ours and theirs in turn."""
    print(f"{'case':22}{'ours, s':>10}{'pandas, s':>11}{'ratio':>8}{'ours, MB':>11}{'pandas, MB':>12}{'over arrays':>13}")
    for case, (_, theirs, name, size) in CASES.items():
        pairs = [
            (in_process(case, 0, str(folder / name)), in_process(case, 1, str(folder / name)) if theirs else None)
            for _ in range(rounds)
        ]
        seconds = statistics.median(ours["seconds"] for ours, _ in pairs)
        memory = statistics.median(ours["megabytes"] for ours, _ in pairs)
        line = f"{case:22}{seconds:10.2f}"
        if theirs is None:
            print(f"{line}{'–':>11}{'–':>8}{memory:11.0f}{'–':>12}{memory / size:13.2f}")
            continue
        other = [pair for _, pair in pairs if pair is not None]
        ratio = statistics.median(ours["seconds"] / pair["seconds"] for ours, pair in pairs if pair is not None)
        time_of, memory_of = (statistics.median(pair[what] for pair in other) for what in ("seconds", "megabytes"))
        print(f"{line}{time_of:11.2f}{ratio:8.2f}{memory:11.0f}{memory_of:12.0f}{memory / size:13.2f}")


def main() -> None:
    """Writes the files and compares, or measures one case."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--case")
    parser.add_argument("--who", type=int)
    parser.add_argument("--path")
    given = parser.parse_args()
    if given.case:
        function = CASES[given.case][given.who]
        assert callable(function)
        print(json.dumps(measure(function, given.path)))
        return
    with tempfile.TemporaryDirectory() as made:
        folder = given.folder or Path(made)
        folder.mkdir(exist_ok=True)
        for name, write in (
            ("short.csv", lambda path: write_numbers(path, "%.4g")),
            ("long.csv", lambda path: write_numbers(path, "%.17g")),
            ("mixed.csv", write_mixed),
        ):
            if not (folder / name).exists():
                write(folder / name)
        compare(folder, given.rounds)


if __name__ == "__main__":
    main()
