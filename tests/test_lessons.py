"""The lessons in words: each item of the checklist that is words has its place there, and what they name exists."""

from __future__ import annotations

import re
from functools import reduce
from pathlib import Path

import pytest

import chainrule
from chainrule.examples import EXAMPLES

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "lessons.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("item", ["16", "31", "37", "70", "90", "E2"])
def test_an_item_has_a_section(item: str) -> None:
    assert re.search(rf"^## {item}\. .+\n\n.{{200}}", TEXT, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("item", range(141, 147))
def test_a_source_has_links_or_a_place_in_print(item: int) -> None:
    (row,) = re.findall(rf"^\| {item} \| (.+) \|$", TEXT, flags=re.MULTILINE)
    assert re.search(r"\]\(https?://[\w.-]+\.\w+", row)


def test_links_to_files_lead_somewhere() -> None:
    targets = [target for target in re.findall(r"\]\(([^)]+)\)", TEXT) if not target.startswith("http")]
    assert [target for target in targets if not (ROOT / "docs" / target).is_file()] == []


def test_what_is_named_exists() -> None:
    for name in re.findall(r"`cr\.([\w.]+)", TEXT):
        assert reduce(getattr, name.split("."), chainrule) is not None
    named = re.findall(r"chainrule example ([\w-]+)", TEXT)
    assert named
    assert [name for name in named if name not in EXAMPLES] == []
