"""Formulas: a node written as people write it, composed from the notation that each op declares."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from string import Formatter

import numpy as np

from chainrule.checks import checked
from chainrule.errors import OptionError
from chainrule.graph.node import CONSTANT, Node
from chainrule.graph.types import Array
from chainrule.numerals import Style, printed
from chainrule.spelling import suggest

_CHAINS = ({"", " + ", " − ", " - "}, {"·", r" \cdot ", " / "}, {" ", r"\, "})
"""What may stand in a row without parentheses, read from the left: sums, products, matrix products."""
MOST_DIGITS = 8
"""Numbers with more digits than this are shortened in formulas, by two more: what fits no line is not read."""
_OPENS = re.compile(r"[(\[{⌊]|\\lfloor|\\lVert|\\begin")
_CLOSES = re.compile(r"[)\]}⌋]|\\rfloor|\\rVert|\\end")
_OPERATOR_BEFORE = re.compile(r"([+−·/-]|\\cdot) *$")
_OPERATOR_BEHIND = re.compile(r" *([+−·/-]|\\cdot)")
_HOSTILE = {
    "\\": r"\backslash{}",
    "_": r"\_",
    "-": "{-}",
    **{mark: "\\" + mark for mark in "{}$&#%"},
    "^": r"\hat{}",
    "~": r"\sim{}",
}


@dataclass(frozen=True, slots=True)
class FormulaPiece:
    """A piece of a formula: its text, and how tightly it `binds` (see Notation).

    `chain` counts _CHAINS (0 sum, 1 product, 2 matrix product, −1 none), which go on without parentheses.
    """

    text: str
    binds: int = 0
    chain: int = -1


@checked
def formula(node: Node, style: Style = "text", depth: int = 8, pieces: Mapping[Node, FormulaPiece] | None = None) -> str:
    r"""The formula of a node in terms of named nodes; what lies more than `depth` ops deep is shown as dots.

    Constants are written by value; a broadcast or a new shape, which change no number, are not written. `pieces` says how some nodes are
    written, whatever their names.

    >>> from chainrule.graph import input_node, parameter
    >>> from chainrule.ops import sigmoid
    >>> a, w, b = input_node("a"), parameter("dense1.w"), parameter("dense1.b")
    >>> formula(sigmoid(w * (a + b)))
    'σ(dense1.w·(a + dense1.b))'
    >>> print(formula(sigmoid(w * (a + b)), style="latex"))
    \sigma(\mathrm{dense1.w} \cdot (a + \mathrm{dense1.b}))
    """
    if style not in {"text", "latex"}:
        raise OptionError(f"style={style!r}", expected='"text" or "latex"', remedy=suggest(style, ("text", "latex")))
    if depth < 1:
        raise OptionError(f"depth={depth}", expected="1 or more", remedy="leave it out for the usual depth")
    given = pieces or {}
    written: dict[tuple[Node, int], FormulaPiece] = {}
    stack = [(node, depth)]
    while stack:  # by hand, not by recursion: depth is no limit
        current, left = stack[-1]
        is_root = current is node and left == depth
        if current in given:
            written[stack.pop()] = given[current]
            continue
        if not is_root and (current.name or current.is_leaf or left == 0):
            written[stack.pop()] = _end(current, style)
            continue
        # What only passes its input on, such as a broadcast, takes nothing of the depth.
        below = left if current.op.notation.text == "{0}" else left - 1
        inputs = [(source, below) for source in current.inputs]
        missing = [item for item in inputs if item not in written]
        stack.extend(missing)
        if not missing:
            written[stack.pop()] = compose(current, [written[item] for item in inputs], style)
    return written[node, depth].text


def _end(node: Node, style: Style) -> FormulaPiece:
    """A node that is not opened: its name, its value, or dots."""
    if node.name:
        return FormulaPiece(name_text(node.name, style))
    if node.op is CONSTANT:
        return _number_or_array(node.attributes["value"], repr(node.type), style)
    return FormulaPiece("…" if style == "text" else r"\ldots")


def name_text(name: str, style: Style) -> str:
    """A name as it stands in a formula: upright in LaTeX, with every mark that LaTeX would read as an order escaped."""
    if style == "text":
        return name
    escaped = "".join(_HOSTILE.get(letter, letter) for letter in name)
    return escaped if len(name) == 1 else rf"\mathrm{{{escaped}}}"


def _number_or_array(value: Array, otherwise: str, style: Style) -> FormulaPiece:
    if value.size and np.all((value == value.flat[0]) | (np.isnan(value) & np.isnan(value.flat[0]))):
        return number_piece(value.flat[0], style)
    if value.ndim == 1 and value.size <= 4:
        items = ", ".join(number_piece(item, style).text for item in value)
        return FormulaPiece(f"[{items}]" if style == "text" else rf"\left[{items}\right]")
    return FormulaPiece(otherwise if style == "text" else rf"\mathrm{{{otherwise}}}")


def number_piece(value: object, style: Style) -> FormulaPiece:
    """A number as it is written in a formula; a negative one binds as a difference does."""
    # str, not repr: NumPy's own writes a float32 with the digits that a float32 has.
    digits = str(value).removesuffix(".0").replace("nan", "NaN")
    if sum(map(str.isdigit, digits.partition("e")[0])) > MOST_DIGITS:
        digits = f"{float(digits):.{MOST_DIGITS - 2}g}"
    written = printed(digits, style)
    return FormulaPiece(written, 3 if digits.startswith("-") else 2 if r"\times" in written else 0)


def compose(node: Node, inputs: list[FormulaPiece], style: Style) -> FormulaPiece:
    """The op's template, its slots filled, with parentheses where an input binds less tightly than the slot wants."""
    if not inputs:
        return _end(node, style)
    notation = node.op.notation
    template = notation.text if style == "text" else notation.latex
    if template == "{0}":
        return inputs[0]
    parts = [(literal, field) for literal, field, _, _ in Formatter().parse(template)]
    if not any(field and field.isdigit() for _, field in parts):
        return FormulaPiece(f"{template.format()}({', '.join(piece.text for piece in inputs)})")
    chain = _chain(template)
    written, before, closed = "", "", True
    for place, (literal, field) in enumerate(parts):
        before += literal
        written += literal
        if field and field.isdigit():
            after = parts[place + 1][0] if place + 1 < len(parts) else ""
            closed = closed and _enclosed(before)
            enclosed = _enclosed(before) and not _OPERATOR_BEFORE.search(before) and not _OPERATOR_BEHIND.match(after)
            piece = inputs[int(field)]
            leads = not before and place == 0 and chain >= 0 and piece.chain == chain
            loose = not enclosed and not leads and piece.binds >= max(notation.binds, 1)
            written += f"({piece.text})" if loose or _has_outside(piece.text, after[:1]) else piece.text
            before += "x"
        elif field:
            written += str(node.attributes[field])
    # A template that encloses all of itself, such as a fraction, needs parentheses under a power only.
    return FormulaPiece(written, min(notation.binds, 1) if closed and not _has_infix(before) else notation.binds, chain)


def _has_infix(written: str) -> bool:
    """Whether a sign stands outside all brackets, as in f(x) − g(y)."""
    return any(not _enclosed(written[: found.start()]) for found in re.finditer(r"^[−-]| [+−-] ", written))


def _chain(template: str) -> int:
    """Which of _CHAINS an infix (or a leading sign) belongs to."""
    infix = re.fullmatch(r"\{0\}(.*)\{1\}|[−-]\{0\}", template)
    if infix is None:
        return -1
    return next((i for i, marks in enumerate(_CHAINS) if (infix[1] or "") in marks), -1)


def _enclosed(before: str) -> bool:
    """Whether a bracket is open behind this much of a template."""
    return len(_OPENS.findall(before)) > len(_CLOSES.findall(before)) or any(before.count(bar) % 2 for bar in "|‖")


def _has_outside(text: str, mark: str) -> bool:
    """Whether a text has an exponent or index of its own outside all brackets: a second one would be an error in LaTeX."""
    return mark in {"^", "_"} and any(not _enclosed(text[: found.start()]) for found in re.finditer(re.escape(mark), text))
