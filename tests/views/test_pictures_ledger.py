"""The ledger's picture: its bars are the ledger's numbers, and add up to the change."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.views.pictures.learning.ledger import ledger_picture


@pytest.fixture(scope="module")
def run():
    whole = cr.data.mnist()
    part = cr.data.Examples(whole.train.x[:200], whole.train.y[:200])
    data = cr.data.Dataset("few", part, None, part, scaling=whole.scaling, classes=whole.classes)
    loss = cr.CrossEntropy() + cr.L2(1e-3)
    return cr.fit(
        "784-8-10 tanh softmax", data, loss=loss, optimizer=cr.SGD(0.1, momentum=0.9), clip=cr.ClipNorm(0.5), epochs=2
    )


@pytest.mark.parametrize("index", [(3, 5), None], ids=["entry", "whole"])
def test_bars_add_up(run, index):
    ledger = run.ledger(8, "dense2.W", index)
    picture = ledger_picture(ledger)
    assert len(picture.numbers["values"]) == len(picture.numbers["names"]) == 8 + 1 + 3
    assert picture.numbers["names"][8:].tolist() == ["24 other examples", "penalty l2", "clipping", "momentum μ·v"]
    assert picture.numbers["values"].sum() + picture.numbers["residual"] == pytest.approx(picture.numbers["change"], abs=1e-12)
    assert picture.numbers["change"] == pytest.approx(
        float(ledger.change) if index else np.linalg.norm(ledger.change), rel=1e-12
    )
    assert np.all(np.diff(np.abs(picture.numbers["values"][:8])) <= 0)
    assert picture.numbers["values"][-1] == ledger.along(ledger.parts["momentum μ·v"])


def test_images_are_those_of_the_named_examples(run):
    ledger = run.ledger(8, "dense2.W", (3, 5))
    picture = ledger_picture(ledger, examples=3)
    best = [share.example for share in ledger.ranked()[:3]]
    np.testing.assert_array_equal(picture.numbers["images"].reshape(3, 784), run.data.train.x[best])
    assert picture.numbers["names"][0] == f"no. {best[0]}, {run.data.train.y[best[0]]}"


def test_axes_are_labelled_and_bars_are_where_the_numbers_say(run):
    picture = ledger_picture(run.ledger(8, "dense2.W", (3, 5)), examples=4)
    ax = picture.plot()
    bars = ax.patches
    ends = np.cumsum(picture.numbers["values"])
    assert [bar.get_width() for bar in bars] == pytest.approx([*picture.numbers["values"], float(picture.numbers["change"])])
    assert [bar.get_x() for bar in bars] == pytest.approx([0.0, *ends[:-1], 0.0])
    assert ax.get_xlabel() == "change of the weight"
    assert [label.get_text() for label in ax.get_yticklabels()] == [*picture.numbers["names"], "Δw"]
    assert len(ax.child_axes) == 4
    assert "dense2.W[3, 5]" in ax.get_title(loc="left")
    assert picture.svg().startswith("<svg")


def test_hostile_names_come_out_as_text():
    x, names = np.linspace(-1, 1, 40)[:, None], np.array(["$x$\x1b[31m<b>", "‮" + "x" * 500])
    data = cr.data.from_arrays(x, names[(x[:, 0] > 0).astype(int)])
    picture = ledger_picture(cr.fit("1-3-2 tanh softmax", data, epochs=1, batch_size=8).ledger(0, "dense1.W", (0, 0)))
    assert "images" not in picture.numbers
    assert max(map(len, picture.numbers["names"])) < 50
    assert not any("\x1b" in name or "‮" in name for name in picture.numbers["names"])
    assert "<b>" not in picture.svg()


def test_numbers_that_make_no_sense(run):
    with pytest.raises(cr.errors.OptionError):
        ledger_picture(run.ledger(8, "dense2.b", 3), examples=0)
