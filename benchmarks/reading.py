"""Reading: how long it takes from a file, or from arrays, to a data set, and how much memory at most, beside pandas.read_csv alone.

`python benchmarks/reading.py` makes the files, lets ours and pandas read them in turn, each time in a process of its own, and prints
medians of seconds that pass and of seconds of processors (which the load of a machine distorts less), both ratios within a round, and
peak memory beyond what the process had when its packages were loaded.
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
from collections.abc import Callable, Sequence
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


def measure(function: Callable[[str], object], path: str) -> dict[str, float]:
    """Seconds, and MB at most beyond what was in use before, by looking every few milliseconds."""
    import pandas as pd

    import chainrule as cr

    pd.DataFrame()
    assert cr.data.read_csv  # names are loaded when they are first named
    if function is ours_arrays:
        ARRAYS["x"] = np.random.default_rng(0).normal(size=(ROWS, 100)).astype(np.float32)
        ARRAYS["y"] = np.arange(ROWS) % 10
    before, highest, done = resident(), [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            highest[0] = max(highest[0], resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    start, worked = time.perf_counter(), processor()
    function(path)
    seconds, worked = time.perf_counter() - start, processor() - worked
    done.set()
    watcher.join()
    return {"seconds": seconds, "processor": worked, "megabytes": highest[0] - before}


def processor() -> float:
    """Seconds that this process has worked, in its own code and the system's."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def in_process(case: str, who: int, path: str) -> dict[str, float]:
    """One measurement in a process of its own."""
    command = [sys.executable, __file__, "--case", case, "--who", str(who), "--path", path]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def compare(folder: Path, rounds: int) -> None:
    """All cases, ours and theirs in turn."""
    print(
        f"{'case':22}{'ours, s':>10}{'pandas, s':>11}{'ratio':>8}{'ours, CPU s':>14}{'pandas, CPU s':>15}{'ratio':>8}"
        f"{'ours, MB':>10}{'pandas, MB':>12}{'over arrays':>13}"
    )
    for case, (_, theirs, name, size) in CASES.items():
        pairs = [
            (in_process(case, 0, str(folder / name)), in_process(case, 1, str(folder / name)) if theirs else None)
            for _ in range(rounds)
        ]
        print(f"{case:22}{_columns('seconds', pairs)}{_columns('processor', pairs, 4)}{_memory(pairs, size)}", flush=True)


Pairs = Sequence[tuple[dict[str, float], dict[str, float] | None]]


def _columns(what: str, pairs: Pairs, wider: int = 0) -> str:
    """Medians of both, and of the ratio within a round."""
    ours = statistics.median(one[what] for one, _ in pairs)
    others = [(one[what], other[what]) for one, other in pairs if other is not None]
    ratio = f"{statistics.median(one / other for one, other in others):8.2f}" if others else f"{'–':>8}"
    other = f"{statistics.median(other for _, other in others):.2f}" if others else "–"
    return f"{ours:{10 + wider}.2f}{other:>{11 + wider}}{ratio}"


def _memory(pairs: Pairs, size: float) -> str:
    ours = statistics.median(one["megabytes"] for one, _ in pairs)
    others = [other["megabytes"] for _, other in pairs if other is not None]
    return f"{ours:10.0f}{f'{statistics.median(others):.0f}' if others else '–':>12}{ours / size:13.2f}"


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
        ours, theirs, *_ = CASES[given.case]
        function = theirs if given.who else ours
        assert function is not None
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
