"""Trainings that are killed at random moments, also while they are gone on with, until one is done. Run as a program."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import numpy as np

import chainrule as cr
from chainrule.train import pieces

DATA = cr.data.moons(60, seed=1)
SETTINGS = {"optimizer": cr.Adam(cr.Cosine(0.01)), "epochs": 12, "batch_size": 7, "seed": 3, "engine": "reference"}
STOP = {"early_stopping": cr.EarlyStopping(patience=100)}


def network() -> cr.Sequential:
    return cr.Sequential(cr.Dense(5, "tanh"), cr.Dropout(0.2), cr.BatchNorm(), cr.Dense(2, "softmax"))


def data() -> cr.data.Dataset:
    part = cr.data.Examples
    return cr.data.Dataset(
        "killed",
        part(DATA.train.x[:40], DATA.train.y[:40]),
        part(DATA.train.x[40:], DATA.train.y[40:]),
        DATA.test,
        classes=DATA.classes,
    )


def begin(folder: Path) -> None:
    cr.fit(network(), data(), folder=folder, **SETTINGS, **STOP)


def go_on(folder: Path) -> None:
    cr.resume(folder / "latest", data=data())


def killed_after(seconds: float, work, folder: Path) -> bool:
    """Does the work in a child, which is killed after so many seconds; whether that came before its end."""
    child = os.fork()
    if child == 0:
        try:
            work(folder)
            os._exit(0)
        finally:
            os._exit(3)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert not os.WIFEXITED(status) or os.WEXITSTATUS(status) == 0, f"the child ended by itself with {status}"
    return os.WIFSIGNALED(status)


def main(place: Path, seed: int, kills: int) -> None:
    """Kills that often; prints what came of it. AssertionError where a run that was killed is not the run that never was."""
    pieces.PIECE_SECONDS = 0.0
    whole = cr.fit(network(), data(), **SETTINGS, **STOP)
    began = time.perf_counter()
    begin(place / "timed")
    length = time.perf_counter() - began
    random_ = random.Random(seed)
    done = runs = early = 0
    while done < kills:
        folder = place / f"run{runs}"
        runs += 1
        alive = True
        while alive and done < kills:
            begun = (folder / "latest.txt").is_file()
            alive = killed_after(random_.uniform(0.0, 1.2 * length), go_on if begun else begin, folder)
            done += alive
            if (folder / "latest.txt").is_file():
                check_readable(folder)
            else:
                early += 1
        if (folder / "latest.txt").is_file():
            go_on(folder)
            check_whole(folder, whole)
    print(json.dumps({"kills": done, "runs": runs, "before there was a folder": early}))


def check_readable(folder: Path) -> None:
    """After a kill: the folder opens, at a state with all its history."""
    run = cr.open_run(folder / "latest", data=data())
    assert run.history.end == run.trainer.step


def check_whole(folder: Path, whole: cr.Run) -> None:
    """At the end: the same bits everywhere, and nothing left behind."""
    run = cr.open_run(folder / "latest", data=data())
    assert all(np.array_equal(array, run.trainer.state[name]) for name, array in whole.trainer.state.items())
    assert np.array_equal(run.history.steps(), whole.history.steps())
    assert [epoch.hash for epoch in run.history.epochs] == [epoch.hash for epoch in whole.history.epochs]
    assert not list(run.folder.rglob("*.partial*")), "something half written"


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
