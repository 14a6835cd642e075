"""Recurrent layers: RNN, GRU and LSTM as loops over time, forwards, backwards or both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from chainrule import ops
from chainrule.graph import Node, constant
from chainrule.immutable import immutable
from chainrule.interop.onnx_models.call import Call, operator
from chainrule.interop.onnx_models.operators import functions
from chainrule.interop.onnx_models.operators.shapes import small
from chainrule.ops.shapes import row

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
USUAL = {"RNN": ("Tanh",), "GRU": ("Sigmoid", "Tanh"), "LSTM": ("Sigmoid", "Tanh", "Tanh")}
SLOPES = {"LeakyRelu": 0.01, "ThresholdedRelu": 1.0, "HardSigmoid": 0.2, "Elu": 1.0, "ScaledTanh": 1.0, "Affine": 1.0}


@immutable
class _Way:
    """One direction of a recurrent layer: its weights, its functions, and how it is wired."""

    call: Call
    weights: Mapping[str, Node]
    functions: list[Any]
    clip: float
    coupled: bool
    before: bool

    def held(self, z: Node) -> Node:
        """A pre-activation inside its limits."""
        return ops.maximum(ops.minimum(z, self.clip), -self.clip) if self.clip else z

    def turn(self, x: Node, states: Mapping[str, Node]) -> dict[str, Node]:
        """The next states."""
        kind = self.call.node.op_type
        return {"RNN": self.rnn, "GRU": self.gru, "LSTM": self.lstm}[kind](x, **states)

    def linear(self, x: Node, h: Node, part: slice, *, reset: Node | None = None) -> Node:
        """x·W + h·R + biases, of some of the gates."""
        w, r, b, d = (self.weights[name] for name in ("W", "R", "Wb", "Rb"))
        size = h.shape[1]
        low, high = part.start * size, part.stop * size
        given = x @ ops.slice_axis(w, 1, low, high) + ops.slice_axis(b, 0, low, high)
        back = h @ ops.slice_axis(r, 1, low, high) + ops.slice_axis(d, 0, low, high)
        return given + (back if reset is None else reset * back)

    def rnn(self, x: Node, h: Node) -> dict[str, Node]:
        return {"h": self.functions[0](self.held(self.linear(x, h, slice(0, 1))))}

    def gru(self, x: Node, h: Node) -> dict[str, Node]:
        f, g = self.functions[:2]
        update = f(self.held(self.linear(x, h, slice(0, 1))))
        reset = f(self.held(self.linear(x, h, slice(1, 2))))
        new = self.linear(x, h, slice(2, 3), reset=reset) if self.before else self.linear(x, reset * h, slice(2, 3))
        new = g(self.held(new))
        return {"h": (1.0 - update) * new + update * h}

    def lstm(self, x: Node, h: Node, c: Node) -> dict[str, Node]:
        f, g, last = self.functions[:3]
        i, o, forget, new = (self.linear(x, h, slice(place, place + 1)) for place in range(4))
        peep = self.weights.get("P")
        size = h.shape[1]

        def look(gate: Node, place: int, cell: Node) -> Node:
            return gate if peep is None else gate + ops.slice_axis(peep, 0, place * size, (place + 1) * size) * cell

        i = f(self.held(look(i, 0, c)))
        forget = 1.0 - i if self.coupled else f(self.held(look(forget, 2, c)))
        cell = forget * c + i * g(self.held(new))
        o = f(self.held(look(o, 1, cell)))
        return {"h": o * last(cell), "c": cell}


@operator("RNN", "GRU", "LSTM")
def recurrent(
    call: Call, x: Node, w: Node, r: Node, b: Node | None = None, lengths: Node | None = None, h: Node | None = None, c: Node | None = None,
    p: Node | None = None, *, hidden_size: int | None = None, direction: str = "forward", activations: Any = None,
    activation_alpha: Any = (), activation_beta: Any = (), clip: float = 0.0, layout: int = 0, linear_before_reset: int = 0,
    input_forget: int = 0, output_sequence: int = 0,
) -> Any:  # fmt: skip
    """The hidden states of all steps, (steps, directions, batch, units), and the last ones."""
    kind, size = call.node.op_type, r.shape[2]
    x = ops.transpose(x, axes=(1, 0, 2)) if layout else x
    steps, batch, _ = x.shape
    count = 2 if direction == "bidirectional" else 1
    if w.shape[0] != count or direction not in {"forward", "reverse", "bidirectional"} or w.shape[1] != GATES[kind] * size:
        raise call.wrong(f"W {w.type!r} for direction {direction!r}", f"({count}, {GATES[kind]}·units, inputs)")
    names = {"h": h, "c": c} if kind == "LSTM" else {"h": h}
    given = {
        name: (ops.transpose(node, axes=(1, 0, 2)) if layout else node) for name, node in names.items() if node is not None
    }
    used = _functions(call, activations or USUAL[kind] * count, list(activation_alpha), list(activation_beta))
    alive = None if lengths is None else _alive(call, lengths, steps, batch)
    every: list[Node] = []
    last: dict[str, list[Node]] = {name: [] for name in names}
    for place in range(count):
        weights = {
            "W": ops.swap_last(row(w, place)),
            "R": ops.swap_last(row(r, place)),
            **_biases(b, place, GATES[kind] * size, x.dtype),
        }
        weights |= {} if p is None else {"P": row(p, place)}
        each = len(USUAL[kind])
        way = _Way(call, weights, used[place * each : (place + 1) * each], clip, bool(input_forget), bool(linear_before_reset))
        zeros = ops.broadcast_to(constant(0.0, x.dtype), shape=(batch, size))
        states = {name: row(given[name], place) if name in given else zeros for name in names}
        reverse = direction == "reverse" or place == 1
        found, ends = _run(way, x, states, alive, reverse=reverse)
        every.append(ops.reshape(found, shape=(steps, 1, batch, size)))
        for name, node in ends.items():
            last[name].append(ops.reshape(node, shape=(1, batch, size)))
    whole = ops.concatenate(*every, axis=1) if count > 1 else every[0]
    finals = [ops.concatenate(*nodes, axis=0) if count > 1 else nodes[0] for nodes in last.values()]
    if layout:
        whole, finals = ops.transpose(whole, axes=(2, 0, 1, 3)), [ops.transpose(node, axes=(1, 0, 2)) for node in finals]
    return whole, *finals


def _run(way: _Way, x: Node, states: dict[str, Node], alive: Node | None, *, reverse: bool) -> tuple[Node, dict[str, Node]]:
    """The hidden state of every step, and the last states; steps behind the end of an example change nothing, and give 0."""

    def step(x: Node, **rest: Node) -> dict[str, Node]:
        here = {name: rest[name] for name in states}
        own = _Way(way.call, {name: rest[name] for name in way.weights}, way.functions, way.clip, way.coupled, way.before)
        after = own.turn(x, here)
        if alive is None:
            return {**after, "shown": after["h"]}
        mask = ops.broadcast_to(ops.reshape(rest["alive"], shape=(x.shape[0], 1)), shape=after["h"].shape)
        kept = {name: ops.where(mask, node, here[name]) for name, node in after.items()}
        return {**kept, "shown": ops.where(mask, after["h"], 0.0)}

    rows = {"x": x} if alive is None else {"x": x, "alive": alive}
    loop = ops.recurrence(step, states, rows, dict(way.weights), reverse=reverse)
    return loop.after("shown"), {name: loop.last(name) for name in states}


def _alive(call: Call, lengths: Node, steps: int, batch: int) -> Node:
    """Whether a step stands before the end of its example, (steps, batch)."""
    small(call, (steps, batch))
    ends = ops.broadcast_to(ops.reshape(ops.cast(lengths, dtype="int64"), shape=(1, batch)), shape=(steps, batch))
    return ops.less(ops.broadcast_to(constant(np.arange(steps, dtype=np.int64)[:, None]), shape=(steps, batch)), ends)


def _biases(b: Node | None, place: int, width: int, dtype: str) -> dict[str, Node]:
    if b is None:
        zeros = ops.broadcast_to(constant(0.0, dtype), shape=(width,))
        return {"Wb": zeros, "Rb": zeros}
    both = row(b, place)
    return {"Wb": ops.slice_axis(both, 0, 0, width), "Rb": ops.slice_axis(both, 0, width, 2 * width)}


def _functions(call: Call, names: Any, alphas: list[float], betas: list[float]) -> list[Any]:
    """The activations; those that have numbers take them in their order."""
    return [_function(call, str(name), alphas, betas) for name in names]


def _function(call: Call, name: str, alphas: list[float], betas: list[float]) -> Any:
    known = {each.lower(): each for each in (*functions.PLAIN, *SLOPES)}
    if name.lower() not in known:
        raise call.unsupported(f"the activation {name!r}")
    name = known[name.lower()]
    if name in functions.PLAIN:
        return functions.PLAIN[name]
    alpha = alphas.pop(0) if alphas else SLOPES[name]
    beta = (
        (betas.pop(0) if betas else 0.5 if name == "HardSigmoid" else 1.0 if name == "ScaledTanh" else 0.0)
        if name in {"HardSigmoid", "ScaledTanh", "Affine"}
        else 0.0
    )
    found: dict[str, Callable[[Node], Node]] = {
        "LeakyRelu": lambda x: functions.leaky_relu(call, x, alpha=alpha), "Affine": lambda x: x * alpha + beta,
        "ThresholdedRelu": lambda x: ops.where(ops.greater(x, alpha), x, 0.0), "ScaledTanh": lambda x: ops.tanh(x * beta) * alpha,
        "HardSigmoid": lambda x: functions.hard_sigmoid(call, x, alpha=alpha, beta=beta),
        "Elu": lambda x: ops.where(ops.less(x, 0.0), ops.expm1(ops.minimum(x, 0.0)) * alpha, x),
    }  # fmt: skip
    return found[name]
