"""The doctor at the zoo: healthy trainings and ones with a fault, of data that the checks were developed on and of data held back."""

from __future__ import annotations

from collections import Counter

import pytest

from chainrule.doctor import Diagnosis
from chainrule.errors import NonFiniteError
from tests.doctor.zoo import HELD_BACK, SEEN, Animal, healthy, learned, sick

SICK, HEALTHY = 22, 20
"""Animals of each zoo: a sick one to each fault; they begin at another number in the second, so that other faults meet other data."""


def ill(diagnosis: Diagnosis) -> set[str]:
    return {found.ailment for found in diagnosis.ill}


@pytest.mark.parametrize(("families", "first"), [(SEEN, 0), (HELD_BACK, 500)], ids=["seen", "held back"])
def test_faults_are_found_and_named(families: tuple[str, ...], first: int) -> None:
    missed: list[str] = []
    for number in range(first, first + SICK):
        animal: Animal = sick(number, families)
        found = ill(animal.training.doctor())
        if not found & animal.ailments:
            missed.append(f"{animal.name}: {sorted(found) or 'healthy'}")
    assert len(missed) <= SICK // 8, missed


@pytest.mark.parametrize(("families", "first"), [(SEEN, 0), (HELD_BACK, 500)], ids=["seen", "held back"])
def test_healthy_trainings_raise_no_alarm(families: tuple[str, ...], first: int) -> None:
    alarms: list[str] = []
    came_out = Counter[bool]()
    for number in range(first, first + HEALTHY):
        animal = healthy(number, families)
        try:
            run = animal.training.fit()
        except NonFiniteError:
            came_out[False] += 1
            continue
        well = learned(run)
        came_out[well] += 1
        diagnosis = run.doctor()
        if well and not diagnosis.healthy:
            alarms.append(f"{animal.name}: {[str(found) for found in diagnosis.ill]}")
    assert came_out[True] >= HEALTHY - 3, "grounds that mostly do not learn are not healthy ones"
    assert not alarms, alarms
