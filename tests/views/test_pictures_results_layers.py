"""Pictures of layers and neurons: projections, probes, biographies, removals, detectors, noise; numbers against other means."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

import chainrule as cr
from chainrule.errors import OptionError
from chainrule.nn import Accuracy
from chainrule.views.pictures.features.biography import effects_of_removal, neuron_biography, weights_around
from chainrule.views.pictures.features.detectors import confidence_on_noise, detector_test, detectors
from chainrule.views.pictures.features.probes import linear_probes
from chainrule.views.pictures.features.removal import effects, layer_ablation
from chainrule.views.pictures.features.representations import layer_projections, principal_axes, projections


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
    return cr.fit("784-12-8-10", data, epochs=3)


@pytest.fixture(scope="module")
def moons():
    return cr.fit("2-5-2-2 tanh softmax", cr.data.moons(100, noise=0.3), epochs=20, batch_size=10)


@pytest.fixture(scope="module")
def curve():
    return cr.fit("1-10-1 tanh", cr.data.curve("sin3x", n=60), epochs=10, batch_size=10)


# ---- projections


def test_projections_are_the_principal_components(digits):
    model, test = digits.model(), digits.data.test
    shown = projections(model, test.x, test.y)
    assert [item.name for item in shown] == ["input", "dense1.a", "dense2.a", "dense3.z"]
    rows = model.quantities(test.x)["dense1.a"]
    variances, directions = np.linalg.eigh(np.cov(rows.T))
    found = shown[1]
    assert np.allclose(found.shares, variances[::-1][:2] / variances.sum())
    by_hand = (rows - rows.mean(axis=0)) @ directions[:, ::-1][:, :2]
    assert np.allclose(np.abs(found.coordinates), np.abs(by_hand))
    assert "of variance" in found.axes[0]
    assert found.grid is None


def test_principal_axes_of_wide_layers():
    """Of few rows of many numbers the scalar products are decomposed: the same axes."""
    random = np.random.default_rng(0)
    rows = random.normal(size=(20, 3)) * [5.0, 3.0, 0.1] @ random.normal(size=(3, 1500))
    rows -= rows.mean(axis=0)
    axes, shares = principal_axes(rows)
    _, sizes, directions = np.linalg.svd(rows, full_matrices=False)
    np.testing.assert_allclose(shares, (sizes**2 / np.sum(sizes**2))[:2], rtol=1e-12)
    np.testing.assert_allclose(np.abs(axes.T @ directions[:2].T), np.eye(2), rtol=0, atol=1e-12)
    assert np.all(axes[np.abs(axes).argmax(axis=0), [0, 1]] > 0)
    axes, shares = principal_axes(np.zeros((5, 1500)))
    assert not shares.any()
    assert np.isfinite(axes).all()


@pytest.mark.parametrize("small", [1.0, 1e-3, 1e-12])
def test_principal_axes_keep_their_digits_beside_a_much_larger_one(small):
    rows = np.random.default_rng(1).normal(size=(60, 5)) * [1.0, small, small / 2, small / 3, small / 4]
    rows -= rows.mean(axis=0)
    axes, shares = principal_axes(rows)
    _, sizes, directions = np.linalg.svd(rows, full_matrices=False)
    np.testing.assert_allclose(shares, (sizes**2 / np.sum(sizes**2))[:2], rtol=1e-12)
    np.testing.assert_allclose(np.abs(axes.T @ directions[:2].T), np.eye(2), rtol=0, atol=1e-12)


def test_quantities_that_are_asked_for(digits):
    model, x = digits.model(), digits.data.test.x[:7]
    whole = model.quantities(x)
    some = model.quantities(x, {"dense1.a", "output"})
    assert set(some) == {"dense1.a", "output"}
    assert all(np.array_equal(whole[name], value) for name, value in some.items())


def test_layers_of_two_neurons_are_shown_as_they_are_and_the_plane_is_bent(moons):
    model, test = moons.model(), moons.data.test
    first, second, third, last = projections(model, test.x, test.y)
    assert np.allclose(first.coordinates, moons.data.scaling.apply(test.x))
    assert np.array_equal(third.coordinates, model.quantities(test.x)["dense2.a"])
    assert third.shares is None
    assert last.name == "dense3.a"
    # A line of the net is straight in the input, and is where the network sends its points.
    scaled = first.grid[4]
    assert np.ptp(scaled[:, 1]) == 0
    points = moons.data.scaling.undo(scaled)
    assert np.allclose(model.quantities(points)["dense2.a"], third.grid[4])
    rows, sent = (model.quantities(x)["dense1.a"] for x in (test.x, points))
    axes, *_ = np.linalg.lstsq(rows - rows.mean(axis=0), second.coordinates, rcond=None)
    assert np.allclose(second.grid[4], (sent - rows.mean(axis=0)) @ axes)


def test_projections_of_numbers_to_fit_and_of_dead_layers(curve, moons):
    shown = layer_projections(curve.model(), curve.data.test.x, curve.data.test.y, most=50)
    assert np.array_equal(shown.numbers["input"][:, 1], curve.data.test.y[:50, 0])
    assert shown.numbers["targets"].shape == (50, 1)
    assert "<svg" in shown.svg()
    dead = moons.model().with_parameters({name: np.zeros_like(w) for name, w in moons.model().parameters.items()})
    shown = layer_projections(dead, moons.data.test.x, moons.data.test.y)
    assert projections(dead, moons.data.test.x, moons.data.test.y)[1].shares.tolist() == [0.0, 0.0]
    assert "<svg" in shown.svg()


def test_many_layers_are_thinned_out():
    run = cr.fit("2-3-3-3-3-3-3-3-2 tanh", cr.data.moons(40), epochs=1, batch_size=10)
    names = [item.name for item in projections(run.model(), run.data.test.x, run.data.test.y)]
    assert len(names) == 6
    assert names[0] == "input"
    assert names[-1] == "dense8.z"


# ---- probes


def test_linear_probes_are_ridge_regressions(digits):
    model, train, test = digits.model(), digits.data.train, digits.data.test
    shown = linear_probes(model, train.x, train.y, test.x, test.y, penalty=0.01)
    assert shown.numbers["names"].tolist() == ["input", "dense1.a", "dense2.a", "dense3.z"]
    inside = model.quantities(train.x), model.quantities(test.x)
    for place, name in ((1, "dense1.a"), (3, "dense3.z")):
        scaler = StandardScaler().fit(inside[0][name])
        judge = Ridge(alpha=0.01 * len(train)).fit(scaler.transform(inside[0][name]), np.eye(10)[train.y])
        labels = judge.predict(scaler.transform(inside[1][name])).argmax(axis=1)
        assert shown.numbers["correct"][place] == np.sum(labels == test.y)
    assert shown.numbers["network"] == digits.evaluate("test").accuracy().correct
    assert Accuracy(int(shown.numbers["correct"][1]), 300).error == pytest.approx(
        np.sqrt(0.25 - (shown.numbers["correct"][1] / 300 - 0.5) ** 2) / np.sqrt(300)
    )
    assert "<svg" in shown.svg()


def test_a_hidden_layer_makes_rings_readable():
    run = cr.fit("2-16-2 tanh softmax", cr.data.circles(200), epochs=60, batch_size=10)
    train, test = run.data.train, run.data.test
    shown = linear_probes(run.model(), train.x, train.y, test.x, test.y)
    before, after = shown.numbers["correct"][:2] / shown.numbers["total"]
    assert before < 0.7
    assert after > 0.9


# ---- removal


@pytest.mark.parametrize("name", ["digits", "moons", "curve"])
def test_effects_are_those_of_the_ablated_model(name, request):
    run = request.getfixturevalue(name)
    model, test = run.model(), run.data.test
    before, losses = model.quantities(test.x)["output"], model.costs(test.x, test.y)
    for effect in effects(model, test.x, test.y, "dense1.a", [(0, 0.0), (4, 0.7)]):
        ablated = model.ablated("dense1.a", effect.neuron, effect.value)
        rises = ablated.costs(test.x, test.y) - losses
        assert effect.cost_rise == pytest.approx(rises.mean(), rel=1e-9, abs=1e-12)
        assert effect.cost_error == pytest.approx(rises.std(ddof=1) / np.sqrt(len(test)))
        assert not np.allclose(ablated.quantities(test.x)["output"], before)
        if test.labelled:
            right, now = model.decide(test.x) == test.y, ablated.decide(test.x) == test.y
            assert (effect.lost, effect.gained) == (np.sum(right & ~now), np.sum(~right & now))
            assert effect.drop == pytest.approx(right.mean() - now.mean())
            difference = right.astype(float) - now
            assert effect.error == pytest.approx(difference.std() / np.sqrt(len(test)))


def test_layer_ablation_goes_through_all_neurons(digits):
    model, test = digits.model(), digits.data.test
    shown = layer_ablation(model, test.x, test.y, "dense2.a")
    accuracy = np.mean(model.decide(test.x) == test.y)
    without = [np.mean(model.ablated("dense2.a", neuron).decide(test.x) == test.y) for neuron in range(8)]
    assert np.allclose(shown.numbers["drops"], accuracy - np.array(without))
    assert shown.numbers["errors"].shape == (8,)
    assert np.all((shown.numbers["errors"] > 0) == (shown.numbers["lost"] + shown.numbers["gained"] > 0))
    mean = layer_ablation(model, test.x, test.y, "dense2.a", mean=True)
    assert np.allclose(mean.numbers["values"], model.quantities(test.x)["dense2.a"].mean(axis=0))
    assert np.abs(mean.numbers["drops"]).sum() < np.abs(shown.numbers["drops"]).sum()
    assert "<svg" in shown.svg()


def test_pieces_change_nothing(digits, monkeypatch):
    model, test = digits.model(), digits.data.test
    whole = layer_ablation(model, test.x, test.y, "dense1.a")
    monkeypatch.setattr("chainrule.views.pictures.features.removal._PIECE", 77)
    pieces = layer_ablation(model, test.x, test.y, "dense1.a")
    assert np.array_equal(whole.numbers["lost"], pieces.numbers["lost"])
    assert np.allclose(whole.numbers["cost_rises"], pieces.numbers["cost_rises"], rtol=1e-9)


def test_layer_ablation_of_a_fit_shows_the_cost(curve):
    shown = layer_ablation(curve.model(), curve.data.test.x, curve.data.test.y, "dense1.a")
    assert not shown.numbers["lost"].any()
    ax = shown.plot()
    assert "loss" in ax.get_ylabel()
    assert [bar.get_height() for bar in ax.patches] == pytest.approx(shown.numbers["cost_rises"].tolist())


# ---- biography


def test_the_biography_of_a_first_neuron(digits):
    model, test = digits.model(), digits.data.test
    shown = neuron_biography(model, test, "dense1.a", 3, most=5)
    activations = np.maximum(test.x / 255 @ model.parameters["dense1.W"] + model.parameters["dense1.b"], 0)[:, 3]
    assert np.allclose(shown.numbers["activations"], activations)
    assert np.array_equal(shown.numbers["incoming"], model.parameters["dense1.W"][:, 3])
    incoming, image, outgoing = weights_around(model, test, "dense1.a", 3)
    assert image == (28, 28)
    assert shown.numbers["bias"] == model.parameters["dense1.b"][3]
    assert (incoming.parameter, outgoing.parameter) == ("dense1.W", "dense2.W")
    assert np.array_equal(shown.numbers["outgoing"], model.parameters["dense2.W"][3])
    assert outgoing.names == tuple(map(str, range(8)))
    assert np.array_equal(shown.numbers["best"], np.argsort(-activations, kind="stable")[:5])
    assert shown.numbers["quantiles"][7, 2] == pytest.approx(np.median(activations[test.y == 7]))
    zero, mean = effects_of_removal(model, test, "dense1.a", 3, float(activations.mean()))
    assert zero == effects(model, test.x, test.y, "dense1.a", [(3, 0.0)])[0]
    assert mean.value == pytest.approx(activations.mean())
    assert np.array_equal(shown.numbers["outgoing"], model.parameters["dense2.W"][3])
    assert "<svg" in shown.svg()


def test_the_biography_of_a_later_neuron_and_of_an_output(digits):
    model, test = digits.model(), digits.data.test
    incoming, image, outgoing = weights_around(model, test, "dense2.z", 1)
    assert image is None
    assert incoming.parameter == "dense2.W"
    assert outgoing.names == tuple("0123456789")
    for quantity in ("dense3.z", "output"):
        last = neuron_biography(model, test, quantity, 9)
        assert np.array_equal(last.numbers["incoming"], model.parameters["dense3.W"][:, 9])
        assert "outgoing" not in last.numbers
        assert "cannot be removed" in last.reading
        assert "<svg" in last.svg()


def test_the_biography_through_an_activation_of_its_own(curve):
    net = cr.Sequential(cr.Dense(4), cr.Activation("tanh"), cr.Dense(1))
    run = cr.fit(net, cr.data.curve("sin3x", n=40), epochs=1, batch_size=10)
    shown = neuron_biography(run.model(), run.data.test, "activation1.a", 2)
    incoming, _, outgoing = weights_around(run.model(), run.data.test, "activation1.a", 2)
    assert (incoming.parameter, incoming.names, outgoing.parameter) == ("dense1.W", ("x",), "dense2.W")
    assert shown.numbers["quantiles"].shape == (1, 5)
    assert "<svg" in shown.svg()


# ---- detectors and noise


def test_separations_are_areas_under_the_curve(digits):
    model, test = digits.model(), digits.data.test
    shown = detector_test(model, test.x, test.y, ["0", "6", "8", "9"])
    loop = np.isin(test.y, [0, 6, 8, 9])
    values = model.quantities(test.x)["dense1.a"]
    assert np.allclose(shown.numbers["separations"], [roc_auc_score(loop, column) for column in values.T])
    found = detectors(model, test.x, test.y, ["0", "6", "8", "9"])
    assert (found.having, found.lacking) == (loop.sum(), (~loop).sum())
    assert np.allclose(detector_test(model, test.x, test.y, loop).numbers["separations"], shown.numbers["separations"])
    place = found.best
    sign = 1 if shown.numbers["separations"][place] >= 0.5 else -1
    pairs = [
        roc_auc_score(test.y[pair] == a, sign * values[pair, place])
        for a in (0, 6, 8, 9)
        for b in (1, 2, 3, 4, 5, 7)
        for pair in [(test.y == a) | (test.y == b)]
    ]
    assert shown.numbers["weakest"][place] == pytest.approx(min(pairs))
    assert "no neuron is a detector of a loop" in shown.reading
    assert "<svg" in shown.svg()


def test_a_detector_that_is_put_in_is_found(moons):
    model, test = moons.model(), moons.data.test
    far = test.x[:, 0] > np.median(test.x[:, 0])
    weights = model.parameters["dense1.W"].copy()
    weights[:, 2] = [-1e-3, 0.0]
    shown = detectors(model.with_parameters({"dense1.W": weights}), test.x, test.y, far, what="a large x")
    assert shown.best == 2
    assert shown.separations[2] == 0.0
    assert np.isnan(shown.weakest).all()
    assert "neuron 2 is a detector of a large x" in shown.verdict


def test_confidence_on_noise(digits, moons):
    model, x = digits.model(), digits.data.test.x
    shown = confidence_on_noise(model, x, seed=3)
    assert list(shown.numbers) == ["data", "noise", "shuffled data"]
    z = model.quantities(x)["output"]
    assert np.allclose(shown.numbers["data"], (np.exp(z).max(axis=1) / np.exp(z).sum(axis=1)))
    again, other = confidence_on_noise(model, x, seed=3), confidence_on_noise(model, x, seed=4)
    assert np.array_equal(shown.numbers["noise"], again.numbers["noise"])
    assert not np.array_equal(shown.numbers["noise"], other.numbers["noise"])
    assert np.array_equal(shown.numbers["data"], other.numbers["data"])
    assert "<svg" in shown.svg()
    assert list(confidence_on_noise(moons.model(), moons.data.test.x).numbers) == ["data", "noise"]


# ---- what is refused


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda d, c: layer_projections(d, c.x[:1], c.y[:1]), "two or more"),
        (lambda d, c: linear_probes(d, c.x, c.y, c.x, c.y, penalty=0.0), "penalty above 0"),
        (lambda d, c: layer_ablation(d, c.x, c.y, "dense9.a"), "dense1.a"),
        (lambda d, c: layer_ablation(d, c.x, c.y, "dense3.z"), "the network's output"),
        (lambda d, c: effects(d, c.x, c.y, "dense1.a", [(12, 0.0)]), "0 ... 11"),
        (lambda d, c: neuron_biography(d, c, "dense1.a", 12), "0 ... 11"),
        (lambda d, c: neuron_biography(d, c, "dense9.a", 0), "dense1.a"),
        (lambda d, c: detector_test(d, c.x, c.y, ["0", "seven"]), "classes"),
        (lambda d, c: detector_test(d, c.x, c.y, []), "nothing"),
        (lambda d, c: detector_test(d, c.x, c.y, np.ones(3, bool)), "mask of 300"),
    ],
)
def test_what_cannot_be_shown_is_said(ask, words, digits):
    with pytest.raises(OptionError, match=words):
        ask(digits.model(), digits.data.test)


def test_numbers_to_fit_have_no_probes_and_no_confidence(curve):
    test = curve.data.test
    with pytest.raises(OptionError, match="predicts numbers"):
        linear_probes(curve.model(), test.x, test.y, test.x, test.y)
    with pytest.raises(OptionError, match="probabilities"):
        confidence_on_noise(curve.model(), test.x)


def test_a_layer_used_twice_is_left_to_the_model():
    shared = cr.Dense(2, "tanh", name="twice")
    run = cr.fit(cr.Sequential(shared, shared, cr.Dense(2, "softmax")), cr.data.moons(40), epochs=1, batch_size=10)
    with pytest.raises(OptionError, match=r"Model\.ablated"):
        layer_ablation(run.model(), run.data.test.x, run.data.test.y, "twice.a")


def test_every_axis_is_labelled(digits, moons):
    model, test = digits.model(), digits.data.test
    pictures = (
        layer_projections(moons.model(), moons.data.test.x, moons.data.test.y),
        linear_probes(model, test.x, test.y, test.x, test.y),
        layer_ablation(model, test.x, test.y, "dense1.a"),
        detector_test(model, test.x, test.y, ["1"], what="a line"),
        confidence_on_noise(model, test.x),
        neuron_biography(model, test, "dense2.a", 0),
    )
    for picture in pictures:
        for ax in picture.plot().figure.axes:
            assert not ax.axison or ax.get_label() == "<colorbar>" or (ax.get_xlabel() and ax.get_ylabel()), picture.title


def test_both_forms_of_the_ridge_are_equal():
    from chainrule.views.pictures.features import probes

    a, wanted = np.random.default_rng(1).normal(size=(12, 30)), np.random.default_rng(2).normal(size=(12, 3))
    other = np.linalg.solve(a.T @ a / 12 + 0.1 * np.eye(30), a.T @ wanted)
    np.testing.assert_allclose(probes._ridge(a, wanted, 0.1), other, rtol=1e-9, atol=1e-12)
