"""Prediction of the next token by counting what followed the last few: what a network of texts is held against."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from chainrule.checks import Constraint, Count, checked
from chainrule.data.checks import check_whole
from chainrule.display import Shown
from chainrule.immutable import immutable

Context = tuple[int, ...]


@immutable(eq=False)
@checked
class CountModel(Shown):
    """Probabilities of the next of `classes` tokens, from the counts in a text of ids; the last `order` tokens are looked at.

    What followed them is mixed with what the model of one token less expects, as Witten and Bell do: with n tokens seen behind
    the context, t different ones among them, p = (count + t·p_shorter)/(n + t); below the shortest, all are alike. Order 1 is
    known as bigram, order 2 as trigram.

    Source: I. H. Witten, T. C. Bell, IEEE Transactions on Information Theory 37, 1085 (1991), method C.

    >>> model = CountModel((0, 1, 0, 1, 0, 1, 0), 2, order=1)
    >>> model.probabilities([0]).round(3)
    array([0.139, 0.861])
    """

    ids: Sequence[int]
    classes: int
    order: int

    def __post_init__(self) -> None:
        check_whole("order", self.order, least=0)
        check_whole("classes", self.classes, least=1)

    @cached_property
    def counts(self) -> dict[Context, Counter[int]]:
        """How often each token followed each context of up to `order` tokens."""
        found: dict[Context, Counter[int]] = {}
        ids = tuple(int(place) for place in self.ids)
        for place, token in enumerate(ids):
            for length in range(min(self.order, place) + 1):
                found.setdefault(ids[place - length : place], Counter())[token] += 1
        return found

    def probabilities(self, before: Sequence[int]) -> NDArray[np.float64]:
        """The probability of each token behind the tokens `before`: (classes,)."""
        expected = np.full(self.classes, 1 / self.classes)
        for length in range(min(self.order, len(before)) + 1):
            seen = self.counts.get(tuple(int(place) for place in before[len(before) - length :]))
            if seen is None:
                break
            followed = np.zeros(self.classes)
            followed[list(seen)] = list(seen.values())
            expected = (followed + len(seen) * expected) / (seen.total() + len(seen))
        return expected

    def bits(self, ids: Sequence[int], first: int = 0) -> NDArray[np.float64]:
        """The surprise −log₂ p of each token of a text from its place `first` on: (tokens − first,)."""
        known = tuple(int(place) for place in ids)
        chances = [
            self.probabilities(known[max(0, place - self.order) : place])[known[place]] for place in range(first, len(known))
        ]
        return -np.log2(chances)


@checked
def block_mean(
    values: Annotated[NDArray[np.float64], Constraint(lambda v: v.ndim == 1, "numbers of shape (n,)")], block: Count = 100
) -> tuple[float, float]:
    """The mean of numbers (n,) that depend on their neighbours, and its standard error, from the means of blocks of neighbours.

    It holds where what is further apart than a block is independent. Source: H. Flyvbjerg, H. G. Petersen, J. Chem. Phys. 91, 461 (1989).

    >>> block_mean(np.arange(400) % 2.0)
    (0.5, 0.0)
    """
    count = len(values) // block
    check_whole("the number of blocks", count, least=2)
    means = np.asarray(values[: count * block]).reshape(count, block).mean(axis=1)
    return float(np.mean(values)), float(means.std(ddof=1) / np.sqrt(count))
