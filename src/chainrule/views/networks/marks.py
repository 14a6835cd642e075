"""The marks of a network drawing: circles for neurons, lines for weights, boxes, images, as SVG elements."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.graph import Array
from chainrule.numerals import printed
from chainrule.views.colours import CSS_VARIABLES, grey
from chainrule.views.svg import element, text, title

DASHES = "5 3"
"""How a negative weight's line is broken."""
LARGEST_IMAGE = 56
"""Larger images are drawn smaller, each of their squares the mean of several pixels."""


def weight_line(start: tuple[float, float], end: tuple[float, float], weight: float, largest: float, words: str) -> str:
    """A weight: as wide as large, unbroken where positive, dashed where negative; what is no number is dotted and crossed."""
    line: dict[str, Any] = {"x1": float(start[0]), "y1": float(start[1]), "x2": float(end[0]), "y2": float(end[1])}
    if not math.isfinite(weight):
        middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
        dotted = element("line", stroke="var(--wrong)", stroke_width=1.5, stroke_dasharray="1.5 3", **line)
        return element("g", title(words) + dotted + cross(middle, 4.0), class_="weight not-finite")
    share = abs(weight) / largest if largest > 0 else 0.0
    sign = "positive" if weight > 0 else "negative" if weight < 0 else "zero"
    return element(
        "line",
        title(words),
        class_=f"weight {sign}",
        stroke=f"var(--{sign})" if weight else "var(--line)",
        stroke_width=0.4 + 3.0 * share,
        stroke_opacity=0.2 + 0.75 * share if weight else 1.0,
        stroke_dasharray=DASHES if weight < 0 else None,
        **line,
    )


def plain_line(start: tuple[float, float], end: tuple[float, float], kind: str) -> str:
    """A connection without a number: a weight that is not known yet, or what flows into and out of a box."""
    return element("line", class_=kind, x1=start[0], y1=start[1], x2=end[0], y2=end[1], stroke="var(--faint)", stroke_width=0.7)


def cross(middle: tuple[float, float], arm: float) -> str:
    """A cross: here is no number."""
    x, y = middle
    path = f"M{x - arm:.2f} {y - arm:.2f}l{2 * arm:.2f} {2 * arm:.2f}m0 {-2 * arm:.2f}l{-2 * arm:.2f} {2 * arm:.2f}"
    return element("path", class_="cross", d=path, stroke="var(--wrong)", stroke_width=1.6, fill="none")


def neuron(x: float, y: float, radius: float, value: float | None, scale: float, words: str) -> str:
    """A neuron: black at 0, white at the scale; blue with a dashed rim below 0, crossed where its value is no number."""
    known = value is not None and math.isfinite(value)
    share = min(1.0, abs(value) / scale) if value is not None and known else 0.0
    below = value is not None and known and value < 0
    fill = "var(--panel)" if not known else _blue(share) if below else grey(share)
    circle = element(
        "circle",
        cx=x, cy=y, r=radius, fill=fill, stroke="var(--negative)" if below else "var(--ink)", stroke_width=2.0 if below else 1.2,
        stroke_dasharray="3 2" if below else None,
    )  # fmt: skip
    inside = ""
    if value is not None and not known:
        inside = cross((x, y), 0.5 * radius)
    elif value is not None and radius >= 9:
        inside = _number(x, y, radius, value, share)
    return element("g", title(words) + circle + inside, class_="neuron" if known or value is None else "neuron not-finite")


def _number(x: float, y: float, radius: float, value: float, share: float) -> str:
    shown = short(value)
    size = min(11.0, radius * 1.55 / (0.56 * len(shown)))
    return text(x, y + 0.35 * size, shown, font_size=size, text_anchor="middle", fill="#000" if share > 0.5 else "#fff")


def _blue(share: float) -> str:
    dark = CSS_VARIABLES["negative"][1]
    parts = (int(dark[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{round(share * part):02x}" for part in parts)


def short(value: float) -> str:
    """A number in a few letters, as it fits into a neuron.

    >>> short(0.974), short(-12.34), short(34567.0), short(0.0)
    ('0.97', '−12', '3.5×10⁴', '0')
    """
    if value == 0:
        return "0"
    size = abs(value)
    return printed(f"{value:.2f}" if size < 9.995 else f"{value:.0f}" if size < 999.5 else f"{value:.1e}")


def bias_stub(x: float, y: float, radius: float, bias: float, largest: float, words: str) -> str:
    """A bias: a short line into the neuron from above, drawn as a weight is."""
    start, end = (x - 1.5 * radius, y - 1.5 * radius), (x - 0.71 * radius, y - 0.71 * radius)
    return element("g", weight_line(start, end, bias, largest, words), class_="bias")


def dots(x: float, y: float, step: float) -> str:
    """Three dots below each other, `step` apart: here neurons are left out."""
    return element(
        "g", "".join(element("circle", cx=x, cy=y + step * k, r=0.9, fill="var(--faint)") for k in (-1, 0, 1)), class_="dots"
    )


def image(x: float, y: float, side: float, pixels: Array, low: float, high: float, words: str) -> str:
    """An image (height, width) or (height, width, 3) as squares; equal neighbours in a row are one."""
    shown = np.clip((_reduced(np.asarray(pixels, dtype=np.float64)) - low) / ((high - low) or 1.0), 0.0, 1.0)
    # What is no number is drawn black.
    levels = np.round(255 * np.nan_to_num(shown)).astype(int)
    height, width = levels.shape[:2]
    square = side / max(height, width)
    frame: dict[str, Any] = {"x": x, "y": y, "width": width * square, "height": height * square}
    # Only the squares are sharp: a sharp frame of an odd width lies on one side or the other.
    parts = [element("rect", fill="#000", stroke="var(--faint)", shape_rendering="auto", **frame)]
    for row in range(height):
        parts += _runs(x, y + row * square, square, levels[row])
    return element("g", title(words) + "".join(parts), class_="image", shape_rendering="crispEdges")


def _runs(x: float, y: float, square: float, row: Array) -> list[str]:
    colours = [_colour(level) for level in row.tolist()]
    ends = [i for i in range(1, len(colours) + 1) if i == len(colours) or colours[i] != colours[i - 1]]
    starts = [0, *ends[:-1]]
    return [
        element("rect", x=x + i * square, y=y, width=(j - i) * square, height=square, fill=colours[i])
        for i, j in zip(starts, ends, strict=True)
        if colours[i] != "#000000"
    ]


def _colour(level: int | list[int]) -> str:
    parts = level if isinstance(level, list) else [level] * 3
    return "#" + "".join(f"{part:02x}" for part in parts)


def _reduced(pixels: Array) -> Array:
    step = math.ceil(max(pixels.shape[:2]) / LARGEST_IMAGE)
    if step == 1:
        return pixels
    height, width = (max(1, extent // step) for extent in pixels.shape[:2])
    cut = pixels[: height * step, : width * step]
    return cut.reshape(height, min(step, cut.shape[0]), width, min(step, cut.shape[1]), *pixels.shape[2:]).mean(axis=(1, 3))
