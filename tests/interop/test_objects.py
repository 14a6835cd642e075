"""Objects of other libraries: what is said where the library is missing. With PyTorch and Keras `make external` tests them."""

import sys

import pytest

import chainrule as cr
from chainrule.errors import MissingPackageError


@pytest.mark.parametrize(("library", "function"), [("torch", cr.from_torch), ("keras", cr.from_keras)])
def test_a_library_that_is_missing_is_named(library, function, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.delitem(sys.modules, f"chainrule.interop.{library}_objects", raising=False)
    with pytest.raises(MissingPackageError, match=f"chainrule\\[{library}\\]"):
        function(object())


@pytest.mark.parametrize(("library", "function"), [("torch", cr.to_torch), ("keras", cr.to_keras)])
def test_going_there_needs_it_too(library, function, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.delitem(sys.modules, f"chainrule.interop.{library}_objects", raising=False)
    with pytest.raises(MissingPackageError, match=f"chainrule\\[{library}\\]"):
        function(cr.parse_network("2-3-1"))
