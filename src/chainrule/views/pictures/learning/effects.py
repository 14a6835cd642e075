"""What one update on one example does: outputs and cost before and after, beside what the gradient promised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.train import Model
from chainrule.views.marks import Bars, Line
from chainrule.views.panels import Axis, Panel
from chainrule.views.pictures.given import OneExample
from chainrule.views.pictures.learning.nudging import pushed
from chainrule.views.pictures.learning.places import cost_at, one_example, output_names, pushed_most, shown, targets
from chainrule.views.view import View, numbers


def step_effect(model: Model, x: OneExample, y: OneExample, learning_rate: float = 0.1) -> View:
    """What one step of plain gradient descent on one example x, y does to the outputs; the model given stays as it is.

    The numbers: outputs `before` and `after`, `targets`, `slopes` = ∂C/∂output before the step, or ∂C/∂z where the loss goes around
    the output's activation, and whether each output moved against its slope, `kept`; all (outputs,). `cost_before`, `cost_after`: C;
    `promised`: −η·|∇C|², the change of C that the gradient promises.

    Raises: ShapeError for more than one example, OptionError for a learning rate that is not above 0.
    """
    if not (np.isfinite(learning_rate) and learning_rate > 0):
        raise OptionError(f"learning rate {learning_rate}", expected="a number above 0", remedy="write for example 0.1")
    x, y = one_example(model, x, y)
    gradient = model.gradient(x, y)
    moved = model.with_parameters({name: w - learning_rate * gradient[name] for name, w in model.parameters.items()})
    here = cost_at(model, x, y)
    by = pushed(here, here.cost.built.output)
    (slopes,) = here.derivatives([by])
    before, after = (one.quantities(x)["output"][0] for one in (model, moved))
    names, slopes = output_names(model, len(before)), slopes.reshape(len(before))
    promised = -learning_rate * float(sum(np.sum(g**2) for g in gradient.values()))
    costs = model.cost(x, y), moved.cost(x, y)
    kept = np.sign(after - before) == -np.sign(slopes)
    found = numbers(
        names=names, before=before, after=after, targets=targets(model, y, len(names))[0], slopes=slopes, kept=kept,
        cost_before=costs[0], cost_after=costs[1], promised=promised,
    )  # fmt: skip
    word, (rows, left) = shown(by.name or "output"), pushed_most(slopes)
    return View(
        "One update, before and after",
        f"With learning rate {numeral(learning_rate, 6)}, C went from {numeral(costs[0])} to {numeral(costs[1])} "
        f"({numeral(costs[1] - costs[0], 3, sign=True)}; the gradient promised "
        f"{numeral(promised, 3, sign=True)}, which holds for small "
        f"steps); {int(kept.sum())} of {len(names)} outputs moved against their slope ∂C/∂{word}{left}.",
        [
            _bars_and_targets(
                [names[int(place)] for place in rows], {name: np.asarray(found[name])[rows] for name in _ROWS}, word
            )
        ],
        found,
    )


_ROWS = ("before", "after", "targets", "slopes")
"""The numbers that the picture shows of each output."""


def _bars_and_targets(names: Sequence[str], found: Mapping[str, Array], word: str) -> Panel:
    """Two bars to an output, its target, and below it its slope."""
    at, few = np.arange(len(names)), len(names) <= 12
    texts = {when: [f"{value:.3f}" for value in found[when]] if len(at) <= 4 else () for when in ("before", "after")}
    wanted = np.stack([found["targets"]] * 2, axis=1)
    labels = [f"{name}\n{slope:+.2f}" if few else name for name, slope in zip(names, found["slopes"], strict=True)]
    return Panel(
        [
            Bars(at - 0.2, found["before"], width=0.38, color=6, texts=texts["before"], label="before"),
            Bars(at + 0.2, found["after"], width=0.38, color=0, hatch="//", texts=texts["after"], label="after"),
            Line(np.stack([at - 0.42, at + 0.42], axis=1), wanted, dash="dashed", width=1.2, label="target"),
        ],
        Axis(f"output (below: ∂C/∂{word} before the update)" if few else "output", at=at, texts=labels, size=8.0),
        Axis("output of the network", margin=0.12),
        legend="above",
    )
