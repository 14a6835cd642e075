"""Data whose targets are their own inputs, for autoencoders; and inputs that were spoilt, for denoising autoencoders."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Annotated, TypeAlias

import numpy as np

from chainrule.checks import Interval, NonNegative, Portion, Seed, checked
from chainrule.data.dataset import Dataset
from chainrule.data.examples import Array, Examples
from chainrule.data.origin import changed_origin
from chainrule.data.scaling import Scaling
from chainrule.errors import OptionError
from chainrule.spelling import listed

PARTS = ("training", "validation", "test")
Noise: TypeAlias = Annotated[float, Interval(least=0, most=1e30)]
"""How strong noise is, in scaled units: float32 has room for it."""


@checked
def reconstruction(
    dataset: Dataset, noise: Noise = 0.0, fraction: Portion = 0.0, *, parts: Sequence[str] = PARTS, seed: Seed = 0
) -> Dataset:
    """The same inputs with new targets: what the network sees of them, in one row. Labels stay with the data that were given.

    Targets are the scaled inputs, (n, k) with k the numbers of one input: float32 for bytes and float32, else float64. With `noise`
    or `fraction` the inputs of `parts` are spoilt, the targets are not: each number is set to 0 with probability `fraction`, then
    noise · ε is added, ε standard normal, in scaled units; all inputs are then kept scaled. This noise is the same in each epoch;
    `nn.GaussianNoise` draws anew at each step, which is what to train with: leave "training" out of `parts`.
    Raises OptionError for a fraction outside 0 to 1, a negative noise, an unknown part. Source for both ways to spoil: P. Vincent and
    others, JMLR 11, 3371 (2010).

    >>> from chainrule.data.generators import moons
    >>> data = reconstruction(moons(8))
    >>> data
    Dataset('moons to itself': 8 train, 8 test; inputs (2,) float64; 2 numbers to fit)
    >>> bool(np.array_equal(data.train.y, data.scaling.apply(data.train.x)))
    True
    """
    _check(parts)
    spoils = noise > 0 or fraction > 0
    found = {part: _rows(dataset, examples, spoils) for part, examples in dataset.parts()}
    for part in parts if spoils else ():
        if part in found:
            x, y = found[part]
            # A stream of its own for each part: which others are spoilt changes nothing.
            found[part] = _spoilt(x, noise, fraction, np.random.default_rng([seed, PARTS.index(part)])), y
    made = {part: Examples(*pair) for part, pair in found.items()}
    options = {"noise": noise, "fraction": fraction, "parts": tuple(parts), "seed": seed} if spoils else {}
    note = f"inputs of {', '.join(parts)} spoilt: fraction {fraction:g} set to 0, noise {noise:g}, seed {seed}"
    return dataclasses.replace(
        dataset, name=f"{dataset.name} to itself", train=made["training"], validation=made.get("validation"),
        test=made.get("test"), scaling=Scaling.none() if spoils else dataset.scaling.described(), target_scaling=None, classes=None,
        columns=None, notes=(*dataset.notes, *([note] if spoils else [])),
        origin=changed_origin(dataset.origin, "reconstruction", **options),
    )  # fmt: skip


def _check(parts: Sequence[str]) -> None:
    unknown = sorted(set(parts) - set(PARTS))
    if isinstance(parts, str) or unknown:
        raise OptionError(f"parts={parts!r}", expected=f"some of {listed(PARTS)}", remedy='write parts=("test",)')


def _rows(dataset: Dataset, examples: Examples, spoils: bool) -> tuple[Array, Array]:
    """Inputs as they are, or scaled where they are to be spoilt; and the scaled inputs in rows."""
    wide = examples.x.dtype == np.float64
    scaled = dataset.scaling.apply(examples.x).astype(np.float64 if wide else np.float32, copy=False)
    return (scaled if spoils else examples.x), scaled.reshape(len(scaled), -1)


def _spoilt(x: Array, noise: NonNegative, fraction: Portion, random: np.random.Generator) -> Array:
    kept = random.random(x.shape, dtype=np.float32) >= fraction if fraction else True
    spoilt = np.where(kept, x, 0)
    if noise:
        spoilt = spoilt + noise * random.standard_normal(x.shape, dtype=np.float32)
    return spoilt.astype(x.dtype, copy=False)
