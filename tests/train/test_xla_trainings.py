"""Trainings on the xla engine: the numbers of the reference engine, and all that runs can do: resume, replay, branch, replicas, predict."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

pytest.importorskip("jax", reason="the xla engine needs JAX")

import chainrule as cr
from chainrule.engines import choice
from chainrule.engines.xla import compiled, layout, loop
from chainrule.errors import NonFiniteError, OptionError, PositionError, SlowerEngineWarning

pytestmark = pytest.mark.filterwarnings("ignore::chainrule.errors.SlowerEngineWarning")

X = np.random.default_rng(0).normal(size=(50, 3))
LABELS = (X.sum(1) > 0).astype(int)
DATA = cr.data.from_arrays(X, LABELS, split=cr.data.RandomSplit(test=0.0, validation=0.2))
CLOSE = 2e-6
"""Of the largest number, after a hundred steps or fewer in float32: measured are 6e-7 at most."""


NET = cr.Sequential(cr.Dense(4, "tanh"), cr.BatchNorm(), cr.Dropout(0.2), cr.Dense(2, "softmax"))
SMALL = "3-4-2 tanh softmax"


def fit(engine, network=SMALL, data=DATA, **options):
    return cr.fit(network, data, engine=engine, **{"batch_size": 10, "epochs": 6, **options})


def steps(engine, network=SMALL, data=DATA, count=100, **options):
    """A trainer that has done so many steps, and nothing else: no curves are taken, which would be compiled too."""
    trainer = cr.Training(network, data, engine=engine, **{"batch_size": 10, "epochs": 100, **options}).trainer()
    trainer.train_until(count)
    return trainer


def close(found, wanted, tolerance=CLOSE):
    size = max(1.0, float(np.abs(wanted).max(initial=0.0)))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance * size)


def alike(run, other, tolerance=CLOSE):
    """Parameters, states and every loss along the way, of runs or trainers."""
    one, wanted = (getattr(each, "trainer", each) for each in (run, other))
    for name in wanted.names:
        close(one.state[name], wanted.state[name], tolerance)
    close(run.history.steps(), other.history.steps(), tolerance)


WAYS = {
    "replicas with slots": {"optimizer": cr.Adam(0.01), "replicas": 2, "clip": cr.ClipNorm(1.0)},
    "full batch": {"optimizer": cr.LBFGS(iterations=8), "batch_size": None},
}


@pytest.mark.parametrize("way", WAYS)
def test_a_run_is_the_same_and_can_do_the_same(way, tmp_path):
    run, other = fit("xla", folder=tmp_path, **WAYS[way]), fit("reference", **WAYS[way])
    alike(run, other, 1e-9 if way == "full batch" else CLOSE)
    assert run.stopped == other.stopped
    close(run.predict(X), other.predict(X))
    close(run.predictor()(X[0]), other.predictor()(X[0]))
    assert cr.open_run(run.folder, data=DATA).hash == run.hash


def test_it_goes_on_back_and_aside(tmp_path):
    way = {"optimizer": cr.Adam(0.01), "replicas": 2, "clip": cr.ClipNorm(1.0)}
    run, longer = fit("xla", folder=tmp_path, **way), steps("xla", count=32, **way)
    assert run.at(7).trainer.step == 7  # every loss on the way is held against what was noted
    branch, wanted = (r.branch(5, optimizer=cr.SGD(0.1), epochs=2) for r in (run, fit("reference", **way)))
    alike(branch, wanted)
    resumed = cr.resume(run.folder, epochs=8, data=DATA)
    assert resumed.settings.engine == "xla"
    assert resumed.hash == longer.hash


def test_a_replica_is_the_single_run_to_the_bit_and_with_vmap_to_rounding():
    three, together = (steps(engine, replicas=3, seed=5, optimizer=cr.Adam(0.01)) for engine in ("xla", "xla-vmap"))
    for replica in range(3):
        single = steps("xla", seed=5 + replica, optimizer=cr.Adam(0.01))
        for name, array in single.state.items():
            assert array[0].tobytes() == three.state[name][replica].tobytes()
            close(together.state[name][replica], array[0])
        assert single.history.steps()[0].tobytes() == three.history.steps()[replica].tobytes()


NETWORKS = {
    "rows": (NET, X),
    "pictures": (
        cr.Sequential(
            cr.Reshape((6, 6, 1)), cr.Conv2D(3, 3, activation="relu"), cr.MaxPool(2), cr.Flatten(), cr.Dense(2, "softmax")
        ),
        np.random.default_rng(1).normal(size=(50, 36)),
    ),
    "texts": (
        cr.Sequential(cr.Embedding(5, 3), cr.LSTM(3), cr.Dense(2, "softmax")),
        np.random.default_rng(2).integers(0, 5, (50, 4)).astype(float),
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_hundred_steps_of_other_networks(name):
    network, x = NETWORKS[name]
    size = 15 if name == "rows" else 10  # of 50 examples: with a shorter last batch, and without
    data = cr.data.from_arrays(x, LABELS, scaling="none")
    alike(
        *(steps(engine, network, data, optimizer=cr.SGD(0.1, momentum=0.9), batch_size=size) for engine in ("xla", "reference"))
    )


def test_least_squares_and_float64():
    t = np.linspace(0.0, 3.0, 40)
    decay = cr.Sequential(cr.Formula("f(x) = a*exp(-b*x)", parameters={"a": (1,), "b": (1,)}))
    runs = [
        cr.fit(decay, (t, 2.5 * np.exp(-1.3 * t)), optimizer=cr.LevenbergMarquardt(), engine=engine,
               initial={"formula1.a": np.array([1.0]), "formula1.b": np.array([0.1])})
        for engine in ("xla", "reference")
    ]  # fmt: skip
    # The search ends where the cost is flat to rounding: its place is known to the root of that.
    for name in ("formula1.a", "formula1.b"):
        close(runs[0].parameters()[name], runs[1].parameters()[name], 1e-8)
    shared = [run.history.steps()[:, :15] for run in runs]
    close(*shared, 1e-12)


# ---- what goes wrong


def test_a_number_that_is_not_finite_is_named_with_the_state_before_it():
    found = []
    for engine in ("xla", "reference"):
        with pytest.raises(NonFiniteError) as error:
            steps(engine, "3-4-1 relu", (X * 1e3, X[:, :1] * 1e3), optimizer=cr.SGD(1e9))
        found.append((str(error.value), error.value.place))
    assert found[0] == found[1]


def test_an_id_that_the_embedding_does_not_have_is_named_and_nothing_of_the_piece_is_kept():
    ids = np.random.default_rng(2).integers(0, 5, (50, 4)).astype(float)
    ids[17, 2] = 7
    network = cr.Sequential(cr.Embedding(5, 3), cr.Flatten(), cr.Dense(2, "softmax"))
    told = []
    for engine in ("xla", "reference"):
        training = cr.Training(network, cr.data.from_arrays(ids, LABELS, scaling="none"), engine=engine, batch_size=5, epochs=3)
        trainer = training.trainer()
        before = trainer.hash
        with pytest.raises(PositionError) as error:
            trainer.train()
        told.append(str(error.value))
        assert trainer.hash == before or trainer.step
    assert told[0] == told[1]


def test_what_would_not_fit_is_said_before_it_starts(monkeypatch):
    for module in (layout, loop, compiled):
        monkeypatch.setattr(module, "memory_of_device", lambda: 1000, raising=False)
    with pytest.raises(
        OptionError, match=r"needs [\d.]+ KiB on the device \(.*of parameters and state.*activations[\s\S]*1000 B"
    ):
        fit("xla")


@pytest.mark.parametrize("why", ["too large", "a file", "files in another type"])
def test_data_that_do_not_fit_are_sent_piece_by_piece(why, monkeypatch, tmp_path):
    way = {"replicas": 2, "optimizer": cr.Adam(0.01)}
    there = steps("xla", data=(X.astype("f"), LABELS), **way)
    data = (X.astype("f"), LABELS)
    if why == "too large":
        monkeypatch.setattr(loop, "memory_of_device", lambda: 1000)
    else:
        for place in ("rows.COPIED_OF_A_FILE", "archives.COPIED_OF_A_FILE", "rows.COPIED"):
            monkeypatch.setattr(f"chainrule.data.{place}", 0)
        np.save(tmp_path / "x.npy", X.astype("f") if why == "a file" else X)
        data = cr.data.from_arrays(np.load(tmp_path / "x.npy", mmap_mode="r"), LABELS)
    sent = steps("xla", data=data, **way)
    assert (there.program.report()["data"], sent.program.report()["data"]) == ("on the device", "sent piece by piece")
    alike(sent, there)


def test_options_that_do_not_go_together():
    with pytest.raises(OptionError, match=r"devices=2 with the native engine[\s\S]*engine=\"xla\""):
        fit("native", devices=2)
    with pytest.raises(OptionError, match=r"devices=999[\s\S]*JAX sees 1"):
        fit("xla", devices=999)
    with pytest.raises(OptionError, match="threads=2 with the xla engine"):
        fit("xla", threads=2)
    # A saved run is opened where there are fewer devices.
    assert choice.engine_named("xla", devices=999, at_most=True).devices == 1


# ---- what is said


def test_it_says_what_it_does_not_promise_and_that_native_is_faster(monkeypatch):
    choice._warn_of_cpu.cache_clear()
    with pytest.warns(SlowerEngineWarning, match="native engine computes the same, several times faster"):
        run = fit("xla", epochs=1)
    text = str(run)
    assert "agree to 0.0001 of their size, not to the bit" in text
    assert "bits depend on the number of cores" in text
    assert "native engine is faster" in text
    assert "native" not in str(fit("reference", epochs=1))


def test_each_stage_prints():
    run = fit("xla", epochs=1)
    assert "while" in run.lowered("jaxpr")
    assert "stablehlo.dot_general" in run.lowered("stablehlo")
    assert "HloModule" in run.lowered("hlo")
    with pytest.raises(OptionError, match="jaxpr, stablehlo, hlo"):
        run.lowered("llvm")


def test_what_was_compiled_is_kept_and_signed():
    first = steps("xla", "3-5-2 tanh softmax", count=5)
    compiled._known.clear()
    again = steps("xla", "3-5-2 tanh softmax", count=5)
    assert again.program.report()["from_cache"]
    assert again.hash == first.hash


def test_a_loop_of_ones_own():
    found = []
    for engine in ("xla", "reference"):
        learner = cr.trainer("3-4-2 tanh softmax", optimizer=cr.Adam(0.05), engine=engine)
        losses = [learner.step(X[i : i + 5 + i % 3], LABELS[i : i + 5 + i % 3]) for i in range(20)]
        found.append((losses, learner.predict(X), *learner.parameters().values()))
    for one, other in zip(*found, strict=True):
        close(one, np.asarray(other))
    with pytest.raises(NonFiniteError, match="as it was before"):
        cr.trainer("3-4-1 relu", optimizer=cr.SGD(1e38), engine="xla").step(X * 1e30, X[:, :1])


# ---- several devices

DEVICES = """
    import json, warnings
    warnings.simplefilter("ignore")
    import numpy as np
    import chainrule as cr
    x = np.random.default_rng(0).normal(size=(48, 3))
    data = (x, (x.sum(1) > 0).astype(int))

    def steps(**options):
        made = cr.Training("3-8-2 tanh softmax", data, engine="xla", optimizer=cr.Adam(0.01), batch_size=12, epochs=10, seed=3, **options)
        trainer = made.trainer()
        trainer.train_until(40)
        return trainer

    def worst(one, other):
        return max(float(np.abs(one.state[n] - other.state[n]).max()) for n in other.state)

    one, batches = steps(), steps(devices=8)
    six, apart, both = steps(replicas=6), steps(replicas=6, devices=4), steps(replicas=3, devices=8)
    from chainrule.engines.xla import compiled
    compiled._known.clear()  # what was kept on disk is taken from there
    again = [steps(), steps(replicas=3, devices=8)]
    print(json.dumps({
        "again": [[trainer.hash == other.hash, trainer.program.report()["from_cache"]] for trainer, other in zip(again, (one, both))],
        "hashes": [six.hash, apart.hash],
        "devices": [trainer.program.report()["devices"] for trainer in (one, apart, batches, both)],
        "first": all((one.state[name][0] == apart.state[name][0]).all() for name in one.state),
        "batches": worst(batches, one),
        "both": max(float(np.abs(both.state[n] - six.state[n][:3]).max()) for n in both.state),
        "shared": batches.program.program.call.as_text().count("all-reduce("),
    }))
"""


def test_replicas_and_batches_over_eight_devices():
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(DEVICES)],
        env={**os.environ, "XLA_FLAGS": f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count=8"},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout.splitlines()[-1])
    assert found["hashes"][0] == found["hashes"][1]
    assert found["devices"] == [1, 4, 8, 6]
    assert found["again"] == [[True, True], [True, True]]
    assert found["first"]
    assert max(found["batches"], found["both"]) < CLOSE
    assert found["shared"]
