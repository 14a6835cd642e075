"""The desk of the lab: what a page may ask of a session, each by name, with what it takes; it knows no web."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from chainrule.checks import checked
from chainrule.data import BUILT_IN, load
from chainrule.errors import OptionError
from chainrule.lab.frames import Camera
from chainrule.lab.player import Player
from chainrule.lab.session import Session
from chainrule.nn import L2, Objective, summary
from chainrule.spelling import suggest
from chainrule.train import OPTIMIZERS, Model, optimizer_named

PLANE_SETS = ("moons", "circles", "spirals", "blobs", "xor", "curve")
"""Made-up data that the page offers: each has one or two inputs, so that it can be seen whole."""
MOST_POINTS = 2000
CURVE_POINTS = 61


@dataclass(frozen=True)
class Action:
    """Something that the page may do: its function, and a sentence that stands beside its control."""

    function: Callable[..., Any]
    words: str


class Desk:
    """One session for one page or several: `actions` are all that can be done, `state` and `frame` all that can be seen."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.player = Player(session)
        self.camera = Camera(session)
        self.actions: dict[str, Action] = {
            "play": Action(self.play, "Train: so many steps to a picture, thirty pictures a second."),
            "pause": Action(self.player.pause, "Stop between two steps."),
            "forward": Action(self.forward, "Do so many steps."),
            "at": Action(self.at, "Go to a step, back or forward: the same bits as when it was there."),
            "undo": Action(self.undo, "Take the last change back, and go to where it was made."),
            "set": Action(self.set, "Set one weight or bias by hand."),
            "network": Action(self.network, "Another network; what both have in common keeps its numbers."),
            "data": Action(self.data, "Another set of made-up data, with more or less noise."),
            "optimizer": Action(self.optimizer, "The rule that turns gradients into updates."),
            "learning_rate": Action(self.learning_rate, "How large a step is: η in w ← w − η·∂C/∂w."),
            "batch_size": Action(self.batch_size, "How many examples are looked at before each update."),
            "penalty": Action(self.penalty, "Adds λ·Σw² to the cost: keeps weights small."),
            "seed": Action(self.seed, "The number that fixes all that is random; begins anew."),
            "open": Action(self.open, "The state that a link holds."),
        }

    def close(self) -> None:
        """Ends the player."""
        self.player.close()

    def act(self, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Does something by its name, and gives the version there is then. Raises: OptionError, and what the action raises."""
        if name not in self.actions:
            raise OptionError(f"{name!r}", expected=f"one of {', '.join(self.actions)}", remedy=suggest(name, self.actions))
        with self.session.lock:
            self.actions[name].function(**given)
            return {"version": list(self.session.version), "step": self.session.step}

    # ---- what can be done

    @checked
    def play(self, speed: int | None = 1) -> None:
        """Plays at so many steps to a picture; None is full speed."""
        if speed is not None and not 1 <= speed <= 10**6:
            raise OptionError(
                f"speed={speed}", expected="1 to 1000000, or null for full speed", remedy="choose one of the speeds"
            )
        self.player.play(speed)

    @checked
    def forward(self, steps: int = 1) -> None:
        """Does so many steps."""
        if not 0 <= steps <= 10**6:
            raise OptionError(f"steps={steps}", expected="0 to 1000000", remedy="do them in several goes")
        self.session.forward(steps)

    @checked
    def at(self, step: int) -> None:
        """Goes to a step."""
        if not 0 <= step <= max(self.session.step + 10**6, 10**6):
            raise OptionError(f"step={step}", expected="a step of this session", remedy="go there in several goes")
        self.session.at(step)

    def undo(self) -> None:
        """Takes the last change back."""
        self.session.undo()

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
            raise OptionError(f"data {name!r}", expected=f"one of {', '.join(PLANE_SETS)}", remedy=suggest(name, PLANE_SETS))
        options: dict[str, Any] = {} if noise is None or name == "xor" else {"noise": noise}
        dataset = load(name, **options)
        text = self._text
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
        self._begin(Session(self.session.training.changed(seed=value, initial=None)))

    @checked
    def open(self, link: str) -> None:
        """The session of a link."""
        self._begin(Session.opened(link))

    def _begin(self, session: Session) -> None:
        self.player.pause()
        self.session = self.player.session = self.camera.session = session

    # ---- what can be seen

    @property
    def _text(self) -> str:
        """The network as it is written."""
        network = self.session.training.network
        return network if isinstance(network, str) else ""

    def version(self) -> str:
        """What differs whenever there is something else to be drawn."""
        step, applied, kind = self.session.version
        return f"{id(self.session)}.{step}.{applied}.{kind}.{self.player.is_playing:d}"

    def frame(self) -> bytes:
        """What the page draws now."""
        return self.camera.frame()

    def state(self) -> dict[str, Any]:
        """All that the page shows beside numbers that change with each step."""
        with self.session.lock:
            session, trainer = self.session, self.session.trainer
            problem, settings = trainer.problem, session.training.settings
            rows = summary(problem.network, problem.dataset_info.input_shape).rows
            layers = [{"name": row.name, "what": row.description, "output": list(row.output)} for row in rows]
            rate = settings.optimizer.learning_rate
            return {
                "network": self._text, "layers": layers, "formula": problem.formula, "data": session.training.dataset.name,
                "set": (session.training.dataset.origin or {}).get("name_or_path"), "parts": dict(problem.dataset_info.parts),
                "parameters": {name: list(item.node.shape) for name, item in problem.parameters.items()},
                "optimizer": type(settings.optimizer).__name__, "optimizer_text": repr(settings.optimizer),
                "learning_rate": rate if isinstance(rate, int | float) else None,
                "batch_size": settings.batch_size, "examples": trainer.count, "seed": settings.seed,
                "steps_per_epoch": trainer.steps_per_epoch, "scaling": problem.dataset_info.scaling_words,
                "penalty": self._penalty,
                "playing": self.player.is_playing, "speed": self.player.speed, "error": self.player.error,
                "events": [f"step {event.step}: {_told(event.kind, event.what)}" for event in session.events],
                "classes": list(problem.dataset_info.classes or ()), "ranges": self.camera.ranges(), "points": self._points(),
                "sets": [name for name in PLANE_SETS if name in BUILT_IN], "optimizers": list(OPTIMIZERS),
                "words": {name: action.words for name, action in self.actions.items()}, "version": self.version(),
            }  # fmt: skip

    def _points(self) -> dict[str, list[list[float]]]:
        """The examples of each part: x and y in a row, at most 2 000 of each."""
        found: dict[str, list[list[float]]] = {}
        if math.prod(self.session.trainer.problem.dataset_info.input_shape) <= 2:
            for name, examples in self.session.training.dataset.parts():
                x, y = np.asarray(examples.x[:MOST_POINTS], np.float64), np.asarray(examples.y[:MOST_POINTS], np.float64)
                found[name] = np.column_stack([x, y.reshape(len(y), -1)]).tolist()
        return found

    def scores(self) -> dict[str, dict[str, float]]:
        """Loss and accuracy of each part at this step."""
        with self.session.lock:
            parts = [name for name, _ in self.session.training.dataset.parts()]
            return {part: {name: float(np.mean(v)) for name, v in self.session.evaluate(part).values.items()} for part in parts}

    def card(self, name: str, index: Sequence[int]) -> dict[str, Any]:
        """All about one weight or bias: value, derivative, a finite difference beside it, C over it with the tangent's slope."""
        place = tuple(int(number) for number in index)
        with self.session.lock:
            self.session.require_place(name, place)
            model, value = self._model(), float(self.session.values()[name][place])
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

    def _model(self) -> Model:
        trainer = self.session.trainer
        values, problem = self.session.values(), trainer.problem
        return Model(
            problem, {name: values[name] for name in problem.parameters}, states={name: values[name] for name in problem.states}
        )


def _told(kind: str, what: Mapping[str, Any]) -> str:
    """An event in words."""
    if kind == "set":
        return f"{what['name']}{what['index']} = {what['value']:.4g}"
    words = {"loss": "formula", "data": "name"}
    told = {name: getattr(value, words.get(name, ""), value) for name, value in what.items() if value is not None}
    return ", ".join(f"{name} {value}" for name, value in told.items()) or "no penalty"
