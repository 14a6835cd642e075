"""The form of a table in a file, as far as its reader is told: one description for Python, the command line and saved runs."""

from __future__ import annotations

import codecs
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Literal, TypedDict, cast

from chainrule.checks import Natural
from chainrule.data.cells import MISSING, ONLY_EMPTY, to_text
from chainrule.descriptions import Written, described
from chainrule.errors import OptionError

_NAMED = {"tab": "\t", "\\t": "\t", "space": " ", "blanks": " ", "\\s+": " ", "comma": ",", "semicolon": ";", "pipe": "|"}


class CellOptions(TypedDict, total=False):
    """The options of `Form` on what stands in a cell, which hold for frames too."""

    decimal: str
    thousands: str | None
    na_values: str | float | Sequence[str | float]
    keep_default_na: bool


class FormOptions(CellOptions, total=False):
    """The options of `Form`, for the readers that take them beside others."""

    delimiter: str | None
    encoding: str | None
    header: str | int | None
    names: Sequence[str] | None
    skiprows: int
    comment: str | None
    index_col: str | int | None
    units: bool


@described
class Form(Written):
    r"""How a table is written down, in pandas' words; what is left out is found out, or refused with a proposal.

    - `delimiter`: what stands between cells: a character, "tab", or " " for any run of blanks;
    - `encoding`: how bytes become letters, such as "latin-1" or "cp1252"; UTF-8, and UTF-16 with its mark, are found out;
    - `decimal`, `thousands`: the marks inside numbers, such as "," and ".";
    - `header`: None (or "none") where the first row holds data, 0 (or "first") where it holds names although they look like data;
    - `names`: the columns' names, in place of those in the file;
    - `skiprows`: how many lines stand before the table;
    - `comment`: a character; from it on the rest of a line is left out;
    - `na_values`: further marks of a missing cell, such as "-" or -999, beside an empty one, NA, N/A, NaN, NULL and ?;
    - `index_col`: the name or position of a column that numbers or names the rows, and is left out;
    - `units`: True where the row below the names holds units;
    - `keep_default_na`: False where NA, N/A, NaN, NULL and ? are texts like others: then only empty cells and `na_values` are missing.

    >>> Form(delimiter="tab", header=None, na_values=-999)
    Form(delimiter='\t', header='none', na_values=('-999',))
    """

    delimiter: str | None = None
    encoding: str | None = None
    decimal: Literal[".", ","] = "."
    thousands: str | None = None
    header: Literal["guess", "first", "none"] | Natural | None = "guess"
    names: Sequence[str] | None = None
    skiprows: Natural = 0
    comment: str | None = None
    na_values: str | float | Sequence[str | float] = ()
    index_col: str | Natural | None = None
    units: bool = False
    keep_default_na: bool = True

    def __post_init__(self) -> None:
        given = self.na_values
        self._settle("na_values", _marks(given if isinstance(given, str | int | float) else tuple(given)))
        self._settle("delimiter", _NAMED.get(self.delimiter or "", self.delimiter))
        if self.names is not None:
            self._settle("names", tuple(self.names))
        if isinstance(self.header, int):
            self._settle("skiprows", self.skiprows + self.header)
        self._settle("header", "none" if self.header is None else "first" if isinstance(self.header, int) else self.header)
        self._check()

    @property
    def marks(self) -> tuple[str, ...]:
        """The further marks of a missing cell, as texts."""
        return cast("tuple[str, ...]", self.na_values)

    @property
    def missing(self) -> frozenset[str]:
        """The usual marks of a missing cell, in small letters."""
        return MISSING if self.keep_default_na else ONLY_EMPTY

    def read(self, cell: str) -> str | None:
        """The text in a cell; None where it is missing.

        >>> Form().read(" NA "), Form(keep_default_na=False, na_values="-").read("NA")
        (None, 'NA')
        """
        text = to_text(cell, self.missing)
        return None if text in self.marks else text

    @property
    def of_cells(self) -> CellOptions:
        """What is told of cells, whatever table they stand in."""
        return cast("CellOptions", {name: value for name, value in self.told().items() if name in CELL_WORDS})

    def told(self) -> dict[str, Any]:
        """The options that were given, by name."""
        return {item.name: getattr(self, item.name) for item in fields(self) if getattr(self, item.name) != item.default}

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Form:
        """The form that some of the options tell of; others are passed over."""
        return cls(**{name: options[name] for name in WORDS if name in options})

    def changed(self, options: Mapping[str, Any]) -> Form:
        """The form with what is told anew in place of what was told before."""
        return Form(**(self.told() | {name: value for name, value in options.items() if name in WORDS}))

    def _settle(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def _check(self) -> None:
        """OptionError for marks that are no single character, that exclude each other, and for an unknown encoding."""
        marks = {name: getattr(self, name) for name in ("delimiter", "decimal", "thousands", "comment")}
        for name, mark in marks.items():
            if mark is not None and (len(mark) != 1 or mark in '"\r\n' or mark.isalnum()):
                raise OptionError(
                    f"{name}={mark!r}", expected="one character, no letter, digit or quote", remedy=f"write {name}=';'"
                )
        # A delimiter may be a mark of numbers too: there it stands in quoted cells.
        if self.decimal == self.thousands or (self.comment and self.comment in (self.delimiter, self.decimal, self.thousands)):
            raise OptionError(
                ", ".join(f"{name}={mark!r}" for name, mark in marks.items() if mark is not None),
                expected="different marks",
                remedy="give each its own character",
            )
        if self.encoding is not None:
            try:
                text = codecs.lookup(self.encoding)._is_text_encoding  # type: ignore[attr-defined]
            except (LookupError, ValueError):
                text = False
            if not text:
                raise OptionError(
                    f"encoding={self.encoding!r}",
                    expected="the name of an encoding that Python knows",
                    remedy="write encoding='utf-8', 'latin-1', 'cp1252' or 'utf-16'",
                )


WORDS: tuple[str, ...] = tuple(item.name for item in fields(Form))
"""The names of the options."""
CELL_WORDS = tuple(CellOptions.__annotations__)
"""The names of those on what stands in a cell."""


def from_text(name: str, text: str) -> Any:
    """The value that a text on the command line means for the option `name`.

    >>> from_text("na_values", "-999,-"), from_text("header", "none"), from_text("index_col", "0"), from_text("decimal", ",")
    (('-999', '-'), 'none', 0, ',')

    Raises: OptionError.
    """
    if name in {"names", "na_values"}:
        return tuple(text.split(","))
    if name in {"units", "keep_default_na"}:
        if text not in {"true", "false"}:
            raise OptionError(f"{name}={text}", expected="true or false", remedy=f"write {name}=true")
        return text == "true"
    return int(text) if name in {"header", "skiprows", "index_col"} and text.isdecimal() else text


def _marks(values: str | float | tuple[str | float, ...]) -> tuple[str, ...]:
    return tuple(_mark(value) for value in ((values,) if isinstance(values, str | int | float) else values))


def _mark(value: str | float) -> str:
    text = value.strip() if isinstance(value, str) else str(value)
    return text.removesuffix(".0")
