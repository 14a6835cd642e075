"""Runs and what they give: scores, curves, confusion matrices, why a weight moved."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from chainrule import display
from chainrule.nn import ConfusionMatrix, summary_of
from chainrule.numerals import numeral
from chainrule.train import Attribution, Compared, Evaluation, History, Model, Run
from chainrule.train.history import Epoch
from chainrule.views.confused import LEGEND, MOST_CLASSES, frequent_confusions
from chainrule.views.objects.networks import network_table
from chainrule.views.objects.parts import facts, shown, table, verdict
from chainrule.views.page import isolated
from chainrule.views.panels import Table
from chainrule.views.pictures.learning.curves import learning_curves
from chainrule.views.pictures.results.attributions import attribution
from chainrule.views.pictures.results.compared import compared
from chainrule.views.plain import counted, duration, sparkline, told_apart
from chainrule.views.svg import clean
from chainrule.views.view import View

LISTED = 12
"""So many of the most frequent confusions are listed."""


@display.html.register
def run_html(run: Run) -> str:
    """The lines that `print` shows, the layers, and the learning curves, as a picture where matplotlib is there."""
    layers = network_table(summary_of(run.problem.described.built))
    if not run.history.epochs:
        return shown(verdict(str(run)), layers)
    return shown(verdict(str(run)), curves_picture(run), curves_table(run.history), layers)


def curves_picture(run: Run) -> str:
    """The learning curves as a drawing with a sentence on how to read it; "" without matplotlib."""
    if importlib.util.find_spec("matplotlib") is None:
        return ""
    picture = learning_curves(run)
    return f'{picture.svg(caption=False, ground=False)}<div class="faint">{clean(picture.reading)}</div>'


@display.html.register
def history_html(history: History) -> str:
    """A row to each curve."""
    return shown(verdict(_counts(history)), curves_table(history))


@display.text.register
def history_text(history: History) -> str:
    """A line to each curve."""
    return "\n".join([_counts(history), *("  ".join(row) for row in _curve_rows(history))])


def _counts(history: History) -> str:
    steps = sum(next(iter(records.values())).shape[1] for _, records in history.chunks)
    return (
        f"{counted(len(history.epochs), 'evaluated epoch')}, {counted(steps, 'step')}, {counted(history.replicas, 'replica')}"
    )


def curves_table(history: History) -> str:
    """Every curve as a line of blocks, with its first, last and best value; means over the replicas."""
    rows = list(_curve_rows(history))
    return table(("curve", "epochs →", "first", "last", "best"), rows, numbers=(2, 3, 4)) if rows else ""


def _curve_rows(history: History) -> Iterator[tuple[str, ...]]:
    for part, scores in history.epochs[0].parts.items() if history.epochs else ():
        for name in scores:
            epochs, values = history.curve(part, name)
            means: list[float] = np.asarray(values, dtype=np.float64).mean(axis=1).tolist()
            best = int(np.argmax(means) if name == "accuracy" else np.argmin(means))
            ends = (numeral(means[0]), numeral(means[-1]), f"{numeral(means[best])} at epoch {epochs[best]}")
            yield (f"{part} {name}", sparkline(means, 32), *ends)


@display.html.register
def epoch_html(epoch: Epoch) -> str:
    """The scores after an epoch, a row to each part."""
    told = verdict(f"epoch {epoch.epoch}, step {epoch.step}, after {duration(epoch.seconds)}")
    rows = [
        (part, name, ", ".join(numeral(float(value)) for value in values))
        for part, scores in epoch.parts.items()
        for name, values in scores.items()
    ]
    return shown(told, table(("part", "score", "value of each replica"), rows))


@display.html.register
def evaluation_html(found: Evaluation) -> str:
    """The scores, and for classes the confusion matrix."""
    if found.labels is None or found.classes is None:
        return shown(verdict(str(found)))
    return shown(verdict(str(found)), confusion_body(found.confusion()))


def shown_by(kind: type, picture: Callable[[Any], View]) -> None:
    """Has objects of a kind show what is printed, and their picture where matplotlib is there; the picture is what they plot."""

    def html(thing: object) -> str:
        return shown(verdict(str(thing)), picture(thing).svg(ground=False) if importlib.util.find_spec("matplotlib") else "")

    def plot(thing: object, ax: Any) -> Any:
        return picture(thing).plot(ax)

    display.html.register(kind, html)
    display.plot.register(kind, plot)


shown_by(Attribution, attribution)
shown_by(Compared, compared)


@display.html.register
def confusion_html(matrix: ConfusionMatrix) -> str:
    """The matrix, its cells the darker the larger their fraction of the row."""
    return shown(verdict(f"accuracy {matrix.accuracy}"), confusion_body(matrix))


def confusion_body(matrix: ConfusionMatrix) -> str:
    """The matrix with recall and precision at its sides; of many classes the most frequent confusions."""
    if len(matrix.classes) > MOST_CLASSES:
        pairs = frequent_confusions(matrix.counts, LISTED)
        rows = [(matrix.classes[true], matrix.classes[other], str(count)) for true, other, count in pairs]
        return table(("truth", "taken for", "how often"), rows, numbers=(2,))
    names = [isolated(name) for name in told_apart(matrix.classes, 16)]
    head = "".join(f'<th class="number">{name}</th>' for name in names)
    lines = [f'<tr><th>true ↓ predicted →</th>{head}<th class="number">recall</th></tr>']
    totals = np.maximum(matrix.counts.sum(axis=1), 1)
    for name, counts, total, recall in zip(names, matrix.counts.tolist(), totals.tolist(), matrix.recall.tolist(), strict=True):
        cells = "".join(f'<td class="number" style="{_shade(count / total)}">{count}</td>' for count in counts)
        lines.append(f'<tr><th>{name}</th>{cells}<td class="number">{_share(recall)}</td></tr>')
    last = "".join(f'<td class="number">{_share(share)}</td>' for share in matrix.precision.tolist())
    lines.append(f"<tr><th>precision</th>{last}<td></td></tr>")
    return f'<div class="scroll"><table>{"".join(lines)}</table></div><div class="faint">{clean(LEGEND)}</div>'


def _shade(share: float) -> str:
    # The root lifts the few confusions out of the paper.
    return f"background:rgba(0,114,178,{math.sqrt(share) * 0.85:.2f})" + (";color:#fff" if share > 0.4 else "")


def _share(value: float) -> str:
    return "none" if math.isnan(value) else f"{value:.3f}"


@display.html.register
def model_html(model: Model) -> str:
    """The layers, and the parameters as arrays."""
    rows = [
        (name, "×".join(map(str, value.shape)), numeral(float(value.min())), numeral(float(value.max())))
        for name, value in model.weights.items()
        if value.size
    ]
    found = table(("parameter", "shape", "least", "largest"), rows, numbers=(2, 3))
    given = facts({"data": model.problem.dataset_info.name, "cost": model.problem.formula})
    return shown(
        verdict("A network with its parameters, in float64"),
        given,
        network_table(summary_of(model.problem.described.built)),
        found,
    )


@display.html.register
def columns_html(ranked: Table) -> str:
    """A table with its numbers to the right."""
    first = ranked.rows[0] if ranked.rows else ()
    numbers = [place for place, cell in enumerate(first) if isinstance(cell, int | float)]
    return shown(table(ranked.headings, ranked.texts(), numbers=numbers))
