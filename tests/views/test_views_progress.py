"""Progress: the counter's words, a line to each evaluated epoch, a bar in a terminal."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

import chainrule as cr
from chainrule.train import TrainingProgress
from chainrule.views.progress import LiveProgress, ReadingBar
from chainrule.views.standing import EpochLines, ProgressPlan, epoch_columns, position

PLAN = ProgressPlan(5, 1875, 32, 60_000)


def scores(replicas=1):
    values = {"loss": np.linspace(0.2, 0.3, replicas), "accuracy": np.linspace(0.8, 0.9, replicas)}
    return {"training": values, "test": values}


def moment(kind, step, parts=None, steps=9375):
    return TrainingProgress(kind, step, steps, step // 1875, 0.25, parts or {}, 1.5)


def console(width=100, **settings):
    return Console(file=io.StringIO(), width=width, highlight=False, markup=False, **settings)


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (0, "before the first of 5 epochs"),
        (1, "example 32 · batch 1 of 1 875 · epoch 1 of 5"),
        (1875, "example 60 000 · batch 1 875 of 1 875 · epoch 1 of 5"),
        (1876, "example 32 · batch 1 of 1 875 · epoch 2 of 5"),
    ],
)
def test_position(step, text):
    assert position(PLAN, step) == text


def test_position_counts_the_short_last_batch():
    assert position(ProgressPlan(1, 4, 32, 100), 4) == "example 100 · batch 4 of 4 · epoch 1 of 1"


def test_lines_tell_each_evaluation_once():
    screen = console()
    first, second = scores(), scores()
    with EpochLines(screen, PLAN) as told:
        for event in (
            moment("steps", 100),
            moment("epoch", 1875, first),
            moment("steps", 2000, first),
            moment("epoch", 3750, first),  # not evaluated: the scores are those of an epoch before
            moment("epoch", 5625, second),
            moment("end", 5625, second),
        ):
            told(event)
    lines = screen.file.getvalue().splitlines()
    assert [line[:12] for line in lines] == ["epoch 1 of 5", "epoch 3 of 5"]
    assert lines[0] == "epoch 1 of 5: training loss 0.2, accuracy 0.8 · test loss 0.2, accuracy 0.8 · 1.5 s"


def test_lines_tell_an_end_without_epochs():
    screen = console()
    EpochLines(screen, PLAN)(moment("end", 9375, scores()))
    assert screen.file.getvalue().startswith("epoch 5 of 5")


@pytest.mark.parametrize("width", [50, 60, 80, 100])
@pytest.mark.parametrize("replicas", [1, 8])
def test_columns_fit(width, replicas):
    head, row = epoch_columns(moment("epoch", 1875, scores(replicas)), PLAN, width)
    assert max(len(head), len(row)) <= width
    assert "test loss" in head
    assert ("±" in row) == (replicas > 1 and width >= 100)


@pytest.mark.parametrize("width", [40, 100])
def test_live(width):
    screen = console(width, force_terminal=True, color_system=None)
    with LiveProgress(screen, PLAN) as told:
        told(moment("steps", 1935, scores()))
        told(moment("epoch", 3750, scores()))
        told(moment("end", 9375, scores()))
    text = screen.file.getvalue()
    assert "epoch 2 of 5" in text
    assert "2 of 5" in text
    assert "test accuracy 0.8" in text


def test_live_prints_about_twenty_of_many_epochs():
    screen = console(force_terminal=True, color_system=None)
    plan = ProgressPlan(1000, 1, 10, 10)
    with LiveProgress(screen, plan) as told:
        for epoch in range(1, 1001):
            told(TrainingProgress("epoch", epoch, 1000, epoch, 0.1, scores(), 0.1))
    rows = [line for line in screen.file.getvalue().splitlines() if " of 1000  0." in line]
    assert len(rows) == 20


@pytest.mark.parametrize("terminal", [False, True])
def test_a_bar_while_reading_takes_more_than_a_second(monkeypatch, terminal):
    now = [100.0]
    monkeypatch.setattr("chainrule.views.progress.time.monotonic", lambda: now[0])
    screen = console(force_terminal=terminal)
    bar = ReadingBar(screen)
    for seconds, share in ((0.0, 0.1), (0.9, 0.4), (1.2, 0.5), (1.25, 0.6), (1.5, 0.7)):
        now[0] = 100 + seconds
        bar("reading", share)
        assert bool(screen.file.getvalue()) == (seconds > 1)
    bar("reading", 1.0)
    told = screen.file.getvalue()
    assert "60%" not in told
    assert (told == "reading ...\n") == (not terminal)
    assert ("70%" in told and "reading" in told) == terminal
    bar("reading", 0.1)
    assert screen.file.getvalue() == told
    bar.stop()


# ---- wherever Python runs


class Cell:
    """What a notebook's display is told: the bundles, and whether each takes the place of the one before."""

    def __init__(self):
        self.shown = []

    def display(self, bundle, *, raw, display_id, update):
        assert raw
        self.shown.append((bundle, display_id, update))


@pytest.fixture
def cell(monkeypatch):
    made = Cell()
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=object())))
    monkeypatch.setitem(sys.modules, "IPython.display", made)
    return made


def test_in_a_notebook_one_output_is_drawn_in_its_place(cell, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("chainrule.views.notebook.time.monotonic", lambda: now[0])
    drawn = []
    monkeypatch.setattr("chainrule.views.notebook.curves_picture", lambda run: drawn.append(now[0]) or "<svg/>")

    def later(moment):
        now[0] += 0.1

    run = cr.fit("2-4-2 tanh softmax", cr.data.moons(100), epochs=40, batch_size=10, callbacks=[later, cr.Progress()])
    updates = [update for _, _, update in cell.shown]
    assert updates == [False] + [True] * (len(updates) - 1)
    assert len({name for _, name, _ in cell.shown}) == 1
    assert len(updates) <= now[0] / 0.25 + 2
    first, last = cell.shown[0][0], cell.shown[-1][0]
    assert "<progress" in first["text/html"]
    assert "<progress" not in last["text/html"]
    lines = last["text/plain"].splitlines()
    assert len(lines) == 20
    assert lines[-1] == f"epoch 40 of 40: {lines[-1].partition(': ')[2]}"
    assert f"test loss {run.history.curve('test')[1][-1][0]:.4g}"[:14] in last["text/html"]
    assert drawn[-1] == now[0]


def test_curves_take_a_twentieth_of_the_time_at_most(cell, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("chainrule.views.notebook.time.monotonic", lambda: now[0])

    drawn = []

    def slow(run):
        now[0] += 1.0
        drawn.append(now[0])
        return "<svg/>"

    monkeypatch.setattr("chainrule.views.notebook.curves_picture", slow)

    def later(moment):
        now[0] += 2.0

    cr.fit("2-4-2 tanh softmax", cr.data.moons(100), epochs=80, batch_size=10, callbacks=[later, cr.Progress()])
    _, *regular, _ = drawn  # the first one loads matplotlib; and there is one at the end
    assert len(regular) >= 3
    assert min(np.diff(regular)) > 20


def test_without_matplotlib_the_curves_are_blocks(cell, monkeypatch):
    monkeypatch.setattr("chainrule.views.notebook.curves_picture", lambda run: "")
    cr.fit("2-4-2 tanh softmax", cr.data.moons(100), epochs=3, callbacks=cr.Progress())
    assert "training loss" in cell.shown[-1][0]["text/html"]
    assert "█" in cell.shown[-1][0]["text/html"]


def test_a_bar_is_taken_away_where_an_error_ends_the_training(monkeypatch):
    screen = sys.stdout
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    progress = cr.Progress()

    def failing(moment):
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        cr.fit("2-4-2 tanh softmax", cr.data.moons(100), epochs=3, callbacks=[progress, failing])
    assert sys.stdout is screen
    cr.fit("2-4-2 tanh softmax", cr.data.moons(100), epochs=3, callbacks=progress)
    assert sys.stdout is screen
