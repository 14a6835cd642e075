"""Tables at the command line: their forms in options, remedies in options, and new files read as the old one was."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import chainrule as cr
from chainrule.cli.application import application
from chainrule.data.form import WORDS
from chainrule.train import open_run

ROWS = [
    (f"{k % 7},{k % 3}", "red" if k % 2 else "blue", "-" if k == 9 else f"{k},5", "yes" if k % 2 else "no") for k in range(40)
]
GERMAN = "Größe;Farbe;Höhe;Ziel;\nm;;cm;;\n" + "".join(";".join(row) + ";\n" for row in ROWS)
FORM = ("--encoding", "cp1252", "--decimal", ",", "--na-values=-", "--units")


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("messung.txt").write_text(GERMAN, encoding="cp1252")


def call(*arguments, code=0, given=None):
    result = CliRunner().invoke(application, arguments, input=given)
    assert result.exit_code == code, result.stderr
    return result


def train(*options, code=0, file="messung.txt"):
    return call("train", file, "--network", "4-3-2", "--epochs", "1", *options, code=code)


def test_a_form_is_told_once_and_remembered():
    told = train("--target", "Ziel", "--missing", "drop", *FORM).stdout
    assert "the row of units (m, , cm, , ) was left out" in told
    assert "left out: 1 empty column behind the last delimiter" in told
    assert "rows with missing cells were left out: 1 of 40, 2% (1 miss 'Höhe')" in " ".join(told.split())
    assert "texts were taken for categories: 'Farbe' (2)" in " ".join(told.split())
    form = open_run("runs/latest").dataset_info.columns.form
    assert form.told() == {"encoding": "cp1252", "decimal": ",", "na_values": ("-",), "units": True}
    again = call("evaluate", "latest", "messung.txt")
    assert "left out: 1 of 40 rows of messung.txt\n  1 row misses a value of 'Höhe' (line 12)\n" in again.stderr
    predicted = call("predict", "latest", "messung.txt").stdout.splitlines()
    assert len(predicted) == 41
    assert predicted[10] == ","
    plain = GERMAN.replace("m;;cm;;\n", "").replace(",", ".").replace("-;", "?;")
    Path("neu.csv").write_text(plain, encoding="utf-8")
    other = ("--encoding", "utf-8", "--decimal", ".", "--na-values", "?")
    refused = call("predict", "latest", "neu.csv", *other, code=2).stderr
    assert "line 2, the row of units, holds '0.0', 'blue', '0.5', 'no'" in refused
    assert "read with --no-units" in refused
    assert call("predict", "latest", "neu.csv", *other, "--no-units").stdout.splitlines() == predicted
    assert call("resume", "latest", "--epochs", "2").exit_code == 0


def test_remedies_are_options_that_help():
    """Whoever does what each message says comes to a trained network."""
    options = ["--target", "Ziel"]
    for _ in range(8):
        result = CliRunner().invoke(application, ["train", "messung.txt", "--network", "4-3-2", "--epochs", "1", *options])
        if result.exit_code == 0:
            break
        assert result.exit_code == 2
        remedy = result.stderr.split("fix: ")[1]
        assert "=(" not in remedy
        words = shlex.split(remedy.replace(";", " ").replace("(", " ( "))
        place = next(place for place, word in enumerate(words) if word.startswith("--"))
        flag = words[place].strip(",")
        options += [flag] if flag == "--units" else [flag, words[place + 1]]
    assert result.exit_code == 0
    assert options[2:] == ["--encoding", "cp1252", "--missing", "drop", "--decimal", ",", "--na-values", "-"]


def test_unknown_categories_leave_the_other_rows_their_predictions():
    train("--target", "Ziel", "--missing", "drop", *FORM)
    Path("neu.txt").write_text("Höhe;Farbe;Größe\ncm;;m\n1,5;red;2,5\n1,5;pink;2,5\n2,5;blue;1\n", encoding="cp1252")
    for given in (("neu.txt",), ("neu.txt", "--output", "out.csv"), ("neu.txt", "--json")):
        result = call("predict", "latest", *given)
        assert "left out: 1 of 3 rows" in result.stderr
        assert "1 row holds a category of 'Farbe' that is not known, 'pink' (line 4)" in result.stderr
    rows = Path("out.csv").read_text().splitlines()
    assert rows[2] == ","
    assert all(len(row) > 3 for row in (rows[1], rows[3]))
    given = Path("neu.txt").read_bytes()
    assert call("predict", "latest", "-", given=given).stdout.splitlines() == rows
    Path("rosa.txt").write_text("Höhe;Farbe;Größe\ncm;;m\n1,5;pink;2,5\n", encoding="cp1252")
    assert "the category 'pink' is not known" in call("predict", "latest", "rosa.txt", code=2).stderr


def test_a_file_without_names():
    Path("abalone.data").write_text("".join(f"{'MFI'[k % 3]},0.{k + 11},{k / 7:.3f},{k % 4}\n" for k in range(60)))
    refused = call("train", "abalone.data", "--target", "3", code=2).stderr
    assert (
        "line 1, the header: it holds 'M', '0.11', '0.000', '0', like the rows below: the names seem to be missing" in refused
    )
    assert "--header none" in refused
    train("--header", "none", "--target", "3", "--network", "5-3-4", file="abalone.data")
    assert "abalone accuracy" in call("evaluate", "latest", "abalone.data").stdout
    train(
        "--option",
        "header=none",
        "--option",
        "names=sex,long,high,rings",
        "--target",
        "rings",
        "--network",
        "5-3-4",
        file="abalone.data",
    )
    assert open_run("runs/latest").dataset_info.features[-1] == "high"


def test_names_with_commas_and_blanks_can_be_dropped():
    Path("who.csv").write_text('"last, first",a,y\n' + "".join(f"name {chr(65 + k)},{k},{k / 3}\n" for k in range(20)))
    refused = call("train", "who.csv", "--target", "y", code=2).stderr
    remedy = shlex.split(refused.split("leave it out: ")[1].split(";")[0])
    assert remedy == ["--option", 'drop="last, first"']
    train(*remedy, "--target", "y", "--network", "1-2-1", file="who.csv")


def test_every_option_of_a_form_is_an_option_of_the_commands():
    for command in ("train", "evaluate", "predict"):
        text = call(command, "--help").stdout
        assert all(f"--{word.replace('_', '-')}" in text for word in WORDS)
    assert "decimal" in train("--target", "Ziel", "--decimal", "x", code=2).stderr


def test_usual_marks_of_missing_cells_can_be_categories():
    rows = "".join(f"{('NA', 'DE', 'FR')[k % 3]},{k % 5},{'yes' if k % 2 else 'no'}\n" for k in range(60))
    Path("countries.csv").write_text("country,x,y\n" + rows)
    options = ("--network", "4-3-2", "--epochs", "1", "--target", "y")
    assert "the value is missing" in call("train", "countries.csv", *options, code=2).stderr
    call("train", "countries.csv", *options, "--no-keep-default-na")
    run = open_run("runs/latest")
    assert run.dataset_info.features == ("country=DE", "country=FR", "country=NA", "x")
    # New tables, from files and in frames, are read alike.
    assert len(call("predict", "latest", "-", given="country,x\nNA,1\nDE,2\n").stdout.splitlines()) == 3
    assert run.predict({"country": ["NA", "FR"], "x": [1.0, 2.0]}).shape == (2, 2)
    assert "the value is missing" in call("predict", "latest", "-", given="country,x\n,1\n", code=2).stderr


def test_a_table_on_standard_input_is_never_cut(monkeypatch):
    train("--target", "Ziel", "--missing", "drop", *FORM)
    monkeypatch.setattr("chainrule.cli.predict.MOST_BYTES", 20)
    told = call("predict", "latest", "-", given="Größe,Farbe,Höhe\n" + "1,red,2\n" * 9, code=2).stderr
    assert "standard input gives more than 20 bytes" in told


def test_arrays_in_a_folder_are_trained_and_gone_on_with():
    Path("data").mkdir()
    x = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    np.save("data/x.npy", x)
    np.save("data/y.npy", np.arange(60) % 2)
    call("train", "data", "--network", "3-2-2", "--epochs", "1")
    call("resume", "latest", "--epochs", "2")
    expected = cr.fit("3-2-2", cr.data.load("data"), epochs=2)
    assert open_run("runs/latest").trainer.hash == expected.trainer.hash


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1.0, 1e30, 1e300])
def test_predictions_have_the_digits_that_the_network_has_whatever_their_unit(scale):
    x = np.random.default_rng(0).normal(size=(60, 2))
    rows = [f"{a!r},{b!r},{(a - b) * scale!r}" for a, b in x.tolist()]
    Path("a.csv").write_text("\n".join(["a,b,y", *rows]) + "\n", encoding="utf-8")
    call("train", "a.csv", "--target", "y", "--network", "2-4-1 tanh", "--epochs", "3", "--quiet")
    texts = call("predict", "runs/latest", "a.csv").output.split()[1:]
    wanted = open_run("runs/latest").predict(x)[:, 0]
    np.testing.assert_allclose(np.array(texts, float), wanted, rtol=1e-5, atol=1e-7 * scale)
    assert max(len(text.lstrip("-").partition("e")[0].replace(".", "").lstrip("0")) for text in texts) <= 10


def test_every_command_takes_a_branch():
    run = cr.fit("2-4-2 tanh softmax", cr.data.moons(60), epochs=4, batch_size=10, folder="runs")
    branch = str(run.branch(12, learning_rate=0.01, epochs=6, folder="runs").folder)
    call("report", branch, "--output", "branch.html")
    call("doctor", branch, "--only", "dead units")
    call("show", branch)
    call("resume", branch, "--epochs", "7", "--quiet")


def test_a_second_target_is_not_dropped_in_silence():
    Path("two.csv").write_text("a,y,y2\n" + "".join(f"{i},{2 * i},{3 * i}\n" for i in range(9)), encoding="utf-8")
    for command in (("train", "--epochs", "1"), ("sweep", "--learning-rate", "0.1,0.2"), ("lab", "--no-browser")):
        told = call(command[0], "two.csv", "--target", "y", "--target", "y2", *command[1:], code=2).stderr
        assert "--target y --target y2" in told
        assert "columns of the y in an .npz file" in told
    call("train", "two.csv", "--target", "y", "--target", "y", "--epochs", "1")
