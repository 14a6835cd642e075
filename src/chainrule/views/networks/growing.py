"""The growing picture: Input, Layer, Output, Activation, then Metric, Loss, Data and Performance, unfolding stage by stage."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from chainrule.data import DatasetInfo, Examples
from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.nn import Summary, summary_of
from chainrule.numerals import numeral
from chainrule.train import Evaluation, Run, r_squared_text
from chainrule.views.networks.numbers import ShownOutput, outcome_of
from chainrule.views.pictures.sheets import image_shape
from chainrule.views.plain import counted, printable, spaced
from chainrule.views.saved import Savable
from chainrule.views.svg import LINE, arrow_tip, drawing, element, paragraph, text, title, wrapped_lines

STAGES = ("Input", "Layer", "Output", "Activation", "Metric", "Loss", "Data", "Performance")
"""What the picture grows by, in the order of the lectures."""
MEANINGS = (
    "what the network is given", "parameters and a transformation", "what the network answers", "a non-linear function behind each layer",
    "the quality that is wanted", "a differentiable proxy for the metric", "examples to learn from, others to be judged by",
    "the metric on examples that it has not seen",
)  # fmt: skip
WIDTH, BOX_WIDTH, BOX_HEIGHT = 1010.0, 218.0, 104.0
PLACES = (
    (22.0, 58.0),
    (270.0, 58.0),
    (766.0, 58.0),
    (518.0, 58.0),
    (766.0, 222.0),
    (518.0, 222.0),
    (22.0, 222.0),
    (766.0, 386.0),
)
LETTERS = 36


@immutable
class GrowingPicture(Savable):
    """The picture at a stage; `lines` are the texts of all eight boxes, `metric`, `loss` and `performance` the numbers in them."""

    stage: int
    lines: tuple[tuple[str, ...], ...]
    metric: float
    loss: float
    performance: float | None

    @property
    def title(self) -> str:
        """The stage and what it brings."""
        return f"Stage {self.stage} of {len(STAGES)}: {STAGES[self.stage - 1]}, {MEANINGS[self.stage - 1]}"

    @property
    def reading(self) -> str:
        """How to read the boxes and arrows."""
        return (
            "Boxes come in the order of their numbers, the newest with a thick frame; arrows show where numbers go, and the "
            "dashed one how the loss changes the layers' parameters in training."
        )

    def arrays(self) -> dict[str, Array]:
        """The run's numbers in the picture; those of boxes that are not there yet are left out."""
        known = {"metric": (5, self.metric), "loss": (6, self.loss), "performance": (8, self.performance)}
        return {name: np.array(value) for name, (stage, value) in known.items() if value is not None and self.stage >= stage}

    def svg(self) -> str:
        """The picture as SVG text; every stage has the same size, and nothing moves."""
        foot = wrapped_lines(self.reading, WIDTH - 300)
        parts = [
            text(22, 30, self.title, font_size=15, font_weight="bold"),
            *_arrows(self.stage),
            *(self._box(place) for place in range(self.stage)),
            *paragraph(22, 440, foot),
        ]
        return drawing(WIDTH, max(510.0, 450 + LINE * len(foot)), parts, name=f"{self.title}. {self.reading}")

    def _box(self, place: int) -> str:
        x, y = PLACES[place]
        newest = place + 1 == self.stage
        frame = element(
            "rect", x=x, y=y, width=BOX_WIDTH, height=BOX_HEIGHT, rx=7.0, fill="var(--panel)",
            stroke="var(--ink)" if newest else "var(--faint)", stroke_width=3.0 if newest else 1.0,
        )  # fmt: skip
        head = text(x + 10, y + 20, f"{place + 1}  {STAGES[place]}", font_size=13, font_weight="bold")
        lines = [printable(line, most=LETTERS) for line in self.lines[place]]
        words = title(f"{STAGES[place]}: {MEANINGS[place]}; {'; '.join(self.lines[place])}")
        return element("g", words + frame + head + "".join(paragraph(x + 10, y + 40, lines)), class_="stage")


def growing_picture(run: Run, stage: int = len(STAGES)) -> GrowingPicture:
    """The picture of a run (its first replica) at a stage from 1, the input alone, to 8, all of it.

    Raises: OptionError for another stage.
    """
    if not 1 <= stage <= len(STAGES):
        raise OptionError(f"stage={stage}", expected=f"1 ... {len(STAGES)}", remedy="leave it out for the whole picture")
    info, parts = run.dataset_info, list(run.dataset_info.parts)
    unseen = next((part for part in ("test", "validation") if part in parts), None)
    seen = run.evaluate("training")
    judged = run.evaluate(unseen) if unseen else None
    layers = summary_of(run.problem.described.built)
    lines = (
        _input_lines(info), _layer_lines(layers), _output_lines(run), _activation_lines(layers),
        _metric_lines(seen), _loss_lines(run, seen), _data_lines(info), _performance_lines(judged),
    )  # fmt: skip
    return GrowingPicture(stage, lines, _score(seen), float(seen.loss[0]), None if judged is None else _score(judged))


def _score(found: Evaluation) -> float:
    return float(found.score[1][0])


def _input_lines(info: DatasetInfo) -> tuple[str, ...]:
    count = int(np.prod(info.input_shape))
    image = image_shape(info.input_shape, info.input_dtype)
    what = f"{'×'.join(map(str, image[:2]))} pixels" if image else ", ".join(info.features[:4]) if info.features else ""
    return (f"x: {counted(count, 'number')} to an example", *([what] if what else []))


def _layer_lines(layers: Summary) -> tuple[str, ...]:
    learning = [row for row in layers.rows if row.parameters]
    shown = [f"{row.name}: {_size(row.input)} → {_size(row.output)}, {spaced(row.parameters)}" for row in learning[:3]]
    frozen = [f"{spaced(layers.frozen)} frozen"] if layers.frozen else []
    return (f"{counted(layers.total, 'parameter')} to be learned", *shown, *_more(len(learning) - 3), *frozen)


def _activation_lines(layers: Summary) -> tuple[str, ...]:
    named = [row for row in layers.rows if row.range]
    shown = [f"{row.name}: {row.description.partition('(')[0]}, {row.range}" for row in named[:3]]
    shown = [line.replace("x·W + b,", "linear,").replace("x·W,", "linear,") for line in shown]
    return (*shown, *_more(len(named) - 3)) if shown else ("none by name",)


def _more(count: int) -> list[str]:
    return [f"and {count} more"] if count > 0 else []


def _size(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "1"


def _output_lines(run: Run) -> tuple[str, ...]:
    examples: Examples = run.data.test or run.data.train
    if run.problem.size > 1:
        return (counted(math.prod(run.problem.output.shape[1:]), "number"), f"for {run.problem.size} examples at once")
    found = outcome_of(run.model(), examples.x[0], examples[0].y)
    part = "test" if run.data.test else "training"
    kind = (
        "number" if found.classes is None else f"number{'s, one to a class' if len(found.output) > 1 else ': the second class'}"
    )
    plural = "s" if found.classes is None and len(found.output) > 1 else ""
    return (f"{spaced(len(found.output))} {kind}{plural}", f"first {part} example:", *_answer(found))


def _answer(found: ShownOutput) -> tuple[str, ...]:
    if found.classes is None:
        truth = [] if found.target is None else [f"truth {numeral(float(found.target[0]))}"]
        return (f"  {numeral(float(found.output[0]))}, {truth[0]}" if truth else f"  {numeral(float(found.output[0]))}",)
    name = partial(printable, most=16)
    if found.predicted is None:
        return ("  no prediction: not finite",)
    truth = "" if found.truth is None else f", truth {name(found.classes[found.truth])}"
    return (f"  {name(found.classes[found.predicted])}{_probability(found)}{truth}",)


def _probability(found: ShownOutput) -> str:
    if found.probabilities is None or found.predicted is None:
        return ""
    single = len(found.probabilities) == 1
    p = float(found.probabilities[0 if single else found.predicted])
    return f" (p = {1 - p if single and found.predicted == 0 else p:.3f})"


def _metric_lines(seen: Evaluation) -> tuple[str, ...]:
    if seen.targets is None:
        return ("none: outputs are compared", "with no targets")
    if seen.labels is None:
        w = "" if seen.weights is None else "w·"
        return (f"R² = 1 − Σ{w}(y − a)²/Σ{w}(y − ȳ)²", "training:", *_r_squared_lines(seen))
    found = seen.accuracy()
    return ("accuracy = right / all", "training:", f"{spaced(found.correct)}/{spaced(found.total)} = {found.value:.4f}")


def _r_squared_lines(found: Evaluation) -> tuple[str, ...]:
    return tuple(r_squared_text(found.r_squared(), weighted=found.weights is not None).split(", "))


def _loss_lines(run: Run, seen: Evaluation) -> tuple[str, ...]:
    formula = run.problem.formula
    pieces = [formula[i : i + LETTERS] for i in range(0, min(len(formula), 2 * LETTERS), LETTERS)]
    return (*pieces, f"training: C = {numeral(float(seen.loss[0]))}")


def _data_lines(info: DatasetInfo) -> tuple[str, ...]:
    return (info.name, *(f"{spaced(count)} {part}" for part, count in info.parts.items()))


def _performance_lines(judged: Evaluation | None) -> tuple[str, ...]:
    if judged is None:
        return ("not known:", "no examples were kept apart")
    loss = f"loss {numeral(float(judged.loss[0]))}"
    if judged.targets is None:
        return (f"unseen {judged.part} part:", loss)
    if judged.labels is None:
        return (f"unseen {judged.part} part:", *_r_squared_lines(judged), loss)
    return (f"unseen {judged.part} part:", f"{judged.accuracy()}", loss)


# ---- arrows: from the stage on at which both ends are there


def _arrows(stage: int) -> list[str]:
    right, bottom = BOX_WIDTH, BOX_HEIGHT
    (x1, y1), (x2, _), (x3, _), (x4, _), (x5, y5), (x6, y6), (x7, y7), (x8, y8) = PLACES
    middle, half = y1 + bottom / 2, BOX_WIDTH / 2
    bus = y6 + bottom + 28
    known = [
        (2, [(x1 + right, middle), (x2, middle)], "x", False),
        (3, [(x2 + right, middle), (x4 if stage >= 4 else x3, middle)], "z" if stage >= 4 else "", False),
        (4, [(x4 + right, middle), (x3, middle)], "a", False),
        (5, [(x3 + half, y1 + bottom), (x5 + half, y5)], "prediction", False),
        (6, [(x3 + 20, y1 + bottom), (x6 + right - 30, y6)], "", False),
        (6, [(x6 + 30, y6), (x2 + right - 30, y1 + bottom)], "∂C/∂w", True),
        (7, [(x7 + half, y7), (x1 + half, y1 + bottom)], "x", False),
        (7, [(x7 + half, y7 + bottom), (x7 + half, bus), (x6 + half, bus), (x6 + half, y6 + bottom)], "truth y", False),
        (7, [(x6 + half, bus), (x5 + 40, bus), (x5 + 40, y5 + bottom)], "", False),
        (8, [(x5 + half + 20, y5 + bottom), (x8 + half + 20, y8)], "on unseen data", False),
    ]
    return [_arrow(points, words, dashed) for first, points, words, dashed in known if stage >= first]


def _arrow(points: list[tuple[float, float]], words: str, dashed: bool) -> str:
    colour = "var(--negative)" if dashed else "var(--ink)"
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    line = element("path", d=path, fill="none", stroke=colour, stroke_width=1.4, stroke_dasharray="6 4" if dashed else None)
    (x0, y0), (x1, y1) = points[-2:]
    length = float(np.hypot(x1 - x0, y1 - y0)) or 1.0
    u, v = (x1 - x0) / length, (y1 - y0) / length
    head = arrow_tip(x1, y1, u, v, colour)
    (x2, y2), (x3, y3) = points[len(points) // 2 - 1 : len(points) // 2 + 1]
    level = abs(y3 - y2) < 1
    label = text(
        (x2 + x3) / 2 + (0 if level else 16 if dashed else 7),
        (y2 + y3) / 2 - (6 if level else -4),
        words,
        font_size=11,
        text_anchor="middle" if level else None,
    )
    return element("g", line + head + (label if words else ""), class_="arrow")
