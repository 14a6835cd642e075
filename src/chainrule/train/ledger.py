"""The ledger of a step: why a weight moved, split into the examples of the batch, penalties, clipping, memory and decay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from chainrule.checks import unknown
from chainrule.data import Examples
from chainrule.display import Shown
from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.numerals import numeral, printed
from chainrule.train.contributions import GradientContributions
from chainrule.train.replay import Replay
from chainrule.train.trainer import Trainer
from chainrule.train.update_rule import Steps

MOST_NUMBERS = 1 << 27
"""How many numbers the contributions of a whole parameter may have: a gibibyte."""
SHOWN = 8
"""How many examples a printed ledger names."""


@immutable
class Contribution(Shown):
    """An example's part in a change: its place in the batch, its index in the training part, and the part along the change."""

    place: int
    example: int
    value: float


@immutable(eq=False)
class Ledger(Shown):
    """Δw of one step of one parameter, or of one entry of it, as a sum: Δw = Σ contributions + Σ parts + residual.

    before, after: w as it was and became, () for an entry, else the parameter's shape. rows (B,): the index of each example of the
    batch in the training part; examples: these examples. contributions (B, ...): what each example changed, −η·g_i/B for plain descent.
    parts: what else there was, by name: "penalty l2", "clipping", "momentum μ·v", "earlier gradients β₁·m", "weight decay". denominator:
    what Adam and its kin divide η by. ulp: the distance of neighbouring numbers at w. All float64, computed from the run's state.
    """

    name: str
    index: tuple[int, ...] | None
    step: int
    replica: int
    rate: float
    before: Array
    after: Array
    rows: Array
    examples: Examples
    contributions: Array
    parts: Mapping[str, Array]
    denominator: Array | None
    ulp: Array
    classes: tuple[str, ...] | None = None

    @property
    def change(self) -> Array:
        """Δw as it happened."""
        return self.after - self.before

    @property
    def total(self) -> Array:
        """The sum of all contributions and parts."""
        return self.contributions.sum(axis=0) + sum(self.parts.values(), np.zeros_like(self.before))

    @property
    def residual(self) -> Array:
        """What the run's rounding made of it: the change that happened less the total."""
        return self.change - self.total

    @property
    def label(self) -> str:
        """The parameter, and the entry: dense1.W[3, 5]."""
        return self.name if self.index is None else f"{self.name}[{', '.join(map(str, self.index))}]"

    def along(self, part: Array) -> float:
        """A part as one number: itself for an entry; for a whole parameter its component along Δw. These add up as the parts do."""
        if self.before.ndim == 0:
            return float(part)
        size = float(np.linalg.norm(self.change))
        return float(np.sum(part * self.change)) / size if size else 0.0

    def ranked(self) -> list[Contribution]:
        """The examples, those first whose parts are largest along the change, for or against it."""
        found = [
            Contribution(i, int(row), self.along(contribution))
            for i, (row, contribution) in enumerate(zip(self.rows, self.contributions, strict=True))
        ]
        return sorted(found, key=lambda contribution: (-abs(contribution.value), contribution.place))

    def entry(self, *index: int) -> Ledger:
        """The ledger of one entry of the parameter."""
        at = _checked(self.name, index, self.before.shape)
        return replace(
            self,
            index=at,
            before=self.before[at],
            after=self.after[at],
            contributions=self.contributions[(slice(None), *at)],
            parts={name: part[at] for name, part in self.parts.items()},
            denominator=None if self.denominator is None else self.denominator[at],
            ulp=self.ulp[at],
        )

    def __str__(self) -> str:
        whole = self.along(self.change)
        ranked = self.ranked()
        named = [contribution for contribution in ranked if contribution.value][:SHOWN]
        rest = ranked[len(named) :]
        lines = [(self._example(contribution), contribution.value) for contribution in named]
        if rest:
            silent = sum(contribution.value == 0.0 for contribution in rest)
            others = f"{len(rest)} {'more' if named else 'examples'}{f', {silent} of them 0' * (silent > 0)}"
            lines += [(others, sum(contribution.value for contribution in rest))]
        lines += [(f"= all {len(ranked)} examples", self.along(self.contributions.sum(axis=0)))]
        lines += [(name, self.along(part)) for name, part in self.parts.items()]
        lines += [("= the sum of all parts", self.along(self.total)), ("rounding", self.along(self.residual)), ("= Δw", whole)]
        rows = [(text, printed(f"{value:+.5e}") if value else "0", _percent(value, whole)) for text, value in lines]
        wide, long = (max(len(row[column]) for row in rows) for column in (0, 1))
        table = [f"  {text:{wide}}  {amount:>{long}}  {fraction:>8}" for text, amount, fraction in rows]
        return "\n".join([*self._head(), *table])

    def _head(self) -> list[str]:
        where = f"{self.label}, step {self.step} → {self.step + 1}, replica {self.replica}, η = {numeral(self.rate, 6)}"
        if self.before.ndim:
            size = float(np.linalg.norm(self.change))
            return [where, f"‖Δw‖ = {numeral(size, 6)}; parts by their components along Δw"]
        divided = "" if self.denominator is None else f", η divided by {numeral(float(self.denominator), 6)}"
        moved = f"{numeral(float(self.before), 9)} → {numeral(float(self.after), 9)}, Δw = {numeral(float(self.change), 6, sign=True)}"
        return [where, f"{moved}{divided}, neighbouring numbers are {numeral(float(self.ulp), 2)} apart"]

    def _example(self, contribution: Contribution) -> str:
        text = f"example {contribution.example}"
        if self.classes is None:
            return text
        name = self.classes[int(self.examples.y[contribution.place])]
        # Names come from the data: escaped, so that none can disturb the terminal.
        return f"{text}, class {name[:20]!r}"


def _percent(value: float, whole: float) -> str:
    # + 0.0 turns −0 into 0.
    return printed(f"{round(100 * value / whole, 1) + 0.0:.1f} %") if whole else ""


class Ledgers:
    """The ledgers of a training; what one of them is computed by serves the others of the parameter."""

    def __init__(self, replay: Replay) -> None:
        self._replay = replay
        self._contributions: dict[tuple[str, int], GradientContributions] = {}
        self._steps: dict[tuple[int, ...], Steps] = {}

    def ledger(self, step: int, name: str, index: int | tuple[int, ...] | None, replica: int) -> Ledger:
        """The ledger of the step that leads from `step` to `step` + 1.

        Raises: OptionError for names, entries and steps that are not there, for what searches on the full batch, and where a whole
        parameter is too much.
        """
        replay, origin = self._replay, self._replay.origin
        if search := origin.settings.optimizer.search:
            raise OptionError(
                f"a ledger of a step by {search.title}, which searches for its steps",
                expected="an optimizer that goes step by step: SGD, Adam, ...",
                remedy="train with one of these to see a ledger",
            )
        if (state := origin.problem.states.get(name)) is not None and state.frozen:
            raise OptionError(
                f"{name} from step to step: its layer is frozen, and it never moves",
                expected=f"one of {', '.join(origin.problem.parameters)}",
                remedy="ask for a parameter that is trained",
            )
        if name not in origin.problem.parameters:
            raise unknown(f"parameter {name!r}", name, origin.problem.parameters)
        at = index if index is None else _checked(name, index if isinstance(index, tuple) else (index,), _shape(origin, name))
        if step == origin.step:
            raise OptionError(
                f"the step after the last, {step}",
                expected=f"{replay.first} ... {origin.step - 1}",
                remedy=f"write {origin.step - 1} for the last step",
            )
        there = replay.to(step)
        state = {key: array[replica].copy() for key, array in there.state.items()}
        rows = there.rows(step)[replica]
        if at is None:
            _require_room(name, _shape(origin, name), len(rows))
        parts = _parts(self._contributions_of(name, len(rows)), self._steps_of(name), there, state, rows, at)
        after = replay.to(step + 1).state[name][replica].copy()
        return _ledger(origin, parts, Pair(name, at, step, replica, state[name], after), rows)

    def _contributions_of(self, name: str, size: int) -> GradientContributions:
        origin = self._replay.origin
        if (name, size) not in self._contributions:
            self._contributions[name, size] = GradientContributions(
                origin.problem, name, origin.settings.optimizer, origin.settings.clip, size
            )
        return self._contributions[name, size]

    def _steps_of(self, name: str) -> Steps:
        origin = self._replay.origin
        shape = _shape(origin, name)
        if shape not in self._steps:
            self._steps[shape] = Steps(origin.settings.optimizer, shape, origin.settings.dtype, origin.engine)
        return self._steps[shape]


@immutable
class Pair:
    """A parameter before and after a step."""

    name: str
    index: tuple[int, ...] | None
    step: int
    replica: int
    before: Array
    after: Array


@immutable
class ChangeParts:
    """What the step should have changed."""

    contributions: Array
    others: Mapping[str, Array]
    denominator: Array | None


def _shape(origin: Trainer, name: str) -> tuple[int, ...]:
    return origin.problem.parameters[name].node.shape


def _checked(name: str, index: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    if len(index) != len(shape) or not all(0 <= i < n for i, n in zip(index, shape, strict=True)):
        raise OptionError(
            f"entry {index} of {name}, which has the shape {shape}",
            expected=f"{len(shape)} numbers, each from 0 and below {shape}",
            remedy="count from 0",
        )
    return index


def _require_room(name: str, shape: tuple[int, ...], size: int) -> None:
    if size * int(np.prod(shape)) > MOST_NUMBERS:
        raise OptionError(
            f"the contributions of {size} examples in all of {name}, shape {shape}",
            expected=f"{MOST_NUMBERS} numbers at most",
            remedy="ask for one entry: ledger(step, name, index)",
        )


def _parts(
    contributions: GradientContributions,
    steps: Steps,
    there: Trainer,
    state: Mapping[str, Array],
    rows: Array,
    at: tuple[int, ...] | None,
) -> ChangeParts:
    """The contributions and parts of the change in the next step, of a whole parameter or an entry."""
    settings, train = there.settings, there.data.train
    scalars = {key: value[0] for key, value in there.scalars(there.step, there.step + 1).items()}
    network = {key: state[key].astype(np.float64) for key in there.names}
    values = {**network, "x": train.inputs.at(rows), "y": train.targets.at(rows), "seed": state["seed"], **scalars}
    found = contributions.gradients(values)
    w, slots = (
        network[contributions.name],
        {slot: state[f"{contributions.name}.{slot}"].astype(np.float64) for slot in settings.optimizer.slots},
    )
    rate = float(np.dtype(settings.dtype).type(there.rates(np.array([there.step]))[0]))
    made = steps.parts(w, found["clipped"], slots, rate, there.step + there.lineage.shift + 1)
    here = (slice(None),) * w.ndim if at is None else at
    others = {key.replace(".", " ", 1): made.gain * g for key, g in found.items() if key.startswith("penalty.")}
    others |= {"clipping": made.gain * (found["clipped"] - found["gradient"])} if settings.clip else {}
    others |= made.others
    of_examples = contributions.examples(values) if at is None else contributions.examples_of_entry(values, at)
    denominator = None if made.denominator is None else np.asarray(made.denominator[here])
    return ChangeParts(
        of_examples * made.gain[here], {key: np.asarray(part[here]) for key, part in others.items()}, denominator
    )


def _ledger(origin: Trainer, parts: ChangeParts, pair: Pair, rows: Array) -> Ledger:
    here = ... if pair.index is None else pair.index
    before, after = pair.before[here], pair.after[here]
    ulp = np.spacing(np.maximum(np.abs(before), np.abs(after))).astype(np.float64)
    train = origin.data.train
    rate = float(origin.rates(np.array([pair.step]))[0])
    return Ledger(
        pair.name, pair.index, pair.step, pair.replica, rate, np.asarray(before, np.float64), np.asarray(after, np.float64),
        rows, train[rows], parts.contributions, parts.others, parts.denominator, ulp,
        origin.problem.dataset_info.classes,
    )  # fmt: skip
