"""Code goes by form: loops that were built alike share it, so do kernels; whatever the numbers depend on tells forms apart."""

import gc
import warnings
from weakref import WeakValueDictionary

import numpy as np
import pytest
from programs import forget

import chainrule as cr
from chainrule import ops
from chainrule.engines import Loop
from chainrule.engines.native import module, program, steps
from chainrule.engines.native.builder import Extent, Stride, Value, bits, literal
from chainrule.engines.native.engine import NativeEngine
from chainrule.engines.native.machine import host
from chainrule.graph import Graph, constant, form_of, input_node, scope


def graph(number=2.0, *, dtype="float64", size=3, op=ops.multiply, name="x", room="", output="y", swapped=False):
    with scope(room) if room else scope():
        x = input_node(name, (size,), dtype)
        factor = constant(np.full(size, number), dtype)
        return Graph({output: op(factor, x) if swapped else op(x, factor)})


OTHERS = {
    "number": {"number": 3.0},
    "sign of zero": {"number": -0.0},
    "not a number": {"number": np.nan},
    "dtype": {"dtype": "float32"},
    "size": {"size": 4},
    "op": {"op": ops.add},
    "leaf": {"name": "z"},
    "scope": {"room": "dense1"},
    "output": {"output": "z"},
    "order of inputs": {"swapped": True},
}


def test_graphs_that_were_built_alike_have_one_form():
    assert form_of(graph()) == form_of(graph())
    assert form_of(graph(0.0)) == form_of(graph(0.0))
    assert form_of(graph(np.nan)) == form_of(graph(np.nan))


@pytest.mark.parametrize("size", [3, 100], ids=["short", "long"])
@pytest.mark.parametrize("other", OTHERS)
def test_what_the_numbers_depend_on_tells_forms_apart(other, size):
    one = {"number": 0.0 if other == "sign of zero" else 2.0, "size": size}
    assert form_of(graph(**one)) != form_of(graph(**{**one, **OTHERS[other]}))


def test_the_bodies_of_loops_over_time_are_looked_into():
    def loop(factor):
        states, sequences = {"h": input_node("start", (2,))}, {"x": input_node("rows", (4, 2))}
        return Graph({"y": ops.recurrence(lambda h, x: {"h": h * factor + x}, states, sequences).last("h")})

    assert form_of(loop(1.5)) == form_of(loop(1.5))
    assert form_of(loop(1.5)) != form_of(loop(2.5))


def test_each_loop_computes_its_own_numbers():
    engine, x = NativeEngine(), np.array([1.0, -2.0, 3.0])
    for number in (2.0, 3.0, -0.0, 2.0):
        np.testing.assert_array_equal(engine.compile(graph(number))({"x": x})["y"], x * number)
    assert engine.compile(graph(5.0)).program.code is engine.compile(graph(5.0)).program.code


def test_what_is_done_with_the_outputs_tells_loops_apart():
    engine, kept = NativeEngine(), graph(output="x")
    as_state = engine.compile_loop(Loop({1: kept}, {}, ("x",)), {}, 1)
    as_record = engine.compile_loop(Loop({1: kept}, {}, ("x",), records=("x",)), {}, 1)
    assert as_state.code is not as_record.code


def test_a_second_training_of_the_same_network_makes_no_code():
    def trained():
        return cr.fit("2-3-2 tanh softmax", cr.data.moons(60), epochs=2, batch_size=20)

    first, second = trained(), trained()
    assert second.trainer.program.code is first.trainer.program.code
    assert second.hash == first.hash
    other = cr.fit("2-3-2 tanh softmax", cr.data.moons(60), epochs=2, batch_size=20, optimizer=cr.SGD(0.1, momentum=0.5))
    assert other.trainer.program.code is not first.trainer.program.code


# ---- kernels that share their code


X = np.random.default_rng(3).normal(size=(40, 4))
DEEP = {
    "dense": lambda depth: [cr.Dense(4, "tanh") for _ in range(depth)],
    "normalised, with dropout": lambda depth: [cr.Sequential(cr.Dense(4), cr.BatchNorm(), cr.Dropout(0.1)) for _ in range(depth)],
    "residual": lambda depth: [cr.Residual(cr.Sequential(cr.Dense(4, "relu"), cr.Dense(4))) for _ in range(depth)],
    "convolutions": lambda depth: [cr.Reshape((4, 1)), *[cr.Conv1D(2, 3, "tanh", padding="same") for _ in range(depth)], cr.Flatten()],
    "over time": lambda depth: [cr.Reshape((4, 1)), *[cr.RNN(3, return_sequences=True) for _ in range(depth)], cr.Flatten()],
}  # fmt: skip


def trained(layers, **options):
    return cr.fit(cr.Sequential(*layers, cr.Dense(4)), (X, X), epochs=2, batch_size=16, optimizer=cr.Adam(0.01), **options)


@pytest.mark.parametrize("name", DEEP)
def test_kernels_that_share_their_code_compute_what_each_would_alone(monkeypatch, name):
    layers = DEEP[name](6)
    monkeypatch.setattr(module, "WIDE", 10**6)  # kernels that are given their numbers share more
    forget()
    shared = trained(layers)
    assert "@same_0" in shared.lowered("llvm")
    monkeypatch.setattr(steps, "kernel_form", lambda *_: None)
    monkeypatch.setattr(module, "PIECE", 10**6)
    alone = trained([*layers, cr.Dropout(0.0)])  # another form, so that it is compiled anew
    assert "@same_0" not in alone.lowered("llvm")
    assert "@piece" not in alone.lowered("llvm")
    assert alone.hash == shared.hash


def test_text_grows_less_than_depth():
    codes = [trained(DEEP["dense"](depth)).trainer.program.code.module for depth in (10, 40)]
    short, long = (len(made.text_beside(()).splitlines()) for made in codes)
    assert long < 2.2 * short


# ---- little work


def test_where_little_is_to_be_done_code_is_made_quickly_and_anew_for_more(tmp_path):
    little = trained(DEEP["dense"](2), folder=tmp_path)
    assert little.trainer.program.report()["code"] == "made quickly"
    more = cr.resume(little.folder, data=(X, X), epochs=100_000, callbacks=(lambda moment: moment.step > little.trainer.step,))
    assert more.trainer.program.report()["code"] == "made to run fast"
    assert more.trainer.step > little.trainer.step
    assert more.at(little.trainer.step).hash == little.hash


def test_a_first_prediction_is_made_quickly_and_code_for_many_once_there_are_many():
    run = trained(DEEP["dense"](2))
    first, programs = run.predict(X), run._programs
    assert programs._first.report()["code"] == "made quickly"
    assert "program" not in vars(programs)
    many = run.predict(np.concatenate([X] * 320))  # 12 800 rows are the 50 batches of a first prediction
    assert programs.program.report()["code"] == "made to run fast"
    np.testing.assert_array_equal(many[:40], first)
    np.testing.assert_array_equal(run.predict(X), first)
    np.testing.assert_array_equal(run.predictor()(X), first)


# ---- kernels for any number of turns


def gone():
    """As a process begins: nothing that nobody holds is in memory either. It walks through all that the tests before this one left."""
    forget()
    gc.collect()


def quick_text(run):
    """The text that a short training was compiled from."""
    return run.trainer.program.code.module.text


MORE = np.random.default_rng(4).normal(size=(300, 4))
PASSING = {
    **DEEP,
    "largest of windows": lambda _: [cr.Reshape((4, 1)), cr.MaxPool(2), cr.Flatten()],
    "gates": lambda _: [cr.Reshape((4, 1)), cr.GRU(3), cr.LayerNorm()],
}  # fmt: skip


def short(name, batch_size):
    """A training so short that its code is made quickly, on 300 examples of three classes."""
    network = cr.Sequential(*PASSING[name](1), cr.Dense(3, "softmax"))
    return cr.fit(network, (MORE, np.arange(300) % 3), epochs=1, batch_size=batch_size, optimizer=cr.Adam(0.01))


@pytest.mark.parametrize("name", PASSING)
@pytest.mark.parametrize("batch_size", [2, 7, 240])
def test_code_that_is_given_its_numbers_gives_the_bits_of_code_that_has_them(monkeypatch, name, batch_size):
    given = short(name, batch_size)
    assert ("@kernel_" in quick_text(given)) == (host().vector_bytes >= module.WIDE)
    monkeypatch.setattr(module, "WIDE", 10**6)
    forget()
    known = short(name, batch_size)
    assert "@kernel_" not in quick_text(known)
    assert known.hash == given.hash
    for part in ("training", "test"):
        np.testing.assert_equal(known.trainer.evaluate(part).outputs, given.trainer.evaluate(part).outputs)


wide = pytest.mark.skipif(host().vector_bytes < module.WIDE, reason="a processor with narrow vectors has no such kernels")


@wide
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", PASSING)
def test_steps_as_tables_give_the_bits_of_steps_as_functions(monkeypatch, name, dtype):
    network = cr.Sequential(*PASSING[name](2), cr.Dense(3, "softmax"))

    def learned(threads):
        forget()
        with warnings.catch_warnings(action="ignore"):
            run = cr.fit(
                network, (MORE.astype(dtype), np.arange(300) % 3), epochs=2, batch_size=70, replicas=3, threads=threads,
                optimizer=cr.Adam(cr.Cosine(0.01)),
            )  # fmt: skip
        return run, (run.hash, run.predict(MORE.astype(dtype)).tobytes(), run.history.curve("training", "loss")[1].tobytes())

    run, found = learned(1)
    assert len(run.trainer.program.code.table) > 1 or name in {"over time", "gates"}
    assert learned(3)[1] == found
    monkeypatch.setattr(module.Module, "tables", None)
    run, known = learned(1)
    assert len(run.trainer.program.code.table) == 1
    assert known == found


@pytest.mark.parametrize("value", [0.1, -0.0, np.inf, 1e-40, -3.5])
def test_numbers_in_tables_are_those_in_code(value):
    for element, dtype in (("float", np.float32), ("double", np.float64)):
        kept = np.array([bits(Value(element, 1, literal(element, value)))], np.int64).view(dtype)[0]
        assert kept.tobytes() == np.array(value, dtype).tobytes()
    assert [bits(Value("i1", 1, literal("i1", number))) for number in (0, 1)] == [0, 1]
    assert bits(Value("i64", 1, "-7")) == -7


@wide
def test_people_see_the_tables_and_the_loop_that_goes_through_them():
    text = short("dense", 70).lowered("llvm")
    assert "; a step of 70:" in text
    assert "define void @run(" in text
    assert text.count("(context, position, ") >= 2 * 8


@wide
def test_a_shorter_last_batch_adds_no_kernel():
    even, ragged = (quick_text(short("dense", batch_size)) for batch_size in (80, 70))
    assert even.count("define void @kernel_") == ragged.count("define void @kernel_")


OF_WIDTH = {
    "dense": lambda width: [cr.Dense(width, "tanh"), cr.Dense(width, "relu")],
    "dropout and norms": lambda width: [cr.Dense(width), cr.Dropout(0.2), cr.BatchNorm(), cr.LayerNorm()],
    "filters": lambda width: [cr.Reshape((4, 1)), cr.Conv1D(width, 2, "tanh"), cr.MaxPool(2), cr.Flatten()],
    "over time": lambda width: [cr.Reshape((4, 1)), cr.LSTM(width)],
    "embedded": lambda width: [cr.Function(lambda x: cr.ops.cast(x > 0, "int64")), cr.Embedding(2, width), cr.Flatten()],
}


@pytest.mark.parametrize("name", OF_WIDTH)
@pytest.mark.parametrize("width", [1, 2, 3, 5, 8, 9, 15, 17, 31, 33, 70])
def test_code_that_is_given_a_width_gives_the_bits_of_code_that_has_it(monkeypatch, name, width):
    def learned():
        forget()
        network = cr.Sequential(*OF_WIDTH[name](width), cr.Dense(3, "softmax"))
        run = cr.fit(network, (MORE, np.arange(300) % 3), epochs=1, batch_size=70, optimizer=cr.Adam(0.01))
        return run.hash, run.predict(MORE)

    found, outputs = learned()
    monkeypatch.setattr(module, "WIDE", 10**6)
    known, expected = learned()
    assert found == known
    np.testing.assert_array_equal(outputs, expected)


@wide
def test_networks_that_differ_in_width_have_the_same_kernels():
    """As long as as many lanes hold them, and no two of their numbers are the same by chance."""

    def kernels(inputs, width, classes):
        data = (np.zeros((300, inputs)), np.arange(300) % classes)
        run = cr.fit(f"{inputs}-{width}-{classes} tanh softmax", data, epochs=1, batch_size=70, optimizer=cr.Adam(0.01))
        return run.trainer.program.code.module.general

    assert kernels(4, 5, 3) == kernels(4, 6, 3) == kernels(4, 7, 3)
    assert kernels(4, 9, 3) == kernels(4, 13, 3)
    assert kernels(4, 17, 3) == kernels(4, 31, 3)
    assert kernels(20, 17, 10) == kernels(20, 25, 10)
    assert kernels(4, 5, 3) != kernels(4, 9, 3)


@wide
def test_a_program_takes_kernels_that_are_in_memory_and_they_stay_as_long(monkeypatch):
    monkeypatch.setattr(program, "_kernels", WeakValueDictionary())  # others keep theirs

    def trainer(width, batch_size=60):
        return cr.Training(f"4-{width}-3", (MORE, np.arange(300) % 3), epochs=1, batch_size=batch_size).trainer()

    def code_of(one):
        return one.program.code

    gone()
    alone = trainer(6)
    size = code_of(alone).machine_code.size
    alone.train_until(4)
    wanted = alone.hash
    del alone
    gone()
    first = trainer(5)
    code_of(first)
    second = trainer(6)
    assert code_of(first).module.general & code_of(second).module.general
    made = code_of(second).machine_code
    assert made is None or made.size < 0.8 * size
    second.train_until(2)
    del first
    gone()
    assert code_of(second).module.general <= set(program._kernels)
    second.train_until(4)
    assert second.hash == wanted
    names = code_of(second).module.general
    del second
    gone()
    assert not names & set(program._kernels)


def test_no_code_depends_on_an_extent_that_it_is_given():
    extent = Extent(Value("i64", 1, "%n"))
    for use in (
        extent.__add__,
        extent.__rmul__,
        extent.__floordiv__,
        extent.__mod__,
        extent.__lt__,
        extent.__eq__,
        extent.__bool__,
    ):
        with pytest.raises(AssertionError, match="depends on it"):
            use(4)


def test_no_code_depends_on_a_stride_that_it_is_given_but_that_it_is_neither_0_nor_1():
    stride = Stride(Value("i64", 1, "%n"))
    assert stride
    assert stride != 0
    assert stride != 1
    assert ((4 * stride) * 3).factor == 12
    for use in (stride.__add__, stride.__rsub__, stride.__floordiv__, stride.__mod__, stride.__lt__, stride.__eq__):
        with pytest.raises(AssertionError, match="depends on it"):
            use(4)


def test_curves_of_all_parts_are_made_by_one_code_and_a_single_look_by_its_own(tmp_path):
    data = (np.random.default_rng(0).normal(size=(157, 4)), np.arange(157) % 3)
    run = cr.fit("4-5-3 tanh softmax", data, epochs=2, batch_size=30, folder=tmp_path / "run")
    programs = {part: evaluator.program for part, evaluator in run.trainer._evaluators.items()}
    sizes = {part: len(examples) for part, examples in run.trainer.data.parts() if part in programs}
    assert len(programs) == 2
    assert {program.code for program in programs.values()} == {programs["training"].code}
    assert set(programs["training"].loop.graphs) == set(sizes.values())
    opened = cr.open_run(run.folder, data=data)
    for part, curve in run.history.epochs[-1].parts.items():
        np.testing.assert_equal(dict(opened.trainer.evaluate(part).values), dict(curve))
        assert set(opened.trainer._evaluators[part].program.loop.graphs) == {sizes[part]}
