"""Networks as objects of PyTorch and Keras, there and back, and theirs as ours: `make external` runs it, with KERAS_BACKEND=torch."""

import dataclasses
import re
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import chainrule as cr
from chainrule.errors import OptionError, OptionTypeError
from chainrule.nn import build_network
from chainrule.nn.peers.pytorch import channels_first
from tests.golden import write
from tests.interop.test_onnx_out import LAYERS
from tests.interop.written_cases import NUMBERS, run_of

sys.path.insert(0, str(Path(__file__).parent.parent / "nn"))
from peer_cases import CASES

keras = pytest.importorskip("keras")
RANDOM = np.random.default_rng(0)
WITH_SHAPES = {name: cr.Sequential(layer, input_shape=shape) for name, (layer, shape) in write.LAYERS.items()}
NETWORKS = {
    **{name: case.network for name, case in CASES.items()},
    **{f"{name} of files": network for name, network in WITH_SHAPES.items()},
    **{f"{name} {place}": network for name, several in LAYERS.items() for place, network in enumerate(several)},
}
"""Every layer and option that the tests have examples of: a new layer comes among them by tests of its own."""


def values(network):
    built = build_network(network, network.input_shape)
    moving = {name: item for name, item in built.states.items() if not item.frozen}
    weights = {name: item for name, item in (*built.parameters.items(), *built.states.items()) if name not in moving}
    learned = {name: RANDOM.normal(size=item.node.shape) * 0.3 for name, item in weights.items()}
    learned |= {name: RANDOM.uniform(1.0, 2.0, size=item.node.shape) for name, item in moving.items()}
    for use in built.uses:
        if isinstance(use.layer, cr.Embedding) and use.layer.padding is not None:
            learned[f"{use.name}.W"][use.layer.padding] = 0.0  # as it begins and stays
    return learned


def given_to(network):
    """Two examples for a network: numbers, or ids where it reads such."""
    built = build_network(network, network.input_shape)
    counts = [use.layer.vocabulary for use in built.uses if isinstance(use.layer, cr.Embedding)]
    shape = (2, *network.input_shape)
    return RANDOM.integers(0, counts[0], shape).astype(float) if counts else RANDOM.normal(size=shape).round(2)


LOST = {"RandomShift", "RandomFlip", "RandomRotation", "RandomBrightness"}
"""Layers that do nothing there: other libraries draw other numbers."""


def plain(layer):
    """The layers one behind the other, and whether each is frozen: names and first values are not carried."""
    if isinstance(layer, cr.Sequential | cr.Frozen):
        return [(each, frozen or isinstance(layer, cr.Frozen)) for item in layer.layers for each, frozen in plain(item)]
    if isinstance(layer, cr.TimeDistributed) and len(layer.layers) > 1:
        return [
            pair for item in layer.layers for pair in plain(cr.TimeDistributed(item) if isinstance(item, cr.Dense) else item)
        ]
    if isinstance(layer, cr.TimeDistributed):
        return [(f"TimeDistributed {plain(layer.layers[0])}", False)]
    if isinstance(layer, cr.Bidirectional):
        return [(f"Bidirectional {plain(layer.layers[0])}", False)]
    fields = {part.name: getattr(layer, part.name) for part in dataclasses.fields(layer) if part.name not in STARTS}
    kept = {name: value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value for name, value in fields.items()}
    if kept.get("stride", "") == kept.get("size"):
        kept["stride"] = None
    return [] if type(layer).__name__ in LOST else [(f"{type(layer).__name__} {kept}", False)]


STARTS = ("name", "weights", "biases", "recurrent", "gains", "forget_bias", "input_bias", "update_bias")


def held(network, peer):
    """What comes back: the same layers in the same order, but for those that do nothing, and in Keras what is random in frozen ones."""
    idle = ["Activation {'function': 'linear'}", *["Dropout", "GaussianNoise"] * (peer == "keras")]
    return [
        layer for layer, frozen in plain(network) if not layer.startswith(tuple(idle if frozen else idle[:1]))
    ]  # fmt: skip


def nodes(network):
    """What is computed, by op and type: names aside, and without what leaves all as it is."""
    found = cr.Graph({"y": build_network(network, network.input_shape, batch=2).output}).nodes
    moving = (node for node in found if not (node.op.kind == "view" and node.inputs[0].type == node.type))
    return Counter((node.op.name, repr(node.type)) for node in moving)


def is_chain(network):
    """Whether a network is nothing but layers one behind the other."""
    return not re.search(r"Network\(|Residual|Formula|Function|Latent|lambda", repr(network))


FORMS = {
    ("from a row to a row", "torch"): "channels of the picture that a row becomes stand first there",
    ("Reshape 0", "torch"): "as above",
    ("Scale 0", "torch"): "an array of equal numbers is one number there",
    ("Scale 0", "keras"): "one factor and one summand",
}
"""Where other layers come back, which compute the same; docs/pytorch.md and docs/keras.md say so."""


def there(network, learned, peer):
    """The network as an object of theirs; skips what they lack."""
    try:
        return (cr.to_torch if peer == "torch" else cr.to_keras)(network, learned)
    except OptionError as error:
        if re.search(r", in (PyTorch|Keras): |several inputs|as another library's object", str(error)) or (
            "differs" in str(error) and (peer, keras.backend.backend()) == ("keras", "torch") and "AveragePool" in repr(network)
        ):
            # PyTorch behind Keras counts what it puts around into an average.
            pytest.skip(str(error).splitlines()[0])
        raise


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("frozen", [False, True], ids=["", "frozen"])
@pytest.mark.parametrize("peer", ["torch", "keras"])
@pytest.mark.parametrize("name", NETWORKS)
def test_what_goes_there_comes_back(name, peer, frozen):
    network = NETWORKS[name]
    if frozen:
        network = cr.Sequential(cr.Frozen(network), input_shape=network.input_shape)
    learned = values(network)
    made = there(network, learned, peer)
    if peer == "torch":
        x = given_to(network)
        x = np.moveaxis(x, -1, 1) if channels_first(cr.nn.Export(network, network.input_shape))[0] else x
        is_id = any(isinstance(item, nn.Embedding) for item in made.modules())
        back, found = cr.from_torch(made, torch.as_tensor(x).long() if is_id else torch.as_tensor(x))
    else:
        back, found = cr.from_keras(made)
    # That both compute the same, at inference and in training, from_torch and from_keras see to themselves.
    kept = {"torch": np.float64, "keras": np.float32}[peer]
    bits = [Counter((each.shape, each.astype(kept).tobytes()) for each in values.values()) for values in (learned, found)]
    assert bits[0] == bits[1]
    if is_chain(network):
        assert (held(back, peer) == held(network, peer)) == ((name, peer) not in FORMS)
    else:
        assert nodes(back) == nodes(network)
    assert bool(build_network(back, back.input_shape).parameters) == bool(
        build_network(network, network.input_shape).parameters
    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["numbers", "softmax", "logits", "one sigmoid", "norms", "bounded numbers"])
def test_runs_take_the_users_units_there(name):
    run = run_of(name)
    x = run.data.train.x[:5]
    given = np.moveaxis(x, -1, 1) if x.ndim > 2 else x
    with torch.no_grad():
        in_torch = cr.to_torch(run)(torch.from_numpy(np.ascontiguousarray(given, dtype=np.float32))).numpy()
    in_keras = np.asarray(keras.ops.convert_to_numpy(cr.to_keras(run)(x.astype(float))))
    ours = run.predict(x)
    # All three compute in float32, PyTorch from float32 inputs. An output near 0 is a difference of larger numbers, so that what rounding
    # leaves is told by the largest output.
    for found in (in_torch, in_keras):
        np.testing.assert_allclose(found, ours, rtol=0, atol=1e-6 * np.abs(ours).max())


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1, self.b = nn.Conv2d(3, 4, 3, padding=1, stride=2, bias=False), nn.BatchNorm2d(4)
        self.c2, self.fc = nn.Conv2d(4, 4, 3, padding=1), nn.Linear(4, 2)

    def forward(self, x):
        x = F.relu(self.b(self.c1(x)))
        x = x + F.relu(self.c2(x))
        return F.log_softmax(self.fc(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1)), dim=1)


class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2, self.fc1, self.fc2 = (
            nn.Conv2d(1, 6, 5),
            nn.Conv2d(6, 16, 5),
            nn.Linear(256, 20),
            nn.Linear(20, 10),
        )

    def forward(self, x):
        x = F.max_pool2d(torch.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), (2, 2)).view(-1, 256)
        return self.fc2(F.relu(self.fc1(x)))


class Reader(nn.Module):
    def __init__(self, kind, how, **options):
        super().__init__()
        self.embedding, self.memory, self.out = nn.Embedding(7, 3), kind(3, 5, batch_first=True, **options), nn.Linear(5, 2)
        self.how = how

    def forward(self, x):
        every, last = self.memory(self.embedding(x))
        return self.out({"every": every, "last": every[:, -1]}[self.how] if self.how != "state" else last[-1])


MODULES = {
    "nested": (nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Dropout(0.2), nn.Sequential(nn.Linear(5, 3), nn.Softmax(1))), (4,)),
    "lenet": (LeNet(), (1, 28, 28)), "residual": (Residual(), (3, 8, 8)), "norm": (nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5)), (4,)),
    "gru": (Reader(nn.GRU, "state"), (6,)), "gru of two": (Reader(nn.GRU, "state", num_layers=2), (6,)),
    "in a line": (nn.Sequential(nn.Conv1d(2, 4, 3, padding="same"), nn.MaxPool1d(2), nn.Flatten(), nn.Linear(12, 2)), (2, 6)),
    "larger": (nn.Sequential(nn.Linear(4, 8), nn.Unflatten(1, (2, 2, 2)), nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1)), (4,)),
    "along time": (nn.Sequential(nn.Linear(4, 5), nn.LayerNorm(5), nn.Linear(5, 2)), (3, 4)),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MODULES)
def test_modules_become_networks_that_train_on(name):
    module, shape = MODULES[name]
    network, found = cr.from_torch(module, input_shape=shape)
    assert all(np.isfinite(value).all() for value in found.values())
    assert build_network(network, network.input_shape).parameters.keys() <= found.keys()


def test_a_module_that_is_unlike_is_refused_by_its_name():
    module = nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.PReLU()))
    with pytest.raises(OptionError, match=r"1\.0 \(PReLU\) of Sequential"):
        cr.from_torch(module, input_shape=(4,))


def test_a_module_goes_on_learning_here():
    module = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 2)).double()
    network, found = cr.from_torch(module, input_shape=(4,))
    run = cr.fit(network, NUMBERS, epochs=0, initial=found, dtype="float64", engine="reference")
    for name, value in run.parameters().items():
        np.testing.assert_array_equal(value, found[name])


@pytest.mark.filterwarnings("ignore")
def test_functional_models_of_keras():
    layers = keras.layers
    given = keras.Input((8, 8, 3))
    x = layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same", strides=2, activation="relu")(given))
    x = layers.Concatenate()([layers.Add()([x, layers.Conv2D(4, 1)(x)]), x])
    model = keras.Model(given, layers.Dense(2, activation="softmax")(layers.GlobalAveragePooling2D()(x)))
    before = model.get_weights()
    cr.from_keras(model)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    shared, inner = layers.Dense(4), keras.Sequential([keras.Input((4,)), layers.Dense(4, activation="selu")])
    given = keras.Input((4,))
    cr.from_keras(keras.Model(given, layers.Dense(1)(shared(inner(shared(given))))))
    given = keras.Input((4, 3))
    unlike = keras.Model(given, layers.MultiHeadAttention(1, 2)(given, given))
    with pytest.raises(OptionError, match="MultiHeadAttention"):
        cr.from_keras(unlike)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("peer", ["torch", "keras"])
@pytest.mark.parametrize("shape", [(3,), (6, 5, 2)], ids=["rows", "pictures"])
def test_runs_with_their_scalings_come_back_and_go_there_again(shape, peer):
    x = RANDOM.normal(50.0, 7.0, (30, *shape))
    inner = [cr.Conv2D(3, 2, "relu"), cr.BatchNorm(), cr.Flatten()] if len(shape) > 1 else [cr.Dense(4, "tanh")]
    run = cr.fit(cr.Sequential(*inner, cr.Dense(2)), (x, RANDOM.normal(300.0, 20.0, (30, 2))), epochs=3)
    there, back = (cr.to_torch, cr.from_torch) if peer == "torch" else (cr.to_keras, cr.from_keras)
    given = np.ascontiguousarray(np.moveaxis(x[:5], -1, 1)) if peer == "torch" and len(shape) > 1 else x[:5]
    network, learned = back(there(run), given)
    again = back(there(network, learned, input_shape=shape) if peer == "torch" else there(network, learned), given)
    for layer, arrays in ((network, learned), again):
        built = build_network(layer, shape, batch=5)
        known = {item.node: arrays[name].astype(float) for name, item in (*built.parameters.items(), *built.states.items())}
        found = cr.compute([built.output], {**known, built.input: x[:5]})[0]
        np.testing.assert_allclose(found, run.predict(x[:5]), rtol=1e-5)


# ---- what is frozen, shared, or taken of both directions


class Shared(nn.Module):
    def __init__(self, kind="linear"):
        super().__init__()
        self.a, self.b, self.kind = nn.Linear(3, 3), nn.Linear(3, 2), kind
        if kind == "tied":
            self.c = nn.Linear(3, 3)
            self.c.weight = self.a.weight

    def forward(self, x):
        if self.kind == "beside":
            h = self.a(x)
            return self.b(h + torch.relu(h))
        return self.b(torch.tanh((self.c if self.kind == "tied" else self.a)(torch.tanh(self.a(x)))))


class BothEnds(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.memory, self.out, self.kind = kind(3, 4, batch_first=True, bidirectional=True), nn.Linear(8, 2), kind

    def forward(self, x):
        state = self.memory(x)[1]
        state = state[0] if self.kind is nn.LSTM else state
        return self.out(torch.cat((state[-2], state[-1]), dim=1))


def test_a_module_that_is_used_twice_is_one_layer():
    network, found = cr.from_torch(Shared(), input_shape=(3,))
    assert network.layers[0] is network.layers[1]  # each with the function behind it
    assert {name: value.shape for name, value in found.items() if "W" in name} == {"dense1.W": (3, 3), "dense2.W": (3, 2)}
    cr.from_torch(Shared("beside"), input_shape=(3,))
    with pytest.raises(OptionError, match=r"c\.weight of Shared, which is a\.weight too"):
        cr.from_torch(Shared("tied"), input_shape=(3,))


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
def test_the_last_states_of_both_directions(kind):
    network, _ = cr.from_torch(BothEnds(kind), input_shape=(5, 3))
    assert isinstance(network.layers[0], cr.Bidirectional)


def test_single_modules_and_what_is_none():
    for module in (nn.Linear(3, 2), nn.Linear(3, 2).half(), nn.LazyLinear(2)):
        assert cr.from_torch(module, input_shape=(3,)).network.layers == (cr.Dense(2),)
    with pytest.raises(OptionTypeError, match=r"a torch\.nn\.Module"):
        cr.from_torch({"weight": 1}, input_shape=(3,))


@pytest.mark.filterwarnings("ignore")
def test_what_requires_no_gradient_is_frozen_and_goes_back_so():
    module = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 2))
    for parameter in module[:2].parameters():
        parameter.requires_grad_(False)
    network, found = cr.from_torch(module.train(), input_shape=(4,))
    assert network.layers == (cr.Frozen(cr.Dense(5), cr.BatchNorm()), cr.Activation("tanh"), cr.Dense(2))
    run = cr.fit(network, NUMBERS, initial=(network, found), epochs=2)
    for name in ("dense1.W", "batch_norm1.mean", "batch_norm1.gain"):
        np.testing.assert_array_equal((run.parameters() | run.states())[name], found[name].astype(np.float32))
    again = cr.to_torch(run)
    assert [parameter.requires_grad for parameter in again.parameters()] == [False] * 4 + [True] * 2
    x = torch.randn(9, 4)
    before = again(x).detach()
    again.train()(x * 50)  # statistics that would follow do not
    torch.testing.assert_close(again.eval()(x), before)
    module[0].bias.requires_grad_(True)
    with pytest.raises(OptionError, match="some require a gradient and some do not"):
        cr.from_torch(module, input_shape=(4,))


@pytest.mark.filterwarnings("ignore")
def test_what_is_not_trainable_in_keras_is_frozen_and_goes_back_so():
    layers = keras.layers
    base = keras.Sequential([keras.Input((4,)), layers.Dense(5, activation="relu"), layers.BatchNormalization()])
    base.trainable = False
    given = keras.Input((4,))
    shared = layers.Dense(5, activation="tanh")
    model = keras.Model(given, layers.Dense(2)(shared(shared(base(given)))))
    network, found = cr.from_keras(model)
    frozen, first, second, last = network.layers
    assert isinstance(frozen, cr.Frozen)
    assert first is second
    assert isinstance(last, cr.Dense)
    run = cr.fit(cr.Sequential(frozen, last, input_shape=(4,)), NUMBERS, initial=(network, found), epochs=1)
    np.testing.assert_array_equal(run.parameters()["dense1.W"], found["dense1.W"])
    again = cr.to_keras(run)
    assert [layer.trainable for layer in again.layers if layer.weights] == [False, False, True]


def test_the_units_that_a_module_takes_are_kept():
    module = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 2))
    imported = cr.from_torch(module, input_shape=(4,))
    run = cr.fit(imported.network, NUMBERS, initial=imported, epochs=0)
    x = NUMBERS.train.x[:5]
    np.testing.assert_allclose(
        run.predict(x), module(torch.tensor(x, dtype=torch.float32)).detach().numpy(), rtol=1e-5, atol=1e-6
    )
