"""Letters that our font lacks, such as Chinese ones: another font of the machine that has them, or one warning in our words."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from matplotlib import font_manager

from chainrule.errors import warn


def find_letters(texts: Iterable[Any]) -> str:
    """Gives each text the fonts of this machine that have the letters which its own lacks; the letters that none has."""
    lacking: dict[str, None] = {}
    for text in texts:
        if text.get_text().isascii():
            continue
        own = tuple(text.get_fontfamily())
        files = tuple(font_manager.findfont(font_manager.FontProperties(family=[family])) for family in own)
        letters = sorted(letter for letter in set(text.get_text()) if letter.isprintable() and not letter.isascii())
        found = {letter: _font_with(letter, files) for letter in letters}
        if others := dict.fromkeys(font for font in found.values() if font):
            text.set_fontfamily([*own, *others])
        lacking |= dict.fromkeys(sorted(letter for letter, font in found.items() if font is None))
    return "".join(lacking)


def warn_of_letters(lacking: str) -> None:
    """One warning for all letters that a written picture shows as boxes."""
    more = f" and {len(lacking) - 5} more" if len(lacking) > 5 else ""
    warn(
        f"no font here has {', '.join(lacking[:5])}{more}: the picture shows boxes in their place; save it as .svg, whose letters are "
        "those of whoever looks, or install a font that has them",
        UserWarning,
    )


@cache
def _font_with(letter: str, own: tuple[str, ...]) -> str | None:
    """A family that has a letter: "" where one of its own files does, None where no font here does."""
    if any(_has(path, letter) for path in own):
        return ""
    fonts = sorted(font_manager.fontManager.ttflist, key=lambda font: ("sans" not in font.name.lower(), font.name))
    # matplotlib brings a last resort, which has a box for every letter.
    return next((font.name for font in fonts if "Last Resort" not in font.name and _has(font.fname, letter)), None)


def _has(path: str, letter: str) -> bool:
    # matplotlib keeps the fonts that it has opened.
    return font_manager.get_font(path).get_char_index(ord(letter)) != 0
