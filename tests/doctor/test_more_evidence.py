"""What the doctor names by training again: on other examples, with other networks; and what is wrong with the examples themselves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.stats

import chainrule as cr
from chainrule import doctor
from chainrule.data import Examples
from chainrule.doctor.ailments.examples import _apart
from chainrule.doctor.chances import ranked_above, unlike
from chainrule.doctor.crossed import crossed
from chainrule.doctor.patient import Patient
from chainrule.errors import OptionError
from tests.doctor import zoo

MOONS = cr.data.moons(200, noise=0.1, seed=1)
CIRCLES = cr.data.circles(200, seed=1)
FAST = {"optimizer": cr.Adam(0.02), "epochs": 40, "batch_size": 20}


def test_rank_sums_and_smirnovs_test_are_scipys() -> None:
    random = np.random.default_rng(1)
    for size, moved in ((12, 0.5), (40, 0.4), (200, 0.2)):
        first, second = random.normal(size=size) + moved, np.round(random.normal(size=2 * size), 1)
        ranks = scipy.stats.mannwhitneyu(first, second, alternative="greater", method="asymptotic")
        assert ranked_above(first, second) == pytest.approx(ranks.pvalue, rel=1e-9)
        apart = scipy.stats.ks_2samp(first, second)
        assert unlike(first, second)[0] == pytest.approx(apart.statistic, abs=1e-12)
        assert unlike(first, second)[1] == pytest.approx(apart.pvalue, abs=0.01)


def test_parts_of_one_kind_are_taken_for_different_ones_no_more_often_than_is_said() -> None:
    random = np.random.default_rng(0)
    chances = [unlike(random.normal(size=80), random.normal(size=30))[1] for _ in range(1000)]
    assert np.mean(np.array(chances) < 0.05) < 0.07
    assert np.mean(np.array(chances) < 0.01) < 0.02


def test_heavy_tails_and_rare_values_set_no_parts_apart() -> None:
    """Where the tail of a normal distribution would be trusted for numbers that are none, alarms come too often."""
    random = np.random.default_rng(1)
    for draw in (lambda n: random.standard_t(1.5, size=n), lambda n: (random.random(n) < 0.03) * random.exponential(size=n)):
        chances = np.array([_apart(draw(240), draw(60)).chance for _ in range(600)])
        assert np.mean(chances < 0.01) < 0.015
        assert chances.min() > 1e-4


def test_one_unit_is_too_few_for_circles_and_four_times_as_many_help() -> None:
    found = cr.fit("2-1-2 tanh softmax", CIRCLES, **FAST).doctor(only=["network too small"], try_cures=4)["network too small"]
    assert found.grade == "ill"
    (cure,) = found.cures
    assert cure.training is not None
    assert cure.training.network.layers[0].units == 16
    assert cure.tried is not None
    assert cure.tried.verdict == "better"
    enough = cr.fit("2-16-2 tanh softmax", CIRCLES, **FAST)
    assert enough.doctor(only=["network too small"])["network too small"].grade == "fine"


def test_a_network_that_was_stopped_too_early_is_not_too_small() -> None:
    early = cr.fit("2-8-2 tanh softmax", MOONS, optimizer=cr.SGD(0.05), epochs=4, batch_size=20)
    assert early.doctor(only=["network too small"])["network too small"].grade == "fine"


def test_dropout_that_is_too_strong_and_one_that_is_not() -> None:
    def trained(rate: float) -> cr.train.Run:
        return cr.fit(cr.Sequential(cr.Dense(16, "tanh"), cr.Dropout(rate), cr.Dense(2, "softmax")), CIRCLES, **FAST)

    def looked(run: cr.train.Run) -> doctor.Finding:
        return run.doctor(only=["dropout too strong"])["dropout too strong"]

    strong = looked(trained(0.95))
    assert strong.grade == "ill"
    (cure,) = strong.cures
    assert "cr.Dropout(0.0)" in cure.code
    less = trained(0.0).evaluate("test").loss[0]
    assert strong.numbers["held_out"] == pytest.approx(less, rel=2e-6), "what it says of none is what none gives, in float32"
    assert looked(trained(0.01)).grade == "fine"


@pytest.mark.parametrize("classes", [True, False])
def test_the_column_that_holds_the_target_is_named_and_left_out(classes: bool) -> None:
    random = np.random.default_rng(3)
    x = random.normal(size=(120, 3))
    y = np.array(["no", "yes"])[(x[:, 0] > 0).astype(int)] if classes else np.tanh(x[:, 0])
    price = 7 - 2.5 * ((x[:, 0] > 0) if classes else np.tanh(x[:, 0]))
    run = cr.fit(
        "4-4-2 tanh softmax" if classes else "4-4-1 tanh", cr.data.from_arrays(np.column_stack([x, price]), y), epochs=4
    )
    found = run.doctor(only=["target among the inputs"], try_cures=2)["target among the inputs"]
    assert found.numbers["columns"] == (3,)
    (cure,) = found.cures
    assert cure.training is not None
    assert cure.training.dataset.input_shape == (3,)
    assert cure.tried is not None
    room: dict[str, object] = {"cr": cr, "run": run}
    exec(cure.code, room)
    assert room["rest"].train.x == pytest.approx(x[[np.flatnonzero((x == row).all(axis=1))[0] for row in room["rest"].train.x]])  # type: ignore[attr-defined]
    without = cr.fit("3-4-2 tanh softmax" if classes else "3-4-1 tanh", cr.data.from_arrays(x, y), epochs=4)
    assert without.doctor(only=["target among the inputs"])["target among the inputs"].grade == "fine"


def test_a_class_with_hardly_an_example_is_known_worse_and_better_as_often_as_the_others() -> None:
    data = cr.data.moons(300, noise=0.25, seed=2)
    rare = np.flatnonzero(data.train.y == 1)[6:]
    few = replace(data, train=data.train[np.delete(np.arange(300), rare)], origin=None)
    run = cr.fit("2-8-2 tanh softmax", few, **FAST)
    found = run.doctor(only=["rare classes"], try_cures=6)["rare classes"]
    assert found.grade == "ill"
    assert found.numbers["rare"] == (data.classes[1],)  # type: ignore[index]
    (cure,) = found.cures
    assert cure.training is not None
    counts = np.bincount(cure.training.dataset.train.y)
    assert counts[0] == counts[1]
    made = eval(cure.code.split("\n")[-1], {"cr": cr, "run": run, "replace": replace, "often": _often(few.train.y)})
    assert made.hash == cure.training.fit().hash
    assert cure.tried is not None
    assert cure.tried.verdict == "better"
    even = cr.fit("2-8-2 tanh softmax", data, **FAST)
    assert even.doctor(only=["rare classes"])["rare classes"].grade == "fine"


def _often(y: np.ndarray) -> np.ndarray:
    return np.concatenate([np.resize(np.flatnonzero(y == k), np.bincount(y).max()) for k in np.unique(y)])


def test_noise_in_the_training_inputs_alone_sets_the_parts_apart() -> None:
    random = np.random.default_rng(5)
    x = MOONS.train.x + random.normal(size=MOONS.train.x.shape) * MOONS.train.x.std(axis=0)
    noisy = replace(MOONS, train=Examples(x, MOONS.train.y), origin=None)
    for data, grade in ((noisy, "ill"), (MOONS, "fine")):
        found = cr.fit("2-4-2 tanh softmax", data, epochs=2).doctor(only=["parts that differ"])["parts that differ"]
        assert found.grade == grade


def test_nobody_judges_an_example_that_he_has_seen() -> None:
    """A network learns labels by heart that say nothing; networks that have not seen them are no better than chance."""
    random = np.random.default_rng(2)
    data = replace(
        MOONS,
        train=Examples(random.normal(size=(80, 4)), random.integers(2, size=80)),
        test=None,
        scaling=cr.data.Scaling.none(),
        features=None,
        origin=None,
    )
    run = cr.fit("4-64-2 relu softmax", data, optimizer=cr.Adam(0.02), epochs=80, batch_size=20)
    patient = Patient(run)
    outputs, costs = crossed(patient, 80)
    assert np.mean(patient.end.decide(patient.train.x) == patient.train.y) > 0.95
    assert 0.3 < np.mean(outputs.argmax(axis=1) == patient.train.y) < 0.7
    rows = outputs[np.arange(80), patient.train.y]
    assert costs == pytest.approx(-np.log(rows), rel=1e-9), "the costs are those of the outputs, example by example"


def test_labels_that_a_convolution_knows_by_heart_in_its_first_epoch_are_told_by_networks_that_never_saw_them() -> None:
    ground = zoo.ground(200_088, ("stripes",))
    run = zoo.wrong_labels(ground).fit()
    found = run.doctor(only=["wrong labels"])["wrong labels"]
    assert found.grade == "ill"
    assert any("trained without them" in line for line in found.evidence)
    wrong = np.flatnonzero(run.data.train.y != ground.data.train.y)
    suspects = found.numbers["suspects"]
    assert np.isin(suspects, wrong).mean() > 0.8
    assert ground.training().doctor(only=["wrong labels"])["wrong labels"].grade == "fine"


def test_a_network_that_ails_accuses_no_labels() -> None:
    data = cr.data.xor(300, noise=0.15, seed=3)
    found = cr.fit("2-1-2 relu softmax", data, **FAST).doctor(only=["network too small", "wrong labels"])
    assert found["network too small"].grade == "ill"
    assert found["wrong labels"].grade != "ill"


def test_a_fault_without_effect_is_told_from_its_twin() -> None:
    ground = zoo.ground(0, ("blobs",))
    twin = ground.training().fit()
    assert zoo.without_effect(twin, twin)
    assert not zoo.without_effect(zoo.shuffled_targets(ground).fit(), twin)
    assert not zoo.without_effect(twin, zoo.dead(ground).fit()), "a twin that came out badly says nothing"


@pytest.mark.parametrize(
    "wish",
    [
        {"bogus": 1}, {"try_cures": "8"}, {"try_cures": -1}, {"try_cures": 1.5}, {"replica": "0"}, {"replica": -1}, {"replica": 5},
        {"only": "dead units"}, {"only": [1]}, {"only": []}, {"only": ["dead unit"]}, {"watch": print},
    ],
    ids=str,
)  # fmt: skip
def test_wishes_that_are_none_are_refused_by_an_error_that_is_the_built_in_kind(wish: dict[str, object]) -> None:
    run = _asked()
    training = cr.Training("2-1-2", "no such data")  # what is refused is refused before anything is loaded or made
    for doctored in (run.doctor, cr.Training.of(run).doctor, training.doctor):
        with pytest.raises(OptionError) as refused:
            doctored(**wish)
        assert isinstance(refused.value, TypeError | ValueError)
        assert "no such data" not in str(refused.value)


def _asked(found: list[cr.train.Run] = []) -> cr.train.Run:  # noqa: B006  (one run for all)
    if not found:
        found.append(cr.fit("2-2-2 tanh softmax", cr.data.moons(40), epochs=1))
    return found[0]


def test_what_a_doctor_is_made_of_holds_to_its_annotations() -> None:
    run = _asked()
    found = run.doctor(only=["softmax twice"])
    for asked in (
        lambda: found[3], lambda: found.of("sick"), lambda: found.text("wide"), lambda: doctor.Patient(run, 9), lambda: doctor.Patient(3),
        lambda: doctor.Finding("grave", "it is"), lambda: doctor.ill(3), lambda: doctor.ailment("x", source="s", needs="luck"),
    ):  # fmt: skip
        with pytest.raises(OptionError):
            asked()

    @doctor.ailment("no finding", source="nobody")
    def no_finding(patient: doctor.Patient) -> doctor.Finding:
        """Whether."""
        return "ill"  # type: ignore[return-value]

    try:
        with pytest.raises(OptionError, match="no finding"):
            run.doctor(only=["no finding"])
    finally:
        del doctor.AILMENTS["no finding"]
