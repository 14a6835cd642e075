"""Whether the network can do what is asked of it: too few units, or a dropout that leaves it too few."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from chainrule.doctor.ailment import ailment
from chainrule.doctor.chances import LEVEL, above, around, one_sided
from chainrule.doctor.changes import changed, wider, without_dropout
from chainrule.doctor.crossed import LONGEST, again
from chainrule.doctor.finding import Cure, Finding, UntoldError, fine, ill
from chainrule.doctor.patient import HALF, Patient, Some
from chainrule.errors import NonFiniteError
from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.train import Model

SHARE = 0.05
"""What another network gains counts from this share of what a constant answer costs, if it is half of the loss that is left too."""
ALSO = 0.05
"""The level at which the other part has to say so too."""
_SEEDS = 8
Costs: TypeAlias = tuple[Array, Array]
"""The losses of the training examples that are looked at, and of those held out."""


@ailment(
    "network too small", source="S. Geman, E. Bienenstock, R. Doursat, Neural Computation 4, 1 (1992): bias", stops_learning=True,
    needs="targets",
)  # fmt: skip
def too_small(patient: Patient) -> Finding:
    """Whether four times as many units fit much better, on held-out examples too, and neither other seeds nor more epochs do."""
    cures = wider(patient, 4, 16)
    if not cures:
        return fine("there is no hidden layer of which it is known how it is made wider")
    left = _left(patient)
    if isinstance(left, Finding):
        return left
    better = _of(patient, again(patient, network=_network(cures)))
    gained = _gained(patient, left, better)
    if not gained:
        return fine("with four times as many units the loss that is left is not halved, or not on held-out examples too")
    seeds = _affordable_seeds(patient)
    for model in _other_seeds(patient, seeds):
        if not _gained(patient, _of(patient, model), better):
            return fine("it is not the number of units: with another seed, or twice the epochs, these come as far")
    return ill(
        "four times as many units, 16 to a layer at least, fit much better, on examples that were held out too",
        *gained,
        f"the best of {seeds} seeds of this network, with twice the epochs, does not come near",
        cures=cures,
        training=float(better[0].mean()),
        held_out=float(better[1].mean()),
    )


@ailment(
    "dropout too strong",
    source="N. Srivastava, G. Hinton, A. Krizhevsky, I. Sutskever, R. Salakhutdinov, JMLR 15, 1929 (2014), section 7.3",
    stops_learning=True, needs="targets",
)  # fmt: skip
def strong_dropout(patient: Patient) -> Finding:
    """Whether the same network without dropout fits much better, on held-out examples too."""
    network = without_dropout(patient.problem.network)
    if network is None:
        return fine("there is no dropout in the network")
    left = _left(patient)
    if isinstance(left, Finding):
        return left
    better = _of(patient, again(patient, network=network))
    gained = _gained(patient, left, better)
    if not gained:
        return fine("without dropout the loss that is left is not halved, or not on held-out examples too")
    return ill(
        "without it the network fits much better, on examples that were held out too",
        *gained,
        cures=changed(patient, "no dropout", {"network": network}),
        training=float(better[0].mean()),
        held_out=float(better[1].mean()),
    )


def _left(patient: Patient) -> Costs | Finding:
    """The costs of both parts; or that so little is left of them that nothing more is to be had."""
    if not patient.last_step:
        raise UntoldError("no step was done yet")
    now = patient.costs, patient.held_costs
    if float(now[0].mean()) <= SHARE * patient.constant:
        return fine(f"the network fits {100 * patient.fitted:.0f} % of what a constant answer leaves")
    return now


def _of(patient: Patient, model: Model) -> Costs:
    return model.costs(patient.train.x, patient.train.y), model.costs(patient.held.x, patient.held.y)


def _gained(patient: Patient, now: Costs, better: Costs) -> list[str]:
    """Of each part how much lower the loss is, in words; nothing unless it is so on both, and on one by half and certainly.

    On which one is left open: of the training loss wrong labels may leave what no network should take, and held-out examples are few.
    """
    lines: list[str] = []
    halved = False
    parts: tuple[Some, Some] = patient.train, patient.held
    for some, before, after in zip(parts, now, better, strict=True):
        found = above(before, after)
        if not one_sided(found) <= ALSO:
            return []
        least = max(SHARE * patient.constant, HALF * float(before.mean()))
        halved |= one_sided(found) <= LEVEL and found.difference >= least
        lines.append(
            f"loss on {some}: {numeral(float(before.mean()), 3)}, then {numeral(float(after.mean()), 3)}, "
            f"lower by {around(found.difference, found.error)}, the same examples compared"
        )
    return lines if halved else []


def _affordable_seeds(patient: Patient) -> int:
    """With how many seeds the training can be made again, twice as long, in the time that is granted."""
    took = 2 * patient.run.trainer.seconds
    seeds = _SEEDS if took * _SEEDS <= LONGEST else int(LONGEST / took)
    if seeds < 2:
        raise UntoldError(
            f"with two seeds and twice the epochs it would take some {2 * took:.0f} s, and {LONGEST:.0f} are granted"
        )
    return seeds


def _other_seeds(patient: Patient, seeds: int) -> list[Model]:
    """The best of several networks like this one, with other seeds and twice the epochs; none where a number is not finite."""
    twice = patient.training.changed(replicas=seeds, seed=patient.seed, epochs=2 * patient.run.settings.epochs)
    try:
        run = twice.fit()
    except NonFiniteError:
        return []
    models = [run.model(replica) for replica in range(seeds)]
    means = [float(model.costs(patient.train.x, patient.train.y).mean()) for model in models]
    return [models[int(np.argmin(means))]]


def _network(cures: tuple[Cure, ...]) -> object:
    training = cures[0].training
    return None if training is None else training.network
