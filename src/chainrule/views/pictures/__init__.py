"""Pictures: what the lectures draw, of the user's own networks, data and runs: functions by topic, each of which gives a View.

Each is loaded when it is first named, as __init__.pyi says: a curve waits for no other picture.
"""

# pyright: reportMissingTypeStubs=false, reportUnsupportedDunderAll=false
# (lazy_loader says nothing about types; type checkers read __init__.pyi instead.)
import ast
from importlib import import_module
from pathlib import Path
from typing import Any

import lazy_loader

from chainrule.views.pictures.door import answering_picture

lazy: Any = lazy_loader
_load, _, _ = lazy.attach_stub(__name__, __file__)
del lazy
_stub = ast.parse(Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
# In the order in which the stub has them: by subject.
__all__: list[str] = next(ast.literal_eval(part.value) for part in _stub.body if isinstance(part, ast.Assign))


def __getattr__(name: str) -> Any:
    """A picture, or what belongs to one, as users call it; inside the package they are called as they are."""
    found = globals()[name] = answering_picture(name, _load(name))
    return found


def __dir__() -> list[str]:
    return list(__all__)


def of(thing: object) -> Any:
    """The pictures that suit an object, a run for example, or a list of models: each with its call and what it shows.

    >>> from chainrule.data import moons
    >>> of(moons()).column("picture")
    ('class_shares', 'data_examples', 'edge_detector')
    """
    module: Any = import_module("chainrule.views.pictures.suited")
    names = [name for name in __all__ if name[0].islower() and name != "of"]
    return module.suited(thing, {name: globals().get(name) or __getattr__(name) for name in names})


of = answering_picture("of", of)
