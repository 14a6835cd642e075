"""Every example by its name, in the order of the lectures."""

from __future__ import annotations

from chainrule.checks import unknown
from chainrule.examples.autoencoders import AUTOENCODER
from chainrule.examples.bars_machine import BOLTZMANN
from chainrule.examples.batch_sizes import BATCH_SIZE
from chainrule.examples.confused import CONFUSION
from chainrule.examples.countdown import COUNTDOWN
from chainrule.examples.denoising import DENOISING
from chainrule.examples.depth_and_width import DEPTH_WIDTH
from chainrule.examples.equations import EQUATION
from chainrule.examples.example import LectureExample
from chainrule.examples.gradients_in_time import GRADIENTS_IN_TIME
from chainrule.examples.hidden import OSCILLATOR
from chainrule.examples.hopfield_memory import HOPFIELD
from chainrule.examples.learned_picture import PICTURE
from chainrule.examples.learning_curve import LEARNING_CURVE
from chainrule.examples.loss_surfaces import LOSS_SURFACES
from chainrule.examples.materials import MATERIALS
from chainrule.examples.memorization import MEMORIZATION
from chainrule.examples.next_character import NEXT_CHARACTER
from chainrule.examples.perceptron_text import PERCEPTRON_TEXT
from chainrule.examples.phases import ISING
from chainrule.examples.pictures_of_digits import CONVOLUTION
from chainrule.examples.recall import RECALL
from chainrule.examples.story import STORY
from chainrule.examples.variational import VARIATIONAL
from chainrule.examples.wrong_labels import WRONG_LABELS

_ALL = (
    PERCEPTRON_TEXT, CONVOLUTION, DEPTH_WIDTH, LEARNING_CURVE, BATCH_SIZE, MEMORIZATION, WRONG_LABELS, LOSS_SURFACES, RECALL,
    COUNTDOWN, GRADIENTS_IN_TIME, STORY, NEXT_CHARACTER, AUTOENCODER, DENOISING, VARIATIONAL, PICTURE, BOLTZMANN, HOPFIELD,
    ISING, CONFUSION, MATERIALS, OSCILLATOR, EQUATION,
)  # fmt: skip
EXAMPLES: dict[str, LectureExample] = {example.name: example for example in _ALL}
"""Every example by its name."""


def example(name: str) -> LectureExample:
    """The example of this name, or an error that suggests one.

    >>> example("convolution").title
    'A convolutional network reads digits'
    """
    if name not in EXAMPLES:
        raise unknown(f"example {name!r}", name, EXAMPLES)
    return EXAMPLES[name]
