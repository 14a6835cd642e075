"""A diagnosis: what every look at a run found, sorted by how grave it is; it prints, shows itself, and becomes JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from chainrule import display
from chainrule.checks import Natural, checked, require_place, unknown
from chainrule.display import Shown
from chainrule.doctor import ailments
from chainrule.doctor.ailment import AILMENTS, Ailment
from chainrule.doctor.ailments.learning import because
from chainrule.doctor.finding import Finding, Grade
from chainrule.doctor.patient import Patient
from chainrule.doctor.trying import replicated, tried
from chainrule.errors import NonFiniteError, OptionError
from chainrule.immutable import immutable
from chainrule.train import Run, Training

USUAL_SEEDS = 8
WIDTH = 118
"""Letters of a line of the text."""
_MARKS: dict[Grade, str] = {"ill": "✗", "remark": "·", "fine": "✓", "untold": "?"}
_ORDER: tuple[Grade, ...] = ("ill", "remark", "fine", "untold")
_ = ailments  # registers them


@immutable
class Diagnosis(Shown):
    """What the doctor found: `findings`, one to each ailment that was looked for, the gravest first.

    subject: what was looked at, in words. seeds: with how many seeds cures were tried; 0 where they were not.
    `diagnosis["dead units"]` is one finding by its ailment; `diagnosis.ill` are those of something that is wrong.
    """

    subject: str
    findings: tuple[Finding, ...]
    seeds: int = 0

    @checked
    def of(self, grade: Grade) -> tuple[Finding, ...]:
        """The findings of one grade: "ill", "remark", "fine" or "untold"."""
        return tuple(found for found in self.findings if found.grade == grade)

    @property
    def ill(self) -> tuple[Finding, ...]:
        """What is wrong."""
        return self.of("ill")

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong, as far as could be told."""
        return not self.ill

    @checked
    def __getitem__(self, ailment: str) -> Finding:
        for found in self.findings:
            if found.ailment == ailment:
                return found
        known = [found.ailment for found in self.findings]
        raise unknown(f"ailment {ailment!r}", ailment, known)

    @property
    def summary(self) -> str:
        """What it comes to, in a line."""
        counts = {grade: len(self.of(grade)) for grade in _ORDER}
        wrong = f"{counts['ill']} thing{'s are' if counts['ill'] != 1 else ' is'} wrong" if counts["ill"] else "healthy"
        rest = [f"{counts['remark']} worth knowing"] * bool(counts["remark"]) + [f"{counts['fine']} in order"]
        rest += [f"{counts['untold']} cannot be told"] * bool(counts["untold"])
        return f"{self.subject}: {wrong}; of {len(self.findings)} ailments looked for, {', '.join(rest)}"

    @checked
    def text(self, width: Natural = WIDTH) -> str:
        """All of it in lines of at most so many letters; code is not broken."""
        page = _Page(width)
        page.add(self.summary)
        for found in (*self.ill, *self.of("remark")):
            page.finding(found)
        page.listed("in order", self.of("fine"))
        page.listed("cannot be told", self.of("untold"))
        if not self.seeds and any(cure.training for found in self.ill for cure in found.cures):
            page.lines.append("")
            page.add(
                "the cures were not tried: run.doctor(try_cures=True), or chainrule doctor RUN --try, trains them beside this run"
            )
        return display.on_screen("\n".join(page.lines))

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"<Diagnosis: {self.summary}>"

    def to_json(self) -> dict[str, Any]:
        """The diagnosis in plain JSON values."""
        findings = [found.to_json() for found in self.findings]
        return {"subject": self.subject, "healthy": self.healthy, "seeds": self.seeds, "findings": findings}


@dataclass
class _Page:
    """Lines of a diagnosis, broken at a width."""

    width: int
    lines: list[str] = field(default_factory=list[str])

    def add(self, text: str, first: int = 0) -> None:
        """A paragraph, its first line indented so far, the others by two more."""
        lines = textwrap.wrap(
            # A number and what belongs to it stay on one line.
            text.replace(" %", "\xa0%").replace(" ± ", "\xa0±\xa0"),
            max(self.width, 20),
            initial_indent=" " * first,
            subsequent_indent=" " * (first + 2),
            break_long_words=False,
            break_on_hyphens=False,
        )
        self.lines += [line.replace("\xa0", " ") for line in lines]

    def finding(self, found: Finding) -> None:
        """A finding with its evidence and its cures."""
        self.lines.append("")
        self.add(f"{_MARKS[found.grade]} {found}")
        for line in found.evidence:
            self.add(line, 4)
        for cure in found.cures:
            self.add(f"cure: {cure.words}", 4)
            self.lines += [f"      {line}" for line in cure.code.split("\n") if line]
            if cure.tried is not None:
                self.add(f"tried: {cure.tried}", 6)
        self.add(f"source: {found.source}", 4)

    def listed(self, word: str, findings: tuple[Finding, ...]) -> None:
        """Findings by a line or two each, below a word."""
        if findings:
            self.lines += ["", f"{word}:"]
        for found in findings:
            self.add(f"{_MARKS[found.grade]} {found}", 2)


@immutable
@checked
class Wishes:
    """What a doctor is asked for, refused before anything is trained where it cannot be done. replicas: of the run."""

    replicas: int
    try_cures: bool | Natural = False
    replica: Natural = 0
    only: Sequence[str] | None = None

    def __post_init__(self) -> None:
        require_place(f"replica {self.replica}", self.replica, self.replicas)
        if self.seeds == 1:
            raise OptionError("try_cures=1", expected="two seeds or more: one has no error bar", remedy="write try_cures=8")
        for name in self.only or ():
            if name not in AILMENTS:
                raise unknown(f"ailment {name!r}", name, AILMENTS, otherwise="choose among these")
        if self.only is not None and not len(self.only):
            raise OptionError("only=[] in doctor", expected="an ailment or more", remedy="leave out only= to look for all")

    @property
    def seeds(self) -> int:
        """With how many seeds cures are tried; 0 for none."""
        return USUAL_SEEDS if self.try_cures is True else int(self.try_cures)

    @property
    def chosen(self) -> list[Ailment]:
        """The ailments that are looked for."""
        return [ailment for name, ailment in AILMENTS.items() if self.only is None or name in self.only]


@checked
def diagnose(
    run: Run,
    *,
    try_cures: bool | Natural = False,
    replica: Natural = 0,
    only: Sequence[str] | None = None,
    watch: Callable[[str], object] | None = None,
) -> Diagnosis:
    """Looks at a run for everything that may be the matter with it: `Run.doctor` says what the arguments mean."""
    wishes = Wishes(run.settings.replicas, try_cures, replica, only)
    seeds = wishes.seeds
    sick = _baseline(run, replica, seeds, watch) if seeds else []
    patient = Patient(run, replica, sick[0] if len(sick) == 1 else None)
    found: list[Finding] = []
    for ailment in wishes.chosen:
        if watch is not None:
            watch(ailment.name)
        found.append(ailment(patient))
    findings = because(tuple(found))
    if seeds:
        findings = tried(findings, sick, seeds, watch)
    return Diagnosis(_subject(run, replica), tuple(sorted(findings, key=lambda one: _ORDER.index(one.grade))), seeds)


def _baseline(run: Run, replica: int, seeds: int, watch: Callable[[str], object] | None) -> list[Run | None]:
    """The same training with its own seed and the next ones."""
    if watch is not None:
        watch(f"the same training with {seeds} seeds")
    return replicated(Training.of(run).changed(seed=run.trainer.seeds[replica]), seeds)


def _subject(run: Run, replica: int) -> str:
    which = f", replica {replica} of {run.settings.replicas}" if run.settings.replicas > 1 else ""
    return f"{run.dataset_info.name}, {run.trainer.step} steps{which}"


@display.diagnose.register
def diagnose_run(run: Run, options: dict[str, Any]) -> Diagnosis:
    """What `Run.doctor` gives."""
    return diagnose(run, **options)


@display.diagnose.register
def diagnose_training(training: Training, options: dict[str, Any]) -> Diagnosis:
    """What `Training.doctor` gives: the training is made, and looked at also where a number that is not finite ends it."""
    Wishes(training.replicas, **options)  # what cannot be done is said before it is trained
    trainer = training.trainer()
    with suppress(NonFiniteError):  # which the trainer notes
        trainer.train()
    return diagnose(Run(trainer), **options)
