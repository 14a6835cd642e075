"""Hopfield's memory: a corrupted pattern that falls into a stored one, and how well patterns are kept when they become many."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np

from chainrule.errors import ShapeError
from chainrule.graph import Array, Shape
from chainrule.nn import hebb_weights, hopfield_recall
from chainrule.ops import erf
from chainrule.train.replicated import standard_error
from chainrule.views.marks import Line, Mark, Points, Rule, Scale, dashes, second_marker, with_bars
from chainrule.views.panels import Axis, Panel
from chainrule.views.pictures.mosaics import mosaic_panel
from chainrule.views.view import View, numbers

CAPACITY = 0.1379056
"""The largest load P/N at which infinitely many neurons remember: where the curve of `retrieval_theory` ends."""


def retrieval_theory(count: int = 400) -> tuple[Array, Array]:
    """Load α and overlap m of the states in which stored patterns are remembered, for infinitely many neurons: each (count,).

    The last α is the capacity, α_c = 0.1379: beyond it there is no such state. With y = m/√(2αr) the overlap is m = erf(y) and the load
    √(2α) = erf(y)/y − 2/√π·exp(−y²).

    Source: D. J. Amit, H. Gutfreund, H. Sompolinsky, Phys. Rev. Lett. 55, 1530 (1985), at temperature 0.

    >>> load, overlap = retrieval_theory()
    >>> float(load[-1].round(4)), float(overlap[-1].round(3))
    (0.1379, 0.967)
    """
    y = np.linspace(1.0, 4.0, 30_001)
    m = erf.meaning(y)
    load = 0.5 * (m / y - 2 / np.sqrt(np.pi) * np.exp(-(y**2))) ** 2
    top = int(load.argmax())
    # Below the top two overlaps belong to a load: the larger one is the memory.
    wanted: Array = np.linspace(float(load[-1]), float(load[top]), count)
    return wanted, np.interp(wanted, load[top:][::-1], m[top:][::-1])


def overlap_against_load(neurons: Sequence[int], loads: Sequence[float], *, sets: int = 8, seed: int = 0) -> View:
    """Random patterns stored by Hebb's rule, each recalled from itself: its overlap with where it comes to rest.

    `sets` sets of patterns are drawn anew for each number of neurons and each load. The numbers, for `neurons` (sizes,) and `loads`
    (loads,): `overlaps` (sizes, loads, sets), and `recalled` (sizes, loads, sets), the fraction of the patterns that end with an overlap
    above 0.9.
    """
    shape = (len(neurons), len(loads), sets)
    overlaps, recalled = np.empty(shape), np.empty(shape)
    for (i, count), (j, load), k in product(enumerate(neurons), enumerate(loads), range(sets)):
        found = _overlaps(count, max(1, round(load * count)), (seed, count, j, k))
        overlaps[i, j, k], recalled[i, j, k] = found.mean(), np.mean(found > 0.9)
    return _load_view(np.array(neurons), np.array(loads), overlaps, recalled)


def _overlaps(count: int, stored: int, seed: tuple[int, ...]) -> Array:
    patterns = np.where(np.random.default_rng(seed).random((stored, count)) < 0.5, -1.0, 1.0)
    ended = hopfield_recall(hebb_weights(patterns), patterns, seed=seed[-1])
    return np.mean(ended.states * patterns, axis=1)


def _load_view(neurons: Array, loads: Array, overlaps: Array, recalled: Array) -> View:
    """The view of `overlap_against_load`."""
    load, overlap = retrieval_theory()
    within = load >= loads.min()
    theory = Line(load[within], overlap[within], width=1.8, label="theory, infinitely many")
    return View(
        "How well a memory keeps many patterns",
        f"Marks are means over {overlaps.shape[2]} sets of random patterns, with one standard error; up to the dashed line, the "
        "capacity by theory, patterns stay near where they were stored and larger memories lose a smaller fraction of them, beyond it "
        "a larger one.",
        [
            _over_loads(neurons, loads, overlaps, [theory], "overlap with the pattern (no unit)"),
            _over_loads(neurons, loads, recalled, [], "patterns kept: overlap above 0.9 (share)"),
        ],
        numbers(neurons=neurons, loads=loads, overlaps=overlaps, recalled=recalled),
        size=(7.6, 3.8),
    )


def _over_loads(neurons: Array, loads: Array, tables: Array, theory: Sequence[Mark], label: str) -> Panel:
    lines = [
        mark
        for i, (count, table) in enumerate(zip(neurons.tolist(), tables, strict=True))
        for mark in with_bars(i, loads, table.mean(axis=1), standard_error(table), f"{count} neurons", cap=0.0, width=1.0)
    ]
    return Panel(
        [*lines, Rule(x=CAPACITY, dash="dashed", width=0.9, label=f"α_c = {CAPACITY:.4f}"), *theory],
        Axis("load α = patterns/neurons (no unit)"),
        Axis(label, ends=(0, 1.03)),
        legend="lower left" if theory else "none",
    )


def recollection(
    weights: Array, patterns: Array, shape: Shape, *, flipped: float = 0.2, sweeps: int = 100, seed: int = 0
) -> View:
    """Patterns (k, neurons) of ±1 with a fraction of their pixels `flipped` by chance, and where they come to rest in a memory.

    The numbers: patterns as they were `stored`, `corrupted`, and `recalled`, each (k, height, width) of ±1; `energies` (turns + 1, k)
    after each turn of a neuron, NaN beyond the last; `resting` (k,), those of the stored patterns.
    Raises: ShapeError where `shape`, (height, width), has another number of pixels than there are neurons.
    """
    patterns = np.asarray(patterns, dtype=np.float64)
    if patterns.ndim != 2 or patterns.shape[1] != np.prod(shape):
        raise ShapeError(
            f"patterns {patterns.shape} as pictures {shape}",
            expected="height × width neurons",
            remedy=f"give a shape with the product {patterns.shape[-1]}",
        )
    noise = np.random.default_rng(seed).random(patterns.shape) < flipped
    given = np.where(noise, -patterns, patterns)
    found = hopfield_recall(weights, given, sweeps=sweeps, seed=seed)
    resting = -0.5 * np.sum(patterns * (patterns @ weights), axis=1)
    stored, shown, ended = (rows.reshape(len(rows), *shape) for rows in (patterns, given, found.states))
    energies = np.full((max(map(len, found.paths)), len(patterns)), np.nan)
    for column, path in zip(energies.T, found.paths, strict=True):
        column[: len(path)] = path
    images = np.stack([stored, shown, ended])
    columns = [f"pattern {k + 1}" for k in range(len(stored))]
    falls = [mark for k, name in enumerate(columns) for mark in _fall(k, name, energies[:, k], float(resting[k]))]
    return View(
        "Corrupted patterns fall into stored ones",
        "Above, a column to each pattern: as it was stored, as it was given, and where it came to rest; below, its energy after each "
        "turn of a neuron, which only falls, down to that of the stored pattern (dotted).",
        [
            mosaic_panel(
                images,
                Scale("grey", -1.0, 1.0),
                Axis("pattern", texts=[str(k + 1) for k in range(len(stored))]),
                Axis("state", texts=["stored", "given", "recalled"]),
            ),
            Panel(falls, Axis("neurons turned, one after the other"), Axis("energy (no unit)")),
        ],
        numbers(stored=stored, corrupted=shown, recalled=ended, energies=energies, resting=resting),
        columns=1,
        size=(6.8, 5.6),
    )


def _fall(k: int, name: str, energies: Array, resting: float) -> list[Mark]:
    """The way down, where it ends, and the energy of the stored pattern."""
    last = int(np.isfinite(energies).sum()) - 1
    return [
        Rule(y=resting, color=k, dash="dotted", width=0.7),
        Line(np.arange(len(energies)), energies, color=k, dash=dashes(k), label=name),
        Points([last], [energies[last]], color=k, marker=second_marker(k)),
    ]
