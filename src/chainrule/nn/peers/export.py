"""What leaves the house: a network with the scalings of the data that it learned from, so that it computes there what it computes here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol, runtime_checkable

import numpy as np

from chainrule.checks import Numbers
from chainrule.descriptions import described
from chainrule.display import Shown
from chainrule.graph import Array, Node, Shape, constant
from chainrule.immutable import immutable
from chainrule.nn.build import Built, build_network, layer_scope
from chainrule.nn.checks import LayerName
from chainrule.nn.parts import Layer
from chainrule.nn.peers.parts import LayerStep
from chainrule.nn.peers.steps import shape_of, steps_of

UNSCALED = "unscaled"
"""What the step is called that gives outputs the units of the targets."""


@described
class Scale(Shown):
    """(x − offset)·factor, each float64, () or along the last axes of an example; with `undo` back: x/factor + offset.

    As a layer it is what other libraries' networks do to inputs by numbers that nobody trains.

    >>> import chainrule as cr
    >>> built = cr.build_network(Scale([1.0, 2.0], 10.0), (2,))
    >>> cr.compute([built.output], {built.input: [[1.5, 2.5]]})[0]
    array([[5., 5.]])
    """

    offset: Numbers
    factor: Numbers
    undo: bool = False
    name: LayerName = ""

    def __call__(self, x: Node) -> Node:
        """The batch in other units."""
        with layer_scope(self, "scale", x) as here:
            offset, factor = (constant(values, x.dtype) for values in (self.offset, self.factor))
            return here.gives(x / factor + offset if self.undo else (x - offset) * factor)

    @property
    def changes_nothing(self) -> bool:
        """Whether what comes out is what went in."""
        return not self.offset.any() and bool(np.all(self.factor == 1))


@immutable(eq=False)
class Export(Shown):
    """A network, the shape of one example, and what is done to inputs before it and to outputs behind it."""

    network: Layer
    input_shape: Shape | None
    before: Scale | None = None
    after: Scale | None = None

    @property
    def shape(self) -> Shape:
        """The shape of one example. Raises: OptionError where it is not known."""
        return shape_of(self.network, self.input_shape)

    def built(self) -> Built:
        """The network's graph for one example. Raises: OptionError where its shape is not known."""
        return build_network(self.network, self.shape)

    def steps(self, has: Callable[[object], bool]) -> list[LayerStep]:
        """The network's steps, with those that scale; has: which layers are steps, as in `steps_of`."""
        steps = steps_of(self.network, self.shape, has)
        if self.before and not self.before.changes_nothing:
            moved = [replace(step, sources=tuple(source + 1 for source in step.sources)) for step in steps]
            steps = [LayerStep(self.before, "scaled", self.shape, self.shape), *moved]
        if self.after and not self.after.changes_nothing:
            made = steps[-1].output if steps else self.shape
            steps.append(LayerStep(self.after, UNSCALED, made, made, sources=(len(steps),)))
        return steps


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
