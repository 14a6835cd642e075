"""Networks as objects of other libraries, and theirs as ours; PyTorch, Keras and JAX are imported when one of these is called."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from chainrule.checks import Extents, Natural, checked
from chainrule.interop.portable import portable
from chainrule.interop.wiring import Imported
from chainrule.nn import GraphLayer
from chainrule.nn.checks import LayerName


@checked
def from_torch(module: Any, example: Any = None, *, input_shape: Extents | None = None) -> Imported:
    """A PyTorch module as a network of ours, and its weights by our names: `cr.fit(network, data, initial=(network, values))`.

    A module none of whose parameters requires a gradient becomes a `Frozen`.

    module: a torch.nn.Sequential, or any module whose forward joins known modules and functions, so that torch.fx can follow it.
    example: inputs (n, ...) as the module takes them, a tuple of such for a forward of several; or input_shape: the shape of one of them,
    in PyTorch's order. Pictures are (channels, height, width) there, and (height, width, channels) here: our network takes x.transpose(0,
    2, 3, 1). Several inputs stand side by side in the columns of one x here, each with its numbers in one row, channels last; several
    outputs, each a row, side by side in one.

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
    """A run, or a network with its values, as a torch.nn.Module that computes the same, in evaluation mode.

    It is a Sequential; where layers are used twice or joined otherwise than one behind the other, a module whose forward joins others.
    Of a run it takes inputs in the data's own units, and gives what `run.predict` gives; a network of several inputs takes them in columns,
    as it does here. Pictures are (batch, channels, height, width) there. Weights are float64 where the run's or the given arrays are.
    values, input_shape, replica: as in `cr.export`. Both are run on some examples in float64.
    Raises: OptionError for a layer that PyTorch lacks, which it names, and for outputs that differ by more than 10⁻⁶;
    MissingPackageError without PyTorch.

        module = cr.to_torch(cr.fit("2-8-2 tanh softmax", "moons"))
    """
    is_wide = any(isinstance(value, np.ndarray) and value.dtype == np.float64 for value in (values or {}).values())
    return import_module("chainrule.interop.torch_objects").made(
        portable(subject, values, input_shape=input_shape, replica=replica, dtype="float64" if is_wide else None)
    )


@checked
def from_keras(model: Any, example: Any = None) -> Imported:
    """A Keras model as a network of ours, and its weights by our names: `cr.fit(network, data, initial=(network, values))`.

    Layers with trainable=False become a `Frozen`.

    model: a Sequential or a functional model, built; several inputs stand side by side in the columns of one x here, several outputs in
    one. example: inputs (n, ...) to compare on, a tuple of such for several; made up where none are given. Both are run on them, at
    inference and, where nothing random is in them, in training.
    Raises: OptionError for a layer that has no like here, which it names, and for a model whose outputs differ by more than 10⁻⁶ or
    what float32 rounds; MissingPackageError without Keras.

        network, values = cr.from_keras(keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, activation="tanh")]))
    """
    return import_module("chainrule.interop.keras_objects").read(model, example)


@checked
def to_keras(
    subject: Any, values: Mapping[str, Any] | None = None, *, input_shape: Extents | None = None, replica: Natural = 0
) -> Any:
    """A run, or a network with its values, as a Keras model that computes the same.

    It is a Sequential; where layers are used twice or joined otherwise than one behind the other, a functional model.
    Of a run it takes inputs in the data's own units, as float64 (with JAX behind Keras: jax_enable_x64), and gives what `run.predict`
    gives. values, input_shape, replica: as in `cr.export`. Both are run on some examples.
    Raises: OptionError for a layer that Keras lacks, which it names, and for outputs that differ by more than 10⁻⁶;
    MissingPackageError without Keras.

        model = cr.to_keras(cr.fit("2-8-2 tanh softmax", "moons"))
    """
    return import_module("chainrule.interop.keras_objects").made(
        portable(subject, values, input_shape=input_shape, replica=replica)
    )


@checked
def from_jax(
    function: Callable[[Any, Any], Any],
    parameters: Any,
    example: Any = None,
    *,
    input_shape: Extents | None = None,
    states: Sequence[str] = (),
    name: LayerName = "",
) -> GraphLayer:
    """A function of JAX's as a layer with its weights: trained, explained, differentiated, drawn and kept in run folders as any other.

    function: `function(parameters, x)` gives one array with a row to each example of x (n, ...), for any n; of Flax `model.apply`, or of an
    object that JAX knows as a tree `lambda model, x: model(x)`. parameters: its first argument, arrays in lists, dictionaries or such
    objects. Arrays of floats become parameters, called by where they stand. states: names, or beginnings of them, of arrays that training
    leaves alone; those of Flax's `batch_stats` are among them. example: inputs (n, ...); or input_shape: the shape of one, of float32.
    name: the layer's, where its parts are to be called after it.

    It is traced, not run step by step: what goes by numbers (`if`, chance) cannot be followed. Both are run on the example, or on made-up
    numbers. Raises: UnsupportedError for a primitive that has no like here, which it names; OptionError for what cannot be traced, and for
    a function whose outputs differ by more than 10⁻⁶ or what rounding does; ShapeError, DataError for an example that is none;
    MissingPackageError without JAX.

        layer = cr.from_jax(model.apply, variables, input_shape=(28, 28, 1))
    """
    return import_module("chainrule.interop.jax_functions").read(function, parameters, example, input_shape, states, name)


@checked
def to_jax(
    subject: Any, values: Mapping[str, Any] | None = None, *, input_shape: Extents | None = None, replica: Natural = 0
) -> tuple[Callable[[Any, Any], Any], dict[str, Any]]:
    """A run, or a network with its values, as a function of JAX's and its parameters: `function(parameters, x)`.

    It can be differentiated, compiled and mapped there. Of a run it takes inputs (n, ...) in the data's own units, and gives probabilities
    (n, classes) of a classifier that has them, else outputs in the units of the targets; it computes in float64 what the run does where
    JAX has float64 (jax_enable_x64). values, input_shape, replica: as in `cr.export`.
    Raises: OptionError for a subject that lacks values; MissingPackageError without JAX.

        function, parameters = cr.to_jax(cr.fit("2-8-2 tanh softmax", "moons"))
    """
    return import_module("chainrule.interop.jax_functions").made(
        portable(subject, values, input_shape=input_shape, replica=replica)
    )


__all__ = ["Imported", "from_jax", "from_keras", "from_torch", "to_jax", "to_keras", "to_torch"]
