"""JSON and Python code of a network: both come back equal, sharing included; files from elsewhere are refused with words."""

import copy
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chainrule as cr
from chainrule import nn
from chainrule.descriptions import DEEPEST, descriptions
from chainrule.errors import FileFormatError, OptionError
from chainrule.nn import (
    ACTIVATIONS,
    Activation,
    AveragePool,
    Constant,
    Conv1D,
    Conv2D,
    ConvTranspose1D,
    ConvTranspose2D,
    Dense,
    Dropout,
    Flatten,
    Formula,
    Function,
    GaussianNoise,
    GlobalAveragePool,
    GlobalMaxPool,
    GlorotNormal,
    GroupNorm,
    HeUniform,
    Latent,
    LayerNorm,
    LeCunNormal,
    MaxPool,
    Network,
    Normal,
    Reshape,
    Residual,
    Sequential,
    Uniform,
    UpSample,
    build_network,
    from_json,
    parse_network,
    to_code,
    to_json,
)
from chainrule.nn.structure import is_layer

FULL = Sequential(
    Flatten(name="rows"),
    Dense(16, "relu", weights=HeUniform(), biases=Constant(0.1), name="first"),
    Dropout(0.25, name="with.dots"),
    Formula(
        "β(W·i + b)", {"W": (8, 16), "b": (8,)}, {"β": "tanh"}, {"W": LeCunNormal(), "b": Normal(0.0, 0.01)}, name="formula"
    ),
    Sequential(Dense(4, bias=False, weights=Uniform(-1e-5, 1.0)), Activation("softplus", name="bent")),
    Dense(4),
    Latent(2.0, name="code"),
    Dense(3, "softmax", weights=GlorotNormal()),
    input_shape=(4, 4),
)


def through_file(given_network):
    return from_json(json.loads(json.dumps(to_json(given_network), allow_nan=False)))


def evaluated(code):
    return eval(code, {"cr": cr})


LAYERS = [kind for kind in descriptions().values() if kind.__module__.startswith("chainrule.nn.") and is_layer(kind)]
INITIALISERS = [kind for kind in descriptions().values() if kind.__module__ == "chainrule.nn.initialisers"]


def test_every_kind_is_offered():
    assert {"Dense", "Sequential", "Formula", "Function", "L2"} <= {kind.__name__ for kind in LAYERS}
    for kind in (*LAYERS, *INITIALISERS):
        assert getattr(nn, kind.__name__) is kind
        assert getattr(cr, kind.__name__) is kind


@pytest.mark.parametrize("kind", INITIALISERS)
def test_every_initialiser_comes_back(kind):
    given_network = Sequential(Dense(2, weights=kind(0.5) if kind is Constant else kind()))
    assert through_file(given_network) == given_network
    assert evaluated(to_code(given_network)) == given_network


def test_a_full_network_comes_back():
    assert through_file(FULL) == FULL
    assert evaluated(to_code(FULL)) == FULL


PICTURES = Sequential(
    Reshape((8, 8, 1), name="picture"),
    Conv2D(4, (3, 2), "relu", stride=(1, 2), dilation=2, padding="periodic", weights=HeUniform(), name="eyes"),
    Residual(Conv2D(4, 3, padding="same", groups=2, bias=False), GroupNorm(2), Activation("relu"), name="around"),
    GaussianNoise(0.5),
    cr.RandomShift(2),
    cr.RandomFlip("both", name="mirror"),
    cr.RandomRotation(15.0),
    cr.RandomBrightness(0.1),
    MaxPool((2, 1), stride=1),
    UpSample((1, 2)),
    AveragePool(2, padding="same"),
    ConvTranspose2D(2, 2, "tanh", stride=2, groups=2, padding="same", biases=Constant(0.1)),
    Residual(Residual(LayerNorm(1e-3, gains=Constant(0.5)))),
    GlobalAveragePool(),
    Reshape((2, 1)),
    ConvTranspose1D(2, 3, stride=2, dilation=2),
    Conv1D(3, 1, "sigmoid", groups=1, padding="reflect"),
    GlobalMaxPool("all"),
    input_shape=(64,),
)


def test_a_network_of_pictures_comes_back():
    assert through_file(PICTURES) == PICTURES
    assert evaluated(to_code(PICTURES)) == PICTURES
    assert build_network(PICTURES, (64,)).output.shape == (1, 3)


def test_a_layer_shared_between_residuals_stays_shared():
    shared = Dense(4)
    given_network = Sequential(Residual(shared), Residual(shared))
    for again in (through_file(given_network), evaluated(to_code(given_network))):
        assert again.layers[0].layers[0] is again.layers[1].layers[0]


def test_json_writes_every_field_out():
    assert to_json(Sequential(Dense(3))) == {
        "format": "chainrule network",
        "version": 1,
        "network": {
            "kind": "Sequential",
            "layers": [
                {
                    "kind": "Dense", "units": 3, "activation": "linear", "bias": True, "weights": None,
                    "biases": {"kind": "Zeros"}, "name": "",
                }
            ],
            "input_shape": None,
        },
    }  # fmt: skip


def test_three_views_of_one_object():
    seen = parse_network("784-16-16-10 relu softmax")
    code = to_code(seen)
    assert code == (
        'cr.Sequential(\n    cr.Dense(16, "relu"),\n    cr.Dense(16, "relu"),\n    cr.Dense(10, "softmax"),\n'
        "    input_shape=(784,),\n)"
    )
    assert evaluated(code) == through_file(seen) == seen


def test_shared_layers_stay_shared():
    shared, box = Dense(4, "tanh"), Sequential(Dense(4))
    given_network = Sequential(shared, Dense(4), shared, box, box)
    count = build_network(given_network, (4,)).parameter_count
    assert count == 3 * 20
    for again in (through_file(given_network), evaluated(to_code(given_network))):
        assert again == given_network
        assert again.layers[0] is again.layers[2]
        assert again.layers[3] is again.layers[4]
        assert build_network(again, (4,)).parameter_count == count
    apart = Sequential(Dense(4), Dense(4))
    assert through_file(apart).layers[0] is not through_file(apart).layers[1]


def test_layers_alone():
    for layer in (Dense(3), Formula("x^2"), Sequential()):
        assert through_file(layer) == layer
        assert evaluated(to_code(layer)) == layer


def test_numpy_numbers_are_written_plainly():
    layer = Dropout(np.float64(0.25))
    assert to_code(layer) == "cr.Dropout(0.25)"
    assert json.dumps(to_json(layer))


NAMES = st.sampled_from(["", "a", "layer_β", "x.y"])
STARTS = st.one_of(
    st.builds(Constant, st.floats(-1e300, 1e300)),
    st.builds(Normal, st.floats(-9, 9), st.floats(0, 9)),
    st.builds(Uniform, st.floats(-9, 0), st.floats(0, 9)),
    st.builds(HeUniform),
)
ONE = st.one_of(
    st.builds(
        Dense, st.integers(1, 99), st.sampled_from(sorted(ACTIVATIONS)), st.booleans(), st.none() | STARTS, STARTS, NAMES
    ),
    st.builds(Dropout, st.floats(0, 0.99), NAMES),
    st.builds(Activation, st.sampled_from(sorted(ACTIVATIONS)), NAMES),
    st.builds(Flatten, NAMES),
    st.builds(Formula, st.sampled_from(["x * sigmoid(x)", "f(i) = i² + 1"])),
)
NETWORKS = st.recursive(
    st.lists(ONE, max_size=4).map(lambda layers: Sequential(*layers)),
    lambda inner: st.lists(inner | ONE, max_size=3).map(lambda layers: Sequential(*layers, input_shape=(3,))),
    max_leaves=4,
)


@settings(deadline=None, derandomize=True)
@given(NETWORKS)
def test_round_trips(given_network):
    assert through_file(given_network) == given_network
    assert evaluated(to_code(given_network)) == given_network


class Own:
    def __call__(self, x):
        return x


@pytest.mark.parametrize(
    "layer",
    [
        Function(abs),
        Network(lambda x: x, {"x": (2,)}),
        Own(),
        Sequential(lambda x: x),
        Dense(2, weights=lambda key, shape: key),
    ],
)
def test_code_cannot_be_saved(layer):
    for write in (to_json, to_code):
        with pytest.raises(OptionError, match="build the network again in code and pass it"):
            write(Sequential(layer))
        with pytest.raises(OptionError, match=r"made of Python code|a layer"):
            write(layer if not isinstance(layer, Dense) else HeUniform())


# ---- files from elsewhere


def changed(path, value):
    document = copy.deepcopy(to_json(FULL))
    place = document
    for key in path[:-1]:
        place = place[key]
    if value is KeyError:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return document


FIRST = ("network", "layers", 1)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("version",), 2, "version 2"),
        (("version",), "1", "version '1'"),
        (("version",), True, "version True"),
        (("format",), "keras", "format"),
        (("extra",), 1, "extra"),
        (("network",), None, "a layer"),
        (("network",), [], "a layer"),
        (("network", "layers"), {}, "names its kind"),
        (("network", "input_shape"), [0], "1 or more"),
        (("network", "input_shape"), "784", "a list"),
        ((*FIRST, "kind"), "Dens", "did you mean 'Dense'"),
        ((*FIRST, "kind"), "HeNormal", "HeNormal in the file: unknown or missing activation"),
        (FIRST, {"kind": "HeNormal"}, "layers=HeNormal() in Sequential"),
        (FIRST, {"kind": "SquaredError"}, "layers=SquaredError() in Sequential"),
        ((*FIRST, "kind"), "os.system", "system, a class of the module os, which is not defined here"),
        ((*FIRST, "kind"), "os system", "the kind 'os system'"),
        ((*FIRST, "kind"), 3, "the kind 3"),
        ((*FIRST, "unit"), 3, "unknown or missing unit"),
        ((*FIRST, "units"), KeyError, "unknown or missing units"),
        ((*FIRST, "units"), "3", "a whole number"),
        ((*FIRST, "units"), True, "a whole number"),
        ((*FIRST, "units"), -3, "a whole number"),
        ((*FIRST, "bias"), "no", "True or False"),
        ((*FIRST, "activation"), "sigmiod", "did you mean 'sigmoid'"),
        ((*FIRST, "weights"), {"kind": "Flatten"}, "weights=Flatten() in Dense"),
        ((*FIRST, "biases"), None, "an initialiser"),
        ((*FIRST, "biases"), {"kind": "Normal", "mean": 0, "std": -1}, "std=-1"),
        ((*FIRST, "biases"), {"kind": "Constant", "value": float("nan")}, "a finite number"),
        (("network", "layers", 2, "rate"), 1.5, "rate=1.5 in Dropout"),
        (("network", "layers", 3, "text"), "x.__class__", "reaches inside"),
        (("network", "layers", 3, "text"), 3, "a text"),
        (("network", "layers", 3, "parameters"), [], "names with their values"),
        (("network", "layers", 0), {"kind": "Shared", "layer": 0}, "an earlier layer"),
        (("network", "layers", 0), {"kind": "Shared", "layer": 99}, "an earlier layer"),
        (("network", "layers", 0), {"kind": "Shared", "layer": "1"}, "an earlier layer"),
    ],
)
def test_files_that_are_refused(path, value, words):
    with pytest.raises(FileFormatError) as caught:
        from_json(changed(path, value))
    assert words in str(caught.value)


def test_odd_documents():
    for wrong in (None, [], "network", {}, {"format": "chainrule network"}):
        with pytest.raises(FileFormatError):
            from_json(wrong)


def test_depth_is_bounded():
    deep = Sequential()
    for _ in range(DEEPEST - 1):
        deep = Sequential(deep)
    assert through_file(deep) == deep
    with pytest.raises(OptionError, match="levels deep"):
        to_json(Sequential(deep))
    document = to_json(deep)
    for _ in range(2000):
        document["network"] = {"kind": "Sequential", "layers": [document["network"]], "input_shape": None}
    with pytest.raises(FileFormatError, match="levels"):
        from_json(document)
