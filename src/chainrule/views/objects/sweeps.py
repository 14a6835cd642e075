"""How sweeps and searches for a learning rate show themselves."""

from __future__ import annotations

import importlib.util
from typing import Any

from chainrule import display
from chainrule.sweeps import LearningRates, Sweep
from chainrule.views.objects.parts import shown, table, verdict
from chainrule.views.pictures.experiments.sweeps import learning_rates, sweep_scores


@display.html.register
def sweep_html(sweep: Sweep) -> str:
    """The verdict and the table."""
    return shown(verdict(sweep.verdict), table(sweep.headings, sweep.rows))


@display.plot.register
def plot_sweep(sweep: Sweep, ax: Any) -> Any:
    """Every setting with its error bar."""
    return sweep_scores(sweep).plot(ax)


@display.html.register
def learning_rates_html(found: LearningRates) -> str:
    """What to begin with, and the curve where matplotlib is there."""
    picture = learning_rates(found).svg(ground=False) if importlib.util.find_spec("matplotlib") else ""
    return shown(verdict(str(found)), picture)


@display.plot.register
def plot_learning_rates(found: LearningRates, ax: Any) -> Any:
    """The loss over the rate."""
    return learning_rates(found).plot(ax)
