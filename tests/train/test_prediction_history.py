"""Answers along a training: what every replica said of every example at a step, against the run taken back to that step."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import OptionError
from chainrule.train import PredictionHistory, prediction_history


@pytest.fixture(scope="module")
def run():
    return cr.fit("2-8-2 tanh softmax", cr.data.moons(60), epochs=6, batch_size=10, replicas=3, optimizer=cr.SGD(0.5))


def test_answers_are_those_of_the_run_at_that_step(run):
    answers = prediction_history(run, steps=[30, 0, 7])
    x, y = run.data.train.x, run.data.train.y
    assert answers.at.tolist() == [0, 7, 30]
    for place, step in enumerate((0, 7, 30)):
        for replica in range(3):
            outputs = run.at(step).predict(x, replica)
            np.testing.assert_array_equal(answers.predicted[place, replica], outputs.argmax(axis=1))
            np.testing.assert_allclose(answers.confidence[place, replica], outputs[np.arange(len(y)), y], rtol=1e-6)
            np.testing.assert_allclose(
                answers.losses[place, replica], -np.log(outputs[np.arange(len(y)), y]), rtol=1e-5, atol=1e-6
            )
    assert run.hash == run.at(epoch=6).hash


def test_after_each_epoch_the_share_of_right_answers_is_the_curve(run):
    answers = prediction_history(run)
    np.testing.assert_allclose(answers.right.mean(axis=2), run.history.curve("training", "accuracy")[1])
    assert prediction_history(run, "test", [6]).labels.tolist() == run.data.test.y.tolist()


def test_a_single_output_is_the_second_classs_probability():
    run = cr.fit("2-4-1 tanh sigmoid", cr.data.moons(60), epochs=1, batch_size=10)
    answers, outputs = prediction_history(run), run.predict(run.data.train.x)[:, 0]
    np.testing.assert_allclose(answers.confidence[0, 0], np.where(run.data.train.y == 1, outputs, 1 - outputs), rtol=1e-6)


def test_learned_is_when_an_example_is_right_for_good():
    right = np.array([[0, 1, 1, 0, 1], [1, 1, 0, 0, 1], [1, 1, 1, 0, 0]], bool)[:, None, :]
    answers = PredictionHistory(np.array([5, 10, 20]), np.ones(5, int), right.astype(int), np.full(right.shape, 0.5))
    assert answers.learned.tolist() == [[10.0, 5.0, 20.0, np.inf, np.inf]]


def test_what_has_no_answers_is_refused(run):
    with pytest.raises(OptionError, match="probabilities"):
        prediction_history(cr.fit("1-3-1 tanh", cr.data.curve("sin3x", n=20), epochs=1, batch_size=10))
    with pytest.raises(OptionError, match="step 37"):
        prediction_history(run, steps=[37])
    with pytest.raises(OptionError, match="no steps"):
        prediction_history(run, steps=[])
