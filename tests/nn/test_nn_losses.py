"""Every loss: value, gradient, stability, golden numbers of the lectures, error texts, penalties, objectives that add up."""

import math

import jax
import numpy as np
import pytest
import sklearn.metrics
from nn_judges import first_values, numerical_gradient, value
from scipy.special import xlogy

from chainrule import ops
from chainrule.derivatives import grad
from chainrule.errors import LossError, OptionError, OptionTypeError, ShapeError
from chainrule.graph import compute, constant, input_node
from chainrule.nn import (
    L1,
    L2,
    LOSSES,
    AbsoluteError,
    BinaryCrossEntropy,
    Constant,
    CrossEntropy,
    Dense,
    EuclideanDistance,
    Hinge,
    Huber,
    Objective,
    PerceptronLoss,
    Poisson,
    Sequential,
    SquaredError,
    Weighted,
    build_network,
    objective,
    softmax,
)

jax.config.update("jax_enable_x64", True)
RANDOM = np.random.default_rng(0)
OUTPUT, TARGET = RANDOM.normal(size=(6, 3)), RANDOM.normal(size=(6, 3))
LABELS = np.array([0, 2, 1, 1, 0, 2])
BITS = np.array([[0.0, 1, 1], [1, 0, 0], [1, 1, 1], [0, 0, 0], [1, 0, 1], [0.25, 0.5, 0.75]])
D = OUTPUT - TARGET
SIGMA = RANDOM.uniform(0.5, 2.0, size=(6, 3))
LOG_P = OUTPUT - np.log(np.exp(OUTPUT).sum(axis=1, keepdims=True))
P = 1 / (1 + np.exp(-OUTPUT))
BINARY = -(BITS * np.log(P) + (1 - BITS) * np.log(1 - P)).sum(axis=1)
MARGIN = np.array([z[y] - np.delete(z, y).max() for z, y in zip(OUTPUT, LABELS, strict=True)])
COUNTS = np.array([[0.0, 1, 3], [2, 0, 1], [7, 1, 0], [1, 2, 2], [0, 0.5, 1], [3, 1, 1]])
DEVIANCE = (xlogy(COUNTS, COUNTS / np.exp(OUTPUT)) - COUNTS + np.exp(OUTPUT)).sum(axis=1)
RIGHT = LOG_P[np.arange(6), LABELS]

# Name, what squashes the output, target, the value for each example by its formula.
CASES = {
    "squared_error": ("", TARGET, (D**2).sum(axis=1)),
    "half_squared_error": ("", TARGET, (D**2).sum(axis=1) / 2),
    "mean_squared_error": ("", TARGET, (D**2).mean(axis=1)),
    "half_mean_squared_error": ("", TARGET, (D**2).mean(axis=1) / 2),
    "chi_squared": ("", np.hstack([TARGET, SIGMA]), ((D / SIGMA) ** 2).sum(axis=1)),
    "euclidean_distance": ("", TARGET, np.linalg.norm(D, axis=1)),
    "mean_absolute_error": ("", TARGET, np.abs(D).mean(axis=1)),
    "absolute_error": ("", TARGET, np.abs(D).sum(axis=1)),
    "huber": ("", TARGET, np.where(np.abs(D) <= 1, D**2 / 2, np.abs(D) - 0.5).mean(axis=1)),
    "cross_entropy": ("softmax", LABELS, -RIGHT),
    "cross_entropy_from_logits": ("", LABELS, -RIGHT),
    "binary_cross_entropy": ("sigmoid", BITS, BINARY),
    "binary_cross_entropy_from_logits": ("", BITS, BINARY),
    "poisson": ("exp", COUNTS, DEVIANCE),
    "poisson_from_log": ("", COUNTS, DEVIANCE),
    "hinge": ("", LABELS, np.maximum(0, 1 - MARGIN)),
    "perceptron": ("", LABELS, np.maximum(0, -MARGIN)),
}
SQUASH = {"": lambda z: z, "softmax": softmax, "sigmoid": ops.sigmoid, "exp": ops.exp}


def loss_of(name, z, target):
    return value(lambda z, t: LOSSES[name](SQUASH[CASES[name][0]](z), t), z, target)


def gradient_of(name, z, target):
    leaf, t = input_node("z", z.shape, z.dtype.name), input_node("t", target.shape, target.dtype.name)
    (slope,) = grad(ops.sum(LOSSES[name](SQUASH[CASES[name][0]](leaf), t)), [leaf])
    return compute([slope], {leaf: z, t: target})[0]


def test_every_loss_has_a_case():
    assert CASES.keys() == LOSSES.keys()


@pytest.mark.parametrize("name", CASES)
def test_value_by_the_closed_form(name):
    _, target, expected = CASES[name]
    found = loss_of(name, OUTPUT, target)
    assert found.shape == (6,)
    np.testing.assert_allclose(found, expected, rtol=1e-13)


@pytest.mark.parametrize("name", CASES)
def test_gradient_by_central_differences(name):
    target = CASES[name][1]
    numeric = numerical_gradient(lambda z: float(loss_of(name, z, target).sum()), OUTPUT)
    np.testing.assert_allclose(gradient_of(name, OUTPUT, target), numeric, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize(
    "name", [name for name in CASES if name not in {"hinge", "perceptron", "mean_absolute_error", "absolute_error"}]
)
def test_gradient_by_the_complex_step(name):
    target = CASES[name][1]
    exact = np.zeros(OUTPUT.shape)
    for place in np.ndindex(OUTPUT.shape):
        z = OUTPUT.astype(complex)
        z[place] += 1e-30j
        leaf, t = input_node("z", z.shape), input_node("t", target.shape, target.dtype.name)
        total = ops.sum(LOSSES[name](SQUASH[CASES[name][0]](leaf), t))
        exact[place] = np.imag(compute([total], {leaf: z, t: target})[0]) / 1e-30
    np.testing.assert_allclose(gradient_of(name, OUTPUT, target), exact, rtol=1e-11, atol=1e-14)


def test_judges_from_elsewhere():
    log_loss = sklearn.metrics.log_loss(LABELS, np.exp(LOG_P))
    assert loss_of("cross_entropy", OUTPUT, LABELS).mean() == pytest.approx(log_loss, rel=1e-13)
    mse = sklearn.metrics.mean_squared_error(TARGET, OUTPUT)
    assert loss_of("mean_squared_error", OUTPUT, TARGET).mean() == pytest.approx(mse, rel=1e-13)
    mae = sklearn.metrics.mean_absolute_error(TARGET, OUTPUT)
    assert loss_of("mean_absolute_error", OUTPUT, TARGET).mean() == pytest.approx(mae, rel=1e-13)
    hinge = sklearn.metrics.hinge_loss(LABELS, OUTPUT)
    assert loss_of("hinge", OUTPUT, LABELS).mean() == pytest.approx(hinge, rel=1e-13)
    judge = jax.grad(lambda z: -jax.nn.log_softmax(z)[np.arange(6), LABELS].sum())(OUTPUT)
    np.testing.assert_allclose(gradient_of("cross_entropy", OUTPUT, LABELS), judge, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_stable_at_huge_outputs(name, dtype):
    far = 80 if "poisson" in name else 1e4  # a mean of exp(10⁴) is no number of any dtype
    z = np.array([[far, -far, 0], [-far, far, far], [0, 0, 0]], dtype)
    target = CASES[name][1][:3]
    target = target.astype(dtype) if target.dtype.kind == "f" else target
    found = loss_of(name, z, target)
    assert found.dtype == dtype
    assert np.isfinite(found).all()
    assert np.isfinite(gradient_of(name, z, target)).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_sure_wrong_answer_costs_its_logit(dtype):
    z = np.array([[1e4, -1e4]], dtype)
    assert value(lambda z: CrossEntropy()(softmax(z), constant([1])), z)[0] == 2e4
    assert value(lambda z: CrossEntropy(from_logits=True)(z, constant([0])), z)[0] == 0.0
    bits = constant([[0.0, 1.0]], dtype)
    assert value(lambda z: BinaryCrossEntropy()(ops.sigmoid(z), bits), z)[0] == 2e4


# ---- golden numbers of the lectures (spec 54-58, 88, E1-E4)

ANIMALS = np.array([[0.48, 0.01, 0.51]])
DOG = np.array([[0.0, 0.0, 1.0]])


def test_human_cat_dog():
    assert ANIMALS.argmax() == 2
    distance = value(EuclideanDistance(), ANIMALS, DOG)[0]
    assert f"{distance:.4f}" == "0.6860"
    assert distance == pytest.approx(math.sqrt(0.4706), rel=1e-12)


def test_the_slide_with_its_misprint():
    with_misprint = value(EuclideanDistance(), np.array([[0.48, 0.1, 0.51]]), DOG)[0]
    assert f"{with_misprint:.4f}" == "0.6932"


def test_uncertain_against_sure():
    logits = np.log(ANIMALS)
    cross_entropy = value(lambda z: CrossEntropy()(softmax(z), constant([2])), logits)[0]
    assert cross_entropy == pytest.approx(-math.log(0.51), rel=1e-12)
    assert f"{cross_entropy:.3f}" == "0.673"
    assert f"{value(EuclideanDistance(), np.array([[0.02, 0.01, 0.97]]), DOG)[0]:.3f}" == "0.037"


def test_cat_and_dog_film():
    """p = (0.9 cat, 0.1 dog) for a dog: the loss, its slope, and one gradient step that moves both as promised."""
    z, dog = np.log(np.array([[0.9, 0.1]])), np.array([1])
    assert f"{loss_of('cross_entropy', z, dog)[0]:.3f}" == "2.303"
    slope = gradient_of("cross_entropy", z, dog)
    np.testing.assert_allclose(slope, [[0.9, -0.9]], rtol=1e-13)
    after = value(softmax, z - 0.5 * slope)[0]
    assert after[0] < 0.9
    assert after[1] > 0.1


def test_slope_of_cross_entropy_is_p_minus_t():
    p, t = np.exp(LOG_P), np.eye(3)[LABELS]
    for name in ("cross_entropy", "cross_entropy_from_logits"):
        np.testing.assert_allclose(gradient_of(name, OUTPUT, LABELS), p - t, rtol=1e-12, atol=1e-15)
    for name in ("binary_cross_entropy", "binary_cross_entropy_from_logits"):
        np.testing.assert_allclose(gradient_of(name, OUTPUT, BITS), P - BITS, rtol=1e-12, atol=1e-15)


def test_slope_of_poisson_is_the_mean_minus_the_count():
    for name in ("poisson", "poisson_from_log"):
        np.testing.assert_allclose(gradient_of(name, OUTPUT, COUNTS), np.exp(OUTPUT) - COUNTS, rtol=1e-12, atol=1e-15)


def test_poisson_is_half_of_scikit_learns_deviance():
    a = np.array([[0.3], [1.0], [2e5], [7.0]])
    y = np.array([[0.0], [3.0], [199_000.0], [7.0]])
    wanted = sklearn.metrics.mean_poisson_deviance(y, a) / 2
    assert value(lambda a, t: Poisson()(ops.softplus(a), t), np.log(np.expm1(np.minimum(a, 30))), y).shape == (4,)
    np.testing.assert_allclose(value(lambda z, t: Poisson()(ops.exp(z), t), np.log(a), y).mean(), wanted, rtol=1e-9)


def test_poisson_loses_no_digit_of_a_large_count_whose_mean_is_nearly_right():
    z, y = np.array([[np.log(1e6)]], np.float32), np.array([[1e6]], np.float32)
    exact = 1e6 * (np.expm1(float(z[0, 0]) - np.log(1e6)) - (float(z[0, 0]) - np.log(1e6)))
    found = value(Poisson(from_log=True), z, y)[0]
    assert abs(found - exact) < 1e-4, "y·(log y − z) − (y − exp(z)), term by term, is wrong by about 1 here"


def test_poisson_wants_means_or_their_logarithms():
    y = input_node("y", (3, 1))
    with pytest.raises(LossError, match=r"never negative(.|\n)*poisson_from_log"):
        applied(Poisson(), Sequential(Dense(1)), y)
    with pytest.raises(LossError, match=r"done twice(.|\n)*loss=.poisson."):
        applied(Poisson(from_log=True), Sequential(Dense(1, "exp")), y)
    applied(Poisson(), Sequential(Dense(1, "softplus")), y)


def test_cost_of_a_single_example():
    a, y = np.array([[0.2, 0.7, 0.1]]), np.array([[0.0, 1.0, 0.0]])
    assert value(SquaredError(mean=False), a, y)[0] == pytest.approx(0.04 + 0.09 + 0.01, rel=1e-14)


@pytest.mark.parametrize("mean", [True, False])
@pytest.mark.parametrize("half", [True, False])
def test_the_printed_factor_is_the_computed_one(mean, half):
    loss = SquaredError(mean, half)
    factor = (0.5 if loss.formula.startswith("½·") else 1.0) * (0.25 if "1/k·" in loss.formula else 1.0)
    ones = np.ones((1, 4))
    assert value(loss, ones, 0 * ones)[0] == factor * 4
    assert ("mean" in loss.name, "half" in loss.name) == (mean, half)


def test_printed_numbers_lose_no_digit():
    factor = 1.23456789e-4
    assert repr(factor) in L2(factor).formula
    assert repr(factor) in L1(factor).formula
    assert repr(1.23456789) in Huber(1.23456789).formula
    assert L2(1e-4).formula == "0.0001·Σ w²"


# ---- corners


def test_no_distance_has_no_slope():
    here = np.zeros((2, 3))
    for name in ("euclidean_distance", "mean_absolute_error", "huber", "squared_error"):
        assert not gradient_of(name, here, here).any()


def test_huber_meets_at_delta():
    d = np.array([[2.0 - 1e-12], [2.0], [2.0 + 1e-12]])
    found = value(Huber(2.0), d, np.zeros((3, 1)))
    np.testing.assert_allclose(found, 2.0, rtol=1e-11)
    leaf = input_node("z", (3, 1))
    (slope,) = grad(ops.sum(Huber(2.0)(leaf, constant(np.zeros((3, 1))))), [leaf])
    np.testing.assert_allclose(compute([slope], {leaf: d})[0], 2.0, rtol=1e-11)
    for bad in (0, -1.0, math.nan, math.inf):
        with pytest.raises(OptionError, match="delta"):
            Huber(bad)


def test_margins_of_one_output():
    z, y = np.array([[2.0], [-0.5], [0.25]]), np.array([[1.0], [1.0], [0.0]])
    np.testing.assert_allclose(value(Hinge(), z, y), [0.0, 1.5, 1.25])
    np.testing.assert_allclose(value(PerceptronLoss(), z, y), [0.0, 0.5, 0.25])


# ---- errors


def applied(loss, network, target, input_shape=(4,)):
    built = build_network(network, input_shape, batch=3)
    return loss(built.output, target)


LABEL_NODE = input_node("y", (3,), "int64")


def test_softmax_into_a_loss_from_logits():
    with pytest.raises(LossError) as caught:
        applied(CrossEntropy(from_logits=True), Sequential(Dense(5), Dense(2, "softmax")), LABEL_NODE)
    for words in ("wants logits", "softmax", "dense2", 'loss="cross_entropy"', "linear"):
        assert words in str(caught.value)


def test_sigmoid_into_a_loss_from_logits():
    with pytest.raises(LossError) as caught:
        applied(BinaryCrossEntropy(from_logits=True), Sequential(Dense(1, "sigmoid")), input_node("y", (3, 1)))
    for words in ("wants logits", "sigmoid", "dense1", 'loss="binary_cross_entropy"'):
        assert words in str(caught.value)


def test_the_remedy_fits_what_was_given():
    with pytest.raises(LossError, match='loss="binary_cross_entropy"'):
        applied(CrossEntropy(from_logits=True), Sequential(Dense(2, "sigmoid")), LABEL_NODE)
    with pytest.raises(LossError, match='loss="cross_entropy"'):
        applied(BinaryCrossEntropy(from_logits=True), Sequential(Dense(2, "softmax")), input_node("y", (3, 2)))


def test_logits_into_a_loss_of_probabilities():
    with pytest.raises(LossError) as caught:
        applied(CrossEntropy(), Sequential(Dense(2)), LABEL_NODE)
    for words in ("wants probabilities", "dense1", 'Dense(units, "softmax")', "cross_entropy_from_logits"):
        assert words in str(caught.value)
    with pytest.raises(LossError, match="sigmoid"):
        applied(BinaryCrossEntropy(), Sequential(Dense(2, "softmax")), input_node("y", (3, 2)))


@pytest.mark.parametrize("name", [name for name in CASES if LOSSES[name].target == "values" and "binary" not in name])
def test_a_column_is_never_broadcast_against_a_row(name):
    with pytest.raises(ShapeError) as caught:
        LOSSES[name](input_node("a", (3, 1)), input_node("y", (3,)))
    for words in ("(3, 1)", "(3,)", "never broadcast", "reshape(-1, 1)"):
        assert words in str(caught.value)
    with pytest.raises(ShapeError, match="as many units"):
        LOSSES[name](input_node("a", (3, 2)), input_node("y", (3, 4)))


@pytest.mark.parametrize(
    ("output", "target"),
    [
        (input_node("a", (3, 2)), input_node("y", (3,))),
        (input_node("a", (3, 2)), input_node("y", (3, 1), "int64")),
        (input_node("a", (3, 2)), input_node("y", (4,), "int64")),
        (input_node("a", (3, 1)), input_node("y", (3,), "int64")),
        (input_node("a", (3,)), input_node("y", (3,), "int64")),
    ],
)
@pytest.mark.parametrize("loss", [CrossEntropy(from_logits=True), Hinge(), PerceptronLoss()])
def test_labels_are_whole_numbers_in_one_row(loss, output, target):
    with pytest.raises(ShapeError, match="whole-number labels"):
        loss(output, target)


def test_unknown_losses():
    with pytest.raises(OptionError, match="did you mean 'cross_entropy'"):
        objective("crossentropy")
    for wrong in (5, None, CrossEntropy, lambda a, y: a):
        with pytest.raises(OptionTypeError, match="as a loss"):
            objective(wrong)
        with pytest.raises(OptionTypeError, match="as a loss"):
            CrossEntropy() + wrong


# ---- penalties and sums

NETWORK = Sequential(Dense(3, "tanh", biases=Constant(0.5)), Dense(2, "softmax"))


@pytest.fixture
def built():
    return build_network(NETWORK, (4,), batch=6)


def test_penalties_look_at_weights(built):
    values = first_values(built)
    weights = [values[item.node] for item in built.parameters.values() if item.node.type.ndim > 1]
    everything = list(values.values())
    assert len(weights) == 2
    for penalty, expected in (
        (L2(0.5), 0.5 * sum((w**2).sum() for w in weights)),
        (L1(0.5), 0.5 * sum(np.abs(w).sum() for w in weights)),
        (L2(0.5, biases=True), 0.5 * sum((w**2).sum() for w in everything)),
        (L1(2.0, biases=True), 2.0 * sum(np.abs(w).sum() for w in everything)),
    ):
        (term,) = (CrossEntropy() + penalty).penalty_terms(built.parameters).values()
        assert compute([term], values)[0] == pytest.approx(expected, rel=1e-13)


def test_penalty_slopes(built):
    values = first_values(built)
    terms = (CrossEntropy() + L2(0.5) + L1(0.25)).penalty_terms(built.parameters)
    weight = built.parameters["dense1.W"].node
    (squares,), (sizes,) = grad(terms["l2"], [weight]), grad(terms["l1"], [weight])
    np.testing.assert_allclose(compute([squares], values)[0], values[weight], rtol=1e-15)
    np.testing.assert_array_equal(compute([sizes], values)[0], 0.25 * np.sign(values[weight]))


def test_terms_are_reported_apart_and_add_up(built):
    total = CrossEntropy() + L2(0.1) + L1(0.01)
    labels, x = np.array([0, 1, 1, 0, 1, 0]), np.random.default_rng(3).normal(size=(6, 4))
    rows = total.per_example(built.output, {"labels": constant(labels)})
    terms = total.penalty_terms(built.parameters)
    assert list(rows) == ["cross_entropy"]
    assert list(terms) == ["l2", "l1"]
    summed = ops.mean(rows["cross_entropy"]) + terms["l2"] + terms["l1"]
    bound = first_values(built) | {built.input: x}
    apart = compute([ops.mean(rows["cross_entropy"]), *terms.values()], bound)
    assert compute([summed], bound)[0] == pytest.approx(sum(apart), rel=1e-15)
    assert all(node.scope == "loss" for node in terms.values())


def test_formulas_of_sums():
    assert (SquaredError(mean=False, half=True) + L2(0.1)).formula == "C = 1/B·Σ_batch(½·Σ_j (a_j − y_j)²) + 0.1·Σ w²"
    assert objective("cross_entropy") == Objective((CrossEntropy(),))
    assert objective(CrossEntropy() + L2(0.1)).penalties == (L2(0.1),)
    assert (L2(0.1) + CrossEntropy()).losses == (CrossEntropy(),)
    assert (CrossEntropy() + (L2(0.1) + Huber())).terms == (CrossEntropy(), L2(0.1), Huber())


def test_sums_that_make_no_sense():
    with pytest.raises(OptionError, match="a name of its own"):
        CrossEntropy() + CrossEntropy()
    for factor in (-1.0, math.nan, math.inf, "much", True):
        for penalty in (L1, L2):
            with pytest.raises(OptionError, match="factor"):
                penalty(factor)
    bare = build_network(Sequential(ops.tanh), (2,))
    with pytest.raises(OptionError, match="without weights"):
        (SquaredError() + L2(0.1)).penalty_terms(bare.parameters)


def test_every_loss_prints_its_formula():
    assert len({loss.name for loss in LOSSES.values()}) == len(LOSSES)
    for loss in LOSSES.values():
        assert loss.formula
        assert loss.formula in (loss + L2(0.1)).formula


def test_absolute_error_names():
    assert AbsoluteError().name == "mean_absolute_error"
    assert AbsoluteError(mean=False).formula == "Σ_j |a_j − y_j|"


@pytest.mark.parametrize("loss", [SquaredError(), AbsoluteError(), Huber(), EuclideanDistance()])
def test_a_weighted_loss_is_the_loss_times_the_weight(loss):
    rng = np.random.default_rng(0)
    a, y, w = rng.normal(size=(4, 3)), rng.normal(size=(4, 3)), rng.uniform(size=(4, 1))
    plain, weighted = compute([loss(constant(a), constant(y)), Weighted(loss)(constant(a), constant(np.hstack([y, w])))])
    np.testing.assert_allclose(weighted, plain * w[:, 0])


def test_a_weighted_loss_of_labels_takes_a_column_to_a_class():
    z, labels, w = np.random.default_rng(0).normal(size=(4, 3)), np.array([0, 2, 1, 1]), np.array([[0.0], [1.0], [2.0], [0.5]])
    targets = np.hstack([np.eye(3)[labels], w])
    for loss in (CrossEntropy(from_logits=True), Hinge()):
        plain, weighted = compute([loss(constant(z), constant(labels)), Weighted(loss)(constant(z), constant(targets))])
        np.testing.assert_allclose(weighted, plain * w[:, 0])


def test_a_weighted_loss_without_a_weight_says_where_it_belongs():
    with pytest.raises(ShapeError, match="weight of each example behind its target"):
        Weighted(SquaredError())(constant(np.zeros((4, 3))), constant(np.zeros((4, 3))))
