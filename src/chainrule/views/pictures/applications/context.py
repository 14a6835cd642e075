"""How well the next token is predicted from the last few by counting, beside a network and what nobody can undercut."""

from __future__ import annotations

import numpy as np

from chainrule.data import CountModel, Examples, block_mean
from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.train import Run
from chainrule.train.generation import reader_of
from chainrule.views.marks import ErrorBars, Line, Mark, Rule
from chainrule.views.panels import Axis, Panel
from chainrule.views.pictures.kinds import predicts_tokens, suits
from chainrule.views.view import View, numbers


@suits(predicts_tokens)
def context_curve(run: Run, most: int = 6, floor: float | None = None, replica: int = 0) -> View:
    """Counting with up to `most` tokens of context, learned from the run's training text, beside the run, on its test text.

    For data of `next_character` with a test part: at each place both see the same characters before, the network as many as it
    was trained with. `floor` is the source's entropy rate, where it is known. The numbers, in bits to a token: `counted` (orders,
    tokens) by counting with 0, 1, ... tokens before, and `network` (tokens,).
    """
    reader, data = reader_of(run.problem), run.data
    learned, test = _ids(run, data.train), data.test or data.train
    held_out = _ids(run, test)
    first, classes = len(held_out) - len(test), len(reader.vocabulary)
    counted = np.array([CountModel(learned, classes, order).bits(held_out, first) for order in range(most + 1)])
    chances = run.probabilities(test.x, replica)[np.arange(len(test)), test.y].astype(np.float64)
    network = -np.log2(np.maximum(chances, np.finfo(np.float32).tiny))
    below = "; below the dashed line, the source's own entropy, nobody can come but by chance" * (floor is not None)
    return View(
        "What the last tokens are worth: counting, and the network",
        "Each point is a prediction by counting what followed the last tokens, with its standard error; the band is the "
        f"network, which sees the same text{below}.",
        [_bits_panel(counted, network, floor)],
        numbers(counted=counted, network=network),
    )


def _ids(run: Run, part: Examples) -> list[int]:
    """The text behind windows and what follows each of them, as ids."""
    reader = reader_of(run.problem)
    first = reader.vocabulary.ids(reader.cut_up(reader.decode(part.x[0])))
    return [*map(int, first), *map(int, part.y)]


def _bits_panel(counted: Array, network: Array, floor: float | None) -> Panel:
    """Points for counting, a band for the network, a line for the floor."""
    found, orders = np.array([block_mean(row) for row in counted]), np.arange(len(counted))
    mean, error = block_mean(network)
    least, most = 0.7 * float(found[:, 0].min()), 1.3 * float(found[:, 0].max())
    ticks = [tick for tick in (0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 3.0, 5.0) if least < tick < most]
    below: list[Mark] = (
        []
        if floor is None
        else [Rule(y=floor, color="ink", dash="dashed", width=1.1, label=f"entropy of the source: {floor:.3f}")]
    )
    return Panel(
        [
            Rule(y=(mean - error, mean + error), color=0, alpha=0.35, label=f"network: {mean:.3f} ± {error:.3f}"),
            *below,
            ErrorBars(orders, found[:, 0] - found[:, 1], found[:, 0] + found[:, 1], color=1),
            Line(orders, found[:, 0], color=1, marker="o", size=6.0, label="counting (Witten, Bell)"),
        ],
        Axis("tokens before the predicted one that are looked at", at=orders, texts=list(map(str, orders.tolist()))),
        Axis("surprise (bits to a token)", log=True, at=ticks, texts=[numeral(tick, 6) for tick in ticks]),
        legend="upper right",
    )
