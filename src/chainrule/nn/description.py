"""A network as one line of text, "784-16-16-10 relu softmax", and back."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

from chainrule.errors import OptionError, OptionTypeError, ParseError
from chainrule.graph import Shape
from chainrule.nn.activations import ACTIVATIONS
from chainrule.nn.build import Layer
from chainrule.nn.layers import Activation, Dense, Dropout, Flatten, Sequential
from chainrule.spelling import suggest

LONGEST = 2000
"""How many characters the text of a network may have."""
LARGEST = 10_000_000
"""How large one size in the text of a network may be."""
HIDDEN, OUTPUT = "relu", "linear"
"""The activations of hidden and output layers where the text names none."""

_DASH = re.compile(r"-(?![^()]*\))")  # not the one of 1e-3 within brackets
_CALL = re.compile(r"([^()]*)\(([^()]*)\)")
_EXAMPLE = "784-16-16-10 relu softmax"
_ITEMS = "a size such as 16 or 16:tanh, flatten, dropout(0.2), or an activation such as tanh()"


@dataclass(frozen=True)
class _Piece:
    """A part of the text and where it stands, for errors that point."""

    text: str
    start: int
    whole: str

    def split(self, separator: re.Pattern[str]) -> list[_Piece]:
        """The pieces between the separators."""
        ends = [(found.start(), found.end()) for found in separator.finditer(self.text)]
        starts, stops = [0, *(end for _, end in ends)], [*(start for start, _ in ends), len(self.text)]
        return [_Piece(self.text[i:j], self.start + i, self.whole) for i, j in zip(starts, stops, strict=True)]

    def refuse(self, happened: str, expected: str, remedy: str) -> NoReturn:
        """Raises the error, with carets under the piece."""
        left, right = max(0, self.start - 60), self.start + max(60, len(self.text))
        marks = " " * (self.start - left) + "^" * max(1, len(self.text))
        drawn = f"      {self.whole[left:right]}\n      {marks}"
        raise ParseError(f"the network's text has {happened}\n{drawn}", expected=expected, remedy=remedy)


@dataclass(frozen=True)
class _Size:
    """A size in the text, which becomes a Dense layer; without an activation of its own it takes one of the words."""

    units: int
    activation: str
    bias: bool


_Part: TypeAlias = "_Size | Layer"


def network(text: str) -> Sequential:
    """The network that a text describes.

    Sizes are joined by dashes; the first is the input's, and may be a shape: 28x28. Each further size is a Dense layer.
    Between the dashes there may also be `flatten`, `dropout(0.2)`, and an activation as a layer of its own, `tanh()`. A size
    may say its activation, `16:tanh`, and that it has no bias, `16:nobias` or `16:tanh:nobias`.

    Behind the sizes one word gives the activation of the hidden layers, two words those of hidden and output layers. Without
    words hidden layers have relu and the output layer is linear. A size right before `tanh()` and the like is linear.

    Raises: ParseError, which points at the piece.

    >>> network("784-16-10 relu softmax")
    Sequential(Dense(16, 'relu'), Dense(10, 'softmax'), input_shape=(784,))
    >>> network("28x28-flatten-16:tanh:nobias-dropout(0.2)-10")
    Sequential(Flatten(), Dense(16, 'tanh', bias=False), Dropout(0.2), Dense(10), input_shape=(28, 28))
    >>> network("784-16-16-10 sigmiod")
    Traceback (most recent call last):
    ...
    chainrule.errors.ParseError: the network's text has the word 'sigmiod'
          784-16-16-10 sigmiod
                       ^^^^^^^
      expected: the name of an activation
      to mend it: did you mean 'sigmoid'?
    """
    structure, *words = _tidy(text).split(re.compile(" "))
    first, *items = structure.split(_DASH)
    shape = _input_shape(first)
    if not items:
        first.refuse("an input and no layer", "a size to each layer behind the input's", f"write for example {first.text}-10")
    parts = [_part(item) for item in items]
    for part, item in zip(parts, items, strict=True):
        if isinstance(part, Flatten):
            break
        if isinstance(part, _Size) and len(shape) > 1:
            item.refuse(f"a Dense layer on an input of shape {first.text}", "a row of numbers", "put flatten- before it")
    return Sequential(*_layers(parts, words), input_shape=shape)


def _tidy(text: object) -> _Piece:
    """The text with single blanks, and none around dashes, colons, brackets and within shapes."""
    if not isinstance(text, str):
        raise OptionTypeError(f"the network's text {text!r}", expected="a text", remedy=f'write "{_EXAMPLE}"')
    if len(text) > LONGEST:
        happened = f"the network's text has {len(text)} characters"
        raise ParseError(happened, expected=f"at most {LONGEST}", remedy="write the network in Python")
    tidy = re.sub(r" ?([-:(]) ?", r"\1", " ".join(text.split())).replace(" )", ")")
    tidy = re.sub(r"(?<=[0-9]) ?x ?(?=[0-9])", "x", tidy)
    return _Piece(tidy, 0, tidy)


def _input_shape(piece: _Piece) -> Shape:
    return tuple(_size(extent) for extent in piece.split(re.compile("x")))


def _size(piece: _Piece) -> int:
    digits = piece.text.lstrip("0")
    if not piece.text:
        piece.refuse("an empty size", "a number of 1 or more between two dashes", f'write for example "{_EXAMPLE}"')
    if not (piece.text.isascii() and piece.text.isdigit()):
        odd = any(sign in piece.text for sign in "‐‑‒–—−×")
        remedy = "write the plain signs - and x" if odd else f'write for example "{_EXAMPLE}"'
        piece.refuse(f"{piece.text!r} where a size is wanted", "digits", remedy)
    if not digits:
        piece.refuse("a size of 0", "1 or more", "leave the layer out, or give it neurons")
    if len(digits) > len(str(LARGEST)) or int(digits) > LARGEST:
        piece.refuse("a size that is too large", f"at most {LARGEST}", "choose a smaller layer")
    return int(digits)


def _part(piece: _Piece) -> _Part:
    call = _CALL.fullmatch(piece.text)
    if call is not None:
        return _called(piece, call[1], call[2])
    if piece.text == "flatten":
        return Flatten()
    size, *options = piece.split(re.compile(":"))
    if size.text and not size.text[0].isdigit():
        known = [*(f"{name}()" for name in ACTIVATIONS), "flatten", "dropout(0.2)"]
        remedy = suggest(f"{size.text}()", known, suggest(size.text, known, "write a size"))
        size.refuse(f"{size.text!r} for a layer", _ITEMS, remedy)
    if "x" in size.text:
        size.refuse(f"the shape {size.text} for a layer", "a shape for the input only", "write how many neurons the layer has")
    return _sized(_size(size), options)


def _sized(units: int, options: Sequence[_Piece]) -> _Size:
    activation, bias = "", True
    for option in options:
        if option.text == "nobias" and bias:
            bias = False
        elif option.text in ACTIVATIONS and not activation:
            activation = option.text
        else:
            twice = option.text == "nobias" or option.text in ACTIVATIONS
            remedy = "leave it out" if twice else suggest(option.text, [*ACTIVATIONS, "nobias"], "write for example 16:tanh")
            option.refuse(f"{option.text!r} behind a size", "one activation, and nobias", remedy)
    return _Size(units, activation, bias)


def _called(piece: _Piece, name: str, argument: str) -> Layer:
    if name == "dropout":
        return _dropout(piece, argument)
    if argument or (name != "flatten" and name not in ACTIVATIONS):
        known = [*ACTIVATIONS, "flatten", "dropout"]
        remedy = f"write {name}()" if name in known else suggest(name, known, "choose one of these")
        piece.refuse(f"{piece.text!r} for a layer", _ITEMS, remedy)
    return Flatten() if name == "flatten" else Activation(name)


def _dropout(piece: _Piece, argument: str) -> Dropout:
    try:
        return Dropout(float(argument))
    except (ValueError, OptionError):
        piece.refuse(f"{piece.text!r}", "a rate from 0 to below 1", "write for example dropout(0.2)")


def _layers(parts: Sequence[_Part], words: Sequence[_Piece]) -> list[Layer]:
    """The layers, the words' activations given to those sizes that have none of their own."""
    wanting, last = _wanting(parts), _last_size(parts)
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
    return [
        Dense(part.units, chosen.get(i, part.activation or "linear"), bias=part.bias) if isinstance(part, _Size) else part
        for i, part in enumerate(parts)
    ]


def _wanting(parts: Sequence[_Part]) -> set[int]:
    """The places of the sizes whose activation is not written at them or right behind them."""
    followed = {i for i, part in enumerate(parts[1:]) if isinstance(part, Activation)}
    return {i for i, part in enumerate(parts) if isinstance(part, _Size) and not part.activation} - followed


def _last_size(parts: Sequence[_Part]) -> int:
    return max((i for i, part in enumerate(parts) if isinstance(part, _Size)), default=-1)


def _word(word: _Piece) -> str:
    if word.text not in ACTIVATIONS:
        remedy = suggest(word.text, ACTIVATIONS, f"choose one of {', '.join(ACTIVATIONS)}")
        word.refuse(f"the word {word.text!r}", "the name of an activation", remedy)
    return word.text


# ---- and back


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
    parts = [_described(number, layer) for number, layer in enumerate(network_.layers, 1)]
    text = "-".join(["x".join(map(str, network_.input_shape)), *_words_apart(parts)])
    # The parser has the last word: what it would not read back is not handed out.
    if network(text) != network_:
        raise OptionError(f"{network_!r} has no text form", expected="usual layers", remedy="write to_code(network)")
    return text


def _require_unshared(layers: Sequence[Layer]) -> None:
    counts = Counter(map(id, layers))
    for number, layer in enumerate(layers, 1):
        if counts[id(layer)] > 1:
            raise _without_text(number, layer, "it is used twice, as one layer")


def _without_text(number: int, layer: Layer, why: str) -> OptionError:
    return OptionError(
        f"layer {number}, {layer!r}, has no text form: {why}",
        expected="Dense, Flatten, Dropout and Activation, without names and initialisers of their own",
        remedy="write to_code(network) or to_json(network), which can say more",
    )


def _described(number: int, layer: Layer) -> _Size | str:
    """A Dense layer as size, another one as its text."""
    if not isinstance(layer, Dense | Dropout | Flatten | Activation):
        raise _without_text(number, layer, f"there is no word for {type(layer).__name__}")
    if layer.name:
        raise _without_text(number, layer, "it has a name")
    match layer:
        case Dense():
            if layer != Dense(layer.units, layer.activation, layer.bias):
                raise _without_text(number, layer, "it has initialisers of its own")
            return _Size(layer.units, layer.activation, layer.bias)
        case Dropout():
            return f"dropout({float(layer.rate)!r})"
        case Flatten():
            return "flatten"
        case Activation():
            return f"{layer.function}()"


def _words_apart(parts: Sequence[_Size | str]) -> list[str]:
    """The items, the words (if any) behind the last: activations that most layers share go into the words."""
    sizes = [i for i, part in enumerate(parts) if isinstance(part, _Size)]
    followed = {i for i, part in enumerate(parts[1:]) if isinstance(part, str) and part[:-2] in ACTIVATIONS}
    wanting = {i: part.activation for i, part in enumerate(parts) if isinstance(part, _Size) and i not in followed}
    output = wanting.pop(sizes[-1], "") if sizes else ""
    counts = Counter(wanting.values())
    hidden = max(counts, key=lambda name: (counts[name], name == HIDDEN), default=HIDDEN)
    words = [] if (hidden, output or OUTPUT) == (HIDDEN, OUTPUT) or not wanting else [hidden]
    words += [output] if words and output not in {"", OUTPUT} else []
    understood = dict.fromkeys(wanting, hidden) | dict.fromkeys(followed, "linear")
    understood |= {sizes[-1]: words[1] if len(words) == 2 else OUTPUT} if output else {}
    items = [part if isinstance(part, str) else _item(part, understood[i]) for i, part in enumerate(parts)]
    return [*items[:-1], " ".join([items[-1], *words])]


def _item(size: _Size, understood: str) -> str:
    activation = "" if size.activation == understood else f":{size.activation}"
    return f"{size.units}{activation}{'' if size.bias else ':nobias'}"
