"""The screen of the passes: the walk is the graph's own order, its numbers are the library's, and ΔC/ε comes closer."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.lab.session import Session
from tests.lab.asked import click, shown, training, until
from tests.views.browsers import needs_browser

pytestmark = needs_browser


@pytest.fixture
def walked(page, lab):
    click(page, "epoch", 8)
    page.click("#to-passes")
    until(lambda: page.is_visible("#drawing svg") and page.inner_text("#passes-place"))
    return page


def explained(lab, **reading):
    return lab.desk.room.run.explain(0, "training", **reading)


def marked(page):
    return {int(n) for box in page.locator("#drawing .now").all() for n in box.get_attribute("data-box").split()}


def test_the_walk_goes_through_every_node_in_topological_order_and_back(walked, lab):
    found = explained(lab)
    reached = [quantity for quantity in found.trace.quantities if quantity.name != "dense3.a"]  # which the loss goes past
    for place, quantity in enumerate(reached):
        until(lambda place=place: walked.inner_text("#passes-place") == f"forward pass, {place + 1} of {len(reached)}")
        assert walked.inner_text("#step-title") == quantity.name
        assert len(marked(walked)) == 1
        if not quantity.is_leaf:
            value = found.trace.value_of(quantity)[found.focus(quantity)]
            assert shown(walked, "entry") == pytest.approx(float(value), rel=1e-3)
        walked.click("#walk-step")
    for step in found.backward:
        until(lambda step=step: walked.inner_text("#step-title") == f"∂C/∂{step.input.name}")
        for name, value in (
            ("incoming", step.path.arriving),
            ("local", step.path.local),
            ("product", step.path.product),
            ("total", step.total),
        ):
            assert shown(walked, name) == pytest.approx(value, rel=1e-3, abs=1e-12)
        assert "finite difference agrees" in walked.inner_text("#step-facts")
        walked.keyboard.press("Tab")  # away from the button, which would take the key
        walked.locator("#step-title").click()
        walked.keyboard.press("ArrowRight")
    until(lambda: walked.inner_text("#passes-place") == "update")


def test_the_update_is_the_one_that_the_training_does(walked, lab):
    walked.click("#phases [data-phase=update]")
    until(lambda: walked.locator("#update tbody tr").count() == 6)
    rows = [row.split() for row in walked.locator("#update tbody tr").all_inner_texts()]
    alone = Session(training())
    alone.forward(8)
    before = alone.values()
    alone.forward(1)
    for entry, was, *_, became in rows:
        name, index = entry.rstrip("]").split("[")
        place = tuple(map(int, index.split(",")))
        for text, values in ((was, before), (became, alone.values())):
            # Four digits stand in the table.
            assert float(text.replace("−", "-")) == pytest.approx(values[name][place], rel=1e-3)
    walked.click("#do-update")
    until(lambda: lab.desk.session.step == 9)
    assert lab.desk.session.hash == alone.hash


def test_phases_levels_notations_and_batches(walked, lab):
    walked.click("#phases [data-phase=loss]")
    until(lambda: walked.inner_text("#step-title") == "loss")
    walked.select_option("#passes-notation", "code")
    until(lambda: "dense3_z" in walked.inner_text("#step-facts"))
    walked.select_option("#passes-level", "picture")
    until(lambda: walked.locator("#step-facts dt").first.inner_text() == "entry and its value")
    walked.check("#passes-batch")
    until(lambda: "10 examples" in walked.inner_text("#passes-facts"))
    walked.click("#walk")
    until(lambda: walked.inner_text("#step-title") != "loss")
    walked.click("#walk")
    assert walked.inner_text("#walk") == "▶ Walk"


def test_the_quotient_comes_closer_to_the_derivative_as_epsilon_is_dragged(walked, lab):
    walked.select_option("#passes-weight", "dense2.W")
    walked.fill("#passes-index", "1,2")
    walked.keyboard.press("Enter")
    until(lambda: walked.locator("#quotient-view svg").count() == 1)
    model, train, errors = lab.desk.room.model(), lab.desk.session.training.dataset.train, []
    for power in (0, -2, -4, -6):
        walked.fill("#epsilon", str(power))
        found = cr.pictures.difference_quotients(model, train.x, train.y, "dense2.W", (1, 2), [10.0**power]).numbers
        until(lambda found=found: abs(shown(walked, "quotient-forward") - found["forward"][0]) < 1e-8)
        assert shown(walked, "quotient-derivative") == pytest.approx(float(found["derivative"]), rel=1e-7)
        errors.append(abs(shown(walked, "quotient-error")))
    assert np.all(np.diff(np.log10(errors)) < -1.5), errors  # the error falls as ε does, a hundredfold each time


def test_the_picture_grows_by_a_click(walked):
    walked.select_option("#passes-stage", "Input")
    for stage in range(1, 9):
        until(lambda stage=stage: walked.locator("#growing .stage").count() == stage)
        walked.click("#growing svg")
    until(lambda: walked.locator("#growing .stage").count() == 1)
