"""A source of text with a known entropy, and prediction by counting: closed forms, enumeration, an own computation."""

import numpy as np
import pytest

from chainrule.data import VILLAGE, CountModel, WordChain, block_mean
from chainrule.errors import DataError, OptionError

SWITCH = WordChain({"on": {"on": 0.9, "off": 0.1}, "off": {"on": 0.3, "off": 0.7}})


def entropy(*shares):
    return -sum(share * np.log2(share) for share in shares)


def test_two_words_in_closed_form():
    """π = (3/4, 1/4); words of 3 and 4 characters with their blanks."""
    assert np.allclose(SWITCH.shares, [0.75, 0.25], rtol=1e-12)
    bits = 0.75 * entropy(0.9, 0.1) + 0.25 * entropy(0.3, 0.7)
    assert SWITCH.entropy_rate == pytest.approx(bits / (0.75 * 3 + 0.25 * 4), rel=1e-12)


def test_a_text_has_the_probability_that_its_words_have():
    text = "off on on off off "
    words = -np.log2([0.25, 0.3, 0.9, 0.1, 0.7])
    bits = SWITCH.bits(text)
    assert bits.sum() == pytest.approx(words.sum(), rel=1e-12)
    # "o" says nothing, "f" or "n" all, the rest follows.
    assert np.allclose(bits[:4], [0, 2, 0, 0])
    assert np.allclose(bits[4:7], [0, -np.log2(0.3), 0])


def test_probabilities_of_all_texts_of_one_length_add_up_to_one():
    starts = {"": 1.0}
    for _ in range(12):
        longer = {}
        for text in starts:
            for letter in "onf ":
                try:
                    longer[text + letter] = 2.0 ** -SWITCH.bits(text + letter).sum()
                except DataError:
                    continue
        starts = longer
    assert len(starts) > 5
    assert sum(starts.values()) == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("source", [SWITCH, VILLAGE])
def test_the_entropy_is_what_a_long_text_takes(source):
    mean, error = block_mean(source.bits(source.text(60_000, seed=3)))
    assert abs(mean - source.entropy_rate) < 3 * error
    assert error < 0.01


def test_texts_depend_on_their_seed():
    assert VILLAGE.text(100, seed=1) == VILLAGE.text(200, seed=1)[:100] != VILLAGE.text(100, seed=2)
    assert len(VILLAGE.text(17)) == 17
    assert set(VILLAGE.text(3000).split()[:-1]) == set(VILLAGE.words)


@pytest.mark.parametrize(
    "make",
    [
        lambda: WordChain({"a": {"a": 0.5}}),
        lambda: WordChain({"a": {"b": 1.0}}),
        lambda: WordChain({"a b": {"a b": 1.0}}),
        lambda: SWITCH.bits("on up "),
        lambda: VILLAGE.bits("the the "),
    ],
)
def test_what_is_no_source_or_not_of_the_source_is_refused(make):
    with pytest.raises(DataError):
        make()


def test_counting_in_closed_form():
    """In abracadabra, a is followed by b twice, c and d once each, and is five of eleven."""
    model = CountModel([0, 1, 2, 0, 3, 0, 4, 0, 1, 2, 0], 5, order=1)
    alone = (np.array([5, 2, 2, 1, 1]) + 5 / 5) / (11 + 5)
    assert np.allclose(model.probabilities([]), alone, rtol=1e-14)
    behind_a = (np.array([0, 2, 0, 1, 1]) + 3 * alone) / (4 + 3)
    assert np.allclose(model.probabilities([4, 0]), behind_a, rtol=1e-14)
    assert np.allclose(model.bits([0, 1], first=1), -np.log2(behind_a[1]))


@pytest.mark.parametrize("order", [0, 1, 2, 4])
def test_counting_gives_probabilities_and_never_zero(order):
    random = np.random.default_rng(order)
    model = CountModel(random.integers(4, size=60).tolist(), 6, order)
    for _ in range(20):
        p = model.probabilities(random.integers(6, size=random.integers(6)).tolist())
        assert p.sum() == pytest.approx(1, rel=1e-12)
        assert p.min() > 0


def test_counting_learns_a_chain_whose_order_it_has():
    text = SWITCH.text(40_000, seed=1)
    letters = {letter: place for place, letter in enumerate("onf ")}
    ids = [letters[letter] for letter in text]
    means = [block_mean(CountModel(ids[:30_000], 4, order).bits(ids[30_000:], 5))[0] for order in (0, 1, 5)]
    ideal = SWITCH.bits(text)[30_005:].mean()
    assert means[0] > means[1] > means[2] > ideal - 0.001
    assert means[2] - ideal < 0.005


def test_the_error_of_dependent_numbers():
    """Each number comes ten times in a row: the error is that of a tenth as many."""
    numbers = np.repeat(np.random.default_rng(0).normal(size=4000), 10)
    mean, error = block_mean(numbers)
    assert mean == pytest.approx(numbers.mean())
    assert error == pytest.approx(1 / np.sqrt(4000), rel=0.1)
    with pytest.raises(OptionError):
        block_mean(np.ones(150))
