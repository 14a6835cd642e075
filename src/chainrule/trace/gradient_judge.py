"""One array of a gradient beside the true one, entry by entry; and the true one beside finite differences: who judges is judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

import numpy as np

from chainrule.display import Shown
from chainrule.graph import Array, Node, Shape, evaluator
from chainrule.graph.graph import descendants
from chainrule.immutable import immutable
from chainrule.numerals import numeral
from chainrule.trace.differences import AGREEMENT, relative, slope
from chainrule.trace.planted import BackwardPass
from chainrule.trace.tolerance import FLOOR, Tolerance

Verdict: TypeAlias = Literal["right", "wrong", "not finite"]
_JUDGED = 12
"""Entries at which the true gradient is itself held against finite differences."""
_NAME_WIDTH = 32


@immutable
class ParameterCheck(Shown):
    """One parameter's array beside the true gradient.

    Shapes: `mine` and `gradient` as the parameter. `difference` is the largest relative difference, |yours − true| over the larger of
    both (a thousandth of the array's largest entry is added to that, so that what should be 0 is no division by 0; an entry that is 0 but
    for rounding counts as large as the terms that cancel in it), and `where` its index, or that of the entry that is most wrong. `agrees`
    says for each entry whether it agrees. `cosine` and `ratio` compare direction and size of the whole arrays.
    """

    name: str
    layer: str
    mine: Array
    gradient: Array
    difference: float
    where: Shape
    agrees: Array
    verdict: Verdict

    @property
    def share(self) -> float:
        """The part of the entries that agree, 0 to 1."""
        return float(np.mean(self.agrees)) if self.agrees.size else 1.0

    @property
    def cosine(self) -> float:
        """The cosine of the angle between yours and the true gradient; NaN where one of them is 0."""
        return _over(float(np.sum(self.mine * self.gradient)), float(np.linalg.norm(self.mine) * np.linalg.norm(self.gradient)))

    @property
    def ratio(self) -> float:
        """The size of yours over that of the true gradient; NaN where that is 0."""
        return _over(float(np.linalg.norm(self.mine)), float(np.linalg.norm(self.gradient)))

    def __str__(self) -> str:
        return self.line(0)

    def line(self, width: int) -> str:
        """The verdict as one line of text, the name padded to a width."""
        head = f"{short(self.name).ljust(width)}  {self.verdict}"
        if self.verdict == "right" and not np.any(self.gradient):
            return f"{head}, but all of {entries(self.mine.size)} are 0"
        if self.verdict == "right":
            return f"{head}, all of {entries(self.mine.size)}, to a relative difference of {numeral(self.difference, 1)}"
        yours, true = float(self.mine[self.where]), float(self.gradient[self.where])
        place = f" at {list(self.where)}" if self.where else ""
        worst = f"yours {numeral(yours, 6)}, true {numeral(true, 6)}{place}"
        return f"{head}, {np.sum(~self.agrees)} of {entries(self.mine.size)}; most of all {worst}"


@immutable
class Judge:
    """How far the true gradient itself was held against finite differences: at how many entries, and the largest relative error."""

    entries: int
    error: float

    @property
    def confirmed(self) -> bool:
        """Whether all of them agreed."""
        return self.error <= 10 * AGREEMENT

    def __str__(self) -> str:
        if self.confirmed:
            return f"The true gradient agrees with finite differences at {entries(self.entries)} (relative error {numeral(self.error, 1)})."
        return (
            f"The true gradient differs from finite differences at some of {entries(self.entries)} "
            f"(relative error {numeral(self.error, 1)}): "
            "the cost has a kink there, or a jump; try other values."
        )


def compared(name: str, layer: str, mine: Array, right: Array, tolerance: Tolerance) -> ParameterCheck:
    """The array beside the true one; entries that are not finite never agree."""
    finite = np.isfinite(mine)
    shown = np.where(finite, mine, 0.0)
    gaps, agreeing = np.abs(shown - right), finite
    sizes = np.maximum(np.abs(shown), np.abs(right)) + FLOOR * float(np.max(np.abs(right), initial=0.0))
    if not tolerance.near(shown, right):
        agreeing = finite & (gaps <= tolerance.limit(name, shown, right))
        # What is 0 but for rounding is measured by the sizes of what cancels in it.
        sizes = np.maximum(sizes, tolerance.terms(name))
    differences = np.divide(gaps, sizes, out=np.zeros_like(gaps), where=sizes > 0)
    differences[~finite] = np.inf
    wrong = differences if np.all(agreeing) else np.where(agreeing, -1.0, differences)
    where = tuple(map(int, np.unravel_index(int(np.argmax(wrong)), mine.shape))) if mine.size else ()
    verdict: Verdict = "right" if np.all(agreeing) else "wrong"
    largest = float(np.max(differences, initial=0.0))
    return ParameterCheck(name, layer, mine, right, largest, where, agreeing, verdict if np.all(finite) else "not finite")


def judged(backward: BackwardPass, right: Mapping[str, Array]) -> Judge:
    """The true gradient beside finite differences of the cost, at the largest entry of each array and at random ones."""
    random = np.random.default_rng(0)
    worst, spots = 0.0, _spots(right, random)
    moving: dict[str, Callable[[Array], float]] = {}
    for name, index in spots:
        if name not in moving:
            moving[name] = _cost_of(backward, backward.parameters[name])
        value = backward.values[backward.parameters[name]]
        size = max(1.0, abs(float(value[index])))

        def moved(step: float, name: str = name, index: Shape = index, size: float = size, value: Array = value) -> float:
            changed = np.array(value)
            changed[index] += step * size
            return moving[name](changed)

        found = slope(moved)
        largest = float(np.max(np.abs(right[name])))
        error = relative(float(right[name][index]), found.value / size, 1e-3 * largest)
        excused = abs(float(right[name][index]) - found.value / size) <= 10 * found.uncertainty
        worst = max(worst, min(error, AGREEMENT) if excused else error)
    return Judge(len(spots), worst)


def _cost_of(backward: BackwardPass, leaf: Node) -> Callable[[Array], float]:
    """The cost as a function of one parameter; what does not depend on it keeps its value."""
    moving = descendants(backward.order, [leaf])
    fixed = {node: value for node, value in backward.values.items() if node not in moving}
    run = evaluator([backward.cost], {**fixed, leaf: leaf})
    return lambda value: float(run({**fixed, leaf: value})[0])


def _spots(right: Mapping[str, Array], random: np.random.Generator) -> list[tuple[str, Shape]]:
    full = {name: array for name, array in right.items() if array.size}
    each = max(1, _JUDGED // max(1, len(full)))
    spots: list[tuple[str, Shape]] = []
    for name, array in list(full.items())[:_JUDGED]:
        chosen = {int(np.argmax(np.abs(array))), *map(int, random.integers(array.size, size=each - 1))}
        spots += [(name, tuple(map(int, np.unravel_index(flat, array.shape)))) for flat in sorted(chosen)]
    return spots


def _over(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def entries(count: int) -> str:
    """The number with its noun."""
    return "1 entry" if count == 1 else f"{count} entries"


def short(name: str) -> str:
    """The name, cut where it is too long for a table."""
    return name if len(name) <= _NAME_WIDTH else f"{name[: _NAME_WIDTH - 3]}..."
