"""Pictures that suit this network and its data, live, with sliders for what they depend on, and as a film over the steps."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, ClassVar, cast

import numpy as np

from chainrule import views
from chainrule.checks import Count, NonNegative, checked, unknown
from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.lab.room import Action, Room, Screen
from chainrule.lab.screens.sliders import WORDS, Slider, sentence, slider
from chainrule.spelling import suggest
from chainrule.train import Model, Run
from chainrule.views.pictures import ranked_entries
from chainrule.views.pictures.suited import suited
from chainrule.views.view import View

MOST_EXAMPLES = 300
MOST_FRAMES = 40
ONE_EXAMPLE = frozenset({"nudges", "output_nudges", "step_effect", "wishes", "memory_over_time", "step_contributions"})
"""Pictures of a single example: x and y without an axis for examples."""
NOT_LIVE = frozenset({"time_per_example", "weight_histograms", "linear_probes", "detector_test", "batch_angles"})
"""Pictures that measure for seconds, or ask for more than a page can choose."""


@immutable
class Sitter:
    """What pictures are made of: the run at this step, what was chosen, and the models along the way here."""

    run: Run
    name: str
    given: Mapping[str, Any]
    along: Callable[[int], list[Model]]

    @cached_property
    def model(self) -> Model:
        """The network with its present numbers."""
        return self.run.model()

    @property
    def examples(self) -> tuple[Array, Array]:
        """The first training examples, or the one that was chosen."""
        train = self.run.data.train
        if self.name in ONE_EXAMPLE:
            place = self.number("example", len(train) - 1)
            return train.x[place], train.y[place]
        return train.x[:MOST_EXAMPLES], train.y[:MOST_EXAMPLES]

    @property
    def quantity(self) -> str:
        """A hidden quantity: the chosen one, else the first."""
        known = [name for name in self.model.quantity_names if name.endswith(".a") and not name.startswith("input")]
        hidden = known[:-1] or known
        return str(self.given.get("quantity", hidden[0] if hidden else "dense1.z"))

    @property
    def entry(self) -> tuple[str, tuple[int, ...]]:
        """The chosen weight, else the one with the largest derivative."""
        if "name" in self.given:
            name = str(self.given["name"])
            shape = self.model.parameters[name].shape if name in self.model.parameters else (1,)
            return name, tuple(map(int, np.unravel_index(self.number("entry", int(np.prod(shape)) - 1), shape)))
        train = self.run.data.train
        found = ranked_entries(self.model, train.x[:MOST_EXAMPLES], train.y[:MOST_EXAMPLES])
        name = str(found.names[0])
        return name, tuple(map(int, np.unravel_index(int(found.positions[0]), found.shapes[name])))

    def number(self, name: str, most: int) -> int:
        """A whole number that was chosen, from 0 to `most`."""
        value = self.given.get(name, 0)
        if not isinstance(value, int) or not 0 <= value <= most:
            raise OptionError(f"{name} {value!r}", expected=f"0 ... {most}", remedy="move the slider")
        return value


SUPPLIED: Mapping[str, Callable[[Sitter], Any]] = {
    "source": lambda sitter: sitter.run, "run": lambda sitter: sitter.run, "results": lambda sitter: sitter.run,
    "model": lambda sitter: sitter.model, "states": lambda sitter: sitter.along(24),
    "x": lambda sitter: sitter.examples[0], "y": lambda sitter: sitter.examples[1],
    "example": lambda sitter: sitter.run.data.train[sitter.number("example", len(sitter.run.data.train) - 1)],
    "examples": lambda sitter: sitter.run.data.train[:MOST_EXAMPLES], "quantity": lambda sitter: sitter.quantity,
    "neuron": lambda sitter: sitter.number("neuron", 10**6), "name": lambda sitter: sitter.entry[0],
    "index": lambda sitter: sitter.entry[1],
}  # fmt: skip
"""Where arguments come from that a page does not choose as they are."""


class Pictures(Screen):
    """One picture at a time, made anew as the network learns."""

    shows: ClassVar = {"pictures.name": "", "pictures.given": "{}", "pictures.frame": None}

    def __init__(self, room: Room) -> None:
        super().__init__(room)
        functions = {name: inspect.unwrap(getattr(views.pictures, name)) for name in views.pictures.__all__}
        self.functions = {name: function for name, function in functions.items() if inspect.isfunction(function)}

    def actions(self) -> Mapping[str, Action]:
        """The nudge of ∇C."""
        return {"nudge": Action(self.nudge, "Move the weights with the largest derivatives, each against it: C falls.")}

    def readings(self) -> Mapping[str, Callable[..., Any]]:
        """Which there are, one of them, and its film."""
        return {"pictures": self.pictures, "picture": self.picture, "film": self.film}

    # ---- what there is

    def pictures(self) -> list[dict[str, Any]]:
        """The pictures that suit, each with its sentence and its controls at the present choice."""
        with self.room.session.lock:
            run = self.room.run
            names = [*suited(run, self.functions).column("picture"), *["path_of_run"] * (self.room.session.step >= 2)]
            told = list[dict[str, Any]]()
            for name in map(str, names):
                function = self.functions[name]
                wanted = [part.name for part in inspect.signature(function).parameters.values() if part.default is part.empty]
                if name not in NOT_LIVE and set(wanted) <= set(SUPPLIED):
                    controls = [control.to_json() for control in self._sliders(name, run)]
                    told.append({"name": name, "words": sentence(function), "controls": controls})
            return told

    def _sliders(self, name: str, run: Run) -> list[Slider]:
        parts = inspect.signature(self.functions[name]).parameters
        found = list[Slider]()
        if "example" in parts or name in ONE_EXAMPLE:
            found.append(slider("example", run))
        for part in parts.values():
            is_chosen = part.default is part.empty and part.name in {"neuron", "quantity", "name"}
            if part.name in WORDS and part.name != "example" and (is_chosen or isinstance(part.default, int | float | str)):
                found.append(slider(part.name, run, part.default))
        found += [slider("entry", run)] if {"name", "index"} <= set(parts) else []
        return [*found, *(slider(extra, run) for extra in EXTRAS.get(name, ()))]

    # ---- one of them

    @checked
    def picture(self, name: str, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The view at this step, and C on its examples."""
        with self.room.session.lock:
            sitter = Sitter(self.room.run, name, given or {}, self._along)
            view = self._view(sitter)
            train = sitter.run.data.train
            cost = sitter.model.cost(train.x[:MOST_EXAMPLES], train.y[:MOST_EXAMPLES])
            return {"view": json.loads(view.json()), "cost": cost, "step": self.room.session.step}

    @checked
    def film(self, name: str, given: Mapping[str, Any] | None = None, frames: Count = 20) -> dict[str, Any]:
        """The same picture at so many steps from the first to this one."""
        if frames > MOST_FRAMES:
            raise OptionError(f"{frames} frames", expected=f"at most {MOST_FRAMES}", remedy="ask for fewer")
        past, last = self.room.session.branched(), self.room.session.step
        steps: list[int] = np.unique(np.linspace(0, last, frames).round().astype(int)).tolist()
        views_ = list[Any]()
        for step in steps:
            past.at(step)
            views_.append(json.loads(self._view(Sitter(Run(past.trainer), name, given or {}, self._along)).json()))
        return {"steps": steps, "views": views_}

    def _along(self, count: int) -> list[Model]:
        past, found = self.room.session.branched(), list[Model]()
        for step in np.unique(np.linspace(0, self.room.session.step, count).round().astype(int)).tolist():
            past.at(step)
            found.append(Run(past.trainer).model())
        return found

    def _view(self, sitter: Sitter) -> View:
        name = sitter.name
        if name not in self.functions or name in NOT_LIVE:
            raise OptionError(
                f"picture {name!r}", expected="one of those that are offered", remedy=suggest(name, self.functions)
            )
        known = {control.name: control for control in self._sliders(name, sitter.run)}
        for chosen, value in sitter.given.items():
            if chosen not in known:
                raise unknown(f"control {chosen!r}", chosen, known, none="none")
            known[chosen].require(value)
        function, arguments = self.functions[name], dict[str, Any]()
        for part in inspect.signature(function).parameters.values():
            if part.default is part.empty:
                if part.name not in SUPPLIED:
                    raise OptionError(f"picture {name!r}", expected="one that is offered", remedy="choose another one")
                arguments[part.name] = SUPPLIED[part.name](sitter)
            elif part.name in sitter.given and part.name in WORDS:
                arguments[part.name] = sitter.given[part.name]
        for extra in EXTRAS.get(name, ()):
            if extra in sitter.given:
                APPLIED[extra](sitter, arguments)
        return cast("View", getattr(views.pictures, name)(**arguments))

    # ---- the nudge

    @checked
    def nudge(self, count: Count = 10, rate: NonNegative = 0.1) -> None:
        """Moves the entries with the largest derivatives, each by −rate·∂C/∂entry: one change."""
        train = self.room.session.training.dataset.train
        found = ranked_entries(self.room.model(), train.x[:MOST_EXAMPLES], train.y[:MOST_EXAMPLES])
        values = self.room.session.values()
        entries = list[tuple[str, tuple[int, ...], float]]()
        for rank in range(min(count, len(found.entries), 1000)):
            name = str(found.names[rank])
            place = tuple(map(int, np.unravel_index(int(found.positions[rank]), found.shapes[name])))
            entries.append((name, place, float(values[name][place]) - rate * float(found.entries[rank])))
        self.room.session.set_many(entries)


# ---- controls that are no arguments of their own

EXTRAS: Mapping[str, tuple[str, ...]] = {"sharpness": ("scale",), "firing_fraction": ("bias",)}


def _scaled(sitter: Sitter, arguments: dict[str, Any]) -> None:
    arguments["scales"] = (1.0, float(sitter.given["scale"]))


def _biased(sitter: Sitter, arguments: dict[str, Any]) -> None:
    layer, neuron = str(arguments.get("quantity", "dense1.z")).rpartition(".")[0], int(arguments.get("neuron", 0))
    bias = np.array(sitter.model.weights[f"{layer}.b"])
    if not 0 <= neuron < len(bias):
        raise OptionError(f"neuron {neuron}", expected=f"0 ... {len(bias) - 1}", remedy="move the slider")
    bias[neuron] = float(sitter.given["bias"])
    arguments["source"] = sitter.model.with_parameters({f"{layer}.b": bias})


APPLIED: Mapping[str, Callable[[Sitter, dict[str, Any]], None]] = {"scale": _scaled, "bias": _biased}
