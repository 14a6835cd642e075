"""Labels changed on purpose: at random, to see what a network learns by heart, or wrongly, to see whether it finds them."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from chainrule.checks import Portion, Seed, checked
from chainrule.data.dataset import Dataset
from chainrule.data.examples import Examples
from chainrule.data.origin import changed_origin
from chainrule.display import Shown
from chainrule.errors import DataError, OptionError
from chainrule.immutable import immutable

Indices = NDArray[np.int64]


@immutable(eq=False)
class WrongLabels(Shown):
    """`data` with some wrong labels in its training part: `changed`, their indices in rising order, and `truth`, what they were.

    `changed` and `truth` have the same shape (m,).
    """

    data: Dataset
    changed: Indices
    truth: Indices


@checked
def with_random_labels(dataset: Dataset, fraction: Portion = 1.0, *, seed: Seed = 0) -> Dataset:
    """The data set with a `fraction` of its training labels drawn anew, each class with the same chance; the rest stays as it is.

    A label drawn anew can be the right one by chance: with k classes and fraction=1, one in k. Validation and test part keep their true
    labels. Raises OptionError for a fraction outside 0 to 1, DataError for data without classes. Source: Zhang and others,
    arXiv:1611.03530; Arpit and others, A closer look at memorization in deep networks, arXiv:1706.05394.

    >>> from chainrule.data.generators import moons
    >>> with_random_labels(moons(8), 0.5, seed=1).train.y
    array([1, 0, 0, 1, 0, 1, 0, 1])
    """
    which, random = _drawn(dataset, fraction, seed)
    y = dataset.train.y.copy()
    y[which] = random.integers(0, dataset.target_size, len(which))
    note = f"{len(which)} of {len(y)} training labels were drawn at random (seed {seed})"
    return _relabelled(dataset, y, note, "random_labels", fraction, seed)


@checked
def with_wrong_labels(dataset: Dataset, fraction: Portion = 0.1, *, seed: Seed = 0) -> WrongLabels:
    """The data set with a `fraction` of its training labels replaced by another class, each other class with the same chance.

    The result tells which labels were changed, and what they were. Errors as for `with_random_labels`.

    >>> from chainrule.data.generators import moons
    >>> wrong = with_wrong_labels(moons(10), 0.2)
    >>> wrong.changed, wrong.truth, wrong.data.train.y[wrong.changed]
    (array([4, 6]), array([0, 0]), array([1, 1]))
    """
    which, random = _drawn(dataset, fraction, seed)
    y, truth = dataset.train.y.copy(), dataset.train.y[which]
    y[which] = (truth + random.integers(1, dataset.target_size, len(which))) % dataset.target_size
    note = f"{len(which)} of {len(y)} training labels were made wrong (seed {seed})"
    return WrongLabels(_relabelled(dataset, y, note, "wrong_labels", fraction, seed), which, truth)


def _drawn(dataset: Dataset, fraction: Portion, seed: Seed) -> tuple[Indices, np.random.Generator]:
    """Which training examples to change, in rising order, and the random generator to go on with."""
    if not 0 <= fraction <= 1:
        raise OptionError(
            f"fraction={fraction!r}", expected="a fraction from 0 to 1", remedy="write fraction=0.1 for one label in ten"
        )
    if dataset.classes is None:
        raise DataError(
            f"{dataset.name!r} has numbers to fit", expected="data with classes", remedy="choose data whose targets are labels"
        )
    random, count = np.random.default_rng(seed), len(dataset.train)
    return np.sort(random.permutation(count)[: round(fraction * count)]), random


def _relabelled(dataset: Dataset, y: Indices, note: str, name: str, fraction: Portion, seed: Seed) -> Dataset:
    return dataclasses.replace(
        dataset,
        train=Examples(dataset.train.x, y),
        notes=(*dataset.notes, note),
        origin=changed_origin(dataset.origin, name, fraction=fraction, seed=seed),
    )
