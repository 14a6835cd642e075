"""A sweep over depth and width: whether two hidden layers of 16 neurons are anything special."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.data import Dataset, mnist
from chainrule.examples.example import LectureExample, Outcome, Runs
from chainrule.examples.fact import Fact
from chainrule.graph import Array
from chainrule.train import SGD, Run, Training
from chainrule.train.replicated import Comparison, Measured, compare, listed, measured
from chainrule.views import pictures
from chainrule.views.view import View

DEPTHS, WIDTHS = (1, 2, 3), (8, 16, 32, 64)
LECTURE = (2, 16)
SIGNS = {"larger": "▲", "smaller": "▼", "cannot be told apart": "≈"}


def trainings(
    seed: int,
    *,
    depths: tuple[int, ...] = DEPTHS,
    widths: tuple[int, ...] = WIDTHS,
    replicas: int = 8,
    epochs: int = 5,
    data: Dataset | None = None,
) -> Mapping[str, Training]:
    """A training for each depth and width, on all of MNIST unless told otherwise."""
    chosen = mnist() if data is None else data
    inputs = chosen.input_shape[0]
    options: dict[str, Any] = {
        "optimizer": SGD(0.1),
        "batch_size": 32,
        "replicas": replicas,
        "epochs": epochs,
        "evaluate_every": 0,
    }
    places = [(depth, width) for depth in depths for width in widths]
    # Seeds of different networks are apart, so that they are independent measurements.
    return {
        name_of(depth, width): Training(
            "-".join([str(inputs), *[str(width)] * depth, "10 relu"]), chosen, **options, seed=10_000 * seed + 100 * place
        )
        for place, (depth, width) in enumerate(places)
    }


def name_of(depth: int, width: int) -> str:
    """How a network is called: hidden layers × neurons in each.

    >>> name_of(2, 16)
    '2 × 16'
    """
    return f"{depth} × {width}"


def conclude(runs: Runs, seed: int) -> Outcome:
    """The facts: test errors in per cent, each beside that of the lectures' network."""
    errors = {name: 100 * (1 - run.evaluate("test").scores.values["accuracy"]) for name, run in runs.items()}
    beside = name_of(*LECTURE)
    found = {name: compare(row, errors[beside], among=len(errors) - 1) for name, row in errors.items() if name != beside}
    means = {name: measured(row) for name, row in errors.items()}
    best = min(means, key=lambda name: means[name].value)
    lecture = means[beside]
    facts = (
        Fact(f"test error, {beside}", lecture.value, lecture.error, unit="%"),
        Fact(f"test error of the best, {best}", means[best].value, means[best].error, unit="%"),
        *(
            Fact(f"test error, {name}, less {beside}", other.difference, other.error, unit="points")
            for name, other in found.items()
        ),
    )
    return Outcome(verdict_of(beside, lecture, found), facts, (picture(means, found), widths_picture(runs, means)))


def verdict_of(beside: str, lecture: Measured, found: Mapping[str, Comparison]) -> str:
    """What follows from the comparisons with the lectures' network."""
    groups = {verdict: [name for name, other in found.items() if other.verdict == verdict] for verdict in SIGNS}
    parts = [
        f"{listed(groups[verdict])} {words}"
        for verdict, words in (
            ("smaller", "make fewer errors"),
            ("larger", "make more"),
            ("cannot be told apart", "cannot be told from it"),
        )
        if groups[verdict]
    ]
    special = (
        "nothing singles it out" if groups["smaller"] or groups["cannot be told apart"] else "no other network tried is as good"
    )
    depth, width = beside.split(" × ")
    head = f"{depth} hidden layers of {width} neurons, {beside}, end with {lecture} % test errors"
    return f"{head}. {'; '.join(parts)}. So {special}."


def _axes(means: Mapping[str, object]) -> tuple[list[int], list[int]]:
    pairs = [tuple(int(word) for word in name.split(" × ")) for name in means]
    return sorted({pair[0] for pair in pairs}), sorted({pair[1] for pair in pairs})


def picture(means: Mapping[str, Measured], found: Mapping[str, Comparison]) -> View:
    """The table of test errors."""
    depths, widths = _axes(means)
    names = [[name_of(depth, width) for width in widths] for depth in depths]
    signs = [[SIGNS[found[name].verdict] if name in found else "(the lecture's)" for name in row] for row in names]
    return pictures.sweep(
        "Test error by depth and width", "test error (%)", ("hidden layers", list(map(str, depths))),
        ("neurons in each hidden layer", list(map(str, widths))),
        np.array([[means[name].value for name in row] for row in names]), np.array([[means[name].error for name in row] for row in names]),
        np.array(signs), name_of(*LECTURE),
    )  # fmt: skip


def widths_picture(runs: Runs, means: Mapping[str, Measured]) -> View:
    """The test errors against the number of parameters."""
    depths, widths = _axes(means)
    rows = {depth: [name_of(depth, width) for width in widths] for depth in depths}
    return pictures.against_parameters(
        "test error (%)",
        tuple(f"{depth} hidden layer{'s' * (depth > 1)}" for depth in depths),
        np.array([[parameters_of(runs[name]) for name in row] for row in rows.values()]),
        np.array([[means[name].value for name in row] for row in rows.values()]),
        np.array([[means[name].error for name in row] for row in rows.values()]),
    )


def parameters_of(run: Run) -> int:
    """How many numbers a network of the run has learned."""
    arrays: list[Array] = list(run.parameters().values())
    return sum(array.size for array in arrays)


DEPTH_WIDTH = LectureExample(
    "depth-width",
    "Why two hidden layers of 16 neurons?",
    "The lectures read digits with two hidden layers of 16 neurons. Is that a good choice, or just one? Networks of one to three hidden "
    "layers of 8 to 64 neurons learn all 60 000 digits for five epochs, eight networks of each kind, which differ in their seed. Each "
    "kind is compared with the lectures', and all eleven comparisons together claim a difference by chance in at most 5 % of cases.",
    "23",
    trainings,
    conclude,
)
