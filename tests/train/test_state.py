"""State that layers carry from step to step without training it: its values, its files, and what must leave it alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

import chainrule as cr
from chainrule import ops
from chainrule.graph import Node
from chainrule.nn import Constant, Zeros, place

X = np.arange(48.0).reshape(24, 2) / 10
Y = np.arange(24) % 2
DATA = cr.data.from_arrays(X, Y, test=(X, Y))
ENGINES = ("reference", "native")


@dataclass(frozen=True)
class Running:
    """(x − m)·scale, where m ← 0.9·m + 0.1·mean of the batch, and scale is a state that nothing changes."""

    name: str = ""

    def __call__(self, x: Node) -> Node:
        """x without its running mean."""
        with place(self, "running", x) as here:
            m = here.state("m", x.shape[1:], Zeros())
            scale = here.state("scale", (), Constant(0.5))
            here.next_state("m", m * 0.9 + ops.mean(x, 0) * 0.1)
            return here.gives(here.label((x - m) * scale, "a"))


def train(layer, **options):
    net = cr.Sequential(layer, cr.Dense(3, "tanh"), cr.Dense(2, "softmax"))
    return cr.fit(net, DATA, **{"epochs": 3, "batch_size": 6, "dtype": "float64", "optimizer": "adam", **options})


def same(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


def means(run, last):
    """m after `last` steps, by its definition."""
    m, scaling = np.zeros(2), run.signature.scaling
    for step in range(last):
        batch = (X[run.trainer.rows(step)[0]] - scaling.offset) * scaling.factor
        m = 0.9 * m + 0.1 * batch.mean(0)
    return m


@pytest.mark.parametrize("engine", ENGINES)
def test_a_state_follows_its_own_rule_and_no_optimizer(engine):
    run = train(Running(), engine=engine, loss=cr.CrossEntropy() + cr.L2(0.1), clip=cr.ClipNorm(0.01))
    assert set(run.states()) == {"running1.m", "running1.scale"}
    assert not run.parameters().keys() & run.states().keys()
    np.testing.assert_allclose(run.states()["running1.m"], means(run, 12), rtol=1e-12)
    assert run.states()["running1.scale"] == 0.5
    assert set(run.trainer.state) - {"seed"} == set(run.states()) | {
        name + slot for name in run.parameters() for slot in ("", ".mean", ".square")
    }


@pytest.mark.parametrize("engine", ENGINES)
def test_evaluation_prediction_and_models_read_it_as_it_stands(engine):
    run = train(Running(), engine=engine)
    m, w = run.states()["running1.m"], run.parameters()
    scaling = run.signature.scaling
    a = ((X - scaling.offset) * scaling.factor - m) * 0.5
    z = np.tanh(a @ w["dense1.W"] + w["dense1.b"]) @ w["dense2.W"] + w["dense2.b"]
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    np.testing.assert_allclose(run.predict(X), p, rtol=1e-12)
    np.testing.assert_allclose(run.predictor()(X), p, rtol=1e-12)
    np.testing.assert_allclose(run.evaluate("test").scores.outputs[0], p, rtol=1e-12)
    np.testing.assert_allclose(run.model().quantities(X)["output"], p, rtol=1e-12)
    assert run.evaluate("test").loss[0] == pytest.approx(-np.log(p[np.arange(24), Y]).mean(), rel=1e-12)
    assert same(run.states(), train(Running(), engine=engine).states())  # nothing of this has moved it


@pytest.mark.parametrize("engine", ENGINES)
def test_a_replica_equals_the_single_run(engine):
    both, one = train(Running(), engine=engine, replicas=2), train(Running(), engine=engine, seed=1)
    assert same(both.states(1), one.states())
    assert same(both.parameters(1), one.parameters())


def test_engines_agree():
    one, other = (train(Running(), engine=engine).states() for engine in ENGINES)
    for name in one:
        np.testing.assert_allclose(one[name], other[name], rtol=1e-12)
