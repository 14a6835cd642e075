"""The buffer plan: what is needed at the same time lies apart, what is done with is taken over, and guards stand between buffers."""

from __future__ import annotations

import sys
from itertools import combinations
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest
from walks import Walk

import chainrule as cr
from chainrule.engines.native.buffers import ALIGNMENT, PAGE, BufferPlan, plan_buffers
from chainrule.engines.native.collapse import collapsed
from chainrule.engines.native.kernels import (
    Buffer,
    Instruction,
    Kernel,
    KernelBody,
    MemoryPlace,
    Product,
    Reduction,
    Result,
    Store,
)
from chainrule.engines.native.passes import NATIVE_PASSES
from chainrule.engines.native.schedule import schedule
from chainrule.graph import Type, run_passes

sys.path.insert(0, str(Path(__file__).parents[2] / "campaign"))
from random_loops import random_loop

COUNT = 100
HERE = (0, 1)
"""Entry i at point i."""


def buffer(label: str, shape: tuple[int, ...] = (COUNT,), dtype: str = "float32", **more: object) -> Buffer:
    return Buffer(label, Type(dtype, shape), **more)


def elementwise(target: Buffer, *sources: Buffer, at: tuple[int, ...] = HERE) -> Kernel:
    """target[i] := the sum of all sources[at]."""
    lines = [Instruction("load", source.type.dtype, place=MemoryPlace(source, at)) for source in sources]
    return Kernel(target.label, (COUNT,), KernelBody(lines, [Store(0, MemoryPlace(target, HERE))]))


def consumed(source: Buffer) -> Kernel:
    """A kernel that reads a buffer into the caller's memory."""
    return elementwise(buffer("result", dtype=source.type.dtype, kind="record", name="result"), source)


def given(label: str = "given") -> Buffer:
    return buffer(label, kind="state", name=label)


# ---- in place


def test_a_chain_of_elementwise_kernels_runs_in_one_place():
    first, second, third = buffer("first"), buffer("second"), buffer("third")
    kernels = [elementwise(first, given()), elementwise(second, first), elementwise(third, second), consumed(third)]
    plan = plan_buffers(kernels)
    assert [b.offset for b in (first, second, third)] == [0, 0, 0]
    assert plan.arena_bytes == 448  # 400, in whole cache lines
    assert len({plan.region(b) for b in (first, second, third)}) == 1
    same_text(
        plan,
        """
        arena 448 bytes, constants 0 bytes
                   0 …        400  first: float32[100], kernels 0 … 1
                   0 …        400  second: float32[100], kernels 1 … 2
                   0 …        400  third: float32[100], kernels 2 … 3
        """,
    )


def same_text(found: object, wanted: str) -> None:
    assert str(found) == dedent(wanted).strip("\n")


def reduced(source: Buffer, target: Buffer) -> Kernel:
    """target[i] := source[i] · Σ over ten numbers of a state."""
    inner = KernelBody([Instruction("load", "float32", place=MemoryPlace(given("other"), (0, 0, 1)))])
    core = Reduction((10,), inner, [Result("reduce_sum", 0)], along=True)
    lines = [
        Instruction("load", "float32", place=MemoryPlace(source, HERE)),
        Instruction("core", "float32"),
        Instruction("multiply", "float32", (0, 1)),
    ]
    return Kernel(target.label, (COUNT,), KernelBody(lines, [Store(2, MemoryPlace(target, HERE))]), core)


def product(target: Buffer, left: Buffer, right: Buffer, added: Buffer) -> Kernel:
    """target := left · right + added, ten by ten."""
    core = Product(10, MemoryPlace(left, (0, 10, 0, 1)), MemoryPlace(right, (0, 0, 1, 10)), "float32")
    lines = [
        Instruction("core", "float32"),
        Instruction("load", "float32", place=MemoryPlace(added, (0, 10, 1))),
        Instruction("add", "float32", (0, 1)),
    ]
    return Kernel(target.label, (10, 10), KernelBody(lines, [Store(2, MemoryPlace(target, (0, 10, 1)))]), core)


APART = {
    "read again later": lambda x, y: [elementwise(y, x), consumed(x)],
    "read at other places": lambda x, y: [elementwise(y, x, at=(COUNT - 1, -1))],
    "read twice": lambda x, y: [elementwise(y, x, x)],
    "one entry for all": lambda x, y: [elementwise(y, x, at=(0, 0))],
    "behind a reduction": lambda x, y: [reduced(x, y)],
    "the left matrix": lambda x, y: [product(y, x, given("right"), given("added"))],
    "the right matrix": lambda x, y: [product(y, given("left"), x, given("added"))],
    "a matrix and what is added to the product": lambda x, y: [product(y, x, given("right"), x)],
}


@pytest.mark.parametrize("name", APART)
def test_a_result_lies_apart_from_an_operand_that_is(name):
    x, y = buffer("x"), buffer("y")
    plan = plan_buffers([elementwise(x, given()), *APART[name](x, y), consumed(y)])
    assert abs(x.offset - y.offset) >= x.nbytes
    assert plan.region(x) != plan.region(y)
    assert plan.arena_bytes == 2 * 448


@pytest.mark.parametrize(("shape", "dtype"), [((COUNT + 1,), "float32"), ((COUNT,), "float64"), ((COUNT,), "int32")])
def test_a_result_of_another_type_lies_apart_from_its_operand(shape, dtype):
    x, y = buffer("x", shape), buffer("y", dtype=dtype)
    plan_buffers([elementwise(x, given()), elementwise(y, x), consumed(y)])
    assert x.offset + x.nbytes <= y.offset or y.offset + y.nbytes <= x.offset


def test_a_result_of_a_product_takes_the_place_of_what_is_added_to_it():
    x, y = buffer("x"), buffer("y")
    plan = plan_buffers([elementwise(x, given()), product(y, given("left"), given("right"), x), consumed(y)])
    assert x.offset == y.offset
    assert plan.region(x) == plan.region(y)


def test_of_two_results_one_takes_the_operands_place():
    x, y, z = buffer("x"), buffer("y"), buffer("z")
    both = elementwise(y, x)
    both.body.stores.append(Store(0, MemoryPlace(z, HERE)))
    plan_buffers([elementwise(x, given()), both, consumed(y), consumed(z)])
    assert y.offset != z.offset
    assert x.offset in {y.offset, z.offset}


def test_memory_is_used_again_when_its_buffer_is_done_with():
    x, y, z = buffer("x"), buffer("y"), buffer("z")
    plan = plan_buffers([elementwise(x, given()), consumed(x), elementwise(y, given()), elementwise(z, y, y), consumed(z)])
    assert plan.arena_bytes == 2 * 448
    assert x.offset in {y.offset, z.offset}


def test_memory_of_the_caller_gets_no_place():
    outside = [buffer(kind, kind=kind, name=kind) for kind in ("state", "rows", "scalar", "record", "stacked")]
    state, rows, scalar, record, stacked = outside
    plan = plan_buffers([elementwise(record, state, rows, scalar), elementwise(stacked, state)])
    assert [b.offset for b in outside] == [-1] * 5
    assert (plan.arena, plan.arena_bytes, plan.constants) == ([], 0, [])


def test_constants_lie_one_behind_the_other_from_where_they_are_told_to():
    one, two = (buffer(label, kind="constant", value=np.zeros(COUNT, "f")) for label in ("one", "two"))
    plan = plan_buffers([elementwise(given(), one, two)], constants_from=128)
    assert (one.offset, two.offset, plan.constant_bytes) == (128, 576, 896)
    same_text(
        plan,
        """
        arena 0 bytes, constants 896 bytes
          constant at 128  one: float32[100]
          constant at 576  two: float32[100]
        """,
    )


# ---- guards


def test_guards_stand_on_both_sides_of_each_buffer_and_no_two_buffers_share_a_page():
    x, y, nothing = buffer("x"), buffer("y", (5000,), "float64"), buffer("nothing", (0,))
    kernels = [elementwise(x, given()), elementwise(y, x), elementwise(nothing, y), consumed(nothing)]
    plan = plan_buffers(kernels, guarded=True, arena_from=3 * PAGE)
    well_guarded(plan, 3 * PAGE)
    same_text(
        BufferPlan(plan.arena[:1], [], plan.arena_bytes, 0, alive=plan.alive),
        f"""
        arena {plan.arena_bytes:,} bytes, constants 0 bytes
          {5 * PAGE - 400:>10,} … {5 * PAGE:>10,}  x: float32[100], kernels 0 … 1
        """,
    )


def well_guarded(plan: BufferPlan, start: int) -> None:
    forbidden = set(plan.forbidden)
    assert len(forbidden) == len(plan.forbidden) == 2 * len(plan.arena)
    assert all(page % PAGE == 0 and start <= page < plan.arena_bytes for page in forbidden)
    taken: set[int] = set()
    for b in plan.arena:
        end = b.offset + b.nbytes
        assert end in forbidden  # the very next byte
        own = set(range(b.offset // PAGE * PAGE, end, PAGE))
        assert (min(own, default=end) - PAGE) in forbidden or not own
        assert not own & (forbidden | taken)
        taken |= own


# ---- random steps


def alive_and_apart(kernels: list[Kernel], plan: BufferPlan) -> None:
    """Buffers that are alive at the same time share no byte, but where the one is written as the other is read for the last time."""
    touched = [{id(b): b for b in (*kernel.reads, *kernel.writes)} for kernel in kernels]
    spans = {
        id(b): [number for number, found in enumerate(touched) if id(b) in found]
        for found in touched
        for b in found.values()
        if b.kind == "arena"
    }
    assert {id(b) for b in plan.arena} == spans.keys()
    for one, other in combinations(plan.arena, 2):
        first, second = sorted((one, other), key=lambda b: spans[id(b)][0])
        shares = one.offset < other.offset + other.nbytes and other.offset < one.offset + one.nbytes
        assert not shares or plan.region(one) == plan.region(other)
        if shares and spans[id(first)][-1] >= spans[id(second)][0]:
            assert spans[id(first)][-1] == spans[id(second)][0], f"{first.label} is needed after {second.label} begins"
            assert (first.offset, first.type) == (second.offset, second.type.with_shape(first.type.shape))
            assert first.nbytes == second.nbytes


def check(kernels: list[Kernel]) -> BufferPlan:
    plan = plan_buffers(kernels)
    alive_and_apart(kernels, plan)
    for b in (*plan.arena, *plan.constants):
        assert b.offset % ALIGNMENT == 0
    assert plan.arena_bytes == max((-(-(b.offset + b.nbytes) // ALIGNMENT) * ALIGNMENT for b in plan.arena), default=0)
    assert sum(max(b.nbytes, 1) for b in plan.constants) <= plan.constant_bytes or not plan.constants
    assert len(str(plan).splitlines()) == 1 + len(plan.arena) + len(plan.constants)
    # No kernel finds anything but what was written for it: the plan, in place or not, keeps every number until its last reader.
    Walk(kernels, offsets=True).run()
    return plan


@pytest.mark.parametrize("seed", range(40))
def test_plans_of_random_steps(seed):
    drawn = random_loop(seed, size=14)
    graph = run_passes(drawn.graph, NATIVE_PASSES)[0]
    kernels = [collapsed(kernel) for kernel in schedule(graph, drawn.loop).kernels]
    packed = check(kernels).arena_bytes
    guarded = plan_buffers(kernels, guarded=True)
    well_guarded(guarded, 0)
    Walk(kernels, offsets=True).run()
    assert guarded.arena_bytes >= packed


@pytest.mark.parametrize("optimizer", [cr.SGD(0.1, momentum=0.9), cr.Adam()], ids=lambda o: type(o).__name__)
def test_plans_of_training_steps(optimizer):
    net = cr.Sequential(cr.Dense(4, "gelu"), cr.Dropout(0.4), cr.Dense(4, "tanh"), cr.Dense(2, "softmax"))
    problem = cr.train.LearningProblem(net, cr.data.moons(n=50).info)
    for loop in (problem.training_loop(optimizer, {8, 3}, cr.ClipNorm(0.1)), problem.evaluation_loop({8, 3})):
        for step in loop.graphs.values():
            graph = run_passes(step, NATIVE_PASSES)[0]
            plan = check([collapsed(kernel) for kernel in schedule(graph, loop).kernels])
            assert plan.arena_bytes < sum(-(-b.nbytes // ALIGNMENT) * ALIGNMENT for b in plan.arena)
