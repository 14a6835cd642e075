"""The science of the language examples: an entropy that is known and reached, a theorem that holds."""

import numpy as np
import pytest

from chainrule.data import VILLAGE, block_mean, next_character, opinions
from chainrule.examples import example
from chainrule.examples.perceptron_text import known_margin
from chainrule.nn import LSTM, Dense, Embedding, Sequential
from chainrule.train import Adam, Cosine, fit


def test_a_small_network_comes_near_the_entropy_of_the_source():
    """On a shorter text: no reader can do better than the source, and counting pairs of characters does far worse."""
    text, held_out, seen = VILLAGE.text(16_000, seed=5), 3000, 14
    data = next_character(text, length=seen, encoding="ids", test=held_out / len(text))
    count = data.target_size
    net = Sequential(Embedding(count, 8), LSTM(40), Dense(count, "softmax"))
    run = fit(net, data, optimizer=Adam(Cosine(0.01)), batch_size=32, epochs=8, evaluate_every=0, seed=5)
    bits = -np.log2(run.probabilities(data.test.x)[np.arange(len(data.test)), data.test.y].astype(float))
    excess, error = block_mean(bits - VILLAGE.bits(text)[len(text) - held_out + seen :])
    assert -2 * error < excess < 0.03
    mean, error = block_mean(bits)
    assert abs(mean - VILLAGE.entropy_rate) < 2 * error + 0.03
    # Cold, it writes words of the source, one where it may stand behind the other.
    cold = run.generate("while the cat sings ", 300, temperature=0.2, seed=1)
    assert VILLAGE.bits(cold[: cold.rindex(" ") + 1]).mean() < 0.6


def test_the_perceptron_keeps_novikoffs_bound_in_every_order():
    chosen = example("perceptron-text")
    outcome = chosen.run(3)
    by_name = {fact.name: fact for fact in outcome.facts}
    assert outcome.holds, str(outcome)
    size = by_name["longest sentence, R"].value
    most = by_name["most mistakes on the way, of 8 orders"]
    assert most.maximum == pytest.approx((size / 0.25) ** 2)
    assert 0 < most.value < most.maximum
    assert by_name["mistakes in the last epoch"].value == 0


def test_mistakes_are_counted_as_the_algorithm_makes_them():
    """The algorithm written down once more, in the order of the data."""
    data = opinions(80, seed=1)
    training = example("perceptron-text").trainings(1)["perceptron"]
    options = {"replicas": 1, "epochs": 6, "order": lambda _replica, _epoch, count: np.arange(count)}
    run = training.changed(data=data, **options).fit()
    x, y = np.column_stack([data.train.x.astype(float), np.ones(80)]), data.train.y
    w, wrong = np.zeros(x.shape[1]), []
    for _ in range(6):
        for row, label in zip(x, y, strict=True):
            mistake = int(row @ w > 0) != label
            wrong.append(mistake)
            w += mistake * (2 * label - 1) * row
    assert np.array_equal(run.history.steps()[0], wrong)
    assert np.array_equal(run.parameters()["dense1.W"][:, 0], w[:-1])


@pytest.mark.parametrize("seed", range(4))
def test_the_known_weights_have_the_margin_by_construction(seed):
    assert known_margin(opinions(200, seed=seed)) == pytest.approx(0.25, rel=1e-12)
