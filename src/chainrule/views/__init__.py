"""Floor 6: views turn graphs, networks, data and runs into things to look at; they only read.

Each part is loaded when it is first named: a training with its progress waits for no picture. What draws with matplotlib (`pictures`)
imports it when it draws; what fills a terminal (`terminal`, `confusion`, `progress`) is imported by the commands that do.
"""

# pyright: reportMissingTypeStubs=false
# (lazy_loader says nothing about types; type checkers read __init__.pyi instead.)
from typing import Any

import lazy_loader

lazy: Any = lazy_loader
__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
del lazy
