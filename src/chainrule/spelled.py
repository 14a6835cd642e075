"""How letters are spelled on a terminal that lacks them: − as -, ± as +-, σ as sigma, so that every number keeps its sign."""

from __future__ import annotations

import codecs
import re
import unicodedata
from typing import cast

HANDLER = "chainrule.spelled"
"""The name under which `spelled` handles what a stream's encoding lacks."""

_SPELLINGS = {
    "−": "-", "–": "-", "—": "-", "‐": "-", "±": "+-", "×": "x", "·": "*", "⊙": "*", "∗": "*", "÷": "/", "≤": "<=", "≥": ">=", "≠": "!=",
    "≈": "~", "∼": "~", "∝": "~", "→": "->", "←": "<-", "↔": "<->", "⇒": "=>", "↑": "^", "↓": "v", "↦": "->", "…": "...", "∞": "inf",
    "∂": "d", "∇": "grad ", "√": "sqrt", "∈": "in", "∉": "not in", "∘": "o", "ᵀ": "^T", "′": "'", "″": "''", "“": '"', "”": '"',
    "„": '"', "‘": "'", "’": "'", "«": '"', "»": '"', "•": "*", "●": "*", "○": "o", "■": "#", "□": "o", "✓": "ok", "✔": "ok",
    "✗": "wrong", "✘": "wrong", "⚠": "!", "∧": "and", "∨": "or", "¬": "not ", "⁺": "^+", "⁻": "^-", "⁽": "^(", "⁾": ")", "₍": "_(",
    "₎": ")", "₊": "+", "₋": "-", "ₙ": "_n", "ₖ": "_k", "ᵢ": "_i", "ⱼ": "_j", "ℓ": "l", "°": " degrees", "�": "?", "\xa0": " ",
    "\u2009": " ", "\u202f": " ", "█": "#", "▓": "#", "▒": "+", "░": ".", "▁": "_", "▂": ".", "▃": "-", "▄": "=", "▅": "+", "▆": "*",
    "▇": "%", "▏": ".", "▎": ".", "▍": ":", "▌": ":", "▋": "+", "▊": "+", "▉": "#", "▀": "^", "▐": ":", "━": "-", "╸": "-", "╺": "-",
}  # fmt: skip


_RAISED = re.compile(r"\^[-+(]?\d?")


def spelling(letter: str) -> str:
    """A letter in ASCII; "?" where there is no way to write it.

    >>> "".join(map(spelling, "−0.5 ± 0.1 · η², é, 猫"))
    '-0.5 +- 0.1 * eta^2, e, ?'
    """
    if letter.isascii():
        return letter
    if letter in _SPELLINGS:
        return _SPELLINGS[letter]
    name = unicodedata.name(letter, "")
    if name.startswith("GREEK "):
        word = name.rpartition(" ")[2].casefold()
        return word.capitalize() if " CAPITAL " in name else word
    if name.startswith("BOX DRAWINGS"):
        return "-" if name.endswith("HORIZONTAL") else "|" if name.endswith("VERTICAL") else "+"
    plain = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
    if name.startswith(("SUPERSCRIPT", "SUBSCRIPT")):
        return f"{'^' if name.startswith('SUPER') else '_'}{plain}"
    return plain or "?"


def spelled(error: UnicodeError) -> tuple[str, int]:
    """What stands for the letters that a stream's encoding lacks: a handler as `codecs.register_error` takes it.

    Raised figures that follow each other are one power, also those behind them that the encoding has.
    """
    trouble = cast("UnicodeEncodeError", error)
    text, end = trouble.object, trouble.end
    while end < len(text) and _RAISED.fullmatch(spelling(text[end])) and not text[end].isascii():
        end += 1
    words = list(map(spelling, text[trouble.start : end]))
    goes_on = [False, *(bool(_RAISED.fullmatch(word)) for word in words[:-1])]
    told = (word[1:] if on and _RAISED.fullmatch(word) else word for on, word in zip(goes_on, words, strict=True))
    return "".join(told), end


codecs.register_error(HANDLER, spelled)
