"""Text as numbers: tokens by characters and words, a vocabulary that is kept with the network, ids, one-hot rows, counts, masks."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from chainrule.checks import checked, shown
from chainrule.data.examples import Array
from chainrule.descriptions import Written, described
from chainrule.errors import DataError, FileFormatError, MissingFileError, OptionError, PositionError, ShapeError
from chainrule.files import writing
from chainrule.spelling import listed

Ids = NDArray[np.int64]
Padding = Literal["before", "after"]

PADDING = ""
"""The token that fills short texts up; no text contains it. Its id is 0, and its one-hot row is all zeros."""
UNKNOWN = "<unknown>"
"""The token that stands for all that the vocabulary lacks; its id is 1."""
_VERSION = 1
_WORD = re.compile(r"\w+(?:['’-]\w+)*|[^\w\s]")


@checked
def characters(text: str) -> list[str]:
    """The characters of a text, one token each; nothing is lost.

    >>> characters("a cat")
    ['a', ' ', 'c', 'a', 't']
    """
    return list(text)


@checked
def words(text: str) -> list[str]:
    """The words and the punctuation marks of a text in small letters; blanks and line ends separate and are dropped.

    >>> words("Don't wait: Mary's well-known cat sleeps.")
    ["don't", 'wait', ':', "mary's", 'well-known', 'cat', 'sleeps', '.']
    """
    return _WORD.findall(text.lower())


@described
class Vocabulary(Written):
    """The tokens that a network knows, each with its id: its place in `tokens`. The first two are padding and unknown.

    Raises DataError if the first two are others, or if a token stands twice.

    >>> known = Vocabulary.of(words("the cat sees the dog"))
    >>> known.tokens
    ('', '<unknown>', 'the', 'cat', 'dog', 'sees')
    >>> known.ids(["the", "cow"])
    array([2, 1])
    >>> known.texts([2, 3])
    ['the', 'cat']
    """

    tokens: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.tokens[:2] != (PADDING, UNKNOWN) or len(set(self.tokens)) < len(self.tokens):
            raise DataError(
                f"the tokens {listed(self.tokens)}",
                expected=f"{PADDING!r} and {UNKNOWN!r}, then different tokens",
                remedy="write Vocabulary.of(tokens)",
            )

    @classmethod
    def of(cls, tokens: Iterable[str], *, most: int | None = None) -> Vocabulary:
        """The vocabulary of all these tokens, the commonest first, equally common ones in the order of the alphabet.

        `most` keeps that many of the commonest.
        """
        counts = Counter(tokens)
        for reserved in (PADDING, UNKNOWN):
            counts.pop(reserved, None)
        ranked = sorted(counts, key=lambda token: (-counts[token], token))
        return cls((PADDING, UNKNOWN, *ranked[:most]))

    def __len__(self) -> int:
        return len(self.tokens)

    def __contains__(self, token: object) -> bool:
        return token in self._places

    @cached_property
    def _places(self) -> dict[str, int]:
        return {token: place for place, token in enumerate(self.tokens)}

    def ids(self, tokens: Iterable[str]) -> Ids:
        """The ids of tokens, of shape (n,); 1 for a token that is not known."""
        return np.array([self._places.get(token, 1) for token in tokens], np.int64)

    def texts(self, ids: Iterable[int]) -> list[str]:
        """The tokens of ids; DataError for an id that there is not."""
        found = [int(place) for place in ids]
        wrong = [place for place in found if not 0 <= place < len(self)]
        if wrong:
            raise DataError(
                f"id {wrong[0]}", expected=f"ids from 0 to {len(self) - 1}", remedy="use the vocabulary that made the ids"
            )
        return [self.tokens[place] for place in found]

    def padded(self, texts: Sequence[Sequence[str]], length: int | None = None, *, padding: Padding = "before") -> Ids:
        """The ids of texts of unequal lengths as one array (n, length), short ones filled up with 0 on the side `padding`.

        `length` is that of the longest text if not given. Filled up before, the last token of each text stands in the last
        column, where a network that is read at the final time has just seen it. Raises DataError for a text that is longer.

        >>> Vocabulary.of("ab").padded(["a", "bab"])
        array([[0, 0, 2],
               [3, 2, 3]])
        """
        _check_padding(padding)
        longest = max((len(text) for text in texts), default=0)
        width = longest if length is None else length
        if longest > width:
            raise DataError(
                f"a text of {longest} tokens", expected=f"at most length={width}", remedy=f"write length={longest}, or cut it"
            )
        out = np.zeros((len(texts), width), np.int64)
        for row, text in zip(out, texts, strict=True):
            begin = width - len(text) if padding == "before" else 0
            row[begin : begin + len(text)] = self.ids(text)
        return out

    def one_hot(self, ids: Array) -> NDArray[np.uint8]:
        """Ids of shape (...) as rows (..., tokens) with a single 1; for padding, id 0, all zeros.

        >>> Vocabulary.of("ab").one_hot(np.array([0, 2, 3])).tolist()
        [[0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
        """
        rows = np.eye(len(self), dtype=np.uint8)
        rows[0] = 0
        known = np.asarray(ids)
        if known.size and (known.dtype.kind not in "iu" or not np.all((known >= 0) & (known < len(self)))):
            raise PositionError(
                f"ids {shown(ids)}", expected=f"whole numbers from 0 to {len(self) - 1}", remedy="take them from `ids`"
            )
        return rows[known.astype(np.int64, copy=False)]

    def counts(self, texts: Sequence[Sequence[str]]) -> NDArray[np.uint8]:
        """How often each token stands in each text, whatever their order: shape (n, tokens), at most 255 each.

        >>> Vocabulary.of("ab").counts(["abb", "c"]).tolist()
        [[0, 0, 1, 2], [0, 1, 0, 0]]
        """
        rows = [np.bincount(self.ids(text), minlength=len(self)) for text in texts]
        return np.minimum(np.array(rows).reshape(-1, len(self)), 255).astype(np.uint8)

    def save(self, path: str | Path) -> None:
        """Writes the vocabulary as a JSON file."""
        with writing(path) as place:
            place.write_text(json.dumps(self.to_json(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: str | Path) -> Vocabulary:
        """The vocabulary of a file that `save` wrote; MissingFileError, FileFormatError."""
        try:
            return cls.from_json(json.loads(Path(path).read_text(encoding="utf-8")))
        except (FileNotFoundError, IsADirectoryError) as trouble:
            raise MissingFileError(
                f"there is no file {path}", expected="a vocabulary as JSON", remedy="check the spelling"
            ) from trouble
        except ValueError as trouble:
            if isinstance(trouble, FileFormatError | DataError):
                raise
            raise FileFormatError(
                f"{path} is not JSON ({trouble})", expected="a vocabulary", remedy="restore the file"
            ) from trouble


@checked
def mask(x: Array) -> NDArray[np.bool_]:
    """True where a token stands, False for padding: shape (n, time), from ids (n, time) or one-hot rows (n, time, tokens).

    >>> mask(np.array([[0, 0, 5], [3, 2, 3]]))
    array([[False, False,  True],
           [ True,  True,  True]])
    """
    if x.ndim not in (2, 3):
        raise ShapeError(
            f"x has shape {x.shape}", expected="ids (n, time) or one-hot rows (n, time, tokens)", remedy="pass data.train.x"
        )
    standing: NDArray[np.bool_] = np.not_equal(x, 0)
    return standing if x.ndim == 2 else np.logical_or.reduce(standing, axis=2)


@checked
def lengths(x: Array) -> Ids:
    """How many tokens each text has, padding not counted: shape (n,).

    >>> lengths(np.array([[0, 0, 5], [3, 2, 3]]))
    array([1, 3])
    """
    return mask(x).sum(axis=1)


def encoded(vocabulary: Vocabulary, ids: Ids, encoding: str) -> Array:
    """Ids (n, time) as the inputs of a data set: "one_hot" uint8 (n, time, tokens), or "ids" (n, time), uint8 up to 256 tokens."""
    if encoding == "one_hot":
        return vocabulary.one_hot(ids)
    if encoding == "ids":
        return ids.astype(np.uint8 if len(vocabulary) <= 256 else np.float64)
    raise OptionError(f"encoding={encoding!r}", expected="'one_hot' or 'ids'", remedy="write encoding='one_hot'")


def _check_padding(padding: str) -> None:
    if padding not in ("before", "after"):
        raise OptionError(f"padding={padding!r}", expected="'before' or 'after'", remedy="write padding='before'")
