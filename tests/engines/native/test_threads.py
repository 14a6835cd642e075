"""Threads change no bit: of training, of replicas, of prediction; and their pool survives forks, crowds, signals and idleness."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from processes import OFF, printed, run_script

import chainrule as cr
from chainrule import ops
from chainrule.engines import Loop
from chainrule.engines.native import program as native
from chainrule.engines.native.engine import NativeEngine
from chainrule.engines.native.kernels import Turns
from chainrule.engines.native.pool import default_threads
from chainrule.graph import Graph, Node, input_node, parameter

POSIX = pytest.mark.skipif(os.name != "posix", reason="needs signals and processes as POSIX has them")
THREADS = [1, 2, 3, 16]
WIDE = "784-512-512-10 relu softmax"


def random_data(count: int, inputs: int, classes: int = 10) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    return random.normal(size=(count, inputs)), np.arange(count) % classes


def same_bits(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name], equal_nan=True) for name in one)


def shared_kernels(run: cr.train.Run) -> int:
    module = run.trainer.program.code.module
    return sum(len(step.shared) for step in module.steps.values())


# ---- the same bits


@pytest.mark.parametrize("replicas", [1, 3])
def test_training_of_a_wide_network_gives_the_same_bits_by_any_number_of_threads(replicas):
    data = random_data(96, 784)
    settings = {"optimizer": cr.Adam(0.01), "epochs": 1, "batch_size": 32, "replicas": replicas, "evaluate_every": 0}
    runs = {threads: cr.fit(WIDE, data, threads=threads, **settings) for threads in THREADS}
    first = runs[1]
    assert shared_kernels(first) >= 4  # two products forward, two back, at the least
    assert [runs[threads].trainer.program.helpers for threads in THREADS] == ([0, 1, 2, 15] if replicas == 1 else [0, 0, 0, 4])
    for run in runs.values():
        assert same_bits(run.trainer.state, first.trainer.state)
        np.testing.assert_array_equal(run.history.steps(), first.history.steps())
        np.testing.assert_array_equal(run.evaluate("training").scores.outputs, first.evaluate("training").scores.outputs)
    assert np.isfinite(first.history.steps()).all()


@pytest.mark.parametrize(("units", "in_pieces"), [(64, True), (288, False)])
def test_a_loop_over_time_is_shared_whole_by_rows_or_kernel_by_kernel_and_gives_the_same_bits(units, in_pieces):
    random = np.random.default_rng(0)
    data = (random.normal(size=(64, 7, 5)), np.arange(64) % 3)
    net = cr.Sequential(cr.LSTM(units), cr.Dense(3, "softmax"))
    runs = [cr.fit(net, data, threads=threads, epochs=1, batch_size=32, evaluate_every=0) for threads in THREADS]
    step = runs[0].trainer.program.code.module.steps[32]
    loops = [kernel for kernel in step.schedule.kernels if isinstance(kernel.core, Turns)]
    assert [id(loop) in step.shared for loop in loops] == [in_pieces] * 2
    inside = sum(id(kernel) in step.shared for loop in loops for kernel in loop.all)
    assert inside == 0 if in_pieces else inside >= 2  # the product of each direction
    for run in runs[1:]:
        assert same_bits(run.trainer.state, runs[0].trainer.state)


def test_all_threads_help_in_a_single_call_and_give_the_same_bits():
    random = np.random.default_rng(0)
    given = {"x": random.normal(size=(96, 784)), "w": random.normal(size=(784, 512))}
    x, w = (input_node(name, array.shape) for name, array in given.items())
    graph = Graph({"y": ops.tanh(x @ w)})
    programs = [NativeEngine(threads).compile(graph) for threads in THREADS]
    assert [program.program.helpers for program in programs] == [0, 1, 2, 15]
    first, *others = (program(given)["y"] for program in programs)
    np.testing.assert_allclose(first, np.tanh(given["x"] @ given["w"]), atol=1e-12)
    for found in others:
        np.testing.assert_array_equal(found, first)


def test_steps_that_do_not_depend_on_each_other_go_to_different_threads_and_give_the_same_bits(monkeypatch):
    run = cr.fit("5-7-4 tanh softmax", random_data(200, 5, 4), epochs=1)
    x = np.random.default_rng(1).normal(size=(256 * 20 + 16 * 3 + 5, 5))
    workers: set[int] = set()

    def note(problem: Callable[[int, int], object], count: int, threads: int) -> None:
        if count == 1:  # one order to look through
            problem(0, 0)
            return
        gate = threading.Barrier(min(count, threads))

        def noted(worker: int, number: int) -> None:
            if worker not in workers:
                workers.add(worker)
                gate.wait(60)  # nobody ends before all have begun
            problem(worker, number)

        run_all(noted, count, threads)

    run_all = native.run_all
    monkeypatch.setattr(native, "run_all", note)
    loop = run.trainer.problem.prediction_loop({256, 16, 1})
    sizes = cr.train.prediction.row_blocks(len(x))
    found = {}
    for threads in THREADS:
        workers.clear()
        program = NativeEngine(threads).compile_loop(loop, {"x": x}, 1)
        found[threads] = program.run(program.load(run.trainer.state), np.arange(len(x))[None], sizes, {}).stacked["output"]
        assert workers == set(range(min(threads, 14)))  # 28 steps, two at a time
    assert all(np.array_equal(found[threads], found[1]) for threads in THREADS)
    np.testing.assert_array_equal(found[1][0], run.predict(x))


NETWORKS = {
    "one input, one output": ("1-50-1 relu", 1, None),
    "digits": ("784-16-16-10 sigmoid softmax", 784, 10),
    "odd sizes": ("5-7-1 tanh", 5, None),
    "softmax of softplus": ("5-33-3 softplus softmax", 5, 3),
    "one logit": ("3-17-1 gelu sigmoid", 3, 2),
    "wide": ("20-300-40-4 silu softmax", 20, 4),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NETWORKS)
def test_each_row_gives_the_same_bits_alone_and_in_any_batch(name, dtype):
    net, inputs, classes = NETWORKS[name]
    x, labels = random_data(300, inputs, classes or 2)
    run = cr.fit(net, (x, labels if classes else np.sin(x[:, :1])), epochs=0, dtype=dtype)
    for array in run.trainer.state.values():
        if array.dtype.kind == "f":
            array += np.random.default_rng(array.size).normal(0.0, 0.3, array.shape).astype(dtype)  # biases begin as zeros
    whole, one = run.predict(x), run.predictor()
    assert whole.dtype == (dtype if classes else "float64")  # scaled targets come back in float64
    alone = np.concatenate([one(x[row : row + 1]) for row in range(300)])
    np.testing.assert_array_equal(alone, whole)
    np.testing.assert_array_equal(run.predict(x[:1]), whole[:1])
    np.testing.assert_array_equal(run.predict(x[:5]), whole[:5])
    np.testing.assert_array_equal(one(x[7:24]), whole[7:24])
    np.testing.assert_array_equal(one(x), whole)


def by_rows(x: Node, wide: Node, tall: Node, bias: Node) -> dict[str, Node]:
    """Functions of each row by itself."""
    centred = x - ops.mean(x, 1, keepdims=True)
    hidden = ops.tanh(ops.matmul(x, wide) + bias)
    return {
        "normalised": centred / ops.sqrt(ops.mean(centred * centred, 1, keepdims=True) + 1e-5),
        "softmax": cr.nn.softmax(x),
        "logarithm": ops.log(ops.sum(ops.exp(x - ops.max(x, 1, keepdims=True)), 1)),
        "largest": ops.argmax(x, axis=1),
        "hidden": hidden,
        "out": ops.matmul(hidden, tall),
        "sum": ops.sum(ops.sigmoid(hidden) * ops.sin(hidden), 1),
    }


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("inputs", "hidden", "outputs"), [(1, 50, 1), (7, 1, 1), (17, 33, 2), (300, 17, 1)])
def test_functions_of_rows_do_not_depend_on_the_batch(inputs, hidden, outputs, dtype):
    random = np.random.default_rng(2)
    shapes = {"x": (33, inputs), "wide": (inputs, hidden), "tall": (hidden, outputs), "bias": (hidden,)}
    values = {name: random.normal(size=shape).astype(dtype) for name, shape in shapes.items()}
    whole: dict[str, np.ndarray] = {}
    for count in (33, 1, 2, 16):
        given = {**values, "x": values["x"][:count]}
        nodes = [input_node(name, value.shape, dtype) for name, value in given.items()]
        found = NativeEngine(1).compile(Graph(by_rows(*nodes)))(given)
        whole = whole or found
        for name, value in found.items():
            np.testing.assert_array_equal(value, whole[name][:count], f"{name} of {count} rows")


# ---- the pool


def shared_loop() -> Loop:
    """Steps of a product that is worth sharing; each goes on from the one before."""
    w, a = parameter("w", (160, 160), "float32"), input_node("a", (160, 160), "float32")
    new = ops.tanh(ops.matmul(w, a)) * 0.5
    return Loop({1: Graph({"w": new, "sum": ops.sum(new)})}, {}, ("w", "a"), (), ("sum",))


class Shared:
    """Runs of `shared_loop`, many from the same start."""

    def __init__(self, threads: int) -> None:
        self.program = NativeEngine(threads).compile_loop(shared_loop(), {}, 1)
        random = np.random.default_rng(3)
        self.start = {name: random.normal(size=(1, 160, 160)).astype("f") / 8 for name in "wa"}

    def run(self, steps: int = 3) -> bytes:
        state = {name: array.copy() for name, array in self.start.items()}
        records = self.program.run(
            self.program.load(state), np.zeros((1, steps), np.int64), np.ones(steps, np.int64), {}
        ).records
        return state["w"].tobytes() + records["sum"].tobytes()


@pytest.mark.parametrize("threads", [2, 16])
def test_helpers_that_come_late_or_in_crowds_change_nothing(threads):
    wanted, shared = Shared(1).run(), Shared(threads)
    assert shared.program.helpers == threads - 1
    assert all(shared.run() == wanted for _ in range(60))
    assert Shared(1).run(0) == shared.run(0)


def in_threads(count: int, work: Callable[[int], bool]) -> list[bool]:
    """The results of work(0), ..., work(count − 1), begun together."""
    gate, results = threading.Barrier(count), [False] * count

    def begin(number: int) -> None:
        gate.wait(60)
        results[number] = work(number)

    threads = [threading.Thread(target=begin, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_one_program_runs_in_several_python_threads_at_once():
    wanted, shared = Shared(1).run(), Shared(2)
    assert all(in_threads(4, lambda number: all(shared.run() == wanted for _ in range(20))))


def test_one_compiled_graph_is_called_in_several_python_threads_at_once():
    a, b = input_node("a", (200, 64), "float32"), input_node("b", (64, 64), "float32")
    program = NativeEngine(2).compile(Graph({"y": ops.matmul(ops.tanh(ops.matmul(a, b)), b)}))
    random = np.random.default_rng(4)
    values = [{leaf.name: random.normal(size=leaf.shape).astype("f") for leaf in (a, b)} for _ in range(4)]
    wanted = [program(value)["y"].tobytes() for value in values]
    assert all(in_threads(4, lambda number: all(program(values[number])["y"].tobytes() == wanted[number] for _ in range(150))))


def test_one_predictor_answers_several_python_threads_at_once():
    run = cr.fit("20-64-64-2 tanh softmax", random_data(100, 20, 2), epochs=1)
    x, predict = random_data(300, 20)[0], run.predictor()
    wanted = run.predict(x)

    def ask(number: int) -> bool:
        return all(np.array_equal(predict(x[row]), wanted[row]) for _ in range(20) for row in range(number, 300, 4))

    assert all(in_threads(4, ask))


def test_networks_train_in_several_python_threads_at_once():
    settings = {"epochs": 3, "optimizer": cr.Adam(0.01), "threads": 3}
    data = random_data(100, 20, 2)
    wanted = [cr.fit("20-64-2 tanh softmax", data, seed=seed, **settings).trainer.state for seed in range(3)]
    assert all(
        in_threads(
            3, lambda seed: same_bits(cr.fit("20-64-2 tanh softmax", data, seed=seed, **settings).trainer.state, wanted[seed])
        )
    )


IN_A_SCRIPT = """
import sys
sys.path.insert(0, {folder!r})
from test_threads import *
"""


def script(text: str) -> str:
    """A script that knows what stands here."""
    return IN_A_SCRIPT.format(folder=str(Path(__file__).parent)) + text


@POSIX
def test_a_forked_child_computes_with_threads_of_its_own():
    assert "same same same" in printed(
        script("""
def helped() -> bool:
    return any(thread.name.startswith("chainrule-") for thread in threading.enumerate())

shared = Shared(3)
wanted = shared.run()
assert helped()
child = os.fork()
if child == 0:
    fresh = not helped()  # the parent's threads did not come along
    again = shared.run() == wanted and Shared(2).run() == wanted
    os._exit(0 if fresh and again and helped() else 1)
_, status = os.waitpid(child, 0)
print("same" if os.waitstatus_to_exitcode(status) == 0 else "other", end=" ")
print("same" if shared.run() == wanted else "other", "same" if Shared(1).run() == wanted else "other")
""")
    )


def test_threads_that_wait_for_work_take_no_processor_time():
    shared = Shared(4)
    shared.run(20)
    begin = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - begin < 0.05


def test_the_environment_says_how_many_threads_there_are(monkeypatch):
    monkeypatch.delenv("CHAINRULE_THREADS", raising=False)
    assert default_threads() >= 1
    monkeypatch.setenv("CHAINRULE_THREADS", "3")
    assert default_threads() == NativeEngine().threads == 3
    assert NativeEngine(5).threads == 5
    data = random_data(50, 3, 2)
    assert cr.fit("3-2", data, epochs=0).trainer.engine.threads == 3
    assert cr.fit("3-2", data, epochs=0, threads=2).trainer.engine.threads == 2


@pytest.mark.parametrize("wish", ["0", "-1", "two", "1.5", " ", "1e3"])
def test_nonsense_about_threads_is_refused(monkeypatch, wish):
    monkeypatch.setenv("CHAINRULE_THREADS", wish)
    data = cr.data.from_arrays(*random_data(50, 3, 2))
    with pytest.raises(cr.errors.OptionError, match=f"(?s)CHAINRULE_THREADS={wish}.*a whole number, 1 or more.*unset it"):
        cr.fit("3-2", data, epochs=1)


def test_nonsense_about_threads_is_refused_once():
    done = run_script(
        """
        import threading
        import chainrule as cr
        try:
            cr.fit("2-2", "moons", epochs=1)
        except cr.errors.OptionError as error:
            print(error)
        for thread in threading.enumerate():
            if thread is not threading.main_thread():
                thread.join(10)
        """,
        CHAINRULE_THREADS="two",
    )
    assert done.stdout.startswith("CHAINRULE_THREADS=two")
    assert done.stderr == ""


LONG = """
import chainrule as cr
cr.fit("2-256-256-2 tanh softmax", {"name_or_path": "moons", "n": 2000}, optimizer=cr.Adam(0.001), epochs=100_000, threads=2,
       folder=sys.argv[1], callbacks=(lambda moment: moment.step > 50 and print(moment.step, flush=True),))
print("kept", flush=True)
"""


@POSIX
def test_an_interrupt_ends_a_training_with_threads_within_a_second_and_keeps_the_run(tmp_path):
    command = [sys.executable, "-c", "import sys" + LONG, str(tmp_path)]
    seconds: list[float] = []
    # A busy machine may take its time now and then.
    while len(seconds) < 5 and min(seconds, default=1.0) >= 1.0:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **OFF})
        assert process.stdout is not None
        line = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        begin = time.monotonic()
        rest, _ = process.communicate(timeout=60)
        seconds.append(time.monotonic() - begin)
        assert process.returncode == 0
        assert rest.endswith("kept\n")
    assert min(seconds) < 1.0
    saved = cr.open_run(tmp_path / "latest")
    assert saved.stopped == "interrupted"
    assert int(line) <= saved.trainer.step < saved.trainer.steps
    assert saved.history.steps().shape == (1, saved.trainer.step)
    assert shared_kernels(saved) >= 2
    assert saved.predict([[0.5, 0.25]]).shape == (1, 2)
