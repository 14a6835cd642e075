"""Explanations to be read: in a terminal as plain text, in a page as HTML with formulas."""

from chainrule.views.explanation.page import explanation_body, explanation_html, told_step
from chainrule.views.explanation.text import (
    KINK,
    RIGHT,
    WRONG,
    backward_text,
    checks_text,
    explanation_text,
    forward_text,
    node_text,
)

__all__ = [
    "KINK", "RIGHT", "WRONG", "backward_text", "checks_text", "explanation_body", "explanation_html", "explanation_text",
    "forward_text", "node_text", "told_step",
]  # fmt: skip
