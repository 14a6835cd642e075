"""Layers for ids, the places of tokens in a vocabulary: each becomes a row with a single 1, or a vector that is learned."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated, ClassVar, TypeAlias

import numpy as np

from chainrule import ops
from chainrule.checks import Count, Interval, Natural
from chainrule.descriptions import described
from chainrule.display import Shown
from chainrule.errors import OptionError
from chainrule.graph import Array, Node, Shape, constant
from chainrule.immutable import immutable
from chainrule.nn.build import layer_scope
from chainrule.nn.checks import LayerName
from chainrule.nn.initialisers import Normal
from chainrule.nn.parts import Initialiser
from chainrule.nn.word import Word

LARGEST = 2**24
"""Up to here every whole number is itself in float32, in which ids may pass through a network."""
Vocabulary: TypeAlias = Annotated[int, Interval(least=1, most=LARGEST)]
"""How many ids there are."""


@described
class OneHot(Shown):
    """Each id as a row with a single 1, at its place: (batch, ...) becomes (batch, ..., classes).

    x holds whole numbers from 0 to classes − 1, as integers or as floats. The id `padding` becomes a row of zeros, so that a
    recurrent layer with padding=0.0 passes over it. Raises, when it runs: PositionError for an id outside, or with a fraction.

    >>> OneHot(30, padding=0)
    OneHot(30, padding=0)
    """

    classes: Vocabulary
    padding: Natural | None = None
    name: LayerName = ""

    in_text: ClassVar[Word] = Word("onehot35", ("classes",))

    def __post_init__(self) -> None:
        _require_padding(self.padding, self.classes)

    def __call__(self, x: Node) -> Node:
        """The rows of a batch of ids."""
        with layer_scope(self, "one_hot", x) as here:
            # Read from a list of themselves, ids that there are not are found; an id below 0 has a row of zeros.
            places = np.arange(self.classes)
            if self.padding is not None:
                places[self.padding] = -1
            known = ops.gather(constant(places), here.label(_whole(x), "ids"), axis=0)
            return here.gives(here.label(ops.one_hot(known, classes=self.classes, dtype=here.build.dtype), "a"))


@described
class Embedding(Shown):
    """Each id as a vector that is learned, row id of W: (batch, ...) becomes (batch, ..., units).

    Shapes: x (batch, ...) with whole numbers from 0 to vocabulary − 1, as integers or as floats; W (vocabulary, units). It is
    one-hot rows times W, without the zeros. The vector of the id `padding` is 0 and stays 0, so that a recurrent layer with
    padding=0.0 passes over it. Raises, when it runs: PositionError for an id outside, or with a fraction. Ids must arrive unscaled.

    Source: Y. Bengio, R. Ducharme, P. Vincent, C. Jauvin, JMLR 3, 1137 (2003), section 2.

    >>> Embedding(30, 16, padding=0)
    Embedding(30, 16, padding=0)
    """

    vocabulary: Vocabulary
    units: Count
    padding: Natural | None = None
    weights: Initialiser = field(default_factory=Normal)
    name: LayerName = ""

    in_text: ClassVar[Word] = Word("embedding35x16", ("vocabulary", "units"))

    def __post_init__(self) -> None:
        _require_padding(self.padding, self.vocabulary)

    def __call__(self, x: Node) -> Node:
        """The vectors of a batch of ids."""
        with layer_scope(self, "embedding", x) as here:
            weights = self.weights if self.padding is None else _ZeroRow(self.weights, self.padding)
            table, ids = here.parameter("W", (self.vocabulary, self.units), weights), here.label(_whole(x), "ids")
            vectors = ops.gather(table, ids, axis=0)
            if self.padding is not None:
                # Not read, the row has no gradient, and stays as it began.
                stands = ops.reshape(ops.not_equal(ids, self.padding), shape=(*ids.shape, 1))
                vectors = ops.where(ops.broadcast_to(stands, shape=vectors.shape), vectors, 0.0)
            return here.gives(here.label(vectors, "a"))


@immutable
class _ZeroRow:
    """First values by another initialiser, but for one row, which is 0."""

    others: Initialiser
    row: int

    def __call__(self, key: Node, shape: Shape) -> Node:
        """Numbers of this shape, (n, ...)."""
        kept: Array = np.ones((shape[0], *(1 for _ in shape[1:])))
        kept[self.row] = 0
        return self.others(key, shape) * ops.broadcast_to(constant(kept), shape=shape)


def _require_padding(padding: int | None, count: int) -> None:
    if padding is not None and padding >= count:
        raise OptionError(f"padding={padding!r}", expected=f"an id from 0 to {count - 1}, or None", remedy="write padding=0")


def _whole(x: Node) -> Node:
    """The ids as int64; −1, which no axis has, for a number with a fraction."""
    ids = ops.cast(x, dtype="int64")
    if not x.type.is_float:
        return ids
    return ops.where(ops.equal(ops.cast(ids, dtype=x.dtype), x), ids, constant(-1))
