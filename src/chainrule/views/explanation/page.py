"""Explanations as HTML: formulas as MathML, values as strips of colour, each derivative beside its check."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import numpy as np

from chainrule import display
from chainrule.graph import Array
from chainrule.trace import BackwardStep, EntryCheck, Explanation, ForwardStep, Quantity, RuleCheck, State
from chainrule.views.colours import signed_colour
from chainrule.views.explanation.text import entries_summary, passed_by, signed, verdict
from chainrule.views.page import CSS, isolated, mathml
from chainrule.views.plain import counted, printable
from chainrule.views.svg import clean

CLASSES: Mapping[State, str] = {"agrees": "right", "kink": "faint", "unclear": "faint", "differs": "wrong"}
"""How a verdict looks: its class in the style sheet."""
MOST_CELLS = 24
"""A strip shows so many entries of an array; longer ones show evenly spaced ones and say so."""


@display.html.register
def explanation_html(explanation: Explanation) -> str:
    """The whole explanation as a piece of HTML with its own style."""
    return f'<div class="chainrule"><style>{CSS}</style>{explanation_body(explanation)}</div>'


def explanation_body(explanation: Explanation) -> str:
    """The explanation without the style, for pages that have it."""
    facts = " · ".join(f"{clean(word)}: <b>{isolated(printable(text))}</b>" for word, text in explanation.facts.items())
    return "".join(
        [
            f"<p>{facts}</p>" if facts else "",
            "<h3>Forward: each quantity after what it is computed from</h3>",
            '<div class="scroll"><table><tr><th>#</th><th>quantity and its values</th><th>one entry with numbers</th></tr>',
            *(_forward_row(explanation, step) for step in explanation.forward),
            "</table></div>",
            _stored(explanation),
            "<h3>Backward: from C back, each rule beside a finite difference</h3>",
            '<div class="scroll"><table><tr><th>#</th><th>derivative</th><th>local · incoming = product</th><th>check</th></tr>',
            *(_backward_row(explanation, step) for step in explanation.backward),
            "</table></div>",
            "<h3>Checks: the whole cost computed again with one entry moved</h3>",
            '<div class="scroll"><table>',
            *_check_rows(explanation),
            "</table></div>",
        ]
    )


# ---- rows


def _forward_row(explanation: Explanation, step: ForwardStep) -> str:
    wording, quantity = explanation.wording, step.quantity
    formula = f"{wording.symbol(quantity, 'latex')} = {wording.formula(quantity, 'latex')}"
    entry = f"{wording.symbol(quantity, 'latex', step.index)} = {wording.numbers(quantity, step.index, 'latex')} = {signed(step.value)}"
    cells = (
        str(quantity.number),
        _math(explanation, formula, f"{step.symbol} = {step.formula}")
        + f"<div>{_strip(quantity, explanation.trace.value_of(quantity))}</div>",
        _math(explanation, entry, f"{step.entry} = {step.numbers} = {signed(step.value)}"),
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _stored(explanation: Explanation) -> str:
    stored = explanation.trace.stored
    total = counted(sum(item.bytes for item in stored), "byte")
    names = ", ".join(f"{clean(item.name)} ({item.bytes})" for item in stored)
    return f'<p class="faint">Stored for the backward pass: {total}: {names}</p>'


def _backward_row(explanation: Explanation, step: BackwardStep) -> str:
    wording, path = explanation.wording, step.path
    place = step.check.place
    latex = f"{wording.derivative(step.input, 'latex')} = {wording.rule(step.quantity, place, 'latex')}"
    rule = _math(explanation, latex, f"{wording.derivative(step.input)} = {step.rule}")
    symbols = (
        f"{wording.local_symbol(path.user, step.input, 'latex', (path.index, step.index))} \\cdot "
        f"{wording.derivative(path.user, 'latex', path.index)} = {signed(path.local)} \\cdot {_bracketed(path.arriving)} "
        f"= {signed(path.product)}"
    )
    plain = f"{signed(path.local)} · {signed(path.arriving)} = {signed(path.product)}"
    more = f'<div class="faint">the largest of {step.paths} paths; sum {signed(step.total)}</div>' if step.paths > 1 else ""
    derivative = explanation.trace.derivative_by(step.input)
    strip = _strip(step.input, derivative) if derivative is not None else ""
    aside = f'<div class="faint">{clean(passed_by(explanation, step))}</div>' if step.aside else ""
    cells = (
        str(step.quantity.number),
        f"{rule}<div>{strip}</div>{aside}",
        f"{_math(explanation, symbols, plain)}{more}",
        _verdict(step.check),
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _check_rows(explanation: Explanation) -> Iterator[str]:
    for check in explanation.shown_entries:
        quantity = explanation.trace.quantity(check.name)
        latex = f"{explanation.wording.derivative(quantity, 'latex', check.index)} = {signed(check.derivative, 6)}"
        plain = f"{explanation.wording.derivative(quantity, index=check.index)} = {signed(check.derivative, 6)}"
        yield f"<tr><td>{_math(explanation, latex, plain)}</td><td>{_verdict(check)}</td></tr>"
    yield f'<tr><td colspan="2" class="faint">{clean(entries_summary(explanation))}</td></tr>'


def _verdict(check: RuleCheck | EntryCheck) -> str:
    return f'<span class="{CLASSES[check.state]}">{clean(verdict(check))}</span>'


# ---- parts


def _math(explanation: Explanation, latex: str, plain: str) -> str:
    if explanation.notation == "code":
        return f"<code>{clean(plain)}</code>"
    # A number with its sign is one thing: braces keep the minus from being set as that of a difference.
    return mathml(re.sub(r"(^|[(=] ?|\\cdot )-([\d.]+)", r"\1{-\2}", latex.replace("−", "-")), plain)


def _bracketed(value: float) -> str:
    return f"({signed(value)})" if value < 0 else signed(value)


def _strip(quantity: Quantity, values: Array) -> str:
    """The entries as cells of signed colour, each with its number to be read by pointing at it."""
    flat = np.asarray(values, dtype=np.float64).ravel()
    if flat.size == 1:
        return ""
    places: list[int] = np.unique(np.linspace(0, flat.size - 1, min(flat.size, MOST_CELLS)).astype(int)).tolist()
    largest = float(np.max(np.abs(flat[np.isfinite(flat)]), initial=0.0)) or 1.0
    cells = "".join(
        f'<i style="background:{signed_colour(float(np.nan_to_num(flat[place])) / largest)}" '
        f'title="{clean(_named(quantity, place))} = {signed(float(flat[place]))}"></i>'
        for place in places
    )
    shown = f"{len(places)} of {flat.size} entries, " if len(places) < flat.size else ""
    return f'<span class="cells">{cells}</span> <span class="faint">{shown}{signed(flat.min(), 3)} … {signed(flat.max(), 3)}</span>'


def _named(quantity: Quantity, flat: int) -> str:
    index = np.unravel_index(flat, quantity.node.shape)
    return f"{quantity.name}[{','.join(str(int(i)) for i in index)}]"
