"""Mistakes made in one parameter's array alone: another array in its place, a factor, something about the penalty."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np

from chainrule.graph import Array
from chainrule.ops import broadcast_to, matmul
from chainrule.trace import mistakes
from chainrule.trace.mistakes import Kind
from chainrule.trace.network_structure import Structure
from chainrule.trace.planted import Part, Walk, data_side

_PROBES = 24
"""Entries that every factor is tried on before any is tried on a whole array."""


@dataclass(frozen=True)
class Tolerance:
    """How near two arrays must be, entry by entry: `relative`, with `floor` times the array's largest entry added to the entry's size.

    `unit` is the size of the whole gradient: what an array of zeros is measured by.
    """

    relative: float
    floor: float
    unit: float = 1.0

    def differences(self, mine: Array, right: Array) -> Array:
        """|mine − right| over the entry's size, entry by entry."""
        largest = float(np.max(np.abs(right), initial=0.0)) or self.unit
        return np.abs(mine - right) / (np.maximum(np.abs(mine), np.abs(right)) + self.floor * largest)

    def agree(self, mine: Array, right: Array) -> bool:
        """Whether all entries agree."""
        return bool(np.all(self.differences(mine, right) <= self.relative))


@dataclass(frozen=True)
class Factor:
    """A factor that has a name: its value, the mistakes that make it, and how often they were made beyond once."""

    value: float
    kinds: frozenset[Kind]
    repeats: int = 0


@dataclass(frozen=True)
class Reading:
    """One way to read an array: the mistakes in it, their repeats, and the factor on the data's part."""

    kinds: frozenset[Kind]
    repeats: int
    factor: float


# ---- another array in its place


def variants(structure: Structure, walk: Walk, name: str) -> Iterator[tuple[Kind | None, Array]]:
    """The data's part of ∂C/∂(the parameter) in this walk, as it is and with each mistake that changes the array alone."""
    gradient = walk.gradient(name)
    yield None, gradient
    if gradient.ndim == 2 and gradient.shape[0] == gradient.shape[1]:
        yield mistakes.TRANSPOSED, gradient.T
    for other, node in structure.backward.parameters.items():
        if other != name and node.shape == gradient.shape:
            yield mistakes.SWAPPED, walk.gradient(other)
    parts = walk.parts(name)
    if len(parts) > 1:
        yield mistakes.LAST_USE, parts[-1].value
        yield mistakes.FIRST_USE, parts[0].value
    for kind, change in _CHANGES.items():
        changed = [change(structure, walk, part, name) for part in parts]
        if any(value is not None for value in changed):
            pairs = zip(changed, parts, strict=True)
            yield kind, np.sum([part.value if value is None else value for value, part in pairs], axis=0)


def _one_example(place: int) -> Callable[[Structure, Walk, Part, str], Array | None]:
    def change(structure: Structure, walk: Walk, part: Part, name: str) -> Array | None:
        del name
        axis = part.arriving.ndim - 1 if part.use.op is matmul and data_side(part.use) == 1 else 0
        if structure.batch < 2 or part.arriving.ndim == 0 or part.arriving.shape[axis] != structure.batch:
            return None
        kept = np.zeros_like(part.arriving)
        at = (slice(None),) * axis + (place,)
        kept[at] = part.arriving[at]
        return _pulled(walk, part, walk.backward.pull(part.use, kept)[part.place])

    return change


def _pulled(walk: Walk, part: Part, value: Array | None) -> Array | None:
    return None if value is None else walk.to_parameter(value, part.views)


def _with_input(walk: Walk, part: Part, value: Array) -> Array | None:
    """What the use passes to the parameter if its data had been this value."""
    source = part.use.inputs[1 - part.place]
    return _pulled(walk, part, walk.backward.pull(part.use, part.arriving, {source: value})[part.place])


def _pre_activation(structure: Structure, walk: Walk, part: Part, name: str) -> Array | None:
    del name
    if part.use.op is not matmul:
        return None
    region = next((region for region in structure.activations if region.a is part.use.inputs[1 - part.place]), None)
    return None if region is None else _with_input(walk, part, structure.backward.values[region.z])


def _own_output(structure: Structure, walk: Walk, part: Part, name: str) -> Array | None:
    if part.use.op is not matmul:
        return None
    position = structure.backward.position
    own = [
        region.a
        for region in structure.activations
        if structure.layer_at(region.z) == structure.layers[name] and position[region.a] > position[part.use]
    ]
    if not own or own[0].shape != part.use.inputs[1 - part.place].shape:
        return None
    return _with_input(walk, part, structure.backward.values[own[0]])


def _wrong_axis(structure: Structure, walk: Walk, part: Part, name: str) -> Array | None:
    del structure, name
    source = part.use.inputs[part.place]
    if part.use.op is not broadcast_to or part.arriving.ndim != 2 or source.type.size == 1:
        return None
    if part.arriving.shape[0] != part.arriving.shape[1] or source.type.size != part.arriving.shape[0]:
        return None
    return walk.to_parameter(part.arriving.sum(axis=1).reshape(source.shape), part.views)


_CHANGES: Mapping[Kind, Callable[[Structure, Walk, Part, str], Array | None]] = {
    mistakes.LAST_EXAMPLE: _one_example(-1),
    mistakes.FIRST_EXAMPLE: _one_example(0),
    mistakes.Z_FOR_A: _pre_activation,
    mistakes.OWN_OUTPUT: _own_output,
    mistakes.WRONG_AXIS: _wrong_axis,
}

# ---- factors


def factors(structure: Structure, uses: int, summed: bool, depth: int) -> tuple[Factor, ...]:
    """The factors that this parameter's array may have: one mistake, made up to `depth` times, or two, made once each.

    `uses` is how often the parameter is used; `summed` says that its gradient is a sum over the batch of δ itself: it is a bias.
    """
    batch, outputs = structure.batch, structure.outputs
    times = range(1, depth + 1)
    single = [Factor(-1.0, frozenset({mistakes.SIGN}))]
    single += [Factor(2.0**n, frozenset({mistakes.DOUBLE}), n - 1) for n in times]
    single += [Factor(0.5**n, frozenset({mistakes.HALF}), n - 1) for n in times]
    if batch > 1:
        single += [Factor(float(batch) ** -n, frozenset({mistakes.BATCH_TOO_OFTEN}), n - 1) for n in times]
        single += [Factor(1 / batch, frozenset({mistakes.BIAS_MEAN}))] if summed else []
    if batch > 1 and structure.means_over(batch, [a * b for a in (1, 2, 0.5) for b in {1, outputs, max(uses, 1)}]):
        single += [Factor(float(batch) ** n, frozenset({mistakes.MISSING_BATCH}), n - 1) for n in times]
    if structure.penalties:
        single.append(Factor(2.0, frozenset({mistakes.TWICE})))
    if outputs > 1:
        # A mean over as many examples as there are outputs looks the same; it is one of those found.
        averaged = structure.means_over(outputs, (1, batch)) > (batch == outputs)
        value, kind = (float(outputs), mistakes.SUM_OF_OUTPUTS) if averaged else (1 / outputs, mistakes.MEAN_OF_OUTPUTS)
        single.append(Factor(value, frozenset({kind})))
    if uses > 1:
        single.append(Factor(1 / uses, frozenset({mistakes.MEAN_OF_USES})))
    once = [factor for factor in single if factor.repeats == 0]
    double = [Factor(a.value * b.value, a.kinds | b.kinds) for a, b in product(once, once) if a.kinds != b.kinds]
    found = {(factor.value, factor.kinds): factor for factor in (*single, *double) if not np.isclose(factor.value, 1.0)}
    return (Factor(1.0, frozenset()), *found.values())


_PENALTY_FACTORS: Mapping[float, Kind] = {
    0.0: mistakes.NO_PENALTY,
    2.0: mistakes.PENALTY_DOUBLE,
    0.5: mistakes.PENALTY_HALF,
    -1.0: mistakes.PENALTY_SIGN,
}


@dataclass(frozen=True)
class Penalty:
    """The penalty's part of an array: what it is, and whether the cost has it (else it is what a careless student adds)."""

    value: Array
    is_there: bool


def mixtures(possible: tuple[Factor, ...], penalty: Penalty | None, batch: int) -> tuple[tuple[float, float, Reading], ...]:
    """The (α, β) of α·data + β·penalty that have a name."""
    if penalty is None:
        return tuple((factor.value, 0.0, Reading(factor.kinds, factor.repeats, factor.value)) for factor in possible)
    usual = 1.0 if penalty.is_there else 0.0
    betas: dict[float, frozenset[Kind]] = {usual: frozenset()}
    if penalty.is_there:
        betas |= {beta: frozenset({kind}) for beta, kind in _PENALTY_FACTORS.items()}
        betas |= {} if batch < 2 or 1 / batch in betas else {1 / batch: frozenset({mistakes.PENALTY_AVERAGED})}
    else:
        betas[1.0] = frozenset({mistakes.PENALTY_ON_BIAS})
    found: list[tuple[float, float, Reading]] = []
    for factor, (beta, kinds) in product(possible, betas.items()):
        reading = Reading(factor.kinds | kinds, factor.repeats, factor.value)
        # A factor of the data's term leaves the penalty alone, one of the finished gradient takes it along.
        if mistakes.TWICE not in factor.kinds or not penalty.is_there:
            found.append((factor.value, beta, reading))
        if penalty.is_there and beta and factor.value != 1.0 and mistakes.DOUBLE not in factor.kinds:
            found.append((factor.value, factor.value * beta, reading))
    return tuple(found)


def readings(
    mine: Array,
    candidates: Iterator[tuple[Kind | None, Array]],
    mixed: tuple[tuple[float, float, Reading], ...],
    penalty: Array | None,
    tolerance: Tolerance,
) -> tuple[Reading, ...]:
    """Every way to read the student's array with at most two mistakes in it."""
    found: list[Reading] = []
    alphas, betas = (np.array([row[place] for row in mixed])[:, None] for place in (0, 1))
    added = np.zeros_like(mine) if penalty is None else penalty
    for kind, data in candidates:
        spots = np.argsort(-(np.abs(mine) + np.abs(data)).reshape(-1), kind="stable")[:_PROBES]
        probed = alphas * data.reshape(-1)[spots] + betas * added.reshape(-1)[spots]
        gap = np.abs(probed - mine.reshape(-1)[spots])
        near = np.all(
            gap <= 2 * tolerance.relative * (np.max(np.abs(probed), axis=1, keepdims=True) + tolerance.unit * 1e-9), axis=1
        )
        for place in np.flatnonzero(near):
            alpha, beta, reading = mixed[int(place)]
            kinds = reading.kinds | (frozenset({kind}) if kind is not None else frozenset[Kind]())
            if len(kinds) <= 2 and tolerance.agree(mine, alpha * data + beta * added):
                found.append(Reading(kinds, reading.repeats, reading.factor))
    return tuple(found)
