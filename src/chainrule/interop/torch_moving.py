"""Values of a PyTorch module on their way into a wiring of our layers, and all that only moves their numbers: shapes, axes, parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.fx import GraphModule
from torch.fx import Node as FxNode

from chainrule.graph import Node, Shape
from chainrule.interop.torch_parts import Value, in_our_order, own_kind, wish
from chainrule.interop.wiring import Wiring, cut, cuts_of, in_order, moved, turned
from chainrule.nn import Flatten, Reshape
from chainrule.nn.peers.pytorch import places_channels_first
from chainrule.nn.peers.pytorch_reading import UnlikeError, cut_off, padded

CHANCE = ("rand", "bernoulli", "normal", "multinomial", "poisson")
"""What functions are called that draw at random."""
SQUEEZED = {"squeeze", torch.squeeze}
SHAPED = {torch.flatten, "flatten", "view", "reshape", torch.reshape, "unsqueeze", torch.unsqueeze, "unflatten", *SQUEEZED}
PERMUTED = {"permute", torch.permute, "transpose", torch.transpose}


def name_of(target: Any) -> str:
    """What the function of a node is called."""
    return target if isinstance(target, str) else getattr(target, "__name__", "")


def _has_tensors(found: Any) -> bool:
    if isinstance(found, tuple | list):
        return any(map(_has_tensors, found))
    return isinstance(found, torch.Tensor)


class Moving:
    """One pass over the nodes that torch.fx found: their values, as far as they are known, and the wiring that makes them."""

    def __init__(self, module: nn.Module, traced: GraphModule, examples: Sequence[torch.Tensor]) -> None:
        self.module, self.traced = module, traced
        self.batch = len(examples[0])
        self.wiring, self.in_frozen = Wiring(), False
        self.values: dict[FxNode, Any] = {}
        self.inputs = self._inputs([tuple(each.shape[1:]) for each in examples])
        self.constants: set[FxNode] = set()
        self.outputs: list[Value] = []
        self.used: dict[str, Value | None] = {}
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

    def _is_constant(self, node: FxNode) -> bool:
        """Whether a node gives the same for all examples and weights: numbers of shapes, and what is made of buffers and numbers alone."""
        if "found" not in node.meta or node.op in {"placeholder", "output"}:
            return False
        if not _has_tensors(node.meta["found"]):
            return True
        if name_of(node.target).startswith(CHANCE):
            raise UnlikeError("it draws at random at every call; at inference take the mean, or learn it here with cr.Latent")
        held: Any = self.traced.get_submodule(str(node.target)).parameters() if node.op == "call_module" else ()
        own = node.op == "get_attr" and isinstance(node.meta["found"], nn.Parameter)
        return not own and not any(True for _ in held) and all(each in self.constants for each in node.all_input_nodes)

    def _operand(self, item: Any) -> Any:
        """What an argument of a node stands for: a value, a number, an array, or what it is."""
        if isinstance(item, tuple | list):
            return type(item)(map(self._operand, item))  # pyright: ignore[reportUnknownArgumentType,reportUnknownVariableType]
        found = self.values.get(item, item) if isinstance(item, FxNode) else item
        return float(found) if isinstance(found, np.ndarray) and found.ndim == 0 else found

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
        return self._value(node.args[place] if len(node.args) > place else None)

    def _value(self, item: Any) -> Value:
        """The value of a node. Raises: UnlikeError where there is none."""
        value = self.values.get(item) if isinstance(item, FxNode) else None
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

    def _put(self, layer: Callable[..., Node], *sources: int, frozen: bool = False) -> int:
        return self.wiring.put(layer, *sources, frozen=frozen or self.in_frozen)

    def _put_all(self, layers: Iterable[Callable[..., Node]], number: int, *, frozen: bool = False) -> int:
        return self.wiring.put_all(layers, number, frozen=frozen or self.in_frozen)

    def _shape(self, node: FxNode) -> Shape:
        found: Any = node.meta.get("found")
        if not isinstance(found, torch.Tensor):
            raise UnlikeError("an answer that is no tensor")
        return tuple(map(int, found.shape[1:]))

    def as_it_is(self, node: FxNode) -> Value:
        """The same value."""
        return self._source(node)

    def shaped(self, node: FxNode) -> Value:
        """The same numbers in another shape."""
        source, shape = self._source(node), self._shape(node)
        return self._flattened(node, source) if len(shape) == 1 or node.target in SQUEEZED else self._reshaped(node, source)

    def _with_shape(self, value: Value, shape: Shape) -> Value:
        """The same numbers in their order, in another shape; channels stay where they are where they can."""
        value = self._ordered(value)
        kept = value.first and len(shape) > 1 and shape[0] == value.shape[0]
        if kept and [n for n in shape if n != 1] == [n for n in value.shape if n != 1]:
            return Value(self._put(Reshape(in_our_order(shape, first=True)), value.number), shape, first=True)
        value = self._laid_out(value, first=False)
        return Value(self._put(Flatten() if len(shape) == 1 else Reshape(shape), value.number), shape)

    def _ordered(self, value: Value) -> Value:
        """A value whose numbers stand as theirs do, where a picture was flattened, or all of space was pooled."""
        if value.pooled:
            layer = Reshape(in_our_order(value.shape, first=True))
            return replace(value, number=self._put(layer, value.number), first=True, pooled=False)
        if value.rows is None:
            return value
        # One number of a channel behind the other there; here those of one place.
        channels = value.rows[1] if len(value.rows) > 1 else 1
        shape = (len(value.rows) // channels, channels)
        layers = (Reshape(shape), in_order((0, 2, 1), shape), Flatten()) if channels > 1 else ()
        return replace(value, number=self._put_all(layers, value.number), rows=None)

    def repeated(self, node: FxNode) -> Value:
        """The same numbers several times along an axis that has one."""
        source, shape = self._source(node), self._shape(node)
        if len(shape) != len(source.shape) or any(a not in (1, b) for a, b in zip(source.shape, shape, strict=True)):
            raise UnlikeError(f"the shape {source.shape} repeated to {shape}")
        ours = [in_our_order(each, first=source.first) for each in (source.shape, shape)]
        made = ", ".join(map(str, ours[1]))
        layer = moved(f"broadcast_to(x, shape=({{B}}, {made}))", *ours)
        return source if shape == source.shape else replace(source, number=self._put(layer, source.number), shape=shape)

    def _flattened(self, node: FxNode, source: Value) -> Value:
        shape = self._shape(node)
        if source.pooled and len(shape) == 1:
            return replace(source, shape=shape, pooled=False)
        if len(source.shape) == 1 and prod(shape) == prod(source.shape):
            return replace(source, shape=shape)  # a single number is a row of one here
        if shape == source.shape:
            return source
        if len(shape) != 1:
            return self._with_shape(source, shape)
        if not source.first and all(self._is_unflattened(user) for user in node.users) and node.users:
            return replace(source, shape=shape)
        rows = places_channels_first(in_our_order(source.shape, first=True)) if source.first else None
        return Value(self._put(Flatten(), source.number), shape, rows=rows)

    def _reshaped(self, node: FxNode, source: Value) -> Value:
        shape = self._shape(node)
        if source.first or source.pooled or source.rows is not None or len(shape) == 1:
            return self._with_shape(source, shape)
        if len(shape) == 3 and 1 in (shape[0], prod(shape[1:])):
            return Value(self._put(Reshape(in_our_order(shape, first=True)), source.number), shape, first=True)
        if len(shape) == 3 and wish(self.traced, node, "first") == "first" and not all(map(self._is_permuted, node.users)):
            # Channels first there: the numbers stand as theirs do, then channels go behind.
            number = self._put_all((Reshape(shape), in_order((0, 2, 3, 1), shape)), source.number)
            return Value(number, shape, first=True)
        return Value(self._put(Reshape(shape), source.number), shape)

    def _is_unflattened(self, node: FxNode) -> bool:
        """Whether a node gives flat numbers another shape, so that nothing is to be flattened before."""
        return node.op == "call_module" and type(self.traced.get_submodule(str(node.target))) is nn.Unflatten

    def _is_permuted(self, node: FxNode) -> bool:
        if node.op == "call_module":
            return own_kind(self.traced.get_submodule(str(node.target))) == "Permute"
        return node.target in PERMUTED

    def permuted(self, node: FxNode) -> Value:
        """Axes in another order."""
        source, shape = self._source(node), self._shape(node)
        rest: Any = node.args[1:]
        axes = tuple(rest[0]) if len(rest) == 1 and isinstance(rest[0], tuple | list) else tuple(rest)
        ndim = len(source.shape) + 1
        axes = tuple(axis % ndim for axis in axes)
        if 0 in (axes if node.target in {"transpose", torch.transpose} else axes[1:]):
            raise UnlikeError("the axis of the batch elsewhere; batch_first=True keeps it where it is")
        if node.target in {"transpose", torch.transpose}:
            order = list(range(ndim))
            order[axes[0]], order[axes[1]] = order[axes[1]], order[axes[0]]
            axes = tuple(order)
        return self._moved(source, shape, axes, first=wish(self.traced, node, "first") == "first")

    def _moved(self, source: Value, shape: Shape, axes: Shape, *, first: bool = True) -> Value:
        """Axes in another order."""
        ndim = len(source.shape) + 1
        source = self._ordered(source)

        # Where our axes come from, in theirs, before and after, for either place of the channels.
        def places(*, first: bool) -> tuple[int, ...]:
            return (0, *range(2, ndim), 1) if first else tuple(range(ndim))

        before = places(first=source.first)
        moves = {first: tuple(before.index(axes[axis]) for axis in places(first=first)) for first in (True, False)}
        for first, move in moves.items():
            if move == tuple(range(ndim)) and ndim > 2:
                return Value(source.number, shape, first)
        layer = in_order(moves[ndim == 4 and first], in_our_order(source.shape, first=source.first))
        return Value(self._put(layer, source.number), shape, first=ndim == 4 and first)

    def _laid_out(self, value: Value, *, first: bool) -> Value:
        """A value whose last axis, or whose first, is what we have last."""
        if value.first == first:
            return value
        space = len(value.shape) - 1
        axes = (0, *range(2, space + 2), 1) if first else (0, space + 1, *range(1, space + 1))
        layer = in_order(axes, in_our_order(value.shape, first=value.first))
        return replace(value, number=self._put(layer, value.number), first=first)

    def turned(self, node: FxNode) -> Value:
        """Time in the opposite order."""
        waiting, (axes, *more) = self._waiting(node), node.args[1:] or (node.kwargs.get("dims"),)
        if (list(axes) if isinstance(axes, tuple | list) else [axes, *more]) != [1]:
            raise UnlikeError(f"the axes {axes} turned round")
        if waiting.module is not None or len(waiting.shape) != 2 or waiting.first:
            raise UnlikeError("what is no sequence (batch, time, features) turned round")
        return replace(waiting, backwards=not waiting.backwards)

    def divided(self, node: FxNode) -> list[Value]:
        """Parts side by side: of equal sizes, or of those that are said."""
        source, sizes = self._ordered(self._source(node)), [tuple(map(int, each.shape[1:])) for each in node.meta["found"]]
        place = next((place for place, extent in enumerate(source.shape) if any(each[place] != extent for each in sizes)), 0)
        found, start = list[Value](), 0
        for shape in sizes:
            cuts = [(0, extent) for extent in source.shape]
            cuts[place] = (start, start + shape[place])
            start += shape[place]
            found.append(self._cut(cuts, source))
        return found

    def _part(self, node: FxNode, source: Value) -> Value:
        """What slices take of each example."""
        keys: Any = node.args[1] if isinstance(node.args[1], tuple) else (node.args[1],)
        keys = tuple(self._operand(key) for key in keys)
        if Ellipsis in keys:
            place = keys.index(Ellipsis)
            keys = (*keys[:place], *(slice(None),) * (len(source.shape) + 2 - len(keys)), *keys[place + 1 :])
        # A number takes one place of an axis, which then is none any more.
        wide = tuple(slice(key, key + 1 or None) if isinstance(key, int) else key for key in keys)
        value = self._cut(cuts_of(wide, source.shape), self._ordered(source))
        return value if wide == keys else self._with_shape(value, self._shape(node))

    def _cut(self, cuts: list[tuple[int, int]], source: Value) -> Value:
        """What lies between these places of each axis of an example."""
        ours = cuts[1:] + cuts[:1] if source.first else cuts
        number = self._put(cut(ours, in_our_order(source.shape, first=source.first)), source.number)
        return Value(number, tuple(b - a for a, b in cuts), source.first)
