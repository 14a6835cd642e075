"""One epoch of the demo on each engine beside PyTorch's eager loop and NumPy by hand, in turn in one process; prints the ratios.

The workload is 784-16-16-10, ReLU, softmax cross-entropy, plain SGD 0.1, batches of 32, all 60 000 images of MNIST, shuffled anew in
each epoch. Two threads for PyTorch, which is its best here or level with one.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from itertools import pairwise

import numpy as np

import chainrule as cr

SIZES, BATCH, RATE = (784, 16, 16, 10), 32, 0.1
Epoch = Callable[[int], None]


def ours(data: cr.data.Dataset) -> Epoch:
    """`fit`'s own loop, without the evaluation after the epoch: the peers do none either."""
    task = cr.train.Task(cr.network("784-16-16-10 relu softmax"), data.signature)
    trainer = cr.train.Trainer(task, cr.train.Settings(cr.SGD(RATE), epochs=10**6, batch_size=BATCH), lambda: data)

    def epoch(number: int) -> None:
        last = trainer.step + trainer.steps_per_epoch
        trainer._run(trainer.step, last)
        trainer.step = last

    return epoch


def numpy_by_hand(data: cr.data.Dataset) -> Epoch:
    """The same steps written out, as a careful user of NumPy would."""
    x, y = data.train.x.astype(np.float32) / 255, data.train.y
    random = np.random.default_rng(0)
    weights = [random.normal(0, (2 / i) ** 0.5, (i, o)).astype("f") for i, o in pairwise(SIZES)]
    biases = [np.zeros(o, "f") for o in SIZES[1:]]

    def epoch(number: int) -> None:
        order = random.permutation(len(x))
        for start in range(0, len(x), BATCH):
            rows = order[start : start + BATCH]
            a = [x[rows]]
            for w, b in zip(weights, biases, strict=True):
                z = a[-1] @ w
                z += b
                a.append(np.maximum(z, 0, out=z) if len(a) < 3 else z)
            g = np.exp(a[-1] - a[-1].max(1, keepdims=True))
            g /= g.sum(1, keepdims=True)
            g[np.arange(len(rows)), y[rows]] -= 1
            g /= len(rows)
            for i in (2, 1, 0):
                dw, db = a[i].T @ g, g.sum(0)
                g = (g @ weights[i].T) * (a[i] > 0) if i else g
                weights[i] -= RATE * dw
                biases[i] -= RATE * db

    return epoch


def pytorch(data: cr.data.Dataset) -> Epoch:
    """Eager PyTorch at its best: the shuffled epoch gathered once, views of it as batches, the fused optimizer."""
    import torch
    from torch import nn

    torch.set_num_threads(2)
    x = torch.from_numpy(data.train.x.astype(np.float32) / 255)
    y = torch.from_numpy(np.array(data.train.y))
    layers: list[nn.Module] = []
    for i, o in pairwise(SIZES):
        layers += [nn.Linear(i, o), nn.ReLU()]
    model = nn.Sequential(*layers[:-1])
    optimizer = torch.optim.SGD(model.parameters(), RATE, fused=True)
    gathered_x, gathered_y = torch.empty_like(x), torch.empty_like(y)

    def epoch(number: int) -> None:
        order = torch.randperm(len(x))
        torch.index_select(x, 0, order, out=gathered_x)
        torch.index_select(y, 0, order, out=gathered_y)
        for images, labels in zip(gathered_x.split(BATCH), gathered_y.split(BATCH), strict=True):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images), labels).backward()
            optimizer.step()

    return epoch


def main() -> None:
    """Runs the competitors in turn and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="counted epochs of each")
    rounds = parser.parse_args().rounds
    data = cr.data.mnist()
    runners = {"chainrule, reference engine": ours(data), "NumPy by hand": numpy_by_hand(data)}
    try:
        runners["PyTorch, eager"] = pytorch(data)
    except ImportError:
        print("PyTorch is not installed: run this by `make bench`, which installs it\n")
    seconds: dict[str, list[float]] = {name: [] for name in runners}
    for number in range(rounds + 1):  # the first round warms up
        for name, epoch in runners.items():
            started = time.perf_counter()
            epoch(number)
            if number:
                seconds[name].append(time.perf_counter() - started)
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, NumPy {np.__version__}")
    print(f"784-16-16-10, MNIST, batch {BATCH}: seconds an epoch, median of {rounds} taken in turn\n")
    mine = seconds["chainrule, reference engine"]
    print(f"| {'':28} | seconds | lowest | time / ours |\n|{'-' * 30}|--------:|-------:|------------:|")
    for name, taken in seconds.items():
        ratio = statistics.median(other / own for other, own in zip(taken, mine, strict=True))
        print(f"| {name:28} | {statistics.median(taken):7.3f} | {min(taken):6.3f} | {ratio:11.2f} |")


if __name__ == "__main__":
    main()
