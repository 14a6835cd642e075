"""Sweeps: every setting with its error bar, the best first, and over each number that was tried; and the search for a learning rate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.sweeps import LearningRates, Sweep, Trial
from chainrule.train.replicated import standard_error
from chainrule.views.marks import Band, Color, ErrorBars, Line, Mark, Points, Rule
from chainrule.views.panels import Axis, Panel
from chainrule.views.pictures.experiments.contrasts import dots_and_bars
from chainrule.views.plain import counted, printable
from chainrule.views.view import View, chart, numbers

MOST = 24
"""So many settings are drawn at most, the best."""
WIDE = 30.0
"""Numbers whose largest is so many times the least stand on a logarithmic axis."""


def sweep_scores(sweep: Sweep) -> View:
    """Every setting of a sweep with its replicas and the standard error of their mean, the best first, and over each number tried.

    The numbers are the scores of the settings (replicas,), by their names. Raises: OptionError where every training went wrong.
    """
    trials = [trial for trial in sweep.ranked if not trial.trouble]
    if not trials:
        raise OptionError(
            "a picture of a sweep in which all went wrong", expected="a training that did not", remedy="look at the table"
        )
    shown, score = trials[:MOST], trials[0].score
    rows = [(printable(", ".join(trial.setting.values()), most=48), trial.scores, _error(trial.scores)) for trial in shown]
    named = printable(", ".join(map(_short, sweep.names)), most=60)
    panels = [replace(dots_and_bars(rows, Axis(f"{score}, {trials[0].part} part")), title=named)]
    panels += [_over(sweep, trials, name) for name in sweep.names if len(_numbers(trials, name)) > 2]
    cut = f" The best {MOST} of {len(trials)} settings." if len(trials) > MOST else ""
    return View(
        f"{counted(len(sweep.trials), 'setting')}, {counted(sweep.replicas, 'replica')} each",
        "A dot to a replica, and the mean with its standard error, the best setting first; beside it the means over each number that "
        f"was tried: full the best and what cannot be told apart from it, faint what is worse or was left behind.{cut}",
        panels,
        {trial.name: trial.scores for trial in trials},
        columns=2,
        size=(6.0 if len(panels) == 1 else 10.5, max(2.6, 0.32 * len(shown) + 1.4) * ((len(panels) + 1) // 2)),
    )


def _numbers(trials: list[Trial], name: str) -> set[float]:
    """The numbers that were tried for a field; none where these are no numbers."""
    try:
        return {float(trial.setting[name]) for trial in trials if name in trial.setting}
    except ValueError:
        return set()


def _over(sweep: Sweep, trials: list[Trial], name: str) -> Panel:
    marks: list[Mark] = []
    for trial in trials:
        beside = sweep.beside.get(trial.name)
        is_near = trial is trials[0] or (beside is not None and not beside.told_apart)
        at, mean, half = float(trial.setting[name]), float(trial.scores.mean()), _error(trial.scores)
        color: Color = 0 if is_near else "faint"
        marks += [ErrorBars([at], [mean - half], [mean + half], color=color), Points([at], [mean], color=color, size=5.0)]
    known = _numbers(trials, name)
    is_wide = min(known) > 0 and max(known) > WIDE * min(known)
    return Panel(marks, Axis(_short(name), log=is_wide), Axis(trials[0].score))


def _short(name: str) -> str:
    return name.rpartition(".")[2].replace("_", " ")


def _error(scores: Array) -> float:
    return float(standard_error(scores)) if len(scores) > 1 else 0.0


def learning_rates(found: LearningRates) -> View:
    """The loss along a training whose learning rate rises, and the rate to begin with.

    The numbers are `rates`, `losses` (replicas, n) and `smoothed`.
    """
    mean, error = found.losses.mean(axis=0), standard_error(found.losses.T) if len(found.losses) > 1 else None
    band = [] if error is None else [Band(found.rates, mean - error, mean + error, color=0)]
    top = float(np.nanmax(found.smoothed))
    return chart(
        f"Begin with a learning rate of {found.rate:g}",
        "The loss of each step's batch while the rate rises from step to step, faint with its standard error, and smoothed; at the dotted "
        "line it was least, from there on the rate is too large; the dashed line is a tenth of that.",
        [
            *band,
            Line(found.rates, mean, color="faint", width=0.8),
            Line(found.rates, found.smoothed, color=0, label="smoothed"),
            Rule(x=found.lowest, dash="dotted"),
            Rule(x=found.rate, dash="dashed"),
        ],
        Axis("learning rate", log=True),
        Axis("loss of the batch", ends=(None, 1.3 * top)),
        numbers(rates=found.rates, losses=found.losses, smoothed=found.smoothed),
    )
