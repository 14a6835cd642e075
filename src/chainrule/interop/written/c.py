"""A network as C99: constant arrays, loops, no memory that is asked for; with -DTEST a program that tests itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.graph import Array
from chainrule.interop.portable import Portable
from chainrule.interop.written.language import SIGNS, Language, Piece, Row, words_of
from chainrule.interop.written.loops import Functions, functions
from chainrule.interop.written.names import Names
from chainrule.interop.written.subject import Subject, shape_words, wrapped

TYPES = {
    "float32": "float", "float64": "double", "bool": "unsigned char", "uint8": "unsigned char", "int32": "int32_t",
    "int64": "int64_t", "uint32": "uint32_t",
}  # fmt: skip
LARGE = 16_384
"""From how many numbers on a function keeps its arrays outside the stack."""

LARGER = """static {type} larger{f}({type} a, {type} b) {
    return a > b || isnan(a) ? a : b;
}"""
SMALLER = """static {type} smaller{f}({type} a, {type} b) {
    return a < b || isnan(a) ? a : b;
}"""
SIGN = """static {type} sign{f}({type} a) {
    return a > 0 ? 1 : a < 0 ? -1 : a;
}"""
SOFTPLUS = """static {type} softplus{f}({type} a) {
    return a > 0 ? a + log1p{f}(exp{f}(-a)) : log1p{f}(exp{f}(a));
}"""
SQUARE = """static {type} square{f}({type} a) {
    return a * a;
}"""
RELU = """static {type} relu{f}({type} a) {
    return a < 0 ? 0 : a;
}"""


ROWS = {
    **SIGNS, "power": Row("pow{f}({0}, {1})"), "maximum": Row("larger{f}({0}, {1})", helper=LARGER),
    "minimum": Row("smaller{f}({0}, {1})", helper=SMALLER), "equal": Row("{0} == {1}", 4), "not_equal": Row("{0} != {1}", 4),
    "exp": Row("exp{f}({0})"), "expm1": Row("expm1{f}({0})"), "log": Row("log{f}({0})"), "log1p": Row("log1p{f}({0})"),
    "sqrt": Row("sqrt{f}({0})"), "sin": Row("sin{f}({0})"), "cos": Row("cos{f}({0})"), "tanh": Row("tanh{f}({0})"),
    "sigmoid": Row("1 / (1 + exp{f}(-{0}))", 2, limit=0), "softplus": Row("softplus{f}({0})", helper=SOFTPLUS),
    "relu": Row("relu{f}({0})", helper=RELU), "erf": Row("erf{f}({0})"), "absolute": Row("fabs{f}({0})"), "floor": Row("floor{f}({0})"),
    "sign": Row("sign{f}({0})", helper=SIGN), "square": Row("square{f}({0})", helper=SQUARE), "arctan": Row("atan{f}({0})"),
}  # fmt: skip


_WORDS = """
auto break case char const continue default do double else enum extern float for goto if inline int long register restrict
return short signed sizeof static struct switch typedef union unsigned void volatile while main predict NAN INFINITY CLASSES
TEST off test difference exp log tanh sin cos sqrt erf pow floor fabs j0 j1 jn y0 y1 yn gamma lgamma tgamma signgam div
remainder index time stdin stdout stderr near round
"""
WORDS = frozenset(_WORDS.split()) | words_of(ROWS.values())
"""Words of the language, of its headers and of the file itself, which no variable may be called."""


def number(value: Any, dtype: str) -> str:
    """A number as C reads it back to the last bit."""
    if dtype not in {"float32", "float64"}:
        return str(int(value))
    if np.isnan(value):
        return "NAN"
    if np.isinf(value):
        return "-INFINITY" if value < 0 else "INFINITY"
    text = str(np.float32(value) if dtype == "float32" else float(value))
    return (text if "." in text or "e" in text else f"{text}.0") + ("f" if dtype == "float32" else "")


def _cast(piece: Piece, source: str, target: str) -> Piece:
    if source == target:
        return piece
    if target == "bool":
        return Piece(f"{piece.within(3)} != 0", 4)
    return Piece(f"({TYPES[target]}) {piece.within(1)}", 1)


def _array(name: str, dtype: str, size: int) -> str:
    return f"{TYPES[dtype]} {name}[{size}];"


def _static_array(name: str, dtype: str, size: int) -> str:
    return f"static {_array(name, dtype, size)}"


C = Language(ROWS, "int", TYPES, number, _cast, _array, lambda text: f"/* {_plain(text)} */", {"float32": "f"})


def write(portable: Portable) -> dict[str, bytes]:
    """The file: what it is, its constants, predict, and behind -DTEST a program that compares."""
    subject = Subject(portable, C.known)
    names = Names(WORDS, ascii_only=True)
    found = functions(subject, C, names)
    if found.numbers > LARGE:
        names = Names(WORDS, ascii_only=True)
        found = functions(subject, replace(C, array=_static_array), names)
    lines = [*_head(subject, reentrant=found.numbers <= LARGE), "", "#include <math.h>", "#include <stdint.h>", ""]
    if subject.classes is not None:
        array = f"const char *const CLASSES[{len(subject.classes)}]"
        lines += ["/* The names of the classes. */", f"{array} = {{", *wrapped(map(_string, subject.classes), 4), "};", ""]
    for name, (shape, value) in found.constants.items():
        lines += [C.comment(f"{name}: {shape_words(shape)}"), *_table(name, value, 0), ""]
    lines += [line for helper in found.helpers for line in (helper, "")]
    given = [f"const {TYPES[node.dtype]} {name}[{node.type.size}]" for name, node in found.inputs.items()]
    made = [f"{TYPES[node.dtype]} {name}[{node.type.size}]" for name, node in found.outputs.items()]
    lines += [f"void predict({', '.join([*given, *made])}) {{", *found.lines, "}", "", *_test(subject, found), ""]
    return {".c": "\n".join(lines).encode("ascii")}


def _head(subject: Subject, *, reentrant: bool) -> list[str]:
    threads = [] if reentrant else ["Its arrays are kept between calls: one call at a time."]
    said = [
        *subject.head,
        *threads,
        "Written by chainrule; it needs a C99 compiler and nothing else. Test:",
        "cc -std=c99 -DTEST THIS_FILE -lm -o test && ./test",
    ]
    lines = [f"{'/*' if not place else '  '} {_plain(line)}" for place, line in enumerate(said)]
    return [*lines[:-1], f"{lines[-1]} */"]


def _plain(text: str) -> str:
    """A text that may stand in a comment: ASCII, and it does not end it."""
    return text.replace("*/", "* /").replace("/*", "/ *").replace("×", "x").encode("ascii", "backslashreplace").decode()


def _table(name: str, value: Array, indent: int) -> list[str]:
    """A constant array."""
    before, dtype = " " * indent, value.dtype.name
    texts = (number(item, dtype) for item in value.reshape(-1))
    return [f"{before}static const {TYPES[dtype]} {name}[{value.size}] = {{", *wrapped(texts, indent + 4), f"{before}}};"]


def _string(text: str) -> str:
    """A text as C reads it: what is not ASCII by its bytes in UTF-8."""
    plain = "".join(chr(b) if 32 <= b < 127 and chr(b) not in '"\\?' else f"\\{b:03o}" for b in text.encode())
    return f'"{plain}"'


def _test(subject: Subject, found: Functions) -> list[str]:
    """A main that goes through the examples."""
    times = len(subject.calls)
    lines = ["#ifdef TEST", "#include <stdio.h>", "", "/* Examples, and what chainrule says of them. */", "int main(void) {"]
    for name, node in found.inputs.items():
        lines += _table(f"{name}_given", np.stack([given[node.name] for given in subject.calls]), 4)
    for name, asked in zip(found.outputs, subject.graph.outputs, strict=True):
        lines += _table(f"{name}_wanted", np.stack([answer[asked] for answer in subject.answers]), 4)
    lines += [f"    {TYPES[node.dtype]} {name}[{node.type.size}];" for name, node in found.outputs.items()]
    arguments = [*(f"{name}_given + {node.type.size} * test" for name, node in found.inputs.items()), *found.outputs]
    lines += [
        "    double off = 0;",
        f"    for (int test = 0; test < {times}; test++) {{",
        f"        predict({', '.join(arguments)});",
    ]
    for name, node in found.outputs.items():
        size = node.type.size
        lines += [
            f"        for (int i = 0; i < {size}; i++) {{",
            f"            double difference = fabs((double) {name}[i] - (double) {name}_wanted[{size} * test + i]);",
            "            if (!(difference <= off)) off = difference;", "        }",
        ]  # fmt: skip
    return [
        *lines, "    }",
        f'    printf("{subject.counted}: largest difference %.2g, allowed {subject.tolerance:.2g}\\n", off);',
        f"    return !(off <= {subject.tolerance!r});", "}", "#endif",
    ]  # fmt: skip
