"""The networks that are written in the words of other libraries: the tests run them, and benchmarks/record_peers.py records them."""

from dataclasses import dataclass

import numpy as np

import chainrule as cr
from chainrule.nn import (
    GRU,
    LSTM,
    RNN,
    Activation,
    AveragePool,
    BatchNorm,
    Bidirectional,
    Conv1D,
    Conv2D,
    ConvTranspose1D,
    ConvTranspose2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GaussianNoise,
    GlobalAveragePool,
    GlobalMaxPool,
    GroupNorm,
    LayerNorm,
    MaxPool,
    OneHot,
    Reshape,
    Residual,
    Sequential,
    TimeDistributed,
    UpSample,
)
from chainrule.nn.peers.parts import BENT, between, leaky, stretched_celu, stretched_elu


@dataclass(frozen=True)
class Case:
    """A network; the peers that have all of it beside JAX, which has every one; how many ids there are, where it reads ids."""

    network: Sequential
    peers: tuple[str, ...] = ("pytorch", "keras")
    ids: int = 0

    def x(self) -> np.ndarray:
        """Two examples, channels last."""
        random = np.random.default_rng(5)
        shape = (2, *self.network.input_shape)
        return random.integers(0, self.ids, shape).astype(float) if self.ids else random.normal(size=shape).round(2)


def _net(*layers, shape):
    return Sequential(*layers, input_shape=shape)


PYTORCH, KERAS, NONE = ("pytorch",), ("keras",), ()
FUNCTIONS = ("sigmoid", "tanh", "relu", "leaky_relu", "elu", "softplus", "silu", "gelu", "softmax")
PICTURE = (6, 5, 4)

CASES = {
    "dense": Case(_net(Dense(4, "relu"), Dropout(0.5), GaussianNoise(0.5), Dense(3, bias=False), shape=(5,))),
    "functions": Case(_net(*(Dense(3, name) for name in FUNCTIONS), *map(Activation, FUNCTIONS), shape=(2,))),
    "counts": Case(_net(Dense(3, "tanh"), Dense(1, "exp"), Activation("exp"), shape=(2,))),
    "a step": Case(_net(Dense(3, "step"), Activation("linear"), Dense(2), shape=(2,)), NONE),
    "lenet": Case(
        _net(
            Conv2D(3, 3, "tanh"), AveragePool(2), Conv2D(4, (2, 3), "relu"), MaxPool((2, 1)), Flatten(), Dropout(0.1),
            Dense(5, "tanh"), Dense(2, "softmax"), shape=(12, 10, 2),
        )
    ),
    "from a row to a picture": Case(
        _net(Dense(12), Reshape((2, 2, 3)), UpSample(2), Conv2D(2, 3, "softmax", padding="same"), shape=(3,))
    ),
    "from a row to one channel": Case(_net(Reshape((4, 3, 1)), Activation("tanh"), Conv2D(2, 2), Flatten(), Dense(2), shape=(12,))),
    "augmented": Case(
        _net(
            cr.RandomShift(1), cr.RandomFlip(), cr.RandomRotation(9.0), cr.RandomBrightness(0.1), Conv2D(2, 2), Flatten(), Dense(2),
            shape=(4, 5, 1),
        )
    ),
    "picture, norm, dense": Case(_net(Conv2D(2, 2), Flatten(), LayerNorm(), Dense(2), shape=(3, 4, 1))),
    "convolutions": Case(
        _net(
            Conv2D(4, 3, padding="same", stride=(2, 1)), Conv2D(6, (2, 3), "gelu", dilation=(1, 2), padding="same"),
            Conv2D(2, 2, "elu", groups=2, bias=False), shape=PICTURE,
        )
    ),
    "larger pictures": Case(
        _net(
            ConvTranspose2D(3, (3, 2), "leaky_relu", stride=2, padding="same"), ConvTranspose2D(2, 2, bias=False),
            ConvTranspose2D(2, 4, "softmax", stride=(1, 2), padding="same"), ConvTranspose2D(2, (1, 2), stride=3, padding="same"),
            shape=(3, 2, 4),
        )
    ),
    "a longer row": Case(_net(ConvTranspose1D(3, 3, "tanh", stride=2), ConvTranspose1D(2, 2, padding="same"), shape=(4, 2))),
    "larger by far steps": Case(
        _net(ConvTranspose2D(3, 2, stride=(3, 2)), ConvTranspose2D(2, 2, dilation=2, padding="same"), shape=(3, 2, 4)), PYTORCH
    ),
    "larger in groups": Case(
        _net(ConvTranspose2D(4, 3, stride=2, groups=2, padding="same"), shape=(3, 2, 4)), NONE
    ),
    "rings and mirrors": Case(
        _net(
            Conv2D(3, (3, 2), padding="periodic"), MaxPool(3, 1, padding="reflect"), AveragePool(2, 2, padding="periodic"),
            Conv2D(2, 3, stride=2, padding="reflect"), shape=PICTURE,
        ),
        PYTORCH,
    ),
    "stride and dilation": Case(_net(Conv2D(2, 2, stride=2, dilation=2, padding="same"), shape=PICTURE), PYTORCH),
    "pools": Case(_net(MaxPool(2, 1), AveragePool((2, 1), (1, 2)), MaxPool((2, 3), padding="same"), shape=PICTURE)),
    "averages over the edge": Case(_net(AveragePool(3, 2, padding="same"), shape=(5, 7, 2))),
    "averages over one edge": Case(_net(AveragePool(2, padding="same"), shape=(5, 7, 2)), KERAS),
    "one number to a channel": Case(_net(Conv2D(3, 2, "leaky_relu"), GlobalAveragePool(), Dense(2), shape=PICTURE)),
    "the largest of a channel": Case(_net(Activation("tanh"), GlobalMaxPool(), shape=PICTURE)),
    "from a row to a row": Case(_net(Reshape((3, 4)), Flatten(), Reshape((6, 2)), Reshape((3, 2, 2)), shape=(12,))),
    "in a line": Case(
        _net(
            Conv1D(4, 3, "relu"), UpSample((2,)), MaxPool(3, 2), AveragePool((2,)), Conv1D(2, 2, padding="same"),
            GlobalMaxPool(), shape=(12, 2),
        )
    ),
    "groups": Case(_net(GroupNorm(2, epsilon=0.01), Conv2D(4, 1), GroupNorm(4), shape=PICTURE)),
    "batch norm": Case(_net(Dense(3), BatchNorm(0.25, 0.01), Activation("relu"), Dense(2), shape=(4,))),
    "batch norm of pictures": Case(_net(BatchNorm(), Conv2D(3, 2, bias=False), BatchNorm(), Flatten(), Dense(2), shape=PICTURE)),
    "layer norm": Case(_net(Dense(4), LayerNorm(epsilon=0.1), shape=(3,))),
    "rnn": Case(_net(RNN(3, return_sequences=True), RNN(2), shape=(4, 2))),
    "rnn with other functions": Case(_net(RNN(3, activation="relu", return_sequences=True), RNN(2, activation="relu"), shape=(4, 2))),
    "rnn with a sigmoid": Case(_net(RNN(3, activation="sigmoid", return_sequences=True), RNN(2, activation="linear"), shape=(4, 2)), KERAS),
    "rnn with leaks": Case(_net(RNN(3, activation="leaky_relu", return_sequences=True), RNN(2, activation="gelu"), shape=(4, 2)), NONE),
    "lstm": Case(_net(LSTM(3, return_sequences=True), LSTM(2), Dense(2), shape=(4, 2))),
    "gru": Case(_net(GRU(3, return_sequences=True), GRU(2), Dense(2), shape=(4, 2))),
    "backwards": Case(_net(GRU(3, reverse=True), shape=(4, 2))),
    "backwards in order": Case(_net(LSTM(3, reverse=True, return_sequences=True), RNN(2, reverse=True), shape=(4, 2)), PYTORCH),
    "both directions": Case(
        _net(Bidirectional(LSTM(2, return_sequences=True)), Bidirectional(RNN(2, return_sequences=True)), Bidirectional(GRU(2)),
        shape=(4, 3))
    ),
    "tokens": Case(
        _net(Embedding(6, 3), LSTM(2, return_sequences=True), TimeDistributed(Dense(4, "tanh"), LayerNorm(), Dense(6, "softmax")),
        shape=(4,)),
        ids=6,
    ),
    "padded tokens": Case(_net(Embedding(6, 3, padding=2), Conv1D(2, 2), GRU(2), shape=(5,)), PYTORCH, ids=6),
    "one-hot": Case(_net(OneHot(5, padding=0), RNN(2), shape=(4,)), NONE, ids=5),
    "named/inside": Case(_net(Dense(3, "tanh", name="block/first"), Dense(1, name="out"), shape=(2,))),
}  # fmt: skip

TWICE, SEEN = Dense(3, "tanh"), (Dense(4, "relu"), LayerNorm(gain=False, bias=False))
DOWN, UP, MIDDLE = (Conv2D(2, 3, "relu", padding="same") for _ in range(3))


def _hourglass(x):
    first = DOWN(x)
    again = UpSample(2)(MIDDLE(MaxPool(2)(first)))
    return GlobalAveragePool()(UP(cr.ops.concatenate(first, again, axis=3)))


def _eyes(left, right):
    one, other = (SEEN[1](SEEN[0](each)) for each in (left, right))
    return LAST(cr.ops.concatenate(one * other, cr.ops.absolute(one - other), axis=1))


def _arithmetic(x):
    z = FIRST(x)
    return (2.0 - z) / (1.0 + cr.ops.exp(-z)) + cr.ops.minimum(cr.ops.sin(z), 0.5) * z


def _attention(x):
    """Each step of a sequence of three looks at all: two heads of two numbers."""
    q, k, v = (cr.ops.transpose(cr.ops.reshape(part(x), shape=(x.shape[0], 3, 2, 2)), axes=(0, 2, 1, 3)) for part in LOOKS)
    shares = cr.nn.softmax(cr.ops.matmul(q, cr.ops.transpose(k, axes=(0, 1, 3, 2))) * 0.7)
    seen = cr.ops.transpose(cr.ops.matmul(shares, v), axes=(0, 2, 1, 3))
    return x + LOOK(cr.ops.reshape(seen, shape=(x.shape[0], 3, 4)))


def _repeated(x):
    row = cr.ops.reshape(FIRST(x), shape=(x.shape[0], 1, 3))
    return GRU(2)(cr.ops.broadcast_to(row, shape=(x.shape[0], 4, 3)))


FIRST, LAST = Dense(3), Dense(2)
LOOKS, LOOK = tuple(TimeDistributed(Dense(4)) for _ in range(3)), TimeDistributed(Dense(5))
SLOPES = "x if x > 0 else a*x"
CASES |= {
    "one layer twice": Case(_net(TWICE, Activation("sigmoid"), TWICE, shape=(3,))),
    "residual": Case(_net(Dense(4, "tanh"), Residual(Dense(5, "relu"), Dropout(0.1), Residual(Dense(5)), Dense(4)), Dense(2), shape=(3,))),
    "residual pictures": Case(
        _net(
            Conv2D(3, 3, padding="same"), Residual(Conv2D(3, 3, padding="same"), BatchNorm(), Activation("relu"), Conv2D(3, 1)),
            Activation("relu"), Flatten(), Dense(2), shape=(4, 4, 2),
        )
    ),
    "hourglass": Case(cr.Network(_hourglass, inputs={"x": (4, 4, 1)})),
    "two eyes": Case(cr.Network(_eyes, inputs={"left": (3,), "right": (3,)})),
    "arithmetic": Case(cr.Network(_arithmetic, inputs={"x": (2,)})),
    "attention": Case(cr.Network(_attention, inputs={"x": (3, 5)})),
    "a row repeated": Case(cr.Network(_repeated, inputs={"x": (2,)})),
    "slopes": Case(
        _net(
            Conv2D(3, 3), cr.Formula(SLOPES, {"a": (3,)}), Flatten(), Dense(4), cr.Formula(SLOPES, {"a": (4,)}),
            cr.Formula(SLOPES, {"a": (1,)}), shape=(4, 4, 2),
        )
    ),
    "places": Case(_net(Embedding(5, 3), cr.Formula("x + p", {"p": (4, 3)}), Flatten(), Dense(2), shape=(4,)), PYTORCH, ids=5),
    "zeros around": Case(
        _net(lambda x: cr.ops.pad(x, low=(0, 1, 2, 0), high=(0, 1, 0, 0), interior=(0, 0, 0, 0)), Conv2D(2, 3, stride=2), shape=PICTURE)
    ),
    "turned": Case(
        _net(
            lambda x: cr.ops.flip(x, axes=(1,)), GRU(3, bias=False, return_sequences=True), lambda x: cr.ops.transpose(x, axes=(0, 2, 1)),
            LSTM(2, bias=False, return_sequences=True), RNN(2, bias=False), shape=(4, 2),
        )
    ),
    "formulas": Case(
        _net(
            *(cr.Formula(text) for text in (BENT["relu6"], "x/(1 + abs(x))", "x*tanh(softplus(x))", "-softplus(-x)")),
            cr.Formula("x - tanh(x)"), cr.Formula("(x - max(x)) - log(sum(exp(x - max(x))))"), cr.Formula("3*x + x^2"), shape=(3,),
        )
    ),
    "bends": Case(
        _net(
            *(cr.Formula(text) for name, text in BENT.items() if name != "hard sigmoid"),
            *map(cr.Formula, (leaky(0.3), stretched_elu(2.0), stretched_celu(2.0), between(-2, 3))), shape=(3,),
        )
    ),
    "hard sigmoid": Case(_net(cr.Formula(BENT["hard sigmoid"]), shape=(3,)), KERAS),  # PyTorch's own has a sixth in float32
    "norms without gains": Case(
        _net(BatchNorm(gain=False, bias=False), GroupNorm(2, gain=False, bias=False), LayerNorm(bias=False), shape=(3, 3, 4))
    ),
    "a gain alone": Case(_net(BatchNorm(bias=False), GroupNorm(2, bias=False), shape=(3, 3, 4))),
    "a bias alone": Case(_net(BatchNorm(gain=False), LayerNorm(gain=False), shape=(3, 3, 4)), KERAS),
}  # fmt: skip
"""Where layers are joined otherwise than one behind the other, or used twice; and norms without a gain or a bias."""


def channels_first(code: str) -> tuple[bool, bool]:
    """Whether the code says that the network takes, and that it gives, channels before the axes of space."""
    said = next((line for line in code.splitlines() if line.startswith("# takes")), "")
    takes, _, gives = said.partition(";")
    return "channels first" in takes, "channels first" in gives


def laid_out(x: np.ndarray, *, first: bool) -> np.ndarray:
    """An array with its channels before the axes of space, or as it is."""
    return np.ascontiguousarray(np.moveaxis(x, -1, 1)) if first and x.ndim > 2 else x
