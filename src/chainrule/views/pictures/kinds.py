"""What a picture is for: kinds of networks, data and runs, told at the picture, so that nobody is offered one that would refuse."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from math import prod
from typing import TypeAlias, TypeVar

from chainrule.errors import ChainruleError
from chainrule.graph import Array
from chainrule.nn import Dense
from chainrule.train import Model, Run
from chainrule.train.generation import reader_of
from chainrule.views.pictures.sheets import image_shape
from chainrule.views.pictures.subject import Source, model_of

Kind: TypeAlias = Callable[[Source], bool]
"""Whether a run or a model is of the kind."""
F = TypeVar("F", bound=Callable[..., object])
_KINDS: dict[Callable[..., object], tuple[Kind, ...]] = {}


def suits(*kinds: Kind) -> Callable[[F], F]:
    """Says of a picture that it is for what is of all these kinds, at the arguments that it has by itself."""

    def told(function: F) -> F:
        _KINDS[function] = kinds
        return function

    return told


def kinds_of(function: Callable[..., object]) -> tuple[Kind, ...]:
    """The kinds that a run or a model must be of for a picture."""
    return _KINDS.get(function, ())


# ---- what the network answers


def classifies(source: Source) -> bool:
    """The classes are known."""
    return model_of(source).problem.classes is not None


def has_probabilities(source: Source) -> bool:
    """The outputs are probabilities of classes."""
    problem = model_of(source).problem
    return problem.classes is not None and problem.probabilities != "none"


def fits_numbers(source: Source) -> bool:
    """Numbers are fitted."""
    problem = model_of(source).problem
    return not problem.classifies and problem.compares


def fits_a_curve(source: Source) -> bool:
    """One number is fitted to one number, which is no id."""
    problem = model_of(source).problem
    info = problem.dataset_info
    return takes_amounts(source) and info.input_shape == (1,) and info.classes is None and prod(problem.output.shape[1:]) == 1


def reconstructs(source: Source) -> bool:
    """The network answers with as many numbers as it is given."""
    problem = model_of(source).problem
    return fits_numbers(source) and prod(problem.output.shape[1:]) == prod(problem.dataset_info.input_shape)


def predicts_tokens(source: Source) -> bool:
    """The next token of a text is predicted."""
    try:
        reader_of(model_of(source).problem)
    except ChainruleError:
        return False
    return True


# ---- what goes in


def takes_amounts(source: Source) -> bool:
    """Inputs are numbers that one can go along, not ids, between which there is nothing."""
    return not model_of(source).problem.ids.any()


def has_two_inputs(source: Source) -> bool:
    """There are two numbers or more to go along."""
    return takes_amounts(source) and prod(model_of(source).problem.dataset_info.input_shape) >= 2


def is_flat_pair(source: Source) -> bool:
    """Examples are two numbers."""
    return prod(model_of(source).problem.dataset_info.input_shape) == 2


def sees_images(source: Source) -> bool:
    """Examples are pictures."""
    info = model_of(source).problem.dataset_info
    return image_shape(info.input_shape, info.input_dtype) is not None


def weighs_images(source: Source) -> bool:
    """The first layer is a Dense one that weighs pixels."""
    info = model_of(source).problem.dataset_info
    weights = model_of(source).weights.get("dense1.W")
    return sees_images(source) and weights is not None and weights.shape[0] == prod(info.input_shape)


def weighs_words(source: Source) -> bool:
    """One output is a weighted sum of counts of words, or of others that have names."""
    model = model_of(source)
    names, weights = model.problem.dataset_info.features, model.weights.get("dense1.W")
    return names is not None and weights is not None and weights.shape == (len(names), 1)


# ---- what it is made of


@cache
def has(quantity: str) -> Kind:
    """There is a quantity of this name, such as dense1.a."""
    return lambda source: quantity in model_of(source).quantity_names


@cache
def learns(parameter: str) -> Kind:
    """There is a parameter of this name."""
    return lambda source: parameter in model_of(source).parameters


def has_hidden_neurons(source: Source) -> bool:
    """There are neurons between the inputs and the outputs."""
    return sum(name.endswith(".a") and not name.startswith("input") for name in model_of(source).quantity_names) >= 2


def is_linear_inside(source: Source) -> bool:
    """All layers are Dense, linear but for the last one."""
    layers = [use.layer for use in model_of(source).problem.described.built.uses]
    dense = [layer for layer in layers if isinstance(layer, Dense)]
    return bool(layers) and len(dense) == len(layers) and all(layer.activation == "linear" for layer in dense[:-1])


def adds_neurons_up(source: Source) -> bool:
    """The output is a sum over hidden neurons: two Dense layers or more, the last one linear, also where it is compared."""
    problem = model_of(source).problem
    layers = [use.layer for use in problem.described.built.uses]
    dense = [layer for layer in layers if isinstance(layer, Dense)]
    return not problem.link and len(layers) >= 2 and len(dense) == len(layers) and dense[-1].activation in {None, "linear"}


def convolves(source: Source) -> bool:
    """The first convolution has filters."""
    return any(name == "conv1.W" and value.ndim in {3, 4} for name, value in _weights(source).items())


def has_channels(source: Source) -> bool:
    """Some layer gives channels."""
    return any(len(use.output.shape) in {4, 5} for use in model_of(source).problem.described.built.uses)


def is_recurrent(source: Source) -> bool:
    """Some layer goes from step to step of a sequence."""
    return any(name.endswith(".U") for name in _weights(source))


def embeds(source: Source) -> bool:
    """There are learned vectors of tokens, of two numbers or more."""
    reader, table = model_of(source).problem.dataset_info.text, _weights(source).get("embedding1.W")
    return reader is not None and table is not None and table.shape[1] >= 2 and len(table) == len(reader.vocabulary)


def dreams_pictures(source: Source) -> bool:
    """It is a Boltzmann machine, on pictures."""
    return sees_images(source) and "boltzmann1.c" in _weights(source)


def _weights(source: Source) -> Mapping[str, Array]:
    return model_of(source).weights


# ---- what there is of a run


def has_test_part(source: Source) -> bool:
    """Examples were kept apart for a test; of a model that is not known."""
    return isinstance(source, Model) or source.data.test is not None


@cache
def was_scored(name: str) -> Kind:
    """Some epoch has this score of the training part."""
    return lambda source: (
        isinstance(source, Run) and any(name in epoch.parts.get("training", {}) for epoch in source.history.epochs)
    )
