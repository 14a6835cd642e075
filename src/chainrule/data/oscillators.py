"""Two coupled oscillators of which one is seen: the motion of the hidden one is to be inferred."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import numpy as np
from numpy.typing import NDArray

from chainrule.checks import Interval, NonNegative, Seed, checked
from chainrule.data.checks import check_whole
from chainrule.data.dataset import Dataset
from chainrule.data.examples import Examples
from chainrule.data.origin import generated, remembered
from chainrule.data.scaling import Scaling
from chainrule.data.sequences import TargetSteps, check_target_steps

Floats = NDArray[np.float64]


@checked
def coupled_motion(
    times: Floats, positions: Floats, velocities: Floats, *, visible: float = 1.0, hidden: float = 1.0, coupling: float = 0.5
) -> Floats:
    """Where two coupled oscillators of mass 1 are: shape (n, times, 2), exact, from starts of shape (n, 2) at time 0.

    x₁″ = −ω₁² x₁ − κ (x₁ − x₂), x₂″ = −ω₂² x₂ − κ (x₂ − x₁), with ω₁ = `visible`, ω₂ = `hidden` and κ = `coupling`, in units of
    one frequency. The matrix of this system is diagonalised; each normal mode then moves as q cos ωt + (q′/ω) sin ωt. See
    Goldstein, Classical Mechanics, chapter on small oscillations.

    >>> coupled_motion(np.array([0.0, np.pi]), np.array([[1.0, 1.0]]), np.zeros((1, 2))).round(12)
    array([[[ 1.,  1.],
            [-1., -1.]]])
    """
    matrix = np.array([[visible**2 + coupling, -coupling], [-coupling, hidden**2 + coupling]])
    squares, modes = np.linalg.eigh(matrix)
    frequency = np.sqrt(squares)
    phase = times[:, None] * frequency
    # (n, 2) in the coordinates of the modes, then (n, times, 2).
    start, speed = positions @ modes, velocities @ modes / frequency
    return (start[:, None] * np.cos(phase) + speed[:, None] * np.sin(phase)) @ modes.T


Amount: TypeAlias = Annotated[float, Interval(above=0, most=1e6)]
"""A frequency, a time, a strength: the squares of all of them together have room in a float."""


@remembered("oscillators")
@checked
def oscillators(
    n: int = 500,
    *,
    time: int = 40,
    step: Amount = 0.3,
    visible: Amount = 1.0,
    hidden: Amount = 1.0,
    coupling: Amount = 0.5,
    noise: NonNegative = 0.0,
    target_steps: TargetSteps = "every",
    seed: Seed = 0,
) -> Dataset:
    """The path of one of two coupled oscillators as input, the path of the other, which nobody sees, as target.

    Both start at random, positions and velocities standard normal, and move as `coupled_motion` says, where the frequencies
    `visible` and `hidden` and the `coupling` are explained. Inputs have shape (time, 1): the visible position at `time` moments,
    `step` apart, plus noise · ε, ε standard normal.

    - `target_steps="every"` (many to many): the hidden position at each moment, of shape (time,);
    - `target_steps="last"` (many to one): at the last moment, of shape (1,).

    Without noise four visible positions fix the hidden path, unless a normal mode has no part in them. Training and test part hold
    `n` pairs each.

    >>> oscillators(100)
    Dataset('oscillators': 100 train, 100 test; inputs (40, 1) float64; 40 numbers to fit)
    """
    for name, value in (("n", n), ("time", time)):
        check_whole(name, value, least=2)
    check_target_steps(target_steps)
    random, moments = np.random.default_rng(seed), step * np.arange(time, dtype=np.float64)

    def part() -> Examples:
        start, speed, errors = (random.standard_normal(shape) for shape in ((n, 2), (n, 2), (n, time)))
        path = coupled_motion(moments, start, speed, visible=visible, hidden=hidden, coupling=coupling)
        seen = path[:, :, 0] + noise * errors
        return Examples(seen[:, :, None], path[:, :, 1] if target_steps == "every" else path[:, -1:, 1])

    train, test = part(), part()
    return generated(
        "oscillators",
        train,
        test,
        f"two coupled oscillators, frequencies {visible:g} and {hidden:g}, coupling {coupling:g}, noise {noise:g}, seed {seed}",
        scaling=Scaling.none(),
    )
