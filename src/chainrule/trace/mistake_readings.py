"""How one array may be read: the factors on its data's part and on its penalty that have a name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import combinations, product
from math import isclose
from typing import TypeAlias

from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.trace.mistakes import CATALOGUE, factors, penalties
from chainrule.trace.mistakes.kinds import Kind, Sizes

Kinds: TypeAlias = frozenset[Kind]
NOTHING: Kinds = frozenset()


@immutable
class FactorReading:
    """One way to read an array: the mistakes in it, how often beyond once, the factor on the data's part, and words on how it was made."""

    kinds: Kinds
    repeats: int = 0
    factor: float = 1.0
    detail: str = ""


@immutable
class Penalty:
    """The penalty's part of an array: what it is, and whether the cost has it (else it is what a careless student adds)."""

    value: Array
    is_there: bool


def mixtures(sizes: Sizes, penalty: Penalty | None) -> list[tuple[float, float, FactorReading]]:
    """All (α, β) of α·data + β·penalty that have a name."""
    possible = _factors(sizes)
    if penalty is None:
        return [(reading.factor, 0.0, reading) for reading in possible]
    usual = 1.0 if penalty.is_there else 0.0
    betas: dict[float, Kinds] = {usual: NOTHING}
    if penalty.is_there:
        for kind in CATALOGUE:
            made: Iterable[float] = kind.make(sizes) if kind.where == "penalty" else ()
            for beta in made:
                betas.setdefault(beta, frozenset({kind}))
    else:
        betas[1.0] = frozenset({penalties.penalty_on_bias})
    found: list[tuple[float, float, FactorReading]] = []
    for reading, (beta, kinds) in product(possible, betas.items()):
        joined = replace(reading, kinds=reading.kinds | kinds)
        if len(joined.kinds) > 2:
            continue
        # A factor of the data's term leaves the penalty alone, one of the finished gradient takes it along.
        if factors.twice not in reading.kinds or not penalty.is_there:
            found.append((reading.factor, beta, joined))
        if penalty.is_there and beta and reading.factor != 1.0 and factors.double not in reading.kinds:
            found.append((reading.factor, reading.factor * beta, joined))
    return found


def _factors(sizes: Sizes) -> list[FactorReading]:
    """The factors that an array may have: one mistake, made as often as there are layers, or two, made once each."""
    single: list[FactorReading] = []
    for kind in CATALOGUE:
        made: Iterable[tuple[float, int]] = kind.make(sizes) if kind.where == "factor" else ()
        single += [FactorReading(frozenset({kind}), repeats, value) for value, repeats in made]
    once = [reading for reading in single if reading.repeats == 0]
    both = [FactorReading(a.kinds | b.kinds, 0, a.factor * b.factor) for a, b in combinations(once, 2) if a.kinds != b.kinds]
    found = {
        (reading.factor, reading.kinds): reading
        for reading in (*single, *both)
        if not isclose(reading.factor, 1.0, rel_tol=1e-5)
    }
    return [FactorReading(NOTHING), *found.values()]
