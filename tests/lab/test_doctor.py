"""The doctor's panel: what it says is what the doctor says of the same training; a cure is tried beside it, with error bars."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import OptionError
from chainrule.lab.desk import Desk
from chainrule.lab.session import Session
from tests.lab.asked import until
from tests.views.browsers import needs_browser


def sick():
    network = cr.Sequential(cr.Dense(2, "relu"), cr.Dense(1, "sigmoid"))
    return cr.Training(network, "xor", optimizer=cr.SGD(0.5))


def test_it_says_and_tries_what_the_library_does():
    desk = Desk(Session(sick()))
    try:
        assert desk.read("diagnosis", {}) is None
        assert desk.read("tried", {}) is None
        with pytest.raises(OptionError):
            desk.act("cure", {"ailment": "dead units"})
        desk.act("forward", {"steps": 100})
        desk.act("examine", {})
        told = desk.read("diagnosis", {})
        alone = sick().changed(epochs=100).doctor(try_cures=8, only=["dead units", "not learning", "softmax twice"])
        grades = {one["ailment"]: one["grade"] for one in told["findings"]}
        assert {one.ailment: one.grade for one in alone.findings}.items() <= grades.items()
        assert len(grades) > 15
        for ailment, place in (("dead", 0), ("dead units", 9), ("not learning", 0)):
            with pytest.raises(OptionError):
                desk.act("cure", {"ailment": ailment, "place": place})
        desk.act("cure", {"ailment": "dead units", "place": 1})
        tried, known = desk.read("tried", {}), alone["dead units"].cures[1]
        given = tried["told"]["with"]
        assert given["before"].startswith(f"{np.mean(known.tried.before):.2f}")
        assert given["difference"] == str(known.tried.comparison).partition(":")[0]
        assert (tried["verdict"]["say"] == "It helps.") == (known.tried.verdict == "better")
        beside = Session(known.training)
        beside.forward(100)
        assert desk.room.beside.hash == beside.hash
    finally:
        desk.close()


@needs_browser
def test_a_cure_is_tried_by_a_click(serve, visit):
    lab = serve(Session(sick()))
    page = visit(lab)
    page.click("#epoch")
    page.click("#to-time")
    page.click("#examine")
    until(lambda: page.locator("#findings .ill").count() > 0)
    assert "dead units" in page.inner_text("#findings")
    page.click("#findings button >> nth=0")
    until(lambda: page.is_visible("#beside-surface") and page.inner_text("#cure-verdict"))
    assert lab.desk.room.beside.step == lab.desk.session.step
    assert page.locator("#cure-view svg").count() > 0
