"""The card of a layer: what it can learn, what it computes, what flows through it, and how its parameters are updated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from chainrule.checks import unknown
from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.nn import ACTIVATIONS, Activation, Dense, Formula, GraphLayer, LayerUse, range_badge
from chainrule.numerals import numeral
from chainrule.train import Model, Run, Settings
from chainrule.views.marks import bin_edges
from chainrule.views.pictures.subject import model_of
from chainrule.views.plain import counted, printable, spaced
from chainrule.views.saved import Savable
from chainrule.views.svg import LINE, drawing, element, paragraph, text, title, wrapped_lines

WIDTH, PANEL = 760.0, 356.0
BINS = 25


@immutable
class LayerCard(Savable):
    """A layer with the four things that make it one; `parameters` are its values by name."""

    name: str
    kind: str
    transformation: tuple[str, ...]
    flow: tuple[str, ...]
    update: tuple[str, ...]
    parameters: Mapping[str, Array]

    @property
    def title(self) -> str:
        """The layer's name and kind."""
        return f"Layer {printable(self.name, most=40)} ({self.kind})"

    @property
    def reading(self) -> str:
        """How to read the card."""
        return (
            "A layer is four things: parameters that training changes, a transformation, information that flows through it, and "
            "a rule by which its parameters are updated; bars show how often the values occur, from the least to the largest."
        )

    @property
    def sections(self) -> dict[str, tuple[str, ...]]:
        """The four things by their headings, each as lines of text."""
        count = sum(values.size for values in self.parameters.values())
        lines = [_described(name, values) for name, values in self.parameters.items()]
        return {
            f"Trainable parameters: {spaced(count)}": tuple(lines) or ("none: this layer learns nothing",),
            "Transformation": self.transformation,
            "Information flow": self.flow,
            "Update of the parameters": self.update,
        }

    def arrays(self) -> dict[str, Array]:
        """The layer's parameters by name."""
        return dict(self.parameters)

    def svg(self) -> str:
        """The card as SVG text."""
        panels = [[line for words in lines for line in wrapped_lines(words, PANEL - 24)] for lines in self.sections.values()]
        bars = 52.0 if self.parameters else 0.0
        above = max(len(panels[0]) * LINE + bars, len(panels[1]) * LINE) + 44
        below = max(len(panels[2]), len(panels[3])) * LINE + 44
        corners = [(16.0, 44.0, above), (388.0, 44.0, above), (16.0, 60 + above, below), (388.0, 60 + above, below)]
        parts = [text(16, 28, self.title, font_size=15, font_weight="bold")]
        for heading, lines, (x, y, height) in zip(self.sections, panels, corners, strict=True):
            parts.append(_panel(x, y, height, heading, lines))
        parts += self._histograms(28.0, 44 + above - 16)
        foot = wrapped_lines(self.reading, WIDTH - 32)
        y = 84 + above + below
        parts += paragraph(16, y, foot)
        return drawing(WIDTH, y + len(foot) * LINE, parts, name=f"{self.title}. {self.reading}")

    def _histograms(self, x: float, base: float) -> list[str]:
        found: list[str] = []
        for place, (name, values) in enumerate(list(self.parameters.items())[:2]):
            found.append(_histogram(x + 170 * place, base, name, values))
        return found


def layer_card(subject: Run | Model, layer: str) -> LayerCard:
    """The card of a layer by its name, such as "dense1"; the update rule is known of runs only.

    Raises: OptionError, with a suggestion, for a layer that the network does not have.

    >>> import chainrule as cr
    >>> run = cr.fit("2-3-2 tanh softmax", cr.data.moons(60), epochs=1, optimizer="sgd")
    >>> for heading, lines in layer_card(run, "dense1").sections.items():
    ...     print(heading, "|", lines[0])
    Trainable parameters: 9 | dense1.W: 2×3 = 6 numbers, mean ..., deviation ..., from ... to ...
    Transformation | z = x·W + b
    Information flow | in: 2 numbers to an example
    Update of the parameters | w ← w − η·g, where g = ∂C/∂w
    """
    model = model_of(subject)
    uses = model.problem.described.built.uses
    found = [use for use in uses if use.name == layer]
    if not found:
        known = list(dict.fromkeys(use.name for use in uses))
        raise unknown(f"layer {layer!r}", layer, known)
    use = found[0]
    values = {name: model.parameters[name] for name in use.parameters}
    kept = {name: "frozen" if state.frozen else "not trained" for name, state in model.problem.states.items()}
    states = [f"{kept[name]}: {_described(name, model.states[name])}" for name in use.states if name in model.states]
    flow = (*_flow(found, uses), *states)
    is_frozen = "frozen" in {kept.get(name) for name in use.states}
    update = ("nothing is updated: the layer is frozen",) if is_frozen else _update(subject, values)
    return LayerCard(use.name, use.kind, _transformation(use), flow, update, values)


def _described(name: str, values: Array) -> str:
    finite = values[np.isfinite(values)]
    shape = "×".join(map(str, values.shape))
    size = f"{printable(name, most=40)}: {shape} = {counted(values.size, 'number')}" if values.ndim > 1 else (
        f"{printable(name, most=40)}: {counted(values.size, 'number')}"
    )  # fmt: skip
    lost = f", {values.size - finite.size} not finite" if finite.size < values.size else ""
    if not finite.size:
        return size + lost
    if values.size == 1:
        return f"{size}, {numeral(float(finite.reshape(-1)[0]))}"
    spread = f"mean {numeral(float(finite.mean()))}, deviation {numeral(float(finite.std()))}"
    return f"{size}, {spread}, from {numeral(float(finite.min()))} to {numeral(float(finite.max()))}{lost}"


def _transformation(use: LayerUse) -> tuple[str, ...]:
    match use.layer:
        case Dense(activation=name, bias=bias):
            z = f"z = x·W{' + b' if bias else ''}"
            function = ACTIVATIONS[name]
            return (z, f"a = {name}(z) = {function.formula}, values in {range_badge(name)}") if name != "linear" else (z,)
        case Activation(function=name):
            return (f"a = {name}(z) = {ACTIVATIONS[name].formula}", f"values in {range_badge(name)}")
        case GraphLayer():
            return (use.layer.summary,)
        case Formula(text=words):
            return (printable(words, most=300),)
        case _:
            return (printable(repr(use.layer), most=300),)


def _flow(found: list[LayerUse], uses: tuple[LayerUse, ...]) -> tuple[str, ...]:
    first = found[0]
    shapes = ("×".join(map(str, type_.shape[1:])) for type_ in (first.input, first.output))
    before, after = (f"{shape} number{'' if shape == '1' else 's'}" for shape in shapes)
    place = [use.name for use in uses].index(first.name)
    lines = [
        f"in: {before} to an example",
        f"out: {after} to an example",
        f"a batch of B examples is B rows: (B, {_row(first)})",
    ]
    lines.append(f"layer {place + 1} of {len(Counter(use.name for use in uses))}, the input not counted")
    if len(found) > 1:
        lines.append(f"shared: used {len(found)} times with the same parameters")
    return tuple(lines)


def _row(use: LayerUse) -> str:
    before, after = (", ".join(map(str, type_.shape[1:])) for type_ in (use.input, use.output))
    return f"{before}) → (B, {after}"


def _update(subject: Run | Model, values: Mapping[str, Array]) -> tuple[str, ...]:
    if not values:
        return ("nothing to update: there are no parameters",)
    if not isinstance(subject, Run):
        return ("not known: a model by itself is not being trained; ask for the card of its run",)
    return update_rule(subject.settings, subject.trainer.step, subject.trainer.steps)


def update_rule(settings: Settings, step: int, steps: int) -> tuple[str, ...]:
    """The optimizer's formulas, and η at a step (counted from 0) of so many.

    >>> from chainrule.train import SGD
    >>> update_rule(Settings(SGD(0.1, momentum=0.9)), 0, 10)
    ('v ← μ·v − η·g, where g = ∂C/∂w', 'w ← w + v', 'μ = 0.9', 'η = 0.1')
    """
    lines = settings.optimizer.formulas
    if settings.optimizer.search:
        return lines
    place = min(step, max(steps - 1, 0))
    rate = float(settings.schedule(np.array([float(place)]), steps)[0])
    fixed = isinstance(settings.optimizer.learning_rate, int | float)
    clip = settings.clip.formulas if settings.clip else ()
    return (*lines, *clip, f"η = {numeral(rate)}" + ("" if fixed else f" at step {place}, by its schedule"))


def _panel(x: float, y: float, height: float, heading: str, lines: list[str]) -> str:
    frame = element("rect", x=x, y=y, width=PANEL, height=height, rx=6.0, fill="var(--panel)", stroke="var(--line)")
    head = text(x + 12, y + 22, heading, font_size=12, font_weight="bold")
    return element("g", frame + head + "".join(paragraph(x + 12, y + 42, lines)), class_="section")


def _histogram(x: float, base: float, name: str, values: Array) -> str:
    edges = bin_edges(values, BINS)
    counts = np.histogram(values[np.isfinite(values)], edges)[0]
    heights = 34 * counts / max(1, int(counts.max()))
    bars = [
        element("rect", x=x + 6 * i, y=base - height, width=5.0, height=height, fill="var(--positive)" if low >= 0 else "var(--negative)")
        for i, (height, low) in enumerate(zip(heights.tolist(), edges[:-1].tolist(), strict=True))
        if height
    ]  # fmt: skip
    words = title(f"{name}: {BINS} equal steps from {numeral(float(edges[0]))} to {numeral(float(edges[-1]))}")
    return element("g", words + "".join(bars) + text(x, base + 11, name.rpartition(".")[2], font_size=9), class_="histogram")
