"""What is wrong with the examples as a whole: the target among the inputs, classes with hardly an example, parts that are not alike."""

from __future__ import annotations

from dataclasses import replace
from math import log, prod

import numpy as np

from chainrule.data import Dataset, Scaling
from chainrule.doctor.ailment import ailment
from chainrule.doctor.chances import LEVEL, above, around, at_least, beyond, ranked_above, unlike
from chainrule.doctor.changes import by_hand
from chainrule.doctor.finding import Cure, Finding, UntoldError, fine, ill, remark
from chainrule.doctor.patient import Patient, Some
from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.nn import Sequential
from chainrule.numerals import numeral
from chainrule.train import Training

_FEW = 20
"""Training examples below which a column may go along with the target by chance."""


@ailment(
    "target among the inputs", source="S. Kaufman, S. Rosset, C. Perlich, O. Stitelman, ACM TKDD 6, 15 (2012)", needs="targets"
)
def told(patient: Patient) -> Finding:
    """Whether one of several inputs is the target itself, in whatever units: the labels one to one, or numbers on a straight line."""
    some = patient.train
    x = some.x.reshape(len(some), -1)
    if patient.end.has_memory:
        raise UntoldError("a sequence may hold its target, as in a task for the memory")
    if x.shape[1] < 2:
        return fine("there is one input alone")
    if len(some) < _FEW:
        raise UntoldError(f"{len(some)} training examples are too few to tell")
    classes = patient.problem.dataset_info.classes is not None
    if classes and some.y.ndim > 1:
        return fine("each example has several labels")
    targets, is_told = ([some.y], _names) if classes else (list(some.y.reshape(len(some), -1).T), _is_line)
    by_target = [[place for place in range(x.shape[1]) if is_told(x[:, place], y)] for y in targets]
    if len(targets) > 1 and all(by_target):
        return fine("all of the targets are inputs: they are to be given back", columns=())
    found = sorted({place for places in by_target for place in places})
    if not found:
        return fine("no input alone is the target", columns=())
    names = patient.problem.dataset_info.features
    words = ", ".join(f"{names[place]!r}" if names else f"input {place}" for place in found)
    how = (
        "has one value to each class, and another one to each"
        if classes
        else "lies on a straight line with the target, to the last digits"
    )
    return ill(
        f"the target stands among the inputs: {words}",
        f"on all of {some} it {how}",
        "scores say nothing then of what the network can do where the target is not known",
        cures=_without(patient, found), columns=tuple(found),
    )  # fmt: skip


def _names(column: Array, y: Array) -> bool:
    """Whether a column (n,) has one value for each class, and no class has another's."""
    values, places = np.unique(column, return_inverse=True)
    pairs = {*zip(places.tolist(), y.tolist(), strict=True)}
    return 1 < len(values) == len(pairs) == len(np.unique(y))


def _is_line(column: Array, target: Array) -> bool:
    """Whether a target (n,) is a column (n,) in other units: the squares that a straight line leaves are rounding."""
    one, other = (rows.astype(np.float64) - rows.mean() for rows in (column, target))
    whole, size = float(other @ other), float(one @ one)
    if not (whole > 0 and size > 0):
        return False
    rest = other - one * (one @ other) / size
    return float(rest @ rest) < 1e-9 * whole


def _without(patient: Patient, columns: list[int]) -> tuple[Cure, ...]:
    data = patient.require_data()
    if len(data.input_shape) > 1:
        return (Cure("the data without what holds the target"),)
    width = prod(data.input_shape)
    kept = [place for place in range(width) if place not in columns]
    parts = {part: (examples.x[:, kept], examples.y) for part, examples in data.parts() if part != "training"}
    code = (
        f"kept = [i for i in range({width}) if i not in {tuple(columns)}]\n"
        "parts = {part: (some.x[:, kept], some.y) for part, some in run.data.parts() if part != 'training'}\n"
        "rest = cr.data.from_arrays(run.data.train.x[:, kept], run.data.train.y, classes=run.data.classes, **parts)\n"
        "network = cr.Sequential(*run.problem.network.layers)  # which takes as many inputs as there are\n"
        "cr.Training.of(run).changed(data=rest, network=network).fit()"
    )
    network = patient.problem.network
    if not isinstance(network, Sequential):
        return (Cure("the data without it", code),)

    def without() -> Training:
        from_columns = replace(
            data,
            train=type(data.train)(data.train.x[:, kept], data.train.y),
            **{part: type(data.train)(*rows) for part, rows in parts.items()},
            scaling=Scaling.standardise(data.train.x[:, kept]), features=None, columns=None, origin=None,
        )  # fmt: skip
        return patient.training.changed(data=from_columns, network=Sequential(*network.layers))

    return by_hand("the data without it", code, without)


RARE = 0.25
"""A class is rare if it has less than this share of what each would have if all had as many."""


@ailment("rare classes", source="H. He, E. A. Garcia, IEEE Trans. Knowl. Data Eng. 21, 1263 (2009)", needs="targets")
def rare_classes(patient: Patient) -> Finding:
    """Whether a class has few training examples, less than a quarter of an equal share, and is known worse than the others."""
    classes = patient.problem.dataset_info.classes
    if classes is None or not patient.problem.classifies or patient.train.y.ndim > 1:
        return fine("there are no classes of whole examples")
    counts = np.bincount(patient.require_data().train.y, minlength=len(classes))
    rare = [place for place, count in enumerate(counts) if 0 < count < RARE * counts.sum() / len(classes)]
    sizes = {classes[place]: int(count) for place, count in enumerate(counts)}
    if not rare:
        return fine(f"the rarest class has {counts.min()} training examples, the commonest {counts.max()}", counts=sizes)
    harmed = [(place, said) for place in rare if (said := _known_worse(patient, place, rare))]
    listed = ", ".join(f"{classes[place]!r} has {counts[place]}" for place in rare)
    cures = by_hand("the examples of rare classes as often as those of the largest", _OFTEN, lambda: _evened(patient))
    if not harmed:
        return remark(
            f"of {counts.sum()} training examples {listed}; it is known as well as the others, as far as can be told",
            counts=sizes,
        )
    return ill(
        f"of {counts.sum()} training examples {listed}, and it is known worse than the others",
        *(f"{classes[place]!r}: {said}" for place, said in harmed),
        cures=cures, counts=sizes, rare=tuple(classes[place] for place in rare),
    )  # fmt: skip


def _known_worse(patient: Patient, place: int, rare: list[int]) -> str:
    """How much worse a class is known than those that are not rare, in words: on held-out examples, or else training examples."""
    lines: list[str] = []
    for some, costs in _judged(patient):
        mine, others = some.y == place, ~np.isin(some.y, rare)
        if mine.sum() < 2 or others.sum() < 2:
            continue
        wrong = patient.end.decide(some.x) != some.y
        usual = (int(wrong[others].sum()) + 1) / (int(others.sum()) + 2)
        count, among = int(wrong[mine].sum()), int(mine.sum())
        more = above(costs[mine], costs[others], paired=False)
        chance = min(at_least(count, among, usual), ranked_above(costs[mine], costs[others]))
        if more.difference > 0 and 4 * chance <= LEVEL:
            lines.append(
                f"{count} of {among} {some.part} examples are taken for others, {int(wrong[others].sum())} of {int(others.sum())} of the "
                f"rest; their loss is higher by {around(more.difference, more.error)}"
            )
    return "; ".join(lines)


def _judged(patient: Patient) -> list[tuple[Some, Array]]:
    try:
        return [(patient.held, patient.held_costs), (patient.train, patient.costs)]
    except UntoldError:
        return [(patient.train, patient.costs)]


_OFTEN = (
    "import numpy as np\n"
    "from dataclasses import replace\n"
    "y = run.data.train.y\n"
    "often = np.concatenate([np.resize(np.flatnonzero(y == k), np.bincount(y).max()) for k in np.unique(y)])\n"
    "cr.Training.of(run).changed(data=replace(run.data, train=run.data.train[often], origin=None)).fit()"
)


def _evened(patient: Patient) -> Training:
    data: Dataset = patient.require_data()
    y = data.train.y
    most = int(np.bincount(y).max())
    often = np.concatenate([np.resize(np.flatnonzero(y == place), most) for place in np.unique(y)])
    return patient.training.changed(data=replace(data, train=data.train[often], origin=None))


APART = 0.15
"""So far apart, as shares of the examples below some value or as a part of their spread, may two parts lie before it is called wrong."""
_COLUMNS, _MIXED = 2000, 64


@ailment(
    "parts that differ",
    source="N. V. Smirnov, Ann. Math. Stat. 19, 279 (1948); S. Rosenbaum, Ann. Math. Stat. 25, 146 (1954)",
)
def parts_that_differ(patient: Patient) -> Finding:
    """Whether held-out inputs are distributed otherwise than training inputs: each, their mixes, their sizes, by tests of ranks."""
    train, held = patient.train, patient.held
    if len(train) < _FEW or len(held) < _FEW:
        raise UntoldError(f"{len(train)} training and {len(held)} {held.part} examples are too few to tell")
    rows = [some.x.reshape(len(some), -1).astype(np.float64) for some in (train, held)]
    if rows[0].shape[1] > _COLUMNS:
        raise UntoldError(f"{rows[0].shape[1]} inputs are too many to compare one by one")
    middle, spread = rows[0].mean(axis=0), rows[0].std(axis=0)
    rows = [(one - middle) / np.where(spread > 0, spread, 1.0) for one in rows]
    names = patient.problem.dataset_info.features
    # Along mixes of inputs that go together there is little to hide behind.
    mixes = [one @ _axes(np.concatenate(rows)) for one in rows]
    words = ["the distance from the mean", *(f"{names[i]!r}" if names else f"input {i}" for i in range(rows[0].shape[1]))]
    words += [f"mix {i + 1} of the inputs" for i in range(mixes[0].shape[1])]
    samples = [np.column_stack([np.sqrt(np.square(one).mean(axis=1)), one, mix]) for one, mix in zip(rows, mixes, strict=True)]
    found = [_apart(*(one[:, place] for one in samples)) for place in range(len(words))]
    chance, place = min((min(1.0, found[place].chance * len(words)), place) for place in range(len(words)))
    worst = found[place]
    numbers = {"apart": [one.distance for one in found], "spreads": [one.ratio for one in found], "probability": chance}
    if chance > LEVEL:
        return fine(
            f"the inputs of the {held.part} part are distributed as the training inputs, as far as can be told", **numbers
        )
    differ = f"{words[place]}: the shares of the two parts below some value differ by {numeral(worst.distance, 2)}"
    told = (
        f"{differ}; it scatters {numeral(worst.ratio, 2)} times as much as in the training part",
        f"by chance as far with probability {numeral(chance, 1)}, {len(words)} looked at",
    )
    says = f"the inputs of the {held.part} part are distributed otherwise than the training inputs"
    much = worst.distance >= APART or abs(log(worst.ratio)) >= APART
    return (ill if much else remark)(says, *told, cures=_mixed(held), **numbers)


def _axes(rows: Array) -> Array:
    """The principal axes of rows (n, k), as columns: (k, k); none of one input or of too many."""
    if not 1 < rows.shape[1] <= _MIXED:
        return np.zeros((rows.shape[1], 0))
    return np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)[2].T


@immutable
class Apart:
    """How unlike two samples are: by Smirnov's distance, by the ratio of their spreads, and how often chance makes either so."""

    distance: float
    ratio: float
    chance: float


def _apart(first: Array, second: Array) -> Apart:
    distance, chance = unlike(first, second)
    middle = np.median(np.concatenate([first, second]))
    away = [np.abs(sample - middle) for sample in (first, second)]
    chances = chance, beyond(first, second), beyond(second, first), ranked_above(*away), ranked_above(*reversed(away))
    ratio = float(away[1].mean() / away[0].mean()) if min(rows.mean() for rows in away) > 0 else 1.0
    return Apart(distance, ratio, min(1.0, len(chances) * min(chances)))


def _mixed(held: Some) -> tuple[Cure, ...]:
    code = (
        "import numpy as np\n"
        f"x, y = (np.concatenate([getattr(part, name) for part in (run.data.train, run.data.{held.part})]) for name in 'xy')\n"
        "mixed = cr.data.from_arrays(x, y, classes=run.data.classes)  # another split, by chance"
    )
    return (Cure("a look at how the parts were measured; where they are one thing, a split by chance", code),)
