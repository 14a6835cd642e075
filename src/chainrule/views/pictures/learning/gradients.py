"""What a gradient holds: its entries by size, and what each example says of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.checks import unknown
from chainrule.display import Shown
from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.numerals import numeral
from chainrule.train import Model
from chainrule.views.marks import IN_PANEL, Color, ErrorBars, Line, Mark, Points, Rule, Text
from chainrule.views.panels import Axis, Panel, Table
from chainrule.views.pictures.learning.places import entry_name, examples, flat
from chainrule.views.plain import printable, spaced
from chainrule.views.view import View, chart, numbers, numbers_of


@immutable(eq=False)
class GradientEntries(Shown):
    """All entries of ∇C by size: `entries` (n,), of which parameter (`names`), and at which flat position in it."""

    entries: Array
    names: Array
    positions: Array
    shapes: Mapping[str, tuple[int, ...]]

    @property
    def share_of_largest(self) -> float:
        """The fraction of |∇C|² that the largest 1 % of the entries (at least one) carry; NaN where ∇C is 0."""
        squares = self.entries**2
        first = squares[: max(1, len(squares) // 100)].sum()
        return float(first / squares.sum()) if squares.sum() > 0 else float("nan")

    def top(self, count: int = 10) -> Table:
        """The entries of largest size: which, its value, and its fraction of |∇C|²."""
        total = float((self.entries**2).sum()) or 1.0
        return Table(
            ("entry", "∂C/∂entry", "fraction of |∇C|²"),
            tuple((self.where(rank), float(g), float(g) ** 2 / total) for rank, g in enumerate(self.entries[:count])),
        )

    def where(self, rank: int) -> str:
        """Which entry has this rank: dense1.W[3, 0]."""
        name = str(self.names[rank])
        place: tuple[Any, ...] = np.unravel_index(int(self.positions[rank]), self.shapes[name])
        return entry_name(name, [int(i) for i in place])


def ranked_entries(model: Model, x: Array, y: Array) -> GradientEntries:
    """The gradient of the cost on the examples x (n, ...), y, entry by entry, the largest first; equal sizes by their place."""
    gradient = model.gradient(*examples(model, x, y))
    entries = flat(gradient)
    order = np.argsort(-np.abs(entries), kind="stable")
    names = np.repeat(list(gradient), [array.size for array in gradient.values()])
    positions = np.concatenate([np.arange(array.size) for array in gradient.values()])
    return GradientEntries(entries[order], names[order], positions[order], {name: g.shape for name, g in gradient.items()})


def gradient_entries(model: Model, x: Array, y: Array) -> View:
    """The entries of the gradient of the cost on the examples x (n, ...), y by their size; `ranked_entries` gives them as a table.

    The numbers: `entries` (n,), the largest first, with `names` and `positions` (n,); `share_of_largest`: of the largest 1 %.

    Source of the question: 3Blue1Brown, Gradient descent, how neural networks learn (2017).
    """
    found = ranked_entries(model, x, y)
    largest = "The largest 1 % carry" if len(found.entries) >= 200 else "The largest alone carries"
    reading = (
        "The size of an entry says how much that parameter matters here, its sign which way to go: against it (above 0: "
        f"lower the parameter). {largest} {100 * found.share_of_largest:.0f} % of |∇C|²."
    )
    none = (
        "Every entry is exactly 0: no small change of a parameter changes C, so that training by gradients stands still here."
    )
    return View(
        f"The {spaced(len(found.entries))} entries of ∇C by size",
        reading if found.entries.any() else none,
        [_entries_panel(found)],
        numbers_of(found, "entries", "names", "positions", "share_of_largest"),
    )


def _entries_panel(found: GradientEntries) -> Panel:
    """Sizes over ranks, both logarithmic; the two signs by colour and marker; in words where there is nothing to draw."""
    entries = found.entries
    if not entries.any():
        return Panel([Text(0.5, 0.5, f"all {spaced(len(entries))} entries are exactly 0", where=IN_PANEL)], frame="none")
    sizes = np.abs(entries)
    zeros, largest = int((sizes == 0).sum()), float(sizes.max())
    # What is a thousand millions smaller than the largest is rounding, and would press the rest together.
    ends = max(float(sizes[sizes > 0].min()) / 2, largest * 1e-9), largest * 2
    words = f"left of it {100 * found.share_of_largest:.0f} % of |∇C|²"
    nothing: list[Mark] = [Line([], [], width=0.0, label=f"exactly 0: {spaced(zeros)}")] if zeros else []
    return Panel(
        [*_signed_points(entries), *nothing, Rule(x=max(1, len(entries) // 100) + 0.5, dash="dashed", width=0.9, label=words)],
        Axis("rank by size (1: the largest)", log=True),
        Axis("|∂C/∂parameter|", log=True, ends=ends),
    )


def _signed_points(entries: Array) -> list[Mark]:
    ranks, few = np.arange(1, len(entries) + 1), 2.0 if len(entries) > 500 else 4.0
    kinds: list[tuple[Array, Color, str, str]] = [
        (entries > 0, "positive", "^", "above 0"),
        (entries < 0, "negative", "v", "below 0"),
    ]
    return [
        Points(
            ranks[chosen], np.abs(entries[chosen]), color=colour, marker=marker, size=few, alpha=0.7,
            label=f"{word}: {spaced(int(chosen.sum()))}",
        )
        for chosen, colour, marker, word in kinds
    ]  # fmt: skip


def averaged_wishes(model: Model, x: Array, y: Array, name: str | None = None) -> View:
    """Each example's own −gradient, averaged, beside −∇C of all the examples; of one parameter only where `name` says so.

    The numbers, for each parameter entry (entries,): `averages` of −∂C_i/∂w over the examples, `descent`, −∂C/∂w of the whole set,
    and `spread`, the standard deviation over the examples: how little they agree; and the `largest_difference` of the first two.

    Raises: OptionError for a parameter that the model does not have.
    """
    if name is not None and name not in model.parameters:
        raise unknown(f"parameter {printable(name)!r}", printable(name), model.parameters)
    x, y = examples(model, x, y)
    total, squares = np.zeros(()), np.zeros(())
    for i in range(len(x)):
        one = -_entries(model, x[i : i + 1], y[i : i + 1], name)
        total, squares = total + one, squares + one**2
    averages, descent = np.asarray(total / len(x)), -_entries(model, x, y, name)
    spread = np.sqrt(np.maximum(squares / len(x) - averages**2, 0.0))
    difference = float(np.max(np.abs(averages - descent)))
    height = 1.5 * max(float(np.max(np.abs(averages))), float(np.finfo(float).tiny))
    return chart(
        "Wishes averaged over the examples = −∇C",
        f"A mark to a parameter entry: what {spaced(len(x))} examples wish for it on average, against −∂C/∂w of all "
        f"together; all lie on the diagonal, no further from it than {numeral(difference, 2)}. Faint bars: one "
        "standard deviation over the examples.",
        _diagonal_marks(averages, descent, spread, f"largest difference {numeral(difference, 2)}"),
        Axis("−∂C/∂w of all examples together"),
        Axis("mean over examples of −∂Cᵢ/∂w", ends=(-height, height)),
        numbers(averages=averages, descent=descent, spread=spread, largest_difference=difference),
        legend="upper left",
    )


def _entries(model: Model, x: Array, y: Array, name: str | None) -> Array:
    gradient = model.gradient(x, y)
    return flat(gradient if name is None else {name: gradient[name]})


def _diagonal_marks(averages: Array, descent: Array, spread: Array, words: str) -> list[Mark]:
    """Marks along the diagonal; for few entries the examples' spread as bars."""
    ends = [float(descent.min()), float(descent.max())]
    some = np.argsort(descent)[:: max(1, len(descent) // 60)]
    low, high = averages[some] - spread[some], averages[some] + spread[some]
    return [
        Line(ends, ends, color="faint", dash="dashed", width=1.0, label="equal"),
        ErrorBars(descent[some], low, high, color=0, alpha=0.25, width=0.8, cap=0.0),
        Points(descent, averages, color=0, size=3.0, label=f"{spaced(len(descent))} entries"),
        Text(0.98, 0.04, words, where=IN_PANEL, across="right", up="bottom"),
    ]
