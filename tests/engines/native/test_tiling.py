"""Products by blocks of their sum: where they are cut so, and that no bit changes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from programs import forget

import chainrule as cr
from chainrule import ops
from chainrule.engines.native import engine, steps, tiling
from chainrule.engines.native.engine import NativeEngine
from chainrule.graph import Array, Graph, input_node

THREADS = (1, 2, 3, 16)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Matrices of the tests' size are large."""
    for name, value in {"LARGE": 1024, "FAR": 8 * 1024, "BLOCK_BYTES": 16 * 1024}.items():
        monkeypatch.setattr(tiling, name, value)
    forget()
    yield
    forget()


def product(m: int, k: int, n: int, dtype: str) -> Graph:
    """xᵀ·y and something done with it, as of a gradient that moves weights."""
    x, y, w = input_node("x", (k, m), dtype), input_node("y", (k, n), dtype), input_node("w", (m, n), dtype)
    return Graph({"product": ops.transpose(x) @ y, "moved": w - 0.125 * (ops.transpose(x) @ y)})


def values(m: int, k: int, n: int, dtype: str, *, whole: bool = False) -> dict[str, Array]:
    random = np.random.default_rng(m + k + n)
    found = {"x": random.normal(size=(k, m)), "y": random.normal(size=(k, n)), "w": random.normal(size=(m, n))}
    return {name: (np.rint(array * 3) if whole else array).astype(dtype) for name, array in found.items()}


def cut(graph: Graph) -> str:
    text = NativeEngine().compile(graph).program.code.module.schedule_text()
    return next((line for line in text.splitlines() if "at a time" in line), "")


SHAPES = [
    (40, 400, 136),
    (37, 257, 131),
    (129, 300, 200),
    (30, 1000, 160),
    (200, 129, 300),
    (30, 2500, 130),
    (41, 512, 133),
    (150, 900, 16),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES)
def test_sums_by_blocks_are_the_same_chains_by_any_number_of_threads(shape, dtype, monkeypatch):
    graph, given = product(*shape, dtype), values(*shape, dtype)
    assert "blocks" in cut(graph)
    found = [NativeEngine(threads).compile(graph)(given) for threads in THREADS]
    guarded = NativeEngine(2, is_guarded=True).compile(graph)(given)
    monkeypatch.setattr(tiling, "FAR", 2**40)
    forget()
    assert not cut(graph)
    whole = NativeEngine(1).compile(graph)(given)
    for other in (*found, guarded):
        for name, expected in whole.items():
            np.testing.assert_array_equal(other[name], expected)


@pytest.mark.parametrize("shape", SHAPES)
def test_sums_of_whole_numbers_are_exact(shape):
    given = values(*shape, "float32", whole=True)
    found = NativeEngine(2).compile(product(*shape, "float32"))(given)
    exact = given["x"].T.astype(np.float64) @ given["y"]
    np.testing.assert_array_equal(found["product"], exact)
    np.testing.assert_array_equal(found["moved"], given["w"] - np.float32(0.125) * exact)


def test_by_blocks_go_long_sums_over_a_large_matrix_that_is_read_across_its_rows(monkeypatch):
    monkeypatch.undo()
    forget()
    assert cut(product(128, 6400, 512, "float32"))
    assert not cut(product(64, 1600, 256, "float32"))  # small
    x, y = input_node("x", (128, 6400), "float32"), input_node("y", (6400, 512), "float32")
    assert not cut(Graph({"product": x @ y}))  # read along its rows


def test_a_right_matrix_that_stands_as_a_panel_is_not_copied(monkeypatch):
    monkeypatch.undo()
    forget()

    def how(vectors: int, step: int = 1) -> str:
        n = vectors * lanes
        x, y = input_node("x", (4000, 300), "float32"), input_node("y", (4000, n * step), "float32")
        columns = ops.slice_axes(y, starts=(0, 0), stops=(4000, n * step), steps=(1, step))
        text = NativeEngine().compile(Graph({"product": ops.transpose(x) @ columns})).program.code.module.schedule_text()
        return next(line for line in text.splitlines() if "tiles" in line)

    lanes = NativeEngine().compile(product(9, 9, 9, "float32")).program.code.module.machine.vector_bytes // 4
    assert "packed" not in how(2)
    assert "packed" not in how(1)
    assert "packed" in how(6)  # several panels
    assert "packed" in how(1, 2)  # not side by side


@pytest.mark.parametrize(
    "net",
    [
        "192-8x8x3-conv3x3x20-conv3x3x37-flatten-3 tanh softmax",
        "192-8x8x3-conv3x3x40-pool2-conv2x2x33-flatten-3 relu softmax",
        "240-40x6-conv5x24-conv3x36-flatten-3 tanh softmax",
    ],
)
def test_convolutions_learn_the_same_bits_by_blocks(net, monkeypatch):
    random = np.random.default_rng(0)
    inputs = int(net.split("-")[0])
    data = (random.normal(size=(100, inputs)), np.arange(100) % 3)

    def learned(threads: int) -> cr.Run:
        return cr.fit(net, data, epochs=2, batch_size=40, threads=threads, evaluate_every=0)

    runs = [learned(threads) for threads in (1, 2, 3)]
    assert runs[0].lowered("schedule").count("by blocks") >= 1
    monkeypatch.setattr(tiling, "FAR", 2**40)
    forget()
    whole = learned(1)
    assert "by blocks" not in whole.lowered("schedule")
    assert {run.hash for run in runs} == {whole.hash}


def test_tiles_with_a_row_less_cover_the_rows_and_leave_no_tile_with_few_sums():
    some = 0
    for height in range(1, 400):
        for most, vectors in ((6, 2), (14, 2), (4, 3), (8, 1), (16, 1), (3, 4)):
            tiles = -(-height // most)
            cut = tiling.Tiling(8, -(-height // tiles), vectors, swapped=False, packed=False, height=height, width=8 * vectors)
            wide = -(-height // cut.rows) - cut.narrow
            if cut.narrow:
                some += 1
                assert wide >= 0
                assert wide * cut.rows + cut.narrow * (cut.rows - 1) == height
                assert height % cut.rows * vectors < 8
    assert some > 100


@pytest.mark.parametrize("rows", [157, 128, 33, 13, 7])
@pytest.mark.parametrize("threads", THREADS)
def test_such_tiles_are_shared_and_exact(rows, threads, monkeypatch):
    """157 rows are cut so where there are 32 registers, the others where there are 16."""
    random = np.random.default_rng(rows)
    given = {"x": np.rint(random.normal(size=(rows, 60)) * 3), "y": np.rint(random.normal(size=(60, 40)) * 3)}
    given = {name: array.astype(np.float32) for name, array in given.items()}
    x, y = (input_node(name, array.shape, "float32") for name, array in given.items())
    monkeypatch.setattr(steps, "SHARED_COST", 1)
    found = NativeEngine(threads).compile(Graph({"product": x @ y, "twice": (x @ y) * 2}))(given)
    np.testing.assert_array_equal(found["product"], given["x"] @ given["y"])
    np.testing.assert_array_equal(found["twice"], 2 * (given["x"] @ given["y"]))
    guarded = NativeEngine(2, is_guarded=True).compile(Graph({"product": x @ y}))(given)
    np.testing.assert_array_equal(guarded["product"], found["product"])


def test_weights_that_move_where_they_lie_do_so_once(monkeypatch):
    """An update rides on the product that makes its gradient: rows that two threads both computed would move twice."""
    monkeypatch.setattr(steps, "SHARED_COST", 1)
    monkeypatch.setattr(tiling, "LARGE", 64 * 1024)  # else panels would be shared, not rows
    monkeypatch.setattr(engine, "_is_little", lambda *_: False)
    random = np.random.default_rng(0)
    data = (random.normal(size=(99, 157)), np.arange(99) % 2)

    def learned(threads: int) -> str:
        forget()
        return cr.fit("157-32-2", data, epochs=2, batch_size=33, threads=threads, evaluate_every=0).hash

    found = {learned(threads) for threads in THREADS}
    monkeypatch.setattr(tiling.Tiling, "narrow", 0)
    assert found == {learned(1)}
