"""ONNX's own tests of operators, each model read by `from_onnx`'s reader and its graph computed by the reference engine.

`make external` runs them; not named test_*, so that `make test` does not. What is not supported is skipped, and counted; what passed
once may not fail or be skipped: onnx_nodes_passed.txt names it. CHAINRULE_RECORD=1 adds what passes now; CHAINRULE_ENGINE=native takes
that engine.
"""

import os
import re
import unittest
import warnings
from pathlib import Path

import onnx.backend.test
import pytest

from tests.external.onnx_backend import ChainruleBackend

RECORDED = Path(__file__).with_name("onnx_nodes_passed.txt")
NOISE = "where the exact answer is 0 it wants what complex64 rounds to, 1.9e-7, to 1e-7"
NOT_ASKED = {
    "test_dft_inverse_cpu": NOISE,
    "test_dft_inverse_opset19_cpu": NOISE,
    "test_loop16_seq_none_cpu": "the suite takes the length of an array without axes when it compares",
}
"""Tests that no right answer passes, with the reason."""


def _tests() -> dict[str, unittest.TestCase]:
    ChainruleBackend.engine = os.environ.get("CHAINRULE_ENGINE", "reference")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of overflows in the making of the tests' numbers
        suite = onnx.backend.test.BackendTest(ChainruleBackend, __name__).test_cases["OnnxBackendNodeModelTest"]
    names = [name for name in dir(suite) if re.fullmatch(r"test_.*_cpu", name)]
    return {name: suite(name) for name in names}


TESTS = _tests()
EXPECTED = set(RECORDED.read_text().split()) if RECORDED.exists() else set[str]()


@pytest.mark.parametrize("name", TESTS)
def test_node(name: str) -> None:
    if name in NOT_ASKED:
        pytest.skip(NOT_ASKED[name])
    try:
        getattr(TESTS[name], name)()
    except unittest.SkipTest as reason:
        if name in EXPECTED:
            pytest.fail(f"it passed once: {reason}")
        raise
    if os.environ.get("CHAINRULE_RECORD") and name not in EXPECTED:
        EXPECTED.add(name)
        RECORDED.write_text("\n".join(sorted(EXPECTED)) + "\n")


def test_nothing_that_passed_once_is_gone() -> None:
    assert not EXPECTED - TESTS.keys(), "tests that this version of onnx does not have"
