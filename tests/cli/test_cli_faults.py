"""Each command with each fault of the system, of a run's folder and of its data: the exit code, and one message without a traceback."""

from __future__ import annotations

import errno
import os
import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

import chainrule as cr
from chainrule.cli.application import application
from chainrule.train import RunFolder
from tests.train.failing_system import FailingSystem
from tests.train.folders import as_old, change

TRAIN = ("train", "line.csv", "--target", "y", "--network", "1-1", "--epochs", "2", "--batch-size", "8")


def say(*arguments):
    """The command's exit code and what it said; never a traceback, nor two messages."""
    result = CliRunner().invoke(application, list(map(str, arguments)))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.stderr.count("error:") + result.stderr.count("Error:") == (result.exit_code == 2), result.output
    remedy = re.search(r"fix: (.*)", result.stderr)
    python = re.search(r"(?<!--option )(?<![\w-])[a-z_]+=", remedy[1]) if remedy else None
    assert python is None or "in Python" in remedy[1], f"a remedy in Python: {remedy[1]}"
    return result.exit_code, result.stdout if result.exit_code == 0 else result.stderr


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Path("line.csv").write_text("x,y\n" + "\n".join(f"{i},{2 * i}" for i in range(40)))
        assert say(*TRAIN)[0] == 0
    return folder


@pytest.fixture
def run(trained, tmp_path, monkeypatch):
    """A copy of the run beside a copy of its data, in the current folder; the file that the run remembers is gone."""
    place = tmp_path / "copy"
    shutil.copytree(trained, place)
    monkeypatch.chdir(place)
    path = next((place / "runs").glob("2*"))
    change(
        path / "config.json", lambda config: config["data"]["load"].update(name_or_path=str(place / "line.csv")), keep_seal=True
    )
    return path


# ---- faults of a run


def newest(run, ending):
    return max((run / "snapshots").glob(f"step-*.{ending}"))


def truncate(path):
    path.write_bytes(path.read_bytes()[:-20])


def make_fifo(path):
    path.unlink()
    os.mkfifo(path)


FAULTS = {
    "nothing": lambda run: None,
    "an old folder": as_old,
    "moved with its data": lambda run: change(
        run / "config.json", lambda config: config["data"]["load"].update(name_or_path="/nowhere/line.csv"), keep_seal=True
    ),
    "data gone": lambda run: (run.parent.parent / "line.csv").unlink(),
    "data changed": lambda run: (run.parent.parent / "line.csv").write_text("x,y\n" + "1,2\n" * 40),
    "config truncated": lambda run: truncate(run / "config.json"),
    "config altered": lambda run: (run / "config.json").write_text((run / "config.json").read_text().replace("40", "41")),
    "config of a later version": lambda run: change(run / "config.json", lambda config: config.update(version=9)),
    "config a number": lambda run: (run / "config.json").write_text("3"),
    "config a pipe": lambda run: make_fifo(run / "config.json"),
    "newest arrays truncated": lambda run: truncate(newest(run, "safetensors")),
    "newest head truncated": lambda run: truncate(newest(run, "json")),
    "newest head a pipe": lambda run: make_fifo(newest(run, "json")),
    "no snapshots": lambda run: shutil.rmtree(run / "snapshots"),
    "history a number": lambda run: (run / "history.jsonl").write_text("3\n"),
    "history no text": lambda run: (run / "history.jsonl").write_bytes(b"\xff" + (run / "history.jsonl").read_bytes()[1:]),
    "history gone": lambda run: (run / "history.jsonl").unlink(),
    "notes nested": lambda run: [(run / name).write_text("[" * 100_000) for name in ("engine.json", "environment.json")],
    "notes of other kinds": lambda run: [
        change(run / name, lambda content: content.update({key: [{}] for key in content}, engine="native"))
        for name in ("engine.json", "environment.json")
    ],
    "a stranger's files": lambda run: [(run / "snapshots" / name).write_text("?") for name in ("step-abc.json", "step-.json")],
    "latest no text": lambda run: (run.parent / "latest.txt").write_bytes(b"\xff\0"),
    "being trained": None,  # held by the test
}
COMMANDS = {
    "resume": ("resume", "RUN", "--epochs", "3"),
    "evaluate": ("evaluate", "RUN"),
    "predict": ("predict", "RUN", "line.csv"),
    "example": ("predict", "RUN", "--example", "1"),
    "explain": ("explain", "RUN"),
    "show": ("show", "RUN"),
    "code": ("show", "RUN", "--stage", "code"),
    "graph": ("show", "RUN", "--stage", "gradient"),
    "runs": ("runs",),
}
# Exit codes in the order of the commands above: r e p x l s c g n.
TABLE = {
    "nothing": "000000000",
    "an old folder": "000000000",
    "moved with its data": "000000000",
    "data gone": "22x220000",
    "data changed": "22022000-",
    "config truncated": "222222220",
    "config altered": "222222220",
    "config of a later version": "222222220",
    "config a number": "222222220",
    "config a pipe": "222222220",
    "newest arrays truncated": "222222020",
    "newest head truncated": "222222020",
    "newest head a pipe": "222222020",
    "no snapshots": "222222020",
    "history a number": "200002000",
    "history no text": "200002000",
    "history gone": "200002000",
    "notes nested": "000000000",
    "notes of other kinds": "000000000",
    "a stranger's files": "000000000",
    "latest no text": "000000000",
    "being trained": "200000000",
}
SAYS = {
    "data gone": r"no longer at .*line\.csv[\s\S]*--data FILE",
    "data changed": "the same data, bit for bit",
    "config altered": "was changed since it was written",
    "config of a later version": "version of chainrule that wrote it",
    "newest arrays truncated": r"after 8 steps, is damaged[\s\S]*take the state after 4 steps, which is whole: --step 4",
    "newest head truncated": r"after 8 steps, is damaged[\s\S]*--step 4",
    "newest head a pipe": "not a regular file",
    "history a number": "history.jsonl is damaged",
    "being trained": rf"written by another process: {os.getpid()} on",
}


@pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX")
@pytest.mark.parametrize("fault", FAULTS)
def test_each_command_with_each_fault_of_a_run(run, fault):
    before = None
    if FAULTS[fault]:
        FAULTS[fault](run)
        before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    # The command that writes comes last.
    for (name, words), code in reversed(list(zip(COMMANDS.items(), TABLE[fault], strict=True))):
        if code in "x-":
            continue
        arguments = [str(run) if word == "RUN" else word for word in words]
        if fault == "being trained":
            with RunFolder(run).writer():
                found, said = say(*arguments)
        else:
            assert before == {path: path.stat().st_mtime_ns for path in run.rglob("*")}, f"{name} wrote"
            found, said = say(*arguments)
        assert found == int(code), f"{name}: {said}"
        if found == 2 and fault in SAYS:
            assert re.search(SAYS[fault], said), said


def test_an_older_state_is_taken_where_it_is_asked_for(run):
    truncate(newest(run, "safetensors"))
    for words in (("evaluate", run), ("predict", run, "line.csv"), ("explain", run), ("resume", run)):
        assert say(*words, "--step", 4)[0] == 0, words
    assert (run / "aside-1").is_dir()
    assert say("evaluate", run)[0] == 0


def test_data_elsewhere_are_named(run, tmp_path):
    (run.parent.parent / "line.csv").rename(tmp_path / "other.csv")
    for words in (("evaluate", run), ("predict", run, "--example", 1), ("explain", run), ("resume", run, "--epochs", 3)):
        assert say(*words)[0] == 2
        assert say(*words, "--data", tmp_path / "other.csv")[0] == 0


# ---- faults of the system


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Path("here").write_text("a file"), "File exists"),
        (lambda: Path("here").symlink_to("/nowhere/at/all"), "File exists"),
        (lambda: Path("here").symlink_to("here"), "cannot be written"),
    ],
    ids=["a file", "a link to nowhere", "a link to itself"],
)
def test_a_place_for_runs_that_is_no_folder(run, make, says):
    make()
    code, said = say(*TRAIN, "--runs", "here")
    assert code == 2
    assert says in said


def test_a_disk_that_is_full_from_any_call_on(run, monkeypatch, tmp_path):
    """Where a training began, its network is kept: in its own folder, or in that for temporary files; else nothing was trained."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    for number in range(0, 100, 9):
        with monkeypatch.context() as patch:
            FailingSystem(number, errno.ENOSPC, lasting=True).install(patch)
            code, said = say(*TRAIN, "--runs", f"runs{number}")
        assert code in {0, 2}
        assert code == 0 or "No space left on device" in said


def test_a_run_that_cannot_be_saved_is_rescued(run, monkeypatch, tmp_path):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    whole = cr.open_run(run).hash

    def delete(moment):
        if moment.kind == "epoch":
            shutil.rmtree("gone", ignore_errors=True)

    monkeypatch.setattr("chainrule.cli.output.Silent.__call__", lambda self, moment: delete(moment))
    result = CliRunner().invoke(application, [*TRAIN, "--runs", "gone", "--quiet"])
    assert result.exit_code == 2
    assert result.stderr.count("not saved: ") == 1
    place = Path(re.search(r"the run is saved in (\S+), from where", result.stderr)[1])
    assert cr.open_run(place).hash == whole


@pytest.mark.parametrize("name", ["no/such/x.csv", "folder", "runs/latest.txt/x.csv"])
def test_an_output_that_cannot_be_written(run, name):
    Path("folder").mkdir()
    assert say("predict", run, "line.csv", "--output", name)[0] == 2


@pytest.mark.skipif(os.name != "posix", reason="devices and pipes of POSIX")
def test_outputs_that_are_no_files_are_written_into(run):
    import threading

    os.mkfifo("pipe")
    got = []
    reader = threading.Thread(target=lambda: got.append(Path("pipe").read_text()))
    reader.start()
    assert say("predict", run, "line.csv", "--output", "pipe")[0] == 0
    reader.join()
    assert got[0].startswith("y\n")
    assert Path("pipe").is_fifo()
    Path("real.csv").write_text("old")
    Path("real.csv").chmod(0o640)
    Path("link.csv").symlink_to("real.csv")
    assert say("predict", run, "line.csv", "--output", "link.csv")[0] == 0
    assert Path("link.csv").is_symlink()
    assert Path("real.csv").read_text() == got[0]
    assert Path("real.csv").stat().st_mode & 0o777 == 0o640
    assert say("predict", run, "line.csv", "--output", "/dev/null")[0] == 0
    assert not Path("/dev/null").is_file()


@pytest.mark.parametrize("words", [("train", b"\xff.csv"), ("train", "a\nb.csv"), ("evaluate", b"\xff"), ("runs", b"\xff")])
def test_names_of_any_bytes(run, words):
    assert say(words[0], os.fsdecode(words[1]))[0] == 2


def test_a_file_whose_name_is_no_utf8(run):
    name = os.fsdecode(b"l\xefne.csv")
    Path("line.csv").rename(name)
    code, said = say("train", name, *TRAIN[2:], "--runs", "others")
    assert code == 0, said
    assert say("evaluate", "others/latest")[0] == 0
    assert say("show", "others/latest")[0] == 0
