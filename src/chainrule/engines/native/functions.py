"""exp, log, tanh and the other functions of one variable, written as straight vector code: the same steps for every lane.

Each splits its argument so that a short polynomial does the rest, and joins the parts without a branch; a vector of any width
and a single number get the same bits. The polynomials are minimax fits, made with mpmath at 200 bits: Lawson's reweighted least
squares for the largest error relative to the function, then the coefficients rounded one by one from the lowest power up, the
others fitted anew after each. What is out of reach (angles beyond 2²⁰, powers) is left to the C library, lane by lane.

`ULP` bounds the errors; tests/engines/native/test_functions.py measures them against mpmath.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chainrule.engines.native.builder import LlvmFunction, Value, bytes_of

_NAMES = ("expm1", "log1p", "sin", "cos", "tanh", "sigmoid", "softplus", "erf")
_ONE = {"float": 1.0, "double": 1.0}
ULP = {name: {"float": 2.0, "double": 2.0} for name in _NAMES} | {"exp": _ONE | {"double": 1.05}, "log": _ONE, "power": _ONE}
"""The largest error of each function by element, in units of the result's last place (of the smallest number, if denormal)."""


@dataclass(frozen=True, slots=True)
class _Format:
    """What differs between float and double: the layout of the bits, where functions reach their limits, and the polynomials."""

    integer: str
    fraction: int  # bits behind the point
    bias: int  # the exponent's bits of the number 1
    root_half: int  # the bits of √½
    largest: float
    exp_overflow: float  # the last number whose exp is finite
    exp_range: tuple[float, float]  # exp is 0 below, ∞ above
    saturated: float  # from here on expm1(−x) is −1 and 1 + exp(−x) is 1; tanh is 1 from half of it on
    erf_saturated: float  # from here on erf is 1
    ln2: tuple[float, float]  # its sum is log 2, in twice the digits
    half_pi: tuple[float, float, float]
    exp: tuple[float, ...]  # exp(r) ≈ 1 + r + r²·p(r), |r| ≤ ½·log 2
    log: tuple[float, ...]  # log(1 + r) ≈ r − r²/2 + r³·p(r), √½ ≤ 1 + r ≤ √2; none: the next one serves
    atanh: tuple[float, ...]  # 2·atanh(s) ≈ 2·s + s³·p(s²), s = r/(2 + r)
    sin: tuple[float, ...]  # sin(r) ≈ r + r³·p(r²), |r| ≤ 0.82
    cos: tuple[float, ...]  # cos(r) ≈ 1 − r²/2 + r⁴·p(r²)
    erf: tuple[float, ...]  # erf(x) ≈ x + x·p(x²), |x| ≤ 0.9
    erfc: tuple[float, ...]  # 1 − erf(x) ≈ exp(−x²)·p(1/(x + erfc_pole)), x ≥ 0.9
    erfc_pole: float


_FLOAT = _Format(
    integer="i32", fraction=23, bias=127, root_half=0x3F3504F3,
    largest=3.4028234663852886e38, exp_overflow=88.72283935546875, exp_range=(-104.0, 89.0), saturated=20.0, erf_saturated=4.0,
    ln2=(0.6931471824645996, -1.9046542121259336e-09),
    half_pi=(1.5707963705062866, -4.371138828673793e-08, -1.7151245100058819e-15),
    exp=(0.5, 0.16666666, 0.041666463, 0.008333571, 0.0013935091, 0.00019739459),
    log=(0.3333333, -0.25000823, 0.20001249, -0.16623323, 0.1420133, -0.13160117, 0.12764244, -0.07637792),
    atanh=(),
    sin=(-0.16666651, 0.008331927, -0.00019484546),
    cos=(0.041666638, -0.0013886959, 2.4393652e-05),
    erf=(0.12837915, -0.37612516, 0.112820804, -0.026777007, 0.005009395, -0.0006077929),
    erfc=(-0.0020734856, 0.6052782, 0.5269179, 2.197657, -1.4613723),
    erfc_pole=1.5,
)  # fmt: skip
_DOUBLE = _Format(
    integer="i64", fraction=52, bias=1023, root_half=0x3FE6A09E667F3BCD,
    largest=1.7976931348623157e308, exp_overflow=709.782712893384, exp_range=(-746.0, 710.0), saturated=40.0, erf_saturated=6.0,
    ln2=(0.6931471805599453, 2.3190468138462996e-17),
    half_pi=(1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33),
    exp=(0.5, 0.1666666666666668, 0.041666666666666415, 0.008333333333319249, 0.001388888888903255, 0.0001984126989191754,
         2.480158702517058e-05, 2.755723863120554e-06, 2.755752752895761e-07, 2.511089856466605e-08, 2.0837855759505134e-09),
    log=(),
    atanh=(0.6666666666666735, 0.39999999999409636, 0.2857142874356954, 0.2222219844543578, 0.1818357130417626,
         0.15313863433856, 0.1479790635327155),
    sin=(-0.16666666666666607, 0.008333333333316244, -0.00019841269824876718, 2.7557311993780345e-06,
         -2.505049515562923e-08, 1.5881759233042245e-10),
    cos=(0.04166666666666654, -0.0013888888888864024, 2.480158728334742e-05, -2.755731262725805e-07, 2.0875494917434137e-09,
         -1.1348129625094662e-11),
    erf=(0.1283791670955126, -0.37612638903183865, 0.1128379167095798, -0.026866170645427102, 0.005223977626624388,
         -0.0008548327003790417, 0.00012055328978400473, -1.4925465864753682e-05, 1.6457483739762942e-06,
         -1.6294967371681303e-07, 1.4141527354011779e-08, -8.685343527209352e-10),
    erfc=(-6.915791579761687e-07, 0.5642674894677095, 1.1255282128999318, 2.030351731069453, 2.132960582152621,
         8.491110893908061, -35.095561210705014, 142.20713189294668, -467.15860519559294, 923.7060914791635,
         -1075.1459873875178, 696.4420213212036, -196.52315199963203),
    erfc_pole=2.0,
)  # fmt: skip


# ---- exponential functions


def exp(f: LlvmFunction, x: Value) -> Value:
    """The exponential function, to 1 ulp (double: 1.05): x = n·log 2 + r, eʳ by a polynomial, and 2ⁿ put together from exponent bits."""
    form = _format(x)
    low, high = form.exp_range
    x = _at_most(f, _at_least(f, x, low), high)
    shifted, rest = _split_exp(f, x, *form.ln2)
    # 2ⁿ in two factors, which together reach from the denormal numbers to infinity; only the last product is rounded there.
    half = (form.bias + 1) // 2
    small = f.compare("olt", x, f.like(x, 0.0))
    offset = f.select(small, _whole(f, x, half << form.fraction), _whole(f, x, -half << form.fraction))
    scale = _float(f, f.binary("add", _exponent(f, shifted), offset), x.element)
    return _mul(f, f.fma(scale, _grown(f, rest), scale), f.select(small, f.like(x, 2.0**-half), f.like(x, 2.0**half)))


def expm1(f: LlvmFunction, x: Value) -> Value:
    """exp(x) − 1, to 2 ulp: as exp, but 2ⁿ·(exp(r) − 1) is added to 2ⁿ − 1, which loses no digits."""
    form = _format(x)
    clamped = _at_most(f, _at_least(f, x, -form.saturated), form.exp_range[1])
    shifted, rest = _split_exp(f, clamped, *form.ln2)
    scale = _half_power(f, shifted)
    halved = _scaled_exp(f, rest, scale, _add(f, scale, f.like(x, -0.5)), form.exp)
    return f.select(_tiny(f, x), x, _add(f, halved, halved))  # the halves of denormal numbers would lose their last bit


def tanh(f: LlvmFunction, x: Value) -> Value:
    """The hyperbolic tangent, to 2 ulp: h/(1 + h) where h = ½·(exp(2·|x|) − 1), found as in expm1; one division."""
    form = _format(x)
    size = _at_most(f, f.intrinsic("fabs", x), form.saturated / 2)
    # |x| = n·(½·log 2) + r; the second part of log 2 would not show: where n is large, tanh is flat.
    shifted, rest = _split_exp(f, size, form.ln2[0] / 2)
    scale = _float(f, _exponent(f, shifted), x.element)
    doubled = [c * 2.0 ** (k + 1) for k, c in enumerate(form.exp)]  # ½·(exp(2·r) − 1) = r + r²·p(r), too
    h = _scaled_exp(f, rest, scale, f.fma(scale, f.like(x, 0.5), f.like(x, -0.5)), doubled)
    quotient = f.binary("fdiv", h, _add(f, h, f.like(x, 1.0)))
    # h − h·quotient is the same number; where h is small the quotient's rounding errors are made small with it.
    refined = f.fma(f.negate(h), quotient, h)
    return f.intrinsic("copysign", f.select(f.compare("olt", h, f.like(x, 0.5)), refined, quotient), x)


def sigmoid(f: LlvmFunction, x: Value) -> Value:
    """1/(1 + exp(−x)), to 2 ulp, the larger part of exp(−x) added last; 0 where exp(−x) overflows, as in the op."""
    form = _format(x)
    opposite = _at_most(f, _at_least(f, f.negate(x), -2.0 * form.saturated), form.exp_range[1])
    shifted, rest = _split_exp(f, opposite, *form.ln2)
    scale = _half_power(f, shifted)
    halved = _add(f, f.fma(scale, _grown(f, rest), f.like(x, 0.5)), scale)
    quotient = f.binary("fdiv", f.like(x, 0.5), halved)
    return f.select(f.compare("olt", x, f.like(x, -form.exp_overflow)), f.like(x, 0.0), quotient)


def softplus(f: LlvmFunction, x: Value) -> Value:
    """log(1 + exp(x)), to 2 ulp: max(x, 0) + log(1 + exp(−|x|)), by the parts of exp and log."""
    grown = exp(f, f.negate(f.intrinsic("fabs", x)))  # at most 1, so that log 2 comes in once or not at all
    large = f.compare("ogt", grown, f.like(x, 2.0**0.5 - 1.0))
    reduced = f.select(large, f.fma(grown, f.like(x, 0.5), f.like(x, -0.5)), grown)
    count = f.select(large, f.like(x, 1.0), f.like(x, 0.0))
    return _add(f, _log_sum(f, reduced, count, count), _at_least(f, x, 0.0))


# ---- logarithms


def log(f: LlvmFunction, x: Value) -> Value:
    """The natural logarithm, to 1 ulp: of 2ᵏ·(1 + r), √½ ≤ 1 + r ≤ √2, k·log 2 + r − r²/2 + ..., added from the small end."""
    form = _format(x)
    denormal = f.compare("olt", x, f.like(x, 2.0 ** (1 - form.bias)))
    lifted = f.select(denormal, _mul(f, x, f.like(x, 2.0**64)), x)
    bits = _split_log(f, lifted)
    count = _count(f, bits, f.select(denormal, f.like(x, _large(form) + 64.0), f.like(x, _large(form))))
    fraction = f.binary("and", bits, _whole(f, x, (1 << form.fraction) - 1))
    mantissa = _float(f, f.binary("add", fraction, _whole(f, x, form.root_half)), x.element)
    return _log_sum(f, _add(f, mantissa, f.like(x, -1.0)), count, _log_limits(f, x, x, count))


def log1p(f: LlvmFunction, x: Value) -> Value:
    """log(1 + x), to 2 ulp: as log, with k from 1 + x, but r = 2⁻ᵏ·x + (2⁻ᵏ − 1), rounded only once."""
    form = _format(x)
    finite = _at_most(f, x, form.largest)
    total = _add(f, finite, f.like(x, 1.0))
    bits = _split_log(f, total)
    count = _count(f, bits, f.like(x, _large(form)))
    exponent = f.binary("and", bits, _whole(f, x, -1 << form.fraction))
    scale = _float(f, f.binary("sub", _whole(f, x, (2 * form.bias + 2) << form.fraction), exponent), x.element)
    quarter = f.like(x, 0.25)  # the scale is 2²⁻ᵏ: 2⁻ᵏ itself could be denormal
    reduced = f.fma(_mul(f, finite, quarter), scale, f.fma(scale, quarter, f.like(x, -1.0)))
    return f.select(_tiny(f, x), x, _log_sum(f, reduced, count, _log_limits(f, x, total, count)))


# ---- others


def sin(f: LlvmFunction, x: Value) -> Value:
    """The sine, to 2 ulp: x less quarter turns, with π/2 in three parts; the C library's in lanes beyond |x| = 2²⁰."""
    return f.select(f.compare("oeq", x, f.like(x, 0.0)), x, _circular(f, x, "sin"))  # −0 stays −0


def cos(f: LlvmFunction, x: Value) -> Value:
    """The cosine, to 2 ulp: the sine, a quarter turn further."""
    return _circular(f, x, "cos")


def erf(f: LlvmFunction, x: Value) -> Value:
    """The error function, to 2 ulp: x times a polynomial of x² up to |x| = 0.9, then 1 − exp(−x²)·p(1/(|x| + c))."""
    form = _format(x)
    one = f.like(x, 1.0)
    near = f.fma(x, _polynomial(f, _mul(f, x, x), form.erf), x)
    size = _at_most(f, f.intrinsic("fabs", x), form.erf_saturated)
    shifted, rest = _split_exp(f, f.negate(_mul(f, size, size)), *form.ln2)
    position = f.binary("fdiv", one, _add(f, size, f.like(x, form.erfc_pole)))
    factor = _mul(f, _float(f, _exponent(f, shifted), x.element), _polynomial(f, position, form.erfc))
    far = f.fma(f.negate(factor), _add(f, _grown(f, rest), one), one)
    return f.select(f.compare("olt", size, f.like(x, 0.9)), near, f.intrinsic("copysign", far, x))


def power(f: LlvmFunction, x: Value, y: Value) -> Value:
    """x to the power of y, to 1 ulp: x·x, to the last bit, where y is 2; else the C library's pow in double, lane by lane."""
    return _replaced(f, _mul(f, x, x), f.compare("une", y, f.like(y, 2.0)), "pow", x, y)


# ---- parts of exp


def _split_exp(f: LlvmFunction, x: Value, *period: float) -> tuple[Value, Value]:
    """x = n·period + r: a number whose last bits are those of n + bias, and r, at most half a period."""
    form = _format(x)
    magic = 1.5 * 2.0**form.fraction + form.bias  # numbers as large as this are whole: adding it rounds
    shifted = f.fma(x, f.like(x, 1.0 / period[0]), f.like(x, magic))
    count = _add(f, shifted, f.like(x, -magic))
    for part in period:
        x = f.fma(count, f.like(x, -part), x)
    return shifted, x


def _exponent(f: LlvmFunction, shifted: Value) -> Value:
    """The bits of 2ⁿ, from the number whose last bits are those of n + bias."""
    return f.binary("shl", _bits(f, shifted), _whole(f, shifted, _format(shifted).fraction))


def _half_power(f: LlvmFunction, shifted: Value) -> Value:
    """2ⁿ⁻¹, a number still where 2ⁿ overflows and half of exp(x) does not."""
    bits = f.binary("add", _exponent(f, shifted), _whole(f, shifted, -1 << _format(shifted).fraction))
    return _float(f, bits, shifted.element)


def _grown(f: LlvmFunction, rest: Value) -> Value:
    """exp(r) − 1."""
    return f.fma(_mul(f, rest, rest), _polynomial(f, rest, _format(rest).exp), rest)


def _scaled_exp(f: LlvmFunction, rest: Value, scale: Value, added: Value, coefficients: Sequence[float]) -> Value:
    """scale·(r + r²·p(r)) + added: what does not wait for the polynomial is summed beside it."""
    square = _mul(f, scale, _mul(f, rest, rest))
    return f.fma(square, _polynomial(f, rest, coefficients), f.fma(scale, rest, added))


# ---- parts of log


def _split_log(f: LlvmFunction, x: Value) -> Value:
    """The bits of x, moved so that the exponent is that of the 2ᵏ which leaves a mantissa between √½ and √2."""
    form = _format(x)
    return f.binary("add", _bits(f, x), _whole(f, x, (form.bias << form.fraction) - form.root_half))


def _large(form: _Format) -> float:
    """A number whose last bits are those of the bias."""
    return 2.0**form.fraction + form.bias


def _count(f: LlvmFunction, bits: Value, large: Value) -> Value:
    """The exponent as a number, by way of the last bits of a large one: some machines lack the conversion for vectors."""
    form = _format(large)
    raised = f.binary("lshr", bits, _whole(f, large, form.fraction))
    moved = f.binary("or", raised, _whole(f, large, (form.bias + form.fraction) << form.fraction))
    return f.binary("fsub", _float(f, moved, large.element), large)


def _log_limits(f: LlvmFunction, x: Value, total: Value, count: Value) -> Value:
    """The count of log 2 in log(total), but what makes the sum ±∞ or NaN where total is no positive finite number."""
    infinity = f.like(x, float("inf"))
    high = f.select(f.compare("olt", x, infinity), count, infinity)
    low = f.select(f.compare("oeq", total, f.like(x, 0.0)), f.like(x, -float("inf")), f.like(x, float("nan")))
    return f.select(f.compare("ogt", total, f.like(x, 0.0)), high, low)


def _log_sum(f: LlvmFunction, rest: Value, count: Value, limited: Value) -> Value:
    """count·log 2 + log(1 + r); the limited count is that of the larger part of log 2."""
    form = _format(rest)
    first, second = form.ln2
    low = _mul(f, count, f.like(count, second))
    square = _mul(f, rest, rest)
    if form.log:
        tail = f.fma(_mul(f, square, rest), _polynomial(f, rest, form.log), f.fma(square, f.like(rest, -0.5), low))
    else:
        # log(1 + r) = 2·atanh(s) = r − s·(r − s²·p(s²)), rearranged so that only small terms are rounded.
        s = f.binary("fdiv", rest, _add(f, rest, f.like(rest, 2.0)))
        z = _mul(f, s, s)
        half = _mul(f, square, f.like(rest, 0.5))
        small = f.fma(s, f.fma(z, _polynomial(f, z, form.atanh), half), low)
        tail = f.binary("fsub", small, half)
    return f.fma(limited, f.like(rest, first), _add(f, rest, tail))


# ---- parts of the others


def _circular(f: LlvmFunction, x: Value, name: str) -> Value:
    """sin or cos."""
    form = _format(x)
    magic = 1.5 * 2.0**form.fraction
    shifted = f.fma(x, f.like(x, 1.0 / form.half_pi[0]), f.like(x, magic))
    turns, rest = _add(f, shifted, f.like(x, -magic)), x
    for part in form.half_pi:
        rest = f.fma(turns, f.like(x, -part), rest)
    square = _mul(f, rest, rest)
    sine = f.fma(_mul(f, rest, square), _polynomial(f, square, form.sin), rest)
    flat = f.fma(square, f.like(x, -0.5), f.like(x, 1.0))
    cosine = f.fma(_mul(f, square, square), _polynomial(f, square, form.cos), flat)
    bits = f.binary("add", _bits(f, shifted), _whole(f, x, 0 if name == "sin" else 1))
    odd = f.compare("ne", f.binary("and", bits, _whole(f, x, 1)), _whole(f, x, 0))
    sign = f.binary("shl", f.binary("and", bits, _whole(f, x, 2)), _whole(f, x, 8 * bytes_of(x.element) - 2))
    signed = f.binary("xor", _bits(f, f.select(odd, cosine, sine)), sign)
    beyond = f.compare("ogt", f.intrinsic("fabs", x), f.like(x, 2.0**20))
    return _replaced(f, _float(f, signed, x.element), beyond, name, x)


def _replaced(f: LlvmFunction, result: Value, wrong: Value, name: str, *arguments: Value) -> Value:
    """The result, but in lanes where it is wrong what the C library's function says; the calls are made only if there are any."""
    origin, then, after = f.block, f.fresh_label("then"), f.fresh_label("after")
    some = wrong if wrong.lanes == 1 else f.call(f"llvm.vector.reduce.or.v{wrong.lanes}i1", "i1", 1, wrong)
    f.branch_if(some, then, after)
    f.label(then)
    fixed = f.select(wrong, _each_lane(f, name, *arguments), result)
    latch = f.block
    f.branch(after)
    f.label(after)
    return f.phi(result, fixed, origin, latch)


def _each_lane(f: LlvmFunction, name: str, *arguments: Value) -> Value:
    """A function of the C library for one lane after the other, in a loop: the code is short and rarely run."""
    first = arguments[0]
    if first.lanes == 1:
        return _called(f, name, *arguments)
    with f.loop(0, first.lanes, carried=[first]) as loop:
        number = _called(f, name, *(f.extract(x, loop.index) for x in arguments))
        instruction = f"insertelement {loop.carried[0]}, {number}, {loop.index}"
        loop.following.append(f.emit(first.element, first.lanes, instruction))
    return loop.results[0]


def _called(f: LlvmFunction, name: str, *arguments: Value) -> Value:
    """The C library's function of numbers, in double."""
    if arguments[0].element == "double":
        return f.call(name, "double", 1, *arguments)
    return f.convert("fptrunc", f.call(name, "double", 1, *(f.convert("fpext", x, "double") for x in arguments)), "float")


# ---- small steps


def _polynomial(f: LlvmFunction, x: Value, coefficients: Sequence[float]) -> Value:
    """c₀ + c₁·x + c₂·x² + ... by Estrin's scheme: pairs, then pairs of pairs in x², so that few steps wait for each other."""
    terms = [f.like(x, coefficient) for coefficient in coefficients]
    while len(terms) > 3:
        paired = [f.fma(high, x, low) for low, high in zip(terms[::2], terms[1::2], strict=False)]
        terms, x = paired + terms[2 * len(paired) :], _mul(f, x, x)
    total = terms[-1]
    for term in terms[-2::-1]:
        total = f.fma(total, x, term)
    return total


def _format(x: Value) -> _Format:
    return _FLOAT if x.element == "float" else _DOUBLE


def _add(f: LlvmFunction, x: Value, y: Value) -> Value:
    return f.binary("fadd", x, y)


def _mul(f: LlvmFunction, x: Value, y: Value) -> Value:
    return f.binary("fmul", x, y)


def _at_most(f: LlvmFunction, x: Value, limit: float) -> Value:
    """The smaller of the two; NaN stays NaN."""
    return f.select(f.compare("ogt", x, f.like(x, limit)), f.like(x, limit), x)


def _at_least(f: LlvmFunction, x: Value, limit: float) -> Value:
    return f.select(f.compare("olt", x, f.like(x, limit)), f.like(x, limit), x)


def _tiny(f: LlvmFunction, x: Value) -> Value:
    """Whether x + x² is x to the last digit; −0 and denormal numbers are such."""
    return f.compare("olt", f.intrinsic("fabs", x), f.like(x, 2.0 ** (-_format(x).fraction - 2)))


def _whole(f: LlvmFunction, x: Value, bits: int) -> Value:
    """A whole number of the width of x in every lane, written with a sign."""
    width = 8 * bytes_of(x.element)
    return f.constant(_format(x).integer, x.lanes, (bits + (1 << width - 1)) % (1 << width) - (1 << width - 1))


def _bits(f: LlvmFunction, x: Value) -> Value:
    return f.convert("bitcast", x, _format(x).integer)


def _float(f: LlvmFunction, bits: Value, element: str) -> Value:
    return f.convert("bitcast", bits, element)
