"""What a kind of mistake is: its words, and the one function that makes it; and the catalogue that a kind joins by being declared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import field
from functools import cached_property
from textwrap import fill
from typing import Any, Generic, Literal, TypeAlias, TypeVar

import numpy as np

from chainrule.display import Shown
from chainrule.graph import Array, Node
from chainrule.immutable import immutable
from chainrule.trace.network_structure import Structure
from chainrule.trace.planted import BackwardPass, GradientPart, Planted, Walk

WIDTH = 110
"""Characters to a line."""
Where: TypeAlias = Literal["backward", "array", "factor", "penalty", "whole", "number"]
"""What a mistake changes: what goes back through a place; one array; an array's size; its penalty; everything; or by what number."""


@immutable
class Kind(Shown):
    """A kind of mistake: its name, an explanation with the right formula, what to do, and how it is made.

    `vague`: it is named only where no other kind of mistake gives the same numbers. `in_delta`: it is made in δ at the output; a layer
    whose δ is right cannot have it.
    """

    name: str
    explanation: str
    remedy: str
    where: Where
    make: Callable[..., Iterable[Any]]
    vague: bool = False
    in_delta: bool = False

    def __repr__(self) -> str:
        return f"<mistake: {self.name}>"


@immutable
class Mistake(Shown):
    """A mistake found in a gradient: its name, the layers that it was made in, what is wrong, what to do, and what shows it.

    `layers` are in the order of the network; `at` says more closely where, as far as there is more to say: a gate, a time step, an
    array. `evidence` are numbers of this very gradient.
    """

    name: str
    layers: tuple[str, ...]
    explanation: str
    remedy: str
    evidence: str
    at: str = ""

    def __str__(self) -> str:
        where = f" in {', '.join(self.layers)}" if self.layers else ""
        head = f"{self.name}{where}{f' ({self.at})' if self.at else ''}"
        parts = (self.explanation, f"What shows it: {self.evidence}.", f"Fix: {self.remedy}.")
        return "\n".join([head, *(fill(part, WIDTH, initial_indent="  ", subsequent_indent="  ") for part in parts)])


CATALOGUE: list[Kind] = []
"""Every kind, in the order in which explanations that fit equally well are listed."""


From = TypeVar("From")
Made = TypeVar("Made")


@immutable
class Declares(Generic[From, Made]):
    """Declares mistakes of one kind: the function below the words says from what it is given in which ways the mistake can be made."""

    where: Where

    def __call__(
        self, name: str, explanation: str, remedy: str, *, vague: bool = False, in_delta: bool = False
    ) -> Callable[[Callable[[From], Iterable[Made]]], Kind]:
        """See `Kind` for the words."""

        def declare(make: Callable[[From], Iterable[Made]]) -> Kind:
            kind = Kind(name, explanation, remedy, self.where, make, vague, in_delta)
            CATALOGUE.append(kind)
            return kind

        return declare


# ---- mistakes in what goes back through a place


@immutable
class Planting:
    """One mistake at one place of the backward pass: what is changed there, and which nodes then get something else.

    Plantings with the same `place` and `detail` are one mistake: a layer that is used at every time step is wrong at each. `rate` makes
    the change of a number that is to be found, in which the gradient is a straight line, and of the student's own arrays. `factor` is
    what stands in place of another factor: two mistakes with equal ones are the same.
    """

    place: str
    layer: str
    planted: Planted
    reached: tuple[Node, ...]
    detail: str = ""
    rate: Callable[[float, Mapping[str, Array]], Planted] | None = None
    touched: frozenset[Node] = frozenset()
    factor: Array | None = None


backward_mistake = Declares[Structure, Planting]("backward")
"""A mistake by the places where it can be made."""


# ---- mistakes in one array


@immutable
class ArrayView:
    """One parameter's derivative in a walk back, and all that a mistake in it alone can be made of.

    `beside` gives the derivative of the same walk with something more planted, known by a name; None where that is not tried.
    """

    structure: Structure
    name: str
    walk: Walk
    beside: Callable[[str, Planted], Array | None]

    @property
    def backward(self) -> BackwardPass:
        """The backward pass that is walked."""
        return self.walk.backward

    @cached_property
    def gradient(self) -> Array:
        """The derivative as it is in this walk."""
        return self.walk.gradient(self.name)

    @cached_property
    def parts(self) -> tuple[GradientPart, ...]:
        """What each use of the parameter adds, in order."""
        return self.walk.parts(self.name)

    def with_parts(self, change: Callable[[GradientPart], Array | None]) -> Iterator[tuple[str, Array]]:
        """The sum of all parts, some of them changed; nothing where none is."""
        changed = [change(part) for part in self.parts]
        if any(value is not None for value in changed):
            pairs = zip(changed, self.parts, strict=True)
            yield "", np.sum([part.value if value is None else value for value, part in pairs], axis=0)

    def pulled(self, part: GradientPart, g: Array | None = None, data: Array | None = None) -> Array:
        """What a use passes to the parameter for another δ, or for other data."""
        instead = {} if data is None else {part.use.inputs[1 - part.place]: data}
        passed = self.backward.pull(part.use, part.arriving if g is None else g, instead)[part.place]
        return self.walk.to_parameter(np.asarray(passed), part.views)


array_mistake = Declares[ArrayView, "tuple[str, Array]"]("array")
"""A mistake in one array by the arrays that it leaves, each with a word on how it was made."""


# ---- factors


@immutable
class Sizes:
    """The numbers by which one parameter's array may have been multiplied or divided."""

    structure: Structure
    name: str
    uses: int
    is_bias: bool
    depth: int

    @property
    def batch(self) -> int:
        """The number of examples B."""
        return self.structure.batch

    @property
    def outputs(self) -> int:
        """The number of outputs k of an example."""
        return self.structure.outputs


factor_mistake = Declares[Sizes, "tuple[float, int]"]("factor")
"""A factor on the data's part of an array: its values, each with how often it was applied beyond once."""


penalty_mistake = Declares[Sizes, float]("penalty")
"""A factor on the penalty's part of an array that has one."""


# ---- mistakes in everything at once


@immutable
class Other:
    """Another way in which the whole gradient may have been computed: its kind, its place, and the gradient."""

    detail: str
    gradient: Callable[[], Mapping[str, Array]]
    layers: tuple[str, ...] = ()


whole_mistake = Declares[Structure, Other]("whole")
"""A mistake made before the backward pass began: each way to make it gives a whole gradient."""


# ---- numbers that must be found


@immutable
class Given:
    """The student's arrays beside the true ones, for mistakes with a number in them that must be found."""

    structure: Structure
    mine: Mapping[str, Array]
    right: Mapping[str, Array]
    wrong: tuple[str, ...]
    agree: Callable[[str, Array], bool]


@immutable
class Found:
    """A number that explains the wrong arrays: in words, which arrays it is in, and the arrays as it makes them."""

    evidence: str
    arrays: Mapping[str, Array] = field(default_factory=dict[str, Array])
    numbers: int = 1


number_mistake = Declares[Given, Found]("number")
"""A mistake with a number in it that the student's arrays tell."""
