"""What a training carries from step to step, as nodes: its first values, and what an optimizer makes of them."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chainrule import ops
from chainrule.checks import shown
from chainrule.data.arrays import told_bytes
from chainrule.errors import OptionError, OptionTypeError, Remedy, ShapeError
from chainrule.graph import Array, Node, constant, input_node, topological_order
from chainrule.nn import Built, Parameter, State
from chainrule.spelling import suggest
from chainrule.train.contracts import Declared, require_node, require_update, require_update_call
from chainrule.train.optimizer import Optimizer


def updated(
    optimizer: Optimizer, parameters: Mapping[str, Node], gradients: Sequence[Node], rate: Node, step: Node, dtype: str
) -> dict[str, Node]:
    """The next value of each parameter and of each of its slots, by name; step: how many updates there were, a float64 scalar."""
    rate, step = ops.cast(rate, dtype=dtype), ops.cast(step, dtype=dtype) + 1.0
    found: dict[str, Node] = {}
    require_update_call(optimizer)
    for (name, w), g in zip(parameters.items(), gradients, strict=True):
        slots = Declared({slot: input_node(f"{name}.{slot}", w.shape, w.dtype) for slot in optimizer.slots})
        found[name], changed = require_update(optimizer, optimizer.update(w, g, slots, rate, step), w, optimizer.slots)
        found |= {f"{name}.{slot}": node for slot, node in changed.items()}
    return found


def first_values(
    parameters: Mapping[str, Parameter],
    states: Mapping[str, State],
    kept: Sequence[str],
    dtype: str,
    given: Mapping[str, Array] | None = None,
) -> dict[str, Node]:
    """What training carries, at first, as nodes of the input "seed": parameters, what is `kept` of each, states; `given` ones are taken."""
    key = ops.random_fold(input_node("seed", (2,), "uint32"), ops.stream("initial"))
    carried = {**parameters, **states}
    unknown = sorted(set(given or {}) - set(carried))
    if unknown:
        raise OptionError(
            f"initial values for {', '.join(unknown)}",
            expected=f"some of {', '.join(carried)}",
            remedy=suggest(unknown[0], carried),
        )
    found: dict[str, Node] = {}
    for name, item in carried.items():
        if given is not None and name in given:
            first: Node = constant(_given(name, given[name], item.node), dtype)
        else:
            drawn: object = item.initialiser(ops.random_fold(key, ops.stream(name)), item.node.shape)
            what = f"the initialiser {shown(item.initialiser)} of {name}"
            first = ops.cast(require_node(what, drawn, item.node.shape, "float64", "first values"), dtype=dtype)
        found[name] = first
        if name in parameters:
            zeros = ops.broadcast_to(constant(0.0, dtype), shape=item.node.shape)
            found |= {f"{name}.{slot}": zeros for slot in kept}
    return found


def _given(name: str, value: Any, node: Node) -> Array:
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise OptionTypeError(
            f"the first value {shown(value)} of {name}", expected="an array of numbers", remedy="write run.parameters()"
        ) from None
    if not np.isfinite(array).all():
        raise OptionError(
            f"the first value of {name} holds {array[~np.isfinite(array)][0]}",
            expected="finite numbers",
            remedy="pass finite numbers, such as those of run.parameters()",
        )
    if array.shape != node.shape:
        raise ShapeError(
            f"{name} was given shape {array.shape}", expected=f"shape {node.shape}", remedy="transpose or reshape it"
        )
    return array


def require_trained(built: Built) -> None:
    """Refuses the training of a network all of whose weights are frozen, or with a layer that can only move what softmax makes a 1."""
    if not built.parameters and (frozen := [name for name, state in built.states.items() if state.frozen]):
        raise OptionError(
            f"a training of a network in which every layer with weights is frozen: {', '.join(frozen[:4])}{', ...' * (len(frozen) > 4)}",
            expected="a layer that learns",
            remedy="put one behind Frozen(...), or write epochs=0 to use the network as it is",
        )
    _require_choice(built)


def _require_choice(built: Built) -> None:
    """Refuses layers all of whose parameters end in a softmax over a single entry, which is 1 whatever they are."""
    ends = [built.output, *(term.rows for term in built.terms.values())]
    known = topological_order(ends)
    single = {node for node in known if node.op is ops.softmax and node.shape[node.attributes["axis"]] == 1}
    if not single:
        return
    waiting, moving = ends, set[Node]()
    while waiting:
        if (node := waiting.pop()) not in moving and node not in single:
            moving.add(node)
            waiting += node.inputs
    used = set(known)
    layers: dict[str, bool] = {}
    for name, item in built.parameters.items():
        if item.node in used:
            layer = name.rpartition(".")[0] or name
            layers[layer] = layers.get(layer, False) or item.node in moving
    if still := [layer for layer, moves in layers.items() if not moves]:
        first = next(node for node in known if node in single)
        raise OptionError(
            f"softmax over a single entry, {first.type!r} in layer {first.scope or 'none'}, which is 1 whatever goes in: "
            f"{', '.join(still[:4])}{', ...' * (len(still) > 4)} can never learn",
            expected="softmax over two entries or more",
            remedy=Remedy(
                'write Dense(1) for a number, Dense(1, "sigmoid") for one of two classes, Dense(k, "softmax") for one of k; '
                "what is to stay as it is goes into Frozen(...)",
                "write 1 for a number, 1:sigmoid for one of two classes, k:softmax for one of k",
            ),
        )


def told_at_random(names: Sequence[str]) -> str:
    """What is to be said of frozen weights that were drawn at random."""
    layers = ", ".join(dict.fromkeys(name.rpartition(".")[0] for name in names))
    return f"frozen as drawn at random: {layers}; to keep what was learned elsewhere, write initial= a run, or a network with its values"


def require_room(nodes: Mapping[str, Node], replicas: int = 1) -> None:
    """Refuses parameters and memories that this machine cannot hold, before it is asked for them."""
    needed = replicas * sum(node.type.size * np.dtype(node.dtype).itemsize for node in nodes.values())
    room = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else math.inf
    if needed > room:
        held = f"{replicas} replicas of " * (replicas > 1) + "the parameters and what the optimizer remembers"
        raise OptionError(
            f"{held}: {told_bytes(needed)}",
            expected=f"at most the {told_bytes(room)} that this machine has",
            remedy="train fewer replicas, or layers of fewer units",
        )
