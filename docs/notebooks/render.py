"""Runs the notebooks beside this file and writes each as a page, and a page of links."""

from __future__ import annotations

import sys
import tempfile
import time
from html import escape
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbconvert import HTMLExporter

NOTEBOOKS = sorted(Path(__file__).parent.glob("*.ipynb"))
WIDE = "<style>.jp-OutputArea-child{table-layout:fixed}.jp-OutputArea-output :is(svg,img){max-width:100%;height:auto}</style>"
"""Drawings that are wider than the page become smaller, as in JupyterLab."""


def executed(path: Path) -> Any:
    """The notebook with what its cells give, from the first to the last, in an empty folder. Raises: CellExecutionError."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        return NotebookClient(notebook, timeout=300, resources={"metadata": {"path": folder}}).execute()


def title(notebook: Any) -> str:
    """What the first cell is headed by."""
    return notebook.cells[0].source.partition("\n")[0].removeprefix("# ")


def build(folder: Path) -> None:
    """Writes a page for each notebook, and index.html."""
    folder.mkdir(parents=True, exist_ok=True)
    links = ""
    for path in NOTEBOOKS:
        started = time.perf_counter()
        notebook = executed(path)
        page, _ = HTMLExporter().from_notebook_node(notebook, {"metadata": {"name": title(notebook)}})
        (folder / f"{path.stem}.html").write_text(page.replace("</head>", f"{WIDE}</head>", 1), encoding="utf-8")
        links += f'<li><a href="{path.stem}.html">{escape(title(notebook))}</a></li>'
        print(f"{path.name}: {time.perf_counter() - started:.1f} s", flush=True)
    head = '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Notebooks</title></head>'
    page = f"{head}<body style='font-family:sans-serif;margin:3em'><h1>Notebooks</h1><ol>{links}</ol></body></html>"
    (folder / "index.html").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    build(Path(sys.argv[1]))
