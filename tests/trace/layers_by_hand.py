"""Back-propagation through layers of every kind as a student writes it, in NumPy, with mistakes made on purpose.

Each function takes the values of all leaves and the name of a mistake ("" for none) and gives the gradient by parameter. `v["input.a"]` is
what the network sees, `v["target"]` what the cost compares with.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import chainrule as cr
from chainrule import ops
from chainrule.graph import Array, Graph, Node, input_node, parameter
from chainrule.train.model import Model

Values = dict[str, Array]
ByHand = Callable[[Values, str], Values]


def sigmoid(z: Array) -> Array:
    return 1 / (1 + np.exp(-z))


def model_of(network: cr.nn.Layer, x: Array, y: Array, seed: int = 0, **options: object) -> Model:
    """An untrained network, its parameters moved away from where they begin: biases are not 0."""
    model = cr.fit(network, cr.data.from_arrays(x, y, **options), epochs=0, seed=seed).model()
    random = np.random.default_rng(seed + 1)
    return model.with_parameters({name: w + 0.3 * random.normal(size=w.shape) for name, w in model.parameters.items()})


def dense_back(v: Values, name: str, a: Array, delta: Array) -> tuple[Values, Array]:
    """The gradient of a dense layer, and the derivative by its input."""
    return {f"{name}.W": a.T @ delta, f"{name}.b": delta.sum(axis=0)}, delta @ v[f"{name}.W"].T


def output_delta(v: Values, out: Array, mistake: str = "") -> Array:
    """The mean over the batch of Σ_j (a_j − y_j)²/k."""
    delta = 2 * (out - v["target"]) / out.size
    return delta * {"missing 1/B": len(out), "wrong sign": -1, "factor ½": 0.5}.get(mistake, 1)


# ---- layers with a memory


def rnn(v: Values, mistake: str = "") -> Values:
    """RNN(n), Dense(k)."""
    W, U, b = (v[f"rnn1.{part}"] for part in "WUb")
    x = v["input.a"]
    steps, h = x.shape[1], [np.zeros((len(x), len(U)))]
    for t in range(steps):
        h.append(np.tanh(x[:, t] @ W + h[t] @ U + b))
    g, dh = dense_back(v, "dense1", h[-1], output_delta(v, h[-1] @ v["dense1.W"] + v["dense1.b"], mistake))
    dW, dU, db = np.zeros_like(W), np.zeros_like(U), np.zeros_like(b)
    for t in reversed(range(steps)):
        slope = {"missing σ′": np.ones_like(dh), "activation in place of its derivative": h[t + 1],
                 "derivative of another activation": h[t + 1] * (1 - h[t + 1])}.get(mistake, 1 - h[t + 1] ** 2)  # fmt: skip
        dz = dh * slope
        if mistake == "only the first use counted":
            dW, dU, db = x[:, t].T @ dz, h[t].T @ dz, dz.sum(axis=0)
        elif not (mistake == "a time step left out" and t == 2):
            dW += (
                x[:, t - (mistake == "input of the wrong time step")].T @ dz
                if t or mistake != "input of the wrong time step"
                else 0
            )
            dU += h[t + (mistake == "state of the wrong time step")].T @ dz
            db += dz.sum(axis=0)
        dh = dz @ (U if mistake == "weights not transposed" else U.T)
        if mistake == "back-propagation through time cut off" and t == steps - 3:
            break
    scale = 1 / steps if mistake == "mean over the uses" else 1
    return {**g, "rnn1.W": scale * dW, "rnn1.U": scale * dU, "rnn1.b": scale * db}


def rnn_every(v: Values, mistake: str = "") -> Values:
    """RNN(n, return_sequences=True), Flatten, Dense(1): an output that sees each step."""
    W, U, b = (v[f"rnn1.{part}"] for part in "WUb")
    x = v["input.a"]
    count, steps, units = len(x), x.shape[1], len(U)
    h = [np.zeros((count, units))]
    for t in range(steps):
        h.append(np.tanh(x[:, t] @ W + h[t] @ U + b))
    flat = np.stack(h[1:], axis=1).reshape(count, steps * units)
    g, dflat = dense_back(v, "dense1", flat, output_delta(v, flat @ v["dense1.W"] + v["dense1.b"], mistake))
    direct = dflat.reshape(count, steps, units)
    dW, dU, db = np.zeros_like(W), np.zeros_like(U), np.zeros_like(b)
    cut = 2 if mistake == "each output's derivative cut off in time" else steps
    for t in range(steps):  # as in many a blog: from each output back through the steps before it
        dh = direct[:, t]
        for s in range(t, max(-1, t - cut), -1):
            dz = dh * (1 - h[s + 1] ** 2)
            dW, dU, db = dW + x[:, s].T @ dz, dU + h[s].T @ dz, db + dz.sum(axis=0)
            dh = dz @ U.T
    return {**g, "rnn1.W": dW, "rnn1.U": dU, "rnn1.b": db}


def lstm(v: Values, mistake: str = "") -> Values:
    """LSTM(n), Dense(k); gates in the order i, f, g, o."""
    W, U, b = (v[f"lstm1.{part}"] for part in "WUb")
    x, n = v["input.a"], len(U)
    steps = x.shape[1]
    h, c = [np.zeros((len(x), n))], [np.zeros((len(x), n))]
    gates: list[tuple[Array, Array, Array, Array]] = []
    for t in range(steps):
        z = x[:, t] @ W + h[t] @ U + b
        i, f, g, o = sigmoid(z[:, :n]), sigmoid(z[:, n : 2 * n]), np.tanh(z[:, 2 * n : 3 * n]), sigmoid(z[:, 3 * n :])
        gates.append((i, f, o, g))
        c.append(f * c[t] + i * g)
        h.append(o * np.tanh(c[t + 1]))
    found, dh = dense_back(v, "dense1", h[-1], output_delta(v, h[-1] @ v["dense1.W"] + v["dense1.b"], mistake))
    dc = np.zeros_like(dh)
    dW, dU, db = np.zeros_like(W), np.zeros_like(U), np.zeros_like(b)
    for t in reversed(range(steps)):
        i, f, o, g = gates[t]
        tanh_c = np.tanh(c[t + 1])
        dc = dc + dh * o * (1 if mistake == "missing σ′ at the cell" else 1 - tanh_c**2)
        found_c = c[t + (mistake == "memory of the wrong time step in a gate's derivative")]
        di, df, do, dg = dc * g, dc * found_c, dh * tanh_c, dc * i
        zi, zf, zo, zg = di * i * (1 - i), df * f * (1 - f), do * o * (1 - o), dg * (1 - g**2)
        if mistake == "tanh′ for σ′ at f":
            zf = df * (1 - f**2)
        elif mistake == "σ′ for tanh′ at g":
            zg = dg * g * (1 - g)
        elif mistake == "missing σ′ at o":
            zo = do
        parts = [zi, zo, zg, zf] if mistake == "gates in another order" else [zi, zf, zg, zo]
        dz = np.concatenate(parts, axis=1)
        dW, dU, db = dW + x[:, t].T @ dz, dU + h[t].T @ dz, db + dz.sum(axis=0)
        dh = np.concatenate([zi, zf, zg, zo], axis=1) @ U.T
        dc = np.zeros_like(dc) if mistake == "a branch forgotten" else dc * f
    if mistake == "mean over the uses":
        dW, dU, db = dW / steps, dU / steps, db / steps
    return {**found, "lstm1.W": dW, "lstm1.U": dU, "lstm1.b": db}


def gru(v: Values, mistake: str = "") -> Values:
    """GRU(n), Dense(k); r, u, g, the gate r behind the product."""
    W, U, b, d = (v[f"gru1.{part}"] for part in "WUbd")
    x, n = v["input.a"], len(U)
    steps = x.shape[1]
    h = [np.zeros((len(x), n))]
    kept: list[tuple[Array, Array, Array, Array]] = []
    for t in range(steps):
        z, q = x[:, t] @ W + b, h[t] @ U
        r, u = sigmoid(z[:, :n] + q[:, :n]), sigmoid(z[:, n : 2 * n] + q[:, n : 2 * n])
        s = q[:, 2 * n :] + d
        g = np.tanh(z[:, 2 * n :] + r * s)
        kept.append((r, u, s, g))
        h.append(u * h[t] + (1 - u) * g)
    found, dh = dense_back(v, "dense1", h[-1], output_delta(v, h[-1] @ v["dense1.W"] + v["dense1.b"], mistake))
    dW, dU, db, dd = np.zeros_like(W), np.zeros_like(U), np.zeros_like(b), np.zeros_like(d)
    for t in reversed(range(steps)):
        r, u, s, g = kept[t]
        du, dg = dh * (h[t] - g), dh * (1 - u)
        zg = dg * (1 if mistake == "missing σ′ at g" else 1 - g**2)
        zr, zu = zg * s * r * (1 - r), du * u * (1 - u)
        if mistake == "tanh′ for σ′ at u":
            zu = du * (1 - u**2)
        dz, dq = np.concatenate([zr, zu, zg], axis=1), np.concatenate([zr, zu, zg * r], axis=1)
        dW, db, dd = dW + x[:, t].T @ dz, db + dz.sum(axis=0), dd + (zg * r).sum(axis=0)
        dU = dU + h[t].T @ dq
        dh = dq @ U.T + (0 if mistake == "a branch forgotten" else dh * u)
    if mistake == "gradient left at zero":
        dd = np.zeros_like(dd)
    return {**found, "gru1.W": dW, "gru1.U": dU, "gru1.b": db, "gru1.d": dd}


# ---- convolutions


def conv1d(v: Values, mistake: str = "", stride: int = 2) -> Values:
    """Conv1D(f, k, "tanh", stride=2), Flatten, Dense(1)."""
    W, b, x = v["conv1.W"], v["conv1.b"], v["input.a"]
    taps, positions = len(W), (x.shape[1] - len(W)) // stride + 1
    z = np.stack([np.einsum("ntc,tcf->nf", x[:, p * stride : p * stride + taps], W) + b for p in range(positions)], axis=1)
    a = np.tanh(z)
    flat = a.reshape(len(x), -1)
    g, dflat = dense_back(v, "dense1", flat, output_delta(v, flat @ v["dense1.W"] + v["dense1.b"], mistake))
    dz = dflat.reshape(a.shape) * (1 if mistake == "missing σ′" else 1 - a**2)
    dW = np.zeros_like(W)
    for p in range(positions):
        dW += np.einsum("ntc,nf->tcf", x[:, p * stride : p * stride + taps], dz[:, p])
    db = dz.sum(axis=(0, 1))
    if mistake == "kernel gradient turned round":
        dW = dW[::-1].copy()
    elif mistake == "mean over the positions":
        dW, db = dW / positions, db / positions
    elif mistake == "bias averaged over the batch":
        db = dz.mean(axis=(0, 1))
    return {**g, "conv1.W": dW, "conv1.b": db}


def conv2d(v: Values, mistake: str = "") -> Values:
    """Conv2D(f, 3, "relu", padding="same"), MaxPool(2), Conv2D(f2, 3, "tanh"), Flatten, Dense(k)."""
    x = v["input.a"]
    wide = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    z1 = correlate(wide, v["conv1.W"]) + v["conv1.b"]
    a1 = np.maximum(z1, 0)
    count, rows, columns, filters = a1.shape
    cells = a1.reshape(count, rows // 2, 2, columns // 2, 2, filters)
    pooled = cells.max(axis=(2, 4))
    z2 = correlate(pooled, v["conv2.W"]) + v["conv2.b"]
    a2 = np.tanh(z2)
    flat = a2.reshape(count, -1)
    g, dflat = dense_back(v, "dense1", flat, output_delta(v, flat @ v["dense1.W"] + v["dense1.b"], mistake))
    d2 = dflat.reshape(a2.shape) * (1 - a2**2)
    back = full(d2, v["conv2.W"][::-1, ::-1] if mistake == "kernel not turned on the way back" else v["conv2.W"])
    spread = np.broadcast_to(back[:, :, None, :, None, :], cells.shape)
    is_largest = cells == pooled[:, :, None, :, None, :]
    share = is_largest / is_largest.sum(axis=(2, 4), keepdims=True)
    if mistake == "pool's gradient at every entry":
        share = np.ones_like(share)
    elif mistake == "pool's gradient spread evenly":
        share = np.full_like(share, 0.25)
    elif mistake in {"pool's gradient at the window's first entry", "pool's gradient at the window's last entry"}:
        share = np.zeros_like(share)
        place = 0 if "first" in mistake else 1
        share[:, :, place, :, place] = 1
    d1 = (spread * share).reshape(a1.shape)
    d1 = d1 * {"missing σ′": np.ones_like(z1), "activation in place of its derivative": a1}.get(mistake, (z1 > 0) * 1.0)
    dW1, dW2 = kernel(wide, d1, v["conv1.W"].shape), kernel(pooled, d2, v["conv2.W"].shape)
    if mistake == "kernel gradient turned round":
        dW2 = dW2[::-1, ::-1].copy()
    elif mistake == "kernel gradient with its space axes exchanged":
        dW1 = dW1.swapaxes(0, 1).copy()
    return {**g, "conv1.W": dW1, "conv1.b": d1.sum(axis=(0, 1, 2)), "conv2.W": dW2, "conv2.b": d2.sum(axis=(0, 1, 2))}


def correlate(x: Array, W: Array) -> Array:
    rows, columns = x.shape[1] - W.shape[0] + 1, x.shape[2] - W.shape[1] + 1
    out = np.zeros((len(x), rows, columns, W.shape[-1]), x.dtype)
    for p in range(W.shape[0]):
        for q in range(W.shape[1]):
            out += x[:, p : p + rows, q : q + columns] @ W[p, q]
    return out


def full(delta: Array, W: Array) -> Array:
    rows, columns = delta.shape[1:3]
    out = np.zeros((len(delta), rows + W.shape[0] - 1, columns + W.shape[1] - 1, W.shape[2]), delta.dtype)
    for p in range(W.shape[0]):
        for q in range(W.shape[1]):
            out[:, p : p + rows, q : q + columns] += delta @ W[p, q].T
    return out


def kernel(x: Array, delta: Array, shape: tuple[int, ...]) -> Array:
    rows, columns = delta.shape[1:3]
    out = np.zeros(shape, x.dtype)
    for p in range(shape[0]):
        for q in range(shape[1]):
            out[p, q] = np.einsum("nijc,nijf->cf", x[:, p : p + rows, q : q + columns], delta)
    return out


# ---- batch normalisation, in training


def batch_norm(v: Values, mistake: str = "", epsilon: float = 1e-5) -> Values:
    """Dense(n), BatchNorm(), Dense(k): the bias before the normalisation has the gradient 0."""
    x = v["input.a"]
    z = x @ v["dense1.W"] + v["dense1.b"]
    if mistake == "gradient of the inference mode":
        mean, variance = np.zeros(z.shape[1]), np.ones(z.shape[1])
    else:
        mean, variance = z.mean(axis=0), z.var(axis=0)
    root = 1 / np.sqrt(variance + epsilon)
    even = (z - mean) * root
    a = even * v["batch_norm1.gain"] + v["batch_norm1.b"]
    g, da = dense_back(v, "dense2", a, output_delta(v, a @ v["dense2.W"] + v["dense2.b"], mistake))
    de = da * v["batch_norm1.gain"]
    dz = {
        "mean taken as a constant": root * (de - even * (de * even).mean(axis=0)),
        "variance taken as a constant": root * (de - de.mean(axis=0)),
        "mean and variance taken as constants": root * de,
        "gradient of the inference mode": root * de,
    }.get(mistake, root * (de - de.mean(axis=0) - even * (de * even).mean(axis=0)))
    first, _ = dense_back(v, "dense1", x, dz)
    return {**g, **first, "batch_norm1.gain": (da * even).sum(axis=0), "batch_norm1.b": da.sum(axis=0)}


# ---- tables of vectors


def embedding(v: Values, mistake: str = "") -> Values:
    """Embedding(n, d), Flatten, Dense(2, "softmax")."""
    ids, table = v["x"].astype(int), v["embedding1.W"]
    flat = table[ids].reshape(len(ids), -1)
    z = flat @ v["dense1.W"] + v["dense1.b"]
    e = np.exp(z - z.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    t = np.eye(p.shape[1])[v["y"]]
    delta = (p if mistake == "target forgotten" else p - t) / len(ids)
    g, dflat = dense_back(v, "dense1", flat, delta)
    rows = dflat.reshape(*ids.shape, -1)
    dE = np.zeros_like(table)
    if mistake == "repeated ids overwritten":
        for n, t_ in np.ndindex(ids.shape):
            dE[ids[n, t_]] = rows[n, t_]
    else:
        np.add.at(dE, ids, rows)
    if mistake == "mean over repeated ids":
        dE /= np.maximum(np.bincount(ids.reshape(-1), minlength=len(dE)), 1)[:, None]
    elif mistake == "gradient rows moved by one":
        dE = np.roll(dE, 1, axis=0)
    return {**g, "embedding1.W": dE}


# ---- attention, written out of ops

TIME, WIDTH, KEY, EXAMPLES = 4, 3, 5, 6


def attention_graph() -> tuple[Graph, Values]:
    """A head of attention with a residual connection, and a dense layer on the mean over time."""
    x, y = input_node("x", (EXAMPLES, TIME, WIDTH)), input_node("y", (EXAMPLES, 2))
    Q, K, V, out_weights, c = (
        parameter(name, shape)
        for name, shape in (("Q", (WIDTH, KEY)), ("K", (WIDTH, KEY)), ("V", (WIDTH, WIDTH)), ("O", (WIDTH, 2)), ("c", (2,)))
    )

    def weigh(a: Node, w: Node) -> Node:
        return ops.reshape(ops.reshape(a, shape=(EXAMPLES * TIME, WIDTH)) @ w, shape=(EXAMPLES, TIME, w.shape[1]))

    q, k, u = weigh(x, Q), weigh(x, K), weigh(x, V)
    scores = (q @ ops.transpose(k, axes=(0, 2, 1))) * (1 / np.sqrt(KEY))
    mixed = cr.nn.softmax(scores) @ u + u
    out = ops.mean(mixed, 1) @ out_weights + c
    error = out - y
    cost = ops.mean(ops.sum(error * error, 1)) * 0.5
    random = np.random.default_rng(5)
    graph = Graph({"C": cost})
    return graph, {name: random.normal(size=node.shape) for name, node in graph.leaves.items()}


def attention(v: Values, mistake: str = "") -> Values:
    """The gradient by hand."""
    x = v["x"]
    q, k, u = x @ v["Q"], x @ v["K"], x @ v["V"]
    s = q @ k.transpose(0, 2, 1) / np.sqrt(KEY)
    e = np.exp(s - s.max(axis=-1, keepdims=True))
    p = e / e.sum(axis=-1, keepdims=True)
    m = p @ u + u
    pooled = m.mean(axis=1)
    delta = (pooled @ v["O"] + v["c"] - v["y"]) / (1 if mistake == "missing 1/B" else EXAMPLES)
    dm = np.broadcast_to((delta @ v["O"].T)[:, None] / TIME, m.shape)
    dp = dm @ u.transpose(0, 2, 1)
    du = p.transpose(0, 2, 1) @ dm + (0 if mistake == "a branch forgotten" else dm)
    axis = -2 if mistake == "softmax Jacobian over the wrong axis" else -1
    ds = {
        "softmax Jacobian taken as diagonal": p * (1 - p) * dp,
        "softmax without its normaliser's derivative": p * dp,
        "missing σ′": dp,
    }.get(mistake, p * (dp - (dp * p).sum(axis=axis, keepdims=True)))
    ds = ds if mistake == "factor of the forward pass forgotten" else ds / np.sqrt(KEY)
    dq = ds @ k
    dk = (ds if mistake == "one product's derivative taken for the other's" else ds.transpose(0, 2, 1)) @ q
    found = {name: np.einsum("ntw,ntk->wk", x, d) for name, d in (("Q", dq), ("K", dk), ("V", du))}
    if mistake == "another parameter's gradient":
        found["Q"], found["K"] = found["K"], found["Q"]
    return {**found, "O": pooled.T @ delta, "c": delta.sum(axis=0)}
