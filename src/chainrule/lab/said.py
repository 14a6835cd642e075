"""What the lab says to pages: English sentences with places for what stands in them; a page says them in its own language."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LANGUAGES: Mapping[str, str] = {"en": "English", "de": "Deutsch", "zh": "中文"}
"""Each by its own name. English is what stands in the page and the lab, and the key of each catalogue."""
_FOLDER = Path(__file__).with_name("languages")


def said(text: str, **given: Any) -> dict[str, Any]:
    """A sentence for pages: `text` has places in braces; what stands there may be a number, a text, another sentence, or several.

    >>> said("step {step}", step=3)
    {'say': 'step {step}', 'with': {'step': 3}}
    """
    return {"say": text, "with": given}


def catalogue(language: str) -> dict[str, str]:
    """Every text of the page and the lab in this language, by its English; empty for English itself.

    >>> catalogue("de")["Undo"]
    'Rückgängig'
    """
    if language == "en":
        return {}
    return json.loads((_FOLDER / f"{language}.json").read_text(encoding="utf-8"))
