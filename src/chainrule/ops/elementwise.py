"""Ops that work entry by entry: arithmetic, comparison, and the functions of one variable."""

from __future__ import annotations

import math

import numpy as np

from chainrule.checks import checked
from chainrule.errors import DtypeError
from chainrule.graph import Array, Node, Operand, Type, as_nodes, constant
from chainrule.graph.types import DTYPES, FLOATS
from chainrule.ops.declare import Gradients, broadcast_operands, elementwise, op
from chainrule.spelling import suggest

# ---- arithmetic


@elementwise("{0} + {1}", "{0} + {1}", 3, takes="number", rounding="terms", finite_slope=True)
def add(x: Array, y: Array) -> Array:
    """The sum x + y."""
    return np.add(x, y)


@add.vjp
def add_vjp(g: Node, out: Node, x: Node, y: Node) -> Gradients:
    """Both terms get the gradient unchanged."""
    return g, g


@elementwise("{0} − {1}", "{0} - {1}", 3, takes="number", rounding="terms", finite_slope=True)
def subtract(x: Array, y: Array) -> Array:
    """The difference x − y."""
    return np.subtract(x, y)


@subtract.vjp
def subtract_vjp(g: Node, out: Node, x: Node, y: Node) -> Gradients:
    """The gradient, and its negative."""
    return g, negative(g)


@elementwise("{0}·{1}", r"{0} \cdot {1}", 2, takes="number")
def multiply(x: Array, y: Array) -> Array:
    """The product x·y, entry by entry."""
    return np.multiply(x, y)


@multiply.vjp
def multiply_vjp(g: Node, out: Node, x: Node, y: Node) -> Gradients:
    """Each factor gets the gradient times the other factor."""
    return g * y, g * x


@elementwise("{0} / {1}", r"\frac{{{0}}}{{{1}}}", 2)
def divide(x: Array, y: Array) -> Array:
    """The quotient x / y."""
    return np.divide(x, y)


@divide.vjp
def divide_vjp(g: Node, out: Node, x: Node, y: Node) -> Gradients:
    """g/y, and −g·(x/y)/y."""
    return g / y, negative(g * out / y)


@elementwise("−{0}", "-{0}", 3, takes="number", rounding="none", finite_slope=True)
def negative(x: Array) -> Array:
    """The number with the other sign."""
    return np.negative(x)


@negative.vjp
def negative_vjp(g: Node, out: Node, x: Node) -> Gradients:
    """The gradient with the other sign."""
    return (negative(g),)


@elementwise(
    "{0}^{1}",
    "{0}^{{{1}}}",
    1,
    convention="where x = y = 0 the derivative by x is 0; where x = 0 the derivative by y is 0",
)
def power(x: Array, y: Array) -> Array:
    """The power of a base x to an exponent y; NaN where x < 0 and y is not whole. A square is x·x, to the last bit."""
    return np.where(np.equal(y, 2), np.multiply(x, x), np.power(x, y))


@power.vjp
def power_vjp(g: Node, out: Node, x: Node, y: Node) -> Gradients:
    """y·x^(y−1) by the base, log(x)·x^y by the exponent; the conventions keep 0·∞ out."""
    zero_base = equal(x, 0.0)
    # Only there: where y alone is 0 the product is 0 by itself, and its derivative by y, 1/x, must not be lost.
    both_zero = logical_and(zero_base, equal(y, 0.0))
    by_base = y * power(where(both_zero, 1.0, x), y - 1.0)
    by_exponent = log(where(zero_base, 1.0, x)) * where(zero_base, 0.0, out)
    return g * by_base, g * by_exponent


@elementwise(
    "max({0}, {1})", r"\max({0}, {1})", takes="number", convention="where x = y each gets half of the gradient", rounding="none"
)
def maximum(x: Array, y: Array) -> Array:
    """The larger of the two; NaN if either is."""
    return np.maximum(x, y)


@maximum.vjp
def maximum_vjp(g: Node, out: Node, x: Node, y: Node) -> Gradients:
    """All of the gradient to the larger one."""
    return g * _share(x, y), g * _share(y, x)


@elementwise(
    "min({0}, {1})", r"\min({0}, {1})", takes="number", convention="where x = y each gets half of the gradient", rounding="none"
)
def minimum(x: Array, y: Array) -> Array:
    """The smaller of the two; NaN if either is."""
    return np.minimum(x, y)


@minimum.vjp
def minimum_vjp(g: Node, out: Node, x: Node, y: Node) -> Gradients:
    """All of the gradient to the smaller one."""
    return g * _share(y, x), g * _share(x, y)


def _share(x: Node, y: Node) -> Node:
    """1 where x > y, ½ where they are equal, 0 elsewhere."""
    return where(equal(x, y), constant(0.5, x.dtype), cast(greater(x, y), dtype=x.dtype))


# ---- comparison and choice


@elementwise("{0} = {1}", "{0} = {1}", 4, takes="any", gives="bool")
def equal(x: Array, y: Array) -> Array:
    """Whether x and y are the same number."""
    return np.equal(x, y)


@elementwise("{0} ≠ {1}", r"{0} \ne {1}", 4, takes="any", gives="bool")
def not_equal(x: Array, y: Array) -> Array:
    """Whether x and y differ."""
    return np.not_equal(x, y)


@elementwise("{0} < {1}", "{0} < {1}", 4, takes="number", gives="bool")
def less(x: Array, y: Array) -> Array:
    """Whether x is below y."""
    return np.less(x, y)


@elementwise("{0} ≤ {1}", r"{0} \le {1}", 4, takes="number", gives="bool")
def less_equal(x: Array, y: Array) -> Array:
    """Whether x is below y or the same."""
    return np.less_equal(x, y)


@elementwise("{0} > {1}", "{0} > {1}", 4, takes="number", gives="bool")
def greater(x: Array, y: Array) -> Array:
    """Whether x is above y."""
    return np.greater(x, y)


@elementwise("{0} ≥ {1}", r"{0} \ge {1}", 4, takes="number", gives="bool")
def greater_equal(x: Array, y: Array) -> Array:
    """Whether x is above y or the same."""
    return np.greater_equal(x, y)


@elementwise("{0} ∧ {1}", r"{0} \wedge {1}", 4, takes="bool")
def logical_and(x: Array, y: Array) -> Array:
    """Whether both hold."""
    return np.logical_and(x, y)


@elementwise("{0} ∨ {1}", r"{0} \vee {1}", 4, takes="bool")
def logical_or(x: Array, y: Array) -> Array:
    """Whether one of them holds, or both."""
    return np.logical_or(x, y)


@elementwise("¬{0}", r"\neg {0}", 1, takes="bool")
def logical_not(x: Array) -> Array:
    """Whether it does not hold."""
    return np.logical_not(x)


def _select_type(condition: Type, x: Type, y: Type) -> Type:
    if condition.dtype != "bool" or x != y or condition.shape != x.shape:
        raise DtypeError(
            f"where was given {condition!r}, {x!r} and {y!r}",
            expected="a bool condition, and two values of one dtype, all of one shape",
            remedy="make the condition with less, equal, ...; convert values with cast",
        )
    return x


@op(
    _select_type,
    "({1} if {0} else {2})",
    r"\begin{{cases}}{1} & {0}\\ {2} & \text{{else}}\end{{cases}}",
    rounding="none",
    kind="elementwise",
)
def where(condition: Array, x: Array, y: Array) -> Array:
    """Chooses x where the condition holds, y elsewhere; a NaN that is not chosen leaves no trace, in derivatives neither.

    Shapes: condition, x and y of one shape, or broadcast to one as in NumPy; result of that shape. Dtypes: condition bool, x and y of one
    dtype. Raises: ShapeError, DtypeError.
    """
    return np.where(condition, x, y)


@where.vjp
def select_vjp(g: Node, out: Node, condition: Node, x: Node, y: Node) -> Gradients:
    """The gradient goes where the value came from."""
    return None, where(condition, g, 0.0), where(condition, 0.0, g)


def _select_operands(condition: Operand, x: Operand, y: Operand) -> tuple[Node, ...]:
    return broadcast_operands(condition, *as_nodes(x, y))


where.prepare = _select_operands


# ---- conversion


def _cast_type(x: Type, *, dtype: str) -> Type:
    return x.with_dtype(dtype)


@op(
    _cast_type,
    "{0}",
    "{0}",
    convention="from and to whole numbers or bool: no gradient",
    rounding="none",
    finite_slope=True,
    kind="elementwise",
)
def cast(x: Array, *, dtype: str) -> Array:
    """The same numbers as another dtype; towards zero when cut to whole numbers.

    Shapes: x any; result as x. Dtypes: any to any. Raises: DtypeError for a dtype that there is not.
    """
    if dtype not in DTYPES:
        raise DtypeError(f"cast to {dtype!r}", expected=f"one of {', '.join(DTYPES)}", remedy=suggest(dtype, DTYPES))
    # A complex number is the trace of a complex-step derivative, which must pass where a derivative would; so must more digits.
    return x if dtype in FLOATS and (np.iscomplexobj(x) or x.dtype == np.longdouble) else np.real(x).astype(dtype)


@cast.vjp
def cast_vjp(g: Node, out: Node, x: Node, *, dtype: str) -> Gradients:
    """The gradient, converted back."""
    return (cast(g, dtype=x.dtype) if x.type.is_float and out.type.is_float else None,)


def _identity_type(x: Type) -> Type:
    return x


@op(_identity_type, "{0}", "{0}", convention="by definition no gradient", differentiable=False, kind="view")
def stop_gradient(x: Array) -> Array:
    """The numbers themselves, of x's shape and dtype, taken as constants when derivatives are formed."""
    return np.real(x)  # without the trace of a complex-step derivative


# ---- functions of one variable


@elementwise("exp({0})", "e^{{{0}}}", takes="float")
def exp(x: Array) -> Array:
    """The exponential function."""
    return np.exp(x)


@exp.vjp
def exp_vjp(g: Node, out: Node, x: Node) -> Gradients:
    """Exp is its own derivative."""
    return (g * out,)


@elementwise("expm1({0})", "(e^{{{0}}} - 1)")
def expm1(x: Array) -> Array:
    """exp(x) − 1, exact for small x."""
    return np.expm1(x)


@expm1.vjp
def expm1_vjp(g: Node, out: Node, x: Node) -> Gradients:
    """exp(x), which is out + 1."""
    return (g * (out + 1.0),)


@elementwise("log({0})", r"\log({0})")
def log(x: Array) -> Array:
    """The natural logarithm; −∞ at 0, NaN below."""
    return np.log(x)


@log.vjp
def log_vjp(g: Node, out: Node, x: Node) -> Gradients:
    """1/x."""
    return (g / x,)


@elementwise("log1p({0})", r"\log(1 + {0})")
def log1p(x: Array) -> Array:
    """log(1 + x), exact for small x."""
    return np.log1p(x)


@log1p.vjp
def log1p_vjp(g: Node, out: Node, x: Node) -> Gradients:
    """1/(1 + x)."""
    return (g / (x + 1.0),)


@elementwise("√{0}", r"\sqrt{{{0}}}", 1, convention="at 0 the derivative is +∞")
def sqrt(x: Array) -> Array:
    """The square root; NaN below 0."""
    return np.sqrt(x)


@sqrt.vjp
def sqrt_vjp(g: Node, out: Node, x: Node) -> Gradients:
    """1/(2·√x)."""
    return (g * 0.5 / out,)


@elementwise("sin({0})", r"\sin({0})", is_activation=True)
def sin(x: Array) -> Array:
    """The sine of an angle in radians."""
    return np.sin(x)


@sin.vjp
def sin_vjp(g: Node, out: Node, x: Node) -> Gradients:
    """The cosine."""
    return (g * cos(x),)


@elementwise("cos({0})", r"\cos({0})", is_activation=True)
def cos(x: Array) -> Array:
    """The cosine of an angle in radians."""
    return np.cos(x)


@cos.vjp
def cos_vjp(g: Node, out: Node, x: Node) -> Gradients:
    """The negative sine."""
    return (negative(g * sin(x)),)


@elementwise("tanh({0})", r"\tanh({0})", finite_slope=True, is_activation=True)
def tanh(x: Array) -> Array:
    """The hyperbolic tangent."""
    return np.tanh(x)


@tanh.vjp
def tanh_vjp(g: Node, out: Node, x: Node) -> Gradients:
    """1 − tanh²."""
    return (g * (1.0 - out * out),)


@elementwise("σ({0})", r"\sigma({0})", finite_slope=True, is_activation=True)
def sigmoid(x: Array) -> Array:
    """The logistic function 1/(1 + exp(−x)), between 0 and 1."""
    # Where exp(-x) overflows to infinity, 1/(1 + inf) = 0 is the right limit; everywhere else all digits are good.
    # The 1 has the input's dtype: NumPy 1 would make the sum of a plain 1.0 and a single float32 a float64.
    return np.reciprocal(x.dtype.type(1) + np.exp(-x))


@sigmoid.vjp
def sigmoid_vjp(g: Node, out: Node, x: Node) -> Gradients:
    """σ·(1 − σ), at most ¼."""
    return (g * (out * (1.0 - out)),)


@elementwise("log(1 + exp({0}))", r"\log(1 + e^{{{0}}})", finite_slope=True, is_activation=True)
def softplus(x: Array) -> Array:
    """log(1 + exp(x)) without overflow: a smooth ReLU."""
    return np.log1p(np.exp(x)) if np.iscomplexobj(x) else np.logaddexp(x, x.dtype.type(0))


@softplus.vjp
def softplus_vjp(g: Node, out: Node, x: Node) -> Gradients:
    """The logistic function."""
    return (g * sigmoid(x),)


@elementwise(
    "ReLU({0})",
    r"\operatorname{{ReLU}}({0})",
    convention="at 0 the derivative is 0",
    rounding="none",
    finite_slope=True,
    is_activation=True,
)
def relu(x: Array) -> Array:
    """max(0, x), the rectified linear unit; NaN stays NaN."""
    return np.where(np.real(x) > 0, x, 0) if np.iscomplexobj(x) else np.maximum(x, x.dtype.type(0))


@relu.vjp
def relu_vjp(g: Node, out: Node, x: Node) -> Gradients:
    """The gradient passes where x > 0."""
    return (where(greater(x, 0.0), g, 0.0),)


_erf = np.frompyfunc(math.erf, 1, 1)


@elementwise("erf({0})", r"\operatorname{{erf}}({0})", is_activation=True)
def erf(x: Array) -> Array:
    """The error function 2/√π·∫₀ˣ exp(−t²) dt, by the C library's own."""
    return np.asarray(_erf(x)).astype(x.dtype)


@erf.vjp
def erf_vjp(g: Node, out: Node, x: Node) -> Gradients:
    """2/√π·exp(−x²)."""
    return (g * (2.0 / math.sqrt(math.pi)) * exp(negative(x * x)),)


@elementwise(
    "|{0}|", r"\left|{0}\right|", takes="number", convention="at 0 the derivative is 0", rounding="none", finite_slope=True
)
def absolute(x: Array) -> Array:
    """The size of a number."""
    return np.where(np.real(x) < 0, -x, x) if np.iscomplexobj(x) else np.abs(x)


@absolute.vjp
def absolute_vjp(g: Node, out: Node, x: Node) -> Gradients:
    """The sign."""
    return (g * sign(x),)


@elementwise(
    "sign({0})",
    r"\operatorname{{sign}}({0})",
    takes="number",
    convention="no gradient: 0 almost everywhere",
    differentiable=False,
    rounding="none",
)
def sign(x: Array) -> Array:
    """−1, 0 or 1."""
    return np.sign(np.real(x))


@elementwise("⌊{0}⌋", r"\lfloor {0} \rfloor", convention="no gradient: 0 almost everywhere", differentiable=False)
def floor(x: Array) -> Array:
    """The largest whole number not above x."""
    return np.floor(np.real(x))


@checked
def heaviside(x: Node) -> Node:
    """1 where x > 0, else 0: the perceptron's step, of x's shape and dtype. No gradient passes."""
    return cast(greater(x, 0.0), dtype=x.dtype)
