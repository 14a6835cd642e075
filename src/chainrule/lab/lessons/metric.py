"""Lesson: what a layer is, what it says, how good that is, and what is made smaller: softmax, metric and loss."""

from __future__ import annotations

import numpy as np

from chainrule.lab.lessons.lesson import Answer, Lesson, Step, by_hand, experiment, model_of, points, quantity
from chainrule.lab.session import Session
from chainrule.train import SGD, Adam, Training

_CLASSES = ["human", "cat", "dog"]
_SAYS = np.array([0.48, 0.01, 0.51])
_DOG = np.array([0.0, 0.0, 1.0])


def animals() -> Training:
    """Four features, three classes, and a network that says 0.48 human, 0.01 cat, 0.51 dog of everything."""
    data = points(np.eye(4), [2, 2, 0, 1], "animals", classes=_CLASSES)
    return by_hand("4-3:softmax", data, {"dense1.W": np.zeros((4, 3)), "dense1.b": np.log(_SAYS)}, batch_size=2)


def parameters(session: Session) -> Answer:
    """How many numbers the layer learns."""
    sizes = {name: item.node.type.size for name, item in session.trainer.problem.parameters.items()}
    return Answer(sum(sizes.values()), {"weights": sizes["dense1.W"], "biases": sizes["dense1.b"], "all": sum(sizes.values())})


def shifted(session: Session) -> Answer:
    """The probability of a dog, before and after 100 is added to all that goes into the softmax."""
    x = np.eye(4)[:1]
    before = quantity(session, "dense1.a", x)[0, 2]
    for place, value in enumerate(session.values()["dense1.b"].tolist()):
        session.set("dense1.b", (place,), value + 100)
    after = quantity(session, "dense1.a", x)[0, 2]
    return Answer(0 if abs(after - before) < 1e-9 else 1, {"before": float(before), "after": float(after)})


def euclid(session: Session) -> Answer:
    """How far the answer is from the ideal one, and how far the one that is printed on the slide would be."""
    said = quantity(session, "dense1.a", np.eye(4)[:1])[0]
    printed = np.array([0.48, 0.1, 0.51])
    found, misprint = (float(np.linalg.norm(_DOG - each)) for each in (said, printed))
    return Answer(found, {"distance": found, "misprint": misprint})


def entropy(session: Session) -> Answer:
    """The loss of the same answer, as the library computes it."""
    loss = float(model_of(session).costs(np.eye(4)[:1], np.array([2]))[0])
    return Answer(loss, {"loss": loss})


def moons() -> Training:
    """A network on its way, with a loss that falls."""
    return Training("2-6-2 tanh softmax", "moons", optimizer=Adam(0.02), batch_size=20, dtype="float64")


def nudged(session: Session) -> Answer:
    """What a nudge of one weight does to accuracy and loss on the training examples."""
    train, model, nudge = session.training.dataset.train, model_of(session), 1e-6
    weight = model.parameters["dense1.W"].copy()
    weight[0, 0] += nudge
    other = model.with_parameters({"dense1.W": weight})
    right = [float(np.equal(each.decide(train.x), train.y).mean()) for each in (model, other)]
    cost = [each.cost(train.x, train.y) for each in (model, other)]
    place = 1 if right[0] == right[1] else 2
    return Answer(place, {"accuracy": (right[1] - right[0]) / nudge, "loss": (cost[1] - cost[0]) / nudge})


def dog() -> Training:
    """One dog, and a network that says 0.9 cat."""
    data = points([[1.0, 0.0]] * 2, [1, 1], "cat or dog", classes=["cat", "dog"])
    return by_hand(
        "2-2:softmax", data, {"dense1.W": np.zeros((2, 2)), "dense1.b": [np.log(9.0), 0.0]}, optimizer=SGD(0.1), batch_size=1
    )


def pushed(session: Session) -> Answer:
    """∂C/∂z of the cat, which is that of its bias; and what a step does to both probabilities."""
    train = session.training.dataset.train
    slopes = model_of(session).gradient(train.x[:1], train.y[:1])["dense1.b"]
    before = quantity(session, "dense1.a", train.x[:1])[0]
    session.forward(1)
    after = quantity(session, "dense1.a", train.x[:1])[0]
    told = {"cat": float(slopes[0]), "dog": float(slopes[1]), "cat_before": float(before[0]), "cat_after": float(after[0])}
    return Answer(float(slopes[0]), {**told, "dog_before": float(before[1]), "dog_after": float(after[1])})


def rings(activation: str) -> Training:
    """Two rings, one in the other, and a hidden layer of 16."""
    return Training(f"2-16-2 {activation} softmax", "circles", optimizer=Adam(0.02), batch_size=10, epochs=15)


METRIC = Lesson(
    "metric", "Metric and loss", "After slides on networks with Keras for language: layers, softmax, metric and loss.",
    (
        Step(
            "What a layer learns", "A layer is trainable parameters, a transformation, a flow of information, and a method to update "
            "its parameters. This one has 4 inputs, and says human, cat or dog.",
            "How many parameters has it?", animals, parameters,
            "{weights} weights, one to each pair of input and output, and {biases} biases: {all}. Never forget the biases.", within=0.1,
            look="The lines are the weights, the dots the biases. Choose one: its card says what it does.",
        ),
        Step(
            "Softmax", "Softmax makes probabilities of any three numbers: each becomes e to its power, divided by the sum. Here it says "
            "human 0.48, cat 0.01, dog 0.51.",
            "100 is added to all three numbers that go into it. What becomes of p(dog)?", animals, shifted,
            "It was {before}, and is {after}: softmax only sees differences.", ("It stays.", "It rises to 1.", "It falls to one third."),
            screen="passes", look="Walk forward: the loss takes z, and does softmax and logarithm in one.",
        ),
        Step(
            "How far from ideal", "It is a dog, so the ideal answer is t = (0, 0, 1): probabilities of classes that exclude each other "
            "add up to 1. The answer is p = (0.48, 0.01, 0.51): right, and unsure.",
            "How long is the way from p to t, ‖t − p‖? A guess within 0.05 is right.", animals, euclid,
            "{distance}. The slide says 0.68, cut off instead of rounded; with the 0.1 that is printed there in place of 0.01 it would "
            "be {misprint}.", within=0.05,
        ),
        Step(
            "Another loss", "Cross-entropy only looks at the class that is right: −ln p(dog), with p(dog) = 0.51.",
            "What is it? A guess within 0.05 is right.", animals, entropy,
            "{loss}. For a sure right answer it is near 0, for a sure wrong one it has no bound.", within=0.05, screen="passes", look=
            "Choose 3 Loss: the formula and its numbers.",
        ),
        Step(
            "Why not train the metric itself?", "Accuracy is the share of right answers: what we want. The loss is its stand-in. A "
            "weight of a network on its way is moved by a millionth.",
            "What does the accuracy do?", moons, nudged,
            "Its slope is {accuracy}; the slope of the loss is {loss}. Accuracy is flat almost everywhere and jumps in between: a "
            "gradient finds nothing to hold on to.",
            ("It changes by about a millionth.", "It does not change.", "It jumps."), look=
            "Choose a weight, and drag it: the accuracy in the table moves in jumps, the loss smoothly.", done=60,
        ),
        Step(
            "Cat and dog", "The network says 0.9 cat and 0.1 dog, and it is a dog. With softmax and cross-entropy the derivative by "
            "what goes into the softmax is simple: ∂C/∂z = p − t.",
            "What is ∂C/∂z of the cat?", dog, pushed,
            "{cat}, and {dog} for the dog. One step of the training, and p(cat) goes from {cat_before} to {cat_after}, p(dog) from "
            "{dog_before} to {dog_after}: both as promised.", within=0.05,
            screen="passes", look="Walk backward, then do the update.",
        ),
        experiment(
            "Where does the power come from?", "Two linear functions, one after the other, are one linear function. The claim: on two "
            "rings a hidden layer of 16 with a tanh beats one without.",
            ("with a tanh", lambda: rings("tanh")), ("without", lambda: rings("linear")), look=
            "This one has the tanh: let it play, and see the border close. Then write 2-16-2 linear softmax.",
        ),
    ),
)  # fmt: skip
