"""The doctor: what it says of single sick trainings, held against what can be computed otherwise."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import scipy.optimize
import scipy.stats

import chainrule as cr
from chainrule import doctor
from chainrule.doctor.ailments.gradients import _chance
from chainrule.doctor.chances import association, at_least, share
from chainrule.doctor.patient import Patient
from chainrule.doctor.trying import replicated, trial
from chainrule.errors import OptionError
from chainrule.train.replicated import compare

XOR = cr.Sequential(cr.Dense(2, "relu"), cr.Dense(1, "sigmoid"))


@pytest.fixture(scope="module")
def two_dead() -> cr.train.Run:
    """XOR with two ReLUs that are dead from the start."""
    return cr.fit(XOR, cr.data.xor(), seed=0, optimizer=cr.SGD(0.5), epochs=500)


@pytest.fixture(scope="module")
def killed() -> cr.train.Run:
    """A network of which large steps killed units along the way."""
    return cr.fit("2-16-2 relu", "moons", optimizer=cr.SGD(20.0), epochs=3, seed=1)


def test_xor_with_two_dead_units_does_not_learn_because_of_them(two_dead: cr.train.Run) -> None:
    found = two_dead.doctor()
    assert found["dead units"].grade == "ill"
    assert found["dead units"].numbers["units"]["dense1.a"].tolist() == [0, 1]
    assert found["dead units"].numbers["since"]["dense1.a"] == (((0, 1), 0),), "dead from the start"
    assert found["not learning"].numbers["causes"] == ("dead units",)
    assert not found.healthy
    assert "why: dead units" in str(found)


def test_a_cure_that_is_tried_is_better_or_is_said_not_to_be(two_dead: cr.train.Run) -> None:
    found = two_dead.doctor(try_cures=8, only=["dead units", "luck of the seed"])
    more = found["luck of the seed"].cures[0]
    assert more.words == "twice as many units"
    assert more.tried is not None
    training = cr.Training.of(two_dead)
    wide = training.changed(network=cr.Sequential(cr.Dense(4, "relu"), cr.Dense(1, "sigmoid")), replicas=8).fit()
    before = training.changed(replicas=8).fit().evaluate("training").score[1]
    expected = compare(wide.evaluate("training").score[1], before, paired=True)
    assert more.tried.comparison == expected
    assert more.tried.verdict == ("cannot be told apart" if not expected.told_apart else "better")
    assert set(found["luck of the seed"].numbers["failed"]) >= {0}, "this seed is one that failed"


def test_the_step_at_which_units_died_is_the_one(killed: cr.train.Run) -> None:
    found = killed.doctor(only=["dead units"])["dead units"]
    x = killed.data.train.x
    fires = [
        model.quantities(x, {"dense1.a"})["dense1.a"].max(axis=0) > 0
        for _, model in killed.models(range(killed.trainer.step + 1))
    ]
    checked = 0
    for units, step in found.numbers["since"]["dense1.a"]:
        for unit in units:
            course = [bool(fire[unit]) for fire in fires]
            assert not any(course[step:])
            assert step == 0 or course[step - 1], (unit, step)
            checked += 1
    assert checked == len(found.numbers["units"]["dense1.a"]) > 0


@pytest.mark.parametrize(
    ("loss", "outputs", "activation"),
    [
        ("cross_entropy", 3, "softmax"), ("cross_entropy_from_logits", 3, "linear"), ("mean_squared_error", 3, "linear"),
        ("half_squared_error", 3, "linear"), ("mean_absolute_error", 3, "linear"), ("binary_cross_entropy", 3, "sigmoid"),
        ("poisson", 3, "exp"),
    ],
)  # fmt: skip
def test_the_cost_of_a_constant_answer_is_the_least(loss: str, outputs: int, activation: str) -> None:
    """SciPy finds the best constant answer by its own search over the last biases."""
    data = cr.data.blobs(60, classes=3)
    run = cr.fit(cr.Sequential(cr.Dense(outputs, activation)), data, loss=loss, epochs=0)
    patient = Patient(run)
    still = run.model().with_parameters({"dense1.W": np.zeros((2, 3))})
    x, y = patient.train.x, patient.train.y
    best = scipy.optimize.minimize(
        lambda b: float(still.with_parameters({"dense1.b": b}).costs(x, y).mean()), np.full(3, 0.1), method="Nelder-Mead",
        options={"xatol": 1e-7, "fatol": 1e-10, "maxiter": 4000},
    )  # fmt: skip
    assert patient.constant <= best.fun * (1 + 1e-9), "no search finds a lower one"
    assert patient.constant == pytest.approx(best.fun, rel=1e-3), "at the kinks of |x| the search stops early"


def test_regression_is_measured_in_the_networks_units() -> None:
    x = np.linspace(0, 1, 50)
    run = cr.fit("1-4-1 tanh", (x, 300 + 40 * x**2), epochs=0)
    seen = run.dataset_info.target_scaling.apply(run.data.train.y)
    assert Patient(run).constant == pytest.approx(np.var(seen), rel=1e-12)


def test_gradients_of_quantities_are_those_of_the_cost() -> None:
    run = cr.fit("2-5-4-2 tanh softmax", cr.data.moons(40), epochs=1)
    patient = Patient(run)
    found = patient.gradients(patient.end, ("dense1.z", "dense2.z", "dense3.z"), patient.train)
    probabilities = run.model().quantities(patient.train.x)["dense3.a"]
    assert np.allclose(found["dense3.z"], probabilities - np.eye(2)[patient.train.y], atol=1e-12)
    back = found["dense3.z"] @ run.model().parameters["dense3.W"].T
    values = run.model().quantities(patient.train.x)
    assert np.allclose(found["dense2.z"], back * (1 - values["dense2.a"] ** 2), atol=1e-12)


def test_random_networks_that_keep_the_gradient_raise_no_alarm() -> None:
    """The null distribution of the gradient's size (Hanin and Nica) beside a thousand random ReLU networks of He's weights."""
    random, widths, chances = np.random.default_rng(0), [20, 24, 16, 20], []
    for _ in range(1000):
        slope = random.normal(size=widths[-1])
        size = np.square(slope).sum()
        for before, after in zip(widths[-2::-1], widths[:0:-1], strict=True):
            fires = random.random(before) < 0.5
            slope = fires * (random.normal(size=(before, after)) * math.sqrt(2 / before) @ slope)
        chances.append((_chance(math.log(np.square(slope).sum() / size), widths), np.square(slope).sum() / size))
    found = np.array(chances)
    assert 0.02 < np.mean(found[:, 0] < 0.05) < 0.1
    assert not np.any((found[:, 0] < 0.001) & (np.abs(np.log(found[:, 1])) > 2 * math.log(100)))


def test_the_statistics_are_scipys() -> None:
    for count, among, rate in [(3, 10, 0.1), (0, 4, 0.3), (20, 400, 0.02), (7, 7, 0.5)]:
        assert at_least(count, among, rate) == pytest.approx(scipy.stats.binom.sf(count - 1, among, rate), rel=1e-9)
    value, error = share(30, 100)
    low, high = scipy.stats.binomtest(30, 100).proportion_ci(0.9545, "wilson")
    assert (value - 2 * error, value + 2 * error) == pytest.approx((low, high), abs=0.01)


def test_a_shuffle_finds_nothing_in_noise_and_what_there_is() -> None:
    random = np.random.default_rng(3)
    found = [association(random.normal(size=(30, 2)), random.normal(size=(30, 1)), seed) for seed in range(60)]
    assert 0.3 < np.mean(found) < 0.7
    assert min(found) > 0.001 or sum(p <= 0.01 for p in found) <= 3
    x = random.normal(size=(200, 1))
    assert association(x + random.normal(size=(200, 1)), x) == 0.001


def test_where_trainings_go_wrong_pairs_are_counted() -> None:
    wild = cr.Training("2-8-2 relu", cr.data.moons(60), loss="squared_error", optimizer=cr.SGD(1e4), epochs=3)
    sick, cured = replicated(wild, 6), replicated(wild.changed(**{"optimizer.learning_rate": 0.1}), 6)
    assert sick == [None] * 6
    found = trial(sick, cured, "usual", 6)
    assert found.verdict == "better"
    assert scipy.stats.binomtest(6, 6).pvalue < 0.05
    assert "6 of 6 seeds went wrong without it, 0 with it" in str(found)
    assert trial(sick, sick, "usual", 6).verdict == "cannot be told apart"


def test_a_training_that_ended_in_nan_is_looked_at() -> None:
    wild = cr.Training("2-8-2 relu", cr.data.moons(60), loss="squared_error", optimizer=cr.SGD(1e4), epochs=3)
    found = wild.doctor()
    assert {"numbers that are not finite", "learning rate"} <= {one.ailment for one in found.ill}
    assert "step" in found["numbers that are not finite"].evidence[0]


def test_a_run_in_a_folder_is_looked_at_and_left_alone(tmp_path: Path) -> None:
    run = cr.fit("2-4-2 tanh softmax", "moons", epochs=3, folder=tmp_path)
    assert run.folder is not None
    before = {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()}
    opened = cr.open_run(run.folder)
    there = opened.doctor()
    assert [(one.ailment, one.grade, one.says) for one in there.findings] == [
        (one.ailment, one.grade, one.says) for one in run.doctor().findings
    ]
    assert {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()} == before


def test_without_its_data_a_run_is_told_what_can_be_told(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(60, 2))
    run = cr.fit("2-4-2 relu softmax", (x, (x[:, 0] > 0).astype(int)), epochs=3, folder=tmp_path)
    assert run.folder is not None
    found = cr.open_run(run.folder).doctor()
    assert "data are not there" in found["dead units"].says
    assert found["softmax twice"].grade == "fine"
    assert {one.ailment for one in found.findings} == set(doctor.AILMENTS)


def test_every_replica_can_be_looked_at(two_dead: cr.train.Run) -> None:
    run = cr.Training.of(two_dead).changed(replicas=8).fit()
    dead = [run.doctor(replica=k, only=["dead units"])["dead units"].numbers.get("units") for k in range(8)]
    for replica, units in enumerate(dead):
        fires = run.model(replica).quantities(run.data.train.x)["dense1.a"].max(axis=0) > 0
        expected = np.flatnonzero(~fires)
        assert (units is None and not len(expected)) or units["dense1.a"].tolist() == expected.tolist()
    luck = run.doctor(replica=0, only=["luck of the seed"])["luck of the seed"]
    assert luck.grade == "ill"
    with pytest.raises(OptionError, match="replica 8"):
        run.doctor(replica=8)


def test_the_code_of_a_cure_makes_what_was_tried(killed: cr.train.Run) -> None:
    for finding in killed.doctor().findings:
        for cure in finding.cures:
            if cure.training is not None and "Training.of(run)" in cure.code and "\nscaled" not in cure.code:
                made = eval(cure.code, {"cr": cr, "run": killed})
                assert made.hash == cure.training.fit().hash


def test_a_diagnosis_prints_shows_itself_and_becomes_json(killed: cr.train.Run) -> None:
    found = killed.doctor()
    told = found.to_json()
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert {one["ailment"] for one in told["findings"]} == set(doctor.AILMENTS)
    assert max(len(line) for line in found.text(80).split("\n") if "cr." not in line) <= 80
    page = found._repr_html_()
    assert all(one.ailment in page for one in found.findings)
    assert repr(found).startswith("<Diagnosis: moons")


def test_bad_wishes_are_refused(two_dead: cr.train.Run) -> None:
    with pytest.raises(OptionError, match="dead unit'"):
        two_dead.doctor(only=["dead unit"])
    with pytest.raises(OptionError, match="try_cures=1"):
        two_dead.doctor(try_cures=1)
    with pytest.raises(OptionError, match="'deaf units'"):
        two_dead.doctor(only=["dead units"])["deaf units"]
    with pytest.raises(OptionError, match="second ailment"):
        doctor.ailment("dead units", source="nobody")


def test_an_ailment_of_ones_own_is_one_function(two_dead: cr.train.Run) -> None:
    @doctor.ailment("too many layers", source="nobody")
    def too_many_layers(patient: doctor.Patient) -> doctor.Finding:
        """Whether there are two layers."""
        return doctor.remark(f"{len(patient.pre_activations)} layers")

    try:
        assert two_dead.doctor()["too many layers"].says == "2 layers"
    finally:
        del doctor.AILMENTS["too many layers"]


def test_a_training_of_a_run_is_the_same_training(tmp_path: Path) -> None:
    start = {"dense1.W": np.full((2, 3), 0.5)}
    run = cr.fit("2-3-2 tanh softmax", "moons", epochs=2, seed=4, replicas=2, initial=start, folder=tmp_path)
    assert run.folder is not None
    for one in (run, cr.open_run(run.folder)):
        assert cr.Training.of(one).fit().hash == run.hash
    branch = run.branch(3, learning_rate=0.5)
    assert np.array_equal(cr.Training.of(branch).initial["dense1.W"], run.at(3).parameters()["dense1.W"])


def test_the_page_says_what_is_printed_and_what_is_looked_for() -> None:
    page = (Path(__file__).parents[2] / "docs" / "doctor.md").read_text(encoding="utf-8")
    run = cr.fit(XOR, "xor", optimizer=cr.SGD(0.5), epochs=500)
    printed = run.doctor(try_cures=True).text(110)
    for line in (line for line in printed.split("\n") if line.startswith(("✗", "xor"))):
        assert line in page
    for one in doctor.AILMENTS.values():
        asked = str(one.look.__doc__).split("\n")[0].removeprefix("Whether ").rstrip(".")
        assert f"| {one.name} | {asked} | {one.source} |" in page
