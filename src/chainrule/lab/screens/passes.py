"""Both passes, node by node: the drawn graph, each step with its formula, numbers and check, the update, and ΔC/ε."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from chainrule.checks import checked
from chainrule.data import Examples, from_arrays
from chainrule.errors import OptionError
from chainrule.lab.room import Action, Screen
from chainrule.lab.session import Session
from chainrule.trace import LEVELS, NOTATIONS, Explanation, Level, Notation, Quantity
from chainrule.train import SGD, Training
from chainrule.views.drawing import Drawing, draw_passes
from chainrule.views.explanation import told_step
from chainrule.views.networks import STAGES, growing_picture
from chainrule.views.pictures import difference_quotients

MOST_EXAMPLES = 1000
"""On how many training examples ΔC/ε is measured."""
_STYLE = re.compile(r"<style>.*?</style>", re.DOTALL)


class Passes(Screen):
    """A walk through the graph and back, for one example or for the batch that comes next."""

    shows: ClassVar = {
        "passes.at": 0,
        "passes.example": 0,
        "passes.level": "mathematics",
        "passes.notation": "names",
        "passes.every": 0,
        "passes.stage": len(STAGES),
        "passes.epsilon": -2.0,
        "passes.weight": "",
    }

    def actions(self) -> Mapping[str, Action]:
        """The lecture's film."""
        return {
            "cat_and_dog": Action(self.cat_and_dog, "A film to walk through: a network says 0.9 cat, 0.1 dog, and it is a dog.")
        }

    def readings(self) -> Mapping[str, Callable[..., Any]]:
        """The walk, the update behind it, the quotient of a weight, and the growing picture."""
        return {"passes": self.passes, "update": self.update, "quotient": self.quotient, "growing": self.growing}

    def state(self) -> Mapping[str, Any]:
        """What the explanations can be written in."""
        return {"levels": list(LEVELS), "notations": list(NOTATIONS), "stages": list(STAGES)}

    def cat_and_dog(self) -> None:
        """A session with one dog, seen twice in an epoch, and a network that says 0.9 cat."""
        data = from_arrays(
            np.array([[1.0, 0.0]] * 2), [1, 1], classes=["cat", "dog"], split=None, scaling="none", name="cat or dog"
        )
        first = {"dense1.W": np.zeros((2, 2)), "dense1.b": np.array([np.log(9.0), 0.0])}
        self.room.begin(Session(Training("2-2:softmax", data, optimizer=SGD(0.1), batch_size=1, initial=first)))

    @checked
    def passes(
        self, example: int | None = 0, level: Level = "mathematics", notation: Notation = "names", *, every: bool = False
    ) -> dict[str, Any]:
        """The drawing, and the steps in the order of the walk. example: of the training part; None for the batch that comes next."""
        with self.room.session.lock:
            which = self._batch() if example is None else example
            explanation = self.room.run.explain(which, "training", level=level, notation=notation, every=every)
            step = self.room.session.step
        trace = explanation.trace
        drawn = draw_passes(
            trace.graph, trace.cost_name, values={node: trace.number(node) for node in trace.graph.nodes}, constants="inside"
        )
        steps = [*_forward(explanation, drawn), *_backward(explanation, drawn)]
        return {
            "svg": plain_svg(drawn.svg()),
            "steps": steps,
            "facts": dict(explanation.facts),
            "step": step,
            "cost": float(trace.value(trace.cost_name)),
        }

    def _batch(self) -> Examples:
        trainer = self.room.trainer
        rows = trainer.rows(trainer.step)[0]
        train = trainer.data.train
        return Examples(train.x[rows], train.y[rows])

    def update(self) -> dict[str, Any]:
        """What the next step does to the entry with the largest derivative of each parameter: before, what η·∂C/∂w promises, after."""
        with self.room.session.lock:
            batch, rate = self._batch(), self.room.trainer.settings.optimizer.learning_rate
            gradient = self.room.model().gradient(batch.x, batch.y)
            before, following = self.room.session.values(), self.room.session.branched()
        following.forward(1)
        after = following.values()
        rows = list[dict[str, Any]]()
        for name, slopes in gradient.items():
            index = tuple(map(int, np.unravel_index(int(np.argmax(np.abs(slopes))), slopes.shape)))
            slope = float(slopes[index])
            plain = -rate * slope if isinstance(rate, int | float) else None
            rows.append(
                {
                    "name": name,
                    "index": list(index),
                    "derivative": slope,
                    "plain": plain,
                    "before": float(before[name][index]),
                    "after": float(after[name][index]),
                }
            )
        return {"rows": rows, "batch": len(batch), "optimizer": repr(self.room.trainer.settings.optimizer)}

    @checked
    def quotient(self, name: str, index: Sequence[int], epsilon: float, *, picture: bool = False) -> dict[str, Any]:
        """ΔC, ΔC/ε and the central quotient for one ε, beside the derivative; with `picture` the view of all sizes of ε."""
        place = tuple(int(number) for number in index)
        self.room.session.require_place(name, place)
        if not 0 < epsilon <= 1e3:
            raise OptionError(f"ε = {epsilon}", expected="a number above 0", remedy="move the slider")
        model, train = self.room.model(), self.room.session.training.dataset.train
        x, y = train.x[:MOST_EXAMPLES], train.y[:MOST_EXAMPLES]
        found = difference_quotients(model, x, y, name, place, [epsilon]).numbers
        numbers = {key: float(np.ravel(found[key])[0]) for key in ("forward", "central", "derivative", "cost")}
        view = json.loads(difference_quotients(model, x, y, name, place).json()) if picture else None
        value = float(model.parameters[name][place])
        return {
            **numbers,
            "epsilon": epsilon,
            "change": numbers["forward"] * epsilon,
            "value": value,
            "view": view,
            "examples": len(x),
        }

    @checked
    def growing(self, stage: int = len(STAGES)) -> dict[str, str]:
        """The growing picture of the network and its data, up to a stage."""
        with self.room.session.lock:
            return {"svg": plain_svg(growing_picture(self.room.run, stage).svg())}


def _forward(explanation: Explanation, drawn: Drawing) -> Iterator[dict[str, Any]]:
    """The nodes in topological order; what is given from outside says so."""
    steps, trace = {step.quantity: step for step in explanation.forward}, explanation.trace
    for quantity in trace.quantities:
        if quantity.node in drawn.numbers:
            step, value = steps.get(quantity), trace.value_of(quantity)
            rows = [("given", f"shape {list(value.shape)}")] if step is None else told_step(explanation, step)[1:]
            number = None if step is None else step.value
            yield {
                "pass": "forward",
                **_place(quantity, drawn),
                "rows": rows,
                "value": number,
                "is_loss": _is_loss(explanation, quantity),
            }


def _backward(explanation: Explanation, drawn: Drawing) -> Iterator[dict[str, Any]]:
    """What is passed back, from the cost on."""
    for step in explanation.backward:
        place, adjoint = _place(step.input, drawn), drawn.adjoints.get(step.input.node)
        of = drawn.numbers.get(step.quantity.node)
        yield {
            "pass": "backward",
            **place,
            "from": of,
            "adjoint": None if adjoint is None else drawn.numbers.get(adjoint),
            "rows": told_step(explanation, step)[1:],
            "name": f"∂{explanation.trace.cost_name}/∂{step.input.name}",
            "parameter": step.input.name if step.input.name in {p.name for p in explanation.trace.parameters} else None,
            "index": list(step.index),
            "incoming": step.path.arriving,
            "local": step.path.local,
            "product": step.path.product,
            "total": step.total,
            "state": step.check.state,
        }


def _place(quantity: Quantity, drawn: Drawing) -> dict[str, Any]:
    return {"name": quantity.name, "box": drawn.numbers.get(quantity.node)}


def _is_loss(explanation: Explanation, quantity: Quantity) -> bool:
    """Whether it is the cost, or lies between the network's answer and the cost."""
    return quantity.node is explanation.trace.cost or quantity.name.startswith("loss")


def plain_svg(svg: str) -> str:
    """A drawing without the style that it carries, for a page whose policy takes none from markup: look.css has theirs.

    >>> plain_svg("<svg><style>a{}</style><g/></svg>")
    '<svg><g/></svg>'
    """
    return _STYLE.sub("", svg, count=1)
