"""Golden numbers of the five lectures through the public names, and the checklist held to what exists.

A number after "spec" is the item's in docs/checklist.md. What stands beside the part that it belongs to (tests/nn, tests/grad,
tests/train) is not repeated here.
"""

import ast
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule import ops
from chainrule.cli.application import COMMANDS

ROOT = Path(__file__).parent.parent


def made(network, input_shape, batch, *, seed=0):
    """A network built in float64, with normal numbers of deviation 1/√(inputs) for its parameters, by leaf."""
    built = cr.build_network(network, input_shape, batch=batch)
    random = np.random.default_rng(seed)
    values = {p.node: random.normal(size=p.node.shape) / max(p.node.shape[0], 1) ** 0.5 for p in built.parameters.values()}
    return built, values


def node_named(built, name):
    """The node of a built network by its name."""
    return next(node for node in built.graph.nodes if node.name == name)


def cost_of(built, y, loss):
    """The mean of a loss over the examples, against targets that are known."""
    return ops.mean(loss(built.output, cr.constant(y)))


def leaves_of(built):
    return [parameter.node for parameter in built.parameters.values()]


def σ(z):
    return 1 / (1 + np.exp(-z))


FEW = slice(0, 20)
SUM_OF_SQUARES = cr.SquaredError(mean=False)


# ---- one neuron, layers, batches


def test_one_neuron_in_two_visible_steps():
    """Spec 1, 2, 9, 22: first z = w1·y1 + w2·y2 + b, then f(z): two nodes, each with its number."""
    built, _ = made(cr.Sequential(cr.Dense(1, "sigmoid")), (2,), 1)
    w, b = leaves_of(built)
    z, a = node_named(built, "dense1.z"), node_named(built, "dense1.a")
    assert (a.op, a.inputs) == (ops.sigmoid, (z,))
    bound = {built.input: np.array([[0.5, -1.0]]), w: np.array([[2.0], [3.0]]), b: np.array([0.25])}
    found = cr.compute([z, a], bound)
    assert found[0].item() == 2.0 * 0.5 + 3.0 * -1.0 + 0.25
    np.testing.assert_allclose(found[1].item(), σ(-1.75), rtol=1e-15)


@pytest.mark.parametrize("sharpness", [1, 2, 5, 10, 50])
def test_the_sigmoid_is_a_rounded_step(sharpness):
    """Spec 6, E16: negative values become 0 only in the limit: at z the distance from the step is σ(−k·|z|), never 0."""
    z = np.linspace(-2, 2, 400)[:, None]
    built, _ = made(cr.Sequential(cr.Dense(1, "sigmoid", bias=False)), (1,), 400)
    (w,) = leaves_of(built)
    (a,) = cr.compute([built.output], {built.input: z, w: np.array([[float(sharpness)]])})
    assert a[z < 0].min() > 0
    np.testing.assert_allclose(np.abs(a - (z > 0)), σ(-sharpness * np.abs(z)), rtol=1e-12, atol=1e-15)


def test_twenty_images_in_parallel():
    """Spec 34: shapes by the nodes' names, and the same numbers as 20 single passes.

    Equal to 1e-12, not to the bit: BLAS multiplies a matrix by 20 rows with another kernel than by one row, which adds in another
    order.
    """
    network = cr.Sequential(cr.Dense(16, "sigmoid"), cr.Dense(16, "sigmoid"), cr.Dense(10, "softmax"))
    many, values = made(network, (784,), 20)
    single, same_values = made(network, (784,), 1)
    names = ["dense1.a", "dense2.a", "dense3.a"]
    assert [many.input.shape, *(node_named(many, name).shape for name in names)] == [(20, 784), (20, 16), (20, 16), (20, 10)]
    images = cr.data.mnist().test.x[FEW] / 255
    together = cr.compute([node_named(many, name) for name in names], {many.input: images, **values})
    for row, image in enumerate(images):
        alone = cr.compute([node_named(single, name) for name in names], {single.input: image[None], **same_values})
        for one, other in zip(together, alone, strict=True):
            np.testing.assert_allclose(one[row], other[0], rtol=0, atol=1e-12)


# ---- expressivity


def relu_interpolant(function, low, high, n):
    """A 1-n-1 ReLU network's parameters, for the broken line through n + 1 even knots: neuron i starts at knot i, −b/w."""
    knots = np.linspace(low, high, n + 1)
    slopes = np.diff(function(knots)) / np.diff(knots)
    return {
        "dense1.W": np.ones((1, n)),
        "dense1.b": -knots[:-1],
        "dense2.W": np.diff(slopes, prepend=0.0)[:, None],
        "dense2.b": function(knots[:1]),
    }


@pytest.mark.parametrize(("n", "error"), [(2, 1.5366), (5, 0.9660), (10, 0.5202), (20, 0.1521), (50, 0.02549), (100, 0.006414)])
def test_explicit_relu_networks(n, error):
    """Spec 36: sin 3x + 0.3 cos 9x on [−2, 2]; its largest errors, 1.54/0.97/0.52/0.15/0.026/0.0064, are those of n + 1 even knots.

    One digit differs: for 50 neurons it is 0.02549, which rounds to 0.025; the spec's 0.026 is 0.0255 rounded once more.
    """
    curve = cr.data.CURVES["sin3x"]
    given = relu_interpolant(curve.function, *curve.domain, n)
    run = cr.fit(f"1-{n}-1 relu", cr.data.curve("sin3x"), epochs=0, dtype="float64", initial=given)
    x = np.linspace(*curve.domain, 20_001)
    largest = np.abs(run.predict(x[:, None])[:, 0] - curve.function(x)).max()
    assert largest == pytest.approx(error, rel=3e-4)


def test_relu_neurons_are_scaled_graphs_that_add_up():
    """Spec 39, 40: a ReLU net is the sum of its neurons' graphs, and bends at −b/w, nowhere else."""
    built, values = made(cr.Sequential(cr.Dense(50, "relu"), cr.Dense(1)), (1,), 4001)
    w, b, v, c = (values[leaf] for leaf in leaves_of(built))
    x = np.linspace(-3, 3, 4001)[:, None]
    hidden, out = cr.compute([node_named(built, "dense1.a"), built.output], {built.input: x, **values})
    np.testing.assert_allclose(out, (hidden * v[:, 0]).sum(1, keepdims=True) + c, rtol=1e-12, atol=1e-12)
    bends = np.abs(np.diff(out[:, 0], 2)) > 1e-12
    kinks = np.sort(-b / w[0])
    distance = np.abs(x[1:-1][bends] - kinks).min(axis=1)
    assert distance.max() <= 6 / 4000
    inside = kinks[np.abs(kinks) < 3]
    assert len(inside) <= bends.sum() <= 2 * len(inside)


def noisy_sine(seed):
    """20 points at random places of sin x on [−π, π], with noise 0.3; the test part is the curve itself."""
    random = np.random.default_rng(seed)
    x, true = random.uniform(-np.pi, np.pi, (20, 1)), np.linspace(-np.pi, np.pi, 401)[:, None]
    train = cr.data.Examples(x, np.sin(x) + 0.3 * random.normal(size=x.shape))
    return cr.data.Dataset("noisy sine", train, test=cr.data.Examples(true, np.sin(true)))


def test_more_neurons_fit_the_noise():
    """Spec 41, 121: with neurons 2/5/50/500 the training error falls, the error to the true curve has its minimum between.

    The lecture's recipe is not stated; here: L-BFGS, 200 iterations, bends spread over the interval, 12 seeds, each with data and
    first weights of its own. Measured once: training 0.235±0.039 / 0.070±0.011 / 0.033±0.004 / 0.021±0.003 (spec 0.208 / 0.058 / 0.030
    / 0.016), true 0.200±0.032 / 0.078±0.021 / 0.084±0.017 / 0.292±0.085 (spec 0.186±0.029 / 0.055±0.004 / 0.084±0.015 /
    0.185±0.047). Bounds: each within three standard errors of the spec's; each ordering by two of the paired
    ratio's logarithm, so that a single fit that swings wildly between two of its points does not decide.
    """
    seeds = 12
    neurons = (2, 5, 50, 500)
    training, true = np.empty((4, seeds)), np.empty((4, seeds))
    for row, n in enumerate(neurons):
        net = cr.Sequential(cr.Dense(n, "relu", biases=cr.nn.Uniform(-3.0, 3.0)), cr.Dense(1))
        for seed in range(seeds):
            run = cr.fit(net, noisy_sine(seed), optimizer=cr.LBFGS(iterations=200), seed=seed, evaluate_every=0)
            training[row, seed], true[row, seed] = run.evaluate("training").loss[0], run.evaluate("test").loss[0]

    def error(values):
        return values.std(axis=-1, ddof=1) / seeds**0.5

    def clearly_less(one, other):
        ratio = np.log(other / one)
        return ratio.mean() > 2 * error(ratio)

    assert all(clearly_less(training[row + 1], training[row]) for row in range(3))
    assert clearly_less(true[1], true[0])
    assert clearly_less(true[1], true[3])
    assert clearly_less(true[2], true[3])
    spec_true, spec_error = np.array([0.186, 0.055, 0.084, 0.185]), np.array([0.029, 0.004, 0.015, 0.047])
    spec_training = np.array([0.208, 0.058, 0.030, 0.016])
    assert (np.abs(true.mean(1) - spec_true) <= 3 * np.hypot(error(true), spec_error)).all()
    # The spec gives no errors for these: taken to be as large as ours.
    assert (np.abs(training.mean(1) - spec_training) <= 3 * 2**0.5 * error(training)).all()


# ---- loss and metric


def test_accuracy_has_no_slope_and_the_loss_has():
    """Spec 52, E15: over one weight accuracy is a staircase, derivative 0 almost everywhere; the loss is smooth."""
    data = cr.data.moons(100)
    built, values = made(cr.Sequential(cr.Dense(2, "softmax")), (2,), 100)
    weight, _ = leaves_of(built)
    cost = cost_of(built, data.train.y, cr.CrossEntropy())
    grid = np.linspace(-3, 3, 2001)
    accuracies, losses = np.empty(len(grid)), np.empty(len(grid))
    for place, w in enumerate(grid):
        moved = values[weight].copy()
        moved[1, 0] = w
        outputs, losses[place] = cr.compute([built.output, cost], {**values, built.input: data.train.x, weight: moved})
        accuracies[place] = cr.nn.accuracy(data.train.y, cr.nn.predicted_labels(outputs)).value
    jumps = np.diff(accuracies) != 0
    assert 0 < jumps.mean() < 0.1
    np.testing.assert_allclose(np.abs(np.diff(accuracies)[jumps]), 0.01, atol=0.0101)
    assert np.abs(np.diff(losses)).max() < 0.01
    assert (np.diff(losses) != 0).mean() > 0.99


def test_a_sigmoid_unit_with_square_loss():
    """E11, E12: y = σ(wx + b), L = ½(y − t)²; ∂L/∂w = (y − t)·σ′(z)·x, ∂L/∂b = (y − t)·σ′(z)."""
    x, w, b, t = (cr.input_node(name) for name in "xwbt")
    y = ops.sigmoid(w * x + b)
    cost = 0.5 * (y - t) * (y - t)
    numbers = {x: np.float64(1.7), w: np.float64(-0.4), b: np.float64(0.9), t: np.float64(1.0)}
    out, by_w, by_b = cr.compute([y, *cr.grad(cost, [w, b])], numbers)
    delta = (out - 1.0) * out * (1 - out)
    np.testing.assert_allclose([by_w, by_b], [delta * 1.7, delta], rtol=1e-14)


def test_chain_rule_for_a_function_of_two_quantities():
    """Spec 98, E11: dL/dt = Σ_i (∂L/∂u_i)·(du_i/dt), one term to a path."""
    t = cr.input_node("t")
    first, second = ops.sin(t), ops.exp(t)
    cost = first * second + first**2.0
    whole, by_first, by_second = cr.grad(cost, [t, first, second])
    paths = by_first * cr.grad(first, [t])[0] + by_second * cr.grad(second, [t])[0]
    found = cr.compute([whole, paths], {t: np.float64(0.8)})
    np.testing.assert_allclose(found[0], found[1], rtol=1e-15)
    np.testing.assert_allclose(found[0], np.exp(0.8) * (np.sin(0.8) + np.cos(0.8)) + np.sin(1.6), rtol=1e-14)


# ---- gradient descent


def test_where_it_rolls_depends_on_the_start():
    """Spec 73: C(w) = w⁴ − 2w² + 0.3w has two minima; from many starts descent finds one or the other, the left one is lower."""
    w = cr.input_node("w", (41,))
    cost = w**4.0 - 2.0 * w**2.0 + 0.3 * w
    (slope,) = cr.grad(ops.sum(cost), [w])
    places = np.linspace(-2, 2, 41)
    roots = np.sort(np.roots([4, 0, -4, 0.3]).real)
    hill = roots[1]
    starts = places
    for _ in range(400):
        places = places - 0.02 * cr.compute([slope], {w: places})[0]
    np.testing.assert_allclose(places, np.where(starts < hill, roots[0], roots[2]), atol=1e-9)
    costs = cr.compute([cost], {w: places})[0]
    assert costs[0] < costs[-1]


def test_the_gradient_points_where_it_is_steepest():
    """Spec 74: of all directions, C(x, y) rises most along ∇C, by |∇C|, and falls most against it."""
    xy = cr.input_node("xy", (2,))
    cost = ops.sum(ops.sin(xy) * cr.constant([1.0, 3.0])) + ops.sum(xy * xy) ** 2.0
    at, h = np.array([0.3, -0.7]), 1e-6
    gradient = cr.compute(cr.grad(cost, [xy]), {xy: at})[0]
    angles = np.linspace(-np.pi, np.pi, 720, endpoint=False)
    around = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    rises = [(cr.compute([cost], {xy: at + h * d})[0] - cr.compute([cost], {xy: at - h * d})[0]) / (2 * h) for d in around]
    steepest = angles[np.argmax(rises)]
    assert abs(steepest - np.arctan2(gradient[1], gradient[0])) <= np.pi / 720 + 1e-9
    # The nearest of 720 directions is at most π/720 off, which takes 1 − cos(π/720) < 1e-5 from the rise.
    np.testing.assert_allclose(max(rises), np.linalg.norm(gradient), rtol=1e-5)
    np.testing.assert_allclose(min(rises), -np.linalg.norm(gradient), rtol=1e-5)


def test_the_gradient_of_the_digit_network_has_13002_entries():
    """Spec 75, 78: each parameter has one entry; size says which matter: nudging the ten largest beats nudging ten others."""
    data = cr.data.mnist()
    network = cr.Sequential(cr.Dense(16, "sigmoid"), cr.Dense(16, "sigmoid"), cr.Dense(10, "sigmoid"))
    built, values = made(network, (784,), 20)
    cost = cost_of(built, np.eye(10)[data.train.y[FEW]], SUM_OF_SQUARES)
    leaves = leaves_of(built)
    bound = {**values, built.input: data.train.x[FEW] / 255}
    before, *parts = cr.compute([cost, *cr.grad(cost, leaves)], bound)
    gradient = np.concatenate([part.ravel() for part in parts])
    assert gradient.shape == (13_002,)
    by_size = np.argsort(-np.abs(gradient))

    def cost_after(which, change):
        flat = np.concatenate([values[leaf].ravel() for leaf in leaves])
        flat[which] += change
        cuts = np.cumsum([leaf.type.size for leaf in leaves])[:-1]
        moved = {leaf: part.reshape(leaf.shape) for leaf, part in zip(leaves, np.split(flat, cuts), strict=True)}
        return cr.compute([cost], {**bound, **moved})[0]

    top, others = by_size[:10], np.random.default_rng(0).choice(by_size[10:], 10, replace=False)
    assert before - cost_after(top, -0.01 * np.sign(gradient[top])) > 10 * (
        before - cost_after(others, -0.01 * np.sign(gradient[others]))
    )
    for which in (*top[:3], *others[:3]):
        difference = (cost_after(which, 1e-5) - cost_after(which, -1e-5)) / 2e-5
        np.testing.assert_allclose(gradient[which], difference, rtol=1e-5, atol=1e-9)


# ---- back-propagation


def test_three_factors():
    """Spec 71, 92, 93: ∂C/∂w = ∂z/∂w · ∂a/∂z · ∂C/∂a with a⁽ᴸ⁻¹⁾, σ′(z), 2(a − y); ΔC/ε goes there as ε goes to 0."""
    w, b, before, y = (cr.input_node(name) for name in ("w", "b", "a_before", "y"))
    z = w * before + b
    a = ops.sigmoid(z)
    cost = (a - y) * (a - y)
    numbers = {w: np.float64(1.3), b: np.float64(-0.2), before: np.float64(0.7), y: np.float64(1.0)}
    factors = [*cr.grad(z, [w]), *cr.grad(a, [z]), *cr.grad(cost, [a])]
    found_a, start, whole, *three = cr.compute([a, cost, *cr.grad(cost, [w]), *factors], numbers)
    np.testing.assert_allclose(three, [0.7, found_a * (1 - found_a), 2 * (found_a - 1.0)], rtol=1e-14)
    np.testing.assert_allclose(np.prod(three), whole, rtol=1e-15)
    distances = []
    for epsilon in (1e-1, 1e-2, 1e-3, 1e-4):
        (moved,) = cr.compute([cost], {**numbers, w: numbers[w] + epsilon})
        distances.append(abs((moved - start) / epsilon - whole))
    np.testing.assert_allclose(np.array(distances[:-1]) / distances[1:], 10, rtol=0.15)


def test_several_neurons_need_a_sum():
    """Spec 86, 95, E9: ∂C/∂w_kj = δ_j·a_k, and ∂C/∂a_k = Σ_j δ_j·w_kj: every neuron of the next layer has its wish."""
    built, values = made(cr.Sequential(cr.Dense(4, "sigmoid"), cr.Dense(3, "sigmoid")), (5,), 1)
    y = np.array([[0.0, 1.0, 0.0]])
    cost = cost_of(built, y, SUM_OF_SQUARES)
    hidden = node_named(built, "dense1.a")
    weight, bias = leaves_of(built)[2:]
    x = np.random.default_rng(5).normal(size=(1, 5))
    wanted = [hidden, built.output, *cr.grad(cost, [weight, bias, hidden])]
    a, out, by_weight, by_bias, by_hidden = cr.compute(wanted, {built.input: x, **values})
    delta = 2 * (out - y) * out * (1 - out)
    np.testing.assert_allclose(by_bias, delta[0], rtol=1e-13)
    np.testing.assert_allclose(by_weight, np.outer(a[0], delta[0]), rtol=1e-13)
    wishes = values[weight] * delta
    np.testing.assert_allclose(by_hidden[0], wishes.sum(axis=1), rtol=1e-13)
    assert (np.abs(wishes - by_hidden[0][:, None]) > 1e-6).all()


def test_a_two_wants_its_own_output_up_and_all_others_down():
    """Spec 82, 83, 84: the wishes −∂C/∂a for a picture of a 2; the weights from the brightest neurons get most for their money."""
    data = cr.data.mnist()
    two = data.train.x[data.train.y == 2][:1] / 255
    built, values = made(cr.Sequential(cr.Dense(16, "sigmoid"), cr.Dense(10, "sigmoid")), (784,), 1)
    cost = cost_of(built, np.eye(10)[[2]], SUM_OF_SQUARES)
    hidden, weight = node_named(built, "dense1.a"), leaves_of(built)[2]
    gradients = cr.grad(cost, [built.output, weight])
    a, by_output, by_weight = cr.compute([hidden, *gradients], {built.input: two, **values})
    assert (np.sign(-by_output[0]) == np.where(np.arange(10) == 2, 1, -1)).all()
    for column in np.abs(by_weight).T:
        assert (np.argsort(column) == np.argsort(a[0])).all()


@pytest.fixture(scope="module")
def nudges():
    """A network on 40 moons: its parameters by name, the gradient of each example alone, and that of all together."""
    data = cr.data.moons(40)
    network = cr.Sequential(cr.Dense(6, "tanh"), cr.Dense(2, "softmax"))
    initial = {p.name: value for p, value in made(network, (2,), 40)[1].items()}

    def gradient(rows):
        built = cr.build_network(network, (2,), batch=len(rows))
        cost = cost_of(built, data.train.y[rows], cr.CrossEntropy())
        bound = {built.input: data.train.x[rows], **{leaf: initial[leaf.name] for leaf in leaves_of(built)}}
        return dict(zip(built.parameters, cr.compute(cr.grad(cost, leaves_of(built)), bound), strict=True))

    return data, network, initial, gradient


def test_averaged_nudges_are_minus_the_gradient(nudges):
    """Spec 79, 87, E8: the mean of all examples' nudges −η∂C₀ is −η∇C, and a full-batch step of `fit` moves by it."""
    data, network, initial, gradient = nudges
    whole, singles = gradient(np.arange(40)), [gradient(np.array([row])) for row in range(40)]
    run = cr.fit(network, data, optimizer=cr.SGD(0.5), batch_size=40, epochs=1, dtype="float64", initial=initial)
    for name, moved in run.parameters().items():
        np.testing.assert_allclose(np.mean([single[name] for single in singles], axis=0), whole[name], rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(moved - initial[name], -0.5 * whole[name], rtol=0, atol=2e-16 * 10)


def test_batch_gradients_point_roughly_the_same_way(nudges):
    """Spec 105, 108: a mini-batch's gradient is askew to the full one, the less the larger the batch."""
    _, _, _, gradient = nudges

    def flat(rows):
        return np.concatenate([part.ravel() for part in gradient(rows).values()])

    whole = flat(np.arange(40))
    random = np.random.default_rng(0)
    cosines = []
    for size in (1, 4, 16, 40):
        parts = [flat(random.permutation(40)[:size]) for _ in range(20)]
        cosines.append(np.mean([part @ whole / np.linalg.norm(part) / np.linalg.norm(whole) for part in parts]))
    assert cosines == sorted(cosines)
    assert cosines[0] < 0.9
    np.testing.assert_allclose(cosines[-1], 1.0, rtol=1e-12)


def test_right_answers_are_supplied_and_the_deviation_falls():
    """Spec 66, 110, E13's first half: examples with answers go in; the loss goes down by its gradient alone."""
    run = cr.fit("2-8-2 tanh softmax", "moons", optimizer=cr.SGD(0.1), batch_size=200, epochs=200)
    _, losses = run.history.curve("training", "loss")
    assert (np.diff(losses[:, 0]) < 0).all()
    assert losses[-1] < 0.6 * losses[0]


# ---- the digit networks


def test_nielsens_network():
    """Spec 143: 784-30-10, sigmoid, ½Σ(a − y)², weights and biases from N(0, 1), batches of 10, η = 3; measured 0.9516."""
    normal = cr.nn.Normal(0.0, 1.0)
    layers = [cr.Dense(units, "sigmoid", weights=normal, biases=normal) for units in (30, 10)]
    settings = {"optimizer": cr.SGD(3.0), "batch_size": 10, "epochs": 30, "seed": 0, "evaluate_every": 0}
    run = cr.fit(cr.Sequential(*layers), "mnist", loss=cr.SquaredError(mean=False, half=True), **settings)
    assert run.evaluate("test").accuracy().value >= 0.949


def test_digit_network_learns():
    """Spec 63, 127: 784-16-16-10, five epochs of plain SGD; measured 0.9520 for seed 0."""
    run = cr.fit("784-16-16-10 relu softmax", "mnist", optimizer=cr.SGD(0.1), batch_size=32, epochs=5, seed=0, evaluate_every=0)
    assert sum(array.size for array in run.parameters().values()) == 13_002
    assert run.evaluate("test").accuracy().value >= 0.94


# ---- the checklist

CHECKLIST = (ROOT / "docs" / "checklist.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in CHECKLIST.splitlines()
    if re.match(r"\| (?:[DE]?\d+) \|", line)
]


def test_the_checklist_has_every_item_once():
    assert [row[0] for row in ROWS] == [
        *(str(number) for number in range(1, 147)),
        *(f"D{number}" for number in range(1, 16)),
        *(f"E{number}" for number in range(1, 17)),
    ]
    assert re.findall(r"^### ([A-R])\. ", CHECKLIST, re.MULTILINE) == list("ABCDEFGHIJKLMNOPQR")


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_each_row_says_what_exists_or_what_is_missing(row):
    assert len(row) == 4
    _, item, call, tests = row
    assert item
    assert "not yet" in call or "`" in call
    assert tests == "—" or re.fullmatch(r"`tests/[\w/]+\.py::test_\w+`(, `tests/[\w/]+\.py::test_\w+`)*", tests)
    assert tests != "—" or "not yet" in call


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`(tests/[\w/]+\.py)::", CHECKLIST))))
def test_each_test_that_it_names_exists(path):
    named = re.findall(rf"`{re.escape(path)}::(\w+)`", CHECKLIST)
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    there = Counter(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    assert [name for name in named if not there[name]] == []


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:src|docs|tests|benchmarks)/[\w./-]+)`", CHECKLIST))))
def test_each_file_that_it_names_exists(path):
    assert (ROOT / path).exists()


@pytest.mark.parametrize("name", sorted(set(re.findall(r"\b(?:cr|run)(?:\.[a-zA-Z_]\w*)+", CHECKLIST))))
def test_each_call_that_it_names_exists(name):
    first, *rest = name.split(".")
    found = cr if first == "cr" else cr.Run
    for part in rest if first == "cr" else rest[:1]:
        found = getattr(found, part)


@pytest.mark.parametrize("command", sorted(set(re.findall(r"`chainrule (\w+)", CHECKLIST))))
def test_each_command_that_it_names_exists(command):
    assert command in COMMANDS
