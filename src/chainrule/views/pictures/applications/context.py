"""How well the next token is predicted from the last few by counting, beside a network and what nobody can undercut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from chainrule.data import CountModel, Examples, block_mean
from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.train import Run
from chainrule.train.generation import reader_of
from chainrule.views.colours import SERIES
from chainrule.views.figures.style import INK
from chainrule.views.pictures.picture import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class ContextCurve(Picture):
    """Bits to a token on the test part: `counted` (orders, tokens) by counting with 0, 1, ... tokens before, `network` (tokens,).

    `floor` is the source's entropy rate, None where it is not known.
    """

    counted: Array
    network: Array
    floor: float | None

    @property
    def title(self) -> str:
        """What is compared."""
        return "What the last tokens are worth: counting, and the network"

    @property
    def reading(self) -> str:
        """How to read the curve."""
        floor = "; below the dashed line, the source's own entropy, nobody can come but by chance" * (self.floor is not None)
        return (
            "Each point is a prediction by counting what followed the last tokens, with its standard error; the band is the "
            f"network, which sees the same text{floor}."
        )

    def draw(self, ax: Axes) -> None:
        """Points for counting, a band for the network, a line for the floor."""
        found = np.array([block_mean(row) for row in self.counted])
        orders = np.arange(len(found))
        ax.errorbar(orders, found[:, 0], found[:, 1], fmt="o-", color=SERIES[1], capsize=2, label="counting (Witten, Bell)")
        mean, error = block_mean(self.network)
        ax.axhspan(mean - error, mean + error, color=SERIES[0], alpha=0.35, label=f"network: {mean:.3f} ± {error:.3f}")
        if self.floor is not None:
            ax.axhline(self.floor, color=INK, linestyle="--", linewidth=1.1, label=f"entropy of the source: {self.floor:.3f}")
        ax.set_yscale("log")
        ax.set_xticks(orders)
        ax.legend(loc="upper right")
        ax.set(xlabel="tokens before the predicted one that are looked at", ylabel="surprise (bits to a token)")
        ticks = [
            tick for tick in (0.1, 0.2, 0.3, 0.5, 1, 2, 3, 5) if 0.7 * np.min(found[:, 0]) < tick < 1.3 * np.max(found[:, 0])
        ]
        ax.set_yticks(ticks, [numeral(tick, 6) for tick in ticks])
        ax.minorticks_off()


def context_curve(run: Run, most: int = 6, floor: float | None = None, replica: int = 0) -> ContextCurve:
    """Counting with up to `most` tokens of context, learned from the run's training text, beside the run, on its test text.

    For data of `next_character` with a test part: at each place both see the same characters before, the network as many as it
    was trained with.
    """
    reader, data = reader_of(run.problem), run.data
    learned, test = _ids(run, data.train), data.test or data.train
    held_out = _ids(run, test)
    first, classes = len(held_out) - len(test), len(reader.vocabulary)
    rows = [CountModel(learned, classes, order).bits(held_out, first) for order in range(most + 1)]
    chances = run.probabilities(test.x, replica)[np.arange(len(test)), test.y].astype(np.float64)
    return ContextCurve(np.array(rows), -np.log2(np.maximum(chances, np.finfo(np.float32).tiny)), floor)


def _ids(run: Run, part: Examples) -> list[int]:
    """The text behind windows and what follows each of them, as ids."""
    reader = reader_of(run.problem)
    first = reader.vocabulary.ids(reader.cut_up(reader.decode(part.x[0])))
    return [*map(int, first), *map(int, part.y)]
