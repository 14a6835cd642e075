"""`chainrule doctor`: what the terminal shows of what may be the matter with a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import chainrule as cr
from chainrule.cli import application
from chainrule.errors import NonFiniteError


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("runs")
    net = cr.Sequential(cr.Dense(4, "relu", biases=cr.Constant(-9.0)), cr.Dense(2, "softmax"))
    return str(cr.fit(net, "moons", epochs=4, batch_size=20, folder=folder).folder)


def said(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(application, ["doctor", *words], env={"COLUMNS": "100"})
    assert result.exit_code == code, result.output
    return result.output


def test_it_names_the_evidence_and_the_cures(saved: str) -> None:
    text = said(saved)
    assert text.startswith("moons, 40 steps: 2 things are wrong")
    assert "why: dead units" in text
    assert "dense1 units 0, 1, 2, 3: dead from the start" in text
    assert "cr.Training.of(run).changed(network=cr.Sequential(" in text
    assert "--try" in text
    assert max(map(len, text.splitlines())) <= 100


def test_cures_are_tried(saved: str) -> None:
    text = said(saved, "--try", "--seeds", "4", "--only", "dead units")
    assert "tried: better: test accuracy 0.50" in text
    assert "(4 seeds, paired)" in text


def test_json(saved: str) -> None:
    told = json.loads(said(saved, "--json", "--only", "dead units"))
    assert told["kind"] == "diagnosis"
    assert told["findings"][0]["numbers"]["units"] == {"dense1.a": [0, 1, 2, 3]}


def test_a_run_that_ended_in_nan(tmp_path: Path) -> None:
    with pytest.raises(NonFiniteError):
        cr.fit("2-8-2 relu", "moons", loss="squared_error", optimizer=cr.SGD(1e4), epochs=3, folder=tmp_path)
    assert "✗ numbers that are not finite: the training ended at step" in said(str(tmp_path / "latest"))


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--only", "dead"], "ailment 'dead'"),
        (["--replica", "3"], "replica 3"),
        (["--try", "--seeds", "1"], "two seeds or more"),
    ],
)
def test_bad_wishes(saved: str, words: list[str], complaint: str) -> None:
    result = CliRunner().invoke(application, ["doctor", saved, *words])
    assert result.exit_code == 2
    assert complaint in result.output
    assert "Traceback" not in result.output
