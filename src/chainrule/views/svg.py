"""Drawings as SVG text: a few elements, every text in them escaped, colours by the names that the page gives them."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from chainrule.views.colours import CSS_VARIABLES

ALLOWED_BREAKS = "\t\n"


def clean(text: object) -> str:
    r"""The text for markup: special characters escaped, and what no XML may hold (control characters) shown as �.

    >>> clean("<b>&\x00")
    '&lt;b&gt;&amp;�'
    """
    return escape("".join(_shown(letter) for letter in str(text)), quote=True)


def _shown(letter: str) -> str:
    # Marks that turn the direction of what follows would reach into the texts beside them.
    if letter in ALLOWED_BREAKS:
        return " "
    return letter if letter.isprintable() else "�"


def attributes(**given: object) -> str:
    """Attributes of an element: `stroke_width=2` becomes stroke-width="2"; a name may end with _ where Python has the word (class_)."""
    return "".join(
        f' {name.rstrip("_").replace("_", "-")}="{clean(number(value) if isinstance(value, float) else value)}"'
        for name, value in given.items()
        if value is not None
    )


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


def text(x: float, y: float, words: object, **given: object) -> str:
    """A line of text; `bdi`-like isolation keeps texts that run from right to left from turning their neighbours round."""
    return element("text", clean(words), x=float(x), y=float(y), **{"unicode_bidi": "isolate", **given})


def title(words: object) -> str:
    """What is shown when the pointer rests on the element around it, and read aloud."""
    return element("title", clean(words))


def drawing(width: float, height: float, parts: Iterable[str], *, name: str) -> str:
    """A whole drawing with a name; it scales with its place and knows light and dark pages."""
    style = (
        f"svg.chainrule{{{';'.join(f'--{key}:{light}' for key, (light, _) in CSS_VARIABLES.items())}}}"
        f"@media(prefers-color-scheme:dark){{svg.chainrule{{{';'.join(f'--{key}:{dark}' for key, (_, dark) in CSS_VARIABLES.items())}}}}}"
        "svg.chainrule text{font-family:system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif;fill:var(--ink)}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chainrule" role="img" viewBox="0 0 {number(width)} {number(height)}" '
        f'width="{number(width)}" height="{number(height)}" style="max-width:100%;height:auto;background:var(--paper)">'
        f"{title(name)}<style>{style}</style>{''.join(parts)}</svg>"
    )
