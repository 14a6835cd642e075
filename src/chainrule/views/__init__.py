"""Floor 6: views turn networks, data, runs and predictions into things to look at; they only read."""

from chainrule.views.confusion import ConfusionView
from chainrule.views.plain import printable, printable_lines, sparkline
from chainrule.views.progress import EpochLines, LiveProgress, Plan
from chainrule.views.terminal import (
    CurvesView,
    NetworkView,
    RunRecord,
    RunsView,
    code_text,
    data_text,
    facts,
    picture,
    probability_bars,
    rows_table,
    score_facts,
    training_facts,
)

__all__ = [
    "ConfusionView", "EpochLines", "LiveProgress", "NetworkView", "Plan", "RunRecord", "RunsView", "code_text", "CurvesView",
    "data_text", "facts", "picture", "printable", "printable_lines", "probability_bars", "rows_table",
    "score_facts", "sparkline", "training_facts",
]  # fmt: skip
