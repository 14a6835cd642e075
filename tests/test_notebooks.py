"""The notebooks run from top to bottom, ask before they answer, are kept without outputs, and read well as plain text too."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
import pytest
from nbconvert import MarkdownExporter

FOLDER = Path(__file__).parent.parent / "docs" / "notebooks"
sys.path.insert(0, str(FOLDER))
from render import NOTEBOOKS, executed  # noqa: E402  (found in docs/notebooks)


def test_there_is_one_to_each_lecture_and_one_on_your_own_data() -> None:
    assert [path.name[0] for path in NOTEBOOKS] == list("123456")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs_and_asks_before_it_answers(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert cell.cell_type == "markdown" or (cell.execution_count, cell.outputs) == (None, [])
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert prose.count("**Question.**") >= 4
    assert prose.index("**Question.**") < prose.index("**Answer.**")
    assert "## To try" in prose
    assert len(prose) > 2500


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path) -> None:
    notebook = executed(path)
    for cell in notebook.cells:
        outputs = cell.get("outputs", [])
        assert not [output for output in outputs if output.output_type == "stream" and output.name == "stderr"]
        for output in outputs:
            told = output.text if output.output_type == "stream" else output.data["text/plain"]
            assert " object at 0x" not in told
        if outputs and "cr.Progress()" in cell.source:
            # Drawn anew in its place: one output is left, as a page and as text.
            (output,) = outputs
            assert output.output_type == "display_data"
            assert "<svg" in output.data["text/html"]
            assert output.data["text/plain"].splitlines()[-1].startswith("epoch ")
    text, _ = MarkdownExporter().from_notebook_node(notebook)
    assert "**Answer.**" in text
