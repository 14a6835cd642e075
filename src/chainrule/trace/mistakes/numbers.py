"""Mistakes with a number in them that the student's arrays tell: a factor, and where it may come from; a bound that entries were cut at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.trace.mistakes.kinds import Found, Given, number_mistake
from chainrule.trace.network_structure import Structure
from chainrule.trace.planted import weights_of

_ROUND = 1e-5
"""How near a factor must be to a number to be called by it: less than the digits that are printed."""


@number_mistake(
    "gradient clipped",
    "The gradient is right up to a bound and stands at the bound beyond it: np.clip(g, −c, c). What is clipped is no gradient any more: "
    "clipping belongs to the update.",
    "return the gradient before it is clipped",
)
def clipped(given: Given) -> Iterable[Found]:
    """All entries beyond ±c cut to ±c."""
    bound = max(float(np.max(np.abs(array), initial=0.0)) for array in given.mine.values())
    cut = {name: np.clip(array, -bound, bound) for name, array in given.right.items()}
    count = sum(int(np.sum(np.abs(given.mine[name]) == bound)) for name in given.wrong)
    if bound > 0 and count > 1 and all(given.agree(name, cut[name]) for name in given.wrong):
        yield Found(f"no entry is beyond ±{numeral(bound, 6)}, and {count} stand there", cut)


@number_mistake(
    "gradient made to length 1",
    "The gradient has the right direction, and its length was divided out: g/|g|. A step may be normalised, a gradient is not.",
    "return the gradient before it is normalised",
)
def normalised(given: Given) -> Iterable[Found]:
    """Each array, or all together, divided by its length."""
    whole = np.sqrt(sum(float(np.sum(array * array)) for array in given.right.values()))
    for words, lengths in (
        ("all arrays together have the length 1", dict.fromkeys(given.right, whole)),
        ("each array has the length 1", {name: float(np.linalg.norm(array)) for name, array in given.right.items()}),
    ):
        if all(lengths[name] for name in given.wrong):
            made = {name: given.right[name] / lengths[name] for name in given.wrong}
            if all(given.agree(name, made[name]) for name in given.wrong):
                yield Found(words, made)


@number_mistake(
    "a common factor",
    "Every array is the right gradient times one and the same number, which is none of the usual ones (2, ½, B, 1/B). Perhaps a "
    "learning rate is in it: a step is −η·∂C/∂W, a gradient is ∂C/∂W.",
    "look for the number in the code, and return the gradient without it",
)
def common_factor(given: Given) -> Iterable[Found]:
    """One number for all arrays."""
    factor = _factor(given, tuple(given.right))
    if factor is not None and set(given.wrong) >= {name for name, array in given.right.items() if np.any(array)}:
        yield Found(
            _called(given.structure, factor, "the true gradient"), {name: factor * given.right[name] for name in given.wrong}
        )


@number_mistake(
    "a factor in some arrays",
    "These arrays are the right gradient times a number, the others are right. So the number comes in where these arrays are made, not in "
    "what goes back through the layers.",
    "look for the number where these arrays are computed",
)
def some_factors(given: Given) -> Iterable[Found]:
    """A number for all wrong arrays, or one for each."""
    if len(given.wrong) == len(given.right):
        return
    factor = _factor(given, given.wrong)
    if factor is not None:
        yield Found(_called(given.structure, factor, "true"), {name: factor * given.right[name] for name in given.wrong})
        return
    each = {name: _factor(given, (name,)) for name in given.wrong}
    made = {name: found * given.right[name] for name, found in each.items() if found is not None}
    if len(made) == len(given.wrong) and all(np.count_nonzero(given.right[name]) > 1 for name in made):
        said = "; ".join(
            f"{_called(given.structure, found, 'true')} in {name}" for name, found in each.items() if found is not None
        )
        yield Found(said, made, len(made))


def _factor(given: Given, names: Iterable[str]) -> float | None:
    right, mine = (np.concatenate([rows[name].reshape(-1) for name in names]) for rows in (given.right, given.mine))
    if np.count_nonzero(right) < 2 or not np.any(mine):
        return None
    factor = float(right @ mine / (right @ right))
    return factor if all(given.agree(name, factor * given.right[name]) for name in names) else None


def _called(structure: Structure, factor: float, what: str) -> str:
    origin = next(iter(origins(structure, factor)), "")
    return f"yours = {numeral(factor, 10)} · {what}{f'; {origin}' if origin else ''}"


def origins(structure: Structure, factor: float) -> Iterator[str]:
    """Where a number may come from, by the sizes of this network."""
    sign, size = ("−" if factor < 0 else ""), abs(factor)
    known = dict(_known(structure))
    for number, words in known.items():
        for value, text in ((number, f"{number:g}"), (1 / number, f"1/{number:g}")):
            if _same(size, value):
                yield f"{sign}{text}, and {number:g} is {words}"
    for number, words in known.items():
        for value, text in ((number**2, f"{number:g}²"), (number**-2, f"1/{number:g}²"), (number**0.5, f"√{number:g}"),
                            (number**-0.5, f"1/√{number:g}"), (2 * number, f"2·{number:g}"), (2 / number, f"2/{number:g}"),
                            (number / 2, f"{number:g}/2"), (0.5 / number, f"1/(2·{number:g})")):  # fmt: skip
            if _same(size, value):
                yield f"{sign}{text}, and {number:g} is {words}"
    numbers = list(known.items())
    for place, (one, words) in enumerate(numbers):
        for other, others in numbers[place + 1 :]:
            for value, text in ((one * other, f"{one:g}·{other:g}"), (1 / (one * other), f"1/({one:g}·{other:g})"),
                                (one / other, f"{one:g}/{other:g}"), (other / one, f"{other:g}/{one:g}")):  # fmt: skip
                if _same(size, value):
                    yield f"{sign}{text}, where {one:g} is {words} and {other:g} {others}"


def _same(one: float, other: float) -> bool:
    return abs(one - other) <= _ROUND * abs(other)


def _known(structure: Structure) -> Iterator[tuple[float, str]]:
    """The sizes of the network, the plainest first; each number once."""
    batch = structure.batch
    seen: set[float] = {1.0}
    for number, words in (
        (batch, "the batch size B"),
        (structure.outputs, "the number of outputs k"),
        *_widths(structure),
        *((len(uses), "the number of time steps") for uses in structure.steps.values()),
        *((structure.positions(name), f"the number of positions in {structure.layers[name]}") for name in structure.layers),
        (255, "the largest byte, by which images are divided"),
        (batch - 1, "B − 1"),
        (len(structure.layers), "the number of arrays"),
        (sum(node.type.size for node in structure.backward.parameters.values()), "the number of parameters"),
        *structure.target_factors,
    ):
        if number > 0 and float(number) not in seen:
            seen.add(float(number))
            yield float(number), words


def _widths(structure: Structure) -> Iterator[tuple[int, str]]:
    for product in structure.products:
        for side in product.inputs:
            weights = weights_of(side)
            if weights is not None and weights.type.ndim >= 2:
                layer = structure.layers[weights.name]
                yield int(np.prod(weights.shape[:-1])), f"the number of inputs of {layer}"
                yield weights.shape[-1], f"the number of units of {layer}"


def largest(arrays: Iterable[Array]) -> float:
    """The size of the largest entry."""
    return max((float(np.max(np.abs(array), initial=0.0)) for array in arrays), default=0.0)
