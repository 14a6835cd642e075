"""Programs that the native engine keeps in this process, forgotten: who changes how they are made wants them made anew."""

from __future__ import annotations

from chainrule.engines.native import engine


def forget() -> None:
    """Makes the next program of any form anew."""
    engine._module_of.cache_clear()
    engine._code_of.cache_clear()
