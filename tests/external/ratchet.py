"""What an outside suite finds, in one line; and that nothing fails which passed once."""

from __future__ import annotations

import json
import os
import sys
import unittest
from collections.abc import Callable, Iterable
from pathlib import Path

HERE = Path(__file__).parent / "passed"


def judged(suite: str, cases: Iterable[tuple[str, Callable[[], None]]]) -> int:
    """Runs cases by name; one is skipped by unittest.SkipTest, and fails by any other error. Gives the exit status.

    Names of those that passed stand in passed/SUITE.json: with RATCHET=write they are added to, without it none of them may be missing.
    """
    found: dict[str, str] = {}
    for name, case in cases:
        try:
            case()
            found[name] = "passed"
        except unittest.SkipTest as reason:
            found[name] = f"skipped: {reason}"
        except Exception as error:
            found[name] = f"failed: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    path = HERE / f"{suite}.json"
    before: list[str] = json.loads(path.read_text()) if path.exists() else []
    passed = [name for name, said in found.items() if said == "passed"]
    failed = {name: said for name, said in found.items() if said.startswith("failed")}
    lost = [name for name in before if found.get(name) != "passed"]
    for name, said in failed.items():
        print(f"{name}: {said}")
    for name in lost:
        print(f"{name} passed once, now: {found.get(name, 'gone')}")
    if "-v" in sys.argv:
        print("\n".join(f"{name}: {said}" for name, said in found.items() if said != "passed"))
    if os.environ.get("RATCHET") == "write":
        HERE.mkdir(exist_ok=True)
        path.write_text(json.dumps(sorted({*before, *passed}), indent=0) + "\n")
    print(f"{suite}: {len(passed)} passed, {len(found) - len(passed) - len(failed)} skipped, {len(failed)} failed")
    return bool(failed or lost)
