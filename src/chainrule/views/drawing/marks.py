"""The marks of a graph drawing: boxes whose shape and colour say what they are, arrows, frames, and the legend."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.graph import Array
from chainrule.views.colours import SERIES
from chainrule.views.drawing.folding import Box, Kind
from chainrule.views.drawing.lettering import LARGE, SMALL, TextLine, text_width
from chainrule.views.plain import printable
from chainrule.views.svg import attributes, element, number, text, title

COLOURS: dict[Kind, str] = {
    "input": SERIES[5], "parameter": SERIES[4], "constant": "var(--faint)", "op": "var(--faint)", "folded": "var(--ink)",
}  # fmt: skip
MEANING: dict[Kind, str] = {
    "input": "input", "parameter": "parameter", "constant": "constant", "op": "op", "folded": "folded scope",
}  # fmt: skip
LINE_HEIGHT = {LARGE: 16.0}
PADDING = 9.0
STACK = 4.0
"""How far the cards behind a folded scope look out."""
BORDER = 7.0
"""What the double border of an output adds to both sides together."""
HALO = 4.0
"""Keeps a name readable where an arrow runs behind it."""


def _heights(lines: Sequence[TextLine]) -> list[float]:
    return [LINE_HEIGHT.get(line.size, line.size + 3.5) for line in lines]


def box_size(box: Box, lines: Sequence[TextLine]) -> tuple[float, float]:
    """Width and height of a box that holds these lines, with the cards behind it and the double border where it has them."""
    ends = 14.0 if box.kind in {"input", "parameter"} else PADDING
    width = max(line.width for line in lines) + 2 * ends
    height = sum(_heights(lines)) + (5.0 if box.kind == "constant" else 8.0)
    extra = _extra(box)
    return (max(width, 30.0 if box.kind == "constant" else 52.0) + extra, height + extra)


def _extra(box: Box) -> float:
    return (STACK if box.kind == "folded" else 0.0) + (BORDER if box.outputs else 0.0)


def box_mark(
    box: Box, centre: Sequence[float], size: Sequence[float], lines: Sequence[TextLine], *, badge: str, words: str, place: str
) -> str:
    """A box with its lines, a double border if it leaves the graph; `badge` is its number, `place` tells it apart."""
    x, y = centre
    width, height = (side - _extra(box) for side in size)
    parts = [title(words)]
    if box.outputs:
        parts.append(_shape(box.kind, x, y, size[0], size[1], outline="var(--right)"))
    if box.kind == "folded":
        x, y = x - STACK / 2, y + STACK / 2
        parts += [_shape(box.kind, x + shift, y - shift, width, height) for shift in (STACK, STACK / 2)]
    parts.append(_shape(box.kind, x, y, width, height))
    top = y - sum(_heights(lines)) / 2
    for line, tall in zip(lines, _heights(lines), strict=True):
        look: dict[str, Any] = {"font_size": line.size, "font_weight": line.weight, "fill": f"var(--{line.colour})"}
        parts.append(text(x, top + tall * 0.76, line.text, text_anchor="middle", **look))
        top += tall
    if badge:
        # On a small box it hangs at the corner, off the only line.
        aside = text_width(badge, 8.5) - 2 if box.kind == "constant" else 3
        parts.append(_badge(x - width / 2 - aside, y - height / 2 - 5, badge))
    return element("g", "".join(parts), class_=box.kind, data_box=place)


def _badge(left: float, top: float, words: str) -> str:
    width = text_width(words, 8.5) + 6
    return element("rect", x=left, y=top, width=width, height=11.5, rx=5.5, fill="var(--paper)", stroke="var(--line)") + text(
        left + width / 2, top + 8.8, words, text_anchor="middle", font_size=8.5
    )


def _shape(kind: Kind, x: float, y: float, width: float, height: float, outline: str = "") -> str:
    colour = outline or COLOURS[kind]
    paint: dict[str, Any] = {
        "fill": "none"
        if outline
        else "var(--paper)"
        if kind in {"constant", "folded"}
        else "var(--panel)"
        if kind == "op"
        else colour,
        "fill_opacity": None if outline or kind not in {"input", "parameter"} else 0.22,
        "stroke": colour,
        "stroke_width": 1.6 if outline or kind in {"input", "parameter"} else 1.0,
        "stroke_dasharray": "3 2" if kind == "constant" and not outline else None,
    }
    left, right, top, bottom = x - width / 2, x + width / 2, y - height / 2, y + height / 2
    if kind == "parameter":
        cut = min(9.0, height / 3)
        corners = [(left + cut, top), (right - cut, top), (right, y), (right - cut, bottom), (left + cut, bottom), (left, y)]
        return element("polygon", points=" ".join(f"{number(a)},{number(b)}" for a, b in corners), **paint)
    rounding = height / 2 if kind == "input" else 6.0 if kind == "op" else 3.0
    return element("rect", x=left, y=top, width=width, height=height, rx=rounding, **paint)


def arrow_mark(points: Array, words: str, *, uses: int = 1, faint: bool = False, place: str = "") -> str:
    """A spline with a head at its end; one that stands for many uses is wider."""
    tip, before = points[-1], _last_other(points)
    along = (tip - before) / max(float(np.hypot(*(tip - before))), 1e-9)
    size = 4.0 if faint else 5.5
    base, aside = tip - 1.5 * size * along, 0.6 * size * np.array([-along[1], along[0]])
    colour = "var(--faint)"
    head = " ".join(f"{number(float(a))},{number(float(b))}" for a, b in (tip, base + aside, base - aside))
    line = element(
        "path", d=_path([*points[:-1], base]), fill="none", stroke=colour, stroke_width=1.1 + 0.3 * min(uses - 1, 5),
        stroke_dasharray="2 3" if faint else None,
    )  # fmt: skip
    return element(
        "g", title(words) + line + element("polygon", points=head, fill=colour), class_="stored" if faint else "edge",
        data_edge=place or None, opacity=0.8 if faint else None,
    )  # fmt: skip


def _last_other(points: Array) -> Array:
    """The last control point that is not the tip: the direction in which the spline arrives."""
    for point in points[-2::-1]:
        if float(np.hypot(*(points[-1] - point))) > 1e-9:
            return point
    return points[0]


def _path(points: Sequence[Array]) -> str:
    pairs = [f"{number(float(x))} {number(float(y))}" for x, y in points]
    curves = (f"C{pairs[i]} {pairs[i + 1]} {pairs[i + 2]}" for i in range(1, len(pairs) - 1, 3))
    return f"M{pairs[0]}{''.join(curves)}"


def frame_mark(box: Sequence[float], words: str) -> str:
    """The frame of an open scope."""
    left, top, right, bottom = box
    look: dict[str, Any] = {"rx": 8, "fill": "none", "stroke": "var(--faint)", "stroke_dasharray": "6 3"}
    outline = element("rect", x=left, y=top, width=right - left, height=bottom - top, **look)
    return element("g", title(words) + outline, class_="frame")


def frame_name(box: Sequence[float], name: str) -> str:
    """The name of a frame at its upper left, cut where the frame is narrow."""
    room = int((box[2] - box[0] - 16) / (SMALL + 1) / 0.7)
    words = printable(name, most=max(room, 4))
    return text(box[0] + 8, box[1] + 14, words, font_size=SMALL + 1, font_weight="bold", fill="var(--faint)", halo=HALO)


def legend(kinds: Sequence[Kind], y: float, width: float, extras: Sequence[str]) -> tuple[str, float]:
    """A sample of each kind that occurs, with its name, in lines as wide as the drawing; and how high it is."""
    parts: list[str] = []
    x, top = 0.0, y + 12
    for kind in kinds:
        room = 34 + text_width(MEANING[kind], SMALL) + 16
        if x and x + room > width:
            x, top = 0.0, top + 20
        parts.append(_shape(kind, x + 13, top, 24, 13))
        parts.append(text(x + 31, top + 3.5, MEANING[kind], font_size=SMALL))
        x += room
    for words in extras:
        room = text_width(words, SMALL) + 18
        if x and x + room > width:
            x, top = 0.0, top + 20
        parts.append(text(x, top + 3.5, words, font_size=SMALL, fill="var(--faint)"))
        x += room
    return element("g", "".join(parts), class_="legend"), top + 12 - y


def heading(name: str, reading: str, width: float) -> tuple[str, float]:
    """The title and the sentence on how to read the drawing, above it; and how high they are."""
    parts = [text(0.0, 13.0, printable(name, most=90), font_size=14.0, font_weight="bold")]
    lines = textwrap.wrap(reading, max(40, int(width / SMALL / 0.58)))
    parts += [text(0.0, 29.0 + 13 * i, line, font_size=SMALL, fill="var(--faint)") for i, line in enumerate(lines)]
    return "".join(parts), 29.0 + 13 * len(lines) + 8


def group(content: str, dx: float, dy: float) -> str:
    """Content moved to a place."""
    return f"<g{attributes(transform=f'translate({number(dx)} {number(dy)})')}>{content}</g>" if content else ""
