"""An engine whose state is elsewhere: what trains, saves and replays asks for nothing but the interface."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.engines import ENGINES, EngineKind, HostState, ReferenceEngine
from chainrule.engines.engine import no_such_stage
from chainrule.engines.reference import ReferenceLoop


class FarState:
    """State that nobody else can reach: what is given is copied in, what is read is copied out and cannot be written."""

    def __init__(self, arrays):
        self._inside = {name: array.copy() for name, array in arrays.items()}

    def arrays(self):
        found = {name: array.copy() for name, array in self._inside.items()}
        for array in found.values():
            array.flags.writeable = False
        return found

    def copy(self):
        return FarState(self._inside)

    def is_finite(self):
        return HostState(self._inside).is_finite()


class FarLoop(ReferenceLoop):
    longest = 3

    def load(self, state):
        return FarState(state)

    def run(self, state, order, sizes, scalars):
        assert isinstance(state, FarState)
        return super().run(HostState(state._inside), order, sizes, scalars)

    def over(self, tables):
        return FarLoop(self.loop, tables, self.replicas)


class FarEngine(ReferenceEngine):
    name = "far"
    stages = ("orbit",)

    def compile_loop(self, loop, tables, replicas, steps=None):
        return FarLoop(loop, tables, replicas)

    def lowered(self, loop, name, replicas=1, steps=None):
        if name not in self.stages:
            raise no_such_stage(self, name)
        return f"{name} of {len(loop.graphs)}"


@pytest.fixture(autouse=True)
def far(monkeypatch):
    monkeypatch.setitem(ENGINES, "far", EngineKind(lambda threads: FarEngine(), stages=("orbit",)))


X = np.random.default_rng(0).normal(size=(60, 3))
LABELS = (X.sum(1) > 0).astype(int)
DATA = cr.data.from_arrays(X, LABELS, split=cr.data.RandomSplit(test=0.2, validation=0.2))
WAYS = {
    "plain": {"optimizer": cr.SGD(0.1)},
    "slots and replicas": {"optimizer": cr.Adam(0.01), "replicas": 2},
    "early stopping": {"optimizer": cr.SGD(5.0), "early_stopping": cr.EarlyStopping(patience=2)},
    "full batch": {"optimizer": cr.LBFGS(), "batch_size": 36},
}


def fit(engine, **options):
    net = cr.Sequential(cr.Dense(4, "tanh"), cr.BatchNorm(), cr.Dropout(0.2), cr.Dense(2, "softmax"))
    net = net if not isinstance(options.get("optimizer"), cr.LBFGS) else "3-4-2 tanh softmax"
    return cr.fit(net, DATA, engine=engine, **{"batch_size": 10, "epochs": 6, **options})


@pytest.mark.parametrize("way", WAYS)
def test_it_trains_to_the_same_bits(way, tmp_path):
    here, there = fit("reference", **WAYS[way]), fit("far", folder=tmp_path, **WAYS[way])
    assert there.trainer.engine.name == "far"
    assert there.hash == here.hash
    assert there.stopped == here.stopped
    assert max(records["loss"].shape[1] for _, records in there.history.chunks) <= FarLoop.longest
    np.testing.assert_array_equal(there.predict(X), here.predict(X))
    assert there.predictor()(X[0]).tolist() == here.predictor()(X[0]).tolist()
    assert there.evaluate().loss.tolist() == here.evaluate().loss.tolist()
    opened = cr.open_run(there.folder, data=DATA)
    assert opened.hash == here.hash
    assert opened.lowered("orbit") == there.lowered("orbit")
    with pytest.raises(cr.errors.OptionError, match="one of orbit"):
        there.lowered("llvm")


def test_it_goes_on_from_where_it_was_and_back():
    run, other = fit("far", **WAYS["slots and replicas"]), fit("reference", **WAYS["slots and replicas"])
    assert run.at(7).hash == other.at(7).hash
    branch, wanted = (r.branch(5, optimizer=cr.SGD(0.1), epochs=2) for r in (run, other))
    assert branch.hash == wanted.hash


def test_a_number_that_is_not_finite_is_named_with_the_state_before_it():
    found = []
    for engine in ("far", "reference"):
        with pytest.raises(cr.errors.NonFiniteError) as error:
            cr.fit("3-4-1 relu", (X * 1e3, X[:, :1] * 1e3), engine=engine, optimizer=cr.SGD(1e9), batch_size=10, epochs=4)
        found.append((str(error.value), error.value.place, {k: v.tolist() for k, v in error.value.state.items()}))
    assert found[0] == found[1]


class RoughLoop(FarLoop):
    """Whose losses differ a little each time, as where threads add up in any order."""

    calls, by = 0, 1e-6

    def run(self, state, order, sizes, scalars):
        results = super().run(state, order, sizes, scalars)
        RoughLoop.calls += 1
        if "loss" in results.records:
            results.records["loss"][...] *= 1 + RoughLoop.by * (RoughLoop.calls % 3)
        return results

    def over(self, tables):
        return RoughLoop(self.loop, tables, self.replicas)


class RoughEngine(FarEngine):
    name, tolerance = "rough", 1e-5

    def compile_loop(self, loop, tables, replicas, steps=None):
        return RoughLoop(loop, tables, replicas)


def test_an_engine_that_gives_other_bits_each_time_is_replayed_within_what_it_states(monkeypatch):
    monkeypatch.setitem(ENGINES, "rough", EngineKind(lambda threads: RoughEngine()))
    run = fit("rough", **WAYS["plain"])
    assert "numbers that agree to 10⁻⁵ of their size, not to the bit" in str(run)
    assert run.at(7).trainer.step == 7
    assert len(run.ledger(3, "dense1.W").contributions) > 1
    monkeypatch.setattr(RoughLoop, "by", 1e-3)
    with pytest.raises(cr.errors.ReplayError, match="computed again"):
        run.at(13)
    assert "not to the bit" not in str(fit("far", **WAYS["plain"]))
