"""`chainrule sweep` from end to end: what braces and intervals stand for, its folder, its page, JSON, and faults in one message."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

import chainrule as cr
from chainrule.cli.application import application

MOONS = ("sweep", "moons", "--option", "n=60", "--epochs", "3", "--replicas", "3")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def said(*words, code=0):
    found = CliRunner().invoke(application, list(words))
    assert found.exit_code == code, found.output
    return found.output


def test_a_sweep_is_told_kept_and_written(tmp_path):
    way = (*MOONS, "--network", "2-{4,6}-2 tanh softmax", "--learning-rate", "0.01:1:log3", "--folder", "kept")
    text = said(*way, "--output", "page.html")
    assert text.count("network=2-4-2 tanh softmax, optimizer.learning_rate=") >= 3
    assert "6 trials of 3 replicas" in text
    assert "Best on the test part" in text
    assert "<svg" in (tmp_path / "page.html").read_text(encoding="utf-8")
    command = next(line.split() for line in text.splitlines() if line.startswith("  chainrule show"))
    kept = cr.open_run(command[-1])
    best = cr.sweeps.open_sweep("kept").best
    assert {"network": kept.problem.network, "rate": kept.settings.optimizer.learning_rate} == {
        "network": cr.parse_network(best.setting["network"]),
        "rate": float(best.setting["optimizer.learning_rate"]),
    }
    again = said(*way, "--quiet")
    assert again.strip() == str(cr.sweep(
        cr.Training("2-4-2 tanh softmax", cr.data.load("moons", n=60), epochs=3),
        {"network": ["2-4-2 tanh softmax", "2-6-2 tanh softmax"], "optimizer.learning_rate": [0.01, 0.1, 1.0]},
        replicas=3, folder="kept",
    )).strip()  # fmt: skip


def test_lines_of_json_and_everything_that_can_be_tried():
    lines = said(
        *MOONS, "--network", "2-4-2", "--optimizer", "sgd,adam", "--batch-size", "8,16", "--l2", "0,0.001", "--set",
        "clip=none", "--random", "5", "--seed", "3", "--json",
    )  # fmt: skip
    *trials, last = map(json.loads, lines.splitlines())
    assert 3 <= len(trials) <= 5  # equal settings count once
    assert trials[0]["setting"].keys() == {"optimizer", "batch_size", "loss"}
    assert last["best"] in [trial["setting"] for trial in trials]
    assert last["beside"].keys() == {
        ", ".join(f"{k}={v}" for k, v in trial["setting"].items()) for trial in trials if trial["setting"] != last["best"]
    }


def test_halving_and_workers():
    text = said("sweep", "moons", "--option", "n=60", "--network", "2-4-2", "--learning-rate", "0.01:1:log4", "--replicas", "2",
                "--halving", "1,2", "--workers", "2", "--quiet")  # fmt: skip
    assert text.count("left behind") == 3


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--network", "2-4-2", "--learning-rate", "fast"), "numbers with commas between"),
        (("--network", "2-4-2", "--learning-rate", "1:0.1:log5"), "low < high"),
        (("--network", "3-{4,8}-2"), "2"),
        (("--network", "2-4-2", "--batch-size", "8.5,9"), "write for example 16,32"),
        (("--network", "2-4-2", "--set", "momentum"), "optimizer.momentum=0,0.9"),
        (("--network", "2-4-2", "--set", "optimizer.momentun=0,0.9"), "momentun"),
        (("--network", "2-4-2", "--optimizer", "sgd,adan"), "adam"),
        (("--network", "2-4-2", "--random", "3", "--sobol", "4"), "leave one out"),
        (("--network", "2-4-2", "--halving", "3,1"), "rising numbers"),
        (("--network", "2-4-2", "--score", "beauty"), "accuracy"),
    ],
)
def test_faults_are_one_message(words, expected):
    text = said(*MOONS, *words, code=2)
    assert expected in text
    assert text.startswith("error: ")
    assert "Traceback" not in text


def test_whole_numbers_stay_whole_and_remedies_are_commands():
    assert "2 trials of 3 replicas" in said(*MOONS, "--network", "2-2", "--set", "seed=0,5")
    assert "write for example 0.001:1:log5" in said(*MOONS, "--network", "2-2", "--learning-rate", "1:0.1:3", code=2)
    assert "write --halving 1,3,9" in said(*MOONS, "--network", "2-2", "--halving", "3,1", code=2)
