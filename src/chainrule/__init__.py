"""chainrule: a neural-network library with glass walls.

It trains networks, and every number in them, forward and backward, can be looked at, explained and checked.
"""

from __future__ import annotations

# pyright: reportMissingTypeStubs=false
# (lazy_loader says nothing about types; type checkers read __init__.pyi instead.)
from importlib import import_module
from typing import Any

import lazy_loader

from chainrule import display
from chainrule.version import __version__ as __version__

lazy: Any = lazy_loader
# What stands in __init__.pyi is loaded when it is first named: `import chainrule` loads nothing, training waits for no view.
__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
del lazy

# Views say how objects show themselves.
display.when_first_asked(lambda: import_module("chainrule.views.objects"))
# Ops are what a node's operators make.
display.when_needed("ops", lambda: import_module("chainrule.ops"))
