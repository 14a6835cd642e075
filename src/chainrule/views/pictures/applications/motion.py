"""Motions in time: the solution of an equation with what is left of it, and a hidden path inferred from a visible one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.views.marks import Line, Mark, Points, Rule, look
from chainrule.views.panels import Axis, Panel
from chainrule.views.view import View, chart, numbers


def equation_solved(equation: str, t: Array, found: Array, residual: Array, known: Array | None = None) -> View:
    """A solution u(t): `found`, the `known` one, and the `residual` of the equation, at times `t`, all (n,)."""
    told = ", the dashed one what is known, and below is also how far they are apart" if known is not None else ""
    above, below = (
        [Line(t, found, color=0, label="network")],
        [Line(t, residual, color=2, width=1.0, label="left of the equation")],
    )
    if known is not None:
        above.append(Line(t, known, color=1, dash="dashed", label="known"))
        below.append(Line(t, found - known, color=1, dash="dashed", width=1.0, label="error of u"))
    return View(
        f"Solved by a network: {equation}",
        f"Above, the solid line is the network{told}; below, what is left of the equation, which training made small: it is "
        "to be small against 1.",
        [
            _over_time(above, "time t (units of 1/ω)", "u (no unit)"),
            _over_time(below, "time t (units of 1/ω)", "difference (no unit)"),
        ],
        numbers(t=t, found=found, known=known, residual=residual),
        columns=1,
        size=(5.8, 4.6),
    )


def _over_time(marks: Sequence[Mark], across: str, up: str) -> Panel:
    return Panel([Rule(y=0.0, width=0.6), *marks], Axis(across), Axis(up), legend="upper right")


def hidden_path(times: Array, visible: Array, hidden: Array, inferred: Array) -> View:
    """One pair of oscillators: the `visible` path as seen, the `hidden` one and what was `inferred`, at `times`, all (n,)."""
    miss = float(np.sqrt(np.mean((inferred - hidden) ** 2)))
    seen = Line(times, visible, color=0, marker="o", size=3.0, width=0.8, label="visible, measured")
    answer = Points(times, inferred, color=2, size=3.5, label="hidden, inferred")
    axes = "time (units of 1/ω)", "position (lengths)"
    return View(
        f"The hidden oscillator, inferred to {numeral(miss, 2)} of a length unit",
        "Above is what the network is given, the visible oscillator's measured positions; below, its answer, as points, on the "
        "hidden oscillator's true path, which it is not given.",
        [_over_time([seen], *axes), _over_time([Line(times, hidden, color=1, label="hidden, true"), answer], *axes)],
        numbers(times=times, visible=visible, hidden=hidden, inferred=inferred),
        columns=1,
        size=(5.8, 4.6),
    )


def errors_in_time(times: Array, errors: Mapping[str, Array], floor: float) -> View:
    """Root mean square errors of several answers at `times` (n,), by name, each (n,); and the mean error that noise alone leaves."""
    lines = [Line(times, row, **look(place), size=3.0, label=name) for place, (name, row) in enumerate(errors.items())]
    return chart(
        "How far off each answer is, moment by moment",
        "Each curve is the root mean square error over all test paths; what lies above the curve of one who knows the equations, whose "
        "expected mean is the dotted line, was left to be learned.",
        [*lines, Rule(y=floor, dash="dotted", width=1.0, label="left by noise, on average")],
        Axis("time (units of 1/ω)"),
        Axis("error of the hidden position (lengths)", ends=(0, None)),
        {"times": times, **errors},
    )
