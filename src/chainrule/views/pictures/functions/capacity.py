"""Error against the number of neurons: how well a network can fit, and from where on it fits the noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeAlias

import numpy as np

from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.train import Run
from chainrule.train.replicated import standard_error
from chainrule.views.marks import MARKERS, with_band
from chainrule.views.panels import Axis
from chainrule.views.pictures.functions.fits import require_curve
from chainrule.views.view import View, chart

Measure: TypeAlias = Literal["mean squared", "largest"]
TRUTH_POINTS = 2001


def error_against_neurons(
    runs: Mapping[int, Run | Sequence[Run]], truth: Callable[[Array], Array] | None = None, measure: Measure = "mean squared"
) -> View:
    """Training and test error of fits by their number of neurons; with `truth` (n,) → (n,) also the distance to it.

    To each number belong one or several runs, whose replicas count as fits of their own. The truth is compared over the range of the
    training inputs and needs networks of one number on one number. Errors are in the data's units. Of each kind of error the
    numbers are those of every fit, (numbers of neurons, fits), NaN for no fit, and "kind, mean" with its "kind, error".

    Raises: OptionError without runs, or for runs that predict classes.
    """
    groups = {count: [given] if isinstance(given, Run) else list(given) for count, given in sorted(runs.items())}
    every = [run for group in groups.values() for run in group]
    if not every or not all(groups.values()) or any(run.dataset_info.classes is not None for run in every):
        raise OptionError(
            f"{len(every)} runs to be compared", expected="runs that predict numbers, one or more to each number of neurons",
            remedy="write {5: run, 50: [run, run]}",
        )  # fmt: skip
    measures: dict[str, Callable[[Run], Array]] = {"training": lambda run: _errors(run, "training", measure)}
    if all(run.data.test is not None for run in every):
        measures["test"] = lambda run: _errors(run, "test", measure)
    if truth is not None:
        measures["to the true curve"] = lambda run: _distances(run, truth, measure)
    tables = {
        kind: _table([np.concatenate([of(run) for run in group]) for group in groups.values()]) for kind, of in measures.items()
    }
    return _view(np.array(list(groups)), tables, measure)


def _errors(run: Run, part: str, measure: Measure) -> Array:
    return _measured(run.evaluate(part).errors(), measure)


def _distances(run: Run, truth: Callable[[Array], Array], measure: Measure) -> Array:
    require_curve(run.model())
    seen = run.data.train.x
    x = np.linspace(float(seen.min()), float(seen.max()), TRUTH_POINTS)
    outputs = np.asarray(run.predict(x[:, None], replica=None), dtype=np.float64)[:, :, 0]
    return _measured(outputs - truth(x), measure)


def _measured(differences: Array, measure: Measure) -> Array:
    """One number to a replica: (replicas, ...) becomes (replicas,)."""
    flat = differences.reshape(len(differences), -1)
    return np.mean(flat**2, axis=1) if measure == "mean squared" else np.abs(flat).max(axis=1)


def _table(rows: Sequence[Array]) -> Array:
    table = np.full((len(rows), max(map(len, rows))), np.nan)
    for place, row in zip(table, rows, strict=True):
        place[: len(row)] = row
    return table


def _view(neurons: Array, tables: Mapping[str, Array], measure: Measure) -> View:
    fits = int(np.isfinite(tables["training"]).sum(axis=1).max())
    band = f", bands one standard error over {fits} fits" if fits > 1 else ""
    means = {kind: _means(table) for kind, table in tables.items()}
    lines = [
        mark
        for place, (kind, (mean, error)) in enumerate(means.items())
        for mark in with_band(place, neurons, mean, error, kind, marker=MARKERS[place], size=6.0)
    ]
    unit = f"data's units{'²' if measure == 'mean squared' else ''}"
    return chart(
        "Error against the number of hidden neurons",
        f"A line to each kind of error{band}: more neurons bring the training error down; where another error rises again, "
        "the network fits the noise.",
        lines,
        Axis("hidden neurons", log=True, at=neurons, texts=list(map(str, neurons.tolist()))),
        Axis(f"{measure} error ({unit})", log=True),
        {
            "neurons": neurons,
            **tables,
            **{f"{kind}, mean": mean for kind, (mean, _) in means.items()},
            **{f"{kind}, error": error for kind, (_, error) in means.items()},
        },
    )


def _means(table: Array) -> tuple[Array, Array]:
    """Mean and standard error over the fits, each (numbers of neurons,)."""
    rows = [row[np.isfinite(row)] for row in table]
    return np.array([row.mean() for row in rows]), np.array([float(standard_error(row)) for row in rows])
