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
from tests.external.gradients import rounding
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
    return not re.search(r"Network\(|GraphLayer|Residual|Formula|Function|Latent|lambda", repr(network))


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
    module = nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.Threshold(0.1, 20.0)))
    with pytest.raises(OptionError, match=r"1\.0 \(Threshold\) of Sequential"):
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
    unlike = keras.Model(given, layers.AdditiveAttention()([given, given]))
    with pytest.raises(OptionError, match="AdditiveAttention"):
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


# ---- what people bring: there and back, trained on, and as everything else


class Block(nn.Module):
    """The block of a ResNet, made smaller."""

    def __init__(self, given, made, stride=1):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(given, made, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(made)
        self.conv2, self.bn2 = nn.Conv2d(made, made, 3, padding=1, bias=False), nn.BatchNorm2d(made)
        self.relu = nn.ReLU(inplace=True)
        self.down = nn.Sequential(nn.Conv2d(given, made, 1, stride), nn.BatchNorm2d(made)) if given != made else None

    def forward(self, x):
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        out += x if self.down is None else self.down(x)
        return self.relu(out)


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down, self.middle = nn.Conv2d(1, 3, 3, padding=1), nn.Conv2d(3, 4, 3, padding=1)
        self.up, self.out = nn.ConvTranspose2d(4, 3, 2, stride=2), nn.Conv2d(6, 1, 1)

    def forward(self, x):
        first = F.relu(self.down(x))
        again = self.up(F.relu(self.middle(F.max_pool2d(first, 2))))
        return torch.sigmoid(self.out(torch.cat([first, again], dim=1))).flatten(1)


class Siamese(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.out = nn.Sequential(nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 4)), nn.Linear(4, 1)

    def forward(self, one, other):
        return torch.sigmoid(self.out(torch.abs(self.encoder(one) - self.encoder(other))))


class Heads(nn.Module):
    def __init__(self, by_name):
        super().__init__()
        self.body, self.policy, self.value, self.by_name = nn.Linear(4, 8), nn.Linear(8, 3), nn.Linear(8, 1), by_name

    def forward(self, x):
        h = torch.tanh(self.body(x))
        found = {"policy": F.softmax(self.policy(h), dim=-1), "value": self.value(h)}
        return found if self.by_name else tuple(found.values())


class Pinn(nn.Module):
    """u(x, t), 0 at both walls."""

    def __init__(self):
        super().__init__()
        self.l1, self.l2, self.l3 = nn.Linear(2, 8), nn.Linear(8, 8), nn.Linear(8, 1)

    def forward(self, x, t):
        h = torch.tanh(self.l2(torch.sin(self.l1(torch.cat([x, t], dim=1))))) ** 2
        return x * (1 - x) * self.l3(h)


class Squeezed(nn.Module):
    """A picture's channels, weighed by what they are on average."""

    def __init__(self):
        super().__init__()
        self.conv, self.gate, self.out = nn.Conv2d(2, 4, 3, padding=1), nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x):
        h = F.silu(self.conv(x))
        w = torch.sigmoid(self.gate(h.mean(dim=(2, 3)))).view(-1, 4, 1, 1)
        return self.out((h * w).mean(dim=(2, 3)))


class Gated(nn.Module):
    def __init__(self):
        super().__init__()
        self.both, self.norm, self.out = nn.Linear(3, 8), nn.LayerNorm(4, elementwise_affine=False), nn.Linear(4, 1)
        self.register_buffer("mean", torch.tensor([1.0, 2.0, 3.0]))
        self.register_buffer("deviation", torch.tensor([2.0, 0.5, 1.5]))

    def forward(self, x):
        a, b = self.both(((x - self.mean) / self.deviation).clamp(min=-1, max=2.0)).chunk(2, dim=-1)
        return self.out(self.norm(a + 0.1 * a * torch.sigmoid(b))).squeeze(-1)


class Rates(nn.Module):
    """Counts to be expected: a function that is no module there stands twice, behind linear ones."""

    def __init__(self):
        super().__init__()
        self.hidden, self.out = nn.Linear(3, 4), nn.Linear(4, 2)

    def forward(self, x):
        return torch.exp(self.out(self.hidden(x).exp().clamp(max=3.0)))


class Added(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return x + self.inner(x)


class Packed(nn.Module):
    def __init__(self):
        super().__init__()
        self.memory, self.out = nn.LSTM(3, 5, batch_first=True), nn.Linear(5, 2)

    def forward(self, x, lengths):
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return self.out(self.memory(packed)[1][0][-1])


def drawn(*shapes):
    torch.manual_seed(0)
    found = tuple(torch.randn(6, *shape) for shape in shapes)
    return found[0] if len(found) == 1 else found


resnet = nn.Sequential(
    nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), Block(4, 4), Block(4, 6, 2), nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(),
    nn.Linear(6, 2),
)  # fmt: skip
BROUGHT = {
    "resnet": (resnet, drawn((3, 8, 8))), "u-net": (UNet(), drawn((1, 8, 8))), "siamese": (Siamese(), drawn((3,), (3,))),
    "heads": (Heads(by_name=False), drawn((4,))), "heads by name": (Heads(by_name=True), drawn((4,))),
    "equation": (Pinn(), drawn((1,), (1,))), "squeeze and excite": (Squeezed(), drawn((2, 4, 4))), "gated": (Gated(), drawn((3,))),
    "rates": (Rates(), drawn((3,))),
    "double": (nn.Linear(3, 2).double(), drawn((3,)).double()),
    "statistics alone": (nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4, affine=False), nn.Linear(4, 2)), drawn((3,))),
    "instances": (nn.Sequential(nn.Conv2d(2, 4, 3), nn.InstanceNorm2d(4), nn.Flatten(), nn.Linear(36, 2)), drawn((2, 5, 5))),
    "no biases": (Reader(nn.LSTM, "last", bias=False), torch.randint(0, 7, (6, 5))),
}  # fmt: skip


def columns(x):
    """What our network, and the module that it becomes, take for the inputs of a module of rows."""
    return torch.cat(x, dim=1) if isinstance(x, tuple) else x


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("mode", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("name", BROUGHT)
def test_what_people_bring_comes_goes_and_learns(name, mode):
    module, x = BROUGHT[name]
    module.train(mode)
    before = {key: value.clone() for key, value in module.state_dict().items()}
    network, found = imported = cr.from_torch(module, x)
    assert module.training is mode
    assert all(torch.equal(before[key], value) for key, value in module.state_dict().items())
    there = cr.to_torch(network, found)
    weights = [
        Counter((tuple(each.shape), each.detach().numpy().tobytes()) for each in one.parameters()) for one in (module, there)
    ]
    assert weights[0] == weights[1]
    given = columns(x)
    assert nodes(cr.from_torch(there, given).network) == nodes(network)
    ours = given.numpy() if given.ndim < 4 else given.permute(0, 2, 3, 1).numpy()
    y = RANDOM.normal(size=(6, *build_network(network, network.input_shape).output.shape[1:]))
    dtype = "float64" if given.dtype == torch.float64 else "float32"
    run = cr.fit(network, (ours, y), loss="mean_squared_error", initial=imported, epochs=2, batch_size=5, dtype=dtype)
    with torch.no_grad():
        trained = cr.to_torch(run)(given).numpy().reshape(6, -1)
    np.testing.assert_allclose(trained, run.predict(ours), rtol=0, atol=1e-6 * np.abs(run.predict(ours)).max())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["heads", "squeeze and excite"])
def test_a_run_that_was_opened_again_goes_there_too(name, tmp_path):
    module, x = BROUGHT[name]
    network, _ = imported = cr.from_torch(module, x)
    ours = x.numpy() if x.ndim < 4 else x.permute(0, 2, 3, 1).numpy()
    y = RANDOM.normal(size=(6, *build_network(network, network.input_shape).output.shape[1:]))
    run = cr.fit(network, (ours, y), loss="mean_squared_error", initial=imported, epochs=2, batch_size=5, folder=tmp_path)
    opened = cr.open_run(run.folder)
    with torch.no_grad():
        there = cr.to_torch(opened)(x).numpy()
    np.testing.assert_allclose(there, run.predict(ours), rtol=0, atol=1e-6 * np.abs(run.predict(ours)).max())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [name for name in BROUGHT if name != "no biases"])
def test_gradients_there_are_ours(name):
    module, x = BROUGHT[name]
    network, found = cr.from_torch(module.eval(), x)
    found = {key: value.astype(float) for key, value in found.items()}
    there, given = cr.to_torch(network, found), columns(x).double()
    output = there(given)
    pulls = np.cos(np.arange(output.numel())).reshape(output.shape)
    (output * torch.from_numpy(pulls)).sum().backward()
    arrays = {key: np.zeros(value.shape) for key, value in there.state_dict().items()}
    arrays |= {key: value.grad.numpy() for key, value in there.named_parameters()}
    theirs = cr.nn.from_peer(network, arrays, "pytorch")
    ours = given.numpy() if given.ndim < 4 else given.permute(0, 2, 3, 1).numpy()
    built = build_network(network, ours.shape[1:], batch=6)
    leaves = {key: item.node for key, item in (*built.parameters.items(), *built.states.items())}
    wrt = {key: item.node for key, item in built.parameters.items()}
    slopes = cr.grad(cr.ops.sum(built.output * cr.constant(pulls.reshape(built.output.shape))), list(wrt.values()))
    mine = cr.compute(slopes, {leaf: found[key] for key, leaf in leaves.items()} | {built.input: ours})
    for key, slope in zip(wrt, mine, strict=True):
        np.testing.assert_allclose(theirs[key], slope, rtol=1e-9, atol=1e-12)


@pytest.mark.filterwarnings("ignore")
def test_blocks_become_residual_connections():
    network, _ = cr.from_torch(
        nn.Sequential(nn.Linear(3, 4), Added(nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4)))), input_shape=(3,)
    )
    assert network.layers == (cr.Dense(4), cr.Residual(cr.Dense(4, "tanh"), cr.Dense(4)))
    assert "return x1 + x2" in cr.nn.to_code(network, "pytorch")


REFUSED = {
    "packed": (Packed(), (torch.randn(4, 6, 3), torch.tensor([6, 3, 2, 5])), "packs sequences of several lengths"),
    "attention": (nn.Sequential(nn.TransformerEncoderLayer(4, 2)), torch.randn(4, 5, 4), "batch_first=False"),
    "weight norm": (nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(3, 4))), drawn((3,)), "computed of others before"),
    "spectral norm": (nn.Sequential(nn.utils.spectral_norm(nn.Linear(3, 4))), drawn((3,)), "computed of others before"),
    "of the batch": (nn.Sequential(nn.BatchNorm1d(3, track_running_stats=False)), drawn((3,)), "not followed by a momentum"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_unlike_is_refused_in_words(name):
    module, x, words = REFUSED[name]
    with pytest.raises(OptionError, match=words):
        cr.from_torch(module, x)


def models():
    """Keras' models as people write them, by name."""
    layers, given = keras.layers, lambda *shape, **how: keras.Input(shape, **how)
    x = given(8, 8, 3)
    h = layers.BatchNormalization(scale=False)(layers.Conv2D(4, 3, padding="same", activation="relu")(x))
    h = layers.Add()([h, layers.Conv2D(4, 3, padding="same")(h)])
    h = layers.add([layers.Conv2D(6, 1, strides=2)(h), layers.Conv2D(6, 3, strides=2)(layers.ZeroPadding2D(1)(h))])
    yield "resnet", keras.Model(x, layers.Dense(2)(layers.GlobalAveragePooling2D()(h)))
    encoder = keras.Sequential([given(3), layers.Dense(6, "relu"), layers.Dense(4)])
    one, other = given(3, name="one"), given(3, name="other")
    yield "siamese", keras.Model([one, other], layers.Dense(1)(keras.ops.abs(encoder(one) - encoder(other))))
    yield "siamese by name", keras.Model({"one": one, "other": other}, layers.Average()([encoder(one), encoder(other)]))
    x = given(4)
    h = layers.Dense(8, "tanh")(x)
    yield "heads", keras.Model(x, {"policy": layers.Dense(3, "softmax")(h), "value": layers.Dense(1)(h)})
    x, t = given(1), given(1)
    h = keras.ops.tanh(layers.Dense(8)(keras.ops.sin(layers.Dense(8)(layers.Concatenate()([x, t]))))) ** 2
    yield "equation", keras.Model([x, t], x * (1 - x) * layers.Dense(1)(h))
    yield (
        "causal",
        keras.Sequential([given(12, 2), layers.Conv1D(4, 3, padding="causal"), layers.GlobalMaxPooling1D(), layers.Dense(2)]),
    )
    x = given(4, 4, 2)
    h = layers.Conv2D(4, 3, padding="same")(x)
    w = layers.Dense(4, "sigmoid")(layers.GlobalAveragePooling2D(keepdims=True)(h))
    yield "squeeze and excite", keras.Model(x, layers.Dense(2)(layers.GlobalAveragePooling2D()(h * w)))
    yield (
        "each step",
        keras.Sequential(
            [
                given(5, 4),
                layers.TimeDistributed(layers.Dense(3, "tanh")),
                layers.Permute((2, 1)),
                layers.GRU(2, use_bias=False),
            ]
        ),
    )


MODELS = dict(models())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MODELS)
def test_models_come_go_and_learn(name):
    model = MODELS[name]
    network, found = imported = cr.from_keras(model)
    there = cr.to_keras(network, found)
    bits = [Counter((each.shape, np.asarray(each).tobytes()) for each in one.get_weights()) for one in (model, there)]
    assert bits[0] == bits[1]
    assert nodes(cr.from_keras(there).network) == nodes(network)
    x = RANDOM.normal(size=(6, *network.input_shape))
    y = RANDOM.normal(size=(6, build_network(network, network.input_shape).output.shape[1]))
    run = cr.fit(network, (x, y), loss="mean_squared_error", initial=imported, epochs=2, batch_size=2)
    trained = np.asarray(keras.ops.convert_to_numpy(cr.to_keras(run)(x)))
    apart = np.abs(trained - run.predict(x))
    assert (apart <= rounding(network, run.parameters() | run.states(), x)).all()


@pytest.mark.filterwarnings("ignore")
def test_an_adapted_norm_is_a_scale():
    norm = keras.layers.Normalization()
    norm.adapt(RANDOM.normal(3.0, 2.0, size=(50, 4)).astype(np.float32))
    network, _ = cr.from_keras(keras.Sequential([keras.Input((4,)), norm, keras.layers.Dense(2)]))
    assert isinstance(network.layers[0], cr.nn.Scale)
    np.testing.assert_allclose(network.layers[0].offset, norm.mean.cpu().numpy().reshape(-1), rtol=1e-6)


@pytest.mark.filterwarnings("ignore")
def test_masks_are_steps_that_are_passed_over():
    model = keras.Sequential([keras.Input((6, 3)), keras.layers.Masking(0.0), keras.layers.LSTM(5)])
    network, found = cr.from_keras(model)
    assert network.layers == (cr.LSTM(5, padding=0.0),)
    assert [type(layer).__name__ for layer in cr.to_keras(network, found).layers] == ["Masking", "LSTM"]
