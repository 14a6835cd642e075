"""Loops over time by rows: cut where no row looks at another, and nowhere else; no bit changes, whoever does the pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import forget

from chainrule import ops
from chainrule.derivatives import require_gradients
from chainrule.engines import ReferenceEngine
from chainrule.engines.native import module, rows, steps
from chainrule.engines.native.engine import NativeEngine
from chainrule.engines.native.kernels import Buffer, Instruction, Kernel, KernelBody, MemoryPlace, Scatter, Store, Turns
from chainrule.engines.native.rows import LARGEST_WEIGHTS
from chainrule.graph import Array, Graph, Node, Type, constant, input_node

ROWS, UNITS, TURNS = 32, 16, 40
Turn = Callable[..., Node]
Values = dict[str, Array]


def looped(turn: Turn, count: int = ROWS, units: int = UNITS, *, reverse: bool = False) -> Graph:
    """All states of a loop over time, and the derivative of their sum by the first one: a loop that runs back."""
    h, x, u = input_node("h", (count, units)), input_node("x", (TURNS, count, units)), input_node("u", (units, units))
    loop = ops.recurrence(lambda h, x, u: {"h": turn(h, x, u)}, {"h": h}, {"x": x}, {"u": u}, reverse=reverse)
    return Graph({"after": loop.after("h"), "slope": require_gradients(ops.sum(loop.after("h")), [h])[0]})


def values(count: int = ROWS, units: int = UNITS) -> Values:
    random = np.random.default_rng(count)
    shapes = {"h": (count, units), "x": (TURNS, count, units), "u": (units, units)}
    return {name: random.normal(size=shape) * (0.3 if name == "u" else 1) for name, shape in shapes.items()}


def pieces(graph: Graph) -> int:
    """How many loops of its are cut by rows."""
    return NativeEngine().compile(graph).program.code.module.schedule_text().count("for p < ")


def whole(graph: Graph, given: Values) -> Values:
    """What it computes where no loop is cut."""
    forget()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "in_row_pieces", _as_it_is)
        found = NativeEngine(1).compile(graph)(given)
    forget()
    return found


def _as_it_is(kernel: Kernel) -> Kernel:
    return kernel


@pytest.fixture(autouse=True)
def _worth_it(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Loops of the tests' size are shared too."""
    for where in (steps, rows):
        monkeypatch.setattr(where, "SHARED_COST", 10_000)
    forget()
    yield
    forget()


def shifted(h: Node) -> Node:
    """Each row where the next one stood."""
    return ops.concatenate(ops.slice_axis(h, 0, 1, h.shape[0]), ops.slice_axis(h, 0, 0, 1), axis=0)


APART: dict[str, Turn] = {
    "cell": lambda h, x, u: ops.tanh(h @ u + x),
    "no product": lambda h, x, u: ops.tanh(h * 0.5 + x) * x,
    "two products": lambda h, x, u: ops.tanh(ops.tanh(h @ u) @ u + x),
    "entries of a row together": lambda h, x, u: ops.tanh((h - ops.mean(h, 1, keepdims=True)) @ u + x),
    "halves of a row": lambda h, x, u: ops.concatenate(
        ops.tanh(ops.slice_axis(h @ u, 1, 8, UNITS)), ops.slice_axis(h + x, 1, 0, 8) * 0.5, axis=1
    ),
    "one row for all": lambda h, x, u: ops.tanh(h @ u + x + ops.slice_axis(u, 0, 0, 1)),
}
TOGETHER: dict[str, Turn] = {
    "mean of all rows": lambda h, x, u: ops.tanh(h @ u + x - ops.mean(h, 0, keepdims=True)),
    "rows move on": lambda h, x, u: ops.tanh(shifted(h) @ u + x),
    "rows turned over": lambda h, x, u: ops.tanh(ops.flip(h, axes=(0,)) + x),
    "rows weigh rows": lambda h, x, u: ops.tanh(ops.softmax(h @ ops.transpose(h), axis=1) @ h * 0.5 + x),
    "halves of the rows exchanged": lambda h, x, u: ops.tanh(
        ops.concatenate(ops.slice_axis(h @ u, 0, 16, ROWS), ops.slice_axis(h @ u, 0, 0, 16), axis=0) + x
    ),
    "first row for all": lambda h, x, u: ops.tanh(h + x + ops.slice_axis(h, 0, 0, 1)),
}


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("name", [*APART, *TOGETHER])
def test_pieces_change_no_bit_whoever_does_them(name, reverse):
    graph, given = looped((APART | TOGETHER)[name], reverse=reverse), values()
    first = whole(graph, given)
    exact = ReferenceEngine().compile(graph)(given)
    assert pieces(graph) == (2 if name in APART else 0)
    for threads in (1, 2, 3, 16):
        found = NativeEngine(threads).compile(graph)(given)
        for output, expected in first.items():
            np.testing.assert_array_equal(found[output], expected)
            np.testing.assert_allclose(expected, exact[output], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", APART)
def test_a_piece_stays_in_its_memory(name):
    graph, given = looped(APART[name]), values()
    found = NativeEngine(2, is_guarded=True).compile(graph)(given)
    for output, expected in whole(graph, given).items():
        np.testing.assert_array_equal(found[output], expected)


@pytest.mark.parametrize(("count", "cut"), [(7, 0), (16, 2), (17, 0), (24, 2), (32, 2), (50, 2), (96, 2), (97, 0), (256, 2)])
def test_rows_are_cut_into_equal_pieces_or_not_at_all(count, cut):
    graph, given = looped(APART["cell"], count), values(count)
    assert pieces(graph) == cut
    found = NativeEngine(2).compile(graph)(given)
    for output, expected in whole(graph, given).items():
        np.testing.assert_array_equal(found[output], expected)


def test_large_weights_are_read_by_all_rows_together():
    units = int(np.sqrt(LARGEST_WEIGHTS / 8))
    assert pieces(looped(APART["cell"], 16, units)) == 2
    assert pieces(looped(APART["cell"], 16, units + 8)) == 0


# ---- places, by hand


def by_hand(
    read: tuple[int, ...],
    *,
    turn: int = ROWS * UNITS,
    number: tuple[int, ...] = (0, 0, 1),
    second: tuple[int, ...] | None = None,
    op: str = "load",
    kind: str = "arena",
    core: Scatter | None = None,
) -> int:
    """Into how many pieces a loop is cut whose kernels write row after row, and read these entries of the turn before."""
    memory = Buffer("memory", Type("float32", ((TURNS + 1) * ROWS * UNITS,)), kind)
    now, after = (
        Buffer(name, memory.type, "part", whole=memory, start=start, turn=turn)
        for name, start in (("now", 0), ("after", ROWS * UNITS))
    )
    here = MemoryPlace(after, (0, UNITS, 1))
    attributes = {"stride": 1, "extent": 1, "from": "int64"} if op == "fetch" else {}
    lines = [
        Instruction("index", "int64", attributes={"at": number}),
        Instruction(op, "float32", (0,) if op == "fetch" else (), MemoryPlace(now, read), attributes),
    ]
    kernels = [Kernel("rows", (ROWS, UNITS), KernelBody(lines, [Store(1, here)]), core)]
    if second:
        line = Instruction("load", "float32", place=MemoryPlace(now, second))
        kernels.append(Kernel("again", (ROWS, UNITS), KernelBody([line], [Store(0, here)])))
    found = rows.in_row_pieces(Kernel("loop", (), KernelBody(), Turns(TURNS, kernels))).core
    assert isinstance(found, Turns)
    return found.pieces


@pytest.mark.parametrize(
    ("how", "cut"),
    [
        ({"read": (0, UNITS, 1)}, 2),
        ({"read": (0, UNITS, 0)}, 2),
        ({"read": (5, UNITS, 0)}, 2),
        ({"read": (8, UNITS, 1)}, 1),  # ends in the next row
        ({"read": (UNITS, UNITS, 1)}, 1),  # the next row
        ({"read": (0, 1, ROWS)}, 1),  # a row of the transposed
        ({"read": (0, 2 * UNITS, 1)}, 1),
        ({"read": (0, 0, 1)}, 1),  # the same row for all
        ({"read": (UNITS - 1, UNITS, -1)}, 1),
        ({"read": (0, UNITS, 1), "turn": ROWS * UNITS + UNITS}, 1),  # rows that move on with the turns
        ({"read": (0, UNITS, 1), "number": (0, 1, 0)}, 1),  # computes with the row's number
        ({"read": (0, UNITS, 1), "kind": "state"}, 1),  # the caller's memory, which another buffer may stand for too
        ({"read": (0, UNITS, 1), "core": Scatter()}, 2),
        ({"read": (0, UNITS, 1), "core": Scatter(position=0)}, 1),
        ({"read": (0, UNITS, 1), "op": "fetch"}, 1),  # an entry that the numbers say
        ({"read": (0, UNITS, 1), "second": (0, UNITS, 1)}, 2),
        ({"read": (0, UNITS, 1), "second": (0, 1, ROWS)}, 1),
    ],
)
def test_a_loop_is_cut_where_each_place_lies_in_its_own_row(how, cut):
    assert by_hand(**how) == cut


# ---- any loop at all

_leaves = st.sampled_from(["h", "x", "1"])
_trees = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.tuples(
            st.sampled_from(["tanh", "sigmoid", "u", "mean0", "mean1", "shift", "flip0", "flip1", "turn", "halves", "row0"]),
            inner,
        ),
        st.tuples(st.sampled_from(["+", "*", "max"]), inner, inner),
    ),
    max_leaves=6,
)
ONE: dict[str, Callable[[Node, Node], Node]] = {
    "tanh": lambda a, u: ops.tanh(a),
    "sigmoid": lambda a, u: ops.sigmoid(a),
    "u": lambda a, u: a @ u,
    "mean0": lambda a, u: ops.mean(a, 0, keepdims=True) + a * 0.5,
    "mean1": lambda a, u: ops.mean(a, 1, keepdims=True) - a,
    "shift": lambda a, u: shifted(a),
    "flip0": lambda a, u: ops.flip(a, axes=(0,)),
    "flip1": lambda a, u: ops.flip(a, axes=(1,)),
    "turn": lambda a, u: ops.reshape(ops.transpose(a), shape=a.shape),
    "halves": lambda a, u: ops.concatenate(ops.slice_axis(a, 1, 8, UNITS), ops.slice_axis(a, 1, 0, 8), axis=1),
    "row0": lambda a, u: a + ops.slice_axis(a, 0, 0, 1),
}
TWO: dict[str, Callable[[Node, Node], Node]] = {"+": lambda a, b: a + b, "*": lambda a, b: a * b, "max": ops.maximum}


def written(tree: object, h: Node, x: Node, u: Node) -> Node:
    match tree:
        case str():
            return {"h": h, "x": x, "1": constant(np.ones(h.shape))}[tree]
        case (how, a):
            return ONE[how](written(a, h, x, u), u)
        case (how, a, b):
            return TWO[how](written(a, h, x, u), written(b, h, x, u))
    raise AssertionError(tree)


@settings(max_examples=40)
@given(_trees, st.booleans())
def test_any_loop_gives_the_same_bits_in_pieces(tree, reverse):
    graph = looped(lambda h, x, u: ops.tanh(written(tree, h, x, u) + 0.3 * h), reverse=reverse)
    expected, found = whole(graph, values()), NativeEngine(2).compile(graph)(values())
    for output in expected:
        np.testing.assert_array_equal(found[output], expected[output])
