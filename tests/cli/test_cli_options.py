"""Whatever stands behind --option ends in one message and the exit code 2, never in a traceback: every built-in set, every option."""

from __future__ import annotations

import inspect

import pytest
from click.testing import CliRunner

from chainrule.cli.application import application
from chainrule.data import BUILT_IN

VALUES = ("0,1", "a", "", "-1", "0", "3", "1.5", "nan", "inf", "1e400", "true", "None", "9" * 30, "[1]", "a=b", "0.1,x")
SMALL = {
    "n": "12",
    "size": "12",
    "steps": "2",
    "text": "a text of a few letters, again and again",
    "sentences": "2",
    "most": "4",
    "of": "moons",
}
"""Values that keep the sets small where another option is tried."""
SLOW = {"mnist", "ising"}
"""Sets that take long to be made: only what their makers refuse is asked of them."""


def pairs():
    for name, maker in BUILT_IN.items():
        for option in inspect.signature(maker).parameters:
            yield name, option


@pytest.mark.parametrize(("name", "option"), list(pairs()))
def test_any_value_of_any_option_ends_in_one_message(name, option):
    known = inspect.signature(BUILT_IN[name]).parameters
    small = [f"--option={other}={value}" for other, value in SMALL.items() if other in known and other != option]
    for value in VALUES[:3] if name in SLOW else VALUES:
        # No set fits this network, so that every call that is right so far ends with 2 too, before anything is trained.
        options = [*small, f"--option={option}={value}", "--no-save", "--network", "98765-4-3"]
        said = CliRunner().invoke(application, ["train", name, *options])
        assert said.exit_code == 2, f"{name} {option}={value}: {said.exception!r}"
        assert said.output.count("error:") + said.output.count("Error:") == 1, said.output
        assert "Traceback" not in said.output
