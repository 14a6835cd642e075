"""The wording of a trace: symbols, formulas and rules of each quantity, as text and LaTeX, in the notation that the reader prefers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Literal, TypeAlias, get_args

from chainrule.checks import unknown
from chainrule.display import Shown
from chainrule.graph import CONSTANT, PARAMETER, Node, constant, formula, topological_order
from chainrule.graph.graph import rebuilt
from chainrule.graph.notation import FormulaPiece, Style, name_text
from chainrule.immutable import immutable
from chainrule.ops import (
    add,
    broadcast_to,
    matmul,
    reduce_sum,
    reshape,
    softmax_cross_entropy,
)
from chainrule.trace.code import code_name, expression
from chainrule.trace.numbers import short_numbers
from chainrule.trace.quantities import Quantity, simplified
from chainrule.trace.trace import Index, Trace

Notation: TypeAlias = Literal["names", "layers", "delta", "code"]
NOTATIONS: tuple[str, ...] = get_args(Notation)
"""names: dense1.a = f(dense1.z); layers: a⁽¹⁾ = f(a⁽⁰⁾ W⁽¹⁾ + b⁽¹⁾); delta: as layers, with δ⁽¹⁾ for ∂C/∂z⁽¹⁾; code: Python."""

_GATHERING = frozenset({reduce_sum, reshape, softmax_cross_entropy})
"""Ops that lead each entry of an input to one entry of the result."""
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_PRODUCT = 2


@immutable
class Wording(Shown):
    """How the quantities of one trace are written; `names` of nodes and formulas agree in every notation.

    Layers are counted from 1 in the order in which they are computed; the input is layer 0.
    """

    trace: Trace
    notation: Notation = "names"

    def __post_init__(self) -> None:
        if self.notation not in NOTATIONS:
            raise unknown(f"notation {self.notation!r}", self.notation, NOTATIONS)

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
        if self.notation == "code":
            return _in_code(code_name(quantity.name), style, index)
        by_layer = self._layer_of(quantity) if self.notation in {"layers", "delta"} else None
        if by_layer is None:
            return name_text(quantity.name, style) + _entry(index, style)
        letter, number = by_layer
        return _of_layer(name_text(letter, style), number, style, index)

    def derivative(self, quantity: Quantity, style: Style = "text", index: Index = ()) -> str:
        """The symbol of ∂C/∂(the quantity)."""
        cost = self.trace.quantity(self.trace.cost_name)
        if self.notation == "code":
            return _in_code(f"grad_{code_name(quantity.name)}", style, index)
        by_layer = self._layer_of(quantity)
        if self.notation == "delta" and by_layer is not None and by_layer[0] == "z":
            return _of_layer("δ" if style == "text" else r"\delta", by_layer[1], style, index)
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
            rule = simplified(rebuilt(rule, {user.arriving: constant(1.0, user.node.dtype)}))
        return self._write(user, rule, style)

    def local(self, user: Quantity, place: int, style: Style = "text") -> str:
        """∂(user)/∂(input) entry by entry, as a formula; empty where an entry depends on several entries of the input."""
        return self._at_ones(user, place, style) if _is_pointwise(user) else ""

    def _at_ones(self, user: Quantity, place: int, style: Style) -> str:
        """What is passed back to the input at `place` where 1 arrives everywhere; empty where nothing is."""
        rule = user.rules[place]
        if rule is None:
            return ""
        ones = broadcast_to(constant(1.0, user.node.dtype), shape=user.node.shape)
        return self._write(user, simplified(rebuilt(rule, {user.arriving: ones})), style)

    def factor(self, user: Quantity, source: Quantity, at: tuple[Index, Index], style: Style = "text") -> str:
        """What ∂(user's entry)/∂(source's entry) is, as a student knows it: w, a, σ′(z), 2·(a − y); empty where it is no short formula."""
        places = [place for place, given in enumerate(user.inputs) if given is source]
        if len(places) != 1 or self.notation == "code":
            return ""
        leaf = user.stand_ins[places[0]]
        if _is_a_function_of_one(user):
            return self._slope_of(user, source, at[1], style)
        product = _product_with(user.definition, leaf)
        if product is not None:
            is_left = product.inputs[0] is leaf
            other = dict(zip(user.stand_ins, user.inputs, strict=True)).get(product.inputs[1 if is_left else 0])
            (*_, row, column), (*batch, _, _) = at[0], at[0]
            spot = (at[1][-1], column) if is_left else (*batch, row, at[1][-2])
            return "" if other is None else self.symbol(other, style, spot[-other.node.type.ndim :])
        return self._own_entry(user, places[0], style)

    def _slope_of(self, user: Quantity, source: Quantity, index: Index, style: Style) -> str:
        """f′(z) and the formula of it, for a = f(z)."""
        name = user.definition.op.notation.text if style == "text" else user.definition.op.notation.latex.format("{0}")
        prime = name.replace("({0})", "′({0})" if style == "text" else "'({0})").replace(
            "{0}", self.symbol(source, style, index)
        )
        slope = self.local(user, 0, style)
        return f"{prime} = {slope}" if "′(" in prime or "'(" in prime else slope

    def _own_entry(self, user: Quantity, place: int, style: Style) -> str:
        """The local derivative as a formula, where each entry of the input moves one entry of the quantity alone."""
        nodes = [node for node in topological_order([user.definition]) if not node.is_leaf]
        moves_one = all(_is_elementwise(node) or node.op in _GATHERING for node in nodes)
        return self._at_ones(user, place, style) if moves_one else ""

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
            return _in_code(expression(node, names), style)
        pieces = {leaf: FormulaPiece(self.symbol(source, style)) for leaf, source in pairs}
        quotient = self.derivative(user, style)
        # ∂C/∂a·x reads as a product; without the quotient's own stroke, as in δ, it is a name.
        pieces[user.arriving] = FormulaPiece(quotient, *((_PRODUCT, 1) if "∂" in quotient else (0,)))
        return formula(node, style, depth=40, pieces=pieces)


def _entry(index: Index, style: Style) -> str:
    """The place of an entry behind a symbol; nothing for the whole."""
    if not index:
        return ""
    place = ",".join(map(str, index))
    return f"[{place}]" if style == "text" else f"_{{{place}}}"


def _in_code(name: str, style: Style, index: Index = ()) -> str:
    return (name if style == "text" else rf"\mathtt{{{name_text(name, 'latex')}}}") + _entry(index, "text")


def _of_layer(letter: str, number: int, style: Style, index: Index) -> str:
    raised = f"⁽{str(number).translate(_SUPERSCRIPTS)}⁾" if style == "text" else f"^{{({number})}}"
    return f"{letter}{raised}{_entry(index, style)}"


def _is_pointwise(user: Quantity) -> bool:
    """Whether each entry of the quantity depends on the same entry of its inputs only."""
    nodes = [node for node in topological_order([user.definition]) if node.op not in {CONSTANT, PARAMETER}]
    return all(node.shape == user.node.shape and (node.is_leaf or _is_elementwise(node)) for node in nodes)


def _is_elementwise(node: Node) -> bool:
    from_scalars = node.op is broadcast_to and node.inputs[0].op is CONSTANT
    return from_scalars or node.op.kind == "elementwise"


def _is_a_function_of_one(user: Quantity) -> bool:
    """Whether the quantity is f(z), entry by entry, f being one op."""
    definition = user.definition
    return len(user.inputs) == 1 and definition.op.kind == "elementwise" and definition.inputs == user.stand_ins


def _product_with(definition: Node, leaf: Node) -> Node | None:
    """The matrix product of the leaf in a sum of it and others, x·W + b; or None."""
    if definition.op is matmul and leaf in definition.inputs and definition.inputs[0] is not definition.inputs[1]:
        return definition
    if definition.op is not add:
        return None
    found = [product for part in definition.inputs if (product := _product_with(part, leaf)) is not None]
    return found[0] if len(found) == 1 else None
