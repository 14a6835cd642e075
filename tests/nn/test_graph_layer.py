"""A layer that is a graph gives, for every batch, the graph of the network that it was made of; and is a layer like any other."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest

import chainrule as cr
from chainrule import ops
from chainrule.errors import ChainruleError, GraphError, OptionError, ShapeError
from chainrule.graph import Graph, form_of, input_node, parse_graph
from chainrule.graph.template import filled
from chainrule.nn import build_network, from_json, layer_scope, summary, to_json
from tests.golden import write

KEY, FRESH = input_node("key", (2,), "uint32"), input_node("fresh", (), "bool")


# ---- networks that are made of functions


def shared_with_a_function():
    shared = cr.Dense(3, "tanh")
    return cr.Sequential(shared, lambda x: shared(x) * 0.5 + x, shared, cr.Dense(2, "softmax"))


def two_inputs():
    eye = cr.Dense(4, "relu")
    return cr.Network(
        lambda left, right: cr.Dense(2)(ops.concatenate(eye(left), ops.sin(eye(right)), axis=1)), {"left": (2,), "right": (2,)}
    )


class Memory:
    """A state by row, one of the whole network, first values by code, and a loss of its own; no description."""

    def __call__(self, x):
        with layer_scope(self, "memory", x) as here:
            before = here.row_state("last", (3,))
            count = here.state("count", (), cr.Zeros())
            W = here.parameter("W", (x.shape[1], 3), lambda key, shape: ops.normal(key, shape) * 0.5)
            after = ops.tanh(x @ W + before)
            here.next_state("last", after)
            here.next_state("count", count + 1.0)
            here.term("size", ops.sum(after * after, axis=1), "Σ a²")
            return here.gives(here.label(after + count * 0.0, "a"))


def bias_column(x):
    return ops.concatenate(x, np.ones((x.shape[0], 1), x.dtype), axis=1)


def mean_over_the_batch(x):
    return x - ops.mean(x, 0, keepdims=True)


NETWORKS = {
    "functions": (lambda: cr.Sequential(cr.Dense(4), ops.sin, lambda x: x * 0.1 + 3.0, cr.Dense(2)), (3,)),
    "shared": (shared_with_a_function, (3,)),
    "two inputs": (two_inputs, (4,)),
    "residual": (lambda: cr.Sequential(cr.Residual(cr.Dense(3, "relu"), ops.tanh), bias_column, cr.Dense(2)), (3,)),
    "scan": (lambda: cr.Sequential(cr.Reshape((4, 2)), cr.LSTM(3), lambda x: x * x, cr.Dense(2)), (8,)),
    "both ways": (lambda: cr.Sequential(cr.Bidirectional(cr.GRU(2)), lambda x: ops.exp(-x), cr.Dense(2)), (3, 2)),
    "each step": (lambda: cr.Sequential(cr.TimeDistributed(cr.Dense(2)), lambda x: ops.sum(x, axis=1)), (3, 2)),
    "convolution": (lambda: cr.Sequential(cr.Conv2D(2, 3, "relu"), cr.MaxPool(2), lambda x: x + 1.0, cr.Flatten(), cr.Dense(2)), (6, 6, 1)),
    "chance": (lambda: cr.Sequential(cr.Dropout(0.4), ops.sin, cr.GaussianNoise(0.3), cr.Dense(4), cr.Dropout(0.1), cr.Dense(2)), (3,)),
    "statistics": (lambda: cr.Sequential(cr.Dense(4), cr.BatchNorm(), ops.tanh, cr.LayerNorm(), cr.Dense(2)), (3,)),
    "memory": (lambda: cr.Sequential(Memory(), cr.Dense(2)), (3,)),
    "codes": (lambda: cr.Sequential(cr.Dense(6), cr.Latent(0.3), ops.sin, cr.Dense(2)), (3,)),
    "ids": (lambda: cr.Sequential(cr.Embedding(9, 3, padding=0), cr.GRU(3, padding=0.0), lambda x: x * 2.0, cr.Dense(2)), (5,)),
    "batch": (lambda: cr.Sequential(mean_over_the_batch, cr.Dense(2)), (3,)),
    "ablated": (lambda: cr.nn.Ablated(cr.Sequential(cr.Dense(4, "relu"), cr.Dense(2)), "dense1.a", (1, 2)), (3,)),
}  # fmt: skip
ALL = [pytest.param(make(), shape, id=name) for name, (make, shape) in NETWORKS.items()]
ALL += [
    pytest.param(layer if shape else None, shape, id=f"golden {name}")
    for name, (layer, shape) in getattr(write, "LAYERS", {}).items()
    if isinstance(shape, tuple)
]


def built(network, shape, size, dtype, training):
    given = {"training": True, "key": KEY, "fresh": FRESH} if training else {}
    x = input_node("x", (size, *shape), dtype)
    data = input_node("raw", (size, *shape), "float64")
    return build_network(network, shape, dtype=dtype, x=ops.cast(x, dtype=dtype) * 1.0, data=data, **given)


def whole(found):
    """All that a build holds, as one graph."""
    states = {f"next.{name}": state.next for name, state in found.states.items() if state.next is not None}
    terms = {f"term.{name}": term.rows for name, term in found.terms.items()}
    padded = {f"padded.{i}": node for i, (node, _) in enumerate(found.padded)}
    leaves = [item.node for item in (*found.parameters.values(), *found.states.values())]
    return Graph({"output": found.output, **states, **terms, **padded}, unused=leaves)


def kept_as_text(layer):
    return from_json(json.loads(json.dumps(to_json(layer))))


@pytest.mark.parametrize(("network", "shape"), ALL)
def test_the_graph_is_the_same_for_every_batch_dtype_and_mode(network, shape):
    layer = kept_as_text(cr.as_graph_layer(network, shape, batch_sizes=(8, 9)))
    compared = 0
    for size in (1, 2, 6, 13):
        for dtype in ("float32", "float64"):
            for training in (False, True):
                try:
                    wanted = built(network, shape, size, dtype, training)
                except ChainruleError:
                    with pytest.raises(ChainruleError):
                        built(layer, shape, size, dtype, training)
                    continue
                found = built(layer, shape, size, dtype, training)
                assert form_of(whole(found)) == form_of(whole(wanted))
                assert list(found.parameters) == list(wanted.parameters)
                assert {name: state.by_row for name, state in found.states.items()} == {
                    name: state.by_row for name, state in wanted.states.items()
                }
                assert {name: term.formula for name, term in found.terms.items()} == {
                    name: term.formula for name, term in wanted.terms.items()
                }
                assert [value for _, value in found.padded] == [value for _, value in wanted.padded]
                told = [
                    (use.name, use.kind, use.input, use.output, use.parameters, use.first, use.states) for use in found.uses
                ]
                assert told == [
                    (use.name, use.kind, use.input, use.output, use.parameters, use.first, use.states) for use in wanted.uses
                ]
                compared += 1
    assert compared >= 12


@pytest.mark.parametrize(("network", "shape"), ALL[:15])
def test_first_values_are_the_same(network, shape):
    layer = kept_as_text(cr.as_graph_layer(network, shape))
    key = input_node("key", (2,), "uint32")
    for training in (False, True):
        found, wanted = (built(item, shape, 4, "float64", training) for item in (layer, network))
        for name in wanted.parameters:
            one, other = (
                ops.cast(item.parameters[name].initialiser(key, item.parameters[name].node.shape), dtype="float64")
                for item in (found, wanted)
            )
            values = cr.compute([one, other], {key: np.array([3, 4], np.uint32)})
            assert np.array_equal(*values), name


def test_the_table_says_what_the_layers_were():
    network = cr.Sequential(cr.Dense(4, "relu"), lambda x: x * 2.0, cr.Dense(2, "softmax"))
    rows = summary(cr.as_graph_layer(network, (3,))).rows
    assert [(row.name, row.description, row.parameters) for row in rows] == [
        ("dense1", "relu(x·W + b)", 16), ("function1", "code, kept as its graph", 0), ("dense2", "softmax(x·W + b)", 10),
    ]  # fmt: skip


# ---- what cannot be kept


def ranks(x):
    return x + ops.broadcast_to(ops.reshape(cr.constant(np.arange(x.shape[0]), x.dtype), shape=(x.shape[0], 1)), shape=x.shape)


def by_another_rule(x):
    return x * float(np.sqrt(x.shape[0]))


def other_above_ten(x):
    return ops.sin(x) if x.shape[0] > 10 else ops.cos(x)


@pytest.mark.parametrize("function", [ranks, by_another_rule, other_above_ten])
def test_a_graph_that_goes_by_the_batch_in_another_way_is_refused(function):
    with pytest.raises(GraphError, match="goes by the size of its batch in a way that cannot be written down"):
        cr.as_graph_layer(cr.Sequential(function, cr.Dense(2)), (3,), batch_sizes=(32,))


def test_a_network_for_one_size_gives_a_layer_for_this_size():
    adjacency = np.random.default_rng(0).normal(size=(12, 12))

    def over_the_nodes(x):
        return cr.constant(adjacency, x.dtype) @ cr.Dense(2)(x)

    layer = kept_as_text(cr.as_graph_layer(over_the_nodes, (3,), batch_sizes=(12,)))
    wanted, found = (whole(built(item, (3,), 12, "float32", False)) for item in (over_the_nodes, layer))
    # A bare function is a layer of this name.
    assert form_of(wanted)[1] == form_of(found)[1]
    with pytest.raises(ShapeError, match=r"x was given float64\[5,3\]"):
        built(layer, (3,), 5, "float64", False)


def test_what_a_network_raises_itself_is_raised():
    def broken(x):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        cr.as_graph_layer(broken, (3,))


# ---- a layer from any graph


def mlp(size, dtype="float64"):
    x, W, b = cr.input_node("image", (size, 6), dtype), cr.parameter("W", (6, 3), dtype), cr.parameter("b", (3,), dtype)
    apart = ops.reshape(ops.tanh(x @ W + b), shape=(size, 3, 1)) * np.full((1, 3, 1), 0.5, dtype)
    return Graph({"a": ops.reshape(apart, shape=(size, 3))})


@pytest.mark.parametrize("size", [1, 2, 3, 6, 32])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_graph_for_one_batch_is_a_layer_for_any(size, dtype):
    layer = cr.GraphLayer(mlp(size, dtype), {"W": np.arange(18).reshape(6, 3) / 10})
    for other in (1, 2, 3, 5, 6, 40):
        found = build_network(layer, (6,), batch=other, dtype="float64").output
        x = np.random.default_rng(0).normal(size=(other, 6))
        values = {"graph1.W": np.arange(18).reshape(6, 3) / 10, "graph1.b": np.ones(3), "x": x}
        graph = Graph({"a": found})
        (value,) = cr.compute([found], graph.bind(values))
        assert np.allclose(value, 0.5 * np.tanh(x @ values["graph1.W"] + 1.0), rtol=1e-14)


def test_loops_reshapes_and_slices_of_a_graph_go_by_the_batch():
    network = cr.Sequential(cr.Reshape((4, 2)), cr.LSTM(3), cr.Dense(2))
    given = build_network(network, (8,), batch=5)
    graph = Graph({"output": given.output})
    layer = cr.GraphLayer(graph)
    for size in (1, 3, 5, 8):
        wanted = build_network(network, (8,), batch=size).output
        found = build_network(layer, (8,), batch=size).output
        values = np.random.default_rng(1).normal(size=(size, 8))
        leaves = {node.name.removeprefix("graph1."): node for node in Graph({"y": found}).leaves.values()}
        drawn = {name: np.random.default_rng(2).normal(size=node.shape) for name, node in leaves.items() if name != "x"}
        one = cr.compute([found], {leaves[name]: value for name, value in {**drawn, "x": values}.items()})
        by_name = Graph({"y": wanted}).leaves
        two = cr.compute([wanted], {by_name[name]: value for name, value in {**drawn, "x": values}.items()})
        assert np.array_equal(one, two)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8])
def test_rows_behind_other_rows_are_not_stretched_to_these(size):
    def graph(batch):
        x = cr.input_node("x", (batch, 2))
        longer = ops.concatenate(x, ops.reshape(x[0], shape=(1, 2)), axis=0)
        twice = ops.broadcast_to(ops.reshape(x.sum(axis=1), shape=(batch, 1)), shape=(batch, 2))
        both = ops.concatenate(twice, longer, axis=0)
        return Graph({"y": ops.reshape(both.sum(axis=0), shape=(1, 2)) + x})

    for built in (3, 4):
        found = build_network(cr.GraphLayer(graph(built)), (2,), batch=size).output
        x = np.random.default_rng(3).normal(size=(size, 2))
        (value,) = cr.compute([found], Graph({"y": found}).bind({"x": x}))
        np.testing.assert_allclose(value, x.sum() + x.sum(0) + x[0] + x, rtol=1e-14)


def test_a_graph_with_an_array_for_its_batch_takes_this_batch_alone():
    x = cr.input_node("x", (5, 2))
    layer = cr.GraphLayer(Graph({"y": x * np.arange(10.0).reshape(5, 2)}))
    assert build_network(layer, (2,), batch=5).output.shape == (5, 2)
    with pytest.raises(ShapeError, match=r"x was given float64\[4,2\]"):
        build_network(layer, (2,), batch=4)


def test_it_stands_among_other_layers_is_trained_shared_explained_and_drawn():
    x, W = cr.input_node("x", (1, 3)), cr.parameter("W", (3, 3))
    layer = cr.GraphLayer(Graph({"y": ops.tanh((x @ W).named("z"))}), {"W": cr.GlorotUniform()})
    other = cr.GraphLayer(Graph({"y": x * 2.0}), name="double")
    network = cr.Sequential(cr.Dense(3), layer, other, layer, cr.Dense(2, "softmax"))
    data = cr.data.from_arrays(np.random.default_rng(0).normal(size=(60, 3)), np.arange(60) % 2)
    run = cr.fit(network, data, epochs=2, batch_size=16, seed=1)
    assert list(run.parameters()) == ["dense1.W", "dense1.b", "graph1.W", "dense2.W", "dense2.b"]
    shared = cr.Dense(3, "tanh", bias=False, name="graph1")
    same = cr.Sequential(cr.Dense(3), shared, lambda x: x * 2.0, shared, cr.Dense(2, "softmax"))
    by_hand = cr.fit(same, data, epochs=2, batch_size=16, seed=1)
    assert all(map(np.array_equal, run.parameters().values(), by_hand.parameters().values()))
    assert "graph1.z" in str(run.explain(3))
    assert "graph1" in cr.views.networks.draw_network(run)._repr_svg_()
    assert summary(network, (3,)).rows[1].description == "a graph of 4 nodes"
    alone = cr.as_graph_layer(cr.Sequential(cr.Dense(3), lambda x: x * 2.0, cr.Dense(2, "softmax")), (3,))
    assert alone.explain(data.test[0]).agrees
    assert "kept as its graph" in alone._repr_html_()


def test_states_and_a_graph_for_training_can_be_written_by_hand():
    use = """x: {float}[{B},3] = input()
m: {float}[3] = input()
%0: {float}[{B},3] = broadcast_to(m, shape=({B}, 3))
y: {float}[{B},3] = subtract(x, %0)
return y=y"""
    training = """x: {float}[{B},3] = input()
%1: {float}[3] = reduce_sum(x, axes=(0,))
%2: {float}[] = constant(value={1/B})
%3: {float}[3] = broadcast_to(%2, shape=(3,))
n: {float}[3] = multiply(%1, %3)
m: {float}[3] = input()
return y=x, next.m=n"""
    layer = cr.GraphLayer(use, states={"m": 0.25}, training=training)
    data = cr.data.from_arrays(np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2)
    run = cr.fit(cr.Sequential(layer, cr.Dense(2, "softmax")), data, epochs=1, batch_size=8)
    rows = run.trainer.rows(run.trainer.step - 1)[0]
    seen = run.data.info.scaling.apply(run.data.train.x[rows])
    assert np.allclose(run.states()["graph1.m"], seen.mean(0), rtol=1e-5)
    inside = run.model().quantities(data.train.x[:2])["graph1.y"]
    assert np.allclose(inside, run.data.info.scaling.apply(data.train.x[:2]) - run.states()["graph1.m"], rtol=1e-5)
    assert np.allclose(run.at(0).states()["graph1.m"], 0.25)


def test_several_inputs_are_dealt_out_and_one_output_is_asked_for():
    left, right = cr.input_node("left", (1, 2)), cr.input_node("right", (1, 3, 1))
    graph = Graph({"y": ops.concatenate(left, ops.reshape(right, shape=(1, 3)) * 2.0, axis=1)})
    layer = cr.GraphLayer(graph)
    assert layer.input_shape == (5,)
    found = build_network(layer, (5,), batch=2)
    (value,) = cr.compute([found.output], {found.input: np.arange(10.0).reshape(2, 5)})
    assert value.tolist() == [[0, 1, 4, 6, 8], [5, 6, 14, 16, 18]]
    with pytest.raises(GraphError, match="outputs a, b"):
        cr.GraphLayer(Graph({"a": left, "b": left * 2.0}))
    with pytest.raises(GraphError, match="the inputs none"):
        cr.GraphLayer(Graph({"a": cr.parameter("W", (2,)) * 2.0}))


def test_whole_numbers_reach_a_graph_that_reads_them():
    ids, W = cr.input_node("ids", (1, 4), "int64"), cr.parameter("W", (7, 2))
    layer = cr.GraphLayer(Graph({"y": ops.sum(ops.gather(W, ids, axis=0), axis=1)}))
    data = cr.data.from_arrays(np.random.default_rng(0).integers(0, 7, (40, 4)), np.arange(40) % 2)
    run = cr.fit(cr.Sequential(layer, cr.Dense(2, "softmax")), data, epochs=1, batch_size=8)
    assert run.data.info.scaling.is_none
    W = run.parameters()["graph1.W"]
    found = run.model().quantities(data.train.x[:3], {"dense1.z"})["dense1.z"]
    wanted = W[data.train.x[:3].astype(int)].sum(1) @ run.parameters()["dense1.W"] + run.parameters()["dense1.b"]
    assert np.allclose(found, wanted, rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "named", "error", "said"),
    [
        ((3,), {}, ChainruleError, "given as a graph|graph=3"),
        (("x: float64[1,2] = input()\nreturn y=z",), {}, ChainruleError, "line 2"),
        ((mlp(2),), {"parameters": {"V": 1.0}}, OptionError, "first values for V"),
        ((mlp(2),), {"parameters": {"W": "many"}}, ChainruleError, "W"),
        ((mlp(2),), {"parameters": {"W": [[float("nan")]]}}, ChainruleError, "W"),
        ((mlp(2),), {"parameters": {"W": 0.0}, "states": {"W": 0.0}}, OptionError, "W"),
    ],
)
def test_what_makes_no_layer_is_refused(arguments, named, error, said):
    with pytest.raises(error, match=said):
        cr.GraphLayer(*arguments, **named)


def test_two_of_one_name_are_refused():
    layer = cr.as_graph_layer(cr.Sequential(cr.Dense(3), ops.sin), (3,))
    again = cr.as_graph_layer(cr.Sequential(cr.Dense(3), ops.sin), (3,))
    with pytest.raises(OptionError, match="two layers are called 'dense1'"):
        build_network(cr.Sequential(layer, again), (3,))
    assert list(build_network(cr.Sequential(layer, layer, cr.Dense(2)), (3,)).parameters) == [
        "dense1.W", "dense1.b", "dense2.W", "dense2.b",
    ]  # fmt: skip


# ---- hostile texts


PIECES = [
    "{B}", "{2*B}", "{1/B}", "{float}", "{0.5 everywhere}", "{", "}", "float64", "int64", "bool", "x", "%0", "[", "]", "(", ")", ",", "\n",
    "=", "-1", "0", "99999999999999", "1e400", "nan", "scan", "matmul", "reshape", "axis=5", "shape=({B},)", "value=", "@", "body1",
    "return ", "None", "__import__('os')",
]  # fmt: skip


@pytest.mark.parametrize("name", ["functions", "scan", "memory", "ids"])
def test_a_text_that_was_changed_gives_our_errors_or_a_layer(name):
    make, shape = NETWORKS[name]
    document = to_json(cr.as_graph_layer(make(), shape))
    draw = random.Random(name)
    read, refused = 0, []
    for _ in range(250):
        changed = json.loads(json.dumps(document))
        form = changed["network"][draw.choice(["graph", "training"])] or changed["network"]["graph"]
        text = form["text"]
        for _ in range(draw.choice([1, 1, 2, 4])):
            i = draw.randrange(len(text))
            j = min(len(text), i + draw.choice([0, 1, 1, 3, 20]))
            text = (
                text[:i]
                + draw.choice([*PIECES, draw.choice(text), chr(draw.randrange(32, 0x300)), text[j : j + 30]])
                + text[j:]
            )
        form["text"] = text
        try:
            layer = from_json(changed)
            for training in (False, True):
                for size in (1, 3):
                    found = built(layer, shape, size, "float32", training)
                    assert found.output.shape[0] == size
            read += 1
        except ChainruleError as error:
            refused.append(error)
    assert read + len(refused) == 250
    assert len(refused) > 50
    assert all(error.expected and error.remedy for error in refused)


def test_a_text_runs_no_code_and_makes_nothing_large(tmp_path):
    trap = tmp_path / "trap"
    for said in (f"open({str(trap)!r}, 'w')", "{B.__class__}", "{float.__class__}", "10**10**10", "[0]*10**9"):
        with pytest.raises(ChainruleError):
            parse_graph(
                filled(f"x: float64[2,2] = input()\ny: float64[2,2] = reshape(x, shape=({said},))\nreturn y=y", 2, "float64")
            )
    assert not trap.exists()
    huge = "{B},1000000,1000000,2"
    lines = [
        "x: {float}[{B},2] = input()", "w: {float}[] = constant(value=1.0)",
        f"y: {{float}}[{huge}] = broadcast_to(w, shape=({huge}))", "return y=y",
    ]  # fmt: skip
    with pytest.raises(ChainruleError, match="at most"):
        cr.GraphLayer("\n".join(lines))
