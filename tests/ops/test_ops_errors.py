"""What type rules refuse, and that the message says what happened, what was expected, and what to do."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import numpy as np
import pytest

from chainrule import ops
from chainrule.errors import ChainruleError, DtypeError, GraphError, OptionError, ShapeError
from chainrule.graph import LEAVES, REGISTRY, Node, compute, constant, input_node

X = input_node("x", (2, 3))
HALF = input_node("half", (2, 3), "float32")
WHOLE = input_node("whole", (2, 3), "int64")
TRUTH = input_node("truth", (2, 3), "bool")
KEY = input_node("key", (2,), "uint32")
PLACES = input_node("places", (4,), "int64")

# op, what is asked, the kind of error, and words that must stand in its three answers
REFUSED: list[tuple[str, Callable[[], Node], type[ChainruleError], tuple[str, str, str]]] = [
    ("where", lambda: ops.where(X, X, X), DtypeError, ("where was given float64[2,3]", "a bool condition", "less, equal")),
    ("where", lambda: ops.where(TRUTH, X, HALF), DtypeError, ("float32[2,3]", "one dtype", "cast")),
    ("cast", lambda: ops.cast(X, dtype="float16"), DtypeError, ("dtype 'float16'", "float32, float64", "convert")),
    ("broadcast_to", lambda: ops.broadcast_to(X, shape=(3, 2)), ShapeError, ("float64[2,3] to (3, 2)", "counted from the last", "reshape")),
    ("broadcast_to", lambda: ops.broadcast_to(X, shape=(3,)), ShapeError, ("to (3,)", "extents that are equal", "reshape")),
    ("reduce_sum", lambda: ops.reduce_sum(X, axes=(2,)), ShapeError, ("axis 2", "0 ... 1", "count axes from 0")),
    ("reduce_sum", lambda: ops.reduce_sum(X, axes=(1, 0)), ShapeError, ("axes (1, 0)", "rising order", "sort")),
    ("reduce_sum", lambda: ops.reduce_sum(TRUTH, axes=(0,)), DtypeError, ("bool[2,3]", "float32 or float64", "cast")),
    ("reduce_max", lambda: ops.max(input_node("e", (0, 3)), 0), ShapeError, ("float64[0,3]", "one entry or more", "empty")),
    ("reduce_max", lambda: ops.reduce_max(X, axes=(-5,)), ShapeError, ("axis -5", "0 ... 1", "count axes")),
    ("reduce_min", lambda: ops.reduce_min(X, axes=(7,)), ShapeError, ("axis 7", "0 ... 1", "count axes")),
    ("argmax", lambda: ops.position_of_max(input_node("e", (3, 0))), ShapeError, ("float64[3,0]", "one entry or more", "empty")),
    ("argmax", lambda: ops.argmax(constant(1.0), axis=0), ShapeError, ("axis 0", "an array with axes", "count axes")),
    ("argmax", lambda: ops.argmax(TRUTH, axis=0), DtypeError, ("bool[2,3]", "int64", "cast")),
    ("reshape", lambda: ops.reshape(X, shape=(4,)), ShapeError, ("float64[2,3] to (4,)", "6 entries; (4,) has 4", "product")),
    ("reshape", lambda: ops.reshape(X, shape=(-2, -3)), ShapeError, ("(-2, -3)", "6 entries", "extents")),
    ("transpose", lambda: ops.transpose(X, axes=(0, 0)), ShapeError, ("axes (0, 0)", "each of 0 ... 1 once", "list every axis")),
    ("transpose", lambda: ops.swap_last(input_node("v", (3,))), ShapeError, ("float64[3]", "two axes or more", "reshape")),
    ("slice_axes", lambda: ops.slice_axis(X, 1, 2, 4), ShapeError, ("slice 2:4:1 of an axis with 3", "start <= stop", "inside")),
    ("slice_axes", lambda: ops.slice_axes(X, starts=(0,), stops=(1,), steps=(1,)), ShapeError, ("(0,), (1,), (1,)", "per axis", "list")),
    ("slice_axes", lambda: ops.slice_axis(X, 1, 0, 2, 0), ShapeError, ("0:2:0", "a step of 1 or more", "choose")),
    ("pad", lambda: ops.pad(X, low=(1, 1), high=(0, -1), interior=(0, 0)), ShapeError, ("(0, -1)", "number >= 0", "every axis")),
    ("pad", lambda: ops.pad(X, low=(1,), high=(0, 1), interior=(0, 0)), ShapeError, ("(1,)", "per axis", "every axis")),
    *(
        ("pad", lambda at=at: ops.pad(X, **{**dict.fromkeys(("low", "high", "interior"), (0, 1)), at: (0, 1, 0)}), ShapeError,
         ("(0, 1, 0)", "per axis", "every axis"))
        for at in ("low", "high", "interior")
    ),
    ("concatenate", lambda: ops.concatenate(axis=0), ShapeError, ("concatenate of nothing", "one array or more", "concatenate(x, y")),
    ("concatenate", lambda: ops.concatenate(X, HALF, axis=0), DtypeError, ("float32[2,3]", "one dtype", "cast")),
    ("concatenate", lambda: ops.concatenate(X, input_node("y", (3, 2)), axis=0), ShapeError, ("float64[3,2]", "equal extents", "axis")),
    ("concatenate", lambda: ops.concatenate(X, input_node("y", (3,)), axis=1), ShapeError, ("float64[3]", "equal extents", "reshape")),
    ("flip", lambda: ops.flip(X, axes=(2,)), ShapeError, ("axis 2", "0 ... 1", "count axes")),
    ("windows", lambda: slid(X, taps=(4,)), ShapeError, ("4 taps, 1 apart, on an axis with 3", "4 entries or more", "smaller")),
    ("windows", lambda: slid(X, taps=(2, 2)), ShapeError, ("axes (1,) with (2, 2)", "rising order", "taps=(5, 5)")),
    ("windows", lambda: slid(X, axes=(2,)), ShapeError, ("axis 2", "0 ... 1", "count axes")),
    ("windows", lambda: slid(X, strides=(0,)), ShapeError, ("(0,)", "1 or more of every kind", "strides=(1, 1)")),
    ("overlap_add", lambda: laid(X, extents=(9,)), ShapeError, ("into float64[9]", "windows of shape (7, 3)", "windows(...)")),
    ("overlap_add", lambda: laid(X > 0.0, extents=(4,)), DtypeError, ("overlap_add was given bool[2,3]", "float32", "cast")),
    ("matmul", lambda: X @ input_node("v", (3,)), ShapeError, ("(3,)   a matrix has two axes", "(m, k) times (k, n)", "transpose")),
    ("matmul", lambda: WHOLE @ WHOLE, DtypeError, ("matmul was given int64[2,3]", "float32 or float64", "cast")),
    ("matmul", lambda: ops.swap_last(X) @ HALF, DtypeError, ("float64[3,2] and float32[2,3]", "one dtype", "cast")),
    ("gather", lambda: ops.gather(X, X, axis=0), DtypeError, ("indices float64[2,3]", "int32 or int64", "cast")),
    ("gather", lambda: ops.gather(X, PLACES, axis=2), ShapeError, ("gather was given axis 2", "0 ... 1", "count axes")),
    ("scatter_add", lambda: ops.scatter_add(X, PLACES, X, axis=0), ShapeError, ("scatter_add of", "updates float64[4,3]", "reshape")),
    ("one_hot", lambda: ops.one_hot(X, classes=3, dtype="float64"), DtypeError, ("one_hot was given indices", "int64", "cast")),
    ("one_hot", lambda: ops.one_hot(PLACES, classes=-1, dtype="float64"), ShapeError, ("(4, -1)", "0 or more", "sizes")),
    ("square", lambda: ops.square(input_node("b", (2,), "bool")), DtypeError, ("square was given bool[2]", "float64", "cast")),
    ("arctan", lambda: ops.arctan(input_node("n", (2,), "int64")), DtypeError, ("arctan was given int64[2]", "float64", "cast")),
    ("huber", lambda: ops.huber(X, delta=0.0), ShapeError, ("huber with delta=0.0", "above 0", "delta=1.0")),
    ("norm", lambda: ops.norm(input_node("s")), ShapeError, ("norm of float64[]", "an axis", "absolute")),
    ("margin", lambda: ops.margin(X, X), ShapeError, ("margin was given", "(..., classes)", "one label")),
    ("runner_up", lambda: ops.runner_up(X, X), ShapeError, ("runner_up was given", "(..., classes)", "one label")),
    ("softmax", lambda: ops.softmax(X, axis=2), ShapeError, ("softmax was given axis 2", "0 ... 1", "count axes")),
    ("softmax_cross_entropy", lambda: ops.softmax_cross_entropy(X, X), ShapeError, ("labels float64", "(..., classes)", "label")),
    ("softmax_error", lambda: ops.softmax_error(X, X), ShapeError, ("softmax_error was given", "(..., classes)", "one label")),
    ("sigmoid_error", lambda: ops.sigmoid_error(X, HALF), DtypeError, ("sigmoid_error was given", "one dtype", "cast")),
    ("sigmoid_cross_entropy", lambda: ops.sigmoid_cross_entropy(X, HALF), DtypeError, ("sigmoid_cross_entropy was", "one dtype", "cast")),
    ("poisson_loss", lambda: ops.poisson_loss(X, HALF), DtypeError, ("poisson_loss was given", "one dtype", "cast")),
    ("random_bits", lambda: ops.random_bits(X, shape=()), DtypeError, ("a random key of float64[2,3]", "uint32[2]", "key(seed)")),
    ("random_bits", lambda: ops.random_bits(KEY, shape=(-1,)), ShapeError, ("(-1,)", "0 or more", "sizes")),
    ("random_fold", lambda: ops.random_fold(KEY, KEY), DtypeError, ("random_fold of uint32[2]", "uint32[]", "cast")),
    ("scan", lambda: repeated(length=0), GraphError, ("a loop of 0 steps over 1 values", "1 step or more, 1 values (h)", "recurrence")),
    ("scan", lambda: repeated(output="g"), GraphError, ("of which 'g' is the output", "one of h", "recurrence")),
    ("scan", lambda: ops.scan(HALF, **repeated().attributes), ShapeError, ("value h is float32[2,3]", "float64[2,3]", "reshape")),
    ("stop_gradient", lambda: ops.stop_gradient(input_node("n", (2.5,))), OptionError, ("(2.5,)", "a whole number", "shape=")),
]  # fmt: skip


def slid(x: Node, **how: tuple[int, ...]) -> Node:
    """Windows of two taps on the last axis, but for what is asked otherwise."""
    return ops.windows(x, **({"axes": (1,), "taps": (2,), "strides": (1,), "dilations": (1,)} | how))


def laid(x: Node, **how: tuple[int, ...]) -> Node:
    """Windows (positions, taps) added up, in an axis of so many entries."""
    return ops.overlap_add(x, **({"axes": (0,), "strides": (1,), "dilations": (1,)} | how))


def repeated(**how: object) -> Node:
    """Two steps that change nothing, but for what is asked otherwise."""
    loop = ops.recurrence(lambda h: {"h": h + 0.0}, {"h": X}, length=2).after("h")
    return ops.scan(*loop.inputs, **(dict(loop.attributes) | how))


ELEMENTWISE = [name for name, op in REGISTRY.items() if op.kind == "elementwise" and name not in {row[0] for row in REFUSED}]
TAKES = {
    "numbers": {"add", "subtract", "multiply", "negative", "maximum", "minimum", "less", "less_equal", "greater", "greater_equal",
                "absolute", "sign"},
    "anything": {"equal", "not_equal"},
    "truths": {"logical_and", "logical_or", "logical_not"},
}  # fmt: skip


@pytest.mark.parametrize(("name", "ask", "kind", "answers"), REFUSED)
def test_a_refusal_answers_three_questions(name: str, ask: Callable[[], Node], kind: type[ChainruleError], answers) -> None:
    with pytest.raises(ChainruleError) as caught:
        ask()
    error = caught.value
    assert type(error) is kind
    for part, words in zip((error.happened, error.expected, error.remedy), answers, strict=True):
        assert words in part
    assert str(error) == f"{error.happened}\n  expected: {error.expected}\n  fix: {error.remedy}"


def test_each_type_rule_is_seen_to_refuse_something() -> None:
    assert {row[0] for row in REFUSED} | set(ELEMENTWISE) == set(REGISTRY) - {op.name for op in LEAVES}


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise_ops_refuse_kinds_that_they_do_not_take(name: str) -> None:
    op, arity = REGISTRY[name], 1 if name not in ARITY_TWO else 2
    taken = {kind for kind, node in {"float": X, "whole": WHOLE, "truth": TRUTH}.items() if accepts(op, node, arity)}
    if name in TAKES["anything"]:
        assert taken == {"float", "whole", "truth"}
    elif name in TAKES["numbers"]:
        assert taken == {"float", "whole"}
    elif name in TAKES["truths"]:
        assert taken == {"truth"}
    else:
        assert taken == {"float"}


ARITY_TWO = {"add", "subtract", "multiply", "divide", "power", "maximum", "minimum", "equal", "not_equal", "less", "less_equal",
             "greater", "greater_equal", "logical_and", "logical_or"}  # fmt: skip


def accepts(op, node: Node, arity: int) -> bool:
    try:
        op(*[node] * arity)
    except DtypeError as error:
        # Any other refusal than this one shows as an op that takes what it should not.
        return f"{op.name} was given {node.type!r}" not in error.happened or "cast" not in error.remedy
    return True


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise_ops_refuse_another_number_of_values(name: str) -> None:
    arity = 2 if name in ARITY_TWO else 1
    node = TRUTH if name in TAKES["truths"] else X
    with pytest.raises(GraphError, match=f"{name} was given {arity + 1} values\n  expected: {arity}\n"):
        REGISTRY[name](*[node] * (arity + 1))


@pytest.mark.parametrize("name", sorted(ARITY_TWO - TAKES["truths"]))
def test_ops_of_two_refuse_two_dtypes_and_shapes_that_do_not_fit(name: str) -> None:
    op = REGISTRY[name]
    with pytest.raises(DtypeError, match=r"one dtype on all inputs\n  fix: convert one of them with cast"):
        op(X, HALF)
    with pytest.raises(ShapeError, match="aligned at the last axis"):
        op(X, input_node("y", (3, 2)))


def test_shapes_that_do_not_fit_are_drawn_one_above_the_other() -> None:
    with pytest.raises(ShapeError) as caught:
        input_node("a", (10, 64, 3)) + input_node("b", (32, 3))
    assert caught.value.happened == (
        "shapes that do not fit together, aligned at the last axis:\n"
        "      (10, 64, 3)\n"
        "          (32, 3)"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("left", "right", "drawing"),
    [
        ((32, 784), (16, 10), "      (32, 784) @ (16, 10)\n           ^^^     ^^   784 is not 16"),
        ((5, 2, 3), (5, 4, 2), "      (5, 2, 3) @ (5, 4, 2)\n             ^        ^   3 is not 4"),
        ((2, 3), (100, 3), "      (2, 3) @ (100, 3)\n          ^     ^^^   3 is not 100"),
    ],
)
def test_matrices_that_do_not_fit_are_drawn_with_marks_below_the_inner_extents(left, right, drawing: str) -> None:
    with pytest.raises(ShapeError) as caught:
        input_node("x", left) @ input_node("W", right)
    assert caught.value.happened.partition("\n")[2] == drawing
    head, marks = drawing.splitlines()
    inner = [(i, letter) for i, letter in enumerate(marks.partition("   ")[0]) if letter == "^"]
    assert all(head[i].isdigit() for i, _ in inner)
    first = marks.index("^")
    assert head[first:].startswith(f"{left[-1]})")


def test_batches_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ShapeError, match="aligned at the last axis"):
        input_node("x", (5, 2, 3)) @ input_node("y", (4, 3, 2))


@pytest.mark.parametrize("number", [0.5, 2**70, float("nan"), float("inf")])
def test_a_number_that_would_be_changed_beside_whole_numbers_is_refused(number: float) -> None:
    with pytest.raises(DtypeError, match=r"(?s)stands beside int64 numbers.*holds without a change.*cast"):
        WHOLE * number
    assert (X * number).dtype == "float64"


def test_whole_numbers_and_truths_take_numbers_that_they_can_hold() -> None:
    assert (WHOLE * 2.0).dtype == "int64"
    assert ops.equal(TRUTH, True).dtype == "bool"
    with pytest.raises(DtypeError, match="2 stands beside bool"):
        ops.equal(TRUTH, 2)
    with pytest.raises(DtypeError, match="-1 stands beside uint32"):
        KEY + -1


def test_the_mean_of_nothing_is_refused_and_that_of_whole_numbers_not_rounded() -> None:
    assert ops.mean(WHOLE, axis=0).dtype == "float64"
    assert compute([ops.mean(constant(np.array([255, 254], "uint8")))]) == [254.5]
    with pytest.raises(ShapeError, match=r"mean of float64\[0\]"):
        ops.mean(input_node("e", (0,)))


@pytest.mark.parametrize("places", [[-1], [3], [0, 1, 3]])
def test_a_position_outside_the_axis_is_an_error_when_run(places: list[int]) -> None:
    x = constant([1.0, 2.0, 3.0])
    node = constant(places)
    for out in (ops.gather(x, node, axis=0), ops.scatter_add(x, node, constant(np.ones(len(places))), axis=0)):
        with pytest.raises(IndexError, match=r"outside 0 \.\.\. 2"):
            compute([out])


INNER = {"decompose", "loop_key", "simplify_algebra", "split_values", "threefry2x32", "unroll"}
"""Parts of engines, which are called with graphs and loops that are there."""


@pytest.mark.parametrize("name", sorted({name for name in ops.__all__ if inspect.isfunction(getattr(ops, name))} - INNER))
def test_a_function_of_the_room_refuses_what_is_no_value(name: str) -> None:
    function = getattr(ops, name)
    parts = [part for part in inspect.signature(function).parameters.values() if part.default is inspect.Parameter.empty]
    given = [object() for part in parts if part.kind in {part.POSITIONAL_ONLY, part.POSITIONAL_OR_KEYWORD}]
    with pytest.raises(ChainruleError):
        function(*given)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: ops.uniform(KEY, (2,), low="0"),
        lambda: ops.uniform(KEY, (2,), high=float("nan")),
        lambda: ops.normal(KEY, (2,), mean=None),
        lambda: ops.normal(KEY, (2,), std=-1.0),
        lambda: ops.random.key(-1),
        lambda: ops.random.key(0.5),
    ],
)
def test_numbers_that_random_ones_are_drawn_by_are_refused_by_name(ask: Callable[[], Node]) -> None:
    with pytest.raises(OptionError):
        ask()
