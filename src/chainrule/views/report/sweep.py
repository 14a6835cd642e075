"""A sweep as one page: its verdict, its picture, and every setting in a table."""

from __future__ import annotations

from pathlib import Path

from chainrule.files import writing
from chainrule.sweeps import Sweep
from chainrule.views.figures.style import require_matplotlib
from chainrule.views.objects.parts import table
from chainrule.views.pictures.experiments.sweeps import sweep_scores
from chainrule.views.report.layout import Section, figures, page


def write_sweep_page(sweep: Sweep, path: str | Path) -> Path:
    """Writes a sweep as one page that needs nothing else: verdict, picture, table. Raises: as `files.writing`; MissingPackageError."""
    require_matplotlib()
    pictures = [figures([sweep_scores(sweep)])] if any(not trial.trouble for trial in sweep.trials) else []
    sections = [
        *([Section("picture", "What is seen", "", pictures)] if pictures else []),
        Section("table", "Every setting", "", [table(sweep.headings, sweep.rows)]),
    ]
    with writing(path, ".html") as place:
        place.write_bytes(page(f"Sweep over {', '.join(sweep.names)}", sweep.verdict, sections).encode())
    return Path(path)
