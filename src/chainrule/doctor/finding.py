"""What the doctor says: a finding with its evidence and its cures, and what came of trying a cure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, fields
from typing import Any, Literal, TypeAlias

import numpy as np

from chainrule.checks import checked
from chainrule.display import Shown
from chainrule.errors import OptionError
from chainrule.immutable import immutable
from chainrule.numerals import plain_json
from chainrule.train import Training
from chainrule.train.replicated import Comparison, plus_minus, replicas_needed

Grade: TypeAlias = Literal["ill", "remark", "fine", "untold"]
"""How a finding is meant: something is wrong; it is worth knowing; it was looked at and is in order; it cannot be told."""


_AFFORDABLE = 1000
Verdict: TypeAlias = Literal["better", "worse", "cannot be told apart"]


@immutable
class Tried(Shown):
    """A cure beside the sick training, with the same seeds: a score of each, and what may be concluded.

    score, part: what was measured, and on which part of the data. before, after: (seeds,); NaN where a training went wrong.
    """

    score: str
    part: str
    before: tuple[float, ...]
    after: tuple[float, ...]
    verdict: Verdict
    comparison: Comparison | None = None
    """Of the pairs; None where trainings went wrong: then it is counted which of a pair is better."""

    def __str__(self) -> str:
        seeds = f"{len(self.before)} seeds"
        if self.comparison is None:
            wrong = [sum(np.isnan(values)) for values in (self.before, self.after)]
            return f"{self.verdict}: {wrong[0]} of {seeds} went wrong without it, {wrong[1]} with it"
        means = [float(np.mean(values)) for values in (self.before, self.after)]
        change = plus_minus(self.comparison.difference, self.comparison.error)
        sign = "+" * (self.comparison.difference > 0)
        digits = max(2, _digits(self.comparison.error))
        ways = " → ".join(f"{mean:.{digits}f}" for mean in means).replace("-", "−")
        needed = f"{seeds}, paired"
        if self.verdict == "cannot be told apart" and self.comparison.error > 0:
            count = replicas_needed(self.comparison.difference, self.comparison.error * len(self.before) ** 0.5)
            needed += f"; about {count} would tell" if count <= _AFFORDABLE else ""
        return f"{self.verdict}: {self.part} {self.score} {ways}, {sign}{change} ({needed})"


def _digits(error: float) -> int:
    return min(6, max(0, 1 - int(np.floor(np.log10(error))))) if error > 0 and np.isfinite(error) else 2


@immutable
@checked
class Cure(Shown):
    """Something that may help: in words, as code for a `run`, and as the training that it makes; None where it has to be done by hand.

    `score`: what is compared when it is tried: "usual" is accuracy or R², "loss" the loss.
    """

    words: str
    code: str = ""
    training: Training | None = field(default=None, repr=False, compare=False)
    score: Literal["usual", "loss"] = "usual"
    tried: Tried | None = None


@immutable
@checked
class Finding(Shown):
    """What one look at a run found: a sentence, the evidence for it line by line, its numbers by name, and cures.

    `ailment` and `source` are put in by the ailment that looked. `stops_learning`: it can be why a network learns nothing at all.
    """

    grade: Grade
    says: str
    evidence: tuple[str, ...] = ()
    numbers: Mapping[str, Any] = field(default_factory=dict[str, Any])
    cures: tuple[Cure, ...] = ()
    ailment: str = ""
    source: str = ""
    stops_learning: bool = False

    def __str__(self) -> str:
        return f"{self.ailment}: {self.says}"

    def to_json(self) -> dict[str, Any]:
        """The finding in plain JSON values."""
        cures = [
            {"words": cure.words, "code": cure.code, "tried": None if cure.tried is None else _tried(cure.tried)}
            for cure in self.cures
        ]
        found = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "stops_learning"}
        return {**found, "evidence": list(self.evidence), "numbers": plain_json(self.numbers), "cures": cures}


def _tried(tried: Tried) -> dict[str, Any]:
    found = {name: getattr(tried, name) for name in ("score", "part", "before", "after", "verdict")}
    if tried.comparison is None:
        return plain_json(found)
    return plain_json({**found, "difference": tried.comparison.difference, "error": tried.comparison.error})


def ill(says: str, *evidence: str, cures: Sequence[Cure] = (), **numbers: Any) -> Finding:
    """Something is wrong."""
    return Finding("ill", says, evidence, numbers, tuple(cures))


def remark(says: str, *evidence: str, cures: Sequence[Cure] = (), **numbers: Any) -> Finding:
    """Something worth knowing, of which it is not known that it does harm."""
    return Finding("remark", says, evidence, numbers, tuple(cures))


def fine(says: str, **numbers: Any) -> Finding:
    """What was looked at is in order."""
    return Finding("fine", says, (), numbers)


class UntoldError(OptionError):
    """Raised by a look that cannot tell, with the reason as a sentence."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, expected="a run in which it can be told", remedy="see what the doctor says")
        self.reason = reason
