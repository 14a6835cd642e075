"""Own data on the page: a table that is dropped, what the library says of wrong ones, and points that are put by hand."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.lab.session import Session
from tests.lab.asked import click, training, until
from tests.views.browsers import needs_browser

pytestmark = needs_browser

ROWS = [(i / 10, (7 * i) % 5, "fern" if i % 3 else "moss") for i in range(40)]
TABLE = "height;width;kind\n" + "\n".join(f"{a};{b};{c}" for a, b, c in ROWS)
DROP = """([name, text]) => {
    const carried = new DataTransfer();
    carried.items.add(new File([text], name, {type: "text/csv"}));
    dispatchEvent(new DragEvent("drop", {dataTransfer: carried, bubbles: true, cancelable: true}));
}"""


def test_a_table_is_dropped_and_its_target_chosen(page, lab, tmp_path):
    page.evaluate(DROP, ["plants.csv", TABLE])
    until(lambda: page.is_visible("#own-table"))
    assert page.inner_text("#own-name").startswith("plants.csv: 40 rows.")
    assert page.locator("#own-columns tr").count() == 3
    page.select_option("#own-target", "kind")
    page.click("#own-take")
    until(lambda: lab.desk.session.training.dataset.name == "plants")
    (tmp_path / "plants.csv").write_text(TABLE)
    known = cr.data.load(str(tmp_path / "plants.csv"), target="kind")
    assert lab.desk.session.training.dataset.hash == known.hash
    until(lambda: page.input_value("#text") == "2-6-4-2 tanh softmax")
    click(page, "epoch", 4)
    page.select_option("#own-target", "width")
    page.click("#own-take")
    until(lambda: lab.desk.session.training.dataset.columns.target.name == "width")


def test_a_chosen_file_is_read_too(page, lab):
    page.set_input_files(
        "#own-file", {"name": "own.csv", "mimeType": "text/csv", "buffer": TABLE.replace(";", ",").encode("utf-16")}
    )
    until(lambda: page.inner_text("#own-name").startswith("own.csv: 40 rows."))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a,b\n1,2\n3\n", "line 3 has 1 cells"),
        ("", "no content"),
        ("a,b\n", "no rows"),
        ("a,a\n1,2\n", "a"),
        ("x" * (4 * 2**20 + 1), "at most 4194304"),
    ],
)
def test_a_wrong_table_is_refused_with_what_was_expected_and_a_remedy(page, lab, text, told):
    page.evaluate(DROP, ["wrong.csv", text])
    until(lambda: page.is_visible("#message"))
    said = page.inner_text("#message")
    assert told in said
    assert "xpected: " in said
    assert not page.is_visible("#own-table")
    assert lab.desk.session.training.dataset.name == "moons"
    page.wrong.clear()  # the browser notes the refused request


def test_a_gap_is_refused_until_one_says_what_to_do(page, lab):
    page.evaluate(DROP, ["gaps.csv", TABLE.replace("0.1;2;", "0.1;;")])
    until(lambda: page.is_visible("#own-table"))
    page.select_option("#own-target", "kind")
    page.click("#own-take")
    until(lambda: page.is_visible("#message") and "missing" in page.inner_text("#message"))
    page.wrong.clear()
    page.select_option("#own-missing", "mean")
    page.click("#own-take")
    until(lambda: lab.desk.session.training.dataset.name == "gaps" and not page.is_visible("#message"))


def test_points_are_put_by_a_click_and_taken_back(page, lab):
    click(page, "epoch", 8)
    before, train = lab.desk.session.hash, lab.desk.session.training.dataset.train
    page.click("#surface", position={"x": 30, "y": 40})  # nothing is chosen: nothing is put
    page.select_option("#own-class", "lower")
    box, ranges = page.locator("#surface").bounding_box(), lab.desk.room.camera.ranges()
    page.click("#surface", position={"x": 84, "y": 252})
    until(lambda: len(lab.desk.session.training.dataset.train) == len(train) + 1)
    x, y = lab.desk.session.training.dataset.train.x[-1], lab.desk.session.training.dataset.train.y[-1]
    classes = lab.desk.session.training.dataset.classes
    known = [
        low + share * (high - low)
        for (low, high), share in zip(ranges, (84 / box["width"], 1 - 252 / box["height"]), strict=True)
    ]
    np.testing.assert_allclose(x, known, atol=0.02)
    assert classes[y] == "lower"
    assert lab.desk.session.hash == before  # it has not been learned from yet
    click(page, "step", 9)
    assert Session.opened(lab.desk.session.link()).hash == lab.desk.session.hash
    page.fill("#own-place", "0.5, 0.25")
    page.keyboard.press("Enter")
    until(lambda: list(lab.desk.session.training.dataset.train.x[-1]) == [0.5, 0.25])
    page.click("#undo")
    page.click("#undo")
    until(lambda: len(lab.desk.session.training.dataset.train) == len(train) and lab.desk.session.hash == before)


def test_points_of_a_curve(serve, visit):
    made = serve(Session(cr.Training("1-4-1 tanh", "curve", batch_size=10)))
    page, count = visit(made), len(made.desk.session.training.dataset.train)
    page.select_option("#own-class", "a point")
    page.click("#surface", position={"x": 168, "y": 100})
    until(lambda: len(made.desk.session.training.dataset.train) == count + 1)
    (low, high), *_ = made.desk.room.camera.ranges()
    assert made.desk.session.training.dataset.train.x[-1, 0] == pytest.approx((low + high) / 2, abs=0.03)


def test_a_branch_learns_without_the_point(page, lab):
    page.click("#to-time")
    page.click("#branch")
    until(lambda: lab.desk.room.beside is not None)
    lab.desk.act("point", {"x": [0.5, 0.5], "y": 1})
    lab.desk.act("forward", {"steps": 9})
    alone = Session(training())
    alone.forward(9)
    assert lab.desk.room.beside.hash == alone.hash != lab.desk.session.hash
