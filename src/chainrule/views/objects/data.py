"""Data: how many examples of what, and the first of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule import display
from chainrule.data import Dataset, DatasetInfo, Example, Examples
from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.views.networks.marks import image
from chainrule.views.objects.general import field_text
from chainrule.views.objects.parts import facts, shown, table, verdict
from chainrule.views.pictures.sheets import MOST_FEATURES, image_shape
from chainrule.views.plain import counted, printable, told_apart
from chainrule.views.sentences import data_text
from chainrule.views.svg import drawing, text

FIRST = 6
"""So many examples are shown of many."""
SIDE = 84.0
"""The side of an image."""


@display.html.register
def dataset_html(data: Dataset) -> str:
    """The data in a sentence, the first examples, and where they came from."""
    about = {"source": data.source, "scaling": data.info.scaling_words or "none", "hash": data.hash[:16]}
    shown_first = _first(data.train, data.classes, data.features)
    return shown(verdict(data_text(data.info)), shown_first, facts({word: said for word, said in about.items() if said}))


@display.html.register
def dataset_info_html(data: DatasetInfo) -> str:
    """What a network knows of its data."""
    about = {
        "input": f"{'×'.join(map(str, data.input_shape))} {data.input_dtype}",
        "target": counted(data.target_size, "class", "classes")
        if data.classes is not None
        else counted(data.target_size, "number"),
        "classes": ", ".join(data.classes or ()),
        "features": ", ".join(data.features or ()),
        "range of the inputs": "" if data.input_range is None else " … ".join(map(numeral, data.input_range)),
        "scaling": data.scaling_words or "none",
        "hash": data.hash[:16],
    }
    return shown(verdict(data_text(data)), facts({word: said for word, said in about.items() if said}))


@display.html.register
def examples_html(examples: Examples) -> str:
    """How many there are, and the first of them."""
    kind = "labels" if examples.labelled else counted(examples.y.shape[-1], "number")
    shape = "×".join(map(str, examples.x.shape[1:]))
    told = f"{counted(len(examples), 'example')}: inputs of {shape} {examples.x.dtype.name}, targets: {kind}"
    return shown(verdict(told), _first(examples, None, None))


@display.html.register
def example_html(example: Example) -> str:
    """Its input, as a picture where it is one, and its target."""
    target = field_text(example.y) if isinstance(example.y, np.ndarray) else f"class {example.y}"
    size = image_shape(example.x.shape, example.x.dtype.name)
    if size is not None:
        return shown(_images(example.x[None], size, [target]))
    return shown(facts({"input": field_text(example.x), "target": target}))


def _first(examples: Examples, classes: Sequence[str] | None, features: Sequence[str] | None) -> str:
    some = examples[: min(FIRST, len(examples))]
    targets = [_target(one.y, classes) for one in some]
    size = image_shape(examples.x.shape[1:], examples.x.dtype.name)
    if size is not None:
        return _images(some.x, size, targets)
    if examples.x.ndim != 2:
        rows = [(str(place), field_text(one.x), target) for place, (one, target) in enumerate(zip(some, targets, strict=True))]
        return table(("#", "input", "target"), rows)
    count = examples.x.shape[1]
    names = told_apart(features, 16) if features else [f"x[{place}]" for place in range(count)]
    more = [f"and {count - MOST_FEATURES} more"] if count > MOST_FEATURES else []
    rows = [
        (str(place), *(numeral(float(value)) for value in one.x[:MOST_FEATURES]), *("…" for _ in more), target)
        for place, (one, target) in enumerate(zip(some, targets, strict=True))
    ]
    numbers = tuple(range(1, 1 + min(count, MOST_FEATURES)))
    found = table(("#", *names[:MOST_FEATURES], *more, "target"), rows, numbers=numbers)
    left = len(examples) - len(some)
    return found + (f'<div class="faint">… and {counted(left, "more example")}</div>' if left else "")


def _target(y: int | Array, classes: Sequence[str] | None) -> str:
    if isinstance(y, np.ndarray):
        return field_text(y)
    return str(y) if classes is None else printable(classes[int(y)], most=24)


def _images(x: Array, size: tuple[int, ...], captions: Sequence[str]) -> str:
    low, high = (0.0, 255.0) if x.dtype == np.uint8 else (float(x.min()), float(x.max()))
    step = SIDE + 14
    marks: list[str] = []
    for place, (row, caption) in enumerate(zip(x, captions, strict=True)):
        left = 7 + place * step
        marks.append(image(left, 6.0, SIDE, row.reshape(size), low, high, caption))
        marks.append(text(left + SIDE / 2, SIDE + 22, printable(caption, most=14), font_size=11, text_anchor="middle"))
    return drawing(len(x) * step, SIDE + 30, marks, name=f"{counted(len(x), 'image')}: {', '.join(captions)}")
