"""Units that hardly a gradient passes: ReLUs that are 0 on every example, and squashing functions on their flat parts."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from chainrule.doctor.ailment import ailment
from chainrule.doctor.changes import at_rate, initialised_anew, wider, with_fields, with_network
from chainrule.doctor.finding import Cure, Finding, fine, ill, remark
from chainrule.doctor.patient import HALF, Patient
from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.numerals import numeral
from chainrule.train import Model

FLAT = 0.01
"""The share of its steepest slope below which a function counts as flat: beyond |z| = 3 for tanh, 6 for sigmoid."""
_TOLD = 3
_ROUNDS = 6
"""So often the course of a layer's deaths is looked at more closely."""
_STATES = 32
"""So many states of the training are looked at to find when a unit died, and as many again between two of them, until it is one step."""


@immutable
class Death:
    """Units of a layer that fired for the last time when `low` steps were done, and never again from `high` on, as far as was looked.

    low is one less than the first step for units that were dead at the start.
    """

    units: tuple[int, ...]
    low: int
    high: int


@ailment(
    "dead units", source="L. Lu, Y. Shin, Y. Su, G. E. Karniadakis, Commun. Comput. Phys. 28, 1671 (2020)", stops_learning=True
)
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
    harms = any(len(units) == len(alive[name]) for name, units in dead.items()) or (
        half and patient.compares and patient.fitted < HALF
    )
    made = ill if harms else remark
    counts = [f"{len(units)} of {len(alive[name])} ReLUs of {name.rpartition('.')[0]}" for name, units in dead.items()]
    bound = 100 * 3 / len(patient.train)
    return made(
        f"{', '.join(counts)} are 0 on all of {patient.train}",
        *(line for name in dead for line in _course(patient, name, deaths[name])),
        f"on new examples one fires in fewer than {numeral(bound, 2)} % of cases (rule of three, 95 %); its weights get no gradient",
        cures=_cures(patient, deaths), units=dead,
        since={name: tuple((death.units, death.high) for death in found) for name, found in deaths.items()},
    )  # fmt: skip


def _alive(patient: Patient, model: Model, names: tuple[str, ...]) -> dict[str, Array]:
    """Which units of each quantity are above 0 on some example, a channel at some place: (units,)."""
    values = model.quantities(patient.train.x, set(names))
    return {name: np.any(values[name].reshape(-1, values[name].shape[-1]) > 0, axis=0) for name in names}


def _deaths(patient: Patient, name: str, units: Array) -> list[Death]:
    """When the units died, those that died together as one: to the very step for the largest groups."""
    first, last = patient.first_step, patient.last_step
    seen = {first - 1: np.ones(len(units), dtype=bool), last: np.zeros(len(units), dtype=bool)}
    for _ in range(_ROUNDS):
        wide = [bracket for bracket in _brackets(seen) if bracket[1] - bracket[0] > 1]
        if not wide:
            break
        low, high = max(sorted(set(wide)), key=wide.count)
        steps = np.unique(np.linspace(low + 1, high - 1, _STATES).round().astype(np.int64)).tolist()
        seen |= {step: _alive(patient, model, (name,))[name][units] for step, model in patient.models(steps)}
    found = _brackets(seen)
    return [
        Death(tuple(int(unit) for unit, other in zip(units, found, strict=True) if other == bracket), *bracket)
        for bracket in sorted(set(found))
    ]


def _brackets(seen: Mapping[int, Array]) -> list[tuple[int, int]]:
    """For each unit the last step at which it is known to fire, and the first one behind that was looked at."""
    steps = np.array(sorted(seen))
    last = np.array([seen[int(step)] for step in steps])[::-1].argmax(axis=0)
    return [(int(steps[-1 - back]), int(steps[len(steps) - back])) for back in last]


def _course(patient: Patient, name: str, deaths: list[Death]) -> list[str]:
    """A line to each of the largest groups of units that died together."""
    layer = name.rpartition(".")[0]
    told = sorted(sorted(deaths, key=lambda death: -len(death.units))[:_TOLD], key=lambda death: death.low)
    rest = sum(len(death.units) for death in deaths) - sum(len(death.units) for death in told)
    lines = [f"{layer} {counted(death.units)}: {_end(patient, name, death)}" for death in told]
    return lines + ([f"{layer}: {rest} more at other steps"] if rest else [])


def counted(units: tuple[int, ...]) -> str:
    """Units by their numbers.

    >>> counted((3,)), counted((1, 2))
    ('unit 3', 'units 1, 2')
    """
    return f"unit{'s' * (len(units) > 1)} {', '.join(map(str, units[:12]))}{', ...' if len(units) > 12 else ''}"


def _end(patient: Patient, name: str, death: Death) -> str:
    """When units died, and what the update that killed them did to the first of them."""
    if death.low < patient.first_step:
        return "dead from the start"
    if death.high - death.low > 1:
        return f"died between steps {death.low} and {death.high}"
    said = f"dead since step {death.high}, killed by the update of step {death.low}"
    z = name.removesuffix(".a") + ".z"
    if z not in patient.pre_activations:
        return said
    unit = death.units[0]
    before, after = (
        float(model.quantities(patient.train.x, {z})[z][..., unit].max())
        for _, model in patient.models([death.low, death.high])
    )
    return f"{said}: the largest z of unit {unit} went from {numeral(before, 3)} to {numeral(after, 3)}"


def _cures(patient: Patient, deaths: dict[str, list[Death]]) -> tuple[Cure, ...]:
    killed = any(death.low >= patient.first_step for found in deaths.values() for death in found)
    born = any(death.low < patient.first_step for found in deaths.values() for death in found)
    anew = initialised_anew(patient) if born else None
    # Units that the usual weights leave dead are bad luck, the rarer the more there are.
    cures = wider(patient) if born and anew is None else ()
    leaky = with_fields(patient.problem.network, {"activation": {"relu": "leaky_relu"}, "function": {"relu": "leaky_relu"}})
    cures += with_network(patient, "a leaky ReLU, which passes a gradient on both sides", leaky)
    if killed and np.isfinite(patient.rate):
        cures += at_rate(patient, patient.rate / 10, "a tenth of the learning rate")
    return cures + with_network(patient, "the usual first weights and biases", anew)


@ailment("saturated units", source="X. Glorot, Y. Bengio, AISTATS, 249 (2010)", stops_learning=True)
def saturated(patient: Patient) -> Finding:
    """Whether half of what tanhs and sigmoids compute lies on their flat parts: at the start, or now in a bad fit."""
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
        return fine(
            f"{100 * late:.0f} % of the tanhs and sigmoids lie on flat parts, {100 * early:.0f} % at the start", **numbers
        )
    scaled = "the usual start has z of size 1, of which 0.3 % lie so far out for tanh"
    cures = with_network(patient, "the usual first weights", initialised_anew(patient)) if early > 0.5 else ()
    if late > 0.5 >= early and np.isfinite(patient.rate):
        cures += at_rate(patient, patient.rate / 10, "a tenth of the learning rate")
    bad = early > 0.5 or (patient.compares and patient.fitted < HALF)
    made, name = (ill if bad else remark), (worst["at the start"][0] if early > 0.5 else worst["now"][0])
    return made(
        f"more than half of {name} lies where its function is flat, so that hardly a gradient passes",
        *lines,
        scaled,
        cures=cures,
        **numbers,
    )


def _flat(patient: Patient, model: Model, kinds: dict[str, str]) -> dict[str, float]:
    """Of each quantity the share of its numbers where the slope is below a hundredth of the steepest."""
    values = model.quantities(patient.train.x, set(kinds))
    slopes = {name: (1 - a**2 if kinds[name] == "tanh" else 4 * a * (1 - a)) for name, a in values.items()}
    return {name: float(np.mean(slope < FLAT)) for name, slope in slopes.items()}
