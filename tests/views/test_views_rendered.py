"""Drawings look the same to whatever draws them: a browser, rsvg-convert, cairosvg, and matplotlib, which makes our PDF and PNG."""

from __future__ import annotations

import io
import math
import re
import zlib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.graph import Array
from chainrule.train import Run
from chainrule.views.colours import CSS_VARIABLES
from chainrule.views.drawing import draw_graph, draw_passes
from chainrule.views.figures.from_svg import svg_figure
from chainrule.views.networks import draw_network, draw_unrolled, growing_picture, layer_card
from chainrule.views.saved import Savable
from chainrule.views.svg import drawing, element, text
from tests.views.browsers import by_browser, by_cairosvg, by_rsvg, needs_browser, needs_rsvg, pixels

ANTIALIASING = 26.0
"""Means of 8 × 8 pixels differ by less, of 255, between two that draw the same lines and letters."""
LETTERS = 40.0
"""Means of 32 × 32 pixels differ by less where letters stand a little further apart."""


@cache
def moons() -> Run:
    return cr.fit("2-4-2 tanh softmax", "moons", epochs=1)


@cache
def recall() -> Run:
    return cr.fit(cr.Sequential(cr.RNN(3), cr.Dense(2, "softmax")), cr.data.recall(8, gap=1), epochs=0, batch_size=8)


@cache
def images() -> Run:
    x = np.arange(4 * 36, dtype=np.uint8).reshape(4, 36) * 1
    return cr.fit("36-3-2 relu softmax", (x, np.array([0, 1, 0, 1])), epochs=0)


DRAWINGS: Mapping[str, Callable[[], Savable]] = {
    "network": lambda: draw_network(moons(), moons().data.test[7]),
    "image": lambda: draw_network(images(), images().data.train[0]),
    "passes": lambda: draw_passes(moons().explain(7).trace.graph, "C"),
    "step": lambda: draw_graph(moons().graph("step")),
    "unrolled": lambda: draw_unrolled(recall(), recall().data.train[0]),
    "growing": lambda: growing_picture(moons()),
    "card": lambda: layer_card(moons(), "dense1"),
}


@cache
def svg_of(name: str) -> str:
    return DRAWINGS[name]().svg()


def size(svg: str) -> tuple[int, int]:
    found = [re.search(rf'<svg[^>]* {side}="([\d.]+)"', svg) for side in ("width", "height")]
    width, height = (math.ceil(float(side[1])) for side in found if side)
    return width, height


@cache
def in_browser(dark: bool = False) -> dict[str, Array]:
    """All drawings on one page, each in its place, and what is seen of each."""
    shown = {name: svg_of(name) for name in DRAWINGS}
    sizes = {name: size(svg) for name, svg in shown.items()}
    tops = np.cumsum([0, *(height for _, height in sizes.values())]).tolist()
    places = "".join(
        f'<div style="position:absolute;left:0;top:{top}px">{svg}</div>' for top, svg in zip(tops, shown.values(), strict=False)
    )
    page = (
        f'<!DOCTYPE html><meta charset="utf-8"><meta name="color-scheme" content="light dark"><body style="margin:0">{places}'
    )
    whole = by_browser(page, max(width for width, _ in sizes.values()), tops[-1], dark=dark)
    return {name: whole[top : top + height, :width] for top, (name, (width, height)) in zip(tops, sizes.items(), strict=False)}


def apart(one: Array, other: Array, side: int) -> float:
    """The largest difference between means over squares, of so many pixels a side: how edges are smoothed does not count."""
    assert np.abs(np.subtract(one.shape, other.shape)).max() <= 1
    rows, columns = (min(pair) // side for pair in zip(one.shape[:2], other.shape[:2], strict=True))
    means = (a[: side * rows, : side * columns].reshape(rows, side, columns, side, 3).mean((1, 3)) for a in (one, other))
    return float(np.abs(next(means) - next(means)).max())


def without_words(svg: str) -> str:
    return re.sub(r"<text.*?</text>", "", svg)


def as_png(svg: str, scale: int) -> Array:
    """What `save` writes, with `scale` pixels to a unit."""
    buffer = io.BytesIO()
    svg_figure(svg).savefig(buffer, format="png", dpi=96 * scale)
    return pixels(buffer.getvalue())


@needs_rsvg
@pytest.mark.parametrize("drawn", [by_cairosvg, as_png])
@pytest.mark.parametrize("name", DRAWINGS)
def test_marks_look_the_same(name: str, drawn: Callable[[str, int], Array]) -> None:
    marks = without_words(svg_of(name))
    assert apart(by_rsvg(marks, 1), drawn(marks, 1), 8) < ANTIALIASING


@needs_rsvg
@pytest.mark.parametrize("drawn", [by_cairosvg, as_png])
@pytest.mark.parametrize("name", ["network", "step", "unrolled"])
def test_words_are_of_the_same_colour_in_the_same_places(name: str, drawn: Callable[[str, int], Array]) -> None:
    # Letters are some hundredths wider with one than with the other: squares of some letters are compared.
    assert apart(by_rsvg(svg_of(name), 2), drawn(svg_of(name), 2), 32) < LETTERS


@needs_rsvg
@needs_browser
@pytest.mark.parametrize("name", DRAWINGS)
def test_a_drawing_looks_the_same_in_a_browser(name: str) -> None:
    assert apart(in_browser()[name], by_rsvg(svg_of(name), 1), 8) < ANTIALIASING


@needs_browser
@pytest.mark.parametrize("name", DRAWINGS)
def test_on_a_dark_page_paper_and_ink_change(name: str) -> None:
    dark, light = in_browser(dark=True)[name], in_browser()[name]
    paper = [tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5)) for colour in CSS_VARIABLES["paper"]]
    assert (tuple(light[2, 2]), tuple(dark[2, 2])) == tuple(paper)
    # Words are drawn in ink: light on dark.
    assert light[:40].min() < 60
    assert dark[:40].max() > 200


@needs_browser
def test_a_page_that_names_its_colours_is_followed() -> None:
    mark = element(
        "rect", x=0.0, y=0.0, width=20.0, height=20.0, fill="var(--positive)", stroke="var(--negative)", stroke_width=4.0
    )
    page = "<!DOCTYPE html><style>body{margin:0}.chainrule{--paper:#102030;--positive:#00ff00;--negative:#ff00ff}</style>"
    found = by_browser(page + drawing(60, 40, [mark], name="a mark"), 60, 40)
    assert [tuple(found[place]) for place in ((30, 50), (10, 10), (10, 20))] == [(16, 32, 48), (0, 255, 0), (255, 0, 255)]


def test_no_colour_of_a_mark_is_a_variable() -> None:
    for name in DRAWINGS:
        marks = re.sub(r"<style>.*?</style>", "", svg_of(name))
        assert "var(" not in marks, name
        assert " style=" not in marks, name


@pytest.mark.parametrize("name", DRAWINGS)
def test_fonts_of_a_pdf_are_those_that_journals_take(name: str, tmp_path: Path) -> None:
    assert kinds_of_fonts(DRAWINGS[name]().save(tmp_path / "drawing.pdf")) == {"CIDFontType2"}


def test_so_are_those_of_pictures_however_they_are_saved(tmp_path: Path) -> None:
    saved = cr.pictures.learning_curves(moons()).save(tmp_path / "saved.pdf")
    moons().plot().figure.savefig(tmp_path / "by_hand.pdf")
    assert kinds_of_fonts(saved) == kinds_of_fonts(tmp_path / "by_hand.pdf") == {"CIDFontType2"}


def kinds_of_fonts(path: Path) -> set[str]:
    """The types of all fonts in a PDF."""
    raw = path.read_bytes()
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", raw, re.DOTALL)
    told = raw + b"".join(zlib.decompressobj().decompress(stream) for stream in streams if stream[:1] == b"x")
    return {kind.decode() for kind in re.findall(rb"/Subtype\s*/(Type3|Type1|TrueType|CIDFontType\d)\b", told)}


def test_a_text_with_a_rim_is_a_text_and_its_rim_below_it() -> None:
    below, above = re.findall(r"<text.*?</text>", text(1, 2, "a", halo=3.0))
    assert ('stroke="#ffffff"' in below, 'aria-hidden="true"' in below) == (True, True)
    assert "stroke" not in above
