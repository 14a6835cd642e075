"""The README's Python runs as it stands, from top to bottom, and every command that it names exists."""

import doctest
import re
from functools import reduce
from pathlib import Path

import pytest

import chainrule as cr

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMING_FROM = ROOT / "docs" / "coming_from.md"
RUNNING_PAGES = [ROOT / "docs" / f"{name}.md" for name in ("coming_from", "scikit_learn", "onnx", "data", "notebooks", "jax")]


def test_the_python_runs_and_says_what_the_comments_say(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {}
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) == 12
    exec(compile(blocks[0], "README.md", "exec"), names)
    shown = capsys.readouterr().out
    assert "8 replicas" in shown
    assert re.search(r"test accuracy 0\.94\d* ± 0\.00\d+", shown)
    assert "['7', '2', '1', '0', '4']" in shown
    assert "return loss=" in shown
    for block in blocks[1:9]:
        exec(compile(block, "README.md", "exec"), names)
    shown = capsys.readouterr().out
    for number in ("1.8185", "0.0770", "-2.6508", "test accuracy 500/500", "torch.nn.Linear(2, 8)"):
        assert number in shown
    assert [run.trainer.step for run in names["runs"]] == 3 * [20 * names["runs"][0].trainer.steps_per_epoch]
    assert names["learner"].step_count == 1
    assert names["run"].trainer.step == 40 * names["run"].trainer.steps_per_epoch
    for block in blocks[9:]:
        exec(compile(block, "README.md", "exec"), names)
    shown = capsys.readouterr().out
    for words in ("FORWARD", "BACKWARD", "should rise", "True", "examples", "missing 1/B"):
        assert words in shown
    assert {path.name for path in tmp_path.glob("*.svg")} == {"neuron.svg", "network.svg", "graph.svg"}


@pytest.mark.parametrize("door", re.findall(r"^\| `make (\w+)", README, re.MULTILINE))
def test_each_door_is_in_the_makefile(door):
    assert re.search(rf"^{door}:.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("link", re.findall(r"\]\(([\w/.]+)\)", README))
def test_each_link_leads_somewhere(link):
    assert (ROOT / link).exists()


@pytest.mark.parametrize("page", RUNNING_PAGES, ids=lambda page: page.stem)
def test_the_pages_for_those_who_come_from_elsewhere_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = doctest.testfile(str(page), module_relative=False, optionflags=doctest.ELLIPSIS)
    assert found.failed == 0
    assert found.attempted >= 3


@pytest.mark.filterwarnings("ignore::chainrule.errors.SlowerEngineWarning")
def test_the_page_beyond_one_machine_runs(tmp_path, monkeypatch, capsys):
    pytest.importorskip("jax", reason="the xla engine needs JAX")
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "beyond_one_machine.md").read_text(encoding="utf-8")
    names = {"__name__": "page"}  # what stands under __main__ needs a file that other processes import: tests/sweeps has it
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(compile(block, "beyond_one_machine.md", "exec"), names)
    shown = capsys.readouterr().out
    for words in ("cpu {'parameters and state'", "stablehlo", "Best on the test part", "begin with a learning rate of about"):
        assert words in shown
    assert (tmp_path / "sweep.svg").is_file()


@pytest.mark.parametrize("name", sorted(set(re.findall(r"\bcr\.([\w.]*\w)", COMING_FROM.read_text(encoding="utf-8")))))
def test_each_name_on_that_page_exists(name):
    assert reduce(getattr, name.split("."), cr) is not None
