"""A network as a chain of steps, one to each use of a layer: what is written in the words of other libraries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from chainrule.errors import OptionError
from chainrule.graph import Shape
from chainrule.nn.build import Built, build_network
from chainrule.nn.frozen import Frozen
from chainrule.nn.layers import Activation, Dense, Dropout, Sequential
from chainrule.nn.normalisation import LayerNorm
from chainrule.nn.parts import Layer, LayerUse
from chainrule.nn.peers.parts import LayerStep
from chainrule.nn.recurrent import TimeDistributed

ALONG_LAST = (Dense, Activation, Dropout, LayerNorm)
"""Layers that the peers apply along the last axis, to every time step by itself."""


def built_for(network: Layer, input_shape: Shape | None) -> Built:
    """The network's graph for one example. Raises: OptionError where its shape is not known."""
    return build_network(network, shape_of(network, input_shape))


def shape_of(network: Layer, input_shape: Shape | None) -> Shape:
    """The shape of one example, as it was said or as the network knows it. Raises: OptionError where neither does."""
    shape: Shape | None = getattr(network, "input_shape", None) if input_shape is None else input_shape
    if shape is None:
        raise OptionError(
            "a network that does not know its input, for another library",
            expected="the shape of one example: there sizes and the order of weights follow from it",
            remedy="add input_shape=(784,), or write Sequential(..., input_shape=(784,))",
        )
    return shape


def chain(network: Layer, built: Built) -> list[LayerStep]:
    """The steps of a network, in order; layers made of layers are taken apart where that changes nothing."""
    return _steps(network, iter(built.uses))


def _steps(layer: Layer, uses: Iterator[LayerUse]) -> list[LayerStep]:
    if isinstance(layer, Sequential | Frozen):
        found = [step for item in layer.layers for step in _steps(item, uses)]
        return [replace(step, frozen=True) for step in found] if isinstance(layer, Frozen) else found
    if isinstance(layer, TimeDistributed) and all(isinstance(item, ALONG_LAST) for item in layer.layers):
        inner = [step for item in layer.layers for step in _steps(item, uses)]
        turns = next(uses).input.shape[1]
        return [replace(step, input=(turns, *step.input), output=(turns, *step.output)) for step in inner]
    used: list[LayerUse] = []
    for use in uses:
        used.append(use)
        if use.layer is layer:
            break
    return [step_of(layer, used)]


def step_of(layer: object, used: list[LayerUse]) -> LayerStep:
    """The step of a layer from its use and those of the layers inside it, of which it is the last."""
    if not used:
        return LayerStep(layer, type(layer).__name__, (), ())
    return LayerStep(
        layer,
        used[-1].name,
        used[0].input.shape[1:],
        used[-1].output.shape[1:],
        tuple(name for use in used for name in (*use.parameters, *use.states)),
        all(use.first for use in used),
        tuple(use.name for use in used[:-1]),
    )
