"""The text of a graph for batches of any size: what goes by the batch's size B, or by the network's dtype, stands in braces.

`{float}` is the dtype, `{B}`, `{4*B+1}` and `{B/(B-1)}` are numbers, `{0.5 everywhere}` is an array that holds one number. Nothing else can
stand in braces, so that a text from a file is filled in by arithmetic on whole numbers alone. A template is found from the texts of
the graph for several sizes and both dtypes, and is right where it gives each of them back.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import zip_longest
from math import gcd, lcm, prod
from typing import TypeAlias

import numpy as np

from chainrule.errors import GraphError, ParseError
from chainrule.graph.form import form_of
from chainrule.graph.graph import Graph
from chainrule.graph.types import FLOATS, Type

Case: TypeAlias = "tuple[int, str]"
"""A size of batch and a dtype."""
LEAST_SIZES = 4
"""Of how many sizes texts are needed: three determine a quotient, the others check it."""
LARGEST = 2**40
"""How large a whole number in a filled text may be, and how many numbers a node may hold."""
MOST_EVERYWHERE = 2**22
"""How many numbers an array that holds one number everywhere may have."""
MOST_BELOW = {"float64": 10**6, "float32": 3000}
"""Up to which denominator a fraction is told from its digits."""

_TOKEN = re.compile(r"[^\W\d]\w*|\d+\.?\d*(?:e[+-]?\d+)?|\s+|.", re.DOTALL)
_NUMBER = re.compile(r"\d+\.?\d*(?:e[+-]?\d+)?")
_UNIFORM = re.compile(r"(.* = constant\(value=)(\[.*\])(\).*)")
_BRACES = re.compile(r"\{([^{}]*)\}")
_AFFINE = re.compile(r"(?:(-?\d{1,18})\*)?B([+-]\d{1,18})?|(-?\d{1,18})")
_EVERYWHERE = re.compile(r"(-?(?:\d+\.?\d*(?:e[+-]?\d+)?|inf|nan)|True|False) everywhere")
_TYPE = re.compile(r"\s*\S+: (\w+\[[\d,]*\]) = ")


# ---- filling in


def filled(template: str, size: int, dtype: str) -> str:
    """The text for batches of this size, in this dtype.

    >>> filled("x: {float}[{B},2] = input()", 3, "float32")
    'x: float32[3,2] = input()'

    Raises: ParseError, naming the line.
    """
    return "\n".join(_filled(number, line, size, dtype) for number, line in enumerate(template.split("\n"), 1))


def _filled(number: int, line: str, size: int, dtype: str) -> str:
    if "{" not in line:
        return line
    try:
        known = _BRACES.sub(lambda found: _part(found[1], size, dtype), line)
        return _BRACES.sub(lambda found: _array(found[1], known), known)
    except (ValueError, ArithmeticError) as error:
        raise ParseError(
            f"line {number} cannot be read: {line if len(line) <= 120 else line[:117] + '...'}",
            expected=f"in braces what there is for a batch of {size}: {{float}}, {{B}}, {{4*B+1}}, {{B/(B-1)}} or {{0.5 everywhere}}",
            remedy=f"correct this: {error}",
        ) from error


def _part(said: str, size: int, dtype: str) -> str:
    if said == "float":
        return dtype
    if _EVERYWHERE.fullmatch(said):
        return f"{{{said}}}"
    above, divided, below = said.partition("/")
    if not divided:
        return str(_whole(above, size))
    return repr(_whole(above, size) / _whole(below, size))


def _whole(said: str, size: int) -> int:
    found = _AFFINE.fullmatch(said[1:-1] if said[:1] + said[-1:] == "()" else said)
    if found is None:
        raise ValueError(f"{said[:40]!r} is no multiple of B and no whole number")
    value = int(found[3]) if found[3] else int(found[1] or 1) * size + int(found[2] or 0)
    if abs(value) > LARGEST:
        raise ValueError(f"{said[:40]!r} is {value} for B = {size}")
    return value


def _array(said: str, line: str) -> str:
    """An array that holds one number everywhere, as nested lists of the shape that the line declares."""
    found, type_ = _EVERYWHERE.fullmatch(said), _TYPE.match(line)
    if found is None or type_ is None:
        raise ValueError(f"{said[:40]!r} stands where no array is")
    shape = Type.parse(type_[1]).shape
    if prod(shape) > MOST_EVERYWHERE:
        raise ValueError(f"{type_[1]} holds more than {MOST_EVERYWHERE} numbers")
    text = found[1]
    for extent in reversed(shape):
        text = f"[{', '.join([text] * extent)}]"
    return text


# ---- finding


def template_of(texts: Mapping[Case, str]) -> str:
    """The template that gives each of these texts back, by size and dtype.

    >>> found = {(n, "float64"): f"x: float64[{n},2] = input()" for n in (2, 3, 5, 7)}
    >>> template_of({**found, (3, "float32"): "x: float32[3,2] = input()"})
    'x: {float}[{B},2] = input()'

    Raises: GraphError, which shows the line that goes by the batch in another way.
    """
    cases, lines = list(texts), [text.split("\n") for text in texts.values()]
    if len({len(each) for each in lines}) > 1:
        counts = ", ".join(f"{len(each)} lines for {size} in {dtype}" for (size, dtype), each in zip(cases, lines, strict=True))
        raise _depends(f"it has {counts}")
    return "\n".join(_line(cases, found) for found in zip(*lines, strict=True))


def require_same(found: Graph, wanted: Graph, size: int) -> None:
    """Refuses another graph than the one that there is for batches of this size.

    Raises: GraphError, which shows the first line where they differ.
    """
    if form_of(found) != form_of(wanted):
        pairs = zip_longest(str(found).split("\n"), str(wanted).split("\n"), fillvalue="none")
        raise _depends(f"for {size} there is the line {next((_short(line) for one, line in pairs if one != line), 'none')}")


def _short(line: str) -> str:
    return line.strip() if len(line.strip()) <= 90 else line.strip()[:87] + "..."


def _depends(how: str) -> GraphError:
    return GraphError(
        f"the graph goes by the size of its batch in a way that cannot be written down: {how}",
        expected="extents a·B + b, constants (a·B + b)/(c·B + d), arrays that hold one number, with B the size of the batch",
        remedy="compute what depends on the batch by ops from the layer's input",
    )


def _line(cases: Sequence[Case], lines: tuple[str, ...]) -> str:
    if any("{" in line or "}" in line for line in lines):
        raise _depends(f"{_short(lines[0])} holds a brace")
    tokens = [_TOKEN.findall(line) for line in lines]
    if len(set(map(len, tokens))) > 1:
        tokens = [_tokens_of_uniform(line) for line in lines]
        if len(set(map(len, tokens))) > 1:
            raise _depends(_short(min(lines, key=len)))
    return "".join(_token(cases, found, lines) for found in zip(*tokens, strict=True))


def _tokens_of_uniform(line: str) -> list[str]:
    """The tokens of a line whose array holds one number everywhere, the array as one token; of any other line all of them."""
    found = _UNIFORM.fullmatch(line)
    numbers = set(re.findall(r"[^\[\], ]+", found[2])) if found else set[str]()
    if found is None or len(numbers) != 1:
        return _TOKEN.findall(line)
    return [*_TOKEN.findall(found[1]), f"{{{numbers.pop()} everywhere}}", *_TOKEN.findall(found[3])]


def _token(cases: Sequence[Case], found: tuple[str, ...], lines: tuple[str, ...]) -> str:
    if len(set(found)) == 1:
        return found[0]
    if all(token == dtype for token, (_, dtype) in zip(found, cases, strict=True)):
        return "{float}"
    widest = cases[0][1]
    by_size = {size: token for token, (size, dtype) in zip(found, cases, strict=True) if dtype == widest}
    said = found[0] if len(set(by_size.values())) == 1 else _by_size(by_size, widest)
    if said is None or not all(_gives(said, case, token) for case, token in zip(cases, found, strict=True)):
        raise _depends(_short(lines[0]))
    return said


def _gives(said: str, case: Case, token: str) -> bool:
    """Whether an expression gives what stands in a text; in float32 numbers are rounded."""
    try:
        made = _BRACES.sub(lambda part: _part(part[1], *case), said)
    except (ValueError, ArithmeticError):  # found from numbers that are no quotient
        return False
    if made == token or case[1] == FLOATS[-1] or not (_NUMBER.fullmatch(made) and _NUMBER.fullmatch(token)):
        return made == token
    with np.errstate(all="ignore"):
        return bool(np.float32(made) == np.float64(token))


def _by_size(by_size: Mapping[int, str], dtype: str) -> str | None:
    """The expression in B for a number that is another one for each size; None where there is none."""
    if len(by_size) < LEAST_SIZES or not all(_NUMBER.fullmatch(token) for token in by_size.values()):
        return None
    if all(token.isdigit() for token in by_size.values()):
        values = {size: Fraction(token) for size, token in by_size.items()}
        (m, first), (n, second), *_ = values.items()
        slope = (second - first) / (n - m)
        return None if slope.denominator != 1 else f"{{{_affine(int(slope), int(first - slope * m))}}}"
    most = MOST_BELOW[dtype]
    values = {size: Fraction(float(token)).limit_denominator(most) for size, token in by_size.items()}
    a, b, c, d = quotient(list(values.items())[:3])
    if (a, b, c, d) == (0, 0, 0, 0):
        return None
    above, below = _affine(a, b), _affine(c, d)
    return f"{{{above if above.isalnum() else f'({above})'}/{below if below.isalnum() else f'({below})'}}}"


def _affine(slope: int, offset: int) -> str:
    if not slope:
        return str(offset)
    return ("B" if slope == 1 else f"{slope}*B") + (f"{offset:+d}" if offset else "")


def quotient(points: Sequence[tuple[int, Fraction]]) -> tuple[int, int, int, int]:
    """Whole a, b, c, d with value = (a·n + b)/(c·n + d) at three points; zeros where there are none."""
    rows = [(Fraction(n), Fraction(1), -value * n, -value) for n, value in points]
    found = [(-1) ** left * _determinant([[x for i, x in enumerate(row) if i != left] for row in rows]) for left in range(4)]
    scale = lcm(*(part.denominator for part in found))
    whole = [int(part * scale) for part in found]
    common = gcd(*whole) or 1
    sign = -1 if next((part for part in whole[2:] if part), 1) < 0 else 1
    a, b, c, d = (sign * part // common for part in whole)
    return a, b, c, d


def _determinant(rows: Sequence[Sequence[Fraction]]) -> Fraction:
    (a, b, c), (d, e, f), (g, h, i) = rows
    return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)


__all__ = ["LEAST_SIZES", "filled", "quotient", "require_same", "template_of"]
