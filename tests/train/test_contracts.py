"""What users write themselves is held to its contract, where it is given or first used, by an error that names it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ChainruleError, GraphError, LossError, NonFiniteError, OptionError, OptionTypeError
from chainrule.graph import REGISTRY, Graph
from chainrule.ops.declare import elementwise, op

X = np.random.default_rng(0).normal(size=(12, 2))
MOONS = cr.data.moons(n=12)
NET = "2-3-2 tanh softmax"


def trained(net: Any = NET, data: Any = MOONS, **options: Any) -> Any:
    return cr.fit(net, data, **{"epochs": 1, "batch_size": 6, "engine": "reference", **options})


@dataclass(frozen=True)
class OwnLoss:
    """A loss whose numbers are what `made` makes of the squares."""

    made: Any
    name: str = "own"
    formula: str = "(a − y)²"
    target: str = "values"

    def __call__(self, output, target):
        return self.made((output - target) * (output - target))


@pytest.mark.parametrize(
    ("made", "given"),
    [
        (cr.ops.sum, "float32[]"), (cr.ops.mean, "float32[]"), (lambda d: d, "float32[1,2]"), (lambda d: 3.0, "3.0"),
        (lambda d: None, "None"), (lambda d: (d, d), "("), (lambda d: cr.ops.cast(cr.ops.sum(d, 1), dtype="float64"), "float64[1]"),
    ],
)  # fmt: skip
def test_a_loss_gives_one_number_to_an_example(made, given):
    with pytest.raises(LossError, match="one number to an example") as caught:
        trained(loss=OwnLoss(made))
    assert "OwnLoss" in caught.value.happened
    assert given in caught.value.happened


def test_a_right_loss_of_ones_own_is_the_built_in_one_bit_for_bit():
    own = trained(loss=OwnLoss(lambda d: cr.ops.mean(d, 1)))
    assert own.hash == trained(loss="mean_squared_error").hash
    assert np.array_equal(own.evaluate("test").loss, trained(loss="mean_squared_error").evaluate("test").loss)


def test_a_loss_that_compares_with_what_there_is_not():
    with pytest.raises(LossError, match="compares with 'prices'"):
        trained(loss=OwnLoss(lambda d: cr.ops.sum(d, 1), target="prices"))
    with pytest.raises(OptionTypeError, match="given as a loss"):
        trained(loss=lambda output, target: output)


@dataclass(frozen=True)
class OwnOptimizer(cr.train.Optimizer):
    """An optimizer whose update gives what it is told to."""

    made: Any
    learning_rate: Any = 0.1

    slots = ("memory",)

    def update(self, w, g, slots, rate, step):
        return self.made(w, g, slots, rate)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda w, g, slots, rate: w - g * rate, "next weight, and the next value of each slot"),
        (lambda w, g, slots, rate: (w - g * rate, {}), "the slots none"),
        (lambda w, g, slots, rate: (w, {"other": g}), "the slots other"),
        (lambda w, g, slots, rate: (cr.ops.sum(w), {"memory": g}), "the next weight"),
        (lambda w, g, slots, rate: (w, {"memory": rate}), "the slot memory"),
        (lambda w, g, slots, rate: (0.0, {"memory": g}), "gave 0.0"),
    ],
)
def test_an_optimizer_gives_the_next_weight_and_slots(made, words):
    with pytest.raises(ChainruleError) as caught:
        trained(optimizer=OwnOptimizer(made))
    assert words in str(caught.value)
    assert "OwnOptimizer" in caught.value.happened


def test_an_optimizer_is_derived_from_ours():
    class Loose:
        learning_rate, slots = 0.1, ()

        def update(self, w, g, slots, rate, step):
            return w - g * rate, {}

    with pytest.raises(OptionTypeError, match=r"(?s)derived from Optimizer.*class Own\(Optimizer\)"):
        trained(optimizer=Loose())


def test_a_right_optimizer_of_ones_own_trains():
    own = OwnOptimizer(lambda w, g, slots, rate: (w - g * rate, {"memory": slots["memory"]}))
    assert (
        trained(optimizer=own).parameters()["dense1.W"].tolist()
        == trained(optimizer=cr.SGD(0.1)).parameters()["dense1.W"].tolist()
    )


@pytest.mark.parametrize("rate", ["0.1", 0.0, -0.1, float("nan"), None, (0.1,), cr.ConstantRate])
def test_the_rate_of_an_optimizer_of_ones_own_is_looked_at(rate):
    with pytest.raises(OptionError, match="rate="):
        trained(optimizer=OwnOptimizer(lambda w, g, slots, rate: (w, slots), rate))


@pytest.mark.parametrize(
    ("schedule", "given"),
    [
        (lambda steps, total: np.full(steps.shape, np.nan), "gave nan"), (lambda steps, total: -0.1 + 0 * steps, "gave -0.1"),
        (lambda steps, total: "fast", "gave 'fast'"), (lambda steps, total: 0.1, "gave 0.1"), (lambda steps, total: None, "gave None"),
        (lambda steps, total: steps[:0], "gave array"), (lambda steps, total: 1 / (steps * 0), "gave inf"),
    ],
)  # fmt: skip
def test_a_schedule_gives_a_rate_for_each_step(schedule, given):
    with pytest.raises(OptionError, match="a finite rate of 0 or more for each step") as caught, np.errstate(divide="ignore"):
        trained(optimizer=cr.SGD(schedule))
    assert given in caught.value.happened


@pytest.mark.parametrize(
    ("made", "given"),
    [
        (lambda key, shape: np.zeros(shape), "array"), (lambda key, shape: cr.constant(np.zeros(3)), "float64[3]"),
        (lambda key, shape: None, "None"), (lambda key, shape: 0.1, "0.1"),
        (lambda key, shape: cr.ops.random_bits(key, shape=shape), "uint32"),
    ],
)  # fmt: skip
def test_an_initialiser_gives_numbers_of_the_shape(made, given):
    with pytest.raises(OptionError, match=r"dense1\.W gave") as caught:
        trained(cr.Sequential(cr.Dense(2, "softmax", weights=made)))
    assert given in caught.value.happened


@pytest.mark.parametrize("made", [lambda key: key, lambda a, b, c: a, 3, "normal", cr.nn.Normal])
def test_what_cannot_be_an_initialiser_is_refused_at_once(made):
    with pytest.raises(OptionTypeError, match="weights="):
        cr.Dense(2, weights=made)


@pytest.mark.parametrize(
    "order",
    [
        lambda seed, epoch, count: np.arange(count) + 0.5, lambda seed, epoch, count: np.zeros(count, int),
        lambda seed, epoch, count: "shuffled", lambda seed, epoch, count: None, lambda seed, epoch, count: [[1], [1, 2]],
        lambda seed, epoch, count: np.arange(count - 1),
    ],
)  # fmt: skip
def test_an_order_is_a_permutation(order):
    with pytest.raises(OptionError, match="no permutation"):
        trained(order=order)


@pytest.mark.parametrize("order", ["random", 3, lambda seed: seed, None])
def test_what_cannot_be_an_order_is_refused_at_once(order):
    with pytest.raises(OptionError, match="order="):
        trained(order=order)


@pytest.mark.parametrize(
    ("wiring", "given"),
    [
        (lambda x: (x, x), "("), (lambda x: [x], "["), (lambda x: {"a": x}, "{"), (lambda x: None, "None"),
        (lambda x: np.ones((1, 2)), "array"), (lambda x: 3.0, "3.0"),
    ],
)  # fmt: skip
def test_a_network_gives_one_node(wiring, given):
    for net in (cr.Network(wiring, inputs={"x": (2,)}), cr.Sequential(wiring), wiring, cr.Residual(wiring)):
        with pytest.raises(OptionTypeError, match="one node") as caught:
            cr.build_network(net, (2,))
        assert f"gave {given}" in caught.value.happened


def test_a_wiring_takes_its_inputs_by_name():
    with pytest.raises(OptionError, match="does not take the inputs left, right"):
        cr.Network(lambda left: left, inputs={"left": (2,), "right": (2,)})


def test_early_stopping_by_accuracy_of_numbers_is_refused_before_training():
    seen = []
    data = cr.data.from_arrays(X, X[:, :1], split=cr.data.RandomSplit(validation=0.2))
    with pytest.raises(OptionError, match="accuracy of a network that predicts numbers"):
        cr.fit("2-1", data, early_stopping=cr.EarlyStopping(monitor="accuracy"), callbacks=seen.append)
    assert not seen


# ---- ops of one's own


@elementwise("softsign({0})", r"\operatorname{{softsign}}({0})")
def softsign_without_rule(x):
    """x/(1 + |x|)."""
    return x / (1 + np.abs(x))


@elementwise("softsign({0})", r"\operatorname{{softsign}}({0})")
def softsign_with_rule(x):
    """x/(1 + |x|)."""
    return x / (1 + np.abs(x))


@softsign_with_rule.vjp
def _softsign_vjp(g, out, x):
    return (g / ((1.0 + abs(x)) * (1.0 + abs(x))),)


@elementwise("rounded({0})", r"\operatorname{{rounded}}({0})", differentiable=False)
def rounded(x):
    """The nearest whole number."""
    return np.round(x)


for _op in (softsign_without_rule, softsign_with_rule, rounded):
    del REGISTRY[_op.name]  # other tests look at all ops that there are


def test_an_op_without_a_rule_has_no_derivative_of_zero():
    x = cr.input_node("x")
    with pytest.raises(GraphError, match="the derivative of softsign_without_rule"):
        cr.grad(x + softsign_without_rule(x), [x])
    (slope,) = cr.grad(x + softsign_with_rule(x), [x])
    assert cr.compute([slope], {x: 1.0}) == [1.25]
    assert cr.grad(rounded(x), [x]) == [None]
    (slope,) = cr.grad(x + rounded(x), [x])
    assert cr.compute([slope], {x: 1.0}) == [1.0]
    with pytest.raises(GraphError, match="softsign_without_rule"):
        trained(cr.Sequential(cr.Dense(3), softsign_without_rule, cr.Dense(2, "softmax")))


def test_the_native_engine_names_an_op_that_it_does_not_know_before_training():
    net = cr.Sequential(cr.Dense(3), softsign_with_rule, cr.Dense(2, "softmax"))
    seen = []
    with pytest.raises(GraphError, match="the op softsign_with_rule") as caught:
        trained(net, engine="native", callbacks=seen.append)
    assert 'engine="reference"' in caught.value.remedy
    assert not seen
    assert trained(net).trainer.step == 2
    x = cr.input_node("x", (3,))
    with pytest.raises(GraphError, match="softsign_with_rule"):
        cr.engines.engine_named("native").compile(Graph({"y": softsign_with_rule(x)}))
    steps = cr.ops.recurrence(lambda h, x: {"h": softsign_with_rule(h + x)}, {"h": cr.constant(0.0)}, {"x": x})
    with pytest.raises(GraphError, match="softsign_with_rule"):
        cr.engines.engine_named("native").compile(Graph({"h": steps.after("h")}))


@op(lambda x: x, "wrong({0})", "wrong({0})")
def wrong_shape(x):
    """Not what its type rule says."""
    return np.sum(x)


@elementwise("{0}", "{0}")
def wrong_rule(x):
    """The identity, with a rule that forgets to give a tuple."""
    return x


@wrong_rule.vjp
def _wrong_rule_vjp(g, out, x):
    return g


for _op in (wrong_shape, wrong_rule):
    del REGISTRY[_op.name]


def test_an_op_keeps_the_word_of_its_type_rule_and_its_rule_gives_gradients():
    x = cr.input_node("x", (3,))
    for compute in (
        lambda: cr.compute([wrong_shape(x)], {x: np.ones(3)}),
        lambda: cr.engines.engine_named("reference").compile(Graph({"y": wrong_shape(x)}))({"x": np.ones(3)}),
    ):
        with pytest.raises(GraphError, match="the meaning of wrong_shape gave"):
            compute()
    with pytest.raises(GraphError, match="the rule of wrong_rule gives"):
        cr.grad(cr.ops.sum(wrong_rule(x)), [x])


def test_an_op_of_ones_own_does_not_take_the_name_of_another():
    def tanh(x):
        return x

    with pytest.raises(GraphError, match="a second op called tanh"):
        elementwise("{0}", "{0}")(tanh)
    assert cr.compute([cr.ops.tanh(cr.constant(1.0))]) == [np.tanh(1.0)]


# ---- values that reach a model later


MODEL = trained().model()
NUMBERS = cr.fit("2-3-1 tanh", cr.data.from_arrays(X, X[:, :1]), epochs=1, engine="reference").model()


@pytest.mark.parametrize(
    "ask", [MODEL.cost, MODEL.costs, MODEL.term_values, MODEL.gradient, MODEL.example_gradients, MODEL.through_time]
)
@pytest.mark.parametrize(
    ("y", "words"),
    [
        ([0, 5], "label 5 at example 1"), ([-1, 0], "label -1 at example 0"), ([0.0, 1.0], "labels: whole numbers"),
        ([0.5, 1.0], "labels: whole numbers"), ([0], r"\(1,\)"), ([0, 1, 0], r"\(3,\)"), ([[0], [1]], r"\(2, 1\)"),
        (["a", "b"], "label 'a'"),
    ],
)  # fmt: skip
def test_labels_are_looked_at_where_they_are_given(ask, y, words):
    with pytest.raises(ChainruleError, match=words):
        ask(X[:2], np.array(y))


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (X[:2], X[:2], r"\(2, 2\)"), (X[:2], X[:3, :1], r"\(3, 1\)"), (X[:2], X[:3, 0], r"\(3,\)"), (X[0], X[:2, :1], r"\(1, 2, 1\)"),
        (X[:2], [[np.nan], [1.0]], "y is nan at example 0"), ([[1.0, np.inf], [0, 0]], X[:2, :1], "x is inf at example 0"),
        (X[:0], X[:0, :1], "no examples"), ([[1.0], [1.0, 2.0]], X[:2, :1], "differ in length"),
    ],
)  # fmt: skip
def test_numbers_are_looked_at_where_they_are_given(x, y, words):
    for ask in (NUMBERS.cost, NUMBERS.gradient, NUMBERS.example_gradients):
        with pytest.raises(ChainruleError, match=words):
            ask(x, y)


def test_lists_and_other_dtypes_are_taken_where_they_are_exact():
    assert MODEL.cost(X[:2].tolist(), [0, 1]) == MODEL.cost(X[:2], np.array([0, 1], np.uint8))
    assert NUMBERS.cost(X[:2].tolist(), [[1], [2]]) == NUMBERS.cost(X[:2], np.array([[1.0], [2.0]]))
    assert NUMBERS.cost(X[:2], [1, 2]) == NUMBERS.cost(X[:2], np.array([[1.0], [2.0]]))
    assert NUMBERS.cost(X[0], 1) == NUMBERS.cost(X[0], [1]) == NUMBERS.cost(X[:1], [[1]])


def test_what_is_explained_is_looked_at():
    run = trained()
    for which, words in (((X[0], 7), "label 7"), ((X[0], -1), "label -1"), ((X[0], 0.5), "whole numbers"), ((X[0, :1], 0), "shape"),
                         ((X[:2], [0]), "targets"), (([np.nan, 0.0], 0), "nan"), ("seven", "an example")):  # fmt: skip
        with pytest.raises(ChainruleError, match=words):
            run.explain(which)
    with pytest.raises(OptionError, match="there is no option 'levle'"):
        run.explain(0, levle="picture")
    assert str(run.explain((X[0], 1)))


@pytest.mark.parametrize(("label", "classes"), [(7, 3), (-1, 3), (3, 3)])
def test_a_known_label_without_a_class_is_refused_by_the_loss(label, classes):
    z = cr.constant(np.ones((2, classes)))
    for loss, output in ((cr.CrossEntropy(from_logits=True), z), (cr.CrossEntropy(), cr.nn.softmax(z)), (cr.Hinge(), z)):
        with pytest.raises(LossError, match=f"the label {label} for {classes} classes"):
            loss(output, cr.constant([0, label]))


# ---- clipping


@pytest.mark.parametrize("norm", [1e-21, 1e-3, 1.0, 1e15])
@pytest.mark.parametrize("power", [-40, -30, -21, -18, -5, 0, 5, 18, 21, 37])
def test_clipping_in_float32_is_that_of_float64(norm, power):
    numbers = [np.array([3.0, -4.0]) * 10.0**power, np.array([[12.0]]) * 10.0**power]
    found = {}
    for dtype in ("float32", "float64"):
        given = [np.asarray(part, np.float32).astype(dtype) for part in numbers]
        nodes = [cr.input_node(f"g{place}", part.shape, dtype) for place, part in enumerate(given)]
        graph = Graph({f"c{place}": node for place, node in enumerate(cr.ClipNorm(norm)(nodes))})
        for engine in ("reference", "native"):
            outputs = cr.engines.engine_named(engine).compile(graph)({f"g{place}": part for place, part in enumerate(given)})
            found[dtype, engine] = np.concatenate([part.ravel() for part in outputs.values()]).astype(np.float64)
    size = np.linalg.norm(np.concatenate([np.asarray(part, np.float32).astype(np.float64).ravel() for part in numbers]))
    for key, value in found.items():
        assert np.linalg.norm(value) == pytest.approx(min(size, norm), rel=1e-6, abs=1e-44), key
    tiny = 1e-37  # below this float32 has fewer digits
    assert found["float32", "native"] == pytest.approx(found["float64", "native"], rel=3e-6, abs=tiny * 1e-7)


def test_clipping_keeps_the_bits_of_ordinary_gradients():
    random = np.random.default_rng(1)
    for norm in (0.1, 1.0, 100.0):
        g = random.normal(size=50).astype(np.float32)
        (clipped,) = cr.compute(cr.ClipNorm(norm)([cr.constant(g)]))
        size = np.sqrt(np.sum(g * g))
        assert np.array_equal(clipped, g * (np.float32(norm) / max(size, np.float32(norm))))


def test_clipping_shows_what_is_not_finite():
    for wrong in (np.nan, np.inf):
        (clipped,) = cr.compute(cr.ClipNorm(1.0)([cr.constant(np.array([wrong, 1.0]))]))
        assert not np.isfinite(clipped).all()


# ---- the usual optimizer


@pytest.mark.parametrize("text", ["1-5-1", "1-50-1", "1-500-1", "1-20-20-1", "1-20-20-20-1"])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_a_first_curve_fit_does_not_blow_up(text, scale):
    data = cr.data.curve("sin", n=40, noise=0.2)
    x, y = data.train.x * 3, data.train.y * scale
    for target_scaling in ("none", "standardise"):
        given = cr.data.from_arrays(x, y, split=cr.data.RandomSplit(test=0), scaling="none", target_scaling=target_scaling)
        try:
            run = cr.fit(f"{text} relu", given, epochs=20, batch_size=10, engine="reference")
        except NonFiniteError:
            pytest.fail("not finite")
        losses = run.history.steps()[0]
        assert losses[-4:].mean() <= losses[:4].mean() * 1.001


def test_the_usual_optimizer_follows_a_curve():
    run = cr.fit("1-5-1 relu", cr.data.curve("sin", n=40, noise=0.2), epochs=200, batch_size=10)
    assert run.evaluate("test").r_squared() > 0.85


# ---- what is called with other arguments than it takes, or asks for what it did not declare


def _own_optimizer(update, **attributes):
    return cr.described(
        type(
            "Own",
            (cr.train.Optimizer,),
            {"__annotations__": {"learning_rate": float}, "learning_rate": 0.1, "update": update, **attributes},
        )
    )()


@pytest.mark.parametrize(
    ("optimizer", "said"),
    [
        (_own_optimizer(lambda self, w, g: (w - g, {}), slots=()), r"(?s)other arguments.*\(self, w, g, slots, rate, step\)"),
        (
            _own_optimizer(lambda self, w, g, slots, rate, step: (w - slots["mean"], {}), slots=()),
            r'(?s)slot .mean..*slots = \("mean",\)',
        ),
        (_own_optimizer(lambda self, w, g, slots, rate, step: (w, {}), slots="mean"), r"slots='mean'"),
    ],
)
def test_an_update_that_cannot_be_called_so_is_refused(optimizer, said):
    with pytest.raises(cr.errors.OptionError, match=said):
        cr.fit("2-1", "moons", loss="binary_cross_entropy_from_logits", optimizer=optimizer, epochs=0)


def test_an_optimizer_without_a_rate_and_a_loss_of_one_argument_are_refused():
    without = cr.described(
        type("Own", (cr.train.Optimizer,), {"slots": (), "update": lambda self, w, g, slots, rate, step: (w, {})})
    )()
    with pytest.raises(cr.errors.OptionTypeError, match="with learning_rate, update"):
        cr.fit("2-1", "moons", optimizer=without, epochs=0)
    attributes = {"name": "mine", "formula": "a", "target": "values", "__call__": lambda self, a: a}
    with pytest.raises(cr.errors.LossError, match="take both"):
        cr.fit("2-1", "moons", loss=cr.described(type("Mine", (), attributes))(), epochs=0)


@pytest.mark.parametrize(
    "attempt",
    [
        lambda: cr.fit("2-2", MOONS, replicas=10**9, epochs=1),
        lambda: cr.fit("2-1000000-1000000-2", MOONS, epochs=1),
        lambda: cr.trainer("2-1000000-1000000-2", loss="mean_squared_error").predict(np.ones((1, 2))),
    ],
    ids=["replicas", "units", "steps"],
)
def test_more_than_the_machine_holds_is_refused_before_it_is_asked_for(attempt):
    with pytest.raises(OptionError, match="that this machine has"):
        attempt()


def test_methods_hold_what_they_are_asked_to_what_they_can_answer():
    classes, numbers = trained(), cr.fit("2-1", (X, X[:, 0]), epochs=1, engine="reference")
    scores, explanation = classes.evaluate("test"), classes.explain(0)
    for asked in (
        lambda: scores.accuracy(9), lambda: scores.confusion(-1), lambda: scores.accuracy("x"), scores.r_squared, scores.errors,
        lambda: numbers.evaluate("test").r_squared(5), lambda: classes.history.curve(bogus=1), lambda: explanation.at_level(3),
        lambda: explanation.in_notation("x"), lambda: explanation.focus(3), lambda: explanation.trace.derivative(3),
        lambda: explanation.trace.pushes("dense2.z", ("a", 0)), lambda: explanation.check(3), lambda: classes.plot("x"),
        lambda: classes.data.scaled_by(3, None), lambda: cr.Training(NET, MOONS).doctor(bogus=1),
    ):  # fmt: skip
        with pytest.raises(OptionError):
            asked()
    with pytest.raises(GraphError, match="no quantity 3"):
        explanation.trace.quantity(3)
