"""`trainer`: steps that a program of one's own calls, held against JAX, against `fit`, and against programs made for each size."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import DataError, LossError, NonFiniteError, OptionError, OptionTypeError, ShapeError
from chainrule.train import stepwise

jax.config.update("jax_enable_x64", True)
RANDOM = np.random.default_rng(0)
X, LABELS = RANDOM.normal(size=(40, 3)), RANDOM.integers(0, 2, 40)
NUMBERS = np.tanh(X[:, :1]) + X[:, 1:2]


def policy_gradient(output, action, reward):
    return reward * cr.ops.softmax_cross_entropy(output, action)


def test_a_step_of_a_loss_of_ones_own_is_the_step_of_jax():
    learner = cr.trainer("3-5-2 tanh linear", loss=policy_gradient, optimizer=cr.SGD(0.1), dtype="float64")
    learner.predict(X[:1])
    p = learner.parameters()
    reward = RANDOM.normal(size=11)

    def by_jax(p):
        z = jnp.tanh(X[:11] @ p["dense1.W"] + p["dense1.b"]) @ p["dense2.W"] + p["dense2.b"]
        return -jnp.mean(reward * jax.nn.log_softmax(z)[jnp.arange(11), LABELS[:11]])

    loss, slopes = jax.jit(jax.value_and_grad(by_jax))(p)
    assert learner.step(X[:11], action=LABELS[:11], reward=reward) == pytest.approx(float(loss), abs=1e-14)
    for name, value in learner.parameters().items():
        np.testing.assert_allclose(value, p[name] - 0.1 * slopes[name], rtol=0, atol=1e-15, err_msg=name)


@pytest.mark.parametrize("engine", ["native", "reference"])
@pytest.mark.parametrize(("net", "loss", "y"), [
    ("3-4-2 tanh softmax", "cross_entropy", LABELS),
    ("3-4-2 tanh linear", None, LABELS),
    ("3-4-1 tanh linear", cr.SquaredError() + cr.L2(0.01), NUMBERS),
    ("3-4-1 tanh sigmoid", "binary_cross_entropy", LABELS),
])  # fmt: skip
def test_steps_are_those_of_fit(net, loss, y, engine):
    data = cr.data.from_arrays(X, y, split=None, scaling="none", target_scaling="none" if y.ndim > 1 else None)
    options = {"optimizer": cr.Adam(0.01), "dtype": "float64", "seed": 3, "engine": engine}
    run = cr.fit(net, data, loss=loss, epochs=2, batch_size=13, order=lambda replica, epoch, count: np.arange(count), **options)
    learner = cr.trainer(net, loss=loss, **options)
    losses = [learner.step(X[k : k + 13], y[k : k + 13]) for _ in range(2) for k in range(0, 40, 13)]
    np.testing.assert_allclose(losses, run.history.steps()[0], rtol=1e-13)
    for name, value in run.parameters().items():
        np.testing.assert_allclose(learner.parameters()[name], value, rtol=0, atol=1e-13)
    np.testing.assert_allclose(learner.predict(X), run.predict(X), rtol=0, atol=1e-12)


LAYERS = {
    "plain": lambda: cr.parse_network("3-4-2 tanh softmax"),
    "batch normalisation": lambda: cr.Sequential(cr.Dense(4), cr.BatchNorm(), cr.Activation("relu"), cr.Dense(2, "softmax")),
    "layer normalisation": lambda: cr.Sequential(cr.Dense(4), cr.LayerNorm(), cr.Dense(2, "softmax")),
}


@pytest.mark.parametrize("kind", LAYERS)
def test_rows_that_fill_a_batch_up_count_nothing(kind, monkeypatch):
    sizes = [5, 13, 8, 40, 3, *([] if kind == "batch normalisation" else [1])]
    filled = cr.trainer(LAYERS[kind](), loss="cross_entropy", dtype="float64")
    losses = [filled.step(X[:size], LABELS[:size]) for size in sizes]
    monkeypatch.setattr(stepwise, "capacity_of", lambda count: count)
    exact = cr.trainer(LAYERS[kind](), loss="cross_entropy", dtype="float64")
    np.testing.assert_allclose(losses, [exact.step(X[:size], LABELS[:size]) for size in sizes], rtol=1e-12)
    made = {size for name, size in filled._calls if name == "step"}
    assert made == (set(sizes) if kind == "batch normalisation" else {8, 16, 64})
    np.testing.assert_allclose(filled.predict(X[:7]), exact.predict(X[:7]), rtol=0, atol=1e-12)


def test_a_loss_of_the_whole_batch_has_a_program_for_each_size():
    def spread(output):
        return -cr.ops.max(cr.ops.absolute(output))

    learner = cr.trainer("3-2:linear", loss=spread)
    assert learner.step(X[:5]) == pytest.approx(
        -float(np.abs(cr.trainer("3-2:linear", loss=spread).predict(X[:5])).max()), rel=1e-5
    )
    learner.step(X[:7])
    assert {size for _, size in learner._calls} == {5, 7}


def test_it_learns_what_is_rewarded():
    learner, random = (
        cr.trainer("2-8-2 tanh linear", loss=policy_gradient, optimizer=cr.Adam(0.03), seed=1),
        np.random.default_rng(1),
    )
    for _ in range(150):
        seen = random.normal(size=(random.integers(2, 60), 2))
        z = learner.predict(seen)
        action = (random.random(len(seen)) < 1 / (1 + np.exp(z[:, 0] - z[:, 1]))).astype(int)
        learner.step(seen, action=action, reward=np.where(action == (seen[:, 0] > seen[:, 1]), 1.0, -1.0))
    seen = random.normal(size=(400, 2))
    assert np.mean(learner.predict(seen).argmax(1) == (seen[:, 0] > seen[:, 1])) > 0.93


def test_a_number_that_is_not_finite_changes_nothing():
    learner = cr.trainer("3-4-1 tanh linear", loss="mean_squared_error", optimizer=cr.SGD(1e30))
    learner.step(X, NUMBERS)
    before = learner.state
    with pytest.raises(NonFiniteError, match="at step 1; the network is as it was before"):
        learner.step(X * 1e20, NUMBERS)
    assert all(np.array_equal(array, before[name]) for name, array in learner.state.items())
    assert learner.step_count == 1


def test_a_state_is_taken_up_again_bit_for_bit():
    one = cr.trainer("3-4-2", optimizer=cr.Adam(0.01))
    one.step(X, LABELS)
    state, count = one.state, one.step_count
    ahead = one.step(X, LABELS), one.step(X[:9], LABELS[:9])
    other = cr.trainer("3-4-2", optimizer=cr.Adam(0.01), seed=5)
    other.step(X, LABELS)
    other.state, other.step_count = state, count
    assert (other.step(X, LABELS), other.step(X[:9], LABELS[:9])) == ahead
    with pytest.raises(OptionError, match=r"another dense1\.W"):
        other.state = {**state, "dense1.W": np.zeros(3)}


def test_a_schedule_over_all_steps_is_told_how_many_there_are():
    with pytest.raises(OptionError, match="steps=10_000"):
        cr.trainer("3-4-2", optimizer=cr.Adam(cr.Cosine(0.1)))
    learner = cr.trainer("3-2", optimizer=cr.SGD(cr.Cosine(0.1)), steps=4)
    assert [round(learner.setup.rate(step), 4) for step in range(4)] == [0.1, 0.0854, 0.05, 0.0146]
    cr.trainer("3-2", optimizer=cr.SGD(cr.StepDecay(0.1, every=2)))


def test_bytes_ids_and_several_targets():
    words = cr.trainer(cr.Sequential(cr.Embedding(7, 4), cr.Flatten(), cr.Dense(2, "softmax")))
    words.step(RANDOM.integers(0, 7, (9, 3)), LABELS[:9])
    assert words.predict(np.zeros((2, 3), int)).shape == (2, 2)
    pixels = cr.trainer(cr.Sequential(cr.Flatten(), cr.Dense(2, "softmax")))
    assert pixels.step(RANDOM.integers(0, 255, (9, 2, 2)).astype(np.uint8), LABELS[:9]) > 0
    two = cr.trainer(
        "3-1",
        loss=lambda output, low, high: cr.ops.reduce_sum(cr.ops.relu(low - output) + cr.ops.relu(output - high), axes=(1,)),
    )
    assert two.step(X, NUMBERS - 0.1, NUMBERS + 0.1) > 0


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda t: t.step(X, LABELS[:3]), ShapeError, "40 of x, 3 of y"),
        (lambda t: t.step(X[:0], LABELS[:0]), ShapeError, "0 of x"),
        (lambda t: t.step(X[:, :2], LABELS), ShapeError, r"rows of shape \(2,\)"),
        (lambda t: t.step(X), OptionError, "as at the first step"),
        (lambda t: t.step(X, LABELS, seed=1), OptionError, "another name"),
        (lambda t: t.step("x", LABELS), OptionTypeError, "array of numbers"),
        (lambda t: t.step(X * np.nan, LABELS), DataError, "nan"),
        (lambda t: t.step(X, LABELS + 0.5), DataError, "int64"),
        (lambda t: t.predict([[1.0]]), ShapeError, "rows of shape"),
        (lambda t: t.step(X, LABELS + 5), DataError, r"expected: 0 \.\.\. 1"),
    ],
)
def test_what_is_no_batch_is_refused_and_changes_nothing(call, kind, words):
    learner = cr.trainer("3-4-2")
    learner.step(X, LABELS)
    before = learner.state
    with pytest.raises(kind, match=words):
        call(learner)
    assert all(np.array_equal(array, before[name]) for name, array in learner.state.items())


@pytest.mark.parametrize(
    ("make", "kind", "words"),
    [
        (lambda: cr.trainer("3-2", optimizer=cr.LBFGS()), OptionError, "step by step"),
        (lambda: cr.trainer("3-2", optimizer="perceptron"), OptionError, "gradient of the loss"),
        (lambda: cr.trainer("3-2", loss=lambda output, y: 1.0).step(X, LABELS), LossError, "a number for each example"),
        (lambda: cr.trainer("3-2").step(X, action=LABELS), OptionError, "y alone"),
        (lambda: cr.trainer("3-2").parameters(), OptionError, "has seen no example"),
        (lambda: cr.trainer("4-2").step(X, LABELS), ShapeError, "3"),
    ],
)
def test_what_cannot_go_by_steps_is_refused(make, kind, words):
    with pytest.raises(kind, match=words):
        make()


def test_the_graph_of_a_step_can_be_looked_at():
    learner = cr.trainer("3-2:linear", loss=policy_gradient)
    learner.step(X, action=LABELS, reward=NUMBERS[:, 0])
    graph = learner.graph(8)
    assert {"loss", "dense1.W", "dense1.b"} <= graph.outputs.keys()
    assert {"weight", "action", "reward", "x"} <= graph.leaves.keys()


def test_a_first_batch_that_is_none_binds_nothing():
    learner = cr.trainer("3-4-2")
    for wrong in (
        lambda: learner.predict([[1.0]]),
        lambda: learner.step(X, action=LABELS),
        lambda: learner.step(X, LABELS + 5),
    ):
        with pytest.raises(cr.errors.ChainruleError):
            wrong()
    assert learner.step(X, LABELS) == cr.trainer("3-4-2").step(X, LABELS)


def test_no_target_is_given_twice_or_lost():
    learner = cr.trainer("3-2", loss=lambda output, *targets: cr.ops.sum(output, axis=1))
    with pytest.raises(OptionError, match="each once"):
        learner.step(X, LABELS, y=LABELS)
    with pytest.raises(OptionError, match="10 targets"):
        learner.step(X, *[LABELS] * 10)


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        (lambda output, y, z: output.mean(), r"(?s)cannot be called as loss\(output, y\).*step\(x, y\)"),
        (lambda output: output.mean(), r"cannot be called as loss\(output, y\)"),
        (lambda output, *, y: output.mean(), r"cannot be called as loss\(output, y\)"),
    ],
)
def test_a_loss_that_takes_other_targets_is_refused(loss, said):
    with pytest.raises(cr.errors.LossError, match=said):
        cr.trainer("2-1", loss=loss).step(np.ones((3, 2)), np.ones((3, 1)))


def test_one_number_to_an_example_may_come_without_an_axis():
    x, y = np.random.default_rng(0).normal(size=(9, 2)), np.arange(9.0)
    one, other = (cr.trainer("2-1", loss="mean_squared_error", engine="reference") for _ in range(2))
    assert [one.step(x, y), one.step(x[:4], y[:4])] == [other.step(x, y[:, None]), other.step(x[:4], y[:4, None])]
    with pytest.raises(cr.errors.OptionTypeError, match="assign what `state` gave"):
        one.state = 3
    assert repr(one).endswith(": 2 steps>")


@pytest.mark.parametrize("size", [4, 5])
def test_truth_values_are_inputs_and_masks(size):
    """Judged by the same steps with 0 and 1 as numbers."""
    random = np.random.default_rng(0)
    x, y, mask = random.random((size, 3)) > 0.5, random.normal(size=(size, 2)), random.random((size, 2)) > 0.3

    def of_truths(output, target, mask):
        return cr.ops.sum(cr.ops.where(mask, cr.ops.square(output - target), cr.ops.square(output) * 0.0), 1)

    def of_numbers(output, target, mask):
        return cr.ops.sum(cr.ops.square(output - target) * mask, 1)

    one, other = (
        cr.trainer("3-4-2 tanh", loss=loss, optimizer=cr.SGD(0.1), dtype="float64") for loss in (of_truths, of_numbers)
    )
    for _ in range(3):
        assert one.step(x, target=y, mask=mask) == pytest.approx(other.step(x.astype(float), target=y, mask=mask.astype(float)))
    np.testing.assert_allclose(one.predict(x), other.predict(x.astype(float)))


def test_numbers_too_large_for_the_network_are_named_before_a_step():
    learner = cr.trainer("2-3-1 tanh")
    with pytest.raises(DataError, match="x holds 1e\\+300"):
        learner.step([[1e300, 0.0]], [1.0])
    with pytest.raises(DataError, match=r"y\.astype\(float\)"):
        learner.step([[1.0, 0.0]], [7])
