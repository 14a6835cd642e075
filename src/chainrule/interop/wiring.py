"""What is read from another library's network: our layers and how they are joined, the arrays that they take, whether both agree."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

from chainrule.display import Shown
from chainrule.errors import OptionError, PositionError
from chainrule.graph import Array, Graph, Node, Shape, compute
from chainrule.immutable import immutable
from chainrule.interop.portable import Portable
from chainrule.nn import Activation, Bidirectional, Dense, Export, Frozen, Layer, Sequential, TimeDistributed, build_network
from chainrule.nn.build import Built
from chainrule.nn.convolution import Conv1D, Conv2D
from chainrule.nn.peers.chain import step_of
from chainrule.nn.peers.parts import LackingError, LayerStep, PeerPart
from chainrule.nn.transposed import ConvTranspose1D, ConvTranspose2D
from chainrule.trace.rounding import ROUNDING, rounding_of

NEAR = {"float32": 1e-6, "float64": 1e-12}
"""How far two computations of one network may be apart, in units of its largest output."""
DEVIATIONS = 8.0
"""Where a network's own rounding is larger than that, so many times its measured standard deviation."""
AGREES = 1e-6
"""From which difference on a network that was read from another library is refused."""


class Imported(NamedTuple):
    """A network, and its parameters and states by name; as it is, it is what `cr.fit(network, data, initial=...)` takes."""

    network: Layer
    values: dict[str, Array]


def allowed(graph: Graph, bound: Mapping[Node, Array], outputs: Sequence[Array], *, near: float = 0.0) -> float:
    """How far another computation of a graph may be off: `near` or what its dtype allows, of the largest output; or what rounding does."""
    floats = [value for value in outputs if value.dtype.kind == "f"]
    largest = max((float(np.max(np.abs(value), initial=0.0)) for value in floats), default=0.0)
    dtype = "float32" if any(node.dtype == "float32" for node in graph.nodes) else "float64"
    nodes = [node for node in graph.outputs.values() if node.type.is_float]
    moved: list[Array] = []
    with suppress(PositionError):  # ids that are moved are no ids any more
        moved = rounding_of(nodes, bound, float(np.finfo(dtype).eps)) if nodes else []
    off = max((float(np.max(each, initial=0.0)) for each in moved), default=0.0) * DEVIATIONS / ROUNDING
    return max(max(near, NEAR[dtype]) * (largest or 1.0), off if np.isfinite(off) else 0.0)


# ---- joining layers

WEIGHING = (Dense, Conv1D, Conv2D, ConvTranspose1D, ConvTranspose2D)
"""Layers that have an activation of their own."""


@dataclass
class Wiring:
    """Layers and functions of several values, in the order in which they are applied; value 0 is the input.

    frozen: the numbers of the values whose layers keep their weights.
    """

    steps: list[tuple[Callable[..., Node], tuple[int, ...]]] = field(
        default_factory=list[tuple[Callable[..., Node], tuple[int, ...]]]
    )
    frozen: set[int] = field(default_factory=set[int])

    def put(self, function: Callable[..., Node], *sources: int, frozen: bool = False, alone: bool = True) -> int:
        """Applies a layer, or a function of several values; the number of what it makes. A linear layer and its function become one.

        frozen: whether it keeps its weights. alone: whether nothing else takes its source.
        """
        if isinstance(function, Activation) and self.steps and sources == (len(self.steps),) and alone:
            before, given = self.steps[-1]
            inner = before.layers[0] if isinstance(before, TimeDistributed) else before
            if isinstance(inner, WEIGHING) and inner.activation == "linear" and function.function != "linear":
                both = replace(inner, activation=function.function)
                self.steps[-1] = (TimeDistributed(both) if isinstance(before, TimeDistributed) else both, given)
                return len(self.steps)
        self.steps.append((function, sources))
        if frozen:
            self.frozen.add(len(self.steps))
        return len(self.steps)

    def network(self, shape: Shape, output: int) -> Layer:
        """A Sequential where each takes what the one before it made, else a Wired."""
        steps = self.steps[:output]
        if not all(sources == (place,) for place, (_, sources) in enumerate(steps)):
            held = (Frozen(each) if place in self.frozen else each for place, (each, _) in enumerate(steps, 1))
            return Wired(tuple((each, sources) for each, (_, sources) in zip(held, steps, strict=True)), shape)
        layers: list[Layer] = []
        for frozen, together in groupby(enumerate(steps, 1), lambda item: item[0] in self.frozen):
            each = [function for _, (function, _) in together]
            layers += [Frozen(*each)] if frozen else each
        return Sequential(*layers, input_shape=shape)


@immutable(eq=False)
class Wired(Shown):
    """A network whose layers are joined in another way than one behind the other: each step with the values that it takes, 0 the input."""

    steps: tuple[tuple[Callable[..., Node], tuple[int, ...]], ...]
    input_shape: Shape

    def __call__(self, x: Node) -> Node:
        """What the last step makes."""
        found = [x]
        for function, sources in self.steps:
            found.append(function(*(found[source] for source in sources)))
        return found[-1]

    def __repr__(self) -> str:
        lines = (
            f"{place} = {function!r} of {', '.join(map(str, sources))}"
            for place, (function, sources) in enumerate(self.steps, 1)
        )
        return f"Wired({'; '.join(lines)})"


@immutable(eq=False)
class Held:
    """A layer of ours by its place in the wiring, and the arrays of the peer's by their labels. rows, channels_first as in `LayerStep`."""

    place: int
    arrays: Mapping[str, Array]
    rows: tuple[int, ...] | None = None
    channels_first: bool = False


def values_of(
    wiring: Wiring, held: Sequence[Held], built: Built, parts_of: Callable[[LayerStep], Iterator[PeerPart]]
) -> dict[str, Array]:
    """Our parameters and states from the peer's arrays, by the table that carries ours there, read backwards."""
    blank = {name: np.zeros(item.node.shape) for name, item in (*built.parameters.items(), *built.states.items())}
    found: dict[str, Array] = {}
    for item in held:
        step = replace(_step(built, wiring.steps[item.place - 1][0]), rows=item.rows, channels_first=item.channels_first)
        for part in parts_of(step):
            for array in part.arrays:
                wanted = array.there(blank)
                found |= array.back({label: _given(item.arrays, label, like) for label, like in wanted.items()})
    return {name: found.get(name, blank[name]) for name in blank}


def _given(arrays: Mapping[str, Array], label: str, like: Array) -> Array:
    """The peer's array; one that it does without is what changes nothing."""
    if label in arrays:
        return np.asarray(arrays[label])
    return np.ones_like(like) if label in {"weight", "gamma"} else np.zeros_like(like)


def _step(built: Built, layer: object) -> LayerStep:
    """The first use of a layer, with those of the layers inside it."""
    layer = layer.layers[0] if isinstance(layer, TimeDistributed) else layer
    for place, use in enumerate(built.uses):
        if use.layer is layer:
            return step_of(layer, list(built.uses[place - 2 * isinstance(layer, Bidirectional) : place + 1]))
    raise LackingError(LayerStep(layer, type(layer).__name__, (), ()), "a layer that is not used")


# ---- agreement


def computed(
    network: Layer, values: Mapping[str, Array], x: Array, *, dtype: Any = "float64", training: bool = False
) -> tuple[Array, float]:
    """What our network makes of x (n, ...), and how far rounding moves that at most."""
    built = build_network(network, x.shape[1:], batch=len(x), dtype=dtype, training=training)
    leaves = {name: item.node for name, item in (*built.parameters.items(), *built.states.items())}
    bound = {leaf: np.asarray(values[name], leaf.dtype) for name, leaf in leaves.items()} | {built.input: np.asarray(x, dtype)}
    graph = Graph({"output": built.output})
    bound = {leaf: value for leaf, value in bound.items() if leaf in set(graph.nodes)}
    (found,) = compute([built.output], bound)
    return found, allowed(graph, bound, [found], near=AGREES)


def layers_of(given: Portable) -> Export:
    """The network of a run, by its layers. Raises: OptionError for a graph."""
    if given.layers is None:
        raise OptionError(
            "a graph as another library's object", expected="a run or a network of layers", remedy="carry it by ONNX: cr.export"
        )
    return given.layers


def exported(export: Export, values: Mapping[str, Array], x: Array, *, dtype: Any = "float64") -> tuple[Array, float]:
    """What a network with its scalings makes of x (n, ...) in the data's units, and how far rounding moves that at most."""
    before, after = export.before, export.after
    given = np.asarray(x, np.float64) if before is None else (np.asarray(x, np.float64) - before.offset) * before.factor
    found, most = computed(export.network, values, given, dtype=dtype)
    if after is None:
        return found, most
    return found / after.factor + after.offset, most / float(np.min(np.abs(after.factor)))


def require_agreement(what: str, theirs: Array, ours: Array, most: float) -> None:
    """Refuses a network that computes something else there than here.

    Raises: OptionError.
    """
    if theirs.shape == ours.shape:
        off = float(np.max(np.abs(theirs - ours), initial=0.0))
        if off <= most:
            return
        said = f"differs by {off:.2g}, and numbers as large as {float(np.max(np.abs(theirs), initial=0.0)):.3g}"
    else:
        said = f"gives the shape {ours.shape}, not {theirs.shape}"
    raise OptionError(
        f"{what} {said}",
        expected=f"the same outputs to {most:.1g}",
        remedy="report the layers that it is made of; or carry the network by ONNX",
    )
