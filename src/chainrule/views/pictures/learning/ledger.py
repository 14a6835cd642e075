"""The ledger of a step as a picture: each part of Δw begins where the one before it ended, so that they visibly add up."""

from __future__ import annotations

import numpy as np

from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.train import Ledger
from chainrule.views.marks import Bars, Color, Image, Line, Mark, Rule, Scale, ends_of
from chainrule.views.panels import Axis, Panel
from chainrule.views.pictures.sheets import class_name, image_shape
from chainrule.views.plain import counted, printable, spaced
from chainrule.views.view import View, numbers


def ledger_picture(ledger: Ledger, examples: int = 8) -> View:
    """The ledger as a picture that names the `examples` whose parts are largest; the others are one bar.

    Images are shown where the inputs are images. The numbers: the parts' `values` (k,) with their `names`; `images` (m, height,
    width) of the first m of them; `change`, Δw as it happened, of one entry, or for a whole parameter its Euclidean norm, with the
    parts' components along it; `residual`: what is left by rounding.

    >>> import chainrule as cr
    >>> run = cr.fit("2-3-2 tanh softmax", cr.data.moons(60), epochs=2, batch_size=10, optimizer="sgd")
    >>> found = ledger_picture(run.ledger(3, "dense1.W", (0, 1)), examples=4).numbers
    >>> str(found["names"][-1]), len(found["values"])
    ('6 other examples', 5)
    >>> bool(abs(found["values"].sum() + found["residual"] - found["change"]) < 1e-12)
    True
    """
    if examples < 1:
        raise OptionError(f"examples={examples}", expected="1 or more", remedy="leave it out")
    ranked = ledger.ranked()
    named = [share for share in ranked if share.value][:examples]
    rest = ranked[len(named) :]
    bars = [(_name(ledger, share.place, share.example), share.value) for share in named]
    bars += [(counted(len(rest), "other example"), sum(share.value for share in rest))] if rest else []
    bars += [(printable(name, most=40), ledger.along(part)) for name, part in ledger.parts.items()]
    names, values = [name for name, _ in bars], np.array([value for _, value in bars])
    images = _images(ledger, [share.place for share in named])
    change, residual, single = ledger.along(ledger.change), ledger.along(ledger.residual), ledger.before.ndim == 0
    what = "their sum is Δw" if single else "they are components along Δw and add up to its length ‖Δw‖"
    step = f"{spaced(ledger.step)} → {spaced(ledger.step + 1)}"
    return View(
        f"Why {printable(ledger.label, most=60)} moved in step {step}, replica {ledger.replica}",
        f"Each bar is what one part did (the batch's examples, with their numbers in the training part, then all else) and "
        f"begins where the one above ended, so {what}, up to {numeral(abs(residual), 2)} of rounding.",
        [_waterfall([*names, "Δw" if single else "‖Δw‖"], values, change, images, single=single)],
        numbers(names=names, values=values, images=images, change=change, residual=residual),
        size=(7.0, 4.6),
    )


def _name(ledger: Ledger, place: int, example: int) -> str:
    number = f"no. {spaced(example)}"
    return number if ledger.classes is None else f"{number}, {class_name(ledger.classes, int(ledger.examples.y[place]), 16)}"


def _images(ledger: Ledger, places: list[int]) -> Array | None:
    x = ledger.examples.x
    shape = image_shape(x.shape[1:], x.dtype.name)
    return None if shape is None or not places else x[places].reshape(-1, *shape)


def _waterfall(names: list[str], values: Array, change: float, images: Array | None, *, single: bool) -> Panel:
    """Horizontal bars from the top, each moved to the end of the last; below them the change, from 0."""
    reached, rows = np.cumsum(values), len(names)
    ends, starts = np.append(reached, change), np.concatenate([[0.0], reached[:-1], [0.0]])
    colours: list[Color] = [*("positive" if value > 0 else "negative" for value in values), "ink"]
    texts = [numeral(value + 0.0, 3, sign=True) for value in (*values, change)]
    joints = np.stack([reached, reached], axis=1), np.arange(rows - 1)[:, None] + [0.36, 0.64]
    room = 0.2 * float(np.ptp([0.0, *ends])) or 1.0  # for the numbers behind the bars
    return Panel(
        [
            Rule(x=0.0, width=0.6),
            Bars(range(rows), ends, start=starts, width=0.72, flat=True, colors=colours, edge="ink", texts=texts),
            Line(*joints, width=0.8),
            *_beside(images, rows),
        ],
        Axis(
            "change of the weight" if single else "change of the weights, along Δw",
            ends=(min(0.0, float(ends.min())) - room, max(0.0, float(ends.max())) + room),
        ),
        Axis("part of the change", at=range(rows), texts=names, ends=(rows - 0.5, -0.5), room=0.0 if images is None else 28.0),
    )


def _beside(images: Array | None, rows: int) -> list[Mark]:
    """The images between the axis and the names."""
    if images is None:
        return []
    scale, height = Scale("grey", *ends_of(images)), 0.9 / rows
    middles = [1 - (row + 0.5) / rows for row in range(len(images))]
    boxes = [(-0.085, -0.005, middle - height / 2, middle + height / 2) for middle in middles]
    pairs = zip(images, boxes, strict=True)
    return [Image(image, scale=scale, box=box, where="axes", anchor="E") for image, box in pairs]
