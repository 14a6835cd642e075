"""Folded graphs are read from top to bottom: no arrow between boxes runs upwards, whatever is folded."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.graph import Graph, constant, input_node, run_passes, scope
from chainrule.ops import SIMPLIFICATIONS
from chainrule.views.drawing import draw_graph, open_enough

NORMALISED = cr.Sequential(cr.Dense(4, "relu"), cr.BatchNorm(), cr.Dense(2, "softmax"))


def upwards(graph: Graph, unfold: object) -> list[tuple[str, str]]:
    drawn = draw_graph(graph, unfold=unfold)  # type: ignore[arg-type]
    boxes, rank = drawn.folded.boxes, drawn.layout.rank
    return [(boxes[a.tail].scope, boxes[a.head].scope) for a in drawn.folded.arrows if rank[a.tail] >= rank[a.head]]


@pytest.mark.parametrize("net", ["2-4-4-2 relu softmax", NORMALISED, "2-3-1 tanh sigmoid"])
@pytest.mark.parametrize("optimizer", [cr.SGD(0.1), cr.Adam()])
def test_no_arrow_of_a_training_step_runs_upwards(net: object, optimizer: object) -> None:
    built = cr.fit(net, cr.data.moons(20), optimizer=optimizer, epochs=0).graph("step")  # type: ignore[arg-type]
    for graph in (built, run_passes(built, SIMPLIFICATIONS)[0]):
        for unfold in ((), open_enough(graph)):
            assert upwards(graph, unfold) == []


def test_a_scope_that_others_stand_between_has_a_box_to_each_part() -> None:
    x = input_node("x")
    with scope("one"):
        a = cr.ops.sin(x) + constant(1.0)
    with scope("two"):
        b = cr.ops.exp(a) * a
    with scope("one"):
        c = cr.ops.cos(b) * b
    drawn = draw_graph(Graph({"c": c}))
    named = [box.scope for box in drawn.folded.boxes if box.kind == "folded"]
    assert named == ["one (part 1 of 2)", "two", "one (part 2 of 2)"]
    assert upwards(Graph({"c": c}), ()) == []
    # All nodes are drawn, once.
    assert sorted(drawn.arrays()["node"][:, 0].tolist()) == list(range(1, len(Graph({"c": c}).nodes) + 1))
    assert np.all(np.diff(drawn.layout.centres[:, 1]) > 0)
