"""Compiles floor.c and narrow.c with gcc, where there is one, and calls them."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import subprocess
from pathlib import Path

from workloads import Array

_FLAGS = ("-O3", "-ffast-math", "-shared", "-fPIC")


def compile_floor(folder: Path, narrow: bool = False) -> Path | None:
    """The library, made in `folder`, for this processor or with nothing wider than AVX2; None without gcc."""
    if shutil.which("gcc") is None:
        return None
    made = folder / "floor.so"
    # gcc's own choice for some processors is half the width that they have.
    wide = ("-mprefer-vector-width=512",) if platform.machine() in {"x86_64", "AMD64"} else ()
    target = ("-march=haswell",) if narrow else ("-march=native", *wide)
    source = Path(__file__).with_name("floor.c")
    subprocess.run(["gcc", *_FLAGS, *target, "-o", made, source, "-lm"], check=True)
    return made


def hide_wide(folder: Path) -> dict[str, str]:
    """Variables of a process that then sees a processor without AVX-512, made in `folder`; none where that cannot be done."""
    made, tried = folder / "narrow.so", folder / "narrow"
    if shutil.which("gcc") is None or platform.system() != "Linux" or platform.machine() not in {"x86_64", "AMD64"}:
        return {}
    source = Path(__file__).with_name("narrow.c")
    subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", made, source], check=True)
    subprocess.run(["gcc", "-DTRY", "-o", tried, source], check=True)
    found = {"LD_PRELOAD": str(made)}
    return found if subprocess.run([tried], env={**os.environ, **found}, check=False).returncode == 0 else {}


def open_floor(path: Path | str) -> ctypes.CDLL:
    """The compiled library with the types of what its functions give."""
    library = ctypes.CDLL(str(path))
    library.curve_train.restype = ctypes.c_long
    library.peak_arithmetic.restype = library.peak_reading.restype = ctypes.c_float
    library.digits_epoch.restype = library.digits_predict.restype = None
    return library


def pointer(array: Array) -> ctypes.c_void_p:
    """An array's address; it must be contiguous and outlive the call."""
    return ctypes.c_void_p(array.ctypes.data)
