"""Two networks compared, as a picture: which neuron is which, and both answers to each example."""

from __future__ import annotations

import numpy as np

from chainrule.train import Alignment, Compared
from chainrule.views.marks import Image, Line, Points, Scale
from chainrule.views.panels import Axis, Panel
from chainrule.views.plain import printable
from chainrule.views.view import View, numbers

MOST_LAYERS = 2


def compared(found: Compared) -> View:
    """Which neurons go together, `run.compare(other)`: correlations with the pairs on the diagonal; and the answers, one against the other.

    Of several layers the first two. The numbers: `here`, `there` and `apart` of each example, `pairs1`, `correlations1`, ... of the layers.

    >>> import chainrule as cr
    >>> run = cr.fit("2-4-2 tanh softmax", cr.data.moons(60), epochs=5, replicas=2)
    >>> compared(run.compare(run, other_replica=1)).numbers["correlations1"].shape
    (4,)
    """
    shown = found.alignments[:MOST_LAYERS]
    panels = [*map(_correlations, shown), _answers(found)]
    layers = {
        f"{name}{place + 1}": getattr(each, name)
        for place, each in enumerate(found.alignments)
        for name in ("pairs", "correlations")
    }
    reading = (
        "Orange: both neurons rise together over the examples, blue: one is the other turned over; neurons of the other network "
        "stand in the order of those they go with. On the right a point is an example; on the line both answer the same."
    )
    title = f"Two networks on {len(found.apart)} {found.part} examples"
    return View(
        title,
        reading,
        panels,
        numbers(here=found.here, there=found.there, apart=found.apart, **layers),
        size=(3.4 * len(panels), 3.4),
    )


def _correlations(alignment: Alignment) -> Panel:
    """The matrix, with the columns in the order of the partners."""
    ordered = alignment.pairs[:, 1].tolist()
    columns = [*ordered, *(place for place in range(alignment.matrix.shape[1]) if place not in ordered)]
    first, second = (printable(name, most=20) for name in (alignment.first, alignment.second))
    return Panel(
        [Image(alignment.matrix[:, columns], scale=Scale("signed", -1.0, 1.0, "r"))],
        Axis(f"{second} there", at=np.arange(len(columns))[:16], texts=[str(place) for place in columns][:16]),
        Axis(f"{first} here", at=np.arange(len(alignment.matrix))[:16]),
    )


def _answers(found: Compared) -> Panel:
    """The last output of both networks, with those examples apart that they take for different classes."""
    here, there = found.here[:, -1], found.there[:, -1]
    name = "output" if found.classes is None else f"p({printable(found.classes[-1], most=16)})"
    apart = np.zeros(len(here), bool) if found.decisions is None else found.decisions[0] != found.decisions[1]
    ends = [float(min(here.min(), there.min())), float(max(here.max(), there.max()))]
    marks = [
        Line(ends, ends, color="faint", width=1.0),
        Points(here[~apart], there[~apart], color=0, size=2.5, label="" if found.decisions is None else "the same class"),
        Points(here[apart], there[apart], color=1, size=3.5, label="" if found.decisions is None else "another class"),
    ]
    return Panel(marks, Axis(f"{name} here"), Axis(f"{name} there"))
