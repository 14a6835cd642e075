"""The science behind the examples of codes, on smaller versions: what is known of each holds."""

import math

import numpy as np
import pytest
from scipy import integrate, stats
from sklearn.decomposition import PCA

import chainrule as cr
from chainrule.data import Dataset, Examples, reconstruction
from chainrule.examples import EXAMPLES
from chainrule.examples.autoencoders import Components, errors, first_digits, network
from chainrule.examples.denoising import wiener
from chainrule.examples.learned_picture import parameter_count, polynomial_errors
from chainrule.examples.variational import HIDDEN, best_likelihood, importance, linear_data, linear_elbo


def shortened(name, part, **changes):
    return EXAMPLES[name].trainings(0)[part].changed(**changes).fit()


def test_principal_components_are_those_of_scikit_learn():
    rows = np.random.default_rng(0).normal(size=(300, 12)) @ np.random.default_rng(1).normal(size=(12, 12))
    judge = PCA(4).fit(rows)
    expected = judge.inverse_transform(judge.transform(rows))
    np.testing.assert_allclose(Components.of(rows).reconstructed(rows, 4), expected, atol=1e-10)


def test_a_linear_autoencoder_reaches_principal_components_and_a_curved_one_does_better():
    data = reconstruction(first_digits(2000, 500))
    components = Components.of(data.train.y)
    options = {"optimizer": cr.Adam(cr.Cosine(0.003)), "batch_size": 64, "evaluate_every": 0, "replicas": 2}
    linear = cr.fit(network("linear", 8), data, epochs=40, **options)
    ratios = errors(linear, "training") / components.error(data.train.y, 8)
    assert np.all(ratios >= 1.0)
    assert np.all(ratios < 1.03)
    curved = cr.fit(network("curved", 8), data, epochs=20, **options)
    assert np.all(errors(curved, "test") < 0.9 * components.error(data.test.y, 8))


def test_no_other_linear_filter_leaves_less_error():
    random = np.random.default_rng(0)
    rows = random.normal(size=(4000, 6)) @ random.normal(size=(6, 6)) + 1.0
    noisy = rows + 0.7 * random.normal(size=rows.shape)
    mean, matrix = wiener(rows, 0.7)
    left = np.mean((mean + (noisy - mean) @ matrix - rows) ** 2)
    # Least squares on these very rows can only be better by what it fits of the noise: 7 numbers of 4000 rows.
    columns = np.column_stack([noisy, np.ones(len(noisy))])
    fitted = np.mean((columns @ np.linalg.lstsq(columns, rows, rcond=None)[0] - rows) ** 2)
    assert 1.0 <= left / fitted < 1.01
    assert left < 0.49


def test_a_small_network_takes_more_noise_away_than_the_linear_filter():
    training = EXAMPLES["denoising"].trainings(0)["new noise at each step"]
    run = training.changed(epochs=12, replicas=1).fit()
    test = run.data.test
    mean, matrix = wiener(run.data.train.y, 0.5)
    linear = np.mean((np.clip(mean + (test.x - mean) @ matrix, 0, 1) - test.y) ** 2)
    left = np.mean((run.predict(test.x) - test.y) ** 2, axis=1)
    error = left.std() / np.sqrt(len(left))
    assert left.mean() + 3 * error < linear


def test_the_best_likelihood_is_that_of_its_own_normal_distribution():
    rows = linear_data(3, 500).train.x
    variances, directions = np.linalg.eigh(np.cov(rows.T, bias=True))
    directions = directions[:, ::-1][:, :HIDDEN]
    model = directions * (variances[::-1][:HIDDEN] - 1) @ directions.T + np.eye(rows.shape[1])
    judge = stats.multivariate_normal(rows.mean(axis=0), model).logpdf(rows).mean()
    assert best_likelihood(rows) == pytest.approx(judge, rel=1e-12)


@pytest.fixture(scope="module")
def linear():
    return shortened("variational", "linear", replicas=2)


def test_a_linear_variational_autoencoder_reaches_the_best_likelihood_and_never_exceeds_it(linear):
    rows = linear.data.train.x
    for replica in range(2):
        short = best_likelihood(rows) - linear_elbo(linear.model(replica), rows)
        assert 0 <= short < 0.005


def test_its_bound_is_the_mean_over_drawn_codes(linear):
    model, rows = linear.model(), linear.data.train.x[:200]
    values, random = model.quantities(rows), np.random.default_rng(0)
    mean, deviation = values["latent1.mean"], np.exp(values["latent1.log_variance"] / 2)
    drawn = []
    for _ in range(200):
        codes = mean + deviation * random.standard_normal(mean.shape)
        output = model.quantities_from("latent1.a", codes)["output"]
        logs = stats.norm.logpdf(rows, output).sum(axis=1) + stats.norm.logpdf(codes).sum(axis=1)
        drawn.append(np.mean(logs - stats.norm.logpdf(codes, mean, deviation).sum(axis=1)))
    error = np.std(drawn) / math.sqrt(len(drawn))
    assert abs(np.mean(drawn) - linear_elbo(model, rows)) < 4 * error


def test_importance_weights_come_to_the_exact_likelihood_of_bits():
    """With one code number and few pixels the likelihood is an integral that can be done."""
    random = np.random.default_rng(0)
    data = reconstruction(
        Dataset("bits", Examples((random.random((200, 3)) < [0.2, 0.5, 0.9]).astype(float), np.zeros((200, 1))))
    )
    net = cr.Sequential(cr.Dense(4, "tanh"), cr.Dense(2), cr.Latent(), cr.Dense(4, "tanh"), cr.Dense(3, "sigmoid"))
    model = cr.fit(net, data, loss="binary_cross_entropy", optimizer=cr.Adam(0.01), epochs=10).model()
    rows = data.train.x[:6]
    grid = np.linspace(-8, 8, 2001)[:, None]
    output = model.quantities_from("latent1.a", grid)["output"]
    likelihoods = np.prod(np.where(rows[:, None] > 0, output, 1 - output), axis=2)
    exact = np.log(integrate.trapezoid(likelihoods * stats.norm.pdf(grid[:, 0]), grid[:, 0], axis=1))
    bound, found = importance(model, rows, 4000, seed=1)
    np.testing.assert_allclose(found, exact, atol=0.02)
    assert np.all(bound <= exact + 0.02)


def test_polynomials_are_the_least_squares_ones():
    data = cr.data.picture(20, seed=1)
    train, test = polynomial_errors(data, 4)
    powers = [(i, j) for i in range(5) for j in range(5) if i + j <= 4]
    columns, others = (np.stack([x[:, 0] ** i * x[:, 1] ** j for i, j in powers], axis=1) for x in (data.train.x, data.test.x))
    weights = np.linalg.lstsq(columns, data.train.y[:, 0], rcond=None)[0]
    assert train[-1] == pytest.approx(np.mean((columns @ weights - data.train.y[:, 0]) ** 2), rel=1e-9)
    assert test[-1] == pytest.approx(np.mean((others @ weights - data.test.y[:, 0]) ** 2), rel=1e-9)
    assert np.all(np.diff(train) <= 0)


def test_sines_learn_a_picture_better_than_any_polynomial_of_their_size():
    run = shortened("picture", "sine 16", replicas=2)
    degree = next(d for d in range(99) if math.comb(d + 2, 2) >= parameter_count(16))
    assert run.problem.output.type.size == 1
    assert sum(value.size for value in run.parameters().values()) == parameter_count(16)
    best = polynomial_errors(run.data, degree)[1].min()
    assert np.all(run.evaluate("test").loss < 0.9 * best)
