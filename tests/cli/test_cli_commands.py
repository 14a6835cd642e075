"""The commands from the outside: what they print, write and answer, with classes, numbers, tables and hostile names."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner
from rich.console import Console

import chainrule as cr
from chainrule.cli import application
from chainrule.cli.application import COMMANDS as COMMANDS_AND_WHAT_FOR
from chainrule.cli.locate import parsed_options
from chainrule.examples import EXAMPLES, Fact, LectureExample, Outcome
from chainrule.train import Training
from tests.train.folders import as_old

MOONS = ("train", "moons", "--network", "2-8-2", "--option", "n=60", "--epochs", "3")


@pytest.fixture(autouse=True)
def _in_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)


def call(*arguments, code=0, stdin=None, env=None):
    result = CliRunner().invoke(application, list(map(str, arguments)), input=stdin, env=env)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    assert "\x1b" not in result.stdout
    assert "Traceback" not in result.output
    return result


def rows(text):
    return [json.loads(line) for line in text.splitlines()]


def write_plants(path="plants.csv", kinds=("fern", "moss"), count=60):
    random = np.random.default_rng(0)
    lines = ["height,soil,kind"]
    for place in range(count):
        which = place % len(kinds)
        lines.append(f"{random.normal(which):.3f},{random.choice(['wet', 'dry'])},{kinds[which]}")
    Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


# ---- help


COMMANDS = {name: import_module(f"chainrule.cli.{name}").__dict__[name] for name in COMMANDS_AND_WHAT_FOR}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_explained(name):
    command = COMMANDS[name]
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, option.name
            assert len(option.help) > 10
    text = call(name, "--help").stdout
    assert "Words:" in text
    assert text.count("chainrule ", text.index("Examples:")) >= 2
    assert max(map(len, text.splitlines())) <= 110


def test_train_explains_the_words():
    text = " ".join(call("train", "--help").stdout.split()).casefold()
    for word in ("a batch is", "an epoch is", "the seed", "replicas are", "an example is"):
        assert word in text


def test_examples_in_the_help_are_accepted():
    """Each example names options and commands that exist."""
    for command in COMMANDS.values():
        for line in command.examples:
            words = line.split("|")[-1].split()
            assert words[:2] == ["chainrule", command.name]
            known = {flag for option in command.params for flag in option.opts}
            assert {word for word in words if word.startswith("--")} <= known


def test_no_arguments_and_version():
    result = CliRunner().invoke(application, [])
    assert "Commands:" in result.output
    assert "chainrule train mnist" in result.output
    assert call("--version").stdout == f"chainrule {cr.__version__}\n"


# ---- train


def test_train_says_what_and_how_well():
    text = call(*MOONS).stdout
    for part in ("42 parameters", "moons: 60 training, 60 test examples", "C = 1/B", "3 epochs of 2 batches of 32", "epoch 3 of 3",
                 "test accuracy", "truth", "predicted", "chainrule show runs/latest", "chainrule predict runs/latest"):  # fmt: skip
        assert part in text
    assert (Path("runs") / "latest.txt").is_file()


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_narrow_screens(width):
    text = call(*MOONS, "--no-save", env={"COLUMNS": str(width)}).stdout
    kept = [line for line in text.splitlines() if not line.startswith("epoch")]
    assert max(map(len, kept)) <= width


def test_train_json():
    found = rows(call(*MOONS, "--json", "--replicas", 2).stdout)
    assert [row["kind"] for row in found] == ["epoch"] * 3 + ["result"]
    assert [row["epoch"] for row in found[:3]] == [1, 2, 3]
    assert len(found[0]["training"]["accuracy"]) == 2
    result = found[-1]
    assert np.shape(result["confusion"]) == (2, 2, 2)
    assert result["parameters"] == 42
    assert result["network"] == "2-8-2"
    assert Path(result["folder"]).is_dir()


def test_json_is_the_run_itself():
    result = rows(call(*MOONS, "--json", "--no-save").stdout)[-1]
    run = cr.fit("2-8-2", cr.data.moons(60), epochs=3)
    assert result["scores"]["loss"] == run.evaluate().loss.tolist()
    assert result["folder"] is None
    assert not Path("runs").exists()


def test_quiet():
    lines = call(*MOONS, "--quiet").stdout.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("test accuracy")


def test_evaluate_every():
    found = rows(call(*MOONS, "--json", "--no-save", "--evaluate-every", 2).stdout)
    assert [row.get("epoch") for row in found[:-1]] == [2, 3]


def test_options_reach_the_training():
    call(*MOONS, "--optimizer", "adam", "--learning-rate", 0.5, "--l2", 0.01, "--l1", 0.02, "--seed", 7, "--dtype", "float64",
         "--batch-size", 10, "--replicas", 2, "--loss", "cross_entropy_from_logits")  # fmt: skip
    run = cr.open_run("runs/latest")
    assert run.settings.optimizer == cr.Adam(0.5)
    assert (run.settings.seed, run.settings.dtype, run.settings.batch_size, run.settings.replicas) == (7, "float64", 10, 2)
    assert [type(term).__name__ for term in run.problem.objective.terms] == ["CrossEntropy", "L2", "L1"]


def test_batches_of_small_data():
    assert "4 examples" in call("train", "xor", "--network", "2-4-2", "--no-save").stdout
    assert "a batch of 32 from 4" in call("train", "xor", "--network", "2-4-2", "--batch-size", 32, code=2).stderr


def test_regression_and_lbfgs():
    text = call("train", "curve", "--network", "1-10-1 tanh", "--optimizer", "lbfgs", "--epochs", 20).stdout
    for part in ("test R²", "mean absolute error", "at most 20 iterations", "float64", "Trained 20 iterations"):
        assert part in text
    assert "confusion" not in text
    found = rows(call("train", "curve", "--network", "1-4-1", "--optimizer", "lbfgs", "--epochs", 3, "--json").stdout)
    assert [row["kind"] for row in found] == ["epoch", "result"]
    assert len(found[-1]["scores"]["r_squared"]) == 1
    for option in (("--batch-size", 4), ("--learning-rate", 0.1)):
        call("train", "curve", "--network", "1-4-1", "--optimizer", "lbfgs", *option, code=2)


@pytest.mark.parametrize(
    ("data", "text"), [("mnist", "784-100-10"), ("moons", "2-100-2"), ("curve", "1-100-1"), ("plants.csv", "3-100-2")]
)
def test_a_network_that_is_not_named_is_decided(data, text):
    write_plants()
    target = ("--target", "kind") if data.endswith("csv") else ()
    said = call("train", data, *target, "--epochs", 1).stdout
    assert f"network {text}: one hidden layer, as no network was named" in " ".join(said.split())
    assert "optimizer, as not named: " in " ".join(said.split())
    assert text in call("runs").stdout


def test_what_is_not_said_is_decided_and_its_reason_printed():
    said = " ".join(call("train", write_plants(), "--target", "kind").stdout.split())
    assert "optimizer and epochs, as not named: few steps at a falling rate" in said
    assert "learning rate InverseSquareRoot(0.003)" in said
    assert "= 2 000 steps" in said
    assert "Decided" not in call("train", "moons", "--network", "2-4-2", "--optimizer", "sgd", "--epochs", 1).stdout


def test_a_run_that_was_too_short_says_how_to_go_on():
    options = ("--network", "1-50-1", "--optimizer", "adam", "--learning-rate", 0.0003, "--epochs", 20)
    assert "--epochs 40" in call("train", "curve", *options).stdout.partition("not converged")[2]


def test_the_network_for_pictures_flattens():
    np.savez("pictures.npz", x=np.zeros((40, 4, 4)), y=np.arange(40) % 2)
    assert "network 4x4-flatten-100-2" in call("train", "pictures.npz", "--no-save", "--epochs", 1).stdout


def test_early_stopping_and_validation():
    np.savez("apart.npz", x_train=np.eye(4), y_train=[0, 1, 0, 1], x_validation=np.eye(4), y_validation=[1, 0, 1, 0])
    options = ("--network", "4-4-2", "--early-stopping", 2, "--epochs", 50)
    text = call("train", "apart.npz", *options).stdout
    assert "Ended early" in text
    assert "early stopping" in call("resume", "latest", "--epochs", 60, code=2).stderr
    assert "validation" in text
    assert "--validation 0.1" in call(*MOONS, "--early-stopping", 2, code=2).stderr
    assert "mnist or a file" in call(*MOONS, "--validation", "0.1", code=2).stderr
    for amount in ("0", "-1", "x", "1.5"):
        call("train", write_plants(), "--target", "kind", "--network", "3-4-2", "--validation", amount, code=2)


@pytest.mark.parametrize("amount", ["0.25", "15"])
def test_validation_of_a_table(amount):
    call_options = ("--target", "kind", "--network", "3-4-2", "--validation", amount, "--epochs", 5)
    assert "33 training, 15 validation, 12 test" in call("train", write_plants(), *call_options).stdout
    assert "15" in call("evaluate", "latest", "--part", "validation").stdout
    assert "epoch 7" in call("resume", "latest", "--epochs", 7).stdout


def test_what_was_interrupted_is_kept(monkeypatch):
    """Ctrl-C, here by way of the trainer's own flag: exit code 130, and how to go on."""
    started = cr.train.Trainer.train

    def interrupted(trainer, callbacks=()):
        started(trainer, (*callbacks, lambda moment: moment.kind == "epoch"))
        trainer.stopped = "interrupted"

    monkeypatch.setattr(cr.train.Trainer, "train", interrupted)
    text = call(*MOONS, code=130).stdout
    assert "Interrupted after 1 of 3 epochs" in text
    assert "chainrule resume runs/latest" in text
    assert "nothing was saved" in call(*MOONS, "--no-save", code=130).stdout


def test_an_interrupt_elsewhere(monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("chainrule.cli.train.load_data", interrupted)
    assert call(*MOONS, code=130).stderr == "\ninterrupted\n"


def test_what_is_not_the_users_mistake_is_not_swallowed(monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr("chainrule.cli.train.load_data", broken)
    with pytest.raises(ZeroDivisionError):
        call(*MOONS)


# ---- errors


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("trian", "mnist"), "did you mean 'train'"),
        (("mnist",), 'write "chainrule train mnist"'),
        (("walk",), "the commands are train, sweep, resume"),
        (("train", "mnits", "--network", "2-2"), "did you mean 'mnist'"),
        (("train", "moons", "--netwrok", "2-2"), "--network"),
        (("train", "moons", "--network", "2-4-3"), "2 classes"),
        (("train", "moons", "--network", "3-4-2"), "begin the network with 2"),
        (("train", "moons", "--network", "2-4-2 rleu"), "did you mean 'relu'"),
        ((*MOONS, "--optimizer", "adma"), "did you mean 'adam'"),
        ((*MOONS, "--loss", "crossentropy"), "did you mean 'cross_entropy'"),
        ((*MOONS, "--engine", "magic"), "reference"),
        ((*MOONS, "--epochs", "-1"), "0 or more"),
        ((*MOONS, "--epochs", "many"), "not a valid integer"),
        ((*MOONS, "--dtype", "float16"), "'float32', 'float64'"),
        ((*MOONS, "--option", "noise"), "a name and a value"),
        ((*MOONS, "--option", "n=50"), "given twice"),
        ((*MOONS, "--option", "nosie=1"), "did you mean 'noise'"),
        ((*MOONS, "--option", "split=1"), "--validation"),
        ((*MOONS, "--option", "target=y"), "--target"),
        ((*MOONS, "--learning-rate", "1e30"), "lower the learning rate"),
        (("train", "nowhere.csv", "--target", "y", "--network", "2-2"), "nowhere.csv"),
        (("show", "runs/latest"), "there is no run"),
        (("show", "2026-01-01_12-00-00_moons"), "there is no run"),
        (("show", "784-16-10 sigmiod"), "did you mean"),
        (("show", "2-3-1", "--code", "pytorhc"), "'pytorch'"),
        (("show", "2-3-1", "--code", "keras", "--stage", "graph"), "leave out --stage"),
        (("show", "2-3-1", "--code", "keras", "--trace"), "leave out --stage"),
        (("show", "2-3-1 step", "--code", "keras"), 'write it for "jax"'),
        (("runs", "nowhere"), "train first"),
        (("predict", "latest"), "--example"),
    ],
)
def test_errors_are_one_message(arguments, hint):
    result = call(*arguments, code=2)
    assert hint in result.stderr
    assert result.stdout == "" or "parameters" in result.stdout


def test_hostile_names_are_text(tmp_path):
    name = "[red]\x1b[31m.csv"
    assert "[red]�[31m.csv" in call("train", name, "--target", "y", "--network", "1-2", code=2).stderr
    result = call("train", write_plants(kinds=("[bold red]a", "\x1b[31mb")), "--target", "kind", "--network", "3-4-2")
    assert "[bold red]a" in result.stdout


# ---- runs that were saved


def test_resume_is_the_uninterrupted_run():
    call(*MOONS)
    assert "--epochs 6" in call("resume", "latest", code=2).stderr
    text = call("resume", "runs/latest", "--epochs", 5).stdout
    assert "going on after 3 epochs" in text
    assert "epoch 5 of 5" in text
    whole = cr.fit("2-8-2", cr.data.moons(60), epochs=5)
    assert cr.open_run("runs/latest").evaluate().loss.tolist() == whole.evaluate().loss.tolist()
    found = rows(call("resume", "latest", "--epochs", 6, "--json").stdout)
    assert [row["kind"] for row in found] == ["epoch", "result"]


def test_evaluate():
    call(*MOONS, "--replicas", 2)
    assert "test accuracy" in call("evaluate", "latest").stdout
    row = rows(call("evaluate", "latest", "--part", "training", "--json").stdout)[0]
    assert row["part"] == "training"
    assert len(row["scores"]["accuracy"]) == 2
    assert "part 'tset'" in call("evaluate", "latest", "--part", "tset", code=2).stderr
    assert "moons test accuracy" in call("evaluate", "latest", "moons").stdout
    assert "never saw" in call("evaluate", "latest", "xor", code=2).stderr
    assert "inputs of shape (784,)" in call("evaluate", "latest", "mnist", code=2).stderr
    assert "no table" in call("evaluate", "latest", write_plants(), code=2).stderr


def test_evaluate_arrays_by_the_names_of_their_classes():
    x = np.random.default_rng(0).normal(size=(40, 2))
    np.savez("known.npz", x=x, y=np.where(np.arange(40) % 2, "b", "a"))
    np.savez("other.npz", x=x[:4], y=np.array(["b", "a", "b", "b"]))
    call("train", "known.npz", "--network", "2-4-2", "--epochs", 1)
    row = rows(call("evaluate", "latest", "other.npz", "--json").stdout)[0]
    assert np.sum(row["confusion"], axis=(0, 2)).tolist() == [1, 3]
    assert row["examples"] == 4


def test_table_from_training_to_prediction():
    call("train", write_plants(), "--target", "kind", "--network", "3-8-2", "--epochs", 20)
    assert "plants accuracy" in call("evaluate", "latest", "plants.csv").stdout
    predicted = call("predict", "latest", "plants.csv").stdout.splitlines()
    assert predicted[0] == "class,probability"
    assert len(predicted) == 61
    Path("new.csv").write_text("soil,height\ndry,-5\nwet,5\n", encoding="utf-8")
    assert [line.split(",")[0] for line in call("predict", "latest", "new.csv").stdout.splitlines()] == [
        "class",
        "fern",
        "moss",
    ]
    assert (
        call("predict", "latest", "-", stdin="soil,height\ndry,-5\nwet,5\n").stdout
        == call("predict", "latest", "new.csv").stdout
    )
    call("predict", "latest", "new.csv", "--output", "out.csv")
    assert Path("out.csv").read_text(encoding="utf-8") == call("predict", "latest", "new.csv").stdout
    row = rows(call("predict", "latest", "new.csv", "--json").stdout)[0]
    assert row["class"] == "fern"
    assert sum(row["probabilities"].values()) == pytest.approx(1.0)
    assert "line 2, column 'soil'" in call("predict", "latest", "-", stdin="soil,height\nsnow,1\n", code=2).stderr
    assert call("predict", "latest", "-", stdin="soil\nwet\n", code=2).stderr.startswith("error: standard input has no column")
    assert "standard input has no content" in call("predict", "latest", "-", stdin="", code=2).stderr
    Path("plants.csv").unlink()
    call("predict", "latest", "new.csv")
    call("show", "latest")


def test_predict_numbers_and_examples():
    call("train", "curve", "--network", "1-8-1", "--epochs", 1, "--replicas", 2)
    np.savez("x.npz", x=np.zeros((3, 1)))
    lines = call("predict", "latest", "x.npz").stdout.splitlines()
    assert lines[0] == "output1"
    assert len(lines) == 4
    assert np.float32(lines[1]) == cr.open_run("runs/latest").predict(np.zeros((1, 1)))[0, 0]
    row = rows(call("predict", "latest", "--example", 3, "--json", "--replica", 1).stdout)[0]
    assert set(row) == {"kind", "row", "values", "truth"}
    assert "0 ... 400" in call("predict", "latest", "--example", 401, code=2).stderr
    assert "replica 2" in call("predict", "latest", "--example", 1, "--replica", 2, code=2).stderr
    assert "two inputs" in call("predict", "latest", "x.npz", "--example", 1, code=2).stderr
    Path("two.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    assert "1 columns" in call("predict", "latest", "two.csv", code=2).stderr
    Path("one.csv").write_text("a\nx\n", encoding="utf-8")
    assert "no finite number" in call("predict", "latest", "one.csv", code=2).stderr


def test_predict_without_probabilities():
    call("train", "and", "--network", "2-1:step", "--optimizer", "perceptron", "--epochs", 20)
    assert call("predict", "latest", "--example", 3).stdout == "class\n1\n"


# ---- show, runs


def test_show_network():
    text = call("show", "784-16-16-10 relu softmax").stdout
    assert "13 002 parameters" in text
    assert "[0, 1]" in text
    assert "relu(dense1.z)" in call("show", "2-3-1", "--stage", "graph").stdout
    assert cr.nn.from_json(cr.nn.to_json(made(call("show", "2-3-1 tanh", "--stage", "code").stdout)["network"]))


def made(code):
    names = {}
    exec(code, names)
    return names


def test_show_the_code_of_a_network_for_another_library():
    net = cr.nn.parse_network("2-3-1 tanh")
    for style in ("pytorch", "keras", "jax"):
        assert call("show", "2-3-1 tanh", "--code", style).stdout == f"{cr.nn.to_code(net, style)}\n"
    same = call("show", "2-3-1 tanh", "--code", "chainrule").stdout
    assert made(same)["network"] == net
    assert call("show", "2-3-1 tanh", "--stage", "code").stdout == same


def test_show_the_code_of_a_runs_network():
    call(*MOONS)
    assert "torch.nn.Linear(8, 2)" in call("show", "latest", "--code", "pytorch").stdout
    assert "fit" not in call("show", "latest", "--code", "chainrule").stdout


@pytest.mark.parametrize("network", ["2-3-1", "2-3-1 tanh sigmoid", "4-3:softmax", "4-3-2 sigmoid sigmoid", "3x3-flatten-4-2"])
def test_show_gradient(network):
    simple = call("show", network, "--stage", "gradient", "--batch-size", 2).stdout
    raw = call("show", network, "--stage", "gradient", "--batch-size", 2, "--raw").stdout
    assert "return loss=" in simple
    assert len(raw.splitlines()) > len(simple.splitlines())
    assert "simplify algebra:" in call("show", network, "--stage", "gradient", "--trace").stdout


def test_show_gradient_takes_loss_and_optimizer():
    text = call("show", "2-1", "--stage", "gradient", "--loss", "absolute_error", "--optimizer", "momentum").stdout
    assert "absolute" in text
    assert "velocity" in text
    assert "1 or more" in call("show", "2-1", "--stage", "gradient", "--batch-size", 0, code=2).stderr


def test_show_run():
    call(*MOONS, "--replicas", 2)
    text = call("show", "latest").stdout
    for part in (
        "42 parameters",
        "moons: 60 training",
        "epoch 3",
        "2 networks, seeds 0 ... 1",
        "training loss",
        "Started",
        "numpy",
    ):
        assert part in text
    assert "return output=" in call("show", "latest", "--stage", "graph").stdout
    assert "return loss=" in call("show", "latest", "--stage", "gradient").stdout
    name = Path("runs/latest.txt").read_text(encoding="utf-8").strip()
    assert call("show", name).stdout == text


def test_code_of_a_run_does_the_same_again(capsys):
    call(*MOONS, "--optimizer", "adam", "--learning-rate", 0.01, "--l2", 0.001, "--seed", 3)
    run = made(call("show", "latest", "--stage", "code").stdout)["run"]
    capsys.readouterr()
    assert run.evaluate().loss.tolist() == cr.open_run("runs/latest").evaluate().loss.tolist()


def test_runs():
    call(*MOONS)
    call("train", "xor", "--network", "2-2", "--quiet")
    (Path("runs") / "empty").mkdir()
    broken = Path("runs") / "broken"
    broken.mkdir()
    (broken / "config.json").write_text('{"version": 1, "network": 3}', encoding="utf-8")
    (Path("runs") / "a-file").write_text("x", encoding="utf-8")
    text = call("runs").stdout
    assert text.count("  broken: ") == 2
    assert "moons · 2-8-2 · epoch 3 · test accuracy" in text
    found = rows(call("runs", "--json").stdout)
    assert len(found) == 4
    assert {row["data"] for row in found} == {"moons", "xor", ""}
    assert "config.json" in call("show", "broken", code=2).stderr


def test_runs_of_an_unfinished_run():
    call(*MOONS)
    folder = next(Path("runs").glob("*moons*"))
    as_old(folder)  # a newer one knows by a hash that its history was changed
    lines = (folder / "history.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    last = max(place for place, line in enumerate(lines) if '"epoch"' in line)
    (folder / "history.jsonl").write_text("".join(lines[:last]) + lines[last][:30], encoding="utf-8")
    assert "epoch 2 of 3" in call("runs").stdout
    (folder / "history.jsonl").unlink()
    assert "epoch 0 of 3 · none yet" in call("runs").stdout
    (folder / "environment.json").write_text("[", encoding="utf-8")
    assert "Started" not in call("show", folder).stdout


def test_no_runs():
    Path("runs").mkdir()
    assert "no runs" in call("runs").stdout


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (("n=1",), {"n": 1}),
        (("noise=1e-3",), {"noise": 1e-3}),
        (("drop=a",), {"drop": ["a"]}),
        (("domain=-1,1",), {"domain": [-1, 1]}),
        (("flag=true", "other=false"), {"flag": True, "other": False}),
        (("name=a=b",), {"name": "a=b"}),
    ],
)
def test_parsed_options(texts, found):
    assert parsed_options(texts) == found


# ---- predictions on a screen


@pytest.fixture
def screen(monkeypatch):
    """Makes `predict` believe that it writes to a terminal."""
    monkeypatch.setattr(
        "chainrule.cli.predict.console", lambda: Console(force_terminal=True, color_system=None, highlight=False, markup=False)
    )


@pytest.mark.usefixtures("screen")
def test_predictions_on_a_screen():
    pictures = np.random.default_rng(0).integers(0, 256, (60, 784)).astype(np.uint8)
    np.savez("digits.npz", x=pictures, y=np.arange(60) % 10)
    call("train", "digits.npz", "--network", "784-4-10", "--epochs", 1)
    text = call("predict", "latest", "--example", 0).stdout
    assert "▒" in text
    assert "probability of each class" in text
    assert "the truth" in text
    assert "60 rows in all" in call("predict", "latest", "digits.npz").stdout


@pytest.mark.usefixtures("screen")
def test_numbers_and_bare_classes_on_a_screen():
    call("train", "curve", "--network", "1-8-1", "--epochs", 1)
    text = call("predict", "latest", "--example", 3).stdout
    assert text.startswith("output1: ")
    assert "the truth: " in text
    call("train", "and", "--network", "2-1:step", "--optimizer", "perceptron", "--epochs", 20)
    assert call("predict", "latest", "--example", 3).stdout.splitlines() == ["class: 1", "the truth: 1"]


def test_predict_takes_only_arrays_of_inputs():
    np.savez("y.npz", y=np.zeros(3))
    call(*MOONS)
    assert "an array x" in call("predict", "latest", "y.npz", code=2).stderr


def test_evaluate_needs_a_part_that_is_there():
    call(*MOONS)
    assert "--part validation" in call("evaluate", "latest", "moons", "--part", "validation", code=2).stderr


def test_runs_made_in_python():
    """Functions and arrays cannot be saved: what is known is shown all the same."""
    net = cr.Sequential(cr.Function(lambda x: x if len(x) % 5 else x * 2.0), cr.Dense(2))  # a graph for each size of batch
    x, y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2
    cr.fit(net, (x, y), epochs=1, folder="runs", early_stopping=None, clip=cr.ClipNorm(1.0))
    assert "made in Python" in call("runs").stdout
    assert "arrays in memory" in call("show", "latest").stdout
    assert "..." in call("show", "latest", "--stage", "code").stdout
    assert "where the network is made" in call("show", "latest", "--code", "jax", code=2).stderr
    cr.fit(cr.Sequential(cr.Dense(2, name="own")), (x, y), epochs=1, folder="runs")
    assert "Dense(2" in call("runs").stdout
    assert "own" in call("show", "latest").stdout
    assert "were arrays" in call("resume", "latest", "--epochs", 3, code=2).stderr


def test_convolutions_by_their_words():
    """A convolutional network trains from the terminal, and what is shown of it says what was written."""
    text = "2-2x1-conv2x3:same-pool2-flatten-2"
    trained = json.loads(
        call("train", "moons", "--network", text, "--option", "n=60", "--epochs", "2", "--json").stdout.splitlines()[-1]
    )
    assert trained["network"] == text
    shown = call("show", "runs/latest").stdout
    assert "Conv1D(3, 2, 'relu', padding='same')" in shown
    assert "] = max(" in call("explain", "runs/latest").stdout
    refused = call("train", "mnist", "--network", "28x28x1-conv5x5x16-flatten-10", "--no-save", code=2).stderr
    assert "begin the network with 784-28x28x1" in refused


def test_example_lists_and_refuses():
    listed = call("example").stdout
    assert "convolution" in listed
    assert "ising" in listed
    assert "convolution" in call("example", "convolutoin", code=2).stderr


def test_example_refuses_a_wrong_page_before_it_trains():
    refused = call("example", "recall", "--output", "memory.pdf", code=2)
    assert "memory.pdf" in refused.stderr
    assert "training" not in refused.stdout


@pytest.mark.parametrize("known", [1.0, 2.0])
def test_an_example_prints_its_facts_and_writes_its_page(monkeypatch, known):
    trainings = {"gate": Training("2-4-1 tanh sigmoid", cr.data.xor(), optimizer=cr.Adam(0.1), epochs=200, batch_size=4)}

    def conclude(runs, seed):
        share = runs["gate"].evaluate("training").accuracy().value
        return Outcome("Four rows.", (Fact("share <b>", share, reference=known, source="counting"),))

    small = LectureExample("tiny", "A gate", "Is it learned?", "67", lambda seed: trainings, conclude)
    monkeypatch.setitem(EXAMPLES, "tiny", small)
    said = call("example", "tiny", "--output", "gate.html", code=0 if known == 1 else 1).stdout
    assert "training gate" in said
    assert ("does not agree" in said) is ("1 of 1 numbers do not agree" in said) is (known == 2)
    page = Path("gate.html").read_text(encoding="utf-8")
    assert "share &lt;b&gt;" in page
    assert "torch.nn.Linear(2, 4)" in page
    assert "known" in page


# ---- hints


def test_train_lists_every_built_in_set():
    listed = " ".join(call("train", "--help").stdout.partition("Options:")[0].split())
    for name in cr.data.BUILT_IN:
        assert name in listed.replace(",", "").replace(";", "").split()


@pytest.mark.parametrize("data", [("xor",), ("moons", "--option", "n=60")])
def test_what_training_ends_with_can_be_typed(data):
    said = call("train", *data, "--network", "2-2-2", "--epochs", 1).stdout
    typed = [line.split()[1:] for line in said.splitlines() if line.startswith("  chainrule ")]
    assert [words[0] for words in typed] == ["show", "predict"]
    for words in typed:
        call(*words)


@pytest.mark.parametrize("ending", ["svg", "pdf", "png"])
def test_a_graph_is_drawn_as_the_ending_says(ending):
    assert f"graph.{ending}" in call("show", "2-3-1", "--stage", "graph", "--svg", f"graph.{ending}").stdout
    begins = {"svg": b"<svg", "pdf": b"%PDF", "png": b"\x89PNG"}[ending]
    assert Path(f"graph.{ending}").read_bytes().startswith(begins)


def test_help_and_version_load_neither_numpy_nor_a_command():
    program = (
        "import sys\nfrom chainrule.cli import main\nsys.argv[1:] = [sys.argv[1]]\ntry:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(sorted({'numpy', 'rich', 'chainrule.train', 'chainrule.cli.train'} & sys.modules.keys()))"
    )
    for option in ("--help", "--version"):
        printed = subprocess.run(
            [sys.executable, "-c", program, option], capture_output=True, encoding="utf-8", check=True
        ).stdout
        assert printed.splitlines()[-1] == "[]"


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_a_runs_stage_is_that_of_what_ran(engine):
    run = cr.fit("2-4-2 tanh softmax", cr.data.moons(40), epochs=1, folder="runs", engine=engine)
    shown = call("show", run.folder, "--stage", "schedule").stdout
    if engine == "native":
        assert run.trainer.program.report()["code"] == "made quickly"
        assert shown.split() == run.lowered("schedule").split()
    assert "kernels" in shown  # the reference engine compiles nothing: what the native one would
