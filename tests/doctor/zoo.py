"""A zoo of trainings: healthy ones, and ones into which a fault was put; made by numbers, so that there are as many as one likes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

import chainrule as cr
from chainrule.data import Dataset, Examples

ANY = frozenset[str]()


@dataclass(frozen=True)
class Animal:
    """A training, the fault in it ("" for none), and the ailments that name it: any of them is a hit."""

    name: str
    training: cr.Training
    fault: str = ""
    ailments: frozenset[str] = ANY


@dataclass(frozen=True)
class Ground:
    """What a fault is put into: data, widths of hidden layers, activation, optimizer, and epochs that suffice."""

    name: str
    data: Dataset
    hidden: tuple[int, ...]
    activation: str
    optimizer: object
    epochs: int
    batch: int
    seed: int
    front: tuple[object, ...] = ()
    """Layers before the hidden ones: convolutions, layers with a memory."""

    @property
    def classifies(self) -> bool:
        return self.data.classes is not None

    @property
    def last(self) -> cr.Dense:
        return cr.Dense(self.data.target_size, "softmax" if self.classifies else "linear")

    def training(self, network: object = None, data: Dataset | None = None, **changes: object) -> cr.Training:
        made = self.network() if network is None else network
        given = {"optimizer": self.optimizer, "epochs": self.epochs, "batch_size": self.batch, "seed": self.seed, **changes}
        return cr.Training(made, self.data if data is None else data, **given)

    def network(
        self, hidden: tuple[int, ...] = (), activation: str = "", last: object = None, **dense: object
    ) -> cr.Sequential:
        layers = [cr.Dense(units, activation or self.activation, **dense) for units in hidden or self.hidden]
        return cr.Sequential(*self.front, *layers, self.last if last is None else last)


def ground(seed: int, families: tuple[str, ...]) -> Ground:
    """The ground of this number, on one of the families of data."""
    random = np.random.default_rng([seed, 17])
    family = families[seed % len(families)]
    data = DATA[family](int(random.integers(1000)))
    hidden = tuple(int(units) for units in random.choice([8, 16, 24], size=random.integers(1, 3)))
    activation = str(random.choice(["relu", "tanh"]))
    optimizer = [cr.Adam(0.01), cr.SGD(0.1, momentum=0.9), cr.Adam(0.02)][random.integers(3)]
    front = FRONTS.get(family, ())
    if front:
        hidden, optimizer = hidden[:1], cr.Adam(0.01)
    return Ground(f"{family}-{seed}", data, hidden, activation, optimizer, EPOCHS.get(family, 60), 20, seed, front)


def _curve(function: str) -> Callable[[int], Dataset]:
    return lambda seed: cr.data.curve(function, n=200, noise=0.05, seed=seed)


def _plants(seed: int) -> Dataset:
    """Three kinds of plants in four measured columns, overlapping a little."""
    random = np.random.default_rng(seed)
    kinds = np.repeat(np.arange(3), 80)
    middles = random.normal(size=(3, 4)) * 2.0
    x = middles[kinds] + random.normal(size=(240, 4)) * np.array([0.5, 1.0, 0.8, 0.7])
    order = random.permutation(240)
    return cr.data.from_arrays(x[order] * np.array([1.0, 3.0, 0.5, 2.0]) + 4.0, kinds[order], name="plants")


def _sums(seed: int) -> Dataset:
    """A smooth function of five columns."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(300, 5))
    return cr.data.from_arrays(x, np.tanh(x @ random.normal(size=5)) + 0.1 * random.normal(size=300), name="sums")


def _stripes(seed: int) -> Dataset:
    """Images with a bright row or a bright column, and noise."""
    random = np.random.default_rng(seed)
    kinds, x = random.integers(2, size=300), random.normal(size=(300, 8, 8, 1)) * 0.4
    for image, kind, place in zip(x, kinds, random.integers(8, size=300), strict=True):
        image[(place,) if kind else (slice(None), place)] += 1.5
    return cr.data.from_arrays(x, kinds, name="stripes")


def _corners(seed: int) -> Dataset:
    """Images with a bright spot in one of three corners, and noise."""
    random = np.random.default_rng(seed)
    kinds, x = random.integers(3, size=240), random.normal(size=(240, 6, 6, 1)) * 0.5
    for image, kind in zip(x, kinds, strict=True):
        image[(slice(0, 2), slice(-2, None))[kind % 2], (slice(0, 2), slice(-2, None))[kind // 2]] += 1.5
    return cr.data.from_arrays(x, kinds, name="corners")


def _walks(seed: int) -> Dataset:
    """Sequences, and whether they end above their start."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(300, 8, 1))
    return cr.data.from_arrays(x, (x.sum(axis=(1, 2)) > 0).astype(int), name="walks")


def _first_step(seed: int) -> Dataset:
    """Sequences of two features, and the first of them smoothed: a number that a memory has to keep."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(300, 5, 2))
    return cr.data.from_arrays(x, np.tanh(x[:, 0, 0]) + 0.3 * x[:, -1, 1] + 0.05 * random.normal(size=300), name="first_step")


DATA: dict[str, Callable[[int], Dataset]] = {
    "moons": lambda seed: cr.data.moons(300, noise=0.15, seed=seed),
    "circles": lambda seed: cr.data.circles(300, seed=seed),
    "blobs": lambda seed: cr.data.blobs(300, classes=3, seed=seed),
    "sin": _curve("sin"),
    "sums": _sums,
    "stripes": _stripes,
    "walks": _walks,
    "corners": _corners,
    "first_step": _first_step,
    "plants": _plants,
    "ring": lambda seed: cr.data.ring(300, seed=seed),
    "xor": lambda seed: cr.data.xor(300, noise=0.15, seed=seed),
    "parabola": _curve("parabola"),
}
FRONTS: dict[str, tuple[object, ...]] = {
    "stripes": (cr.Conv2D(6, 3, activation="relu"), cr.Flatten()),
    "corners": (cr.Conv2D(4, 3, activation="relu"), cr.MaxPool(2), cr.Flatten()),
    "walks": (cr.LSTM(8),),
    "first_step": (cr.GRU(10),),
}
EPOCHS = {"stripes": 15, "corners": 15, "walks": 15, "first_step": 25, "sin": 100, "parabola": 100, "sums": 40}
SEEN = ("moons", "circles", "blobs", "sin", "sums", "stripes", "walks")
"""Families of data that the checks were developed on."""
HELD_BACK = ("plants", "ring", "xor", "parabola", "corners", "first_step")
"""Families that were looked at only in the end."""

# ---- faults: each takes a ground and gives the training with the fault in it


def dead(g: Ground) -> cr.Training:
    return g.training(g.network(activation="relu", biases=cr.Constant(-30.0)))


def zero_start(g: Ground) -> cr.Training:
    return g.training(g.network(weights=cr.Zeros(), last=replace(g.last, weights=cr.Zeros())))


def equal_start(g: Ground) -> cr.Training:
    return g.training(g.network(weights=cr.Constant(0.2), last=replace(g.last, weights=cr.Constant(0.2))))


def saturated(g: Ground) -> cr.Training:
    return g.training(g.network(activation="tanh", weights=cr.Normal(0.0, 40.0)))


def vanishing(g: Ground) -> cr.Training:
    return g.training(g.network((16,) * 7, "sigmoid"), optimizer=cr.SGD(0.1))


def exploding(g: Ground) -> cr.Training:
    return g.training(g.network((24,) * 6, "relu", weights=cr.Normal(0.0, 1.5)), optimizer=cr.SGD(1e-9))


def rate_too_large(g: Ground) -> cr.Training:
    return g.training(g.network(activation="tanh"), optimizer=cr.SGD(30.0))


def blown_up(g: Ground) -> cr.Training:
    return g.training(
        g.network((16, 16), "relu", last=cr.Dense(g.data.target_size)), loss="squared_error", optimizer=cr.SGD(50.0)
    )


def rate_too_small(g: Ground) -> cr.Training:
    return g.training(optimizer=cr.SGD(1e-4))


def wrong_labels(g: Ground) -> cr.Training:
    random, y = np.random.default_rng(g.seed), g.data.train.y.copy()
    chosen = random.permutation(len(y))[: len(y) // 5]
    y[chosen] = (y[chosen] + 1) % len(g.data.classes or ())
    return g.training(data=replace(g.data, train=Examples(g.data.train.x, y), origin=None))


def shuffled_targets(g: Ground) -> cr.Training:
    y = np.random.default_rng(g.seed).permutation(g.data.train.y)
    return g.training(
        g.network((64,)), replace(g.data, train=Examples(g.data.train.x, y), origin=None), optimizer=cr.Adam(0.02)
    )


def leaked(g: Ground) -> cr.Training:
    test = g.data.test
    assert test is not None
    count = len(test) // 4
    x, y = g.data.train.x.copy(), g.data.train.y.copy()
    x[:count], y[:count] = test.x[:count], test.y[:count]
    return g.training(data=replace(g.data, train=Examples(x, y), origin=None))


def unscaled(g: Ground) -> cr.Training:
    size = np.ones(g.data.input_shape)
    size[0] = 1e4
    parts = {
        part: Examples(examples.x * size, examples.y)
        for part, examples in (("train", g.data.train), ("test", g.data.test))
        if examples
    }
    return g.training(data=replace(g.data, **parts, scaling=cr.data.Scaling.none(), origin=None), optimizer=cr.SGD(0.01))


def softmax_twice(g: Ground) -> cr.Training:
    return g.training(cr.Sequential(*g.network().layers, cr.Activation("softmax")))


def out_of_reach(g: Ground) -> cr.Training:
    scaled = replace(g.data, target_scaling=cr.data.Scaling(0.0, 10.0))
    return g.training(g.network(last=cr.Dense(1, "sigmoid")), scaled)


def too_many_epochs(g: Ground) -> cr.Training:
    few = replace(g.data, train=g.data.train[:12], origin=None)
    noisy = Examples(few.train.x, _noisy(few.train.y, g))
    return g.training(
        g.network((64, 64), "relu"), replace(few, train=noisy), optimizer=cr.Adam(0.02), epochs=300, batch_size=12
    )


def _noisy(y: np.ndarray, g: Ground) -> np.ndarray:
    random = np.random.default_rng(g.seed)
    if not g.classifies:
        return y + random.normal(size=y.shape) * y.std()
    return np.where(random.random(len(y)) < 0.4, random.integers(len(g.data.classes or ()), size=len(y)), y)


def too_strong_penalty(g: Ground) -> cr.Training:
    loss = (cr.CrossEntropy() if g.classifies else cr.SquaredError()) + cr.L2(3.0)
    return g.training(loss=loss)


GRADIENT, RATE, LABELS = "gradient through the layers", "learning rate", "wrong labels"
FAULTS: dict[Callable[[Ground], cr.Training], frozenset[str]] = {
    dead: frozenset({"dead units"}),
    zero_start: frozenset({"units all the same"}),
    equal_start: frozenset({"units all the same"}),
    saturated: frozenset({"saturated units"}),
    vanishing: frozenset({GRADIENT}),
    exploding: frozenset({GRADIENT}),
    rate_too_large: frozenset({RATE, "saturated units"}),
    blown_up: frozenset({RATE, "numbers that are not finite"}),
    rate_too_small: frozenset({RATE}),
    wrong_labels: frozenset({LABELS}),
    shuffled_targets: frozenset({"overfitting", "not learning"}),
    leaked: frozenset({"leak between the parts"}),
    unscaled: frozenset({"unscaled inputs"}),
    softmax_twice: frozenset({"softmax twice"}),
    out_of_reach: frozenset({"targets out of reach"}),
    too_many_epochs: frozenset({"overfitting"}),
    too_strong_penalty: frozenset({"penalty too strong"}),
}
"""Each fault with the ailments that name it."""
CLASSES_ONLY, NUMBERS_ONLY, MANY_COLUMNS = {wrong_labels, softmax_twice}, {out_of_reach}, {unscaled}


def learned(run: cr.train.Run) -> bool:
    """Whether a training came out well, by what it does on its test part: what makes a healthy one healthy."""
    name, (value,) = run.evaluate("test").score
    return bool(value > (0.8 if name == "accuracy" else 0.6))


def suits(fault: Callable[[Ground], cr.Training], g: Ground) -> bool:
    """Whether the fault can be put into this ground."""
    wrong = (fault in CLASSES_ONLY and not g.classifies) or (fault in NUMBERS_ONLY and g.classifies)
    return not wrong and not (fault in MANY_COLUMNS and (g.front or g.data.input_shape == (1,)))


def sick(number: int, families: tuple[str, ...]) -> Animal:
    """The sick training of this number: faults take turns, each on the next ground that it suits."""
    fault = list(FAULTS)[number % len(FAULTS)]
    place = number
    while not suits(fault, found := ground(place, families)):
        place += 1
    return Animal(f"{fault.__name__}-{found.name}", fault(found), fault.__name__, FAULTS[fault])


def healthy(number: int, families: tuple[str, ...]) -> Animal:
    """The healthy training of this number."""
    found = ground(number, families)
    return Animal(found.name, found.training())
