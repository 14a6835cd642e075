"""What a training takes where nothing is said: optimizer and number of steps, from data and network, with the reason."""

from __future__ import annotations

from typing import Literal

from chainrule.checks import Count, checked
from chainrule.data import Dataset
from chainrule.display import Shown
from chainrule.immutable import immutable
from chainrule.nn import objective
from chainrule.train.optimizer import Optimizer
from chainrule.train.optimizers import Adam
from chainrule.train.schedules import InverseSquareRoot

FEWEST_EPOCHS = 5


@immutable
class Usual(Shown):
    """An optimizer, how many steps it is usually given, and why these."""

    optimizer: Optimizer
    steps: int
    reason: str

    def epochs(self, examples: int, batch_size: int) -> int:
        """The steps in epochs of `examples` examples, at least 5: each example is seen that often.

        >>> usual("classification", inputs=4, parameters=803, examples=120).epochs(120, 32)
        500
        """
        return max(FEWEST_EPOCHS, -(-self.steps // -(-examples // batch_size)))


@checked
def usual(task: Literal["classification", "regression"], *, inputs: Count, parameters: int, examples: Count) -> Usual:
    """What is usual for `examples` examples with so many inputs, and a network with so many parameters.

    A thousand steps or two at a falling rate are enough for a table, and more would learn its noise by heart. A curve or a plane has detail
    that a table has not, and a network with fewer parameters than examples cannot learn these by heart: both take ten thousand steps.
    Measured on thirty public tables, with curves and points in the plane beside them: benchmarks/default_answers.py.

    >>> usual("regression", inputs=1, parameters=151, examples=100)
    Usual(optimizer=Adam(0.01), steps=10000, reason='a curve or a plane has detail, which takes many steps')
    >>> usual("classification", inputs=784, parameters=79510, examples=60000).optimizer
    Adam(InverseSquareRoot(0.003))
    """
    if inputs <= 2:
        return Usual(Adam(0.01), 10_000, "a curve or a plane has detail, which takes many steps")
    if task == "regression" and parameters < examples:
        return Usual(Adam(0.01), 10_000, "a network with fewer parameters than examples does not learn their noise by heart")
    reason = "few steps at a falling rate learn a table before they learn its noise by heart"
    return Usual(Adam(InverseSquareRoot(0.003)), 2_000 if task == "classification" else 1_000, reason)


def usual_network(data: Dataset, loss: object = None) -> str:
    """The text of a network for these data: one hidden layer of 100 relu neurons, or a memory for texts, whose ids are no sizes.

    It has an output to each number that the loss compares, behind which errors or a weight may stand.

    >>> from chainrule.data import moons
    >>> usual_network(moons())
    '2-100-2'
    """
    hidden = "100"
    if data.text is not None and data.text.length is not None:
        hidden = f"embedding{len(data.text.vocabulary)}x16-lstm32" if data.text.encoding == "ids" else "lstm32"
    elif len(data.input_shape) > 1:
        hidden = "flatten-100"
    outputs = data.target_size if loss is None else objective(loss).compared(data.target_size)
    return f"{'x'.join(map(str, data.input_shape))}-{hidden}-{outputs}"


@checked
def usual_batch_size(count: Count) -> int:
    """How many of `count` training examples a batch has unless it is said: 32, or all where there are fewer.

    >>> usual_batch_size(60_000), usual_batch_size(4)
    (32, 4)
    """
    return min(32, count)


@checked
def usual_evaluation(epochs: int) -> int:
    """After how many epochs the scores are taken unless it is said: so that there are about fifty, which a picture and a log can show.

    >>> usual_evaluation(5), usual_evaluation(10_000)
    (1, 200)
    """
    return max(1, epochs // 50)
