"""`chainrule report`: everything that can be seen of a run, on one page."""

from __future__ import annotations

from pathlib import Path

import click

from chainrule.cli.locate import data_option, opened, run_folder, step_option
from chainrule.cli.output import ExplainedCommand, console
from chainrule.views.plain import printable
from chainrule.views.report import write_report


@click.command(
    cls=ExplainedCommand,
    words="The page is one file: it needs no network, holds no script, and follows your browser's light or dark colours.",
    examples=("chainrule report runs/latest", "chainrule report runs/latest --output report.html"),
)
@click.argument("run", metavar="RUN")
@click.option(
    "--output", type=click.Path(path_type=Path), help="The file to be written.  [default: report.html in the run's folder]"
)
@click.option("--replica", type=int, default=0, show_default=True, help="Which of several networks trained at once.")
@step_option
@data_option
def report(run: str, output: Path | None, replica: int, step: int | None, moved: str | None) -> None:
    """Write a page about RUN: configuration, curves, results, what the layers do, gradients, and a few examples number by number."""
    found = opened(run, step, moved)
    path = write_report(found, output or run_folder(run).path / "report.html", replica=replica)
    size = path.stat().st_size / 1e6
    console().print(f"{printable(path)} ({size:.1f} MB): open it in a browser", soft_wrap=True)
