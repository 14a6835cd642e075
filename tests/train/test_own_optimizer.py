"""An optimizer of one's own is its update: ledger, formulas, folder, resumption and replay follow from the update's graph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

import chainrule as cr
from chainrule import ops
from chainrule.engines import engine_named
from chainrule.train import LBFGS, OPTIMIZERS, LevenbergMarquardt, Optimizer
from chainrule.train.update_rule import Steps


@cr.described
class Damped(Optimizer):
    """Descent with friction, which decays weights too, and divides by a running size."""

    learning_rate: float = 0.05
    friction: float = 0.4
    decay: float = 0.01

    slots = ("velocity", "size")
    symbols = {"velocity": "v", "size": "s", "friction": "γ", "decay": "λ"}  # noqa: RUF012

    def update(self, w, g, slots, rate, step):
        size = slots["size"] * self.friction + abs(g) * (1.0 - self.friction)
        velocity = slots["velocity"] * (1.0 - self.friction) - g * rate / (size / (1.0 - self.friction**step) + 0.5)
        return w * (1.0 - self.decay) + velocity, {"velocity": velocity, "size": size}


@cr.described
class Signs(Optimizer):
    """A step of one size along the signs of a mean: linear in nothing."""

    learning_rate: float = 0.01

    slots = ("mean",)

    def update(self, w, g, slots, rate, step):
        mean = slots["mean"] * 0.5 + g * 0.5
        return w - ops.sign(mean) * rate - w * (rate * 0.1), {"mean": mean}


@cr.described
class Adadelta(Optimizer):
    """M. D. Zeiler (2012): the step size is a slot that multiplies the gradient."""

    learning_rate: float = 1.0

    slots = ("square", "change")

    def update(self, w, g, slots, rate, step):
        square = slots["square"] * 0.9 + g * g * 0.1
        change = ops.sqrt(slots["change"] + 1e-3) / ops.sqrt(square + 1e-3) * g
        return w - change * rate, {"square": square, "change": slots["change"] * 0.9 + change * change * 0.1}


@dataclass(frozen=True)
class ByLayer(Optimizer):
    """Y. You, I. Gitman, B. Ginsburg (2017): a step as long as the weights are, whatever their shape."""

    learning_rate: float = 0.01

    def update(self, w, g, slots, rate, step):
        trust = ops.sqrt((w * w).sum() + 1e-3) / ops.sqrt((g * g).sum() + 1e-3)
        return w - trust * rate * g, {}


@dataclass(frozen=True)
class OfMatrices(Optimizer):
    """A rule that needs rows."""

    learning_rate: float = 0.1

    def update(self, w, g, slots, rate, step):
        return w - g * rate / (ops.norm(g)[..., None] + 1.0), {}


def trained(optimizer, **options):
    options = {"epochs": 2, "batch_size": 8, "seed": 3, "dtype": "float64", "engine": "reference", **options}
    return cr.fit("2-3-2 tanh softmax", cr.data.moons(24), optimizer=optimizer, **options)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("optimizer", [Damped(), Signs(), Adadelta()], ids=lambda optimizer: type(optimizer).__name__)
def test_its_ledger_adds_up(optimizer, dtype):
    run = trained(optimizer, dtype=dtype, clip=cr.ClipNorm(0.1), loss=cr.CrossEntropy() + cr.L2(0.01))
    for step in (0, 3):
        ledger = run.ledger(step, "dense1.W")
        size = np.abs(ledger.contributions).sum(0) + sum(np.abs(part) for part in ledger.parts.values()) + np.abs(ledger.before)
        assert np.max(np.abs(ledger.residual) - ledger.ulp - 16 * np.finfo(dtype).eps * size) <= 0
        assert run.ledger(step, "dense1.W", (0, 1)).total == pytest.approx(ledger.total[0, 1], rel=1e-12)


def test_the_parts_of_its_ledger_have_names_and_meanings():
    run = trained(Damped())
    ledger, before = run.ledger(3, "dense1.W"), run.at(3).trainer.state
    assert list(ledger.parts) == ["earlier gradients (1 − γ)·v", "weight decay"]
    np.testing.assert_allclose(ledger.parts["earlier gradients (1 − γ)·v"], 0.6 * before["dense1.W.velocity"][0], rtol=1e-12)
    np.testing.assert_allclose(ledger.parts["weight decay"], -0.01 * before["dense1.W"][0], rtol=1e-12)
    after = run.at(4).trainer.state
    np.testing.assert_allclose(ledger.denominator, after["dense1.W.size"][0] / (1 - 0.4**4) + 0.5, rtol=1e-12)
    signs = trained(Signs()).ledger(3, "dense1.W")
    assert list(signs.parts) == ["weight decay", "what is linear in no gradient"]
    assert not signs.contributions.any()
    np.testing.assert_allclose(np.abs(signs.parts["what is linear in no gradient"]), 0.01, rtol=1e-12)
    assert list(trained(Adadelta()).ledger(3, "dense1.W").parts) == []


def test_its_formulas_are_its_update():
    assert Damped().formulas == (
        "s ← γ·s + (1 − γ)·|g|, where g = ∂C/∂w",
        "v ← (1 − γ)·v − η·g / (s / (1 − γ^t) + 0.5)",
        "w ← (1 − λ)·w + v, t the step counted from 1",
        "γ = 0.4, λ = 0.01",
    )
    assert Signs().formulas[-1] == "w ← w − η·sign(mean) − η·0.1·w"
    html = Damped()._repr_html_()
    assert "(1 − λ)·w + v" in html
    card = cr.views.networks.layer_card(trained(Damped()), "dense1")
    assert any("(1 − λ)·w + v" in line for lines in card.sections.values() for line in lines)


def test_a_size_of_all_entries_together_is_a_step_size():
    ledger = trained(ByLayer()).ledger(2, "dense1.W")
    assert list(ledger.parts) == []
    g = ledger.contributions.sum(0)
    np.testing.assert_allclose(g / np.linalg.norm(g), ledger.change / np.linalg.norm(ledger.change), atol=1e-14)
    rows = trained(OfMatrices())
    assert list(rows.ledger(2, "dense2.W").parts) == []
    assert rows.settings.optimizer.formulas == ("w ← w − η·g / (‖g‖ + 1), where g = ∂C/∂w",)


def test_a_letter_for_a_number_is_exact_only_where_it_stands():
    """Two numbers of one value have two letters, and a number that is no field stays a number."""
    both = Damped(friction=0.5, decay=0.5)
    assert both.formulas[0].startswith("s ← γ·s + (1 − γ)·|g|")
    assert both.formulas[2].startswith("w ← (1 − λ)·w")


def test_its_slots_are_saved_and_a_resumed_run_is_an_uninterrupted_one(tmp_path):
    whole = trained(Damped(), epochs=4)
    run = trained(Damped(), folder=tmp_path)
    saved = cr.open_run(run.folder)
    assert saved.settings.optimizer == Damped()
    assert np.array_equal(saved.trainer.state["dense1.W.velocity"], run.trainer.state["dense1.W.velocity"])
    assert np.abs(saved.trainer.state["dense2.b.size"]).min() > 0
    resumed = cr.resume(run.folder, epochs=4)
    assert resumed.hash == whole.hash
    assert resumed.ledger(1, "dense1.b", 0).total == whole.ledger(1, "dense1.b", 0).total
    assert resumed.branch(2, learning_rate=0.01).settings.optimizer == Damped(0.01)


def test_native_trains_it_too():
    np.testing.assert_allclose(
        trained(Damped(), engine="native").parameters()["dense1.W"], trained(Damped()).parameters()["dense1.W"], rtol=1e-10
    )


# ---- what the interface asks


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_step_is_gain_times_gradient_and_parts_and_nothing_else(name):
    """For any numbers: by the update itself, evaluated."""
    optimizer, random = OPTIMIZERS[name], np.random.default_rng(0)
    w, g = random.normal(size=(2, 3, 4))
    slots = {slot: random.normal(size=(3, 4)) ** 2 for slot in optimizer.slots}
    found = Steps(optimizer, (3, 4), "float64", engine_named("reference")).parts(w, g, slots, 0.1, 5)
    nodes = [cr.constant(array) for array in (w, g)]
    after, _ = optimizer.update(
        *nodes, {slot: cr.constant(array) for slot, array in slots.items()}, cr.constant(0.1), cr.constant(5.0)
    )
    total = found.gain * g + sum(found.others.values(), np.zeros((3, 4)))
    np.testing.assert_allclose(w + total, cr.compute([after])[0], rtol=1e-14)
    assert all("linear" not in part for part in found.others)


def test_who_searches_and_what_is_taken_for_the_gradient_are_told_by_the_optimizer():
    assert [optimizer.search for optimizer in OPTIMIZERS.values()] == [None] * len(OPTIMIZERS)
    assert all(method.search is method and method.formulas for method in (LBFGS(), LevenbergMarquardt()))
    assert {name for name, optimizer in OPTIMIZERS.items() if optimizer.gradient == "error"} == {"perceptron"}
    training = cr.Training("2-3-2", cr.data.moons(), optimizer=LevenbergMarquardt())
    with pytest.raises(cr.errors.OptionError, match=r"learning_rate=0\.1 with Levenberg"):
        training.changed(**{"optimizer.learning_rate": 0.1})


def test_no_search_has_a_ledger():
    x = np.linspace(-1, 1, 20)[:, None]
    for method in (LBFGS(iterations=2), LevenbergMarquardt(iterations=2)):
        run = cr.fit("1-2-1 tanh", (x, x**2), optimizer=method)
        with pytest.raises(cr.errors.OptionError, match=f"by {method.title}, which searches"):
            run.ledger(0, "dense1.b", 0)
