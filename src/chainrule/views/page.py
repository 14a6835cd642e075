"""What pages have in common: their colours for light and dark, and formulas as MathML; no script, nothing loaded from elsewhere."""

from __future__ import annotations

import importlib.util
import re
from functools import lru_cache

from chainrule.views.colours import css_variables
from chainrule.views.svg import clean

_RULES = {
    "": "color:var(--ink);background:var(--paper);font:14px/1.5 system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif",
    "h2, h3": "line-height:1.25;margin:1.2em 0 .4em",
    "p": "margin:.4em 0",
    "table": "border-collapse:collapse;border:0;margin:.5em 0 1em;table-layout:auto;width:auto;font-size:inherit;color:inherit",
    "tr": "background:none",
    "td, th": "padding:.35em .7em;border:0;border-bottom:1px solid var(--line);vertical-align:baseline;text-align:left;max-width:none",
    "th": "color:var(--faint);font-weight:600;font-size:12px",
    "td.number, th.number": "text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap",
    "pre, code": "font:12px/1.4 ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;color:inherit",
    "pre": "background:var(--panel);padding:.8em;border-radius:6px;overflow-x:auto",
    ".faint": "color:var(--faint);font-size:12px",
    ".right": "color:var(--right)",
    ".wrong": "color:var(--wrong);font-weight:700",
    ".unsure": "color:var(--ink);font-style:italic",
    "td > .verdict": "display:block;min-width:9em",
    ".bar": "display:inline-block;height:.7em;background:var(--faint)",
    ".scroll": "overflow-x:auto",
    ".cells": "display:inline-grid;grid-auto-flow:column;gap:1px;vertical-align:middle",
    ".cells i": "width:8px;height:14px;display:block;border:1px solid var(--line)",
    "math": "font-size:1.2em",
    "bdi": "unicode-bidi:isolate",
}
_OURS = ".chainrule" * 3 + ":not(svg)"
"""Drawings have letters of their own. Said three times, for the styles that notebooks have for tables are told apart by two classes."""

CSS = f".chainrule{{{css_variables(0)}}}@media(prefers-color-scheme:dark){{.chainrule{{{css_variables(1)}}}}}" + "".join(
    f"{','.join(f'{_OURS} {part}'.rstrip() for part in where.split(', '))}{{{look}}}" for where, look in _RULES.items()
)
"""The style of every page and notebook view, under the class "chainrule" so that nothing else on a page is touched."""


_SIGN = r"<m[ino](?: [^>]*)?>[^<>]+</m[ino]>"
_UPRIGHT = re.compile(rf'<mrow>(<mi mathvariant="normal">[^<>]+</mi>(?:{_SIGN})*)</mrow>')
_LETTER = re.compile(r">([^<>]+)<")
"""A name, which is one thing: its letters and dots would else be set as factors and signs, with room between them."""


@lru_cache(maxsize=4096)
def mathml(latex: str, fallback: str) -> str:
    """A formula in LaTeX as MathML, which browsers draw themselves; without the package latex2mathml its text stands in its place.

    >>> mathml("a^{(1)}", "a⁽¹⁾").startswith("<math")
    True
    """
    if importlib.util.find_spec("latex2mathml") is None:
        return f"<span>{clean(fallback)}</span>"
    from latex2mathml.converter import convert

    return _UPRIGHT.sub(lambda found: f"<mtext>{''.join(_LETTER.findall(found[1]))}</mtext>", convert(latex))


def isolated(text: object) -> str:
    """A text from the user's data: escaped, and kept from turning its neighbours round where it runs from right to left."""
    return f"<bdi>{clean(text)}</bdi>"
