"""Views on a live page: a browser draws every mark from the JSON, on light and dark pages, and again with other numbers."""

from __future__ import annotations

import gzip
import re

import numpy as np
import pytest

from chainrule.views.colours import CSS_VARIABLES, SERIES
from chainrule.views.live import SCRIPT, live_page
from chainrule.views.marks import Band, Bars, ErrorBars, Image, Line, Mark, Points, Rule, Scale, Text
from chainrule.views.packed import VERSION
from chainrule.views.panels import Axis, Panel
from chainrule.views.view import View
from tests.views.browsers import by_browser, dom_by_browser, needs_browser
from tests.views.test_view import HOSTILE, MARKS, everything

PAIR = [0.0, 1.0]
"""Marks that fill their panels, each with the colour that most of its pixels have."""
FILLING: dict[str, tuple[Mark, str]] = {
    "line": (Line(PAIR, PAIR, color=0, width=40), SERIES[0]),
    "band": (Band(PAIR, [0, 0], [1, 1], color=1, alpha=1.0), SERIES[1]),
    "errors": (ErrorBars([0.5], [0.0], [1.0], color=2, width=60), SERIES[2]),
    "points": (Points([0.5], [0.5], marker="s", size=120, color=3), SERIES[3]),
    "bars": (Bars([0.5], [1.0], color=4), SERIES[4]),
    "image": (Image(np.ones((2, 2)), scale=Scale("signed", -1, 1)), CSS_VARIABLES["positive"][0]),
    "text": (Text(0.5, 0.5, "█", size=150, color=5), SERIES[5]),
    "rule": (Rule(x=(0.2, 0.8), color=7), SERIES[7]),
}


def rgb(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


def filled(mark: Mark) -> View:
    return View("t", "r", [Panel([mark], Axis(ends=(0, 1)), Axis(ends=(0, 1)), frame="none")], size=(2.5, 2.5))


def test_the_script_knows_every_mark_and_the_version() -> None:
    script = SCRIPT.read_text(encoding="utf-8")
    names = re.findall(r"^  (\w+)\(g, m", script, re.MULTILINE)
    assert set(names) == {mark.kind for mark, _ in FILLING.values()}
    assert f"view.version !== {VERSION}" in script
    assert len(gzip.compress(SCRIPT.read_bytes())) < 12_000
    for name, pair in CSS_VARIABLES.items():
        for colour in pair if name != "panel" else ():
            assert f'{name}: "{colour}"' in script, "colours mean the same on a live page"
    assert all(f's{place}: "{colour}"' in script for place, colour in enumerate(SERIES))


@needs_browser
def test_a_browser_draws_every_mark() -> None:
    page = dom_by_browser(live_page(everything()))
    assert 'data-drawn="yes"' in page
    shown = page[page.index("<section") :]
    assert shown.count("<svg") == len(MARKS)
    assert shown.count("<canvas") == 1
    assert shown.count("<table") == 1
    assert "<b>" not in shown
    assert "&lt;/script&gt;&lt;b&gt;$x$" in shown
    assert "NaN" not in re.sub(r"<table.*?</table>", "", shown, flags=re.DOTALL)
    panels = re.findall(r"<svg.*?</svg>", shown, re.DOTALL)
    for name, panel in zip(MARKS, panels, strict=True):
        assert f">{name}</text>" in panel
        bare = re.search(r'<g( clip-path="[^"]*")?>(.+?)</g>', panel, re.DOTALL)
        assert bare, name
        label = MARKS[name].label
        assert not label or f">{label}</text>" in panel


@needs_browser
def test_each_mark_has_its_colour_on_the_page() -> None:
    # Every view takes the same height, so that each is found at its place.
    views = [filled(mark) for mark, _ in FILLING.values()]
    boxes = "<style>section{height:320px;box-sizing:border-box;overflow:hidden}</style>"
    seen = by_browser(live_page(*views).replace("<body", f"{boxes}<body"), 300, 320 * len(views))
    for place, (name, (_, colour)) in enumerate(FILLING.items()):
        part = seen[320 * place : 320 * (place + 1)].reshape(-1, 3)
        found, counts = np.unique(part[(part != 255).any(axis=1)], axis=0, return_counts=True)
        assert np.abs(found[counts.argmax()] - rgb(colour)).max() <= 2, name


@needs_browser
@pytest.mark.parametrize("dark", [False, True])
def test_ink_and_paper_follow_the_page(dark: bool) -> None:
    seen = by_browser(live_page(filled(Rule(x=(0.0, 1.0), color="ink"))), 300, 330, dark=dark)
    assert tuple(seen[3, 290]) == rgb(CSS_VARIABLES["paper"][dark])
    assert tuple(seen[150, 120]) == rgb(CSS_VARIABLES["ink"][dark])


@needs_browser
def test_other_numbers_are_drawn_in_the_same_place() -> None:
    first, second = filled(FILLING["bars"][0]), filled(FILLING["points"][0])
    page = live_page(first)
    more = f";draw(document.querySelector('section'),{first.json()}).update({second.json()});document.body.dataset"
    shown = dom_by_browser(page.replace(";document.body.dataset", more))
    shown = shown[shown.index("<section") :]
    assert shown.count("<svg") == 1
    assert "var(--s3)" in shown
    assert "var(--s4)" not in shown


@needs_browser
def test_a_view_of_another_version_is_refused() -> None:
    page = live_page(filled(FILLING["bars"][0])).replace(f'{{"version":{VERSION}', '{"version":99')
    assert 'data-drawn="yes"' not in dom_by_browser(page)


def test_a_page_cannot_be_left_by_what_it_shows() -> None:
    page = live_page(View(HOSTILE, HOSTILE, []))
    assert page.count("</script") == 1
