"""Browsers for the tests of the lab's page."""

import threading

import pytest

from chainrule.lab.desk import Desk
from chainrule.lab.server import Lab
from chainrule.lab.session import Session
from tests.lab.asked import training, until
from tests.views import browsers


@pytest.fixture(scope="session")
def browser():
    return browsers.browser()


@pytest.fixture
def serve():
    """Serves a session until the test ends."""
    served = []

    def begin(session):
        made = Lab(Desk(session))
        thread = threading.Thread(target=made.serve, daemon=True)
        thread.start()
        served.append((made, thread))
        return made

    yield begin
    for made, thread in served:
        # Without waiting for pages that wait for a frame: they are closed.
        made.server.should_exit = made.server.force_exit = True
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture
def visit(browser, serve):
    """Opens a lab's page; at the end nothing may have gone wrong in it, and it is closed before the lab."""
    assert serve
    opened = []

    def begin(lab, link=None, **context):
        page = browser.new_context(**{"viewport": {"width": 1400, "height": 1000}, **context}).new_page()
        page.wrong = []
        page.on("pageerror", lambda error: page.wrong.append(str(error)))
        page.on("console", lambda message: page.wrong.append(message.text) if message.type == "error" else None)
        page.goto(link or lab.link)
        until(lambda: page.evaluate("document.body.dataset.ready"))
        opened.append(page)
        return page

    yield begin
    for page in opened:
        assert page.wrong == []
        page.context.close()


@pytest.fixture
def lab(serve):
    return serve(Session(training()))


@pytest.fixture
def page(visit, lab):
    return visit(lab)
