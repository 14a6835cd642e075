"""The screens without a page: what they tell is what the library says, whatever network there is."""

import json

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import DataError, OptionError
from chainrule.lab.desk import Desk
from chainrule.lab.frames import Camera, plane
from chainrule.lab.screens.digits import Digits
from chainrule.lab.session import Session
from chainrule.lab.watcher import Watcher

RANDOM = np.random.default_rng(0)
SESSIONS = {
    "plane": lambda: cr.Training("2-4-2 tanh softmax", cr.data.moons(n=60), batch_size=10),
    "curve": lambda: cr.Training("1-4-1 relu", "curve", batch_size=10),
    "sequences": lambda: cr.Training("6x2-lstm3-1", (RANDOM.normal(size=(40, 6, 2)), RANDOM.normal(size=40)), batch_size=10),
    "pixels": lambda: cr.Training(
        "8x8x1-conv3x3x2-relu()-flatten-4", (RANDOM.normal(size=(40, 8, 8, 1)), np.arange(40) % 4), batch_size=10
    ),
}


@pytest.fixture(params=SESSIONS)
def desk(request):
    made = Desk(Session(SESSIONS[request.param]()))
    made.act("forward", {"steps": 7})
    yield made
    made.close()


def test_every_network_can_be_walked_through(desk):
    for example, every in ((0, False), (3, True), (None, False)):
        found = desk.read("passes", {"example": example, "every": every})
        json.dumps(found, allow_nan=False)
        forward = [step for step in found["steps"] if step["pass"] == "forward"]
        backward = [step for step in found["steps"] if step["pass"] == "backward"]
        assert [step["box"] for step in forward] == sorted(step["box"] for step in forward)  # topological order
        assert forward[-1]["value"] == pytest.approx(found["cost"])
        assert all(step["incoming"] * step["local"] == pytest.approx(step["product"]) for step in backward)
        assert {step["state"] for step in backward} <= {"agrees", "kink", "unclear"}
        assert "<style" not in found["svg"]
    assert {row["name"] for row in desk.read("update", {})["rows"]} == set(desk.read("state", {})["parameters"])


def test_frozen_weights_are_told_beside_those_that_are_trained():
    desk = Desk(Session(cr.Training("2-4-2", cr.data.moons(n=60), batch_size=10)))
    desk.act("network", {"text": "2-4:tanh:frozen-2"})
    state = desk.read("state", {})
    assert list(state["weights"]) == ["dense1.W", "dense1.b", "dense2.W", "dense2.b"]
    assert list(state["parameters"]) == ["dense2.W", "dense2.b"]
    with pytest.raises(OptionError, match=r"dense1\.W, which is frozen"):
        desk.act("set", {"name": "dense1.W", "index": [0, 0], "value": 1.0})
    desk.close()


def test_every_picture_that_is_offered_is_made(desk):
    offered = desk.read("pictures", {})
    assert len(offered) > 8
    for picture in offered:
        assert len(picture["words"]) > 20
        given = {
            control["name"]: control["start"] for control in picture["controls"] if control["name"] not in {"name", "entry"}
        }
        for wish in ({}, given):
            found = desk.read("picture", {"name": picture["name"], "given": wish})
            json.dumps(found, allow_nan=False)
    film = desk.read("film", {"name": offered[0]["name"], "frames": 4})
    assert film["steps"] == [0, 2, 5, 7]
    assert desk.session.step == 7


def test_weights_by_hand_keep_the_best(desk):
    first = desk.read("hand", {})
    for _ in range(3):
        before = desk.read("hand", {})["cost"]
        desk.act("draw_weights", {})
        assert desk.read("hand", {})["cost"] <= before
    assert desk.read("hand", {})["draws"] == 3
    assert desk.read("hand", {})["first"] == first["cost"]


def test_what_an_act_has_overtaken_is_read_again(monkeypatch):
    """A drawing that is wiped between two looks of the reading at it."""
    made = Desk(Session(cr.Training("784-2", (RANDOM.normal(size=(20, 784)), np.arange(20) % 2), batch_size=10)))
    screen = next(screen for screen in made.screens if isinstance(screen, Digits))
    made.act("draw", {"strokes": [[[0.5, 0.1], [0.5, 0.9]]]})

    def wiped():
        if screen.strokes:
            made.act("draw", {"strokes": []})
        return True

    monkeypatch.setattr(screen, "_suits", wiped)
    assert made.read("drawn", {})["pixels"] is None
    monkeypatch.setattr(screen, "strokes", [np.zeros((0, 2))])  # what is wrong whenever it is asked stays an error
    monkeypatch.setattr(screen, "_suits", lambda: True)
    with pytest.raises(DataError, match="nothing drawn"):
        made.read("drawn", {})
    made.close()


UNSURE = {"hinge": ("2-4-1 tanh", "hinge"), "squares": ("2-4-1 tanh", "mean_squared_error"), "several": ("2-4-2 tanh", "hinge")}


@pytest.mark.parametrize("name", UNSURE)
def test_what_is_no_probability_is_painted_as_the_class_that_is_decided(name):
    network, loss = UNSURE[name]
    session = Session(cr.Training(network, cr.data.moons(n=60), batch_size=10, loss=loss, optimizer=cr.Adam(0.05)))
    session.forward(60)
    x = session.training.dataset.test.x
    shares = Watcher(session.trainer, x)(session.trainer.state)["output"]
    run = cr.train.Run(session.trainer)
    assert [run.dataset_info.classes[c] for c in shares.argmax(axis=1)] == run.classify(x)
    assert set(shares.ravel()) == {0.0, 1.0}
    with pytest.raises(OptionError, match="probabilities of a network without them"):
        cr.train.class_probabilities(run.predict(x), run.problem.probabilities)


def test_ids_have_no_plane():
    x = RANDOM.integers(0, 5, size=(40, 2))
    net = cr.Sequential(cr.Embedding(5, 3), cr.Flatten(), cr.Dense(1))
    session = Session(cr.Training(net, (x, x.sum(1) * 1.0), batch_size=10))
    assert plane(session.trainer) is None
    assert b"maps/" not in Camera(session).frame()


def test_a_drawn_digit_has_a_probability_only_where_the_network_gives_one():
    whole = cr.data.mnist()
    data = cr.data.Dataset("digits", whole.train[:100], test=whole.test[:20], scaling=whole.scaling, classes=whole.classes)
    for loss, last in (("hinge", "linear"), ("cross_entropy", "softmax")):
        desk = Desk(Session(cr.Training(f"784-4-10 relu {last}", data, batch_size=32, loss=loss)))
        desk.act("draw", {"strokes": [[[0.5, 0.2], [0.5, 0.8]]]})
        found = desk.read("drawn", {})
        assert found["probable"] == (loss == "cross_entropy")
        assert sum(found["answer"]) == pytest.approx(1.0)
        desk.close()
