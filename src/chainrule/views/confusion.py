"""The confusion matrix in a terminal: numbers on a ground whose brightness is their fraction of the row."""

from __future__ import annotations

import math

import numpy as np
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.style import Style
from rich.text import Text

from chainrule.immutable import immutable
from chainrule.nn import ConfusionMatrix
from chainrule.views.confused import LEGEND, MOST_CLASSES, frequent_confusions
from chainrule.views.plain import printable, spaced, told_apart

# Three points of a scale from dark blue over grey to yellow, made for every kind of colour vision: brightness alone tells.
# Source: J. R. Nuñez, C. R. Anderton, R. S. Renslow, PLoS ONE 13, e0199239 (2018), "cividis".
_SCALE = ((0, 32, 77), (124, 123, 120), (255, 234, 70))
_LONGEST_NAME = 14


def shade(share: float) -> Style:
    """The style of a cell: ground by share (0 to 1), text black or white, whichever is read better on it."""
    # The root lifts the few confusions out of the dark; a diagonal of 0.95 stays near the top.
    place = math.sqrt(max(0.0, min(1.0, share))) * 2
    low, high = (_SCALE[0], _SCALE[1]) if place < 1 else (_SCALE[1], _SCALE[2])
    part = place if place < 1 else place - 1
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(low, high, strict=True))
    bright = 0.2126 * red + 0.7152 * green + 0.0722 * blue > 115
    return Style(color="black" if bright else "white", bgcolor=f"rgb({red},{green},{blue})")


@immutable
class ConfusionView:
    """Renders the matrix, precision, recall and F1 beside it where there is room, else below."""

    matrix: ConfusionMatrix
    caption: str = ""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self.caption:
            yield Text(self.caption, style="bold")
        if len(self.matrix.classes) > MOST_CLASSES:
            yield from _confusions(self.matrix)
            return
        room = options.max_width
        wide = _Layout(self.matrix, scores=True)
        if wide.width <= room:
            yield from wide.lines()
        else:
            narrow = _Layout(self.matrix, scores=False)
            if narrow.width <= room:
                yield from narrow.lines()
            else:
                yield Text(f"(the matrix needs {narrow.width} columns, and the terminal has {room})")
                yield from _confusions(self.matrix)
            yield from _score_list(self.matrix)
        yield Text(LEGEND, style="dim")
        if np.isnan(np.concatenate([self.matrix.precision, self.matrix.recall])).any():
            yield Text("– : undefined, the class was never predicted or never occurs", style="dim")


class _Layout:
    """Where the columns of the matrix stand, and its lines."""

    def __init__(self, matrix: ConfusionMatrix, *, scores: bool) -> None:
        self.matrix, self.scores = matrix, scores
        # One column of names is cut to fit the numbers below it; the rows show them longer.
        self.names = told_apart(matrix.classes, _LONGEST_NAME)
        self.label = max(len("truth"), *(cell_len(name) for name in self.names))
        widest = max(len(str(matrix.counts.max())), min(self._longest_head, max(cell_len(name) for name in self.names)))
        self.cell = widest + 1
        self.width = self.label + self.cell * len(self.names) + (24 if scores else 0)

    @property
    def _longest_head(self) -> int:
        return _LONGEST_NAME if len(self.names) <= 4 else 6

    def lines(self) -> RenderResult:
        """Head, a line to each class."""
        matrix = self.matrix
        yield Text(" " * self.label + f" predicted{'' if len(self.names) < 3 else ' →'}", style="dim")
        heads = [_fitted(name, self.cell) for name in told_apart(matrix.classes, self.cell - 1)]
        head = Text("truth".ljust(self.label) + "".join(heads), style="bold")
        yield head.append("  precision recall    F1" if self.scores else "")
        rows: list[list[int]] = matrix.counts.tolist()
        for place, counts in enumerate(rows):
            yield self._row(place, counts)

    def _row(self, place: int, counts: list[int]) -> Text:
        total = max(sum(counts), 1)
        line = Text(_fitted(self.names[place], -self.label), style="bold")
        for count in counts:
            line.append(f"{count or '·':>{self.cell}}", style=shade(count / total) if count else "dim not bold")
        if self.scores:
            values = (float(scores[place]) for scores in (self.matrix.precision, self.matrix.recall, self.matrix.f1))
            line.append("   {:>8} {:>6} {:>5}".format(*map(_share, values)), style="not bold")
        return line


def _fitted(text: str, width: int) -> str:
    """The text moved to the right, or for a negative width to the left, by the columns it takes on screen."""
    blanks = " " * (abs(width) - cell_len(text))
    return blanks + text if width > 0 else text + blanks


def _share(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"


def _score_list(matrix: ConfusionMatrix) -> RenderResult:
    names = told_apart(matrix.classes, _LONGEST_NAME)
    label = max(len("class"), *(cell_len(name) for name in names))
    yield Text(f"{'class':<{label}}  precision recall    F1", style="bold")
    for place, name in enumerate(names):
        values = (float(scores[place]) for scores in (matrix.precision, matrix.recall, matrix.f1))
        yield Text(_fitted(name, -label) + "   {:>8} {:>6} {:>5}".format(*map(_share, values)))


def _confusions(matrix: ConfusionMatrix, most: int = 8) -> RenderResult:
    """The most frequent mistakes in words."""
    yield Text(f"{len(matrix.classes)} classes; the most frequent confusions:")
    found = frequent_confusions(matrix.counts, most)
    for truth, predicted, count in found:
        names = printable(matrix.classes[truth]), printable(matrix.classes[predicted])
        yield Text(f"  {names[0]} taken for {names[1]}: {spaced(count)} times")
    if not found:
        yield Text("  none")
