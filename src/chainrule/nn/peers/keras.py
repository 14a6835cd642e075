"""Networks in Keras 3: a Sequential of layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from chainrule.nn.peers.export import Scale
from chainrule.nn.peers.keras_layers import LAYERS
from chainrule.nn.peers.parts import LayerStep, Peer, PeerPart, call, row_of

IDLE = "keras.layers.Identity()"
RANDOM = ("keras.layers.Dropout(", "keras.layers.GaussianNoise(")


def _parts(steps: Sequence[LayerStep]) -> list[PeerPart]:
    wide = "float64" if _is_scaled(steps) else None
    found = [PeerPart(call("keras.Input", steps[0].input, dtype=wide))] if steps else []
    for step in steps:
        found += map(_frozen, row_of(LAYERS, step)(step)) if step.frozen else row_of(LAYERS, step)(step)
    # A Sequential of an input alone is none there.
    return found if len(found) != 1 else [*found, PeerPart(IDLE)]


def _frozen(part: PeerPart) -> PeerPart:
    """A layer that keeps its weights; one that draws at random goes on doing so there, and is left out."""
    if part.code.startswith(RANDOM):
        return PeerPart(IDLE)
    return replace(part, code=f"{part.code.removesuffix(')')}, trainable=False)") if part.arrays else part


def _text(steps: Sequence[LayerStep], parts: Sequence[PeerPart]) -> str:
    lines = "".join(f"    {part.code},\n" for part in parts)
    wide = "# network(x) takes x in float64; network.predict(x) makes float32 of it first\n" if _is_scaled(steps) else ""
    return f"import keras\n\n{wide}network = keras.Sequential([\n{lines}])"


def _is_scaled(steps: Sequence[LayerStep]) -> bool:
    """Whether inputs come in the data's own units, which may need more digits than float32 has."""
    return bool(steps) and isinstance(steps[0].layer, Scale)


KERAS = Peer("Keras", tuple(LAYERS), _parts, _text, lambda _, part, label: f"{part.name}/{label}")
"""Keras: a Sequential of layers with names, channels last; an array is called by its layer's name and its own."""
