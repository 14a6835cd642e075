"""The gradient checker on layers of every kind: gradients by hand are right, and mistakes made on purpose are named at their place."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cache

import layers_by_hand as hand
import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import DataError, DtypeError, ShapeError
from chainrule.graph import Array, Graph, constant
from chainrule.nn import L1, L2, CrossEntropy
from chainrule.ops import reduce_sum
from chainrule.trace import GradientCheck, check_gradient
from chainrule.trace.mistakes import CATALOGUE
from chainrule.train.model import Model

RANDOM = np.random.default_rng(0)
SEQUENCES, TARGETS = RANDOM.normal(size=(40, 5, 3)), RANDOM.normal(size=(40, 2))
ROWS, IMAGES = RANDOM.normal(size=(40, 10, 3)), RANDOM.normal(size=(40, 8, 8, 2))
IDS, LABELS = RANDOM.integers(0, 7, size=(40, 4)), RANDOM.integers(0, 3, size=40)
DENSE = cr.Dense(2)
NETWORKS: dict[str, tuple[cr.nn.Layer, Array, Array, Mapping[str, object]]] = {
    "rnn": (cr.Sequential(cr.RNN(4), DENSE), SEQUENCES, TARGETS, {}),
    "rnn_every": (cr.Sequential(cr.RNN(4, return_sequences=True), cr.Flatten(), DENSE), SEQUENCES, TARGETS, {}),
    "lstm": (cr.Sequential(cr.LSTM(4), DENSE), SEQUENCES, TARGETS, {}),
    "gru": (cr.Sequential(cr.GRU(4), DENSE), SEQUENCES, TARGETS, {}),
    "conv1d": (cr.Sequential(cr.Conv1D(4, 2, "tanh", stride=2), cr.Flatten(), DENSE), ROWS, TARGETS, {}),
    "conv2d": (
        cr.Sequential(
            cr.Conv2D(3, 3, "relu", padding="same"), cr.MaxPool(2), cr.Conv2D(4, 3, "tanh"), cr.Flatten(), DENSE
        ), IMAGES, TARGETS, {},
    ),
    "batch_norm": (cr.Sequential(cr.Dense(5), cr.BatchNorm(), DENSE), ROWS[:, 0], TARGETS, {}),
    "embedding": (cr.Sequential(cr.Embedding(7, 3), cr.Flatten(), cr.Dense(3, "softmax")), IDS, LABELS, {"scaling": "none"}),
}  # fmt: skip


@cache
def model(name: str) -> Model:
    network, x, y, options = NETWORKS[name]
    return hand.model_of(network, x, y, **options)


def checked(name: str, mistake: str = "", batch: int = 7) -> GradientCheck:
    _, x, y, _ = NETWORKS[name]
    by_hand: hand.ByHand = getattr(hand, name)
    return model(name).check_gradient(lambda v: by_hand(v, mistake), x[:batch], y[:batch], training=name == "batch_norm")


def named(found: GradientCheck) -> list[tuple[str, tuple[str, ...], str]]:
    return [(mistake.name, mistake.layers, mistake.at) for mistake in found.diagnosis]


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("batch", [2, 7])
def test_a_right_gradient_by_hand_is_right(name: str, batch: int) -> None:
    found = checked(name, batch=batch)
    assert found.ok, str(found)
    assert found.judge.confirmed
    assert str(found).startswith("Right")


PLANTED = [
    ("rnn", "missing 1/B", ("rnn1", "dense1"), ""),
    ("rnn", "missing σ′", ("rnn1",), ""),
    ("rnn", "activation in place of its derivative", ("rnn1",), ""),
    ("rnn", "derivative of another activation", ("rnn1",), "that of the sigmoid"),
    ("rnn", "only the first use counted", ("rnn1",), ""),
    ("rnn", "a time step left out", ("rnn1",), "step 3"),
    ("rnn", "input of the wrong time step", ("rnn1",), "x_(t−1) in place of x_t; rnn1.W"),
    ("rnn", "state of the wrong time step", ("rnn1",), "h_t in place of h_(t−1); rnn1.U"),
    ("rnn", "weights not transposed", ("rnn1",), "rnn1.U"),
    ("rnn", "back-propagation through time cut off", ("rnn1",), "after the last 3 steps"),
    ("rnn", "mean over the uses", ("rnn1",), ""),
    ("rnn_every", "each output's derivative cut off in time", ("rnn1",), "after 2 steps"),
    ("lstm", "missing σ′ at the cell", ("lstm1",), "tanh(lstm1.c)"),
    ("lstm", "tanh′ for σ′ at f", ("lstm1",), "lstm1.f; 1 − a², that of tanh"),
    ("lstm", "σ′ for tanh′ at g", ("lstm1",), "lstm1.g; a·(1 − a), that of the sigmoid"),
    ("lstm", "missing σ′ at o", ("lstm1",), "lstm1.o"),
    ("lstm", "gates in another order", ("lstm1",), "gates 2 and 4"),
    ("lstm", "a branch forgotten", ("lstm1",), "what comes back to lstm1.c from lstm1.c"),
    ("lstm", "mean over the uses", ("lstm1",), ""),
    ("lstm", "memory of the wrong time step in a gate's derivative", ("lstm1",), "the gate on lstm1.c"),
    ("gru", "missing σ′ at g", ("gru1",), "gru1.g"),
    ("gru", "tanh′ for σ′ at u", ("gru1",), "gru1.u; 1 − a², that of tanh"),
    ("gru", "a branch forgotten", ("gru1",), "what comes back to gru1.h"),
    ("gru", "gradient left at zero", ("gru1",), "gru1.d"),
    ("conv1d", "missing σ′", ("conv1",), ""),
    ("conv1d", "kernel gradient turned round", ("conv1",), "conv1.W"),
    ("conv1d", "mean over the positions", ("conv1",), ""),
    ("conv1d", "bias averaged over the batch", ("conv1",), "conv1.b"),
    ("conv2d", "missing σ′", ("conv1",), ""),
    ("conv2d", "activation in place of its derivative", ("conv1",), ""),
    ("conv2d", "kernel not turned on the way back", ("conv2",), "conv2.W"),
    ("conv2d", "pool's gradient at every entry", ("max_pool1",), ""),
    ("conv2d", "pool's gradient spread evenly", ("max_pool1",), ""),
    ("conv2d", "pool's gradient at the window's first entry", ("max_pool1",), ""),
    ("conv2d", "pool's gradient at the window's last entry", ("max_pool1",), ""),
    ("conv2d", "kernel gradient turned round", ("conv2",), "conv2.W"),
    ("conv2d", "kernel gradient with its space axes exchanged", ("conv1",), "conv1.W"),
    ("batch_norm", "mean taken as a constant", ("batch_norm1",), ""),
    ("batch_norm", "variance taken as a constant", ("batch_norm1",), ""),
    ("batch_norm", "mean and variance taken as constants", ("batch_norm1",), ""),
    ("batch_norm", "gradient of the inference mode", (), ""),
    ("embedding", "target forgotten", ("dense1",), ""),
    ("embedding", "repeated ids overwritten", ("embedding1",), ""),
    ("embedding", "mean over repeated ids", ("embedding1",), ""),
    ("embedding", "gradient rows moved by one", ("embedding1",), "one further"),
]
IN_OTHER_WORDS = {
    "missing σ′ at the cell": "missing σ′", "missing σ′ at o": "missing σ′", "missing σ′ at g": "missing σ′",
    "tanh′ for σ′ at f": "derivative of another activation", "tanh′ for σ′ at u": "derivative of another activation",
    "σ′ for tanh′ at g": "derivative of another activation",
}  # fmt: skip


@pytest.mark.parametrize(("name", "mistake", "layers", "at"), PLANTED)
def test_a_mistake_made_by_hand_is_named_at_its_place(name: str, mistake: str, layers: tuple[str, ...], at: str) -> None:
    found = checked(name, mistake)
    assert not found.ok
    ((kind, where, closer),) = named(found)
    assert (kind, where) == (IN_OTHER_WORDS.get(mistake, mistake), layers)
    assert at in closer
    assert bool(at) or not closer


@pytest.mark.parametrize("batch", [2, 6, 7])
def test_a_mean_over_time_is_no_matter_of_the_batch(batch: int) -> None:
    assert ("mean over the uses", ("rnn1",), "") in named(checked("rnn", "mean over the uses", batch))


# ---- attention

GRAPH, VALUES = hand.attention_graph()
ATTENTION = [
    ("missing 1/B", ("Q+K", "V", "O+c"), ""),
    ("missing σ′", ("Q+K",), ""),
    ("softmax Jacobian taken as diagonal", ("Q+K",), ""),
    ("softmax without its normaliser's derivative", ("Q+K",), ""),
    ("softmax Jacobian over the wrong axis", ("Q+K",), ""),
    ("factor of the forward pass forgotten", ("Q+K",), "0.4472"),
    ("one product's derivative taken for the other's", ("Q+K",), "right factor"),
    ("another parameter's gradient", ("Q+K",), "it is that of K in Q"),
    ("a branch forgotten", ("V",), "comes back"),
]


@pytest.mark.parametrize(("mistake", "layers", "at"), [("", (), ""), *ATTENTION])
def test_attention_written_out_of_ops(mistake: str, layers: tuple[str, ...], at: str) -> None:
    found = check_gradient(lambda v: hand.attention(v, mistake), GRAPH, VALUES)
    assert found.ok is not bool(mistake)
    if mistake:
        ((kind, where, closer),) = named(found)
        assert (kind, where) == (mistake, layers)
        assert at in closer


# ---- plain networks on bytes


@cache
def digits() -> tuple[Model, Array, Array]:
    random = np.random.default_rng(3)
    x, y = random.integers(0, 256, size=(40, 12)).astype(np.uint8), random.integers(0, 3, size=40)
    network = cr.Sequential(cr.Dense(6, "relu"), cr.Dense(6, "relu"), cr.Dense(3, "softmax"))
    return hand.model_of(network, x, y), x[:7], y[:7]


def layers(v: hand.Values, mistake: str = "", dtype: type = np.float64) -> hand.Values:
    """784-…-10 as it is taught, with ReLU."""
    w = {name: np.asarray(value, dtype) for name, value in v.items() if name.startswith("dense")}
    x = (v["x"] / (1 if mistake == "the inputs are not scaled" else 255)).astype(dtype)
    z1 = x @ w["dense1.W"] + w["dense1.b"]
    a1 = np.maximum(z1, 0)
    z2 = a1 @ w["dense2.W"] + w["dense2.b"]
    a2 = np.maximum(z2, 0)
    z3 = a2 @ w["dense3.W"] + w["dense3.b"]
    e = np.exp(z3 - z3.max(axis=1, keepdims=True))
    delta = (e / e.sum(axis=1, keepdims=True) - np.eye(3, dtype=dtype)[v["y"]]) / len(x)
    back = delta @ w["dense3.W"].T
    d2 = {"σ′ of another layer": back * (z1 > 0), "activation in place of its derivative": back * a2,
          "derivative of another activation": back * a2 * (1 - a2)}.get(mistake, back * (z2 > 0))  # fmt: skip
    d1 = d2 @ w["dense2.W"].T * (z1 > 0)
    source = v["x"].astype(dtype) if mistake == "unscaled inputs in ∂C/∂W" else x
    g = {"dense1.W": source.T @ d1, "dense1.b": d1.sum(0), "dense2.W": a1.T @ d2, "dense2.b": d2.sum(0)}
    g |= {"dense3.W": a2.T @ delta, "dense3.b": delta.sum(0)}
    if mistake == "gradient left at zero":
        g["dense2.b"] = np.zeros_like(g["dense2.b"])
    if mistake == "penalty that the cost does not have":
        g |= {name: g[name] + 0.02 * w[name] for name in g if name.endswith("W")}
    if mistake == "hidden weights not divided by B":
        g |= {name: len(x) * g[name] for name in ("dense1.W", "dense2.W")}
    return g


@pytest.mark.parametrize(
    ("mistake", "where", "at"),
    [
        ("", (), ""),
        ("σ′ of another layer", ("dense2",), "taken at dense1.z"),
        ("activation in place of its derivative", ("dense2",), ""),
        ("derivative of another activation", ("dense2",), "that of the sigmoid"),
        ("unscaled inputs in ∂C/∂W", ("dense1",), "dense1.W"),
        ("the inputs are not scaled", (), ""),
        ("gradient left at zero", ("dense2",), "dense2.b"),
        ("penalty that the cost does not have", ("dense1", "dense2", "dense3"), "dense1.W"),
    ],
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_networks_on_bytes(mistake: str, where: tuple[str, ...], at: str, dtype: type) -> None:
    trained, x, y = digits()
    found = trained.check_gradient(lambda v: layers(v, mistake, dtype), x, y)
    assert found.ok is not bool(mistake), str(found)
    if mistake:
        ((kind, met, closer),) = named(found)
        assert (kind, met) == (mistake, where)
        assert at in closer


def test_a_right_bias_says_that_delta_is_right() -> None:
    trained, x, y = digits()
    (mistake,) = trained.check_gradient(lambda v: layers(v, "hidden weights not divided by B"), x, y).diagnosis
    assert (mistake.name, mistake.layers, mistake.at) == ("missing 1/B", ("dense1", "dense2"), "dense1.W, dense2.W")
    assert "dense1.b, dense2.b are right, so δ is right there" in mistake.evidence
    assert "may sit in the δ" not in mistake.evidence


@pytest.mark.parametrize(
    ("factor", "words"),
    [(1 / 12, "1/12, and 12 is the number of inputs of dense1"), (1 / 49, "1/B too often"), (1 / 255, "1/255")],
)
def test_a_factor_is_said_where_it_comes_from(factor: float, words: str) -> None:
    trained, x, y = digits()
    found = trained.check_gradient(lambda v: {name: factor * g for name, g in layers(v).items()}, x, y)
    assert words in str(found)


def test_a_factor_in_one_array() -> None:
    trained, x, y = digits()
    found = trained.check_gradient(lambda v: {**layers(v), "dense2.W": layers(v)["dense2.W"] * 0.37}, x, y)
    ((kind, where, at),) = named(found)
    assert (kind, where, at) == ("a factor in some arrays", ("dense2",), "dense2.W")


def test_clipped_and_normalised_gradients() -> None:
    trained, x, y = digits()
    clipped = trained.check_gradient(lambda v: {name: np.clip(g, -0.05, 0.05) for name, g in layers(v).items()}, x, y)
    assert [row[0] for row in named(clipped)] == ["gradient clipped"]
    length = np.sqrt(sum(np.sum(g * g) for g in trained.gradient(x, y).values()))
    normal = trained.check_gradient(lambda v: {name: g / length for name, g in layers(v).items()}, x, y)
    assert [row[0] for row in named(normal)] == ["gradient made to length 1"]


@pytest.mark.parametrize("penalty", [L2(0.05), L1(0.05)])
def test_another_strength_of_a_penalty(penalty: object) -> None:
    x, y = ROWS[:, 0], LABELS
    data = cr.data.from_arrays(x, y)
    trained = cr.fit("3-4-3 tanh softmax", data, loss=CrossEntropy() + penalty, epochs=0, seed=1).model()
    true = trained.gradient(x[:7], y[:7])
    share = trained.gradient(x[:7], y[:7], term=trained.terms[-1])
    for factor, kind in ((3.3, "another strength of the penalty"), (0, "penalty forgotten"), (2, "factor 2 in the penalty")):
        mine = {name: g + (factor - 1) * share[name] for name, g in true.items()}
        assert [row[0] for row in named(trained.check_gradient(mine, x[:7], y[:7]))] == [kind]


# ---- rows of the batch


@pytest.mark.parametrize("name", ["rnn", "conv2d"])
@pytest.mark.parametrize(
    ("kept", "kind"), [(slice(0, -1), "the last example lost"), (slice(1, None), "the first example lost"),
                       (slice(-1, None), "only the last example counted"), (slice(0, 1), "only the first example counted")]
)  # fmt: skip
def test_rows_of_the_batch_that_are_lost(name: str, kept: slice, kind: str) -> None:
    by_hand: hand.ByHand = getattr(hand, name)
    _, x, y, _ = NETWORKS[name]

    def mine(v: hand.Values) -> hand.Values:
        return by_hand({**v, "input.a": v["input.a"][kept], "target": v["target"][kept]}, "")

    found = model(name).check_gradient(mine, x[:7], y[:7])
    assert [row[0] for row in named(found)] == [kind]


# ---- scaled data, modes, what is given


def test_gradients_at_data_that_were_not_scaled_are_named() -> None:
    _, x, y, _ = NETWORKS["rnn"]
    trained = cr.fit(cr.Sequential(cr.RNN(4), cr.Dense(2)), (3 * x + 5, 7 * y - 2), epochs=0).model()
    x, y = 3 * x[:7] + 5, 7 * y[:7] - 2
    for changed, kind in (
        ({}, ""),
        ({"input.a": x}, "the inputs are not scaled"),
        ({"target": y}, "the targets are not scaled"),
        ({"input.a": x, "target": y}, "neither inputs nor targets are scaled"),
    ):
        found = trained.check_gradient(lambda v, changed=changed: hand.rnn({**v, **changed}), x, y)
        assert [row[0] for row in named(found)] == ([kind] if kind else [])
        assert found.ok is not bool(kind)
    scaling = trained.problem.dataset_info.scaling
    doubled = trained.check_gradient(lambda v: hand.rnn({**v, "input.a": scaling.apply(v["input.a"])}), x, y)
    assert [row[0] for row in named(doubled)] == ["the inputs are scaled twice"]


def test_a_gradient_of_the_training_mode_is_said_to_be_one() -> None:
    _, x, y, _ = NETWORKS["batch_norm"]
    found = model("batch_norm").check_gradient(hand.batch_norm, x[:7], y[:7])
    assert [row[0] for row in named(found)] == ["gradient of the training mode"]
    assert "training=True" in str(found)
    one = model("batch_norm").check_gradient(model("batch_norm").gradient(x[:1], y[:1]), x[0], y[0])
    assert one.ok


def test_the_mask_of_a_dropout_is_given_to_who_computes_by_hand() -> None:
    trained = cr.fit(cr.Sequential(cr.Dense(6, "tanh"), cr.Dropout(0.5), cr.Dense(2)), (ROWS[:, 0], TARGETS), epochs=0).model()

    def mine(v: hand.Values, masked: bool = True) -> hand.Values:
        a = np.tanh(v["input.a"] @ v["dense1.W"] + v["dense1.b"])
        kept = v["dropout1.kept"] / 0.5
        delta = hand.output_delta(v, (a * kept) @ v["dense2.W"] + v["dense2.b"])
        back = delta @ v["dense2.W"].T * (kept if masked else 1) * (1 - a * a)
        return {
            "dense2.W": (a * kept).T @ delta,
            "dense2.b": delta.sum(0),
            "dense1.W": v["input.a"].T @ back,
            "dense1.b": back.sum(0),
        }

    x, y = ROWS[:7, 0], TARGETS[:7]
    assert trained.check_gradient(mine, x, y, training=True).ok
    found = trained.check_gradient(lambda v: mine(v, masked=False), x, y, training=True)
    assert [row[:2] for row in named(found)] == [("dropout mask forgotten", ("dropout1",))]


def test_zero_but_for_rounding_is_right() -> None:
    found = checked("batch_norm")
    assert found.silent == ("dense1.b",)
    assert "0 but for rounding" in str(found)
    _, x, y, _ = NETWORKS["batch_norm"]

    def noisy(v: hand.Values) -> hand.Values:
        return {**hand.batch_norm(v), "dense1.b": np.full(5, 1e-17)}

    assert model("batch_norm").check_gradient(noisy, x[:7], y[:7], training=True).ok
    wrong = model("batch_norm").check_gradient(
        lambda v: {**noisy(v), "dense1.b": np.full(5, 1e-9)}, x[:7], y[:7], training=True
    )
    assert not wrong["dense1.b"].agrees.any()


def test_a_dead_network_tells_nothing() -> None:
    data = cr.data.from_arrays(ROWS[:, 0], TARGETS)
    trained = cr.fit("3-4-2 relu relu", data, loss="mean_squared_error", epochs=0).model()
    dead = trained.with_parameters(
        {name: np.full_like(w, -100) for name, w in trained.parameters.items() if name.endswith("b")}
    )
    found = dead.check_gradient({name: np.zeros_like(w) for name, w in dead.parameters.items()}, ROWS[:7, 0], TARGETS[:7])
    assert found.ok
    assert not found.tells
    assert str(found).startswith("Nothing can be told")
    assert "dense1, dense2" in found.note
    half = trained.with_parameters({"dense1.b": np.full(4, -100.0), "dense2.b": np.full(2, 1.0)})
    partly = half.check_gradient(half.gradient(ROWS[:7, 0], TARGETS[:7]), ROWS[:7, 0], TARGETS[:7])
    assert str(partly).startswith("Right")
    assert set(partly.silent) == {"dense1.W", "dense1.b", "dense2.W"}
    assert "Nothing can be told about dense1.W" in str(partly)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda x, y: (x / 255, y), DataError, "the network learned from bytes"),
        (lambda x, y: ((x > 99) * 1.0, y), DataError, "the network learned from bytes"),
        (lambda x, y: (x - 300.0, y), DataError, "whole numbers from 0 to 255"),
        (lambda x, y: (x * np.nan, y), DataError, "finite numbers"),
        (lambda x, y: (x, y + 0.5), DtypeError, "whole numbers"),
        (lambda x, y: (x[:3], y), ShapeError, "a target for each input"),
        (lambda x, y: (x[:, :5], y), ShapeError, "one example of that shape"),
        (lambda x, y: (x[:0], y[:0]), ShapeError, "rows of shape"),
    ],
)
def test_examples_that_do_not_fit_are_refused(change: object, error: type[Exception], words: str) -> None:
    trained, x, y = digits()
    with pytest.raises(error, match=words):
        trained.check_gradient(trained.gradient(x, y), *change(x, y))


def test_one_example_needs_no_axis_of_the_batch() -> None:
    trained, x, y = digits()
    assert trained.check_gradient(layers, x[0], y[0]).ok
    assert trained.check_gradient(layers, x[0], [y[0]]).ok
    assert trained.check_gradient(layers, x[:7].astype(float), y[:7].astype(float)).ok
    _, rows, targets, _ = NETWORKS["conv2d"]
    assert model("conv2d").check_gradient(hand.conv2d, rows[0], targets[0]).ok


def test_numbers_are_a_column_as_they_are_to_fit() -> None:
    x, y = ROWS[:, 0], ROWS[:, 0].sum(axis=1)
    trained = cr.fit("3-4-1 tanh", (x, y), epochs=0).model()
    true = trained.gradient(x[:5], y[:5, None])
    assert trained.check_gradient(true, x[:5], y[:5]).ok
    assert trained.check_gradient(trained.gradient(x[:1], y[:1, None]), x[0], y[0]).ok


def test_a_check_takes_no_longer_than_a_breath() -> None:
    random = np.random.default_rng(0)
    x, y = random.integers(0, 256, size=(200, 784)).astype(np.uint8), np.arange(200) % 10
    trained = cr.fit("784-30-10 sigmoid softmax", cr.data.from_arrays(x, y), epochs=0).model()
    mine = {name: g + 1e-3 * random.normal(size=g.shape) for name, g in trained.gradient(x[:32], y[:32]).items()}
    begin = time.process_time()
    assert not trained.check_gradient(mine, x[:32], y[:32]).diagnosis
    assert time.process_time() - begin < 3


# ---- the catalogue


def test_there_are_many_mistakes_each_with_words_of_its_own() -> None:
    assert len(CATALOGUE) >= 40
    assert len({kind.name for kind in CATALOGUE}) == len(CATALOGUE)
    assert len({kind.explanation for kind in CATALOGUE}) == len(CATALOGUE)
    for kind in CATALOGUE:
        assert kind.explanation.rstrip(")").endswith("."), kind.name
        assert kind.remedy, kind.name
        assert not kind.remedy.endswith("."), kind.name


def test_an_explanation_needs_more_digits_than_chance_gives() -> None:
    # One number is any factor of another: nothing is named where there is no more to see.
    w = cr.parameter("w", (1,))
    graph = Graph({"C": reduce_sum(w * constant(np.array([1.7])), axes=(0,))})
    found = check_gradient({"w": np.array([0.1234])}, graph, {"w": np.array([0.3])})
    assert not found.ok
    assert not found.diagnosis
