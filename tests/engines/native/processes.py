"""Scripts in a process of their own, for what may end a process or must find it fresh."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

OFF = {"CHAINRULE_CACHE": "off"}
TIMEOUT = 120
"""Seconds after which a script counts as hanging; each takes a few."""


def run_script(script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs Python text with these arguments and further variables of the environment; gives what it printed and how it ended."""
    command = [sys.executable, "-c", textwrap.dedent(script), *arguments]
    return subprocess.run(
        command, env={**os.environ, **OFF, **environment}, capture_output=True, text=True, timeout=TIMEOUT, check=False
    )


def printed(script: str, *arguments: str, **environment: str) -> str:
    """What a script printed; it must end well."""
    done = run_script(script, *arguments, **environment)
    assert done.returncode == 0, f"ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout
