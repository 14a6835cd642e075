"""Graphs as text: what is printed, that it reads back to the same graph, and what the reader says of texts that are no graph."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from random_graphs import random_graph

from chainrule import ops
from chainrule.errors import ChainruleError, ParseError
from chainrule.graph import Graph, check, compute, constant, input_node, parameter, parse_graph, scope

TEXT = """\
x: float64[2,3] = input()
dense1.W: float64[3,4] = parameter()  @dense1
%0: float64[2,4] = matmul(x, dense1.W)  @dense1
%1: float64[] = constant(value=0.5)
%2: float64[2,4] = broadcast_to(%1, shape=(2, 4))
z: float64[2,4] = multiply(%0, %2)
z#2: float64[2,4] = tanh(z)
%3: float64[] = reduce_sum(z#2, axes=(0, 1))
return loss=%3, z=z, again=%3"""


def test_a_graph_prints_one_node_a_line() -> None:
    x = input_node("x", (2, 3))
    with scope("dense1"):
        product = x @ parameter("dense1.W", (3, 4))
    z = (product * 0.5).named("z")
    loss = ops.sum(ops.tanh(z).named("z"))
    assert str(Graph({"loss": loss, "z": z, "again": loss})) == TEXT


def test_the_text_reads_back_to_names_scopes_types_and_outputs() -> None:
    graph = check(parse_graph(TEXT))
    assert str(graph) == TEXT
    assert [node.name for node in graph.nodes] == ["x", "dense1.W", "", "", "", "z", "z", ""]
    assert graph.leaves["dense1.W"].scope == "dense1"
    assert graph.outputs["loss"] is graph.outputs["again"]
    assert graph.parameters[0].op.name == "parameter"
    (value, *_) = compute(graph.outputs.values(), graph.bind({"x": np.ones((2, 3)), "dense1.W": np.ones((3, 4))}))
    assert value == pytest.approx(8 * np.tanh(1.5), rel=1e-15)


def test_blank_lines_and_margins_do_not_matter() -> None:
    assert str(parse_graph("\n\n" + TEXT.replace("\n", "\n\n   ") + "\n\n")) == TEXT


def test_a_graph_of_nothing() -> None:
    assert str(Graph({})) == "return "
    assert parse_graph(str(Graph({}))).nodes == ()
    assert parse_graph("return").nodes == ()


def test_nodes_that_no_output_needs_are_printed_and_kept() -> None:
    x = input_node("x")
    graph = Graph({"y": x * 2.0}, unused=[ops.exp(x), input_node("idle")])
    assert "idle: float64[] = input()" in str(graph)
    assert str(parse_graph(str(graph))) == str(graph)
    assert set(parse_graph(str(graph)).leaves) == {"x", "idle"}


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.sampled_from(["float32", "float64", "int32", "int64", "uint8", "uint32", "bool"]).flatmap(
        lambda dtype: arrays(dtype, array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
    )
)
@example(np.array([np.nan, np.inf, -np.inf, -0.0, 0.0, 5e-324, 1.7976931348623157e308]))
@example(np.array(-0.0, dtype=np.float32))
@example(np.array([-(2**63), 2**63 - 1]))
@example(np.zeros((3, 0, 2)))
def test_constants_read_back_to_the_last_bit(array: np.ndarray) -> None:
    graph = Graph({"c": constant(array)})
    again = parse_graph(str(graph))
    value = again.outputs["c"].attributes["value"]
    assert str(again) == str(graph)
    assert value.shape == array.shape
    assert value.dtype == array.dtype
    same = value.view() == array
    assert np.all(same | ((array != array) & (value != value)))
    if array.dtype.kind == "f":
        assert np.array_equal(np.signbit(value[value == 0]), np.signbit(array[array == 0]))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.sampled_from(["float32", "float64"]))
def test_random_graphs_read_back(seed: int, dtype: str) -> None:
    graph, values = random_graph(seed, dtype)
    again = check(parse_graph(str(graph)))
    assert str(again) == str(graph)
    assert [node.scope for node in again.nodes] == [node.scope for node in graph.nodes]
    for one, other in zip(
        compute(graph.outputs.values(), graph.bind(values)), compute(again.outputs.values(), again.bind(values)), strict=True
    ):
        assert np.asarray(one).tobytes() == np.asarray(other).tobytes()


# text, the line at fault, what must stand in the message
MISTAKES = [
    ("", 1, "return loss=%4"),
    ("x: float64[] = input()", 1, "a last line such as"),
    ("return y=%0", 1, "'%0'"),
    ("x: float64[] = input()\nreturn y=X", 2, "write x"),
    ("x: float64[] = input()\nreturn y=zebra", 2, "define it above"),
    ("x: float64[] = input()\nreturns y=x", 2, "a last line such as"),
    ("x: float64[] = inputs()\nreturn y=x", 1, "write input"),
    ("x: float64[] = input()\n%0: float64[] = tahn(x)\nreturn y=%0", 2, "write tanh"),
    ("x: float64[] = input()\n%0: float64[] = qqqqqq(x)\nreturn y=%0", 2, "see chainrule.ops"),
    ("x: float64[] = input()\n%0 float64[] = tanh(x)\nreturn y=%0", 2, "label: dtype[shape] = op("),
    ("x: float64[2] = input()\n%0: float64[3] = tanh(x)\nreturn y=%0", 2, "float64[2], which its inputs give"),
    ("x: float64[2] = input()\n%0: float64[] = reduce_sum(x)\nreturn y=%0", 2, "axes"),
    ("x: float64[2] = input()\n%0: float64[] = reduce_sum(x, axes=0)\nreturn y=%0", 2, "reduce_sum takes"),
    ("x: float64[2] = input()\n%0: float64[2] = tanh(x, axes=0)\nreturn y=%0", 2, "tanh takes"),
    ("x: float64[2] = input()\n%0: float64[2] = tanh(axes=0, x)\nreturn y=%0", 2, "attributes as name=value"),
    ("my_input: float64[2] = input()\n%0: float64[2] = tanh(myinput)\nreturn y=%0", 2, "write my_input"),
    ("x: float64[2] = input()\n%0: float64[2] = tanh(y, x)\nreturn y=%0", 2, "'y'"),
    ("x: float64[2] = input()\n%0: bool[2] = logical_not(x)\nreturn y=%0", 2, "logical_not was given float64[2]: convert"),
    ("x: float99[2] = input()\nreturn y=x", 1, "float32, float64"),
    ("x: float64[2.5] = input()\nreturn y=x", 1, "float64[64,16]"),
    ("1x: float64[2] = input()\nreturn y=x", 1, "a name: a letter"),
    ("%x: float64[2] = input()\nreturn y=x", 1, "a name: a letter"),
    ("x#a: float64[2] = input()\nreturn y=x", 1, "a name: a letter"),
    ("%0: float64[] = input()\nreturn y=%0", 2, "a name on each leaf"),
    ("x: float64[] = input()\nx: float64[] = tanh(x)\nreturn y=x", 2, "a label of its own"),
    ("x: float64[] = input()\nx#2: float64[] = input()\nreturn y=x, z=x#2", 3, "two leaves are called 'x'"),
    ("x: float64[] = input()\nreturn y=x, y=x", 2, "y comes twice"),
    ("x: float64[] = input()\nreturn 1=x", 2, "output name '1'"),
    ("x: float64[] = input(value=3)\nreturn y=x", 1, "a leaf takes no values"),
    ("%0: float64[2] = constant(value=[1.0])\nreturn y=%0", 1, "constant was given"),
    ("%0: float64[1] = constant(value=['a'])\nreturn y=%0", 1, "constant was given"),
    ("%0: uint8[] = constant(value=300)\nreturn y=%0", 1, "constant was given"),
    ("%0: int64[] = constant(value=2.5)\nreturn y=%0", 1, "constant was given"),
    ("%0: float64[] = constant(value=None)\nreturn y=%0", 1, "constant was given"),
    ("%0: float64[] = constant()\nreturn y=%0", 1, "a constant takes value=..."),
    ("%0: float64[] = constant(value=__import__('os'))\nreturn y=%0", 1, "is not a plain value"),
    ("%0: float64[] = constant(value=-'a')\nreturn y=%0", 1, "attributes as name=value"),
    ("%0: float64[] = constant(value=1, value=2)\nreturn y=%0", 1, "an attribute comes twice"),
    ("%0: float64[] = constant(value=1)(value=2)\nreturn y=%0", 1, "values come first"),
    ("%0: float64[] = constant(value=" + "(" * 500 + ")" * 500 + ")\nreturn y=%0", 1, "attributes as name=value"),
    ("x: float64[2] = input()\n%0: float64[2] = reshape(x, shape=(2.0,))\nreturn y=%0", 2, "whole numbers"),
    ("x: float64[2] = input()\n%0: float64[1] = slice_axes(x, starts=(0.0,), stops=(1,), steps=(1,))\nreturn y=%0", 2, "whole numbers"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "words"), MISTAKES)
def test_a_mistake_is_found_named_and_a_remedy_given(text: str, line: int, words: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse_graph(text)
    assert caught.value.happened.startswith(f"line {line} cannot be read: ")
    assert words in str(caught.value)
    assert caught.value.remedy


def test_a_long_line_is_shown_shortened() -> None:
    with pytest.raises(ParseError) as caught:
        parse_graph("x" * 5000 + "\nreturn")
    assert len(caught.value.happened) < 160


LINES = st.sampled_from(TEXT.splitlines())
PIECES = st.sampled_from(
    [
        *"%#:=()[],.@-_/ \n",
        "return ",
        "x",
        "%0",
        "float64[2]",
        "constant(value=",
        "nan",
        "inf",
        "axes=(0,)",
        "\\x",
        "1if",
        "\x00",
        "é",
    ]
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.one_of(st.text(), st.lists(PIECES, max_size=30).map("".join), st.lists(LINES | PIECES, max_size=8).map("\n".join)))
@example("%0: float64[1] = constant(value=[1if 2else 3])\nreturn y=%0")
@example('%0: float64[] = constant(value="\\d")\nreturn y=%0')
@example("%0: float64[99999999999999999999] = constant(value=1)\nreturn y=%0")
@example("x: float64[2] = input()\n%0: float64[2,1] = one_hot(x, classes='a', dtype=[])\nreturn")
def test_any_text_is_a_graph_or_a_parse_error(text: str) -> None:
    try:
        graph = parse_graph(text)
    except ChainruleError as error:
        assert type(error) is ParseError  # noqa: PT017
    else:
        assert str(parse_graph(str(graph))) == str(graph)


@pytest.mark.parametrize("seed", range(60))
def test_any_text_near_a_graph_is_a_graph_or_a_parse_error(seed: int) -> None:
    generator = random.Random(seed)
    text = list(str(random_graph(seed)[0]))
    for _ in range(generator.randint(1, 4)):
        place = generator.randrange(len(text))
        text[place : place + generator.randint(0, 3)] = generator.choice(
            ["", "0", "x", "(", ")", ",", "=", "-", "[", " ", "'", "\n", "9" * 30, "nan"]
        )
    test_any_text_is_a_graph_or_a_parse_error.hypothesis.inner_test("".join(text))
