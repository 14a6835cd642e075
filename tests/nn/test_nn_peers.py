"""Networks in the words of PyTorch, Keras (both recorded by benchmarks/record_peers.py) and JAX (executed here): code, arrays, outputs."""

import json
import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from nn_judges import first_values
from peer_cases import CASES, channels_first, laid_out

import chainrule as cr
from chainrule.derivatives import grad
from chainrule.errors import OptionError, ShapeError
from chainrule.graph import compute, constant
from chainrule.nn import (
    GRU,
    RNN,
    Activation,
    AveragePool,
    Conv1D,
    Conv2D,
    ConvTranspose2D,
    Dense,
    Embedding,
    Export,
    GaussianNoise,
    LayerNorm,
    OneHot,
    RestrictedBoltzmann,
    Scale,
    Sequential,
    build_network,
    from_peer,
    to_code,
    to_peer,
)
from chainrule.nn.peers import PEERS
from chainrule.nn.peers.jax import LAYERS as IN_JAX
from chainrule.nn.peers.keras_layers import LAYERS as IN_KERAS
from chainrule.nn.peers.pytorch_layers import LAYERS as IN_PYTORCH
from chainrule.ops import multiply
from chainrule.ops import sum as add_up

jax.config.update("jax_enable_x64", True)
RECORDED = {
    f"{row['peer']}: {row['case']}": row
    for row in json.loads((Path(__file__).parent / "recorded_peers.json").read_text())["rows"]
}
RANDOM = np.random.default_rng(7)


def ours(network, x, values):
    """The output, and the derivative of the output's sum, weighed by cosines, by the input and by each parameter."""
    built = build_network(network, x.shape[1:], batch=len(x))
    leaves = {name: item.node for name, item in (*built.parameters.items(), *built.states.items())}
    bound = {leaf: values[name] for name, leaf in leaves.items()} | {built.input: x}
    pulls = np.cos(np.arange(built.output.type.size)).reshape(built.output.shape)
    wanted = [built.input, *(item.node for item in built.parameters.values())]
    slopes = grad(add_up(multiply(built.output, constant(pulls))), wanted)
    found = [None if slope is None else compute([slope], bound)[0] for slope in slopes]
    return compute([built.output], bound)[0], found[0], dict(zip(built.parameters, found[1:], strict=True))


def some_values(network):
    """Numbers for each parameter and state, none of them 0 or 1; variances are above 0."""
    values = first_values(build_network(network, network.input_shape))
    return {node.name: array + RANDOM.uniform(0.05, 0.5, array.shape) for node, array in values.items()}


def as_recorded(row):
    """The peer's arrays, as it gave them."""
    return {name: np.array(array) for name, array in row["arrays"].items()}


def executed(code):
    names = {}
    exec(code, names)
    return names["network"]


# ---- JAX: executed


@pytest.mark.parametrize("name", CASES)
def test_the_code_for_jax_makes_the_same_numbers(name):
    network, x = CASES[name].network, CASES[name].x()
    values = some_values(network)
    arrays = to_peer(network, values, "jax")
    output, _, _ = ours(network, x, values)
    theirs = jax.jit(executed(to_code(network, "jax")))(arrays, x)
    np.testing.assert_allclose(theirs, output, rtol=1e-12, atol=1e-12)
    assert arrays.keys() == from_peer(network, arrays, "jax").keys() == values.keys()


@pytest.mark.parametrize(
    "name", ["lenet", "convolutions", "batch norm of pictures", "both directions", "gru", "one layer twice"]
)
def test_gradients_of_the_code_for_jax_are_ours(name):
    network, x = CASES[name].network, CASES[name].x()
    values = some_values(network)
    output, by_input, by_parameters = ours(network, x, values)
    function, pulls = executed(to_code(network, "jax")), np.cos(np.arange(output.size)).reshape(output.shape)
    theirs = jax.jit(jax.grad(lambda arrays, x: jnp.sum(function(arrays, x) * pulls), argnums=(0, 1)))
    slopes, slope = theirs(to_peer(network, values, "jax"), x)
    np.testing.assert_allclose(slope, by_input, rtol=1e-10, atol=1e-12)
    for parameter, expected in by_parameters.items():
        np.testing.assert_allclose(slopes[parameter], expected, rtol=1e-10, atol=1e-12, err_msg=parameter)


# ---- PyTorch and Keras: recorded


def test_everything_that_peers_have_is_recorded():
    assert set(RECORDED) == {f"{peer}: {name}" for name, case in CASES.items() for peer in case.peers}


@pytest.mark.parametrize("row", RECORDED.values(), ids=RECORDED)
def test_the_code_is_what_was_recorded(row):
    assert to_code(CASES[row["case"]].network, row["peer"]).splitlines() == row["code"]


@pytest.mark.parametrize("row", RECORDED.values(), ids=RECORDED)
def test_with_the_peers_arrays_we_make_the_peers_numbers(row):
    case, (takes, gives) = CASES[row["case"]], channels_first("\n".join(row["code"]))
    output, slope, _ = ours(case.network, case.x(), from_peer(case.network, as_recorded(row), row["peer"]))
    # PyTorch was recorded in float64, with 10 digits; Keras in float32.
    allowed = {"rtol": 1e-9, "atol": 1e-10} if row["peer"] == "pytorch" else {"rtol": 2e-5, "atol": 2e-6}
    np.testing.assert_allclose(laid_out(output, first=gives), row["output"], **allowed)
    if "slope" in row:
        np.testing.assert_allclose(laid_out(slope, first=takes), row["slope"], **allowed)


@pytest.mark.parametrize("row", RECORDED.values(), ids=RECORDED)
def test_arrays_go_there_and_back(row):
    network, peer = CASES[row["case"]].network, row["peer"]
    theirs = as_recorded(row)
    mine = from_peer(network, theirs, peer)
    there = to_peer(network, mine, peer)
    # Keras' functional models, whose arrays are set by their paths, have layers in an order of their own.
    order = sorted if "keras.Model" in "\n".join(row["code"]) else list
    assert order(there) == order(theirs)
    assert {name: (array.shape, array.dtype) for name, array in there.items()} == {
        name: (array.shape, array.dtype) for name, array in theirs.items()
    }
    for name, array in from_peer(network, there, peer).items():
        assert np.array_equal(array, mine[name]), name
    # A peer's two biases of one gate are added up: only their sum comes back.
    if not any("bias_hh" in name or "gru_cell" in name for name in theirs):
        assert all(np.array_equal(there[name], array) for name, array in theirs.items())


def test_every_layer_of_a_peers_table_is_judged():
    def kinds(peer):
        networks = [case.network for case in CASES.values() if peer == "jax" or peer in case.peers]
        return {type(step.layer) for each in networks for step in Export(each, each.input_shape).steps(PEERS[peer].has)}

    # Scalings belong to runs; what they do is judged with these, in train/test_scales.py.
    assert set(IN_JAX) - {Scale} <= kinds("jax")
    assert set(IN_PYTORCH) - {Scale} <= kinds("pytorch")
    assert set(IN_KERAS) - {Scale} <= kinds("keras")


# ---- the code by itself


def test_dense_layers_in_three_libraries():
    network = cr.Sequential(cr.Dense(16, "relu"), cr.Dense(10), input_shape=(784,))
    assert to_code(network, "pytorch") == (
        "import torch\n\n# takes (batch, 784)\nnetwork = torch.nn.Sequential(\n    torch.nn.Linear(784, 16),\n"
        "    torch.nn.ReLU(),\n    torch.nn.Linear(16, 10),\n)"
    )
    assert to_code(network, "keras") == (
        'import keras\n\nnetwork = keras.Sequential([\n    keras.Input((784,)),\n    keras.layers.Dense(16, activation="relu", '
        'name="dense1"),\n    keras.layers.Dense(10, name="dense2"),\n])'
    )
    assert to_code(network, "jax").splitlines()[-3:] == [
        '    x = jax.nn.relu(x @ parameters["dense1.W"] + parameters["dense1.b"])',
        '    x = x @ parameters["dense2.W"] + parameters["dense2.b"]',
        "    return x",
    ]


def test_the_code_of_a_run_scales_as_the_run_does():
    network = cr.Sequential(cr.Conv2D(2, 3), cr.GlobalAveragePool(), cr.Dense(1))
    images = np.arange(5 * 4 * 4 * 2.0).reshape(5, 4, 4, 2)
    data = cr.data.Dataset(
        "two channels", cr.data.Examples(images, np.ones((5, 1))), scaling=cr.data.Scaling([1.5, -2.0], 0.25),
        target_scaling=cr.data.Scaling(1e6, 4.0),
    )  # fmt: skip
    run = cr.fit(network, data, epochs=0, engine="reference")
    there = to_code(run, "pytorch")
    assert "    Scaled([[[1.5]], [[-2.0]]], 0.25),\n    torch.nn.Conv2d(2, 2, 3" in there  # the channels stand first there
    assert there.endswith("    torch.nn.Linear(2, 1),\n    Unscaled(1000000.0, 4.0),\n)")
    assert "class Scaled(torch.nn.Module):" in there
    there = to_code(run, "keras")
    assert 'keras.layers.Rescaling(scale=0.25, offset=[-0.375, 0.5], dtype="float64"),' in there
    assert there.endswith('    keras.layers.Rescaling(scale=0.25, offset=1000000.0, dtype="float64"),\n])')
    assert "x = scaled(x, [1.5, -2.0], 0.25)\n" in to_code(run, "jax")
    assert to_code(run) == to_code(network) == to_code(run.model())
    arrays = to_peer(run, run.parameters(), "pytorch")
    assert list(arrays) == ["1.weight", "1.bias", "4.weight", "4.bias"]
    back = from_peer(run, arrays, "pytorch")
    assert all(np.array_equal(back[name], array) for name, array in run.parameters().items())
    plain = cr.fit(network, data.scaled_by(cr.data.Scaling.none(), None), epochs=0, engine="reference")
    assert to_code(plain, "pytorch") == to_code(network, "pytorch", (4, 4, 2))


def test_a_shape_may_be_given():
    loose = Sequential(Dense(2))
    assert "Linear(7, 2)" in to_code(loose, "pytorch", (7,))
    assert to_peer(loose, {"dense1.W": np.ones((7, 2)), "dense1.b": np.ones(2)}, "pytorch", (7,))["0.weight"].shape == (2, 7)
    with pytest.raises(OptionError, match="does not know its input"):
        to_code(loose, "pytorch")


@pytest.mark.parametrize("name", ["residual", "two eyes", "hourglass", "one layer twice", "both directions", "tokens"])
def test_a_network_that_was_kept_as_its_graph_is_written_as_it_was(name):
    network = CASES[name].network
    kept = cr.nn.as_graph_layer(network, network.input_shape)
    for peer in ("pytorch", "keras", "jax"):
        assert to_code(kept, peer) == to_code(network, peer)
    values = some_values(network)
    for key, array in to_peer(network, values, "pytorch").items():
        np.testing.assert_array_equal(to_peer(kept, values, "pytorch")[key], array)


# ---- what is refused


NET = Sequential(Dense(2), input_shape=(3,))
VALUES = {"dense1.W": np.ones((3, 2)), "dense1.b": np.ones(2)}
PICTURE = (6, 6, 2)

LACKING = {
    "jax: machine": (RestrictedBoltzmann(3, 2), (3,), "jax", "no such layer", "no other library"),
    "keras: noise": (GaussianNoise(2.0), (3,), "keras", "above 1", '"pytorch" or "jax"'),
    "pytorch: ids": (OneHot(4), (3,), "pytorch", "no such layer", '"jax"'),
    "pytorch: step": (Dense(2, "step"), (3,), "pytorch", 'activation "step"', '"jax"'),
    "keras: step": (Activation("step"), (3,), "keras", 'activation "step"', '"jax"'),
    "pytorch: a bias alone": (LayerNorm(gain=False), (3,), "pytorch", "a bias and no gain", '"keras" or "jax"'),
    "keras: a function": (Sequential(Dense(2), cr.ops.flip), (3,), "keras", "no such layer", "no other library"),
    "pytorch: padding": (GRU(2, padding=0.0), (4, 2), "pytorch", "passed over", '"keras"'),
    "jax: stateful": (GRU(2, stateful=True), (4, 2), "jax", "stateful", "no other library"),
    "pytorch: sigmoid": (RNN(2, activation="sigmoid"), (4, 2), "pytorch", "recurrent layer", '"keras" or "jax"'),
    "keras: leaks": (RNN(2, activation="leaky_relu"), (4, 2), "keras", "recurrent layer", '"jax"'),
    "keras: reverse": (GRU(2, reverse=True, return_sequences=True), (4, 2), "keras", "order of time", '"pytorch" or "jax"'),
    "keras: padding id": (Embedding(5, 2, padding=0), (4,), "keras", "padding", '"pytorch" or "jax"'),
    "keras: periodic": (Conv1D(2, 3, padding="periodic"), (6, 2), "keras", "periodic", '"pytorch" or "jax"'),
    "jax: mirrors": (ConvTranspose2D(2, 2, padding="reflect"), PICTURE, "jax", "reflect", "no other library"),
    "pytorch: groups": (ConvTranspose2D(2, 2, groups=2), PICTURE, "pytorch", "groups", '"jax"'),
    "keras: far": (ConvTranspose2D(2, 2, stride=3), PICTURE, "keras", "above its kernel", '"pytorch" or "jax"'),
    "keras: wide": (ConvTranspose2D(2, 2, dilation=2), PICTURE, "keras", "dilation", '"pytorch" or "jax"'),
    "keras: dilation": (Conv2D(2, 2, stride=2, dilation=2), PICTURE, "keras", "both above 1", '"pytorch" or "jax"'),
    "pytorch: average": (AveragePool(3, 2, padding="same"), PICTURE, "pytorch", "over the edge", '"keras" or "jax"'),
}


@pytest.mark.parametrize("case", LACKING)
def test_what_a_peer_lacks_is_said_with_who_has_it(case):
    layer, shape, peer, reason, having = LACKING[case]
    with pytest.raises(OptionError, match=re.escape(reason)) as error:
        to_code(layer, peer, shape)
    assert having in str(error.value)


@pytest.mark.parametrize(
    ("change", "raised", "message"),
    [
        ({"dense1.b": None}, OptionError, "no dense1.b"),
        ({"dense2.W": np.ones(1)}, OptionError, "dense2.W"),
        ({"dense1.W": np.ones((2, 3))}, ShapeError, r"dense1.W of shape \(2, 3\)"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(change, raised, message):
    values = {name: array for name, array in (VALUES | change).items() if array is not None}
    with pytest.raises(raised, match=message):
        to_peer(NET, values, "pytorch")


def test_a_peers_arrays_that_do_not_fit_are_refused():
    with pytest.raises(OptionError, match=r"no 0\.bias"):
        from_peer(NET, {"0.weight": np.ones((2, 3))}, "pytorch")
    with pytest.raises(ShapeError, match=r"0\.weight of shape \(3, 2\)"):
        from_peer(NET, {"0.weight": np.ones((3, 2)), "0.bias": np.ones(2)}, "pytorch")


@pytest.mark.parametrize("style", ["pytorhc", "chainrule", None])
def test_unknown_peers_are_refused(style):
    with pytest.raises(OptionError, match="one of pytorch, keras, jax"):
        to_peer(NET, VALUES, style)


def test_a_run_goes_to_a_peer_and_begins_another_run():
    data, network = cr.data.xor(), cr.Sequential(cr.Dense(3, "tanh"), cr.BatchNorm(), cr.Dense(1, "sigmoid"))
    run = cr.fit(network, data, epochs=2, batch_size=4, seed=3, engine="reference")
    mine = run.parameters() | run.states()
    initial = from_peer(network, to_peer(network, mine, "pytorch", (2,)), "pytorch", (2,))
    again = cr.fit(network, data, epochs=0, batch_size=4, seed=4, engine="reference", initial=initial)
    assert all(np.array_equal((again.parameters() | again.states())[name], array) for name, array in mine.items())
