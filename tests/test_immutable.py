"""Immutable classes beside Python's own frozen dataclasses: the same, but for when their constructors are compiled."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import subprocess
import sys
import threading
from dataclasses import KW_ONLY, FrozenInstanceError, dataclass, field, fields, replace
from typing import Any, ClassVar

import numpy as np
import pytest

from chainrule.immutable import Constructor, immutable

made: list[str] = []


def _usual() -> list[int]:
    return [1, 2]


class Body:
    """What both are made of."""

    count: ClassVar[int] = 3
    a: int
    b: float = 0.5
    c: list[int] = field(default_factory=_usual)
    d: int = field(default=4, init=False, repr=False)
    e: list[int] = field(default_factory=_usual, init=False, compare=False)
    _: KW_ONLY
    f: str = "f"
    g: Any = None

    def __post_init__(self) -> None:
        made.append(self.f)


def _class(decorator: Any, *bases: type[Any], name: str = "Thing", body: type[Any] = Body) -> Any:
    own = {key: value for key, value in vars(body).items() if key not in {"__dict__", "__weakref__", "__qualname__"}}
    # Each class has fields of its own: the decorator takes them out.
    own |= {key: copy.copy(value) for key, value in own.items() if isinstance(value, dataclasses.Field)}
    return decorator(type(name, bases, own))


Ours, Theirs = _class(immutable), _class(dataclass(frozen=True))


@immutable
class Pair:
    """A pair that a pickle finds."""

    left: int
    right: Any = None


def test_fields_signature_and_text_are_the_same():
    parts = [
        [(part.name, part.type, part.init, part.repr, part.compare, part.kw_only, part.default) for part in fields(kind)]
        for kind in (Ours, Theirs)
    ]
    assert parts[0] == parts[1]
    signatures = [inspect.signature(kind) for kind in (Ours, Theirs)]
    assert str(signatures[0]) == str(signatures[1])
    assert Ours.__init__.__qualname__ == Theirs.__init__.__qualname__
    assert repr(Ours(1, f="x")) == repr(Theirs(1, f="x"))
    assert Ours.__match_args__ == Theirs.__match_args__


@pytest.mark.parametrize("given", [((1,), {}), ((1, 2.0, [3]), {"f": "x", "g": 5}), ((), {"a": 1, "c": []})])
def test_objects_hold_the_same(given):
    del made[:]
    ours, theirs = (kind(*given[0], **given[1]) for kind in (Ours, Theirs))
    assert vars(ours) == vars(theirs)
    assert list(vars(ours)) == list(vars(theirs))
    assert made == [ours.f] * 2
    assert ours.e is not Ours(1).e
    assert ours == copy.deepcopy(ours) == replace(ours)
    assert ours != replace(ours, a=7)
    assert ours != theirs


@pytest.mark.parametrize("wrong", [((), {}), ((1, 2, 3, 4), {}), ((1,), {"h": 1}), ((1,), {"a": 1}), ((1,), {"d": 1})])
def test_a_wrong_call_is_refused_in_the_same_words(wrong):
    said = []
    for kind in (Ours, Theirs):
        with pytest.raises(TypeError) as refused:
            kind(*wrong[0], **wrong[1])
        said.append(str(refused.value))
    assert said[0] == said[1]


def test_nothing_can_be_changed():
    thing = Ours(1)
    for act in (lambda: setattr(thing, "a", 2), lambda: setattr(thing, "new", 2), lambda: delattr(thing, "a")):
        with pytest.raises(FrozenInstanceError):
            act()


def test_a_class_has_what_a_dataclass_has_before_and_after_its_fields_are_read():
    class Body:
        a: int
        b: list[int] = field(default_factory=list[int])
        c: float = field(default=0.5, repr=False)
        d: int = 3

    ours, theirs = _class(immutable, body=Body), _class(dataclass(frozen=True), body=Body)
    before = {name: getattr(ours, name, None) for name in "abcd"}
    assert not isinstance(vars(ours)["__dataclass_fields__"], dict)
    assert [part.name for part in fields(ours)] == [part.name for part in fields(theirs)]
    assert isinstance(vars(ours)["__dataclass_fields__"], dict)
    assert (
        before == {name: getattr(ours, name, None) for name in "abcd"} == {name: getattr(theirs, name, None) for name in "abcd"}
    )
    assert ours.__match_args__ == theirs.__match_args__ == ("a", "b", "c", "d")
    assert ours(1).b == []
    assert ours(1).b is not ours(1).b


def test_threads_that_ask_a_class_for_its_fields_at_once_all_get_them():
    for _ in range(50):
        kind = _class(immutable)
        found = []
        gate = threading.Barrier(4)

        def ask(kind=kind, found=found, gate=gate):
            gate.wait()
            found.append((len(fields(kind)), kind(1).a))

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [(len(fields(Ours)), 1)] * 4


def test_equality_and_hash_go_by_what_is_compared():
    one, other = Pair(1, (2,)), Pair(1, (2,))
    assert one == other
    assert hash(one) == hash(other)
    assert len({one, other}) == 1
    assert one != Pair(1, (3,))
    assert Pair(1) != 1
    nothing = float("nan")
    assert Pair(1, nothing) == Pair(1, nothing)  # the same object, as in a dataclass's tuple
    rows = np.arange(3)
    assert Pair(1, rows) == Pair(1, rows)
    assert Pair(1, rows) == Pair(1, rows.copy()) != Pair(1, rows + 1)
    assert Pair(1, {"w": [rows]}) == Pair(1, {"w": [rows.copy()]}) != Pair(1, {"w": [rows.astype(float)]})
    assert Pair(1, np.zeros(0)) == Pair(1, np.zeros(0)) != Pair(1, np.zeros((0, 2)))
    assert Pair(1, np.ones(1)) != Pair(1, 1.0)
    assert hash(Pair(1, rows)) == hash(Pair(1, rows.copy())) == hash(Pair(1, [2])) != hash(Pair(2, rows))
    alone = _class(immutable(eq=False))
    assert alone(1) != alone(1)
    assert len({alone(1), alone(1)}) == 2


def test_what_a_class_brings_along_stays():
    class Own:
        a: int = 1

        def __init__(self, a: int) -> None:
            object.__setattr__(self, "a", 10 * a)

        def __repr__(self) -> str:
            return "own"

        def __eq__(self, other: object) -> bool:
            return isinstance(other, type(self)) and abs(self.a - other.a) < 50

    for kind in (_class(immutable, body=Own), _class(dataclass(frozen=True), body=Own)):
        assert kind(2).a == 20
        assert repr(kind(2)) == "own"
        assert kind(2) == kind(3)
        assert hash(kind(2)) != hash(kind(3))


def test_heirs_of_both_kinds():
    class More:
        z: int = 9

    for decorator in (immutable, dataclass(frozen=True)):
        heir = _class(decorator, Pair, name="Heir", body=More)
        assert [part.name for part in fields(heir)] == ["left", "right", "z"]
        assert heir(1, 2, 3) == heir(1, 2, 3) != heir(1, 2, 4)
        assert repr(heir(1)).endswith("(left=1, right=None, z=9)")
        with pytest.raises(FrozenInstanceError):
            heir(1).left = 2
    with pytest.raises(TypeError, match="frozen"):
        _class(dataclass, Pair, name="Loose", body=More)

    class Plain(Pair):
        def __init__(self) -> None:
            super().__init__(5, right=6)

    assert (Plain().left, Plain().right) == (5, 6)


def test_copies_and_pickles():
    pair = Pair(1, [2])
    assert pickle.loads(pickle.dumps(pair)) == copy.copy(pair) == pair


def test_a_text_that_holds_itself_ends():
    held: list[Any] = []
    pair = Pair(1, held)
    held.append(pair)
    assert repr(pair) == "Pair(left=1, right=[...])"


def test_threads_that_ask_first_at_once_find_a_constructor():
    for _ in range(50):
        kind = _class(immutable)
        start, found = threading.Barrier(4), []

        def make(kind: Any = kind, start: Any = start, found: Any = found) -> None:
            start.wait()
            found.append(kind(1).a)

        threads = [threading.Thread(target=make) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [1] * 4


def test_constructors_wait_until_they_are_asked_for():
    kind = _class(immutable)
    assert isinstance(vars(kind)["__init__"], Constructor)
    kind(1)
    assert not isinstance(vars(kind)["__init__"], Constructor)
    program = (
        "import sys, chainrule.train\n"
        "from chainrule.immutable import Constructor\n"
        "kinds = {value for name, room in list(sys.modules.items()) if name.startswith('chainrule') for value in vars(room).values()\n"
        "         if isinstance(value, type) and '__dataclass_fields__' in vars(value)}\n"
        "waiting = sum(isinstance(vars(kind).get('__init__'), Constructor) for kind in kinds)\n"
        "print(waiting, len(kinds))\n"
    )
    waiting, all_of_them = map(
        int, subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    )
    assert waiting > all_of_them / 2
