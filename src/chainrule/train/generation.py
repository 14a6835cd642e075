"""Writing: a network that predicts the next token of a text is asked again and again, and what it says becomes the text."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from chainrule.checks import NonNegative, checked
from chainrule.data import TextInput
from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.train.learning_problem import LearningProblem

RESERVED = 2
"""Padding and unknown, the first tokens of each vocabulary: they stand in no text, and are not written."""


@checked
def at_temperature(probabilities: Array, temperature: NonNegative) -> Array:
    """Probabilities (..., n) at a temperature T ≥ 0: softmax(log p/T), which is p^(1/T) over its sum; at 0 all on the likeliest.

    Source: the Boltzmann distribution of the energies −log p; D. H. Ackley, G. E. Hinton, T. J. Sejnowski, Cognitive Science 9, 147
    (1985), for its use on networks.

    >>> at_temperature(np.array([0.2, 0.8]), 0.5).round(4), at_temperature(np.array([0.2, 0.8]), 0)
    (array([0.0588, 0.9412]), array([0., 1.]))
    """
    if temperature == 0:
        return np.eye(probabilities.shape[-1])[probabilities.argmax(axis=-1)]
    with np.errstate(divide="ignore"):
        energies = np.log(np.asarray(probabilities, dtype=np.float64))
    # Against the likeliest, so that nothing overflows however cold it is.
    weights = np.exp((energies - energies.max(axis=-1, keepdims=True)) / temperature)
    return weights / weights.sum(axis=-1, keepdims=True)


def reader_of(problem: LearningProblem) -> TextInput:
    """How texts enter a network that predicts the next token; OptionError for a network that does not."""
    reader = problem.dataset_info.text
    if (
        reader is None
        or problem.dataset_info.classes != reader.next_classes
        or reader.length is None
        or problem.probabilities == "none"
    ):
        raise OptionError(
            f"text from a network that learned {problem.dataset_info.name!r}",
            expected="a network with probabilities for the next token, trained on cr.data.next_character(...)",
            remedy="use predict or classify",
        )
    return reader


def next_probabilities(problem: LearningProblem, outputs: Array) -> Array:
    """The probabilities (n, tokens) of the next token from a network's outputs, none for padding and unknown."""
    found = np.asarray(outputs, dtype=np.float64)
    if problem.probabilities == "softmax":
        found = np.exp(found - found.max(axis=-1, keepdims=True))
    found[..., :RESERVED] = 0
    return found / found.sum(axis=-1, keepdims=True)


def generated(
    problem: LearningProblem, predict: Callable[[Array], Array], start: str, tokens: int, temperature: float, seed: int
) -> str:
    """The text that begins with `start` and goes on for so many tokens; see `Run.generate`."""
    reader, random = reader_of(problem), np.random.default_rng(seed)
    if isinstance(tokens, bool) or tokens < 0:
        raise OptionError(f"{tokens!r} tokens", expected="a whole number of 0 or more", remedy="write for example 200")
    text = reader.cut_up(start)
    reader.encode(start)  # says which tokens the vocabulary lacks
    for _ in range(tokens):
        x = reader.encode(reader.joined(text[-(reader.length or 0) :]))
        chances = at_temperature(next_probabilities(problem, predict(x))[0], temperature)
        ends: Array = np.cumsum(chances)
        place = int(np.count_nonzero(ends <= random.random() * ends[-1]))
        text.append(reader.vocabulary.tokens[min(place, len(chances) - 1)])
    return reader.joined(text)


def token_probabilities(problem: LearningProblem, predict: Callable[[Array], Array], text: str) -> Array:
    """The probabilities of the next token at each place of a text, from the tokens before it: (tokens of the text, vocabulary).

    At the first places, where little stands before, the network sees padding.
    """
    reader = reader_of(problem)
    tokens = reader.cut_up(text)
    reader.encode(text)  # says which tokens the vocabulary lacks
    before = [reader.joined(tokens[max(0, place - (reader.length or 0)) : place]) for place in range(len(tokens))]
    return next_probabilities(problem, predict(reader.encode(before)))
