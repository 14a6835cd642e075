"""What all tests share: hypothesis draws the same examples in every run, so that a green door stays green."""

import gc
import mmap
import os
import tempfile
from importlib.util import find_spec
from pathlib import Path

# Ten thousand tests are many objects, and walking through all of them again and again took a tenth of the time.
gc.set_threshold(20_000, 20, 100)
# Before NumPy is loaded: each worker has a core of its own, on which a second thread of the matrix products would only wait.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Nor would a second thread of ours: tests of threads say how many they want.
os.environ.setdefault("CHAINRULE_THREADS", "1")


def _flags_of_xla() -> list[str]:
    """Flags that make it compile sooner, if the installed XLA has them all: one that it does not know ends the process."""
    wanted = {"xla_cpu_use_fusion_emitters": "false", "xla_cpu_parallel_codegen_split_count": "1"}
    found = find_spec("jaxlib")
    for library in Path(found.origin).parent.glob("*.so") if found and found.origin else ():
        with library.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
            if all(text.find(flag.encode()) >= 0 for flag in wanted):
                return [f"--{flag}={value}" for flag, value in wanted.items()]
    return []


# JAX is asked once for each number: it is to compile soon, not well. Fusions alone took twice as long as all the rest together.
if "XLA_FLAGS" not in os.environ:
    os.environ["XLA_FLAGS"] = " ".join(["--xla_backend_optimization_level=0", *_flags_of_xla()])
# Machine code is kept between the tests of a run, but never in the cache of whoever runs them.
_cache = tempfile.TemporaryDirectory(prefix="chainrule-tests-")
os.environ.setdefault("CHAINRULE_CACHE", _cache.name)
# Workers, and the programs that tests start, keep what they compile beside its source, wherever the machine forbids it elsewhere: other
# packages have theirs there already.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402  (it loads NumPy)

# The long door asks for examples that nobody has seen; everywhere else a failure must be the change's, not the dice's.
settings.register_profile("same examples", derandomize=True, deadline=None)
settings.register_profile("campaign", deadline=None, max_examples=int(os.environ.get("CAMPAIGN_SIZE", "100")))
settings.load_profile("campaign" if "CAMPAIGN_SIZE" in os.environ else "same examples")


collect_ignore = ["mutants/run.py"]
"""A program of its own, which imports what only `make mutants` installs."""
collect_ignore_glob = ["external/*"]
"""Suites of other libraries, which `make external` names: they import what only it installs."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that wait for a browser come first: the first worker waits while the others compute, and not all of them at the end."""
    items.sort(key=lambda item: "browser" not in getattr(item, "fixturenames", ()))


def pytest_collection_finish() -> None:
    """What was loaded stays: it need not be walked through again."""
    gc.collect()
    gc.freeze()
