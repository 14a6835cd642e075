"""A module of PyTorch's as a wiring of our layers: what torch.fx finds in its forward, node by node."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.fx import GraphModule
from torch.fx import Node as FxNode

from chainrule import ops
from chainrule.errors import ChainruleError, OptionError
from chainrule.graph import Array, Node, Shape
from chainrule.interop.torch_parts import (
    FUNCTIONS,
    METHODS,
    Value,
    arrays_of,
    as_ours,
    goes_by_entry,
    in_our_order,
    is_frozen,
    is_last,
    kind_of,
    own_kind,
    wish,
)
from chainrule.interop.wiring import Held, Wiring, cut, cuts_of, in_order, turned
from chainrule.nn import (
    Activation,
    Flatten,
    Formula,
    GaussianNoise,
    GlobalAveragePool,
    Layer,
    Reshape,
    Scale,
    TimeDistributed,
    build_network,
)
from chainrule.nn.activations import ActivationName
from chainrule.nn.peers.parts import LackingError
from chainrule.nn.peers.pytorch import places_channels_first
from chainrule.nn.peers.pytorch_layers import LAYERS
from chainrule.nn.peers.pytorch_reading import (
    READERS,
    RECURRENT,
    WINDOWED,
    Around,
    Read,
    UnlikeError,
    around_of,
    cut_off,
    padded,
    recurrent,
    require_space,
)

JOINED: dict[Any, Callable[[Node, Node], Node]] = {
    operator.add: ops.add, torch.add: ops.add, "add": ops.add, operator.iadd: ops.add, operator.mul: ops.multiply, torch.mul: ops.multiply,
    "mul": ops.multiply, operator.sub: ops.subtract, torch.sub: ops.subtract, operator.truediv: ops.divide, torch.div: ops.divide,
    operator.pow: ops.power, torch.pow: ops.power, "pow": ops.power, "sub": ops.subtract, "div": ops.divide, operator.imul: ops.multiply,
    torch.maximum: ops.maximum, torch.minimum: ops.minimum,
}  # fmt: skip
ENTRY_BY_ENTRY: dict[Any, Callable[[Node], Node]] = {
    operator.neg: ops.negative, torch.neg: ops.negative, torch.abs: ops.absolute, "abs": ops.absolute, torch.atan: ops.arctan,
    torch.arctan: ops.arctan, torch.square: lambda x: x * x,
    **{key: getattr(ops, name) for name in ("log", "sin", "cos", "sqrt", "expm1", "log1p", "sign", "floor", "erf")
       for key in (name, getattr(torch, name))},
}  # fmt: skip
ACTIVATED: dict[Any, ActivationName] = {torch.exp: "exp", "exp": "exp"}
"""Activations that are no module there."""
LIMITED = {torch.clamp, "clamp", torch.clip, "clip"}
SIGNS = {"add": "+", "multiply": "*", "subtract": "-", "divide": "/", "power": "^"}
SQUEEZED = {"squeeze", torch.squeeze}
SHAPED = {torch.flatten, "flatten", "view", "reshape", torch.reshape, *SQUEEZED}
PERMUTED = {"permute", torch.permute, "transpose", torch.transpose}
NOTHING = {"contiguous", "clone", "detach", "float", "double", "long", "int", "to"}


class Reading:
    """One pass over the nodes that torch.fx found."""

    def __init__(self, module: nn.Module, traced: GraphModule, examples: Sequence[torch.Tensor]) -> None:
        self.module, self.traced = module, traced
        self.batch = len(examples[0])
        self.wiring, self.in_frozen = Wiring(), False
        self.values: dict[FxNode, Any] = {}
        self.inputs = self._inputs([tuple(each.shape[1:]) for each in examples])
        self.outputs: list[Value] = []
        self.used: set[str] = set()
        self.known: dict[str, tuple[tuple[Callable[..., Node], ...], Any]] = {}

    def _inputs(self, shapes: Sequence[Shape]) -> list[Value]:
        """The inputs of the forward, those that have no value of their own, as it is called."""
        nodes = [node for node in self.traced.graph.nodes if node.op == "placeholder"][: len(shapes)]
        firsts = [wish(self.traced, node) == "first" and len(shape) > 1 for node, shape in zip(nodes, shapes, strict=True)]
        ours = [in_our_order(shape, first=first) for shape, first in zip(shapes, firsts, strict=True)]
        numbers = self.wiring.parts(ours)
        found = [Value(*each) for each in zip(numbers, shapes, firsts, strict=True)]
        self.values.update(zip(nodes, found, strict=True))
        return found

    def read(self) -> tuple[Layer, dict[str, Array]]:
        """The network, and its values."""
        given: Any = None
        for node in self.traced.graph.nodes:
            match node.op:
                case "placeholder":
                    self.values.setdefault(node, None)
                case "output":
                    given = node.args[0]
                case _:
                    self.values[node] = self._node(node)
        items = list(given.values()) if isinstance(given, dict) else list(given) if isinstance(given, tuple | list) else [given]
        try:
            self.outputs = [self._output(item) for item in items]
        except UnlikeError as error:
            raise self._unlike("the output", str(error)) from error
        shapes = [in_our_order(value.shape, first=value.first) for value in self.inputs]
        shape = shapes[0] if len(shapes) == 1 else (sum(map(prod, shapes)),)
        network = self.wiring.network(shape, self.wiring.beside([value.number for value in self.outputs]))
        try:
            built = build_network(network, shape, batch=self.batch)
            values = self.wiring.values(built, lambda step: LAYERS[type(step.layer)].parts(step))
        except (LackingError, KeyError, ChainruleError) as error:
            raise self._unlike("a module", str(error)) from error
        return network, values

    def _output(self, item: Any) -> Value:
        value = self.values.get(item) if isinstance(item, FxNode) else None
        if not isinstance(value, Value) or value.module is not None:
            raise UnlikeError("what is no tensor, or an answer with its states")
        value = self._settled(value)
        if value.rows is not None and value.rows != tuple(range(len(value.rows))):
            raise UnlikeError("flattened pictures that nothing reads")
        return value

    def given(self, arrays: Sequence[Array]) -> Array:
        """What the network takes for these inputs of the module: channels last, and several side by side in columns."""
        ours = [np.moveaxis(x, 1, -1) if value.first else x for x, value in zip(arrays, self.inputs, strict=True)]
        return ours[0] if len(ours) == 1 else np.concatenate([x.reshape(len(x), -1).astype(float) for x in ours], axis=1)

    def as_theirs(self, ours: Array) -> Array:
        """What the network gives as the module does; several answers side by side."""
        if len(self.outputs) > 1:
            return ours
        (output,) = self.outputs
        # A pool over all of space leaves axes of one number there.
        return np.moveaxis(ours, -1, 1) if output.first else ours.reshape(len(ours), *output.shape)

    def _unlike(self, name: str, why: str) -> OptionError:
        return OptionError(
            f"{name} of {type(self.module).__name__} is nothing that chainrule has: {why}",
            expected=f"modules such as {', '.join([*READERS][:8])}, ... and functions that join them",
            remedy="replace it in the module, or carry the module by ONNX: torch.onnx.export, then cr.from_onnx",
        )

    def _node(self, node: FxNode) -> Any:
        self.in_frozen = node.op == "call_module" and self._stands_in_frozen(str(node.target))
        try:
            if node.op == "call_module":
                return self._module(node, self.traced.get_submodule(str(node.target)), str(node.target))
            if node.op == "get_attr":
                return self._constant(str(node.target))
            return self._function(node)
        except UnlikeError as error:
            raise self._unlike(f"{node.target!s} ({kind_of(node, self.traced)})", str(error)) from error

    def _constant(self, target: str) -> Array:
        """The numbers of a buffer, which nobody trains."""
        found: Any = operator.attrgetter(target)(self.traced)
        if isinstance(found, nn.Parameter) or not found.is_floating_point():
            raise UnlikeError("a parameter that is used by itself")
        return found.detach().cpu().numpy()

    def _source(self, node: FxNode, place: int = 0) -> Value:
        """An input of a node, with nothing that waits."""
        value = self._waiting(node, place)
        return self._now(node.args[place], value)

    def _now(self, item: Any, value: Value) -> Value:
        if not value.is_settled:
            value = self.values[item] = self._settled(value)
        return value

    def _waiting(self, node: FxNode, place: int = 0) -> Value:
        """An input of a node, whatever waits for the one behind."""
        value = self.values.get(node.args[place]) if len(node.args) > place and isinstance(node.args[place], FxNode) else None  # pyright: ignore[reportArgumentType]
        if not isinstance(value, Value):
            raise UnlikeError("an input that is no tensor of the network")
        return value

    def _settled(self, value: Value) -> Value:
        """A value with what waits done to it by layers of its own."""
        if value.cut is not None:
            (given, amounts), (layer, sources) = value.cut, self.wiring.steps[value.number - 1]
            whole, *rest = cut_off(layer, given, amounts)  # pyright: ignore[reportArgumentType]  (a transposed convolution)
            self.wiring.steps[value.number - 1] = (whole, sources)
            return replace(value, number=self._put_all(rest, value.number), cut=None)
        if value.around is not None:
            if value.around.mode != "zeros":
                raise UnlikeError(f"{value.around.mode} numbers around what is no convolution and no pool")
            shape = in_our_order(self._inside(value), first=True)
            return replace(value, number=self._put_all(padded(shape, value.around.amounts), value.number), around=None)
        if value.backwards:
            return replace(value, number=self._put(turned((1,), value.shape), value.number), backwards=False)
        return value

    def _inside(self, value: Value) -> Shape:
        """The shape of one example before something was put around it."""
        amounts = value.around.amounts if value.around else ()
        space = (extent - low - high for extent, (low, high) in zip(value.shape[1:], amounts, strict=True))
        return (value.shape[0], *space) if amounts else value.shape

    # ---- modules

    def _module(self, node: FxNode, module: nn.Module, target: str) -> Value:
        kind, waiting = type(module).__name__, self._waiting(node)
        own = own_kind(module)
        if (
            kind in RECURRENT
            and waiting.around is None
            and waiting.cut is None
            and not (module.bidirectional and waiting.backwards)
        ):
            return replace(waiting, module=(module, target))
        if own == "Flip" and waiting.module is None and len(waiting.shape) == 2 and not waiting.first:
            return replace(waiting, backwards=not waiting.backwards)
        if own in {"Every", "Last", "Ends"} and waiting.module is not None and not waiting.part:
            return self._recurrent(waiting, sequences=own == "Every")
        if not own and (found := around_of(module, waiting.shape)) is not None:
            return self._put_around(found, node)
        if own:
            return self._own(own, module, self._source(node), self._shape(node))
        if kind == "Flatten":
            return self._flattened(node, self._source(node))
        if kind == "Unflatten":
            return self._reshaped(node, self._source(node))
        return self._applied(module, target, node)

    def _put_around(self, around: Around, node: FxNode) -> Value:
        """What waits for the window behind it; what cuts off a transposed convolution's answer waits with it."""
        waiting, shape, given = self._waiting(node), self._shape(node), node.args[0]
        if not waiting.first:
            raise UnlikeError("channels stand last here")
        if waiting.cut and around.mode == "zeros" and isinstance(given, FxNode) and len(given.users) == 1:
            whole, amounts = waiting.cut
            both = zip(amounts, around.amounts, strict=True)
            return replace(waiting, shape=shape, cut=(whole, tuple((a + c, b + d) for (a, b), (c, d) in both)))
        return replace(self._now(given, waiting), shape=shape, around=around)

    def _own(self, kind: str, module: Any, source: Value, shape: Shape) -> Value:
        """What a module of our own making does."""
        if kind == "Noise":
            return replace(source, number=self._put(GaussianNoise(module.deviation), source.number))
        if kind in {"Scaled", "Unscaled"}:
            numbers = (as_ours(each.detach().cpu().numpy(), source) for each in (module.offset, module.factor))
            return replace(source, number=self._put(Scale(*numbers, undo=kind == "Unscaled"), source.number))
        if kind == "Exp":
            return replace(source, number=self._put(Activation("exp"), source.number))
        if kind == "Permute":
            return self._moved(source, shape, tuple(module.axes))
        if kind == "Whole":
            return source
        raise UnlikeError(f"{kind} of what is no sequence")

    def _stands_in_frozen(self, target: str) -> bool:
        """Whether a module stands in one of our own making that is frozen as a whole."""
        around = target.split(".")
        held = (self.module.get_submodule(".".join(around[:place])) for place in range(len(around)))
        return any(own_kind(each) == "Frozen" for each in held)

    def _read(self, module: nn.Module, kind: str, node: FxNode) -> tuple[Read, Value]:
        """What a module is here, and the value that it takes."""
        waiting = self._waiting(node)
        if waiting.around is not None and kind in WINDOWED:
            with suppress(UnlikeError):
                return WINDOWED[kind](module, self._inside(waiting), waiting.around), waiting
        source = self._source(node)
        return READERS[kind](module, source.shape), source

    def _applied(self, module: nn.Module, target: str, node: FxNode) -> Value:
        kind, shape = type(module).__name__, self._shape(node)
        if kind not in READERS or not type(module).__module__.startswith("torch."):
            raise UnlikeError(f"no layer does what {kind} does")
        require_space(kind, self._waiting(node).shape)
        read, source = self._read(module, kind, node)
        frozen = is_frozen(module)
        if source.module is not None:
            raise UnlikeError("a recurrent module's whole answer, with its states")
        if len(source.shape) > 1 and read.order != "any":
            source = self._laid_out(source, first=read.order == "first")
        rows = source.rows
        if rows is not None and kind != "Linear" and not goes_by_entry(read.layers):
            raise UnlikeError("flattened pictures are read by something else than Linear")
        number = source.number
        before = len(self.wiring.steps)
        way = (source.first, rows, read)
        if target in self.known:
            layers, first_way = self.known[target]
            if way != first_way:
                raise UnlikeError("a module that is used twice, on inputs of different kinds")
            read = replace(read, layers=(), holds=None)
            number = self._put_all(layers, number, frozen=frozen)
        for place, layer in enumerate(read.layers):
            along_time = kind == "Linear" and len(source.shape) == 2
            number = self._put(TimeDistributed(layer) if along_time else layer, number, frozen=frozen)
            if place == read.holds:
                state = arrays_of(module)
                self.wiring.held.append(Held(number, state, rows if kind == "Linear" else None, source.first))
        pooled = kind.startswith("Adaptive")
        if target and target not in self.known:
            self.known[target] = tuple(layer for layer, _ in self.wiring.steps[before:]), way
        first = source.first and not pooled
        cut = (source.shape, read.cut) if read.cut else None
        return Value(number, shape, first, None if kind == "Linear" else rows, cut=cut)

    def _put(self, layer: Callable[..., Node], *sources: int, frozen: bool = False) -> int:
        return self.wiring.put(layer, *sources, frozen=frozen or self.in_frozen)

    def _put_all(self, layers: Iterable[Callable[..., Node]], number: int, *, frozen: bool = False) -> int:
        return self.wiring.put_all(layers, number, frozen=frozen or self.in_frozen)

    def _shape(self, node: FxNode) -> Shape:
        meta: Any = node.meta.get("tensor_meta")
        if meta is None or not hasattr(meta, "shape"):
            raise UnlikeError("an answer that is no tensor")
        return tuple(map(int, meta.shape[1:]))

    def _flattened(self, node: FxNode, source: Value) -> Value:
        shape = self._shape(node)
        if len(source.shape) == 1 and prod(shape) == prod(source.shape):
            return replace(source, shape=shape)  # a single number is a row of one here
        if shape == source.shape:
            return source
        if len(shape) != 1 or prod(shape) != prod(source.shape):
            raise UnlikeError(f"a new shape {shape} for {source.shape}")
        if prod(source.shape[1:]) == 1 and not source.first:
            # What a pool over all of space left: we have no axes of space there any more.
            return replace(source, shape=shape)
        rows = places_channels_first(in_our_order(source.shape, first=True)) if source.first else None
        return Value(self._put(Flatten(), source.number), shape, rows=rows)

    def _reshaped(self, node: FxNode, source: Value) -> Value:
        shape = self._shape(node)
        if source.first or source.rows is not None:
            raise UnlikeError("a picture in a new shape")
        if len(shape) == 1:
            return Value(self._put(Flatten(), source.number), shape)
        if len(shape) == 3 and 1 in (shape[0], prod(shape[1:])):
            return Value(self._put(Reshape(in_our_order(shape, first=True)), source.number), shape, first=True)
        if len(shape) == 3 and not all(self._is_permuted(user) for user in node.users):
            # Channels first there: the numbers stand as theirs do, then channels go behind.
            number = self._put_all((Reshape(shape), in_order((0, 2, 3, 1), shape)), source.number)
            return Value(number, shape, first=True)
        return Value(self._put(Reshape(shape), source.number), shape)

    def _is_permuted(self, node: FxNode) -> bool:
        if node.op == "call_module":
            return own_kind(self.traced.get_submodule(str(node.target))) == "Permute"
        return node.target in PERMUTED

    # ---- functions

    def _function(self, node: FxNode) -> Any:
        read = FUNCTIONS_READ.get(node.target)
        return self.like_a_module(node) if read is None else read(self, node)

    def nothing(self, node: FxNode) -> None:
        """What is a number of the shape."""

    def as_it_is(self, node: FxNode) -> Value:
        """The same value."""
        return self._source(node)

    def shaped(self, node: FxNode) -> Value:
        """The same numbers in another shape."""
        source, shape = self._source(node), self._shape(node)
        return self._flattened(node, source) if len(shape) == 1 or node.target in SQUEEZED else self._reshaped(node, source)

    def like_a_module(self, node: FxNode) -> Value:
        """What a module does, too, with the same arguments."""
        maker: Any = METHODS.get(node.target) if isinstance(node.target, str) else FUNCTIONS.get(node.target)
        if maker is None:
            raise UnlikeError("no layer does what it does")
        left_out = {"inplace", "_stacklevel", "dtype", "training"}
        keywords = {name: value for name, value in node.kwargs.items() if name not in left_out}
        return self._applied(maker(*node.args[1:], **keywords).eval(), "", node)

    def entry_by_entry(self, node: FxNode) -> Value:
        """A function of each number."""
        source = self._source(node)
        return replace(source, number=self._put(ENTRY_BY_ENTRY[node.target], source.number))

    def activated(self, node: FxNode) -> Value:
        """An activation that is no module there."""
        source = self._source(node)
        return replace(source, number=self._put(Activation(ACTIVATED[node.target]), source.number))

    def divided(self, node: FxNode) -> list[Value]:
        """Parts side by side: of equal sizes, or of those that are said."""
        source, sizes = self._source(node), [tuple(map(int, each.shape[1:])) for each in node.meta["tensor_meta"]]
        place = next((place for place, extent in enumerate(source.shape) if any(each[place] != extent for each in sizes)), 0)
        if source.rows is not None:
            raise UnlikeError("a part of a flattened picture")
        found, start = list[Value](), 0
        for shape in sizes:
            cuts = [(0, extent) for extent in source.shape]
            cuts[place] = (start, start + shape[place])
            start += shape[place]
            found.append(self._cut(cuts, source))
        return found

    def turned(self, node: FxNode) -> Value:
        """Time in the opposite order."""
        waiting, (axes, *more) = self._waiting(node), node.args[1:] or (node.kwargs.get("dims"),)
        if (list(axes) if isinstance(axes, tuple | list) else [axes, *more]) != [1]:
            raise UnlikeError(f"the axes {axes} turned round")
        if waiting.module is not None or len(waiting.shape) != 2 or waiting.first:
            raise UnlikeError("what is no sequence (batch, time, features) turned round")
        return replace(waiting, backwards=not waiting.backwards)

    def limited(self, node: FxNode) -> Value:
        """Each number between two limits, of which one may be left out."""
        source, (low, high) = self._source(node), (*node.args[1:], None, None)[:2]
        low, high = node.kwargs.get("min", low), node.kwargs.get("max", high)
        text = "x" if low is None else f"max(x, {low!r})"
        return replace(source, number=self._put(Formula(text if high is None else f"min({text}, {high!r})"), source.number))

    def _part(self, node: FxNode, source: Value) -> Value:
        """What slices take of each example."""
        cuts = cuts_of(node.args[1], source.shape)
        if source.rows is not None:
            raise UnlikeError("a part of a flattened picture")
        return self._cut(cuts, source)

    def _cut(self, cuts: list[tuple[int, int]], source: Value) -> Value:
        """What lies between these places of each axis of an example."""
        ours = cuts[1:] + cuts[:1] if source.first else cuts
        number = self._put(cut(ours, in_our_order(source.shape, first=source.first)), source.number)
        return Value(number, tuple(b - a for a, b in cuts), source.first)

    def _joined_to(self, constant: Array, source: Value, name: str, *, left: bool) -> Value:
        """A value, and numbers that stay as they are."""
        if source.rows is not None or constant.ndim > len(source.shape):
            raise UnlikeError(f"numbers of shape {constant.shape} beside {source.shape}")
        if left and name in {"subtract", "divide"}:
            raise UnlikeError("numbers before what they are joined to")
        constant = as_ours(constant, source)
        offset, factor = (constant, np.ones(())) if name in {"add", "subtract"} else (np.zeros(()), constant)
        return replace(source, number=self._put(Scale(offset, factor, name in {"add", "divide"}), source.number))

    def joined(self, node: FxNode) -> Value:
        """What arithmetic makes of two values, or of a value and a number."""
        function = JOINED[node.target]
        name: str = function.name  # pyright: ignore[reportFunctionMemberAccess]
        numbers = [item for item in node.args if isinstance(item, int | float)]
        if numbers:
            source = self._source(node, 0 if isinstance(node.args[0], FxNode) else 1)
            left, right = ("x", repr(numbers[0])) if isinstance(node.args[0], FxNode) else (repr(numbers[0]), "x")
            return replace(source, number=self._put(Formula(f"{left} {SIGNS[name]} {right}"), source.number))
        for place, item in enumerate(node.args):
            if isinstance(constant := self.values.get(item), np.ndarray):  # pyright: ignore[reportArgumentType]
                return self._joined_to(constant, self._source(node, 1 - place), name, left=place == 0)
        one, other = self._source(node), self._source(node, 1)
        pairs = zip(one.shape, other.shape, strict=False)
        fits = len(one.shape) == len(other.shape) and all(a == b or 1 in (a, b) for a, b in pairs)
        if not fits or one.first != other.first or one.rows != other.rows:
            raise UnlikeError(f"the shapes {one.shape} and {other.shape}")
        return replace(one, number=self._put(function, one.number, other.number), shape=self._shape(node))

    def joined_side_by_side(self, node: FxNode) -> Value:
        """Values side by side along the channels or features."""
        items: Any = node.args[0]
        axis: Any = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", 0)
        ends = [self.values[item] for item in items]
        if [value.part for value in ends] == ["forward", "backward"] and ends[0].module is ends[1].module:
            return self._recurrent(ends[0], sequences=False)
        values = [self._now(item, self.values[item]) for item in items]
        ndim = len(values[0].shape) + 1
        channels = 1 if values[0].first else ndim - 1
        if axis % ndim != channels or any(value.first != values[0].first or value.rows is not None for value in values):
            raise UnlikeError(f"side by side along axis {axis}, which are no channels or features")
        return Value(self.wiring.beside([value.number for value in values]), self._shape(node), values[0].first)

    def permuted(self, node: FxNode) -> Value:
        """Axes in another order."""
        source, shape = self._source(node), self._shape(node)
        rest: Any = node.args[1:]
        axes = tuple(rest[0]) if len(rest) == 1 and isinstance(rest[0], tuple | list) else tuple(rest)
        ndim = len(source.shape) + 1
        if node.target in {"transpose", torch.transpose}:
            order = list(range(ndim))
            order[axes[0]], order[axes[1]] = order[axes[1]], order[axes[0]]
            axes = tuple(order)
        return self._moved(source, shape, axes)

    def _moved(self, source: Value, shape: Shape, axes: Shape) -> Value:
        """Axes in another order."""
        ndim = len(source.shape) + 1
        if source.rows is not None:
            raise UnlikeError("flattened pictures in another order")

        # Where our axes come from, in theirs, before and after, for either place of the channels.
        def places(*, first: bool) -> tuple[int, ...]:
            return (0, *range(2, ndim), 1) if first else tuple(range(ndim))

        before = places(first=source.first)
        moves = {first: tuple(before.index(axes[axis]) for axis in places(first=first)) for first in (True, False)}
        for first, move in moves.items():
            if move == tuple(range(ndim)) and ndim > 2:
                return Value(source.number, shape, first)
        layer = in_order(moves[ndim == 4], in_our_order(source.shape, first=source.first))
        return Value(self._put(layer, source.number), shape, first=ndim == 4)

    def _laid_out(self, value: Value, *, first: bool) -> Value:
        """A value whose last axis, or whose first, is what we have last."""
        if value.first == first:
            return value
        space = len(value.shape) - 1
        axes = (0, *range(2, space + 2), 1) if first else (0, space + 1, *range(1, space + 1))
        layer = in_order(axes, in_our_order(value.shape, first=value.first))
        return replace(value, number=self._put(layer, value.number), first=first)

    def mean(self, node: FxNode) -> Value:
        """A mean over space or time."""
        source, shape = self._source(node), self._shape(node)
        axes: Any = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim")
        wanted = list(range(2, len(source.shape) + 1)) if source.first else list(range(1, len(source.shape)))
        given = sorted(axis % (len(source.shape) + 1) for axis in (axes if isinstance(axes, tuple | list) else [axes]))
        if given != wanted or len(shape) != 1:
            raise UnlikeError(f"a mean over the axes {axes}")
        return Value(self._put(GlobalAveragePool(), source.number), shape)

    def taken(self, node: FxNode) -> Any:
        """What is taken from a recurrent module's answer, or from its sequence."""
        source, key = self.values.get(node.args[0]), node.args[1]  # pyright: ignore[reportArgumentType]
        if source is None:
            return None  # of a shape
        if isinstance(source, list):
            return source[key]  # pyright: ignore[reportArgumentType,reportCallIssue,reportUnknownVariableType]
        if not isinstance(source, Value):
            raise UnlikeError(f"entries {key}")
        if source.module is None:
            return self._part(node, self._source(node))
        module, target = source.module
        if not node.users:
            return None
        if not source.part and key in (0, 1):
            part = "sequence" if key == 0 else "states"
            taken = replace(source, part=part)
            return taken if part == "states" or self._is_indexed(node) else self._recurrent(taken, sequences=True)
        if source.part == "states" and key == 0 and type(module).__name__ == "LSTM":
            return replace(source, part="state")
        one_way = not module.bidirectional
        if not one_way and source.part in {"states", "state"} and key in (-2, -1):
            return replace(source, part="forward" if key == -2 else "backward")
        last = source.part in {"states", "state"} and key == -1 and one_way
        last = last or (source.part == "sequence" and is_last(key) and one_way)
        if not last:
            raise UnlikeError(f"{key} of what {target} gives")
        return self._recurrent(source, sequences=False)

    def _is_indexed(self, node: FxNode) -> bool:
        users = list(node.users)
        return bool(users) and all(user.target is operator.getitem and is_last(user.args[1]) for user in users)

    def _recurrent(self, source: Value, *, sequences: bool) -> Value:
        module, target = source.module
        if target in self.used:
            raise UnlikeError("a recurrent module whose answer is taken in two ways")
        self.used.add(target)
        if len(source.shape) != 2:
            raise UnlikeError("an input that is not (batch, time, features)")
        source = self._laid_out(source, first=False)
        number = source.number
        state = arrays_of(module)
        frozen = is_frozen(module) or self._stands_in_frozen(target)
        for place, layer in enumerate(recurrent(module, sequences=sequences, reverse=source.backwards)):
            number = self._put(layer, number, frozen=frozen)
            own = {name.replace(f"_l{place}", "_l0"): value for name, value in state.items() if f"_l{place}" in name}
            self.wiring.held.append(Held(number, own))
        wide = module.hidden_size * (2 if module.bidirectional else 1)
        return Value(number, (source.shape[0], wide) if sequences else (wide,), backwards=sequences and source.backwards)


FUNCTIONS_READ: dict[Any, Callable[[Reading, FxNode], Any]] = {
    **dict.fromkeys((getattr, "size", "dim"), Reading.nothing), operator.getitem: Reading.taken,
    **dict.fromkeys(NOTHING, Reading.as_it_is), **dict.fromkeys(SHAPED, Reading.shaped), **dict.fromkeys(PERMUTED, Reading.permuted),
    **dict.fromkeys(("mean", torch.mean), Reading.mean), **dict.fromkeys(("flip", torch.flip), Reading.turned),
    **dict.fromkeys(("chunk", torch.chunk, "split", torch.split), Reading.divided),
    **dict.fromkeys((torch.cat, torch.concat, "cat"), Reading.joined_side_by_side), **dict.fromkeys(LIMITED, Reading.limited),
    **dict.fromkeys(ENTRY_BY_ENTRY, Reading.entry_by_entry), **dict.fromkeys(ACTIVATED, Reading.activated),
    **dict.fromkeys(JOINED, Reading.joined),
}  # fmt: skip
"""Functions and methods, and how they are read; any other may do what a module does."""
