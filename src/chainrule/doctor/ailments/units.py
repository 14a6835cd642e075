"""Units that hardly a gradient passes: ReLUs that are 0 on every example, and squashing functions on their flat parts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chainrule.doctor.ailment import ailment
from chainrule.doctor.changes import changed, initialised_anew, with_fields
from chainrule.doctor.finding import Cure, Finding, fine, ill, remark
from chainrule.doctor.patient import Patient
from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.train import Model

FLAT = 0.01
"""The share of its steepest slope below which a function counts as flat: beyond |z| = 3 for tanh, 6 for sigmoid."""
HALF = 0.5
"""The share of the loss of a constant answer that a network has to take away to count as one that fits."""
_TOLD = 3
_STATES = 32
"""So many states of the training are looked at to find when a unit died, and as many again between two of them, until it is one step."""


@dataclass(frozen=True)
class Death:
    """When units of a layer died: alive after `step` updates, dead after one more; None where they were dead at the start."""

    units: tuple[int, ...]
    step: int | None


@ailment("dead units", source="L. Lu, Y. Shin, Y. Su, G. E. Karniadakis, Commun. Comput. Phys. 28, 1671 (2020)", stops_learning=True)
def dead_units(patient: Patient) -> Finding:
    """Whether ReLUs are 0 on every training example looked at: no gradient reaches their weights any more, whatever is trained."""
    names = tuple(patient.activations("relu"))
    if not names:
        return fine("there is no ReLU in the network")
    alive = _alive(patient, patient.end, names)
    dead = {name: np.flatnonzero(~fires) for name, fires in alive.items() if not fires.all()}
    if not dead:
        return fine(f"every ReLU fires on some of {patient.train}")
    deaths = {name: _deaths(patient, name, units) for name, units in dead.items()}
    half = any(2 * len(units) >= len(alive[name]) for name, units in dead.items())
    # What the network can do without is worth knowing, and no more.
    harms = any(len(units) == len(alive[name]) for name, units in dead.items()) or (half and patient.compares and patient.fitted < HALF)
    made = ill if harms else remark
    counts = [f"{len(units)} of {len(alive[name])} ReLUs of {name.rpartition('.')[0]}" for name, units in dead.items()]
    bound = 100 * 3 / len(patient.train)
    return made(
        f"{', '.join(counts)} are 0 on all of {patient.train}",
        *(line for name in dead for line in _course(patient, name, deaths[name])),
        f"on new examples one fires in fewer than {numeral(bound, 2)} % of cases (rule of three, 95 %); its weights get no gradient",
        cures=_cures(patient, deaths), units=dead,
        since={name: tuple((death.units, death.step) for death in found) for name, found in deaths.items()},
    )  # fmt: skip


def _alive(patient: Patient, model: Model, names: tuple[str, ...]) -> dict[str, Array]:
    """Which units of each quantity are above 0 on some example, a channel at some place: (units,)."""
    values = model.quantities(patient.train.x, set(names))
    return {name: (values[name].reshape(-1, values[name].shape[-1]) > 0).any(axis=0) for name in names}


def _deaths(patient: Patient, name: str, units: Array) -> list[Death]:
    """When the units died, those that died at one update together; the largest such group to the very step, others to an interval."""
    first, last = patient.first_step, patient.last_step
    low = {int(unit): first - 1 for unit in units}
    high = dict.fromkeys(low, last)
    bracket = (first - 1, last)
    while True:
        steps = _between(bracket[0], bracket[1], first)
        for step, model in patient.models(steps):
            alive = _alive(patient, model, (name,))[name]
            for unit in low:
                if low[unit] < step <= high[unit]:
                    if alive[unit]:
                        low[unit], high[unit] = step, max(high[unit], step)
        for unit in low:
            later = [step for step in steps if step > low[unit]]
            high[unit] = min([high[unit], *later])
        groups = [(low[unit], high[unit]) for unit in low]
        open_ones = [group for group in groups if group[1] - group[0] > 1]
        if not open_ones:
            break
        bracket = max(set(open_ones), key=open_ones.count)
    found = sorted(set(low.values()))
    return [
        Death(tuple(unit for unit in low if low[unit] == step), None if step < first else step)
        for step in found
    ]


def _between(low: int, high: int, first: int) -> list[int]:
    """Steps to look at between one at which a unit was alive and one at which it is dead."""
    steps = np.linspace(max(low, first - 1) + 1, high - 1 if low >= first else high, _STATES).round().astype(np.int64)
    return sorted({int(step) for step in steps if low < step <= high})


def _course(patient: Patient, name: str, deaths: list[Death]) -> list[str]:
    layer = name.rpartition(".")[0]
    lines: list[str] = []
    told = sorted(deaths, key=lambda death: -len(death.units))[:_TOLD]
    for death in sorted(told, key=lambda death: -1 if death.step is None else death.step):
        units = ", ".join(map(str, death.units[:12])) + (", ..." if len(death.units) > 12 else "")
        which = f"{layer} unit{'s' * (len(death.units) > 1)} {units}"
        if death.step is None:
            lines.append(f"{which}: dead from the start")
            continue
        z = name.removesuffix(".a") + ".z"
        states = patient.models([death.step, death.step + 1])
        largest = [float(model.quantities(patient.train.x, {z})[z][..., death.units[0]].max()) for _, model in states] if z in patient.pre_activations else []
        course = f": the largest z of unit {death.units[0]} went from {numeral(largest[0], 3)} to {numeral(largest[1], 3)}" if largest else ""
        lines.append(f"{which}: dead since step {death.step + 1}, killed by the update of step {death.step}{course}")
    rest = sum(len(death.units) for death in deaths) - sum(len(death.units) for death in told)
    return lines + ([f"{layer}: {rest} more at other steps"] if rest else [])


def _cures(patient: Patient, deaths: dict[str, list[Death]]) -> tuple[Cure, ...]:
    killed = any(death.step is not None for found in deaths.values() for death in found)
    born = any(death.step is None for found in deaths.values() for death in found)
    cures: tuple[Cure, ...] = ()
    leaky = with_fields(patient.problem.network, {"activation": {"relu": "leaky_relu"}, "function": {"relu": "leaky_relu"}})
    if leaky is not None:
        cures += changed(patient, "a leaky ReLU, which passes a gradient on both sides", network=leaky)
    if killed and np.isfinite(patient.rate):
        cures += changed(patient, "a tenth of the learning rate", **{"optimizer.learning_rate": float(f"{patient.rate / 10:.2g}")})
    anew = initialised_anew(patient) if born else None
    if anew is not None:
        cures += changed(patient, "the usual first weights and biases", network=anew)
    return cures


@ailment("saturated units", source="X. Glorot, Y. Bengio, AISTATS, 249 (2010)", stops_learning=True)
def saturated(patient: Patient) -> Finding:
    """Whether half of what tanhs and sigmoids compute lies on their flat parts: at the start, or at the end of a training that fits badly."""
    kinds = patient.activations("tanh", "sigmoid")
    if not kinds:
        return fine("there is no hidden tanh or sigmoid in the network")
    at = {"at the start": _flat(patient, patient.start, kinds), "now": _flat(patient, patient.end, kinds)}
    worst = {when: max(shares.items(), key=lambda pair: pair[1]) for when, shares in at.items()}
    early, late = worst["at the start"][1], worst["now"][1]
    numbers = {"start": at["at the start"], "end": at["now"]}
    lines = [
        f"{name}: {100 * at['at the start'][name]:.0f} % at the start, {100 * share:.0f} % now (|f′| under a hundredth of its most)"
        for name, share in at["now"].items()
        if max(share, at["at the start"][name]) > 0.5
    ]
    if max(early, late) <= 0.5:
        return fine(f"{100 * late:.0f} % of the tanhs and sigmoids lie on flat parts, {100 * early:.0f} % at the start", **numbers)
    scaled = "the usual start has z of size 1, of which 0.3 % lie so far out for tanh"
    cures = _wider_start(patient) if early > 0.5 else ()
    if late > 0.5 >= early and np.isfinite(patient.rate):
        cures += changed(patient, "a tenth of the learning rate", **{"optimizer.learning_rate": float(f"{patient.rate / 10:.2g}")})
    bad = early > 0.5 or (patient.compares and patient.fitted < HALF)
    made, name = (ill if bad else remark), (worst["at the start"][0] if early > 0.5 else worst["now"][0])
    return made(f"more than half of {name} lies where its function is flat, so that hardly a gradient passes", *lines, scaled, cures=cures, **numbers)


def _flat(patient: Patient, model: Model, kinds: dict[str, str]) -> dict[str, float]:
    """Of each quantity the share of its numbers where the slope is below a hundredth of the steepest."""
    values = model.quantities(patient.train.x, set(kinds))
    slopes = {name: (1 - a**2 if kinds[name] == "tanh" else 4 * a * (1 - a)) for name, a in values.items()}
    return {name: float(np.mean(slope < FLAT)) for name, slope in slopes.items()}


def _wider_start(patient: Patient) -> tuple[Cure, ...]:
    anew = initialised_anew(patient)
    return () if anew is None else changed(patient, "the usual first weights", network=anew)
