"""Why this answer and not that one, as a picture: what each input did for it."""

from __future__ import annotations

import numpy as np

from chainrule.numerals import numeral
from chainrule.train import Attribution
from chainrule.views.marks import Bars, Rule, Scale, grey, signed
from chainrule.views.panels import Axis, Panel
from chainrule.views.pictures.sheets import image_shape, image_sheet
from chainrule.views.plain import printable
from chainrule.views.view import View, numbers_of

MOST = 12
"""So many inputs of a table have a bar; the others one together."""


def attribution(found: Attribution) -> View:
    """What each input did for one answer and not another, `run.why(7)`: an image beside its map, or a bar to each column.

    The numbers: `values`, `gradient`, `x` and `baseline` of the example's shape; `gap`, how far the values' sum is off, and `points`.

    >>> import chainrule as cr
    >>> run = cr.fit("2-4-2 tanh softmax", cr.data.moons(60), epochs=5)
    >>> picture = attribution(run.why(3))
    >>> picture.numbers["values"].shape
    (2,)
    """
    shape = image_shape(found.x.shape, found.x.dtype.name)
    other = found.instead_of or f"less than {found.of}"
    one, second = printable(found.of, most=30), printable(other, most=30)
    reading = (
        f"Orange speaks for {one}, blue for {second}; together they are {numeral(found.difference)}, by which "
        f"{printable(found.contrast, most=60)} is above the baseline's (the sum is off by {numeral(found.gap, 1)})."
    )
    return View(
        printable(found.title[:1].upper() + found.title[1:], most=80),
        reading,
        [_bars(found) if shape is None else _maps(found, shape)],
        numbers_of(found, "values", "gradient", "x", "baseline", "gap", "points"),
        size=(6.4, 3.6) if shape is None else (7.4, 3.2),
    )


def _maps(found: Attribution, shape: tuple[int, ...]) -> Panel:
    """The image, what its pixels did, and what a little more brightness would do."""
    maps = [
        array.reshape(shape) if len(shape) == 2 else array.reshape(shape).sum(axis=-1)
        for array in (found.values, found.gradient)
    ]
    image = found.x.reshape(shape)
    scales: list[Scale] = [grey(image), signed(maps[0], "contribution"), signed(maps[1], "")]
    captions = ["the example", "what each pixel did", "derivative: what more of it would do"]
    return image_sheet([image, *maps], captions, 3, scales, line=0.06)


def _bars(found: Attribution) -> Panel:
    """A bar to each of the inputs that did most, largest first."""
    flat = found.values.ravel()
    order = np.argsort(-np.abs(flat), kind="stable")[:MOST]
    ends, labels = flat[order].tolist(), [_label(found, int(place)) for place in order]
    if len(flat) > MOST:
        ends.append(float(flat.sum() - flat[order].sum()))
        labels.append(f"{len(flat) - MOST} others together")
    rows = np.arange(len(ends))
    return Panel(
        [
            Rule(x=0.0),
            Bars(
                rows,
                ends,
                width=0.7,
                flat=True,
                colors=["positive" if end > 0 else "negative" for end in ends],
                texts=[numeral(end, 3, sign=True) for end in ends],
            ),
        ],
        Axis(f"contribution to {printable(found.contrast, most=60)}", ends=_room(ends)),
        Axis("input", at=rows, texts=labels, ends=(len(rows) - 0.4, -0.6)),
    )


def _label(found: Attribution, place: int) -> str:
    value = float(found.x.ravel()[place])
    return f"{printable(found.name(place), most=24)} = {numeral(value, 3)}"


def _room(ends: list[float]) -> tuple[float, float]:
    """The axis, with room for the numbers behind the bars."""
    low, high = min(0.0, *ends), max(0.0, *ends)
    more = 0.22 * (high - low or 1.0)
    return low - more * (low < 0), high + more * (high > 0)
