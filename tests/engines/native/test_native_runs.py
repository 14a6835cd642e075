"""Whole runs of a hundred steps against the reference engine; orders; what happens without llvmlite; other processors' vectors."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from processes import printed

import chainrule as cr
from chainrule import ops
from chainrule.engines import Loop, ReferenceEngine
from chainrule.engines.native.engine import NativeEngine
from chainrule.engines.native.machine import host
from chainrule.graph import Graph, constant, input_node, parameter

TOLERANCE = {"float64": 1e-10, "float32": 5e-4}
"""Of each array's largest number, after a hundred steps, each of which carries the last digits of all before it further."""
BOTH = ("float64", "float32")
NET = "5-6-3 tanh softmax"
HALF = cr.data.RandomSplit(test=0.5)
"""Both parts are of one size, and their evaluation is one program."""


# ---- data


def classes(count: int = 3) -> cr.data.Dataset:
    """112 examples, 56 of them to train on: batches of 16, and one of 8."""
    random = np.random.default_rng(count)
    x = random.normal(size=(112, 5))
    return cr.data.from_arrays(x, (x @ random.normal(size=(5, count))).argmax(1), split=HALF)


def numbers(outputs: int = 1) -> cr.data.Dataset:
    x = np.random.default_rng(7).normal(size=(112, 5))
    return cr.data.from_arrays(x, 3.0 + 2.0 * np.sin(x[:, :outputs]) + x[:, 1 : outputs + 1] ** 2, split=HALF)


def counts() -> cr.data.Dataset:
    x = np.random.default_rng(7).normal(size=(112, 5))
    return cr.data.from_arrays(x, 1.0 * np.random.default_rng(8).poisson(np.exp(1 + 0.5 * x[:, :1])), split=HALF)


def measured() -> cr.data.Dataset:
    """Numbers with an error to each."""
    data = numbers()
    errors = {name: 0.5 + np.abs(part.x[:, :1]) for name, part in data.parts()}
    return cr.data.with_errors(data, errors["training"], test=errors["test"])


def pixels() -> cr.data.Dataset:
    random = np.random.default_rng(8)
    x, labels = random.integers(0, 256, (126, 6, 6)).astype(np.uint8), np.arange(126) % 2
    x[labels == 0, :3] //= 2
    parts = [cr.data.Examples(x[rows], labels[rows]) for rows in (slice(0, 56), slice(56, 70), slice(70, 126))]
    return cr.data.Dataset("pixels", *parts, scaling=cr.data.Scaling(0.0, 1 / 255), classes=("dark", "light"))


def plants() -> cr.data.Dataset:
    random = np.random.default_rng(9)
    soil, age = random.choice(["wet", "dry", "sand"], 112), random.normal(size=112)
    kind = np.where((soil == "wet") == (age > 0), "fern", "moss")
    return cr.data.from_dataframe(pd.DataFrame({"age": age, "soil": soil, "kind": kind}), target="kind", split=HALF)


# ---- networks


def two_with_a_shared_layer() -> cr.nn.Layer:
    shared, left, out = cr.Dense(6, "tanh", name="shared"), cr.Dense(4, "gelu", name="left"), cr.Dense(1)

    def wiring(one: cr.Node, other: cr.Node) -> cr.Node:
        both = shared(one) + shared(left(other))
        return out(ops.concatenate(both, one, axis=1))

    return cr.Network(wiring, inputs={"one": (4,), "other": (1,)})


def every_activation() -> cr.nn.Layer:
    smooth = [name for name in cr.nn.ACTIVATIONS if name not in {"step", "softmax"}]
    return cr.Sequential(*(cr.Dense(5, name) for name in smooth), cr.Dense(3, "softmax"))


def rates() -> cr.train.Schedule:
    return cr.WarmUp(10, cr.Cosine(0.05, 0.001))


@dataclass(frozen=True)
class Case:
    """A training: what is trained on what, and how."""

    net: Callable[[], Any] = lambda: NET
    data: Callable[[], cr.data.Dataset] = classes
    settings: dict[str, Any] = field(default_factory=dict)
    dtypes: tuple[str, ...] = ("float64",)
    epochs: int = 25
    """Of four steps each."""


def with_optimizer(optimizer: object, dtypes: tuple[str, ...] = ("float64",)) -> Case:
    return Case(settings={"optimizer": optimizer}, dtypes=dtypes)


def with_loss(loss: object, net: str, data: Callable[[], cr.data.Dataset], *dtypes: str) -> Case:
    return Case(lambda: net, data, {"loss": loss, "optimizer": cr.SGD(0.02, 0.8)}, dtypes or ("float64",))


CASES = {
    "plain descent": with_optimizer(cr.SGD(0.2), BOTH),
    "momentum": with_optimizer(cr.SGD(0.05, 0.9)),
    "nesterov": with_optimizer(cr.SGD(0.05, 0.9, nesterov=True)),
    "adagrad": with_optimizer(cr.AdaGrad(0.05)),
    "rmsprop": with_optimizer(cr.RMSprop(0.01)),
    "adam": with_optimizer(cr.Adam(0.01), BOTH),
    "adam, epsilon outside": with_optimizer(cr.Adam(0.01, epsilon_hat=True)),
    "adamw": with_optimizer(cr.AdamW(0.01)),
    "perceptron rule": Case(
        lambda: "5-1:step", lambda: classes(2), {"optimizer": cr.PerceptronRule(), "batch_size": 7}, epochs=13
    ),
    "lbfgs": Case(lambda: "5-6-1 tanh", numbers, {"optimizer": cr.LBFGS(iterations=20), "batch_size": None, "epochs": None}),
    "dropout": Case(lambda: cr.Sequential(cr.Dense(9, "relu"), cr.Dropout(0.4), cr.Dense(3, "softmax")), dtypes=BOTH),
    "penalties": Case(settings={"loss": cr.CrossEntropy() + cr.L2(1e-2) + cr.L1(1e-3)}),
    "clipped norm": Case(settings={"clip": cr.ClipNorm(0.3), "optimizer": cr.SGD(0.5)}),
    "clipped values": Case(settings={"clip": cr.ClipValue(0.02), "optimizer": cr.SGD(0.5)}),
    "warm-up and cosine": with_optimizer(cr.SGD(rates())),
    "decay": with_optimizer(cr.Adam(cr.StepDecay(0.05, 30, 0.5))),
    "replicas": Case(settings={"replicas": 3, "seed": 5, "threads": 2}, dtypes=BOTH),
    "one example a step": Case(settings={"batch_size": 1}, epochs=2),
    "all examples a step": Case(settings={"batch_size": 56}, epochs=100),
    "early stopping": Case(
        lambda: "36-8-2 relu softmax",
        lambda: flat(pixels()),
        {"early_stopping": cr.EarlyStopping(patience=3), "optimizer": cr.Adam(0.02), "evaluate_every": 1},
    ),
    "bytes": Case(lambda: cr.Sequential(cr.Flatten(), cr.Dense(7, "elu"), cr.Dense(2, "softmax")), pixels, dtypes=BOTH),
    "a table with categories": Case(lambda: cr.Sequential(cr.Dense(6, "silu"), cr.Dense(2, "softmax")), plants),
    "a shared layer": Case(two_with_a_shared_layer, numbers, {"optimizer": cr.SGD(0.02, 0.9)}),
    "a formula": Case(lambda: cr.Sequential(cr.Dense(6), cr.Formula("z * sigmoid(z)"), cr.Dense(3, "softmax"))),
    "every activation": Case(every_activation, settings={"optimizer": cr.Adam(0.003), "batch_size": 14}),
    "numbers": with_loss(None, "5-6-1 tanh", numbers, *BOTH),
    "several numbers": with_loss("squared_error", "5-6-3 sigmoid", lambda: numbers(3)),
    "halves": with_loss("half_mean_squared_error", "5-6-3 tanh", lambda: numbers(3)),
    "absolute error": with_loss("mean_absolute_error", "5-6-3 tanh", lambda: numbers(3)),
    "distance": with_loss("euclidean_distance", "5-6-3 tanh", lambda: numbers(3)),
    "chi-squared": with_loss("chi_squared", "5-6-1 tanh", measured),
    "huber": with_loss("huber", "5-6-1 tanh", numbers),
    "counts": with_loss("poisson", "5-6-1 tanh exp", counts),
    "counts by logarithms": with_loss("poisson_from_log", "5-6-1 tanh", counts),
    "hinge": with_loss("hinge", "5-6-3 tanh", classes),
    "hinge of one": with_loss("hinge", "5-6-1 tanh", lambda: classes(2)),
    "perceptron loss": with_loss("perceptron", "5-3", classes),
    "logits": with_loss("cross_entropy_from_logits", "5-6-3 tanh", classes, *BOTH),
    "two classes": with_loss("binary_cross_entropy", "5-6-1 tanh sigmoid", lambda: classes(2), *BOTH),
    "two classes by logits": with_loss("binary_cross_entropy_from_logits", "5-6-1 tanh", lambda: classes(2)),
}


def flat(data: cr.data.Dataset) -> cr.data.Dataset:
    parts = [cr.data.Examples(part.x.reshape(len(part), -1), part.y) for _, part in data.parts()]
    return cr.data.Dataset("flat", *parts, scaling=data.scaling, classes=data.classes)


def agree(found: np.ndarray, wanted: np.ndarray, dtype: str, what: str) -> None:
    assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape), what
    if wanted.dtype.kind != "f":
        np.testing.assert_array_equal(found, wanted, what)
        return
    size = np.abs(wanted).max(initial=1e-3)
    np.testing.assert_allclose(found, wanted, rtol=0.0, atol=TOLERANCE[dtype] * size, err_msg=what)


@pytest.mark.parametrize(("name", "dtype"), [(name, dtype) for name, case in CASES.items() for dtype in case.dtypes])
def test_a_hundred_steps_end_where_the_reference_engine_ends(name, dtype):
    case = CASES[name]
    settings = {"epochs": case.epochs, "batch_size": 16, "evaluate_every": 0, "dtype": dtype} | case.settings
    data = case.data()
    found, wanted = (cr.fit(case.net(), data, engine=engine, **settings) for engine in ("native", "reference"))
    assert (found.trainer.engine.name, wanted.trainer.engine.name) == ("native", "reference")
    assert (found.trainer.step, found.stopped) == (wanted.trainer.step, wanted.stopped)
    assert found.trainer.state.keys() == wanted.trainer.state.keys()
    for key, array in wanted.trainer.state.items():
        agree(found.trainer.state[key], array, dtype, key)
    for key in wanted.history.chunks[0][1]:
        agree(found.history.steps(key), wanted.history.steps(key), dtype, key)
    one, other = (run.trainer.evaluate("test") for run in (found, wanted))
    agree(one.outputs, other.outputs, dtype, "outputs")
    for key, value in other.values.items():
        agree(one.values[key], value, dtype, key)


def test_a_hundred_steps_are_a_hundred():
    """What the cases above stand for: long enough to go astray, with a shorter last batch, and with every loss there is."""
    taken = {name: cr.fit(case.net(), case.data(), epochs=0, **only_what_shapes(case)).trainer for name, case in CASES.items()}
    steps = {name: trainer.steps_per_epoch * CASES[name].epochs for name, trainer in taken.items() if name != "lbfgs"}
    assert min(steps.values()) >= 100
    assert sum(len(set(trainer.sizes.tolist())) > 1 for trainer in taken.values()) > 25
    terms = {term.name for trainer in taken.values() for term in trainer.problem.objective.losses}
    same_but_for_a_factor = {"half_squared_error", "absolute_error"}
    assert terms >= cr.nn.LOSSES.keys() - same_but_for_a_factor


def only_what_shapes(case: Case) -> dict[str, Any]:
    kept = {key: value for key, value in case.settings.items() if key in {"loss", "batch_size", "optimizer"}}
    return {"batch_size": 16, "dtype": "float64", "engine": "reference", "evaluate_every": 0} | kept


# ---- orders


@pytest.mark.parametrize("count", [0, 1, 2, 5, 31, 32, 33, 1000, 60_000])
def test_orders_of_the_examples_are_those_of_the_reference(count):
    seeds = [0, 1, 2**32 - 1, 2**32, 2**64 - 1] if count < 60_000 else [3]
    for epochs in (range(3), range(7, 8), range(2**31 - 1, 2**31 + 1)) if count < 60_000 else (range(1, 3),):
        for threads in (1, 3):
            found = NativeEngine(threads).epoch_orders(seeds, epochs, count)
            assert (found.shape, found.dtype) == ((len(seeds), len(epochs), count), np.int64)
            for own, seed in zip(found, seeds, strict=True):
                for order, epoch in zip(own, epochs, strict=True):
                    np.testing.assert_array_equal(order, ops.epoch_order(seed, epoch, count))


def test_orders_of_no_epochs_or_seeds_are_none():
    engine = NativeEngine(2)
    assert engine.epoch_orders([1], range(3, 3), 10).shape == (1, 0, 10)
    assert engine.epoch_orders([], range(3), 10).shape == (0, 3, 10)


# ---- positions


def gathering(axis: int, rows: int, extent: int) -> Loop:
    """Each step: entries of state at positions from a table, along either axis, and their sum added to what was counted."""
    places, w = input_node("places", (rows,), "int64"), parameter("w", (extent, extent), "float32")
    return Loop({rows: Graph({"sum": ops.sum(ops.gather(w, places, axis=axis))})}, {"places": "t"}, ("w",), (), ("sum",))


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("wrong", [5, -1, 2**40, -(2**40)])
@pytest.mark.parametrize("rows", [1, 19])
def test_a_position_outside_its_axis_is_an_error_and_the_next_run_is_not(axis, wrong, rows):
    table = np.arange(200) % 5
    table[150] = wrong
    loop = gathering(axis, rows, 5)
    engines = [engine.compile_loop(loop, {"t": table}, 1) for engine in (NativeEngine(2), ReferenceEngine())]
    w = np.arange(25.0, dtype="f").reshape(1, 5, 5)
    good, bad = np.arange(2 * rows)[None], np.arange(150 - rows, 150 + rows)[None]
    for program in engines:
        with pytest.raises(cr.errors.PositionError, match=r"position|index"):
            program.run(program.load({"w": w.copy()}), bad, np.full(2, rows), {})
    found, wanted = (
        program.run(program.load({"w": w.copy()}), good, np.full(2, rows), {}).records["sum"] for program in engines
    )
    np.testing.assert_array_equal(found, wanted)


def test_numbers_are_not_added_up_outside_their_array():
    places = input_node("places", (4,), "int64")
    added = ops.scatter_add(constant(np.zeros(3)), places, constant(np.ones(4)), axis=0)
    loop = Loop({4: Graph({"added": added})}, {"places": "t"}, (), (), ("added",))
    program = NativeEngine(1).compile_loop(loop, {"t": np.array([0, 1, 2, 2, 3])}, 1)
    found = program.run(program.load({}), np.array([[0, 1, 2, 3]]), np.array([4]), {}).records["added"]
    np.testing.assert_array_equal(found[0, 0], [1.0, 1.0, 2.0])
    with pytest.raises(cr.errors.PositionError):
        program.run(program.load({}), np.array([[0, 1, 2, 4]]), np.array([4]), {})


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_a_prediction_for_a_word_that_is_not_there_is_an_error(engine):
    table = constant(np.random.default_rng(0).normal(size=(6, 4)), "float32")
    look_up = cr.Function(lambda x: ops.gather(table, ops.cast(ops.sum(x, 1), dtype="int64"), axis=0))
    words = np.arange(80.0)[:, None] % 6
    data = cr.data.Dataset("words", cr.data.Examples(words, np.arange(80) // 6 % 2), classes=("even", "odd"))
    run = cr.fit(cr.Sequential(look_up, cr.Dense(2, "softmax")), data, epochs=1, engine=engine)
    predict = run.predictor()
    np.testing.assert_array_equal(predict(words[:3]), run.predict(words[:3]))
    for ask in (run.predict, predict):
        with pytest.raises(cr.errors.PositionError):
            ask([[6.0]])
        assert np.isfinite(ask([[5.0]])).all()


# ---- loops of other forms


def test_numbers_of_each_step_may_be_of_either_float_type():
    rate, fine = input_node("rate", (), "float32"), input_node("fine", (), "float64")
    loop = Loop({1: Graph({"rates": rate * 2.0, "fines": fine * 2.0})}, {}, (), ("rate", "fine"), ("rates", "fines"))
    given = {"rate": np.array([0.5, 1.5, 2.5]), "fine": np.array([0.1, 0.2, 0.3])}
    for engine in (NativeEngine(1), ReferenceEngine()):
        program = engine.compile_loop(loop, {}, 1)
        found = program.run(program.load({}), np.zeros((1, 3), np.int64), np.ones(3, np.int64), given).records
        np.testing.assert_array_equal(found["rates"][0], [1.0, 3.0, 5.0])
        np.testing.assert_array_equal(found["fines"][0], [0.2, 0.4, 0.6])


def test_state_in_any_form_comes_back_in_its_own():
    """Turned, of the other byte order, and a part of a larger array: what was given is what is written."""
    w = parameter("w", (3, 4), "float64")
    loop = Loop({1: Graph({"w": w * 2.0 + 1.0})}, {}, ("w",))
    program = NativeEngine(2).compile_loop(loop, {}, 2)
    whole = np.arange(2 * 3 * 8.0).reshape(2, 3, 8)
    forms = {
        "turned": np.ascontiguousarray(whole[:, :, :4].swapaxes(1, 2)).swapaxes(1, 2),
        "other bytes": whole[:, :, :4].astype(np.dtype(np.float64).newbyteorder()),
        "a part": whole.copy()[:, :, ::2],
    }
    for form, state in forms.items():
        wanted = state * 2.0 + 1.0
        program.run(program.load({"w": state}), np.zeros((2, 1), np.int64), np.ones(1, np.int64), {})
        np.testing.assert_array_equal(state, wanted, form)


def ran(make, tables, order, sizes):
    program = make(tables)
    return program.run(program.load({}), order, sizes, {})


@pytest.mark.parametrize("engine", [NativeEngine(1), ReferenceEngine()], ids=["native", "reference"])
def test_tables_whose_rows_have_another_shape_are_refused(engine):
    x = input_node("x", (2, 3))
    loop = Loop({2: Graph({"sum": ops.sum(x)})}, {"x": "t"}, (), (), ("sum",))
    program = engine.compile_loop(loop, {"t": np.ones((6, 3))}, 1)
    order, sizes = np.array([[0, 1, 5, 4]]), np.array([2, 2])
    assert program.run(program.load({}), order, sizes, {}).records["sum"].tolist() == [[6.0, 6.0]]
    for shape in ((6, 2), (6, 1), (6,), (6, 3, 2)):
        table = {"t": np.ones(shape)}
        for make in (program.over, lambda tables: engine.compile_loop(loop, tables, 1)):
            with pytest.raises(ValueError, match=r"shape|array"):
                ran(make, table, order, sizes)


@pytest.mark.parametrize("engine", [NativeEngine(1), ReferenceEngine()], ids=["native", "reference"])
def test_state_that_is_carried_out_of_the_loop_must_fit_and_be_the_callers_to_write(engine):
    w = parameter("w", (3,))
    loop = Loop({1: Graph({"w": w * 2.0, "gradient": w + 1.0})}, {}, ("w", "gradient"))
    program = engine.compile_loop(loop, {}, 1)
    order, sizes = np.zeros((1, 1), np.int64), np.ones(1, np.int64)
    for shape in ((1, 2), (1, 4), (3,)):
        with pytest.raises(ValueError, match=r"shape|broadcast"):
            program.run(program.load({"w": np.ones((1, 3)), "gradient": np.zeros(shape)}), order, sizes, {})
    fixed = np.ones((1, 3))
    fixed.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        program.run(program.load({"w": fixed, "gradient": np.zeros((1, 3))}), order, sizes, {})
    assert fixed.tolist() == [[1.0, 1.0, 1.0]]


# ---- without llvmlite

HIDDEN = """
import importlib.util, sys, warnings
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name.partition(".")[0] == "llvmlite" else find(name, *more)
sys.modules["llvmlite"] = None  # importing it fails
import numpy as np
import chainrule as cr
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    run = cr.fit("2-4-2 tanh softmax", "moons", epochs=2)
    again = cr.fit("2-4-2 tanh softmax", "moons", epochs=2)
    run.predict([[0.5, 0.25]])
(warning,) = caught
assert warning.category is cr.errors.MissingPackageWarning, warning
assert run.trainer.engine.name == "reference"
asked = cr.fit("2-4-2 tanh softmax", "moons", epochs=2, engine="reference")
assert all(np.array_equal(array, asked.trainer.state[name]) for name, array in run.trainer.state.items())
print(warning.message)
"""


def test_without_llvmlite_the_reference_engine_computes_and_one_warning_says_so():
    assert "pip install llvmlite" in printed(HIDDEN)


def test_what_never_computes_does_not_load_llvmlite():
    printed("""
        import sys
        import chainrule as cr
        net, data = cr.parse_network("2-4-2 tanh softmax"), cr.data.moons()
        print(cr.nn.summary(net))
        cr.fit(net, data, epochs=1, engine="reference")
        assert not [name for name in sys.modules if name.startswith("llvmlite")]
        cr.fit(net, data, epochs=1)
        assert "llvmlite" in sys.modules
    """)


# ---- other processors

NARROW = """
import sys
sys.path.insert(0, {folder!r})
import numpy as np
import test_native_ops as cases
import test_threads as threads
from chainrule.engines.native.machine import host
for dtype in ("float32", "float64"):
    for seed in range(2):
        cases.test_matrix_products_of_all_layouts(seed, dtype)
    for shape in ((33,), (5, 17), (40, 2)):
        cases.test_reductions_over_every_choice_of_axes(shape, dtype)
    for function in ("exp", "tanh"):
        cases.test_special_numbers_of_functions(function, dtype)
threads.test_functions_of_rows_do_not_depend_on_the_batch(17, 33, 1, "float32")
cases.test_a_large_product_is_packed_and_shared()
import test_debug_build as debug
cases.engine_named = lambda name: debug.GUARDED
for graph, values in list(debug.products("float32"))[3:5]:
    cases.agree(graph, values, scale=100.0)
print(host().cpu, host().vector_bytes)
"""


@pytest.mark.skipif(platform.machine().lower() not in {"x86_64", "amd64"}, reason="names of x86 processors")
@pytest.mark.parametrize(("processor", "vector_bytes"), [("x86-64", 16), ("haswell", 32)])
def test_processors_with_narrower_vectors_compute_the_same(processor, vector_bytes):
    if host().vector_bytes < vector_bytes or (processor == "haswell" and not host().fused):
        pytest.skip(f"this processor is older than {processor}")
    script = NARROW.format(folder=str(Path(__file__).parent))
    assert printed(script, CHAINRULE_TARGET_CPU=processor).endswith(f"{processor} {vector_bytes}\n")
