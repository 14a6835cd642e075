"""The same training again: on other examples, with another network, or on a part of its examples and asked about the rest."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.data import Examples
from chainrule.doctor.finding import UntoldError
from chainrule.doctor.patient import Patient, Some
from chainrule.errors import ChainruleError
from chainrule.graph import Array
from chainrule.train import Model

FOLDS = 4
LONGEST = 30.0
"""Seconds that a training beside this one may take, going by what this one took."""


def again(patient: Patient, train: Examples | None = None, **changes: Any) -> Model:
    """The network that the training makes on these examples, or its own, with these fields changed; nothing is evaluated on the way.

    Raises: UntoldError where that cannot be done, as where a number is not finite, or takes too long.
    """
    data = patient.require_data()
    examples = data.train if train is None else train
    if (took := patient.run.trainer.seconds * len(examples) / len(data.train)) > LONGEST:
        raise UntoldError(
            f"a training beside this one would take some {took:.0f} s, and {LONGEST:.0f} are granted: try it by hand"
        )
    # An early end needs a part that is evaluated: without one all epochs are gone through.
    parts = {} if changes.get("early_stopping", patient.training.early_stopping) else {"validation": None, "test": None}
    epochs = changes.get("epochs", patient.run.settings.epochs)
    given = {
        "data": replace(data, train=examples, origin=None, **parts),
        "evaluate_every": max(1, epochs),
        **changes,
    }
    try:
        return patient.training.changed(replicas=1, seed=patient.seed, **given).fit().model()
    except ChainruleError as trouble:
        raise UntoldError(f"a training beside this one went wrong: {trouble.happened}") from None


def crossed(patient: Patient, epochs: int) -> tuple[Array, Array]:
    """The outputs (n, ...) and the costs (n,) of the training examples that are looked at, each by a network that has not seen it.

    The examples are dealt into four folds by chance; four trainings of so many epochs leave out one each. What such a network says
    of an example it cannot know by heart. Source: M. Stone, J. R. Stat. Soc. B 36, 111 (1974).
    """
    some, data = patient.train, patient.require_data()
    if patient.problem.size > 1 or len(some) < 2 * FOLDS:
        raise UntoldError(f"{len(some)} training examples cannot be dealt into {FOLDS} folds")
    dealt = np.random.default_rng(0).permutation(len(some)) % FOLDS
    found: list[tuple[Array, Array, Array]] = []
    for fold in range(FOLDS):
        kept, out = np.flatnonzero(dealt != fold), np.flatnonzero(dealt == fold)
        batch = min(patient.run.settings.batch_size, len(kept))
        model = again(patient, data.train[some.numbers[kept]], epochs=epochs, batch_size=batch, early_stopping=None)
        rows: Some = some.only(out)
        found.append((out, model.quantities(rows.x, {"output"})["output"], model.costs(rows.x, rows.y)))
    order = np.argsort(np.concatenate([out for out, _, _ in found]))
    return np.concatenate([outputs for _, outputs, _ in found])[order], np.concatenate([costs for _, _, costs in found])[order]
