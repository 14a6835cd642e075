"""Language: tokens, the vocabulary, windows of text, stories and their answers, opinions that a perceptron can tell apart."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from chainrule.data import (
    TEXT,
    Vocabulary,
    characters,
    decode,
    lengths,
    load,
    mask,
    next_character,
    opinion_texts,
    opinions,
    story,
    text_vocabulary,
    words,
)
from chainrule.data.language import BAD, GOOD
from chainrule.errors import ChainruleError, FileFormatError, MissingFileError


def test_tokens():
    assert "".join(characters(TEXT)) == TEXT
    assert words("Où est-ce? <b>3,5</b> it's") == [
        "où",
        "est-ce",
        "?",
        "<",
        "b",
        ">",
        "3",
        ",",
        "5",
        "<",
        "/",
        "b",
        ">",
        "it's",
    ]
    assert words("  \n ") == []


def test_vocabulary_there_and_back(tmp_path):
    known = Vocabulary.of(words("b a b c <unknown>"))
    assert known.tokens == ("", "<unknown>", "b", "<", ">", "a", "c", "unknown")
    assert Vocabulary.of(["b", "a", "b", "c"], most=2).tokens == ("", "<unknown>", "b", "a")
    assert "a" in known
    assert "z" not in known
    assert known.texts(known.ids(["a", "z", "b"])) == ["a", "<unknown>", "b"]
    strange = Vocabulary.of(["\x00", "‮", "</script>", "$x$", "😀", "\n"])
    assert Vocabulary.from_json(json.loads(json.dumps(strange.to_json()))) == strange
    strange.save(tmp_path / "v.json")
    assert Vocabulary.read(tmp_path / "v.json") == strange
    with pytest.raises(AttributeError):
        known.tokens = ()


def test_encodings_are_of_one_text():
    known = Vocabulary.of("abc")
    ids = known.padded(["a", "cab", "", "z"], 4)
    assert ids.tolist() == [[0, 0, 0, 2], [0, 4, 2, 3], [0, 0, 0, 0], [0, 0, 0, 1]]
    assert known.padded(["a", "cab"], padding="after").tolist() == [[2, 0, 0], [4, 2, 3]]
    rows = known.one_hot(ids)
    assert rows.shape == (4, 4, 5)
    assert np.array_equal(rows.sum(2), mask(ids))
    assert np.array_equal(mask(rows), mask(ids))
    assert np.array_equal(lengths(rows), [1, 3, 0, 1])
    assert np.array_equal(known.counts(["a", "cab", "", "z"]), rows.sum(1))
    assert known.counts(["a" * 300])[0, 2] == 255


@pytest.mark.parametrize("content", [{}, [], None, {"version": 1}, {"version": 2, "tokens": []}, {"version": 1, "tokens": [1]}])
def test_a_broken_vocabulary_is_refused(content, tmp_path):
    with pytest.raises(FileFormatError):
        Vocabulary.from_json(content)
    (tmp_path / "v.json").write_text(json.dumps(content))
    with pytest.raises(FileFormatError):
        Vocabulary.read(tmp_path / "v.json")


def test_next_character_follows_its_window():
    data = next_character("hello world, " * 5, length=5, test=0.2)
    vocabulary = text_vocabulary(data)
    text = "hello world, " * 5
    assert len(data.train) == 52 - 5
    assert len(data.test) == 13 - 5
    for index in (0, 7, 46):
        assert decode(data, index) == text[index : index + 5]
        assert data.classes[data.train[index].y] == text[index + 5] == vocabulary.tokens[data.train[index].y]
    ids = next_character(text, length=5, test=0.2, encoding="ids")
    assert np.array_equal(vocabulary.one_hot(ids.train.x), data.train.x)
    assert decode(ids, 3) == decode(data, 3)


def test_the_story_of_the_library():
    data = next_character()
    assert len(data.train) + len(data.test) == len(TEXT) - 40
    assert load(**data.origin).hash == data.hash
    own = next_character("abc" * 20, length=2)
    assert load(**own.origin).hash == own.hash


@pytest.mark.parametrize("encoding", ["one_hot", "ids"])
@pytest.mark.parametrize("padding", ["before", "after"])
def test_every_story_has_the_right_answer(encoding, padding):
    data = story(200, sentences=5, encoding=encoding, padding=padding, seed=4)
    assert len(np.unique(lengths(data.train.x))) > 5
    last = mask(data.train.x)[:, -1]
    assert last.all() if padding == "before" else not last.all()
    for index in range(200):
        text = decode(data, index)
        asked = re.search(r"where is (\w+) \?$", text)[1]
        place = re.findall(rf"{asked} (?:goes to|walks to|hurries to|is now in) the (\w+) \.", text)[-1]
        assert place == data.classes[data.train[index].y]
        assert "<unknown>" not in text


def test_stories_depend_on_their_seed_and_come_back():
    data = story(30, seed=1)
    assert load(**data.origin).hash == data.hash != story(30, seed=2).hash
    assert decode(data, 0) != decode(data, 1)
    assert set(story(300).train.y) == set(range(6))


def test_opinions_are_separated_by_the_weights_of_the_words():
    data = opinions(300, seed=2)
    weights = np.array([(name in GOOD) - (name in BAD) for name in data.features], float)
    for _, part in data.parts():
        output = part.x @ weights
        assert ((output > 0) == part.y).all()
        assert np.abs(output).min() >= 1
    texts, labels = opinion_texts(600, seed=2)
    assert np.array_equal(labels[:300], data.train.y)
    for index in (0, 299):
        row = dict(zip(data.features, data.train[index].x, strict=True))
        assert {word: count for word, count in row.items() if count} == {
            word: words(texts[index]).count(word) for word in words(texts[index])
        }
    assert load(**data.origin).hash == data.hash


def test_the_perceptron_algorithm_ends_on_opinions():
    data = opinions(200)
    x, signs = data.train.x.astype(float), 2 * data.train.y - 1
    w = np.zeros(x.shape[1])
    for _ in range(500):
        mistakes = 0
        for row, sign in zip(x, signs, strict=True):
            if sign * (row @ w) <= 0:
                w += sign * row
                mistakes += 1
        if not mistakes:
            break
    assert not mistakes
    assert np.mean((data.test.x @ w > 0) == data.test.y) > 0.95


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: next_character("abc", length=5), "3 characters"),
        (lambda: next_character(length=0), "length=0"),
        (lambda: next_character(test=1), "test=1"),
        (lambda: next_character(encoding="bits"), "encoding='bits'"),
        (lambda: story(0), "n=0"),
        (lambda: story(sentences=1), "sentences=1"),
        (lambda: story(padding="left"), "padding='left'"),
        (lambda: opinions(0), "n=0"),
        (lambda: text_vocabulary(load("moons")), "does not come from texts"),
        (lambda: mask(np.zeros(3)), r"shape \(3,\)"),
        (lambda: Vocabulary(("a", "b")), "the tokens 'a', 'b'"),
        (lambda: Vocabulary(("", "<unknown>", "a", "a")), "different tokens"),
        (lambda: Vocabulary.of("ab").texts([4]), "id 4"),
        (lambda: Vocabulary.of("ab").texts([-1]), "id -1"),
        (lambda: Vocabulary.of("ab").padded(["aaa"], 2), "a text of 3 tokens"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(ChainruleError, match=message):
        make()


def test_files_that_are_not_there_or_not_vocabularies(tmp_path):
    with pytest.raises(MissingFileError):
        Vocabulary.read(tmp_path / "none.json")
    for content, error in (("{", FileFormatError), ('{"version": 1, "tokens": ["a", "a"]}', FileFormatError)):
        (tmp_path / "v.json").write_text(content)
        with pytest.raises(error):
            Vocabulary.read(tmp_path / "v.json")
