"""The pieces that objects are shown with: a frame with the style, words and what stands behind them, tables, lines as they are printed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from chainrule.views.page import CSS, isolated
from chainrule.views.plain import printable, printable_lines
from chainrule.views.svg import clean


def shown(*pieces: str) -> str:
    """Pieces of HTML as one, with the style that they need."""
    return f'<div class="chainrule"><style>{CSS}</style>{"".join(pieces)}</div>'


def heading(name: str, says: str = "") -> str:
    """What kind of thing it is, and a sentence on it."""
    sentence = f' <span class="faint">{isolated(printable(says))}</span>' if says else ""
    return f"<p><b>{isolated(printable(name))}</b>{sentence}</p>"


def verdict(text: str) -> str:
    """Lines as they are printed, the first one in bold."""
    first, *rest = printable_lines(text).split("\n")
    return f"<p><b>{isolated(first)}</b>{''.join(f'<br>{isolated(line)}' for line in rest)}</p>"


def printed_lines(text: object) -> str:
    """A text whose columns stand below each other."""
    return f"<pre>{clean_lines(printable_lines(text))}</pre>"


def clean_lines(text: str) -> str:
    """Lines as text of a page."""
    return "\n".join(map(clean, text.split("\n")))


def facts(pairs: Mapping[str, str]) -> str:
    """Words and what stands behind them, in two columns."""
    rows = "".join(
        f"<tr><th>{clean(printable(word))}</th><td>{isolated(printable(text))}</td></tr>" for word, text in pairs.items()
    )
    return f'<div class="scroll"><table>{rows}</table></div>' if rows else ""


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Sequence[int] = ()) -> str:
    """A table of texts; the columns in `numbers` stand to the right."""
    head = "".join(f"<th{_side(place, numbers)}>{clean(word)}</th>" for place, word in enumerate(heads))
    body = "".join(
        f"<tr>{''.join(f'<td{_side(i, numbers)}>{isolated(printable(cell))}</td>' for i, cell in enumerate(row))}</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><tr>{head}</tr>{body}</table></div>'


def _side(place: int, numbers: Sequence[int]) -> str:
    return ' class="number"' if place in numbers else ""
