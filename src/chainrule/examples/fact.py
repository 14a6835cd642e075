"""A fact: one number that an example found, with its error bar, beside what is known of it."""

from __future__ import annotations

from math import floor, isfinite, log10

from chainrule.display import Shown
from chainrule.errors import OptionError
from chainrule.immutable import immutable
from chainrule.numerals import numeral

SIGMAS = 2.0
"""Within how many standard errors a number agrees with a known one."""


@immutable
class Fact(Shown):
    """A number with its standard error, and what it is held against: a known value, or a bound.

    error: one standard error of `value`, in its unit; None where the number is exact. reference: what theory or a book says; the two agree
    within 2 standard errors, or, for an exact number, within `tolerance`. minimum, maximum: bounds that are to hold by more than the error
    would explain only if `error` is given: then value − error ≥ minimum. source: where the reference or the bound comes from.

    >>> print(Fact("T_c", 2.2714, 0.0042, reference=2.26919, source="Onsager 1944"))
    T_c = 2.271 ± 0.004, known 2.26919 (Onsager 1944): 0.5 σ away, agrees
    """

    name: str
    value: float
    error: float | None = None
    reference: float | None = None
    tolerance: float = 0.0
    minimum: float | None = None
    maximum: float | None = None
    unit: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        if self.error is not None and not (isfinite(self.error) and self.error >= 0):
            raise OptionError(
                f"the error {self.error!r} of {self.name}", expected="a number of 0 or more", remedy="estimate it"
            )

    @property
    def distance(self) -> float | None:
        """How many standard errors the value lies from what is known; None without both."""
        if self.reference is None or not self.error:
            return None
        return abs(self.value - self.reference) / self.error

    @property
    def agrees(self) -> bool | None:
        """Whether it is as known and within its bounds; None where nothing is known."""
        error = self.error or 0.0
        held = [
            *([] if self.reference is None else [abs(self.value - self.reference) <= max(SIGMAS * error, self.tolerance)]),
            *([] if self.minimum is None else [self.value - error >= self.minimum]),
            *([] if self.maximum is None else [self.value + error <= self.maximum]),
        ]
        return all(held) if held else None

    @property
    def measured(self) -> str:
        """The value with its error to its first digit, and its unit."""
        shown = numeral(self.value, 5) if not self.error else _with_error(self.value, self.error)
        return f"{_signed(shown)} {self.unit}".rstrip()

    @property
    def expected(self) -> str:
        """What it is held against, in words; empty where nothing is known."""
        parts = [
            *([] if self.reference is None else [f"known {numeral(self.reference, 6)}"]),
            *([] if self.minimum is None else [f"at least {numeral(self.minimum)}"]),
            *([] if self.maximum is None else [f"at most {numeral(self.maximum)}"]),
        ]
        return " and ".join(parts) + (f" ({self.source})" if parts and self.source else "")

    @property
    def judgement(self) -> str:
        """In words: "agrees" or "does not agree", with the distance in standard errors; empty where nothing is known."""
        if self.agrees is None:
            return ""
        verdict = "agrees" if self.agrees else "does not agree"
        return verdict if self.distance is None else f"{self.distance:.1f} σ away, {verdict}"

    def __str__(self) -> str:
        said = f", {self.expected}: {self.judgement}" if self.expected else ""
        return f"{self.name} = {self.measured}{said}"


def _with_error(value: float, error: float) -> str:
    decimals = max(0, -floor(log10(error)))
    return f"{value:.{decimals}f} ± {error:.{decimals}f}"


def _signed(number: str) -> str:
    """The number with the sign that a reader expects before it, as in the verdicts."""
    return f"−{number[1:]}" if number.startswith("-") else number
