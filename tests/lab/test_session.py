"""A session: the same bits however it is played, changes that can be taken back, links that open to the same state."""

import threading

import numpy as np
import pytest

import chainrule as cr
from chainrule.cli.lab import _of_run
from chainrule.errors import DataError, FileFormatError, NonFiniteError, OptionError
from chainrule.lab.curves import MOST_BINS, Curves
from chainrule.lab.session import Session
from chainrule.lab.watcher import Watcher

NETWORKS = {
    "2-8-8-2 tanh softmax": "moons",
    "2-6:relu-dropout(0.3)-2": "spirals",
    "1-10-1": "curve",
}


def session(network="2-4-2 tanh softmax", data="moons", **options):
    return Session(cr.Training(network, cr.data.load(data, n=60), batch_size=10, **options))


@pytest.mark.parametrize("optimizer", ["sgd", "adam", cr.SGD(0.05, momentum=0.9)], ids=str)
@pytest.mark.parametrize("network", NETWORKS)
def test_pieces_and_ways_there_change_no_bit(network, optimizer):
    whole, cut = (session(network, NETWORKS[network], optimizer=optimizer) for _ in range(2))
    whole.forward(100)
    for steps in (1, 7, 0, 60, 32):
        cut.forward(steps)
    assert cut.hash == whole.hash
    cut.at(3)
    cut.at(50)
    cut.at(100)
    assert (cut.step, cut.hash) == (100, whole.hash)


def test_a_session_is_the_training_that_fit_makes():
    data = cr.data.moons(n=60)
    run = cr.fit("2-4-2 tanh softmax", data, batch_size=10, epochs=5, optimizer="adam", seed=3)
    played = Session(cr.Training("2-4-2 tanh softmax", data, batch_size=10, optimizer="adam", seed=3))
    played.forward(run.trainer.step)
    assert played.hash == run.hash
    np.testing.assert_array_equal(played.evaluate("test").outputs, run.trainer.evaluate("test").outputs)


def test_changes_are_events_and_are_taken_back_one_by_one():
    played = session(optimizer="adam")
    hashes = []
    changes = [
        lambda: played.set("dense1.W", (0, 1), 2.5),
        lambda: played.set_many([("dense1.W", (1, 2), -1.5), ("dense2.b", (0,), 0.25)]),
        lambda: played.change(**{"optimizer.learning_rate": 0.5}),
        lambda: played.change(network="2-6-2 tanh softmax"),
        lambda: played.change(batch_size=20),
        lambda: played.change(optimizer="sgd"),
        lambda: played.change(loss=cr.CrossEntropy() + cr.L2(0.1)),
        lambda: played.change(data=cr.data.moons(n=60, noise=0.4)),
        lambda: played.add_point([0.5, 0.25], 1),
        lambda: played.change(seed=5),
    ]
    for change in changes:
        played.forward(25)
        hashes.append(played.hash)
        change()
    played.forward(25)
    end = played.hash
    played.at(30)
    played.at(25 * len(changes) + 25)
    assert played.hash == end  # through all events again
    assert Session.opened(played.link()).hash == end
    for number in range(len(changes), 0, -1):
        event = played.undo()
        assert (event.step, played.step, played.hash) == (25 * number, 25 * number, hashes[number - 1])
    with pytest.raises(OptionError, match="nothing to undo"):
        played.undo()


def test_a_change_in_the_past_makes_another_future():
    played = session()
    played.forward(20)
    played.set("dense2.b", (0,), 1.0)
    played.forward(20)
    played.at(10)
    played.set("dense2.b", (0,), -1.0)
    assert [event.step for event in played.events] == [10]
    played.forward(30)
    assert Session.opened(played.link()).hash == played.hash


def test_a_weight_that_is_dragged_is_one_event():
    played = session()
    played.forward(5)
    before = played.hash
    for value in np.linspace(0, 1, 50):
        played.set("dense1.W", (1, 2), value)
    assert len(played.events) == 1
    assert played.values()["dense1.W"][1, 2] == 1.0
    played.undo()
    assert played.hash == before


def test_a_branch_has_the_same_past_and_goes_its_own_way():
    played = session()
    played.forward(300)
    played.change(**{"optimizer.learning_rate": 0.5})
    played.forward(40)
    other = played.branched()
    assert (other.step, other.hash) == (340, played.hash)
    other.set("dense1.W", (0, 0), 2.0)
    for each in (played, other):
        each.forward(60)
    assert other.hash != played.hash
    np.testing.assert_array_equal(other.curves.table()[:300], played.curves.table()[:300])
    for step in (320, 10):
        played.at(step)
        other.at(step)
        assert other.hash == played.hash
    assert len(other.events) == len(played.events) + 1


@pytest.mark.parametrize("larger", ["2-7-2 tanh softmax", "2-5-2 tanh softmax"])
def test_a_neuron_more_changes_no_output(larger):
    played = session("2-4-2 tanh softmax")
    played.forward(50)
    x = np.random.default_rng(0).normal(size=(20, 2))
    before = Watcher(played.trainer, x)(played.trainer.state)["output"]
    played.change(network=larger)
    np.testing.assert_array_equal(Watcher(played.trainer, x)(played.trainer.state)["output"], before)
    played.forward(50)
    assert np.abs(played.values()["dense2.W"][4:]).max() > 0  # it learns


def test_what_cannot_be_changed_changes_nothing():
    played = session()
    played.forward(10)
    there = played.hash, played.step, list(played.events)
    for wrong in (
        lambda: played.change(network="3-4-2"),
        lambda: played.change(batch_size=0),
        lambda: played.change(learning_rate=3),
        lambda: played.change(optimizer="lbfgs"),
        lambda: played.set("dense9.W", (0, 0), 1.0),
        lambda: played.set("dense1.W", (0, 9), 1.0),
        lambda: played.set("dense1.W", (0,), 1.0),
        lambda: played.set("dense1.W", (0, 0), float("nan")),
        lambda: played.set("dense1.W", (0, 0), 1e300),
        lambda: played.set_many([("dense1.W", (0, 0), 1.0), ("dense1.W", (0, 9), 1.0)]),
        lambda: played.add_point([0.5], 1),
        lambda: played.add_point([0.5, 0.5], 2),
        lambda: played.add_point([0.5, float("inf")], 1),
        lambda: played.forward(-1),
    ):
        with pytest.raises(cr.errors.ChainruleError):
            wrong()
        assert (played.hash, played.step, list(played.events)) == there
    played.forward(5)


def test_a_number_that_is_not_finite_is_stopped_before():
    played = session("1-4-1", "curve", optimizer=cr.SGD(1e30))
    with pytest.raises(NonFiniteError, match=r"step [012] made"):
        played.forward(100)
    assert np.isfinite(np.concatenate([array.ravel() for array in played.values().values()])).all()
    played.change(optimizer=cr.SGD(0.01))
    played.at(0)


def test_own_points_travel_in_the_link():
    x = np.random.default_rng(0).normal(size=(30, 2))
    played = Session(cr.Training("2-4-2", (x, (x[:, 0] > 0).astype(int)), batch_size=10))
    played.forward(30)
    assert Session.opened(played.link()).hash == played.hash


@pytest.mark.parametrize("text", ["2-4-2", "2-4:frozen-3-2"])
def test_first_weights_travel_in_the_link(text):
    run = cr.fit(text, cr.data.moons(60), epochs=2)
    for initial in (run, run.model().values):
        played = Session(cr.Training(run.problem.network, cr.data.moons(60), initial=initial))
        np.testing.assert_allclose(played.values()["dense1.W"], run.model().values["dense1.W"])
        played.forward(7)
        assert Session.opened(played.link()).hash == played.hash


def test_a_run_is_taken_up_with_its_running_statistics():
    network = cr.Sequential(cr.Dense(4), cr.BatchNorm(), cr.Dense(2, "softmax"))
    run = cr.fit(network, cr.data.moons(60), epochs=2)
    values = Session(_of_run(run)).values()
    for name, value in run.model().values.items():
        np.testing.assert_allclose(values[name], value)


def test_a_link_that_was_changed_is_refused():
    played = session()
    played.forward(3)
    link = played.link()
    for wrong in ("", "x", link[:-8], "A" + link[1:], link + "é"):
        with pytest.raises(FileFormatError):
            Session.opened(wrong)
    other = played.to_json()
    for changed in ({"version": 7}, {"data": "0" * 16}):
        with pytest.raises((FileFormatError, DataError)):
            Session.from_json({**other, **changed})


def test_hours_of_play_stay_small():
    played = session()
    for _ in range(20):
        played.forward(5000)
    assert len(played.curves.table()) <= MOST_BINS
    assert len(played._moments) <= 600
    there = played.hash
    played.at(100_000 - 77)
    played.at(100_000)
    assert played.hash == there


def test_curves_say_mean_least_and_largest():
    losses = np.random.default_rng(0).normal(size=(2, 5000))
    curves = Curves()
    for first in range(0, 5000, 37):
        curves.add(first, losses[:, first : first + 37])
    table = curves.table()
    means = losses.mean(axis=0)
    assert len(table) <= MOST_BINS
    for first, mean, least, most in table:
        part = means[int(first) : int(first) + curves.width]
        np.testing.assert_allclose([mean, least, most], [part.mean(), part.min(), part.max()], rtol=1e-12, atol=1e-15)


def test_readers_in_other_threads_see_whole_steps():
    played = session("2-16-16-2 relu softmax", "moons")
    alone = session("2-16-16-2 relu softmax", "moons")
    seen, done = [], threading.Event()

    def read():
        while not done.is_set():
            with played.lock:
                seen.append((played.step, played.hash))

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(30):
        played.forward(11)
    done.set()
    reader.join()
    for step, known in seen[:: max(1, len(seen) // 20)]:
        alone.at(step)
        assert alone.hash == known


def test_a_watcher_shows_what_the_model_computes():
    played = session("2-5-3-2 tanh softmax")
    played.forward(40)
    x = np.random.default_rng(1).normal(size=(17, 2))
    found = Watcher(played.trainer, x)(played.trainer.state)
    run = cr.fit("2-5-3-2 tanh softmax", played.training.dataset, batch_size=10, epochs=0, initial=dict(played.values()))
    known = {**run.model().quantities(x), "output": run.predict(x)}
    assert list(found) == ["dense1.a", "dense2.a", "dense3.a", "output"]
    for name, array in found.items():
        np.testing.assert_allclose(array, known[name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("part", "bad"),
    [
        ("training", 3), ("training", "x"), ("events", None), ("events", [3]), ("step", "x"), ("step", []),
        ("events", [{"step": 0, "kind": "set", "what": {}}]), ("events", [{"step": 0, "kind": "many", "what": {"values": [1]}}]),
        ("events", [{"step": 0, "kind": "point", "what": {"x": "a", "y": 1}}]),
    ],
)  # fmt: skip
def test_a_description_that_is_none_says_so(part, bad):
    with pytest.raises(FileFormatError, match="the link cannot be read"):
        Session.from_json({**session().to_json(), part: bad})


def test_a_link_asks_for_no_more_than_a_machine_has():
    many = {**session().to_json(), "events": [{"step": 0, "kind": "change", "what": {"replicas": 10**9}}]}
    with pytest.raises(OptionError, match="at most 1024"):
        Session.from_json(many)
    with pytest.raises(FileFormatError, match="the link cannot be read"):
        Session.from_json([])
