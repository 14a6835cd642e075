"""Contrasts: differences between trainings with their confidence intervals, and sweeps as a table of means with errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from chainrule.graph import Array
from chainrule.train.replicated import standard_error
from chainrule.views.marks import MARKERS, Color, ErrorBars, Image, Mark, Points, Rule, Scale, Text, with_bars
from chainrule.views.panels import Axis, Panel
from chainrule.views.scales import decimal
from chainrule.views.view import View, chart, numbers


def contrasts(
    title: str, score: str, scores: Mapping[str, Array], differences: Mapping[str, Array], reach: Array, linear: float = 1.0
) -> View:
    """Scores (n,) of several trainings by their names, and the differences (n,) between them, by what is subtracted from what.

    `reach`: the half width of each difference's interval; the unit of all is that of `score`. The differences' axis is logarithmic
    beyond ±`linear`, since small and large ones stand side by side. The numbers are the scores, the differences, and `reach`.
    """
    left = [(name, values, float(standard_error(values))) for name, values in scores.items()]
    right = [(name, values, float(half)) for (name, values), half in zip(differences.items(), reach, strict=True)]
    return View(
        title,
        "Left each training, a dot to a data set, and the mean with its standard error; right the differences on the same data, with "
        "the interval that holds the true one with 95 % confidence for all of them together: where it holds 0, nothing is told apart; "
        f"their axis is linear to ±{decimal(linear)} and logarithmic beyond.",
        [dots_and_bars(left, Axis(score, log=True, margin=0.08)), _differences(right, f"difference of the {score}", linear)],
        {**scores, **differences, "reach": reach},
        size=(9.6, 3.9),
    )


Row: TypeAlias = tuple[str, Array, float]


"""A name, its values, and how far the bar around their mean reaches."""


def dots_and_bars(rows: Sequence[Row], across: Axis, place_of: Callable[[Array], Array] = np.asarray) -> Panel:
    """Faint dots, and the mean with its bar; `place_of` says where on the axis a number stands."""
    marks: list[Mark] = []
    for row, (_, values, half) in enumerate(rows):
        low, mean, high = place_of(values.mean() + half * np.array([-1.0, 0.0, 1.0]))
        marks += [
            Points(place_of(values), np.full(len(values), row + 0.2), color=row, size=3.5, alpha=0.5),
            ErrorBars([row], [low], [high], flat=True, color=row, cap=3.0),
            Points([mean], [row], color=row, marker=MARKERS[row % len(MARKERS)], size=6.0),
        ]
    names = [name for name, _, _ in rows]
    return Panel(marks, across, Axis(at=range(len(rows)), texts=names, ends=(len(rows) - 0.4, -0.5)))


def _differences(rows: Sequence[Row], label: str, linear: float) -> Panel:
    """An axis that is linear near 0 and logarithmic beyond, with plain labels."""
    ends = np.array([[values.min(), values.max(), values.mean() - half, values.mean() + half] for _, values, half in rows])
    low, high = 1.2 * min(float(ends.min()), -linear), 1.4 * max(float(ends.max()), linear)
    sizes = [linear * front * 10.0**power for power in range(7) for front in (1, 3)]
    ticks = np.array([-size for size in sizes[::-1] if -size >= low] + [0.0] + [size for size in sizes if size <= high])
    across = Axis(
        label,
        at=around_zero(ticks, linear),
        texts=[decimal(tick).replace("-", "−") for tick in ticks.tolist()],
        ends=tuple(around_zero(np.array([low, high]), linear).tolist()),
    )
    panel = dots_and_bars(rows, across, lambda values: around_zero(values, linear))
    return replace(panel, marks=[Rule(x=0.0), *panel.marks])


def around_zero(values: Array, linear: float) -> Array:
    """Where numbers stand on an axis that is linear up to ±`linear`, which stands at ±1, and logarithmic beyond, 1 to a decade.

    >>> around_zero(np.array([-100.0, -0.5, 0.0, 1.0, 10.0]), 1.0)
    array([-3. , -0.5,  0. ,  1. ,  2. ])
    """
    sizes = np.abs(np.asarray(values, dtype=np.float64)) / linear
    return np.sign(values) * np.where(sizes > 1, 1 + np.log10(np.maximum(sizes, 1)), sizes)


def sweep(
    title: str,
    score: str,
    rows: tuple[str, Sequence[str]],
    columns: tuple[str, Sequence[str]],
    means: Array,
    errors: Array,
    signs: ArrayLike,
    beside: str,
) -> View:
    """A score over two options: `means` and `errors` (rows, columns), and a sign for each place: how it compares with `beside`.

    `rows` and `columns` are each the option's name and its values. The numbers are `means`, `errors` and `signs`.
    """
    places = list(np.ndindex(*means.shape))
    texts = np.asarray(signs)
    words = [f"{means[place]:.2f} ± {errors[place]:.2f}\n{texts[place]}" for place in places]
    middle = float(np.sqrt(means.min() * means.max()))
    inks: list[Color] = ["light" if means[place] < middle else "dark" for place in places]
    down, across = np.array(places).T
    scale = Scale("sequential", float(means.min()), float(means.max()), f"{score}, logarithmic", log=True)
    return chart(
        title,
        f"Each cell is the mean {score} with its standard error, dark for little; beside {beside}: ▼ smaller, ▲ larger, ≈ "
        "cannot be told apart, all comparisons together at 95 % confidence.",
        [Image(means, scale=scale), Text(across, down, words, colors=inks, size=9.0)],
        Axis(columns[0], at=range(len(columns[1])), texts=columns[1]),
        Axis(rows[0], at=range(len(rows[1])), texts=rows[1]),
        numbers(means=means, errors=errors, signs=signs),
        size=(7.0, 4.0),
    )


def against_parameters(score: str, names: Sequence[str], parameters: Array, means: Array, errors: Array) -> View:
    """A score against the number of parameters: `parameters`, `means` and `errors` (lines, n), a line to each of `names`."""
    rows = enumerate(zip(names, parameters, means, errors, strict=True))
    lines = [mark for i, (name, at, mean, error) in rows for mark in with_bars(i, at, mean, error, name, cap=3.0, width=1.6)]
    return chart(
        "Errors against the number of parameters",
        f"Each point is the mean {score} of networks that differ in their seed, with its standard error; points of a line differ "
        "in width: where lines lie on each other, only the number of parameters matters.",
        lines,
        Axis("parameters (weights and biases)", log=True),
        Axis(score),
        numbers(parameters=parameters, means=means, errors=errors),
        size=(6.4, 4.0),
    )
