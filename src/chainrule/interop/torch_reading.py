"""A module of PyTorch's as a wiring of our layers: what torch.fx finds in its forward, node by node."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.fx import Node as FxNode

from chainrule.errors import ChainruleError, OptionError
from chainrule.graph import Array, Shape
from chainrule.interop.torch_attention import blocked
from chainrule.interop.torch_functions import ACTIVATED, ENTRY_BY_ENTRY, JOINED, LIMITED, Functions
from chainrule.interop.torch_moving import PERMUTED, SHAPED
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
)
from chainrule.interop.wiring import Held, answers_of
from chainrule.nn import (
    Activation,
    Dropout,
    GaussianNoise,
    GlobalAveragePool,
    GlobalMaxPool,
    Layer,
    Scale,
    TimeDistributed,
    build_network,
)
from chainrule.nn.peers.parts import LackingError
from chainrule.nn.peers.pytorch_layers import LAYERS
from chainrule.nn.peers.pytorch_reading import (
    READERS,
    RECURRENT,
    WINDOWED,
    Around,
    Read,
    UnlikeError,
    around_of,
    recurrent,
    require_space,
)

NOTHING = {"contiguous", "clone", "detach", "float", "double", "long", "int", "to"}


class Reading(Functions):
    """One pass over the nodes that torch.fx found."""

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
        try:
            self.outputs = [self._output(item) for item in answers_of(given)]
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
        return value if value.pooled else self._ordered(value)

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
            if self._is_constant(node):
                self.constants.add(node)
                found = node.meta["found"]
                return found.detach().cpu().numpy() if isinstance(found, torch.Tensor) else found
            if node.op == "call_module":
                return self._module(node, self.traced.get_submodule(str(node.target)), str(node.target))
            if node.op == "get_attr":
                return node.meta["found"]
            return self._function(node)
        except UnlikeError as error:
            raise self._unlike(f"{node.target!s} ({kind_of(node, self.traced)})", str(error)) from error

    def _module(self, node: FxNode, module: nn.Module, target: str) -> Value:
        kind, waiting = type(module).__name__, self._waiting(node)
        own = own_kind(module)
        if (
            kind in RECURRENT
            and waiting.around is None
            and waiting.cut is None
            and self._begins_with_nothing(node)
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
        if kind == "Embedding" and (ids := self._operand(node.args[0])) is not None and isinstance(ids, np.ndarray):
            return _rows_of(module, ids)  # pyright: ignore[reportReturnType]  (a weight)
        if kind == "Flatten":
            return self._flattened(node, self._source(node))
        if kind == "Unflatten":
            return self._reshaped(node, self._source(node))
        return self._applied(module, target, node)

    def _begins_with_nothing(self, node: FxNode) -> bool:
        """That a recurrent module is given no first state, or zeros. Raises: UnlikeError."""
        (*_, given) = (None, *node.args[1:], *node.kwargs.values())
        states = [self._operand(each) for each in (given if isinstance(given, tuple | list) else [given])]
        if any(state is not None and (not isinstance(state, np.ndarray) or state.any()) for state in states):
            raise UnlikeError("a first state that is given; here memories begin with zeros")
        return True

    def put_around(self, node: FxNode) -> Value:
        """What torch.nn.functional.pad puts around."""
        given: Any = dict(zip(("pad", "mode", "value"), node.args[1:], strict=False)) | node.kwargs
        amounts: Any = self._operand(given["pad"])
        mode, value = given.get("mode", "constant"), given.get("value")
        if not any(amounts):
            return self._source(node)
        kind = f"{ {'constant': 'Constant', 'reflect': 'Reflection', 'circular': 'Circular'}.get(mode, mode) }Pad{len(amounts) // 2}d"
        more = (float(value or 0.0),) if mode == "constant" else ()
        maker: Any = getattr(nn, kind, None)
        around = maker and around_of(maker(tuple(amounts), *more), self._waiting(node).shape)
        if not around:
            raise UnlikeError(f"{mode} numbers around axes that are not those of space")
        return self._put_around(around, node)

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
        if kind == "Plus":
            return self._joined_to_weights(module.p, source, "add")
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
        if not goes_by_entry(read.layers) and (kind != "Linear" or source.pooled):
            source = self._ordered(source)
        if len(source.shape) > 1 and read.order != "any":
            source = self._laid_out(source, first=read.order == "first")
        rows = source.rows
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
        pooled = any(isinstance(layer, GlobalAveragePool | GlobalMaxPool) for layer in read.layers)
        if target and target not in self.known:
            self.known[target] = tuple(layer for layer, _ in self.wiring.steps[before:]), way
        first = source.first and not pooled
        pooled = source.pooled or (pooled and len(shape) > 1)
        cut = (source.shape, read.cut) if read.cut else None
        return Value(number, shape, first, pooled, None if kind == "Linear" else rows, cut=cut)

    def _function(self, node: FxNode) -> Any:
        read = FUNCTIONS_READ.get(node.target)
        return self.like_a_module(node) if read is None else read(self, node)

    def like_a_module(self, node: FxNode) -> Value:
        """What a module does, too, with the same arguments."""
        maker: Any = METHODS.get(node.target) if isinstance(node.target, str) else FUNCTIONS.get(node.target)
        if any(isinstance(self._operand(item), nn.Parameter) for item in node.args):
            raise UnlikeError("a parameter that is used by itself")
        if maker is None:
            raise UnlikeError("no layer does what it does")
        left_out = {"inplace", "_stacklevel", "dtype", "training"}
        keywords = {name: self._operand(value) for name, value in node.kwargs.items() if name not in left_out}
        return self._applied(maker(*map(self._operand, node.args[1:]), **keywords).eval(), "", node)

    def joined_side_by_side(self, node: FxNode) -> Value:
        """Values side by side along the channels or features."""
        items: Any = node.args[0]
        axis: Any = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", 0)
        ends = [self.values[item] for item in items]
        if [value.part for value in ends] == ["forward", "backward"] and ends[0].module is ends[1].module:
            return self._recurrent(ends[0], sequences=False)
        values = [self._ordered(self._now(item, self._value(item))) for item in items]
        if len({value.first for value in values}) > 1:
            values = [self._laid_out(value, first=False) for value in values]
        ndim = len(values[0].shape) + 1
        channels = 1 if values[0].first else ndim - 1
        if axis % ndim != channels:
            raise UnlikeError(f"side by side along axis {axis}, which are no channels or features")
        return Value(self.wiring.beside([value.number for value in values]), self._shape(node), values[0].first)

    def taken(self, node: FxNode) -> Any:
        """What is taken from a recurrent module's answer, or from its sequence."""
        source, key = self.values.get(node.args[0]), node.args[1]  # pyright: ignore[reportArgumentType]
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
        if source.part == "sequence" and not last:
            return self._part(node, self._recurrent(source, sequences=True))
        if not last:
            raise UnlikeError(f"{key} of what {target} gives")
        return self._recurrent(source, sequences=False)

    def _is_indexed(self, node: FxNode) -> bool:
        users = list(node.users)
        return bool(users) and all(user.target is operator.getitem and is_last(user.args[1]) for user in users)

    def _recurrent(self, source: Value, *, sequences: bool) -> Value:
        module, target = source.module
        if target in self.used:
            every = self.used[target]
            if every is None or module.bidirectional:
                raise UnlikeError("a recurrent module whose answer is taken in two ways, or that is used twice")
            last = self._cut([(every.shape[0] - 1, every.shape[0]), (0, every.shape[1])], every)
            return every if sequences else self._with_shape(last, every.shape[1:])
        self.used[target] = None
        if len(source.shape) != 2:
            raise UnlikeError("an input that is not (batch, time, features)")
        source = self._laid_out(source, first=False)
        number = source.number
        state = arrays_of(module)
        frozen = is_frozen(module) or self._stands_in_frozen(target)
        place = -1
        for layer in recurrent(module, sequences=sequences, reverse=source.backwards):
            number = self._put(layer, number, frozen=frozen)
            if isinstance(layer, Dropout):
                continue
            place += 1
            own = {name.replace(f"_l{place}", "_l0"): value for name, value in state.items() if f"_l{place}" in name}
            self.wiring.held.append(Held(number, own))
        wide = module.hidden_size * (2 if module.bidirectional else 1)
        made = Value(number, (source.shape[0], wide) if sequences else (wide,), backwards=sequences and source.backwards)
        self.used[target] = made if sequences and made.is_settled else None
        return made


def _rows_of(module: Any, ids: Array) -> nn.Parameter:
    """The vectors of ids that are the same for all examples, such as those of places: weights that are used by themselves."""
    rows = ids[0] if ids.ndim > 1 and (ids == ids[:1]).all() else ids
    if rows.ndim != 1 or len(np.unique(rows)) != len(rows):
        raise UnlikeError("vectors of ids that do not come from the examples")
    return nn.Parameter(module.weight.detach()[torch.as_tensor(rows)], requires_grad=module.weight.requires_grad)


FUNCTIONS_READ: dict[Any, Callable[[Reading, FxNode], Any]] = {
    operator.getitem: Reading.taken,
    **dict.fromkeys(NOTHING, Reading.as_it_is), **dict.fromkeys(SHAPED, Reading.shaped), **dict.fromkeys(PERMUTED, Reading.permuted),
    **dict.fromkeys(("mean", torch.mean, "max", torch.max, "amax", torch.amax), Reading.pooled),
    **dict.fromkeys(("repeat", "expand", "expand_as"), Reading.repeated), nn.functional.pad: Reading.put_around, blocked: Reading.blocked,
    **dict.fromkeys((operator.matmul, torch.matmul, torch.bmm, "matmul", "bmm"), Reading.multiplied),
    nn.functional.scaled_dot_product_attention: Reading.attended, **dict.fromkeys(("masked_fill", torch.masked_fill), Reading.masked),
    **dict.fromkeys(("flip", torch.flip), Reading.turned),
    **dict.fromkeys(("chunk", torch.chunk, "split", torch.split), Reading.divided),
    **dict.fromkeys((torch.cat, torch.concat, "cat"), Reading.joined_side_by_side), **dict.fromkeys(LIMITED, Reading.limited),
    **dict.fromkeys(ENTRY_BY_ENTRY, Reading.entry_by_entry), **dict.fromkeys(ACTIVATED, Reading.activated),
    **dict.fromkeys(JOINED, Reading.joined),
}  # fmt: skip
"""Functions and methods, and how they are read; any other may do what a module does."""
