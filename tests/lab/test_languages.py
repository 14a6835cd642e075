"""Languages: each catalogue says all that the page says, with the same places, and nothing that a page shows escapes it."""

import re
import time

import pytest

from chainrule.errors import OptionError
from chainrule.lab import said
from chainrule.lab.desk import Desk
from chainrule.lab.said import LANGUAGES, catalogue
from chainrule.lab.server import page_files
from chainrule.lab.session import Session
from tests.lab import texts
from tests.lab.asked import training, until
from tests.views.browsers import needs_browser

OTHERS = [language for language in LANGUAGES if language != "en"]


@pytest.fixture(scope="module")
def known():
    desk = Desk(Session(training()))
    yield texts.all_texts(desk)
    desk.close()


@pytest.mark.parametrize("language", OTHERS)
def test_a_catalogue_is_complete(known, language):
    found = catalogue(language)
    assert set(found) == known
    for text, other in found.items():
        assert other.strip(), text
        assert sorted(re.findall(r"\{\w+\}", text)) == sorted(re.findall(r"\{\w+\}", other)), text
        assert set(re.findall(r"\d+", text)) == set(re.findall(r"\d+", other)), text
    script = {"de": "[äöüß]", "zh": "[\u4e00-\u9fff]"}[language]
    long = [other for text, other in found.items() if len(text) > 40]
    assert sum(re.search(script, other) is not None for other in long) > (0.5 if language == "de" else 0.99) * len(long)


def test_each_sentence_in_a_script_is_said_by_its_name():
    """A literal with a space between two words is a sentence: it stands inside t(...), or is no text of the page."""
    for name, script in texts.scripts().items():
        inside = [range(*place) for place in texts.calls(script)]
        code = re.sub(
            r"^\s*//.*$|^\s*/\*\*.*\*/$|^/?\s*\*.*$|  // .*$", lambda found: " " * len(found[0]), script, flags=re.MULTILINE
        )
        for literal in re.finditer(r"\"[^\"\n]*\"|'[^'\n]*'|`[^`]*`", code):
            text = re.sub(r"\$\{[^}]*\}", "", literal[0])
            is_code = re.search(r"sans-serif|^.[M#.]|\[|input, select", text) is not None
            is_sentence = re.search(r"[A-Za-z]{2},? [a-z]{2}", text) is not None
            assert is_code or not is_sentence or any(literal.start() in place for place in inside), (name, text)


def test_a_language_that_is_none_is_refused():
    desk = Desk(Session(training()))
    try:
        assert desk.read("catalogue", {}) == {}
        for language in ("fr", "../de", ""):
            with pytest.raises(OptionError):
                desk.read("catalogue", {"language": language})
    finally:
        desk.close()


def test_a_page_is_small_in_each_language():
    files = sum(len(content) for content in page_files().values())
    for language in OTHERS:
        assert files + (said._FOLDER / f"{language}.json").stat().st_size < 300_000


VISIBLE = """() => {
    const found = [], nodes = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = nodes.nextNode(); node; node = nodes.nextNode()) {
        const element = node.parentElement;
        if (!element.checkVisibility() || element.closest("[lang=en], [translate=no], math, svg")) continue;
        found.push(node.textContent.trim());
    }
    for (const element of document.querySelectorAll("[title], [aria-label]"))
        if (element.checkVisibility() && !element.closest("[lang=en], svg"))
            found.push(element.getAttribute("title") ?? "", element.getAttribute("aria-label") ?? "");
    return found;
}"""
"""Texts that somebody sees or hears, but for what the library says, which is marked as English, and drawings."""
NAMES = re.compile(r"\w+\[[\d, ]*\]|[a-z]+\d\.[\w.]+|[A-Z]\w+\(.*\)")
"""Entries of parameters, and code."""


@needs_browser
def test_no_text_escapes(visit, lab, known, monkeypatch):
    """In a language whose every text stands between marks, all that is seen has them."""
    monkeypatch.setattr("chainrule.lab.screens.timeline.catalogue", lambda language: {text: f"⟦{text}⟧" for text in known})
    page = visit(lab, lab.link.replace("?", "?language=de&"))
    page.click("#epoch")
    page.focus("path.reach")
    page.keyboard.press("Enter")
    until(lambda: page.is_visible("#card"))
    page.fill("#number", "0.5")
    page.keyboard.press("Tab")
    for screen in ("bench", "passes", "digits", "pictures", "lessons", "time"):
        page.click(f"#to-{screen}")
        until(lambda screen=screen: page.is_visible(f"#{screen}"))
        if screen == "time":
            page.click("#branch")
        if screen == "lessons":
            page.click("#lesson-list summary >> nth=0")
            page.click("#lesson-list details >> nth=0 >> button >> nth=2")
            page.check("#lesson-choices input[value='0']")
            page.click("#commit")
            until(lambda: "⟧" in page.inner_text("#lesson-told"))
        time.sleep(0.4)
        for text in page.evaluate(VISIBLE):
            left = text
            while left != (left := re.sub(r"⟦[^⟦⟧]*⟧", "", left)):
                pass
            assert not texts.is_text(NAMES.sub("", left)), (screen, text)


@needs_browser
def test_a_language_is_chosen_and_remembered(visit, lab):
    page = visit(lab)
    assert page.inner_text("#undo") == "Undo"
    page.select_option("#language", "de")
    until(lambda: page.inner_text("#undo") == "Rückgängig")
    assert page.evaluate("document.documentElement.lang") == "de"
    until(lambda: page.evaluate("document.body.dataset.ready"))
    assert page.get_attribute("#play", "title") == catalogue("de")[lab.desk.actions["play"].words]
    other = visit(lab, lab.link.replace("?", "?language=zh&"))
    assert other.inner_text("#undo") == "撤销"
    assert page.inner_text("#undo") == "Rückgängig"
    page.reload()
    until(lambda: page.inner_text("#undo") == "Rückgängig")
