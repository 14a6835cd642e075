"""Memory: the science of its examples, on smaller versions, and the pictures' numbers."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import OptionError
from chainrule.examples import EXAMPLES
from chainrule.views import pictures


@pytest.fixture(scope="module")
def gradients():
    trainings = EXAMPLES["gradients-in-time"].trainings(0)
    runs = {name: training.changed(epochs=min(4, training.epochs)).fit() for name, training in trainings.items()}
    return runs, EXAMPLES["gradients-in-time"].conclude(runs, 0)


def test_the_derivative_is_the_sum_over_the_steps_and_not_the_average(gradients):
    _, outcome = gradients
    summed, averaged, *_ = outcome.facts
    assert summed.value < 1e-8
    assert averaged.value > 0.01
    assert outcome.holds, str(outcome)


def test_a_linear_network_multiplies_the_gradient_by_the_spectral_radius_exactly(gradients):
    runs, _ = gradients
    x, y = runs["linear"].data.train.x, runs["linear"].data.train.y
    turn, _ = np.linalg.qr(np.random.default_rng(5).normal(size=(16, 16)))
    models = {str(rho): runs["linear"].model().with_parameters({"rnn1.U": rho * turn}) for rho in (0.5, 1.5)}
    decay = pictures.gradient_decay(models, x, y)
    for i, rho in enumerate((0.5, 1.5)):
        np.testing.assert_allclose(decay.numbers["sizes"][i] / decay.numbers["sizes"][i, 0], rho ** np.arange(12.0), rtol=1e-9)
    np.testing.assert_allclose(decay.numbers["rates"], np.log([0.5, 1.5]), rtol=1e-9)
    np.testing.assert_allclose(decay.numbers["predicted"], decay.numbers["rates"], rtol=1e-9)


def test_the_map_of_a_stack_vanishes_down_the_layers_and_back_in_time(gradients):
    runs, _ = gradients
    deep = runs["deep"]
    found = pictures.gradients_through_time(deep.model(), deep.data.train.x, deep.data.train.y)
    assert tuple(found.numbers["layers"].tolist()) == ("rnn1", "rnn2", "rnn3", "rnn4", "rnn5")
    assert found.numbers["sizes"].shape == (5, 25)
    # At the last step only the way down the layers is behind a gradient, in the last layer only the way back in time.
    assert found.numbers["sizes"][4, -1] > found.numbers["sizes"][4, 0]
    steps = deep.model().through_time(deep.data.train.x, deep.data.train.y)
    lengths = np.sqrt((steps.gradients("rnn2.h") ** 2).sum(axis=2)).mean(axis=0)
    np.testing.assert_allclose(found.numbers["sizes"][1], lengths, rtol=1e-12)


def test_a_step_share_is_held_against_a_difference_of_the_whole_cost(gradients):
    runs, _ = gradients
    data = runs["tanh"].data.train
    found = pictures.step_contributions(runs["tanh"].model(), data.x, data.y, "rnn1.U")
    assert found.numbers["total"] == pytest.approx(found.numbers["difference"], abs=1e-9)
    assert len(found.numbers["shares"]) == 12
    assert "is not" in found.reading


def test_gates_that_begin_as_a_memory_bridge_the_silence_that_a_plain_network_does_not():
    trainings = EXAMPLES["recall"].trainings(0)
    found = {
        kind: trainings[f"{kind}, silence 100, data 2"].changed(epochs=60).fit().evaluate("test").scores.values["accuracy"]
        for kind in ("RNN", "GRU", "LSTM")
    }
    assert found["GRU"].min() > 0.97
    assert found["LSTM"].min() > 0.97
    assert found["RNN"].max() < 0.97
    assert found["RNN"].mean() < 0.85


@pytest.mark.parametrize("kind", ["GRU", "LSTM"])
def test_networks_with_gates_learn_to_count_down(kind):
    data = cr.data.countdown(256, most=4, wait=2)
    training = EXAMPLES["countdown"].trainings(0)[kind].changed(data=data)
    run = training.changed(epochs=60, replicas=2).fit()
    outputs = run.evaluate("test").scores.outputs
    assert np.abs(outputs - data.test.y).max(axis=2).mean() < 0.15
    assert (outputs.argmax(axis=2) == data.test.y.argmax(axis=1)).mean() > 0.97
    shown = pictures.answers_over_time({kind: run}, data.train.x[0], data.train.y[0])
    assert shown.numbers["outputs"].shape == (1, 2, 7)


def test_a_network_that_reads_the_question_first_beats_the_count_of_words():
    trainings = EXAMPLES["story"].trainings(0)
    bag = trainings["bag of words"].changed(epochs=10, replicas=2).fit()
    reads = trainings["GRU, from the question"].changed(epochs=25, replicas=2).fit()
    scores = [run.evaluate("test").scores.values["accuracy"] for run in (bag, reads)]
    assert scores[0].max() < 0.7
    assert scores[1].min() > scores[0].max() + 0.05


def test_pictures_of_memory_refuse_what_has_none():
    run = cr.fit(cr.Dense(2, "softmax"), cr.data.moons(40), epochs=1)
    x, y = run.data.train.x, run.data.train.y
    with pytest.raises(OptionError, match="recurrent"):
        pictures.gradients_through_time(run.model(), x, y)
    with pytest.raises(OptionError, match="every"):
        pictures.answers_over_time({"dense": run}, x[0], y[0])
    with pytest.raises(OptionError, match="replicas"):
        pictures.scores_by_gap({("a", 1): [run, run], ("b", 2): [run, run]})
