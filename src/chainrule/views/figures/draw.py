"""Views drawn by matplotlib: panels with their axes and legends, spaces, tables, and all of them in one figure."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from chainrule.errors import OptionError
from chainrule.views.figures.figure import new_figure
from chainrule.views.figures.marks import draw_marks, draw_surface
from chainrule.views.figures.style import FAINT, style
from chainrule.views.figures.subplots import subplots
from chainrule.views.marks import Bars, Image, Points
from chainrule.views.panels import Axis, Panel, Part, Sheet, Space, Table
from chainrule.views.scales import logarithmic

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PLACES: Mapping[str, Mapping[str, Any]] = {
    "top": {"loc": "upper right", "ncols": 6, "columnspacing": 1.2, "handletextpad": 0.5},
    "right": {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)},
    "above": {"loc": "lower right", "bbox_to_anchor": (1.0, 1.0), "ncols": 6, "borderaxespad": 0.0},
    "below": {"loc": "upper center", "bbox_to_anchor": (0.5, -0.16), "ncols": 3},
}
"""Legends that do not stand in a corner."""
MANY = 8
"""Legends with more entries have two columns."""
FACES: Mapping[str, Any] = {"frameon": True, "framealpha": 0.85, "edgecolor": "none"}
SMALL = 8.5
BOLD, LETTER = 1.15, 0.45
"""How much wider a bold letter is than others; how wide a letter is, in its size, where axes grow by a fifth once they are laid out."""

ABOVE = 22.0
"""Points between axes and title where the legend stands between them."""
LINE, LEAST = 1.2, 4.0
"""How high a line is, in its size; the smallest letters, in points."""


def sheet_figure(sheet: Sheet, *, caption: bool) -> Figure:
    """A figure of its own, with the sentence on how to read it below where the `caption` is wanted."""
    with style():
        figure, ax = new_figure(sheet.size, _projection(sheet))
        draw_sheet(sheet, ax)
        if caption:
            figure.supxlabel(wrapped(sheet.reading, sheet.size[0]), fontsize=8, x=0.02, ha="left", color=FAINT)
    return figure


def wrapped(text: str, inches: float) -> str:
    """The text in lines that fit below a figure of this width."""
    return "\n".join(textwrap.wrap(text, max(30, int(inches * 16.5))))


def draw_sheet(sheet: Sheet, ax: Axes | None = None) -> Axes:
    """Draws into the axes, or into those of a new figure: a single panel into the axes themselves, several in their place."""
    with style():
        ax = new_figure(sheet.size, _projection(sheet))[1] if ax is None else ax
        # A legend above the axes has a line of its own: how wide they become is not known yet.
        stacked = len(sheet.panels) == 1 and getattr(sheet.panels[0], "legend", "") == "above"
        ax.set_title(sheet.title, pad=ABOVE if stacked else None)
        if len(sheet.panels) == 1:
            _draw(ax, sheet.panels[0])
            return ax
        kinds = {place: "3d" for place, part in enumerate(sheet.panels) if isinstance(part, Space)}
        places = subplots(ax, *sheet.grid, projections=kinds, legend=sheet.legend)
        for place, part in zip(places, sheet.panels, strict=False):
            _draw(place, part)
            place.set_title(part.title, fontsize=SMALL, fontweight="normal")
        for place in places[len(sheet.panels) :]:
            place.set_axis_off()
        if sheet.legend:
            _common_legend(ax, places)
    return ax


def _projection(sheet: Sheet) -> str | None:
    return "3d" if len(sheet.panels) == 1 and isinstance(sheet.panels[0], Space) else None


def _common_legend(ax: Axes, places: list[Axes]) -> None:
    found: Any = places[0].get_legend_handles_labels()
    look: dict[str, Any] = {"loc": "upper left", "ncols": 10, "fontsize": 7.5, "handletextpad": 0.4, "columnspacing": 0.8}
    ax.legend(*found, bbox_to_anchor=(0.0, 1.01), borderaxespad=0.0, markerscale=1.5, **look)


def _draw(ax: Axes, part: Part) -> None:
    PARTS[part.kind](ax, part)


def _panel(ax: Axes, panel: Panel) -> None:
    if panel.equal:
        ax.set_aspect("equal")
    draw_marks(ax, panel.marks)
    if not any(isinstance(mark, Image) and mark.box is None for mark in panel.marks):
        ax.margins(panel.x.margin, panel.y.margin)
        _tight(ax, panel)
    _axis(ax, "x", panel.x)
    _axis(ax, "y", panel.y)
    if panel.frame == "none":
        ax.set_axis_off()
    if panel.frame == "texts":
        ax.tick_params(length=0)
        ax.spines[["left", "bottom"]].set_visible(False)
    if panel.small:
        ax.tick_params(labelsize=7)
        ax.xaxis.label.set_fontsize(7.5)
        ax.yaxis.label.set_fontsize(7.5)
    _legend(ax, panel)


def _tight(ax: Axes, panel: Panel) -> None:
    """An image reaches to the axes, and bars stand on the axis that they begin at."""
    for mark in panel.marks:
        if isinstance(mark, Image) and mark.where == "data" and mark.box is not None:
            ax.margins(0.0, 0.0)
            ax.autoscale_view()


def _axis(ax: Axes, name: Literal["x", "y"], axis: Axis) -> None:
    ax.set(**{f"{name}label": axis.label})
    if axis.log:
        # Ticks are chosen by the ends, which are known before the axis is logarithmic.
        _ends(ax, name, axis)
        logarithmic(ax, name)
    if axis.at is not None:
        _ticks(ax, name, axis)
    elif axis.texts is not None:
        ax.set(**{f"{name}ticks": []})
    elif not axis.log:
        ax.ticklabel_format(axis=name, style="sci", scilimits=(-4, 5))
    _ends(ax, name, axis)
    if axis.at is not None and axis.texts and np.size(axis.at):
        _fit_texts(ax, name, axis.texts)
    if axis.room:
        ax.tick_params(axis=name, pad=axis.room)


def _fit_texts(ax: Axes, name: str, texts: Sequence[str]) -> None:
    """Words at ticks that would lie on each other are turned where they stand side by side, and become as small as they have room."""
    here, ends = (ax.xaxis, ax.get_xlim()) if name == "x" else (ax.yaxis, ax.get_ylim())
    labels, at = here.get_ticklabels(), np.sort(np.asarray(here.get_ticklocs(), dtype=np.float64))
    box = ax.get_window_extent()
    length = (box.width if name == "x" else box.height) / ax.figure.dpi * 72
    room = length * float(np.diff(at).min(initial=np.inf)) / max(abs(ends[1] - ends[0]), 1e-300)
    size, lines = float(labels[0].get_fontsize()), max(text.count("\n") + 1 for text in texts)
    longest = max(len(line) for text in texts for line in text.split("\n"))
    flat = name == "x" and not labels[0].get_rotation()
    if not (longest * LETTER if flat else LINE * lines) * size > room:
        return
    turned: dict[str, Any] = {"rotation": 45.0, "ha": "right", "rotation_mode": "anchor"} if flat else {}
    for label in labels:
        label.set(fontsize=max(LEAST, min(size, room / (LINE * lines))), **turned)


def _ends(ax: Axes, name: str, axis: Axis) -> None:
    if axis.ends is not None:
        low, high = {"x": ax.get_xlim, "y": ax.get_ylim}[name]()
        given = (low if axis.ends[0] is None else axis.ends[0], high if axis.ends[1] is None else axis.ends[1])
        ax.set(**{f"{name}lim": given})


def _ticks(ax: Axes, name: str, axis: Axis) -> None:
    here = ax.xaxis if name == "x" else ax.yaxis
    here.set_ticks([], minor=True)
    if axis.texts is None:
        here.set_ticks(np.asarray(axis.at))
        return
    turned: dict[str, Any] = {"rotation": axis.turn, "ha": "center" if axis.turn == 90 else "right"} if axis.turn else {}
    here.set_ticks(np.asarray(axis.at), list(axis.texts), fontsize=axis.size, **turned)


def _legend(ax: Axes, panel: Panel) -> None:
    named = [mark for mark in panel.marks if mark.label]
    if panel.legend == "none" or not named:
        return
    least = min((float(np.max(mark.size)) for mark in named if isinstance(mark, Points)), default=6.0)
    crowded = any(isinstance(mark, Image | Bars) or len(np.shape(getattr(mark, "y", 0))) > 1 for mark in panel.marks)
    placed = PLACES.get(
        panel.legend, {"loc": panel.legend, "ncols": 2 if len(named) > MANY else 1, **(FACES if crowded else {})}
    )
    size = 7.0 if panel.small else 8.0
    ax.legend(title=panel.legend_title or None, title_fontsize=size, fontsize=size, markerscale=max(1.0, 5.0 / least), **placed)


def _space(ax: Axes, part: Space) -> None:
    if ax.name != "3d":
        raise OptionError(
            f"a surface into axes of the kind {ax.name!r}",
            expected='axes of the kind "3d"',
            remedy='write figure.add_subplot(projection="3d"), or leave ax out',
        )
    solid: Any = ax
    for mark in part.marks:
        draw_surface(solid, mark)
    solid.set(xlabel=part.x.label, ylabel=part.y.label, zlabel=part.z.label)
    solid.view_init(elev=part.elevation, azim=part.azimuth)
    for axis in "xyz":
        solid.locator_params(axis=axis, nbins=4)
    # Else the label of the upright axis lies outside the figure.
    solid.set_box_aspect((4, 4, 3), zoom=part.zoom)


def _table(ax: Axes, table: Table) -> None:
    """A table of texts: the head in bold, a thin line below it; in small letters where it is wide."""
    ax.set_axis_off()
    lines = [table.headings, *table.texts()]
    # A column is as wide as its longest cell, which is enough for letters of different widths; those in bold are wider.
    lengths = np.array([max(BOLD * len(head), *map(len, column)) + 2 for head, *column in zip(*lines, strict=True)])
    points = ax.get_window_extent().width / ax.figure.dpi * 72 / float(lengths.sum()) / LETTER
    places, step = (np.cumsum(lengths) - lengths) / lengths.sum(), 1 / (max(len(lines) - 1, 10) + 1)
    for line, cells in enumerate(lines):
        look: dict[str, Any] = {
            "fontsize": min(7.5, points),
            "fontweight": "normal" if line else "bold",
            "transform": ax.transAxes,
        }
        for place, cell in zip(places.tolist(), cells, strict=True):
            ax.text(place, 1 - (line + 0.6) * step, cell, **look)
    ax.plot([0, 1], [1 - step * 0.95] * 2, color="#999999", linewidth=0.6, transform=ax.transAxes)


PARTS: Mapping[str, Callable[[Axes, Any], None]] = {"panel": _panel, "space": _space, "table": _table}
