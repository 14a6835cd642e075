"""What one update on one example does: outputs and cost before and after, beside what the gradient promised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.train import Model
from chainrule.views.colours import SERIES
from chainrule.views.figures.style import INK
from chainrule.views.pictures.learning.nudging import pushed
from chainrule.views.pictures.learning.places import cost_at, one_example, output_names, shown, targets
from chainrule.views.pictures.picture import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class StepEffect(Picture):
    """One update w − η·∂C/∂w on one example: outputs `before` and `after`, `targets`, `slopes` = ∂C/∂`by` before it; (outputs,).

    `cost_before`, `cost_after`: C; `promised`: −η·|∇C|², the change of C that the gradient promises.
    """

    names: tuple[str, ...]
    before: Array
    after: Array
    targets: Array
    slopes: Array
    by: str
    cost_before: float
    cost_after: float
    promised: float
    learning_rate: float

    @property
    def title(self) -> str:
        """What is compared."""
        return "One update, before and after"

    @property
    def kept(self) -> Array:
        """Whether each output moved against its slope, as promised: (outputs,), bool."""
        return np.sign(self.after - self.before) == -np.sign(self.slopes)

    @property
    def reading(self) -> str:
        """What moved, and how far C fell."""
        return (
            f"With learning rate {numeral(self.learning_rate, 6)}, C went from {numeral(self.cost_before)} to {numeral(self.cost_after)} "
            f"({numeral(self.cost_after - self.cost_before, 3, sign=True)}; the gradient promised "
            f"{numeral(self.promised, 3, sign=True)}, which holds for small "
            f"steps); {int(self.kept.sum())} of {len(self.names)} outputs moved against their slope ∂C/∂{shown(self.by)}."
        )

    def draw(self, ax: Axes) -> None:
        """Two bars to an output, its target, and its slope."""
        at = np.arange(len(self.names))
        first = ax.bar(at - 0.2, self.before, 0.38, color=SERIES[6], label="before")
        second = ax.bar(at + 0.2, self.after, 0.38, color=SERIES[0], hatch="//", edgecolor="white", label="after")
        if len(at) <= 4:
            ax.bar_label(first, fmt="%.3f", fontsize=8, padding=2)
            ax.bar_label(second, fmt="%.3f", fontsize=8, padding=2)
        ax.hlines(self.targets, at - 0.42, at + 0.42, color=INK, linestyle="--", linewidth=1.2, label="target")
        few = len(at) <= 12
        labels = [f"{name}\n{slope:+.2f}" if few else name for name, slope in zip(self.names, self.slopes, strict=True)]
        ax.set_xticks(at, labels, fontsize=8)
        ax.margins(y=0.12)
        ax.set_xlabel(f"output (below: ∂C/∂{shown(self.by)} before the update)" if few else "output")
        ax.set_ylabel("output of the network")
        ax.legend(loc="upper center", bbox_to_anchor=(0.75, 1.13), ncols=3)


def step_effect(model: Model, x: Array, y: Array, learning_rate: float = 0.1) -> StepEffect:
    """What one step of plain gradient descent on one example x, y does to the outputs; the model given stays as it is.

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
    names = output_names(model, len(before))
    promised = -learning_rate * float(sum(np.sum(g**2) for g in gradient.values()))
    return StepEffect(
        names,
        before,
        after,
        targets(model, y, len(names))[0],
        slopes.reshape(len(names)),
        by.name or "output",
        model.cost(x, y),
        moved.cost(x, y),
        promised,
        learning_rate,
    )
