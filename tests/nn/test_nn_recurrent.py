"""Recurrent layers against the papers (NumPy turn by turn, slopes by complex steps) and PyTorch (recorded); padding, state, engines."""

import json
from pathlib import Path

import numpy as np
import pytest
from nn_judges import check_layer, first_values, run

import chainrule as cr
from chainrule.derivatives import grad
from chainrule.errors import OptionError, ShapeError
from chainrule.graph import Graph, compute, constant
from chainrule.nn import (
    GRU,
    LSTM,
    RNN,
    Bidirectional,
    Dense,
    Flatten,
    Sequential,
    TimeDistributed,
    Uniform,
    build_network,
    from_json,
    to_code,
    to_json,
)
from chainrule.ops import multiply, unroll
from chainrule.ops import sum as add_up

RANDOM = np.random.default_rng(0)
RECORDED = json.loads((Path(__file__).parent / "recorded_recurrent.json").read_text())
KINDS = {"rnn": RNN, "lstm": LSTM, "gru": GRU}

BATTERY = {
    "rnn": (RNN(3), (4, 2), (3,), "rnn1"),
    "rnn at every step": (RNN(2, return_sequences=True, activation="sigmoid", name="echo"), (4, 2), (4, 2), "echo"),
    "rnn backwards": (RNN(2, reverse=True, return_sequences=True), (3, 2), (3, 2), "rnn1"),
    "lstm": (LSTM(2), (4, 2), (2,), "lstm1"),
    "lstm that keeps less": (LSTM(2, forget_bias=0.5, return_sequences=True), (3, 1), (3, 2), "lstm1"),
    "gru": (GRU(3), (4, 2), (3,), "gru1"),
    "gru backwards": (GRU(2, reverse=True), (3, 2), (2,), "gru1"),
    "padded": (LSTM(2, padding=0.0), (3, 2), (2,), "lstm1"),
    "carried": (GRU(2, stateful=True), (3, 2), (2,), "gru1"),
    "both directions": (Bidirectional(GRU(2)), (3, 2), (4,), None),
    "both directions at every step": (Bidirectional(LSTM(2, return_sequences=True), name="both"), (3, 1), (3, 4), None),
    "stacked": (Sequential(GRU(2, return_sequences=True), RNN(3, return_sequences=True), LSTM(2)), (3, 2), (2,), None),
    "a layer for each step": (TimeDistributed(Dense(3, "tanh"), Dense(2)), (4, 2), (4, 2), None),
    "one step": (RNN(2), (1, 3), (2,), "rnn1"),
}


@pytest.mark.parametrize("case", BATTERY)
def test_battery(case):
    layer, input_shape, output_shape, name = BATTERY[case]
    assert check_layer(layer, input_shape, name=name) == output_shape


@pytest.mark.parametrize("case", BATTERY)
def test_code_and_description_give_the_layer_back(case):
    layer = BATTERY[case][0]
    network = layer if isinstance(layer, Sequential) else Sequential(layer)
    assert from_json(json.loads(json.dumps(to_json(network)))) == network
    assert eval(to_code(network), {"cr": cr}) == network


# ---- judges


def rnn_step(states, x, p):
    h = np.tanh(x @ p["W"] + states["h"] @ p["U"] + p["b"])
    return {"h": h}


def lstm_step(states, x, p):
    """Gers, Schmidhuber, Cummins (2000)."""
    wanted = np.split(x @ p["W"] + states["h"] @ p["U"] + p["b"], 4, axis=-1)
    write, keep, read = (1 / (1 + np.exp(-wanted[place])) for place in (0, 1, 3))
    c = keep * states["c"] + write * np.tanh(wanted[2])
    return {"h": read * np.tanh(c), "c": c}


def gru_step(states, x, p):
    """Cho et al. (2014), arXiv:1406.1078v1."""
    h = states["h"]
    n = h.shape[-1]
    W, U, b = (np.split(p[key], [n, 2 * n], axis=-1) for key in "WUb")
    r, u = (1 / (1 + np.exp(-(x @ W[k] + h @ U[k] + b[k]))) for k in (0, 1))
    return {"h": u * h + (1 - u) * np.tanh(x @ W[2] + b[2] + r * (h @ U[2] + p["d"]))}


STEPS = {RNN: rnn_step, LSTM: lstm_step, GRU: gru_step}


def judge(layer, x, parameters):
    """The layer's output at every step or the last one, turn by turn; of complex numbers too."""
    if isinstance(layer, Sequential):
        kinds: dict[str, int] = {}
        for part in layer.layers:
            kinds[part.kind] = kinds.get(part.kind, 0) + 1
            x = judge(part, x, under(parameters, f"{part.kind}{kinds[part.kind]}"))
        return x
    if isinstance(layer, Bidirectional):
        kind = layer.layers[0].kind
        both = (layer.layers[0], layer.backward)
        return np.concatenate([judge(one, x, under(parameters, f"{kind}{k}")) for k, one in enumerate(both, 1)], axis=-1)
    own = under(parameters, f"{layer.kind}1") if any("." in name for name in parameters) else parameters
    states = {state: np.zeros((len(x), layer.units)) for state in layer.states}
    every = []
    for row in np.swapaxes(x, 0, 1)[:: -1 if layer.reverse else 1]:
        states = STEPS[type(layer)](states, row, own)
        every.append(states["h"])
    return np.stack(every[:: -1 if layer.reverse else 1], axis=1) if layer.return_sequences else every[-1]


def under(parameters, name):
    return {key.rpartition(".")[2]: value for key, value in parameters.items() if key.startswith(f"{name}.")}


def values_and_slopes(layer, x, given=None, weight=None):
    """Parameters, output, weights of the output, and the slopes of their product by x and by each parameter."""
    built = build_network(layer, x.shape[1:], batch=len(x))
    drawn = np.random.default_rng(5)
    parameters = {name: drawn.normal(size=item.node.shape) * 0.7 for name, item in built.parameters.items()} | (given or {})
    bound = {built.parameters[name].node: value for name, value in parameters.items()} | {built.input: x}
    weight = np.random.default_rng(3).normal(size=built.output.shape) if weight is None else weight
    wrt = [built.input, *(item.node for item in built.parameters.values())]
    slopes = grad(add_up(multiply(built.output, constant(weight))), wrt)
    output, *found = compute([built.output, *slopes], bound)
    return parameters, output, weight, dict(zip(["x", *built.parameters], found, strict=True))


LAYERS = {
    "many to one": lambda kind: kind(3),
    "many to many": lambda kind: kind(3, return_sequences=True),
    "backwards, one": lambda kind: kind(2, reverse=True),
    "backwards, many": lambda kind: kind(2, reverse=True, return_sequences=True),
    "both directions": lambda kind: Bidirectional(kind(2, return_sequences=True)),
    "both directions, one": lambda kind: Bidirectional(kind(2)),
    "stacked": lambda kind: Sequential(kind(3, return_sequences=True), kind(2)),
    "stacked backwards": lambda kind: Sequential(kind(3, return_sequences=True), kind(2, reverse=True, return_sequences=True)),
}


SEQUENCES = np.random.default_rng(11).normal(size=(3, 6, 2))


@pytest.mark.parametrize("way", LAYERS)
@pytest.mark.parametrize("kind", KINDS)
def test_against_a_loop_written_from_the_papers(kind, way):
    layer = LAYERS[way](KINDS[kind])
    parameters, output, weight, slopes = values_and_slopes(layer, SEQUENCES)
    np.testing.assert_allclose(output, judge(layer, SEQUENCES, parameters), rtol=0, atol=1e-14)
    values = {"x": SEQUENCES, **parameters}
    for name, slope in slopes.items():
        for place in np.ndindex(slope.shape):
            moved = values[name].astype(complex)
            moved[place] += 1e-20j
            given = {**values, name: moved}
            found = judge(layer, given.pop("x"), given)
            assert abs(slope[place] - np.sum(found.imag * weight) / 1e-20) <= 1e-13, (name, place)


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_against_what_pytorch_gave(name):
    told, kind = RECORDED[name], name.lower()
    given, slopes = ({key: np.array(value) for key, value in told[part].items()} for part in ("parameters", "slopes"))
    x, weight = np.array(told["x"]), np.array(told["weight"])

    def ours(arrays, both_biases):
        """PyTorch has two biases, which ours are the sums of but for the proposal of a GRU; of slopes either is ours."""
        b, d = arrays["bias_ih_l0"].copy(), arrays["bias_hh_l0"]
        if both_biases:
            b[: len(b) if kind != "gru" else 4] += d[: len(b) if kind != "gru" else 4]
        found = {"W": arrays["weight_ih_l0"].T, "U": arrays["weight_hh_l0"].T, "b": b}
        found |= {"d": d[4:]} if kind == "gru" else {}
        return {f"{kind}1.{key}": value for key, value in found.items()}

    layer = KINDS[kind](2, return_sequences=True)
    _, output, _, found = values_and_slopes(layer, x, ours(given, both_biases=True), weight)
    np.testing.assert_allclose(output, told["output"], rtol=0, atol=1e-15)
    np.testing.assert_allclose(found["x"], told["slope"], rtol=0, atol=1e-15)
    for key, value in ours(slopes, both_biases=False).items():
        np.testing.assert_allclose(found[key], value, rtol=0, atol=2e-15, err_msg=key)


# ---- padding, carried state, unrolling


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("every", [False, True], ids=["last", "every"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_padded_batch_gives_what_each_sequence_gives_alone(kind, every, reverse):
    layer = KINDS[kind](3, return_sequences=every, reverse=reverse, padding=9.0)
    x, lengths = RANDOM.normal(size=(4, 6, 2)), (6, 3, 1, 5)
    x[1, 0, 0] = 9.0  # one feature alone is no padding
    for row, length in enumerate(lengths):
        x[row, length:] = 9.0
    together = run(layer, x)
    for row, length in enumerate(lengths):
        alone = run(layer, x[row : row + 1, :length])[0]
        found = together[row, :length] if every else together[row]
        np.testing.assert_allclose(found, alone, rtol=0, atol=1e-15)


def test_padding_before_the_sequence_leaves_the_memory_empty():
    x = RANDOM.normal(size=(1, 5, 2))
    before = np.concatenate([np.zeros((1, 3, 2)), x], axis=1)
    np.testing.assert_allclose(run(LSTM(3, padding=0.0), before), run(LSTM(3), x), rtol=0, atol=1e-15)


@pytest.mark.parametrize("kind", KINDS)
def test_chunks_with_carried_state_give_what_one_long_sequence_gives(kind):
    x, (parts, time) = RANDOM.normal(size=(2, 12, 3)), (3, 4)
    whole = run(KINDS[kind](2, return_sequences=True), x)
    fresh = constant(np.array(False))
    layer = KINDS[kind](2, return_sequences=True, stateful=True)
    built = build_network(layer, (time, 3), batch=2, training=True, fresh=fresh)
    states = {name: np.zeros(state.node.shape) for name, state in built.states.items()}
    assert set(states) == {f"{kind}1.{state}" for state in KINDS[kind].states}
    found = []
    for part in range(parts):
        bound = first_values(built) | {built.input: x[:, part * time : (part + 1) * time]}
        bound |= {built.states[name].node: value for name, value in states.items()}
        output, *following = compute([built.output, *(state.next for state in built.states.values())], bound)
        states = dict(zip(built.states, following, strict=True))
        found.append(output)
    np.testing.assert_allclose(np.concatenate(found, axis=1), whole, rtol=0, atol=1e-14)


@pytest.mark.parametrize("case", [case for case in BATTERY if case != "a layer for each step"])
def test_unrolled_it_is_the_same_network(case):
    layer, shape, *_ = BATTERY[case]
    built = build_network(layer, shape, batch=3)
    wrt = [built.input, *(item.node for item in built.parameters.values())]
    slopes = grad(add_up(multiply(built.output, built.output)), wrt)
    graph = Graph({"output": built.output, **{f"slope{k}": node for k, node in enumerate(slopes)}})
    bound = {node.name: value for node, value in first_values(built).items()} | {"x": RANDOM.normal(size=built.input.shape)}
    engine = cr.engines.engine_named("reference")
    loop, apart = engine.compile(graph)(bound), engine.compile(unroll(graph)[0])(bound)
    for name, value in loop.items():
        np.testing.assert_allclose(apart[name], value, rtol=0, atol=1e-14, err_msg=name)


# ---- training


@pytest.mark.parametrize(
    "layers",
    [
        [RNN(4)],
        [GRU(3, padding=0.0), Dense(4, "tanh")],
        [LSTM(3, return_sequences=True), GRU(2, reverse=True)],
        [Bidirectional(LSTM(2))],
        [RNN(3, stateful=True)],
    ],
    ids=str,
)
def test_engines_agree_over_a_hundred_steps(layers):
    data = cr.data.recall(40, gap=3, wait=2, noise=0.2)
    net = Sequential(*layers, Dense(2, "softmax"))
    options = {"epochs": 20, "batch_size": 8, "dtype": "float64", "optimizer": "adam", "clip": cr.ClipNorm(1.0)}
    options["order"] = "consecutive" if getattr(layers[0], "stateful", False) else "shuffled"
    one, other = (cr.fit(net, data, engine=engine, **options) for engine in ("reference", "native"))
    np.testing.assert_allclose(one.history.steps(), other.history.steps(), rtol=1e-9)
    for name, value in one.parameters().items():
        np.testing.assert_allclose(other.parameters()[name], value, rtol=1e-7, atol=1e-9, err_msg=name)


def test_a_number_at_each_step_is_learned():
    data = cr.data.countdown(200, most=2, wait=1)
    net = Sequential(GRU(8, return_sequences=True), TimeDistributed(Dense(1)), Flatten())
    run_ = cr.fit(net, data, epochs=60, batch_size=20, optimizer=cr.Adam(0.02))
    assert np.abs(run_.predict(data.test.x) - data.test.y).max() < 0.2
    # Nothing can be said at the first step: there the target is constant, and says nothing of how well the others are met.
    assert run_.evaluate("test").r_squared() > 0.98


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda: build_network(RNN(3), (5,)), ShapeError, r"\(batch, time, features\)"),
        (lambda: build_network(TimeDistributed(Dense(1)), (5,)), ShapeError, "every"),
        (lambda: LSTM(3, stateful=True, reverse=True), OptionError, "stateful=True and reverse=True"),
        (lambda: GRU(3, return_sequences="first"), OptionError, "True or False"),
        (lambda: RNN(0), OptionError, "units"),
        (lambda: RNN(3, padding="no"), OptionError, "padding"),
        (lambda: RNN(3, activation="tanhh"), OptionError, "tanh"),
        (lambda: Bidirectional(RNN(3, reverse=True)), OptionError, "forwards"),
        (lambda: Bidirectional(Dense(3)), OptionError, "recurrent"),
        (lambda: TimeDistributed(), OptionError, "one layer"),
    ],
)
def test_misuse_is_refused(make, error, said):
    with pytest.raises(error, match=said):
        make()


def test_the_forget_gate_begins_open():
    assert first_values(build_network(LSTM(2, forget_bias=2), (3, 1))).keys()  # a whole number will do
    values = {node.name: value for node, value in first_values(build_network(LSTM(2), (3, 1))).items()}
    assert values["lstm1.b"].tolist() == [0, 0, 1, 1, 0, 0, 0, 0]
    wide = {node.name: value for node, value in first_values(build_network(RNN(400), (3, 1))).items()}["rnn1.U"]
    assert np.abs(np.linalg.eigvals(wide)).max() == pytest.approx(1.0, abs=0.1)
    assert Uniform(-1.0, 1.0) != RNN(2).weights


@pytest.mark.parametrize(
    ("layer", "bias"),
    [(LSTM(2, forget_bias=3.0, input_bias=-3.0), [-3, -3, 3, 3, 0, 0, 0, 0]), (GRU(2, update_bias=3.0), [0, 0, 3, 3, 0, 0])],
)
def test_gates_begin_as_they_are_told_to(layer, bias):
    values = {node.name: value for node, value in first_values(build_network(layer, (3, 1))).items()}
    assert values[f"{layer.kind}1.b"].tolist() == bias
