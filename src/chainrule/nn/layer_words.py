"""The words for single layers in the text of a network, "16:tanh" or "conv5x5x16:same", read and written."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from typing import Any, TypeAlias, cast

from chainrule.errors import ChainruleError, OptionError, ParseError
from chainrule.graph import Shape
from chainrule.nn.activations import ACTIVATIONS
from chainrule.nn.build import Layer
from chainrule.nn.convolution import Conv1D, Conv2D
from chainrule.nn.embedding import Embedding, OneHot
from chainrule.nn.filters import Filtering
from chainrule.nn.layers import Activation, Dense, Dropout, Flatten, Reshape
from chainrule.nn.normalisation import GroupNorm, LayerNorm
from chainrule.nn.padding import PADDINGS
from chainrule.nn.piece import Piece, shape_of
from chainrule.nn.pooling import AveragePool, GlobalAveragePool, GlobalMaxPool, MaxPool, UpSample
from chainrule.nn.recurrent import GRU, LSTM, RNN
from chainrule.nn.transposed import ConvTranspose1D, ConvTranspose2D
from chainrule.spelling import suggest

Weighted: TypeAlias = "Dense | Filtering"
"""The layers with an activation of their own."""
FILTERS: dict[str, tuple[type[Weighted], type[Weighted]]] = {
    "conv": (Conv1D, Conv2D), "convtranspose": (ConvTranspose1D, ConvTranspose2D),
}  # fmt: skip
"""Layers with filters: the word, then the kernel's sizes and the number of filters, conv5x5x16; along one axis conv5x16."""
SIZED: dict[str, type[Any]] = {"pool": MaxPool, "averagepool": AveragePool, "up": UpSample, "groupnorm": GroupNorm}
"""Layers whose first field stands behind the word: pool2, pool2x1."""
COUNTED: dict[str, type[Any]] = {"rnn": RNN, "lstm": LSTM, "gru": GRU, "onehot": OneHot, "embedding": Embedding}
"""Layers whose fields without a usual value, whole numbers, stand behind the word: lstm64, embedding16x35."""
PLAIN: dict[str, type[Any]] = {
    "flatten": Flatten, "globalpool": GlobalMaxPool, "globalaveragepool": GlobalAveragePool, "layernorm": LayerNorm,
}  # fmt: skip
"""Layers that are a word alone."""

_CALL = re.compile(r"([^()]*)\(([^()]*)\)")
_WORD = re.compile(r"([a-z]+)([0-9][0-9x]*)?")
_NUMBERED = re.compile(r"(stride|dilation|groups)([0-9][0-9x]*)")
_ITEMS = "a size such as 16 or 16:tanh, conv5x5x16, pool2, flatten, dropout(0.2), or an activation such as tanh()"


@dataclass(frozen=True)
class Weighing:
    """A layer with weights as a text has it: itself with no activation, and the activation, "" where one of the words is taken."""

    layer: Weighted
    activation: str


Part: TypeAlias = "Weighing | Layer"


def known_word(text: str) -> bool:
    """Whether a text begins as a layer does: with a size, or with a word for one.

    >>> known_word("conv5x5x16"), known_word("16"), known_word("tanh")
    (True, True, False)
    """
    found = _WORD.match(text)
    return text[:1].isdigit() or (found is not None and found[1] in {*FILTERS, *SIZED, *COUNTED, *PLAIN, "dropout"})


def part(piece: Piece) -> Part:
    """The layer that a piece of the text means."""
    call = _CALL.fullmatch(piece.text)
    if call is not None:
        return _called(piece, call[1], call[2])
    head, *options = piece.split(re.compile(":"))
    if not head.text or head.text[0].isdigit():
        return _numbered(head, options)
    found = _WORD.fullmatch(head.text)
    word = found[1] if found is not None else head.text
    if word not in {*FILTERS, *SIZED, *COUNTED, *PLAIN}:
        known = [*(f"{name}()" for name in ACTIVATIONS), "dropout(0.2)", "conv5x5x16", "convtranspose5x5x16"]
        known += [
            *(f"{name}2" for name in SIZED),
            *PLAIN,
            *(f"{name}{'x'.join(['16'] * _count(kind))}" for name, kind in COUNTED.items()),
        ]
        remedy = suggest(f"{head.text}()", known, suggest(head.text, known, "write a size"))
        head.refuse(f"{head.text!r} for a layer", _ITEMS, remedy)
    sizes = shape_of(Piece(head.text[len(word) :], head.start + len(word), head.whole)) if len(head.text) > len(word) else ()
    if word in FILTERS:
        return _filters(piece, word, sizes, options)
    if word in COUNTED:
        return _counted(piece, word, sizes, options)
    if word in SIZED and not sizes:
        head.refuse(f"{word!r} without a size", "a number behind the word", f"write for example {word}2")
    if word in PLAIN and sizes:
        head.refuse(f"{head.text!r}", f"{word} alone", f"write {word}")
    kind = SIZED[word] if word in SIZED else PLAIN[word]
    return _made(piece, kind, [sizes[0] if len(sizes) == 1 else sizes] if sizes else [], _options(kind, options))


def _numbered(head: Piece, options: Sequence[Piece]) -> Part:
    sizes = shape_of(head)
    if len(sizes) == 1:
        given = _options(Dense, options)
        activation = str(given.pop("activation", ""))
        return Weighing(Dense(sizes[0], **cast("Any", given)), activation)
    if options:
        options[0].refuse(f"{options[0].text!r} behind a shape", "a shape alone", "leave it out")
    return Reshape(sizes)


def _filters(piece: Piece, word: str, sizes: Shape, options: Sequence[Piece]) -> Weighing:
    if len(sizes) not in (2, 3):
        expected = "the sizes of the kernel, then how many filters there are"
        piece.refuse(f"{piece.text!r}", expected, f"write for example {word}5x5x16, or {word}5x16 along one axis")
    kind = FILTERS[word][len(sizes) - 2]
    given = _options(kind, options)
    activation = str(given.pop("activation", ""))
    kernel = sizes[0] if len(sizes) == 2 else sizes[:2]
    return Weighing(cast("Weighted", _made(piece, kind, [sizes[-1], kernel], given)), activation)


def _count(kind: type) -> int:
    """How many fields of a layer have no usual value."""
    return sum(field.default is MISSING and field.default_factory is MISSING for field in fields(cast("Any", kind)))


def _counted(piece: Piece, word: str, sizes: Shape, options: Sequence[Piece]) -> Layer:
    kind = COUNTED[word]
    names = [field.name for field in fields(kind)][: _count(kind)]
    if len(sizes) != len(names):
        expected, shown = " and ".join(names), "x".join(["64", "30"][: len(names)])
        piece.refuse(f"{piece.text!r}", f"{expected} behind the word", f"write for example {word}{shown}")
    return _made(piece, kind, sizes, _options(kind, options))


def _made(piece: Piece, kind: type, values: Sequence[object], options: Mapping[str, object]) -> Layer:
    try:
        return cast("Layer", kind(*values, **options))
    except ChainruleError as error:
        piece.refuse(f"{piece.text!r}: {error.happened}", error.expected, error.remedy)


def _options(kind: type, pieces: Sequence[Piece]) -> dict[str, object]:
    """What stands behind the colons, by the layer's fields."""
    names = _option_fields(kind)
    found: dict[str, object] = {}
    for piece in pieces:
        name, value = _option(piece)
        if name not in names or name in found:
            known = [word for field in names for word in _SPELLINGS[field]]
            expected = (
                "one activation, and nobias" if kind is Dense else f"{', '.join(names)}, each once" if names else "nothing"
            )
            nothing = "write for example 16:tanh" if kind is Dense else "leave it out"
            piece.refuse(
                f"{piece.text!r} behind a {'size' if kind is Dense else 'layer'}",
                expected,
                "leave it out" if name in found else suggest(piece.text, known, nothing),
            )
        found[name] = value
    return found


def _option(piece: Piece) -> tuple[str, object]:
    """The field that an option sets and its value; ("", None) for what is none."""
    if piece.text == "nobias":
        return "bias", False
    if piece.text == "every":
        return "answer", "every"
    if piece.text in ACTIVATIONS:
        return "activation", piece.text
    if piece.text in PADDINGS:
        return "padding", piece.text
    found = _NUMBERED.fullmatch(piece.text)
    if found is None:
        return "", None
    sizes = shape_of(Piece(found[2], piece.start + len(found[1]), piece.whole))
    return found[1], sizes[0] if len(sizes) == 1 else sizes


_SPELLINGS: Mapping[str, Sequence[str]] = {
    "activation": tuple(ACTIVATIONS), "stride": ("stride2",), "dilation": ("dilation2",), "groups": ("groups2",),
    "padding": PADDINGS, "bias": ("nobias",), "answer": ("every",),
}  # fmt: skip
"""How the values of a field are written, one of each kind."""


def _option_fields(kind: type) -> list[str]:
    """The fields of a layer that may be set behind a colon; the first field stands at the word."""
    own = [field.name for field in fields(cast("Any", kind))][1:]
    return [name for name in _SPELLINGS if name in own]


def _called(piece: Piece, name: str, argument: str) -> Layer:
    if name == "dropout":
        return _dropout(piece, argument)
    if argument or (name != "flatten" and name not in ACTIVATIONS):
        known = [*ACTIVATIONS, "flatten", "dropout"]
        remedy = f"write {name}()" if name in known else suggest(name, known, "choose one of these")
        piece.refuse(f"{piece.text!r} for a layer", _ITEMS, remedy)
    return Flatten() if name == "flatten" else Activation(name)


def _dropout(piece: Piece, argument: str) -> Dropout:
    try:
        return Dropout(float(argument))
    except (ValueError, OptionError):
        piece.refuse(f"{piece.text!r}", "a rate from 0 to below 1", "write for example dropout(0.2)")


# ---- and back


def described(number: int, layer: Layer) -> Weighing | str:
    """A layer with an activation of its own apart from it, another one as its text.

    Raises: OptionError, naming the layer, where it has no text.
    """
    written = _written(layer)
    if written is None:
        raise without_text(number, layer, f"there is no word for {type(layer).__name__}")
    text = item(written, "") if isinstance(written, Weighing) else written
    try:
        again = part(Piece(text, 0, text))
    except ParseError:
        again = None
    if (finished(again, "") if isinstance(again, Weighing) else again) != layer:
        own = "it has initialisers of its own" if _own_initialisers(layer) else "it has settings that have no word"
        raise without_text(number, layer, "it has a name" if getattr(layer, "name", "") else own)
    return written


def without_text(number: int, layer: Layer, why: str) -> OptionError:
    """The error for a layer of a network that has no text."""
    return OptionError(
        f"layer {number}, {layer!r}, has no text form: {why}",
        expected="the layers that a text has words for, without names and initialisers of their own",
        remedy="write to_code(network) or to_json(network), which can say more",
    )


def finished(weighing: Weighing, word: str) -> Weighted:
    """The layer with its activation, or with the word's where it has none of its own."""
    return replace(weighing.layer, activation=weighing.activation or word or "linear")


def item(weighing: Weighing, understood: str) -> str:
    """The text of a layer with weights; the activation is left out where it is understood."""
    activation = "" if weighing.activation == understood else f":{weighing.activation}"
    layer = weighing.layer
    return f"{_head(layer)}{activation}{_tail(layer)}"


def _head(layer: Weighted) -> str:
    if isinstance(layer, Dense):
        return str(layer.units)
    word, space = next((word, i + 1) for word, kinds in FILTERS.items() for i, kind in enumerate(kinds) if type(layer) is kind)
    kernel = layer.kernel if isinstance(layer.kernel, tuple) else (layer.kernel,) * space
    return word + _joined((*kernel, layer.filters))


def _written(layer: Layer) -> Weighing | str | None:
    words = {kind: word for word, kind in (SIZED | COUNTED | PLAIN).items()}
    match layer:
        case Dense() | Filtering():
            return Weighing(replace(layer, activation="linear"), layer.activation)
        case Dropout():
            return f"dropout({float(layer.rate)!r})"
        case Activation():
            return f"{layer.function}()"
        case Reshape():
            return _joined(layer.shape)
        case _ if type(layer) in words:
            word = words[type(layer)]
            count = 1 if word in SIZED else _count(type(layer)) if word in COUNTED else 0
            sizes = "x".join(_joined(getattr(layer, part.name)) for part in fields(cast("Any", layer))[:count])
            return f"{word}{sizes}{_tail(layer, apart=())}"
        case _:
            return None


def _joined(sizes: object) -> str:
    return "x".join(map(str, cast("Shape", sizes))) if isinstance(sizes, tuple) else str(sizes)


def _own_initialisers(layer: Layer) -> bool:
    parts = (part for part in fields(cast("Any", layer)) if part.name in {"weights", "biases", "recurrent", "gains"})
    usual = {part.name: part.default if part.default_factory is MISSING else part.default_factory() for part in parts}
    return any(getattr(layer, name) != value for name, value in usual.items())


def _tail(layer: Layer, apart: Sequence[str] = ("activation",)) -> str:
    """The options of a layer that are not as usual, but for those that are written apart from it."""
    usual = {field.name: field.default for field in fields(cast("Any", layer))}
    names = [name for name in _option_fields(type(layer)) if name not in apart and getattr(layer, name) != usual[name]]
    words = {"bias": "nobias", "answer": "every"}
    words |= {name: str(getattr(layer, name, "")) for name in ("padding", "activation")}
    return "".join(f":{words.get(name) or name + _joined(getattr(layer, name))}" for name in names)
