"""Embedding and OneHot: one-hot rows times W, JAX's take, padding that stays zero, ids that there are not."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from nn_judges import first_values, run

import chainrule as cr
from chainrule.derivatives import grad
from chainrule.engines import engine_named
from chainrule.errors import FileFormatError, OptionError, PositionError
from chainrule.graph import Graph, constant
from chainrule.nn import (
    Constant,
    Dense,
    Embedding,
    OneHot,
    Sequential,
    TimeDistributed,
    build_network,
    from_json,
    to_code,
    to_json,
)
from chainrule.ops import sum as add_up

jax.config.update("jax_enable_x64", True)

IDS = np.array([[2, 0, 4, 2], [0, 0, 1, 3], [4, 4, 4, 4]])
"""Some ids come often, some never: 5 does not."""
TABLE = np.random.default_rng(3).normal(size=(6, 3))
PULL = np.random.default_rng(4).normal(size=(3, 4, 3))


def forward_and_gradient(network, x, engine, dtype="float64"):
    """The output for ids, and the derivative of its sum weighed by PULL by the one parameter, whose value is TABLE."""
    built = build_network(network, x.shape[1:], batch=len(x), dtype=dtype)
    (parameter,) = (item.node for item in built.parameters.values())
    (slope,) = grad(add_up(built.output * constant(PULL, dtype)), [parameter])
    program = engine_named(engine).compile(Graph({"output": built.output, "slope": slope}))
    given = {built.input.name: x.astype(dtype), parameter.name: TABLE.astype(dtype)}
    found = program(given)
    return found["output"], found["slope"]


@pytest.mark.parametrize("engine", ["reference", "native"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_vector_is_a_one_hot_row_times_the_table(engine, dtype):
    vectors, slope = forward_and_gradient(Embedding(6, 3), IDS, engine, dtype)
    rows, same_slope = forward_and_gradient(Sequential(OneHot(6), TimeDistributed(Dense(3, bias=False))), IDS, engine, dtype)
    assert np.array_equal(vectors, rows)
    assert np.array_equal(vectors, TABLE.astype(dtype)[IDS])
    np.testing.assert_allclose(slope, same_slope, rtol=1e-6 if dtype == "float32" else 1e-14, atol=1e-6 * (dtype == "float32"))
    assert not slope[5].any()


@pytest.mark.parametrize("engine", ["reference", "native"])
def test_forward_and_gradient_are_those_of_jax(engine):
    def judge(table, pull):
        taken, back = jax.vjp(lambda table: jnp.take(table, IDS, axis=0), table)
        return taken, *back(pull)

    taken, slope = jax.jit(judge)(TABLE, PULL)
    mine = forward_and_gradient(Embedding(6, 3), IDS, engine)
    assert np.array_equal(mine[0], taken)
    np.testing.assert_allclose(mine[1], slope, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("engine", ["reference", "native"])
def test_one_hot_rows_are_those_of_jax(engine):
    built = build_network(OneHot(6, padding=0), IDS.shape[1:], batch=3)
    (rows,) = engine_named(engine).compile(built.graph)({"x": IDS.astype(float)}).values()
    wanted = np.array(jax.nn.one_hot(IDS, 6))
    wanted[IDS == 0] = 0
    assert np.array_equal(rows, wanted)


@pytest.mark.parametrize("engine", ["reference", "native"])
def test_the_padding_is_zero_and_stays_zero(engine):
    data = cr.data.story(40, sentences=2, encoding="ids")
    classes, words = data.target_size, int(data.train.x.max()) + 1
    net = Sequential(Embedding(words, 4, padding=0), cr.GRU(3, padding=0.0), Dense(classes, "softmax"))
    trained = cr.fit(net, data, optimizer=cr.AdamW(0.05), epochs=2, batch_size=10, engine=engine)
    table = trained.parameters()["embedding1.W"]
    assert not table[0].any()
    assert table[1:].all()
    values = trained.model().quantities(data.train.x[:5])["embedding1.a"]
    assert np.array_equal(values.any(axis=2), data.train.x[:5] != 0)
    assert "embedding1.W[embedding1.ids]" in str(trained.explain(0))
    # A story says the same however much padding stands before it.
    longer = build_network(net, (data.input_shape[0] + 3,), batch=5)
    known = first_values(longer) | {longer.parameters[name].node: value for name, value in trained.parameters().items()}
    x = np.pad(data.train.x[:5], ((0, 0), (3, 0))).astype(float)
    again = run(net, x, {node.name: value for node, value in known.items()})
    np.testing.assert_allclose(again, trained.predict(data.train.x[:5]), rtol=1e-5)


def test_both_ways_are_one_training():
    """One-hot rows and Dense without a bias, from the same first weights: the same steps."""
    data = cr.data.next_character("abracadabra " * 6, length=4, encoding="ids", test=0)
    count = data.target_size
    options = {"optimizer": cr.SGD(0.5), "epochs": 3, "batch_size": 8, "dtype": "float64"}
    tail = (cr.Flatten(), Dense(count, "softmax", name="out"))
    table = np.random.default_rng(0).normal(size=(count, 5))
    by_rows = cr.fit(
        Sequential(OneHot(count), TimeDistributed(Dense(5, bias=False, name="v")), *tail),
        data,
        initial={"v.W": table},
        **options,
    )
    by_ids = cr.fit(Sequential(Embedding(count, 5, name="v"), *tail), data, initial={"v.W": table}, **options)
    for name, value in by_ids.parameters().items():
        np.testing.assert_allclose(value, by_rows.parameters()[name], rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("layer", [OneHot(6), Embedding(6, 2)])
@pytest.mark.parametrize("wrong", [6.0, -1.0, 2.5, 0.004])
@pytest.mark.parametrize("engine", ["reference", "native"])
def test_ids_that_there_are_not_are_refused(layer, wrong, engine):
    built = build_network(layer, (2,), batch=1)
    given = {"x": np.array([[1.0, wrong]])} | {item.node.name: np.zeros(item.node.shape) for item in built.parameters.values()}
    program = engine_named(engine).compile(built.graph)
    with pytest.raises(PositionError, match="position"):
        program(given)


def test_scaled_ids_are_refused_and_the_remedy_is_said():
    x = np.random.default_rng(0).integers(10, size=(20, 4))
    data = cr.data.from_arrays(x, x[:, 0].astype(float), scaling="standardise")
    with pytest.raises(PositionError, match=r'scaling="none"'):
        cr.fit(Sequential(Embedding(10, 2), cr.Flatten(), Dense(1)), data, epochs=1, batch_size=4)


def test_layers_come_back_from_files_and_code():
    for layer in (OneHot(7), OneHot(7, 0, name="rows"), Embedding(7, 2), Embedding(7, 2, 3, Constant(0.5), "words")):
        assert from_json(json.loads(json.dumps(to_json(layer)))) == layer
        assert eval(to_code(layer), {"cr": cr}) == layer
    assert to_code(Embedding(7, 2, 0)) == "cr.Embedding(7, 2, padding=0)"
    broken = to_json(OneHot(7, 0))
    broken["network"]["padding"] = -1
    with pytest.raises(FileFormatError, match="-1"):
        from_json(broken)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Embedding(5, 0), "units=0"),
        (lambda: Embedding(0, 2), "vocabulary=0"),
        (lambda: Embedding(2**24 + 1, 2), "from 1 to 16777216"),
        (lambda: Embedding(5, 2, 5), "padding=5"),
        (lambda: OneHot(5, padding=-1), "padding=-1"),
        (lambda: OneHot(5, padding=True), "padding=True"),
    ],
)
def test_refusals(make, said):
    with pytest.raises(OptionError, match=said):
        make()


@pytest.mark.parametrize(
    ("text", "layers"),
    [
        ("20-onehot35-lstm64:return_sequences-gru8-35", (OneHot(35), cr.LSTM(64, return_sequences=True), cr.GRU(8), Dense(35))),
        ("20-embedding35x16-rnn8-35", (Embedding(35, 16), cr.RNN(8), Dense(35))),
        ("20-embedding35x16-lstm8:nobias-35", (Embedding(35, 16), cr.LSTM(8, bias=False), Dense(35))),
    ],
)
def test_texts_of_networks(text, layers):
    net = cr.parse_network(text)
    assert net.layers == layers
    assert cr.nn.to_text(net) == text


def test_activations_and_mistakes_in_texts_of_networks():
    assert cr.parse_network("5x2-rnn8:relu-1").layers[0] == cr.RNN(8, activation="relu")
    for text, said in (
        ("20-embedding35-3", "vocabulary and units behind the word"),
        ("20-onehot35-lstm-3", "units behind the word"),
        ("20-lstm8-3", r"\(batch, time, features\)"),
        ("20-onehot35-lstm8:same-3", "return_sequences, reverse, stateful"),
        ("20-embeding35x16-3", "did you mean"),
    ):
        with pytest.raises(cr.errors.ParseError, match=said):
            cr.parse_network(text)
    with pytest.raises(OptionError, match="no text form"):
        cr.nn.to_text(Sequential(OneHot(5, padding=0), cr.LSTM(4, padding=0.0), input_shape=(3,)))
