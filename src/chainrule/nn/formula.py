"""A formula as a layer: text in, nodes out, through a whitelist; nothing in the text is ever run as Python."""

from __future__ import annotations

import ast
import math
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from functools import partial, reduce
from typing import TypeAlias, cast

from chainrule import ops
from chainrule.checks import Extents, unknown
from chainrule.descriptions import described
from chainrule.display import Shown
from chainrule.errors import OptionError, ParseError, ShapeError
from chainrule.graph import Node, Shape, constant
from chainrule.immutable import immutable
from chainrule.nn.activations import ACTIVATIONS
from chainrule.nn.build import Initialiser, layer_scope
from chainrule.nn.checks import LayerName
from chainrule.nn.initialisers import GlorotUniform, Zeros
from chainrule.spelling import suggest

LONGEST = 1000
"""How many characters a formula may have."""
DEEPEST = 60
"""How many levels of brackets and operators a formula may have."""

_HEAD = re.compile(r"\s*\w+\s*\(\s*(?P<variable>\w+)\s*\)\s*=(?!=)(?P<body>.*)")
_FOREIGN = re.compile(r"[^\w\s.,+\-*/^()<>=!@·⋅−≤≥≠²³½√]")
_GLUED = re.compile(r"(?<![\w.])(?>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?=(?P<letter>[^\W\d]))")
# Signs of the printed page and what Python's grammar has for them. The dot is a product of its own: of matrix and vector.
_SIGNS = (("·", "@"), ("⋅", "@"), ("−", "-"), ("^", "**"), ("²", "**2"), ("³", "**3"), ("½", "0.5"),
          ("≤", "<="), ("≥", ">="), ("≠", "!="))  # fmt: skip
_ROOT = re.compile(r"√\s*((?:(?![²³½])[\w.])+|(?=\())")

CONSTANTS = {"pi": math.pi, "π": math.pi, "e": math.e}
"""Numbers with a name."""


def _over_features(reduction: Callable[..., Node]) -> Callable[[Node], Node]:
    """A reduction over the last axis, kept as an axis of 1, so that the result still meets the variable entry by entry."""
    return lambda x: reduction(x, -1, keepdims=True)


FUNCTIONS: dict[str, Callable[[Node], Node]] = {
    **ACTIVATIONS,
    "σ": ops.sigmoid, "abs": ops.absolute, "arctan": ops.arctan, "cos": ops.cos, "erf": ops.erf, "exp": ops.exp, "expm1": ops.expm1,
    "floor": ops.floor, "log": ops.log, "log1p": ops.log1p, "sign": ops.sign, "sin": ops.sin, "sqrt": ops.sqrt,
    "sum": _over_features(ops.sum), "mean": _over_features(ops.mean),
    "max": _over_features(ops.max), "min": _over_features(ops.min),
}  # fmt: skip
"""Functions of one argument by name; sum, mean, max and min go over an example's features."""

ROWWISE = frozenset({"softmax", "sum", "mean", "max", "min"})
"""Functions of one argument that look at all features of an example."""

PAIRS: dict[str, Callable[[Node, Node], Node]] = {"max": ops.maximum, "min": ops.minimum}
"""Functions of two arguments, entry by entry."""

_ARITHMETIC: dict[type[ast.operator], Callable[[Node, Node], Node]] = {
    ast.Add: ops.add, ast.Sub: ops.subtract, ast.Mult: ops.multiply, ast.Div: ops.divide, ast.Pow: ops.power,
}  # fmt: skip
_COMPARISONS: dict[type[ast.cmpop], Callable[[Node, Node], Node]] = {
    ast.Lt: ops.less, ast.LtE: ops.less_equal, ast.Gt: ops.greater, ast.GtE: ops.greater_equal, ast.Eq: ops.equal,
    ast.NotEq: ops.not_equal,
}  # fmt: skip


@described
class Formula(Shown):
    """A formula in one variable as a layer: "almost anything can be called a layer".

    The variable may have any name; `f(i) = ...` in front says which it is. There are + − * / ^, comparisons (1 where they hold,
    0 elsewhere), `x if x > 0 else 0`, numbers, π, e, and the functions of `chainrule.nn.formula.FUNCTIONS`. `functions` gives
    further names to known functions.

    `parameters` maps names to shapes. A dot is the matrix product where a parameter matrix stands beside the variable: in `W·i`
    the matrix has the shape (outputs, inputs) and i is one example's vector, in `i·W` it has (inputs, outputs). A star is the
    product entry by entry. Parameters start by `initialisers`, else matrices by GlorotUniform and the rest at zero.

    Shapes: x (batch, ...) gives (batch, ...). Raises: ParseError for a text that cannot be read, ShapeError when applied to an
    input that does not fit.

    >>> Formula("x * sigmoid(x)")
    Formula('x * sigmoid(x)')
    >>> Formula("pred(i) = α(W·i + b)", {"W": (16, 784), "b": (16,)}, {"α": "sigmoid"}).variable
    'i'
    >>> Formula("x * sigmiod(x)")
    Traceback (most recent call last):
    ...
    chainrule.errors.ParseError: the formula 'x * sigmiod(x)' calls 'sigmiod'
      expected: a known function
      fix: did you mean 'sigmoid'?
    """

    text: str
    parameters: Mapping[str, Extents] = field(default_factory=dict[str, Shape])
    functions: Mapping[str, str] = field(default_factory=dict[str, str])
    initialisers: Mapping[str, Initialiser] = field(default_factory=dict[str, Initialiser])
    name: LayerName = ""

    def __post_init__(self) -> None:
        shapes = {_normal(name): shape for name, shape in self.parameters.items()}
        object.__setattr__(self, "parameters", shapes)
        object.__setattr__(self, "functions", {_normal(name): known for name, known in self.functions.items()})
        object.__setattr__(self, "initialisers", {_normal(name): made for name, made in self.initialisers.items()})
        _require_distinct_names(self)
        _read(self)

    @property
    def variable(self) -> str:
        """The name of the variable: what is put in."""
        return _read(self)[0]

    def __call__(self, x: Node) -> Node:
        """The formula's value for a batch."""
        variable, tree = _read(self)
        with layer_scope(self, "formula", x) as here:
            leaves = {name: here.parameter(name, shape, self.initialiser(name)) for name, shape in self.parameters.items()}
            values = {variable: _Value(x, each=True)} | {name: _Value(leaf, each=False) for name, leaf in leaves.items()}
            out = _Reader(self, values, x.dtype).node(tree).node
            return here.gives(here.label(out, "a"))

    def initialiser(self, name: str) -> Initialiser:
        """What gives the parameter of this name its first values. Raises: OptionError for a name that there is not."""
        if name not in self.parameters:
            raise unknown(f"the parameter {name!r} of a formula", name, self.parameters, none="none: it has no parameters")
        return self.initialisers.get(name) or (GlorotUniform() if len(self.parameters[name]) > 1 else Zeros())


def _normal(name: object) -> str:
    """The name as Python's own grammar writes it (NFKC), so that µ typed in two ways is one letter."""
    if isinstance(name, str) and (normal := unicodedata.normalize("NFKC", name)).isidentifier():
        return normal
    raise OptionError(f"the name {name!r}", expected="a letter, then letters, digits or _", remedy="write for example W, b, α")


def _require_distinct_names(formula: Formula) -> None:
    for name in formula.parameters:
        if name in FUNCTIONS or name in formula.functions:
            raise OptionError(
                f"the parameter {name!r}", expected="a name that no function has", remedy=f"write for example {name}_1"
            )
    for name, known in formula.functions.items():
        if known not in FUNCTIONS:
            remedy = suggest(str(known), FUNCTIONS)
            raise OptionError(f"the function {name} = {known!r}", expected="the name of a known function", remedy=remedy)
    for name in formula.initialisers:
        if name not in formula.parameters:
            remedy = suggest(name, formula.parameters, f'write parameters={{"{name}": (3,)}}')
            raise OptionError(f"an initialiser for {name!r}", expected="the name of a parameter", remedy=remedy)


# ---- from text to tree

Tree: TypeAlias = "ast.expr"


def _read(formula: Formula) -> tuple[str, Tree]:
    """The variable's name, and the tree of the formula, every part of which is on the whitelist."""
    text = formula.text
    _require_readable(text)
    head = _HEAD.fullmatch(" ".join(text.split()))
    body = head["body"] if head else text
    tree = _tree(text, body)
    names = dict.fromkeys(name for part in _parts(formula, tree) if (name := _free_name(part)))
    for name in names:
        if name in FUNCTIONS or name in formula.functions:
            raise _error(
                text, f"names the function {name!r} without calling it", "a function with brackets", f"write {name}(x)"
            )
    free = [name for name in names if name not in formula.parameters and not (head is None and name in CONSTANTS)]
    variable = _headed(text, head["variable"]) if head else _only(formula, free)
    if variable in formula.parameters:
        raise _error(text, f"has {variable!r} as variable and as parameter", "two names", "rename one of them")
    strangers = [name for name in free if name != variable and name not in CONSTANTS]
    if strangers:
        known = [variable, *formula.parameters, *CONSTANTS]
        remedy = suggest(strangers[0], known, f'declare it, parameters={{"{strangers[0]}": (3,)}}')
        raise _error(text, f"has the unknown name {strangers[0]!r}", f"one of {', '.join(known)}", remedy)
    for name in (variable, *formula.parameters):
        if name not in names:
            raise _error(text, f"does not use {name!r}", "variable and parameters to be used", "use it, or leave it out")
    return variable, tree


def _headed(text: str, name: str) -> str:
    try:
        return _normal(name)
    except OptionError as error:
        raise _error(text, f"has {name!r} as variable", error.expected, "write for example f(x) = ...") from None


def _only(formula: Formula, free: list[str]) -> str:
    if len(free) == 1:
        return free[0]
    if not free:
        raise _error(formula.text, "has no variable", "one variable, of any name", "write for example x * sigmoid(x)")
    raise _error(
        formula.text,
        f"has {len(free)} unknown names: {', '.join(free)}",
        "one variable; everything else declared",
        f'write f({free[0]}) = ... in front, and parameters={{"{free[1]}": (3,)}}',
    )


def _free_name(part: ast.AST) -> str:
    return part.id if isinstance(part, ast.Name) else ""


def _error(text: str, happened: str, expected: str, remedy: str) -> ParseError:
    shown = text if len(text) <= 80 else text[:77] + "..."
    return ParseError(f"the formula {shown!r} {happened}", expected=expected, remedy=remedy)


def _require_readable(text: str) -> None:
    if len(text) > LONGEST:
        raise _error(text, f"has {len(text)} characters", f"at most {LONGEST}", "cut it into several layers")
    if foreign := _FOREIGN.search(text):
        raise _error(text, f"holds {foreign[0]!r}", "names, numbers, + - * / ^ · ( ) , and comparisons", "leave it out")
    if glued := _GLUED.search(text):
        raise _error(
            text, f"has {glued[0] + glued['letter']!r}", "an operator after a number", f"write {glued[0]}*{glued['letter']}"
        )


def _tree(text: str, body: str) -> Tree:
    source = _ROOT.sub(lambda found: f"sqrt({found[1]})" if found[1] else "sqrt", body)
    for sign, written in _SIGNS:
        source = source.replace(sign, written)
    try:
        tree = ast.parse(" ".join(source.split()), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = getattr(error, "msg", "it is too complicated")
        raise _error(
            text, f"cannot be read: {reason}", "a formula such as x * sigmoid(x)", "correct the text at this place"
        ) from None
    level: list[ast.AST] = [tree]
    for _ in range(DEEPEST):
        level = [child for parent in level for child in ast.iter_child_nodes(parent)]
    if level:
        raise _error(text, f"has more than {DEEPEST} levels", "fewer brackets", "cut it into several layers")
    return tree


def _parts(formula: Formula, tree: Tree) -> Iterator[ast.AST]:
    """The tree's parts but for called names, each of them on the whitelist."""
    waiting: list[Tree] = [tree]
    while waiting:
        part = waiting.pop(0)
        _require_allowed(formula, part)
        yield part
        waiting = [*_operands(part), *waiting]


def _operands(part: Tree) -> list[Tree]:
    match part:
        case ast.Call(args=items):
            return items
        case ast.BinOp(left=left, right=right):
            return [left, right]
        case ast.UnaryOp(operand=operand):
            return [operand]
        case ast.Compare(left=left, comparators=others):
            return [left, *others]
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return [body, test, orelse]
        case _:
            return []


def _require_allowed(formula: Formula, part: Tree) -> None:
    shown = ast.unparse(part).replace("@", "·").replace("**", "^")
    match part:
        case ast.Name() | ast.BinOp(op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div() | ast.Pow() | ast.MatMult()):
            return
        case ast.UnaryOp(op=ast.USub() | ast.UAdd()) | ast.IfExp(test=ast.Compare()):
            return
        case ast.Constant(value=value) if type(value) in {int, float} and _is_finite(value):
            return
        case ast.Compare(ops=operators) if all(type(operator) in _COMPARISONS for operator in operators):
            return
        case ast.Call(func=ast.Name(id=called), args=arguments, keywords=[]):
            _require_known(formula, called, len(arguments), shown)
        case ast.Attribute() | ast.Call(func=ast.Attribute()):
            raise _error(formula.text, f"reaches inside with a point: {shown}", "names without points", "leave it out")
        case ast.IfExp():
            raise _error(formula.text, f"asks {shown}", "a comparison behind `if`", "write x if x > 0 else 0")
        case _:
            raise _error(formula.text, f"holds {shown}", "sums, products, powers, comparisons, known functions", "leave it out")


def _is_finite(value: object) -> bool:
    try:
        return math.isfinite(float(cast("float", value)))
    except OverflowError:
        return False


def _require_known(formula: Formula, called: str, count: int, shown: str) -> None:
    if called in formula.parameters:
        raise _error(formula.text, f"calls the parameter {called!r}", "an operator between factors", f"write {called}*(...)")
    known = formula.functions.get(called, called)
    if known not in FUNCTIONS:
        # A name of one letter is likelier a forgotten sign of multiplication than a misspelt function.
        otherwise = f"write {called}*(...) for a product" if len(called) == 1 else f"write one of {', '.join(FUNCTIONS)}"
        remedy = suggest(called, [*FUNCTIONS, *formula.functions], otherwise)
        raise _error(formula.text, f"calls {called!r}", "a known function", remedy)
    if count != 1 and not (count == 2 and known in PAIRS):
        raise _error(formula.text, f"gives {count} arguments: {shown}", f"{called}(x)", "give it one")


# ---- from tree to nodes


@immutable
class _Value:
    """A node, and whether its first axis counts the examples (`each`) or it is the same for all of them."""

    node: Node
    each: bool

    @property
    def shape(self) -> Shape:
        """Its shape for one example."""
        return self.node.shape[1:] if self.each else self.node.shape


@immutable
class _Reader:
    """Turns the tree into nodes, given the variable's and the parameters' values."""

    formula: Formula
    values: Mapping[str, _Value]
    dtype: str

    def node(self, part: Tree) -> _Value:
        """The value of a part of the formula."""
        match part:
            case ast.Name(id=name):
                return self.values[name] if name in self.values else self.number(CONSTANTS[name])
            case ast.Constant(value=value):
                return self.number(float(cast("float", value)))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self.apply(ops.negative, self.node(operand))
            case ast.UnaryOp(operand=operand):
                return self.node(operand)
            case ast.BinOp(left=left, op=ast.MatMult(), right=right):
                return self.dot(self.node(left), self.node(right), part)
            case ast.BinOp(left=left, op=operator, right=right):
                return self.apply(_ARITHMETIC[type(operator)], self.node(left), self.node(right))
            case ast.Compare():
                return self.apply(partial(ops.cast, dtype=self.dtype), self.truth(part))
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return self.choice(self.truth(cast("ast.Compare", test)), self.node(body), self.node(orelse))
            case _:
                return self.call(cast("ast.Call", part))

    def number(self, value: float) -> _Value:
        """A number, the same for all examples."""
        return _Value(constant(value, self.dtype), each=False)

    def truth(self, part: ast.Compare) -> _Value:
        """Whether a comparison holds; a < b < c wants both to."""
        terms = [self.node(term) for term in (part.left, *part.comparators)]
        found = [
            self.apply(_COMPARISONS[type(operator)], left, right)
            for operator, left, right in zip(part.ops, terms, terms[1:], strict=False)
        ]
        return reduce(partial(self.apply, ops.logical_and), found)

    def choice(self, truth: _Value, x: _Value, y: _Value) -> _Value:
        """One of two values, by a comparison."""
        return self.apply(ops.where, truth, x, y)

    def call(self, part: ast.Call) -> _Value:
        """A known function's value."""
        called = cast("ast.Name", part.func).id
        known = self.formula.functions.get(called, called)
        arguments = [self.node(argument) for argument in part.args]
        if len(arguments) == 1 and known in ROWWISE and not arguments[0].shape:
            raise self.misfit(f"takes {called} of a single number", f"apply {called} to vectors: examples of shape (features,)")
        return self.apply(PAIRS[known] if len(arguments) == 2 else FUNCTIONS[known], *arguments)

    def apply(self, function: Callable[..., Node], *operands: _Value) -> _Value:
        """The function, entry by entry; what is the same for all examples must fit within one example."""
        each = any(operand.each for operand in operands)
        inner = max((len(operand.shape) for operand in operands if operand.each), default=0)
        if each and any(len(operand.shape) > inner for operand in operands if not operand.each):
            drawn = " and ".join(str(operand.shape) for operand in operands)
            raise self.misfit(f"meets shapes {drawn} in a product, sum or function entry by entry")
        return _Value(function(*(operand.node for operand in operands)), each)

    def dot(self, left: _Value, right: _Value, part: Tree) -> _Value:
        """The product written with a dot: of a matrix where one stands beside a vector, else entry by entry."""
        x, y = left.node, right.node
        matrices = [not value.each and x.type.ndim == 2 for value, x in ((left, x), (right, y))]
        if matrices[0] and right.each:
            return _Value(self.product(y, ops.swap_last(x), part), each=True)
        if left.each and matrices[1]:
            return _Value(self.product(x, y, part), each=True)
        if all(matrices):
            return _Value(x @ y, each=False)
        if left.each != right.each and max(len(v.shape) for v in (left, right) if not v.each) == 1:
            shown = ast.unparse(part).replace("@", "·")
            raise self.misfit(
                f"has {shown}, a product of two vectors", "write * for entry by entry, sum(w * x) for the scalar product"
            )
        return self.apply(ops.multiply, left, right)

    def product(self, rows: Node, matrix: Node, part: Tree) -> Node:
        """Each example's row times the matrix."""
        if rows.type.ndim != 2:
            raise self.misfit(f"was given {rows!r} for {ast.unparse(part).replace('@', '·')}", "put Flatten() before it")
        if rows.shape[1] != matrix.shape[0]:
            raise self.misfit(
                f"has {ast.unparse(part).replace('@', '·')} with examples of {rows.shape[1]} numbers, "
                f"and a matrix that takes {matrix.shape[0]}",
                "give W·i a matrix (outputs, inputs), and i·W one of (inputs, outputs)",
            )
        return rows @ matrix

    def misfit(
        self, happened: str, remedy: str = "write · for a matrix product, and give vectors as many entries as x has"
    ) -> ShapeError:
        """The error of shapes that do not fit."""
        return ShapeError(
            f"the formula {self.formula.text!r} {happened}", expected="shapes that fit for one example", remedy=remedy
        )
