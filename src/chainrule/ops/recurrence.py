"""The loop over time as an op, `scan`, and a short way to write one; its derivative stands in `derivatives.recurrence`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import numpy as np

from chainrule.checks import Count, checked, shown, takes
from chainrule.display import Shown
from chainrule.errors import GraphError, OptionError, OptionTypeError, ShapeError
from chainrule.graph import Array, Body, Graph, Node, Type, evaluator, input_node
from chainrule.ops.declare import op
from chainrule.ops.shapes import reshape, slice_axis

T = TypeVar("T")


def _scan_type(*types: Type, body: Body, take: str, turns: int, before: bool = False, reverse: bool = False) -> Type:
    if turns < 1 or len(types) != len(body.leaves) or take not in body.graph.outputs or (before and take not in body.states):
        raise GraphError(
            f"a loop of {turns} turns over {len(types)} values, of which {take!r} is taken{' before each turn' * before}",
            expected=f"1 turn or more, {len(body.leaves)} values ({', '.join(body.leaves)}), one of {', '.join(body.graph.outputs)}",
            remedy="check them",
        )
    for name, given in zip(body.leaves, types, strict=True):
        wanted = _leaf_type(body, name)
        if wanted is not None and given != (wanted.with_shape((turns, *wanted.shape)) if name in body.sequences else wanted):
            raise ShapeError(
                f"the loop's value {name} is {given!r}",
                expected=f"{wanted!r}" + f", with a first axis of {turns} turns" * (name in body.sequences),
                remedy="reshape it, or check the number of turns",
            )
    taken = body.graph.outputs[take].type
    return taken.with_shape((turns, *taken.shape))


def _leaf_type(body: Body, name: str) -> Type | None:
    """The type of a leaf; a state that no turn reads is as its next value, any other leaf nobody reads is anything."""
    node = body.graph.leaves.get(name, body.graph.outputs[name] if name in body.states else None)
    return None if node is None else node.type


@op(_scan_type, "scan", r"\operatorname{{scan}}", kind="loop")
def scan(*arrays: Array, body: Body, take: str, turns: int, before: bool = False, reverse: bool = False) -> Array:
    """Runs a body turn after turn and gives one of its outputs at every turn, (turns, ...).

    arrays: the first values of the states, the sequences (turns, ...), the constants, in the body's order. take: which output; with
    `before` the state of that name as each turn finds it. reverse: the turns run from the last to the first; what belongs to turn t
    stands at t all the same. Loops that differ only in what they take are one loop to every engine.

    >>> from chainrule.graph import constant, compute
    >>> x = constant([1.0, 2.0, 3.0])
    >>> loop = recurrence(lambda total, x: {"total": total + x}, {"total": constant(0.0)}, {"x": x})
    >>> compute([loop.after("total"), loop.before("total")])
    [array([1., 3., 6.]), array([0., 1., 3.])]
    """
    states, sequences, constants = split_values(body, arrays)
    leaves = body.graph.leaves
    graph, wanted = body.graph, [*body.states, take]
    turn_of = evaluator([graph.outputs[name] for name in wanted], leaves.values())
    found: list[Array] = [np.empty(0)] * turns
    for turn in reversed(range(turns)) if reverse else range(turns):
        here = {**states, **{name: array[turn] for name, array in sequences.items()}, **constants}
        *following, taken = turn_of({node: here[name] for name, node in leaves.items()})
        found[turn] = states[take] if before else taken
        states = dict(zip(body.states, following, strict=True))
    return np.stack(found)


def split_values(body: Body, values: tuple[T, ...]) -> tuple[dict[str, T], dict[str, T], dict[str, T]]:
    """A loop's values by name: states, sequences, constants."""
    named = dict(zip(body.leaves, values, strict=True))
    return (
        {name: named[name] for name in body.states},
        {name: named[name] for name in body.sequences},
        {name: named[name] for name in body.constants},
    )


@dataclass(frozen=True)
class Recurrence(Shown):
    """A loop that is ready to be taken from; see `recurrence`."""

    body: Body
    values: tuple[Node, ...]
    turns: int
    reverse: bool = False

    def after(self, name: str) -> Node:
        """An output of the body at every turn: (turns, ...); of a state, the value behind each turn."""
        return scan(*self.values, body=self.body, output=name, length=self.turns, reverse=self.reverse)

    def before(self, name: str) -> Node:
        """A state as each turn finds it: (turns, ...)."""
        return scan(*self.values, body=self.body, output=name, length=self.turns, before_step=True, reverse=self.reverse)

    def last(self, name: str) -> Node:
        """An output at the turn that runs last."""
        turn = 0 if self.reverse else self.turns - 1
        every = self.after(name)
        return reshape(slice_axis(every, 0, turn, turn + 1), shape=every.shape[1:])


@checked
def recurrence(
    step: Callable[..., Mapping[str, Node]],
    states: Mapping[str, Node],
    sequences: Mapping[str, Node] | None = None,
    constants: Mapping[str, Node] | None = None,
    *,
    turns: Count | None = None,
    reverse: bool = False,
) -> Recurrence:
    """A loop over the first axis of `sequences`, from the states' first values on.

    `step` takes every state, sequence and constant by its name, as it is at one turn, and gives at least the next value of each state by
    the state's name. Nodes of the body that have a name can be taken from it too. turns: how many, where there is no sequence to tell.

    >>> from chainrule.graph import constant, compute
    >>> doubling = recurrence(lambda x: {"x": x * 2.0}, {"x": constant(1.0)}, length=4)
    >>> compute([doubling.after("x"), doubling.last("x")])
    [array([ 2.,  4.,  8., 16.]), array(16.)]
    """
    sequences, constants = sequences or {}, constants or {}
    given = turns if turns is not None else next((node.shape[0] for node in sequences.values()), 0)
    leaves = {name: input_node(name, node.shape, node.dtype) for name, node in (*states.items(), *constants.items())}
    leaves |= {name: input_node(name, node.shape[1:], node.dtype) for name, node in sequences.items()}
    if not takes(step, leaves):
        raise OptionError(
            f"the step {shown(step)} does not take {', '.join(leaves) or 'nothing'}",
            expected="a function of each state, sequence and constant by its name",
            remedy=f"write for example: lambda {', '.join(leaves)}: ...",
        )
    given_out = cast("Any", step(**leaves))
    if not isinstance(given_out, Mapping) or not all(isinstance(node, Node) for node in cast("Any", given_out).values()):
        raise OptionTypeError(
            f"the step {shown(step)} gave {shown(cast('object', given_out))}",
            expected="nodes by name, the next states among them",
            remedy="write {...}",
        )
    outputs: dict[str, Node] = dict(cast("Mapping[str, Node]", given_out))
    named = {node.name: node for node in Graph(outputs).nodes if node.name and not node.is_leaf}
    body = Body(Graph({**named, **outputs}), tuple(states), tuple(sequences), tuple(constants))
    return Recurrence(body, (*states.values(), *sequences.values(), *constants.values()), given, reverse)
