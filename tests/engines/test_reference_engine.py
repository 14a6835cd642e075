"""The reference engine's planned calls give the bits of the ops' own meanings, and its loop does what `Loop` says."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import chainrule as cr
from chainrule import ops
from chainrule.engines import Loop, ReferenceEngine
from chainrule.engines.kernels import _UFUNCS, KERNELS
from chainrule.graph import REGISTRY, Graph, Node, compute, input_node, run_passes

VIEWS = {name for name, op in REGISTRY.items() if op.kind == "view"}
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 1e-30, 89.0, -104.0, np.inf, -np.inf, np.nan, 3.0, 7.0, -1e-3, 2.0]


def numbers(dtype, shape=(4, 4), seed=0):
    random = np.random.default_rng(seed)
    if dtype == "bool":
        return random.integers(0, 2, shape).astype(bool)
    if dtype.startswith("float"):
        return random.permutation(SPECIAL).reshape(shape).astype(dtype)
    return random.integers(0, 9, shape).astype(dtype)


ATTRIBUTES = {
    "where": {}, "cast": {"dtype": "float32"}, "reduce_sum": {"axes": (0,)}, "reduce_max": {"axes": (1,)}, "reduce_min": {"axes": (0, 1)},
    "one_hot": {"classes": 5, "dtype": "float32"}, "reshape": {"shape": (2, 8)}, "transpose": {"axes": (1, 0)},
    "broadcast_to": {"shape": (3, 4, 4)}, "flip": {"axes": (1,)},
    "slice_axes": {"starts": (1, 0), "stops": (4, 3), "steps": (2, 1)},
    "windows": {"axes": (0,), "taps": (2,), "strides": (1,), "dilations": (1,)},
}  # fmt: skip


def made(name, dtype):
    """A node of this op on inputs of this dtype, or None if the op does not take it; with the values of its leaves."""
    arity = {"where": 3, "matmul": 2}.get(name) or (2 if name in BINARY else 1)
    kinds = ["bool", dtype, dtype] if name == "where" else [dtype] * arity
    leaves = [input_node(f"x{i}", (4, 4), kind) for i, kind in enumerate(kinds)]
    try:
        node = REGISTRY[name](*leaves, **ATTRIBUTES.get(name, {}))
    except TypeError:
        return None, {}
    return node, {f"x{i}": numbers(kind, seed=i) for i, kind in enumerate(kinds)}


BINARY = {
    "add", "subtract", "multiply", "divide", "power", "maximum", "minimum", "equal", "not_equal", "less", "less_equal", "greater",
    "greater_equal", "logical_and", "logical_or",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted({*_UFUNCS, *KERNELS, *VIEWS}))
def test_each_row_of_the_table_gives_the_bits_of_the_meaning(name):
    tried = 0
    for dtype in ("float32", "float64", "int64", "int32", "uint8", "bool"):
        node, values = made(name, dtype)
        if node is None:
            continue
        tried += 1
        leaves = {leaf: values[name] for name, leaf in Graph({"y": node}).leaves.items()}
        (wanted,) = compute([node], leaves)
        found = ReferenceEngine().compile(Graph({"y": node}))(values)["y"]
        assert found.dtype.name == node.dtype
        assert found.shape == node.shape
        assert found.tobytes() == np.asarray(wanted, node.dtype).tobytes()
    assert tried


def test_the_table_names_only_ops_that_there_are():
    assert {*_UFUNCS, *KERNELS, *VIEWS} <= REGISTRY.keys()
    assert not {*_UFUNCS} & {*KERNELS}


@pytest.mark.parametrize("optimizer", [cr.SGD(0.1), cr.Adam(0.01), cr.AdamW(0.01)], ids=lambda o: type(o).__name__)
def test_a_whole_training_step_gives_the_bits_of_the_meanings(optimizer):
    data = cr.data.moons(n=50)
    net = cr.Sequential(cr.Dense(8, "gelu"), cr.Dropout(0.4), cr.Dense(8, "elu"), cr.Dense(2, "softmax"))
    step = cr.train.LearningProblem(net, data.info).training_step(10, optimizer, cr.ClipNorm(0.1))
    simplified, _ = run_passes(step, ops.PASSES)
    random = np.random.default_rng(0)
    values = {}
    for name, node in step.leaves.items():
        drawn = random.normal(size=node.shape) if node.type.is_float else random.integers(0, 2, node.shape)
        values[name] = np.abs(drawn).astype(node.dtype) if "square" in name or name == "step" else drawn.astype(node.dtype)
    found = ReferenceEngine().compile(step)(values)
    names = list(simplified.outputs)
    wanted = compute([simplified.outputs[name] for name in names], {simplified.leaves[n]: values[n] for n in simplified.leaves})
    for name, value in zip(names, wanted, strict=True):
        np.testing.assert_array_equal(found[name], value, err_msg=name)
    plain = compute(list(step.outputs.values()), {step.leaves[n]: values[n] for n in step.leaves})
    for name, value in zip(step.outputs, plain, strict=True):
        np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-7, err_msg=name)


def test_state_that_changes_places_is_not_overwritten_too_early():
    a, b, x = input_node("a", (2,)), input_node("b", (2,)), input_node("x", (3, 2))
    loop = Loop({3: Graph({"a": b, "b": a + 1.0, "kept": ops.sum(x)})}, {"x": "table"}, ("a", "b"), (), ("kept",), ())
    program = ReferenceEngine().compile_loop(loop, {"table": np.arange(12.0).reshape(6, 2)}, 1)
    state = {"a": np.array([[1.0, 2.0]]), "b": np.array([[10.0, 20.0]])}
    results = program.run(program.load(state), np.array([[0, 1, 2, 5, 5, 5, 3, 3, 3]]), np.array([3, 3, 3]), {})
    np.testing.assert_array_equal(results.records["kept"][0], [15.0, 63.0, 39.0])
    np.testing.assert_array_equal(state["a"][0], [11.0, 21.0])
    np.testing.assert_array_equal(state["b"][0], [3.0, 4.0])


def test_scalars_stacked_rows_and_the_short_batch():
    def graph(size):
        x, rate = input_node("x", (size, 2), "uint8"), input_node("rate")
        return Graph({"doubled": ops.cast(x, dtype="float64") * rate, "size": ops.sum(ops.cast(x, dtype="float64"))})

    loop = Loop({2: graph(2), 1: graph(1)}, {"x": "t"}, (), ("rate",), ("size",), ("doubled",))
    table = np.arange(10, dtype=np.uint8).reshape(5, 2)
    program = ReferenceEngine().compile_loop(loop, {"t": table}, 2)
    order = np.array([[0, 1, 4], [3, 3, 0]])
    results = program.run(program.load({}), order, np.array([2, 1]), {"rate": np.array([1.0, 10.0])})
    np.testing.assert_array_equal(results.stacked["doubled"][0], table[[0, 1, 4]] * [[1.0], [1.0], [10.0]])
    np.testing.assert_array_equal(results.records["size"], [[6.0, 17.0], [26.0, 1.0]])


@pytest.mark.parametrize(
    ("order", "sizes", "text"),
    [
        ([[0, 1, 5]], [2, 1], "rows 0 ... 5"),
        ([[0, -1]], [2], "rows -1 ... 0"),
        ([[0, 1]], [2, 1], "order"),
        ([[0, 1, 2]], [3], r"\[3\]"),
    ],
)
def test_rows_outside_the_table_are_refused_before_any_step(order, sizes, text):
    graphs = {size: Graph({"y": ops.sum(input_node("x", (size,)))}) for size in (1, 2)}
    program = ReferenceEngine().compile_loop(Loop(graphs, {"x": "t"}, records=("y",)), {"t": np.arange(5.0)}, 1)
    with pytest.raises(cr.errors.GraphError, match=text):
        program.run(program.load({}), np.array(order), np.array(sizes), {})


def test_a_loop_whose_leaves_have_no_source_is_refused():
    with pytest.raises(cr.errors.GraphError, match="without a source"):
        Loop({1: Graph({"y": input_node("x", (1,)) * input_node("w", (1,))})}, {"x": "t"})


def test_a_program_refuses_what_does_not_fit():
    program = ReferenceEngine().compile(Graph({"y": input_node("x", (2, 3)) * 2.0}))
    for values, kind in (({}, ValueError), ({"x": np.zeros((3, 2))}, ValueError), ({"x": np.zeros((2, 3), "f")}, TypeError)):
        with pytest.raises(kind):
            program(values)
    with pytest.raises(ValueError, match="no leaf z"):
        program({"x": np.zeros((2, 3)), "z": 1.0})


def test_results_are_the_callers_to_keep():
    program = ReferenceEngine().compile(Graph({"y": input_node("x", (2,)) * 1.0, "x": input_node("x2", (2,))}))
    x = np.array([1.0, 2.0])
    first = program({"x": x, "x2": x})
    first["y"][0] = first["x"][0] = 99.0
    assert x[0] == 1.0
    assert program({"x": x, "x2": x})["y"][0] == 1.0


def test_threads_that_share_a_program_do_not_share_its_memory():
    x, w = input_node("x", (1, 300)), input_node("w", (300, 300))
    program = ReferenceEngine().compile(Graph({"y": ops.tanh(ops.matmul(ops.tanh(ops.matmul(x, w)), w))}))
    weights = np.random.default_rng(0).normal(size=(300, 300)) / 17
    rows = np.random.default_rng(1).normal(size=(40, 1, 300))
    wanted = [program({"x": row, "w": weights})["y"] for row in rows]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda row: program({"x": row, "w": weights})["y"], rows))
    for one, other in zip(found, wanted, strict=True):
        assert np.array_equal(one, other)


def test_nodes_stay_as_they_are():
    node = input_node("x", (2,))
    assert isinstance(node, Node)
    with pytest.raises(AttributeError):
        node.name = "y"
