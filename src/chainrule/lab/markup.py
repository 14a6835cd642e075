"""Drawings for a page whose policy takes no style from markup: look.css has theirs."""

from __future__ import annotations

import re

_STYLE = re.compile(r"<style>.*?</style>", re.DOTALL)


def plain_svg(svg: str) -> str:
    """A drawing without the style that it carries.

    >>> plain_svg("<svg><style>a{}</style><g/></svg>")
    '<svg><g/></svg>'
    """
    return _STYLE.sub("", svg, count=1)
