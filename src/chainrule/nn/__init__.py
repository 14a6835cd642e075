"""Floor 3: layers, activations, losses, metrics and first values, as descriptions that add nodes to a graph."""

from chainrule.nn.activations import ACTIVATIONS, ActivationFunction, log_softmax, sigmoid_input, softmax, softmax_input
from chainrule.nn.build import Built, Initialiser, Layer, LayerUse, Parameter, Place, build_network, building, place
from chainrule.nn.initialisers import (
    Constant,
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LeCunNormal,
    LeCunUniform,
    Normal,
    Uniform,
    Zeros,
)
from chainrule.nn.layers import Activation, Dense, Dropout, Flatten, Function, Network, Sequential, as_layer
from chainrule.nn.losses import (
    L1,
    L2,
    LOSSES,
    AbsoluteError,
    BinaryCrossEntropy,
    CrossEntropy,
    EuclideanDistance,
    Hinge,
    Huber,
    Loss,
    Objective,
    PerceptronLoss,
    SquaredError,
    objective,
)

__all__ = [
    "ACTIVATIONS", "L1", "L2", "LOSSES", "AbsoluteError", "Activation", "ActivationFunction", "BinaryCrossEntropy", "Built", "Constant",
    "CrossEntropy", "Dense", "Dropout", "EuclideanDistance", "Flatten", "Function", "GlorotNormal", "GlorotUniform", "HeNormal",
    "HeUniform", "Hinge", "Huber", "Initialiser", "Layer", "LayerUse", "LeCunNormal", "LeCunUniform", "Loss", "Network", "Normal",
    "Objective", "Parameter", "PerceptronLoss", "Place", "Sequential", "SquaredError", "Uniform", "Zeros", "as_layer", "build_network",
    "building", "log_softmax", "objective", "place", "sigmoid_input", "softmax", "softmax_input",
]  # fmt: skip
