"""Functions of PyTorch as layers and joints of ours: arithmetic, limits, means, products, attention."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch.fx import Node as FxNode

from chainrule import ops
from chainrule.graph import Array, Node
from chainrule.interop.torch_moving import Moving
from chainrule.interop.torch_parts import Value, as_ours
from chainrule.nn import Activation, Formula, GlobalAveragePool, Scale
from chainrule.nn.activations import ActivationName
from chainrule.nn.peers.pytorch_reading import UnlikeError

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


class Functions(Moving):
    """One pass over the nodes that torch.fx found: what functions make of values and numbers."""

    def entry_by_entry(self, node: FxNode) -> Value:
        """A function of each number."""
        source = self._source(node)
        return replace(source, number=self._put(ENTRY_BY_ENTRY[node.target], source.number))

    def activated(self, node: FxNode) -> Value:
        """An activation that is no module there."""
        source = self._source(node)
        return replace(source, number=self._put(Activation(ACTIVATED[node.target]), source.number))

    def limited(self, node: FxNode) -> Value:
        """Each number between two limits, of which one may be left out."""
        source, (low, high) = self._source(node), (*node.args[1:], None, None)[:2]
        low, high = node.kwargs.get("min", low), node.kwargs.get("max", high)
        text = "x" if low is None else f"max(x, {low!r})"
        return replace(source, number=self._put(Formula(text if high is None else f"min({text}, {high!r})"), source.number))

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

    def _joined_to(self, constant: Array, source: Value, name: str, *, left: bool) -> Value:
        """A value, and numbers that stay as they are."""
        if source.rows is not None or constant.ndim > len(source.shape):
            raise UnlikeError(f"numbers of shape {constant.shape} beside {source.shape}")
        if left and name in {"subtract", "divide"}:
            raise UnlikeError("numbers before what they are joined to")
        constant = as_ours(constant, source)
        offset, factor = (constant, np.ones(())) if name in {"add", "subtract"} else (np.zeros(()), constant)
        return replace(source, number=self._put(Scale(offset, factor, name in {"add", "divide"}), source.number))

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

    def mean(self, node: FxNode) -> Value:
        """A mean over space or time."""
        source, shape = self._source(node), self._shape(node)
        axes: Any = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim")
        wanted = list(range(2, len(source.shape) + 1)) if source.first else list(range(1, len(source.shape)))
        given = sorted(axis % (len(source.shape) + 1) for axis in (axes if isinstance(axes, tuple | list) else [axes]))
        if given != wanted or len(shape) != 1:
            raise UnlikeError(f"a mean over the axes {axes}")
        return Value(self._put(GlobalAveragePool(), source.number), shape)
