"""An example: a question, the trainings that answer it, and the conclusion drawn from them: facts, a verdict, pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field, replace
from typing import TypeAlias

from chainrule.display import Shown
from chainrule.examples.fact import Fact
from chainrule.immutable import immutable
from chainrule.train import Run, Training
from chainrule.views.saved import Told


@immutable
class Outcome(Shown):
    """What an example came to: its facts, a verdict in a sentence or two, and pictures.

    The verdict may be that nothing can be told apart; it must follow from the facts. trainings: what it was concluded from, by name;
    `Example.run` puts them in.
    """

    verdict: str
    facts: tuple[Fact, ...]
    pictures: tuple[Told, ...] = ()
    trainings: Mapping[str, Training] = field(default_factory=dict[str, Training], repr=False, compare=False)

    @property
    def holds(self) -> bool:
        """Whether every fact that something is known of agrees with it."""
        return all(fact.agrees is not False for fact in self.facts)

    @property
    def doubt(self) -> str:
        """What to make of facts that do not agree; empty where all do."""
        judged = [fact for fact in self.facts if fact.agrees is not None]
        missed = sum(not fact.agrees for fact in judged)
        if not missed:
            return ""
        return (
            f"{missed} of {len(judged)} numbers do not agree with what is known. Of right numbers, too, one in twenty lies beyond two "
            "standard errors: another seed tells chance from a mistake."
        )

    def __str__(self) -> str:
        doubt = ["", self.doubt] if self.doubt else []
        return "\n".join([self.verdict, "", *(f"  {fact}" for fact in self.facts), *doubt])


Runs: TypeAlias = Mapping[str, Run]
"""The trainings' runs, by the trainings' names."""


@immutable
class LectureExample(Shown):
    """A question that networks answer, with data that ship or are made offline.

    name: the word it is called by. title: what it is, in a few words. question: what is asked, how it is answered and what is known
    of it, in a few sentences. items: the numbers of docs/checklist.md. trainings: from a seed, what is to be trained, by name; it
    makes the data too. conclude: what follows from the runs; the seed is for its own random numbers. Under two minutes on two cores.
    """

    name: str
    title: str
    question: str
    items: str
    trainings: Callable[[int], Mapping[str, Training]]
    conclude: Callable[[Runs, int], Outcome]

    def run(self, seed: int = 0, *, engine: str = "native", watch: Callable[[str], None] | None = None) -> Outcome:
        """Trains what is to be trained, one after the other, and draws the conclusion; `watch` is told the name of each before."""
        runs: dict[str, Run] = {}
        trainings = self.trainings(seed)
        for name, training in trainings.items():
            if watch is not None:
                watch(name)
            runs[name] = training.changed(engine=engine).fit()
        return replace(self.conclude(runs, seed), trainings=trainings)
