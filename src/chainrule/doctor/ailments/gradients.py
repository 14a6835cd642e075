"""Gradients that vanish or explode on their way back: through the layers, and through time."""

from __future__ import annotations

from math import erfc, log, sqrt

import numpy as np

from chainrule.doctor.ailment import ailment
from chainrule.doctor.chances import LEVEL
from chainrule.doctor.changes import changed, initialised_anew, with_fields, with_network
from chainrule.doctor.finding import Cure, Finding, UntoldError, fine, ill, remark
from chainrule.doctor.patient import HALF, Patient, Some
from chainrule.graph import Array
from chainrule.nn import Sequential
from chainrule.numerals import numeral
from chainrule.train import Adam, ClipNorm

FAR = 100.0
"""A first layer whose gradient is so many times smaller, or larger, than the last one's is not served by one learning rate."""
_EXAMPLES = 200
_IN_TIME = 16


@ailment(
    "gradient through the layers",
    source="B. Hanin, M. Nica, Commun. Math. Phys. 376, 287 (2020); S. Hochreiter, Diploma thesis, TU Munich (1991)",
    stops_learning=True, needs="targets",
)  # fmt: skip
def through_layers(patient: Patient) -> Finding:
    """Whether ∂C/∂z of the first layer is at the start a hundred times smaller or larger than that of the last hidden one."""
    names = patient.pre_activations[:-1]
    if len(names) < 2:
        return fine("there are fewer than two hidden layers")
    some = _few(patient.train, _EXAMPLES)
    slopes = patient.gradients(patient.start, names, some)
    names = tuple(name for name in names if name in slopes)
    sizes = {name: float(np.sqrt(np.square(slopes[name]).sum() / len(some))) for name in names}
    first, last = sizes[names[0]], sizes[names[-1]]
    if last == 0 or first == 0:
        where = next(name for name in reversed(names) if sizes[name] == 0)
        raise UntoldError(f"no gradient reaches {where} at the start")
    now = patient.gradients(patient.end, names, some)
    later = {name: float(np.sqrt(np.square(now[name]).sum() / len(some))) for name in names}
    ratio, each = first / last, (first / last) ** (1 / (len(names) - 1))
    chance = _chance(2 * log(ratio), [slopes[name][0].shape[-1] for name in names])
    table = ", ".join(f"{name} {numeral(size, 2)}" for name, size in sizes.items())
    numbers = {"sizes": sizes, "sizes_now": later, "ratio": ratio, "probability": chance}
    if 1 / FAR < ratio < FAR or chance > LEVEL:
        return fine(
            f"at the start the gradient of the first layer is {numeral(ratio, 2)} times that of the last hidden one", **numbers
        )
    word = "vanishes" if ratio < 1 else "explodes"
    # An optimizer that scales each entry makes up for a small gradient, if not for one that is lost in others.
    made = remark if ratio < 1 and patient.adapts and patient.fitted >= HALF else ill
    return made(
        f"the gradient {word}: going back it is multiplied by {numeral(each, 2)} at each layer, by {numeral(ratio, 2)} in all",
        f"|∂C/∂z| of an example at the start: {table}",
        f"with weights that keep its size on average, chance alone goes as far with probability {numeral(chance, 1)}",
        cures=_cures(patient, vanishing=ratio < 1), **numbers,
    )  # fmt: skip


def _few(some: Some, most: int) -> Some:
    chosen = np.linspace(0, len(some) - 1, min(most, len(some))).round().astype(np.int64)
    return some.only(chosen)


def _chance(moved: float, widths: list[int]) -> float:
    """How often the logarithm of the squared size moves as far, for random weights that keep its mean.

    It is normal with variance 5β and mean −5β/2, β = Σ 1/width over the layers that it goes through.
    """
    beta = 5 * sum(1 / width for width in widths[:-1])
    return erfc(abs(moved + beta / 2) / sqrt(2 * beta))


def _cures(patient: Patient, *, vanishing: bool) -> tuple[Cure, ...]:
    network, anew = patient.problem.network, initialised_anew(patient)
    cures = with_network(patient, "the usual first weights", anew)
    if not vanishing:
        return cures + changed(patient, "a gradient that is cut to length 1", {"clip": ClipNorm(1.0)})
    straight = {"sigmoid": "relu", "tanh": "relu"}
    hidden = with_fields(anew or network, {"activation": straight})
    if isinstance(hidden, Sequential) and isinstance(network, Sequential):
        # The last layer's function goes with the loss.
        hidden = Sequential(*hidden.layers[:-1], network.layers[-1], input_shape=network.input_shape)
        cures += changed(patient, "ReLUs, whose slope is 1 where they fire", {"network": hidden})
    if not patient.adapts:
        cures += changed(patient, "Adam, whose steps do not go by the gradient's size", {"optimizer": Adam()})
    return cures


@ailment(
    "gradient through time", source="Y. Bengio, P. Simard, P. Frasconi, IEEE Trans. Neural Networks 5, 157 (1994)", stops_learning=True,
    needs="targets",
)  # fmt: skip
def through_time(patient: Patient) -> Finding:
    """Whether hardly anything of ∂C/∂h reaches the first time steps of a network with memory, at the start or now."""
    if not patient.end.has_memory:
        return fine("there is no layer with a memory")
    some = _few(patient.train, _IN_TIME if patient.problem.size == 1 else len(patient.train))
    found: dict[str, tuple[float, float, int]] = {}
    for when, model in (("at the start", patient.start), ("now", patient.end)):
        steps = model.through_time(some.x, some.y)
        for name in (name for name in steps.names if name.endswith((".h", ".c"))):
            sizes = _sizes(steps.gradients(name))
            if len(sizes) > 2 and sizes.max() > 0:
                # Where each time step has a target of its own, the last one is reached by its own alone.
                found[f"{name} {when}"] = float(sizes[0]), float(sizes.max()), len(sizes)
    if not found:
        raise UntoldError("the layers with a memory have too few time steps")
    ratios = {name: first / most for name, (first, most, _) in found.items()}
    layers = {name.split(".")[0] for name in found}
    # A cell carries what its gates let through: the widest way back counts.
    best = {layer: max(ratio for name, ratio in ratios.items() if name.startswith(f"{layer}.")) for layer in layers}
    layer, ratio = min(best.items(), key=lambda pair: pair[1])
    if ratio >= 1 / FAR**2:
        return fine(f"{numeral(100 * ratio, 2)} % of the largest |∂C/∂h| reaches the first time step", ratios=ratios)
    length = max(count for _, _, count in found.values())
    made = ill if patient.fitted < HALF else remark
    return made(
        f"the gradient vanishes through time: of ∂C/∂h in {layer} a share of {numeral(ratio, 1)} reaches the first of {length} steps",
        f"what the first steps say of the target is not learned so; the training took {100 * max(0.0, patient.fitted):.0f} % of the loss",
        cures=changed(patient, "Adam", {"optimizer": Adam(0.01)}), ratios=ratios,
    )  # fmt: skip


def _sizes(gradients: Array) -> Array:
    """The size at each time step, over (examples, time, units)."""
    return np.sqrt(np.square(gradients).sum(axis=(0, 2)))
