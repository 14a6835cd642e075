"""What a user comes to from what the library hands out, attribute by attribute: each public method answers a wrong call by our error."""

import types
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

import chainrule as cr
from chainrule.errors import OptionTypeError
from chainrule.lab.session import Session

DEEPEST, MANY = 7, 3
PARTS = "chainrule.engines.native."
"""Of what compiles a program only the engine and its programs are handed out."""


def handed_out() -> dict[str, Any]:
    """What a day's work gives."""
    data = cr.data.moons(60)
    run = cr.fit("2-4-2 tanh softmax", data, epochs=2, batch_size=10)
    training = cr.Training("2-4-2", data, epochs=1)
    return {
        "run": run, "training": training, "data": data, "network": run.problem.network, "model": run.model(), "explanation": run.explain(3),
        "evaluation": run.evaluate("test"), "why": run.why(3), "compared": run.compare(run), "ledger": run.ledger(3, "dense1.W"),
        "diagnosis": run.doctor(), "trainer": cr.trainer("2-4-2", loss="cross_entropy"), "graph": run.graph("step"),
        "sweep": cr.sweep(training, {"seed": [0, 1]}), "summary": cr.nn.summary(run.problem.network),
        "view": cr.pictures.learning_curves(run), "session": Session(training), "drawing": cr.views.networks.draw_network(run),
        "example": cr.examples.example("ising"), "predictor": run.predictor(), "engine": cr.engines.engine_named("reference"),
    }  # fmt: skip


def reached(starts: Mapping[str, Any]) -> dict[type, tuple[str, Any]]:
    """Each of our classes that an attribute leads to, with the way there and an object of it."""
    found: dict[type, tuple[str, Any]] = {}
    seen, waiting = dict[int, Any](), deque((name, thing, 0) for name, thing in starts.items())
    while waiting:
        way, thing, depth = waiting.popleft()
        if id(thing) in seen or depth > DEEPEST:
            continue
        seen[id(thing)] = thing  # held, so that no other gets its id
        if isinstance(thing, list | tuple | set | frozenset):
            waiting.extend((f"{way}[{place}]", part, depth + 1) for place, part in enumerate(list(thing)[:MANY]))
        elif isinstance(thing, Mapping):
            waiting.extend((f"{way}[{name!r}]", part, depth + 1) for name, part in list(thing.items())[:MANY])
        elif type(thing).__module__.startswith("chainrule."):
            found.setdefault(type(thing), (way, thing))
            waiting.extend((f"{way}.{name}", part, depth + 1) for name, part in attributes(thing))
    return found


def attributes(thing: Any) -> Iterator[tuple[str, Any]]:
    """The public attributes that are no methods; one that does not suit the object, and says so, leads nowhere."""
    methods = {name for name, _ in methods_of(type(thing))}
    for name in dir(thing):
        if not name.startswith("_") and name not in methods:
            try:
                yield name, getattr(thing, name)
            except Exception:
                continue


def methods_of(kind: type) -> Iterator[tuple[str, type]]:
    """The public methods of a class, with the class of ours that has them."""
    for base in kind.__mro__:
        for name, found in vars(base).items():
            method = getattr(found, "__func__", found)
            if isinstance(method, types.FunctionType) and not name.startswith("_") and base.__module__.startswith("chainrule."):
                yield name, base


@pytest.fixture(scope="module")
def kinds():
    return {kind: at for kind, at in reached(handed_out()).items() if not kind.__module__.startswith(PARTS)}


def test_the_walk_goes_far(kinds):
    names = {kind.__name__ for kind in kinds}
    assert names >= {"Rows", "Supply", "Keeper", "Lineage", "Usual", "Word", "Curves", "View", "Trace", "LearningProblem"}
    assert len(kinds) > 80


def test_every_method_that_is_reached_answers_a_wrong_call(kinds):
    raw: list[str] = []
    for kind, (way, thing) in kinds.items():
        for name, _ in methods_of(kind):
            if name in getattr(kind, "__dataclass_fields__", ()):
                continue
            try:
                getattr(thing, name)(not_an_argument_of_any=1)
            except OptionTypeError:
                continue
            except TypeError as error:
                raw.append(f"{way}.{name}: {error}")
            except Exception:
                continue
    assert not raw
