"""Examples: facts are judged rightly, every training agrees between the engines over its first hundred steps."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import numpy as np
import pytest

from chainrule.data import Dataset
from chainrule.errors import OptionError
from chainrule.examples import EXAMPLES, Fact, Outcome, example
from chainrule.train import Training

STEPS = 100


@pytest.mark.parametrize(
    ("fact", "agrees", "said"),
    [
        (Fact("T_c", 2.2714, 0.0042, reference=2.26919), True, "T_c = 2.271 ± 0.004, known 2.26919: 0.5 σ away, agrees"),
        (
            Fact("T_c", 2.2714, 0.0010, reference=2.26919),
            False,
            "T_c = 2.271 ± 0.001, known 2.26919: 2.2 σ away, does not agree",
        ),
        (Fact("share", 0.99, minimum=0.98), True, "share = 0.99, at least 0.98: agrees"),
        (Fact("share", 0.99, 0.02, minimum=0.98), False, "share = 0.99 ± 0.02, at least 0.98: does not agree"),
        (Fact("error", 3.0, maximum=2.0, unit="eV"), False, "error = 3 eV, at most 2: does not agree"),
        (Fact("count", 4.0, reference=4.0, source="counting"), True, "count = 4, known 4 (counting): agrees"),
        (Fact("rate", 12.3, 2.0), None, "rate = 12 ± 2"),
    ],
)
def test_facts_are_judged(fact, agrees, said):
    assert fact.agrees is agrees
    assert str(fact) == said
    assert Outcome("", (fact,)).holds is (agrees is not False)


def test_a_misspelt_example_is_refused_with_a_hint():
    with pytest.raises(OptionError, match="convolution"):
        example("convolutoin")


def few(data: Dataset, count: int) -> Dataset:
    """The same data with fewer examples to learn from, and few to be judged by."""
    return dataclasses.replace(data, train=data.train[:count], validation=None, test=None, origin=None)


def first_losses(training: Training, engine: str, *, nudge: float = 0.0) -> np.ndarray:
    """The losses of its first hundred steps; small data are gone over as often as that takes, and no more often.

    nudge: all first weights are changed by that share.
    """
    size = training.batch_size or 32
    data = few(training.data, STEPS * size)
    short = training.changed(data=data)
    # One replica, and no evaluation at the end: the reference engine is slow, and each replica is as a run of its own.
    epochs = STEPS // math.ceil(len(data.train) / size) + 1
    changed = {"engine": engine, "dtype": "float64", "replicas": 1, "evaluate_every": 0}
    if nudge:
        first = short.changed(**changed, epochs=0).fit().parameters()
        changed["initial"] = {name: value * (1 + nudge) for name, value in first.items()}
    run = short.changed(**changed, epochs=epochs).fit(callbacks=lambda moment: moment.step >= STEPS)
    return run.history.steps()[:, :STEPS]


def distinct(trainings: Mapping[str, Training]) -> dict[str, Training]:
    """The trainings without those that repeat another one with other seeds and other examples: their graphs are the same."""
    found = {}
    for name, training in trainings.items():
        options = {
            item.name: getattr(training, item.name)
            for item in dataclasses.fields(training)
            if item.name not in {"data", "seed"}
        }
        data = training.data
        found.setdefault(repr((options, data.input_shape, data.target_size, len(data.train))), (name, training))
    return dict(found.values())


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_engines_agree_over_the_first_hundred_steps(name):
    for part, training in distinct(EXAMPLES[name].trainings(0)).items():
        reference, native = (first_losses(training, engine) for engine in ("reference", "native"))
        apart, allowed = np.abs(native - reference), 1e-8 * np.abs(reference) + 1e-12
        if np.any(apart > allowed):
            # Where gradients explode a last digit grows too: no more is asked than the reference agrees with itself, one digit changed.
            itself = np.abs(first_losses(training, "reference", nudge=2.0**-52) - reference)
            allowed += 100 * np.maximum.accumulate(itself, axis=1)
        assert np.all(apart <= allowed), (name, part, float(np.max(apart / allowed)))
