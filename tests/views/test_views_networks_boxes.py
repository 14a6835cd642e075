"""Network drawings with convolutions: sizes and windows in words, sheets without an example, the strongest channels with one."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.nn import build_network, parse_network
from chainrule.views.networks import draw_network
from chainrule.views.networks.structure import read_columns

TEXT = "12x12-12x12x1-conv3x5x8:stride2:same-pool2-flatten-3"


@pytest.fixture(scope="module")
def run():
    random = np.random.default_rng(0)
    examples = cr.data.Examples(random.normal(size=(30, 12, 12)), random.integers(0, 3, 30))
    return cr.fit(TEXT, cr.data.Dataset("noise", examples, classes=("a", "b", "c")), epochs=1, batch_size=10)


def test_columns_know_their_pictures():
    found = read_columns(build_network(parse_network(TEXT), (12, 12)))
    assert [(column.name, column.window, column.maps.shape[1:] if column.maps is not None else None) for column in found] == [
        ("input", "", None), ("reshape1", "", (12, 12, 1)), ("conv1", "3×5, stride 2, same", (6, 6, 8)),
        ("max_pool1", "max of 2×2", (3, 3, 8)), ("dense1", "", None),
    ]  # fmt: skip


def test_sheets_without_an_example():
    drawing = draw_network(TEXT)
    svg = drawing.svg()
    # One sheet for one channel, three for more.
    assert svg.count('class="sheet"') == 1 + 3 + 3
    assert all(words in svg for words in ("6×6×8", "3×3×8", ">3×5<", ">stride 2<", ">same<", ">max of 2×2<"))
    assert "sheets are a layer" in drawing.reading


def test_the_strongest_channels_of_an_example(run):
    drawing = draw_network(run, run.data.train[4])
    maps = drawing.arrays()["conv1.maps"]
    found = run.model().quantities(run.data.train.x[4:5])["conv1.a"][0]
    assert np.array_equal(maps, found)
    strongest = np.argsort(-found.sum((0, 1)), kind="stable")[:4]
    svg = drawing.svg()
    for channel in range(8):
        assert (f"conv1, channel {channel}: " in svg) == (channel in strongest)
    assert "strongest channels" in drawing.reading
