"""Progress in a terminal or a log: of a training, in the words example, batch and epoch, and of reading long files."""

from __future__ import annotations

import os
import time
from types import TracebackType

import numpy as np
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from chainrule.train import TrainingProgress
from chainrule.views.standing import EpochLines, ProgressPlan, epoch_columns, position, state_text, time_left

_REDRAW_SECONDS = 0.1
_QUIET_SECONDS = 1.0


class LiveProgress(EpochLines):
    """A callback that draws a bar with the counter below it, and above it a line for each epoch (for about 20 of many)."""

    def __init__(self, console: Console, plan: ProgressPlan) -> None:
        super().__init__(console, plan)
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._drawn = 0.0
        self._headed = False

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
        if self.is_row(moment):
            self._print_row(moment)
        if moment.kind == "end" or time.monotonic() - self._drawn > _REDRAW_SECONDS:
            self._drawn = time.monotonic()
            self._live.update(self._drawing(moment), refresh=True)

    def _print_row(self, moment: TrainingProgress) -> None:
        screen = self._live.console
        head, row = epoch_columns(moment, self.plan, screen.width)
        if not self._headed:
            screen.print(Text(head, style="bold"))
            self._headed = True
        screen.print(Text(row))

    def _drawing(self, moment: TrainingProgress | None) -> RenderableType:
        step, steps = (moment.step, moment.steps) if moment else (0, self.plan.epochs * self.plan.batches)
        grid = Table.grid(padding=(0, 1))
        share = step / steps if steps else 1.0
        left = time_left(moment) if moment else ""
        grid.add_row(ProgressBar(total=max(steps, 1), completed=step, width=30), Text(f"{share:.0%}"), Text(left, style="dim"))
        words = [Text(self.plan.title or position(self.plan, step))]
        if moment is not None and np.isfinite(moment.loss):
            words.append(Text(state_text(moment)))
        return Group(grid, *words)


def progress_on(screen: Console, plan: ProgressPlan) -> EpochLines:
    """The callback that suits a console: a bar where it can be drawn anew, else lines."""
    drawn = screen.is_terminal and not screen.is_dumb_terminal and not os.environ.get("NO_COLOR")
    return LiveProgress(screen, plan) if drawn else EpochLines(screen, plan)


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
