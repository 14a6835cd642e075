"""The page of the lab in a real browser: what is clicked and dragged is what the library does, and the numbers on it are the library's."""

import itertools
import time

import numpy as np
import pytest

import chainrule as cr
from chainrule.lab.server import application, page_files
from chainrule.lab.session import Session
from tests.lab.asked import click, shown, training, until
from tests.views.browsers import needs_browser

pytestmark = needs_browser


def test_steps_are_the_librarys_steps_forward_and_back(page, lab):
    alone = Session(training())
    click(page, "step", 1)
    click(page, "epoch", 9)
    alone.forward(9)
    assert lab.desk.session.hash == alone.hash
    assert shown(page, "lossnumber") == pytest.approx(alone.curves.table()[-1, 1], rel=1e-3)
    known = pytest.approx(alone.evaluate("test").values["loss"][0], rel=1e-3)
    until(lambda: float(page.inner_text("#scores tbody tr:last-child").split()[1]) == known)
    click(page, "back", 8)
    click(page, "step", 9)
    assert lab.desk.session.hash == alone.hash


def test_it_plays_and_stops(page, lab):
    page.select_option("#speed", "10")
    page.click("#play")
    until(lambda: shown(page, "stepnumber") > 50)
    page.click("#play")
    until(lambda: not lab.desk.room.player.is_playing)
    done = lab.desk.session.step
    time.sleep(0.2)
    assert lab.desk.session.step == done
    alone = Session(training())
    alone.forward(done)
    assert lab.desk.session.hash == alone.hash


def test_a_weight_is_chosen_and_dragged_and_taken_back(page, lab):
    click(page, "epoch", 8)
    before = lab.desk.session.hash
    page.focus("path.reach[aria-label='dense2.W[1,2]']")
    page.keyboard.press("Enter")
    until(lambda: page.is_visible("#card"))
    card = lab.desk.read("card", {"name": "dense2.W", "index": [1, 2]})
    facts = page.locator("#facts dd").all_inner_texts()
    for place, name in enumerate(("value", "derivative", "difference")):
        assert float(facts[place].replace("−", "-")) == pytest.approx(card[name], rel=2e-3)
    assert card["derivative"] == pytest.approx(card["difference"], rel=1e-5)
    page.fill("#number", "1.5")
    page.keyboard.press("Tab")
    until(lambda: lab.desk.session.values()["dense2.W"][1, 2] == 1.5)
    until(lambda: "dense2.W[1, 2] = 1.5" in page.inner_text("#events"))
    page.click("#undo")
    until(lambda: lab.desk.session.hash == before)
    until(lambda: page.inner_text("#events") == "")


def test_the_network_grows_and_settings_change(page, lab):
    click(page, "epoch", 8)
    page.click("#neuron")
    until(lambda: page.input_value("#text") == "2-4-4-2 tanh softmax")
    page.click("#layer")
    until(lambda: page.input_value("#text") == "2-4-4-4-2 tanh softmax")
    until(lambda: page.locator("#picture canvas").count() == 2 + 4 + 4 + 4 + 2)
    page.select_option("#optimizer", "sgd")
    until(lambda: isinstance(lab.desk.session.training.settings.optimizer, cr.SGD))
    page.select_option("#penalty", "0.01")
    until(lambda: "Σ w²" in page.inner_text("#formula"))
    page.select_option("#set", "spirals")
    until(lambda: lab.desk.session.training.dataset.name == "spirals")
    page.fill("#text", "3-4-2")
    page.keyboard.press("Enter")
    until(lambda: page.is_visible("#message"))
    assert "expected" in page.inner_text("#message")
    page.wrong.clear()  # the browser notes the refused request
    page.click("#step")
    until(lambda: not page.is_visible("#message"))


def test_a_curve_and_many_inputs_have_their_pictures(serve, visit):
    for network, data in (
        ("1-6-1 tanh", "curve"),
        ("4-5-3", (np.random.default_rng(0).normal(size=(30, 4)), np.arange(30) % 3)),
    ):
        opened = visit(serve(Session(cr.Training(network, data, batch_size=10))))
        click(opened, "step", 1)
        sizes = [int(size) for size in network.split(" ")[0].split("-")]
        assert opened.locator("path.reach").count() == sum(a * b for a, b in itertools.pairwise(sizes))


SCREENS = ("bench", "passes", "digits", "pictures", "lessons", "time")


@pytest.fixture
def digits_lab(serve):
    data = cr.data.mnist()
    few = cr.data.Dataset("digits", data.train[:500], test=data.test[:100], scaling=data.scaling, classes=data.classes)
    return serve(Session(cr.Training("784-8-10 relu softmax", few, batch_size=50)))


CONTROLS = """() => [...document.querySelectorAll("button, select, input, [role=application]")].filter(e => e.checkVisibility())
    .map(e => [e.outerHTML, e.title + (e.getAttribute("aria-label") ?? ""),
        !e.closest("section") || e.closest("section").querySelector(".explained") !== null])"""
"""Of each visible control: what it is, the sentence it shows, and whether a sentence stands beside it."""


def test_every_control_is_explained_where_it_stands(visit, lab, digits_lab):
    for each in (lab, digits_lab):
        page = visit(each)
        for screen in SCREENS:
            page.click(f"#to-{screen}")
            until(lambda screen=screen, page=page: page.is_visible(f"#{screen}"))
            time.sleep(0.2)
            for markup, told, beside in page.evaluate(CONTROLS):
                assert len(told) > 20, markup
                assert beside, markup
    told = set(page.locator("[data-words]").evaluate_all("found => found.map(e => e.dataset.words)"))
    told |= set(page.locator("[data-title]").evaluate_all("found => found.map(e => e.dataset.title)"))
    assert told == set(lab.desk.actions) - {"forward", "pause", "open", "show"}  # asked for by other controls


def test_two_branches_go_on_beside_each_other(page, lab):
    click(page, "epoch", 8)
    page.click("#to-time")
    page.click("#branch")
    until(lambda: page.is_visible("#beside-surface"))
    assert lab.desk.room.beside.hash == lab.desk.session.hash
    page.click("#to-bench")
    page.select_option("#optimizer", "sgd")
    until(lambda: "optimizer" in page.inner_text("#events"))
    click(page, "epoch", 16)
    page.click("#to-time")
    alone = Session(training())
    alone.forward(16)
    assert lab.desk.room.beside.hash == alone.hash != lab.desk.session.hash
    for table, session in (("time", lab.desk.session), ("beside", alone)):
        known = [f"{value:#.4g}" for value in (session.evaluate("test").values[name].mean() for name in ("loss", "accuracy"))]
        until(lambda table=table, known=known: page.inner_text(f"#{table}-scores tbody tr:last-child").split()[1:] == known)
    assert page.inner_text("#time-events") != ""
    assert page.inner_text("#beside-events") == ""
    page.click("#compare")
    known = cr.train.Run(lab.desk.session.trainer).compare(cr.train.Run(alone.trainer))
    until(lambda: page.is_visible("#compared") and page.inner_text("#compared").split() == str(known).split())
    assert page.locator("#compared-view svg").count() == 3
    page.click("#exchange")
    until(lambda: lab.desk.session.hash == alone.hash)
    page.click("#back")
    until(lambda: {lab.desk.session.step, lab.desk.room.beside.step} == {15})
    page.click("#exchange")
    page.click("#undo")  # to step 8, where the optimizer was changed; the other one goes there too
    until(lambda: {lab.desk.session.step, lab.desk.room.beside.step} == {8})
    assert lab.desk.session.hash == lab.desk.room.beside.hash
    page.click("#unbranch")
    until(lambda: not page.is_visible("#beside") and lab.desk.room.beside is None)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1400), ("dark", 390)])
def test_everybody_can_use_it(visit, lab, digits_lab, scheme, width):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python")
    opened = visit(lab, viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True)
    opened.focus("path.reach")
    opened.keyboard.press("Enter")
    until(lambda: opened.is_visible("#card"))
    digits = visit(digits_lab, viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True)
    for page, screen in [*((opened, screen) for screen in SCREENS), (digits, "digits")]:
        page.click(f"#to-{screen}")
        until(lambda page=page, screen=screen: page.is_visible(f"#{screen}"))
        if screen == "time":
            page.click("#branch")
            # What a branch brings moves the controls below it: the next click waits until all of it stands.
            until(lambda page=page: page.is_visible("#beside-surface") and page.locator("#beside-scores td").count())
            page.click("#compare")
            until(lambda page=page: page.is_visible("#compared"))
            page.click("#examine")
            until(lambda page=page: page.locator("#findings li").count() > 0)
        if screen == "lessons":
            page.click("#lesson-list summary >> nth=0")
            page.click("#lesson-list details >> nth=0 >> button >> nth=6")
            page.check("#lesson-choices input[value='0']")
            page.click("#commit")
            until(lambda page=page: page.inner_text("#lesson-verdict"))
        time.sleep(0.3)
        found = axe.Axe().run(page)
        assert found.violations_count == 0, (screen, found.generate_report())
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), screen


def test_the_page_is_small():
    assert sum(len(content) for content in page_files().values()) < 300_000


def test_a_page_of_the_hall_looks_on_and_changes_nothing(page, visit, lab):
    hall = visit(lab, lab.hall_link)
    click(page, "epoch", 8)
    until(lambda: shown(hall, "stepnumber") == 8)
    page.click("#to-passes")
    until(lambda: hall.is_visible("#drawing svg") and page.is_visible("#drawing svg"))
    page.click("#phases [data-phase=loss]")
    until(lambda: hall.inner_text("#step-title") == "loss")
    assert not hall.is_visible("#play")
    assert hall.evaluate("parseFloat(getComputedStyle(document.body).fontSize)") > 18
    wish = """fetch("/act", {method: "POST", headers: {"content-type": "application/json"},
        body: '{"do": "forward"}'}).then(answer => answer.status)"""
    assert hall.evaluate(wish) == 403
    assert lab.desk.session.step == 8
    hall.wrong.clear()  # the browser notes the refused request


def test_another_site_reaches_nothing(browser, lab):
    """A page of another origin in the same browser tries what a browser offers, with the lab's cookie there."""
    context = browser.new_context()
    own = context.new_page()
    own.goto(lab.link)
    until(lambda: own.evaluate("document.body.dataset.ready"))
    other = context.new_page()
    target = f"http://127.0.0.1:{lab.port}"
    other.route("http://evil.example/*", lambda route: route.fulfill(content_type="text/html", body="<p>evil</p>"))
    other.goto("http://evil.example/")
    tries = """async ([target, paths]) => {
        const found = [], body = '{"do": "forward"}', json = {"content-type": "application/json"};
        const ways = [{}, {credentials: "include"}, {mode: "no-cors", credentials: "include"},
            {method: "POST", body, credentials: "include", mode: "no-cors"}, {method: "POST", headers: json, body, credentials: "include"}];
        for (const path of paths) {
            for (const way of ways)
                try { const answer = await fetch(target + path, way); if (answer.type !== "opaque") found.push(path); } catch (error) {}
            for (const tag of ["img", "script", "iframe"]) await new Promise(done => {
                const element = document.createElement(tag);
                element.src = target + path;
                element.onload = () => { if (tag !== "iframe") found.push(tag + path); done(); };
                element.onerror = done;
                document.body.append(element);
                setTimeout(done, 1000);
            });
            navigator.sendBeacon(target + path, body);
        }
        return found;
    }"""
    paths = [route.path for route in application(lab.desk).routes if not route.path.endswith((".js", ".css", ".svg"))]
    assert other.evaluate(tries, [target, paths]) == []
    assert lab.desk.session.step == 0
    # A name of the attacker's that leads to this machine: the guard is asked by it, and refuses.
    answer = other.goto(f"http://localhost.evil.example:{lab.port}/state")
    assert (answer.status, "unknown host" in answer.text()) == (403, True)
    context.close()
