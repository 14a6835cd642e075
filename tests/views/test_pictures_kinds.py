"""What a picture is offered for: no run is offered one that refuses it, and none is kept from one that would not."""

import inspect
from typing import get_type_hints

import numpy as np
import pytest

import chainrule as cr

RANDOM = np.random.default_rng(0)
PIXELS = RANDOM.integers(0, 255, size=(40, 12, 12)).astype(np.uint8)


def text_run():
    data = cr.data.next_character(cr.data.VILLAGE.text(800, seed=4), length=5, encoding="ids", test=0.3)
    net = cr.Sequential(cr.Embedding(data.target_size, 3), cr.GRU(6), cr.Dense(data.target_size, "softmax"))
    return cr.fit(net, data, epochs=1)


def words_run():
    net = cr.Sequential(cr.Dense(1, "step"))
    return cr.fit(net, cr.data.opinions(60), optimizer=cr.PerceptronRule(), batch_size=1, epochs=1)


RUNS = {
    "plane": lambda: cr.fit("2-4-2 tanh softmax", cr.data.moons(60), epochs=1, batch_size=10),
    "one border": lambda: cr.fit("2-2:softmax", cr.data.moons(60), epochs=1, batch_size=10),
    "no test": lambda: cr.fit("2-3-1 tanh sigmoid", cr.data.xor(), epochs=1, batch_size=4),
    "curve": lambda: cr.fit("1-4-1 relu", "curve", epochs=1, batch_size=10),
    "curve that bends": lambda: cr.fit("1-4-1 tanh tanh", "curve", epochs=1, batch_size=10),
    "numbers": lambda: cr.fit("3-5-1 tanh", (RANDOM.normal(size=(60, 3)), RANDOM.normal(size=60)), epochs=1, batch_size=10),
    "never scored": lambda: cr.fit("2-4-2 tanh softmax", cr.data.moons(60), epochs=0, batch_size=10),
    "pixels": lambda: cr.fit("12x12-flatten-6-4 relu", (PIXELS, np.arange(40) % 4), epochs=1, batch_size=10),
    "convolution": lambda: cr.fit("12x12x1-conv3x3x2-relu()-flatten-4", (PIXELS[..., None], np.arange(40) % 4), epochs=1, batch_size=10),
    "sequences": lambda: cr.fit("6x2-lstm3-1", (RANDOM.normal(size=(40, 6, 2)), RANDOM.normal(size=40)), epochs=1, batch_size=10),
    "each step": lambda: cr.fit(
        cr.Sequential(cr.TimeDistributed(cr.Dense(3, "tanh")), cr.Flatten(), cr.Dense(1)),
        (RANDOM.normal(size=(40, 6, 2)), RANDOM.normal(size=40)), epochs=1, batch_size=10,
    ),
    "short sequences": lambda: cr.fit("6x2-flatten-3-2 relu", (RANDOM.normal(size=(40, 6, 2)), np.arange(40) % 2), epochs=1, batch_size=10),
    "ids": lambda: cr.fit(
        cr.Sequential(cr.OneHot(5), cr.Flatten(), cr.Dense(4, "relu"), cr.Dense(1)),
        (RANDOM.integers(0, 5, size=(40, 2)), RANDOM.normal(size=40)), epochs=1, batch_size=10,
    ),
    "an id": lambda: cr.fit(
        cr.Sequential(cr.Embedding(5, 3, name="users"), cr.Flatten(), cr.Dense(4, "relu"), cr.Dense(1)),
        (RANDOM.integers(0, 5, size=(40, 1)), RANDOM.normal(size=40)), epochs=1, batch_size=10,
    ),
    "classes of ids": lambda: cr.fit(
        cr.Sequential(cr.Embedding(5, 3, name="users"), cr.Flatten(), cr.Dense(4, "relu"), cr.Dense(2, "softmax")),
        (RANDOM.integers(0, 5, size=(40, 2)), np.arange(40) % 2), epochs=1, batch_size=10,
    ),
    "text": text_run,
    "counts of words": words_run,
}  # fmt: skip
SLOW = {"time_per_example"}


def refusal(name, run):
    try:
        getattr(cr.pictures, name)(run)
    except cr.errors.ChainruleError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("kind", RUNS)
def test_a_run_is_offered_what_does_not_refuse_it_and_nothing_else(kind):
    run = RUNS[kind]()
    offered = set(cr.pictures.of(run).column("picture"))
    for name in cr.pictures.__all__:
        function = inspect.unwrap(getattr(cr.pictures, name))
        if not inspect.isfunction(function) or get_type_hints(function).get("return") is not cr.pictures.View or name in SLOW:
            continue
        first, *others = inspect.signature(function).parameters.values()
        takes_a_run = any(word in str(first.annotation) for word in ("Run", "Source")) and "Mapping" not in str(
            first.annotation
        )
        if not takes_a_run or "Sequence" in str(first.annotation) or any(other.default is other.empty for other in others):
            continue
        assert (name in offered) == (not refusal(name, run)), f"{name}: {refusal(name, run) or 'would not refuse'}"


def test_batches_have_sizes_that_the_examples_suffice_for():
    run = RUNS["plane"]()
    found = cr.pictures.batch_angles(run.model(), run.data.test.x[:20], run.data.test.y[:20])
    assert found.numbers["batch_sizes"].tolist() == [1, 4, 16]
