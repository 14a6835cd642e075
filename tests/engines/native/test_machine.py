"""Machine code from text: it computes what the text says, is the same every time, comes from the cache, and fails in words."""

import ctypes
import gc
import math
import os
import platform
import re
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import chainrule
from chainrule.engines.native import machine
from chainrule.engines.native.cache import Cache, default_cache
from chainrule.engines.native.machine import MachineCode, assembly, compile_module, host
from chainrule.errors import OptionError

X86 = pytest.mark.skipif(platform.machine().lower() not in {"x86_64", "amd64"}, reason="names of x86 processors")

# x[i] = fma(x[i], scale, 0.1) for 16 numbers at a time, then 5 more behind a mask; constants of a vector, a loop, a fused product.
SCALE = """
declare <16 x float> @llvm.fma.v16f32(<16 x float>, <16 x float>, <16 x float>)
declare <16 x float> @llvm.masked.load.v16f32.p0(ptr, i32, <16 x i1>, <16 x float>)
declare void @llvm.masked.store.v16f32.p0(<16 x float>, ptr, i32, <16 x i1>)
define void @scale(ptr noalias %x, ptr noalias %by) nounwind {
entry:
  %one = load float, ptr %by, align 4
  %first = insertelement <16 x float> poison, float %one, i64 0
  %all = shufflevector <16 x float> %first, <16 x float> %first, <16 x i32> zeroinitializer
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %at = getelementptr inbounds i8, ptr %x, i64 %i
  %old = load <16 x float>, ptr %at, align 4
  %new = call <16 x float> @llvm.fma.v16f32(<16 x float> %old, <16 x float> %all, <16 x float> splat (float 0x3FB99999A0000000))
  store <16 x float> %new, ptr %at, align 4
  %next = add i64 %i, 64
  %again = icmp slt i64 %next, 640
  br i1 %again, label %loop, label %tail
tail:
  %end = getelementptr inbounds i8, ptr %x, i64 640
  %few = icmp slt <16 x i64> <i64 0, i64 1, i64 2, i64 3, i64 4, i64 5, i64 6, i64 7, i64 8, i64 9, i64 10, i64 11, i64 12, i64 13,
    i64 14, i64 15>, splat (i64 5)
  %rest = call <16 x float> @llvm.masked.load.v16f32.p0(ptr %end, i32 4, <16 x i1> %few, <16 x float> zeroinitializer)
  %last = call <16 x float> @llvm.fma.v16f32(<16 x float> %rest, <16 x float> %all, <16 x float> splat (float 0x3FB99999A0000000))
  call void @llvm.masked.store.v16f32.p0(<16 x float> %last, ptr %end, i32 4, <16 x i1> %few)
  ret void
}
"""

# x[i] = x[i] · (1 / s) and the division is written inside the loop, behind a load that only the tags tell apart from the store.
DIVIDE = """
define void @divide(ptr %x, ptr %s) nounwind {
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %d = load float, ptr %s, align 4, !tbaa !3
  %r = fdiv float 1.0, %d
  %at = getelementptr inbounds i8, ptr %x, i64 %i
  %old = load float, ptr %at, align 4, !tbaa !4
  %new = fmul float %old, %r
  store float %new, ptr %at, align 4, !tbaa !4
  %next = add i64 %i, 4
  %again = icmp slt i64 %next, 400
  br i1 %again, label %loop, label %done
done:
  ret void
}
!0 = !{!"buffers"}
!1 = !{!"s", !0, i64 0}
!2 = !{!"x", !0, i64 0}
!3 = !{!1, !1, i64 0}
!4 = !{!2, !2, i64 0}
"""


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache")


def answer(number):
    return f"define i64 @answer() {{\n  ret i64 {number}\n}}\n"


def called(code: MachineCode, name, *arguments, kind=ctypes.c_int64):
    kinds = {float: ctypes.c_double, int: ctypes.c_int64, np.ndarray: ctypes.c_void_p}
    function = ctypes.CFUNCTYPE(kind, *(kinds[type(argument)] for argument in arguments))(code.address(name))
    return function(*(argument.ctypes.data if isinstance(argument, np.ndarray) else argument for argument in arguments))


def scaled(code):
    """What `scale` makes of 165 numbers; the two behind them must stay."""
    x = np.random.default_rng(0).normal(size=167).astype(np.float32)
    called(code, "scale", x, np.array([1.7], np.float32), kind=None)
    return x


def expected():
    """The same in double precision, rounded once: 24-bit factors make a product of 48 bits, and the sum is exact enough."""
    x = np.random.default_rng(0).normal(size=167).astype(np.float32)
    y = (x.astype(np.float64) * np.float64(np.float32(1.7)) + np.float64(np.float32(0.1))).astype(np.float32)
    return np.concatenate([y[:165], x[165:]])


# ---- what it computes


def test_code_computes_what_the_text_says():
    code = compile_module(SCALE, host(), None, verify=True)
    assert np.array_equal(scaled(code), expected())
    assert code.size > 100
    assert 0 < code.seconds < 60
    assert not code.cached


def test_functions_of_the_library_are_the_process_s():
    calls = "".join(
        f"declare double @{name}({kinds})\n"
        f"define double @call_{name}({given}) {{\n  %y = call double @{name}({given})\n  ret double %y\n}}\n"
        for name, kinds, given in [
            ("sin", "double", "double %x"), ("cos", "double", "double %x"), ("pow", "double, double", "double %x, double %z"),
        ]
    )  # fmt: skip
    code = compile_module(calls, host(), None)
    for x in (0.0, -0.7, 3.25, 1e22):
        assert called(code, "call_sin", x, kind=ctypes.c_double) == math.sin(x)
        assert called(code, "call_cos", x, kind=ctypes.c_double) == math.cos(x)
        assert called(code, "call_pow", abs(x), 2.3, kind=ctypes.c_double) == math.pow(abs(x), 2.3)


@pytest.mark.skipif(sys.platform != "linux", reason="the number of a Linux call")
def test_calls_of_the_system():
    number = {"x86_64": 39, "aarch64": 172}[platform.machine()]  # getpid
    code = compile_module(
        "declare i64 @syscall(i64, ...)\ndeclare i32 @sched_yield()\ndeclare i32 @usleep(i32)\n"
        "define i64 @process() {\n  %a = call i32 @sched_yield()\n  %b = call i32 @usleep(i32 1)\n  %c = add i32 %a, %b\n"
        f"  %d = sext i32 %c to i64\n  %e = call i64 (i64, ...) @syscall(i64 {number})\n  %f = add i64 %d, %e\n  ret i64 %f\n}}\n",
        host(),
        None,
    )
    assert called(code, "process") == os.getpid()


def test_what_the_code_generator_calls_by_itself_is_found():
    text = (
        "declare double @llvm.exp.f64(double)\ndeclare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)\n"
        "define double @curve(double %x) {\n  %y = call double @llvm.exp.f64(double %x)\n  ret double %y\n}\n"
        "define void @copy(ptr %a, ptr %b, i64 %n) {\n"
        "  call void @llvm.memcpy.p0.p0.i64(ptr %a, ptr %b, i64 %n, i1 false)\n  ret void\n}\n"
    )
    code = compile_module(text, host(), None)
    assert called(code, "curve", 1.5, kind=ctypes.c_double) == math.exp(1.5)
    source, copied = np.arange(100.0), np.zeros(100)
    called(code, "copy", copied, source, 800, kind=None)
    assert np.array_equal(copied, source)


def test_the_library_s_functions_are_those_that_this_file_finds(monkeypatch):
    kind = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)
    own = kind(lambda x: x + 100)
    monkeypatch.setattr(machine, "_process_address", lambda _: ctypes.cast(own, ctypes.c_void_p).value)
    text = (
        "declare double @llvm.exp.f64(double)\n"
        "define double @curve(double %x) {\n  %y = call double @llvm.exp.f64(double %x)\n  ret double %y\n}\n"
    )
    assert called(compile_module(text, host(), None), "curve", 1.5, kind=ctypes.c_double) == 101.5


def test_a_module_s_own_functions_and_constants_go_before_the_library_s():
    text = (
        "@table = private constant [3 x i64] [i64 10, i64 20, i64 30]\n"
        "define internal i64 @inner(i64 %i) noinline {\n"
        "  %p = getelementptr i64, ptr @table, i64 %i\n  %x = load i64, ptr %p\n  ret i64 %x\n}\n"
        "define i64 @sin(i64 %i) {\n  %x = call i64 @inner(i64 %i)\n  ret i64 %x\n}\n"
    )
    code = compile_module(text, host(), None)
    assert [called(code, "sin", i) for i in range(3)] == [10, 20, 30]
    with pytest.raises(KeyError):
        code.address("inner")


def test_many_modules_with_the_same_names_live_side_by_side_and_go():
    codes = [compile_module(answer(number), host(), None) for number in range(30)]
    assert [called(code, "answer") for code in codes] == list(range(30))
    del codes[::2]
    gc.collect()
    codes.append(compile_module(answer(99), host(), None))
    assert [called(code, "answer") for code in codes] == [*range(1, 30, 2), 99]


def test_threads_compile_at_once():
    found = {}

    def work(number):
        found[number] = called(compile_module(answer(number), host(), None), "answer")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: number for number in range(8)}


@pytest.mark.parametrize("level", [machine.LEVEL, machine.QUICK_LEVEL])
def test_what_a_machine_has_compiled_leaves_no_trace_in_what_it_compiles_next(level):
    for text in (SCALE, DIVIDE, answer(3), SCALE):
        used = machine._object(text, host(), level, verify=True)
        fresh = machine._machine.__wrapped__(host(), level)
        with machine._prepared(text, host(), fresh, verify=True) as module:
            assert used == bytes(fresh.emit_object(module))


# ---- targets


def test_the_host_is_what_llvm_says():
    target = host()
    assert target is host()
    assert (target.vector_bytes, target.registers) in {(16, 16), (16, 32), (32, 16), (64, 32)}
    assert ("+avx512f" in target.features) == (target.vector_bytes == 64)


@pytest.fixture
def named(monkeypatch):
    def ask(cpu):
        monkeypatch.setenv("CHAINRULE_TARGET_CPU", cpu)
        host.cache_clear()
        return host()

    yield ask
    host.cache_clear()


@X86
def test_an_older_processor_may_be_named(named):
    own = named("")
    for cpu, vector_bytes, register, fused in [("x86-64", 16, "xmm", False), ("haswell", 32, "ymm", True)]:
        if own.vector_bytes < vector_bytes:
            continue
        target = named(cpu)
        assert (target.cpu, target.features, target.vector_bytes, target.registers) == (cpu, "", vector_bytes, 16)
        assert target.fused == fused
        assert set(re.findall(r"%([xyz]mm)\d+", assembly(SCALE, target))) <= {"xmm", register}
        assert np.array_equal(scaled(compile_module(SCALE, target, None)), expected())


@X86
@pytest.mark.parametrize(
    ("cpu", "vector_bytes", "fused"), [("haswell", 16, True), ("haswell", 32, False), ("x86-64-v4", 32, True)]
)
def test_a_processor_with_more_than_this_one_is_refused(named, monkeypatch, cpu, vector_bytes, fused):
    monkeypatch.setattr(machine, "_own_target", lambda triple: machine.Target(triple, "old", "", vector_bytes, 16, fused))
    with pytest.raises(OptionError, match=rf"CHAINRULE_TARGET_CPU={cpu} names a processor with instructions .* \(old\)"):
        named(cpu)
    assert named("x86-64").vector_bytes == 16


# ---- texts for people


def test_assembly_names_the_functions_and_their_instructions():
    text = assembly(answer(42), host())
    assert "answer:" in text
    assert "42" in text
    assert "ret" in text


# ---- the same every time


def test_the_same_text_gives_the_same_object():
    text = SCALE + DIVIDE
    here = {machine._object(text, host(), machine.LEVEL, verify=False) for _ in range(3)}
    program = (
        "import hashlib, sys\nfrom chainrule.engines.native import machine\n"
        "print(hashlib.sha256(machine._object(sys.stdin.read(), machine.host(), machine.LEVEL, False)).hexdigest())"
    )
    there = {
        subprocess.run(
            [sys.executable, "-c", program],
            input=text,
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"PYTHONHASHSEED": seed},
        ).stdout
        for seed in "12"
    }
    assert len(here) == len(there) == 1
    import hashlib

    assert there == {hashlib.sha256(*here).hexdigest() + "\n"}


def test_a_module_does_not_see_those_before_it():
    text = "%pair = type { i64, i64 }\ndefine i64 @f(ptr %x) {\n  %y = getelementptr %pair, ptr %x, i64 1\n  ret i64 0\n}\n"
    kept = [assembly(text, host()) for _ in range(3)]
    with machine.llvm.parse_assembly(text):  # in LLVM's common context
        assert {*kept, assembly(text, host())} == {kept[0]}


# ---- the cache


def test_code_from_the_cache_does_the_same(cache):
    first, second = (compile_module(SCALE, host(), cache) for _ in range(2))
    assert (first.cached, second.cached) == (False, True)
    assert first.size == second.size
    assert np.array_equal(scaled(second), expected())
    assert first.address("scale") != second.address("scale")


def test_the_cache_is_asked_for_exactly_this_text_target_and_pipeline(cache, monkeypatch):
    def is_cached(text=SCALE, target=host()):  # noqa: B008
        return compile_module(text, target, cache).cached

    assert not is_cached()
    assert is_cached()
    assert not is_cached(SCALE + "; another line\n")
    assert not is_cached(target=replace(host(), features=host().features + ",-bmi" if host().features else "+crc"))
    for place, name, value in [
        (machine, "PIPELINE", "another"), (machine.llvmlite, "__version__", "0.1"), (machine.llvm, "llvm_version_info", (1,)),
    ]:  # fmt: skip
        with monkeypatch.context() as changed:
            changed.setattr(place, name, value)
            assert not is_cached()
    assert is_cached()


def test_an_altered_entry_is_compiled_anew(cache):
    compile_module(answer(1), host(), cache)
    (path,) = cache.folder.glob("*.code")
    good = path.read_bytes()
    path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    code = compile_module(answer(1), host(), cache)
    assert not code.cached
    assert called(code, "answer") == 1
    assert path.read_bytes() == good
    assert compile_module(answer(1), host(), cache).cached


def test_no_cache_where_it_is_off(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CHAINRULE_CACHE", "off")
    assert not any(compile_module(answer(1), host(), default_cache()).cached for _ in range(2))
    assert not list(tmp_path.iterdir())


# ---- errors


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("define void @f() {\n  %a = add i32 %b, 1\n  ret void\n}\n", "use of undefined value '%b'\n  %a = add i32 %b, 1"),
        ("define i32 @f() {\n  ret i64 7\n}\n", "ret i64 7"),
        ("nonsense", "expected top-level entity\nnonsense"),
        ("define i32 @f(i1 %c) {\n  br i1 %c, label %a, label %b\na:\n  %x = add i32 1, 2\n  br label %b\nb:\n  ret i32 %x\n}\n",
         "does not dominate all uses!\n  %x = add i32 1, 2"),
    ],
)  # fmt: skip
def test_a_text_that_llvm_refuses_is_named_with_its_line(text, words):
    with pytest.raises(RuntimeError, match=re.escape(words)) as caught:
        compile_module(text, host(), None, verify=True)
    assert caught.type is RuntimeError
    assert str(caught.value).startswith("LLVM refuses the module: ")


def test_a_version_of_llvm_that_nobody_has_tried_is_asked_before_it_compiles(monkeypatch):
    monkeypatch.setattr(machine, "TRIED", range(0))
    text = (
        "define i32 @f(i1 %c) {\n  br i1 %c, label %a, label %b\na:\n  %x = add i32 1, 2\n  br label %b\nb:\n  ret i32 %x\n}\n"
    )
    with pytest.raises(RuntimeError, match="does not dominate all uses"):
        compile_module(text, host(), None)


def test_a_function_that_nobody_has_is_named():
    text = "declare void @nobody_has_this()\ndefine void @f() {\n  call void @nobody_has_this()\n  ret void\n}\n"
    with pytest.raises(RuntimeError, match="declares nobody_has_this"):
        compile_module(text, host(), None)


# ---- the process


def test_a_process_ends_well_with_code_loaded_and_running():
    program = (
        "import ctypes, threading\nfrom chainrule.engines.native.machine import compile_module, host\n"
        "code = compile_module('define void @forever() {\\n  br label %a\\na:\\n  fence seq_cst\\n  br label %a\\n}', host(), None)\n"
        "run = ctypes.CFUNCTYPE(None)(code.address('forever'))\n"
        "threading.Thread(target=run, daemon=True).start()\nprint('end')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "end\n", "")


def test_llvm_is_imported_by_one_file_and_only_when_it_is_needed():
    source = Path(chainrule.__file__).parent
    users = [
        path.name
        for path in source.rglob("*.py")
        if re.search(r"^\s*(import|from) llvmlite", path.read_text("utf-8"), re.MULTILINE)
    ]
    assert users == ["machine.py"]
    program = "import sys, chainrule, chainrule.engines.native.cache\nprint('llvmlite' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "False\n"
