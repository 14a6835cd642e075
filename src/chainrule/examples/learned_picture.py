"""A network that learns a picture: from the place of a pixel to its brightness, against polynomials with as many parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import ArrayLike

from chainrule.data import Dataset, landscape, picture
from chainrule.examples.autoencoders import test_part
from chainrule.examples.example import LectureExample, Outcome, Runs
from chainrule.examples.statistics import mean_fact
from chainrule.graph import Array
from chainrule.nn import Dense, Formula, Sequential, Uniform
from chainrule.nn import parse_network as network_of
from chainrule.train import Adam, Cosine, Run, Training
from chainrule.views import pictures
from chainrule.views.view import View

SIZE = 128
NEURONS = (8, 16, 32)
KINDS = ("sine", "relu", "tanh")


def network(kind: str, neurons: int) -> Sequential:
    """Two hidden layers of so many neurons: "relu", "tanh", or "sine", whose first weights spread from −12 to 12.

    A sine that begins with such frequencies sees fine things from the start. Source: V. Sitzmann and others, arXiv:2006.09661.
    """
    if kind != "sine":
        return network_of(f"2-{neurons}-{neurons}-1 {kind}")
    inner = math.sqrt(24 / neurons)
    return Sequential(
        Dense(neurons, weights=Uniform(-12.0, 12.0), biases=Uniform(-math.pi, math.pi)), Formula("sin(x)"),
        Dense(neurons, weights=Uniform(-inner, inner)), Formula("sin(x)"), Dense(1),
    )  # fmt: skip


def parameter_count(neurons: int) -> int:
    """How many numbers such a network learns.

    >>> parameter_count(32)
    1185
    """
    return 3 * neurons + (neurons + 1) * neurons + neurons + 1


def polynomial_errors(data: Dataset, degree: int) -> tuple[Array, Array]:
    """Mean squared errors of the least-squares polynomials of all total degrees up to this one: training and test (degree + 1,)."""
    true, seen = data.train.y[:, 0], test_part(data)
    q, r = np.linalg.qr(_products(data.train.x, degree))
    # Columns stand in rising degree: with orthogonal ones each further degree only adds its part to what was fitted.
    ends = [math.comb(total + 2, 2) - 1 for total in range(degree + 1)]
    others = np.linalg.solve(r.T, _products(seen.x, degree).T).T
    shares = q.T @ true
    fits: list[Array] = [np.cumsum(basis * shares, axis=1)[:, ends] for basis in (q, others)]
    train, test = fits[0] - true[:, None], fits[1] - seen.y
    return np.mean(train**2, axis=0), np.mean(test**2, axis=0)


def _products(places: Array, degree: int) -> Array:
    """All products of Legendre polynomials in x and y up to a total degree, in rising degree: (n, number of products)."""
    pairs = np.array([(total - j, j) for total in range(degree + 1) for j in range(total + 1)])
    x, y = (legendre.legvander(places[:, axis], degree) for axis in (0, 1))
    return x[:, pairs[:, 0]] * y[:, pairs[:, 1]]


def _trainings(seed: int) -> Mapping[str, Training]:
    data = picture(SIZE, seed=seed)
    options: dict[str, Any] = {
        "seed": seed,
        "optimizer": Adam(Cosine(0.01)),
        "batch_size": 64,
        "epochs": 200,
        "replicas": 4,
        "evaluate_every": 20,
    }
    return {f"{kind} {neurons}": Training(network(kind, neurons), data, **options) for kind in KINDS for neurons in NEURONS}


def _decibels(run: Run, part: str) -> Array:
    """The peak signal-to-noise ratio of each replica on a part of the pixels, (replicas,) in dB."""
    return np.array([pictures.psnr(loss) for loss in run.evaluate(part).loss.tolist()])


def _conclude(runs: Runs, seed: int) -> Outcome:
    most = max(NEURONS)
    data = runs[f"sine {most}"].data
    degree = next(d for d in range(999) if math.comb(d + 2, 2) >= parameter_count(most))
    train, test = polynomial_errors(data, degree)
    best = int(test.argmin())
    sine, relu = (_decibels(runs[f"{kind} {most}"], "test") for kind in ("sine", "relu"))
    learned = _decibels(runs[f"sine {most}"], "training")
    fact = partial(mean_fact, unit="dB")
    facts = (
        fact(f"sine, {parameter_count(most)} parameters: unseen pixels", sine, minimum=pictures.psnr(test[best]),
             source=f"best polynomial of degree 0 to {degree}: {best}"),
        fact(f"sine, {parameter_count(most)} parameters: learned pixels", learned, minimum=pictures.psnr(train[-1]),
             source=f"polynomial with {math.comb(degree + 2, 2)} coefficients"),
        fact("sine − ReLU: unseen pixels", sine - relu, minimum=0.0, source="Sitzmann and others 2020"),
    )  # fmt: skip
    verdict = (
        f"With {parameter_count(most)} parameters a network of sines comes to {sine.mean():.1f} dB on pixels that it never saw, the best "
        f"polynomial to {pictures.psnr(test[best]):.1f} dB, and one with as many coefficients to {_signed(pictures.psnr(test[-1]))} dB. "
        + ("Sines do better than ReLU." if facts[2].agrees else "Sines and ReLU cannot be told apart.")
    )
    return Outcome(verdict, facts, _pictures(runs, test, most))


def _signed(value: float) -> str:
    return f"{value:.1f}".replace("-", "−")


def _pictures(runs: Runs, polynomial: Array, most: int) -> tuple[View, ...]:
    shown = {f"{kind}, {most} neurons": runs[f"{kind} {most}"].model() for kind in KINDS}
    kinds: dict[str, dict[float, ArrayLike]] = {
        kind: {parameter_count(n): _decibels(runs[f"{kind} {n}"], "test") for n in NEURONS} for kind in KINDS
    }
    # The best polynomial that has no more coefficients than the network has parameters.
    fitting = {parameter_count(n): [math.comb(d + 2, 2) <= parameter_count(n) for d in range(len(polynomial))] for n in NEURONS}
    kinds["polynomial, best degree"] = {count: pictures.psnr(polynomial[fits].min()) for count, fits in fitting.items()}
    return (
        pictures.learned_picture(shown, landscape(SIZE)),
        pictures.by_size(kinds, "parameters", "peak signal-to-noise ratio (dB, unseen pixels)", power=False),
        pictures.compare_runs({kind: runs[f"{kind} {most}"] for kind in KINDS}),
    )


PICTURE = LectureExample(
    "picture",
    "A network learns a picture",
    "A picture is a function: from the place (x, y) to the brightness. A network learns it from half of the pixels and is judged by the "
    "others. Does it do better than a polynomial fitted by least squares with as many parameters, and does it matter how its neurons "
    "bend? Sines, ReLU and tanh, two hidden layers of 8, 16 and 32 neurons, four replicas; the ratio of peak signal to noise in dB.",
    "133",
    _trainings,
    _conclude,
)
