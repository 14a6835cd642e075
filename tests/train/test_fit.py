"""`fit` as the lectures say it: batches, epochs, curves at the same weights, early stopping, callbacks, and clear refusals."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.train.lineage import Lineage
from chainrule.train.stopping import EarlyStoppingState
from chainrule.views.networks import growing_picture
from chainrule.views.terminal import score_facts


@pytest.mark.parametrize(
    ("batch", "updates", "last"), [(32, 1875, 32), (64, 938, 32), (128, 469, 96), (256, 235, 96), (512, 118, 96)]
)
def test_updates_in_an_epoch_of_mnist(batch, updates, last):
    sizes = cr.train.batch_sizes(60_000, batch)
    assert (len(sizes), sizes[-1], sizes.sum()) == (updates, last, 60_000)


def test_every_example_comes_once_in_an_epoch(digits, small_net):
    run = cr.fit(small_net, digits, epochs=2, batch_size=48)
    rows = [run.trainer.rows_of(step, step + 1) for step in range(11, 22)]
    assert sorted(np.concatenate(rows, axis=1)[0].tolist()) == list(range(500))
    assert run.trainer.sizes.tolist() == [48] * 10 + [20]


def test_curves_are_taken_at_the_same_weights(digits):
    run = cr.fit("784-8-10 relu softmax", digits, epochs=3, batch_size=50)
    last = run.history.epochs[-1]
    for part in ("training", "validation"):
        np.testing.assert_array_equal(last.parts[part]["loss"], run.evaluate(part).loss)
    epochs, curve = run.history.curve("training", "loss")
    assert epochs.tolist() == [1, 2, 3]
    assert curve.shape == (3, 1)
    np.testing.assert_allclose(last.running_loss, run.history.steps()[:, 20:].mean(1), rtol=1e-6)
    assert last.running_loss[0] > last.parts["training"]["loss"][0]


def test_loss_terms_are_reported_apart_and_sum(digits):
    run = cr.fit("784-8-10 relu softmax", digits, loss=cr.CrossEntropy() + cr.L2(1e-3) + cr.L1(1e-4), epochs=2, dtype="float64")
    scores = run.history.epochs[-1].parts["training"]
    np.testing.assert_allclose(scores["cross_entropy"] + scores["l2"] + scores["l1"], scores["loss"], rtol=1e-13)
    weights = [run.parameters()[f"dense{i}.W"] for i in (1, 2)]
    np.testing.assert_allclose(scores["l2"][0], 1e-3 * sum((w**2).sum() for w in weights), rtol=1e-12)
    steps = run.history.steps("term.cross_entropy") + run.history.steps("term.l2") + run.history.steps("term.l1")
    np.testing.assert_allclose(steps, run.history.steps("loss"), rtol=1e-12)


def test_evaluation_equals_the_formula(digits):
    run = cr.fit("784-8-10 relu softmax", digits, epochs=1, dtype="float64")
    p = run.parameters()
    a = np.maximum(digits.test.x / 255 @ p["dense1.W"] + p["dense1.b"], 0) @ p["dense2.W"] + p["dense2.b"]
    probabilities = np.exp(a) / np.exp(a).sum(1, keepdims=True)
    found = run.evaluate("test")
    np.testing.assert_allclose(found.scores.outputs[0], probabilities, rtol=1e-10)
    np.testing.assert_allclose(found.loss[0], -np.log(probabilities[np.arange(200), digits.test.y]).mean(), rtol=1e-12)
    assert found.accuracy().correct == (probabilities.argmax(1) == digits.test.y).sum()
    np.testing.assert_array_equal(run.predict(digits.test.x), found.scores.outputs[0])
    assert run.classify(digits.test.x[:3]) == [str(label) for label in found.predicted[0, :3]]


@pytest.mark.parametrize("net", ["784-10", "784-8-10 relu softmax"])
def test_probabilities_sum_to_one(digits, net):
    run = cr.fit(net, digits, epochs=1)
    np.testing.assert_allclose(run.probabilities(digits.test.x).sum(1), 1.0, rtol=1e-5)


def test_early_stopping_restores_the_best_weights(digits):
    rule = cr.EarlyStopping(patience=2)
    run = cr.fit("784-30-10 relu softmax", digits, optimizer=cr.Adam(0.02), epochs=100, early_stopping=rule)
    _, curve = run.history.curve("validation", "loss")
    assert run.stopped == "early stopping"
    assert len(curve) == int(curve.argmin()) + 1 + 2
    np.testing.assert_array_equal(run.evaluate("validation").loss, curve.min(0))


@pytest.mark.parametrize(
    ("answer", "stops"), [(True, True), (np.True_, True), (1, False), ("stop", False), ([0], False), (None, False)]
)
def test_only_true_stops(answer, stops):
    run = cr.fit("2-2", cr.data.moons(40), epochs=3, batch_size=10, callbacks=(lambda moment: answer,))
    assert (run.stopped == "stopped by a callback") is stops


@pytest.mark.parametrize("change", [0.0, 0.25])
def test_a_loss_that_stays_stops_the_training(change):
    watch = EarlyStoppingState(cr.EarlyStopping(patience=2, min_delta=change), replicas=1)
    losses = [1.0 - change * epoch for epoch in range(4)]  # each better by no more than what counts as nothing
    looks = [watch.look(epoch, {"loss": np.array([losses[min(epoch, 1)]])}, {"w": np.ones(1)}) for epoch in range(4)]
    assert looks == [False, False, True, True]
    assert watch.best_epoch.tolist() == [0]


def test_the_first_step_after_an_extension_goes_by_the_new_length():
    course, schedule, steps = Lineage(((0, 2), (20, 4))), cr.Cosine(1.0), np.arange(18.0, 23.0)
    alone = [schedule(steps, total) for total in (20, 40)]
    assert course.rates(schedule, steps, 10).tolist() == [*alone[0][:2].tolist(), *alone[1][2:].tolist()]


def test_callbacks_see_and_stop(digits, small_net):
    seen = []
    run = cr.fit(small_net, digits, epochs=5, batch_size=50, callbacks=(lambda m: seen.append(m) or m.epoch == 2,))
    assert run.trainer.step == 20
    assert run.stopped == "stopped by a callback"
    assert [m.epoch for m in seen if m.kind == "epoch"] == [1, 2]
    assert seen[-1].kind == "end"
    assert seen[-2].scores["training"]["loss"].shape == (1,)


def test_targets_are_scaled_for_the_network_and_back_for_the_user():
    x = np.linspace(-2, 2, 200)[:, None]
    data = cr.data.from_arrays(x, 4e5 + 1e5 * np.sin(x), split=cr.data.RandomSplit(test=0.25))
    run = cr.fit("1-20-1 tanh", data, optimizer=cr.LBFGS(iterations=300))
    assert run.evaluate("test").r_squared() > 0.999
    assert abs(run.predict([[0.5]])[0, 0] - (4e5 + 1e5 * np.sin(0.5))) < 2e3


def test_arrays_go_straight_in():
    x = np.random.default_rng(0).normal(size=(80, 3))
    run = cr.fit("3-4-2 tanh softmax", (x, (x[:, 0] > 0).astype(int)), epochs=30, optimizer=cr.Adam(0.05))
    assert run.evaluate("test").accuracy().value > 0.8


def test_two_inputs_a_skip_connection_and_shared_weights():
    shared = cr.Dense(6, "tanh", name="shared")
    out = cr.Dense(1)

    def wiring(left, right):
        both = shared(left) + shared(right)
        return out(cr.ops.concatenate(both, left, axis=1))

    net = cr.Network(wiring, inputs={"left": (2,), "right": (2,)})
    x = np.random.default_rng(0).normal(size=(200, 4))
    data = cr.data.from_arrays(x, np.sin(x[:, :2]).sum(1) + np.sin(x[:, 2:]).sum(1))
    run = cr.fit(net, data, optimizer=cr.LBFGS(iterations=300))
    assert set(run.parameters()) == {"shared.W", "shared.b", "dense1.W", "dense1.b"}
    assert run.evaluate("test").r_squared() > 0.99


MISTAKES = {
    "sizes that do not fit": (lambda d: cr.fit("100-10", d), ValueError, "examples of shape \\(784,\\)"),
    "too few outputs": (lambda d: cr.fit("784-16-9 relu softmax", d), ValueError, "10 classes.*\n.*output \\(1, 9\\)"),
    "softmax into logits": (
        lambda d: cr.fit("784-10-10 relu softmax", d, loss="cross_entropy_from_logits"), ValueError, "done twice"),
    "logits into softmax": (lambda d: cr.fit("784-10", d, loss="cross_entropy"), ValueError, "cross_entropy_from_logits"),
    "batch larger than the data": (lambda d: cr.fit("784-10", d, batch_size=501), ValueError, "501 from 500"),
    "no such loss": (lambda d: cr.fit("784-10", d, loss="cross_entorpy"), ValueError, "did you mean 'cross_entropy'"),
    "no such optimizer": (lambda d: cr.fit("784-10", d, optimizer="addam"), ValueError, "did you mean 'adam'"),
    "negative epochs": (lambda d: cr.fit("784-10", d, epochs=-1), ValueError, "epochs=-1"),
    "epochs as text": (lambda d: cr.fit("784-10", d, epochs="5"), TypeError, "epochs='5'"),
    "engine": (lambda d: cr.fit("784-10", d, engine="gpu"), ValueError, "engine 'gpu'"),
    "stopping without validation": (
        lambda d: cr.fit("2-2", "moons", early_stopping=cr.EarlyStopping()), ValueError, "validation"),
    "order that is none": (lambda d: cr.fit("784-10", d, order=lambda s, e, n: np.zeros(n)), ValueError, "no permutation"),
    "first values misshapen": (lambda d: cr.fit("784-10", d, initial={"dense1.W": np.zeros((10, 784))}), ValueError, "transpose"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_one_wrong_line_one_clear_message(digits, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    call, kind, text = MISTAKES[name]
    with pytest.raises(kind, match=text) as caught:
        call(digits)
    assert isinstance(caught.value, cr.errors.ChainruleError)
    assert "expected:" in str(caught.value)
    assert "fix:" in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_fewer_examples_than_a_usual_batch_are_one_batch():
    assert cr.fit("2-4-2 tanh softmax", "xor", epochs=1).settings.batch_size == 4
    with pytest.raises(cr.errors.DataError, match="a batch of 5 from 4"):
        cr.fit("2-4-2 tanh softmax", "xor", epochs=1, batch_size=5)


def test_where_all_targets_are_alike_the_loss_is_the_score_and_the_rest_says_why() -> None:
    """R² has no value there: what compares trainings goes by the loss, and no text shows a number that is none."""
    x = np.random.default_rng(0).normal(size=(40, 2))
    training = cr.Training("2-3-1", cr.data.from_arrays(x, np.full((40, 1), 3.5)), epochs=2, replicas=2)
    run = training.fit()
    found = run.evaluate("test")
    assert np.isnan(found.r_squared())
    assert found.score[0] == "loss"
    assert np.array_equal(found.score[1], found.loss)
    texts = [str(run), str(growing_picture(run)), cr.pictures.regression_fit(run).title, str(score_facts(found))]
    for text in texts:
        assert "undefined" in text
        assert "not a number" not in text
        assert "nan" not in text
    swept = cr.sweep(training, {"optimizer.learning_rate": [0.01, 0.1]}, replicas=2)
    assert "loss" in str(swept)
