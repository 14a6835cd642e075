"""How sweeps and searches for a learning rate show themselves."""

from __future__ import annotations

from typing import Any

from chainrule import display
from chainrule.sweeps import LearningRates, Sweep
from chainrule.views.objects.parts import shown, table, verdict
from chainrule.views.objects.runs import shown_by
from chainrule.views.pictures.experiments.sweeps import learning_rates, sweep_scores


@display.html.register
def sweep_html(sweep: Sweep) -> str:
    """The verdict and the table."""
    return shown(verdict(sweep.verdict), table(sweep.headings, sweep.rows))


@display.plot.register
def plot_sweep(sweep: Sweep, ax: Any) -> Any:
    """Every setting with its error bar."""
    return sweep_scores(sweep).plot(ax)


shown_by(LearningRates, learning_rates)
