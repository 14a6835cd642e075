"""`chainrule explain`: what the terminal shows of a run's example."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

import chainrule as cr
from chainrule.cli import application


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("runs")
    return str(cr.fit("2-4-2 relu softmax", "moons", epochs=2, batch_size=20, folder=folder).folder)


def said(*words: str) -> str:
    result = CliRunner().invoke(application, ["explain", *words], env={"COLUMNS": "100"})
    assert result.exit_code == 0, result.output
    return result.output


def test_both_passes(saved: str) -> None:
    text = said(saved, "--example", "7")
    assert "example: 7 of the test part" in text
    assert text.index("FORWARD") < text.index("BACKWARD") < text.index("CHECKS")
    assert "✗" not in text
    assert max(map(len, text.splitlines())) <= 100


def test_parts_levels_and_nodes(saved: str) -> None:
    assert "FORWARD" not in said(saved, "--backward")
    assert "BACKWARD" not in said(saved, "--forward")
    assert "should" in said(saved, "--level", "picture")
    assert "W⁽²⁾" in said(saved, "--notation", "layers")
    node = said(saved, "--node", "dense1.a")
    assert "the sum over 2 paths" in node
    assert "FORWARD" not in node
    assert "∂C/∂dense1.W[1,2]" in said(saved, "--entry", "dense1.W:1,2")
    assert "%" in said(saved, "--every", "--forward")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--example", "100000"], "example 100000 of the test part"),
        (["--node", "dense9.z"], "no quantity 'dense9.z'"),
        (["--entry", "dense1.W"], "--entry dense1.W"),
        (["--entry", "dense1.W:9,9"], "entry [9, 9] of dense1.W"),
        (["--part", "holiday"], "part 'holiday'"),
        (["--replica", "3"], "replica 3"),
    ],
)
def test_mistakes_are_said_in_one_message(saved: str, words: list[str], complaint: str) -> None:
    result = CliRunner().invoke(application, ["explain", saved, *words])
    assert result.exit_code == 2
    assert complaint in result.output
    assert "Traceback" not in result.output


def test_a_run_that_is_not_there(tmp_path: Path) -> None:
    result = CliRunner().invoke(application, ["explain", str(tmp_path / "none")])
    assert result.exit_code == 2
    assert "there is no run" in result.output


def test_why_this_answer_and_not_another(saved: str) -> None:
    text = said(saved, "--example", "7", "--why")
    assert text.startswith("test example 7: why upper and not lower")
    assert "the sum closes: " in text
    assert said(saved, "--example", "7", "--instead-of", "lower") == text
    # The message offers places too, which the command line has as texts.
    names = cr.open_run(saved).dataset_info.classes
    assert said(saved, "--example", "7", "--instead-of", str(names.index("lower"))) == text
    one = said(saved, "--example", "7", "--why").split("why ")[1].split(" and")[0]
    refused = CliRunner().invoke(application, ["explain", saved, "--example", "7", "--instead-of", str(names.index(one))])
    assert "fix: write --why in place of --instead-of" in refused.output
    refused = CliRunner().invoke(application, ["explain", saved, "--instead-of", "middle"])
    assert refused.exit_code == 2
    assert "instead_of='middle'" in refused.output
