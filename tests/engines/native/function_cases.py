"""What test_functions.py measures with: compiled elementwise loops, true values from mpmath, and the numbers worth trying."""

import ctypes
from ctypes.util import find_library
from functools import cache

import mpmath
import numpy as np
import pytest
from mpmath import mp, mpf

from chainrule.engines.native import functions
from chainrule.engines.native.builder import LlvmFunction

llvm = pytest.importorskip("llvmlite.binding")
llvm.initialize_native_target()
llvm.initialize_native_asmprinter()

LANES = (1, 4, 8, 16)
DTYPES = {"float": np.float32, "double": np.float64}
FRACTION = {"float": 23, "double": 52}
UNARY = ("exp", "expm1", "log", "log1p", "sin", "cos", "tanh", "sigmoid", "softplus", "erf")
TRUE = {
    "exp": mpmath.exp, "expm1": mpmath.expm1, "log": mpmath.log, "log1p": mpmath.log1p, "sin": mpmath.sin, "cos": mpmath.cos,
    "tanh": mpmath.tanh, "erf": mpmath.erf, "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)), "power": mpmath.power,
}  # fmt: skip


def written(name, element, lanes, arity):
    """A loop over arrays of a whole number of vectors, as LLVM's text, and the declarations it needs."""
    f = LlvmFunction(f"lanes{lanes}", [("ptr", f"x{k}") for k in range(arity)] + [("ptr", "out"), ("i64", "count")])
    *inputs, out, count = f.arguments
    size = np.dtype(DTYPES[element]).itemsize
    with f.loop(0, count, lanes) as loop:
        values = [f.load(element, lanes, f.offset(pointer, loop.index, size)) for pointer in inputs]
        f.store(getattr(functions, name)(f, *values), f.offset(out, loop.index, size))
    return str(f), f.declarations


def resolve_libm():
    """Makes the C library's functions known to compiled code."""
    libm = ctypes.CDLL(find_library("m"))
    for name in ("sin", "cos", "pow"):
        llvm.add_symbol(name, ctypes.cast(getattr(libm, name), ctypes.c_void_p).value)


def target_machine():
    """This machine, with all it can."""
    target, features = llvm.Target.from_default_triple(), llvm.get_host_cpu_features().flatten()
    return target.create_target_machine(cpu=llvm.get_host_cpu_name(), features=features, opt=3)


@cache
def compiled(name, element):
    """The function on arrays, by lanes."""
    resolve_libm()
    arity = 2 if name == "power" else 1
    texts, declarations = zip(*(written(name, element, lanes, arity) for lanes in LANES), strict=True)
    module = llvm.parse_assembly("\n".join([*sorted(set().union(*declarations)), *texts]))
    machine = target_machine()
    passes = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=3))
    passes.getModulePassManager().run(module, passes)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    kind = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (arity + 1), ctypes.c_int64)
    return {lanes: _on_arrays(engine, kind(engine.get_function_address(f"lanes{lanes}"))) for lanes in LANES}


def _on_arrays(engine, function):
    def run(*arrays, engine=engine):  # the engine owns the code and must live as long
        count = len(arrays[0])
        padded = [np.concatenate([x, np.ones(-count % max(LANES), x.dtype)]) for x in arrays]
        out = np.empty_like(padded[0])
        function(*(x.ctypes.data for x in padded), out.ctypes.data, len(out))
        return out[:count]

    return run


def ulps(name, element, result, *arguments):
    """How far each result is from the true value, in units of the true value's last place; ∞ counts as 2^(largest exponent + 1)."""
    fraction = FRACTION[element]
    infinity = mpf(2) ** (128 if element == "float" else 1024)
    smallest = mpf(2) ** (-149 if element == "float" else -1074)
    errors = []
    with mp.workprec(120):
        for y, *numbers in zip(result.tolist(), *(x.tolist() for x in arguments), strict=True):
            true = TRUE[name](*map(mpf, numbers))
            unit = max(mpf(2) ** (mp.frexp(true)[1] - 1 - fraction), smallest) if true else smallest
            got = mp.sign(y) * infinity if np.isinf(y) else mpf(y)
            errors.append(float(abs(got - max(-infinity, min(infinity, true))) / unit))
    return np.array(errors)


def around(places, element, random):
    """Numbers at, just beside and a little off each place."""
    places = np.asarray(places, DTYPES[element])
    offsets = 1 + random.uniform(-1e-3, 1e-3, (4, len(places)))
    beside = [np.nextafter(places, sign * np.inf, dtype=places.dtype) for sign in (-1, 1)]
    return np.concatenate([places, *beside, *(places * offsets).astype(places.dtype)])


def any_bits(element, count, random, positive=False):
    """Finite numbers of all sizes, denormal ones among them."""
    width = np.dtype(DTYPES[element]).itemsize * 8
    bits = random.integers(0, 1 << width - positive, count, dtype=np.uint64, endpoint=False)
    numbers = bits.astype(f"uint{width}").view(DTYPES[element])
    return numbers[np.isfinite(numbers)]


def _steps(period, limit):
    """Where whole numbers of periods, rounded, change: odd multiples of half of it; the near ones and some of the far."""
    last = max(int(limit / period), 1)
    count = np.unique(np.concatenate([np.arange(min(last, 12)), np.linspace(0, last, 20).astype(int)])) + 0.5
    return np.concatenate([-count, count]) * period


def trial_numbers(name, element, count=800):
    """Numbers where the function is neither trivial nor of another kind (±∞, NaN), denser where its parts meet."""
    random = np.random.default_rng(sum(map(ord, name + element)))
    low, high = (-103.9, 88.72) if element == "float" else (-745.1, 709.78)
    ln2, denormal = float(np.log(2)), float(np.finfo(DTYPES[element]).tiny) / 1000
    whole_turns = np.arange(-40, 41) * np.pi / 2  # where the result's last digits hang on all of those of π
    ranges, places = {
        "exp": ([(-1, 1), (low, high), (low, low + 20)], _steps(ln2, high)),
        "expm1": ([(-1, 1), (-20, 20), (low, high)], [*_steps(ln2, 30), high]),
        "tanh": ([(0.05, 0.2), (-0.3, 0.3), (-2, 2), (-20, 20)], [*_steps(ln2 / 2, 20), 0.3465, 0.4023]),
        "sigmoid": ([(-2, 2), (-40, 40), (-high, 20)], [*_steps(ln2, 40), *_steps(ln2, high)[::7]]),
        "softplus": ([(-2, 2), (-40, 40), (low, 0)], [*_steps(ln2, 40), 0.8814, -0.8814]),
        "log": ([(0.5, 2), (0.95, 1.05), (0, 100)], [*(2**0.5 * 2.0**k for k in (-100, -5, -1, 0, 1, 7, 127)), denormal, 99 * denormal]),
        "log1p": ([(-0.5, 1), (-1, 0), (0, 100)], [2.0**k * 2**0.5 - 1 for k in (-20, -3, -2, -1, 0, 1, 2, 20, 50, 126)]),
        "sin": ([(-4, 4), (-1000, 1000), (-(2.0**21), 2.0**21)], [*_steps(np.pi / 2, 2.0**20), *whole_turns, 2.0**20, 1e10]),
        "cos": ([(-4, 4), (-1000, 1000), (-(2.0**21), 2.0**21)], [*_steps(np.pi / 2, 2.0**20), *whole_turns, 2.0**20, 1e10]),
        "erf": ([(-1, 1), (-2, 2), (-6, 6)], [0.9, -0.9, 3.8, 4.0, 5.9, 6.0]),
    }[name]  # fmt: skip
    pieces = [random.uniform(a, b, count).astype(DTYPES[element]) for a, b in ranges]
    everywhere = any_bits(element, count, random, positive=name == "log")
    numbers = np.concatenate([*pieces, around(places, element, random), everywhere])
    if name in {"sin", "cos"}:
        numbers = numbers[abs(numbers) < 1e30]  # mpmath, too, needs as many digits as the number is long
    if name == "sigmoid":
        numbers = numbers[numbers >= -high]
    return numbers[numbers > -1] if name == "log1p" else numbers[numbers > 0] if name == "log" else numbers
