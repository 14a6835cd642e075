"""Models of Flax, of both its kinds, as layers: outputs and derivatives beside JAX's; `make external` runs it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx

import chainrule as cr
from tests.interop.jax_judge import held_to_jax

pytestmark = pytest.mark.filterwarnings("ignore")


class Perceptron(linen.Module):
    @linen.compact
    def __call__(self, x):
        x = linen.LayerNorm()(linen.relu(linen.Dense(16)(x)))
        return linen.softmax(linen.Dense(3)(linen.Dropout(0.5, deterministic=True)(x)))


class Pictures(linen.Module):
    @linen.compact
    def __call__(self, x):
        x = linen.relu(linen.BatchNorm(use_running_average=True)(linen.Conv(8, (3, 3))(x)))
        x = linen.max_pool(linen.avg_pool(x, (2, 2), (2, 2)), (2, 2))
        x = linen.Conv(4, (3, 3), padding="VALID", feature_group_count=2)(x)
        return linen.Dense(10)(x.reshape((x.shape[0], -1)))


class OverTime(linen.Module):
    @linen.compact
    def __call__(self, x):
        return linen.Dense(2)(linen.RNN(linen.GRUCell(5))(linen.RNN(linen.LSTMCell(6))(x))[:, -1])


class Attention(linen.Module):
    @linen.compact
    def __call__(self, ids):
        x = linen.Embed(20, 8)(ids)
        x = linen.LayerNorm()(x + linen.MultiHeadDotProductAttention(2)(x))
        return linen.Dense(4)(x.mean(1))


class Backwards(linen.Module):
    @linen.compact
    def __call__(self, x):
        x = linen.gelu(linen.GroupNorm(2)(linen.ConvTranspose(4, (3, 3), strides=(2, 2))(x)))
        return linen.WeightNorm(linen.Dense(3))(x).mean((1, 2))


_draw = np.random.default_rng(0)
LINEN = {
    "perceptron": (Perceptron(), _draw.normal(size=(5, 4))),
    "pictures": (Pictures(), _draw.normal(size=(5, 12, 12, 1))),
    "over time": (OverTime(), _draw.normal(size=(5, 7, 3))),
    "attention": (Attention(), _draw.integers(0, 20, (5, 6))),
    "backwards": (Backwards(), _draw.normal(size=(5, 5, 5, 2))),
}


@pytest.mark.parametrize("name", LINEN)
def test_linen(name):
    model, x = LINEN[name]
    x = x.astype(np.int32 if x.dtype.kind == "i" else np.float32)
    layer = held_to_jax(model.apply, model.init(jax.random.key(0), x), x)
    assert {use.name for use in layer.graph.uses} & {"Dense_0", "apply"}


class Wired(nnx.Module):
    def __init__(self):
        rngs = nnx.Rngs(0)
        self.inner, self.outer = nnx.Linear(4, 8, rngs=rngs), nnx.Linear(8, 2, rngs=rngs)
        self.norm = nnx.BatchNorm(8, use_running_average=True, rngs=rngs)

    def __call__(self, x):
        return self.outer(nnx.relu(self.norm(self.inner(x))))


def test_nnx():
    x = _draw.normal(size=(5, 4)).astype(np.float32)
    graph, state = nnx.split(Wired())
    layer = held_to_jax(lambda state, x: nnx.merge(graph, state)(x), state, x, states=("norm.mean", "norm.var"))
    assert set(layer.states) == {"norm.mean", "norm.var"}
    whole = cr.from_jax(lambda model, x: model(x), Wired(), x)
    assert set(whole.parameters) == {*layer.parameters, *layer.states}


def test_a_model_of_flax_goes_on_learning():
    x = _draw.normal(size=(90, 4)).astype(np.float32)
    y = (x[:, 0] > 0).astype(int) + (x[:, 1] > 0.5)
    model = Perceptron()
    layer = cr.from_jax(model.apply, model.init(jax.random.key(0), jnp.ones((1, 4))), x[:4])
    run = cr.fit(layer, (x, y), epochs=30, optimizer=cr.Adam(0.01))
    assert np.mean(np.argmax(run.predict(x), axis=1) == y) > 0.8
