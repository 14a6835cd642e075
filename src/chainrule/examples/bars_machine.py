"""A restricted Boltzmann machine on bars and stripes, whose likelihood is known exactly: three ways to learn it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from chainrule.data import bars_and_stripes
from chainrule.examples.example import LectureExample, Outcome, Runs
from chainrule.examples.fact import SIGMAS, Fact
from chainrule.examples.statistics import mean_fact
from chainrule.graph import Array
from chainrule.nn import BoltzmannMachine, RestrictedBoltzmann, bit_states
from chainrule.train import SGD, Cosine, Training
from chainrule.train.replicated import standard_error
from chainrule.views import pictures
from chainrule.views.pictures.applications.energies import exact_machines, visible_states
from chainrule.views.view import View

EPOCHS, POINTS = 20_000, 13
WAYS: Mapping[str, Mapping[str, Any]] = {"CD-1": {}, "CD-10": {"steps": 10}, "persistent": {"chains": 100}}
"""How the machine's states are drawn in training: by steps from the data, or by chains that go on."""
SAMPLES, SAMPLE_STEPS = 1000, 1000


def _trainings(seed: int) -> Mapping[str, Training]:
    data = bars_and_stripes(4)
    options: dict[str, Any] = {
        "seed": seed, "loss": "none", "optimizer": SGD(Cosine(0.05)), "batch_size": len(data.train), "epochs": EPOCHS, "replicas": 8,
        "evaluate_every": 0,
    }  # fmt: skip
    return {way: Training(RestrictedBoltzmann(16, **given), data, **options) for way, given in WAYS.items()}


def _conclude(runs: Runs, seed: int) -> Outcome:
    epochs = next(iter(runs.values())).settings.epochs
    curves = pictures.likelihood_curves(runs, np.linspace(0, epochs, POINTS).astype(int).tolist())
    states = pictures.state_probabilities(runs)
    best = max(runs, key=lambda way: float(_last(curves, way).mean()))
    machine, seen = exact_machines(runs[best])[0], visible_states(runs[best])
    facts = [
        _both_sides(machine),
        Fact("least rise of the log likelihood over all replicas", _least_rise(curves), minimum=0.0, unit="nats"),
        *(_likelihood(curves, way) for way in runs),
        *(mean_fact(f"KL(data ‖ machine), {way}", curves.numbers["bound"] - _last(curves, way), unit="nats") for way in runs),
        *(mean_fact(f"probability of bars and stripes, {way}", _mass(states, way)) for way in runs),
        _dreamt(machine, seen, seed),
    ]
    side = math.isqrt(seen.shape[1])
    drawn = pictures.dreams(runs[best], seed=seed), pictures.neuron_images(runs[best], "boltzmann1", (side, side))
    return Outcome(_verdict(curves, states, best), tuple(facts), (curves, states, *drawn))


def _last(curves: View, way: str) -> Array:
    """Each replica's log likelihood at the end."""
    return curves.numbers["likelihoods"][curves.numbers["names"].tolist().index(way), -1]


def _mass(states: View, way: str) -> Array:
    """The probability that each replica gives to all states of the data together."""
    return 1 - states.numbers["elsewhere"][states.numbers["names"].tolist().index(way)]


def _likelihood(curves: View, way: str) -> Fact:
    bound, values = float(curves.numbers["bound"]), _last(curves, way)
    return mean_fact(f"log likelihood, {way}", values, unit="nats", maximum=bound, source="minus the entropy of the data")


def _least_rise(curves: View) -> float:
    return float((curves.numbers["likelihoods"][:, -1] - curves.numbers["likelihoods"][:, 0]).min())


def _both_sides(machine: BoltzmannMachine) -> Fact:
    """log Z over the states of one side, and over those of the other."""
    turned = BoltzmannMachine(machine.W.T, machine.c, machine.b)
    by_hidden = float(np.logaddexp.reduce(-turned.free_energy(bit_states(len(machine.c)))))
    by_visible = float(np.logaddexp.reduce(-machine.free_energy(bit_states(len(machine.b)))))
    return Fact(
        "log Z over the visible states", by_visible, reference=by_hidden, tolerance=1e-9, source="over the hidden states"
    )


def _dreamt(machine: BoltzmannMachine, seen: Array, seed: int) -> Fact:
    """The fraction of samples that are bars or stripes, beside the exact probability."""
    known = {row.tobytes() for row in seen}
    share = float(np.mean([row.tobytes() in known for row in machine.samples(SAMPLES, SAMPLE_STEPS, seed)]))
    exact = float(np.exp(machine.log_likelihood(np.unique(seen, axis=0))).sum())
    error = math.sqrt(exact * (1 - exact) / SAMPLES)
    return Fact(f"bars and stripes among {SAMPLES} dreams", share, error, reference=exact, source="exactly")


def _verdict(curves: View, states: View, best: str) -> str:
    ways = sorted(curves.numbers["names"], key=lambda way: float(_last(curves, way).mean()))
    compared = [_compared(curves, worse, better) for worse, better in pairwise(ways)]
    gap = curves.numbers["bound"] - float(_last(curves, best).mean())
    risen = "in all replicas of all ways to learn" if _least_rise(curves) > 0 else "not in all replicas"
    return (
        f"The exact likelihood has risen {risen}. {' '.join(compared)} The best machine, {best}, is "
        f"{gap:.2f} nats short of the data's own distribution and gives {100 * _mass(states, best).mean():.0f} % of its probability to "
        "bars and stripes."
    )


def _compared(curves: View, worse: str, better: str) -> str:
    """Replicas of one seed begin with the same weights, so their differences are taken one by one."""
    differences = _last(curves, better) - _last(curves, worse)
    mean, error = float(differences.mean()), float(standard_error(differences))
    if mean <= SIGMAS * error:
        return f"{better} and {worse} cannot be told apart ({mean:.2f} ± {error:.2f} nats)."
    return f"{better[0].upper()}{better[1:]} ends {mean:.2f} ± {error:.2f} nats an example above {worse}."


BOLTZMANN = LectureExample(
    "boltzmann",
    "A restricted Boltzmann machine learns bars and stripes",
    "A machine of 16 visible and 16 hidden bits is to believe in the 30 pictures of 4 × 4 pixels that are made of full columns or full "
    "rows, and in no others of the 65 536. The gradient of its likelihood is an average over its own states, which has to be sampled: "
    "by one step from the data (CD-1), by ten (CD-10), or by 100 chains that go on from where the last update left them (persistent). "
    "The machine is small enough for its likelihood to be summed exactly; no distribution can do better than minus the data's entropy. "
    "The order of the ways to learn holds for this learning rate, one of six that were tried; at larger ones chains fall behind.",
    "134",
    _trainings,
    _conclude,
)
