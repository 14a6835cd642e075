"""Each optimizer against its published recurrence, written out with NumPy; schedules and clipping against their formulas."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.engines import ReferenceEngine
from chainrule.graph import Graph, input_node

STEPS, RATE = 12, 0.07


def sgd(w, g, s, t):
    return w - RATE * g, s


def momentum(w, g, s, t):
    v = 0.8 * s.get("v", 0) - RATE * g
    return w + v, {"v": v}


def nesterov(w, g, s, t):
    v = 0.8 * s.get("v", 0) - RATE * g
    return w + 0.8 * v - RATE * g, {"v": v}


def adagrad(w, g, s, t):
    total = s.get("s", 0) + g**2
    return w - RATE * g / (np.sqrt(total) + 1e-10), {"s": total}


def rmsprop(w, g, s, t):
    total = 0.9 * s.get("s", 0) + 0.1 * g**2
    return w - RATE * g / (np.sqrt(total) + 1e-8), {"s": total}


def moments(g, s, t):
    m, v = 0.9 * s.get("m", 0) + 0.1 * g, 0.999 * s.get("v", 0) + 0.001 * g**2
    return m / (1 - 0.9**t), v / (1 - 0.999**t), {"m": m, "v": v}


def adam(w, g, s, t):
    m, v, s = moments(g, s, t)
    return w - RATE * m / (np.sqrt(v) + 1e-8), s


def adam_hat(w, g, s, t):
    _, _, s = moments(g, s, t)
    rate = RATE * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
    return w - rate * s["m"] / (np.sqrt(s["v"]) + 1e-8), s


def adamw(w, g, s, t):
    stepped, s = adam(w, g, s, t)
    return stepped - RATE * 0.1 * w, s


CASES = [
    (cr.SGD(RATE), sgd), (cr.SGD(RATE, 0.8), momentum), (cr.SGD(RATE, 0.8, nesterov=True), nesterov), (cr.AdaGrad(RATE), adagrad),
    (cr.RMSprop(RATE), rmsprop), (cr.Adam(RATE), adam), (cr.Adam(RATE, epsilon_hat=True), adam_hat), (cr.AdamW(RATE, 0.1), adamw),
]  # fmt: skip


@pytest.mark.parametrize(("optimizer", "rule"), CASES, ids=lambda item: getattr(item, "__name__", ""))
def test_against_the_written_out_recurrence(optimizer, rule):
    random = np.random.default_rng(0)
    w, state = random.normal(size=(3, 2)), {}
    leaves = {slot: input_node(slot, (3, 2)) for slot in optimizer.slots}
    updated, changed = optimizer.update(
        input_node("w", (3, 2)), input_node("g", (3, 2)), leaves, input_node("rate"), input_node("t")
    )
    program = ReferenceEngine().compile(Graph({"w": updated, **changed}))
    mine = {"w": w, **{slot: np.zeros((3, 2)) for slot in optimizer.slots}}
    for t in range(1, STEPS + 1):
        g = random.normal(size=(3, 2)) * 10.0 ** random.integers(-4, 3)
        w, state = rule(w, g, state, t)
        known = {"g": g, "rate": RATE, "t": float(t)}
        values = {name: value for name, value in {**mine, **known}.items() if name in program.graph.leaves}
        mine = program(values)
        np.testing.assert_allclose(mine["w"], w, rtol=1e-12, atol=1e-13)


def test_schedules():
    steps = np.arange(10.0)
    np.testing.assert_allclose(cr.StepDecay(1.0, 4, 0.5)(steps, 10), [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25])
    cosine = cr.Cosine(2.0, 0.5)(np.array([0.0, 5.0, 10.0]), 10)
    np.testing.assert_allclose(cosine, [2.0, 1.25, 0.5])
    warm = cr.WarmUp(4, cr.ConstantRate(1.0))(steps, 10)
    np.testing.assert_allclose(warm[:6], [0.25, 0.5, 0.75, 1, 1, 1])
    both = cr.WarmUp(2, cr.Cosine(1.0))(np.array([2.0, 10.0]), 10)
    np.testing.assert_allclose(both, [1.0, 0.0], atol=1e-15)


def test_the_scheduled_rate_reaches_each_step():
    """With a constant gradient the parameter moves by exactly the sum of the rates."""
    schedule = cr.WarmUp(3, cr.StepDecay(0.1, 5))
    run = cr.fit("1-1", "curve", optimizer=cr.SGD(schedule), epochs=1, batch_size=10, dtype="float64")
    constant = cr.fit("1-1", "curve", optimizer=cr.SGD(0.1), epochs=1, batch_size=10, dtype="float64")
    assert not np.array_equal(run.history.steps(), constant.history.steps())
    rates = schedule(np.arange(20.0), 20)
    w, b = (cr.fit("1-1", "curve", epochs=0, dtype="float64").parameters()[f"dense1.{n}"] for n in "Wb")
    data = cr.data.curve()
    order = cr.ops.epoch_order(0, 0, len(data.train))
    for step in range(20):
        rows = order[step * 10 : step * 10 + 10]
        x, y = data.train.x[rows], data.train.y[rows]
        error = x @ w + b - y
        w, b = w - rates[step] * 2 * x.T @ error / 10, b - rates[step] * 2 * error.mean(0)
    np.testing.assert_allclose(run.parameters()["dense1.W"], w, rtol=1e-12)


@pytest.mark.parametrize("clip", [cr.ClipNorm(1.0), cr.ClipValue(1.0)])
def test_a_network_without_parameters_has_no_gradient_to_clip(clip):
    data = np.random.default_rng(0).normal(size=(30, 2)), np.arange(30) % 2
    run = cr.fit(cr.Sequential(cr.Activation("softmax")), data, epochs=1, clip=clip)
    assert run.parameters() == {}
    assert np.isfinite(run.evaluate("test").loss).all()


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_clipping(scale, count):
    random = np.random.default_rng(1)
    gradients = [random.normal(size=shape) * scale for shape in [(4, 3), (5,), ()][:count]]
    leaves = [input_node(f"g{i}", g.shape) for i, g in enumerate(gradients)]
    values = {f"g{i}": g for i, g in enumerate(gradients)}

    def clipped(clip):
        return list(ReferenceEngine().compile(Graph({f"c{i}": node for i, node in enumerate(clip(leaves))}))(values).values())

    size = np.sqrt(sum((g**2).sum() for g in gradients))
    for mine, g in zip(clipped(cr.ClipNorm(1.5)), gradients, strict=True):
        np.testing.assert_allclose(mine, g * min(1.0, 1.5 / size), rtol=1e-14)
    for mine, g in zip(clipped(cr.ClipValue(0.5)), gradients, strict=True):
        np.testing.assert_array_equal(mine, np.clip(g, -0.5, 0.5))


def test_perceptron_rule_converges_on_separable_clouds_and_is_rosenblatts():
    data = cr.data.blobs(n=120, margin=0.3, seed=4)
    net = cr.Sequential(cr.Dense(1, "step", weights=cr.nn.Zeros()))
    run = cr.fit(net, data, optimizer=cr.PerceptronRule(), batch_size=1, epochs=60, dtype="float64")
    assert run.evaluate("training").accuracy().value == 1.0
    w, b = np.zeros((2, 1)), np.zeros(1)
    for epoch in range(60):
        for row in cr.ops.epoch_order(0, epoch, len(data.train)):
            error = data.train.y[row] - float((data.train.x[row] @ w + b > 0)[0])
            w, b = w + error * data.train.x[row][:, None], b + error
    np.testing.assert_allclose(run.parameters()["dense1.W"], w, rtol=1e-12)
    np.testing.assert_allclose(run.parameters()["dense1.b"], b, rtol=1e-12)


def test_perceptron_rule_needs_the_step():
    with pytest.raises(cr.errors.OptionError, match='Dense\\(units, "step"\\)'):
        cr.fit("2-3-1 tanh sigmoid", "blobs", optimizer=cr.PerceptronRule())


def test_a_step_activation_lets_no_gradient_pass():
    with pytest.raises(cr.errors.GraphError, match="perceptron rule"):
        cr.fit(cr.Sequential(cr.Dense(4, "step"), cr.Dense(1, "sigmoid")), "blobs")
