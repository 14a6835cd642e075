"""What a gradient holds: its entries by size, and what each example says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.spelling import suggest
from chainrule.train import Model
from chainrule.views.colours import CSS_VARIABLES, SERIES
from chainrule.views.pictures.learning.places import entry_name, examples, flat
from chainrule.views.pictures.picture import Picture
from chainrule.views.pictures.ranked import Ranked
from chainrule.views.pictures.scales import logarithmic
from chainrule.views.plain import printable, spaced

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POSITIVE, NEGATIVE = CSS_VARIABLES["positive"][0], CSS_VARIABLES["negative"][0]


@dataclass(frozen=True, eq=False)
class GradientEntries(Picture):
    """All entries of ∇C by size: `entries` (n,), of which parameter (`names`), and at which flat position in it."""

    entries: Array
    names: Array
    positions: Array
    shapes: Mapping[str, tuple[int, ...]]

    @property
    def title(self) -> str:
        """How many there are."""
        return f"The {spaced(len(self.entries))} entries of ∇C by size"

    @property
    def share_of_largest(self) -> float:
        """The fraction of |∇C|² that the largest 1 % of the entries (at least one) carry; NaN where ∇C is 0."""
        squares = self.entries**2
        first = squares[: max(1, len(squares) // 100)].sum()
        return float(first / squares.sum()) if squares.sum() > 0 else float("nan")

    @property
    def _largest(self) -> str:
        return "The largest 1 % carry" if len(self.entries) >= 200 else "The largest alone carries"

    @property
    def reading(self) -> str:
        """What size and sign say."""
        if not self.entries.any():
            return "Every entry is exactly 0: no small change of a parameter changes C, so that training by gradients stands still here."
        return (
            "The size of an entry says how much that parameter matters here, its sign which way to go: against it (above 0: "
            f"lower the parameter). {self._largest} {100 * self.share_of_largest:.0f} % of |∇C|²."
        )

    def top_entries(self, count: int = 10) -> Ranked:
        """The entries of largest size: which, its value, and its fraction of |∇C|²."""
        total = float((self.entries**2).sum()) or 1.0
        return Ranked(
            ("entry", "∂C/∂entry", "fraction of |∇C|²"),
            tuple((self.where(rank), float(g), float(g) ** 2 / total) for rank, g in enumerate(self.entries[:count])),
        )

    def where(self, rank: int) -> str:
        """Which entry has this rank: dense1.W[3, 0]."""
        name = str(self.names[rank])
        place: tuple[Any, ...] = np.unravel_index(int(self.positions[rank]), self.shapes[name])
        return entry_name(name, [int(i) for i in place])

    def draw(self, ax: Axes) -> None:
        """Sizes over ranks, both logarithmic; the two signs by colour and marker; in words where there is nothing to draw."""
        if not self.entries.any():
            ax.set_axis_off()
            ax.text(0.5, 0.5, f"all {spaced(len(self.entries))} entries are exactly 0", ha="center", transform=ax.transAxes)
            return
        ranks, sizes = np.arange(1, len(self.entries) + 1), np.abs(self.entries)
        few = 4 if len(ranks) > 500 else 16
        for sign, colour, marker, word in ((1, POSITIVE, "^", "above 0"), (-1, NEGATIVE, "v", "below 0")):
            chosen = (np.sign(self.entries) == sign) & (sizes > 0)
            label = f"{word}: {spaced(int(chosen.sum()))}"
            ax.scatter(ranks[chosen], sizes[chosen], s=few, c=colour, marker=marker, label=label, linewidths=0, alpha=0.7)
        zeros = int((sizes == 0).sum())
        if zeros:
            ax.plot([], [], " ", label=f"exactly 0: {spaced(zeros)}")
        words = f"left of it {100 * self.share_of_largest:.0f} % of |∇C|²"
        ax.axvline(max(1, len(ranks) // 100) + 0.5, color="#8a8a8a", linestyle="--", linewidth=0.9, label=words)
        if np.any(sizes > 0):
            # What is a thousand millions smaller than the largest is rounding, and would press the rest together.
            ax.set_ylim(max(float(sizes[sizes > 0].min()) / 2, float(sizes.max()) * 1e-9), float(sizes.max()) * 2)
            logarithmic(ax)
        logarithmic(ax, "x")
        ax.set_xlabel("rank by size (1: the largest)")
        ax.set_ylabel("|∂C/∂parameter|")
        ax.legend(markerscale=2)


def gradient_entries(model: Model, x: Array, y: Array) -> GradientEntries:
    """The gradient of the cost on the examples x (n, ...), y, entry by entry, the largest first; equal sizes by their place.

    Source of the question: 3Blue1Brown, Gradient descent, how neural networks learn (2017).
    """
    gradient = model.gradient(*examples(model, x, y))
    entries = flat(gradient)
    order = np.argsort(-np.abs(entries), kind="stable")
    names = np.repeat(list(gradient), [array.size for array in gradient.values()])
    positions = np.concatenate([np.arange(array.size) for array in gradient.values()])
    return GradientEntries(entries[order], names[order], positions[order], {name: g.shape for name, g in gradient.items()})


@dataclass(frozen=True, eq=False)
class AveragedWishes(Picture):
    """For each parameter entry: the mean over the examples of −∂C_i/∂w, and −∂C/∂w of the whole set; arrays (entries,).

    `spread` is the standard deviation over the examples: how little they agree.
    """

    averages: Array
    descent: Array
    spread: Array
    examples: int

    @property
    def title(self) -> str:
        """The identity."""
        return "Wishes averaged over the examples = −∇C"

    @property
    def largest_difference(self) -> float:
        """The largest |average − (−∂C/∂w)| of all entries."""
        return float(np.max(np.abs(self.averages - self.descent)))

    @property
    def reading(self) -> str:
        """How well both agree."""
        return (
            f"A mark to a parameter entry: what {spaced(self.examples)} examples wish for it on average, against −∂C/∂w of all "
            f"together; all lie on the diagonal, no further from it than {numeral(self.largest_difference, 2)}. Faint bars: one "
            "standard deviation over the examples."
        )

    def draw(self, ax: Axes) -> None:
        """Marks along the diagonal; for few entries the examples' spread as bars."""
        from matplotlib.ticker import MaxNLocator

        ends = [float(f(self.descent)) for f in (np.min, np.max)]
        ax.plot(ends, ends, "--", color="#8a8a8a", linewidth=1, label="equal", zorder=1)
        step = max(1, len(self.descent) // 60)
        order = np.argsort(self.descent)[::step]
        ax.errorbar(
            self.descent[order],
            self.averages[order],
            self.spread[order],
            fmt="none",
            ecolor=SERIES[0],
            alpha=0.25,
            linewidth=0.8,
        )
        ax.scatter(
            self.descent,
            self.averages,
            s=9,
            color=SERIES[0],
            linewidths=0,
            label=f"{spaced(len(self.descent))} entries",
            zorder=2,
        )
        height = 1.5 * max(np.max(np.abs(self.averages)), np.finfo(float).tiny)
        ax.set_ylim(-height, height)
        ax.xaxis.set_major_locator(MaxNLocator(6))
        ax.set_xlabel("−∂C/∂w of all examples together")
        ax.set_ylabel("mean over examples of −∂Cᵢ/∂w")
        ax.text(
            0.98,
            0.04,
            f"largest difference {numeral(self.largest_difference, 2)}",
            transform=ax.transAxes,
            ha="right",
            fontsize=8,
        )
        ax.legend(loc="upper left")


def averaged_wishes(model: Model, x: Array, y: Array, name: str | None = None) -> AveragedWishes:
    """Each example's own −gradient, averaged, beside −∇C of all the examples; of one parameter only where `name` says so.

    Raises: OptionError for a parameter that the model does not have.
    """
    if name is not None and name not in model.parameters:
        raise OptionError(
            f"parameter {printable(name)!r}",
            expected=f"one of {', '.join(model.parameters)}",
            remedy=suggest(printable(name), model.parameters),
        )
    x, y = examples(model, x, y)
    total, squares = np.zeros(()), np.zeros(())
    for i in range(len(x)):
        one = -_entries(model, x[i : i + 1], y[i : i + 1], name)
        total, squares = total + one, squares + one**2
    mean = total / len(x)
    spread = np.sqrt(np.maximum(squares / len(x) - mean**2, 0.0))
    return AveragedWishes(np.asarray(mean), -_entries(model, x, y, name), spread, len(x))


def _entries(model: Model, x: Array, y: Array, name: str | None) -> Array:
    gradient = model.gradient(x, y)
    return flat(gradient if name is None else {name: gradient[name]})
