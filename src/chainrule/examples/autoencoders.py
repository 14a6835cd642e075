"""Autoencoders of handwritten digits: linear ones, which come to principal components, and curved ones, which do better."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from chainrule.data import Dataset, Examples, mnist, reconstruction
from chainrule.errors import DataError
from chainrule.examples.example import LectureExample, Outcome, Runs
from chainrule.examples.fact import Fact
from chainrule.examples.statistics import mean_fact
from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.nn import Dense, Sequential
from chainrule.numerals import numeral
from chainrule.train import Adam, Cosine, Run, Training
from chainrule.views import pictures
from chainrule.views.view import View

SIZES = (2, 8, 32)
KINDS = ("linear", "curved")
CLOSE = 1.01
"""At most so many times the least possible error is taken for having reached it."""
CODE = "code.z"
"""The quantity that holds the code."""


def first_digits(train: int, test: int) -> Dataset:
    """MNIST with only the first digits of its parts."""
    data = mnist()
    return dataclasses.replace(data, train=data.train[:train], test=test_part(data)[:test], origin=None)


def test_part(data: Dataset) -> Examples:
    """The test part, or an error where there is none."""
    if data.test is None:
        raise DataError(f"{data.name!r} has no test part", expected="examples to judge by", remedy="split the data")
    return data.test


@immutable(eq=False)
class Components:
    """The principal components of rows (n, k): their mean (k,), and all directions (k, k) as rows, in falling order of variance.

    Source: K. Pearson, Phil. Mag. 2, 559 (1901).
    """

    mean: Array
    directions: Array

    @classmethod
    def of(cls, rows: Array) -> Components:
        """Those of these rows, by the eigenvectors of their covariance matrix."""
        mean = rows.mean(axis=0, dtype=np.float64)
        _, vectors = np.linalg.eigh(np.cov(rows.astype(np.float64), rowvar=False))
        return cls(mean, vectors[:, ::-1].T)

    def reconstructed(self, rows: Array, size: int) -> Array:
        """What is left of rows (n, k) in a code of the first `size` components."""
        kept = self.directions[:size]
        return self.mean + (rows - self.mean) @ kept.T @ kept

    def error(self, rows: Array, size: int) -> float:
        """The mean squared difference to what is left."""
        return float(np.mean((self.reconstructed(rows, size) - rows) ** 2))


def network(kind: str, size: int) -> Sequential:
    """An autoencoder of the digits with a code of `size` numbers: "linear", or "curved" with hidden layers and a sigmoid."""
    if kind == "linear":
        return Sequential(Dense(size, name="code"), Dense(784, name="decoder"))
    return Sequential(Dense(128, "relu"), Dense(size, name="code"), Dense(128, "relu"), Dense(784, "sigmoid"))


def _trainings(seed: int) -> Mapping[str, Training]:
    data = reconstruction(first_digits(6000, 2000))
    options: dict[str, Any] = {"seed": seed, "batch_size": 32, "replicas": 4, "evaluate_every": 5}
    # The plane of the components is found slowly where the next component is nearly as large as the last one kept.
    own: dict[str, dict[str, Any]] = {
        "linear": {"optimizer": Adam(Cosine(0.004)), "epochs": 40},
        "curved": {"optimizer": Adam(Cosine(0.002)), "epochs": 20},
    }
    return {
        f"{kind} {size}": Training(network(kind, size), data, **{**options, **own[kind]}) for kind in KINDS for size in SIZES
    }


def errors(run: Run, part: str) -> Array:
    """The mean squared error of each replica on a part, (replicas,), summed in float64."""
    examples = run.data.part(part)
    squares: Array = (run.predict(examples.x, replica=None).astype(np.float64) - examples.y) ** 2
    return squares.mean(axis=(1, 2))


def _conclude(runs: Runs, seed: int) -> Outcome:
    data = runs["linear 2"].data
    components = Components.of(data.train.y)
    found = {name: {part: errors(run, part) for part in ("training", "test")} for name, run in runs.items()}
    facts = [fact for size in SIZES for fact in _facts(size, found, components, data)]
    least = min(float(_ratios("linear", "training", size, found, components, data).min()) for size in SIZES)
    count = sum(len(found[f"linear {size}"]["training"]) for size in SIZES)
    facts.append(
        Fact(
            f"least linear error / PCA's of {count} networks, training",
            least,
            minimum=1.0,
            source="PCA is the best linear code",
        )
    )
    facts += [_same_plane(runs[f"linear {size}"], components, size) for size in SIZES[:2]]
    gain = 1 - found["curved 8"]["test"].mean() / components.error(test_part(data).y, 8)
    worst = max(fact.value for fact in facts if fact.maximum == CLOSE)
    verdict = (
        f"Linear autoencoders come to within {numeral(100 * (worst - 1), 1)} % of the error of principal components and "
        f"{'never' if least >= 1 else 'once'} below it. With curved layers and eight numbers to a digit the error in digits that were "
        f"never seen is {abs(gain):.0%} {'less' if gain > 0 else 'more'} than with eight components."
    )
    return Outcome(verdict, tuple(facts), _pictures(runs, found, components))


def _facts(size: int, found: Mapping[str, Mapping[str, Array]], components: Components, data: Dataset) -> list[Fact]:
    linear = _ratios("linear", "training", size, found, components, data)
    curved = _ratios("curved", "test", size, found, components, data)
    return [
        mean_fact(f"code of {size}: linear error / PCA's, training", linear, maximum=CLOSE, source="Bourlard and Kamp 1988"),
        mean_fact(f"code of {size}: curved error / PCA's, test", curved, maximum=1.0, source="the best linear code"),
    ]


def _ratios(
    kind: str, part: str, size: int, found: Mapping[str, Mapping[str, Array]], components: Components, data: Dataset
) -> Array:
    """Each replica's error on a part over that of the components of the training part."""
    rows = data.part(part).y
    return found[f"{kind} {size}"][part] / components.error(rows, size)


def _same_plane(run: Run, components: Components, size: int) -> Fact:
    """How much of the principal directions lies in the span of the decoder's weights: 1 where the planes are one."""
    weights = [run.parameters(replica)["decoder.W"].astype(np.float64) for replica in range(run.settings.replicas)]
    spans: list[Array] = [np.linalg.qr(w.T)[0] for w in weights]
    shares = np.array([np.sum((components.directions[:size] @ span) ** 2) / size for span in spans])
    return mean_fact(
        f"code of {size}: share of PCA's plane in the linear decoder's", shares, minimum=0.99, source="Baldi and Hornik 1989"
    )


def _pictures(runs: Runs, found: Mapping[str, Mapping[str, Array]], components: Components) -> tuple[View, ...]:
    test, digits = test_part(runs["linear 2"].data).y, test_part(mnist())
    kinds: dict[str, dict[float, ArrayLike]] = {"PCA": {size: components.error(test, size) for size in SIZES}}
    for kind in KINDS:
        kinds[kind] = {size: found[f"{kind} {size}"]["test"] for size in SIZES}
    plane, eight = runs["curved 2"].model(), runs["curved 8"].model()
    chosen = np.array([np.flatnonzero(digits.y == digit)[0] for digit in range(10)])
    given = digits.x[chosen]
    rows = {
        "digit": test[chosen],
        "PCA, 8 numbers": components.reconstructed(test[chosen], 8),
        "curved, 8": eight.quantities(given)["output"],
        "curved, 2": plane.quantities(given)["output"],
    }
    return (
        pictures.reconstructions(rows, [str(digit) for digit in range(10)]),
        pictures.interpolation(eight, CODE, given[3], given[8]),
        pictures.latent_map(plane, CODE, digits.x[:2000], digits.y[:2000], mnist().classes or ()),
        pictures.by_size(kinds, "numbers in the code", "mean squared error (brightness², test digits)"),
    )


AUTOENCODER = LectureExample(
    "autoencoder",
    "Digits through a narrow code",
    "How few numbers can a digit be kept in? An autoencoder is trained to give back what it was given, through a layer of few neurons. "
    "A linear one cannot do better than principal component analysis (PCA) with as many components, and should reach it; curved layers "
    "may do better. 6000 digits, four replicas, codes of 2, 8 and 32 numbers.",
    "133",
    _trainings,
    _conclude,
)
