"""chainrule: a neural-network library with glass walls.

It trains networks, and every number in them, forward and backward, can be looked at, explained and checked.
"""

from chainrule import data, engines, errors, graph, nn, ops, trace, train, views
from chainrule.grad import grad, hvp, jvp, vjp
from chainrule.graph import Graph, Node, constant, evaluate, input_node, parameter, parse
from chainrule.nn import (
    L1,
    L2,
    AbsoluteError,
    Activation,
    BinaryCrossEntropy,
    CrossEntropy,
    Dense,
    Dropout,
    EuclideanDistance,
    Flatten,
    Formula,
    Function,
    Hinge,
    Huber,
    Network,
    PerceptronLoss,
    Sequential,
    SquaredError,
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
from chainrule.views import pictures

__version__ = "0.1.0"

__all__ = [
    # networks
    "Dense", "Activation", "Dropout", "Flatten", "Formula", "Function", "Sequential", "Network", "network", "build_network",
    # objectives
    "SquaredError", "EuclideanDistance", "AbsoluteError", "Huber", "CrossEntropy", "BinaryCrossEntropy", "Hinge",
    "PerceptronLoss", "L1", "L2",
    # training
    "fit", "resume", "open_run", "Run", "SGD", "AdaGrad", "RMSprop", "Adam", "AdamW", "PerceptronRule", "LBFGS", "ConstantRate",
    "StepDecay", "Cosine", "WarmUp", "ClipNorm", "ClipValue", "EarlyStopping",
    # the heart
    "Graph", "Node", "input_node", "parameter", "constant", "parse", "evaluate", "grad", "vjp", "jvp", "hvp", "check_gradient",
    # glass walls
    "Explanation", "Model", "Trace", "explain_graph", "pictures",
    # the rooms
    "data", "engines", "errors", "graph", "nn", "ops", "trace", "train", "views",
]  # fmt: skip
