"""Run folders against any bytes and against kills; each in a process of its own, which may write nothing or is killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SIZE = int(os.environ.get("CAMPAIGN_SIZE", "0"))
PIECE = 500
"""How many mutants a process asks: its memory is bounded, and what it compiled stays."""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits of memory and kills as Linux has them")


def answers(program: str, *arguments: object) -> list[dict[str, object]]:
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name(program), *map(str, arguments)],
        capture_output=True, encoding="utf-8", timeout=3600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("piece", range(max(1, SIZE * 10 // PIECE)))
def test_any_bytes_in_any_file_give_one_message_or_the_right_result(tmp_path: Path, piece: int) -> None:
    count = PIECE if SIZE else 24
    *wrong, told = answers("folder_mutants.py", tmp_path, piece * PIECE, count)
    assert told["mutants"] == count
    assert count / 10 < told["refused"] < count
    assert wrong == []


@pytest.mark.parametrize("seed", range(max(1, SIZE * 3 // 20 // 10)))
def test_killed_at_random_moments_it_ends_with_the_same_bits(tmp_path: Path, seed: int) -> None:
    kills = 10 if SIZE else 3
    assert answers("killed_runs.py", tmp_path, seed, kills)[-1]["kills"] == kills
