"""A picture that a network has learned, from the place of a pixel to its brightness, beside the true one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from chainrule.data import places
from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.train import Model
from chainrule.views.marks import Image, Scale
from chainrule.views.panels import Panel
from chainrule.views.pictures.subject import predicted_of
from chainrule.views.view import View


def learned_picture(models: dict[str, Model], image: Array) -> View:
    """The picture (height, width), bytes or from 0 to 1, and what each network makes of the places of its pixels.

    The numbers: the brightnesses from 0 to 1, (height, width), `true` and by the name of what learned them.
    Raises: OptionError without a network.
    """
    if not models:
        raise OptionError("no network", expected="one or more, by name", remedy='write {"sine": run.model()}')
    height, width = image.shape
    true = image / 255 if image.dtype == np.uint8 else np.asarray(image, dtype=np.float64)
    every = places(height, width)
    shown = {name: predicted_of(model, every).reshape(height, width) for name, model in models.items()}
    return _learned_view(true, shown)


def psnr(squared_error: float, peak: float = 1.0) -> float:
    """The peak signal-to-noise ratio in decibels, 10·log₁₀(peak²/mean squared error).

    >>> psnr(0.01)
    20.0
    """
    return float(10 * np.log10(peak**2 / squared_error))


def _learned_view(true: Array, learned: Mapping[str, Array]) -> View:
    """The view of `learned_picture`."""
    height, width = true.shape
    upper = [_pane(true, Scale(), "true")]
    upper += [
        _pane(picture, Scale(), f"{name}: {psnr(float(np.mean((picture - true) ** 2))):.1f} dB")
        for name, picture in learned.items()
    ]
    last = len(learned) - 1
    lower = [
        _pane(picture - true, Scale("signed", -0.5, 0.5, "learned − true (brightness)" * (place == last)), "learned − true")
        for place, picture in enumerate(learned.values())
    ]
    return View(
        f"A picture of {width} × {height} pixels, learned",
        "Upper row: the true picture, then what was learned, each with its peak signal-to-noise ratio over all pixels in "
        "decibels (dB); lower row: learned minus true, orange where it is too bright, blue where it is too dark.",
        [*upper, Panel([], frame="none"), *lower],
        {"true": true, **learned},
        columns=1 + len(learned),
        size=(8.6, 4.9),
    )


def _pane(image: Array, scale: Scale, title: str) -> Panel:
    return Panel([Image(image, scale=scale)], title=title, equal=True, frame="none")
