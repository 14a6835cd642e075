"""How a diagnosis shows itself."""

from __future__ import annotations

from chainrule import display
from chainrule.doctor import Diagnosis, Finding
from chainrule.views.objects.parts import printed_lines, shown, table, verdict

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
    cures = [(cure.words, cure.code, str(cure.tried or "not tried")) for cure in found.cures]
    lines = "\n".join([f"{_WORDS[found.grade]}: {found}", *found.evidence, f"source: {found.source}"])
    told = [printed_lines(f"# {words}: {tried}\n{code}") for words, code, tried in cures]
    return verdict(lines) + "".join(told)
