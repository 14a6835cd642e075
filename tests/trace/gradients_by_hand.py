"""Back-propagation as a student writes it, in NumPy, with any of the classic mistakes made on purpose in chosen layers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from chainrule.graph import Array, Graph, constant, input_node, parameter
from chainrule.nn import build_network, objective, parse_network
from chainrule.ops import matmul, mean, sum, tanh  # noqa: A004

SLOPES: dict[str, Callable[[Array], Array]] = {
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)) * (1 - 1 / (1 + np.exp(-z))),
    "tanh": lambda z: 1 - np.tanh(z) ** 2,
    "relu": lambda z: (z > 0).astype(float),
    "leaky_relu": lambda z: np.where(z > 0, 1.0, 0.01),
    "linear": np.ones_like,
}
FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
    "leaky_relu": lambda z: np.where(z > 0, z, 0.01 * z),
    "linear": lambda z: z,
}


@dataclass(frozen=True)
class Case:
    """A network, its loss, and values to check its gradient at."""

    text: str
    loss: object
    batch: int
    graph: Graph
    values: dict[str, Array]

    @property
    def sizes(self) -> list[int]:
        return [int(size) for size in self.text.split()[0].split("-")]

    @property
    def layers(self) -> int:
        return len(self.sizes) - 1

    @property
    def functions(self) -> list[str]:
        words = self.text.split()[1:]
        return [*words[:1] * (self.layers - 1), words[-1]]

    def loss_name(self) -> str:
        return objective(self.loss).losses[0].name


def case(text: str, loss: object, batch: int = 5, seed: int = 0) -> Case:
    sizes = [int(size) for size in text.split()[0].split("-")]
    built = build_network(parse_network(text), (sizes[0],), batch=batch)
    terms = objective(loss)
    labels = terms.losses[0].target == "labels"
    target = input_node("y", (batch,), "int64") if labels else input_node("y", (batch, sizes[-1]))
    cost = None
    for node in terms.per_example(built.output, {"labels": target, "values": target}).values():
        cost = mean(node) if cost is None else cost + mean(node)
    assert cost is not None
    for node in terms.penalty_terms(built.parameters).values():
        cost = cost + node
    graph = Graph({"C": cost})
    random = np.random.default_rng(seed)
    values: dict[str, Array] = {name: random.normal(size=node.shape) for name, node in graph.leaves.items()}
    values["y"] = random.integers(sizes[-1], size=batch) if labels else random.uniform(size=(batch, sizes[-1]))
    return Case(text, loss, batch, graph, values)


def backprop(case: Case, mistake: str = "", layers: Iterable[int] = (), rate: float = 0.3) -> dict[str, Array]:  # noqa: C901  (one branch to a mistake)
    """The gradient by hand; `layers` (counted from 1) are those that the mistake is made in."""
    v, last = case.values, case.layers
    at = set(layers)

    def wrong(name: str, layer: int) -> bool:
        return mistake == name and layer in at

    weights = {n: v[f"dense{n}.W"].copy() for n in range(1, last + 1)}
    a, z = {0: v["x"]}, {}
    for n in range(1, last + 1):
        z[n] = a[n - 1] @ weights[n] + v[f"dense{n}.b"]
        function = case.functions[n - 1]
        if function == "softmax":
            e = np.exp(z[n] - z[n].max(axis=1, keepdims=True))
            a[n] = e / e.sum(axis=1, keepdims=True)
        else:
            a[n] = FUNCTIONS[function](z[n])
    gradient: dict[str, Array] = {}
    delta = first_delta(case, a[last], z[last], mistake if last in at else "")
    l2 = [term.factor for term in objective(case.loss).penalties]
    for n in range(last, 0, -1):
        if n < last:
            name = case.functions[n - 1]
            slope = SLOPES[name](z[n])
            if wrong("missing σ′", n):
                slope = np.ones_like(slope)
            elif wrong("σ′ taken at a", n):
                slope = SLOPES[name](a[n])
            elif wrong("σ′ applied twice", n):
                slope = slope**2
            delta = delta * slope
        source = a[n - 1]
        if wrong("z in place of a", n):
            source = z[n - 1]
        elif wrong("a layer's output in place of its input", n):
            source = a[n]
        used = delta.copy()
        if wrong("only the last example counted", n):
            used[:-1] = 0
        elif wrong("only the first example counted", n):
            used[1:] = 0
        dW, db = source.T @ used, used.sum(axis=0)
        if wrong("gradient transposed", n):
            dW = dW.T.copy()
        elif wrong("bias averaged over the batch", n):
            db = used.mean(axis=0)
        elif wrong("bias summed over the wrong axis", n):
            db = used.sum(axis=1)
        factors = {
            "missing 1/B": case.batch, "1/B too often": 1 / case.batch, "factor 2": 2, "factor ½": 0.5, "wrong sign": -1,
            "mean over the outputs": 1 / case.sizes[-1], "sum over the outputs": case.sizes[-1],
        }  # fmt: skip
        factor = factors.get(mistake, 1) if n in at else 1
        dW, db = dW * factor, db * factor
        if l2:
            share = {"penalty forgotten": 0, "factor 2 in the penalty": 2, "factor ½ in the penalty": 0.5,
                     "penalty divided by B": 1 / case.batch, "wrong sign of the penalty": -1}  # fmt: skip
            dW = dW + 2 * l2[0] * weights[n] * (share.get(mistake, 1) if n in at else 1)
            if wrong("penalty on the biases", n):
                db = db + 2 * l2[0] * v[f"dense{n}.b"]
        if wrong("accumulated twice", n):
            dW, db = 2 * dW, 2 * db
        gradient[f"dense{n}.W"], gradient[f"dense{n}.b"] = dW, db
        if wrong("weights updated before use", n):
            weights[n] = weights[n] - rate * dW
        delta = delta @ (weights[n] if wrong("weights not transposed", n) else weights[n].T)
    return gradient


def first_delta(case: Case, a: Array, z: Array, mistake: str) -> Array:
    """∂C/∂z of the last layer."""
    loss, function = case.loss_name(), case.functions[-1]
    y = case.values["y"]
    if loss == "cross_entropy":
        t = np.eye(case.sizes[-1])[y]
        right = a - t
        return {
            "softmax Jacobian taken as diagonal": -t / a * a * (1 - a), "missing σ′": -t / a,
            "p·(1 − p) on top of p − t": right * a * (1 - a),
        }.get(mistake, right) / case.batch  # fmt: skip
    if loss == "binary_cross_entropy":
        return (a - y) * (a * (1 - a) if mistake == "p·(1 − p) on top of p − t" else 1) / case.batch
    factor = (1 if loss.startswith("half") else 2) / (case.sizes[-1] if "mean" in loss else 1)
    g = factor * (a - y) / case.batch
    if function == "softmax":
        if mistake == "softmax Jacobian taken as diagonal":
            return g * a * (1 - a)
        return a * (g - (g * a).sum(axis=1, keepdims=True))
    slope = SLOPES[function](z)
    if mistake == "missing σ′":
        return g
    if mistake == "σ′ taken at a":
        return g * SLOPES[function](a)
    return g * slope**2 if mistake == "σ′ applied twice" else g * slope


# ---- a recurrent network: h_t = tanh(x_t·U + h_(t−1)·W + b), out_t = h_t·V + c, squared error at each step

STEPS, BATCH, INPUTS, HIDDEN = 4, 3, 2, 5


def recurrent() -> tuple[Graph, dict[str, Array]]:
    U, W, b = parameter("U", (INPUTS, HIDDEN)), parameter("W", (HIDDEN, HIDDEN)), parameter("b", (HIDDEN,))
    V, c = parameter("V", (HIDDEN, 1)), parameter("c", (1,))
    h, cost = constant(np.full((BATCH, HIDDEN), 0.1)), None
    for t in range(STEPS):
        h = tanh(matmul(input_node(f"x{t}", (BATCH, INPUTS)), U) + matmul(h, W) + b)
        error = matmul(h, V) + c - input_node(f"y{t}", (BATCH, 1))
        term = mean(sum(error * error, 1)) * 0.5
        cost = term if cost is None else cost + term
    assert cost is not None
    graph = Graph({"C": cost})
    random = np.random.default_rng(3)
    return graph, {name: random.normal(size=node.shape) * 0.7 for name, node in graph.leaves.items()}


def backprop_through_time(v: dict[str, Array], mistake: str = "", arrays: Iterable[str] = ()) -> dict[str, Array]:
    """The gradient by hand; for mistakes about uses `arrays` are those that it is made in."""
    at = set(arrays)
    h = {-1: np.full((BATCH, HIDDEN), 0.1)}
    for t in range(STEPS):
        h[t] = np.tanh(v[f"x{t}"] @ v["U"] + h[t - 1] @ v["W"] + v["b"])
    uses: dict[str, list[Array]] = {name: [] for name in ("U", "W", "b", "V", "c")}
    back = np.zeros((BATCH, HIDDEN))
    for t in reversed(range(STEPS)):
        error = (h[t] @ v["V"] + v["c"] - v[f"y{t}"]) / BATCH
        uses["V"].append(h[t].T @ error)
        uses["c"].append(error.sum(axis=0))
        delta = (error @ v["V"].T + back) * (1 if mistake == "missing σ′" else 1 - h[t] ** 2)
        uses["U"].append(v[f"x{t}"].T @ delta)
        uses["W"].append(h[t - 1].T @ delta)
        uses["b"].append(delta.sum(axis=0))
        back = delta @ (v["W"] if mistake == "weights not transposed" else v["W"].T)
    total = {name: np.sum(parts, axis=0) for name, parts in uses.items()}
    changed = {
        "mean over the uses": {name: np.mean(parts, axis=0) for name, parts in uses.items()},
        "only the last use counted": {name: parts[0] for name, parts in uses.items()},
        "only the first use counted": {name: parts[-1] for name, parts in uses.items()},
    }.get(mistake, total)
    return {name: changed[name] if name in at else total[name] for name in total}
