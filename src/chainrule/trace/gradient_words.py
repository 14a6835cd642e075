"""What the search in a gradient found, in words: mistakes with their layers and evidence, or where to look on."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill

import numpy as np

from chainrule.trace import mistakes
from chainrule.trace.gradient_judge import ParameterCheck
from chainrule.trace.mistake_search import Search, Solution
from chainrule.trace.mistakes import WIDTH, Kind, Mistake

_MOST_ENTRIES = 3
_MOST_NAMES = 6


def diagnosed(search: Search) -> tuple[tuple[Mistake, ...], ...]:
    """Every plainest explanation of the student's gradient, as mistakes; none where no known mistake fits."""
    found = [_mistakes(search, solution) for solution in search.solutions()]
    factor = search.common_factor() if all(len(explanation) > 1 for explanation in found) else None
    # Two factors at once below 1 may as well be a learning rate.
    if factor is not None and (not found or 0 < factor < 1):
        kind, layers = mistakes.SCALED, tuple(dict.fromkeys(search.structure.layers.values()))
        found.append((Mistake(kind.name, layers, kind.explanation, kind.remedy, f"yours = {factor:.10g} · the true gradient"),))
    return tuple(dict.fromkeys(found))


def _mistakes(search: Search, solution: Solution) -> tuple[Mistake, ...]:
    return tuple(_mistake(search, solution, kind) for kind in sorted(solution.kinds, key=mistakes.CATALOGUE.index))


def _mistake(search: Search, solution: Solution, kind: Kind) -> Mistake:
    arrays = [name for name, reading in solution.arrays.items() if kind in reading.kinds]
    layers = search.structure.layers
    met = {search.sites[number].layer for number, chosen in solution.sites if chosen is kind} | {
        layers[name] for name in arrays
    }
    order = list(dict.fromkeys(layers.values()))
    ordered = tuple(sorted(met, key=lambda layer: order.index(layer) if layer in order else len(order)))
    return Mistake(kind.name, ordered, kind.explanation, kind.remedy, _evidence(search, solution, kind, arrays, ordered))


def _evidence(search: Search, solution: Solution, kind: Kind, arrays: list[str], layers: tuple[str, ...]) -> str:
    said: list[str] = []
    if kind is mistakes.UPDATED:
        said.append(f"your numbers fit W − η·∂C/∂W with η = {solution.rate:.6g}")
    if kind in mistakes.FACTORS and len(solution.kinds) == 1:
        said.append(_factors(search, solution, arrays, layers))
    elif arrays:
        said.append(f"it is in {_listed(arrays)}")
    entries = sum(array.size for array in search.mine.values())
    planted = "this mistake" if len(solution.kinds) == 1 else "both mistakes"
    return "; ".join([*said, f"with {planted} in it, the backward pass gives your numbers, all {entries}"])


def _factors(search: Search, solution: Solution, arrays: list[str], layers: tuple[str, ...]) -> str:
    by_factor: dict[float, list[str]] = {}
    for name in arrays:
        by_factor.setdefault(solution.arrays[name].factor, []).append(name)
    sizes = {
        mistakes.MISSING_BATCH: f" (B = {search.structure.batch})",
        mistakes.BATCH_TOO_OFTEN: f" (B = {search.structure.batch})",
        mistakes.BIAS_MEAN: f" (B = {search.structure.batch})",
        mistakes.MEAN_OF_OUTPUTS: f" (k = {search.structure.outputs})",
        mistakes.SUM_OF_OUTPUTS: f" (k = {search.structure.outputs})",
    }
    (kind,) = solution.kinds
    shown = "yours/true is " + "; ".join(f"{factor:.6g} in {_listed(names)}" for factor, names in by_factor.items())
    order = list(dict.fromkeys(search.structure.layers.values()))
    carried = 1 < len(layers) < len(order) and layers == tuple(order[: len(layers)])
    behind = (
        f"; it begins in {layers[-1]} and all layers before have it, so it may sit in the δ of {layers[-1]} alone" * carried
    )
    grows = "; the factor grows from layer to layer, so it is applied anew in each" * (solution.repeats > 0)
    return f"{shown}{sizes.get(kind, '')}{grows or behind}"


def _listed(names: Sequence[str]) -> str:
    extra = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {extra} more" if extra > 0 else "")


def explained(explanations: Sequence[Sequence[Mistake]]) -> str:
    """The explanations as text; empty for none."""
    texts = ["Two mistakes at once:\n" * (len(found) > 1) + "\n".join(map(str, found)) for found in explanations]
    if len(texts) < 2:
        return "".join(f"\n{text}" for text in texts)
    numbered = "\n".join(f"\n({number}) {text}" for number, text in enumerate(texts, 1))
    hint = (
        f"These {len(texts)} explanations cannot be told apart here: they give the same numbers. Check again with a batch of 7 examples, "
        "and with layers of different sizes (no square W, not as many outputs as examples)."
    )
    return f"{numbered}\n\n{fill(hint, WIDTH)}"


def unexplained(rows: Sequence[ParameterCheck]) -> str:
    """Where to look when no known mistake explains the difference."""
    wrong = [row for row in rows if row.verdict != "right"]
    order = list(dict.fromkeys(row.layer for row in rows))
    bad = [layer for layer in order if any(row.layer == layer for row in wrong)]
    lines = ["", "No mistake that I know gives these numbers.", *_where(rows, order, bad)]
    for row in wrong:
        lines += [
            f"  {row.name}: cosine with the true gradient {row.cosine:.4f}, {row.ratio:.4g} times its size",
            f"    {_entries(row)}",
        ]
    return "\n".join(lines)


def _where(rows: Sequence[ParameterCheck], order: Sequence[str], bad: Sequence[str]) -> list[str]:
    """What can be concluded from which layers are right: a wrong δ makes all layers before it wrong."""
    last = bad[-1]
    behind = list(order[order.index(last) + 1 :])
    lines = [f"Right in {', '.join(layer for layer in order if layer not in bad)}."] if len(bad) < len(order) else []
    own = [row for row in rows if row.layer == last]
    fine = [row.name for row in own if row.verdict == "right"]
    if fine:
        names = ", ".join(row.name for row in own if row.verdict != "right")
        return [*lines, f"{', '.join(fine)} is right, so δ of {last} is right too: look at how {names} is made from it."]
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
    shown = (f"{[int(i) for i in spot]} yours {row.mine[spot]:.5g}, true {row.gradient[spot]:.5g}" for spot in spots)
    return f"{wrong} of {row.mine.size} entries differ, most of all " + "; ".join(shown)
