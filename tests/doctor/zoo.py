"""A zoo of trainings: healthy ones, and ones into which a fault was put; made by numbers, so that there are as many as one likes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product
from typing import TypeAlias

import numpy as np
import sklearn.datasets

import chainrule as cr
from chainrule.data import Dataset, Examples
from chainrule.train.replicated import compare

ANY = frozenset[str]()
Fault: TypeAlias = "Callable[[Ground], cr.Training]"
"""Takes a ground, and gives the training with the fault in it."""


@dataclass(frozen=True)
class Animal:
    """A training, the fault in it ("" for none), and the ailments that name it: any of them is a hit.

    twin: the training without the fault, on the same data with the same seed.
    """

    name: str
    training: cr.Training
    fault: str = ""
    ailments: frozenset[str] = ANY
    twin: cr.Training | None = None


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
    fresh = family in OTHERS + FRESH
    data = DATA[family](int(random.integers(1000)))
    widths = [12, 20, 32] if fresh else [8, 16, 24]
    hidden = tuple(int(units) for units in random.choice(widths, size=random.integers(1, 3)))
    activation = str(random.choice(["relu", "tanh", "elu"] if fresh else ["relu", "tanh"]))
    usual = [cr.AdamW(0.01), cr.RMSprop(0.005), cr.SGD(0.05, momentum=0.9)]
    seen = [cr.Adam(0.01), cr.SGD(0.1, momentum=0.9), cr.Adam(0.02)]
    optimizer = (usual if fresh else seen)[random.integers(3)]
    front = FRONTS.get(family, ())
    if front:
        hidden, optimizer = hidden[:1], cr.Adam(0.01)
    batch = int(random.choice([16, 32])) if fresh else 20
    return Ground(f"{family}-{seed}", data, hidden, activation, optimizer, EPOCHS.get(family, 60), batch, seed, front)


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


def _measured(name: str) -> Callable[[int], Dataset]:
    """Real data of scikit-learn, in an order of their own for each seed; of digits 400, as images."""

    def drawn(seed: int) -> Dataset:
        found = getattr(sklearn.datasets, f"load_{name}")()
        order = np.random.default_rng(seed).permutation(len(found.data))[:400]
        x = found.images[..., None] if name == "digits" else found.data
        return cr.data.from_arrays(x[order].astype(np.float64), found.target[order].astype(int), name=name)

    return drawn


def _saddle(seed: int) -> Dataset:
    """A product of two columns, and a wave along the third."""
    random = np.random.default_rng(seed)
    x = random.uniform(-2, 2, size=(320, 3))
    return cr.data.from_arrays(x, x[:, 0] * x[:, 1] + np.sin(2 * x[:, 2]) + 0.1 * random.normal(size=320), name="saddle")


def _pulses(seed: int) -> Dataset:
    """Signals in time with a broad pulse, a double one, or a step, somewhere, and noise."""
    random = np.random.default_rng(seed)
    kinds, x = random.integers(3, size=300), 0.3 * random.normal(size=(300, 16, 1))
    for signal, kind, place in zip(x, kinds, random.integers(2, 10, size=300), strict=True):
        shape = ((1, 1, 1, 1), (1.5, -0.5, 1.5), (-1, -1, 1, 1))[kind]
        signal[place : place + len(shape), 0] += shape
    return cr.data.from_arrays(x, kinds, name="pulses")


def _echoes(seed: int) -> Dataset:
    """Sequences, and a weighted sum of their last four numbers."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(300, 7, 1))
    y = x[:, -4:, 0] @ np.array([0.3, 0.5, -0.7, 1.0]) + 0.05 * random.normal(size=300)
    return cr.data.from_arrays(x, y, name="echoes")


def _made(name: str, **options: object) -> Callable[[int], Dataset]:
    """Data that scikit-learn makes: 300 examples."""

    def drawn(seed: int) -> Dataset:
        x, y = getattr(sklearn.datasets, f"make_{name}")(n_samples=300, random_state=seed, **options)
        return cr.data.from_arrays(x, y if y.dtype.kind == "f" else y.astype(int), name=name)

    return drawn


def _checkers(seed: int) -> Dataset:
    """A board of three by three fields of two colours."""
    random = np.random.default_rng(seed)
    x = random.uniform(0, 3, size=(400, 2))
    return cr.data.from_arrays(x, np.floor(x).sum(axis=1).astype(int) % 2, name="checkers")


def _ripples(seed: int) -> Dataset:
    """A wave around a point that is drawn by chance."""
    random = np.random.default_rng(seed)
    x, middle = random.uniform(-2, 2, size=(320, 2)), random.uniform(-1, 1, size=2)
    y = np.cos(2 * np.linalg.norm(x - middle, axis=1)) + 0.05 * random.normal(size=320)
    return cr.data.from_arrays(x, y, name="ripples")


def _crosses(seed: int) -> Dataset:
    """Images with a plus, a cross or a square somewhere, and noise."""
    random = np.random.default_rng(seed)
    shapes = np.array([[[0, 1, 0], [1, 1, 1], [0, 1, 0]], [[1, 0, 1], [0, 1, 0], [1, 0, 1]], [[1, 1, 1], [1, 0, 1], [1, 1, 1]]])
    kinds, x = random.integers(3, size=360), random.normal(size=(360, 7, 7, 1)) * 0.25
    for image, kind, (row, column) in zip(x, kinds, random.integers(5, size=(360, 2)), strict=True):
        image[row : row + 3, column : column + 3, 0] += 1.5 * shapes[kind]
    return cr.data.from_arrays(x, kinds, name="crosses")


def _tones(seed: int) -> Dataset:
    """Signals of three frequencies with any phase, and noise."""
    random = np.random.default_rng(seed)
    kinds = random.integers(3, size=300)
    angles = (1 + kinds)[:, None] * np.arange(20) * 0.5 + random.uniform(0, 2 * np.pi, size=(300, 1))
    return cr.data.from_arrays((np.sin(angles) + 0.3 * random.normal(size=(300, 20)))[..., None], kinds, name="tones")


def _higher(seed: int) -> Dataset:
    """Sequences of two features, and which of the two lies higher."""
    random = np.random.default_rng(seed)
    kinds, x = random.integers(2, size=320), random.normal(size=(320, 9, 2))
    x[np.arange(320), :, kinds] += 1.5
    return cr.data.from_arrays(x, kinds, name="higher")


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
    "iris": _measured("iris"),
    "wine": _measured("wine"),
    "breast_cancer": _measured("breast_cancer"),
    "digits": _measured("digits"),
    "spirals": lambda seed: cr.data.spirals(360, turns=0.6, noise=0.05, seed=seed),
    "saddle": _saddle,
    "pulses": _pulses,
    "echoes": _echoes,
    "friedman1": _made("friedman1", noise=0.3),
    "gaussian_quantiles": _made("gaussian_quantiles", n_features=3, n_classes=3),
    "checkers": _checkers,
    "ripples": _ripples,
    "crosses": _crosses,
    "tones": _tones,
    "higher": _higher,
}
FRONTS: dict[str, tuple[object, ...]] = {
    "stripes": (cr.Conv2D(6, 3, activation="relu"), cr.Flatten()),
    "corners": (cr.Conv2D(4, 3, activation="relu"), cr.MaxPool(2), cr.Flatten()),
    "walks": (cr.LSTM(8),),
    "first_step": (cr.GRU(10),),
    "digits": (cr.Conv2D(8, 3, activation="relu"), cr.MaxPool(2), cr.Flatten()),
    "pulses": (cr.Conv1D(8, 4, activation="relu"), cr.GlobalMaxPool()),
    "echoes": (cr.LSTM(12),),
    "crosses": (cr.Conv2D(8, 3, activation="relu"), cr.GlobalMaxPool()),
    "tones": (cr.Conv1D(8, 5, activation="relu"), cr.GlobalAveragePool()),
    "higher": (cr.GRU(8),),
}
EPOCHS = {
    "stripes": 15, "corners": 15, "walks": 15, "first_step": 25, "sin": 100, "parabola": 100, "sums": 40, "digits": 15,
    "pulses": 40, "echoes": 40, "spirals": 120, "breast_cancer": 12, "wine": 25, "friedman1": 30, "checkers": 150,
    "ripples": 100, "crosses": 40, "tones": 30, "higher": 15,
}  # fmt: skip
SEEN = ("moons", "circles", "blobs", "sin", "sums", "stripes", "walks")
"""Families of data that the checks were developed on."""
HELD_BACK = ("plants", "ring", "xor", "parabola", "corners", "first_step")
"""Families that were held back from the first looks."""
OTHERS = ("iris", "wine", "breast_cancer", "digits", "spirals", "saddle", "pulses", "echoes")
"""Families, with widths, activations, batches and optimizers of their own, that were held back from a first draw of this doctor."""
FRESH = ("friedman1", "gaussian_quantiles", "checkers", "ripples", "crosses", "tones", "higher")
"""The same, that no look was written with: drawn once, in the end."""

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
    chosen = np.random.default_rng(g.seed).permutation(len(g.data.train))[:12]
    few = replace(g.data, train=g.data.train[chosen], origin=None)
    noisy = Examples(few.train.x, _noisy(few.train.y, g))
    return g.training(
        g.network((64, 64), "tanh"), replace(few, train=noisy), optimizer=cr.Adam(0.01), epochs=1500, batch_size=12,
        evaluate_every=30,
    )  # fmt: skip


def _noisy(y: np.ndarray, g: Ground) -> np.ndarray:
    """Of labels five are wrong; numbers have errors as large as they scatter."""
    random = np.random.default_rng(g.seed)
    if not g.classifies:
        return y + random.normal(size=y.shape) * y.std()
    wrong, classes = random.permutation(len(y))[:5], len(g.data.classes or ())
    found = y.copy()
    found[wrong] = (y[wrong] + random.integers(1, classes, size=5)) % classes
    return found


def too_strong_penalty(g: Ground) -> cr.Training:
    loss = (cr.CrossEntropy() if g.classifies else cr.SquaredError()) + cr.L2(3.0)
    return g.training(loss=loss)


def too_small(g: Ground) -> cr.Training:
    return g.training(g.network((1,)))


def strong_dropout(g: Ground) -> cr.Training:
    hidden = [layer for units in g.hidden for layer in (cr.Dense(units, g.activation), cr.Dropout(0.9))]
    return g.training(cr.Sequential(*g.front, *hidden, g.last))


def target_inside(g: Ground) -> cr.Training:
    """The target stands in a column of its own, in other units."""

    def told(part: Examples | None) -> Examples | None:
        if part is None:
            return None
        return Examples(np.column_stack([part.x, 40 - 3 * np.asarray(part.y, np.float64).reshape(len(part), -1)[:, 0]]), part.y)

    parts = {"train": told(g.data.train), "test": told(g.data.test)}
    scaling = cr.data.Scaling.standardise(parts["train"].x)
    return g.training(data=replace(g.data, **parts, scaling=scaling, features=None, columns=None, origin=None))


def rare_class(g: Ground) -> cr.Training:
    """Of one class all but four training examples are gone."""
    own = np.flatnonzero(g.data.train.y == g.seed % len(g.data.classes or ()))
    kept = np.delete(np.arange(len(g.data.train)), own[4:])
    return g.training(data=replace(g.data, train=g.data.train[kept], origin=None))


def noisy_inputs(g: Ground) -> cr.Training:
    """Noise as large as the inputs themselves, in the training part alone."""
    x = g.data.train.x
    noise = np.random.default_rng(g.seed).normal(size=x.shape) * x.std(axis=0)
    return g.training(data=replace(g.data, train=Examples(x + noise, g.data.train.y), origin=None))


GRADIENT, RATE, LABELS = "gradient through the layers", "learning rate", "wrong labels"
FAULTS: dict[Fault, frozenset[str]] = {
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
    shuffled_targets: frozenset({"overfitting", "not learning", LABELS}),
    leaked: frozenset({"leak between the parts"}),
    unscaled: frozenset({"unscaled inputs"}),
    softmax_twice: frozenset({"softmax twice"}),
    out_of_reach: frozenset({"targets out of reach"}),
    too_many_epochs: frozenset({"overfitting"}),
    too_strong_penalty: frozenset({"penalty too strong"}),
    too_small: frozenset({"network too small"}),
    strong_dropout: frozenset({"dropout too strong"}),
    target_inside: frozenset({"target among the inputs"}),
    rare_class: frozenset({"rare classes"}),
    noisy_inputs: frozenset({"parts that differ"}),
}
"""Each fault with the ailments that name it."""
CLASSES_ONLY, NUMBERS_ONLY = {wrong_labels, softmax_twice, rare_class}, {out_of_reach}
ROWS, CURVED = {unscaled, target_inside}, {too_small, strong_dropout}
BENT = (
    "moons",
    "circles",
    "sin",
    "ring",
    "xor",
    "parabola",
    "spirals",
    "saddle",
    "digits",
    "checkers",
    "ripples",
    "gaussian_quantiles",
)
"""Families that take several units: where one may do, no network is too small and no dropout too strong."""
MEASUREMENT = {leaked.__name__, target_inside.__name__}
"""Faults of which a training does not come out worse, but its scores say what is not so: they are faults whatever the scores."""
OF_DATA: tuple[Fault, ...] = (wrong_labels, leaked, rare_class, target_inside)
OF_TRAINING: tuple[Fault, ...] = (
    dead, equal_start, saturated, vanishing, rate_too_large, rate_too_small, softmax_twice, too_strong_penalty, too_small,
    strong_dropout,
)  # fmt: skip


def learned(run: cr.train.Run) -> bool:
    """Whether a training came out well, by what it does on its test part: what makes a healthy one healthy."""
    name, (value,) = run.evaluate("test").score
    return bool(value > (0.8 if name == "accuracy" else 0.6))


def without_effect(sick: cr.train.Run, twin: cr.train.Run) -> bool:
    """Whether a training with a fault in it came out as well as its twin without: the fault is then none.

    Both parts are looked at, by the loss and by how wrong the answers are (right or not; the square of the error in the data's
    units), example by example: none of the four may be larger than the twin's by Student's test at 5 %. A twin that did not come
    out well says nothing. The rule does not know what the doctor said.
    """
    if not learned(twin):
        return False
    for part in ("training", "test"):
        one, other = _marks(sick, part), _marks(twin, part)
        for mine, its in zip(one, other, strict=True):
            if compare(mine, its, paired=len(mine) == len(its)).verdict == "larger":
                return False
    return True


def _marks(run: cr.train.Run, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Of each example the loss, and how wrong the answer is."""
    examples, model = dict(run.data.parts())[part], run.model()
    if run.data.classes is not None:
        wrong = model.decide(examples.x) != examples.y
    else:
        wrong = np.square(run.predict(examples.x).reshape(len(examples), -1) - examples.y.reshape(len(examples), -1)).sum(
            axis=1
        )
    return model.costs(examples.x, examples.y), wrong.astype(np.float64)


def suits(fault: Fault, g: Ground) -> bool:
    """Whether the fault can be put into this ground."""
    wrong = (fault in CLASSES_ONLY and not g.classifies) or (fault in NUMBERS_ONLY and g.classifies)
    rows = not g.front and (fault is target_inside or g.data.input_shape != (1,))
    bent = g.name.rpartition("-")[0] in BENT
    return not wrong and (rows or fault not in ROWS) and (bent or fault not in CURVED)


def sick(number: int, families: tuple[str, ...]) -> Animal:
    """The sick training of this number: faults take turns, each on the next ground that it suits."""
    fault = list(FAULTS)[number % len(FAULTS)]
    found = _suited((fault,), number, families)
    return Animal(f"{fault.__name__}-{found.name}", fault(found), fault.__name__, FAULTS[fault], found.training())


def doubly_sick(number: int, families: tuple[str, ...]) -> tuple[Animal, frozenset[str]]:
    """A training with a fault in its data and another one in itself, and the ailments that name the second."""
    pairs = list(product(OF_DATA, OF_TRAINING))
    first, second = pairs[number % len(pairs)]
    found = _suited((first, second), number, families)
    training = second(replace(found, data=first(found).dataset))
    name = f"{first.__name__}+{second.__name__}"
    return Animal(f"{name}-{found.name}", training, name, FAULTS[first], found.training()), FAULTS[second]


def _suited(faults: tuple[Fault, ...], number: int, families: tuple[str, ...]) -> Ground:
    while not all(suits(fault, found := ground(number, families)) for fault in faults):
        number += 1
    return found


def healthy(number: int, families: tuple[str, ...]) -> Animal:
    """The healthy training of this number."""
    found = ground(number, families)
    return Animal(found.name, found.training())
