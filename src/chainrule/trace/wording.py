"""The wording of a trace: symbols, formulas and rules of each quantity, as text and LaTeX, in the notation that the reader prefers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias, get_args

from chainrule.errors import OptionError
from chainrule.graph import CONSTANT, PARAMETER, Node, constant, formula, topological_order
from chainrule.graph.notation import Piece, Style, name_text
from chainrule.ops import broadcast_to, cast, select
from chainrule.ops.elementwise import ELEMENTWISE
from chainrule.trace.code import code_name, expression
from chainrule.trace.numbers import short_numbers
from chainrule.trace.quantities import Quantity, simplified
from chainrule.trace.trace import Index, Trace

Notation: TypeAlias = Literal["names", "layers", "delta", "code"]
NOTATIONS: tuple[str, ...] = get_args(Notation)
"""names: dense1.a = f(dense1.z); layers: a⁽¹⁾ = f(a⁽⁰⁾ W⁽¹⁾ + b⁽¹⁾); delta: as layers, with δ⁽¹⁾ for ∂C/∂z⁽¹⁾; code: Python."""

_POINTWISE = frozenset({*ELEMENTWISE, select, cast})
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_PRODUCT = 2


@dataclass(frozen=True)
class Wording:
    """How the quantities of one trace are written; `names` of nodes and formulas agree in every notation.

    Layers are counted from 1 in the order in which they are computed; the input is layer 0.
    """

    trace: Trace
    notation: Notation = "names"

    def __post_init__(self) -> None:
        if self.notation not in NOTATIONS:
            raise OptionError(f"notation {self.notation!r}", expected=f"one of {', '.join(NOTATIONS)}", remedy="choose one")

    # ---- symbols

    @cached_property
    def _layers(self) -> Mapping[str, int]:
        """The number of each layer that has a pre-activation or an activation, by the layer's name."""
        owners = [q.name.rpartition(".") for q in self.trace.quantities if not q.is_leaf]
        named = dict.fromkeys(owner for owner, _, part in owners if part in {"z", "a"} and owner not in {"", "input"})
        return {owner: number for number, owner in enumerate(named, start=1)}

    def _layer_of(self, quantity: Quantity) -> tuple[str, int] | None:
        """The letter and the layer's number that stand for a quantity in the notations by layers."""
        owner, _, part = quantity.name.partition("#")[0].rpartition(".")
        if owner in self._layers and part:
            return part, self._layers[owner]
        if quantity.name == "input.a" or (quantity.name == "x" and not self._has_input_layer):
            return "a", 0
        return None

    @cached_property
    def _has_input_layer(self) -> bool:
        return any(quantity.name == "input.a" for quantity in self.trace.quantities)

    def symbol(self, quantity: Quantity, style: Style = "text", index: Index = ()) -> str:
        """The quantity's symbol, with the place of an entry behind it where one is meant."""
        place = f"[{','.join(map(str, index))}]" if index else ""
        if self.notation == "code":
            name = code_name(quantity.name)
            return name + place if style == "text" else rf"\mathtt{{{name_text(name, 'latex')}}}{place}"
        by_layer = self._layer_of(quantity) if self.notation in {"layers", "delta"} else None
        if by_layer is None:
            return name_text(quantity.name, style) + (place if style == "text" else _subscript(index))
        letter, number = by_layer
        letter = name_text(letter, style)
        if style == "latex":
            return f"{letter}^{{({number})}}{_subscript(index)}"
        return f"{letter}⁽{str(number).translate(_SUPERSCRIPTS)}⁾{place}"

    def derivative(self, quantity: Quantity, style: Style = "text", index: Index = ()) -> str:
        """The symbol of ∂C/∂(the quantity)."""
        cost = self.trace.quantity(self.trace.cost_name)
        if self.notation == "code":
            name = f"grad_{code_name(quantity.name)}"
            place = f"[{','.join(map(str, index))}]" if index else ""
            return name + place if style == "text" else rf"\mathtt{{{name_text(name, 'latex')}}}{place}"
        by_layer = self._layer_of(quantity)
        if self.notation == "delta" and by_layer is not None and by_layer[0] == "z":
            if style == "latex":
                return rf"\delta^{{({by_layer[1]})}}{_subscript(index)}"
            place = f"[{','.join(map(str, index))}]" if index else ""
            return f"δ⁽{str(by_layer[1]).translate(_SUPERSCRIPTS)}⁾{place}"
        return self._quotient(self.symbol(cost, style), self.symbol(quantity, style, index), style)

    def local_symbol(
        self, user: Quantity, quantity: Quantity, style: Style = "text", at: tuple[Index, Index] = ((), ())
    ) -> str:
        """The symbol of ∂(user)/∂(quantity), at entries of both."""
        return self._quotient(self.symbol(user, style, at[0]), self.symbol(quantity, style, at[1]), style)

    @staticmethod
    def _quotient(above: str, below: str, style: Style) -> str:
        return rf"\frac{{\partial {above}}}{{\partial {below}}}" if style == "latex" else f"∂{above}/∂{below}"

    # ---- formulas

    def formula(self, quantity: Quantity, style: Style = "text") -> str:
        """What the quantity is computed by, from the symbols of others; empty for a leaf."""
        if quantity.is_leaf:
            return ""
        return self._write(quantity, quantity.definition, style)

    def rule(self, user: Quantity, place: int, style: Style = "text") -> str:
        """What `user` passes back to its input at `place`, from symbols; empty where nothing is passed back."""
        rule = user.rules[place]
        if rule is None:
            return ""
        if user.node is self.trace.cost:  # ∂C/∂C is 1
            rule = simplified(_with_leaf(rule, user.arriving, constant(1.0, user.node.dtype)))
        return self._write(user, rule, style)

    def local(self, user: Quantity, place: int, style: Style = "text") -> str:
        """∂(user)/∂(input) entry by entry, as a formula; empty where an entry depends on several entries of the input."""
        rule = user.rules[place]
        if rule is None or not _is_pointwise(user):
            return ""
        ones = broadcast_to(constant(1.0, user.node.dtype), shape=user.node.shape)
        return self._write(user, simplified(_with_leaf(rule, user.arriving, ones)), style)

    def numbers(self, quantity: Quantity, index: Index = (), style: Style = "text") -> str:
        """The formula of one entry with numbers in the place of symbols; long sums are cut to their largest terms."""
        values = {leaf: self.trace.value_of(q) for leaf, q in zip(quantity.stand_ins, quantity.inputs, strict=True)}
        return "" if quantity.is_leaf else short_numbers(quantity.definition, index, values, style)

    def _write(self, user: Quantity, node: Node, style: Style) -> str:
        pairs = list(zip(user.stand_ins, user.inputs, strict=True))
        # Rules may speak of the quantity's own value, as in a·(1 − a).
        pairs += [(user.definition, user)] if node is not user.definition else []
        if self.notation == "code":
            names = {leaf: code_name(source.name) for leaf, source in pairs} | {user.arriving: self.derivative(user)}
            text = expression(node, names)
            return text if style == "text" else rf"\mathtt{{{name_text(text, 'latex')}}}"
        pieces = {leaf: Piece(self.symbol(source, style)) for leaf, source in pairs}
        quotient = self.derivative(user, style)
        # ∂C/∂a·x reads as a product; without the quotient's own stroke, as in δ, it is a name.
        pieces[user.arriving] = Piece(quotient, *((_PRODUCT, 1) if "∂" in quotient else (0,)))
        return formula(node, style, depth=40, pieces=pieces)


def _subscript(index: Index) -> str:
    return f"_{{{','.join(map(str, index))}}}" if index else ""


def _is_pointwise(user: Quantity) -> bool:
    """Whether each entry of the quantity depends on the same entry of its inputs only."""
    nodes = [node for node in topological_order([user.definition]) if node.op not in {CONSTANT, PARAMETER}]
    return all(node.shape == user.node.shape and (node.is_leaf or _is_elementwise(node)) for node in nodes)


def _is_elementwise(node: Node) -> bool:
    from_scalars = node.op is broadcast_to and node.inputs[0].op is CONSTANT
    return from_scalars or node.op in _POINTWISE


def _with_leaf(node: Node, leaf: Node, value: Node) -> Node:
    """The node with a leaf replaced."""
    replaced: dict[Node, Node] = {leaf: value}
    for part in topological_order([node]):
        if part not in replaced:
            replaced[part] = part.with_inputs(tuple(replaced[source] for source in part.inputs))
    return replaced[node]
