"""Losses that layers bring along: they are terms of the cost like any other, and can be the only ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

import chainrule as cr
from chainrule import ops
from chainrule.errors import GraphError, LossError
from chainrule.nn.build import place


@dataclass(frozen=True)
class Small:
    """Hands on what it is given, and asks for it to be small."""

    name: str = ""

    def __call__(self, x: cr.Node) -> cr.Node:
        """x itself."""
        with place(self, "small", x) as here:
            here.term("size", ops.mean(x * x, axis=1), "mean_j a_j²")
            return here.gives(x)


@pytest.mark.parametrize("engine", ["reference", "native"])
def test_a_layers_loss_is_a_term_of_the_cost(engine):
    net = cr.Sequential(cr.Dense(4, "tanh", name="hidden"), Small(), cr.Dense(2, "softmax"))
    run = cr.fit(net, "moons", epochs=2, engine=engine)
    assert run.task.formula == "C = 1/B·Σ_batch(−log a_label) + 1/B·Σ_batch(mean_j a_j²)"
    last = run.history.epochs[-1].parts["test"]
    a = np.asarray(run.model().quantities(run.data.test.x)["hidden.a"])
    assert last["small1.size"][0] == pytest.approx(np.mean(a**2), rel=1e-5)
    assert last["loss"][0] == pytest.approx(last["cross_entropy"][0] + last["small1.size"][0], rel=1e-6)


def test_it_may_be_the_only_one():
    run = cr.fit(cr.Sequential(cr.Dense(4, "tanh"), Small()), "moons", loss="none", epochs=20)
    first, last = run.history.epochs[0].parts["training"], run.history.epochs[-1].parts["training"]
    assert "accuracy" not in last
    assert last["loss"][0] < 0.5 * first["loss"][0]
    assert run.task.formula == "C = 1/B·Σ_batch(mean_j a_j²)"


def test_without_any_loss_there_is_nothing_to_train():
    for loss in ("none", cr.L2(0.1)):
        with pytest.raises(LossError, match="without a loss"):
            cr.fit("2-2", "moons", loss=loss)


def test_a_loss_is_one_number_to_an_example_and_has_a_name_of_its_own():
    with pytest.raises(GraphError, match="one to an example"):
        cr.build_network(cr.Sequential(shared := Small(), shared), (3,))
