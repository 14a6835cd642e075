"""The command as a process: exit codes, pipes, terminals without colour, Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

BASE = (sys.executable, "-m", "chainrule")
MOONS = ("train", "moons", "--network", "2-4-2", "--no-save", "--epochs", "5")


def environment(**more):
    kept = {name: value for name, value in os.environ.items() if name not in {"FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS"}}
    return {**kept, **more}


def process(*arguments, folder, **more):
    return subprocess.run(
        [*BASE, *arguments], cwd=folder, env=environment(**more), capture_output=True, encoding="utf-8", timeout=60, check=False
    )


def test_pipe_has_no_escape_codes(tmp_path):
    done = process(*MOONS, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert "epoch 5 of 5: training loss" in done.stdout


def test_errors_have_no_traceback(tmp_path):
    done = process("train", "moons", "--network", "2-4-9", folder=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert "fix: end the network with 2 units" in done.stderr


def test_json_alone_is_on_stdout(tmp_path):
    done = process(*MOONS, "--json", folder=tmp_path)
    assert [json.loads(line)["kind"] for line in done.stdout.splitlines()] == ["epoch"] * 5 + ["result"]


def test_screens_without_utf8(tmp_path):
    done = process("show", "2-4-2", folder=tmp_path, PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert done.stdout.isascii()


@pytest.mark.skipif(os.name != "posix", reason="pipes and signals of POSIX")
def test_a_closed_pipe_ends_quietly(tmp_path):
    with subprocess.Popen(
        [*BASE, *MOONS, "--epochs", "500"], cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.readline()
        running.stdout.close()
        said = running.stderr.read()
        running.wait(timeout=60)
    assert said == b""


@pytest.mark.skipif(os.name != "posix", reason="pipes and signals of POSIX")
def test_interrupt_keeps_what_was_learned_and_resume_goes_on(tmp_path):
    arguments = ("train", "moons", "--network", "2-4-2", "--epochs", "100000")
    with subprocess.Popen(
        [*BASE, *arguments], cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    ) as running:
        assert running.stdout is not None
        while not running.stdout.readline().startswith("epoch"):
            pass
        running.send_signal(signal.SIGINT)
        text, errors = running.communicate(timeout=60)
    assert running.returncode == 130, errors
    assert "Interrupted after" in text
    assert "chainrule resume runs/latest" in text
    assert "Traceback" not in errors


@pytest.mark.skipif(os.name != "posix", reason="a pseudo-terminal")
@pytest.mark.parametrize(("variables", "colour"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_terminal(tmp_path, variables, colour):
    """In a terminal there is a bar and colour; without colour there are lines."""
    import pty

    leader, follower = pty.openpty()
    settings = environment(**{"TERM": "xterm-256color", "COLUMNS": "80", **variables})
    with subprocess.Popen(
        [*BASE, *MOONS], cwd=tmp_path, env=settings, stdout=follower, stderr=follower, stdin=follower
    ) as running:
        os.close(follower)
        text = _read_all(leader)
        running.wait(timeout=60)
    os.close(leader)
    assert running.returncode == 0
    assert ("\x1b[?25l" in text) == colour  # the cursor is hidden while a bar is drawn
    assert ("48;5;" in text) == colour
    assert ("epoch 5 of 5: " in text) == (not colour)
    assert not colour or "\x1b[?25h" in text


def _read_all(leader):
    pieces, ends = [], time.monotonic() + 60
    while time.monotonic() < ends:
        try:
            piece = os.read(leader, 65536)
        except OSError:  # how Linux says that the other side is closed
            break
        if not piece:
            break
        pieces.append(piece)
    return b"".join(pieces).decode("utf-8", "replace")


def test_the_library_does_not_import_the_command(tmp_path):
    code = "import sys, chainrule; chainrule.fit; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, encoding="utf-8", check=True)
    loaded = set(done.stdout.split())
    assert "chainrule.train" in loaded
    assert not loaded & {"click", "rich", "matplotlib", "chainrule.cli"}
