"""Progress wherever Python runs: in a notebook an output that is drawn anew in its place, in a terminal a bar, in a log lines."""

from __future__ import annotations

import importlib
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import numpy as np

from chainrule.display import Shown
from chainrule.spelled import HANDLER
from chainrule.train import Run, TrainingProgress
from chainrule.views.objects.parts import shown, verdict
from chainrule.views.objects.runs import curves_picture, curves_table
from chainrule.views.standing import EpochLines, ProgressPlan, epoch_text, position, state_text, time_left
from chainrule.views.svg import clean

if TYPE_CHECKING:
    from rich.console import Console

_REDRAW_SECONDS = 0.25
_FIRST_SECONDS = 1.0
_PATIENCE = 20
"""A picture that took t to draw is drawn again after 20 t: curves take a twentieth of the time at most."""


class Progress(Shown):
    """A callback that shows how far a training is, and its curves while they grow.

    In a notebook (JupyterLab, VS Code, Colab) it is one output, drawn anew in its place, which needs no extension; written out as
    plain text it is a line to each evaluated epoch. In a terminal it is the bar of `chainrule train`, in a log a line to each epoch.

    >>> import chainrule as cr
    >>> run = cr.fit("2-4-2 tanh softmax", cr.data.moons(100), epochs=3, evaluate_every=3, callbacks=cr.Progress())
    epoch 3 of 3: training loss ..., accuracy ... · test loss ..., accuracy ... · ...
    """

    _told: EpochLines | None = None

    def __enter__(self) -> Progress:
        """Nothing is drawn before it is known how much there is to do."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Takes the bar away, also after an error."""
        told, self._told = self._told, None
        if told is not None:
            told.__exit__(kind, error, trace)

    def __call__(self, moment: TrainingProgress) -> None:
        """Draws the state, a few times a second at most."""
        if moment.trainer is None:
            return
        if self._told is None:
            self._told = _suited(ProgressPlan.of(moment.trainer.settings, moment.trainer.count))
            self._told.__enter__()
        self._told(moment)


class _Spelling:
    """Standard output, which spells the letters that its encoding lacks: nobody's training is to end by one."""

    def write(self, text: str) -> int:
        """Writes the text."""
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        return sys.stdout.write(text.encode(encoding, HANDLER).decode(encoding))

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stdout, name)


def _suited(plan: ProgressPlan) -> EpochLines:
    """What suits where the output goes."""
    from rich.console import Console

    from chainrule.views.progress import progress_on

    screen = Console(file=cast("Any", _Spelling()), highlight=False, markup=False, emoji=False, force_jupyter=False)
    python = sys.modules.get("IPython")  # where it is not loaded, this is no notebook
    shell: Any = python.get_ipython() if python else None
    if getattr(shell, "kernel", None) is None:
        return progress_on(screen, plan)
    return NotebookProgress(screen, plan, importlib.import_module("IPython.display"))


class NotebookProgress(EpochLines):
    """A callback that draws a bar, the counter and the curves as one output of a notebook's cell, in its place."""

    def __init__(self, console: Console, plan: ProgressPlan, display: Any) -> None:
        super().__init__(console, plan)
        self._display, self._id = display, f"chainrule-{uuid4().hex}"
        self._lines: list[str] = []
        self._curves = ""
        self._drawn = self._curves_due = 0.0
        self._shown = False

    def __call__(self, moment: TrainingProgress) -> None:
        """Draws the state, at most four times a second, and the curves as often as they are cheap."""
        if self.is_row(moment):
            self._lines.append(epoch_text(moment, self.plan))
        now = time.monotonic()
        end = moment.kind == "end"
        if not end and now - self._drawn < _REDRAW_SECONDS:
            return
        if (end or now >= self._curves_due) and moment.scores and moment.trainer:
            run, is_first = Run(moment.trainer), not self._curves
            self._curves = curves_picture(run) or curves_table(run.history)
            # The first one loads matplotlib, which says nothing of the next.
            self._curves_due = now + (_FIRST_SECONDS if is_first else _PATIENCE * (time.monotonic() - now))
        self._drawn = now
        told = verdict(self._lines[-1]) if end and self._lines else _bar(moment, self.plan)
        bundle = {"text/html": shown(told, self._curves), "text/plain": "\n".join(self._lines) or "training ..."}
        self._display.display(bundle, raw=True, display_id=self._id, update=self._shown)
        self._shown = True


def _bar(moment: TrainingProgress, plan: ProgressPlan) -> str:
    """How much is done, and how it stands."""
    words = plan.title or position(plan, moment.step)
    if np.isfinite(moment.loss):
        words = f"{words} · {state_text(moment)}"
    share = moment.step / max(moment.steps, 1)
    bar = f'<progress value="{share:.4f}" max="1" style="width:20em;vertical-align:middle"></progress>'
    return f'<p>{bar} {share:.0%} <span class="faint">{clean(time_left(moment))}</span></p><p>{clean(words)}</p>'
