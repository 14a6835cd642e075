"""The whole way: what a user waits for from a call or a command to its answer, ours and a peer in turn, in one run.

    python benchmarks/whole_way.py [--rounds 5] [--rows "new fit,seen fit"]

Each measurement has a process of its own, with an empty cache of machine code. Printed is Markdown: medians of the rounds in seconds (of
processors where it says so, which the load of a machine distorts less), the ratio within a round, peak memory beyond what the packages
take, what is asked and whether it was reached. Tables from files have their own program, reading.py.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from machine import describe_machine
from reading import processor, resident

WIDTHS = range(5, 14)


@dataclass(frozen=True)
class Row:
    """A wait: ours and the peer's, each giving seconds; what is asked of ours, in seconds, and of its fraction of the peer's."""

    words: str
    ours: Callable[[], float]
    theirs: Callable[[], float] | None = None
    peer: str = ""
    most: float | None = None
    ratio: float | None = None
    is_elsewhere: bool = False
    """Whether it is measured in processes of their own, whose memory is not looked at."""


def timed(function: Callable[[], object]) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


# ---- fits


def small() -> tuple[np.ndarray, np.ndarray]:
    """150 examples of 4 numbers, two classes."""
    x = np.random.default_rng(0).normal(size=(150, 4)).astype(np.float32)
    return x, (x[:, 0] * x[:, 1] > 0).astype(int)


def our_fit(width: int) -> None:
    """4-h-2, 50 epochs."""
    import chainrule as cr

    options: Any = {"optimizer": cr.Adam(0.01), "epochs": 50, "batch_size": 32, "evaluate_every": 0}
    cr.fit(f"4-{width}-2 relu softmax", small(), **options)


def their_fit(width: int) -> None:
    """The same by scikit-learn."""
    from sklearn.neural_network import MLPClassifier

    x, y = small()
    options: Any = {"max_iter": 50, "batch_size": 32, "learning_rate_init": 0.01, "tol": 0.0, "n_iter_no_change": 50}
    MLPClassifier((width,), **options).fit(x, y)


def new_fits(fit: Callable[[int], None]) -> float:
    """The median over widths that nobody has seen."""
    fit(4)
    return statistics.median(timed(lambda width=width: fit(width)) for width in WIDTHS)


def seen_fits(fit: Callable[[int], None]) -> float:
    """The median over fits of one width."""
    fit(4)
    return statistics.median(timed(lambda: fit(4)) for _ in WIDTHS)


def second_convolution() -> float:
    """The second fit of a small network for images, less the time of its steps."""
    import chainrule as cr

    x = np.random.default_rng(0).normal(size=(64, 16, 16, 1)).astype(np.float32)
    layers = [
        cr.Conv2D(8, 3, activation="relu"),
        cr.Conv2D(8, 3, activation="relu"),
        cr.MaxPool(2),
        cr.Conv2D(8, 3, activation="relu"),
        cr.MaxPool(2),
        cr.Flatten(),
    ]
    network = cr.Sequential(*layers, cr.Dense(10, "softmax"))
    options: Any = {"optimizer": cr.SGD(0.1), "epochs": 1, "batch_size": 32, "evaluate_every": 0}
    cr.fit(network, (x, np.arange(64) % 10), **options)
    start = time.perf_counter()
    run = cr.fit(network, (x, np.arange(64) % 10), **options)
    return time.perf_counter() - start - run.trainer.seconds


def replicas(count: int) -> float:
    """So many networks 2-8-8-1 at once, 500 steps each."""
    import chainrule as cr

    data = cr.data.moons(200)
    options: Any = {"epochs": 25, "batch_size": 8, "evaluate_every": 0, "replicas": count}
    return timed(lambda: cr.fit("2-8-8-1 tanh sigmoid", data, optimizer=cr.SGD(0.1), **options))


def deep() -> float:
    """200 layers of 4 units: everything before the first step."""
    import chainrule as cr

    x, y = small()
    network = cr.Sequential(*[cr.Dense(4, "tanh") for _ in range(200)], cr.Dense(2, "softmax"))
    cr.fit("4-3-2", (x, y), epochs=1)
    start = time.perf_counter()
    run = cr.fit(network, (x, y), optimizer=cr.SGD(0.1), epochs=1, batch_size=30, evaluate_every=0)
    return time.perf_counter() - start - run.trainer.seconds


def deep_in_jax() -> float:
    """The same layers and their gradient, compiled by JAX."""
    import jax
    import jax.numpy as jnp

    weights = [jnp.ones((4, 4)) for _ in range(200)]

    def loss(parameters: Any, x: Any) -> Any:
        for w in parameters:
            x = jnp.tanh(x @ w)
        return jnp.mean(x * x)

    step = jax.jit(lambda p, x: jax.tree.map(lambda w, g: w - 0.1 * g, p, jax.grad(loss)(p, x)))
    x = jnp.ones((30, 4))
    return timed(lambda: step.lower(weights, x).compile())


def many_rows(threads: int) -> float:
    """A step of 4-32-16-4 over all of 10 000 examples, with so many threads."""
    import chainrule as cr

    x = np.random.default_rng(0).normal(size=(10_000, 4)).astype(np.float32)
    options: Any = {"optimizer": cr.Adam(0.01), "batch_size": 10_000, "evaluate_every": 0, "threads": threads}
    run = cr.fit("4-32-16-4 tanh", cr.data.from_arrays(x, np.tanh(x), split=None), epochs=300, **options)
    return run.trainer.seconds / 300


def called_step() -> float:
    """A step through `cr.trainer` with a batch of another size each time."""
    import chainrule as cr

    random = np.random.default_rng(0)
    batches = [(random.normal(size=(n, 4)).astype(np.float32), random.integers(0, 2, n)) for n in random.integers(5, 60, 400)]
    trainer = cr.trainer("4-32-2 tanh softmax", loss="cross_entropy", optimizer=cr.Adam(0.01))
    for batch in batches:
        trainer.step(*batch)
    return statistics.median(timed(lambda batch=batch: trainer.step(*batch)) for batch in batches)


def called_step_in_torch() -> float:
    """The same by PyTorch."""
    import torch

    random = np.random.default_rng(0)
    batches = [(random.normal(size=(n, 4)).astype(np.float32), random.integers(0, 2, n)) for n in random.integers(5, 60, 400)]
    net = torch.nn.Sequential(torch.nn.Linear(4, 32), torch.nn.Tanh(), torch.nn.Linear(32, 2))
    adam, loss = torch.optim.Adam(net.parameters(), 0.01), torch.nn.CrossEntropyLoss()

    def step(x: Any, y: Any) -> None:
        adam.zero_grad()
        loss(net(torch.from_numpy(x)), torch.from_numpy(y)).backward()
        adam.step()

    for batch in batches[:50]:
        step(*batch)
    return statistics.median(timed(lambda batch=batch: step(*batch)) for batch in batches)


# ---- processes


def process(*words: str, table: str = "") -> float:
    """Seconds of processors that a command takes as a whole process, at best of three, once its caches are warm.

    table: what stands in table.csv, in the folder where it runs.
    """
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "table.csv").write_text(table)
        environment = {**os.environ, "CHAINRULE_CACHE": folder, "PYTHONDONTWRITEBYTECODE": ""}
        found = []
        for _ in range(4):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([sys.executable, *words], check=True, capture_output=True, cwd=folder, env=environment)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            found.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(found[1:])


def import_alone() -> float:
    """`import chainrule` beyond NumPy."""
    return process("-c", "import numpy, chainrule") - process("-c", "import numpy")


def measured_table() -> str:
    """2 000 rows of eight numbers and a class."""
    random = np.random.default_rng(0)
    x = random.normal(size=(2000, 8))
    names = np.array(["low", "middle", "high"])[np.digitize(x @ random.normal(size=8), [-1.0, 1.0])]
    rows = [",".join([*map("{:.5g}".format, row), name]) for row, name in zip(x, names, strict=True)]
    return "\n".join(["a,b,c,d,e,f,g,h,kind", *rows])


OUR_STORY = """
import chainrule as cr
from chainrule.views.report import write_report
run = cr.fit(None, cr.data.load("table.csv", target="kind"))
write_report(run, "report.html")
"""
THEIR_STORY = """
import matplotlib; matplotlib.use("svg")
import matplotlib.pyplot as plt, pandas as pd
from sklearn.metrics import ConfusionMatrixDisplay, classification_report
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
table = pd.read_csv("table.csv")
parts = train_test_split(table.drop(columns="kind"), table["kind"], random_state=0)
model = make_pipeline(StandardScaler(), MLPClassifier(random_state=0)).fit(parts[0], parts[2])
print(classification_report(parts[3], model.predict(parts[1])))
plt.plot(model[-1].loss_curve_); plt.savefig("curve.svg")
ConfusionMatrixDisplay.from_estimator(model, parts[1], parts[3]); plt.savefig("confusion.svg")
"""
"""Less than our report shows: a curve, a confusion matrix and the scores."""
OUR_PICTURE = 'import chainrule as cr; open("a.svg", "w").write(cr.pictures.activation_curve("tanh").svg())'
THEIR_PICTURE = """
import matplotlib; matplotlib.use("svg")
import matplotlib.pyplot as plt, numpy as np
z = np.linspace(-4, 4, 200); plt.plot(z, np.tanh(z)); plt.xlabel("z"); plt.savefig("a.svg")
"""


ROWS = {
    "new fit": Row("`fit` of 4-h-2 on 150 examples, 50 epochs, a new h each time", lambda: new_fits(our_fit),
                   lambda: new_fits(their_fit), "scikit-learn", 0.05),
    "seen fit": Row("the same, a shape seen before in this process", lambda: seen_fits(our_fit),
                    lambda: seen_fits(their_fit), "scikit-learn", 0.01),
    "convolution": Row("a small convolution network, second fit in a process, without its steps", second_convolution, most=0.05),
    "import": Row("`import chainrule` beyond NumPy (processors)", import_alone,
                  lambda: process("-c", "import numpy, jax"), "JAX", 0.06, is_elsewhere=True),
    "help": Row("`chainrule --help`, whole process (processors)",
                lambda: process("-m", "chainrule", "--help"), most=0.2, is_elsewhere=True),
    "train": Row("`chainrule train xor`, whole process (processors)",
                 lambda: process("-m", "chainrule", "train", "xor"), most=0.4, is_elsewhere=True),
    "report": Row("a table on the disk → a report, whole process (processors)",
                  lambda: process("-W", "ignore", "-c", OUR_STORY, table=measured_table()),
                  lambda: process("-W", "ignore", "-c", THEIR_STORY, table=measured_table()),
                  "pandas, scikit-learn, matplotlib", ratio=1.0, is_elsewhere=True),
    "picture": Row("import to first picture, whole process (processors)", lambda: process("-c", OUR_PICTURE),
                   lambda: process("-c", THEIR_PICTURE), "matplotlib", ratio=1.0, is_elsewhere=True),
    "1000 replicas": Row("1 000 replicas of 2-8-8-1, 500 steps each", lambda: replicas(1000), most=1.5),
    "10000 replicas": Row("10 000 replicas", lambda: replicas(10_000), most=15.0),
    "depth": Row("200 Dense layers, all before the first step", deep, deep_in_jax, "JAX, compiling", 1.2),
    "threads": Row("4-32-16-4 tanh, full batch of 10 000, Adam: a step on two threads, beside one", lambda: many_rows(2),
                   lambda: many_rows(1), "one thread", ratio=1 / 1.8),
    "step": Row("a step through `cr.trainer`, batches of changing size", called_step, called_step_in_torch, "PyTorch", 0.0002),
}  # fmt: skip


def measure(name: str, who: str) -> dict[str, float]:
    """One measurement, in this process."""
    warnings.simplefilter("ignore")
    row = ROWS[name]
    function = row.ours if who == "ours" else row.theirs
    assert function is not None
    before, worked = resident(), processor()
    seconds = function()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    return {"seconds": seconds, "processor": processor() - worked, "megabytes": peak - before}


def in_process(name: str, who: str) -> dict[str, float] | None:
    """One measurement in a process of its own; None where the peer is not installed."""
    environment = {**os.environ, "CHAINRULE_CACHE": "off"}
    done = subprocess.run(
        [sys.executable, str(Path(__file__)), "--one", name, "--who", who], capture_output=True, text=True, env=environment, check=False
    )  # fmt: skip
    if done.returncode and "ModuleNotFoundError" in done.stderr:
        return None
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def told(seconds: float) -> str:
    """A time as people write it."""
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms"


def line(name: str, rounds: int) -> str:
    """A row of the table."""
    row = ROWS[name]
    pairs = [(in_process(name, "ours"), in_process(name, "theirs") if row.theirs else None) for _ in range(rounds)]
    ours = [one for one, _ in pairs if one is not None]
    both = [(one, other) for one, other in pairs if one is not None and other is not None]
    middle = statistics.median(one["seconds"] for one in ours)
    ratio = statistics.median(one["seconds"] / other["seconds"] for one, other in both) if both else None
    other = f"{row.peer} {told(statistics.median(other['seconds'] for _, other in both))}" if both else "–"
    asked = [f"≤ {told(row.most)}"] if row.most is not None else []
    asked += [f"≤ {row.ratio:.2f} of it"] if row.ratio is not None else []
    reached = (row.most is None or middle <= row.most) and (row.ratio is None or (ratio is not None and ratio <= row.ratio))
    memory = statistics.median(one["megabytes"] for one in ours)
    cells = [
        row.words,
        told(middle),
        other,
        "–" if ratio is None else f"{ratio:.2f}",
        "–" if row.is_elsewhere else f"{memory:.0f} MB",
        ", ".join(asked),
    ]
    return f"| {' | '.join(cells)} | {'yes' if reached else '**no**'} |"


def main() -> None:
    """Prints the table, or measures one row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", default=",".join(ROWS), help=f"of {', '.join(ROWS)}")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--who", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(given.one, given.who)))
        return
    print(f"{describe_machine()}\n\n| | ours | peer | ours / peer | memory | asked | reached |\n|---|--:|--:|--:|--:|--:|---|")
    for name in given.rows.split(","):
        print(line(name, given.rounds), flush=True)


if __name__ == "__main__":
    main()
