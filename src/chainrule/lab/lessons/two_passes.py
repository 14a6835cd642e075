"""Lesson: both passes through the graph, and small batches: order, stored values, and what a mini-batch is good for."""

from __future__ import annotations

import numpy as np

from chainrule.derivatives import grad
from chainrule.graph import Array, Node, compute, input_node
from chainrule.lab.lessons.lesson import Answer, Lesson, Step, by_hand, experiment, model_of, points, quantity
from chainrule.lab.session import Session
from chainrule.ops import sigmoid
from chainrule.train import SGD, Adam, Model, Training


def moons(batch: int = 32) -> Training:
    """A small network on two moons of 200 examples."""
    return Training("2-6-2 tanh softmax", "moons", optimizer=SGD(0.2), batch_size=batch, dtype="float64")


def _slope(y: Node, x: Node, value: object) -> Array:
    """dy/dx where x has this value."""
    return compute([slope for slope in grad(y, [x]) if slope is not None], {x: value})[0]


def twice(_: Session) -> Answer:
    """dc/da of b = a + a, c = b + b, by the library's own backward pass."""
    a = input_node("a")
    b = a + a
    c = b + b
    found = float(_slope(c, a, 1.0))
    return Answer(found, {"slope": found})


def stacked() -> Training:
    """Two linear layers, 4-16-3."""
    x = np.random.default_rng(0).normal(size=(20, 4))
    return Training(
        "4-16-3 linear",
        points(x, x[:, :3] * [1.0, -2.0, 0.5], "three lines"),
        optimizer=Adam(0.01),
        batch_size=10,
        dtype="float64",
    )


def one_layer(session: Session) -> Answer:
    """How many parameters a single layer has that answers the same, and how far it is off."""
    model, x = model_of(session), session.training.dataset.train.x
    first, bias, second, last = (model.parameters[name] for name in ("dense1.W", "dense1.b", "dense2.W", "dense2.b"))
    single = session.training.changed(network="4-3").problem
    alone = Model(single, {"dense1.W": first @ second, "dense1.b": bias @ second + last})
    off = float(np.abs(model.quantities(x, {"output"})["output"] - alone.quantities(x, {"output"})["output"]).max())
    many, few = (sum(value.size for value in each.parameters.values()) for each in (model, alone))
    return Answer(few, {"many": many, "few": few, "off": off})


def absolute() -> Training:
    """Two ReLU neurons that are added up: one looks up, one down."""
    x = np.linspace(-2, 2, 21)
    values = {"dense1.W": [[1.0, -1.0]], "dense1.b": [0.0, 0.0], "dense2.W": [[1.0], [1.0]], "dense2.b": [0.0]}
    return by_hand("1-2-1 relu", points(x[:, None], np.abs(x)[:, None], "a corner"), values, batch_size=7)


def two_graphs(session: Session) -> Answer:
    """The sum of both neurons at −2."""
    first, second = quantity(session, "dense1.a", [[-2.0]])[0]
    found = quantity(session, "output", [[-2.0]]).item()
    return Answer(found, {"first": float(first), "second": float(second), "sum": found})


def updates(session: Session) -> Answer:
    """How many steps an epoch has, and how many examples its last batch."""
    trainer, size = session.trainer, session.training.settings.batch_size
    count = trainer.steps_per_epoch
    return Answer(count, {"count": count, "examples": trainer.count, "last": trainer.count - (count - 1) * size})


def steepest(_: Session) -> Answer:
    """The largest slope of the sigmoid on a fine grid, by its derivative rule; and ten of them multiplied."""
    z = input_node("z", (2001,))
    found = float(_slope(sigmoid(z).sum(), z, np.linspace(-10, 10, 2001)).max())
    return Answer(found, {"slope": found, "ten": found**10})


def mean_of_batches(session: Session) -> Answer:
    """The mean of the gradients of the batches of an epoch beside the gradient over all examples; and how far single ones are."""
    model, train, trainer = model_of(session), session.training.dataset.train, session.trainer
    whole = model.gradient(train.x, train.y)["dense1.W"]
    batches = [trainer.rows(step)[0] for step in range(trainer.steps_per_epoch)]
    each = np.stack([model.gradient(train.x[rows], train.y[rows])["dense1.W"] for rows in batches])
    off = float(np.abs(each.mean(axis=0) - whole).max())
    cosines = [float(np.sum(one * whole) / np.linalg.norm(one) / np.linalg.norm(whole)) for one in each]
    angle = float(np.degrees(np.arccos(np.clip(cosines, -1, 1)).mean()))
    return Answer(0 if off < 1e-12 else 1, {"off": off, "angle": angle, "count": len(batches)})


_NOISY = {"name_or_path": "moons", "noise": 0.3}


def batches_of(size: int, epochs: int) -> Training:
    """Noisy moons, in batches of this size."""
    return Training("2-16-2 tanh softmax", _NOISY, optimizer=SGD(0.5), batch_size=size, epochs=epochs)


TWO_PASSES = Lesson(
    "two_passes", "Both passes, and small batches", "After a lecture on the multi-layer perceptron: computation graphs, "
    "back-propagation and SGD.",
    (
        Step(
            "Every path counts", "b = a + a, and c = b + b. The backward pass goes through the graph in reverse order, and adds up what "
            "arrives at a node by all its paths, before it goes on.",
            "What is dc/da?", moons, twice, "{slope}: two paths from c to b, times two from b to a. Who passes on what has arrived by "
            "the first path alone gets it wrong.",
            within=0.01, screen="passes", look="Walk backward: where several paths meet, the sum is shown.",
        ),
        Step(
            "Two lines are one line", "This network is 4-16-3 without any activation: two linear functions, one after the other, with "
            "131 parameters.",
            "How many parameters does one layer need that answers the same?", stacked, one_layer,
            "{few} instead of {many}: W = W1·W2 and b = b1·W2 + b2. The largest difference of the answers is {off}.", within=0.1, look=
            "Play: it learns, and never learns more than a line.",
        ),
        Step(
            "Two graphs added up", "Two ReLU neurons of one input: one computes max(0, x), the other max(0, −x). The output adds them up.",
            "What does the network say at x = −2?", absolute, two_graphs,
            "{first} + {second} = {sum}: two graphs with a kink, and the sum is |x|.", within=0.01, look=
            "Each neuron's picture is its graph. Drag a weight of the last layer, and the sum tilts.",
        ),
        Step(
            "An epoch", "There are 200 training examples, and batches of 32. In an epoch each example is seen once.",
            "How many updates are that?", moons, updates,
            "{count}: {examples} examples, and the last batch has only {last}.", within=0.1, look=
            "Choose One epoch, and see how far the steps go. Then choose another batch size.",
        ),
        Step(
            "The steepest place", "On the way back every sigmoid multiplies by its slope, σ′(z) = σ(z)·(1 − σ(z)). The forward pass has "
            "stored σ(z), so this costs nothing.",
            "How large is the slope at most?", moons, steepest,
            "{slope}, at z = 0. Through ten layers that leaves {ten} at best.", within=0.02, screen="passes", look=
            "Walk forward, then backward: the stored values are used again.",
        ),
        Step(
            "A part for the whole", "SGD takes the gradient of a small batch in place of the gradient of all 200 examples. Here batches "
            "have 20 examples, and the weights are held.",
            "What is the mean of the gradients of all batches of an epoch?", lambda: moons(20), mean_of_batches,
            "The mean of the {count} differs from the whole gradient by {off} at most. A single one points another way, {angle} degrees "
            "off on average.",
            ("the gradient of all examples, exactly", "near it, but not the same", "0, as they cancel"), screen="passes", look=
            "Do the update, and see the next batch.",
        ),
        experiment(
            "Small batches: the same number of epochs", "“Models trained with SGD usually generalise better.” That depends on what is "
            "held fixed. First the epochs: 30 of each, which is 600 updates for batches of 10, and 30 for the full batch.",
            ("batches of 10", lambda: batches_of(10, 30)), ("all 200 at once", lambda: batches_of(200, 30)),
        ),
        experiment(
            "Small batches: the same number of updates", "The same claim again, with 600 updates of each: the full batch then sees "
            "every example 600 times.",
            ("batches of 10", lambda: batches_of(10, 30)), ("all 200 at once", lambda: batches_of(200, 600)),
        ),
    ),
)  # fmt: skip
