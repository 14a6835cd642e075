"""What came of a sweep: its trials in order, each beside the best, with error bars and a verdict that chance does not explain."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import combinations
from math import isfinite, sqrt
from pathlib import Path
from typing import Any

import numpy as np

from chainrule import display
from chainrule.display import Shown
from chainrule.errors import OptionError
from chainrule.immutable import immutable
from chainrule.numerals import numeral
from chainrule.spelling import aligned
from chainrule.sweeps.trial import SCORES, Trial
from chainrule.train import with_error
from chainrule.train.replicated import LEVEL, Comparison, compare, holm, plus_minus, replicas_needed

MOST_REPLICAS = 10_000
"""Beyond so many replicas nobody is told how many would be needed."""


@immutable
class Beside(Shown):
    """A trial beside the best: the difference of their scores over the same seeds, and whether chance explains it.

    probability: the p-value, raised for all pairs of trials that could have been looked at (Holm), of which there are `among`.
    """

    comparison: Comparison
    probability: float
    among: int

    @property
    def told_apart(self) -> bool:
        """Whether there is a difference that chance does not explain."""
        return self.probability < LEVEL

    @cached_property
    def needed(self) -> float:
        """About how many replicas would show a difference of this size."""
        spread = self.comparison.error * sqrt(self.comparison.freedom + 1)
        return replicas_needed(self.comparison.difference, spread, LEVEL / self.among)

    def __str__(self) -> str:
        if self.told_apart:
            return "worse"
        count = int(self.comparison.freedom) + 1
        if not isfinite(self.needed) or self.needed > MOST_REPLICAS:
            return f"cannot be told apart with {count} replicas"
        return f"cannot be told apart with {count} replicas; about {float(f'{self.needed:.2g}'):.0f} would be needed"


@immutable(eq=False)
class Sweep(Shown):
    """What came of a sweep; `print` gives its table and verdict, `plot` draws it.

    trials: in the order in which they were tried. folder: where they are kept, None where that was for the time being.
    """

    trials: tuple[Trial, ...]
    replicas: int
    folder: Path | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The fields that were tried."""
        return tuple(dict.fromkeys(name for trial in self.trials for name in trial.setting))

    @cached_property
    def ranked(self) -> list[Trial]:
        """The trials, those that were trained longest first, and of these the best; last what went wrong."""
        return ranked(self.trials)

    @property
    def best(self) -> Trial:
        """The trial with the best mean score, among those trained longest. Raises: OptionError where all went wrong."""
        if not self.trials or self.ranked[0].trouble:
            raise OptionError(
                "the best of a sweep in which every training went wrong"
                if self.trials
                else "the best of a sweep without trials",
                expected="one that did not",
                remedy="try lower learning rates, or clip the gradient",
            )
        return self.ranked[0]

    @cached_property
    def finalists(self) -> list[Trial]:
        """Those that were trained as long as the best, and did not go wrong: what can be compared with it."""
        longest = max((trial.epochs for trial in self.trials), default=0)
        most = len(self.best.scores)
        return [t for t in self.ranked if t.epochs == longest and not t.trouble and len(t.scores) == most]

    @cached_property
    def beside(self) -> dict[str, Beside]:
        """Each finalist beside the best, by its name; without error bars, of one replica, there are none.

        Which one would be the best nobody knew before: all pairs count as comparisons that were looked at.
        """
        trials = self.finalists
        if len(self.best.scores) < 2:
            return {}
        pairs = list(combinations(range(len(trials)), 2))
        found = [compare(trials[i].scores, trials[j].scores, paired=True) for i, j in pairs]
        raised = dict(zip(pairs, holm([each.probability for each in found]), strict=True))
        return {
            trials[j].name: Beside(comparison, raised[i, j], len(pairs))
            for (i, j), comparison in zip(pairs, found, strict=True)
            if i == 0
        }

    @property
    def headings(self) -> tuple[str, ...]:
        """What stands above the columns of `rows`."""
        score = self.trials[0].score if self.trials else "score"
        return (*self.names, f"{score}", "beside the best", "", "epochs", "seconds", "parameters")

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """A row to each trial, the best first."""
        found: list[tuple[str, ...]] = []
        for trial in self.ranked:
            beside = None if trial.trouble else self.beside.get(trial.name)
            left = "left behind" if trial.epochs < self.ranked[0].epochs else ""
            said = trial.trouble or ("best" if trial is self.ranked[0] else str(beside) if beside else left)
            found.append(
                (
                    *(trial.setting.get(name, "") for name in self.names),
                    "went wrong" if trial.trouble else with_error(trial.scores),
                    plus_minus(-beside.comparison.difference, beside.comparison.error) if beside else "",
                    said,
                    str(trial.epochs),
                    numeral(trial.seconds, 3),
                    str(trial.parameters),
                )
            )
        return found

    @property
    def seconds(self) -> float:
        """How long all trainings took, one after the other."""
        return sum(trial.seconds for trial in self.trials)

    @property
    def verdict(self) -> str:
        """What follows, in a few sentences."""
        if not self.trials:
            return "No training is done yet."
        if self.ranked[0].trouble:
            return "Every training went wrong."
        best = self.best
        told = [f"Best on the {best.part} part: {best.name}, {best.score} {with_error(best.scores)}."]
        others = len(self.finalists) - 1
        if len(best.scores) < 2:
            told.append("One replica has no error bar: nothing can be told apart. Train several: replicas=8.")
        elif others:
            worse = sum(beside.told_apart for beside in self.beside.values())
            pairs = others * (others + 1) // 2
            corrected = f"corrected for {pairs} comparisons (Holm), " * (pairs > 1)
            told.append(
                f"Told apart from {worse} of the {others} other{'s' * (others > 1)}: pairs of the same seed, {corrected}5 % in all."
            )
            near = next((name for name in self.beside if not self.beside[name].told_apart), None)
            told += [f"{near} {self.beside[near]}."] if near else []
        if best.part == "test":
            told.append("There is no validation part: the best score on the test part is too good to be expected of new data.")
        wrong = sum(bool(trial.trouble) for trial in self.trials)
        told += [f"{wrong} of {len(self.trials)} trainings went wrong."] if wrong else []
        return "\n".join(told)

    def plot(self, ax: Any = None) -> Any:
        """The trials with their error bars, drawn into matplotlib's Axes: those given, or those of a new figure. Gives the Axes."""
        return display.ask(display.plot, self, ax)

    def __str__(self) -> str:
        kept = f"; kept in {self.folder}" if self.folder else ""
        cost = f"{self._size}, {numeral(self.seconds, 3)} s of training{kept}"
        return "\n".join([aligned([self.headings, *self.rows]), "", self.verdict, cost])

    def __repr__(self) -> str:
        return f"<Sweep over {', '.join(self.names) or 'nothing yet'}: {self._size}>"

    @property
    def _size(self) -> str:
        trials, replicas = len(self.trials), self.replicas
        return f"{trials} trial{'s' * (trials != 1)} of {replicas} replica{'s' * (replicas != 1)}"


def ranked(trials: Sequence[Trial]) -> list[Trial]:
    """Those that were trained longest first, and of these the best; those that went wrong last. Equal ones keep their order."""

    def key(trial: Trial) -> tuple[bool, int, float]:
        mean = -trial.mean if SCORES[trial.score] else trial.mean
        return bool(trial.trouble) or np.isnan(mean), -trial.epochs, mean

    return sorted(trials, key=key)
