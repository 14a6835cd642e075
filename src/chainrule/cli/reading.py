"""How a table in a file is written down: the options of `train`, `evaluate` and `predict` that say so, and what they read."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from chainrule.data import Columns, Form, Table
from chainrule.data.csv_file import Bytes, table_in
from chainrule.data.form import WORDS, from_text
from chainrule.data.frame import as_table
from chainrule.data.frame_files import FRAME_FILES, frame_in
from chainrule.graph import Array
from chainrule.views.plain import printable

_HELP = {
    "delimiter": ("MARK", 'what stands between cells: a character, tab, or space for any run of blanks'),
    "encoding": ("NAME", "how bytes become letters, such as cp1252; UTF-8 and UTF-16 are found out"),
    "decimal": ("MARK", "the mark in numbers, . or ,"),
    "thousands": ("MARK", "the mark between thousands"),
    "header": ("WORD", "none: the first row holds data; first: it holds names, although they look like data"),
    "names": ("A,B,...", "the names of the columns, in place of the file's"),
    "skiprows": ("N", "how many lines stand before the table"),
    "comment": ("MARK", "from it on the rest of a line is left out"),
    "na_values": ("A,B,...", "further marks of a missing cell, such as -999"),
    "index_col": ("COLUMN", "the name or position of a column that only names the rows"),
    "units": ("", "the row below the names holds units"),
    "keep_default_na": ("", "NA, N/A, NaN, NULL and ? are missing cells, or else texts like others"),
}  # fmt: skip


def table_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command the options of `data.Form`; it gets those that were used as one mapping, `form`."""

    @functools.wraps(command)
    def called(**given: Any) -> Any:
        texts = {name: given.pop(name) for name in WORDS}
        form = {
            name: from_text(name, text) if isinstance(text, str) else text for name, text in texts.items() if text is not None
        }
        return command(form=form, **given)

    for name, (metavar, words) in reversed(_HELP.items()):
        flag, text = f"--{name.replace('_', '-')}", f"For a table: {words}."
        if metavar:
            called = click.option(flag, name, help=text, metavar=metavar)(called)
        else:
            called = click.option(f"{flag}/--no-{flag[2:]}", name, help=text, default=None)(called)
    return called


def read_for(columns: Columns | None, source: str | Bytes, form: Mapping[str, Any]) -> Table:
    """A table that a network is asked about, read as the one that it learned from, but for what `form` says."""
    told = (Form() if columns is None else columns.form).changed(form)
    if isinstance(source, str) and Path(source).suffix.lower() in FRAME_FILES:
        return as_table(frame_in(source), **told.of_cells)
    texts = (
        [] if columns is None else [item.name for item in (*columns.features, columns.target) if _stays_text(item.categories)]
    )
    return table_in(source, told, texts=texts)


def usable_rows(columns: Columns, table: Table, *, with_target: bool = False) -> Array:
    """The rows (n,) that can be encoded; what cannot is said on standard error, unless it is all of them, which encoding refuses."""
    good, said = columns.usable(table, with_target=with_target)
    if not good.any() or good.all():
        return np.arange(len(table))
    count = len(table) - int(np.count_nonzero(good))
    click.echo(f"left out: {count} of {len(table)} rows of {printable(Path(table.source).name)}", err=True)
    for line in said:
        click.echo(f"  {printable(line, most=300)}", err=True)
    return np.flatnonzero(good)


def _stays_text(categories: Sequence[str]) -> bool:
    """Whether categories hold more than the whole numbers that they may be read as."""
    return any(not text.lstrip("-").isdecimal() or str(int(text)) != text for text in categories)
