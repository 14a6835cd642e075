"""`chainrule export`: a run as a file that computes elsewhere what it computes here."""

from __future__ import annotations

from pathlib import Path

import click

from chainrule.cli.locate import data_option, opened, run_folder, step_option
from chainrule.cli.output import ExplainedCommand, console
from chainrule.interop.formats import FORMATS
from chainrule.interop.formats import export as export_to
from chainrule.views.plain import printable


@click.command(
    cls=ExplainedCommand,
    words="The file takes inputs as the data hold them, and gives numbers in the units of the targets, or classes and their probabilities. "
    + "; ".join(f"{name}: {item.words}" for name, item in FORMATS.items())
    + ".",
    examples=(
        "chainrule export runs/latest --to onnx",
        "chainrule export runs/latest --output digits.onnx",
        "chainrule export runs/latest --output digits.c",
        "chainrule export runs/latest --to numpy --output digits.py",
        "chainrule export runs/latest --output curve.tex",
    ),
)
@click.argument("run", metavar="RUN")
@click.option("--to", type=click.Choice(tuple(FORMATS)), help="The format.  [default: what the name of the output ends with]")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The file to be written.  [default: exported, with the format's ending, in the run's folder]",
)
@click.option("--replica", type=int, default=0, show_default=True, help="Which of several networks trained at once.")
@step_option
@data_option
def export(run: str, to: str | None, output: Path | None, replica: int, step: int | None, moved: str | None) -> None:
    """Write RUN into a file for other programs."""
    if output is None and to is None:
        raise click.UsageError("Name a format, --to c for example, or a file, --output digits.c.")
    found = opened(run, step, moved)
    place = output or run_folder(run).path / f"exported{FORMATS[to or ''].suffix}"
    for path in export_to(found, place, to, replica=replica):
        size = path.stat().st_size
        console().print(f"{printable(path)} ({size / 1e3:.1f} kB)", soft_wrap=True)
