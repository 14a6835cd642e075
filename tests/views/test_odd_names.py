"""Names of data, classes and features that hold marks of terminals and pages: whatever is printed or shown holds none of them."""

import re

import numpy as np
import pytest

import chainrule as cr

NAMES = ("<script>x</script>", "a&b \"q\" 'x'", "\x1b[31mred\x1b[0m", "\u202eturned", "$\\frac{1}{2}$ %s {x}")
ORDERS = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]")


@pytest.fixture(scope="module")
def run():
    x = np.random.default_rng(0).normal(size=(40, 2))
    data = cr.data.from_arrays(x, np.arange(40) % 5, classes=NAMES, features=NAMES[1:3], name=NAMES[2])
    return cr.fit("2-5:softmax", data, epochs=1, engine="reference")


WAYS = {
    "run": lambda run: run,
    "data": lambda run: run.data,
    "explanation": lambda run: run.explain(0),
    "why": lambda run: run.why(0),
    "comparison": lambda run: run.compare(run),
    "diagnosis": lambda run: run.doctor(),
    "confusion": lambda run: run.evaluate("test").confusion(),
}


@pytest.mark.parametrize("way", WAYS)
def test_what_is_printed_gives_a_terminal_no_orders_and_a_page_no_tags(way, run):
    thing = WAYS[way](run)
    assert not ORDERS.search(str(thing))
    assert "<script>x" not in thing._repr_html_()


def test_what_a_command_proposes_for_arrays_is_a_command(tmp_path, run):
    kept = cr.fit("2-2:softmax", (run.data.train.x, run.data.train.y % 2), epochs=0, folder=tmp_path)
    with pytest.raises(cr.errors.DataError) as told:
        cr.open_run(kept.folder).data  # noqa: B018  (it is loaded when it is asked for)
    assert cr.errors.command_words(told.value.remedy).endswith("--data data.npz")


def test_letters_come_from_another_font_and_what_none_has_is_said_once_in_our_words(tmp_path, recwarn, monkeypatch):
    """ℊ stands in a font that comes with matplotlib, not in the usual one; 質 in none of those that are looked at here."""
    from matplotlib import font_manager
    from matplotlib.text import Text

    ours = [font for font in font_manager.fontManager.ttflist if font.name in {"DejaVu Sans", "STIXGeneral"}]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", ours)
    x = np.random.default_rng(0).normal(size=(40, 2))
    run = cr.fit("2-1", cr.data.from_arrays(x, x[:, 0], features=["ℊ (m/s²)", "b"]), epochs=1)
    figure = cr.pictures.neuron_surface(run).figure()
    figure.savefig(tmp_path / "a.png")
    (label,) = [text for text in figure.findobj(Text) if "ℊ" in text.get_text()]
    assert label.get_fontfamily() == ["sans-serif", "STIXGeneral"]
    figure.axes[0].set_xlabel("質量")
    figure.savefig(tmp_path / "a.svg")
    assert not recwarn.list
    figure.savefig(tmp_path / "a.pdf")
    (told,) = recwarn.list
    assert str(told.message).startswith("no font here has 質, 量: ")
