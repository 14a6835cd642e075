"""What a terminal shows of networks, data, runs and predictions: functions from these to things that rich can print."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.nn import Summary as NetworkTable
from chainrule.numerals import numeral
from chainrule.train import UNDEFINED, Evaluation, History, Settings, with_error
from chainrule.views.plain import bar, counted, duration, optimizer_text, printable, spaced, sparkline
from chainrule.views.sentences import layer_cells, network_total

WIDE = 84
"""The width from which on tables show every column."""


def facts(pairs: Iterable[tuple[str, str | Text]]) -> RenderableType:
    """Words and what stands behind them, in two columns."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for word, text in pairs:
        grid.add_row(Text(word), text if isinstance(text, Text) else Text(text))
    return grid


# ---- networks


@immutable
class NetworkView:
    """Renders a network: a row to a layer, then the parameters counted; narrow screens get fewer columns."""

    table: NetworkTable

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        wide = options.max_width >= WIDE
        shown = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
        shown.add_column("layer", style="bold")
        shown.add_column("what it does", overflow="fold")
        for head in ("input", "output") if wide else ("output",):
            shown.add_column(head, justify="right")
        shown.add_column("parameters", justify="right")
        shown.add_column("range", no_wrap=True)
        for row in self.table.rows:
            name, what, given, *rest = map(printable, layer_cells(row))
            shown.add_row(*map(Text, (name, what, *([given] if wide else []), *rest)))
        yield shown
        yield Text(network_total(self.table))


def code_text(text: str) -> Text:
    """A graph's text, its names, ops and layers told apart by weight and colour."""
    shown = Text(text)
    shown.highlight_regex(r"(?m)^[ +\-]*[^\s:]+(?=: )", "bold")
    shown.highlight_regex(r"(?<= = )[a-z_0-9]+(?=\()", "cyan")
    shown.highlight_regex(r"(?m)  @\S+$", "dim")
    return shown


# ---- data


def picture(x: Array) -> str | None:
    """A grey picture (side², or side × side) in shades of text, two rows of pixels to a line; None for what is no picture."""
    side = round(x.size**0.5)
    if x.dtype != np.uint8 or side * side != x.size or not 2 <= side <= 64:
        return None
    pixels = x.reshape(side, side).astype(np.float64) / 255
    pixels = np.vstack([pixels, np.zeros((side % 2, side))])
    shades = " ░▒▓█"
    steps = np.ceil((pixels[0::2] + pixels[1::2]) / 2 * (len(shades) - 1)).astype(int)
    return "\n".join("".join(shades[step] for step in row).rstrip() for row in steps.tolist())


# ---- scores


def score_facts(evaluation: Evaluation) -> list[tuple[str, str | Text]]:
    """The scores of an evaluation, each with its error and what the error means."""
    replicas = len(evaluation.loss)
    over = f"  (± standard error over {replicas} networks)" if replicas > 1 else ""
    loss: tuple[str, str | Text] = (f"{evaluation.part} loss", with_error(evaluation.loss) + over)
    if evaluation.targets is None:
        return [loss]
    if evaluation.labels is None:
        squares = np.array([evaluation.r_squared(replica) for replica in range(replicas)])
        errors = np.array([evaluation.mean_absolute_error(replica) for replica in range(replicas)])
        meaning = f"{over}  1 is perfect, 0 no better than the mean"
        counted: list[tuple[str, str | Text]] = [("weights", evaluation.by_weight)] if evaluation.by_weight else []
        return [
            (
                f"{evaluation.part} R²",
                _strong(*((UNDEFINED, "") if np.isnan(squares).all() else (with_error(squares), meaning))),
            ),
            ("mean absolute error", f"{with_error(errors)}{over}  in the units of the data"),
            loss,
            *counted,
        ]
    if replicas > 1:
        return [(f"{evaluation.part} accuracy", _strong(with_error(evaluation.scores.values["accuracy"]), over)), loss]
    found = evaluation.accuracy()
    meaning = "binomial standard error" if 0 < found.correct < found.total else "in brackets the range of one standard error"
    return [(f"{evaluation.part} accuracy", _strong(str(found), f"  ({'± ' if '±' in str(found) else ''}{meaning})")), loss]


def _strong(value: str, rest: str) -> Text:
    return Text(value, style="bold").append(rest, style="not bold dim")


# ---- curves


@immutable
class CurvesView:
    """Renders every curve of a history as a line of blocks with its first, last and best value."""

    history: History

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        parts: Mapping[str, Mapping[str, Array]] = self.history.epochs[0].parts if self.history.epochs else {}
        if not parts:
            yield Text("no epoch was evaluated yet")
            return
        rows = [_curve(self.history, part, name) for part, scores in parts.items() for name in scores]
        heads = ("curve", "first", "last", "best")
        room = options.max_width - _room([heads, *(texts for texts, _ in rows)])
        # A narrow screen goes without the first values: the blocks say whether it went up or down.
        kept = (0, 1, 2, 3) if room >= _LEAST_CURVE else (0, 2, 3)
        width = max(_LEAST_CURVE, min(_LONGEST_CURVE, room))
        shown = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
        shown.add_column("curve", style="bold", no_wrap=True)
        shown.add_column("epochs →", no_wrap=True)
        for place in kept[1:]:
            shown.add_column(heads[place], justify="right", no_wrap=True)
        for texts, means in rows:
            shown.add_row(*map(Text, (texts[0], sparkline(means, width), *(texts[place] for place in kept[1:]))))
        yield shown


_LEAST_CURVE, _LONGEST_CURVE, _BETWEEN = 8, 40, 3


def _room(rows: Sequence[Sequence[str]]) -> int:
    """The columns of the screen that a table of these rows takes, with one more column between them."""
    return sum(max(map(len, column)) + _BETWEEN for column in zip(*rows, strict=True))


def _curve(history: History, part: str, name: str) -> tuple[tuple[str, str, str, str], list[float]]:
    """What the table says of a curve, and its mean over the replicas after each epoch."""
    epochs, values = history.curve(part, name)
    means: list[float] = np.asarray(values, dtype=np.float64).mean(axis=1).tolist()
    best = int(np.argmax(means) if name == "accuracy" else np.argmin(means))
    return (
        printable(f"{part} {name}"),
        numeral(means[0]),
        numeral(means[-1]),
        f"{numeral(means[best])} at {epochs[best]}",
    ), means


# ---- lists of runs


@immutable
class RunRecord:
    """What the list of runs says of one; `problem` is why a folder could not be read."""

    name: str
    data: str = ""
    network: str = ""
    epochs: str = ""
    scores: Mapping[str, Sequence[float]] = field(default_factory=dict[str, Sequence[float]])
    started: str = ""
    seconds: float = 0.0
    problem: str = ""

    @property
    def score(self) -> str:
        """The score that matters most, in words."""
        for name in self.scores:
            if name.endswith("accuracy"):
                return f"{name} {with_error(np.array(self.scores[name]))}"
        return next((f"{name} {with_error(np.array(values))}" for name, values in self.scores.items()), "none yet")


@immutable
class RunsView:
    """Renders a list of runs: a table where there is room, else two lines to a run."""

    records: Sequence[RunRecord]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if options.max_width < 110:
            yield from (_two_lines(record) for record in self.records)
            return
        shown = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for head in ("run", "data", "network", "epochs", "last score", "trained for"):
            shown.add_column(head, overflow="fold", style="bold" if head == "run" else "")
        for record in self.records:
            if record.problem:
                shown.add_row(Text(printable(record.name)), Text("broken"), *[""] * 2, Text(printable(record.problem)))
            else:
                texts = (record.name, record.data, record.network, record.epochs, record.score, duration(record.seconds))
                shown.add_row(*(Text(printable(text)) for text in texts))
        yield shown


def _two_lines(record: RunRecord) -> Text:
    head = Text(printable(record.name), style="bold")
    if record.problem:
        return head.append(f"\n  broken: {printable(record.problem)}", style="not bold")
    said = (record.data, record.network, f"epoch {record.epochs}", record.score, duration(record.seconds))
    return head.append("\n  " + printable(" · ".join(said)), style="not bold")


# ---- predictions


def probability_bars(
    classes: Sequence[str], shares: Sequence[float], truth: str | None = None, most: int = 20
) -> RenderableType:
    """A bar to each class, the likeliest first where there are many; the true one is named."""
    order = range(len(classes))
    if len(classes) > most:
        order = sorted(order, key=lambda place: -shares[place])[:most]
    highest = max(range(len(classes)), key=shares.__getitem__)
    grid = Table.grid(padding=(0, 2))
    for place in order:
        note = "← predicted" if place == highest else ""
        if truth is not None and classes[place] == truth:
            note = f"{note}, the truth" if note else "← the truth"
        style = "bold" if place == highest else ""
        cells = (printable(classes[place], most=30), f"{shares[place]:.4f}", bar(shares[place]), note)
        grid.add_row(*(Text(cell, style=style) for cell in cells))
    return grid


def rows_table(heads: Sequence[str], rows: Sequence[Sequence[str]], total: int) -> RenderableType:
    """Predictions as a table; where there are more than shown, it says so."""
    shown = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for head in heads:
        shown.add_column(Text(printable(head)), overflow="fold")
    for row in rows:
        shown.add_row(*(Text(printable(cell)) for cell in row))
    if total <= len(rows):
        return shown
    return Group(shown, Text(f"... {spaced(total)} rows in all; --output FILE.csv writes them all"))


# ---- how it is trained


def training_facts(settings: Settings, examples: int) -> list[tuple[str, str | Text]]:
    """Epochs, batches and steps counted out; optimizer, seed and engine."""
    batches = -(-examples // settings.batch_size)
    replicas, first = settings.replicas, settings.seed
    seeds = f"seed {first}" if replicas == 1 else f"{replicas} networks at once, seeds {first} ... {first + replicas - 1}"
    if method := settings.optimizer.search:
        steps = f"{method.title} on all {spaced(examples)} examples at once, at most {counted(method.iterations, 'iteration')}"
        return [("Training", f"{steps}; {seeds}; {settings.dtype}, {settings.engine} engine")]
    count = f"{counted(settings.epochs, 'epoch')} of {spaced(batches)} batch{'' if batches == 1 else 'es'}"
    steps = f"{count} of {counted(settings.batch_size, 'example')} = {counted(settings.epochs * batches, 'step')}"
    return [
        ("Training", f"{steps}; {seeds}"),
        ("Optimizer", f"{optimizer_text(settings.optimizer)}; {settings.dtype}, {settings.engine} engine"),
    ]
