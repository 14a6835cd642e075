"""Pictures of networks that read texts: their numbers are the network's own, and they draw."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.data import CountModel
from chainrule.errors import DataError, OptionError
from chainrule.views.figures.figure import new_figure
from chainrule.views.pictures import (
    View,
    context_curve,
    embedding_map,
    next_tokens,
    surprises,
    text_surprise,
    word_weights,
)

TEXT = cr.data.VILLAGE.text(1500, seed=4)


@pytest.fixture(scope="module")
def run():
    """A small network that has learned a little of a text."""
    data = cr.data.next_character(TEXT, length=5, encoding="ids", test=0.3)
    count = data.target_size
    net = cr.Sequential(cr.Embedding(count, 3), cr.GRU(12), cr.Dense(count, "softmax"))
    return cr.fit(net, data, optimizer=cr.Adam(0.02), epochs=4)


@pytest.fixture(scope="module")
def opinions():
    """Eight replicas of a perceptron on sentences."""
    net = cr.Sequential(cr.Dense(1, "step"))
    return cr.fit(net, cr.data.opinions(60), optimizer=cr.PerceptronRule(), batch_size=1, epochs=10, replicas=3)


def test_the_chances_are_those_of_the_network(run):
    text = "the cat sings "
    picture = next_tokens(run, text)
    known = run.dataset_info.text.vocabulary.tokens
    for place in (5, 9, 13):
        p = run.probabilities(text[:place])[0].astype(float)
        wanted = [p[known.index(candidate)] / p[2:].sum() for candidate in picture.numbers["candidates"]]
        np.testing.assert_allclose(picture.numbers["chances"][place], wanted, rtol=1e-6)
    assert "".join(picture.numbers["tokens"]) == text
    assert list(picture.numbers["candidates"]) == sorted(picture.numbers["candidates"])
    assert picture.numbers["chances"].max(axis=0).min() >= 0.05


def test_surprise_is_what_the_loss_is_made_of(run):
    data = run.data
    text = run.dataset_info.text.decode(data.test.x[0]) + "".join(data.classes[label] for label in data.test.y)
    bits = surprises(run, text)[5:]
    # The loss leaves a little to padding and unknown, which no text has.
    assert bits.mean() == pytest.approx(float(run.evaluate("test").loss[0]) / np.log(2), rel=5e-3)
    picture = text_surprise(run, {"first": text[:90], "second": text[90:100]})
    assert np.array_equal(picture.numbers["first"], surprises(run, text[:90]))
    assert "first: " in picture.title


def test_counting_sees_the_same_text_as_the_network(run):
    curve = context_curve(run, most=2, floor=cr.data.VILLAGE.entropy_rate)
    ids = run.dataset_info.text.vocabulary.ids(list(TEXT))
    cut = len(TEXT) - round(0.3 * len(TEXT))
    wanted = CountModel(ids[:cut].tolist(), run.data.target_size, 2).bits(ids[cut:].tolist(), 5)
    assert np.array_equal(curve.numbers["counted"][2], wanted)
    assert curve.numbers["network"].mean() * np.log(2) == pytest.approx(float(run.evaluate("test").loss[0]), rel=1e-5)
    assert len(curve.numbers["network"]) == curve.numbers["counted"].shape[1] == len(run.data.test)


def test_the_map_keeps_distances_as_far_as_two_directions_can(run):
    picture = embedding_map(run)
    table = run.parameters()["embedding1.W"][2:].astype(float)
    centred = table - table.mean(axis=0)
    assert tuple(picture.numbers["tokens"].tolist()) == run.dataset_info.text.vocabulary.tokens[2:]
    variances = np.linalg.eigvalsh(centred.T @ centred)[::-1]
    np.testing.assert_allclose((picture.numbers["coordinates"] ** 2).sum(axis=0), variances[:2], rtol=1e-6)
    np.testing.assert_allclose(picture.numbers["shares"], variances[:2] / variances.sum(), rtol=1e-6)


def test_weights_of_words_are_means_over_replicas(opinions):
    picture = word_weights(opinions, most=7)
    values = np.array([opinions.parameters(replica)["dense1.W"][:, 0] for replica in range(3)], float)
    for word, weight, error in zip(
        picture.numbers["words"], picture.numbers["weights"], picture.numbers["errors"], strict=True
    ):
        place = opinions.dataset_info.features.index(word)
        assert weight == pytest.approx(values[:, place].mean())
        assert error == pytest.approx(values[:, place].std(ddof=1))
    assert list(picture.numbers["weights"]) == sorted(picture.numbers["weights"], reverse=True)
    assert picture.numbers["weights"][0] == values.mean(axis=0).max()
    assert picture.numbers["weights"][-1] == values.mean(axis=0).min()
    assert "30 words between them are left out" in picture.reading


def test_every_picture_draws_with_labelled_axes_and_a_sentence(run, opinions):
    story = cr.data.story(40, sentences=2, encoding="ids")
    words = cr.fit(
        cr.Sequential(cr.Embedding(33, 2, name="words"), cr.Flatten(), cr.Dense(6, "softmax")), story, epochs=1, batch_size=10
    )
    found: list[View] = [
        next_tokens(run, "the old man "), text_surprise(run, "a small cat " * 8), context_curve(run, most=1), embedding_map(run),
        word_weights(opinions), embedding_map(words, "words"),
    ]  # fmt: skip
    for picture in found:
        _, ax = new_figure(picture.size)
        picture.plot(ax)
        assert ax.get_xlabel(), picture.title
        assert ax.get_ylabel(), picture.title
        assert picture.title
        assert picture.reading.rstrip().endswith(".")
        assert picture.numbers


@pytest.mark.parametrize(
    ("ask", "error", "said"),
    [
        (lambda run, _: next_tokens(run, "Zug"), DataError, "'Z'"),
        (lambda run, _: text_surprise(run, ""), OptionError, "without a text"),
        (lambda run, _: text_surprise(run, {}), OptionError, "without a text"),
        (lambda run, _: embedding_map(run, "gru1"), OptionError, "embedding1"),
        (lambda _, opinions: embedding_map(opinions), OptionError, "embedding1"),
        (lambda _, opinions: next_tokens(opinions, "soup"), OptionError, "'opinions'"),
        (lambda run, _: word_weights(run), OptionError, r"dense1\.W"),
    ],
)
def test_refusals(run, opinions, ask, error, said):
    with pytest.raises(error, match=said):
        ask(run, opinions)
