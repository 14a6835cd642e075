"""All weights by hand, until one gives up: how many were set, what it brought, and what one epoch of training does."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from chainrule.lab.room import Action, Room
from chainrule.lab.session import Session

MOST_EXAMPLES = 1000


class Hand:
    """What somebody does by hand with the present session; another session begins it anew."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self._of: Session | None = None
        self.turn, self.draws, self.first, self.best = 0, 0, 0.0, 0.0
        self.learned: dict[str, float] | None = None

    def _look(self) -> None:
        """Begins anew where another session is there."""
        if self._of is not self.room.session:
            self._of, self.turn, self.draws, self.learned = self.room.session, 0, 0, None
            self.first = self.best = self._cost()

    def actions(self) -> Mapping[str, Action]:
        """One weight after the other, all at random, and giving up."""
        return {
            "next_weight": Action(
                self.next_weight, "Another weight to set by hand; the cost beside it is that of the whole network."
            ),
            "draw_weights": Action(self.draw_weights, "Draw all weights anew, and keep the best that you have found."),
            "give_up": Action(self.give_up, "Give up, and let gradient descent do one epoch instead."),
        }

    def readings(self) -> Mapping[str, Callable[..., Any]]:
        """How far one has come."""
        return {"hand": self.told}

    def next_weight(self) -> None:
        """Turns to another weight."""
        self._look()
        self.turn += 1

    def draw_weights(self) -> None:
        """All weights from another seed; where they are worse than those that there are, these stay."""
        self._look()
        held, cost = self.room.session, self._cost()
        self.draws += 1
        seed = (held.training.settings.seed + 7919 * self.draws) % 2**32
        self.room.begin(Session(held.training.changed(seed=seed, initial=None)))
        found = self._cost()
        if found > cost:
            self.room.begin(held)
        self._of, self.best = self.room.session, min(found, cost)

    def give_up(self) -> None:
        """One epoch of the training as it is set."""
        self._look()
        began, before = time.perf_counter(), self._cost()
        self.room.session.forward(self.room.trainer.steps_per_epoch)
        self.learned = {
            "before": before,
            "after": self._cost(),
            "seconds": time.perf_counter() - began,
            "steps": self.room.trainer.steps_per_epoch,
        }

    def told(self) -> dict[str, Any]:
        """The weight whose turn it is, how many were set, the cost and the accuracy."""
        self._look()
        with self.room.session.lock:
            session = self.room.session
            sizes = {name: item.node.shape for name, item in self.room.trainer.problem.parameters.items()}
            total = int(sum(np.prod(shape) for shape in sizes.values()))
            touched = {(event.what["name"], tuple(event.what["index"])) for event in session.events if event.kind == "set"}
            name, index = _entry(sizes, int(np.random.default_rng((1, self.turn)).integers(total)))
            value, cost = float(session.values()[name][index]), self._cost()
        return {
            "name": name, "index": list(index), "value": value, "cost": cost, "first": self.first, "set": len(touched), "total": total,
            "draws": self.draws, "best": self.best, "learned": self.learned,
        }  # fmt: skip

    def _cost(self) -> float:
        train = self.room.session.training.dataset.train
        return self.room.model().cost(train.x[:MOST_EXAMPLES], train.y[:MOST_EXAMPLES])


def _entry(sizes: Mapping[str, tuple[int, ...]], place: int) -> tuple[str, tuple[int, ...]]:
    """The parameter and the index of an entry that is counted through all of them."""
    for name, shape in sizes.items():
        count = int(np.prod(shape))
        if place < count:
            return name, tuple(map(int, np.unravel_index(place, shape)))
        place -= count
    raise IndexError(place)
