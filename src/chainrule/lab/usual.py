"""The network that the lab begins with where none is told: small enough to be seen whole."""

from __future__ import annotations

import math

from chainrule.data import Dataset

MANY = 64
"""With more inputs than this, as pictures have, the usual network is the lectures' for digits: two hidden layers of 16."""


def usual_network(data: Dataset) -> str:
    """Two small hidden layers between the data's inputs and its outputs, as a text."""
    shape = "x".join(map(str, data.input_shape))
    inside = f"{shape}-flatten" if len(data.input_shape) > 1 else str(math.prod(data.input_shape))
    hidden = "16-16" if math.prod(data.input_shape) > MANY else "6-4"
    return f"{inside}-{hidden}-{data.target_size} tanh" + (" softmax" if data.target_size > 1 and data.classes else "")
