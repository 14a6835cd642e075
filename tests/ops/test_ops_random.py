"""Random numbers: the cipher's known answers, laws of the distributions, and values that never change between versions."""

from __future__ import annotations

import itertools
from collections import Counter

import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from jax.extend.random import threefry_2x32

from chainrule import ops
from chainrule.errors import DtypeError, OptionError
from chainrule.graph import Node, compute, constant

ONES = 0xFFFFFFFF
# Random123 1.14, kat_vectors, threefry2x32 with 20 rounds: key, counter, answer.
KNOWN = [
    ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
    ((ONES, ONES), (ONES, ONES), (0x1CB996FC, 0xBB002BE7)),
    ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
]

GOLDEN_BITS = [1797259609, 2579123966, 928981903, 3453687069]
GOLDEN_FOLD = [1065179034, 1741568792]
GOLDEN_UNIFORM = [0.11815024667885154, 0.4314747160533443, 0.4537587441736832]
GOLDEN_NORMAL = [2.0593908356724375, -1.178143332759183, 0.9652528824114739]
GOLDEN_ORDERS = [[2, 5, 8, 9, 6, 4, 0, 1, 3, 7], [6, 9, 2, 7, 4, 1, 8, 3, 0, 5]]


def words(*numbers: int) -> np.ndarray:
    return np.array(numbers, dtype=np.uint32)


@pytest.mark.parametrize(("key", "counter", "answer"), KNOWN)
def test_known_answers(key, counter, answer) -> None:
    high, low = ops.threefry2x32(words(*key), words(counter[0]), words(counter[1]))
    assert (high[0], low[0]) == answer
    assert tuple(threefry_2x32(words(*key), jnp.asarray(counter, dtype="uint32")).tolist()) == answer


def test_many_blocks_against_jax() -> None:
    generator = np.random.default_rng(0)
    key, counters = (generator.integers(0, 2**32, shape, dtype=np.uint32) for shape in [2, (2, 5000)])
    ours = np.stack(ops.threefry2x32(key, *counters))
    assert ours.tobytes() == np.asarray(threefry_2x32(key, jnp.asarray(counters))).tobytes()


def draw(node: Node) -> np.ndarray:
    return compute([node])[0]


def key_node(seed: int) -> Node:
    return constant(ops.key(seed))


def test_more_bits_begin_with_the_same_bits() -> None:
    long = draw(ops.random_bits(key_node(3), shape=(40,)))
    for size in (0, 1, 2, 7, 39):
        assert draw(ops.random_bits(key_node(3), shape=(size,))).tolist() == long[:size].tolist()
    assert draw(ops.random_bits(key_node(3), shape=(5, 8))).ravel().tolist() == long.tolist()
    assert int(draw(ops.random_bits(key_node(3), shape=()))) == long[0]


def test_golden_values_that_must_never_change() -> None:
    assert ops.key(2**32 + 5).tolist() == [1, 5]
    assert ops.stream("order") == 4113142680
    assert draw(ops.random_bits(key_node(0), shape=(4,))).tolist() == GOLDEN_BITS
    assert draw(ops.random_fold(key_node(0), constant(1, "uint32"))).tolist() == GOLDEN_FOLD
    assert draw(ops.uniform(key_node(1), (3,))).tolist() == GOLDEN_UNIFORM
    np.testing.assert_allclose(draw(ops.normal(key_node(1), (3,))), GOLDEN_NORMAL, rtol=1e-14)
    assert [ops.epoch_order(0, epoch, 10).tolist() for epoch in (0, 1)] == GOLDEN_ORDERS


def largest_gap(sample: np.ndarray, distribution) -> float:
    """Kolmogorov and Smirnov's D, times the root of the sample size."""
    ordered = np.sort(sample.ravel())
    law = distribution(ordered)
    steps = np.arange(ordered.size + 1) / ordered.size
    return float(np.sqrt(ordered.size) * max(np.max(law - steps[:-1]), np.max(steps[1:] - law)))


def normal_law(x: np.ndarray) -> np.ndarray:
    return np.array([float(mpmath.ncdf(v)) for v in x])


def test_uniform_numbers_follow_their_law() -> None:
    sample = draw(ops.uniform(key_node(5), (100_000,)))
    assert sample.min() > 0
    assert sample.max() < 1
    assert abs(sample.mean() - 0.5) < 4 * np.sqrt(1 / 12 / sample.size)
    assert abs(sample.var() - 1 / 12) < 4 * np.sqrt(1 / 180 / sample.size)
    assert largest_gap(sample, lambda x: x) < 1.95  # passed by 99.9 % of honest samples
    scaled = draw(ops.uniform(key_node(5), (100_000,), low=-2.0, high=3.0))
    np.testing.assert_allclose(scaled, sample * 5 - 2, rtol=0, atol=1e-15)


def test_normal_numbers_follow_their_law() -> None:
    sample = draw(ops.normal(key_node(6), (20_000,)))
    n = sample.size
    assert abs(sample.mean()) < 4 / np.sqrt(n)
    assert abs(sample.var() - 1) < 4 * np.sqrt(2 / n)
    assert abs((sample**3).mean()) < 4 * np.sqrt(15 / n)
    assert abs((sample**4).mean() - 3) < 4 * np.sqrt(96 / n)
    assert largest_gap(sample[:5000], normal_law) < 1.95
    scaled = draw(ops.normal(key_node(6), (20_000,), mean=3.0, std=0.1))
    np.testing.assert_allclose(scaled, sample * 0.1 + 3.0, rtol=0, atol=1e-14)


def test_the_law_test_can_fail() -> None:
    assert largest_gap(draw(ops.uniform(key_node(5), (5000,))) ** 1.1, lambda x: x) > 1.95


def test_neighbouring_keys_and_numbers_are_unrelated() -> None:
    a, b = (draw(ops.uniform(key_node(seed), (50_000,))) for seed in (8, 9))
    for one, other in ((a, b), (a[:-1], a[1:]), (a[:-2], a[2:])):
        assert abs(np.corrcoef(one, other)[0, 1]) < 4 / np.sqrt(one.size)


def test_folded_keys_differ_from_each_other_and_from_every_block() -> None:
    folded = {tuple(draw(ops.random_fold(key_node(2), constant(i, "uint32"))).tolist()) for i in range(500)}
    assert len(folded) == 500
    blocks = draw(ops.random_bits(key_node(2), shape=(500, 2))).tolist()
    assert not folded & {tuple(block) for block in blocks}


# The bounds are what chi-squared with 5 and with 23 degrees of freedom stays below in 99.9 % of honest cases.
@pytest.mark.parametrize(("count", "bound"), [(3, 20.52), (4, 49.73)])
def test_every_order_is_equally_likely(count: int, bound: float) -> None:
    orders = list(itertools.permutations(range(count)))
    found = Counter(tuple(ops.epoch_order(seed, epoch, count).tolist()) for seed in range(4) for epoch in range(1200))
    fair = 4800 / len(orders)
    assert sum((found[order] - fair) ** 2 / fair for order in orders) < bound


@pytest.mark.parametrize("count", [0, 1, 2, 1000])
def test_an_epochs_order_is_a_permutation(count: int) -> None:
    order = ops.epoch_order(1, 2, count)
    assert order.dtype == np.int64
    assert sorted(order.tolist()) == list(range(count))


def test_orders_depend_on_seed_and_epoch_and_on_nothing_else() -> None:
    orders = [ops.epoch_order(seed, epoch, 50).tolist() for seed in range(5) for epoch in range(5)]
    assert len(set(map(tuple, orders))) == 25
    assert ops.epoch_order(3, 4, 50).tolist() == orders[3 * 5 + 4]


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_seed_that_no_key_stands_for_is_refused(seed: int) -> None:
    with pytest.raises(OptionError, match=r"seed=.*in key"):
        ops.key(seed)


def test_something_else_than_a_key_is_refused() -> None:
    with pytest.raises(DtypeError, match=r"(?s)a random key of int64\[2\].*uint32\[2\].*ops.*key"):
        ops.random_bits(constant([1, 2]), shape=(3,))
    with pytest.raises(DtypeError, match=r"random_fold of float64\[\]"):
        ops.random_fold(key_node(0), constant(1.0))
