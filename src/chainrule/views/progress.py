"""Progress in a terminal or a log: of a training, in the words example, batch and epoch, and of reading long files."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType

import numpy as np
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.train import TrainingProgress, with_error
from chainrule.views.plain import duration, printable, spaced

_REDRAW_SECONDS = 0.1
_QUIET_SECONDS = 1.0
_MOST_ROWS = 20
Parts = Mapping[str, Mapping[str, Array]]


@dataclass(frozen=True)
class ProgressPlan:
    """How much there is to do: epochs, batches in each, their size and the number of training examples; and a title."""

    epochs: int
    batches: int
    batch_size: int
    examples: int
    title: str = ""


def position(plan: ProgressPlan, step: int) -> str:
    """Where a training stands after a number of steps.

    >>> position(ProgressPlan(5, 1875, 32, 60_000), 1935)
    'example 1 920 · batch 60 of 1 875 · epoch 2 of 5'
    """
    if step == 0:
        return f"before the first of {spaced(plan.epochs)} epochs"
    epoch, batch = (step - 1) // plan.batches + 1, (step - 1) % plan.batches + 1
    example = min(batch * plan.batch_size, plan.examples)
    return (
        f"example {spaced(example)} · batch {spaced(batch)} of {spaced(plan.batches)} · epoch {spaced(epoch)} of {plan.epochs}"
    )


def scores_text(parts: Parts) -> str:
    """Loss, and accuracy where there is one, of each part; several replicas as mean ± standard error.

    >>> scores_text({"test": {"loss": np.array([0.25]), "accuracy": np.array([0.93])}})
    'test loss 0.25, accuracy 0.93'
    """
    return " · ".join(
        f"{part} " + ", ".join(f"{name} {with_error(scores[name])}" for name in ("loss", "accuracy") if name in scores)
        for part, scores in parts.items()
    )


def epoch_text(moment: TrainingProgress, plan: ProgressPlan) -> str:
    """One line for the end of an epoch."""
    width = len(str(plan.epochs))
    return f"epoch {moment.epoch:>{width}} of {plan.epochs}: {scores_text(moment.scores)} · {duration(moment.seconds)}"


def epoch_columns(moment: TrainingProgress, plan: ProgressPlan, width: int) -> tuple[str, str]:
    """The head and the row of a table of epochs, a line each.

    On a narrow screen the errors of several replicas are left out, then all parts but the last.
    """
    parts = list(moment.scores.items())
    cells, widths = [("", "")], [0]
    for with_errors, shown in ((True, parts), (False, parts), (False, parts[-1:])):
        cells = [("epoch", f"{moment.epoch:>{len(str(plan.epochs))}} of {plan.epochs}")]
        for part, scores in shown:
            cells += [(_head(part, name), _value(scores[name], with_errors)) for name in ("loss", "accuracy") if name in scores]
        cells.append(("time", duration(moment.seconds)))
        # Wide enough for any later row: an error has two digits, a mean four.
        widths = [max(len(head), len(value), 15 if "±" in value else 6) for head, value in cells]
        if sum(widths) + 2 * len(widths) <= width:
            break
    head, row = ("  ".join(f"{cell[i]:<{wide}}" for cell, wide in zip(cells, widths, strict=True)).rstrip() for i in (0, 1))
    return head, row


def _head(part: str, name: str) -> str:
    return f"{part} loss" if name == "loss" else name


def _value(values: Array, with_errors: bool) -> str:
    return with_error(values) if with_errors and len(values) > 1 else numeral(float(np.mean(values)))


class EpochLines:
    """A callback that prints a line for each evaluated epoch: for logs, pipes and terminals without colour."""

    def __init__(self, console: Console, plan: ProgressPlan) -> None:
        self.console, self.plan = console, plan
        self._told: Parts | None = None

    def __enter__(self) -> EpochLines:
        """Nothing is to be prepared."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Nothing is to be put away."""

    def __call__(self, moment: TrainingProgress) -> None:
        """Prints where the epoch brought new scores."""
        if self.is_new(moment):
            self.console.print(Text(epoch_text(moment, self.plan)), soft_wrap=True)

    def is_new(self, moment: TrainingProgress) -> bool:
        """Whether these scores were not told before."""
        # L-BFGS tells of its end alone; elsewhere the end repeats the last epoch, and a step shows the scores of an older one.
        if moment.kind == "steps" or not moment.scores or moment.scores is self._told:
            return False
        first = self._told is None
        self._told = moment.scores
        return moment.kind == "epoch" or first


class LiveProgress(EpochLines):
    """A callback that draws a bar with the counter below it, and above it a line for each epoch (for about 20 of many)."""

    def __init__(self, console: Console, plan: ProgressPlan) -> None:
        super().__init__(console, plan)
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._drawn = 0.0
        self._headed = False
        self._row = 0

    def __enter__(self) -> LiveProgress:
        """Draws the bar, still empty."""
        self._live.start()
        self._live.update(self._drawing(None), refresh=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Takes the bar away; the epochs' lines stay."""
        self._live.stop()

    def __call__(self, moment: TrainingProgress) -> None:
        """Draws the state, at most ten times a second."""
        every = -(-self.plan.epochs // _MOST_ROWS)
        if self.is_new(moment) and (moment.epoch >= self._row + every or moment.step == moment.steps or moment.kind == "end"):
            self._print_row(moment)
        if moment.kind == "end" or time.monotonic() - self._drawn > _REDRAW_SECONDS:
            self._drawn = time.monotonic()
            self._live.update(self._drawing(moment), refresh=True)

    def _print_row(self, moment: TrainingProgress) -> None:
        screen = self._live.console
        head, row = epoch_columns(moment, self.plan, screen.width)
        self._row = moment.epoch
        if not self._headed:
            screen.print(Text(head, style="bold"))
            self._headed = True
        screen.print(Text(row))

    def _drawing(self, moment: TrainingProgress | None) -> RenderableType:
        step, steps = (moment.step, moment.steps) if moment else (0, self.plan.epochs * self.plan.batches)
        grid = Table.grid(padding=(0, 1))
        share = step / steps if steps else 1.0
        left = f"about {duration(moment.seconds * (steps - step) / step)} left" if moment and step else ""
        grid.add_row(ProgressBar(total=max(steps, 1), completed=step, width=30), Text(f"{share:.0%}"), Text(left, style="dim"))
        words = [Text(self.plan.title or position(self.plan, step))]
        if moment is not None and np.isfinite(moment.loss):
            words.append(Text(f"loss {numeral(moment.loss)}{_accuracy(moment.scores)} · {duration(moment.seconds)}"))
        return Group(grid, *words)


class ReadingBar:
    """A listener to what reads data: draws a bar on a terminal, and takes it away at the end, where that takes more than a second.

    In a log, where nothing can be taken away, it writes one line in place of the bar.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self._live: Live | None = None
        self._said = False
        self._began = self._drawn = 0.0

    def __call__(self, words: str, share: float) -> None:
        """Draws how far it is, at most ten times a second."""
        now = time.monotonic()
        self._began = self._began or now
        if share >= 1:
            self.stop()
        elif now - self._began > _QUIET_SECONDS and now - self._drawn > _REDRAW_SECONDS:
            self._drawn = now
            self._draw(words, share)

    def stop(self) -> None:
        """Takes the bar away; what is read next may take another second."""
        if self._live is not None:
            self._live.stop()
        self._live, self._began = None, 0.0

    def _draw(self, words: str, share: float) -> None:
        if not self.console.is_terminal or self.console.is_dumb_terminal:
            if not self._said:
                self.console.print(Text(f"{words} ..."))
            self._said = True
            return
        if self._live is None:
            self._live = Live(console=self.console, auto_refresh=False, transient=True)
            self._live.start()
        grid = Table.grid(padding=(0, 1))
        grid.add_row(ProgressBar(total=1.0, completed=share, width=30), Text(f"{share:.0%}"), Text(words, style="dim"))
        self._live.update(grid, refresh=True)


def _accuracy(parts: Parts) -> str:
    """The newest accuracy of the part that tells most."""
    for part in ("validation", "test", "training"):
        if "accuracy" in parts.get(part, {}):
            return f" · {printable(part)} accuracy {numeral(float(np.mean(parts[part]['accuracy'])))}"
    return ""
