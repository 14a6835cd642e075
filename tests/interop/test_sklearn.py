"""Ours as scikit-learn's estimators, through the tools that its users have around them."""

import pickle
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import sklearn.linear_model
import sklearn.metrics
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import chainrule as cr
from chainrule.interop.estimators import Patience
from chainrule.sklearn import MLPClassifier, MLPRegressor, NeuralNetworkClassifier, NeuralNetworkRegressor

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(120, 3))
LABELS = np.where(X[:, 0] + X[:, 1] > 0, "above", "below")
NUMBERS = np.sin(X[:, 0]) + X[:, 1]
FAST = {"learning_rate_init": 0.02, "max_iter": 60, "tol": 0.0, "n_iter_no_change": np.inf, "random_state": 0}


@pytest.fixture(autouse=True)
def _no_talk_of_convergence():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def test_a_pipeline_with_labels_that_are_texts():
    model = make_pipeline(StandardScaler(), MLPClassifier((8,), **FAST)).fit(X, LABELS)
    assert model.score(X, LABELS) > 0.95
    assert model.predict(X[:5]).dtype.kind == "U"
    assert list(model.classes_) == ["above", "below"]
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1.0)


def test_columns_of_a_frame_by_their_names():
    frame = pd.DataFrame({"length": X[:, 0], "width": X[:, 1], "kind": np.where(X[:, 2] > 0, "a", "b")})
    columns = ColumnTransformer([("numbers", StandardScaler(), ["length", "width"]), ("words", OneHotEncoder(), ["kind"])])
    columns.set_output(transform="default")
    model = make_pipeline(columns, NeuralNetworkClassifier(optimizer=cr.Adam(0.05), epochs=20, random_state=0))
    assert model.fit(frame, pd.Series(LABELS)).score(frame, LABELS) > 0.95
    named = MLPClassifier((4,), **FAST).fit(frame[["length", "width"]], LABELS)
    assert list(named.feature_names_in_) == ["length", "width"]
    assert named.n_features_in_ == 2
    with pytest.raises(ValueError, match="feature names"):
        named.predict(frame[["width", "length"]])


def test_a_grid_search_in_two_processes_finds_what_one_finds():
    grid = {"alpha": [1e-4, 1.0], "hidden_layer_sizes": [(4,), (8,)]}
    two, one = (GridSearchCV(MLPClassifier(**FAST), grid, cv=2, n_jobs=jobs).fit(X, LABELS) for jobs in (2, 1))
    assert one.best_params_["alpha"] == 1e-4
    np.testing.assert_array_equal(two.cv_results_["mean_test_score"], one.cv_results_["mean_test_score"])


def test_scores_of_cross_validation_and_the_importance_of_a_feature():
    model = NeuralNetworkRegressor("3-8-1 tanh", optimizer=cr.Adam(0.05), epochs=60, random_state=0)
    assert cross_val_score(model, X, NUMBERS, cv=3).min() > 0.8
    found = permutation_importance(model.fit(X, NUMBERS), X, NUMBERS, n_repeats=2, random_state=0).importances_mean
    assert found[0] > 10 * abs(found[2])


def test_calibrated_probabilities():
    model = CalibratedClassifierCV(MLPClassifier((4,), **FAST), cv=2).fit(X, LABELS)
    assert model.predict_proba(X).shape == (120, 2)


@pytest.mark.parametrize(
    "model",
    [
        MLPClassifier((8,), **FAST),
        MLPClassifier((8,), **FAST | {"max_iter": 6}, early_stopping=True),
        NeuralNetworkClassifier(cr.Sequential(cr.Dense(4, "tanh"), cr.Dense(2)), epochs=5, replicas=2),
    ],
)
def test_clones_have_the_same_arguments_and_a_pickle_goes_on_predicting(model):
    assert clone(model).get_params().keys() == model.get_params().keys()
    assert clone(model).fit(X, LABELS).get_params() == model.get_params()
    fitted = clone(model).fit(X, LABELS)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
    assert again.run_.hash == fitted.run_.hash
    assert str(again.run_) == str(fitted.run_)
    with pytest.raises(NotFittedError):
        clone(fitted).predict(X)


def test_replicas_give_a_mean_with_its_spread():
    model = NeuralNetworkRegressor("3-8-1 tanh", optimizer=cr.Adam(0.05), epochs=20, replicas=4, random_state=0).fit(X, NUMBERS)
    mean, spread = model.predict(X, return_std=True)
    outputs = model.run_.predict(X, replica=None)[..., 0]
    np.testing.assert_array_equal(mean, outputs.mean(axis=0))
    np.testing.assert_array_equal(spread, outputs.std(axis=0, ddof=1))
    with pytest.raises(cr.errors.OptionError, match="replicas=8"):
        MLPRegressor((4,), **FAST).fit(X, NUMBERS).predict(X, return_std=True)


WEIGHTS = RANDOM.integers(0, 4, 120)
REPEATED = np.repeat(np.arange(120), WEIGHTS)


@pytest.mark.parametrize(
    ("model", "y"),
    [
        (MLPClassifier((8,), **FAST, batch_size=500), LABELS),
        (MLPClassifier((8,), **FAST, batch_size=500), np.digitize(NUMBERS, [-1, 1])),
        (MLPRegressor((8,), **FAST, batch_size=500), NUMBERS),
        (NeuralNetworkRegressor("3-8-1 tanh", batch_size=None, random_state=0, epochs=60), NUMBERS),
        (NeuralNetworkClassifier("3-8-1 tanh", loss="hinge", random_state=0, epochs=60), LABELS),
    ],
)
def test_a_weight_is_as_many_equal_examples(model, y):
    if isinstance(model, NeuralNetworkRegressor | NeuralNetworkClassifier):
        weighted, repeated = (
            clone(model).set_params(batch_size=int((WEIGHTS > 0).sum())),
            clone(model).set_params(batch_size=len(REPEATED)),
        )
    else:
        weighted, repeated = clone(model), clone(model)
    weighted.fit(X, y, sample_weight=WEIGHTS)
    repeated.fit(X[REPEATED], y[REPEATED])
    for name, array in repeated.run_.parameters().items():
        np.testing.assert_allclose(weighted.run_.parameters()[name], array, rtol=1e-8, atol=1e-10)
    assert weighted.loss_ == pytest.approx(repeated.loss_)
    unweighted = clone(repeated).set_params(batch_size=120).fit(X, y)
    assert not np.allclose(unweighted.run_.predict(X), weighted.run_.predict(X), rtol=1e-3)


def test_a_class_can_weigh_more():
    noisy = np.where(RANDOM.random(120) < 0.3, "above", "below")
    plain, heavy = (MLPClassifier((4,), **FAST, class_weight=weight).fit(X, noisy) for weight in (None, {"above": 20.0}))
    assert (heavy.predict(X) == "above").mean() > (plain.predict(X) == "above").mean() + 0.3


def test_partial_fit_goes_on_as_one_long_training_would():
    # In batches of all examples the order does not matter, so that ten times one epoch are ten epochs, memory of Adam and all.
    settings = FAST | {"max_iter": 10, "batch_size": 120}
    whole = MLPClassifier((8,), **settings).fit(X, LABELS)
    parts = MLPClassifier((8,), **settings)
    for _ in range(10):
        parts.partial_fit(X, LABELS, classes=["above", "below"])
    for one, other in zip(parts.coefs_, whole.coefs_, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9)
    assert parts.n_iter_ == whole.n_iter_ == 10
    np.testing.assert_allclose(parts.loss_curve_, whole.loss_curve_)
    with pytest.raises(cr.errors.DataError, match="none of the classes"):
        parts.partial_fit(X, np.full(120, "beside"))


def test_a_warm_start_begins_where_the_last_fit_ended():
    model = MLPRegressor((8,), **FAST | {"max_iter": 5, "warm_start": True}).fit(X, NUMBERS)
    first = model.loss_
    assert model.fit(X, NUMBERS).loss_curve_[0] < first


def test_a_training_ends_when_its_cost_falls_no_more_and_says_so_when_it_still_falls():
    model = MLPRegressor((8,), learning_rate_init=0.02, tol=0.05, n_iter_no_change=3, max_iter=500, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X, NUMBERS)
    curve, n = model.loss_curve_, model.n_iter_
    assert 4 < n < 500
    assert len(curve) == n
    assert all(curve[n - 1 - k] > min(curve[: n - 4]) - 0.05 * (4 - k) for k in range(4))
    with pytest.warns(ConvergenceWarning, match="max_iter=2"):
        model.set_params(max_iter=2).fit(X, NUMBERS)


def test_it_learns_as_scikit_learns_own_does():
    peer = pytest.importorskip("sklearn.neural_network")
    settings = {
        "hidden_layer_sizes": (8,),
        "activation": "tanh",
        "solver": "lbfgs",
        "alpha": 1.0,
        "max_iter": 2000,
        "tol": 1e-8,
    }
    costs = {}
    for kind in (MLPRegressor, peer.MLPRegressor):
        # The least of several starts: the minimum of one and the same cost.
        fits = [kind(**settings, random_state=seed).fit(X, NUMBERS) for seed in range(4)]
        costs[kind] = min(float(fit.loss_curve_[-1] if kind is MLPRegressor else fit.loss_) for fit in fits)
    assert costs[MLPRegressor] == pytest.approx(costs[peer.MLPRegressor], rel=0.05)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"solver": "sgd", "learning_rate": "adapted"}, "adaptive"),
        ({"max_fun": 0}, "max_fun"),
        ({"solver": "lbfgs", "early_stopping": True}, "early_stopping"),
        ({"activation": "softplus"}, "activation"),
        ({"hidden_layer_sizes": (4, 0)}, "hidden_layer_sizes"),
        ({"alpha": -1.0}, "alpha"),
        ({"batch_size": 0}, "batch_size"),
    ],
)
def test_an_argument_without_a_meaning_is_refused(arguments, said):
    with pytest.raises(cr.errors.OptionError, match=said):
        MLPClassifier(**arguments).fit(X, LABELS)


def test_the_rate_falls_with_the_examples_seen():
    peer = pytest.importorskip("sklearn.neural_network._stochastic_optimizers")
    theirs = peer.SGDOptimizer([np.zeros(1)], 0.1, "invscaling", power_t=0.5)
    expected = [0.1]
    for epoch in range(1, 4):
        theirs.iteration_ends(epoch * 50)
        expected.append(theirs.learning_rate)
    ours = cr.InverseScaling(0.1, steps_per_epoch=2, examples=50)(np.arange(8.0), 8)
    np.testing.assert_allclose(ours[::2], expected)
    model = MLPRegressor((4,), solver="sgd", learning_rate="invscaling", max_iter=3, random_state=0).fit(X, NUMBERS)
    assert isinstance(model.run_.settings.optimizer.learning_rate, cr.InverseScaling)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_an_adaptive_rate_falls_to_a_fifth_until_it_is_tiny_and_the_run_says_when(early_stopping):
    settings = {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.5, "n_iter_no_change": 3, "max_iter": 300}
    model = MLPClassifier((4,), **settings, early_stopping=early_stopping, random_state=0).fit(X, LABELS)
    rate = model.run_.settings.optimizer.learning_rate
    assert isinstance(rate, cr.MultiStepDecay)
    assert (rate.rate, rate.factor) == (0.001, 0.2)
    # scikit-learn divides until the rate is 1e-6 or less, which of 0.001 it is after five times; then it ends.
    assert len(rate.steps) == 5
    assert model.n_iter_ < 300
    # The first epoch is better than nothing; then 3 more without a fall of tol, with the loss of the steps one more than that.
    waits = np.diff([0, *rate.steps, model.run_.trainer.step])
    first, later = (5, 4) if not early_stopping else (4, 3)
    assert waits.tolist() == [first, *[later] * 5]
    assert model.run_.at(rate.steps[0] + 1).hash, "replay knows the rate"


def test_an_adaptive_rate_is_scikit_learns():
    """The same losses into both rules: ours lowers the rate, and ends, at the same epochs."""
    peer = pytest.importorskip("sklearn.neural_network").MLPRegressor
    settings = {"solver": "sgd", "learning_rate": "adaptive", "learning_rate_init": 0.02, "tol": 1e-3, "n_iter_no_change": 2}
    theirs = peer(hidden_layer_sizes=(3,), **settings, max_iter=400, random_state=0).fit(X, NUMBERS)
    patience = Patience(1e-3, 2)
    losses, lowered = theirs.loss_curve_, 0
    for epoch, loss in enumerate(losses, 1):
        if patience.ends(np.array([[loss]]), epoch):
            patience.waited, lowered = 0, lowered + 1
    # The last time is its end; and at 0.02/5⁷ = 2.6e-7 it ends.
    assert lowered == 8
    assert theirs._optimizer.learning_rate == pytest.approx(0.02 / 5**7)


def test_counts_by_poisson_are_those_of_the_generalised_linear_model():
    x = np.linspace(0, 1, 60)[:, None]
    y = np.random.default_rng(3).poisson(np.exp(1 + x[:, 0]))
    glm = sklearn.linear_model.PoissonRegressor(alpha=0, tol=1e-9).fit(x, y)
    settings = {
        "hidden_layer_sizes": (1,),
        "activation": "identity",
        "alpha": 0,
        "solver": "lbfgs",
        "tol": 1e-8,
        "random_state": 0,
    }
    model = MLPRegressor(loss="poisson", **settings).fit(x, y)
    np.testing.assert_allclose(model.predict(x), glm.predict(x), rtol=1e-5)
    assert model.out_activation_ == "exp"
    assert model.loss_ == pytest.approx(sklearn.metrics.mean_poisson_deviance(y, glm.predict(x)) / 2, rel=1e-8)
    with pytest.raises(cr.errors.OptionError, match=r"loss='poison'(.|\n)*poisson"):
        MLPRegressor(loss="poison").fit(x, y)
    with pytest.raises(cr.errors.DataError, match="from 0 up"):
        MLPRegressor(loss="poisson").fit(x, y - 5)


@pytest.mark.parametrize(
    "model",
    [
        MLPClassifier((3,), **FAST),
        NeuralNetworkClassifier("3-4-2 softmax", epochs=2),
        NeuralNetworkClassifier("3-2", loss="hinge", epochs=2),
    ],
)
def test_a_single_class_is_predicted_for_certain(model):
    names = np.array(["only"] * len(X))
    fitted = clone(model).fit(X, names)
    assert set(fitted.predict(-100 * X)) == {"only"}
    if fitted.run_.problem.probabilities != "none":
        np.testing.assert_array_equal(fitted.predict_proba(X), np.ones((len(X), 1)))


def test_what_diverges_says_so_in_scikit_learns_words_and_ours():
    with pytest.raises(
        ValueError, match=r"(?s)Solver produced non-finite parameter weights.*at step 0.*scale the inputs"
    ) as told:
        MLPRegressor((3,), **FAST).fit(1e300 * X, NUMBERS)
    assert isinstance(told.value.__cause__, cr.errors.NonFiniteError)
    diverging = MLPRegressor(
        (9,), "identity", solver="sgd", learning_rate_init=1.0, early_stopping=True, max_iter=20, random_state=0
    )
    with pytest.warns(ConvergenceWarning, match="diverged"):
        diverging.fit(10 * X, NUMBERS)
    assert np.isnan(diverging.validation_scores_[-1])
    assert np.isfinite(diverging.predict(X)).all()


def test_a_class_that_cannot_be_split_is_named():
    with pytest.raises(ValueError, match=r"(?s)least populated.*also of rare"):
        MLPClassifier(early_stopping=True).fit(X[:4], ["common", "common", "common", "rare"])


def test_without_scikit_learn_it_says_what_to_install():
    program = "import sys; sys.modules['sklearn'] = None\nimport chainrule.sklearn"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "MissingPackageError" in found.stderr
    assert "pip install 'chainrule[sklearn]'" in found.stderr


@pytest.mark.parametrize(
    "network", [None, "3-8-1 tanh", cr.Sequential(cr.Dense(1)), lambda outputs: cr.Sequential(cr.Dense(outputs))]
)
def test_a_network_is_a_text_a_layer_or_a_function_of_the_number_of_outputs(network):
    model = NeuralNetworkRegressor(network, optimizer=cr.LBFGS(), epochs=30, random_state=0).fit(X, X @ [1.0, 2.0, 3.0] + 7.0)
    assert model.score(X, X @ [1.0, 2.0, 3.0] + 7.0) > 0.99


# ---- sparse inputs, several labels, and what a search has no epochs for


@pytest.mark.parametrize("kind", [scipy.sparse.csr_matrix, scipy.sparse.csc_array, scipy.sparse.coo_array])
@pytest.mark.parametrize(
    "model", [MLPClassifier((4,), **FAST), NeuralNetworkClassifier("3-4-2 tanh softmax", epochs=5, random_state=0)]
)
def test_sparse_inputs_are_the_same_with_their_zeros(kind, model):
    x = np.where(X > 0.5, X, 0.0)
    dense, sparse = clone(model).fit(x, LABELS), clone(model).fit(kind(x), LABELS)
    assert dense.run_.hash == sparse.run_.hash
    np.testing.assert_array_equal(dense.predict_proba(x), sparse.predict_proba(kind(x)))


SEVERAL = np.column_stack([X[:, 0] > 0, X[:, 1] > 0, X[:, 0] + X[:, 1] > 1]).astype(int)


@pytest.mark.parametrize(
    "model",
    [
        MLPClassifier((8,), **FAST),
        MLPClassifier((8,), solver="lbfgs", alpha=0.0, random_state=0),
        NeuralNetworkClassifier(optimizer=cr.Adam(0.02), epochs=60, random_state=0),
        NeuralNetworkClassifier(
            lambda k: cr.Sequential(cr.Dense(8), cr.Dense(k)),
            loss=cr.BinaryCrossEntropy(from_logits=True),
            optimizer=cr.Adam(0.02),
            epochs=60,
            random_state=0,
        ),
    ],
)
@pytest.mark.parametrize("weights", [None, np.ones(120)])
def test_an_example_may_have_several_labels(model, weights):
    fitted = clone(model).fit(X, SEVERAL, sample_weight=weights)
    found = fitted.predict(X)
    assert found.shape == SEVERAL.shape
    assert found.dtype.kind == "i"
    assert (found == SEVERAL).mean() > 0.95
    chances = fitted.predict_proba(X)
    np.testing.assert_array_equal(chances > 0.5, found)
    assert np.ptp(chances.sum(axis=1)) > 0.5
    assert (fitted.predict(X).sum(axis=1) != 1).any()


def test_several_labels_and_scikit_learns_own_agree_on_the_cost():
    peer = pytest.importorskip("sklearn.neural_network").MLPClassifier
    settings = {
        "hidden_layer_sizes": (4,),
        "solver": "lbfgs",
        "alpha": 1.0,
        "max_iter": 2000,
        "tol": 1e-8,
        "activation": "tanh",
    }
    ours, theirs = (
        min(kind(**settings, random_state=seed).fit(X, SEVERAL).loss_ for seed in range(3)) for kind in (MLPClassifier, peer)
    )
    assert ours == pytest.approx(theirs, rel=0.02)


def test_a_search_has_no_epochs_and_says_where_it_did_not_end():
    assert not hasattr(MLPClassifier(solver="lbfgs"), "partial_fit")
    assert hasattr(MLPClassifier(), "partial_fit")
    with pytest.warns(ConvergenceWarning, match="max_iter=3"):
        model = MLPRegressor((4,), solver="lbfgs", max_iter=3, random_state=0).fit(X, NUMBERS)
    assert model.n_iter_ == 3
    assert MLPRegressor((4,), solver="lbfgs", max_fun=2, random_state=0).fit(X, NUMBERS).n_iter_ == 2
    done = MLPRegressor((1,), "identity", solver="lbfgs", warm_start=True, tol=1e-2, random_state=0).fit(X, X[:, 0])
    loss = done.loss_
    assert done.fit(X, X[:, 0]).n_iter_ == 0  # it is there already
    assert done.loss_ == pytest.approx(loss)


@pytest.mark.parametrize("alpha", [0.0, 1e-4])
def test_scores_of_the_validation_part_are_kept(alpha):
    for kind, y in ((MLPClassifier, LABELS), (MLPRegressor, NUMBERS)):
        model = kind((8,), **FAST | {"max_iter": 12, "alpha": alpha}, early_stopping=True).fit(X, y)
        assert len(model.validation_scores_) == model.n_iter_
        assert model.best_validation_score_ == max(model.validation_scores_)
        assert model.best_loss_ is None
        held = model.run_.data.validation
        truth = model.classes_[held.y] if kind is MLPClassifier else held.y[:, 0]
        best = int(np.argmin(model.run_.history.curve("validation", "loss")[1][:, 0]))  # whose weights it keeps
        # The curve's loss is a float32 sum over batches; the score goes through the predictions.
        assert model.score(held.x, truth) == pytest.approx(model.validation_scores_[best], rel=1e-4)
        with pytest.raises(ValueError, match="does not support early_stopping"):
            model.partial_fit(X, y)
    with pytest.raises(ValueError, match="classes"):
        MLPClassifier((2,), **FAST).partial_fit(X, LABELS, classes=["above", "below"]).partial_fit(X, LABELS, classes=["above"])


# ---- what cannot be is refused in our words, whoever notices it


FRAME = pd.DataFrame(X[:20], columns=["u", "v", "w"])
DATES = pd.date_range("2026-01-01", periods=20)
REFUSED_INPUTS = {
    "a text": (FRAME.assign(v="red"), "(?s)column 'v' holds 'red' in row 0.*OneHotEncoder"),
    "dates": (FRAME.assign(v=DATES), "(?s)column 'v' holds dates.*timedelta64"),
    "dates alone": (np.full((20, 3), "2026", "M8[ns]"), "(?s)X holds dates.*timedelta64"),
    "one name twice": (FRAME.set_axis(["u", "u", "w"], axis=1), "(?s)'u', 'u', 'w'.*rename"),
    "a missing value": (FRAME.mask(FRAME > 1), "(?s)Input X contains NaN.*SimpleImputer"),
    "a masked value": (np.ma.masked_array(X[:20], X[:20] > 1), "(?s)masked.*filled"),
    "one axis": (X[:20, 0], r"(?s)Expected 2D.*X.reshape\(-1, 1\)"),
    "another length": (X[:9], "(?s)inconsistent numbers.*a target for each"),
}


@pytest.mark.parametrize("inputs", REFUSED_INPUTS)
@pytest.mark.parametrize("model", [NeuralNetworkClassifier(epochs=1), MLPRegressor((2,), max_iter=1)], ids=["ours", "theirs"])
def test_inputs_that_are_no_numbers_are_refused_with_their_place(model, inputs):
    given, said = REFUSED_INPUTS[inputs]
    with pytest.raises(cr.errors.ChainruleError, match=said):
        model.fit(given, [0, 1] * 10)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([np.nan, *"ab" * 9, "a"], "(?s)nan at example 0, among texts"),
        ([None, *"ab" * 9, "a"], "(?s)None at example 0, among texts"),
        ([1, *"ab" * 9, "a"], "(?s)1 at example 0, among texts"),
        ([["a"], ["b", "c"]] * 10, "(?s)differ in length"),
        (pd.Series([pd.NA, *"ab" * 9, "a"], dtype="string"), "(?s)among texts"),
        (np.linspace(0, 1, 20), "(?s)continuous.*take a regressor"),
    ],
)
def test_labels_that_are_none_are_refused(labels, said):
    with pytest.raises(cr.errors.ChainruleError, match=said):
        NeuralNetworkClassifier(epochs=1).fit(X[:20], labels)


def test_nullable_labels_stay_of_their_kind_and_each_example_may_be_its_own_class():
    model = NeuralNetworkClassifier("3-2:softmax", epochs=0, random_state=0)
    assert model.fit(X[:20], pd.Series([True, False] * 10, dtype="boolean")).classes_.dtype == bool
    assert model.fit(X[:20], pd.Series([3, 7] * 10, dtype="Int64")).classes_.tolist() == [3, 7]
    many = NeuralNetworkClassifier(lambda classes: cr.Dense(classes, "softmax"), epochs=0, random_state=0)
    with pytest.warns(UserWarning, match="number of unique classes"):
        assert len(many.fit(X[:30], [f"c{place}" for place in range(30)]).classes_) == 30


def test_dates_are_no_numbers_to_predict():
    with pytest.raises(cr.errors.DtypeError, match="y holds dates"):
        NeuralNetworkRegressor(epochs=1).fit(X[:20], DATES)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"network": 5}, "network=5 in NeuralNetworkClassifier"),
        ({"network": [4, 4]}, "network="),
        ({"network": lambda: cr.Dense(2)}, "function of 1 argument"),
        ({"network": lambda outputs: None}, "(?s)gave None.*return the network"),
        ({"standardise": "x"}, "standardise"),
        ({"warm_start": "x"}, "warm_start"),
        ({"random_state": "x"}, "random_state"),
        ({"random_state": -1}, "random_state"),
        ({"class_weight": "bogus"}, "class_weight"),
        ({"class_weight": {"same": -1.0}}, "class_weight"),
        ({"class_weight": {"same": np.nan}}, "class_weight"),
        ({"validation_fraction": 2, "early_stopping": cr.EarlyStopping(1)}, "validation_fraction"),
        ({"validation_fraction": 0, "early_stopping": cr.EarlyStopping(1)}, "validation_fraction"),
        ({"validation_fraction": 0.001, "early_stopping": cr.EarlyStopping(1)}, "validation_fraction"),
    ],
)
def test_an_argument_of_a_network_of_ones_own_without_a_meaning_is_refused(arguments, said):
    with pytest.raises(cr.errors.ChainruleError, match=said):
        NeuralNetworkClassifier(**{"epochs": 1, **arguments}).fit(X, LABELS)


def test_a_call_with_an_unknown_argument_or_with_another_network_to_start_from_is_refused():
    with pytest.raises(cr.errors.OptionTypeError, match="epoch"):
        NeuralNetworkClassifier(epoch=3)
    with pytest.raises(cr.errors.OptionError, match="n_iter_no_change"):
        MLPClassifier(n_iter_no_change=0).fit(X, LABELS)
    warm = NeuralNetworkRegressor("3-2-1 tanh", epochs=0, warm_start=True, random_state=0).fit(X, X[:, 0])
    with pytest.raises(cr.errors.ShapeError, match=r"(?s)dense1.W was \(3, 2\), is \(3, 5\).*warm_start=False"):
        warm.set_params(network="3-5-1 tanh").fit(X, X[:, 0])


def test_a_warm_start_keeps_running_statistics_and_frozen_weights():
    network = cr.Sequential(cr.Frozen(cr.Dense(4, "tanh")), cr.BatchNorm(), cr.Dense(2, "softmax"))
    model = NeuralNetworkClassifier(network, epochs=3, warm_start=True, random_state=0).fit(X, LABELS)
    before = model.predict_proba(X)
    again = model.set_params(epochs=0, random_state=5).fit(X, LABELS)
    np.testing.assert_allclose(again.predict_proba(X), before, rtol=1e-6)


@pytest.mark.parametrize("weights", [None, np.ones(100)], ids=["alike", "weighted"])
def test_targets_are_scaled_as_their_network_and_loss_allow(weights):
    x = np.random.default_rng(0).uniform(-1, 1, (100, 1))
    settings = {"optimizer": cr.LBFGS(), "epochs": 60, "random_state": 0}
    grows = NeuralNetworkRegressor("1-9-1 tanh relu", **settings).fit(x, np.exp(2 * x[:, 0]), weights)
    assert grows.score(x, np.exp(2 * x[:, 0])) > 0.99  # standardised targets lie below what ReLU reaches
    counts = np.random.default_rng(1).poisson(np.exp(2 * x[:, 0]))
    counting = NeuralNetworkRegressor("1-4-1 tanh exp", loss="poisson", **settings).fit(x, counts, weights)
    assert counting.predict(x).mean() == pytest.approx(counts.mean(), rel=0.02)  # as of every Poisson fit with an intercept


def test_measured_numbers_with_errors_are_scaled_by_the_numbers_alone():
    x = np.linspace(0, 1, 20)[:, None]
    measured = np.c_[3.0 * x + 7.0, np.linspace(0.1, 0.5, 20)]
    model = NeuralNetworkRegressor("1-1", loss="chi_squared", optimizer=cr.LBFGS(), random_state=0).fit(x, measured)
    np.testing.assert_allclose(model.predict(x), measured[:, :1], rtol=1e-6)
    assert model.predict(x).shape == (20, 1)
    data = cr.data.from_arrays(x, measured, target_scaling="standardise", split=None)
    with pytest.raises(cr.errors.ShapeError, match="target_scaling is made for shape"):
        cr.fit("1-1", data, loss="chi_squared", epochs=1)


def test_a_warning_stands_at_the_users_line():
    rows = np.random.default_rng(0).normal(size=(30, 2))
    labels = (rows[:, 0] > 0).astype(int)
    for fitted in (MLPClassifier((2,), max_iter=3), make_pipeline(MLPClassifier((2,), max_iter=3))):
        with pytest.warns(ConvergenceWarning, match="still falls") as seen:
            fitted.fit(rows, labels)
        assert [warning.filename for warning in seen] == [__file__]


@pytest.mark.parametrize("change", ["outputs", "network"])
def test_partial_fit_goes_on_only_where_all_that_was_learned_has_its_place(change):
    x, y = np.random.default_rng(0).normal(size=(2, 40, 2))
    model = NeuralNetworkRegressor(lambda count: cr.Sequential(cr.Dense(4, "tanh"), cr.Dense(count)), random_state=0)
    model.partial_fit(x, y[:, 0])
    before = model.predict(x)
    if change == "network":
        model.set_params(network="2-5-1 tanh")
    with pytest.raises(cr.errors.ShapeError, match="partial_fit with another network"):
        model.partial_fit(x, y if change == "outputs" else y[:, 0])
    np.testing.assert_array_equal(model.predict(x), before)


def test_probabilities_of_classes_are_shares_of_a_whole_and_of_labels_are_not():
    x = np.random.default_rng(0).normal(size=(60, 2))
    y = np.arange(60) % 3
    sigmoids = NeuralNetworkClassifier("2-4-3 tanh sigmoid", epochs=5, random_state=0).fit(x, y)
    outputs = sigmoids.run_.predict(x)
    np.testing.assert_allclose(sigmoids.predict_proba(x), outputs / outputs.sum(axis=1, keepdims=True), rtol=1e-6)
    np.testing.assert_array_equal(sigmoids.predict(x), sigmoids.predict_proba(x).argmax(axis=1))
    labels = NeuralNetworkClassifier("2-4-3 tanh sigmoid", epochs=5, random_state=0).fit(
        x, (x[:, :1] > [[-1, 0, 1]]).astype(int)
    )
    np.testing.assert_allclose(labels.predict_proba(x), labels.run_.predict(x), rtol=1e-6)
