"""Nodes: immutable, typed at birth, equal only to themselves; types, scopes, and numbers that become constants."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

from chainrule import ops
from chainrule.derivatives import grad
from chainrule.errors import DtypeError, GraphError, ShapeError
from chainrule.graph import (
    Graph,
    Node,
    Type,
    as_nodes,
    compute,
    constant,
    input_node,
    parameter,
    parse_graph,
    scope,
    scope_root,
)


def test_nothing_of_a_node_can_be_set_or_deleted() -> None:
    node = input_node("x") + 1.0
    for name in ("op", "inputs", "attributes", "type", "name", "scope", "anything"):
        with pytest.raises(AttributeError, match="a node is immutable"):
            setattr(node, name, None)
        with pytest.raises(AttributeError, match="a node is immutable"):
            delattr(node, name)
    with pytest.raises(TypeError):
        node.attributes["new"] = 1  # type: ignore[index]


def test_a_constant_does_not_change_with_the_array_it_was_made_of() -> None:
    array = np.ones(3)
    node = constant(array)
    array[0] = 5.0
    assert node.attributes["value"].tolist() == [1.0, 1.0, 1.0]
    with pytest.raises(ValueError, match="read-only"):
        node.attributes["value"][0] = 2.0


def test_a_node_is_equal_only_to_itself() -> None:
    x = input_node("x")
    one, other = x + 1.0, x + 1.0
    assert one == one
    assert one != other
    assert len({one, other, one}) == 2


def test_a_node_can_be_weakly_referenced_and_goes_when_nobody_holds_it() -> None:
    x = input_node("x")
    seen = weakref.ref(x * 2.0)
    gc.collect()
    assert seen() is None


def test_what_is_built_printed_read_and_computed_leaves_no_circle_of_references() -> None:
    """What stands in one goes when the collector of garbage comes, and not before: arrays stay, and the collector has much to do."""

    def work() -> None:
        x = parameter("x", (2, 3))
        y = ops.mean(ops.slice_axis(ops.transpose(x, axes=(1, 0)), 0, 1, 3), 0)
        graph = Graph({"y": y, "slope": next(iter(grad(ops.sum(ops.max(y, axis=0)), [x])))})
        again = parse_graph(str(graph))
        compute(again.outputs.values(), again.bind({"x": np.ones((2, 3))}))

    work()
    gc.collect()
    gc.disable()
    try:
        work()
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_named_and_with_inputs_make_new_nodes_and_keep_the_rest() -> None:
    x, y = input_node("x"), input_node("y")
    with scope("layer"):
        node = x * y
    named = node.named("z")
    assert (named.name, named.op, named.inputs, named.scope, named.type) == ("z", node.op, node.inputs, "layer", node.type)
    assert node.name == ""
    assert named.with_inputs((x, y)) is named
    moved = named.with_inputs((y, y))
    assert (moved.name, moved.inputs, moved.scope) == ("z", (y, y), "layer")
    with pytest.raises(ShapeError):
        named.with_inputs((x, input_node("v", (2,))))


@pytest.mark.parametrize("name", ["1x", "a b", "a=b", "x,", "%0", "x#2", "a\n", "-a", "(", "a:"])
def test_names_that_a_text_could_not_hold_are_refused(name: str) -> None:
    with pytest.raises(GraphError, match="expected: a letter, then letters, digits"):
        input_node(name)
    with pytest.raises(GraphError, match="expected: a letter, then letters, digits"), scope(name):
        pass


@pytest.mark.parametrize("name", ["x", "dense1.W", "a/b", "loss-2", "σ", "_hidden", "größe_1"])
def test_names_that_people_use_are_taken(name: str) -> None:
    assert parameter(name).name == name
    with scope(name) as path:
        assert path == name


def test_nodes_know_their_layer() -> None:
    x = input_node("x")
    with scope("net", "dense1") as path:
        inner = x * 2.0
        with scope("activation"):
            deep = ops.tanh(inner)
        with scope_root("elsewhere"):
            root = inner + 1.0
        after = inner + 1.0
    assert path == "net/dense1"
    assert [node.scope for node in (x, inner, deep, root, after)] == [
        "",
        "net/dense1",
        "net/dense1/activation",
        "elsewhere",
        "net/dense1",
    ]
    assert inner.inputs[1].scope == "net/dense1", "the constant that the 2 became belongs there too"


def test_a_scope_ends_when_an_error_leaves_it() -> None:
    with pytest.raises(RuntimeError), scope("lost"):
        raise RuntimeError
    assert constant(1.0).scope == ""


@pytest.mark.parametrize(
    ("build", "op", "first"),
    [
        (lambda x: x + 2, "add", True), (lambda x: 2 + x, "add", False), (lambda x: x - 2, "subtract", True),
        (lambda x: 2 - x, "subtract", False), (lambda x: x * 2, "multiply", True), (lambda x: 2 * x, "multiply", False),
        (lambda x: x / 2, "divide", True), (lambda x: 2 / x, "divide", False), (lambda x: x**2, "power", True),
        (lambda x: 2**x, "power", False), (lambda x: x < 2, "less", True), (lambda x: x <= 2, "less_equal", True),
        (lambda x: x > 2, "greater", True), (lambda x: x >= 2, "greater_equal", True), (lambda x: 2 < x, "greater", True),  # noqa: SIM300
        (lambda x: np.float64(2) + x, "add", False), (lambda x: np.array(2.0) * x, "multiply", False),
    ],
)  # fmt: skip
def test_operators_make_the_ops_they_look_like(build, op: str, first: bool) -> None:
    x = input_node("x")
    node = build(x)
    assert node.op.name == op
    assert (node.inputs[0] is x) == first
    assert (-x).op is ops.negative
    matrix = input_node("m", (2, 2))
    assert (matrix @ matrix).op is ops.matmul


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda x: bool(x), ("the truth of <x: float64[2]", "none until its graph is run", "where(condition, x, y)")),
        (lambda x: list(x), ("was iterated over", "an array", "slice_axis")),
        (lambda x: x + x if x > 1 else x, ("the truth of", "a number", "instead of if")),
    ],
)
def test_what_a_node_cannot_do_it_says(ask, words: tuple[str, str, str]) -> None:
    with pytest.raises(GraphError) as caught:
        ask(input_node("x", (2,)))
    for part, word in zip((caught.value.happened, caught.value.expected, caught.value.remedy), words, strict=True):
        assert word in part


def test_numbers_take_the_dtype_of_the_node_beside_them_and_arrays_keep_theirs() -> None:
    half = input_node("half", (), "float32")
    assert (half * 0.1).dtype == "float32"
    assert as_nodes(2, half)[0].dtype == "float32"
    assert [node.dtype for node in as_nodes(1, 2.0, True)] == ["int64", "float64", "bool"]
    with pytest.raises(DtypeError, match="one dtype on all inputs"):
        half * np.array([0.1])
    assert (half * np.array(0.1)).dtype == (half * (1 / np.sqrt(3))).dtype == (np.float64(2) * half).dtype == "float32"


def test_attributes_are_plain_numbers_and_tuples_whatever_they_were() -> None:
    x = input_node("x", np.array([2, 3]))
    node = ops.reshape(x, shape=[np.int64(3), np.int32(2)])
    assert repr(node.attributes["shape"]) == "(3, 2)"
    assert repr(x.type) == "float64[2,3]"
    assert ops.argmax(x, axis=np.int64(1)).shape == (2,)
    assert ops.sum(x, axis=np.int64(1)).shape == (2,)


def test_repr_is_one_line_with_type_op_inputs_and_attributes() -> None:
    x = input_node("x", (2, 3))
    assert repr(x) == "<x: float64[2,3] = input()>"
    assert repr(ops.transpose(ops.tanh(x), axes=(1, 0)).named("t")) == "<t: float64[3,2] = transpose(<tanh>, axes=(1, 0))>"
    assert repr(constant(np.zeros(100))) == "<float64[100] = constant()>"
    assert repr(ops.tanh) == "op tanh"
    assert "hyperbolic tangent" in (ops.tanh.__doc__ or "")


@pytest.mark.parametrize("text", ["float64[]", "float32[3]", "int64[0,2]", "bool[1,1,1]", "uint8[28,28]"])
def test_a_type_prints_and_reads(text: str) -> None:
    assert repr(Type.parse(text)) == text


def test_a_types_measures() -> None:
    kind = Type("float32", (3, 4))
    assert (kind.ndim, kind.size, kind.nbytes, kind.is_float) == (2, 12, 48, True)
    assert (Type("int64").size, Type("int64").nbytes, Type("int64").is_float) == (1, 8, False)
    assert kind.with_shape((2,)) == Type("float32", (2,))
    assert kind.with_dtype("bool") == Type("bool", (3, 4))
    assert Type.of(np.zeros((2, 1), "uint8")) == Type("uint8", (2, 1))


@pytest.mark.parametrize("text", ["float64", "float64[", "float64[a]", "float64[-1]", "[3]", ""])
def test_a_text_that_names_no_type_is_refused(text: str) -> None:
    with pytest.raises(ShapeError, match=r"as in float64\[64,16\]"):
        Type.parse(text)


def test_types_that_cannot_be_are_refused() -> None:
    with pytest.raises(DtypeError, match="dtype 'float16'"):
        constant(np.zeros(2, "float16"))
    with pytest.raises(DtypeError, match="dtype 'complex128'"):
        constant(1j)  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="whole numbers"):
        Type("float64", (2.0,))  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="0 or more"):
        Type("float64", (-1,))


def test_a_leaf_does_not_evaluate_itself() -> None:
    with pytest.raises(GraphError, match="a leaf was evaluated"):
        input_node("x").op.meaning()


def test_slots_keep_nodes_small() -> None:
    assert not hasattr(input_node("x"), "__dict__")
    assert isinstance(input_node("x"), Node)
