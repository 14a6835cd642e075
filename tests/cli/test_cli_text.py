"""The command line on texts: train, predict for a text, write."""

import json

import pytest
from click.testing import CliRunner

import chainrule as cr
from chainrule.cli.application import application


def call(*arguments, code=0):
    result = CliRunner().invoke(application, list(map(str, arguments)))
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A run on characters, and one on opinions, trained at the command line."""
    runs = tmp_path_factory.mktemp("runs")
    said = call(
        "train", "next_character", "--network", "6x35-flatten-20-35", "--option", "length=6", "--optimizer", "adam",
        "--epochs", 2, "--runs", runs,
    ).output  # fmt: skip
    assert "chainrule generate" in said
    said = call(
        "train", "opinions", "--network", "37-1:sigmoid", "--optimizer", "adam", "--learning-rate", 0.03, "--epochs", 20,
        "--runs", runs,
    ).output  # fmt: skip
    assert "chainrule generate" not in said
    characters, opinions = sorted(path for path in runs.iterdir() if path.is_dir())
    return characters, opinions


def test_a_sentence_is_judged(folders):
    (row,) = map(json.loads, call("predict", folders[1], "--text", "the soup was superb .", "--json").output.splitlines())
    assert row["class"] == "praise"
    assert row["probabilities"]["praise"] == pytest.approx(cr.open_run(folders[1]).probabilities("the soup was superb .")[0, 1])
    assert "'pizza'" in call("predict", folders[1], "--text", "the pizza", code=2).stderr


def test_text_is_written(folders):
    run, options = cr.open_run(folders[0]), ("--tokens", 30, "--temperature", 0.5, "--seed", 3)
    wanted = run.generate("The cat ", 30, temperature=0.5, seed=3)
    assert call("generate", folders[0], "The cat ", *options).output == f"{wanted}\n"
    assert json.loads(call("generate", folders[0], "The cat ", *options, "--json").output)["text"] == wanted


@pytest.mark.parametrize("encoding", ["ids", "one_hot"])
def test_a_network_with_a_memory_is_decided_and_learns(encoding, tmp_path):
    asked = ("train", "story", "--option", f"encoding={encoding}", "--option", "sentences=2", "--option", "n=60")
    said = call(*asked, "--epochs", 1, "--no-save").output
    assert "LSTM(32)" in said
    assert ("Embedding(33, 16)" in said) == (encoding == "ids")
    assert "test accuracy" in said


def test_refusals(folders):
    assert "two inputs or more" in call("predict", folders[0], "--text", "The cat", "--example", 1, code=2).stderr
    assert "no input" in call("predict", folders[0], code=2).stderr
    assert "'opinions'" in call("generate", folders[1], code=2).stderr
    assert "'7'" in call("generate", folders[0], "7 cats", code=2).stderr
    assert "temperature=-1.0" in call("generate", folders[0], "--temperature", -1, code=2).stderr


@pytest.mark.parametrize(
    ("text", "encoding", "wanted"),
    [
        ("−4×10⁻¹⁵", "ascii", "-4x10^-15"), ("10²⁰, x², a⁽²⁾, x₁₂", "ascii", "10^20, x^2, a^(2), x_1_2"),
        ("5.951×10⁻¹²", "latin-1", "-".join(("5.951×10^", "12"))), ("Wᵀx²", "ascii", "W^Tx^2"),
    ],
)  # fmt: skip
def test_powers_are_spelled_as_one(text, encoding, wanted):
    assert text.encode(encoding, "chainrule.spelled").decode(encoding) == wanted
