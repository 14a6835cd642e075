"""Ising spins on a square lattice, 64 lattices to a machine word: Metropolis sweeps and cluster turns for all of them at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chainrule.data.rows import in_turn, threads

Floats = NDArray[np.float64]
Words = NDArray[np.uint64]
Sites = NDArray[np.int64]

# Chances are rounded to multiples of 2⁻²⁴. At the critical point that shifts the temperature by less than 3·10⁻⁷ of itself.
_DIGITS = 24
_LATTICES_AT_ONCE = 512
_SHIFTS = ((1, 0), (-1, 0), (0, 1), (0, -1))


class SpinLattices:
    """Many independent lattices of size × size spins with periodic borders, each at a temperature of its own (J = k_B = 1).

    The sites are coloured like a chessboard, so that all neighbours of an even site are odd. `even` and `odd` have shape
    (size²/2, words): bit b of word w belongs to lattice 64 w + b, and is 1 for a spin that points up. Lattices begin ordered,
    up or down by chance. The size is even.

    >>> SpinLattices(4, np.full(3, 2.0), np.random.default_rng(0)).spins().shape
    (3, 16)
    """

    def __init__(self, size: int, temperatures: Floats, random: np.random.Generator) -> None:
        self.size, self.count, self._random = size, len(temperatures), random
        words = -(-self.count // 64)
        inverse = np.ones(words * 64)
        inverse[: self.count] = 1 / temperatures
        self._turn, self._bond = _digits(np.exp(-4 * inverse)), _digits(-np.expm1(-2 * inverse))
        self._odd_beside_even, self._even_beside_odd = _neighbours(size)
        start = self._coins((1, words))
        self.even, self.odd = (np.repeat(start, size * size // 2, axis=0) for _ in ("even", "odd"))

    def step(self) -> None:
        """One Metropolis sweep over all sites, then turns of clusters.

        The sweep settles what is small, the clusters what is large. Sources: Metropolis and others, J. Chem. Phys. 21 (1953) 1087;
        Swendsen and Wang, Phys. Rev. Lett. 58 (1987) 86.
        """
        self.sweep()
        self.turn_clusters()

    def sweep(self) -> None:
        """Offers a turn to every spin, first on the even sites, then on the odd; taken with chance min(1, exp(−ΔE/T))."""
        self._offer(self.even, self.odd.take(self._odd_beside_even, axis=0))
        self._offer(self.odd, self.even.take(self._even_beside_odd, axis=0))

    def turn_clusters(self) -> None:
        """Bonds between equal neighbours with chance 1 − exp(−2/T), then turns all clusters that hold one of some random sites.

        With the bonds given, all ways to turn whole clusters are equally likely, so any choice that does not look at the spins keeps
        the law. One such choice, a single site, is Wolff's, Phys. Rev. Lett. 62 (1989) 361.
        """
        chance = self._chances(self._bond, (4, *self.even.shape))
        bonds = chance & ~(self.odd.take(self._odd_beside_even, axis=0) ^ self.even)
        # The same bonds as the odd sites see them: the neighbour in one direction has its bond in the other.
        returning = np.stack([bond.take(there, axis=0) for bond, there in zip(bonds, self._even_beside_odd, strict=True)])
        even, odd = self._seeds(), np.zeros_like(self.odd)
        while True:
            odd |= _reached(even, self._even_beside_odd, returning)
            grown = even | _reached(odd, self._odd_beside_even, bonds)
            if np.array_equal(grown, even):
                break
            even = grown
        self.even ^= even
        self.odd ^= odd

    def spins(self) -> NDArray[np.uint8]:
        """All spins as 0 (down) and 1 (up), shape (lattices, size²), row after row."""
        words = np.empty((self.size**2, self.even.shape[1]), np.uint64)
        words[_sites(self.size, 0)], words[_sites(self.size, 1)] = self.even, self.odd
        # The bytes of a word in the order of its bits on every machine.
        bits = np.unpackbits(words.astype("<u8").view(np.uint8), axis=1, bitorder="little")
        return np.ascontiguousarray(bits[:, : self.count].T)

    def _offer(self, spins: Words, beside: Words) -> None:
        first, second, third, fourth = beside ^ spins  # 1 where a neighbour is opposite
        left, right = first | second, third | fourth
        two_or_more = (first & second) | (third & fourth) | (left & right)
        # With one opposite neighbour of four the turn costs 4, with none 8: chance p = exp(−4/T), and p².
        once, twice = (self._chances(self._turn, spins.shape) for _ in ("once", "twice"))
        spins ^= two_or_more | (once & (left | right | twice))

    def _seeds(self) -> Words:
        # A fraction of the sites, in each step another, so that clusters of every extent have their turn.
        halvings = int(self._random.integers(1, len(self.even).bit_length() + 1))
        return np.bitwise_and.reduce([self._coins(self.even.shape) for _ in range(halvings)], axis=0)

    def _chances(self, digits: Words, shape: tuple[int, ...]) -> Words:
        """Words whose bits are 1 with the chance of their lattice: random binary fractions below it, compared digit by digit."""
        below, undecided = np.zeros(shape, np.uint64), np.empty(shape, np.uint64)
        for digit in digits:
            coins = self._coins(shape)
            # A coin of 1 stands for the digit 0. Against a digit of 1 it is below, 0 against 0 is above; else later digits decide.
            # In place: (below & coins) | ((below ^ coins) & digit).
            np.bitwise_xor(below, coins, out=undecided)
            undecided &= digit
            below &= coins
            below |= undecided
        return below

    def _coins(self, shape: tuple[int, ...]) -> Words:
        return self._random.bit_generator.random_raw(shape)  # as integers() gives them, without its looks at the bounds


def sample_spins(size: int, temperatures: Floats, steps: int, seed: int) -> NDArray[np.uint8]:
    """One lattice for each temperature, each from a Markov chain of its own: shape (n, size²), 0 for down and 1 for up.

    Lattices are worked on in blocks of 512, each with a random generator of its own, so that threads do not change the result.
    """
    begins = range(0, len(temperatures), _LATTICES_AT_ONCE)
    seeds = np.random.SeedSequence(seed).spawn(len(begins))

    def block(begin: int, own: np.random.SeedSequence) -> NDArray[np.uint8]:
        part = temperatures[begin : begin + _LATTICES_AT_ONCE]
        lattices = SpinLattices(size, part, np.random.Generator(np.random.SFC64(own)))
        for _ in range(steps):
            lattices.step()
        return lattices.spins()

    # NumPy leaves other threads free to run while it works on large arrays; more of them than processors only hinder each other.
    return np.concatenate(list(in_turn(lambda each: block(*each), zip(begins, seeds, strict=True), threads())))


def _reached(sites: Words, beside: Sites, bonds: Words) -> Words:
    """The sites that a bond, one to each direction, joins to one that is set."""
    joined = sites.take(beside, axis=0)
    joined &= bonds
    first, second, third, fourth = joined
    first |= second
    first |= third
    first |= fourth
    return first


def _digits(chance: Floats) -> Words:
    """The binary digits of chances, the last first, as words: shape (24, words)."""
    whole = np.rint(chance * 2**_DIGITS).astype(np.int64).clip(0, 2**_DIGITS - 1)  # 1 has a digit too many
    digits = (whole >> np.arange(_DIGITS)[:, None]) & 1
    return np.packbits(digits.astype(np.uint8), axis=1, bitorder="little").view("<u8").astype(np.uint64)


def _sites(size: int, colour: int) -> Sites:
    site = np.arange(size * size)
    return np.flatnonzero((site // size + site % size) % 2 == colour)


def _neighbours(size: int) -> tuple[Sites, Sites]:
    """The odd neighbours of the even sites, and the even ones of the odd sites in the opposite directions: shape (4, size²/2)."""
    even, odd = _sites(size, 0), _sites(size, 1)
    place = np.empty(size * size, np.int64)
    place[even] = place[odd] = np.arange(len(even))

    def beside(sites: Sites, sign: int) -> Sites:
        row, column = sites // size, sites % size
        rows = [(row + sign * down) % size * size + (column + sign * right) % size for down, right in _SHIFTS]
        return place[np.array(rows)]

    return beside(even, 1), beside(odd, -1)
