"""Draws simple grey shapes with soft edges into many small pictures at once, each picture with its own measures."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


class Sheet:
    """n square pictures of size × size brightnesses from 0 to 1, with coordinates from −1 to 1: x to the right, y down.

    Every measure of a shape is a number, or an array of shape (n,) with one for each picture. `turn` (radians), `scale` and `shift`
    move the whole drawing. Shapes cover what was drawn before; their edges are one pixel soft.

    >>> sheet = Sheet(2, 8, background=0.0)
    >>> sheet.ellipse((0, 0), (0.5, 0.5), 1.0)
    >>> sheet.pixels().shape, int(sheet.pixels()[0, 4, 4])
    ((2, 8, 8), 255)
    """

    def __init__(
        self,
        n: int,
        size: int,
        *,
        background: ArrayLike = 0.0,
        turn: ArrayLike = 0.0,
        scale: ArrayLike = 1.0,
        shift: tuple[ArrayLike, ArrayLike] = (0.0, 0.0),
    ) -> None:
        place = (np.arange(size) + 0.5) * 2 / size - 1
        x, y = place[None, None, :] - _column(shift[0]), place[None, :, None] - _column(shift[1])
        cos, sin, scale = np.cos(_column(turn)), np.sin(_column(turn)), _column(scale)
        self._x, self._y = (cos * x + sin * y) / scale, (cos * y - sin * x) / scale
        self._soft = 2 / size / scale
        self._light: Floats = np.broadcast_to(_column(background), (n, size, size)).copy()

    def ellipse(
        self, centre: tuple[ArrayLike, ArrayLike], radii: tuple[ArrayLike, ArrayLike], light: ArrayLike, turn: ArrayLike = 0.0
    ) -> None:
        """A filled ellipse; `turn` (radians) turns it about its centre."""
        self._cover(self._ellipse(centre, radii, turn), light)

    def lens(
        self, centre: tuple[ArrayLike, ArrayLike], radii: tuple[ArrayLike, ArrayLike], light: ArrayLike, *, above: ArrayLike
    ) -> None:
        """The part of an ellipse with y < `above`."""
        self._cover(np.maximum(self._ellipse(centre, radii, 0.0), self._y - _column(above)), light)

    def triangle(self, *corners: tuple[ArrayLike, ArrayLike], light: ArrayLike) -> None:
        """A filled triangle."""
        points = [(_column(x), _column(y)) for x, y in corners]
        (ax, ay), (bx, by), (cx, cy) = points
        sense = np.sign((bx - ax) * (cy - ay) - (by - ay) * (cx - ax))
        sides: list[Floats] = []
        for (px, py), (qx, qy) in zip(points, (*points[1:], points[0]), strict=True):
            along = np.hypot(qx - px, qy - py)
            sides.append(sense * ((qy - py) * (self._x - px) - (qx - px) * (self._y - py)) / along)
        self._cover(np.maximum.reduce(sides), light)

    def line(
        self, begin: tuple[ArrayLike, ArrayLike], end: tuple[ArrayLike, ArrayLike], width: ArrayLike, light: ArrayLike
    ) -> None:
        """A straight stroke with round ends."""
        bx, by, ex, ey = (_column(value) for value in (*begin, *end))
        length2 = (ex - bx) ** 2 + (ey - by) ** 2
        along = np.clip(((self._x - bx) * (ex - bx) + (self._y - by) * (ey - by)) / length2, 0, 1)
        away = np.hypot(self._x - bx - along * (ex - bx), self._y - by - along * (ey - by))
        self._cover(away - _column(width) / 2, light)

    def arc(
        self, centre: tuple[ArrayLike, ArrayLike], radii: tuple[ArrayLike, ArrayLike], width: ArrayLike, light: ArrayLike
    ) -> None:
        """The lower half of the outline of an ellipse: a smile."""
        ring = np.abs(self._ellipse(centre, radii, 0.0)) - _column(width) / 2
        self._cover(np.maximum(ring, _column(centre[1]) - self._y), light)

    def pixels(self, noise: ArrayLike = 0.0, random: np.random.Generator | None = None) -> NDArray[np.uint8]:
        """The pictures as uint8 of shape (n, size, size); with a random generator, plus noise · ε, ε standard normal."""
        light = self._light if random is None else self._light + _column(noise) * random.standard_normal(self._light.shape)
        return np.rint(np.clip(light, 0, 1) * 255).astype(np.uint8)

    def _ellipse(self, centre: tuple[ArrayLike, ArrayLike], radii: tuple[ArrayLike, ArrayLike], turn: ArrayLike) -> Floats:
        """The distance to an ellipse, near its edge, negative inside."""
        a, b = (_column(radius) for radius in radii)
        cos, sin = np.cos(_column(turn)), np.sin(_column(turn))
        x, y = self._x - _column(centre[0]), self._y - _column(centre[1])
        u, v = (cos * x + sin * y) / a, (cos * y - sin * x) / b
        reach = np.hypot(u, v)
        # The first order of the distance: the function over the length of its gradient.
        return reach * (reach - 1) / np.maximum(np.hypot(u / a, v / b), 1e-9)

    def _cover(self, distance: Floats, light: ArrayLike) -> None:
        share = np.clip(0.5 - distance / self._soft, 0, 1)
        self._light += share * (_column(light) - self._light)


def _column(value: ArrayLike) -> Floats:
    """A measure that broadcasts against (n, size, size)."""
    return np.asarray(value, np.float64).reshape(-1, 1, 1)
