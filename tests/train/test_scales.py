"""In which units networks see their data: decided by network, loss and data; right in every number that comes out, by NumPy's float64."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from click.testing import CliRunner

import chainrule as cr
from chainrule import ops
from chainrule.cli import application
from chainrule.data import Scaling
from chainrule.errors import DataError, OptionError
from chainrule.graph import Array, Node
from chainrule.nn import output_range, to_code, to_peer
from chainrule.train import Run, suited
from chainrule.views.report.sections import Subject, configuration
from tests.train.folders import change

RANDOM = np.random.default_rng(7)
X = RANDOM.uniform(-1, 1, (30, 2))
SHAPES: dict[str, Callable[[Array], Array]] = {
    "linear": lambda z: z,
    "tanh": np.tanh,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "relu": lambda z: np.maximum(z, 0),
    "softplus": lambda z: np.log1p(np.exp(z)),
    "elu": lambda z: np.where(z > 0, z, np.expm1(np.minimum(z, 0))),
    "silu": lambda z: z / (1 + np.exp(-z)),
}
TARGETS = {
    "positive": np.exp(X.sum(axis=1, keepdims=True)),
    "of both signs": 5 * X[:, :1],
    "shares": (1 + X[:, :1]) / 2,
    "far away": 1e6 + X[:, :1],
    "two": np.column_stack([np.exp(X[:, 0]), 3 * X[:, 1]]),
}
LOSSES: dict[str, Callable[[Array], Array]] = {
    "mean_squared_error": lambda d: np.mean(d * d, axis=1),
    "mean_absolute_error": lambda d: np.mean(np.abs(d), axis=1),
    "huber": lambda d: np.mean(np.where(np.abs(d) <= 1, d * d / 2, np.abs(d) - 0.5), axis=1),
}


def _data(y: Array, **options: Any) -> cr.data.Dataset:
    return cr.data.from_arrays(100 + 7 * X, y, name="made", **options)


def _by_hand(run: Run, x: Array, activation: str) -> tuple[Array, Array]:
    """The network's own outputs, and the predictions in the units of the targets, in float64."""
    w = {name: array.astype(np.float64) for name, array in run.parameters().items()}
    given, target = run.dataset_info.scaling, run.dataset_info.target_scaling or Scaling.none()
    seen = (x - given.offset) * given.factor
    a = SHAPES[activation](np.tanh(seen @ w["dense1.W"] + w["dense1.b"]) @ w["dense2.W"] + w["dense2.b"])
    return a, a / target.factor + target.offset


CASES = [*product(SHAPES, TARGETS, ["mean_squared_error"]), *product(["linear", "softplus"], ["positive"], [*LOSSES][1:])]


@pytest.mark.parametrize(("activation", "kind", "loss"), CASES, ids=lambda part: str(part).replace(" ", "_"))
def test_every_number_that_comes_out_is_right(activation: str, kind: str, loss: str, tmp_path: Path) -> None:
    data = _data(TARGETS[kind])
    network = cr.parse_network(f"2-4-{data.target_size} tanh {activation}")
    run = cr.fit(network, data, loss=loss, epochs=2, batch_size=8, optimizer=cr.Adam(0.01), engine="reference", folder=tmp_path)
    decided, x, y = run.dataset_info.target_scaling or Scaling.none(), data.test.x, data.test.y
    a, predicted = _by_hand(run, x, activation)
    near = {"rtol": 1e-12, "atol": float(np.max(3e-6 / decided.factor))}
    # What is shown: the decision, and numbers in the units of the data.
    assert "inputs standardised by feature; targets " in str(run)
    assert decided.reason in str(run)
    np.testing.assert_allclose(run.predict(x), predicted, **near)
    np.testing.assert_allclose(run.predictor()(x[0]), predicted[0], **near)
    evaluation = run.evaluate("test")
    np.testing.assert_allclose(evaluation.loss, LOSSES[loss](a - decided.apply(y)).mean(), rtol=1e-4)
    unit = 1.0 if run.data.target_scaling is None else run.data.target_scaling.factor
    rest, spread = (((y - predicted) * unit) ** 2).sum(), (((y - y.mean(axis=0)) * unit) ** 2).sum()
    np.testing.assert_allclose(evaluation.r_squared(), 1 - rest / spread, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(run.model().quantities(x)["output"], a, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(run.model().costs(x, y).mean(), evaluation.loss[0], rtol=1e-4)
    # What leaves the house.
    there: dict[str, Any] = {}
    exec(to_code(run, "jax"), there)
    arrays = to_peer(run, run.parameters(), "jax")
    np.testing.assert_allclose(there["network"](arrays, x), predicted, **near)
    jitted = jax.jit(there["network"])(arrays, x)
    np.testing.assert_allclose(jitted, predicted, rtol=1e-5, atol=2e-4 / float(decided.factor.min()))
    # What was decided is kept, and training goes on by it.
    longer = cr.fit(network, data, loss=loss, epochs=3, batch_size=8, optimizer=cr.Adam(0.01), engine="reference")
    assert run.folder is not None
    again = cr.resume(run.folder, epochs=3, data=data)
    assert again.hash == longer.hash
    kept = again.dataset_info.target_scaling or Scaling.none()
    assert (kept, kept.reason, again.data.target_scaling) == (decided, decided.reason, decided)


@pytest.mark.parametrize(("activation", "kind"), [*product(SHAPES, TARGETS)])
def test_every_training_target_can_be_reached(activation: str, kind: str) -> None:
    data = suited(cr.parse_network(f"2-4-{TARGETS[kind].shape[1]} tanh {activation}"), _data(TARGETS[kind]))
    reach = output_range(
        cr.train.LearningProblem(cr.parse_network(f"2-4-{data.target_size} tanh {activation}"), data.info).output
    )
    seen = data.target_scaling.apply(data.train.y)
    assert np.all(seen >= reach.low - 1e-9)
    assert np.all(seen <= reach.high + 1e-9)


def test_the_kinds_of_decision() -> None:
    def decided(activation: str, kind: str) -> Scaling:
        found = suited(cr.parse_network(f"2-4-{TARGETS[kind].shape[1]} tanh {activation}"), _data(TARGETS[kind])).target_scaling
        assert found is not None
        return found

    assert decided("linear", "far away").reason == "standardised"
    assert decided("relu", "positive").offset == 0
    assert decided("relu", "positive").reason.endswith("not shifted: outputs reach from 0 up")
    assert decided("sigmoid", "shares").is_none
    assert decided("tanh", "of both signs").reason.startswith(
        "mapped to −0.8 … 0.8: outputs reach −1 … 1, and targets from −4.947 to"
    )
    far = decided("relu", "far away")
    assert "are far from it" in far.reason
    y = _data(TARGETS["far away"]).train.y
    np.testing.assert_allclose((1 / far.factor[0], far.offset[0]), (y.std(), y.min() - 3 * y.std()))
    two = decided("relu", "two")
    assert two.offset[0] == 0
    assert two.offset[1] < 0
    assert two.reason.startswith("y1 divided by ")
    assert "; y2 shifted by +" in two.reason


@pytest.mark.parametrize("asked", ["standardise", "minmax", "none", None, Scaling(3.0, 0.25)])
def test_what_was_asked_for_always_wins(asked: Any) -> None:
    y = TARGETS["of both signs"]
    data = _data(y, target_scaling=asked, scaling=asked, split=None)
    for activation in ("relu", "sigmoid", "linear"):
        found = suited(cr.parse_network(f"2-4-1 tanh {activation}"), data)
        for scaling, values in ((found.scaling, data.train.x), (found.target_scaling or Scaling.none(), y)):
            makers = {"standardise": Scaling.standardise, "minmax": Scaling.minmax}
            wanted = asked if isinstance(asked, Scaling) else makers[asked](values) if asked in makers else Scaling.none()
            assert scaling == wanted
            assert not scaling.usual


# ---- losses and what they take


@dataclasses.dataclass(frozen=True)
class Poisson:
    """A loss of one's own that compares counts with rates."""

    name: str = "poisson"
    formula: str = "Σ_j (a_j − y_j·log a_j)"
    target: str = "values"
    domain: tuple[float, float] = (0.0, np.inf)

    def __call__(self, output: Node, target: Node) -> Node:
        return ops.sum(output - target * ops.log(output + 1e-12), 1)


@dataclasses.dataclass(frozen=True)
class LogCosh:
    """A loss of one's own that goes by differences."""

    name: str = "log_cosh"
    formula: str = "Σ_j log cosh(a_j − y_j)"
    target: str = "values"

    def __call__(self, output: Node, target: Node) -> Node:
        d = output - target
        return ops.sum(ops.softplus(d * -2.0) + d, 1)


@dataclasses.dataclass(frozen=True)
class RelativeError:
    """A loss of one's own that divides by the target."""

    name: str = "relative"
    formula: str = "Σ_j ((a_j − y_j)/y_j)²"
    target: str = "values"

    def __call__(self, output: Node, target: Node) -> Node:
        d = (output - target) / target
        return ops.sum(d * d, 1)


def test_a_loss_that_does_not_go_by_differences_sees_the_targets_as_they_are() -> None:
    y = TARGETS["positive"]
    for loss, scaled in ((Poisson(), False), (RelativeError(), False), (LogCosh(), True), ("mean_squared_error", True)):
        found = suited(cr.parse_network("2-4-1 tanh softplus"), _data(y), loss).target_scaling
        assert found is not None
        assert found.is_none is not scaled, loss
        assert scaled or "compares them in their own units" in found.reason
    run = cr.fit("2-8-1 tanh softplus", _data(y), loss=Poisson(), epochs=100, optimizer=cr.Adam(0.02))
    assert run.evaluate("training").r_squared() > 0.9
    assert suited(
        cr.parse_network("2-4-1"), _data(TARGETS["shares"]), "binary_cross_entropy_from_logits"
    ).target_scaling.is_none


@pytest.mark.parametrize(
    ("network", "loss", "y", "said"),
    [
        ("2-4-1 tanh sigmoid", "binary_cross_entropy", TARGETS["of both signs"], r"targets 0 … 1: binary_cross_entropy"),
        ("2-4-1", "binary_cross_entropy_from_logits", TARGETS["positive"], r"targets 0 … 1"),
        ("2-4-1", "hinge", TARGETS["of both signs"], r"targets 0 … 1: hinge"),
        ("2-4-1 tanh softplus", Poisson(), TARGETS["of both signs"], r"targets from 0 up: poisson"),
        ("2-4-2 tanh softmax", "mean_squared_error", TARGETS["two"], "a softmax gives shares of a whole"),
    ],
)
def test_targets_that_a_loss_or_an_output_cannot_take_are_refused_by_row(network: str, loss: Any, y: Array, said: str) -> None:
    with pytest.raises(DataError, match=said) as told:
        cr.fit(network, _data(y), loss=loss, epochs=1)
    assert "at example" in str(told.value)
    assert "the training part" in str(told.value)
    y = np.clip(y, 0, 1)
    y[-1, 0] = -0.25
    with pytest.raises(DataError, match=r"target −0\.25 at example 0 of the test part"):
        cr.fit(network, cr.data.from_arrays(X[:-1], y[:-1], test=(X[-1:], y[-1:])), loss=loss, epochs=1)


def test_targets_in_a_losss_domain_are_not_scaled() -> None:
    y = (X[:, :1] > 0) * 1.0
    run = cr.fit("2-8-1 tanh sigmoid", _data(y), loss="binary_cross_entropy", optimizer=cr.Adam(0.05), epochs=80)
    _a, predicted = _by_hand(run, run.data.test.x, "sigmoid")
    t = run.data.test.y
    by_hand = -np.mean(t * np.log(predicted) + (1 - t) * np.log(1 - predicted))
    np.testing.assert_allclose(run.evaluate("test").loss, by_hand, rtol=1e-4)
    assert by_hand > 0
    assert run.evaluate("test").r_squared() > 0.5


def test_measured_targets_are_scaled_with_their_errors() -> None:
    y = TARGETS["positive"]
    data = cr.data.with_errors(_data(y, split=None), 0.1 * y)
    linear = suited(cr.parse_network("2-4-1"), data, "chi_squared").target_scaling
    assert linear.reason == "standardised"
    assert linear.offset != 0
    found = suited(cr.parse_network("2-4-1 tanh relu"), data, "chi_squared").target_scaling
    assert found.offset.tolist() == [0.0]
    np.testing.assert_allclose(1 / found.factor, np.sqrt(np.mean(y * y)))
    run = cr.fit("2-4-1 tanh relu", data, loss="chi_squared", epochs=2)
    predicted = _by_hand(run, data.train.x, "relu")[1]
    np.testing.assert_allclose(run.evaluate("training").loss, np.mean(((predicted - y) / (0.1 * y)) ** 2), rtol=1e-4)


def test_a_first_fit_of_something_positive_works() -> None:
    x = np.random.default_rng(0).uniform(-1, 1, (400, 1))
    run = cr.fit("1-20-1 tanh relu", (x, np.exp(2 * x)), optimizer=cr.Adam(0.01), epochs=200)
    assert run.evaluate("test").r_squared() > 0.998


# ---- large offsets


@pytest.mark.parametrize("engine", ["native", "reference"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_large_offset_costs_no_digits(engine: str, dtype: str) -> None:
    t = np.linspace(0, 1 / 24, 200)
    x, y = 2460000.5 + t[:, None], 1e9 + np.sin(200 * t)[:, None]
    epochs = 150 if engine == "native" else 2
    run = cr.fit("1-30-1 tanh", (x, y), optimizer=cr.Adam(0.02), epochs=epochs, engine=engine, dtype=dtype)
    assert engine == "reference" or run.evaluate("test").r_squared() > 0.9
    predicted = _by_hand(run, x, "linear")[1]
    assert run.predict(x).dtype == np.float64
    np.testing.assert_allclose(run.predict(x), predicted, rtol=0, atol=1e-5)
    one = run.predictor()
    np.testing.assert_allclose(np.concatenate([one(row[None]) for row in x]), predicted, rtol=0, atol=1e-5)
    np.testing.assert_allclose(run.model().quantities(x)["output"], run.dataset_info.target_scaling.apply(predicted), atol=1e-6)
    assert run.explain((x[3], y[3])).agrees
    there: dict[str, Any] = {}
    exec(to_code(run, "jax"), there)
    np.testing.assert_allclose(there["network"](to_peer(run, run.parameters(), "jax"), x), predicted, rtol=0, atol=1e-5)


def test_whole_numbers_beyond_those_of_float32() -> None:
    x = 10**12 + np.arange(60)
    run = cr.fit("1-8-1 tanh", (x, np.arange(60.0)), optimizer=cr.Adam(0.05), epochs=100)
    assert run.evaluate("test").r_squared() > 0.99
    assert np.ptp(run.predict(x[[0, 59], None])) > 40


def test_a_step_of_the_ledger_adds_up_with_large_offsets() -> None:
    x = 1e7 + X
    run = cr.fit("2-3-1 tanh", (x, 1e7 + X[:, :1]), epochs=2, batch_size=8)
    ledger = run.ledger(3, "dense1.W", (0, 1))
    assert abs(ledger.residual) <= 4 * ledger.ulp
    assert run.at(3).trainer.step == 3


# ---- by channel and feature


def test_images_are_standardised_by_channel_and_sequences_by_feature() -> None:
    images = RANDOM.normal([5.0, -3.0, 100.0], [1.0, 2.0, 30.0], (20, 4, 4, 3))
    found = cr.data.from_arrays(images, np.arange(20) % 2, split=None).scaling
    np.testing.assert_allclose(found.offset, images.mean(axis=(0, 1, 2)))
    np.testing.assert_allclose(1 / found.factor, images.std(axis=(0, 1, 2)))
    sequences = images[:, :, 0]
    found = cr.data.from_arrays(sequences, np.arange(20) % 2, split=None, scaling="minmax").scaling
    np.testing.assert_allclose(found.offset, sequences.min(axis=(0, 1)))
    flat = cr.data.from_arrays(images[..., 0].reshape(20, 16), np.arange(20) % 2, split=None)
    assert flat.scaling.offset.shape == (16,)
    seen = suited(cr.Sequential(cr.Reshape((4, 4, 1)), cr.Conv2D(2, 3), cr.Flatten(), cr.Dense(2)), flat).scaling
    np.testing.assert_allclose((seen.offset, 1 / seen.factor), (images[..., 0].mean(), images[..., 0].std()))
    assert seen.reason == "standardised all alike"


@pytest.mark.parametrize("shape", [(6, 6, 1), (6, 6), (36,)])
def test_a_periodic_convolution_does_not_see_where_things_are(shape: tuple[int, ...]) -> None:
    images = RANDOM.normal(2, 1, (40, 6, 6)) + np.linspace(0, 5, 6)
    net = cr.Sequential(
        cr.Reshape((6, 6, 1)),
        cr.Conv2D(4, 3, activation="tanh", padding="periodic"),
        cr.GlobalAveragePool(),
        cr.Dense(2, "softmax"),
    )
    run = cr.fit(net, (images.reshape(40, *shape), np.arange(40) % 2), epochs=3, batch_size=8)
    moved = np.roll(images, (2, 3), axis=(1, 2))
    np.testing.assert_allclose(run.predict(moved.reshape(40, *shape)), run.predict(images.reshape(40, *shape)), atol=1e-6)


# ---- positions and padding


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.float64])
def test_ids_are_not_scaled(dtype: type) -> None:
    ids = RANDOM.integers(0, 5, (30, 4)).astype(dtype)
    for first in (cr.Embedding(5, 3), cr.OneHot(5)):
        net = cr.Sequential(first, cr.RNN(3), cr.Dense(2, "softmax"))
        run = cr.fit(net, (ids, ids[:, 0] > 2), epochs=1, batch_size=8, engine="reference")
        assert run.dataset_info.scaling.is_none
        assert "inputs as they are: the network takes them for positions" in str(run)
        assert run.explain((ids[0], 1)).agrees
        assert run.predict(ids.astype(int)).shape == (30, 2)


def test_ids_beside_numbers() -> None:
    x = np.column_stack([RANDOM.integers(0, 4, 40), RANDOM.normal(50, 10, 40)])
    words, end = cr.Embedding(4, 2), cr.Dense(1)

    def wired(x: Node) -> Node:
        ids = ops.reshape(ops.slice_axis(x, 1, 0, 1), shape=(x.shape[0],))
        return end(ops.concatenate(words(ids), ops.slice_axis(x, 1, 1, 2), axis=1))

    found = suited(wired, cr.data.from_arrays(x, x[:, 1:], split=None)).scaling
    np.testing.assert_allclose(found.offset, [0, x[:, 1].mean()])
    np.testing.assert_allclose(found.factor, [1, 1 / x[:, 1].std()])
    assert "but for 1 that it takes for positions" in found.reason


SEQUENCES = np.zeros((24, 5, 2))
for _row in range(24):
    SEQUENCES[_row, : 2 + _row % 4] = RANDOM.normal(10, 3, (2 + _row % 4, 2))
MADE = SEQUENCES.sum(axis=(1, 2))


PADDED = [
    cr.LSTM(3, padding=0.0), cr.GRU(3, padding=0.0), cr.RNN(3, padding=0.0), cr.Bidirectional(cr.LSTM(3, padding=0.0)),
    cr.RNN(3, padding=0.0, reverse=True), cr.LSTM(3, padding=0.0, return_sequences=True),
]  # fmt: skip


@pytest.mark.parametrize(("layer", "engine"), [*((layer, "reference") for layer in PADDED), (PADDED[0], "native")], ids=repr)
def test_padding_is_meant_in_the_units_of_the_data(layer: Any, engine: str) -> None:
    end = [cr.Flatten(), cr.Dense(1)] if getattr(layer, "return_sequences", False) else [cr.Dense(1)]
    run = cr.fit(cr.Sequential(layer, *end), (SEQUENCES, MADE), epochs=1, batch_size=8, engine=engine)
    if len(end) == 1:
        # Whatever stands behind a sequence, if it is padding, changes nothing.
        short = SEQUENCES[:1, :2]
        more = np.concatenate([short, np.zeros((1, 3, 2))], axis=1)
        np.testing.assert_array_equal(run.predict(SEQUENCES[:1]), run.predict(more))
        hidden = run.model().quantities(more)
        assert "input.a" in hidden
        if not getattr(layer, "reverse", False) and not isinstance(layer, cr.Bidirectional):
            states = run.model().through_time(more, MADE[:1, None]).values(f"{layer.kind}1.h")[0]
            assert np.abs(states[0] - states[1]).max() > 1e-6
            np.testing.assert_array_equal(states[2:], np.broadcast_to(states[1], (3, 3)))
    other = cr.fit(
        cr.Sequential(dataclasses.replace(layer, padding=None), *end) if not isinstance(layer, cr.Bidirectional)
        else cr.Sequential(cr.Bidirectional(cr.LSTM(3)), *end),
        (SEQUENCES, MADE), epochs=1, batch_size=8, engine=engine,
    )  # fmt: skip
    assert other.hash != run.hash


def test_padded_steps_do_not_count_for_the_scaling() -> None:
    data = cr.data.from_arrays(SEQUENCES, MADE, split=None)
    padded = suited(cr.Sequential(cr.LSTM(3, padding=0.0), cr.Dense(1)), data).scaling
    steps = SEQUENCES[np.any(SEQUENCES != 0, axis=2)]
    np.testing.assert_allclose(padded.offset, steps.mean(axis=0))
    np.testing.assert_allclose(1 / padded.factor, steps.std(axis=0))
    assert padded.reason == "standardised by feature, padded steps left out"
    plain = suited(cr.Sequential(cr.LSTM(3), cr.Dense(1)), data).scaling
    np.testing.assert_allclose(plain.offset, SEQUENCES.mean(axis=(0, 1)))
    flat = cr.data.from_arrays(SEQUENCES.reshape(24, 10), MADE, split=None)
    reshaped = suited(cr.Sequential(cr.Reshape((5, 2)), cr.LSTM(3, padding=0.0), cr.Dense(1)), flat).scaling
    np.testing.assert_allclose(reshaped.offset, np.tile(steps.mean(axis=0), 5))


# ---- what a network is given


BYTES = RANDOM.integers(0, 256, (40, 4, 4)).astype(np.uint8)
LABELS = np.arange(40) % 2


@pytest.fixture(scope="module")
def of_bytes() -> Run:
    return cr.fit(cr.Sequential(cr.Flatten(), cr.Dense(2, "softmax")), (BYTES, LABELS), epochs=1, batch_size=8)


DOORS: dict[str, Callable[[Run, Any], object]] = {
    "predict": lambda run, x: run.predict(x),
    "classify": lambda run, x: run.classify(x),
    "probabilities": lambda run, x: run.probabilities(x),
    "predictor": lambda run, x: run.predictor()(x),
    "explain": lambda run, x: run.explain((x, LABELS[: len(x)])),
    "quantities": lambda run, x: run.model().quantities(x),
    "decide": lambda run, x: run.model().decide(x),
    "cost": lambda run, x: run.model().cost(x, LABELS[: len(x)]),
    "gradient": lambda run, x: run.model().gradient(x, LABELS[: len(x)]),
    "check_gradient": lambda run, x: run.model().check_gradient(run.parameters(), x, LABELS[: len(x)]),
    "network drawing": lambda run, x: cr.views.networks.draw_network(run, x[0]),
}


@pytest.mark.parametrize("door", DOORS)
def test_a_network_of_bytes_takes_whole_bytes_only(door: str, of_bytes: Run) -> None:
    x, ask = BYTES[:3], DOORS[door]
    for wrong, said in (
        (x / 255, r"whole numbers from 0 to 255(.|\n)*np.rint\(x \* 255\)"),
        ((x > 99) * 1.0, "whole numbers from 0 to 255"),
        (x > 99, "whole numbers from 0 to 255"),
        (x.astype(int) - 300, "whole numbers from 0 to 255"),
        (x + 0.5, "whole numbers from 0 to 255"),
        (x * 2.0, "whole numbers from 0 to 255"),
    ):
        with pytest.raises(DataError, match=said):
            ask(of_bytes, wrong)
    for right in (x, x.astype(np.int32), x.astype(float), x.astype(np.float32), x[:, ::1].tolist()):
        ask(of_bytes, np.asarray(right))


def test_whole_floats_are_the_bytes_bit_for_bit(of_bytes: Run) -> None:
    np.testing.assert_array_equal(of_bytes.predict(BYTES.astype(float)), of_bytes.predict(BYTES))
    np.testing.assert_array_equal(of_bytes.predictor()(BYTES[0].astype(int)), of_bytes.predict(BYTES[:1])[0])


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_refused_with_their_place(door: str, bad: float) -> None:
    data = cr.data.from_arrays(X, LABELS[:30], features=("height", "weight"))
    run = cr.fit("2-3-2 tanh softmax", data, epochs=1, engine="reference")
    x = X[:3].copy()
    x[2 if door != "network drawing" else 0, 1] = bad
    with pytest.raises(DataError, match=r"x is -?(nan|inf) at example [02], feature 'weight'"):
        DOORS[door](run, x)


def test_numbers_too_large_for_the_datas_dtype_are_refused() -> None:
    run = cr.fit("2-3-2 tanh softmax", (X.astype(np.float32), LABELS[:30]), epochs=1, engine="reference")
    with pytest.raises(DataError, match="x is inf at example 1, number 0"):
        run.predict(np.array([[0.0, 1.0], [1e300, 0.0]]))


def test_bytes_for_a_network_that_learned_from_shares_of_them_are_refused(of_bytes: Run) -> None:
    run = cr.fit(cr.Sequential(cr.Flatten(), cr.Dense(2, "softmax")), (BYTES / 255, LABELS), epochs=1, batch_size=8)
    with pytest.raises(DataError, match=r"bytes(.|\n)*x / 255"):
        run.classify(BYTES)
    assert len(run.classify(BYTES / 255)) == 40


def _call(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(application, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result.output


def test_the_command_line_converts_inputs_at_the_same_door(tmp_path: Path) -> None:
    flat = BYTES.reshape(40, 16)
    for name, x in (("bytes", flat), ("shares", flat / 255), ("whole", flat.astype(float))):
        np.savez(tmp_path / f"{name}.npz", x=x, y=LABELS)
    runs = tmp_path / "runs"
    _call("train", tmp_path / "bytes.npz", "--network", "16-2:softmax", "--epochs", 1, "--runs", runs, "--engine", "reference")
    for command in ("predict", "evaluate"):
        told = _call(command, runs / "latest", tmp_path / "shares.npz", code=2)
        assert "whole numbers from 0 to 255" in told
    assert _call("predict", runs / "latest", tmp_path / "whole.npz") == _call(
        "predict", runs / "latest", tmp_path / "bytes.npz"
    )


def test_the_command_line_says_what_was_decided_and_writes_code_with_it(tmp_path: Path) -> None:
    path, runs = tmp_path / "table.csv", tmp_path / "runs"
    rows = "\n".join(f"{a},{b},{c}" for (a, b), (c,) in zip(100 + X, TARGETS["positive"], strict=True))
    path.write_text(f"a,b,c\n{rows}\n")
    told = _call(
        "train", path, "--target", "c", "--network", "2-3:tanh-1:relu", "--epochs", 2, "--runs", runs, "--engine", "reference"
    )
    assert "not shifted: outputs reach from 0 up" in " ".join(told.split())
    assert "not shifted" in " ".join(_call("show", runs / "latest").split())
    run = cr.open_run(runs / "latest")
    there: dict[str, Any] = {}
    exec(_call("show", runs / "latest", "--code", "jax"), there)
    x = run.data.test.x
    np.testing.assert_allclose(there["network"](to_peer(run, run.parameters(), "jax"), x), run.predict(x), rtol=1e-6)
    options = [part for name in ("scaling", "target_scaling", "split") for part in ("--option", f"{name}=none")]
    told = _call("train", path, "--target", "c", "--network", "2-3-1", "--epochs", 1, "--json", "--no-save", *options)
    found = next(json.loads(line) for line in told.splitlines() if '"kind": "result"' in line)
    assert found["scaling"] == ""


# ---- none is none


def test_none_means_none() -> None:
    data = cr.data.from_arrays(X, TARGETS["positive"], split=None, scaling=None, target_scaling=None)
    assert (len(data.train), data.test, data.target_scaling) == (30, None, None)
    assert data.scaling.is_none
    assert not data.scaling.usual
    same = cr.data.from_arrays(X, TARGETS["positive"], split="none", scaling="none", target_scaling="none")
    assert same.hash == data.hash
    assert same.scaling == data.scaling
    labelled = cr.data.from_arrays(X, LABELS[:30], split=None)
    assert len(labelled.train) == 30
    apart = cr.data.from_arrays(X, LABELS[:30], test=(X[:5], LABELS[:5]), split=None, validation=None)
    assert [part for part, _ in apart.parts()] == ["training", "test"]
    assert len(cr.data.from_arrays(X, LABELS[:30]).train) == 24


def test_none_means_none_for_files(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    rows = "\n".join(f"{a},{b},{c}" for (a, b), (c,) in zip(X, TARGETS["positive"], strict=True))
    path.write_text(f"a,b,c\n{rows}\n")
    data = cr.data.load(path, target="c", split=None, scaling=None, target_scaling=None)
    assert (len(data.train), data.test, data.scaling.is_none, data.target_scaling) == (30, None, True, None)


def test_an_unknown_scaling_is_refused() -> None:
    with pytest.raises(OptionError, match="'auto', 'standardise'"):
        cr.data.from_arrays(X, LABELS[:30], scaling="standardize")


# ---- kept in folders


def test_a_folder_of_an_earlier_version_opens_with_its_scalings(tmp_path: Path) -> None:
    run = cr.fit("2-4-1 tanh relu", _data(TARGETS["positive"]), epochs=1, folder=tmp_path, engine="reference")
    assert run.folder is not None

    def as_it_was(config: dict[str, Any]) -> None:
        for side, size in (("scaling", 2), ("target_scaling", 1)):
            config["data"][side] = {"offset": [1.0] * size, "factor": 0.5}
        del config["data"]["input_range"]

    change(run.folder / "config.json", as_it_was)
    again = cr.open_run(run.folder, data=_data(TARGETS["positive"]))
    assert again.dataset_info.target_scaling == Scaling([1.0], 0.5)
    predicted = _by_hand(again, run.data.test.x, "relu")[1]
    np.testing.assert_allclose(again.predict(run.data.test.x), predicted, rtol=1e-5)
    assert again.data.target_scaling == Scaling([1.0], 0.5)


def test_the_report_says_what_was_decided() -> None:
    run = cr.fit("2-3-1 tanh relu", _data(TARGETS["positive"]), epochs=1, engine="reference")
    said = str(configuration(Subject(run, 0)))
    assert "inputs standardised by feature; targets divided by" in said
    assert "not shifted: outputs reach from 0 up" in said


def test_data_of_a_run_are_decided_anew_for_another_network() -> None:
    first = cr.fit("2-3-1 tanh relu", _data(TARGETS["of both signs"]), epochs=1, engine="reference")
    second = cr.fit("2-3-1 tanh", first.data, epochs=1, engine="reference")
    assert second.dataset_info.target_scaling == Scaling.standardise(first.data.train.y)
    assert second.dataset_info.target_scaling.reason == "standardised"
