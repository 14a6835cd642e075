"""The data themselves: a sheet of examples with their labels, and how many there are of each class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from chainrule.data import Dataset
from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.spelling import suggest
from chainrule.views.colours import SERIES
from chainrule.views.pictures.picture import Picture
from chainrule.views.pictures.sheets import class_name, draw_images, draw_table, feature_cells, image_shape
from chainrule.views.plain import printable, spaced

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HATCHES = ("", "///", "...")


@dataclass(frozen=True)
class ExampleSheet(Picture):
    """Examples (k, ...) of a part of the data with their `indices` (k,) and targets: labels (k,) or numbers (k, outputs)."""

    size: ClassVar[tuple[float, float]] = (7.4, 4.4)
    name: str
    part: str
    inputs: Array
    indices: Array
    targets: Array
    classes: tuple[str, ...] | None
    features: tuple[str, ...] | None

    @property
    def title(self) -> str:
        """Whose examples these are."""
        return f"Examples of {printable(self.name, most=40)}: {self.part}"

    @property
    def reading(self) -> str:
        """How they were chosen."""
        order = "the first of each class in turn" if self.classes is not None else "the first ones"
        return f"Inputs as they stand in the data, with their target and their number in the part; {order}."

    def draw(self, ax: Axes) -> None:
        """Images with captions, or a table of features."""
        words = list(map(self._target, range(len(self.indices))))
        shape = image_shape(self.inputs.shape[1:], self.inputs.dtype.name)
        if shape is not None:
            captions = [f"{word}   no. {index}" for word, index in zip(words, self.indices.tolist(), strict=True)]
            draw_images(ax, self.inputs.reshape(-1, *shape), captions, 7)
            return
        head, cells = feature_cells(self.inputs, self.features)
        pairs = zip(cells, words, self.indices.tolist(), strict=True)
        draw_table(ax, [*head, "target", "number"], [[*row, word, spaced(index)] for row, word, index in pairs])

    def _target(self, place: int) -> str:
        if self.classes is not None:
            return class_name(self.classes, int(self.targets[place]))
        return ", ".join(numeral(float(value)) for value in self.targets[place][:3])


def data_examples(data: Dataset, part: str = "training", most: int = 20) -> ExampleSheet:
    """A sheet of examples of a part of the data; of classes the first of each in turn, so that rare ones are seen too.

    Raises: OptionError for a part that the data do not have.
    """
    parts = dict(data.parts())
    if part not in parts or most < 1:
        raise OptionError(
            f"{most} examples of part {part!r}",
            expected=f"1 or more of {', '.join(parts)}",
            remedy=suggest(part, parts, "write most=12"),
        )
    examples = parts[part]
    order = np.arange(len(examples)) if data.classes is None else _in_turn(examples.y)
    chosen = order[:most]
    return ExampleSheet(data.name, part, examples.x[chosen], chosen, examples.y[chosen], data.classes, data.features)


def _in_turn(labels: Array) -> Array:
    """Indices that take one example of each class after another, each class in its own order."""
    sorted_by_class = np.argsort(labels, kind="stable")
    counts = np.bincount(labels)
    turn = np.empty(len(labels), dtype=np.int64)
    turn[sorted_by_class] = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.lexsort((labels, turn))


@dataclass(frozen=True)
class ClassShares(Picture):
    """How many examples each part has of each class: `counts` (parts, classes)."""

    name: str
    parts: tuple[str, ...]
    classes: tuple[str, ...]
    counts: Array

    @property
    def shares(self) -> Array:
        """Each count's fraction of its part, (parts, classes)."""
        return self.counts / self.counts.sum(axis=1, keepdims=True)

    @property
    def errors(self) -> Array:
        """The binomial standard error of each share, (parts, classes): how far shares may differ by the luck of the draw."""
        return np.sqrt(self.shares * (1 - self.shares) / self.counts.sum(axis=1, keepdims=True))

    @property
    def title(self) -> str:
        """Whose classes these are."""
        return f"How often each class occurs: {printable(self.name, most=40)}"

    @property
    def reading(self) -> str:
        """How to read the bars."""
        return (
            "Each bar is a class's fraction of a part, with its binomial standard error: parts whose bars differ by much more were not "
            f"split evenly, and always guessing the most frequent class would be right in {100 * self.shares.max(axis=1)[-1]:.1f} % "
            f"of the {self.parts[-1]} part."
        )

    def draw(self, ax: Axes) -> None:
        """A group of bars to each class, or a line to each part where there are many."""
        places, width = np.arange(len(self.classes)), 0.8 / len(self.parts)
        for row, part in enumerate(self.parts):
            label = f"{part} ({spaced(int(self.counts[row].sum()))} examples)"
            spots = places + (row - (len(self.parts) - 1) / 2) * width
            look: dict[str, Any] = {
                "color": SERIES[row],
                "hatch": _HATCHES[row % len(_HATCHES)],
                "edgecolor": "white",
                "linewidth": 0.5,
            }
            ax.bar(spots, 100 * self.shares[row], width, yerr=100 * self.errors[row], capsize=2, label=label, **look)
        names = [class_name(self.classes, place) for place in places.tolist()]
        step = max(1, len(names) // 30)
        turned = sum(map(len, names)) > 60
        ax.set_xticks(places[::step], names[::step], rotation=45 if turned else 0, ha="right" if turned else "center")
        ax.set(xlabel="class", ylabel="fraction of the part (%)", ylim=(0, 125 * float(self.shares.max())))
        ax.legend(loc="upper right", ncols=len(self.parts))


def class_shares(data: Dataset) -> ClassShares:
    """How often each class occurs in each part of the data.

    Raises: OptionError for data without classes.
    """
    if data.classes is None:
        raise OptionError("classes of numbers to fit", expected="data with classes", remedy="ask for data_examples")
    parts = dict(data.parts())
    counts = np.stack([np.bincount(examples.y, minlength=len(data.classes)) for examples in parts.values()])
    return ClassShares(data.name, tuple(parts), data.classes, counts)
