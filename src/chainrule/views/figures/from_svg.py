"""Our own SVG drawings as figures of matplotlib, for PDF and PNG: a mark for each of the few elements of views/svg."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from chainrule.views.figures.figure import new_figure
from chainrule.views.figures.style import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.path import Path

INCH = 96.0
"""Units of a drawing to an inch, as browsers count."""
POINT = 72 / INCH
"""Points to a unit."""
SPACE = "{http://www.w3.org/2000/svg}"
ALIGN = {"start": "left", "middle": "center", "end": "right"}
POINTS_OF = {"M": 1, "L": 1, "Q": 2, "C": 3}
"""A path's letters and how many points each takes."""
TURNED = 0.5522847498
"""How far, in radii, the control points of a quarter of a circle stand from its ends."""


def svg_figure(svg: str) -> Figure:
    """The drawing as a figure of the same size.

    Raises: MissingPackageError without matplotlib.
    """
    root = ET.fromstring(svg)  # noqa: S314  (text that we wrote ourselves)
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    # Dashes are given in units, not in widths of the line.
    with style(**{"figure.constrained_layout.use": False, "lines.scale_dashes": False}):
        figure, ax = new_figure((width / INCH, height / INCH))
        ax.set_position((0, 0, 1, 1))
        ax.set(xlim=(0, width), ylim=(height, 0))
        ax.set_axis_off()
        for order, (tag, given, words) in enumerate(_marks(root, {"shift": (0.0, 0.0), "opacity": 1.0})):
            if tag == "text":
                _letter(ax, given, words, order)
            else:
                _draw(ax, SHAPES[tag](given), given, order)
    return figure


def _marks(parent: ET.Element, around: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Every mark in the order of drawing, with its attributes and what the groups around it say, and its text."""
    for child in parent:
        tag = child.tag.removeprefix(SPACE)
        given = {**around, **child.attrib, "opacity": around["opacity"] * float(child.get("opacity", 1.0))}
        if tag == "g":
            moved = [float(part) for part in re.findall(r"-?[\d.]+", given.pop("transform", "translate(0 0)"))]
            yield from _marks(child, {**given, "shift": (around["shift"][0] + moved[0], around["shift"][1] + moved[1])})
        elif tag in SHAPES or tag == "text":
            yield tag, given, child.text or ""


# ---- shapes


def _rectangle(given: Mapping[str, Any]) -> Path:
    x, y, width, height = (float(given.get(name, 0)) for name in ("x", "y", "width", "height"))
    radius = min(float(given.get("rx", 0)), width / 2, height / 2)
    left, top, right, bottom, far = x, y, x + width, y + height, radius * (1 - TURNED)
    if not radius:
        return _path(f"M{left} {top}L{right} {top}L{right} {bottom}L{left} {bottom}Z")
    return _path(
        f"M{left + radius} {top}L{right - radius} {top}C{right - far} {top} {right} {top + far} {right} {top + radius}"
        f"L{right} {bottom - radius}C{right} {bottom - far} {right - far} {bottom} {right - radius} {bottom}"
        f"L{left + radius} {bottom}C{left + far} {bottom} {left} {bottom - far} {left} {bottom - radius}"
        f"L{left} {top + radius}C{left} {top + far} {left + far} {top} {left + radius} {top}Z"
    )


def _circle(given: Mapping[str, Any]) -> Path:
    x, y, radius = (float(given.get(name, 0)) for name in ("cx", "cy", "r"))
    return _rectangle({"x": x - radius, "y": y - radius, "width": 2 * radius, "height": 2 * radius, "rx": radius})


def _line(given: Mapping[str, Any]) -> Path:
    x1, y1, x2, y2 = (float(given[name]) for name in ("x1", "y1", "x2", "y2"))
    return _path(f"M{x1} {y1}L{x2} {y2}")


def _polygon(given: Mapping[str, Any]) -> Path:
    return _path(f"M{given['points'].replace(' ', 'L').replace(',', ' ')}Z")


def _curve(given: Mapping[str, Any]) -> Path:
    return _path(given["d"])


SHAPES: Mapping[str, Callable[[Mapping[str, Any]], Path]] = {
    "rect": _rectangle, "circle": _circle, "line": _line, "polygon": _polygon, "path": _curve,
}  # fmt: skip


def _path(text: str) -> Path:
    """A path of the letters in POINTS_OF and Z, small ones counted from where the pen is, as matplotlib takes it."""
    from matplotlib.path import Path

    codes = {"M": Path.MOVETO, "L": Path.LINETO, "Q": Path.CURVE3, "C": Path.CURVE4}
    points: list[tuple[float, float]] = []
    kinds: list[Any] = []
    pen = (0.0, 0.0)
    for letter, rest in re.findall(r"([MLQCZmlqcz])([^MLQCZmlqcz]*)", text):
        upper = letter.upper()
        if upper == "Z":
            points.append(points[0])
            kinds.append(Path.CLOSEPOLY)
            continue
        base = pen if letter.islower() else (0.0, 0.0)
        numbers = [float(part) for part in re.findall(r"-?[\d.]+(?:e-?\d+)?", rest)]
        new = [(base[0] + x, base[1] + y) for x, y in zip(numbers[::2], numbers[1::2], strict=True)]
        points += new
        kinds += [codes[upper]] * POINTS_OF[upper]
        pen = new[-1]
    return Path(points, kinds)


def _draw(ax: Axes, path: Path, given: Mapping[str, Any], order: int) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.transforms import Affine2D

    shown = given["opacity"]
    dashes = [float(part) * POINT for part in re.findall(r"[\d.]+", given.get("stroke-dasharray", ""))]
    moved = path.transformed(Affine2D().translate(*given["shift"]))
    patch = PathPatch(
        moved,
        facecolor=_colour(given.get("fill", "#000000"), shown * float(given.get("fill-opacity", 1))),
        edgecolor=_colour(given.get("stroke", "none"), shown * float(given.get("stroke-opacity", 1))),
        linewidth=float(given.get("stroke-width", 1)) * POINT,
        linestyle=(0, dashes) if dashes else "solid",
        antialiased=given.get("shape-rendering") != "crispEdges",
        snap=False,
        zorder=order,
        clip_on=False,
    )
    ax.add_artist(patch)


def _letter(ax: Axes, given: Mapping[str, Any], words: str, order: int) -> None:
    from matplotlib.patheffects import Stroke

    (dx, dy), rim = given["shift"], float(given.get("stroke-width", 0)) if "stroke" in given else 0.0
    drawn = ax.text(
        float(given["x"]) + dx,
        float(given["y"]) + dy,
        words,
        color=_colour(given["fill"], given["opacity"]),
        fontsize=float(given.get("font-size", 16)) * POINT,
        fontweight=given.get("font-weight", "normal"),
        horizontalalignment=ALIGN[given.get("text-anchor", "start")],
        verticalalignment="baseline",
        zorder=order,
    )
    if rim:
        drawn.set_path_effects([Stroke(linewidth=rim * POINT, foreground=given["stroke"])])


def _colour(name: str, opacity: float) -> Any:
    return "none" if name == "none" else (name, opacity)
