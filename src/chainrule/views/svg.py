"""Drawings as SVG text: a few elements, every text in them escaped, colours as numbers that any program reads and as names for pages."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Iterable
from html import escape

from chainrule.views.colours import CSS_VARIABLES, css_variables

ALLOWED_BREAKS = "\t\n"
FONTS = "DejaVu Sans, Verdana, system-ui, sans-serif"
"""Letters of one width wherever a drawing is seen: its places are counted by them, and matplotlib brings the first."""
LINE = 15.0
"""The height of a line of small text."""
LETTER = 6.0
"""The usual width of a letter of small text."""
NAMED = re.compile(r"var\(--([a-z]+)\)")
"""A colour by its meaning, as the marks name it."""


def clean(text: object) -> str:
    r"""The text for markup: special characters escaped, and what no XML may hold (control characters) shown as �.

    >>> clean("<b>&\x00")
    '&lt;b&gt;&amp;�'
    """
    given = str(text)
    return escape(given if given.isprintable() else "".join(map(_shown, given)), quote=True)


def _shown(letter: str) -> str:
    # Marks that turn the direction of what follows would reach into the texts beside them.
    if letter in ALLOWED_BREAKS:
        return " "
    return letter if letter.isprintable() else "�"


def attributes(**given: object) -> str:
    """Attributes of an element: `stroke_width=2` becomes stroke-width="2"; a name may end with _ where Python has the word (class_).

    A colour by its meaning, `fill="var(--ink)"`, becomes the colour of a light page, and beside it its name, by which `look` gives it the
    page's colour: programs that know no variables (LaTeX's, those of slides) draw what a light page shows.

    >>> attributes(fill="var(--ink)", stroke_width=2.0)
    ' fill="#1b1f24" data-fill="ink" stroke-width="2"'
    """
    return "".join(f' {name.rstrip("_").replace("_", "-")}="{value}"' for name, value in _written(given))


def _written(given: dict[str, object]) -> Iterable[tuple[str, str]]:
    for name, value in given.items():
        if value is None:
            continue
        meant = NAMED.fullmatch(str(value)) if name in {"fill", "stroke"} else None
        if meant is None:
            yield name, clean(number(value) if isinstance(value, float) else value)
        else:
            yield name, CSS_VARIABLES[meant[1]][0]
            yield f"data-{name}", meant[1]


def number(value: float) -> str:
    """A coordinate with two digits behind the point, none where they are 0.

    >>> number(3.0), number(2.345678), number(-0.0001)
    ('3', '2.35', '0')
    """
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def element(tag: str, content: str = "", **given: object) -> str:
    """An element around content that is markup already."""
    return f"<{tag}{attributes(**given)}>{content}</{tag}>" if content else f"<{tag}{attributes(**given)}/>"


def text(x: float, y: float, words: object, *, halo: float = 0.0, **given: object) -> str:
    """A line of text in ink; `bdi`-like isolation keeps texts that run from right to left from turning their neighbours round.

    `halo`: so wide a rim in the colour of the paper keeps it readable where lines run below it. The rim is a text of its own, for not
    every program paints a text's outline below its letters.
    """
    look = {"x": float(x), "y": float(y), "fill": "var(--ink)", "unicode_bidi": "isolate", **given}
    above = element("text", clean(words), **look)
    if not halo:
        return above
    paper = "var(--paper)"
    rim = {"fill": paper, "stroke": paper, "stroke_width": halo, "stroke_linejoin": "round", "aria_hidden": "true"}
    return element("text", clean(words), **{**look, **rim}) + above


def arrow_tip(x: float, y: float, u: float, v: float, fill: str) -> str:
    """The head of an arrow that arrives at (x, y) along the unit vector (u, v)."""
    corners = [(x, y), (x - 9 * u + 4 * v, y - 9 * v - 4 * u), (x - 9 * u - 4 * v, y - 9 * v + 4 * u)]
    return element("polygon", points=" ".join(f"{a:.1f},{b:.1f}" for a, b in corners), fill=fill)


def title(words: object) -> str:
    """What is shown when the pointer rests on the element around it, and read aloud."""
    return element("title", clean(words))


def look(rules: str = "") -> str:
    """The style of a drawing: where variables are known, named colours follow the page's, for light and dark; and further `rules`.

    A page that defines the variables itself, for the class "chainrule", is followed. Converters that read no such rule take the attributes.
    """
    light, dark = css_variables(0), css_variables(1)
    kinds = [(kind, name) for kind in ("fill", "stroke") for name in CSS_VARIABLES]
    follow = "".join(f"svg.chainrule [data-{kind}={name}]{{{kind}:var(--{name})}}" for kind, name in kinds)
    return (
        f"@supports(fill:var(--a)){{:where(svg.chainrule){{{light}}}"
        f"@media(prefers-color-scheme:dark){{:where(svg.chainrule){{{dark}}}}}svg.chainrule{{max-width:100%;height:auto}}{follow}{rules}}}"
    )


def drawing(width: float, height: float, parts: Iterable[str], *, name: str) -> str:
    """A whole drawing with a name, on its own paper; it scales with its place and knows light and dark pages."""
    # Whole units: whoever makes pixels of it rounds the rest away, each in its own direction.
    width, height = math.ceil(width), math.ceil(height)
    paper = element("rect", width=width, height=height, fill="var(--paper)")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chainrule" role="img" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="{FONTS}">'
        f"{title(name)}<style>{look()}</style>{paper}{''.join(parts)}</svg>"
    )


def wrapped_lines(words: str, width: float) -> list[str]:
    """The words in lines that fit into a width of the drawing."""
    return textwrap.wrap(words, max(20, int(width / LETTER)), break_long_words=True)


def paragraph(x: float, y: float, lines: list[str]) -> list[str]:
    """Lines of small text below each other, the first on the base line y."""
    return [text(x, y + place * LINE, line, font_size=11) for place, line in enumerate(lines)]
