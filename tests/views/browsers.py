"""What draws SVG and HTML beside us: a browser, rsvg-convert, cairosvg; tests that need one which is missing are skipped and say so."""

from __future__ import annotations

import io
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chainrule.graph import Array

CHROMIUM = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)
RSVG = shutil.which("rsvg-convert")
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="needs a browser: apt-get install chromium fonts-dejavu-core")
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


def _browse(html: str, *options: str) -> bytes:
    """What a browser says of a page."""
    assert CHROMIUM is not None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        page = Path(folder, "page.html")
        page.write_text(html, encoding="utf-8")
        quiet = ("gpu", "quic", "background-networking", "component-update", "sync", "dev-shm-usage")
        usual = ["--headless", "--no-sandbox", "--no-first-run", "--hide-scrollbars", *(f"--disable-{name}" for name in quiet)]
        asked = [CHROMIUM, *usual, f"--user-data-dir={folder}/profile", *options, page.as_uri()]
        return subprocess.run(asked, capture_output=True, check=True, timeout=300).stdout


def dom_by_browser(html: str) -> str:
    """The page's elements as they are once its scripts have run."""
    return _browse(html, "--virtual-time-budget=10000", "--dump-dom").decode()


def by_browser(html: str, width: int, height: int, *, dark: bool = False) -> Array:
    """A page as the browser shows it, for a reader of light or dark pages."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        picture = Path(folder, "page.png")
        look = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
        _browse(html, f"--window-size={width},{height}", f"--screenshot={picture}", look)
        return pixels(picture)
