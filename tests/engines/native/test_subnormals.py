"""Numbers below the smallest normal one: 0 where steps go on from each other, kept everywhere else, on each thread."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.engines import Loop
from chainrule.engines.engine import HostState
from chainrule.engines.native.engine import NativeEngine, machine_of_host
from chainrule.graph import Graph, input_node
from chainrule.ops import sum as total

MODED = machine_of_host().triple.startswith(("x86_64", "aarch64", "arm64"))
pytestmark = pytest.mark.skipif(not MODED, reason="a processor whose mode for small numbers is not known keeps them")


def halved(engine: NativeEngine, dtype: str, start: float, steps: int, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """A number that is halved at each step, in all places of a table, and the sums on the way."""
    state, factor = input_node("state", shape, dtype), input_node("factor", shape, dtype)
    graph = Graph({"state": state * factor, "sum": total(state)})
    loop = Loop({1: graph}, {}, ("state", "factor"), (), ("sum",))
    carried = HostState({"state": np.full((1, *shape), start, dtype), "factor": np.full((1, *shape), 0.5, dtype)})
    program = engine.compile_loop(loop, {}, 1)
    found = program.run(carried, np.zeros((1, steps), np.int64), np.ones(steps, np.int64), {})
    return carried.arrays()["state"], found.records["sum"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_what_is_carried_on_becomes_zero_and_not_subnormal(dtype: str, threads: int) -> None:
    tiny, shape = float(np.finfo(dtype).tiny), (300, 1000)
    engine = NativeEngine(threads)
    just, _ = halved(engine, dtype, 8 * tiny, 3, shape)
    below, sums = halved(engine, dtype, 8 * tiny, 5, shape)
    assert (just == np.dtype(dtype).type(tiny)).all()
    assert (below == 0).all()
    assert (sums[0, :4] > 0).all()
    assert sums[0, 4] == 0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_single_calls_keep_them_and_so_does_the_caller(dtype: str) -> None:
    number = np.dtype(dtype).type
    tiny = number(np.finfo(dtype).tiny)
    x = input_node("x", (5000,), dtype)
    program = NativeEngine(2).compile(Graph({"y": x * 0.5}))
    halved(NativeEngine(2), dtype, 1.0, 3, (300, 1000))  # whose mode must be gone
    assert (program({"x": np.full(5000, tiny)})["y"] == tiny / 2).all()
    kept: list[Any] = []

    def train_and_multiply() -> None:
        halved(NativeEngine(2), dtype, 1.0, 3, (300, 1000))
        kept.append(tiny * number(0.5))

    thread = threading.Thread(target=train_and_multiply)
    thread.start()
    thread.join()
    train_and_multiply()
    assert min(kept) > 0


def test_the_moments_of_a_unit_without_gradient_end_at_zero() -> None:
    """Its first moment shrinks by a tenth at each step, and by IEEE's rules stays at a subnormal number for ever."""
    x = np.linspace(-1, 1, 8, dtype=np.float32)[:, None]
    data = cr.data.from_arrays(x, x**2, scaling="none", target_scaling="none")
    found: dict[str, dict[str, Any]] = {}
    for engine in ("native", "reference"):
        run = cr.fit("1-3-1 relu", data, epochs=30, batch_size=6, optimizer=cr.Adam(0.01), engine=engine, seed=1)
        run.trainer.state["dense1.b"][...] = -9  # nothing gets through from here on
        run.trainer.advance(1200)
        found[engine] = {name: run.trainer.state[name] for name in ("dense1.W.mean", "dense1.b.mean")}
    tiny = float(np.finfo("float32").tiny)
    for name, array in found["reference"].items():
        assert ((array != 0) & (abs(array) < tiny)).any(), "the reference engine computes by IEEE's rules"
        assert (found["native"][name] == 0).all()
