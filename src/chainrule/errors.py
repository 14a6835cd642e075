"""Every exception that chainrule raises for a user's mistake, each also the built-in kind it refines; and warnings at the user's line."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from inspect import currentframe

from chainrule.display import Shown


class Remedy(str):
    """A remedy as Python writes it; `command` says the same as the command line writes it."""

    __slots__ = ("command",)

    def __new__(cls, python: str, command: str) -> Remedy:
        """The text is `python`."""
        made = super().__new__(cls, python)
        made.command = command
        return made

    def __reduce__(self) -> tuple[object, ...]:
        return (Remedy, (str(self), self.command))


def command_words(text: str) -> str:
    """A remedy, or a note that proposes something, as the command line writes it; other texts as they are."""
    return text.command if isinstance(text, Remedy) else text


class ChainruleError(Exception):
    """What happened (with values), what was expected, what to do: three questions, answered in every message.

    >>> print(ChainruleError("units=-1", expected="a positive whole number", remedy="write Dense(16)"))
    units=-1
      expected: a positive whole number
      fix: write Dense(16)
    """

    def __init__(self, happened: str, *, expected: str, remedy: str) -> None:
        self.happened, self.expected, self.remedy = happened, expected, remedy
        super().__init__(f"{happened}\n  expected: {expected}\n  fix: {remedy}")

    def __reduce__(self) -> tuple[object, ...]:
        # The default re-calls __init__ with `args` alone, which lacks the keywords: keep pickling across processes working.
        return (_rebuild, (type(self), self.happened, self.expected, self.remedy))


def _rebuild(kind: type[ChainruleError], happened: str, expected: str, remedy: str) -> ChainruleError:
    return kind(happened, expected=expected, remedy=remedy)


class ShapeError(ChainruleError, ValueError):
    """Shapes that do not fit together."""


class DtypeError(ChainruleError, TypeError):
    """A number type that the operation does not take."""


class PositionError(ChainruleError, IndexError):
    """A position outside an axis."""


class GraphError(ChainruleError, ValueError):
    """A graph that is not well formed, or a request that it cannot answer."""


class CallError(GraphError, TypeError):
    """An op that is called with too few or too many values or attributes."""


class ParseError(ChainruleError, ValueError):
    """A text (of a graph, a network, a formula) that cannot be read."""


class OptionError(ChainruleError, ValueError):
    """An argument or option with a value that makes no sense."""


class OptionTypeError(OptionError, TypeError):
    """An argument of the wrong kind."""


class LossError(ChainruleError, ValueError):
    """A network output that does not belong with the loss it is given to."""


class DataError(ChainruleError, ValueError):
    """Data that cannot be trained on: missing values, labels out of range, too few examples."""


class ColumnError(DataError, LookupError):
    """A column that the table does not have."""


class FileFormatError(ChainruleError, ValueError):
    """A file that is truncated, too large, or not what its name says."""


class UndefinedClassError(FileFormatError, NameError):
    """A file that holds an object of a class which is not defined here: files never have code run."""


class MissingFileError(ChainruleError, FileNotFoundError):
    """A file or run folder that is not there."""


class UnwritableFileError(ChainruleError, OSError):
    """A file or folder that cannot be written."""


class FolderInUseError(UnwritableFileError, BlockingIOError):
    """A run folder that another process is writing."""


class UnsavedRunWarning(UserWarning):
    """A training is done, and its folder could not be brought up to date: the run is in memory alone."""


@dataclass(frozen=True)
class NonFinitePlace(Shown):
    """Where a number that is not finite appeared; `example` is its index in the training part, where there is one."""

    node: str
    step: int
    batch: int
    epoch: int
    replica: int
    example: int | None


class NonFiniteError(ChainruleError, ArithmeticError):
    """A NaN or an infinity appeared in training: `place` says where, `state` holds the arrays just before that step, by name."""

    place: NonFinitePlace | None = None
    state: Mapping[str, object] | None = None


class HostError(ChainruleError, ConnectionError):
    """One of several hosts that compute a training together did not come, or has gone."""


class ReplayError(ChainruleError, RuntimeError):
    """Steps that were computed again came out other than they were."""


class MissingPackageError(ChainruleError, ImportError):
    """An optional package that the request needs is not installed."""


class MissingPackageWarning(UserWarning):
    """A package is not installed, and something slower takes its place."""


class UnsupportedError(ChainruleError, NotImplementedError):
    """What a file of another program asks for, and what is not here."""


class SlowerEngineWarning(UserWarning):
    """An engine was chosen where another one gives the same numbers sooner."""


def warn(text: str, kind: type[Warning]) -> None:
    """Warns at the line of whoever called, however many of our own functions, and of scikit-learn's, stand between."""
    level, frame = 1, currentframe()
    while frame is not None and str(frame.f_globals.get("__name__")).partition(".")[0] in {"chainrule", "sklearn"}:
        level, frame = level + 1, frame.f_back
    warnings.warn(text, kind, stacklevel=level)
