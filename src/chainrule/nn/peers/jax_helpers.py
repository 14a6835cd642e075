"""Functions that code for JAX calls and JAX does not have; written above a network that needs them."""

from __future__ import annotations

HELPERS = {
    "scaled": """def scaled(x, offset, factor):
    # In float64 where x is an array of numbers: of a large offset, float32 would lose what stands behind it.
    x = x if isinstance(x, jax.core.Tracer) else np.asarray(x, dtype=np.float64)
    return jnp.asarray((x - np.asarray(offset)) * np.asarray(factor))
""",
    "unscaled": """def unscaled(x, offset, factor):
    x = x if isinstance(x, jax.core.Tracer) else np.asarray(x, dtype=np.float64)
    return x / np.asarray(factor) + np.asarray(offset)
""",
    "normalised": """def normalised(x, axes, epsilon):
    mean, variance = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    return (x - mean) / jnp.sqrt(variance + epsilon)
""",
    "over_time": '''def over_time(turn, x, *first, reverse=False):
    """The first state after every turn, (batch, time, units); x is (batch, time, ...)."""
    def step(states, row):
        states = turn(row, *states)
        return states, states[0]

    return jax.lax.scan(step, first, x.swapaxes(0, 1), reverse=reverse)[1].swapaxes(0, 1)
''',
    "rnn": """def rnn(x, W, U, b, f, reverse=False):
    def turn(z, h):
        return (f(z + h @ U),)

    return over_time(turn, x @ W + b, jnp.zeros((len(x), len(U)), x.dtype), reverse=reverse)
""",
    "lstm": """def lstm(x, W, U, b, reverse=False):
    def turn(z, h, c):
        i, f, g, o = jnp.split(z + h @ U, 4, axis=1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return jax.nn.sigmoid(o) * jnp.tanh(c), c

    zeros = jnp.zeros((len(x), len(U)), x.dtype)
    return over_time(turn, x @ W + b, zeros, zeros, reverse=reverse)
""",
    "gru": """def gru(x, W, U, b, d, reverse=False):
    def turn(z, h):
        (r, u, g), (back_r, back_u, back_g) = jnp.split(z, 3, axis=1), jnp.split(h @ U, 3, axis=1)
        r, u = jax.nn.sigmoid(r + back_r), jax.nn.sigmoid(u + back_u)
        return (u * h + (1 - u) * jnp.tanh(g + r * (back_g + d)),)

    return over_time(turn, x @ W + b, jnp.zeros((len(x), len(U)), x.dtype), reverse=reverse)
""",
}
"""Functions that JAX does not have; written where they are used."""
