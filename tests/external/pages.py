"""The lines of the pages on other libraries, run as they stand: `make external` runs them, with KERAS_BACKEND=torch.

What a page calls `data` or `run` without making it is made here.
"""

import re
from pathlib import Path

import pytest

import chainrule as cr

DOCS = Path(__file__).parent.parent.parent / "docs"
GIVEN = {
    "pytorch": lambda: {"data": cr.data.from_arrays(*three_classes(), scaling=None)},
    "keras": lambda: {"data": cr.data.from_arrays(*three_classes(), scaling=None)},
    "records": dict,
    "export": dict,
}


def three_classes():
    import numpy as np

    x = np.random.default_rng(0).normal(size=(90, 4)).astype(np.float32)
    return x, x[:, :3].argmax(axis=1)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("page", GIVEN)
def test_a_page_runs_as_it_stands(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = GIVEN[page]()
    for block in re.findall(r"```python\n(.*?)```", (DOCS / f"{page}.md").read_text(encoding="utf-8"), re.DOTALL):
        exec(compile(block, f"docs/{page}.md", "exec"), names)
