"""The search for the fewest mistakes that turn the right gradient into the student's, layer by layer from the cost backwards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations
from math import isclose, log10

import numpy as np

from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.trace.mistake_readings import NOTHING, FactorReading, Kinds, Penalty, mixtures
from chainrule.trace.mistake_solutions import Option, Solution, is_applied_anew, is_known, plainest
from chainrule.trace.mistakes import CATALOGUE
from chainrule.trace.mistakes.kinds import ArrayView, Found, Given, Kind, Other, Planting, Sizes
from chainrule.trace.network_structure import Structure
from chainrule.trace.planted import Planted, Walk
from chainrule.trace.tolerance import Tolerance

Choice = frozenset[int]
"""Mistakes made at places, by their numbers."""
_PROBES = 24
"""Entries that every factor is tried on before any is tried on a whole array."""
_MOST_PAIRED = 40_000
"""Nodes that are gone back through at most for all pairs of mistakes between the same two layers."""
_MOST_STATES = 200
"""Explanations of the layers gone through so far that are carried on at most."""
_MARGIN = 3.0
"""The digits that must agree beyond what trying many explanations makes agree by chance: one in a thousand gradients."""
_MOST_DIGITS = 8.0


@immutable
class _State:
    """What was decided for the layers gone through so far."""

    chosen: Choice = frozenset()
    rate: float | None = None
    kinds: Kinds = NOTHING


@immutable
class _Stretch:
    """Places between two layers: the mistakes that can be made there, and the parameters whose derivatives then stand."""

    options: tuple[int, ...]
    standing: tuple[str, ...]


@dataclass
class MistakeSearch:
    """A search in one gradient; `mine` are the student's arrays, all of the parameters' shapes, `right` the true ones."""

    structure: Structure
    mine: Mapping[str, Array]
    right: Mapping[str, Array]
    tolerance: Tolerance
    _walks: dict[tuple[str, Choice, float], Walk] = field(default_factory=dict[tuple[str, Choice, float], Walk])
    _readings: dict[tuple[str, Choice, float, int], tuple[FactorReading, ...]] = field(
        default_factory=dict[tuple[str, Choice, float, int], tuple[FactorReading, ...]]
    )

    # ---- what can go wrong in this network

    @cached_property
    def options(self) -> tuple[Option, ...]:
        """What can be planted in the backward pass, from the cost backwards."""
        grouped: dict[tuple[Kind, str, str, str], list[Planting]] = {}
        for kind in CATALOGUE:
            if kind.where == "backward":
                plantings: Iterable[Planting] = kind.make(self.structure)
                for planting in plantings:
                    touched = planting.planted.touched | planting.touched
                    if touched & self.structure.plain_walk.arriving.keys():
                        grouped.setdefault((kind, planting.place, planting.layer, planting.detail), []).append(planting)
        found = [
            self._option(*key, plantings) for key, plantings in grouped.items() if not is_known(plantings, key[0], grouped)
        ]
        return tuple(sorted(found, key=lambda option: -option.position))

    def _option(self, kind: Kind, place: str, layer: str, detail: str, plantings: list[Planting]) -> Option:
        backward = self.structure.backward
        reached = [node for planting in plantings for node in planting.reached]
        touched = [node for planting in plantings for node in planting.planted.touched | planting.touched]
        behind = self.structure.parameters_behind(*reached)
        return Option(kind, place, layer, detail, tuple(plantings), behind, max(backward.position[node] for node in touched))

    @cached_property
    def stretches(self) -> tuple[_Stretch, ...]:
        """The places, cut wherever parameters' derivatives stand."""
        last = {
            name: max((n + 1 for n, option in enumerate(self.options) if name in option.behind), default=0)
            for name in self.mine
        }
        found: list[_Stretch] = []
        begin = 0
        for end in range(len(self.options) + 1):
            standing = tuple(name for name in self.mine if last[name] == end)
            if standing or end == len(self.options):
                # The smallest array is the quickest to say no.
                standing = tuple(sorted(standing, key=lambda name: self.mine[name].size))
                found.append(_Stretch(tuple(range(begin, end)), standing))
                begin = end
        return tuple(found)

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

    def _added(self, name: str) -> Array | float:
        penalty = self.penalties.get(name)
        return penalty.value if penalty is not None and penalty.is_there else 0.0

    @cached_property
    def _sizes(self) -> Mapping[str, Sizes]:
        depth = len(set(self.structure.layers.values()))
        found: dict[str, Sizes] = {}
        for name in self.mine:
            parts = self.structure.plain_walk.parts(name)
            is_bias = bool(parts) and all(part.use.op.name == "broadcast_to" for part in parts)
            found[name] = Sizes(self.structure, name, len(parts), is_bias, depth)
        return found

    @cached_property
    def _mixtures(self) -> Mapping[str, dict[int, tuple[tuple[float, float, FactorReading], ...]]]:
        """For each array the (α, β) of α·data + β·penalty that have a name, of no, one and two kinds of mistakes."""
        found: dict[str, dict[int, tuple[tuple[float, float, FactorReading], ...]]] = {}
        for name in self.mine:
            every = mixtures(self._sizes[name], self.penalties.get(name))
            found[name] = {level: tuple(row for row in every if len(row[2].kinds) <= level) for level in (0, 1, 2)}
        return found

    # ---- walks and readings, each computed once

    def walk(self, chosen: Choice, rate: float, beside: tuple[str, Planted] = ("", Planted())) -> Walk:
        """The backward pass of the data's part with these mistakes in it, and perhaps with something more, known by a name."""
        what, extra = beside
        if not chosen and not what:
            return self.structure.plain_walk
        if (what, chosen, rate) not in self._walks:
            planted = extra
            for number in sorted(chosen):
                planted |= self.options[number].planted(rate, self.mine)
            backward = self.structure.backward
            self._walks[what, chosen, rate] = backward.walk(planted, {backward.cost: np.ones(())}, self.structure.penalties)
        return self._walks[what, chosen, rate]

    def readings(self, name: str, chosen: Choice, rate: float, level: int) -> tuple[FactorReading, ...]:
        """The ways to read an array after these mistakes, with at most so many kinds of mistakes in the array itself."""
        chosen = frozenset(number for number in chosen if name in self.options[number].behind)
        key = name, chosen, rate if any(self.options[number].has_rate for number in chosen) else 0.0, level
        if key not in self._readings:
            walk = self.walk(chosen, key[2])
            penalty = self.penalties.get(name)
            candidates: Iterable[tuple[Kind | None, str, Array]] = [(None, "", walk.gradient(name))]
            if level:
                candidates = self._variants(name, chosen, key[2])
            mixed = self._mixtures[name]
            self._readings[key] = tuple(
                self._fitting(name, candidates, mixed, None if penalty is None else penalty.value, level)
            )
        return self._readings[key]

    def _variants(self, name: str, chosen: Choice, rate: float) -> Iterator[tuple[Kind | None, str, Array]]:
        """The data's part of an array as it is, and with each mistake that changes it alone."""

        def beside(what: str, planted: Planted) -> Array | None:
            # Another whole walk, for each mistake of the backward pass: too long for two mistakes at once.
            return None if chosen else self.walk(chosen, rate, (what, planted)).gradient(name)

        view = ArrayView(self.structure, name, self.walk(chosen, rate), beside)
        yield None, "", view.gradient
        for kind in CATALOGUE:
            if kind.where == "array":
                made: Iterable[tuple[str, Array]] = kind.make(view)
                for detail, array in made:
                    yield kind, detail, np.asarray(array)

    def _fitting(
        self,
        name: str,
        candidates: Iterable[tuple[Kind | None, str, Array]],
        mixtures: Mapping[int, tuple[tuple[float, float, FactorReading], ...]],
        penalty: Array | None,
        level: int,
    ) -> Iterator[FactorReading]:
        mine = self.mine[name]
        added = np.zeros_like(mine) if penalty is None else penalty
        rounding = self.tolerance.rounding[name].reshape(-1)
        for kind, detail, data in candidates:
            if not np.all(np.isfinite(data)):
                continue
            mixed = mixtures[level - (kind is not None)]
            alphas, betas = (np.array([row[place] for row in mixed])[:, None] for place in (0, 1))
            spots = np.argsort(-(np.abs(mine) + np.abs(data)).reshape(-1), kind="stable")[:_PROBES]
            probed = alphas * data.reshape(-1)[spots] + betas * added.reshape(-1)[spots]
            # A quick look first: twice what the largest entries may differ by.
            sizes = np.max(np.abs(probed), axis=1, keepdims=True) + np.max(np.abs(mine), initial=0.0)
            allowed = 2 * self.tolerance.limit(name, mine, data).reshape(-1)[spots] * np.maximum(1.0, np.abs(alphas))
            near = np.all(
                np.abs(probed - mine.reshape(-1)[spots]) <= 2 * self.tolerance.relative * sizes + allowed + rounding[spots],
                axis=1,
            )
            for place in np.flatnonzero(near):
                alpha, beta, reading = mixed[int(place)]
                kinds = reading.kinds | (frozenset({kind}) if kind is not None else NOTHING)
                if self.tolerance.agree(name, mine, alpha * data + beta * added):
                    yield replace(reading, kinds=kinds, detail=detail)

    def reading(self, name: str, chosen: Choice, rate: float, kinds: Kinds, level: int) -> tuple[FactorReading, ...]:
        """The plainest readings with mistakes of these kinds only: several where they differ in how a mistake was made."""
        fitting = [reading for reading in self.readings(name, chosen, rate, level) if reading.kinds <= kinds]
        least = min(((len(reading.kinds), reading.repeats) for reading in fitting), default=None)
        return tuple(dict.fromkeys(r for r in fitting if (len(r.kinds), r.repeats) == least))

    # ---- the search

    def solutions(self, count: int) -> tuple[Solution, ...]:
        """The plainest explanations by so many kinds of mistakes; several where they cannot be told apart."""
        states = [_State()]
        for stretch in self.stretches:
            states = self._through(stretch, states, count)
            if not states:
                return ()
        found = [solution for state in states if len(state.kinds) == count for solution in self._solved(state, count)]
        return plainest([solution for solution in found if self.is_told(solution) and is_applied_anew(solution)])

    def _through(self, stretch: _Stretch, states: Iterable[_State], count: int) -> list[_State]:
        found: dict[_State, None] = {}
        for state in states:
            for added in self._choices(stretch, state, count):
                chosen = state.chosen | frozenset(added)
                kinds = state.kinds | {self.options[number].kind for number in added}
                if len(kinds) > count:
                    continue
                for rate in self._rates(stretch, chosen, state.rate, kinds, count):
                    found |= dict.fromkeys(
                        _State(chosen, rate, every) for every in self._standing(stretch, chosen, rate, kinds, count)
                    )
                    if len(found) > _MOST_STATES:
                        return list(found)
        return list(found)

    def _choices(self, stretch: _Stretch, state: _State, count: int) -> Iterator[tuple[int, ...]]:
        """The mistakes that may have been made in a stretch: none, one, one kind in several places, two kinds."""
        yield ()
        open_to_all = len(state.kinds) < count
        usable = [n for n in stretch.options if open_to_all or self.options[n].kind in state.kinds]
        # Two mistakes at once, one of them vague, explain too much.
        usable = [n for n in usable if count == 1 or not self.options[n].kind.vague]
        for number in usable:
            yield (number,)
        by_kind: dict[tuple[Kind, str], list[int]] = {}
        for number in usable:
            by_kind.setdefault((self.options[number].kind, self.options[number].detail), []).append(number)
        for same in by_kind.values():
            sizes = range(2, len(same) + 1) if len(same) <= 4 else [len(same)]
            for size in sizes:
                yield from combinations(same, size)
        if count == 2:
            pairs = [pair for pair in combinations(usable, 2) if self._may_pair(*pair)]
            yield from pairs if len(pairs) * len(self.structure.order) <= _MOST_PAIRED else ()

    def _may_pair(self, one: int, other: int) -> bool:
        a, b = self.options[one], self.options[other]
        return a.kind is not b.kind and a.place != b.place and not a.kind.vague and not b.kind.vague

    def _standing(self, stretch: _Stretch, chosen: Choice, rate: float | None, kinds: Kinds, count: int) -> list[Kinds]:
        """The sets of kinds, these and as few more as need be, that explain the arrays that now stand."""
        possible = [kinds]
        for name in stretch.standing:
            level = count - len({self.options[n].kind for n in chosen if name in self.options[n].behind})
            found = self.readings(name, chosen, rate or 0.0, level)
            joined = dict.fromkeys(every | reading.kinds for every in possible for reading in found)
            possible = [every for every in joined if len(every) <= count and not any(less < every for less in joined)]
            if not possible:
                return []
        return possible

    def _rates(self, stretch: _Stretch, chosen: Choice, rate: float | None, kinds: Kinds, count: int) -> list[float | None]:
        """The learning rates that fit the arrays that now stand: their derivatives are straight lines in it, so least squares is exact."""
        early = [number for number in chosen if self.options[number].has_rate]
        names = [name for name in stretch.standing if any(name in self.options[number].behind for number in early)]
        if rate is not None or not names:
            return [rate]
        before, after = self.walk(chosen, 0.0), self.walk(chosen, 1.0)
        free = count > len(kinds) or any(kind.where == "factor" for kind in kinds)
        found: list[float | None] = []
        for name in names:
            base, moved = (walk.gradient(name).reshape(-1) for walk in (before, after))
            target = (self.mine[name] - self._added(name)).reshape(-1)
            for fitted in [_fitted(base, moved - base, target, factor) for factor in ((False, True) if free else (False,))]:
                known = fitted is None or any(isclose(fitted, other or 0.0, rel_tol=1e-6, abs_tol=1e-8) for other in found)
                if not known:
                    found.append(fitted)
        return found

    def _solved(self, state: _State, count: int) -> Iterator[Solution]:
        if state.rate is None and any(self.options[number].has_rate for number in state.chosen):
            return
        rate = state.rate or 0.0
        every = {name: self.reading(name, state.chosen, rate, state.kinds, count) for name in self.mine}
        if not all(every.values()):
            return
        options = tuple(self.options[number] for number in sorted(state.chosen))
        # A step left out is the same step in all arrays of a layer: where several fit, they are read alike.
        details = [[reading.detail for reading in readings if reading.kinds] for readings in every.values()]
        shared = list(dict.fromkeys(detail for found in details for detail in found))
        for detail in shared or [""]:
            arrays = {name: next((r for r in readings if r.detail == detail), readings[0]) for name, readings in every.items()}
            yield Solution(state.kinds, options, rate, arrays)

    # ---- what is no chance

    @cached_property
    def _digits(self) -> Mapping[str, float]:
        """For each array how many digits an explanation must get right: by how far it is wrong, over what may differ."""
        found: dict[str, float] = {}
        for name, mine in self.mine.items():
            gaps, limit = np.abs(mine - self.right[name]), self.tolerance.limit(name, mine, self.right[name])
            wrong = gaps > limit
            shares = np.full(int(np.sum(wrong)), 1e-300) if not np.any(limit) else np.maximum(limit[wrong], 1e-300)
            found[name] = float(np.sum(np.minimum(np.log10(gaps[wrong] / shares), _MOST_DIGITS)))
        return found

    @cached_property
    def _hypotheses(self) -> float:
        """How many explanations of one array are tried, as a power of ten."""
        each = max((len(self._mixtures[name][1]) + len(CATALOGUE) for name in self.mine), default=1)
        return log10(max(1, each + len(self.options)))

    def is_told(self, solution: Solution, numbers: int = 0) -> bool:
        """Whether the numbers agree in more digits than chance would make them, for each kind of mistake by itself."""
        needed = _MARGIN + self._hypotheses * len(solution.kinds)
        for kind in solution.kinds:
            behind = {name for option in solution.options if option.kind is kind for name in option.behind}
            names = behind | {name for name, reading in solution.arrays.items() if kind in reading.kinds}
            # A number that was fitted has used up the digits of an entry.
            spare = numbers + (kind.name == "weights updated before use")
            if sum(self._digits[name] for name in names) < needed + spare * _MOST_DIGITS:
                return False
        return True

    # ---- mistakes in everything, and numbers that must be found

    @cached_property
    def wrong(self) -> tuple[str, ...]:
        """The arrays that are wrong."""
        return tuple(name for name in self.mine if not self.tolerance.agree(name, self.mine[name], self.right[name]))

    def others(self) -> Iterator[Solution]:
        """Explanations by a mistake made before the backward pass began, alone or with one common factor."""
        for kind in CATALOGUE:
            others: Iterable[Other] = kind.make(self.structure) if kind.where == "whole" else ()
            for other in others:
                with np.errstate(all="ignore"):
                    gradient = other.gradient()
                for factor, also in self._common:
                    if all(self.tolerance.agree(name, self.mine[name], factor * gradient[name]) for name in self.mine):
                        kinds = frozenset({kind}) | also
                        arrays = {name: FactorReading(kinds, 0, factor) for name in self.wrong}
                        yield Solution(
                            kinds, (), 0.0, {**dict.fromkeys(self.mine, FactorReading(NOTHING)), **arrays}, other.detail
                        )
                        break

    @cached_property
    def _common(self) -> tuple[tuple[float, Kinds], ...]:
        """The factors of one kind that every array may have."""
        rows = [
            {
                (alpha, reading.kinds)
                for alpha, beta, reading in self._mixtures[name][1]
                if beta in {0.0, 1.0} and not reading.repeats
            }
            for name in self.mine
        ]
        shared = set[tuple[float, Kinds]](rows[0]).intersection(*rows) if rows else set[tuple[float, Kinds]]()
        return tuple(sorted(shared, key=lambda row: len(row[1])))

    def numbers(self) -> Iterator[tuple[Kind, Found]]:
        """Explanations with a number in them that the arrays tell."""
        given = Given(
            self.structure,
            self.mine,
            self.right,
            self.wrong,
            lambda name, array: self.tolerance.agree(name, self.mine[name], array),
        )
        for kind in CATALOGUE:
            every: Iterable[Found] = kind.make(given) if kind.where == "number" else ()
            for found in every:
                read = {name: FactorReading(frozenset({kind})) for name in self.wrong}
                solution = Solution(frozenset({kind}), (), 0.0, {**dict.fromkeys(self.mine, FactorReading(NOTHING)), **read})
                if self.is_told(solution, found.numbers):
                    yield kind, found


def _strength(penalty: Array, weights: Array) -> float | None:
    """The number c with penalty = c·weights, if there is one."""
    square = float(np.sum(weights * weights))
    strength = float(np.sum(penalty * weights)) / square if square else 0.0
    return strength if strength and np.allclose(penalty, strength * weights, rtol=1e-9, atol=1e-12) else None


def _fitted(base: Array, change: Array, target: Array, free: bool) -> float | None:
    """The rate in target = factor·(base + rate·change), with factor 1 unless it is free; None where the numbers do not tell."""
    # A change along the gradient itself is a factor by another name, and two numbers always fit two numbers.
    square = float(base @ base)
    along = float(change @ base) / square if square else 0.0
    told = np.linalg.norm(change - along * base) > 1e-6 * np.linalg.norm(change) > 0
    if not told or base.size < (3 if free else 2):
        return None
    if not free:
        return float(change @ (target - base) / (change @ change))
    (factor, product_), *_ = np.linalg.lstsq(np.stack([base, change], axis=1), target, rcond=None)
    return float(product_ / factor) if factor else None
