"""Schedules of small steps, to the letter; and of random ones: all outputs written, once, and nothing read that is not there."""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest
from walks import NOBODY, Walk

import chainrule as cr
from chainrule import ops
from chainrule.derivatives import grad
from chainrule.engines import Loop
from chainrule.engines.native.collapse import collapsed
from chainrule.engines.native.kernels import Reduction
from chainrule.engines.native.passes import NATIVE_PASSES
from chainrule.engines.native.schedule import KernelSchedule, schedule
from chainrule.graph import Graph, Node, constant, input_node, parameter, run_passes

sys.path.insert(0, str(Path(__file__).parents[2] / "campaign"))
from random_loops import random_loop

ROWS, STATE = 4, ("W", "b")
x = input_node("x", (ROWS, 3), "float32")
W, b = parameter("W", (3, 5), "float32"), parameter("b", (5,), "float32")


def scheduled(outputs: dict[str, Node], rows: str = "", **roles: tuple[str, ...]) -> KernelSchedule:
    """The schedule of a step with these outputs; the leaves in `rows` come from tables of their names."""
    loop = Loop({ROWS: Graph(outputs)}, {name: name for name in rows.split()}, **roles)
    return schedule(run_passes(Graph(outputs), NATIVE_PASSES)[0], loop)


def same_text(found: object, wanted: str) -> None:
    assert str(found) == dedent(wanted).strip("\n")


# ---- to the letter


def test_bias_and_activation_stand_behind_the_product_of_a_dense_layer():
    a = ops.relu(ops.matmul(x, W) + b)
    same_text(
        scheduled({"a": a}, "x", state=STATE, stacked=("a",)),
        """
        x: for i < 4, j < 3
          v0 = x[order[i], j]
          x[i·3 + j] := v0
        %3: for i < 4, j < 5
          core = Σ k < 3: x[i·3 + k] · W[j + k·5]
          v0 = core
          v1 = b[j]
          v2 = add(v0, v1)
          v3 = relu(v2)
          a[i·5 + j] := v3
        """,
    )


def test_softmax_and_cross_entropy_are_three_reductions_that_keep_what_the_next_one_needs():
    z, y = input_node("z", (ROWS, 5), "float32"), input_node("y", (ROWS,), "int64")
    hot = ops.one_hot(y, classes=5, dtype="float32")
    loss = ops.mean(-ops.sum(hot * ops.log(cr.nn.softmax(z)), 1))
    same_text(
        scheduled({"loss": loss}, "y", state=("z",), records=("loss",)),
        """
        y: for i < 4
          v0 = y[order[i], 0]
          y[i] := v0
        %1: for i < 4
          reduce for j < 5
            t0 = z[i·5 + j]
            core = reduce_max(t0)
          v0 = core
          %1[i] := v0
        %5, %6: for i < 4
          reduce for j < 5
            t0 = z[i·5 + j]
            t1 = %1[i]
            t2 = subtract(t0, t1)
            t3 = exp(t2)
            %5[i·5 + j] := t3
            core = reduce_sum(t3)
          v0 = core
          %6[i] := v0
        %12: for i < 4
          reduce for j < 5
            t0 = j
            t1 = y[i]
            t2 = one_hot(t1, t0)
            t3 = %5[i·5 + j]
            t4 = %6[i]
            t5 = divide(t3, t4)
            t6 = log(t5)
            t7 = multiply(t2, t6)
            core = reduce_sum(t7)
          v0 = core
          %12[i] := v0
        %16: once
          reduce for i < 4
            t0 = %12[i]
            t1 = negative(t0)
            core = reduce_sum(t1)
          v0 = core
          v1 = 0.25
          v2 = multiply(v0, v1)
          loss[0] := v2
        """,
    )


def test_an_update_rides_on_the_product_that_makes_its_gradient_and_takes_the_old_weights_place():
    h, g, rate = input_node("h", (ROWS, 3), "float32"), input_node("g", (ROWS, 5), "float32"), input_node("rate")
    (by_w,) = grad(ops.sum(ops.matmul(h, W) * g), [W])
    assert by_w is not None
    found = scheduled({"W": W - ops.cast(rate, dtype="float32") * by_w}, "h g", state=("W",), scalars=("rate",))
    same_text(
        found,
        """
        %0: once
          v0 = rate[0]
          v1 = float32(v0)
          %0[0] := v1
        h: for i < 4, j < 3
          v0 = h[order[i], j]
          h[i·3 + j] := v0
        g: for i < 4, j < 5
          v0 = g[order[i], j]
          g[i·5 + j] := v0
        %5: for i < 3, j < 5
          core = Σ k < 4: h[i + k·3] · g[j + k·5]
          v0 = W[i·5 + j]
          v1 = %0[0]
          v2 = core
          v3 = multiply(v1, v2)
          v4 = subtract(v0, v3)
          W[i·5 + j] := v4
        """,
    )
    assert [buffer.kind for buffer in found.kernels[-1].writes] == ["state"]


def test_bytes_of_a_table_are_gathered_converted_and_scaled_at_once():
    pixels = input_node("pixels", (ROWS, 6), "uint8")
    same_text(
        scheduled({"scaled": ops.cast(pixels, dtype="float32") * 0.5}, "pixels", stacked=("scaled",)),
        """
        %3: for i < 4, j < 6
          v0 = pixels[order[i], j]
          v1 = float32(v0)
          v2 = 0.5
          v3 = multiply(v1, v2)
          scaled[i·6 + j] := v3
        """,
    )


def test_two_sums_over_the_same_rows_share_one_loop():
    y = input_node("y", (ROWS, 6))
    found = scheduled({"sum": ops.sum(y, 0), "squares": ops.sum(y * y, 0)}, "y", records=("sum", "squares"))
    same_text(
        found,
        """
        %0, %2: for i < 6
          reduce for j < 4
            t0 = y[order[j], i]
            t1 = multiply(t0, t0)
            core = reduce_sum(t1)
            core1 = reduce_sum(t0)
          v0 = core1
          v1 = core
          sum[i] := v0
          squares[i] := v1
        """,
    )
    (kernel,) = found.kernels
    assert isinstance(kernel.core, Reduction)
    assert not kernel.core.along  # the sums of six columns stand side by side in the lanes


def test_state_that_changes_places_waits_in_memory_of_the_engine_until_the_end():
    one, other = input_node("a", (3,)), input_node("b", (3,))
    found = scheduled({"a": other, "b": one}, state=("a", "b"))
    same_text(
        found,
        """
        b: for i < 3
          v0 = a[i]
          b[i] := v0
        a: for i < 3
          v0 = b[i]
          a[i] := v0
        b ← b: for i < 3
          v0 = b[i]
          b[i] := v0
        """,
    )
    kinds = [(kernel.reads[0].kind, kernel.writes[0].kind) for kernel in found.kernels]
    assert kinds == [("state", "arena"), ("state", "state"), ("arena", "state")]
    Walk(found.kernels).run()


def test_state_that_its_own_update_reads_only_where_it_writes_needs_no_copy():
    one, other = input_node("a", (3,)), input_node("b", (3,))
    found = scheduled({"a": one * 0.5 + other, "b": one - other}, state=("a", "b"))
    assert [[buffer.kind for buffer in kernel.writes] for kernel in found.kernels].count(["state"]) == len(found.kernels) - 1
    only = scheduled({"a": one * 0.5 + other}, state=("a", "b"))
    assert [buffer.kind for kernel in only.kernels for buffer in kernel.writes] == ["state"]


def test_outputs_that_are_leaves_views_constants_or_one_node_twice_are_each_written():
    v = input_node("v", (2, 3))
    twice = v * 2.0
    outputs = {
        "leaf": v,
        "view": ops.transpose(v, axes=(1, 0)),
        "number": constant(3.0),
        "table": constant(np.arange(6.0).reshape(2, 3)),
        "one": twice,
        "two": twice,
        "turned": ops.transpose(twice, axes=(1, 0)),
        "nothing": ops.slice_axis(v, 0, 2, 2),
    }
    same_text(
        scheduled(outputs, state=("v",), records=tuple(outputs)),
        """
        leaf: for i < 2, j < 3
          v0 = v[i·3 + j]
          leaf[i·3 + j] := v0
        view: for i < 3, j < 2
          v0 = v[i + j·3]
          view[i·2 + j] := v0
        number: once
          v0 = 3.0
          number[0] := v0
        table: for i < 2, j < 3
          v0 = %2[i·3 + j]
          table[i·3 + j] := v0
        %5, two: for i < 2, j < 3
          v0 = v[i·3 + j]
          v1 = 2.0
          v2 = multiply(v0, v1)
          one[i·3 + j] := v2
          two[i·3 + j] := v2
        turned: for i < 3, j < 2
          v0 = one[i + j·3]
          turned[i·2 + j] := v0
        """,
    )


def test_pieces_that_are_put_together_and_numbers_that_are_added_up_by_position():
    v, places = input_node("v", (2, 3)), constant(np.array([2, 0]))
    joined = ops.concatenate(v, ops.slice_axis(v, 0, 0, 1), axis=0)
    added = ops.scatter_add(constant(np.zeros((4, 3))), places, v, axis=0)
    outputs = {"joined": joined, "picked": ops.gather(v, constant(np.array([1, 1, 0])), axis=1), "added": added}
    same_text(
        scheduled(outputs, state=("v",), records=tuple(outputs)),
        """
        %1 part 0: for i < 2, j < 3
          v0 = v[i·3 + j]
          joined[i·3 + j] := v0
        %1 part 1: for i < 3
          v0 = v[i]
          joined[i + 6] := v0
        %3: for i < 2, j < 3
          v0 = %2[j]
          v1 = v[i·3] at v0·1
          picked[i·3 + j] := v1
        %6 start: for i < 4, j < 3
          v0 = 0.0
          added[i·3 + j] := v0
        %6: for i < 2, j < 3
          v0 = v[i·3 + j]
          v1 = %5[i]
          added[j] at v1·3 += v0
        """,
    )


# ---- what once went wrong


def outputs_written(found: KernelSchedule) -> set[str]:
    return {buffer.name for kernel in found.kernels for buffer in kernel.writes if buffer.kind in {"record", "stacked"}}


def test_a_copy_of_a_sum_is_not_lost_among_sums_over_the_same_loops():
    y = input_node("y", (ROWS, 6))
    outputs = {
        "column": ops.sum(y, 1, keepdims=True),
        "squares": ops.sum(y * y, 1),
        "again": ops.sum(y * 2.0, 1, keepdims=True),
    }
    found = scheduled(outputs, "y", stacked=tuple(outputs))
    assert outputs_written(found) == set(outputs)


@pytest.mark.parametrize("kind", ["pad", "scatter_add"])
def test_state_made_in_several_kernels_does_not_overwrite_what_a_later_one_reads(kind):
    s = input_node("s", (3,))
    first = ops.slice_axis(s, 0, 0, 1)
    new = {
        "pad": lambda: ops.pad(ops.slice_axis(s, 0, 0, 2), low=(0,), high=(1,), interior=(0,)),
        "scatter_add": lambda: ops.scatter_add(s, constant(np.array([0, 0])), ops.broadcast_to(first, shape=(2,)), axis=0),
    }[kind]()
    Walk(scheduled({"s": new}, state=("s",)).kernels).run()


def test_a_product_with_an_empty_constant_has_a_schedule():
    empty = constant(np.zeros((2, 0)))
    found = scheduled({"y": ops.matmul(empty, input_node("e", (0, 3)))}, state=("e",), records=("y",))
    assert outputs_written(found) == {"y"}


def test_kernels_of_very_many_loops_print():
    y = input_node("y", (2,) * 14)
    found = scheduled({"y": ops.transpose(y, axes=tuple(range(13, -1, -1)))}, state=("y",))
    assert len(str(found).splitlines()[1].split("·")) == 14


# ---- random steps


def check(found: KernelSchedule, graph: Graph, loop: Loop) -> None:
    """Walks through the kernels, as they are and with neighbouring loops made one, and looks at what was left in memory."""
    for kernels in (found.kernels, [collapsed(kernel) for kernel in found.kernels]):
        walk = Walk(kernels).run()
        assert all(str(kernel).startswith(f"{kernel.label}: ") for kernel in kernels)
        for name, node in graph.outputs.items():
            kind = "state" if name in loop.state else "stacked" if name in loop.stacked else "record"
            memory = walk.owners.get((kind, name))
            if node.type.size and graph.leaves.get(name) is not node:
                assert memory is not None, f"{name} is nowhere written"
                assert (memory > NOBODY).all(), f"{name} is not wholly written"
        cleared = {id(buffer) for kernel in kernels if kernel.label.endswith(" zeros") for buffer in kernel.writes}
        for buffer in found.buffers:
            if id(buffer) in walk.written.keys() - cleared:
                assert (walk.written[id(buffer)] == 1).all(), f"{buffer.label} is not written once"


@pytest.mark.parametrize("seed", range(40))
def test_random_steps_write_every_output_once_and_read_nothing_before_it_is_written(seed):
    drawn = random_loop(seed, size=12)
    graph = run_passes(drawn.graph, NATIVE_PASSES)[0]
    check(schedule(graph, drawn.loop), graph, drawn.loop)


@pytest.mark.parametrize("optimizer", [cr.SGD(0.1, momentum=0.9), cr.Adam(), cr.AdamW()], ids=lambda o: type(o).__name__)
def test_training_steps_write_every_output_once_and_read_nothing_before_it_is_written(optimizer):
    net = cr.Sequential(cr.Dense(4, "gelu"), cr.Dropout(0.4), cr.Dense(4, "elu"), cr.Dense(2, "softmax"))
    loop = cr.train.LearningProblem(net, cr.data.moons(n=50).info).training_loop(optimizer, {8, 3}, cr.ClipNorm(0.1))
    for step in loop.graphs.values():
        graph = run_passes(step, NATIVE_PASSES)[0]
        found = schedule(graph, loop)
        check(found, graph, loop)
        assert not any("←" in kernel.label for kernel in found.kernels)  # every new value takes the old one's place


def test_random_steps_keep_nothing_in_memory_that_nobody_reads():
    tried = 0
    for seed in range(60):
        drawn = random_loop(seed, size=12)
        graph = run_passes(drawn.graph, NATIVE_PASSES)[0]
        if not all(node.type.size for node in graph.nodes):
            continue  # an empty part of an array is a reader that reads nothing
        kernels = schedule(graph, drawn.loop).kernels
        read = {id(buffer) for kernel in kernels for buffer in kernel.reads}
        idle = [
            buffer.label for kernel in kernels for buffer in kernel.writes if buffer.kind == "arena" and id(buffer) not in read
        ]
        assert not idle, f"seed {seed}"
        tried += 1
    assert tried > 30
