"""Names of quantities as names of variables: dense1.z is dense1_z, each once, none a word of the language."""

from __future__ import annotations

import re
from collections.abc import Collection

from chainrule.graph import Node
from chainrule.spelling import unused


class Names:
    """The variables of a file. `reserved` are words that mean something else; `ascii_only`: letters beyond ASCII become _.

    >>> names = Names({"if"})
    >>> names.fresh("dense1.z"), names.fresh("dense1/z"), names.fresh("if"), names.fresh("2")
    ('dense1_z', 'dense1_z_2', 'if_2', 'v2')
    """

    def __init__(self, reserved: Collection[str] = (), *, ascii_only: bool = False) -> None:
        self.used = set(reserved)
        self.pattern = re.compile(r"\W", re.ASCII if ascii_only else 0)

    def fresh(self, name: str) -> str:
        """A variable that is not used yet, as near to the name as can be."""
        base = self.pattern.sub("_", name)
        found = unused(base if base[:1].isalpha() else f"v{base}", self.used)
        self.used.add(found)
        return found

    def of(self, node: Node) -> str:
        """The variable of a node: its name, or its layer's and what is done there."""
        return self.fresh(node.name or "_".join(filter(None, (node.scope, node.op.name))))
