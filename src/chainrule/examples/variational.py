"""Variational autoencoders: a linear one, whose best likelihood is known exactly, and one of handwritten digits."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from statistics import NormalDist
from typing import Any

import numpy as np

from chainrule.data import Dataset, Examples, mnist, reconstruction
from chainrule.examples.autoencoders import first_digits, test_part
from chainrule.examples.example import LectureExample, Outcome, Runs
from chainrule.examples.fact import Fact
from chainrule.examples.statistics import mean_fact
from chainrule.graph import Array
from chainrule.nn import Dense, Latent, Sequential
from chainrule.train import Adam, Cosine, Model, Run, Training
from chainrule.views import pictures

CODE = "latent1.a"
INPUTS, HIDDEN = 8, 3
VARIANCES = (9.0, 5.0, 3.0)
"""The variances of the linear data in the directions of the hidden numbers, that of the noise being 1."""


def linear_data(seed: int, count: int = 4000) -> Dataset:
    """x = W·z + b + ε with z and ε standard normal: probabilistic principal components, (count, 8) from three hidden numbers."""
    random = np.random.default_rng(seed)
    directions: Array = np.linalg.qr(random.standard_normal((INPUTS, HIDDEN)))[0]
    weights, shift = directions * np.sqrt(np.array(VARIANCES) - 1), random.standard_normal(INPUTS)
    rows = random.standard_normal((count, HIDDEN)) @ weights.T + shift + random.standard_normal((count, INPUTS))
    return reconstruction(Dataset("hidden numbers", Examples(rows, np.zeros((count, 1)))))


def best_likelihood(rows: Array) -> float:
    """The largest mean log likelihood, in nats, that x = W·z + b + ε with three hidden numbers and noise 1 can give rows (n, 8).

    Source: M. E. Tipping, C. M. Bishop, J. R. Stat. Soc. B 61, 611 (1999), eq. 7 and appendix A, with the noise given.
    """
    variances = np.linalg.eigvalsh(np.cov(rows, rowvar=False, bias=True))[::-1]
    model = np.where(np.arange(INPUTS) < HIDDEN, np.maximum(variances, 1.0), 1.0)
    return float(-0.5 * np.sum(np.log(2 * math.pi * model) + variances / model))


def linear_elbo(model: Model, rows: Array) -> float:
    """The mean evidence lower bound of a linear network, in nats: with a linear decoder its expectation over codes is exact."""
    values = model.quantities(rows)
    variances = np.exp(values["latent1.log_variance"])
    weights = model.parameters["decoder.W"]
    squares = np.sum((values["output"] - rows) ** 2, axis=1) + variances @ np.sum(weights**2, axis=1)
    divergence = 0.5 * np.sum(variances + values["latent1.mean"] ** 2 - 1 - np.log(variances), axis=1)
    bounds: Array = -0.5 * squares - 0.5 * INPUTS * math.log(2 * math.pi) - divergence
    return float(bounds.mean())


def digits_network(hidden: int = 128) -> Sequential:
    """The digits' network: a code of two numbers between hidden layers, and a sigmoid for each pixel."""
    return Sequential(
        Dense(hidden, "relu"), Dense(2 * 2), Latent(), Dense(hidden, "relu"), Dense(784, "sigmoid")
    )  # fmt: skip


def _trainings(seed: int) -> Mapping[str, Training]:
    linear = Sequential(Dense(2 * HIDDEN, name="encoder"), Latent(), Dense(INPUTS, name="decoder"))
    rates: dict[str, Any] = {
        "seed": seed,
        "optimizer": Adam(Cosine(0.01)),
        "batch_size": 100,
        "epochs": 600,
        "replicas": 8,
        "evaluate_every": 50,
    }
    digits: dict[str, Any] = {
        "seed": seed,
        "optimizer": Adam(Cosine(0.002)),
        "batch_size": 64,
        "epochs": 30,
        "replicas": 3,
        "evaluate_every": 5,
    }
    return {
        "linear": Training(linear, linear_data(seed), loss="half_squared_error", **rates),
        "digits": Training(digits_network(), reconstruction(first_digits(6000, 2000)), loss="binary_cross_entropy", **digits),
    }


def importance(model: Model, rows: Array, samples: int, seed: int) -> tuple[Array, Array]:
    """For each of rows (n, k) the ELBO and, never below it but for chance, the log likelihood by `samples` codes; both (n,), nats.

    Codes z are drawn from q(z|x); with w = p(x|z)·p(z)/q(z|x) the first is the mean of log w, the second the log of the mean.
    Source: Y. Burda, R. Grosse, R. Salakhutdinov, arXiv:1509.00519, eq. 8.
    """
    values = model.quantities(rows)
    mean, log_variance = values["latent1.mean"], values["latent1.log_variance"]
    noise = np.random.default_rng(seed).standard_normal((samples, *mean.shape))
    codes = mean + np.exp(log_variance / 2) * noise
    true = np.asarray(model.problem.dataset_info.scaling.apply(rows), dtype=np.float64)
    # Some thousand codes at once: more would fill the memory with pixels.
    blocks = np.array_split(codes, math.ceil(samples * len(rows) / 4000))
    logs = np.concatenate([_log_likelihoods(model, block, true) for block in blocks])
    logs += 0.5 * np.sum(noise**2 + log_variance - codes**2, axis=2)
    top = logs.max(axis=0)
    return logs.mean(axis=0), top + np.log(np.mean(np.exp(logs - top), axis=0))


def _log_likelihoods(model: Model, codes: Array, true: Array) -> Array:
    """log p(x|z) of rows `true` (n, k) for several codes each, (samples, n, code); shape (samples, n)."""
    z = model.quantities_from(CODE, codes.reshape(-1, codes.shape[2]))["dense4.z"].reshape(len(codes), *true.shape)
    return np.sum(true * z - np.logaddexp(0, z), axis=2)


def _conclude(runs: Runs, seed: int) -> Outcome:
    facts = [*_linear_facts(runs["linear"]), *_digit_facts(runs["digits"], seed)]
    verdict = (
        f"The linear network's bound ends {facts[0].value:.4f} nats below the best likelihood that its model can have; its codes "
        f"have the mean {facts[1].measured} and the variance {facts[2].measured}, where 0 and 1 were asked for. Two numbers to a digit "
        f"save {facts[3].value - float(facts[3].minimum or 0):.0f} nats against pixels that do not know of each other."
    )
    return Outcome(verdict, tuple(facts), _pictures(runs))


def _linear_facts(run: Run) -> list[Fact]:
    rows = run.data.train.x
    models = [run.model(replica) for replica in range(run.settings.replicas)]
    short = np.array([best_likelihood(rows) - linear_elbo(model, rows) for model in models])
    codes = [model.quantities(rows) for model in models]
    means = np.array([np.mean(values["latent1.mean"]) for values in codes])
    variances = np.array([_spread(values).mean() for values in codes])
    # A variance of 1 + d in each of n directions costs n·d²/4 nats, and so does a mean of d/√2: so much do the missing nats leave
    # open. It is the same for all replicas, and no part of the spread between them.
    left_open = 2 * math.sqrt(float(short.mean()) / HIDDEN)
    return [
        mean_fact("linear: best log likelihood − ELBO", short, maximum=0.005, unit="nats", source="Lucas and others 2019: 0"),
        _with_systematic(
            mean_fact("linear: mean of all codes", means, reference=0.0, source="the prior's"), left_open / math.sqrt(2)
        ),
        _with_systematic(mean_fact("linear: variance of all codes", variances, reference=1.0, source="the prior's"), left_open),
    ]


def _with_systematic(fact: Fact, error: float) -> Fact:
    """The fact with an error that repetition does not show added to its own in squares."""
    return dataclasses.replace(fact, error=math.hypot(fact.error or 0.0, error))


def _spread(values: Mapping[str, Array]) -> Array:
    """The variance of codes over all examples and draws: between the examples' means, and around each; (n,)."""
    return np.var(values["latent1.mean"], axis=0) + np.mean(np.exp(values["latent1.log_variance"]), axis=0)


def _digit_facts(run: Run, seed: int) -> list[Fact]:
    test = test_part(run.data).x[:500]
    found = [importance(run.model(replica), test, 50, seed) for replica in range(run.settings.replicas)]
    bounds, likelihoods = (np.array([pair[i].mean() for pair in found]) for i in (0, 1))
    return [
        mean_fact("digits: ELBO of a test digit", bounds, minimum=independent_pixels(run.data), unit="nats",
                  source="pixels on their own"),
        mean_fact("digits: log likelihood by 50 codes − ELBO", likelihoods - bounds, minimum=0.0, unit="nats",
                  source="Burda and others 2015"),
    ]  # fmt: skip


def independent_pixels(data: Dataset) -> float:
    """The mean log likelihood of the first 500 test digits, in nats, where each pixel has the mean brightness of training."""
    light = np.clip(data.train.y.mean(axis=0, dtype=np.float64), 1e-4, 1 - 1e-4)
    true = test_part(data).y[:500]
    logs: Array = true * np.log(light) + (1 - true) * np.log(1 - light)
    return float(logs.sum(axis=1).mean())


def _pictures(runs: Runs) -> tuple[pictures.Picture, ...]:
    model, digits = runs["digits"].model(), test_part(mnist())
    # Codes at equal steps of the prior's probability, as in Kingma and Welling's figure 4.
    places = np.array([NormalDist().inv_cdf(share) for share in np.linspace(0.03, 0.97, 15).tolist()])
    three, eight = (digits.x[np.flatnonzero(digits.y == digit)[0]] for digit in (7, 0))
    return (
        pictures.code_grid(model, CODE, places),
        pictures.latent_map(model, "latent1.mean", digits.x[:2000], digits.y[:2000], mnist().classes or ()),
        pictures.interpolation(model, CODE, three, eight),
        pictures.learning_curves(runs["digits"]),
    )


VARIATIONAL = LectureExample(
    "variational",
    "Codes with a known distribution",
    "A variational autoencoder draws each code from a normal distribution and is asked to keep all codes together like a standard normal "
    "one, so that any code drawn from that can be decoded. What it maximises is a lower bound of the log likelihood (ELBO). On data from "
    "three hidden numbers and noise the largest likelihood is known, and a linear network should reach it; on digits the bound is held "
    "against pixels that do not know of each other.",
    "133",
    _trainings,
    _conclude,
)
