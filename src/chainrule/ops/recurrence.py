"""The loop over time as an op, `scan`, and a short way to write one; its derivative stands in `derivatives.recurrence`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

import numpy as np

from chainrule.checks import Count, checked, shown, takes
from chainrule.display import Shown
from chainrule.errors import GraphError, OptionError, OptionTypeError, ShapeError
from chainrule.graph import Array, Body, Graph, Node, Type, evaluator, input_node
from chainrule.immutable import immutable
from chainrule.ops.declare import op
from chainrule.ops.shapes import row

T = TypeVar("T")


def _scan_type(*types: Type, body: Body, output: str, length: int, before_step: bool = False, reverse: bool = False) -> Type:
    if (
        length < 1
        or len(types) != len(body.leaves)
        or output not in body.graph.outputs
        or (before_step and output not in body.states)
    ):
        raise GraphError(
            f"a loop of {length} steps over {len(types)} values, of which {output!r} is the output{' before each step' * before_step}",
            expected=f"1 step or more, {len(body.leaves)} values ({', '.join(body.leaves)}), one of {', '.join(body.graph.outputs)}",
            remedy="write the loop with ops.recurrence, which makes them fit",
        )
    for name, given in zip(body.leaves, types, strict=True):
        wanted = _leaf_type(body, name)
        if wanted is not None and given != (wanted.with_shape((length, *wanted.shape)) if name in body.sequences else wanted):
            raise ShapeError(
                f"the loop's value {name} is {given!r}",
                expected=f"{wanted!r}" + f", with a first axis of {length} steps" * (name in body.sequences),
                remedy="reshape it, or check the length",
            )
    taken = body.graph.outputs[output].type
    return taken.with_shape((length, *taken.shape))


def _leaf_type(body: Body, name: str) -> Type | None:
    """The type of a leaf; a state that no turn reads is as its next value, any other leaf nobody reads is anything."""
    node = body.graph.leaves.get(name, body.graph.outputs[name] if name in body.states else None)
    return None if node is None else node.type


@op(_scan_type, "scan", r"\operatorname{{scan}}", kind="loop")
def scan(*arrays: Array, body: Body, output: str, length: int, before_step: bool = False, reverse: bool = False) -> Array:
    """Runs a body step after step and gives one of its outputs at every step, (length, ...).

    arrays: the initial values of the states, the sequences (length, ...), the constants, in the body's order. output: the name of the
    output; with `before_step` the state of that name before each step. reverse: the steps run from the last to the first; what belongs
    to step t stands at t all the same. Loops that differ only in their output are one loop to every engine.
    Raises: GraphError, ShapeError, where values do not fit the body.

    >>> from chainrule.graph import constant, compute
    >>> x = constant([1.0, 2.0, 3.0])
    >>> loop = recurrence(lambda total, x: {"total": total + x}, {"total": constant(0.0)}, {"x": x})
    >>> compute([loop.after("total"), loop.before("total")])
    [array([1., 3., 6.]), array([0., 1., 3.])]
    """
    states, sequences, constants = split_values(body, arrays)
    leaves = body.graph.leaves
    graph, wanted = body.graph, [*body.states, output]
    turn_of = evaluator([graph.outputs[name] for name in wanted], leaves.values())
    found: list[Array] = [np.empty(0)] * length
    for turn in reversed(range(length)) if reverse else range(length):
        here = {**states, **{name: array[turn] for name, array in sequences.items()}, **constants}
        *following, taken = turn_of({node: here[name] for name, node in leaves.items()})
        found[turn] = states[output] if before_step else taken
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


@immutable
class Recurrence(Shown):
    """A loop that is ready to be taken from; see `recurrence`."""

    body: Body
    values: tuple[Node, ...]
    length: int
    reverse: bool = False

    def after(self, name: str) -> Node:
        """An output of the body at every step: (length, ...); of a state, its value after each step."""
        return scan(*self.values, body=self.body, output=name, length=self.length, reverse=self.reverse)

    def before(self, name: str) -> Node:
        """A state before each step: (length, ...)."""
        return scan(*self.values, body=self.body, output=name, length=self.length, before_step=True, reverse=self.reverse)

    def last(self, name: str) -> Node:
        """An output at the step that runs last.

        Shapes: that of one step, (...).
        """
        turn = 0 if self.reverse else self.length - 1
        return row(self.after(name), turn)


@checked
def recurrence(
    step: Callable[..., Mapping[str, Node]],
    states: Mapping[str, Node],
    sequences: Mapping[str, Node] | None = None,
    constants: Mapping[str, Node] | None = None,
    *,
    length: Count | None = None,
    reverse: bool = False,
) -> Recurrence:
    """A loop over the first axis of `sequences`, from the states' initial values on.

    `step` takes every state, sequence and constant by its name, as it is at one step, and gives at least the next value of each state by
    the state's name. Nodes of the body that have a name can be taken from it too. length: how many steps, where no sequence says so.
    Shapes: states and constants any, sequences (length, ...). Raises: OptionError, OptionTypeError for a function that does not fit.

    >>> from chainrule.graph import constant, compute
    >>> doubling = recurrence(lambda x: {"x": x * 2.0}, {"x": constant(1.0)}, length=4)
    >>> compute([doubling.after("x"), doubling.last("x")])
    [array([ 2.,  4.,  8., 16.]), array(16.)]
    """
    sequences, constants = sequences or {}, constants or {}
    given = length if length is not None else next((node.shape[0] for node in sequences.values()), 0)
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
