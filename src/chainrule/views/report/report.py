"""The report as a whole: every section that suits the run, on one page."""

from __future__ import annotations

from pathlib import Path

from chainrule.errors import OptionError
from chainrule.files import writing
from chainrule.train import Run
from chainrule.views.figures.style import require_matplotlib
from chainrule.views.report.layout import page
from chainrule.views.report.sections import OF_WHOLE_BATCHES, SECTIONS, Subject


def report_page(run: Run, *, replica: int = 0) -> str:
    """The report of a run as one HTML page, which needs no network and holds no script.

    Raises: MissingPackageError without matplotlib; OptionError for a replica that the run does not have.
    """
    require_matplotlib()
    run.parameters(replica)  # says at once if there is no such replica
    subject = Subject(run, replica)
    makers = SECTIONS if run.problem.size == 1 else OF_WHOLE_BATCHES
    sections = [section for make in makers if (section := make(subject)) is not None]
    verdict = str(run.evaluate(subject.part))
    title = f"{run.folder.name if run.folder else run.dataset_info.name}"
    return page(title, verdict, sections)


def write_report(run: Run, path: str | Path, *, replica: int = 0) -> Path:
    """Writes the report to a file that ends with .html; gives its path."""
    path = Path(path)
    if path.suffix != ".html":
        raise OptionError(f"a report as {path.name!r}", expected="a name that ends with .html", remedy="write report.html")
    with writing(path) as place:
        place.write_bytes(report_page(run, replica=replica).encode())
    return path
