"""A session: a training without an end, whose every change is an event that can be undone, replayed and put into a link."""

from __future__ import annotations

import base64
import json
import threading
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

import numpy as np

from chainrule.checks import Natural, checked, shown, unknown
from chainrule.data import Dataset
from chainrule.descriptions import restored, written
from chainrule.display import Shown
from chainrule.engines import all_finite
from chainrule.errors import DataError, FileFormatError, NonFiniteError, OptionError
from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.lab.curves import Curves
from chainrule.lab.states import Moment, carried_over, with_example
from chainrule.train import Scores, Trainer, Training
from chainrule.train.configuration import written_origin
from chainrule.train.sealed import as_written

FOREVER = 10**9
"""Epochs: a session has no last step."""
MOST_NUMBERS_IN_A_LINK = 4096
"""Own data with more numbers than this do not travel in a link; their hash does."""
MOST_MOMENTS, MOST_BYTES = 512, 2**25
"""How many moments are kept, and how many bytes of them, where 16 of them have room (32 MiB)."""
_VERSION, _LINK = 1, Path("the link")
MOST_REPLICAS = 1024
"""So many networks at once: what somebody else's link asks for is made on this machine."""


@immutable
class Event(Shown):
    """A change that somebody made after `step` steps.

    kind: "set", a number set by hand, {"name", "index", "value"}; "many", several at once, {"values": [[name, index, value], ...]};
    "point", an example more in the training part, {"x", "y"}; or "change", fields of the training, as `Training.changed` takes them.
    """

    step: int
    kind: str
    what: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """A description in plain JSON values. Raises: OptionError for what no link can hold, such as an array of many numbers."""
        return {
            "step": self.step,
            "kind": self.kind,
            "what": {name: _as_json(name, value) for name, value in self.what.items()},
        }

    def is_of(self, other: Event) -> bool:
        """Whether both set the same number, or the same several, at the same step."""
        place = [(event.step, event.kind, event._places()) for event in (self, other)]
        return self.kind in {"set", "many"} and place[0] == place[1]

    def _places(self) -> list[Any]:
        if self.kind == "set":
            return [self.what["name"], self.what["index"]]
        return [pair[:2] for pair in self.what.get("values", ())]

    @staticmethod
    def from_json(saved: Any) -> Event:
        """The event that `to_json` described; for what is none raises what Python does, of which the link's reader knows more to say."""
        what = {str(name): _from_json(str(name), value) for name, value in dict(saved["what"]).items()}
        return Event(int(saved["step"]), str(saved["kind"]), what)


class Session(Shown):
    """A training that is played, stopped, changed, and taken back, step by step. It knows no page: a page asks it.

    The state is a function of the training, its seed, the events and the number of steps. Moments are kept in memory, so that going
    back costs little. Every method holds a lock: a page may ask from several threads.

    >>> import chainrule as cr
    >>> session = Session(cr.Training("2-4-2 tanh softmax", cr.data.moons(n=60), batch_size=10))
    >>> session.forward(20)
    >>> session.set("dense2.W", (3, 1), 0.5)
    >>> session.forward(5)
    >>> there = session.hash
    >>> session.at(10)
    >>> session.at(25)
    >>> session.hash == there, session.undo().kind, session.step
    (True, 'set', 20)
    >>> Session.opened(session.link()).hash == session.hash
    True
    """

    def __init__(self, training: Training, events: Sequence[Event] = ()) -> None:
        self.lock = threading.RLock()
        self.first, self.events = training, list(events)
        self.curves = Curves()
        self._applied = 0
        self._take_up(training)
        self._moments: list[Moment] = [self._moment()]

    # ---- what there is

    @property
    def training(self) -> Training:
        """The training as it now is, with all changes up to this step."""
        return self._training

    @property
    def trainer(self) -> Trainer:
        """The trainer of this step: to be read under the session's lock."""
        return self._trainer

    @property
    def step(self) -> int:
        """How many steps were done, over all changes."""
        return self._base + self._trainer.step

    @property
    def hash(self) -> str:
        """SHA-256 of all parameters and states, in hexadecimal."""
        with self.lock:
            return self._trainer.hash

    @property
    def version(self) -> tuple[int, int, str]:
        """Something that differs whenever there is something else to be seen."""
        return self.step, self._applied, self.events[self._applied - 1].kind if self._applied else ""

    def values(self) -> dict[str, Array]:
        """Parameters and states by name, of the first replica: copies."""
        with self.lock:
            return {name: self._trainer.state[name][0].copy() for name in self._trainer.names}

    def evaluate(self, part: str = "training") -> Scores:
        """The scores of a part of the data at this step."""
        with self.lock:
            return self._trainer.evaluate(part)

    # ---- time

    @checked
    def forward(self, steps: Natural = 1) -> None:
        """Does so many steps, through events that were made later and gone back behind.

        Raises: NonFiniteError at a number that is not finite; the session then stands before the step that made it.
        """
        with self.lock:
            last = self.step + steps
            while self._applied < len(self.events) and self.events[self._applied].step <= last:
                self._run(self.events[self._applied].step)
                self._apply()
            self._run(last)

    @checked
    def at(self, step: Natural) -> None:
        """Goes to another step, back or forward: the same bits as when it was there."""
        with self.lock:
            if step < self.step:
                self._go_back(lambda moment: moment.step <= step)
            self.forward(step - self.step)

    def undo(self) -> Event:
        """Takes the last change back, and goes to where it was made. Gives the change. Raises: OptionError where there is none."""
        with self.lock:
            if not self._applied:
                raise OptionError("nothing to undo", expected="a change before it", remedy="change something first")
            event, count = self.events[self._applied - 1], self._applied - 1
            self._go_back(lambda moment: moment.applied <= count and moment.step <= event.step)
            self.events[count:] = []
            self.forward(event.step - self.step)
            return event

    def branched(self) -> Session:
        """Another session that stands here and has the same past; from here on each goes its own way."""
        with self.lock:
            made = Session(self.first, self.events)
            made._moments, made.curves = list(self._moments), self.curves.copy()
            made._return_to(self._moment())
            return made

    # ---- changes

    @checked
    def set(self, name: str, index: Sequence[int], value: float) -> None:
        """Sets an entry of a parameter by hand, in all replicas; from here on everything goes on with it.

        Raises: OptionError for a name or an index that there is not, DataError for a value that is not finite.
        """
        with self.lock:
            self._by_hand("set", **self._entry(name, index, value))

    @checked
    def set_many(self, values: Sequence[tuple[str, Sequence[int], float]]) -> None:
        """Sets several entries at once, each (name, index, value): one event, one undo. Raises: as `set`."""
        with self.lock:
            entries = [self._entry(*each) for each in values]
            self._by_hand("many", values=[[entry["name"], entry["index"], entry["value"]] for entry in entries])

    def _entry(self, name: str, index: Sequence[int], value: float) -> dict[str, Any]:
        place = tuple(int(number) for number in index)
        self.require_place(name, place)
        most = float(np.finfo(self._trainer.state[name].dtype).max)
        if not abs(value) <= most:
            raise DataError(
                f"{name}{list(place)} = {value}", expected=f"a number up to {most:.3g}", remedy="give a smaller one"
            )
        return {"name": name, "index": list(place), "value": float(value)}

    def _by_hand(self, kind: str, **what: Any) -> None:
        event = Event(self.step, kind, what)
        if self._applied and self.events[self._applied - 1].is_of(event):
            # A weight that is dragged is set again and again: one event.
            self.events[self._applied - 1 :] = [event]
            self._set_all(event)
        else:
            self._do(event)

    def change(self, **changes: Any) -> None:
        """Changes fields of the training, "optimizer.learning_rate" and its like too, as `Training.changed` takes them.

        Numbers of a network that has others are taken over as far as they overlap: a neuron more changes no output, until it learns.
        Raises: what misfits raise; then nothing has changed.
        """
        with self.lock:
            self._do(Event(self.step, "change", dict(changes)))

    @checked
    def add_point(self, x: Sequence[float], y: float) -> None:
        """Adds an example to the training part: x as the data have it, y a label or a number.

        Raises: DataError for what the data's other examples do not look like.
        """
        with self.lock:
            self._do(Event(self.step, "point", {"x": [float(value) for value in x], "y": float(y)}))

    def _do(self, event: Event) -> None:
        self._keep()
        before, later = self._moment(), self.events[self._applied :]
        self.events[self._applied :] = [event]
        try:
            self._apply()
        except Exception:
            self.events[self._applied :] = later
            self._return_to(before)
            raise

    def _apply(self) -> None:
        event = self.events[self._applied]
        if event.kind in {"set", "many"}:
            self._set_all(event)
        elif event.kind in {"point", "change"}:
            before, step, old = self._training, self.step, self._trainer
            what = event.what if event.kind == "change" else {"data": with_example(before.dataset, **event.what)}
            # First values are those of the first network: what comes later takes over the numbers that there are.
            self._take_up(before.changed(**{"initial": None, **what}), old)
            self._base = step - self._trainer.step
        else:
            raise FileFormatError(
                f"an event {event.kind!r}", expected='"set", "many", "point" or "change"', remedy="take an unchanged link"
            )
        self._applied += 1

    def _set_all(self, event: Event) -> None:
        what = event.what
        values = [(what["name"], what["index"], what["value"])] if event.kind == "set" else list(what["values"])
        changed = dict(self._trainer.state)
        for name, index, value in values:
            self.require_place(name, tuple(index))
            if changed[name] is self._trainer.state[name]:
                changed[name] = changed[name].copy()
            changed[name][(slice(None), *index)] = value
        self._trainer.state = changed

    def require_place(self, name: str, index: tuple[int, ...]) -> None:
        """Refuses a name or an index that no parameter has."""
        known = self._trainer.problem.parameters
        if (state := self._trainer.problem.states.get(name)) is not None and state.frozen:
            raise OptionError(
                f"{name}, which is frozen", expected=f"one of {', '.join(known)}", remedy="take one that is trained"
            )
        if name not in known:
            raise unknown(f"no parameter {name!r}", name, known)
        shape = known[name].node.shape
        if len(index) != len(shape) or not all(0 <= place < size for place, size in zip(index, shape, strict=True)):
            raise OptionError(
                f"{name}{list(index)} of a parameter of shape {shape}",
                expected=f"{len(shape)} numbers, from 0 up to below the shape's",
                remedy="count from 0",
            )

    # ---- moments

    def _take_up(self, training: Training, old: Trainer | None = None) -> None:
        """Goes on with this training, from the state of the old one as far as it means the same."""
        endless = training.changed(epochs=FOREVER, evaluate_every=0, early_stopping=None)
        if endless.settings.optimizer.search:
            raise OptionError(
                f"a session with {type(endless.settings.optimizer).__name__}, which takes no steps",
                expected="an optimizer that goes step by step",
                remedy='write optimizer="adam"',
            )
        if endless.replicas > MOST_REPLICAS:
            raise OptionError(
                f"a session with {endless.replicas} replicas",
                expected=f"at most {MOST_REPLICAS}",
                remedy="train so many by cr.fit",
            )
        trainer = endless.trainer()
        if old is not None:
            carried_over(old, trainer)
        self._training, self._trainer, self._base = training, trainer, 0

    def _moment(self) -> Moment:
        trainer = self._trainer
        state = {name: array.copy() for name, array in trainer.state.items()}
        return Moment(self.step, self._applied, self._training, trainer.step, trainer.lineage, state)

    def _keep(self) -> None:
        """Notes this moment; of many old ones every second is forgotten."""
        if self._moments[-1].step < self.step or self._moments[-1].applied < self._applied:
            self._moments.append(self._moment())
        most = max(16, min(MOST_MOMENTS, MOST_BYTES // max(1, sum(array.nbytes for array in self._moments[-1].state.values()))))
        if len(self._moments) > most:
            # The youngest stay: what is undone most often is found at once.
            last = len(self._moments) - most // 4
            self._moments = [m for i, m in enumerate(self._moments) if i % 2 == 0 or i >= last]

    def _go_back(self, is_before: Callable[[Moment], bool]) -> None:
        found = [moment for moment in self._moments if is_before(moment)]
        self._moments = found
        self._return_to(found[-1])
        self.curves.until(self.step)

    def _return_to(self, moment: Moment) -> None:
        if moment.training is not self._training:
            self._take_up(moment.training)
        trainer = self._trainer
        trainer.state = {name: array.copy() for name, array in moment.state.items()}
        trainer.step, trainer.lineage = moment.own_step, moment.lineage
        self._base, self._applied = moment.step - moment.own_step, moment.applied

    def _run(self, last: int) -> None:
        """Steps up to `last`; moments are kept on the way, the closer the younger the session is."""
        while self.step < last:
            gap = max(64, self.step // 64)
            to = min(last, self._moments[-1].step + gap)
            first, before = self.step, self._trainer.state
            kept = {name: array.copy() for name, array in before.items()}
            records = self._trainer.advance(to - self._base)
            if not (all_finite(records) and all_finite(self._trainer.state)):
                self._find_nonfinite(kept, first, to)
            self.curves.add(first, records["loss"])
            if self.step - self._moments[-1].step >= gap:
                self._keep()

    def _find_nonfinite(self, kept: Mapping[str, Array], first: int, last: int) -> None:
        """Goes again over the piece and stands before the step that made a number that is not finite."""
        trainer = self._trainer
        trainer.state, trainer.step = kept, first - self._base
        for step in range(first, last):
            before = {name: array.copy() for name, array in trainer.state.items()}
            records = trainer.advance(step + 1 - self._base)
            if not (all_finite(records) and all_finite(trainer.state)):
                trainer.state, trainer.step = before, step - self._base
                raise NonFiniteError(
                    f"step {step} made a number that is not finite",
                    expected="finite numbers",
                    remedy="lower the learning rate, or go back",
                )
            self.curves.add(step, records["loss"])

    # ---- links

    def to_json(self) -> dict[str, Any]:
        """Training, events, step and the hash there, in plain JSON values. Raises: OptionError for what no link can hold."""
        with self.lock:
            held = self.first.__getstate__()  # first weights of another run by their names
            training = {item.name: _as_json(item.name, held[item.name]) for item in fields(self.first)}
            return {
                "version": _VERSION, "training": training, "data": self.first.dataset.hash[:16],
                "events": [event.to_json() for event in self.events], "step": self.step, "hash": self.hash[:16],
            }  # fmt: skip

    @staticmethod
    def from_json(saved: Mapping[str, Any], data: Any = None) -> Session:
        """The session that `to_json` described, at its step. data: the data, where the link does not hold them.

        Raises: FileFormatError for what is no such description; what its training and its changes raise.
        """
        with as_written(_LINK, "copy it whole"):
            return Session._from_json(saved, data)

    @staticmethod
    def _from_json(saved: Mapping[str, Any], data: Any) -> Session:
        if not isinstance(cast("object", saved), Mapping):
            raise TypeError(f"it holds {shown(saved)}")
        if saved.get("version") != _VERSION:
            raise FileFormatError(
                f"a link of version {saved.get('version')!r}", expected=f"version {_VERSION}", remedy="make the link again"
            )
        given = {name: _from_json(name, value) for name, value in dict(saved["training"]).items()}
        training = Training(**{**given, **({} if data is None else {"data": data})})
        if training.dataset.hash[:16] != saved["data"]:
            raise DataError(
                f"data with the hash {training.dataset.hash[:16]}",
                expected=f"{saved['data']}, which the link was made with",
                remedy="give the same data",
            )
        session = Session(training, [Event.from_json(event) for event in saved["events"]])
        session.forward(int(saved["step"]))
        return session

    def link(self) -> str:
        """The session as a text for a link: letters, digits, - and _."""
        packed = zlib.compress(json.dumps(self.to_json(), separators=(",", ":")).encode(), 9)
        return base64.urlsafe_b64encode(packed).decode().rstrip("=")

    @staticmethod
    def opened(link: str, data: Any = None) -> Session:
        """The session of a link. Raises: FileFormatError for what is no link."""
        with as_written(_LINK, "copy it whole"):
            try:
                packed = base64.b64decode(link + "=" * (-len(link) % 4), altchars=b"-_", validate=True)
                unpacked = zlib.decompressobj()
                text = unpacked.decompress(packed, 1 << 20)
            except zlib.error as error:
                raise ValueError(str(error)) from error
            if unpacked.unconsumed_tail:
                raise ValueError("too long")
            return Session.from_json(cast("Mapping[str, Any]", json.loads(text)), data)


def _as_json(name: str, value: Any) -> Any:
    """A field of a training in plain JSON values."""
    if name != "data":
        return written(value)
    if isinstance(value, Dataset):
        origin = written_origin(value)
        return {"load": origin} if origin else _arrays(value.train.x, value.train.y)
    if isinstance(value, tuple):
        pair = cast("tuple[Any, Any]", value)
        return _arrays(np.asarray(pair[0]), np.asarray(pair[1]))
    return {"load": {"name_or_path": str(value)}} if not isinstance(value, Mapping) else {"load": written(value)}


def _arrays(x: Array, y: Array) -> dict[str, Any]:
    if x.size + y.size > MOST_NUMBERS_IN_A_LINK:
        return {"lacking": f"arrays of {x.size + y.size} numbers"}
    return {"x": x.tolist(), "y": y.tolist()}


def _from_json(name: str, value: Any) -> Any:
    if name == "initial":
        return value and {key: np.array(numbers, dtype=np.float64) for key, numbers in value.items()}
    if name != "data":
        return restored(value)
    if "x" in value:
        return np.array(value["x"], dtype=np.float64), np.array(value["y"])
    if "load" in value:
        return {str(key): restored(item) for key, item in dict(value["load"]).items()}
    return None
