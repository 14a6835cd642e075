"""Functions of PyTorch as layers and joints of ours: arithmetic, limits, means, products, attention."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import replace
from math import sqrt
from typing import Any

import numpy as np
import torch
from torch.fx import Node as FxNode

from chainrule import ops
from chainrule.graph import Array, Node
from chainrule.interop.torch_moving import Moving, name_of
from chainrule.interop.torch_parts import Value, as_ours, in_our_order
from chainrule.interop.wiring import LEAST, Held
from chainrule.nn import Activation, Formula, GlobalAveragePool, GlobalMaxPool, Reshape, Scale
from chainrule.nn.activations import ActivationName
from chainrule.nn.peers.parts import ADDED, between
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
GOES_BY_EXAMPLES = "a mask that goes by the examples; here one mask holds for all"
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
        if not isinstance(low, int | float | None) or not isinstance(high, int | float | None):
            raise UnlikeError("limits that are no numbers")
        return replace(source, number=self._put(Formula(between(low, high)), source.number))

    def joined(self, node: FxNode) -> Value:
        """What arithmetic makes of two values, or of a value and a number."""
        function = JOINED[node.target]
        name: str = function.name  # pyright: ignore[reportFunctionMemberAccess]
        operands = [self._operand(item) for item in node.args]
        numbers = [item for item in operands if isinstance(item, int | float)]
        if numbers:
            source = self._source(node, place := int(operands[0] is numbers[0]))
            left, right = (repr(numbers[0]), "x") if place else ("x", repr(numbers[0]))
            return replace(source, number=self._put(Formula(f"{left} {SIGNS[name]} {right}"), source.number))
        for place, item in enumerate(operands):
            if isinstance(item, np.ndarray):
                return self._joined_to(item, self._source(node, 1 - place), name, left=place == 0)
            if isinstance(item, torch.Tensor):
                return self._joined_to_weights(item, self._source(node, 1 - place), name)
        one, other = self._source(node), self._source(node, 1)
        if (one.rows, one.pooled) != (other.rows, other.pooled):
            one, other = self._ordered(one), self._ordered(other)
        if one.first != other.first:
            one, other = (self._laid_out(value, first=False) for value in (one, other))
        pairs = zip(one.shape, other.shape, strict=False)
        fits = len(one.shape) == len(other.shape) and all(a == b or 1 in (a, b) for a, b in pairs)
        if not fits:
            raise UnlikeError(f"the shapes {one.shape} and {other.shape}")
        return replace(one, number=self._put(function, one.number, other.number), shape=self._shape(node))

    def _beside(self, numbers: Array, source: Value) -> Array:
        """Numbers that are the same for all examples, without an axis for these."""
        numbers = numbers[0] if numbers.ndim == len(source.shape) + 1 and len(numbers) == 1 else numbers
        if numbers.ndim > len(source.shape):
            raise UnlikeError(f"numbers of shape {numbers.shape} beside {source.shape}")
        return numbers

    def _joined_to_weights(self, parameter: torch.Tensor, source: Value, name: str) -> Value:
        """A value, and a parameter that is added to it."""
        source = self._ordered(source)
        if name != "add":
            raise UnlikeError("a parameter that is used by itself")
        numbers = as_ours(self._beside(parameter.detach().cpu().numpy(), source), source)
        if not isinstance(parameter, torch.nn.Parameter) or not numbers.ndim:
            raise UnlikeError("a parameter that is used by itself")
        number = self._put(Formula(ADDED, {"p": numbers.shape}), source.number, frozen=not parameter.requires_grad)
        self.wiring.held.append(Held(number, {"p": numbers}))
        return replace(source, number=number)

    def multiplied(self, node: FxNode) -> Value:
        """A product of matrices, over the last two axes."""
        one, other = (self._operand(item) for item in node.args)
        if not isinstance(one, Value) or not isinstance(other, Value):
            raise UnlikeError("a product with a parameter that is used by itself, or with numbers")
        return self._product(*map(self._rowwise, node.args))

    def _rowwise(self, item: Any) -> Value:
        """A node's value with its axes as they are there."""
        return self._laid_out(self._ordered(self._now(item, self._value(item))), first=False)

    def _product(self, one: Value, other: Value) -> Value:
        if len(one.shape) != len(other.shape) or len(one.shape) < 2 or one.shape[:-2] != other.shape[:-2]:
            raise UnlikeError(f"a product of the shapes {one.shape} and {other.shape}")
        return Value(self._put(ops.matmul, one.number, other.number), (*one.shape[:-1], other.shape[-1]))

    def attended(self, node: FxNode) -> Value:
        """What scaled_dot_product_attention does."""
        given = (
            dict(zip(("query", "key", "value", "attn_mask", "dropout_p", "is_causal"), node.args, strict=False)) | node.kwargs
        )
        query, key, value = (self._rowwise(given[name]) for name in ("query", "key", "value"))
        scale, mask = self._operand(given.get("scale")), self._operand(given.get("attn_mask"))
        if given.get("is_causal"):
            mask = np.tril(np.ones((query.shape[-2], key.shape[-2]), bool))
        if mask is not None and not isinstance(mask, np.ndarray):
            raise UnlikeError(GOES_BY_EXAMPLES)
        if mask is not None:
            mask = self._beside(np.where(mask, 0.0, LEAST) if mask.dtype == bool else mask, query)
        number = self.wiring.attended(
            query.number,
            key.number,
            value.number,
            key.shape,
            1 / sqrt(query.shape[-1]) if scale is None else float(scale),
            mask=mask,
            dropout=float(self._operand(given.get("dropout_p", 0.0))),
        )
        return Value(number, (*query.shape[:-1], value.shape[-1]))

    def _masked(self, scores: Value, mask: Any) -> Value:
        """Scores before a softmax, without those where a mask is true, or with a mask of numbers added."""
        if not isinstance(mask, np.ndarray):
            raise UnlikeError(GOES_BY_EXAMPLES)
        return self._joined_to(np.where(mask, LEAST, 0.0) if mask.dtype == bool else mask, scores, "add", left=False)

    def masked(self, node: FxNode) -> Value:
        """Numbers of which some are replaced by one number: by nothing, or by infinitely little."""
        mask, number = (self._operand(item) for item in node.args[1:3])
        source = self._rowwise(node.args[0])
        if not isinstance(mask, np.ndarray) or not isinstance(number, int | float) or 0 > number > LEAST / 1e25:
            raise UnlikeError("numbers replaced by a mask that goes by the examples, or by other numbers than 0 and -inf")
        if number == 0:
            return self._joined_to(~mask.astype(bool), source, "multiply", left=False)
        return self._masked(source, mask.astype(bool))

    def blocked(self, node: FxNode) -> Value:
        """What `torch_attention.blocked` does."""
        return self._masked(self._rowwise(node.args[0]), self._operand(node.args[1]))

    def _joined_to(self, constant: Array, source: Value, name: str, *, left: bool) -> Value:
        """A value, and numbers that stay as they are."""
        source = self._ordered(source)
        constant = self._beside(constant, source)
        # Infinitely little before a softmax: as little as leaves nothing of it.
        constant = np.maximum(constant.astype(float), LEAST) if name == "add" else constant.astype(float)
        if left and name in {"subtract", "divide"}:
            raise UnlikeError("numbers before what they are joined to")
        constant = as_ours(constant, source)
        offset, factor = (constant, np.ones(())) if name in {"add", "subtract"} else (np.zeros(()), constant)
        return replace(source, number=self._put(Scale(offset, factor, name in {"add", "divide"}), source.number))

    def pooled(self, node: FxNode) -> Any:
        """A mean or the largest number over space or time."""
        source, found = self._ordered(self._source(node)), node.meta["found"]
        with_places = not isinstance(found, torch.Tensor)
        shape = tuple(map(int, (found[0] if with_places else found).shape[1:]))
        kind: Any = GlobalAveragePool if "mean" in name_of(node.target) else GlobalMaxPool
        axes: Any = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim")
        wanted = list(range(2, len(source.shape) + 1)) if source.first else list(range(1, len(source.shape)))
        given = sorted(axis % (len(source.shape) + 1) for axis in (axes if isinstance(axes, tuple | list) else [axes]))
        if given != wanted:
            raise UnlikeError(f"a mean or the largest over the axes {axes}")
        value = Value(self._put(kind(), source.number), shape)
        if len(shape) > 1:
            kept = in_our_order(shape, first=source.first)
            value = Value(self._put(Reshape(kept), value.number), shape, first=source.first)
        return [value, None] if with_places else value
