"""Functions of JAX's as layers, and back: outputs and derivatives beside JAX's own."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import chainrule as cr
from chainrule.errors import ChainruleError, MissingPackageError, OptionError, UnsupportedError
from tests.interop.jax_judge import held_to_jax

_draw = np.random.default_rng(0)


def n(*shape):
    return (0.3 * _draw.normal(size=shape)).astype(np.float32)


def mlp(layers, x):
    for layer in layers[:-1]:
        x = jnp.tanh(x @ layer["w"] + layer["b"])
    return jax.nn.softmax(x @ layers[-1]["w"] + layers[-1]["b"])


def pictures(p, x):
    x = lax.conv_general_dilated(x, p["k"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")) + p["b"]
    x = lax.reduce_window(jax.nn.relu(x), -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    x = lax.conv_general_dilated(x, p["k2"], (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    x = lax.reduce_window(x, 0.0, lax.add, (1, 3, 3, 1), (1, 1, 1, 1), "SAME") / 9
    return x.reshape(x.shape[0], -1) @ p["w"]


def channels_first(w, x):
    how = {"dimension_numbers": ("NCHW", "OIHW", "NCHW"), "feature_group_count": 2, "rhs_dilation": (2, 1)}
    y = lax.conv_general_dilated(x, w, (1, 2), ((1, 0), (2, -1)), **how)
    return lax.reduce_window(y, -jnp.inf, lax.max, (1, 1, 3, 3), (1, 1, 2, 2), "SAME").mean((2, 3))


def over_time(p, x, *, reverse=False):
    def step(h, row):
        h = jnp.tanh(row @ p["w"] + h @ p["u"] + p["b"])
        return h, (h * 2, row)

    last, (after, rows) = lax.scan(step, jnp.zeros((x.shape[0], 3)), jnp.swapaxes(x, 0, 1), reverse=reverse)
    return jnp.concatenate([last, after[0], after[-1], after.mean(0), rows[1]], -1)


def attention(p, x):
    q, k, v = ((x @ p[name]).reshape(*x.shape[:2], 2, -1) for name in "qkv")
    scores = jnp.where(jnp.tril(jnp.ones((x.shape[1],) * 2, bool)), jnp.einsum("bqhd,bkhd->bhqk", q, k), -1e9)
    y = jnp.einsum("bhqk,bkhd->bqhd", jax.nn.softmax(scores, -1), v).reshape(*x.shape[:2], -1)
    return jax.nn.gelu(y @ p["o"], approximate=False).mean(1)


ENTRYWISE = (
    jax.nn.silu, jax.nn.softplus, jax.nn.leaky_relu, jax.nn.elu, jax.nn.hard_tanh, jax.nn.selu, jax.nn.gelu, jax.nn.soft_sign,
    jax.nn.relu6, jax.nn.log_softmax, jax.nn.standardize, jnp.sinh, jnp.arctan, lax.rsqrt, lambda z: jnp.clip(z, -0.1, 0.1),
)  # fmt: skip


def entrywise(w, x):
    z = x @ w
    return (
        sum(function(z * z + 0.5) for function in ENTRYWISE) + z**3 + jnp.cumsum(z, 1) + jax.nn.logsumexp(z, 1, keepdims=True)
    )


def places(w, x):
    taken = [
        x[:, -1:] * w,
        jnp.take(x, jnp.array([2, 0]), axis=1),
        jnp.stack([x[:, 0], x[:, 2]], 1),
        jnp.split(x, 2, axis=1)[1],
    ]
    moved = [jnp.pad(x, ((0, 0), (1, 2))), jnp.roll(x, 1, axis=1), jnp.flip(x, 1), jnp.tile(x, (1, 2)), jnp.repeat(x, 2, 1)]
    chosen = [jnp.where(x > 0, x, 0.1), jnp.max(x, 1, keepdims=True), 1.0 * jnp.argmin(x, 1)[:, None]]
    return jnp.concatenate([*taken, *moved, *chosen], 1)


TIME = {"w": n(2, 3), "u": n(3, 3), "b": n(3)}
FUNCTIONS = {
    "layers in a list": (mlp, [{"w": n(4, 8), "b": n(8)}, {"w": n(8, 3), "b": n(3)}], (4,)),
    "pictures": (pictures, {"k": n(3, 3, 1, 4), "b": n(4), "k2": n(3, 3, 4, 6), "w": n(24, 5)}, (8, 8, 1)),
    "channels first, in groups": (channels_first, n(6, 2, 3, 3), (4, 9, 9)),
    "a convolution back": (lambda w, x: lax.conv_transpose(x, w, (2, 2), "SAME").sum((1, 2)), n(3, 3, 2, 4), (5, 5, 2)),
    "over time": (over_time, TIME, (5, 2)),
    "backwards over time": (lambda p, x: over_time(p, x, reverse=True), TIME, (5, 2)),
    "attention": (attention, {**{name: n(4, 6) for name in "qkv"}, "o": n(6, 4)}, (5, 4)),
    "entry by entry": (entrywise, n(4, 3), (4,)),
    "places": (places, n(4), (4,)),
    "jit, vmap, checkpoint": (jax.jit(lambda w, x: jax.vmap(jax.checkpoint(lambda row: jnp.sin(row @ w)))(x)), n(4, 3), (4,)),
    "a gradient inside": (lambda w, x: jax.vmap(jax.grad(lambda row: jnp.sum(jnp.tanh(row @ w) ** 2)))(x), n(4, 3), (4,)),
    "one number each": (lambda w, x: x @ w, n(4), (4,)),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_outputs_and_derivatives_are_those_of_jax(name):
    function, parameters, shape = FUNCTIONS[name]
    held_to_jax(function, parameters, np.random.default_rng(1).normal(size=(6, *shape)).astype(np.float32))


def test_a_function_is_trained_kept_and_explained_as_any_layer(tmp_path):
    function, parameters, shape = FUNCTIONS["layers in a list"]
    x = np.random.default_rng(2).normal(size=(90, *shape))
    y = (x[:, 0] > 0).astype(int) + (x[:, 1] > 0.5)
    run = cr.fit(
        cr.from_jax(function, parameters, input_shape=shape), (x, y), epochs=20, optimizer=cr.Adam(0.02), folder=tmp_path
    )
    _, losses = run.history.curve("training", "loss")
    assert losses[-1] < 0.7 * losses[0]
    again = cr.open_run(run.folder)
    assert again.hash == run.hash
    np.testing.assert_array_equal(again.predict(x[:5]), run.predict(x[:5]))
    assert "softmax" in str(run.explain(0))
    # The loss is computed from what the softmax is given, as for layers of ours.
    assert any(node.op is cr.ops.softmax_cross_entropy for node in cr.Graph({"C": run.problem.described.total}).nodes)


def test_names_go_by_where_arrays_stand_and_batch_stats_stay():
    parameters = {"params": {"norm": {"scale": n(3)}, "heads": [n(3, 2), n(2)]}, "batch_stats": {"norm": {"mean": n(3)}}}

    def function(p, x):
        found = (x - p["batch_stats"]["norm"]["mean"]) * p["params"]["norm"]["scale"]
        return found @ p["params"]["heads"][0] + p["params"]["heads"][1]

    layer = cr.from_jax(function, parameters, input_shape=(3,))
    assert set(layer.parameters) == {"norm.scale", "heads.0", "heads.1"}
    assert set(layer.states) == {"batch_stats.norm.mean"}
    held = cr.from_jax(function, parameters, input_shape=(3,), states=("heads",))
    assert set(held.states) == {"batch_stats.norm.mean", "heads.0", "heads.1"}


REFUSED = {
    "chance": (lambda w, x: x @ w * jax.random.uniform(jax.random.key(jnp.sum(x).astype(int))), {}, UnsupportedError, "random"),
    "sorting": (lambda w, x: jnp.sort(x @ w, axis=1), {}, UnsupportedError, "sort"),
    "an if by numbers": (lambda w, x: x @ w if x.sum() > 0 else x, {}, OptionError, "cannot be traced for 2 examples"),
    "half precision": (lambda w, x: (x @ w).astype(jnp.float16).astype(jnp.float32), {}, UnsupportedError, "float16"),
    "two outputs": (lambda w, x: (x @ w, x), {}, OptionError, "gives .*float32.*float32"),
    "no row to an example": (lambda w, x: (x @ w).sum(), {}, OptionError, "a row to each example"),
    "whole numbers": (lambda w, x: jnp.argmax(x @ w, 1), {}, OptionError, "floats"),
    "x not used": (lambda w, x: jnp.ones((x.shape[0], 2)), {}, OptionError, "does not depend on x"),
    "no weights": (lambda w, x: x, {"parameters": {"a": 1}}, OptionError, "without an array of floats"),
    "no example": (lambda w, x: x @ w, {"input_shape": None}, OptionError, "input_shape"),
    "no such state": (lambda w, x: x @ w, {"states": ("none",)}, OptionError, "'none'"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_named(name):
    function, options, kind, words = REFUSED[name]
    with pytest.raises(kind, match=words) as found:
        cr.from_jax(function, **{"parameters": np.ones((3, 2), np.float32), "input_shape": (3,), **options})
    assert isinstance(found.value, ChainruleError)


def test_small_numbers_keep_their_digits_and_bytes_their_order():
    x = np.array([[1e-5, -3e-5], [2e-5, 4e-5]], np.float32)
    held_to_jax(lambda w, x: jnp.sinh(x) * w, np.float32([1e5, 2e4]), np.concatenate([x, x]))
    ids = np.random.default_rng(0).integers(0, 9, (6, 4)).astype(np.uint8)
    held_to_jax(lambda w, x: (x * 1.0) @ w + jnp.argmin(x, 1)[:, None], n(4, 1), ids)


@pytest.mark.parametrize(
    ("example", "words"), [([[1.0, 2.0], [1.0]], "differ in length"), ([[np.nan, 1.0, 2.0]], "NaN"), ("abc", "dtype")]
)
def test_an_example_that_is_none_is_refused(example, words):
    with pytest.raises(ChainruleError, match=words):
        cr.from_jax(lambda w, x: x @ w, np.ones((3, 2), np.float32), example)


def test_a_function_that_is_read_otherwise_is_refused(monkeypatch):
    from chainrule.interop import jax_primitives

    monkeypatch.setitem(jax_primitives.RULES, "tanh", lambda x, **_: cr.ops.sin(x))
    with pytest.raises(OptionError, match="the function differs by"):
        cr.from_jax(*FUNCTIONS["layers in a list"][:2], input_shape=(4,))


X = np.random.default_rng(3).normal(size=(60, 2)) * [3.0, 0.1] + [10.0, 0.0]
RUNS = {
    "classes": ("2-5-3 tanh softmax", np.arange(60) % 3, {}),
    "classes by their scores": ("2-5-3 tanh", np.arange(60) % 3, {"loss": "cross_entropy_from_logits"}),
    "two classes, one output": ("2-5-1 tanh sigmoid", np.arange(60) % 2, {}),
    "numbers with a unit": ("2-5-1 tanh", 1e4 + 50 * X[:, :1], {}),
}


@pytest.mark.parametrize("name", RUNS)
def test_a_run_as_a_function(name):
    network, y, options = RUNS[name]
    run = cr.fit(network, (X, y), epochs=5, **options)
    function, parameters = cr.to_jax(run)
    found = jax.jit(function)(parameters, X[:7])
    wanted = run.predict(X[:7])
    if name == "classes by their scores":
        wanted = np.exp(wanted) / np.exp(wanted).sum(1, keepdims=True)
    if name == "two classes, one output":
        wanted = np.concatenate([1 - wanted, wanted], 1)
    np.testing.assert_allclose(found, wanted, rtol=2e-5)
    slope = jax.grad(lambda p: function(p, X[:7]).sum())(parameters)
    assert {key: array.shape for key, array in slope.items()} == {key: array.shape for key, array in run.parameters().items()}
    row = jax.vmap(lambda one: function(parameters, one[None])[0])(X[:7])
    np.testing.assert_allclose(row, found, rtol=2e-5)


def test_there_and_back_is_the_same_network():
    run = cr.fit("2-5-3 tanh softmax", (X, np.arange(60) % 3), epochs=2)
    function, parameters = cr.to_jax(run)
    layer = cr.from_jax(function, parameters, X[:4])
    built = cr.build_network(layer, (2,), batch=60)
    arrays = {item.node: np.asarray(layer.parameters[name].value) for name, item in built.parameters.items()}
    np.testing.assert_allclose(cr.compute([built.output], {**arrays, built.input: X})[0], run.predict(X), rtol=2e-5)


def test_without_jax_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", None)
    monkeypatch.delitem(sys.modules, "chainrule.interop.jax_functions", raising=False)
    with pytest.raises(MissingPackageError, match=r"chainrule\[xla\]"):
        cr.from_jax(lambda w, x: x @ w, np.ones((2, 2)), input_shape=(2,))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_large_offset_is_taken_away_before_numbers_are_made_short(dtype):
    """JAX knows no float64 unless it is told: then the numbers in the data's units would all be one."""
    x = 1e7 + np.random.default_rng(1).normal(size=(40, 2))
    run = cr.fit("2-6-1 tanh", (x, x[:, 0] - 1e7), epochs=5, optimizer=cr.Adam(0.05), dtype=dtype)
    function, parameters = cr.to_jax(run)
    with jax.enable_x64(False):
        found = function(parameters, x)
    np.testing.assert_allclose(found, run.predict(x), rtol=2e-6, atol=1e-6)  # JAX computes in float32 here
