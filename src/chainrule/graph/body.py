"""The body of a loop over time: one turn as a graph, and what each of its leaves is from turn to turn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from chainrule.display import Shown
from chainrule.errors import GraphError
from chainrule.graph.node import Node


class Turn(Protocol):
    """One turn of a loop: a `Graph`, of which a body needs no more than this."""

    @property
    def leaves(self) -> Mapping[str, Node]:
        """Its leaves by name."""
        ...

    @property
    def outputs(self) -> Mapping[str, Node]:
        """Its outputs by name."""
        ...

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Its nodes in topological order."""
        ...


@dataclass(frozen=True, eq=False, repr=False)
class Body(Shown):
    """One turn of a loop: a graph whose leaves are states, sequences and constants, in this order the values given to the loop.

    states: leaves carried from turn to turn; the graph's output of the same name is the next value. sequences: leaves that are a row of
    an array at each turn. constants: leaves that are the same at each turn. What else the graph puts out can be taken, turn by turn.

    Raises: GraphError where the graph's leaves are others, a state has no next value, or a next value another type.
    """

    graph: Turn
    states: tuple[str, ...]
    sequences: tuple[str, ...] = ()
    constants: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        unknown = sorted(self.graph.leaves.keys() - set(self.leaves))
        if unknown or len(set(self.leaves)) < len(self.leaves):
            raise GraphError(
                f"the body of a loop with the leaves {', '.join(self.leaves)} is computed from {', '.join(unknown) or 'them'}",
                expected="each leaf once among states, sequences and constants",
                remedy="hand in what comes from outside by a name of its own",
            )
        for name in self.states:
            leaf, after = self.graph.leaves.get(name), self.graph.outputs.get(name)
            if after is None or (leaf is not None and leaf.type != after.type):
                raise GraphError(
                    f"the state {name} of a loop is {leaf.type if leaf else 'not read'}, its next value {after and after.type}",
                    expected="a next value of the same type: an output of the state's name",
                    remedy="give the body such an output",
                )

    @property
    def leaves(self) -> tuple[str, ...]:
        """The leaves' names, in the order in which their values are given."""
        return (*self.states, *self.sequences, *self.constants)

    def __repr__(self) -> str:
        # Two bodies are the same only if they are one object.
        return f"<body of {', '.join(self.states)} at {id(self):x}>"

    def __str__(self) -> str:
        return f"states ({', '.join(self.states)}), sequences ({', '.join(self.sequences)}), constants ({', '.join(self.constants)})"
