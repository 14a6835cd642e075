"""Header: what the columns of a table in a file are called, and which cells of its first rows are no data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import islice, pairwise, zip_longest

from chainrule.data.advice import advice
from chainrule.data.cells import are_numbers, is_number
from chainrule.data.form import Form
from chainrule.errors import ColumnError, FileFormatError
from chainrule.spelling import did_you_mean, listed

_MOST_COLUMNS = 100_000
_LOOKED_AT = 20  # rows below a title, among which the names may stand
Row = tuple[int, list[str]]
"""The number of the line that a row begins in, counted from 1, and its cells without the spaces around them."""


def names_of(sample: list[Row], form: Form, path: str) -> tuple[list[str], list[Row]]:
    """A name for each cell of a row, and the rows of data."""
    usual = Counter(len(cells) for _, cells in sample[1:] or sample).most_common(1)[0][0]
    if form.header == "none" or (form.names is not None and form.header == "guess"):
        names, data = [str(place) for place in range(usual)], sample
        if all(not cells[-1] for _, cells in sample if len(cells) == usual) and usual > 1:
            names[-1] = ""
    else:
        names, data = sample[0][1], sample[1:]
        if form.header == "guess" and form.names is None:
            _check_is_header(names, [cells for _, cells in data], sample[0][0], path)
    if usual == len(names) + 1 and data and all(len(cells) == usual for _, cells in data):
        # R writes no name above the names of its rows; other programs end the rows with a delimiter, but not the header.
        names = [*names, ""] if not any(cells[-1] for _, cells in data) else ["", *names]
    if form.names is not None:
        wanted = [place for place, name in enumerate(names) if name or form.header != "guess"] or list(range(len(names)))
        if len(form.names) != len(wanted):
            raise FileFormatError(
                f"{path} has {len(wanted)} columns, and {len(form.names)} names were given: {listed(form.names)}",
                expected="a name for each column",
                remedy="give as many names",
            )
        names = [form.names[wanted.index(place)] if place in wanted else "" for place in range(len(names))]
    return names, data


def _check_is_header(names: list[str], rows: list[list[str]], line: int, path: str) -> None:
    """FileFormatError for a first row that looks like the rows below it: it would be lost as names."""
    below = [list(filter(None, cells)) for cells in islice(zip_longest(*rows), len(names))]
    below += [[] for _ in names[len(below) :]]
    numeric = [bool(cells) and are_numbers(cells) for cells in below]
    over_numbers = [name for name, number in zip(names, numeric, strict=True) if number and name]
    texts = [place for place, name in enumerate(names) if name and not numeric[place] and not is_number(name)]
    again = [names[place] for place in texts if names[place] in below[place]]
    all_numbers = bool(names) and all(map(is_number, names))
    if over_numbers and not all(map(is_number, over_numbers)):
        return
    measured = any(not name.lstrip("+-").isdigit() for name in over_numbers)
    if not (all_numbers or measured or (over_numbers and not _rising(over_numbers)) or len(again) * 2 > len(texts)):
        return
    shown = f"only numbers ({listed(names, most=3)})" if all_numbers else f"{listed(names, most=4)}, like the rows below"
    raise FileFormatError(
        f"{path}, line {line}, the header: it holds {shown}: the names seem to be missing",
        expected="a first line of different names, one per column",
        remedy=advice(
            "if it is a row of data, read with {0}, which names the columns 0, 1, ...; if these are names, with {1}",
            ("header", None),
            ("header", "first"),
        ),
    )


def _rising(names: list[str]) -> bool:
    """Whether names are whole numbers that rise, as years do over columns."""
    values = [int(name) for name in names]
    return len(values) > 1 and all(later > earlier for earlier, later in pairwise(values))


def check_units(row: Row, path: str) -> None:
    """FileFormatError for a row of numbers where units should stand."""
    line, cells = row
    if any(is_number(cell) and cell != "1" for cell in cells):  # what has no unit may say 1
        raise FileFormatError(
            f"{path}, line {line}, the row of units, holds {listed(cells, most=4)}",
            expected="units, and no numbers",
            remedy=advice("if it is a row of data, read with {0}", ("units", False)),
        )


def without_index(names: list[str], data: list[Row], form: Form, line: int, path: str) -> tuple[list[str], int | None, bool]:
    """The names, the position of the index, and whether that was guessed; without names for the empty cells at the ends of rows."""
    if form.index_col is not None:
        return names, _position(form.index_col, names, path), False
    if names and not names[0] and any(names[1:]):
        first = [cells[0] for _, cells in data if cells]
        if _counts(first) or (len(set(first)) == len(first) and not any(map(is_number, first))):
            return names, 0, True
        raise FileFormatError(
            f"{path}, line {line}, the header: column 1 has no name",
            expected="a first line of different names, one per column",
            remedy=advice("write its name into the file; or, if it only names the rows, leave it out: {0}", ("index_col", 0)),
        )
    return names, None, False


def _counts(cells: Sequence[str]) -> bool:
    """Whether cells count 0, 1, ... or 1, 2, ..."""
    return bool(cells) and cells[0] in {"0", "1"} and list(cells) == [str(int(cells[0]) + k) for k in range(len(cells))]


def _position(column: str | int, names: list[str], path: str) -> int:
    place = names.index(str(column)) if str(column) in names else column
    if isinstance(place, str) or place >= len(names):
        raise ColumnError(
            f"{path} has no column {column!r}; it has {listed(names)}",
            expected="the name or the position of a column",
            remedy=f"check the spelling;{did_you_mean(str(column), names) or ' positions count from 0'}",
        )
    return place


def check_names(names: list[str], index: int | None, data: list[Row], line: int, path: str) -> None:
    """FileFormatError for names that are missing or not different; only empty cells at the ends of rows need none."""
    empty = {place for place in range(len(names)) if not any(cells[place : place + 1] != [""] for _, cells in data)}
    last = max((place for place, name in enumerate(names) if name), default=-1)
    known = [name for name in names if name]
    unnamed = [
        place for place, name in enumerate(names) if not name and place != index and (place < last or place not in empty)
    ]
    if len(names) > _MOST_COLUMNS:
        raise bad_header(path, line, f"it has {len(names)} columns, more than {_MOST_COLUMNS}")
    if unnamed or not known:
        raise bad_header(path, line, f"column {unnamed[0] + 1 if unnamed else 1} has no name", _names_below(data, len(names)))
    if len(set(known)) < len(known):
        raise bad_header(path, line, f"two columns are named {Counter(known).most_common(1)[0][0]!r}")


def _names_below(data: list[Row], width: int) -> str:
    """The remedy where a title stands above the names: how many lines to skip; "" where no line of names follows."""
    for line, cells in data[:_LOOKED_AT]:
        if len(cells) == width and all(cells) and not any(map(is_number, cells)):
            return advice(f"if the names stand in line {line}, read with {{0}}", ("skiprows", line - 1))
    return ""


def bad_header(path: str, line: int, trouble: str, remedy: str = "") -> FileFormatError:
    """The error for a line of names that lacks some."""
    return FileFormatError(
        f"{path}, line {line}, the header: {trouble}",
        expected="a first line of different names, one per column",
        remedy=remedy
        or "write the names of the columns into the first line, or give them: names=[...], at the command line --names a,b",
    )
