"""The colours of every view: few, told apart by every kind of colour vision, each with its meaning, for light and dark pages."""

from __future__ import annotations

import numpy as np

from chainrule.graph import Array

CSS_VARIABLES = {
    "ink": ("#1b1f24", "#e6e6e6"),
    "paper": ("#ffffff", "#16181c"),
    "faint": ("#6b7280", "#9aa3af"),
    "line": ("#d4d7dc", "#3a3f47"),
    "panel": ("#f5f6f8", "#20242a"),
    "positive": ("#b35806", "#f1a340"),
    "negative": ("#4575b4", "#8fb8e8"),
    "right": ("#1b7f5c", "#4fc3a1"),
    "wrong": ("#b2182b", "#ff7b7b"),
}
"""Each colour by its meaning: (on a light page, on a dark page)."""


def css_variables(place: int) -> str:
    """The colours as variables of a style: 0 for a light page, 1 for a dark one."""
    return ";".join(f"--{name}:{pair[place]}" for name, pair in CSS_VARIABLES.items())


SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a8a8a", "#7f5f00")
"""Colours of curves that must be told apart. Source: M. Okabe, K. Ito, Color Universal Design (2008)."""
SEQUENTIAL = "cividis"
"""matplotlib's map for sizes, from little to much."""
DIVERGING = "chainrule signed"
"""Our map for signed numbers, as matplotlib is told: blue below 0, near white at 0, orange above."""

SIGNED = ("#4575b4", "#f7f7f7", "#b35806")
"""The map's ends and its middle."""
_DIVERGING_POINTS = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in SIGNED], dtype=float)


def signed_colour(share: float) -> str:
    """A colour for a number between −1 (blue) and 1 (orange), near white at 0.

    >>> signed_colour(0.0), signed_colour(-1.0), signed_colour(5.0)
    ('#f7f7f7', '#4575b4', '#b35806')
    """
    return _hex(_mixed(_DIVERGING_POINTS, (max(-1.0, min(1.0, share)) + 1) / 2))


def grey(share: float) -> str:
    """Brightness for a number between 0 (black) and 1 (white).

    >>> grey(0.0), grey(1.0)
    ('#000000', '#ffffff')
    """
    return _hex(np.full(3, 255 * max(0.0, min(1.0, share))))


def _mixed(points: Array, place: float) -> Array:
    spot = place * (len(points) - 1)
    low = min(int(spot), len(points) - 2)
    return points[low] + (points[low + 1] - points[low]) * (spot - low)


def _hex(colour: Array) -> str:
    return "#{:02x}{:02x}{:02x}".format(*(round(float(part)) for part in colour))
