"""Mistakes in back-propagation through time: steps that are left out, a way back that is cut off, a state of the wrong step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

import numpy as np

from chainrule.graph import Array, Node
from chainrule.ops import add, multiply
from chainrule.trace.mistakes.kinds import ArrayView, Planting, array_mistake, backward_mistake
from chainrule.trace.network_structure import Structure, step_in, without_step
from chainrule.trace.planted import GradientPart, Planted, Rule

Edges: TypeAlias = "tuple[tuple[tuple[Node, int], ...], ...]"
_MOST_CUTS = 40
_MOST_STEPS = 9


def step_name(structure: Structure, name: str, number: int) -> int:
    """The time step of a use, counted from 1: by the names behind it, else by its place among the uses."""
    uses = structure.steps.get(name, ())
    if number < len(uses):
        node, layer = uses[number], structure.layers[name]
        for _ in range(8):
            step = step_in(node.name)
            if step is not None and node.scope == layer:
                return step
            users = [user for user, _ in structure.backward.users[node] if user in structure.in_data]
            if not users:
                break
            node = users[0]
    return number + 1


@array_mistake(
    "only the last use counted",
    "A weight that is used T times (in each step of time) gets the sum of what all its uses pass back, ∂C/∂W = Σ_t x_tᵀ·δ_t. Here only "
    "the last use is in it: nothing went back in time.",
    "go on through the earlier steps, δ_(t−1) from δ_t, and add each one's x_tᵀ·δ_t",
)
def last_use(array: ArrayView) -> Iterator[tuple[str, Array]]:
    """The last part alone."""
    if len(array.parts) > 1:
        yield "", array.parts[-1].value


@array_mistake(
    "only the first use counted",
    "A weight that is used T times (in each step of time) gets the sum of what all its uses pass back, ∂C/∂W = Σ_t x_tᵀ·δ_t. Here only "
    "the first use is in it; going back it is the last to be computed, which happens when dW = ... overwrites instead of adding.",
    "write dW += ... in the loop over the steps",
)
def first_use(array: ArrayView) -> Iterator[tuple[str, Array]]:
    """The first part alone."""
    if len(array.parts) > 1:
        yield "", array.parts[0].value


@array_mistake(
    "a time step left out",
    "A weight that is used T times (in each step of time) gets the sum of what all its uses pass back, ∂C/∂W = Σ_t x_tᵀ·δ_t. Here the "
    "part of one step is missing; at the ends that is a loop that begins too late or stops too early.",
    "let the loop run over all steps: for t in reversed(range(T))",
)
def step_left_out(array: ArrayView) -> Iterator[tuple[str, Array]]:
    """All parts but one."""
    if len(array.parts) > 2 and array.name in array.structure.steps:
        for number, part in enumerate(array.parts):
            yield f"step {step_name(array.structure, array.name, number)}", array.gradient - part.value


@array_mistake(
    "a time step counted twice",
    "A weight that is used T times (in each step of time) gets the sum of what all its uses pass back, each once. Here one step is in it "
    "twice.",
    "let the loop run over each step once",
)
def step_twice(array: ArrayView) -> Iterator[tuple[str, Array]]:
    """All parts, one of them twice."""
    if len(array.parts) > 1 and array.name in array.structure.steps:
        for number, part in enumerate(array.parts):
            yield f"step {step_name(array.structure, array.name, number)}", array.gradient + part.value


@array_mistake(
    "state of the wrong time step",
    "At each step the memory is weighed as the step before left it, h_(t−1)·U, so ∂C/∂U = Σ_t h_(t−1)ᵀ·δ_t. Here the state of another "
    "step was paired with δ_t.",
    "keep h_0, h_1, ... in a list, and take h[t − 1] for ∂C/∂U",
)
def wrong_state(array: ArrayView) -> Iterator[tuple[str, Array]]:
    """h_t, or h_(t−2), in place of h_(t−1)."""
    states = _weighed(array)
    if array.name in array.structure.recurrent and states:
        last = _state_after(array.structure, array.parts)
        if last is not None and last.shape == states[0].shape:
            yield "h_t in place of h_(t−1)", _paired(array, [*states[1:], last])
        yield "h_(t−2) in place of h_(t−1)", _paired(array, [states[0], *states[:-1]])


def _weighed(array: ArrayView) -> list[Array]:
    """What each use weighs, a product of matrices; nothing where there is but one use, or another op."""
    values, parts = array.structure.backward.values, array.parts
    fits = len(parts) > 1 and all(part.use.op.name == "matmul" for part in parts)
    return [values[part.use.inputs[1 - part.place]] for part in parts] if fits else []


def _inputs(array: ArrayView) -> list[Array]:
    """What each time step weighs, where all of it is of one shape; else nothing."""
    found = _weighed(array) if array.name in array.structure.steps else []
    return found if len({value.shape for value in found}) == 1 else []


def _paired(array: ArrayView, states: list[Array]) -> Array:
    return np.sum([array.pulled(part, data=state) for part, state in zip(array.parts, states, strict=True)], axis=0)


def _state_after(structure: Structure, parts: tuple[GradientPart, ...]) -> Array | None:
    """The state that the last step leaves: what has the op of the states before it, and comes behind its use."""
    before, use = parts[-1].use.inputs[1 - parts[-1].place], parts[-1].use
    position = structure.backward.position
    for node in structure.data_nodes:
        if position[node] > position[use] and node.op is before.op and node.shape == before.shape:
            named = not before.name or node.name.rpartition(".t")[0] == before.name.rpartition(".t")[0]
            if named:
                return structure.backward.values[node]
    return None


@array_mistake(
    "input of the wrong time step",
    "At each step the step's own input is weighed, x_t·W, so ∂C/∂W = Σ_t x_tᵀ·δ_t. Here the input of the step before or behind was paired "
    "with δ_t.",
    "use the same t for the input and for δ",
)
def wrong_input(array: ArrayView) -> Iterator[tuple[str, Array]]:
    """x_(t−1) or x_(t+1) in place of x_t, the one at the end left out."""
    inputs = _inputs(array)
    if inputs and array.name not in array.structure.recurrent:
        nothing = np.zeros_like(inputs[0])
        yield "x_(t−1) in place of x_t", _paired(array, [nothing, *inputs[:-1]])
        yield "x_(t+1) in place of x_t", _paired(array, [*inputs[1:], nothing])


@array_mistake(
    "inputs in reversed order of time",
    "At each step the step's own input is weighed, x_t·W, so ∂C/∂W = Σ_t x_tᵀ·δ_t. Here the δ were collected going back in time and paired "
    "with the inputs as they come.",
    "turn the list of δ round before pairing it with the inputs",
)
def reversed_time(array: ArrayView) -> Iterator[tuple[str, Array]]:
    """What is weighed at T + 1 − t paired with δ_t."""
    if inputs := _inputs(array):
        yield "", _paired(array, inputs[::-1])


@backward_mistake(
    "memory of the wrong time step in a gate's derivative",
    "Where a gate weighs the memory, c_t = f·c_(t−1) + i·g, the gate's derivative is weighed by the memory as the step found it: "
    "∂C/∂f = ∂C/∂c_t ⊙ c_(t−1). Here the memory that the step left, c_t, was taken.",
    "keep c_0, c_1, ... in a list, and take c[t − 1] for the gate that keeps",
)
def wrong_memory(structure: Structure) -> Iterable[Planting]:
    """c_t in place of c_(t−1) in the derivative of what it is multiplied with."""
    seen: set[Node] = set()
    for name in structure.recurrent:
        uses = [edge for step in structure.memory_edges(name) for edge in step if edge[0].op is multiply]
        for use, place in [*uses, *_first_turn(structure, uses)]:
            left = _left_behind(structure, use)
            if left is not None and use not in seen and left.shape == use.inputs[place].shape:
                seen.add(use)
                yield _weighed_by(structure, structure.layers[name], use, place, left)


def _weighed_by(structure: Structure, layer: str, use: Node, place: int, left: Node) -> Planting:
    backward = structure.backward
    gate = use.inputs[1 - place]

    def rule(g: Array) -> list[tuple[Node, Array | None]]:
        passed = backward.pull(use, g)
        passed[1 - place] = backward.pull(use, g, {use.inputs[place]: backward.values[left]})[1 - place]
        return list(zip(use.inputs, passed, strict=True))

    at = without_step(left.name) or f"memory of {layer}"
    return Planting(f"gate on {at}", structure.layer_at(gate), Planted(rules={use: rule}), (gate,), f"the gate on {at}")


def _left_behind(structure: Structure, use: Node) -> Node | None:
    """The memory that a step leaves, from the product in which it weighs what it found: their sum."""
    return next((user for user, _ in structure.backward.users[use] if user.op is add and user.shape == use.shape), None)


def _first_turn(structure: Structure, uses: list[tuple[Node, int]]) -> Iterator[tuple[Node, int]]:
    """The same product in the first turn, which finds a memory that is no parameter's: zeros."""
    for use, place in uses:
        state, left = use.inputs[place], _left_behind(structure, use)
        if left is not None and state.op is add:
            first = state.inputs[left.inputs.index(use)]
            if first.op is multiply and first.inputs[place] not in structure.backward.reaching:
                yield first, place


# ---- the way back in time


@backward_mistake(
    "back-propagation through time cut off",
    "The derivative goes back through all T steps: δ of a step comes from the cost and from the step behind it. Here the way back was cut "
    "off (truncated), so that earlier steps are left out of the gradient.",
    "go back to the first step; where it is cut on purpose, check the gradient with sequences that are shorter than the cut",
)
def truncated(structure: Structure) -> Iterable[Planting]:
    """The way back cut before the last k steps, or after every k steps."""
    for name in structure.recurrent:
        edges = structure.memory_edges(name)
        layer, total = structure.layers[name], len(edges) + 1
        if any(
            structure.layers[other] == layer and other != name
            for other in structure.recurrent[: structure.recurrent.index(name)]
        ):
            continue
        chosen: dict[frozenset[int], str] = {}
        for k in range(1, min(total, _MOST_CUTS)):
            chosen.setdefault(frozenset({total - 1 - k}), f"after the last {k} step{'s' * (k > 1)}")
            chunks = frozenset(n for n in range(total - 1) if (n + 1) % k == 0)
            chosen.setdefault(chunks, f"after every {k} steps" if k > 1 else "no step passes anything to the step before it")
        for places, words in chosen.items():
            cuts = frozenset(edge for n in places for edge in edges[n])
            if cuts:
                reached = tuple({use.inputs[place] for use, place in cuts})
                yield Planting(f"memory of {layer}", layer, Planted(cuts=cuts), reached, words)


@backward_mistake(
    "each output's derivative cut off in time",
    "The derivative of each step's output goes back through all steps before it. Here it was followed back a few steps only (truncated "
    "back-propagation through time), output by output.",
    "go back to the first step for each output, or add what comes from the step behind to the δ of each step",
)
def truncated_outputs(structure: Structure) -> Iterable[Planting]:
    """What the cost passes to each state directly goes back k steps only."""
    for name in structure.recurrent:
        edges = structure.memory_edges(name)
        states = [tuple(dict.fromkeys(use.inputs[place] for use, place in step)) for step in edges]
        if 2 <= len(edges) <= _MOST_CUTS and all(len(step) == 1 for step in states):
            yield from _followed(structure, structure.layers[name], edges, [step[0] for step in states])


def _followed(structure: Structure, layer: str, edges: Edges, states: list[Node]) -> Iterator[Planting]:
    backward, right = structure.backward, structure.plain_walk
    every = frozenset(edge for step in edges for edge in step)
    starts, blocked = {backward.cost: np.ones(())}, structure.penalties
    alone = backward.walk(Planted(cuts=every), starts, blocked)
    if not all(state in right.arriving for state in states) or not any(state in alone.arriving for state in states):
        return
    direct = [np.asarray(alone.arriving.get(state, np.zeros(state.shape))) for state in states]
    last = backward.walk(Planted(cuts=every - set(edges[-1])), starts, blocked).arriving[states[-1]] - direct[-1]
    moved = _one_step_back(structure, states, direct)
    moved[-1] = last
    added = [np.zeros(state.shape) for state in states]
    for k in range(2, min(len(edges) + 1, _MOST_STEPS)):
        added = [total + value for total, value in zip(added, moved, strict=True)]
        planted = Planted(cuts=every, additions=dict(zip(states, added, strict=True)))
        yield Planting(f"memory of {layer}", layer, planted, tuple(states), f"after {k} steps")
        moved = _one_step_back(structure, states, moved)


def _one_step_back(structure: Structure, states: list[Node], values: list[Array]) -> list[Array]:
    """What each state gets from a derivative at the state behind it, and from nothing else."""
    backward = structure.backward
    rules: dict[Node, Rule] = {}
    for state, value in zip(states, values, strict=True):
        passed = list(zip(state.inputs, backward.pull(state, value), strict=True))
        rules[state] = lambda g, passed=passed: passed
    walk = backward.walk(Planted(rules=rules), dict(zip(states, values, strict=True)))
    return [walk.arriving[state] - value for state, value in zip(states, values, strict=True)]
