"""The phases of the two-dimensional Ising model: where networks that saw only cold and hot lattices find the transition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.data import CRITICAL_TEMPERATURE, Dataset, ising, ising_temperatures
from chainrule.examples.estimates import Polynomial, crossing, resampled, weighted_polynomial
from chainrule.examples.example import LectureExample, Outcome, Runs
from chainrule.examples.fact import Fact
from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.nn import L2, BinaryCrossEntropy, Dense, Sequential
from chainrule.train import Adam, Run, Training
from chainrule.views import pictures
from chainrule.views.view import View

SIZES = (16, 24, 32, 48)
"""Spins along an edge of the lattices."""
COLD, HOT = (0.5, 1.0, 1.5), (4.0, 6.0, 8.0)
"""The temperatures that the networks learn from, in J/k_B: far from any transition."""
LATTICES = {16: 1500, 24: 1000, 32: 800, 48: 700}
"""How many lattices are judged at each temperature; the larger ones tell more each."""
MIDDLE = 2.27
"""The temperature that polynomials are written around, so that their coefficients are of like size; nothing depends on it."""
MEETING = 0.61069
"""What Binder's cumulant is at T_c: G. Kamieniarz, H. W. J. Blöte, Journal of Physics A 26, 201 (1993)."""
SHOWN = (1.5, CRITICAL_TEMPERATURE, 4.0)
"""The temperatures of the lattices that are shown."""


def far_from_the_transition(size: int, seed: int, n: int = 2000) -> Dataset:
    """Lattices that are cold or hot, for training. Far from T_c a few sweeps are enough."""
    between = (COLD[-1] + HOT[0]) / 2
    return ising(n, size=size, temperatures=(*COLD, *HOT), threshold=between, steps=20, seed=seed)


def judged_temperatures(size: int) -> Array:
    """Twelve temperatures, from below any transition to where the small lattice, whose transition is broad, has lost its order."""
    return np.linspace(2.2, 2.36 + 4 / size, 12)


def network() -> Sequential:
    """Sixteen hidden neurons, each of which sees all spins, and one output: the probability of disorder."""
    return Sequential(Dense(16, "sigmoid"), Dense(1, "sigmoid"))


@immutable
class JudgedLattices:
    """What a size's networks make of new lattices at `temperatures` (t,): `ordered` and `weighed`, both (replicas, lattices, t).

    ordered: how sure they are of order. weighed: the spins weighed by the direction in which the first layer looks most, see
    `main_direction`. magnetisation: m itself, (lattices, t). alignment: how far each direction (replicas,) is m's own.
    """

    size: int
    temperatures: Array
    ordered: Array
    weighed: Array
    magnetisation: Array
    alignment: Array

    @property
    def curve(self) -> Array:
        """The mean output at each temperature."""
        return self.ordered.mean(axis=(0, 1))

    @property
    def curve_errors(self) -> Array:
        """Its standard error, of lattices and replicas."""
        lattices = self.ordered.mean(axis=0).std(axis=0, ddof=1) / np.sqrt(self.ordered.shape[1])
        return np.hypot(lattices, self.ordered.mean(axis=1).std(axis=0, ddof=1) / np.sqrt(len(self.ordered)))

    def crossing(self, random: np.random.Generator) -> tuple[float, float]:
        """T*(L), where the mean output is one half, and its standard error: the spread under resampled lattices, and of the replicas."""
        rows = self.ordered.mean(axis=0)
        lattices = resampled(rows, lambda drawn: crossing(self.temperatures, drawn.mean(axis=0)), random).std(ddof=1)
        replicas = np.array([crossing(self.temperatures, each.mean(axis=0)) for each in self.ordered])
        spread = replicas.std(ddof=1) / np.sqrt(len(replicas))
        return crossing(self.temperatures, self.curve), float(np.hypot(lattices, spread))

    def cumulant(self, drawn: Array | None = None) -> Array:
        """Binder's 1 − ⟨φ⁴⟩/(3⟨φ²⟩²) of what the networks weigh, averaged over them, (t,); of some lattices, or of all."""
        values = self.weighed if drawn is None else self.weighed[:, drawn]
        return (1 - (values**4).mean(axis=1) / (3 * (values**2).mean(axis=1) ** 2)).mean(axis=0)


def main_direction(weights: Array) -> Array:
    """The unit vector over the spins along which the weights (spins, neurons) are largest: their first singular vector."""
    return np.linalg.svd(weights, full_matrices=False)[0][:, 0]


def judge(run: Run, size: int, lattices: int, seed: int) -> JudgedLattices:
    """What the run's networks say of new lattices around the transition."""
    grid = judged_temperatures(size)
    data = ising(lattices * len(grid), size=size, temperatures=grid.tolist(), target="temperature", seed=seed)
    parts, hot = dict(data.parts()), ising_temperatures(data)
    x, t = np.concatenate([parts[name].x for name in parts]), np.concatenate([hot[name] for name in parts])
    order = np.argsort(t, kind="stable").reshape(len(grid), -1).T
    spins = 2.0 * x - 1.0
    directions = np.stack([main_direction(run.parameters(replica)["dense1.W"]) for replica in range(run.settings.replicas)])
    ordered = 1 - np.asarray(run.predict(x, None), np.float64)[:, :, 0]
    weighed = directions @ spins.T / size
    alignment = np.abs(directions.sum(axis=1)) / size
    return JudgedLattices(size, grid, ordered[:, order], weighed[:, order], spins.mean(axis=1)[order], alignment)


def cumulants_meet(
    small: JudgedLattices,
    large: JudgedLattices,
    drawn: tuple[Array, Array] | None = None,
    *,
    degree: int = 2,
    below: float = 2.34,
) -> Array:
    """Where the cumulants of two sizes are equal: (T, cumulant), by a polynomial through each below a temperature.

    At T_c the cumulant is the same for all large lattices: K. Binder, Zeitschrift für Physik B 43, 119 (1981).
    """
    curves: list[Array] = []
    for place, each in enumerate((small, large)):
        near = each.temperatures < below
        values = each.cumulant(None if drawn is None else drawn[place])
        curves.append(np.polyfit(each.temperatures[near] - MIDDLE, values[near], degree))
    roots = np.roots(curves[1] - curves[0])
    place = float(roots.real[np.argmin(np.abs(roots))])
    return np.array([place + MIDDLE, np.polyval(curves[0], place)])


def meeting_errors(small: JudgedLattices, large: JudgedLattices, random: np.random.Generator, samples: int = 200) -> Array:
    """The standard errors of `cumulants_meet`, (2,): the spread under resampled lattices, and what a cubic changes."""

    def draw(each: JudgedLattices) -> Array:
        count = each.weighed.shape[1]
        return np.asarray(random.integers(count, size=count), np.int64)

    found = np.stack([cumulants_meet(small, large, (draw(small), draw(large))) for _ in range(samples)])
    # A cubic follows the curves further: it is given more of them.
    cubic = cumulants_meet(small, large, degree=3, below=2.38)
    spread: Array = found.std(axis=0, ddof=1)
    change: Array = cubic - cumulants_meet(small, large)
    return np.hypot(spread, change)


def extrapolated(sizes: Array, crossings: Array, errors: Array) -> Polynomial:
    """T*(L) = T_c + a/L + b/L² fitted to the crossings; the first coefficient is T_c.

    1/L is 1/L^(1/ν) with Onsager's ν = 1: A. E. Ferdinand, M. E. Fisher, Physical Review 185, 832 (1969). The last term is there since
    even hot lattices have an |m| that falls as 1/L, so that what the networks take for order depends on the size.
    """
    return weighted_polynomial(1 / sizes, crossings, errors, 2)


def _trainings(seed: int) -> Mapping[str, Training]:
    options: dict[str, Any] = {
        "seed": seed, "loss": BinaryCrossEntropy() + L2(0.01), "optimizer": Adam(0.01), "batch_size": 50, "epochs": 20, "replicas": 8,
        "evaluate_every": 0,
    }  # fmt: skip
    return {f"size {size}": Training(network(), far_from_the_transition(size, 10 * seed), **options) for size in SIZES}


def _conclude(runs: Runs, seed: int) -> Outcome:
    random = np.random.default_rng(seed)
    # Seeds of the judged lattices are none of those that training took.
    judged = [judge(runs[f"size {size}"], size, LATTICES[size], 10 * seed + 1 + place) for place, size in enumerate(SIZES)]
    found = np.array([each.crossing(random) for each in judged])
    line = extrapolated(np.array(SIZES, np.float64), found[:, 0], found[:, 1])
    (t_c, meeting), (error, meeting_error) = (
        values.tolist() for values in (cumulants_meet(judged[0], judged[-1]), meeting_errors(judged[0], judged[-1], random))
    )
    aligned = np.concatenate([each.alignment for each in judged])
    between = f"L = {SIZES[0]} and {SIZES[-1]}"
    facts = (
        Fact("T_c, where cumulants meet", t_c, error, reference=CRITICAL_TEMPERATURE, source="Onsager 1944"),
        Fact(f"cumulant there, {between}", meeting, meeting_error, reference=MEETING, source="Kamieniarz, Blöte 1993"),
        Fact(
            "T_c, from T*(L)",
            float(line.coefficients[0]),
            float(line.errors[0]),
            reference=CRITICAL_TEMPERATURE,
            source="Onsager 1944",
        ),
        *(Fact(f"T*({size})", value, sigma) for size, (value, sigma) in zip(SIZES, found.tolist(), strict=True)),
        Fact("alignment with m, least of all networks", float(aligned.min()), minimum=0.9, source="1 is m itself"),
        _far_score(runs[f"size {SIZES[0]}"], SIZES[0]),
    )
    verdict = (
        f"Networks that never saw a temperature between {COLD[-1]:g} and {HOT[0]:g} J/k_B place the transition of the infinite lattice "
        f"at {t_c:.4f} ± {error:.4f} J/k_B; Onsager's 2/ln(1 + √2) = {CRITICAL_TEMPERATURE:.4f} is "
        f"{abs(t_c - CRITICAL_TEMPERATURE) / error:.1f} standard errors away. They found the magnetisation by themselves."
    )
    return Outcome(verdict, facts, _pictures(judged, found, line, (t_c, error), seed))


def _far_score(run: Run, size: int) -> Fact:
    score = run.evaluate("test").accuracy()
    return Fact(f"accuracy on cold and hot, L = {size}", score.value, score.error, minimum=0.95)


def _pictures(
    judged: list[JudgedLattices], found: Array, line: Polynomial, meeting: tuple[float, float], seed: int
) -> tuple[View, ...]:
    largest = judged[-1]
    lattices = ising(3, size=largest.size, temperatures=SHOWN, target="temperature", seed=10 * seed).train.x
    temperatures = np.stack([each.temperatures for each in judged])
    return (
        pictures.lattice_sheet(lattices.reshape(3, largest.size, largest.size), np.array(SHOWN)),
        pictures.order_seen(largest.size, np.abs(largest.magnetisation).ravel(), largest.ordered.mean(axis=0).ravel()),
        pictures.phase_curves(
            SIZES,
            temperatures,
            np.stack([each.curve for each in judged]),
            np.stack([each.curve_errors for each in judged]),
            CRITICAL_TEMPERATURE,
        ),
        pictures.size_extrapolation(
            np.array(SIZES, np.float64), found[:, 0], found[:, 1], line.coefficients, line.covariance, CRITICAL_TEMPERATURE
        ),
        pictures.cumulant_crossing(
            SIZES, temperatures, np.stack([each.cumulant() for each in judged]), *meeting, CRITICAL_TEMPERATURE
        ),
    )


ISING = LectureExample(
    "ising",
    "Networks find the critical temperature of the Ising model",
    "Below the temperature T_c the spins of a square lattice agree over any distance, above it they do not. For each of four lattice sizes "
    f"L, eight small networks learn to tell cold lattices (T up to {COLD[-1]:g} J/k_B) from hot ones (T from {HOT[0]:g} on); then they are "
    "asked about lattices in between, of which they never saw any. Two ways lead to T_c. Their first layers weigh the spins in one main "
    "direction; the cumulant 1 − ⟨φ⁴⟩/3⟨φ²⟩² of this number φ is the same for all sizes at T_c, so the curves of two sizes meet there "
    "(Binder 1981). And T*(L), where the mean output is one half, moves to T_c as 1/L, with a correction in 1/L² (Carrasquilla and Melko, "
    "Nature Physics 13, 431 (2017), who trained with the true T_c, which is not used here). Error bars come from resampling the "
    "lattices, from the replicas, and from drawing the curves as cubics instead of parabolas. Temperatures are in units of J/k_B, the "
    "coupling of two spins.",
    "137",
    _trainings,
    _conclude,
)
