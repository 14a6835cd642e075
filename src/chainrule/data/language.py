"""Data sets of language: the next character of a text, stories with a question, opinions in a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from chainrule.checks import Fraction, Seed, checked
from chainrule.data.checks import check_whole
from chainrule.data.dataset import Dataset
from chainrule.data.examples import Examples
from chainrule.data.origin import generated, remembered
from chainrule.data.scaling import Scaling
from chainrule.data.text import UNKNOWN, Padding, Vocabulary, characters, encoded, words
from chainrule.data.text_input import TextInput
from chainrule.errors import DataError, OptionError

Encoding = Literal["one_hot", "ids"]

TEXT = (
    "The rain came over the hill in the morning, and the river rose. The boy on the bridge saw a boat without a sail. "
    "He called to the man in the mill, and the man came out with a long rope. Together they threw the rope to the boat, "
    "and the water took it and gave it back. Again they threw it, and again the water gave it back. "
    "Then the wind turned, the boat turned with the wind, and the rope held. In the boat they found a basket, "
    "in the basket a blanket, and in the blanket a small grey cat that was not even wet. "
    "The cat looked at the boy, and the boy looked at the cat. The man said that a mill without a cat is half a mill. "
    "So the cat stayed at the mill, and the boy came every morning to see the cat, the man, the river and the hill. "
    "When the rain comes over the hill, the cat sits at the window and looks at the water. "
    "Nobody knows what the cat thinks. The boy says that it waits for another boat. "
    "The man says that it counts the drops, and that it has never yet made a mistake.\n"
)
"""A short story to predict letter by letter, written for this library."""

_PERSONS = ("anna", "ben", "clara", "david", "emma", "felix")
_PLACES = ("kitchen", "garden", "office", "cellar", "attic", "library")
_MOVES = ("goes to", "walks to", "hurries to", "is now in")
_PAUSES = ("yawns", "sings a song", "looks around", "says nothing")
_STORY_WORDS = words(" ".join((*_PERSONS, *_PLACES, *_MOVES, *_PAUSES, "where is the . ?")))

GOOD = ("delightful", "friendly", "fresh", "quick", "charming", "superb", "generous", "warm")
BAD = ("dreadful", "rude", "stale", "slow", "dull", "awful", "noisy", "cold")
_THINGS = ("soup", "waiter", "bread", "music", "coffee", "room", "view", "dessert")
_JOINS = ("was", "seemed", "is", "felt")
_EXTRAS = ("really", "rather", "somehow", "very", "quite", "again")
_CLAUSES = (3, 5)
_OPINION_WORDS = (*GOOD, *BAD, *_THINGS, *_JOINS, *_EXTRAS, "the", ",", ".")


@remembered("next_character")
@checked
def next_character(
    text: str | None = None, *, length: int = 20, encoding: Encoding = "one_hot", test: Fraction = 0.1
) -> Dataset:
    """For every place in a text: `length` characters in a row as input, the character after them as the class.

    Inputs are "one_hot", uint8 of shape (length, tokens), or "ids", (length,). Tokens and classes are those of
    `text_vocabulary(data)`. Without a `text`, TEXT, a story of about a thousand characters. The last part of the text, the fraction
    `test` of it, is the test part; no window reaches across the cut. Raises DataError for a text that is too short.

    >>> next_character("hello hello hello", length=4, test=0)
    Dataset('next character': 13 train; inputs (4, 7) uint8; 7 classes)
    """
    check_whole("length", length, least=1)
    if not 0 <= test < 1:
        raise OptionError(f"test={test!r}", expected="a fraction from 0 up, below 1", remedy="write test=0.1")
    vocabulary = Vocabulary.of(characters(TEXT if text is None else text))
    ids = vocabulary.ids(characters(TEXT if text is None else text))
    cut = len(ids) - round(test * len(ids))
    train, rest = (_windows(vocabulary, part, length, encoding) for part in (ids[:cut], ids[cut:]))
    if train is None or (test > 0 and rest is None):
        raise DataError(
            f"a text of {len(ids)} characters with length={length} and test={test:g}",
            expected="more characters than length in each part",
            remedy="give a longer text, or a smaller length",
        )
    reader = TextInput(vocabulary, "characters", encoding, length, cut=True)
    source = "the story of the library" if text is None else "text"
    return _of_language("next character", train, rest, reader.next_classes, source, reader)


@remembered("story")
@checked
def story(
    n: int = 500,
    *,
    sentences: int = 6,
    padding: Padding = "before",
    encoding: Encoding = "one_hot",
    seed: Seed = 0,
) -> Dataset:
    """Stories of 2 to `sentences` sentences in which persons move between rooms, and a question where one of them is.

    The class is the room that the person of the question went to last. Now and then somebody does something that does not
    matter. Stories have unequal lengths and are filled up with padding; `mask` and `lengths` of the inputs tell where the words
    are. Inputs are "one_hot", uint8 of shape (time, tokens), or "ids", (time,); the vocabulary is `text_vocabulary(data)`.
    Training and test part hold `n` stories each. The idea of such tasks: Weston and others, arXiv:1502.05698.

    >>> data = story(100)
    >>> decode(data, 3)
    'ben hurries to the attic . david walks to the office . felix hurries to the attic . where is ben ?'
    >>> data.classes[data.train[3].y]
    'attic'
    """
    check_whole("n", n, least=1)
    check_whole("sentences", sentences, least=2)
    random, vocabulary = np.random.default_rng(seed), Vocabulary.of(_STORY_WORDS)
    # The longest sentence has seven tokens, "emma is now in the attic .", the question four.
    width = 7 * sentences + 4

    def part() -> Examples:
        told = [_one_story(random, int(random.integers(2, sentences + 1))) for _ in range(n)]
        ids = vocabulary.padded([words(text) for text, _ in told], width, padding=padding)
        return Examples(encoded(vocabulary, ids, encoding), [_PLACES.index(place) for _, place in told])

    reader = TextInput(vocabulary, "words", encoding, width, padding)
    return _of_language("story", part(), part(), _PLACES, f"stories of up to {sentences} sentences, seed {seed}", reader)


@remembered("opinions")
@checked
def opinions(n: int = 200, *, seed: Seed = 0) -> Dataset:
    """Sentences about a restaurant as counts of words: classes "complaint" and "praise". Made for the perceptron algorithm.

    A sentence has 3 to 5 judgements, and its class is what most of them say, so that the weights +1 for each good and −1 for
    each bad word separate the classes with an output of at least 1 on the right side. Inputs are uint8 counts, one feature for
    each word, under its own name. Training and test part hold `n` sentences each; `opinion_texts` are the sentences themselves.

    >>> opinions(100)
    Dataset('opinions': 100 train, 100 test; inputs (37,) uint8; 2 classes)
    """
    reader = TextInput(Vocabulary.of(_OPINION_WORDS), "words", "counts")
    texts, labels = opinion_texts(2 * n, seed=seed)
    x = reader.encode(texts)
    return generated(
        "opinions",
        Examples(x[:n], labels[:n]),
        Examples(x[n:], labels[n:]),
        f"sentences about a restaurant, seed {seed}",
        classes=("complaint", "praise"),
        features=reader.vocabulary.tokens[2:],
        text=reader,
    )


@checked
def opinion_texts(n: int = 200, *, seed: Seed = 0) -> tuple[list[str], NDArray[np.int64]]:
    """`n` sentences with their labels, 0 for complaint and 1 for praise, in turn. `opinions(n)` has the first n of 2n for training.

    >>> opinion_texts(2)[0][1]
    'the music is noisy , the bread seemed generous , the waiter felt warm , the dessert is superb .'
    """
    check_whole("n", n, least=1)
    random = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    return [_one_opinion(random, bool(label)) for label in labels], labels


@checked
def text_vocabulary(data: Dataset) -> Vocabulary:
    """The vocabulary of a data set of texts; OptionError for other data.

    >>> len(text_vocabulary(story(10)))
    33
    """
    return _text_of(data).vocabulary


@checked
def decode(data: Dataset, index: int) -> str:
    """The training example of that index of `next_character` or `story` as text."""
    return _text_of(data).decode(data.train[index].x)


def _text_of(data: Dataset) -> TextInput:
    if data.text is None:
        raise OptionError(
            f"{data.name!r} does not come from texts",
            expected="data such as next_character(), story() or opinions()",
            remedy="make a vocabulary of your own: Vocabulary.of(tokens)",
        )
    return data.text


def _windows(vocabulary: Vocabulary, ids: NDArray[np.int64], length: int, encoding: str) -> Examples | None:
    if len(ids) <= length:
        return None
    windows = np.lib.stride_tricks.sliding_window_view(ids[:-1], length)
    return Examples(encoded(vocabulary, windows, encoding), ids[length:])


def _of_language(
    name: str, train: Examples, test: Examples | None, classes: tuple[str, ...], source: str, text: TextInput
) -> Dataset:
    return generated(
        name,
        train,
        test,
        source,
        scaling=Scaling.none(),
        classes=classes,
        notes=(f"tokens unknown to the vocabulary are {UNKNOWN}",),
        text=text,
    )


def _one_story(random: np.random.Generator, sentences: int) -> tuple[str, str]:
    where: dict[str, str] = {}
    told: list[str] = []
    for _ in range(sentences):
        person = _choice(random, _PERSONS)
        if where and random.random() < 0.2:
            told.append(f"{person} {_choice(random, _PAUSES)} .")
        else:
            where[person] = _choice(random, _PLACES)
            told.append(f"{person} {_choice(random, _MOVES)} the {where[person]} .")
    asked = _choice(random, tuple(where))
    return " ".join((*told, f"where is {asked} ?")), where[asked]


def _one_opinion(random: np.random.Generator, praise: bool) -> str:
    clauses = int(random.integers(_CLAUSES[0], _CLAUSES[1] + 1))
    most = int(random.integers(clauses // 2 + 1, clauses + 1))
    agreeing = random.permutation(np.arange(clauses) < most)
    things = random.permutation(_THINGS)[:clauses]
    return (
        " , ".join(_clause(random, str(thing), bool(same) == praise) for thing, same in zip(things, agreeing, strict=True))
        + " ."
    )


def _clause(random: np.random.Generator, thing: str, good: bool) -> str:
    extra = f"{_choice(random, _EXTRAS)} " if random.random() < 0.5 else ""
    return f"the {thing} {_choice(random, _JOINS)} {extra}{_choice(random, GOOD if good else BAD)}"


def _choice(random: np.random.Generator, among: Sequence[str]) -> str:
    return among[int(random.integers(len(among)))]
