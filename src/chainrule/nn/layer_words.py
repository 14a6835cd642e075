"""Single layers in the text of a network, "16:tanh" or "conv5x5x16:same", read and written by what each layer says of itself."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, replace
from functools import cache
from types import NoneType
from typing import Annotated, Any, Literal, TypeAlias, cast, get_args, get_origin

from chainrule.checks import Choice
from chainrule.descriptions import descriptions, hints_of
from chainrule.errors import ChainruleError, OptionError, ParseError
from chainrule.graph import Shape
from chainrule.immutable import immutable
from chainrule.nn.activations import ACTIVATIONS
from chainrule.nn.build import Layer
from chainrule.nn.frozen import Frozen
from chainrule.nn.layers import Activation
from chainrule.nn.piece import TextPiece, shape_of
from chainrule.nn.word import Word
from chainrule.spelling import suggest

_CALL = re.compile(r"([^()]*)\(([^()]*)\)")
_WORD = re.compile(r"([a-z]*)([0-9][0-9x]*)?")
_NUMBERED = re.compile(r"([a-z_]+)([0-9][0-9x]*)")
FROZEN = "frozen"
"""The word behind a layer that keeps its weights."""
_ITEMS = "a size such as 16 or 16:tanh, conv5x5x16, pool2, flatten, dropout(0.2), or an activation such as tanh()"


@immutable
class Weighing:
    """A layer with weights as a text has it: itself with no activation, and the activation, "" where one of the words is taken."""

    layer: Layer
    activation: str
    frozen: bool = False


Part: TypeAlias = "Weighing | Layer"


def _kinds() -> dict[str, list[type[Any]]]:
    """The layers by their words: whoever writes a layer may give it one."""
    found: dict[str, list[type[Any]]] = {}
    for kind in descriptions().values():
        word = getattr(kind, "in_text", None)
        if isinstance(word, Word):
            found.setdefault(word.text, []).append(kind)
    return found


def _examples(kinds: Sequence[type[Any]]) -> list[str]:
    return [kind.in_text.example for kind in kinds]


def known_word(text: str) -> bool:
    """Whether a text begins as a layer does: with a size, or with a word for one.

    >>> known_word("conv5x5x16"), known_word("16"), known_word("tanh")
    (True, True, False)
    """
    found = _WORD.match(text)
    return text[:1].isdigit() or (found is not None and bool(found[1]) and found[1] in _kinds())


def part(piece: TextPiece) -> Part:
    """The layer that a piece of the text means."""
    call = _CALL.fullmatch(piece.text)
    if call is not None:
        return _called(piece, call[1], call[2])
    head, *options = piece.split(re.compile(":"))
    if FROZEN in [option.text for option in options]:
        return _frozen(part(_without(piece, options)))
    found, words = _WORD.fullmatch(head.text), _kinds()
    # What begins with a digit is meant as numbers, whatever follows.
    word = "" if not head.text or head.text[0].isdigit() else found[1] if found else head.text
    kinds = [kind for kind in words.get(word, []) if not kind.in_text.in_brackets]
    if not kinds:
        known = [*(f"{name}()" for name in ACTIVATIONS), *(text for several in words.values() for text in _examples(several))]
        remedy = suggest(f"{head.text}()", known, suggest(head.text, known, "write a size"))
        head.refuse(f"{head.text!r} for a layer", _ITEMS, remedy)
    bare = len(head.text) == len(word) and bool(word)
    sizes = () if bare else shape_of(TextPiece(head.text[len(word) :], head.start + len(word), head.whole))
    kind = next((kind for kind in kinds if kind.in_text.fits(len(sizes))), None)
    if kind is None:
        asked = " or ".join(dict.fromkeys(" and ".join(kind.in_text.fields) or "nothing" for kind in kinds))
        piece.refuse(f"{piece.text!r}", f"{asked} behind the word", f"write for example {', or '.join(_examples(kinds))}")
    return _made(piece, kind, kind.in_text.values(sizes), _options(kind, options))


def _without(piece: TextPiece, options: Sequence[TextPiece]) -> TextPiece:
    """A piece without the word that freezes it, which stands behind all others."""
    *others, last = options
    if last.text != FROZEN or FROZEN in [option.text for option in others]:
        piece.refuse(f"{piece.text!r}", f"{FROZEN} once, behind all other words", f"write for example 16:tanh:{FROZEN}")
    return TextPiece(piece.text.removesuffix(f":{FROZEN}"), piece.start, piece.whole)


def _frozen(found: Part) -> Part:
    return replace(found, frozen=True) if isinstance(found, Weighing) else Frozen(found)


def _made(piece: TextPiece, kind: type[Any], values: Mapping[str, object], options: dict[str, object]) -> Part:
    activation = str(options.pop("activation", "")) if _is_weighing(kind) else None
    try:
        layer: Layer = kind(**values, **options)
    except ChainruleError as error:
        piece.refuse(f"{piece.text!r}: {error.happened}", error.expected, error.remedy)
    return layer if activation is None else Weighing(layer, activation)


def _is_weighing(kind: type[Any]) -> bool:
    """Whether the words behind the layers give it its activation: it is linear unless it is told otherwise."""
    return _usual(kind).get("activation") == "linear"


@cache
def _usual(kind: type[Any]) -> dict[str, object]:
    """The usual values of fields."""
    found = {part.name: part.default if part.default_factory is MISSING else part.default_factory() for part in fields(kind)}
    return {name: value for name, value in found.items() if value is not MISSING}


# ---- what stands behind colons: the fields' annotations say how their values are written


@cache
def _texts(kind: type[Any]) -> dict[str, tuple[str, object]]:
    """The texts that set a field, with the field and its value: the names of a choice, what is true or false by its name."""
    found: dict[str, tuple[str, object]] = {}
    for name, usual in _usual(kind).items():
        hint = hints_of(kind).get(name)
        if isinstance(usual, bool):
            found[f"no{name}" if usual else name] = name, not usual
        found |= {text: (name, text) for text in _names_in(hint)}
    return found


def _names_in(hint: Any) -> tuple[str, ...]:
    if get_origin(hint) is Annotated:
        choice = next((note for note in get_args(hint)[1:] if isinstance(note, Choice)), None)
        return _names_in(get_args(hint)[0]) if choice is None else tuple(choice.names)
    return cast("tuple[str, ...]", get_args(hint)) if get_origin(hint) is Literal else ()


@cache
def _numbered(kind: type[Any]) -> tuple[str, ...]:
    """The fields with a usual value that hold whole numbers, stride2."""
    return tuple(name for name in _usual(kind) if _is_of_numbers(hints_of(kind).get(name)))


def _is_of_numbers(hint: Any) -> bool:
    if get_origin(hint) is Annotated:
        return _is_of_numbers(get_args(hint)[0])
    return hint is int or any(map(_is_of_numbers, set(get_args(hint)) - {NoneType, float, str}))


def _options(kind: type[Any], pieces: Sequence[TextPiece]) -> dict[str, object]:
    """What stands behind the colons, by the layer's fields."""
    texts, numbered = _texts(kind), _numbered(kind)
    names = list(dict.fromkeys([*(name for name, _ in texts.values()), *numbered]))
    is_size = kind.in_text.example == "16"
    found: dict[str, object] = {}
    for piece in pieces:
        name, value = texts.get(piece.text) or _number(piece, numbered)
        if not name or name in found:
            expected = "one activation, and nobias" if is_size else f"{', '.join(names)}, each once" if names else "nothing"
            nothing = "write for example 16:tanh" if is_size else "leave it out"
            piece.refuse(
                f"{piece.text!r} behind a {'size' if is_size else 'layer'}",
                expected,
                "leave it out" if name else suggest(piece.text, [*texts, *(f"{name}2" for name in numbered), FROZEN], nothing),
            )
        found[name] = value
    return found


def _number(piece: TextPiece, numbered: Sequence[str]) -> tuple[str, object]:
    """The field that a name with numbers sets, and its value; ("", None) for what is none."""
    found = _NUMBERED.fullmatch(piece.text)
    if found is None or found[1] not in numbered:
        return "", None
    sizes = shape_of(TextPiece(found[2], piece.start + len(found[1]), piece.whole))
    return found[1], sizes[0] if len(sizes) == 1 else sizes


def _called(piece: TextPiece, name: str, argument: str) -> Layer:
    words = _kinds()
    kind = next((kind for kind in words.get(name, []) if kind.in_text.in_brackets), None)
    if kind is not None:
        try:
            return kind(float(argument))
        except (ValueError, OptionError) as error:
            expected = error.expected if isinstance(error, OptionError) else "a number in brackets"
            piece.refuse(f"{piece.text!r}", expected, f"write for example {kind.in_text.example}")
    plain = {word: kinds[0] for word, kinds in words.items() if not kinds[0].in_text.count}
    if argument or (name not in plain and name not in ACTIVATIONS):
        known = [*ACTIVATIONS, *plain, *(word for word, kinds in words.items() if kinds[0].in_text.in_brackets)]
        remedy = f"write {name}()" if name in known else suggest(name, known)
        piece.refuse(f"{piece.text!r} for a layer", _ITEMS, remedy)
    return plain[name]() if name in plain else Activation(name)


# ---- and back


def described(number: int, layer: Layer) -> Weighing | str:
    """A layer with an activation of its own apart from it, another one as its text.

    Raises: OptionError, naming the layer, where it has no text.
    """
    written = _written(layer)
    if written is None:
        several = "" if not isinstance(layer, Frozen) or len(layer.layers) < 2 else " of several layers"
        raise without_text(number, layer, f"there is no word for {type(layer).__name__}{several}")
    text = item(written, "") if isinstance(written, Weighing) else written
    try:
        again = part(TextPiece(text, 0, text))
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


def finished(weighing: Weighing, word: str) -> Layer:
    """The layer with its activation, or with the word's where it has none of its own."""
    layer: Layer = replace(cast("Any", weighing.layer), activation=weighing.activation or word or "linear")
    return Frozen(layer) if weighing.frozen else layer


def item(weighing: Weighing, understood: str) -> str:
    """The text of a layer with weights; the activation is left out where it is understood."""
    head, *tail = _text(weighing.layer).split(":")
    activation = [] if weighing.activation == understood else [weighing.activation]
    return ":".join([head, *activation, *tail, *([FROZEN] * weighing.frozen)])


def _written(layer: Layer) -> Weighing | str | None:
    if isinstance(layer, Frozen):
        (inner, *others) = layer.layers
        found = None if others else _written(inner)
        return replace(found, frozen=True) if isinstance(found, Weighing) else found and f"{found}:{FROZEN}"
    if isinstance(layer, Activation):
        return f"{layer.function}()"
    if not isinstance(getattr(layer, "in_text", None), Word):
        return None
    if _is_weighing(type(layer)):
        plain = cast("Any", layer)
        return Weighing(replace(plain, activation="linear"), plain.activation)
    return _text(layer)


def _text(layer: Layer) -> str:
    """The word, its numbers, and the options that are not as usual; one that has no text shows when this is read again."""
    kind: type[Any] = type(layer)
    word: Word = kind.in_text
    values: list[Any] = [getattr(layer, name) for name in word.fields]
    if word.in_brackets:
        return f"{word.text}({float(values[0])!r})"
    if values and isinstance(values[0], int) and word.count > len(values):
        values[0] = (values[0],) * (word.count - len(values) + 1)
    options: list[str] = []
    for name, usual in _usual(kind).items():
        value = getattr(layer, name)
        if value != usual:
            texts = [text for text, sets in _texts(kind).items() if sets == (name, value)]
            options += [f":{text}" for text in texts or ([f"{name}{_joined(value)}"] if name in _numbered(kind) else [])]
    return f"{word.text}{'x'.join(map(_joined, values))}{''.join(options)}"


def _joined(sizes: object) -> str:
    return "x".join(map(str, cast("Shape", sizes))) if isinstance(sizes, tuple) else str(sizes)


def _own_initialisers(layer: Layer) -> bool:
    usual = _usual(type(layer))
    names = {"weights", "biases", "recurrent", "gains"} & set(usual)
    return any(getattr(layer, name) != usual[name] for name in names)
