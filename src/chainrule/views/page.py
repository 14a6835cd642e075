"""What pages have in common: their colours for light and dark, and formulas as MathML; no script, nothing loaded from elsewhere."""

from __future__ import annotations

import importlib.util
from functools import lru_cache

from chainrule.views.colours import CSS_VARIABLES
from chainrule.views.svg import clean


def _variables(place: int) -> str:
    return ";".join(f"--{name}:{pair[place]}" for name, pair in CSS_VARIABLES.items())


CSS = (
    f".chainrule{{{_variables(0)}}}@media(prefers-color-scheme:dark){{.chainrule{{{_variables(1)}}}}}"
    ".chainrule{color:var(--ink);background:var(--paper);font:14px/1.5 system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif}"
    ".chainrule h2,.chainrule h3{line-height:1.25;margin:1.2em 0 .4em}"
    ".chainrule table{border-collapse:collapse;margin:.5em 0 1em}"
    ".chainrule th{color:var(--faint);font-weight:600;text-align:left;font-size:12px}"
    ".chainrule td,.chainrule th{padding:.35em .7em;border-bottom:1px solid var(--line);vertical-align:top;text-align:left}"
    ".chainrule .faint{color:var(--faint);font-size:12px}"
    ".chainrule .right{color:var(--right)}.chainrule .wrong{color:var(--wrong);font-weight:700}"
    ".chainrule .scroll{overflow-x:auto}"
    ".chainrule .cells{display:inline-grid;grid-auto-flow:column;gap:1px;vertical-align:middle}"
    ".chainrule .cells i{width:8px;height:14px;display:block;border:1px solid var(--line)}"
    ".chainrule math{font-size:1.2em}"
    ".chainrule bdi{unicode-bidi:isolate}.chainrule code{font-size:12px}"
)
"""The style of every page and notebook view, under the class "chainrule" so that nothing else on a page is touched."""


@lru_cache(maxsize=4096)
def mathml(latex: str, fallback: str) -> str:
    """A formula in LaTeX as MathML, which browsers draw themselves; without the package latex2mathml its text stands in its place.

    >>> mathml("a^{(1)}", "a⁽¹⁾").startswith("<math")
    True
    """
    if importlib.util.find_spec("latex2mathml") is None:
        return f"<span>{clean(fallback)}</span>"
    from latex2mathml.converter import convert

    return convert(latex)


def isolated(text: object) -> str:
    """A text from the user's data: escaped, and kept from turning its neighbours round where it runs from right to left."""
    return f"<bdi>{clean(text)}</bdi>"
