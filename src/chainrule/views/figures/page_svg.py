"""Figures as SVG text for pages and notebooks."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from chainrule.views.figures.style import INK, style
from chainrule.views.svg import look

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figure_svg(figure: Figure, *, ground: bool = False) -> str:
    """The figure as SVG text that follows a page's ink, light and dark; with a `ground` of its own, or in a page without one."""
    buffer = io.StringIO()
    with style():
        figure.savefig(buffer, format="svg", metadata={"Date": None}, transparent=True)
    text = buffer.getvalue()
    drawing = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    # A page may hold many: names that nobody refers to are left out.
    used = set(re.findall(r'(?:url\(#|href="#)([^")]+)', drawing))
    drawing = re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in used else "", drawing)
    follow = "".join(f'svg.chainrule [style*="{kind}: {INK}"]{{{kind}:var(--ink)!important}}' for kind in ("fill", "stroke"))
    head, foot = drawing.split(">", 1)
    paper = '<rect width="100%" height="100%" fill="#ffffff" data-fill="paper"/>' if ground else ""
    return f'{head} class="chainrule"><style>{look(follow)}</style>{paper}{foot}'
