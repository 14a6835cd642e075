"""Networks in Keras 3: a Sequential of layers, or a functional model where they are joined otherwise."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import cast

from chainrule.nn.embedding import Embedding
from chainrule.nn.peers.export import Scale
from chainrule.nn.peers.keras_layers import FORMULAS, LAYERS
from chainrule.nn.peers.parts import ARITHMETIC, FUNCTIONS, Joint, LackingError, LayerStep, Peer, PeerPart, call, row_of
from chainrule.nn.peers.steps import identity, is_chain
from chainrule.nn.recurrent import Bidirectional, Recurrent

IDLE = "keras.layers.Identity()"
RANDOM = ("keras.layers.Dropout(", "keras.layers.GaussianNoise(")


def _parts(steps: Sequence[LayerStep]) -> list[PeerPart]:
    wide = "float64" if _is_scaled(steps) else None
    found = [PeerPart(call("keras.Input", steps[0].input, dtype=wide))] if steps else []
    known = set[object]()
    for place, step in enumerate(steps):
        if isinstance(step.layer, Joint):
            _joined(step, ["x"] * len(step.sources))
        elif identity(step) not in known:
            parts = (*_masking(steps, step), *row_of(LAYERS, step)(step))
            found += (replace(_frozen(part) if step.frozen else part, step=place) for part in parts)
        known.add(identity(step))
    # A Sequential of an input alone is none there.
    return found if len(found) != 1 or any(isinstance(step.layer, Joint) for step in steps) else [*found, PeerPart(IDLE)]


def _masking(steps: Sequence[LayerStep], step: LayerStep) -> Iterator[PeerPart]:
    """What says which steps a recurrent layer passes over, where no embedding does so before it.

    Raises: LackingError for an embedding with padding that something else reads: there its vector would be trained.
    """
    before = steps[step.sources[0] - 1].layer if step.sources[0] else None
    padding = _padding(step)
    if padding is not None and not (isinstance(before, Embedding) and (before.padding, padding) == (0, 0.0)):
        yield PeerPart(call("keras.layers.Masking", padding))
    if isinstance(step.layer, Embedding) and step.layer.padding is not None:
        readers = [each for each in steps if any(steps[source - 1] is step for source in each.sources if source)]
        if not readers or any(_padding(each) != 0.0 for each in readers):
            raise LackingError(
                step, "padding, an id whose vector stays 0, where other than recurrent layers with padding=0.0 read it"
            )


def _padding(step: LayerStep) -> float | None:
    """The number that all features have at the steps that a recurrent layer passes over."""
    layer = step.layer.layers[0] if isinstance(step.layer, Bidirectional) else step.layer
    return layer.padding if isinstance(layer, Recurrent) else None


def _frozen(part: PeerPart) -> PeerPart:
    """A layer that keeps its weights; one that draws at random goes on doing so there, and is left out."""
    if part.code.startswith(RANDOM):
        return PeerPart(IDLE)
    return replace(part, code=f"{part.code.removesuffix(')')}, trainable=False)") if part.arrays else part


def _text(steps: Sequence[LayerStep], parts: Sequence[PeerPart]) -> str:
    wide = "# network(x) takes x in float64; network.predict(x) makes float32 of it first\n" if _is_scaled(steps) else ""
    if is_chain(steps):
        return (
            f"import keras\n\n{wide}network = keras.Sequential([\n{''.join(f'    {part.code},{chr(10)}' for part in parts)}])"
        )
    return f"import keras\n\n{wide}x = {parts[0].code}\n" + "".join(f"{line}\n" for line in _functional(steps, parts))[:-1]


def _functional(steps: Sequence[LayerStep], parts: Sequence[PeerPart]) -> Iterator[str]:
    """The lines of a functional model: a layer that is used several times stands in a line of its own."""
    values, made = ["x"], dict[object, list[str]]()
    for place, step in enumerate(steps):
        given, name = [values[source] for source in step.sources], f"x{place + 1}"
        values.append(name)
        if isinstance(step.layer, Joint):
            yield f"{name} = {_joined(step, given)}"
            continue
        key = identity(step)
        if key not in made:
            made[key] = [part.code for part in parts if part.step == place]
            if sum(identity(each) == key for each in steps) > 1:
                shared = re.sub(r"\W", "_", step.name)
                for number, code in enumerate(made[key]):
                    made[key][number] = f"{shared}_layer{number or ''}"
                    yield f"{made[key][number]} = {code}"
        text = given[0]
        for code in made[key]:
            text = f"{code}({text})"
        yield f"{name} = {text}"
    yield f"network = keras.Model(x, {values[-1]})"


FUNCTIONAL = {
    "transpose": "keras.ops.transpose({0}, {axes})", "flip": "keras.ops.flip({0}, {axes})", **ARITHMETIC,
    "broadcast_to": "keras.ops.tile({0}, {axes})", "matmul": "keras.ops.matmul({0}, {1})",
    **{name: f"keras.ops.{function}({{0}})" for name, function in FUNCTIONS.items()},
    "maximum": "keras.ops.maximum({0}, {1})", "minimum": "keras.ops.minimum({0}, {1})",
    "concatenate": "keras.layers.Concatenate()([{all}])",
}  # fmt: skip
MERGED = {"add": "Add", "subtract": "Subtract", "multiply": "Multiply"}


def _joined(step: LayerStep, given: Sequence[str]) -> str:
    joint = cast("Joint", step.layer)
    if joint.op.name in MERGED and joint.operands == (None, None):
        return f"keras.layers.{MERGED[joint.op.name]}()([{', '.join(given)}])"
    text = joint.written(given, FUNCTIONAL)
    if text is None:
        raise LackingError(step, "no such function")
    return text


def _is_scaled(steps: Sequence[LayerStep]) -> bool:
    """Whether inputs come in the data's own units, which may need more digits than float32 has."""
    return bool(steps) and isinstance(steps[0].layer, Scale)


KERAS = Peer(
    "Keras",
    tuple(LAYERS),
    FORMULAS.values(),
    _parts,
    _text,
    lambda _, part, label: f"{part.name}/{label}",
)
"""Keras: layers with names, channels last; an array is called by its layer's name and its own."""
