"""Explanations as HTML, at the explanation's level: who pushes whom in words, factors as bars, or formulas as MathML."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from chainrule import display
from chainrule.numerals import numeral
from chainrule.trace import BackwardStep, EntryCheck, Explanation, ForwardStep, Level
from chainrule.views.explanation.marks import bar_html, bracketed, formula, in_latex, mark_html, strip, verdict_html
from chainrule.views.explanation.text import (
    LEGEND,
    entries_summary,
    factors,
    not_asked_for,
    passed_by,
    pushed,
    stored_text,
    wish,
)
from chainrule.views.objects.parts import shown
from chainrule.views.page import isolated
from chainrule.views.plain import printable
from chainrule.views.svg import clean


@display.html.register
def explanation_html(explanation: Explanation) -> str:
    """The whole explanation as a piece of HTML with its own style."""
    return shown(explanation_body(explanation))


def explanation_body(explanation: Explanation) -> str:
    """The explanation without the style, for pages that have it."""
    facts = " · ".join(f"{clean(word)}: <b>{isolated(printable(text))}</b>" for word, text in explanation.facts.items())
    level = explanation.level
    return "".join(
        [
            f"<p>{facts}</p>" if facts else "",
            "<h3>Forward: each quantity after what it is computed from</h3>",
            _table(FORWARD_HEADS[level], (FORWARD[level](explanation, step) for step in explanation.forward)),
            f'<p class="faint">{clean(stored_text(explanation))}</p>' if level == "mathematics" else "",
            "<h3>Backward: from C back, each rule beside a finite difference</h3>",
            _table(BACKWARD_HEADS[level], (BACKWARD[level](explanation, step) for step in explanation.backward)),
            *(f'<p class="faint">{clean(line)}</p>' for line in not_asked_for(explanation)),
            f'<p class="faint">{clean(LEGEND)}</p>' if level == "picture" else "",
            _factors(explanation) if level == "numbers" else "",
            "<h3>Checks: the whole cost computed again with one entry moved</h3>",
            _table((), _check_rows(explanation)),
            f'<p class="faint">{clean(entries_summary(explanation))}</p>',
        ]
    )


def told_step(explanation: Explanation, step: ForwardStep | BackwardStep) -> list[tuple[str, str]]:
    """One step of a pass at the explanation's level: for each column of its table the head, and the cell as HTML."""
    level = explanation.level
    if isinstance(step, ForwardStep):
        return list(zip(FORWARD_HEADS[level], FORWARD[level](explanation, step), strict=True))
    return list(zip(BACKWARD_HEADS[level], BACKWARD[level](explanation, step), strict=True))


def _table(heads: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    head = f"<tr>{''.join(f'<th>{clean(word)}</th>' for word in heads)}</tr>" if heads else ""
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="scroll"><table>{head}{body}</table></div>'


Row = tuple[str, ...]
FORWARD_HEADS: Mapping[Level, Row] = {
    "picture": ("#", "entry and its value", "who pushes it"),
    "numbers": ("#", "quantity and its values", "one entry: who pushes it, and by how much"),
    "mathematics": ("#", "quantity and its values", "one entry with numbers"),
}
# The check stands before the product, which may be longer than a notebook is wide.
BACKWARD_HEADS: Mapping[Level, Row] = {
    "picture": ("#", "what would lower C", "check"),
    "numbers": ("#", "derivative", "check", "local · incoming = product"),
    "mathematics": ("#", "derivative", "check", "local · incoming = product"),
}


# ---- forward


def _forward_picture(explanation: Explanation, step: ForwardStep) -> Row:
    entry, pushes = _entry(explanation, step), clean(pushed(explanation, step))
    return str(step.quantity.number), entry + _values(explanation, step), pushes


def _forward_numbers(explanation: Explanation, step: ForwardStep) -> Row:
    pushes = f"{_entry(explanation, step)}<div>{clean(pushed(explanation, step))}</div>"
    return str(step.quantity.number), _definition(explanation, step) + _values(explanation, step), pushes


def _forward_mathematics(explanation: Explanation, step: ForwardStep) -> Row:
    wording, value = explanation.wording, numeral(step.value)
    between = wording.numbers(step.quantity, step.index, "latex")
    # C is the sum of one loss where there is one example: its value need not be said twice.
    said = step.numbers != value
    latex = f"{between} = {in_latex(step.value)}" if said else in_latex(step.value)
    plain = f"{step.entry} = {step.numbers} = {value}" if said else f"{step.entry} = {value}"
    entry = formula(explanation, f"{wording.symbol(step.quantity, 'latex', step.index)} = {latex}", plain)
    return str(step.quantity.number), _definition(explanation, step) + _values(explanation, step), entry


def _definition(explanation: Explanation, step: ForwardStep) -> str:
    wording = explanation.wording
    latex = f"{wording.symbol(step.quantity, 'latex')} = {wording.formula(step.quantity, 'latex')}"
    return formula(explanation, latex, f"{step.symbol} = {step.formula}")


def _entry(explanation: Explanation, step: ForwardStep) -> str:
    latex = f"{explanation.wording.symbol(step.quantity, 'latex', step.index)} = {in_latex(step.value)}"
    return formula(explanation, latex, f"{step.entry} = {numeral(step.value)}")


def _values(explanation: Explanation, step: ForwardStep) -> str:
    return strip(step.quantity, explanation.trace.value_of(step.quantity))


FORWARD: Mapping[Level, Callable[[Explanation, ForwardStep], Row]] = {
    "picture": _forward_picture, "numbers": _forward_numbers, "mathematics": _forward_mathematics,
}  # fmt: skip


# ---- backward


def _backward_picture(explanation: Explanation, step: BackwardStep) -> Row:
    return str(step.quantity.number), clean(wish(explanation, step)) + _derivatives(explanation, step), mark_html(step.check)


def _backward_numbers(explanation: Explanation, step: BackwardStep) -> Row:
    symbol = formula(
        explanation, explanation.wording.derivative(step.input, "latex"), explanation.wording.derivative(step.input)
    )
    return _backward(explanation, step, symbol)


def _backward_mathematics(explanation: Explanation, step: BackwardStep) -> Row:
    wording = explanation.wording
    latex = f"{wording.derivative(step.input, 'latex')} = {wording.rule(step.quantity, step.check.place, 'latex')}"
    return _backward(explanation, step, formula(explanation, latex, f"{wording.derivative(step.input)} = {step.rule}"))


def _backward(explanation: Explanation, step: BackwardStep, symbol: str) -> Row:
    wording, path = explanation.wording, step.path
    product = (
        f"{wording.local_symbol(path.user, step.input, 'latex', (path.index, step.index))} \\cdot "
        f"{wording.derivative(path.user, 'latex', path.index)} = {in_latex(path.local)} \\cdot {bracketed(path.arriving)} "
        f"= {in_latex(path.product)}"
    )
    plain = f"{numeral(path.local)} · {numeral(path.arriving)} = {numeral(path.product)}"
    more = f'<div class="faint">the largest of {step.paths} paths; sum {numeral(step.total)}</div>' if step.paths > 1 else ""
    aside = f'<div class="faint">{clean(passed_by(explanation, step))}</div>' if step.aside else ""
    return (
        str(step.quantity.number),
        symbol + _derivatives(explanation, step) + aside,
        verdict_html(step.check),
        formula(explanation, product, plain) + more,
    )


def _derivatives(explanation: Explanation, step: BackwardStep) -> str:
    derivative = explanation.trace.derivative_by(step.input)
    return strip(step.input, derivative) if derivative is not None else ""


BACKWARD: Mapping[Level, Callable[[Explanation, BackwardStep], Row]] = {
    "picture": _backward_picture, "numbers": _backward_numbers, "mathematics": _backward_mathematics,
}  # fmt: skip


# ---- entries


def _factors(explanation: Explanation) -> str:
    """The derivatives of the main entries as their factors, each with a bar as long as its size."""
    parts = ["<h3>Factors: a derivative is the product of those along its path</h3>"]
    for check in explanation.main_entries:
        chain = factors(explanation, check)
        largest = max((abs(value) for _, value in chain), default=0.0) or 1.0
        rows = ((clean(symbol), numeral(value), bar_html(abs(value) / largest)) for symbol, value in chain)
        paths = len(explanation.trace.paths(check.name, check.index))
        body = _table((), rows) if chain else f'<p class="faint">a sum over {paths} paths</p>'
        parts.append(f"<p>{_derivative(explanation, check)} {verdict_html(check)}</p>{body}")
    return "".join(parts)


def _derivative(explanation: Explanation, check: EntryCheck) -> str:
    quantity = explanation.trace.quantity(check.name)
    latex = f"{explanation.wording.derivative(quantity, 'latex', check.index)} = {in_latex(check.derivative, 6)}"
    return formula(
        explanation, latex, f"{explanation.wording.derivative(quantity, index=check.index)} = {numeral(check.derivative, 6)}"
    )


def _check_rows(explanation: Explanation) -> Iterator[Row]:
    for check in explanation.shown_entries:
        yield _derivative(explanation, check), verdict_html(check)
