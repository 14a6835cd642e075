"""Networks as tutorials of Keras have them, brought in, differentiated, taken out and trained on: `make external` runs it."""

import os

import numpy as np
import pytest
import torch

import chainrule as cr
from chainrule.errors import OptionError
from tests.external.gradients import near, retrained, slopes_of

os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras")
layers = keras.layers
RANDOM = np.random.default_rng(0)


def models():
    given = keras.Input

    def sequential(shape, *inner):
        return keras.Sequential([given(shape), *inner])

    yield (
        "mlp",
        sequential((8, 8), layers.Flatten(), layers.Dense(16, "relu"), layers.Dropout(0.2), layers.Dense(10, "softmax")),
    )
    yield (
        "lenet",
        sequential(
            (12, 12, 1), layers.Conv2D(3, 3, activation="tanh", padding="same"), layers.AveragePooling2D(2),
            layers.Conv2D(4, 3, activation="tanh"),
            layers.AveragePooling2D(2), layers.Flatten(), layers.Dense(6, "tanh"), layers.Dense(3, "softmax"),
        ),
    )  # fmt: skip
    x = given((8, 8, 1))
    down = layers.Conv2D(3, 3, padding="same", activation="relu")(x)
    middle = layers.Conv2D(6, 3, padding="same", activation="relu")(layers.MaxPooling2D(2)(down))
    up = layers.concatenate([layers.Conv2DTranspose(3, 2, strides=2)(middle), down])
    yield "u-net", keras.Model(x, layers.Conv2D(1, 1, activation="sigmoid")(up))
    yield "words", sequential((7,), layers.Embedding(20, 5), layers.Bidirectional(layers.LSTM(4)), layers.Dense(1, "sigmoid"))
    yield "words masked", sequential((7,), layers.Embedding(20, 5, mask_zero=True), layers.LSTM(4), layers.Dense(1, "sigmoid"))
    yield (
        "words masked twice",
        sequential(
            (7,),
            layers.Embedding(20, 5, mask_zero=True),
            layers.Bidirectional(layers.LSTM(4, return_sequences=True)),
            layers.GRU(3),
            layers.Dense(1),
        ),
    )
    yield (
        "words dropped",
        sequential((7,), layers.Embedding(20, 5, mask_zero=True), layers.Dropout(0.2), layers.SimpleRNN(4), layers.Dense(1)),
    )
    yield "masking", sequential((6, 3), layers.Masking(0.0), layers.LSTM(4), layers.Dense(2))
    yield "masking of others", sequential((6, 3), layers.Masking(-1.0), layers.GRU(4, return_sequences=True), layers.Dense(2))
    yield "masking and mean", sequential((6, 3), layers.Masking(0.0), layers.GlobalAveragePooling1D(), layers.Dense(2))
    yield (
        "repeated",
        sequential(
            (5, 3),
            layers.LSTM(6),
            layers.RepeatVector(4),
            layers.LSTM(6, return_sequences=True),
            layers.TimeDistributed(layers.Dense(2)),
        ),
    )
    yield (
        "text cnn",
        sequential(
            (7,), layers.Embedding(20, 5), layers.Conv1D(4, 3, activation="relu"), layers.GlobalMaxPooling1D(), layers.Dense(2)
        ),
    )
    x = given((7,))
    h = layers.Embedding(20, 5)(x)
    yield (
        "text cnn of three",
        keras.Model(
            x,
            layers.Dense(2)(
                layers.concatenate([layers.GlobalMaxPooling1D()(layers.Conv1D(4, k, activation="relu")(h)) for k in (2, 3, 4)])
            ),
        ),
    )
    x = given((16,))
    h = layers.Dense(8, "relu")(x)
    yield "vae encoder", keras.Model(x, [layers.Dense(3)(h), layers.Dense(3)(h)])
    yield (
        "gan",
        sequential(
            (5,), layers.Dense(2 * 2 * 6, use_bias=False), layers.BatchNormalization(), layers.LeakyReLU(), layers.Reshape((2, 2, 6)),
            layers.Conv2DTranspose(4, 5, strides=2, padding="same", use_bias=False), layers.BatchNormalization(),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Conv2DTranspose(1, 5, strides=2, padding="same", use_bias=False, activation="tanh"),
        ),
    )  # fmt: skip
    x = given((8, 8, 3))
    h = layers.ReLU(6.0)(layers.BatchNormalization()(layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)))
    yield "mobilenet", keras.Model(x, layers.Dense(2)(layers.GlobalAveragePooling2D()(layers.Conv2D(4, 1)(h))))
    yield (
        "separable",
        sequential(
            (8, 8, 3), layers.SeparableConv2D(4, 3, activation="relu"), layers.GlobalAveragePooling2D(), layers.Dense(2)
        ),
    )
    for name, options in {"encoder": {}, "encoder causal": {"use_causal_mask": True}}.items():
        x = given((5, 8))
        h = layers.LayerNormalization(epsilon=1e-6)(x + layers.MultiHeadAttention(2, 3, dropout=0.1)(x, x, **options))
        h = layers.LayerNormalization(epsilon=1e-6)(h + layers.Dense(8)(layers.Dropout(0.1)(layers.Dense(16, "relu")(h))))
        yield name, keras.Model(x, layers.Dense(2, "softmax")(layers.GlobalAveragePooling1D()(h)))
    x, memory = given((5, 8)), given((4, 6))
    yield (
        "cross",
        keras.Model([x, memory], layers.MultiHeadAttention(2, 3, value_dim=4, output_shape=5, use_bias=False)(x, memory)),
    )
    other = given((4, 7))
    yield "keys", keras.Model([x, memory, other], layers.MultiHeadAttention(2, 3)(x, memory, other))
    yield "dot", keras.Model([x, memory], layers.Attention()([layers.Dense(6)(x), memory]))
    x = given((6, 3))
    yield (
        "attention over time",
        keras.Model(x, layers.Dense(2)(layers.Dot(axes=1)([layers.Softmax(axis=1)(layers.Dense(1)(x)), x]))),
    )
    yield (
        "slopes",
        sequential(
            (6, 6, 1),
            layers.Conv2D(3, 3),
            layers.PReLU(shared_axes=[1, 2]),
            layers.Flatten(),
            layers.Dense(4),
            layers.PReLU(),
            layers.Dense(2),
        ),
    )
    yield "slopes of places", sequential((4, 4, 1), layers.Conv2D(2, 3), layers.PReLU(), layers.Flatten(), layers.Dense(2))
    encoder = sequential((3,), layers.Dense(6, "relu"), layers.Dense(4))
    one, other = given((3,)), given((3,))
    yield "siamese", keras.Model([one, other], layers.Dense(1, "sigmoid")(layers.Subtract()([encoder(one), encoder(other)])))
    picture, row = given((6, 6, 1)), given((4,))
    both = layers.Concatenate()(
        [layers.Flatten()(layers.Conv2D(2, 3, activation="relu")(picture)), layers.Dense(5, "relu")(row)]
    )
    yield "two inputs", keras.Model([picture, row], layers.Dense(2)(both))
    x = given((5, 3))
    _, state, cell = layers.LSTM(4, return_state=True)(x)
    y = given((4, 2))
    yield (
        "state handed on",
        keras.Model([x, y], layers.Dense(2)(layers.LSTM(4, return_sequences=True)(y, initial_state=[state, cell]))),
    )
    yield "dropped inside", sequential((5, 3), layers.LSTM(4, dropout=0.2), layers.Dense(1))
    yield "spatial", sequential((7,), layers.Embedding(20, 5), layers.SpatialDropout1D(0.2), layers.LSTM(4), layers.Dense(1))


def exactly(floats):
    """Keras in these floats, which it asks for when a model is made and when it is called."""
    keras.config.set_floatx(floats)
    keras.config.set_dtype_policy(floats)


exactly("float64")
KERAS = dict(models())
exactly("float32")


@pytest.fixture(autouse=True)
def _exact():
    exactly("float64")
    yield
    exactly("float32")


# ---- what is asked of each


NOT_KERAS = {
    "masking and mean": r"GlobalAveragePooling1D.* a mask that it takes; here recurrent layers", "attention over time": r"Softmax.* axis 1",
    "state handed on": "LSTM.* return_state", "dropped inside": "LSTM.* dropout", "spatial": "SpatialDropout1D",
}  # fmt: skip
NOT_BACK_TO_KERAS = {"words masked twice", "words dropped"}
"""Those that come in and do not go back: what an inner mask leaves out is set to zero by a function of the embedding."""


IN_KERAS = 3e-6
"""Keras on PyTorch multiplies matrices in float32, whatever its policy is: so near its numbers are, beside the largest."""


def examples_for(name, model):
    """Six examples for each input, of which some steps are padding where the model has masks."""
    shapes = [tuple(each.shape[1:]) for each in model.inputs]
    reads_ids = any(isinstance(layer, layers.Embedding) for layer in model.layers)
    found = [
        RANDOM.integers(0, 20, (6, *shape)).astype(float) if reads_ids else RANDOM.normal(size=(6, *shape)) for shape in shapes
    ]
    if "mask" in name:
        number = -1.0 if "others" in name else 0.0
        found[0][0, -2:], found[0][1, 1], found[0][2, :2] = number, number, number
    return found


def stepped_in_keras(model, given, pulls):
    """The model's answers; then it is one step down."""
    found = model([torch.from_numpy(x) for x in given] if len(given) > 1 else torch.from_numpy(given[0]))
    output = torch.cat(list(found), dim=1) if isinstance(found, list | tuple) else found
    weights = np.cos(np.arange(output.numel())).reshape(output.shape) if pulls is None else pulls
    model.zero_grad()
    (output * torch.from_numpy(weights)).sum().backward()
    with torch.no_grad():
        for variable in model.trainable_variables:
            slope = variable.value.grad
            if slope is not None and slope.ndim == 2 and "gru" in variable.path and variable.name == "bias":
                slope = slope.clone()
                slope[1, : 2 * slope.shape[1] // 3] = 0  # two biases that are one here
            if slope is not None:
                variable.value.sub_(slope)
    return output.detach().numpy(), weights


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [name for name in KERAS if name not in NOT_KERAS])
def test_a_network_of_keras(name):
    model = KERAS[name]
    model.set_weights([weight + RANDOM.uniform(0.05, 0.4, weight.shape) for weight in model.get_weights()])
    given = examples_for(name, model)
    network, values = cr.from_keras(model)
    theirs, pulls = stepped_in_keras(model, given, None)
    again = cr.from_keras(model)[1]
    x = given[0] if len(given) == 1 else np.concatenate([each.reshape(6, -1) for each in given], axis=1)
    out, slopes = slopes_of(network, values, x, pulls)
    near(out, theirs, to=IN_KERAS)
    for key, slope in slopes.items():
        near(values[key] - again[key], slope, to=IN_KERAS)
    if name in NOT_BACK_TO_KERAS:
        with pytest.raises(OptionError, match="in Keras"):
            cr.to_keras(network, values)
        return
    there = cr.to_keras(network, values)
    back, found = cr.from_keras(there)
    near(slopes_of(back, {key: array.astype(float) for key, array in found.items()}, x, pulls)[0], out, to=IN_KERAS)
    run = retrained(network, values, x, out)
    trained = keras.ops.convert_to_numpy(cr.to_keras(run)(x))
    near(trained, run.predict(x), to=IN_KERAS)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NOT_KERAS)
def test_a_network_of_keras_that_is_refused(name):
    with pytest.raises(OptionError, match=NOT_KERAS[name]):
        cr.from_keras(KERAS[name])
