"""An explanation: a trace with its checks, put in the order in which a person reads it: forward, then backward."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from functools import cached_property
from typing import Literal, NoReturn, TypeAlias, get_args

import numpy as np

from chainrule.checks import checked, unknown
from chainrule.display import Shown, ask, text
from chainrule.errors import GraphError
from chainrule.graph import Array, Graph
from chainrule.graph.arraylike import Unchanging
from chainrule.immutable import immutable
from chainrule.trace.quantities import Quantity
from chainrule.trace.trace import DerivativeTerm, Index, Path, Trace
from chainrule.trace.verdicts import EntryCheck, RuleCheck, check_entries, check_rules, entries_of
from chainrule.trace.wording import Notation, Wording

Level: TypeAlias = Literal["picture", "numbers", "mathematics"]
LEVELS: tuple[str, ...] = get_args(Level)
"""picture: who pushes whom; numbers: the factors of derivatives as bars; mathematics: formulas and rules."""


@immutable
class ForwardStep(Shown):
    """How one quantity was computed: its formula, one entry of it with numbers, and what of it is stored."""

    quantity: Quantity
    symbol: str
    formula: str
    index: Index
    entry: str
    numbers: str
    value: float
    stored: int


@immutable
class BackwardStep(Shown):
    """What one quantity passes back to one input: the rule, and one path through it with numbers and its check.

    `incoming` is ∂C/∂(the quantity), `local` ∂(quantity)/∂(input), both for the entries of `path`, whose `product` is what this path adds
    to the input's derivative. Of the loss
    as a function of an activation that it is computed past, `aside` is true: nothing is passed on from there.
    """

    quantity: Quantity
    input: Quantity
    rule: str
    local: str
    symbol: str
    index: Index
    path: Path
    check: RuleCheck
    paths: int
    total: float
    aside: bool = False


@immutable(eq=False)
class Explanation(Unchanging, Shown):
    """The whole computation of one example or batch, forward and backward, number by number, each with its check.

    `print` it, or look at its parts: `trace` (all values and derivatives as arrays), `forward` and `backward` (the steps),
    `rules` (each derivative rule against a finite difference), `entries` (parameters' derivatives from end to end against finite
    differences). `facts` says what the example is.
    """

    trace: Trace
    facts: Mapping[str, str] = field(default_factory=dict[str, str])
    level: Level = "mathematics"
    notation: Notation = "names"
    seed: int = 0
    wanted: tuple[tuple[str, Index], ...] | None = None

    def __post_init__(self) -> None:
        if self.level not in LEVELS:
            raise unknown(f"level {self.level!r}", self.level, LEVELS)

    @checked
    def at_level(self, level: Level) -> Explanation:
        """The same at another level: "picture", "numbers" or "mathematics"."""
        return replace(self, level=level)

    @checked
    def in_notation(self, notation: Notation) -> Explanation:
        """The same in another notation: "names", "layers", "delta" or "code"."""
        return replace(self, notation=notation)

    @cached_property
    def wording(self) -> Wording:
        """Symbols and formulas in the chosen notation."""
        return Wording(self.trace, self.notation)

    def __reduce__(self) -> NoReturn:
        raise GraphError(
            "an explanation was to be pickled, whose graph is known to this process alone",
            expected="its run, or its text",
            remedy="pickle the run, and ask it for run.explain(...) where it arrives; str(explanation) is its text",
        )

    # ---- checks

    @cached_property
    def rules(self) -> tuple[RuleCheck, ...]:
        """Each derivative rule against a finite difference of its own quantity."""
        return check_rules(self.trace, self.seed)

    @cached_property
    def entries(self) -> tuple[EntryCheck, ...]:
        """∂C/∂entry of parameters against finite differences of the whole cost.

        Those asked for; else all of a small network, and of a larger one the largest derivatives and a sample.
        """
        return check_entries(self.trace, entries_of(self.trace, self.seed) if self.wanted is None else self.wanted, self.seed)

    @cached_property
    def main_entries(self) -> tuple[EntryCheck, ...]:
        """Of each parameter (or of what was asked for) the entry with the largest derivative."""
        largest: dict[str, EntryCheck] = {}
        for check in self.entries:
            if check.name not in largest or abs(check.derivative) > abs(largest[check.name].derivative):
                largest[check.name] = check
        return tuple(largest.values()) if self.wanted is None else self.entries

    @property
    def shown_entries(self) -> tuple[EntryCheck, ...]:
        """The main entries, and every other one that differs."""
        return tuple(check for check in self.entries if check in self.main_entries or check.state == "differs")

    @property
    def agrees(self) -> bool:
        """Whether no rule and no entry differs from its finite difference.

        Where there is no slope (at a kink), or rounding leaves too little to tell, nothing differs.
        """
        return all(check.state != "differs" for check in (*self.rules, *self.entries))

    @checked
    def check(self, entries: Sequence[tuple[str, Index]]) -> tuple[EntryCheck, ...]:
        """Verdicts on further entries of parameters or inputs, as (name, index)."""
        return check_entries(self.trace, entries)

    # ---- the passes

    @cached_property
    def forward(self) -> tuple[ForwardStep, ...]:
        """The quantities in topological order, given ones left out."""
        stored = {item.name: item.bytes for item in self.trace.stored}
        return tuple(self._forward_step(q, stored.get(q.name, 0)) for q in self.trace.quantities if not q.is_leaf)

    def _forward_step(self, quantity: Quantity, stored: int) -> ForwardStep:
        index = self.focus(quantity)
        symbol, entry = self.wording.symbol(quantity), self.wording.symbol(quantity, index=index)
        value = float(self.trace.value_of(quantity)[index])
        numbers = self.wording.numbers(quantity, index)
        return ForwardStep(quantity, symbol, self.wording.formula(quantity), index, entry, numbers, value, stored)

    @cached_property
    def backward(self) -> tuple[BackwardStep, ...]:
        """What is passed back, in reverse topological order."""
        return tuple(self._backward_step(check) for check in self.rules)

    def _backward_step(self, check: RuleCheck) -> BackwardStep:
        user, source = check.quantity, check.input
        index = self.focus(source)
        paths = self.trace.paths(source.name, index)
        mine = [path for path in paths if path.user is user]
        largest = max(mine, key=lambda path: abs(path.product)) if mine else Path(user, self.focus(user), 0.0, 0.0)
        rule, local = self.wording.rule(user, check.place), self.wording.local(user, check.place)
        symbol = self.wording.derivative(source, index=index)
        total = sum(path.product for path in paths)
        aside = source in self.trace.past
        return BackwardStep(user, source, rule, local, symbol, index, largest, check, len(paths), total, aside)

    @checked
    def focus(self, quantity: Quantity) -> Index:
        """The entry that is written out: the one with the largest derivative, else the one with the largest value."""
        arriving = self.trace.derivative_by(quantity)
        tells = self.trace.value_of(quantity) if arriving is None or not np.any(arriving) else arriving
        with np.errstate(invalid="ignore"):
            flat = int(np.argmax(np.nan_to_num(np.abs(np.asarray(tells, dtype=np.float64)), nan=np.inf)))
        return tuple(map(int, np.unravel_index(flat, quantity.node.shape)))

    # ---- parts

    @checked
    def terms(self, name: str) -> tuple[DerivativeTerm, ...]:
        """What each user of a quantity passes back to it (each use of a shared weight); their sum is its derivative."""
        return self.trace.terms(self.trace.quantity(name))

    def shared(self) -> Iterator[tuple[Quantity, tuple[DerivativeTerm, ...]]]:
        """The quantities that feed several others, with each one's term."""
        for quantity in self.trace.quantities:
            terms = self.trace.terms(quantity)
            if len(terms) > 1:
                yield quantity, terms

    def __str__(self) -> str:
        return ask(text, self)


@checked
def explain_graph(graph: Graph, values: Mapping[str, Array], cost: str = "C", *, every: bool = False) -> Explanation:
    """The explanation of any graph with a scalar output `cost`, its leaves bound by name; with `every`, node by node.

    >>> from chainrule.graph import parse_graph
    >>> graph = parse_graph('''a: float64[] = parameter()
    ... b: float64[] = add(a, a)
    ... c: float64[] = add(b, b)
    ... return C=c''')
    >>> explanation = explain_graph(graph, {"a": np.array(3.0)})
    >>> float(explanation.trace.derivative("a")), explanation.agrees
    (4.0, True)
    """
    return Explanation(Trace(graph, values, cost, every=every))
