"""Explanations of a whole gradient: mistakes at places and in arrays; and which of several are the plainest."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.trace.mistake_readings import FactorReading, Kinds
from chainrule.trace.mistakes import CATALOGUE, factors
from chainrule.trace.mistakes.kinds import Kind, Planting
from chainrule.trace.planted import Planted


@immutable(eq=False)
class Option:
    """A kind of mistake at one place of the backward pass, with all nodes where it is made."""

    kind: Kind
    place: str
    layer: str
    detail: str
    plantings: tuple[Planting, ...]
    behind: frozenset[str]
    position: int

    @property
    def has_rate(self) -> bool:
        """Whether there is a number in it that must be found."""
        return any(planting.rate is not None for planting in self.plantings)

    def planted(self, rate: float, mine: Mapping[str, Array]) -> Planted:
        """The changed rules."""
        total = Planted()
        for planting in self.plantings:
            total |= planting.planted if planting.rate is None else planting.rate(rate, mine)
        return total


@immutable
class Solution:
    """Mistakes that explain every array: those made at places, and how each parameter's array is read.

    `rate` is the learning rate that weights were updated with too early; 0 where they were not. `said` is what a mistake that changes
    everything, or that has a number in it, has to say.
    """

    kinds: Kinds
    options: tuple[Option, ...]
    rate: float
    arrays: Mapping[str, FactorReading]
    said: str = ""

    @property
    def places(self) -> int:
        """At how many places and in how many arrays a mistake was made."""
        return len(self.options) + sum(bool(reading.kinds) for reading in self.arrays.values())

    @property
    def repeats(self) -> int:
        """How often mistakes were made more than once in one place."""
        return sum(reading.repeats for reading in self.arrays.values())


def is_known(plantings: list[Planting], kind: Kind, grouped: Mapping[tuple[Kind, str, str, str], list[Planting]]) -> bool:
    """Whether a kind that is declared before makes the very same change there: 1 is no σ′, and also ReLU's where z > 0 everywhere."""
    mine = [planting.factor for planting in plantings]
    for (other, place, _, _), others in grouped.items():
        if other is kind:
            return False
        if place == plantings[0].place and len(others) == len(plantings):
            pairs = zip(mine, (planting.factor for planting in others), strict=True)
            if all(a is not None and b is not None and np.allclose(a, b, rtol=1e-9, atol=0) for a, b in pairs):
                return True
    return False


def is_applied_anew(solution: Solution) -> bool:
    """Whether a factor that is there several times may be applied in each layer: squared at most, or growing from layer to layer."""
    repeats = {reading.repeats for reading in solution.arrays.values() if reading.kinds}
    return max(repeats, default=0) < 2 or len(repeats) == max(repeats) + 1 - min(repeats) > 1


def plainest(found: list[Solution]) -> tuple[Solution, ...]:
    """Of each set of kinds the solutions with the fewest places, of all those with the fewest repeats; vague ones last."""
    if not found:
        return ()
    exact = [solution for solution in found if not any(kind.vague for kind in solution.kinds)] or found
    fewest = min(solution.repeats for solution in exact)
    kept = [solution for solution in exact if solution.repeats == fewest]
    places: dict[Kinds, int] = {}
    for solution in kept:
        places[solution.kinds] = min(places.get(solution.kinds, solution.places), solution.places)
    kept = [solution for solution in kept if solution.places == places[solution.kinds]]
    # 1/B too often in biases alone is the mean over the batch under a vaguer name.
    known = {solution.kinds for solution in kept}
    said: dict[object, Solution] = {}
    for solution in kept:
        again = (
            factors.batch_too_often in solution.kinds
            and (solution.kinds - {factors.batch_too_often}) | {factors.bias_mean} in known
        )
        key = solution.kinds, solution.options, tuple((name, r.kinds, r.detail) for name, r in solution.arrays.items())
        if not again:
            said.setdefault(key, solution)
    return tuple(sorted(said.values(), key=lambda solution: sorted(map(CATALOGUE.index, solution.kinds))))
