"""Networks as objects of other libraries, and theirs as ours; PyTorch and Keras are imported when one of these is called."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from chainrule.checks import Extents, Natural, checked
from chainrule.interop.portable import portable
from chainrule.interop.wiring import Imported


@checked
def from_torch(module: Any, example: Any = None, *, input_shape: Extents | None = None) -> Imported:
    """A PyTorch module as a network of ours, and its weights by our names: `cr.fit(network, data, initial=values)`.

    module: a torch.nn.Sequential, or any module whose forward joins known modules and functions, so that torch.fx can follow it.
    example: inputs (n, ...) as the module takes them; or input_shape: the shape of one of them, in PyTorch's order. Pictures are
    (channels, height, width) there, and (height, width, channels) here: our network takes x.transpose(0, 2, 3, 1).

    Both are run in float64 on the example, or on made-up numbers, at inference and, where nothing random is in them, in training.
    Raises: OptionError for a module that has no like here, which it names, and for one whose outputs differ by more than 10⁻⁶;
    MissingPackageError without PyTorch.

        network, values = cr.from_torch(torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Tanh()), input_shape=(2,))
    """
    return import_module("chainrule.interop.torch_objects").read(module, example, input_shape=input_shape)


@checked
def to_torch(
    subject: Any, values: Mapping[str, Any] | None = None, *, input_shape: Extents | None = None, replica: Natural = 0
) -> Any:
    """A run, or a network with its values, as a torch.nn.Sequential that computes the same, in evaluation mode.

    Of a run it takes inputs in the data's own units, and gives what `run.predict` gives. Pictures are (batch, channels, height, width)
    there. values, input_shape, replica: as in `cr.export`. Both are run on some examples in float64.
    Raises: OptionError for a layer that PyTorch lacks, which it names, and for outputs that differ by more than 10⁻⁶;
    MissingPackageError without PyTorch.

        module = cr.to_torch(cr.fit("2-8-2 tanh softmax", "moons"))
    """
    return import_module("chainrule.interop.torch_objects").made(
        portable(subject, values, input_shape=input_shape, replica=replica)
    )


@checked
def from_keras(model: Any, example: Any = None) -> Imported:
    """A Keras model as a network of ours, and its weights by our names: `cr.fit(network, data, initial=values)`.

    model: a Sequential or a functional model with one input and one output, built. example: inputs (n, ...) to compare on; made up where
    none are given. Both are run on them, at inference and, where nothing random is in them, in training.
    Raises: OptionError for a layer that has no like here, which it names, and for a model whose outputs differ by more than 10⁻⁶ or
    what float32 rounds; MissingPackageError without Keras.

        network, values = cr.from_keras(keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, activation="tanh")]))
    """
    return import_module("chainrule.interop.keras_objects").read(model, example)


@checked
def to_keras(
    subject: Any, values: Mapping[str, Any] | None = None, *, input_shape: Extents | None = None, replica: Natural = 0
) -> Any:
    """A run, or a network with its values, as a keras.Sequential that computes the same.

    Of a run it takes inputs in the data's own units, as float64 (with JAX behind Keras: jax_enable_x64), and gives what `run.predict`
    gives. values, input_shape, replica: as in `cr.export`. Both are run on some examples.
    Raises: OptionError for a layer that Keras lacks, which it names, and for outputs that differ by more than 10⁻⁶;
    MissingPackageError without Keras.

        model = cr.to_keras(cr.fit("2-8-2 tanh softmax", "moons"))
    """
    return import_module("chainrule.interop.keras_objects").made(
        portable(subject, values, input_shape=input_shape, replica=replica)
    )


__all__ = ["Imported", "from_keras", "from_torch", "to_keras", "to_torch"]
