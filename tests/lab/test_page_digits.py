"""The screen of the digits: what is drawn is read as the library reads it, guesses are counted, weights painted and set by hand."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.lab.session import Session
from tests.lab.asked import shown, until
from tests.views.browsers import needs_browser

pytestmark = needs_browser


@pytest.fixture(scope="module")
def few():
    """Digits enough for a page, and the numbers of a network that has seen them."""
    whole = cr.data.mnist()
    train, test = whole.train[:3000], whole.test[:200]
    data = cr.data.Dataset("digits", train, test=test, scaling=whole.scaling, classes=whole.classes)
    run = cr.fit("784-16-16-10 relu softmax", data, epochs=5, batch_size=32, optimizer=cr.Adam(0.005))
    return data, run.parameters()


@pytest.fixture
def lab(serve, few):
    data, initial = few
    return serve(
        Session(cr.Training("784-16-16-10 relu softmax", data, batch_size=32, optimizer=cr.Adam(0.001), initial=initial))
    )


@pytest.fixture
def digits(visit, lab):
    page = visit(lab, viewport={"width": 1400, "height": 1400}, has_touch=True)
    page.click("#to-digits")
    until(lambda: page.is_visible("#canvas"))
    return page


def stroke(page, canvas, points):
    page.locator(canvas).scroll_into_view_if_needed()
    box = page.locator(canvas).bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=5)
    page.mouse.up()


def test_a_drawn_digit_goes_through_the_network(digits, lab):
    screen = next(screen for screen in lab.desk.screens if type(screen).__name__ == "Digits")
    until(lambda: "Nothing is drawn" in digits.inner_text("#digit-says"))
    stroke(digits, "#canvas", [(0.5, 0.1), (0.48, 0.9)])
    until(lambda: "The network says 1" in digits.inner_text("#digit-says"))
    until(lambda: screen.strokes[0][-1] == pytest.approx((0.48, 0.9), abs=0.01))
    known = lab.desk.room.model().quantities(cr.data.drawn_digit(screen.strokes).reshape(1, 784))
    activations = np.concatenate([known[name][0] for name in ("dense1.a", "dense2.a", "dense3.a")])
    assert len(activations) == 16 + 16 + 10

    def told(values):
        return [float(text.split()[-1].replace("−", "-")) for text in values]

    def agrees():
        answer = told(digits.locator("#digit-answer li").all_inner_texts())
        cells = told(digits.locator("#digit-layers i").evaluate_all("found => found.map(e => e.title)"))
        return answer == pytest.approx(list(known["output"][0]), rel=5e-3, abs=1e-9) and cells == pytest.approx(
            list(activations), rel=5e-3, abs=1e-9
        )

    until(agrees)
    digits.click("#wipe")
    until(lambda: "Nothing is drawn" in digits.inner_text("#digit-says"))
    assert screen.strokes == []


def test_a_digit_is_drawn_by_touch_and_by_keys(digits, lab):
    box = digits.locator("#canvas").bounding_box()
    digits.touchscreen.tap(box["x"] + 100, box["y"] + 100)
    until(lambda: "The network says" in digits.inner_text("#digit-says"))
    digits.click("#wipe")
    until(lambda: "Nothing is drawn" in digits.inner_text("#digit-says"))
    digits.focus("#canvas")
    digits.keyboard.press(" ")
    for _ in range(12):
        digits.keyboard.press("ArrowDown")
    digits.keyboard.press(" ")
    until(lambda: "The network says 1" in digits.inner_text("#digit-says"))


def test_one_competes_with_the_network_and_both_have_error_bars(digits, lab):
    right = network = 0
    data, model = lab.desk.session.training.dataset.test, lab.desk.room.model()
    for turn in range(4):
        place = lab.desk.read("contest", {})["example"]
        truth, answer = int(data.y[place]), int(model.decide(data.x[place : place + 1])[0])
        # Which digits come nobody knows: the first guess differs from the network's answer, so that there is a difference to tell.
        guess = truth if turn or answer != truth else (truth + 1) % 10
        until(lambda: digits.inner_text("#contest-told") == "What is it?")
        digits.click(f"#guesses button:nth-child({guess + 1})")
        until(lambda truth=truth: f"It is {truth}." in digits.inner_text("#contest-told"))
        assert f"the network {answer}." in digits.inner_text("#contest-told")
        right, network = right + (guess == truth), network + (answer == truth)
        assert digits.inner_text("#score-you") == str(cr.nn.Accuracy(right, turn + 1))
        assert digits.inner_text("#score-network") == str(cr.nn.Accuracy(network, turn + 1))
        assert digits.is_disabled("#guesses button:nth-child(1)")
        digits.click("#another")
        until(lambda: digits.inner_text("#contest-told") == "What is it?")
    assert "±" in digits.inner_text("#score-difference")


def test_a_detector_is_painted_and_answers_the_digits(digits, lab):
    data = lab.desk.session.training.dataset
    digits.click("#edge")
    weights = cr.pictures.edge_weights((28, 28), 8, 9, 10)
    known = cr.pictures.edge_detector(data, weights)
    until(lambda: digits.is_visible("#painting-view") and digits.inner_text("#painting-view h3") == known.title)
    digits.locator("#painting").get_by_text("Wipe").click()
    until(lambda: not digits.is_visible("#painting-view"))
    stroke(digits, "#grid", [(0.3, 0.5), (0.7, 0.5)])
    until(lambda: digits.is_visible("#painting-view"))
    painted = np.array(lab.desk.read("painting", {})["weights"]).reshape(28, 28)
    assert set(np.unique(painted)) == {0.0, 1.0}
    assert set(np.flatnonzero(painted.any(axis=1))) == {13, 14, 15}  # a cross of three pixels goes along the middle row
    until(lambda: digits.inner_text("#painting-view h3") == cr.pictures.edge_detector(data, painted).title)
    digits.select_option("#brush", "-1")
    digits.focus("#grid")
    digits.keyboard.press("ArrowDown")
    digits.keyboard.press(" ")
    until(lambda: min(lab.desk.read("painting", {})["weights"]) == -1)


def test_weights_are_set_by_hand_until_one_gives_up(digits, lab):
    until(lambda: digits.inner_text("#hand-cost"))
    first, train = shown(digits, "hand-cost"), lab.desk.session.training.dataset.train
    for turn in range(2):
        name = digits.inner_text("#hand-weight")
        digits.fill("#hand-value", "1.5")
        until(lambda turn=turn: digits.inner_text("#hand-set") == f"{turn + 1} of 13002")
        known = lab.desk.room.model().cost(train.x[:1000], train.y[:1000])
        until(lambda known=known: shown(digits, "hand-cost") == pytest.approx(known, rel=1e-3))
        digits.click("#hand-next")
        until(lambda name=name: digits.inner_text("#hand-weight") != name)
    digits.click("#hand-draw")
    until(lambda: digits.inner_text("#hand-draws") == "1")
    assert shown(digits, "hand-cost") == pytest.approx(known, rel=1e-3)  # drawn weights are worse than learned ones, and go
    assert shown(digits, "hand-first") == pytest.approx(first, rel=1e-3)
    digits.click("#hand-give-up")
    until(lambda: "One epoch, 94 steps" in digits.inner_text("#hand-learned"))
    assert shown(digits, "hand-cost") < known


def test_other_networks_see_no_digits_until_one_begins_with_them(serve, visit):
    made = serve(Session(cr.Training("2-4-2 tanh softmax", cr.data.moons(n=40), batch_size=10)))
    page = visit(made)
    page.click("#to-digits")
    until(lambda: page.inner_text("#hand-set") == "0 of 22")
    assert not page.is_visible("#canvas")
    page.click("#begin-digits")
    until(lambda: page.is_visible("#canvas"))
    assert made.desk.session.training.dataset.name == "mnist"
    assert sum(array.size for array in made.desk.session.values().values()) == 13002
