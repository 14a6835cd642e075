"""chainrule: a neural-network library with glass walls.

It trains networks, and every number in them, forward and backward, can be looked at, explained and checked.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from chainrule import data, display, engines, errors, graph, nn, ops, trace, train
from chainrule.derivatives import grad, hvp, jvp, vjp
from chainrule.descriptions import described
from chainrule.graph import Graph, Node, constant, evaluate, input_node, parameter, parse
from chainrule.nn import (
    GRU,
    L1,
    L2,
    LSTM,
    RNN,
    AbsoluteError,
    Activation,
    AveragePool,
    BatchNorm,
    Bidirectional,
    BinaryCrossEntropy,
    ChiSquared,
    Constant,
    Conv1D,
    Conv2D,
    ConvTranspose1D,
    ConvTranspose2D,
    CrossEntropy,
    Dense,
    Dropout,
    EachStep,
    Embedding,
    EuclideanDistance,
    Flatten,
    Formula,
    Function,
    GaussianNoise,
    GlobalAveragePool,
    GlobalMaxPool,
    GlorotNormal,
    GlorotUniform,
    GroupNorm,
    HeNormal,
    HeUniform,
    Hinge,
    Hopfield,
    Huber,
    Latent,
    LayerNorm,
    LeCunNormal,
    LeCunUniform,
    MaxPool,
    Network,
    Normal,
    Objective,
    OneHot,
    PerceptronLoss,
    Reshape,
    Residual,
    RestrictedBoltzmann,
    Sequential,
    SquaredError,
    Uniform,
    UpSample,
    Zeros,
    build_network,
    network,
)
from chainrule.trace import Explanation, Trace, check_gradient, explain_graph
from chainrule.train import (
    LBFGS,
    SGD,
    AdaGrad,
    Adam,
    AdamW,
    ClipNorm,
    ClipValue,
    ConstantRate,
    Cosine,
    EarlyStopping,
    LevenbergMarquardt,
    Model,
    PerceptronRule,
    RMSprop,
    Run,
    StepDecay,
    WarmUp,
    fit,
    open_run,
    resume,
)

if TYPE_CHECKING:
    from chainrule import examples as examples
    from chainrule import views as views
    from chainrule.views import pictures as pictures

__version__ = "0.1.0"

__all__ = [
    # networks
    "Dense", "Activation", "Dropout", "Flatten", "Formula", "Function", "Sequential", "Network", "network", "build_network",
    "Conv1D", "Conv2D", "ConvTranspose2D", "MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool", "UpSample", "Reshape",
    "LayerNorm", "GroupNorm", "Residual", "RNN", "LSTM", "GRU", "Bidirectional", "EachStep",
    "BatchNorm",
    "GaussianNoise", "Latent",
    "RestrictedBoltzmann",
    "Hopfield",
    "ConvTranspose1D",
    "OneHot", "Embedding",
    "Zeros", "Constant", "Normal", "Uniform", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "LeCunNormal", "LeCunUniform",
    # of one's own
    "described",
    # objectives
    "SquaredError", "ChiSquared", "EuclideanDistance", "AbsoluteError", "Huber", "CrossEntropy", "BinaryCrossEntropy", "Hinge",
    "PerceptronLoss", "L1", "L2", "Objective",
    # training
    "fit", "resume", "open_run", "Run", "SGD", "AdaGrad", "RMSprop", "Adam", "AdamW", "PerceptronRule", "LBFGS", "LevenbergMarquardt",
    "ConstantRate",
    "StepDecay", "Cosine", "WarmUp", "ClipNorm", "ClipValue", "EarlyStopping",
    # the heart
    "Graph", "Node", "input_node", "parameter", "constant", "parse", "evaluate", "grad", "vjp", "jvp", "hvp", "check_gradient",
    # glass walls
    "Explanation", "Model", "Trace", "explain_graph",
    # the rooms
    "data", "engines", "errors", "graph", "nn", "ops", "trace", "train", "views",
    "examples",
]  # fmt: skip


def _load_views() -> ModuleType:
    return import_module("chainrule.views")


def __getattr__(name: str) -> ModuleType:
    # Views are loaded when they are first named, or when an object is first asked to show itself: training does not wait for them.
    if name == "views":
        return _load_views()
    if name == "pictures":
        return _load_views().pictures
    if name == "examples":
        return import_module("chainrule.examples")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


display.when_first_asked(_load_views)
