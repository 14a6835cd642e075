"""The debug build: everything passes in it, a step outside a buffer ends the process, and what nobody wrote is NaN."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from processes import printed

import chainrule as cr
from chainrule import ops
from chainrule.engines import Loop
from chainrule.engines.native import guard
from chainrule.engines.native.engine import NativeEngine, module_of
from chainrule.engines.native.guard import PAGE, POISON, guarded, poisoned
from chainrule.engines.native.kernels import Instruction, Kernel
from chainrule.engines.native.program import Code, NativeLoop
from chainrule.graph import Graph, Node, constant, input_node, parameter

pytestmark = pytest.mark.skipif(os.name != "posix", reason="guard pages need mprotect")
SIDES = [0, 1, 2, 15, 16, 17, 33]
"""Around nothing, one number, and vectors of 2, 4, 8, 16 lanes, filled or not."""
GUARDED = NativeEngine(2, is_guarded=True)

IN_A_SCRIPT = """
import os, sys
sys.path.insert(0, {folder!r})
from test_debug_build import *
"""


def script(text: str) -> str:
    """A script that knows what stands here; each of its tries is named before it begins, for it may be the last."""
    return IN_A_SCRIPT.format(folder=str(Path(__file__).parent)) + text


# ---- everything passes in it


def test_each_op_with_its_gradient_stays_inside_its_buffers():
    assert "all done" in printed(
        script("""
import test_native_ops as cases
import test_windows as windows
cases.engine_named = lambda name: GUARDED
for dtype in ("float32", "float64"):
    for case in cases.CASES:
        print(case.id, dtype, flush=True)
        cases.test_value_and_gradient_of_each_op(case, dtype)
    for case in windows.NETWORKS:
        print(case, dtype, flush=True)
        windows.test_networks_with_windows(case, 2, dtype)
print("all done")
""")
    )


def products(dtype: str) -> Iterator[tuple[Graph, dict[str, np.ndarray]]]:
    """Each side with each other one, as rows and columns, rows and inner, inner and columns; matrices as they stand and turned."""
    random = np.random.default_rng(0)
    for first, m in enumerate(SIDES):
        outputs: dict[str, Node] = {}
        values: dict[str, np.ndarray] = {}
        for second, k in enumerate(SIDES):
            n = SIDES[(first + second) % len(SIDES)]
            operands: list[Node] = []
            for label, shape, turned in ((f"a{k}", (m, k), second % 2), (f"b{k}", (k, n), second // 2 % 2)):
                leaf = input_node(label, shape[::-1] if turned else shape, dtype)
                values[label] = random.normal(size=leaf.shape).astype(dtype)
                operands.append(ops.swap_last(leaf) if turned else leaf)
            product = ops.matmul(*operands)
            outputs |= {f"y{k}": product, f"z{k}": ops.relu(product - 0.5) * ops.tanh(product)}
        yield Graph(outputs), values


def reductions(dtype: str) -> Iterator[tuple[Graph, dict[str, np.ndarray]]]:
    """Over either axis or both, each side with each other one."""
    random = np.random.default_rng(1)
    for rows in SIDES:
        outputs: dict[str, Node] = {}
        values: dict[str, np.ndarray] = {}
        for columns in SIDES:
            x = input_node(f"x{columns}", (rows, columns), dtype)
            values[x.name] = random.normal(size=x.shape).astype(dtype)
            outputs |= {
                f"sum{columns}.{len(axes)}.{axes[0]}": ops.reduce_sum(x * x, axes=axes) for axes in ((0,), (1,), (0, 1))
            }
            outputs |= {f"max{columns}.{axis}": ops.max(x, axis) for axis in (0, 1) if x.shape[axis]}
            outputs |= {f"place{columns}.{axis}": ops.argmax(x, axis=axis) for axis in (0, 1) if x.shape[axis]}
        yield Graph(outputs), values


@pytest.mark.parametrize("what", ["products", "reductions"])
def test_sides_that_fill_vectors_or_not_stay_inside_their_buffers(what):
    assert "all done" in printed(
        script(f"""
import test_native_ops as cases
cases.engine_named = lambda name: GUARDED
for dtype in ("float32", "float64"):
    for number, (graph, values) in enumerate({what}(dtype)):
        print(SIDES[number], dtype, flush=True)
        cases.agree(graph, values, scale=100.0)
print("all done")
""")
    )


def test_parts_of_products_for_threads_stay_inside_their_buffers():
    """A thousand rows are more tiles than parts: the last part has whole tiles and the ragged one."""
    assert "all done" in printed(
        script("""
random = np.random.default_rng(2)
for m, k, n in ((1000, 300, 16), (1000, 100, 40), (799, 100, 40), (8, 300, 1080), (3, 1100, 1100), (1, 2100, 1999), (2500, 999, 1)):
    print(m, k, n, flush=True)
    a, b = random.normal(size=(m, k)).astype("f"), random.normal(size=(k, n)).astype("f")
    w, x = parameter("w", (m, n), "float32"), parameter("a", (m, k), "float32")
    loop = Loop({1: Graph({"w": ops.matmul(x, input_node("b", (k, n), "float32")) + w})}, {}, ("w", "a", "b"))
    program = GUARDED.compile_loop(loop, {}, 1)
    assert program.code.module.is_shared_code and program.helpers
    state = {"a": a[None], "b": b[None], "w": np.ones((1, m, n), "f")}
    program.run(program.load(state), np.zeros((1, 2), np.int64), np.ones(2, np.int64), {})
    np.testing.assert_allclose(state["w"][0], 2.0 * (a.astype("d") @ b) + 1.0, atol=2e-6 * k)
print("all done")
""")
    )


def trained(net: cr.Layer | str, data: cr.data.Dataset, engine: NativeEngine | None, **settings: object) -> cr.train.Trainer:
    chosen = {
        "optimizer": cr.Adam(0.01),
        "epochs": 2,
        "batch_size": 32,
        "seed": 1,
        "replicas": 1,
        "dtype": "float32",
    } | settings
    problem = cr.train.LearningProblem(cr.parse_network(net) if isinstance(net, str) else net, data.info, None, chosen["dtype"])
    trainer = cr.train.Trainer(problem, cr.train.Settings(**chosen), lambda: data)
    if engine is not None:
        trainer.engine = engine
    trainer.train()
    return trainer


NETS = {
    "digits": (lambda: "784-16-16-10 sigmoid softmax", 784, {"replicas": 2}),
    "dropout and clipping": (
        lambda: cr.Sequential(cr.Dense(33, "elu"), cr.Dropout(0.4), cr.Dense(3, "softmax")),
        17,
        {"clip": cr.ClipNorm(0.5), "optimizer": cr.SGD(0.1, momentum=0.9), "dtype": "float64"},
    ),
}


@pytest.mark.parametrize("name", NETS)
def test_a_whole_training_gives_the_same_bits_in_the_debug_build(name):
    assert "the same" in printed(
        script(f"""
net, inputs, settings = NETS[{name!r}]
random = np.random.default_rng(0)
classes = 10 if inputs == 784 else 3
data = cr.data.from_arrays(random.normal(size=(90, inputs)), np.arange(90) % classes)
runs = [trained(net(), data, engine, **settings) for engine in (None, GUARDED)]
for part, _ in data.parts():
    one, other = (run.evaluate(part).outputs for run in runs)
    assert np.array_equal(one, other) and np.isfinite(one).all()
assert runs[1].program.code.module.guarded and not runs[0].program.code.module.guarded
assert all(np.array_equal(array, runs[1].state[name]) for name, array in runs[0].state.items())
print("the same")
""")
    )


# ---- mistakes show


def shifted(line: Instruction, by: int) -> Instruction:
    assert line.place is not None
    return replace(line, place=replace(line.place, at=(line.place.at[0] + by, *line.place.at[1:])))


def small_loop() -> tuple[Loop, dict[str, np.ndarray]]:
    """A step that reads a table, state and a constant, keeps a product in the arena, and writes a record."""
    x, w = input_node("x", (3, 5)), parameter("w", (5, 7))
    kept = ops.matmul(x, w)
    turned = ops.flip(kept, axes=(0,)) * constant(np.arange(21.0).reshape(3, 7))
    return Loop({3: Graph({"sum": turned + ops.sum(kept, 1, keepdims=True)})}, {"x": "t"}, ("w",), (), ("sum",)), {
        "t": np.ones((9, 5))
    }


def run_with(change: object) -> np.ndarray:
    """The record of two steps of `small_loop` in the debug build, its schedule changed before it became text."""
    loop, tables = small_loop()
    module = module_of(loop, is_guarded=True)
    kernels = module.steps[3].schedule.kernels
    change(kernels)
    program = NativeLoop(loop, tables, 1, 1, Code(module))
    order = np.array([[0, 1, 2, 8, 8, 8]])
    return program.run(program.load({"w": np.ones((1, 5, 7))}), order, np.array([3, 3]), {}).records["sum"]


def read_behind(kind: str):
    """A change: the first line that reads a buffer of this kind reads one entry further."""

    def change(kernels: list[Kernel]) -> None:
        for kernel in kernels:
            for body in kernel.bodies:
                for number, line in enumerate(body.lines):
                    if line.place is not None and line.place.buffer.kind == kind and line.op == "load":
                        body.lines[number] = shifted(line, 1)
                        return
            core = kernel.core
            if hasattr(core, "left"):
                for side in ("left", "right"):
                    place = getattr(core, side)
                    if place.buffer.kind == kind:
                        setattr(core, side, replace(place, at=(place.at[0] + 1, *place.at[1:])))
                        return
        raise AssertionError(f"nothing reads a buffer of kind {kind}")

    return change


def write_behind(kind: str):
    """A change: the first store to a buffer of this kind writes one entry further."""

    def change(kernels: list[Kernel]) -> None:
        for kernel in kernels:
            for number, store in enumerate(kernel.body.stores):
                if store.place.buffer.kind == kind:
                    place = replace(store.place, at=(store.place.at[0] + 1, *store.place.at[1:]))
                    kernel.body.stores[number] = replace(store, place=place)
                    return
        raise AssertionError(f"nothing writes a buffer of kind {kind}")

    return change


CHANGES = {
    "nothing": lambda kernels: None,
    "reads behind the arena's buffer": read_behind("arena"),
    "reads behind the state": read_behind("state"),
    "reads behind the table": read_behind("rows"),
    "reads behind the constant": read_behind("constant"),
    "writes behind the arena's buffer": write_behind("arena"),
    "writes behind the record": write_behind("record"),
}


def test_a_step_behind_a_buffer_ends_the_process():
    found = printed(
        script("""
for name, change in CHANGES.items():
    child = os.fork()
    if child == 0:
        os._exit(0 if np.isfinite(run_with(change)).all() else 1)
    _, status = os.waitpid(child, 0)
    print(name, os.waitstatus_to_exitcode(status), sep=": ")
""")
    )
    ends = dict(line.split(": ") for line in found.splitlines())
    assert list(ends) == list(CHANGES)
    assert ends.pop("nothing") == "0"
    assert set(map(int, ends.values())) <= {-signal.SIGSEGV, -signal.SIGBUS}, ends


def without_store(kind: str):
    """A change: the first store to a buffer of this kind is left out."""

    def change(kernels: list[Kernel]) -> None:
        for kernel in kernels:
            for body in kernel.bodies:
                for store in body.stores:
                    if store.place.buffer.kind == kind:
                        body.stores.remove(store)
                        return
        raise AssertionError(f"nothing writes a buffer of kind {kind}")

    return change


def test_what_nobody_wrote_is_nan():
    assert np.isfinite(run_with(CHANGES["nothing"])).all()
    assert np.isnan(run_with(without_store("arena"))).any()
    assert np.isnan(run_with(without_store("record"))).all()


# ---- memory


@pytest.mark.parametrize("count", [0, 1, 7, PAGE // 8, PAGE // 8 + 1])
def test_guarded_memory_holds_a_copy_that_ends_where_a_page_ends(count):
    array = np.arange(float(count)).reshape(count, 1)
    copy = guarded(array)
    np.testing.assert_array_equal(copy, array)
    assert (copy.dtype, copy.shape) == (array.dtype, array.shape)
    assert (copy.__array_interface__["data"][0] + copy.nbytes) % PAGE == 0
    assert not np.shares_memory(copy, array)
    copy[...] = 1.0  # its own pages can be written


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8", "bool"])
def test_poisoned_memory_is_poison_in_every_byte(dtype):
    memory = poisoned((2, 3), dtype)
    assert (memory.shape, memory.dtype) == ((2, 3), np.dtype(dtype))
    assert (memory.view(np.uint8) == POISON).all()
    assert dtype[0] != "f" or np.isnan(memory).all()


def test_guards_are_refused_where_the_system_has_none(monkeypatch):
    monkeypatch.setattr(guard.ctypes, "CDLL", lambda name: object())
    with pytest.raises(cr.errors.OptionError, match="mprotect"):
        guarded(np.zeros(3))


def test_a_page_that_is_not_there_cannot_be_forbidden():
    with pytest.raises(OSError, match="mprotect of 4096 bytes"):
        guard.forbid(np.zeros(1, np.uint8), 1 if np.zeros(1).ctypes.data % 2 == 0 else 0, 4096)
