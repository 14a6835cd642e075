"""Large arrays between two kernels: both go through the batch together, where rows are apart; no bit changes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from programs import forget

import chainrule as cr
from chainrule import ops
from chainrule.engines.native import module, nearby
from chainrule.engines.native.engine import NativeEngine
from chainrule.engines.native.kernels import Buffer, Instruction, Kernel, KernelBody, MemoryPlace, Product, Store
from chainrule.graph import Graph, Type, input_node

EXAMPLES, BATCH = 100, 32


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Arrays of the tests' size are large."""
    monkeypatch.setattr(nearby, "FAR_APART", 16 * 1024)
    monkeypatch.setattr(nearby, "NEAR", 16 * 1024)
    forget()
    yield
    forget()


def without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "near_by", lambda kernels, *_: kernels)
    forget()


NETWORKS = {
    "images": "192-8x8x3-conv3x3x5-conv3x3x7-flatten-3 tanh softmax",
    "with a border": cr.Sequential(
        cr.Reshape((8, 8, 3)),
        cr.Conv2D(5, 3, activation="tanh"),
        cr.Conv2D(7, 3, padding="same"),
        cr.Flatten(),
        cr.Dense(3, "softmax"),
    ),
    "in steps": cr.Sequential(
        cr.Reshape((8, 8, 3)),
        cr.Conv2D(5, 3, activation="tanh"),
        cr.Conv2D(7, 2, stride=2),
        cr.Flatten(),
        cr.Dense(3, "softmax"),
    ),
    "series": cr.Sequential(
        cr.Reshape((48, 4)), cr.Conv1D(5, 3, activation="relu"), cr.Conv1D(9, 5), cr.Flatten(), cr.Dense(3, "softmax")
    ),
    "to larger images": cr.Sequential(
        cr.Reshape((8, 8, 3)),
        cr.ConvTranspose2D(6, 3),
        cr.Conv2D(5, 3, activation="relu"),
        cr.Flatten(),
        cr.Dense(3, "softmax"),
    ),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NETWORKS)
def test_convolutions_learn_the_same_bits_example_by_example(name, dtype, monkeypatch):
    random = np.random.default_rng(0)
    data = (random.normal(size=(EXAMPLES, 192)), np.arange(EXAMPLES) % 3)

    def learned(threads: int) -> cr.Run:
        return cr.fit(NETWORKS[name], data, epochs=2, batch_size=BATCH, threads=threads, evaluate_every=0, dtype=dtype)

    runs = [learned(threads) for threads in (1, 2, 3, 16)]
    assert "apart, for t <" in runs[0].lowered("schedule")
    predicted = [run.predict(data[0]) for run in runs]
    without(monkeypatch)
    apart = learned(1)
    assert "apart, for t <" not in apart.lowered("schedule")
    assert {run.hash for run in runs} == {apart.hash}
    expected = apart.predict(data[0])
    for found in predicted:
        np.testing.assert_array_equal(found, expected)
    reference = cr.fit(NETWORKS[name], data, epochs=2, batch_size=BATCH, engine="reference", evaluate_every=0, dtype=dtype)
    for parameter, wanted in reference.parameters().items():
        np.testing.assert_allclose(apart.parameters()[parameter], wanted, atol=1e-5 if dtype == "float32" else 1e-12)


def chain(rows: int, *, twice: bool = False, across: bool = False) -> Graph:
    """A product with a large result, and what reads it: once or twice, by rows or across them."""
    x, w = input_node("x", (rows, 8)), input_node("w", (8, 96))
    large = x @ w
    windows = ops.reshape(large, shape=(rows, 16, 3, 2))
    added = ops.overlap_add(windows, axes=(1,), extents=(18,), strides=(1,), dilations=(1,))
    sums = ops.sum(large, 0) if across else added
    return Graph({"sums": sums, **({"mean": ops.mean(large)} if twice else {})})


def loops(graph: Graph) -> int:
    return NativeEngine().compile(graph).program.code.module.schedule_text().count("apart, for t <")


def test_a_large_result_that_is_read_once_and_by_rows_is_not_kept_whole(monkeypatch):
    graph = chain(64)
    random = np.random.default_rng(0)
    given = {"x": random.normal(size=(64, 8)), "w": random.normal(size=(8, 96))}
    assert loops(graph) == 1
    joined = NativeEngine(2).compile(graph)
    bytes_then = joined.program.code.module.layout.arena_bytes
    found, guarded = joined(given)["sums"], NativeEngine(2, is_guarded=True).compile(graph)(given)["sums"]
    without(monkeypatch)
    plain = NativeEngine(2).compile(graph)
    np.testing.assert_array_equal(found, plain(given)["sums"])
    np.testing.assert_array_equal(guarded, found)
    assert bytes_then <= plain.program.code.module.layout.arena_bytes - 64 * 96 * 8


@pytest.mark.parametrize("graph", [chain(64, twice=True), chain(64, across=True), chain(61), chain(8)])
def test_what_is_read_twice_or_across_its_rows_or_is_small_stays_as_it_is(graph):
    assert loops(graph) == 0


# ---- kernels by hand


def by_hand(between: str, *, start: int = 0, in_part: bool = False) -> int:
    """How many kernels are left of a product, something between, and what reads the product row by row."""
    x, w = Buffer("x", Type("float32", (64, 8))), Buffer("w", Type("float32", (8, 96)), "state", "w")
    large, sums = Buffer("large", Type("float32", (64, 96))), Buffer("sums", Type("float32", (64, 96)))
    core = Product(8, MemoryPlace(x, (0, 8, 0, 1)), MemoryPlace(w, (0, 0, 1, 96)), "float32")
    product = Kernel("product", (64, 96), KernelBody([Instruction("core", "float32")], [_store(large)]), core)
    target = {"nothing": Buffer("other", w.type), "x": x, "w": Buffer("w", w.type, "next", "w")}[between]
    other = Kernel(
        "other", (8, 96), KernelBody([Instruction("constant", "float32", attributes={"value": 1})], [_store(target)])
    )
    place = Buffer("part", large.type, "part", whole=large, start=start) if in_part else large
    read = Instruction("load", "float32", place=MemoryPlace(place, (0 if in_part else start, 96, 1)))
    reader = Kernel("reader", (64, 90), KernelBody([read], [_store(sums)]))
    return len(nearby.near_by([product, other, reader], 64, 32))


def _store(buffer: Buffer) -> Store:
    return Store(0, MemoryPlace(buffer, (0, 96, 1)))


@pytest.mark.parametrize(("between", "left"), [("nothing", 2), ("x", 3), ("w", 3)])
def test_a_product_does_not_wait_for_what_changes_its_factors(between, left):
    assert by_hand(between) == left


def test_rows_may_be_read_in_part_but_not_across():
    assert by_hand("nothing", start=6) == 2
    assert by_hand("nothing", start=7) == 3
    assert by_hand("nothing", start=6, in_part=True) == 3
