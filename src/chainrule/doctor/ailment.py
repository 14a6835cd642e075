"""Ailments: one look each at a run, registered once with its name and its source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal, TypeAlias, cast

import numpy as np

from chainrule.checks import checked, shown
from chainrule.display import Shown
from chainrule.doctor.finding import Finding, UntoldError
from chainrule.doctor.patient import Patient
from chainrule.errors import ChainruleError, OptionError, OptionTypeError
from chainrule.immutable import immutable

Look: TypeAlias = Callable[[Patient], Finding]
Needs: TypeAlias = Literal["data", "targets", "nothing"]


@immutable
class Ailment(Shown):
    """What may be the matter with a training: its name, where it is described, and the look that finds it.

    stops_learning: whether it can be why a network learns nothing. needs: what the look cannot do without, "data" or "targets".
    """

    name: str
    look: Look
    source: str
    stops_learning: bool
    needs: Needs

    def __call__(self, patient: Patient) -> Finding:
        """The finding, "untold" with the reason where the look cannot tell."""
        try:
            self._require(patient)
            # Sick trainings have numbers whose squares are infinite.
            with np.errstate(over="ignore", invalid="ignore"):
                found = self.look(patient)
        except UntoldError as trouble:
            found = Finding("untold", trouble.reason)
        except ChainruleError as trouble:
            found = Finding("untold", trouble.happened)
        if not isinstance(cast("object", found), Finding):
            raise OptionTypeError(
                f"the ailment {self.name!r} found {shown(found)}",
                expected="a finding",
                remedy="return ill(...), remark(...) or fine(...)",
            )
        return replace(found, ailment=self.name, source=self.source, stops_learning=self.stops_learning)

    def _require(self, patient: Patient) -> None:
        if self.needs == "nothing":
            return
        patient.require_data()
        if self.needs == "targets" and not patient.compares:
            raise UntoldError("outputs are compared with no targets")


AILMENTS: dict[str, Ailment] = {}
"""Every ailment by its name, in the order in which they are looked for."""


@checked
def ailment(name: str, *, source: str, stops_learning: bool = False, needs: Needs = "data") -> Callable[[Look], Look]:
    """Registers a look at a run as the ailment of this name; what it says in its docstring is what it looks at."""
    if name in AILMENTS:
        raise OptionError(f"a second ailment {name!r}", expected="a name that is not taken", remedy="choose another name")

    def register(look: Look) -> Look:
        AILMENTS[name] = Ailment(name, look, source, stops_learning, needs)
        return look

    return register
