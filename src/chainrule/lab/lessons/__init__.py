"""The lessons of the lab: five lectures as tours, each step with a question that is asked before its answer is computed."""

from chainrule.lab.lessons.descent import DESCENT
from chainrule.lab.lessons.lesson import Answer, Lesson, Step
from chainrule.lab.lessons.memory import MEMORY
from chainrule.lab.lessons.metric import METRIC
from chainrule.lab.lessons.neuron import NEURON
from chainrule.lab.lessons.two_passes import TWO_PASSES

LESSONS: tuple[Lesson, ...] = (NEURON, METRIC, DESCENT, TWO_PASSES, MEMORY)
"""From one neuron on."""

__all__ = ["LESSONS", "Answer", "Lesson", "Step"]
