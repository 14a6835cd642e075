"""Controls for what a picture depends on: a slider, a choice or a switch to an argument, with a sentence and a range for this run."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import asdict
from math import prod
from typing import Any

from chainrule.errors import OptionError
from chainrule.immutable import immutable
from chainrule.nn import Dense
from chainrule.train import Run


@immutable
class Slider:
    """kind: "number" from `low` to `high` by `step`, on a logarithmic slider where `log`; "choice" of `values`; or "switch"."""

    name: str
    label: str
    words: str
    kind: str = "number"
    low: float = 0.0
    high: float = 1.0
    step: float = 1.0
    log: bool = False
    values: tuple[str, ...] = ()
    start: Any = 0

    def require(self, value: object) -> None:
        """Refuses a value that the control cannot have."""
        low, high = (10.0**self.low, 10.0**self.high) if self.log else (self.low, self.high)
        if self.kind == "choice":
            fits, expected = value in self.values, ", ".join(self.values)
        elif self.kind == "switch":
            fits, expected = isinstance(value, bool), "true or false"
        else:
            wanted = int if self.step == 1 else int | float
            fits = isinstance(value, wanted) and not isinstance(value, bool) and low - 1e-9 <= value <= high + 1e-9
            expected = f"{low:g} ... {high:g}"
        if not fits:
            raise OptionError(f"{self.name} {value!r}", expected=expected, remedy="move the control")

    def to_json(self) -> dict[str, Any]:
        """A description in plain JSON values."""
        return asdict(self)


def sentence(function: Callable[..., Any]) -> str:
    """The first paragraph of what is said of a function."""
    return " ".join(inspect.cleandoc(function.__doc__ or "").split("\n\n")[0].split()).replace("`", "")


def _hidden(run: Run) -> list[str]:
    return [
        name for name in run.model().quantity_names if not name.startswith(("input", "output")) and name.endswith((".z", ".a"))
    ]


def _layers(run: Run) -> list[str]:
    return [use.name for use in run.problem.described.built.uses if isinstance(use.layer, Dense)]


def _widest(run: Run) -> int:
    return max((use.output.shape[-1] for use in run.problem.described.built.uses), default=1)


def _outputs(run: Run) -> int:
    return prod(run.problem.output.shape[1:])


WORDS: Mapping[str, tuple[str, str]] = {
    "example": ("example", "Which training example goes through the network."),
    "quantity": ("quantity", "Of which layer, before (z) or behind (a) its activation."),
    "layer": ("layer", "Which layer's weights are looked at."),
    "parameter": ("parameter", "Which weights or biases are looked at."),
    "name": ("parameter", "Which weights or biases are looked at."),
    "entry": ("entry", "Which entry of it, counted row by row from 0."),
    "neuron": ("neuron", "Which neuron of the layer, counted from 0."),
    "along": ("along input", "Which input is moved while the others are held."),
    "label": ("output neuron", "Which output is to be pushed up."),
    "output": ("output", "Which of the outputs is looked at."),
    "part": ("part", "On which part of the data it is judged."),
    "most": ("how many", "How many are shown at most."),
    "bins": ("bins", "Into how many equal stretches they are sorted."),
    "seed": ("seed", "The number that fixes what is drawn at random."),
    "span": ("span", "How far to each side it goes."),
    "learning_rate": ("learning rate η", "How large the step is: η in w ← w − η·∂C/∂w."),
    "solid": ("as a surface", "Drawn in space, to be turned with the mouse."),
    "scale": ("sharpness", "Weights and bias are multiplied by it: the step sharpens."),
    "bias": ("bias b", "The lower the bias, the harder the neuron is to activate."),
}
"""A control to each of these names of arguments: its label, and the sentence beside it."""
CHOICES: Mapping[str, Callable[[Run], list[str]]] = {
    "quantity": _hidden, "layer": _layers, "parameter": lambda run: list(run.problem.parameters),
    "name": lambda run: list(run.problem.parameters), "part": lambda run: [name for name, _ in run.data.parts()],
}  # fmt: skip
RANGES: Mapping[str, Callable[[Run], tuple[float, float, float, float]]] = {
    "example": lambda run: (0, len(run.data.train) - 1, 1, 0),
    "entry": lambda run: (0, max(prod(item.node.shape) for item in run.problem.parameters.values()) - 1, 1, 0),
    "neuron": lambda run: (0, _widest(run) - 1, 1, 0),
    "along": lambda run: (0, prod(run.dataset_info.input_shape) - 1, 1, 0),
    "label": lambda run: (0, _outputs(run) - 1, 1, 0),
    "output": lambda run: (0, _outputs(run) - 1, 1, 0),
    "most": lambda run: (1, 40, 1, 12),
    "bins": lambda run: (2, 60, 1, 10),
    "seed": lambda run: (0, 50, 1, 0),
    "span": lambda run: (0.1, 8, 0.1, 2),
    "learning_rate": lambda run: (-4, 1, 0.05, 0.1),
    "scale": lambda run: (1, 50, 0.5, 10),
    "bias": lambda run: (-5, 5, 0.05, 0),
}
"""Least, largest, step, and where it begins."""


def slider(name: str, run: Run, default: Any = None) -> Slider:
    """The control of an argument for this run; `default`: the argument's own, where it has one."""
    label, words = WORDS[name]
    if name in CHOICES:
        values = CHOICES[name](run)
        # A layer of another kind, such as conv1, is not among the Dense ones.
        values = values if default in {*values, None, ""} or name != "layer" else [str(default)]
        start = default if default in values else values[0] if values else ""
        return Slider(name, label, words, "choice", values=tuple(values), start=start)
    if name not in RANGES:
        return Slider(name, label, words, "switch", start=bool(default))
    low, high, step, start = RANGES[name](run)
    start = default if isinstance(default, int | float) else start
    is_log = name == "learning_rate"
    return Slider(name, label, words, low=low, high=high if is_log else max(high, start), step=step, log=is_log, start=start)
