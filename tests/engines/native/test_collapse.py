"""Long loops without a nest: cut where threads share them, and the same numbers by any number of threads."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule import ops
from chainrule.engines.native.engine import NativeEngine
from chainrule.graph import Graph, input_node


def schedule_of(graph: Graph) -> str:
    return NativeEngine().compile(graph).program.code.module.schedule_text()


@pytest.mark.parametrize("count", [160_000, 150_002, 160_193, 149_993])
def test_a_long_map_is_shared_in_equal_pieces(count):
    """Whole vectors; 2 pieces; 11 pieces without whole vectors; a prime, which stays whole."""
    x = input_node("x", (count,), "float32")
    graph = Graph({"y": ops.relu(x) * 2.0 + 1.0})
    given = {"x": np.random.default_rng(0).normal(size=count).astype(np.float32)}
    expected = np.maximum(given["x"], 0) * np.float32(2) + np.float32(1)
    for threads in (1, 2, 3, 16):
        np.testing.assert_array_equal(NativeEngine(threads).compile(graph)(given)["y"], expected)
    np.testing.assert_array_equal(NativeEngine(2, is_guarded=True).compile(graph)(given)["y"], expected)
    assert ("shared between threads" in schedule_of(graph)) == (count != 149_993)


def test_a_short_map_stays_one_loop():
    x = input_node("x", (1600,), "float32")
    text = schedule_of(Graph({"y": ops.relu(x) * 2.0 + 1.0}))
    assert "for i < 1600" in text
    assert "shared" not in text


def test_weights_that_are_updated_by_pieces_are_the_same_by_any_number_of_threads():
    random = np.random.default_rng(0)
    data = (random.normal(size=(40, 12, 12, 3)), np.arange(40) % 2)
    net = cr.Sequential(cr.Conv2D(64, 5, "relu"), cr.Conv2D(32, 3, "relu"), cr.Flatten(), cr.Dense(2, "softmax"))

    def learned(threads: int) -> cr.Run:
        return cr.fit(net, data, epochs=2, batch_size=20, optimizer=cr.Adam(0.01), threads=threads, evaluate_every=0)

    runs = [learned(threads) for threads in (1, 2, 3)]
    assert "for i < 16, j < 1152  # shared between threads" in runs[0].lowered("schedule")
    assert len({run.hash for run in runs}) == 1
