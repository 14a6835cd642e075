"""What views are made of: lines, bands, error bars, points, bars, images, texts and rules; with their colours and scales."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, field
from typing import ClassVar, Literal, TypeAlias, TypedDict, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.spelling import suggest
from chainrule.views.colours import SERIES

Meaning: TypeAlias = Literal["ink", "paper", "faint", "line", "positive", "negative", "right", "wrong", "light", "dark"]
"""Colours by what they say: they follow the page, but for light and dark, which stand on images and stay as they are."""
Color: TypeAlias = int | Meaning
"""The number of a series, or a meaning."""
Dash: TypeAlias = Literal["solid", "dashed", "dotted", "dashdot"]
Hatch: TypeAlias = Literal["", "//", "..", "xx"]
Unit: TypeAlias = Literal["data", "axes"]
"""What a coordinate is: a number of the axis, or a fraction of the panel's width or height."""
Where: TypeAlias = tuple[Unit, Unit]
Map: TypeAlias = Literal["grey", "sequential", "sequential reversed", "signed"]
IN_DATA: Where = ("data", "data")
IN_PANEL: Where = ("axes", "axes")

DASHES: tuple[Dash, ...] = ("solid", "dashed", "dotted", "dashdot")
"""A second way to tell lines apart, for prints in grey."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")
"""Signs that tell series apart without colour."""
HATCHES: tuple[Hatch, ...] = ("", "//", "..", "xx")


@immutable
class Scale:
    """From numbers to colours: `low` and `high` are the ends of the map; with a `label` a bar of colours stands beside the panel."""

    map: Map = "grey"
    low: float = 0.0
    high: float = 1.0
    label: str = ""
    log: bool = False

    @staticmethod
    def of(values: ArrayLike, label: str = "") -> Scale:
        """White at 0 where the numbers have both signs, else from the least to the largest.

        >>> Scale.of([-1.0, 3.0])
        Scale(map='signed', low=-3.0, high=3.0, label='', log=False)
        """
        low, high = ends_of(values)
        if low < 0 < high:
            return signed(values, label)
        return Scale("sequential", low, high if high > low else low + 1.0, label)


def signed(values: ArrayLike, label: str = "") -> Scale:
    """Blue below 0, white at 0, orange above, as far as the largest finite size reaches."""
    sizes = np.abs(np.asarray(values, dtype=np.float64))
    most = float(sizes[np.isfinite(sizes)].max(initial=0.0)) or 1.0
    return Scale("signed", -most, most, label)


def grey(values: Array) -> Scale:
    """From black, the least number, to white, the largest; of bytes from 0 to 255."""
    return Scale("grey", 0.0, 255.0) if values.dtype == np.uint8 else Scale("grey", *ends_of(values))


def ends_of(values: ArrayLike) -> tuple[float, float]:
    """The least and the largest finite number; 0 and 0 where there is none."""
    array = np.asarray(values, dtype=np.float64)
    finite = array[np.isfinite(array)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)


def bin_edges(values: ArrayLike, bins: int) -> NDArray[np.float64]:
    """The edges (bins + 1,) of equal steps over the finite numbers; wide enough that numbers of their size tell them apart.

    >>> bin_edges([1.0, 2.0, 5.0], 2).tolist(), bin_edges([3e20], 2).tolist()
    ([1.0, 3.0, 5.0], [2.9999999999999974e+20, 3e+20, 3.0000000000000026e+20])
    """
    low, high = ends_of(values)
    if low == high:
        low, high = low - 0.5, high + 0.5
    least = 2 * bins * float(np.spacing(max(abs(low), abs(high))))
    if high - low < least:
        low, high = low - least, high + least
    return np.linspace(low, high, bins + 1)


@immutable(eq=False)
class Mark:
    """Something drawn into a panel, over the marks before it; `label` puts it into the legend."""

    kind: ClassVar[str]
    _: KW_ONLY
    color: Color = "ink"
    alpha: float = 1.0
    label: str = ""

    def __post_init__(self) -> None:
        """Raises: OptionError for a colour that is neither the number of a series nor a meaning."""
        several: Sequence[Color] | None = getattr(self, "colors", None)
        for given in (self.color, getattr(self, "edge", None), *(several or ())):
            if isinstance(given, str) and given not in get_args(Meaning):
                raise OptionError(
                    f"the colour {given!r} of a mark",
                    expected=f"the number of a series, or one of {', '.join(get_args(Meaning))}",
                    remedy=suggest(given, get_args(Meaning), 'write for example color=0, or color="ink"'),
                )


@immutable(eq=False)
class Line(Mark):
    """Through x, y (n,), with gaps at NaN; or k lines, x and y (k, n). Signs stand on its points, an arrow head at its end."""

    kind: ClassVar[str] = "line"
    x: ArrayLike
    y: ArrayLike
    _: KW_ONLY
    dash: Dash = "solid"
    width: float = 1.6
    marker: str = ""
    size: float = 3.5
    edge: Color | None = None
    arrow: bool = False


@immutable(eq=False)
class Band(Mark):
    """Between low and high (n,) over x (n,)."""

    kind: ClassVar[str] = "band"
    x: ArrayLike
    low: ArrayLike
    high: ArrayLike
    alpha: float = field(default=0.2, kw_only=True)


@immutable(eq=False)
class ErrorBars(Mark):
    """From low to high (n,) at places (n,): upright, or flat."""

    kind: ClassVar[str] = "errors"
    at: ArrayLike
    low: ArrayLike
    high: ArrayLike
    _: KW_ONLY
    flat: bool = False
    cap: float = 2.0
    width: float = 1.2


@immutable(eq=False)
class Points(Mark):
    """Signs at x, y (n,), so many points of a printer wide; coloured by `values` (n,) on a `scale` where they are given.

    `hollow` signs are a rim without an inside.
    """

    kind: ClassVar[str] = "points"
    x: ArrayLike
    y: ArrayLike
    _: KW_ONLY
    marker: str = "o"
    size: ArrayLike = 4.0
    edge: Color | None = None
    hollow: bool = False
    values: ArrayLike | None = None
    scale: Scale | None = None
    where: Where = IN_DATA


@immutable(eq=False)
class Bars(Mark):
    """From `start` to `end` (n,) at places (n,): upright, or flat; each with a text behind its end where `texts` are given.

    Each has its own of the `colors`, or is coloured by its one of the `values` (n,) on a `scale`, where these are given.
    """

    kind: ClassVar[str] = "bars"
    at: ArrayLike
    end: ArrayLike
    _: KW_ONLY
    start: ArrayLike = 0.0
    width: ArrayLike = 0.8
    flat: bool = False
    colors: Sequence[Color] | None = None
    values: ArrayLike | None = None
    scale: Scale | None = None
    edge: Color | None = None
    hatch: Hatch = ""
    texts: Sequence[str] = ()


@immutable(eq=False)
class Image(Mark):
    """Numbers (rows, columns) as colours on a `scale`, or colours (rows, columns, 3); what is no number is left out.

    `box` is (left, right, bottom, top). In a box of the data the first row lies below, as data have it; without a box, and in a box
    that is a fraction of the panel, it lies above, as images have it: number [i, j] then has its centre at x = j, y = i.
    `levels`: lines of equal number, in the mark's colour, with their `texts`; `crosses` mark what is no number.
    """

    kind: ClassVar[str] = "image"
    pixels: Array
    _: KW_ONLY
    scale: Scale = Scale()
    box: tuple[float, float, float, float] | None = None
    where: Unit = "data"
    anchor: Literal["C", "NW", "E"] = "C"
    levels: Sequence[float] = ()
    texts: Sequence[str] = ()
    width: float = 0.7
    smooth: bool = False
    crosses: bool = False


@immutable(eq=False)
class Text(Mark):
    """Words at x, y: one text, or n of them at (n,), moved by `offset` printer's points."""

    kind: ClassVar[str] = "text"
    x: ArrayLike
    y: ArrayLike
    text: str | Sequence[str]
    _: KW_ONLY
    where: Where = IN_DATA
    offset: tuple[float, float] = (0.0, 0.0)
    across: Literal["left", "center", "right"] = "center"
    up: Literal["bottom", "center", "top"] = "center"
    size: float = 8.0
    colors: Sequence[Color] | None = None
    bold: bool = False
    framed: bool = False
    mono: bool = False


@immutable(eq=False)
class Rule(Mark):
    """Straight through the panel at x or at y, or a strip between two of them."""

    kind: ClassVar[str] = "rule"
    color: Color = field(default="faint", kw_only=True)
    x: float | tuple[float, float] | None = None
    y: float | tuple[float, float] | None = None
    _: KW_ONLY
    dash: Dash = "solid"
    width: float = 0.8


@immutable(eq=False)
class Surface(Mark):
    """z (rows, columns) over y (rows,) and x (columns,), coloured by `scale`."""

    kind: ClassVar[str] = "surface"
    x: ArrayLike
    y: ArrayLike
    z: ArrayLike
    _: KW_ONLY
    scale: Scale = Scale()


# ---- what many views draw alike


class Look(TypedDict):
    """How a series is told from the others."""

    color: int
    dash: Dash
    marker: str


def look(number: int) -> Look:
    """Colour, dashes and marker of a series: all three change with the number."""
    return {"color": number, "dash": dashes(number), "marker": MARKERS[number % len(MARKERS)]}


def dashes(number: int) -> Dash:
    """The dashes of a series: those of no other one of the same colour.

    >>> len({(number % len(SERIES), dashes(number)) for number in range(32)})
    32
    """
    return DASHES[_second_way(number) % len(DASHES)]


def second_marker(number: int) -> str:
    """The marker of a series, another one each time the colours begin again."""
    return MARKERS[_second_way(number) % len(MARKERS)]


def _second_way(number: int) -> int:
    """The number of a series, shifted by one each time the colours begin again, so that no two series look alike."""
    return number + number // len(SERIES)


def class_marker(place: int) -> str:
    """The marker of a class: each class up to 40 has a pair of colour and marker of its own."""
    return MARKERS[place % len(MARKERS)]


def with_band(
    number: int, x: ArrayLike, mean: Array, error: Array, label: str, *, marker: str = "", size: float = 3.5
) -> list[Mark]:
    """A series with its band of one error to each side."""
    band = [Band(x, mean - error, mean + error, color=number)] if np.any(error) else []
    return [*band, Line(x, mean, color=number, dash=dashes(number), marker=marker, size=size, label=label)]


def with_bars(
    number: int, x: ArrayLike, mean: ArrayLike, error: ArrayLike, label: str, *, cap: float = 2.0, width: float = 1.2
) -> list[Mark]:
    """A series of signs joined by a line, with bars of one error to each side."""
    middle, reach = np.asarray(mean), np.asarray(error)
    bars = [ErrorBars(x, middle - reach, middle + reach, color=number, cap=cap)] if np.any(reach) else []
    return [*bars, Line(x, middle, **look(number), size=4.0, width=width, label=label)]


def staircase(x: ArrayLike, y: ArrayLike, *, after: bool = False) -> tuple[Array, Array]:
    """The corners of a line that stays at each y around its x, or `after` it.

    >>> staircase([0.0, 2.0], [5.0, 6.0])
    (array([0., 1., 1., 2.]), array([5., 5., 6., 6.]))
    """
    at, values = np.asarray(x, dtype=np.float64), np.repeat(np.asarray(y, dtype=np.float64), 2)
    if after:
        return np.repeat(at, 2)[1:], values[:-1]
    return np.concatenate([at[:1], np.repeat((at[1:] + at[:-1]) / 2, 2), at[-1:]]), values


def box_around(x: Array, y: Array) -> tuple[float, float, float, float]:
    """The box of an image whose numbers stand at even places x (columns,) and y (rows,).

    >>> box_around(np.array([0.0, 1.0]), np.array([0.0, 2.0, 4.0]))
    (-0.5, 1.5, -1.0, 5.0)
    """
    across, up = (float(side[-1] - side[0]) / (2 * (len(side) - 1)) for side in (x, y))
    return float(x[0]) - across, float(x[-1]) + across, float(y[0]) - up, float(y[-1]) + up
