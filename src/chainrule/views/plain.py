"""Texts that every view needs: what is safe to show, numbers as a person reads them, lines of blocks for curves."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields, is_dataclass
from itertools import pairwise

from chainrule.checks import answering
from chainrule.graph import Shape
from chainrule.numerals import numeral, spaced

BLOCKS = "▁▂▃▄▅▆▇█"


def printable(text: object, *, most: int = 200) -> str:
    r"""One line that a terminal shows as it stands: control characters (and so escape codes) become �, long texts are cut.

    >>> printable("\x1b[31mred\n"), printable("[red]", most=4)
    ('�[31mred�', '[re…')
    """
    line = "".join(letter if letter.isprintable() else "�" for letter in str(text))
    return line if len(line) <= most else f"{line[: most - 1]}…"


def told_apart(names: Iterable[object], most: int) -> list[str]:
    """Names as `printable`, cut so that those which differ still do: where they begin alike, each keeps its end, or gets its number.

    >>> told_apart(["sample of iron", "sample of lead", "gold"], 9)
    ['samp…iron', 'samp…lead', 'gold']
    """
    lines = [printable(name, most=1_000_000) for name in names]
    tail = (most - 1) // 2
    ways: tuple[Callable[[int, str], str], ...] = (
        lambda place, line: printable(line, most=most),
        lambda place, line: f"{line[: most - 1 - tail]}…{line[-tail:]}",
        lambda place, line: printable(f"{place} {line}", most=most),
    )
    cut = list(lines)
    for way in ways:
        meant = {text: {line for line, other in zip(lines, cut, strict=True) if other == text} for text in set(cut)}
        cut = [
            way(place, line) if len(line) > most and (way is ways[0] or len(meant[text]) > 1) else text
            for place, (line, text) in enumerate(zip(lines, cut, strict=True))
        ]
    return cut


def printable_lines(text: object) -> str:
    """As `printable`, line breaks kept and nothing cut: for messages and graphs."""
    return "\n".join(printable(line, most=1_000_000) for line in str(text).splitlines())


def counted(number: int, word: str, plural: str = "") -> str:
    """A number with its word, in the plural where there are several: with an s, unless another is given.

    >>> counted(1, "epoch"), counted(1875, "step"), counted(2, "entry", "entries")
    ('1 epoch', '1 875 steps', '2 entries')
    """
    return f"{spaced(number)} {word if number == 1 else plural or f'{word}s'}"


def duration(seconds: float) -> str:
    """A time as one would say it.

    >>> duration(0.0123), duration(4.25), duration(3725)
    ('12 ms', '4.2 s', '1 h 2 min')
    """
    if seconds < 0.1:
        return f"{1000 * seconds:.0f} ms" if seconds >= 0.001 else f"{numeral(1000 * seconds, 1)} ms"
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s"
    minutes = int(seconds // 60)
    return f"{minutes} min {seconds % 60:.0f} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def shape_text(shape: Shape) -> str:
    """A shape in short: 784, or 28×28.

    >>> shape_text((784,)), shape_text((28, 28)), shape_text(())
    ('784', '28×28', '1 number')
    """
    return "×".join(map(str, shape)) or "1 number"


def optimizer_text(optimizer: object) -> str:
    """An optimizer in words: its learning rate, and what differs from the usual.

    >>> from chainrule.train import SGD
    >>> optimizer_text(SGD(0.1, momentum=0.9))
    'SGD, learning rate 0.1, momentum 0.9'
    """
    words = [type(optimizer).__name__]
    for item in fields(optimizer) if is_dataclass(optimizer) else ():
        value: object = getattr(optimizer, item.name)
        if item.repr and (item.name == "learning_rate" or value != item.default):
            words.append(f"{item.name.replace('_', ' ')} {numeral(value) if isinstance(value, float) else value}")
    return ", ".join(words)


def sparkline(values: Sequence[float], width: int = 40) -> str:
    """A curve as one line of blocks from its least to its largest value; longer curves are averaged into `width` pieces.

    >>> sparkline([4.0, 3.0, 2.0, 1.0, 1.0])
    '█▆▃▁▁'
    """
    pieces = _pieces([value for value in values if math.isfinite(value)], width)
    if not pieces:
        return ""
    low, high = min(pieces), max(pieces)
    # A curve that stays where it is lies in the middle: neither low nor high.
    heights = [(value / 2 - low / 2) / (high / 2 - low / 2) if high > low else 0.5 for value in pieces]
    return "".join(BLOCKS[min(len(BLOCKS) - 1, int(height * len(BLOCKS)))] for height in heights)


def _pieces(values: Sequence[float], width: int) -> list[float]:
    count = min(len(values), max(width, 1))
    edges = [len(values) * place // count for place in range(count + 1)] if count else []
    return [math.fsum(values[i:j]) / (j - i) for i, j in pairwise(edges)]


def bar(share: float, width: int = 24) -> str:
    """A fraction between 0 and 1 as a bar, in eighths of a character.

    >>> bar(0.5, 4), bar(0.0, 4)
    ('██', '')
    """
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    return "█" * (eighths // 8) + ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")[eighths % 8]


__all__ = [
    "bar", "counted", "duration", "optimizer_text", "printable", "printable_lines", "spaced", "sparkline",
]  # fmt: skip

answering(globals())
