"""The screen of the pictures: what is offered is drawn, and its numbers are the library's; sliders, the film, and the nudge."""

import re

import numpy as np
import pytest

import chainrule as cr
from chainrule.lab.session import Session
from tests.lab.asked import click, shown, until
from tests.views.browsers import needs_browser

pytestmark = needs_browser


@pytest.fixture
def looked(page):
    click(page, "epoch", 8)
    page.click("#to-pictures")
    until(lambda: page.is_visible("#view svg"))
    return page


def offered(page):
    return page.locator("#pictures-name option").evaluate_all("found => found.map(e => e.value)")


def choose(page, name):
    page.select_option("#pictures-name", name)
    until(lambda: page.input_value("#pictures-name") == name)


def reading(page):
    return page.inner_text("#view > p")


@pytest.mark.parametrize(("network", "data"), [("2-4-3-2 tanh softmax", "moons"), ("1-5-1 relu", "curve")])
def test_every_picture_that_is_offered_is_drawn(serve, visit, network, data):
    session = Session(cr.Training(network, data, batch_size=4))
    session.forward(10)
    page = visit(serve(session))
    page.click("#to-pictures")
    until(lambda: page.is_visible("#view h3"))
    names = offered(page)
    assert {"gradient_entries", "path_of_run"} <= set(names)
    for name in names[1:]:
        before = page.inner_text("#view h3")
        choose(page, name)
        until(lambda before=before: page.inner_text("#view h3") != before or page.is_visible("#message"))
        assert not page.is_visible("#message"), (name, page.inner_text("#message"))


def test_weights_are_scaled_until_the_sigmoid_is_a_step(looked, lab):
    choose(looked, "sharpness")
    steepest = []
    for scale in (1, 10, 50):
        looked.fill("#control-scale", str(scale))
        until(lambda scale=scale: f"× {scale}" in looked.text_content("#view svg"))
        curves = cr.pictures.sharpness(lab.desk.room.run, scales=(1.0, scale)).numbers["activations"]
        steepest.append(np.abs(np.diff(curves[1])).max())
    assert steepest[0] < steepest[1] < steepest[2]


def test_the_lower_the_bias_the_fewer_examples_fire(looked, lab):
    choose(looked, "firing_fraction")
    model, train, shares = lab.desk.room.model(), lab.desk.session.training.dataset.train, []
    for bias in (-5, -0.5, 0.5, 5):
        looked.fill("#control-bias", str(bias))
        changed = np.array(model.parameters["dense1.b"])
        changed[0] = bias
        known = cr.pictures.firing_fraction(model.with_parameters({"dense1.b": changed}), train.x)
        until(lambda known=known: reading(looked) == known.reading)
        shares.append(float(known.numbers["present_share"]))
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert shares[-1] == 1


def test_the_ten_largest_entries_are_nudged_and_the_cost_falls_as_promised(looked, lab):
    choose(looked, "gradient_entries")
    train, before, values = lab.desk.session.training.dataset.train, shown(looked, "pictures-cost"), lab.desk.session.values()
    entries = cr.pictures.ranked_entries(lab.desk.room.model(), train.x, train.y)
    looked.fill("#nudge-rate", "0.05")
    looked.click("#nudge")
    until(lambda: shown(looked, "pictures-cost") < before)
    after, moved = lab.desk.session.values(), 0
    for name, array in after.items():
        moved += int((array != values[name]).sum())
    assert moved == 10
    largest, place = str(entries.names[0]), int(entries.positions[0])
    step = after[largest].ravel()[place] - values[largest].ravel()[place]
    assert step == pytest.approx(-0.05 * entries.entries[0], rel=1e-4)
    promised = -0.05 * (entries.entries[:10] ** 2).sum()
    assert shown(looked, "pictures-cost") - before == pytest.approx(promised, rel=0.3)
    until(lambda: "10 weights by hand" in looked.inner_text("#events"))
    looked.click("#undo")
    until(lambda: shown(looked, "pictures-cost") == pytest.approx(before, rel=1e-3))


def test_the_learned_function_is_a_film_over_the_steps(serve, visit):
    session = Session(cr.Training("1-5-1 tanh", "curve", batch_size=10, optimizer=cr.Adam(0.02)))
    lab = serve(session)
    page = visit(lab)
    click(page, "epoch", session.trainer.steps_per_epoch)
    page.click("#to-pictures")
    choose(page, "fit_1d")
    until(lambda: "Fit of one variable" in page.inner_text("#view h3"))
    last = page.inner_html("#view .panels")
    page.click("#film-make")
    until(lambda: page.is_enabled("#film-frame") and page.input_value("#film-frame") != "0")
    page.fill("#film-frame", "0")
    until(lambda: page.inner_text("#pictures-step") == "step 0, film")
    first = page.inner_html("#view .panels")
    page.fill("#film-frame", page.get_attribute("#film-frame", "max"))
    assert curve(page.inner_html("#view .panels")) == curve(last) != curve(first)
    page.click("#film-live")
    page.click("#to-bench")
    lab.desk.act("at", {"step": 0})
    page.click("#to-pictures")
    until(lambda: page.inner_text("#pictures-step") == "step 0, live")
    assert curve(page.inner_html("#view .panels")) == curve(first)


def curve(markup):
    """The paths of a drawing; the names of its clips are counted on."""
    return re.findall(r' d="([^"]*)"', markup)


def test_the_film_of_cat_and_dog(page, lab):
    page.click("#to-passes")
    page.click("#film")
    until(lambda: "data: cat or dog" in page.inner_text("#passes-facts"))
    page.click("#phases [data-phase=loss]")
    until(lambda: page.inner_text("#step-title") == "loss")
    assert shown(page, "entry") == pytest.approx(2.303, abs=5e-4)
    page.click("#phases [data-phase=backward]")
    page.click("#walk-step")
    until(lambda: page.inner_text("#step-title") == "∂C/∂dense1.z")
    assert shown(page, "product") == pytest.approx(0.9, rel=1e-3)
    page.click("#to-pictures")
    choose(page, "step_effect")
    until(lambda: "One update" in page.inner_text("#view h3"))
    model, train = lab.desk.room.model(), lab.desk.session.training.dataset.train
    known = cr.pictures.step_effect(model, train.x[0], train.y[0])
    until(lambda: reading(page) == known.reading)
    np.testing.assert_allclose(known.numbers["before"], [0.9, 0.1], rtol=1e-6)
    np.testing.assert_allclose(known.numbers["slopes"], [0.9, -0.9], rtol=1e-6)
    page.click("#to-passes")
    page.click("#do-update")
    until(lambda: lab.desk.session.step == 1)
    cat, dog = lab.desk.room.model().quantities(train.x[:1])["output"][0]
    assert cat < 0.9
    assert dog > 0.1
    page.click("#to-pictures")
    until(lambda: f"{dog:.3f}" in page.inner_text("#view"))
