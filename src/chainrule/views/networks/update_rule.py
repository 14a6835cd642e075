"""The rule by which an optimizer changes a parameter, as formulas with their numbers."""

from __future__ import annotations

import numpy as np

from chainrule.numerals import numeral
from chainrule.train import Settings


def update_rule(settings: Settings, step: int, steps: int) -> tuple[str, ...]:
    """The optimizer's formulas, and η at a step (counted from 0) of so many.

    >>> from chainrule.train import SGD
    >>> update_rule(Settings(SGD(0.1, momentum=0.9)), 0, 10)
    ('v ← μ·v − η·g, where g = ∂C/∂w', 'w ← w + v', 'μ = 0.9', 'η = 0.1')
    """
    lines = settings.optimizer.formulas
    if settings.optimizer.search:
        return lines
    place = min(step, max(steps - 1, 0))
    rate = float(settings.schedule(np.array([float(place)]), steps)[0])
    fixed = isinstance(settings.optimizer.learning_rate, int | float)
    clip = settings.clip.formulas if settings.clip else ()
    return (*lines, *clip, f"η = {numeral(rate)}" + ("" if fixed else f" at step {place}, by its schedule"))
