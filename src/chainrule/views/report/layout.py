"""How a report is laid out: sections with a heading and a few sentences, figures with a caption, a page around them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from chainrule.immutable import immutable
from chainrule.views.page import CSS, isolated
from chainrule.views.plain import printable
from chainrule.views.report.words import explained, glossary
from chainrule.views.saved import Told
from chainrule.views.svg import clean
from chainrule.views.view import View

WIDE = 6.5
"""Inches from which on a picture stands alone in its row."""
PAGE_CSS = (
    "body{margin:0}main{max-width:1180px;margin:0 auto;padding:1.5em}header h1{margin:.2em 0;font-size:1.7em;line-height:1.2}"
    "nav{position:sticky;top:0;background:var(--paper);border-bottom:1px solid var(--line);padding:.5em 1.5em;z-index:1;"
    "display:flex;flex-wrap:wrap;gap:.2em 1.1em}"
    "nav a{color:var(--faint);text-decoration:none;white-space:nowrap;font-size:13px}nav a:hover{color:var(--ink)}"
    "section{border-top:1px solid var(--line);margin-top:2em;scroll-margin-top:3em}"
    ".verdict{font-size:1.15em}.figures{display:flex;flex-wrap:wrap;gap:1.2em 2em;align-items:flex-start}"
    "figure{margin:0;max-width:100%;flex:0 1 34em}figure.wide{flex:1 1 100%}figure svg{max-width:100%;height:auto}"
    "figcaption{color:var(--faint);font-size:12px;max-width:36em;margin-top:.2em}"
    "abbr{text-decoration:underline dotted var(--faint);text-underline-offset:2px;cursor:help}"
    "details{border:1px solid var(--line);border-radius:6px;padding:.5em 1em;margin:.6em 0}summary{cursor:pointer;font-weight:600}"
    "dt{font-weight:600}dd{margin:0 0 .4em 1em}"
)


@immutable
class Section:
    """A part of the report: a heading, sentences that say what is seen, and pieces of HTML."""

    name: str
    heading: str
    words: str
    parts: Sequence[str]

    def html(self) -> str:
        """The section."""
        words = f"<p>{explained(self.words)}</p>" if self.words else ""
        return f'<section id="{clean(self.name)}"><h2>{clean(self.heading)}</h2>{words}{"".join(self.parts)}</section>'


def figure(picture: Told) -> str:
    """A picture with its sentence below; our own drawings bring theirs with them. Wide ones get the width of the page."""
    if not isinstance(picture, View):
        return f'<figure class="wide">{picture.svg()}</figure>'
    wide = ' class="wide"' if picture.size[0] > WIDE else ""
    return f"<figure{wide}>{picture.svg(caption=False, ground=False)}<figcaption>{explained(picture.reading)}</figcaption></figure>"


def figures(pictures: Iterable[Told]) -> str:
    """Pictures side by side, as far as the page has room."""
    return f'<div class="figures">{"".join(map(figure, pictures))}</div>'


def facts_table(facts: Mapping[str, str]) -> str:
    """Words and what stands behind them, in two columns."""
    rows = "".join(f"<tr><th>{explained(word)}</th><td>{isolated(printable(text))}</td></tr>" for word, text in facts.items())
    return f'<div class="scroll"><table>{rows}</table></div>'


def page(title: str, verdict: str, sections: Sequence[Section]) -> str:
    """The whole HTML page: no script, nothing loaded from elsewhere, light and dark."""
    links = "".join(f'<a href="#{clean(section.name)}">{clean(section.heading)}</a>' for section in sections)
    body = f'<p class="verdict">{explained(verdict)}</p></header>{"".join(section.html() for section in sections)}'
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">"
        f'<meta name="color-scheme" content="light dark"><title>{clean(title)}</title><style>{CSS}{PAGE_CSS}</style></head>'
        f'<body class="chainrule"><nav>{links}<a href="#words">Words</a></nav><main><header><h1>{isolated(title)}</h1>'
        f'{body}<section id="words"><h2>Words</h2>{glossary(body)}</section></main></body></html>'
    )
