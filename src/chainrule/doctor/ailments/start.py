"""A start that cannot be left: units of a layer that are all the same, or weights that are all zero."""

from __future__ import annotations

import numpy as np

from chainrule.doctor.ailment import ailment
from chainrule.doctor.changes import by_hand, changed, initialised_anew, unfrozen, with_network, without_start
from chainrule.doctor.finding import Cure, Finding, fine, ill, remark
from chainrule.doctor.patient import Patient
from chainrule.graph import Array
from chainrule.train import Model


@ailment(
    "units all the same",
    source="D. E. Rumelhart, G. E. Hinton, R. J. Williams, Nature 323, 533 (1986): the symmetry is to be broken at the start",
    stops_learning=True,
)
def same_units(patient: Patient) -> Finding:
    """Whether units of a hidden layer had equal weights at the start, and still have: they compute one and the same number."""
    layers = [(name, *_same(patient.start, patient.end, name)) for name in _hidden_weights(patient.end)]
    found = [(name, same, units) for name, same, units in layers if same > 1]
    if not found:
        return fine("no two units of a hidden layer are the same")
    zero = [name for name, _, _ in found if not np.any(patient.start.parameters[name])]
    lines = [
        f"{name}: {same} of {units} units have the same weights to the last bit, at the start and now"
        for name, same, units in found
    ]
    lines += [f"all weights of {', '.join(zero)} were 0 at the start"] if zero else []
    lines += ["units with equal weights get equal gradients, so that training cannot tell them apart"]
    return ill(
        f"the units of {', '.join(name.rpartition('.')[0] for name, _, _ in found)} are all the same"
        if all(same == units for _, same, units in found)
        else f"units of {', '.join(name.rpartition('.')[0] for name, _, _ in found)} are the same",
        *lines,
        cures=_anew(patient), layers={name: same for name, same, _ in found}, zero=tuple(zero),
    )  # fmt: skip


@ailment(
    "frozen at random",
    source="J. Yosinski, J. Clune, Y. Bengio, H. Lipson, NeurIPS (2014): features that are transferred, beside those of random layers",
    needs="nothing",
)
def frozen_at_random(patient: Patient) -> Finding:
    """Whether layers that are not trained have the weights that the seed drew: what was learned elsewhere was not put in."""
    names = patient.run.trainer.frozen_at_random
    layers = list(dict.fromkeys(name.rpartition(".")[0] for name in names))
    if not layers:
        return fine("no frozen layer has weights that were drawn at random")
    free = unfrozen(patient)
    return remark(
        f"{', '.join(layers)} {'is' if len(layers) == 1 else 'are'} frozen with weights that were drawn at random",
        "what comes through is a random function of the inputs; training changes what is behind alone",
        "right where that is meant: a reservoir, random features",
        cures=(
            *by_hand("weights that were learned elsewhere", "cr.Training.of(run).changed(initial=OTHER_RUN).fit()"),
            *(changed(patient, "layers that are trained too", {"network": free}) if free else ()),
        ),
        layers=layers,
    )


def _hidden_weights(model: Model) -> list[str]:
    """The weights of all layers but the last: its units are told apart by their targets."""
    names = [name for name, array in model.parameters.items() if array.ndim > 1 and array.shape[-1] > 1]
    layers = list(dict.fromkeys(name.rpartition(".")[0] for name in model.parameters))
    return [name for name in names if name.rpartition(".")[0] != layers[-1]]


def _same(start: Model, end: Model, name: str) -> tuple[int, int]:
    """How many units of a layer are the same as another one in all that goes into them, at the start and at the end; of how many."""
    layer = name.rpartition(".")[0]
    units = int(start.parameters[name].shape[-1])
    alike = [key for key, a in start.parameters.items() if key.rpartition(".")[0] == layer and a.shape[-1:] == (units,)]
    columns = np.concatenate([_columns(state.parameters[key]) for state in (start, end) for key in alike])
    _, counts = np.unique(columns, axis=1, return_counts=True)
    return int(counts.max(initial=0)), units


def _columns(array: Array) -> Array:
    return array.reshape(-1, array.shape[-1])


def _anew(patient: Patient) -> tuple[Cure, ...]:
    cures = with_network(patient, "weights that start at random", initialised_anew(patient))
    if start := without_start(patient):
        cures += changed(patient, "first weights drawn at random", start)
    return cures
