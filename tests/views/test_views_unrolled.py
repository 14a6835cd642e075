"""The unrolled drawing: columns are time steps, weights keep one name, memory runs sideways, or back where a layer reads backwards."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import OptionError
from chainrule.views.networks import draw_unrolled


def run_of(*layers, gap=2):
    net = cr.Sequential(*layers, cr.Dense(2, "softmax"))
    return cr.fit(net, cr.data.recall(16, gap=gap), epochs=1, batch_size=8)


def arrows(drawing, weight):
    return {(link.tail, link.head) for link in drawing.links if link.weight == weight}


def test_every_step_uses_the_same_weights_and_has_its_own_values():
    run = run_of(cr.RNN(3, return_sequences=True), cr.LSTM(2))
    example = run.data.train[0]
    drawing = draw_unrolled(run, example)
    assert drawing.rows == ("input", "rnn1", "lstm1", "output")
    assert set(drawing.weights) == {"rnn1.W", "rnn1.U", "lstm1.W", "lstm1.U", "dense1.W"}
    steps = range(1, 5)
    assert arrows(drawing, "rnn1.W") == {(("input", t), ("rnn1", t)) for t in steps}
    assert arrows(drawing, "lstm1.U") == {(("lstm1", t), ("lstm1", t + 1)) for t in range(1, 4)}
    assert arrows(drawing, "dense1.W") == {(("lstm1", 4), ("output", 4))}
    assert np.array_equal(drawing.values["output", 4], run.model().quantities(example.x[None])["output"][0])
    found = run.model().through_time(example.x[None], np.array([example.y])).values("rnn1.h")[0]
    for t in steps:
        assert np.array_equal(drawing.arrays()[f"rnn1.t{t}"], found[t - 1])


def test_answers_at_every_step_and_long_sequences():
    net = cr.Sequential(cr.GRU(3, return_sequences=True), cr.TimeDistributed(cr.Dense(1)), cr.Flatten())
    run = cr.fit(net, cr.data.countdown(16, most=9), epochs=1, batch_size=8)
    drawing = draw_unrolled(run, run.data.train[0], most=4)
    assert len(arrows(drawing, "dense1.W")) == 15
    assert drawing.steps == (1, 2, 3, 15)
    answers = run.model().quantities(run.data.train[0].x[None])["output"][0]
    assert [float(drawing.values["output", t][0]) for t in range(1, 16)] == answers.tolist()
    text = drawing.svg()
    ET.fromstring(text)
    assert "t = 15" in text
    assert "…" in text
    folded = drawing.fold().svg()
    ET.fromstring(folded)
    assert "t = 1" not in folded


def test_a_layer_that_reads_backwards_hands_its_memory_back():
    drawing = draw_unrolled(run := run_of(cr.Bidirectional(cr.RNN(2))), run.data.train[0])
    assert (("rnn1", 1), ("rnn1", 2)) in arrows(drawing, "rnn1.U")
    assert (("rnn2", 2), ("rnn2", 1)) in arrows(drawing, "rnn2.U")
    ET.fromstring(drawing.svg())


def test_what_stands_between_input_memory_and_output_is_looked_through():
    data = cr.data.story(32, sentences=2, encoding="ids")
    both = cr.Bidirectional(cr.GRU(3, return_sequences=True))
    run = cr.fit(cr.Sequential(cr.Embedding(33, 4), both, cr.LSTM(2), cr.Dense(6, "softmax")), data, epochs=1)
    drawing = draw_unrolled(run, run.data.train[0])
    last = drawing.total
    for layer in ("gru1", "gru2"):
        assert arrows(drawing, f"{layer}.W") == {(("input", t), (layer, t)) for t in range(1, last + 1)}
    assert arrows(drawing, "lstm1.W") == {((layer, t), ("lstm1", t)) for layer in ("gru1", "gru2") for t in range(1, last + 1)}
    assert arrows(drawing, "dense1.W") == {(("lstm1", last), ("output", last))}


def test_both_ends_of_a_layer_that_reads_both_ways_make_one_output():
    drawing = draw_unrolled(run := run_of(cr.Bidirectional(cr.RNN(2))), run.data.train[0])
    assert arrows(drawing, "dense1.W") == {(("rnn1", 4), ("output", 4)), (("rnn2", 1), ("output", 4))}
    assert len(drawing.values["output", 4]) == 2


def test_a_flat_row_is_shown_at_the_step_that_reads_it():
    random = np.random.default_rng(0)
    x, y = random.normal(size=(8, 12)), np.arange(8) % 2
    rows = cr.Sequential(cr.Reshape((4, 3)), cr.RNN(2), cr.Dense(2, "softmax"))
    drawing = draw_unrolled(run := cr.fit(rows, (x, y), epochs=1), run.data.train[0])
    shown = np.stack([drawing.values["input", t] for t in range(1, 5)])
    assert np.array_equal(shown, run.data.train[0].x.reshape(4, 3))
    # What a layer has mixed before, no step reads as it stands.
    mixed = cr.Sequential(cr.Dense(20), cr.Reshape((4, 5)), cr.RNN(2), cr.Dense(2, "softmax"))
    drawing = draw_unrolled(run := cr.fit(mixed, (x, y), epochs=1), run.data.train[0])
    assert not [spot for spot in drawing.values if spot[0] == "input"]
    assert run.model().has_memory


def test_a_network_without_memory_is_refused():
    run = cr.fit(cr.Dense(2, "softmax"), cr.data.moons(40), epochs=1)
    assert not run.model().has_memory
    with pytest.raises(OptionError, match="draw_network"):
        draw_unrolled(run, run.data.train[0])
