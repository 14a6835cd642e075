"""The doctor over many trainings: faults are named, and healthy trainings raise no alarm, but for as many as the page says."""

from __future__ import annotations

import os
from pathlib import Path

from doctor_figures import draw, figures, go_on

SIZE = int(os.environ.get("CAMPAIGN_SIZE", "4"))
FIRST = 30_000
"""Other numbers than those of the page."""


def test_faults_are_named_and_health_is_not_doubted(tmp_path: Path) -> None:
    plan = list(draw({"sick": SIZE, "healthy": SIZE, "two": 0}, FIRST))
    rows = go_on(tmp_path / "rows", iter(plan), 1e9)
    faults = [row for row in rows if row["kind"] == "sick" and row["effect"]]
    well = [row for row in rows if row["kind"] == "healthy" and row["well"]]
    named = sum(row["named"] for row in faults)
    assert named >= 0.9 * len(faults) - 1, [row for row in faults if not row["named"]]
    alarms = [row for row in well if row["ill"]]
    assert len(alarms) <= 0.02 * len(well), alarms
    assert go_on(tmp_path / "rows", iter(plan), 1e9) == rows, "nothing is drawn twice"
    assert any(line.startswith(f"false alarms: {len(alarms)} of {len(well)}") for line in figures(rows))
