"""Optuna as the search: a function that its studies minimise or maximise, each call a trial of a sweep in one folder."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from chainrule.checks import Count, checked
from chainrule.files import named
from chainrule.sweeps.space import axes_of, label_of
from chainrule.sweeps.sweep import PAUSE, claim
from chainrule.sweeps.trial import Task, bare, do
from chainrule.train import Training


@checked
def optuna_objective(
    training: Training,
    space: Mapping[str, Any],
    folder: str | os.PathLike[str],
    *,
    replicas: Count = 8,
    score: str | None = None,
) -> Callable[[Any], float]:
    """What `study.optimize` takes: each of Optuna's trials is a setting of the space, trained with all replicas; the mean score.

    The folder is that of a sweep: what is done is not done again, and `open_sweep(folder)` compares all trials. An interval is asked
    for as a number, a list as a choice. Scores as accuracy are to be maximised: `optuna.create_study(direction="maximize")`.
    """
    base, axes, place = bare(training.changed(replicas=replicas)), axes_of(space), named(folder, "folder")
    claim(place, base)

    def objective(trial: Any) -> float:
        setting: dict[str, Any] = {}
        labels: dict[str, str] = {}
        for axis in axes:
            if (interval := axis.interval) is None:
                labels[axis.name] = trial.suggest_categorical(axis.name, list(axis.values))
                setting[axis.name] = axis.values[labels[axis.name]]
            else:
                suggest = trial.suggest_int if interval.whole else trial.suggest_float
                low, high = (int(interval.low), int(interval.high)) if interval.whole else (interval.low, interval.high)
                found = suggest(axis.name, low, high, log=interval.log)
                setting[axis.name] = found if interval.whole else float(f"{found:.6g}")
                labels[axis.name] = label_of(setting[axis.name])
        while (done := do([Task(base, labels, setting, place, None, score)])[0]) is None:
            time.sleep(PAUSE)
        return done.mean

    return objective
