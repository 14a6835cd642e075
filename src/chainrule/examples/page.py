"""An example's page: the question, the verdict, the facts as a table, the pictures, and the network in code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from chainrule.errors import OptionError
from chainrule.examples.code import code_section
from chainrule.examples.example import LectureExample, Outcome
from chainrule.examples.fact import Fact
from chainrule.files import make_folder_at, named, refusals, writing
from chainrule.views.figures.style import require_matplotlib
from chainrule.views.report.layout import Section, figures, page
from chainrule.views.svg import clean


def facts_html(facts: Sequence[Fact]) -> str:
    """The facts as a table: what was found, what is known, and whether they agree."""
    head = "".join(f"<th>{word}</th>" for word in ("quantity", "found", "held against", ""))
    rows = "".join(
        f"<tr><th>{clean(fact.name)}</th><td class='number'>{clean(fact.measured)}</td><td>{clean(fact.expected)}</td>"
        f"<td>{clean(fact.judgement)}</td></tr>"
        for fact in facts
    )
    return f'<div class="scroll"><table><tr>{head}</tr>{rows}</table></div>'


def example_sections(example: LectureExample, outcome: Outcome) -> list[Section]:
    """The parts of the page."""
    return [
        Section("question", "What is asked", example.question, []),
        Section("facts", "What was found", outcome.doubt, [facts_html(outcome.facts)]),
        *([Section("pictures", "What is seen", "", [figures(outcome.pictures)])] if outcome.pictures else []),
        *([code_section(outcome.trainings)] if outcome.trainings else []),
    ]


def page_path(example: LectureExample, path: str | Path | None = None) -> Path:
    """Where a page will be written, with its folder made: to be asked for before the training, which a wrong name would waste.

    path: a file that ends with .html; without one it is the example's name. Raises: OptionError for another ending or a folder,
    MissingPackageError without matplotlib, UnwritableFileError where no folder can be made.
    """
    found = named(f"{example.name}.html" if path is None else path)
    if found.suffix != ".html" or found.is_dir():
        raise OptionError(
            f"a page as {found.name!r}", expected="a file whose name ends with .html", remedy=f"write {example.name}.html"
        )
    require_matplotlib()
    with refusals(found.parent):
        make_folder_at(found.parent, exist_ok=True)
    return found


def write_page(example: LectureExample, outcome: Outcome, path: str | Path) -> Path:
    """Writes the page to a file that ends with .html; gives its path. Raises: as `page_path`."""
    found = page_path(example, path)
    with writing(found) as place:
        place.write_bytes(page(example.title, outcome.verdict, example_sections(example, outcome)).encode())
    return found
