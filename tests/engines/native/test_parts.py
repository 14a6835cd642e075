"""Long sums in parts: where they are cut, that nothing is lost at the cuts, and that threads and batches change no bit."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule import ops
from chainrule.engines.native.engine import NativeEngine
from chainrule.engines.native.parts import LONG, NARROW
from chainrule.graph import Graph, Node, input_node

LENGTHS = [LONG - 1, LONG, LONG + 1, 2053, 8192, 10_007]
"""Just too short; of whole parts; with a rest of one, of a few, of none; a prime."""


def sums(rows: int, columns: int, dtype: str) -> Graph:
    """A product, sums and extrema over so many rows, each with something that rides on it."""
    x, g = input_node("x", (rows, 7), dtype), input_node("g", (rows, columns), dtype)
    hidden = ops.tanh(g)
    outputs: dict[str, Node] = {
        "product": ops.tanh(ops.matmul(ops.transpose(x), hidden) * 0.01),
        "column": ops.matmul(ops.transpose(x), hidden[:, :1]),
        "sum": ops.sum(hidden * hidden, 0) * 2.0,
        "largest": ops.max(g, 0),
        "smallest": ops.min(g, 0),
        "hidden": hidden,
        "all": ops.sum(hidden),
    }
    return Graph(outputs)


def data(rows: int, columns: int, dtype: str) -> dict[str, np.ndarray]:
    random = np.random.default_rng(rows)
    return {"x": random.normal(size=(rows, 7)).astype(dtype), "g": random.normal(size=(rows, columns)).astype(dtype)}


def in_parts(graph: Graph) -> str:
    """The kernels that are parts, as the schedule's text shows them."""
    program = NativeEngine().compile(graph).program
    return "\n".join(line for line in program.code.module.schedule_text().splitlines() if line.startswith("parts of"))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rows", LENGTHS)
def test_sums_in_parts_are_right_and_the_same_by_any_number_of_threads(rows, dtype):
    graph, values = sums(rows, 5, dtype), data(rows, 5, dtype)
    found = NativeEngine(1).compile(graph)(values)
    x, hidden = values["x"].astype(np.longdouble), found["hidden"].astype(np.longdouble)
    # Of n terms in any order: n roundings, each of at most eps/2 of the sum of the absolute terms; and one for each product.
    bound = (rows + 1) * np.finfo(dtype).eps / 2
    terms = {"sum": 2 * hidden * hidden, "column": x * hidden[:, :1], "all": hidden.reshape(-1, 1)}
    for name, each in terms.items():
        error = abs(found[name].reshape(-1) - each.sum(0))
        assert (error <= bound * abs(each).sum(0)).all(), name
    product = abs(found["product"] - np.tanh((x.T @ hidden) * 0.01))
    assert (product <= bound * (abs(x).T @ abs(hidden)) * 0.01 + 4 * np.finfo(dtype).eps).all()
    np.testing.assert_array_equal(found["largest"], values["g"].max(0))
    np.testing.assert_array_equal(found["smallest"], values["g"].min(0))
    for threads in (2, 3, 16):
        again = NativeEngine(threads).compile(graph)(values)
        assert all(np.array_equal(again[name], found[name]) for name in found)
    assert ("parts of" in in_parts(graph)) == (rows >= LONG)


def test_a_sum_is_exact_where_its_terms_are_whole_numbers_wherever_it_is_cut():
    for rows in LENGTHS:
        whole = {name: np.rint(array * 3) for name, array in data(rows, 3, "float64").items()}
        x, g = (input_node(name, array.shape) for name, array in whole.items())
        graph = Graph({"product": ops.matmul(ops.transpose(x), g), "sum": ops.sum(g, 0)})
        found = NativeEngine(2).compile(graph)(whole)
        np.testing.assert_array_equal(found["product"], whole["x"].T @ whole["g"])
        np.testing.assert_array_equal(found["sum"], whole["g"].sum(0))


def test_cut_are_long_sums_over_rows_with_a_narrow_result_and_no_others():
    assert in_parts(sums(LONG, 5, "float32")).count("tiles") == 1
    wide = in_parts(sums(LONG, NARROW + 1, "float32"))
    assert "tiles" not in wide  # rows and panels enough to be shared
    assert wide
    x, w = input_node("x", (3, 4096)), input_node("w", (4096, 5))
    rows = Graph({"forward": ops.matmul(x, w), "sum": ops.sum(x, 1), "mean": ops.mean(ops.tanh(x), 1)})
    assert not in_parts(rows)


def test_a_row_of_thousands_gives_the_same_bits_alone_and_in_any_batch():
    random = np.random.default_rng(0)
    x = random.normal(size=(9, 4096))
    run = cr.fit("4096-3-2 tanh softmax", (x, np.arange(9) % 2), epochs=1)
    whole = run.predict(x)
    np.testing.assert_array_equal(np.concatenate([run.predict(x[row : row + 1]) for row in range(9)]), whole)
    images = random.normal(size=(3, 64, 64, 1))
    net = cr.Sequential(cr.Conv2D(2, 3, "relu"), cr.GlobalAveragePool(), cr.Dense(2, "softmax"))
    run = cr.fit(net, (images, np.arange(3) % 2), epochs=1)
    np.testing.assert_array_equal(np.concatenate([run.predict(one[None]) for one in images]), run.predict(images))


def test_a_full_batch_trains_to_the_same_bits_by_any_number_of_threads_and_as_in_numpy():
    random = np.random.default_rng(0)
    x = random.normal(size=(5000, 3))
    data = cr.data.from_arrays(x, np.tanh(x), split=None)
    settings = {"optimizer": cr.SGD(0.5), "batch_size": 5000, "epochs": 3, "dtype": "float64", "evaluate_every": 0}
    runs = [cr.fit("3-8-3 tanh", data, threads=threads, **settings) for threads in (1, 2, 16)]
    module = runs[0].trainer.program.code.module
    assert "parts of" in module.schedule_text()
    for run in runs[1:]:
        assert all(np.array_equal(run.trainer.state[name], array) for name, array in runs[0].trainer.state.items())
    slow = cr.fit("3-8-3 tanh", data, engine="reference", **settings)
    for name, array in slow.trainer.state.items():
        np.testing.assert_allclose(runs[0].trainer.state[name], array, rtol=1e-12, atol=1e-13, err_msg=name)


def filters(examples: int, dtype: str, *, channels: int = 2, dilation: int = 1) -> tuple[Graph, Graph]:
    """A convolution of 3 × 3 taps with 5 filters, and the slopes of its weights."""
    x, w = input_node("x", (examples, 12, 12, channels), dtype), input_node("w", (9 * channels, 5), dtype)
    options = {"axes": (1, 2), "taps": (3, 3), "strides": (1, 1), "dilations": (dilation, dilation)}
    windows = ops.windows(x, **options)
    rows = ops.reshape(windows, shape=(examples * windows.shape[1] * windows.shape[2], 9 * channels))
    g = input_node("g", (rows.shape[0], 5), dtype)
    return Graph({"answer": rows @ w}), Graph({"slopes": ops.transpose(rows) @ g})


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("examples", [20, 21, 23, 100])
def test_slopes_of_filters_are_summed_in_parts_whoever_does_them(examples, dtype):
    """2000 positions are too few; 21 examples are seven parts, 23 leave a rest, of 100 each part has more."""
    _, graph = filters(examples, dtype)
    random = np.random.default_rng(examples)
    given = {name: np.rint(random.normal(size=leaf.shape) * 3).astype(dtype) for name, leaf in graph.leaves.items()}
    seen = np.lib.stride_tricks.sliding_window_view(given["x"], (3, 3), (1, 2)).transpose(0, 1, 2, 4, 5, 3)
    exact = seen.reshape(-1, 18).T.astype(np.float64) @ given["g"]
    for threads in (1, 2, 3, 16):
        np.testing.assert_array_equal(NativeEngine(threads).compile(graph)(given)["slopes"], exact)
    np.testing.assert_array_equal(NativeEngine(2, is_guarded=True).compile(graph)(given)["slopes"], exact)
    text = NativeEngine().compile(graph).program.code.module.schedule_text()
    assert ("parts of" in text) == (examples > 20)
    assert "shared between threads" in text or examples < 100


@pytest.mark.parametrize("dilation", [1, 4])
def test_answers_of_filters_stay_whole_however_long(dilation):
    """A sum over 2250 channels and taps belongs to one example: in parts its bits would depend on how many there are."""
    answer, _ = filters(1, "float32", channels=250, dilation=dilation)
    assert "parts of" not in NativeEngine().compile(answer).program.code.module.schedule_text()


def test_parts_stay_inside_their_buffers():
    graph, values = sums(2053, 5, "float32"), data(2053, 5, "float32")
    guarded = NativeEngine(2, is_guarded=True).compile(graph)(values)
    plain = NativeEngine(2).compile(graph)(values)
    assert all(np.array_equal(guarded[name], plain[name]) for name in plain)
