"""The bench: the network on its data, what it is trained by, and the card of a weight; each can be changed at any step."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np

from chainrule.checks import checked, unknown
from chainrule.data import BUILT_IN, load
from chainrule.errors import OptionError
from chainrule.lab.room import Action, Screen
from chainrule.lab.session import Session
from chainrule.nn import L2, Objective, summary
from chainrule.train import OPTIMIZERS, optimizer_named

PLANE_SETS = ("moons", "circles", "spirals", "blobs", "xor", "curve")
"""Made-up data that the page offers: each has one or two inputs, so that it can be seen whole."""
MOST_POINTS = 2000
CURVE_POINTS = 61


class Bench(Screen):
    """Network, data, training and weights."""

    def actions(self) -> Mapping[str, Action]:
        """What is changed at the bench."""
        return {
            "set": Action(self.set, "Set one weight or bias by hand."),
            "network": Action(self.network, "Another network; what both have in common keeps its numbers."),
            "data": Action(self.data, "Another set of made-up data, with more or less noise."),
            "optimizer": Action(self.optimizer, "The rule that turns gradients into updates."),
            "learning_rate": Action(self.learning_rate, "How large a step is: η in w ← w − η·∂C/∂w."),
            "batch_size": Action(self.batch_size, "How many examples are looked at before each update."),
            "penalty": Action(self.penalty, "Adds λ·Σw² to the cost: keeps weights small."),
            "seed": Action(self.seed, "The number that fixes all that is random; begins anew."),
        }

    def readings(self) -> Mapping[str, Callable[..., Any]]:
        """The card of a weight."""
        return {"card": self.card}

    @property
    def session(self) -> Session:
        """The session that is changed."""
        return self.room.session

    def state(self) -> Mapping[str, Any]:
        """Network, data and settings."""
        session, trainer = self.session, self.session.trainer
        problem, settings = trainer.problem, session.training.settings
        rows = summary(problem.network, problem.dataset_info.input_shape).rows
        layers = [{"name": row.name, "what": row.description, "output": list(row.output)} for row in rows]
        rate = settings.optimizer.learning_rate
        return {
            "network": text_of(session), "layers": layers, "formula": problem.formula, "data": session.training.dataset.name,
            "set": (session.training.dataset.origin or {}).get("name_or_path"), "parts": dict(problem.dataset_info.parts),
            "parameters": {name: list(item.node.shape) for name, item in problem.parameters.items()},
            "weights": {name: list(trainer.state[name].shape[1:]) for name in problem.weights},
            "optimizer": type(settings.optimizer).__name__, "optimizer_text": repr(settings.optimizer),
            "learning_rate": rate if isinstance(rate, int | float) else None,
            "batch_size": settings.batch_size, "examples": trainer.count, "seed": settings.seed,
            "steps_per_epoch": trainer.steps_per_epoch, "scaling": problem.dataset_info.scaling_words,
            "penalty": self._penalty, "input_shape": list(problem.dataset_info.input_shape),
            "classes": list(problem.dataset_info.classes or ()), "ranges": self.room.camera.ranges(), "points": self._points(),
            "sets": [name for name in PLANE_SETS if name in BUILT_IN], "optimizers": list(OPTIMIZERS),
        }  # fmt: skip

    @checked
    def set(self, name: str, index: Sequence[int], value: float) -> None:
        """Sets one entry of a parameter."""
        self.session.set(name, index, value)

    @checked
    def network(self, text: str) -> None:
        """Another network, by its text."""
        if len(text) > 300:
            raise OptionError(f"a network of {len(text)} letters", expected="at most 300", remedy="write fewer layers")
        self._change(network=text)

    @checked
    def data(self, name: str, noise: float | None = None) -> None:
        """Another built-in set of those that the page offers."""
        if name not in PLANE_SETS:
            raise unknown(f"data {name!r}", name, PLANE_SETS)
        options: dict[str, Any] = {} if noise is None or name == "xor" else {"noise": noise}
        dataset = load(name, **options)
        text = text_of(self.session)
        sizes = [str(math.prod(dataset.input_shape)), *text.split(" ")[0].split("-")[1:-1], str(dataset.target_size)]
        words = text.split(" ")[1 : 3 if dataset.classes else 2]
        self._change(data=dataset, network=" ".join(["-".join(sizes), *words]))

    @checked
    def optimizer(self, name: str) -> None:
        """Another optimizer with its usual rate."""
        self.session.change(optimizer=optimizer_named(name))

    @checked
    def learning_rate(self, value: float) -> None:
        """Another learning rate, from here on."""
        self.session.change(optimizer=replace(cast("Any", self.session.training.settings.optimizer), learning_rate=value))

    @checked
    def batch_size(self, value: int) -> None:
        """Another batch size; the order of the examples begins anew."""
        self.session.change(batch_size=value)

    @checked
    def penalty(self, factor: float) -> None:
        """Another factor λ of the squares of the weights; 0 takes the term away."""
        self._change(factor)

    def _change(self, penalty: float | None = None, **changes: Any) -> None:
        """Changes the training; the loss is the one that was asked for, else the usual one of network and data; with the penalty."""
        factor = self._penalty if penalty is None else penalty
        changed = self.session.training.changed(loss=self.session.first.loss, initial=None, **changes)
        found = changed.problem.objective
        others = tuple(term for term in found.penalties if not isinstance(term, L2))
        loss = Objective((*found.losses, *others, *([L2(factor)] if factor else [])))
        is_usual = self.session.first.loss is None and not factor
        self.session.change(loss=None if is_usual else loss, **changes)

    @property
    def _penalty(self) -> float:
        return sum(term.factor for term in self.session.trainer.problem.objective.penalties if isinstance(term, L2))

    @checked
    def seed(self, value: int) -> None:
        """A new session with the same settings and another seed."""
        self.room.begin(Session(self.session.training.changed(seed=value, initial=None)))

    # ---- what can be seen

    def _points(self) -> dict[str, list[list[float]]]:
        """The examples of each part: x and y in a row, at most 2 000 of each."""
        found: dict[str, list[list[float]]] = {}
        if math.prod(self.session.trainer.problem.dataset_info.input_shape) <= 2:
            for name, examples in self.session.training.dataset.parts():
                x, y = np.asarray(examples.x[:MOST_POINTS], np.float64), np.asarray(examples.y[:MOST_POINTS], np.float64)
                found[name] = np.column_stack([x, y.reshape(len(y), -1)]).tolist()
        return found

    def card(self, name: str, index: Sequence[int]) -> dict[str, Any]:
        """All about one weight or bias: value, derivative, a finite difference beside it, C over it with the tangent's slope."""
        place = tuple(int(number) for number in index)
        with self.session.lock:
            self.session.require_place(name, place)
            model, value = self.room.model(), float(self.session.values()[name][place])
            examples = self.session.training.dataset.train
            step = self.session.step
        x, y = examples.x[:MOST_POINTS], examples.y[:MOST_POINTS]
        derivative = float(model.gradient(x, y)[name][place])

        def cost(at: float) -> float:
            array = np.array(model.parameters[name])
            array[place] = at
            return model.with_parameters({name: array}).cost(x, y)

        nudge = 1e-5 * max(1.0, abs(value))
        reach = 2.0 * max(1.0, abs(value))
        line = np.linspace(value - reach, value + reach, CURVE_POINTS)
        return {
            "name": name, "index": list(place), "step": step, "value": value, "derivative": derivative,
            "difference": (cost(value + nudge) - cost(value - nudge)) / (2 * nudge), "nudge": nudge, "cost": cost(value),
            "examples": len(x), "line": line.tolist(), "costs": [cost(float(at)) for at in line],
        }  # fmt: skip


def text_of(session: Session) -> str:
    """The network as it is written; "" where it was given as layers."""
    network = session.training.network
    return network if isinstance(network, str) else ""
