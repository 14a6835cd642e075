"""A network as one line of text, "784-16-16-10 relu softmax", and back."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from math import prod

from chainrule.checks import checked
from chainrule.errors import OptionError, OptionTypeError, ParseError, ShapeError
from chainrule.graph import Shape, input_node
from chainrule.nn.activations import ACTIVATIONS
from chainrule.nn.build import Layer, building
from chainrule.nn.layer_words import Part, Weighing, described, finished, item, known_word, part, without_text
from chainrule.nn.layers import Activation, Dense, Sequential
from chainrule.nn.piece import EXAMPLE, LARGEST, TextPiece, shape_of
from chainrule.spelling import suggest

LONGEST = 2000
"""How many characters the text of a network may have."""
HIDDEN, OUTPUT = "relu", "linear"
"""The activations of hidden and output layers where the text names none."""

_DASH = re.compile(r"-(?![^()]*\))")  # not the one of 1e-3 within brackets


@checked
def parse_network(text: str) -> Sequential:
    """The network that a text describes.

    Sizes are joined by dashes; the first is the input's, and may be a shape: 28x28. Each further size is a Dense layer.
    Between the dashes there may also be `flatten`, `dropout(0.2)`, and an activation as a layer of its own, `tanh()`. A size
    may say its activation, `16:tanh`, and that it has no bias, `16:nobias` or `16:tanh:nobias`.

    Pictures: a shape behind the first, `784-28x28x1`, has the numbers read as rows, columns and channels. `conv5x5x16` is a convolution
    whose kernel has 5 rows and 5 columns, with 16 filters; `conv5x16` one along a single axis. Behind colons may stand an activation,
    `stride2`, `dilation2`, `groups2` (or one number to each axis, `stride2x1`), the padding `same`, `periodic` or `reflect`, and
    `nobias`; `convtranspose2x2x8:stride2` is written likewise. `pool2` keeps the largest of 2 × 2 numbers, `averagepool2` their mean;
    both may have `stride` and a padding. Further `globalpool`, `globalaveragepool`, `up2`, `layernorm` and `groupnorm4`.

    Sequences and texts: `lstm64`, `gru64` and `rnn64:relu` give the last step, `lstm64:return_sequences` each one; for ids of 35 tokens
    `onehot35` makes rows with a single 1, `embedding35x16` vectors of 16 numbers.

    `frozen` behind a layer and its words, `16:tanh:frozen`, keeps its weights as they start: see `Frozen`.

    Behind the layers one word gives the activation of the hidden ones, two words those of hidden and output layers. Without
    words hidden layers have relu and the output layer is linear. A size or convolution right before `tanh()` and the like is linear.

    Raises: ParseError, which points at the piece.

    >>> parse_network("784-16-10 relu softmax")
    Sequential(Dense(16, 'relu'), Dense(10, 'softmax'), input_shape=(784,))
    >>> parse_network("28x28-flatten-16:tanh:nobias-dropout(0.2)-10")
    Sequential(Flatten(), Dense(16, 'tanh', bias=False), Dropout(0.2), Dense(10), input_shape=(28, 28))
    >>> parse_network("28x28x1-conv5x5x16-pool2-flatten-10")
    Sequential(Conv2D(16, 5, 'relu'), MaxPool(2), Flatten(), Dense(10), input_shape=(28, 28, 1))
    >>> parse_network("20-embedding35x16-lstm64-35")
    Sequential(Embedding(35, 16), LSTM(64), Dense(35), input_shape=(20,))
    >>> parse_network("784-16-16-10 sigmiod")
    Traceback (most recent call last):
    ...
    chainrule.errors.ParseError: the network's text has the word 'sigmiod'
          784-16-16-10 sigmiod
                       ^^^^^^^
      expected: one of linear, step, sigmoid, tanh, relu, leaky_relu, elu, exp, softplus, silu, gelu, softmax
      fix: did you mean 'sigmoid'?
    """
    structure, *words = _tidy(text).split(re.compile(" "))
    first, *items = structure.split(_DASH)
    shape = shape_of(first)
    if not items:
        _refuse_joined_by_blanks(words)
        first.refuse("an input and no layer", "a size to each layer behind the input's", f"write for example {first.text}-10")
    layers = _layers([part(item) for item in items], words)
    _require_fitting(layers, items, shape)
    return Sequential(*layers, input_shape=shape)


def _tidy(text: object) -> TextPiece:
    """The text with single blanks, and none around dashes, colons, brackets and within shapes."""
    if not isinstance(text, str):
        raise OptionTypeError(f"the network's text {text!r}", expected="a text", remedy=f'write "{EXAMPLE}"')
    if len(text) > LONGEST:
        happened = f"the network's text has {len(text)} characters"
        raise ParseError(happened, expected=f"at most {LONGEST}", remedy="write the network in Python")
    tidy = re.sub(r" ?([-:(]) ?", r"\1", " ".join(text.split())).replace(" )", ")")
    tidy = re.sub(r"(?<=[0-9]) ?x ?(?=[0-9])", "x", tidy)
    return TextPiece(tidy, 0, tidy)


def _require_fitting(layers: Sequence[Layer], items: Sequence[TextPiece], shape: Shape) -> None:
    """Each layer takes what the one before it gives: they are put together for one example."""
    with building():
        x = input_node("x", (1, *shape))
        for layer, piece in zip(layers, items, strict=True):
            given = "x".join(map(str, x.shape[1:]))
            if isinstance(layer, Dense) and x.type.ndim > 2:
                piece.refuse(f"a Dense layer on an input of shape {given}", "a row of numbers", "put flatten- before it")
            try:
                x = layer(x)
            except ShapeError as error:
                # What is a layer in Python is a shape in the text.
                remedy = "put a shape before it, such as 28x28x1-" if "Reshape" in error.remedy else error.remedy
                piece.refuse(f"{piece.text!r} on an input of shape {given}", error.expected, remedy)
            if prod(x.shape) > LARGEST:
                piece.refuse(f"a layer that gives {prod(x.shape)} numbers", f"at most {LARGEST}", "choose smaller sizes")


def _layers(parts: Sequence[Part], words: Sequence[TextPiece]) -> list[Layer]:
    """The layers, the words' activations given to those that have none of their own."""
    wanting, last = _wanting(parts), _last_weighing(parts)
    names = [_word(word) for word in words]
    if len(words) > 2:
        words[2].refuse("more than two words", "the activations of hidden and output layers", "write 16:tanh at the sizes")
    if len(words) == 1 and not wanting - {last}:
        remedy = f'write two words, "{words[0].text} softmax", or softmax at the size, 3:softmax'
        words[0].refuse(
            f"the word {words[0].text!r}, for hidden layers, and no hidden layer that takes it", "two words", remedy
        )
    if len(words) == 2 and last not in wanting:
        words[1].refuse(f"the word {words[1].text!r}, and no output layer that takes it", "one word", "leave it out")
    hidden, output = [*names, *(HIDDEN, OUTPUT)[len(names) :]]
    chosen = {i: output if i == last else hidden for i in wanting}
    return [finished(part, chosen.get(i, "")) if isinstance(part, Weighing) else part for i, part in enumerate(parts)]


def _wanting(parts: Sequence[Part]) -> set[int]:
    """The places of the layers with weights whose activation is not written at them or right behind them."""
    followed = {i for i, part in enumerate(parts[1:]) if isinstance(part, Activation)}
    return {i for i, part in enumerate(parts) if isinstance(part, Weighing) and not part.activation} - followed


def _last_weighing(parts: Sequence[object]) -> int:
    return max((i for i, part in enumerate(parts) if isinstance(part, Weighing)), default=-1)


def _word(word: TextPiece) -> str:
    _refuse_joined_by_blanks([word])
    if word.text not in ACTIVATIONS:
        remedy = suggest(word.text, ACTIVATIONS)
        word.refuse(f"the word {word.text!r}", f"one of {', '.join(ACTIVATIONS)}", remedy)
    return word.text


def _refuse_joined_by_blanks(words: Sequence[TextPiece]) -> None:
    for word in words:
        if known_word(word.text):
            remedy = "join layers by dashes, and an activation to its layer by a colon: conv5x5x16:tanh-pool2"
            word.refuse(f"{word.text!r} behind a blank", "activations behind the last layer", remedy)


# ---- and back


@checked
def to_text(network_: Layer) -> str:
    """The shortest usual text that `network` reads back into an equal network.

    >>> to_text(Sequential(Dense(16, "relu"), Dense(16, "relu"), Dense(10, "softmax"), input_shape=(784,)))
    '784-16-16-10 relu softmax'

    Raises: OptionError, naming the layer, where there is none: for own names, initialisers and functions, and for a layer that
    is used twice.
    """
    if not isinstance(network_, Sequential) or network_.input_shape is None or not network_.layers:
        raise OptionError(
            f"{network_!r} has no text form",
            expected="a Sequential of one layer or more that knows its input_shape",
            remedy="write Sequential(..., input_shape=(784,)), or to_code(network) for any other",
        )
    _require_unshared(network_.layers)
    parts = [described(number, layer) for number, layer in enumerate(network_.layers, 1)]
    text = "-".join(["x".join(map(str, network_.input_shape)), *_words_apart(parts)])
    # The parser has the last word: what it would not read back is not handed out.
    if parse_network(text) != network_:
        raise OptionError(f"{network_!r} has no text form", expected="usual layers", remedy="write to_code(network)")
    return text


def _require_unshared(layers: Sequence[Layer]) -> None:
    counts = Counter(map(id, layers))
    for number, layer in enumerate(layers, 1):
        if counts[id(layer)] > 1:
            raise without_text(number, layer, "it is used twice, as one layer")


def _words_apart(parts: Sequence[Weighing | str]) -> list[str]:
    """The items, the words (if any) behind the last: activations that most layers share go into the words."""
    last = _last_weighing(parts)
    followed = {i for i, part in enumerate(parts[1:]) if isinstance(part, str) and part[:-2] in ACTIVATIONS}
    wanting = {i: part.activation for i, part in enumerate(parts) if isinstance(part, Weighing) and i not in followed}
    output = wanting.pop(last, "")
    counts = Counter(wanting.values())
    hidden = max(counts, key=lambda name: (counts[name], name == HIDDEN), default=HIDDEN)
    words = [] if (hidden, output or OUTPUT) == (HIDDEN, OUTPUT) or not wanting else [hidden]
    words += [output] if words and output not in {"", OUTPUT} else []
    understood = dict.fromkeys(wanting, hidden) | dict.fromkeys(followed, "linear")
    understood |= {last: words[1] if len(words) == 2 else OUTPUT} if output else {}
    items = [part if isinstance(part, str) else item(part, understood[i]) for i, part in enumerate(parts)]
    return [*items[:-1], " ".join([items[-1], *words])]
