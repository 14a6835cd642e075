"""A NaN or infinity stops the run, says where it came from, and leaves the state just before it."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.views.report import report_page


def test_the_example_that_overflows_is_named(tmp_path):
    x = np.linspace(-1, 1, 40)[:, None].astype(np.float32)
    y = x.astype(float)
    x[17] = 3e38  # finite, but its square is not
    data = cr.data.from_arrays(x, y, split=cr.data.RandomSplit(test=0), scaling="none", target_scaling="none")
    square = cr.Sequential(cr.Formula("x * x"), cr.Dense(1))
    with pytest.raises(cr.errors.NonFiniteError) as caught:
        cr.fit(square, data, optimizer=cr.SGD(1e-3), batch_size=4, epochs=3, folder=tmp_path, seed=2)
    error = caught.value
    assert isinstance(error, ArithmeticError)
    assert error.place is not None
    assert error.place.example == 17
    order = cr.ops.epoch_order(2, 0, 40)
    assert error.place.step == int(np.argmax(order == 17)) // 4
    assert "formula1" in str(error)
    assert "example 17" in str(error)
    assert f"step {error.place.step}" in str(error)
    before = cr.open_run(tmp_path / "latest", data=data)
    assert before.trainer.step == error.place.step
    assert before.stopped == "not finite"
    for name, array in before.parameters().items():
        assert np.isfinite(array).all()
        np.testing.assert_array_equal(array[None], error.state[name])


@pytest.mark.parametrize("replicas", [1, 3])
def test_too_large_a_learning_rate(replicas):
    with pytest.raises(cr.errors.NonFiniteError, match="lower the learning rate"):
        cr.fit("1-20-1", "curve", optimizer=cr.SGD(1e9), epochs=50, replicas=replicas)


COUNTS = np.random.default_rng(0).normal(size=(60, 2)), np.arange(60.0) % 5


@pytest.mark.parametrize(
    "trained",
    [
        lambda: cr.fit("2-3-1 tanh relu", COUNTS, loss="poisson", epochs=5, seed=1),
        lambda: cr.fit("2-3-1 tanh relu", COUNTS, loss="poisson", optimizer=cr.LBFGS(), seed=1),
        lambda: cr.trainer("2-3-1 tanh relu", loss="poisson", seed=1).step(*COUNTS),
    ],
    ids=["fit", "search", "step"],
)
def test_a_function_that_is_undefined_for_what_it_was_given_is_the_cause(trained):
    with pytest.raises(cr.errors.NonFiniteError, match="-inf in log") as told:
        trained()
    assert 'keep what goes into log above 0, it was 0: where that is an output, end the network with "exp"' in told.value.remedy
    assert "rate" not in told.value.remedy


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        (lambda z: cr.ops.sqrt(z * 0.0 - 4.0), "keep what goes into sqrt at 0 or above, it was -4:"),
        (lambda z: 1.0 / cr.ops.relu(z - 1e6), "keep what is divided by away from 0"),
        (lambda z: cr.ops.exp(z + 1e3), "lower the learning rate"),
    ],
)
def test_what_overflows_and_what_is_undefined_have_other_remedies(code, cause):
    with pytest.raises(cr.errors.NonFiniteError) as told:
        cr.fit(cr.Sequential(cr.Dense(1), code), COUNTS, loss="mean_squared_error", epochs=1)
    assert cause in told.value.remedy


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("rate", [10.0, 1e8])
@pytest.mark.parametrize("replicas", [1, 3])
def test_a_training_that_ran_away_before_it_ended_is_shown_and_found(rate, replicas):
    """Its last loss is beyond all numbers, and no step was taken from there that would have stopped it."""
    x = np.random.default_rng(0).normal(size=(7, 3))
    data = cr.data.from_arrays(x, 100 * x[:, 0] + 1000, target_scaling="none")
    run = cr.fit("3-5-1", data, optimizer=cr.SGD(rate), epochs=2 if rate < 100 else 1, replicas=replicas)
    assert np.isinf(run.history.epochs[-1].parts["training"]["loss"]).all()
    assert "loss ∞" in str(run)
    assert "not a number" not in str(run)
    assert "standard error" not in str(run)
    assert "Results" in report_page(run)
    assert run._repr_html_()
    found = run.doctor(only=["numbers that are not finite", "learning rate"])
    assert {one.ailment for one in found.ill} == {"numbers that are not finite", "learning rate"}


def test_outputs_beyond_all_numbers_explain_nothing(tmp_path):
    x = np.random.default_rng(0).normal(size=(40, 3))
    run = cr.fit("3-1", cr.data.from_arrays(x, x[:, 0], scaling="none", target_scaling="none"), epochs=1)
    run = cr.fit("3-1", run.data, epochs=0, initial={"dense1.W": np.full((3, 1), 3e38)})
    evaluation = run.evaluate("test")
    assert evaluation.r_squared() == -np.inf
    assert "R² −∞" in str(evaluation)
