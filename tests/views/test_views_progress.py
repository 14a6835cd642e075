"""Progress: the counter's words, a line to each evaluated epoch, a bar in a terminal."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console

from chainrule.train import TrainingProgress
from chainrule.views.progress import EpochLines, LiveProgress, ProgressPlan, ReadingBar, epoch_columns, position

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
