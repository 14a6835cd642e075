"""Lesson: one neuron, and many: what it adds up, how it bends it, and what many of them can draw."""

from __future__ import annotations

import numpy as np

from chainrule.graph import Array
from chainrule.lab.lessons.lesson import Answer, Lesson, Step, by_hand, experiment, model_of, points, quantity
from chainrule.lab.session import Session
from chainrule.train import Adam, Training

_WEIGHTS = {"dense1.W": [[2.0], [-1.0]], "dense1.b": [0.5]}
_HERE = [[1.0, 1.0]]
_GRID = np.stack(np.meshgrid(np.linspace(-2, 2, 9), np.linspace(-2, 2, 9)), axis=-1).reshape(-1, 2)


def one_neuron() -> Training:
    """A neuron with two inputs, whose weights are given."""
    y = (_GRID @ [2.0, -1.0] + 0.5 > 0).astype(int)
    return by_hand("2-1:sigmoid", points(_GRID, y, "half a plane", classes=["left", "right"]), _WEIGHTS, batch_size=9)


def sum_of_inputs(session: Session) -> Answer:
    """The pre-activation."""
    z = quantity(session, "dense1.z", _HERE).item()
    return Answer(z, {"z": z})


def bent(session: Session) -> Answer:
    """The activation."""
    z, a = (quantity(session, name, _HERE).item() for name in ("dense1.z", "dense1.a"))
    return Answer(a, {"z": z, "a": a})


def _crossings(session: Session, level: float, across: Array) -> Array:
    """Where the neuron answers `level`, along the first input for each of these second inputs: by halving, (n,)."""
    low, high = np.full(len(across), -9.0), np.full(len(across), 9.0)
    for _ in range(50):
        middle = (low + high) / 2
        below = quantity(session, "dense1.a", np.column_stack([middle, across]))[:, 0] < level
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2


def border(session: Session) -> Answer:
    """How far the points where a = 1/2 are from the best straight line."""
    across = np.linspace(-2.0, 2.0, 21)
    found = _crossings(session, 0.5, across)
    off = float(np.abs(np.polyval(np.polyfit(across, found, 1), across) - found).max())
    return Answer(0 if off < 1e-6 else 2, {"count": len(across), "off": off})


def sharper(session: Session) -> Answer:
    """How much narrower the stripe between 0.1 and 0.9 is, with ten times the weights and bias."""

    def width() -> float:
        low, high = (_crossings(session, level, np.zeros(1))[0] for level in (0.1, 0.9))
        return float(high - low)

    before = width()
    for name, values in session.values().items():
        for index in np.ndindex(values.shape):
            session.set(name, index, 10 * float(values[index]))
    after = width()
    return Answer(before / after, {"before": before, "after": after, "times": before / after})


def layers() -> Training:
    """A small network with two hidden layers, in the plane."""
    return Training("2-5-3-2 tanh softmax", "moons", optimizer=Adam(0.01), batch_size=20, dtype="float64")


def in_parallel(session: Session) -> Answer:
    """The shape of a layer's answers to a batch, and how far they are from those one by one."""
    model, x = model_of(session), session.training.dataset.train.x[:20]
    together = model.quantities(x, {"dense2.a"})["dense2.a"]
    alone = np.concatenate([model.quantities(row[None], {"dense2.a"})["dense2.a"] for row in x])
    off = float(np.abs(together - alone).max())
    return Answer(
        [(3, 20), (20, 3), (20, 5, 3)].index(together.shape),
        {"rows": together.shape[0], "columns": together.shape[1], "off": off},
    )


def bends() -> Training:
    """Five ReLU neurons of one input, each with its kink somewhere else."""
    x = np.linspace(-2, 2, 41)
    values = {"dense1.W": [[1.0, -1.0, 1.0, 1.0, -1.0]], "dense1.b": [1.5, -0.7, 0.0, -0.8, 1.4],
              "dense2.W": [[1.0], [0.8], [-2.0], [1.5], [0.6]], "dense2.b": [-0.5]}  # fmt: skip
    return by_hand("1-5-1 relu", points(x[:, None], np.sin(3 * x)[:, None], "a curve"), values, batch_size=10)


def kinks(session: Session) -> Answer:
    """How often the slope of the answer changes."""
    x = np.linspace(-2, 2, 4001)
    slopes = np.diff(quantity(session, "output", x[:, None])[:, 0])
    bent_at = np.flatnonzero(np.abs(np.diff(slopes)) > 1e-9)
    count = int((np.diff(bent_at, prepend=-9) > 1).sum())
    return Answer(count, {"kinks": count})


def wide(neurons: int) -> Training:
    """A curve, and so many ReLU neurons to draw it."""
    return Training(f"1-{neurons}-1 relu", "curve", optimizer=Adam(0.02), batch_size=10, epochs=60)


NEURON = Lesson(
    "neuron", "One neuron, and many", "After a lecture for physicists: neurons, batches, and what a network can draw.",
    (
        Step(
            "It adds up", "A neuron takes two inputs, y1 and y2. First it adds them up, each times its weight, and a constant, the "
            "bias: z = w1·y1 + w2·y2 + b. Here w1 = 2, w2 = −1 and b = 0.5.",
            "What is z for y1 = 1 and y2 = 1?", one_neuron, sum_of_inputs,
            "z = 2·1 − 1·1 + 0.5 = {z}. It is the pre-activation, which is not yet what the neuron says.", within=0.005,
            look="Choose the two lines and the dot before the neuron: their cards show 2, −1 and 0.5. Drag one, and see what the neuron "
            "says over the plane.",
        ),
        Step(
            "It bends", "Second, z goes through a function that is not linear. Here it is the sigmoid σ(z) = 1/(1 + e⁻ᶻ), a rounded "
            "step from 0 to 1.",
            "What does the neuron say for the same inputs? A guess within 0.05 is right.", one_neuron, bent,
            "a = σ({z}) = {a}.", within=0.05, look="The neuron's picture is a over both inputs: it is nowhere blue, since a sigmoid is "
            "never below 0.",
        ),
        Step(
            "Where it is undecided", "A neuron with a sigmoid parts the plane: on one side it says more than one half, on the other less.",
            "What is the border, where it says exactly one half?", one_neuron, border,
            "{count} points of the border were looked for, and none lies further than {off} from a straight line: a = 1/2 where z = 0, "
            "and z is linear.",
            ("a straight line", "a circle", "a curve like an S"), look="Drag the bias: the border moves, and stays straight.",
        ),
        Step(
            "A sharper step", "Between 0.1 and 0.9 the neuron is unsure: a stripe in the plane. Now both weights and the bias are "
            "multiplied by 10.",
            "How many times narrower does the stripe become?", one_neuron, sharper,
            "Along the first input it was {before} wide, and is {after}: {times} times narrower. Only in the limit of large weights "
            "does a sigmoid turn all that is negative to 0, as the lecture says.",
            within=0.5, screen="pictures", look="Choose the picture “sharpness”, and move its slider.",
        ),
        Step(
            "Twenty at once", "A batch goes through the network as one matrix: a row for each example. The network is 2-5-3-2.",
            "20 examples go through it. What is the shape of what the second hidden layer says?", layers, in_parallel,
            "It is ({rows}, {columns}): a row for each example, a column for each neuron. One by one, the examples give the same: the "
            "largest difference is {off}.",
            ("(3, 20)", "(20, 3)", "(20, 5, 3)"), screen="passes", look="Choose “the next batch”, and walk forward: each quantity has a "
            "row for each example.",
        ),
        Step(
            "Kinks", "A ReLU is 0 below 0, and z above. Five such neurons of one input are added up, each with a weight of its own.",
            "How many kinks has the sum?", bends, kinks,
            "{kinks}: each neuron bends the answer once, where its z is 0, at −b/w.", look=
            "Drag a bias of the hidden layer: one kink moves.",
        ),
        experiment(
            "Do more neurons draw it better?", "“Basically any smooth function can be approximated”: with more neurons there are more "
            "kinks to build it from. The claim: 20 neurons fit a curve better than 2.",
            ("20 neurons", lambda: wide(20)), ("2 neurons", lambda: wide(2)), score="loss", look=
            "This is one of the networks, not yet trained: let it play.",
        ),
    ),
)  # fmt: skip
