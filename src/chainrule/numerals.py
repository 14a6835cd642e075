"""How numbers are written: for people some digits that count, a minus as wide as a plus, powers of ten as in print; for programs JSON."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, SupportsFloat, TypeAlias, cast

Style: TypeAlias = Literal["text", "latex"]

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_SCIENTIFIC = re.compile(r"([-+]?[\d.]+)e([-+]?\d+)")
PLAIN = (1e-4, 1e6)
"""A number with its error is written without a power of ten from the one up to the other."""


def numeral(value: SupportsFloat, digits: int = 4, *, sign: bool = False, style: Style = "text") -> str:
    r"""A number with so many digits that count; below 0.0001, and where it has more digits before the point, with its power of ten.

    `sign`: a plus too. `style`: "text", or "latex" for a formula.

    >>> numeral(-0.0123456), numeral(5.951e-6), numeral(1e-16), numeral(1234567.0), numeral(float("nan"))
    ('−0.01235', '5.951×10⁻⁶', '10⁻¹⁶', '1.235×10⁶', 'not a number')
    >>> numeral(0.5, sign=True), numeral(-2e-7, style="latex")
    ('+0.5', '-2 \\times 10^{-7}')
    """
    number = float(value)
    if math.isnan(number):
        return "not a number" if style == "text" else r"\text{not a number}"
    return printed(f"{number + 0.0:{'+' if sign else ''}.{digits}g}", style)


def spaced(number: int) -> str:
    """A whole number in groups of three digits.

    >>> spaced(13002)
    '13 002'
    """
    return f"{number:,}".replace(",", " ")


def printed(number: str, style: Style = "text") -> str:
    """A number that Python has written, as in print.

    >>> printed("-1.5e-07"), printed("1e+20"), printed("-0.25"), printed("inf")
    ('−1.5×10⁻⁷', '10²⁰', '−0.25', '∞')
    """
    mantissa = number.replace("inf", "∞" if style == "text" else r"\infty")
    if found := _SCIENTIFIC.fullmatch(mantissa):
        mantissa, exponent = found[1], found[2]
        power = power_of_ten(int(exponent), style)
        front, bare = mantissa.rstrip("01."), mantissa.strip("+-")
        times = "×" if style == "text" else r" \times "
        mantissa = f"{front}{power}" if bare == "1" else f"{mantissa}{times}{power}"
    return mantissa.replace("-", "−", 1) if style == "text" else mantissa


def power_of_ten(exponent: int, style: Style = "text") -> str:
    """10 to a whole power.

    >>> power_of_ten(-6), power_of_ten(-6, "latex")
    ('10⁻⁶', '10^{-6}')
    """
    return f"10{str(exponent).translate(SUPERSCRIPTS)}" if style == "text" else f"10^{{{exponent}}}"


def with_uncertainty(value: float, error: float) -> str:
    """A value and its standard error, to two digits of the error; where both are very small or large, with one power of ten.

    >>> with_uncertainty(0.95, 0.0058), with_uncertainty(1.5e-7, 2.5e-9), with_uncertainty(0.5, 0.0)
    ('0.9500 ± 0.0058', '(1.500 ± 0.025)×10⁻⁷', '0.5000 ± 0.0000')
    """
    if not (math.isfinite(value) and math.isfinite(error)):
        return f"{numeral(value)} ± {numeral(error)}"
    size = max(abs(value), error)
    exponent = math.floor(math.log10(size)) if size > 0 and not PLAIN[0] <= size < PLAIN[1] else 0
    if exponent:
        value, error = value / 10.0**exponent, error / 10.0**exponent
    digits = min(9, max(0, 1 - math.floor(math.log10(error)))) if error > 0 else 4
    both = f"{value:.{digits}f} ± {error:.{digits}f}".replace("-", "−")
    return f"({both})×{power_of_ten(exponent)}" if exponent else both


def plain_json(value: Any) -> Any:
    """A value as JSON has it: arrays as lists, and null for what is not finite, which JSON cannot say.

    >>> plain_json({"loss": (1.5, float("nan"))})
    {'loss': [1.5, None]}
    """
    if hasattr(value, "tolist"):
        return plain_json(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): plain_json(item) for key, item in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [plain_json(item) for item in cast("Sequence[Any]", value)]
    return None if isinstance(value, float) and not math.isfinite(value) else value
