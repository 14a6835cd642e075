"""What is wrong with the examples themselves: inputs of very different sizes, and examples that stand in two parts."""

from __future__ import annotations

from math import prod

import numpy as np

from chainrule.data import Scaling
from chainrule.doctor.ailment import ailment
from chainrule.doctor.chances import LEVEL, at_least
from chainrule.doctor.changes import by_hand
from chainrule.doctor.finding import Cure, Finding, UntoldError, fine, ill, remark
from chainrule.doctor.patient import HALF, Patient, Some
from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.train import Training
from chainrule.train.replicated import measured


@ailment(
    "unscaled inputs",
    source="Y. LeCun, L. Bottou, G. Orr, K.-R. Müller, Efficient BackProp (1998), section 4.3",
    stops_learning=True,
)
def unscaled(patient: Patient) -> Finding:
    """Whether the inputs' sizes differ so much that the steps were too few for the smaller ones, or are all far above 1."""
    x = patient.seen_inputs
    if not np.issubdtype(patient.train.x.dtype, np.floating):
        return fine("the inputs are bytes, all in one unit")
    spread, size = x.std(axis=0), np.sqrt(np.square(x).mean(axis=0))
    varies = spread > 0
    if not varies.any():
        return ill("every input is the same in all examples", "there is nothing that an answer could go by")
    if "positions" in patient.problem.dataset_info.scaling.reason:
        return fine("the network takes the inputs for positions")
    # What a rare feature is where it is there counts, not how rare it is.
    reach = np.abs(x - x.mean(axis=0)).max(axis=0)
    largest, least = (int(np.flatnonzero(varies)[at(sizes[varies])]) for at, sizes in ((np.argmax, size), (np.argmin, reach)))
    condition, steps = float((size[largest] / reach[least]) ** 2), patient.last_step - patient.first_step
    names = patient.problem.dataset_info.features
    word = [f"{names[place]!r}" if names else f"input {place}" for place in (largest, least)]
    told = (
        f"as the network sees them, {word[0]} has the size {numeral(float(size[largest]), 2)}, "
        f"{word[1]} moves by {numeral(float(reach[least]), 2)} at most"
    )
    numbers = {"sizes": size, "reaches": reach, "condition": condition}
    uneven = condition > max(steps, FAR**2) and not patient.adapts
    if not uneven and float(size[largest]) <= FAR:
        return fine(f"the inputs are of one size: {told}", **numbers)
    harms = uneven or not patient.compares or patient.fitted < HALF
    needed = (
        f"gradient descent needs about as many steps as the square of their ratio, {numeral(condition, 2)}; {steps} were done"
    )
    large = f"sizes far above 1 saturate units, and make steps as many times too long ({numeral(FAR)} is allowed for)"
    code = "scaled = run.data.scaled_by(cr.data.Scaling.standardise(run.data.train.x), run.data.target_scaling)"
    cures = by_hand(
        "inputs standardised by feature",
        f"{code}\ncr.Training.of(run).changed(data=scaled).fit()",
        lambda: _standardised(patient),
    )
    return (ill if harms else remark)(f"the inputs are not scaled: {told}", needed if uneven else large, cures=cures, **numbers)


FAR = 30.0
"""A size of the inputs beyond which a tanh with the usual first weights lies on its flat part for nine inputs in ten."""


def _standardised(patient: Patient) -> Training:
    data = patient.require_data()
    scaling = Scaling.standardise(data.train.inputs)
    return patient.training.changed(data=data.scaled_by(scaling, data.target_scaling))


@ailment("leak between the parts", source="S. Kaufman, S. Rosset, C. Perlich, O. Stitelman, ACM TKDD 6, 15 (2012)")
def leak(patient: Patient) -> Finding:
    """Whether held-out examples are copies of training examples, the same or almost, more often than chance makes them."""
    held, train = patient.held, _whole_training(patient)
    if len(train) < 20 or len(held) < 5:
        raise UntoldError(f"{len(train)} training and {len(held)} {held.part} examples are too few to tell")
    rows, known = _rows(patient, held), _rows(patient, train)
    own = np.linspace(0, len(known) - 1, min(len(known), 1000)).round().astype(np.int64)
    among, across = _nearest(known[own], known, own)[0], _nearest(rows, known, None)
    distances, places = across
    copies = np.flatnonzero(distances <= (CLOSE * np.sqrt(np.median(among))) ** 2)
    twins = int(np.count_nonzero(distances == 0))
    by_chance = max(BY_CHANCE, (np.count_nonzero(among == 0) + 1) / (len(among) + 1) if among.min() == 0 else 0.0)
    chance = at_least(len(copies), len(rows), by_chance)
    pairs = [(int(held.numbers[i]), int(train.numbers[places[i]])) for i in copies]
    listed = ", ".join(
        f"{one} {'=' if distances[i] == 0 else '≈'} {other}" for i, (one, other) in zip(copies[:6], pairs, strict=False)
    )
    numbers = {"pairs": pairs, "twins": twins, "probability": chance}
    which = f"{held.part} example = training example: {listed}{', ...' if len(pairs) > 6 else ''}"
    rare = (
        f"by chance no more than {100 * by_chance:.0f} % would be so near, within a hundredth of the usual distance; "
        f"as many as here with probability {numeral(chance, 1)}"
    )
    if chance > LEVEL:
        if twins and among.min() > 0:
            return remark(f"{_stand(twins, held)} in the training part too", which, cures=_without(held), **numbers)
        repeat = ", as training examples repeat among themselves too" if among.min() == 0 else ""
        return fine(f"{len(copies)} of {held} are copies of training examples, no more than chance explains{repeat}", **numbers)
    said = (
        f"{_stand(twins, held)} in the training part too"
        if twins == len(copies)
        else f"{_stand(len(copies), held)} in the training part too, or almost the same there"
    )
    return ill(said, which, *_scores_without(patient, copies), rare, cures=_without(held), **numbers)


CLOSE = 0.01
"""A held-out example is a copy if it lies so much nearer to a training example than these usually lie to each other."""
BY_CHANCE = 0.02
"""The share of copies by chance alone: on a line, the worst case, 0.7 % of independent points and 2 % of points between those of a grid."""
_MOST = 50_000_000
"""Numbers in the training inputs up to which they are compared: MNIST takes some seconds."""


def _stand(count: int, held: Some) -> str:
    return f"{count} of {held} stand{'s' * (count == 1)}"


def _whole_training(patient: Patient) -> Some:
    examples = patient.require_data().train
    if len(examples) * prod(examples.inputs.shape[1:]) > _MOST:
        raise UntoldError(
            f"{len(examples)} training examples are too many to compare: cr.data.near_duplicates(run.data) does so in its time"
        )
    return Some("training", examples.x, examples.y, np.arange(len(examples)), len(examples))


def _rows(patient: Patient, some: Some) -> Array:
    return patient.problem.dataset_info.scaling.apply(some.x).reshape(len(some), -1).astype(np.float64)


def _nearest(rows: Array, known: Array, own: Array | None) -> tuple[Array, Array]:
    """The squared distance of each row to the nearest known one, its own place left out, and that one's place."""
    lengths = np.einsum("ij,ij->i", known, known)
    found, places = np.empty(len(rows)), np.empty(len(rows), np.int64)
    for start in range(0, len(rows), 64):
        part = rows[start : start + 64]
        squares = lengths - 2 * (part @ known.T)
        if own is not None:
            squares[np.arange(len(part)), own[start : start + len(part)]] = np.inf
        place = squares.argmin(axis=1)
        # A product rounds: the distance itself is taken from the rows.
        found[start : start + len(part)] = np.square(part - known[place]).sum(axis=1)
        places[start : start + len(part)] = place
    return found, places


def _scores_without(patient: Patient, copies: Array) -> list[str]:
    """What the held-out loss is with and without the examples that are known."""
    if not patient.compares or not 0 < len(copies) < len(patient.held) - 1:
        return []
    rest = np.delete(patient.held_costs, copies)
    return [f"{patient.held.part} loss {numeral(float(patient.held_costs.mean()), 3)}, without them {measured(rest)}"]


def _without(held: Some) -> tuple[Cure, ...]:
    code = (
        "known = {pair.index for pair in cr.data.near_duplicates(run.data)}\n"
        f"rest = [i for i in range(len(run.data.{held.part})) if i not in known]\n"
        f"print(run.model().costs(run.data.{held.part}.x[rest], run.data.{held.part}.y[rest]).mean())"
    )
    return (Cure("the score without them; and a split that keeps together what belongs together: cr.data.GroupSplit", code),)
