"""Sweeps: what is tried, trials that are the trainings they say, folders that survive anything, verdicts beyond chance."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
from scipy import stats
from scipy.stats import qmc

import chainrule as cr
from chainrule.errors import FileFormatError, MissingFileError, OptionError
from chainrule.sweeps import Between, Grid, Halving, Random, Sobol, Trial, find_learning_rate, open_sweep, sweep
from chainrule.sweeps.compared import Sweep
from chainrule.sweeps.learning_rates import LearningRates
from chainrule.sweeps.sobol import DIMENSIONS, sobol
from chainrule.sweeps.space import settings_of
from chainrule.train.replicated import holm, replicas_needed

DATA = cr.data.from_arrays(
    np.random.default_rng(0).normal(size=(90, 2)),
    np.random.default_rng(0).integers(0, 2, 90),
    split=cr.data.RandomSplit(test=0.0, validation=0.3),
)
TRAINING = cr.Training("2-4-2 tanh softmax", DATA, optimizer="sgd", epochs=4, batch_size=10)
SPACE = {"network": ["2-4-2 tanh softmax", "2-6-2 tanh softmax"], "optimizer.learning_rate": [0.01, 0.3]}


# ---- what is tried


def test_sobols_points_are_those_of_scipy():
    with pytest.warns(UserWarning, match="balance"):
        wanted = qmc.Sobol(DIMENSIONS, scramble=False).random(300)
    np.testing.assert_array_equal(sobol(300, DIMENSIONS), wanted)


def test_a_grid_has_every_combination_and_equal_ones_once():
    found = settings_of({"batch_size": [8, 16], "optimizer.learning_rate": Between(0.01, 1.0, points=3, log=True)}, Grid())
    assert [tuple(labels.values()) for labels, _ in found] == [(b, r) for b in ("8", "16") for r in ("0.01", "0.1", "1")]
    assert len(settings_of({"batch_size": Between(1, 3, points=9, whole=True)}, Grid())) == 3


@pytest.mark.parametrize("search", [Random(400, seed=2), Sobol(256, seed=2)])
def test_searches_by_chance_cover_the_space(search):
    space = {
        "optimizer.learning_rate": Between(0.001, 1.0, log=True),
        "batch_size": [8, 16],
        "epochs": Between(1, 10, whole=True),
    }
    settings = [setting for _, setting in settings_of(space, search)]
    logs = np.log10([setting["optimizer.learning_rate"] for setting in settings])
    assert stats.kstest(logs, stats.uniform(-3, 3).cdf).pvalue > 0.01
    assert {setting["epochs"] for setting in settings} == set(range(1, 11))
    assert 0.4 < np.mean([setting["batch_size"] == 8 for setting in settings]) < 0.6
    assert settings_of(space, search) == settings_of(space, search)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: Between(1.0, 0.5), "low < high"),
        (lambda: Between(0.0, 1.0, log=True), "above 0"),
        (lambda: Between.parse("0.1:x"), "low:high:points"),
        (lambda: Halving(()), "rising numbers of epochs"),
        (lambda: sweep(TRAINING, {}), "a field or more"),
        (lambda: sweep(TRAINING, {"batch_size": 8}), "a list of values"),
        (lambda: sweep(TRAINING, {"batch_sise": [8]}), "batch_sise"),
        (lambda: sweep(TRAINING, {"network": ["3-2-2"]}), "shape"),
        (lambda: sweep(TRAINING, SPACE, score="beauty"), "accuracy or loss"),
        (lambda: sweep(TRAINING, SPACE, score="R²"), "accuracy or loss"),
        (lambda: sweep(TRAINING, {"network": [cr.Function(lambda x: x)]}), "written down"),
        (lambda: find_learning_rate(TRAINING, low=1.0, high=0.1), "low < high"),
        (lambda: find_learning_rate(TRAINING.changed(optimizer=cr.LBFGS())), "searches for the size of each step"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_trained(wrong, said):
    with pytest.raises(cr.errors.ChainruleError, match=said):
        wrong()


# ---- trials


def test_a_trial_is_the_training_that_it_says():
    told: list[str] = []
    found = sweep(TRAINING, SPACE, replicas=3, watch=lambda trial: told.append(trial.name))
    assert told == [trial.name for trial in found.trials]
    assert len(found.trials) == 4
    trial = found.trials[1]
    assert dict(trial.setting) == {"network": "2-4-2 tanh softmax", "optimizer.learning_rate": "0.3"}
    run = cr.fit("2-4-2 tanh softmax", DATA, optimizer=cr.SGD(0.3), epochs=4, batch_size=10, replicas=3)
    assert trial.part == "validation"
    assert trial.scores.tolist() == run.evaluate("validation").score[1].tolist()
    assert trial.losses.tolist() == run.evaluate("validation").loss.tolist()
    assert (trial.epochs, trial.steps, trial.parameters) == (4, run.trainer.step, 22)


def test_values_with_names_and_numbers_that_become_infinite():
    losses = {"plain": "cross_entropy", "small weights": cr.CrossEntropy() + cr.L2(0.1)}
    found = sweep(TRAINING, {"loss": losses, "optimizer.learning_rate": [0.1, 1e38]}, replicas=2)
    assert [dict(trial.setting)["loss"] for trial in found.trials] == ["plain", "plain", "small weights", "small weights"]
    wrong = [trial for trial in found.trials if trial.trouble]
    assert {trial.setting["optimizer.learning_rate"] for trial in wrong} == {"1e+38"}
    assert "2 of 4 trainings went wrong" in found.verdict
    assert found.ranked[-1].trouble
    hopeless = sweep(TRAINING, {"optimizer.learning_rate": [1e38]}, replicas=2)
    assert "Every training went wrong." in str(hopeless)
    with pytest.raises(OptionError, match="lower learning rates"):
        _ = hopeless.best


def test_halving_goes_on_from_where_trials_were(tmp_path):
    space = {"optimizer.learning_rate": [0.001, 0.01, 0.1, 0.3, 0.5, 1.0]}
    found = sweep(TRAINING, space, replicas=2, search=Halving((1, 2, 6), keep=2), folder=tmp_path)
    assert sorted(trial.epochs for trial in found.trials) == [1, 1, 1, 2, 2, 6]
    best = found.best
    assert best.epochs == 6
    rate = float(best.setting["optimizer.learning_rate"])
    whole = TRAINING.changed(epochs=6, replicas=2, optimizer=cr.SGD(rate)).fit()
    assert cr.open_run(best.run, data=DATA).hash == whole.hash
    assert [row[-4] for row in found.rows].count("left behind") == 5
    again = sweep(TRAINING, space, replicas=2, search=Halving((1, 2, 6), keep=2), folder=tmp_path)
    assert str(again) == str(found)


# ---- folders


PROGRAM = """
    import os, signal, sys
    from pathlib import Path
    import numpy as np
    import chainrule as cr
    import chainrule.train.keeper as keeper
    from chainrule.train.folder import RunFolder
    keeper.SNAPSHOT_SECONDS = 0.0
    save = RunFolder.save

    def save_and_die(self, snapshot, **more):
        # Three trials are done, and of the three that are one program now only one has saved so much.
        save(self, snapshot, **more)
        if snapshot.step >= 40 and len(list(Path(sys.argv[1]).glob("trials/*/epochs-*.json"))) == 3:
            os.kill(os.getpid(), signal.SIGKILL)

    if len(sys.argv) > 2:
        RunFolder.save = save_and_die
    x = np.random.default_rng(0).normal(size=(90, 2))
    data = cr.data.from_arrays(x, (x.sum(1) > 0).astype(int))
    training = cr.Training("2-4-2 tanh softmax", data, epochs=20, batch_size=10)
    space = {"network": ["2-4-2 tanh softmax", "2-5-2 tanh softmax"], "optimizer.learning_rate": [0.01, 0.1, 0.3]}
    if __name__ == "__main__":
        found = cr.sweep(training, space, replicas=2, folder=sys.argv[1], watch=lambda trial: print(trial.name, flush=True))
        for trial in found.trials:
            print(trial.name, trial.scores.tolist(), trial.losses.tolist(), trial.steps)
"""


def start(folder, tmp_path, *more):
    program = tmp_path / "program.py"
    if not program.exists():  # a process that has begun may be about to read it
        program.write_text(textwrap.dedent(PROGRAM), encoding="utf-8")
    return subprocess.Popen([sys.executable, str(program), str(folder), *more], stdout=subprocess.PIPE, text=True)


def outcome(process):
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return [line for line in out.splitlines() if "[" in line]


def test_killed_it_goes_on_and_loses_nothing_and_does_nothing_twice(tmp_path):
    wanted = outcome(start(tmp_path / "whole", tmp_path))
    killed = start(tmp_path / "killed", tmp_path, "dies")
    killed.communicate(timeout=120)
    assert killed.returncode == -signal.SIGKILL
    trials = tmp_path / "killed" / "trials"
    records = {path: path.stat().st_mtime_ns for path in trials.glob("*/epochs-*.json")}
    assert len(records) == 3
    assert outcome(start(tmp_path / "killed", tmp_path)) == wanted
    assert {path: path.stat().st_mtime_ns for path in records} == records
    assert all(len(list(trial.glob("runs/*/config.json"))) == 1 for trial in trials.iterdir())


def test_two_sweeps_on_one_folder_share_the_work(tmp_path):
    wanted = outcome(start(tmp_path / "alone", tmp_path))
    both = [start(tmp_path / "shared", tmp_path) for _ in range(2)]
    assert [outcome(each) for each in both] == [wanted, wanted]
    trials = list((tmp_path / "shared" / "trials").iterdir())
    assert [len(list(trial.glob("runs/*/config.json"))) for trial in trials] == [1] * 6


def test_a_folder_is_one_trainings_and_can_be_opened(tmp_path):
    found = sweep(TRAINING, SPACE, replicas=2, folder=tmp_path)
    assert {(trial.name, *trial.scores) for trial in open_sweep(tmp_path).trials} == {
        (trial.name, *trial.scores) for trial in found.trials
    }
    wider = sweep(TRAINING, {**SPACE, "optimizer.learning_rate": [0.01, 0.3, 0.5]}, replicas=2, folder=tmp_path)
    assert len(wider.trials) == 6
    records = {path: path.stat().st_mtime_ns for path in tmp_path.glob("trials/*/epochs-4.json")}
    by_loss = sweep(TRAINING.changed(threads=1), SPACE, replicas=2, folder=tmp_path, score="loss")
    assert [trial.scores.tolist() for trial in by_loss.trials] == [trial.losses.tolist() for trial in found.trials]
    assert {path: path.stat().st_mtime_ns for path in records} == records  # nothing was trained for that
    with pytest.raises(OptionError, match="accuracy or loss"):
        sweep(TRAINING, SPACE, replicas=2, folder=tmp_path, score="R²")
    with pytest.raises(OptionError, match=r"another training: its replicas is 2[\s\S]*choose another folder"):
        sweep(TRAINING, SPACE, replicas=3, folder=tmp_path)
    with pytest.raises(OptionError, match="another training"):
        sweep(TRAINING.changed(seed=1), SPACE, replicas=2, folder=tmp_path)
    next(tmp_path.glob("trials/*/epochs-4.json")).write_text("{", encoding="utf-8")
    with pytest.raises(FileFormatError, match="delete it"):
        open_sweep(tmp_path)
    with pytest.raises(MissingFileError, match="there is no sweep"):
        open_sweep(tmp_path / "elsewhere")


@pytest.mark.parametrize(
    "space",
    [
        {"loss": ["mean_squared_error", "mean_absolute_error"]},
        {"loss": {"free": cr.SquaredError(), "held": cr.SquaredError() + cr.L2(0.01)}},
        {"network": ["2-3-1 tanh", "2-3-1 tanh softplus"]},  # whose targets are seen in other units
    ],
    ids=["losses", "penalties", "units"],
)
def test_losses_that_are_other_functions_are_not_compared(space):
    x = np.random.default_rng(0).normal(size=(40, 2))
    training = cr.Training("2-3-1 tanh", (x, np.exp(x[:, 0])), optimizer="sgd", epochs=1)
    with pytest.raises(OptionError, match=r"by the loss of settings with several[\s\S]*compared by R²"):
        sweep(training, space, replicas=2, score="loss")
    assert sweep(training, space, replicas=2).best.score == "R²"


# ---- executors


def test_processes_and_a_dask_cluster_give_the_same(tmp_path):
    distributed = pytest.importorskip("distributed", reason="Dask's cluster is an option")
    alone = sweep(TRAINING, SPACE, replicas=2)
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        pooled = sweep(TRAINING, SPACE, replicas=2, executor=pool, folder=tmp_path / "pool")
    cluster = distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
    with cluster, distributed.Client(cluster) as client:
        far = sweep(TRAINING, SPACE, replicas=2, executor=client, folder=tmp_path / "dask")
    for other in (pooled, far):
        assert [(t.name, t.scores.tolist(), t.steps) for t in other.trials] == [
            (t.name, t.scores.tolist(), t.steps) for t in alone.trials
        ]
        assert all(trial.run.is_dir() for trial in other.trials)


def test_optuna_searches(tmp_path):
    optuna = pytest.importorskip("optuna", reason="Optuna is an option")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    space = {
        "optimizer.learning_rate": Between(0.001, 1.0, log=True),
        "network": SPACE["network"],
        "batch_size": Between(5, 20, whole=True),
    }
    objective = cr.sweeps.optuna_objective(TRAINING, space, tmp_path, replicas=2)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=1))
    study.optimize(objective, n_trials=5)
    found = open_sweep(tmp_path)
    assert len(found.trials) == 5
    assert study.best_value == found.best.mean


# ---- verdicts


def trials(*scores, score="accuracy", part="validation"):
    return tuple(
        Trial({"network": f"2-{place}-2"}, score, part, np.array(row), np.zeros(len(row)), 5, 10, 0.5, 9)
        for place, row in enumerate(scores)
    )


def test_holms_correction_and_the_number_of_replicas_by_other_ways():
    random = np.random.default_rng(3)
    for count in (1, 2, 5, 20):
        raw = random.uniform(0, 0.2, count)
        order = np.argsort(raw)
        wanted = np.empty(count)
        wanted[order] = np.minimum(np.maximum.accumulate(raw[order] * np.arange(count, 0, -1)), 1)
        np.testing.assert_allclose(holm(raw.tolist()), wanted)
    for difference, level in ((1.0, 0.05), (0.5, 0.05), (0.8, 0.005)):
        count = int(replicas_needed(difference, 1.0, level))
        pairs = random.normal(difference, 1.0, (4000, count))
        assert 0.77 < np.mean(stats.ttest_1samp(pairs, 0.0, axis=1).pvalue < level) < 0.88


def test_differences_are_claimed_by_chance_no_more_often_than_is_said():
    random = np.random.default_rng(5)
    claimed = 0
    for _ in range(300):
        common = random.normal(size=8)
        found = Sweep(trials(*(0.9 + 0.01 * (common + random.normal(size=8)) for _ in range(6))), 8)
        claimed += any(beside.told_apart for beside in found.beside.values())
    assert claimed <= 24  # 5 % of 300 is 15; more than 24 has a chance of 1 %


def test_a_verdict_pairs_seeds_and_says_how_many_would_be_needed():
    common = np.array([0.1, -0.1, 0.05, -0.05, 0.02, -0.02, 0.07, -0.07])
    small = np.array([1, -1, 2, -2, 1, -1, 0.5, -0.5]) * 0.001
    found = Sweep(trials(0.8 + common, 0.79 + common + small, 0.8 + common - 0.001 + 3 * small), 8)
    assert found.best.name == "network=2-0-2"
    worse, near = found.beside["network=2-1-2"], found.beside["network=2-2-2"]
    assert worse.told_apart  # though each alone scatters by seven times the difference
    assert not near.told_apart
    assert "cannot be told apart with 8 replicas; about" in str(near)
    assert "Told apart from 1 of the 2 others: pairs of the same seed, corrected for 3 comparisons (Holm)" in found.verdict
    assert "Told apart" not in Sweep(trials([0.8], [0.7]), 1).verdict
    assert "nothing can be told apart" in Sweep(trials([0.8], [0.7]), 1).verdict
    assert "too good to be expected" in Sweep(trials([0.8, 0.7], [0.7, 0.7], part="test"), 2).verdict
    least = Sweep(trials([0.2, 0.3, 0.25], [0.1, 0.12, 0.11], score="loss"), 3)
    assert least.best.name == "network=2-1-2"


def test_tables_pictures_and_pages(tmp_path):
    pytest.importorskip("matplotlib", reason="pictures are drawn by matplotlib")
    space = {"network": SPACE["network"], "optimizer.learning_rate": Between(0.01, 1.0, points=3, log=True)}
    found = sweep(TRAINING, space, replicas=3)
    lines = str(found).splitlines()
    assert lines[0].split() == [
        "network",
        "optimizer.learning_rate",
        "accuracy",
        "beside",
        "the",
        "best",
        "epochs",
        "seconds",
        "parameters",
    ]
    assert len([line for line in lines if line.startswith("2-")]) == 6
    view = cr.pictures.sweep_scores(found)
    assert len(view.panels) == 2
    assert view.numbers[found.best.name].tolist() == found.best.scores.tolist()
    assert found.plot() is not None
    assert "Best on the validation part" in found._repr_html_()
    from chainrule.views.report.sweep import write_sweep_page

    page = write_sweep_page(found, tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count("<tr>") == 7
    assert "<svg" in page
    assert {"sweep_scores"} <= set(cr.pictures.of(found).column("picture"))


def test_a_learning_rate_is_found():
    training = cr.Training("2-8-2 tanh softmax", cr.data.moons(200, noise=0.1), batch_size=10)
    found = find_learning_rate(training, high=1e4)
    assert found.rates[-1] < 1e4  # it ended where the rate was far too large
    np.testing.assert_allclose(found.rates[1:] / found.rates[:-1], (1e4 / 1e-6) ** (1 / 199))
    assert found.losses.shape == (4, len(found.rates))
    good, bad = (
        training.changed(epochs=5, **{"optimizer.learning_rate": rate}).fit() for rate in (found.rate, found.rate / 300)
    )
    assert good.evaluate("test").loss[0] < bad.evaluate("test").loss[0]
    assert f"begin with a learning rate of about {found.rate:g}" in str(found)
    pytest.importorskip("matplotlib", reason="pictures are drawn by matplotlib")
    assert found.plot().get_xlabel() == "learning rate"
    assert str(found.rate) in found._repr_html_()


def test_records_are_plain_json(tmp_path):
    sweep(TRAINING, {"batch_size": [10]}, replicas=2, folder=tmp_path)
    record = json.loads(next(tmp_path.glob("trials/*/epochs-4.json")).read_text(encoding="utf-8"))
    assert record["setting"] == {"batch_size": "10"}
    assert len(record["scores"]) == 2


# ---- odd spaces and damaged folders


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (np.array([8, 16]), ["8", "16"]),
        ([np.int64(8), np.float32(0.5)], ["8", "0.5"]),
        ([0.1234567, 0.1234568, 0.1234567], ["0.123457", "0.1234568"]),
        ({" a\nlong  name": 8}, ["a long name"]),
    ],
)
def test_values_are_python_numbers_each_by_a_name_of_its_own_on_one_line(values, names):
    found = settings_of({"batch_size": values}, Grid())
    assert [labels["batch_size"] for labels, _ in found] == names
    assert all(type(setting["batch_size"]) in {int, float} for _, setting in found)


def test_replicas_are_no_field_to_sweep_over():
    with pytest.raises(OptionError, match="write replicas=8 beside it"):
        sweep(TRAINING, {"replicas": [1, 2]})


@pytest.mark.parametrize("content", ["3", "{}", "[]", "null", '{"replicas": "many"}'])
def test_a_folder_whose_description_is_damaged_says_so(tmp_path, content):
    (tmp_path / "sweep.json").write_text(content)
    for attempt in (lambda: open_sweep(tmp_path), lambda: sweep(TRAINING, {"epochs": [0]}, folder=tmp_path)):
        with pytest.raises(FileFormatError, match=r"sweep\.json cannot be read"):
            attempt()


def test_a_sweep_without_trials_says_so(tmp_path):
    (tmp_path / "sweep.json").write_text('{"replicas": 1}')
    assert "No training is done yet.\n0 trials of 1 replica," in str(open_sweep(tmp_path))


@pytest.mark.parametrize(
    ("training", "options", "said"),
    [
        (TRAINING, {"steps": 1}, "2 or more"),
        (
            cr.Training("2-4-2 tanh softmax", "moons", epochs=2),
            {"high": 1e300, "steps": 30},
            "(?s)fell at none of .* rates.*more steps",
        ),
        (cr.Training("2-2", DATA, optimizer="lbfgs"), {}, "searches for the size"),
    ],
)
def test_no_learning_rate_is_found_where_none_can_be(training, options, said):
    with pytest.raises(OptionError, match=said):
        find_learning_rate(training, **options)


def test_a_loss_that_still_falls_at_the_largest_rate_is_said():
    rates, losses = np.array([0.01, 0.1, 1.0]), np.array([[3.0, 2.0, 1.0]])
    assert "still fell: write a larger high=" in str(LearningRates(rates, losses))
    assert "still fell" not in str(LearningRates(rates, np.array([[3.0, 1.0, 50.0]])))
