"""Made-up data with a known law: gates, clouds, rings, moons, spirals and noisy curves, each a function of its seed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from chainrule.checks import NonNegative, Seed, checked
from chainrule.data.checks import check_amount, check_whole
from chainrule.data.dataset import Dataset
from chainrule.data.examples import Examples
from chainrule.data.origin import generated, remembered
from chainrule.data.scaling import Scaling
from chainrule.display import Shown
from chainrule.errors import DataError, OptionError
from chainrule.immutable import immutable
from chainrule.spelling import did_you_mean, listed

Floats = NDArray[np.float64]
# From a random generator and labels of shape (n,) to points of shape (n, 2), one for each label.
PointLaw = Callable[[np.random.Generator, NDArray[np.int64]], Floats]

_TRUTH_POINTS = 401
_CLOUD_POINTS = 200


@immutable
class Curve(Shown):
    """A function of one variable with its formula and the interval on which it is shown."""

    formula: str
    function: Callable[[Floats], Floats]
    domain: tuple[float, float]


def _sin(x: Floats) -> Floats:
    return np.sin(x)


def _sin3x(x: Floats) -> Floats:
    return np.sin(3 * x) + 0.3 * np.cos(9 * x)


def _parabola(x: Floats) -> Floats:
    return x**2


def _absolute(x: Floats) -> Floats:
    return np.abs(x)


def _bell(x: Floats) -> Floats:
    return np.exp(-(x**2))


def _step(x: Floats) -> Floats:
    return np.where(x < 0, 0.0, 1.0)


CURVES: dict[str, Curve] = {
    "sin": Curve("sin x", _sin, (-np.pi, np.pi)),
    "sin3x": Curve("sin 3x + 0.3 cos 9x", _sin3x, (-2.0, 2.0)),
    "parabola": Curve("x²", _parabola, (-1.0, 1.0)),
    "absolute": Curve("|x|", _absolute, (-1.0, 1.0)),
    "bell": Curve("exp(−x²)", _bell, (-3.0, 3.0)),
    "step": Curve("0 for x < 0, else 1", _step, (-1.0, 1.0)),
}


@remembered("curve")
@checked
def curve(
    function: str | Callable[[Floats], Floats] = "sin3x",
    n: int = 200,
    *,
    noise: NonNegative = 0.0,
    seed: Seed = 0,
    domain: tuple[float, float] | None = None,
) -> Dataset:
    """Points y = f(x) + noise · ε, with x evenly spaced over the domain, both ends included, and ε standard normal.

    `function` is one of CURVES ("sin3x" is sin 3x + 0.3 cos 9x on [−2, 2], "sin" is sin x on [−π, π], ...), or a function from
    float64 of shape (m,) to the same, which then needs a `domain`. The `n` points are the training part, x and y of shape
    (n, 1), neither scaled. The test part is the curve itself at 401 evenly spaced points, without noise: the error there is
    the distance to the truth.

    Raises OptionError for an unknown name or numbers that make no sense, DataError if the function leaves the finite numbers.

    >>> data = curve("sin3x", n=5)
    >>> data
    Dataset('sin3x': 5 train, 401 test; inputs (1,) float64; 1 number to fit)
    >>> data.train.x[:, 0]
    array([-2., -1.,  0.,  1.,  2.])
    """
    check_whole("n", n, least=2)
    _check_noise_and_seed(noise, seed)
    name, chosen = _named_curve(function, domain)
    low, high = chosen.domain
    if not (np.isfinite([low, high]).all() and low < high):
        raise OptionError(
            f"domain={chosen.domain!r}", expected="two finite numbers, the lower first", remedy="domain=(-1.0, 1.0)"
        )
    x, truth = np.linspace(low, high, n), np.linspace(low, high, _TRUTH_POINTS)
    errors = noise * np.random.default_rng(seed).standard_normal(n)
    return generated(
        name,
        Examples(x[:, None], (_values(chosen, x) + errors)[:, None]),
        Examples(truth[:, None], _values(chosen, truth)[:, None]),
        f"y = {chosen.formula}, noise {noise:g}, seed {seed}",
        features=("x",),
        notes=("the test part is the curve itself, without noise",),
    )


@remembered("and")
@checked
def and_gate(n: int | None = None, *, noise: NonNegative = 0.0, seed: Seed = 0) -> Dataset:
    """The logical AND of two inputs: class 1 at the corner (1, 1) of the unit square, class 0 at the other three.

    With `noise=0` the training part is the four corners and there is no test part. With noise it is `n` points (200 if not
    given), the corners in turn plus noise · ε in each coordinate, ε standard normal, and the test part is n more.

    >>> and_gate().train.y
    array([0, 0, 0, 1])
    """
    return _gate("and", np.array([0, 0, 0, 1]), n, noise, seed)


@remembered("xor")
@checked
def xor(n: int | None = None, *, noise: NonNegative = 0.0, seed: Seed = 0) -> Dataset:
    """The exclusive or of two inputs: class 1 where exactly one is 1; no straight line separates it. Else as `and_gate`.

    >>> xor()
    Dataset('xor': 4 train; inputs (2,) float64; 2 classes)
    >>> xor(noise=0.1)
    Dataset('xor': 200 train, 200 test; inputs (2,) float64; 2 classes)
    """
    return _gate("xor", np.array([0, 1, 1, 0]), n, noise, seed)


@remembered("circles")
@checked
def circles(n: int = _CLOUD_POINTS, *, noise: NonNegative = 0.05, seed: Seed = 0) -> Dataset:
    """Two circles around the origin: class 0 of radius 1, class 1 of radius 1/2.

    A point is r (cos t, sin t) + noise · ε, with t uniform in [0, 2π) and ε standard normal. As in all sets of points here, the
    classes come in turn, and the training and the test part hold `n` points each, of shape (n, 2), not scaled.

    >>> circles(100)
    Dataset('circles': 100 train, 100 test; inputs (2,) float64; 2 classes)
    """

    def points(random: np.random.Generator, labels: NDArray[np.int64]) -> Floats:
        return _polar(np.where(labels == 0, 1.0, 0.5), random.uniform(0, 2 * np.pi, len(labels)))

    return _points("circles", points, n, noise, seed, ("outer", "inner"), "circles of radius 1 and 1/2")


@remembered("ring")
@checked
def ring(n: int = _CLOUD_POINTS, *, noise: NonNegative = 0.0, seed: Seed = 0) -> Dataset:
    """A disc inside a ring: class 0 within radius 1/2, class 1 between the radii 0.7 and 1, both filled evenly.

    A point is r (cos t, sin t) + noise · ε, with t uniform in [0, 2π), r² uniform between the squares of the radii.

    >>> ring(100).classes
    ('disc', 'ring')
    """

    def points(random: np.random.Generator, labels: NDArray[np.int64]) -> Floats:
        low, high = np.where(labels == 0, 0.0, 0.7), np.where(labels == 0, 0.5, 1.0)
        radius = np.sqrt(random.uniform(low**2, high**2))
        return _polar(radius, random.uniform(0, 2 * np.pi, len(labels)))

    return _points("ring", points, n, noise, seed, ("disc", "ring"), "a disc of radius 0.5, a ring from 0.7 to 1")


@remembered("moons")
@checked
def moons(n: int = _CLOUD_POINTS, *, noise: NonNegative = 0.1, seed: Seed = 0) -> Dataset:
    """Two half circles that reach into each other: (cos t, sin t), and (1 − cos t, 1/2 − sin t), with t uniform in [0, π].

    To each coordinate noise · ε is added, ε standard normal.

    >>> moons(100).train.x.shape
    (100, 2)
    """

    def points(random: np.random.Generator, labels: NDArray[np.int64]) -> Floats:
        upper = _polar(np.ones(len(labels)), random.uniform(0, np.pi, len(labels)))
        return np.where((labels == 0)[:, None], upper, [1.0, 0.5] - upper)

    return _points("moons", points, n, noise, seed, ("upper", "lower"), "two half circles")


@remembered("spirals")
@checked
def spirals(n: int = _CLOUD_POINTS, *, arms: int = 2, turns: float = 1.5, noise: NonNegative = 0.02, seed: Seed = 0) -> Dataset:
    """Spiral arms from the centre to radius 1, one class each: s (cos φ, sin φ), φ = 2π (turns · s + arm / arms).

    s = √u with u uniform in [0, 1), so that the outer parts are as dense as the inner; noise · ε is added to each coordinate.

    >>> spirals(90, arms=3)
    Dataset('spirals': 90 train, 90 test; inputs (2,) float64; 3 classes)
    """
    check_whole("arms", arms, least=2, most=50)
    check_amount("turns", turns)

    def points(random: np.random.Generator, labels: NDArray[np.int64]) -> Floats:
        along = np.sqrt(random.uniform(0, 1, len(labels)))
        return _polar(along, 2 * np.pi * (turns * along + labels / arms))

    names = tuple(f"arm {arm}" for arm in range(arms))
    return _points("spirals", points, n, noise, seed, names, f"{arms} spiral arms, {turns:g} turns")


@remembered("blobs")
@checked
def blobs(n: int = _CLOUD_POINTS, *, classes: int = 2, margin: float = 0.5, seed: Seed = 0) -> Dataset:
    """Round clouds of points, which straight lines are guaranteed to separate.

    Each class fills a disc of radius 1 evenly. The centres stand evenly on a circle of radius R around the origin, with
    R = 2 (1 + margin) / (1 − cos(2π / classes)). So the line at distance R (1 + cos(2π / classes)) / 2 from the origin, square
    to the direction of a centre, has that class on its outer and all others on its inner side, none nearer than `margin`.

    >>> blobs(90, classes=3)
    Dataset('blobs': 90 train, 90 test; inputs (2,) float64; 3 classes)
    """
    check_whole("classes", classes, least=2, most=50)
    check_amount("margin", margin, above=0)
    distance = 2 * (1 + margin) / (1 - np.cos(2 * np.pi / classes))

    def points(random: np.random.Generator, labels: NDArray[np.int64]) -> Floats:
        centres = _polar(np.full(len(labels), distance), 2 * np.pi * labels / classes)
        radius = np.sqrt(random.uniform(0, 1, len(labels)))
        return centres + _polar(radius, random.uniform(0, 2 * np.pi, len(labels)))

    names = tuple(f"cloud {label}" for label in range(classes))
    return _points("blobs", points, n, 0.0, seed, names, f"discs of radius 1, margin {margin:g}")


def _gate(name: str, truth: NDArray[np.int64], n: int | None, noise: NonNegative, seed: Seed) -> Dataset:
    _check_noise_and_seed(noise, seed)
    corners = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    if noise == 0:
        if n is not None:
            raise OptionError(
                f"n={n!r} with noise=0",
                expected="no n: without noise there are four different points",
                remedy=f"{name}(noise=0.1)",
            )
        return _two_inputs(name, Examples(corners, truth), None, ("0", "1"), "the four corners of the unit square")
    count = _CLOUD_POINTS if n is None else n
    check_whole("n", count, least=4)
    random = np.random.default_rng(seed)
    which = np.arange(count) % 4
    train, test = (Examples(_noisy(corners[which], noise, random), truth[which]) for _ in ("train", "test"))
    return _two_inputs(name, train, test, ("0", "1"), f"corners of the unit square, noise {noise:g}, seed {seed}")


def _points(
    name: str, law: PointLaw, n: int, noise: NonNegative, seed: Seed, classes: tuple[str, ...], formula: str
) -> Dataset:
    check_whole("n", n, least=len(classes))
    _check_noise_and_seed(noise, seed)
    random = np.random.default_rng(seed)
    labels = np.arange(n) % len(classes)
    train, test = (Examples(_noisy(law(random, labels), noise, random), labels) for _ in ("train", "test"))
    return _two_inputs(name, train, test, classes, f"{formula}, noise {noise:g}, seed {seed}")


def _two_inputs(name: str, train: Examples, test: Examples | None, classes: tuple[str, ...], formula: str) -> Dataset:
    return generated(name, train, test, formula, scaling=Scaling.none(), classes=classes, features=("x1", "x2"))


def _polar(radius: Floats, angle: Floats) -> Floats:
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def _noisy(points: Floats, noise: NonNegative, random: np.random.Generator) -> Floats:
    return points + noise * random.standard_normal(points.shape)


def _named_curve(function: str | Callable[[Floats], Floats], domain: tuple[float, float] | None) -> tuple[str, Curve]:
    if isinstance(function, str):
        if function not in CURVES:
            raise OptionError(
                f"there is no curve {function!r}",
                expected=f"one of {listed(CURVES)}, or a function",
                remedy=f"check the spelling;{did_you_mean(function, CURVES) or ' CURVES lists them with their formulas'}",
            )
        known = CURVES[function]
        return function, known if domain is None else Curve(known.formula, known.function, domain)
    if domain is None:
        raise OptionError("a function without a domain", expected="two numbers", remedy="write domain=(-1.0, 1.0)")
    name = getattr(function, "__name__", "curve")
    return name, Curve(f"{name}(x)", function, domain)


def _values(chosen: Curve, x: Floats) -> Floats:
    with np.errstate(all="ignore"):  # what is not finite is reported by the data set, with its place
        values = np.asarray(chosen.function(x), dtype=np.float64)
    if values.shape != x.shape:
        raise DataError(
            f"{chosen.formula} has shape {values.shape} for x of shape {x.shape}",
            expected="one value for each x",
            remedy="write a function that works on whole arrays, such as np.tanh",
        )
    return values


def _check_noise_and_seed(noise: NonNegative, seed: Seed) -> None:
    check_amount("noise", noise)
