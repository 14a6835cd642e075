"""What a sweep tries: values of a training's fields, an interval of numbers, and the searches that choose among them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any, Protocol, TypeAlias, cast

import numpy as np

from chainrule.checks import Count, Seed, checked, scalar, shown
from chainrule.descriptions import described
from chainrule.display import Shown
from chainrule.errors import OptionError, Remedy
from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.numerals import numeral
from chainrule.sweeps.sobol import DIMENSIONS, sobol

Setting: TypeAlias = "dict[str, Any]"
"""A value for each field that is tried, by the name that `Training.changed` takes."""
MOST = 100_000
"""So many settings at most."""


@described
class Between(Shown):
    """Numbers from `low` to `high`: `points` of them in a grid, any of them in a search by chance; log: as often in each decade.

    whole: rounded to whole numbers.

    >>> Between(0.01, 1.0, points=3, log=True).values
    (0.01, 0.1, 1.0)
    >>> Between(16, 64, points=4, whole=True).values
    (16, 32, 48, 64)
    """

    low: float
    high: float
    points: Count = 5
    log: bool = False
    whole: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and self.low < self.high < math.inf) or (self.log and self.low <= 0):
            raise OptionError(
                f"numbers from {self.low} to {self.high}" + " on a logarithmic scale" * self.log,
                expected="low < high" + ", both above 0" * self.log,
                remedy=Remedy("write for example Between(0.001, 1.0, log=True)", "write for example 0.001:1:log5"),
            )

    @property
    def values(self) -> tuple[float, ...]:
        """The numbers of a grid, each once."""
        shares = np.linspace(0.0, 1.0, self.points) if self.points > 1 else np.array([0.5])
        return tuple(dict.fromkeys(map(self.at, shares.tolist())))

    def at(self, share: float) -> float:
        """The number so far along the way, 0 ... 1."""
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        found = low + share * (high - low)
        found = math.exp(found) if self.log else found
        # To six digits: settings are read by people, and the same wherever they are computed.
        return round(found) if self.whole else float(f"{found:.6g}")

    @staticmethod
    def parse(text: str, *, whole: bool = False) -> Between:
        """The interval that "0.01:1:log5" or "16:64:4" stands for. Raises: OptionError.

        >>> Between.parse("0.01:1:log5")
        Between(0.01, 1.0, log=True)
        """
        low, _, rest = text.partition(":")
        high, _, count = rest.partition(":")
        log = count.startswith("log")
        try:
            ends, points = (float(low), float(high)), int(count.removeprefix("log") or 5)
        except ValueError:
            raise OptionError(
                f"the interval {text!r}",
                expected="low:high:points, or low:high:logpoints",
                remedy="write for example 0.01:1:log5",
            ) from None
        return Between(*ends, points, log=log, whole=whole)


@immutable
class Axis:
    """A field that is tried: its name, and its values by what they are called; or an interval."""

    name: str
    values: Mapping[str, Any]
    interval: Between | None = None

    def at(self, share: float) -> Any:
        """The value so far along the way, 0 ≤ share < 1."""
        return self.interval.at(share) if self.interval else list(self.values.values())[int(share * len(self.values))]


def axes_of(space: Mapping[str, Any]) -> list[Axis]:
    """The fields that are tried. Raises: OptionError for what holds no values."""
    found: list[Axis] = []
    for name, given in space.items():
        given = given.tolist() if isinstance(given, np.ndarray) or hasattr(given, "to_numpy") else given
        if isinstance(given, Between):
            found.append(Axis(name, {label_of(value): value for value in given.values}, given))
            continue
        if isinstance(given, str) or not isinstance(given, Mapping | Sequence) or not given:
            raise OptionError(
                f"{name}={shown(cast('object', given))} in a sweep",
                expected="a list of values, values by their names, or an interval",
                remedy=f'write for example {{"{name}": [...]}}, or Between(0.001, 1.0, log=True)',
            )
        values = cast("Mapping[str, Any] | Sequence[Any]", given)
        found.append(Axis(name, _labelled(values)))
    if not found:
        raise OptionError("a sweep over nothing", expected="a field or more", remedy='write {"batch_size": [16, 32]}')
    return found


def _labelled(values: Mapping[str, Any] | Sequence[Any]) -> dict[str, Any]:
    """Values by what they are called: on one line, and each by a name of its own."""
    if isinstance(values, Mapping):
        return {" ".join(str(label).split()): scalar(value) for label, value in values.items()}
    found: dict[str, Any] = {}
    for value in map(scalar, values):
        label = label_of(value)
        # Numbers that agree to six digits are written out.
        found[repr(value) if isinstance(value, float) and found.get(label, value) != value else label] = value
    return found


def label_of(value: Any) -> str:
    """What a value is called in tables and files.

    >>> label_of(0.001), label_of(32), label_of("784-16-10")
    ('0.001', '32', '784-16-10')
    """
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return numeral(float(value), 6).replace("−", "-") if 1e-4 <= abs(value) < 1e6 else f"{value:.6g}"
    text = repr(value)
    if " at 0x" in text:
        raise OptionError(
            f"{shown(value)} in a sweep",
            expected="a value that can be written down",
            remedy='give it a name: {"network": {"mine": ...}}',
        )
    return text


# ---- searches


class Search(Protocol):
    """Which settings are tried."""

    def settings(self, axes: Sequence[Axis]) -> Iterator[Setting]:
        """The settings, in the order in which they are tried."""
        ...

    @property
    def rungs(self) -> tuple[int, ...]:
        """After how many epochs the worse settings are left behind; () for none: each is trained to its end."""
        ...

    @property
    def keep(self) -> int:
        """At each rung one of so many settings goes on."""
        ...


@described
class Grid(Shown):
    """Every combination of the values."""

    rungs = ()
    keep = 1

    def settings(self, axes: Sequence[Axis]) -> Iterator[Setting]:
        """The first field changes slowest."""
        count = math.prod(len(axis.values) for axis in axes)
        if count > MOST:
            raise OptionError(f"a grid of {count} settings", expected=f"at most {MOST}", remedy="take sweeps.Random(100)")
        for values in product(*(axis.values.values() for axis in axes)):
            yield dict(zip((axis.name for axis in axes), values, strict=True))


@described
class Random(Shown):
    """`count` settings by chance, each field for itself: where few fields matter, better than a grid.

    Source: J. Bergstra, Y. Bengio, J. Mach. Learn. Res. 13, 281 (2012).
    """

    count: Count
    seed: Seed = 0
    rungs = ()
    keep = 1

    def settings(self, axes: Sequence[Axis]) -> Iterator[Setting]:
        """Uniform numbers, by NumPy's generator."""
        return _at(axes, np.random.default_rng(self.seed).random((self.count, len(axes))))


@described
class Sobol(Shown):
    """`count` settings that fill the space evenly, shifted by chance; best are powers of 2.

    Sources: I. M. Sobol, USSR Comp. Math. 7, 86 (1967); S. Joe, F. Y. Kuo, SIAM J. Sci. Comput. 30, 2635 (2008).
    """

    count: Count
    seed: Seed = 0
    rungs = ()
    keep = 1

    def settings(self, axes: Sequence[Axis]) -> Iterator[Setting]:
        """Sobol's points, all moved by one random vector around the ends. Raises: OptionError for too many fields."""
        if len(axes) > DIMENSIONS:
            raise OptionError(
                f"Sobol's points over {len(axes)} fields", expected=f"at most {DIMENSIONS}", remedy="take sweeps.Random"
            )
        shift = np.random.default_rng(self.seed).random(len(axes))
        return _at(axes, (sobol(self.count, len(axes)) + shift) % 1.0)


@described
class Halving(Shown):
    """Successive halving: all settings of another search for the first of `rungs` epochs; the best 1/`keep` go on to the next, and again.

    A schedule of the learning rate that goes by the end of the training goes by the last rung's from each rung on.
    Source: K. Jamieson, A. Talwalkar, AISTATS (2016).
    """

    rungs: tuple[int, ...]
    of: Grid | Random | Sobol = Grid()
    keep: Count = 3

    def __post_init__(self) -> None:
        if not self.rungs or list(self.rungs) != sorted(set(self.rungs)) or self.rungs[0] < 1 or self.keep < 2:
            raise OptionError(
                f"Halving({self.rungs}, keep={self.keep})",
                expected="rising numbers of epochs, and keep of 2 or more",
                remedy=Remedy("write Halving((1, 3, 9))", "write --halving 1,3,9"),
            )

    def settings(self, axes: Sequence[Axis]) -> Iterator[Setting]:
        """Those of the other search."""
        return self.of.settings(axes)


def _at(axes: Sequence[Axis], shares: Array) -> Iterator[Setting]:
    return ({axis.name: axis.at(share) for axis, share in zip(axes, row, strict=True)} for row in shares.tolist())


@checked
def settings_of(space: Mapping[str, Any], search: Any) -> list[tuple[dict[str, str], Setting]]:
    """The settings that a search tries, each once, with what their values are called."""
    axes = axes_of(space)
    names: dict[str, dict[int, str]] = {axis.name: {id(value): label for label, value in axis.values.items()} for axis in axes}
    found: dict[tuple[str, ...], tuple[dict[str, str], Setting]] = {}
    for setting in search.settings(axes):
        labels = {
            axis.name: label_of(setting[axis.name])
            if axis.interval
            else names[axis.name].get(id(setting[axis.name])) or label_of(setting[axis.name])
            for axis in axes
        }
        found.setdefault(tuple(labels.values()), (labels, setting))
    return list(found.values())
