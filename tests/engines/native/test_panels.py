"""Weights in panels: written once before a loop over time, where they are large and the same at every turn; no bit changes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from programs import forget

from chainrule import ops
from chainrule.derivatives import require_gradients
from chainrule.engines.native import module
from chainrule.engines.native.engine import NativeEngine
from chainrule.graph import Array, Graph, input_node

TURNS = 6


@pytest.fixture(autouse=True)
def _afresh() -> Iterator[None]:
    forget()
    yield
    forget()


def looped(rows: int, units: int, dtype: str, turns: int = TURNS) -> Graph:
    """A loop that multiplies by the same matrix at every turn, and the one that runs back, which multiplies by its transpose."""
    h, x = input_node("h", (rows, units), dtype), input_node("x", (turns, rows, units), dtype)
    u = input_node("u", (units, units), dtype)
    loop = ops.recurrence(lambda h, x, u: {"h": ops.tanh(h @ u + x)}, {"h": h}, {"x": x}, {"u": u})
    cost = ops.sum(loop.after("h"))
    return Graph({"after": loop.after("h"), **dict(zip("hu", require_gradients(cost, [h, u]), strict=True))})


def values(rows: int, units: int, dtype: str, turns: int = TURNS) -> dict[str, Array]:
    random = np.random.default_rng(units)
    shapes = {"h": (rows, units), "x": (turns, rows, units), "u": (units, units)}
    return {name: (random.normal(size=shape) * (0.1 if name == "u" else 1)).astype(dtype) for name, shape in shapes.items()}


def text(graph: Graph) -> str:
    return NativeEngine().compile(graph).program.code.module.schedule_text()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("rows", "units"), [(32, 128), (5, 99), (33, 150), (1, 131), (64, 97)])
def test_panels_change_no_bit(rows, units, dtype, monkeypatch):
    graph, given = looped(rows, units, dtype), values(rows, units, dtype)
    assert text(graph).count(" in panels[") >= 2  # forwards and back
    found = [NativeEngine(threads).compile(graph)(given) for threads in (1, 2, 3)]
    guarded = NativeEngine(2, is_guarded=True).compile(graph)(given)
    monkeypatch.setattr(module, "in_panels", lambda kernel, *_: iter([kernel]))
    forget()
    assert " in panels[" not in text(graph)
    plain = NativeEngine(1).compile(graph)(given)
    for other in (*found, guarded):
        for name, expected in plain.items():
            np.testing.assert_array_equal(other[name], expected)


def test_in_panels_stand_large_matrices_that_stay_the_same():
    assert " in panels[" not in text(looped(32, 64, "float32"))  # small
    assert " in panels[" not in text(looped(32, 128, "float32", turns=3))  # not read often
    h, x, w = input_node("h", (32, 128)), input_node("x", (TURNS, 128, 128)), input_node("w", (128, 128))
    moving = ops.recurrence(lambda h, x: {"h": ops.tanh(h @ x)}, {"h": h}, {"x": x})
    assert " in panels[" not in text(Graph({"after": moving.after("h")}))  # another one at each turn
    learned = ops.recurrence(
        lambda h, w: {"h": ops.tanh(h @ w), "w": w * 0.5 + ops.transpose(h) @ h}, {"h": h, "w": w}, length=TURNS
    )
    assert " in panels[" not in text(Graph({"after": learned.after("w")}))  # a state
