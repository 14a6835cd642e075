"""Text in and out of a run: a kept vocabulary, texts for inputs, writing at a temperature."""

import json

import numpy as np
import pytest
from scipy.stats import chi2

import chainrule as cr
from chainrule.errors import DataError, FileFormatError, OptionError
from chainrule.nn import Dense, Embedding, OneHot, Sequential
from chainrule.train.generation import at_temperature

TEXT = "the cat sat on the mat. the rat ate the hat. " * 4


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A network that predicts the next character, not trained to the end, so that it is often unsure."""
    data = cr.data.next_character(TEXT, length=6, encoding="ids")
    count = data.target_size
    net = Sequential(Embedding(count, 6, padding=0), cr.GRU(10, padding=0.0), Dense(count, "softmax"))
    folder = tmp_path_factory.mktemp("runs")
    return cr.fit(net, data, optimizer=cr.Adam(0.02), epochs=8, folder=folder)


def test_temperature_is_the_boltzmann_distribution():
    p = np.random.default_rng(0).dirichlet(np.ones(7), size=5)
    assert np.allclose(at_temperature(p, 1.0), p, rtol=1e-14)
    assert np.allclose(at_temperature(p, 2.0), np.sqrt(p) / np.sqrt(p).sum(axis=1, keepdims=True), rtol=1e-14)
    assert np.allclose(at_temperature(p, 1e9), 1 / 7, rtol=1e-6)
    coldest = at_temperature(p, 0)
    assert np.array_equal(coldest.argmax(axis=1), p.argmax(axis=1))
    assert np.array_equal(coldest, np.where(coldest > 0, 1, 0))
    assert np.allclose(at_temperature(p, 1e-6), coldest)
    assert at_temperature(np.array([0.0, 1.0]), 1.0).tolist() == [0, 1]


@pytest.mark.parametrize("temperature", [1.0, 0.5, 2.0])
def test_characters_are_drawn_as_often_as_the_network_says(run, temperature):
    start, draws = "the ca", 2000
    drawn = [run.generate(start, 1, temperature=temperature, seed=seed)[-1] for seed in range(draws)]
    tokens = run.dataset_info.text.vocabulary.tokens
    p = run.probabilities(start)[0].astype(float)
    p[:2] = 0
    expected = draws * p ** (1 / temperature) / np.sum(p ** (1 / temperature))
    found = np.array([drawn.count(token) for token in tokens], float)
    # Rare ones together, so that the statistic has the distribution that is assumed.
    common = expected >= 5
    pairs = [*zip(found[common], expected[common], strict=True), (found[~common].sum(), expected[~common].sum())]
    statistic = sum((seen - awaited) ** 2 / awaited for seen, awaited in pairs if awaited > 0)
    assert common.sum() >= 3
    assert statistic < chi2.ppf(0.999, len(pairs) - 1)


def test_the_coldest_text_is_the_likeliest_each_time(run):
    text = "the "
    for _ in range(15):
        p = run.probabilities(text)[0]
        text += run.dataset_info.text.vocabulary.tokens[2 + int(p[2:].argmax())]
    assert run.generate("the ", 15, temperature=0) == text
    assert run.generate("the ", 15, temperature=1e-7) == text
    assert run.generate("the ", 0) == "the "


def test_a_seed_is_a_text(run):
    one, same, other = (run.generate("the ", 40, temperature=1.5, seed=seed) for seed in (1, 1, 2))
    assert one == same != other
    assert len(one) == 44
    assert len(run.generate(tokens=9)) == 9


def test_logits_write_the_same_text_as_softmax(run):
    data, learned = run.data, run.parameters()
    count = data.target_size
    net = Sequential(Embedding(count, 6, padding=0), cr.GRU(10, padding=0.0), Dense(count))
    logits = cr.fit(net, data, loss="cross_entropy_from_logits", epochs=0, initial=learned)
    assert logits.generate("the ", 30, seed=3) == run.generate("the ", 30, seed=3)


def test_the_vocabulary_is_kept_with_the_network(run):
    again = cr.open_run(run.folder)
    assert again.dataset_info.text == run.data.text
    assert again.generate("the cat", 50, temperature=0.8, seed=5) == run.generate("the cat", 50, temperature=0.8, seed=5)
    assert again.classify("the c") == run.classify(run.encode("the c"))
    assert again.trainer.folder.read_config()["data"]["text"]["vocabulary"]["tokens"] == list(run.data.text.vocabulary.tokens)


def test_runs_from_before_texts_are_read(run, tmp_path):
    signature = run.dataset_info.to_json()
    del signature["text"]
    assert cr.data.DatasetInfo.from_json(signature).text is None
    with pytest.raises(FileFormatError):
        cr.data.DatasetInfo.from_json(signature | {"text": {"version": 2}})


def test_of_a_long_text_the_end_is_read(run):
    assert np.array_equal(run.predict("on the cat sat"), run.predict("at sat"))
    assert np.array_equal(run.predict(["the", "hat"])[1:], run.predict("hat"))
    assert np.array_equal(run.predictor()("hat"), run.predict("hat"))


def test_both_encodings_write():
    data = cr.data.next_character(TEXT, length=6)
    count = data.target_size
    rows = cr.fit(Sequential(cr.GRU(8), Dense(count, "softmax")), data, epochs=1, dtype="float64")
    ids = cr.data.next_character(TEXT, length=6, encoding="ids")
    net = Sequential(OneHot(count, padding=0), cr.GRU(8, name="gru1"), Dense(count, "softmax", name="dense1"))
    same = cr.fit(net, ids, epochs=0, initial=rows.parameters(), dtype="float64")
    assert rows.generate("the", 30) == same.generate("the", 30)


def test_sentences_are_classified():
    data = cr.data.opinions(100)
    run = cr.fit(Sequential(Dense(1, "step")), data, optimizer=cr.PerceptronRule(), epochs=30, batch_size=1)
    texts, labels = cr.data.opinion_texts(60, seed=9)
    right = np.mean([said == data.classes[label] for said, label in zip(run.classify(texts), labels, strict=True)])
    assert right > 0.9
    with pytest.raises(DataError, match="'pizza'"):
        run.classify("the pizza was superb .")


@pytest.mark.parametrize(
    ("ask", "error", "said"),
    [
        (lambda run: run.generate("ça, ü"), DataError, "'ç', ',', 'ü'"),
        (lambda run: run.generate(temperature=-0.1), OptionError, "temperature=-0.1"),
        (lambda run: run.generate(temperature=float("nan")), OptionError, "temperature=nan"),
        (lambda run: run.generate(tokens=-1), OptionError, "tokens=-1"),
        (lambda run: run.generate(replica=1), OptionError, "replica 1"),
        (lambda run: run.classify(["the", "ca€"]), DataError, "'€'"),
    ],
)
def test_refusals(run, ask, error, said):
    with pytest.raises(error, match=said):
        ask(run)


def test_only_those_write_that_predict_tokens():
    data = cr.data.story(40, sentences=2)
    run = cr.fit(Sequential(cr.Flatten(), Dense(6, "softmax")), data, epochs=1)
    with pytest.raises(OptionError, match="'story'"):
        run.generate("where is ben ?")
    moons = cr.fit("2-4-2", cr.data.moons(), epochs=1)
    with pytest.raises(OptionError, match="'moons'"):
        moons.generate()
    with pytest.raises(DataError, match="neither on a table nor on texts"):
        moons.encode("text")


def test_a_description_of_texts_is_json(run):
    text = run.data.text
    assert cr.data.TextInput.from_json(json.loads(json.dumps(text.to_json()))) == text
