"""What an explanation's pieces look like in a page: formulas that may be wrapped, strips of values, bars, verdicts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial

import numpy as np

from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.trace import EntryCheck, Explanation, Quantity, RuleCheck, State
from chainrule.views.colours import signed_colour
from chainrule.views.explanation.text import MARKS, verdict
from chainrule.views.page import mathml
from chainrule.views.svg import clean

CLASSES: Mapping[State, str] = {"agrees": "right", "kink": "unsure", "unclear": "unsure", "differs": "wrong"}
"""How a verdict looks: its class in the style sheet."""
MOST_CELLS = 24
"""A strip shows so many entries of an array; longer ones show evenly spaced ones and say so."""
LONG = 60
"""A formula whose plain text is longer may be broken before its = and +."""
in_latex = partial(numeral, style="latex")


def formula(explanation: Explanation, latex: str, plain: str) -> str:
    """A formula as MathML, or, in the notation of code, as code."""
    if explanation.notation == "code":
        return f"<code>{clean(plain)}</code>"
    # A number with its sign is one thing: braces keep the minus from being set as that of a difference.
    written = re.sub(r"(^|[(=] ?|\\cdot |\\times )-([\d.]+)", r"\1{-\2}", latex.replace("−", "-"))
    if len(plain) <= LONG:
        return mathml(written, plain)
    return " ".join(mathml(piece, plain) for piece in broken(written))


def broken(latex: str) -> Iterator[str]:
    r"""The pieces of a formula between which a line may end: before each = and + that stands in no bracket.

    >>> list(broken(r"a = b + \frac{c + d}{2} + (e + f)"))
    ['a', '{} = b', '{} + \\frac{c + d}{2}', '{} + (e + f)']
    """
    depth, start = 0, 0
    for place, letter in enumerate(latex):
        depth += (letter in "{([") - (letter in "})]")
        if depth == 0 and latex[place : place + 3] in {" = ", " + "}:
            yield _piece(latex[start:place])
            start = place
    yield _piece(latex[start:])


def _piece(latex: str) -> str:
    # An empty group before a sign keeps it a sign between two things.
    return f"{{}}{latex.rstrip()}" if latex.startswith(" ") else latex


def bracketed(value: float) -> str:
    """A factor, in brackets where it is negative."""
    return f"({in_latex(value)})" if value < 0 else in_latex(value)


def verdict_html(check: RuleCheck | EntryCheck) -> str:
    """A verdict in its colour."""
    return f'<span class="verdict {CLASSES[check.state]}">{clean(verdict(check))}</span>'


def mark_html(check: RuleCheck | EntryCheck) -> str:
    """The mark of a verdict alone; its words are shown when the pointer rests on it."""
    return f'<span class="{CLASSES[check.state]}" title="{clean(verdict(check))}">{MARKS[check.state]}</span>'


def strip(quantity: Quantity, values: Array) -> str:
    """The entries as cells of signed colour, each with its number to be read by pointing at it."""
    flat = np.asarray(values, dtype=np.float64).ravel()
    if flat.size == 1:
        return ""
    places: list[int] = np.unique(np.linspace(0, flat.size - 1, min(flat.size, MOST_CELLS)).astype(int)).tolist()
    largest = float(np.max(np.abs(flat[np.isfinite(flat)]), initial=0.0)) or 1.0
    cells = "".join(
        f'<i style="background:{signed_colour(float(np.nan_to_num(flat[place])) / largest)}" '
        f'title="{clean(_named(quantity, place))} = {numeral(float(flat[place]))}"></i>'
        for place in places
    )
    shown = f"{len(places)} of {flat.size} entries, " if len(places) < flat.size else ""
    ends = f"{numeral(flat.min(), 3)} … {numeral(flat.max(), 3)}"
    return f'<div><span class="cells">{cells}</span> <span class="faint">{shown}{ends}</span></div>'


def _named(quantity: Quantity, flat: int) -> str:
    index = np.unravel_index(flat, quantity.node.shape)
    return f"{quantity.name}[{','.join(str(int(i)) for i in index)}]"


def bar_html(share: float) -> str:
    """A bar as long as a fraction of 1."""
    return f'<span class="bar" style="width:{100 * min(1.0, max(0.0, share)):.1f}px"></span>'
