"""A denoising autoencoder: a convolutional network takes noise from digits, better than the best linear filter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from chainrule.data import Examples, reconstruction
from chainrule.examples.autoencoders import first_digits, test_part
from chainrule.examples.example import LectureExample, Outcome, Runs
from chainrule.examples.fact import Fact
from chainrule.examples.statistics import mean_fact
from chainrule.graph import Array
from chainrule.nn import Activation, Conv2D, ConvTranspose2D, Flatten, GaussianNoise, Layer, Reshape, Sequential
from chainrule.train import Adam, Cosine, Run, Training
from chainrule.views import pictures

NOISE = 0.5
"""The noise's standard deviation, in units of the brightness from 0 to 1."""


def network(noise: float) -> Sequential:
    """Two convolutions that halve the picture, two transposed ones that double it again; noise is drawn anew at each step."""
    denoiser: tuple[Layer, ...] = (
        Conv2D(16, 3, "relu", stride=2, padding="same"), Conv2D(32, 3, "relu", stride=2, padding="same"),
        ConvTranspose2D(16, 4, "relu", stride=2, padding="same"), ConvTranspose2D(1, 4, stride=2, padding="same"),
    )  # fmt: skip
    return Sequential(Reshape((28, 28, 1)), GaussianNoise(noise), *denoiser, Flatten(), Activation("sigmoid"))


def wiener(rows: Array, noise: float) -> tuple[Array, Array]:
    """The linear filter with the least expected error on rows (n, k) with noise: mean (k,) and matrix (k, k).

    An estimate is mean + (noisy − mean)·M with M = (C + σ²)⁻¹·C, C the rows' covariance.
    Source: N. Wiener, Extrapolation, interpolation, and smoothing of stationary time series (1949).
    """
    wide = rows.astype(np.float64)
    covariance = np.cov(wide, rowvar=False, bias=True)
    return wide.mean(axis=0), np.linalg.solve(covariance + noise**2 * np.eye(len(covariance)), covariance)


def _trainings(seed: int) -> Mapping[str, Training]:
    digits = first_digits(2000, 1000)
    options: dict[str, Any] = {
        "seed": seed, "loss": "binary_cross_entropy", "optimizer": Adam(Cosine(0.005)), "batch_size": 64, "epochs": 30, "replicas": 3,
        "evaluate_every": 5,
    }  # fmt: skip
    # Both are judged by the same noisy digits; only what they learn from differs.
    fresh = reconstruction(digits, NOISE, parts=("test",), seed=seed)
    return {
        "new noise at each step": Training(network(NOISE), fresh, **options),
        "noise drawn once": Training(network(0.0), reconstruction(digits, NOISE, seed=seed), **options),
    }


def errors(run: Run) -> Array:
    """The mean squared error of each replica on each test digit, (replicas, digits)."""
    test = test_part(run.data)
    return np.mean((run.predict(test.x, replica=None).astype(np.float64) - test.y) ** 2, axis=2)


def _conclude(runs: Runs, seed: int) -> Outcome:
    fresh, once = runs.values()
    test = test_part(fresh.data)
    mean, matrix = wiener(fresh.data.train.y, NOISE)
    filtered = mean + (test.x - mean) @ matrix
    facts = [_linear_fact(test, filtered, mean, matrix), *_network_facts(errors(fresh), errors(once), filtered, test)]
    verdict = (
        f"The network leaves {facts[2].value:.1f} dB less error than the best linear filter cut to the range of brightness. "
        + (
            "New noise at each step helps it further."
            if facts[3].agrees
            else "That new noise at each step helps cannot be told."
        )
    )
    return Outcome(verdict, tuple(facts), _pictures(runs, filtered))


def _linear_fact(test: Examples, filtered: Array, mean: Array, matrix: Array) -> Fact:
    # Over all noise the error of a filter M is known: what it does to the digit itself, and σ²·|M|².
    lost: Array = (test.y - mean) @ matrix - (test.y - mean)
    left: Array = filtered - test.y
    expected = np.mean(lost**2, axis=1) + NOISE**2 * float(np.sum(matrix**2)) / len(matrix)
    excess: Array = np.mean(left**2, axis=1) - expected
    found, error = float((expected + excess).mean()), float(excess.std() / np.sqrt(len(excess)))
    name, source = "squared error of the linear filter", "its expectation over the noise"
    return Fact(name, found, error, reference=float(expected.mean()), source=source)


def _network_facts(fresh: Array, once: Array, filtered: Array, test: Examples) -> list[Fact]:
    cut = float(np.mean((np.clip(filtered, 0, 1) - test.y) ** 2))
    noisy = float(np.mean((test.x - test.y) ** 2, dtype=np.float64))
    left, left_once = fresh.mean(axis=1), once.mean(axis=1)
    return [
        mean_fact("gain over the noisy digits", decibels(noisy, left), unit="dB"),
        mean_fact(
            "gain over the linear filter", decibels(cut, left), minimum=0.0, unit="dB", source="the filter cut to 0 ... 1"
        ),
        mean_fact(
            "gain by new noise at each step", decibels(left_once, left), minimum=0.0, unit="dB", source="more to learn from"
        ),
    ]


def decibels(before: Array | float, after: Array) -> Array:
    """How much less error is left, 10·log₁₀(before/after)."""
    return np.asarray(10 * np.log10(before / after))


def _pictures(runs: Runs, filtered: Array) -> tuple[pictures.Picture, ...]:
    run = runs["new noise at each step"]
    test, labels = test_part(run.data), test_part(first_digits(1, 1000)).y
    chosen = np.array([np.flatnonzero(labels == digit)[1] for digit in range(10)])
    rows = {
        "digit": test.y[chosen],
        "noisy": test.x[chosen],
        "linear filter": filtered[chosen],
        "network": run.predict(test.x[chosen]),
    }
    return (
        pictures.reconstructions(rows, [str(digit) for digit in range(10)]),
        pictures.compare_runs(runs),
        pictures.by_size(_against_noise(run), "noise (standard deviation, brightness)", "mean squared error (brightness²)"),
    )


def _against_noise(run: Run) -> dict[str, dict[float, ArrayLike]]:
    """Errors at other amounts of noise than that of training: of the network, and of the linear filter made for each amount."""
    clean, train = test_part(run.data).y[:300], run.data.train.y
    kinds: dict[str, dict[float, ArrayLike]] = {"linear filter made for the noise": {}, f"network trained at {NOISE}": {}}
    filters, networks = kinds.values()
    for noise in (0.1, 0.2, 0.35, 0.5, 0.7, 1.0):
        noisy = clean + noise * np.random.default_rng(0).standard_normal(clean.shape, dtype=np.float32)
        mean, matrix = wiener(train, noise)
        filters[noise] = float(np.mean((np.clip(mean + (noisy - mean) @ matrix, 0, 1) - clean) ** 2))
        networks[noise] = np.mean((run.predict(noisy, replica=None) - clean) ** 2, axis=(1, 2))
    return kinds


DENOISING = LectureExample(
    "denoising",
    "Taking noise from digits",
    "A digit is covered by noise of standard deviation 0.5, half the way from black to white. What was it? A small convolutional network "
    "learns to give back the digit without the noise. Of all linear filters the best is known in closed form (Wiener's); does the network "
    "leave less error? And does it help to draw new noise at each step, instead of once?",
    "133",
    _trainings,
    _conclude,
)
