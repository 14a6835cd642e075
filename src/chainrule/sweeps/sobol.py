"""Sobol's points: numbers in the unit cube that fill it more evenly than chance does."""

from __future__ import annotations

import numpy as np

from chainrule.graph import Array

_BITS = 32
_POLYNOMIALS: tuple[tuple[int, int, tuple[int, ...]], ...] = (
    (1, 0, (1,)), (2, 1, (1, 3)), (3, 1, (1, 3, 1)), (3, 2, (1, 1, 1)), (4, 1, (1, 1, 3, 3)), (4, 4, (1, 3, 5, 13)),
    (5, 2, (1, 1, 5, 5, 17)), (5, 4, (1, 1, 5, 5, 5)), (5, 7, (1, 1, 7, 11, 19)),
)  # fmt: skip
"""For each dimension behind the first: degree and coefficients of a primitive polynomial, and the first direction numbers (Joe and Kuo)."""
DIMENSIONS = 1 + len(_POLYNOMIALS)


def sobol(count: int, dimensions: int) -> Array:
    """The first `count` of Sobol's points in the unit cube: (count, dimensions), the first of them 0.

    Source: P. Bratley, B. L. Fox, ACM Trans. Math. Softw. 14, 88 (1988), in the order of the Gray code.

    >>> sobol(4, 2).tolist()
    [[0.0, 0.0], [0.5, 0.5], [0.75, 0.25], [0.25, 0.75]]
    """
    directions = np.array([_directions(number) for number in range(dimensions)], dtype=np.uint64)
    found = np.zeros((count, dimensions), dtype=np.uint64)
    for number in range(1, count):
        lowest_zero = (~(number - 1) & number).bit_length() - 1
        found[number] = found[number - 1] ^ directions[:, lowest_zero]
    return found / 2.0**_BITS


def _directions(dimension: int) -> list[int]:
    """The direction numbers of a dimension, as fractions of 2³²."""
    if dimension == 0:
        return [1 << (_BITS - 1 - place) for place in range(_BITS)]
    degree, coefficients, first = _POLYNOMIALS[dimension - 1]
    found = [number << (_BITS - 1 - place) for place, number in enumerate(first)]
    for place in range(degree, _BITS):
        number = found[place - degree] ^ (found[place - degree] >> degree)
        for k in range(1, degree):
            if coefficients >> (degree - 1 - k) & 1:
                number ^= found[place - k]
        found.append(number)
    return found
