"""Runs of every layer and every kind of output, which the tests write out in all formats."""

from collections.abc import Callable

import numpy as np

import chainrule as cr
from chainrule.graph import Node

RANDOM = np.random.default_rng(0)
LABELS = np.arange(24) % 3
NUMBERS = cr.data.from_arrays(RANDOM.normal(3.0, 2.0, (24, 4)), RANDOM.normal(100.0, 7.0, (24, 2)), name="numbers")
CLASSES = cr.data.from_arrays(RANDOM.normal(3.0, 2.0, (24, 4)), np.array(["ö", 'b"?', "c"])[LABELS], name='hostile "*/ name')
IMAGES = cr.data.from_arrays(RANDOM.integers(0, 256, (24, 6, 5, 2)).astype(np.uint8), LABELS, name="images")
ROWS = cr.data.from_arrays(RANDOM.normal(size=(24, 5, 3)), LABELS, name="rows")
IDS = cr.data.from_arrays(RANDOM.integers(0, 6, (24, 5)), LABELS, name="ids", scaling="none")
STATEFUL = cr.data.from_arrays(RANDOM.normal(size=(24, 5, 3)), LABELS, name="stateful", split=None)
MOONS = cr.data.moons(24)
BOUNDED = cr.data.from_arrays(RANDOM.uniform(size=(24, 4)), RANDOM.uniform(2.0, 3.0, (24, 1)), name="bounded")


def _net(*layers: Callable[..., Node]) -> cr.Sequential:
    return cr.Sequential(*layers, cr.Dense(3, "softmax"))


def _image(*layers: Callable[..., Node]) -> cr.Sequential:
    return _net(*layers, cr.Flatten())


def _wired() -> cr.Network:
    eye = cr.Dense(3, "tanh")
    return cr.Network(lambda x: cr.Dense(2)(eye(cr.Dense(3)(x)) * eye(eye(x[:, :3]))), inputs={"x": (4,)})


FUNCTIONS = tuple(name for name in cr.nn.ACTIVATIONS if name != "step")  # no gradient passes that one
CASES: dict[str, tuple[object, cr.data.Dataset, object]] = {
    "numbers": (cr.Sequential(cr.Dense(5, "tanh"), cr.Dense(2)), NUMBERS, None),
    "bounded numbers": (cr.Sequential(cr.Dense(5, "relu", bias=False), cr.Dense(1, "sigmoid")), BOUNDED, None),
    "softmax": (_net(cr.Dense(5, "tanh"), cr.Dropout(0.5), cr.GaussianNoise(0.5)), CLASSES, None),
    "logits": (cr.Sequential(cr.Dense(5, "tanh"), cr.Dense(3)), CLASSES, "cross_entropy_from_logits"),
    "sigmoids": (cr.Sequential(cr.Dense(3, "sigmoid")), CLASSES, "half_squared_error"),
    "hinge": (cr.Sequential(cr.Dense(3)), CLASSES, "hinge"),
    "one sigmoid": (cr.Sequential(cr.Dense(3, "tanh"), cr.Dense(1, "sigmoid")), MOONS, None),
    "one logit": (cr.Sequential(cr.Dense(3, "tanh"), cr.Dense(1)), MOONS, "binary_cross_entropy_from_logits"),
    "perceptron": (cr.Sequential(cr.Dense(1, "step")), MOONS, None),
    "functions": (_net(*(cr.Dense(4, name) for name in FUNCTIONS), *map(cr.Activation, FUNCTIONS)), CLASSES, None),
    "formula": (_net(cr.Dense(4), cr.Formula("a*arctan(x) + sin(x)^2/(1 + exp(-x)) + abs(x)", parameters={"a": (4,)})), CLASSES, None),
    "function of one's own": (_net(cr.Dense(4), cr.Function(lambda x: cr.ops.maximum(x, x * x) - cr.ops.floor(x))), CLASSES, None),
    "convolutions": (
        _image(
            cr.RandomShift(1), cr.RandomFlip(), cr.RandomRotation(9.0), cr.RandomBrightness(0.1),
            cr.Conv2D(4, 3, "relu", padding="same", stride=(2, 1)),
            cr.Conv2D(4, (2, 3), "gelu", dilation=(1, 2), padding="same", groups=2),
        ),
        IMAGES, None,
    ),
    "rings and mirrors": (
        _image(cr.Conv2D(3, (3, 2), padding="periodic"), cr.MaxPool(3, 1, padding="reflect"), cr.AveragePool(2, 2, padding="periodic")),
        IMAGES, None,
    ),
    "transposed": (_image(cr.ConvTranspose2D(3, 3, "elu", stride=2, padding="same"), cr.ConvTranspose2D(2, 2)), IMAGES, None),
    "pools": (_image(cr.MaxPool(2, 1), cr.AveragePool((2, 1)), cr.UpSample(2), cr.MaxPool(3, padding="same")), IMAGES, None),
    "one number to a channel": (_net(cr.Conv2D(3, 2), cr.GlobalAveragePool()), IMAGES, None),
    "the largest of a channel": (_net(cr.Conv2D(3, 2), cr.GlobalMaxPool()), IMAGES, None),
    "norms": (_image(cr.BatchNorm(), cr.Conv2D(4, 2), cr.GroupNorm(2), cr.LayerNorm()), IMAGES, None),
    "in a line": (_image(cr.Conv1D(4, 2, "relu"), cr.ConvTranspose1D(3, 2), cr.Reshape((3, 5))), ROWS, None),
    "other units": (_net(cr.Scale(0.5, 2.0), cr.Dense(4, "tanh"), cr.Scale((0.1, 0.2, 0.3, 0.4), 3.0, undo=True)), CLASSES, None),
    "residual": (_net(cr.Dense(4), cr.Residual(cr.Dense(4, "tanh"), cr.BatchNorm())), CLASSES, None),
    "frozen": (_net(cr.Dense(4), cr.Frozen(cr.Dense(4, "tanh"), cr.BatchNorm(), cr.Dropout(0.2))), CLASSES, None),
    "frozen pictures": (
        _net(cr.Frozen(cr.Conv2D(4, 2, "relu"), cr.BatchNorm()), cr.Conv2D(3, 2), cr.Flatten(), cr.Frozen(cr.Dense(4))), IMAGES, None,
    ),
    "rnn": (_net(cr.RNN(3, return_sequences=True), cr.RNN(4, activation="relu")), ROWS, None),
    "lstm": (_net(cr.LSTM(3, return_sequences=True, reverse=True), cr.LSTM(4)), ROWS, None),
    "gru": (_net(cr.GRU(3, return_sequences=True), cr.GRU(4, reverse=True)), ROWS, None),
    "both directions": (_image(cr.Bidirectional(cr.LSTM(3, return_sequences=True)), cr.TimeDistributed(cr.Dense(2))), ROWS, None),
    "padded rows": (_net(cr.GRU(3, padding=0.0)), ROWS, None),
    "ids": (_net(cr.Embedding(6, 3, padding=0), cr.LSTM(4)), IDS, None),
    "one-hot": (_net(cr.OneHot(6), cr.RNN(3)), IDS, None),
    "latent": (cr.Sequential(cr.Dense(4), cr.Latent(), cr.Dense(2)), NUMBERS, "mean_squared_error"),
    "hopfield": (cr.Sequential(cr.Hopfield(2)), cr.data.bars_and_stripes(2), "none"),
    "boltzmann": (cr.Sequential(cr.RestrictedBoltzmann(3)), cr.data.bars_and_stripes(2), "none"),
    "wired": (_wired(), NUMBERS, None),
    "stateful": (_net(cr.RNN(3, stateful=True)), STATEFUL, None),
}  # fmt: skip


MORE = {"perceptron": {"optimizer": cr.PerceptronRule()}, "stateful": {"order": "consecutive"}}


def run_of(name: str, **options: object) -> cr.Run:
    """The run of a case, trained a little so that no number is 0."""
    network, data, loss = CASES[name]
    settings = {
        "epochs": 1,
        "batch_size": min(12, len(data.train)),
        "engine": "reference",
        "optimizer": cr.Adam(0.05),
        **options,
    }
    settings |= MORE.get(name, {})
    return cr.fit(network, data, loss=loss, **settings)
