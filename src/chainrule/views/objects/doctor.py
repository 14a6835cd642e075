"""How a diagnosis shows itself."""

from __future__ import annotations

from chainrule import display
from chainrule.doctor import Cure, Diagnosis, Finding
from chainrule.views.objects.parts import heading, printed_lines, shown, table, verdict

_WORDS = {"ill": "wrong", "remark": "worth knowing", "fine": "in order", "untold": "cannot be told"}


@display.html.register
def diagnosis_html(diagnosis: Diagnosis) -> str:
    """The summary, what is wrong and worth knowing with its evidence and cures, then a table of all that was looked for."""
    graver = [_finding(found) for found in (*diagnosis.ill, *diagnosis.of("remark"))]
    rows = [(_WORDS[found.grade], found.ailment, found.says) for found in (*diagnosis.of("fine"), *diagnosis.of("untold"))]
    return shown(verdict(diagnosis.summary), *graver, table(("", "looked for", "found"), rows))


@display.html.register
def finding_html(found: Finding) -> str:
    """The sentence, the evidence, the cures."""
    return shown(_finding(found))


def _finding(found: Finding) -> str:
    lines = "\n".join([f"{_WORDS[found.grade]}: {found}", *found.evidence, f"source: {found.source}"])
    return verdict(lines) + "".join(map(_cure, found.cures))


def _cure(cure: Cure) -> str:
    tried = f", tried: {cure.tried}" if cure.tried is not None else ""
    return heading("cure", f"{cure.words}{tried}") + (printed_lines(cure.code) if cure.code else "")
