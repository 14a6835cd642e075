"""What leaves the house: a network with the scalings of the data that it learned from, so that it computes there what it computes here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from chainrule.display import Shown
from chainrule.graph import Array, Shape
from chainrule.nn.build import Built
from chainrule.nn.parts import Layer
from chainrule.nn.peers.chain import built_for, chain
from chainrule.nn.peers.parts import LayerStep


@dataclass(frozen=True, eq=False)
class Scale(Shown):
    """(x − offset)·factor, each float64, () or along the last axes of an example; with `undo` back: x/factor + offset."""

    offset: Array
    factor: Array
    undo: bool = False

    @property
    def changes_nothing(self) -> bool:
        """Whether what comes out is what went in."""
        return not self.offset.any() and bool(np.all(self.factor == 1))


@dataclass(frozen=True, eq=False)
class Export(Shown):
    """A network, the shape of one example, and what is done to inputs before it and to outputs behind it."""

    network: Layer
    input_shape: Shape | None
    before: Scale | None = None
    after: Scale | None = None

    def built(self) -> Built:
        """The network's graph for one example. Raises: OptionError where its shape is not known."""
        return built_for(self.network, self.input_shape)

    def steps(self, built: Built) -> list[LayerStep]:
        """The network's steps, with those that scale."""
        steps, given, made = chain(self.network, built), built.input.shape[1:], built.output.shape[1:]
        before, after = ([item] if item and not item.changes_nothing else [] for item in (self.before, self.after))
        return [
            *(LayerStep(item, "scaled", given, given) for item in before),
            *steps,
            *(LayerStep(item, "unscaled", made, made) for item in after),
        ]


@runtime_checkable
class Exportable(Protocol):
    """What knows more of a network than its layers: a run, or its model."""

    @property
    def export(self) -> Export:
        """The network with its scalings."""
        ...


def export_of(subject: Layer | Exportable | Export, input_shape: Shape | None) -> Export:
    """What is to be exported: of a run the network with the run's scalings, of a network the network alone."""
    if isinstance(subject, Export):
        return subject
    return subject.export if isinstance(subject, Exportable) else Export(subject, input_shape)


def numbers(values: Array) -> object:
    """The numbers as Python writes them: one, where all are the same."""
    first = values.reshape(-1)[:1]
    return float(first[0]) if np.all(values == first) else values.tolist()


__all__ = ["Export", "Exportable", "Scale", "export_of", "numbers"]
