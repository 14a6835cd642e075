"""What an optimizer is: a rule for one parameter as graph, and what the rest of the house asks of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal, Protocol, TypeAlias

from chainrule.checks import Positive
from chainrule.descriptions import Told
from chainrule.display import Shown
from chainrule.graph import Array, Node
from chainrule.immutable import immutable
from chainrule.train.schedules import Schedule
from chainrule.train.update_rule import constants_of, formulas_of

Slots: TypeAlias = Mapping[str, Node]
Update: TypeAlias = "tuple[Node, dict[str, Node]]"
Rate: TypeAlias = Annotated[Positive | Schedule, Told(always=True)]
"""A learning rate: one number, or one for each step."""


class Optimizer(Shown, ABC):
    """One rule for all parameters: a description with a `learning_rate`, and an `update` that is a graph.

    Ledger, formulas, snapshots and replay follow from `update`. Class attributes say the rest, where it is not the usual. slots: what it
    remembers for each parameter (velocity, moments); they start at 0 and are part of the run's state. symbols: how formulas write its
    slots and numbers; their own names else. slot_words: what a ledger calls what comes of a slot. gradient: what is taken for the
    gradient, "cost" the derivative of the cost, "error" what a step makes of t − a; gradient_text says it.

    >>> from chainrule.descriptions import described
    >>> @described
    ... class Damped(Optimizer):
    ...     learning_rate: Rate = 0.1
    ...     friction: float = 0.5
    ...     slots = ("velocity",)
    ...     symbols = {"velocity": "v", "friction": "γ"}
    ...
    ...     def update(self, w, g, slots, rate, step):
    ...         velocity = slots["velocity"] * (1.0 - self.friction) - g * rate
    ...         return w + velocity, {"velocity": velocity}
    >>> print("; ".join(Damped().formulas))
    v ← (1 − γ)·v − η·g, where g = ∂C/∂w; w ← w + v; γ = 0.5
    """

    learning_rate: float | Schedule
    slots: ClassVar[tuple[str, ...]] = ()
    symbols: ClassVar[Mapping[str, str]] = {}
    slot_words: ClassVar[Mapping[str, str]] = {}
    gradient: ClassVar[Literal["cost", "error"]] = "cost"
    gradient_text: ClassVar[str] = "∂C/∂w"

    @abstractmethod
    def update(self, w: Node, g: Node, slots: Slots, rate: Node, step: Node) -> Update:
        """The parameter's and the slots' next values; `rate` and `step` (1 at the first step) are scalars of w's dtype."""

    @property
    def search(self) -> Search | None:
        """Itself, if it looks at all examples at once and finds its own steps, which no snapshot lets be done again; else None."""
        return None

    @property
    def formulas(self) -> tuple[str, ...]:
        """Its rule as formulas, read from the graph of `update`, and its constants."""
        return (*formulas_of(self), *constants_of(self))


@immutable
class Progress(Shown):
    """Where a search is after an iteration: the point (n,), its cost, the largest gradient entry, and why it ends there, if it does."""

    point: Array
    cost: float
    slope: float
    reason: str = ""


class CostFunction(Protocol):
    """A cost as a function of one vector (n,) of all parameters."""

    @property
    def units(self) -> Array:
        """The usual size of each variable, (n,): in these units all are of the size 1."""
        ...

    def cost_and_gradient(self, point: Array) -> tuple[float, Array]:
        """The cost, and its gradient (n,)."""
        ...

    def residuals(self, point: Array) -> Array:
        """Numbers (m,) the sum of whose squares is the cost. Raises: OptionError for a cost that is no such sum."""
        ...

    def jacobian(self, point: Array) -> Array:
        """∂residuals/∂point, (m, n)."""
        ...


class Search(Protocol):
    """How an optimizer looks for a minimum on the full batch, in float64: each of its iterations is one epoch and one step."""

    title: ClassVar[str]
    """What it is called."""

    @property
    def iterations(self) -> int:
        """The most it takes."""
        ...

    def descend(self, problem: CostFunction, start: Array) -> Iterator[Progress]:
        """The start, and then where each iteration leads; the last one has a reason, and no more than `iterations` follow the start."""
        ...
