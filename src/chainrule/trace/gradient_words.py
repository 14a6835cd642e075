"""What the search in a gradient found, in words: mistakes with their layers and evidence, or where to look on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from textwrap import fill

import numpy as np

from chainrule.numerals import numeral
from chainrule.trace.gradient_judge import ParameterCheck
from chainrule.trace.mistake_search import MistakeSearch
from chainrule.trace.mistake_solutions import Solution
from chainrule.trace.mistakes import CATALOGUE, WIDTH, Kind, Mistake, factors, numbers, weights
from chainrule.trace.network_structure import Structure

_MOST_ENTRIES = 3
_MOST_NAMES = 6
_MOST_EXPLANATIONS = 6


def diagnosed(search: MistakeSearch) -> tuple[tuple[Mistake, ...], ...]:
    """Every plainest explanation of the student's gradient, as mistakes; none where no known mistake fits.

    One kind of mistake is tried first; then what was wrong before the backward pass began, and what has a number in it; then two kinds.
    """
    found = [_mistakes(search, solution) for solution in _possible(search, search.solutions(1))]
    if not found:
        found = [_mistakes(search, solution) for solution in search.others()]
    with_numbers = [] if found else list(search.numbers())
    plain = [row for row in with_numbers if row[0] not in {numbers.common_factor, numbers.some_factors}]
    if not found and not plain:
        found = [_mistakes(search, solution) for solution in search.solutions(2)]
    for kind, fit in plain or with_numbers:
        # Two factors at once below 1 may as well be a learning rate.
        if plain or not found or (kind is numbers.common_factor and _below_one(search)):
            layers = search.structure.layers
            met = tuple(
                dict.fromkeys(layers[name] for name in search.mine if name in fit.arrays or kind is numbers.common_factor)
            )
            found.append(
                (Mistake(kind.name, met, kind.explanation, kind.remedy, fit.evidence, _arrays(search, list(fit.arrays))),)
            )
    return _told_once(found)


def _possible(search: MistakeSearch, solutions: Sequence[Solution]) -> Sequence[Solution]:
    """Without factors that come with δ in layers whose δ is right, if there is another explanation."""

    def fits(solution: Solution) -> bool:
        arrays = {
            kind: [name for name, r in solution.arrays.items() if kind in r.kinds] for kind in solution.kinds if kind.in_delta
        }
        return not any(_right_beside(search, names) for names in arrays.values())

    return [solution for solution in solutions if fits(solution)] or solutions


def _told_once(found: list[tuple[Mistake, ...]]) -> tuple[tuple[Mistake, ...], ...]:
    """Explanations that differ only in where more closely, told as one: after the last 4 steps, or after every 4 steps."""
    alike: dict[tuple[tuple[str, tuple[str, ...]], ...], list[tuple[Mistake, ...]]] = {}
    for explanation in found:
        alike.setdefault(tuple((mistake.name, mistake.layers) for mistake in explanation), []).append(explanation)
    joined: list[tuple[Mistake, ...]] = []
    for explanations in alike.values():
        mistakes = list(explanations[0])
        for place, mistake in enumerate(mistakes):
            places = list(dict.fromkeys(explanation[place].at for explanation in explanations))
            mistakes[place] = replace(mistake, at=" or ".join(places[:_MOST_NAMES]))
        joined.append(tuple(mistakes))
    return tuple(joined)


def _below_one(search: MistakeSearch) -> bool:
    name = max(search.mine, key=lambda name: float(np.linalg.norm(search.right[name])))
    product = float(np.sum(search.mine[name] * search.right[name]))
    return 0 < product < float(np.sum(search.right[name] ** 2))


def _mistakes(search: MistakeSearch, solution: Solution) -> tuple[Mistake, ...]:
    return tuple(_mistake(search, solution, kind) for kind in sorted(solution.kinds, key=CATALOGUE.index))


def _mistake(search: MistakeSearch, solution: Solution, kind: Kind) -> Mistake:
    arrays = [name for name, reading in solution.arrays.items() if kind in reading.kinds]
    layers = search.structure.layers
    options = [option for option in solution.options if option.kind is kind]
    # What was wrong before the network began is in no layer.
    met = {option.layer for option in options} | {layers[name] for name in arrays if kind.where != "whole"}
    order = list(dict.fromkeys(layers.values()))
    ordered = tuple(sorted(met, key=lambda layer: order.index(layer) if layer in order else len(order)))
    evidence, closer = _evidence(search, solution, kind, arrays, ordered), _closer(search, solution, kind, arrays)
    if kind.in_delta and _right_beside(search, arrays):
        # The usual reason would be in δ, and δ is right.
        values = sorted({solution.arrays[name].factor for name in arrays})
        explanation = (
            f"{_listed(arrays)}: {', '.join(numeral(value, 6) for value in values)} times what it should be, though δ is right."
        )
        return Mistake(
            kind.name, ordered, explanation, f"look for the factor where {_listed(arrays)} is made from δ", evidence, closer
        )
    return Mistake(kind.name, ordered, kind.explanation, kind.remedy, evidence, closer)


def _closer(search: MistakeSearch, solution: Solution, kind: Kind, arrays: list[str]) -> str:
    """Where more closely than by the layers: a gate, a time step, an array."""
    said: list[str] = []
    for option in solution.options:
        if option.kind is kind:
            # "dense1.a" says no more than "dense1".
            own = {option.layer, f"{option.layer}.a", f"{option.layer}.h", f"{option.layer}.z"}
            plain = option.place in own or not option.place.startswith((f"{option.layer}.", "tanh(", "sigmoid("))
            said += [part for part in ("" if plain else option.place, option.detail) if part]
    details = {name: solution.arrays[name].detail for name in arrays if solution.arrays[name].detail}
    if kind.where == "array":
        for detail in dict.fromkeys(details.values()):
            names = [name for name in arrays if details.get(name) == detail]
            said.append(detail if len(set(details.values())) == 1 else f"{detail} in {_listed(names)}")
    if kind.where in {"array", "factor"}:
        said += [_arrays(search, arrays)] if _arrays(search, arrays) else []
    return "; ".join(dict.fromkeys(said))


def _arrays(search: MistakeSearch, arrays: list[str]) -> str:
    """The arrays, where they are not all of their layers'."""
    layers = search.structure.layers
    met = {layers[name] for name in arrays}
    whole = [name for name in search.mine if layers[name] in met]
    return "" if set(whole) == set(arrays) else _listed(arrays)


def _evidence(search: MistakeSearch, solution: Solution, kind: Kind, arrays: list[str], layers: tuple[str, ...]) -> str:
    said: list[str] = []
    if kind is weights.updated:
        said.append(f"your numbers fit W − η·∂C/∂W with η = {numeral(solution.rate, 6)}")
    if kind.where == "factor" and len(solution.kinds) == 1:
        said.append(_factors(search, solution, kind, arrays, layers))
    elif arrays and kind.where != "whole":
        said.append(f"it is in {_listed(arrays)}")
    if kind.where != "backward" and kind.where != "whole" and len(solution.kinds) == 1:
        said += _right_beside(search, arrays)
    count = sum(array.size for array in search.mine.values())
    planted = "this mistake" if len(solution.kinds) == 1 else "both mistakes"
    whole = "gradient" if kind.where == "whole" else "backward pass"
    return "; ".join([*said, f"with {planted} in it, the {whole} gives your numbers, all {count}"])


def _right_beside(search: MistakeSearch, arrays: list[str]) -> list[str]:
    """What follows from the arrays of the same layers that are right: their δ is."""
    layers, wrong = search.structure.layers, set(search.wrong)
    fine = [name for name in search.mine if layers[name] in {layers[n] for n in arrays} and _tells_delta(search, name, wrong)]
    met = {layers[name] for name in fine}
    if not fine or met != {layers[name] for name in arrays}:
        return []
    made = f"where {_listed(arrays)} {_are(arrays)} made from δ"
    return [f"{_listed(fine)} {_are(fine)} right, so δ is right there, and the mistake is behind it, {made}"]


def _are(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _tells_delta(search: MistakeSearch, name: str, wrong: set[str]) -> bool:
    return name not in wrong and not search.tolerance.is_zero(name)


def _factors(search: MistakeSearch, solution: Solution, kind: Kind, arrays: list[str], layers: tuple[str, ...]) -> str:
    by_factor: dict[float, list[str]] = {}
    for name in arrays:
        by_factor.setdefault(solution.arrays[name].factor, []).append(name)
    shown = "yours/true is " + "; ".join(f"{numeral(factor, 6)} in {_listed(names)}" for factor, names in by_factor.items())
    size = _size(search.structure, kind, arrays)
    order = list(dict.fromkeys(search.structure.layers.values()))
    every = [name for name in search.mine if search.structure.layers[name] in layers and not search.tolerance.is_zero(name)]
    # Only where the weights and the biases of all of them have it can it have come with δ.
    is_carried = 1 < len(layers) < len(order) and layers == tuple(order[: len(layers)]) and set(every) <= set(arrays)
    behind = (
        f"; it begins in {layers[-1]} and all layers before have it, so it may sit in the δ of {layers[-1]} alone" * is_carried
    )
    several = {solution.arrays[name].repeats for name in arrays}
    grows = "; the factor grows from layer to layer, so it is applied anew in each" * (len(several) > 1)
    return f"{shown}{size}{grows or behind}"


def _size(structure: Structure, kind: Kind, arrays: list[str]) -> str:
    if kind in {factors.missing_batch, factors.batch_too_often, factors.bias_mean}:
        return f" (B = {structure.batch})"
    if kind in {factors.mean_of_outputs, factors.sum_of_outputs}:
        return f" (k = {structure.outputs})"
    if kind is factors.mean_of_uses:
        counts = {len(structure.steps.get(name, ())) for name in arrays} - {0}
        return f" (T = {', '.join(map(str, sorted(counts)))})" if counts else ""
    if kind is factors.mean_of_positions:
        return f" ({', '.join(str(n) for n in sorted({structure.positions(name) for name in arrays}))} positions)"
    return ""


def _listed(names: Sequence[str]) -> str:
    extra = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {extra} more" if extra > 0 else "")


def explained(explanations: Sequence[Sequence[Mistake]]) -> str:
    """The explanations as text; empty for none."""
    texts = ["Two mistakes at once:\n" * (len(found) > 1) + "\n".join(map(str, found)) for found in explanations]
    if len(texts) < 2:
        return "".join(f"\n{text}" for text in texts)
    numbered = "\n".join(f"\n({number}) {text}" for number, text in enumerate(texts[:_MOST_EXPLANATIONS], 1))
    more = len(texts) - _MOST_EXPLANATIONS
    rest = f" ({more} more are in .explanations.)" if more > 0 else ""
    alike = f"These {len(texts)} explanations cannot be told apart here: they give the same numbers."
    return f"{numbered}\n\n{fill(f'{alike}{rest} {_advice(explanations)}', WIDTH)}"


def _advice(explanations: Sequence[Sequence[Mistake]]) -> str:
    """What to check again with, so that they differ."""
    names = {mistake.name for found in explanations for mistake in found}
    if any("step" in name or "time" in name or "use counted" in name for name in names):
        return "Check again with a longer sequence, or a cost that looks at several time steps."
    return "Check again with a batch of 7 examples, and with layers of different sizes (no square W, not as many outputs as examples)."


def unexplained(rows: Sequence[ParameterCheck], silent: Sequence[str] = ()) -> str:
    """Where to look when no known mistake explains the difference; `silent` are arrays whose true gradient is 0, which tell nothing."""
    wrong = [row for row in rows if row.verdict != "right"]
    order = list(dict.fromkeys(row.layer for row in rows))
    bad = [layer for layer in order if any(row.layer == layer for row in wrong)]
    lines = ["", "No mistake that I know gives these numbers.", *_where(rows, order, bad, silent)]
    for row in wrong:
        lines += [f"  {row.name}: {_compared(row)}", f"    {_entries(row)}"]
    return "\n".join(lines)


def _compared(row: ParameterCheck) -> str:
    if not np.any(row.mine):
        return "all of yours are 0"
    if not np.any(row.gradient):
        return f"all of the true ones are 0, yours have the length {numeral(np.linalg.norm(row.mine))}"
    return f"cosine with the true gradient {row.cosine:.4f}, {numeral(row.ratio)} times its size"


def _where(rows: Sequence[ParameterCheck], order: Sequence[str], bad: Sequence[str], silent: Sequence[str]) -> list[str]:
    """What can be concluded from which layers are right: a wrong δ makes all layers before it wrong."""
    last = bad[-1]
    behind = list(order[order.index(last) + 1 :])
    lines = [f"Right in {', '.join(layer for layer in order if layer not in bad)}."] if len(bad) < len(order) else []
    own = [row for row in rows if row.layer == last]
    fine = [row.name for row in own if row.verdict == "right" and row.name not in silent]
    if fine:
        names = ", ".join(row.name for row in own if row.verdict != "right")
        return [
            *lines,
            f"{', '.join(fine)} {_are(fine)} right, so δ of {last} is right too: look at how {names} is made from it.",
        ]
    if behind:
        return [
            *lines,
            f"Counting from the output, {last} is the first that is wrong: look at its δ, made from that of {behind[0]}.",
        ]
    return [*lines, f"It begins in {last}, the last layer: look first at the derivative of the cost by the output."]


def _entries(row: ParameterCheck) -> str:
    gaps = np.where(row.agrees, -1.0, np.abs(row.mine - row.gradient)).reshape(-1)
    wrong = int(np.sum(~row.agrees))
    spots = [
        np.unravel_index(int(flat), row.mine.shape) for flat in np.argsort(-gaps, kind="stable")[: min(wrong, _MOST_ENTRIES)]
    ]
    shown = (
        f"{[int(i) for i in spot]} yours {numeral(row.mine[spot], 5)}, true {numeral(row.gradient[spot], 5)}" for spot in spots
    )
    return f"{wrong} of {row.mine.size} entries differ, most of all " + "; ".join(shown)


# ---- what cannot be told


def untold(structure: Structure, silent: Mapping[str, bool]) -> str:
    """What to say of arrays whose true gradient is 0 in every entry; `silent` says of each whether it is exactly 0."""
    if not silent:
        return ""
    off = _dead(structure)
    exact, rounded = (
        [name for name, is_exact in silent.items() if is_exact],
        [name for name, is_exact in silent.items() if not is_exact],
    )
    lines: list[str] = []
    if exact:
        why = (
            f"no unit of {', '.join(off)} lets a derivative through at any of these examples, it is dead"
            if off
            else "the cost does not change with it"
        )
        nothing = f"Nothing can be told about {_listed(exact)}: the true gradient is 0 in every entry ({why})."
        lines.append(f"{nothing} Try other weights or other examples.")
    if rounded:
        lines.append(
            f"The true gradient by {_listed(rounded)} is 0 but for rounding: the cost does not change with it, as with a bias before a "
            "normalisation. So are yours."
        )
    return "\n".join(fill(line, WIDTH) for line in lines)


def _dead(structure: Structure) -> list[str]:
    """The layers whose activation has the slope 0 everywhere."""
    found: list[str] = []
    for region in structure.activations:
        slope = structure.slope(region, structure.backward.values[region.z])
        if slope is not None and slope.size and not np.any(slope):
            found.append(region.layer)
    return list(dict.fromkeys(found))
