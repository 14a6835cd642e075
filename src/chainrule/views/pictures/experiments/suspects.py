"""Suspected wrong labels: the examples that are learned last, and how many of them are wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.views.colours import DASHES, SERIES
from chainrule.views.pictures.learning.curves import standard_error
from chainrule.views.pictures.picture import Picture
from chainrule.views.pictures.sheets import class_name, draw_images, draw_table, feature_cells, image_shape

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDEST = 8


@dataclass(frozen=True, eq=False)
class SuspectSheet(Picture):
    """The most suspected examples (k, ...), worst first: their `indices`, `given` labels, what the networks say, all (k,).

    `suspicion` (k,) is what they were sorted by, in the unit that `measure` names. `truth` (k,): the true labels where they are known.
    """

    size: ClassVar[tuple[float, float]] = (8.6, 3.3)
    inputs: Array
    indices: Array
    given: Array
    said: Array
    suspicion: Array
    measure: str
    classes: tuple[str, ...]
    features: tuple[str, ...] | None = None
    truth: Array | None = None

    @property
    def title(self) -> str:
        """What is seen."""
        return "Labels to be looked at again"

    @property
    def reading(self) -> str:
        """What stands above each."""
        known = "; in brackets what is known of it" if self.truth is not None else ""
        return (
            f"The training examples with the largest {self.measure}, largest first; above each the label given → the class that most "
            f"networks say before they know the label by heart{known}, and its number with the {self.measure}."
        )

    def draw(self, ax: Axes) -> None:
        """Images with captions, or a table of features."""
        shape = image_shape(self.inputs.shape[1:], self.inputs.dtype.name)
        words = [self._words(place) for place in range(len(self.indices))]
        if shape is not None:
            captions = [f"{labels}\n{known}\nno. {number}, {size}" for labels, known, number, size in words]
            draw_images(ax, self.inputs.reshape(-1, *shape), captions, _WIDEST, line=0.058)
            return
        head, cells = feature_cells(self.inputs, self.features)
        rows = [[*row, *texts] for row, texts in zip(cells, words, strict=True)]
        draw_table(ax, [*head, "given → said", "known", "number", self.measure], rows)

    def _words(self, place: int) -> tuple[str, str, str, str]:
        given, said = (class_name(self.classes, int(labels[place]), 9) for labels in (self.given, self.said))
        known = "" if self.truth is None else ("(planted)" if self.truth[place] != self.given[place] else "(as shipped)")
        return f"{given} → {said}", known, str(int(self.indices[place])), numeral(float(self.suspicion[place]), 3)


@dataclass(frozen=True, eq=False)
class FoundAmongFirst(Picture):
    """The fraction of wrong labels among the first k suspects, for k = 1 ... n: by each way of sorting, `shares` (trainings, n).

    `wrong`: the fraction of wrong labels among all.
    """

    size: ClassVar[tuple[float, float]] = (6.4, 4.0)
    ways: tuple[str, ...]
    shares: tuple[Array, ...]
    wrong: float

    @property
    def title(self) -> str:
        """What is seen."""
        return "Wrong labels among the first suspects"

    @property
    def reading(self) -> str:
        """What lines and bands are."""
        return (
            f"Who looks at the first k suspects finds this fraction of them wrong; bands are one standard error over "
            f"{len(self.shares[0])} data sets, dots stand where as many are looked at as are wrong, and the grey line is looking at random."
        )

    def arrays(self) -> dict[str, Array]:
        """The shares by each way of sorting."""
        return dict(zip(self.ways, self.shares, strict=True))

    def draw(self, ax: Axes) -> None:
        """A line with its band to each way."""
        count = self.shares[0].shape[1]
        planted = round(self.wrong * count)
        k: Array = np.arange(1, count + 1, dtype=np.int64)
        for number, (way, shares) in enumerate(zip(self.ways, self.shares, strict=True)):
            colour, mean, error = SERIES[number % len(SERIES)], shares.mean(axis=0), standard_error(shares.T)
            ax.plot(k, mean, DASHES[number % 4], color=colour, label=way)
            ax.fill_between(k, mean - error, mean + error, color=colour, alpha=0.2, linewidth=0)
            ax.plot(k[planted - 1], mean[planted - 1], "o", color=colour, markersize=4)
        ax.axhline(self.wrong, color="#8a8a8a", linewidth=0.8)
        ax.set_xlim(1, min(count, 4 * planted))
        ax.set_ylim(0, 1.03)
        ax.set_xlabel("suspects looked at, k (examples)")
        ax.set_ylabel("fraction of them wrong")
        ax.legend()


def found_among_first(ways: dict[str, Array], wrong: Array) -> FoundAmongFirst:
    """From each way's suspicion (trainings, n), the larger the worse, and where labels are wrong, (trainings, n) of True and False.

    Raises: OptionError without a way, or where a way's numbers are not one to an example.

    >>> found = found_among_first({"loss": np.array([[3.0, 1.0, 2.0]])}, np.array([[True, False, False]]))
    >>> found.shares[0].round(2)
    array([[1.  , 0.5 , 0.33]])
    """
    if not ways or any(suspicion.shape != wrong.shape for suspicion in ways.values()):
        raise OptionError(
            f"suspicions of shapes {[suspicion.shape for suspicion in ways.values()]}",
            expected=f"one or more, each {wrong.shape}",
            remedy="give a number to each example",
        )
    sorted_wrong = [np.take_along_axis(wrong, np.argsort(-rows, axis=1, kind="stable"), axis=1) for rows in ways.values()]
    k: Array = np.arange(1, wrong.shape[1] + 1, dtype=np.int64)
    return FoundAmongFirst(tuple(ways), tuple(np.cumsum(rows, axis=1) / k for rows in sorted_wrong), float(wrong.mean()))
