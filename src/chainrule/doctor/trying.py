"""Trying cures: the sick training and each cured one with the same seeds, compared pair by pair."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from chainrule.doctor.chances import at_least
from chainrule.doctor.finding import Cure, Finding, Tried, Verdict
from chainrule.errors import NonFiniteError
from chainrule.graph import Array
from chainrule.train import Run, Training
from chainrule.train.replicated import LEVEL, compare

Watch: TypeAlias = Callable[[str], object]
"""Told what is trained next."""


def replicated(training: Training, seeds: int) -> list[Run | None]:
    """The training with so many seeds: one run of all; where numbers went wrong a run to each seed, None if it went wrong."""
    try:
        return [training.changed(replicas=seeds).fit()]
    except NonFiniteError:
        return [_one(training.changed(replicas=1, seed=training.seed + k)) for k in range(seeds)]


def _one(training: Training) -> Run | None:
    try:
        return training.fit()
    except NonFiniteError:
        return None


def scores(runs: Sequence[Run | None], kind: str) -> tuple[str, str, Array]:
    """What was measured, on which part, and its values, one to a seed: NaN where a training went wrong."""
    run = next((one for one in runs if one is not None), None)
    if run is None:
        return "score", "", np.full(len(runs), np.nan)
    part = next(part for part in ("validation", "test", "training") if part in run.dataset_info.parts)
    name, values = "loss", np.full(len(runs), np.nan)
    found: list[Array] = []
    for one in runs:
        if one is None:
            found.append(np.array([np.nan]))
            continue
        evaluation = one.evaluate(part)
        name, values = evaluation.score if kind == "usual" else ("loss", evaluation.loss)
        found.append(values.astype(np.float64))
    return name, part, np.concatenate(found)


def tried(findings: Sequence[Finding], sick: list[Run | None], seeds: int, watch: Watch | None) -> tuple[Finding, ...]:
    """The findings with each cure that can be made tried out, beside the sick training with the same seeds."""
    return tuple(
        replace(found, cures=tuple(_with_trial(found, cure, sick, seeds, watch) for cure in found.cures)) for found in findings
    )


def _with_trial(finding: Finding, cure: Cure, sick: list[Run | None], seeds: int, watch: Watch | None) -> Cure:
    if cure.training is None or finding.grade != "ill":
        return cure
    if watch is not None:
        watch(f"{finding.ailment}: {cure.words}")
    return replace(cure, tried=trial(sick, replicated(cure.training, seeds), cure.score, seeds))


def trial(sick: Sequence[Run | None], cured: Sequence[Run | None], kind: str, seeds: int) -> Tried:
    """What came of a cure: pairs of the same seed compared; where trainings went wrong, which of each pair is better."""
    name, part, before = scores(sick, kind)
    other, place, after = scores(cured, kind)
    name, part = (name, part) if part else (other, place)
    values = tuple(before.tolist()), tuple(after.tolist())
    sign = -1.0 if name == "loss" else 1.0
    by_signs = _by_signs(sign * before, sign * after)
    if np.isnan([*before, *after]).any():
        return Tried(name, part, *values, by_signs)
    with np.errstate(over="ignore"):  # losses of sick trainings
        found = compare(after, before, paired=True)
    # Pairs that all differ by the same have no scatter to judge by, as accuracies of a few examples may.
    apart = found.told_apart and (found.error > 0 or by_signs != "cannot be told apart")
    good = sign * found.difference > 0
    return Tried(name, part, *values, "cannot be told apart" if not apart else "better" if good else "worse", found)


def _by_signs(before: Array, after: Array) -> Verdict:
    """The sign test: in how many pairs the second is better, a training that went wrong being worse than any that did not.

    Source: J. Arbuthnot, Phil. Trans. 27, 186 (1710).
    """
    ranks = [np.where(np.isnan(values), -np.inf, values) for values in (before, after)]
    better, worse = int(np.sum(ranks[1] > ranks[0])), int(np.sum(ranks[1] < ranks[0]))
    chance = 2 * at_least(max(better, worse), better + worse, 0.5)
    if chance >= LEVEL:
        return "cannot be told apart"
    return "better" if better > worse else "worse"
