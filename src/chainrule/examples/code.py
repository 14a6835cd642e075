"""The network of an example in the words of chainrule, PyTorch and Keras, for its page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from chainrule.errors import OptionError
from chainrule.nn import to_code
from chainrule.train import Training
from chainrule.views.report.layout import Section
from chainrule.views.svg import clean

PEERS = {"pytorch": "PyTorch", "keras": "Keras"}
STYLES = {"chainrule": "chainrule", **PEERS}
"""In whose words a page shows a network, and what they are called there."""

Codes: TypeAlias = "Mapping[str, str | OptionError]"
"""What is written in each style, or why nothing is."""


def code_section(trainings: Mapping[str, Training]) -> Section:
    """The first network that all of them have, else the first one; where a library lacks a layer, a sentence says which.

    trainings: one or more, by their names.
    """
    name, codes = _shown(trainings)
    words = f"The network of the training called {name}."
    if any(isinstance(codes[style], str) for style in PEERS):
        words += " Each library begins with weights of its own; cr.nn.to_peer brings a run's there, and cr.nn.from_peer back."
    return Section("code", "The network in code", words, [_part(style, codes[style]) for style in STYLES])


def _shown(trainings: Mapping[str, Training]) -> tuple[str, Codes]:
    """The name and the codes of the training whose network is shown."""
    for name, training in trainings.items():
        codes = _codes(training)
        if all(isinstance(code, str) for code in codes.values()):
            return name, codes
    first = next(iter(trainings))
    return first, _codes(trainings[first])


def _codes(training: Training) -> Codes:
    found: dict[str, str | OptionError] = {}
    for style in STYLES:
        try:
            found[style] = to_code(training.layer, style, training.dataset.input_shape)
        except OptionError as error:
            found[style] = error
    return found


def _part(style: str, code: str | OptionError) -> str:
    if isinstance(code, str):
        whole = f"import chainrule as cr\n\nnetwork = {code}" if style == "chainrule" else code
        lines = "\n".join(map(clean, whole.splitlines()))
        return f"<details><summary>{STYLES[style]}</summary><pre><code>{lines}</code></pre></details>"
    if style == "chainrule":
        return "<p>It has functions of its own in it, which only the code of the example writes down.</p>"
    return f"<p>{clean(code.happened[0].upper() + code.happened[1:])}.</p>"
