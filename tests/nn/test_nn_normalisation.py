"""Batch normalisation: values, gradients and running statistics against JAX, closed forms and differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from nn_judges import check_layer, first_values, numerical_gradient, run

import chainrule as cr
from chainrule.derivatives import grad
from chainrule.errors import OptionError, ShapeError
from chainrule.graph import compute, constant
from chainrule.nn import BatchNorm, Conv2D, Dense, Flatten, Sequential, Uniform, build_network, from_json, to_code, to_json
from chainrule.ops import multiply
from chainrule.ops import sum as add_up
from chainrule.views.networks import draw_network, layer_card

jax.config.update("jax_enable_x64", True)
SOME = Uniform(-1.0, 1.0)


def even(x, axes, epsilon=1e-5):
    """x with mean 0 and variance 1 over these axes, in JAX."""
    return (x - x.mean(axes)) / jnp.sqrt(x.var(axes) + epsilon)


@pytest.mark.parametrize("shape", [(5,), (2, 3), (3, 2, 4)])
def test_battery_in_use(shape):
    assert check_layer(BatchNorm(gains=SOME, biases=SOME), shape, name="batch_norm1") == shape


@pytest.mark.parametrize("shape", [(6, 3), (4, 2, 3, 2)])
def test_training_normalises_by_the_batch(shape):
    random = np.random.default_rng(1)
    x, weight = random.normal(3.0, 2.0, size=shape), random.normal(size=shape)
    built = build_network(BatchNorm(gains=SOME, biases=SOME), shape[1:], batch=shape[0], training=True)
    total = add_up(multiply(built.output, constant(weight)))
    bound = first_values(built) | {built.input: x}
    gain, b = (item.node for item in built.parameters.values())
    axes = tuple(range(len(shape) - 1))

    def judge(x, gain, b):
        return jnp.sum(weight * (even(x, axes) * gain + b))

    leaves = [built.input, gain, b]
    wanted, slopes = jax.jit(jax.value_and_grad(judge, (0, 1, 2)))(*(bound[leaf] for leaf in leaves))
    assert compute([total], bound)[0] == pytest.approx(float(wanted), rel=1e-13)
    for leaf, slope, told in zip(leaves, grad(total, leaves), slopes, strict=True):
        found = compute([slope], bound)[0]
        np.testing.assert_allclose(found, told, rtol=0, atol=1e-12)
        numeric = numerical_gradient(lambda a, leaf=leaf: compute([total], bound | {leaf: a})[0], bound[leaf])
        np.testing.assert_allclose(found, numeric, rtol=1e-6, atol=1e-8)


def test_one_step_of_the_running_statistics():
    x = np.random.default_rng(2).normal(3.0, 2.0, size=(4, 2, 3, 2))
    built = build_network(BatchNorm(momentum=0.25), x.shape[1:], batch=4, training=True)
    bound = first_values(built) | {built.input: x}
    mean, variance = compute([state.next for state in built.states.values()], bound)
    np.testing.assert_allclose(mean, 0.25 * x.mean((0, 1, 2)), rtol=1e-14)
    np.testing.assert_allclose(variance, 0.75 + 0.25 * x.var((0, 1, 2), ddof=1), rtol=1e-14)


def test_in_use_the_running_statistics_stand_in():
    x = np.random.default_rng(3).normal(size=(4, 2))
    built = build_network(BatchNorm(1.0, 1e-3), (2,), batch=4)
    mean, variance = (state.node for state in built.states.values())
    assert all(state.next is None for state in built.states.values())
    values = first_values(built) | {built.input: x, mean: np.array([1.0, -2.0]), variance: np.array([4.0, 0.25])}
    told = (x - [1.0, -2.0]) / np.sqrt([4.001, 0.251])
    np.testing.assert_allclose(compute([built.output], values)[0], told, rtol=1e-14)


def images():
    """32 pictures of 6 × 6, bright on one side or the other, and which."""
    random = np.random.default_rng(4)
    y = np.arange(32) % 2
    x = random.normal(size=(32, 6, 6, 1)) + np.linspace(-1, 1, 6)[:, None] * np.where(y, 1, -1)[:, None, None, None]
    return cr.data.from_arrays(x, y, test=(x, y), scaling="none")


NET = Sequential(Conv2D(3, 3, bias=False), BatchNorm(), cr.Activation("relu"), Flatten(), Dense(2, "softmax"))


def train(engine, **options):
    chosen = {"optimizer": cr.SGD(0.1), "epochs": 25, "batch_size": 8, "dtype": "float64", "engine": engine}
    return cr.fit(NET, images(), **{**chosen, **options})


def test_training_follows_jax_and_the_engines_agree():
    both = {engine: train(engine) for engine in ("reference", "native")}
    first, data = both["native"].at(0), images()
    assert both["native"].trainer.step == 100

    def step(w, rows):
        x, y = jnp.asarray(data.train.x)[rows], jnp.asarray(data.train.y)[rows]
        z = jax.lax.conv_general_dilated(x, w["conv1.W"], (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        a = jax.nn.relu(even(z, (0, 1, 2)) * w["batch_norm1.gain"] + w["batch_norm1.b"]).reshape(8, -1)
        logits = a @ w["dense1.W"] + w["dense1.b"]
        statistics = z.mean((0, 1, 2)), z.var((0, 1, 2), ddof=1)
        return -jax.nn.log_softmax(logits)[jnp.arange(8), y].mean(), statistics

    w, m, v = {name: jnp.asarray(value) for name, value in first.parameters().items()}, np.zeros(3), np.ones(3)
    slope = jax.jit(jax.grad(step, has_aux=True))
    for number in range(100):
        g, (mean, variance) = slope(w, both["native"].trainer.rows(number)[0])
        w = {name: value - 0.1 * g[name] for name, value in w.items()}
        m, v = 0.9 * m + 0.1 * mean, 0.9 * v + 0.1 * variance
    told = {**w, "batch_norm1.mean": m, "batch_norm1.variance": v}
    for run_ in both.values():
        for name, value in {**run_.parameters(), **run_.states()}.items():
            np.testing.assert_allclose(value, told[name], rtol=1e-9, atol=1e-11, err_msg=name)


def test_a_single_number_to_a_channel_has_no_variance():
    net = Sequential(Dense(3), BatchNorm(), Dense(2, "softmax"))
    data = cr.data.from_arrays(np.arange(18.0).reshape(9, 2), np.arange(9) % 2, test=(np.ones((2, 2)), [0, 1]))
    with pytest.raises(ShapeError, match=r"(?s)batch_norm1.*batch_size that leaves no last batch of one"):
        cr.fit(net, data, batch_size=4)
    cr.fit(net, data, batch_size=3, epochs=1)


def test_it_can_be_written_down():
    net = Sequential(Dense(3), BatchNorm(0.2, 1e-3, biases=SOME, name="even"), Dense(2))
    assert from_json(to_json(net)) == net
    assert eval(to_code(net), {"cr": cr}) == eval(repr(net), vars(cr.nn)) == net
    x = np.ones((2, 4))
    assert np.array_equal(run(from_json(to_json(net)), x), run(net, x))


def test_bad_options_are_refused():
    for momentum in (0.0, 1.5, "0.1", float("nan")):
        with pytest.raises(OptionError, match="momentum"):
            BatchNorm(momentum)
    with pytest.raises(OptionError, match="epsilon"):
        BatchNorm(epsilon=0.0)
    with pytest.raises(ShapeError, match="Reshape"):
        build_network(BatchNorm(), ())


def test_views_show_running_statistics_where_they_are_needed():
    run = train("native", epochs=2)
    card = layer_card(run, "batch_norm1")
    assert "Trainable parameters: 6" in card.sections
    carried = [line for line in card.sections["Information flow"] if line.startswith("not trained")]
    assert [line.split(": ")[1] for line in carried] == ["batch_norm1.mean", "batch_norm1.variance"]
    example = run.data.test[0]
    drawn = draw_network(run.model(), example)
    np.testing.assert_allclose(drawn.outcome.output, run.predict(example.x[None])[0], rtol=1e-12)
    assert "batch_norm1.variance" in str(run.explain(0))
    assert run.problem.described.built.parameter_count == 27 + 6 + 98
    mine = run.model().gradient(run.data.train.x, run.data.train.y)
    assert run.model().check_gradient(mine, run.data.train.x, run.data.train.y).ok
