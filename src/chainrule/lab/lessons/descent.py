"""Lesson: digits, and the way downhill: how many numbers there are, which way each goes, and by how much."""

from __future__ import annotations

from functools import cache

import numpy as np

from chainrule.data import Dataset, mnist
from chainrule.lab.lessons.lesson import Answer, Lesson, Step, by_hand, experiment, model_of, points
from chainrule.lab.session import Session
from chainrule.train import Adam, Training

_CHAIN = {
    "dense1.W": [[0.7]],
    "dense1.b": [0.1],
    "dense2.W": [[-1.2]],
    "dense2.b": [0.3],
    "dense3.W": [[0.9]],
    "dense3.b": [-0.2],
}


@cache
def few_digits() -> Dataset:
    """A thousand digits to learn from, a thousand to be judged by."""
    whole = mnist()
    return Dataset("digits", whole.train[:1000], test=whole.train[1000:2000], scaling=whole.scaling, classes=whole.classes)


def digits(network: str = "784-16-16-10 relu softmax") -> Training:
    """The lectures' network on digits."""
    return Training(network, few_digits(), optimizer=Adam(0.003), batch_size=32, epochs=5)


def parameters(session: Session) -> Answer:
    """How many weights and biases there are."""
    sizes = {name: item.node.type.size for name, item in session.trainer.problem.parameters.items()}
    biases = sum(size for name, size in sizes.items() if name.endswith(".b"))
    return Answer(
        sum(sizes.values()), {"all": f"{sum(sizes.values())}", "weights": f"{sum(sizes.values()) - biases}", "biases": biases}
    )


def chain() -> Training:
    """One neuron in each of three layers: C(w1, b1, w2, b2, w3, b3)."""
    return by_hand(
        "1-1-1-1 sigmoid sigmoid", points([[0.6]] * 2, [[1.0]] * 2, "one example"), _CHAIN, loss="squared_error", batch_size=1
    )


def _example(session: Session) -> tuple[np.ndarray, np.ndarray]:
    train = session.training.dataset.train
    return train.x[:1], train.y[:1]


def which_way(session: Session) -> Answer:
    """Which way of the last weight makes the cost smaller: tried out."""
    x, y = _example(session)
    model = model_of(session)
    weight = model.parameters["dense3.W"]
    more, less = (model.with_parameters({"dense3.W": weight + step}).cost(x, y) for step in (0.1, -0.1))
    slope = model.gradient(x, y)["dense3.W"].item()
    return Answer(0 if more < less else 1, {"slope": slope, "here": model.cost(x, y), "more": more, "less": less})


def factors(session: Session) -> Answer:
    """∂C/∂w3 as a product, beside the slope between two points."""
    x, y = _example(session)
    model = model_of(session)
    slope, nudge = model.gradient(x, y)["dense3.W"].item(), 1e-5
    ends = [model.with_parameters({"dense3.W": model.parameters["dense3.W"] + step}).cost(x, y) for step in (nudge, -nudge)]
    return Answer(slope, {"slope": slope, "difference": (ends[0] - ends[1]) / (2 * nudge)})


def smallest(session: Session) -> Answer:
    """Which of the three weights moves the cost least."""
    slopes = [slope.item() for name, slope in model_of(session).gradient(*_example(session)).items() if name.endswith(".W")]
    return Answer(int(np.argmin(np.abs(slopes))), {"first": slopes[0], "second": slopes[1], "third": slopes[2]})


def three_inputs() -> Training:
    """A neuron that hears three others, which say 0.1, 0.5 and 0.9."""
    values = {"dense1.W": [[0.3], [0.3], [0.3]], "dense1.b": [0.0]}
    return by_hand(
        "3-1:sigmoid", points([[0.1, 0.5, 0.9]] * 2, [[1.0]] * 2, "three neurons"), values, loss="squared_error", batch_size=1
    )


def value_for_money(session: Session) -> Answer:
    """Which weight's derivative is the largest."""
    slopes = model_of(session).gradient(*_example(session))["dense1.W"].ravel()
    return Answer(
        int(np.argmax(np.abs(slopes))), {"first": float(slopes[0]), "second": float(slopes[1]), "third": float(slopes[2])}
    )


def moons() -> Training:
    """Eighty examples, each with wishes of its own."""
    return Training(
        "2-4-2 tanh softmax", {"name_or_path": "moons", "n": 80}, optimizer=Adam(0.02), batch_size=10, dtype="float64"
    )


def mean_of_wishes(session: Session) -> Answer:
    """How far the mean of the examples' wishes is from −∇C, and how different the wishes are."""
    model, train = model_of(session), session.training.dataset.train
    each, whole = model.example_gradients(train.x, train.y), model.gradient(train.x, train.y)
    off = max(float(np.abs(each[name].mean(axis=0) - whole[name]).max()) for name in whole)
    share = float(np.equal(np.sign(each["dense2.W"]), np.sign(whole["dense2.W"])).mean())
    return Answer(0 if off < 1e-12 else 1, {"count": len(train), "off": off, "share": 100 * share})


DESCENT = Lesson(
    "descent", "Digits, and the way downhill", "After 3Blue1Brown's four films: digits, gradient descent, back-propagation and its "
    "calculus.",
    (
        Step(
            "How many dials?", "784 pixels go through two hidden layers of 16 neurons to 10 outputs, one to each digit. Each neuron has "
            "a weight to each neuron before it, and a bias.",
            "How many weights and biases is that? A guess within 500 is right.", digits, parameters,
            "{all}: {weights} weights and {biases} biases. The film says 13 000 dimensions.", within=500, screen="digits",
            look="Try to set them by hand, before gradient descent does. Or draw a digit.",
        ),
        Step(
            "Which way?", "Now one neuron in each of three layers. The last one says 0.537, and should say 1. The cost is C = (a − 1)², "
            "and the derivative by the last weight is ∂C/∂w3 = −0.089.",
            "Which way should w3 go, so that C falls?", chain, which_way,
            "Here C = {here}. With w3 larger by 0.1 it is {more}, with w3 smaller by 0.1 it is {less}. The slope is {slope}, and "
            "descent goes against it.", ("up", "down"),
            look="Choose the last line: its card shows C over w3 with the tangent.",
        ),
        Step(
            "Three factors", "A change of w3 changes z, z changes a, a changes C: ∂C/∂w3 = ∂z/∂w3 · ∂a/∂z · ∂C/∂a. Here they are 0.389, "
            "the neuron before; 0.249, the slope of the sigmoid; and 2·(0.537 − 1) = −0.925.",
            "What is ∂C/∂w3? A guess within 0.01 is right.", chain, factors,
            "{slope}. The slope between two points beside it is {difference}: the chain rule is right.", within=0.01, screen="passes",
            look="Walk backward: what arrives, how the node moves, their product.",
        ),
        Step(
            "Far from the end", "The same three weights, w1 the first. Going back, each layer puts another slope of a sigmoid into the "
            "product, which is 0.25 at most.",
            "Which of the three derivatives is the smallest?", chain, smallest,
            "∂C/∂w1 = {first}, ∂C/∂w2 = {second}, ∂C/∂w3 = {third}.", ("that of w1", "that of w2", "that of w3"), screen="passes", look=
            "Walk backward to the first weight.",
        ),
        Step(
            "Value for money", "A neuron hears three others, which say 0.1, 0.5 and 0.9, through weights that are all 0.3. It should "
            "say more than it does.",
            "Which weight brings the most, if it is moved a little?", three_inputs, value_for_money,
            "The derivatives are {first}, {second} and {third}: in proportion to what the neuron before says. “Neurons that fire "
            "together wire together.”",
            ("that of 0.1", "that of 0.5", "that of 0.9", "They bring the same."), look=
            "Choose each of the three lines, and compare their derivatives.",
        ),
        Step(
            "All examples have wishes", "Each training example wishes its own nudge of every weight: minus the derivative of its own "
            "cost. Many of the wishes contradict each other. Their mean is taken.",
            "What is this mean?", moons, mean_of_wishes,
            "Over {count} examples the mean and −∇C differ by {off} at most; {share} % of the examples wish the way that the mean goes, "
            "for the weights of the last layer.",
            ("minus the gradient of the cost, exactly", "about a multiple of it", "another direction"), screen="pictures", look=
            "Choose the picture “wishes”.",
        ),
        experiment(
            "Why two hidden layers of 16?", "The film takes two hidden layers of 16 neurons for no better reason than that they fit on "
            "the screen. The claim: after five epochs on 1000 digits two layers are better than one.",
            ("two layers of 16", digits), ("one layer of 16", lambda: digits("784-16-10 relu softmax")),
        ),
    ),
)  # fmt: skip
