"""Noise and codes that are drawn: their formulas against JAX and SciPy, their moments within their errors, both engines alike."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from nn_judges import check_layer
from scipy import integrate, stats

import chainrule as cr
from chainrule.derivatives import grad
from chainrule.engines import engine_named
from chainrule.errors import OptionError, ShapeError
from chainrule.graph import Graph, compute, constant, input_node
from chainrule.nn import GaussianNoise, Latent, Sequential, build_network
from chainrule.ops import multiply, random
from chainrule.ops import sum as add_up

jax.config.update("jax_enable_x64", True)


@pytest.mark.parametrize(
    ("layer", "given", "gives", "name"),
    [
        (GaussianNoise(0.5), (3, 2), (3, 2), None),
        (Latent(), (6,), (3,), "latent1"),
        (Sequential(cr.Dense(4, "tanh"), Latent(0.5, name="code")), (3,), (2,), None),
    ],
)
def test_battery(layer, given, gives, name):
    if isinstance(layer, GaussianNoise):  # in use it is the identity: other layers give it something to hand on
        layer = Sequential(cr.Flatten(), cr.Dense(6), cr.Reshape(gives), layer)
    assert check_layer(layer, given, name=name) == gives


def built_for_training(layer, x, key=None):
    key = constant(random.key(3)) if key is None else key
    return build_network(layer, x.shape[1:], batch=len(x), dtype=x.dtype.name, training=True, key=key)


def drawn(layer, x, seed=3, engine="reference"):
    key = input_node("key", (2,), "uint32")
    built = built_for_training(layer, x, key)
    program = engine_named(engine).compile(Graph({"output": built.output}))
    return program({"x": x, "key": random.key(seed)})["output"]


@pytest.mark.parametrize("engine", ["reference", "native"])
def test_noise_has_its_deviation_and_is_drawn_anew(engine):
    x = np.full((500, 40), 2.0)
    noise = drawn(GaussianNoise(0.3), x, engine=engine) - x
    count = noise.size
    assert abs(noise.mean()) < 4 * 0.3 / np.sqrt(count)
    assert abs(noise.std() - 0.3) < 4 * 0.3 / np.sqrt(2 * count)
    assert stats.kstest(noise.ravel() / 0.3, "norm").pvalue > 1e-3
    other = drawn(GaussianNoise(0.3), x, seed=4, engine=engine) - x
    assert abs(np.corrcoef(noise.ravel(), other.ravel())[0, 1]) < 4 / np.sqrt(count)


def test_without_training_or_deviation_nothing_is_done():
    silent = built_for_training(GaussianNoise(0.0), np.zeros((2, 3)))
    used = build_network(GaussianNoise(5.0), (3,), batch=2)
    assert silent.output is silent.input
    assert used.output is used.input


@pytest.mark.parametrize("engine", ["reference", "native"])
def test_a_code_has_the_mean_and_the_variance_that_it_is_given(engine):
    rows = 20_000
    mean, log_variance = np.array([0.7, -2.0, 0.0]), np.array([0.5, -3.0, 0.0])
    codes = drawn(Latent(), np.tile(np.concatenate([mean, log_variance]), (rows, 1)), engine=engine)
    deviation = np.exp(log_variance / 2)
    assert np.all(np.abs(codes.mean(axis=0) - mean) < 4 * deviation / np.sqrt(rows))
    assert np.all(np.abs(codes.std(axis=0) - deviation) < 4 * deviation / np.sqrt(2 * rows))
    assert np.all(np.abs(np.corrcoef(codes.T)[np.triu_indices(3, 1)]) < 4 / np.sqrt(rows))


@pytest.mark.parametrize("layer", [GaussianNoise(0.3), Latent()])
def test_the_engines_draw_the_same(layer):
    x = np.random.default_rng(0).normal(size=(5, 8))
    both = [drawn(layer, x, engine=engine) for engine in ("reference", "native")]
    np.testing.assert_allclose(both[1], both[0], rtol=1e-13, atol=1e-13)


def divergence(x, weight=1.0):
    built = build_network(Latent(weight), x.shape[1:], batch=len(x))
    return compute([built.terms["latent1.kl"].rows], {built.input: x})[0]


def test_the_divergence_is_the_integral():
    for mean, log_variance in ((0.0, 0.0), (1.5, 0.4), (-0.3, -3.0), (0.0, 1e-9)):
        q = stats.norm(mean, np.exp(log_variance / 2))
        found = integrate.quad(lambda z, q=q: q.pdf(z) * (q.logpdf(z) - stats.norm.logpdf(z)), *q.interval(1 - 1e-15))[0]
        np.testing.assert_allclose(divergence(np.array([[mean, log_variance]]))[0], found, rtol=1e-8, atol=1e-10)


def test_the_divergence_adds_up_over_the_code_and_takes_its_weight():
    x = np.array([[0.5, -1.0, 0.2, 0.4]])
    parts = divergence(np.array([[0.5, 0.2]])) + divergence(np.array([[-1.0, 0.4]]))
    np.testing.assert_allclose(divergence(x), parts, rtol=1e-15)
    np.testing.assert_allclose(divergence(x, 0.25), 0.25 * parts, rtol=1e-15)


def test_gradients_pass_through_the_draw_as_jax_has_them():
    x = np.random.default_rng(1).normal(size=(4, 6))
    built = built_for_training(Latent(0.7), x)
    weight = np.random.default_rng(2).normal(size=(4, 3))
    total = add_up(multiply(built.output, constant(weight))) + add_up(built.terms["latent1.kl"].rows)
    found, codes = compute([grad(total, [built.input])[0], built.output], {built.input: x})
    noise = (codes - x[:, :3]) / np.exp(x[:, 3:] / 2)

    def judge(x):
        mean, log_variance = x[:, :3], x[:, 3:]
        codes = mean + jnp.exp(log_variance / 2) * noise
        return jnp.sum(codes * weight) + 0.35 * jnp.sum(jnp.exp(log_variance) + mean**2 - 1 - log_variance)

    np.testing.assert_allclose(found, jax.jit(jax.grad(judge))(x), rtol=1e-12, atol=1e-12)


def test_a_training_prints_and_lowers_both_terms():
    data = cr.data.reconstruction(cr.data.blobs(200))
    net = Sequential(cr.Dense(8, "tanh"), cr.Dense(2), Latent(0.5), cr.Dense(2))
    run = cr.fit(net, data, loss="half_squared_error", optimizer=cr.Adam(0.02), epochs=30)
    assert run.problem.formula == ("C = 1/B·Σ_batch(½·Σ_j (a_j − y_j)²) + 1/B·Σ_batch(0.5·½·Σ_j (exp(s_j) + μ_j² − 1 − s_j))")
    first, last = run.history.epochs[0].parts["training"], run.history.epochs[-1].parts["training"]
    assert last["loss"][0] < 0.8 * first["loss"][0]
    assert last["loss"][0] == pytest.approx(last["half_squared_error"][0] + last["latent1.kl"][0], rel=1e-5)
    assert {"latent1.mean", "latent1.log_variance", "latent1.a"} <= set(run.model().quantity_names)


def test_refusals():
    for make in (lambda: GaussianNoise(-1.0), lambda: GaussianNoise(float("nan")), lambda: Latent(-0.5)):
        with pytest.raises(OptionError):
            make()
    with pytest.raises(ShapeError, match="side by side"):
        build_network(Latent(), (5,))
