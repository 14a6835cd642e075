"""A network as JavaScript: for Node and for a page alike, loops over typed arrays; `node FILE --test` compares."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from chainrule.graph import Array
from chainrule.interop.portable import Portable
from chainrule.interop.written.language import SIGNS, Language, Piece, Row, words_of
from chainrule.interop.written.loops import Functions, functions
from chainrule.interop.written.names import Names
from chainrule.interop.written.subject import Subject, shape_words, wrapped

ARRAYS = {
    "float32": "Float32Array", "float64": "Float64Array", "bool": "Uint8Array", "uint8": "Uint8Array", "int32": "Int32Array",
    "int64": "Float64Array", "uint32": "Uint32Array",
}  # fmt: skip

ERF = """function erf(a) {
    // 2/√π·exp(−a²)·Σ 2ⁿ·a²ⁿ⁺¹/(1·3·…·(2n + 1)): all terms have one sign, so that no digit is lost.
    if (!(Math.abs(a) < 6)) return Number.isNaN(a) ? a : Math.sign(a);
    let term = a, sum = a;
    for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
        term *= 2 * a * a / (2 * n + 1);
        sum += term;
    }
    return 2 / Math.sqrt(Math.PI) * Math.exp(-a * a) * sum;
}"""
SOFTPLUS = """function softplus(a) {
    return a > 0 ? a + Math.log1p(Math.exp(-a)) : Math.log1p(Math.exp(a));
}"""
SQUARE = """function square(a) {
    return a * a;
}"""

ROWS = {
    **SIGNS, "power": Row("Math.pow({0}, {1})"), "maximum": Row("Math.max({0}, {1})"), "minimum": Row("Math.min({0}, {1})"),
    "equal": Row("{0} === {1}", 4), "not_equal": Row("{0} !== {1}", 4), "exp": Row("Math.exp({0})"), "expm1": Row("Math.expm1({0})"),
    "log": Row("Math.log({0})"), "log1p": Row("Math.log1p({0})"), "sqrt": Row("Math.sqrt({0})"), "sin": Row("Math.sin({0})"),
    "cos": Row("Math.cos({0})"), "tanh": Row("Math.tanh({0})"), "sigmoid": Row("1 / (1 + Math.exp(-{0}))", 2, limit=0),
    "softplus": Row("softplus({0})", helper=SOFTPLUS), "relu": Row("Math.max(0, {0})"), "erf": Row("erf({0})", helper=ERF),
    "absolute": Row("Math.abs({0})"), "sign": Row("Math.sign({0})"), "floor": Row("Math.floor({0})"),
    "square": Row("square({0})", helper=SQUARE), "arctan": Row("Math.atan({0})"),
}  # fmt: skip


_WORDS = """
abstract arguments await boolean break byte case catch char class const continue debugger default delete do double else enum
eval export extends false final finally float for function goto if implements import in instanceof int interface let long
native new null package private protected public return short static super switch synchronized this throw throws transient
true try typeof var void volatile while with yield undefined NaN Infinity Math Array Number Object Error module require
process console given network predict classify classes features test examples erf square softplus
"""
WORDS = frozenset(_WORDS.split()) | words_of(ROWS.values())
"""Words of the language and of the file itself, which no variable may be called."""


def number(value: Any, dtype: str) -> str:
    """A number as JavaScript reads it back: of a float32 the digits that a float32 has, which its typed array makes exact."""
    if dtype not in {"float32", "float64"}:
        return str(int(value))
    if np.isnan(value):
        return "NaN"
    if np.isinf(value):
        return "-Infinity" if value < 0 else "Infinity"
    return str(np.float32(value) if dtype == "float32" else float(value)).removesuffix(".0")


def _cast(piece: Piece, source: str, target: str) -> Piece:
    if source == "bool" and target != "bool":
        return Piece(f"Number({piece.text})")
    if target == "bool":
        return Piece(f"{piece.within(3)} !== 0", 4)
    floats = {"float32", "float64"}
    return Piece(f"Math.trunc({piece.text})") if target not in floats and source in floats else piece


def _array(name: str, dtype: str, size: int) -> str:
    return f"const {name} = new {ARRAYS[dtype]}({size});"


JAVASCRIPT = Language(ROWS, "let", dict.fromkeys(ARRAYS, "let"), number, _cast, _array, "// {}".format, nan="NaN")


def write(portable: Portable) -> dict[str, bytes]:
    """The file: constants, predict, classify and test in one object, `network`."""
    subject = Subject(portable, JAVASCRIPT.known)
    found = functions(subject, JAVASCRIPT, Names(WORDS))
    lines = [*_head(subject), '"use strict";', "", "const network = (() => {"]
    for name, (shape, value) in found.constants.items():
        lines += [
            f"    const {name} = new {ARRAYS[value.dtype.name]}([  // {shape_words(shape)}",
            *_numbers(value, 8),
            "    ]);",
        ]
    inner = ["", *(line for helper in found.helpers for line in (*helper.split("\n"), "")), *_predict(subject, found)]
    members = ["predict", "test", "features"]
    inner += ["", f"const features = {_text(list(subject.portable.features))};"]
    if subject.classes is not None:
        members += ["classify", "classes"]
        inner += ["", *_classify(subject, found)]
    inner += ["", *_test(subject, found), "", f"return {{ {', '.join(members)} }};"]
    lines += [f"    {line}" if line else line for line in inner]
    return {".js": "\n".join([*lines, "})();", "", *_FOOT, ""]).encode()}


_FOOT = (
    'if (typeof module !== "undefined") {',
    "    module.exports = network;",
    '    if (require.main === module && process.argv.includes("--test")) {',
    "        const found = network.test();",
    "        console.log(found.text);",
    "        process.exit(found.passed ? 0 : 1);",
    "    }",
    "}",
)


def _head(subject: Subject) -> list[str]:
    said = [
        *subject.head,
        "Written by chainrule; it needs nothing else. In a page <script src=...></script>, in Node const network = require(...);",
        "then network.predict(x). Test: node THIS_FILE --test",
    ]
    return [f"// {line}" for line in said]


def _numbers(value: Array, indent: int) -> list[str]:
    return wrapped((number(item, value.dtype.name) for item in value.reshape(-1)), indent)


def _listed(value: Array, indent: int) -> list[str]:
    """An array as it stands among others: on one line where there is room."""
    found = _numbers(value, indent + 4)
    if len(found) == 1:
        return [f"{' ' * indent}[{found[0].strip().rstrip(',')}],"]
    return [f"{' ' * indent}[", *found, f"{' ' * indent}],"]


def _text(value: object) -> str:
    """A value as JSON that may stand in a page's script too."""
    return json.dumps(value, ensure_ascii=False).replace("</", "<\\/").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _predict(subject: Subject, found: Functions) -> list[str]:
    several = len(found.outputs) > 1
    what = "{ " + ", ".join(found.outputs) + " }, each an array of numbers" if several else "an array of numbers"
    lines = [
        f"// What the network says: {what}. Inputs are numbers row by row, or nested arrays.",
        f"function predict({', '.join(found.inputs)}) {{",
    ]
    for name, node in found.inputs.items():
        size = node.type.size
        lines += [
            f"    if (Array.isArray({name})) {name} = {name}.flat(Infinity);",
            f"    if ({name}.length !== {size}) throw new Error(`{name} has ${{{name}.length}} numbers; expected: {size}`);",
        ]
    lines += [f"    const {name} = new {ARRAYS[node.dtype]}({node.type.size});" for name, node in found.outputs.items()]
    made = [f"Array.from({name})" for name in found.outputs]
    pairs = ", ".join(f"{name}: {value}" for name, value in zip(found.outputs, made, strict=True))
    return [*lines, *found.lines, f"    return {f'{{ {pairs} }}' if several else made[0]};", "}"]


def _classify(subject: Subject, found: Functions) -> list[str]:
    names, index = ", ".join(found.inputs), next(iter(found.outputs))
    chosen = f"predict({names}).{index}" if len(found.outputs) > 1 else f"predict({names})"
    return [
        f"const classes = {_text(list(subject.classes or ()))};", "",
        "// The name of the class" + (" of each example." if subject.size > 1 else "."), f"function classify({names}) {{",
        f"    return {chosen}" + (".map((place) => classes[place]);" if subject.size > 1 else ".map((place) => classes[place])[0];"), "}",
    ]  # fmt: skip


def _test(subject: Subject, found: Functions) -> list[str]:
    """The function that compares with what chainrule says."""
    lines = ["// Compares with what chainrule says of some examples.", "function test() {", "    const examples = ["]
    for given in subject.calls:
        lines += [
            "        [",
            *(line for node in found.inputs.values() for line in _listed(given[node.name], 12)),
            "        ],",
        ]
    lines += ["    ];", "    const wanted = ["]
    for answer in subject.answers:
        lines += _listed(np.concatenate([value.reshape(-1) for value in answer.values()]), 8)
    several = len(found.outputs) > 1
    flat = f"[{', '.join(f'...found.{name}' for name in found.outputs)}]" if several else "found"
    return [
        *lines, "    ];", "    let off = 0;", "    examples.forEach((given, n) => {", "        const found = predict(...given);",
        f"        {flat}.forEach((value, i) => {{", "            const difference = Math.abs(value - wanted[n][i]);",
        "            if (!(difference <= off)) off = difference;", "        });", "    });",
        f"    const text = `{subject.counted}: largest difference ${{off.toPrecision(2)}}, allowed {subject.tolerance:.2g}`;",
        f"    return {{ passed: off <= {subject.tolerance!r}, text }};", "}",
    ]  # fmt: skip
