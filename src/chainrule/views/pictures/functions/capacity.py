"""Error against the number of neurons: how well a network can fit, and from where on it fits the noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.train import Run
from chainrule.views.colours import DASHES, SERIES
from chainrule.views.pictures.functions.fits import require_curve
from chainrule.views.pictures.learning.curves import standard_error
from chainrule.views.pictures.picture import Picture
from chainrule.views.pictures.scales import logarithmic

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Measure: TypeAlias = Literal["mean squared", "largest"]
MARKERS = ("o", "s", "^")
TRUTH_POINTS = 2001


@dataclass(frozen=True, eq=False)
class ErrorAgainstNeurons(Picture):
    """Errors against the number of neurons: for each of `kinds` one of `errors`, (numbers of neurons, fits); NaN for no fit."""

    neurons: Array
    kinds: tuple[str, ...]
    errors: tuple[Array, ...]
    measure: Measure

    @property
    def title(self) -> str:
        """What is measured."""
        return "Error against the number of hidden neurons"

    @property
    def reading(self) -> str:
        """How to read the curves."""
        fits = int(np.isfinite(self.errors[0]).sum(axis=1).max())
        band = f", bands one standard error over {fits} fits" if fits > 1 else ""
        return (
            f"A line to each kind of error{band}: more neurons bring the training error down; where another error rises again, "
            "the network fits the noise."
        )

    def arrays(self) -> dict[str, Array]:
        """The numbers of neurons, and each kind's errors."""
        return {"neurons": self.neurons, **dict(zip(self.kinds, self.errors, strict=True))}

    def means(self, kind: str) -> tuple[Array, Array]:
        """Mean and standard error over the fits, each (numbers of neurons,)."""
        rows = [row[np.isfinite(row)] for row in self.errors[self.kinds.index(kind)]]
        return np.array([row.mean() for row in rows]), np.array([float(standard_error(row)) for row in rows])

    def draw(self, ax: Axes) -> None:
        """Each kind's mean with its band, on logarithmic axes."""
        for i, kind in enumerate(self.kinds):
            mean, error = self.means(kind)
            colour = SERIES[i % len(SERIES)]
            ax.plot(self.neurons, mean, color=colour, linestyle=DASHES[i % 4], marker=MARKERS[i % 3], label=kind)
            ax.fill_between(self.neurons, mean - error, mean + error, color=colour, alpha=0.2, linewidth=0)
        logarithmic(ax)
        ax.set_xscale("log")
        ax.set_xticks([], minor=True)
        ax.set_xticks(self.neurons, [str(count) for count in self.neurons.tolist()])
        ax.set_xlabel("hidden neurons")
        ax.set_ylabel(f"{self.measure} error (data's units{'²' if self.measure == 'mean squared' else ''})")
        ax.legend()


def error_against_neurons(
    runs: Mapping[int, Run | Sequence[Run]], truth: Callable[[Array], Array] | None = None, measure: Measure = "mean squared"
) -> ErrorAgainstNeurons:
    """Training and test error of fits by their number of neurons; with `truth` (n,) → (n,) also the distance to it.

    To each number belong one or several runs, whose replicas count as fits of their own. The truth is compared over the range of the
    training inputs and needs networks of one number on one number. Errors are in the data's units.

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
    tables = tuple(
        _table([np.concatenate([of(run) for run in group]) for group in groups.values()]) for of in measures.values()
    )
    return ErrorAgainstNeurons(np.array(list(groups)), tuple(measures), tables, measure)


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
