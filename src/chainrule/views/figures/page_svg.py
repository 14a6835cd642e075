"""Figures as SVG text for pages and notebooks."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

from chainrule.views.figures.style import INK, STYLE, style
from chainrule.views.svg import look

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figure_svg(figure: Figure, *, ground: bool = False) -> str:
    """The figure as SVG text that follows a page's ink, light and dark; with a `ground` of its own, or in a page without one."""
    text = _written(figure)
    drawing = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    # A page may hold many: names that nobody refers to are left out.
    used = set(re.findall(r'(?:url\(#|href="#)([^")]+)', drawing))
    drawing = re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in used else "", drawing)
    follow = "".join(f'svg.chainrule [style*="{kind}: {INK}"]{{{kind}:var(--ink)!important}}' for kind in ("fill", "stroke"))
    head, foot = drawing.split(">", 1)
    paper = '<rect width="100%" height="100%" fill="#ffffff" data-fill="paper"/>' if ground else ""
    return f'{head} class="chainrule"><style>{look(follow)}</style>{paper}{foot}'


def _written(figure: Figure) -> str:
    """What matplotlib writes of the figure, without grounds: drawn once, where `savefig` draws twice for the sake of the layout."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    buffer, canvas, dpi = io.StringIO(), figure.canvas, figure.dpi
    grounds: list[Any] = [figure.patch, *(axes.patch for axes in figure.axes)]
    colours = [(ground.get_facecolor(), ground.get_edgecolor()) for ground in grounds]
    try:
        with style():
            for ground in grounds:
                ground.set(facecolor="none", edgecolor="none")
            figure.dpi = STYLE["savefig.dpi"]
            FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None})
    finally:
        figure.set_canvas(canvas)
        figure.dpi = dpi
        for ground, (face, edge) in zip(grounds, colours, strict=True):
            ground.set(facecolor=face, edgecolor=edge)
    return buffer.getvalue()
