"""The text of a network: what it means, that it comes back, and errors that point at the piece."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.errors import OptionError, OptionTypeError, ParseError, ShapeError
from chainrule.nn import (
    ACTIVATIONS,
    Activation,
    AveragePool,
    Conv1D,
    Conv2D,
    ConvTranspose1D,
    ConvTranspose2D,
    Dense,
    Dropout,
    Flatten,
    Formula,
    Function,
    GlobalAveragePool,
    GlobalMaxPool,
    GroupNorm,
    HeNormal,
    LayerNorm,
    MaxPool,
    Network,
    Reshape,
    Residual,
    Sequential,
    UpSample,
    build_network,
    parse_network,
    to_text,
)


def sequential(*layers, shape=(784,)):
    return Sequential(*layers, input_shape=shape)


MEANINGS = {
    "784-16-16-10": sequential(Dense(16, "relu"), Dense(16, "relu"), Dense(10)),
    "784-16-16-10 tanh": sequential(Dense(16, "tanh"), Dense(16, "tanh"), Dense(10)),
    "784-30-10 sigmoid sigmoid": sequential(Dense(30, "sigmoid"), Dense(10, "sigmoid")),
    "784-16-16-10 relu softmax": sequential(Dense(16, "relu"), Dense(16, "relu"), Dense(10, "softmax")),
    "784-10": sequential(Dense(10)),
    "4-3:softmax": sequential(Dense(3, "softmax"), shape=(4,)),
    "784-16:tanh-16-10": sequential(Dense(16, "tanh"), Dense(16, "relu"), Dense(10)),
    "784-16:nobias-10:nobias tanh": sequential(Dense(16, "tanh", bias=False), Dense(10, bias=False)),
    "784-16-dropout(0.2)-10": sequential(Dense(16, "relu"), Dropout(0.2), Dense(10)),
    "784-16-tanh()-10": sequential(Dense(16), Activation("tanh"), Dense(10)),
    "784-16:relu-tanh()-10-softmax()": sequential(Dense(16, "relu"), Activation("tanh"), Dense(10), Activation("softmax")),
    "28x28-flatten-16-10": sequential(Flatten(), Dense(16, "relu"), Dense(10), shape=(28, 28)),
    "2x3x4-tanh()-flatten": sequential(Activation("tanh"), Flatten(), shape=(2, 3, 4)),
    "784-28x28x1-conv5x5x16-pool2-conv5x5x32-pool2-flatten-10 relu softmax": sequential(
        Reshape((28, 28, 1)),
        Conv2D(16, 5, "relu"),
        MaxPool(2),
        Conv2D(32, 5, "relu"),
        MaxPool(2),
        Flatten(),
        Dense(10, "softmax"),
    ),
    "16x16x2-conv3x2x4:stride2x1:dilation2:groups2:same:nobias-up2x1-globalpool-3 tanh softmax": sequential(
        Conv2D(4, (3, 2), "tanh", (2, 1), 2, 2, "same", bias=False),
        UpSample((2, 1)),
        GlobalMaxPool(),
        Dense(3, "softmax"),
        shape=(16, 16, 2),
    ),
    "50x1-conv5x8:periodic-averagepool3:stride2:same-convtranspose4x2:stride2-layernorm-relu()-globalaveragepool tanh": sequential(
        Conv1D(8, 5, "tanh", padding="periodic"),
        AveragePool(3, 2, "same"),
        ConvTranspose1D(2, 4, stride=2),
        LayerNorm(),
        Activation("relu"),
        GlobalAveragePool(),
        shape=(50, 1),
    ),
    "8x8x1-conv3x3x4-groupnorm2-convtranspose3x3x1 relu sigmoid": sequential(
        Conv2D(4, 3, "relu"),
        GroupNorm(2),
        ConvTranspose2D(1, 3, "sigmoid"),
        shape=(8, 8, 1),
    ),
    "784-16-dropout(1e-05)-10": sequential(Dense(16, "relu"), Dropout(1e-05), Dense(10)),
}


@pytest.mark.parametrize("text", MEANINGS)
def test_meaning_and_back(text):
    assert parse_network(text) == MEANINGS[text]
    assert to_text(MEANINGS[text]) == text
    build_network(MEANINGS[text], MEANINGS[text].input_shape)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("  784 - 16 -  10   tanh  ", "784-16-10 tanh"),
        ("784\t-16\n-10", "784-16-10"),
        ("28 x 28 - flatten() - 16 : tanh : nobias - dropout( 0.2 ) - 10", "28x28-flatten-16:nobias-dropout(0.2)-10 tanh"),
        ("784-16:nobias:tanh-10", "784-16:nobias-10 tanh"),
        ("784-16-10 relu linear", "784-16-10"),
        ("4-3 relu softmax", "4-3:softmax"),
        ("784-016-10", "784-16-10"),
        ("784-16:tanh-16:tanh-10:softmax", "784-16-16-10 tanh softmax"),
        ("784-16:tanh-16:relu-8:tanh-10", "784-16-16:relu-8-10 tanh"),
        (
            "28 x 28 x 1 - conv5x5x16 : valid : stride1 - pool2:stride2x2-flatten-10",
            "28x28x1-conv5x5x16-pool2:stride2x2-flatten-10",
        ),
        ("784-16-dropout(0)-10", "784-16-dropout(0.0)-10"),
    ],
)
def test_other_ways_to_write_it(text, same):
    assert parse_network(text) == parse_network(same)
    assert to_text(parse_network(text)) == same


ERRORS = {
    "784-16-16-10 sigmiod": ("sigmiod", "did you mean 'sigmoid'"),
    "": ("", "784-16"),
    "784": ("784", "784-10"),
    "784--10": ("", "784-16"),
    "-16-10": ("", "784-16"),
    "784-16-": ("", "784-16"),
    "784-0-10": ("0", "leave the layer out"),
    "0-16-10": ("0", "leave the layer out"),
    "784-99999999999999999999-10": ("99999999999999999999", "smaller"),
    "784-10000001": ("10000001", "smaller"),
    "784-abc-10": ("abc", "size"),
    "abc-16": ("abc", "784-16"),
    "784-16a-10": ("16a", "784-16"),
    "784-1.5-10": ("1.5", "784-16"),
    "784-tanh-10": ("tanh", "tanh()"),
    "784-flaten-10": ("flaten", "flatten"),
    "784-dropuot(0.2)-10": ("dropuot(0.2)", "dropout"),
    "784-dropout-10": ("dropout", "dropout(0.2)"),
    "784-dropout()-10": ("dropout()", "dropout(0.2)"),
    "784-dropout(1.5)-10": ("dropout(1.5)", "dropout(0.2)"),
    "784-dropout(nan)-10": ("dropout(nan)", "dropout(0.2)"),
    "784-tanh(3)-10": ("tanh(3)", "tanh()"),
    "784-16:sigmiod-10": ("sigmiod", "sigmoid"),
    "784-16:tanh:relu-10": ("relu", "leave it out"),
    "784-16:nobias:nobias-10": ("nobias", "leave it out"),
    "784-16:nobais-10": ("nobais", "nobias"),
    "784-16:-10": ("", "16:tanh"),
    "784-16-10 relu softmax tanh": ("tanh", "16:tanh"),
    "4-3 relu": ("relu", "3:softmax"),
    "4-8:tanh-3 relu": ("relu", "two words"),
    "784-16-10:softmax relu sigmoid": ("sigmoid", "leave it out"),
    "784-28x28-10": ("10", "flatten-"),
    "784-28x29-flatten-10": ("28x29", "extents whose product"),
    "784-28x28:tanh-flatten-10": ("tanh", "leave it out"),
    "784-conv5x5x16-flatten-10": ("conv5x5x16", "28x28x1-"),
    "784-28x28-conv5x5x16-flatten-10": ("conv5x5x16", "28x28x1-"),
    "4x4x1-conv5x5x16-flatten-10": ("conv5x5x16", "same"),
    "28x28x1-conv5-flatten-10": ("conv5", "conv5x5x16"),
    "28x28x1-conv-flatten-10": ("conv", "conv5x5x16"),
    "28x28x1-conv5x5x5x16-flatten-10": ("conv5x5x5x16", "conv5x16"),
    "28x28x1-conv5x0x16-flatten-10": ("0", "leave the layer out"),
    "28x28x1-conv5x5x16:sane-flatten-10": ("sane", "same"),
    "28x28x1-conv5x5x16:same:reflect-flatten-10": ("reflect", "leave it out"),
    "28x28x1-conv5x5x16:groups3-flatten-10": ("conv5x5x16:groups3", "groups"),
    "28x28x4-conv5x5x16:stride2x2x2-flatten-10": ("conv5x5x16:stride2x2x2", "stride"),
    "28x28x1-cnov5x5x16-flatten-10": ("cnov5x5x16", "conv"),
    "28x28x1-pool-flatten-10": ("pool", "pool2"),
    "28x28x1-pool2:tanh-flatten-10": ("tanh", "leave it out"),
    "28x28x1-pool29-flatten-10": ("pool29", "smaller size"),
    "28x28x1-layernorm4-flatten-10": ("layernorm4", "layernorm"),
    "28x28x1-groupnorm2-flatten-10": ("groupnorm2", "groups"),
    "28x28x1-up9999-flatten-10": ("up9999", "smaller"),
    "28x28x1 conv5x5x16 relu pool2 10": ("conv5x5x16", "by dashes"),
    "28x28x1-conv5x5x16 pool2 flatten 10": ("pool2", "by dashes"),
    "784:relu-16-10": ("784:relu", "784-16"),
    "28x28-16-10": ("16", "flatten-"),
    "28×28-flatten-10": ("28×28", "plain signs"),
    "784–16–10": ("784–16–10", "plain signs"),
    "28x-flatten-10": ("", "784-16"),
    "784-16-10 relu(": ("relu", ""),
    "784-١٦-10": ("١٦", "784-16"),
    "784-²-10": ("²", "784-16"),
}


@pytest.mark.parametrize("text", ERRORS)
def test_errors_point_at_the_piece(text):
    piece, remedy = ERRORS[text]
    with pytest.raises(ParseError) as caught:
        parse_network(text)
    assert remedy in caught.value.remedy
    _, line, marks = caught.value.happened.split("\n")
    start = marks.index("^")
    if piece:
        assert line[start : start + len(piece)] == piece
    assert marks.count("^") >= max(1, len(piece))


def test_long_and_odd_texts():
    with pytest.raises(ParseError, match="characters"):
        parse_network("784" + "-16" * 1000)
    with pytest.raises(OptionTypeError):
        parse_network(784)
    with pytest.raises(ParseError) as caught:
        parse_network("784" + "-16" * 200 + "-sixteen-10")
    assert "^^^^^^^" in str(caught.value)
    assert all(len(line) < 200 for line in str(caught.value).splitlines())


@settings(deadline=None, derandomize=True)
@given(st.text(alphabet="0123456789-:x() .abcdefghilmnoprstuvwxy", max_size=40))
def test_any_text_is_read_or_refused(text):
    try:
        found = parse_network(text)
    except ParseError:
        return
    assert parse_network(to_text(found)) == found


NAMES = st.sampled_from(sorted(ACTIVATIONS))
LAYERS = st.one_of(
    st.builds(Dense, st.integers(1, 500), NAMES, st.booleans()),
    st.builds(Activation, NAMES),
    st.builds(Dropout, st.floats(0, 0.99)),
    st.builds(Flatten),
)


@settings(deadline=None, derandomize=True)
@given(st.lists(LAYERS, min_size=1, max_size=8), st.lists(st.integers(1, 40), min_size=1, max_size=3))
def test_round_trip(layers, shape):
    given_network = Sequential(*layers, input_shape=tuple(shape))
    flat = next((i for i, layer in enumerate(layers) if isinstance(layer, Flatten)), len(layers))
    if len(shape) > 1 and any(isinstance(layer, Dense) for layer in layers[:flat]):
        with pytest.raises((OptionError, ParseError)):
            to_text(given_network)
    else:
        assert parse_network(to_text(given_network)) == given_network


PICTURE_LAYERS = st.one_of(
    st.builds(
        Conv2D, st.integers(1, 5), st.integers(1, 3), NAMES, st.integers(1, 2), padding=st.sampled_from(["valid", "same"])
    ),
    st.builds(MaxPool, st.integers(1, 2), st.sampled_from([None, 1, (2, 1)]), st.sampled_from(["valid", "same"])),
    st.builds(ConvTranspose2D, st.integers(1, 3), st.sampled_from([2, (1, 3)]), bias=st.booleans()),
    st.builds(UpSample, st.sampled_from([2, (1, 2)])),
    st.builds(LayerNorm),
)


@settings(deadline=None, derandomize=True)
@given(st.lists(PICTURE_LAYERS, min_size=1, max_size=4), st.lists(LAYERS, max_size=3))
def test_round_trip_of_pictures(layers, behind):
    given_network = Sequential(*layers, Flatten(), *behind, input_shape=(24, 25, 1))
    try:
        build_network(given_network, (24, 25, 1))
    except ShapeError:
        with pytest.raises(ParseError):
            to_text(given_network)
    else:
        assert parse_network(to_text(given_network)) == given_network


SHARED = Dense(4, "tanh")


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ((Dense(3, name="a"),), "layer 1, Dense(3, name='a'), has no text form: it has a name"),
        (
            (Dense(3), Dense(3, weights=HeNormal())),
            "layer 2, Dense(3, weights=HeNormal()), has no text form: it has initialisers",
        ),
        ((Function(len, name="f"),), "no word for Function"),
        ((Formula("x^2"),), "no word for Formula"),
        ((Sequential(Dense(2)),), "no word for Sequential"),
        ((Network(lambda x: x, {"x": (784,)}),), "no word for Network"),
        ((SHARED, SHARED), "used twice"),
        ((Dropout(0.1, name="d"),), "it has a name"),
        ((Reshape((784,)),), "it has settings that have no word"),
        ((LayerNorm(1e-3),), "it has settings that have no word"),
        ((Residual(Dense(784)),), "no word for Residual"),
    ],
)
def test_what_has_no_text_form(layers, words):
    with pytest.raises(OptionError) as caught:
        to_text(sequential(*layers))
    assert words in str(caught.value)


class Mine(Flatten):
    """A layer of the user's own that passes for a Flatten."""


def test_text_is_only_given_if_it_comes_back():
    with pytest.raises(OptionError, match="to_code"):
        to_text(sequential(Mine()))


def test_text_needs_the_input_and_a_layer():
    for wrong in (Sequential(Dense(2)), Sequential(input_shape=(2,)), Dense(2), Network(lambda x: x, {"x": (2,)})):
        with pytest.raises(OptionError, match="no text form"):
            to_text(wrong)
