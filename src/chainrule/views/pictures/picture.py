"""What every picture has: a title, one sentence on how to read it, the numbers behind it, and axes to be drawn into."""

from __future__ import annotations

import importlib.util
import io
import re
import textwrap
from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np

from chainrule.errors import MissingPackageError
from chainrule.files import writing
from chainrule.graph import Array
from chainrule.views.colours import CSS_VARIABLES, DIVERGING, SERIES, SIGNED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#1c1f23"
"""The colour of texts and axes: nearly that of pages, and used for nothing else, so that it can follow a page's."""
STYLE: Mapping[str, Any] = {
    "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": INK, "xtick.color": INK, "ytick.color": INK,
    "font.family": "sans-serif", "font.size": 9.0, "axes.titlesize": 10.5, "axes.titleweight": "bold", "axes.titlelocation": "left",
    "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.8, "axes.grid": False, "lines.linewidth": 1.6,
    "legend.frameon": False, "legend.fontsize": 8.0, "figure.constrained_layout.use": True, "svg.fonttype": "none",
    "svg.hashsalt": "chainrule", "savefig.dpi": 144, "text.parse_math": False,
}  # fmt: skip
"""matplotlib's settings for our figures; texts are never read as formulas, so that a name with dollars stays a name."""


@dataclass(frozen=True)
class Picture(ABC):
    """A picture: frozen numbers (its fields) that can be drawn.

    `plot()` gives matplotlib's Axes, its own or those it was given; nothing is shown or saved by itself. In a notebook it shows
    itself. Concrete pictures are frozen dataclasses; what they compute is in the function that makes them.
    """

    size: ClassVar[tuple[float, float]] = (5.6, 3.6)
    """Width and height in inches of a figure of its own."""
    projection: ClassVar[str | None] = None
    """matplotlib's kind of axes: "3d", or None for plain ones."""

    @property
    @abstractmethod
    def title(self) -> str:
        """What is seen, in a few words."""

    @property
    @abstractmethod
    def reading(self) -> str:
        """One sentence on how to read it."""

    @abstractmethod
    def draw(self, ax: Axes) -> None:
        """Draws into axes: every axis labelled with its unit; the title is set by `plot`."""

    def arrays(self) -> dict[str, Array]:
        """The numbers behind the picture, by name: its fields that are arrays."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in named.items() if isinstance(value, np.ndarray)}

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draws into `ax`, or into a new figure's axes; gives the axes.

        Raises: MissingPackageError without matplotlib.
        """
        with style():
            ax = new_figure(self.size, self.projection)[1] if ax is None else ax
            ax.set_title(self.title)
            self.draw(ax)
        return ax

    def figure(self, *, caption: bool = True) -> Figure:
        """A figure of its own, drawn; with the sentence on how to read it below, unless the `caption` stands elsewhere."""
        with style():
            figure, ax = new_figure(self.size, self.projection)
            self.plot(ax)
            if caption:
                figure.supxlabel(wrapped(self.reading, self.size[0]), fontsize=8, x=0.02, ha="left", color="#555555")
        return figure

    def save(self, path: str | Path) -> Path:
        """Writes the figure as the file's ending says: .svg, .png or .pdf.

        Raises: OptionError for another ending, MissingFileError for a folder that is not there, UnwritableFileError.
        """
        with writing(path, ".svg", ".png", ".pdf") as place, style():
            # Without a date the same numbers give the same file.
            extra = {".svg": {"Date": None}, ".png": {}, ".pdf": {"CreationDate": None}}[place.suffix]
            self.figure().savefig(place, metadata=extra)
        return Path(path)

    def svg(self, *, caption: bool = True) -> str:
        """The figure as SVG text, to stand in a page: without a ground of its own, in the page's ink where the page has one."""
        buffer = io.StringIO()
        with style():
            self.figure(caption=caption).savefig(buffer, format="svg", metadata={"Date": None}, transparent=True)
        return _for_pages(buffer.getvalue())

    def _repr_svg_(self) -> str:
        return self.svg()


@dataclass(frozen=True, eq=False)
class HeadedPicture(Picture):
    """A picture whose title is chosen where it is made."""

    heading: str

    @property
    def title(self) -> str:
        """What is seen, as it was named."""
        return self.heading


def _for_pages(text: str) -> str:
    """Only the drawing, with names that nobody refers to left out (a page may hold many), and ink that follows the page's colours."""
    drawing = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', drawing))
    drawing = re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in used else "", drawing)
    return drawing.replace(INK, f"var(--ink,{CSS_VARIABLES['ink'][0]})")


@contextmanager
def style() -> Generator[None]:
    """Figures made inside have our look; settings of the user's are as before afterwards."""
    require_matplotlib()
    import matplotlib as mpl
    from matplotlib.colors import LinearSegmentedColormap

    if DIVERGING not in mpl.colormaps:
        mpl.colormaps.register(LinearSegmentedColormap.from_list(DIVERGING, SIGNED))
    colours: Any = cast("Any", mpl).cycler(color=SERIES)
    with mpl.rc_context(cast("Any", {**STYLE, "axes.prop_cycle": colours})):
        yield


def require_matplotlib() -> None:
    """Says what to install where matplotlib is missing."""
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingPackageError(
            "pictures need matplotlib, which is not installed",
            expected="the extra [pictures]",
            remedy="pip install 'chainrule[pictures]'",
        )


def new_figure(size: tuple[float, float], projection: str | None = None) -> tuple[Figure, Axes]:
    """A figure of this size in inches that belongs to no window, so that nothing piles up or pops up; and axes in it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=size)
    return figure, figure.add_subplot(projection=projection)


def wrapped(text: str, inches: float) -> str:
    """The text in lines that fit below a figure of this width."""
    return "\n".join(textwrap.wrap(text, max(30, int(inches * 16.5))))
