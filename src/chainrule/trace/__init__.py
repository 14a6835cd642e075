"""Floor 4: traces, a graph with all its numbers forward and backward, and what checks derivatives."""

from chainrule.checks import answering
from chainrule.trace.differences import State
from chainrule.trace.explanation import LEVELS, BackwardStep, Explanation, ForwardStep, Level, explain_graph
from chainrule.trace.gradient_check import GradientCheck, OtherMode, ParameterCheck, check_gradient
from chainrule.trace.mistakes import Mistake
from chainrule.trace.quantities import Quantity
from chainrule.trace.time_steps import ThroughTime, step_by_step
from chainrule.trace.trace import DerivativeTerm, Index, Path, Push, Stored, Trace
from chainrule.trace.verdicts import EntryCheck, RuleCheck, check_entries, check_rules, entries_of
from chainrule.trace.wording import NOTATIONS, Notation, Wording

__all__ = [
    "LEVELS", "NOTATIONS", "BackwardStep", "EntryCheck", "Explanation", "ForwardStep", "GradientCheck", "OtherMode",
    "Index", "Level", "Mistake", "Notation", "ParameterCheck", "Path",
    "Push", "Quantity", "RuleCheck", "State", "Stored", "DerivativeTerm", "ThroughTime", "Trace", "Wording",
    "check_entries", "check_gradient", "check_rules", "entries_of", "explain_graph", "step_by_step",
]  # fmt: skip

answering(globals())
