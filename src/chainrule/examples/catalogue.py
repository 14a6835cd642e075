"""Every example by its name, in the order of the lectures."""

from __future__ import annotations

from chainrule.errors import OptionError
from chainrule.examples.autoencoders import AUTOENCODER
from chainrule.examples.denoising import DENOISING
from chainrule.examples.example import Example
from chainrule.examples.learned_picture import PICTURE
from chainrule.examples.phases import ISING
from chainrule.examples.pictures_of_digits import CONVOLUTION
from chainrule.examples.variational import VARIATIONAL
from chainrule.spelling import suggest

EXAMPLES: dict[str, Example] = {
    example.name: example for example in (CONVOLUTION, AUTOENCODER, DENOISING, VARIATIONAL, PICTURE)
}
EXAMPLES: dict[str, Example] = {example.name: example for example in (CONVOLUTION, ISING)}
"""Every example by its name."""


def example(name: str) -> Example:
    """The example of this name, or an error that suggests one.

    >>> example("convolution").title
    'A convolutional network reads digits'
    """
    if name not in EXAMPLES:
        raise OptionError(
            f"example {name!r}", expected=f"one of {', '.join(EXAMPLES)}", remedy=suggest(name, EXAMPLES, "choose one of these")
        )
    return EXAMPLES[name]
