"""Text from a source that is known: a Markov chain of words, with its entropy, and what an ideal reader expects at each character."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from chainrule.checks import checked
from chainrule.data.checks import check_whole
from chainrule.display import Shown
from chainrule.errors import DataError
from chainrule.immutable import immutable

Floats = NDArray[np.float64]


@immutable
@checked
class WordChain(Shown):
    """Writes words, a blank behind each: which comes next depends on the word before, with the probabilities of `follows`.

    Raises DataError if probabilities do not add up to 1, if a word has a blank in it, or if a word follows that is not described.

    >>> coin = WordChain({"heads": {"heads": 0.5, "tails": 0.5}, "tails": {"heads": 0.5, "tails": 0.5}})
    >>> coin.entropy_rate == 1 / 6  # one bit to a word of five letters and a blank
    True
    >>> coin.text(24, seed=1)
    'tails tails heads tails '
    """

    follows: Mapping[str, Mapping[str, float]]

    def __post_init__(self) -> None:
        for word, after in self.follows.items():
            known = all(other in self.follows and share > 0 for other, share in after.items())
            if not word or " " in word or not known or abs(sum(after.values()) - 1) > 1e-9:
                raise DataError(
                    f"after {word!r} come {dict(after)}",
                    expected="words without blanks that are described themselves, with probabilities that add up to 1",
                    remedy="describe each word that follows, and let its probabilities add up to 1",
                )

    @property
    def words(self) -> tuple[str, ...]:
        """The words."""
        return tuple(self.follows)

    @cached_property
    def transitions(self) -> Floats:
        """The probability of each word, by column, after each word, by row: (words, words)."""
        return np.array([[self.follows[word].get(other, 0.0) for other in self.words] for word in self.words])

    @cached_property
    def shares(self) -> Floats:
        """How often each word comes in a long text: π = π·P, which adds up to 1; (words,)."""
        count = len(self.words)
        equations = np.vstack([self.transitions.T - np.eye(count), np.ones(count)])
        return np.asarray(np.linalg.lstsq(equations, np.append(np.zeros(count), 1.0), rcond=None)[0], np.float64)

    @property
    def entropy_rate(self) -> float:
        """Bits to a character in a long text, which no reader can undercut: Σ_w π_w H(P_w) over Σ_w π_w (letters + 1).

        Source: C. E. Shannon, Bell System Technical Journal 27, 379 (1948), section 7.
        """
        p = self.transitions
        logs = np.log2(p, out=np.zeros_like(p), where=p > 0)
        lengths = np.array([len(word) + 1 for word in self.words])
        return float(self.shares @ -(p * logs).sum(axis=1) / (self.shares @ lengths))

    def text(self, length: int, *, seed: int = 0) -> str:
        """A text of so many characters, the first word drawn by the words' shares."""
        check_whole("length", length, least=1)
        check_whole("seed", seed, least=0)
        random, ends = np.random.default_rng(seed), self.transitions.cumsum(axis=1)
        place = _drawn(self.shares.cumsum(), random)
        parts = [self.words[place]]
        size = len(parts[0]) + 1
        while size < length:
            place = _drawn(ends[place], random)
            parts.append(self.words[place])
            size += len(parts[-1]) + 1
        return (" ".join(parts) + " ")[:length]

    def bits(self, text: str) -> Floats:
        """The surprise −log₂ p of each character of a text of this source, for a reader who knows the source: (characters,).

        A character's p is the fraction of the words that are still possible which go on with it. The text begins with a whole word.
        """
        surprises: list[float] = []
        after = dict(zip(self.words, self.shares.tolist(), strict=True))
        possible, written = after, ""
        for character in text:
            # A blank ends a word.
            kept = {word: share for word, share in possible.items() if f"{word} ".startswith(written + character)}
            if not kept:
                raise DataError(
                    f"{written + character!r} in a text",
                    expected="words of this source, each where it may stand",
                    remedy="give a text that the source wrote",
                )
            surprises.append(float(np.log2(sum(possible.values()) / sum(kept.values()))))
            possible, written = kept, written + character
            if character == " ":
                possible, written = dict(self.follows[written[:-1]]), ""
        return np.array(surprises)


def _drawn(ends: Floats, random: np.random.Generator) -> int:
    return int(np.count_nonzero(ends <= random.random() * ends[-1]))


_VERBS = {"sings": 0.3, "sleeps": 0.3, "waits": 0.2, "sees": 0.1, "finds": 0.1}
VILLAGE = WordChain(
    {
        "the": {"cat": 0.3, "boy": 0.3, "old": 0.15, "boat": 0.15, "river": 0.1},
        "a": {"boat": 0.4, "cat": 0.3, "small": 0.3},
        "old": {"man": 0.6, "boat": 0.2, "cat": 0.2},
        "small": {"cat": 0.5, "boy": 0.3, "boat": 0.2},
        "cat": _VERBS,
        "boy": {"sees": 0.4, "finds": 0.4, "sings": 0.2},
        "man": {"finds": 0.5, "waits": 0.3, "sings": 0.2},
        "boat": {"turns": 0.5, "waits": 0.4, "and": 0.1},
        "river": {"turns": 0.4, "rises": 0.6},
        "sings": {"and": 0.5, "softly": 0.5},
        "sleeps": {"softly": 0.3, "and": 0.3, "while": 0.4},
        "waits": {"while": 0.7, "and": 0.3},
        "turns": {"and": 0.6, "while": 0.4},
        "rises": {"and": 0.5, "while": 0.5},
        "sees": {"the": 0.6, "a": 0.4},
        "finds": {"a": 0.7, "the": 0.3},
        "softly": {"and": 0.4, "while": 0.6},
        "and": {"the": 0.6, "sings": 0.2, "waits": 0.2},
        "while": {"the": 0.8, "a": 0.2},
    }
)
"""A source of text that reads a little like a story, made for this library: 19 words, 0.293 bits to a character."""
