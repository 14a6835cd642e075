"""Random numbers that depend on a key and a position only: threefry-2x32, as an op.

Source: J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC11 (2011).
"""

from __future__ import annotations

import math
import zlib
from math import prod
from typing import Annotated

import numpy as np

from chainrule.checks import Interval, Natural, NonNegative, Seed, checked
from chainrule.errors import DtypeError
from chainrule.graph import Array, Node, Shape, Type
from chainrule.ops.declare import op
from chainrule.ops.elementwise import cast, cos, log, sqrt
from chainrule.ops.shapes import row

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA  # Skein's constant, so that a key of zeros is not a fixed point


def threefry2x32(key: Array, high: Array, low: Array) -> tuple[Array, Array]:
    """The block cipher with 20 rounds: two words of 32 bits for each counter (high, low).

    Shapes: key (2,) uint32; high, low: any one shape, uint32. Equal to Random123's threefry2x32_R(20, ...).
    """
    keys = (key[0], key[1], np.uint32(_PARITY) ^ key[0] ^ key[1])
    with np.errstate(over="ignore"):
        a, b = high + keys[0], low + keys[1]
        for group in range(5):
            for rotation in _ROTATIONS[group % 2]:
                a = a + b
                b = ((b << np.uint32(rotation)) | (b >> np.uint32(32 - rotation))) ^ a
            a = a + keys[(group + 1) % 3]
            b = b + keys[(group + 2) % 3] + np.uint32(group + 1)
    return a, b


def _require_key(key: Type) -> None:
    if key != Type("uint32", (2,)):
        raise DtypeError(f"a random key of {key!r}", expected="uint32[2]", remedy="make it with ops.random.key(seed)")


def _bits_type(key: Type, *, shape: Shape) -> Type:
    _require_key(key)
    return Type("uint32", tuple(shape))


@op(_bits_type, "random_bits({0})", r"\operatorname{{bits}}({0})", convention="no gradient", kind="random")
def random_bits(key: Array, *, shape: Shape) -> Array:
    """32 random bits for each entry: entry i is word i mod 2 of the block with counter ⌊i/2⌋.

    >>> from chainrule.graph import constant, compute
    >>> compute([random_bits(constant(key(0)), shape=(2,))])[0]
    array([1797259609, 2579123966], dtype=uint32)
    """
    size = prod(shape)
    block = np.arange((size + 1) // 2, dtype=np.uint64)
    words = threefry2x32(key, (block >> np.uint64(32)).astype(np.uint32), block.astype(np.uint32))
    return np.stack(words, axis=-1).reshape(-1)[:size].reshape(shape)


def _fold_type(key: Type, word: Type) -> Type:
    _require_key(key)
    if word != Type("uint32"):
        raise DtypeError(f"random_fold of {word!r}", expected="uint32[]", remedy="cast the word to uint32")
    return key


@op(_fold_type, "fold({0}, {1})", r"\operatorname{{fold}}({0}, {1})", convention="no gradient", kind="random")
def random_fold(key: Array, word: Array) -> Array:
    """A new key from a key and a number: one block, with the number as its counter."""
    # The high word is all ones, which no counter of random_bits has: keys and numbers never come from the same block.
    return np.stack(threefry2x32(key, np.array(0xFFFFFFFF, dtype=np.uint32), np.asarray(word, dtype=np.uint32)))


@checked
def key(seed: Seed) -> Array:
    """The key that a seed stands for: its high and low 32 bits. Shape (2,), uint32.

    >>> key(7)
    array([0, 7], dtype=uint32)
    """
    return np.array([seed >> 32, seed & 0xFFFFFFFF], dtype=np.uint32)


@checked
def stream(name: str) -> Array:
    """The number that stands for a name when a key is folded with it (CRC-32), so that other names do not shift it."""
    return np.array(zlib.crc32(name.encode()), dtype=np.uint32)


@checked
def uniform(key: Node, shape: Shape, low: float = 0.0, high: float = 1.0) -> Node:
    """Uniform numbers in (low, high), in float64 with 32 random bits each; the ends are never reached."""
    unit = (cast(random_bits(key, shape=shape), dtype="float64") + 0.5) * 2.0**-32
    return unit * (high - low) + low


@checked
def normal(key: Node, shape: Shape, mean: float = 0.0, std: NonNegative = 1.0) -> Node:
    """Normal numbers in float64, by Box and Muller (1958) from two uniform ones each; none lies beyond 6.8 deviations."""
    pairs = uniform(key, (2, *shape))
    first, second = (row(pairs, place) for place in (0, 1))
    return sqrt(log(first) * -2.0) * cos(second * (2.0 * math.pi)) * std + mean


@checked
def epoch_order(seed: Seed, epoch: Annotated[int, Interval(least=0, below=2**32)], count: Natural) -> Array:
    """The order of the examples in an epoch: a permutation of 0 ... count − 1 that depends on these three numbers only.

    Fisher and Yates' shuffle: for i = count − 1 ... 1 the entries i and j = ⌊u·(i + 1)/2³²⌋ are exchanged, u being entry i of
    the random bits whose key is the seed's, folded with the stream "order" and the epoch. Shape (count,), int64.

    >>> epoch_order(seed=0, epoch=0, count=5)
    array([...])
    """
    folded = random_fold.meaning(random_fold.meaning(key(seed), stream("order")), np.uint32(epoch))
    bits = random_bits.meaning(folded, shape=(count,)).astype(np.uint64)
    partners = ((bits * np.arange(1, count + 1, dtype=np.uint64)) >> np.uint64(32)).tolist()
    order = list(range(count))
    for i in range(count - 1, 0, -1):
        j = partners[i]
        order[i], order[j] = order[j], order[i]
    return np.array(order, dtype=np.int64)
