"""Reads a LaTeX formula and computes it: sums, fractions, functions, Σ over the rows of a table; knows nothing of what wrote it."""

import math
import re

TOKEN = re.compile(r"\\(?:[a-zA-Z]+|[,;!{}_%&#$\s])|\d+\.?\d*|[a-zA-Z]|\S")
FUNCTIONS = {
    "tanh": math.tanh, "sin": math.sin, "cos": math.cos, "log": math.log, "sigma": lambda z: 1 / (1 + math.exp(-z)), "arctan": math.atan,
    "ReLU": lambda z: max(0.0, z), "erf": math.erf,
}  # fmt: skip


def document(text):
    """The equations, by what stands left of their =, and the columns of the tables by their heads."""
    body = re.search(r"\\begin\{align\*\}\n(.*?)\n\\end\{align\*\}", text, re.DOTALL)[1].replace(" \\\\\n&\\quad", "")
    equations = dict(line.split(" &= ") for line in body.split(" \\\\\n"))
    columns = {}
    for table in re.findall(r"\\begin\{longtable\}.*?\n(.*?)\\end\{longtable\}", text, re.DOTALL):
        head, *rows = [line.removesuffix(r" \\").removesuffix(r" \\ \hline").split(" & ") for line in table.strip().split("\n")]
        for place, symbol in enumerate(head[1:], 1):
            columns[spelled(symbol.strip("$"))] = [Formula(row[place].strip("$"), {}, {}).value() for row in rows]
    return equations, columns


def computed(text, inputs):
    """The value of each left side; inputs by their symbols."""
    equations, columns = document(text)
    known = {spelled(name): float(value) for name, value in inputs.items()}
    for left, right in equations.items():
        right, family, count = right.partition(r", \quad j = 1, \ldots, ")
        if family:
            for j in range(1, int(count) + 1):
                known[spelled(left.replace("{j}", f"{{{j}}}"))] = Formula(right, known, columns, {"j": j}).value()
        else:
            known[spelled(left)] = Formula(right, known, columns).value()
    return known


def spelled(symbol):
    return re.sub(r"\s", "", symbol)


class Formula:
    """A recursive descent through the formula's tokens."""

    def __init__(self, text, known, columns, indices=None):
        self.tokens, self.at = [t for t in TOKEN.findall(text) if t not in (r"\,", r"\quad", "&")], 0
        self.known, self.columns, self.indices = known, columns, dict(indices or {})

    def value(self):
        found = self.total()
        assert self.at == len(self.tokens), f"left over: {self.tokens[self.at :]}"
        return found

    @property
    def next(self):
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, wanted=None):
        token = self.next
        assert wanted is None or token == wanted, f"{wanted} expected, {token} found"
        self.at += 1
        return token

    def total(self):
        found = -self.product() if self.next == "-" and self.take() else self.product()
        while self.next in {"+", "-"}:
            found = found + self.product() if self.take() == "+" else found - self.product()
        return found

    def product(self):
        found = self.power()
        while self.next and self.next not in {"+", "-", ")", "}", "|", r"\right", ",", "&"}:
            if self.next in {r"\times", r"\cdot"}:
                self.take()
            found *= self.power()
        return found

    def power(self):
        base = self.single()
        if self.next == "^":
            self.take()
            base = base ** (self.group() if self.next == "{" else float(self.take()))
        return base

    def group(self):
        self.take("{")
        found = self.total()
        self.take("}")
        return found

    def raw(self):
        self.take("{")
        found, depth = "", 1
        while True:
            token = self.take()
            depth += (token == "{") - (token == "}")
            if not depth:
                return found
            found += token

    def single(self):
        token = self.take()
        if token[0].isdigit():
            return float(token)
        if token == "(":
            found = self.total()
            self.take(")")
            return found
        if token == r"\left":
            self.take("(")
            found = self.total()
            self.take(r"\right")
            self.take(")")
            return found
        if token == r"\frac":
            return self.group() / self.group()
        if token == r"\sqrt":
            return math.sqrt(self.group())
        if token == r"\sum":
            return self.series()
        if token == "e" and self.next == "^":
            self.take()
            return math.exp(self.group())
        if token in {r"\operatorname", r"\mathrm"}:
            return self.named(self.raw(), token)
        return self.named(token.lstrip("\\"), token)

    def named(self, name, token):
        if name in FUNCTIONS and self.next == "(":
            self.take("(")
            found = self.total()
            self.take(")")
            return FUNCTIONS[name](found)
        symbol, index = (
            token if len(token) == 1 else f"{token}{{{name}}}" if token in {r"\mathrm", r"\operatorname"} else token,
            None,
        )
        if self.next == "^" and self.tokens[self.at + 1] == "{" and not self.tokens[self.at + 2][0].isdigit():
            self.take()
            symbol += f"^{{{self.raw()}}}"
        if self.next == "_":
            self.take()
            index = self.raw()
            symbol += f"_{{{index}}}"
        if symbol in self.columns:
            return self.columns[symbol][self.indices["j"] - 1]
        for letter, value in self.indices.items():
            symbol = re.sub(rf"\{{{letter}\}}", f"{{{value}}}", symbol)
        return self.known[symbol]

    def series(self):
        self.take("_")
        letter, _, first = self.raw().partition("=")
        self.take("^")
        last, start, total = int(self.raw()), self.at, 0.0
        for value in range(int(first), last + 1):
            self.at, self.indices[letter] = start, value
            total += self.product()
        del self.indices[letter]
        return total
