"""Networks that have learned, explained: every layer, every loss, deep, saturated, at kinks, each drawn by a seed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import chainrule as cr
from chainrule.nn import ACTIVATIONS
from chainrule.trace import Explanation, Quantity, RuleCheck, Trace
from chainrule.trace.precise import lengthened

SMOOTH = ("tanh", "sigmoid", "softplus", "silu", "gelu")
NUMBERS = ("squared_error", "half_squared_error", "mean_squared_error", "euclidean_distance", "mean_absolute_error", "huber")


def random_training(seed: int) -> tuple[Any, Any, dict[str, Any]]:
    """A network, data and options of `fit`."""
    random = np.random.default_rng(seed)
    kind = ("dense", "dense", "deep", "images", "rows", "sequences", "words", "normalised", "curve")[seed % 9]
    activation = str(random.choice([name for name in ACTIVATIONS if name not in {"linear", "softmax", "step"}]))
    classes = int(random.integers(2, 5))
    n = 60
    if kind in {"images", "rows"}:
        shape = (6, 6, 1) if kind == "images" else (12, 2)
        x = random.normal(size=(n, *shape))
        layers = {
            "images": [
                cr.Conv2D(2, 3, activation=activation),
                cr.nn.MaxPool(2) if seed % 2 else cr.nn.AveragePool(2),
                cr.Flatten(),
            ],
            "rows": [
                cr.nn.Conv1D(3, 3, activation=activation),
                cr.nn.GlobalMaxPool() if seed % 2 else cr.nn.GlobalAveragePool(),
            ],
        }[kind]
    elif kind == "sequences":
        x = random.normal(size=(n, 4, 2))
        layers = [(cr.RNN(3), cr.GRU(3), cr.LSTM(2), cr.nn.Bidirectional(cr.RNN(2)))[seed // 9 % 4]]
    elif kind == "words":
        x = random.integers(0, 5, size=(n, 4))
        layers = [cr.Embedding(5, 3), cr.GRU(3) if seed % 2 else cr.Flatten()]
    else:
        x = random.normal(size=(n, 1 if kind == "curve" else 3))
        depth = 8 if kind == "deep" else 2
        layers = [cr.Dense(4, activation) for _ in range(depth)]
        if kind == "normalised":
            layers.insert(
                1, (cr.BatchNorm(), cr.nn.LayerNorm(), cr.nn.Residual(cr.Dense(4, activation)), cr.Dropout(0.2))[seed // 9 % 4]
            )
    flat = x.reshape(n, -1).astype(float)
    score = np.sin(flat @ random.normal(size=flat.shape[1]) * 0.7)
    rate = float(random.choice([0.003, 0.02, 0.1]))
    options: dict[str, Any] = {
        "optimizer": cr.Adam(rate),
        "epochs": int(random.choice([3, 60])),
        "batch_size": 20,
        "seed": seed % 97,
    }
    target = seed // 9 % 5
    if target in {0, 1}:
        ending, options["loss"] = ("softmax", "cross_entropy") if target == 0 else ("linear", "cross_entropy_from_logits")
        y = np.digitize(score, np.quantile(score, np.linspace(0, 1, classes + 1)[1:-1]))
        if seed % 3 == 0:
            ending, options["loss"] = "linear", str(random.choice(["hinge", "perceptron"]))
        layers.append(cr.Dense(classes, ending))
    elif target == 2:
        ending, options["loss"] = (
            ("sigmoid", "binary_cross_entropy") if seed % 2 else ("linear", "binary_cross_entropy_from_logits")
        )
        y = (score[:, None] > 0) * 1.0
        layers.append(cr.Dense(1, ending))
    else:
        y = np.stack([score, score**2], axis=1)
        options["loss"] = str(random.choice(NUMBERS))
        layers.append(cr.Dense(2))
    data = cr.data.from_arrays(x, y, **({} if target < 2 else {"target_scaling": "none"}))
    return cr.Sequential(*layers), data, options


def explanations(seed: int) -> Iterator[Explanation]:
    """Some examples of a trained network, one batch, and the same network saturated, or at kinks."""
    network, data, options = random_training(seed)
    run = cr.fit(network, data, **options)
    x, y = run.data.test.x, run.data.test.y
    for place in range(3):
        yield run.explain(place)
    yield run.explain((x[:4], y[:4]))
    factor = 0.0 if seed % 4 == 0 else 6.0
    parameters = {name: value * (factor if name.endswith(".b") or factor else 1.0) for name, value in run.parameters().items()}
    options |= {"epochs": 0, "initial": parameters}
    yield cr.fit(network, data, **options).explain((x[:2] * (0 if factor == 0 and x.dtype.kind == "f" else 1), y[:2]))


def slope_by_complex_step(trace: Trace, name: str, index: tuple[int, ...]) -> float:
    """∂C/∂entry by a complex step in the longest numbers there are: no subtraction, no step to choose, no derivative rule."""
    quantity = trace.quantity(name)
    leaves = {node: lengthened(trace.number(node)) for node in trace.graph.leaves.values()}
    moved = leaves[quantity.node].astype(np.clongdouble)
    moved[index] += 1e-60j
    (value,) = cr.graph.compute([trace.cost], leaves | {quantity.node: moved})
    return float(np.imag(value) / np.longdouble(1e-60))


def rule_by_complex_step(trace: Trace, check: RuleCheck) -> tuple[float, float]:
    """The largest gap between what a rule passes back and complex steps of the quantity's formula, and the largest entry."""
    quantity, place = check.quantity, check.place
    values = {leaf: lengthened(trace.value_of(q)) for leaf, q in zip(quantity.stand_ins, quantity.inputs, strict=True)}
    arriving = lengthened(_arriving(trace, quantity))
    rule = quantity.rules[place]
    assert rule is not None
    (passed,) = cr.graph.compute([rule], values | {quantity.arriving: arriving})
    leaf = quantity.stand_ins[place]
    worst = 0.0
    for index in np.ndindex(passed.shape):
        moved = values[leaf].astype(np.clongdouble)
        moved[index] += 1e-60j
        (value,) = cr.graph.compute([quantity.definition], values | {leaf: moved})
        worst = max(worst, abs(float(np.sum(arriving * np.imag(value)) / np.longdouble(1e-60) - passed[index])))
    return worst, float(np.max(np.abs(passed), initial=0.0))


def _arriving(trace: Trace, quantity: Quantity) -> Any:
    found = trace.arriving(trace.quantity(quantity.name))
    assert found is not None
    return found
