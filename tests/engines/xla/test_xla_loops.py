"""Loops of the xla engine: random ones against the reference engine, calls that are cut, tables that change, rows in blocks."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("jax", reason="the xla engine needs JAX")

from chainrule import ops
from chainrule.engines import HostState, Loop, ReferenceEngine
from chainrule.engines.xla import loop as module
from chainrule.engines.xla.engine import XlaEngine
from chainrule.errors import GraphError, PositionError, ShapeError
from chainrule.graph import Graph, input_node, parameter

sys.path.insert(0, str(Path(__file__).parents[2] / "campaign"))
from random_loops import random_loop

TABLE = np.arange(40.0).reshape(20, 2)


def engine() -> XlaEngine:
    return XlaEngine(ReferenceEngine())


def summing(*, in_order: bool, table: np.ndarray = TABLE) -> Loop:
    """A state that adds up the rows it has seen, beside the rows themselves; for batches of 3 and of 1."""
    graphs = {}
    for size in (3, 1):
        x, total = input_node("x", (size, *table.shape[1:]), "float64"), parameter("total", table.shape[1:], "float64")
        after = total + ops.sum(x, 0)
        graphs[size] = Graph({"total": after, "seen": ops.sum(after), "doubled": x * 2.0})
    return Loop(graphs, {"x": "table"}, ("total",), (), ("seen",), ("doubled",), in_order)


@pytest.mark.parametrize("seed", [1, 4])
def test_state_records_and_rows_of_a_random_loop(seed: int) -> None:
    drawn = random_loop(seed)
    results: list[dict[str, np.ndarray]] = []
    for each in (ReferenceEngine(), engine()):
        program = each.compile_loop(drawn.loop, drawn.tables, drawn.replicas)
        state = program.load(drawn.fresh_state())
        left = program.run(state, drawn.order, drawn.sizes, drawn.scalars)
        results.append({**state.arrays(), **left.records, **left.stacked})
    for name, wanted in results[0].items():
        np.testing.assert_allclose(results[1][name], wanted, rtol=1e-12, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("in_order", [True, False])
def test_a_call_is_cut_where_there_is_no_room_and_sizes_may_rise_again(in_order: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_STEPS", 4)
    monkeypatch.setattr(module, "MOST_ROWS", 7)
    loop, sizes = summing(in_order=in_order), np.array([3, 1, 3, 3, 1, 1, 3])
    order = np.arange(15)[None] if in_order else np.random.default_rng(0).integers(0, 20, (1, 15))
    found = []
    for each in (ReferenceEngine(), engine()):
        program = each.compile_loop(loop, {"table": TABLE}, 1)
        state = program.load({"total": np.zeros((1, 2))})
        for _ in range(2):
            results = program.run(state, order, sizes, {})
            found.append((state.arrays()["total"].copy(), results.records["seen"], results.stacked["doubled"]))
    for wanted, other in zip(found[:2], found[2:], strict=True):
        for one, two in zip(wanted, other, strict=True):
            np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("in_order", [True, False])
def test_a_prepared_call_finds_what_tables_hold_by_then(in_order: bool) -> None:
    table = TABLE.copy()
    program = engine().compile_loop(summing(in_order=in_order), {"table": table}, 1)
    state = program.load({"total": np.zeros((1, 2))})
    again = program.prepared(state, np.arange(4)[None], np.array([3, 1]), {})
    np.testing.assert_array_equal(again().stacked["doubled"][0], 2 * table[:4])
    table += 1.0
    np.testing.assert_array_equal(again().stacked["doubled"][0], 2 * table[:4])
    other = program.over({"table": np.full((50, 2), 7.0)})
    other.run(state, np.arange(6)[None], np.array([3, 3]), {})
    np.testing.assert_array_equal(state.arrays()["total"][0], TABLE[:4].sum(0) * 2 + 4 + 42)


def test_what_does_not_fit_a_run_is_refused() -> None:
    program = engine().compile_loop(summing(in_order=False), {"table": TABLE}, 1)
    state = program.load({"total": np.zeros((1, 2))})
    with pytest.raises(GraphError, match=r"rows 20 \.\.\. 20"):
        program.run(state, np.full((1, 3), 20), np.array([3]), {})
    with pytest.raises(GraphError, match="batches of"):
        program.run(state, np.zeros((1, 2), np.int64), np.array([2]), {})
    with pytest.raises(ShapeError, match="state total"):
        program.run(program.load({"total": np.zeros((1, 3))}), np.zeros((1, 3), np.int64), np.array([3]), {})
    with pytest.raises(TypeError, match="load"):
        program.run(HostState({"total": np.zeros((1, 2))}), np.zeros((1, 3), np.int64), np.array([3]), {})


def test_a_position_is_named_from_the_middle_of_a_call() -> None:
    ids = np.array([0, 1, 2, 1, 9, 0])
    i, table = input_node("i", (1,), "int64"), parameter("w", (3, 2), "float64")
    step = Graph({"w": table * 2.0, "taken": ops.gather(table, i, axis=0)})
    told = []
    for each in (engine(), ReferenceEngine()):
        for in_order in (True, False):
            loop = Loop({1: step}, {"i": "ids"}, ("w",), (), (), ("taken",), in_order)
            program = each.compile_loop(loop, {"ids": ids}, 1)
            with pytest.raises(PositionError) as error:
                program.run(program.load({"w": np.ones((1, 3, 2))}), np.arange(6)[None], np.ones(6, np.int64), {})
            told.append(str(error.value))
    assert len(set(told)) == 1
    assert "9" in told[0]
