"""Makes a data set from arrays: finds the classes, splits, learns the scalings from the training part, looks for duplicates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any, Literal, TypedDict, Unpack, cast

from numpy.typing import ArrayLike

from chainrule.checks import checked
from chainrule.data.columns import Columns
from chainrule.data.dataset import Dataset, require_finite
from chainrule.data.duplicates import count_duplicates, duplicate_note, sums_of_parts
from chainrule.data.examples import Array, Examples, as_array, as_inputs
from chainrule.data.frame import frame_names, in_order, is_frame
from chainrule.data.rows import COPIED, Rows, at_once, is_mapped, is_worth_sharing
from chainrule.data.scaling import Scaling, ScalingChoice, choose_scaling
from chainrule.data.splits import RandomSplit, Split, SplitIndices, StratifiedSplit
from chainrule.data.targets import Task, read_targets
from chainrule.errors import DataError, OptionError, Remedy
from chainrule.immutable import immutable
from chainrule.spelling import did_you_mean, listed


class Options(TypedDict, total=False):
    """What every maker of data sets takes beside the data; all have defaults, described in `from_arrays`."""

    name: str
    task: Task | None
    split: Split | Literal["none"] | None
    scaling: Scaling | ScalingChoice | None
    target_scaling: Scaling | ScalingChoice | None
    source: str
    licence: str


_BYTES_OF_AN_EXAMPLE = 100
_LEARNED: tuple[ScalingChoice, ...] = ("auto", "standardise", "minmax")


@immutable
class Meaning:
    """What the numbers of a data set mean: names of classes and features, the table behind them, what was noticed."""

    classes: tuple[str, ...] | None
    features: tuple[str, ...] | None = None
    columns: Columns | None = None
    notes: tuple[str, ...] = ()


@checked
def from_arrays(
    x: ArrayLike | Rows,
    y: ArrayLike,
    *,
    test: tuple[ArrayLike | Rows, ArrayLike] | None = None,
    validation: tuple[ArrayLike | Rows, ArrayLike] | None = None,
    features: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    **options: Unpack[Options],
) -> Dataset:
    """A data set from inputs `x` of shape (n, features...) and targets `y`; x of shape (n,) becomes (n, 1).

    A data frame of numbers as `x` gives the features its names; one with texts, or with the target inside, is for `from_dataframe`.
    Whole numbers, texts and truth values of shape (n,) in `y` are classes, named by their distinct values in order; with
    `classes`, whole numbers are indices into those names. Floats of shape (n, k) are numbers to fit; here, and nowhere else,
    shape (n,) becomes (n, 1). `test` and `validation` are further pairs (x, y) that stand apart already.

    Options:

    - `name`, `source`, `licence`: texts that are kept with the data;
    - `task`: "regression" to fit whole numbers, "classification" for whole numbers stored as floats;
    - `split`: a RandomSplit, StratifiedSplit, GroupSplit or TimeSplit, or None: all examples are for training. Where nothing is said
      a fifth of the examples, in each class if there are classes, is the test part. No split can be given beside `test` or `validation`;
    - `scaling` of the inputs: "standardise", "minmax", a Scaling, or "none" or None; where nothing is said, "auto": uint8 (images) is
      divided by 255, other numbers are standardised, by channel or feature, the last axis; a training leaves those alone that its
      network takes for positions;
    - `target_scaling` of the numbers to fit: likewise; "auto" is decided when a network is trained, by what its outputs can reach and
      what its loss compares, and said by `print(run)`. None and "none" always mean none.

    Raises DataError, DtypeError, ShapeError or OptionError with the place of the mistake.

    >>> data = from_arrays([[1.0], [2.0], [3.0], [4.0], [5.0]], ["low", "low", "low", "high", "high"], name="levels")
    >>> data
    Dataset('levels': 4 train, 1 test; inputs (1,) float64; 2 classes)
    >>> data.classes
    ('high', 'low')
    """
    check_options(options, ("test", "validation", "features", "classes"))
    given = [(x, y), *(pair for pair in (validation, test) if pair is not None)]
    for part_x, part_y in given:
        _require_one_order(part_x, part_y)
    if is_frame(x):
        features = tuple(features) if features is not None else frame_names(x)
    inputs = [_with_features(in_order(part_x, frame_names(x)) if is_frame(x) else part_x) for part_x, _ in given]
    targets = read_targets([as_array(part_y, "y") for _, part_y in given], options.get("task"), classes)
    whole, *apart = [Examples(*pair) for pair in zip(inputs, targets.parts, strict=True)]
    notes = _file_notes([part.inputs for part in (whole, *apart)], [part.targets for part in (whole, *apart)])
    meaning = Meaning(targets.classes, tuple(features) if features is not None else None, notes=notes)
    if not apart:
        return assemble(whole, choose_split(options, whole.y).parts(whole.y), meaning, options)
    if options.get("split") not in (None, "none"):
        raise OptionError(
            f"split={options.get('split')!r} is given beside test or validation examples",
            expected="either a split or parts that stand apart already",
            remedy=Remedy("leave split out", "leave --validation out"),
        )
    named = iter(apart)
    return finish(
        whole,
        next(named) if validation is not None else None,
        next(named) if test is not None else None,
        meaning,
        options,
    )


def check_options(options: Options, own: Sequence[str] = ()) -> None:
    """OptionError for a keyword that is none of the Options; `own` are further ones that the maker takes.

    Python itself lets any keyword into `**options`, so a misspelt one would have no effect.

    >>> check_options({"scalling": "none"})
    Traceback (most recent call last):
    ...
    chainrule.errors.OptionError: there is no option 'scalling'
      expected: one of 'name', 'task', 'split', 'scaling', 'target_scaling', 'source', 'licence'
      fix: check the spelling; did you mean 'scaling'?
    """
    known = [*own, *Options.__annotations__]
    for option in options:
        if option not in known:
            raise OptionError(
                f"there is no option {option!r}",
                expected=f"one of {listed(known)}",
                remedy=f"check the spelling;{did_you_mean(option, known) or ' each option is described with from_arrays'}",
            )


def choose_split(options: Options, y: Array) -> Split:
    """The split that the options ask for; where they say nothing a stratified one for labels and a random one for numbers.

    None asks for none: all examples are for training.
    """
    chosen = options.get("split", StratifiedSplit() if y.ndim == 1 else RandomSplit())
    return RandomSplit(test=0) if chosen is None or isinstance(chosen, str) else chosen


def assemble(examples: Examples, parts: SplitIndices, meaning: Meaning, options: Options) -> Dataset:
    """The data set of examples that are split into parts by index; a number that is not finite is named by its place before that."""
    train = examples[parts.train]
    # Where the training part is so large that it stays where it lies in memory, the others do, too.
    stays = train.inputs.index is not None and not is_mapped(train.inputs.table)
    beside = examples.staying if stays else examples.__getitem__
    validation, test = (beside(index) if len(index) else None for index in (parts.validation, parts.test))
    _check_finite(examples, [part for part in (train, validation, test) if part is not None], meaning, options)
    return finish(train, validation, test, meaning, options)


def _check_finite(examples: Examples, parts: Sequence[Examples], meaning: Meaning, options: Options) -> None:
    """DataError that names the first number among all examples which is not finite, as asked of their parts where these hold them all."""
    if sum(map(len, parts)) == len(examples):
        if (
            options.get("scaling", "auto") in _LEARNED
            and parts[0].inputs.dtype.kind == "f"
            and not examples.inputs.known_finite
        ):
            _ = parts[0].inputs.limits  # which tell it, and are needed for the scaling
        if all(part.inputs.is_finite and part.targets.is_finite for part in parts):
            return
    for name, values, features in (("x", examples.inputs, meaning.features), ("y", examples.targets, None)):
        require_finite(name, values, "", features)


def finish(train: Examples, validation: Examples | None, test: Examples | None, meaning: Meaning, options: Options) -> Dataset:
    """The data set of parts that stand apart: checked, scalings learned from the training part, duplicates noted."""
    unscaled = Dataset(
        options.get("name", "arrays"),
        train,
        validation,
        test,
        classes=meaning.classes,
        features=meaning.features,
        columns=meaning.columns,
    )
    # Only now is it known that all numbers are finite and of one shape, so that a scaling can be learned.
    choice = options.get("target_scaling", "auto")
    jobs: list[Callable[[], Any]] = [
        lambda: choose_scaling(options.get("scaling", "auto"), train.inputs),
        lambda: _duplicate_notes(unscaled),
    ]
    # While the scaling is learned, another thread finds the duplicates. What stays in a file is read by one at a time, for threads have
    # memory of their own, which it may not have.
    together = is_worth_sharing(train.inputs.nbytes) and not train.inputs.stays_in_a_file
    scaling, found = at_once(jobs) if together else [job() for job in jobs]
    return Dataset(
        unscaled.name,
        train,
        validation,
        test,
        scaling=scaling,
        target_scaling=None
        if meaning.classes is not None or choice in (None, "none")
        else choose_scaling(choice, train.targets),
        classes=meaning.classes,
        features=meaning.features,
        columns=meaning.columns,
        source=options.get("source", unscaled.source),
        licence=options.get("licence", unscaled.licence),
        notes=(*meaning.notes, *found),
    )


def _file_notes(inputs: Sequence[Rows], targets: Sequence[Rows]) -> tuple[str, ...]:
    """A sentence on inputs that stay in their files, and on how much memory they take nevertheless."""
    if not any(rows.stays_in_a_file for rows in inputs):
        return ()
    size, count = sum(rows.nbytes for rows in inputs), sum(map(len, inputs))
    # Of each example a few places and a number for finding duplicates; targets in parts; what is copied or looked at together.
    peak = _BYTES_OF_AN_EXAMPLE * count + 3 * sum(rows.nbytes for rows in targets) + COPIED
    return (f"the inputs stay in their file, {told_bytes(size)}: at most {told_bytes(peak)} of memory are taken for the data",)


def told_bytes(count: float) -> str:
    """A number of bytes in words.

    >>> told_bytes(1536), told_bytes(3.2e9)
    ('1.54 kB', '3.2 GB')
    """
    unit = next((number for number in (0, 1, 2, 3) if count < 1000 ** (number + 1)), 4)
    return f"{count / 1000**unit:.3g} {('bytes', 'kB', 'MB', 'GB', 'TB')[unit]}"


def _duplicate_notes(data: Dataset) -> list[str]:
    names, inputs = zip(*((part, examples.inputs) for part, examples in data.parts()), strict=True)
    if len(inputs) == 1:
        return []
    every, columns = sums_of_parts(inputs)
    notes = [
        duplicate_note(later, count_duplicates(held_out, sums, known, known_sums, columns), len(held_out), earlier)
        for (earlier, known, known_sums), (later, held_out, sums) in combinations(zip(names, inputs, every, strict=True), 2)
    ]
    return [note for note in notes if note is not None]


def _require_one_order(x: object, y: object) -> None:
    """Refuses a frame and a series of the same rows in another order: by their places each input would have another one's target."""
    rows, others = (getattr(values, "index", None) for values in (x, y))
    named = hasattr(rows, "equals") and hasattr(others, "equals")
    if (
        named
        and not cast("Any", rows).equals(others)
        and sorted(map(hash, cast("Any", rows))) == sorted(map(hash, cast("Any", others)))
    ):
        raise DataError(
            "x and y hold the same rows in another order",
            expected="the targets in the order of the inputs",
            remedy="write y.loc[x.index]; or y.to_numpy(), if they belong together as they stand",
        )


def _with_features(x: ArrayLike | Rows) -> Rows:
    rows = as_inputs(x)
    return Rows(cast("Array", rows.table)[:, None], None, rows.dtype) if len(rows.shape) == 1 else rows
