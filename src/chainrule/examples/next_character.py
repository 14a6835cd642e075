"""A recurrent network that predicts the next character of a text from a source whose entropy is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.data import VILLAGE, block_mean, next_character
from chainrule.examples.example import LectureExample, Outcome, Runs
from chainrule.examples.fact import Fact
from chainrule.graph import Array
from chainrule.nn import LSTM, Dense, Embedding, Sequential
from chainrule.train import Adam, Cosine, Training
from chainrule.views import pictures

CHARACTERS, HELD_OUT, SEEN = 46_000, 6_000, 16
"""Length of the text, of the part of it that is kept for the test, and how many characters the network sees."""
TEMPERATURES = (0.5, 1.0, 2.0)
START = "while the cat sings "


def _text(seed: int) -> str:
    return VILLAGE.text(CHARACTERS, seed=seed)


def _trainings(seed: int) -> Mapping[str, Training]:
    data = next_character(_text(seed), length=SEEN, encoding="ids", test=HELD_OUT / CHARACTERS)
    count = data.target_size
    net = Sequential(Embedding(count, 8), LSTM(48), Dense(count, "softmax"))
    options: dict[str, Any] = {
        "seed": seed,
        "optimizer": Adam(Cosine(0.01)),
        "batch_size": 64,
        "epochs": 12,
        "evaluate_every": 3,
    }
    return {"network": Training(net, data, **options)}


def _conclude(runs: Runs, seed: int) -> Outcome:
    run = runs["network"]
    entropy = VILLAGE.entropy_rate
    # What the source itself expects at the same characters: the difference is free of their luck.
    ideal = VILLAGE.bits(_text(seed))[CHARACTERS - HELD_OUT + SEEN :]
    curve = pictures.context_curve(run, most=6, floor=entropy)
    counted, network = curve.numbers["counted"], curve.numbers["network"]
    written = {f"T = {at:g}": run.generate(START, 4000, temperature=at, seed=seed) for at in TEMPERATURES}
    best = int(np.argmin(counted.mean(axis=1)))
    facts = (
        Fact(
            "bits to a character, network",
            *block_mean(network),
            reference=entropy,
            source="entropy of the source, Shannon 1948",
        ),
        Fact(
            "bits more than a reader who knows the source",
            *block_mean(network - ideal),
            maximum=0.01,
            source="asked for",
        ),
        Fact(
            "bits that counting pairs needs more",
            *block_mean(counted[1] - network),
            minimum=0.0,
            source="bigram",
        ),
        Fact(
            "bits that counting triples needs more",
            *block_mean(counted[2] - network),
            minimum=0.0,
            source="trigram",
        ),
        Fact(
            f"bits that the best counting, of {best + 1} in a row, needs more",
            *block_mean(counted[best] - network),
        ),
        *(_real_words(name, text) for name, text in written.items()),
    )
    samples = "; ".join(f"{name} “{text[len(START) :][:44].strip()}”" for name, text in written.items())
    shown = {name: text[: len(START) + 100] for name, text in written.items()}
    return Outcome(
        f"{_compared(facts)} After “{START.strip()}” it writes, at three temperatures T: {samples}.",
        facts,
        (
            curve,
            pictures.text_surprise(run, shown),
            pictures.next_tokens(run, "while the old man finds a small boat "),
            pictures.embedding_map(run),
            pictures.learning_curves(run),
        ),
    )


def _compared(facts: tuple[Fact, ...]) -> str:
    network, more, _, triples, best = facts[:5]
    reached = "cannot be told apart from" if network.agrees else "lies above"
    beaten = "more" if triples.agrees else "no more"
    error = best.error or 0.0
    counting = (
        "worse"
        if best.value > 2 * error
        else "better"
        if best.value < -2 * error
        else "no worse and no better, within the error"
    )
    return (
        f"With {network.measured} bits to a character the network {reached} the source's entropy, {network.reference:.4f}; it needs "
        f"{more.measured} bits more than a reader who knows the source. Counting triples of characters needs {beaten}, "
        f"{triples.measured} bits; the best counting, picked by the same test text, does {counting}."
    )


def _real_words(name: str, text: str) -> Fact:
    """How many of the words that it wrote are words of the source."""
    words = text[len(START) :].split(" ")[:-1]
    right: Array = np.array([word in VILLAGE.follows for word in words])
    share = float(right.mean())
    # Wilson's interval keeps a width where all are right.
    error = float(np.sqrt(share * (1 - share) / len(words) + 1 / (4 * len(words) ** 2)) / (1 + 1 / len(words)))
    return Fact(f"fraction of words that exist, {name}", share, error)


NEXT_CHARACTER = LectureExample(
    "next-character",
    "A network learns to write, character by character",
    "How well can the next character of a text be predicted? The text comes from a source that is known, a chain of 19 words, so that "
    "the best that any reader can do is known too: its entropy. An LSTM that sees 16 characters is held against it, and against "
    "counting what followed the last one, two, ... characters. Then the network writes, at three temperatures.",
    "61, 64",
    _trainings,
    _conclude,
)
