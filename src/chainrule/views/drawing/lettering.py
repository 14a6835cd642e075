"""What is written on the boxes of a graph drawing, and how much room it takes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from string import Formatter

import numpy as np

from chainrule.graph import CONSTANT, Array, Node, formula
from chainrule.immutable import immutable
from chainrule.numerals import numeral
from chainrule.views.drawing.folding import Box
from chainrule.views.plain import counted, printable

LARGE, SMALL = 13.0, 9.5
"""Sizes of letters."""
LETTERS = 28
"""Longer names are cut; the whole name is shown when the pointer rests on the box."""
HOLE = "▫"
"""Stands for an input in an op's notation."""


@immutable
class TextLine:
    """A line of text on a box: its size, whether bold, and the name of its colour."""

    text: str
    size: float = SMALL
    weight: str = "normal"
    colour: str = "faint"

    @property
    def width(self) -> float:
        """How wide it is, roughly: fonts differ."""
        return text_width(self.text, self.size) * (1.1 if self.weight == "bold" else 1.0)


def text_width(words: str, size: float) -> float:
    """The width of a text in a usual font without serifs, rather too much than too little.

    >>> round(text_width("dense1.z", 10)), round(text_width("損失", 10))
    (48, 20)
    """
    return size * sum(_width(letter) for letter in words)


def _width(letter: str) -> float:
    if unicodedata.east_asian_width(letter) in "WF":
        return 1.0
    if unicodedata.combining(letter):
        return 0.0
    return 0.32 if letter in "iljI.,:;|!'()[] " else 1.02 if letter in "mwMW@%—" else 0.64


def lines(box: Box, values: Mapping[Node, Array] | None) -> list[TextLine]:
    """The lines of a box: name or notation, then smaller: op and type, value, the names under which it leaves the graph."""
    found = _folded_lines(box) if box.kind == "folded" else _node_lines(box)
    if values is not None and box.kind != "folded" and box.node in values:
        found.append(TextLine(value_text(values[box.node]), SMALL, "normal", "ink"))
    if box.outputs:
        shown = ", ".join(printable(name, most=LETTERS) for name in box.outputs[:2])
        more = f", … {len(box.outputs)} in all" if len(box.outputs) > 2 else ""
        found.append(TextLine(f"→ {shown}{more}", SMALL, "normal", "right"))
    return found


def _folded_lines(box: Box) -> list[TextLine]:
    parameters = sum(node.op.name == "parameter" for node in box.nodes)
    counts = counted(len(box.nodes), "node") + (f", {counted(parameters, 'parameter')}" if parameters else "")
    return [TextLine(printable(box.scope, most=LETTERS), LARGE, "bold", "ink"), TextLine(counts)]


def _node_lines(box: Box) -> list[TextLine]:
    node = box.node
    if node.op is CONSTANT:
        return [TextLine(printable(node.name or formula(node), most=LETTERS), SMALL + 1.5, "normal", "ink")]
    if node.is_leaf:
        return [TextLine(printable(node.name, most=LETTERS), LARGE, "bold", "ink"), TextLine(repr(node.type))]
    sign = notation(node, frozenset(box.nodes[:-1]))
    if node.name:
        return [TextLine(printable(node.name, most=LETTERS), LARGE, "bold", "ink"), TextLine(f"{node.type!r} = {sign}")]
    name = "" if sign == node.op.name else f" = {node.op.name}"
    return [TextLine(sign, LARGE, "bold" if len(sign) == 1 else "normal", "ink"), TextLine(f"{node.type!r}{name}")]


def notation(node: Node, inside: frozenset[Node] = frozenset()) -> str:
    """How an op is written without its inputs; constants that are drawn `inside` it are written out.

    >>> from chainrule.graph import input_node
    >>> from chainrule.ops import exp, transpose
    >>> x = input_node("x", (2, 2))
    >>> notation(x + x), notation(exp(x)), notation(transpose(x, axes=(1, 0))), notation(x @ x)
    ('+', 'exp', '▫ᵀ', 'matmul')
    """
    plain = node.op.name
    template = node.op.notation.text
    slots = [field for _, field, _, _ in Formatter().parse(template) if field and field.isdigit()]
    given = {str(slot): _constant_text(source) for slot, source in enumerate(node.inputs) if source in inside}
    if template == "{0}" or not slots:
        return plain + "".join(f" {text}" for text in given.values())
    names = {
        field: str(node.attributes[field]) for _, field, _, _ in Formatter().parse(template) if field and field not in slots
    }
    filled = template.format(*(given.get(str(slot), HOLE) for slot in range(len(node.inputs))), **names)
    if len(filled) > LETTERS or "if" in filled:
        return plain
    bare = re.sub(rf"[{HOLE}()\s,]", "", filled)
    if given:
        return filled.removeprefix(f"{HOLE} ").removeprefix(HOLE) if bare else f"{plain} {' '.join(given.values())}"
    if not bare:
        return plain
    return bare if len(slots) > 1 or not filled.startswith(HOLE) else HOLE + bare


def _constant_text(node: Node) -> str:
    """The value of a constant or of a broadcast of one."""
    while node.op is not CONSTANT:
        node = node.inputs[0]
    return printable(node.name or formula(node), most=12)


def value_text(value: Array) -> str:
    """A value in a line: numbers where there are few, else shape, mean and largest size."""
    value = np.asarray(value)
    if value.size <= 4:
        shown = ", ".join(numeral(float(item)) for item in value.reshape(-1))
        return f"= {shown}" if value.ndim == 0 else f"= [{shown}]"
    return f"mean {numeral(float(np.mean(value)))}, largest {numeral(float(np.max(np.abs(value))))}"


def description(box: Box, numbers: Mapping[Node, int]) -> str:
    """What is shown when the pointer rests on a box: the node as in the graph's text, or all that is folded."""
    if box.kind == "folded":
        some = ", ".join(node.name or f"{numbers[node]} {node.op.name}" for node in box.nodes[:40])
        return f"{box.scope}: {len(box.nodes)} nodes: {some}{', …' if len(box.nodes) > 40 else ''}"
    node = box.node
    inputs = ", ".join(f"{numbers[source]}{f' {source.name}' if source.name else ''}" for source in node.inputs)
    where = f", in {node.scope}" if node.scope else ""
    name = f" {node.name}" if node.name else ""
    value = f" = {formula(node)}" if node.op is CONSTANT else ""
    return f"{numbers[node]}{name}: {node.type!r} = {node.op.name}({inputs}){value}{where}"
