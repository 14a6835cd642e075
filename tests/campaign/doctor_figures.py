"""The doctor's hits and false alarms over many trainings, as the table of docs/doctor.md: python -m tests.campaign.doctor_figures 600."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

from chainrule.errors import NonFiniteError
from tests.doctor.zoo import HELD_BACK, SEEN, healthy, learned, sick

FIRST = 30_000
"""The number of the first animal: none of the tests looks at these."""


@dataclass
class Figures:
    """Of each fault how many trainings had it, how often it was named, how often anything was; alarms at healthy ones."""

    faults: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    healthy: int = 0
    alarms: list[str] = field(default_factory=list[str])
    failed: int = 0
    failed_found: int = 0
    missed: list[str] = field(default_factory=list[str])

    def lines(self) -> Iterator[str]:
        """The table, and what went wrong below."""
        yield "| fault put in | trainings | named | something found wrong |"
        yield "|---|---|---|---|"
        for name, (count, named, ill) in self.faults.items():
            yield f"| {name.replace('_', ' ')} | {count} | {named} | {ill} |"
        sums = [sum(column) for column in zip(*self.faults.values(), strict=True)]
        yield f"| **all** | {sums[0]} | {sums[1]} | {sums[2]} |"
        yield f"healthy: {self.healthy}, alarms: {len(self.alarms)}; failed by themselves: {self.failed}, found: {self.failed_found}"
        yield from (f"alarm {line}" for line in self.alarms)
        yield from (f"missed {line}" for line in self.missed)


def look_at_sick(numbers: range, families: tuple[str, ...], figures: Figures) -> None:
    for number in numbers:
        animal = sick(number, families)
        found = {one.ailment for one in animal.training.doctor().ill}
        row = figures.faults.setdefault(animal.fault, [0, 0, 0])
        hits = (1, bool(found & animal.ailments), bool(found))
        figures.faults[animal.fault] = [one + int(more) for one, more in zip(row, hits, strict=True)]
        if not hits[1]:
            figures.missed.append(f"{animal.name}: {sorted(found) or 'healthy'}")


def look_at_healthy(numbers: range, families: tuple[str, ...], figures: Figures) -> None:
    for number in numbers:
        animal = healthy(number, families)
        try:
            well = learned(animal.training.fit())
        except NonFiniteError:
            well = False
        diagnosis = animal.training.doctor()
        if not well:
            figures.failed += 1
            figures.failed_found += not diagnosis.healthy
            continue
        figures.healthy += 1
        if not diagnosis.healthy:
            figures.alarms.append(f"{animal.name}: {[str(found) for found in diagnosis.ill]}")


def figures(size: int) -> Figures:
    """Of so many sick trainings and as many that should be healthy, half of them on data that the checks were not developed on."""
    found = Figures()
    for families, first in ((SEEN, FIRST), (HELD_BACK, 2 * FIRST)):
        look_at_sick(range(first, first + size // 2), families, found)
        look_at_healthy(range(first, first + size // 2), families, found)
    return found


if __name__ == "__main__":
    sys.stdout.write("\n".join(figures(int(sys.argv[1])).lines()) + "\n")
