"""Every description there is: written down and read again it is equal, as JSON, as it prints, as code; bad values are refused."""

from __future__ import annotations

import copy
import json
import pickle
import sys
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import numpy as np
import pytest

import chainrule as cr
from chainrule.descriptions import DEEPEST, code_of, descriptions, imports_of, restored, tree, written
from chainrule.errors import (
    ChainruleError,
    FileFormatError,
    MissingPackageError,
    OptionError,
    OptionTypeError,
    UndefinedClassError,
)
from chainrule.nn.structure import is_layer
from tests.golden import write

MADE_OF_CODE = {"Function", "Network"}
"""What holds Python functions, which no file does."""
MORE: list[Any] = [
    cr.Scale((1.0, 2.0), 10.0, undo=True), cr.Frozen(cr.Dense(3, "tanh"), cr.BatchNorm()),
    cr.Weighted(cr.Huber(2.0)), cr.Poisson(), cr.Poisson(from_log=True), cr.InverseScaling(0.1, 2, 50),
    cr.MultiStepDecay(cr.Cosine(0.1), (3, 9), 0.5), cr.InverseSquareRoot(0.003, 50),
    cr.Training("2-2", "moons", optimizer=cr.Adam(0.1)), cr.sweeps.Between(0.1, 1.0, log=True), cr.sweeps.Grid(), cr.sweeps.Random(5),
    cr.sweeps.Sobol(4, seed=1), cr.sweeps.Halving((1, 2)), cr.sweeps.Rising(0.1, 1.0, 5),
    cr.train.Settings(cr.Adam(0.1), epochs=3, clip=cr.ClipNorm(2.0)), cr.data.GroupSplit(np.array(["a", "b", "a"]), test=0.3),
    cr.data.TimeSplit([3.0, 1.0, 2.0]), cr.data.Scaling(np.array([1.0, 2.0]), 0.5, usual=True, reason="why"),
    cr.data.Form(delimiter=";", header=None), cr.data.Vocabulary(("", "<unknown>", "a")),
    cr.Objective((cr.Huber(2.0), cr.L1(0.1))), cr.SGD(), cr.RandomShift(2), cr.RandomFlip("both"), cr.RandomRotation(15.0),
    cr.RandomBrightness(0.1), cr.Formula("x*kind", {"kind": (1,)}),
    cr.as_graph_layer(
        lambda x: cr.Dense(2, weights=lambda key, shape: cr.constant(np.ones(shape)))(cr.Dense(3)(x)), (2,)
    ),
]  # fmt: skip
GIVEN = [
    *(layer for layer, _ in write.LAYERS.values()), write.INITIALISERS, write.OPTIMIZERS, write.SCHEDULES, write.LOSSES, write.SPLITS,
    write.SCALINGS, write.OTHERS, MORE,
]  # fmt: skip
EXAMPLES = list({repr(item): item for value in GIVEN for item, _ in tree(value)}.values())
NAMES = {**vars(cr.data), **vars(cr.train), **vars(cr.sweeps), **{name: getattr(cr, name) for name in dir(cr)}}


def ours() -> dict[str, type]:
    """Those of the library; doctests define some too."""
    return {
        name: kind for name, kind in descriptions().items() if getattr(sys.modules.get(kind.__module__), name, None) is kind
    }


def test_every_kind_has_an_example():
    assert {type(item).__name__ for item in EXAMPLES} >= set(ours()) - MADE_OF_CODE - {
        "DatasetInfo",
        "Columns",
        "Column",
        "TextInput",
    }


@pytest.mark.parametrize("item", EXAMPLES, ids=repr)
def test_what_is_written_down_comes_back_equal(item):
    def through(value: Any) -> Any:
        return restored(json.loads(json.dumps(written(value, is_layer), allow_nan=False)), is_shared=is_layer)

    # Arrays come back as what JSON has in their place, lists, of which tuples are made.
    plain = through(item)
    assert through(plain) == plain
    if not any(isinstance(getattr(item, part.name), np.ndarray | list) for part in fields(item)) or isinstance(
        item, cr.data.Scaling
    ):
        assert plain == item
    assert hash(through(plain)) == hash(plain)
    assert copy.deepcopy(item) == item
    assert pickle.loads(pickle.dumps(item)) == item


@pytest.mark.parametrize("item", [item for item in EXAMPLES if not isinstance(item, cr.train.Settings)], ids=repr)
def test_what_is_printed_and_the_code_make_an_equal_one(item):
    same = eval(code_of(item, is_layer), {"cr": cr})
    if not isinstance(item, cr.data.GroupSplit | cr.data.TimeSplit) or isinstance(getattr(item, fields(item)[0].name), str):
        assert same == item
        assert eval(repr(item), dict(NAMES)) == item
    assert code_of(same, is_layer) == code_of(item, is_layer)
    assert imports_of(item) == []


@pytest.mark.parametrize("item", EXAMPLES, ids=repr)
def test_values_of_no_kind_are_refused_in_every_field(item):
    made: Any = type(item)
    given = {part.name: getattr(item, part.name) for part in fields(item)}
    spread = given.pop("layers", ())
    for name in given:
        if (type(item), name) in {(cr.data.GroupSplit, "groups"), (cr.data.TimeSplit, "times")}:
            continue  # looked at when there are examples
        with pytest.raises(ChainruleError) as caught:
            made(*spread, **{**given, name: object()})
        assert name in str(caught.value) or "object" in str(caught.value)
    with pytest.raises(OptionTypeError, match="no_such_field"):
        made(*spread, **given, no_such_field=1)


# ---- classes of one's own


def test_a_class_becomes_a_description():
    @cr.described
    class Own:
        """One of each."""

        size: int
        shape: tuple[int, ...] = (1,)
        inner: Any = None
        numbers: dict[str, float] = field(default_factory=dict[str, float])
        kind: ClassVar[str] = "own"

    one = Own(np.int64(3), [2, 3], cr.Adam(0.2), {"a": 1.0})
    assert repr(one) == "Own(3, shape=(2, 3), inner=Adam(0.2), numbers={'a': 1.0})"
    again = restored(json.loads(json.dumps(written(one))))
    assert (type(again), again, hash(again)) == (Own, one, hash(one))
    assert code_of(one) == 'Own(3, shape=(2, 3), inner=cr.Adam(0.2), numbers={"a": 1.0})'
    assert Own(3) == Own(3) != Own(4)
    assert "own" in one._repr_html_().lower()
    with pytest.raises(AttributeError):
        one.size = 4
    with pytest.raises(OptionTypeError, match="size='3' in Own"):
        Own("3")
    with pytest.raises(OptionTypeError, match="Own was given no size"):
        Own()


def test_annotations_may_name_what_stands_inside_a_function():
    from chainrule.checks import Positive as Above

    @cr.described
    class Inner:
        slope: Above = 1.0

    with pytest.raises(OptionError, match="slope=-1 in Inner"):
        Inner(-1)


def test_a_dataclass_and_a_constructor_of_ones_own():
    @cr.described
    @dataclass(frozen=True)
    class Made:
        size: int = 2

    @cr.described
    class Written:
        parts: tuple[int, ...]
        last: int

        def __init__(self, *parts: int, last: int = 0) -> None:
            object.__setattr__(self, "parts", parts)
            object.__setattr__(self, "last", last)

    for item, text in (
        (Made(3), "Made(size=3)"),
        (Made(), "Made()"),
        (Written(1, 2), "Written(1, 2)"),
        (Written(last=1), "Written(last=1)"),
    ):
        assert repr(item) == text
        assert restored(written(item)) == item
    for made in (lambda: Made("2"), lambda: Written("2"), lambda: Written(first=1)):
        with pytest.raises(OptionTypeError):
            made()


def test_what_can_be_no_description_is_refused_where_it_is_made():
    @dataclass
    class Changing:
        size: int = 2

    class Plain:
        def __init__(self, size):
            self.size = size

    for wrong, words in ((Changing, "can be changed"), (Plain, "size, which is no field"), (3, "a class")):
        with pytest.raises(OptionError, match=words):
            cr.described(wrong)


def test_a_constructor_that_changes_itself_is_told_what_to_do():
    @cr.described
    class Habit:
        slope: float

        def __init__(self, slope: float) -> None:
            self.slope = slope

    with pytest.raises(OptionError, match="the __init__ of Habit") as caught:
        Habit(1.0)
    assert "leave out __init__" in caught.value.remedy


def test_a_class_may_be_defined_anew_while_objects_of_the_old_one_live():
    def defined() -> type[Any]:
        @cr.described
        class Cell:
            size: int = 1

        return Cell

    first, second = defined(), defined()
    assert code_of(first(3)) == code_of(second(3)) == "Cell(size=3)"
    assert type(restored(written(first(3)))) is second


def test_an_heir_must_be_described_itself():
    class Wide(cr.Dense):
        pass

    with pytest.raises(OptionError, match=r"write @cr\.described above the class Wide"):
        cr.nn.to_json(cr.Sequential(Wide(3)))


# ---- files


@pytest.mark.parametrize(
    ("found", "kind", "words"),
    [
        ({"kind": "mine.Swish", "slope": 1.0}, UndefinedClassError, ["Swish, a class of the module mine", "import mine"]),
        ({"kind": "a.b.Outer.Swish"}, UndefinedClassError, ["Swish", "a.b"]),
        ({"kind": "__main__.Nowhere"}, UndefinedClassError, ["first define the class Nowhere"]),
        ({"kind": "json.JSONDecoder"}, UndefinedClassError, ["@cr.described above the class JSONDecoder in json"]),
        ({"kind": "chainrule.nn.layers.Dense", "units": 3}, UndefinedClassError, ["Dense"]),
        ({"kind": "Adan", "learning_rate": 1.0}, FileFormatError, ["'Adan'", "did you mean 'Adam'"]),
        ({"kind": "Adam", "speed": 1.0}, FileFormatError, ["Adam in the file", "speed"]),
        ({"kind": "Cosine"}, FileFormatError, ["unknown or missing rate"]),
        ({"kind": "Cosine", "rate": -1.0}, FileFormatError, ["Cosine in the file: rate=-1.0"]),
        ({"kind": "Function", "function": "print"}, FileFormatError, ["function='print'"]),
        ({"rate": 1.0}, FileFormatError, ["names its kind"]),
    ],
)  # fmt: skip
def test_files_that_are_refused(found, kind, words):
    with pytest.raises(kind) as caught:
        restored(found)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_depth_is_bounded():
    deep: Any = 0.1
    for _ in range(5000):
        deep = {"kind": "WarmUp", "steps": 1, "then": deep}
    with pytest.raises(FileFormatError, match=f"at most {DEEPEST} levels"):
        restored(deep)


# ---- whatever is public answers a wrong call


def test_everything_public_answers_a_call_with_nothing():
    rooms = (
        cr, cr.nn, cr.data, cr.ops, cr.train, cr.graph, cr.trace, cr.engines, cr.examples, cr.views, cr.pictures, cr.views.networks,
        cr.views.drawing,
    )  # fmt: skip
    raw: list[str] = []
    for room in rooms:
        for name in room.__all__:
            found = getattr(room, name)
            is_kind = isinstance(found, type) and (
                getattr(found, "_is_protocol", False) or getattr(found, "__abstractmethods__", None)
            )
            if (
                name in {"INPUT", "PARAMETER"}
                or not callable(found)
                or is_kind
                or not getattr(found, "__module__", "").startswith("chainrule")
            ):
                continue
            try:
                found()
            except ChainruleError as error:
                if not isinstance(error, TypeError | MissingPackageError):
                    raw.append(f"{name}: {type(error).__name__}")
            except Exception as error:
                raw.append(f"{name}: {error}")
    assert raw == []


@pytest.mark.parametrize(
    ("call", "words"),
    [(cr.Dense, "Dense was given no units"), (cr.constant, "no value"), (cr.graph.Type, "no dtype"), (cr.Residual, "nothing")],
)
def test_messages_of_calls_with_nothing(call, words):
    with pytest.raises(OptionTypeError, match=words) as caught:
        call()
    assert caught.value.remedy.startswith("write ")
