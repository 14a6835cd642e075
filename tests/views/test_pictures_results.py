"""Pictures of results: their numbers against ones computed here by other means, and that every one can be drawn."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import OptionError
from chainrule.views.confused import frequent_confusions
from chainrule.views.pictures.results.mistakes import largest_residuals, least_sure, surest_right, worst_mistakes
from chainrule.views.pictures.results.results import confusion_picture, regression_fit, reliability
from chainrule.views.pictures.results.samples import class_shares, data_examples

HOSTILE = ("<script>alert(1)</script>", "$x^2$", "long" * 100, "\u202eevil\x1b[31m")


def named(points, classes, name="named", features=None):
    """A data set of a tenth for the test, with these class names."""
    x, y = points.train.x, points.train.y
    part = cr.data.Examples
    return cr.data.Dataset(name, part(x[20:], y[20:]), test=part(x[:20], y[:20]), classes=classes, features=features)


@pytest.fixture(scope="module")
def digits():
    whole = cr.data.mnist()
    part = cr.data.Examples
    data = cr.data.Dataset(
        "few digits",
        part(whole.train.x[:1000], whole.train.y[:1000]),
        test=part(whole.test.x[:300], whole.test.y[:300]),
        scaling=whole.scaling,
        classes=whole.classes,
    )
    return cr.fit("784-16-10", data, epochs=2)


@pytest.fixture(scope="module")
def moons():
    return cr.fit("2-4-1 tanh sigmoid", cr.data.moons(100, noise=0.3), epochs=20, batch_size=10)


@pytest.fixture(scope="module")
def curve():
    return cr.fit("1-10-1 tanh", cr.data.curve("sin3x", n=60), epochs=10, batch_size=10)


@pytest.fixture(scope="module")
def hostile():
    data = named(cr.data.blobs(60, classes=4), HOSTILE, "<b>$\x00", ("<i>", "\u202ex"))
    return cr.fit("2-4-4 tanh softmax", data, epochs=1, batch_size=10)


def logits(run):
    """The outputs of 784-16-10 in float64, by hand."""
    w = {name: array.astype(np.float64) for name, array in run.parameters().items()}
    a = np.maximum(run.data.test.x / 255 @ w["dense1.W"] + w["dense1.b"], 0)
    return a @ w["dense2.W"] + w["dense2.b"]


def probabilities(run):
    z = logits(run)
    return np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)


# ---- confusion


def test_confusions_are_counted_with_their_share_of_the_row(digits):
    shown, y = confusion_picture(digits), digits.data.test.y
    predicted = digits.predict(digits.data.test.x).argmax(axis=1)
    for truth in range(10):
        for other in range(10):
            count = np.sum((y == truth) & (predicted == other))
            assert shown.numbers["counts"][truth, other] == count
            assert shown.numbers["shares"][truth, other] == pytest.approx(count / np.sum(y == truth))
    assert confusion_picture(digits.evaluate("training")).numbers["counts"].sum() == 1000
    most = frequent_confusions(shown.numbers["counts"], 15)[0]
    assert most[2] == (shown.numbers["counts"] * (1 - np.eye(10))).max() == shown.numbers["counts"][most[:2]]


def test_a_class_that_never_occurs_has_no_shares():
    data = named(cr.data.moons(60), ("upper", "lower", "never"))
    shown = confusion_picture(cr.fit("2-4-3 tanh softmax", data, epochs=1, batch_size=10))
    assert np.isnan(shown.numbers["shares"][2]).all()
    assert "<svg" in shown.svg()


def test_many_classes_become_a_list():
    data = cr.data.blobs(210, classes=21)
    shown = confusion_picture(cr.fit("2-3-21 tanh softmax", data, epochs=1, batch_size=10))
    assert "too many for a matrix" in shown.reading
    ax = shown.plot()
    texts = [label.get_text() for label in ax.get_yticklabels()]
    wrong = shown.numbers["counts"] * (1 - np.eye(21))
    assert len(texts) == len(frequent_confusions(shown.numbers["counts"], 15)) == min(15, np.count_nonzero(wrong))
    first, second, count = frequent_confusions(shown.numbers["counts"], 15)[0]
    assert texts[0] == f"cloud {first} → cloud {second}"
    assert ax.patches[0].get_width() == count


# ---- single examples


def test_worst_mistakes_have_the_largest_loss(digits):
    shown = worst_mistakes(digits, most=5)
    y, p = digits.data.test.y, probabilities(digits)
    losses = -np.log(p[np.arange(300), y])
    wrong = np.flatnonzero(p.argmax(axis=1) != y)
    expected = wrong[np.argsort(-losses[wrong])][:5]
    assert np.array_equal(shown.numbers["indices"], expected)
    assert np.allclose(shown.numbers["losses"], losses[expected], rtol=1e-10)
    assert np.allclose(shown.numbers["chance"], p[expected].max(axis=1))
    assert np.allclose(shown.numbers["chance_of_truth"], p[expected, y[expected]])
    assert np.array_equal(shown.numbers["predicted"], p[expected].argmax(axis=1))
    assert np.array_equal(shown.numbers["inputs"], digits.data.test.x[expected])
    assert f"{len(wrong)} were classified wrongly" in shown.reading


def test_surest_and_least_sure(digits):
    y, p = digits.data.test.y, probabilities(digits)
    right = p.argmax(axis=1) == y
    sure = surest_right(digits, most=4)
    assert np.array_equal(sure.numbers["labels"], sure.numbers["predicted"])
    assert np.allclose(sure.numbers["chance"], np.sort(p.max(axis=1)[right])[::-1][:4])
    margins = np.diff(np.sort(p, axis=1)[:, -2:], axis=1)[:, 0]
    assert np.array_equal(least_sure(digits, most=4).numbers["indices"], np.argsort(margins)[:4])


def test_one_output_for_two_classes_gives_both_probabilities(moons):
    shown = worst_mistakes(moons, most=3)
    a = moons.predict(moons.data.test.x)[shown.numbers["indices"], 0]
    assert np.allclose(shown.numbers["chance_of_truth"], np.where(shown.numbers["labels"] == 1, a, 1 - a), rtol=1e-4)
    assert np.allclose(shown.numbers["chance"] + shown.numbers["chance_of_truth"], 1)


def test_mistakes_of_a_network_without_probabilities():
    data = cr.data.moons(60, noise=0.5)
    run = cr.fit("2-4-1", data, loss="hinge", epochs=1, batch_size=10)
    shown = worst_mistakes(run)
    assert np.isnan(shown.numbers["chance"]).all()
    assert "none" in shown.svg()
    with pytest.raises(OptionError, match="probabilities"):
        surest_right(run)


def test_no_mistakes_are_said_to_be_none():
    run = cr.fit("2-8-3 tanh softmax", cr.data.blobs(90, classes=3, margin=2.0), epochs=60, batch_size=10)
    shown = worst_mistakes(run)
    assert len(shown.numbers["indices"]) == 0
    assert "there is none" in shown.svg()


def test_largest_residuals_and_the_fit(curve):
    test = curve.data.test
    model, shown = curve.model(), regression_fit(curve)
    w = model.parameters
    by_hand = np.tanh(test.x @ w["dense1.W"] + w["dense1.b"]) @ w["dense2.W"] + w["dense2.b"]
    assert np.allclose(shown.numbers["predicted"], by_hand[:, 0], rtol=1e-12)
    assert np.allclose(shown.numbers["residuals"], by_hand[:, 0] - test.y[:, 0])
    assert f"{curve.evaluate('test').r_squared():.3f}"[:4] in shown.title
    largest = largest_residuals(curve, most=3)
    assert np.array_equal(largest.numbers["indices"], np.argsort(-np.abs(by_hand - test.y)[:, 0])[:3])
    assert np.allclose(largest.numbers["residuals"][:, 0], shown.numbers["residuals"][largest.numbers["indices"]])


def test_predictions_are_in_the_units_of_the_data():
    x = np.linspace(0, 1, 40)[:, None]
    data = cr.data.from_arrays(x, 1000 + 500 * x)
    run = cr.fit("1-4-1 tanh", data, epochs=200, batch_size=8)
    part = next(iter(dict(run.data.parts())))
    shown = regression_fit(run, part)
    assert np.allclose(shown.numbers["predicted"], run.predict(dict(run.data.parts())[part].x)[:, 0], rtol=1e-4)
    assert shown.numbers["predicted"].mean() == pytest.approx(1250, rel=0.1)


# ---- calibration


def test_a_probability_at_an_edge_belongs_to_the_bin_below():
    run = cr.fit("2-2:softmax", cr.data.moons(40), epochs=0, initial={"dense1.W": np.zeros((2, 2)), "dense1.b": np.zeros(2)})
    assert np.flatnonzero(reliability(run, bins=2).numbers["counts"]).tolist() == [0]
    assert np.flatnonzero(reliability(run, bins=4).numbers["counts"]).tolist() == [1]
    run = cr.fit(
        "2-2:softmax", cr.data.moons(40), epochs=0, initial={"dense1.W": np.zeros((2, 2)), "dense1.b": np.array([99.0, -99.0])}
    )
    assert np.flatnonzero(reliability(run, bins=4).numbers["counts"]).tolist() == [3]


def test_reliability_bins(digits):
    shown, y, p = reliability(digits, bins=5), digits.data.test.y, probabilities(digits)
    chance, right = p.max(axis=1), p.argmax(axis=1) == y
    for place in range(5):
        inside = (chance > place / 5) & (chance <= (place + 1) / 5)
        assert shown.numbers["counts"][place] == inside.sum()
        assert shown.numbers["right"][place] == (inside & right).sum()
        if inside.any():
            share = (inside & right).sum() / inside.sum()
            assert shown.numbers["predicted"][place] == pytest.approx(chance[inside].mean())
            assert shown.numbers["observed"][place] == pytest.approx(share)
            assert shown.numbers["low"][place] <= share <= shown.numbers["high"][place]
            assert shown.numbers["high"][place] - shown.numbers["low"][place] > 0
    # The highest of ten probabilities is never below 0.1.
    assert np.isnan(reliability(digits, bins=20).numbers["observed"][0])
    assert shown.numbers["edges"].tolist() == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
    known = shown.numbers["counts"] > 0
    error = np.sum(np.abs(shown.numbers["observed"] - shown.numbers["predicted"])[known] * shown.numbers["counts"][known]) / 300
    assert shown.numbers["expected_error"] == pytest.approx(error)


# ---- the data


def test_examples_come_from_each_class_in_turn():
    data = cr.data.mnist()
    shown = data_examples(data, most=20)
    assert shown.numbers["targets"].tolist() == [*range(10), *range(10)]
    for label in range(10):
        assert shown.numbers["indices"][[label, label + 10]].tolist() == np.flatnonzero(data.train.y == label)[:2].tolist()
    assert data_examples(cr.data.curve("sin3x"), most=3).numbers["indices"].tolist() == [0, 1, 2]


def test_class_shares():
    data = named(cr.data.moons(60), ("upper", "lower"))
    shown = class_shares(data)
    assert shown.numbers["counts"].sum(axis=1).tolist() == [40, 20]
    share = np.mean(data.train.y == 1)
    assert shown.numbers["shares"][0, 1] == pytest.approx(share)
    assert shown.numbers["errors"][0, 1] == pytest.approx(np.sqrt(share * (1 - share) / 40))


# ---- all of them


@pytest.mark.parametrize("make", [confusion_picture, worst_mistakes, surest_right, least_sure, reliability])
def test_pictures_of_a_classifier_can_be_drawn(make, digits, moons, hostile):
    for run in (digits, moons, hostile):
        text = make(run).svg()
        assert "<script" not in text
        assert "\u202e" not in text
        assert "\x1b" not in text
        assert len(text) < 2_000_000


def test_names_with_dollars_stay_names_and_long_ones_are_cut(hostile):
    text = confusion_picture(hostile).svg() + class_shares(hostile.data).svg() + data_examples(hostile.data).svg()
    assert "$x^2$" in text
    assert "longlonglon…" in text
    assert "&lt;b&gt;$�" in text
    assert "longlonglonglong" not in text


@pytest.mark.parametrize("make", [regression_fit, largest_residuals])
def test_pictures_of_a_fit_can_be_drawn(make, curve):
    assert "<svg" in make(curve).svg()


def test_every_axis_is_labelled(digits, curve):
    for picture in (confusion_picture(digits), reliability(digits), regression_fit(curve), class_shares(digits.data)):
        for ax in picture.plot().figure.axes:
            assert not ax.axison or (ax.get_xlabel() and ax.get_ylabel()), picture.title


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda d, c: confusion_picture(c), "classes"),
        (lambda d, c: confusion_picture(d, "validation"), "training, test"),
        (lambda d, c: worst_mistakes(c), "largest_residuals"),
        (lambda d, c: worst_mistakes(d, most=0), "from 1 on"),
        (lambda d, c: worst_mistakes(d, replica=1), "replica 1"),
        (lambda d, c: largest_residuals(d), "worst_mistakes"),
        (lambda d, c: regression_fit(c, output=1), "output 1"),
        (lambda d, c: reliability(d, bins=0), "bins=0"),
        (lambda d, c: data_examples(d.data, "validation"), "training, test"),
        (lambda d, c: class_shares(c.data), "data_examples"),
    ],
)
def test_what_cannot_be_shown_is_said(ask, words, digits, curve):
    with pytest.raises(OptionError, match=words):
        ask(digits, curve)
