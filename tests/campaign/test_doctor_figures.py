"""The doctor over many trainings: faults are named, and healthy trainings raise no alarm, but for as many as the page says."""

from __future__ import annotations

import os

from doctor_figures import figures

SIZE = int(os.environ.get("CAMPAIGN_SIZE", "4"))


def test_faults_are_named_and_health_is_not_doubted() -> None:
    found = figures(SIZE)
    named = sum(row[1] for row in found.faults.values())
    assert named >= 0.9 * sum(row[0] for row in found.faults.values()) - 1, found.missed
    assert len(found.alarms) <= 0.02 * found.healthy, found.alarms
