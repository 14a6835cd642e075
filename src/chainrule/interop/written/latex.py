"""A network as a formula for a paper: scalings multiplied out, numbers rounded as a stated error allows, many of them in tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from chainrule.errors import OptionError
from chainrule.graph import REGISTRY, Array
from chainrule.graph.notation import FormulaPiece, compose, name_text
from chainrule.interop.portable import Portable
from chainrule.interop.written.subject import Subject, one_line
from chainrule.interop.written.terms import MOVED, Atom, Sum, sums_of, too_long, value_of
from chainrule.numerals import printed

FEW = 4
"""More quantities of one form than this are written as a sum with a table."""
MOST_NUMBERS = 600
"""How many numbers a formula may have."""
ERROR = 1e-4
"""How far the rounded formula may be from the network, in units of the span of the outputs."""
POINTS = 400
"""At how many inputs the rounded formula is compared with the network."""
WIDTH = 90
"""From how many letters on a line of a formula is broken."""
LETTERS = "hgqrst"
ROWS = (
    *(name for name, op in REGISTRY.items() if op.kind == "elementwise"),
    *MOVED,
    "matmul",
    "reduce_sum",
    "softmax",
    "argmax",
    "reduce_max",
)

_HEAD = r"""\documentclass{article}
\usepackage{amsmath, longtable}
\setlength{\jot}{4pt}
\begin{document}
"""
_MEANINGS = {"sigmoid": r"\sigma(z) = 1/(1 + e^{-z})", "relu": r"\operatorname{ReLU}(z) = \max(0, z)"}
_MARKS = {
    **{mark: f"\\{mark}" for mark in "{}$&#%_"},
    '"': "''",
    "\\": r"\textbackslash{}", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "`": r"\textasciigrave{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "-": "{-}",
}  # fmt: skip
"""Marks that LaTeX reads as orders, or draws as others."""
_UNDRAWN = re.compile("[^\0-\u017f]|[ÐÞðþ«»ĄąĐđĘęĦħĮįĸĿŀŉŊŋŦŧŲųſ]")
"""Letters that the fonts which each LaTeX has do not draw: they are written by their numbers."""


@dataclass(eq=False)
class Family:
    """Quantities of one form, f(Σ_k w_jk·v_k + b_j), and the columns of the table that tells their numbers."""

    atoms: list[Atom]
    variables: list[Atom]
    letter: str
    is_named: bool
    columns: list[tuple[str, list[float]]] = field(default_factory=list[tuple[str, list[float]]])


def write(portable: Portable) -> dict[str, bytes]:
    """The file: what it is, the formula, the tables, and how near they come."""
    subject = Subject(portable, ROWS)
    text = _Text(subject)
    return {".tex": text.document().encode()}


class _Text:
    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        counts = {name: node.type.size for name, node in subject.inputs.items()}
        single = sum(counts.values()) == 1
        self.names = {name: [name if single else f"{name}_{{{k + 1}}}" for k in range(count)] for name, count in counts.items()}
        graph = subject.graph
        outputs = sums_of(
            type(graph)({n: node for n, node in graph.outputs.items() if n != "class_index"}), subject.values, self.names
        )
        self.outputs = [(name, place, total) for name, totals in outputs.items() for place, total in enumerate(totals)]
        self.order = list(_atoms(total for _, _, total in self.outputs))
        uses = _uses([total for _, _, total in self.outputs], self.order)
        self.labels: dict[Atom, str] = {atom: atom.name for atom in self.order if not atom.arguments}
        self.families: dict[Atom, Family] = {}
        self._name({atom for atom in self.order if atom.arguments and (uses[atom] > 1 or atom.name)})
        numbers = sum(len(total.terms) + 1 for total in self._sums())
        if numbers > MOST_NUMBERS:
            raise too_long(f"{numbers:,} numbers")
        self.digits, self.off, self.span, self.reach = self._rounding()

    def _sums(self) -> Iterator[Sum]:
        yield from (total for _, _, total in self.outputs)
        yield from (item for atom in self.order for item in atom.arguments if not _is_share(atom))

    def _name(self, several: set[Atom]) -> None:
        """Families of quantities of one form, and names for what is used more than once."""
        forms: dict[tuple[object, ...], list[Atom]] = {}
        for atom in self.order:
            if len(atom.arguments) == 1:
                forms.setdefault((atom.node.op, atom in several, atom.name, *map(id, atom.arguments[0].terms)), []).append(atom)
        letters = iter(LETTERS)
        for (_, is_named, name, *_), atoms in forms.items():
            if len(atoms) > FEW:
                letter = (str(name) or next(letters, "u")) if is_named else ""
                family = Family(atoms, list(atoms[0].arguments[0].terms), letter, bool(is_named))
                self.families |= dict.fromkeys(atoms, family)
                self.labels |= {atom: f"{letter}_{{{j + 1}}}" for j, atom in enumerate(atoms)} if is_named else {}
        counts: dict[str, int] = {}
        for atom in self.order:
            if atom in several and atom not in self.labels:
                letter = atom.name or "h"
                letter = letter if not any(family.letter == letter for family in self.families.values()) else "u"
                counts[letter] = counts.get(letter, 0) + 1
                self.labels[atom] = f"{letter}_{{{counts[letter]}}}"

    # ---- rounding

    def _points(self) -> dict[Atom, Array]:
        """Inputs within two standard deviations of what the network learned from, or between those of the examples."""
        random, found = np.random.default_rng(0), dict[Atom, Array]()
        before = self.subject.portable.layers.before if self.subject.portable.layers else None
        for atom in (atom for atom in self.order if not atom.arguments):
            name = next(name for name, labels in self.names.items() if atom.name in labels)
            place = self.names[name].index(atom.name)
            examples = np.stack([call[name].reshape(-1)[place] for call in self.subject.calls]).astype(float)
            low, high = examples.min(), examples.max()
            if before is not None and not before.changes_nothing:
                shape = self.subject.inputs[name].shape[1:]
                middle, wide = (np.broadcast_to(each, shape).reshape(-1)[place] for each in (before.offset, 2 / before.factor))
                low, high = min(low, middle - abs(wide)), max(high, middle + abs(wide))
            found[atom] = random.uniform(low, high, POINTS)
        return found

    def _rounding(self) -> tuple[int, float, float, str]:
        points = self._points()
        exact = np.array([np.broadcast_to(value_of(total, points, float, {}), POINTS) for _, _, total in self.outputs])
        defined = np.isfinite(exact).all(axis=0)
        if not defined.any():
            raise OptionError(
                "a formula that has no value at any input like those of the data",
                expected="a network with finite outputs",
                remedy='choose another format, such as to="numpy"',
            )
        span = float(np.ptp(exact[:, defined])) or 1.0
        off, digits = 0.0, 2
        for digits in range(2, 18):
            known: dict[Atom, Array] = {}

            def rounded(number: float, digits: int = digits) -> float:
                return float(f"{number:.{digits}g}")

            found = [value_of(total, points, rounded, known) for _, _, total in self.outputs]
            off = float(max(np.max(np.abs(a - b)[defined]) for a, b in zip(found, exact, strict=True)))
            if off <= ERROR * span:
                break
        limits = "; ".join(
            f"${atom.name}$ from {self._plain(x.min())} to {self._plain(x.max())}" for atom, x in list(points.items())[:FEW]
        )
        return digits, off, span, limits + ("; ..." if len(points) > FEW else "")

    def _plain(self, value: float) -> str:
        return f"${printed(f'{value:.3g}', 'latex')}$"

    def number(self, value: float) -> str:
        """A number, rounded, as LaTeX."""
        return printed(f"{value:.{self.digits}g}", "latex")

    # ---- formulas

    def piece(self, atom: Atom) -> FormulaPiece:
        """A quantity: its name where it has one, else its formula."""
        return FormulaPiece(self.labels[atom]) if atom in self.labels else self.formula(atom)

    def formula(self, atom: Atom) -> FormulaPiece:
        """What a quantity is computed by."""
        if _is_share(atom):
            return FormulaPiece(self._share(atom))
        if atom.name == "z":
            return self.total(atom.arguments[0])
        return compose(atom.node, [self.total(item) for item in atom.arguments], "latex")

    def _share(self, atom: Atom) -> str:
        labels = [self.total(item).text for item in atom.arguments]
        family = next((self.families[inner] for inner in atom.arguments[1].terms if inner in self.families), None)
        below = (
            rf"\sum_{{k=1}}^{{{len(labels) - 1}}} e^{{{family.letter}_{{k}}}}"
            if family
            else " + ".join(f"e^{{{z}}}" for z in labels[1:])
        )
        return rf"\frac{{e^{{{labels[0]}}}}}{{{below}}}"

    def total(self, item: Sum) -> FormulaPiece:
        """A sum; all members of a family together are one Σ."""
        parts, left = list[tuple[float, str]](), dict(item.terms)
        for family in dict.fromkeys(self.families[atom] for atom in item.terms if atom in self.families):
            if all(atom in left for atom in family.atoms) and not (family.is_named and len(item.terms) == 1):
                parts.append((1.0, self._series(family, [left.pop(atom) for atom in family.atoms])))
        parts += [(factor, self._product(factor, atom)) for atom, factor in left.items()]
        if item.constant or not parts:
            parts.append((item.constant, self.number(abs(item.constant))))
        text = ("-" if parts[0][0] < 0 else "") + parts[0][1]
        for factor, part in parts[1:]:
            text += (" - " if factor < 0 else " + ") + part
        loose = len(parts) > 1 or parts[0][0] < 0 or r"\sum" in text
        if loose:
            return FormulaPiece(text, 3, 0)
        binds = self.piece(next(iter(left))).binds if left else 0
        return FormulaPiece(text, max(binds, 2) if r"\," in text or r"\times" in text else binds)

    def _product(self, factor: float, atom: Atom) -> str:
        piece, is_one = self.piece(atom), abs(factor) == 1
        text = rf"\left({piece.text}\right)" if piece.binds >= 2 + is_one else piece.text
        return text if is_one else rf"{self.number(abs(factor))} \, {text}"

    def _series(self, family: Family, factors: list[float]) -> str:
        """Σ_j v_j·f(w_j x + b_j), its numbers noted for the family's table."""
        same = all(factor == 1 for factor in factors)
        symbol = "" if same else self._column(family, "v", factors)
        inner = f"{family.letter}_{{j}}" if family.is_named else self._member(family)
        return rf"\sum_{{j=1}}^{{{len(factors)}}} {symbol}{' ' if symbol else ''}{inner}"

    def _column(self, family: Family, letter: str, numbers: list[float]) -> str:
        """A column of the family's table, and the symbol for its numbers."""
        for known, values in family.columns:
            if values == numbers and known.startswith(letter):
                return known
        mark = f"^{{{family.letter}}}" if family.is_named else ""
        count = sum(known.startswith(letter) for known, _ in family.columns)
        place = f",{count + 1}" if count or self._has_several(family, letter) else ""
        symbol = f"{letter}{mark}_{{j{place}}}"
        family.columns.append((symbol, numbers))
        return symbol

    def _has_several(self, family: Family, letter: str) -> bool:
        return len(family.variables) > 1 if letter == "w" else letter == "v" and family.is_named and len(self.outputs) > 1

    def _member(self, family: Family) -> str:
        """The form of a family's members, f(w_j x + b_j)."""
        parts: list[str] = []
        for variable in family.variables:
            symbol = self._column(family, "w", [atom.arguments[0].terms[variable] for atom in family.atoms])
            parts.append(rf"{symbol} \, {self.piece(variable).text}")
        shifts = [atom.arguments[0].constant for atom in family.atoms]
        if any(shifts):
            parts.append(self._column(family, "b", shifts))
        inside = FormulaPiece(" + ".join(parts), 3, 0)
        return inside.text if family.letter == "z" else compose(family.atoms[0].node, [inside], "latex").text

    # ---- the document

    def document(self) -> str:
        """The whole file."""
        lines, done = list[str](), set[int]()
        for atom in self.order:
            if atom not in self.labels or not atom.arguments:
                continue
            family = self.families.get(atom)
            if family is None:
                lines.append(_broken(f"{self.labels[atom]} &= {self.formula(atom).text}"))
            elif id(family) not in done:
                done.add(id(family))
                lines.append(rf"{family.letter}_{{j}} &= {self._member(family)}, \quad j = 1, \ldots, {len(family.atoms)}")
        for name, place, total in self.outputs:
            lines.append(_broken(f"{self._left(name, place)} &= {self.total(total).text}"))
        body = " \\\\\n".join(lines)
        used = {atom.node.op.name for atom in self.order if atom.arguments}
        where = [rf"Here ${_MEANINGS[name]}$." for name in _MEANINGS if name in used]
        comments = [f"% {line}" for line in self.subject.head]
        tables = [line for family in dict.fromkeys(self.families.values()) for line in _table(family, self.number)]
        whole = [
            r"\begin{align*}",
            body,
            r"\end{align*}",
            *where,
            *self._legend(),
            *tables,
            "",
            self._error(),
            r"\end{document}",
        ]
        return "\n".join([*comments, _HEAD + whole[0], *whole[1:], ""])

    def _left(self, name: str, place: int) -> str:
        called = self.subject.classes if name == "probabilities" else self.subject.portable.targets
        inputs = ", ".join(name for labels in self.names.values() for name in labels[:FEW])
        letter = "p" if name == "probabilities" else "y"
        if called and place < len(called):
            label = _word(called[place])
            return f"{letter}_{{{label}}}" if letter == "p" else label
        return letter if len(self.outputs) == 1 else f"{letter}_{{{place + 1}}}" if inputs else letter

    def _legend(self) -> list[str]:
        features = self.subject.portable.features
        labels = [label for group in self.names.values() for label in group]
        if len(features) != len(labels) or list(features) == labels:
            return []
        return [
            "",
            "Here " + ", ".join(f"${label}$ is ${_word(name)}$" for label, name in zip(labels, features, strict=True)) + ".",
        ]

    def _error(self) -> str:
        return (
            rf"The numbers are rounded to {self.digits} digits. For {self.reach} the formula differs from the network by at most "
            rf"{self._plain(self.off)}; the outputs span {self._plain(self.span)}."
        )


def _word(name: str) -> str:
    """A name of the data's as LaTeX: upright, and as text where it has letters that formulas do not."""
    if re.fullmatch(r"[\w .-]+", name, re.ASCII):
        return name_text(name, "latex")
    drawn = _UNDRAWN.sub(lambda found: f"U+{ord(found[0]):04X}", one_line(name))
    return rf"\text{{{''.join(_MARKS.get(letter, letter) for letter in drawn)}}}"


_BRACKETS = re.compile(r"((?<!\\)[({]|\\begin(?![a-z])|\\left(?![a-z]))|(?<!\\)[)}]|\\end(?![a-z])|\\right(?![a-z])")


def _broken(line: str) -> str:
    """A long line as several, broken before a sign that stands in no brackets."""
    found, depth, start = list[str](), 0, 0
    ends = {found.start(): 1 if found[1] else -1 for found in _BRACKETS.finditer(line)}
    for place in range(len(line)):
        depth += ends.get(place, 0)
        if depth == 0 and place - start > WIDTH and line[place : place + 3] in {" + ", " - "}:
            found.append(line[start:place])
            start = place
    return " \\\\\n&\\quad".join([*found, line[start:]])


def _table(family: Family, number: Callable[[float], str]) -> list[str]:
    """The numbers of a family, a row to each member."""
    heads = " & ".join(f"${symbol}$" for symbol, _ in family.columns)
    lines = ["", rf"\begin{{longtable}}{{r{'r' * len(family.columns)}}}", rf"$j$ & {heads} \\ \hline"]
    rows = [" & ".join(f"${number(values[row])}$" for _, values in family.columns) for row in range(len(family.atoms))]
    return [*lines, *(rf"{place} & {row} \\" for place, row in enumerate(rows, 1)), r"\end{longtable}"]


def _is_share(atom: Atom) -> bool:
    return len(atom.arguments) > 1 and atom.node.op.name == "softmax"


def _atoms(totals: Iterator[Sum]) -> Iterator[Atom]:
    """All quantities, each behind those that it is computed from."""
    seen = set[Atom]()
    stack: list[tuple[Atom, bool]] = [(atom, False) for total in reversed(list(totals)) for atom in reversed(list(total.terms))]
    while stack:
        atom, is_done = stack.pop()
        if is_done:
            yield atom
        elif atom not in seen:
            seen.add(atom)
            stack.append((atom, True))
            stack.extend((inner, False) for item in reversed(atom.arguments) for inner in reversed(list(item.terms)))


def _uses(totals: list[Sum], order: list[Atom]) -> Mapping[Atom, int]:
    """In how many sums each quantity stands."""
    found = dict.fromkeys(order, 0)
    for item in (*totals, *(argument for atom in order for argument in atom.arguments)):
        for atom in item.terms:
            found[atom] += 1
    return found
