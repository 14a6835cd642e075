"""A picture that a network has learned, from the place of a pixel to its brightness, beside the true one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from chainrule.data import places
from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.train import Model
from chainrule.views.colours import DIVERGING
from chainrule.views.pictures.picture import Picture
from chainrule.views.pictures.sheets import draw_image, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class LearnedPicture(Picture):
    """The true brightnesses (height, width) from 0 to 1, and the learned ones by the name of what learned them."""

    size: ClassVar[tuple[float, float]] = (8.6, 4.9)
    true: Array
    learned: tuple[Array, ...]
    names: tuple[str, ...]

    @property
    def title(self) -> str:
        """How large."""
        height, width = self.true.shape
        return f"A picture of {width} × {height} pixels, learned"

    @property
    def reading(self) -> str:
        """How to read the panels."""
        return (
            "Upper row: the true picture, then what was learned, each with its peak signal-to-noise ratio over all pixels in "
            "decibels (dB); lower row: learned minus true, orange where it is too bright, blue where it is too dark."
        )

    def arrays(self) -> dict[str, Array]:
        """The true picture, and the learned ones by name."""
        return {"true": self.true, **dict(zip(self.names, self.learned, strict=True))}

    def draw(self, ax: Axes) -> None:
        """The pictures above, their differences below."""
        columns = 1 + len(self.learned)
        panes = panels(ax, 2, columns, gap=(0.03, 0.16), top=0.08)
        draw_image(panes[0], self.true, 0.0, 1.0)
        panes[0].set_title("true", fontsize=9, fontweight="normal")
        panes[columns].set_axis_off()
        marks = None
        for i, (name, learned) in enumerate(zip(self.names, self.learned, strict=True), 1):
            draw_image(panes[i], learned, 0.0, 1.0)
            ratio = psnr(float(np.mean((learned - self.true) ** 2)))
            panes[i].set_title(f"{name}: {ratio:.1f} dB", fontsize=9, fontweight="normal")
            draw_image(panes[columns + i], learned - self.true, -0.5, 0.5, DIVERGING)
            panes[columns + i].set_title("learned − true", fontsize=9, fontweight="normal")
            marks = panes[columns + i].images[0]
        if marks is not None:
            bar = ax.inset_axes((0.0, 0.24, 0.8 / columns, 0.035))
            scale = ax.figure.colorbar(marks, cax=bar, orientation="horizontal", extend="both", ticks=[-0.5, 0, 0.5])
            scale.set_label("learned − true (brightness)")


def learned_picture(models: dict[str, Model], image: Array) -> LearnedPicture:
    """The picture (height, width), bytes or from 0 to 1, and what each network makes of the places of its pixels.

    Raises: OptionError without a network.
    """
    if not models:
        raise OptionError("no network", expected="one or more, by name", remedy='write {"sine": run.model()}')
    height, width = image.shape
    true = image / 255 if image.dtype == np.uint8 else np.asarray(image, dtype=np.float64)
    every = places(height, width)
    shown = tuple(model.quantities(every)["output"].reshape(height, width) for model in models.values())
    return LearnedPicture(true, shown, tuple(models))


def psnr(squared_error: float, peak: float = 1.0) -> float:
    """The peak signal-to-noise ratio in decibels, 10·log₁₀(peak²/mean squared error).

    >>> psnr(0.01)
    20.0
    """
    return float(10 * np.log10(peak**2 / squared_error))
