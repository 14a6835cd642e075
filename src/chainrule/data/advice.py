"""Advice: a remedy that names options, as Python writes them and as the command line does."""

from __future__ import annotations

import csv
import io
import shlex
from collections.abc import Sequence
from typing import Any, cast

from chainrule.data.form import WORDS
from chainrule.errors import Remedy

_OWN = frozenset({"target", "missing", *WORDS})
"""Options that the command line has of its own; all others are written behind --option."""


def advice(words: str, *options: tuple[str, object]) -> Remedy:
    """A remedy with options in the places {0}, {1} and so on.

    >>> remedy = advice("leave it out: {0}, or say where the names are: {1}", ("drop", ("Name",)), ("header", None))
    >>> remedy
    "leave it out: drop=('Name',), or say where the names are: header=None"
    >>> remedy.command
    'leave it out: --option drop=Name, or say where the names are: --header none'
    """
    python = [f"{name}={value!r}" for name, value in options]
    return Remedy(words.format(*python), words.format(*(_flag(name, value) for name, value in options)))


def literal(text: str) -> str:
    """A text of the user in quotes, safe inside the words of an advice.

    >>> advice("write " + literal("{0}"))
    "write '{0}'"
    """
    return repr(text).replace("{", "{{").replace("}", "}}")


def _flag(name: str, value: object) -> str:
    text = _text(value)
    if name not in _OWN:
        return f"--option {shlex.quote(f'{name}={text}')}"
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{flag}" if value else f"--no-{flag}"
    return f"--{flag} {shlex.quote(text)}"


def _text(value: object) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(cast("Sequence[Any]", value))
        return line.getvalue()
    return {None: "none", " ": "space", "\t": "tab"}.get(cast("Any", value), str(value))
