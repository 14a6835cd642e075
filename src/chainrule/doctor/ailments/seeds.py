"""The luck of the seed: replicas that differ in nothing but their seed, and of which some learned much less than others."""

from __future__ import annotations

import numpy as np

from chainrule.doctor.ailment import ailment
from chainrule.doctor.chances import LEVEL, above, one_sided, share
from chainrule.doctor.changes import wider
from chainrule.doctor.finding import Cure, Finding, UntoldError, fine, ill, remark
from chainrule.doctor.patient import Patient

HALF = 0.5
"""A replica that took away less than this share of what the best one took from the loss did not learn what can be learned."""


@ailment(
    "luck of the seed",
    source="M. Picard, arXiv 2109.08203 (2021); X. Bouthillier and others, MLSys 3, 747 (2021)",
    stops_learning=True,
    needs="targets",
)
def luck(patient: Patient) -> Finding:
    """Whether some seeds took away less than half of what the best took from the training loss."""
    run = patient.replicas
    count = run.settings.replicas
    if count < 3:
        raise UntoldError(f"{count} replica{'s' * (count > 1)} cannot tell how much the seed matters: try_cures=8 trains eight")
    costs = [run.model(replica).costs(patient.train.x, patient.train.y) for replica in range(count)]
    means = np.array([rows.mean() for rows in costs])
    best = int(np.argmin(means))
    fall = patient.constant - means[best]
    if fall <= 0 or one_sided(above(np.full(len(costs[best]), patient.constant), costs[best])) > LEVEL:
        return fine("no seed learned anything, so that it was no luck")
    shares = (patient.constant - means) / fall
    failed = [k for k in range(count) if shares[k] < HALF and one_sided(above(costs[k], costs[best])) * count <= LEVEL]
    seeds = run.trainer.seeds
    numbers = {"seeds": seeds, "losses": means, "failed": [seeds[k] for k in failed]}
    if not failed:
        return fine(f"all {count} seeds learned alike: at least {100 * shares.min():.0f} % of what the best did", **numbers)
    value, error = share(len(failed), count)
    own = seeds[best] if run is patient.run else patient.run.trainer.seeds[patient.replica]
    mine = (run is not patient.run and own in numbers["failed"]) or (run is patient.run and patient.replica in failed)
    told = "this one among them" if mine else "this one was lucky"
    which = f"{', '.join(map(str, numbers['failed']))} took away less than half of what seed {seeds[best]} took from the loss"
    return (ill if mine or 2 * len(failed) >= count else remark)(
        f"{len(failed)} of {count} seeds did not learn ({100 * value:.0f} ± {100 * error:.0f} % of all), {told}",
        f"seeds {which}",
        "losses: " + ", ".join(f"{seed}: {mean:.3g}" for seed, mean in zip(seeds, means, strict=True)),
        cures=(*wider(patient), Cure("the seed that went best", f"cr.Training.of(run).changed(seed={seeds[best]}).fit()")), **numbers,
    )  # fmt: skip
