"""Builds the gallery: runs the lines of every entry, and writes one page to a room, with the lines beside what they made."""

from __future__ import annotations

import ast
import contextlib
import io
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from entries import PREPARE, ROOMS, Entry, Room

from chainrule.examples import EXAMPLES, write_page
from chainrule.views.page import CSS
from chainrule.views.report.layout import PAGE_CSS, figure
from chainrule.views.svg import clean


def shown(code: str, names: dict[str, Any]) -> tuple[str, str]:
    """What the code makes, as HTML, and its title: the value of the last line, or what it prints."""
    tree = ast.parse(code)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(ast.Module(tree.body[:-1], []), "entry", "exec"), names)
        last = tree.body[-1]
        assert isinstance(last, ast.Expr), f"the last line of {code!r} is no picture"
        value = eval(compile(ast.Expression(last.value), "entry", "eval"), names)
    if value is None:
        return f"<pre>{clean_lines(printed.getvalue())}</pre>", ""
    if hasattr(value, "reading"):
        return figure(value), value.title
    if hasattr(value, "_repr_html_"):
        return value._repr_html_(), ""
    return f"<pre>{clean_lines(chr(10).join(map(str, value)))}</pre>", ""


def clean_lines(text: str) -> str:
    """Lines as text of a page."""
    return "\n".join(clean(line) for line in text.splitlines())


def entry_html(entry: Entry, names: dict[str, Any]) -> str:
    """An entry: heading, items, its lines and what they made."""
    made, _ = shown(entry.code, names)
    return (
        f"<section><h2>{clean(entry.heading)}</h2><p class='faint'>items {clean(entry.items)}</p>"
        f"<pre>{clean_lines(entry.code.strip())}</pre><div class='scroll'>{made}</div></section>"
    )


def page(heading: str, body: str) -> str:
    """A page of the gallery with links to all rooms."""
    links = '<a href="index.html">Gallery</a>' + "".join(f'<a href="{room.letter}.html">{room.letter}</a>' for room in ROOMS)
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark">'
        f"<title>{clean(heading)}</title><style>{CSS}{PAGE_CSS}</style></head><body class='chainrule'><nav>{links}</nav>"
        f"<main><h1>{clean(heading)}</h1>{body}</main></body></html>"
    )


def room_html(room: Room, names: dict[str, Any]) -> str:
    """A room's page."""
    exec(room.prepare, names)
    lines = clean_lines((PREPARE + room.prepare).strip())
    prepared = f"<details><summary>What these lines begin with</summary><pre>{lines}</pre></details>"
    return page(f"{room.letter}. {room.heading}", prepared + "".join(entry_html(entry, names) for entry in room.entries))


def build_examples(folder: Path) -> None:
    """Trains every example and writes its page: some minutes in all."""
    for example in EXAMPLES.values():
        started = time.perf_counter()
        outcome = example.run()
        write_page(example, outcome, folder / f"example-{example.name}.html")
        said = "holds" if outcome.holds else "does not hold"
        print(f"{example.name}: {said}, {time.perf_counter() - started:.1f} s", flush=True)


def build(folder: Path, letters: str = "") -> None:
    """Writes index.html and a page to each room and each example (or to the rooms of some letters) into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    if not letters:
        build_examples(folder)
    names: dict[str, Any] = {}
    exec(PREPARE, names)
    for room in ROOMS:
        if not letters or room.letter in letters:
            started = time.perf_counter()
            (folder / f"{room.letter}.html").write_text(room_html(room, names), encoding="utf-8")
            print(
                f"{room.letter}. {room.heading}: {len(room.entries)} entries, {time.perf_counter() - started:.1f} s", flush=True
            )
    items = "".join(
        f"<h3><a href='{room.letter}.html'>{room.letter}. {clean(room.heading)}</a></h3><ul>"
        + "".join(
            f"<li>{clean(entry.heading)} <span class='faint'>({clean(entry.items)})</span></li>" for entry in room.entries
        )
        + "</ul>"
        for room in ROOMS
    )
    examples = "".join(
        f"<li><a href='example-{example.name}.html'>{clean(example.title)}</a> <span class='faint'>({clean(example.items)})</span></li>"
        for example in EXAMPLES.values()
    )
    items += f"<h3>Examples with a known answer</h3><ul>{examples}</ul>"
    (folder / "index.html").write_text(
        page("Gallery", f"<p>Real runs, and the lines that drew them.</p>{items}"), encoding="utf-8"
    )


if __name__ == "__main__":
    build(Path(sys.argv[1]), *sys.argv[2:])
