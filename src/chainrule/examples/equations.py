"""A differential equation solved by a network: its derivatives by the time are nodes, and the loss is what is left of the equation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from math import pi, sqrt
from typing import Any

import numpy as np

from chainrule import ops
from chainrule.data import Dataset, Examples
from chainrule.derivatives import vjp
from chainrule.examples.example import LectureExample, Outcome, Runs
from chainrule.examples.fact import Fact
from chainrule.examples.statistics import mean_fact
from chainrule.graph import Array, Graph, Node, compute, constant, input_node
from chainrule.immutable import immutable
from chainrule.nn import Dense, Layer, Sequential, build_network, layer_scope
from chainrule.numerals import numeral
from chainrule.train import Adam, Cosine, Model, Training
from chainrule.views import pictures

DAMPING, END = 0.1, 10.0
"""ζ of u″ + 2ζ u′ + u = 0, and the time up to which it is solved, in units of 1/ω."""
REPLICAS = 4


def derivative(u: Node, t: Node) -> Node:
    """∂u/∂t for each example, u and t both (batch, 1), as a node that can be differentiated again.

    u of one example depends on t of that example alone, so that the sum over all is differentiated.
    """
    (found,) = vjp([u], [t], [ops.broadcast_to(constant(1.0, u.dtype), shape=u.shape)])
    return u * 0.0 if found is None else found


@immutable
class Equation:
    """A network whose output u(t) is to solve an equation: what is left of it, squared, is the loss `<name>.residual`.

    trial: from (t, the network's output) the function that is tried, which may have the initial conditions built in. residual: from
    (u, t) what the equation wants to be 0, made with `derivative`. Inputs (batch, 1) are times; the output is u (batch, 1).
    Sources: I. E. Lagaris, A. Likas, D. I. Fotiadis, IEEE Transactions on Neural Networks 9, 987 (1998); M. Raissi, P. Perdikaris,
    G. E. Karniadakis, Journal of Computational Physics 378, 686 (2019).
    """

    network: Layer
    trial: Callable[[Node, Node], Node]
    residual: Callable[[Node, Node], Node]
    formula: str
    name: str = ""

    def __call__(self, t: Node) -> Node:
        """u at each time."""
        with layer_scope(self, "equation", t) as here:
            u = here.label(self.trial(t, self.network(t)), "u")
            left = here.label(self.residual(u, t), "residual")
            here.term("residual", ops.sum(left * left, 1), self.formula)
            return here.gives(u)


def from_rest(t: Node, n: Node) -> Node:
    """1 + (1 − e^(−t))²·n: whatever n is, u(0) = 1 and u′(0) = 0; and u is no harder to reach at late times than at early ones."""
    begun = 1.0 - ops.exp(ops.negative(t))
    return 1.0 + begun * begun * n


def oscillator_residual(u: Node, t: Node, damping: float) -> Node:
    """u″ + 2ζ u′ + u."""
    speed = derivative(u, t)
    return derivative(speed, t) + speed * (2 * damping) + u


def pendulum_residual(u: Node, t: Node) -> Node:
    """u″ + sin u, sin u by its series up to u⁹, which is off by less than 3·10⁻⁸ for |u| ≤ 1."""
    square, factor = u * u, 0.0
    series = u * 0.0 + 1.0
    for order in (9, 7, 5, 3):
        factor = 1.0 / (order * (order - 1))
        series = 1.0 - square * series * factor
    return derivative(derivative(u, t), t) + u * series


def damped(t: Array, damping: float = DAMPING) -> Array:
    """The damped oscillator from rest at u = 1: e^(−ζt)·(cos ωt + ζ/ω·sin ωt), ω = √(1 − ζ²)."""
    omega = sqrt(1 - damping**2)
    return np.exp(-damping * t) * (np.cos(omega * t) + damping / omega * np.sin(omega * t))


def pendulum_period(amplitude: float) -> float:
    """The period of u″ + sin u = 0 let go at `amplitude`: 2π/AGM(1, cos(u₀/2)), AGM the arithmetic-geometric mean of Gauss.

    >>> round(pendulum_period(1e-6), 9) == round(2 * pi, 9)
    True
    """
    a, b = 1.0, float(np.cos(amplitude / 2))
    for _ in range(8):
        a, b = (a + b) / 2, sqrt(a * b)
    return 2 * pi / a


def times(end: float, n: int = 200) -> Dataset:
    """Times spread evenly over (0, end) to ask the equation at; the targets are none and are not looked at."""
    t = (np.arange(n, dtype=np.float64)[:, None] + 0.5) * (end / n)
    return Dataset("times", Examples(t, np.zeros_like(t)), features=("t",), source="computed", licence="none needed")


def _network(end: float) -> Sequential:
    # Times are brought to −1 … 1 inside the network: the equation sees t itself.
    return Sequential(partial(_centred, end=end), Dense(24, "tanh"), Dense(24, "tanh"), Dense(1))


def _centred(t: Node, end: float) -> Node:
    return t * (2 / end) - 1.0


def _trainings(seed: int) -> Mapping[str, Training]:
    options: dict[str, Any] = {
        "seed": seed, "loss": "none", "optimizer": Adam(Cosine(0.005)), "batch_size": 50, "epochs": 3000, "replicas": REPLICAS,
        "dtype": "float64", "evaluate_every": 0,
    }  # fmt: skip
    oscillator = Equation(_network(END), from_rest, partial(oscillator_residual, damping=DAMPING), "(u″ + 2ζ u′ + u)²")
    pendulum = Equation(_network(END), from_rest, pendulum_residual, "(u″ + sin u)²")
    return {
        "damped oscillator": Training(oscillator, times(END), **options),
        "pendulum": Training(pendulum, times(END), **options),
    }


def solution(model: Model, t: Array) -> dict[str, Array]:
    """u, its derivative u′ and what is left of the equation at times t (n,), by name, each (n,)."""
    x = input_node("x", (len(t), 1), "float64")
    built = build_network(model.problem.network, (1,), x=x)
    u = built.output
    left = next(
        node for node in Graph({"rows": next(iter(built.terms.values())).rows}).nodes if node.name.endswith(".residual")
    )
    leaves = {item.node: model.parameters[name] for name, item in built.parameters.items()} | {x: t[:, None]}
    values = compute([u, derivative(u, x), left], leaves)
    return {name: np.asarray(value)[:, 0] for name, value in zip(("u", "speed", "residual"), values, strict=True)}


def quarter(t: Array, u: Array) -> float:
    """When u first passes 0, a quarter of a period after it was let go: by the straight line between two times."""
    place = int(np.flatnonzero(u <= 0)[0])
    share = u[place - 1] / (u[place - 1] - u[place])
    return float(t[place - 1] + share * (t[place] - t[place - 1]))


def _conclude(runs: Runs, seed: int) -> Outcome:
    t = np.linspace(0, END, 1001)
    found = {name: [solution(run.model(replica), t) for replica in range(REPLICAS)] for name, run in runs.items()}
    oscillators, pendulums = found["damped oscillator"], found["pendulum"]
    errors = np.array([np.max(np.abs(each["u"] - damped(t))) for each in oscillators])
    energies = np.array([each["speed"] ** 2 / 2 + 1 - np.cos(each["u"]) for each in pendulums])
    drift = np.max(np.abs(energies / (1 - np.cos(1.0)) - 1), axis=1)
    lost = np.array([np.max(np.abs(_energy_balance(t, each))) for each in oscillators])
    periods = np.array([4 * quarter(t, each["u"]) for each in pendulums])
    facts = (
        mean_fact("oscillator: largest error of u", errors, maximum=0.01, source="closed form"),
        mean_fact("oscillator: energy not accounted for", lost, maximum=0.01, source="½u′² + ½u² + friction is constant"),
        mean_fact("pendulum: period", periods, reference=pendulum_period(1.0), tolerance=1e-3, source="elliptic integral"),
        Fact(
            "pendulum: largest change of energy",
            float(100 * drift.mean()),
            float(100 * drift.std(ddof=1) / np.sqrt(REPLICAS)),
            maximum=1.0,
            unit="%",
        ),
    )
    verdict = (
        f"From the equation alone, with no solution to learn from, the network follows the damped oscillator to "
        f"{numeral(errors.mean(), 1)} of its "
        f"first amplitude, and the pendulum's period comes out as {periods.mean():.4f}, where the elliptic integral gives "
        f"{pendulum_period(1.0):.4f} and small swings would have 2π = {2 * pi:.4f}."
    )
    best, swing = oscillators[0], pendulums[0]
    drawn = (
        pictures.equation_solved("u″ + 0.2 u′ + u = 0", t, best["u"], best["residual"], damped(t)),
        pictures.equation_solved("u″ + sin u = 0", t, swing["u"], swing["residual"]),
        pictures.learning_curves(runs["damped oscillator"]),
    )
    return Outcome(verdict, facts, drawn)


def _energy_balance(t: Array, found: Mapping[str, Array]) -> Array:
    """How much energy has been won or lost without friction up to each time, as a fraction of that at the start."""
    energy = found["speed"] ** 2 / 2 + found["u"] ** 2 / 2
    power = 2 * DAMPING * found["speed"] ** 2
    friction = np.concatenate([[0.0], np.cumsum((power[1:] + power[:-1]) / 2 * np.diff(t))])
    return (energy + friction) / energy[0] - 1


EQUATION = LectureExample(
    "equation",
    "A network solves a differential equation",
    "Can a network find a function from its equation of motion alone? Its output n(t) makes a trial u(t) = 1 + (1 − e^(−t))²·n(t) "
    "that starts at 1 and at rest whatever n is. Its derivatives u′ and u″ by the input are nodes of the graph like all others, and the "
    "loss is the square of what is left of the equation, at 200 times from 0 to 10. First the damped oscillator, u″ + 2ζu′ + u = 0 "
    "with ζ = 0.1, whose solution is known; then the pendulum, u″ + sin u = 0, let go at 1 rad, whose period is an elliptic integral and "
    "whose energy must stay as it is. The idea is that of Lagaris, Likas and Fotiadis (1998) and of Raissi, Perdikaris and "
    "Karniadakis (2019).",
    "38, 137",
    _trainings,
    _conclude,
)
