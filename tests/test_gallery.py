"""The gallery: every item of the checklist that is to be seen has its lines, and the lines make pictures."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

import pytest

from chainrule.examples import EXAMPLES

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "gallery"
sys.path.insert(0, str(FOLDER))
from entries import ROOMS  # noqa: E402  (found in docs/gallery)

TO_BE_SEEN = {
    1, 2, 4, 5, 6, 8, 12, 13, 18, 19, 21, 22, 28, 30, 33, 34, 35, 36, 39, 40, 41, 43, 47, 49, 52, 53, 54, 55, 56, 63, 67, 68, 71, 73, 74,
    75, 78, 80, 81, 82, 83, 84, 86, 87, 88, 89, 92, 93, 95, 96, 97, 100, 101, 107, 108, 109, 114, 115, 117, 118, 119, 121, 122, 124,
    125, 126, 128, 130, 131, 132, 133, 134, 135, 136, 137,
}  # fmt: skip
"""The items of all sections whose kind holds an S, but for one that belongs to the lab (129)."""


def test_every_item_to_be_seen_is_shown() -> None:
    items = [entry.items for room in ROOMS for entry in room.entries] + [example.items for example in EXAMPLES.values()]
    shown = {int(word) for text in items for word in re.findall(r"\b(\d+)\b", re.sub(r"[DE]\d+", "", text))}
    assert sorted(TO_BE_SEEN - shown) == []


def test_headings_are_unique_and_items_are_items() -> None:
    headings = [entry.heading for room in ROOMS for entry in room.entries]
    assert len(headings) == len(set(headings))
    items = [entry.items for room in ROOMS for entry in room.entries]
    assert [text for text in items if not re.fullmatch(r"([DE]?\d+)(, [DE]?\d+)*", text)] == []


@pytest.mark.parametrize("letters", ["A", "K", "L", "N"])
def test_a_room_is_built(letters: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    builder = runpy.run_path(str(FOLDER / "build.py"))
    small = builder["build"].__globals__
    # The same lines on less data: what is tested is that they make pictures.
    monkeypatch.setitem(
        small, "PREPARE", small["PREPARE"].replace("epochs=6, replicas=3", "epochs=1").replace("epochs=150", "epochs=5")
    )
    builder["build"](tmp_path, letters)
    page = (tmp_path / f"{letters}.html").read_text(encoding="utf-8")
    room = next(room for room in ROOMS if room.letter == letters)
    assert page.count("<section>") == len(room.entries)
    assert "<svg" in page or "<math" in page
    assert (tmp_path / "index.html").is_file()
