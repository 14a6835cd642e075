"""How texts become the inputs of a network, kept with it, so that it can be asked about new texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from chainrule.data.examples import Array
from chainrule.data.text import PADDING, Padding, Vocabulary, characters, encoded, words
from chainrule.descriptions import Written, described
from chainrule.errors import DataError, OptionError
from chainrule.spelling import listed

Tokens = Literal["characters", "words"]
TextEncoding = Literal["one_hot", "ids", "counts"]
_CUTTERS = {"characters": characters, "words": words}
_BETWEEN = {"characters": "", "words": " "}
_VERSION = 1


@described
class TextInput(Written):
    """Cuts a text into tokens, looks them up in the vocabulary, and writes them down as a network takes them.

    tokens: "characters" or "words". encoding: "one_hot" (length, tokens), "ids" (length,), or "counts": how often each token but
    padding and unknown stands in the text. Short texts are filled up on the side `padding`; of a longer one the end is read where
    `cut` says so, else it is refused.

    >>> reader = TextInput(Vocabulary.of("abc"), "characters", "ids", 4, cut=True)
    >>> reader.encode(["ab", "abcabc"])
    array([[0, 0, 2, 3],
           [4, 2, 3, 4]], dtype=uint8)
    >>> reader.decode(reader.encode("ab")[0])
    'ab'
    """

    vocabulary: Vocabulary
    tokens: Tokens
    encoding: TextEncoding
    length: int | None = None
    padding: Padding = "before"
    cut: bool = False

    def __post_init__(self) -> None:
        counts = self.encoding == "counts"
        if self.tokens not in _CUTTERS or self.encoding not in ("one_hot", "ids", "counts") or (self.length is None) != counts:
            raise OptionError(
                f"a text as {self.tokens!r} in the encoding {self.encoding!r} with the length {self.length}",
                expected='"characters" or "words"; "one_hot" or "ids" with a length, or "counts" without one',
                remedy="use cr.data.next_character, story or opinions, which choose them",
            )

    @property
    def next_classes(self) -> tuple[str, ...]:
        """The names of the classes of a network that predicts the next token: those of the tokens."""
        return ("<padding>", *self.vocabulary.tokens[1:])

    def cut_up(self, text: str) -> list[str]:
        """The text's tokens."""
        return _CUTTERS[self.tokens](text)

    def joined(self, tokens: Sequence[str]) -> str:
        """The text of tokens; padding is left out."""
        return _BETWEEN[self.tokens].join(token for token in tokens if token != PADDING)

    def encode(self, texts: str | Sequence[str], *, unknown: bool = False) -> Array:
        """The inputs (n, ...) of one text or several.

        Raises DataError for tokens that the vocabulary lacks, and names them; with `unknown` they count as <unknown>.
        """
        cut = [self.cut_up(text) for text in ([texts] if isinstance(texts, str) else texts)]
        if not unknown:
            self._require_known(cut)
        if self.encoding == "counts":
            return self.vocabulary.counts(cut)[:, 2:]
        ends = [tokens[-self.length :] for tokens in cut] if self.cut and self.length else cut
        return encoded(self.vocabulary, self.vocabulary.padded(ends, self.length, padding=self.padding), self.encoding)

    def decode(self, x: Array) -> str:
        """The text of one input. Raises DataError for counts, which do not hold the order of the words."""
        if self.encoding == "counts":
            raise DataError(
                "a text from counts of its words", expected="one-hot rows or ids", remedy="keep the texts beside the counts"
            )
        ids = x.argmax(axis=1) if self.encoding == "one_hot" else x
        return self.joined(self.vocabulary.texts(int(place) for place in np.asarray(ids)))

    def _require_known(self, cut: Sequence[Sequence[str]]) -> None:
        lacking = list(dict.fromkeys(token for tokens in cut for token in tokens if token not in self.vocabulary))
        if lacking:
            raise DataError(
                f"the text has {listed(lacking)}, which the network's vocabulary lacks",
                expected=f"{self.tokens} among {listed(self.vocabulary.tokens[2:])}",
                remedy="leave them out, or write others",
            )
