"""TextInput: texts there and back, the encodings of the data sets themselves, unknown tokens named."""

import numpy as np
import pytest

from chainrule.data import (
    TextInput,
    Vocabulary,
    characters,
    decode,
    next_character,
    opinion_texts,
    opinions,
    story,
)
from chainrule.errors import ChainruleError, DataError, FileFormatError, OptionError

ABC = Vocabulary.of("aab")


@pytest.mark.parametrize("encoding", ["one_hot", "ids"])
def test_data_sets_are_encoded_as_they_say(encoding):
    data = next_character("hello world " * 6, length=5, encoding=encoding)
    for index in (0, 3, 9):
        assert np.array_equal(data.text.encode(decode(data, index))[0], data.train[index].x)
    data = story(20, encoding=encoding)
    encoded = data.text.encode([decode(data, index) for index in range(20)])
    assert np.array_equal(encoded, data.train.x)
    assert encoded.dtype == data.train.x.dtype


def test_counts_of_opinions():
    data = opinions(15, seed=3)
    assert np.array_equal(data.text.encode(opinion_texts(30, seed=3)[0][:15]), data.train.x)
    assert data.text.encode("soup soup").sum() == 2
    assert data.features == data.text.vocabulary.tokens[2:]


def test_unknown_tokens_are_named_or_kept_when_asked():
    reader = TextInput(ABC, "characters", "ids", 4)
    with pytest.raises(DataError, match="'x', 'y'"):
        reader.encode(["ab", "xyx"])
    assert reader.encode("axb", unknown=True).tolist() == [[0, 2, 1, 3]]
    assert TextInput(ABC, "characters", "counts").encode("axb", unknown=True).tolist() == [[1, 1]]


def test_length_and_end():
    with pytest.raises(DataError, match="5 tokens"):
        TextInput(ABC, "characters", "ids", 4).encode("aabab")
    assert TextInput(ABC, "characters", "ids", 4, cut=True).encode("baaba").tolist() == [[2, 2, 3, 2]]
    assert TextInput(ABC, "characters", "ids", 3, "after").encode(["b", ""]).tolist() == [[3, 0, 0], [0, 0, 0]]


def test_large_vocabularies():
    many = Vocabulary.of(map(chr, range(400, 800)))
    reader = TextInput(many, "characters", "ids", 2)
    x = reader.encode(chr(799) + chr(400))
    assert x.max() > 255
    assert reader.decode(x[0]) == chr(799) + chr(400)
    assert characters(reader.decode(x[0])) == [chr(799), chr(400)]


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: TextInput(ABC, "letters", "ids", 4), OptionError),
        (lambda: TextInput(ABC, "words", "ids"), OptionError),
        (lambda: TextInput(ABC, "words", "counts", 4), OptionError),
        (lambda: TextInput(ABC, "words", "counts").decode(np.zeros(2)), DataError),
        (lambda: TextInput.from_json(None), FileFormatError),
        (lambda: TextInput.from_json({"version": 1}), FileFormatError),
        (lambda: TextInput.from_json(TextInput(ABC, "words", "counts").to_json() | {"more": 1}), FileFormatError),
        (lambda: TextInput.from_json(TextInput(ABC, "words", "counts").to_json() | {"tokens": "bytes"}), ChainruleError),
    ],
)
def test_refusals(make, error):
    with pytest.raises(error):
        make()
