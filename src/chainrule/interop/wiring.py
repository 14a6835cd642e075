"""What is read from another library's network: our layers and how they are joined, the arrays that they take, whether both agree."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import accumulate, groupby
from math import prod
from typing import Any, NamedTuple, TypeAlias, cast

import numpy as np

from chainrule import ops
from chainrule.checks import shown
from chainrule.display import Shown
from chainrule.errors import OptionError, PositionError
from chainrule.graph import Array, Graph, Node, Shape, compute
from chainrule.immutable import immutable
from chainrule.interop.portable import Portable
from chainrule.nn import (
    Activation,
    Dense,
    Dropout,
    Export,
    Formula,
    Frozen,
    GaussianNoise,
    Layer,
    Reshape,
    Residual,
    Scale,
    Sequential,
    TimeDistributed,
    build_network,
)
from chainrule.nn.activations import ActivationName
from chainrule.nn.build import Built
from chainrule.nn.convolution import Conv1D, Conv2D
from chainrule.nn.graph_layer import GraphLayer
from chainrule.nn.layers import as_layer
from chainrule.nn.peers.parts import LayerStep, PeerPart
from chainrule.nn.peers.pytorch_reading import UnlikeError
from chainrule.nn.peers.steps import step_in
from chainrule.nn.transposed import ConvTranspose1D, ConvTranspose2D
from chainrule.trace.rounding import ROUNDING, rounding_of

NEAR = {"float32": 1e-6, "float64": 1e-12}
"""How far two computations of one network may be apart, in units of its largest output."""
DEVIATIONS = 8.0
"""Where a network's own rounding is larger than that, so many times its measured standard deviation."""
LEAST = -1e30
"""Before a softmax as good as -inf: its exp is 0 beside any other score."""
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
Step: TypeAlias = "tuple[Callable[..., Node], tuple[int, ...]]"
"""A layer, or a function of several values, and the numbers of the values that it takes."""


@dataclass
class Wiring:
    """Layers and functions of several values, in the order in which they are applied; value 0 is the input.

    frozen: the numbers of the values whose layers keep their weights. held: the arrays of the peer's that layers take. is_random: whether
    anything draws at random in training.
    """

    steps: list[Step] = field(default_factory=list[Step])
    frozen: set[int] = field(default_factory=set[int])
    held: list[Held] = field(default_factory=list["Held"])
    is_random: bool = False

    def put(self, function: Callable[..., Node], *sources: int, frozen: bool = False) -> int:
        """Applies a layer, or a function of several values; the number of what it makes. frozen: whether it keeps its weights."""
        self.is_random |= isinstance(function, Dropout | GaussianNoise) and not frozen
        self.steps.append((function, sources))
        if frozen:
            self.frozen.add(len(self.steps))
        return len(self.steps)

    def put_all(self, layers: Iterable[Callable[..., Node]], number: int, *, frozen: bool = False) -> int:
        """Layers one behind the other; the number of what the last makes."""
        for layer in layers:
            number = self.put(layer, number, frozen=frozen)
        return number

    def parts(self, shapes: Sequence[Shape]) -> list[int]:
        """The numbers of several inputs of these shapes, which stand side by side in the columns of one; of a single one, its own."""
        if len(shapes) == 1:
            return [0]
        ends = list(accumulate(map(prod, shapes)))
        starts = [0, *ends[:-1]]
        found = [self.put(cut([pair], (ends[-1],)), 0) for pair in zip(starts, ends, strict=True)]
        return [self.put(Reshape(shape), part) if len(shape) > 1 else part for part, shape in zip(found, shapes, strict=True)]

    def beside(self, numbers: Sequence[int]) -> int:
        """Values side by side along the last axis."""
        return numbers[0] if len(numbers) == 1 else self.put(_side_by_side, *numbers)

    def attended(
        self, query: int, key: int, value: int, shape: Shape, factor: float, *, mask: Array | None = None, dropout: float = 0.0
    ) -> int:
        """softmax(query·keyᵀ·factor)·value, over the last two axes. shape: that of an example of the key; mask: is added before softmax."""
        axes = (*range(len(shape) - 1), len(shape), len(shape) - 1)
        scores = self.put(ops.matmul, query, self.put(in_order(axes, shape), key))
        scores = self.put(Formula(f"x * {factor!r}"), scores)
        if mask is not None:
            # Infinitely little before a softmax: as little as leaves nothing of it.
            scores = self.put(Scale(-np.maximum(mask, LEAST), np.ones(())), scores)
        shares = self.put(Activation("softmax"), scores)
        return self.put(ops.matmul, self.put(Dropout(dropout), shares) if dropout else shares, value)

    def network(self, shape: Shape, output: int) -> Layer:
        """A Sequential where each takes what the one before it made, a value and what becomes of it added as a Residual; else a Wired."""
        steps = dict(enumerate(self.steps[:output], 1))
        output = self._activate(steps, output)
        self._fold(steps, output)
        numbers = {0: 0} | {place: number for number, place in enumerate(steps, 1)}
        if all(numbers[source] == numbers[place] - 1 for place, (_, sources) in steps.items() for source in sources):
            return Sequential(*self._in_line(steps), input_shape=shape)
        held = (Frozen(as_layer(each)) if place in self.frozen else each for place, (each, _) in steps.items())
        sources = (tuple(numbers[source] for source in given) for _, given in steps.values())
        return Wired(tuple(zip(held, sources, strict=True)), shape)

    def _in_line(self, steps: Mapping[int, Step]) -> list[Layer]:
        """Layers one behind the other, those that are frozen together as one."""
        layers: list[Layer] = []
        for frozen, together in groupby(steps, lambda place: place in self.frozen):
            each = [as_layer(steps[place][0]) for place in together]
            layers += [Frozen(*each)] if frozen else each
        return layers

    def _activate(self, steps: dict[int, Step], output: int) -> int:
        """Makes one layer of a linear one and the function that alone takes what it makes, wherever it is used; the output's number."""
        takers, uses = defaultdict[int, list[int]](list, {output: [0]}), defaultdict[int, list[int]](list)
        for place, (function, sources) in steps.items():
            uses[id(function)].append(place)
            for source in sources:
                takers[source].append(place)
        moved = dict[int, int]()
        for places in uses.values():
            behind = [steps.get(takers[place][0], (None,))[0] if len(takers[place]) == 1 else None for place in places]
            names = {each.function if isinstance(each, Activation) else "linear" for each in behind}
            both = _with(steps[places[0]][0], names.pop()) if len(names) == 1 else None
            if both is None:
                continue
            for place in places:
                steps[place] = self.steps[place - 1] = (both, steps[place][1])
                moved[takers[place][0]] = place
        for gone in moved:
            del steps[gone]
        for place, (function, sources) in steps.items():
            steps[place] = function, tuple(moved.get(source, source) for source in sources)
        return moved.get(output, output)

    def _fold(self, steps: dict[int, Step], output: int) -> None:
        """Makes residual connections of sums of a value and what layers one behind the other make of it."""
        takers = Counter(source for _, sources in steps.values() for source in sources) + Counter([output])
        for place, (function, sources) in list(steps.items()):
            for x, changed in (sources, sources[::-1]) if function is ops.add and len(set(sources)) == 2 else ():
                inside = dict(reversed(list(_back_to(x, changed, steps, takers))))
                if inside:
                    steps[place] = Residual(*self._in_line(inside)), (x,)
                    takers[x] -= 1
                    for number in inside:
                        del steps[number]
                    break

    def values(self, built: Built, parts_of: Callable[[LayerStep], Iterator[PeerPart]]) -> dict[str, Array]:
        """Our parameters and states from the peer's arrays, by the table that carries ours there, read backwards."""
        blank = {name: np.zeros(item.node.shape) for name, item in (*built.parameters.items(), *built.states.items())}
        found: dict[str, Array] = {}
        for item in self.held:
            layer = self.steps[item.place - 1][0]
            layer = layer.layers[0] if isinstance(layer, TimeDistributed) else layer
            step = replace(step_in(built, layer), rows=item.rows, channels_first=item.channels_first)
            for array in (array for part in parts_of(step) for array in part.arrays):
                found |= array.back({label: np.asarray(item.arrays[label]) for label in array.there(blank)})
        return {name: found.get(name, blank[name]) for name in blank}


def _with(function: Any, activation: ActivationName) -> Any:
    """A linear layer with an activation, also where it is applied at each time step; None for anything else."""
    if isinstance(function, TimeDistributed) and (both := _with(function.layers[0], activation)):
        return TimeDistributed(both)
    is_linear = isinstance(function, WEIGHING) and function.activation == "linear" != activation
    return replace(function, activation=activation) if is_linear else None


def _back_to(x: int, number: int, steps: Mapping[int, Step], takers: Mapping[int, int]) -> Iterator[tuple[int, Step]]:
    """The steps that make a value of x alone, from the last to the first; none where there are others."""
    found: list[tuple[int, Step]] = []
    while number != x:
        if number not in steps or len(steps[number][1]) != 1 or takers[number] != 1:
            return
        found.append((number, steps[number]))
        (number,) = steps[number][1]
    yield from found


def _side_by_side(*parts: Node) -> Node:
    return ops.concatenate(*parts, axis=parts[0].type.ndim - 1)


def cuts_of(keys: Any, shape: Shape) -> list[tuple[int, int]]:
    """From where to where slices go on each axis of an example, the batch whole. Raises: UnlikeError for other entries."""
    keys = keys if isinstance(keys, tuple) else (keys,)
    if any(not isinstance(key, slice) or key.step not in {None, 1} for key in keys) or keys[0] != slice(None):
        raise UnlikeError(f"entries {shown(keys)}")
    given = [*keys[1:], *[slice(None)] * (len(shape) + 1 - len(keys))]
    return [key.indices(extent)[:2] for key, extent in zip(given, shape, strict=True)]


def moved(call: str, given: Shape, made: Shape) -> GraphLayer:
    """A layer that puts the numbers of examples elsewhere: the call of one op of x, {B} being the size of the batch."""
    before, after = (",".join(map(str, shape)) for shape in (given, made))
    return GraphLayer(f"x: {{float}}[{{B}},{before}] = input()\ny: {{float}}[{{B}},{after}] = {call}\nreturn y=y")


def cut(cuts: Sequence[tuple[int, int]], shape: Shape) -> GraphLayer:
    """What lies between these places of each axis of an example of this shape."""
    starts, stops = (0, *(a for a, _ in cuts)), ", ".join(str(b) for _, b in cuts)
    call = f"slice_axes(x, starts={starts}, stops=({{B}}, {stops}), steps={(1,) * len(starts)})"
    return moved(call, shape, tuple(b - a for a, b in cuts))


def in_order(axes: Shape, shape: Shape) -> GraphLayer:
    """The axes of a batch of examples of this shape in another order."""
    return moved(f"transpose(x, axes={axes})", shape, tuple(shape[axis - 1] for axis in axes[1:]))


def turned(axes: Shape, shape: Shape) -> GraphLayer:
    """Numbers in the opposite order along some axes of a batch of examples of this shape."""
    return moved(f"flip(x, axes={axes})", shape, shape)


@immutable(eq=False)
class Wired(Shown):
    """A network whose layers are joined in another way than one behind the other: each step with the values that it takes, 0 the input."""

    steps: tuple[Step, ...]
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


def made_by(code: str) -> Any:
    """The network that a text of our own makes: layers' names are checked, and nothing else in it comes from outside."""
    names: dict[str, Any] = {}
    exec(compile(code, "chainrule.nn.to_code", "exec"), names)  # noqa: S102
    return names["network"]


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


def answers_of(found: Any) -> list[Any]:
    """What a model of another library gives, one answer or several, by name or in their order."""
    if isinstance(found, dict):
        return list(cast("dict[Any, Any]", found).values())
    return list(cast("Sequence[Any]", found)) if isinstance(found, tuple | list) else [found]


def side_by_side(arrays: Sequence[Array]) -> Array:
    """One array as it is, several (n, ...) in the columns of one."""
    return arrays[0] if len(arrays) == 1 else np.concatenate([array.reshape(len(array), -1) for array in arrays], axis=1)


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
