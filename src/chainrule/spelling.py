"""Near names for a misspelt one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def suggest(name: str, known: Iterable[str], otherwise: str) -> str:
    """The words to end an error message with: the nearest known name, or `otherwise`.

    >>> suggest("sigmiod", ["sigmoid", "tanh"], "choose one of these")
    'did you mean sigmoid?'
    """
    near = difflib.get_close_matches(name, list(known), 1)
    return f"did you mean {near[0]}?" if near else otherwise
