"""Views on live pages: the script that draws a view's JSON, without dependencies, and a page that shows some views by it."""

from __future__ import annotations

from pathlib import Path

from chainrule.views.view import View

SCRIPT = Path(__file__).with_name("view.js")
"""A module for browsers: `draw(element, view)` gives an object whose `update(view)` draws other numbers in the same place."""


def live_page(*views: View) -> str:
    """A whole page that draws the views by the script inside it; nothing is loaded from elsewhere.

    >>> from chainrule.views.view import View
    >>> live_page(View("Nothing", "There is nothing to see.", [])).count("<script")
    1
    """
    script = SCRIPT.read_text(encoding="utf-8").replace("</", "<\\/")
    told = ",".join(view.json() for view in views)
    shown = f"for(const view of [{told}])draw(document.body.appendChild(document.createElement('section')),view);"
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark"><title>Views</title>'
        f'</head><body style="margin:0"><script type="module">{script}\n{shown}document.body.dataset.drawn="yes";</script></body></html>'
    )
