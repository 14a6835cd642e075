"""A network as a spreadsheet: a cell to each number, a formula to each quantity, so that an input that is changed changes all."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.errors import MissingPackageError, OptionError
from chainrule.graph import Array, Graph, Node
from chainrule.immutable import immutable
from chainrule.interop.portable import Portable
from chainrule.interop.written.language import Language, Piece, Row
from chainrule.interop.written.loops import Loops, StoreFirst, stored_nodes
from chainrule.interop.written.names import Names
from chainrule.interop.written.places import Place, flat
from chainrule.interop.written.subject import Subject

try:
    from openpyxl import Workbook
    from openpyxl.styles import Font, PatternFill
except ImportError as error:
    raise MissingPackageError(
        "a spreadsheet is written by openpyxl, which is not here",
        expected="the extra spreadsheet",
        remedy="pip install 'chainrule[spreadsheet]'",
    ) from error

MOST_CELLS = 20_000
"""How many numbers a spreadsheet may hold; larger ones cannot be looked at."""
LONGEST = 8000
"""How long a formula may be; spreadsheets take 8192 letters."""
SHEET_NAME = 31
NETWORK = "Network"
_CELL = re.compile(r"((?:'[^']*'!)?[A-Z]+)(\d+)")

ROWS = {
    "add": Row("{0}+{1}", 3), "subtract": Row("{0}-{1}", 3), "multiply": Row("{0}*{1}", 2), "divide": Row("{0}/{1}", 2),
    "negative": Row("-{0}", 1, limit=0), "power": Row("POWER({0},{1})"), "maximum": Row("MAX({0},{1})"), "minimum": Row("MIN({0},{1})"),
    "equal": Row("{0}={1}", 4), "not_equal": Row("{0}<>{1}", 4), "less": Row("{0}<{1}", 4), "less_equal": Row("{0}<={1}", 4),
    "greater": Row("{0}>{1}", 4), "greater_equal": Row("{0}>={1}", 4), "logical_and": Row("AND({0},{1})"), "logical_or": Row("OR({0},{1})"),
    "logical_not": Row("NOT({0})"), "where": Row("IF({0},{1},{2})"), "exp": Row("EXP({0})"), "expm1": Row("EXP({0})-1", 3),
    "log": Row("LN({0})"), "log1p": Row("LN(1+{0})", limit=2), "sqrt": Row("SQRT({0})"), "sin": Row("SIN({0})"), "cos": Row("COS({0})"),
    "tanh": Row("TANH({0})"), "sigmoid": Row("1/(1+EXP(-{0}))", 2, limit=0), "softplus": Row("MAX({0},0)+LN(1+EXP(-ABS({0})))", 3, limit=9),
    "relu": Row("MAX({0},0)"), "erf": Row("SIGN({0})*ERF(ABS({0}))", 2, limit=9), "absolute": Row("ABS({0})"), "sign": Row("SIGN({0})"),
    "floor": Row("FLOOR({0},1)"), "square": Row("({0})^2", 1, limit=9), "arctan": Row("ATAN({0})"),
}  # fmt: skip
STRUCTURE = (
    "argmax", "broadcast_to", "cast", "concatenate", "flip", "matmul", "pad", "reduce_max", "reduce_min", "reduce_sum", "reshape",
    "slice_axes", "stop_gradient", "transpose", "windows",
)  # fmt: skip


def _number(value: Any, dtype: str) -> str:
    return repr(float(np.float64(str(value)))) if dtype in {"float32", "float64"} else str(int(value))


def _cast(piece: Piece, source: str, target: str) -> Piece:
    if source == "bool" and target != "bool":
        return Piece(f"IF({piece.text},1,0)")
    is_cut = source in {"float32", "float64"} and target not in {"float32", "float64", "bool"}
    return Piece(f"TRUNC({piece.text})") if is_cut else piece


CELLS = Language(ROWS, "", {}, _number, _cast, lambda name, dtype, size: "", str)


@immutable
class Column:
    """Where a quantity stands: from a row of a column on, one number below the other; a matrix has `width` columns."""

    sheet: str
    column: int
    row: int
    width: int = 1

    def cell(self, place: int) -> str:
        """The address of a number by its place, without the sheet."""
        return f"{letters(self.column + place % self.width)}{self.row + place // self.width}"


class Formulas(Loops):
    """Reads a graph entry by entry: an entry is the address of its cell, or the formula that computes it."""

    def __init__(self, columns: dict[Node, Column]) -> None:
        super().__init__(CELLS, Names(), {})
        self.columns = columns

    def value(self, node: Node, places: tuple[Place, ...]) -> Piece:
        """The entry of a node: its cell where it has one."""
        column = self.columns.get(node)
        if column is None:
            return super().value(node, places)
        cell = column.cell(flat(places, node.shape).offset)
        return Piece(cell if column.sheet == NETWORK else f"'{column.sheet}'!{cell}")

    def _terms(self, node: Node, axes: Sequence[int], places: tuple[Place, ...]) -> list[tuple[Place, ...]]:
        """The entries of a node along axes, the others being given."""
        found: list[tuple[Place, ...]] = []
        for inner in np.ndindex(*(node.shape[axis] for axis in axes)):
            outer, within = iter(places), iter(inner)
            found.append(tuple(Place((), next(within)) if axis in axes else next(outer) for axis in range(node.type.ndim)))
        return found

    def matmul(self, node: Node, places: tuple[Place, ...]) -> Piece:
        """SUMPRODUCT where both stand below each other, else the sum as it is."""
        x, y = node.inputs
        *before, row, column = places
        left = [self.value(x, (*before, row, Place((), at))) for at in range(x.shape[-1])]
        right = [self.value(y, (*before, Place((), at), column)) for at in range(x.shape[-1])]
        ranges = [_range([piece.text for piece in side]) for side in (left, right)]
        if len(left) > 1 and all(ranges):
            return Piece(f"SUMPRODUCT({ranges[0]},{ranges[1]})")
        products = [f"{a.within(2)}*{b.within(1)}" for a, b in zip(left, right, strict=True)]
        return Piece("+".join(products), 3 if len(products) > 1 else 2)

    def reduced(self, node: Node, places: tuple[Place, ...]) -> Piece:
        """SUM, MAX or MIN."""
        source, axes = node.inputs[0], node.attributes["axes"]
        texts = [self.value(source, entry).text for entry in self._terms(source, axes, places)]
        function = {"reduce_sum": "SUM", "reduce_max": "MAX", "reduce_min": "MIN"}[node.op.name]
        return Piece(f"{function}({_range(texts) or ','.join(texts)})")

    def argmax(self, node: Node, places: tuple[Place, ...]) -> Piece:
        """The place of the largest, from 0."""
        source = node.inputs[0]
        found = _range([self.value(source, entry).text for entry in self._terms(source, (node.attributes["axis"],), places)])
        if found is None:
            raise StoreFirst(source)
        return Piece(f"MATCH(MAX({found}),{found},0)-1", 3)

    def put(self, node: Node) -> list[str]:
        """The formulas of a node, one to each of its entries."""
        if node.op.kind == "placement":
            return self._placed(node)
        return [self.computed(node, tuple(Place((), at) for at in entry)).text for entry in np.ndindex(*node.shape)]

    def _placed(self, node: Node) -> list[str]:
        texts = ["0"] * node.type.size
        for source, target in self.targets(node):
            for entry in np.ndindex(*source.shape):
                places = tuple(Place((), at) for at in entry)
                texts[flat(target(places), node.shape).offset] = self.value(source, places).text
        return texts


def letters(column: int) -> str:
    """The name of a column, counted from 1.

    >>> letters(1), letters(26), letters(27), letters(703)
    ('A', 'Z', 'AA', 'AAA')
    """
    found = ""
    while column:
        column, place = divmod(column - 1, 26)
        found = chr(65 + place) + found
    return found


def _range(cells: Sequence[str]) -> str | None:
    """The range that cells fill from top to bottom; None where they do not stand so."""
    found = [(cell[1], int(cell[2])) for cell in map(_CELL.fullmatch, cells) if cell]
    columns, rows = {column for column, _ in found}, [row for _, row in found]
    if len(found) < len(cells) or len(columns) > 1 or rows != list(range(rows[0], rows[0] + len(rows))):
        return None
    (column,) = columns
    return f"{cells[0]}:{column.rpartition('!')[2]}{rows[-1]}"


def write(portable: Portable) -> dict[str, bytes]:
    """A workbook: the sheet Network with inputs and quantities, a sheet to each layer with its weights, and what chainrule says.

    Raises: MissingPackageError without openpyxl; OptionError for a network that is too large, or that reads ids or goes through time.
    """
    subject = Subject(portable, (*ROWS, *STRUCTURE))
    graph = subject.graph
    stored = [node for node in graph.nodes if node in stored_nodes(graph) and not node.is_leaf]
    _require_small(subject, stored)
    book = Workbook()
    book.remove(book.worksheets[0])
    sheet: Any = book.create_sheet(NETWORK)
    columns = _weights(book, subject)
    _network(sheet, subject, graph, stored, columns)
    content = io.BytesIO()
    book.save(content)
    return {".xlsx": content.getvalue()}


def _require_small(subject: Subject, stored: list[Node]) -> None:
    count = sum(value.size for value in subject.values.values()) + sum(node.type.size for node in stored)
    if count > MOST_CELLS:
        raise OptionError(
            f"a spreadsheet of {count:,} cells",
            expected=f"a network with {MOST_CELLS:,} numbers at most, weights and quantities together",
            remedy='choose a smaller network, or to="numpy", whose file holds any',
        )


def _weights(book: Any, subject: Subject) -> dict[Node, Column]:
    """A sheet to each layer: its arrays one below the other, with names to rows and columns."""
    columns: dict[Node, Column] = {}
    rows: dict[str, int] = {}
    for node, value in subject.values.items():
        name = _sheet_name((node.name or node.scope or "constants").rpartition(".")[0] or node.scope or "constants")
        sheet = book[name] if name in book.sheetnames else book.create_sheet(name)
        top = rows.get(name, 1)
        table: Array = value.reshape(-1, value.shape[-1]) if value.ndim > 1 else value.reshape(-1, 1)
        _say(sheet.cell(top, 1), f"{node.name or 'constant'}: {' × '.join(map(str, value.shape))}", bold=True)
        if value.ndim > 1:
            for column in range(table.shape[1]):
                _say(sheet.cell(top, column + 2), f"to {column + 1}", bold=True)
        for row in range(len(table)):
            _say(sheet.cell(top + 1 + row, 1), f"from {row + 1}" if value.ndim > 1 else f"{row + 1}", bold=True)
            for column in range(table.shape[1]):
                sheet.cell(top + 1 + row, column + 2, float(table[row, column]))
        columns[node] = Column(name, 2, top + 1, table.shape[1])
        rows[name] = top + len(table) + 2
        sheet.column_dimensions["A"].width = 24
    return columns


def _sheet_name(name: str) -> str:
    return "".join("_" if letter in r"[]:*?/\'" else letter for letter in name)[:SHEET_NAME] or "constants"


def _network(sheet: Any, subject: Subject, graph: Graph, stored: list[Node], columns: dict[Node, Column]) -> None:
    """Inputs in a column that is to be changed, then each quantity in a column of its own, the outputs and their check last."""
    top, at = 4, 1
    _say(sheet["A1"], subject.head[0])
    sheet["A2"] = "Change the yellow cells: everything that is computed from them follows."
    features = subject.portable.features
    for name, node in subject.inputs.items():
        given = subject.calls[0][name].reshape(-1)
        _say(sheet.cell(top, at), name, bold=True)
        for place, value in enumerate(given):
            _say(sheet.cell(top + 1 + place, at), features[place] if len(features) == len(given) else f"{name} {place + 1}")
            _yellow(sheet.cell(top + 1 + place, at + 1, float(value)))
        columns[node] = Column(NETWORK, at + 1, top + 1)
        at += 3
    formulas = Formulas(columns)
    names = {node: name for name, node in graph.outputs.items()}
    pending, forced = list(stored), set[Node]()
    while pending:
        node = pending.pop(0)
        try:
            texts = formulas.put(node)
        except StoreFirst as first:
            if first.node in forced:
                raise
            forced.add(first.node)
            pending[:0] = [first.node, node]
            continue
        called = names.get(node) or node.name or f"{node.scope} {node.op.name}".strip()
        _say(sheet.cell(top, at), called, bold=True)
        for place, text in enumerate(texts):
            if len(text) > LONGEST:
                raise OptionError(
                    f"a formula of {len(text):,} letters for {called}",
                    expected=f"{LONGEST:,} at most",
                    remedy="choose a smaller network",
                )
            sheet.cell(top + 1 + place, at, f"={text}")
        columns[node] = Column(NETWORK, at, top + 1)
        at += 1
    _check(sheet, subject, graph, formulas, (top, at + 1))


def _check(sheet: Any, subject: Subject, graph: Graph, formulas: Formulas, corner: tuple[int, int]) -> None:
    """The outputs with their names, beside them what chainrule says of the inputs that stand there first."""
    row, at = corner
    for column, title in enumerate(("output", "value", "chainrule says", "difference")):
        _say(sheet.cell(row, at + column), title, bold=True)
    for name, node in graph.outputs.items():
        said = subject.answers[0][name].reshape(-1)
        called = _called(subject, name, node.type.size)
        for place, entry in enumerate(np.ndindex(*node.shape)):
            row += 1
            text = formulas.value(node, tuple(Place((), each) for each in entry)).text
            _say(sheet.cell(row, at), called[place])
            sheet.cell(row, at + 1, f"={text}")
            sheet.cell(row, at + 2, float(said[place]))
            sheet.cell(row, at + 3, f"={letters(at + 1)}{row}-{letters(at + 2)}{row}")
            if name == "class_index" and subject.classes and len(subject.classes) < 200 and node.type.size == 1:
                row += 1
                names = ",".join('"' + one.replace('"', '""') + '"' for one in subject.classes)
                sheet.cell(row, at, "class")
                sheet.cell(row, at + 1, f"=CHOOSE({letters(at + 1)}{row - 1}+1,{names})")
    sheet.cell(row + 1, at, f"Differences stay below {subject.tolerance:.2g} as long as the yellow cells are as they were.")


def _called(subject: Subject, name: str, count: int) -> list[str]:
    known = subject.classes if name == "probabilities" else subject.portable.targets if name == "output" else None
    return (
        list(known)
        if known and len(known) == count
        else [name if count == 1 else f"{name} {place + 1}" for place in range(count)]
    )


def _say(cell: Any, text: str, *, bold: bool = False) -> None:
    """A text in a cell, also where it begins as a formula does."""
    cell.value, cell.data_type = text, "s"
    if bold:
        cell.font = Font(bold=True)


def _yellow(cell: Any) -> None:
    cell.fill = PatternFill("solid", fgColor="FFF2B3")
