"""The ledger: the parts of a step add up to what happened, and each part is what it is called."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.numerals import printed
from chainrule.train import OPTIMIZERS

RULES = {
    **OPTIMIZERS,
    "adam with ε inside": cr.Adam(0.01, epsilon=1e-3, epsilon_hat=True),
    "adam with ε outside": cr.Adam(0.01, epsilon=1e-3),
    "adamw with much decay": cr.AdamW(0.01, weight_decay=0.5),
    "momentum, cosine": cr.SGD(cr.WarmUp(3, cr.Cosine(0.2)), momentum=0.8),
    "nesterov, steps": cr.SGD(cr.StepDecay(0.2, every=4), momentum=0.8, nesterov=True),
}
PENALISED = cr.CrossEntropy() + cr.L2(0.01) + cr.L1(0.003)
CLIPS = {"no clip": None, "norm": cr.ClipNorm(0.05), "value": cr.ClipValue(0.01)}


def trained(optimizer, dtype="float64", **more):
    """A network with dropout on moons, 7 examples a batch, the last of an epoch shorter."""
    last = "step" if isinstance(optimizer, cr.PerceptronRule) else "softmax"
    loss = None if last == "step" else more.pop("loss", PENALISED)
    net = cr.Sequential(cr.Dense(5, "tanh"), cr.Dropout(0.4), cr.Dense(1 if last == "step" else 2, last))
    net = cr.Sequential(cr.Dense(1, "step")) if last == "step" else net
    return cr.fit(net, cr.data.moons(60), optimizer=optimizer, epochs=3, batch_size=7, loss=loss, dtype=dtype, seed=4, **more)


def unexplained(ledger, ulps, eps):
    """By how much the residual is larger than what rounding allows, at most."""
    size = np.abs(ledger.contributions).sum(axis=0) + sum(np.abs(part) for part in ledger.parts.values())
    return float(np.max(np.abs(ledger.residual) - ulps * ledger.ulp - eps * size))


CASES = [(name, "norm") for name in RULES] + [(name, clip) for name in ("sgd", "adam") for clip in ("no clip", "value")]
"""What clipping takes away is the gain times a gradient, for every optimizer: a few stand for all."""


@pytest.mark.parametrize(("name", "clip"), CASES)
def test_parts_add_up_to_what_happened(name, clip):
    run = trained(RULES[name], clip=CLIPS[clip], engine="reference")
    for step in (0, 1, run.trainer.steps_per_epoch - 1, run.trainer.step - 1):
        for parameter in run.problem.parameters:
            ledger = run.ledger(step, parameter)
            assert ledger.contributions.shape == (len(ledger.rows), *ledger.before.shape)
            assert unexplained(ledger, 1, 1e-12) <= 0, (step, parameter)


@pytest.mark.parametrize(("name", "clip"), [(name, list(CLIPS)[place % 3]) for place, name in enumerate(RULES)])
def test_parts_add_up_in_float32_to_a_few_ulp(name, clip):
    run = trained(RULES[name], "float32", clip=CLIPS[clip])
    for step in (0, 1, 12):
        for parameter in run.problem.parameters:
            assert unexplained(run.ledger(step, parameter), 1, 16 * np.finfo(np.float32).eps) <= 0, (step, parameter)


def test_in_float32_on_digits(digits):
    run = cr.fit("784-16-10 tanh softmax", digits, epochs=2, optimizer=cr.SGD(0.1, momentum=0.9))
    ledger = run.ledger(17, "dense1.W")
    assert unexplained(ledger, 1, 16 * np.finfo(np.float32).eps) <= 0
    assert np.linalg.norm(ledger.residual) < 1e-5 * np.linalg.norm(ledger.change)


def test_the_change_is_that_of_the_run():
    run = trained(cr.Adam(0.01), replicas=2)
    ledger = run.ledger(8, "dense2.W", replica=1)
    before, after = run.at(8).parameters(1)["dense2.W"], run.at(9).parameters(1)["dense2.W"]
    np.testing.assert_array_equal(ledger.before, before)
    np.testing.assert_array_equal(ledger.change, after - before)
    np.testing.assert_array_equal(ledger.rows, run.trainer.rows(8)[1])
    np.testing.assert_array_equal(ledger.examples.x, run.data.train.x[ledger.rows])


def test_shares_of_descent_are_the_examples_own_gradients():
    run = cr.fit("2-4-2 tanh softmax", cr.data.moons(60), batch_size=6, epochs=2, optimizer=cr.SGD(0.3), dtype="float64")
    ledger = run.ledger(5, "dense1.W")
    own = run.at(5).model().example_gradients(ledger.examples.x, ledger.examples.y)["dense1.W"]
    np.testing.assert_allclose(ledger.contributions, -0.3 * own / len(own), atol=1e-15)
    assert ledger.parts == {}
    assert ledger.denominator is None


def test_each_part_is_what_it_is_called():
    run = trained(cr.SGD(0.1, momentum=0.9), clip=cr.ClipNorm(0.05))
    ledger = run.ledger(9, "dense1.W")
    state = {name: array[0] for name, array in run.at(9).trainer.state.items()}
    assert list(ledger.parts) == ["penalty l2", "penalty l1", "clipping", "momentum μ·v"]
    np.testing.assert_allclose(ledger.parts["momentum μ·v"], 0.9 * state["dense1.W.velocity"], rtol=1e-14)
    np.testing.assert_allclose(ledger.parts["penalty l2"], -0.1 * 0.01 * 2 * state["dense1.W"], rtol=1e-14)
    np.testing.assert_allclose(ledger.parts["penalty l1"], -0.1 * 0.003 * np.sign(state["dense1.W"]), rtol=1e-14)
    # What clipping took away is opposite to the gradient as it was, and what is left has a norm of 0.05 over all parameters.
    unclipped = ledger.contributions.sum(axis=0) + ledger.parts["penalty l2"] + ledger.parts["penalty l1"]
    ratio = ledger.parts["clipping"] / unclipped
    np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-12)
    assert -1 < ratio[0, 0] < 0
    kept = [run.ledger(9, name) for name in run.problem.parameters]
    left = [part.total - part.parts["momentum μ·v"] for part in kept]
    np.testing.assert_allclose(np.sqrt(sum(np.sum(part**2) for part in left)), 0.1 * 0.05, rtol=1e-12)
    assert np.all(run.ledger(9, "dense1.b").parts["penalty l2"] == 0)


def test_adam_given_its_denominator():
    run = trained(cr.AdamW(0.01, weight_decay=0.1), loss=cr.CrossEntropy())
    ledger = run.ledger(6, "dense1.b")
    state, later = ({k: a[0] for k, a in run.at(s).trainer.state.items()} for s in (6, 7))
    below = np.sqrt(later["dense1.b.square"] / (1 - 0.999**7)) + 1e-8
    np.testing.assert_allclose(ledger.denominator, below, rtol=1e-12)
    scale = 0.01 / (1 - 0.9**7) / below
    np.testing.assert_allclose(ledger.parts["earlier gradients β₁·m"], -scale * 0.9 * state["dense1.b.mean"], rtol=1e-12)
    np.testing.assert_allclose(ledger.parts["weight decay"], -0.01 * 0.1 * state["dense1.b"], rtol=1e-12)


@pytest.mark.parametrize("optimizer", ["nesterov", "adam with ε inside", "perceptron"])
def test_an_entry_is_the_whole_cut_down(optimizer):
    run = trained(RULES[optimizer])
    whole, one = run.ledger(11, "dense1.W").entry(1, 0), run.ledger(11, "dense1.W", (1, 0))
    np.testing.assert_allclose(one.contributions, whole.contributions, rtol=1e-12, atol=1e-18)
    assert one.parts.keys() == whole.parts.keys()
    assert all(one.parts[name] == pytest.approx(float(part), rel=1e-12) for name, part in whole.parts.items())
    assert (one.change, one.label) == (whole.change, "dense1.W[1, 0]")
    assert run.ledger(11, "dense1.b", 0).label == "dense1.b[0]"


def test_the_perceptron_moves_by_its_mistakes():
    run = trained(cr.PerceptronRule(0.5))
    ledger = run.ledger(2, "dense1.b", 0)
    wrong = run.at(2).model().decide(ledger.examples.x) != ledger.examples.y
    sign = np.where(ledger.examples.y == 1, 1.0, -1.0)
    np.testing.assert_allclose(ledger.contributions, 0.5 * wrong * sign / 7, atol=1e-16)


def test_examples_are_ranked_and_printed():
    run = cr.fit("784-8-10 tanh softmax", few_digits(), batch_size=20, epochs=1, optimizer=cr.SGD(0.1, momentum=0.9))
    ledger = run.ledger(3, "dense2.W", (0, 3))
    ranked = ledger.ranked()
    assert sorted(share.place for share in ranked) == list(range(20))
    assert [abs(share.value) for share in ranked] == sorted((abs(v) for v in ledger.contributions), reverse=True)
    assert ranked[0].example == ledger.rows[ranked[0].place]
    text = str(ledger)
    assert text.startswith("dense2.W[0, 3], step 3 → 4, replica 0, η = 0.1\n")
    assert f"example {ranked[0].example}, class " in text
    assert "12 more" in text
    assert text.splitlines()[-1].split() == ["=", "Δw", printed(f"{float(ledger.change):+.5e}"), "100.0", "%"]
    whole = run.ledger(3, "dense2.W")
    assert sum(share.value for share in whole.ranked()) + whole.along(whole.parts["momentum μ·v"]) == pytest.approx(
        np.linalg.norm(whole.change), rel=1e-5
    )
    assert "parts by their components along Δw" in str(whole)


def few_digits():
    whole = cr.data.mnist()
    part = cr.data.Examples(whole.train.x[:100], whole.train.y[:100])
    return cr.data.Dataset("few", part, None, part, scaling=whole.scaling, classes=whole.classes)


def test_hostile_class_names_come_out_as_text():
    x, names = np.linspace(-1, 1, 40)[:, None], np.array(["\x1b[31mred\n", "x" * 500])
    data = cr.data.from_arrays(x, names[(x[:, 0] > 0).astype(int)])
    text = str(cr.fit("1-3-2 tanh softmax", data, epochs=1, batch_size=8).ledger(0, "dense1.W", (0, 0)))
    assert "\x1b" not in text
    assert "\\x1b[31mred" in text
    assert max(map(len, text.splitlines())) < 120


def test_what_cannot_be_told_is_said(digits):
    run = cr.fit("784-4-10 tanh softmax", digits, epochs=1)
    for step, name, index in (
        (0, "W", None), (0, "dense1.W", (0, 4)), (0, "dense1.W", 3), (0, "dense1.b", -1), (run.trainer.step, "dense1.b", 0),
    ):  # fmt: skip
        with pytest.raises(cr.errors.OptionError):
            run.ledger(step, name, index)
    x = np.linspace(-1, 1, 20)[:, None]
    search = cr.fit("1-2-1 tanh", (x, x**2), optimizer=cr.LBFGS())
    with pytest.raises(cr.errors.OptionError):
        search.ledger(0, "dense1.b", 0)


def test_a_whole_parameter_that_is_too_much(digits, monkeypatch):
    monkeypatch.setattr("chainrule.train.ledger.MOST_NUMBERS", 32 * 784 * 4 - 1)
    run = cr.fit("784-4-10 tanh softmax", digits, epochs=1)
    with pytest.raises(cr.errors.OptionError, match="ask for one entry"):
        run.ledger(0, "dense1.W")
    assert run.ledger(0, "dense1.W", (400, 1)).contributions.shape == (32,)


def test_after_a_branch_adam_counts_anew():
    run = trained(cr.SGD(0.1))
    other = run.branch(10, optimizer=cr.Adam(0.01))
    for step in (10, 11):
        assert unexplained(other.ledger(step, "dense2.W"), 1, 1e-12) <= 0
