"""The look of our figures: matplotlib's settings, for as long as a figure is made or written."""

from __future__ import annotations

import importlib.util
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any, cast

from chainrule.errors import MissingPackageError
from chainrule.views.colours import DIVERGING, SERIES, SIGNED

INK = "#1c1f23"
"""The colour of texts and axes: nearly that of pages, and used for nothing else, so that it can follow a page's."""
FAINT = "#6b7280"
"""The colour of words and lines of less weight, readable on light paper and on dark."""
STYLE: Mapping[str, Any] = {
    "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": INK, "xtick.color": INK, "ytick.color": INK,
    "font.family": "sans-serif", "font.size": 9.0, "axes.titlesize": 10.5, "axes.titleweight": "bold", "axes.titlelocation": "left",
    "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.8, "axes.grid": False, "lines.linewidth": 1.6,
    "legend.frameon": False, "legend.fontsize": 8.0, "figure.constrained_layout.use": True, "svg.fonttype": "none",
    "svg.hashsalt": "chainrule", "pdf.fonttype": 42, "ps.fonttype": 42, "savefig.dpi": 144, "text.parse_math": False,
}  # fmt: skip
"""matplotlib's settings for our figures; texts are never read as formulas, so that a name with dollars stays a name;
fonts go into files as TrueType (42): journals refuse those of type 3."""


@contextmanager
def style(**others: Any) -> Generator[None]:
    """Figures made inside have our look, but for `others` of matplotlib's settings; those of the user are as before afterwards."""
    require_matplotlib()
    import matplotlib as mpl
    from matplotlib.colors import LinearSegmentedColormap

    if DIVERGING not in mpl.colormaps:
        mpl.colormaps.register(LinearSegmentedColormap.from_list(DIVERGING, SIGNED))
    colours: Any = cast("Any", mpl).cycler(color=SERIES)
    with mpl.rc_context(cast("Any", {**STYLE, "axes.prop_cycle": colours, **others})):
        yield


def require_matplotlib() -> None:
    """Says what to install where matplotlib is missing."""
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingPackageError(
            "pictures need matplotlib, which is not installed",
            expected="the extra [pictures]",
            remedy="pip install 'chainrule[pictures]'",
        )
