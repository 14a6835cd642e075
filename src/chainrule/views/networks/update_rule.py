"""The rule by which an optimizer changes a parameter, as formulas with their numbers."""

from __future__ import annotations

import numpy as np

from chainrule.numerals import numeral
from chainrule.train import (
    LBFGS,
    SGD,
    AdaGrad,
    Adam,
    AdamW,
    ClipNorm,
    ClipValue,
    FullBatch,
    LevenbergMarquardt,
    PerceptronRule,
    RMSprop,
    Settings,
)


def update_rule(settings: Settings, step: int, steps: int) -> tuple[str, ...]:
    """The optimizer's formulas, and η at a step (counted from 0) of so many.

    >>> update_rule(Settings(SGD(0.1, momentum=0.9)), 0, 10)
    ('v ← μ·v − η·g, where g = ∂C/∂w', 'w ← w + v', 'μ = 0.9', 'η = 0.1')
    """
    lines = formulas_of(settings.optimizer)
    if isinstance(settings.optimizer, FullBatch):
        return lines
    place = min(step, max(steps - 1, 0))
    rate = float(settings.schedule(np.array([float(place)]), steps)[0])
    fixed = isinstance(settings.optimizer.learning_rate, int | float)
    return (*lines, *_clipped(settings), f"η = {numeral(rate)}" + ("" if fixed else f" at step {place}, by its schedule"))


def formulas_of(optimizer: object) -> tuple[str, ...]:
    """The optimizer's formulas and constants."""
    match optimizer:
        case SGD(momentum=0.0):
            return ("w ← w − η·g, where g = ∂C/∂w",)
        case SGD(momentum=momentum, nesterov=nesterov):
            last = "w ← w + μ·v − η·g" if nesterov else "w ← w + v"
            return ("v ← μ·v − η·g, where g = ∂C/∂w", last, f"μ = {numeral(momentum)}")
        case AdaGrad(epsilon=epsilon):
            return ("s ← s + g², where g = ∂C/∂w", "w ← w − η·g/(√s + ε)", f"ε = {numeral(epsilon)}")
        case RMSprop(decay=decay, epsilon=epsilon):
            constants = f"ρ = {numeral(decay)}, ε = {numeral(epsilon)}"
            return ("s ← ρ·s + (1 − ρ)·g², where g = ∂C/∂w", "w ← w − η·g/(√s + ε)", constants)
        case Adam():
            return (*_moments(optimizer), _adam_step(optimizer), _constants(optimizer))
        case AdamW(decay=decay):
            last = "w ← w − η·m̂/(√v̂ + ε) − η·λ·w"
            return (*_moments(optimizer), last, f"{_constants(optimizer)}, λ = {numeral(decay)}")
        case PerceptronRule():
            return ("w ← w + η·(t − a)·x, b ← b + η·(t − a), averaged over the batch",)
        case LevenbergMarquardt():
            return (
                "w ← w − (JᵀJ + μ·D²)⁻¹·Jᵀ·r, where C = Σ r², J = ∂r/∂w",
                "μ grows until C falls, and shrinks where it fell as promised",
            )
        case LBFGS(memory=memory):
            return (
                "w ← w + α·d, the step α found by a line search on all examples",
                f"d from the last {memory} steps' gradients",
            )
        case _:
            return (repr(optimizer),)


def _moments(optimizer: Adam | AdamW) -> tuple[str, ...]:
    corrected = "m̂ = m/(1 − β₁ᵗ), v̂ = v/(1 − β₂ᵗ), t the step counted from 1"
    return ("m ← β₁·m + (1 − β₁)·g, v ← β₂·v + (1 − β₂)·g², where g = ∂C/∂w", corrected)


def _adam_step(optimizer: Adam) -> str:
    if optimizer.epsilon_hat:
        return "w ← w − η·√(1 − β₂ᵗ)/(1 − β₁ᵗ)·m/(√v + ε)"
    return "w ← w − η·m̂/(√v̂ + ε)"


def _constants(optimizer: Adam | AdamW) -> str:
    return f"β₁ = {numeral(optimizer.beta1)}, β₂ = {numeral(optimizer.beta2)}, ε = {numeral(optimizer.epsilon)}"


def _clipped(settings: Settings) -> tuple[str, ...]:
    match settings.clip:
        case ClipNorm(norm=norm):
            return (f"before, all g together are scaled down to the norm {numeral(norm)} where theirs is larger",)
        case ClipValue(limit=limit):
            return (f"before, each g is kept between −{numeral(limit)} and {numeral(limit)}",)
        case _:
            return ()
