"""The ledger of a step as a picture: each part of Δw begins where the one before it ended, so that they visibly add up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.train import Ledger
from chainrule.views.colours import signed_colour
from chainrule.views.figures.style import INK
from chainrule.views.pictures.picture import Picture
from chainrule.views.pictures.sheets import class_name, draw_image, image_shape
from chainrule.views.plain import counted, printable, spaced

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class LedgerPicture(Picture):
    """The parts of Δw: `values` (k,) with their `names`; the first `images` (m, height, width) belong to the first m of them.

    `change` is Δw as it happened, of one entry, or for a whole parameter its Euclidean norm, with the parts' components along it;
    `residual` is what is left by rounding.
    """

    size: ClassVar[tuple[float, float]] = (7.0, 4.6)
    label: str
    step: int
    replica: int
    is_entry: bool
    names: tuple[str, ...]
    values: Array
    images: Array | None
    change: float
    residual: float

    @property
    def title(self) -> str:
        """Which weight, and when."""
        return f"Why {self.label} moved in step {spaced(self.step)} → {spaced(self.step + 1)}, replica {self.replica}"

    @property
    def reading(self) -> str:
        """How the bars hang together."""
        what = "their sum is Δw" if self.is_entry else "they are components along Δw and add up to its length ‖Δw‖"
        return (
            f"Each bar is what one part did (the batch's examples, with their numbers in the training part, then all else) and "
            f"begins where the one above ended, so {what}, up to {numeral(abs(self.residual), 2)} of rounding."
        )

    def draw(self, ax: Axes) -> None:
        """Horizontal bars from the top, each moved to the end of the last; below them the change, from 0."""
        ends = np.cumsum(self.values)
        starts = np.concatenate([[0.0], ends[:-1]])
        rows = len(self.values) + 1
        for row, (start, value) in enumerate(zip(starts.tolist(), self.values.tolist(), strict=True)):
            _bar(ax, row, start, value, signed_colour(1.0 if value > 0 else -1.0))
            ax.plot([start + value] * 2, [row + 0.36, row + 0.64], color=INK, linewidth=0.8)
        _bar(ax, rows - 1, 0.0, self.change, INK)
        ax.axvline(0.0, color="#999999", linewidth=0.6, zorder=0)
        reached = np.array([0.0, self.change, *ends])
        room = 0.2 * float(np.ptp(reached)) or 1.0  # for the numbers behind the bars
        ax.set_xlim(float(reached.min()) - room, float(reached.max()) + room)
        ax.set_ylim(rows - 0.5, -0.5)
        ax.set_yticks(range(rows), [*self.names, "Δw" if self.is_entry else "‖Δw‖"])
        ax.set_ylabel("part of the change")
        ax.set_xlabel("change of the weight" if self.is_entry else "change of the weights, along Δw")
        ax.ticklabel_format(axis="x", style="sci", scilimits=(-3, 4))
        self._draw_images(ax, rows)

    def _draw_images(self, ax: Axes, rows: int) -> None:
        if self.images is None:
            return
        ax.tick_params(axis="y", pad=28)
        low, high = float(self.images.min()), float(self.images.max())
        for row, image in enumerate(self.images):
            height = 0.9 / rows
            small = ax.inset_axes((-0.085, 1 - (row + 0.5) / rows - height / 2, 0.08, height))
            draw_image(small, image, low, high)
            small.set_anchor("E")


def _bar(ax: Axes, row: int, start: float, value: float, colour: str) -> None:
    ax.barh(row, value, left=start, height=0.72, color=colour, edgecolor=INK, linewidth=0.6)
    # The number stands behind the bar, on the side that it points to: its sign shows without colour.
    side = 1 if value >= 0 else -1
    ax.annotate(
        numeral(value + 0.0, 3, sign=True), (start + value, row), (4 * side, 0), textcoords="offset points", va="center",
        ha="left" if side > 0 else "right", fontsize=7.5,
    )  # fmt: skip


def ledger_picture(ledger: Ledger, examples: int = 8) -> LedgerPicture:
    """The ledger as a picture that names the `examples` whose parts are largest; the others are one bar.

    Images are shown where the inputs are images.

    >>> import chainrule as cr
    >>> run = cr.fit("2-3-2 tanh softmax", cr.data.moons(60), epochs=2, batch_size=10)
    >>> picture = ledger_picture(run.ledger(3, "dense1.W", (0, 1)), examples=4)
    >>> picture.names[-1], len(picture.values), bool(abs(picture.values.sum() + picture.residual - picture.change) < 1e-12)
    ('6 other examples', 5, True)
    """
    if examples < 1:
        raise OptionError(f"examples={examples}", expected="1 or more", remedy="leave it out")
    ranked = ledger.ranked()
    named = [share for share in ranked if share.value][:examples]
    rest = ranked[len(named) :]
    bars = [(_name(ledger, share.place, share.example), share.value) for share in named]
    bars += [(counted(len(rest), "other example"), sum(share.value for share in rest))] if rest else []
    bars += [(printable(name, most=40), ledger.along(part)) for name, part in ledger.parts.items()]
    return LedgerPicture(
        printable(ledger.label, most=60), ledger.step, ledger.replica, ledger.before.ndim == 0, tuple(name for name, _ in bars),
        np.array([value for _, value in bars]), _images(ledger, [share.place for share in named]), ledger.along(ledger.change),
        ledger.along(ledger.residual),
    )  # fmt: skip


def _name(ledger: Ledger, place: int, example: int) -> str:
    number = f"no. {spaced(example)}"
    return number if ledger.classes is None else f"{number}, {class_name(ledger.classes, int(ledger.examples.y[place]), 16)}"


def _images(ledger: Ledger, places: list[int]) -> Array | None:
    x = ledger.examples.x
    shape = image_shape(x.shape[1:], x.dtype.name)
    return None if shape is None or not places else x[places].reshape(-1, *shape)
