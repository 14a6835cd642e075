"""The unrolled drawing: a network with memory once per time step, beside it the folded one with its loop."""

from __future__ import annotations

from dataclasses import field
from functools import cached_property

import numpy as np

from chainrule.data import Example
from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.numerals import numeral
from chainrule.trace import Quantity, ThroughTime
from chainrule.train import Model, Run
from chainrule.views.colours import SERIES
from chainrule.views.pictures.subject import model_of
from chainrule.views.plain import printable
from chainrule.views.saved import Savable
from chainrule.views.svg import LINE, arrow_tip, drawing, element, paragraph, text, title, wrapped_lines

Spot = tuple[str, int]
"""A row's name and a time step, from 1; step 0 is the folded drawing."""
Sources = dict[Quantity, set[Spot]]
"""The states that a quantity is made from."""
ACROSS, DOWN, RADIUS, LEFT, TOP = 104.0, 96.0, 21.0, 116.0, 66.0
DASHES = (None, "7 4", "2 3", "9 3 2 3")
INPUT, OUTPUT = "input", "output"


@immutable
class StepLink:
    """An arrow from one circle to another; `weight` is the parameter that it stands for, the same at every time step."""

    tail: Spot
    head: Spot
    weight: str


@immutable
class UnrolledDrawing(Savable):
    """The drawing: `rows` from the input up, `steps` that are drawn, arrows, and the `values` of each circle, (units,)."""

    rows: tuple[str, ...]
    steps: tuple[int, ...]
    total: int
    links: tuple[StepLink, ...]
    values: dict[Spot, Array] = field(default_factory=dict[Spot, Array])
    folded: bool = False

    @property
    def title(self) -> str:
        """What is drawn."""
        way = "folded" if self.folded else f"unrolled over {self.total} time steps"
        return f"Network with memory, {way}"

    @property
    def reading(self) -> str:
        """How to read circles and arrows."""
        copies = "" if self.folded else " Each column is the same network at another time step:"
        same = (
            ""
            if self.folded
            else " values differ from step to step, weights do not, which is why they keep one name and one colour."
        )
        loop = "The arrow from a layer to itself is its memory of one step ago. " if self.folded else ""
        return f"{loop}A circle is a whole layer, an arrow its weights, sideways from one step to the next the memory.{copies}{same}"

    def fold(self) -> UnrolledDrawing:
        """The folded drawing alone: one column, memory as an arrow from a layer to itself."""
        return UnrolledDrawing(self.rows, (), self.total, self.links, {}, folded=True)

    def arrays(self) -> dict[str, Array]:
        """The values of each circle that is drawn, by its name and step."""
        return {f"{row}.t{step}": values for (row, step), values in self.values.items()}

    @cached_property
    def weights(self) -> tuple[str, ...]:
        """The shared weights, each with one colour."""
        return tuple(dict.fromkeys(link.weight for link in self.links))

    def svg(self) -> str:
        """The drawing as SVG text; time runs to the right, layers go up."""
        width = LEFT + ACROSS * (1.4 + self._columns) + 20
        bottom = TOP + DOWN * (len(self.rows) - 1) + RADIUS
        parts = [
            text(22, 28, self.title, font_size=15, font_weight="bold"),
            *(text(16, self._y(row) + 4, printable(row, most=14), font_size=12) for row in self.rows),
            *self._heads(bottom + 34),
            *(self._arrow(link) for link in self._folded_links()),
            *(self._arrow(link) for link in self._shown_links()),
            *(self._circle(row, 0) for row in self.rows),
            *(self._circle(row, step) for row in self.rows for step in self.steps if self._stands((row, step))),
        ]
        foot = bottom + 58
        for i, weight in enumerate(self.weights):
            x, y = 22 + 180 * (i % 3), foot + 18 * (i // 3)
            line = f"M{x:.1f} {y - 4:.1f}L{x + 34:.1f} {y - 4:.1f}"
            parts += [self._drawn(line, weight), text(x + 40, y, printable(weight, most=22), font_size=11)]
        foot += 18 * ((len(self.weights) + 2) // 3) + 8
        lines = wrapped_lines(self.reading, max(width, 560) - 40)
        parts += paragraph(22, foot, lines)
        return drawing(max(width, 560.0), foot + LINE * len(lines), parts, name=f"{self.title}. {self.reading}")

    # ---- places

    @property
    def _columns(self) -> int:
        return len(self.steps) + (len(self.steps) > 1 and self.steps[-1] - self.steps[0] >= len(self.steps))

    def _x(self, step: int) -> float:
        if step == 0:
            return LEFT + 10
        place = self.steps.index(step)
        # An empty column stands for the steps that are left out.
        gap = place > 0 and self.steps[place] - self.steps[0] > place
        return LEFT + ACROSS * (1.5 + place + gap)

    def _y(self, row: str) -> float:
        return TOP + DOWN * (len(self.rows) - 1 - self.rows.index(row))

    def _heads(self, y: float) -> list[str]:
        found = [text(self._x(0), y, "folded", font_size=11, text_anchor="middle", fill="var(--faint)")]
        found += [text(self._x(step), y, f"t = {step}", font_size=11, text_anchor="middle") for step in self.steps]
        for before, after in zip(self.steps, self.steps[1:], strict=False):
            if after - before > 1:
                middle = (self._x(before) + self._x(after)) / 2
                found += [text(middle, self._y(row) + 4, "…", font_size=18, text_anchor="middle") for row in self.rows]
        return found

    # ---- marks

    def _stands(self, spot: Spot) -> bool:
        return any(spot in (link.tail, link.head) for link in self.links)

    def _shown_links(self) -> list[StepLink]:
        return [link for link in self.links if link.tail[1] in self.steps and link.head[1] in self.steps]

    def _folded_links(self) -> list[StepLink]:
        kinds = {(link.tail[0], link.head[0], link.weight) for link in self.links}
        return [StepLink((tail, 0), (head, 0), weight) for tail, head, weight in sorted(kinds)]

    def _circle(self, row: str, step: int) -> str:
        x, y = self._x(step), self._y(row)
        values = self.values.get((row, step))
        named = f"{row} at step {step}" if step else f"{row}"
        told = "" if values is None else ": " + ", ".join(numeral(float(value), 3) for value in values[:12])
        mark = element("circle", cx=x, cy=y, r=RADIUS, fill="var(--panel)", stroke="var(--ink)", stroke_width=1.4)
        inner: list[str] = []
        if values is not None:
            for i, value in enumerate(values[:2]):
                words = f"{float(value) + 0.0:.2f}".replace("-", "−")
                inner.append(text(x, y + (4 if len(values) == 1 else -2 + 12 * i), words, font_size=10, text_anchor="middle"))
            if len(values) > 2:
                inner.append(text(x, y + 18, "⋮", font_size=8, text_anchor="middle"))
        return element("g", title(named + told) + mark + "".join(inner), class_="layer")

    def _arrow(self, link: StepLink) -> str:
        (x1, y1), (x2, y2) = ((self._x(step), self._y(row)) for row, step in (link.tail, link.head))
        if link.tail == link.head:
            return self._loop(x1, y1, link.weight)
        if abs(self.rows.index(link.tail[0]) - self.rows.index(link.head[0])) > 1:
            return self._around(x1, y1, x2, y2, link.weight)
        length = float(np.hypot(x2 - x1, y2 - y1))
        u, v = (x2 - x1) / length, (y2 - y1) / length
        start, end = (x1 + RADIUS * u, y1 + RADIUS * v), (x2 - (RADIUS + 2) * u, y2 - (RADIUS + 2) * v)
        path = f"M{start[0]:.1f} {start[1]:.1f}L{end[0]:.1f} {end[1]:.1f}"
        return self._drawn(path, link.weight, (*end, u, v))

    def _around(self, x1: float, y1: float, x2: float, y2: float, weight: str) -> str:
        """An arrow that passes by the layers in between."""
        start, end = (x1 - 15, y1 - 15), (x2 - 16, y2 + 16)
        path = f"M{start[0]:.1f} {start[1]:.1f}Q{x1 - 58:.1f} {(y1 + y2) / 2:.1f} {end[0]:.1f} {end[1]:.1f}"
        return self._drawn(path, weight, (*end, 0.6, -0.8))

    def _loop(self, x: float, y: float, weight: str) -> str:
        path = f"M{x + 15:.1f} {y - 15:.1f}C{x + 62:.1f} {y - 46:.1f} {x + 62:.1f} {y + 46:.1f} {x + 17:.1f} {y + 17:.1f}"
        return self._drawn(path, weight, (x + 17, y + 17, -0.75, -0.66))

    def _drawn(self, path: str, weight: str, tip: tuple[float, float, float, float] | None = None) -> str:
        """A path in its weight's colour and dashes, with a head where it arrives."""
        colour = self._colour(weight)
        mark = element("path", d=path, fill="none", stroke=colour, stroke_width=1.8, stroke_dasharray=self._dash(weight))
        return element("g", title(weight) + mark) + (arrow_tip(*tip, colour) if tip else "")

    def _colour(self, weight: str) -> str:
        return SERIES[self.weights.index(weight) % len(SERIES)]

    def _dash(self, weight: str) -> str | None:
        return DASHES[self.weights.index(weight) // len(SERIES) % len(DASHES)]


def draw_unrolled(subject: Run | Model, example: Example, *, most: int = 7) -> UnrolledDrawing:
    """The network of a run or a model once per time step, with the values of an example; `.fold()` is the folded drawing alone.

    Of more than `most` time steps the first ones and the last are drawn. What stands where is read from the unrolled graph.

    >>> import chainrule as cr
    >>> run = cr.fit(cr.Sequential(cr.RNN(3), cr.Dense(2, "softmax")), cr.data.recall(8, gap=1), epochs=1, batch_size=8)
    >>> drawing = draw_unrolled(run, run.data.train[0])
    >>> drawing.rows, drawing.weights
    (('input', 'rnn1', 'output'), ('rnn1.W', 'rnn1.U', 'dense1.W'))

    Raises: OptionError for a network without a recurrent layer.
    """
    model = model_of(subject)
    if not model.has_memory:
        raise OptionError(
            "an unrolled drawing of a network without memory", expected="a recurrent layer", remedy="use draw_network"
        )
    steps = model.through_time(example.x[None], np.asarray(example.y)[None])
    values: dict[Spot, Array] = {
        (layer, t + 1): row for layer in steps.layers for t, row in enumerate(steps.values(f"{layer}.h")[0])
    }
    total = max(step for _, step in values)
    sources = _sources(steps)
    answers, links = _answers(steps, sources, model.quantities(example.x[None], {"output"})["output"][0])
    values |= _inputs(np.asarray(example.x, dtype=np.float64), total, len(model.weights[f"{steps.layers[0]}.W"])) | answers
    links = tuple(dict.fromkeys([*_links(steps, sources), *links]))
    shown = tuple(range(1, total + 1)) if total <= most else (*range(1, most), total)
    return UnrolledDrawing((INPUT, *steps.layers, OUTPUT), shown, total, links, values)


def _inputs(x: Array, total: int, features: int) -> dict[Spot, Array]:
    """What each step reads, where that can be seen from the sizes: a row of x, or, of numbers in one row, as many as there are features."""
    if len(x) != total and x.shape != (total * features,):
        return {}
    return {(INPUT, t + 1): row for t, row in enumerate(x.reshape(total, -1))}


def _links(steps: ThroughTime, sources: Sources) -> list[StepLink]:
    """The arrows from the input and from states to the states that are made from them, by which weight."""
    found: list[StepLink] = []
    for quantity in steps.trace.quantities:
        if (place := steps.place_of(quantity)) is None:
            continue
        layer, step = place[0].rpartition(".")[0], place[1]
        tails = {spot for source in quantity.inputs for spot in sources[source]}
        for row, turn in sorted(tails - {(layer, step)}):
            # Whatever is made of the input before, a step reads its own row.
            tail = (row, step if row == INPUT else turn)
            found.append(StepLink(tail, (layer, step), f"{layer}.{'U' if row == layer else 'W'}"))
    return found


def _sources(steps: ThroughTime) -> Sources:
    """The states that each quantity is made from with no other state between; a state itself is its own."""
    found: Sources = {}
    for quantity in steps.trace.quantities:
        place = steps.place_of(quantity)
        name, _, kind = ("", "", "") if place is None else place[0].rpartition(".")
        if place is not None:
            found[quantity] = {(name, place[1])} if kind in {"h", "c"} else set()
        elif quantity.is_leaf:
            found[quantity] = {(INPUT, 0)} if quantity.name == "x" else set()
        else:
            found[quantity] = {spot for source in quantity.inputs for spot in found[source]}
    return found


def _answers(steps: ThroughTime, sources: Sources, output: Array) -> tuple[dict[Spot, Array], list[StepLink]]:
    """The output beside the last step, or its rows beside the steps that give them; and the arrows to it."""
    tails = sorted(spot for quantity in steps.trace.quantities if quantity.name == "C" for spot in sources[quantity] if spot[1])
    turns, last = sorted({turn for _, turn in tails}), max(turn for _, turn in tails)
    # Rows of their own have steps that are read alike; the two ends of a layer that reads both ways are not.
    alike = len(tails) == len(turns) * len({layer for layer, _ in tails})
    alone = not alike or len(turns) == 1 or output.shape[:1] != (len(turns),)
    rows = {last: output.reshape(-1)} if alone else dict(zip(turns, output.reshape(len(turns), -1), strict=True))
    weight = _read_out(steps)
    links = [StepLink((layer, turn), (OUTPUT, last if alone else turn), weight) for layer, turn in tails]
    return {(OUTPUT, turn): row for turn, row in rows.items()}, links


def _read_out(steps: ThroughTime) -> str:
    """The weight behind the last layer with a memory."""
    weights = [quantity for quantity in steps.trace.quantities if quantity.is_leaf and quantity.name.endswith(".W")]
    behind = max(quantity.number for quantity in weights if quantity.name.rpartition(".")[0] in steps.layers)
    return next((quantity.name for quantity in weights if quantity.number > behind), "the output")
