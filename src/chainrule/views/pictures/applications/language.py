"""Pictures of networks that read texts: what may come next, what surprised them, where words lie, how words weigh."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.train import Run
from chainrule.train.generation import reader_of
from chainrule.views.marks import Bars, ErrorBars, Image, Mark, Points, Rule, Scale, Text
from chainrule.views.panels import Axis, Panel
from chainrule.views.pictures.features.representations import principal_axes
from chainrule.views.pictures.kinds import embeds, predicts_tokens, suits, weighs_words
from chainrule.views.plain import counted, printable
from chainrule.views.view import View, chart, numbers

_MOST_CANDIDATES, _LEAST_CHANCE = 24, 0.05
_LINE = 64
_MOST_BITS = 10.0
_SIGNS = {" ": "␣", "\n": "⏎", "\t": "⇥"}


@suits(predicts_tokens)
def next_tokens(run: Run, text: str, replica: int = 0) -> View:
    """The probabilities of the likeliest next tokens at each place of a text, by a network that predicts tokens.

    The numbers: `chances` (tokens, candidates), the probability of each of `candidates` at each of `tokens`.
    """
    reader, chances = reader_of(run.problem), run.token_probabilities(text, replica)
    tokens, known = reader.cut_up(text), reader.vocabulary.tokens
    highest: list[float] = chances.max(axis=0).tolist()
    ranked = sorted(
        (place for place in range(len(known)) if highest[place] >= _LEAST_CHANCE), key=lambda place: -highest[place]
    )
    kept = sorted(ranked[:_MOST_CANDIDATES], key=lambda place: known[place])
    candidates, shown = [known[place] for place in kept], chances[:, kept]
    came = [(place, candidates.index(token)) for place, token in enumerate(tokens) if token in candidates]
    spots = np.array(came, dtype=np.float64).reshape(-1, 2)
    turn = 90.0 if max(map(len, tokens)) > 1 else 0.0
    return chart(
        f"What may come next, at each of {counted(len(tokens), 'place')} of a text",
        "A column is what the network expects at that place after all that stands left of it, the brighter the likelier; "
        "the circle is what did come; a column with one bright cell is a place where it is sure.",
        [
            Image(shown.T, scale=Scale("sequential", label="probability")),
            Points(spots[:, 0], spots[:, 1], color=1, size=6.0, hollow=True),
        ],
        Axis("the text, token by token", at=range(len(tokens)), texts=list(map(_sign, tokens)), turn=turn, size=8.0),
        Axis("candidates for the next token", at=range(len(candidates)), texts=list(map(_sign, candidates)), size=8.0),
        numbers(tokens=tokens, candidates=candidates, chances=shown),
        size=(9.0, 4.6),
    )


@suits(predicts_tokens)
def text_surprise(run: Run, texts: str | Mapping[str, str], replica: int = 0) -> View:
    """The surprise of a network that predicts tokens at each token of a text, or of several by their names.

    The numbers are the surprises −log₂ p in bits, (tokens,), of each text by its name.
    """
    named = {"text": texts} if isinstance(texts, str) else texts
    reader = reader_of(run.problem)
    found = {name: reader.cut_up(text) for name, text in named.items()}
    if not found or not all(found.values()):
        raise OptionError("surprise without a text", expected="one text or more, none empty", remedy="give a text")
    return _surprise_view(found, {name: surprises(run, text, replica) for name, text in named.items()})


def _surprise_view(texts: Mapping[str, Sequence[str]], bits: Mapping[str, Array]) -> View:
    """The view of `text_surprise`: lines of tokens with a bar above each."""
    means = ", ".join(f"{name}: {np.mean(values):.2f}" for name, values in bits.items())
    # A token out of place has any number of bits; the others shall be seen beside it.
    most = min(_MOST_BITS, max(4.0, *(float(np.max(values)) for values in bits.values())))
    marks, row, ticks = list[Mark](), 0.0, list[float]()
    scale = Scale("sequential", 0.0, most, f"surprise (bits, cut at {numeral(most, 3)})")
    for name, tokens in texts.items():
        ticks.append(-row)
        for places in _lines(tokens):
            marks += _line_of_text([tokens[place] for place in places], np.minimum(bits[name][places], most), row, scale)
            scale = replace(scale, label="")
            row += 1.05
        row += 0.35
    names = [printable(name, most=24) for name in texts]
    return chart(
        f"Surprise (mean bits to a token): {means}",
        "The bar above each token is the network's surprise −log₂ p at it, from what stands before it; a yellow high one was not "
        "expected, no bar means that the network was sure.",
        marks,
        Axis("place in the line (characters)", ends=(-0.5, _LINE + 0.5)),
        Axis("text, bits above it", at=ticks, texts=names, ends=(0.9 - row, 1.0)),
        dict(bits),
        size=(10.0, 4.8),
    )


def _line_of_text(words: Sequence[str], bits: Array, row: float, scale: Scale) -> list[Mark]:
    """The words, and a bar above each."""
    starts, widths = np.array(_starts(words)), np.array([max(1, len(word)) for word in words])
    middles: Array = starts + 0.4 * widths
    base = 0.22 - row
    return [
        Bars(middles, base + 0.62 * bits / scale.high, start=base, width=0.8 * widths, values=bits, scale=scale),
        Text(middles, np.full(len(words), -row), [_sign(word) for word in words], mono=True),
    ]


def surprises(run: Run, text: str, replica: int = 0) -> Array:
    """−log₂ of the probability that the network gave to each token of a text before it came: (tokens,), in bits."""
    ids = reader_of(run.problem).vocabulary.ids(reader_of(run.problem).cut_up(text))
    chances = run.token_probabilities(text, replica)[np.arange(len(ids)), ids]
    return -np.log2(np.maximum(chances, np.finfo(np.float32).tiny))


@suits(embeds)
def embedding_map(run: Run, layer: str = "embedding1", replica: int = 0) -> View:
    """The learned vectors of an Embedding layer, projected to a plane by their principal components; padding and unknown are left out.

    The numbers: `coordinates` (tokens, 2) of `tokens`, and the `shares` of the variance (2,).
    Raises: OptionError without texts, or without such a layer.
    """
    parameters, reader = run.parameters(replica), run.dataset_info.text
    table = parameters.get(f"{layer}.W")
    if reader is None or table is None or table.ndim != 2 or len(table) != len(reader.vocabulary) or table.shape[1] < 2:
        raise OptionError(
            f"vectors of tokens from {layer}.W",
            expected="an Embedding of two units or more, on data with a vocabulary",
            remedy=f"name the layer: one of {', '.join(name.rpartition('.')[0] for name in parameters)}",
        )
    rows, tokens = np.asarray(table[2:], dtype=np.float64), reader.vocabulary.tokens[2:]
    centred = rows - rows.mean(axis=0)
    axes, shares = principal_axes(centred)
    places = centred @ axes
    names = [f"component {place + 1}, {100 * share:.0f} % (units of the vectors)" for place, share in enumerate(shares)]
    return chart(
        f"Where {counted(len(tokens), 'token')} lie, {100 * float(np.sum(shares)):.0f} % of the variance",
        "Each token stands where its learned vector lies in the two directions of largest variance; tokens that the network "
        "treats alike lie close together.",
        [
            Points(*places.T, color=0, size=3.5),
            Text(places[:, 0], places[:, 1], list(map(_sign, tokens)), offset=(3, 3), across="left", up="bottom", size=9.0),
        ],
        Axis(names[0], margin=0.08),
        Axis(names[1], margin=0.08),
        numbers(tokens=tokens, coordinates=places, shares=shares),
        size=(6.4, 5.2),
    )


@suits(weighs_words)
def word_weights(run: Run, parameter: str = "dense1.W", most: int = 24) -> View:
    """The largest and the smallest weights of a network with one output on counts of words, mean over the replicas.

    The numbers: `weights` and `errors`, their standard deviation over replicas (0 for one), of `words`, largest first; each (words,).
    Raises: OptionError where the parameter is not (words, 1), or the inputs have no names.
    """
    replicas = [run.parameters(replica) for replica in range(run.settings.replicas)]
    names, found = run.dataset_info.features, replicas[0].get(parameter)
    if names is None or found is None or found.shape != (len(names), 1):
        raise OptionError(
            f"weights of words from {parameter}",
            expected="one output on counts of words: (words, 1)",
            remedy=f"name one of {', '.join(replicas[0])}",
        )
    values = np.array([each[parameter][:, 0] for each in replicas], dtype=np.float64)
    order = np.argsort(-values.mean(axis=0), kind="stable")
    ranked: list[int] = order.tolist()
    kept = ranked if len(ranked) <= most else [*ranked[: (most + 1) // 2], *ranked[-(most // 2) :]]
    label = (run.dataset_info.classes or ("the output", "the output"))[1]
    weights = values.mean(axis=0)[kept]
    errors = values.std(axis=0, ddof=1)[kept] if len(values) > 1 else np.zeros(len(kept))
    rest = f" {counted(len(ranked) - len(kept), 'word')} between them are left out." if len(ranked) > len(kept) else ""
    words = [names[place] for place in kept]
    return View(
        f"Which words speak for {printable(label, most=30)}, and which against it",
        "A bar is what the output gains by each occurrence of the word, to the right for it, to the left against it; "
        f"a thin line is the standard deviation over replicas.{rest}",
        [_word_bars(words, weights, errors)],
        numbers(words=words, weights=weights, errors=errors),
        size=(6.4, 6.0),
    )


def _word_bars(words: Sequence[str], weights: Array, errors: Array) -> Panel:
    """Bars, the largest on top, with their spread where there are several replicas."""
    places, signs = range(len(words)), [0 if weight >= 0 else 1 for weight in weights.tolist()]
    spread = [ErrorBars(places, weights - errors, weights + errors, flat=True, cap=0.0, width=0.8)] if np.any(errors) else []
    return Panel(
        [Rule(x=0.0), Bars(places, weights, flat=True, colors=signs), *spread],
        Axis("weight (change of z for one occurrence)"),
        Axis("word", at=places, texts=[printable(word, most=24) for word in words], size=8.0, ends=(len(words) - 0.5, -0.5)),
    )


def _sign(token: str) -> str:
    return _SIGNS.get(token, printable(token, most=16))


def _lines(tokens: Sequence[str]) -> list[list[int]]:
    """The places of the tokens in each line of at most so many characters."""
    lines: list[list[int]] = [[]]
    width = 0
    for place, token in enumerate(tokens):
        if width + len(token) > _LINE and lines[-1]:
            lines.append([])
            width = 0
        lines[-1].append(place)
        width += max(1, len(token)) + (len(token) > 1)
    return lines


def _starts(tokens: Sequence[str]) -> list[float]:
    starts, at = list[float](), 0.0
    for token in tokens:
        starts.append(at)
        at += max(1, len(token)) + (len(token) > 1)
    return starts
