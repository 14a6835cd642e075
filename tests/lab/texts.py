"""All English texts of the lab's page: of its HTML, its JavaScript, and of what the desk says to it."""

import ast
import re
from html.parser import HTMLParser
from pathlib import Path

import chainrule.lab
from chainrule.doctor import AILMENTS
from chainrule.lab.lessons import LESSONS
from chainrule.lab.lessons.lesson import VERDICTS
from chainrule.lab.screens.doctor import VERDICTS as OF_CURES
from chainrule.lab.screens.sliders import WORDS
from chainrule.lab.screens.timeline import CHANGED
from chainrule.lab.server import PAGE
from chainrule.trace import LEVELS, NOTATIONS
from chainrule.views.networks import STAGES

LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"')


def is_text(text):
    """Whether there are words in it."""
    return re.search(r"[A-Za-z]{2}", text) is not None


class _Texts(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found, self.silent = set(), False

    def handle_starttag(self, tag, attributes):
        self.silent = tag in {"title", "h1", "script"}
        self.found |= {text for name, text in attributes if name in {"title", "aria-label"}}

    def handle_endtag(self, tag):
        self.silent = False

    def handle_data(self, data):
        if not self.silent:
            self.found.add(" ".join(data.split()))


def of_html():
    parser = _Texts()
    parser.feed((PAGE / "index.html").read_text(encoding="utf-8"))
    return set(filter(is_text, parser.found))


def scripts():
    return {file.name: file.read_text(encoding="utf-8") for file in sorted(PAGE.glob("*.js"))}


def calls(script):
    """Where t(...) is called: first and last place of each call."""
    for match in re.finditer(r"(?<![\w.$])t\(", script):
        depth, place = 1, match.end()
        while depth:
            literal = LITERAL.match(script, place)
            depth += {"(": 1, ")": -1}.get(script[place], 0)
            place = literal.end() if literal else place + 1
        yield match.start(), place


def of_scripts():
    found = set()
    for script in scripts().values():
        for start, end in calls(script):
            found |= set(LITERAL.findall(script[start:end]))
        found |= {name for names in re.findall(r"COLOUR_NAMES = \[(.*)\]", script) for name in LITERAL.findall(names)}
    return set(filter(is_text, found))


def of_python():
    """What is said by said("...") anywhere in the lab."""
    found = set()
    for file in Path(chainrule.lab.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "said":
                found |= {part.value for part in node.args if isinstance(part, ast.Constant)}
    return set(filter(is_text, found))


def of_lessons():
    found = set(VERDICTS)
    for lesson in LESSONS:
        found |= {lesson.title, lesson.source}
        for step in lesson.steps:
            found |= {step.title, step.text, step.question, step.told, step.look, *step.choices}
    return set(filter(is_text, found))


def all_texts(desk):
    words = {action.words for action in desk.actions.values()} - {desk.actions["open"].words, desk.actions["show"].words}
    sliders = {text for pair in WORDS.values() for text in pair}
    lists = {*LEVELS, *NOTATIONS, *STAGES, *CHANGED.values(), "training", "validation", "test", *AILMENTS, *OF_CURES.values()}
    return of_html() | of_scripts() | of_python() | of_lessons() | words | sliders | lists
