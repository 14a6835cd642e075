"""Numbers of several replicas as a fact: their mean with its standard error."""

from __future__ import annotations

from typing import TypedDict, Unpack

import numpy as np

from chainrule.examples.fact import Fact
from chainrule.graph import Array
from chainrule.train.replicated import standard_error


class Known(TypedDict, total=False):
    """What a number is held against, as `Fact` has it: a checker of types sees a word that it does not have."""

    reference: float | None
    tolerance: float
    minimum: float | None
    maximum: float | None
    unit: str
    source: str


def mean_fact(name: str, values: Array, **known: Unpack[Known]) -> Fact:
    """The mean of independent values (n,) with its standard error; what it is held against as for `Fact`.

    >>> print(mean_fact("x", np.array([1.0, 2.0, 3.0]), reference=2.5))
    x = 2.0 ± 0.6, known 2.5: 0.9 σ away, agrees
    """
    error = float(standard_error(values)) if len(values) > 1 else None
    return Fact(name, float(np.mean(values)), error, **known)
