"""Drawn faces of humans, cats and dogs: small grey pictures, each drawn anew with measures of its own."""

from __future__ import annotations

import numpy as np

from chainrule.checks import Seed, checked
from chainrule.data.checks import check_whole
from chainrule.data.dataset import Dataset
from chainrule.data.drawing import Floats, Sheet
from chainrule.data.examples import Examples
from chainrule.data.origin import generated, remembered
from chainrule.data.scaling import Scaling

_AT_ONCE = 100
_CLASSES = ("human", "cat", "dog")


@remembered("faces")
@checked
def faces(n: int = 600, *, size: int = 28, seed: Seed = 0) -> Dataset:
    """Drawn faces of three classes, "human", "cat" and "dog", as uint8 of shape (size²,), row after row, like `mnist`.

    Faces differ in place, size, tilt, proportions, expression, brightness of head, hair and background, and have some noise.
    Humans have hair above, ears at the sides and a smile; cats have pointed ears, slit pupils and whiskers; dogs have hanging ears
    and a muzzle with a large nose. The classes come in turn. Training and test part hold `n` pictures each.

    >>> faces(30)
    Dataset('faces': 30 train, 30 test; inputs (784,) uint8; 3 classes)
    """
    check_whole("n", n, least=3)
    check_whole("size", size, least=12)
    random = np.random.default_rng(seed)
    train, test = (_part(random, n, size) for _ in ("train", "test"))
    return generated(
        "faces",
        train,
        test,
        f"drawn faces, {size} × {size} pixels, seed {seed}",
        scaling=Scaling(0, 1 / 255),
        classes=_CLASSES,
    )


def _part(random: np.random.Generator, n: int, size: int) -> Examples:
    labels = np.arange(n) % len(_CLASSES)
    pictures = np.empty((n, size * size), np.uint8)
    for label, draw in enumerate((_human, _cat, _dog)):
        places = np.flatnonzero(labels == label)
        for begin in range(0, len(places), _AT_ONCE):
            some = places[begin : begin + _AT_ONCE]
            sheet = _sheet(random, len(some), size)
            draw(sheet, _Chance(random, len(some)))
            pictures[some] = sheet.pixels(0.03, random).reshape(len(some), -1)
    return Examples(pictures, labels)


class _Chance:
    """Measures by chance: each call gives one number for each picture."""

    def __init__(self, random: np.random.Generator, n: int) -> None:
        self._random, self._n = random, n

    def __call__(self, low: float, high: float) -> Floats:
        return self._random.uniform(low, high, self._n)


def _sheet(random: np.random.Generator, n: int, size: int) -> Sheet:
    chance = _Chance(random, n)
    return Sheet(
        n,
        size,
        background=chance(0.0, 0.2),
        turn=chance(-0.2, 0.2),
        scale=chance(0.82, 1.05),
        shift=(chance(-0.1, 0.1), chance(-0.1, 0.1)),
    )


def _human(sheet: Sheet, chance: _Chance) -> None:
    wide, tall, skin, hair = chance(0.48, 0.6), chance(0.68, 0.8), chance(0.65, 0.95), chance(0.3, 0.5)
    long, eyes, smile = chance(-0.1, 0.75), chance(0.2, 0.26), chance(0.08, 0.2)
    # Hair first: what hangs behind the head, down to `long`.
    sheet.lens((0, -0.05), (wide + 0.2, tall + 0.15), hair, above=long)
    for side in (-1, 1):
        sheet.ellipse((side * wide, 0.05), (0.1, 0.16), skin * 0.9)
    sheet.ellipse((0, 0.05), (wide, tall), skin)
    sheet.lens((0, -0.05), (wide + 0.06, tall + 0.08), hair, above=chance(-0.45, -0.3))
    for side in (-1, 1):
        sheet.ellipse((side * eyes, -0.08), (0.12, 0.075), 1.0)
        sheet.ellipse((side * eyes, -0.08), (0.055, 0.075), 0.05)
        sheet.line((side * (eyes - 0.1), -0.22), (side * (eyes + 0.1), -0.23), 0.05, hair * 0.7)
    sheet.line((0, -0.02), (0.05, 0.2), 0.05, skin * 0.6)
    sheet.arc((0, 0.36), (chance(0.18, 0.28), smile), 0.08, skin * 0.25)


def _cat(sheet: Sheet, chance: _Chance) -> None:
    wide, tall, fur = chance(0.66, 0.78), chance(0.54, 0.62), chance(0.45, 0.85)
    reach, eyes, tip = chance(0.82, 0.95), chance(0.27, 0.34), chance(0.5, 0.66)
    for side in (-1, 1):
        sheet.triangle((side * wide * 0.97, 0.02), (side * wide * 0.12, -0.3), (side * tip, -reach), light=fur)
        sheet.triangle((side * wide * 0.78, -0.15), (side * wide * 0.36, -0.34), (side * tip, -reach + 0.18), light=fur * 0.55)
    sheet.ellipse((0, 0.12), (wide, tall), fur)
    for stripe in (-0.14, 0.0, 0.14):
        sheet.line((stripe, -0.4), (stripe * 0.8, -0.24), 0.06, fur * 0.6)
    for side in (-1, 1):
        sheet.ellipse((side * eyes, 0.0), (0.15, 0.11), 1.0, turn=side * -0.3)
        sheet.ellipse((side * eyes, 0.0), (0.035, 0.11), 0.0)
    sheet.triangle((-0.09, 0.2), (0.09, 0.2), (0, 0.32), light=0.1)
    for side in (-1, 1):
        sheet.arc((side * 0.1, 0.34), (0.1, 0.1), 0.05, fur * 0.35)
        for slope in (-0.12, 0.02, 0.16):
            sheet.line((side * 0.24, 0.3 + slope / 3), (side * 0.95, 0.3 + slope * 1.6), 0.035, 0.95)


def _dog(sheet: Sheet, chance: _Chance) -> None:
    wide, tall, fur = chance(0.48, 0.58), chance(0.62, 0.72), chance(0.5, 0.85)
    ear, hang, eyes = fur * chance(0.5, 0.7), chance(0.38, 0.52), chance(0.19, 0.25)
    sheet.ellipse((0, -0.05), (wide, tall), fur)
    for side in (-1, 1):
        sheet.ellipse((side * (wide + 0.1), -0.1), (0.2, hang), ear, turn=side * -0.25)
    muzzle = np.minimum(fur + 0.2, 1.0)
    sheet.ellipse((0, 0.42), (chance(0.34, 0.42), chance(0.33, 0.4)), muzzle)
    # The tongue hangs out of some mouths.
    sheet.ellipse((0, 0.72), (0.11, chance(0.06, 0.24)), 0.45)
    for side in (-1, 1):
        sheet.ellipse((side * eyes, -0.15), (0.1, 0.1), 0.98)
        sheet.ellipse((side * eyes, -0.13), (0.07, 0.07), 0.0)
        sheet.arc((side * 0.13, 0.52), (0.13, 0.12), 0.06, fur * 0.25)
    sheet.ellipse((0, 0.28), (chance(0.15, 0.2), chance(0.1, 0.14)), 0.03)
