"""Pictures of fits of one variable: data, truth, every neuron's part, and the error against the number of neurons."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import OptionError
from chainrule.views.pictures.functions.capacity import error_against_neurons
from chainrule.views.pictures.functions.fits import fit_1d, hidden_contributions

CURVE = cr.data.CURVES["sin3x"]


def interpolating(n):
    """A run whose 1-n-1 ReLU network is the broken line through n + 1 even knots of sin 3x + 0.3 cos 9x, without training."""
    knots = np.linspace(*CURVE.domain, n + 1)
    slopes = np.diff(CURVE.function(knots)) / np.diff(knots)
    given = {
        "dense1.W": np.ones((1, n)),
        "dense1.b": -knots[:-1],
        "dense2.W": np.diff(slopes, prepend=0.0)[:, None],
        "dense2.b": CURVE.function(knots[:1]),
    }
    return cr.fit(f"1-{n}-1 relu", cr.data.curve("sin3x"), epochs=0, dtype="float64", initial=given)


def scaled_data():
    """A straight line with noise in units far from 1: inputs around 1000, targets around −50."""
    random = np.random.default_rng(1)
    x = random.uniform(900, 1100, (40, 1))
    y = -50 + 0.1 * (x - 1000) + random.normal(size=x.shape)
    return cr.data.Dataset(
        "scaled",
        cr.data.Examples(x, y),
        scaling=cr.data.Scaling.standardise(x),
        target_scaling=cr.data.Scaling.standardise(y),
        features=("pressure",),
    )


def trained(data, network="1-6-1 relu", **options):
    return cr.fit(network, data, optimizer=cr.Adam(0.05), epochs=20, batch_size=10, **options)


# ---- the fit


def test_the_fit_shows_data_truth_and_network():
    """Spec 36, 38: the examples as they are, the curve that they were made of, the network's outputs in the data's units."""
    run = trained(cr.data.curve("sin", n=20, noise=0.3))
    picture = fit_1d(run)
    assert np.array_equal(picture.numbers["x_data"], run.data.train.x[:, 0])
    assert np.array_equal(picture.numbers["y_data"], run.data.train.y[:, 0])
    np.testing.assert_allclose(picture.numbers["true"], np.sin(picture.numbers["x"]), rtol=1e-15)
    np.testing.assert_allclose(picture.numbers["predicted"], run.predict(picture.numbers["x"][:, None])[:, 0], atol=1e-5)
    assert picture.title.endswith("1-6-1")
    labels = [text.get_text() for text in picture.plot().get_legend().get_texts()]
    assert labels == ["true curve", "network", "training example"]


def test_scaled_data_are_shown_in_their_units():
    """Neither the inputs' scaling nor the targets' is seen in the picture."""
    run = trained(scaled_data())
    picture = fit_1d(run)
    assert "true" not in picture.numbers
    assert picture.numbers["x"][0] < 900 < 1100 < picture.numbers["x"][-1]
    np.testing.assert_allclose(picture.numbers["predicted"], run.predict(picture.numbers["x"][:, None])[:, 0], rtol=1e-5)
    assert picture.plot().get_xlabel() == "pressure (data's units)"


def test_the_truth_is_what_one_says_or_what_the_data_know():
    given = fit_1d(trained(scaled_data()), lambda x: 2 * x)
    np.testing.assert_allclose(given.numbers["true"], 2 * given.numbers["x"], rtol=1e-15)
    own = fit_1d(trained(cr.data.curve(np.tanh, n=20, domain=(-1.0, 1.0))))
    np.testing.assert_allclose(own.numbers["true"], np.tanh(own.numbers["x"]), rtol=1e-15)
    alone = fit_1d(trained(cr.data.curve("sin", n=20)).model(), span=(0.0, 1.0), points=3)
    assert "true" not in alone.numbers
    assert list(alone.numbers["x"]) == [0.0, 0.5, 1.0]
    assert not len(alone.numbers["x_data"])


def test_other_networks_are_refused():
    moons = cr.fit("2-3-2 tanh softmax", cr.data.moons(60), epochs=0, batch_size=10)
    for picture in (fit_1d, hidden_contributions):
        with pytest.raises(OptionError, match="neuron_surface"):
            picture(moons)
    bent = cr.fit("1-3-1 relu tanh", cr.data.curve("sin", n=20), epochs=0, batch_size=10)
    with pytest.raises(OptionError, match="the last of them linear"):
        hidden_contributions(bent)


# ---- every hidden neuron's part


@pytest.mark.parametrize("n", [2, 50])
def test_the_parts_add_up_to_the_output(n):
    """Spec 39, 40: output weight × activation, and the output bias: the sum is the network's output to rounding; kinks at the knots."""
    run = interpolating(n)
    picture = hidden_contributions(run)
    assert picture.numbers["parts"].shape == (n, 1001)
    np.testing.assert_allclose(picture.numbers["total"], picture.numbers["predicted"], atol=1e-12)
    np.testing.assert_allclose(picture.numbers["predicted"], run.predict(picture.numbers["x"][:, None])[:, 0], atol=1e-12)
    np.testing.assert_allclose(picture.numbers["kinks"], np.linspace(*CURVE.domain, n + 1)[:-1], atol=1e-12)
    p = run.model().parameters
    by_hand = np.maximum(picture.numbers["x"] * p["dense1.W"][0, 1] + p["dense1.b"][1], 0) * p["dense2.W"][1, 0]
    np.testing.assert_allclose(picture.numbers["parts"][1], by_hand, atol=1e-12)


@pytest.mark.parametrize("network", ["1-2-1 relu", "1-50-1 relu"])
def test_parts_and_kinks_of_scaled_data(network):
    """Spec 39, 40: with scaled inputs and targets the sum is still what `predict` gives, and each part bends at its kink only."""
    run = trained(scaled_data(), network)
    picture = hidden_contributions(run, span=(700.0, 1300.0))
    np.testing.assert_allclose(picture.numbers["total"], picture.numbers["predicted"], rtol=1e-12)
    np.testing.assert_allclose(picture.numbers["total"], run.predict(picture.numbers["x"][:, None])[:, 0], rtol=1e-5)
    step = picture.numbers["x"][1] - picture.numbers["x"][0]
    for part, kink in zip(picture.numbers["parts"], picture.numbers["kinks"], strict=True):
        bends = picture.numbers["x"][1:-1][np.abs(np.diff(part, 2)) > 1e-9]
        assert len(bends) == 0 or np.abs(bends - kink).max() <= step
    assert np.abs(np.diff(picture.numbers["parts"], 2)).max() > 1e-6


def test_kinks_are_marked_where_they_are_seen():
    """A tick for each neuron that bends within the picture; a smooth activation has none."""
    picture = hidden_contributions(interpolating(5), span=(-1.0, 1.0))
    (panel,) = picture.panels
    ticks = next(mark for mark in panel.marks if mark.label == "kink, −b/w")
    np.testing.assert_allclose(ticks.x, [-0.4, 0.4], atol=1e-12)
    smooth = hidden_contributions(trained(cr.data.curve("sin", n=20), "1-3-1 tanh"))
    assert np.isnan(smooth.numbers["kinks"]).all()
    assert "ticks" not in smooth.reading
    np.testing.assert_allclose(smooth.numbers["total"], smooth.numbers["predicted"], atol=1e-12)


def test_deeper_networks_and_layers_without_bias():
    """The last hidden layer's parts add up too; −b/w is no place on the axis behind another layer."""
    net = cr.Sequential(cr.Dense(4, "relu"), cr.Dense(3, "relu", bias=False), cr.Dense(1, bias=False))
    picture = hidden_contributions(trained(cr.data.curve("sin", n=20), net))
    assert picture.title == "3 neurons of dense2 added up"
    assert picture.numbers["offset"] == 0
    assert np.isnan(picture.numbers["kinks"]).all()
    np.testing.assert_allclose(picture.numbers["total"], picture.numbers["predicted"], atol=1e-12)


def test_a_neuron_without_weight_has_no_kink():
    run = interpolating(5)
    weights = np.ones((1, 5))
    weights[0, 2] = 0
    picture = hidden_contributions(run.model().with_parameters({"dense1.W": weights}))
    assert list(np.isnan(picture.numbers["kinks"])) == [False, False, True, False, False]


# ---- error against the number of neurons


def test_error_of_explicit_networks_against_neurons():
    """Spec 35, 36: the largest errors 1.54/0.97/0.52/0.15/0.026/0.0064 of 2/5/10/20/50/100 neurons, falling."""
    neurons = (100, 2, 5, 10, 20, 50)
    picture = error_against_neurons({n: interpolating(n) for n in neurons}, CURVE.function, "largest")
    assert list(picture.numbers["neurons"]) == sorted(neurons)
    mean, error = (picture.numbers[f"to the true curve, {what}"] for what in ("mean", "error"))
    np.testing.assert_allclose(mean, [1.5366, 0.9660, 0.5202, 0.1521, 0.02549, 0.006414], rtol=1e-3)
    assert not error.any()
    assert (np.diff(picture.numbers["test, mean"]) < 0).all()


def noisy_sine(seed):
    """20 points of sin x with noise 0.3; the test part is the curve itself."""
    return cr.data.curve("sin", n=20, noise=0.3, seed=seed)


def test_more_neurons_fit_the_noise():
    """Spec 41, 121: the training error falls with neurons, the error to the true curve is least between; recomputed by hand."""

    def run(n, seed):
        net = cr.Sequential(cr.Dense(n, "relu", biases=cr.nn.Uniform(-3.0, 3.0)), cr.Dense(1))
        return cr.fit(net, noisy_sine(seed), optimizer=cr.LBFGS(iterations=150), seed=seed, evaluate_every=0)

    runs = {n: [run(n, seed) for seed in range(4)] for n in (2, 5, 50)}
    picture = error_against_neurons(runs, np.sin)
    training, true = picture.numbers["training, mean"], picture.numbers["to the true curve, mean"]
    assert (np.diff(training) < 0).all()
    assert true[1] < true[0]
    assert true[2] > training[2]
    one = runs[5][2]
    by_hand = np.mean((one.predict(one.data.train.x) - one.data.train.y) ** 2)
    assert picture.numbers["training"][1, 2] == pytest.approx(by_hand, rel=1e-10)
    x = np.linspace(-np.pi, np.pi, 2001)
    by_hand = np.mean((one.predict(x[:, None])[:, 0] - np.sin(x)) ** 2)
    assert picture.numbers["to the true curve"][1, 2] == pytest.approx(by_hand, rel=1e-10)
    mean, error = picture.numbers["test, mean"], picture.numbers["test, error"]
    values = picture.numbers["test"][0]
    assert (mean[0], error[0]) == pytest.approx((values.mean(), values.std(ddof=1) / 2))


def test_replicas_are_fits_of_their_own():
    """Replicas and runs count alike; numbers with fewer fits are filled with NaN, which no mean sees."""
    data = noisy_sine(0)
    several = trained(data, "1-3-1 relu", replicas=3)
    picture = error_against_neurons({3: [several, trained(data, "1-3-1 relu", seed=9)], 6: trained(data)})
    assert {"training", "test"} <= set(picture.numbers)
    assert list(np.isfinite(picture.numbers["training"]).sum(axis=1)) == [4, 1]
    own = [trained(data, "1-3-1 relu", seed=seed) for seed in (0, 1, 2, 9)]
    expected = [float(np.mean((run.predict(data.train.x) - data.train.y) ** 2)) for run in own]
    np.testing.assert_allclose(picture.numbers["training"][0], expected, rtol=1e-5)
    assert picture.numbers["training, error"][1] == 0
    ax = picture.plot()
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert [text.get_text() for text in ax.get_xticklabels()] == ["3", "6"]
    for wrong in ({}, {3: []}, {3: cr.fit("2-3-2 tanh softmax", cr.data.moons(60), epochs=0, batch_size=10)}):
        with pytest.raises(OptionError, match="number of neurons"):
            error_against_neurons(wrong)


def test_every_picture_of_a_fit_says_what_it_is():
    run = trained(noisy_sine(0))
    for picture in (fit_1d(run), hidden_contributions(run), error_against_neurons({6: run})):
        assert picture.title
        assert picture.numbers
        assert picture.reading.endswith(".")
        assert ". " not in picture.reading
        ax = picture.figure().axes[0]
        assert ax.get_xlabel()
        assert ax.get_ylabel()
