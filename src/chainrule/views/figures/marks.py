"""Marks drawn by matplotlib: a function to each kind."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np

from chainrule.graph import Array
from chainrule.views.colours import CSS_VARIABLES, DIVERGING, SEQUENTIAL, SERIES
from chainrule.views.figures.style import INK
from chainrule.views.marks import (
    IN_DATA,
    Band,
    Bars,
    Color,
    ErrorBars,
    Image,
    Line,
    Mark,
    Points,
    Rule,
    Scale,
    Surface,
    Text,
    Where,
)
from chainrule.views.scales import decimal

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Drawn: TypeAlias = Any
MAPS = {"grey": "gray", "sequential": SEQUENTIAL, "sequential reversed": f"{SEQUENTIAL}_r", "signed": DIVERGING}
MEANINGS = {**{name: light for name, (light, _) in CSS_VARIABLES.items()}, "ink": INK, "light": "#ffffff", "dark": "#101010"}
FRAME = "#999999"


def color(of: Color) -> str:
    """A colour as matplotlib takes it."""
    return SERIES[of % len(SERIES)] if isinstance(of, int | np.integer) else MEANINGS[of]


def rows(values: Any) -> Array:
    """Numbers as rows (k, n)."""
    return np.atleast_2d(np.asarray(values, dtype=np.float64))


def colours(scale: Scale) -> dict[str, Any]:
    """A scale as matplotlib takes it."""
    from matplotlib.colors import LogNorm, Normalize

    return {"cmap": MAPS[scale.map], "norm": (LogNorm if scale.log else Normalize)(scale.low, scale.high)}


def transform(ax: Axes, where: Where) -> Any:
    """What places marks by these units."""
    from matplotlib.transforms import blended_transform_factory

    if where == IN_DATA:
        return ax.transData
    return blended_transform_factory(*(ax.transData if unit == "data" else ax.transAxes for unit in where))


def _line(ax: Axes, mark: Line, order: float) -> None:
    x, y = rows(mark.x), rows(mark.y)
    count = max(len(x), len(y))
    if mark.arrow:
        _arrows(ax, mark, order)
        return
    given: dict[str, Any] = {
        "color": color(mark.color), "alpha": mark.alpha, "linestyle": mark.dash, "linewidth": mark.width,
        "marker": mark.marker or None, "markersize": mark.size, "zorder": order, **_rim(mark),
    }  # fmt: skip
    for place in range(count):
        label = mark.label if place == 0 else ""
        ax.plot(x[place % len(x)], y[place % len(y)], label=label or None, **given)


def _rim(mark: Line) -> dict[str, Any]:
    from matplotlib.patheffects import Normal, Stroke

    if mark.edge is None:
        return {}
    return {"path_effects": [Stroke(linewidth=mark.width + 1.6, foreground=color(mark.edge)), Normal()]}


def _arrows(ax: Axes, mark: Line, order: float) -> None:
    """Rows of two points, the head at the second."""
    x, y = rows(mark.x), rows(mark.y)
    shape: dict[str, Any] = {"angles": "xy", "scale_units": "xy", "scale": 1, "units": "inches", "width": mark.width / 72}
    rim: dict[str, Any] = {"edgecolor": color(mark.edge), "linewidth": 0.5} if mark.edge is not None else {}
    heads: dict[str, Any] = {"headwidth": 3.6, "headlength": 4.2, "headaxislength": 3.8, "minlength": 0.5}
    ax.quiver(
        x[:, 0], y[:, 0], x[:, 1] - x[:, 0], y[:, 1] - y[:, 0], color=color(mark.color), zorder=order, **shape, **heads, **rim
    )
    ax.update_datalim(np.column_stack([x.ravel(), y.ravel()]))


def _band(ax: Axes, mark: Band, order: float) -> None:
    look: dict[str, Any] = {"color": color(mark.color), "alpha": mark.alpha, "linewidth": 0, "zorder": order}
    ax.fill_between(np.asarray(mark.x), np.asarray(mark.low), np.asarray(mark.high), label=mark.label or None, **look)


def _errors(ax: Axes, mark: ErrorBars, order: float) -> None:
    low, high = (np.asarray(end, dtype=np.float64) for end in (mark.low, mark.high))
    at, middle, reach = np.asarray(mark.at, dtype=np.float64), (low + high) / 2, (high - low) / 2
    look: dict[str, Any] = {
        "fmt": "none",
        "ecolor": color(mark.color),
        "alpha": mark.alpha,
        "elinewidth": mark.width,
        "capsize": mark.cap,
    }
    given = {"x": middle, "y": at, "xerr": reach} if mark.flat else {"x": at, "y": middle, "yerr": reach}
    ax.errorbar(**given, label=mark.label or None, zorder=order, **look)


def _points(ax: Axes, mark: Points, order: float) -> None:
    open_sign = mark.marker in "x+_|"
    look: dict[str, Any] = {"marker": mark.marker, "s": np.square(np.asarray(mark.size)), "alpha": mark.alpha, "zorder": order}
    if mark.values is not None:
        look |= {"c": np.asarray(mark.values), **colours(mark.scale or Scale.of(mark.values))}
    elif mark.hollow:
        look |= {"facecolors": "none", "edgecolors": color(mark.color)}
    else:
        look |= {"color": color(mark.color)}
    if not mark.hollow and not open_sign:
        look |= {"edgecolors": "none" if mark.edge is None else color(mark.edge)}
    look["linewidths"] = 1.2 if open_sign or mark.hollow else 0.7 if mark.edge is not None else 0
    placed: dict[str, Any] = {} if mark.where == IN_DATA else {"transform": transform(ax, mark.where), "clip_on": False}
    drawn = ax.scatter(np.asarray(mark.x), np.asarray(mark.y), label=mark.label or None, **look, **placed)
    if mark.values is not None and mark.scale is not None and mark.scale.label:
        colour_bar(ax, drawn, mark.scale)


def _bars(ax: Axes, mark: Bars, order: float) -> None:
    at, end = (np.asarray(side, dtype=np.float64) for side in (mark.at, mark.end))
    start = np.broadcast_to(np.asarray(mark.start, dtype=np.float64), end.shape)
    paint: Any = color(mark.color) if mark.colors is None else [color(one) for one in mark.colors]
    if mark.values is not None and mark.scale is not None:
        paint = _painted(ax, np.asarray(mark.values), mark.scale)
    edge = "#ffffff" if mark.hatch and mark.edge is None else None if mark.edge is None else color(mark.edge)
    look: dict[str, Any] = {
        "color": paint,
        "alpha": mark.alpha,
        "hatch": mark.hatch or None,
        "edgecolor": edge,
        "zorder": order,
    }
    look["linewidth"] = 0.6 if edge else 0
    width = np.asarray(mark.width)
    if mark.flat:
        ax.barh(at, end - start, height=cast("Any", width), left=start, label=mark.label or None, **look)
    else:
        ax.bar(at, end - start, width=cast("Any", width), bottom=start, label=mark.label or None, **look)
    for place, top, base, words in zip(at.tolist(), end.tolist(), start.tolist(), mark.texts, strict=False):
        side = 1 if top >= base else -1
        spot, move = ((top, place), (4 * side, 0)) if mark.flat else ((place, top), (0, 3 * side))
        align = ("left" if side > 0 else "right", "center") if mark.flat else ("center", "bottom" if side > 0 else "top")
        ax.annotate(
            words, spot, move, textcoords="offset points", ha=align[0], va=align[1], fontsize=7.5, annotation_clip=False
        )


def _painted(ax: Axes, values: Array, scale: Scale) -> Any:
    """The colours of numbers; with a bar of colours beside the axes where the scale has a label."""
    from matplotlib.cm import ScalarMappable

    shades = ScalarMappable(**colours(scale))
    if scale.label:
        colour_bar(ax, shades, scale)
    return shades.to_rgba(values)


def _image(ax: Axes, mark: Image, order: float) -> None:
    pixels, target, box = np.asarray(mark.pixels), ax, mark.box
    if mark.where == "axes" and box is not None:
        target = ax.inset_axes((box[0], box[2], box[1] - box[0], box[3] - box[2]))
        target.set(xticks=[], yticks=[], anchor=mark.anchor)
        target.patch.set_visible(False)
        _frame(target, visible=bool(np.isfinite(pixels).all()))
        box = None
    shown = np.clip((pixels - mark.scale.low) / (mark.scale.high - mark.scale.low or 1.0), 0, 1) if pixels.ndim == 3 else pixels
    look: dict[str, Any] = {} if pixels.ndim == 3 else colours(mark.scale)
    drawn = target.imshow(
        shown, extent=box, origin="upper" if box is None else "lower", aspect="equal" if target is not ax else ax.get_aspect(),
        interpolation="bilinear" if mark.smooth else "nearest", alpha=mark.alpha, zorder=order, **look,
    )  # fmt: skip
    if mark.scale.label:
        colour_bar(ax, drawn, mark.scale)
    if mark.crosses:
        down, across = np.nonzero(~np.isfinite(pixels))
        target.plot(across, down, "x", color="black", markersize=3, markeredgewidth=0.8, zorder=order)
    if len(mark.levels):
        _contours(ax, mark, order)


def _frame(ax: Axes, *, visible: bool) -> None:
    for side in ("top", "right", "left", "bottom"):
        ax.spines[side].set(visible=visible, color=FRAME, linewidth=0.5)


def _contours(ax: Axes, mark: Image, order: float) -> None:
    down, across = mark.pixels.shape[:2]
    left, right, bottom, top = mark.box or (-0.5, across - 0.5, down - 0.5, -0.5)
    x, y = (middles(*ends) for ends in ((left, right, across), (bottom, top, down)))
    texts = dict(zip(mark.levels, mark.texts, strict=False))
    lines = ax.contour(
        x, y, mark.pixels, levels=list(mark.levels), colors=color(mark.color), zorder=order,
        linewidths=[2.2 if level == 0 and len(mark.levels) > 1 else mark.width for level in mark.levels],
        linestyles=["--" if level < 0 else "-" for level in mark.levels],
    )  # fmt: skip
    if texts:
        ax.clabel(lines, fontsize=7, fmt=cast("Any", texts), levels=[level for level in mark.levels if level in texts])


def middles(low: float, high: float, count: int) -> Array:
    """The middles of so many even pieces."""
    half = (high - low) / (2 * count)
    return np.linspace(low + half, high - half, count)


def colour_bar(ax: Axes, drawn: Drawn, scale: Scale) -> None:
    """A bar of colours beside the axes."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    bar: Any = ax.figure.colorbar(drawn, ax=ax, label=scale.label)
    if scale.log:
        bar.set_ticks(_powers(scale.low, scale.high))
        bar.ax.yaxis.set_minor_formatter(NullFormatter())
        bar.ax.yaxis.set_major_formatter(FuncFormatter(_two_digits))


def _powers(low: float, high: float) -> Array:
    """The powers of ten between two numbers, or where they are less than two, four numbers between them."""
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    return np.logspace(first, last, last - first + 1) if last > first else np.geomspace(low, high, 4)


def _two_digits(value: float, _position: int | None = None) -> str:
    return decimal(float(f"{value:.2g}"))


def _text(ax: Axes, mark: Text, order: float) -> None:
    words = [mark.text] if isinstance(mark.text, str) else mark.text
    paints = [color(one) for one in mark.colors or (mark.color,) * len(words)]
    look: dict[str, Any] = {"ha": mark.across, "va": mark.up, "fontsize": mark.size, "zorder": order, "alpha": mark.alpha}
    look |= {"fontweight": "bold" if mark.bold else "normal", "annotation_clip": False if mark.where != IN_DATA else None}
    look |= {"family": "monospace"} if mark.mono else {}
    if mark.framed:
        look["bbox"] = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": INK, "linewidth": 0.6}
    spots = np.column_stack([np.atleast_1d(np.asarray(side, dtype=np.float64)) for side in (mark.x, mark.y)]).tolist()
    units: Any = tuple("data" if unit == "data" else "axes fraction" for unit in mark.where)
    if mark.where == IN_DATA:
        ax.update_datalim(list(spots))
    for spot, said, paint in zip(spots, words, paints, strict=True):
        ax.annotate(
            said, spot, mark.offset, xycoords=units, textcoords="offset points",
            color="#000000" if mark.framed else paint, **look,
        )  # fmt: skip


def _rule(ax: Axes, mark: Rule, order: float) -> None:
    look: dict[str, Any] = {"color": color(mark.color), "alpha": mark.alpha, "zorder": order}
    axes: Any = ax
    label = mark.label or None
    for value, one, strip in ((mark.x, axes.axvline, axes.axvspan), (mark.y, axes.axhline, axes.axhspan)):
        if isinstance(value, tuple):
            strip(*value, label=label, linewidth=0, **look)
        elif value is not None:
            one(value, label=label, linestyle=mark.dash, linewidth=mark.width, **look)
            label = None


DRAW: Mapping[type[Mark], Callable[[Axes, Any, float], None]] = {
    Line: _line, Band: _band, ErrorBars: _errors, Points: _points, Bars: _bars, Image: _image, Text: _text, Rule: _rule,
}  # fmt: skip


def draw_marks(ax: Axes, marks: Iterable[Mark]) -> None:
    """Each mark over those before it."""
    for place, mark in enumerate(marks):
        DRAW[type(mark)](ax, mark, 1.5 + place / 1000)


def draw_surface(ax: Any, mark: Surface) -> None:
    """A surface, into axes of three dimensions."""
    across, up = np.meshgrid(np.asarray(mark.x), np.asarray(mark.y))
    look: dict[str, Any] = {"rcount": 40, "ccount": 40, "linewidth": 0.15, "edgecolor": "#00000033"}
    ax.plot_surface(across, up, np.asarray(mark.z), **look, **colours(mark.scale))
