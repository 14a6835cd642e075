"""Digits: drawn and recognised, guessed against the network, an edge detector that is painted, and all weights set by hand."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from chainrule.checks import Natural, checked
from chainrule.data import drawn_digit, mnist
from chainrule.errors import DataError, OptionError
from chainrule.graph import Array
from chainrule.lab.room import Action, Room, Screen
from chainrule.lab.screens.hand import Hand
from chainrule.lab.session import Session
from chainrule.nn import Accuracy
from chainrule.train import Adam, Training, class_shares
from chainrule.views.pictures import edge_detector, edge_weights
from chainrule.views.pictures.kinds import classifies

MOST_STROKES, MOST_POINTS = 100, 4000
SIDE = 28


class Digits(Screen):
    """A canvas, a contest, a detector; for networks that see 28 by 28 grey pixels and know classes."""

    shows: ClassVar = {"digits.pen": 1}

    def __init__(self, room: Room) -> None:
        super().__init__(room)
        self.strokes: list[list[tuple[float, float]]] = []
        self.painted: Array = np.zeros((SIDE, SIDE))
        self.contest = Contest()
        self.hand = Hand(room)

    def actions(self) -> Mapping[str, Action]:
        """What is drawn, guessed and painted."""
        return {
            "digits": Action(self.digits, "Begin with MNIST's handwritten digits and a network 784-16-16-10: 13 002 weights and biases."),
            "draw": Action(self.draw, "Draw a digit: the library makes it as MNIST's were, 20 by 20 pixels with its mass in the middle."),
            "guess": Action(self.guess, "Say what you see before the network does; both are counted, with their errors."),
            "another": Action(self.another, "The next test digit; neither of you has seen it."),
            "paint": Action(self.paint, "Paint the weights of one neuron: orange where it wants light, blue where it wants none."),
            "edge": Action(self.edge, "Weights that look for an edge: positive on it, negative around it, 0 elsewhere."),
            **self.hand.actions(),
        }  # fmt: skip

    def readings(self) -> Mapping[str, Callable[..., Any]]:
        """What comes of it."""
        return {"drawn": self.drawn, "contest": self.told_contest, "painting": self.painting, **self.hand.readings()}

    def state(self) -> Mapping[str, Any]:
        """Whether the network is one for digits."""
        return {"digits": self._suits()}

    def _suits(self) -> bool:
        shape = self.room.trainer.problem.dataset_info.input_shape
        return math.prod(shape) == SIDE * SIDE and classifies(self.room.run)

    def _require(self) -> None:
        if not self._suits():
            raise OptionError(
                "a network that sees no digits", expected="28 by 28 grey pixels, and classes", remedy="choose Begin with digits"
            )

    def digits(self) -> None:
        """A session on MNIST, not yet trained."""
        training = Training("784-16-16-10 relu softmax", mnist(), optimizer=Adam(0.003), batch_size=32)
        self.contest = Contest()
        self.room.begin(Session(training))

    # ---- a drawn digit

    @checked
    def draw(self, strokes: Sequence[Sequence[Sequence[float]]]) -> None:
        """Takes the strokes, each of points (x, y) from 0 to 1; none for a clean canvas."""
        if len(strokes) > MOST_STROKES or sum(map(len, strokes)) > MOST_POINTS:
            raise DataError(
                f"{len(strokes)} strokes", expected=f"{MOST_STROKES}, of {MOST_POINTS} points", remedy="draw with fewer"
            )
        if strokes:
            drawn_digit(strokes)
        self.strokes = [[(float(x), float(y)) for x, y in stroke] for stroke in strokes]

    def drawn(self) -> dict[str, Any]:
        """The drawing as the network sees it, its answer, and the activations of each layer."""
        if not self.strokes or not self._suits():
            return {"strokes": self.strokes, "pixels": None, "classes": [], "answer": [], "layers": []}
        digit = drawn_digit(self.strokes)
        return {"strokes": self.strokes, "pixels": digit.ravel().tolist(), **self._answer(self._seen(digit))}

    def _seen(self, digit: Array) -> Array:
        """One digit (28, 28) of bytes as the network takes it, (1, ...)."""
        info = self.room.trainer.problem.dataset_info
        dtype = np.dtype(info.input_dtype)
        if dtype.kind == "f" and float(np.max(self.room.trainer.data.train.x[:1000])) <= 1:
            digit = digit / 255
        return digit.astype(dtype).reshape(1, *info.input_shape)

    def _answer(self, x: Array) -> dict[str, Any]:
        with self.room.session.lock:
            run, model = self.room.run, self.room.model()
            names = [name for name in model.quantity_names if name.endswith(".a") and not name.startswith("input")]
            found = model.quantities(x, names)
            problem, classes = run.problem, list(run.dataset_info.classes or ())
            answer = class_shares(run.predict(x), problem.probabilities, problem.threshold)[0]
        layers = [{"name": name, "values": found[name][0].ravel()[:64].tolist()} for name in names]
        told = {"classes": classes, "answer": np.asarray(answer, np.float64).tolist(), "layers": layers}
        return {**told, "probable": problem.probabilities != "none"}

    # ---- the contest

    def another(self) -> None:
        """Goes to the next test digit."""
        self._require()
        self.contest.next(len(self._judged()))

    @checked
    def guess(self, label: Natural) -> None:
        """Somebody's answer to the present digit, then the network's."""
        self._require()
        classes = self.room.trainer.problem.dataset_info.classes or ()
        if label >= len(classes):
            raise OptionError(f"class {label}", expected=f"0 ... {len(classes) - 1}", remedy="choose one of the buttons")
        examples = self._judged()
        place = self.contest.place(len(examples))
        network = int(self.room.model().decide(examples.x[place : place + 1])[0])
        self.contest.note(place, label, network, int(examples.y[place]))

    def _judged(self) -> Any:
        data = self.room.trainer.data
        return data.test or data.train

    def told_contest(self) -> dict[str, Any]:
        """The present digit, and how both have done so far, with standard errors."""
        if not self._suits():
            return {"pixels": None, "revealed": None, "score": None, "classes": []}
        examples = self._judged()
        place = self.contest.place(len(examples))
        x = np.asarray(examples.x[place], np.float64)
        pixels = np.rint(x * (255 if x.max() <= 1 else 1)).astype(int).ravel().tolist()
        classes = list(self.room.trainer.problem.dataset_info.classes or ())
        return {"pixels": pixels, "example": place, "classes": classes, **self.contest.to_json(classes)}

    # ---- the painted detector

    @checked
    def paint(self, weights: Sequence[float]) -> None:
        """Weights of one neuron, row by row."""
        found = np.asarray(weights, dtype=np.float64)
        if found.shape != (SIDE * SIDE,) or not np.all(np.isfinite(found)) or np.abs(found).max() > 10:
            raise DataError(
                f"weights of shape {found.shape}", expected=f"{SIDE * SIDE} numbers from −10 to 10", remedy="paint again"
            )
        self.painted = found.reshape(SIDE, SIDE)

    @checked
    def edge(self, row: Natural = 8, column: Natural = 9, length: int = 10, *, horizontal: bool = True) -> None:
        """The library's own edge detector."""
        self.painted = edge_weights((SIDE, SIDE), row, column, length, horizontal=horizontal)

    def painting(self) -> dict[str, Any]:
        """The weights, and how a neuron with them answers the test digits; no view where the data are no digits."""
        weights = self.painted.ravel().tolist()
        if not self._suits() or not self.painted.any():
            return {"weights": weights, "view": None}
        data = self.room.trainer.data
        part = "test" if data.test else "training"
        return {"weights": weights, "view": json.loads(edge_detector(data, self.painted, part=part).json())}


class Contest:
    """Guesses at test digits in an order of its own, the same for both."""

    def __init__(self) -> None:
        self.seed, self.turn = int(time.time()) % 10**6, 0
        self.guesses: list[tuple[int, int, int, int]] = []

    def place(self, count: int) -> int:
        """Which example it is."""
        return int(np.random.default_rng((self.seed, self.turn)).integers(count))

    def next(self, count: int) -> None:
        """The next one, another than before."""
        before = self.place(count)
        self.turn += 1
        while count > 1 and self.place(count) == before:
            self.turn += 1

    def note(self, place: int, label: int, network: int, truth: int) -> None:
        """A guess; a second one at the same digit is refused."""
        if self.guesses and self.guesses[-1][0] == place:
            raise OptionError("a second guess", expected="one to a digit", remedy="take the next digit")
        self.guesses.append((place, label, network, truth))

    def to_json(self, classes: Sequence[str]) -> dict[str, Any]:
        """The last answer where it is of the present digit, and both scores; the difference has the standard error of the pairs."""
        if not self.guesses:
            return {"revealed": None, "score": None}
        place, label, network, truth = self.guesses[-1]
        you = np.array([guess == true for _, guess, _, true in self.guesses], dtype=np.float64)
        net = np.array([answer == true for _, _, answer, true in self.guesses], dtype=np.float64)
        n, apart = len(you), you - net
        error = float(apart.std(ddof=1) / math.sqrt(n)) if n > 1 else None
        score = {
            "n": n,
            "you": str(Accuracy(int(you.sum()), n)),
            "network": str(Accuracy(int(net.sum()), n)),
            "difference": float(apart.mean()),
            "error": error,
        }
        told = {"place": place, "you": classes[label], "network": classes[network], "truth": classes[truth]}
        return {"revealed": told, "score": score}
