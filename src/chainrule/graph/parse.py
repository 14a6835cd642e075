"""Reads the text of a graph back into the same graph."""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from itertools import takewhile
from typing import Any

import numpy as np

from chainrule.checks import checked
from chainrule.display import first_needed
from chainrule.errors import ChainruleError, GraphError, ParseError
from chainrule.graph.body import Body
from chainrule.graph.graph import Graph, conform
from chainrule.graph.node import CONSTANT, NAME, NAME_RULE, REGISTRY, Node, constant, scope_root
from chainrule.graph.types import Type
from chainrule.spelling import nearest

_LINE = re.compile(r"(?P<label>\S+): (?P<type>\S+) = (?P<op>\w+)\((?P<arguments>.*)\)(?:  @(?P<scope>\S+))?")
_LABEL = re.compile(rf"%\d+|{NAME.pattern}(?:#\d+)?")
_BODY = re.compile(
    r"(?P<label>body\d+): states \((?P<states>.*)\), sequences \((?P<sequences>.*)\), constants \((?P<constants>.*)\)"
)
_POSITIONAL = re.compile(rf"\s*({_LABEL.pattern})\s*(?:,|$)")
_FLOATS = {"nan": float("nan"), "inf": float("inf")}


@checked
def parse_graph(text: str) -> Graph:
    """The graph that `str(graph)` printed.

    >>> text = '''x: float64[2] = input()
    ... y: float64[2] = tanh(x)  @layer1
    ... return y=y'''
    >>> str(parse_graph(text)) == text
    True

    Raises: ParseError, naming the line.
    """
    return _parse([(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()])


def _parse(numbered: list[tuple[int, str]]) -> Graph:
    nodes: dict[str, Node] = {}
    bodies, rest = _bodies(numbered)
    *lines, last = [(number, line.strip()) for number, line in rest] or [(1, "")]
    for number, line in lines:
        label, node = _node(number, line, nodes, bodies)
        if label in nodes:
            raise _error(
                number, line, f"a label of its own; {label} has been given above", "number the labels: %0, %1, x, x#2, ..."
            )
        nodes[label] = node
    number, line = last
    if line.partition(" ")[0] != "return":
        raise _error(number, line, "a last line such as: return loss=%4", "add it")
    outputs: dict[str, Node] = {}
    for item in filter(None, line.removeprefix("return").strip().split(", ")):
        name, _, label = item.partition("=")
        if name in outputs:
            raise _error(number, line, f"a name of its own for each output; {name} comes twice", "rename one of them")
        outputs[name] = _lookup(label, nodes, number, line)
    try:
        return Graph(outputs, unused=nodes.values())
    except ChainruleError as error:
        raise _error(number, line, error.expected, f"{error.happened}: {error.remedy}") from error


def _bodies(numbered: list[tuple[int, str]]) -> tuple[dict[str, Body], list[tuple[int, str]]]:
    """The bodies of loops, which stand before the nodes, each with its graph indented below it; and the lines behind them."""
    bodies: dict[str, Body] = {}
    while numbered and (match := _BODY.fullmatch(numbered[0][1].strip())):
        (number, line), *numbered = numbered
        depth = len(line) - len(line.lstrip())
        inner = list(takewhile(partial(_is_deeper, depth), numbered))
        numbered = numbered[len(inner) :]
        names = (tuple(filter(None, match[kind].split(", "))) for kind in ("states", "sequences", "constants"))
        try:
            bodies[match["label"]] = Body(_parse(inner), *names)
        except GraphError as error:
            raise _error(number, line, error.expected, f"{error.happened}: {error.remedy}") from error
    return bodies, numbered


def _is_deeper(depth: int, line: tuple[int, str]) -> bool:
    return len(line[1]) - len(line[1].lstrip()) > depth


def _node(number: int, line: str, nodes: dict[str, Node], bodies: Mapping[str, Body]) -> tuple[str, Node]:
    match = _LINE.fullmatch(line)
    if match is None:
        raise _error(number, line, "label: dtype[shape] = op(values, attribute=value)", "write the line in this form")
    label, op_name = match["label"], match["op"]
    first_needed("ops")
    if op_name not in REGISTRY:
        near = nearest(op_name, REGISTRY)
        raise _error(
            number,
            line,
            "the name of an op",
            f"write {near}" if near else "see chainrule.ops for the names; import the module of an op of your own before",
        )
    inputs, attributes = _arguments(match["arguments"], nodes, bodies, number, line)
    if not _LABEL.fullmatch(label):
        raise _error(number, line, f"a label: %0, %1, ... or a name: {NAME_RULE}", "rename the node")
    name = "" if label.startswith("%") else label.partition("#")[0]
    try:
        with scope_root(match["scope"] or ""):
            declared = Type.parse(match["type"])
            node = _make(op_name, inputs, attributes, declared, name)
    except ChainruleError as error:
        raise _error(number, line, error.expected, f"{error.happened}: {error.remedy}") from error
    except (TypeError, ValueError, LookupError, ArithmeticError, AttributeError, MemoryError) as error:
        raise _error(number, line, f"values and attributes that {op_name} takes", f"correct this: {error}") from error
    if node.type != declared:
        raise _error(number, line, f"{node.type!r}, which its inputs give", f"write {node.type!r}, or correct the inputs")
    return label, node


def _make(op_name: str, inputs: tuple[Node, ...], attributes: dict[str, Any], declared: Type, name: str) -> Node:
    op = REGISTRY[op_name]
    if op is CONSTANT and not inputs and attributes.keys() == {"value"}:
        # An empty list has lost its shape, (0, 3) say; any other tells it.
        value: Any = attributes["value"] if declared.size else np.empty(declared.shape, declared.dtype)
        return constant(conform(value, declared, "constant"), name=name)
    is_leaf = op.kind == "leaf"
    if is_leaf and (inputs or attributes or op is CONSTANT):
        raise TypeError("a leaf takes no values; a constant takes value=...")
    return Node(op, inputs, {"type": declared} if is_leaf else attributes, name)


def _arguments(
    text: str, nodes: dict[str, Node], bodies: Mapping[str, Body], number: int, line: str
) -> tuple[tuple[Node, ...], dict[str, Any]]:
    inputs: list[Node] = []
    position = 0
    while position < len(text) and (match := _POSITIONAL.match(text, position)):
        inputs.append(_lookup(match[1], nodes, number, line))
        position = match.end()
    try:
        return tuple(inputs), _keywords(text[position:], bodies)
    except (SyntaxError, TypeError, ValueError, RecursionError, MemoryError) as error:
        raise _error(
            number, line, "attributes as name=value, with plain numbers, texts, lists", f"correct this: {error}"
        ) from error


def _keywords(text: str, bodies: Mapping[str, Body]) -> dict[str, Any]:
    if text.startswith("value=["):  # most of a large text: lists of numbers, which JSON reads in a tenth of the time and memory
        with suppress(ValueError):
            return {"value": json.loads(text.removeprefix("value="), parse_constant=float)}
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Python warns of doubtful literals (1if, "\d"): here they are mistakes
        call = ast.parse(f"f({text})", mode="eval").body
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.args:
        raise ValueError("values come first, then attributes as name=value")
    attributes = {keyword.arg or "": _literal(keyword.value, bodies) for keyword in call.keywords}
    if len(attributes) < len(call.keywords):
        raise ValueError("an attribute comes twice")
    return attributes


def _literal(tree: ast.expr, names: Mapping[str, Any]) -> Any:
    """Like `ast.literal_eval`, with nan and inf, which Python has no literals for, and the bodies of loops."""
    match tree:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name) if name in _FLOATS or name in names:
            return _FLOATS[name] if name in _FLOATS else names[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_literal(operand, names)
        case ast.List(elts=items):
            return [_literal(item, names) for item in items]
        case ast.Tuple(elts=items):
            return tuple(_literal(item, names) for item in items)
        case _:
            raise ValueError(f"{ast.unparse(tree)} is not a plain value")


def _lookup(label: str, nodes: dict[str, Node], number: int, line: str) -> Node:
    if label not in nodes:
        near = nearest(label, nodes)
        remedy = f"write {near}" if near else "define it above"
        raise _error(number, line, f"a node of an earlier line, not {label!r}", remedy)
    return nodes[label]


def _error(number: int, line: str, expected: str, remedy: str) -> ParseError:
    shown = line if len(line) <= 120 else line[:117] + "..."
    return ParseError(f"line {number} cannot be read: {shown}", expected=expected, remedy=remedy)
