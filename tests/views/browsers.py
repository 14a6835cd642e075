"""What draws SVG and HTML beside us: a browser, rsvg-convert, cairosvg; tests that need one which is missing are skipped and say so."""

from __future__ import annotations

import atexit
import io
import shutil
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from chainrule.graph import Array

# The same pages with a third less work: the shell has no window around them, with tabs and menus, that nobody sees.
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((found for name in BROWSERS if (found := shutil.which(name))), None)
RSVG = shutil.which("rsvg-convert")
needs_browser = pytest.mark.skipif(
    CHROMIUM is None, reason="needs a browser: apt-get install chromium-headless-shell fonts-dejavu-core"
)
needs_rsvg = pytest.mark.skipif(RSVG is None, reason="needs rsvg-convert: apt-get install librsvg2-bin fonts-dejavu-core")


def pixels(png: bytes | Path) -> Array:
    """An image on white paper: (height, width, 3), from 0 to 255."""
    image = Image.open(io.BytesIO(png) if isinstance(png, bytes) else png).convert("RGBA")
    paper = Image.new("RGBA", image.size, "white")
    paper.alpha_composite(image)
    return np.asarray(paper.convert("RGB"), dtype=np.float64)


def by_rsvg(svg: str, scale: int) -> Array:
    assert RSVG is not None
    return pixels(subprocess.run([RSVG, "-z", str(scale)], input=svg.encode(), capture_output=True, check=True).stdout)


def by_cairosvg(svg: str, scale: int) -> Array:
    try:
        import cairosvg
    except OSError as trouble:
        pytest.skip(f"needs the library cairo: apt-get install libcairo2 ({trouble})")
    found = cairosvg.svg2png(bytestring=svg.encode(), scale=scale)
    assert isinstance(found, bytes)
    return pixels(found)


@cache
def browser() -> Any:
    """A browser without a window, one to a process of tests: it takes seconds to start, and at times never comes up."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright").sync_playwright().start()
    quiet = ("gpu", "quic", "background-networking", "component-update", "sync", "dev-shm-usage")
    options = ["--no-sandbox", "--hide-scrollbars", *(f"--disable-{name}" for name in quiet)]
    options.append("--host-resolver-rules=MAP *.evil.example 127.0.0.1")
    found = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
    atexit.register(playwright.stop)
    atexit.register(found.close)
    return found


@contextmanager
def opened(html: str, **look: Any) -> Generator[Any]:
    """A page that the browser has loaded, its scripts run."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, browser().new_context(**look) as context:
        file = Path(folder, "page.html")
        file.write_text(html, encoding="utf-8")
        page = context.new_page()
        page.goto(file.as_uri())
        yield page


def dom_by_browser(html: str) -> str:
    """The page's elements as they are once its scripts have run."""
    with opened(html) as page:
        return page.content()


def by_browser(html: str, width: int, height: int, *, dark: bool = False) -> Array:
    """A page as the browser shows it, for a reader of light or dark pages."""
    with opened(html, viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light") as page:
        return pixels(page.screenshot())
