"""Mistakes made before the backward pass began: data that were not scaled, or scaled twice, and the wrong mode of a layer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from chainrule.graph import Array, Node
from chainrule.trace.mistakes.kinds import Other, whole_mistake
from chainrule.trace.network_structure import Structure
from chainrule.trace.planted import BackwardPass, Planted


def gradient_of(backward: BackwardPass) -> dict[str, Array]:
    """The whole gradient, penalties and all."""
    walk = backward.walk(Planted(), {backward.cost: np.ones(())})
    return {name: walk.gradient(name) for name in backward.parameters}


def _with_values(structure: Structure, changed: Mapping[Node, Array]) -> Other:
    return Other("", lambda: gradient_of(structure.backward.at(changed)))


@whole_mistake(
    "the inputs are not scaled",
    "The network does not see the data as they are: its graph scales them first (bytes are divided by 255, numbers are standardised). "
    "Here the whole gradient belongs to inputs that were taken as they are.",
    'compute with the inputs as the network sees them: a function given to check_gradient finds them under "input.a". And give '
    "check_gradient itself the data unscaled, as they are in the data set: it scales them",
)
def unscaled_inputs(structure: Structure) -> Iterable[Other]:
    """The raw inputs in both passes."""
    if structure.scaled_inputs:
        yield _with_values(structure, dict(structure.scaled_inputs))


@whole_mistake(
    "the inputs are scaled twice",
    "The network's graph scales its inputs by itself. Here the whole gradient belongs to inputs that were scaled once more.",
    "scale once: the raw data by the network's scaling",
)
def inputs_scaled_twice(structure: Structure) -> Iterable[Other]:
    """The scaling applied to scaled inputs."""
    changed = structure.scaled_again
    if changed:
        yield _with_values(structure, changed)


@whole_mistake(
    "the targets are not scaled",
    "Targets of a regression are standardised, and the cost compares the network's output with the scaled ones. Here the whole gradient "
    "belongs to targets that were taken as they are.",
    'scale the targets as the cost does: a function given to check_gradient finds them under "target"; or train with '
    'target_scaling="none"',
)
def unscaled_targets(structure: Structure) -> Iterable[Other]:
    """The raw targets."""
    if structure.scaled_targets:
        yield _with_values(structure, dict(structure.scaled_targets))


@whole_mistake(
    "neither inputs nor targets are scaled",
    "The network's graph scales inputs and targets before anything is computed. Here the whole gradient belongs to data that were taken "
    "as they are.",
    'scale both: a function given to check_gradient finds them as "input.a" and "target"; or train with scaling="none" and '
    'target_scaling="none"',
)
def unscaled_data(structure: Structure) -> Iterable[Other]:
    """Raw inputs and raw targets."""
    if structure.scaled_inputs and structure.scaled_targets:
        yield _with_values(structure, {**structure.scaled_inputs, **structure.scaled_targets})


@whole_mistake(
    "gradient of the training mode",
    "A network with BatchNorm or Dropout is two networks: in training BatchNorm uses the mean and variance of the batch, at inference the "
    "running ones. Here the gradient is right for training, and was held against the network as it is at inference.",
    "say check_gradient(mine, x, y, training=True)",
)
def training_mode(structure: Structure) -> Iterable[Other]:
    """The same network as it is in training."""
    if structure.twin is not None and structure.twin_is_training:
        yield Other("", structure.twin)


@whole_mistake(
    "gradient of the inference mode",
    "A network with BatchNorm or Dropout is two networks: in training BatchNorm uses the mean and variance of the batch and Dropout drops, "
    "at inference BatchNorm uses the running ones and nothing is dropped. Here the gradient is right for inference.",
    "use the batch's own mean and variance, and the mask of the dropout; or say training=False",
)
def inference_mode(structure: Structure) -> Iterable[Other]:
    """The same network as it is at inference."""
    if structure.twin is not None and not structure.twin_is_training:
        yield Other("", structure.twin)
