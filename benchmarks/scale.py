"""What a step costs on 1, 8, 64 and 1024 devices: an estimate from arithmetic and traffic, and a check of it on this machine.

    python benchmarks/scale.py              the tables of docs/scale.md
    python benchmarks/scale.py --check      two hosts as two processes here: a step and its traffic, predicted and measured

A step takes max(arithmetic, memory) + traffic + start. Arithmetic: 6 · weights · rows of a device operations (forward 2, backward 4) at a
fraction of the peak that matrix products of this size reach. Traffic: a ring all-reduce of the gradients, 2 (p − 1)/p · bytes / bandwidth
+ 2 (p − 1) · latency inside a node, and the same among nodes for the part that each device of a node holds (R. Thakur, R. Rabenseifner,
W. Gropp, Int. J. High Perform. Comput. Appl. 19, 49 (2005)). Nothing of it overlaps.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

COUNTS = (1, 8, 64, 1024)


@dataclass(frozen=True)
class Machine:
    """Devices in nodes: float32 operations and bytes of memory a second of one, bytes a second and seconds between them."""

    name: str
    operations: float
    memory: float
    start: float
    node: int
    inside: tuple[float, float]
    outside: tuple[float, float]


GPUS = Machine("H100, eight to a node", 67e12, 3.3e12, 5e-6, 8, (450e9, 2e-6), (50e9, 10e-6))
"""Data sheet: 67 Tflop/s in float32, 3.35 TB/s, NVLink 450 GB/s each way, 400 Gbit/s of InfiniBand to each device; 5 µs to start a step."""


@dataclass(frozen=True)
class Work:
    """A network of dense layers, trained on so many rows in all at each step."""

    sizes: tuple[int, ...]
    rows: int
    reached: float
    """The fraction of the peak that its products reach on one device."""

    @property
    def weights(self) -> int:
        """Its parameters."""
        return sum(n * m + m for n, m in pairwise(self.sizes))

    def __str__(self) -> str:
        return f"{'-'.join(map(str, self.sizes))}, {self.rows:,} rows a step"


WORKS = (
    Work((784, 512, 512, 10), 8192, 0.3),
    Work((4096, 16384, 16384, 4096), 65536, 0.6),
    Work((784, 16, 16, 10), 32, 0.02),
)


def all_reduce(count: int, size: float, link: tuple[float, float]) -> float:
    """Seconds in which so many devices add up `size` bytes of each in a ring."""
    bandwidth, latency = link
    return 0.0 if count == 1 else 2 * (count - 1) * (size / count / bandwidth + latency)


def traffic(machine: Machine, count: int, size: float) -> float:
    """Seconds of an all-reduce inside the nodes, and among them by every device's part."""
    inside = min(count, machine.node)
    return all_reduce(inside, size, machine.inside) + all_reduce(count // inside, size / inside, machine.outside)


def step(machine: Machine, work: Work, count: int) -> tuple[float, float]:
    """Seconds of a step, and of its traffic."""
    rows = max(1.0, work.rows / count)
    arithmetic = 6 * work.weights * rows / (machine.operations * work.reached)
    passed = 4 * work.weights * 6 / machine.memory  # weights, gradients and the optimizer's memory, read and written
    sent = traffic(machine, count, 4.0 * work.weights)
    return max(arithmetic, passed) + sent + machine.start, sent


def tables() -> None:
    """The estimate for each kind of work."""
    print(f"{GPUS.name}\n\n| | {' | '.join(map(str, COUNTS))} |")
    print("|---|" + "--:|" * len(COUNTS))
    for work in WORKS:
        alone = step(GPUS, work, 1)[0]
        cells = []
        for count in COUNTS:
            whole, sent = step(GPUS, work, count)
            cells.append(f"{1e3 * whole:.3g} ms, {alone / whole:.3g} × ({100 * sent / whole:.0f} %)")
        print(f"| {work} | {' | '.join(cells)} |")


# ---- the check


def measured_step(sizes: tuple[int, ...], rows: int) -> dict[str, float]:
    """Seconds of a step of this process, or of all hosts together; and of adding up the gradients, alone, as the step does it."""
    import numpy as np

    import chainrule as cr

    data = cr.data.from_arrays(
        np.random.default_rng(0).normal(size=(rows * 8, sizes[0])).astype("f"), np.arange(rows * 8) % sizes[-1], split=None
    )
    training = cr.Training(
        "-".join(map(str, sizes)), data, engine="xla", optimizer=cr.SGD(0.1), batch_size=rows, evaluate_every=0, epochs=5
    )
    trainer = training.trainer()
    trainer.train_until(8)
    seconds = trainer.seconds
    trainer.train_until(40)
    return {"step": (trainer.seconds - seconds) / 32, "sum": summed(sizes)}


def summed(sizes: tuple[int, ...]) -> float:
    """Seconds in which the hosts add up what a step adds up: each gradient, the loss and the count of right answers.

    Many times in one program, as the steps are.
    """
    import jax
    import numpy as np
    from jax.sharding import Mesh, NamedSharding, PartitionSpec

    devices = len(jax.devices())
    if devices == 1:
        return 0.0
    mesh, whole = Mesh(jax.devices(), "hosts"), PartitionSpec("hosts")
    shapes = [shape for inputs, outputs in pairwise(sizes) for shape in ((inputs, outputs), (outputs,))]

    def turn(_: Any, found: Any) -> Any:
        count, *others = found
        count = jax.lax.psum(count, "hosts") // devices  # a call of its own, as in a step
        return count, *[each / devices for each in jax.lax.psum(others, "hosts")]

    def ones(shape: tuple[int, ...], dtype: str) -> Any:
        return jax.make_array_from_callback(
            (devices, *shape), NamedSharding(mesh, whole), lambda _: np.ones((1, *shape), dtype)
        )

    with jax.enable_x64(True):
        add = jax.shard_map(
            lambda *given: jax.lax.fori_loop(0, 20, turn, given), mesh=mesh, in_specs=whole, out_specs=whole, check_vma=False
        )
        call, given = jax.jit(add), [ones((), "int64"), *[ones(shape, "float32") for shape in (*shapes, ())]]
        jax.block_until_ready(call(*given))
        start = time.perf_counter()
        jax.block_until_ready(call(*given))
    return (time.perf_counter() - start) / 20


def processes(sizes: tuple[int, ...], rows: int, count: int, *, joined: bool) -> list[dict[str, float]]:
    """What so many processes measured at the same time, each on a core of its own: as hosts of one training, or each for itself."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = []
    for number in range(count):
        hosts = {"CHAINRULE_HOSTS": f"127.0.0.1:{port},{count},{number}"} if joined else {}
        command = ["taskset", "-c", str(number), sys.executable, "-W", "ignore", __file__, "--one"]
        command += ["--sizes", "-".join(map(str, sizes)), "--rows", str(rows)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **hosts}))
    return [json.loads(process.communicate()[0].splitlines()[-1]) for process in started]


def check(sizes: tuple[int, ...], rows: int) -> None:
    """Two hosts with a core each: predicted is what half the rows take while the other process computes too, and the sum's way."""
    alone = processes(sizes, rows, 1, joined=False)[0]["step"]
    beside = max(each["step"] for each in processes(sizes, rows // 2, 2, joined=False))
    pair = processes(sizes, rows, 2, joined=True)
    way, found = (max(each[name] for each in pair) for name in ("sum", "step"))
    print(
        f"{Work(sizes, rows, 1.0)}: one host {1e3 * alone:.1f} ms; half of it, by two processes at once, {1e3 * beside:.1f} ms;"
    )
    print(f"adding up {1e3 * way:.1f} ms; two hosts: predicted {1e3 * (beside + way):.1f} ms, measured {1e3 * found:.1f} ms")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--sizes", default="784-512-512-10", help="the network that is checked")
    parser.add_argument("--rows", type=int, default=1024, help="its batch")
    given = parser.parse_args()
    of_network = tuple(map(int, given.sizes.split("-")))
    if given.one:
        print(json.dumps(measured_step(of_network, given.rows)))
    elif given.check:
        check(of_network, given.rows)
    else:
        tables()
