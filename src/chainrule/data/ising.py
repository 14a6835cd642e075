"""The two-dimensional Ising model: lattices of spins at many temperatures, below and above the point where order is lost."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from chainrule.checks import Seed, checked
from chainrule.data.checks import check_amount, check_whole
from chainrule.data.dataset import Dataset
from chainrule.data.examples import Examples
from chainrule.data.origin import generated, remembered
from chainrule.data.scaling import Scaling
from chainrule.data.spins import sample_spins
from chainrule.errors import DataError, OptionError

Floats = NDArray[np.float64]

CRITICAL_TEMPERATURE = float(2 / np.log(1 + np.sqrt(2)))
"""T_c of the square lattice in units of J/k_B, 2.2692: Onsager, Phys. Rev. 65 (1944) 117."""
_RANGE = (1.5, 3.0)
_TEST_EVERY = 5


@remembered("ising")
@checked
def ising(
    n: int = 1000,
    *,
    size: int = 32,
    temperatures: int | Sequence[float] = 20,
    target: Literal["phase", "temperature"] = "phase",
    threshold: float = CRITICAL_TEMPERATURE,
    steps: int = 50,
    seed: Seed = 0,
) -> Dataset:
    """`n` lattices of size × size spins with E = −Σ s_i s_j over neighbours, periodic borders, drawn from exp(−E/T).

    Inputs are uint8 of shape (size²,), row after row, 0 for down and 1 for up; the scaling maps them to −1 and +1. `size` is even.
    `temperatures` is a number of them, evenly from 1.5 to 3.0, or the temperatures themselves, in units of J/k_B: lattice i has
    the (i mod count)-th. Of each temperature every fifth lattice is in the test part. `ising_temperatures` tells the temperature
    of each example.

    - `target="phase"`: classes "ordered" (T < `threshold`) and "disordered". Another threshold than T_c gives the labels of
      learning by confusion: van Nieuwenburg, Liu, Huber, Nature Physics 13 (2017) 435.
    - `target="temperature"`: the number T, of shape (n, 1).

    Each lattice is a Markov chain of its own, begun ordered and run for `steps` Metropolis sweeps, each followed by turns of whole
    clusters. At T_c, where it takes longest, |m| forgets its past as exp(−steps/τ), with a measured τ of 2.8, 4.3, 5.6 and 7.3
    steps at size 16, 32, 64 and 128; the energy is a little faster. So after 50 steps 10⁻⁵ of the start is left at size 32 and
    10⁻³ at size 128. The spins depend on n, size, temperatures, steps and seed alone.

    Raises OptionError for numbers that make no sense, DataError if all temperatures are on one side of the threshold.

    >>> ising(60, size=8, temperatures=3)
    Dataset('ising': 48 train, 12 test; inputs (64,) uint8; 2 classes)
    """
    grid = _grid(temperatures)
    _check(n, size, grid, steps, seed)
    check_amount("threshold", threshold, above=0)
    hot = _spread(n, grid)
    spins = _cached_spins(n, size, tuple(grid.tolist()), steps, seed)
    test = _in_test(n, len(grid))
    targets = _targets(target, hot, threshold)
    return generated(
        "ising",
        Examples(spins[~test], targets[~test]),
        Examples(spins[test], targets[test]) if test.any() else None,
        f"2-D Ising model, {size} × {size}, {len(grid)} temperatures from {grid.min():g} to {grid.max():g}, "
        f"{steps} sweeps with cluster turns, seed {seed}",
        scaling=Scaling(0.5, 2.0),
        target_scaling=Scaling.auto(targets[~test]) if target == "temperature" and len(grid) > 1 else None,
        classes=("ordered", "disordered") if target == "phase" else None,
    )


@checked
def ising_temperatures(data: Dataset) -> dict[str, Floats]:
    """The temperature of each example of a data set that `ising` made, of shape (n,), for "training" and "test".

    Raises OptionError for other data.

    >>> ising_temperatures(ising(6, size=4, temperatures=[1.0, 2.0, 3.0]))["training"]
    array([1., 2., 3., 1., 2., 3.])
    """
    origin = data.origin or {}
    if origin.get("name_or_path") != "ising":
        raise OptionError(
            f"{data.name!r} does not come from ising",
            expected="a data set of ising()",
            remedy="write for example cr.data.ising(200)",
        )
    n, grid = int(origin.get("n", 1000)), _grid(origin.get("temperatures", 20))
    hot, test = _spread(n, grid), _in_test(n, len(grid))
    found = {"training": hot[~test], **({"test": hot[test]} if test.any() else {})}
    if {part: len(examples) for part, examples in data.parts()} != {part: len(values) for part, values in found.items()}:
        raise OptionError(
            "the examples of this data set were chosen anew", expected="all that ising() made", remedy="ask its result"
        )
    return found


def _grid(temperatures: int | Sequence[float]) -> Floats:
    if isinstance(temperatures, (int, np.integer)):
        check_whole("temperatures", temperatures, least=2)
        return np.linspace(*_RANGE, int(temperatures))
    return np.asarray(temperatures, np.float64)


def _check(n: int, size: int, grid: Floats, steps: int, seed: Seed) -> None:
    check_whole("size", size, least=4)
    check_whole("steps", steps, least=1)
    if size % 2:
        raise OptionError(
            f"size={size}", expected="an even number, to colour sites like a chessboard", remedy=f"size={size + 1}"
        )
    if grid.ndim != 1 or not len(grid) or not (np.isfinite(grid) & (grid > 0)).all():
        raise OptionError(
            f"temperatures={grid.tolist()!r}", expected="finite numbers above 0", remedy="write temperatures=[2.0, 2.5]"
        )
    check_whole("n", n, least=len(grid))


def _spread(n: int, grid: Floats) -> Floats:
    return grid[np.arange(n) % len(grid)]


def _in_test(n: int, temperatures: int) -> NDArray[np.bool_]:
    return (np.arange(n) // temperatures) % _TEST_EVERY == _TEST_EVERY - 1


def _targets(target: str, hot: Floats, threshold: float) -> NDArray[np.int64] | Floats:
    if target not in ("phase", "temperature"):
        raise OptionError(f"target={target!r}", expected="'phase' or 'temperature'", remedy="write target='phase'")
    if target == "temperature":
        return hot[:, None]
    labels = (hot >= threshold).astype(np.int64)
    if labels.min() == labels.max():
        raise DataError(
            f"all temperatures, {hot.min():g} to {hot.max():g}, are on one side of threshold={threshold:g}",
            expected="temperatures on both sides: one phase alone cannot be told from the other",
            remedy="take temperatures below and above the threshold, or write target='temperature'",
        )
    return labels


# Learning by confusion labels the same spins many times.
@functools.lru_cache(maxsize=2)
def _cached_spins(n: int, size: int, grid: tuple[float, ...], steps: int, seed: Seed) -> NDArray[np.uint8]:
    # Lattices of like temperature stand together, since the clusters of a block grow until the largest is complete.
    hot = _spread(n, np.array(grid))
    order = np.argsort(hot, kind="stable")
    spins = np.empty((n, size * size), np.uint8)
    spins[order] = sample_spins(size, hot[order], steps, seed)
    spins.flags.writeable = False
    return spins
