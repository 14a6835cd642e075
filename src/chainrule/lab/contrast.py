"""Two trainings beside each other on a page: a dot to a seed, and the means with their standard errors."""

from __future__ import annotations

from collections.abc import Mapping

from chainrule.graph import Array
from chainrule.train.replicated import measured
from chainrule.views.panels import Axis
from chainrule.views.pictures.experiments.contrasts import dots_and_bars
from chainrule.views.view import View


def contrast(score: str, values: Mapping[str, Array]) -> View:
    """The scores (seeds,) of each training by its name."""
    rows = [(name, each, measured(each).error) for name, each in values.items()]
    words = "A dot to a seed; the bar is the mean with its standard error."
    return View(score, words, [dots_and_bars(rows, Axis(score, margin=0.08))], values, size=(5.6, 2.4))
