"""What `import chainrule` gives, name by name: read by type checkers, and at run time to load what is asked for."""

from . import data, doctor, engines, errors, examples, graph, nn, ops, sweeps, trace, train, views
from .derivatives import grad, hvp, jvp, vjp
from .descriptions import described
from .graph import Graph, Node, compute, constant, input_node, parameter, parse_graph
from .interop.formats import export
from .interop.hub import from_hub, to_hub
from .interop.mlflow import MLflow
from .interop.objects import from_jax, from_keras, from_torch, to_jax, to_keras, to_torch
from .interop.onnx_models import from_onnx, to_onnx
from .interop.tensorboard import TensorBoard
from .interop.wandb import WandB
from .nn import (
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
    Embedding,
    EuclideanDistance,
    Flatten,
    Formula,
    Frozen,
    Function,
    GaussianNoise,
    GlobalAveragePool,
    GlobalMaxPool,
    GlorotNormal,
    GlorotUniform,
    GraphForm,
    GraphInitialiser,
    GraphLayer,
    GraphUse,
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
    Poisson,
    RandomBrightness,
    RandomFlip,
    RandomRotation,
    RandomShift,
    Reshape,
    Residual,
    RestrictedBoltzmann,
    Scale,
    Sequential,
    SquaredError,
    TimeDistributed,
    Uniform,
    UpSample,
    Weighted,
    Zeros,
    as_graph_layer,
    build_network,
    parse_network,
)
from .sweeps import find_learning_rate, open_sweep, sweep
from .trace import Explanation, Trace, check_gradient, explain_graph
from .train import (
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
    InverseScaling,
    InverseSquareRoot,
    LevenbergMarquardt,
    Model,
    MultiStepDecay,
    PerceptronRule,
    ReduceOnPlateau,
    RMSprop,
    Run,
    StepDecay,
    Training,
    WarmUp,
    fit,
    open_run,
    resume,
)
from .train.stepwise import trainer
from .views import pictures
from .views.notebook import Progress

__version__: str

__all__ = [
    # networks
    "Dense", "Activation", "Dropout", "Flatten", "Formula", "Function", "Sequential", "Network", "parse_network", "build_network",
    "GraphLayer", "GraphForm", "GraphUse", "GraphInitialiser", "as_graph_layer",
    "Conv1D", "Conv2D", "ConvTranspose2D", "MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool", "UpSample", "Reshape",
    "LayerNorm", "GroupNorm", "Scale", "Residual", "Frozen", "RNN", "LSTM", "GRU", "Bidirectional", "TimeDistributed",
    "BatchNorm",
    "GaussianNoise", "Latent",
    "RandomShift", "RandomFlip", "RandomRotation", "RandomBrightness",
    "RestrictedBoltzmann",
    "Hopfield",
    "ConvTranspose1D",
    "OneHot", "Embedding",
    "Zeros", "Constant", "Normal", "Uniform", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "LeCunNormal", "LeCunUniform",
    # of one's own
    "described",
    # objectives
    "SquaredError", "ChiSquared", "EuclideanDistance", "AbsoluteError", "Huber", "CrossEntropy", "BinaryCrossEntropy", "Poisson",
    "Hinge", "PerceptronLoss", "Weighted", "L1", "L2", "Objective",
    # training
    "Training", "fit", "trainer", "resume", "open_run", "Run", "SGD", "AdaGrad", "RMSprop", "Adam", "AdamW", "PerceptronRule", "LBFGS",
    "LevenbergMarquardt",
    "ConstantRate",
    "StepDecay", "MultiStepDecay", "Cosine", "InverseScaling", "InverseSquareRoot", "WarmUp", "ClipNorm", "ClipValue", "EarlyStopping",
    "ReduceOnPlateau",
    "sweep", "open_sweep", "find_learning_rate",
    # neighbours
    "export", "to_onnx", "from_onnx", "from_torch", "to_torch", "from_keras", "to_keras", "from_jax", "to_jax", "from_hub", "to_hub",
    "Progress", "TensorBoard", "MLflow", "WandB",
    # the heart
    "Graph", "Node", "input_node", "parameter", "constant", "parse_graph", "compute", "grad", "vjp", "jvp", "hvp", "check_gradient",
    # glass walls
    "Explanation", "Model", "Trace", "explain_graph",
    # the rooms
    "data", "doctor", "engines", "errors", "graph", "nn", "ops", "pictures", "sweeps", "trace", "train", "views",
    "examples",
]  # fmt: skip
