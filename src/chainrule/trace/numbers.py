"""Formulas with numbers: one entry of a node, written with the numbers that it is computed from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from chainrule.graph import Array, Node, compute, topological_order
from chainrule.graph.notation import FormulaPiece, Style, compose, number_piece
from chainrule.ops import (
    argmax,
    concatenate,
    gather,
    matmul,
    one_hot,
    reduce_max,
    reduce_min,
    reduce_sum,
    softmax,
    softmax_cross_entropy,
)

MOST_TERMS = 3
"""Of a longer sum so many terms are written, the largest in size, in their order; the rest is added up."""
LONGEST = 130
"""A formula with numbers is written less deep where it would have more characters."""
_SUM, _PRODUCT = 3, 2
"""Ops that only move numbers: where an entry came from is found by moving positions in their place."""


def four_digits(value: object) -> float:
    """A number rounded to four digits that count, as numbers are written in formulas.

    >>> four_digits(0.123456), four_digits(-1234567.0)
    (0.1235, -1235000.0)
    """
    return float(f"{float(np.asarray(value)):.4g}")


def short_numbers(node: Node, index: tuple[int, ...], values: Mapping[Node, Array], style: Style = "text") -> str:
    """As `numbers`, as deep as a line or two can hold."""
    for depth in (12, 6, 4, 3, 2):
        written = numbers(node, index, values, style, depth)
        if len(written) <= LONGEST * (1 if style == "text" else 2):
            break
    return written


def numbers(node: Node, index: tuple[int, ...], values: Mapping[Node, Array], style: Style = "text", depth: int = 12) -> str:
    """The entry `index` of a node as a formula over the entries of the nodes in `values`, which are written as numbers.

    What lies deeper than `depth` ops is written by its value.

    >>> from chainrule.graph import input_node
    >>> x = input_node("x", (2,))
    >>> numbers(x * x + 1.0, (1,), {x: np.array([3.0, -0.5])})
    '(−0.5)·(−0.5) + 1'
    """
    order = topological_order([node])
    known = dict(zip(order, compute(order, values), strict=True))
    writer = _Writer(known, frozenset(values), style)
    # Inside of a longer formula, as in the softmax, a largest number is one number.
    found = writer.extreme(node, index, depth) if node.op in {reduce_max, reduce_min} else writer.entry(node, index, depth)
    return found.text


class _Writer:
    """Writes entries; `known` holds every node's value, `given` those that are written as numbers."""

    def __init__(self, known: Mapping[Node, Array], given: frozenset[Node], style: Style) -> None:
        self.known, self.given = known, given
        self.style: Style = style

    def entry(self, node: Node, index: tuple[int, ...], depth: int) -> FormulaPiece:
        """One entry; deeper than `depth` its value stands in its place."""
        if node in self.given or node.is_leaf or depth == 0:
            return self.value(node, index)
        if node.op.kind == "view":
            return self.entry(node.inputs[0], _origin(node, index), depth)
        if node.op is matmul:
            return self.sum([self._products(node, index, k, depth) for k in range(node.inputs[0].shape[-1])])
        if node.op is reduce_sum:
            spots = _summed(node, index)
            return self.sum([self._term(node.inputs[0], spot, depth) for spot in spots])
        if node.op is softmax:
            return self.softmax(node.inputs[0], index, node.attributes["axis"], depth)
        if node.op is softmax_cross_entropy:
            z, labels = node.inputs
            place = (*index, int(np.asarray(self.known[labels])[index]))
            inner = self.softmax(z, place, len(index), depth).text
            return FormulaPiece(f"−log({inner})" if self.style == "text" else rf"-\log({inner})", _SUM)
        if node.op in {reduce_max, reduce_min, argmax, one_hot, gather, concatenate} or not self._is_pointwise(node):
            return self.value(node, index)
        return compose(node, [self.entry(source, index, depth - 1) for source in node.inputs], self.style)

    def value(self, node: Node, index: tuple[int, ...]) -> FormulaPiece:
        """The entry's value as a number."""
        value = np.asarray(self.known[node])[index]
        return number_piece(four_digits(value) if value.dtype.kind == "f" else value, self.style)

    def sum(self, terms: list[tuple[float, Callable[[], FormulaPiece]]]) -> FormulaPiece:
        """A sum; only its largest terms are written where it is long."""
        if len(terms) == 1:
            return terms[0][1]()
        kept = range(len(terms))
        if len(terms) > MOST_TERMS + 1:
            sizes = np.array([abs(value) for value, _ in terms])
            kept = sorted(np.argsort(-sizes, kind="stable")[:MOST_TERMS].tolist())
        pieces = [terms[place][1]() for place in kept]
        written = " + ".join(f"({piece.text})" if piece.binds >= _SUM else piece.text for piece in pieces)
        left = len(terms) - len(pieces)
        if left:
            rest = number_piece(four_digits(sum(v for v, _ in terms) - sum(terms[place][0] for place in kept)), self.style).text
            words = f"({left} more: {rest})" if self.style == "text" else rf"\left(\text{{{left} more: }}{rest}\right)"
            written = f"{written} + {words}"
        return FormulaPiece(written, _SUM, 0)

    def softmax(self, z: Node, index: tuple[int, ...], axis: int, depth: int) -> FormulaPiece:
        """exp(z_j)/Σ_k exp(z_k) with numbers, as in a book: the shift that keeps it from overflowing changes no value."""
        spots = [(*index[:axis], place, *index[axis + 1 :]) for place in range(z.shape[axis])]
        with np.errstate(over="ignore"):
            sizes = [float(np.exp(np.asarray(self.known[z])[spot])) for spot in spots]
        terms = [(size, partial(self.exponential, z, spot, depth)) for size, spot in zip(sizes, spots, strict=True)]
        above, below = self.exponential(z, index, depth).text, self.sum(terms).text
        return FormulaPiece(f"{above} / ({below})" if self.style == "text" else rf"\frac{{{above}}}{{{below}}}", _PRODUCT, 1)

    def exponential(self, z: Node, index: tuple[int, ...], depth: int) -> FormulaPiece:
        """exp of an entry."""
        inner = self.entry(z, index, depth - 1).text
        return FormulaPiece(f"exp({inner})" if self.style == "text" else f"e^{{{inner}}}")

    def extreme(self, node: Node, index: tuple[int, ...], depth: int) -> FormulaPiece:
        """The largest or smallest of several entries; of many, those next to it."""
        source, sign = node.inputs[0], -1 if node.op is reduce_max else 1
        spots = _summed(node, index)
        sizes = sign * np.array([self.known[source][spot] for spot in spots])
        kept: list[int] = sorted(np.argsort(sizes, kind="stable")[: MOST_TERMS + (len(spots) == MOST_TERMS + 1)].tolist())
        pieces = [self.entry(source, spots[place], depth - 1).text for place in kept]
        if len(kept) < len(spots):
            words = f"{len(spots) - len(kept)} more"
            pieces.append(words if self.style == "text" else rf"\text{{{words}}}")
        name = "max" if node.op is reduce_max else "min"
        return FormulaPiece(f"{name}({', '.join(pieces)})" if self.style == "text" else rf"\{name}({', '.join(pieces)})")

    def _term(self, node: Node, index: tuple[int, ...], depth: int) -> tuple[float, Callable[[], FormulaPiece]]:
        return float(np.asarray(self.known[node])[index]), lambda: self.entry(node, index, depth - 1)

    def _products(self, node: Node, index: tuple[int, ...], k: int, depth: int) -> tuple[float, Callable[[], FormulaPiece]]:
        left, right = node.inputs
        spots = (*index[:-1], k), (*index[:-2], k, index[-1])
        factors = [float(np.asarray(self.known[source])[spot]) for source, spot in zip((left, right), spots, strict=True)]

        def write() -> FormulaPiece:
            pieces = [self.entry(source, spot, depth - 1) for source, spot in zip((left, right), spots, strict=True)]
            texts = [f"({piece.text})" if piece.binds >= _SUM else piece.text for piece in pieces]
            return FormulaPiece(("·" if self.style == "text" else r" \cdot ").join(texts), _PRODUCT, 1)

        return factors[0] * factors[1], write

    @staticmethod
    def _is_pointwise(node: Node) -> bool:
        return bool(node.inputs) and all(source.shape == node.shape for source in node.inputs)


def _origin(node: Node, index: tuple[int, ...]) -> tuple[int, ...]:
    """Where the entry of an op that only moves numbers came from: the op is done to positions."""
    source = node.inputs[0]
    positions = np.arange(source.type.size).reshape(source.shape)
    flat = int(np.asarray(node.op.meaning(positions, **node.attributes))[index])
    return tuple(map(int, np.unravel_index(flat, source.shape)))


def _summed(node: Node, index: tuple[int, ...]) -> list[tuple[int, ...]]:
    """The entries of the input that add up to an entry of a sum over axes."""
    source, axes = node.inputs[0], node.attributes["axes"]
    ranges = iter(index)
    extents = [range(extent) if axis in axes else [next(ranges)] for axis, extent in enumerate(source.shape)]
    grid = np.stack(np.meshgrid(*extents, indexing="ij"), axis=-1).reshape(-1, source.type.ndim)
    return [tuple(map(int, spot)) for spot in grid]
