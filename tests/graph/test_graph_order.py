"""The topological order: valid, complete, iterative; and graphs of a depth that recursion would not survive."""

from __future__ import annotations

import time

import numpy as np
import pytest
from random_graphs import random_graph

from chainrule import ops
from chainrule.derivatives import grad
from chainrule.errors import DtypeError, GraphError, ShapeError
from chainrule.graph import (
    Graph,
    Node,
    check,
    compute,
    constant,
    formula,
    input_node,
    parameter,
    parse_graph,
    run_passes,
    topological_order,
)


@pytest.mark.parametrize("seed", range(10))
def test_each_node_stands_once_and_behind_its_inputs(seed: int) -> None:
    graph, _ = random_graph(seed)
    place = {node: i for i, node in enumerate(graph.nodes)}
    assert len(place) == len(graph.nodes)
    for node in graph.nodes:
        assert all(place[source] < place[node] for source in node.inputs)
    reached, stack = set(), list(graph.outputs.values())
    while stack:
        node = stack.pop()
        reached.add(node)
        stack.extend(node.inputs)
    assert reached <= set(place)


def test_the_order_goes_from_left_to_right() -> None:
    a, b = input_node("a"), input_node("b")
    left, right = ops.tanh(a), ops.exp(b)
    top = left + right
    assert topological_order([top]) == (a, left, b, right, top)
    assert topological_order([right, top]) == (b, right, a, left, top)
    assert topological_order([]) == ()


def test_a_value_used_twice_is_complete_before_it_is_passed_on() -> None:
    """b = a + a, c = b + b: dc/da = 4; adding up by recursion, without the order, gives something else."""
    a = input_node("a")
    b = a + a
    c = b + b
    (slope,) = grad(c, [a])
    assert slope is not None
    assert compute([c, slope], {a: np.float64(3.0)}) == [12.0, 4.0]
    d = c * b + c  # 8a² + 4a
    assert compute([g for g in grad(d, [a]) if g is not None], {a: np.float64(3.0)}) == [52.0]


def test_users_count_each_use() -> None:
    x = input_node("x")
    y = x * x
    graph = Graph({"y": y, "z": y + x})
    assert graph.users[x] == (y, y, graph.outputs["z"])
    assert graph.users[graph.outputs["z"]] == ()


def test_inputs_and_parameters_in_order() -> None:
    x, w, b = input_node("x"), parameter("w"), parameter("b")
    graph = Graph({"z": w * x + b})
    assert graph.inputs == (x,)
    assert graph.parameters == (w, b)
    assert list(graph.leaves) == ["w", "x", "b"]


def test_a_chain_20_000_deep_is_built_printed_read_run_differentiated_checked_and_rewritten() -> None:
    begin = time.process_time()
    x = input_node("x")
    y: Node = x
    for _ in range(10_000):
        y = ops.sin(y) * 1.0
    graph = check(Graph({"y": y}))
    assert len(graph.nodes) == 30_001
    text = str(graph)
    assert str(parse_graph(text)) == text
    (slope,) = grad(y, [x])
    assert slope is not None
    value, derivative = compute([y, slope], {x: np.float64(0.5)})
    expected, product = 0.5, 1.0
    for _ in range(10_000):
        product *= np.cos(expected)
        expected = np.sin(expected)
    assert value == expected
    assert abs(derivative - product) <= 1e-11 * abs(product)
    both, trace = run_passes(Graph({"y": y, "slope": slope}), ops.PASSES)
    assert len(both.nodes) < 65_000
    assert [step.name for step in trace] == [
        "decompose",
        "simplify algebra",
        "sums of pieces",
        "fold constants",
        "share common subexpressions",
        "drop dead code",
    ]
    assert compute(both.outputs.values(), both.bind({"x": 0.5})) == [value, derivative]
    assert formula(y).count("sin") < 10
    assert formula(y, depth=20_000).count("sin(") == 10_000
    assert time.process_time() - begin < 30


def test_two_leaves_of_one_name_are_refused() -> None:
    with pytest.raises(GraphError, match="two leaves are called 'x'") as caught:
        Graph({"y": input_node("x") + input_node("x")})
    assert "one leaf node in both places" in caught.value.remedy
    with pytest.raises(GraphError, match="has no name"):
        Graph({"y": input_node("") + 1.0})


@pytest.mark.parametrize("name", ["", "1", "a b", "a=b", "a,"])
def test_output_names_that_a_text_could_not_hold_are_refused(name: str) -> None:
    with pytest.raises(GraphError, match="output name"):
        Graph({name: constant(1.0)})


# ---- check


def forge(node: Node, name: str, value: object) -> None:
    object.__setattr__(node, name, value)


def test_check_finds_a_forged_type() -> None:
    x = input_node("x", (2,))
    y = ops.tanh(x)
    assert check(Graph({"y": y})).outputs["y"] is y
    forge(y, "type", input_node("z", (3,)).type)
    with pytest.raises(GraphError, match=r"(?s)says it is float64\[3\].*expected: float64\[2\]"):
        check(Graph({"y": y}))


def test_check_finds_forged_inputs_and_attributes() -> None:
    y = ops.transpose(input_node("x", (2, 3)), axes=(1, 0))
    forge(y, "attributes", {"axes": (0, 0)})
    with pytest.raises(ShapeError, match="each of 0"):
        check(Graph({"y": y}))
    z = ops.tanh(input_node("x", (2,)))
    forge(z, "inputs", (input_node("w", (5,)),))
    with pytest.raises(GraphError, match="says it is"):
        check(Graph({"z": z}))


def test_check_finds_a_forged_order_and_a_constant_that_can_be_written() -> None:
    graph = Graph({"y": ops.tanh(input_node("x"))})
    graph.nodes = graph.nodes[::-1]
    with pytest.raises(GraphError, match="stands before its inputs"):
        check(graph)
    c = constant([1.0])
    forge(c, "attributes", {"value": np.ones(1)})
    with pytest.raises(GraphError, match="can be written"):
        check(Graph({"c": c}))


# ---- evaluate, bind


def test_a_leaf_without_value_is_an_error_that_names_it() -> None:
    with pytest.raises(GraphError, match=r"<w: float64\[\] = parameter\(\)> has no value"):
        compute([parameter("w") * input_node("x")], {})


def test_a_value_given_for_an_inner_node_cuts_the_graph_there() -> None:
    x = input_node("x")
    middle = ops.log(x)
    y = middle * 2.0
    assert compute([y, middle], {middle: np.float64(5.0)}) == [10.0, 5.0], "x needs no value"
    with pytest.raises(GraphError, match="<x: "):
        compute([y, middle + x], {middle: np.float64(5.0)})


def test_evaluation_gives_no_warning() -> None:
    x = input_node("x", (2,))
    values = compute([ops.log(x), 1.0 / x, ops.exp(x * 1e6)], {x: np.array([0.0, -1.0])})
    np.testing.assert_array_equal(values, [[-np.inf, np.nan], [np.inf, -1.0], [1.0, 0.0]])


def test_a_value_does_not_depend_on_how_its_inputs_lie_in_memory() -> None:
    x = input_node("x", (60, 70))
    plain = np.random.default_rng(0).normal(size=(60, 70))
    graph = Graph({"y": ops.sum(ops.tanh(x) @ ops.swap_last(x), axis=0), "z": ops.exp(ops.flip(x, axes=(0,)))})
    fancy = np.zeros((140, 120))[::2, ::2]
    for laid in (np.asfortranarray(plain), plain.astype(">f8"), fancy.T):
        laid[...] = plain
        for one, other in zip(
            compute(graph.outputs.values(), graph.bind({"x": plain})),
            compute(graph.outputs.values(), graph.bind({"x": laid})),
            strict=True,
        ):
            assert one.tobytes() == other.tobytes()


def test_binding_wants_a_value_for_each_leaf_and_no_other() -> None:
    graph = Graph({"y": input_node("x", (2,)) * parameter("w")})
    with pytest.raises(GraphError, match="no value for w, x"):
        graph.bind({})
    with pytest.raises(GraphError, match=r"(?s)no leaf extra.*some of: x, w"):
        graph.bind({"x": [1, 2], "w": 1, "extra": 3})
    bound = graph.bind({"x": [1, 2], "w": 3})
    assert {node.name: value.tolist() for node, value in bound.items()} == {"x": [1.0, 2.0], "w": 3.0}
    assert all(value.dtype == np.float64 for value in bound.values())


@pytest.mark.parametrize(
    ("dtype", "value", "words"),
    [
        ("float64", np.zeros(3), "shape \\(3,\\)\n  expected: shape \\(2,\\)"),
        ("float64", np.zeros((1, 2)), "nothing is broadcast silently"),
        ("float64", 1.0, "shape \\(\\)"),
        (
            "float64",
            np.zeros(2, "float32"),
            "float32 numbers\n  expected: float64\n  fix: write array.astype\\('float64'\\)",
        ),
        ("float32", np.zeros(2, "float64"), "float64 numbers"),
        ("float64", ["a", "b"], "given \\['a', 'b'\\]\n  expected: float64\\[2\\]"),
        ("float64", [[1], [2, 3]], "rows of equal length"),
        ("float64", None, "given None"),
        ("float64", [1, None], "given \\[1, None\\]"),
        ("int64", [0.5, 1], "numbers that int64 can hold"),
        ("int64", [float("nan"), 1], "numbers that int64 can hold"),
        ("uint8", [255, 256], "numbers that uint8 can hold"),
        ("uint8", [-1, 0], "numbers that uint8 can hold"),
        ("bool", [2, 0], "numbers that bool can hold"),
        ("float64", [1j, 0], "numbers that float64 can hold"),
    ],
)
def test_a_value_that_does_not_fit_its_leaf_is_refused(dtype: str, value: object, words: str) -> None:
    graph = Graph({"y": input_node("x", (2,), dtype)})
    with pytest.raises((ShapeError, DtypeError), match=words) as caught:
        graph.bind({"x": value})
    assert caught.value.happened.startswith("x was given ")


@pytest.mark.parametrize(
    ("dtype", "value"), [("float32", [0.1, 2]), ("uint8", [255, 0]), ("int64", [2.0, 1]), ("bool", [True, 0])]
)
def test_python_numbers_take_the_dtype_of_the_leaf(dtype: str, value: list[float]) -> None:
    (bound,) = Graph({"y": input_node("x", (2,), dtype)}).bind({"x": value}).values()
    assert bound.dtype == dtype
    assert bound.tolist() == np.array(value, dtype=dtype).tolist()
