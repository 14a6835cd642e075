"""Numbers and dates in other writings: texts that would become categories without anyone having meant it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from chainrule.data.advice import advice, literal
from chainrule.data.cells import Texts, is_number
from chainrule.data.form import Form
from chainrule.errors import Remedy

_DATE = re.compile(r"\d{4}-\d{1,2}(-\d{1,2}([T ]\d{1,2}:\d{2}.*)?)?|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}([ T]\d{1,2}:\d{2}.*)?")
_GROUPS = {mark: re.compile(rf"[+-]?\d{{1,3}}({re.escape(mark)}\d{{3}})+") for mark in ",.'  "}
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d*([eE][+-]?\d+)?")
# With a point: "1D2" may be the name of a room.
_FORTRAN = re.compile(r"([+-]?(?:\d+\.\d*|\.\d+))[dD]([+-]?\d{1,3})")
_POINTS_AND_COMMA = re.compile(r"[+-]?\d{1,3}(\.\d{3})+(,\d*)?")
_COMMAS_AND_POINT = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?")
_AFFIXES = re.compile(r"([^\w.,+\-−]*)([+\-−]?[\d.,'  ]*\d[.,]?(?:[eE][+-]?\d+)?)(\s*[^\d\s]?.*)", re.DOTALL)


def plain_number(text: str) -> str:
    """A number with Fortran's exponent or a printer's minus as others write it; any other text as it is.

    >>> plain_number("-0.125D+02"), plain_number("−3.5"), plain_number("1D2")
    ('-0.125e+02', '-3.5', '1D2')
    """
    text = text.replace("−", "-")
    found = _FORTRAN.fullmatch(text)
    return f"{found[1]}e{found[2]}" if found else text


def plain_numbers(cells: Texts, form: Form) -> Texts:
    """Texts, most of them numbers with the marks that were told or in another writing: these as pandas would have read them.

    >>> plain_numbers(Texts.of(["1,5", "2"]), Form(decimal=","))
    ('1.5', '2')
    """
    marks = form.thousands or "\0", form.decimal
    plain = [plain_number(text.replace(marks[0], "").replace(marks[1], ".")) for text in cells.values]
    found = [new if is_number(new) else text for text, new in zip(cells.values, plain, strict=True)]
    changed = tuple(found) != cells.values and 2 * sum(map(is_number, found)) > len(found)
    return Texts(cells.codes, found) if changed else cells


def is_written_otherwise(texts: Sequence[str]) -> bool:
    """Whether all of some texts are numbers, most of them in another writing than 3.14: 5%, 1,000, 1.000,5, 1e3 m.

    >>> is_written_otherwise(["5%", "10%"]), is_written_otherwise(["2wd", "fwd"]), is_written_otherwise(["1,5", "2"])
    (True, False, True)
    """
    others = [text for text in texts if not is_number(text)]
    return bool(others) and (all(map(_comma_number, others)) or _common_affixes(others) is not None)


def are_dates(texts: Iterable[str]) -> bool:
    """Whether all of some texts are dates, alone or with a time.

    >>> are_dates(["2024-05-01", "2024-05-02"]), are_dates(["10/03/2004"]), are_dates(["2024"])
    (True, True, False)
    """
    return all(_DATE.fullmatch(text) for text in texts)


def remedy_for(name: str, value: str, others: Sequence[str]) -> Remedy:
    """What to do about a text in a column of numbers; `others` are all that are no numbers, `value` is one of them."""
    words, options = _remedy(value, others)
    return advice(f"{words}; if these are categories, read with {{{len(options)}}}", *options, ("categories", (name,)))


def _remedy(value: str, others: Sequence[str]) -> tuple[str, list[tuple[str, object]]]:
    """The words of a remedy with places for its options, and those."""
    if all(map(_comma_number, others)):
        return _marks_remedy(others)
    affixes = _common_affixes(others)
    if affixes is not None:
        unit = literal("".join(affixes).strip())
        return f"write the numbers alone, without {unit}, and the unit into the column's name", []
    if len(set(others)) == 1:
        return "correct the value; if it marks a missing one, read with {0}", [("na_values", (value,))]
    return "correct the value", []


def _marks_remedy(others: Sequence[str]) -> tuple[str, list[tuple[str, object]]]:
    """The marks inside numbers that all of these texts share; both readings where a text has two."""
    decimal, thousands = ("decimal", ","), ("thousands", ",")
    if all(_POINTS_AND_COMMA.fullmatch(text) or _DECIMAL_COMMA.fullmatch(text) for text in others):
        if any("." in text for text in others):
            return "say which marks the numbers have: {0}, {1}", [decimal, ("thousands", ".")]
        if not all(_GROUPS[","].fullmatch(text) for text in others):
            return "say that the mark is a decimal comma: {0}", [decimal]
        text = others[0]
        read = f"{{0}} reads {text.replace(',', '')}, {{1}} reads {text.replace(',', '.')}"
        return f"say what the comma in {text!r} means: {read}", [thousands, decimal]
    if all(_COMMAS_AND_POINT.fullmatch(text) for text in others):
        return "say which mark stands between the thousands: {0}", [thousands]
    mark = next((mark for mark in _GROUPS if all(_GROUPS[mark].fullmatch(text) for text in others)), None)
    if mark is not None:
        return "say which mark stands between the thousands: {0}", [("thousands", mark)]
    return "write all numbers of the file in one way, such as 1234.5", []


def _comma_number(text: str) -> bool:
    forms = (_DECIMAL_COMMA, _POINTS_AND_COMMA, _COMMAS_AND_POINT, *_GROUPS.values())
    return any(digit.isdigit() for digit in text) and any(form.fullmatch(text) for form in forms)


def _common_affixes(texts: Sequence[str]) -> tuple[str, str] | None:
    """What stands before and behind the number in all texts alike; None if there is nothing of the kind."""
    found: set[tuple[str, str]] = set()
    for text in texts:
        parts = _AFFIXES.fullmatch(text)
        if parts is None or not (parts[1] or parts[3]) or any(letter.isdigit() for letter in parts[3]):
            return None
        found.add((parts[1].strip(), parts[3].strip()))
    return found.pop() if len(found) == 1 and len(texts) > 1 else None
