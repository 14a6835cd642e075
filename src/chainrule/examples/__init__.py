"""Floor 7: the lectures' examples, each with a question, trainings, a known answer and pictures."""

from chainrule.checks import answering
from chainrule.examples.catalogue import EXAMPLES, example
from chainrule.examples.example import LectureExample, Outcome
from chainrule.examples.fact import Fact
from chainrule.examples.page import page_path, write_page

__all__ = ["EXAMPLES", "LectureExample", "Fact", "Outcome", "example", "page_path", "write_page"]

answering(globals())
