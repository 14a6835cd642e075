"""Lessons: every answer is computed, and right by another way to it; guesses come before answers; a walk through one in a browser."""

import re
import string

import numpy as np
import pytest
import scipy.stats

from chainrule.errors import DataError, OptionError
from chainrule.lab.desk import Desk
from chainrule.lab.lessons import LESSONS
from chainrule.lab.lessons.lesson import REPLICAS, VERDICTS
from chainrule.lab.session import Session
from tests.lab.asked import shown, training, until
from tests.views.browsers import needs_browser

STEPS = {(lesson.name, place): step for lesson in LESSONS for place, step in enumerate(lesson.steps)}
EXPERIMENTS = [key for key, step in STEPS.items() if "networks each" in step.question]


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def chain(w=(0.7, -1.2, 0.9), b=(0.1, 0.3, -0.2), x=0.6):
    """The cost of three sigmoids in a row that should say 1."""
    for weight, bias in zip(w, b, strict=True):
        x = sigmoid(weight * x + bias)
    return (x - 1) ** 2


def slope_of_chain(which, by=1e-6):
    moved = [[w + sign * by * (place == which) for place, w in enumerate((0.7, -1.2, 0.9))] for sign in (1, -1)]
    return (chain(moved[0]) - chain(moved[1])) / (2 * by)


def kinks():
    """How many places −b/w of the five ReLUs lie in the picture, where none of them coincide."""
    w, b = np.array([1.0, -1.0, 1.0, 1.0, -1.0]), np.array([1.5, -0.7, 0.0, -0.8, 1.4])
    return len({round(at, 9) for at in -b / w if abs(at) < 2})


def tanh_product():
    h, left = 0.0, []
    for _ in range(11):
        h = np.tanh(0.5 * h + 1.0)
        left.append(1 - h**2)
    return np.prod(0.5 * np.array(left[1:]))


SAYS = np.array([0.48, 0.01, 0.51])
JUDGES = {
    ("neuron", 0): lambda: 2 * 1 - 1 * 1 + 0.5,
    ("neuron", 1): lambda: sigmoid(1.5),
    ("neuron", 2): lambda: 0,  # z is linear
    ("neuron", 3): lambda: (2 * np.log(9) / 2) / (2 * np.log(9) / 20),  # σ⁻¹(0.9) = ln 9
    ("neuron", 4): lambda: 1,
    ("neuron", 5): kinks,
    ("metric", 0): lambda: 4 * 3 + 3,
    ("metric", 1): lambda: 0,  # e^100 cancels
    ("metric", 2): lambda: np.sqrt(0.48**2 + 0.01**2 + 0.49**2),
    ("metric", 3): lambda: -np.log(0.51),
    ("metric", 4): lambda: 1,
    ("metric", 5): lambda: 0.9 - 0,
    ("descent", 0): lambda: 784 * 16 + 16 + 16 * 16 + 16 + 16 * 10 + 10,
    ("descent", 1): lambda: 0 if chain((0.7, -1.2, 1.0)) < chain() else 1,
    ("descent", 2): lambda: slope_of_chain(2),
    ("descent", 3): lambda: np.argmin([abs(slope_of_chain(which)) for which in range(3)]),
    ("descent", 4): lambda: np.argmax([0.1, 0.5, 0.9]),
    ("descent", 5): lambda: 0,  # a derivative is linear
    ("two_passes", 0): lambda: 4,
    ("two_passes", 1): lambda: 4 * 3 + 3,
    ("two_passes", 2): lambda: abs(-2.0),
    ("two_passes", 3): lambda: np.ceil(200 / 32),
    ("two_passes", 4): lambda: (sigmoid(1e-6) - sigmoid(-1e-6)) / 2e-6,
    ("two_passes", 5): lambda: 0,  # batches of one size, each example once
    ("memory", 0): lambda: 1,
    ("memory", 1): lambda: 0,
    ("memory", 2): lambda: 0.5**10,
    ("memory", 3): lambda: 1.5**10,
    ("memory", 4): lambda: 0 if tanh_product() < 0.5**10 else 1,
    ("memory", 5): lambda: 0,  # the chain rule for a variable that is used several times
}


def test_each_lesson_is_whole():
    assert len(LESSONS) == 5
    assert set(JUDGES) | set(EXPERIMENTS) == set(STEPS)
    assert {name for name, _ in EXPERIMENTS} == {lesson.name for lesson in LESSONS}
    for lesson in LESSONS:
        assert sum(lesson.name == name for name, _ in JUDGES) >= 6, "and an experiment beside them"
    for step in STEPS.values():
        assert all((step.title, step.text, step.question, step.told))
        assert step.screen in {"bench", "passes", "digits", "pictures"}


@pytest.mark.parametrize("key", JUDGES, ids=str)
def test_an_answer_is_right_by_another_way_to_it(key):
    step = STEPS[key]
    answer = step.answer(step.session())
    expected = JUDGES[key]()
    assert answer.value == pytest.approx(expected, rel=1e-6)
    assert step.is_right(float(expected) + step.within / 2, answer)
    assert not step.is_right(float(expected) + 2 * step.within + 1e-3, answer)
    if step.choices:
        assert 0 <= answer.value < len(step.choices)
        assert len(set(step.choices)) == len(step.choices) >= 2
    places = {name for _, name, _, _ in string.Formatter().parse(step.told) if name}
    assert places <= set(answer.numbers)


@pytest.mark.parametrize("key", EXPERIMENTS, ids=str)
def test_a_claim_is_judged_as_students_test_judges_it(key):
    step = STEPS[key]
    answer = step.answer(step.session())
    first, second = (np.asarray(answer.view.numbers[name]) for name in step.choices[:2])
    assert len(first) == len(second) == REPLICAS
    chance = scipy.stats.ttest_rel(first, second).pvalue
    is_loss = "loss" in step.question
    better = 2 if chance >= 0.05 else int((first.mean() < second.mean()) != is_loss)
    assert answer.value == better
    assert answer.verdict == VERDICTS[2 if better == 2 else better]
    error = np.std(first - second, ddof=1) / np.sqrt(REPLICAS)
    assert float(answer.numbers["difference"].split(" ± ")[1]) == pytest.approx(error, rel=0.05)


def test_numbers_that_are_told_are_the_librarys():
    """E1, E13 and the three derivatives of the chain, against closed forms."""
    told = {
        key: STEPS[key].answer(STEPS[key].session()).numbers
        for key in [("metric", 2), ("descent", 3), ("descent", 4), ("memory", 4)]
    }
    assert told["metric", 2]["misprint"] == pytest.approx(np.sqrt(0.4805))
    for which, name in enumerate(("first", "second", "third")):
        assert told["descent", 3][name] == pytest.approx(slope_of_chain(which), rel=1e-6)
    slopes = np.array([told["descent", 4][name] for name in ("first", "second", "third")])
    np.testing.assert_allclose(slopes / slopes[2], np.array([0.1, 0.5, 0.9]) / 0.9)
    assert told["memory", 4]["bent"] == pytest.approx(tanh_product())


def test_a_guess_comes_once_and_before_the_answer():
    desk = Desk(Session(training()))
    try:
        own = desk.session
        for name, given in (("commit", {"guess": 1.0}), ("leave", {}), ("again", {})):
            with pytest.raises(OptionError):
                desk.act(name, given)
        for name, place in (("neurons", 0), ("neuron", 7)):
            with pytest.raises(OptionError):
                desk.act("lesson", {"name": name, "place": place})
        assert desk.session is own
        desk.act("lesson", {"name": "neuron", "place": 2})
        assert desk.session is not own
        assert desk.read("answer", {}) is None
        with pytest.raises(DataError):
            desk.act("commit", {"guess": 3})
        desk.act("commit", {"guess": 1})
        with pytest.raises(OptionError):
            desk.act("commit", {"guess": 0})
        desk.act("set", {"name": "dense1.b", "index": [0], "value": 9.0})  # what is done meanwhile does not change the question
        answer = desk.read("answer", {})
        assert (answer["is_right"], answer["right"]) == (False, "a straight line")
        assert answer["told"]["with"]["off"] < 1e-9
        desk.act("again", {})
        assert (desk.state()["lesson"]["place"], desk.state()["lesson"]["guess"]) == (0, None)
        assert not any(step["guessed"] for step in desk.state()["lessons"][0]["steps"])
        desk.act("leave", {})
        assert desk.session is own
    finally:
        desk.close()


@needs_browser
def test_a_walk_through_a_lesson_by_clicks(page, lab):
    page.click("#step")
    until(lambda: lab.desk.session.step == 1)
    own = lab.desk.session
    page.click("#to-lessons")
    page.click("#lesson-list summary >> nth=0")
    page.click("#lesson-list details >> nth=0 >> button >> nth=0")
    steps = LESSONS[0].steps
    for place, step in ((0, steps[0]), (1, steps[1]), (2, steps[2]), (6, steps[6])):
        until(lambda step=step: page.inner_text("#lesson-title") == step.title)
        assert lab.desk.session is not own
        assert not page.is_visible("#lesson-answer")
        if step.choices:
            page.check(f"#lesson-choices input[value='{place % len(step.choices)}']")
        else:
            page.fill("#lesson-number", "1,5")  # a comma is a comma in many countries
        page.click("#commit")
        until(lambda: page.inner_text("#lesson-right").startswith(("Right", "Not quite")))
        answer = lab.desk.read("answer", {})
        assert page.inner_text("#lesson-right").startswith("Right") == answer["is_right"]
        numbers = [value for value in re.findall(r"−?\d+\.\d{3}", page.inner_text("#lesson-told")) if value]
        assert numbers or "{count}" in step.told or "{kinks}" in step.told or "{rows}" in step.told
        assert page.inner_text("#lesson-verdict") == answer["verdict"]
        if place == 0:
            page.click("#lesson-go")
            until(lambda: page.is_visible("#bench") and page.is_visible("#lesson-strip"))
            page.click("#lesson-strip-back")
        if place < 2:
            page.click("#lesson-on")
        elif place == 2:
            page.click("#lesson-list details >> nth=0 >> button >> nth=6")
    assert page.locator("#lesson-view svg, #lesson-view canvas").count() > 0
    page.click("#leave")
    until(lambda: lab.desk.session is own and shown(page, "stepnumber") == 1)


def test_a_picture_that_a_lesson_names_is_offered():
    named = [(step, found[1]) for step in STEPS.values() if (found := re.search(r"the picture “(.*?)”", step.look))]
    assert len(named) >= 4
    for step, name in named:
        desk = Desk(step.session())
        try:
            assert step.screen == "pictures"
            assert name.replace(" ", "_") in {picture["name"] for picture in desk.read("pictures", {})}
        finally:
            desk.close()
