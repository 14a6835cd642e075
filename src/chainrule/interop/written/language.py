"""What languages differ in when the same loops are written in them: a row to each op, types, numbers, arrays."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from typing import Any

from chainrule.immutable import immutable

STRUCTURE = (
    "argmax", "broadcast_to", "cast", "concatenate", "flip", "gather", "matmul", "one_hot", "overlap_add", "pad", "reduce_max",
    "reduce_min", "reduce_sum", "reshape", "scan", "scatter_add", "slice_axes", "stop_gradient", "transpose", "windows",
)  # fmt: skip
"""Ops that are written by loops and places; the others are a row in the language's table."""


@immutable
class Piece:
    """An expression, and how loosely it binds: 0 names and calls, 1 signs, 2 products, 3 sums, 4 comparisons, 5 and, 6 or, 7 choices."""

    text: str
    binds: int = 0

    def within(self, binds: int) -> str:
        """The text, in parentheses where it binds less tightly than this."""
        return self.text if self.binds <= binds else f"({self.text})"


@immutable
class Row:
    """How an op is written: {0}, {1} are its operands, {f} what functions end with for this dtype; `helper` is a function it needs.

    What binds more loosely than `limit` is put in parentheses. Usually an operand of a function may be anything, the first of an infix
    what binds as the op itself, and the second what binds more tightly.
    """

    text: str
    binds: int = 0
    helper: str = ""
    limit: int | None = None

    def filled(self, operands: Sequence[Piece], f: str = "") -> Piece:
        """The expression."""
        limits = [9 if not self.binds else self.binds - (place > 0) for place in range(len(operands))]
        limits = limits if self.limit is None else [self.limit] * len(operands)
        texts = [piece.within(limit) for piece, limit in zip(operands, limits, strict=True)]
        return Piece(self.text.format(*texts, f=f), self.binds)


SIGNS: Mapping[str, Row] = {
    "add": Row("{0} + {1}", 3), "subtract": Row("{0} - {1}", 3), "multiply": Row("{0} * {1}", 2), "divide": Row("{0} / {1}", 2),
    "negative": Row("-{0}", 1, limit=0), "less": Row("{0} < {1}", 4), "less_equal": Row("{0} <= {1}", 4),
    "greater": Row("{0} > {1}", 4), "greater_equal": Row("{0} >= {1}", 4), "logical_and": Row("{0} && {1}", 5, limit=4),
    "logical_or": Row("{0} || {1}", 6, limit=4), "logical_not": Row("!{0}", 1, limit=0), "where": Row("{0} ? {1} : {2}", 7, limit=4),
}  # fmt: skip
"""The ops that such languages write with the same signs."""


def words_of(rows: Iterable[Row]) -> frozenset[str]:
    """All words that rows and their helpers are written with, which no variable may be called.

    >>> sorted(words_of([Row("tanh{f}({0})")]))
    ['tanh', 'tanhf']
    """
    texts = [text.replace("{f}", f) for row in rows for text in (row.text, row.helper) for f in ("", "f")]
    return frozenset(re.findall(r"[^\W\d]\w*", " ".join(texts)))


@immutable
class Language:
    """What two languages with the same loops differ in."""

    rows: Mapping[str, Row]
    counter: str
    """What stands before a loop's variable."""
    types: Mapping[str, str]
    """What stands before a variable of a dtype."""
    number: Callable[[Any, str], str]
    """A number of a dtype."""
    cast: Callable[[Piece, str, str], Piece]
    """An expression of one dtype as another."""
    array: Callable[[str, str, int], str]
    """The line that makes an array: name, dtype, how many numbers."""
    comment: Callable[[str], str]
    """A line that says something to people."""
    suffix: Mapping[str, str] = field(default_factory=dict[str, str])
    nan: str = "NAN"

    @property
    def known(self) -> tuple[str, ...]:
        """All ops that can be written."""
        return (*self.rows, *STRUCTURE)
