"""Explanations as plain text: what is given, forward, backward, checks; long lines are wrapped by whoever shows them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from chainrule import display
from chainrule.numerals import numeral
from chainrule.trace import BackwardStep, EntryCheck, Explanation, ForwardStep, Push, Quantity, RuleCheck, State, Trace
from chainrule.views.plain import bar, counted, printable

RIGHT, KINK, WRONG, UNCLEAR = "✓", "~", "✗", "?"
"""The verdicts' marks: agrees; at a kink, where there is no slope; differs; rounding leaves too little to tell."""
MARKS: Mapping[State, str] = {"agrees": RIGHT, "kink": KINK, "differs": WRONG, "unclear": UNCLEAR}
LEGEND = (
    f"{RIGHT} a finite difference agrees; {KINK} at a kink, where there is no slope; {UNCLEAR} cannot be told, "
    f"for rounding leaves too little; {WRONG} the finite difference is another"
)
"""What the marks mean, where they stand alone."""
SECOND = "     "
"""What continuing lines begin with."""


def verdict(check: RuleCheck | EntryCheck) -> str:
    """A check in a word or two: its mark, and how far off the finite difference is."""
    if check.state == "agrees":
        return f"{RIGHT} finite difference agrees to {_error(check.error)}"
    if check.state == "kink":
        return f"{KINK} at a kink: no finite difference there, the rule is a convention"
    if check.state == "unclear":
        if not math.isfinite(check.uncertainty):
            return f"{UNCLEAR} cannot be told: there is no finite number beside it"
        difference = f"{numeral(check.difference)} ± {numeral(check.uncertainty, 1)}"
        return f"{UNCLEAR} cannot be told: the finite difference is {difference}"
    return f"{WRONG} finite difference gives {numeral(check.difference)}: off by {_error(check.error)}"


def _error(error: float) -> str:
    if error < 1e-15:
        return "the last digit"
    return numeral(error, 1)


@display.text.register
def explanation_text(explanation: Explanation) -> str:
    """The whole explanation."""
    return "\n".join(
        [*_facts(explanation), "", forward_text(explanation), "", backward_text(explanation), "", checks_text(explanation)]
    )


def _facts(explanation: Explanation) -> Iterator[str]:
    yield from (f"{word}: {printable(text)}" for word, text in explanation.facts.items())
    trace = explanation.trace
    given = ", ".join(f"{explanation.wording.symbol(q)} {_shape(q)}" for q in trace.quantities if q.is_leaf)
    yield f"given: {given}"


def _shape(quantity: Quantity) -> str:
    return f"({', '.join(map(str, quantity.node.shape))})" if quantity.node.shape else "one number"


# ---- forward


def forward_text(explanation: Explanation) -> str:
    """The forward pass: every quantity in topological order, at the explanation's level."""
    lines = [f"FORWARD: {counted(len(explanation.forward), 'step')}, each after what it is computed from"]
    for step in explanation.forward:
        lines += _forward_lines(explanation, step)
    if explanation.level == "mathematics":
        lines.append(stored_text(explanation))
    return "\n".join(lines)


def stored_text(explanation: Explanation) -> str:
    """What the backward pass needs of the forward pass, and how many bytes it takes."""
    trace, wording = explanation.trace, explanation.wording
    total = sum(item.bytes for item in trace.stored)
    symbols = {quantity.name: wording.symbol(quantity) for quantity in trace.quantities}
    names = ", ".join(f"{symbols.get(item.name, item.name)} ({item.bytes})" for item in trace.stored)
    return f"stored for the backward pass: {counted(total, 'byte')}: {names}"


def _forward_lines(explanation: Explanation, step: ForwardStep) -> Iterator[str]:
    number = f"{step.quantity.number:>3}  "
    if explanation.level == "mathematics":
        yield f"{number}{step.symbol} = {step.formula}   {_shape(step.quantity)}"
        value = numeral(step.value)
        yield f"{SECOND}{step.entry} = {step.numbers} = {value}" if step.numbers != value else f"{SECOND}{step.entry} = {value}"
        return
    formula = f"{step.symbol} = {step.formula}; " if explanation.level == "numbers" else ""
    yield f"{number}{formula}{step.entry} = {numeral(step.value)}{_range(explanation.trace, step.quantity)}"
    yield f"{SECOND}{pushed(explanation, step)}"


def _range(trace: Trace, quantity: Quantity) -> str:
    value = trace.value_of(quantity)
    return f"   (its {value.size} entries: {numeral(value.min())} … {numeral(value.max())})" if value.size > 1 else ""


def pushed(explanation: Explanation, step: ForwardStep) -> str:
    """Who pushes an entry up and who down; for the level of numbers by which product."""
    if len(step.quantity.inputs) == 1 and step.quantity.inputs[0].node.shape == step.quantity.node.shape:
        return f"follows {explanation.wording.symbol(step.quantity.inputs[0], index=step.index)}"
    pushes = explanation.trace.pushes(step.quantity.name, step.index, most=40)
    up = [_push(explanation, push) for push in pushes if push.size > 0][:3]
    down = [_push(explanation, push) for push in pushes if push.size < 0][:3]
    parts = [f"pushed up most by {', '.join(up)}"] if up else []
    parts += [f"{'held down' if up else 'pushed down'} most by {', '.join(down)}"] if down else []
    return "; ".join(parts) or "nothing pushes it: its inputs are 0"


def _push(explanation: Explanation, push: Push) -> str:
    symbol = explanation.wording.symbol(push.source, index=push.index)
    if explanation.level == "picture":
        return f"{symbol} ({numeral(push.size, 2)})"
    return f"{symbol} ({numeral(push.value, 3)}, times slope {numeral(push.slope, 3)} = {numeral(push.size, 3)})"


# ---- backward


def backward_text(explanation: Explanation) -> str:
    """The backward pass: in reverse topological order, what each quantity passes back to what it was computed from."""
    cost = explanation.wording.symbol(explanation.trace.quantity(explanation.trace.cost_name))
    lines = [f"BACKWARD: {counted(len(explanation.backward), 'step')} from {cost} back; each rule beside a finite difference"]
    for step in explanation.backward:
        lines += _backward_lines(explanation, step)
    if explanation.level == "picture":
        lines.append(f"{SECOND}{LEGEND}")
    if explanation.level == "numbers":
        lines += [line for check in explanation.main_entries for line in factor_lines(explanation, check)]
    for quantity, terms in explanation.shared():
        index = explanation.focus(quantity)
        symbol = explanation.wording.derivative(quantity, index=index)
        parts = " + ".join(f"{numeral(float(term.value[index]))} by {explanation.wording.symbol(term.user)}" for term in terms)
        derivative = explanation.trace.arriving(quantity)
        total = float(derivative[index]) if derivative is not None else 0.0
        lines.append(f"{SECOND}{symbol} is a sum over its {len(terms)} uses: {parts} = {numeral(total)}")
    return "\n".join([*lines, *(SECOND + line for line in not_asked_for(explanation))])


FROZEN = "frozen: no derivative by it is asked for, and training leaves it as it is"


def not_asked_for(explanation: Explanation) -> list[str]:
    """Which derivatives the backward pass does without, and why."""
    names = ", ".join(explanation.wording.symbol(quantity) for quantity in explanation.trace.fixed)
    return [f"no derivative is asked for by {names}: frozen, training leaves them as they are"] if names else []


def _backward_lines(explanation: Explanation, step: BackwardStep) -> Iterator[str]:
    number = f"{step.quantity.number:>3}  "
    wording, path = explanation.wording, step.path
    if explanation.level == "picture":
        yield f"{number}{wish(explanation, step)}  {MARKS[step.check.state]}"
        return
    derivative = wording.derivative(step.input)
    if explanation.level == "mathematics":
        yield f"{number}{derivative} = {step.rule}" + (f"   with slope {step.local}" if step.local else "")
    else:
        yield f"{number}{derivative}"
    incoming = wording.derivative(path.user, index=path.index)
    local = wording.local_symbol(path.user, step.input, at=(path.index, step.index))
    numbers = f"{numeral(path.local)} · {numeral(path.arriving)} = {numeral(path.product)}"
    more = f"; the largest of {step.paths} paths, their sum is {numeral(step.total)}" if step.paths > 1 else ""
    yield f"{SECOND}{step.symbol}: local {local} · incoming {incoming} = {numbers}{more}"
    if step.aside:
        yield f"{SECOND}{passed_by(explanation, step)}"
    yield f"{SECOND}{verdict(step.check)}"


def passed_by(explanation: Explanation, step: BackwardStep) -> str:
    """What is to be said of an activation that the loss is computed past."""
    return (
        f"seen from {explanation.wording.symbol(step.input)}; the pass goes straight to "
        f"{explanation.wording.symbol(step.input.inputs[0])}, by the product of both factors, which is not rounded on the way"
    )


def wish(explanation: Explanation, step: BackwardStep) -> str:
    """Which way an entry should go for C to fall, and why."""
    symbol = explanation.wording.symbol(step.input, index=step.index)
    if step.total == 0:
        return f"{symbol}: moving it a little changes nothing"
    way = "fall ↓" if step.total > 0 else "rise ↑"
    through = explanation.wording.symbol(step.path.user, index=step.path.index)
    others = f" and {counted(step.paths - 1, 'other')}" if step.paths > 1 else ""
    return f"{symbol} should {way} (strength {numeral(abs(step.total), 3)}), for it pushes {through}{others}"


def factor_lines(explanation: Explanation, check: EntryCheck) -> Iterator[str]:
    """An entry's derivative as its factors, each with a bar as long as its size."""
    trace, wording = explanation.trace, explanation.wording
    quantity = trace.quantity(check.name)
    yield f"{SECOND}{wording.derivative(quantity, index=check.index)} = {numeral(check.derivative)}   {verdict(check)}"
    symbols = factors(explanation, check)
    if not symbols:
        yield f"{SECOND}  a sum over {len(trace.paths(check.name, check.index))} paths"
        return
    width = max(len(symbol) for symbol, _ in symbols)
    largest = max(abs(value) for _, value in symbols) or 1.0
    for symbol, value in symbols:
        yield f"{SECOND}  {symbol:<{width}}  {numeral(value):>10}  {bar(abs(value) / largest)}"


def factors(explanation: Explanation, check: EntryCheck) -> list[tuple[str, float]]:
    """The factors of an entry's derivative along its path, each with its symbol; none where there are several paths."""
    trace, wording = explanation.trace, explanation.wording
    chain = trace.factors(check.name, check.index)
    symbols: list[tuple[str, float]] = []
    quantity = trace.quantity(check.name)
    before, place = quantity, check.index
    for path in chain:
        factor = wording.factor(path.user, before, (path.index, place))
        symbol = wording.local_symbol(path.user, before, at=(path.index, place))
        symbols.append((f"{symbol} = {factor}" if factor else symbol, path.local))
        before, place = path.user, path.index
    if chain and before.node is not trace.cost:
        symbols.append((wording.derivative(before, index=place), chain[-1].arriving))
    return symbols


# ---- one node


def node_text(explanation: Explanation, name: str) -> str:
    """One quantity: how it was computed, and the chain rule for its largest derivative, one line to a path.

    Raises: GraphError for a name that the graph does not have.
    """
    trace, wording = explanation.trace, explanation.wording
    quantity = trace.quantity(name)
    index = explanation.focus(quantity)
    value = trace.value_of(quantity)
    lines = [f"NODE {quantity.number}: {wording.symbol(quantity)} {_shape(quantity)}"]
    lines += [line for step in explanation.forward if step.quantity is quantity for line in _forward_lines(explanation, step)]
    if quantity.is_leaf:
        lines.append(f"{SECOND}given; {wording.symbol(quantity, index=index)} = {numeral(float(value[index]))}")
    derivative = trace.derivative_by(quantity)
    if derivative is None:
        return "\n".join([*lines, SECOND + _without_derivative(trace, quantity)])
    symbol = wording.derivative(quantity, index=index)
    paths = trace.paths(quantity.name, index)
    lines.append(f"{SECOND}{symbol} = {numeral(float(derivative[index]), 6)}, the sum over {counted(len(paths), 'path')}:")
    for path in paths:
        local = wording.local_symbol(path.user, quantity, at=(path.index, index))
        incoming = wording.derivative(path.user, index=path.index)
        numbers = f"{numeral(path.local)} · {numeral(path.arriving)} = {numeral(path.product)}"
        lines.append(f"{SECOND}  {local} · {incoming} = {numbers}")
    checks = [check for check in explanation.rules if check.quantity is quantity]
    lines += [f"{SECOND}its rule for {wording.symbol(check.input)}: {verdict(check)}" for check in checks]
    return "\n".join(lines)


def _without_derivative(trace: Trace, quantity: Quantity) -> str:
    if quantity in trace.fixed:
        return FROZEN
    if quantity in trace.passed:
        return "C is computed past it, and as a function of it cannot be: it was rounded to 0 or 1"
    return "C does not depend on it"


# ---- checks


def checks_text(explanation: Explanation) -> str:
    """What the checks found: how many entries agree, and each that does not."""
    lines = ["CHECKS: the whole cost computed again with one entry moved"]
    for check in explanation.shown_entries:
        symbol = explanation.wording.derivative(explanation.trace.quantity(check.name), index=check.index)
        lines.append(f"{SECOND}{symbol} = {numeral(check.derivative, 6)}   {verdict(check)}")
    lines.append(f"{SECOND}{entries_summary(explanation)}")
    wrong = [check for check in explanation.rules if check.state == "differs"]
    lines += [
        f"{SECOND}{WRONG} the rule of {explanation.wording.symbol(check.quantity)} for {explanation.wording.symbol(check.input)} is wrong: "
        "what lies behind it in the backward pass is wrong because of it"
        for check in wrong
    ]
    return "\n".join(lines)


def entries_summary(explanation: Explanation) -> str:
    """How many entries agree, and how many do not for which reason."""
    entries = explanation.entries
    agreeing = [check.error for check in entries if check.state == "agrees"]
    worst = f", the worst to {_error(max(agreeing))}" if agreeing else ""
    parts = [f"{len(agreeing)} of {counted(len(entries), 'entry', 'entries')} agree{worst}"]
    for state, words in (("kink", "at a kink"), ("unclear", "cannot be told"), ("differs", "differ")):
        count = sum(check.state == state for check in entries)
        parts += [f"{count} {words}"] * bool(count)
    return "; ".join(parts)
