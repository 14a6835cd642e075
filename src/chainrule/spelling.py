"""Finds the word that was probably meant, for the remedies in error messages; names in a row, cells in columns."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from difflib import get_close_matches


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The known word nearest to a misspelt one as a question with a leading space, or nothing.

    >>> did_you_mean("mnits", ["moons", "mnist"])
    " did you mean 'mnist'?"
    >>> did_you_mean("zebra", ["moons", "mnist"])
    ''
    """
    found = nearest(word, known)
    return f" did you mean {found!r}?" if found else ""


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word nearest to a misspelt one, or nothing.

    >>> nearest("sigmiod", ["sigmoid", "tanh"])
    'sigmoid'
    """
    by_lower_case = {name.casefold(): name for name in known}
    found = get_close_matches(word.casefold(), by_lower_case, n=1, cutoff=0.6)
    return by_lower_case[found[0]] if found else ""


def unused(wish: str, taken: Container[str]) -> str:
    """The name that is wished for, with a number behind it where it is taken.

    >>> unused("z", {"a"}), unused("z", {"z", "z_2"})
    ('z', 'z_3')
    """
    found, number = wish, 1
    while found in taken:
        number += 1
        found = f"{wish}_{number}"
    return found


def listed(names: Iterable[str], *, most: int = 12) -> str:
    """Names in quotes with commas between, cut short after `most` of them.

    >>> listed(["a", "b", "c"], most=2)
    "'a', 'b', ... (3 in all)"
    """
    everything = list(names)
    shown = ", ".join(repr(name) for name in everything[:most])
    return shown if len(everything) <= most else f"{shown}, ... ({len(everything)} in all)"


def suggest(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """The words to end an error message with: the nearest known name; else `otherwise`, or the first known name.

    >>> suggest("sigmiod", ["sigmoid", "tanh"]), suggest("?", ["sigmoid", "tanh"])
    ("did you mean 'sigmoid'?", "write 'sigmoid'")
    """
    names = list(known)
    return did_you_mean(name, names).strip() or otherwise or (f"write {names[0]!r}" if names else "leave it out")


def aligned(lines: Iterable[Sequence[str]], *, right: Container[int] = ()) -> str:
    """Lines of cells as columns, two blanks apart; the columns in `right` stand to the right.

    >>> print(aligned([("name", "size"), ("dense1", "12")], right={1}))
    name    size
    dense1    12
    """
    rows = list(lines)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    padded = ([f"{cell:{'>' if i in right else '<'}{widths[i]}}" for i, cell in enumerate(row)] for row in rows)
    return "\n".join("  ".join(row).rstrip() for row in padded)
