"""The search for the fewest mistakes that turn the right gradient into the student's, layer by layer from the cost backwards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations

import numpy as np

from chainrule.graph import Array
from chainrule.trace import mistakes
from chainrule.trace.array_mistakes import Factor, Penalty, Reading, Tolerance, factors, mixtures, readings, variants
from chainrule.trace.mistake_sites import Site, sites_of, updated_weights
from chainrule.trace.mistakes import Kind
from chainrule.trace.network_structure import Structure
from chainrule.trace.planted import Planted, Walk

Choice = frozenset[tuple[int, Kind]]
"""The mistakes made at sites, by the sites' numbers."""


@dataclass(frozen=True)
class Solution:
    """Mistakes that explain every array: those made at sites, and how each parameter's array is read.

    `rate` is the learning rate that weights were updated with too early; 0 where they were not.
    """

    kinds: frozenset[Kind]
    sites: Choice
    rate: float
    arrays: Mapping[str, Reading]

    @property
    def places(self) -> int:
        """At how many sites and in how many arrays a mistake was made."""
        return len(self.sites) + sum(bool(reading.kinds) for reading in self.arrays.values())

    @property
    def repeats(self) -> int:
        """How often mistakes were made more than once in one place."""
        return sum(reading.repeats for reading in self.arrays.values())


@dataclass
class Search:
    """A search in one gradient; `mine` are the student's arrays, all of the parameters' shapes."""

    structure: Structure
    mine: Mapping[str, Array]
    tolerance: Tolerance
    _walks: dict[tuple[Choice, float], Walk] = field(default_factory=dict[tuple[Choice, float], Walk])
    _readings: dict[tuple[str, Choice, float], tuple[Reading, ...]] = field(
        default_factory=dict[tuple[str, Choice, float], tuple[Reading, ...]]
    )

    @cached_property
    def sites(self) -> tuple[Site, ...]:
        """The places in the backward pass, from the cost backwards."""
        return sites_of(self.structure)

    @cached_property
    def penalties(self) -> Mapping[str, Penalty]:
        """The penalty's part of each array, or what it would be on biases that the cost leaves out."""
        backward, roots = self.structure.backward, self.structure.penalties
        if not roots:
            return {}
        first = backward.walk(Planted(), {backward.cost: np.ones(())}, roots)
        walk = backward.walk(Planted(), {root: first.arriving[root] for root in roots})
        found = {name: Penalty(walk.gradient(name), True) for name in self.mine if np.any(walk.gradient(name))}
        strengths = [_strength(penalty.value, backward.values[backward.parameters[name]]) for name, penalty in found.items()]
        if strengths and strengths[0] is not None and np.allclose([s or 0.0 for s in strengths], strengths[0]):
            free = {name: backward.values[backward.parameters[name]] for name in self.mine.keys() - found.keys()}
            found |= {name: Penalty(strengths[0] * value, False) for name, value in free.items() if np.any(value)}
        return found

    @cached_property
    def factors(self) -> Mapping[str, tuple[Factor, ...]]:
        """The named factors of each array."""
        walk = self.walk(frozenset(), 0.0)
        depth = len(set(self.structure.layers.values()))
        found: dict[str, tuple[Factor, ...]] = {}
        for name in self.mine:
            parts = walk.parts(name)
            summed = bool(parts) and all(part.use.op.name == "broadcast_to" for part in parts)
            found[name] = factors(self.structure, len(parts), summed, depth)
        return found

    # ---- walks and readings, each computed once

    def walk(self, chosen: Choice, rate: float) -> Walk:
        """The backward pass of the data's part with these mistakes in it."""
        if (chosen, rate) not in self._walks:
            planted = Planted()
            for number, kind in chosen:
                site = self.sites[number]
                updated = kind is mistakes.UPDATED
                planted |= updated_weights(self.structure, site, rate, self.mine) if updated else site.options[kind]
            backward = self.structure.backward
            with np.errstate(all="ignore"):
                self._walks[chosen, rate] = backward.walk(planted, {backward.cost: np.ones(())}, self.structure.penalties)
        return self._walks[chosen, rate]

    def readings(self, name: str, chosen: Choice, rate: float) -> tuple[Reading, ...]:
        """The ways to read an array after these mistakes."""
        chosen = frozenset((number, kind) for number, kind in chosen if name in self.sites[number].behind)
        key = name, chosen, rate if any(kind is mistakes.UPDATED for _, kind in chosen) else 0.0
        if key not in self._readings:
            penalty = self.penalties.get(name)
            mixed = mixtures(self.factors[name], penalty, self.structure.batch)
            added = None if penalty is None else penalty.value
            found = variants(self.structure, self.walk(*key[1:]), name)
            self._readings[key] = readings(self.mine[name], found, mixed, added, self.tolerance)
        return self._readings[key]

    def reading(self, name: str, chosen: Choice, rate: float, kinds: frozenset[Kind]) -> Reading | None:
        """The plainest reading with mistakes of these kinds only."""
        fitting = [reading for reading in self.readings(name, chosen, rate) if reading.kinds <= kinds]
        return min(fitting, key=lambda reading: (len(reading.kinds), reading.repeats), default=None)

    # ---- the search

    @cached_property
    def known(self) -> tuple[Kind, ...]:
        """All kinds that may play a part in this network."""
        found = {kind for site in self.sites for kind in site.kinds}
        found |= {mistakes.UPDATED} if any(site.products for site in self.sites) else set()
        for name in self.mine:
            mixed = mixtures(self.factors[name], self.penalties.get(name), self.structure.batch)
            found |= {kind for _, _, reading in mixed for kind in reading.kinds}
            found |= {kind for kind, _ in variants(self.structure, self.walk(frozenset(), 0.0), name) if kind is not None}
        return tuple(sorted(found, key=mistakes.CATALOGUE.index))

    def solutions(self) -> tuple[Solution, ...]:
        """The plainest explanations: of one kind of mistake, else of two; several where they cannot be told apart."""
        for count in (1, 2):
            found = [solution for kinds in combinations(self.known, count) for solution in self.plainest(frozenset(kinds))]
            if found:
                return _without_restatements(found)
        return ()

    def plainest(self, kinds: frozenset[Kind]) -> tuple[Solution, ...]:
        """The solutions with these kinds of mistakes that need the fewest places."""
        found = {
            (solution.sites, *solution.arrays.items()): solution for solution in self._descend(kinds, 0, frozenset(), None)
        }
        fewest = min((solution.places for solution in found.values()), default=0)
        return tuple(solution for solution in found.values() if solution.places == fewest)

    @cached_property
    def _decided(self) -> tuple[tuple[str, ...], ...]:
        """For each number of sites decided the parameters whose derivative then stands."""
        last = {name: max((n + 1 for n, site in enumerate(self.sites) if name in site.behind), default=0) for name in self.mine}
        return tuple(tuple(name for name in self.mine if last[name] == n) for n in range(len(self.sites) + 1))

    def _descend(self, kinds: frozenset[Kind], number: int, chosen: Choice, rate: float | None) -> Iterator[Solution]:
        """All ways to go on from the sites decided so far, as long as the arrays that stand are explained."""
        standing = self._decided[number]
        early = {n for n, kind in chosen if kind is mistakes.UPDATED}
        moved = [name for name in standing if any(name in self.sites[n].behind for n in early)]
        if rate is None and moved:
            for found in self._rates(moved, chosen, kinds):
                yield from self._descend(kinds, number, chosen, found)
            return
        if any(self.reading(name, chosen, rate or 0.0, kinds) is None for name in standing):
            return
        if number == len(self.sites):
            if rate is not None or not early:
                yield self._solution(kinds, chosen, rate or 0.0)
            return
        site = self.sites[number]
        options = site.kinds | (frozenset({mistakes.UPDATED}) if site.products else frozenset[Kind]())
        yield from self._descend(kinds, number + 1, chosen, rate)
        for kind in kinds & options:
            yield from self._descend(kinds, number + 1, chosen | {(number, kind)}, rate)

    def _solution(self, kinds: frozenset[Kind], chosen: Choice, rate: float) -> Solution:
        arrays = {name: self.reading(name, chosen, rate, kinds) for name in self.mine}
        return Solution(kinds, chosen, rate, {name: reading for name, reading in arrays.items() if reading is not None})

    def _rates(self, names: list[str], chosen: Choice, kinds: frozenset[Kind]) -> list[float]:
        """The learning rates that fit these arrays: their derivatives are straight lines in it, so least squares is exact."""
        before, after = self.walk(chosen, 0.0), self.walk(chosen, 1.0)
        free = bool(kinds & mistakes.FACTORS)
        found: list[float] = []
        for name in names:
            base, moved = (walk.gradient(name).reshape(-1) for walk in (before, after))
            rate = _fitted(base, moved - base, (self.mine[name] - self._added(name)).reshape(-1), free)
            if rate is not None and not any(np.isclose(rate, other, rtol=1e-6) for other in found):
                found.append(rate)
        return found

    def _added(self, name: str) -> Array | float:
        penalty = self.penalties.get(name)
        return penalty.value if penalty is not None and penalty.is_there else 0.0

    # ---- what else can be said

    def common_factor(self) -> float | None:
        """The one number that the whole right gradient was multiplied by, if there is one."""
        total = {name: self.walk(frozenset(), 0.0).gradient(name) + self._added(name) for name in self.mine}
        right, mine = (np.concatenate([rows[name].reshape(-1) for name in self.mine]) for rows in (total, self.mine))
        if not np.any(right) or not np.any(mine):
            return None
        factor = float(right @ mine / (right @ right))
        return factor if all(self.tolerance.agree(self.mine[name], factor * total[name]) for name in self.mine) else None


def _strength(penalty: Array, weights: Array) -> float | None:
    """The number c with penalty = c·weights, if there is one."""
    square = float(np.sum(weights * weights))
    strength = float(np.sum(penalty * weights)) / square if square else 0.0
    return strength if strength and np.allclose(penalty, strength * weights, rtol=1e-9, atol=1e-12) else None


def _fitted(base: Array, change: Array, target: Array, free: bool) -> float | None:
    """The rate in target = factor·(base + rate·change), with factor 1 unless it is free; None where the numbers do not tell."""
    # A change along the gradient itself is a factor by another name, and two numbers always fit two numbers.
    along = change @ base / (base @ base) if np.any(base) else 0.0
    told = np.linalg.norm(change - along * base) > 1e-6 * np.linalg.norm(change) > 0
    if not told or base.size < (3 if free else 2):
        return None
    if not free:
        return float(change @ (target - base) / (change @ change))
    (factor, product), *_ = np.linalg.lstsq(np.stack([base, change], axis=1), target, rcond=None)
    return float(product / factor) if factor else None


def _without_restatements(found: list[Solution]) -> tuple[Solution, ...]:
    """The solutions with the fewest repeats; 1/B too often in biases alone is the mean over the batch under a vaguer name."""
    fewest = min(solution.repeats for solution in found)
    kept = [solution for solution in found if solution.repeats == fewest]
    known = {solution.kinds for solution in kept}
    return tuple(
        solution
        for solution in kept
        if mistakes.BATCH_TOO_OFTEN not in solution.kinds
        or (solution.kinds - {mistakes.BATCH_TOO_OFTEN}) | {mistakes.BIAS_MEAN} not in known
    )
