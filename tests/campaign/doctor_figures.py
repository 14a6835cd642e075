"""The doctor's hits and false alarms over many trainings, as the tables of docs/doctor.md.

`python -m tests.campaign.doctor_figures FILE 1210 600 220 --seconds 600` draws so many trainings with a fault, without one, and with
two; it goes on with what the file holds, a line of JSON to each training, until the time is over, and prints the tables.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import scipy.stats

import chainrule as cr
from chainrule.doctor import Diagnosis, diagnose
from chainrule.errors import NonFiniteError
from tests.doctor.zoo import (
    FAULTS,
    FRESH,
    HELD_BACK,
    MEASUREMENT,
    OTHERS,
    SEEN,
    doubly_sick,
    healthy,
    learned,
    sick,
    without_effect,
)

KNOWN = SEEN + HELD_BACK + OTHERS
FIRST = 6_000_000
"""The number of the first animal: no test and no look while the doctor was written looks at these."""
OTHER = 5000
"""So many grounds further is the one that is taken in place of one on which no training comes out well."""
Row = dict[str, Any]


def look_at_sick(number: int, families: tuple[str, ...]) -> Row:
    """Whether the fault is named, whether anything is; and whether it had an effect, beside its twin without it.

    A fault is put into a training that comes out well without it: where the twin does not, another ground is taken.
    """
    place, twin = number, None
    while twin is None or not learned(twin):
        animal = sick(place, families)
        place += OTHER * len(FAULTS)
        twin = _trained(animal.twin) if animal.twin else None
    run, found = _looked_at(animal.training)
    effect = animal.fault in MEASUREMENT or run.stopped == "not finite" or not without_effect(run, twin)
    ill = {one.ailment for one in found.ill}
    return {"fault": animal.fault, "effect": effect, "named": bool(ill & animal.ailments), **_told(animal.name, found)}


def _trained(training: cr.Training) -> cr.train.Run | None:
    try:
        return training.fit()
    except NonFiniteError:
        return None


def look_at_two(number: int, families: tuple[str, ...]) -> Row:
    """Whether the first of two faults is named, and whether the second."""
    animal, second = doubly_sick(number, families)
    found = _looked_at(animal.training)[1]
    ill = {one.ailment for one in found.ill}
    return {
        "fault": animal.fault,
        "first": bool(ill & animal.ailments),
        "second": bool(ill & second),
        **_told(animal.name, found),
    }


def look_at_healthy(number: int, families: tuple[str, ...]) -> Row:
    """Whether a training without a fault came out well, and whether it raised an alarm."""
    animal = healthy(number, families)
    run, found = _looked_at(animal.training)
    return {"well": run.stopped != "not finite" and learned(run), **_told(animal.name, found)}


def _looked_at(training: cr.Training) -> tuple[cr.train.Run, Diagnosis]:
    trainer = training.trainer()
    with suppress(NonFiniteError):
        trainer.train()
    run = cr.train.Run(trainer)
    return run, diagnose(run)


def _told(name: str, found: Diagnosis) -> Row:
    return {"name": name, "ill": {one.ailment: one.says for one in found.ill}}


LOOKS: dict[str, Callable[[int, tuple[str, ...]], Row]] = {
    "sick": look_at_sick,
    "healthy": look_at_healthy,
    "two": look_at_two,
}


def draw(
    sizes: dict[str, int], first: int = FIRST, families: Sequence[tuple[str, ...]] = (KNOWN, FRESH)
) -> Iterator[tuple[str, int, int]]:
    """The kind, the place of the families and the number of each training: half on known data, half on fresh ones, in turns."""
    for k in range(max(sizes.values())):
        for kind, size in sizes.items():
            if k < size:
                yield kind, k % len(families), first + 1_000_000 * (k % len(families)) + k // len(families)


def figures(rows: Sequence[Row]) -> Iterator[str]:
    """The tables, and below them what was missed and what was a false alarm."""
    ailing = [row for row in rows if row["kind"] == "sick"]
    yield "| fault put in | trainings | without effect | faults | named | something found wrong |"
    yield "|---|---|---|---|---|---|"
    for fault in [*dict.fromkeys(row["fault"] for row in ailing), ""]:
        own = [row for row in ailing if row["fault"] == fault or not fault]
        real = [row for row in own if row["effect"]]
        counts = (
            len(own),
            len(own) - len(real),
            len(real),
            sum(row["named"] for row in real),
            sum(bool(row["ill"]) for row in real),
        )
        yield f"| {fault.replace('_', ' ') or '**all**'} | {' | '.join(map(str, counts))} |"
    for group in (0, 1):
        real = [row for row in ailing if row["effect"] and row["group"] == group]
        yield f"{('known', 'fresh')[group]} data: {_share(sum(row['named'] for row in real), len(real))} of the faults named"
    real = [row for row in ailing if row["effect"]]
    yield f"all: {_share(sum(row['named'] for row in real), len(real))}"
    yield f"all that were put in, with those without effect: {_share(sum(row['named'] for row in ailing), len(ailing))}"
    sound = [row for row in rows if row["kind"] == "healthy"]
    well = [row for row in sound if row["well"]]
    yield f"false alarms: {_share(sum(bool(row['ill']) for row in well), len(well))}"
    yield f"without a fault, and not come out well: {len(sound) - len(well)}, found: {sum(bool(r['ill']) for r in sound if not r['well'])}"
    two = [row for row in rows if row["kind"] == "two"]
    both, one = (sum(how((row["first"], row["second"])) for row in two) for how in (all, any))
    yield f"two at once: {len(two)}, both named: {both}, at least one: {one}, something found wrong: {sum(bool(r['ill']) for r in two)}"
    yield from (f"alarm {row['name']}: {row['ill']}" for row in well if row["ill"])
    yield from (f"missed {row['name']}: {list(row['ill']) or 'healthy'}" for row in real if not row["named"])


def _share(count: int, among: int) -> str:
    """A share with its interval of 95 % by Clopper and Pearson."""
    if not among:
        return "none"
    low, high = scipy.stats.binomtest(count, among).proportion_ci(0.95, "exact")
    return f"{count} of {among}, {100 * count / among:.2f} % ({100 * low:.2f} to {100 * high:.2f} %)"


def go_on(
    file: Path, plan: Iterator[tuple[str, int, int]], seconds: float, families: Sequence[tuple[str, ...]] = (KNOWN, FRESH)
) -> list[Row]:
    """Goes on with the plan where the file ends, until the time is over."""
    rows: list[Row] = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []
    done, until = {(row["kind"], row["number"]) for row in rows}, time.monotonic() + seconds
    with file.open("a", encoding="utf-8") as out:
        for kind, group, number in plan:
            if time.monotonic() > until:
                break
            if (kind, number) not in done:
                rows.append({"kind": kind, "group": group, "number": number, **LOOKS[kind](number, families[group])})
                out.write(json.dumps(rows[-1]) + "\n")
                out.flush()
    return rows


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("file", type=Path)
    for kind in LOOKS:
        asked.add_argument(kind, type=int)
    asked.add_argument("--seconds", type=float, default=1e9)
    asked.add_argument("--first", type=int, default=FIRST)
    asked.add_argument("--known", action="store_true", help="on known data alone, as while the doctor is written")
    given = asked.parse_args()
    over = (KNOWN,) if given.known else (KNOWN, FRESH)
    plan = draw({kind: getattr(given, kind) for kind in LOOKS}, given.first, over)
    sys.stdout.write("\n".join(figures(go_on(given.file, plan, given.seconds, over))) + "\n")
